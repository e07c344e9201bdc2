//! The dead-man switch of a run: which executions its plan needs, and what each is told. What it is told follows from the plan
//! alone, so that whoever has the journal can say it again.

use std::collections::BTreeSet;

use crate::account::switch::{Order, OrderedChange, OrderedResource, Unfit};
use crate::account::{Location, Resource};
use crate::plan::{ChangeId, Plan, Switch};

/// The switches of a plan for these resources, each in its region: the fewest executions that take all of their changes.
///
/// # Errors
/// A change is none that the switch can roll back, or one resource is too much for an execution.
pub fn needed(plan: &Plan, resources: &BTreeSet<Resource>) -> Result<Vec<Switch>, Unfit> {
    let mut switches = Vec::new();
    let locations: BTreeSet<&Location> = resources.iter().map(|resource| &resource.location).collect();
    for location in locations {
        let here = resources.iter().filter(|resource| resource.location == *location);
        let ordered: Vec<OrderedResource> = here.map(|resource| ordered(plan, resource, |_| true)).collect();
        for order in Order::split(location, &plan.run, plan.latest_end(), ordered)? {
            let told: BTreeSet<&Resource> = order.resources.iter().map(|ordered| &ordered.resource).collect();
            let changes = staying(plan).filter(|(_, resource)| told.contains(resource)).map(|(id, _)| id);
            let changes = changes.collect();
            switches.push(Switch { location: order.location, name: order.name, until: order.until, changes });
        }
    }
    Ok(switches)
}

/// What the execution of a switch is told.
pub fn order(plan: &Plan, switch: &Switch) -> Order {
    let mut resources: Vec<&Resource> = Vec::new();
    for id in &switch.changes {
        if let Some(change) = plan.changes.get(id)
            && !resources.contains(&change.setting.resource())
        {
            resources.push(change.setting.resource());
        }
    }
    resources.sort();
    Order {
        location: switch.location.clone(),
        name: switch.name.clone(),
        run: plan.origin().clone(),
        until: switch.until,
        resources: resources.iter().map(|on| ordered(plan, on, |id| switch.changes.contains(&id))).collect(),
    }
}

fn staying(plan: &Plan) -> impl Iterator<Item = (ChangeId, &Resource)> {
    plan.stays_alone().map(|(id, change)| (id, change.setting.resource()))
}

/// A resource with those of its changes, newest first. Its lock stays where it holds more than these: messages that have to be
/// accounted for, or a change that ends by itself.
fn ordered(plan: &Plan, resource: &Resource, takes: impl Fn(ChangeId) -> bool) -> OrderedResource {
    let here: Vec<ChangeId> = staying(plan).filter(|(_, on)| *on == resource).map(|(id, _)| id).collect();
    let taken = here.iter().rev().filter(|id| takes(**id)).filter_map(|id| plan.changes.get(id));
    let changes: Vec<OrderedChange> = taken
        .map(|change| OrderedChange {
            setting: change.setting.clone(),
            before: change.before.clone(),
            after: change.after.clone(),
            whole_before: change.whole_before.clone(),
        })
        .collect();
    let of_resource =
        plan.changes.values().filter(|change| !change.setting.is_lock() && change.setting.resource() == resource);
    let emissions = plan.steps.iter().filter_map(|step| step.emission.as_ref());
    let mut emissions = emissions.filter(|emission| emission.queue == *resource || emission.is_swept_from(resource));
    let unlocks = of_resource.count() == changes.len() && emissions.next().is_none();
    OrderedResource { resource: resource.clone(), unlocks, changes }
}
