//! The prediction as it is written: for programs, with a version and a schema.

use schemars::JsonSchema;
use serde::Serialize;

use super::influence::Influence;
use super::prediction::{self, Timing};
use super::share;
use crate::account::modelled;
use crate::format::journal::VerdictKind;
use crate::format::{Convert, VERSION};
use crate::units::{Share, Time};

/// What `squall predict --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Version of this form.
    pub format: u32,
    pub prediction: Prediction,
}

/// What many runs in virtual time came to.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prediction {
    pub title: String,
    pub file: String,
    /// When the model's clock started.
    pub start: Time,
    /// The seed of the first run; the others count up from it.
    pub seed: u64,
    /// How many seeds were asked for, and how many ended in time.
    pub asked: usize,
    pub runs: usize,
    pub as_written: Verdicts,
    /// With figures drawn within their uncertainty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uncertain: Option<Uncertain>,
    pub signals: Vec<Signal>,
    pub times: Times,
    pub damage: Damage,
    /// What first ran out of something, in how many runs.
    pub limits: Vec<Limit>,
    pub examples: Vec<Example>,
    pub usage: Usage,
    /// The whole prediction in sentences.
    pub why: Vec<String>,
    pub left_out: Vec<String>,
}

/// How many runs ended how.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verdicts {
    pub held: Counted,
    pub broken: Counted,
    pub unknown: Counted,
}

/// So many of so many, and the 95 % interval of their share.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Counted {
    pub runs: usize,
    pub of: usize,
    pub share: f64,
    pub from: f64,
    pub to: f64,
}

/// The same with figures that are not known exactly.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Uncertain {
    pub uncertainty: Share,
    pub verdicts: Verdicts,
    /// The figures on which the verdict depends, the one that matters most first.
    pub decide: Vec<Figure>,
}

/// A figure of the application.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    pub name: String,
    /// Whether it is a default.
    pub guessed: bool,
    /// How often the experiment held in the third of the runs with its lowest values, and with its highest.
    pub lowest: Counted,
    pub highest: Counted,
}

/// What is predicted of one signal.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    pub hypothesis: String,
    pub title: String,
    pub query: String,
    pub judged: bool,
    pub verdicts: Verdicts,
    /// When it broke, in seconds from when the faults go in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaks_at_seconds: Option<Spread>,
    pub bands: Vec<Band>,
}

/// Where a number lies in 5, 50 and 95 of 100 runs.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    pub p5: f64,
    pub p50: f64,
    pub p95: f64,
}

/// A signal at one time.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// The end of a window, in seconds from when the faults go in.
    pub at_seconds: i32,
    /// `null` where no run has a value.
    pub values: Option<Spread>,
    /// How many runs have one.
    pub runs: usize,
}

/// How long things take, in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Times {
    pub effect: Timed,
    pub detected: Timed,
    pub drained: Timed,
    pub recovered: Timed,
}

/// A time in the runs that have it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timed {
    pub seen: Counted,
    pub seconds: Option<Spread>,
}

/// What the experiment costs the application's users.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Damage {
    /// The queue with the largest backlog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog: Option<Spread>,
    pub dead_lettered: Spread,
    pub lost: Spread,
    pub requests: Spread,
    pub failed: Spread,
}

/// A limit that a resource reached.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    pub resource: String,
    /// What it ran out of.
    pub of: String,
    /// In how many runs it was the first.
    pub first: Counted,
    /// In such a run, in seconds from when the faults go in.
    pub at_seconds: f64,
}

/// A run to look at: `squall run FILE --seed SEED`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Example {
    pub verdict: VerdictKind,
    pub seed: u64,
    pub reasons: Vec<String>,
}

/// Means of what the application used: in a minute before the faults, in a minute with them, in the whole run.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    pub minute_before: Used,
    pub minute_during: Used,
    pub run: Used,
}

/// In the units that AWS bills.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Used {
    pub invocations: f64,
    pub gb_seconds: f64,
    pub api_requests: f64,
    pub queue_requests: f64,
    pub table_writes: f64,
    pub published: f64,
}

impl Document {
    /// A prediction, as it is printed.
    pub fn of(inside: &prediction::Prediction) -> Document {
        Document { format: VERSION, prediction: Prediction::of(inside) }
    }
}

