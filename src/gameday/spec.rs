//! What the YAML of a runbook may hold: its front matter, and the block of each scenario.

use std::collections::BTreeMap;

use super::role::{ItemName, Person, Role, Statement};
use super::when::When;
use crate::units::Span;
use crate::yaml::leaf::{ExperimentName, Version, name, name_leaf};
use crate::yaml::tree::Node;
use crate::yaml::{Code, FromNode, Reader, Shape};
use crate::{choice, record, words};

record! {
    /// The front matter of a runbook, between two lines `---`.
    pub struct Front {
        /// The version of the format, and the first key.
        pub version: Version,
        /// What the day is called.
        pub title: String,
        /// What the team wants to have learned at its end.
        pub goal: String,
        /// Whether responders know that it is today.
        pub known: Known = Known::Announced,
        /// How long it takes, briefing and debrief included.
        pub lasts: Span,
        /// Where it takes place, in words, for the briefing.
        pub environment: Option<String>,
        /// How many people each role needs at the least.
        pub roles: BTreeMap<Role, u32>,
        /// Who has which role. People can also be named when the day starts.
        pub people: BTreeMap<Person, PersonSpec> = BTreeMap::new(),
        /// What makes the day a success, in sentences.
        pub success: Vec<String> = Vec::new(),
        /// When anybody aborts the day, in sentences, beside the guards of the experiments.
        pub abort: Vec<String> = Vec::new(),
        /// Links that responders need: dashboards, the incident channel.
        pub dashboards: Vec<Link> = Vec::new(),
        /// How quick people should be, from when the fault takes effect.
        pub thresholds: Thresholds = Thresholds::default(),
    }
}

record! {
    /// A person on the day.
    pub struct PersonSpec or role {
        /// What they do.
        pub role: Role,
        /// It is a program and not a person: its times are not counted.
        pub agent: bool = false,
    }
}

record! {
    /// How quick people should be. A time that is absent is not compared.
    pub struct Thresholds {
        /// Until a person has noticed.
        pub detect: Option<Span>,
        /// Until a person has the page.
        pub acknowledge: Option<Span>,
        /// Until somebody has taken command.
        pub declare: Option<Span>,
        /// Until the right cause is named.
        pub diagnose: Option<Span>,
        /// Until users are served as usual again.
        pub mitigate: Option<Span>,
        /// From the fault gone until every signal is steady.
        pub recover: Option<Span>,
    }
}

#[expect(clippy::derivable_impls, reason = "`record!` takes no derives")]
impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds { detect: None, acknowledge: None, declare: None, diagnose: None, mitigate: None, recover: None }
    }
}

/// Whether responders know that a game day takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    Announced,
    Surprise,
}

words! {
    /// Whether responders know that a game day takes place.
    Known {
        /// They know the day and the hour, and not what happens.
        Announced as "announced",
        /// They do not know.
        Surprise as "surprise",
    }
}

record! {
    /// One scenario.
    pub struct ScenarioSpec {
        /// The experiment whose faults are put in: `experiments/NAME.yaml`. Without one, the scenario is talked through.
        pub experiment: Option<ExperimentName>,
        /// What should hold, as a sentence.
        pub hypothesis: String,
        /// When the experiment's run begins. Its own baseline comes first, and then its faults.
        pub starts: When = When::after(Span::ZERO),
        /// How long the scenario takes at the most. Then it ends, and its faults are rolled back.
        pub longest: Span,
        /// Alarms that should fire, by name.
        pub alarms: Vec<String> = Vec::new(),
        /// What people or signals should do.
        pub expectations: Vec<ExpectationSpec> = Vec::new(),
        /// Help for responders, from a nudge to the answer. The facilitator releases them one by one.
        pub hints: Vec<String> = Vec::new(),
        /// What is released in the scenario.
        pub items: Vec<ItemSpec> = Vec::new(),
    }
}

record! {
    /// Something that a person or a signal should do.
    pub struct ExpectationSpec {
        /// Its name in this scenario.
        pub name: Name,
        /// What is expected, in a sentence.
        pub text: String,
        /// Whether it is about noticing, about the cause or about acting: these are counted apart.
        pub counts: Counts = Counts::Response,
        /// Who or what confirms it.
        pub confirmed_by: ConfirmedBy,
        /// Of how many responders it is expected, where responders confirm it themselves.
        pub of: Of = Of::AtLeastOne,
        /// How long it has, from when the fault takes effect; without an experiment, from when the scenario begins.
        pub within: Span,
    }
}

/// What an expectation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    Detection,
    Diagnosis,
    Response,
}

