//! What the switch does about the changes of one resource, as a table of states, and a walk through it.
//!
//! The changes come newest first. Every round of a change begins with the lock: where the run's lock is gone, the rollback has
//! been verified by others; where another run's is there, the value that looks like ours may be that run's. Only where the lock is
//! the run's own and the value is the run's own is anything written. A write is never repeated by itself: after each of them,
//! whatever came of it, the next round looks again.

use crate::units::Span;

/// How often a foreign value is seen before it counts: a single read may be stale.
pub const LOOKS: u32 = 3;
/// How often the value from before is written at the most. One that comes back each time is put back by others.
pub const WRITES: u32 = 6;
/// How many rounds may fail because the account does not answer.
pub const FAILURES: u32 = 15;
/// How often the deletion of a lock is tried.
pub const UNLOCKS: u32 = 5;
/// Between a write and the look at what came of it.
const SETTLE: Span = Span::from_secs(10);
/// Between two looks at a foreign value.
const LOOK_AGAIN: Span = Span::from_secs(20);
/// Between two rounds where the account does not answer.
const REST: Span = Span::from_secs(60);
/// Between two tries to delete a lock: a deletion without an answer must not hit the lock of the next run.
const REST_BEFORE_UNLOCK: Span = Span::from_secs(75);

/// Where the switch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    ReadLock,
    Whose,
    Read,
    Compare,
    Write,
    Settle,
    LookAgain,
    Patience,
    Rest,
    Ended(How),
    NextChange,
    MayUnlock,
    ReadLockAgain,
    StillOurs,
    Unlock,
    UnlockPatience,
    RestBeforeUnlock,
    Notify,
    Over,
}

/// How a change ended for the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// The value from before was written and read back.
    Restored,
    /// The value from before was there.
    AlreadyBefore,
    /// A value of others is there; it was left alone.
    Theirs,
    /// The lock on the resource is another run's; the setting was not looked at.
    OtherRun,
    /// The run's own value is there without the run's lock: somebody took the lock away. It was left alone.
    Unlocked,
    /// The resource is not there any more.
    ResourceGone,
    /// It could not be read or written, or came back after each write.
    Failed,
}

/// A call that the switch makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    ReadLock,
    Read,
    Write,
    Unlock,
    Notify,
}

/// What is counted, for the change or the lock that is being worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counter {
    Looks,
    Writes,
    Failures,
    Unlocks,
}

/// Something that a choice depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// The lock was read as the run's own.
    LockIsOurs,
    /// The lock was read as another run's.
    LockIsOthers,
    /// The setting was read as the value from before.
    IsBefore,
    /// The setting was read as the run's value.
    IsAfter,
    AtLeast(Counter, u32),
    /// There is another change of the resource.
    MoreChanges,
    /// The input says that the lock goes, and every change ended as it was before.
    LockMayGo,
}

/// A way out of a choice: taken when all of the tests hold.
pub type Way = (&'static [Test], State);

/// What a state does, and where that leads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Does {
    /// `gone`: the service says that there is no such resource.
    Call {
        task: Task,
        counts: Option<Counter>,
        done: State,
        gone: State,
        failed: State,
    },
    Wait {
        counts: Option<Counter>,
        span: Span,
        then: State,
    },
    Choose {
        ways: &'static [Way],
        otherwise: State,
    },
    /// Notes how the change ended. The next one has counters of its own.
    End {
        how: How,
        then: State,
    },
    /// The end of the resource.
    Stop,
}

impl How {
    /// Every way in which a change can end.
    pub const ALL: [How; 7] =
        [How::Restored, How::AlreadyBefore, How::Theirs, How::OtherRun, How::Unlocked, How::ResourceGone, How::Failed];

    /// As an execution's output has it: `already_before`.
    pub const fn word(self) -> &'static str {
        match self {
            How::Restored => "restored",
            How::AlreadyBefore => "already_before",
            How::Theirs => "theirs",
            How::OtherRun => "other_run",
            How::Unlocked => "unlocked",
            How::ResourceGone => "resource_gone",
            How::Failed => "failed",
        }
    }

    /// Whether nothing of the run is in the setting any more, and nobody else has a claim on it.
    pub const fn is_before(self) -> bool {
        matches!(self, How::Restored | How::AlreadyBefore)
    }
}

impl Counter {
    /// Every counter.
    pub const ALL: [Counter; 4] = [Counter::Looks, Counter::Writes, Counter::Failures, Counter::Unlocks];

