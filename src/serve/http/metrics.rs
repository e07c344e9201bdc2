//! Metrics as OpenMetrics (<https://prometheus.io/docs/specs/om/open_metrics_spec/>): what the store says when it is asked, and what
//! the process has counted since it began.

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::{Answer, App, Asked, Refusal};
use crate::judge::verdict::VerdictKind;
use crate::store::aftermath::Aftermath;
use crate::store::{JournalKind, RunRow};
use crate::units::Span;

/// The media type.
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a process counts while it serves.
#[derive(Clone, Debug)]
pub struct Counted {
    lateness: Histogram,
    rollback: Histogram,
    decided: Family<Fate, Counter>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Fate {
    fate: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfVerdict {
    verdict: Verdict,
}

/// A verdict as a label; `none` of a run without an end.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
enum Verdict {
    Held,
    Broken,
    Unknown,
    None,
}

impl EncodeLabelValue for Verdict {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        let word = match self {
            Verdict::Held => "held",
            Verdict::Broken => "broken",
            Verdict::Unknown => "unknown",
            Verdict::None => "none",
        };
        EncodeLabelValue::encode(&word, encoder)
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfRun {
    run: String,
}

impl Default for Counted {
    fn default() -> Counted {
        Counted {
            lateness: Histogram::new([0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 900.0]),
            rollback: Histogram::new([0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0]),
            decided: Family::default(),
        }
    }
}

impl Counted {
    /// An occurrence was decided, so long after its time.
    pub fn decided(&self, fate: &crate::store::occurrences::Fate, late: Span) {
        self.decided.get_or_create(&Fate { fate: fate.word().to_owned() }).inc();
        if matches!(fate, crate::store::occurrences::Fate::Run(_)) {
            self.lateness.observe(late.secs_f64());
        }
    }

    /// A run's changes were rolled back and verified, in so long.
    pub fn rolled_back(&self, took: Span) {
        self.rollback.observe(took.secs_f64());
    }
}

/// `GET /metrics`.
pub fn metrics(app: &App, _: &Asked) -> Result<Answer, Refusal> {
    let (rows, halted, mail) = app.with_store(|store| Ok((store.runs()?, store.halted()?.is_some(), store.mail()?)))?;
    let mut registry = Registry::with_prefix("squall");
    let counted = app.backend.counted();
    let lateness = "How long after its time an occurrence that runs was decided, since the process began";
    registry.register_with_unit("start_lateness", lateness, Unit::Seconds, counted.lateness.clone());
    let rollback =
        "How long a run's rollback took with its verification, in the account's time, since the process began";
    registry.register_with_unit("rollback", rollback, Unit::Seconds, counted.rollback.clone());
    registry.register("occurrences", "Occurrences decided since the process began, by fate", counted.decided.clone());
    of_runs(&rows, &mut registry);
    let gauge = |value: i64| {
        let gauge = Gauge::<i64>::default();
        gauge.set(value);
        gauge
    };
    let count = |count: u64| gauge(i64::try_from(count).unwrap_or(i64::MAX));
    registry.register("notifications_waiting", "Notifications that are not delivered yet", count(mail.waiting));
    registry.register("notifications_given_up", "Notifications that could not be delivered", count(mail.given_up));
    registry.register("halted", "Whether everything is halted", gauge(i64::from(halted)));
    let ready = app.backend.not_ready().is_none();
    registry.register("ready", "Whether the process is ready to start runs", gauge(i64::from(ready)));
    let schedules = i64::try_from(app.backend.schedules().len()).unwrap_or(i64::MAX);
    registry.register("schedules", "Schedules that are served", gauge(schedules));
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|error| Refusal::new(500, error.to_string()))?;
    Ok(Answer::Text { kind: OPENMETRICS, text, headers: Vec::new() })
}

/// What the store says of runs.
fn of_runs(rows: &[RunRow], registry: &mut Registry) {
    let by_verdict = Family::<OfVerdict, Gauge>::default();
    // Every verdict is there from the start: an alert on one that was never seen would not fire otherwise.
    for verdict in [Verdict::Held, Verdict::Broken, Verdict::Unknown, Verdict::None] {
        drop(by_verdict.get_or_create(&OfVerdict { verdict }));
    }
    let terms = Family::<OfRun, Gauge>::default();
    let alive = Gauge::<i64>::default();
    for row in rows.iter().filter(|row| row.kind == JournalKind::Run && row.started.is_some()) {
        let verdict = match row.verdict.as_ref().map(|verdict| verdict.kind) {
            Some(VerdictKind::Held) => Verdict::Held,
            Some(VerdictKind::Broken) => Verdict::Broken,
            Some(VerdictKind::Unknown) => Verdict::Unknown,
            None => Verdict::None,
        };
        by_verdict.get_or_create(&OfVerdict { verdict }).inc();
        if row.alive {
            alive.inc();
            let term = i64::try_from(row.epoch.0).unwrap_or(i64::MAX);
            terms.get_or_create(&OfRun { run: row.run.0.clone() }).set(term);
        }
    }
    let left = Gauge::<i64>::default();
    left.set(Aftermath::of_all(rows).iter().map(|after| i64::try_from(after.left.len()).unwrap_or(i64::MAX)).sum());
    registry.register("runs", "Runs in the store, by verdict; none: without an end", by_verdict);
    registry.register("runs_alive", "Runs that a process is at work on", alive);
    registry.register("run_term", "How often a run that is at work changed hands, from 1", terms);
    registry.register(
        "left_over",
        "Things that runs left in accounts, neither rolled back nor acknowledged since",
        left,
    );
}
