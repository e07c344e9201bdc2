//! What the traffic of a run can show, said before it: the smallest rise of each signal that its faults would have caught, by the
//! simulation that a verdict of held rests on.

use super::Known;
use crate::account::target::SelectBy;
use crate::account::{Metric, ResourceKind};
use crate::judge::baseline::ROOM;
use crate::judge::bound::Bound;
use crate::judge::power::{Power, Stakes, Volume};
use crate::judge::recovery::STEADY;
use crate::judge::weighing::Alpha;
use crate::numbers::{percent, tidy};
use crate::plan::DuringFault;
use crate::spec::experiment::Judged;
use crate::spec::load::ExperimentFiles;
use crate::units::Span;
use crate::yaml::TargetName;
use crate::yaml::finding::{Code, Findings};

/// Failures of one window have causes in common at least so much (`docs/judge.md`, "What a verdict says with it").
const CLUSTERING: f64 = 0.02;
/// Longer faults are not tried.
const MOST_WINDOWS: usize = 300;

/// What a signal's traffic can show.
#[derive(Clone, Debug, PartialEq)]
struct Shows {
    title: String,
    /// Requests a minute.
    calls: f64,
    must_catch: f64,
    lasts: Span,
    caught: Option<f64>,
    /// How long the faults must last to show what must be caught; `None` when it is not known, or shown already.
    enough: Option<Span>,
}

impl Shows {
    fn is_enough(&self) -> bool {
        Power { caught: self.caught }.is_enough(self.must_catch)
    }

    /// `at 60 requests a minute a fault of 10m shows a rise to 10 % ...; yours lasts 5m and shows 25 %`.
    fn sentence(&self) -> String {
        let Shows { title, lasts, .. } = self;
        let calls = if self.calls >= 10.0 { self.calls.round() } else { tidy(self.calls) };
        let caught = self.caught.map_or("no rise at all".to_owned(), |caught| format!("a rise to {}", percent(caught)));
        let wanted = percent(self.must_catch);
        match (self.is_enough(), self.enough) {
            (true, _) => {
                format!(
                    "at {calls} requests a minute, faults of {lasts} show {caught} of `{title}`; {wanted} must be \
                     caught"
                )
            }
            (false, Some(enough)) => format!(
                "at {calls} requests a minute, faults of {enough} show a rise to {wanted} of `{title}`, which must be \
                 caught; yours last {lasts} and show {caught}"
            ),
            (false, None) => format!(
                "at {calls} requests a minute, faults of {lasts} show {caught} of `{title}`; a rise to {wanted} must \
                 be caught"
            ),
        }
    }
}

/// A sentence for each share of requests that must hold, where the traffic is known.
pub fn what_it_shows(files: &ExperimentFiles, known: &Known) -> Vec<String> {
    all(files, known).iter().map(Shows::sentence).collect()
}

pub(super) fn check(files: &ExperimentFiles, known: &Known, findings: &mut Findings) {
    let experiment = &files.experiment;
    sparse(files, known, findings);
    let faults = experiment.value.faults.iter().enumerate();
    let Some((last, _)) = faults.max_by_key(|(_, inject)| inject.at + inject.lasts) else { return };
    let at = experiment.place(&format!("faults/{last}/for"));
    // The times may be wrong already, whatever the traffic.
    if findings.iter().any(|finding| finding.code == Code::NeverHeld && finding.at == at) {
        return;
    }
    for shows in all(files, known).into_iter().filter(|shows| !shows.is_enough()) {
        let help = match shows.enough {
            Some(enough) => format!("make the faults last {enough} or more, or set `must_catch:` for the signal"),
            None => "use more traffic, or set a larger `must_catch:` for the signal".to_owned(),
        };
        let what = format!("{}: it can never be judged held", shows.sentence());
        findings.push(experiment.finding(Code::NeverHeld, at, what).help(help));
    }
}

/// Signals of calls that are so few that most windows have none: a window without data says nothing, in the recovery either.
fn sparse(files: &ExperimentFiles, known: &Known, findings: &mut Findings) {
    if !files.experiment.value.load.is_empty() {
        return;
    }
    for judged in files.judged() {
        let of_calls = matches!(
            judged.signal.metric,
            Metric::Errors | Metric::FailedShare | Metric::SlowShare { .. } | Metric::Duration
        );
        let Some(calls) = calls(files, known, &judged).filter(|_| of_calls) else { continue };
        let minutes = judged.every.secs_f64() / 60.0;
        if calls * minutes >= 1.0 - 1e-9 {
            continue;
        }
        let what = format!(
            "about {} of 10 windows of {} of `{}` have no call and therefore no data, in the baseline and in the \
             recovery",
            (10.0 * (-calls * minutes).exp()).round(),
            judged.every,
            judged.signal
        );
        let help = format!("write `every: {}` or more for it", Span::from_mins((1.0 / calls).ceil() as i64));
        let at = files.experiment.place("hypotheses");
        findings.push(files.experiment.finding(Code::NeverHeld, at, what).help(help));
    }
}

