//! What each role sees of a day. A view is made for a role and holds nothing else: what is hidden from a role is not in it
//! (DESIGN rule 28).
//!
//! Invariant: before an item is released, only facilitators and observers have anything of it; scenarios, expectations, hints and
//! experiments are never in a responder's view.

use schemars::JsonSchema;
use serde::Serialize;

use super::day::{Day, Fault, Progress};
use super::event::{Finding, Outcome, Phase, ScenarioEnd};
use super::role::{Actor, Role};
use super::runbook::Scenario;
use super::spec::{Field, ItemKind};
use crate::units::Time;

/// What one role sees.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct View {
    /// Version of this form.
    pub format: u32,
    /// For whom it is made.
    pub role: String,
    pub title: String,
    pub phase: String,
    pub paused: bool,
    /// Why the day was aborted, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aborted: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub briefing: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dashboards: Vec<String>,
    /// Everything that was released to this role, in the order of time.
    pub messages: Vec<Message>,
    /// What responders said.
    pub said: Vec<StatementView>,
    /// The questions of the debrief, once it has begun.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<String>,
    /// Facilitators, observers, scribes and safety monitors have notes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<NoteView>,
    /// For the safety monitor, and for those who see everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safety: Option<Safety>,
    /// For those who see everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead: Option<Lead>,
}

/// Something that was released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Message {
    pub at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

/// What a responder said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StatementView {
    pub at: Time,
    pub person: String,
    pub agent: bool,
    pub says: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// A note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NoteView {
    pub number: u64,
    pub at: Time,
    pub person: String,
    pub agent: bool,
    pub text: String,
    pub corrected: bool,
}

/// What a safety monitor has to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Safety {
    /// When people abort.
    pub abort_when: Vec<String>,
    /// The state of the fault, in a sentence.
    pub fault: String,
    pub fault_in_place: bool,
    pub alarms: Vec<String>,
}

/// What those see who see everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Lead {
    pub goal: String,
    pub people: Vec<String>,
    pub checks: Vec<CheckView>,
    pub scenarios: Vec<ScenarioView>,
    /// The commands that help now, as they are typed.
    pub next: Vec<String>,
}

/// A readiness check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CheckView {
    pub check: String,
    pub finding: String,
    pub detail: String,
}

/// A scenario with everything that is hidden from others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ScenarioView {
    pub number: usize,
    pub title: String,
    pub state: String,
    pub hypothesis: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
    pub fault: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub about: String,
    pub alarms: Vec<String>,
    pub expectations: Vec<ExpectationView>,
    pub hints: Vec<HintView>,
    pub items: Vec<ItemView>,
}

/// An expectation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ExpectationView {
    pub name: String,
    pub text: String,
    pub within: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

/// A hint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HintView {
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released: Option<Time>,
}

/// An item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ItemView {
    pub name: String,
    pub kind: String,
    pub when: String,
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    pub enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released: Option<Time>,
    /// How much later than its moment, where that is more than half a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

/// What squall asks of everybody who took part, after the questions of the runbook.
pub const SURVEY: [&str; 5] = [
    "From 1 to 5: how much did you learn today?",
    "From 1 to 5: how real did it feel?",
    "What should we do again, and what not?",
    "Was there a moment at which you did not know what to do, or felt unsafe?",
    "What should the next game day be about?",
];

impl Day {
    /// The questions of the debrief: the runbook's, then those about the day itself.
    pub fn questions(&self) -> Vec<String> {
        self.runbook.debrief.iter().cloned().chain(SURVEY.map(str::to_owned)).collect()
    }

    /// The day as a role sees it.
    pub fn view(&self, role: Role) -> View {
        let front = &self.runbook.front;
        let sees_all = matches!(role, Role::Facilitator | Role::Observer);
        View {
            format: 1,
            role: role.word().into(),
            title: front.title.clone(),
            phase: self.phase.word().into(),
            paused: self.paused.is_some(),
            aborted: self.aborted.as_ref().map(|(_, why, by)| format!("{}: {why}", shown(by))),
            briefing: self.runbook.briefing.clone(),
            dashboards: front.dashboards.iter().map(|link| link.0.clone()).collect(),
            messages: self.messages(role),
            said: self.statements(),
            questions: if self.phase >= Phase::Debrief { self.questions() } else { Vec::new() },
            notes: if role == Role::Responder { Vec::new() } else { self.note_views() },
            safety: (sees_all || role == Role::SafetyMonitor).then(|| self.safety()),
            lead: sees_all.then(|| self.lead(role)),
        }
    }

