//! CloudFormation's intrinsic functions: a tree with `!Ref`, `!GetAtt`, `!Sub` and the like becomes one without.
//!
//! What cannot be told here (an import from another stack, say) becomes nothing, with a warning; so does
//! `AWS::NoValue`. Whoever reads the tree afterwards takes nothing for absent.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::names::{Names, Thing};
use crate::spec::read::closest;
use crate::spec::yaml::{Entry, Kind, Node};
use crate::spec::{Code, Finding, Findings, Place, Source};
use crate::template::app::{ACCOUNT_ID, REGION};

/// Resolves one template's functions.
pub(super) struct Resolver<'a> {
    pub source: &'a Arc<Source>,
    pub stack: &'a str,
    /// Values of the template's parameters.
    pub parameters: BTreeMap<String, Kind>,
    pub names: Names,
    /// The sections `Mappings` and `Conditions`, unresolved.
    pub mappings: Option<&'a Node>,
    pub conditions: Option<&'a Node>,
    /// How deep a condition stands in conditions; a circle ends here.
    pub depth: u32,
    /// How many bytes functions may still produce: a template that multiplies itself ends here.
    pub room: usize,
}

/// What all functions of a template may produce, in bytes. CloudFormation's own limit for a template is 1 MB.
pub(super) const ROOM: usize = 2 << 20;

/// A function and what it is given.
struct Call<'n> {
    name: String,
    /// The node itself for the short form, whose tag then no longer counts; the value for the long form.
    given: &'n Node,
}

/// Recognises `!Ref x`, `{Ref: x}`, `!Sub x`, `{Fn::Sub: x}`.
fn call(node: &Node) -> Option<Call<'_>> {
    if let Some(tag) = node.tag.as_deref().and_then(|tag| tag.strip_prefix('!')) {
        let name = match tag {
            "Ref" | "Condition" => tag.to_owned(),
            other => format!("Fn::{other}"),
        };
        return Some(Call { name, given: node });
    }
    match node.entries() {
        [only] if only.key == "Ref" || only.key.starts_with("Fn::") => {
            Some(Call { name: only.key.clone(), given: &only.value })
        }
        _ => None,
    }
}

