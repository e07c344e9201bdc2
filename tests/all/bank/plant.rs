//! An account whose settings are the sandbox's and whose metrics are drawn from a planted truth.

use std::collections::BTreeMap;

use squall::account::sandbox::{World, shop_like};
use squall::account::{
    Account, Call, CallError, CallId, Metric, Outcome, Query, RefusedBy, Reply, Sample, Setting, Value, Window,
};
use squall::judge::simulate::{Counts, Stream};
use squall::units::{Share, Span, Time};

use super::scenarios::{Expected, Scenario, Twist};

/// An answer takes so long.
const LATENCY: Span = Span::from_millis(40);
/// Values are published so long after their window.
const PUBLISHED: Span = Span::from_secs(90);
/// How long a call takes that runs into its time-out.
const SLOW: Span = Span::from_secs(250);
const SLOWEST: Span = Span::from_secs(900);
/// How long after its window a count is revised.
const REVISED: Span = Span::from_mins(10);
/// How far the services' clock is ahead.
const AHEAD: Span = Span::from_secs(45);

pub struct Plant {
    scenario: Scenario,
    seed: u64,
    world: World,
    answers: Vec<(Time, CallId, Outcome)>,
    started: Time,
    /// When the fault went in, and when it went out.
    went_in: Option<Time>,
    went_out: Option<Time>,
    tables: BTreeMap<(u32, u64), Counts>,
}

impl Plant {
    pub fn new(scenario: &Scenario, seed: u64, start: Time) -> Plant {
        let mut app = shop_like();
        let mut front = app.functions["payment-worker"].clone();
        front.environment.clear();
        front.errors = Share::NONE;
        front.timeout = match scenario.twist {
            Twist::SlowFailures => SLOW,
            Twist::HalfSlow => SLOWEST,
            _ => Span::from_secs(5),
        };
        app.functions.insert("front".into(), front);
        // Nothing polls: the application's own life is not what is measured.
        app.mappings.clear();
        Plant {
            scenario: scenario.clone(),
            seed,
            world: World::new(&app, seed, start).unwrap(),
            answers: Vec::new(),
            started: start,
            went_in: None,
            went_out: None,
            tables: BTreeMap::new(),
        }
    }

    /// Notes when the fault goes in and out.
    fn note(&mut self, call: &Call) {
        let Call::Write(write) = call else { return };
        if !matches!(write.setting, Setting::FaultFlag { .. }) {
            return;
        }
        let now = self.world.now();
        match (&write.value, self.went_in) {
            (Value::Unset, Some(_)) => _ = self.went_out.get_or_insert(now),
            (Value::Unset, None) => {}
            _ => _ = self.went_in.get_or_insert(now),
        }
    }

    fn is_in(&self, at: Time) -> bool {
        self.went_in.is_some_and(|went_in| at >= went_in) && self.went_out.is_none_or(|out| at < out)
    }

    /// The true share of failures of the watched function, or of windows outside, at an instant.
    fn share(&self, at: Time) -> f64 {
        let Scenario { base, during, twist, .. } = self.scenario;
        // Six minutes of baseline begin with the first whole minute.
        let baseline_ends = self.started + Span::from_mins(6);
        match twist {
            Twist::BeganBefore if at >= baseline_ends - Span::from_mins(2) => during.max(0.3),
            Twist::HealedBefore if !self.is_in(at) && self.went_in.is_none() => {
                if at >= baseline_ends - Span::from_mins(3) { 0.3 } else { base }
            }
            Twist::Healed if self.went_in.is_some_and(|went_in| at >= went_in + Span::from_mins(3)) => base,
            Twist::Drift if !self.is_in(at) || during <= 0.01 => {
                (base + 0.0002 * at.since(self.started).secs_f64() / 60.0).min(0.009)
            }
            _ if self.is_in(at) => during,
            _ => base,
        }
    }

    /// The share of the target's calls that fail.
    fn target(&self, at: Time) -> f64 {
        let usual = match self.scenario.twist {
            Twist::NoisyTarget => 0.05,
            Twist::Drift => 0.01 + 0.002 * at.since(self.started).secs_f64() / 60.0,
            _ => self.scenario.base,
        };
        if self.is_in(at) { usual.max(self.scenario.effect) } else { usual }
    }

    /// A stream for one value of one window.
    fn stream(&self, what: u64, window: Window) -> Stream {
        let number = self.seed ^ what.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Stream::numbered(number ^ u64::try_from(window.from.micros() / 1_000_000).unwrap_or(0) << 20)
    }

