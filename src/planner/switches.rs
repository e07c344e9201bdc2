//! The dead-man switch of a plan: which changes need one, and whether what is deployed takes them.

use std::collections::{BTreeMap, BTreeSet};

use super::Draft;
use crate::account::switch::{Deployed, Deployment, in_input};
use crate::account::{Location, Resource};
use crate::run::switch;

impl Draft<'_, '_> {
    /// Plans the switches for everything that would stay if this machine died, where the rules ask for that. Gives the resources
    /// that have none, each with the reason.
    pub(super) fn plan_switches(&mut self) -> BTreeMap<Resource, String> {
        let rules = self.request.rules;
        let staying: BTreeSet<Resource> = self
            .plan
            .stays_alone()
            .map(|(_, change)| change.setting.resource().clone())
            .filter(|resource| rules.needs_switch(&resource.location))
            .collect();
        let locations: BTreeSet<Location> = staying.iter().map(|resource| resource.location.clone()).collect();
        let mut unguarded = BTreeMap::new();
        for location in locations {
            let deployment = self.survey.switch(&location);
            for resource in staying.iter().filter(|resource| resource.location == location) {
                if let Some(why) = self.not_taken(resource, &deployment) {
                    unguarded.insert(resource.clone(), why);
                }
            }
        }
        let guarded: BTreeSet<Resource> =
            staying.into_iter().filter(|resource| !unguarded.contains_key(resource)).collect();
        match switch::needed(&self.plan, &guarded) {
            Ok(switches) => self.plan.switches = switches,
            Err(why) => unguarded.extend(guarded.into_iter().map(|resource| (resource, why.to_string()))),
        }
        unguarded
    }

    /// Why a switch would not roll back what is changed on a resource.
    fn not_taken(&self, resource: &Resource, deployment: &Result<Deployment, String>) -> Option<String> {
        let Deployed { reach, reads_variables } = match deployment {
            Ok(Deployment::Ready(deployed)) => deployed,
            Ok(Deployment::Missing) => return Some("no dead-man switch is deployed there".into()),
            Ok(Deployment::Differs) => {
                return Some(
                    "the dead-man switch deployed there is not the one of this version: it was edited, or is of \
                     another version"
                        .into(),
                );
            }
            Err(why) => return Some(format!("whether a dead-man switch is deployed cannot be read: {why}")),
        };
        if reach.as_ref().is_some_and(|reach| !reach.contains(&in_input(resource))) {
            return Some("the dead-man switch deployed there does not cover it".into());
        }
        let changes = self.plan.stays_alone().filter(|(_, change)| change.setting.resource() == resource);
        let mut branches = changes.map(|(_, change)| change.setting.branch());
        let may_read = *reads_variables && self.request.rules.switch_may_read_variables(&resource.location);
        branches.find_map(|branch| match branch {
            None => Some("the dead-man switch cannot roll it back".to_owned()),
            Some(branch) if branch.reads_variables && !may_read => Some(
                "a switch would write the function's variables into the history of its execution: it needs a template made with \
                 --key, and `dead_man_may_read_variables: true`"
                    .into(),
            ),
            Some(_) => None,
        })
    }
}
