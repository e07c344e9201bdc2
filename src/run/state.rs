//! What is known of a run, folded from its events. A live run and one read back from the journal are the same value.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::event::{Event, MessageAccount, Phase, Settled, Stop, SwitchEnd, WriteOutcome};
use crate::account::{CallError, Sample, SendOutcome, Window};
use crate::judge::verdict::Verdict;
use crate::plan::{ChangeId, Plan, Step};
use crate::units::{Span, Time};

/// More messages than any fault may send: a journal is data from outside, and its ranges are not trusted to be short.
const SENDS: usize = 10_000;

/// A run so far.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub plan: Arc<Plan>,
    pub started: Time,
    /// When each phase was entered.
    pub entered: BTreeMap<Phase, Time>,
    pub lives: BTreeMap<ChangeId, Life>,
    pub steps: Vec<StepState>,
    pub signals: Vec<SignalState>,
    /// The executions of the dead-man switch, as the plan has them.
    pub switches: Vec<SwitchState>,
    /// Requests made by each load.
    pub loaded: Vec<u32>,
    pub stopping: Option<(Time, Stop)>,
    /// Why the rollback could not go on when it was last said, and when that was.
    pub hindered: Option<(Time, String)>,
    /// How long the baseline may go on, where its planned end did not hold.
    pub extended: Option<Time>,
    pub gone: Option<Time>,
    /// From when on writes without an answer are to be read once more.
    pub look_again: Option<Time>,
    pub closed: Option<Verdict>,
    /// Of the last event.
    pub last: Time,
}

/// The life of one change: what was tried, and what may still land.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Life {
    /// When the injection was announced.
    pub intended: Option<Time>,
    pub outcome: Option<WriteOutcome>,
    /// When the rollback was first announced.
    pub ends: Option<Time>,
    /// When the rollback was last announced.
    pub restoring: Option<Time>,
    /// What came of that one; nothing yet while it is in flight, or when its process died.
    pub restored: Option<WriteOutcome>,
    /// When the write was announced that has no outcome yet: in flight, or its process died.
    pending: Option<Time>,
    /// The last moment at which a write whose outcome stayed unknown, injection or rollback, may have been sent.
    doubted: Option<Time>,
    /// The same, and kept when the account shows that the write took effect no later: how late it can is not known.
    pub unanswered: Option<Time>,
    pub settled: Option<(Time, Settled)>,
}

/// One step of the timeline so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepState {
    pub began: Option<Time>,
    pub effective: Option<Time>,
    pub not_effective: bool,
    pub sends: Sends,
}

/// What became of an emission's messages, by their numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sends {
    /// The next number to send.
    pub next: u32,
    pub last_at: Option<Time>,
    pub accepted: BTreeSet<u32>,
    pub refused: BTreeSet<u32>,
    /// Announced, and no outcome known.
    pub unknown: BTreeSet<u32>,
    /// Announced for deletion, whatever came of it.
    pub sweeping: BTreeSet<u32>,
    pub swept: BTreeSet<u32>,
    /// How many may lie in the dead-letter queue, as that was last seen.
    pub dead_lettered: usize,
    pub accounted: Option<MessageAccount>,
}

/// One execution of the dead-man switch so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SwitchState {
    /// When it was announced: from then on there may be one.
    pub announced: Option<Time>,
    /// When the account was known to have it.
    pub armed: Option<Time>,
    pub ended: Option<SwitchEnd>,
}

impl SwitchState {
    fn apply(&mut self, at: Time, event: &Event) {
        match event {
            Event::Arming { .. } => self.announced = Some(at),
            Event::Armed { .. } => self.armed = Some(at),
            Event::SwitchEnded { how, .. } => self.ended = Some(how.clone()),
            _ => {}
        }
    }

    /// Whether there may be one that is not over, as far as is known.
    pub fn is_out(&self) -> bool {
        self.announced.is_some() && self.ended.is_none()
    }
}

/// One signal so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SignalState {
    pub windows: Vec<SignalWindow>,
    pub broken: Option<Window>,
}

/// One closed window of a signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignalWindow {
    pub phase: Phase,
    pub window: Window,
    pub sample: Sample,
    /// How much of a count may be this run's own messages, which are not held against the bound.
    pub own: u32,
    /// Whether this window alone is outside of the bound.
    pub breaks: bool,
}