impl Resolver<'_> {
    /// The node without functions. Places stay.
    pub fn resolve(&mut self, node: &Node, findings: &mut Findings) -> Node {
        let kind = match call(node) {
            Some(call) => self.call(&call, node.at, findings),
            None => self.inner(node, findings),
        };
        Node { kind, tag: None, at: node.at }
    }

    /// What is in the node, resolved; the node's own tag does not count.
    fn inner(&mut self, node: &Node, findings: &mut Findings) -> Kind {
        match &node.kind {
            Kind::List(items) => {
                let items = items.iter().map(|item| self.resolve(item, findings));
                Kind::List(items.filter(|item| item.kind != Kind::Null).collect())
            }
            Kind::Map(entries) => Kind::Map(
                entries
                    .iter()
                    .map(|entry| Entry {
                        key: entry.key.clone(),
                        key_at: entry.key_at,
                        value: self.resolve(&entry.value, findings),
                    })
                    .collect(),
            ),
            scalar => scalar.clone(),
        }
    }

    fn call(&mut self, call: &Call<'_>, at: Place, findings: &mut Findings) -> Kind {
        if call.name == "Fn::If" {
            return self.choose(call.given, at, findings);
        }
        if self.room == 0 {
            let what = "the template's functions produce more than 2 MiB";
            findings.push(Finding::new(Code::Limit, self.source, at, what).help("split the template"));
            return Kind::Null;
        }
        let given = Node { kind: self.inner(call.given, findings), tag: None, at };
        let value = match call.name.as_str() {
            "Ref" => given.text().map(|name| self.reference(name, at, findings)),
            "Fn::GetAtt" => self.attribute_of(&given, findings),
            "Fn::Sub" => self.substitute(&given, findings),
            "Fn::Join" => join(&given),
            "Fn::Select" => select(&given),
            "Fn::Split" => split(&given),
            "Fn::FindInMap" => self.look_up(&given, findings),
            _ => {
                let what = format!("the sandbox does not know the function `{}`", call.name);
                findings.push(self.unknown(at, what).help("what it stands in is taken as left out"));
                return Kind::Null;
            }
        };
        let value = value.inspect(|value| self.room = self.room.saturating_sub(size(value)));
        value.unwrap_or_else(|| {
            let what = format!("`{}` is not given what it needs here", call.name);
            findings.push(Finding::new(Code::WrongKind, self.source, at, what).help("see the CloudFormation guide"));
            Kind::Null
        })
    }

    /// What `!Ref` gives.
    fn reference(&mut self, name: &str, at: Place, findings: &mut Findings) -> Kind {
        if let Some(value) = self.parameters.get(name) {
            return value.clone();
        }
        let text = match name {
            "AWS::AccountId" => ACCOUNT_ID.into(),
            "AWS::Region" => REGION.into(),
            "AWS::Partition" => "aws".into(),
            "AWS::StackName" => self.stack.into(),
            "AWS::StackId" => format!("arn:aws:cloudformation:{REGION}:{ACCOUNT_ID}:stack/{}/0", self.stack),
            "AWS::URLSuffix" => "amazonaws.com".into(),
            "AWS::NotificationARNs" => return Kind::List(Vec::new()),
            "AWS::NoValue" => return Kind::Null,
            _ => match self.names.get(name) {
                Some(thing) => thing.reference(),
                None => return self.nowhere(name, at, findings),
            },
        };
        Kind::Text(text)
    }

    /// What `!GetAtt` gives: of `Name.Attribute` or `[Name, Attribute]`.
    fn attribute_of(&mut self, given: &Node, findings: &mut Findings) -> Option<Kind> {
        let (name, attribute) = match given.items() {
            [name, attribute] => (name.text()?, attribute.text()?),
            _ => given.text()?.split_once('.')?,
        };
        Some(self.attribute(name, attribute, given.at, findings))
    }

    fn attribute(&mut self, name: &str, attribute: &str, at: Place, findings: &mut Findings) -> Kind {
        let Some(thing) = self.names.get(name) else {
            return self.nowhere(name, at, findings);
        };
        match thing.attribute(attribute) {
            Some(text) => Kind::Text(text),
            None => {
                let what = format!("the sandbox does not know the attribute `{attribute}` of {name}");
                findings.push(self.unknown(at, what).help("what it stands in is taken as left out"));
                Kind::Null
            }
        }
    }

    /// `${Name}`, `${Name.Attribute}` and `${!Literal}` in a text, with names of its own in the second form.
    fn substitute(&mut self, given: &Node, findings: &mut Findings) -> Option<Kind> {
        let (text, own) = match given.items() {
            [text, own] => (text.text()?, own.entries()),
            _ => (given.text()?, &[][..]),
        };
        let mut result = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            result += &rest[..start];
            let after = &rest[start + 2..];
            let Some(end) = after.find('}') else {
                rest = &rest[start..];
                break;
            };
            let name = after[..end].trim();
            rest = &after[end + 1..];
            let value = match (name.strip_prefix('!'), own.iter().find(|entry| entry.key == name)) {
                (Some(literal), _) => Kind::Text(format!("${{{literal}}}")),
                (None, Some(entry)) => entry.value.kind.clone(),
                (None, None) => match name.split_once('.') {
                    Some((name, attribute)) => self.attribute(name, attribute, given.at, findings),
                    None => self.reference(name, given.at, findings),
                },
            };
            result += &plain(&value)?;
            if result.len() > self.room {
                self.room = 0;
                return Some(Kind::Null);
            }
        }
        Some(Kind::Text(result + rest))
    }

    /// `!FindInMap [map, first, second]`.
    fn look_up(&mut self, given: &Node, findings: &mut Findings) -> Option<Kind> {
        let [map, first, second] = given.items() else { return None };
        let found = self.mappings.and_then(|maps| {
            let keys = [map, first, second].map(|key| plain(&key.kind));
            keys.iter().try_fold(maps, |node, key| node.get(key.as_deref()?))
        });
        match found {
            Some(node) => Some(node.kind.clone()),
            None => {
                let what = "the section `Mappings` has no such value";
                findings
                    .push(Finding::new(Code::UnknownWord, self.source, given.at, what).help("check the three names"));
                Some(Kind::Null)
            }
        }
    }

    /// `!If [condition, then, otherwise]`.
    fn choose(&mut self, given: &Node, at: Place, findings: &mut Findings) -> Kind {
        let [condition, then, otherwise] = given.items() else {
            let what = "`Fn::If` needs a condition, a value, and another value";
            findings.push(Finding::new(Code::WrongKind, self.source, at, what).help("write `!If [Name, yes, no]`"));
            return Kind::Null;
        };
        let chosen = match self.holds(condition.text().unwrap_or_default(), condition.at, findings) {
            true => then,
            false => otherwise,
        };
        self.resolve(chosen, findings).kind
    }

    /// Whether a condition of the section `Conditions` holds.
    pub fn holds(&mut self, name: &str, at: Place, findings: &mut Findings) -> bool {
        let Some(node) = self.conditions.and_then(|conditions| conditions.get(name)) else {
            let what = format!("there is no condition `{name}`");
            findings.push(Finding::new(Code::UnknownWord, self.source, at, what).help("name one of `Conditions`"));
            return false;
        };
        self.truth(node, findings)
    }

    fn truth(&mut self, node: &Node, findings: &mut Findings) -> bool {
        // Deeper than any honest template, and shallow enough for any stack.
        if self.depth >= 32 {
            let what = "these conditions stand in a circle, or too deep in each other";
            findings.push(Finding::new(Code::BadValue, self.source, node.at, what).help("write them flatter"));
            return false;
        }
        self.depth += 1;
        let name = call(node).map(|call| call.name).unwrap_or_default();
        let given = call(node).map_or(node, |call| call.given);
        let holds = match name.as_str() {
            "Fn::Equals" => {
                let sides: Vec<Option<String>> =
                    given.items().iter().map(|item| plain(&self.resolve(item, findings).kind)).collect();
                matches!(&sides[..], [Some(a), Some(b)] if a == b)
            }
            "Fn::And" => given.items().iter().all(|item| self.truth(item, findings)),
            "Fn::Or" => given.items().iter().any(|item| self.truth(item, findings)),
            "Fn::Not" => given.items().iter().all(|item| !self.truth(item, findings)),
            _ => match given.text().or_else(|| given.get("Condition").and_then(Node::text)) {
                Some(other) => self.holds(other, given.at, findings),
                None => {
                    let what = "this is not a condition that the sandbox knows";
                    findings.push(self.unknown(node.at, what).help("it is taken as false"));
                    false
                }
            },
        };
        self.depth -= 1;
        holds
    }

    fn nowhere(&self, name: &str, at: Place, findings: &mut Findings) -> Kind {
        let what = format!("the template has no parameter or resource `{name}`");
        let help = match closest(name, self.names.ids().chain(self.parameters.keys().map(String::as_str))) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "add it under `Resources` or `Parameters`".into(),
        };
        findings.push(Finding::new(Code::UnknownWord, self.source, at, what).help(help));
        Kind::Null
    }

    fn unknown(&self, at: Place, what: impl Into<String>) -> Finding {
        Finding::new(Code::NotModelled, self.source, at, what)
    }
}

