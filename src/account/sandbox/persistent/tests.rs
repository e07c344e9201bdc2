//! The sandbox in its file, and several processes with it.

use std::sync::Mutex;

use tempfile::TempDir;

use super::super::message::New;
use super::super::testing::{at, message};
use super::super::{Fate, shop_like};
use super::*;
use crate::account::contract::{Fixture, check};
use crate::account::kind::Sample;
use crate::account::{
    CallError, Handle, Received, RefusedBy, Reply, Resource, ResourceKind, Setting, Value, Write, ask,
};

/// A clock that only sleeping moves.
#[derive(Default)]
struct Sleeper(Mutex<Span>);

impl Env for Sleeper {
    fn now(&self) -> Time {
        Time::EPOCH
    }
    fn monotonic(&self) -> Span {
        *self.0.lock().unwrap()
    }
    fn sleep(&self, span: Span) {
        let mut now = self.0.lock().unwrap();
        *now = *now + span.max(Span::from_micros(1));
    }
    fn entropy(&self) -> u64 {
        0
    }
    fn var(&self, _: &str) -> Option<String> {
        None
    }
    fn who(&self) -> String {
        "tester@here".into()
    }
}

fn resource(kind: ResourceKind, name: &str) -> Resource {
    Resource::new(&Location::of_sandbox("000000000001"), kind, name)
}

fn env() -> Arc<Sleeper> {
    Arc::default()
}

fn opening() -> Opening {
    Opening { seed: 1, start: at(0), identity: 1, pace: Pace::Max, weather: Weather::calm() }
}

/// The small shop without its consumer.
fn quiet() -> App {
    let mut app = shop_like();
    app.mappings.clear();
    app
}

fn open(folder: &TempDir, app: &App) -> Sandbox {
    Sandbox::open(&folder.path().join("sandbox.db"), app, opening(), env()).unwrap()
}

fn reserved() -> Setting {
    Setting::ReservedConcurrency { function: resource(ResourceKind::Function, "payment-worker") }
}

fn write(setting: Setting, value: Value) -> Call {
    Call::Write(Write { setting, value, whole: None })
}

fn read(sandbox: &mut Sandbox, setting: Setting) -> Value {
    match ask(sandbox, Call::Read { setting }) {
        Ok(Reply::Observed(observed)) => observed.value,
        other => panic!("{other:?}"),
    }
}

fn queue(name: &str) -> Resource {
    resource(ResourceKind::Queue, name)
}