impl State {
    /// The state after the first event, which is [`Event::Started`]; `None` for any other.
    pub fn start(at: Time, event: &Event) -> Option<State> {
        let Event::Started { plan, .. } = event else { return None };
        Some(State {
            started: at,
            entered: BTreeMap::new(),
            lives: plan.changes.keys().map(|id| (*id, Life::default())).collect(),
            steps: plan.steps.iter().map(StepState::of).collect(),
            signals: vec![SignalState::default(); plan.signals.len()],
            switches: vec![SwitchState::default(); plan.switches.len()],
            loaded: vec![0; plan.load.len()],
            stopping: None,
            hindered: None,
            extended: None,
            gone: None,
            look_again: None,
            closed: None,
            last: at,
            plan: Arc::new(Plan::clone(plan)),
        })
    }

    /// Folds a whole journal. `None` when it does not begin with [`Event::Started`].
    pub fn replay<'a>(events: impl IntoIterator<Item = (Time, &'a Event)>) -> Option<State> {
        let mut events = events.into_iter();
        let (at, first) = events.next()?;
        let mut state = State::start(at, first)?;
        for (at, event) in events {
            state.apply(at, event);
        }
        Some(state)
    }

    /// Takes in the next event. A number that the plan does not have is ignored: a journal is data from outside.
    pub fn apply(&mut self, at: Time, event: &Event) {
        self.last = self.last.max(at);
        match event {
            Event::Started { .. }
            | Event::Unmeasured { .. }
            | Event::Blind { .. }
            | Event::Sighted { .. }
            | Event::Acknowledged { .. } => {}
            Event::LookAgain { from, .. } => self.look_again = Some(*from),
            Event::Hindered { why } => self.hindered = Some((at, why.clone())),
            Event::Extended { until, .. } => self.extended = Some(*until),
            Event::TakenOver { .. } => self.reopen(at),
            Event::Entered { phase } => {
                self.entered.insert(*phase, at);
            }
            Event::Sampled { signal, phase, window, sample, breaks } => {
                let plan = self.plan.clone();
                let planned = plan.signals.get(*signal);
                let own = planned.map_or(0, |planned| self.own_part(planned, sample.value));
                if let Some(planned) = planned {
                    self.count_dead_letters(planned, sample.value);
                }
                if let Some(known) = self.signals.get_mut(*signal) {
                    known.windows.push(SignalWindow {
                        phase: *phase,
                        window: *window,
                        sample: *sample,
                        own,
                        breaks: *breaks,
                    });
                }
            }
            Event::Arming { switch } | Event::Armed { switch, .. } | Event::SwitchEnded { switch, .. } => {
                if let Some(known) = self.switches.get_mut(*switch) {
                    known.apply(at, event);
                }
            }
            Event::SignalBroken { signal, window } => {
                if let Some(known) = self.signals.get_mut(*signal) {
                    known.broken.get_or_insert(*window);
                }
            }
            Event::Changing { .. }
            | Event::Changed { .. }
            | Event::Restoring { .. }
            | Event::Restored { .. }
            | Event::FoundAgain { .. }
            | Event::Settled { .. } => self.apply_to_change(at, event),
            Event::StepBegins { step }
            | Event::Effective { step, .. }
            | Event::NotEffective { step }
            | Event::Sending { step, .. }
            | Event::Sent { step, .. }
            | Event::Sweeping { step, .. }
            | Event::Swept { step, .. }
            | Event::Accounted { step, .. } => {
                if let Some(known) = self.steps.get_mut(*step) {
                    known.apply(at, event);
                }
            }
            Event::Loaded { load, requests, .. } => {
                if let Some(loaded) = self.loaded.get_mut(*load) {
                    *loaded = loaded.saturating_add(*requests);
                }
            }
            Event::Stopping { why } => {
                self.stopping.get_or_insert((at, why.clone()));
            }
            Event::FaultGone => self.gone = Some(at),
            Event::Closed { verdict, .. } => self.closed = Some(verdict.clone()),
        }
    }

    /// The process that takes a run over looks again at what the one before left. The process before may have sent what it announced
    /// until now.
    fn reopen(&mut self, at: Time) {
        self.closed = None;
        for life in self.lives.values_mut() {
            if life.pending.is_some() {
                life.doubt(at);
            }
            if life.settled.as_ref().is_some_and(|(_, how)| how.needs_attention()) {
                life.settled = None;
            }
        }
        for switch in &mut self.switches {
            if matches!(switch.ended, Some(SwitchEnd::Unstopped { .. })) {
                switch.ended = None;
            }
        }
        for step in &mut self.steps {
            if step.sends.accounted.as_ref().is_some_and(|account| account.left > 0 || !account.not_found.is_empty()) {
                step.sends.accounted = None;
            }
        }
    }

    fn apply_to_change(&mut self, at: Time, event: &Event) {
        let (Event::Changing { change }
        | Event::Changed { change, .. }
        | Event::Restoring { change, .. }
        | Event::Restored { change, .. }
        | Event::FoundAgain { change }
        | Event::Settled { change, .. }) = event
        else {
            return;
        };
        let Some(life) = self.lives.get_mut(change) else { return };
        match event {
            Event::Changing { .. } => {
                life.intended = Some(at);
                life.outcome = None;
                life.pending = Some(at);
            }
            Event::Changed { outcome, .. } => {
                life.landed(at, outcome);
                // Seen to have landed after all: one request lands once.
                if matches!(outcome, WriteOutcome::Applied) {
                    life.doubted = None;
                    life.unanswered = None;
                }
                life.outcome = Some(outcome.clone());
            }
            Event::Restoring { .. } => {
                life.begins_to_restore(at);
            }
            Event::Restored { outcome, .. } => {
                life.landed(at, outcome);
                life.restored = Some(outcome.clone());
            }
            Event::FoundAgain { .. } => life.settled = None,
            Event::Settled { how, .. } => life.settled = Some((at, how.clone())),
            _ => {}
        }
    }

    /// When the windows of the baseline begin: clock-aligned, so that every window is whole.
    pub fn baseline_from(&self) -> Time {
        let every = self.plan.signals.iter().map(|s| s.every).max().unwrap_or(Span::ZERO).max(Span::from_secs(1));
        self.first_window(every)
    }

    /// When the first whole window of this length begins. Each length lies on the clock by itself: windows of two and of five
    /// minutes begin at different times.
    pub fn first_window(&self, every: Span) -> Time {
        let start = self.entered.get(&Phase::Baseline).copied().unwrap_or(self.started);
        let aligned = start.window_start(every);
        if aligned == start { start } else { aligned + every }
    }

    /// When the baseline's last window ends.
    pub fn baseline_until(&self) -> Time {
        self.baseline_from() + self.plan.baseline
    }

    /// The end of the accepted baseline, which `at` counts from.
    pub fn t0(&self) -> Option<Time> {
        self.entered.get(&Phase::Fault).copied()
    }

    /// Whether the rollback of everything has begun.
    pub fn rolling_back(&self) -> bool {
        self.entered.contains_key(&Phase::Rollback)
    }

    /// Whether a step was seen to work throughout a window: from its effect on, and until its rollback began.
    pub fn works_throughout(&self, step: usize, window: Window) -> bool {
        let effective = self.steps.get(step).and_then(|known| known.effective);
        let ends = self.step_ends(step).unwrap_or(Time::NEVER);
        effective.is_some_and(|effective| window.from >= effective && window.to <= ends)
    }

    /// When the rollback of a step began, or, for messages, when no more of them were sent. Nothing before that.
    pub fn step_ends(&self, step: usize) -> Option<Time> {
        let undo = self.entered.get(&Phase::Rollback).copied();
        let own = self.plan.steps.get(step).and_then(|planned| match planned.changes.is_empty() {
            true => self.t0().map(|t0| t0 + planned.ends()),
            false => planned.changes.iter().filter_map(|id| self.lives.get(id)?.ends).min(),
        });
        own.into_iter().chain(undo).min()
    }

    /// When the first fault was seen to work.
    pub fn first_effect(&self) -> Option<Time> {
        self.steps.iter().filter_map(|s| s.effective).min()
    }

    /// From when on a read that shows the value before settles a change. A write of a key carries the whole document, so
    /// there a write in doubt for one key is in doubt for all of them.
    pub fn settles_from(&self, id: ChangeId) -> Time {
        let Some(setting) = self.plan.changes.get(&id).map(|change| &change.setting) else { return Time::EPOCH };
        let shares = |other: &ChangeId| {
            *other == id
                || setting.key().is_some()
                    && self
                        .plan
                        .changes
                        .get(other)
                        .is_some_and(|c| c.setting.key().is_some() && c.setting.resource() == setting.resource())
        };
        let lives = self.lives.iter().filter(|(other, _)| shares(other));
        lives.map(|(_, life)| life.settles_from(setting.quiet())).max().unwrap_or(Time::EPOCH)
    }

    /// Changes that are, or may be, in the account now.
    pub fn outstanding(&self) -> impl Iterator<Item = ChangeId> + '_ {
        self.lives.iter().filter(|(_, life)| life.outstanding()).map(|(id, _)| *id)
    }

    /// Steps whose messages are still to be accounted for.
    pub fn unaccounted(&self) -> impl Iterator<Item = usize> + '_ {
        self.steps.iter().enumerate().filter(|(_, s)| s.sends.owed()).map(|(index, _)| index)
    }

    /// Whether nothing that this run did can still be in the account, or a person was told.
    pub fn clean(&self) -> bool {
        self.outstanding().next().is_none() && self.unaccounted().next().is_none()
    }
}

