//! A plan as a document: for a terminal, a pull request, a browser and a program. Everything that is known before anything is
//! touched: what, who, when, whether it will hold, what it costs, what may be done, and what cannot be undone.

mod calls;
mod page;
pub mod prices;
pub mod written;

use crate::account::Permitted;
use crate::account::setting::quote;
use crate::graph::{BlastRadius, Graph, Node};
use crate::plan::{Cleanup, Permission, Plan};
use crate::planner::fingerprint::PlanHash;
use crate::planner::show as planned;
use crate::predict::margin::Margin;
use crate::predict::margin_show;
use crate::predict::prediction::Prediction;
use crate::predict::show as predicted;
use crate::report::{markdown, reproduce, words};
use crate::units::Span;

pub use page::page;
use prices::Cost;

/// All that is known of a plan.
pub struct Document<'a> {
    pub plan: &'a Plan,
    /// Why it may not be run, in the words of the guards.
    pub refused: Vec<String>,
    /// The application, where a model of it is known.
    pub graph: Option<Graph>,
    pub prediction: Option<Prediction>,
    /// Why there is none, where one was asked for.
    pub not_predicted: Option<String>,
    /// Where it stops holding, where that was asked for.
    pub margin: Option<Margin>,
    pub cost: Cost,
    /// What the run needs, and whether it is permitted.
    pub permitted: Vec<(Permission, Permitted)>,
}

/// A part of the document: a title and lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    pub title: &'static str,
    pub lines: Vec<String>,
}

impl Document<'_> {
    /// The hash of the plan.
    pub fn hash(&self) -> PlanHash {
        PlanHash::of(self.plan)
    }

    /// What the faults reach, where the application is known.
    pub fn radius(&self) -> Option<BlastRadius> {
        let graph = self.graph.as_ref()?;
        let hits = self.plan.hits().into_iter().map(|hit| Node::resource(hit.kind, &hit.name));
        Some(BlastRadius::of(graph, &hits.filter(|node| graph.has(node)).collect::<Vec<_>>()))
    }

    /// Every section that has something to say, in the order of reading.
    pub fn sections(&self) -> Vec<Section> {
        let plan = self.plan;
        let at = |(at, what): (Span, String)| format!("{at}: {what}");
        let diff = |diff: planned::Diff| {
            let note = if diff.note.is_empty() { String::new() } else { format!(" ({})", diff.note) };
            format!("{}: {} -> {}{note}", diff.setting, diff.before, diff.after)
        };
        let holds = plan.signals.iter().filter(|signal| signal.is_judged());
        let sections = [
            ("Refused", self.refused.clone()),
            ("What changes", planned::diffs(plan).into_iter().map(diff).chain(messages(plan)).collect()),
            ("Blast radius", self.blast_radius()),
            ("When", planned::timeline(plan).into_iter().map(at).collect()),
            ("What must hold", holds.map(|s| format!("{} ({})", s.title, s.hypothesis)).collect()),
            ("What stops it", plan.stops.iter().map(|stop| stop.title.clone()).collect()),
            ("Will it hold?", self.predicted()),
            ("Where it breaks", self.margin.as_ref().map(margin_lines).unwrap_or_default()),
            ("What it costs", self.cost.lines()),
            ("Calls to AWS", calls::lines(plan)),
            ("Permissions", self.permissions()),
            ("What a rollback cannot restore", self.not_repaired()),
            ("Before you confirm", plan.warnings.clone()),
            ("Not modelled", self.prediction.as_ref().map(|p| p.left_out.clone()).unwrap_or_default()),
        ];
        let sections = sections.into_iter().map(|(title, lines)| Section { title, lines });
        sections.filter(|section| !section.lines.is_empty()).collect()
    }

    fn blast_radius(&self) -> Vec<String> {
        let Some(radius) = self.radius() else {
            let hits = self.plan.hits().into_iter().map(|hit| format!("{hit}: hit by the fault"));
            let unknown = "what depends on them is not known: there is no model of the application".to_owned();
            return hits.chain([unknown]).collect();
        };
        let mut lines: Vec<String> = radius.affected.iter().map(ToString::to_string).collect();
        lines.push(match radius.entry_points.len() {
            0 => "no entry point for users fails".into(),
            _ => {
                let names: Vec<String> = radius.entry_points.iter().map(ToString::to_string).collect();
                format!("entry points for users that fail: {}", words::list(&names))
            }
        });
        lines
    }

    fn predicted(&self) -> Vec<String> {
        let Some(prediction) = &self.prediction else {
            return self.not_predicted.iter().cloned().collect();
        };
        let mut lines = vec![predicted::how(prediction)];
        let of = |what: &str, verdicts: &crate::predict::prediction::Verdicts| {
            format!("{what}: held {}, broken {}, unknown {}", verdicts.held, verdicts.broken, verdicts.unknown)
        };
        lines.push(of("as the files say", &prediction.as_written));
        if let Some(uncertain) = &prediction.uncertain {
            lines.push(of(&format!("with figures varied by up to {}", uncertain.uncertainty), &uncertain.verdicts));
        }
        lines.extend(predicted::why(prediction));
        lines.extend(predicted::figures(prediction).into_iter().map(|(what, said)| format!("{what}: {said}")));
        lines.extend(predicted::quality(prediction));
        lines
    }

    fn permissions(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.permitted.is_empty() {
            return lines;
        }
        for (permission, permitted) in &self.permitted {
            match permitted {
                Permitted::Yes => {}
                Permitted::No(why) => {
                    lines.push(format!("no: {} on {}: {why}", permission.action, permission.resource))
                }
                Permitted::CannotTell(why) => {
                    lines.push(format!("cannot tell: {} on {}: {why}", permission.action, permission.resource));
                }
            }
        }
        let yes = self.permitted.iter().filter(|(_, permitted)| *permitted == Permitted::Yes).count();
        lines.insert(0, format!("yes: {yes} of {} permissions that the run needs", self.permitted.len()));
        lines
    }

    /// What stays when everything is rolled back.
    fn not_repaired(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for emission in self.plan.steps.iter().filter_map(|step| step.emission.as_ref()) {
            lines.push(format!(
                "messages that the application takes from {} cannot be unsent: what it does with them remains",
                emission.queue.name
            ));
            if emission.cleanup == Cleanup::LeaveInQueue {
                lines.push(format!(
                    "messages that nothing consumes stay in {}: remove them with aws sqs receive-message and \
                     delete-message",
                    emission.queue.name
                ));
            }
        }
        let damage = self.prediction.as_ref().map(|prediction| &prediction.damage);
        if let Some(damage) = damage.filter(|damage| damage.dead_lettered.high > 0.0) {
            lines.push(format!(
                "up to {} messages end in a dead-letter queue: aws sqs start-message-move-task --source-arn ARN moves them back",
                words::whole(damage.dead_lettered.high.round() as u64)
            ));
        }
        if let Some(damage) = damage.filter(|damage| damage.failed.high > 0.0) {
            lines.push(format!(
                "up to {} requests fail: their callers have to retry",
                words::whole(damage.failed.high.round() as u64)
            ));
        }
        if let Some(damage) = damage.filter(|damage| damage.lost.high > 0.0) {
            lines.push(format!("up to {} messages or events are lost", words::whole(damage.lost.high.round() as u64)));
        }
        if lines.is_empty() && self.prediction.is_none() {
            lines.push(
                "requests that fail during the faults, and messages that are dead-lettered or lost; a \
                       prediction says how many"
                    .into(),
            );
        }
        lines
    }

    /// What to type to run exactly this.
    pub fn command(&self) -> String {
        format!(
            "squall run {}{} --seed {} --plan {}",
            quote(&words::one_line(&self.plan.file)),
            reproduce::inputs(&self.plan.inputs),
            self.plan.seed,
            self.hash()
        )
    }

    /// The document for a pull request. Numbers of accounts are masked unless `full`.
    pub fn markdown(&self, full: bool) -> String {
        let head = format!("## Plan: {}\n\n`{}`\n", markdown::text(&self.plan.title), self.hash());
        let mut text = String::new();
        for Section { title, lines } in self.sections() {
            text += &format!("\n### {title}\n\n");
            for line in lines {
                text += &format!("- {}\n", markdown::text(&line));
            }
        }
        let body = if full { text } else { masked(&text) };
        let command = markdown::fenced("", &format!("{}\n", self.command()));
        words::printable(&format!("{head}{body}\n### Run exactly this\n\n{command}\n"))
    }
}

