//! People's times in a scenario, counted from the first proof that the fault works and not from the click that asked for it.

use super::day::{Day, Said};
use super::event::{Outcome, StopReason};
use super::role::{ItemName, Role, Statement};
use super::spec::{ConfirmedBy, Counts, Thresholds};
use crate::units::{Span, Time};

/// A time that was measured, or a limit of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// So long, give or take `within`.
    Took { span: Span, within: Span },
    /// It had not come when squall ended the fault: longer than this, and how much longer is not known. It is no number and
    /// belongs into no mean.
    LongerThan(Span),
    /// It did not come.
    Never,
}

/// The times of one scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    /// From the request until the fault worked: squall's own time, counted with no person's.
    pub effect: Option<Span>,
    pub detect_machine: Measured,
    pub detect: Measured,
    pub acknowledge: Measured,
    pub declare: Measured,
    pub diagnose: Measured,
    pub mitigate: Measured,
    /// From the fault gone until every signal was steady.
    pub recover: Measured,
    /// From each hand-over until the next person took command.
    pub hand_over: Vec<Measured>,
    pub hints: usize,
    /// Causes that were named before the right one.
    pub wrong_turns: usize,
    /// Expected alarms that fired, expected ones that did not, and others that did.
    pub alarms: Alarms,
    /// What was expected of people and signals, and how much of it was done.
    pub detections: Counted,
    pub responses: Counted,
}

/// The alarms of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alarms {
    pub fired: Vec<String>,
    pub missing: Vec<String>,
    pub unexpected: Vec<String>,
}

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub done: usize,
    pub of: usize,
}

impl Times {
    /// The named times that people compare, each with its threshold.
    pub fn compared<'a>(&'a self, thresholds: &'a Thresholds) -> [(&'static str, Measured, Option<Span>); 7] {
        [
            ("detect (machine)", self.detect_machine, None),
            ("detect (person)", self.detect, thresholds.detect),
            ("acknowledge", self.acknowledge, thresholds.acknowledge),
            ("declare", self.declare, thresholds.declare),
            ("diagnose", self.diagnose, thresholds.diagnose),
            ("mitigate", self.mitigate, thresholds.mitigate),
            ("recover", self.recover, thresholds.recover),
        ]
    }
}

impl Measured {
    /// Whether it kept a threshold; `None` where that is not known.
    pub fn keeps(self, threshold: Span) -> Option<bool> {
        match self {
            Measured::Took { span, within } if span + within <= threshold => Some(true),
            Measured::Took { span, within } if span > threshold + within => Some(false),
            // The window in which the fault began to work is as long as the difference.
            Measured::Took { .. } => None,
            Measured::LongerThan(span) => (span > threshold).then_some(false),
            Measured::Never => Some(false),
        }
    }
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = match self {
            Measured::Took { span, within: Span::ZERO } => span.rounded().to_string(),
            Measured::Took { span, within } => format!("{} ± {}", span.rounded(), within.rounded()),
            Measured::LongerThan(span) => format!("longer than {}", span.rounded()),
            Measured::Never => "never".into(),
        };
        f.pad(&text)
    }
}

