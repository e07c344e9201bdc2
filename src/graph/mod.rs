//! The application as a graph: what calls, feeds, reads, permits and watches what.
//!
//! It is made from an [`App`], and knows neither AWS nor the sandbox. An edge goes from the one that acts to the one that is
//! acted on: from a caller to what it calls, from a queue to its consumer, from a role to the function that it permits.

mod flow;
mod picture;
mod reach;

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::ResourceKind;
use crate::template::app::{Alarm, App, Destination, Outgoing, TrafficTarget, dimension_kind};

pub use flow::usual;
pub use picture::picture;
pub use reach::{Affected, BlastRadius, How};

/// A thing in the graph.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    pub kind: NodeKind,
    pub name: String,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeKind {
    Resource(ResourceKind),
    /// Something outside of AWS that a handler calls.
    External,
    /// A schedule, a rule, a stream or a bucket that invokes a function.
    Trigger,
}

/// What one node does to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// It waits for an answer.
    Calls,
    /// It hands messages or events over, and does not wait.
    Feeds,
    /// It reads a value.
    Reads,
    /// It lets the other one act.
    Permits,
    /// It is an alarm on the other one.
    Watches,
}

/// One edge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    pub from: Node,
    pub to: Node,
    pub relation: Relation,
    /// Without the other one this one fails; a soft edge is one that it can do without.
    pub hard: bool,
}

/// The nodes and edges of an application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    pub nodes: BTreeSet<Node>,
    pub edges: BTreeSet<Edge>,
    /// Where requests and messages come in from outside.
    pub entry_points: BTreeSet<Node>,
    /// The tags that the template gives to resources, by the resource's name.
    tags: BTreeMap<String, BTreeMap<String, String>>,
}

impl Node {
    /// A resource.
    pub fn resource(kind: ResourceKind, name: &str) -> Node {
        Node { kind: NodeKind::Resource(kind), name: name.to_owned() }
    }
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.kind {
            NodeKind::Resource(kind) => kind.word(),
            NodeKind::External => "external",
            NodeKind::Trigger => "trigger",
        };
        write!(f, "{kind} {}", self.name)
    }
}

impl Relation {
    /// The verb: `calls`.
    pub fn word(self) -> &'static str {
        match self {
            Relation::Calls => "calls",
            Relation::Feeds => "feeds",
            Relation::Reads => "reads",
            Relation::Permits => "permits",
            Relation::Watches => "watches",
        }
    }
}

impl Graph {
    /// The graph of an application.
    pub fn of(app: &App) -> Graph {
        let mut graph = Graph { tags: app.tags.clone(), ..Graph::default() };
        graph.add_nodes(app);
        graph.add_functions(app);
        graph.add_queues(app);
        graph.add_front(app);
        graph.add_alarms(app);
        graph
    }

    fn add_nodes(&mut self, app: &App) {
        use ResourceKind as K;
        let mut add = |kind: K, names: &mut dyn Iterator<Item = &String>| {
            self.nodes.extend(names.map(|name| Node::resource(kind, name)));
        };
        add(K::Function, &mut app.functions.keys());
        add(K::Queue, &mut app.queues.keys());
        add(K::Role, &mut app.roles.keys());
        add(K::Parameter, &mut app.parameters.keys());
        add(K::Table, &mut app.tables.keys());
        add(K::Topic, &mut app.topics.keys());
        add(K::Api, &mut app.apis.keys());
        add(K::Alarm, &mut app.alarms.keys());
    }

    fn edge(&mut self, from: Node, relation: Relation, to: Node, hard: bool) {
        self.nodes.extend([from.clone(), to.clone()]);
        self.edges.insert(Edge { from, to, relation, hard });
    }

