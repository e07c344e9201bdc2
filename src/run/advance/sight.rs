//! Sight: what a run relies on has to be seen. An error or a time-out is blindness; an empty answer is, where every window of
//! the baseline had data. What is not seen for [`BLIND_FOR`] stops the run.

use super::super::event::{Event, Stop};
use super::super::machine::Machine;
use crate::units::{Span, Time};

/// How long a guard, a changed setting or the evidence of a step may not be seen before the run stops.
pub(super) const BLIND_FOR: Span = Span::from_mins(3);

/// What one look showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Seen,
    /// The account answered, and there was no value.
    Empty,
    /// An error, or no answer.
    Failed,
}

/// How well one thing is seen.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::run) struct Sight {
    blind: Option<Time>,
    /// Whether a window of the baseline had no data, so that none is no sign of blindness.
    may_be_empty: bool,
}

/// What a look changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SightChange {
    Nothing,
    /// It is seen no more.
    Lost,
    Regained,
    /// It has not been seen since then, which is too long.
    LostFor(Time),
}

impl Sight {
    /// Since when nothing is seen.
    pub(super) fn blind(&self) -> Option<Time> {
        self.blind
    }

    /// Takes in a look.
    pub(super) fn take(&mut self, look: Look, now: Time, in_baseline: bool) -> SightChange {
        self.may_be_empty |= in_baseline && look == Look::Empty;
        let blind = match look {
            Look::Seen => false,
            Look::Failed => true,
            Look::Empty => !in_baseline && !self.may_be_empty,
        };
        match (self.blind, blind) {
            (None, true) => {
                self.blind = Some(now);
                SightChange::Lost
            }
            (Some(_), false) => {
                self.blind = None;
                SightChange::Regained
            }
            (Some(since), true) if now >= since + BLIND_FOR => SightChange::LostFor(since),
            _ => SightChange::Nothing,
        }
    }
}

impl Machine {
    /// Records what became of the sight of something, and stops the run when nothing was seen of it for too long.
    pub(super) fn note_sight(&mut self, change: SightChange, what: impl FnOnce() -> String, why: &str) {
        match change {
            SightChange::Nothing => {}
            SightChange::Lost => {
                let since = self.now;
                self.record(Event::Blind { what: what(), since, why: why.to_owned() });
            }
            SightChange::Regained => self.record(Event::Sighted { what: what() }),
            SightChange::LostFor(since) if self.may_inject() => self.stop(Stop::Blind { what: what(), since }),
            SightChange::LostFor(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(number: i64) -> Time {
        Time::EPOCH + Span::from_mins(number)
    }

    /// What the looks change, one a minute; `.` seen, `?` empty, `!` failed. The baseline lasts until `|`.
    fn changes(looks: &str) -> Vec<SightChange> {
        let (mut sight, mut in_baseline) = (Sight::default(), looks.contains('|'));
        let mut changes = Vec::new();
        for look in looks.chars() {
            let look = match look {
                '|' => {
                    in_baseline = false;
                    continue;
                }
                '.' => Look::Seen,
                '?' => Look::Empty,
                _ => Look::Failed,
            };
            let now = minute(i64::try_from(changes.len()).unwrap());
            changes.push(sight.take(look, now, in_baseline));
        }
        changes
    }

    #[test]
    fn errors_are_blindness_and_empty_answers_only_where_there_always_was_data() {
        use SightChange::{Lost, LostFor, Nothing, Regained};
        assert_eq!(changes("..|!.."), [Nothing, Nothing, Lost, Regained, Nothing]);
        assert_eq!(changes(".|!!!!!"), [Nothing, Lost, Nothing, Nothing, LostFor(minute(1)), LostFor(minute(1))]);
        assert_eq!(changes("..|????"), [Nothing, Nothing, Lost, Nothing, Nothing, LostFor(minute(2))]);
        assert_eq!(changes(".?|????"), [Nothing; 6]);
        assert_eq!(changes(".?|!?"), [Nothing, Nothing, Lost, Regained], "an answer was given");
    }
}