/// A scalar as text. Nothing is an empty text: what it stood for was reported already.
pub(super) fn plain(kind: &Kind) -> Option<String> {
    match kind {
        Kind::Null => Some(String::new()),
        Kind::Bool(value) => Some(value.to_string()),
        Kind::Int(value) => Some(value.to_string()),
        Kind::Float(value) => Some(value.to_string()),
        Kind::Text(text) => Some(text.clone()),
        Kind::List(_) | Kind::Map(_) => None,
    }
}

/// About how many bytes a value holds.
fn size(kind: &Kind) -> usize {
    match kind {
        Kind::Text(text) => text.len(),
        Kind::List(items) => items.iter().map(|item| 16 + size(&item.kind)).sum(),
        Kind::Map(entries) => entries.iter().map(|entry| 16 + entry.key.len() + size(&entry.value.kind)).sum(),
        _ => 8,
    }
}

fn join(given: &Node) -> Option<Kind> {
    let [separator, list] = given.items() else { return None };
    let parts: Option<Vec<String>> = list.items().iter().map(|item| plain(&item.kind)).collect();
    Some(Kind::Text(parts?.join(separator.text()?)))
}

fn select(given: &Node) -> Option<Kind> {
    let [index, list] = given.items() else { return None };
    let index: usize = plain(&index.kind)?.parse().ok()?;
    list.items().get(index).map(|item| item.kind.clone())
}

fn split(given: &Node) -> Option<Kind> {
    let [separator, text] = given.items() else { return None };
    let (separator, whole) = (separator.text()?, plain(&text.kind)?);
    if separator.is_empty() {
        return None;
    }
    let part = |part: &str| Node { kind: Kind::Text(part.into()), tag: None, at: text.at };
    Some(Kind::List(whole.split(separator).map(part).collect()))
}

impl Thing {
    /// What `!Ref` of the resource gives, by CloudFormation's rules for its kind.
    fn reference(&self) -> String {
        use crate::account::ResourceKind as K;
        match self.kind {
            Some(K::Queue) => queue_url(&self.name),
            Some(K::Topic) => self.arn(),
            _ => self.name.clone(),
        }
    }

    /// What `!GetAtt` of the resource gives.
    fn attribute(&self, attribute: &str) -> Option<String> {
        Some(match attribute {
            "Arn" | "TopicArn" => self.arn(),
            "QueueName" | "TopicName" | "ApiId" | "RoleId" | "Name" => self.name.clone(),
            "QueueUrl" => queue_url(&self.name),
            _ => return None,
        })
    }
}

/// The URL of a queue of the sandbox.
pub(super) fn queue_url(name: &str) -> String {
    format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT_ID}/{name}")
}
