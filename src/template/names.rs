//! What the resources of a template are called, and which one a name, an ARN or a URL means.

use std::collections::BTreeMap;

use super::intrinsic::queue_url;
use crate::account::ResourceKind;
use crate::template::app::arn;

/// A resource of the template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Thing {
    /// Of a kind that squall knows; other resources have names too.
    pub kind: Option<ResourceKind>,
    /// The explicit name, or else the logical id.
    pub name: String,
}

impl Thing {
    /// Its ARN; of an unknown kind something that is none but tells the name.
    pub fn arn(&self) -> String {
        self.kind.map_or_else(|| format!("arn:aws:unknown:::{}", self.name), |kind| arn(kind, &self.name))
    }
}

/// Every resource by its logical id, with a way back.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    things: BTreeMap<String, Thing>,
    /// Kind and name, ARN or URL, to name.
    back: BTreeMap<(ResourceKind, String), String>,
}

impl Names {
    /// Adds a resource; of two with one logical id the first stays.
    pub fn add(&mut self, id: &str, thing: Thing) {
        if self.things.contains_key(id) {
            return;
        }
        if let Some(kind) = thing.kind {
            let mut texts = vec![thing.name.clone(), arn(kind, &thing.name)];
            if kind == ResourceKind::Queue {
                texts.push(queue_url(&thing.name));
            }
            for text in texts {
                self.back.insert((kind, text), thing.name.clone());
            }
        }
        self.things.insert(id.to_owned(), thing);
    }

    /// The resource with a logical id.
    pub fn get(&self, id: &str) -> Option<&Thing> {
        self.things.get(id)
    }

    /// Every logical id.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.things.keys().map(String::as_str)
    }

    /// Every logical id whose resource has another name.
    pub fn renamed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.things
            .iter()
            .filter(|(id, thing)| **id != thing.name)
            .map(|(id, thing)| (id.as_str(), thing.name.as_str()))
    }

    /// The name of the resource of a kind that a name, an ARN or a URL means.
    pub fn find(&self, kind: ResourceKind, text: &str) -> Option<&str> {
        self.back.get(&(kind, text.to_owned())).map(String::as_str)
    }
}