fn all(files: &ExperimentFiles, known: &Known) -> Vec<Shows> {
    let value = &files.experiment.value;
    let first = value.faults.iter().map(|inject| inject.at).min().unwrap_or_default();
    let lasts = value.faults_end() - first;
    let judged = files.judged();
    let weighed = judged.iter().filter(|judged| judged.is_weighed()).count();
    let Some(alpha) = Alpha::new(value.alpha.get()) else { return Vec::new() };
    // What load adds is not known here.
    if lasts == Span::ZERO || !value.load.is_empty() {
        return Vec::new();
    }
    let shows = |judged: &Judged| shows(files, known, judged, lasts, alpha.among(weighed).get());
    judged.iter().filter_map(shows).collect()
}

fn shows(files: &ExperimentFiles, known: &Known, judged: &Judged, lasts: Span, alpha: f64) -> Option<Shows> {
    let share = matches!(judged.signal.metric, Metric::FailedShare | Metric::SlowShare { .. });
    let absolute = matches!(judged.signal.bound, Bound::AtMost(_) | Bound::Below(_)) && judged.is_weighed();
    if !share || !absolute || judged.during_fault != DuringFault::MustHold {
        return None;
    }
    let calls = calls(files, known, judged)?;
    let stakes = |windows: usize, of: f64| Stakes {
        tolerated: judged.signal.tolerates().get(),
        horizon: u32::try_from(windows + STEADY).unwrap_or(u32::MAX),
        alpha,
        usual: 0.0,
        clustering: CLUSTERING,
        full: Some(ROOM * of.max(1.0)),
        control: None,
    };
    let minutes = judged.every.secs_f64() / 60.0;
    let of = calls * minutes;
    let volumes = |windows: usize| -> Vec<Volume> {
        let whole = |count: usize| (count as f64 * of + 0.5).floor();
        let window = |number: usize| Some((whole(number + 1) - whole(number)) as u64).filter(|of| *of > 0);
        (0..windows).map(|number| Volume { of: window(number), with_fault: true, control: 0 }).collect()
    };
    // The fault begins in the middle of a window.
    let windows = usize::try_from(lasts.micros() / judged.every.micros().max(1)).ok()?.saturating_sub(1);
    let caught = Power::of(&stakes(windows, of), &volumes(windows)).caught;
    let must_catch = judged.must_catch.get();
    let catches = |windows: usize| stakes(windows, of).catches(must_catch, &volumes(windows));
    let enough = match (Power { caught }).is_enough(must_catch) {
        true => None,
        false => shortest(windows + 1, catches).map(|windows| judged.every * (windows as i64 + 1)),
    };
    Some(Shows { title: judged.signal.text.clone(), calls, must_catch, lasts, caught, enough })
}

/// The smallest number of windows from `from` on in which a rise is caught: more windows catch more.
fn shortest(from: usize, catches: impl Fn(usize) -> bool) -> Option<usize> {
    if from > MOST_WINDOWS || !catches(MOST_WINDOWS) {
        return None;
    }
    let (mut few, mut enough) = (from.saturating_sub(1), MOST_WINDOWS);
    while few + 1 < enough {
        let middle = usize::midpoint(few, enough);
        if catches(middle) { enough = middle } else { few = middle }
    }
    Some(enough)
}

/// Requests a minute of what a signal is about.
fn calls(files: &ExperimentFiles, known: &Known, judged: &Judged) -> Option<f64> {
    let subject = &judged.signal.subject;
    let (name, kind, account) = match files.experiment.value.targets.get(&TargetName(subject.name.clone())) {
        Some(target) => {
            let SelectBy::Name(name) = &target.selector.by else { return None };
            (name, Some(target.selector.kind), files.account_of(target))
        }
        None => (&subject.name, subject.kind, &files.account),
    };
    let usual = &known.get(account)?.usual;
    let of = |kind| usual.calls(kind, name);
    kind.map_or_else(|| of(ResourceKind::Api).or_else(|| of(ResourceKind::Function)), of).filter(|calls| *calls > 0.0)
}
