//! The contract tests: one list of what every store must do, run against each kind.

use super::approvals::ApprovalRow;
use super::occurrences::{Fate, OccurrenceKey, OccurrenceRow};
use super::outbox::{Outgoing, Tried, WaitingMail};
use super::prune::Pruned;
use super::{Epoch, Store, StoreError};
use crate::access::token::{TokenHash, TokenRow};
use crate::access::{Act, Role};
use crate::account::{Location, Resource, ResourceKind};
use crate::ids::{RunId, ScheduleName};
use crate::judge::verdict::Verdict;
use crate::run::event::{Event, Phase, Recorded};
use crate::units::Time;

/// Two processes on one fresh, empty store.
pub type Pair = (Box<dyn Store>, Box<dyn Store>);

/// Runs the whole list, each test on a fresh store.
pub fn check_all(fresh: &mut dyn FnMut() -> Pair) {
    for test in [
        what_is_appended_is_read_by_another_process,
        a_run_is_created_once,
        an_unknown_run_is_said_to_be_unknown,
        numbers_leave_no_gap_and_an_append_is_all_or_none,
        a_closed_run_is_never_changed,
        only_the_newest_epoch_appends,
        a_run_is_alive_as_long_as_its_process,
        a_taken_run_is_alive_with_its_taker,
        a_run_asked_to_stop_knows_who_asked,
        a_halt_stops_every_run_until_lifted,
        what_one_changes_no_other_changes_or_watches,
        many_may_watch,
        claims_of_closed_and_released_runs_do_not_count,
        runs_are_listed_newest_first_with_their_end,
        an_occurrence_is_decided_once,
        the_next_occurrence_is_counted_from_the_last_one_that_was_claimed,
        occurrences_are_listed_by_their_time_with_what_became_of_them,
        events_after_a_number_are_those_that_follow_it,
        a_token_takes_the_place_of_the_one_of_its_name,
        acts_are_listed_in_the_order_in_which_they_were_noted,
        a_message_is_queued_once_and_tried_until_it_is_delivered,
        approvals_are_kept_once_a_person_and_used_up_together,
        what_has_ended_can_be_removed_and_nothing_else_is,
    ] {
        let (first, second) = fresh();
        test(first, second);
    }
}

/// An event that carries nothing but its number.
pub fn event(seq: u64) -> Recorded {
    Recorded { seq, at: Time::from_micros(seq as i64 * 1_000), event: Event::Entered { phase: Phase::Fault } }
}

/// The last event of a run.
pub fn closed(seq: u64) -> Recorded {
    Recorded { event: Event::Closed { verdict: Verdict::held(), left: vec![] }, ..event(seq) }
}

fn id(text: &str) -> RunId {
    RunId(text.into())
}

fn queue(name: &str) -> Resource {
    Resource::new(&Location::sandbox(), ResourceKind::Queue, name)
}

fn what_is_appended_is_read_by_another_process(mut first: Box<dyn Store>, second: Box<dyn Store>) {
    let run = id("run-a");
    let epoch = first.create(&run, "ana").unwrap();
    assert_eq!(second.events(&run).unwrap(), []);
    first.append(&run, epoch, &[event(1), event(2)]).unwrap();
    first.append(&run, epoch, &[]).unwrap();
    first.append(&run, epoch, &[event(3)]).unwrap();
    assert_eq!(second.events(&run).unwrap(), [event(1), event(2), event(3)]);
}

fn a_run_is_created_once(mut first: Box<dyn Store>, mut second: Box<dyn Store>) {
    first.create(&id("run-a"), "ana").unwrap();
    assert_eq!(second.create(&id("run-a"), "bo"), Err(StoreError::exists(&id("run-a"))));
    second.create(&id("run-b"), "bo").unwrap();
}

fn an_unknown_run_is_said_to_be_unknown(mut first: Box<dyn Store>, _: Box<dyn Store>) {
    let run = id("run-x");
    let unknown = StoreError::NoSuchRun(run.clone());
    assert_eq!(first.events(&run), Err(unknown.clone()));
    assert_eq!(first.append(&run, Epoch(1), &[event(1)]), Err(unknown.clone()));
    assert_eq!(first.is_alive(&run), Err(unknown.clone()));
    assert_eq!(first.take_over(&run, "ana"), Err(unknown.clone()));
    assert_eq!(first.ask_to_stop(&run, "ana"), Err(unknown.clone()));
    assert_eq!(first.stop_asked(&run), Err(unknown.clone()));
    assert_eq!(first.claim(&run, &[], &[]), Err(unknown.clone()));
    assert_eq!(first.release(&run), Err(unknown));
}

