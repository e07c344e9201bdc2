//! Who may do what: roles with their policies and boundaries, policies of queues and topics, permissions of functions.
//!
//! What is in the template counts. What cannot be known allows, with a warning: a model that denies what works would
//! make experiments fail that hold.

use serde_json::{Map, Value as Json, json};

use super::{Reader, tag};
use crate::ids::ResourceKind;
use crate::template::Item;
use crate::template::app::{App, Role};
use crate::template::managed;
use crate::template::part::Part;
use crate::template::pattern::{like, like_ignoring_case};
use crate::template::value::Value;
use crate::yaml::{Code, Findings};

/// Services whose permissions the model looks at.
const MODELLED: [&str; 5] = ["sqs:", "sns:", "dynamodb:", "lambda:", "ssm:"];
/// Keys of conditions that the sandbox knows, or knows to be absent from a function's own calls.
const KEYS: [&str; 8] = [
    "aws:currenttime",
    "aws:epochtime",
    "aws:principalarn",
    "aws:principalaccount",
    "aws:resourceaccount",
    "aws:requestedregion",
    "aws:sourcearn",
    "aws:sourceaccount",
];

/// What lets somebody do something to a resource.
pub(super) enum Grant<'s> {
    /// A policy of a queue or a topic; without a name it may be any one.
    Policy { kind: ResourceKind, names: Vec<Option<String>>, document: &'s Value },
    /// `AWS::Lambda::Permission`.
    Permission { function: Option<String>, principal: Option<String>, source: Option<&'s Value> },
}

impl<'s> Reader<'s> {
    /// Notes every policy that is not a role's own, before anything is read.
    pub(super) fn read_grants(&mut self) {
        for item in self.items {
            let properties = &item.properties;
            let document = properties.some("PolicyDocument");
            match item.kind.as_str() {
                "AWS::IAM::ManagedPolicy" => {
                    let arn = format!(
                        "arn:{}:iam::{}:policy/{}",
                        self.deployment.location.partition, self.deployment.location.account_id, item.name
                    );
                    if let Some(document) = document {
                        self.managed.insert(arn, document);
                    }
                }
                "AWS::SQS::QueuePolicy" | "AWS::SNS::TopicPolicy" => {
                    let (kind, key) = match item.kind.as_str() {
                        "AWS::SQS::QueuePolicy" => (ResourceKind::Queue, "Queues"),
                        _ => (ResourceKind::Topic, "Topics"),
                    };
                    let targets = properties.some(key).map(Value::each).unwrap_or_default();
                    let names = targets.iter().map(|value| self.names.find(kind, value).map(str::to_owned)).collect();
                    if let Some(document) = document {
                        self.grants.push(Grant::Policy { kind, names, document });
                    }
                }
                "AWS::Lambda::Permission" => {
                    let function = properties
                        .some("FunctionName")
                        .and_then(|value| self.names.find(ResourceKind::Function, value));
                    self.grants.push(Grant::Permission {
                        function: function.map(str::to_owned),
                        principal: properties.some("Principal").and_then(Value::plain),
                        source: properties.some("SourceArn"),
                    });
                }
                _ => {}
            }
        }
    }

    /// Whether a resource lets a service do something on behalf of `source`, an ARN.
    pub(super) fn admits(&self, kind: ResourceKind, name: &str, service: &str, action: &str, source: &str) -> bool {
        let arn = self.deployment.location.arn(kind, name);
        let mut admitted = false;
        for grant in &self.grants {
            match grant {
                Grant::Permission { function, principal, source: given } => {
                    let is_it =
                        kind == ResourceKind::Function && function.as_deref().is_none_or(|function| function == name);
                    let lets = principal.as_deref().is_none_or(|principal| principal == service || principal == "*");
                    let from = given.is_none_or(|given| given.plain().is_none_or(|pattern| leads(&pattern, source)));
                    admitted |= is_it && lets && from;
                }
                Grant::Policy { kind: of, names, document } => {
                    if *of != kind || !names.iter().any(|have| have.as_deref().is_none_or(|have| have == name)) {
                        continue;
                    }
                    if document.unknown().is_some() {
                        admitted = true;
                        continue;
                    }
                    for statement in document.get("Statement").map(Value::each).unwrap_or_default() {
                        if statement.unknown().is_some() {
                            admitted = true;
                            continue;
                        }
                        if !applies(statement, service, action, &arn, source, &self.deployment.location.account_id) {
                            continue;
                        }
                        match statement.get("Effect").and_then(Value::text) {
                            Some("Deny") => return false,
                            _ => admitted = true,
                        }
                    }
                }
            }
        }
        admitted
    }

    pub(super) fn role(&mut self, name: String, part: &mut Part<'s>, app: &mut App) {
        let mut role = Role::default();
        for (number, policy) in part.list("Policies").iter().enumerate() {
            if let Some(origin) = policy.unknown().and_then(|unknown| unknown.origin()) {
                let what = format!("a policy of {} is not known: {}", part.of, origin.why);
                part.report(Code::UnknownValue, &policy.at, what, "it is taken to allow everything");
                role.attached.insert(format!("unknown-{number}"), everything());
                continue;
            }
            let mut one = part.of_item("Policies", policy);
            let name = one.needed_text("PolicyName").unwrap_or_else(|| format!("policy-{number}"));
            if let Some(document) = one.needed("PolicyDocument") {
                role.inline.insert(name, self.document(document, &mut one.findings, &part.of));
            }
            part.take(one);
        }
        for policy in part.list("ManagedPolicyArns") {
            self.manage(policy, &mut role, part);
        }
        if let Some(boundary) = part.get("PermissionsBoundary") {
            role.boundary = self.boundary(boundary, part);
        }
        tag(&name, part, app);
        app.roles.insert(name, role);
    }

    /// A managed policy of a role: AWS's own, or one of the template.
    fn manage(&self, policy: &Value, role: &mut Role, part: &mut Part<'_>) {
        let Some(text) = policy.plain() else {
            let why = policy
                .unknown()
                .and_then(|unknown| unknown.origin())
                .map_or_else(String::new, |origin| origin.why.clone());
            let what = format!("a managed policy of {} is not known: {why}", part.of);
            part.report(Code::UnknownValue, &policy.at, what, "it is taken to allow everything");
            role.attached.insert(format!("unknown-{}", role.attached.len()), everything());
            return;
        };
        let name = text.rsplit('/').next().unwrap_or(&text).to_owned();
        let own = self.managed.get(&text).or_else(|| {
            // SAM takes a bare name for a policy of AWS; that of one in the template is the same to IAM.
            self.managed.iter().find(|(arn, _)| arn.ends_with(&format!("/{text}"))).map(|(_, document)| document)
        });
        match own {
            Some(document) => {
                let document = self.document(document, &mut part.findings, &part.of);
                role.attached.insert(name, document);
            }
            None => {
                if managed::actions(&text).is_none() {
                    let what = format!("what the policy {name} of {} allows is not known", part.of);
                    part.report(Code::NotModelled, &policy.at, what, "it is taken to allow everything");
                }
                // A policy of AWS by its name alone: SAM writes the ARN, or leaves the name.
                let of_aws = !text.contains(':') || text.contains(":iam::aws:policy/");
                role.managed.push(if of_aws { name } else { text });
            }
        }
    }

    /// The document of a permissions boundary. One that is not known is no boundary.
    fn boundary(&self, boundary: &Value, part: &mut Part<'_>) -> Option<String> {
        let text = boundary.plain();
        if let Some(document) = text.as_ref().and_then(|arn| self.managed.get(arn)) {
            return Some(self.document(document, &mut part.findings, &part.of));
        }
        if let Some(actions) = text.as_deref().and_then(managed::actions) {
            return Some(
                json!({ "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }] }).to_string(),
            );
        }
        let what = format!("the permissions boundary of {} is not in the template", part.of);
        part.report(Code::UnknownValue, &boundary.at, what, "the role is modelled without one");
        None
    }

    /// A policy that is put on roles.
    pub(super) fn attached_policy(&mut self, item: &Item, part: &mut Part<'s>, app: &mut App) {
        let Some(document) = part.needed("PolicyDocument") else { return };
        let of = part.of.clone();
        let document = self.document(document, &mut part.findings, &of);
        let managed = item.kind == "AWS::IAM::ManagedPolicy";
        let name = match managed {
            true => item.name.clone(),
            false => part.text("PolicyName").unwrap_or_else(|| item.name.clone()),
        };
        let mut roles: Vec<&Value> = part.list("Roles").iter().collect();
        roles.extend(part.get("RoleName"));
        for role in roles {
            let found =
                self.named(ResourceKind::Role, role, "the role", "the policy does nothing there in the model", part);
            if let Some(role) = found.and_then(|role| app.roles.get_mut(&role)) {
                let policies = if managed { &mut role.attached } else { &mut role.inline };
                policies.insert(name.clone(), document.clone());
            }
        }
    }

    /// What policies of queues and topics say about roles becomes policies of those roles: they work alike.
    pub(super) fn policies_of_resources(&mut self, app: &mut App) {
        let location = &self.deployment.location;
        let mut findings = Findings::default();
        for grant in &self.grants {
            let Grant::Policy { kind, names, document } = grant else { continue };
            for name in names.iter().flatten() {
                let arn = location.arn(*kind, name);
                for statement in document.get("Statement").map(Value::each).unwrap_or_default() {
                    let label = format!("policy of {} {name}", kind.word());
                    let Some(mut read) = self.statement(statement, &mut findings, &label) else { continue };
                    read.insert("Resource".into(), json!(arn));
                    for (role_name, role) in &mut app.roles {
                        let role_arn = location.arn(ResourceKind::Role, role_name);
                        if concerns(statement, &role_arn) {
                            let key = format!("{}-{}-{}", kind.word(), name, role.attached.len());
                            role.attached.insert(key, json!({ "Statement": [read] }).to_string());
                        }
                    }
                }
            }
        }
    }

    /// A policy's document as JSON, with what is not known taken to allow.
    fn document(&self, document: &Value, findings: &mut Findings, of: &str) -> String {
        if let Some(origin) = document.unknown().and_then(|unknown| unknown.origin()) {
            let what = format!("a policy of {of} is not known: {}", origin.why);
            findings.push(self.finding(Code::UnknownValue, &document.at, what, "it is taken to allow everything"));
            return everything();
        }
        let statements = document.get("Statement").map(Value::each).unwrap_or_default();
        if document.get("Statement").is_none() {
            let what = format!("a policy of {of} has no `Statement`");
            findings.push(self.finding(Code::MissingKey, &document.at, what, "IAM refuses it"));
        }
        let statements: Vec<Map<String, Json>> =
            statements.iter().filter_map(|statement| self.statement(statement, findings, of)).collect();
        json!({ "Statement": statements }).to_string()
    }

    /// One statement. `None`: it denies something that is not known, or never applies.
    fn statement(&self, statement: &Value, findings: &mut Findings, of: &str) -> Option<Map<String, Json>> {
        let denies = statement.get("Effect").and_then(Value::text) == Some("Deny");
        let mut doubt = |value: &Value, what: &str| {
            let why = value.first_unknown().and_then(|unknown| unknown.origin()).map(|origin| origin.why.clone());
            let what = format!(
                "{what} in a policy of {of} is not known{}",
                why.map(|why| format!(": {why}")).unwrap_or_default()
            );
            let help = if denies { "the statement is left out" } else { "the policy is taken to allow it" };
            findings.push(self.finding(Code::UnknownValue, &value.at, what, help));
        };
        if statement.unknown().is_some() {
            doubt(statement, "a statement");
            return Some(Map::from_iter([
                ("Effect".into(), json!("Allow")),
                ("Action".into(), json!("*")),
                ("Resource".into(), json!("*")),
            ]));
        }
        let mut read = Map::from_iter([("Effect".into(), json!(if denies { "Deny" } else { "Allow" }))]);
        let actions: Vec<String> = ["Action", "NotAction"]
            .iter()
            .filter_map(|key| statement.get(key))
            .flat_map(Value::each)
            .filter_map(Value::plain)
            .collect();
        let matters = statement.get("NotAction").is_some() || actions.iter().any(|action| modelled(action));
        for (key, whole) in [("Action", "*"), ("NotAction", ""), ("Resource", "*"), ("NotResource", "")] {
            let Some(value) = statement.some(key) else { continue };
            let mut texts = Vec::new();
            for item in value.each() {
                match self.known(item) {
                    Some(text) => texts.push(text),
                    None if denies => {
                        doubt(item, &format!("`{key}`"));
                        return None;
                    }
                    None => {
                        if matters {
                            doubt(item, &format!("`{key}`"));
                        }
                        texts.push(whole.to_owned());
                    }
                }
            }
            read.insert(key.into(), json!(texts));
        }
        if read.get("Resource").is_none() && read.get("NotResource").is_none() {
            read.insert("Resource".into(), json!("*"));
        }
        if let Some(condition) = statement.some("Condition") {
            match condition_of(condition) {
                Held::Always => {}
                Held::Never => return None,
                Held::By(json) => {
                    read.insert("Condition".into(), json);
                }
                Held::Unknown => {
                    if matters {
                        doubt(condition, "a condition");
                    }
                    if denies {
                        return None;
                    }
                }
            }
        }
        Some(read)
    }

    /// A text of a policy; a resource of the template by its ARN, whether or not its name is known.
    fn known(&self, value: &Value) -> Option<String> {
        if let Some(text) = value.plain() {
            return Some(text);
        }
        let kinds = [
            ResourceKind::Queue,
            ResourceKind::Topic,
            ResourceKind::Table,
            ResourceKind::Function,
            ResourceKind::Parameter,
        ];
        kinds
            .iter()
            .find_map(|kind| self.names.find(*kind, value).map(|name| self.deployment.location.arn(*kind, name)))
    }
}

/// When a condition holds.
enum Held {
    Always,
    Never,
    By(Json),
    Unknown,
}

/// What is known of a condition.
fn condition_of(condition: &Value) -> Held {
    let mut kept = Map::new();
    for operator in condition.entries() {
        let mut keys = Map::new();
        for key in operator.value.entries() {
            let name = key.key.to_lowercase();
            if name == "aws:securetransport" {
                // Every call to AWS from a function is encrypted.
                let wanted = key.value.each().iter().any(|value| value.plain().as_deref() != Some("false"));
                if !wanted {
                    return Held::Never;
                }
            } else if key.value.first_unknown().is_some() || !KEYS.contains(&name.as_str()) {
                return Held::Unknown;
            } else {
                keys.insert(key.key.clone(), key.value.to_json());
            }
        }
        if !keys.is_empty() {
            kept.insert(operator.key.clone(), Json::Object(keys));
        }
    }
    match kept.is_empty() {
        true if condition.entries().is_empty() && condition.first_unknown().is_some() => Held::Unknown,
        true => Held::Always,
        false => Held::By(Json::Object(kept)),
    }
}

/// A policy that allows everything.
fn everything() -> String {
    json!({ "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }] }).to_string()
}

/// Whether an action may be one that the model looks at.
fn modelled(action: &str) -> bool {
    let action = action.to_lowercase();
    action.starts_with('*') || MODELLED.iter().any(|service| action.starts_with(service))
}

/// Whether the pattern of a `SourceArn` fits; of an api every route fits that has the api's id.
fn leads(pattern: &str, source: &str) -> bool {
    let api =
        |arn: &str| arn.split_once(":execute-api:").map(|(_, rest)| rest.split('/').next().unwrap_or(rest).to_owned());
    match (api(pattern), api(source)) {
        (Some(pattern), Some(source)) => like(&pattern, &source),
        _ => like(pattern, source),
    }
}

/// Whether a statement of a resource's policy speaks of a service, an action and a source.
fn applies(statement: &Value, service: &str, action: &str, arn: &str, source: &str, account: &str) -> bool {
    let any = |key: &str, test: &dyn Fn(&str) -> bool| {
        statement
            .get(key)
            .is_none_or(|value| value.each().iter().any(|item| item.plain().is_none_or(|text| test(&text))))
    };
    let principal =
        match statement.get("Principal") {
            None => false,
            Some(value) if value.plain().is_some_and(|text| text == "*") || value.unknown().is_some() => true,
            Some(value) => value.entries().iter().any(|entry| {
                entry.value.each().iter().any(|item| {
                    item.plain().is_none_or(|text| text == "*" || (entry.key == "Service" && text == service))
                })
            }),
        };
    let mut holds = true;
    for operator in statement.get("Condition").map(Value::entries).unwrap_or_default() {
        for key in operator.value.entries() {
            let fits = |test: &dyn Fn(&str) -> bool| {
                key.value.each().iter().any(|item| item.plain().is_none_or(|text| test(&text)))
            };
            let fits = match key.key.to_lowercase().as_str() {
                "aws:sourcearn" => fits(&|pattern| like(pattern, source)),
                "aws:sourceaccount" | "aws:sourceowner" => fits(&|text| text == account),
                "aws:securetransport" => fits(&|text| text != "false"),
                // What cannot be known allows.
                _ => statement.get("Effect").and_then(Value::text) != Some("Deny"),
            };
            holds &= fits != operator.key.to_lowercase().contains("not");
        }
    }
    principal
        && holds
        && any("Action", &|pattern| like_ignoring_case(pattern, action))
        && any("Resource", &|pattern| like(pattern, arn))
}

/// Whether a statement of a resource's policy speaks of a role of the same account by itself. One for calls on behalf of
/// another resource does not.
fn concerns(statement: &Value, role: &str) -> bool {
    let operators = statement.get("Condition").map(Value::entries).unwrap_or_default();
    let on_behalf = operators
        .iter()
        .filter(|operator| !operator.key.to_lowercase().contains("not"))
        .any(|operator| operator.value.entries().iter().any(|key| key.key.to_lowercase().starts_with("aws:source")));
    if on_behalf {
        return false;
    }
    match statement.get("Principal") {
        None => false,
        Some(value) if value.plain().is_some() => value.plain().as_deref() == Some("*"),
        Some(value) => value.get("AWS").is_some_and(|roles| {
            roles.each().iter().any(|item| item.plain().is_some_and(|text| text == "*" || text == role))
        }),
    }
}
