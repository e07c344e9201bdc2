//! `iam.deny`: a role loses named actions on named resources for a while.

use std::collections::BTreeSet;

use serde_json::json;

use super::actions::{flawed_action, flawed_arn};
use super::pattern::{actions_overlap, overlap};
use super::{Described, Fault, FaultPlan, Flaw, Page, PlannedChange, Refusal, SHOWN_WITHIN, Scene, all, listed};
use crate::account::description::RoleDescription;
use crate::account::logs::{MOST_GROUPS, usual_log_group};
use crate::account::{Description, FunctionLog, LogSearch, Metric, Resource, ResourceKind, Setting, Trace, Value};
use crate::plan::{Evidence, Indicator, IndicatorTest};
use crate::units::{Span, Time};
use crate::yaml::shape::Leaf;
use crate::yaml::tree::Node;
use crate::yaml::{FromNode, Reader, Shape, TargetName};
use crate::{record, words};

record! {
    /// Denies a role some actions on some resources.
    pub struct Deny {
        /// A role; or a function, which means its role.
        pub target: TargetName,
        /// The actions, of services other than IAM and STS; `*` and `?` stand for any characters.
        pub actions: Vec<String>,
        /// What they are denied on: targets of the experiment, or ARNs.
        pub resources: Vec<TargetOrArn>,
        /// Said when several functions share the role: all of them lose the actions.
        pub shared_role: Option<Accepted>,
    }
}

/// A risk that the experiment takes knowingly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    Accepted,
}

words! {
    /// A risk that the experiment takes knowingly.
    Accepted {
        /// All of them may lose the actions.
        Accepted as "accepted",
    }
}

/// What actions are denied on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetOrArn {
    /// Whatever a target of the experiment means.
    Target(TargetName),
    /// An ARN; `*` and `?` stand for any characters in its last part.
    Arn(String),
}

const ARN: Leaf = Leaf {
    name: "an ARN",
    json_type: "string",
    pattern: "^arn:",
    examples: &["arn:aws:dynamodb:eu-west-1:111122223333:table/payments"],
};

impl FromNode for TargetOrArn {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, &Self::shape())?;
        match text.starts_with("arn:") || text.contains('*') {
            true => Some(TargetOrArn::Arn(text.into_owned())),
            false => TargetName::from_node(node, reader).map(TargetOrArn::Target),
        }
    }

    fn shape() -> Shape {
        Shape::Either(vec![TargetName::shape(), Shape::Leaf(ARN)])
    }
}

/// IAM is eventually consistent, without a bound; most changes work in seconds, and nearly all within this.
const TAKES_EFFECT_WITHIN: Span = Span::from_secs(60);
/// Characters of a role's inline policies, white space not counted (IAM quotas).
const INLINE_LIMIT: usize = 10_240;
/// The longest name of a policy (IAM quotas).
const LONGEST_NAME: usize = 128;

