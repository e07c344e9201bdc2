//! Whether squall may do things: simulated by IAM, and, where that cannot tell, tried in ways that change nothing.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum as ContextKey, PolicyEvaluationDecisionType as Decision};

use super::call::side_by_side;
use super::failure::Operation;
use super::lambda;
use super::names::Arn;
use super::session::Session;
use super::{roles, ssm};
use crate::account::gateway::Family;
use crate::account::{Action, CallError, Permitted, Resource, ResourceKind, Setting, Value};

/// The name of a policy, or the end of a lock's name, that nothing has: deleting it tells whether squall may.
const PROBE: &str = "squall-permission-probe";

/// Whether each action is permitted, in the order asked.
pub async fn permitted(session: &Session, actions: &[Action], prove: bool) -> Result<Vec<Permitted>, CallError> {
    let mut by_resource: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for action in actions {
        by_resource.entry(&action.resource).or_default().insert(&action.action);
    }
    let source = source(session).await?;
    let asked = by_resource.into_iter().map(|(resource, actions)| {
        let source = &source;
        async move { (resource, on_resource(session, source, resource, &actions, prove).await) }
    });
    let answers: BTreeMap<&str, BTreeMap<String, Permitted>> =
        side_by_side(asked.collect()).await.into_iter().collect();
    let untold = || Permitted::CannotTell("IAM did not answer about it".into());
    let answer = |action: &Action| answers.get(action.resource.as_str())?.get(&action.action).cloned();
    Ok(actions.iter().map(|action| answer(action).unwrap_or_else(untold)).collect())
}

/// Whose policies count.
enum Source {
    /// The account's root user, whom no policy of the account restricts.
    Root,
    /// A user, or the role of a session.
    Principal(String),
}

async fn source(session: &Session) -> Result<Source, CallError> {
    let arn = &session.identity.arn;
    let resource = Arn::parse(arn).map_or("", |arn| arn.resource);
    let Some(name) = resource.strip_prefix("assumed-role/").and_then(|rest| rest.split('/').next()) else {
        return Ok(if resource == "root" { Source::Root } else { Source::Principal(arn.clone()) });
    };
    // A role's ARN has its path, which that of its session has not.
    let role = Resource::new(&session.location, ResourceKind::Role, name);
    Ok(Source::Principal(match roles::arn(session, &role).await {
        Ok(arn) => arn,
        Err(_) => super::names::arn(session, &role),
    }))
}

async fn on_resource(
    session: &Session,
    source: &Source,
    resource: &str,
    actions: &BTreeSet<&str>,
    prove: bool,
) -> BTreeMap<String, Permitted> {
    let all = |answer: Permitted| actions.iter().map(|action| ((*action).to_owned(), answer.clone())).collect();
    let mut answers: BTreeMap<String, Permitted> = match source {
        Source::Root => return all(Permitted::Yes),
        Source::Principal(arn) => match simulate(session, arn, resource, actions).await {
            Ok(answers) => answers,
            Err(error) => all(Permitted::CannotTell(error.to_string())),
        },
    };
    for (action, answer) in &mut answers {
        if matches!(answer, Permitted::CannotTell(_))
            && let Some(proof) = proof(session, action, resource, prove).await
        {
            *answer = proof;
        }
    }
    answers
}

/// Whether a role may do one thing to one resource, simulated by IAM.
pub async fn of(session: &Session, role: &str, action: &str, resource: &str) -> Result<Permitted, CallError> {
    let mut answers = simulate(session, role, resource, &BTreeSet::from([action])).await?;
    Ok(answers.remove(action).unwrap_or_else(|| Permitted::CannotTell("IAM did not answer about it".into())))
}

async fn simulate(
    session: &Session,
    source: &str,
    resource: &str,
    actions: &BTreeSet<&str>,
) -> Result<BTreeMap<String, Permitted>, CallError> {
    let operation = Operation {
        family: Family::Iam,
        action: "iam:SimulatePrincipalPolicy",
        arn: source.to_owned(),
        about: format!("the policies of {source}"),
    };
    let concrete = concrete(resource, session.config.region.as_str());
    let context = context(session, source);
    let (mut answers, mut marker) = (BTreeMap::new(), None::<String>);
    loop {
        let call = || {
            let call = session.iam().simulate_principal_policy().policy_source_arn(source).set_marker(marker.clone());
            let call = call.set_context_entries(Some(context.clone()));
            let call = call.set_action_names(Some(actions.iter().map(|action| (*action).to_owned()).collect()));
            // No resource at all means every resource.
            call.set_resource_arns(concrete.clone().map(|arn| vec![arn])).send()
        };
        let page = session.caller.read(&operation, call).await.map_err(session.refuse(&operation))?;
        for result in page.evaluation_results() {
            let missing = result.missing_context_values();
            let action = result.eval_action_name();
            let answer = match result.eval_decision() {
                Decision::ExplicitDeny => Permitted::No("a policy denies it explicitly".into()),
                // Allowed as well: a deny may depend on what is not known.
                _ if !missing.is_empty() => Permitted::CannotTell(format!(
                    "it depends on {}, which the simulation does not know",
                    missing.join(", ")
                )),
                Decision::Allowed => Permitted::Yes,
                _ if action.starts_with("kms:") => Permitted::CannotTell(
                    "no policy of the caller allows it; the key's own policy may, but the simulation does not see it"
                        .into(),
                ),
                _ => Permitted::No("no policy allows it".into()),
            };
            answers.insert(action.to_owned(), answer);
        }
        match page.marker() {
            Some(next) if page.is_truncated() => marker = Some(next.to_owned()),
            _ => return Ok(answers),
        }
    }
}

