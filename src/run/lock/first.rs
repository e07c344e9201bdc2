//! The text of a lock as squall 0.1.0 wrote it: version 1.

use serde::Deserialize;

use super::text::{setting_on, written_setting};
use super::{Lock, LockedChange, LockedSends};
use crate::account::{Resource, ResourceKind, Setting, Value};
use crate::ids::RunId;
use crate::outside::plain;
use crate::plan::Cleanup;
use crate::units::Time;

/// Version 1, of squall 0.1.0: it named the account of each change by a nickname. The account that the lock lies in is
/// the one that is meant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct First {
    #[expect(dead_code, reason = "it was read before")]
    squall: u32,
    run: RunId,
    title: String,
    by: String,
    made_at: Time,
    latest_end: Time,
    #[serde(default)]
    changes: Vec<FirstChange>,
    #[serde(default)]
    sends: Vec<FirstSends>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FirstChange {
    setting: Setting,
    before: Value,
    after: Value,
    #[serde(default)]
    whole_before: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FirstSends {
    first: u32,
    count: u32,
    cleanup: Cleanup,
}

/// Reads the text of version 1 that lies on `resource`.
pub fn read(resource: &Resource, text: &str) -> Result<Lock, String> {
    let first: First = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut changes = Vec::new();
    for change in first.changes {
        let on = change.setting.resource();
        if (on.kind, &on.name) != (resource.kind, &resource.name) {
            return Err(format!("it would change {}", plain(&on.to_string())));
        }
        changes.push(LockedChange {
            setting: setting_on(resource, written_setting(&change.setting)),
            before: change.before,
            after: change.after,
            whole_before: change.whole_before,
        });
    }
    let sends = first.sends.into_iter().map(|sends| {
        let cleanup = match sends.cleanup {
            Cleanup::Sweep { dead_letter, arrives_within, foreign_limit } => Cleanup::Sweep {
                dead_letter: resource.beside(ResourceKind::Queue, dead_letter.name),
                arrives_within,
                foreign_limit,
            },
            Cleanup::LeaveInQueue => Cleanup::LeaveInQueue,
        };
        LockedSends { first: sends.first, count: sends.count, cleanup }
    });
    Ok(Lock {
        run: first.run,
        title: first.title,
        by: first.by,
        made_at: first.made_at,
        latest_end: first.latest_end,
        lease: None,
        sends: sends.collect(),
        changes,
    })
}