impl Deny {
    /// Its page.
    pub const PAGE: &'static Page = &Page {
        name: "iam.deny",
        summary: "denies actions to a role for a while",
        kinds: &[ResourceKind::Function, ResourceKind::Role],
        does: "Adds an inline policy to the role that denies the actions on the resources, named after the run. No \
               existing policy is changed or detached. It reproduces a wrong policy deploy, an expired grant or a \
               service control policy: calls fail with AccessDenied at once. Every function that runs as the role is \
               affected.",
        evidence: "The failed share of the functions that run as the role rises beyond the noise and the trend of the baseline; \
                   or the share of unprocessed messages rises in a queue that one of them consumes, because a partial \
                   batch response hides its failures from the function's errors. Where neither shows it, the functions' \
                   logs are searched once for lines of an explicit deny of the actions, with one query of CloudWatch Logs \
                   Insights over the minutes from the baseline to the fault's end; one line is enough where the baseline \
                   has none. A function that catches the failure and writes nothing shows none of these, and a permission \
                   that is not used shows nothing: then the verdict is unknown.",
        undo: "Deletes the policy, also after it has expired. The rollback counts as complete 60 s later, because IAM \
               is eventually consistent.",
        alone: "The deny expires by itself: its condition is `DateLessThan aws:CurrentTime`, ten minutes after the \
                fault's planned end. The policy stays in the role without effect until it is deleted.",
        actions_do: &["iam:GetRolePolicy", "iam:ListRolePolicies", "iam:PutRolePolicy"],
        actions_undo: &["iam:GetRolePolicy", "iam:ListRolePolicies", "iam:DeleteRolePolicy"],
        refusals: &[
            "The role is squall's own, or one that squall is assumed through.",
            "An action is `*`, or any pattern that matches an action of `iam:` or `sts:`; a resource is `*`.",
            "An action does not exist, or an ARN names a function, queue, table, topic or parameter that does not \
             exist.",
            "An action is needed by a fault wrapper or another fault of the experiment at the same time.",
            "The role is service-linked: AWS alone changes it.",
            "Several functions share the role, unless `shared_role: accepted`.",
            "The role's inline policies would be longer than IAM's 10,240 characters.",
        ],
        example: "\
targets:
  worker: { function: PaymentWorker }
  payments: { table: PaymentsTable }
faults:
  - inject: { iam.deny: { target: worker, actions: [dynamodb:PutItem], resources: [payments] } }
    at: 0m
    for: 10m
",
    };

    /// The policy's name: a run may deny more than one thing.
    fn policy_name(scene: &Scene<'_>) -> String {
        let valid = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
        let run: String = scene.run.0.chars().map(|c| if valid(c) { c } else { '-' }).collect();
        format!("squall-{run}-{}", scene.number).chars().take(LONGEST_NAME).collect()
    }

    /// The ARNs of the named resources.
    fn arns(&self, scene: &Scene<'_>) -> Result<Vec<String>, Vec<Refusal>> {
        let of_resource = |resource: &Resource| {
            let described = scene.described.get(resource).ok_or_else(|| Refusal::absent(resource))?;
            Ok::<_, Refusal>(covered(resource, described))
        };
        let named = self.resources.iter().map(|resource| match resource {
            TargetOrArn::Arn(arn) => Ok(vec![arn.clone()]),
            TargetOrArn::Target(name) => {
                Ok::<_, Vec<Refusal>>(all(scene.mentioned.get(name).into_iter().flatten().map(of_resource))?.concat())
            }
        });
        Ok(all(named)?.concat())
    }

    fn check_role(
        &self,
        role: &Resource,
        described: &RoleDescription,
        scene: &Scene<'_>,
        arns: &[String],
    ) -> Vec<Refusal> {
        let mut against = Vec::new();
        if scene.identity.roles.contains(&role.name) {
            against.push(Refusal::new(
                format!("{role} is squall's own role, or one it is assumed through: the rollback needs it"),
                "run squall with another role, or choose another target",
            ));
        }
        if described.service_linked {
            against.push(Refusal::new(
                format!("{role} is service-linked: AWS alone changes it"),
                "choose the role of the function that makes the call",
            ));
        }
        if described.used_by.len() > 1 && self.shared_role.is_none() {
            let functions = listed(described.used_by.iter().map(|function| &function.name));
            against.push(Refusal::new(
                format!("{role} is shared by {functions}: all of them would lose the actions"),
                "give the function its own role, or accept that all of them lose the actions: `shared_role: accepted`",
            ));
        }
        let takes = |need: &&super::Dependency| {
            need.role == *role
                && self.actions.iter().any(|action| actions_overlap(action, &need.action))
                && need.arn.as_ref().is_none_or(|needed| arns.iter().any(|arn| overlap(arn, needed)))
        };
        for need in scene.needed.iter().filter(takes) {
            against.push(Refusal::new(
                format!("{role} needs {} during the fault: {}", need.action, need.why),
                format!("remove {} from `actions`, or run the two faults one after the other", need.action),
            ));
        }
        against
    }

    /// The policy's document, which ends by IAM's own clock.
    fn document(&self, arns: &[String], expires: Time) -> String {
        json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Sid": "SquallDeny",
                "Effect": "Deny",
                "Action": self.actions,
                "Resource": arns,
                "Condition": { "DateLessThan": { "aws:CurrentTime": iso_seconds(expires) } },
            }],
        })
        .to_string()
    }

    /// Lines of refused calls in the logs of the functions that run as a role, as far as one query takes.
    fn search(&self, role: &RoleDescription, scene: &Scene<'_>) -> Option<LogSearch> {
        let mut logs = Vec::new();
        for function in role.used_by.iter().take(MOST_GROUPS) {
            let group = match scene.described.function(function) {
                Some(described) => described.log_group.clone(),
                None => usual_log_group(&function.name),
            };
            logs.push(FunctionLog { function: function.clone(), group });
        }
        let at = logs.first()?.function.location.clone();
        logs.retain(|log| log.function.location == at);
        Some(LogSearch { at, logs, trace: Trace::Denied { actions: self.actions.clone() } })
    }

    fn for_role(&self, role: &Resource, scene: &Scene<'_>, arns: &[String]) -> Result<FaultPlan, Vec<Refusal>> {
        let described = scene.described.role(role).ok_or_else(|| Refusal::absent(role))?;
        let expires = whole_second(scene.until + scene.late);
        let document = self.document(arns, expires);
        let mut against = self.check_role(role, described, scene, arns);
        against.extend(check_size(role, described, scene, &document).err());
        if !against.is_empty() {
            return Err(against);
        }
        let hits = match described.used_by.is_empty() {
            true => vec![role.clone()],
            false => described.used_by.clone(),
        };
        let mut warnings = Vec::new();
        if described.used_by.is_empty() {
            warnings.push(format!("no function runs as {role}: nothing will show that the deny takes effect"));
        }
        if described.used_by.len() > 1 {
            warnings.push(format!(
                "{role} is shared: {} lose the actions",
                listed(described.used_by.iter().map(|f| &f.name))
            ));
        }
        warnings.extend(unseen_users(role, described));
        let errors =
            described.used_by.iter().map(|function| Indicator::of(Metric::FailedShare, function, IndicatorTest::Rises));
        let consumed: BTreeSet<&Resource> = described
            .used_by
            .iter()
            .filter_map(|function| scene.described.function(function))
            .flat_map(|f| &f.consumes)
            .collect();
        let stalled = consumed.iter().map(|queue| Indicator::of(Metric::UndoneShare, queue, IndicatorTest::Rises));
        let mut expect = format!("more calls of {} fail", listed(hits.iter().map(|hit| &hit.name)));
        if !consumed.is_empty() {
            expect += &format!(
                ", or more messages of {} are left unprocessed",
                listed(consumed.iter().map(|queue| &queue.name))
            );
        }
        if !described.used_by.is_empty() {
            expect += ", or their logs have lines of an explicit deny";
        }
        Ok(FaultPlan {
            summary: format!("{} may not {}", role.name, listed(&self.actions)),
            evidence: Evidence {
                any: errors.chain(stalled).collect(),
                logs: self.search(described, scene),
                expect,
                within: TAKES_EFFECT_WITHIN + SHOWN_WITHIN,
            },
            hits,
            changes: vec![PlannedChange {
                setting: Setting::RolePolicy { role: role.clone(), policy: Deny::policy_name(scene) },
                after: Value::Text(document),
                expires: Some(expires),
                takes_effect_within: TAKES_EFFECT_WITHIN,
                lasts_after: Span::ZERO,
            }],
            emission: None,
            warnings,
        })
    }
}

