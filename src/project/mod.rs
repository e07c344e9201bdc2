//! The format of a project: `squall.yaml`, its accounts and folders.

pub mod probe;
pub mod serve;

use std::collections::BTreeMap;

use probe::ProbeSpec;
use serve::ServeSpec;

use crate::channel::Notifications;
use crate::ids::AccountName;
use crate::location::{AccountId, Location, Region};
use crate::mac::MarkKey;
use crate::reach::{EntryPoints, Never, OneOrMore};
use crate::schedule::ScheduleName;
use crate::schedule::gates::GateSpecs;
use crate::schedule::spec::{ScheduleSpec, Scheduling};
use crate::units::Span;
use crate::yaml::shape::Leaf;
use crate::yaml::tree::Node;
use crate::yaml::{Code, FromNode, Reader, Shape, Version};
use crate::{choice, record, words};

record! {
    /// A project: the accounts that experiments run in, and where its files are. Its file is `squall.yaml`; paths in it
    /// count from its folder.
    pub struct Project {
        /// The version of the format, and the first key.
        pub version: Version,
        /// The account of experiments that name none.
        pub default_account: AccountName,
        /// The accounts, by names that experiments use.
        pub accounts: BTreeMap<AccountName, AccountSpec>,
        /// The folder of the experiments.
        pub experiments: String = "experiments".into(),
        /// The folder of the hypotheses.
        pub hypotheses: String = "hypotheses".into(),
        /// The folder of the schedules.
        pub schedules_in: String = "schedules".into(),
        /// The folder of the runbooks of game days.
        pub runbooks: String = "runbooks".into(),
        /// The folder that reports are written to.
        pub reports: String = ".squall/reports".into(),
        /// Hours, blackouts and limits for every schedule.
        pub scheduling: Scheduling = Scheduling::default(),
        /// Schedules by name, in addition to those in the folder.
        pub schedules: BTreeMap<ScheduleName, ScheduleSpec> = BTreeMap::new(),
        /// Commands and webhooks that schedules use as gates, by name.
        pub gates: GateSpecs = GateSpecs::default(),
        /// Limits for every experiment of the project, whatever its own guards say.
        pub guards: ProjectGuards = ProjectGuards::default(),
        /// Where messages about scheduled runs go.
        pub notifications: Notifications = Notifications::default(),
        /// The HTTP API of `squall serve`.
        pub serve: ServeSpec = ServeSpec::default(),
    }
}

record! {
    /// Limits of the blast radius for every experiment. An experiment's own guards can only add to them.
    pub struct ProjectGuards {
        /// What faults may never reach, directly or through others: `tagged critical`, `tagged tier=1`; one, or a list.
        pub never: OneOrMore<Never> = OneOrMore::default(),
        /// How many entry points for users may fail: `at most 1`.
        pub entry_points: Option<EntryPoints>,
    }
}

#[expect(clippy::derivable_impls, reason = "`record!` takes no derives")]
impl Default for ProjectGuards {
    fn default() -> ProjectGuards {
        ProjectGuards { never: OneOrMore::default(), entry_points: None }
    }
}

impl ProjectGuards {
    /// Whether any of them limits the blast radius.
    pub fn limit_the_reach(&self) -> bool {
        !self.never.0.is_empty() || self.entry_points.is_some()
    }
}

choice! {
    /// An account, by its kind.
    pub enum AccountSpec {
        /// The built-in sandbox: a model of an application in virtual time, without credentials.
        Sandbox(SandboxAccount) as "sandbox",
        /// An AWS account, or an emulator.
        Aws(AwsAccount) as "aws",
    }
}

impl AccountSpec {
    /// The key that signs the locks there.
    pub fn mark_key(&self) -> Option<&MarkKey> {
        match self {
            AccountSpec::Sandbox(sandbox) => sandbox.mark_key.as_ref(),
            AccountSpec::Aws(aws) => aws.mark_key.as_ref(),
        }
    }
}

record! {
    /// The built-in sandbox, and the application that it models.
    pub struct SandboxAccount {
        /// The application: a CloudFormation or SAM template.
        pub template: String,
        /// Its traffic: arrival rates, durations, error rates.
        pub traffic: String,
        /// The name of its stack: the value of `AWS::StackName`, by which targets can be selected.
        pub stack: String = "sandbox".into(),
        /// Whether runs arm the sandbox's dead-man switch, as they do in an AWS account.
        pub dead_man: DeadMan = DeadMan::MayGoWithout,
        /// Signs the locks of runs, as `mark_key` of an account of AWS does: any ARN of a key. The sandbox makes the code by itself, from
        /// its own id, which is no secret.
        pub mark_key: Option<MarkKey>,
        /// Warnings about the template or traffic file that the team accepts: they are not printed, and `--strict` allows them.
        pub accept: Vec<Accepted> = Vec::new(),
    }
}

record! {
    /// A warning that the team accepts.
    pub struct Accepted {
        /// Words of the warning, such as `AWS::Cognito::UserPool Users`.
        pub warning: String,
        /// Why it does not matter to the experiments. Reports say it.
        pub because: String,
    }
}

