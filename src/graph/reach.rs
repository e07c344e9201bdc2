//! The blast radius: what a fault reaches, and on which way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use super::{Edge, Graph, Node, NodeKind, Relation};
use crate::ids::ResourceKind;

/// How something is affected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// It hit by the fault itself.
    Directly,
    /// It waits for the answer of what fails, and needs it.
    FailsWithIt,
    /// It waits for the answer, and can do without.
    DoesWithout,
    /// What it hands on is not taken: messages wait in it.
    Waits,
    /// What comes to it comes less or later.
    GetsLess,
    /// It gets what others give up.
    GetsGivenUp,
    /// It looks at something that is affected.
    Tells,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            How::Directly => "hit by the fault",
            How::FailsWithIt => "fails too",
            How::DoesWithout => "works without it",
            How::Waits => "messages wait",
            How::GetsLess => "receives less, or later",
            How::GetsGivenUp => "receives what is given up",
            How::Tells => "may alert",
        })
    }
}

/// One thing that a fault reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affected {
    pub node: Node,
    pub how: How,
    /// The edge that it is reached over; none of what is hit itself.
    pub over: Option<Edge>,
}

/// Everything that a fault reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlastRadius {
    /// What is hit itself first, then in the order of reaching.
    pub affected: Vec<Affected>,
    /// Entry points that fail.
    pub entry_points: BTreeSet<Node>,
}

/// `api ShopApi: fails too (it calls function OrderFunction)`.
impl fmt::Display for Affected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.node, self.how)?;
        match &self.over {
            Some(edge) if edge.from == self.node => write!(f, " (it {} {})", edge.relation.word(), edge.to),
            Some(edge) => write!(f, " ({} {} it)", edge.from, edge.relation.word()),
            None => Ok(()),
        }
    }
}

impl BlastRadius {
    /// What is reached from some nodes. Failure goes up hard calls to the callers that wait for an answer, and stops at a queue, in
    /// which messages wait; missing work goes down along what is fed.
    pub fn of(graph: &Graph, hits: &[Node]) -> BlastRadius {
        let mut radius = BlastRadius::default();
        let mut known: BTreeMap<Node, How> = BTreeMap::new();
        let mut next: VecDeque<Affected> =
            hits.iter().map(|node| Affected { node: node.clone(), how: How::Directly, over: None }).collect();
        while let Some(affected) = next.pop_front() {
            // The first way is the shortest; a second one to the same node is not told.
            if known.contains_key(&affected.node) {
                continue;
            }
            known.insert(affected.node.clone(), affected.how);
            for edge in &graph.edges {
                next.extend(reached(&affected, edge));
            }
            radius.affected.push(affected);
        }
        let fails = |how: How| matches!(how, How::Directly | How::FailsWithIt);
        let reached = graph.entry_points.iter().filter(|entry| known.get(entry).is_some_and(|how| fails(*how)));
        radius.entry_points = reached.cloned().collect();
        radius
    }

    /// How a node is affected, if it is.
    pub fn how(&self, node: &Node) -> Option<How> {
        self.affected.iter().find(|affected| affected.node == *node).map(|affected| affected.how)
    }
}

/// What an edge takes on from something affected.
fn reached(affected: &Affected, edge: &Edge) -> Option<Affected> {
    let fails = matches!(affected.how, How::Directly | How::FailsWithIt);
    let (node, how) = if edge.to == affected.node {
        // Up the edge: to the one that acts on what is affected.
        let how = match (edge.relation, edge.hard) {
            (Relation::Calls, true) if fails => How::FailsWithIt,
            (Relation::Calls, false) if fails => How::DoesWithout,
            (Relation::Feeds, true) if fails => How::Waits,
            (Relation::Watches, _) if affected.how != How::Tells => How::Tells,
            _ => return None,
        };
        (&edge.from, how)
    } else if edge.from == affected.node {
        let how = match (edge.relation, affected.how) {
            (Relation::Permits, How::Directly) => How::FailsWithIt,
            (Relation::Feeds, How::Waits) if !edge.hard => How::GetsGivenUp,
            // A dead-letter queue gets less of what is given up, which does no harm.
            (Relation::Feeds, _) if both_queues(edge) => return None,
            (Relation::Feeds, How::Directly | How::FailsWithIt | How::GetsLess | How::DoesWithout) => How::GetsLess,
            _ => return None,
        };
        (&edge.to, how)
    } else {
        return None;
    };
    Some(Affected { node: node.clone(), how, over: Some(edge.clone()) })
}

/// From one queue to another only what was given up goes.
fn both_queues(edge: &Edge) -> bool {
    let queue = NodeKind::Resource(ResourceKind::Queue);
    edge.from.kind == queue && edge.to.kind == queue
}
