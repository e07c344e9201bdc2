//! Which IAM actions there are, so that a misspelt one is found before anything is run: IAM takes any text for an action, and one
//! that does not exist denies nothing.

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
            None => "write the service's prefix as in its policies, such as `dynamodb:` or `sqs:`".to_owned(),
        };
        return Some((format!("`{action}`: no service of AWS has the prefix `{service}:`"), help));
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
    Some((format!("`{action}` is no action of AWS, so to deny it denies nothing"), help))
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