/// What is known of every request that squall makes
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>). Whether the caller used MFA,
/// or which network the request will come from, is not.
fn context(session: &Session, source: &str) -> Vec<ContextEntry> {
    let now = session.caller.gateway.now();
    let (account, region) = (session.config.id.as_str(), session.config.region.as_str());
    let epoch = (now.micros() / 1_000_000).to_string();
    let kind = if source.contains(":role/") { "AssumedRole" } else { "User" };
    let user = source.split_once(":user/").and_then(|(_, user)| user.rsplit('/').next());
    let time = now.to_string();
    let entries = [
        ("aws:CurrentTime", ContextKey::Date, Some(time.as_str())),
        ("aws:EpochTime", ContextKey::Numeric, Some(epoch.as_str())),
        ("aws:PrincipalAccount", ContextKey::String, Some(account)),
        ("aws:PrincipalArn", ContextKey::String, Some(source)),
        ("aws:PrincipalIsAWSService", ContextKey::Boolean, Some("false")),
        ("aws:PrincipalType", ContextKey::String, Some(kind)),
        ("aws:RequestedRegion", ContextKey::String, Some(region)),
        ("aws:ResourceAccount", ContextKey::String, Some(account)),
        ("aws:SecureTransport", ContextKey::Boolean, Some("true")),
        ("aws:ViaAWSService", ContextKey::Boolean, Some("false")),
        ("aws:username", ContextKey::String, user),
    ];
    let entry = |(name, kind, value): (&str, ContextKey, Option<&str>)| {
        let entry = ContextEntry::builder().context_key_name(name).context_key_type(kind);
        Some(entry.context_key_values(value?).build())
    };
    entries.into_iter().filter_map(entry).collect()
}

/// An ARN that a pattern covers; `None` for every resource.
fn concrete(pattern: &str, region: &str) -> Option<String> {
    let arn = pattern.replacen(":*:", &format!(":{region}:"), 1).replace('*', PROBE);
    (pattern != "*").then_some(arn)
}

/// Finds out by a call that changes nothing. `None`: there is no such call.
async fn proof(session: &Session, action: &str, resource: &str, prove: bool) -> Option<Permitted> {
    let (kind, names) = Arn::parse(resource)?.names()?;
    let named = Resource::new(&session.location, kind, names.first()?);
    let outcome = match action {
        "iam:DeleteRolePolicy" => roles::write_policy(session, &named, PROBE, Value::Unset).await,
        // A policy may name the lock, and then another one tells nothing; the lock itself may belong to another run by now.
        "ssm:DeleteParameter" if resource.ends_with("/squall/marks*") => {
            let nothing = Resource::new(&session.location, ResourceKind::Parameter, PROBE);
            ssm::write_lock(session, &nothing, Value::Unset).await
        }
        "lambda:PutFunctionConcurrency" | "lambda:DeleteFunctionConcurrency" if prove => {
            let now = lambda::read_concurrency(session, &named).await.ok()?.value;
            // Only the value that is there is written, so only one of the two actions can be proven.
            let writes = Setting::ReservedConcurrency { function: named.clone() }.write_action(&now);
            if writes != action {
                return None;
            }
            lambda::write_concurrency(session, &named, now).await
        }
        "ssm:PutParameter" if prove && kind == ResourceKind::Parameter => {
            let now = ssm::get(session, session.region_of(&named), &named.name, named.to_string()).await.ok()?.value?;
            ssm::write_flags(session, &named, Some(now)).await
        }
        _ => return None,
    };
    Some(match outcome {
        Ok(()) => Permitted::Yes,
        Err(CallError::Refused { by: crate::account::RefusedBy::Permission, message }) => Permitted::No(message),
        Err(other) => Permitted::CannotTell(other.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_become_arns_that_they_cover() {
        assert_eq!(concrete("*", "eu-west-1"), None);
        assert_eq!(
            concrete("arn:aws:ssm:*:111122223333:parameter/squall/marks*", "eu-west-1").as_deref(),
            Some("arn:aws:ssm:eu-west-1:111122223333:parameter/squall/markssquall-permission-probe")
        );
        let role = "arn:aws:iam::111122223333:role/worker";
        assert_eq!(concrete(role, "eu-west-1").as_deref(), Some(role));
    }
}