impl Life {
    /// Announced, not settled, and not known to have been refused.
    pub fn outstanding(&self) -> bool {
        self.intended.is_some() && self.settled.is_none() && !matches!(self.outcome, Some(WriteOutcome::Refused(_)))
    }

    /// Whether it was given up, with the setting as it is.
    pub fn is_left(&self) -> bool {
        matches!(self.settled, Some((_, Settled::Left { .. })))
    }

    /// Whether the injection is known to have worked and no rollback has begun.
    pub fn holds(&self) -> bool {
        matches!(self.outcome, Some(WriteOutcome::Applied)) && self.restoring.is_none() && self.settled.is_none()
    }

    /// From when on a read that shows the value before settles the change, as far as its own writes go: none of them
    /// can land any more, and no reader sees an older value. `quiet` is the setting's.
    fn settles_from(&self, quiet: Span) -> Time {
        let restored = matches!(self.restored, Some(WriteOutcome::Applied));
        // An injection that was acknowledged and never rolled back by us: a read of the old value may just be a stale one.
        let stale = match (&self.outcome, restored) {
            (Some(WriteOutcome::Applied), false) => self.intended,
            _ => None,
        };
        self.doubted.max(self.pending).max(stale).map_or(Time::EPOCH, |at| at + quiet)
    }

