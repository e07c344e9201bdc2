//! Gates of a schedule: what must be so at the start of a run, and what becomes of the run where it is not.

use std::collections::BTreeMap;
use std::fmt;

use crate::units::Span;
use crate::yaml::leaf::{name, name_leaf};
use crate::yaml::read::FromKey;
use crate::yaml::shape::{Leaf, Shape};
use crate::yaml::tree::{Kind, Node};
use crate::yaml::{FromNode, Reader};
use crate::{choice, record, words};

choice! {
    /// What must be so at the start of a run.
    pub enum Gate {
        /// Fewer runs than this began within the last seven days, of any schedule or by hand.
        RunsAWeek(u32) as "runs_a_week",
        /// The faults of the runs of the last seven days and of this one add up to no more than this.
        InjectedAWeek(Span) as "injected_a_week",
        /// These alarms of the experiment's account are OK, and neither muted nor disabled.
        AlarmsQuiet(Vec<String>) as "alarms_quiet",
        /// A command of `gates: commands:` in squall.yaml ends with exit code 0.
        Command(GateName) as "command",
        /// A webhook of `gates: webhooks:` in squall.yaml gives a signed go.
        Webhook(GateName) as "webhook",
        /// People have approved exactly this plan.
        Approval(Approval) as "approval",
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key();
        match self {
            Gate::RunsAWeek(most) => write!(f, "{key}: {most}"),
            Gate::InjectedAWeek(most) => write!(f, "{key}: {most}"),
            Gate::AlarmsQuiet(alarms) => write!(f, "{key}: {}", alarms.join(", ")),
            Gate::Command(name) | Gate::Webhook(name) => write!(f, "{key}: {}", name.0),
            Gate::Approval(Approval { approvers, expires }) => {
                write!(f, "{key}: {approvers} within {expires}")
            }
        }
    }
}

record! {
    /// How many people must approve a plan, and for how long that holds.
    pub struct Approval {
        /// How many different people. If there must be two or more, the one who asked for the run is not among them.
        pub approvers: u32 = 1,
        /// An approval counts for so long.
        pub expires: Span = DAY,
    }
}

/// A day.
const DAY: Span = Span::from_mins(1_440);

/// What becomes of a run before a closed gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenClosed {
    /// There is none.
    Skip,
    /// There is none, and that counts as a failure.
    Fail,
    /// It waits so long for the gate to open. If it does not, there is none.
    Wait(Span),
}

record! {
    /// Waiting for a gate.
    struct Waiting {
        /// The run waits so long for its gates to open; then it is skipped.
        wait_at_most: Span,
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Word {
    Skip,
    Fail,
}

words! {
    /// What becomes of a run before a closed gate.
    Word {
        /// It is skipped.
        Skip as "skip",
        /// It is recorded as failed.
        Fail as "fail",
    }
}

impl FromNode for WhenClosed {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match node.kind {
            Kind::Map(_) => Waiting::from_node(node, reader).map(|waiting| WhenClosed::Wait(waiting.wait_at_most)),
            _ => Word::from_node(node, reader).map(|word| match word {
                Word::Skip => WhenClosed::Skip,
                Word::Fail => WhenClosed::Fail,
            }),
        }
    }

    fn shape() -> Shape {
        Shape::Either(vec![Word::shape(), Waiting::shape()])
    }

    fn to_json(&self) -> serde_json::Value {
        match self {
            WhenClosed::Skip => "skip".into(),
            WhenClosed::Fail => "fail".into(),
            WhenClosed::Wait(span) => serde_json::json!({ "wait_at_most": span.to_string() }),
        }
    }
}

/// What is done about a scheduled run whose verdict is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryUnknown {
    Never,
    Once,
}

words! {
    /// What is done about a scheduled run whose verdict is unknown.
    RetryUnknown {
        /// Nothing.
        Never as "never",
        /// It is run once more, if hours and gates allow it.
        Once as "once",
    }
}

/// The name of a command or a webhook of `gates` in squall.yaml.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GateName(pub String);

impl FromKey for GateName {
    const LEAF: Leaf = name_leaf("the name of a command or a webhook", &["error-budget"]);

    fn from_key(text: &str) -> Result<Self, (String, String)> {
        name(text).map(|()| GateName(text.to_owned()))
    }
}

impl FromNode for GateName {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, &Self::shape())?;
        let named = GateName::from_key(&text);
        named.map_err(|(what, help)| reader.report(crate::yaml::Code::BadValue, node.at, what, help)).ok()
    }

    fn shape() -> Shape {
        Shape::Leaf(GateName::LEAF)
    }
}

record! {
    /// Commands and webhooks that schedules use as gates.
    pub struct GateSpecs {
        /// The commands, by names that schedules use.
        pub commands: BTreeMap<GateName, GateCommand> = BTreeMap::new(),
        /// The webhooks, by names that schedules use.
        pub webhooks: BTreeMap<GateName, GateWebhook> = BTreeMap::new(),
    }
}

#[expect(clippy::derivable_impls, reason = "`record!` takes no derives")]
impl Default for GateSpecs {
    fn default() -> GateSpecs {
        GateSpecs { commands: BTreeMap::new(), webhooks: BTreeMap::new() }
    }
}

record! {
    /// A command whose exit code 0 means go. Of the environment it gets `PATH`, `HOME`, `LANG` and `TZ`; what is to run is in
    /// `SQUALL_SCHEDULE`, `SQUALL_EXPERIMENT`, `SQUALL_RUN` and `SQUALL_PLAN`.
    pub struct GateCommand {
        /// The program and its arguments; no shell is involved. It runs in the project's folder.
        pub run: Vec<String>,
        /// More environment variables to pass, such as `AWS_PROFILE`.
        pub pass: Vec<String> = Vec::new(),
        /// When it takes longer, it is killed with everything it started, and there is no go; at most `5m`.
        pub timeout: Span = Span::from_secs(30),
    }
}

record! {
    /// A webhook whose signed reply means go. A status alone is none.
    pub struct GateWebhook {
        /// The variable of the environment that has the address, which begins with https://.
        pub url_from_env: String,
        /// The variable of the environment that has the key of both signatures.
        pub key_from_env: String,
        /// Without a reply by then there is no go; at most `5m`.
        pub timeout: Span = Span::from_secs(10),
    }
}

/// No gate is asked for longer.
pub const LONGEST_TIMEOUT: Span = Span::from_mins(5);

/// What is wrong with the commands and webhooks of `squall.yaml`: path below `gates`, what, and what to write.
pub fn problems(specs: &GateSpecs) -> Vec<(String, String, String)> {
    let mut problems = Vec::new();
    for (name, command) in &specs.commands {
        if command.run.is_empty() {
            let what = format!("the command `{}` has no program", name.0);
            problems.push((format!("commands/{}/run", name.0), what, "write for example `[./error-budget.sh]`".into()));
        }
    }
    let commands = specs.commands.iter().map(|(name, command)| (format!("commands/{}", name.0), command.timeout));
    let webhooks = specs.webhooks.iter().map(|(name, webhook)| (format!("webhooks/{}", name.0), webhook.timeout));
    for (path, timeout) in commands.chain(webhooks) {
        if timeout == Span::ZERO || timeout > LONGEST_TIMEOUT {
            let what = format!("the time limit {timeout} is not possible");
            problems.push((format!("{path}/timeout"), what, format!("write a time up to {LONGEST_TIMEOUT}")));
        }
    }
    problems
}
