//! The contract tests: one list of what every account must do, run against each kind.
//!
//! A kind of account writes a function that makes a [`Fixture`] with fresh resources, and hands it to [`check`]. The
//! tests leave the resources as they found them only where they say so; make a new fixture for each.

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests, also where they are compiled for others")]

use super::kind::Sample;
use super::setting::with_key;
use super::target::SelectBy;
use super::{
    Account, Call, CallError, CallId, Description, Message, Metric, Observed, Outcome, Query, Received, RefusedBy,
    Reply, Resource, RunMarker, Selector, SendOutcome, Setting, Value, Window, Write, ask,
};
use crate::account::ResourceKind;
use crate::ids::RunId;
use crate::units::{Span, Time};

/// An account and resources in it that a test may do with as it likes. Nothing else happens to them meanwhile.
pub struct Fixture {
    pub account: Box<dyn Account>,
    /// A function without reserved concurrency, in an account with head-room of at least 2 and a floor. It can be invoked,
    /// ends well within seconds, and was not invoked yet.
    pub function: Resource,
    /// A tag, key and value, that the function has and no other one; `None` where resources cannot be listed by tag.
    pub tag: Option<(String, String)>,
    /// The stack of which the function is; `None` where there are no stacks.
    pub stack: Option<String>,
    /// Whether the variables of a function can be changed.
    pub variables: bool,
    /// The function's role. It has at least one inline policy, and room for another.
    pub role: Resource,
    /// A parameter that holds `{}`.
    pub parameter: Resource,
    /// An empty standard queue that nothing consumes, whose visibility is a few seconds.
    pub queue: Resource,
    /// Its dead-letter queue, empty.
    pub dead_letter: Resource,
    /// After how many receives a message goes there.
    pub max_receive_count: u32,
    /// How long a write may take to be seen by every read.
    pub patience: Span,
}

/// One test of the contract: its name, and what it does.
pub type Test = (&'static str, fn(&mut Fixture));

/// Every test.
pub const TESTS: &[Test] = &[
    ("a caller has an identity", a_caller_has_an_identity),
    ("every setting is written, read back and restored", every_setting_is_written_and_restored),
    ("resources are found by name and by ARN", resources_are_found_by_name_and_by_arn),
    ("resources are found by tag and by stack", resources_are_found_by_tag_and_by_stack),
    ("an unknown name means no resource", an_unknown_name_means_no_resource),
    ("what is absent is gone, not unset", what_is_absent_is_gone_not_unset),
    ("reserved concurrency is unset, set to zero, and unset again", reserved_concurrency_comes_and_goes),
    ("a reservation that leaves too little is refused", a_reservation_that_leaves_too_little_is_refused),
    ("a mark is created once", a_mark_is_created_once),
    ("a renewal makes no mark", a_renewal_makes_no_mark),
    ("two marks at once: one wins", two_marks_at_once_one_wins),
    ("a fault flag is one key and the bytes stay", a_fault_flag_is_one_key_and_the_bytes_stay),
    ("variables come and go beside the others", variables_come_and_go_beside_the_others),
    ("an inline policy comes and goes beside the others", an_inline_policy_comes_and_goes),
    ("a policy that is none is refused", a_policy_that_is_none_is_refused),
    ("a message is received with its marker, hidden, released and deleted", a_message_travels),
    ("an old receive deletes nothing", an_old_receive_deletes_nothing),
    ("a message received too often is in the dead-letter queue", a_message_received_too_often_is_dead),
    ("the counts of a queue are read from the queue", the_counts_of_a_queue_are_read_from_it),
    ("what was never published is not zero", what_nobody_published_is_no_zero),
    ("a load is made and counted", a_load_is_made_and_counted),
    ("replies come under their own ids, and time does not go back", replies_come_under_their_ids),
];

/// Runs every test, each on a fixture of its own. Says each one's name on standard error, so that a failure has one.
pub fn check(mut fixture: impl FnMut() -> Fixture) {
    for (name, test) in TESTS {
        let mut fresh = fixture();
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(&mut fresh)));
        if ran.is_err() {
            panic!("the contract does not hold: {name}");
        }
    }
}