words! {
    /// What an expectation is about.
    Counts {
        /// That somebody or something notices.
        Detection as "detection",
        /// That people name the right cause.
        Diagnosis as "diagnosis",
        /// That people act.
        Response as "response",
    }
}

/// Of how many responders something is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    All,
    AtLeastOne,
}

words! {
    /// Of how many responders something is expected.
    Of {
        /// Of each of them.
        All as "all",
        /// Of one of them.
        AtLeastOne as "at_least_one",
    }
}

choice! {
    /// Who or what confirms an expectation.
    pub enum ConfirmedBy {
        /// An alarm that fires.
        Alarm(String) as "alarm",
        /// Responders, by what they say themselves.
        Statement(Statement) as "responders_say",
        /// A person with this role, by hand.
        Role(Role) as "role",
    }
}

record! {
    /// One item of a scenario.
    pub struct ItemSpec {
        /// Its name in this scenario.
        pub name: Name,
        /// Which kind of item it is.
        pub kind: ItemKind,
        /// When it is released.
        pub when: When = When::ByHand,
        /// Who it seems to come from: `customer support`.
        pub from: Option<String>,
        /// What it says.
        pub text: String,
        /// Who receives it, in place of those who receive items of its kind. The facilitator always does.
        pub to: Option<Vec<Role>>,
        /// What responders should do about it. Facilitators and observers see it.
        pub expected: Option<String>,
        /// How long it waits to be marked as done. Without it, it is done when it is released.
        pub expires: Option<Span>,
        /// Who sees a field once the item is released, in place of those who usually do.
        pub shown: BTreeMap<Field, Vec<Role>> = BTreeMap::new(),
        /// Switched off, it is never released, and nothing waits for it.
        pub enabled: bool = true,
    }
}

/// The kinds of items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind {
    Inject,
    Information,
    Facilitation,
    Contingency,
}

words! {
    /// The kinds of items.
    ItemKind {
        /// Something that responders meet: a ticket, a call, a colleague who is away.
        Inject as "inject",
        /// Something that everybody is told about the day itself.
        Information as "information",
        /// A reminder for the facilitator alone.
        Facilitation as "facilitation",
        /// An inject for when the team leaves the expected path.
        Contingency as "contingency",
    }
}

impl ItemKind {
    /// As it is written in a runbook.
    pub const fn word(self) -> &'static str {
        match self {
            ItemKind::Inject => "inject",
            ItemKind::Information => "information",
            ItemKind::Facilitation => "facilitation",
            ItemKind::Contingency => "contingency",
        }
    }
}

/// A field of an item that some may see and others not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    Text,
    From,
    Expected,
    When,
    Outcome,
}

impl crate::yaml::read::FromKey for Field {
    const LEAF: crate::yaml::shape::Leaf = crate::yaml::shape::Leaf {
        name: "a field of an item",
        json_type: "string",
        pattern: "^(text|from|expected|when|outcome)$",
        examples: &["expected"],
    };

    fn from_key(text: &str) -> Result<Self, (String, String)> {
        Ok(match text {
            "text" => Field::Text,
            "from" => Field::From,
            "expected" => Field::Expected,
            "when" => Field::When,
            "outcome" => Field::Outcome,
            other => {
                let help = "write `text`, `from`, `expected`, `when` or `outcome`".to_owned();
                return Err((format!("`{other}` is not a field of an item"), help));
            }
        })
    }
}

/// A name that an item or an expectation gets in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(pub ItemName);

impl FromNode for Name {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, &Self::shape())?;
        match name(&text) {
            Ok(()) => Some(Name(ItemName(text.into_owned()))),
            Err((what, help)) => {
                reader.report(Code::BadValue, node.at, what, help);
                None
            }
        }
    }

    fn shape() -> Shape {
        Shape::Leaf(name_leaf("the name of an item", &["first-call"]))
    }
}

/// A link that people open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link(pub String);

impl FromNode for Link {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, &Self::shape())?;
        let host = text.strip_prefix("https://").unwrap_or_default();
        if !host.is_empty() && !host.starts_with('/') && !text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Some(Link(text.into_owned()));
        }
        reader.report(Code::BadValue, node.at, format!("`{text}` is not an https link"), "write `https://...`");
        None
    }

    fn shape() -> Shape {
        Shape::Leaf(crate::yaml::shape::Leaf {
            name: "an https link",
            json_type: "string",
            pattern: r"^https://[^/\s]\S*$",
            examples: &["https://eu-west-1.console.aws.amazon.com/cloudwatch/home"],
        })
    }
}
