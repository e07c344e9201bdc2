//! A fault's page: what a person wants to know of it, in the terminal and in `docs/faults/`.

use std::fmt::Write as _;

use super::FaultSpec;
use crate::account::ResourceKind;
use crate::spec::Shape;
use crate::spec::shape::{Field, Need};

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
    /// What shows that it works.
    pub evidence: &'static str,
    /// What the undo does, and when it counts.
    pub undo: &'static str,
    /// What stays when the machine that runs squall dies and nobody undoes.
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

impl Page {
    /// The page in Markdown: `squall faults NAME` prints it, and `docs/faults/NAME.md` is it.
    pub fn markdown(&self) -> String {
        let kinds: Vec<&str> = self.kinds.iter().map(|kind| kind.word()).collect();
        let mut text = format!("# {}\n\n{}: {}.\n\n{}\n", self.name, kinds.join(", "), self.summary, self.does);
        let mut part = |title: &str, body: &str| {
            // Writing to a string does not fail.
            let _ = write!(text, "\n## {title}\n\n{}\n", body.trim_end());
        };
        part("Example", &format!("```yaml\n{}\n```", self.example.trim_end()));
        part("Parameters", &bullets(self.parameters().iter().map(parameter)));
        part("What shows that it works", self.evidence);
        part("How it is undone", self.undo);
        part("If squall's machine dies and nobody undoes", self.alone);
        part("When it is refused", &bullets(self.refusals.iter().map(|refusal| (*refusal).to_owned())));
        let actions =
            |actions: &[&str]| actions.iter().map(|action| format!("`{action}`")).collect::<Vec<_>>().join(", ");
        let [to_do, to_undo] = [self.actions_do, self.actions_undo].map(actions);
        part("Permissions", &format!("To put it in: {to_do}.\n\nTo take it out: {to_undo}."));
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

fn bullets(items: impl Iterator<Item = String>) -> String {
    items.map(|item| format!("- {item}\n")).collect()
}

fn parameter(field: &Field) -> String {
    let need = match &field.need {
        Need::Required => String::new(),
        Need::OneOf => " (exactly one of these)".into(),
        Need::Optional => " (may be left away)".into(),
        Need::Default(value) => format!(" (may be left away: `{value}`)"),
    };
    format!("`{}`{need}: {}", field.key, field.doc.replace('\n', " "))
}
