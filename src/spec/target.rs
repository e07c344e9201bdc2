//! Targets: how an experiment names resources, and how many of them it takes.

use std::collections::BTreeMap;

use crate::account::target::{ResourceKind, SelectBy, Selector};
use crate::ids::AccountName;
use crate::record;
use crate::units::Share;
use crate::yaml::finding::Code;
use crate::yaml::read::{FromNode, presence};
use crate::yaml::reader::Reader;
use crate::yaml::shape::{Field, Leaf, Presence, Record, Shape};
use crate::yaml::tree::Node;

/// Resources of one kind, and how many of them to select.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    pub selector: Selector,
    pub take: Take,
    /// The account, if not the experiment's.
    pub account: Option<AccountName>,
}

/// How many of the resources that a selector finds are taken. Which ones is drawn from the run's seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Take {
    /// Exactly one must be found.
    One,
    /// So many; fewer found is refused.
    Count(u32),
    /// A part of those found, rounded down, but at least one.
    Share(Share),
}

record! {
    /// Several resources of a kind, selected by tag or stack, and how many of them to use.
    struct Several {
        /// A tag with its value. This or `stack`.
        tag: Option<BTreeMap<String, String>>,
        /// A CloudFormation stack. This or `tag`.
        stack: Option<String>,
        /// How many to use. This or `share`.
        count: Option<u32>,
        /// Which part of them to use; at least one. This or `count`.
        share: Option<Share>,
    }
}

/// The key for several resources of a kind: `functions`. Probes have neither tags nor a stack.
const fn plural(kind: ResourceKind) -> Option<&'static str> {
    Some(match kind {
        ResourceKind::Function => "functions",
        ResourceKind::Queue => "queues",
        ResourceKind::Role => "roles",
        ResourceKind::Parameter => "parameters",
        ResourceKind::Table => "tables",
        ResourceKind::Topic => "topics",
        ResourceKind::Api => "apis",
        ResourceKind::Alarm => "alarms",
        ResourceKind::Probe => return None,
    })
}

/// The keys of which exactly one stands in a target.
fn keys() -> Vec<&'static str> {
    ResourceKind::ALL.into_iter().flat_map(|kind| [Some(kind.word()), plural(kind)]).flatten().collect()
}

/// A resource by name, in a file.
const NAME: Leaf = Leaf {
    name: "a resource's name, logical id or ARN",
    json_type: "string",
    pattern: r"\S",
    examples: &["PaymentWorker", "OrdersQueue"],
};

impl FromNode for Target {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let key = reader.form(node, &keys())?;
        let kind = ResourceKind::ALL.into_iter().find(|kind| kind.word() == key || plural(*kind) == Some(key))?;
        let mut record = Target::record();
        record.fields.retain(|field| field.key == key || field.key == "account");
        let mut fields = reader.fields(node, record)?;
        let account = fields.read::<Option<AccountName>>("account", None);
        let several = plural(kind) == Some(key);
        let found = match several {
            false => fields.read::<String>(key, None).map(|name| (SelectBy::Name(name), Take::One)),
            true => {
                let several = fields.read::<Several>(key, None);
                several.and_then(|several| several.select(node.get(key)?, reader))
            }
        };
        let (by, take) = found?;
        Some(Target { selector: Selector { kind, by }, take, account: account? })
    }

    fn shape() -> Shape {
        Shape::Record(Target::record)
    }
}

impl Target {
    /// The table of its keys; exactly one of the kinds stands in a file.
    pub fn record() -> Record {
        let kinds = ResourceKind::ALL.into_iter().flat_map(|kind| {
            let one = Field {
                key: kind.word(),
                doc: match kind {
                    ResourceKind::Probe => {
                        "A probe, by its name under `probes` of its account in `squall.yaml`.".into()
                    }
                    _ => format!("One {}: its name, its logical id in the template, or its ARN.", kind.word()),
                },
                shape: Shape::Leaf(NAME),
                presence: Presence::OneOf,
            };
            let many = plural(kind).map(|key| Field {
                key,
                doc: format!("Several {key}, selected by a tag or a stack."),
                shape: Several::shape(),
                presence: Presence::OneOf,
            });
            [Some(one), many].into_iter().flatten()
        });
        let account = Field {
            key: "account",
            doc: "Its account, if not the experiment's.".into(),
            shape: AccountName::shape(),
            presence: presence::<Option<AccountName>>(None),
        };
        Record {
            name: "Target",
            doc: "A resource, or several of one kind. Exactly one key says which kind.".into(),
            fields: kinds.chain([account]).collect(),
        }
    }
}

impl Several {
    fn select(self, node: &Node, reader: &mut Reader<'_>) -> Option<(SelectBy, Take)> {
        let mut unsaid = |what: &str, help: &str| reader.report(Code::OneKey, node.at, what, help);
        let by = match (self.tag, self.stack) {
            (Some(tag), None) if tag.len() == 1 => {
                tag.into_iter().next().map(|(key, value)| SelectBy::Tag { key, value })
            }
            (None, Some(stack)) => Some(SelectBy::Stack(stack)),
            (Some(_), None) => {
                unsaid("expected exactly one tag", "write for example `tag: { team: payments }`");
                None
            }
            _ => {
                unsaid("missing `tag` or `stack`", "write one of them");
                None
            }
        };
        let take = match (self.count, self.share) {
            (Some(count), None) if count > 0 => Some(Take::Count(count)),
            (None, Some(share)) if share > Share::NONE => Some(Take::Share(share)),
            _ => {
                unsaid(
                    "missing `count` or `share`",
                    "write `count: 1` or `share: 50 %`; all of them are `share: 100 %`",
                );
                None
            }
        };
        Some((by?, take?))
    }
}