/// The ARNs that an action on a resource may name: for a table its indexes too, for a function its versions.
fn covered(resource: &Resource, described: &Description) -> Vec<String> {
    let arn = described.arn();
    match resource.kind {
        ResourceKind::Table => vec![arn.to_owned(), format!("{arn}/index/*")],
        ResourceKind::Function => vec![arn.to_owned(), format!("{arn}:*")],
        _ => vec![arn.to_owned()],
    }
}

/// IAM counts the characters of all inline policies of a role, white space left out.
fn check_size(role: &Resource, described: &RoleDescription, scene: &Scene<'_>, document: &str) -> Result<(), Refusal> {
    let length = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
    let planned =
        scene.earlier_changes().filter(|change| change.setting.resource() == role).map(|change| match &change.after {
            Value::Text(text) => length(text),
            _ => 0,
        });
    let size = described.inline_size as usize + planned.sum::<usize>() + length(document);
    if size > INLINE_LIMIT {
        return Err(Refusal::new(
            format!(
                "with the deny, the inline policies of {role} would have {size} characters; IAM allows {INLINE_LIMIT}"
            ),
            "name fewer actions or resources, or move an inline policy of the role into a managed one",
        ));
    }
    Ok(())
}

/// The next whole second: IAM's date conditions know no fractions.
fn whole_second(time: Time) -> Time {
    (time + Span::from_micros(999_999)).window_start(Span::from_secs(1))
}

