//! A fault's page: what a person wants to know of it, in the terminal and in `docs/faults/`.

use std::fmt::Write as _;

use super::FaultSpec;
use crate::account::ResourceKind;
use crate::yaml::Shape;
use crate::yaml::shape::{Field, Presence};

/// What a fault is, for people. Its parameters are not here: they are read off the record that reads them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Page {
    /// `lambda.throttle`.
    pub name: &'static str,
    /// One line for the catalogue.
    pub summary: &'static str,
    /// The kinds of resources that its target may be.
    pub kinds: &'static [ResourceKind],
    /// What it does, and what that is like for the application.
    pub does: &'static str,
    /// How its effect is shown.
    pub evidence: &'static str,
    /// What the undo does, and when it counts.
    pub undo: &'static str,
    /// What stays when the machine that runs squall dies before the rollback.
    pub alone: &'static str,
    /// IAM actions that putting it in needs, apart from squall's marks.
    pub actions_do: &'static [&'static str],
    /// IAM actions that taking it out needs, apart from squall's marks.
    pub actions_undo: &'static [&'static str],
    /// When it is refused, and why.
    pub refusals: &'static [&'static str],
    /// One entry of `faults:` in an experiment, with the targets that it needs.
    pub example: &'static str,
}

/// Lines of a page are no longer than this.
const WIDTH: usize = 110;

impl Page {
    /// The page in Markdown: `squall faults NAME` prints it, and `docs/faults/NAME.md` is it.
    pub fn markdown(&self) -> String {
        let kinds: Vec<&str> = self.kinds.iter().map(|kind| kind.word()).collect();
        let mut text = format!("# {}\n\nActs on a {}: {}.\n", self.name, kinds.join(" or a "), self.summary);
        let mut part = |title: &str, body: &str| {
            // Writing to a string does not fail.
            let _ = write!(text, "\n## {title}\n\n{}\n", body.trim_end());
        };
        part("What it does", &paragraph(self.does));
        part("Example", &format!("```yaml\n{}\n```", self.example.trim_end()));
        part("Parameters", &bullets(self.parameters().iter().map(parameter)));
        part("How its effect is shown", &paragraph(self.evidence));
        part("How it is rolled back", &paragraph(self.undo));
        part("If squall's machine dies before the rollback", &paragraph(self.alone));
        part("When it is refused", &bullets(self.refusals.iter().map(|refusal| (*refusal).to_owned())));
        let actions =
            |actions: &[&str]| actions.iter().map(|action| format!("`{action}`")).collect::<Vec<_>>().join(", ");
        let [to_do, to_undo] = [self.actions_do, self.actions_undo].map(actions);
        let permissions = [
            format!("Permissions to inject: {to_do}."),
            format!("Permissions to roll back: {to_undo}."),
            "Its locks need `ssm:GetParameter`, `ssm:PutParameter` and `ssm:DeleteParameter` on `/squall/marks/*`. \
             `squall policy EXPERIMENT` prints the whole policy, resources included."
                .to_owned(),
        ];
        part("Permissions", &permissions.map(|text| paragraph(&text)).join("\n\n"));
        text
    }

    /// Its parameters, from the record that reads them.
    pub fn parameters(&self) -> Vec<Field> {
        let arm = FaultSpec::choice().arms.into_iter().find(|arm| arm.key == self.name);
        match arm.map(|arm| arm.shape) {
            Some(Shape::Record(record)) => record().fields,
            _ => Vec::new(),
        }
    }
}

/// The list of all pages, for `docs/faults/README.md`.
pub fn index() -> String {
    let mut text = String::from(
        "# The faults\n\nEach page says what the fault does, what shows it, how it is undone, and when it is refused.\n\
         `squall faults NAME` prints the same.\n\n| fault | acts on | what it does |\n| --- | --- | --- |\n",
    );
    for page in FaultSpec::PAGES {
        let kinds: Vec<&str> = page.kinds.iter().map(|kind| kind.word()).collect();
        let _ = writeln!(text, "| [{0}]({0}.md) | {1} | {2} |", page.name, kinds.join(", "), page.summary);
    }
    text
}

fn bullets(items: impl Iterator<Item = String>) -> String {
    items.map(|item| format!("- {}\n", wrapped(&item, "  "))).collect()
}

fn paragraph(text: &str) -> String {
    wrapped(text, "")
}

/// The text in lines of at most [`WIDTH`], each but the first indented.
fn wrapped(text: &str, indent: &str) -> String {
    let mut lines = String::new();
    let mut column = indent.len();
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > indent.len() && column + 1 + length > WIDTH {
            lines += "\n";
            lines += indent;
            column = indent.len();
        } else if column > indent.len() {
            lines.push(' ');
            column += 1;
        }
        lines += word;
        column += length;
    }
    lines
}

fn parameter(field: &Field) -> String {
    let presence = match &field.presence {
        Presence::Required => String::new(),
        Presence::OneOf => "; exactly one of these".into(),
        Presence::Optional => "; optional".into(),
        Presence::Default(serde_json::Value::String(text)) => format!("; default `{text}`"),
        Presence::Default(value) => format!("; default `{value}`"),
    };
    let mut text = format!("`{}` ({}{presence}): {}", field.key, field.shape.describe(), field.doc.replace('\n', " "));
    if let Shape::Words(words) = &field.shape {
        for (word, meaning) in words().words {
            let _ = write!(text, " `{word}`: {meaning}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::sandbox::shop::shop;
    use crate::plan::Purpose;
    use crate::planner::tests::{plan_in, world};

    #[test]
    fn every_example_is_planned_on_the_shop() {
        for page in FaultSpec::PAGES {
            let (targets, faults) = page.example.split_once("faults:\n").unwrap();
            let text = format!(
                "version: 1\ntitle: The example\nbecause: It must work.\n{targets}hypotheses:\n  - depth of OrdersQueue is at most \
                 1000\nbaseline: 5m\nfaults:\n{faults}recovers_within: 5m\nguards:\n  longest: 60m\n"
            );
            let plan = plan_in(&mut world(&shop()), &text, 1).unwrap_or_else(|objections| panic!("{objections:?}"));
            assert_eq!(plan.steps[0].fault.0, page.name);
            // What a page says that its fault needs is what a plan of it needs, locks apart.
            for (purpose, said) in [(Purpose::Inject, page.actions_do), (Purpose::Rollback, page.actions_undo)] {
                let needed = plan.permissions.iter().filter(|needed| needed.purpose == purpose);
                for needed in needed.filter(|needed| !needed.resource.contains("/squall/marks")) {
                    assert!(said.contains(&needed.action.as_str()), "{} {purpose:?}: {}", page.name, needed.action);
                }
            }
        }
    }

    #[test]
    fn pages_are_complete_and_named_as_in_files() {
        let choice = FaultSpec::choice();
        assert_eq!(choice.arms.len(), FaultSpec::PAGES.len());
        for (arm, page) in choice.arms.iter().zip(FaultSpec::PAGES) {
            assert_eq!(arm.key, page.name);
            assert!(arm.doc.to_lowercase().starts_with(page.summary), "{}: {}", page.name, arm.doc);
            assert!(!page.refusals.is_empty() && !page.actions_do.is_empty() && !page.kinds.is_empty());
            let markdown = page.markdown();
            for field in page.parameters() {
                assert!(markdown.contains(&format!("- `{}` (", field.key)), "{}", field.key);
            }
            assert!(markdown.lines().all(|line| line.chars().count() <= WIDTH + 2), "{markdown}");
            assert!(index().contains(&format!("({}.md)", page.name)));
        }
    }
}