fn numbers_leave_no_gap_and_an_append_is_all_or_none(mut first: Box<dyn Store>, second: Box<dyn Store>) {
    let run = id("run-a");
    let epoch = first.create(&run, "ana").unwrap();
    for wrong in [vec![event(2)], vec![event(1), event(3)], vec![event(1), event(1)], vec![event(0)]] {
        let refused = first.append(&run, epoch, &wrong);
        assert!(matches!(refused, Err(StoreError::Failed(_))), "{refused:?}");
        assert_eq!(second.events(&run).unwrap(), []);
    }
    first.append(&run, epoch, &[event(1)]).unwrap();
    assert!(first.append(&run, epoch, &[event(1)]).is_err());
}

fn a_closed_run_is_never_changed(mut first: Box<dyn Store>, mut second: Box<dyn Store>) {
    let (run, note) = (id("run-a"), id("run-a-acknowledged-1"));
    let epoch = first.create(&run, "ana").unwrap();
    first.append(&run, epoch, &[event(1), closed(2)]).unwrap();
    assert_eq!(first.append(&run, epoch, &[event(3)]), Err(StoreError::Closed(run.clone())));
    assert_eq!(second.take_over(&run, "bo"), Err(StoreError::Closed(run.clone())));
    let acknowledged = Event::Acknowledged { run: run.clone(), by: "bo".into(), reason: "looked".into(), left: vec![] };
    let epoch = second.create(&note, "bo").unwrap();
    second.append(&note, epoch, &[Recorded { event: acknowledged, ..event(1) }]).unwrap();
    assert_eq!(second.append(&note, epoch, &[event(2)]), Err(StoreError::Closed(note.clone())));
    let rows = first.runs().unwrap();
    assert_eq!((rows[0].origin(), rows[0].is_closed(), rows[1].origin()), (&run, true, &run));
    assert_eq!(first.events(&run).unwrap(), [event(1), closed(2)]);
}

fn only_the_newest_epoch_appends(mut first: Box<dyn Store>, mut second: Box<dyn Store>) {
    let run = id("run-a");
    let old = first.create(&run, "ana").unwrap();
    first.append(&run, old, &[event(1)]).unwrap();
    let new = second.take_over(&run, "bo").unwrap();
    assert!(new > old);
    let lost = StoreError::EpochLost { run: run.clone(), by: "bo".into() };
    assert_eq!(first.append(&run, old, &[event(2)]), Err(lost.clone()));
    // An append of nothing tells as well, so that a driver can look before it writes to an account.
    assert_eq!(first.append(&run, old, &[]), Err(lost));
    second.append(&run, new, &[event(2)]).unwrap();
    assert_eq!(first.events(&run).unwrap().len(), 2);
}

fn a_run_is_alive_as_long_as_its_process(mut first: Box<dyn Store>, second: Box<dyn Store>) {
    let run = id("run-a");
    let epoch = first.create(&run, "ana").unwrap();
    assert!(second.is_alive(&run).unwrap());
    assert!(first.is_alive(&run).unwrap());
    first.append(&run, epoch, &[event(1)]).unwrap();
    // One that has ended is alive no more, whatever else its process does.
    let ended = id("run-b");
    let epoch = first.create(&ended, "ana").unwrap();
    first.append(&ended, epoch, &[event(1), closed(2)]).unwrap();
    assert!(!first.is_alive(&ended).unwrap() && !second.is_alive(&ended).unwrap());
    assert!(second.is_alive(&run).unwrap());
    drop(first);
    assert!(!second.is_alive(&run).unwrap());
    assert_eq!(second.events(&run).unwrap(), [event(1)]);
}

fn a_taken_run_is_alive_with_its_taker(mut first: Box<dyn Store>, mut second: Box<dyn Store>) {
    let run = id("run-a");
    first.create(&run, "ana").unwrap();
    second.take_over(&run, "bo").unwrap();
    assert!(first.is_alive(&run).unwrap());
    drop(second);
    // The one before still lives, but the run is not its own any more.
    assert!(!first.is_alive(&run).unwrap());
    let again = first.take_over(&run, "ana").unwrap();
    assert!(first.is_alive(&run).unwrap());
    first.append(&run, again, &[event(1)]).unwrap();
}

