//! The scenarios: a few axes, and what is true in each point of them.

/// What is odd about a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twist {
    Nothing,
    /// Failures rise slowly all the time, without reaching the bound; those of the fault's target too.
    Drift,
    /// What is broken begins two minutes before the fault and stays.
    BeganBefore,
    /// Every value is published 50 s later than usual.
    Late,
    /// Every value is published ten minutes late.
    TooLate,
    /// A fifth of the windows has no value.
    Missing,
    /// Calls that fail take 250 s: until then a window shows those that did not.
    SlowFailures,
    /// What breaks heals after three minutes, with the fault still in.
    Healed,
    /// The credentials end when the fault goes in: nothing can be measured any more.
    Blind,
    /// There is no traffic from the fault on.
    Idle,
    /// One call in twenty of the fault's target fails as always.
    NoisyTarget,
    /// What breaks begins three minutes before the fault, and heals with its beginning.
    HealedBefore,
    /// Half of the calls fail fast and the other half run into a time-out of 900 s.
    HalfSlow,
    /// Half of the failures are counted only ten minutes after their window, when that was final.
    Revised,
    /// The services' clock is 45 s ahead of the account's.
    Clock,
    /// The alarm is muted while the fault is in.
    Muted,
    /// The alarm says nothing until five minutes after the fault went in: it has too little data.
    WarmingUp,
}

/// What is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// `failed share of front is at most 1 %`.
    Share,
    /// `depth of orders is below 100`.
    Level,
    /// `alarm orders-dlq-alarm fires within 4m`.
    Alarm,
    /// The same of an alarm that is in ALARM all the time.
    RedAlarm,
}

/// One planted truth.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: String,
    pub expected: Expected,
    /// Calls a minute, of the watched function and of the fault's target.
    pub rate: u32,
    /// The share of failures without the fault: of calls, or of windows outside.
    pub base: f64,
    /// The same while the fault is in. Of an alarm: whether it rings.
    pub during: f64,
    /// The share of the target's calls that the fault makes fail.
    pub effect: f64,
    pub clustering: f64,
    pub twist: Twist,
}

impl Scenario {
    fn of(expected: Expected, twist: Twist) -> Scenario {
        Scenario {
            name: String::new(),
            expected,
            rate: 60,
            base: 0.003,
            during: 0.003,
            effect: 0.5,
            clustering: 0.0,
            twist,
        }
    }

    fn named(self) -> Scenario {
        let Scenario { expected, rate, base, during, effect, clustering, twist, .. } = &self;
        let name = format!(
            "{expected:?} {twist:?}, {rate} a minute, {base} then {during}, effect {effect}, clustering {clustering}"
        );
        Scenario { name, ..self }
    }

    /// The experiment's file.
    pub fn experiment(&self) -> String {
        let hypothesis = match self.expected {
            Expected::Share => "failed share of front is at most 1 %",
            Expected::Level => "depth of orders is below 100",
            Expected::Alarm | Expected::RedAlarm => "alarm orders-dlq-alarm fires within 4m",
        };
        format!(
            "version: 1
title: A truth is planted
because: The judge is tested.
targets: {{ worker: {{ function: payment-worker }} }}
hypotheses:
  - {hypothesis}
baseline: 6m
faults:
  - inject: {{ lambda.error: {{ target: worker, share: 50 % }} }}
    for: 10m
recovers_within: 3m
guards: {{ longest: 3h }}
"
        )
    }

    /// The mean share of failures while the fault is in.
    pub fn true_share(&self) -> f64 {
        match self.twist {
            Twist::Healed => 0.3 * self.during + 0.7 * self.base,
            _ => self.during,
        }
    }

    /// What must be caught, where the file says nothing.
    pub fn must_catch(&self) -> f64 {
        match self.expected {
            Expected::Share => 0.1,
            Expected::Level => 1.0,
            // An alarm that does not ring.
            Expected::Alarm | Expected::RedAlarm => 2.0,
        }
    }

    /// Whether nothing that is measured could tell.
    pub fn is_unknowable(&self) -> bool {
        let unseen = matches!(
            self.twist,
            Twist::TooLate | Twist::Blind | Twist::Idle | Twist::BeganBefore | Twist::Muted | Twist::WarmingUp
        );
        unseen || self.expected == Expected::RedAlarm || self.expected == Expected::Alarm && self.during == 0.0
    }

