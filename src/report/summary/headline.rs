//! The verdict in one line, and what became of the changes in another.

use super::Stopped;
use super::faults::MessageStory;
use super::ledger::{LedgerEntry, Status};
use super::signals::{Recovered, Recovery, SignalStory};
use crate::judge::verdict::VerdictKind;
use crate::report::words;
use crate::run::state::State;
use crate::units::Time;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Held,
    Broken,
    Unknown,
    /// It goes on, or its process died: the journal has no last event.
    Unfinished,
}

impl Ending {
    /// Of a run as far as its journal goes.
    pub fn of(state: &State) -> Ending {
        match state.closed.as_ref().map(|verdict| verdict.kind) {
            Some(VerdictKind::Held) => Ending::Held,
            Some(VerdictKind::Broken) => Ending::Broken,
            Some(VerdictKind::Unknown) => Ending::Unknown,
            None => Ending::Unfinished,
        }
    }

    /// The word at the top of a report.
    pub fn word(self) -> &'static str {
        match self {
            Ending::Held => "held",
            Ending::Broken => "broken",
            Ending::Unknown => "unknown",
            Ending::Unfinished => "not finished",
        }
    }
}

/// What became of all changes; squall's locks count where they need attention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undo {
    /// Changes that took place, or may have.
    pub made: usize,
    /// Of those, back as before, or gone.
    pub settled: usize,
    /// Changes, locks among them, that are or may be in the account.
    pub outstanding: usize,
    /// Changes that were left for a person to look at.
    pub attention: usize,
    /// Emissions that are not accounted for yet.
    pub unaccounted: usize,
    /// When the last change was settled.
    pub verified_at: Option<Time>,
}

impl Undo {
    /// Counted from the ledger.
    pub fn of(ledger: &[LedgerEntry], state: &State) -> Undo {
        let made = || ledger.iter().filter(|entry| !entry.is_lock && entry.status.was_made());
        Undo {
            made: made().count(),
            settled: made().filter(|entry| !entry.status.needs_attention()).count(),
            outstanding: ledger.iter().filter(|entry| entry.status == Status::Outstanding).count(),
            attention: ledger
                .iter()
                .filter(|e| matches!(&e.status, Status::Settled(how) if how.needs_attention()))
                .count(),
            unaccounted: state.unaccounted().count(),
            verified_at: made().filter_map(|entry| entry.settled_at).max(),
        }
    }

    /// Whether a person must look.
    pub fn needs_attention(&self) -> bool {
        self.outstanding + self.attention + self.unaccounted > 0
    }

    /// In one sentence; `left` is how many things the last event says are left behind.
    pub fn sentence(&self, started: Time, left: usize, messages: &[MessageStory]) -> String {
        let mut parts = Vec::new();
        if self.outstanding > 0 {
            parts.push(format!(
                "{} in the account: run `squall undo`",
                words::plural(self.outstanding, "change may still be", "changes may still be")
            ));
        }
        if left > 0 {
            parts.push(format!("{} left behind", words::plural(left, "thing is", "things are")));
        } else if self.attention > 0 {
            parts.push(format!("{} attention", words::plural(self.attention, "change needs", "changes need")));
        }
        if self.unaccounted > 0 {
            parts.push("the messages it sent are not accounted for yet".into());
        }
        if !parts.is_empty() {
            return words::sentence(&parts.join("; "));
        }
        let sent: usize = messages.iter().map(|message| message.account.sent()).sum();
        let changes = match (self.made, self.verified_at) {
            (0, _) if sent > 0 => "No setting was changed.".into(),
            (0, _) => "Nothing was changed.".into(),
            (1, Some(at)) => format!("The one change was rolled back, verified at {}.", words::offset(started, at)),
            (n, Some(at)) => format!("All {n} changes were rolled back, verified at {}.", words::offset(started, at)),
            (n, None) => format!("{} made.", words::plural(n, "change was", "changes were")),
        };
        match sent {
            0 => changes,
            n => format!(
                "{changes} {} accounted for.",
                words::plural(n, "message was sent and is", "messages were sent and are")
            ),
        }
    }
}

/// The ending in one sentence, the word itself not repeated.
pub fn sentence(state: &State, signals: &[SignalStory], recovery: &Recovery, stopped: Option<&Stopped>) -> String {
    let reasons = || {
        let known = state.closed.iter().flat_map(|verdict| verdict.reasons.iter());
        known.map(|reason| words::reason(state, reason)).collect::<Vec<_>>()
    };
    match Ending::of(state) {
        Ending::Held => held(signals, recovery),
        Ending::Broken | Ending::Unknown => match (reasons().as_slice(), stopped) {
            ([], None) => "No reason is recorded.".into(),
            ([], Some(stopped)) => words::sentence(&stopped.why),
            (reasons, _) => reasons.iter().map(|reason| words::sentence(reason)).collect::<Vec<_>>().join(" "),
        },
        Ending::Unfinished => {
            let phase = state.entered.iter().max_by_key(|(phase, at)| (**at, **phase)).map(|(phase, _)| *phase);
            let at = words::offset(state.started, state.last);
            match phase {
                None => format!("The journal ends at {at}, before the baseline."),
                Some(phase) => format!("The journal ends at {at}, in the {} phase.", words::phase(phase)),
            }
        }
    }
}

fn held(signals: &[SignalStory], recovery: &Recovery) -> String {
    let count = match signals.iter().filter(|signal| signal.verdict.is_some()).count() {
        0 => "There was no signal to judge".to_owned(),
        1 => "The one signal met its hypothesis".to_owned(),
        n => format!("All {n} signals met their hypotheses"),
    };
    let were = if count.starts_with("The one") { "was" } else { "were" };
    let recovered = match recovery.found {
        Recovered::Steady { after } => {
            format!(", and {were} steady again {} after the fault ended.", words::span(after))
        }
        Recovered::Throughout => ", and none left its bound.".to_owned(),
        _ => ".".to_owned(),
    };
    count + &recovered
}
