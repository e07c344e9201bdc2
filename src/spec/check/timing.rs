//! Times: do they fit, and is there enough to see?

use crate::account::Selector;
use crate::faults::FaultSpec;
use crate::ids::AccountName;
use crate::judge::baseline::ROOM;
use crate::judge::bound::Bound;
use crate::judge::power::{Beside, Power, Stakes, Volume};
use crate::judge::recovery::{STEADY, over_early_after, watched_after};
use crate::judge::weighing::Alpha;
use crate::plan::DuringFault;
use crate::spec::experiment::{Experiment, HypothesisItem, Judged};
use crate::spec::load::ExperimentFiles;
use crate::units::Span;
use crate::yaml::finding::{Code, Findings};
use crate::yaml::read::Loaded;

/// Between the end of a fault and the next of its kind on one resource: the undo is written, and read back.
const BETWEEN: Span = Span::from_mins(2);
/// What the undo takes, and what metrics need to be published, beyond the times of the file.
const SLACK: Span = Span::from_mins(5);
/// The longest that a baseline waits for its values: a metric, and the longest time-out of a function.
const LONGEST_WAIT: Span = Span::from_secs(120 + 900);
/// Requests in a window that leave nothing to wish for.
const PLENTY: u64 = 1000;
/// What is not caught within so many windows is not caught.
const MOST_WINDOWS: usize = 40;

pub(super) fn check(files: &ExperimentFiles, findings: &mut Findings) {
    let experiment = &files.experiment;
    zeros(experiment, findings);
    overlaps(files, findings);
    if experiment.value.faults.is_empty() {
        return no_fault(experiment, findings);
    }
    let judged = files.judged();
    let whole = cut_short(experiment, &judged, findings);
    too_short(experiment, &judged, findings);
    alarms(experiment, findings);
    too_quiet(experiment, &judged, whole, findings);
}

fn zeros(experiment: &Loaded<Experiment>, findings: &mut Findings) {
    let value = &experiment.value;
    let mut spans = vec![
        ("baseline".to_owned(), value.baseline),
        ("recovers_within".to_owned(), value.recovers_within),
        ("guards/longest".to_owned(), value.guards.longest),
    ];
    for (index, inject) in value.faults.iter().enumerate() {
        spans.push((format!("faults/{index}/for"), inject.lasts));
    }
    for (index, item) in value.hypotheses.iter().enumerate() {
        if let HypothesisItem::Alarm(item) = item {
            spans.push((format!("hypotheses/{index}/alarm/fires_within"), item.alarm.fires_within));
        }
    }
    for (path, span) in spans {
        if span == Span::ZERO {
            let what = "the duration must be longer than 0s";
            let help = "write for example `5m`";
            findings.push(experiment.finding(Code::Zero, experiment.place(&path), what).help(help));
        }
    }
    for (index, load) in value.load.iter().enumerate() {
        let (from, to) = load.rate.bounds();
        if from.get() + to.get() == 0.0 {
            let at = experiment.place(&format!("load/{index}/rate"));
            findings.push(experiment.finding(Code::Zero, at, "this makes no requests").help("write for example `5/s`"));
        }
        if load.at_most == 0 {
            let at = experiment.place(&format!("load/{index}/at_most"));
            findings.push(experiment.finding(Code::Zero, at, "this makes no requests").help("write a number above 0"));
        }
    }
    if !(0.0..=0.5).contains(&value.alpha.get()) || value.alpha.get() <= 0.0 {
        let what = format!("`alpha: {}` is not possible", value.alpha);
        let help = "write for example `1 %`; above `50 %` a verdict has no meaning";
        findings.push(experiment.finding(Code::Zero, experiment.place("alpha"), what).help(help));
    }
    if value.guards.hits_at_most == 0 {
        let at = experiment.place("guards/hits_at_most");
        findings.push(
            experiment.finding(Code::Zero, at, "with 0, no resource may be hit by the faults").help("write at least 1"),
        );
    }
}

