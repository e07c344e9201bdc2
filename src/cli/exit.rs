//! How a command ends: its exit code, and what it says when it could not do what was asked.

use crate::judge::verdict::{Verdict, VerdictKind};
use crate::store::StoreError;

/// The exit codes, the same for every command. Documented in `docs/meaning.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The hypotheses held; or the command did what it was asked.
    Fine = 0,
    /// A bug of squall.
    Bug = 1,
    /// A file has findings.
    Findings = 2,
    /// Refused before anything was changed.
    Refused = 3,
    /// A hypothesis broke.
    Broken = 4,
    /// It cannot be said whether the hypotheses held.
    Unknown = 5,
    /// Something was left changed, or that could not be determined. Overrides all others.
    Left = 6,
    /// The command line is wrong.
    Usage = 64,
}

impl Exit {
    /// The one that weighs more: something left changed over everything else, a success under everything else.
    #[must_use]
    pub fn max(self, other: Exit) -> Exit {
        let weight = |exit: Exit| match exit {
            Exit::Fine => 0,
            Exit::Findings => 1,
            Exit::Usage => 2,
            Exit::Refused => 3,
            Exit::Unknown => 4,
            Exit::Broken => 5,
            Exit::Bug => 6,
            Exit::Left => 7,
        };
        if weight(other) > weight(self) { other } else { self }
    }

    /// The end of a run.
    pub fn of_run(verdict: &Verdict, something_left: bool) -> Exit {
        match (something_left, verdict.kind) {
            (true, _) => Exit::Left,
            (false, VerdictKind::Held) => Exit::Fine,
            (false, VerdictKind::Broken) => Exit::Broken,
            (false, VerdictKind::Unknown) => Exit::Unknown,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> std::process::ExitCode {
        (exit as u8).into()
    }
}

/// Why a command did not do what was asked, and what to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub exit: Exit,
    pub what: String,
    /// The next step for the user.
    pub next: Option<String>,
}

impl Failure {
    /// Nothing was changed.
    pub fn refused(what: impl Into<String>, next: impl Into<String>) -> Failure {
        Failure { exit: Exit::Refused, what: what.into(), next: Some(next.into()) }
    }

    /// The command line is wrong.
    pub fn usage(what: impl Into<String>, next: impl Into<String>) -> Failure {
        Failure { exit: Exit::Usage, what: what.into(), next: Some(next.into()) }
    }
}

/// A store that cannot be used stops a command before it changes anything. `undo` knows better and does not use this.
impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let next = match &error {
            StoreError::Damaged { .. } => Some(
                "keep a copy of the journal; `squall undo --account NAME` rolls back from the locks in the account"
                    .into(),
            ),
            StoreError::Closed(_)
            | StoreError::EpochLost { .. }
            | StoreError::NoSuchRun(_)
            | StoreError::Newer { .. }
            | StoreError::Failed(_) => None,
        };
        Failure { exit: Exit::Refused, what: error.to_string(), next }
    }
}
