//! The evidence that each step's fault works, looked for from the baseline on until the step's last window is final, which
//! may be in the recovery. Only what the step itself did counts: windows in which another fault may still work are
//! compared with windows of the baseline in which the same one did, or not at all.

use std::collections::{BTreeMap, BTreeSet};

use super::super::event::{Event, Stop};
use super::super::in_flight::CallPurpose;
use super::super::machine::{Machine, Precondition};
use super::super::state::State;
use super::sight::{Look, Sight, SightChange};
use super::watch::{DIRECT_TOLERANCE, LOOK_AGAIN, METRIC_PERIOD, PUBLICATION_SLACK, TRIES, TRY_AGAIN};
use crate::account::{Call, Metric, Outcome, Query, Reply, Sample, Window};
use crate::judge::ask::Reading;
use crate::judge::effectiveness::{ENOUGH, LEVEL, Level, Rise, is_look, level, looks, rise};
use crate::judge::watermark::Watermark;
use crate::numbers::{percent, tidy};
use crate::plan::{Cleanup, Indicator, IndicatorTest, Plan, Step};
use crate::units::{Span, Time};

/// Queue counts are looked at this often for evidence.
const DIRECT_PERIOD: Span = Span::from_secs(10);
/// Where a message can be in a queue: visible, in flight, delayed.
const PLACES: [Metric; 3] = [Metric::Depth, Metric::InFlight, Metric::Delayed];

/// What one indicator has seen.
#[derive(Clone, Debug, Default)]
pub(in crate::run) struct Looking {
    /// Of a windowed indicator: the windows still to come; none before the first look.
    watermark: Option<Watermark>,
    pub(super) sight: Sight,
    tries: u32,
    not_before: Time,
    /// Those that are closed, in order.
    windows: Vec<Reading>,
    /// How many windows with the fault the last look had.
    looked_at: usize,
    looks: usize,
    /// Of an indicator that counts: the counts of this look, and when an earlier one found nothing at all.
    counts: Vec<f64>,
    empty: Option<Time>,
    /// The first count of a dead-letter queue, and when it was first above that.
    first: Option<f64>,
    rose: Option<Time>,
}

/// What shows a fault, and since when.
struct Shown {
    since: Time,
    seen: String,
}

impl Plan {
    /// The level of each test of a windowed indicator: that of the run, shared by all of them and all of their looks.
    pub fn evidence_level(&self, step: &Step) -> f64 {
        let by_chance = |test| matches!(test, IndicatorTest::Rises | IndicatorTest::RisesTo { .. });
        let tested = |step: &Step| step.evidence.any.iter().filter(|indicator| by_chance(indicator.test)).count();
        let tests: usize = self.steps.iter().map(tested).sum();
        LEVEL / (tests.max(1) * looks(step.evidence_windows())) as f64
    }
}

impl Step {
    /// How many windows lie within the step, if nothing goes wrong.
    pub fn evidence_windows(&self) -> usize {
        usize::try_from(self.lasts.micros() / METRIC_PERIOD.micros()).unwrap_or(1).max(1)
    }
}

impl Machine {
    /// Looks for the evidence of every step.
    pub(in crate::run) fn advance_evidence(&mut self) {
        let plan = self.state.plan.clone();
        for (step, planned) in plan.steps.iter().enumerate() {
            let Some(known) = self.state.steps.get(step) else { continue };
            if known.effective.is_some() || known.not_effective {
                continue;
            }
            for (indicator, asked) in planned.evidence.any.iter().enumerate() {
                match asked.test {
                    IndicatorTest::Appears | IndicatorTest::Rises | IndicatorTest::RisesTo { .. } => {
                        self.look_at_window(step, indicator, asked);
                    }
                    IndicatorTest::Emptied => self.look_whether_emptied(step, indicator, asked),
                    IndicatorTest::Arrives => self.look_whether_risen(step, indicator, asked),
                }
            }
            self.give_up_evidence(step);
        }
    }