fn a_run_asked_to_stop_knows_who_asked(mut first: Box<dyn Store>, mut second: Box<dyn Store>) {
    let (run, other) = (id("run-a"), id("run-b"));
    first.create(&run, "ana").unwrap();
    first.create(&other, "ana").unwrap();
    assert_eq!(first.stop_asked(&run).unwrap(), None);
    second.ask_to_stop(&run, "bo").unwrap();
    second.ask_to_stop(&run, "cy").unwrap();
    assert_eq!(first.stop_asked(&run).unwrap().as_deref(), Some("bo"));
    assert_eq!(first.stop_asked(&other).unwrap(), None);
    // The process that takes it over was not asked yet.
    second.take_over(&run, "bo").unwrap();
    assert_eq!(second.stop_asked(&run).unwrap(), None);
}

fn a_halt_stops_every_run_until_lifted(mut first: Box<dyn Store>, mut second: Box<dyn Store>) {
    let run = id("run-a");
    first.create(&run, "ana").unwrap();
    assert_eq!(first.halted().unwrap(), None);
    second.set_halt(Some("bo")).unwrap();
    second.set_halt(Some("cy")).unwrap();
    assert_eq!(first.halted().unwrap().as_deref(), Some("cy"));
    assert_eq!(first.stop_asked(&run).unwrap().as_deref(), Some("cy"));
    second.set_halt(None).unwrap();
    assert_eq!(first.halted().unwrap(), None);
    // A run that was live then stops all the same; later ones do not.
    assert_eq!(first.stop_asked(&run).unwrap().as_deref(), Some("cy"));
    let later = id("run-b");
    first.create(&later, "ana").unwrap();
    assert_eq!(first.stop_asked(&later).unwrap(), None);
}

fn what_one_changes_no_other_changes_or_watches(mut first: Box<dyn Store>, mut second: Box<dyn Store>) {
    let (a, b) = (id("run-a"), id("run-b"));
    first.create(&a, "ana").unwrap();
    second.create(&b, "bo").unwrap();
    first.claim(&a, &[queue("orders")], &[queue("orders"), queue("dead")]).unwrap().unwrap();
    let changed = second.claim(&b, &[queue("other"), queue("orders")], &[]).unwrap().unwrap_err();
    assert_eq!(changed.to_string(), "run run-a changes queue orders");
    assert!(second.claim(&b, &[], &[queue("orders")]).unwrap().is_err());
    let watched = second.claim(&b, &[queue("dead")], &[]).unwrap().unwrap_err();
    assert_eq!((watched.run, watched.does.as_str(), *watched.resource), (a.clone(), "watches", queue("dead")));
    // All or nothing: `other` was not claimed along the way. And a run never stands in its own way.
    first.claim(&a, &[queue("orders"), queue("other")], &[queue("dead")]).unwrap().unwrap();
}

fn many_may_watch(mut first: Box<dyn Store>, mut second: Box<dyn Store>) {
    let (a, b) = (id("run-a"), id("run-b"));
    first.create(&a, "ana").unwrap();
    second.create(&b, "bo").unwrap();
    first.claim(&a, &[queue("one")], &[queue("shared")]).unwrap().unwrap();
    second.claim(&b, &[queue("two")], &[queue("shared")]).unwrap().unwrap();
}

fn claims_of_closed_and_released_runs_do_not_count(mut first: Box<dyn Store>, mut second: Box<dyn Store>) {
    let (a, b, c) = (id("run-a"), id("run-b"), id("run-c"));
    let epoch = first.create(&a, "ana").unwrap();
    second.create(&b, "bo").unwrap();
    second.create(&c, "bo").unwrap();
    first.claim(&a, &[queue("orders")], &[]).unwrap().unwrap();
    assert!(second.claim(&b, &[queue("orders")], &[]).unwrap().is_err());
    first.append(&a, epoch, &[event(1), closed(2)]).unwrap();
    second.claim(&b, &[queue("orders")], &[]).unwrap().unwrap();
    assert!(second.claim(&c, &[queue("orders")], &[]).unwrap().is_err());
    second.release(&b).unwrap();
    second.claim(&c, &[queue("orders")], &[]).unwrap().unwrap();
    // A process that died gave nothing back: its run may still stand in the account.
    drop(second);
    assert!(first.claim(&a, &[queue("orders")], &[]).unwrap().is_err());
}