    /// The variable that holds it.
    pub const fn word(self) -> &'static str {
        match self {
            Counter::Looks => "looks",
            Counter::Writes => "writes",
            Counter::Failures => "failures",
            Counter::Unlocks => "unlocks",
        }
    }
}

impl State {
    /// Every state, the first one first.
    pub fn all() -> Vec<State> {
        use State::*;
        let plain = [
            ReadLock,
            Whose,
            Read,
            Compare,
            Write,
            Settle,
            LookAgain,
            Patience,
            Rest,
            NextChange,
            MayUnlock,
            ReadLockAgain,
            StillOurs,
            Unlock,
            UnlockPatience,
            RestBeforeUnlock,
            Notify,
            Over,
        ];
        plain.into_iter().chain(How::ALL.map(Ended)).collect()
    }

    /// The table.
    pub fn does(self) -> Does {
        use State::*;
        const READ_BACK: &[Test] = &[Test::IsBefore, Test::AtLeast(Counter::Writes, 1)];
        const WRITTEN_OFTEN: &[Test] = &[Test::IsAfter, Test::AtLeast(Counter::Writes, WRITES)];
        match self {
            ReadLock => Does::Call { task: Task::ReadLock, counts: None, done: Whose, gone: Read, failed: Patience },
            Whose => Does::Choose { ways: &[(&[Test::LockIsOthers], Ended(How::OtherRun))], otherwise: Read },
            Read => Does::Call {
                task: Task::Read,
                counts: None,
                done: Compare,
                gone: Ended(How::ResourceGone),
                failed: Patience,
            },
            Compare => Does::Choose {
                ways: &[
                    (READ_BACK, Ended(How::Restored)),
                    (&[Test::IsBefore], Ended(How::AlreadyBefore)),
                    (WRITTEN_OFTEN, Ended(How::Failed)),
                    (&[Test::IsAfter, Test::LockIsOurs], Write),
                    (&[Test::IsAfter], Ended(How::Unlocked)),
                    (&[Test::AtLeast(Counter::Looks, LOOKS - 1)], Ended(How::Theirs)),
                ],
                otherwise: LookAgain,
            },
            Write => Does::Call {
                task: Task::Write,
                counts: Some(Counter::Writes),
                done: Settle,
                gone: Settle,
                failed: Settle,
            },
            Settle => Does::Wait { counts: None, span: SETTLE, then: ReadLock },
            LookAgain => Does::Wait { counts: Some(Counter::Looks), span: LOOK_AGAIN, then: ReadLock },
            Patience => Does::Choose {
                ways: &[(&[Test::AtLeast(Counter::Failures, FAILURES)], Ended(How::Failed))],
                otherwise: Rest,
            },
            Rest => Does::Wait { counts: Some(Counter::Failures), span: REST, then: ReadLock },
            Ended(how) => Does::End { how, then: NextChange },
            NextChange => Does::Choose { ways: &[(&[Test::MoreChanges], ReadLock)], otherwise: MayUnlock },
            MayUnlock => Does::Choose { ways: &[(&[Test::LockMayGo], ReadLockAgain)], otherwise: Notify },
            ReadLockAgain => {
                Does::Call { task: Task::ReadLock, counts: None, done: StillOurs, gone: Notify, failed: UnlockPatience }
            }
            StillOurs => Does::Choose { ways: &[(&[Test::LockIsOurs], Unlock)], otherwise: Notify },
            Unlock => {
                Does::Call { task: Task::Unlock, counts: None, done: Notify, gone: Notify, failed: UnlockPatience }
            }
            UnlockPatience => Does::Choose {
                ways: &[(&[Test::AtLeast(Counter::Unlocks, UNLOCKS)], Notify)],
                otherwise: RestBeforeUnlock,
            },
            RestBeforeUnlock => {
                Does::Wait { counts: Some(Counter::Unlocks), span: REST_BEFORE_UNLOCK, then: ReadLockAgain }
            }
            Notify => Does::Call { task: Task::Notify, counts: None, done: Over, gone: Over, failed: Over },
            Over => Does::Stop,
        }
    }
}

/// What a call of the switch found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was done. Of a look at a lock: whose that is; of a look at a setting: what it holds.
    Done(Seen),
    Gone,
    Failed,
}

/// What a look saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It was no look.
    Nothing,
    OurLock,
    OtherLock,
    Before,
    After,
    Other,
}

/// What comes next in a walk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// A call about the change of this number; what it found goes to [`Walk::answered`].
    Call(Task, usize),
    /// So much time passes, and then [`Walk::waited`].
    Wait(Span),
    Over,
}