    fn messages(&self, role: Role) -> Vec<Message> {
        let mut messages = Vec::new();
        for (scenario, progress) in self.runbook.scenarios.iter().zip(&self.scenarios) {
            for item in &scenario.spec.items {
                let Some(release) = progress.released.get(&item.name.0) else { continue };
                if !item.receives(role) {
                    continue;
                }
                let field = |field| item.shows(field, role);
                let outcome = progress.settled.get(&item.name.0).map(|settled| settled.outcome.word().to_owned());
                messages.push(Message {
                    at: release.stamp.at,
                    from: item.from.clone().filter(|_| field(Field::From)),
                    text: field(Field::Text).then(|| item.text.clone()),
                    expected: item.expected.clone().filter(|_| field(Field::Expected)),
                    when: field(Field::When).then(|| item.when.to_string()),
                    outcome: outcome.filter(|_| field(Field::Outcome)),
                });
            }
            for (hint, at) in scenario.spec.hints.iter().zip(&progress.hints) {
                let (from, text) = (Some("the facilitator, as a hint".into()), Some(hint.clone()));
                messages.push(Message { at: *at, from, text, expected: None, when: None, outcome: None });
            }
        }
        messages.sort_by_key(|message| message.at);
        messages
    }

    fn statements(&self) -> Vec<StatementView> {
        let statement = |said: &super::day::Said| StatementView {
            at: said.at,
            person: said.by.person.0.clone(),
            agent: said.by.agent,
            says: said.statement.sentence().into(),
            text: said.text.clone(),
        };
        self.said.iter().map(statement).collect()
    }

    fn note_views(&self) -> Vec<NoteView> {
        let note = |note: &super::day::Note| NoteView {
            number: note.number,
            at: note.at,
            person: note.by.person.0.clone(),
            agent: note.by.agent,
            text: note.text.clone(),
            corrected: !note.before.is_empty(),
        };
        self.notes.iter().map(note).collect()
    }

    fn safety(&self) -> Safety {
        let working = self.scenarios.iter().find(|progress| progress.fault.at_work());
        let mut alarms = std::collections::BTreeMap::new();
        for change in &self.alarms {
            alarms.insert(&change.alarm, change.firing);
        }
        Safety {
            abort_when: self.runbook.front.abort.clone(),
            fault: working.map_or_else(|| "no fault is at work".to_owned(), |progress| sentence(&progress.fault)),
            fault_in_place: working.is_some_and(|progress| progress.fault.in_place()),
            alarms: alarms.into_iter().filter(|(_, firing)| *firing).map(|(alarm, _)| alarm.clone()).collect(),
        }
    }

    fn lead(&self, role: Role) -> Lead {
        let check = |(check, found): (&String, &super::day::Check)| CheckView {
            check: check.clone(),
            finding: finding(found.finding).into(),
            detail: found.detail.clone(),
        };
        let scenarios = self.runbook.scenarios.iter().zip(&self.scenarios).enumerate();
        Lead {
            goal: self.runbook.front.goal.clone(),
            people: self
                .people
                .iter()
                .map(|(person, (role, agent))| format!("{person}: {role}{}", if *agent { " (an agent)" } else { "" }))
                .collect(),
            checks: self.checks.iter().map(check).collect(),
            scenarios: scenarios
                .map(|(index, (scenario, progress))| view_of(index, scenario, progress, role))
                .collect(),
            next: if role == Role::Facilitator { self.helps_now() } else { Vec::new() },
        }
    }