/// As IAM's date conditions take it.
fn iso_seconds(time: Time) -> String {
    let text = time.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

/// The role that a target means.
fn role_of(target: &Resource, described: &Described) -> Option<Resource> {
    match target.kind {
        ResourceKind::Role => Some(target.clone()),
        _ => described.function(target).map(|function| function.role.clone()),
    }
}

impl Fault for Deny {
    fn page(&self) -> &'static Page {
        Self::PAGE
    }

    fn target(&self) -> &TargetName {
        &self.target
    }

    fn mentions(&self) -> Vec<&TargetName> {
        let targets = self.resources.iter().filter_map(|resource| match resource {
            TargetOrArn::Target(name) => Some(name),
            TargetOrArn::Arn(_) => None,
        });
        targets.collect()
    }

    /// Each deny is a policy of its own.
    fn is_exclusive(&self) -> bool {
        false
    }

    fn flaws(&self) -> Vec<Flaw> {
        let actions = self.actions.iter().filter_map(|action| flawed_action(action));
        let arns = self.resources.iter().filter_map(|resource| match resource {
            TargetOrArn::Arn(arn) => flawed_arn(arn),
            TargetOrArn::Target(_) => None,
        });
        let none = |key, empty: bool| empty.then(|| Flaw::new(key, format!("`{key}` is empty"), "name at least one"));
        let empty =
            none("actions", self.actions.is_empty()).into_iter().chain(none("resources", self.resources.is_empty()));
        empty.chain(actions).chain(arns).collect()
    }

    fn look(&self, target: &Resource, described: &Described) -> Vec<Resource> {
        let Some(role) = role_of(target, described) else { return Vec::new() };
        let functions = described.role(&role).map(|role| role.used_by.clone()).unwrap_or_default();
        // Their wrappers' parameters too: what those need must not be denied.
        let parameters: Vec<_> =
            functions.iter().filter_map(|function| described.function(function)?.fault_parameter().cloned()).collect();
        std::iter::once(role).chain(functions).chain(parameters).collect()
    }

    fn plan(&self, scene: &Scene<'_>) -> Result<Vec<FaultPlan>, Vec<Refusal>> {
        let arns = self.arns(scene)?;
        let roles =
            scene.targets.iter().map(|target| role_of(target, scene.described).ok_or_else(|| Refusal::absent(target)));
        let roles: BTreeSet<Resource> = all(roles)?.into_iter().collect();
        all(roles.iter().map(|role| self.for_role(role, scene, &arns)))
    }
}