fn runs_are_listed_newest_first_with_their_end(mut first: Box<dyn Store>, mut second: Box<dyn Store>) {
    assert_eq!(first.runs().unwrap(), []);
    let (a, b) = (id("run-b"), id("run-a"));
    let epoch = first.create(&a, "ana").unwrap();
    first.append(&a, epoch, &[event(1), closed(2)]).unwrap();
    second.create(&b, "bo").unwrap();
    drop(first);
    let rows = second.runs().unwrap();
    assert_eq!(rows.iter().map(|row| (&row.run, row.owner.as_str())).collect::<Vec<_>>(), [(&b, "bo"), (&a, "ana")]);
    assert_eq!((rows[0].alive, rows[0].started, rows[0].verdict.clone()), (true, None, None));
    assert_eq!((rows[1].alive, rows[1].started), (false, Some(event(1).at)));
    assert_eq!((rows[1].verdict.clone(), rows[1].left.len()), (Some(Verdict::held()), 0));
}

fn minute(minute: i64) -> Time {
    Time::from_micros(minute * 60_000_000)
}

fn occurrence(schedule: &str, at: i64, by_hand: bool, fate: Fate) -> OccurrenceRow {
    let key = OccurrenceKey { schedule: ScheduleName(schedule.into()), at: minute(at), by_hand };
    OccurrenceRow { key, decided: minute(at + 1), by: "ana".into(), fate }
}

fn an_occurrence_is_decided_once(mut first: Box<dyn Store>, mut second: Box<dyn Store>) {
    let run = occurrence("nightly", 10, false, Fate::Run(id("run-a")));
    assert_eq!(first.claim_occurrence(&run), Ok(true));
    let again = OccurrenceRow { by: "bo".into(), fate: Fate::Run(id("run-b")), ..run.clone() };
    assert_eq!(second.claim_occurrence(&again), Ok(false));
    assert_eq!(first.claim_occurrence(&run), Ok(false));
    assert_eq!(second.occurrences(minute(0)), Ok(vec![run]));
    // Another time, another schedule, and one by hand at the same instant are others.
    for other in [
        occurrence("nightly", 11, false, Fate::Missed("away".into())),
        occurrence("weekly", 10, false, Fate::Missed("away".into())),
        occurrence("nightly", 10, true, Fate::Run(id("run-c"))),
    ] {
        assert_eq!(second.claim_occurrence(&other), Ok(true));
    }
}

fn the_next_occurrence_is_counted_from_the_last_one_that_was_claimed(
    mut first: Box<dyn Store>,
    mut second: Box<dyn Store>,
) {
    let nightly = ScheduleName("nightly".into());
    // Seen for the first time: nothing was missed before.
    assert_eq!(first.counted_from(&nightly, "daily", minute(5)), Ok(minute(5)));
    assert_eq!(second.counted_from(&nightly, "daily", minute(8)), Ok(minute(5)));
    assert_eq!(first.claim_occurrence(&occurrence("nightly", 10, false, Fate::Skipped("closed".into()))), Ok(true));
    assert_eq!(first.claim_occurrence(&occurrence("nightly", 20, true, Fate::Run(id("run-a")))), Ok(true));
    assert_eq!(second.counted_from(&nightly, "daily", minute(30)), Ok(minute(10)));
    // Of another definition nothing was missed either.
    assert_eq!(second.counted_from(&nightly, "hourly", minute(31)), Ok(minute(31)));
    assert_eq!(first.counted_from(&nightly, "hourly", minute(40)), Ok(minute(31)));
}

fn occurrences_are_listed_by_their_time_with_what_became_of_them(
    mut first: Box<dyn Store>,
    mut second: Box<dyn Store>,
) {
    let late = occurrence("a", 20, false, Fate::Run(id("run-a")));
    let early = occurrence("b", 10, false, Fate::Failed("away".into()));
    for row in [&late, &early] {
        assert_eq!(first.claim_occurrence(row), Ok(true));
    }
    let refused = Fate::Skipped("halted by bo".into());
    second.settle_occurrence(&late.key, &refused).unwrap();
    let late = OccurrenceRow { fate: refused, ..late };
    assert_eq!(first.occurrences(minute(0)), Ok(vec![early.clone(), late.clone()]));
    assert_eq!(first.occurrences(minute(21)), Ok(vec![late]));
    let missing = OccurrenceKey { at: minute(11), ..early.key };
    assert!(second.settle_occurrence(&missing, &Fate::Missed("away".into())).is_err());
}