    /// A step without evidence, once there is nothing more to see, ends the run.
    fn give_up_evidence(&mut self, step: usize) {
        let Some(known) = self.state.steps.get(step) else { return };
        if known.began.is_none() || !self.step_is_over(step) || known.sends.owed() || !self.is_watched(step) {
            return;
        }
        if known.effective.is_none() && !self.logs_are_searched(step) {
            return;
        }
        if self.state.steps.get(step).is_some_and(|known| known.effective.is_none()) {
            self.record(Event::NotEffective { step });
            if self.may_inject() {
                self.stop(Stop::NotEffective { step });
            }
        }
    }

    /// Whether every window of the step was looked at.
    fn is_watched(&self, step: usize) -> bool {
        let (Some(planned), Some(ends)) = (self.state.plan.steps.get(step), self.state.step_ends(step)) else {
            return false;
        };
        let windowed = planned.evidence.any.iter().enumerate().filter(|(_, indicator)| indicator.test.is_windowed());
        windowed.into_iter().all(|(indicator, _)| {
            let watermark = self.watch.indicator(step, indicator).and_then(|looking| looking.watermark.as_ref());
            watermark.is_some_and(|watermark| watermark.next() + METRIC_PERIOD > ends)
        })
    }

    /// Whether a step that went in may still be seen to have worked.
    pub(in crate::run) fn evidence_is_pending(&self) -> bool {
        self.state.steps.iter().any(|known| known.began.is_some() && known.effective.is_none() && !known.not_effective)
    }

    /// Whether every indicator has seen the baseline until then.
    pub(in crate::run) fn indicators_have_seen(&self, until: Time) -> bool {
        self.state.plan.steps.iter().enumerate().all(|(step, planned)| {
            let windowed =
                planned.evidence.any.iter().enumerate().filter(|(_, indicator)| indicator.test.is_windowed());
            windowed.into_iter().all(|(indicator, _)| {
                let watermark = self.watch.indicator(step, indicator).and_then(|looking| looking.watermark.as_ref());
                watermark.is_some_and(|watermark| watermark.next() + METRIC_PERIOD > until)
            })
        })
    }

    fn look_at_window(&mut self, step: usize, indicator: usize, asked: &Indicator) {
        let this = CallPurpose::Indicator { step, indicator };
        let (first, ends, now) = (self.state.baseline_from(), self.state.step_ends(step), self.now);
        if self.calls.contains(&this) {
            return;
        }
        let Some(looking) = self.watch.indicator_mut(step, indicator) else { return };
        // A count that is read directly is there at once, or it is another moment's.
        let direct = asked.query.metric.delay() == Span::ZERO;
        let patience = if direct { DIRECT_TOLERANCE } else { asked.settles + PUBLICATION_SLACK };
        // Metrics are kept by the whole minute, wherever in one the baseline begins.
        let whole = first.window_start(METRIC_PERIOD);
        let from = if whole < first { whole + METRIC_PERIOD } else { whole };
        let watermark = looking.watermark.get_or_insert_with(|| Watermark::from(from, METRIC_PERIOD, patience));
        let window = Window { from: watermark.next(), to: watermark.next() + METRIC_PERIOD };
        if ends.is_some_and(|ends| window.to > ends) {
            return;
        }
        let (due, closes_at) = ((window.to + asked.settles).max(looking.not_before), watermark.closes_at());
        if now < due {
            return self.wake_by(due);
        }
        if now >= closes_at && (direct || looking.tries > 0) {
            self.close_indicator(step, indicator, asked);
            // No event says so: the baseline may have waited for just this.
            return self.wake_by(now);
        }
        let call = Call::Measure { query: asked.query.clone(), window };
        self.call(this, call, Precondition::Nothing);
    }