impl Fixture {
    fn ask(&mut self, call: Call) -> Outcome {
        for _ in 0..100 {
            match ask(&mut *self.account, call.clone()) {
                Err(CallError::Throttled) => self.wait(Span::from_millis(500)),
                other => return other,
            }
        }
        panic!("throttled for good");
    }

    fn wait(&mut self, span: Span) {
        let until = self.account.now() + span;
        while self.account.now() < until {
            let _ = self.account.next(until);
        }
    }

    /// Writes a setting.
    pub fn write(&mut self, setting: &Setting, value: Value, whole: Option<String>) -> Outcome {
        self.ask(Call::Write(Write { setting: setting.clone(), value, whole }))
    }

    fn read(&mut self, setting: &Setting) -> Observed {
        match self.ask(Call::Read { setting: setting.clone() }).unwrap() {
            Reply::Observed(observed) => observed,
            other => panic!("{other:?}"),
        }
    }

    /// Reads until the value is there, or patience ends.
    fn comes_to(&mut self, setting: &Setting, value: &Value) {
        let until = self.account.now() + self.patience;
        while !setting.same(&self.read(setting).value, value) {
            assert!(self.account.now() < until, "{setting} did not become {value}");
            self.wait(Span::from_millis(500));
        }
    }

    fn describe(&mut self, resource: &Resource) -> Description {
        match self.ask(Call::Describe { resource: resource.clone() }).unwrap() {
            Reply::Description(description) => *description,
            other => panic!("{other:?}"),
        }
    }

    fn resolve(&mut self, kind: ResourceKind, name: &str) -> Vec<Resource> {
        self.select(kind, SelectBy::Name(name.into()))
    }

    fn select(&mut self, kind: ResourceKind, by: SelectBy) -> Vec<Resource> {
        let location = self.function.location.clone();
        match self.ask(Call::Resolve { location, selector: Selector { kind, by } }) {
            Ok(Reply::Resources(resources)) => resources,
            other => panic!("{other:?}"),
        }
    }

    /// Measures over the minute that was closed last.
    fn measure(&mut self, metric: Metric, resource: &Resource) -> Option<f64> {
        let to = self.account.now().window_start(Span::from_mins(1));
        let window = Window { from: to - Span::from_mins(1), to };
        match self.ask(Call::Measure { query: Query { metric, resource: resource.clone() }, window }) {
            Ok(Reply::Sample(sample)) => sample.value,
            other => panic!("{other:?}"),
        }
    }

    /// Measures until the value is there, or patience ends.
    fn comes_to_measure(&mut self, metric: Metric, resource: &Resource, value: f64) {
        let until = self.account.now() + self.patience;
        while self.measure(metric, resource) != Some(value) {
            assert!(self.account.now() < until, "{metric:?} of {resource} did not become {value}");
            self.wait(Span::from_millis(500));
        }
    }

    fn send(&mut self, number: u32) {
        let marker = RunMarker { run: RunId("run-contract".into()), number };
        let messages = vec![Message { marker, body: "not json".into(), group: None }];
        let sent = self.ask(Call::Send { queue: self.queue.clone(), messages });
        assert_eq!(sent, Ok(Reply::Sent(vec![SendOutcome::Accepted])));
    }

    fn receive(&mut self, queue: &Resource, hide: Span) -> Vec<Received> {
        match self.ask(Call::Receive { queue: queue.clone(), hide }) {
            Ok(Reply::Received(received)) => received,
            other => panic!("{other:?}"),
        }
    }

    /// Receives until something comes, or patience ends.
    fn receive_soon(&mut self, queue: &Resource, hide: Span) -> Vec<Received> {
        let until = self.account.now() + self.patience;
        loop {
            let received = self.receive(queue, hide);
            if !received.is_empty() || self.account.now() >= until {
                return received;
            }
            self.wait(Span::from_millis(500));
        }
    }
}

