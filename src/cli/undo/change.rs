//! `squall undo RUN --change N`: one change, and how to put it back by hand.

use std::collections::BTreeSet;

use crate::account::{Call, Reply, ask};
use crate::cli::accounts::Pace;
use crate::cli::{Context, Ended, Exit, Failure};
use crate::format::undo::Document;
use crate::format::{Convert as _, VERSION};
use crate::ids::RunId;
use crate::plan::ChangeId;
use crate::run::state::State;
use crate::store::Store;

/// Prints it; nothing is written. Exit code 6 while it is outstanding.
pub fn show(run: &RunId, number: u32, store: &dyn Store, context: &mut Context) -> Ended {
    let events = store.to_roll_back(run)?.events;
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
        Ok(Reply::Observed(observed)) => (change.setting.shown(&observed.value), observed.whole),
        Ok(other) => (format!("unknown: {other:?}"), None),
        Err(error) => (format!("unknown: {error}"), None),
    };
    // A key goes back into the document as it is now, so that others' keys stay.
    let document = whole.as_ref().zip(change.setting.key()).map(|(whole, key)| {
        crate::account::setting::with_key(whole, key, &change.before).unwrap_or_else(|_| whole.clone())
    });
    let from = (&change.after, whole.as_deref());
    let command = change.setting.aws_rollback(from, (&change.before, document.as_deref()));
    let out = &mut context.output.out;
    if context.json {
        let document = Document {
            format: VERSION,
            run: run.clone(),
            change: id,
            setting: change.setting.clone().convert(),
            before: change.before.clone().convert(),
            after: change.after.clone().convert(),
            now,
            left,
            command,
        };
        out.json(&serde_json::json!(document));
    } else {
        out.line(format!("change {number} of {run}: {}", change.setting));
        for (name, value) in [
            ("before", change.setting.shown(&change.before)),
            ("after", change.setting.shown(&change.after)),
            ("now", now),
        ] {
            out.line(format!("  {name:<8} {value}"));
        }
        // It may hold a document of many lines.
        out.text(format!("  {:<8} {command}\n", "by hand"));
    }
    Ok(if left { Exit::Left } else { Exit::Fine })
}
