//! The graph as a picture: from left to right as work flows, what is affected in another shape and colour.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::{BlastRadius, Edge, Graph, How, Node, NodeKind, Relation};
use crate::ids::ResourceKind;
use crate::numbers::coordinate as n;
use crate::outside::cut;

const COLUMN: f64 = 168.0;
const ROW: f64 = 58.0;
const BOX: (f64, f64) = (138.0, 38.0);
/// The most letters of a name in a box.
const LETTERS: usize = 20;

/// The flow of work as inline SVG. Roles, parameters and alarms are left to the text.
pub fn picture(graph: &Graph, radius: &BlastRadius) -> Markup {
    let flow: Vec<&Edge> = graph.edges.iter().filter(|edge| is_flow(edge)).collect();
    let columns = columns(graph, &flow);
    let places = places(&columns);
    let width = columns.values().max().map_or(1, |last| last + 1) as f64 * COLUMN;
    let rows = places.values().map(|(_, y)| *y).fold(0.0, f64::max) + ROW;
    html! {
        svg class="chart graph" viewBox={ "0 0 " (n(width)) " " (n(rows)) } style={ "max-width:" (n(width)) "px" } role="img" aria-label="The application, and what the faults reach" xmlns="http://www.w3.org/2000/svg" {
            @for edge in &flow {
                @if let (Some(from), Some(to)) = (places.get(&edge.from), places.get(&edge.to)) {
                    path class={ "axis" @if !edge.hard { " soft-edge" } } fill="none" stroke-dasharray=[(!edge.hard).then_some("4 3")] d=(curve(*from, *to)) {
                        title { (edge.from) " " (edge.relation.word()) " " (edge.to) }
                    }
                }
            }
            @for (node, (x, y)) in &places {
                (boxed(node, *x, *y, graph, radius))
            }
        }
    }
}

fn boxed(node: &Node, x: f64, y: f64, graph: &Graph, radius: &BlastRadius) -> Markup {
    let how = radius.how(node);
    let class = match how {
        Some(How::Directly) => "fault-bar",
        Some(How::FailsWithIt) => "state alarm",
        Some(How::Waits | How::GetsGivenUp | How::GetsLess | How::DoesWithout) => "phase fault",
        Some(How::Tells) | None => "state ok",
    };
    let kind = match node.kind {
        NodeKind::Resource(kind) => kind.word(),
        NodeKind::External => "outside",
        NodeKind::Trigger => "trigger",
    };
    let entry = if graph.entry_points.contains(node) { "→ " } else { "" };
    html! {
        rect class=(class) x=(n(x)) y=(n(y)) width=(n(BOX.0)) height=(n(BOX.1)) rx="5" {
            title { (node) @if let Some(how) = how { ": " (how) } }
        }
        text class="tick" x=(n(x + BOX.0 / 2.0)) y=(n(y + 14.0)) text-anchor="middle" { (entry) (kind) @if let Some(how) = how { ", " (how) } }
        text class="row" x=(n(x + BOX.0 / 2.0)) y=(n(y + 29.0)) text-anchor="middle" { (cut(&node.name, LETTERS)) }
    }
}

fn is_flow(edge: &Edge) -> bool {
    let in_flow = |node: &Node| {
        !matches!(node.kind, NodeKind::Resource(ResourceKind::Role | ResourceKind::Parameter | ResourceKind::Alarm))
    };
    matches!(edge.relation, Relation::Calls | Relation::Feeds) && in_flow(&edge.from) && in_flow(&edge.to)
}

/// The column of each node: one further than the last that it gets work from. What goes in a circle stays where it is.
fn columns(graph: &Graph, flow: &[&Edge]) -> BTreeMap<Node, usize> {
    let nodes: BTreeSet<&Node> =
        flow.iter().flat_map(|edge| [&edge.from, &edge.to]).chain(&graph.entry_points).collect();
    let mut columns: BTreeMap<Node, usize> = nodes.iter().map(|node| (Node::clone(node), 0)).collect();
    for _ in 0..nodes.len() {
        let mut moved = false;
        for edge in flow {
            let wanted = columns.get(&edge.from).map_or(0, |column| column + 1);
            if wanted < nodes.len()
                && let Some(column) = columns.get_mut(&edge.to).filter(|column| **column < wanted)
            {
                (*column, moved) = (wanted, true);
            }
        }
        if !moved {
            break;
        }
    }
    columns
}

fn places(columns: &BTreeMap<Node, usize>) -> BTreeMap<Node, (f64, f64)> {
    let mut rows: BTreeMap<usize, usize> = BTreeMap::new();
    let mut place = |(node, column): (&Node, &usize)| {
        let row = rows.entry(*column).or_default();
        let at = (*column as f64 * COLUMN + 2.0, *row as f64 * ROW + 8.0);
        *row += 1;
        (node.clone(), at)
    };
    columns.iter().map(&mut place).collect()
}

fn curve(from: (f64, f64), to: (f64, f64)) -> String {
    let (x1, y1) = (from.0 + BOX.0, from.1 + BOX.1 / 2.0);
    let (x2, y2) = (to.0, to.1 + BOX.1 / 2.0);
    let middle = (x1 + x2) / 2.0;
    format!("M{} {}C{} {} {} {} {} {}", n(x1), n(y1), n(middle), n(y1), n(middle), n(y2), n(x2), n(y2))
}