fn absent(like: &Resource) -> Resource {
    Resource { name: format!("{}-that-is-not-there", like.name), ..like.clone() }
}

fn every_setting_is_written_and_restored(f: &mut Fixture) {
    let known = [&f.function, &f.role, &f.parameter, &f.queue].map(Clone::clone);
    let on = |kind: ResourceKind| known.iter().find(|resource| resource.kind == kind).unwrap().clone();
    for Sample { setting, value, whole } in Setting::samples(&on) {
        if matches!(setting, Setting::Variables { .. }) && !f.variables {
            continue;
        }
        let before = f.read(&setting);
        assert!(!setting.same(&before.value, &value), "{setting}");
        assert_eq!(before.whole.is_some(), setting.key().is_some(), "{setting}");
        assert_eq!(f.write(&setting, value.clone(), whole), Ok(Reply::Done), "{setting}");
        f.comes_to(&setting, &value);
        assert_eq!(f.write(&setting, before.value.clone(), before.whole), Ok(Reply::Done), "{setting}");
        f.comes_to(&setting, &before.value);
    }
    let nowhere = |kind: ResourceKind| absent(&on(kind));
    for Sample { setting, value, whole } in Setting::samples(&nowhere) {
        // A lock is a parameter of its own, whatever it is about.
        if setting.is_lock() || matches!(setting, Setting::Variables { .. }) && !f.variables {
            continue;
        }
        let read = f.ask(Call::Read { setting: setting.clone() });
        assert!(matches!(read, Err(CallError::Gone(_))), "{setting}: {read:?}");
        let write = f.write(&setting, value, whole);
        assert!(matches!(write, Err(CallError::Gone(_))), "{setting}: {write:?}");
    }
}

fn a_caller_has_an_identity(f: &mut Fixture) {
    let location = f.function.location.clone();
    let Ok(Reply::Identity(identity)) = f.ask(Call::Identify { location }) else { panic!("no identity") };
    assert_eq!(identity.account_id.len(), 12);
    assert!(identity.arn.starts_with("arn:aws"));
}

fn resources_are_found_by_name_and_by_arn(f: &mut Fixture) {
    let all = [&f.function, &f.queue, &f.role, &f.parameter].map(Clone::clone);
    for resource in all {
        assert_eq!(f.resolve(resource.kind, &resource.name), std::slice::from_ref(&resource));
        let arn = f.describe(&resource).arn().to_owned();
        assert_eq!(f.resolve(resource.kind, &arn), [resource]);
    }
    let (role, function, dead_letter) = (f.role.clone(), f.function.clone(), f.dead_letter.clone());
    match (f.describe(&function.clone()), f.describe(&role.clone()), f.describe(&f.queue.clone())) {
        (Description::Function(is), Description::Role(of), Description::Queue(queue)) => {
            assert_eq!(is.role, role);
            assert!(of.used_by.contains(&function));
            assert!(of.inline_size > 0);
            assert_eq!(queue.dead_letter, Some(dead_letter));
            assert_eq!(queue.max_receive_count, Some(f.max_receive_count));
        }
        other => panic!("{other:?}"),
    }
}

fn resources_are_found_by_tag_and_by_stack(f: &mut Fixture) {
    let function = f.function.clone();
    if let Some((key, value)) = f.tag.clone() {
        let by = SelectBy::Tag { key: key.clone(), value };
        assert_eq!(f.select(function.kind, by), std::slice::from_ref(&function));
        assert_eq!(f.select(function.kind, SelectBy::Tag { key, value: "no-such-value".into() }), []);
    }
    if let Some(stack) = f.stack.clone() {
        let all = f.select(function.kind, SelectBy::Stack(stack));
        assert!(all.contains(&function), "{all:?}");
        assert!(all.is_sorted(), "{all:?}");
        assert_eq!(f.select(function.kind, SelectBy::Stack("no-such-stack".into())), []);
    }
}

