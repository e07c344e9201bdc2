//! A runbook: a Markdown file that reads well by itself, with YAML front matter and a YAML block in each scenario.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::role::{Actor, ItemName, Person, Role};
use super::spec::{ConfirmedBy, ExpectationSpec, Field, Front, ItemKind, ItemSpec, PersonSpec, ScenarioSpec};
use super::when::{From, Happened, When};
use crate::units::Span;
use crate::yaml::read::closest;
use crate::yaml::shape::listed;
use crate::yaml::source::Place;
use crate::yaml::tree::parse_part;
use crate::yaml::{Code, Finding, Findings, FromNode, Loaded, Source};

/// A runbook without errors.
#[derive(Clone, Debug)]
pub struct Runbook {
    pub source: Arc<Source>,
    pub front: Front,
    /// What everybody reads at the start.
    pub briefing: String,
    /// What people check by hand before the start.
    pub readiness: Vec<String>,
    pub scenarios: Vec<Scenario>,
    /// Questions of the hot debrief.
    pub debrief: Vec<String>,
}

/// One scenario of a runbook.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub title: String,
    /// What the facilitator should know about it.
    pub prose: String,
    pub spec: ScenarioSpec,
    /// Its heading.
    pub at: Place,
    /// Places of its alarms and of the name of its experiment.
    pub experiment_at: Place,
    pub alarms_at: Place,
}

impl Scenario {
    /// An item by its name.
    pub fn item(&self, name: &ItemName) -> Option<&ItemSpec> {
        self.spec.items.iter().find(|item| item.name.0 == *name)
    }

    /// An expectation by its name.
    pub fn expectation(&self, name: &ItemName) -> Option<&ExpectationSpec> {
        self.spec.expectations.iter().find(|expectation| expectation.name.0 == *name)
    }
}

impl ItemSpec {
    /// Whether a role sees a field of the item once it is released. The facilitator sees everything, always.
    pub fn shows(&self, field: Field, role: Role) -> bool {
        if role == Role::Facilitator {
            return true;
        }
        if !self.receives(role) {
            return false;
        }
        match (self.shown.get(&field), field) {
            (Some(roles), _) => roles.contains(&role),
            (None, Field::Text | Field::From) => true,
            (None, Field::Expected | Field::When | Field::Outcome) => role == Role::Observer,
        }
    }

    /// Whether a role receives the item when it is released.
    pub fn receives(&self, role: Role) -> bool {
        match (&self.to, self.kind) {
            _ if role == Role::Facilitator => true,
            (Some(roles), _) => {
                roles.contains(&role) || (role == Role::Observer && self.kind != ItemKind::Facilitation)
            }
            (None, ItemKind::Facilitation) => false,
            (None, _) => true,
        }
    }
}

impl Runbook {
    /// Reads a text. Without errors there is a runbook.
    pub fn read(source: &Arc<Source>) -> (Option<Runbook>, Findings) {
        let (runbook, findings) = Runbook::look(source);
        (runbook.filter(|_| !findings.has_errors()), findings)
    }

    /// What could be read of a text, with or without errors, to look for more of them in it.
    pub fn look(source: &Arc<Source>) -> (Option<Runbook>, Findings) {
        let mut reading = Reading { source, findings: Findings::default() };
        let runbook = reading.runbook();
        let mut findings = reading.findings;
        findings.sort();
        (runbook, findings)
    }

    /// The people that it names.
    pub fn people(&self) -> Vec<Actor> {
        let actor = |(person, spec): (&Person, &PersonSpec)| Actor {
            person: person.clone(),
            role: spec.role,
            agent: spec.agent,
        };
        self.front.people.iter().map(actor).collect()
    }
}

/// A heading, and what stands below it.
struct Section {
    title: String,
    at: Place,
    body: Place,
}

struct Reading<'a> {
    source: &'a Arc<Source>,
    findings: Findings,
}

/// The sections of a runbook, each with what to write in it.
const SECTIONS: [(&str, &str); 4] = [
    ("Briefing", "what everybody hears at the start"),
    ("Readiness", "a list of what people check by hand"),
    ("Scenarios", "one `### Title` with a ```yaml block for each scenario"),
    ("Debrief", "a list of questions"),
];

