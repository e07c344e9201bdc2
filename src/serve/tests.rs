use super::*;
use crate::judge::verdict::Verdict;
use crate::run::event::{Event, Phase, Recorded};
use crate::schedule::compile::tests::compiled;
use crate::store::memory::MemoryStore;

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

const FROM: &str = "2027-03-01T00:00:00Z";

fn schedule(name: &str, text: &str) -> Schedule {
    let mut schedule = compiled(&format!("experiment: y\n    {text}\n"));
    schedule.name = ScheduleName(name.into());
    schedule.definition = text.to_owned();
    schedule
}

fn limits(runs_at_a_time: u32) -> Limits {
    Limits { runs_at_a_time, runs_a_week: None, rest: Span::ZERO }
}

fn turns(schedules: &[Schedule], limits: Limits, store: &mut dyn Store, now: &str) -> Turns {
    Turns::new(schedules.to_vec(), limits, "ana".into(), store, at(now)).unwrap()
}

/// One turn; each run is named after its schedule and its time.
fn turn(turns: &mut Turns, store: &mut dyn Store, now: &str) -> Vec<String> {
    let mut number = store.occurrences(Time::EPOCH).unwrap().len();
    let mut fresh = || {
        number += 1;
        RunId(format!("run-{number}"))
    };
    let decided = turns.turn(store, at(now), &mut fresh).unwrap();
    let line = |row: &OccurrenceRow| {
        format!("{} {} {}: {}", row.key.schedule, &row.key.at.to_string()[8..16], row.fate.word(), row.fate.detail())
    };
    decided.iter().map(line).collect()
}

/// A run begins, and ends unless it goes on.
fn run(store: &mut dyn Store, name: &str, ends: bool) {
    let run = RunId(name.into());
    let epoch = store.create(&run, "ana").unwrap();
    let at = Time::EPOCH;
    let mut events = vec![Recorded { seq: 1, at, event: Event::Entered { phase: Phase::Fault } }];
    if ends {
        events.push(Recorded { seq: 2, at, event: Event::Closed { verdict: Verdict::held(), left: vec![] } });
    }
    store.append(&run, epoch, &events).unwrap();
}

#[test]
fn an_occurrence_starts_once_whoever_looks_and_however_often() {
    let schedules: Vec<Schedule> =
        (0..20).map(|n| schedule(&format!("s{n}"), &format!("when: {{ cron: '{n} */6 * * *' }}"))).collect();
    let mut one = MemoryStore::new();
    let mut two = one.another_process();
    let mut first = turns(&schedules, limits(100_000), &mut one, FROM);
    let mut second = turns(&schedules, limits(100_000), &mut two, FROM);
    let mut number = 0;
    let mut fresh = || {
        number += 1;
        RunId(format!("run-{number}"))
    };
    let mut decided = Vec::new();
    let mut now = at(FROM);
    // Three days, minute by minute; the second process looks a little earlier, and its clock goes back for an hour each day.
    for minute in 0..3 * 1_440 {
        now += Span::from_mins(1);
        let theirs = if minute % 1_440 < 60 { now - Span::from_mins(60) } else { now - Span::from_secs(20) };
        decided.extend(second.turn(&mut two, theirs, &mut fresh).unwrap());
        decided.extend(first.turn(&mut one, now, &mut fresh).unwrap());
    }
    let keys: std::collections::BTreeSet<_> = decided.iter().map(|row| row.key.clone()).collect();
    assert_eq!(keys.len(), decided.len(), "an occurrence was decided twice");
    assert!(decided.iter().all(|row| matches!(row.fate, Fate::Run(_))));
    let expected: usize = schedules
        .iter()
        .map(|schedule| schedule.occurrences(at(FROM)).take_while(|occurrence| occurrence.at <= now).count())
        .sum();
    assert_eq!(decided.len(), expected);
}