    fn calls(&mut self, what: u64, window: Window, share: f64) -> (u32, u32) {
        let mut stream = self.stream(what, window);
        let of = (f64::from(self.scenario.rate) * (0.8 + 0.1 * (stream.unit() * 5.0).floor())).round() as u32;
        let clustering = self.scenario.clustering;
        let counts =
            self.tables.entry((of, (share * 1e9) as u64)).or_insert_with(|| Counts::new(of, share, clustering));
        (counts.draw(&mut stream), of)
    }

    fn measured(&mut self, query: &Query, window: Window) -> Outcome {
        let none = Sample { value: None, of: None };
        let (twist, now, idle) = (self.scenario.twist, self.world.now(), self.went_in.is_some());
        if twist == Twist::Blind && idle {
            return Err(CallError::Refused { by: RefusedBy::Permission, message: "the token has expired".into() });
        }
        let late = match twist {
            Twist::Late => Span::from_secs(50),
            Twist::TooLate => Span::from_mins(10),
            _ => Span::ZERO,
        };
        let direct = query.metric.delay() == Span::ZERO;
        if !direct && now < window.to + PUBLISHED + late {
            return Ok(Reply::Sample(none));
        }
        let front = query.resource.name == "front";
        let lost = front && twist == Twist::Missing && self.stream(3, window).unit() < 0.2;
        let middle = window.from + Span::from_secs(30) + if twist == Twist::Clock { AHEAD } else { Span::ZERO };
        if lost || twist == Twist::Idle && front && self.went_in.is_some_and(|went_in| middle >= went_in) {
            return Ok(Reply::Sample(none));
        }
        let share = |failed: f64, of: f64| Sample {
            value: (of > 0.0).then(|| failed / of),
            of: (of > 0.0).then_some(of as u64),
        };
        Ok(Reply::Sample(match query.metric {
            Metric::FailedShare if front => {
                let truth = self.share(middle);
                let (failed, of) = self.calls(1, window, truth);
                match twist {
                    Twist::SlowFailures if now < window.to + SLOW => share(0.0, f64::from(of - failed)),
                    Twist::HalfSlow if now < window.to + SLOWEST => {
                        share(f64::from(failed / 2), f64::from(of - failed / 2))
                    }
                    Twist::Revised if now < window.to + REVISED => share(f64::from(failed / 2), f64::from(of)),
                    _ => share(f64::from(failed), f64::from(of)),
                }
            }
            Metric::FailedShare => {
                let truth = self.target(middle);
                let (failed, of) = self.calls(2, window, truth);
                share(f64::from(failed), f64::from(of))
            }
            Metric::Depth => {
                let outside = self.stream(4, window).unit() < self.share(window.to);
                Sample { value: Some(if outside { 500.0 } else { 3.0 }), of: None }
            }
            Metric::AlarmState if twist == Twist::Muted && self.is_in(window.to) => {
                return Err(CallError::Refused { by: RefusedBy::Unsupported, message: "it is muted by a rule".into() });
            }
            Metric::AlarmState
                if twist == Twist::WarmingUp
                    && self.went_in.is_some_and(|went_in| window.to < went_in + Span::from_mins(5)) =>
            {
                none
            }
            Metric::AlarmState => {
                let red = self.scenario.expected == Expected::RedAlarm;
                let rings = red || self.scenario.during > 0.0 && self.is_in(window.to - Span::from_mins(2));
                Sample { value: Some(f64::from(u8::from(rings))), of: None }
            }
            _ => Sample { value: Some(0.0), of: None },
        }))
    }
}

impl Account for Plant {
    fn now(&self) -> Time {
        self.world.now()
    }

    fn submit(&mut self, id: CallId, call: Call) {
        self.note(&call);
        if let Call::Measure { query, window } = &call {
            let outcome = self.measured(query, *window);
            self.answers.push((self.world.now() + LATENCY, id, outcome));
            return;
        }
        self.world.submit(id, call);
    }

    fn next(&mut self, until: Time) -> Option<(CallId, Outcome)> {
        let first = self.answers.iter().map(|(at, _, _)| *at).min();
        if let Some(answered) = self.world.next(first.map_or(until, |first| first.min(until))) {
            return Some(answered);
        }
        let now = self.world.now();
        let due = self.answers.iter().position(|(at, _, _)| *at <= now)?;
        let (_, id, outcome) = self.answers.remove(due);
        Some((id, outcome))
    }
}
