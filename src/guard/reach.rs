//! Limits of the blast radius: what the faults reach in the application as a graph, held against what they may reach.

use std::collections::BTreeMap;

use super::{Resource, Rules};
use crate::faults::{Refusal, listed};
use crate::graph::{BlastRadius, Graph, How, Node};
use crate::plan::Plan;
use crate::reach::{AtMost, EntryPoints, Never};
use crate::spec::experiment::Guards;
use crate::yaml::TargetName;

/// What stands against a plan, with its place in the experiment's file. A limit of `squall.yaml` is said at `guards`.
pub(super) fn check(
    plan: &Plan,
    limits: &Guards,
    rules: &Rules,
    found: &BTreeMap<TargetName, Vec<Resource>>,
) -> Vec<(String, Refusal)> {
    let never = paths("guards/never", &limits.never.0).chain(rules.limits.never.0.iter().map(of_project));
    let never: Vec<(String, &Never)> = never.collect();
    let at_most: Vec<(String, &AtMost)> = paths("guards/at_most", &limits.at_most.0).collect();
    let own = limits.entry_points.iter().map(|limit| ("guards/entry_points".to_owned(), limit));
    let entry_points: Vec<(String, &EntryPoints)> =
        own.chain(rules.limits.entry_points.iter().map(of_project)).collect();
    let mut all = at_most
        .iter()
        .map(|(path, _)| path)
        .chain(never.iter().map(|(path, _)| path))
        .chain(entry_points.iter().map(|(path, _)| path));
    let Some(first) = all.next().cloned() else { return Vec::new() };
    let (graph, radius) = match radius(plan, rules.graph.as_ref()) {
        Ok(found) => found,
        Err(refusal) => return vec![(first, refusal)],
    };
    let mut refused = Vec::new();
    for (path, limit) in at_most {
        refused.extend(too_many(limit, &radius, found).map(|refusal| (path, refusal)));
    }
    for (path, limit) in never {
        refused.extend(reaches(limit, graph, &radius).map(|refusal| (path, refusal)));
    }
    for (path, limit) in entry_points {
        refused.extend(too_many_fail(*limit, &radius).map(|refusal| (path, refusal)));
    }
    refused
}

fn paths<'a, T>(path: &'static str, limits: &'a [T]) -> impl Iterator<Item = (String, &'a T)> {
    limits.iter().enumerate().map(move |(index, limit)| (format!("{path}/{index}"), limit))
}

fn of_project<T>(limit: &T) -> (String, &T) {
    ("guards".to_owned(), limit)
}

/// What the faults reach. A limit that cannot be looked at is not kept, so that is a refusal.
fn radius<'a>(plan: &Plan, graph: Option<&'a Graph>) -> Result<(&'a Graph, BlastRadius), Refusal> {
    let Some(graph) = graph else {
        return Err(Refusal::new(
            "how far the faults reach is not known: there is no model of the application",
            "name the sandbox that models it as the `twin` of the account in squall.yaml (docs/prediction.md)",
        ));
    };
    let hits = plan.hits();
    let node = |hit: &Resource| Node::resource(hit.kind, &hit.name);
    let unknown: Vec<&Resource> = hits.iter().filter(|hit| !graph.has(&node(hit))).collect();
    if !unknown.is_empty() {
        return Err(Refusal::new(
            format!("how far the faults reach is not known: the model of the application has no {}", listed(unknown)),
            "give it the same name in the template of the model",
        ));
    }
    Ok((graph, BlastRadius::of(graph, &hits.iter().map(node).collect::<Vec<_>>())))
}

/// Whether something feels the faults. An alarm that tells of them does not.
fn feels(radius: &BlastRadius, node: &Node) -> bool {
    radius.how(node).is_some_and(|how| how != How::Tells)
}

fn too_many(limit: &AtMost, radius: &BlastRadius, found: &BTreeMap<TargetName, Vec<Resource>>) -> Option<Refusal> {
    let all = found.get(&limit.target).map(Vec::as_slice).unwrap_or_default();
    if all.len() < limit.of as usize {
        return Some(Refusal::new(
            format!(
                "`{limit}`: target {} now finds {}, so {} of them are a larger part than the limit says",
                limit.target,
                all.len(),
                limit.reached
            ),
            format!("write how many of the {} may be reached", all.len()),
        ));
    }
    let reached: Vec<&Resource> =
        all.iter().filter(|one| feels(radius, &Node::resource(one.kind, &one.name))).collect();
    (reached.len() > limit.reached as usize).then(|| {
        Refusal::new(
            format!("`{limit}`: the faults reach {} of them: {}", reached.len(), listed(reached)),
            "choose fewer targets, or one that fewer of them depend on",
        )
    })
}

fn reaches(limit: &Never, graph: &Graph, radius: &BlastRadius) -> Option<Refusal> {
    let Never::Tagged { key, value } = limit;
    let reached = radius
        .affected
        .iter()
        .filter(|affected| affected.how != How::Tells && graph.is_tagged(&affected.node, key, value.as_deref()));
    let reached: Vec<String> = reached.map(ToString::to_string).collect();
    (!reached.is_empty()).then(|| {
        Refusal::new(
            format!("nothing {limit} may be reached, and {} is", listed(&reached)),
            "choose another target, or remove the limit if this is intended",
        )
    })
}