    fn add_functions(&mut self, app: &App) {
        use ResourceKind as K;
        for (name, function) in &app.functions {
            let node = Node::resource(K::Function, name);
            if !function.role.is_empty() {
                self.edge(Node::resource(K::Role, &function.role), Relation::Permits, node.clone(), true);
            }
            for value in function.environment.values().filter(|value| app.parameters.contains_key(*value)) {
                self.edge(node.clone(), Relation::Reads, Node::resource(K::Parameter, value), false);
            }
            for call in &function.calls {
                self.add_call(&node, call);
            }
            let asynchronous = &function.asynchronous;
            let records = [&asynchronous.on_failure, &asynchronous.on_success, &asynchronous.dead_letter];
            for to in records.into_iter().flatten() {
                self.edge(node.clone(), Relation::Feeds, target(to).0, false);
            }
        }
    }

    fn add_call(&mut self, from: &Node, call: &Outgoing) {
        let (to, waits) = target(&call.to);
        let relation = if waits { Relation::Calls } else { Relation::Feeds };
        self.edge(from.clone(), relation, to, !call.optional);
    }

    fn add_queues(&mut self, app: &App) {
        use ResourceKind as K;
        for (name, queue) in &app.queues {
            if let Some(redrive) = &queue.redrive {
                let to = Node::resource(K::Queue, &redrive.dead_letter);
                self.edge(Node::resource(K::Queue, name), Relation::Feeds, to, false);
            }
        }
        for mapping in app.mappings.values() {
            let to = Node::resource(K::Function, &mapping.function);
            self.edge(Node::resource(K::Queue, &mapping.queue), Relation::Feeds, to, true);
        }
        for (name, topic) in &app.topics {
            let from = Node::resource(K::Topic, name);
            for queue in &topic.to_queues {
                self.edge(from.clone(), Relation::Feeds, Node::resource(K::Queue, queue), false);
            }
            for function in &topic.to_functions {
                self.edge(from.clone(), Relation::Feeds, Node::resource(K::Function, function), false);
            }
        }
    }

    /// Where the outside comes in.
    fn add_front(&mut self, app: &App) {
        use ResourceKind as K;
        for (name, api) in &app.apis {
            let node = Node::resource(K::Api, name);
            for function in api.routes.values() {
                self.edge(node.clone(), Relation::Calls, Node::resource(K::Function, function), true);
            }
            self.entry_points.insert(node);
        }
        for (name, trigger) in &app.triggers {
            let node = Node { kind: NodeKind::Trigger, name: name.clone() };
            self.edge(node.clone(), Relation::Feeds, Node::resource(K::Function, &trigger.function), true);
            self.entry_points.insert(node);
        }
        for traffic in &app.traffic {
            self.entry_points.insert(match &traffic.to {
                TrafficTarget::Api { api, .. } => Node::resource(K::Api, api),
                TrafficTarget::Function(name) => Node::resource(K::Function, name),
                TrafficTarget::Queue(name) => Node::resource(K::Queue, name),
            });
        }
    }

    fn add_alarms(&mut self, app: &App) {
        for (name, alarm) in &app.alarms {
            let from = Node::resource(ResourceKind::Alarm, name);
            for to in watched(app, alarm) {
                self.edge(from.clone(), Relation::Watches, to, false);
            }
        }
    }

    /// Whether it has this node.
    pub fn has(&self, node: &Node) -> bool {
        self.nodes.contains(node)
    }

    /// Whether the template gives a resource this tag, with any value or with this one.
    pub fn is_tagged(&self, node: &Node, key: &str, value: Option<&str>) -> bool {
        let tag = self.tags.get(&node.name).and_then(|tags| tags.get(key));
        matches!(node.kind, NodeKind::Resource(_)) && tag.is_some_and(|have| value.is_none_or(|value| have == value))
    }
}

/// What a call goes to, and whether the caller waits for an answer of the one that does the work.
fn target(to: &Destination) -> (Node, bool) {
    use ResourceKind as K;
    match to {
        Destination::Queue(name) => (Node::resource(K::Queue, name), false),
        Destination::Topic(name) => (Node::resource(K::Topic, name), false),
        Destination::FunctionAsync(name) => (Node::resource(K::Function, name), false),
        Destination::Table(name) => (Node::resource(K::Table, name), true),
        Destination::Function(name) => (Node::resource(K::Function, name), true),
        Destination::External(name) => (Node { kind: NodeKind::External, name: name.clone() }, true),
    }
}

