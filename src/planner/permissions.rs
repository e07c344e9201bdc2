//! The least that squall must be allowed to do for a plan.

use std::collections::BTreeSet;

use super::survey::Survey;
use crate::account::target::SelectBy;
use crate::account::{
    Description, Identity, Location, Metric, Query, Region, Resource, ResourceKind, Selector, Setting,
};
use crate::deadman;
use crate::guard::{AccountRules, Rules};
use crate::plan::{Change, Cleanup, Emission, Permission, Plan, Purpose};
use crate::project::AccountSpec;
use crate::project::probe::ProbeSpec;

/// Every permission that the plan needs, by purpose.
pub fn of(plan: &Plan, survey: &Survey<'_>, rules: &Rules) -> Vec<Permission> {
    let mut needs = Needs { survey, rules, all: BTreeSet::new() };
    for account in &plan.accounts {
        needs.look(account);
    }
    for (account, selector) in &survey.resolved {
        needs.resolve(account, selector);
    }
    for change in plan.changes.values() {
        needs.change(change);
    }
    let staying = plan.stays_alone().map(|(_, change)| &change.setting.resource().location);
    for location in staying.filter(|location| rules.needs_switch(location)).collect::<BTreeSet<_>>() {
        needs.switch(location);
    }
    for emission in plan.steps.iter().filter_map(|step| step.emission.as_ref()) {
        needs.emission(emission);
    }
    let probes = plan.steps.iter().flat_map(|step| &step.evidence.any).map(|probe| &probe.query);
    let signals = plan.signals.iter().map(|signal| &signal.query);
    let stops = plan.stops.iter().map(|stop| &stop.query);
    for query in probes.chain(signals).chain(stops) {
        needs.measure(query);
    }
    for search in plan.steps.iter().filter_map(|step| step.evidence.logs.as_ref()) {
        needs.logs(&search.at, search.logs.iter().map(|log| log.group.as_str()));
    }
    for load in &plan.load {
        match load.target.kind {
            ResourceKind::Function => needs.add(Purpose::Load, "lambda:InvokeFunction", &load.target),
            ResourceKind::Queue => {
                needs.add(Purpose::Load, "sqs:SendMessage", &load.target);
                needs.key_of(&load.target, Purpose::Load, &["kms:GenerateDataKey", "kms:Decrypt"]);
            }
            // An HTTP call needs none of squall's permissions.
            _ => {}
        }
    }
    for (resource, there) in &survey.named {
        // A stack says what its names mean; without one every kind is asked that a name could be of.
        let asks_every_kind = !rules.account(&resource.location).is_some_and(has_stack);
        if *there || asks_every_kind {
            needs.find(resource);
        }
    }
    needs.all.into_iter().collect()
}

struct Needs<'a, 'b> {
    survey: &'a Survey<'b>,
    rules: &'a Rules,
    all: BTreeSet<Permission>,
}

impl Needs<'_, '_> {
    fn insert(&mut self, purpose: Purpose, action: &str, resource: String) {
        self.all.insert(Permission { purpose, action: action.to_owned(), resource });
    }

    fn add(&mut self, purpose: Purpose, action: &str, resource: &Resource) {
        let arn = self.arn(resource);
        self.insert(purpose, action, arn);
    }

    /// The ARN of a resource; of one that was found and not described, the usual one.
    fn arn(&self, resource: &Resource) -> String {
        if let Some(arn) = self.survey.arn(resource) {
            return arn.to_owned();
        }
        // The paths of roles are not in their names, and what is observed only may be named in several ways.
        match resource.kind {
            ResourceKind::Function | ResourceKind::Queue | ResourceKind::Alarm => {
                let [partition, region, id] = self.place(&resource.location);
                resource.kind.descriptor().arn.of(partition, region, id, &resource.name)
            }
            _ => "*".to_owned(),
        }
    }

    /// Finding by name what is not described.
    fn find(&mut self, resource: &Resource) {
        if self.survey.arn(resource).is_some() {
            return;
        }
        for action in resource.kind.descriptor().find {
            self.add(Purpose::Look, action, resource);
        }
    }

