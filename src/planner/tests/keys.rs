//! Queues with keys of their own: what a run needs of the keys is in the plan, in the policy, and asked for before the run.

use crate::account::sandbox::{World, shop_like};
use crate::account::{Account, Call, CallId, Description, Outcome, Permitted, Reply};
use crate::guard::Rules;
use crate::plan::Purpose;
use crate::planner::show;
use crate::planner::tests::{POISON, file, plan_under, world};
use crate::project::Project;
use crate::units::Time;

const ORDERS: &str = "arn:aws:kms:eu-west-1:000000000000:key/orders";
const DEAD: &str = "arn:aws:kms:eu-west-1:000000000000:key/dead";

/// A world whose queues have keys, and where some actions are not permitted.
struct Keyed {
    world: World,
    refused: &'static str,
    asked: Vec<Vec<(String, String)>>,
}

impl Account for Keyed {
    fn now(&self) -> Time {
        self.world.now()
    }

    fn submit(&mut self, id: CallId, call: Call) {
        if let Call::Permitted { actions, .. } = &call {
            self.asked.push(actions.iter().map(|of| (of.action.clone(), of.resource.clone())).collect());
        }
        self.world.submit(id, call);
    }

    fn next(&mut self, until: Time) -> Option<(CallId, Outcome)> {
        let (id, outcome) = self.world.next(until)?;
        let outcome = outcome.map(|reply| match reply {
            Reply::Description(mut description) => {
                if let Description::Queue(queue) = description.as_mut() {
                    queue.key = Some(if queue.arn.ends_with("orders") { ORDERS } else { DEAD }.to_owned());
                }
                Reply::Description(description)
            }
            Reply::Permitted(mut answers) => {
                let asked = self.asked.pop().unwrap_or_default();
                for (answer, (action, resource)) in answers.iter_mut().zip(&asked) {
                    if action == self.refused && resource == DEAD {
                        *answer = Permitted::No("no policy allows it".into());
                    }
                }
                Reply::Permitted(answers)
            }
            other => other,
        });
        Some((id, outcome))
    }
}

fn keyed(refused: &'static str) -> Keyed {
    Keyed { world: world(&shop_like()), refused, asked: Vec::new() }
}

#[test]
fn the_keys_of_queues_are_in_the_plan_and_in_the_policy() {
    let rules = Rules::in_model(&Project::default());
    let plan = plan_under(&mut keyed(""), &file(POISON), 7, &rules).unwrap();
    let needs = |purpose, action: &str, key: &str| {
        plan.permissions
            .iter()
            .any(|needed| needed.purpose == purpose && needed.action == action && needed.resource == key)
    };
    assert!(needs(Purpose::Inject, "kms:GenerateDataKey", ORDERS) && needs(Purpose::Inject, "kms:Decrypt", ORDERS));
    assert!(needs(Purpose::Rollback, "kms:Decrypt", DEAD), "{:?}", plan.permissions);
    let policy = show::policy(&plan).to_string();
    assert!(policy.contains(ORDERS) && policy.contains(DEAD) && policy.contains("kms:GenerateDataKey"), "{policy}");
    let plain = plan_under(&mut world(&shop_like()), &file(POISON), 7, &rules).unwrap();
    assert!(plain.permissions.iter().all(|needed| !needed.action.starts_with("kms:")));
}

/// Messages would go out that could never be read again.
#[test]
fn a_key_that_the_undo_may_not_use_refuses_the_run() {
    let rules = Rules::in_model(&Project::default());
    let refused = plan_under(&mut keyed("kms:Decrypt"), &file(POISON), 7, &rules).unwrap_err();
    assert!(
        refused.iter().any(|objection| objection.to_string().contains(&format!("kms:Decrypt on {DEAD}"))),
        "{refused:?}"
    );
}