fn an_unknown_name_means_no_resource(f: &mut Fixture) {
    let nowhere = absent(&f.function);
    assert_eq!(f.resolve(nowhere.kind, &nowhere.name), []);
}

fn what_is_absent_is_gone_not_unset(f: &mut Fixture) {
    for resource in [absent(&f.function), absent(&f.role), absent(&f.parameter), absent(&f.queue)] {
        let described = f.ask(Call::Describe { resource: resource.clone() });
        assert!(matches!(described, Err(CallError::Gone(_))), "{resource}: {described:?}");
    }
}

fn reserved_concurrency_comes_and_goes(f: &mut Fixture) {
    let setting = Setting::ReservedConcurrency { function: f.function.clone() };
    assert_eq!(f.read(&setting), Observed::plain(Value::Unset));
    for value in [Value::Number(0), Value::Number(2), Value::Unset, Value::Unset] {
        assert_eq!(f.write(&setting, value.clone(), None), Ok(Reply::Done));
        f.comes_to(&setting, &value);
    }
}

fn a_reservation_that_leaves_too_little_is_refused(f: &mut Fixture) {
    let Description::Function(function) = f.describe(&f.function.clone()) else { panic!("no function") };
    let setting = Setting::ReservedConcurrency { function: f.function.clone() };
    let too_many = function.account_unreserved - function.unreserved_floor + 1;
    let write = f.write(&setting, Value::Number(too_many), None);
    assert!(matches!(write, Err(CallError::Refused { by: RefusedBy::Limit, .. })), "{write:?}");
    assert_eq!(f.read(&setting).value, Value::Unset);
    assert_eq!(f.write(&setting, Value::Number(1), None), Ok(Reply::Done));
    assert_eq!(f.write(&setting, Value::Unset, None), Ok(Reply::Done));
}

fn a_mark_is_created_once(f: &mut Fixture) {
    let resource = f.function.clone();
    let setting = Setting::Lock { resource: resource.clone() };
    assert_eq!(f.read(&setting).value, Value::Unset);
    assert_eq!(f.write(&setting, Value::Text("run one".into()), None), Ok(Reply::Done));
    let second = f.write(&setting, Value::Text("run two".into()), None);
    assert!(matches!(second, Err(CallError::Refused { by: RefusedBy::LockExists, .. })), "{second:?}");
    f.comes_to(&setting, &Value::Text("run one".into()));
    let location = resource.location.clone();
    // Its owner says that it lives.
    let Ok(Reply::Alive(made)) = f.ask(Call::Lease { resource: resource.clone() }) else { panic!("no lease") };
    let at = made + Span::from_mins(1);
    assert_eq!(f.ask(Call::Renew { resource: resource.clone(), at }), Ok(Reply::Done));
    assert_eq!(f.ask(Call::Lease { resource: resource.clone() }), Ok(Reply::Alive(at)));
    let Ok(Reply::Locks(locks)) = f.ask(Call::ListLocks { location }) else { panic!("no marks") };
    assert!(locks.contains(&(resource.clone(), "run one".into())), "{locks:?}");
    assert_eq!(f.write(&setting, Value::Unset, None), Ok(Reply::Done));
    f.comes_to(&setting, &Value::Unset);
    assert_eq!(f.write(&setting, Value::Unset, None), Ok(Reply::Done), "deleting what is not there is done");
}

fn a_renewal_makes_no_mark(f: &mut Fixture) {
    let resource = f.function.clone();
    let renewed = f.ask(Call::Renew { resource: resource.clone(), at: f.account.now() });
    let Ok(Reply::Locks(locks)) = f.ask(Call::ListLocks { location: resource.location.clone() }) else {
        panic!("no marks")
    };
    assert!(locks.iter().all(|(locked, _)| *locked != resource), "{locks:?}");
    assert!(matches!(renewed, Err(CallError::Gone(_))), "nothing is there to renew: {renewed:?}");
}