/// The resources whose metrics an alarm looks at, by the names in its dimensions.
fn watched(app: &App, alarm: &Alarm) -> Vec<Node> {
    let named = |(dimension, name): (&String, &String)| match dimension.as_str() {
        "ApiId" => Some(Node::resource(ResourceKind::Api, name)),
        "ApiName" => {
            let (name, _) = app.apis.iter().find(|(_, api)| api.title == *name)?;
            Some(Node::resource(ResourceKind::Api, name))
        }
        _ => Some(Node::resource(dimension_kind(dimension)?, name)),
    };
    alarm.metrics().into_iter().flat_map(|metric| metric.dimensions.iter().filter_map(named)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::sandbox::shop;

    fn node(text: &str) -> Node {
        let (kind, name) = text.split_once(' ').unwrap();
        let all = Graph::of(&shop()).nodes;
        all.into_iter().find(|node| node.to_string() == format!("{kind} {name}")).unwrap()
    }

    fn edges(graph: &Graph) -> Vec<String> {
        let edge = |edge: &Edge| {
            let hard = if edge.hard { "" } else { " (soft)" };
            format!("{} {} {}{hard}", edge.from, edge.relation.word(), edge.to)
        };
        graph.edges.iter().map(edge).collect()
    }

    #[test]
    fn the_shop_is_the_graph_that_its_template_says() {
        let graph = Graph::of(&shop());
        let edges = edges(&graph);
        for expected in [
            "api ShopApi calls function OrderFunction",
            "function OrderFunction feeds queue OrdersQueue",
            "queue OrdersQueue feeds function PaymentWorker",
            "queue OrdersQueue feeds queue OrdersDeadLetters (soft)",
            "function PaymentWorker calls table PaymentsTable",
            "function PaymentWorker calls external payment provider",
            "function PaymentWorker feeds topic OrderEvents",
            "topic OrderEvents feeds queue NotificationQueue (soft)",
            "role shop-payment-worker permits function PaymentWorker",
            "alarm OrdersBacklogAlarm watches queue OrdersQueue (soft)",
            "function OrderFunction reads parameter /shop/order-function/faults (soft)",
        ] {
            assert!(edges.iter().any(|edge| edge == expected), "{expected}: {edges:#?}");
        }
        assert_eq!(graph.entry_points, BTreeSet::from([node("api ShopApi")]));
    }

    #[test]
    fn what_a_fault_reaches_is_told_with_the_way() {
        let graph = Graph::of(&shop());
        let of = |hit: &str| BlastRadius::of(&graph, &[node(hit)]);
        let worker = of("function PaymentWorker");
        assert!(worker.entry_points.is_empty(), "the queue parts the shoppers from it: {worker:?}");
        let told: Vec<String> = worker.affected.iter().map(ToString::to_string).collect();
        assert!(
            told.contains(&"queue OrdersQueue: messages wait (it feeds function PaymentWorker)".to_owned()),
            "{told:#?}"
        );
        assert!(
            told.iter().any(|line| line.starts_with("queue NotificationQueue: receives less, or later")),
            "{told:#?}"
        );
        let order = of("function OrderFunction");
        assert_eq!(order.entry_points, BTreeSet::from([node("api ShopApi")]));
        let told: Vec<String> = order.affected.iter().map(ToString::to_string).collect();
        assert!(told.contains(&"api ShopApi: fails too (it calls function OrderFunction)".to_owned()), "{told:#?}");
    }

    #[test]
    fn the_picture_is_an_image_with_a_title() {
        let graph = Graph::of(&shop());
        let radius = BlastRadius::of(&graph, &[node("function PaymentWorker")]);
        let svg = picture(&graph, &radius).into_string();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let texts: Vec<&str> = document.descendants().filter_map(|node| node.text()).collect();
        assert!(texts.contains(&"PaymentWorker") && texts.contains(&"ShopApi"), "{texts:?}");
        assert!(!texts.contains(&"shop-payment-worker"), "roles are no part of the flow");
    }
}
