//! What a responder's browser gets of a rehearsed day: pages, stream, errors and headers, after each event, is searched for every text
//! that is hidden from responders at that moment.

use std::collections::BTreeSet;

use squall::gameday::day::Day;
use squall::gameday::event::Recorded;
use squall::gameday::role::Role;
use squall::gameday::spec::Field;
use squall::store::days::Days as _;

use super::bench::{Bench, DAY, id};
use crate::gameday::{rehearsed, runbooks};

/// Every text that is hidden from responders now, and no other text of the day says as well.
fn hidden(day: &Day) -> BTreeSet<String> {
    let front = &day.runbook.front;
    let mut hidden = BTreeSet::from([front.goal.clone()]);
    let mut open: Vec<String> = vec![day.runbook.briefing.clone(), front.title.clone()];
    for (scenario, progress) in day.runbook.scenarios.iter().zip(&day.scenarios) {
        let spec = &scenario.spec;
        hidden.extend([scenario.title.clone(), spec.hypothesis.clone()]);
        hidden.extend(scenario.prose.split("\n\n").map(str::to_owned));
        hidden.extend(spec.experiment.iter().map(|experiment| experiment.0.clone()));
        hidden.extend(spec.alarms.iter().cloned());
        hidden.extend(spec.expectations.iter().flat_map(|it| [it.text.clone(), it.name.0.to_string()]));
        hidden.extend(spec.hints.iter().skip(progress.hints.len()).cloned());
        open.extend(spec.hints.iter().take(progress.hints.len()).cloned());
        hidden.extend(progress.fault.due.iter().map(|(_, run)| run.0.clone()));
        for item in &spec.items {
            let released = progress.released.contains_key(&item.name.0) && item.receives(Role::Responder);
            let shows = |field| released && item.shows(field, Role::Responder);
            if shows(Field::Text) {
                open.push(item.text.clone());
            } else {
                hidden.insert(item.text.clone());
            }
            hidden.extend(item.expected.clone().filter(|_| !shows(Field::Expected)));
        }
    }
    open.extend(day.said.iter().map(|said| said.text.clone()));
    open.extend(day.runbook.debrief.iter().cloned());
    hidden.extend(day.notes.iter().map(|note| note.text.clone()));
    // Short words stand in ordinary sentences; names of items such as `cause` are words of the buttons.
    hidden.retain(|text| text.len() > 9 && !open.iter().any(|open| open.contains(text.as_str())));
    hidden
}

/// Escaped as a page does it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn assert_nothing_of(hidden: &BTreeSet<String>, got: &str, what: &str) {
    for text in hidden {
        let json = serde_json::Value::from(text.as_str()).to_string();
        let forms = [text.clone(), escaped(text), json.trim_matches('"').to_owned()];
        for form in forms {
            assert!(!got.contains(&form), "{what} has {text:?}:\n{got}");
        }
    }
}

/// Everything that a responder can ask for at this moment.
fn everything(bench: &Bench, cookie: &str, day: &Day) -> String {
    let mut got = bench.get(&format!("/days/{DAY}"), cookie).1;
    got += &bench.get(&format!("/days/{DAY}/stream?after=0"), cookie).1;
    let mut asks: Vec<String> = ["next", "hint", "go", "status", "stop", "correct+2+x", "test+1+x", "say+nothing", ""]
        .map(str::to_owned)
        .to_vec();
    for scenario in &day.runbook.scenarios {
        for item in scenario.spec.items.iter().take(2) {
            asks.extend([format!("release+{}", item.name.0), format!("done+{}", item.name.0)]);
        }
    }
    for ask in asks {
        let (status, answer) = bench.post(&format!("/days/{DAY}/do"), cookie, &format!("do={ask}"));
        assert!([400, 403, 409].contains(&status), "{ask}: {status}");
        got += &answer;
    }
    for path in ["/days/day-2", "/console", "/console/runs/run-1", "/nothing", "/api/v1/runs", "/metrics"] {
        let (status, answer) = bench.get(path, cookie);
        assert!([401, 403, 404].contains(&status), "{path}: {status}");
        got += &answer;
    }
    got
}

#[test]
fn a_responders_browser_gets_nothing_that_is_hidden() {
    for file in runbooks() {
        let (_, events) = rehearsed(&file, "scripted");
        let bench = Bench::new(&events[..1]);
        let (cookie, facilitator) = (bench.member(Role::Responder), bench.member(Role::Facilitator));
        let mut day = Day::open(events[0].at, &events[0].event).unwrap();
        let (mut numbers, mut searched) = (Vec::new(), 0);
        for event in &events[1..] {
            let before = day.view(Role::Responder);
            day.apply(event.at, &event.event);
            record(&bench, event);
            // A step of the day is one write: looked at between two of them, as a browser would.
            let what = format!("{} after event {}", file.display(), event.seq);
            let changed = before != day.view(Role::Responder);
            let number = after(&bench, &cookie);
            if let Some(last) = numbers.last() {
                assert_eq!(number - last, u64::from(changed), "{what}: what is not seen does not count");
            }
            numbers.push(number);
            if event.seq % 4 == 0 || changed {
                let hidden = hidden(&day);
                searched = searched.max(hidden.len());
                assert_nothing_of(&hidden, &everything(&bench, &cookie, &day), &what);
            }
        }
        assert!(searched > 10, "{}: {searched} texts", file.display());
        // The search finds what is there: the facilitator's page has it.
        let page = bench.get(&format!("/days/{DAY}"), &facilitator).1;
        let found = hidden(&day).iter().filter(|text| page.contains(&escaped(text))).count();
        assert!(found > 5, "{}: {found}", file.display());
    }
}

fn record(bench: &Bench, event: &Recorded) {
    bench.store().append_day(&id(), std::slice::from_ref(event), None).unwrap();
}

/// The number of the last change, as the page has it.
fn after(bench: &Bench, cookie: &str) -> u64 {
    let page = bench.get(&format!("/days/{DAY}"), cookie).1;
    let after = page.split("data-after=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    after.parse().unwrap()
}
