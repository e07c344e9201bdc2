//! IAM: roles, their policies as they were written, and as services know them by now.
//!
//! A change of a policy reaches the services after a while, when it is added as when it is taken away.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::chance::Chance;
use super::event::{Event, Ticket};
use super::model::Model;
use super::policy::{Policy, Request, Says};
use super::settings::refused;
use super::world::World;
use crate::account::{CallError, RefusedBy, Resource, Value};
use crate::template::managed;
use crate::units::Span;

/// Inline policies of a role hold so many characters in all, white space not counted
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
pub const INLINE_LIMIT: usize = 10_240;
/// How long a change takes to reach the services: lognormal. AWS gives no number; 4 s were measured in 2025 in two
/// regions, and a minute is told of often: median 4 s, 99th percentile 60 s.
const PROPAGATION_MEDIAN: f64 = 4.0;
/// ln(60 / 4) / 2.3263, the 99th percentile of a standard normal.
const PROPAGATION_SIGMA: f64 = 1.1641;

/// A role as it is now.
#[derive(Clone, Debug, Default)]
pub(super) struct RoleState {
    /// Inline policies as they were written.
    pub written: BTreeMap<String, Arc<str>>,
    /// Inline policies as the services know them, with the number of the change that made them so.
    known: BTreeMap<String, (Ticket, Option<Arc<Policy>>)>,
    managed: Vec<Arc<Policy>>,
    /// What the permissions boundary allows; `None` is no boundary.
    boundary: Option<Arc<Policy>>,
    /// What was asked since its policies changed last. An application asks for few things, and very often.
    answers: Vec<Answer>,
}

/// Whether the services let a role do something, as long as its policies stay and no condition looks at the clock.
#[derive(Clone, Debug)]
struct Answer {
    action: &'static str,
    resource: String,
    allowed: bool,
}

/// A change that is on its way to the services.
#[derive(Clone, Debug)]
struct Propagating {
    role: usize,
    policy: String,
    to: Option<Arc<Policy>>,
}

/// Every role, in the order of the model.
#[derive(Clone, Debug)]
pub(super) struct Iam {
    pub roles: Vec<RoleState>,
    propagating: BTreeMap<Ticket, Propagating>,
    changes: Ticket,
    chance: Chance,
}

impl Iam {
    pub fn new(model: &Model, seed: u64) -> Iam {
        let state = |spec: &super::app::Role| {
            let inline = spec.inline.iter();
            RoleState {
                known: inline
                    .clone()
                    .map(|(name, text)| (name.clone(), (0, Policy::read(text).map(Arc::new))))
                    .collect(),
                written: inline.map(|(name, text)| (name.clone(), text.as_str().into())).collect(),
                managed: {
                    let attached = spec.attached.values().filter_map(|text| Policy::read(text));
                    // Of a role that lies elsewhere nothing is known.
                    let unknown = spec.unknown.iter().map(|_| Policy::allow(&["*"]));
                    let named = spec.managed.iter().map(|name| managed(name));
                    named.chain(attached).chain(unknown).map(Arc::new).collect()
                },
                boundary: spec.boundary.as_ref().map(|text| Arc::new(Policy::read(text).unwrap_or(Policy::allow(&[])))),
                answers: Vec::new(),
            }
        };
        Iam {
            roles: model.roles.iter().map(|(_, role)| state(&role.spec)).collect(),
            propagating: BTreeMap::new(),
            changes: 0,
            chance: Chance::of(seed, "iam"),
        }
    }
}

impl Iam {
    /// Puts or deletes a policy that every service knows already.
    pub fn put_at_once(&mut self, role: usize, name: &str, document: Option<&str>) {
        let state = &mut self.roles[role];
        state.answers.clear();
        match document {
            Some(text) => state.written.insert(name.to_owned(), text.into()),
            None => state.written.remove(name),
        };
        let known = document.and_then(Policy::read).map(Arc::new);
        state.known.insert(name.to_owned(), (0, known));
    }
}

/// What a policy of AWS allows. One that is not known is taken to allow everything: a model that denies what works would
/// tell lies.
fn managed(name: &str) -> Policy {
    Policy::allow(managed::actions(name).unwrap_or(&["*"]))
}

