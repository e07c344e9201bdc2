//! The people of a game day: their roles, and what responders say.

use std::fmt;

use crate::words;
use crate::yaml::leaf::{name, name_leaf};
use crate::yaml::read::{FromKey, closest};
use crate::yaml::shape::{Leaf, one_of};

/// What a person does on the day. It decides what they may do, and what they see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    Facilitator,
    Responder,
    Observer,
    Scribe,
    SafetyMonitor,
}

words! {
    /// What a person does on the day.
    Role {
        /// Leads the day: starts it, releases items, and sees everything. Never a responder as well.
        Facilitator as "facilitator",
        /// Meets what happens, and sees only what a person on call would see.
        Responder as "responder",
        /// Sees everything that facilitators see, and helps nobody.
        Observer as "observer",
        /// Writes down what happens.
        Scribe as "scribe",
        /// Watches customers and limits, and aborts the day when they are at risk.
        SafetyMonitor as "safety_monitor",
    }
}

impl Role {
    /// Every role, in the order of the documentation.
    pub const ALL: [Role; 5] = [Role::Facilitator, Role::Responder, Role::Observer, Role::Scribe, Role::SafetyMonitor];

    /// As it is written in a runbook: `safety_monitor`.
    pub const fn word(self) -> &'static str {
        match self {
            Role::Facilitator => "facilitator",
            Role::Responder => "responder",
            Role::Observer => "observer",
            Role::Scribe => "scribe",
            Role::SafetyMonitor => "safety_monitor",
        }
    }
}

/// In a sentence: `safety monitor`.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.word().replace('_', " "))
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Role, String> {
        let words = || Role::ALL.iter().map(|role| role.word());
        let found = Role::ALL.into_iter().find(|role| role.word() == text.replace([' ', '-'], "_"));
        found.ok_or_else(|| match closest(text, words()) {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("write {}", one_of(words())),
        })
    }
}

impl FromKey for Role {
    const LEAF: Leaf = Leaf {
        name: "a role",
        json_type: "string",
        pattern: "^(facilitator|responder|observer|scribe|safety_monitor)$",
        examples: &["responder"],
    };

    fn from_key(text: &str) -> Result<Self, (String, String)> {
        text.parse().map_err(|help| (format!("`{text}` is not a role"), help))
    }
}

/// What a responder says with one word, with a text where it needs one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Statement {
    Noticed,
    Acknowledged,
    Command,
    Cause,
    Mitigating,
    Recovered,
    HandOver,
    Status,
}

words! {
    /// What a responder says.
    Statement {
        /// I noticed that something is wrong.
        Noticed as "noticed",
        /// I have the page and I am looking.
        Acknowledged as "acknowledged",
        /// This is an incident, and I take command of it.
        Command as "command",
        /// The cause is this.
        Cause as "cause",
        /// I am doing this against it.
        Mitigating as "mitigating",
        /// Users are served as usual again.
        Recovered as "recovered",
        /// I hand command over to this person.
        HandOver as "hand_over",
        /// This is how it stands.
        Status as "status",
    }
}

impl Statement {
    /// Every statement, in the order in which an incident goes.
    pub const ALL: [Statement; 8] = [
        Statement::Noticed,
        Statement::Acknowledged,
        Statement::Command,
        Statement::Cause,
        Statement::Mitigating,
        Statement::Recovered,
        Statement::HandOver,
        Statement::Status,
    ];

    /// As it is written in a runbook and on the command line: `hand_over`.
    pub const fn word(self) -> &'static str {
        match self {
            Statement::Noticed => "noticed",
            Statement::Acknowledged => "acknowledged",
            Statement::Command => "command",
            Statement::Cause => "cause",
            Statement::Mitigating => "mitigating",
            Statement::Recovered => "recovered",
            Statement::HandOver => "hand_over",
            Statement::Status => "status",
        }
    }

    /// What the person says with it.
    pub const fn sentence(self) -> &'static str {
        match self {
            Statement::Noticed => "I noticed that something is wrong",
            Statement::Acknowledged => "I have the page and I am looking",
            Statement::Command => "I take command",
            Statement::Cause => "The cause is",
            Statement::Mitigating => "I am mitigating",
            Statement::Recovered => "Users are served as usual again",
            Statement::HandOver => "I hand over to",
            Statement::Status => "Status",
        }
    }
}

impl std::str::FromStr for Statement {
    type Err = String;

    fn from_str(text: &str) -> Result<Statement, String> {
        let words = || Statement::ALL.iter().map(|statement| statement.word());
        let found = Statement::ALL.into_iter().find(|statement| statement.word() == text.replace([' ', '-'], "_"));
        found.ok_or_else(|| format!("`{text}` is none of {}", one_of(words())))
    }
}

/// A person, as they are called on the day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Person(pub String);

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Any text of one line, up to 64 characters.
impl std::str::FromStr for Person {
    type Err = String;

    fn from_str(text: &str) -> Result<Person, String> {
        let fits = !text.trim().is_empty() && text.chars().count() <= 64 && !text.chars().any(char::is_control);
        fits.then(|| Person(text.trim().to_owned()))
            .ok_or_else(|| "a person's name is one line of up to 64 letters".into())
    }
}

impl FromKey for Person {
    const LEAF: Leaf = Leaf { name: "the name of a person", json_type: "string", pattern: r"\S", examples: &["Ada"] };

    fn from_key(text: &str) -> Result<Self, (String, String)> {
        text.parse().map_err(|help| (format!("`{text}` cannot be the name of a person"), help))
    }
}

/// A person with a role, or an agent in their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub person: Person,
    pub role: Role,
    /// A program acts. It is shown as one, and never counts in people's times.
    pub agent: bool,
}

/// The name of an item, a hint or an expectation of a runbook, unique in its scenario.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemName(pub String);

impl fmt::Display for ItemName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl std::str::FromStr for ItemName {
    type Err = String;

    fn from_str(text: &str) -> Result<ItemName, String> {
        name(text).map(|()| ItemName(text.to_owned())).map_err(|(what, help)| format!("{what}; {help}"))
    }
}

impl FromKey for ItemName {
    const LEAF: Leaf = name_leaf("the name of an item", &["first-call"]);

    fn from_key(text: &str) -> Result<Self, (String, String)> {
        name(text).map(|()| ItemName(text.to_owned()))
    }
}
