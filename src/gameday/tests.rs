//! The machine of a day under random commands, and what each role sees of it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

use super::command::{Command, World};
use super::day::{Day, Duty};
use super::due::wake;
use super::event::{Action, Event, Faults, Finding, Outcome, Phase, ScenarioEnd};
use super::role::{Actor, ItemName, Person, Role, Statement};
use super::runbook::Runbook;
use super::step::{Input, step};
use super::times::{Measured, abort_latency, times};
use crate::judge::verdict::VerdictKind;
use crate::units::{Span, Time};
use crate::yaml::{Source, Style};

/// Every text that is hidden from a role has a word of its own that begins with `h-`.
const RUNBOOK: &str = "---
version: 1
title: A day
goal: h-goal
lasts: 2h
roles: { facilitator: 1, responder: 2 }
people: { Fay: facilitator, Rob: responder, Ria: responder, Olga: observer, Sam: scribe, Max: safety_monitor, Bot: { role: responder, agent: true } }
abort: [h-abort]
thresholds: { detect: 5m }
---
## Briefing
Welcome.
## Readiness
- h-readiness
## Scenarios
### h-first
h-prose
```yaml
experiment: h-experiment
hypothesis: h-hypothesis
longest: 60m
alarms: [h-alarm]
expectations:
  - { name: h-seen, text: h-seen-text, counts: detection, confirmed_by: { alarm: h-alarm }, within: 5m }
  - { name: h-noticed, text: h-noticed-text, counts: detection, confirmed_by: { responders_say: noticed }, within: 10m }
  - { name: h-cause, text: h-cause-text, counts: diagnosis, confirmed_by: { role: facilitator }, within: 15m }
hints: [h-hint-one, h-hint-two]
items:
  - { name: h-call, kind: inject, when: 3m after the fault takes effect, from: h-call-from, text: h-call-text, expected: h-call-expected, expires: 5m }
  - { name: h-told, kind: information, when: 1m, text: h-told-text }
  - { name: h-remind, kind: facilitation, when: 2m, text: h-remind-text }
  - { name: h-escalate, kind: contingency, when: h-noticed expires and h-seen completes, text: h-escalate-text, shown: { expected: [responder] }, expected: h-escalate-expected }
  - { name: h-observed, kind: inject, when: 4m, to: [scribe], text: h-observed-text }
  - { name: h-off, kind: inject, when: 30s, text: h-off-text, enabled: false }
```
### h-second
```yaml
hypothesis: h-second-hypothesis
longest: 20m
expectations:
  - { name: h-all, text: h-all-text, confirmed_by: { responders_say: acknowledged }, of: all, within: 10m }
items:
  - { name: h-again, kind: inject, when: h-all fails or h-all expires, text: h-again-text, shown: { from: [observer] }, from: h-again-from }
  - { name: h-by-hand, kind: inject, text: h-by-hand-text }
```
### h-third
```yaml
experiment: h-other
hypothesis: h-third-hypothesis
starts: h-go is released
longest: 15m
items:
  - { name: h-go, kind: inject, when: 2m, text: h-go-text }
```
## Debrief
- What surprised you?
";

#[test]
fn a_runbook_has_either_end_of_line_and_a_fence_is_a_line_of_its_own() {
    let in_a_text = RUNBOOK.replace("text: h-told-text", "text: \"a ``` b\"");
    for text in [RUNBOOK.replace('\n', "\r\n"), in_a_text] {
        let (runbook, findings) = Runbook::read(&Source::new("day.md", text));
        assert!(runbook.is_some(), "{findings:?}");
    }
}

/// What responders may see once it is released: the item, and the words of its fields that are not hidden from them.
const RELEASED: [(&str, &[&str]); 6] = [
    ("h-call", &["h-call-from", "h-call-text"]),
    ("h-told", &["h-told-text"]),
    ("h-escalate", &["h-escalate-text", "h-escalate-expected"]),
    ("h-again", &["h-again-text"]),
    ("h-by-hand", &["h-by-hand-text"]),
    ("h-go", &["h-go-text"]),
];

