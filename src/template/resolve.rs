//! CloudFormation's intrinsic functions: a value with `Ref`, `Fn::GetAtt`, `Fn::Sub` and the like becomes one without.
//!
//! What cannot be known here becomes unknown with its origin, and travels on; so does what is computed from it.
//! `AWS::NoValue` becomes nothing, and readers take nothing for absent.

use super::scope::{Scope, Truth};
use super::value::{Entry, Kind, Pieces, Spot, Unknown, Value};
use crate::yaml::Code;
use crate::yaml::read::closest;

impl Scope<'_> {
    /// The value without functions. Places stay.
    pub fn resolve(&mut self, value: &Value) -> Value {
        let at = &value.at;
        let kind = match &value.kind {
            Kind::List(items) => {
                let items: Vec<Value> = items.iter().map(|item| self.resolve(item)).collect();
                Kind::List(items.into_iter().filter(|item| !item.is_null()).collect())
            }
            Kind::Map(_) => match function(value) {
                Some((name, given)) => self.call(name, given, at),
                None => self.entries(value),
            },
            Kind::Text(text) if text.contains("{{resolve:") => self.dynamic(text, at),
            scalar => scalar.clone(),
        };
        Value { kind, at: at.clone() }
    }

    fn entries(&mut self, value: &Value) -> Kind {
        let entries = value.entries().iter().map(|entry| Entry {
            key: entry.key.clone(),
            key_at: entry.key_at.clone(),
            value: self.resolve(&entry.value),
        });
        Kind::Map(entries.collect())
    }

    fn call(&mut self, name: &str, given: &Value, at: &Spot) -> Kind {
        if name == "Fn::If" {
            return self.choose(given, at);
        }
        if self.room == 0 {
            self.report(Code::Limit, at, "the template's functions produce more than 4 MiB", "split the template");
            return Kind::Null;
        }
        let given = match (name, &given.kind) {
            ("Fn::Sub", Kind::Text(_)) => given.clone(),
            _ => self.resolve(given),
        };
        let kind = match name {
            "Ref" => given.text().map(|name| self.reference(name, at)),
            "Fn::GetAtt" => self.attribute_of(&given, at),
            "Fn::Sub" => self.substitute(&given, at),
            "Fn::Join" => join(&given),
            "Fn::Select" => self.select(&given, at),
            "Fn::Split" => split(&given),
            "Fn::FindInMap" => self.look_up(&given, at),
            "Fn::Length" => length(&given),
            "Fn::ToJsonString" => Some(to_json_string(&given, at)),
            "Fn::Base64" => Some(unknown("the result of Fn::Base64 is not computed", at)),
            "Fn::Cidr" => Some(unknown("the result of Fn::Cidr is not computed", at)),
            "Fn::GetAZs" => Some(unknown("the zones of the region are not known here", at)),
            "Fn::ImportValue" => Some(self.import(&given, at)),
            "Fn::Transform" => Some(unknown("what a macro makes of this is not known here", at)),
            "Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not" => {
                let what = format!("`{name}` is used outside of `Conditions`");
                self.report(Code::WrongKind, at, what, "name a condition, and use `Fn::If` here");
                return Kind::Null;
            }
            _ => {
                let why = format!("the function `{name}` is not known to squall");
                self.report(Code::NotModelled, at, why.as_str(), "its result is treated as unknown");
                return unknown(&why, at);
            }
        };
        match kind {
            Some(kind) => {
                let value = Value { kind, at: at.clone() };
                self.room = self.room.saturating_sub(value.size());
                value.kind
            }
            // Something that is not known makes the whole unknown; anything else is wrong in the template.
            None => match given.first_unknown() {
                Some(reason) => Kind::Unknown(reason.whole()),
                None => {
                    let what = format!("`{name}` has the wrong arguments");
                    self.report(Code::WrongKind, at, what, "see the CloudFormation guide for what it takes");
                    Kind::Null
                }
            },
        }
    }

    /// What `!Ref` gives.
    pub fn reference(&mut self, name: &str, at: &Spot) -> Kind {
        if let Some(value) = self.parameters.get(name) {
            return value.kind.clone();
        }
        let location = self.location();
        let stack = &self.deployment.stack;
        let text = match name {
            "AWS::AccountId" => location.account_id.clone(),
            "AWS::Region" => location.region.clone(),
            "AWS::Partition" => location.partition.clone(),
            "AWS::StackName" => stack.clone(),
            "AWS::StackId" => {
                let (partition, region, id) = (&location.partition, &location.region, &location.account_id);
                format!("arn:{partition}:cloudformation:{region}:{id}:stack/{stack}/0")
            }
            "AWS::URLSuffix" => location.suffix().into(),
            "AWS::NotificationARNs" => return Kind::List(Vec::new()),
            "AWS::NoValue" => return Kind::Null,
            _ => return self.reference_to(name, at),
        };
        Kind::Text(text)
    }

    fn reference_to(&mut self, name: &str, at: &Spot) -> Kind {
        let Some(thing) = self.thing(name, at) else { return self.nowhere(name, at) };
        self.need(name, at);
        let location = self.location();
        match thing.reference(location) {
            Some(kind) => kind,
            None => unknown(&format!("AWS gives the id of {name} ({})", thing.type_name), at),
        }
    }

    /// What `!GetAtt` gives: of `Name.Attribute` or `[Name, Attribute]`. Names of SAM have a dot of their own.
    fn attribute_of(&mut self, given: &Value, at: &Spot) -> Option<Kind> {
        let (name, attribute) = match given.items() {
            [name, attribute] => (name.text()?, attribute.text()?),
            _ => split_attribute(given.text()?),
        };
        if attribute.is_empty() {
            return None;
        }
        Some(self.attribute(name, attribute, at))
    }

    fn attribute(&mut self, name: &str, attribute: &str, at: &Spot) -> Kind {
        // `Fn.Alias.Name`, or `Stack.Outputs.Name`.
        let (name, attribute) = match attribute.split_once('.') {
            Some((part, rest)) if self.names.get(&format!("{name}.{part}")).is_some() => {
                (format!("{name}.{part}"), rest.to_owned())
            }
            _ => (name.to_owned(), attribute.to_owned()),
        };
        let Some(thing) = self.thing(&name, at) else { return self.nowhere(&name, at) };
        self.need(&name, at);
        if let Some(output) = attribute.strip_prefix("Outputs.") {
            return self.output(&name, output, at);
        }
        let location = self.location();
        match thing.attribute(&attribute, location) {
            Some(kind) => kind,
            None => unknown(&format!("AWS gives the attribute {attribute} of {name} ({})", thing.type_name), at),
        }
    }

    /// An output of a nested stack.
    fn output(&mut self, stack: &str, output: &str, at: &Spot) -> Kind {
        let current = self.current.take();
        self.nest(stack);
        self.current = current;
        match self.outputs.get(stack).map(|outputs| outputs.get(output)) {
            Some(Some(value)) => value.kind.clone(),
            Some(None) => {
                let what = format!("the nested stack {stack} has no output `{output}`");
                self.report(Code::UnknownWord, at, what, "add it under `Outputs` of its template");
                Kind::Null
            }
            None => unknown(&format!("the output {output} of {stack}, whose template is not read"), at),
        }
    }

    /// `${Name}`, `${Name.Attribute}` and `${!Literal}` in a text, with names of its own in the second form.
    fn substitute(&mut self, given: &Value, at: &Spot) -> Option<Kind> {
        let (text, own) = match given.items() {
            [text, own] => (text.text()?.to_owned(), own.entries()),
            [text] => (text.text()?.to_owned(), &[][..]),
            _ => (given.text()?.to_owned(), &[][..]),
        };
        let mut pieces = Pieces::default();
        let mut rest = text.as_str();
        while let Some(start) = rest.find("${") {
            pieces.push(&rest[..start]);
            let after = &rest[start + 2..];
            let Some(end) = after.find('}') else {
                rest = &rest[start..];
                break;
            };
            let name = after[..end].trim();
            rest = &after[end + 1..];
            if let Some(literal) = name.strip_prefix('!') {
                pieces.push(&format!("${{{literal}}}"));
            } else if let Some(entry) = own.iter().find(|entry| entry.key == name) {
                pieces.push_value(&entry.value)?;
            } else {
                let kind = match name.split_once('.') {
                    Some(_) if self.names.get(name).is_some() => self.reference(name, at),
                    Some((name, attribute)) => self.attribute(name, attribute, at),
                    None => self.reference(name, at),
                };
                pieces.push_value(&at.value(kind))?;
            }
            if pieces.len() > self.room {
                self.room = 0;
                return Some(Kind::Null);
            }
        }
        pieces.push(rest);
        let kind = pieces.finish();
        match kind {
            Kind::Text(text) if text.contains("{{resolve:") => Some(self.dynamic(&text, at)),
            kind => Some(kind),
        }
    }

    /// `{{resolve:ssm:/name:1}}` in a text.
    fn dynamic(&mut self, text: &str, at: &Spot) -> Kind {
        let mut pieces = Pieces::default();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{resolve:") {
            let Some((reference, behind)) = after.split_once("}}") else { break };
            pieces.push(before);
            let name = reference.split_once(':').map_or(reference, |(_, name)| name);
            let plain = name.rsplit_once(':').map_or(name, |(plain, _)| plain);
            match self.deployment.stores.get(name).or_else(|| self.deployment.stores.get(plain)) {
                Some(stored) => pieces.push(stored),
                None => {
                    let kind = unknown(&format!("`{{{{resolve:{reference}}}}}` is not known here"), at);
                    pieces.push_value(&at.value(kind));
                }
            }
            rest = behind;
        }
        pieces.push(rest);
        pieces.finish()
    }

    fn import(&mut self, given: &Value, at: &Spot) -> Kind {
        match given.plain() {
            Some(name) => match self.deployment.stores.get(&name) {
                Some(value) => Kind::Text(value.clone()),
                None => unknown(&format!("the import {name} of another stack is not known here"), at),
            },
            None => unknown("an import of another stack is not known here", at),
        }
    }

    /// `!Select [index, list]`.
    fn select(&mut self, given: &Value, at: &Spot) -> Option<Kind> {
        let [index, list] = given.items() else { return None };
        let index: usize = index.plain()?.trim().parse().ok()?;
        if !matches!(list.kind, Kind::List(_)) {
            return None;
        }
        match list.items().get(index) {
            Some(item) => Some(item.kind.clone()),
            None => {
                let what = format!("`Fn::Select` asks for item {index} of a list of {}", list.items().len());
                self.report(Code::BadValue, at, what, "items are counted from 0");
                Some(Kind::Null)
            }
        }
    }

    /// `!FindInMap [map, first, second, {DefaultValue: value}]`.
    fn look_up(&mut self, given: &Value, at: &Spot) -> Option<Kind> {
        let (map, first, second, default) = match given.items() {
            [map, first, second] => (map, first, second, None),
            [map, first, second, options] => (map, first, second, options.get("DefaultValue")),
            _ => return None,
        };
        let keys = [map.plain()?, first.plain()?, second.plain()?];
        let found = self.mappings.and_then(|maps| keys.iter().try_fold(maps, |value, key| value.get(key)));
        if let Some(value) = found {
            return Some(value.kind.clone());
        }
        if let Some(default) = default {
            return Some(default.kind.clone());
        }
        // The region and the account are not said anywhere: what depends on them is not known.
        let location = self.location();
        if keys[1..].iter().any(|key| *key == location.region || *key == location.account_id) {
            let why = format!("`Mappings` has no value for `{}` in {}", keys[1], keys[0]);
            return Some(unknown(&why, at));
        }
        let what = format!("`Mappings` has no value for `{}` and `{}` in `{}`", keys[1], keys[2], keys[0]);
        self.report(Code::UnknownWord, at, what, "check the three names, or add a `DefaultValue`");
        Some(Kind::Null)
    }

    /// `!If [condition, then, otherwise]`.
    fn choose(&mut self, given: &Value, at: &Spot) -> Kind {
        let [condition, then, otherwise] = given.items() else {
            let what = "`Fn::If` needs a condition and two values";
            self.report(Code::WrongKind, at, what, "write `!If [Name, yes, no]`");
            return Kind::Null;
        };
        match self.holds(condition.text().unwrap_or_default(), &condition.at) {
            Truth::Yes => self.resolve(then).kind,
            Truth::No => self.resolve(otherwise).kind,
            Truth::Unknown(reason) => {
                let (then, otherwise) = (self.resolve(then), self.resolve(otherwise));
                match then.key().is_some() && then.key() == otherwise.key() {
                    true => then.kind,
                    false => Kind::Unknown(reason),
                }
            }
        }
    }

    /// Whether a condition of the section `Conditions` holds.
    pub fn holds(&mut self, name: &str, at: &Spot) -> Truth {
        if let Some(truth) = self.truths.get(name) {
            return truth.clone();
        }
        let Some(value) = self.conditions.and_then(|conditions| conditions.get(name)) else {
            let what = format!("there is no condition `{name}`");
            self.report(Code::UnknownWord, at, what, "add it under `Conditions`");
            return Truth::No;
        };
        let truth = self.truth(value);
        if self.depth == 0 {
            self.truths.insert(name.to_owned(), truth.clone());
        }
        truth
    }

    fn truth(&mut self, value: &Value) -> Truth {
        // Deeper than any honest template, and shallow enough for any stack.
        if self.depth >= 32 {
            let what = "these conditions refer to each other in a circle, or are nested too deep";
            self.report(Code::BadValue, &value.at, what, "write them flatter");
            return Truth::No;
        }
        if self.room == 0 {
            return Truth::No;
        }
        // Conditions that multiply themselves end like functions that do.
        self.room = self.room.saturating_sub(16);
        self.depth += 1;
        let truth = match (function(value), &value.kind) {
            (Some(("Fn::Equals", given)), _) => self.equals(given),
            (Some(("Fn::And", given)), _) => self.all(given, true),
            (Some(("Fn::Or", given)), _) => self.all(given, false),
            (Some(("Fn::Not", given)), _) => match given.each().first().map(|item| self.truth(item)) {
                Some(Truth::Yes) => Truth::No,
                Some(Truth::No) | None => Truth::Yes,
                Some(unknown) => unknown,
            },
            (_, Kind::Map(_)) if value.get("Condition").is_some() => {
                let name = value.get("Condition").and_then(Value::text).unwrap_or_default();
                self.holds(name, &value.at)
            }
            (_, Kind::Bool(truth)) => {
                if *truth {
                    Truth::Yes
                } else {
                    Truth::No
                }
            }
            (_, Kind::Text(name)) => self.holds(name, &value.at),
            _ => {
                self.report(
                    Code::WrongKind,
                    &value.at,
                    "this is not a condition",
                    "use `Fn::Equals`, `Fn::And`, `Fn::Or` or `Fn::Not`",
                );
                Truth::No
            }
        };
        self.depth -= 1;
        truth
    }

    fn equals(&mut self, given: &Value) -> Truth {
        let [a, b] = given.items() else {
            self.report(Code::WrongKind, &given.at, "`Fn::Equals` needs two values", "write `!Equals [a, b]`");
            return Truth::No;
        };
        let (a, b) = (self.resolve(a), self.resolve(b));
        match (a.first_unknown().or_else(|| b.first_unknown()), a.key(), b.key()) {
            (_, Some(a), Some(b)) if a == b => Truth::Yes,
            (Some(unknown), _, _) => Truth::Unknown(unknown.whole()),
            (None, None, _) | (None, _, None) => {
                if a.to_json() == b.to_json() {
                    Truth::Yes
                } else {
                    Truth::No
                }
            }
            _ => Truth::No,
        }
    }

    /// `Fn::And` when `all`, else `Fn::Or`.
    fn all(&mut self, given: &Value, all: bool) -> Truth {
        let mut reason = None;
        for item in given.items() {
            match self.truth(item) {
                Truth::Yes if !all => return Truth::Yes,
                Truth::No if all => return Truth::No,
                Truth::Unknown(unknown) => reason = reason.or(Some(unknown)),
                _ => {}
            }
        }
        match reason {
            Some(unknown) => Truth::Unknown(unknown),
            None if all => Truth::Yes,
            None => Truth::No,
        }
    }

    fn nowhere(&mut self, name: &str, at: &Spot) -> Kind {
        if self.naming.contains(name) {
            // Reported already: it needs its own name.
            return Kind::Null;
        }
        let known =
            self.index.keys().copied().chain(self.names.ids()).chain(self.parameters.keys().map(String::as_str));
        let help = match closest(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "add it under `Resources` or `Parameters`".into(),
        };
        let maker = self.resources.iter().find(|resource| {
            name.starts_with(&resource.id)
                && (resource.kind.ends_with("::MODULE") || resource.kind.starts_with("AWS::Serverless::"))
        });
        match maker {
            Some(module) if module.kind.ends_with("::MODULE") => {
                unknown(&format!("{name} is made by the module {}, which is not read", module.id), at)
            }
            Some(resource) => {
                self.awaited.push((name.to_owned(), at.clone(), help));
                unknown(&format!("SAM makes {name} of {}", resource.id), at)
            }
            None => {
                self.no_such(name, at, help);
                Kind::Null
            }
        }
    }

    /// Reports a reference to nothing.
    pub fn no_such(&mut self, name: &str, at: &Spot, help: impl Into<String>) {
        self.report(Code::UnknownWord, at, format!("the template has no parameter or resource `{name}`"), help);
    }
}

