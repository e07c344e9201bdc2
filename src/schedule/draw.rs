//! Chance in schedules, the same for the same seed on every machine and in every version.
//!
//! The generator is PCG XSL RR 128/64 (<https://www.pcg-random.org>, `Pcg64` of the crate `rand_pcg`), seeded by the SHA-256 of
//! the schedule's name, its seed and the number of the day or week, so that one week can be drawn without those before it.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};

use super::zone::{DAY, Local, WEEK, Zone, seconds, time};
use crate::units::{Span, Time};

/// Draws numbers from 0 to below 1.
pub struct Draw(Pcg64);

impl Draw {
    /// The generator of one part of a schedule.
    pub fn new(name: &str, seed: u32, part: i64) -> Draw {
        let mut hash = Sha256::new();
        hash.update(b"squall schedule 1\0");
        hash.update(name.as_bytes());
        hash.update(seed.to_be_bytes());
        hash.update(part.to_be_bytes());
        Draw(Pcg64::from_seed(hash.finalize().into()))
    }

    /// Uniform, with 53 bits.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Exponential, with this mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }
}

/// The period that random runs are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    Day,
    Week,
}

impl Per {
    /// Seconds on a wall clock.
    pub const fn seconds(self) -> i64 {
        match self {
            Per::Day => DAY,
            Per::Week => WEEK,
        }
    }

    /// The number of the period that a wall clock is in; weeks begin on Monday.
    pub const fn number(self, local: Local) -> i64 {
        match self {
            Per::Day => local.0.div_euclid(DAY),
            Per::Week => (local.0 + 3 * DAY).div_euclid(WEEK),
        }
    }

    /// When a period begins on the wall clock.
    const fn begin(self, number: i64) -> i64 {
        match self {
            Per::Day => number * DAY,
            Per::Week => number * WEEK - 3 * DAY,
        }
    }
}

/// How many of `times` runs, `apart` seconds from each other, fit into a period with these parts in which one can begin.
pub fn fitting(times: u32, apart: i64, starts: &[(i64, i64)]) -> u32 {
    let whole: i64 = starts.iter().map(|(from, to)| to - from).sum();
    if whole == 0 {
        return 0;
    }
    let most = (whole - 1) / apart.max(1) + 1;
    times.min(u32::try_from(most).unwrap_or(u32::MAX))
}

/// The instants of one period: uniform among all choices of so many seconds of `starts` that are `apart` from each other.
pub fn period(
    per: Per,
    number: i64,
    times: u32,
    apart: i64,
    starts: &[(i64, i64)],
    zone: &Zone,
    draw: &mut Draw,
) -> Vec<Time> {
    let begin = per.begin(number);
    // Of a day, its part of the week.
    let offset = (begin + 3 * DAY).rem_euclid(WEEK);
    let cut = |(from, to): &(i64, i64)| ((*from).max(offset), (*to).min(offset + per.seconds()));
    let starts: Vec<(i64, i64)> = starts.iter().map(cut).filter(|(from, to)| from < to).collect();
    let times = i64::from(fitting(times, apart, &starts));
    let whole: i64 = starts.iter().map(|(from, to)| to - from).sum();
    // Points of what is left when the distances are taken out, in order; then the distances are put back in.
    let free = whole - (times - 1).max(0) * apart;
    let mut points: Vec<i64> = (0..times).map(|_| (draw.unit() * free as f64) as i64).collect();
    points.sort_unstable();
    let at = |(index, point): (usize, i64)| {
        let mut left = point + index as i64 * apart;
        for (from, to) in &starts {
            if left < to - from {
                return Some(zone.at(Local(begin + from - offset + left)).first());
            }
            left -= to - from;
        }
        None
    };
    let mut instants: Vec<Time> = points.into_iter().enumerate().filter_map(at).collect();
    instants.sort_unstable();
    instants.dedup();
    instants
}

/// Instants with gaps of a least length and an exact mean: each gap is `least` and an exponential rest. Those outside of
/// `starts` are left out, and the gaps are so much shorter that those that stay have the mean: over many weeks the gaps take
/// no notice of the hours, so the part that stays is the part of the week that is open.
#[derive(Debug)]
pub struct Gaps {
    draw: Pcg64,
    least: f64,
    rest: f64,
    at: f64,
}