    /// Finding and describing: what was seen, and what the service lists only as a whole. Asking who one is needs nothing
    /// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>).
    fn look(&mut self, account: &Location) {
        // Locks on what is global are in a region of their own.
        self.insert(Purpose::Look, "ssm:GetParametersByPath", self.locks(account, ""));
        self.insert(Purpose::Look, "ssm:GetParametersByPath", self.locks(&account.global(), ""));
        // For the lease on a lock, by `squall undo --account`.
        self.insert(Purpose::Look, "ssm:ListTagsForResource", self.locks(account, ""));
        self.insert(Purpose::Look, "ssm:ListTagsForResource", self.locks(&account.global(), ""));
        // The plan signs its locks, and `squall undo --account` verifies them.
        if let Some(key) = self.rules.account(account).and_then(|rules| rules.spec.mark_key()) {
            for action in ["kms:GenerateMac", "kms:VerifyMac"] {
                self.insert(Purpose::Look, action, key.to_string());
            }
        }
        self.ask_what_is_permitted(account);
        if account.may_be_halted() {
            let lever = self.arn_in(account, "fis", "safety-lever/default");
            self.insert(Purpose::Look, "fis:GetSafetyLever", lever);
        }
        let seen: Vec<Resource> = {
            let here = |resource: &&Resource| [account, &account.global()].contains(&&resource.location);
            self.survey.described.0.keys().filter(here).cloned().collect()
        };
        for resource in seen {
            let descriptor = resource.kind.descriptor();
            for action in descriptor.describe {
                self.add(Purpose::Look, action, &resource);
            }
            for action in descriptor.lists {
                self.insert(Purpose::Look, action, "*".into());
            }
            if resource.kind == ResourceKind::Function {
                // The published versions that its aliases lead to have a configuration of their own.
                let versions = self.survey.arn(&resource).map_or("*".to_owned(), |arn| format!("{arn}:*"));
                self.insert(Purpose::Look, "lambda:GetFunction", versions);
            }
        }
    }

    /// A simulation needs to know whose policies count. Whom the account's root user plans for is not known yet.
    fn ask_what_is_permitted(&mut self, account: &Location) {
        let Some(Identity { account_id, arn, .. }) = self.survey.identities.get(account) else { return };
        let (head, resource) = arn.rsplit_once(':').unwrap_or(("", arn));
        let partition = head.split(':').nth(1).unwrap_or("aws");
        let simulate = "iam:SimulatePrincipalPolicy";
        match resource.split('/').collect::<Vec<_>>().as_slice() {
            ["assumed-role", role, ..] => {
                // Its path is not in the session's ARN; the role itself tells it.
                let role = format!("arn:{partition}:iam::{account_id}:role/*{role}");
                self.insert(Purpose::Look, simulate, role.clone());
                self.insert(Purpose::Look, "iam:GetRole", role);
            }
            ["root"] => self.insert(Purpose::Look, simulate, format!("arn:{partition}:iam::{account_id}:*")),
            _ => self.insert(Purpose::Look, simulate, arn.clone()),
        }
    }

    /// Finding resources by name, tag and stack: services list these only as a whole.
    fn resolve(&mut self, account: &Location, selector: &Selector) {
        let stack = self.rules.account(account).is_some_and(has_stack);
        let actions: &[&str] = match (&selector.by, selector.kind) {
            (SelectBy::Name(_), _) if stack => &["cloudformation:DescribeStackResource"],
            (SelectBy::Name(_), _) => &[],
            (SelectBy::Tag { .. }, ResourceKind::Role) => &["iam:GetAccountAuthorizationDetails"],
            (SelectBy::Tag { .. }, _) => &["tag:GetResources"],
            (SelectBy::Stack(_), _) => &["cloudformation:ListStackResources"],
        };
        for action in actions {
            self.insert(Purpose::Look, action, "*".into());
        }
    }

    fn change(&mut self, change: &Change) {
        let setting = &change.setting;
        let arn = match setting {
            Setting::Lock { resource } => self.locks(&resource.location, &Setting::lock_parameter(resource)),
            other => self.survey.arn(other.resource()).unwrap_or("*").to_owned(),
        };
        for (purpose, value) in [(Purpose::Inject, &change.after), (Purpose::Rollback, &change.before)] {
            for action in setting.read_actions() {
                self.insert(purpose, action, arn.clone());
            }
            self.insert(purpose, setting.write_action(value), arn.clone());
        }
        if setting.is_lock() {
            self.insert(Purpose::Inject, "ssm:AddTagsToResource", arn);
        }
        // Lambda encrypts all variables of a function again when one changes
        // (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html>).
        if matches!(setting, Setting::Variables { .. }) {
            for purpose in [Purpose::Inject, Purpose::Rollback] {
                self.key_of(setting.resource(), purpose, &["kms:Decrypt", "kms:Encrypt"]);
            }
            self.add(Purpose::Rollback, "lambda:ListVersionsByFunction", setting.resource());
        }
    }

    /// Arming and stopping the dead-man switch.
    fn switch(&mut self, location: &Location) {
        let machine = self.arn_in(location, "states", &format!("stateMachine:{}", deadman::NAME));
        let executions = self.arn_in(location, "states", &format!("execution:{}:*", deadman::NAME));
        self.insert(Purpose::Look, "states:DescribeStateMachine", machine.clone());
        self.insert(Purpose::Inject, "states:StartExecution", machine);
        self.insert(Purpose::Inject, "states:GetExecutionHistory", executions.clone());
        for action in ["states:DescribeExecution", "states:StopExecution"] {
            self.insert(Purpose::Rollback, action, executions.clone());
        }
    }

