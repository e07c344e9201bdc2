//! The end: everything settled, the fault gone, the recovery watched, and the run closed.

use super::super::conclude;
use super::super::event::{Event, Phase, Settled, WriteOutcome};
use super::super::in_flight::CallPurpose;
use super::super::judging::Case;
use super::super::machine::Machine;
use crate::judge::recovery::Recovered;
use crate::units::Time;

impl Machine {
    /// Closes the run when nothing is left to roll back and nothing more to see.
    pub(in crate::run) fn advance_end(&mut self) {
        if !self.state.rolling_back() || self.closed() {
            return;
        }
        self.leave_locks();
        let writes = |purpose: &CallPurpose| {
            matches!(
                purpose,
                CallPurpose::Inject(_)
                    | CallPurpose::Arm(_)
                    | CallPurpose::Rollback(_)
                    | CallPurpose::Send { .. }
                    | CallPurpose::DeleteMessage { .. }
                    | CallPurpose::ReleaseMessage(_)
            )
        };
        if !self.state.clean() || self.calls.values().any(writes) {
            return;
        }
        if !self.watches_recovery() {
            return self.close_after_last_looks();
        }
        let Some(gone) = self.state.gone else {
            let gone = self.gone_at();
            if self.now < gone {
                return self.wake_by(gone);
            }
            self.record(Event::FaultGone);
            self.record(Event::Entered { phase: Phase::Recovery });
            return self.wake_by(self.now);
        };
        let limit = self.state.started + self.state.plan.longest;
        // What was seen to break decides the verdict, whatever comes.
        let decided = self.state.signals.iter().any(|known| known.broken.is_some());
        let undecided = Case::judged(&self.state).any(|case| case.recovered(gone) == Recovered::NotYet);
        if !decided && (undecided || self.evidence_is_pending()) && self.now < limit {
            return self.wake_by(limit);
        }
        self.close_after_last_looks();
    }

    /// A lock stays where something else on its resource was left: it says who was here, and how to roll it back.
    fn leave_locks(&mut self) {
        for id in self.locks_that_stay() {
            let why = "the resource still holds something of this run".to_owned();
            self.record(Event::Settled { change: id, how: Settled::Left { why } });
        }
    }

    /// When the last rollback works everywhere, and no effect outlasts it: wrapper caches read again, policies propagated,
    /// delayed messages visible.
    fn gone_at(&self) -> Time {
        let plan = &self.state.plan;
        let worked = |life: &&super::super::state::Life| {
            matches!(life.outcome, Some(WriteOutcome::Applied | WriteOutcome::Unknown(_)))
        };
        let ends = self.state.lives.iter().filter(|(_, life)| worked(life)).filter_map(|(id, life)| {
            let out = life.restoring.or(life.settled.as_ref().map(|(at, _)| *at))?;
            let change = plan.changes.get(id)?;
            Some(out + change.takes_effect_within + change.lasts_after)
        });
        ends.max().unwrap_or(self.now)
    }

    pub(super) fn close(&mut self) {
        let verdict = conclude::verdict(&self.state);
        let left = conclude::left_behind(&self.state);
        self.record(Event::Closed { verdict, left });
    }
}
