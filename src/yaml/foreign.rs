//! Files of other tools, which a newcomer tries first: they are recognised and named, instead of dozens of unknown keys.

use std::sync::Arc;

use super::finding::{Code, Finding};
use super::source::Source;
use super::tree::{Kind, Node};

/// How a file of another tool is recognised, and what of it is what in squall.
struct Tool {
    name: &'static str,
    /// Keys at the top; all of a line must be there.
    keys: &'static [&'static [&'static str]],
    /// How its `apiVersion` begins.
    api: Option<&'static str>,
    differs: &'static str,
}

const TOOLS: [Tool; 5] = [
    Tool {
        name: "a Chaos Toolkit experiment",
        keys: &[&["steady-state-hypothesis"], &["method", "title"]],
        api: None,
        differs: "its steady state becomes `hypotheses`, its method `faults`, and rollbacks need not be written",
    },
    Tool {
        name: "an AWS FIS experiment template",
        keys: &[&["actions", "stopConditions"], &["actions", "roleArn"]],
        api: None,
        differs: "its targets become `targets`, its actions `faults`, its stop conditions `guards: stop_when`; add hypotheses",
    },
    Tool {
        name: "a LitmusChaos resource",
        keys: &[],
        api: Some("litmuschaos.io/"),
        differs: "its probes become `hypotheses`, its experiments `faults`; squall acts on AWS, not on Kubernetes",
    },
    Tool {
        name: "a Chaos Mesh resource",
        keys: &[],
        api: Some("chaos-mesh.org/"),
        differs: "its selector becomes `targets`, its action `faults`; squall acts on AWS, not on Kubernetes",
    },
    Tool {
        name: "a Steadybit experiment",
        keys: &[&["lanes"]],
        api: None,
        differs: "its checks become `hypotheses`, its attacks `faults` with `at` and `for`",
    },
];

/// The finding for a file of another tool.
pub fn recognised(source: &Arc<Source>, root: &Node) -> Option<Finding> {
    let api = match root.get("apiVersion").map(|node| &node.kind) {
        Some(Kind::Text(text)) => text.as_str(),
        _ => "",
    };
    // squall's own files say their version.
    if root.get("version").is_some_and(|version| version.kind == Kind::Int(1)) {
        return None;
    }
    let all = |keys: &&[&str]| keys.iter().all(|key| root.get(key).is_some());
    let is_of = |tool: &&Tool| tool.keys.iter().any(all) || tool.api.is_some_and(|begins| api.starts_with(begins));
    let Tool { name, differs, .. } = TOOLS.iter().find(is_of)?;
    let at = root.entries().first().map_or(root.at, |entry| entry.key_at);
    let help = format!("squall does not import it: {differs}; `squall init` shows an example");
    Some(Finding {
        code: Code::ForeignFile,
        source: source.clone(),
        at,
        what: format!("this is {name}"),
        help: Some(help),
        also: Vec::new(),
    })
}
