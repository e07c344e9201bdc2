use super::*;
use crate::ids::ScheduleName;

fn at(minute: i64) -> Time {
    Time::from_micros(minute * 60_000_000)
}

fn row(plan: &str, by: &str, minute: i64) -> ApprovalRow {
    let schedule = ScheduleName("nightly".into());
    ApprovalRow { schedule, plan: plan.into(), seed: 7, by: by.into(), at: at(minute), used: None }
}

fn rule(approvers: u32) -> Approval {
    Approval { approvers, expires: Span::from_mins(60) }
}

/// Why the gate is closed, in short.
fn closed(rows: &[ApprovalRow], approvers: u32, asked_by: Option<&str>, now: i64) -> Option<String> {
    let found = approved(rows, &rule(approvers), asked_by, at(now));
    too_few(found.as_ref(), &rule(approvers)).map(|why| why.replace("; run `squall approve`", ""))
}

#[test]
fn each_person_counts_once_for_one_plan_and_for_a_time() {
    let rows = [row("p", "ana", 0), row("p", "bo", 10), row("q", "ana", 20)];
    assert_eq!(closed(&rows, 2, None, 30), None);
    assert_eq!(closed(&rows[..1], 2, None, 30).as_deref(), Some("`approval`: 1 of 2 approvals (ana)"));
    // Two approvals of different plans are none of two people.
    assert!(closed(&[row("p", "ana", 0), row("q", "bo", 0)], 2, None, 30).is_some());
    assert!(closed(&[row("p", "ana", 0), row("p", "ana", 1)], 2, None, 30).is_some());
    // Ana's is too old at 60 minutes to the instant.
    assert_eq!((closed(&rows, 2, None, 59), closed(&rows, 2, None, 60).is_some()), (None, true));
    assert_eq!(closed(&[], 1, None, 0).as_deref(), Some("`approval`: 0 of 1 approvals"));
    let used = ApprovalRow { used: Some(RunId("run-1".into())), ..row("p", "ana", 0) };
    assert!(closed(&[used, row("p", "bo", 0)], 2, None, 30).is_some());
}

#[test]
fn who_asked_for_the_run_is_not_one_of_several_approvers() {
    let rows = [row("p", "ana", 0), row("p", "bo", 10), row("p", "eve", 20)];
    assert!(closed(&rows[..2], 2, Some("ana"), 30).is_some());
    assert_eq!(closed(&rows, 2, Some("ana"), 30), None);
    assert_eq!(closed(&rows[..2], 2, Some("eve"), 30), None);
    // Where one is enough, a person may decide alone.
    assert_eq!(closed(&rows[..1], 1, Some("ana"), 30), None);
}

#[test]
fn the_plan_with_the_most_people_is_run_and_the_newest_of_equals() {
    let rows = [row("p", "ana", 0), row("q", "ana", 20), row("q", "bo", 10), row("r", "bo", 30), row("r", "ana", 31)];
    assert_eq!(approved(&rows, &rule(1), None, at(40)).unwrap().plan, "r");
    assert_eq!(approved(&rows[..3], &rule(1), None, at(40)).unwrap().plan, "q");
}

#[test]
fn a_week_counts_what_began_within_seven_days() {
    let week = Week { runs: 3, injected: Span::from_mins(50) };
    assert_eq!((week.too_many_runs(4), week.too_many_runs(3).is_some()), (None, true));
    let plan = crate::report::sample::plan();
    let more: Span = plan.steps.iter().map(|step| step.lasts).fold(Span::ZERO, |sum, lasts| sum + lasts);
    assert!(more > Span::ZERO);
    assert_eq!(week.too_much_injected(Span::from_mins(50) + more, &plan), None);
    let why = week.too_much_injected(Span::from_mins(50) + more - Span::from_millis(1), &plan).unwrap();
    assert!(why.contains("50m of faults within seven days"), "{why}");
}

/// A person whose token was revoked speaks no more.
#[test]
fn an_approval_of_a_revoked_person_does_not_count() {
    use crate::access::token::{TokenRow, issue};
    use crate::env::RealEnv;
    use crate::store::memory::MemoryStore;

    let mut store = MemoryStore::default();
    let schedule = row("p", "ana", 0).schedule;
    for name in ["ana", "bob"] {
        let (_, hash) = issue(&RealEnv);
        let revoked = (name == "ana").then_some(at(5));
        let (name, role) = (name.parse().unwrap(), crate::access::Role::Approver);
        store
            .put_token(&TokenRow { name, role, hash, made: at(0), made_by: "x".into(), expires: None, revoked })
            .unwrap();
    }
    for by in ["ana", "bob", "carl"] {
        store.approve(&row("p", by, 1)).unwrap();
    }
    let by: Vec<String> = approvals(&store, &schedule).unwrap().into_iter().map(|row| row.by).collect();
    assert_eq!(by, ["bob", "carl"]);
}

