//! A prediction: what many outcomes say together.

use std::collections::BTreeMap;

use super::influence::{Influence, deciding};
use super::outcome::{Outcome, Reached, first_limits};
use super::share::{Counted, Spread};
use super::{Asked, Subject};
use crate::account::modelled::Usage;
use crate::judge::bound::Bound;
use crate::judge::verdict::VerdictKind;
use crate::plan::{Plan, SignalPlan};
use crate::units::{Share, Span, Time};

/// What many runs came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    pub title: String,
    pub file: String,
    pub start: Time,
    pub seed: u64,
    /// How many seeds were asked for; [`Verdicts::of`] says how many ended.
    pub asked: usize,
    /// When the faults come out, counted from when they go in.
    pub faults_last: Span,
    /// As the files say.
    pub as_written: Verdicts,
    /// With figures drawn within their uncertainty; nothing where none was asked for.
    pub uncertain: Option<Uncertain>,
    pub signals: Vec<SignalPrediction>,
    pub times: Times,
    pub damage: Damage,
    /// What first ran out, and in how many runs it was the first.
    pub limits: Vec<(Reached, Counted)>,
    /// A run of each verdict to look at.
    pub examples: Vec<Example>,
    pub usage: MeanUsage,
    /// What the model leaves out of this application.
    pub left_out: Vec<String>,
}

/// How many runs ended how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdicts {
    pub held: Counted,
    pub broken: Counted,
    pub unknown: Counted,
}

/// The same with figures that are not known exactly.
#[derive(Clone, Debug, PartialEq)]
pub struct Uncertain {
    pub uncertainty: Share,
    pub verdicts: Verdicts,
    /// The figures on which the verdict depends.
    pub decide: Vec<Influence>,
    /// How many figures there are, and how many of them are defaults.
    pub figures: usize,
    pub guessed: usize,
}

/// What is predicted of one signal.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalPrediction {
    pub planned: SignalPlan,
    pub verdicts: Verdicts,
    /// When it broke, in seconds from when the faults go in, in the runs in which it did.
    pub breaks_at: Option<Spread>,
    pub bands: Vec<Band>,
}

/// Where a signal lies at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// The end of a window, in seconds from when the faults go in.
    pub at: i32,
    /// Nothing where no run has a value.
    pub values: Option<Spread>,
    /// How many runs have a value.
    pub of: usize,
}

/// A time in those runs that have it, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    pub seen: Counted,
    pub secs: Option<Spread>,
}

/// How long things take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    /// From the faults' time until the first was seen to work.
    pub effect: Timing,
    /// From there until an alarm that has to fire did.
    pub detected: Timing,
    /// From the last fault gone until the largest backlog was back to what it was.
    pub drained: Timing,
    /// From the last fault gone until every signal was steady.
    pub recovered: Timing,
}

/// What the experiment costs the application's users.
#[derive(Clone, Debug, PartialEq)]
pub struct Damage {
    /// The queue that had the largest backlog in most runs, and how large.
    pub backlog: Option<(String, Spread)>,
    pub dead_lettered: Spread,
    pub lost: Spread,
    /// Requests of all APIs, and those that failed.
    pub requests: Spread,
    pub failed: Spread,
}

/// A run that ended so.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    pub kind: VerdictKind,
    pub seed: u64,
    pub reasons: Vec<String>,
}

/// Means of what was used: a minute before the faults, a minute with them, and a whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeanUsage {
    pub before: Usage,
    pub during: Usage,
    pub whole: Usage,
}

impl Verdicts {
    /// Counts verdicts.
    pub fn of<T>(all: &[T], kind: impl Fn(&T) -> VerdictKind) -> Verdicts {
        let count = |wanted: VerdictKind| Counted::among(all, |one| kind(one) == wanted);
        Verdicts {
            held: count(VerdictKind::Held),
            broken: count(VerdictKind::Broken),
            unknown: count(VerdictKind::Unknown),
        }
    }

    /// In how many runs something can be said.
    pub fn judged(&self) -> Counted {
        Counted { hits: self.held.hits + self.broken.hits, of: self.held.of }
    }

    /// How many runs there were.
    pub fn runs(&self) -> usize {
        self.held.of
    }
}

impl Prediction {
    /// What outcomes come to. Those of runs with changed figures count for [`Uncertain`] alone.
    pub fn of(
        plan: &Plan,
        asked: &Asked,
        subject: &Subject<'_>,
        as_written: &[Outcome],
        changed: &[Outcome],
    ) -> Prediction {
        let figures = super::figures::all(subject.app);
        let uncertain = (!changed.is_empty()).then(|| Uncertain {
            uncertainty: asked.uncertainty,
            verdicts: Verdicts::of(changed, |run| run.verdict.kind),
            decide: deciding(subject.app, asked.uncertainty, changed),
            figures: figures.len(),
            guessed: figures.iter().filter(|figure| figure.guessed).count(),
        });
        let runs = as_written.len();
        Prediction {
            title: plan.title.clone(),
            file: plan.file.clone(),
            start: subject.start,
            seed: asked.seed,
            asked: asked.runs,
            faults_last: plan.timeline(),
            as_written: Verdicts::of(as_written, |run| run.verdict.kind),
            uncertain,
            signals: plan
                .signals
                .iter()
                .enumerate()
                .map(|(number, planned)| signal(planned, number, as_written))
                .collect(),
            times: times(as_written),
            damage: damage(as_written),
            limits: first_limits(as_written)
                .into_iter()
                .map(|(reached, first)| (reached, Counted { hits: first, of: runs }))
                .collect(),
            examples: examples(as_written),
            usage: usage(as_written),
            left_out: left_out(subject),
        }
    }

