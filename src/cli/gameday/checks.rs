//! Readiness: what squall checks by itself before anything is broken.

use std::collections::BTreeMap;

use super::rehearse;
use crate::cli::{Context, Failure, accounts};
use crate::conductor::script::Responders;
use crate::gameday::command::World;
use crate::gameday::day::Day;
use crate::gameday::event::{Finding, ScenarioEnd};
use crate::gameday::role::{Actor, Role};
use crate::gameday::runbook::Runbook;
use crate::ids::DayId;
use crate::project::AccountSpec;
use crate::spec::load::ProjectFiles;

/// The checks before a new day; none before one that goes on.
pub fn before(
    runbook: &Runbook,
    people: &[Actor],
    new: bool,
    rehearsed: bool,
    context: &mut Context,
) -> Result<Vec<World>, Failure> {
    if !new {
        return Ok(Vec::new());
    }
    let mut found = vec![roles(runbook, people), dashboards(runbook)];
    let (files, _) = ProjectFiles::open(&context.project.root);
    if let Some(files) = &files {
        found.push(stop_conditions(runbook, files));
        found.extend(alarms(runbook, files));
    }
    if !rehearsed {
        let why = "it was not asked for";
        found.push(checked("rollback works in a rehearsal on the sandbox", Finding::Unknown, why));
        return Ok(found);
    }
    context
        .output
        .err
        .line("rehearsing every scenario on the sandbox, to see that it is rolled back and that its alarms fire");
    let id = DayId("rehearsal".into());
    match rehearse::rehearse(runbook, &id, Responders::Absent, 1, context, &mut |_, _| {}) {
        Ok(rehearsed) => found.extend(rehearsal(&rehearsed.day)),
        Err(why) => found.push(checked("rollback works in a rehearsal on the sandbox", Finding::Unknown, why.what)),
    }
    Ok(found)
}

fn checked(check: &str, finding: Finding, detail: impl Into<String>) -> World {
    World::Checked { check: check.into(), finding, detail: detail.into() }
}

fn roles(runbook: &Runbook, people: &[Actor]) -> World {
    let missing: Vec<String> = runbook
        .front
        .roles
        .iter()
        .filter_map(|(role, least)| {
            let has = people.iter().filter(|actor| actor.role == *role).count();
            (has < *least as usize).then(|| format!("{role}: {has} of {least}"))
        })
        .collect();
    let mut names = BTreeMap::new();
    people.iter().for_each(|actor| *names.entry(&actor.person).or_insert(0) += 1);
    let twice: Vec<String> =
        names.iter().filter(|(_, roles)| **roles > 1).map(|(person, _)| format!("{person} has two roles")).collect();
    let problems = [missing, twice].concat();
    let agents = people.iter().filter(|actor| actor.agent && actor.role == Role::Responder).count();
    match problems.is_empty() {
        true => checked(
            "every role is filled",
            Finding::Passed,
            format!("{} people, {agents} of the responders agents", people.len()),
        ),
        false => checked("every role is filled", Finding::Failed, problems.join(", ")),
    }
}

fn dashboards(runbook: &Runbook) -> World {
    let links = &runbook.front.dashboards;
    match links.len() {
        0 => checked("dashboards are linked", Finding::Unknown, "the runbook names none; add `dashboards`"),
        many => {
            checked("dashboards are linked", Finding::Passed, format!("{many} https links; open them once yourself"))
        }
    }
}

/// Each experiment has a condition at which it stops by itself.
fn stop_conditions(runbook: &Runbook, files: &ProjectFiles) -> World {
    let name = "every fault stops by itself when users are at risk";
    let mut without = Vec::new();
    for scenario in &runbook.scenarios {
        let Some(experiment) = &scenario.spec.experiment else { continue };
        let source = crate::yaml::Source::open(&files.experiment(&experiment.0));
        let loaded = source.ok().and_then(|source| crate::yaml::Loaded::<crate::spec::Experiment>::read(&source).0);
        if loaded.is_none_or(|loaded| loaded.value.guards.stop_when.0.is_empty()) {
            without.push(experiment.0.clone());
        }
    }
    match without.is_empty() {
        true => checked(name, Finding::Passed, "each experiment has a `stop_when`"),
        false => checked(name, Finding::Failed, format!("no `stop_when` in {}", without.join(", "))),
    }
}

