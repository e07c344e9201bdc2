//! Game days in the store: their events, and what others ask of one while a process leads it.

use super::StoreError;
use crate::gameday::command::Ask;
use crate::gameday::event::Recorded;
use crate::ids::DayId;

/// What every store can do with game days.
pub trait Days {
    /// Appends events to a day, durably and all or none; the first ones make it. Their numbers follow those that are there, so
    /// that of two processes that lead a day the second one is refused. What was asked up to the number `taken` goes in
    /// the same step: it is in these events now.
    ///
    /// # Errors
    /// The numbers do not follow, or the store cannot be used.
    fn append_day(&mut self, day: &DayId, events: &[Recorded], taken: Option<u64>) -> Result<(), StoreError>;

    /// Every event of a day, in order, its chain checked.
    ///
    /// # Errors
    /// There is no such day, or its events were changed from outside.
    fn day_events(&self, day: &DayId) -> Result<Vec<Recorded>, StoreError>;

    /// The events of a day after a number, in order. Their chain is not checked: for those who follow a day.
    ///
    /// # Errors
    /// As [`Days::day_events`].
    fn day_events_after(&self, day: &DayId, seq: u64) -> Result<Vec<Recorded>, StoreError> {
        Ok(self.day_events(day)?.into_iter().filter(|event| event.seq > seq).collect())
    }

    /// Every day, newest first.
    ///
    /// # Errors
    /// The store cannot be used.
    fn days(&self) -> Result<Vec<DayId>, StoreError>;

    /// Leaves something to be asked of a day, durably, and gives its number.
    ///
    /// # Errors
    /// There is no such day, or the store cannot be used.
    fn ask_day(&mut self, day: &DayId, ask: &Ask) -> Result<u64, StoreError>;

    /// What was asked and not taken yet, in order.
    ///
    /// # Errors
    /// As [`Days::ask_day`].
    fn day_asks(&self, day: &DayId) -> Result<Vec<(u64, Ask)>, StoreError>;
}

impl StoreError {
    /// There is no such day.
    pub fn no_day(day: &DayId) -> StoreError {
        StoreError::Failed(format!("there is no game day {day}; `squall gameday status --all` lists them"))
    }

    /// Refuses events that do not follow the last one of a day without a gap.
    pub(super) fn check_day(day: &DayId, last: u64, events: &[Recorded]) -> Result<(), StoreError> {
        match (last + 1..).zip(events).find(|(expected, event)| *expected != event.seq) {
            None => Ok(()),
            Some((_, event)) => Err(StoreError::Failed(format!(
                "event {} of {day} does not follow event {last}; another process leads this day now",
                event.seq
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gameday::command::Command;
    use crate::gameday::event::{Event, Phase};
    use crate::gameday::role::{Actor, Person, Role};
    use crate::store::memory::MemoryStore;
    use crate::store::sqlite::SqliteStore;
    use crate::units::Time;

    fn event(seq: u64) -> Recorded {
        Recorded { seq, at: Time::from_micros(seq as i64), event: Event::Entered { phase: Phase::Readiness } }
    }

    fn ask(text: &str) -> Ask {
        let by = Actor { person: Person("Sam".into()), role: Role::Scribe, agent: false };
        Ask { by, command: Command::Note { text: text.into() } }
    }

    /// What every store must do, seen by two processes.
    fn check(first: &mut dyn Days, second: &mut dyn Days) {
        let (day, other) = (DayId("day-1".into()), DayId("day-2".into()));
        assert!(second.day_events(&day).is_err() && second.ask_day(&day, &ask("early")).is_err());
        first.append_day(&day, &[event(1), event(2)], None).unwrap();
        first.append_day(&other, &[event(1)], None).unwrap();
        assert_eq!(second.days().unwrap(), [other.clone(), day.clone()], "newest first");
        assert_eq!(second.day_events(&day).unwrap(), [event(1), event(2)]);
        assert_eq!(second.day_events_after(&day, 1).unwrap(), [event(2)]);
        assert!(second.day_events_after(&day, 2).unwrap().is_empty());
        // A process that does not know the last event leads no more.
        assert!(second.append_day(&day, &[event(2)], None).is_err());
        assert!(second.append_day(&day, &[event(4)], None).is_err());
        assert_eq!(first.day_events(&day).unwrap().len(), 2);
        let one = second.ask_day(&day, &ask("one")).unwrap();
        let two = second.ask_day(&day, &ask("two")).unwrap();
        second.ask_day(&other, &ask("other")).unwrap();
        assert_eq!(first.day_asks(&day).unwrap(), [(one, ask("one")), (two, ask("two"))]);
        // What was asked goes in the same step in which it is recorded, and stays when that is refused.
        assert!(first.append_day(&day, &[event(9)], Some(one)).is_err());
        assert_eq!(second.day_asks(&day).unwrap().len(), 2);
        first.append_day(&day, &[event(3)], Some(one)).unwrap();
        assert_eq!(second.day_asks(&day).unwrap(), [(two, ask("two"))]);
        assert_eq!(second.day_asks(&other).unwrap().len(), 1);
    }

    #[test]
    fn every_store_keeps_days() {
        let mut memory = MemoryStore::new();
        let mut another = memory.another_process();
        check(&mut memory, &mut another);
        let folder = tempfile::tempdir().unwrap();
        let open = || SqliteStore::open(folder.path()).unwrap();
        let (mut first, mut second) = (open(), open());
        check(&mut first, &mut second);
        let alone = first.lead_alone(&DayId("day-1".into())).unwrap();
        assert!(alone.is_some() && second.lead_alone(&DayId("day-1".into())).unwrap().is_none());
        drop(alone);
        assert!(second.lead_alone(&DayId("day-1".into())).unwrap().is_some());
    }

    #[test]
    fn an_event_that_was_changed_from_outside_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let day = DayId("day-1".into());
        SqliteStore::open(folder.path()).unwrap().append_day(&day, &[event(1), event(2)], None).unwrap();
        let db = rusqlite::Connection::open(folder.path().join(crate::store::sqlite::FILE)).unwrap();
        db.execute("UPDATE day_events SET body = replace(body, 'readiness', 'closed') WHERE seq = 1", []).unwrap();
        let error = SqliteStore::open(folder.path()).unwrap().day_events(&day).unwrap_err();
        assert!(error.to_string().contains("damaged at event 1"), "{error}");
    }
}
