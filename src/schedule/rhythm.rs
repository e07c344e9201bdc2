//! When a schedule comes round, before anything is said about whether it may run then.

use super::cron::Cron;
use super::draw::{self, Draw, Gaps, Per};
use super::zone::{Local, Zone, seconds, time};
use crate::units::{Span, Time};

/// When a schedule is due.
#[derive(Clone, Debug, PartialEq)]
pub enum Rhythm {
    /// When the wall clock fits. An expression that names every hour counts time as it passes; with any other each time of
    /// the wall clock comes once: one that a clock change leaves out at the change, one that comes twice the first time.
    Cron(Cron),
    /// So long after each other, counted from `starting`.
    Every { gap: Span, starting: Time },
    /// So many times a day or week, at random.
    Random { times: u32, per: Per },
    /// At random, with an exact mean of the gaps, counted from `starting`.
    MeanGap { mean: Span, least: Span, starting: Time },
    /// At one instant.
    Once(Time),
}

/// What a rhythm needs beside itself.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    pub name: &'a str,
    pub seed: u32,
    pub zone: &'a Zone,
    /// The parts of the week in which a run can begin.
    pub starts: &'a [(i64, i64)],
    /// How far random runs are apart at the least, in seconds.
    pub apart: i64,
}

/// The instants of a rhythm after one, in order.
#[derive(Debug)]
pub struct Ticks<'a> {
    rhythm: &'a Rhythm,
    around: Around<'a>,
    after: Time,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The next one follows from the last one.
    Plain,
    /// Those that are drawn of the period with this number, the last one first.
    Drawn {
        number: i64,
        instants: Vec<Time>,
    },
    Gaps(Option<Gaps>),
}

impl<'a> Ticks<'a> {
    /// Those that are later than `after`.
    pub fn new(rhythm: &'a Rhythm, around: Around<'a>, after: Time) -> Ticks<'a> {
        let state = match rhythm {
            Rhythm::Cron(_) | Rhythm::Every { .. } | Rhythm::Once(_) => State::Plain,
            // A period's first instant may lie behind a clock change that the period before ends with.
            Rhythm::Random { per, .. } => {
                State::Drawn { number: per.number(around.zone.local(after)) - 1, instants: Vec::new() }
            }
            Rhythm::MeanGap { mean, least, starting } => {
                let open = draw::open_share(around.starts);
                State::Gaps(Gaps::new(around.name, around.seed, *starting, *mean, *least, open))
            }
        };
        Ticks { rhythm, around, after, state }
    }

    fn drawn(&mut self, times: u32, per: Per) -> Option<Time> {
        let State::Drawn { number, instants } = &mut self.state else { return None };
        // Without any time to begin in there is nothing to draw, in no week.
        if self.around.starts.is_empty() {
            return None;
        }
        loop {
            if let Some(at) = instants.pop() {
                if at > self.after {
                    return Some(at);
                }
                continue;
            }
            *number += 1;
            let Around { name, seed, zone, starts, apart } = self.around;
            let mut draw = Draw::new(name, seed, *number);
            *instants = draw::period(per, *number, times, apart, starts, zone, &mut draw);
            instants.reverse();
        }
    }

    fn gap(&mut self) -> Option<Time> {
        let State::Gaps(Some(gaps)) = &mut self.state else { return None };
        loop {
            let at = gaps.next_time();
            // Those that are past need no wall clock.
            if at <= self.after {
                continue;
            }
            let second = self.around.zone.local(at).second_of_week();
            let index = self.around.starts.partition_point(|(_, to)| *to <= second);
            let open = self.around.starts.get(index).is_some_and(|(from, _)| *from <= second);
            if open {
                return Some(at);
            }
        }
    }
}

impl Iterator for Ticks<'_> {
    type Item = Time;

    fn next(&mut self) -> Option<Time> {
        let at = match self.rhythm {
            Rhythm::Cron(cron) => after(cron, self.around.zone, self.after),
            Rhythm::Every { gap, starting } if self.after < *starting => Some(*starting).filter(|_| *gap > Span::ZERO),
            Rhythm::Every { gap, .. } if *gap == Span::ZERO => None,
            Rhythm::Every { gap, starting } => {
                let whole = (self.after.micros() - starting.micros()) / gap.micros() + 1;
                Some(*starting + *gap * whole)
            }
            Rhythm::Random { times, per } => self.drawn(*times, *per),
            Rhythm::MeanGap { .. } => self.gap(),
            Rhythm::Once(at) => Some(*at).filter(|at| *at > self.after),
        }?;
        self.after = at;
        Some(at)
    }
}

