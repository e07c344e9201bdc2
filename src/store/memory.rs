//! A store in memory: for tests, and for the crash grid, which clones the world at each point.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::approvals::ApprovalRow;
use super::days::Days;
use super::invitations::Invitations;
use super::occurrences::{Fate, OccurrenceKey, OccurrenceRow};
use super::outbox::{Outgoing, Tried, WaitingMail};
use super::prune::Pruned;
use super::{Conflict, Epoch, RunRow, Store, StoreError, conflict_between};
use crate::access::invitation::Invitation;
use crate::access::token::{TokenHash, TokenRow};
use crate::access::{Act, PersonName};
use crate::account::Resource;
use crate::gameday;
use crate::gameday::command::Ask;
use crate::ids::{DayId, RunId, ScheduleName};
use crate::run::event::Recorded;
use crate::units::Time;

/// One process's handle on a store in memory. Dropping it ends the process: what it held is free.
///
/// A clone is a copy of the whole store, independent of this one, as the same process sees it.
#[derive(Debug, Default)]
pub struct MemoryStore {
    shared: Arc<Mutex<Shared>>,
    process: u64,
}

#[derive(Clone, Debug, Default)]
struct Shared {
    runs: BTreeMap<RunId, Run>,
    halt: Option<String>,
    /// Each with the definition that it has, and since when.
    schedules: BTreeMap<ScheduleName, (String, Time)>,
    occurrences: BTreeMap<OccurrenceKey, OccurrenceRow>,
    days: BTreeMap<DayId, Kept>,
    tokens: BTreeMap<PersonName, TokenRow>,
    invitations: Vec<Invitation>,
    acts: Vec<Act>,
    approvals: Vec<ApprovalRow>,
    /// Each with what came of the last try.
    outbox: Vec<(Outgoing, Option<Tried>)>,
    mail_number: i64,
    disk_broken: Option<String>,
    processes: u64,
}

/// A day in memory.
#[derive(Clone, Debug, Default)]
struct Kept {
    /// Counts days in the order of their creation.
    number: usize,
    events: Vec<gameday::event::Recorded>,
    asks: BTreeMap<u64, Ask>,
    asked: u64,
}

#[derive(Clone, Debug)]
struct Run {
    /// Counts runs in the order of their creation.
    number: usize,
    owner: String,
    epoch: Epoch,
    holder: Option<u64>,
    events: Vec<Arc<Recorded>>,
    asked_by: Option<String>,
    changes: Vec<Resource>,
    watches: Vec<Resource>,
}

impl Clone for MemoryStore {
    fn clone(&self) -> MemoryStore {
        MemoryStore { shared: Arc::new(Mutex::new(self.lock().clone())), process: self.process }
    }
}

