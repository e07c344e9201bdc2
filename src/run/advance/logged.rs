//! Evidence in logs: one search for each step, of the minutes from the baseline's start to the step's end, made when the step is
//! over and no measurement has shown its fault. What a run costs by it is known beforehand: one query, one range, a row a minute.

use super::super::event::Event;
use super::super::in_flight::CallPurpose;
use super::super::machine::{Machine, Precondition};
use super::watch::{METRIC_PERIOD, TRIES, TRY_AGAIN};
use crate::account::{Call, CallError, LoggedMinute, Outcome, Reply, Window};
use crate::judge::effectiveness::ENOUGH;
use crate::units::{Span, Time};

/// Lines can be found so long after they were written: Lambda delivers them "typically within seconds, at most minutes"
/// (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html>), and a metric takes as long.
const ARRIVES_WITHIN: Span = Span::from_secs(120);

/// What became of the search for one step.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::run) struct Searching {
    over: bool,
    tries: u32,
    not_before: Time,
}

impl Machine {
    /// Whether there is nothing more to find in the logs for a step that is over; asks for the search when its time has come.
    pub(super) fn logs_are_searched(&mut self, step: usize) -> bool {
        let search = self.state.plan.steps.get(step).and_then(|planned| planned.evidence.logs.clone());
        let (Some(search), Some(window)) = (search, self.searched_window(step)) else { return true };
        let Some(searching) = self.watch.searches.get(step).copied() else { return true };
        if searching.over {
            return true;
        }
        let due = (window.to + ARRIVES_WITHIN).max(searching.not_before);
        if self.now < due {
            self.wake_by(due);
        } else if !self.calls.contains(&CallPurpose::SearchLogs(step)) {
            self.call(CallPurpose::SearchLogs(step), Call::SearchLogs { search, window }, Precondition::Nothing);
        }
        false
    }

    /// The whole minutes from the start of the baseline to the end of a step, where both are long enough to be compared.
    fn searched_window(&self, step: usize) -> Option<Window> {
        let began = self.state.steps.get(step)?.began?;
        let ends = self.state.step_ends(step)?;
        let from = up(self.state.baseline_from());
        let window = Window { from, to: ends.window_start(METRIC_PERIOD) };
        let enough = METRIC_PERIOD * i64::try_from(ENOUGH).unwrap_or(i64::MAX);
        (from + enough <= began && window.to > up(began)).then_some(window)
    }

    /// Takes in what the search of the logs found.
    pub(in crate::run) fn logs_searched(&mut self, step: usize, outcome: Outcome) {
        let now = self.now;
        let Some(searching) = self.watch.searches.get_mut(step) else { return };
        searching.tries += 1;
        let minutes = match outcome {
            Ok(Reply::Logged(minutes)) => minutes,
            Err(CallError::Throttled | CallError::Unknown(_)) if searching.tries < TRIES => {
                searching.not_before = now + TRY_AGAIN;
                return;
            }
            outcome => {
                searching.over = true;
                let why = outcome.err().map_or_else(|| "a wrong kind of answer".to_owned(), |error| error.to_string());
                return self.cannot_search(step, why);
            }
        };
        searching.over = true;
        if let Some((since, seen)) = self.found_in_logs(step, &minutes) {
            self.record(Event::Effective { step, since, seen });
        }
        // No event may say so: the end may have waited for just this.
        self.wake_by(now);
    }

    fn cannot_search(&mut self, step: usize, why: String) {
        let plan = self.state.plan.clone();
        let Some(search) = plan.steps.get(step).and_then(|planned| planned.evidence.logs.as_ref()) else { return };
        let what = format!("the log of {}", search.functions());
        self.record(Event::Blind { what, since: self.now, why });
    }

    /// Lines in whole minutes with the fault, where the baseline has none.
    fn found_in_logs(&self, step: usize, minutes: &[LoggedMinute]) -> Option<(Time, String)> {
        let search = self.state.plan.steps.get(step)?.evidence.logs.as_ref()?;
        let began = self.state.steps.get(step)?.began?;
        let window = self.searched_window(step)?;
        if minutes.iter().any(|minute| minute.from < began.window_start(METRIC_PERIOD)) {
            return None;
        }
        let with = |minute: &&LoggedMinute| minute.from >= began && minute.from + METRIC_PERIOD <= window.to;
        let lines: u64 = minutes.iter().filter(with).map(|minute| minute.lines).sum();
        let first = minutes.iter().filter(with).find(|minute| minute.lines > 0)?;
        let seen = format!("the log of {} has {lines} {}, and in the baseline none", search.functions(), search.trace);
        Some((first.from, seen))
    }
}

/// The first whole minute that does not begin before this.
fn up(time: Time) -> Time {
    let whole = time.window_start(METRIC_PERIOD);
    if whole < time { whole + METRIC_PERIOD } else { whole }
}
