//! `squall gameday rehearse`: a whole day on the model, in virtual time.

use std::collections::BTreeMap;
use std::path::Path;

use crate::account::target::SelectBy;
use crate::account::watching::{AlarmChange, Seen, Watching};
use crate::account::{Account, Call, Modelled, Reply, Resource, ResourceKind, Selector, ask};
use crate::cli::twin::Twin;
use crate::cli::{Context, Failure, prepare};
use crate::conductor::script::{Responders, Script};
use crate::conductor::{Conductor, Stage};
use crate::driver::{Driver, Surroundings};
use crate::env::{Env as _, FixedEnv, Interrupts};
use crate::gameday::day::Day;
use crate::gameday::event::{Event, Recorded};
use crate::gameday::role::{Actor, Person};
use crate::gameday::runbook::Runbook;
use crate::gameday::told;
use crate::ids::{DayId, RunId};
use crate::planner::{self, Request};
use crate::store::memory::MemoryStore;
use crate::units::{Span, Time};

/// A rehearsal always begins at the same time, so that the same command gives the same day.
const START: Time = Time::from_micros(1_767_258_000_000_000);

/// A day that was rehearsed.
pub struct Rehearsed {
    pub day: Day,
    pub events: Vec<Recorded>,
    /// What the script asked for and was refused; then the day was left where it was.
    pub refused: Vec<String>,
}

/// Rehearses a day to its end. `tell` hears each event.
pub fn rehearse(
    runbook: &Runbook,
    id: &DayId,
    responders: Responders,
    seed: u64,
    context: &mut Context,
    tell: &mut dyn FnMut(&Recorded, &Day),
) -> Result<Rehearsed, Failure> {
    let mut stage = Rehearsal::of(runbook, seed, context)?;
    let mut script = Script::new(responders);
    let mut store = MemoryStore::new();
    let mut events = Vec::new();
    let mut heard = |recorded: &Recorded, day: &Day| {
        events.push(recorded.clone());
        tell(recorded, day);
    };
    let first = Recorded { seq: 1, at: START, event: opening(runbook, cast(runbook), &context.who(), true) };
    let mut conductor = Conductor::open(id.clone(), first, &mut store, &mut script, &mut heard)?;
    conductor.lead(&mut stage, &|| false)?;
    let day = conductor.day().clone();
    Ok(Rehearsed { day, events, refused: script.refused })
}

/// The people of a rehearsal: those of the runbook, and invented ones for roles that are not filled yet.
fn cast(runbook: &Runbook) -> Vec<Actor> {
    let mut people = runbook.people();
    for (role, least) in &runbook.front.roles {
        let has = people.iter().filter(|actor| actor.role == *role && !actor.agent).count();
        // A rehearsal of a hundred responders shows no more than one of a few.
        for number in has..(*least as usize).min(5) {
            let person = Person(format!("{} {}", told::capital(&role.to_string()), number + 1));
            people.push(Actor { person, role: *role, agent: false });
        }
    }
    people
}

/// The first event of a day.
pub fn opening(runbook: &Runbook, people: Vec<Actor>, by: &str, rehearsal: bool) -> Event {
    let by = by.parse::<Person>().unwrap_or_else(|_| Person("unknown".into()));
    Event::Opened { file: runbook.source.file.clone(), text: runbook.source.text.clone(), people, by, rehearsal }
}

/// The model of the application, and the experiments as they are planned on it.
struct Rehearsal {
    /// By the number of the scenario.
    twins: BTreeMap<usize, Twin>,
    /// None in a day that only talks.
    model: Option<Box<dyn Modelled>>,
    now: Time,
    alarms: Vec<(String, Resource)>,
    firing: BTreeMap<String, bool>,
    seen: Seen,
    seed: u64,
    runs: MemoryStore,
    by: String,
}