/// What varied, and the answer.
fn margin_lines(margin: &Margin) -> Vec<String> {
    let vary = &margin.vary;
    let head = format!("{} from {} to {}", vary.path, vary.shown(vary.from), vary.shown(vary.to));
    std::iter::once(head).chain(margin_show::sentences(margin)).collect()
}

/// Messages that faults send.
fn messages(plan: &Plan) -> impl Iterator<Item = String> {
    let emissions = plan.steps.iter().filter_map(|step| step.emission.as_ref());
    emissions.map(|emission| format!("{} messages to {}", emission.bodies.len(), emission.queue))
}

/// Every run of exactly twelve digits is an account's number, and is hidden.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    let mut digits = String::new();
    let flush = |digits: &mut String, masked: &mut String| {
        masked.push_str(if digits.len() == 12 { "************" } else { digits });
        digits.clear();
    };
    for letter in text.chars() {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        // Letters around it make it part of something else, such as a hash.
        if letter.is_ascii_alphabetic() && digits.len() == 12 {
            masked.push_str(&digits);
            digits.clear();
        }
        flush(&mut digits, &mut masked);
        masked.push(letter);
    }
    flush(&mut digits, &mut masked);
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_accounts_are_hidden_and_nothing_else() {
        let text = "arn:aws:sqs:eu-west-1:111122223333:orders, 12345 and 1111222233334, 111122223333 again";
        let hidden = "arn:aws:sqs:eu-west-1:************:orders, 12345 and 1111222233334, ************ again";
        assert_eq!(masked(text), hidden);
    }

    #[test]
    fn markdown_takes_a_title_as_a_text() {
        assert_eq!(markdown::text("a *b* <script> `c`\nd"), "a \\*b\\* &lt;script&gt; \\`c\\` d");
    }
}
