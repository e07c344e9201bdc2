//! Simulated runs without number: how often a rule raises a false alarm, and how soon it finds a fault. The tests play a
//! small grid of them and `cargo bench --bench judge -- table` the whole one, whose figures are in `docs/judge.md`.

use squall::judge::betting::{Badness, Wager};
use squall::judge::simulate::{Counts, Stream};

/// The bound of every simulated signal: 1 % of requests.
pub const TOLERATED: f64 = 0.01;

/// What is allowed to a whole run.
pub const ALPHA: f64 = 0.01;

/// Traffic and truth of one kind of run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Requests in each window.
    pub rate: u32,
    /// Correlation of two requests of one window.
    pub clustering: f64,
    /// The true share of failures before any fault.
    pub truth: f64,
    pub windows: u32,
    /// Signals that are judged together, each alike and each with its part of alpha.
    pub signals: u32,
    /// The share of windows without data.
    pub missing: f64,
    /// How the requests are spread over the windows.
    pub traffic: Traffic,
}

/// How many requests each window has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Traffic {
    /// All of them the rate.
    Even,
    /// In turn the rate, a fifth of it, the rate, a fifth, and five times the rate, which is more than a full window.
    Uneven,
}

impl Traffic {
    fn sizes(self, rate: u32) -> Vec<u32> {
        match self {
            Traffic::Even => vec![rate],
            Traffic::Uneven => vec![rate, rate.div_ceil(5), rate, rate.div_ceil(5), 5 * rate],
        }
    }
}

/// A fault: from this window on, from 0, this share of the requests fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    pub at: u32,
    pub share: f64,
}

/// A rule that looks at one signal window by window.
pub trait Rule {
    /// Whether it raises the alarm at this window, of so many requests.
    fn alarms(&mut self, x: Option<f64>, of: u32) -> bool;
}

/// The whole grid of issue and documentation: rate, clustering, truth, number of windows.
pub fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for windows in [30, 60] {
        for truth in [TOLERATED, 0.3 * TOLERATED] {
            for clustering in [0.0, 0.02, 0.1] {
                for rate in [5, 10, 60, 600] {
                    cells.push(Cell {
                        rate,
                        clustering,
                        truth,
                        windows,
                        signals: 1,
                        missing: 0.0,
                        traffic: Traffic::Even,
                    });
                }
            }
        }
    }
    cells
}

impl Cell {
    /// The window of the first alarm of each of so many runs, from 1; `None` where there is none. `make` makes a rule out of
    /// the cell and a source of baseline windows.
    pub fn play<R: Rule>(
        &self,
        runs: u32,
        fault: Option<Fault>,
        make: impl Fn(&Cell, &mut dyn FnMut() -> f64) -> R,
    ) -> Vec<Option<u32>> {
        let number = u64::from(self.rate) << 32 | (self.clustering * 1e3) as u64 | u64::from(self.windows) << 20;
        let mut stream = Stream::numbered(number ^ (self.truth * 1e6) as u64 ^ u64::from(self.signals) << 50);
        let sizes = self.traffic.sizes(self.rate);
        let counts = |share| -> Vec<(Counts, u32)> {
            sizes.iter().map(|of| (Counts::new(*of, share, self.clustering), *of)).collect()
        };
        let (calm, faulty) = (counts(self.truth), counts(fault.map_or(self.truth, |fault| fault.share)));
        let begins = fault.map_or(u32::MAX, |fault| fault.at);
        let draw = |(counts, of): &(Counts, u32), stream: &mut Stream| f64::from(counts.draw(stream)) / f64::from(*of);
        let mut run = || {
            let mut rules: Vec<R> =
                (0..self.signals).map(|_| make(self, &mut || draw(&calm[0], &mut stream))).collect();
            (0..self.windows).find_map(|window| {
                let counts = if window >= begins { &faulty } else { &calm };
                let counts = &counts[window as usize % counts.len()];
                let mut any = false;
                for rule in &mut rules {
                    let x = draw(counts, &mut stream);
                    let lost = self.missing > 0.0 && stream.unit() < self.missing;
                    any |= rule.alarms((!lost).then_some(x), counts.1);
                }
                any.then_some(window + 1)
            })
        };
        (0..runs).map(|_| run()).collect()
    }

    /// The share of runs with a false alarm.
    pub fn false_alarms<R: Rule>(&self, runs: u32, make: impl Fn(&Cell, &mut dyn FnMut() -> f64) -> R) -> f64 {
        let alarms = self.play(runs, None, make).into_iter().flatten().count();
        alarms as f64 / f64::from(runs)
    }
}

/// How long a rule takes to find a fault, in windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delay {
    /// Half of the runs find it within so many windows; `None` when half of them never do.
    pub median: Option<u32>,
    /// So do 95 % of them.
    pub most: Option<u32>,
}

/// The delay from the fault on. An alarm before the fault is a false one, and such runs do not count.
pub fn delay(alarms: &[Option<u32>], fault: Fault) -> Delay {
    let mut delays: Vec<u32> = alarms
        .iter()
        .filter(|alarm| alarm.is_none_or(|window| window > fault.at))
        .map(|alarm| alarm.map_or(u32::MAX, |window| window - fault.at))
        .collect();
    delays.sort_unstable();
    let at = |share: f64| {
        let index = ((delays.len() as f64 * share).ceil() as usize).saturating_sub(1);
        delays.get(index).copied().filter(|delay| *delay < u32::MAX)
    };
    Delay { median: at(0.5), most: at(0.95) }
}

/// The most false alarms that chance explains in so many runs: alpha and so many standard errors.
pub fn limit(runs: u32, standard_errors: f64) -> f64 {
    ALPHA + standard_errors * (ALPHA * (1.0 - ALPHA) / f64::from(runs)).sqrt()
}

/// The requests of a full window: the baseline's are of the rate.
pub fn full_window(cell: &Cell) -> f64 {
    1.25 * f64::from(cell.rate)
}

/// squall's own rule, with its part of alpha.
pub struct Betting {
    wager: Wager,
    full: f64,
    decides_at: f64,
}

impl Betting {
    pub fn new(cell: &Cell, _: &mut dyn FnMut() -> f64) -> Betting {
        Betting {
            wager: Wager::over(cell.windows),
            full: full_window(cell),
            decides_at: f64::from(cell.signals) / ALPHA,
        }
    }
}

impl Rule for Betting {
    fn alarms(&mut self, x: Option<f64>, of: u32) -> bool {
        let weight = (f64::from(of) / self.full).min(1.0);
        self.wager.observe(x.map(|x| Badness { x, tolerated: TOLERATED, weight })) >= self.decides_at
    }
}