    /// The commands that help now, most useful first.
    fn helps_now(&self) -> Vec<String> {
        let open = self.open_scenario();
        let words: &[&str] = match (self.phase, open, self.paused) {
            (Phase::Closed, ..) => &[],
            (Phase::GoNoGo, ..) => &["go", "no-go REASON", "abort REASON"],
            (Phase::Scenarios, _, Some(_)) => &["resume", "release ITEM", "end REASON", "abort REASON"],
            (Phase::Scenarios, Some(_), None) => &[
                "hint",
                "release ITEM",
                "confirm NAME",
                "skip NAME",
                "pause",
                "shift 5m",
                "stop",
                "next",
                "abort REASON",
            ],
            (Phase::Scenarios, None, None) if self.fault_at_work() => &["status", "end REASON", "abort REASON"],
            (Phase::Scenarios, None, None) => &["next", "skip-scenario", "end REASON", "abort REASON"],
            (Phase::Debrief, ..) => &["answer TEXT", "next"],
            (Phase::Actions, ..) => &["action OWNER TEXT", "next"],
            (Phase::Briefing | Phase::Readiness | Phase::AllClear, ..) => &["next", "abort REASON"],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }
}

fn view_of(index: usize, scenario: &Scenario, progress: &Progress, role: Role) -> ScenarioView {
    let outcome =
        |name: &super::role::ItemName| progress.settled.get(name).map(|settled| settled.outcome.word().to_owned());
    let spec = &scenario.spec;
    let expectation = |it: &super::spec::ExpectationSpec| ExpectationView {
        name: it.name.0.to_string(),
        text: it.text.clone(),
        within: it.within.to_string(),
        outcome: outcome(&it.name.0),
    };
    let item = |it: &super::spec::ItemSpec| {
        let release = progress.released.get(&it.name.0);
        ItemView {
            name: it.name.0.to_string(),
            kind: it.kind.word().into(),
            when: it.when.to_string(),
            text: it.text.clone(),
            expected: it.expected.clone(),
            enabled: it.enabled,
            released: release.map(|release| release.stamp.at),
            late: release.filter(|it| it.late > crate::units::Span::ZERO).map(|it| it.late.rounded().to_string()),
            outcome: outcome(&it.name.0),
        }
    };
    let hints = spec.hints.iter().enumerate();
    // What is for the facilitator alone is not even named to others.
    let for_role = |it: &&super::spec::ItemSpec| role == Role::Facilitator || it.kind != ItemKind::Facilitation;
    ScenarioView {
        number: index + 1,
        title: scenario.title.clone(),
        state: state(progress).into(),
        hypothesis: spec.hypothesis.clone(),
        experiment: spec.experiment.as_ref().map(|name| name.0.clone()),
        fault: sentence(&progress.fault),
        about: scenario.prose.clone(),
        alarms: spec.alarms.clone(),
        expectations: spec.expectations.iter().map(expectation).collect(),
        hints: hints
            .map(|(at, text)| HintView { text: text.clone(), released: progress.hints.get(at).copied() })
            .collect(),
        items: spec.items.iter().filter(for_role).map(item).collect(),
    }
}

fn state(progress: &Progress) -> &'static str {
    match (&progress.began, &progress.ended) {
        (_, Some((_, how))) => how.word(),
        (Some(_), None) => "at work",
        (None, None) => "to come",
    }
}

/// How a readiness check reads.
pub fn finding(finding: Finding) -> &'static str {
    match finding {
        Finding::Passed => "ok",
        Finding::Failed => "not ok",
        Finding::Unknown => "could not be checked",
    }
}

/// An actor, for people.
pub fn shown(actor: &Actor) -> String {
    format!("{}{}", actor.person, if actor.agent { " (an agent)" } else { "" })
}

/// How a fault is, in a sentence.
pub fn sentence(fault: &Fault) -> String {
    let Some((_, run)) = &fault.due else { return "no fault yet".into() };
    if let Some(why) = &fault.refused {
        return format!("the run did not begin: {why}");
    }
    if let Some(ended) = &fault.ended {
        let left = if ended.left.is_empty() { "everything is as it was" } else { "SOMETHING WAS LEFT CHANGED" };
        return format!("{run} ended {}; {left}", ended.verdict);
    }
    match (&fault.gone, &fault.stopping, &fault.effective) {
        (Some(_), ..) => format!("{run} has rolled back, and watches the recovery"),
        (None, Some((_, why)), _) => format!("{run} was told to stop: {}", why.word()),
        (None, None, Some((since, _))) => format!("{run} has a fault in place that works since {}", since.at),
        (None, None, None) => {
            format!("{run} is under way: it takes its baseline, or its fault is in place and has not shown yet")
        }
    }
}

impl ScenarioEnd {
    /// Whether the scenario was played at all.
    pub const fn was_played(self) -> bool {
        !matches!(self, ScenarioEnd::Skipped)
    }
}

impl Outcome {
    /// Whether what was expected was done.
    pub const fn is_good(self) -> bool {
        matches!(self, Outcome::Succeeded | Outcome::Completed)
    }
}