/// Alarms of a model are known with what mutes them; those of AWS are looked at when they are resolved.
fn alarms(runbook: &Runbook, files: &ProjectFiles) -> Vec<World> {
    let name = "expected alarms exist and are not muted";
    let expected: Vec<&String> = runbook.scenarios.iter().flat_map(|scenario| &scenario.spec.alarms).collect();
    if expected.is_empty() {
        return vec![checked(name, Finding::Passed, "no alarm is expected")];
    }
    let mut apps = Vec::new();
    for account in files.project.accounts.values() {
        if let AccountSpec::Sandbox(sandbox) = account {
            apps.extend(accounts::read(files, sandbox).0);
        }
    }
    let mut problems = Vec::new();
    for alarm in &expected {
        let id =
            |app: &crate::template::app::App| app.logical_ids.get(*alarm).cloned().unwrap_or_else(|| (*alarm).clone());
        match apps.iter().find_map(|app| app.alarms.get(&id(app))) {
            None => problems.push(format!("{alarm} is not there")),
            Some(found) => problems.extend(found.quiet.iter().map(|why| format!("{alarm}: {why}"))),
        }
    }
    match (apps.is_empty(), problems.is_empty()) {
        (true, _) => vec![checked(name, Finding::Unknown, "no model of the application is known")],
        (false, true) => vec![checked(name, Finding::Passed, format!("{} in the model", expected.len()))],
        (false, false) => vec![checked(name, Finding::Failed, problems.join("; "))],
    }
}

/// What a rehearsal shows: that everything is undone, and that expected alarms fire.
fn rehearsal(day: &Day) -> Vec<World> {
    let undone: Vec<String> = problems(day).into_iter().filter(|problem| !problem.contains("did not fire")).collect();
    let silent: Vec<String> = problems(day).into_iter().filter(|problem| problem.contains("did not fire")).collect();
    let of = |name: &str, problems: Vec<String>, ok: &str| match problems.is_empty() {
        true => checked(name, Finding::Passed, ok),
        false => checked(name, Finding::Failed, problems.join("; ")),
    };
    vec![
        of(
            "rollback works in a rehearsal on the sandbox",
            undone,
            "every fault worked there, and everything was put back",
        ),
        of(
            "expected alarms fire in the rehearsal",
            silent,
            "each of them fired while the fault was in place or just after",
        ),
    ]
}

/// What did not go as the runbook says, in sentences.
pub fn problems(day: &Day) -> Vec<String> {
    let mut problems = Vec::new();
    for (number, (scenario, progress)) in day.runbook.scenarios.iter().zip(&day.scenarios).enumerate() {
        let title = &scenario.title;
        if let Some((_, ScenarioEnd::TimeIsUp)) = progress.ended {
            problems.push(format!("\"{title}\" took longer than {}", scenario.spec.longest));
        }
        if scenario.spec.experiment.is_none() {
            continue;
        }
        let fault = &progress.fault;
        match (&fault.refused, &fault.ended) {
            (Some(why), _) => problems.push(format!("the fault of \"{title}\" did not begin: {why}")),
            (None, None) => problems.push(format!("the fault of \"{title}\" never began")),
            (None, Some(ended)) if !ended.left.is_empty() => {
                problems.push(format!("\"{title}\" left something changed: {}", ended.left.join("; ")));
            }
            (None, Some(_)) if fault.effective.is_none() => {
                problems.push(format!("the fault of \"{title}\" was not seen to work"))
            }
            (None, Some(_)) => {}
        }
        let fired = |alarm: &&String| {
            day.alarms.iter().any(|change| change.scenario == Some(number) && change.firing && change.alarm == **alarm)
        };
        let silent = scenario.spec.alarms.iter().filter(|alarm| !fired(alarm));
        problems.extend(silent.map(|alarm| format!("{alarm} did not fire in \"{title}\"")));
    }
    problems
}