impl Reading<'_> {
    fn report(&mut self, code: Code, at: Place, what: impl Into<String>, help: impl Into<String>) {
        self.findings.push(Finding::new(code, self.source, at, what).help(help));
    }

    fn runbook(&mut self) -> Option<Runbook> {
        let front = self.front();
        let start = front.as_ref().map_or(0, |(_, end)| *end);
        let sections = self.sections(Place::new(start, self.source.text.len()), "## ");
        for (index, section) in sections.iter().enumerate() {
            let known = || SECTIONS.iter().map(|(name, _)| *name);
            if !known().any(|name| name == section.title) {
                let help = match closest(&section.title, known()) {
                    Some(close) => format!("did you mean `{close}`?"),
                    None => format!("the sections are {}", listed(known())),
                };
                self.report(Code::RunbookSection, section.at, format!("unknown section `{}`", section.title), help);
            } else if sections[..index].iter().any(|other| other.title == section.title) {
                let what = format!("there are two sections `{}`", section.title);
                self.report(Code::RunbookSection, section.at, what, "make one of them");
            }
        }
        let mut found = SECTIONS.map(|(name, _)| sections.iter().find(|section| section.title == name));
        for ((name, holds), section) in SECTIONS.iter().zip(&found) {
            if section.is_none() {
                let end = self.source.text.len();
                let help = format!("add `## {name}` with {holds}");
                self.report(
                    Code::RunbookSection,
                    Place::new(end, end),
                    format!("the section `{name}` is missing"),
                    help,
                );
            }
        }
        let [briefing, readiness, scenarios, debrief] = std::mem::take(&mut found);
        let text = |section: Option<&Section>| section.map(|section| self.source.slice(section.body).trim().to_owned());
        let bullets =
            |section: Option<&Section>| section.map_or_else(Vec::new, |it| bullets(self.source.slice(it.body)));
        let (briefing, readiness, debrief) = (text(briefing), bullets(readiness), bullets(debrief));
        let scenarios = scenarios.map_or_else(Vec::new, |section| self.scenarios(section));
        let (front, _) = front?;
        self.check_people(&front);
        Some(Runbook {
            source: self.source.clone(),
            front: front.value,
            briefing: briefing.unwrap_or_default(),
            readiness,
            scenarios,
            debrief,
        })
    }

    /// The front matter, and where it ends.
    fn front(&mut self) -> Option<(Loaded<Front>, usize)> {
        let text = &self.source.text;
        let start = text.find('\n').map_or(text.len(), |newline| newline + 1);
        let ends = |from: usize| {
            let mut at = from;
            text[from..].split_inclusive('\n').find_map(|line| {
                let here = at;
                at += line.len();
                (line.trim_end() == "---").then_some((here, at))
            })
        };
        let Some((end, after)) =
            ends(start).filter(|_| text.lines().next().is_some_and(|line| line.trim_end() == "---"))
        else {
            let what = "a runbook begins with front matter between two lines `---`";
            self.report(
                Code::RunbookSection,
                Place::new(0, 0),
                what,
                "write `---`, then `version: 1`, `title: ...`, `---`",
            );
            return None;
        };
        let loaded = self.yaml::<Front>(Place::new(start, end))?;
        Some((loaded, after))
    }

    fn yaml<T: FromNode>(&mut self, part: Place) -> Option<Loaded<T>> {
        let (tree, findings) = parse_part(self.source, part);
        let Some(tree) = tree else {
            self.findings.append(findings);
            return None;
        };
        let (loaded, findings) = Loaded::from_tree(self.source, tree, findings);
        self.findings.append(findings);
        loaded
    }

    /// The headings of one level in a part of the text, with what stands below each. Lines in fences are no headings.
    fn sections(&self, part: Place, level: &str) -> Vec<Section> {
        let mut sections: Vec<Section> = Vec::new();
        let (mut at, mut fenced) = (part.start, false);
        for line in self.source.slice(part).split_inclusive('\n') {
            let here = Place::new(at, at + line.trim_end().len());
            at += line.len();
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
            }
            match line.strip_prefix(level) {
                Some(title) if !fenced => {
                    if let Some(before) = sections.last_mut() {
                        before.body.end = here.start;
                    }
                    sections.push(Section { title: title.trim().to_owned(), at: here, body: Place::new(at, part.end) });
                }
                _ => {}
            }
        }
        sections
    }

    fn scenarios(&mut self, section: &Section) -> Vec<Scenario> {
        let parts = self.sections(section.body, "### ");
        if parts.is_empty() {
            self.report(
                Code::RunbookSection,
                section.at,
                "there is no scenario",
                "add `### Title` and a ```yaml block",
            );
        }
        parts.iter().filter_map(|part| self.scenario(part)).collect()
    }

    fn scenario(&mut self, part: &Section) -> Option<Scenario> {
        let body = self.source.slice(part.body);
        // A fence is a line of its own, with either end of line.
        let opens = body.find("```yaml").and_then(|at| Some((at, at + body[at..].find('\n')? + 1)));
        let closes = |from: usize| Some(from + body[from..].find("\n```")? + 1);
        let Some((opens, from, to)) = opens.and_then(|(at, from)| Some((at, from, closes(from)?))) else {
            let what = format!("the scenario `{}` has no block of YAML", part.title);
            self.report(
                Code::RunbookSection,
                part.at,
                what,
                "add a block between ```yaml and ``` with `hypothesis` and `longest`",
            );
            return None;
        };
        let prose = format!("{}\n{}", &body[..opens], body[to..].trim_start_matches('`'));
        let loaded = self.yaml::<ScenarioSpec>(part.body.part(from, to))?;
        self.check(&loaded);
        Some(Scenario {
            title: part.title.clone(),
            prose: prose.trim().to_owned(),
            experiment_at: loaded.place("experiment"),
            alarms_at: loaded.place("alarms"),
            spec: loaded.value,
            at: part.at,
        })
    }

    /// What the items and expectations of one scenario mean together.
    fn check(&mut self, loaded: &Loaded<ScenarioSpec>) {
        let spec = &loaded.value;
        let mut names: BTreeMap<&ItemName, Place> = BTreeMap::new();
        let expectations =
            spec.expectations.iter().enumerate().map(|(i, it)| (&it.name.0, format!("expectations/{i}/name")));
        let items = spec.items.iter().enumerate().map(|(i, it)| (&it.name.0, format!("items/{i}/name")));
        for (name, path) in expectations.chain(items) {
            let at = loaded.place(&path);
            if let Some(first) = names.insert(name, at) {
                let what = format!("two things of this scenario are called `{name}`");
                let finding = loaded.finding(Code::RepeatedItem, at, what).also(first, "the other one");
                self.findings.push(finding.help("rename one of them"));
            }
        }
        if spec.longest == Span::ZERO {
            self.report(Code::Zero, loaded.place("longest"), "a scenario must last", "write for example `40m`");
        }
        self.check_when(&spec.starts, None, loaded, &loaded.place("starts"));
        for (index, item) in spec.items.iter().enumerate() {
            let at = |key: &str| loaded.place(&format!("items/{index}/{key}"));
            self.check_when(&item.when, Some(&item.name.0), loaded, &at("when"));
            let by_time = item.when.causes().iter().any(|cause| !matches!(cause.from, From::Item(..)));
            if item.kind == ItemKind::Contingency && by_time {
                let help = "write `by hand`, or what the team did or did not do: `noticed expires`";
                self.report(Code::NeverReleased, at("when"), "a contingency is not released by time", help);
            }
            if item.kind == ItemKind::Facilitation && item.to.is_some() {
                let help = "remove `to`, or make it an `inject`";
                self.report(Code::WrongRole, at("to"), "a facilitation item is for the facilitator alone", help);
            }
        }
        for (index, expectation) in spec.expectations.iter().enumerate() {
            let at = loaded.place(&format!("expectations/{index}/confirmed_by"));
            match &expectation.confirmed_by {
                ConfirmedBy::Role(Role::Responder) => {
                    let help = "name another role, or write `responders_say`";
                    self.report(Code::WrongRole, at, "a responder would see what is expected", help);
                }
                ConfirmedBy::Alarm(alarm) if !spec.alarms.contains(alarm) => {
                    let help = format!("add it: `alarms: [{alarm}]`");
                    self.report(Code::UnknownItem, at, format!("`{alarm}` is not among the scenario's alarms"), help);
                }
                _ => {}
            }
        }
        self.check_circles(loaded);
    }

    fn check_when(&mut self, when: &When, own: Option<&ItemName>, loaded: &Loaded<ScenarioSpec>, at: &Place) {
        let spec = &loaded.value;
        let items = || spec.items.iter().map(|item| &item.name.0);
        let expectations = || spec.expectations.iter().map(|expectation| &expectation.name.0);
        for cause in when.causes() {
            match &cause.from {
                From::Item(name, happened) => {
                    if own == Some(name) {
                        self.report(
                            Code::NeverReleased,
                            *at,
                            "it waits for itself",
                            "name another item, or write `by hand`",
                        );
                    } else if !items().chain(expectations()).any(|known| known == name) {
                        let known = || items().chain(expectations()).map(|name| name.0.as_str());
                        let help = match closest(&name.0, known()) {
                            Some(close) => format!("did you mean `{close}`?"),
                            None => "name an item or an expectation of this scenario".into(),
                        };
                        self.report(Code::UnknownItem, *at, format!("there is no `{name}` in this scenario"), help);
                    } else if *happened == Happened::Released && expectations().any(|known| known == name) {
                        let help = "write `succeeds`, `fails`, `completes` or `expires`";
                        self.report(
                            Code::NeverReleased,
                            *at,
                            format!("`{name}` is an expectation, and never released"),
                            help,
                        );
                    } else if let Some(item) = spec.items.iter().find(|item| item.name.0 == *name)
                        && *happened == Happened::Expires
                        && item.expires.is_none()
                    {
                        let help = format!("give `{name}` an `expires`, or wait for `{name} is released`");
                        self.report(Code::NeverReleased, *at, format!("`{name}` never expires"), help);
                    }
                }
                From::FaultEffective | From::FaultGone if spec.experiment.is_none() => {
                    let help = "name an `experiment`, or count from the scenario: `3m`";
                    self.report(Code::NeverReleased, *at, "this scenario has no fault", help);
                }
                From::Scenario | From::FaultEffective | From::FaultGone => {}
            }
        }
    }

    /// Items that wait for each other, so that none of them is ever released.
    fn check_circles(&mut self, loaded: &Loaded<ScenarioSpec>) {
        let spec = &loaded.value;
        let waits_for = |name: &ItemName| {
            let item = spec.items.iter().find(|item| item.name.0 == *name);
            let causes = item.map_or(&[][..], |item| item.when.causes());
            causes.iter().filter_map(|cause| if let From::Item(name, _) = &cause.from { Some(name) } else { None })
        };
        for (index, item) in spec.items.iter().enumerate() {
            let own = &item.name.0;
            let mut open: Vec<&ItemName> = waits_for(own).filter(|name| *name != own).collect();
            let mut seen: Vec<&ItemName> = Vec::new();
            while let Some(name) = open.pop() {
                if name == own {
                    let at = loaded.place(&format!("items/{index}/when"));
                    let help = "let one of them wait for a time, or write `by hand`";
                    self.report(Code::NeverReleased, at, format!("`{own}` waits for what waits for it"), help);
                    break;
                }
                if !seen.contains(&name) {
                    seen.push(name);
                    open.extend(waits_for(name));
                }
            }
        }
    }

    fn check_people(&mut self, front: &Loaded<Front>) {
        for needed in [Role::Facilitator, Role::Responder] {
            if front.value.roles.get(&needed).is_none_or(|least| *least == 0) {
                let what = format!("a game day needs a {needed}");
                self.report(Code::WrongRole, front.key_place("roles"), what, format!("add `{}: 1`", needed.word()));
            }
        }
    }
}

/// The items of a Markdown list, without their boxes.
fn bullets(text: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("- ") {
            Some(item) => items.push(item.trim_start_matches("[ ] ").trim().to_owned()),
            None if line.starts_with("  ") => {
                if let Some(item) = items.last_mut() {
                    *item = format!("{item} {}", line.trim());
                }
            }
            None => {}
        }
    }
    items
}
