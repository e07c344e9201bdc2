//! `squall undo RUN --change N`: one change, and how to put it back by hand.

use std::collections::BTreeSet;

use crate::account::{Call, Reply, ask};
use crate::cli::accounts::Pace;
use crate::cli::{Context, Ended, Exit, Failure};
use crate::ids::RunId;
use crate::plan::ChangeId;
use crate::run::state::State;
use crate::store::Store;

/// Prints it; nothing is written. Exit code 6 while it is outstanding.
pub fn show(run: &RunId, number: u32, store: &dyn Store, context: &mut Context) -> Ended {
    let events = store.events(run)?;
    let state = State::replay(events.iter().map(|recorded| (recorded.at, &recorded.event)));
    let id = ChangeId(number);
    let none = || Failure::usage(format!("{run} has no change {number}"), format!("squall report {run} --format json"));
    let state = state.ok_or_else(none)?;
    let change = state.plan.changes.get(&id).ok_or_else(none)?;
    let outstanding = state.outstanding().any(|outstanding| outstanding == id);
    let needs_attention = state.lives.get(&id).and_then(|life| life.settled.as_ref());
    let left = outstanding || needs_attention.is_some_and(|(_, how)| how.needs_attention());
    let mut account = {
        let location = BTreeSet::from([change.setting.location().clone()]);
        super::open_at(&location, &state.plan, Pace::Max, context)?.account
    };
    let now = ask(account.as_mut(), Call::Read { setting: change.setting.clone() });
    let (now, whole) = match now {
        Ok(Reply::Observed(observed)) => (observed.value.to_string(), observed.whole),
        Ok(other) => (format!("unknown: {other:?}"), None),
        Err(error) => (format!("unknown: {error}"), None),
    };
    // A key goes back into the document as it is now, so that others' keys stay.
    let document = whole.map(|whole| match &change.setting {
        crate::account::Setting::FaultFlag { key, .. } => {
            crate::account::setting::with_key(&whole, key, &change.before).unwrap_or(whole)
        }
        _ => whole,
    });
    let command = change.setting.aws_command(&change.before, document.as_deref());
    let out = &mut context.output.out;
    if context.json {
        out.line(
            serde_json::json!({
                "run": run, "change": number, "setting": change.setting, "before": change.before, "after": change.after,
                "now": now, "left": left, "command": command,
            })
            .to_string(),
        );
    } else {
        out.line(format!("change {number} of {run}: {}", change.setting));
        for (name, value) in [
            ("before", change.before.to_string()),
            ("after", change.after.to_string()),
            ("now", now),
            ("by hand", command),
        ] {
            out.line(format!("  {name:<8} {value}"));
        }
    }
    Ok(if left { Exit::Left } else { Exit::Fine })
}