impl Drop for MemoryStore {
    fn drop(&mut self) {
        self.crash();
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// Another process on the same store.
    pub fn another_process(&self) -> MemoryStore {
        let mut shared = self.lock();
        shared.processes += 1;
        MemoryStore { shared: Arc::clone(&self.shared), process: shared.processes }
    }

    /// This process dies: it holds nothing any more, and what was appended stays.
    pub fn crash(&mut self) {
        let process = self.process;
        for run in self.lock().runs.values_mut().filter(|run| run.holder == Some(process)) {
            run.holder = None;
        }
    }

    /// From now on every write fails with this reason, or works again.
    pub fn break_disk(&mut self, why: Option<&str>) {
        self.lock().disk_broken = why.map(str::to_owned);
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn check_disk(&self) -> Result<(), StoreError> {
        self.disk_broken.as_ref().map_or(Ok(()), |why| Err(StoreError::Failed(why.clone())))
    }

    fn run(&self, run: &RunId) -> Result<&Run, StoreError> {
        self.runs.get(run).ok_or_else(|| StoreError::NoSuchRun(run.clone()))
    }

    fn run_mut(&mut self, run: &RunId) -> Result<&mut Run, StoreError> {
        if let Some(why) = &self.disk_broken {
            return Err(StoreError::Failed(why.clone()));
        }
        self.runs.get_mut(run).ok_or_else(|| StoreError::NoSuchRun(run.clone()))
    }
}

impl Run {
    fn is_closed(&self) -> bool {
        self.events.last().is_some_and(|last| last.event.is_last())
    }

    fn row(&self, run: &RunId) -> RunRow {
        let (first, last) = (self.events.first(), self.events.last());
        let before = self.events.iter().nth_back(1);
        RunRow::empty(run.clone(), self.owner.clone(), self.epoch, self.holder.is_some())
            .begun(first.map(|first| first.at), first.map(|first| &first.event))
            .ended(first.map(|first| &first.event), before.map(|before| &before.event), last.map(|last| &last.event))
    }
}

impl Store for MemoryStore {
    fn create(&mut self, run: &RunId, owner: &str) -> Result<Epoch, StoreError> {
        let mut shared = self.lock();
        if let Some(why) = &shared.disk_broken {
            return Err(StoreError::Failed(why.clone()));
        }
        if shared.runs.contains_key(run) {
            return Err(StoreError::exists(run));
        }
        let created = Run {
            number: shared.runs.len(),
            owner: owner.to_owned(),
            epoch: Epoch(1),
            holder: Some(self.process),
            events: Vec::new(),
            asked_by: None,
            changes: Vec::new(),
            watches: Vec::new(),
        };
        shared.runs.insert(run.clone(), created);
        Ok(Epoch(1))
    }

    fn append(&mut self, run: &RunId, epoch: Epoch, events: &[Recorded]) -> Result<(), StoreError> {
        let mut shared = self.lock();
        let journal = shared.run_mut(run)?;
        if journal.epoch != epoch {
            return Err(StoreError::EpochLost { run: run.clone(), by: journal.owner.clone() });
        }
        if journal.is_closed() && !events.is_empty() {
            return Err(StoreError::Closed(run.clone()));
        }
        StoreError::check_numbers(run, journal.events.len() as u64, events)?;
        journal.events.extend(events.iter().cloned().map(Arc::new));
        if journal.is_closed() {
            journal.holder = None;
        }
        Ok(())
    }

    fn events(&self, run: &RunId) -> Result<Vec<Recorded>, StoreError> {
        Ok(self.lock().run(run)?.events.iter().map(|event| Recorded::clone(event)).collect())
    }

    fn events_after(&self, run: &RunId, seq: u64, most: usize) -> Result<Vec<Recorded>, StoreError> {
        let shared = self.lock();
        let after = shared.run(run)?.events.iter().filter(|event| event.seq > seq);
        Ok(after.take(most).map(|event| Recorded::clone(event)).collect())
    }

    fn runs(&self) -> Result<Vec<RunRow>, StoreError> {
        let shared = self.lock();
        let mut runs: Vec<_> = shared.runs.iter().collect();
        runs.sort_by_key(|(_, run)| std::cmp::Reverse(run.number));
        Ok(runs.into_iter().map(|(id, run)| run.row(id)).collect())
    }

    fn is_alive(&self, run: &RunId) -> Result<bool, StoreError> {
        Ok(self.lock().run(run)?.holder.is_some())
    }

    fn take_over(&mut self, run: &RunId, owner: &str) -> Result<Epoch, StoreError> {
        let process = self.process;
        let mut shared = self.lock();
        let taken = shared.run_mut(run)?;
        if taken.is_closed() {
            return Err(StoreError::Closed(run.clone()));
        }
        taken.epoch.0 += 1;
        taken.owner = owner.to_owned();
        taken.holder = Some(process);
        taken.asked_by = None;
        Ok(taken.epoch)
    }

    fn ask_to_stop(&mut self, run: &RunId, by: &str) -> Result<(), StoreError> {
        self.lock().run_mut(run)?.asked_by.get_or_insert_with(|| by.to_owned());
        Ok(())
    }

    fn stop_asked(&self, run: &RunId) -> Result<Option<String>, StoreError> {
        let shared = self.lock();
        Ok(shared.run(run)?.asked_by.clone().or_else(|| shared.halt.clone()))
    }

    fn claim(
        &mut self,
        run: &RunId,
        changes: &[Resource],
        watches: &[Resource],
    ) -> Result<Result<(), Conflict>, StoreError> {
        let mut shared = self.lock();
        shared.run_mut(run)?;
        for (id, other) in shared.runs.iter().filter(|(id, other)| *id != run && !other.is_closed()) {
            if let Some(conflict) = conflict_between(changes, watches, id, &other.changes, &other.watches) {
                return Ok(Err(conflict));
            }
        }
        let claimant = shared.run_mut(run)?;
        claimant.changes = changes.to_vec();
        claimant.watches = watches.to_vec();
        Ok(Ok(()))
    }

    fn release(&mut self, run: &RunId) -> Result<(), StoreError> {
        let mut shared = self.lock();
        let run = shared.run_mut(run)?;
        run.changes.clear();
        run.watches.clear();
        Ok(())
    }

    fn set_halt(&mut self, by: Option<&str>) -> Result<(), StoreError> {
        let mut shared = self.lock();
        if let Some(why) = &shared.disk_broken {
            return Err(StoreError::Failed(why.clone()));
        }
        shared.halt = by.map(str::to_owned);
        // A halt stops every run that has not ended, also when it is lifted before a run has looked.
        if let Some(by) = by {
            let open = shared.runs.values_mut().filter(|run| !run.is_closed());
            open.for_each(|run| run.asked_by = Some(by.to_owned()));
        }
        Ok(())
    }

    fn halted(&self) -> Result<Option<String>, StoreError> {
        Ok(self.lock().halt.clone())
    }

    fn counted_from(&mut self, schedule: &ScheduleName, definition: &str, now: Time) -> Result<Time, StoreError> {
        let mut shared = self.lock();
        shared.check_disk()?;
        let known = shared.schedules.get(schedule).filter(|(known, _)| known == definition).map(|(_, since)| *since);
        let since = known.unwrap_or(now);
        shared.schedules.insert(schedule.clone(), (definition.to_owned(), since));
        let own = shared.occurrences.keys().filter(|key| key.schedule == *schedule && !key.by_hand);
        Ok(own.map(|key| key.at).max().map_or(since, |last| last.max(since)))
    }

    fn claim_occurrence(&mut self, row: &OccurrenceRow) -> Result<bool, StoreError> {
        let mut shared = self.lock();
        shared.check_disk()?;
        if shared.occurrences.contains_key(&row.key) {
            return Ok(false);
        }
        shared.occurrences.insert(row.key.clone(), row.clone());
        Ok(true)
    }

    fn settle_occurrence(&mut self, key: &OccurrenceKey, fate: &Fate) -> Result<(), StoreError> {
        let mut shared = self.lock();
        shared.check_disk()?;
        let missing = || StoreError::Failed(format!("there is no occurrence of {} at {}", key.schedule, key.at));
        shared.occurrences.get_mut(key).ok_or_else(missing)?.fate = fate.clone();
        Ok(())
    }

    fn occurrences(&self, since: Time) -> Result<Vec<OccurrenceRow>, StoreError> {
        let shared = self.lock();
        let mut rows: Vec<_> = shared.occurrences.values().filter(|row| row.decided >= since).cloned().collect();
        rows.sort_by(|a, b| (a.key.at, &a.key).cmp(&(b.key.at, &b.key)));
        Ok(rows)
    }

    fn put_token(&mut self, row: &TokenRow) -> Result<(), StoreError> {
        let mut shared = self.lock();
        shared.check_disk()?;
        shared.tokens.insert(row.name.clone(), row.clone());
        Ok(())
    }

    fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        Ok(self.lock().tokens.values().cloned().collect())
    }

    fn note(&mut self, act: &Act) -> Result<(), StoreError> {
        let mut shared = self.lock();
        shared.check_disk()?;
        shared.acts.push(act.clone());
        Ok(())
    }

    fn acts(&self, since: Time) -> Result<Vec<Act>, StoreError> {
        Ok(self.lock().acts.iter().filter(|act| act.at >= since).cloned().collect())
    }

    fn approve(&mut self, row: &ApprovalRow) -> Result<(), StoreError> {
        let mut shared = self.lock();
        shared.check_disk()?;
        let same = |old: &ApprovalRow| old.schedule == row.schedule && old.plan == row.plan && old.by == row.by;
        shared.approvals.retain(|old| !same(old));
        shared.approvals.push(row.clone());
        Ok(())
    }

    fn approvals(&self, schedule: &ScheduleName) -> Result<Vec<ApprovalRow>, StoreError> {
        let shared = self.lock();
        let mut rows: Vec<_> = shared.approvals.iter().filter(|row| row.schedule == *schedule).cloned().collect();
        rows.sort_by(|a, b| (a.at, &a.plan, &a.by).cmp(&(b.at, &b.plan, &b.by)));
        Ok(rows)
    }

    fn use_approvals(&mut self, schedule: &ScheduleName, plan: &str, run: &RunId) -> Result<(), StoreError> {
        let mut shared = self.lock();
        shared.check_disk()?;
        let of = |row: &&mut ApprovalRow| row.schedule == *schedule && row.plan == plan && row.used.is_none();
        shared.approvals.iter_mut().filter(of).for_each(|row| row.used = Some(run.clone()));
        Ok(())
    }

    fn prune(&mut self, runs: &[RunId], before: Time) -> Result<Pruned, StoreError> {
        let mut shared = self.lock();
        shared.check_disk()?;
        for run in runs {
            match shared.runs.get(run) {
                None => return Err(StoreError::NoSuchRun(run.clone())),
                Some(found) if !found.is_closed() => return Err(StoreError::not_closed(run)),
                Some(_) => {}
            }
        }
        let mut pruned = Pruned::default();
        for run in runs.iter().filter_map(|run| shared.runs.remove(run)) {
            pruned.journals += 1;
            pruned.events += run.events.len();
        }
        let mut last: BTreeMap<ScheduleName, Time> = BTreeMap::new();
        for key in shared.occurrences.keys().filter(|key| !key.by_hand) {
            last.insert(key.schedule.clone(), key.at);
        }
        let (occurrences, approvals) = (shared.occurrences.len(), shared.approvals.len());
        let is_last = |key: &OccurrenceKey| !key.by_hand && last.get(&key.schedule) == Some(&key.at);
        shared.occurrences.retain(|key, row| row.decided >= before || is_last(key));
        shared.approvals.retain(|row| row.at >= before);
        pruned.occurrences = occurrences - shared.occurrences.len();
        pruned.approvals = approvals - shared.approvals.len();
        Ok(pruned)
    }

    fn queue(&mut self, messages: &[Outgoing]) -> Result<usize, StoreError> {
        let mut shared = self.lock();
        shared.check_disk()?;
        let before = shared.outbox.len();
        for message in messages {
            let known = |(old, _): &(Outgoing, _)| old.channel == message.channel && old.id == message.id;
            if !shared.outbox.iter().any(known) {
                shared.mail_number += 1;
                let number = shared.mail_number;
                shared.outbox.push((Outgoing { number, tries: 0, ..message.clone() }, None));
            }
        }
        Ok(shared.outbox.len() - before)
    }

    fn due(&self, now: Time, most: usize) -> Result<Vec<Outgoing>, StoreError> {
        let shared = self.lock();
        let waits = |(message, tried): &&(Outgoing, Option<Tried>)| {
            message.due <= now && matches!(tried, None | Some(Tried::Again { .. }))
        };
        let mut due: Vec<Outgoing> = shared.outbox.iter().filter(waits).map(|(message, _)| message.clone()).collect();
        due.sort_by_key(|message| (message.due, message.number));
        due.truncate(most);
        Ok(due)
    }

    fn tried(&mut self, number: i64, tried: &Tried) -> Result<(), StoreError> {
        let mut shared = self.lock();
        shared.check_disk()?;
        if let Some((message, last)) = shared.outbox.iter_mut().find(|(message, _)| message.number == number) {
            message.tries += 1;
            if let Tried::Again { at, .. } = tried {
                message.due = *at;
            }
            *last = Some(tried.clone());
        }
        Ok(())
    }

    fn mail(&self) -> Result<WaitingMail, StoreError> {
        let mut mail = WaitingMail::default();
        for (_, tried) in &self.lock().outbox {
            match tried {
                None | Some(Tried::Again { .. }) => mail.waiting += 1,
                Some(Tried::GivenUp { .. }) => mail.given_up += 1,
                Some(Tried::Delivered) => {}
            }
        }
        Ok(mail)
    }

    fn forget_mail(&mut self, before: Time) -> Result<usize, StoreError> {
        let mut shared = self.lock();
        shared.check_disk()?;
        let all = shared.outbox.len();
        let over = |tried: &Option<Tried>| matches!(tried, Some(Tried::Delivered | Tried::GivenUp { .. }));
        shared.outbox.retain(|(message, tried)| !(over(tried) && message.queued < before));
        Ok(all - shared.outbox.len())
    }
}

impl Invitations for MemoryStore {
    fn invite(&mut self, invitation: &Invitation) -> Result<(), StoreError> {
        let mut shared = self.lock();
        shared.check_disk()?;
        shared.invitations.push(invitation.clone());
        Ok(())
    }