    /// Whether the bound was kept from the fault on.
    pub fn keeps_its_bound(&self) -> bool {
        let bound = match self.expected {
            Expected::Share => 0.01,
            Expected::Level => 0.05,
            Expected::Alarm | Expected::RedAlarm => return self.during == 1.0,
        };
        self.base <= bound && self.during <= bound || self.twist == Twist::BeganBefore
    }

    /// What an unknown verdict is owed to, most of all.
    pub fn why_unknown(&self) -> &'static str {
        if self.is_unknowable() {
            "it could not be known"
        } else if self.effect == 0.0 {
            "no fault had an effect"
        } else if self.rate < 30 {
            "six calls a minute"
        } else if self.true_share() > 0.01 && self.true_share() < self.must_catch() {
            "between the bound and what must be caught"
        } else {
            "chance"
        }
    }

    /// The row of the table that it belongs to.
    pub fn class(&self) -> String {
        match (self.expected, self.twist) {
            (Expected::Share, Twist::Nothing) => {
                let effect = if self.effect > 0.0 { "" } else { ", no effect" };
                format!("{:>4} % with the fault, {:>3} a minute{effect}", tidy(self.during), self.rate)
            }
            (expected, Twist::Nothing) => {
                format!("{expected:?}, {} with the fault, effect {}", self.during, self.effect)
            }
            (_, twist) => format!("{twist:?}, {} % with the fault", tidy(self.during)),
        }
    }
}

fn tidy(share: f64) -> f64 {
    (share * 1e4).round() / 1e2
}

/// Every call fails: half of them at once, and half after 900 s.
pub fn half_slow(rate: u32) -> Scenario {
    Scenario { rate, during: 1.0, ..Scenario::of(Expected::Share, Twist::HalfSlow) }.named()
}

/// All of them.
pub fn bank() -> Vec<Scenario> {
    let mut bank = Vec::new();
    for rate in [6, 30, 60, 300] {
        for base in [0.0, 0.003] {
            for during in [base, 0.02, 0.05, 0.1, 0.5] {
                for effect in [0.0, 0.5] {
                    for clustering in [0.0, 0.02] {
                        let plain = Scenario::of(Expected::Share, Twist::Nothing);
                        bank.push(Scenario { rate, base, during, effect, clustering, ..plain });
                    }
                }
            }
        }
    }
    use Twist as T;
    for twist in [
        T::Drift,
        T::BeganBefore,
        T::Late,
        T::TooLate,
        T::Missing,
        T::SlowFailures,
        T::Healed,
        T::Blind,
        T::Idle,
        T::NoisyTarget,
        T::HealedBefore,
        T::Revised,
        T::Clock,
    ] {
        for rate in [30, 300] {
            for during in [0.003, 0.1, 0.5] {
                bank.push(Scenario { rate, during, ..Scenario::of(Expected::Share, twist) });
            }
        }
    }
    // What is taken for an effect though there is none.
    for twist in [T::Drift, T::NoisyTarget, T::Missing] {
        for rate in [6, 30, 300] {
            bank.push(Scenario { rate, effect: 0.0, ..Scenario::of(Expected::Share, twist) });
        }
    }
    for effect in [0.0, 0.5] {
        for during in [0.0, 0.3, 1.0] {
            bank.push(Scenario { base: 0.0, during, effect, ..Scenario::of(Expected::Level, T::Nothing) });
        }
        for during in [0.0, 1.0] {
            bank.push(Scenario { base: 0.0, during, effect, ..Scenario::of(Expected::Alarm, T::Nothing) });
        }
        bank.push(Scenario { base: 1.0, during: 1.0, effect, ..Scenario::of(Expected::RedAlarm, T::Nothing) });
    }
    for twist in [T::Muted, T::WarmingUp] {
        for during in [0.0, 1.0] {
            bank.push(Scenario { base: 0.0, during, ..Scenario::of(Expected::Alarm, twist) });
        }
    }
    for rate in [30, 300] {
        bank.push(half_slow(rate));
    }
    bank.into_iter().map(Scenario::named).collect()
}