/// By when a run began: one of eight days ago counts for nothing.
#[test]
fn runs_before_this_week_do_not_count() {
    use crate::report::sample;
    use crate::store::memory::MemoryStore;

    let now: Time = "2026-06-10T12:00:00Z".parse().unwrap();
    let week_of = |days_ago: &[i64]| {
        let mut store = MemoryStore::default();
        for (number, days) in (1..).zip(days_ago) {
            let (run, events) = (RunId(format!("run-{number}")), sample::held());
            let began = events[0].at;
            let moved = |recorded: Recorded| Recorded {
                at: now - Span::from_mins(days * 1_440) + recorded.at.since(began),
                ..recorded
            };
            let events: Vec<Recorded> = events.into_iter().map(moved).collect();
            let epoch = store.create(&run, "ana").unwrap();
            store.append(&run, epoch, &events).unwrap();
        }
        Week::of(&store, now).unwrap()
    };
    let one = week_of(&[6]);
    assert!(one.runs == 1 && one.injected > Span::ZERO, "{one:?}");
    assert_eq!(week_of(&[8, 6]), one);
    assert_eq!(week_of(&[8]), Week::default());
}

mod commands {
    use std::path::Path;

    use super::super::*;
    use crate::env::{Env as _, Interrupt, Interrupts, RealEnv};
    use crate::schedule::gates::GateCommand;

    fn asked(script: &str, timeout: Span, interrupts: &Interrupts) -> Option<String> {
        let run = ["sh", "-c", script].map(str::to_owned).to_vec();
        let question = Question {
            schedule: "nightly".into(),
            experiment: "e".into(),
            run: RunId("run-1".into()),
            plan: "0-0".into(),
        };
        let command = GateCommand { run, pass: vec![], timeout };
        command::closed(&command, &question, Path::new(""), interrupts, &RealEnv)
    }

    #[test]
    fn exit_code_0_alone_is_a_go() {
        let usual = |script: &str| asked(script, Span::from_secs(60), &Interrupts::none());
        assert_eq!(usual("test $SQUALL_SCHEDULE$SQUALL_RUN$SQUALL_PLAN = nightlyrun-10-0 && test -z $CARGO"), None);
        assert_eq!(usual("echo no; exit 3").as_deref(), Some("sh ended with exit status: 3"));
        assert!(usual("kill -9 $$").unwrap().contains("signal: 9"));
    }

    #[test]
    fn a_slow_command_is_killed_with_what_it_started_and_is_no_go() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", file.display());
        let began = RealEnv.monotonic();
        let why = asked(&script, Span::from_millis(300), &Interrupts::none());
        assert_eq!(why.as_deref(), Some("sh did not end within 300ms"));
        // It did not wait for the sleep.
        assert!(RealEnv.monotonic() - began < Span::from_secs(300));
        let pid = std::fs::read_to_string(&file).unwrap();
        // The kernel takes a moment to end it; a test that waits for ever would be ended by its own time limit.
        let process = format!("/proc/{}/stat", pid.trim());
        while std::fs::read_to_string(&process).is_ok_and(|stat| !stat.contains(") Z ")) {
            RealEnv.sleep(Span::from_millis(10));
        }
    }

    #[test]
    fn a_server_that_stops_waits_for_no_command() {
        let interrupts = Interrupts::none();
        interrupts.raise(Interrupt::Terminate);
        assert_eq!(asked("sleep 600", Span::from_secs(300), &interrupts).as_deref(), Some("squall serve was stopped"));
    }

    #[test]
    fn a_program_that_is_not_there_is_no_go() {
        let command = GateCommand { run: vec!["./no-such".into()], pass: vec![], timeout: Span::from_secs(1) };
        let question =
            Question { schedule: "a".into(), experiment: "b".into(), run: RunId("c".into()), plan: "d".into() };
        let why = command::closed(&command, &question, Path::new(""), &Interrupts::none(), &RealEnv).unwrap();
        assert!(why.starts_with("./no-such: "), "{why}");
    }
}

mod alarms {
    use super::super::*;
    use crate::account::sandbox::{World, shop};
    use crate::account::{Call, Resource, Setting, Value, Write, ask};
    use crate::template::app::Quiet;

    const ALARM: &str = "OrdersBacklogAlarm";

    fn world(quiet: bool) -> World {
        let mut app = shop();
        if quiet {
            app.alarms.get_mut(ALARM).unwrap().quiet.push(Quiet::Disabled);
        }
        World::new(&app, 1, "2026-03-02T09:00:00Z".parse().unwrap()).unwrap()
    }

    #[test]
    fn an_alarm_is_quiet_when_it_is_ok_and_would_tell() {
        let here = Location::sandbox();
        let mut world = world(false);
        assert_eq!(loud(&mut world, &here, ALARM), None);
        assert_eq!(loud(&mut world, &here, "Nope").as_deref(), Some("`alarms_quiet`: there is no alarm Nope"));
        // Its worker may not run: the orders wait, until the alarm fires.
        let worker = Resource::new(&here, ResourceKind::Function, "PaymentWorker");
        let setting = Setting::ReservedConcurrency { function: worker };
        ask(&mut world, Call::Write(Write { setting, value: Value::Number(0), whole: None })).unwrap();
        let until = world.now() + Span::from_mins(20);
        while world.now() < until {
            let _ = Account::next(&mut world, until);
        }
        assert_eq!(loud(&mut world, &here, ALARM), Some(format!("`alarms_quiet`: {ALARM} is in ALARM")));
    }

    #[test]
    fn an_alarm_that_tells_nobody_is_not_quiet() {
        let why = loud(&mut world(true), &Location::sandbox(), ALARM).unwrap();
        assert!(why.contains("disabled"), "{why}");
    }
}