/// Who else may lose the actions: IAM is global, and only functions of the project's regions were looked at.
fn unseen_users(role: &Resource, described: &RoleDescription) -> Option<String> {
    if role.location.is_sandbox() {
        return None;
    }
    let mut warning = format!(
        "users of {role} were searched among the functions in {}; functions in other regions and other services that \
         use it were not checked, and lose the actions too",
        listed(&described.looked_in)
    );
    for (region, why) in &described.not_looked_in {
        warning += &format!("; {region} could not be searched: {why}");
    }
    Some(warning)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Dependency;
    use crate::faults::stage::{Stage, function, parameter, role, spec, start};

    const PUT: &str = "iam.deny: { target: worker, actions: [dynamodb:PutItem], resources: [payments] }";

    fn shop() -> Stage {
        Stage::shop(function("Worker"))
    }

    fn document(plan: &FaultPlan) -> serde_json::Value {
        match &plan.changes[0].after {
            Value::Text(text) => serde_json::from_str(text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn it_adds_a_policy_of_its_own_to_the_functions_role() {
        let plan = shop().planned(PUT);
        let policy = "squall-run-20260302-3f9k2m-1".to_owned();
        assert_eq!(plan.changes[0].setting, Setting::RolePolicy { role: role("WorkerRole"), policy });
        let statement = &document(&plan)["Statement"][0];
        assert_eq!(statement["Effect"], "Deny");
        assert_eq!(statement["Action"], json!(["dynamodb:PutItem"]));
        let table = "arn:aws:dynamodb:eu-west-1:000000000000:table/Payments";
        assert_eq!(statement["Resource"], json!([table, format!("{table}/index/*")]));
        assert_eq!(plan.hits, [function("Worker")]);
        let mut by_role = shop();
        by_role.targets = vec![role("WorkerRole")];
        assert_eq!(by_role.planned(PUT), plan);
    }

    #[test]
    fn it_ends_by_itself_after_its_planned_end() {
        let plan = shop().planned(PUT);
        let expires = start() + Span::from_mins(10) + crate::plan::LATENESS;
        assert_eq!(plan.changes[0].expires, Some(expires));
        assert_eq!(
            document(&plan)["Statement"][0]["Condition"],
            json!({ "DateLessThan": { "aws:CurrentTime": "2026-03-02T09:20:00Z" } })
        );
        assert_eq!(iso_seconds(whole_second(start() + Span::from_millis(1))), "2026-03-02T09:00:01Z");
        assert_eq!(whole_second(start()), start());
        assert_eq!(plan.changes[0].takes_effect_within, Span::from_secs(60));
    }

    #[test]
    fn two_functions_of_one_role_are_one_change() {
        let mut shop = shop();
        shop.add_function("Other");
        shop.role("WorkerRole").used_by.push(function("Other"));
        shop.targets.push(function("Other"));
        let plan = shop.planned(
            "iam.deny: { target: worker, actions: [dynamodb:PutItem], resources: [payments], shared_role: accepted }",
        );
        assert_eq!(plan.hits, [function("Worker"), function("Other")]);
        let probed: Vec<_> = plan.evidence.any.iter().map(|indicator| indicator.query.to_string()).collect();
        assert_eq!(
            probed,
            ["failed share of Worker", "failed share of Other", "share of messages of Orders left unprocessed"]
        );
    }

    #[test]
    fn a_worker_that_hides_its_failures_shows_them_in_its_queue() {
        let plan = shop().planned(PUT);
        let probed: Vec<_> = plan.evidence.any.iter().map(|indicator| indicator.query.to_string()).collect();
        assert_eq!(probed, ["failed share of Worker", "share of messages of Orders left unprocessed"]);
        assert_eq!(
            plan.evidence.expect,
            "more calls of Worker fail, or more messages of Orders are left unprocessed, or their logs have lines of an explicit deny"
        );
    }

    #[test]
    fn a_shared_role_must_be_accepted_and_names_who_shares_it() {
        let mut shop = shop();
        shop.role("WorkerRole").used_by.push(function("Reports"));
        shop.refused(PUT, &["shared by Worker and Reports", "shared_role: accepted"]);
    }

    #[test]
    fn squalls_own_roles_are_out_of_reach() {
        let mut shop = shop();
        shop.identity.roles.push("WorkerRole".into());
        shop.refused(PUT, &["squall's own"]);
    }

    #[test]
    fn a_service_linked_role_is_refused() {
        let mut shop = shop();
        shop.role("WorkerRole").service_linked = true;
        shop.refused(PUT, &["service-linked"]);
    }

    #[test]
    fn actions_that_the_way_back_may_need_are_flaws() {
        for action in ["*", "iam:*", "sts:*", "i*", "*:*", "?am:PassRole", "STS:AssumeRole", "iam:Get*", "s*:Send*"] {
            let fault = spec(&format!("iam.deny: {{ target: w, actions: ['{action}'], resources: [payments] }}"));
            let flaws = fault.fault().flaws();
            assert_eq!(flaws.iter().map(|flaw| flaw.key).collect::<Vec<_>>(), ["actions"], "{action}");
        }
        for action in ["PutItem", "dynamodb:", ":PutItem", "dynamodb:Put Item"] {
            let fault = spec(&format!("iam.deny: {{ target: w, actions: ['{action}'], resources: [payments] }}"));
            assert!(fault.fault().flaws()[0].what.contains("not an IAM action"), "{action}");
        }
        for action in ["dynamodb:*", "sqs:Send*", "s3:GetObject", "ssm:GetParameter?"] {
            let fault = spec(&format!("iam.deny: {{ target: w, actions: ['{action}'], resources: [payments] }}"));
            assert_eq!(fault.fault().flaws(), [], "{action}");
        }
    }

    #[test]
    fn resources_are_named() {
        let keys = |resources: &str| -> Vec<&str> {
            let fault = spec(&format!("iam.deny: {{ target: w, actions: [sqs:SendMessage], resources: {resources} }}"));
            fault.fault().flaws().iter().map(|flaw| flaw.key).collect()
        };
        assert_eq!(keys("['*']"), ["resources"]);
        assert_eq!(keys("['arn:*']"), ["resources"]);
        assert_eq!(keys("['arn:aws:*:*:*:*']"), ["resources"]);
        assert_eq!(keys("['arn:aws:sqs:*:*:*']"), ["resources"]);
        assert_eq!(keys("[]"), ["resources"]);
        assert!(keys("['arn:aws:sqs:*:*:Orders*', payments]").is_empty());
    }

    #[test]
    fn what_the_experiment_needs_is_not_taken() {
        let mut shop = shop();
        let arn = shop.parameter().arn.clone();
        shop.needed = vec![Dependency {
            role: role("WorkerRole"),
            action: "ssm:GetParameter".into(),
            arn: Some(arn.clone()),
            why: "the fault wrapper of Worker reads its flags".into(),
        }];
        let deny = |action: &str, resource: &str| {
            format!("iam.deny: {{ target: worker, actions: ['{action}'], resources: ['{resource}'] }}")
        };
        for action in ["ssm:GetParameter", "ssm:Get*", "SSM:*"] {
            shop.refused(&deny(action, &arn), &["ssm:GetParameter", "fault wrapper of Worker"]);
            shop.refused(&deny(action, "arn:aws:ssm:*:*:parameter/shop/*"), &["ssm:GetParameter"]);
        }
        assert!(shop.plan(&deny("ssm:GetParameter", "arn:aws:ssm:*:*:parameter/other")).is_ok());
        assert!(shop.plan(&deny("ssm:PutParameter", &arn)).is_ok());
        shop.needed[0].role = role("Another");
        assert!(shop.plan(&deny("ssm:GetParameter", &arn)).is_ok());
    }

    #[test]
    fn iams_limit_counts_what_is_there_and_what_the_run_adds() {
        let mut shop = shop();
        let size = shop.planned(PUT).changes[0].after.to_string().chars().filter(|c| !c.is_whitespace()).count();
        shop.role("WorkerRole").inline_size = u32::try_from(INLINE_LIMIT - size).unwrap();
        assert!(shop.plan(PUT).is_ok());
        shop.role("WorkerRole").inline_size += 1;
        shop.refused(PUT, &["10241 characters"]);
        shop.role("WorkerRole").inline_size = u32::try_from(INLINE_LIMIT - size).unwrap();
        let first = shop.planned(PUT).changes;
        shop.beside(true, first);
        shop.refused(PUT, &["characters; IAM allows 10240"]);
    }

    #[test]
    fn it_looks_at_everything_that_the_role_touches() {
        let mut described = Described::default();
        let all = shop().described;
        let fault = spec(PUT);
        described.0.insert(function("Worker"), all.get(&function("Worker")).unwrap().clone());
        for _ in 0..3 {
            for resource in fault.fault().look(&function("Worker"), &described) {
                described.0.insert(resource.clone(), all.get(&resource).unwrap().clone());
            }
        }
        assert!(described.role(&role("WorkerRole")).is_some() && described.parameter(&parameter()).is_some());
        assert_eq!(fault.fault().mentions(), [&TargetName("payments".into())]);
    }

    #[test]
    fn everything_that_stands_against_it_is_said_at_once() {
        let mut stage = Stage::shop(function("Worker"));
        stage.add_function("Other");
        stage.role("WorkerRole").used_by.push(function("Other"));
        stage.role("WorkerRole").service_linked = true;
        stage.role("WorkerRole").inline_size = 10_200;
        stage.identity.roles.push("WorkerRole".into());
        stage.refused(PUT, &["squall's own", "service-linked", "is shared by", "10240"]);
        assert_eq!(stage.plan(PUT).unwrap_err().len(), 4);
    }
}