impl RoleState {
    /// Every policy as the services know it, the boundary apart.
    fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.known.values().filter_map(|(_, policy)| policy.as_ref()).chain(&self.managed)
    }

    /// Whether what it says does not depend on the time.
    fn is_timeless(&self) -> bool {
        self.policies().chain(&self.boundary).all(|policy| policy.is_timeless())
    }

    /// Characters of the inline policies that count against [`INLINE_LIMIT`].
    pub fn inline_size(&self) -> usize {
        self.written.values().map(|text| size(text)).sum()
    }
}

fn size(document: &str) -> usize {
    document.chars().filter(|c| !c.is_whitespace()).count()
}

impl World {
    /// Whether the services let a role do something by now.
    pub(super) fn allowed(&mut self, role: usize, action: &'static str, resource: &str) -> bool {
        let state = &mut self.iam.roles[role];
        let known = state.answers.iter().find(|known| known.action == action && known.resource == resource);
        if let Some(known) = known {
            return known.allowed;
        }
        let request = Request { principal: &self.model.roles[role].arn, action, resource, now: self.now };
        let says = state.policies().map(|policy| policy.says(&request)).max();
        let within = state.boundary.as_ref().is_none_or(|boundary| boundary.says(&request) == Says::Allow);
        let allowed = says == Some(Says::Allow) && within;
        if state.is_timeless() {
            state.answers.push(Answer { action, resource: resource.to_owned(), allowed });
        }
        allowed
    }

    /// Whether it is refused because a policy of the role denies it.
    pub(super) fn is_denied(&self, role: usize, action: &'static str, resource: &str) -> bool {
        let request = Request { principal: &self.model.roles[role].arn, action, resource, now: self.now };
        self.iam.roles[role].policies().any(|policy| policy.says(&request) == Says::Deny)
    }

    /// Puts or deletes an inline policy. Deleting one that is not there is done already (NoSuchEntity).
    pub(super) fn set_policy(&mut self, role: &Resource, name: &str, value: &Value) -> Result<(), CallError> {
        let index = self.index_of(role)?;
        let state = &mut self.iam.roles[index];
        let to = match value {
            Value::Unset => {
                if state.written.remove(name).is_none() {
                    return Ok(());
                }
                None
            }
            Value::Number(_) => return refused(RefusedBy::Invalid, "a policy is a JSON document"),
            Value::Text(text) => {
                let Some(policy) = Policy::read(text) else {
                    return refused(RefusedBy::Invalid, "MalformedPolicyDocument: Syntax errors in policy.");
                };
                let others = state.inline_size() - state.written.get(name).map_or(0, |old| size(old));
                if others + size(text) > INLINE_LIMIT {
                    let role = &role.name;
                    return refused(
                        RefusedBy::Limit,
                        format!("LimitExceeded: Maximum policy size of {INLINE_LIMIT} bytes exceeded for role {role}"),
                    );
                }
                state.written.insert(name.to_owned(), text.as_str().into());
                Some(Arc::new(policy))
            }
        };
        let median = PROPAGATION_MEDIAN.ln();
        let secs = (median + PROPAGATION_SIGMA * self.iam.chance.normal()).exp();
        let delay = Span::from_secs_f64(secs) + self.sky.settles_in();
        self.iam.changes += 1;
        let ticket = self.iam.changes;
        self.iam.propagating.insert(ticket, Propagating { role: index, policy: name.to_owned(), to });
        self.agenda.at(self.now + delay, Event::PolicyPropagates(ticket));
        Ok(())
    }

