//! Whether the steps of a plan go together: one setting, one change at a time, and everything within `longest`.

use crate::account::signal::METRIC_PERIOD;
use crate::faults::Refusal;
use crate::guard::Objection;
use crate::judge::effectiveness;
use crate::judge::recovery::STEADY;
use crate::plan::{Change, Plan, Step};
use crate::units::Span;

/// A change with the step that makes it.
struct Placed<'a> {
    step: &'a Step,
    index: usize,
    change: &'a Change,
}

/// Every pair of changes of one setting that come too close. `origin` tells which fault of the file a step came from.
pub fn overlaps(plan: &Plan, origin: &[usize]) -> Vec<Objection> {
    let mut placed = Vec::new();
    for (index, step) in plan.steps.iter().enumerate() {
        let changes = step.changes.iter().filter_map(|id| plan.changes.get(id));
        placed.extend(changes.map(|change| Placed { step, index, change }));
    }
    let mut objections = Vec::new();
    for (later, b) in placed.iter().enumerate() {
        for a in placed.iter().take(later).filter(|a| a.change.setting == b.change.setting) {
            if let Some(refusal) = too_close(a, b) {
                let fault = origin.get(b.index).copied().unwrap_or(b.index);
                objections.push(Objection { path: format!("faults/{fault}/at"), refusal });
            }
        }
    }
    objections
}

/// Steps are in the order of their beginning, so `b` begins after `a` or with it.
fn too_close(a: &Placed<'_>, b: &Placed<'_>) -> Option<Refusal> {
    let setting = &b.change.setting;
    if b.step.at < a.step.ends() {
        return Some(Refusal::new(
            format!("two faults would change the {setting} at the same time"),
            format!(
                "start the second after the first ends (`at: {}` or later), or give it another target",
                a.step.ends()
            ),
        ));
    }
    // The first one's rollback must be verified before the second reads the value from before.
    let free = a.step.ends() + a.change.rolled_back_within();
    (b.step.at < free).then(|| {
        Refusal::new(
            format!("the rollback of the first change of the {setting} may not be finished when the second begins"),
            format!("leave {} between them: `at: {free}` or later", a.change.rolled_back_within()),
        )
    })
}

/// Whether the whole run fits into `longest`, its rollback taking as long as it can.
pub fn fits(plan: &Plan) -> Option<Objection> {
    let needed = plan.fits_into();
    (needed > plan.longest).then(|| {
        let minutes = (needed + Span::from_micros(59_999_999)).micros() / 60_000_000;
        Objection {
            path: "guards/longest".into(),
            refusal: Refusal::new(
                format!("the run may need {needed} with the slowest rollback, but is stopped after {}", plan.longest),
                format!("set `longest: {minutes}m` under `guards`, or make the run shorter"),
            ),
        }
    })
}

/// How long the baseline lasts, where that is not what the file says, and whether it has the windows that a verdict of held
/// takes. Its windows are whole minutes by the clock, and the faults wait until its values are final.
pub fn baseline(plan: &Plan) -> Option<String> {
    let judged = plan.signals.iter().filter(|signal| signal.is_judged());
    let slowest = judged.max_by_key(|signal| signal.every)?;
    let waits = plan.baseline_settles();
    let windows = (plan.baseline + waits).micros() / slowest.every.micros().max(1);
    let lasts = format!(
        "the baseline lasts {} to {}: it begins with a whole window of {}, and its values are final {waits} after it",
        plan.baseline + waits,
        plan.baseline + waits + slowest.every,
        slowest.every
    );
    let enough = i64::try_from(STEADY).unwrap_or(5);
    if windows < enough {
        let needed = slowest.every * enough;
        return Some(format!(
            "{lasts}. That is {windows} windows of `{}`, and verdict held needs {enough} with data: set `baseline: \
             {needed}` or more",
            slowest.title
        ));
    }
    (plan.baseline < slowest.every * enough).then_some(lasts)
}

/// What the times of the steps mean for what can be found out.
pub fn warnings(plan: &Plan) -> Vec<String> {
    let short = plan.steps.iter().filter(|step| step.lasts < step.evidence.within);
    let short = short.map(|step| {
        format!(
            "{} for {}: its effect may take {} to show, and without a visible effect the verdict is unknown",
            step.fault, step.lasts, step.evidence.within
        )
    });
    short.chain(nothing_to_compare(plan)).collect()
}

/// The faults whose evidence can only be compared with a baseline that is too short for it: metrics are kept by the whole
/// minute, and a baseline of shorter windows begins anywhere in one.
fn nothing_to_compare(plan: &Plan) -> impl Iterator<Item = String> {
    let every = plan.signals.iter().map(|signal| signal.every).max().unwrap_or(Span::ZERO);
    let aligned = every.micros() % METRIC_PERIOD.micros() == 0;
    let lasts = plan.baseline + plan.baseline_settles() - if aligned { Span::ZERO } else { METRIC_PERIOD };
    let enough = METRIC_PERIOD * i64::try_from(effectiveness::ENOUGH).unwrap_or(5);
    let needed = (plan.baseline + enough - lasts).max(plan.baseline);
    let compared = |step: &&Step| step.evidence.any.iter().all(|indicator| indicator.test.is_windowed());
    plan.steps.iter().filter(compared).filter(move |_| lasts < enough).map(move |step| {
        format!(
            "{}: its effect cannot be shown, because it is compared with {} whole minutes of the baseline; the \
             verdict would be unknown: set `baseline: {needed}` or more",
            step.fault,
            effectiveness::ENOUGH
        )
    })
}
