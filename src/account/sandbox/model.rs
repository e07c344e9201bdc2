//! The application as the world computes with it: resources by index, references resolved once.

use std::collections::BTreeMap;

use super::app::App;

/// Why an application cannot be modelled: something in it names what is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{who} names {what} `{name}`, which is not in the application; add it to the template or correct the name")]
pub struct Dangling {
    who: String,
    what: &'static str,
    name: String,
}

/// Resources of one kind, ordered by name; an index is good for a world's whole life.
#[derive(Clone, Debug)]
pub(super) struct Named<T> {
    names: Vec<String>,
    items: Vec<T>,
}

impl<T> Named<T> {
    fn from<S>(map: &BTreeMap<String, S>, item: impl Fn(&String, &S) -> Result<T, Dangling>) -> Result<Self, Dangling> {
        let items = map.iter().map(|(name, spec)| item(name, spec)).collect::<Result<_, _>>()?;
        Ok(Named { names: map.keys().cloned().collect(), items })
    }

    /// The index of a name.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.names.binary_search_by(|have| have.as_str().cmp(name)).ok()
    }

    /// The name at an index.
    pub fn name(&self, index: usize) -> &str {
        &self.names[index]
    }

    /// Every name, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Every item with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.names.iter().map(String::as_str).zip(&self.items)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }
}

impl<T> std::ops::Index<usize> for Named<T> {
    type Output = T;
    fn index(&self, index: usize) -> &T {
        &self.items[index]
    }
}

/// A queue with its dead-letter queue by index.
#[derive(Clone, Debug)]
pub(super) struct QueueModel {
    pub spec: super::app::Queue,
    pub dead_letter: Option<usize>,
    /// Mappings that take from the queue.
    pub consumers: Vec<usize>,
}

/// The application, resolved. Never changes; worlds that were cloned share it.
#[derive(Debug)]
pub(super) struct Model {
    pub app: App,
    pub functions: Named<super::app::Function>,
    pub queues: Named<QueueModel>,
    pub roles: Named<super::app::Role>,
}

impl Model {
    /// Resolves every name, or says which one is nowhere.
    pub fn of(app: &App) -> Result<Model, Dangling> {
        let queues = Named::from(&app.queues, |name, spec| {
            let dead_letter = match &spec.redrive {
                Some(r) => Some(find(&app.queues, &r.dead_letter, "dead-letter queue", || format!("queue {name}"))?),
                None => None,
            };
            let consumers = app.mappings.values().enumerate().filter(|(_, m)| m.queue == *name).map(|(i, _)| i);
            Ok(QueueModel { spec: spec.clone(), dead_letter, consumers: consumers.collect() })
        })?;
        let functions = Named::from(&app.functions, |name, spec| {
            find(&app.roles, &spec.role, "role", || format!("function {name}"))?;
            Ok(spec.clone())
        })?;
        let roles = Named::from(&app.roles, |_, spec| Ok(spec.clone()))?;
        Ok(Model { app: app.clone(), functions, queues, roles })
    }
}

/// The index of `name`, or who names it in vain.
fn find<S>(
    map: &BTreeMap<String, S>,
    name: &str,
    what: &'static str,
    who: impl Fn() -> String,
) -> Result<usize, Dangling> {
    let at = map.keys().position(|have| have == name);
    at.ok_or_else(|| Dangling { who: who(), what, name: name.to_owned() })
}