    /// An announced write has an outcome. One without an answer may have been sent, and sent again, until now.
    fn landed(&mut self, at: Time, outcome: &WriteOutcome) {
        if matches!(outcome, WriteOutcome::Unknown(_)) {
            self.doubt(at);
        }
        self.pending = None;
    }

    /// The value before is about to be written. The write before that may still take effect, even when this one does.
    fn begins_to_restore(&mut self, at: Time) {
        if let Some(sent) = self.pending {
            self.doubt(sent);
        }
        self.pending = Some(at);
        self.ends.get_or_insert(at);
        self.restoring = Some(at);
        self.restored = None;
    }

    fn doubt(&mut self, at: Time) {
        self.doubted = self.doubted.max(Some(at));
        self.unanswered = self.unanswered.max(Some(at));
    }

    /// The last moment at which a write may have been sent without it being known whether it took effect.
    pub fn may_land(&self) -> Option<Time> {
        self.unanswered.max(self.pending)
    }

    /// When the last write was announced, or may have been sent.
    pub fn last_write(&self) -> Option<Time> {
        self.intended.max(self.restoring).max(self.may_land())
    }
}

impl StepState {
    fn of(step: &Step) -> StepState {
        let next = step.emission.as_ref().map_or(1, |emission| emission.first);
        StepState { sends: Sends { next, ..Sends::default() }, ..StepState::default() }
    }