/// The switch at work on the changes of one resource: the table, walked.
#[derive(Clone, Debug, PartialEq)]
pub struct Walk {
    at: State,
    changes: usize,
    unlocks: bool,
    lock: Option<Seen>,
    found: Seen,
    counts: [u32; 4],
    ends: Vec<How>,
}

impl Walk {
    /// The beginning, for so many changes. `unlocks`: the lock goes when all of them are as before.
    pub fn new(changes: usize, unlocks: bool) -> Walk {
        Walk {
            at: State::ReadLock,
            changes,
            unlocks,
            lock: None,
            found: Seen::Nothing,
            counts: [0; 4],
            ends: Vec::new(),
        }
    }

    /// How the changes ended so far, in their order.
    pub fn ends(&self) -> &[How] {
        &self.ends
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.at
    }

    /// What is to be done now. Choices are made on the way.
    pub fn next_call(&mut self) -> Next {
        loop {
            match self.at.does() {
                Does::Call { task, .. } => return Next::Call(task, self.ends.len()),
                Does::Wait { span, .. } => return Next::Wait(span),
                Does::Stop => return Next::Over,
                Does::Choose { ways, otherwise } => {
                    let way = ways.iter().find(|(tests, _)| tests.iter().all(|test| self.holds(*test)));
                    self.at = way.map_or(otherwise, |(_, to)| *to);
                }
                Does::End { how, then } => {
                    self.ends.push(how);
                    self.counts = [0; 4];
                    self.at = then;
                }
            }
        }
    }

    /// A call was answered.
    pub fn answered(&mut self, answer: Answer) {
        let Does::Call { task, counts, done, gone, failed } = self.at.does() else { return };
        self.count(counts);
        match (task, answer) {
            (Task::ReadLock, Answer::Done(seen)) => self.lock = Some(seen),
            (Task::ReadLock, Answer::Gone) => self.lock = None,
            (Task::Read, Answer::Done(seen)) => self.found = seen,
            _ => {}
        }
        self.at = match answer {
            Answer::Done(_) => done,
            Answer::Gone => gone,
            Answer::Failed => failed,
        };
    }

    /// The time of a wait has passed.
    pub fn waited(&mut self) {
        if let Does::Wait { counts, then, .. } = self.at.does() {
            self.count(counts);
            self.at = then;
        }
    }

    fn count(&mut self, counter: Option<Counter>) {
        if let Some(counter) = counter {
            self.counts[counter as usize] += 1;
        }
    }