    fn invitations(&self) -> Result<Vec<Invitation>, StoreError> {
        Ok(self.lock().invitations.clone())
    }

    fn join(&mut self, link: &TokenHash, session: TokenHash, at: Time) -> Result<bool, StoreError> {
        let mut shared = self.lock();
        shared.check_disk()?;
        let found = shared.invitations.iter_mut().find(|row| row.link == *link && row.check(at).is_ok());
        Ok(found.map(|row| row.session = Some((session, at))).is_some())
    }

    fn revoke_invitation(&mut self, link: &TokenHash, at: Time) -> Result<(), StoreError> {
        let mut shared = self.lock();
        shared.check_disk()?;
        let found = shared.invitations.iter_mut().find(|row| row.link == *link);
        if let Some(row) = found {
            row.revoked = Some(row.revoked.unwrap_or(at));
        }
        Ok(())
    }
}

impl Days for MemoryStore {
    fn append_day(
        &mut self,
        day: &DayId,
        events: &[gameday::event::Recorded],
        taken: Option<u64>,
    ) -> Result<(), StoreError> {
        let mut shared = self.lock();
        shared.check_disk()?;
        let number = shared.days.len();
        let mut kept = shared.days.get(day).cloned().unwrap_or(Kept { number, ..Kept::default() });
        StoreError::check_day(day, kept.events.len() as u64, events)?;
        kept.events.extend(events.iter().cloned());
        if let Some(taken) = taken {
            kept.asks.retain(|number, _| *number > taken);
        }
        shared.days.insert(day.clone(), kept);
        Ok(())
    }