impl Prediction {
    /// A prediction, as it is written.
    pub fn of(inside: &prediction::Prediction) -> Prediction {
        let prediction::Prediction { title, file, start, seed, asked, times, damage, usage, left_out, .. } = inside;
        Prediction {
            title: title.clone(),
            file: file.clone(),
            start: *start,
            seed: *seed,
            asked: *asked,
            runs: inside.as_written.runs(),
            as_written: (&inside.as_written).into(),
            uncertain: inside.uncertain.as_ref().map(|uncertain| Uncertain {
                uncertainty: uncertain.uncertainty,
                verdicts: (&uncertain.verdicts).into(),
                decide: uncertain.decide.iter().map(Figure::from).collect(),
            }),
            signals: inside.signals.iter().map(Signal::from).collect(),
            times: Times {
                effect: times.effect.into(),
                detected: times.detected.into(),
                drained: times.drained.into(),
                recovered: times.recovered.into(),
            },
            damage: Damage {
                queue: damage.backlog.as_ref().map(|(queue, _)| queue.clone()),
                backlog: damage.backlog.as_ref().map(|(_, peak)| (*peak).into()),
                dead_lettered: damage.dead_lettered.into(),
                lost: damage.lost.into(),
                requests: damage.requests.into(),
                failed: damage.failed.into(),
            },
            limits: inside
                .limits
                .iter()
                .map(|(reached, first)| Limit {
                    resource: format!("{} {}", reached.kind.word(), reached.name),
                    of: reached.limit.to_string(),
                    first: (*first).into(),
                    at_seconds: reached.first,
                })
                .collect(),
            examples: inside
                .examples
                .iter()
                .map(|example| Example {
                    verdict: example.kind.convert(),
                    seed: example.seed,
                    reasons: example.reasons.clone(),
                })
                .collect(),
            usage: Usage {
                minute_before: usage.before.into(),
                minute_during: usage.during.into(),
                run: usage.whole.into(),
            },
            why: super::show::why(inside).into_iter().chain(super::show::quality(inside)).collect(),
            left_out: left_out.clone(),
        }
    }
}

impl From<&prediction::Verdicts> for Verdicts {
    fn from(inside: &prediction::Verdicts) -> Verdicts {
        Verdicts { held: inside.held.into(), broken: inside.broken.into(), unknown: inside.unknown.into() }
    }
}

impl From<share::Counted> for Counted {
    fn from(inside: share::Counted) -> Counted {
        let (from, to) = inside.interval();
        Counted { runs: inside.hits, of: inside.of, share: inside.share(), from, to }
    }
}

impl From<share::Spread> for Spread {
    fn from(inside: share::Spread) -> Spread {
        Spread { p5: inside.low, p50: inside.mid, p95: inside.high }
    }
}

impl From<Timing> for Timed {
    fn from(inside: Timing) -> Timed {
        Timed { seen: inside.seen.into(), seconds: inside.secs.map(Spread::from) }
    }
}

impl From<&Influence> for Figure {
    fn from(inside: &Influence) -> Figure {
        Figure {
            name: inside.figure.name.clone(),
            guessed: inside.figure.guessed,
            lowest: inside.lowest.into(),
            highest: inside.highest.into(),
        }
    }
}

impl From<&prediction::SignalPrediction> for Signal {
    fn from(inside: &prediction::SignalPrediction) -> Signal {
        Signal {
            hypothesis: inside.planned.hypothesis.clone(),
            title: inside.planned.title.clone(),
            query: inside.planned.query.to_string(),
            judged: inside.planned.is_judged(),
            verdicts: (&inside.verdicts).into(),
            breaks_at_seconds: inside.breaks_at.map(Spread::from),
            bands: inside
                .bands
                .iter()
                .map(|band| Band { at_seconds: band.at, values: band.values.map(Spread::from), runs: band.of })
                .collect(),
        }
    }
}

impl From<modelled::Usage> for Used {
    fn from(inside: modelled::Usage) -> Used {
        let modelled::Usage { invocations, gb_seconds, api_requests, queue_requests, table_writes, published, .. } =
            inside;
        Used { invocations, gb_seconds, api_requests, queue_requests, table_writes, published }
    }
}