    fn holds(&self, test: Test) -> bool {
        match test {
            Test::LockIsOurs => self.lock == Some(Seen::OurLock),
            Test::LockIsOthers => self.lock == Some(Seen::OtherLock),
            Test::IsBefore => self.found == Seen::Before,
            Test::IsAfter => self.found == Seen::After,
            Test::AtLeast(counter, number) => self.counts[counter as usize] >= number,
            Test::MoreChanges => self.ends.len() < self.changes,
            Test::LockMayGo => self.unlocks && self.ends.iter().all(|how| how.is_before()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers of a world in which `find` says what each call meets, until the walk is over. Gives what was done.
    fn walk(changes: usize, mut find: impl FnMut(Task, usize) -> Answer) -> (Vec<How>, Vec<Task>) {
        let (mut walk, mut done) = (Walk::new(changes, true), Vec::new());
        for _ in 0..10_000 {
            match walk.next_call() {
                Next::Over => return (walk.ends().to_vec(), done),
                Next::Wait(_) => walk.waited(),
                Next::Call(task, number) => {
                    done.push(task);
                    walk.answered(find(task, number));
                }
            }
        }
        panic!("it never ends: {done:?}");
    }

    fn plain(task: Task, lock: Answer, value: Seen) -> Answer {
        match task {
            Task::ReadLock => lock,
            Task::Read => Answer::Done(value),
            Task::Write | Task::Unlock | Task::Notify => Answer::Done(Seen::Nothing),
        }
    }

    #[test]
    fn its_own_value_is_rolled_back_and_read_back_and_the_lock_goes() {
        let mut written = 0;
        let (ends, done) = walk(2, |task, _| {
            written += usize::from(task == Task::Write);
            let value = if written % 2 == 1 { Seen::Before } else { Seen::After };
            if task == Task::Unlock {
                written += 1;
            }
            plain(task, Answer::Done(Seen::OurLock), value)
        });
        assert_eq!(ends, [How::Restored, How::AlreadyBefore]);
        assert_eq!(done.iter().filter(|task| **task == Task::Write).count(), 1);
        assert_eq!(done[done.len() - 3..], [Task::ReadLock, Task::Unlock, Task::Notify]);
    }

    /// Whatever an account answers, a write follows a look at the run's own lock and one at the run's own value, with nothing in
    /// between; nothing is unlocked that was not just seen to be the run's own; and the walk ends.
    #[test]
    fn nothing_is_written_but_over_its_own_value_under_its_own_lock() {
        const ANSWERS: [Answer; 7] = [
            Answer::Gone,
            Answer::Failed,
            Answer::Done(Seen::OurLock),
            Answer::Done(Seen::OtherLock),
            Answer::Done(Seen::Before),
            Answer::Done(Seen::After),
            Answer::Done(Seen::Other),
        ];
        let (mut writes, mut unlocks) = (0, 0);
        for seed in 0..20_000_u64 {
            let mut draw = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let mut said: Vec<(Task, Answer)> = Vec::new();
            let (ends, _) = walk(1 + (seed % 3) as usize, |task, _| {
                draw ^= draw << 13;
                draw ^= draw >> 7;
                draw ^= draw << 17;
                let range = match task {
                    Task::ReadLock => 0..4,
                    Task::Read => [0, 1, 4, 5, 5, 5, 6, 5].map(|n| n as usize)[(draw >> 3) as usize % 8]..7,
                    _ => 0..3,
                };
                let at = match task {
                    Task::Read => range.start,
                    _ => range.start + (draw >> 5) as usize % (range.end - range.start),
                };
                let answer = ANSWERS[at];
                if task == Task::Write {
                    writes += 1;
                    let last = &said[said.len() - 2..];
                    let expected =
                        [(Task::ReadLock, Answer::Done(Seen::OurLock)), (Task::Read, Answer::Done(Seen::After))];
                    assert_eq!(last, expected);
                }
                if task == Task::Unlock {
                    unlocks += 1;
                    assert_eq!(said.last(), Some(&(Task::ReadLock, Answer::Done(Seen::OurLock))));
                }
                said.push((task, answer));
                answer
            });
            let unlocked = said.iter().any(|(task, _)| *task == Task::Unlock);
            assert!(!unlocked || ends.iter().all(|how| how.is_before()), "{ends:?} {said:?}");
        }
        assert!(writes > 1_000 && unlocks > 100, "{writes} writes, {unlocks} unlocks");
    }

    #[test]
    fn each_end_has_its_reason() {
        let ours = Answer::Done(Seen::OurLock);
        let cases = [
            (ours, Answer::Done(Seen::Before), How::AlreadyBefore),
            (ours, Answer::Done(Seen::Other), How::Theirs),
            (ours, Answer::Done(Seen::After), How::Failed),
            (ours, Answer::Gone, How::ResourceGone),
            (ours, Answer::Failed, How::Failed),
            (Answer::Gone, Answer::Done(Seen::After), How::Unlocked),
            (Answer::Gone, Answer::Done(Seen::Before), How::AlreadyBefore),
            (Answer::Done(Seen::OtherLock), Answer::Done(Seen::After), How::OtherRun),
            (Answer::Failed, Answer::Done(Seen::After), How::Failed),
        ];
        for (lock, value, how) in cases {
            let (ends, done) = walk(1, |task, _| match task {
                Task::Read => value,
                task => plain(task, lock, Seen::Other),
            });
            assert_eq!(ends, [how], "{lock:?}, {value:?}");
            assert_eq!(done.last(), Some(&Task::Notify));
            let written = done.iter().filter(|task| **task == Task::Write).count();
            let allowed = if value == Answer::Done(Seen::After) && lock == ours { WRITES as usize } else { 0 };
            assert_eq!(written, allowed, "{lock:?}, {value:?}");
            assert_eq!(done.contains(&Task::Unlock), lock == ours && how.is_before(), "{lock:?}, {value:?}");
        }
    }

    #[test]
    fn every_state_is_in_the_list_and_reached() {
        let all = State::all();
        let mut reached = vec![State::ReadLock];
        let mut index = 0;
        while let Some(state) = reached.get(index).copied() {
            let next: Vec<State> = match state.does() {
                Does::Call { done, gone, failed, .. } => vec![done, gone, failed],
                Does::Wait { then, .. } | Does::End { then, .. } => vec![then],
                Does::Choose { ways, otherwise } => ways.iter().map(|(_, to)| *to).chain([otherwise]).collect(),
                Does::Stop => Vec::new(),
            };
            reached.extend(next.into_iter().filter(|to| !reached.contains(to)).collect::<Vec<_>>());
            reached.dedup();
            index += 1;
        }
        reached.sort();
        reached.dedup();
        let mut listed = all.clone();
        listed.sort();
        assert_eq!(reached, listed);
    }
}