    /// Takes in the answer to an indicator.
    pub(in crate::run) fn indicator_measured(&mut self, step: usize, indicator: usize, outcome: Outcome) {
        let plan = self.state.plan.clone();
        let now = self.now;
        let Some(asked) = plan.steps.get(step).and_then(|s| s.evidence.any.get(indicator)) else { return };
        let (sample, why) = match outcome {
            Ok(Reply::Sample(sample)) => (Some(sample), "it had no data".to_owned()),
            Ok(_) => (None, "a wrong kind of answer".to_owned()),
            Err(error) => (None, error.to_string()),
        };
        self.see_evidence(step, indicator, sample, &why);
        let Some(looking) = self.watch.indicator_mut(step, indicator) else { return };
        if !asked.test.is_windowed() {
            return self.counted(step, indicator, asked.test, sample.and_then(|sample| sample.value));
        }
        let Some(watermark) = &mut looking.watermark else { return };
        looking.tries += 1;
        match sample {
            Some(Sample { value: None, .. }) if now < watermark.closes_at() => looking.not_before = now + LOOK_AGAIN,
            Some(Sample { value, of }) => watermark.arrives(watermark.next(), value, of),
            None if looking.tries < TRIES => looking.not_before = now + TRY_AGAIN,
            None => watermark.arrives(watermark.next(), None, None),
        }
        self.close_indicator(step, indicator, asked);
    }

    /// Takes in whether an indicator was seen. A step's evidence is lost sight of with the last of its indicators.
    fn see_evidence(&mut self, step: usize, indicator: usize, sample: Option<Sample>, why: &str) {
        let (now, in_baseline) = (self.now, self.state.t0().is_none());
        let Some(looking) = self.watch.indicator_mut(step, indicator) else { return };
        let closes_at = looking.watermark.as_ref().map(Watermark::closes_at);
        let look = match sample {
            None => Look::Failed,
            Some(Sample { value: Some(_), .. }) => Look::Seen,
            // It may be published yet.
            Some(_) if closes_at.is_some_and(|closes_at| now < closes_at) => return,
            Some(_) => Look::Empty,
        };
        looking.sight.take(look, now, in_baseline);
        let look = if self.watch.evidence_is_blind(step) { Look::Failed } else { Look::Seen };
        let Some(change) = self.watch.evidence.get_mut(step).map(|sight| sight.take(look, now, in_baseline)) else {
            return;
        };
        let plan = self.state.plan.clone();
        let Some(planned) = plan.steps.get(step) else { return };
        // When the step is over there is nothing more to stop.
        if self.step_is_over(step) && matches!(change, SightChange::LostFor(_)) {
            return;
        }
        self.note_sight(change, || format!("the evidence of {}", planned.fault), why);
    }

    /// Takes in the windows of an indicator that are closed, and looks at what they show.
    fn close_indicator(&mut self, step: usize, indicator: usize, asked: &Indicator) {
        let now = self.now;
        let Some(looking) = self.watch.indicator_mut(step, indicator) else { return };
        let Some(watermark) = &mut looking.watermark else { return };
        let closed = watermark.close(now);
        if closed.is_empty() {
            return;
        }
        (looking.tries, looking.not_before) = (0, Time::EPOCH);
        let new = looking.windows.len();
        looking.windows.extend(closed);
        let shown = match asked.test {
            IndicatorTest::Appears => self.appeared(step, indicator, asked, new),
            test => self.rose(step, indicator, &asked.query, test),
        };
        if let Some(Shown { since, seen }) = shown {
            self.record(Event::Effective { step, since, seen });
        }
    }

    /// Whether something is counted that the baseline has none of, in the windows from number `new` on.
    fn appeared(&self, step: usize, indicator: usize, asked: &Indicator, new: usize) -> Option<Shown> {
        let began = self.state.steps.get(step)?.began?;
        let windows = &self.watch.indicator(step, indicator)?.windows;
        let before = &windows[..windows.partition_point(|reading| reading.to + asked.slowest_call() <= began)];
        let counted = |reading: &&Reading| reading.value.is_some_and(|value| value > 0.0);
        if before.len() < ENOUGH || before.iter().any(|reading| counted(&reading)) {
            return None;
        }
        let ends = self.state.step_ends(step).unwrap_or(Time::NEVER);
        let within = |reading: &&Reading| reading.from >= began && reading.to <= ends;
        let seen = windows.iter().skip(new).filter(within).find(counted)?;
        let text = format!("{} are {}, and the baseline has none", asked.query, seen.value.unwrap_or_default());
        Some(Shown { since: seen.from, seen: text })
    }