    /// Whether fewer runs ended than were asked for.
    pub fn is_partial(&self) -> bool {
        self.as_written.runs() < self.asked
    }

    /// The probability to count on: with the uncertainty of the figures, where that was asked for.
    pub fn best(&self) -> &Verdicts {
        self.uncertain.as_ref().map_or(&self.as_written, |uncertain| &uncertain.verdicts)
    }

    /// The signals that have a bound.
    pub fn judged(&self) -> impl Iterator<Item = &SignalPrediction> {
        self.signals.iter().filter(|signal| signal.planned.bound != Bound::Watched)
    }
}

fn signal(planned: &SignalPlan, number: usize, outcomes: &[Outcome]) -> SignalPrediction {
    let of_each: Vec<_> = outcomes.iter().filter_map(|run| run.signals.get(number)).collect();
    let mut at_each: BTreeMap<i32, Vec<Option<f64>>> = BTreeMap::new();
    for (at, value) in of_each.iter().flat_map(|signal| &signal.windows) {
        at_each.entry(*at).or_default().push(*value);
    }
    let bands = at_each.into_iter().map(|(at, values)| {
        let values: Vec<f64> = values.into_iter().flatten().collect();
        Band { at, of: values.len(), values: Spread::of(values) }
    });
    SignalPrediction {
        planned: planned.clone(),
        verdicts: Verdicts::of(&of_each, |signal| signal.kind),
        breaks_at: Spread::of(of_each.iter().filter_map(|signal| signal.broken_at)),
        // A baseline that went on is seen in few runs; what fewer than one in twenty have is left out.
        bands: bands.filter(|band| band.of * 20 >= outcomes.len() || band.of == 0).collect(),
    }
}

fn times(outcomes: &[Outcome]) -> Times {
    let timing = |of: &dyn Fn(&Outcome) -> Option<Span>| Timing {
        seen: Counted::among(outcomes, |run| of(run).is_some()),
        secs: Spread::of(outcomes.iter().filter_map(|run| of(run).map(Span::secs_f64))),
    };
    Times {
        effect: timing(&|run| run.effect),
        detected: timing(&|run| run.detected),
        drained: timing(&|run| run.backlog.as_ref()?.drained),
        recovered: timing(&|run| run.recovered),
    }
}

fn damage(outcomes: &[Outcome]) -> Damage {
    const NOTHING: Spread = Spread { low: 0.0, mid: 0.0, high: 0.0 };
    let spread = |of: &dyn Fn(&Outcome) -> f64| Spread::of(outcomes.iter().map(of)).unwrap_or(NOTHING);
    let mut peaks: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for backlog in outcomes.iter().filter_map(|run| run.backlog.as_ref()) {
        peaks.entry(&backlog.queue).or_default().push(f64::from(backlog.peak));
    }
    let most = peaks.into_iter().max_by_key(|(_, peaks)| peaks.len());
    Damage {
        backlog: most.and_then(|(queue, peaks)| Some((queue.to_owned(), Spread::of(peaks)?))),
        dead_lettered: spread(&|run| run.dead_lettered as f64),
        lost: spread(&|run| run.lost as f64),
        requests: spread(&|run| run.usage.whole.api_requests),
        failed: spread(&|run| run.usage.whole.api_failed),
    }
}

fn examples(outcomes: &[Outcome]) -> Vec<Example> {
    let example = |kind: VerdictKind| {
        let run = outcomes.iter().find(|run| run.verdict.kind == kind)?;
        Some(Example { kind, seed: run.seed, reasons: run.verdict.reasons.iter().cloned().collect() })
    };
    [VerdictKind::Broken, VerdictKind::Unknown, VerdictKind::Held].into_iter().filter_map(example).collect()
}

fn usage(outcomes: &[Outcome]) -> MeanUsage {
    let mean = |of: &dyn Fn(&Outcome) -> Usage| {
        let sum = outcomes.iter().map(of).fold(Usage::default(), std::ops::Add::add);
        sum * (1.0 / outcomes.len().max(1) as f64)
    };
    MeanUsage {
        before: mean(&|run| run.usage.before),
        during: mean(&|run| run.usage.during),
        whole: mean(&|run| run.usage.whole),
    }
}

/// What of the application the model does not know, beside what `docs/sandbox.md` says of every application.
fn left_out(subject: &Subject<'_>) -> Vec<String> {
    let app = subject.app;
    let roles = app
        .roles
        .iter()
        .filter_map(|(name, role)| Some(format!("what {name} may do is not known: {}", role.unknown.as_ref()?)));
    let tables = app
        .tables
        .iter()
        .filter(|(_, table)| table.writes_per_second.is_none())
        .map(|(name, _)| format!("{name} is on demand: it never throttles here"));
    subject.left_out.iter().cloned().chain(roles).chain(tables).collect()
}