/// Two faults that change one setting must not overlap, and the first must be undone before the second reads.
fn overlaps(files: &ExperimentFiles, findings: &mut Findings) {
    let experiment = &files.experiment;
    let faults = &experiment.value.faults;
    let settings: Vec<_> = faults.iter().map(|inject| setting(files, &inject.fault)).collect();
    for (index, later) in faults.iter().enumerate() {
        for (other, earlier) in faults[..index].iter().enumerate() {
            if settings[index].is_none() || settings[index] != settings[other] {
                continue;
            }
            if findings.is_full() {
                return;
            }
            let overlap = later.at < earlier.at + earlier.lasts && earlier.at < later.at + later.lasts;
            let close =
                later.at < earlier.at + earlier.lasts + BETWEEN && earlier.at < later.at + later.lasts + BETWEEN;
            let what = match (overlap, close) {
                (true, _) => "two faults would change one setting at the same time",
                (false, true) => "the fault before this one may not be rolled back yet",
                (false, false) => continue,
            };
            let ends = earlier.at.max(later.at.min(earlier.at)) + earlier.lasts + BETWEEN;
            let at = experiment.place(&format!("faults/{index}/inject"));
            let also = experiment.place(&format!("faults/{other}/inject"));
            findings.push(
                experiment
                    .finding(Code::Overlap, at, what)
                    .also(also, "the other one")
                    .help(format!("start it at `{ends}` or later, or choose another target")),
            );
        }
    }
}

/// What tells the settings of two faults apart, as far as the file shows it; `None` for a fault that shares none.
fn setting<'a>(files: &'a ExperimentFiles, fault: &FaultSpec) -> Option<(&'static str, &'a Selector, &'a AccountName)> {
    let target = files.experiment.value.targets.get(fault.fault().target())?;
    fault.fault().is_exclusive().then(|| (fault.key(), &target.selector, files.account_of(target)))
}

/// Whether `longest` ends the run early. Gives the time that the whole run takes at the most.
fn cut_short(experiment: &Loaded<Experiment>, judged: &[Judged], findings: &mut Findings) -> Span {
    let value = &experiment.value;
    let longest = value.guards.longest;
    let faults = value.baseline + value.faults_end();
    let every = judged.iter().map(|judged| judged.every).max().unwrap_or_default();
    let whole = faults + value.recovers_within + watched_after(every) + SLACK;
    let last = value.faults.iter().enumerate().max_by_key(|(_, inject)| inject.at + inject.lasts);
    let at = match &value.guards.longest {
        _ if experiment.tree.get("guards").is_some_and(|guards| guards.get("longest").is_some()) => {
            experiment.place("guards/longest")
        }
        _ => experiment.place(&format!("faults/{}/for", last.map_or(0, |(index, _)| index))),
    };
    if longest == Span::ZERO {
        return whole;
    }
    if faults >= longest {
        let what = format!("the baseline and the faults take {faults}, but the run is stopped after {longest}");
        let help = format!("set `longest: {}` or more, or make them shorter", round_up(whole));
        findings.push(experiment.finding(Code::TooLong, at, what).help(help));
    } else if whole > longest {
        let what = format!(
            "the run may take {whole}, but is stopped after {longest}: a run that takes that long is not judged held"
        );
        let help = format!("write `longest: {}` or more", round_up(whole));
        findings.push(experiment.finding(Code::NeverHeld, at, what).help(help));
    }
    whole
}

