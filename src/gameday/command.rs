//! What people and the outside may ask of a game day, and who may ask it.

use super::event::{Action, Faults, Finding, Outcome};
use super::role::{Actor, ItemName, Role, Statement};
use crate::judge::verdict::VerdictKind;
use crate::units::{Span, Time};

/// What a person asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// The next phase; among the scenarios, the next one, or the end of the one that is at work.
    Next,
    /// "We have looked both ways": the day goes on, or it does not.
    Go {
        go: bool,
        why: String,
    },
    /// A readiness check that a person made.
    Check {
        check: String,
        finding: Finding,
        detail: String,
    },
    /// Release an item now, also in a pause.
    Release {
        item: ItemName,
    },
    /// Never release an item, or take an expectation off.
    Skip {
        item: ItemName,
    },
    /// Release the next hint.
    Hint,
    /// Look at an item as its receivers will see it, before the first scenario.
    Test {
        scenario: usize,
        item: ItemName,
    },
    /// Say what became of an item or an expectation.
    Settle {
        item: ItemName,
        outcome: Outcome,
    },
    /// Skip the next scenario.
    SkipScenario,
    Pause {
        faults: Faults,
    },
    Resume,
    /// Move everything that is still to come.
    Shift {
        by: Span,
    },
    /// Roll the fault at work back; the scenario goes on without it.
    StopFault,
    /// End the scenario and skip the others; debrief and actions follow.
    EndEarly {
        why: String,
    },
    /// Roll everything back and end the scenarios at once. The record stays.
    Abort {
        why: String,
    },
    Say {
        statement: Statement,
        text: String,
    },
    Note {
        text: String,
    },
    /// Correct the note of this number.
    Correct {
        note: u64,
        text: String,
    },
    Answer {
        question: String,
        answer: String,
    },
    Agree {
        action: Action,
    },
}

impl Command {
    /// Whether a person with this role may ask for it.
    pub fn may(&self, role: Role) -> bool {
        match self {
            // Every person who sees harm ends the day.
            Command::Abort { .. } | Command::Note { .. } | Command::Correct { .. } | Command::Answer { .. } => true,
            Command::Say { .. } => role == Role::Responder,
            Command::Pause { .. } | Command::StopFault => matches!(role, Role::Facilitator | Role::SafetyMonitor),
            Command::Agree { .. } => matches!(role, Role::Facilitator | Role::Scribe),
            Command::Next
            | Command::Go { .. }
            | Command::Check { .. }
            | Command::Release { .. }
            | Command::Skip { .. }
            | Command::Hint
            | Command::Test { .. }
            | Command::Settle { .. }
            | Command::SkipScenario
            | Command::Resume
            | Command::Shift { .. }
            | Command::EndEarly { .. } => role == Role::Facilitator,
        }
    }

    /// The longest of its texts, in bytes.
    pub fn longest_text(&self) -> usize {
        match self {
            Command::Go { why: text, .. }
            | Command::EndEarly { why: text }
            | Command::Abort { why: text }
            | Command::Say { text, .. }
            | Command::Note { text }
            | Command::Correct { text, .. } => text.len(),
            Command::Check { check, detail, .. } => check.len().max(detail.len()),
            Command::Answer { question, answer } => question.len().max(answer.len()),
            Command::Agree { action } => {
                let optional = [&action.due, &action.ticket, &action.retest].into_iter().flatten();
                optional.chain([&action.text, &action.owner]).map(String::len).max().unwrap_or_default()
            }
            Command::Next
            | Command::Release { .. }
            | Command::Skip { .. }
            | Command::Hint
            | Command::Test { .. }
            | Command::Settle { .. }
            | Command::SkipScenario
            | Command::Pause { .. }
            | Command::Resume
            | Command::Shift { .. }
            | Command::StopFault => 0,
        }
    }

    /// In two or three words, for the record.
    pub fn words(&self) -> String {
        match self {
            Command::Next => "go on".into(),
            Command::Go { go: true, .. } => "go".into(),
            Command::Go { go: false, .. } => "no go".into(),
            Command::Check { check, .. } => format!("check {check}"),
            Command::Release { item } => format!("release {item}"),
            Command::Skip { item } => format!("skip {item}"),
            Command::Hint => "release a hint".into(),
            Command::Test { item, .. } => format!("test {item}"),
            Command::Settle { item, outcome } => format!("{item} {}", outcome.word()),
            Command::SkipScenario => "skip a scenario".into(),
            Command::Pause { .. } => "pause".into(),
            Command::Resume => "resume".into(),
            Command::Shift { by } => format!("shift the rest by {by}"),
            Command::StopFault => "stop the fault".into(),
            Command::EndEarly { .. } => "end early".into(),
            Command::Abort { .. } => "abort".into(),
            Command::Say { statement, .. } => format!("say {}", statement.word()),
            Command::Note { .. } => "note".into(),
            Command::Correct { note, .. } => format!("correct note {note}"),
            Command::Answer { .. } => "answer".into(),
            Command::Agree { .. } => "agree on an action".into(),
        }
    }
}

/// Something that a person asks of a day from another process. It is durable before the person is told so.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    pub by: Actor,
    pub command: Command,
}

/// What became of something that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// The process that leads the day takes it next.
    Asked,
    /// No process leads the day now; it is recorded.
    Recorded,
    /// No process leads the day now, and a fault may be in place: a person has to run `squall undo`.
    RecordedWhileFaultInPlace,
}

/// What happens outside of the day.
#[derive(Clone, Debug, PartialEq)]
pub enum World {
    /// A check that squall made.
    Checked {
        check: String,
        finding: Finding,
        detail: String,
    },
    /// The run did not begin, and nothing was touched.
    Refused {
        why: String,
    },
    Effective {
        since: Time,
        within: Span,
        seen: String,
    },
    Gone {
        at: Time,
    },
    RunEnded {
        verdict: VerdictKind,
        why: Vec<String>,
        left: Vec<String>,
        recovered: Option<Span>,
    },
    Alarm {
        alarm: String,
        firing: bool,
        at: Time,
    },
}
