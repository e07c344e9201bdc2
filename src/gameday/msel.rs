//! The master scenario events list: a runbook's items as CSV, for people who plan exercises in spreadsheets.
//!
//! Its columns follow the Homeland Security Exercise and Evaluation Program: number, time, synopsis, inject, who controls it, who
//! receives it, what is expected.

use super::role::Role;
use super::runbook::Runbook;
use super::spec::ItemKind;

const HEAD: [&str; 9] = ["number", "scenario", "name", "when", "kind", "from", "text", "to", "expected"];

/// The list of a runbook.
pub fn write(runbook: &Runbook) -> String {
    let mut text = HEAD.join(",") + "\r\n";
    let mut number = 0;
    for scenario in &runbook.scenarios {
        for item in &scenario.spec.items {
            number += 1;
            let to: Vec<&str> = Role::ALL.into_iter().filter(|role| item.receives(*role)).map(Role::word).collect();
            let row = [
                number.to_string(),
                scenario.title.clone(),
                item.name.0.to_string(),
                item.when.to_string(),
                item.kind.word().to_owned(),
                item.from.clone().unwrap_or_default(),
                item.text.clone(),
                to.join(" "),
                item.expected.clone().unwrap_or_default(),
            ];
            text += &(row.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",") + "\r\n");
        }
    }
    text
}

/// A cell as RFC 4180 wants it. One that a spreadsheet would take for a formula begins with an apostrophe.
fn quoted(cell: &str) -> String {
    let cell = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() };
    match cell.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    }
}

/// One row of a list that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    pub scenario: String,
    pub when: String,
    pub kind: String,
    pub from: String,
    pub text: String,
    pub expected: String,
}

/// Reads a list: by the names of its columns, in any order. Columns that it does not have are empty.
///
/// # Errors
/// The line that cannot be read, and why.
pub fn read(text: &str) -> Result<Vec<Row>, String> {
    let mut rows = cells(text)?.into_iter();
    let head: Vec<String> =
        rows.next().ok_or("the list is empty")?.iter().map(|name| name.trim().to_lowercase()).collect();
    let column = |names: &[&str]| head.iter().position(|name| names.contains(&name.as_str()));
    let text_at = column(&["text", "inject", "event", "event synopsis", "synopsis", "description"])
        .ok_or("no column is called `text`, `inject` or `event`")?;
    let (scenario, when) = (column(&["scenario"]), column(&["when", "time", "offset"]));
    let (kind, from) = (column(&["kind", "type"]), column(&["from", "sender"]));
    let expected = column(&["expected", "expected response", "expected action", "expected player response"]);
    let mut found = Vec::new();
    for row in rows {
        let cell =
            |at: Option<usize>| at.and_then(|at| row.get(at)).map_or_else(String::new, |cell| unquoted(cell.trim()));
        let text = cell(Some(text_at));
        if !text.is_empty() {
            let (scenario, when, kind) = (cell(scenario), cell(when), cell(kind));
            found.push(Row { scenario, when, kind, from: cell(from), text, expected: cell(expected) });
        }
    }
    Ok(found)
}

fn unquoted(cell: &str) -> String {
    let formula = |rest: &&str| rest.starts_with(['=', '+', '-', '@']);
    cell.strip_prefix('\'').filter(formula).unwrap_or(cell).to_owned()
}

/// The cells of RFC 4180.
fn cells(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut rows = Vec::new();
    let (mut row, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    // Spreadsheets of some countries write semicolons; the first line tells.
    let separator = if text.lines().next().is_some_and(|line| line.contains(',')) { ',' } else { ';' };
    let mut letters = text.trim_start_matches('\u{feff}').chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if cell.is_empty() => quoted = true,
            letter if letter == separator && !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell).trim_end_matches('\r').to_owned());
                rows.push(std::mem::take(&mut row));
            }
            letter => cell.push(letter),
        }
    }
    if quoted {
        return Err(format!("row {}: a quotation mark is not closed", rows.len() + 1));
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows.retain(|row| row.iter().any(|cell| !cell.trim().is_empty()));
    Ok(rows)
}

impl Row {
    /// The kind of item that it means: an inject, where it says nothing that is known.
    pub fn item_kind(&self) -> ItemKind {
        match self.kind.to_lowercase().as_str() {
            "information" => ItemKind::Information,
            "facilitation" | "administrative" => ItemKind::Facilitation,
            "contingency" => ItemKind::Contingency,
            _ => ItemKind::Inject,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::Source;

    #[test]
    fn a_list_goes_out_and_comes_in() {
        let text = "---\nversion: 1\ntitle: A\ngoal: B\nlasts: 1h\nroles: { facilitator: 1, responder: 1 }\n---\n## Briefing\n\
            ## Readiness\n## Scenarios\n### One\n```yaml\nhypothesis: H\nlongest: 5m\nitems:\n  - { name: a, kind: inject, when: 3m, \
            text: '=HYPERLINK(\"x\"), and more', expected: 'two\n\n    lines' }\n```\n## Debrief\n";
        let (runbook, findings) = Runbook::read(&Source::new("x.md", text));
        let runbook = runbook.unwrap_or_else(|| panic!("{}", findings.render(crate::yaml::Style::Plain)));
        let list = write(&runbook);
        assert!(list.contains("\"'=HYPERLINK"), "{list}");
        let rows = read(&list).unwrap();
        assert_eq!(rows[0].text, "=HYPERLINK(\"x\"), and more");
        assert_eq!((rows[0].when.as_str(), rows[0].expected.as_str(), rows.len()), ("3m", "two\nlines", 1));
        assert_eq!(read("when;text\n3m;Hello, you\n").unwrap()[0].text, "Hello, you");
        assert!(read("a,b\n1,2\n").unwrap_err().contains("no column"));
        assert!(read("text\n\"open\n").unwrap_err().contains("not closed"));
    }
}