fn receive(sandbox: &mut Sandbox, from: &str, hide: i64) -> Vec<Received> {
    match ask(sandbox, Call::Receive { queue: queue(from), hide: Span::from_secs(hide) }) {
        Ok(Reply::Received(received)) => received,
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_forgotten_under_one_that_has_it_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sandbox.db");
    let open = || Sandbox::open(&path, &shop_like(), opening(), Arc::new(Sleeper::default())).unwrap();
    let (mut first, second) = (open(), open());
    let untouched = first.picture();
    let reserved = Setting::ReservedConcurrency {
        function: Resource::new(&first.location, ResourceKind::Function, "payment-worker"),
    };
    let write = Call::Write(Write { setting: reserved, value: Value::Number(0), whole: None });
    assert_eq!(ask(&mut first, write), Ok(Reply::Done));
    let (id, changed) = (first.location.clone(), first.picture());
    assert_ne!(changed, untouched);
    drop(second);
    assert_eq!(Sandbox::forget(&path), Ok(false));
    drop(first);
    assert_eq!(open().picture(), changed);
    assert_eq!(Sandbox::forget(&path), Ok(true));
    let afresh = open();
    assert_eq!((afresh.picture(), &afresh.location), (untouched, &id));
}

#[test]
fn the_contract_holds() {
    check(|| {
        let folder = tempfile::tempdir().unwrap();
        let account = open(&folder, &quiet());
        // The folder goes when the process ends; a file that is open may lose its name.
        drop(folder);
        Fixture {
            account: Box::new(account),
            function: resource(ResourceKind::Function, "payment-worker"),
            tag: Some(("chaos".into(), "yes".into())),
            stack: Some("shop-like".into()),
            variables: false,
            role: resource(ResourceKind::Role, "payment-worker-role"),
            parameter: resource(ResourceKind::Parameter, "/shop/faults"),
            queue: queue("orders"),
            dead_letter: queue("orders-dlq"),
            max_receive_count: 5,
            patience: Span::from_secs(10),
        }
    });
}

#[test]
fn another_process_finds_what_a_killed_one_left() {
    let folder = tempfile::tempdir().unwrap();
    let role = resource(ResourceKind::Role, "payment-worker-role");
    let lock = Setting::Lock { resource: role.clone() };
    let policy = |name: &str| Setting::RolePolicy { role: role.clone(), policy: name.into() };
    let parameter = resource(ResourceKind::Parameter, "/shop/faults");
    let flag = Setting::FaultFlag { parameter, key: "latency".into() };
    let document = r#"{"Statement":[{"Effect":"Deny","Action":"a:B","Resource":"*"}]}"#;
    let mut killed = open(&folder, &quiet());
    for call in [
        write(reserved(), Value::Number(0)),
        write(lock.clone(), Value::Text("run-1".into())),
        write(policy("squall"), Value::Text(document.into())),
        write(policy("work"), Value::Unset),
        Call::Write(Write { setting: flag.clone(), value: Value::Unset, whole: Some(r#"{"latency": {}}"#.into()) }),
    ] {
        assert_eq!(ask(&mut killed, call), Ok(Reply::Done));
    }
    let sent = ask(&mut killed, Call::Send { queue: queue("orders"), messages: vec![message(4, "no object")] });
    assert!(matches!(sent, Ok(Reply::Sent(_))));
    assert_eq!(receive(&mut killed, "orders", 300).len(), 1);
    // Time passes without a call, and the process dies.
    assert_eq!(killed.next(at(100)), None);
    let (picture, now) = (killed.world.picture(), killed.now());
    drop(killed);

    let mut next = open(&folder, &quiet());
    assert!(next.now() >= now, "time went back");
    assert_eq!(next.world.picture(), picture);
    assert_eq!(read(&mut next, reserved()), Value::Number(0));
    assert_eq!(read(&mut next, policy("work")), Value::Unset);
    assert_eq!(receive(&mut next, "orders", 0), [], "it is hidden still");
    let _ = next.next(at(400));
    let received = receive(&mut next, "orders", 300);
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].handle, Handle("0:2".into()), "this is its second receive");
    assert_eq!(received[0].marker.as_ref().map(|marker| marker.number), Some(4));
    for call in [
        write(reserved(), Value::Unset),
        write(lock, Value::Unset),
        write(policy("squall"), Value::Unset),
        Call::DeleteMessage { queue: queue("orders"), handle: received[0].handle.clone() },
    ] {
        assert_eq!(ask(&mut next, call), Ok(Reply::Done));
    }
    drop(next);
    let last = open(&folder, &quiet());
    let mut left = last.world.picture();
    left.retain(|key, _| !key.starts_with("delivery delay"));
    let left: Vec<String> = left.into_keys().collect();
    assert_eq!(left, ["fault in parameter /shop/faults"], "what another one took away stays away");
}

#[test]
fn a_backlog_outlives_its_process_in_a_small_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut killed = open(&folder, &quiet());
    (0..50_000).for_each(|_| assert!(killed.world.enqueue(0, New::default())));
    assert_eq!(receive(&mut killed, "orders", 300).len(), 10);
    let picture = format!("{:?}", killed.world.stored());
    drop(killed);
    let size = std::fs::metadata(folder.path().join("sandbox.db")).unwrap().len();
    assert!(size < 100_000, "{size}");
    let mut next = open(&folder, &quiet());
    assert_eq!(next.world.queues.queues[0].depth(), 49_990);
    assert_eq!(next.world.queues.queues[0].in_flight, 10);
    assert_eq!(picture.matches("Block").count(), 1, "{picture}");
    assert_eq!(receive(&mut next, "orders", 300).len(), 10);
    let _ = next.next(at(400));
    assert_eq!(next.world.queues.queues[0].depth(), 50_000);
}

/// Everything that is known of a sandbox: leaving a setting out of one of them fails here.
#[test]
fn every_setting_is_in_the_picture_the_description_and_the_file() {
    let on = |kind: ResourceKind| {
        let names = ["payment-worker", "orders", "payment-worker-role", "/shop/faults"];
        let kinds = [ResourceKind::Function, ResourceKind::Queue, ResourceKind::Role, ResourceKind::Parameter];
        let at = kinds.iter().position(|known| *known == kind).unwrap();
        resource(kind, names[at])
    };
    let mut refused = Vec::new();
    for Sample { setting, value, whole } in Setting::samples(&on) {
        let folder = tempfile::tempdir().unwrap();
        let mut first = open(&folder, &quiet());
        let picture = first.world.picture();
        let described = first.world.describe(setting.resource()).unwrap();
        let Ok(Reply::Observed(before)) = ask(&mut first, Call::Read { setting: setting.clone() }) else {
            panic!("{setting} cannot be read");
        };
        let written = ask(&mut first, Call::Write(Write { setting: setting.clone(), value: value.clone(), whole }));
        if matches!(written, Err(CallError::Refused { by: RefusedBy::Unsupported, .. })) {
            refused.push(setting.describe());
            continue;
        }
        assert_eq!(written, Ok(Reply::Done), "{setting}");
        let changed = first.world.picture();
        assert_ne!(changed, picture, "{setting} is not in the picture");
        let new = first.world.describe(setting.resource()).unwrap();
        assert_eq!(new != described, setting.is_described(), "{setting} and the description of its resource");
        drop(first);

        let mut next = open(&folder, &quiet());
        assert_eq!(next.world.picture(), changed, "{setting} is not stored");
        assert_eq!(next.world.describe(setting.resource()), Ok(new), "{setting}");
        let found = read(&mut next, setting.clone());
        assert!(setting.same(&found, &value), "{setting}: {found}");
        let back = Write { setting: setting.clone(), value: before.value, whole: before.whole };
        assert_eq!(ask(&mut next, Call::Write(back)), Ok(Reply::Done), "{setting}");
        assert_eq!(next.world.picture(), picture, "{setting} is not restored");
        drop(next);
        assert_eq!(open(&folder, &quiet()).world.picture(), picture, "{setting}: what was restored is not stored");
    }
    assert_eq!(refused, ["variables CHAOS_* of function payment-worker"]);
}

#[test]
fn a_late_write_lands_after_its_process_died() {
    let folder = tempfile::tempdir().unwrap();
    let mut killed = open(&folder, &quiet());
    killed.world.force_fate(0, Fate::LateBy(Span::from_secs(300)));
    let outcome = ask(&mut killed, write(reserved(), Value::Number(0)));
    assert!(matches!(outcome, Err(CallError::Unknown(_))), "{outcome:?}");
    let now = killed.now();
    drop(killed);
    let mut next = open(&folder, &quiet());
    assert_eq!(read(&mut next, reserved()), Value::Unset);
    let _ = next.next(now + Span::from_secs(301));
    assert_eq!(read(&mut next, reserved()), Value::Number(0));
}

#[test]
fn two_processes_see_each_others_writes_and_one_mark_wins() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, mut two) = (open(&folder, &quiet()), open(&folder, &quiet()));
    assert_eq!(ask(&mut one, write(reserved(), Value::Number(3))), Ok(Reply::Done));
    assert_eq!(read(&mut two, reserved()), Value::Number(3));
    let lock = Setting::Lock { resource: queue("orders") };
    assert_eq!(ask(&mut two, write(lock.clone(), Value::Text("two".into()))), Ok(Reply::Done));
    let second = ask(&mut one, write(lock, Value::Text("one".into())));
    assert!(matches!(second, Err(CallError::Refused { by: RefusedBy::LockExists, .. })), "{second:?}");
    assert!(one.now() >= at(0) && two.now() >= at(0));
}