fn too_many_fail(limit: EntryPoints, radius: &BlastRadius) -> Option<Refusal> {
    let fail = &radius.entry_points;
    (fail.len() > limit.at_most as usize).then(|| {
        Refusal::new(
            format!("{} entry points for users would fail, and {limit} may: {}", fail.len(), listed(fail)),
            "choose a target behind a queue, or raise the limit",
        )
    })
}

#[cfg(test)]
mod tests {
    use crate::account::sandbox::app::App;
    use crate::account::sandbox::shop;
    use crate::graph::Graph;
    use crate::guard::Rules;
    use crate::planner::tests::{plan_under, world};
    use crate::project::Project;
    use crate::yaml::{Loaded, Source};

    const PROJECT: &str =
        "version: 1\ndefault_account: sandbox\naccounts:\n  sandbox: { sandbox: { template: t, traffic: t } }\n";

    /// What stands against throttling a function of the shop under these guards.
    fn refused(function: &str, guards: &str, project: &str, of: Option<&App>) -> Vec<String> {
        let (loaded, findings) = Loaded::<Project>::read(&Source::new("squall.yaml", format!("{PROJECT}{project}")));
        assert!(!findings.has_errors(), "{findings:?}");
        let rules = Rules { graph: of.map(Graph::of), ..Rules::in_model(&loaded.unwrap().value) };
        let text = format!(
            "version: 1\ntitle: t\nbecause: b\ntargets:\n  worker: {{ function: {function} }}\n  all: {{ functions: {{ stack: \
             shop, count: 1 }} }}\nhypotheses: [depth of OrdersQueue is at most 100]\nbaseline: 5m\nfaults:\n  - {{ inject: {{ \
             lambda.throttle: {{ target: worker, concurrency: 0 }} }}, for: 10m }}\nrecovers_within: 8m\nguards:\n  longest: \
             60m\n{guards}"
        );
        let mut world = world(&tagged());
        match plan_under(&mut world, &text, 7, &rules) {
            Ok(_) => Vec::new(),
            Err(objections) => objections.iter().map(ToString::to_string).collect(),
        }
    }

    /// The shop, with the API tagged.
    fn tagged() -> App {
        let mut app = shop();
        app.tags.entry("ShopApi".into()).or_default().insert("tier".into(), "1".into());
        app
    }

    fn one(function: &str, guards: &str, words: &[&str]) {
        let refused = refused(function, guards, "", Some(&tagged()));
        assert_eq!(refused.len(), 1, "{guards}: {refused:?}");
        for word in words {
            assert!(refused[0].contains(word), "`{word}` is not in: {}", refused[0]);
        }
    }

    fn none(function: &str, guards: &str) {
        assert_eq!(refused(function, guards, "", Some(&tagged())), Vec::<String>::new(), "{guards}");
    }

    #[test]
    fn what_is_tagged_is_reached_through_others() {
        one("OrderFunction", "  never: tagged tier\n", &["guards/never/0", "api ShopApi: fails too", "tagged tier"]);
        one("OrderFunction", "  never: [tagged critical, tagged tier=1]\n", &["guards/never/1"]);
        none("OrderFunction", "  never: tagged tier=2\n");
        none("PaymentWorker", "  never: tagged tier\n");
    }

    #[test]
    fn entry_points_that_fail_are_counted() {
        one("OrderFunction", "  entry_points: at most 0\n", &["guards/entry_points", "1 entry points", "api ShopApi"]);
        none("OrderFunction", "  entry_points: at most 1\n");
        none("PaymentWorker", "  entry_points: at most 0\n");
    }

    #[test]
    fn so_many_of_a_target_may_be_reached() {
        // The payment worker itself, and the function behind it that gets less.
        one("PaymentWorker", "  at_most: 1 of 3 all\n", &["guards/at_most/0", "reach 2 of them", "NotifyFunction"]);
        none("PaymentWorker", "  at_most: 2 of 3 all\n");
        one("PaymentWorker", "  at_most: 2 of 4 all\n", &["now finds 3"]);
    }

    #[test]
    fn a_limit_that_cannot_be_looked_at_is_a_refusal() {
        let refused = |of: Option<&App>| refused("PaymentWorker", "  entry_points: at most 1\n", "", of);
        assert!(refused(None)[0].contains("no model of the application"), "{:?}", refused(None));
        let other = App::default();
        assert!(refused(Some(&other))[0].contains("has no function PaymentWorker"), "{:?}", refused(Some(&other)));
    }

    #[test]
    fn the_projects_limits_hold_for_every_experiment() {
        let limits = "guards: { never: tagged tier, entry_points: at most 0 }\n";
        let refused = refused("OrderFunction", "  entry_points: at most 1\n", limits, Some(&tagged()));
        assert_eq!(refused.len(), 2, "{refused:?}");
        assert!(refused.iter().all(|refused| refused.starts_with("guards: ")), "{refused:?}");
    }
}