impl Rehearsal {
    fn of(runbook: &Runbook, seed: u64, context: &mut Context) -> Result<Rehearsal, Failure> {
        let mut twins = BTreeMap::new();
        for (number, scenario) in runbook.scenarios.iter().enumerate() {
            let Some(experiment) = &scenario.spec.experiment else { continue };
            let (files, _) = crate::spec::load::ProjectFiles::open(&context.project.root);
            let file = files.map(|files| files.experiment(&experiment.0)).unwrap_or_default();
            let prepare::Read { files, experiment, .. } = prepare::read(Path::new(&file), &[], context)?;
            twins.insert(number, Twin::of(&files, &experiment, context)?);
        }
        let names: std::collections::BTreeSet<_> = twins.values().map(|twin| twin.experiment.account.clone()).collect();
        if names.len() > 1 {
            let what = "the experiments of this day lie in several applications, and a rehearsal knows one";
            return Err(Failure::refused(what, "make a runbook for each application"));
        }
        let no_model = |what: String| Failure::refused(what, "squall check");
        let mut model = match twins.values().next() {
            Some(twin) => Some(twin.account(seed, START).map_err(no_model)?),
            None => None,
        };
        let mut alarms = Vec::new();
        if let (Some(model), Some(twin)) = (&mut model, twins.values().next()) {
            let names = runbook.scenarios.iter().flat_map(|scenario| &scenario.spec.alarms);
            for name in names.collect::<std::collections::BTreeSet<_>>() {
                alarms.extend(alarm(model.as_mut(), &twin.location(), name).map(|it| (name.clone(), it)));
            }
        }
        Ok(Rehearsal {
            twins,
            model,
            now: START,
            alarms,
            firing: BTreeMap::new(),
            seen: Seen::default(),
            seed,
            runs: MemoryStore::new(),
            by: context.env.who(),
        })
    }
}

/// The alarm of a name, where the account has one.
pub fn alarm(account: &mut dyn Account, location: &crate::account::Location, name: &str) -> Option<Resource> {
    let selector = Selector { kind: ResourceKind::Alarm, by: SelectBy::Name(name.to_owned()) };
    match ask(account, Call::Resolve { location: location.clone(), selector }) {
        Ok(Reply::Resources(mut found)) => found.pop(),
        _ => None,
    }
}

impl Stage for Rehearsal {
    fn now(&self) -> Time {
        self.model.as_ref().map_or(self.now, |model| model.now())
    }

    fn wait(&mut self, until: Time) {
        // A day whose people all wait for each other still ends: its scenarios have a longest time.
        let until = until.max(self.now() + Span::from_millis(1));
        self.now = until;
        let Some(model) = &mut self.model else { return };
        let mut watching = Watching::over(model.as_mut(), &self.alarms, &mut self.firing, &self.seen);
        while watching.now() < until {
            let _ = watching.next(until);
        }
    }

    fn alarms(&mut self) -> Vec<AlarmChange> {
        self.seen.take()
    }

    fn perform(
        &mut self,
        conductor: &mut Conductor<'_>,
        run: &RunId,
        scenario: usize,
        stop: bool,
    ) -> Result<(), String> {
        if stop {
            return Err("it was stopped before it began".into());
        }
        let (Some(twin), Some(model)) = (self.twins.get(&scenario), &mut self.model) else {
            return Err("this scenario has no experiment".into());
        };
        let request =
            Request { files: &twin.experiment, run: run.clone(), seed: self.seed, by: &self.by, rules: &twin.rules };
        let planned = planner::plan(&request, model.as_mut()).map_err(|objections| said(&objections))?;
        if !planned.refused.is_empty() {
            return Err(said(&planned.refused));
        }
        let env = FixedEnv::at(START);
        let mut watching = Watching::over(model.as_mut(), &self.alarms, &mut self.firing, &self.seen);
        let around = Surroundings {
            account: &mut watching,
            store: &mut self.runs,
            env: &env,
            interrupts: Interrupts::none(),
            // Each event is heard when it happens, as on the day.
            live: true,
        };
        let mut driver = Driver::begin(around, planned.plan, self.by.clone()).map_err(|error| error.to_string())?;
        if let Err(error) = conductor.drive(&mut driver, &self.seen, &|| false, &mut |_| {}) {
            let now = driver.now();
            conductor.lost(now, error.to_string());
        }
        Ok(())
    }
}

fn said(objections: &[crate::guard::Objection]) -> String {
    objections.iter().map(|objection| objection.refusal.what.clone()).collect::<Vec<_>>().join("; ")
}
