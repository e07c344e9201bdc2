//! Reference pages in Markdown, made from the same tables that read the files.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::faults::FaultSpec;
use crate::yaml::finding::{Code, Severity};
use crate::yaml::shape::{Choice, Field, Presence, Record, Shape, Words};

/// The page of a format: its root table first, then every table that it leads to.
pub fn page(title: &str, root: &Shape) -> String {
    let mut page = Page { text: String::new(), known: BTreeSet::new(), next: Vec::new() };
    let _ =
        writeln!(page.text, "# {title}\n\n<!-- Made from the tables in src/spec; see tests/all/reference.rs. -->\n");
    page.section(root, true);
    while !page.next.is_empty() {
        let shape = page.next.remove(0);
        page.section(&shape, false);
    }
    page.text.trim_end().to_owned() + "\n"
}

/// The page of every kind of finding.
pub fn findings() -> String {
    let mut text = String::from(
        "# Findings\n\n<!-- Made from src/yaml/finding.rs; see tests/all/reference.rs. -->\n\n\
         What `squall check` finds. An error stops `plan` and `run` with exit code 2; a warning does not. Each has an example\n\
         in [tests/findings](../../tests/findings).\n\n| finding | | what it means |\n| --- | --- | --- |\n",
    );
    for code in Code::ALL {
        let severity = match code.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let _ = writeln!(text, "| `{}` | {severity} | {} |", code.id(), cell(&code.explanation()));
    }
    text
}

struct Page {
    text: String,
    known: BTreeSet<&'static str>,
    next: Vec<Shape>,
}

impl Page {
    fn section(&mut self, shape: &Shape, root: bool) {
        match shape {
            Shape::Record(record) => self.record(&record(), root),
            Shape::Choice(choice) => self.choice(&choice()),
            Shape::Words(words) => self.words(&words()),
            _ => {}
        }
    }

    fn heading(&mut self, name: &str, doc: &str, root: bool) {
        if !root {
            let _ = writeln!(self.text, "## {}\n", heading(name));
        }
        let _ = writeln!(self.text, "{doc}\n");
    }

    fn record(&mut self, record: &Record, root: bool) {
        self.heading(record.name, &record.doc, root);
        self.text += "| key | value | |\n| --- | --- | --- |\n";
        for field in &record.fields {
            let value = self.value(&field.shape);
            let _ = writeln!(self.text, "| `{}` | {value} | {} |", field.key, cell(&explained(field)));
        }
        self.text += "\n";
    }

    fn choice(&mut self, choice: &Choice) {
        self.heading(choice.name, &choice.doc, false);
        self.text += "Exactly one of these keys:\n\n| key | value | |\n| --- | --- | --- |\n";
        for arm in &choice.arms {
            // Each fault has a page of its own.
            let value = match choice.name == FaultSpec::choice().name {
                true => format!("[its parameters](../faults/{}.md)", arm.key),
                false => self.value(&arm.shape),
            };
            let _ = writeln!(self.text, "| `{}` | {value} | {} |", arm.key, cell(&arm.doc));
        }
        self.text += "\n";
    }

    fn words(&mut self, words: &Words) {
        self.heading(words.name, &words.doc, false);
        self.text += "| word | what it means |\n| --- | --- |\n";
        for (word, doc) in &words.words {
            let _ = writeln!(self.text, "| `{word}` | {} |", cell(doc));
        }
        self.text += "\n";
    }

    /// What may stand in a place, with a link to its own section; that is written later.
    fn value(&mut self, shape: &Shape) -> String {
        match shape {
            Shape::Leaf(leaf) => match leaf.examples {
                [] | ["..."] => leaf.name.to_owned(),
                examples => {
                    // Sentences are long, and have a page of their own.
                    let few = if examples.iter().any(|example| example.len() > 20) { 1 } else { 3 };
                    let shown: Vec<String> = examples.iter().take(few).map(|example| format!("`{example}`")).collect();
                    format!("{}: {}", leaf.name, shown.join(", "))
                }
            },
            Shape::List(items) => format!("a list; each: {}", self.value(items)),
            Shape::Map { key, value } => format!("a mapping of {} to {}", key.name, self.value(value)),
            Shape::Either(shapes) => shapes.iter().map(|shape| self.value(shape)).collect::<Vec<_>>().join("; or "),
            Shape::Words(words) => self.link(words().name, shape),
            Shape::Record(record) => self.link(record().name, shape),
            Shape::Choice(choice) => self.link(choice().name, shape),
        }
    }

    fn link(&mut self, name: &'static str, shape: &Shape) -> String {
        if self.known.insert(name) {
            self.next.push(shape.clone());
        }
        let heading = heading(name);
        format!("[{heading}](#{})", heading.replace(' ', "-"))
    }
}

/// `HypothesisItem` is the section `hypothesis item`.
fn heading(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

fn explained(field: &Field) -> String {
    match &field.presence {
        Presence::Required => format!("{} **Required.**", field.doc),
        Presence::OneOf => format!("{} *Exactly one of these.*", field.doc),
        Presence::Optional => field.doc.clone(),
        Presence::Default(_) => match field.presence.default_text() {
            Some(default) => format!("{} *Default: `{default}`.*", field.doc),
            None => field.doc.clone(),
        },
    }
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}