fn start() -> Time {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

/// Read once: there are thousands of days in these tests.
static OPENED: LazyLock<Day> = LazyLock::new(|| {
    let (runbook, findings) = Runbook::read(&Source::new("day.md", RUNBOOK));
    let runbook = runbook.unwrap_or_else(|| panic!("{}", findings.render(Style::Plain)));
    let event = Event::Opened {
        file: "day.md".into(),
        text: RUNBOOK.into(),
        people: runbook.people(),
        by: Person("Fay".into()),
        rehearsal: false,
    };
    Day::open(start(), &event).unwrap()
});

fn opened() -> Day {
    OPENED.clone()
}

fn actor(day: &Day, name: &str) -> Actor {
    day.actor(&Person(name.into())).unwrap()
}

/// A day and its world: the runs that squall would drive.
struct Play {
    day: Day,
    at: Time,
    events: Vec<Event>,
    /// Runs that have something changed in the account.
    in_place: BTreeSet<String>,
}

impl Play {
    fn new() -> Play {
        Play { day: opened(), at: start(), events: Vec::new(), in_place: BTreeSet::new() }
    }

    fn input(&mut self, input: Input) -> bool {
        match step(&self.day, "day-1", self.at, input) {
            Err(_) => false,
            Ok(events) => {
                for event in events {
                    self.day.apply(self.at, &event);
                    self.events.push(event);
                }
                true
            }
        }
    }

    fn world(&mut self, world: World) {
        assert!(self.input(Input::World(world)), "the world is never refused");
    }

    #[track_caller]
    fn ask(&mut self, name: &str, command: Command) {
        let input = Input::Asked(actor(&self.day, name), command);
        let day = self.day.clone();
        if let Err(refusal) = step(&day, "day-1", self.at, input.clone()) {
            panic!("{refusal}");
        }
        self.input(input);
    }

    fn refused(&mut self, name: &str, command: Command) -> String {
        let input = Input::Asked(actor(&self.day, name), command);
        step(&self.day, "day-1", self.at, input).unwrap_err().to_string()
    }

    /// Time passes minute by minute.
    fn minutes(&mut self, minutes: i64) {
        for _ in 0..minutes {
            self.at += Span::from_mins(1);
            self.input(Input::Tick);
        }
    }

    /// To the first scenario.
    fn begin(&mut self) {
        self.ask("Fay", Command::Next);
        self.ask("Fay", Command::Next);
        self.ask("Fay", Command::Go { go: true, why: "both ways are clear".into() });
        self.ask("Fay", Command::Next);
    }

    /// The fault works.
    fn effective(&mut self) {
        let run = self.run();
        self.in_place.insert(run);
        let since = self.at;
        self.world(World::Effective { since, within: Span::from_mins(1), seen: "throttles".into() });
    }

    fn run(&self) -> String {
        match self.day.duty().unwrap() {
            Duty::Run { run, .. } | Duty::Stop { run, .. } => run.0,
        }
    }

    /// What squall does about its duty in the end: it rolls back, and the run ends.
    fn roll_back(&mut self) {
        let (run, at) = (self.run(), self.at);
        self.in_place.remove(&run);
        self.world(World::Gone { at });
        let (why, left) = (vec![], vec![]);
        self.world(World::RunEnded { verdict: VerdictKind::Held, why, left, recovered: Some(Span::from_mins(2)) });
    }

    fn released(&self) -> BTreeSet<String> {
        let released = |event: &Event| match event {
            Event::Released { item, .. } => Some(item.0.clone()),
            _ => None,
        };
        self.events.iter().filter_map(released).collect()
    }

    /// What of the hidden texts is in a view, by its bytes.
    fn seen(&self, role: Role) -> BTreeSet<String> {
        let bytes = serde_json::to_string(&self.day.view(role)).unwrap();
        let word = |c: char| !(c.is_ascii_alphanumeric() || c == '-');
        bytes.split(word).filter(|word| word.starts_with("h-")).map(str::to_owned).collect()
    }

    fn responders_may_see(&self) -> BTreeSet<String> {
        let released = self.released();
        let items = RELEASED.iter().filter(|(name, _)| released.contains(*name)).flat_map(|(_, words)| words.iter());
        let hints = self.events.iter().filter_map(|event| match event {
            Event::Hinted { hint, .. } => Some(if *hint == 0 { "h-hint-one" } else { "h-hint-two" }),
            _ => None,
        });
        items.copied().chain(hints).map(str::to_owned).collect()
    }
}

fn any<T: Clone>(rng: &mut Pcg64Mcg, of: &[T]) -> T {
    of[rng.random_range(0..of.len())].clone()
}

fn random_command(rng: &mut Pcg64Mcg) -> Command {
    let names =
        ["h-call", "h-told", "h-escalate", "h-off", "h-again", "h-by-hand", "h-cause", "h-noticed", "h-go", "no-such"];
    let item = ItemName(any(rng, &names).into());
    let text = || "said aloud".to_owned();
    match rng.random_range(0..24) {
        0..=4 => Command::Next,
        5 => Command::Go { go: rng.random_range(0..4) > 0, why: text() },
        6 | 7 => Command::Release { item },
        8 => Command::Skip { item },
        9 => Command::Hint,
        10 => Command::Test { scenario: rng.random_range(0..4), item },
        11 => Command::Settle { item, outcome: any(rng, &[Outcome::Succeeded, Outcome::Failed, Outcome::Completed]) },
        12 => Command::SkipScenario,
        13 => Command::Pause { faults: any(rng, &[Faults::GoOn, Faults::HoldBack]) },
        14 | 15 => Command::Resume,
        16 => Command::Shift { by: Span::from_mins(rng.random_range(0..30)) },
        17 => Command::StopFault,
        18 => Command::EndEarly { why: text() },
        19 => Command::Abort { why: text() },
        20 => Command::Say { statement: any(rng, &Statement::ALL), text: text() },
        21 => {
            let note = rng.random_range(0..40);
            any(rng, &[Command::Note { text: text() }, Command::Correct { note, text: text() }])
        }
        22 => Command::Check { check: "h-readiness".into(), finding: Finding::Passed, detail: text() },
        _ => any(
            rng,
            &[
                Command::Answer { question: text(), answer: text() },
                Command::Agree {
                    action: Action {
                        text: text(),
                        owner: "Ria".into(),
                        due: None,
                        ticket: None,
                        retest: None,
                        scenario: Some(9),
                    },
                },
            ],
        ),
    }
}

fn random_world(rng: &mut Pcg64Mcg, play: &mut Play) {
    let at = play.at;
    match rng.random_range(0..5) {
        0 if play.day.scenarios.iter().any(|progress| progress.fault.in_place()) => play.effective(),
        1 if play.day.fault_at_work() => play.roll_back(),
        2 if play.day.fault_at_work() && play.in_place.is_empty() => {
            play.world(World::Refused { why: "halted".into() })
        }
        3 => play.world(World::Alarm { alarm: "h-alarm".into(), firing: rng.random_range(0..2) == 0, at }),
        // A run says that it has rolled back before it ends.
        _ if play.day.fault_at_work() => {
            play.in_place.clear();
            play.world(World::Gone { at });
        }
        // News of runs that are over change nothing.
        _ => play.world(any(
            rng,
            &[
                World::Gone { at },
                World::RunEnded { verdict: VerdictKind::Unknown, why: vec![], left: vec![], recovered: None },
            ],
        )),
    }
}

/// Every state has a way out: the facilitator asks for what the machine says helps, squall does its duty, and the day closes.
fn closes(mut play: Play) {
    for _ in 0..60 {
        if play.day.phase == Phase::Closed {
            return;
        }
        if play.day.fault_at_work() {
            if matches!(play.day.duty(), Some(Duty::Run { .. })) {
                play.ask("Fay", Command::StopFault);
            }
            play.roll_back();
        }
        let command = match (play.day.phase, play.day.paused) {
            (_, Some(_)) => Command::Resume,
            (Phase::GoNoGo, _) => Command::Go { go: true, why: "all is well".into() },
            (Phase::Closed, _) => return,
            _ => Command::Next,
        };
        play.ask("Fay", command);
    }
    panic!("the day does not end: {:?}", play.day.phase);
}

#[test]
fn random_commands_never_hang_a_day_leave_a_fault_or_show_what_is_hidden() {
    let mut phases = BTreeSet::new();
    let (mut aborted_with_fault, mut shown) = (0, BTreeSet::new());
    for seed in 0..10_000 {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let mut play = Play::new();
        if seed % 4 > 0 {
            play.begin();
        }
        for _ in 0..rng.random_range(0..24) {
            match rng.random_range(0..10) {
                0 | 1 => random_world(&mut rng, &mut play),
                2 | 3 => {
                    play.at += Span::from_secs(rng.random_range(0..600));
                    play.input(Input::Tick);
                }
                _ => {
                    let command = random_command(&mut rng);
                    let person = ["Fay", "Fay", "Fay", "Fay", "Rob", "Ria", "Olga", "Sam", "Max", "Bot"];
                    let by = actor(&play.day, any(&mut rng, &person));
                    play.input(Input::Asked(by, command));
                }
            }
            assert!(play.day.phase == Phase::Scenarios || !play.day.fault_at_work(), "a fault outlives the scenarios");
        }
        phases.insert(play.day.phase);
        // What is hidden is not there, by the bytes.
        let (seen, may) = (play.seen(Role::Responder), play.responders_may_see());
        assert!(seen == may, "seed {seed}: a responder sees {seen:?} and may see {may:?}");
        shown.extend(seen);
        let secret = ["h-remind", "h-remind-text"];
        assert!(secret.iter().all(|word| !play.seen(Role::Observer).contains(*word)), "seed {seed}");
        // A fold, and nothing else.
        let again = play.events.iter().fold(opened(), |mut day, event| {
            day.apply(play.at, event);
            day
        });
        assert_eq!((again.phase, again.seq), (play.day.phase, play.day.seq));
        if seed % 2 == 0 {
            closes(play);
            continue;
        }
        // Abort from everywhere: what is changed goes, nothing new begins, and the day still closes.
        let had = play.day.fault_at_work();
        let by = actor(&play.day, "Rob");
        let refused = !play.input(Input::Asked(by, Command::Abort { why: "customers".into() }));
        assert!(!refused || play.day.phase == Phase::Closed || play.day.aborted.is_some(), "seed {seed}");
        if had {
            aborted_with_fault += 1;
            let duty = play.day.duty();
            assert!(matches!(duty, Some(Duty::Stop { .. })), "seed {seed}: {duty:?}");
            play.roll_back();
        }
        assert!(play.in_place.is_empty(), "seed {seed}");
        assert!(play.day.open_scenario().is_none() && play.day.duty().is_none(), "seed {seed}");
        for _ in 0..20 {
            play.at += Span::from_mins(10);
            play.input(Input::Tick);
            assert!(play.day.duty().is_none(), "seed {seed}: a fault begins after an abort");
        }
        closes(play);
    }
    // The test looked at what it is about.
    assert!(phases.len() == 8 && aborted_with_fault > 500, "{phases:?} {aborted_with_fault}");
    let all: BTreeSet<&str> = RELEASED.iter().flat_map(|(_, words)| words.iter().copied()).collect();
    assert!(all.iter().all(|word| shown.contains(*word)), "{shown:?}");
}

#[test]
fn a_scenario_goes_by_time_effect_and_expectation() {
    let mut play = Play::new();
    play.begin();
    assert_eq!(play.day.duty(), Some(Duty::Run { scenario: 0, run: crate::ids::RunId("day-1-1".into()) }));
    assert_eq!(wake(&play.day), Some(start() + Span::from_mins(1)));
    play.minutes(5);
    assert_eq!(play.released().into_iter().collect::<Vec<_>>(), ["h-observed", "h-remind", "h-told"]);
    play.effective();
    play.minutes(3);
    assert!(play.released().contains("h-call"));
    let at = play.at;
    play.world(World::Alarm { alarm: "h-alarm".into(), firing: true, at });
    play.ask("Bot", Command::Say { statement: Statement::Noticed, text: String::new() });
    play.minutes(7);
    // An agent's word confirms nothing: what people should have noticed expired, and the contingency came.
    assert!(play.released().contains("h-escalate"));
    play.ask("Rob", Command::Say { statement: Statement::Cause, text: "the network".into() });
    play.minutes(1);
    play.ask("Rob", Command::Say { statement: Statement::Cause, text: "no concurrency".into() });
    play.ask("Fay", Command::Settle { item: ItemName("h-cause".into()), outcome: Outcome::Succeeded });
    play.ask("Ria", Command::Say { statement: Statement::HandOver, text: "Rob".into() });
    play.minutes(2);
    play.ask("Rob", Command::Say { statement: Statement::Command, text: String::new() });
    play.roll_back();
    assert!(play.day.open_scenario().is_none(), "nothing was left to wait for, though an item is switched off");
    assert_eq!(play.day.scenarios[0].ended.map(|(_, how)| how), Some(ScenarioEnd::Done));
    let found = times(&play.day, 0).unwrap();
    let took = |minutes| Measured::Took { span: Span::from_mins(minutes), within: Span::from_mins(1) };
    assert_eq!((found.effect, found.detect_machine, found.diagnose), (Some(Span::from_mins(5)), took(3), took(11)));
    assert_eq!((found.detect, found.declare), (took(13), took(13)));
    assert_eq!(found.mitigate, Measured::LongerThan(Span::from_mins(13)), "squall ended it");
    assert_eq!(found.hand_over, [Measured::Took { span: Span::from_mins(2), within: Span::ZERO }]);
    assert_eq!((found.wrong_turns, found.hints, found.recover), (1, 0, took(2)));
    assert_eq!((found.detections.done, found.detections.of, found.responses.done), (1, 2, 1));
    assert_eq!(found.alarms.fired, ["h-alarm"]);
}

#[test]
fn a_pause_holds_the_clock_and_what_is_released_in_it_is_released() {
    let mut play = Play::new();
    play.begin();
    play.ask("Max", Command::Pause { faults: Faults::HoldBack });
    assert!(matches!(play.day.duty(), Some(Duty::Stop { .. })));
    play.minutes(30);
    assert!(play.released().is_empty() && wake(&play.day).is_none());
    play.ask("Fay", Command::Release { item: ItemName("h-told".into()) });
    assert!(play.released().contains("h-told"));
    assert!(play.refused("Fay", Command::Next).contains("resume it first"));
    play.roll_back();
    play.ask("Fay", Command::Resume);
    play.minutes(1);
    assert_eq!(play.released().len(), 1, "one minute of the day has passed");
    play.ask("Fay", Command::Shift { by: Span::from_mins(10) });
    play.minutes(10);
    assert_eq!(play.released().len(), 1);
    play.minutes(3);
    assert_eq!(play.released().len(), 3);
}

#[test]
fn what_comes_late_says_so() {
    let mut play = Play::new();
    play.begin();
    play.at += Span::from_mins(11);
    play.input(Input::Tick);
    let late = play.events.iter().find_map(|event| match event {
        Event::Released { item, late, .. } if item.0 == "h-told" => Some(*late),
        _ => None,
    });
    assert_eq!(late, Some(Span::from_mins(10)));
    let lead = play.day.view(Role::Facilitator).lead.unwrap();
    let told = lead.scenarios[0].items.iter().find(|item| item.name == "h-told").unwrap();
    assert_eq!(told.late.as_deref(), Some("10m"));
}

#[test]
fn a_no_go_and_an_end_before_the_scenarios_go_to_the_debrief() {
    let mut play = Play::new();
    play.ask("Fay", Command::Next);
    play.ask("Fay", Command::Next);
    assert!(play.refused("Fay", Command::Next).contains("this needs a decision"));
    play.ask("Fay", Command::Go { go: false, why: "a real incident".into() });
    assert_eq!(play.day.phase, Phase::Debrief);
    let mut play = Play::new();
    play.ask("Fay", Command::EndEarly { why: "no time".into() });
    assert_eq!(play.day.phase, Phase::Debrief);
}

#[test]
fn an_abort_is_timed_until_the_fault_is_gone() {
    let mut play = Play::new();
    play.begin();
    play.effective();
    play.ask("Olga", Command::Abort { why: "customers".into() });
    play.at += Span::from_secs(40);
    play.roll_back();
    assert_eq!(play.day.phase, Phase::Debrief);
    assert_eq!(abort_latency(&play.day), Some(Measured::Took { span: Span::from_secs(40), within: Span::ZERO }));
    assert!(play.refused("Rob", Command::Abort { why: String::new() }).contains("already"));
}

#[test]
fn a_text_without_end_is_refused() {
    let mut play = Play::new();
    assert!(play.refused("Sam", Command::Note { text: "x".repeat(5_000) }).contains("4000 bytes"));
}

#[test]
fn roles_may_do_what_is_theirs() {
    let mut play = Play::new();
    play.begin();
    let may = |name: &str, command: Command| {
        step(&play.day, "day-1", play.at, Input::Asked(actor(&play.day, name), command)).is_ok()
    };
    for (name, says, pauses, hints) in [
        ("Fay", false, true, true),
        ("Rob", true, false, false),
        ("Olga", false, false, false),
        ("Sam", false, false, false),
        ("Max", false, true, false),
    ] {
        assert_eq!(may(name, Command::Say { statement: Statement::Noticed, text: String::new() }), says, "{name}");
        assert_eq!(may(name, Command::Pause { faults: Faults::GoOn }), pauses, "{name}");
        assert_eq!(may(name, Command::Hint), hints, "{name}");
        assert!(may(name, Command::Abort { why: "because".into() }), "{name}");
    }
}
