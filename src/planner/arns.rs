//! ARNs that an experiment names: one of a resource that is not there denies nothing, and its fault would never show.

use super::Draft;
use crate::account::{Location, Resource, ResourceKind};
use crate::faults::deny::TargetOrArn;
use crate::faults::{FaultSpec, Refusal};

/// Where an ARN points.
enum Points {
    At(Resource),
    /// To an account or a region of which none is in the experiment.
    Elsewhere,
    /// A pattern, or a resource of a kind that squall does not describe.
    Unknown,
}

impl Draft<'_, '_> {
    /// Looks for everything that is denied by its ARN. What cannot be looked for is said.
    pub(super) fn refuse_absent_arns(&mut self) {
        let mut named = Vec::new();
        for (index, inject) in self.experiment().faults.iter().enumerate() {
            let FaultSpec::Deny(deny) = &inject.fault else { continue };
            named.extend(deny.resources.iter().filter_map(|on| match on {
                TargetOrArn::Arn(arn) => Some((index, arn.clone())),
                TargetOrArn::Target(_) => None,
            }));
        }
        for (index, arn) in named {
            match self.points(&arn) {
                Points::Unknown => {}
                Points::Elsewhere => self.plan.warnings.push(format!(
                    "{arn} is in an account or region that the experiment does not use: whether it exists was not \
                     checked"
                )),
                Points::At(resource) => match self.survey.describe(&resource) {
                    Ok(()) if self.survey.described.get(&resource).is_none() => {
                        let what = format!("{arn} does not exist, so to deny anything on it has no effect");
                        let remedy = "name an existing resource, preferably as a target of the experiment";
                        self.object(format!("faults/{index}/inject"), Refusal::new(what, remedy));
                    }
                    Ok(()) => {}
                    Err(why) => self.plan.warnings.push(format!("whether {arn} exists could not be checked: {why}")),
                },
            }
        }
    }

    fn points(&self, arn: &str) -> Points {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let [_, _, service, region, id, rest] = parts.as_slice() else { return Points::Unknown };
        let (kind, name) = match *service {
            "dynamodb" => (ResourceKind::Table, rest.strip_prefix("table/").and_then(|rest| rest.split('/').next())),
            "lambda" => {
                (ResourceKind::Function, rest.strip_prefix("function:").and_then(|rest| rest.split(':').next()))
            }
            "ssm" => (ResourceKind::Parameter, rest.strip_prefix("parameter")),
            "sqs" => (ResourceKind::Queue, Some(*rest)),
            "sns" => (ResourceKind::Topic, Some(*rest)),
            _ => return Points::Unknown,
        };
        let Some(name) = name.filter(|_| !arn.contains(['*', '?'])) else { return Points::Unknown };
        let here = |location: &&Location| {
            let known = self.survey.identities.get(location).is_some_and(|identity| identity.account_id == *id);
            known && (location.is_sandbox() || location.region.as_str() == *region)
        };
        match self.plan.accounts.iter().find(here) {
            Some(location) => Points::At(Resource::new(location, kind, name)),
            None => Points::Elsewhere,
        }
    }
}