    fn day_events(&self, day: &DayId) -> Result<Vec<gameday::event::Recorded>, StoreError> {
        self.lock().days.get(day).map(|kept| kept.events.clone()).ok_or_else(|| StoreError::no_day(day))
    }

    fn days(&self) -> Result<Vec<DayId>, StoreError> {
        let shared = self.lock();
        let mut days: Vec<(&DayId, &Kept)> = shared.days.iter().collect();
        days.sort_by_key(|(_, kept)| std::cmp::Reverse(kept.number));
        Ok(days.into_iter().map(|(day, _)| day.clone()).collect())
    }

    fn ask_day(&mut self, day: &DayId, ask: &Ask) -> Result<u64, StoreError> {
        let mut shared = self.lock();
        shared.check_disk()?;
        let kept = shared.days.get_mut(day).ok_or_else(|| StoreError::no_day(day))?;
        kept.asked += 1;
        kept.asks.insert(kept.asked, ask.clone());
        Ok(kept.asked)
    }

    fn day_asks(&self, day: &DayId) -> Result<Vec<(u64, Ask)>, StoreError> {
        let shared = self.lock();
        let kept = shared.days.get(day).ok_or_else(|| StoreError::no_day(day))?;
        Ok(kept.asks.iter().map(|(number, ask)| (*number, ask.clone())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract;

    #[test]
    fn it_keeps_the_contract() {
        contract::check_all(&mut || {
            let first = MemoryStore::new();
            let second = first.another_process();
            (Box::new(first), Box::new(second))
        });
    }

    #[test]
    fn a_clone_is_independent_and_a_crash_frees_what_was_held() {
        let run = RunId("run-1".into());
        let mut store = MemoryStore::new();
        let epoch = store.create(&run, "a").unwrap();
        let mut copy = store.clone();
        copy.append(&run, epoch, &[contract::event(1)]).unwrap();
        assert_eq!(store.events(&run).unwrap(), []);
        copy.crash();
        assert!(!copy.is_alive(&run).unwrap());
        assert!(store.is_alive(&run).unwrap());
    }

    #[test]
    fn a_broken_disk_refuses_writes_and_still_reads() {
        let run = RunId("run-1".into());
        let mut store = MemoryStore::new();
        let epoch = store.create(&run, "a").unwrap();
        store.break_disk(Some("disk full"));
        let full = StoreError::Failed("disk full".into());
        assert_eq!(store.append(&run, epoch, &[contract::event(1)]), Err(full));
        assert!(store.events(&run).unwrap().is_empty());
        store.break_disk(None);
        store.append(&run, epoch, &[contract::event(1)]).unwrap();
    }
}
