//! IAM policy documents: what a statement says about an action on a resource at an instant
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>).
//!
//! What cannot be understood in a condition does not match: such a statement neither allows nor denies.

use serde_json::{Map, Value as Json};

use super::app::{ACCOUNT_ID, REGION};
use crate::template::pattern::{like, like_ignoring_case};
use crate::units::Time;

/// A policy, parsed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Policy {
    statements: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq)]
struct Statement {
    denies: bool,
    actions: Patterns,
    resources: Patterns,
    conditions: Vec<Condition>,
}

/// Patterns of which one must match, or none when `except`.
#[derive(Clone, Debug, PartialEq)]
struct Patterns {
    any: Vec<String>,
    except: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Condition {
    operator: String,
    key: String,
    values: Vec<String>,
}

/// What one policy says about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Says {
    Nothing,
    Allow,
    /// Outweighs everything.
    Deny,
}

/// A request to a service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    /// ARN of the role that asks.
    pub principal: &'a str,
    /// `sqs:SendMessage`.
    pub action: &'a str,
    pub resource: &'a str,
    pub now: Time,
}

impl Policy {
    /// Reads a document; `None` when it is no policy.
    pub fn read(document: &str) -> Option<Policy> {
        let document: Json = serde_json::from_str(document).ok()?;
        let statements = match document.get("Statement")? {
            Json::Array(list) => list.iter().map(statement).collect::<Option<_>>()?,
            one => vec![statement(one)?],
        };
        Some(Policy { statements })
    }

    /// A policy that allows actions on everything.
    pub fn allow(actions: &[&str]) -> Policy {
        let any =
            |list: &[&str]| Patterns { any: list.iter().map(|text| text.to_lowercase()).collect(), except: false };
        let statement = Statement { denies: false, actions: any(actions), resources: any(&["*"]), conditions: vec![] };
        Policy { statements: vec![statement] }
    }

    /// Whether no condition in it looks at the clock.
    pub fn is_timeless(&self) -> bool {
        let mut conditions = self.statements.iter().flat_map(|statement| &statement.conditions);
        conditions.all(|condition| !matches!(condition.key.as_str(), "aws:currenttime" | "aws:epochtime"))
    }

    /// What the policy says.
    pub fn says(&self, request: &Request) -> Says {
        let applies = self.statements.iter().filter(|statement| statement.applies(request));
        applies.map(|statement| if statement.denies { Says::Deny } else { Says::Allow }).max().unwrap_or(Says::Nothing)
    }
}

fn statement(json: &Json) -> Option<Statement> {
    let json = json.as_object()?;
    let denies = match json.get("Effect")?.as_str()? {
        "Allow" => false,
        "Deny" => true,
        _ => return None,
    };
    let mut actions = patterns(json, "Action", "NotAction")?;
    actions.any.iter_mut().for_each(|action| action.make_ascii_lowercase());
    let conditions = match json.get("Condition") {
        None => Vec::new(),
        Some(operators) => conditions(operators.as_object()?)?,
    };
    Some(Statement { denies, actions, resources: patterns(json, "Resource", "NotResource")?, conditions })
}

fn patterns(json: &Map<String, Json>, positive: &str, negative: &str) -> Option<Patterns> {
    match (json.get(positive), json.get(negative)) {
        (Some(list), None) => Some(Patterns { any: texts(list)?, except: false }),
        (None, Some(list)) => Some(Patterns { any: texts(list)?, except: true }),
        _ => None,
    }
}

fn texts(json: &Json) -> Option<Vec<String>> {
    match json {
        Json::Array(list) => list.iter().map(text).collect(),
        one => Some(vec![text(one)?]),
    }
}

fn text(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Bool(_) | Json::Number(_) => Some(json.to_string()),
        _ => None,
    }
}

fn conditions(operators: &Map<String, Json>) -> Option<Vec<Condition>> {
    let mut conditions = Vec::new();
    for (operator, keys) in operators {
        for (key, values) in keys.as_object()? {
            let (operator, key) = (operator.to_ascii_lowercase(), key.to_ascii_lowercase());
            conditions.push(Condition { operator, key, values: texts(values)? });
        }
    }
    Some(conditions)
}

impl Statement {
    fn applies(&self, request: &Request) -> bool {
        self.actions.match_ignoring_case(request.action)
            && self.resources.matches(request.resource)
            && self.conditions.iter().all(|condition| condition.holds(request))
    }
}

impl Patterns {
    fn matches(&self, text: &str) -> bool {
        self.any.iter().any(|pattern| like(pattern, text)) != self.except
    }

    fn match_ignoring_case(&self, text: &str) -> bool {
        // Action names do not differ by case.
        self.any.iter().any(|pattern| like_ignoring_case(pattern, text)) != self.except
    }
}