/// The times of a scenario; `None` where no fault was seen to work.
pub fn times(day: &Day, number: usize) -> Option<Times> {
    let (scenario, progress) = (day.scenario(number)?, day.scenarios.get(number)?);
    let (effective, within) = progress.fault.effective?;
    let from = effective.at;
    // A person who said it within the window in which the fault began to work meant this fault.
    let counts = |said: &&Said| {
        said.scenario == Some(number) && said.by.role == Role::Responder && !said.by.agent && said.at + within >= from
    };
    let first = |statements: &[Statement]| {
        day.said.iter().filter(counts).find(|said| statements.contains(&said.statement)).map(|said| said.at)
    };
    let ended = progress.fault.gone.map(|gone| gone.at);
    let took = |at: Option<Time>| match (at, ended) {
        (Some(at), _) => Measured::Took { span: at.since(from), within },
        (None, Some(ended)) => Measured::LongerThan(ended.since(from)),
        (None, None) => Measured::Never,
    };
    let (right, wrong_turns) = diagnosis(day, number);
    let mitigated = first(&[Statement::Recovered]).filter(|at| ended.is_none_or(|ended| *at <= ended));
    let firing = day
        .alarms
        .iter()
        .filter(|change| change.scenario == Some(number) && change.firing && change.at + within >= from);
    let counted = |counts: fn(Counts) -> bool| {
        let all = scenario.spec.expectations.iter().filter(move |it| counts(it.counts));
        let done = |name: &ItemName| progress.settled.get(name).is_some_and(|settled| settled.outcome.is_good());
        Counted { done: all.clone().filter(|it| done(&it.name.0)).count(), of: all.count() }
    };
    Some(Times {
        effect: progress.fault.due.as_ref().map(|(due, _)| from.since(*due)),
        detect_machine: match firing.clone().map(|change| change.at).min() {
            Some(at) => Measured::Took { span: at.since(from), within: within.max(super::ALARM_LOOK) },
            None => Measured::Never,
        },
        detect: took(first(&[Statement::Noticed, Statement::Acknowledged, Statement::Command])),
        acknowledge: took(first(&[Statement::Acknowledged, Statement::Command])),
        declare: took(first(&[Statement::Command])),
        diagnose: took(right),
        mitigate: took(mitigated),
        recover: match progress.fault.ended.as_ref().and_then(|ended| ended.recovered) {
            Some(span) => Measured::Took { span, within: super::ALARM_LOOK },
            None => Measured::Never,
        },
        hand_over: hand_overs(day, number),
        hints: progress.hints.len(),
        wrong_turns,
        alarms: alarms(&scenario.spec.alarms, &firing.map(|change| change.alarm.clone()).collect::<Vec<_>>()),
        detections: counted(|counts| counts == Counts::Detection),
        responses: counted(|counts| counts != Counts::Detection),
    })
}

/// When the right cause was named, and how many others were before it. The facilitator says which one is right, by confirming the
/// expectation that is about the cause; then it is the last one that was said.
fn diagnosis(day: &Day, number: usize) -> (Option<Time>, usize) {
    let causes: Vec<Time> = day
        .said
        .iter()
        .filter(|said| said.scenario == Some(number) && said.statement == Statement::Cause && !said.by.agent)
        .map(|said| said.at)
        .collect();
    let progress = &day.scenarios[number];
    let expected = day.scenario(number).into_iter().flat_map(|scenario| &scenario.spec.expectations);
    let about_the_cause = expected.filter(|it| it.counts == Counts::Diagnosis);
    let confirmed = about_the_cause
        .filter_map(|it| progress.settled.get(&it.name.0).map(|settled| (settled, &it.confirmed_by)))
        .find(|(settled, _)| settled.outcome == Outcome::Succeeded);
    let Some((settled, by)) = confirmed else { return (None, causes.len()) };
    let said = causes.iter().filter(|at| **at <= settled.stamp.at);
    match (said.clone().next_back(), by) {
        (Some(last), _) => (Some(*last), said.count().saturating_sub(1)),
        (None, ConfirmedBy::Role(_) | ConfirmedBy::Alarm(_) | ConfirmedBy::Statement(_)) => (Some(settled.stamp.at), 0),
    }
}

fn hand_overs(day: &Day, number: usize) -> Vec<Measured> {
    let people = || day.said.iter().filter(|said| said.scenario == Some(number) && !said.by.agent);
    let handed = people().filter(|said| said.statement == Statement::HandOver);
    let taken = |from: &Said| {
        let next = people().find(|said| {
            said.statement == Statement::Command && said.at >= from.at && said.by.person != from.by.person
        });
        next.map_or(Measured::Never, |next| Measured::Took { span: next.at.since(from.at), within: Span::ZERO })
    };
    handed.map(taken).collect()
}

fn alarms(expected: &[String], fired: &[String]) -> Alarms {
    let fires = |alarm: &&String| fired.contains(alarm);
    let mut unexpected: Vec<String> = fired.iter().filter(|alarm| !expected.contains(alarm)).cloned().collect();
    unexpected.sort();
    unexpected.dedup();
    Alarms {
        fired: expected.iter().filter(fires).cloned().collect(),
        missing: expected.iter().filter(|alarm| !fires(alarm)).cloned().collect(),
        unexpected,
    }
}

/// From the call to abort until the fault was gone, where one was at work.
pub fn abort_latency(day: &Day) -> Option<Measured> {
    let (at, ..) = day.aborted.as_ref()?;
    let stopped = |fault: &&super::day::Fault| matches!(fault.stopping, Some((_, StopReason::Aborted)));
    let fault = day.scenarios.iter().map(|progress| &progress.fault).find(stopped)?;
    Some(fault.gone.map_or(Measured::Never, |gone| Measured::Took { span: gone.at.since(*at), within: Span::ZERO }))
}
