//! Who may do what: the one table of roles and permissions, for the HTTP API, for metrics and for web pages.
//!
//! Invariant: a permission is given to roles through this table alone, [`Permission::roles`]. Routes name a
//! permission and never a role.

pub mod invitation;
pub mod token;

use std::fmt;
use std::str::FromStr;

use crate::units::Time;
use crate::words;

/// What a person or a program is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Looks.
    Viewer,
    /// Runs experiments and stops them.
    Operator,
    /// Approves plans of others, and may stop what runs.
    Approver,
    /// May do everything.
    Admin,
}

words! {
    /// A role.
    Role {
        /// Looks at runs, schedules and metrics.
        Viewer as "viewer",
        /// Runs, stops and halts, and lifts a halt.
        Operator as "operator",
        /// Approves plans, stops and halts.
        Approver as "approver",
        /// Everything, and reads the audit.
        Admin as "admin",
    }
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Operator, Role::Approver, Role::Admin];

    /// As files, tokens and the command line write it.
    pub fn word(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Approver => "approver",
            Role::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Role, String> {
        let found = Role::ALL.into_iter().find(|role| role.word() == text);
        found.ok_or_else(|| format!("`{text}` is not a role; write viewer, operator, approver or admin"))
    }
}

/// What can be permitted. Each route and each page names exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Anyone, without a token: whether the process lives, and how the API is called.
    Open,
    /// Look at runs, schedules, halts and metrics.
    Look,
    /// Make a plan, which reads the account.
    Plan,
    /// Start a run.
    Run,
    /// Stop a run, and halt everything. Stopping is never the dangerous side.
    Stop,
    /// Lift a halt.
    Lift,
    /// Approve a plan.
    Approve,
    /// Read who did what.
    Audit,
    /// Take part in a game day: what its members see, and ask for. What each of them may ask for is decided by their role of the day,
    /// [`crate::gameday::command::Command::may`].
    TakePart,
    /// Abort a game day: every member may, also one whose session has expired.
    Abort,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Permission; 10] = [
        Permission::Open,
        Permission::Look,
        Permission::Plan,
        Permission::Run,
        Permission::Stop,
        Permission::Lift,
        Permission::Approve,
        Permission::Audit,
        Permission::TakePart,
        Permission::Abort,
    ];

    /// The roles that have it. This is the table.
    pub fn roles(self) -> &'static [Role] {
        use Role::{Admin, Approver, Operator, Viewer};
        match self {
            Permission::Open | Permission::Look => &[Viewer, Operator, Approver, Admin],
            Permission::Plan | Permission::Stop => &[Operator, Approver, Admin],
            Permission::Run | Permission::Lift => &[Operator, Admin],
            Permission::Approve => &[Approver, Admin],
            Permission::Audit => &[Admin],
            // They are given to the members of a day, by invitation.
            Permission::TakePart | Permission::Abort => &[],
        }
    }

    /// Whether a role has it; what is open is everyone's.
    pub fn given_to(self, person: Option<&Person>) -> bool {
        match person {
            None => self == Permission::Open,
            Some(person) => self.roles().contains(&person.role),
        }
    }

    /// Whether a member of a day has it, for that day.
    pub fn given_to_member(self, member: &invitation::Member) -> bool {
        match self {
            Permission::TakePart => !member.expired,
            Permission::Abort => true,
            other => other == Permission::Open,
        }
    }
}

/// Who asks, and in which role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The token's name, or the user that a proxy names.
    pub name: PersonName,
    pub role: Role,
}

/// The name of a token or of a user: 1 to 64 letters, digits and `._@+-`, so that it can be shown and logged as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PersonName(String);

impl PersonName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PersonName {
    type Err = String;

    fn from_str(text: &str) -> Result<PersonName, String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._@+-".contains(c);
        match (1..=64).contains(&text.len()) && text.chars().all(allowed) {
            true => Ok(PersonName(text.to_owned())),
            false => Err("a name has up to 64 letters, digits and the characters . _ @ + -, such as `ci`".into()),
        }
    }
}

impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An act of a person, for the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// By the clock of the process that notes it.
    pub at: Time,
    pub by: String,
    /// Such as `halt` or `token create`.
    pub what: String,
    /// The reason, or what it was done to.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_permissions() {
        let row = |permission: Permission| {
            let roles: Vec<&str> = permission.roles().iter().map(|role| role.word()).collect();
            format!("{permission:?}: {}", roles.join(" "))
        };
        assert_eq!(
            Permission::ALL.map(row),
            [
                "Open: viewer operator approver admin",
                "Look: viewer operator approver admin",
                "Plan: operator approver admin",
                "Run: operator admin",
                "Stop: operator approver admin",
                "Lift: operator admin",
                "Approve: approver admin",
                "Audit: admin",
                "TakePart: ",
                "Abort: ",
            ]
        );
        let open: Vec<_> = Permission::ALL.into_iter().filter(|permission| permission.given_to(None)).collect();
        assert_eq!(open, [Permission::Open]);
    }

    #[test]
    fn names_are_harmless() {
        for text in ["", "a b", "a\n", "ana\u{202e}", &"a".repeat(65)] {
            assert!(text.parse::<PersonName>().is_err(), "{text:?}");
        }
        assert_eq!("ana+ci@example.com".parse::<PersonName>().unwrap().as_str(), "ana+ci@example.com");
    }
}