    /// Whether a share or a count is higher than the baseline's noise and trend explain.
    fn rose(&mut self, step: usize, indicator: usize, query: &Query, test: IndicatorTest) -> Option<Shown> {
        let plan = self.state.plan.clone();
        let planned = plan.steps.get(step)?;
        let began = self.state.steps.get(step)?.began?;
        let over = self.step_is_over(step) && self.is_watched(step);
        let windows = planned.evidence_windows();
        let looking = self.watch.indicator_mut(step, indicator)?;
        let within = looking.windows.len() - looking.windows.partition_point(|reading| reading.from < began);
        let due = is_look(within, windows) || over;
        if !due || within == looking.looked_at || looking.looks >= looks(windows) {
            return None;
        }
        let slowest = planned.evidence.any.get(indicator)?.slowest_call();
        let (baseline, fault) = compared(&self.state, step, slowest, &self.watch.indicator(step, indicator)?.windows)?;
        let looking = self.watch.indicator_mut(step, indicator)?;
        (looking.looked_at, looking.looks) = (within, looking.looks + 1);
        let chance = plan.evidence_level(planned);
        if let IndicatorTest::RisesTo { times } = test {
            let Level { from, now, usual } = level(&baseline, &fault, times, chance)?;
            let seen = format!("{query} rose to {}, from {} in the baseline", tidy(now), tidy(usual));
            return Some(Shown { since: fault.get(from)?.from, seen });
        }
        let Rise { from, failed, of, usual } = rise(&baseline, &fault, chance)?;
        let (share, usual) = (percent(failed / of), percent(usual));
        let seen = format!("{query} rose to {share} ({failed:.0} of {of:.0}), from {usual} in the baseline");
        Some(Shown { since: fault.get(from)?.from, seen })
    }

    /// A queue that holds none of the messages any more: they were taken.
    fn look_whether_emptied(&mut self, step: usize, indicator: usize, asked: &Indicator) {
        let this = CallPurpose::Indicator { step, indicator };
        let now = self.now;
        let Some(sends) = self.state.steps.get(step).map(|known| &known.sends) else { return };
        let (Some(last), false) = (sends.last_at, self.step_is_over(step)) else { return };
        if self.calls.contains(&this) || sends.accepted.is_empty() {
            return;
        }
        let Some(looking) = self.watch.indicator_mut(step, indicator) else { return };
        // What was seen before the last message says nothing of it.
        looking.empty = looking.empty.filter(|empty| *empty > last);
        let due = looking.not_before.max(last + DIRECT_PERIOD);
        if now < due {
            return self.wake_by(due);
        }
        let Some(metric) = PLACES.get(looking.counts.len()) else { return };
        let query = Query { metric: *metric, resource: asked.query.resource.clone() };
        let window = Window { from: now - DIRECT_PERIOD, to: now };
        self.call(this, Call::Measure { query, window }, Precondition::Nothing);
    }

    /// Since when there is more in the dead-letter queue. Whose it is the sweep finds.
    fn look_whether_risen(&mut self, step: usize, indicator: usize, asked: &Indicator) {
        let this = CallPurpose::Indicator { step, indicator };
        let now = self.now;
        let began = self.state.steps.get(step).and_then(|known| known.began);
        if self.calls.contains(&this) || began.is_none() || self.step_is_over(step) {
            return;
        }
        let Some(looking) = self.watch.indicator_mut(step, indicator) else { return };
        if looking.rose.is_some() {
            return;
        }
        let due = looking.not_before;
        if now < due {
            return self.wake_by(due);
        }
        let window = Window { from: now - DIRECT_PERIOD, to: now };
        self.call(this, Call::Measure { query: asked.query.clone(), window }, Precondition::Nothing);
    }