    /// A change of a policy has reached the services. An older one never overtakes a newer one.
    pub(super) fn policy_propagates(&mut self, ticket: Ticket) {
        let Some(Propagating { role, policy, to }) = self.iam.propagating.remove(&ticket) else { return };
        let state = &mut self.iam.roles[role];
        state.answers.clear();
        let known = state.known.entry(policy).or_default();
        if known.0 <= ticket {
            *known = (ticket, to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::app::arn;
    use super::super::shop_like;
    use super::super::testing::{at, resource, world};
    use super::*;
    use crate::account::{ResourceKind, Setting, Write};
    use crate::units::Time;

    fn deny(until: &str) -> String {
        format!(
            r#"{{"Statement": [{{"Effect": "Deny", "Action": "dynamodb:PutItem", "Resource": "*",
                "Condition": {{"DateLessThan": {{"aws:CurrentTime": "{until}"}}}}}}]}}"#
        )
    }

    fn write(world: &mut World, policy: &str, value: Value) -> Result<(), CallError> {
        let role = resource(ResourceKind::Role, "payment-worker-role");
        world.set(&Write { setting: Setting::RolePolicy { role, policy: policy.into() }, value, whole: None })
    }

    fn may(world: &mut World) -> bool {
        world.allowed(0, "dynamodb:PutItem", &arn(ResourceKind::Table, "payments"))
    }

    /// When the answer changes, from now on.
    fn changes_at(world: &mut World) -> Option<Time> {
        let before = may(world);
        let until = world.now + Span::from_secs(900);
        while world.now < until {
            if may(world) != before {
                return Some(world.now);
            }
            world.run_until(world.now + Span::from_millis(100));
        }
        None
    }

    #[test]
    fn a_deny_works_after_a_while_and_so_does_its_end() {
        let mut world = world(&shop_like());
        assert!(may(&mut world));
        write(&mut world, "squall", Value::Text(deny("2030-01-01T00:00:00Z"))).unwrap();
        assert!(may(&mut world), "not at once");
        assert!(changes_at(&mut world).is_some());
        write(&mut world, "squall", Value::Unset).unwrap();
        assert!(!may(&mut world), "not at once");
        assert!(changes_at(&mut world).is_some());
    }

    #[test]
    fn a_deny_with_a_date_ends_by_itself() {
        let mut world = world(&shop_like());
        write(&mut world, "squall", Value::Text(deny(&at(300).to_string()))).unwrap();
        assert!(changes_at(&mut world).is_some());
        assert_eq!(changes_at(&mut world).map(|time| time.since(at(0)).secs_f64().round()), Some(300.0));
    }

    #[test]
    fn changes_take_four_seconds_at_the_median_and_a_minute_at_the_99th_percentile() {
        let mut world = world(&shop_like());
        let mut delays = Vec::new();
        for _ in 0..4000 {
            let from = world.now;
            write(&mut world, "squall", Value::Text(deny("2030-01-01T00:00:00Z"))).unwrap();
            let ticket = world.iam.changes;
            while world.iam.propagating.contains_key(&ticket) {
                world.run_until(world.now + Span::from_millis(50));
            }
            delays.push(world.now.since(from).secs_f64());
            write(&mut world, "squall", Value::Unset).unwrap();
        }
        delays.sort_by(f64::total_cmp);
        // Four standard errors of an order statistic: 2,000 +- 126 and 3,960 +- 25 of 4,000.
        assert!(delays[1873] < 4.0 && 4.0 < delays[2126], "{}", delays[2000]);
        assert!(delays[3934] < 60.0 && 60.0 < delays[3985], "{}", delays[3960]);
    }

    #[test]
    fn a_newer_change_is_never_overtaken() {
        for round in 0..200 {
            let mut world = World::new(&shop_like(), round, at(0)).unwrap();
            write(&mut world, "squall", Value::Text(deny("2030-01-01T00:00:00Z"))).unwrap();
            write(&mut world, "squall", Value::Unset).unwrap();
            world.run_until(at(3600));
            assert!(may(&mut world), "{round}");
        }
    }

    #[test]
    fn policies_of_a_role_have_a_limit_in_all() {
        let mut world = world(&shop_like());
        let filler = format!(
            r#"{{"Statement": {{"Effect": "Deny", "Action": "a:{}", "Resource": "*"}}}}"#,
            "x".repeat(INLINE_LIMIT)
        );
        let refused = write(&mut world, "squall", Value::Text(filler));
        assert!(matches!(refused, Err(CallError::Refused { by: RefusedBy::Limit, .. })), "{refused:?}");
    }

    #[test]
    fn without_a_policy_nothing_is_allowed() {
        let mut app = shop_like();
        app.roles.get_mut("payment-worker-role").unwrap().inline.clear();
        assert!(!may(&mut world(&app)));
        app.roles.get_mut("payment-worker-role").unwrap().managed = vec!["TheirOwnPolicy".into()];
        assert!(may(&mut world(&app)), "what is not known is taken to allow");
    }
}