fn events_after_a_number_are_those_that_follow_it(mut first: Box<dyn Store>, second: Box<dyn Store>) {
    let run = id("run-a");
    let epoch = first.create(&run, "ana").unwrap();
    first.append(&run, epoch, &[event(1), event(2), event(3)]).unwrap();
    assert_eq!(second.events_after(&run, 0, 9).unwrap(), [event(1), event(2), event(3)]);
    assert_eq!(second.events_after(&run, 1, 1).unwrap(), [event(2)]);
    assert_eq!(second.events_after(&run, 3, 9).unwrap(), []);
    assert_eq!(second.events_after(&run, u64::from(u32::MAX), 9).unwrap(), []);
    assert_eq!(second.events_after(&id("run-x"), 0, 9), Err(StoreError::NoSuchRun(id("run-x"))));
}

fn a_token_takes_the_place_of_the_one_of_its_name(mut first: Box<dyn Store>, second: Box<dyn Store>) {
    let token = |name: &str, byte: u8| TokenRow {
        name: name.parse().unwrap(),
        role: Role::Approver,
        hash: TokenHash([byte; 32]),
        made: Time::from_micros(5),
        made_by: "ana".into(),
        expires: Some(Time::from_micros(9)),
        revoked: None,
    };
    assert_eq!(second.tokens().unwrap(), []);
    first.put_token(&token("ci", 1)).unwrap();
    first.put_token(&token("bo", 2)).unwrap();
    let rotated = TokenRow { expires: None, revoked: Some(Time::from_micros(7)), ..token("ci", 3) };
    first.put_token(&rotated).unwrap();
    assert_eq!(second.tokens().unwrap(), [token("bo", 2), rotated]);
}

fn acts_are_listed_in_the_order_in_which_they_were_noted(mut first: Box<dyn Store>, mut second: Box<dyn Store>) {
    let act =
        |at, what: &str| Act { at: Time::from_micros(at), by: "ana".into(), what: what.into(), detail: "x".into() };
    // The second one's clock is behind.
    first.note(&act(5, "halt")).unwrap();
    second.note(&act(3, "lift")).unwrap();
    first.note(&act(2, "halt")).unwrap();
    assert_eq!(first.acts(Time::from_micros(3)).unwrap(), [act(5, "halt"), act(3, "lift")]);
}

fn what_has_ended_can_be_removed_and_nothing_else_is(mut first: Box<dyn Store>, mut second: Box<dyn Store>) {
    let (a, b, c) = (id("run-a"), id("run-b"), id("run-c"));
    for run in [&a, &b] {
        let epoch = first.create(run, "ana").unwrap();
        first.append(run, epoch, &[event(1)]).unwrap();
        first.claim(run, &[queue(&run.0)], &[]).unwrap().unwrap();
    }
    first.append(&a, Epoch(1), &[event(2), closed(3)]).unwrap();
    for (at, by_hand) in [(1, false), (2, false), (3, true)] {
        let row = occurrence("nightly", at, by_hand, Fate::Run(a.clone()));
        assert_eq!(first.claim_occurrence(&row), Ok(true));
    }
    let approval = ApprovalRow {
        schedule: ScheduleName("nightly".into()),
        plan: "p".into(),
        seed: 1,
        by: "ana".into(),
        at: minute(1),
        used: None,
    };
    first.approve(&approval).unwrap();
    // All or none: one that is alive, and one that is not there, keep the others.
    for wrong in [&b, &c] {
        assert!(second.prune(&[a.clone(), wrong.clone()], minute(9)).is_err());
        assert_eq!(second.events(&a).unwrap().len(), 3);
        assert_eq!(second.occurrences(minute(0)).unwrap().len(), 3);
    }
    let pruned = second.prune(std::slice::from_ref(&a), minute(9)).unwrap();
    assert_eq!(pruned, Pruned { journals: 1, events: 3, occurrences: 2, approvals: 1 });
    assert_eq!(first.events(&a), Err(StoreError::NoSuchRun(a.clone())));
    assert_eq!(first.events(&b).unwrap(), [event(1)]);
    // The next occurrence is still counted from the last one.
    assert_eq!(first.occurrences(minute(0)).unwrap(), [occurrence("nightly", 2, false, Fate::Run(a.clone()))]);
    assert_eq!(first.prune(&[], minute(2)).unwrap(), Pruned::default());
    // The journals of others go on.
    first.append(&b, Epoch(1), &[event(2)]).unwrap();
}