impl Condition {
    fn holds(&self, request: &Request) -> bool {
        let (operator, if_exists) = match self.operator.strip_suffix("ifexists") {
            Some(operator) => (operator, true),
            None => (self.operator.as_str(), false),
        };
        let value = match self.key.as_str() {
            "aws:currenttime" => request.now.to_string(),
            "aws:epochtime" => (request.now.micros() / 1_000_000).to_string(),
            "aws:principalarn" => request.principal.to_owned(),
            "aws:principalaccount" | "aws:resourceaccount" => part(request.principal, 4),
            "aws:requestedregion" => part(request.resource, 3),
            // The key is not there: negated operators hold without it, the others do not.
            _ => return if_exists || operator.contains("not"),
        };
        let any = |test: &dyn Fn(&str) -> bool| self.values.iter().any(|given| test(given));
        let time =
            |test: &dyn Fn(Time, Time) -> bool| any(&|given| instant(given).is_some_and(|t| test(request.now, t)));
        match operator {
            "datelessthan" => time(&|now, given| now < given),
            "datelessthanequals" => time(&|now, given| now <= given),
            "dategreaterthan" => time(&|now, given| now > given),
            "dategreaterthanequals" => time(&|now, given| now >= given),
            "dateequals" => time(&|now, given| now == given),
            "datenotequals" => !time(&|now, given| now == given),
            "stringequals" => any(&|given| given == value),
            "stringnotequals" => !any(&|given| given == value),
            "stringequalsignorecase" => any(&|given| given.eq_ignore_ascii_case(&value)),
            "stringnotequalsignorecase" => !any(&|given| given.eq_ignore_ascii_case(&value)),
            "stringlike" | "arnlike" | "arnequals" => any(&|given| like(given, &value)),
            "stringnotlike" | "arnnotlike" | "arnnotequals" => !any(&|given| like(given, &value)),
            _ => false,
        }
    }
}

/// A part of an ARN, counted from 0: its region is 3, its account 4. Of what has none, the sandbox's own.
fn part(arn: &str, index: usize) -> String {
    let own = if index == 3 { REGION } else { ACCOUNT_ID };
    arn.split(':').nth(index).filter(|part| !part.is_empty()).unwrap_or(own).to_owned()
}

/// An instant as policies write it: ISO 8601, or seconds since the epoch.
fn instant(text: &str) -> Option<Time> {
    text.parse().ok().or_else(|| text.parse::<i64>().ok().map(|secs| Time::from_micros(secs.saturating_mul(1_000_000))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn says(document: &str, action: &str, resource: &str, now: &str) -> Says {
        let principal = "arn:aws:iam::000000000000:role/worker";
        let request = Request { principal, action, resource, now: now.parse().unwrap() };
        Policy::read(document).unwrap().says(&request)
    }

    const NOON: &str = "2026-03-02T12:00:00Z";

    #[test]
    fn a_deny_outweighs_an_allow() {
        let document = r#"{"Statement": [
            {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"},
            {"Effect": "Deny", "Action": ["SQS:sendmessage"], "Resource": "arn:aws:sqs:*:*:orders"}]}"#;
        let orders = "arn:aws:sqs:eu-west-1:000000000000:orders";
        assert_eq!(says(document, "sqs:SendMessage", orders, NOON), Says::Deny);
        assert_eq!(says(document, "sqs:ReceiveMessage", orders, NOON), Says::Allow);
        assert_eq!(says(document, "sns:Publish", orders, NOON), Says::Nothing);
        assert_eq!(says(document, "sqs:SendMessage", "arn:aws:sqs:eu-west-1:000000000000:other", NOON), Says::Allow);
    }

    #[test]
    fn a_deny_with_a_date_ends_by_itself() {
        let document = r#"{"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*",
            "Condition": {"DateLessThan": {"aws:CurrentTime": "2026-03-02T12:00:00Z"}}}}"#;
        assert_eq!(says(document, "a:B", "x", "2026-03-02T11:59:59.999Z"), Says::Deny);
        assert_eq!(says(document, "a:B", "x", NOON), Says::Nothing);
    }

    #[test]
    fn conditions_are_all_needed_and_unknown_ones_do_not_hold() {
        let with = |condition: &str| {
            let document = format!(
                r#"{{"Statement": {{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {condition}}}}}"#
            );
            says(&document, "a:B", "x", NOON)
        };
        let role = "arn:aws:iam::000000000000:role/worker";
        assert_eq!(with(&format!(r#"{{"ArnEquals": {{"aws:PrincipalArn": "{role}"}}}}"#)), Says::Deny);
        assert_eq!(
            with(r#"{"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::000000000000:role/other"}}"#),
            Says::Nothing
        );
        assert_eq!(with(r#"{"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}}"#), Says::Deny);
        assert_eq!(with(r#"{"DateGreaterThan": {"aws:EpochTime": "1500000000"}}"#), Says::Deny);
        assert_eq!(with(r#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#), Says::Nothing);
        assert_eq!(with(r#"{"StringEqualsIfExists": {"ec2:Vpc": "v"}}"#), Says::Deny);
        let both = r#"{"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}, "StringEquals": {"x:Y": "z"}}"#;
        assert_eq!(with(both), Says::Nothing);
    }

    #[test]
    fn not_action_and_not_resource_turn_round() {
        let document = r#"{"Statement": {"Effect": "Deny", "NotAction": "iam:*", "NotResource": "arn:keep*"}}"#;
        assert_eq!(says(document, "sqs:SendMessage", "arn:other", NOON), Says::Deny);
        assert_eq!(says(document, "iam:GetRole", "arn:other", NOON), Says::Nothing);
        assert_eq!(says(document, "sqs:SendMessage", "arn:keep-this", NOON), Says::Nothing);
    }

    #[test]
    fn what_is_no_policy_is_none() {
        for document in ["", "{}", "[]", r#"{"Statement": {"Effect": "Maybe", "Action": "*", "Resource": "*"}}"#] {
            assert_eq!(Policy::read(document), None, "{document}");
        }
    }

    proptest! {
        #[test]
        fn wildcards_match_as_the_slow_way_does(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            fn slow(pattern: &[u8], text: &[u8]) -> bool {
                match pattern.split_first() {
                    None => text.is_empty(),
                    Some((b'*', rest)) => (0..=text.len()).any(|n| slow(rest, &text[n..])),
                    Some((b'?', rest)) => !text.is_empty() && slow(rest, &text[1..]),
                    Some((c, rest)) => text.first() == Some(c) && slow(rest, &text[1..]),
                }
            }
            prop_assert_eq!(like(&pattern, &text), slow(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