    fn counted(&mut self, step: usize, indicator: usize, test: IndicatorTest, count: Option<f64>) {
        let now = self.now;
        let Some(looking) = self.watch.indicator_mut(step, indicator) else { return };
        looking.not_before = now + DIRECT_PERIOD;
        let Some(count) = count else {
            looking.counts.clear();
            return;
        };
        if test == IndicatorTest::Arrives {
            if count > *looking.first.get_or_insert(count) {
                looking.rose = Some(now);
            }
            return;
        }
        looking.counts.push(count);
        if count > 0.0 {
            looking.empty = None;
            looking.counts.clear();
        } else if looking.counts.len() < PLACES.len() {
            looking.not_before = now;
        } else {
            looking.counts.clear();
            match looking.empty {
                None => looking.empty = Some(now),
                Some(_) => {
                    let seen =
                        "the queue was empty twice after the last message was sent: none of the messages is left in it";
                    self.message_is_evidence(step, seen.to_owned());
                }
            }
        }
    }

    /// A message of the step was found in the dead-letter queue, or all of them are gone from their own: since the dead-letter
    /// queue rose, or since they were sent where it did not.
    pub(in crate::run) fn message_is_evidence(&mut self, step: usize, seen: String) {
        let plan = self.state.plan.clone();
        let (Some(planned), Some(known)) = (plan.steps.get(step), self.state.steps.get(step)) else { return };
        if known.effective.is_some() || known.not_effective {
            return;
        }
        let rose =
            planned.evidence.any.iter().enumerate().filter(|(_, indicator)| indicator.test == IndicatorTest::Arrives);
        let rose = rose.filter_map(|(indicator, _)| self.watch.indicator(step, indicator)?.rose).min();
        if let Some(since) = rose.or(known.sends.last_at) {
            self.record(Event::Effective { step, since, seen });
        }
    }
}

/// The windows of the baseline and of the fault that can be compared: in both the same other faults may work. Of several
/// such pairs the one with the most windows of the fault.
fn compared(state: &State, step: usize, slowest: Span, windows: &[Reading]) -> Option<(Vec<Reading>, Vec<Reading>)> {
    let began = state.steps.get(step)?.began?;
    let ends = state.step_ends(step).unwrap_or(Time::NEVER);
    let mut pairs: BTreeMap<BTreeSet<usize>, (Vec<Reading>, Vec<Reading>)> = BTreeMap::new();
    for reading in windows {
        let others = (0..state.steps.len()).filter(|other| *other != step && may_work(state, *other, reading));
        let (baseline, fault) = pairs.entry(others.collect()).or_default();
        if reading.to + slowest <= began {
            baseline.push(*reading);
        } else if reading.from >= began && reading.to <= ends {
            fault.push(*reading);
        }
    }
    let fit = pairs.into_values().filter(|(baseline, fault)| baseline.len() >= ENOUGH && !fault.is_empty());
    fit.max_by_key(|(_, fault)| fault.len())
}

/// Whether a step may have had an effect in a window: from its beginning on, until its rollback works everywhere or its
/// messages are gone, and for a window more.
fn may_work(state: &State, step: usize, reading: &Reading) -> bool {
    let (Some(planned), Some(began)) =
        (state.plan.steps.get(step), state.steps.get(step).and_then(|known| known.began))
    else {
        return false;
    };
    let changes = planned.changes.iter().filter_map(|id| state.plan.changes.get(id));
    let lag = changes.map(|change| change.takes_effect_within + change.lasts_after).max().unwrap_or(Span::ZERO);
    let lag = match planned.emission.as_ref().map(|emission| &emission.cleanup) {
        Some(Cleanup::Sweep { arrives_within, .. }) => *arrives_within,
        _ => lag,
    };
    let over = state.step_ends(step).map_or(Time::NEVER, |ends| ends + lag + METRIC_PERIOD);
    began < reading.to && over > reading.from
}