impl Gaps {
    /// From an instant on, which is none of them. `None`: the mean cannot be had with this least gap.
    pub fn new(name: &str, seed: u32, starting: Time, mean: Span, least: Span, open: f64) -> Option<Gaps> {
        let rest = mean.secs_f64() * open - least.secs_f64();
        let at = seconds(starting) as f64;
        (rest > 0.0).then(|| Gaps { draw: Draw::new(name, seed, 0).0, least: least.secs_f64(), rest, at })
    }

    /// The next one, to the second.
    pub fn next_time(&mut self) -> Time {
        let mut draw = Draw(self.draw.clone());
        self.at += self.least + draw.exponential(self.rest);
        self.draw = draw.0;
        // Rounded up, so that no gap is shorter than the least one by rounding.
        time(self.at.ceil() as i64)
    }
}

/// The part of the week that is in `starts`.
pub fn open_share(starts: &[(i64, i64)]) -> f64 {
    starts.iter().map(|(from, to)| to - from).sum::<i64>() as f64 / WEEK as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_gives_the_same_numbers_for_ever() {
        let mut draw = Draw::new("nightly", 7, 2_983);
        let drawn: Vec<u64> = (0..3).map(|_| (draw.unit() * 1e6) as u64).collect();
        insta::assert_snapshot!(format!("{drawn:?}"), @"[620606, 85015, 925955]");
    }

    #[test]
    fn runs_of_a_week_are_uniform_and_apart() {
        let starts = [(9 * 3_600, 17 * 3_600), (DAY + 9 * 3_600, DAY + 17 * 3_600)];
        let mut on_monday = 0;
        let mut sum = 0.0;
        for week in 0..2_000 {
            let drawn = period(Per::Week, week, 3, 3_600, &starts, &Zone::utc(), &mut Draw::new("x", 0, week));
            assert_eq!(drawn.len(), 3);
            for pair in drawn.windows(2) {
                assert!(pair[1].since(pair[0]) >= Span::from_mins(60));
            }
            for at in drawn {
                let second = Local(seconds(at)).second_of_week();
                assert!(starts.iter().any(|(from, to)| (*from..*to).contains(&second)), "{at}");
                on_monday += usize::from(second < DAY);
                sum += (second % DAY) as f64;
            }
        }
        // 6,000 draws: half of them on each day, within five standard deviations; their mean is 13:00.
        assert!((2_800..3_200).contains(&on_monday), "{on_monday}");
        let mean = sum / 6_000.0 / 3_600.0;
        assert!((mean - 13.0).abs() < 0.16, "{mean}");
    }

    #[test]
    fn no_more_runs_are_drawn_than_fit() {
        let starts = [(0, 3_600)];
        assert_eq!(fitting(3, 1_800, &starts), 2);
        assert_eq!(fitting(3, 1_199, &starts), 3);
        assert_eq!(fitting(3, 1, &[]), 0);
        let drawn = period(Per::Week, 5, 3, 1_799, &starts, &Zone::utc(), &mut Draw::new("x", 0, 5));
        assert_eq!(drawn.len(), 3);
        assert!(period(Per::Day, 6, 3, 60, &starts, &Zone::utc(), &mut Draw::new("x", 0, 6)).is_empty());
    }

    #[test]
    fn gaps_have_their_mean_and_their_least_length() {
        let (mean, least) = (Span::from_mins(5 * 1_440), Span::from_mins(1_440));
        for starts in [vec![(0, WEEK)], (0..5).map(|day| (day * DAY + 9 * 3_600, day * DAY + 20 * 3_600)).collect()] {
            let open = open_share(&starts);
            let mut gaps = Gaps::new("x", 1, Time::EPOCH, mean, least, open).unwrap();
            let mut kept: Vec<Time> = Vec::new();
            while kept.len() < 20_000 {
                let at = gaps.next_time();
                let second = Local(seconds(at)).second_of_week();
                if starts.iter().any(|(from, to)| (*from..*to).contains(&second)) {
                    kept.push(at);
                }
            }
            assert!(kept.windows(2).all(|pair| pair[1].since(pair[0]) >= least));
            let average = kept.last().unwrap().since(Time::EPOCH).secs_f64() / kept.len() as f64;
            // A gap's deviation is at most about its mean, so that of the average is below 1 % of it.
            assert!((average / mean.secs_f64() - 1.0).abs() < 0.03, "{average} with {open}");
        }
        assert!(Gaps::new("x", 1, Time::EPOCH, mean, least, 0.2).is_none());
    }
}