fn two_marks_at_once_one_wins(f: &mut Fixture) {
    let setting = Setting::Lock { resource: f.queue.clone() };
    for id in 0..2 {
        let value = Value::Text(format!("run {id}"));
        f.account.submit(CallId(id), Call::Write(Write { setting: setting.clone(), value, whole: None }));
    }
    let until = f.account.now() + f.patience;
    let mut outcomes = Vec::new();
    while outcomes.len() < 2 && f.account.now() < until {
        outcomes.extend(f.account.next(until).map(|(_, outcome)| outcome));
    }
    let refused = |o: &&Outcome| matches!(o, Err(CallError::Refused { by: RefusedBy::LockExists, .. }));
    assert_eq!(outcomes.iter().filter(|o| **o == Ok(Reply::Done)).count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(refused).count(), 1, "{outcomes:?}");
    assert_eq!(f.write(&setting, Value::Unset, None), Ok(Reply::Done));
}

fn a_fault_flag_is_one_key_and_the_bytes_stay(f: &mut Fixture) {
    let flag = |key: &str| Setting::FaultFlag { parameter: f.parameter.clone(), key: key.into() };
    let (latency, other) = (flag("latency"), flag("other"));
    assert_eq!(f.read(&latency), Observed { value: Value::Unset, whole: Some("{}".into()) });
    // White space and an order of keys that nobody's serialiser would choose.
    let odd = "{ \"zeta\" : 1,\n  \"other\":{\"a\":2} }".to_owned();
    assert_eq!(f.write(&other, Value::Text("{\"a\":2}".into()), Some(odd.clone())), Ok(Reply::Done));
    f.comes_to(&other, &Value::Text("{\"a\":2}".into()));
    let value = Value::Text("{\"enabled\":true}".into());
    let whole = with_key(&odd, "latency", &value).unwrap();
    assert_eq!(f.write(&latency, value.clone(), Some(whole)), Ok(Reply::Done));
    f.comes_to(&latency, &value);
    f.comes_to(&other, &Value::Text("{\"a\":2}".into()));
    assert_eq!(f.write(&latency, Value::Unset, Some(odd.clone())), Ok(Reply::Done));
    f.comes_to(&latency, &Value::Unset);
    assert_eq!(f.read(&latency).whole, Some(odd), "the bytes are those that were written");
    assert_eq!(f.write(&other, Value::Unset, Some("{}".into())), Ok(Reply::Done));
}