/// Held takes five windows of the baseline with data, and with the faults in so many that a rise that matters would be
/// caught.
fn too_short(experiment: &Loaded<Experiment>, judged: &[Judged], findings: &mut Findings) {
    let value = &experiment.value;
    let Some(slowest) = judged.iter().max_by_key(|judged| judged.every) else { return };
    let mut short = |path: &str, what: String, help: String| {
        findings.push(experiment.finding(Code::NeverHeld, experiment.place(path), what).help(help));
    };
    let enough = slowest.every * i64::try_from(STEADY).unwrap_or(5);
    if value.baseline < enough && value.baseline > Span::ZERO {
        // Windows that pass while the values of the baseline become final belong to it; how many, the plan knows.
        let never = if value.baseline + LONGEST_WAIT < enough { ", so it can never be judged held" } else { "" };
        let waits = slowest.signal.metric.delay();
        let lasts = match waits {
            Span::ZERO => String::new(),
            _ => format!(" It lasts at least {}, until its values are published.", value.baseline + waits),
        };
        let what = format!(
            "a baseline of {} has fewer than {STEADY} windows of {} of `{}`, which verdict held needs{never}.{lasts}",
            value.baseline, slowest.every, slowest.signal
        );
        short("baseline", what.trim_end_matches('.').to_owned(), format!("write `baseline: {enough}` or more"));
    }
    let blind = |judged: &&Judged| {
        let windows = judged.is_weighed() && !judged.signal.metric.is_share();
        let tolerated = judged.signal.tolerates().get();
        let sees = || {
            let windows = STEADY as u64;
            let fails_from = (tolerated * STEADY as f64).max(1.0) as u64 + 1;
            Power::of_look(tolerated, fails_from, windows).is_enough(judged.must_catch.get())
        };
        // A longer recovery may be over before its end, by the evidence of more windows.
        let within = value.recovers_within.micros() / judged.every.micros().max(1) + STEADY as i64 - 1;
        let early = || over_early_after(judged.must_catch.get()) <= within;
        judged.during_fault == DuringFault::MayBreak && windows && tolerated > 0.0 && !sees() && !early()
    };
    if let Some(judged) = judged.iter().find(blind) {
        let what = format!(
            "{STEADY} steady windows cannot rule out a breach in {} of `{}`, so it can never be judged held",
            judged.must_catch, judged.signal
        );
        short("recovers_within", what, "set a larger `must_catch`, or remove it".to_owned());
    }
    let first = value.faults.iter().map(|inject| inject.at).min().unwrap_or_default();
    let there = value.faults_end() - first;
    let last = value.faults.iter().enumerate().max_by_key(|(_, inject)| inject.at + inject.lasts);
    let Some(alpha) = Alpha::new(value.alpha.get()) else { return };
    let alpha = alpha.among(judged.iter().filter(|judged| judged.is_weighed()).count());
    let needs = judged.iter().filter(|judged| judged.during_fault == DuringFault::MustHold);
    let needs = needs.filter_map(|judged| Some((needed(judged, alpha)?, judged)));
    if let Some((index, _)) = last
        && let Some((enough, judged)) = needs.max_by_key(|(enough, _)| *enough)
        && there <= enough - judged.every
        && there > Span::ZERO
    {
        let (of, must) = match judged.signal.metric.is_share() {
            true => ("a rise to", judged.must_catch),
            false => ("a breach in", judged.must_catch),
        };
        let what = format!(
            "faults of {there} are too short to catch {of} {must} of `{}` reliably, so it can never be judged held",
            judged.signal
        );
        short(&format!("faults/{index}/for"), what, format!("make the faults last {enough} or more"));
    }
}

/// How long the faults must last for a signal's rise to be caught, with all the traffic that one could wish for. `None`
/// where it is not judged by evidence, or where no time is enough.
fn needed(judged: &Judged, alpha: Alpha) -> Option<Span> {
    let tolerated = judged.signal.tolerates().get();
    let control = match judged.signal.bound {
        Bound::AtMost(_) | Bound::AtLeast(_) | Bound::Below(_) | Bound::Above(_) => None,
        Bound::TimesControl(ratio) => Some(Beside { ratio, usual: 0.0 }),
        _ => return None,
    };
    if !judged.is_weighed() {
        return None;
    }
    let of = if judged.signal.metric.is_share() { PLENTY } else { 1 };
    let catches = |windows: usize| {
        let horizon = u32::try_from(windows + STEADY).unwrap_or(u32::MAX);
        let full = Some(ROOM * of as f64);
        let stakes = Stakes { tolerated, horizon, alpha: alpha.get(), usual: 0.0, clustering: 0.0, full, control };
        stakes.catches(
            judged.must_catch.get(),
            &vec![Volume { of: Some(of), with_fault: true, control: PLENTY }; windows],
        )
    };
    let windows = (1..=MOST_WINDOWS).find(|windows| catches(*windows))?;
    // Windows lie on the clock, so that the fault begins in the middle of one.
    Some(judged.every * i64::try_from(windows + 1).unwrap_or(i64::MAX))
}