#[test]
fn what_was_missed_while_nothing_ran_is_recorded_by_policy() {
    let mut store = MemoryStore::new();
    let daily = |missed: &str| schedule("daily", &format!("when: {{ cron: 0 9 * * * }}\n    missed: {missed}"));
    let mut first = turns(&[daily("skip")], limits(1), &mut store, FROM);
    assert_eq!(turn(&mut first, &mut store, "2027-03-01T09:00:00Z"), ["daily 01T09:00 run: run-1"]);
    run(&mut store, "run-1", true);
    // Two days later, and the same definition.
    let mut again = turns(&[daily("skip")], limits(1), &mut store, "2027-03-03T12:00:00Z");
    assert_eq!(
        turn(&mut again, &mut store, "2027-03-03T12:00:00Z"),
        [
            "daily 02T09:00 missed: squall serve was not running at its time",
            "daily 03T09:00 missed: squall serve was not running at its time"
        ]
    );
    assert_eq!(turn(&mut again, &mut store, "2027-03-03T12:00:01Z"), Vec::<String>::new());
    // A changed schedule missed nothing under its new form.
    let mut changed = turns(&[daily("fail")], limits(1), &mut store, "2027-03-06T12:00:00Z");
    assert_eq!(turn(&mut changed, &mut store, "2027-03-06T12:00:00Z"), Vec::<String>::new());
    let mut again = turns(&[daily("fail")], limits(1), &mut store, "2027-03-07T12:00:00Z");
    assert_eq!(
        turn(&mut again, &mut store, "2027-03-07T12:00:00Z"),
        ["daily 07T09:00 failed: squall serve was not running at its time"]
    );
}

#[test]
fn a_closed_gate_is_waited_for_and_then_recorded_with_its_reason() {
    let mut store = MemoryStore::new();
    let hourly = schedule("hourly", "when: { cron: 0 * * * * }");
    let mut turns = turns(&[hourly], limits(1), &mut store, FROM);
    store.set_halt(Some("bo")).unwrap();
    for now in ["2027-03-01T01:00:00Z", "2027-03-01T01:14:00Z"] {
        assert_eq!(turn(&mut turns, &mut store, now), Vec::<String>::new());
    }
    store.set_halt(None).unwrap();
    assert_eq!(turn(&mut turns, &mut store, "2027-03-01T01:14:30Z"), ["hourly 01T01:00 run: run-1"]);
    // The run goes on, so the next one waits, and comes too late.
    run(&mut store, "run-1", false);
    assert_eq!(turn(&mut turns, &mut store, "2027-03-01T02:00:00Z"), Vec::<String>::new());
    assert_eq!(
        turn(&mut turns, &mut store, "2027-03-01T02:15:01Z"),
        ["hourly 01T02:00 skipped: `runs_at_a_time: 1`: run-1 is running"]
    );
    // Its process dies: nothing starts before it is rolled back.
    store.crash();
    assert_eq!(turn(&mut turns, &mut store, "2027-03-01T03:00:00Z"), Vec::<String>::new());
    assert_eq!(
        turn(&mut turns, &mut store, "2027-03-01T03:16:00Z"),
        ["hourly 01T03:00 skipped: the process running run-1 ended unexpectedly; run `squall undo run-1`"]
    );
}