#[test]
fn a_write_that_another_process_overtook_is_unknown_and_did_not_happen() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, mut two) = (open(&folder, &quiet()), open(&folder, &quiet()));
    one.submit(CallId(1), write(reserved(), Value::Number(1)));
    one.submit(CallId(2), Call::Read { setting: reserved() });
    assert_eq!(ask(&mut two, write(reserved(), Value::Number(2))), Ok(Reply::Done));
    let until = one.now() + Span::from_secs(60);
    let mut answers: Vec<_> = std::iter::from_fn(|| one.next(until)).collect();
    answers.sort_by_key(|(id, _)| *id);
    assert_eq!(answers.len(), 2);
    assert!(matches!(answers[0], (CallId(1), Err(CallError::Unknown(_)))), "{answers:?}");
    assert_eq!(read(&mut one, reserved()), Value::Number(2));
}

#[test]
fn an_edited_template_shows_where_nothing_was_changed() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = open(&folder, &quiet());
    assert_eq!(ask(&mut first, write(reserved(), Value::Number(0))), Ok(Reply::Done));
    drop(first);
    let mut edited = quiet();
    edited.parameters.insert("/shop/faults".into(), r#"{"by": "hand"}"#.into());
    edited.functions.get_mut("payment-worker").unwrap().reserved = Some(7);
    let next = open(&folder, &edited);
    assert_eq!(next.world.picture()["fault in parameter /shop/faults"], r#"{"by": "hand"}"#);
    assert_eq!(next.world.picture()["reserved concurrency of function payment-worker"], "0");
}

#[test]
fn time_passes_at_its_pace_and_control_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let env = env();
    let paced = Opening { pace: Pace::Times(60.0), ..opening() };
    let mut sandbox = Sandbox::open(&folder.path().join("sandbox.db"), &quiet(), paced, env.clone()).unwrap();
    let mut slices = 0;
    while sandbox.now() < at(60) {
        let before = env.monotonic();
        assert_eq!(sandbox.next(at(60)), None);
        assert!(env.monotonic() - before <= Span::from_millis(100));
        slices += 1;
    }
    let took = env.monotonic();
    assert!(took >= Span::from_secs(1) && took < Span::from_millis(1_050), "{took}");
    assert!(slices >= 10, "{slices}");
}

#[test]
fn a_file_of_another_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(&folder, &quiet()));
    let path = folder.path().join("sandbox.db");
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 9).unwrap();
    let refused = Sandbox::open(&path, &quiet(), opening(), env()).err();
    assert_eq!(refused, Some(SandboxError::Version { found: 9 }));
}
