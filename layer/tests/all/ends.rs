//! No order outlives its end: ten thousand random schedules in virtual time.

use squall_layer::clock::{Clock, Now};
use squall_layer::faults::{Faults, Fetched};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use crate::orders::{Clocks, EIGHT, settings};

/// After `until` and so many milliseconds no request is touched.
const LATE: i64 = 1_000;

/// SplitMix64.
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % end
    }

    fn span(&mut self, end: i64) -> i64 {
        self.below(end as u64) as i64
    }
}

/// An environment, and SSM: only the world knows the true time.
struct World {
    chance: Chance,
    faults: Arc<Faults>,
    asked: Receiver<()>,
    clocks: Clocks,
    time: i64,
    until: i64,
    /// How long the monotonic clock has stood still, and by how much the wall clock was set, in all.
    stood: i64,
    set: i64,
    /// Both of these when the orders in memory were asked for.
    read_at: (i64, i64),
    parameter: Parameter,
    touched: u32,
}

#[derive(Clone, Copy, Debug)]
enum Parameter {
    There,
    Deleted,
    Unreadable,
    Unreachable,
}

impl World {
    fn new(seed: u64) -> World {
        let mut chance = Chance(seed);
        let clocks = Clocks::new();
        // A clock that is off by up to two hours from the beginning.
        clocks.0.lock().unwrap().wall += chance.span(14_400_000) - 7_200_000;
        let (faults, asked) = Faults::new(settings("127.0.0.1:1", &[]), clocks.clone(), |_| ());
        let until = (EIGHT + chance.span(300_000)) / 1_000 * 1_000;
        let read_at = (0, 0);
        let parameter = Parameter::There;
        World { chance, faults, asked, clocks, time: EIGHT, until, stood: 0, set: 0, read_at, parameter, touched: 0 }
    }

    fn pass(&mut self, millis: i64) {
        self.time += millis;
        self.clocks.pass(millis);
    }

    /// Lambda freezes the environment; the monotonic clock may stand still meanwhile.
    fn freeze(&mut self) {
        let longest = [5_000, 60_000, 3_600_000][self.chance.below(3) as usize];
        let millis = self.chance.span(longest);
        let stands = self.chance.below(2) == 0;
        self.pass(millis);
        if stands {
            self.clocks.0.lock().unwrap().mono -= millis;
            self.stood += millis;
        }
    }

    fn set_the_wall_clock(&mut self) {
        let by = self.chance.span(14_400_000) - 7_200_000;
        let by = if self.chance.below(2) == 0 { by } else { by / 3_600 };
        self.clocks.0.lock().unwrap().wall += by;
        self.set += by;
    }

    fn something_happens(&mut self) {
        match self.chance.below(12) {
            0 => self.freeze(),
            1 => self.set_the_wall_clock(),
            2 => {
                use Parameter::*;
                self.parameter = [There, There, Deleted, Unreadable, Unreachable][self.chance.below(5) as usize];
            }
            3..6 => {
                let millis = self.chance.span(20_000);
                self.pass(millis);
            }
            _ => {
                let millis = self.chance.span(300);
                self.pass(millis);
            }
        }
    }

    /// The background reader, if it was asked: time passes, and anything may happen, before and after the server dates its reply.
    fn read(&mut self) {
        if self.asked.try_recv().is_err() {
            return;
        }
        let sent = self.clocks.now();
        let at = (self.stood, self.set);
        for _ in 0..self.chance.below(3) {
            self.something_happens();
        }
        let (time, parameter) = (self.time, self.parameter);
        let wait = self.chance.span(1_000);
        self.pass(wait);
        for _ in 0..self.chance.below(3) {
            self.something_happens();
        }
        let until = squall_layer::date::amz(self.until);
        let until = format!(
            "{}-{}-{}T{}:{}:{}Z",
            &until[..4],
            &until[4..6],
            &until[6..8],
            &until[9..11],
            &until[11..13],
            &until[13..15]
        );
        let text = match parameter {
            Parameter::There => format!(
                r#"{{"version": 1, "o": {{"run": "r", "until": "{until}", "fault": {{"latency": {{"delay": {{"uniform": {{"from_ms": 0, "to_ms": 900000}}}}}}}}}}}}"#
            ),
            Parameter::Unreadable => "{\"version\": 1, ".into(),
            Parameter::Deleted | Parameter::Unreachable => {
                return self.faults.learn(sent, Err(format!("{parameter:?}")));
            }
        };
        self.read_at = at;
        self.faults.learn(sent, Ok(Fetched { text, dated: time.div_euclid(1_000) * 1_000 }));
    }

    /// An invocation comes; if a fault hits it, it is held for as long as its order lets it.
    fn invoke(&mut self, id: usize) {
        let Some(reading) = self.faults.arrived() else { return self.read() };
        for injection in self.faults.decide(&reading, &id.to_string(), None) {
            self.touched += 1;
            self.is_in_time();
            for _ in 0..20 {
                if self.faults.left(&injection) == 0 {
                    break;
                }
                self.is_in_time();
                self.something_happens();
            }
        }
        self.read();
    }

    /// A request is touched now. What nothing inside of the environment can tell is left out: a wall clock that was set back by
    /// just as long as the monotonic clock stood still.
    fn is_in_time(&self) {
        let (stood, set) = (self.stood - self.read_at.0, self.set - self.read_at.1);
        if stood > 0 && (stood + set).abs() <= 500 {
            return;
        }
        assert!(self.time <= self.until + LATE, "touched {} ms after the end", self.time - self.until);
    }
}

#[test]
fn after_its_end_and_a_second_no_order_touches_a_request() {
    let schedules = std::env::var("SQUALL_LAYER_SCHEDULES").map_or(10_000, |text| text.parse().unwrap());
    let mut touched = 0;
    for seed in 0..schedules {
        let mut world = World::new(seed);
        for id in 0..60 {
            world.something_happens();
            let run = std::panic::AssertUnwindSafe(|| world.invoke(id));
            assert!(std::panic::catch_unwind(run).is_ok(), "seed {seed}");
        }
        touched += world.touched;
    }
    // The schedules do hit requests: otherwise this would show nothing.
    assert!(u64::from(touched) > schedules, "{touched}");
}

/// Where the clocks are right, an order works until its end, to a second.
#[test]
fn an_order_works_until_its_end() {
    let it = crate::orders::Injecting::new(&crate::orders::document(r#"{"error": {"message": "m"}}"#, ""), &[]);
    let hour = 3_600_000;
    for at in (0..hour - 1_000).step_by(7_000) {
        it.clocks.0.lock().unwrap().wall = EIGHT + at;
        it.clocks.0.lock().unwrap().mono = 1_000 + at;
        it.reads(&crate::orders::document(r#"{"error": {"message": "m"}}"#, ""));
        assert!(it.faults.arrived().is_some(), "{at}");
    }
    let Now { wall, .. } = it.clocks.now();
    it.clocks.pass(EIGHT + hour + 500 - wall);
    assert!(it.faults.arrived().is_none());
}
