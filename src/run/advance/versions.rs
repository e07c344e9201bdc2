//! Published versions: a version of a function that others publish while its variables are changed keeps them for good, and no
//! rollback changes a version. So at the end those that have the run's variables are looked for and named.

use super::super::event::{Event, Settled, WriteOutcome};
use super::super::in_flight::CallPurpose;
use super::super::machine::{Machine, Precondition};
use crate::account::{Call, Outcome, Reply};
use crate::plan::ChangeId;
use crate::units::{Span, Time};

/// How often it is tried.
const TRIES: u32 = 5;
/// Between two tries.
const TRY_AGAIN: Span = Span::from_secs(5);

/// What is known of the versions that hold a change.
#[derive(Clone, Copy, Debug)]
pub(in crate::run) enum Versions {
    NotSeen { tries: u32, not_before: Time },
    Seen,
}

impl Machine {
    /// Looks for versions that hold a change which is out by now. Whether an answer is still to come.
    pub(super) fn versions_are_pending(&mut self) -> bool {
        let plan = self.state.plan.clone();
        let mut pending = false;
        for (id, since) in self.may_be_published() {
            let known = self.versions.entry(id).or_insert(Versions::NotSeen { tries: 0, not_before: Time::EPOCH });
            let Versions::NotSeen { not_before, .. } = *known else { continue };
            pending = true;
            if self.now < not_before {
                self.wake_by(not_before);
            } else if !self.calls.contains(&CallPurpose::Versions(id))
                && let Some(change) = plan.changes.get(&id)
            {
                let (setting, value) = (change.setting.clone(), change.after.clone());
                self.call(CallPurpose::Versions(id), Call::Versions { setting, value, since }, Precondition::Nothing);
            }
        }
        pending
    }

    /// Changes that are out and may have been in when a version was published, and since when.
    fn may_be_published(&self) -> Vec<(ChangeId, Time)> {
        let lives = self.state.lives.iter().filter(|(id, life)| {
            let out = matches!(life.settled, Some((_, Settled::Restored | Settled::AlreadyBefore)));
            let never_in = matches!(life.outcome, Some(WriteOutcome::Refused(_)));
            let change = self.state.plan.changes.get(id);
            out && !never_in && change.is_some_and(|change| change.setting.is_published())
        });
        lives.filter_map(|(id, life)| Some((*id, self.began().min(life.intended?)))).collect()
    }

    /// A later rollback does not know when the run began: what it reads says that it made its plan before that.
    fn began(&self) -> Time {
        if self.state.plan.rolls_back.is_some() { self.state.plan.made_at } else { Time::NEVER }
    }

    pub(in crate::run) fn versions_seen(&mut self, id: ChangeId, outcome: Outcome) {
        let tries = match self.versions.get(&id) {
            Some(Versions::NotSeen { tries, .. }) => tries + 1,
            _ => 1,
        };
        let how = match outcome {
            Ok(Reply::Versions(versions)) if versions.is_empty() => None,
            Ok(Reply::Versions(versions)) => Some(Settled::Published { versions }),
            Ok(_) | Err(_) if tries < TRIES => {
                let not_before = self.now + TRY_AGAIN;
                self.versions.insert(id, Versions::NotSeen { tries, not_before });
                return;
            }
            other => {
                let why = other.map_or_else(|error| error.to_string(), |reply| format!("{reply:?}"));
                let why =
                    format!("they are rolled back, but whether a version was published with them is not known: {why}");
                Some(Settled::Left { why })
            }
        };
        self.versions.insert(id, Versions::Seen);
        if let Some(how) = how {
            self.record(Event::Settled { change: id, how });
        }
    }
}