/// A function and what it is given: `{Ref: x}`, `{Fn::Sub: x}`.
pub(super) fn function(value: &Value) -> Option<(&str, &Value)> {
    let only = value.only()?;
    (only.key == "Ref" || only.key.starts_with("Fn::")).then_some((only.key.as_str(), &only.value))
}

/// `Name.Attribute`: a logical id has no dot.
fn split_attribute(text: &str) -> (&str, &str) {
    text.split_once('.').unwrap_or((text, ""))
}

fn unknown(why: &str, at: &Spot) -> Kind {
    Kind::Unknown(Unknown::new(why, at))
}

fn join(given: &Value) -> Option<Kind> {
    let [separator, list] = given.items() else { return None };
    let separator = separator.plain()?;
    if !matches!(list.kind, Kind::List(_)) {
        return None;
    }
    let mut pieces = Pieces::default();
    for (index, item) in list.items().iter().enumerate() {
        if index > 0 {
            pieces.push(&separator);
        }
        pieces.push_value(item)?;
    }
    Some(pieces.finish())
}

fn split(given: &Value) -> Option<Kind> {
    let [separator, text] = given.items() else { return None };
    let (separator, whole) = (separator.text()?, text.plain()?);
    if separator.is_empty() {
        return None;
    }
    Some(Kind::List(whole.split(separator).map(|part| text.at.text(part)).collect()))
}

/// `!Length list`.
fn length(given: &Value) -> Option<Kind> {
    match &given.kind {
        Kind::List(items) => Some(Kind::Int(items.len() as i64)),
        Kind::Map(entries) => Some(Kind::Int(entries.len() as i64)),
        _ => None,
    }
}

fn to_json_string(given: &Value, at: &Spot) -> Kind {
    match given.first_unknown() {
        Some(reason) => Kind::Unknown(reason.whole()),
        None => at.text(given.to_json().to_string()).kind,
    }
}