#[test]
fn runs_a_week_and_the_rest_between_them_are_limited() {
    let mut store = MemoryStore::new();
    let hourly = schedule("hourly", "when: { cron: 0 * * * * }\n    late_by_at_most: 1m");
    let limits = Limits { runs_at_a_time: 1, runs_a_week: Some(2), rest: Span::from_mins(90) };
    let mut turns = turns(&[hourly], limits, &mut store, FROM);
    assert_eq!(turn(&mut turns, &mut store, "2027-03-01T01:00:00Z"), ["hourly 01T01:00 run: run-1"]);
    run(&mut store, "run-1", true);
    turns.ended(at("2027-03-01T01:30:00Z"));
    assert_eq!(turn(&mut turns, &mut store, "2027-03-01T02:00:00Z"), Vec::<String>::new());
    assert_eq!(
        turn(&mut turns, &mut store, "2027-03-01T02:01:01Z"),
        ["hourly 01T02:00 skipped: `rest: 1h30m`: the last run has just ended; wait until 2027-03-01T03:00:00.000Z"]
    );
    assert_eq!(turn(&mut turns, &mut store, "2027-03-01T03:00:00Z"), ["hourly 01T03:00 run: run-3"]);
    run(&mut store, "run-3", true);
    turn(&mut turns, &mut store, "2027-03-01T06:00:00Z");
    let last = turn(&mut turns, &mut store, "2027-03-01T06:01:01Z");
    assert_eq!(last, ["hourly 01T06:00 skipped: `runs_a_week: 2`: 2 started within seven days"]);
}

#[test]
fn a_run_that_never_began_is_said_to_have_failed() {
    let mut store = MemoryStore::new();
    let daily = schedule("daily", "when: { cron: 0 9 * * * }");
    let mut turns = turns(&[daily], limits(1), &mut store, FROM);
    assert_eq!(turn(&mut turns, &mut store, "2027-03-01T09:00:00Z"), ["daily 01T09:00 run: run-1"]);
    settle_unbegun(&mut store, at("2027-03-01T09:30:00Z")).unwrap();
    let rows = store.occurrences(Time::EPOCH).unwrap();
    assert_eq!(rows[0].fate, Fate::Failed("squall ended before the run began".into()));
}

#[test]
fn a_run_that_cannot_be_started_does_not_count_as_at_work() {
    let mut store = MemoryStore::new();
    let hourly = schedule("hourly", "when: { cron: 0 * * * * }");
    let mut turns = turns(&[hourly], limits(1), &mut store, FROM);
    assert_eq!(turn(&mut turns, &mut store, "2027-03-01T01:00:00Z"), ["hourly 01T01:00 run: run-1"]);
    let at_work = turns.closed(&store, at("2027-03-01T01:00:01Z")).unwrap();
    assert_eq!(at_work.as_deref(), Some("`runs_at_a_time: 1`: run-1 is running"));
    turns.never_begins(RunId("run-1".into()));
    assert_eq!(turns.closed(&store, at("2027-03-01T01:00:01Z")).unwrap(), None);
    assert_eq!(turn(&mut turns, &mut store, "2027-03-01T02:00:00Z"), ["hourly 01T02:00 run: run-2"]);
}

#[test]
fn schedules_that_are_read_again_go_on_where_they_were() {
    let mut store = MemoryStore::new();
    let hourly = schedule("hourly", "when: { cron: 0 * * * * }");
    let new = schedule("new", "when: { cron: 0 * * * * }");
    let mut turns = turns(std::slice::from_ref(&hourly), limits(1), &mut store, FROM);
    assert_eq!(turn(&mut turns, &mut store, "2027-03-01T01:00:00Z"), ["hourly 01T01:00 run: run-1"]);
    run(&mut store, "run-1", true);
    let now = at("2027-03-01T01:00:30Z");
    turns.reload(vec![hourly, new.clone()], limits(2), &mut store, now).unwrap();
    // Nothing is decided again, and the new one missed nothing before.
    assert_eq!(turn(&mut turns, &mut store, "2027-03-01T01:01:00Z"), Vec::<String>::new());
    let both = turn(&mut turns, &mut store, "2027-03-01T02:00:00Z");
    assert_eq!(both.len(), 2, "{both:?}");
    turns.reload(vec![new], limits(9), &mut store, at("2027-03-01T02:00:30Z")).unwrap();
    assert_eq!(turn(&mut turns, &mut store, "2027-03-01T03:00:00Z"), ["new 01T03:00 run: run-4"]);
}