/// The first instant of a cron expression after one.
fn after(cron: &Cron, zone: &Zone, after: Time) -> Option<Time> {
    if cron.is_every_hour() {
        return as_time_passes(cron, zone, after);
    }
    // The wall clock may be put back after `after`: then what it showed before was had already.
    let mut local = zone.local(after);
    loop {
        local = cron.next(local)?;
        let at = zone.at(local).first();
        if at > after {
            return Some(at);
        }
    }
}

/// Each time that the wall clock shows a fitting time, be it the second time; none that it leaves out.
fn as_time_passes(cron: &Cron, zone: &Zone, after: Time) -> Option<Time> {
    let mut last = seconds(after);
    loop {
        let (offset, end) = zone.offset(time(last));
        let at = cron.next(Local(last + offset))?.0 - offset;
        if at < end {
            return Some(time(at));
        }
        // The first minute of the next offset may fit.
        let (offset, _) = zone.offset(time(end));
        let first = cron.next(Local(end + offset - 1))?.0 - offset;
        if first == end {
            return Some(time(end));
        }
        last = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(text: &str, zone: &str, after: &str, times: usize) -> Vec<String> {
        let rhythm = Rhythm::Cron(text.parse().unwrap());
        let zone = Zone::named(zone).unwrap();
        let around = Around { name: "x", seed: 0, zone: &zone, starts: &[], apart: 0 };
        let found = Ticks::new(&rhythm, around, after.parse().unwrap()).take(times);
        found.map(|at| at.to_string()[5..16].to_owned()).collect()
    }

    #[test]
    fn one_run_a_day_stays_one_run_a_day() {
        let berlin = "Europe/Berlin";
        // Left out by the clock change: at the change. Nothing is run twice with what falls together with it.
        assert_eq!(
            ticks("30 2 * * *", berlin, "2027-03-27T00:00:00Z", 3),
            ["03-27T01:30", "03-28T01:00", "03-29T00:30"]
        );
        assert_eq!(
            ticks("0,30 2,3 * * *", berlin, "2027-03-28T00:00:00Z", 3),
            ["03-28T01:00", "03-28T01:30", "03-29T00:00"]
        );
        // Comes twice: the first time, also when asked in between.
        assert_eq!(ticks("30 2 * * *", berlin, "2027-10-30T12:00:00Z", 2), ["10-31T00:30", "11-01T01:30"]);
        assert_eq!(ticks("30 2 * * *", berlin, "2027-10-31T00:45:00Z", 1), ["11-01T01:30"]);
        assert_eq!(ticks("30 2 * * *", berlin, "2027-10-31T01:10:00Z", 1), ["11-01T01:30"]);
    }

    #[test]
    fn every_hour_is_an_hour_apart() {
        let berlin = "Europe/Berlin";
        assert_eq!(
            ticks("30 * * * *", berlin, "2027-10-31T00:00:00Z", 3),
            ["10-31T00:30", "10-31T01:30", "10-31T02:30"]
        );
        assert_eq!(ticks("0 * * * *", berlin, "2027-03-28T00:00:00Z", 2), ["03-28T01:00", "03-28T02:00"]);
        // Half an hour forward: 02:00 is left out, and 02:30 is the time of the change.
        let lord_howe = "Australia/Lord_Howe";
        assert_eq!(
            ticks("*/30 * * * *", lord_howe, "2027-10-02T14:59:00Z", 3),
            ["10-02T15:00", "10-02T15:30", "10-02T16:00"]
        );
        assert_eq!(ticks("0 * * * *", lord_howe, "2027-10-02T14:00:00Z", 2), ["10-02T14:30", "10-02T16:00"]);
    }

    #[test]
    fn lengths_of_time_count_from_their_start() {
        let zone = Zone::utc();
        let starting: Time = "2027-03-01T08:00:00Z".parse().unwrap();
        let rhythm = Rhythm::Every { gap: Span::from_mins(90), starting };
        let around = Around { name: "x", seed: 0, zone: &zone, starts: &[], apart: 0 };
        let after = |after: &str| {
            let mut ticks = Ticks::new(&rhythm, around, after.parse().unwrap());
            ticks.next().unwrap().to_string()[8..16].to_owned()
        };
        assert_eq!(after("2027-01-01T00:00:00Z"), "01T08:00");
        assert_eq!(after("2027-03-01T08:00:00Z"), "01T09:30");
        assert_eq!(after("2027-03-01T09:29:59Z"), "01T09:30");
    }
}