    fn apply(&mut self, at: Time, event: &Event) {
        let sends = &mut self.sends;
        match event {
            Event::StepBegins { .. } => self.began = Some(at),
            Event::Effective { since, .. } => {
                self.effective.get_or_insert(*since);
            }
            Event::NotEffective { .. } => self.not_effective = true,
            Event::Sending { first, last, .. } => {
                sends.next = last.saturating_add(1);
                sends.last_at = Some(at);
                sends.unknown.extend((*first..=*last).take(SENDS));
            }
            Event::Sent { first, outcomes: Ok(outcomes), .. } => {
                for (number, outcome) in (*first..).zip(outcomes) {
                    sends.unknown.remove(&number);
                    match outcome {
                        SendOutcome::Accepted => sends.accepted.insert(number),
                        SendOutcome::Refused(_) => sends.refused.insert(number),
                    };
                }
            }
            Event::Sent { outcomes: Err(CallError::Unknown(_)), .. } => {}
            Event::Sent { first, last, outcomes: Err(_), .. } => {
                for number in (*first..=*last).take(SENDS) {
                    sends.unknown.remove(&number);
                    sends.refused.insert(number);
                }
            }
            Event::Sweeping { number, .. } => {
                sends.sweeping.insert(*number);
            }
            Event::Swept { number, .. } => {
                sends.swept.insert(*number);
            }
            Event::Accounted { account, .. } => sends.accounted = Some(account.clone()),
            _ => {}
        }
    }
}

impl Sends {
    /// How many of them may lie in a queue. What the accounting found gone hides no other message any more.
    pub(super) fn present(&self) -> usize {
        match &self.accounted {
            Some(account) => {
                usize::try_from(account.left).unwrap_or(usize::MAX).saturating_add(account.not_found.len())
            }
            None => (self.accepted.len() + self.unknown.len()).saturating_sub(self.swept.len()),
        }
    }

    /// Whether messages were, or may have been, sent that are not accounted for yet.
    pub fn owed(&self) -> bool {
        self.accounted.is_none() && !(self.accepted.is_empty() && self.unknown.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_are_accounted_for_hide_nobody_elses() {
        let mut sends = Sends { accepted: (1..=20).collect(), ..Sends::default() };
        sends.swept.extend([1, 2]);
        assert_eq!(sends.present(), 18);
        let account = MessageAccount {
            accepted: 20,
            swept: 2,
            consumed: (3..=19).collect(),
            not_found: vec![20],
            ..Default::default()
        };
        sends.accounted = Some(account);
        assert_eq!(sends.present(), 1);
    }

    /// A run that begins at any second asks for windows that the clock has: those of CloudWatch do.
    #[test]
    fn windows_of_each_length_lie_on_the_clock() {
        let at = |text: &str| format!("2026-03-02T{text}Z").parse::<Time>().unwrap();
        let events = crate::report::sample::held();
        let mut state = State::replay(events.iter().take(1).map(|recorded| (recorded.at, &recorded.event))).unwrap();
        for (begins, one, two, five) in [
            ("09:00:00", "09:00:00", "09:00:00", "09:00:00"),
            ("09:00:01", "09:01:00", "09:02:00", "09:05:00"),
            ("09:03:20", "09:04:00", "09:04:00", "09:05:00"),
            ("09:05:00", "09:05:00", "09:06:00", "09:05:00"),
        ] {
            state.entered.insert(Phase::Baseline, at(begins));
            let first = [1, 2, 5].map(|minutes| state.first_window(Span::from_mins(minutes)));
            assert_eq!(first, [at(one), at(two), at(five)], "from {begins}");
        }
    }

    /// The write of a process that died has no answer, and may take effect after the rollback's own.
    #[test]
    fn a_restore_that_worked_says_nothing_of_the_write_before_it() {
        let at = |text: &str| text.parse::<Time>().unwrap();
        let (sent, restored) = (at("2026-03-02T10:00:00Z"), at("2026-03-02T10:00:10Z"));
        let mut life = Life { pending: Some(sent), ..Life::default() };
        life.begins_to_restore(restored);
        life.landed(restored, &WriteOutcome::Applied);
        assert_eq!(life.may_land(), Some(sent));
    }
}