/// Without a fault the load alone is tested, and there is nothing for an alarm to fire for.
fn no_fault(experiment: &Loaded<Experiment>, findings: &mut Findings) {
    for (index, item) in experiment.value.hypotheses.iter().enumerate() {
        let fires = match item {
            HypothesisItem::Alarm(_) => true,
            HypothesisItem::Signal(item) => matches!(item.signal.0.bound, Bound::FiresWithin(_)),
            HypothesisItem::Named(_) => false,
        };
        if fires {
            let what = "there is no fault for this alarm to fire on";
            let help = "add a fault (`squall faults` lists them), or write `alarm NAME stays quiet`";
            let at = experiment.place(&format!("hypotheses/{index}"));
            findings.push(experiment.finding(Code::Empty, at, what).help(help));
        }
    }
}

/// An alarm must have the time to fire before the faults are undone.
fn alarms(experiment: &Loaded<Experiment>, findings: &mut Findings) {
    let value = &experiment.value;
    let first = value.faults.iter().map(|inject| inject.at).min().unwrap_or_default();
    let there = value.faults_end() - first;
    for (index, item) in value.hypotheses.iter().enumerate() {
        let (within, path) = match item {
            HypothesisItem::Alarm(item) => (item.alarm.fires_within, "alarm/fires_within"),
            HypothesisItem::Signal(item) => match item.signal.0.bound {
                Bound::FiresWithin(within) => (within, "signal"),
                _ => continue,
            },
            HypothesisItem::Named(_) => continue,
        };
        if within >= there && there > Span::ZERO {
            let what = format!(
                "the faults end after {there}, before the alarm's {within} are over: if it has not fired by then, the verdict \
                 is unknown"
            );
            let help = format!("make a fault last longer than {within}, or give the alarm less time");
            let at = experiment.place(&format!("hypotheses/{index}/{path}"));
            findings.push(experiment.finding(Code::NeverHeld, at, what).help(help));
        }
    }
}

/// Load that is too thin for the windows, or used up before the end.
fn too_quiet(experiment: &Loaded<Experiment>, judged: &[Judged], whole: Span, findings: &mut Findings) {
    for (index, load) in experiment.value.load.iter().enumerate() {
        let (from, to) = load.rate.bounds();
        let about =
            |judged: &&Judged| judged.signal.subject.name == load.to.0 && judged.signal.metric.delay() > Span::ZERO;
        let Some(signal) = judged.iter().filter(about).min_by_key(|judged| judged.every) else { continue };
        let thin = from.get().min(to.get()) * signal.every.secs_f64();
        if thin < 1.0 {
            let what = format!("at this rate a window of {} of `{}` may have no request", signal.every, signal.signal);
            let at = experiment.place(&format!("load/{index}/rate"));
            let help = "a window without data is not counted: raise the rate, or make the windows longer";
            findings.push(experiment.finding(Code::NeverHeld, at, what).help(help));
        }
        let requests = (from.get() + to.get()) / 2.0 * whole.secs_f64();
        if requests > f64::from(load.at_most) {
            let what =
                format!("{} requests are used up before the end of the run, which may take {whole}", load.at_most);
            let help = format!("write `at_most: {}` or more", requests.ceil());
            let at = experiment.place(&format!("load/{index}/at_most"));
            findings.push(experiment.finding(Code::NeverHeld, at, what).help(help));
        }
    }
}

/// To whole minutes.
fn round_up(span: Span) -> Span {
    Span::from_mins((span.micros() + 59_999_999) / 60_000_000)
}
