//! IAM: roles and their inline policies.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::model::Model;
use super::settings::refused;
use super::world::World;
use crate::account::{CallError, RefusedBy, Resource, Value};

/// Inline policies of a role hold so many characters in all, white space not counted
/// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html).
pub const INLINE_LIMIT: usize = 10_240;

/// A role as it is now.
#[derive(Clone, Debug, Default)]
pub(super) struct RoleState {
    /// Inline policies as they were written.
    pub written: BTreeMap<String, Arc<str>>,
}

/// Every role, in the order of the model.
#[derive(Clone, Debug, Default)]
pub(super) struct Iam {
    pub roles: Vec<RoleState>,
}

impl Iam {
    pub fn new(model: &Model) -> Iam {
        let state = |spec: &super::app::Role| RoleState {
            written: spec.inline.iter().map(|(name, text)| (name.clone(), text.as_str().into())).collect(),
        };
        Iam { roles: model.roles.iter().map(|(_, spec)| state(spec)).collect() }
    }
}

impl RoleState {
    /// Characters of the inline policies that count against [`INLINE_LIMIT`].
    pub fn inline_size(&self) -> usize {
        self.written.values().map(|text| size(text)).sum()
    }
}

fn size(document: &str) -> usize {
    document.chars().filter(|c| !c.is_whitespace()).count()
}

impl World {
    /// Puts or deletes an inline policy. Deleting one that is not there is done already (NoSuchEntity).
    pub(super) fn set_policy(&mut self, role: &Resource, policy: &str, value: &Value) -> Result<(), CallError> {
        let index = self.index_of(role)?;
        let state = &mut self.iam.roles[index];
        match value {
            Value::Unset => {
                state.written.remove(policy);
                Ok(())
            }
            Value::Number(_) => refused(RefusedBy::Invalid, "a policy is a JSON document"),
            Value::Text(text) => {
                let statement = serde_json::from_str::<serde_json::Value>(text);
                if !statement.is_ok_and(|document| document.get("Statement").is_some()) {
                    return refused(RefusedBy::Invalid, "MalformedPolicyDocument: no JSON with a Statement");
                }
                let others = state.inline_size() - state.written.get(policy).map_or(0, |old| size(old));
                if others + size(text) > INLINE_LIMIT {
                    let name = &role.name;
                    return refused(
                        RefusedBy::Limit,
                        format!("LimitExceeded: Maximum policy size of {INLINE_LIMIT} bytes exceeded for role {name}"),
                    );
                }
                state.written.insert(policy.to_owned(), text.as_str().into());
                Ok(())
            }
        }
    }
}
