//! The dead-man switch in words.

use super::{Label, Tone};
use crate::report::words;
use crate::run::event::{Event, SwitchEnd};
use crate::run::state::State;

/// What is armed in case this machine dies, and what became of it.
pub(super) fn told(state: &State, event: &Event) -> Option<(Label, Tone, String)> {
    let (tone, text) = match event {
        Event::Armed { switch, until } => {
            let covers = state.plan.switches.get(*switch)?.changes.len();
            let (changes, until) = (words::plural(covers, "change", "changes"), words::instant(*until));
            (Tone::Plain, format!("armed: if this machine dies, {changes} will be rolled back after {until}"))
        }
        Event::SwitchEnded { how, .. } => match how {
            SwitchEnd::Stopped => (Tone::Quiet, "disarmed: everything it covers is rolled back".to_owned()),
            SwitchEnd::NeverArmed => (Tone::Quiet, "never armed".to_owned()),
            SwitchEnd::Acted { resources } => {
                let ends = resources.iter().map(|acted| format!("{}: {}", acted.resource, acted.ends.join(", ")));
                (Tone::Strong, format!("acted before it was stopped: {}", ends.collect::<Vec<_>>().join("; ")))
            }
            SwitchEnd::Failed { why } => (Tone::Bad, format!("acted, but could not roll everything back: {why}")),
            SwitchEnd::Unstopped { why } => {
                (Tone::Warning, format!("could not be disarmed ({why}); it will find nothing to do"))
            }
        },
        _ => return None,
    };
    Some((Label::Switch, tone, text))
}
