//! Forged locks: whoever may write parameters in an account can write one. What `squall undo --account` does about it is what
//! docs/security.md says, and no more.

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use squall::account::sandbox::{Opening, Pace, Sandbox, Weather, shop};
use squall::account::{Call, Reply, Resource, ResourceKind, Setting, Value, Write, ask};
use squall::env::RealEnv;
use squall::run::lock::{LockedChange, signature, signed, to_sign};
use squall::units::Time;

use crate::kills::bench::{Bench, text};

const FUNCTION: &str = "PaymentWorker";
const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd";

fn start() -> Time {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

/// A project whose sandbox somebody writes to.
struct Forger(Bench);

impl Forger {
    fn new() -> Forger {
        let bench = Bench::new();
        bench.picture();
        Forger(bench)
    }

    fn sandbox(&self) -> Sandbox {
        let opening = Opening { seed: 7, start: start(), identity: 7, pace: Pace::Max, weather: Weather::calm() };
        Sandbox::open(&self.0.state().join("sandbox.db"), &shop(), opening, Arc::new(RealEnv)).unwrap()
    }

    fn write(&self, setting: Setting, value: Value) {
        ask(&mut self.sandbox(), Call::Write(Write { setting, value, whole: None })).unwrap();
    }

    fn on(&self, kind: ResourceKind, name: &str) -> Resource {
        Resource::new(self.sandbox().location(), kind, name)
    }

    /// A lock that squall could have written, of a throttle that is over, changed by `forge`.
    fn forge(&self, kind: ResourceKind, name: &str, forge: impl Fn(&mut Json)) {
        let resource = self.on(kind, name);
        let mut lock = json!({
            "squall": 3, "run": "run-forged", "title": "t", "by": "ana@laptop",
            "made_at": "2026-03-01T09:00:00Z", "latest_end": "2026-03-01T10:00:00Z", "lease_seconds": 180,
            "account": resource.location.account.to_string(), "region": resource.location.region.as_str(),
            "kind": kind.word(), "name": name,
            "changes": [{
                "setting": { "kind": "reserved_concurrency" },
                "before": { "kind": "unset" }, "after": { "kind": "number", "number": 0 },
            }],
        });
        forge(&mut lock);
        self.write(Setting::Lock { resource }, Value::Text(lock.to_string()));
    }

    /// The project has a key for locks.
    fn with_key(self) -> Forger {
        let file = self.0.folder.path().join("squall.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        let sandbox = "sandbox: { ";
        assert!(text.contains(sandbox), "{text}");
        std::fs::write(&file, text.replacen(sandbox, &format!("{sandbox}mark_key: '{KEY}', "), 1)).unwrap();
        self
    }

    /// The text of the lock on a function, signed with a key.
    fn sign(&self, key: &str, name: &str) -> String {
        let setting = Setting::Lock { resource: self.on(ResourceKind::Function, name) };
        let Ok(Reply::Observed(found)) = ask(&mut self.sandbox(), Call::Read { setting }) else { panic!("no lock") };
        let text = found.value.to_string();
        let location = self.sandbox().location().clone();
        let call = Call::Sign { location, key: key.parse().unwrap(), text: to_sign(&text).unwrap() };
        let Ok(Reply::Mac(mac)) = ask(&mut self.sandbox(), call) else { panic!("not signed") };
        signed(&text, mac).unwrap()
    }

    /// Puts this text on the function in place of the lock that is there.
    fn put(&self, text: &str) {
        let lock = || Setting::Lock { resource: self.on(ResourceKind::Function, FUNCTION) };
        self.write(lock(), Value::Unset);
        self.write(lock(), Value::Text(text.into()));
    }

    fn reserve(&self, number: u64) {
        let function = self.on(ResourceKind::Function, FUNCTION);
        self.write(Setting::ReservedConcurrency { function }, Value::Number(number));
    }

    /// What is in the account, locks apart.
    fn picture(&self) -> BTreeMap<String, String> {
        self.0.picture().into_iter().filter(|(key, _)| !key.starts_with("lock on ")).collect()
    }

    /// Rolls back from the locks; the exit code, and what was said.
    fn undo(&self, more: &[&str]) -> (Option<i32>, String) {
        let ended = self.0.ended(&[&["undo", "--account", "sandbox", "--pace", "max"], more].concat());
        (ended.status.code(), text(&ended.stdout) + &text(&ended.stderr))
    }

    /// Whatever is agreed to, nothing is written.
    fn reaches_nothing(&self, what: &str) {
        let before = self.picture();
        for more in [&["--yes"][..], &["--yes", "--take-over", "--restore-lower"]] {
            let (code, said) = self.undo(more);
            assert_eq!(code, Some(6), "{what}: {said}");
            assert_eq!(self.picture(), before, "{what}: {said}");
        }
    }
}

/// One forged field after another that no lock of squall has.
#[test]
fn a_lock_that_no_run_wrote_reaches_nothing() {
    let policy = |name: &str, before: Json| {
        json!([{
            "setting": { "kind": "role_policy", "policy": name }, "before": before,
            "after": { "kind": "text", "text": "{}" },
        }])
    };
    let admin = json!({ "kind": "text", "text": "{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}" });
    let variables = |prefix: &str, before: &str| {
        json!([{
            "setting": { "kind": "variables", "prefix": prefix },
            "before": { "kind": "text", "text": before }, "after": { "kind": "unset" },
        }])
    };
    let unset = json!({ "kind": "unset" });
    let role = (ResourceKind::Role, "PaymentWorkerRole");
    let function = (ResourceKind::Function, FUNCTION);
    let forged: Vec<(&str, (ResourceKind, &str), &str, Json)> = vec![
        ("another account", function, "account", json!("aws:111122223333")),
        ("another region", function, "region", json!("us-east-1")),
        ("another resource", function, "name", json!("OrderFunction")),
        ("another kind", function, "kind", json!("queue")),
        ("a path for a run", function, "run", json!("../../../pwned")),
        ("a command for a run", function, "run", json!("x;touch PWNED")),
        ("a newer version", function, "squall", json!(5)),
        ("a signed version without a signature", function, "squall", json!(4)),
        ("a lease that is over at once", function, "lease_seconds", json!(0)),
        ("a key of its own", function, "more", json!(1)),
        ("an end before its beginning", function, "latest_end", json!("2020-01-01T00:00:00Z")),
        ("a long title", function, "title", json!("x".repeat(500))),
        ("an administrator", role, "changes", policy("squall-run-forged-1", admin)),
        ("another's policy", role, "changes", policy("admin", unset.clone())),
        ("another run's policy", role, "changes", policy("squall-run-other-1", unset)),
        ("a variable of the function", function, "changes", variables("PATH", "{\"PATH\":\"/tmp\"}")),
        ("variables beyond the prefix", function, "changes", variables("CHAOS_EXTENSION__", "{\"PATH\":\"/tmp\"}")),
        ("messages beyond counting", function, "sends", json!([{ "first": 4_294_967_295_u32, "count": 9 }])),
    ];
    for (what, (kind, name), key, value) in forged {
        let forger = Forger::new();
        forger.reserve(0);
        forger.forge(kind, name, |lock| lock[key] = value.clone());
        forger.reaches_nothing(what);
        let folder = forger.0.folder.path();
        assert!(!folder.join("PWNED").exists() && !folder.parent().unwrap().join("pwned").exists(), "{what}");
    }
}

/// A lock that a run could have written is listed and asked about; then it puts back the value that it names, where the setting
/// holds the value that it says the run wrote. That is all that can be reached.
#[test]
fn a_believable_forgery_reaches_what_the_page_says() {
    let reserved = |forger: &Forger| {
        let key = format!("reserved concurrency of function {FUNCTION}");
        forger.picture().get(&key).cloned()
    };
    let number = |number: u64| json!({ "kind": "number", "number": number });

    // Not agreed to: listed, and nothing done.
    let forger = Forger::new();
    forger.reserve(0);
    forger.forge(ResourceKind::Function, FUNCTION, |_| {});
    let (code, said) = forger.undo(&[]);
    assert!(code == Some(6) && said.contains("known only from its locks") && said.contains("--yes"), "{code:?} {said}");
    assert_eq!(reserved(&forger).as_deref(), Some("0"));
    let (code, said) = forger.undo(&["--yes"]);
    assert_eq!((code, reserved(&forger)), (Some(0), None), "{said}");

    // Another value than the lock says: left alone and named.
    let forger = Forger::new();
    forger.reserve(3);
    forger.forge(ResourceKind::Function, FUNCTION, |_| {});
    let (code, said) = forger.undo(&["--yes"]);
    assert_eq!((code, reserved(&forger).as_deref()), (Some(6), Some("3")), "{said}");

    // Less than there is: only when that is asked for by name.
    let forger = Forger::new();
    forger.reserve(5);
    forger.forge(ResourceKind::Function, FUNCTION, |lock| {
        (lock["changes"][0]["before"], lock["changes"][0]["after"]) = (number(1), number(5));
    });
    let (code, said) = forger.undo(&["--yes", "--take-over"]);
    assert_eq!((code, reserved(&forger).as_deref()), (Some(6), Some("5")), "{said}");
    assert!(said.contains("--restore-lower"), "{said}");
    let (code, said) = forger.undo(&["--yes", "--restore-lower"]);
    assert_eq!((code, reserved(&forger).as_deref()), (Some(0), Some("1")), "{said}");

    // Not over yet by its own word: it may be live.
    let forger = Forger::new();
    forger.reserve(0);
    forger.forge(ResourceKind::Function, FUNCTION, |lock| lock["latest_end"] = json!("2030-01-01T00:00:00Z"));
    let (code, said) = forger.undo(&["--yes"]);
    assert_eq!((code, reserved(&forger).as_deref()), (Some(6), Some("0")), "{said}");
    assert!(said.contains("may be live elsewhere"), "{said}");
}

/// The owner of a resource has said that no experiment may touch it.
#[test]
fn a_forgery_on_what_is_tagged_reaches_nothing() {
    let forger = Forger::new();
    let template = forger.0.folder.path().join("sandbox/shop/template.yaml");
    let text = std::fs::read_to_string(&template).unwrap();
    let worker = "  PaymentWorker:\n    Type: AWS::Serverless::Function\n    Properties:\n";
    assert!(text.contains(worker), "the shop has another shape");
    let tagged = text.replace(worker, &format!("{worker}      Tags:\n        squall: never\n"));
    std::fs::write(&template, tagged).unwrap();
    forger.reserve(0);
    forger.forge(ResourceKind::Function, FUNCTION, |_| {});
    forger.reaches_nothing("tagged squall=never");
    let (_, said) = forger.undo(&["--yes", "--take-over"]);
    assert!(said.contains("squall=never"), "{said}");
}

/// With a key, only what it signed is believed.
#[test]
fn with_a_key_a_lock_that_it_did_not_sign_reaches_nothing() {
    let forger = Forger::new().with_key();
    forger.reserve(0);
    let refused = |what: &str| {
        forger.reaches_nothing(what);
        forger.undo(&["--yes", "--take-over", "--restore-lower"]).1
    };
    forger.forge(ResourceKind::Function, FUNCTION, |_| {});
    let said = refused("not signed");
    assert!(said.contains("function PaymentWorker") && said.contains("it is not signed"), "{said}");

    let genuine = forger.sign(KEY, FUNCTION);
    forger.put(&forger.sign("arn:aws:kms:eu-west-1:111122223333:key/other", FUNCTION));
    assert!(refused("another key").contains("its signature is not that of"));
    for (from, to) in
        [("\"unset\"}", "\"number\",\"number\":7}"), ("run-forged", "run-other"), ("2026-03-01T10", "2026-03-01T11")]
    {
        let edited = genuine.replacen(from, to, 1);
        assert_ne!(edited, genuine);
        forger.put(&edited);
        assert!(refused(from).contains("its signature is not that of"), "{from}");
    }
    // Whoever can sign is believed as far as without a key.
    forger.put(&genuine);
    let (code, said) = forger.undo(&["--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(forger.picture().get(&format!("reserved concurrency of function {FUNCTION}")), None);
}

/// What a run locks is signed by its plan, and rolled back without its journal.
#[test]
fn with_a_key_a_run_signs_its_locks() {
    let forger = Forger::new().with_key();
    let before = forger.0.picture();
    forger.0.begin_held("payment-worker-throttled.yaml").kill();
    let marks: Vec<(String, String)> =
        forger.0.picture().into_iter().filter(|(key, _)| key.starts_with("lock on ")).collect();
    assert!(!marks.is_empty() && marks.iter().all(|(_, text)| signature(text).is_some()), "{marks:?}");
    std::fs::rename(forger.0.state().join("journal.db"), forger.0.folder.path().join("lost.db")).unwrap();
    let (code, said) = forger.undo(&["--yes", "--take-over"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(forger.0.picture(), before);
}

/// What a run changes for a fault is never taken for forged; the other direction is.
#[test]
fn a_change_is_doubtful_only_in_the_direction_that_no_fault_takes() {
    let here = squall::account::Location::sandbox();
    let on = |kind| Resource::new(&here, kind, "x");
    let change = |setting: Setting, before: u64, after: u64| LockedChange {
        setting,
        before: Value::Number(before),
        after: Value::Number(after),
        whole_before: None,
    };
    let delay = || Setting::QueueDelay { queue: on(ResourceKind::Queue) };
    let limit = || Setting::ReservedConcurrency { function: on(ResourceKind::Function) };
    assert!(!change(delay(), 3, 45).is_against_faults() && change(delay(), 45, 3).is_against_faults());
    assert!(!change(limit(), 20, 0).is_against_faults() && change(limit(), 0, 20).is_against_faults());
    for plan in crate::engine::shipped::plans(7) {
        for change in plan.changes.values() {
            let (setting, before, after) = (change.setting.clone(), change.before.clone(), change.after.clone());
            let locked = LockedChange { setting, before, after, whole_before: None };
            assert!(!locked.is_against_faults(), "{}: {locked:?}", plan.title);
        }
    }
}