    /// What a resource's own key must let squall do, where it has one. Parameters with a key are SecureStrings, which squall
    /// does not touch.
    fn key_of(&mut self, resource: &Resource, purpose: Purpose, actions: &[&str]) {
        let key = match self.survey.described.get(resource) {
            Some(Description::Function(function)) => function.key.clone(),
            Some(Description::Queue(queue)) => queue.key.clone(),
            _ => None,
        };
        for action in key.iter().flat_map(|_| actions) {
            self.insert(purpose, action, key.clone().unwrap_or_default());
        }
    }

    fn emission(&mut self, emission: &Emission) {
        self.add(Purpose::Inject, "sqs:SendMessage", &emission.queue);
        // (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html>)
        self.key_of(&emission.queue, Purpose::Inject, &["kms:GenerateDataKey", "kms:Decrypt"]);
        if let Cleanup::Sweep { dead_letter, .. } = &emission.cleanup {
            self.add(Purpose::Rollback, "sqs:GetQueueAttributes", &emission.queue);
            for action in [
                "sqs:GetQueueAttributes",
                "sqs:ListMessageMoveTasks",
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:ChangeMessageVisibility",
            ] {
                self.add(Purpose::Rollback, action, dead_letter);
            }
            self.key_of(dead_letter, Purpose::Rollback, &["kms:Decrypt"]);
        }
    }

    fn measure(&mut self, query: &Query) {
        match query.metric {
            Metric::Depth | Metric::InFlight | Metric::Delayed => {
                self.add(Purpose::Measure, "sqs:GetQueueAttributes", &query.resource);
            }
            Metric::AlarmState => {
                self.add(Purpose::Measure, "cloudwatch:DescribeAlarms", &query.resource);
                self.insert(Purpose::Measure, "cloudwatch:ListAlarmMuteRules", "*".into());
            }
            Metric::Value { .. } => self.probe(query),
            // CloudWatch knows no resources for this one.
            _ => self.insert(Purpose::Measure, "cloudwatch:GetMetricData", "*".into()),
        }
    }

    /// What a probe asks of AWS, if it does.
    fn probe(&mut self, query: &Query) {
        let location = &query.resource.location;
        let Some(AccountRules { spec: AccountSpec::Aws(account), .. }) = self.rules.account(location) else { return };
        match account.probes.get(&query.resource.name) {
            Some(ProbeSpec::Logs(logs)) => {
                self.logs(location, logs.groups.iter().map(String::as_str));
            }
            Some(ProbeSpec::MetricMath(_)) => self.insert(Purpose::Measure, "cloudwatch:GetMetricData", "*".into()),
            Some(ProbeSpec::Http(_) | ProbeSpec::Prometheus(_) | ProbeSpec::Command(_)) | None => {}
        }
    }

    /// A query of log groups.
    fn logs<'g>(&mut self, location: &Location, groups: impl Iterator<Item = &'g str>) {
        for group in groups {
            let arn = self.arn_in(location, "logs", &format!("log-group:{group}:*"));
            self.insert(Purpose::Measure, "logs:StartQuery", arn);
        }
        // These name a query, not a log group.
        self.insert(Purpose::Measure, "logs:GetQueryResults", "*".into());
        self.insert(Purpose::Measure, "logs:StopQuery", "*".into());
    }

    /// The ARN of a lock, or of all of them.
    fn locks(&self, account: &Location, parameter: &str) -> String {
        let name = if parameter.is_empty() { "/squall/marks*" } else { parameter };
        self.arn_in(account, "ssm", &format!("parameter{name}"))
    }

    /// Of something in an account and its region.
    fn arn_in(&self, account: &Location, service: &str, resource: &str) -> String {
        let [partition, region, id] = self.place(account);
        format!("arn:{partition}:{service}:{region}:{id}:{resource}")
    }

    /// Partition, region and account as ARNs have them.
    fn place<'p>(&'p self, account: &'p Location) -> [&'p str; 3] {
        let identity = self.survey.identities.get(account);
        let partition = identity.and_then(|identity| identity.arn.split(':').nth(1));
        let region = match account.region.as_str() {
            "" | Region::SANDBOX => "*",
            region => region,
        };
        let id = identity.map_or(account.account.number(), |identity| identity.account_id.as_str());
        [partition.unwrap_or(account.account.partition().word()), region, id]
    }
}

/// Whether names of an account may be logical ids of a stack.
fn has_stack(account: &AccountRules) -> bool {
    matches!(&account.spec, AccountSpec::Aws(aws) if aws.stack.is_some())
}