record! {
    /// An AWS account. Nothing is written to it unless `writing` allows it.
    pub struct AwsAccount {
        /// The account id; squall reads and writes nothing in any other account.
        pub id: AccountId,
        /// The region, such as `eu-west-1`.
        pub region: Region,
        /// The profile in `~/.aws/config`. By default, credentials come from the environment.
        pub profile: Option<String>,
        /// A role to assume: its ARN.
        pub role: Option<String>,
        /// The external id that the role requires.
        pub external_id: Option<String>,
        /// The session name for the role, as CloudTrail shows it. By default, `squall`.
        pub session_name: Option<String>,
        /// A different endpoint, such as an emulator's.
        pub endpoint_url: Option<String>,
        /// The CloudFormation stack whose logical ids experiments may use as names.
        pub stack: Option<String>,
        /// The sandbox of `accounts` that models the application here: experiments are predicted on it.
        pub twin: Option<AccountName>,
        /// Whether experiments may change anything here; otherwise they are only planned.
        pub writing: Writing = Writing::Refused,
        /// Whether users depend on it. A run here needs `--open-production`.
        pub production: bool = false,
        /// Whether a fault that does not expire by itself needs a dead-man switch here.
        pub dead_man: DeadMan = DeadMan::Required,
        /// Whether the dead-man switch may read the environment variables of functions, which are then in its execution
        /// history. Its template must be made with `--key`.
        pub dead_man_may_read_variables: bool = false,
        /// The ARN of a KMS key of the spec `HMAC_256`, which signs the locks of runs. With it, `squall undo --account` refuses locks
        /// that it did not sign.
        pub mark_key: Option<MarkKey>,
        /// Probes by name: numbers for sentences such as `value of checkout is at least 1`.
        pub probes: BTreeMap<String, ProbeSpec> = BTreeMap::new(),
        /// The longest that a run may take here.
        pub longest: Span = Span::from_mins(60),
    }
}

impl AwsAccount {
    /// Where the account is; nothing is asked for that.
    pub fn location(&self) -> Location {
        Location::of_aws(self.id.clone(), self.region.clone(), self.endpoint_url.as_deref())
    }
}

impl FromNode for Region {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, &Self::shape())?;
        if let Ok(region) = text.parse::<Region>()
            && !region.as_str().is_empty()
        {
            return Some(region);
        }
        let what = format!("`{text}` is not a region name");
        reader.report(Code::BadValue, node.at, what, "write it as AWS does, such as `eu-west-1`");
        None
    }

    fn shape() -> Shape {
        Shape::Leaf(Leaf {
            name: "the name of a region",
            json_type: "string",
            pattern: "^[a-z0-9-]+$",
            examples: &["eu-west-1"],
        })
    }
}

impl FromNode for MarkKey {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, &Self::shape())?;
        if let Ok(key) = text.parse() {
            return Some(key);
        }
        let what = format!("`{text}` is not the ARN of a KMS key");
        reader.report(
            Code::BadValue,
            node.at,
            what,
            "write it whole: `arn:aws:kms:REGION:ACCOUNT:key/ID`; an alias is not enough",
        );
        None
    }

    fn shape() -> Shape {
        Shape::Leaf(Leaf {
            name: "the ARN of a KMS key",
            json_type: "string",
            pattern: MarkKey::PATTERN,
            examples: &["arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"],
        })
    }
}

/// Whether experiments may change anything in an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    Refused,
    Allowed,
}

words! {
    /// Whether experiments may change anything.
    Writing {
        /// They are only planned.
        Refused as "refused",
        /// They may change what their plans list.
        Allowed as "allowed",
    }
}

/// Whether a fault that does not expire by itself needs a dead-man switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadMan {
    Required,
    MayGoWithout,
}

words! {
    /// Whether a fault that does not expire by itself needs a dead-man switch.
    DeadMan {
        /// It is refused without one.
        Required as "required",
        /// It needs none; the plan says what stays changed if the machine that runs squall dies.
        MayGoWithout as "none",
    }
}

impl FromNode for AccountId {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, &Self::shape())?;
        if let Ok(id) = text.parse() {
            return Some(id);
        }
        let what = format!("`{text}` is not an account id");
        reader.report(Code::BadValue, node.at, what, "write its twelve digits, such as `111122223333`");
        None
    }

    fn shape() -> Shape {
        Shape::Leaf(Leaf {
            name: "an account id",
            json_type: "string or integer",
            pattern: "^[0-9]{12}$",
            examples: &["111122223333"],
        })
    }
}

/// The project of a folder without `squall.yaml`: the sandbox with the shop.
impl Default for Project {
    fn default() -> Project {
        let shop = SandboxAccount {
            template: "sandbox/shop/template.yaml".into(),
            traffic: "sandbox/shop/traffic.yaml".into(),
            stack: "shop".into(),
            dead_man: DeadMan::MayGoWithout,
            mark_key: None,
            accept: Vec::new(),
        };
        Project {
            version: Version,
            default_account: AccountName::sandbox(),
            accounts: BTreeMap::from([(AccountName::sandbox(), AccountSpec::Sandbox(shop))]),
            experiments: "experiments".into(),
            hypotheses: "hypotheses".into(),
            schedules_in: "schedules".into(),
            runbooks: "runbooks".into(),
            reports: ".squall/reports".into(),
            scheduling: Scheduling::default(),
            schedules: BTreeMap::new(),
            gates: GateSpecs::default(),
            guards: ProjectGuards::default(),
            notifications: Notifications::default(),
            serve: ServeSpec::default(),
        }
    }
}