fn approvals_are_kept_once_a_person_and_used_up_together(mut first: Box<dyn Store>, mut second: Box<dyn Store>) {
    let row = |plan: &str, by: &str, at| ApprovalRow {
        schedule: ScheduleName("nightly".into()),
        plan: plan.into(),
        seed: u64::MAX,
        by: by.into(),
        at: minute(at),
        used: None,
    };
    let nightly = ScheduleName("nightly".into());
    first.approve(&row("p", "bo", 1)).unwrap();
    second.approve(&row("p", "ana", 2)).unwrap();
    second.approve(&row("q", "ana", 3)).unwrap();
    first.approve(&row("p", "bo", 4)).unwrap();
    let other = ApprovalRow { schedule: ScheduleName("weekly".into()), ..row("p", "bo", 1) };
    first.approve(&other).unwrap();
    assert_eq!(second.approvals(&nightly).unwrap(), [row("p", "ana", 2), row("q", "ana", 3), row("p", "bo", 4)]);
    second.use_approvals(&nightly, "p", &id("run-a")).unwrap();
    // Those that are used keep the run that used them.
    first.use_approvals(&nightly, "p", &id("run-b")).unwrap();
    let used = |row: ApprovalRow| ApprovalRow { used: Some(id("run-a")), ..row };
    let rows = [used(row("p", "ana", 2)), row("q", "ana", 3), used(row("p", "bo", 4))];
    assert_eq!(first.approvals(&nightly).unwrap(), rows);
    assert_eq!(first.approvals(&ScheduleName("weekly".into())).unwrap(), [other]);
    // The same person may approve the same plan again.
    first.approve(&row("p", "bo", 5)).unwrap();
    assert_eq!(first.approvals(&nightly).unwrap()[2], row("p", "bo", 5));
}

fn a_message_is_queued_once_and_tried_until_it_is_delivered(mut first: Box<dyn Store>, mut second: Box<dyn Store>) {
    let at = Time::from_micros;
    let message = |id: &str, queued| Outgoing {
        number: 0,
        channel: "ops".into(),
        id: id.into(),
        body: "{}".into(),
        queued: at(queued),
        tries: 0,
        due: at(queued),
    };
    assert_eq!(first.queue(&[message("a", 5), message("b", 3), message("a", 6)]).unwrap(), 2);
    // After a crash it is asked for again.
    assert_eq!(second.queue(&[message("a", 9)]).unwrap(), 0);
    let ids = |store: &dyn Store, now| -> Vec<String> {
        store.due(at(now), 9).unwrap().into_iter().map(|message| format!("{} {}", message.id, message.tries)).collect()
    };
    assert_eq!((ids(&*second, 4), ids(&*second, 5)), (vec!["b 0".into()], vec!["b 0".into(), "a 0".into()]));
    let numbers: Vec<i64> = second.due(at(5), 9).unwrap().iter().map(|message| message.number).collect();
    second.tried(numbers[0], &Tried::Again { at: at(8), why: "500".into() }).unwrap();
    second.tried(numbers[1], &Tried::Delivered).unwrap();
    assert_eq!((ids(&*first, 7), ids(&*first, 8)), (vec![], vec!["b 1".into()]));
    assert_eq!(first.mail().unwrap(), WaitingMail { waiting: 1, given_up: 0 });
    first.tried(numbers[0], &Tried::GivenUp { why: "500".into() }).unwrap();
    assert_eq!((ids(&*first, 99), first.mail().unwrap()), (vec![], WaitingMail { waiting: 0, given_up: 1 }));
    // What was delivered is not queued again, until it is forgotten.
    assert_eq!(first.queue(&[message("a", 9)]).unwrap(), 0);
    assert_eq!(first.forget_mail(at(5)).unwrap(), 1);
    assert_eq!(first.queue(&[message("a", 9), message("b", 9)]).unwrap(), 1);
}
