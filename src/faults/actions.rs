//! What `iam.deny` may name. Which IAM actions there are is known, so that a misspelt one is found before anything is run: IAM
//! takes any text for an action, and one that does not exist denies nothing.

use super::Flaw;
use super::pattern::actions_overlap;
use crate::yaml::read::closest;

/// A line for each service: its prefix, and its actions. Where it is from stands in the file.
const LISTED: &str = include_str!("actions.txt");

/// What is wrong with an action `service:Name`, and what may be meant. Nothing of an action of a service whose actions are not
/// listed. Wildcards must match some action.
pub fn unknown(action: &str) -> Option<(String, String)> {
    let (service, _) = action.split_once(':')?;
    let prefix = service.to_ascii_lowercase();
    let lines = || LISTED.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(": "));
    let services = lines().find(|(name, _)| *name == "services").map(|(_, names)| names).unwrap_or_default();
    if !services.split(' ').any(|known| known == prefix) {
        let help = match closest(service, services.split(' ')) {
            Some(close) => format!("did you mean `{close}:`?"),
            None => "write the service's prefix as in IAM policies, such as `dynamodb:` or `sqs:`".to_owned(),
        };
        return Some((format!("`{action}`: no AWS service has the prefix `{service}:`"), help));
    }
    let (_, actions) = lines().find(|(name, _)| *name == prefix)?;
    let full = |name: &str| format!("{prefix}:{name}");
    if actions.split(' ').any(|name| actions_overlap(action, &full(name))) {
        return None;
    }
    let name = &action[service.len() + 1..];
    let help = match closest(name, actions.split(' ')) {
        Some(close) => format!("did you mean `{}`?", full(close)),
        None => format!("see the actions of {prefix} in AWS's Service Authorization Reference"),
    };
    Some((format!("`{action}` is not an AWS action, so denying it has no effect"), help))
}

/// An action that would reach beyond the fault, whatever the role.
pub(super) fn flawed_action(action: &str) -> Option<Flaw> {
    let help = "name actions of one service: `dynamodb:PutItem`, `sqs:Send*`";
    if let Some(all) = ["iam:*", "sts:*"].into_iter().find(|all| actions_overlap(action, all)) {
        let what = format!("`{action}` matches actions of `{all}`, which the rollback may need");
        return Some(Flaw::new("actions", what, help));
    }
    let letters = |text: &str, more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
    let sound = action.split_once(':').is_some_and(|(service, name)| {
        letters(service, "-") && letters(name, "*?") && !service.is_empty() && !name.is_empty()
    });
    if !sound {
        return Some(Flaw::new("actions", format!("`{action}` is not an IAM action"), help));
    }
    unknown(action).map(|(what, help)| Flaw::new("actions", what, help))
}

/// An ARN that names more than the resources of one service.
pub(super) fn flawed_arn(arn: &str) -> Option<Flaw> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let sound = match parts.as_slice() {
        ["arn", partition, service, _, _, resource] => {
            let plain = |part: &str| !part.is_empty() && !part.contains(['*', '?']);
            plain(partition) && plain(service) && resource.chars().any(|c| c.is_ascii_alphanumeric())
        }
        _ => false,
    };
    (!sound).then(|| {
        Flaw::new(
            "resources",
            format!("`{arn}` does not name resources of one service"),
            "name a target of the experiment, or an ARN such as `arn:aws:dynamodb:*:*:table/payments`",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_action_is_found_and_the_nearest_named() {
        for (action, help) in [
            ("dynamodb:PutItm", "did you mean `dynamodb:PutItem`?"),
            ("dynamodb:Putitems", "did you mean `dynamodb:PutItem`?"),
            ("dynamodbb:PutItem", "did you mean `dynamodb:`?"),
            ("lambda:InvokeFuncton", "did you mean `lambda:InvokeFunction`?"),
            ("sqs:Sent*", "see the actions of sqs"),
            // An operation of the API that has no action of its own.
            ("dynamodb:TransactWriteItems", "see the actions of dynamodb"),
            ("nothing:Like", "write the service's prefix"),
        ] {
            let (what, found) = unknown(action).unwrap_or_else(|| panic!("{action} passes"));
            assert!(found.starts_with(help), "{action}: {found}");
            assert!(what.contains(action), "{what}");
        }
        for action in [
            "dynamodb:PutItem",
            "DynamoDB:putitem",
            "sqs:Send*",
            "s3:Get?bject",
            "lambda:*",
            "rds:AnythingAtAll",
            "execute-api:Invoke",
        ] {
            assert_eq!(unknown(action), None);
        }
    }
}
