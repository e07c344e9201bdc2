//! Names that most modules share: of runs, faults and accounts, and of the kinds of resources. They mean nothing by themselves.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::units::Time;

/// Names a run: short enough to be said aloud on a game day, `run-20260302-3f9k2m`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub String);

impl RunId {
    /// A new one from the day and random bits, without letters that are misheard or misread (Crockford's base 32).
    pub fn fresh(now: Time, entropy: u64) -> RunId {
        const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let day: String = now.to_string().chars().take(10).filter(char::is_ascii_digit).collect();
        let letters = (0..6).map(|place| char::from(LETTERS[(entropy >> (place * 5)) as usize % LETTERS.len()]));
        RunId(format!("run-{day}-{}", letters.collect::<String>()))
    }
}

/// A name of the user's own: it becomes part of policies' and files' names, so only what all of those take.
impl std::str::FromStr for RunId {
    type Err = String;

    fn from_str(text: &str) -> Result<RunId, String> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        match (1..=40).contains(&text.len()) && text.chars().all(allowed) && !text.starts_with('-') {
            true => Ok(RunId(text.to_owned())),
            false => Err("a run's name has up to 40 lower-case letters, digits and hyphens, such as `run-1`".into()),
        }
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names a game day: `day-20260302-3f9k2m`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DayId(pub String);

impl DayId {
    /// A new one from the day and random bits.
    pub fn fresh(now: Time, entropy: u64) -> DayId {
        DayId(RunId::fresh(now, entropy).0.replacen("run", "day", 1))
    }
}

/// A name of the user's own. Its runs are called after it, so it is a little shorter than theirs may be.
impl std::str::FromStr for DayId {
    type Err = String;

    fn from_str(text: &str) -> Result<DayId, String> {
        match text.parse::<RunId>() {
            Ok(_) if text.len() <= 34 => Ok(DayId(text.to_owned())),
            _ => Err("a day's name has up to 34 lower-case letters, digits and hyphens, such as `day-1`".into()),
        }
    }
}

impl fmt::Display for DayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a schedule: its key in `schedules:`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScheduleName(pub String);

impl fmt::Display for ScheduleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A fault's name in the catalogue: `lambda.throttle`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultName(pub String);

impl fmt::Display for FaultName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The nickname of an account: a key under `accounts` in `squall.yaml`, or `sandbox`. It is read from files and from the
/// command line, and printed; whatever outlives a process has the account's [`Location`](crate::location::Location) instead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountName(pub String);

impl AccountName {
    /// The embedded account that is always there.
    pub fn sandbox() -> AccountName {
        AccountName("sandbox".into())
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The kinds of resources that squall knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    Function,
    Queue,
    Role,
    Parameter,
    Table,
    Topic,
    Api,
    Alarm,
    /// A number from elsewhere, as `squall.yaml` has it for the account.
    Probe,
}

impl ResourceKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [ResourceKind; 9] = [
        ResourceKind::Function,
        ResourceKind::Queue,
        ResourceKind::Role,
        ResourceKind::Parameter,
        ResourceKind::Table,
        ResourceKind::Topic,
        ResourceKind::Api,
        ResourceKind::Alarm,
        ResourceKind::Probe,
    ];

    /// Whether resources of the kind belong to the whole account and to no region of it: all that IAM has.
    pub const fn is_global(self) -> bool {
        matches!(self, ResourceKind::Role)
    }

    /// As it is written in an experiment: `function`.
    pub const fn word(self) -> &'static str {
        match self {
            ResourceKind::Function => "function",
            ResourceKind::Queue => "queue",
            ResourceKind::Role => "role",
            ResourceKind::Parameter => "parameter",
            ResourceKind::Table => "table",
            ResourceKind::Topic => "topic",
            ResourceKind::Api => "api",
            ResourceKind::Alarm => "alarm",
            ResourceKind::Probe => "probe",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_name_reads_back_and_differs_with_its_entropy() {
        let now: Time = "2026-03-02T09:00:00Z".parse().unwrap();
        let run = RunId::fresh(now, 0);
        assert_eq!(run.0, "run-20260302-000000");
        assert_ne!(run, RunId::fresh(now, 1 << 25));
        assert_eq!(RunId::fresh(now, u64::MAX).0.parse(), Ok(RunId("run-20260302-zzzzzz".into())));
        for wrong in ["", "-run", "Run", "run/1", "run 1", &"r".repeat(41)] {
            assert!(wrong.parse::<RunId>().is_err(), "{wrong}");
        }
    }
}