fn variables_come_and_go_beside_the_others(f: &mut Fixture) {
    if !f.variables {
        return;
    }
    let setting = |prefix: &str| Setting::Variables { function: f.function.clone(), prefix: prefix.into() };
    let (others, ours, text) = (setting("KEEP_"), setting("CHAOS_"), |text: &str| Value::Text(text.into()));
    let steps = [
        (&others, text(r#"{"KEEP_ME":"as I am"}"#), Value::Unset),
        (&ours, text(r#"{"CHAOS_A":"1","CHAOS_B":"2"}"#), text(r#"{"KEEP_ME":"as I am"}"#)),
        (&ours, text(r#"{"CHAOS_B":"3"}"#), text(r#"{"KEEP_ME":"as I am"}"#)),
        (&ours, Value::Unset, text(r#"{"KEEP_ME":"as I am"}"#)),
        (&others, Value::Unset, Value::Unset),
    ];
    for (setting, value, kept) in steps {
        assert_eq!(f.write(setting, value.clone(), None), Ok(Reply::Done));
        f.comes_to(setting, &value);
        let other = if *setting == others { &ours } else { &others };
        assert!(other.same(&f.read(other).value, &kept), "after {setting} became {value}");
    }
    let foreign = f.write(&ours, text(r#"{"PATH":"/tmp"}"#), None);
    assert!(matches!(foreign, Err(CallError::Refused { by: RefusedBy::Invalid, .. })), "{foreign:?}");
    assert_eq!(f.read(&ours).value, Value::Unset);
}

fn an_inline_policy_comes_and_goes(f: &mut Fixture) {
    let setting = Setting::RolePolicy { role: f.role.clone(), policy: "squall-contract".into() };
    let size = |f: &mut Fixture| match f.describe(&f.role.clone()) {
        Description::Role(role) => role.inline_size,
        other => panic!("{other:?}"),
    };
    let before = size(f);
    assert_eq!(f.read(&setting).value, Value::Unset);
    let document = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\",\"Action\":\"sqs:SendMessage\",\
                    \"Resource\":\"*\",\"Condition\":{\"DateLessThan\":{\"aws:CurrentTime\":\"2020-01-01T00:00:00Z\"}}}]}";
    let document = Value::Text(document.into());
    assert_eq!(f.write(&setting, document.clone(), None), Ok(Reply::Done));
    f.comes_to(&setting, &document);
    assert!(size(f) > before);
    assert_eq!(f.write(&setting, Value::Unset, None), Ok(Reply::Done));
    f.comes_to(&setting, &Value::Unset);
    assert_eq!(f.write(&setting, Value::Unset, None), Ok(Reply::Done), "deleting what is not there is done");
    assert_eq!(size(f), before);
}

fn a_policy_that_is_none_is_refused(f: &mut Fixture) {
    let setting = Setting::RolePolicy { role: f.role.clone(), policy: "squall-contract".into() };
    let write = f.write(&setting, Value::Text("no policy".into()), None);
    assert!(matches!(write, Err(CallError::Refused { by: RefusedBy::Invalid, .. })), "{write:?}");
    assert_eq!(f.read(&setting).value, Value::Unset);
}

fn a_message_travels(f: &mut Fixture) {
    let queue = f.queue.clone();
    f.send(7);
    let hide = Span::from_secs(60);
    let first = f.receive_soon(&queue, hide);
    assert_eq!(first.len(), 1);
    let marker = RunMarker { run: RunId("run-contract".into()), number: 7 };
    assert_eq!(first[0].marker, Some(marker));
    assert_eq!(f.receive(&queue, hide), [], "it is hidden");
    let release = Call::ReleaseMessage { queue: queue.clone(), handle: first[0].handle.clone() };
    assert_eq!(f.ask(release), Ok(Reply::Done));
    let second = f.receive_soon(&queue, hide);
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].id, first[0].id);
    let delete = Call::DeleteMessage { queue: queue.clone(), handle: second[0].handle.clone() };
    assert_eq!(f.ask(delete), Ok(Reply::Done));
    assert_eq!(f.receive(&queue, Span::ZERO), []);
}

fn an_old_receive_deletes_nothing(f: &mut Fixture) {
    let queue = f.queue.clone();
    f.send(1);
    let first = f.receive_soon(&queue, Span::from_secs(60));
    let release = Call::ReleaseMessage { queue: queue.clone(), handle: first[0].handle.clone() };
    assert_eq!(f.ask(release), Ok(Reply::Done));
    let second = f.receive_soon(&queue, Span::from_secs(60));
    assert_ne!(first[0].handle, second[0].handle);
    let stale = Call::DeleteMessage { queue: queue.clone(), handle: first[0].handle.clone() };
    assert_eq!(f.ask(stale), Ok(Reply::Done));
    let release = Call::ReleaseMessage { queue: queue.clone(), handle: second[0].handle.clone() };
    assert_eq!(f.ask(release), Ok(Reply::Done));
    let third = f.receive_soon(&queue, Span::from_secs(60));
    assert_eq!(third.len(), 1, "it is still there");
    let delete = Call::DeleteMessage { queue, handle: third[0].handle.clone() };
    assert_eq!(f.ask(delete), Ok(Reply::Done));
}

fn a_message_received_too_often_is_dead(f: &mut Fixture) {
    let (queue, dead_letter) = (f.queue.clone(), f.dead_letter.clone());
    f.send(3);
    let mut ids = Vec::new();
    for _ in 0..f.max_receive_count {
        let received = f.receive_soon(&queue, Span::from_secs(1));
        assert_eq!(received.len(), 1, "receive {} of {}", ids.len() + 1, f.max_receive_count);
        ids.push(received[0].id.clone());
        assert_eq!(f.receive(&dead_letter, Span::ZERO), [], "too early");
        f.wait(Span::from_millis(1100));
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "always the same message");
    assert_eq!(f.receive(&queue, Span::from_secs(1)), [], "the receive that is one too many finds nothing");
    let dead = f.receive_soon(&dead_letter, Span::from_secs(60));
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].marker.as_ref().map(|marker| marker.number), Some(3));
    let delete = Call::DeleteMessage { queue: dead_letter, handle: dead[0].handle.clone() };
    assert_eq!(f.ask(delete), Ok(Reply::Done));
}

fn the_counts_of_a_queue_are_read_from_it(f: &mut Fixture) {
    let queue = f.queue.clone();
    assert_eq!(f.measure(Metric::Depth, &queue), Some(0.0));
    f.send(1);
    f.send(2);
    f.comes_to_measure(Metric::Depth, &queue, 2.0);
    let mut received = Vec::new();
    let until = f.account.now() + f.patience;
    while received.len() < 2 && f.account.now() < until {
        received.extend(f.receive_soon(&queue, Span::from_secs(60)));
    }
    f.comes_to_measure(Metric::InFlight, &queue, 2.0);
    f.comes_to_measure(Metric::Depth, &queue, 0.0);
    for message in received {
        assert_eq!(f.ask(Call::DeleteMessage { queue: queue.clone(), handle: message.handle }), Ok(Reply::Done));
    }
    f.comes_to_measure(Metric::InFlight, &queue, 0.0);
    let wrong = f.ask(Call::Measure {
        query: Query { metric: Metric::Throttles, resource: queue },
        window: Window { from: until, to: until },
    });
    assert!(matches!(wrong, Err(CallError::Refused { by: RefusedBy::Invalid, .. })), "{wrong:?}");
}

fn what_nobody_published_is_no_zero(f: &mut Fixture) {
    let function = f.function.clone();
    for metric in [Metric::Calls, Metric::Errors, Metric::FailedShare, Metric::Throttles, Metric::Duration] {
        assert_eq!(f.measure(metric, &function), None, "{metric:?}");
    }
}

fn a_load_is_made_and_counted(f: &mut Fixture) {
    let (target, spread) = (f.function.clone(), Span::from_secs(1));
    let marker = RunMarker { run: RunId("run-contract".into()), number: 1 };
    let loaded = f.ask(Call::Load { target, requests: 3, spread, marker });
    assert_eq!(loaded, Ok(Reply::Loaded { accepted: 3, failed: 0 }));
}

fn replies_come_under_their_ids(f: &mut Fixture) {
    let settings = [
        Setting::ReservedConcurrency { function: f.function.clone() },
        Setting::FaultFlag { parameter: f.parameter.clone(), key: "latency".into() },
    ];
    for (id, setting) in (10..).zip(&settings) {
        f.account.submit(CallId(id), Call::Read { setting: setting.clone() });
    }
    let mut seen = Vec::new();
    let (mut last, until): (Time, Time) = (f.account.now(), f.account.now() + f.patience);
    while seen.len() < 2 && last < until {
        if let Some((id, outcome)) = f.account.next(until) {
            let Ok(Reply::Observed(observed)) = outcome else { panic!("{outcome:?}") };
            assert_eq!(observed.whole.is_some(), id == CallId(11), "{id:?}");
            seen.push(id);
        }
        assert!(f.account.now() >= last);
        last = f.account.now();
    }
    seen.sort();
    assert_eq!(seen, [CallId(10), CallId(11)]);
    let until = f.account.now() + Span::from_millis(20);
    while f.account.now() < until {
        assert_eq!(f.account.next(until), None, "nothing else comes");
    }
}
