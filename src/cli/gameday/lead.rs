//! `squall gameday run`: a day on the clock, led from a terminal.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead as _;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use super::rehearse::alarm;
use crate::account::Resource;
use crate::account::watching::{AlarmChange, Seen, Watching};
use crate::cli::accounts::{self, Opened, Pace};
use crate::cli::prepare::{self, PlanArgs, Prepared};
use crate::cli::signals::Signals;
use crate::cli::{Context, Exit, Failure, afresh, report, run as run_command, undo};
use crate::conductor::{Asks, Conductor, Stage};
use crate::driver::supervise::supervise;
use crate::driver::{Driver, Ending, Surroundings};
use crate::env::Env as _;
use crate::gameday::command::{Ask, World};
use crate::gameday::day::Day;
use crate::gameday::line;
use crate::gameday::role::{Actor, Person};
use crate::gameday::runbook::Runbook;
use crate::gameday::step::Refusal;
use crate::ids::{AccountName, RunId};
use crate::spec::load::ProjectFiles;
use crate::store::sqlite::SqliteStore;
use crate::store::{RunRow, Store as _, StoreError};
use crate::units::{Span, Time};

/// The lines of a terminal, as commands of the facilitator.
pub struct Terminal {
    lines: Receiver<String>,
    by: Actor,
    /// Prints an answer to what was typed.
    answer: Box<dyn FnMut(String)>,
    ended: bool,
}

impl Terminal {
    /// Reads standard input in a thread of its own, so that nothing waits for a person.
    pub fn listen(by: Actor) -> Terminal {
        let (sender, lines) = channel();
        // Without that thread the day is led by `squall gameday tell`.
        let _ = std::thread::Builder::new().name("terminal".into()).spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Terminal { lines, by, answer: Box::new(drop), ended: false }
    }

    /// Where answers go.
    pub fn answer_on(&mut self, answer: impl FnMut(String) + 'static) {
        self.answer = Box::new(answer);
    }

    fn read(&mut self, text: &str, day: &Day) -> Option<Ask> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        if text == "help" {
            line::COMMANDS.iter().for_each(|(form, does)| (self.answer)(format!("  {form:<32} {does}")));
            return None;
        }
        if text == "status" {
            super::show::lines(&day.view(self.by.role)).into_iter().for_each(|line| (self.answer)(line));
            return None;
        }
        let read = line::parse(text, &day.questions()).and_then(|(who, command)| {
            let by = match who {
                None => self.by.clone(),
                Some(person) => known(day, &person)?,
            };
            Ok(Ask { by, command })
        });
        read.map_err(|error| (self.answer)(error)).ok()
    }
}

/// A person of the day.
pub fn known(day: &Day, person: &Person) -> Result<Actor, String> {
    let names = || day.people.keys().map(|known| known.0.as_str());
    day.actor(person).ok_or_else(|| match crate::yaml::read::closest(&person.0, names()) {
        Some(close) => format!("{person} is not part of this day; did you mean {close}?"),
        None => format!("{person} is not part of this day; there are {}", crate::yaml::shape::listed(names())),
    })
}

impl Asks for Terminal {
    fn next(&mut self, day: &Day, _: Time) -> Option<Ask> {
        while !self.ended {
            match self.lines.try_recv() {
                Ok(line) => {
                    if let Some(ask) = self.read(&line, day) {
                        return Some(ask);
                    }
                }
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Disconnected) => self.ended = true,
            }
        }
        None
    }

    fn refused(&mut self, refusal: &Refusal) {
        (self.answer)(refusal.to_string());
    }

    fn wake(&self, _: &Day, _: Time) -> Option<Time> {
        None
    }
}

/// The account of the project, and what a run needs beside it.
pub struct Live<'a> {
    pub context: &'a mut Context,
    files: ProjectFiles,
    names: BTreeSet<AccountName>,
    opened: Option<Opened>,
    asked: PlanArgs,
    pace: Pace,
    alarm_names: BTreeSet<String>,
    alarms: Vec<(String, Resource)>,
    firing: BTreeMap<String, bool>,
    seen: Seen,
    runs: SqliteStore,
    signals: Signals,
    /// The worst end of its runs.
    pub worst: Exit,
}

impl<'a> Live<'a> {
    /// Opens the account. A new day in a sandbox begins with an untouched one; one that goes on finds it as it was.
    pub fn open(
        runbook: &Runbook,
        asked: PlanArgs,
        pace: Pace,
        new: bool,
        signals: Signals,
        context: &'a mut Context,
    ) -> Result<Live<'a>, Failure> {
        let (files, findings) = ProjectFiles::open(&context.project.root);
        let files = files.ok_or_else(|| Failure {
            exit: Exit::Findings,
            what: format!("squall.yaml cannot be used: {}", findings.count()),
            next: Some("squall check".into()),
        })?;
        let mut names = BTreeSet::new();
        for scenario in &runbook.scenarios {
            if let Some(experiment) = &scenario.spec.experiment {
                let prepare::Read { experiment, .. } = prepare::read(&files.experiment(&experiment.0), &[], context)?;
                names.extend(prepare::names(&experiment));
            }
        }
        if names.is_empty() {
            names.insert(context.account.clone().unwrap_or_else(|| files.project.default_account.clone()));
        }
        if new {
            afresh::begin(&files, &names, context)?;
        }
        let runs = context.project.store()?;
        let alarm_names = runbook.scenarios.iter().flat_map(|scenario| scenario.spec.alarms.iter().cloned()).collect();
        let mut live = Live {
            context,
            files,
            names,
            opened: None,
            asked: asked.afresh(false),
            pace,
            alarm_names,
            alarms: Vec::new(),
            firing: BTreeMap::new(),
            seen: Seen::default(),
            runs,
            signals,
            worst: Exit::Fine,
        };
        live.reopen()?;
        Ok(live)
    }

    /// Whether what is changed there has users.
    pub fn real(&self) -> bool {
        self.opened.as_ref().is_some_and(|opened| opened.real)
    }

    fn reopen(&mut self) -> Result<(), Failure> {
        let opening = accounts::opening(self.pace, &self.context.env);
        let mut opened = accounts::open(&self.files, &self.names, &self.context.project, &opening)?;
        if self.alarms.is_empty() {
            let location = opened.locations.values().next().cloned();
            for name in &self.alarm_names {
                let found = location.as_ref().and_then(|location| alarm(opened.account.as_mut(), location, name));
                self.alarms.extend(found.map(|found| (name.clone(), found)));
            }
        }
        self.opened = Some(opened);
        Ok(())
    }

    /// What a process that is gone left of a run is rolled back; one that has ended is told of. `false`: there is no such run.
    fn ends_what_was(&mut self, conductor: &mut Conductor<'_>, run: &RunId) -> Result<bool, StoreError> {
        let Some(mut row) = self.row(run)? else { return Ok(false) };
        if row.alive {
            // `squall undo` is at work on it.
            self.context.env.sleep(LOOK);
            return Ok(true);
        }
        if !row.is_closed() {
            self.opened = None;
            // Standard output has the day alone: the run's own journal tells its rollback.
            let (json, out) = (std::mem::take(&mut self.context.json), self.context.output.out.take());
            let rolled_back = undo::dead(self.pace, &mut self.runs, self.context);
            (self.context.json, self.context.output.out) = (json, out);
            self.worst = self.worst.max(rolled_back.unwrap_or_else(|failure| failure.exit));
            self.reopened();
            row = self.row(run)?.unwrap_or(row);
        }
        let now = self.now();
        match (&row.verdict, row.started) {
            (Some(verdict), _) => {
                if row.left.is_empty() {
                    conductor.world(now, World::Gone { at: now })?;
                }
                let (verdict, left) = (verdict.clone(), row.left.clone());
                conductor.ended(now, &Ending::Closed { verdict, left, journal: None }, None);
            }
            // It announced nothing, so it did nothing.
            (None, None) => conductor.world(now, World::Refused { why: "its process ended before it began".into() })?,
            (None, Some(_)) => {
                self.worst = Exit::Left;
                conductor.lost(now, format!("{run} could not be rolled back; run `squall undo {run}`"));
            }
        }
        Ok(true)
    }

    fn row(&self, run: &RunId) -> Result<Option<RunRow>, StoreError> {
        Ok(self.runs.runs()?.into_iter().find(|row| row.run == *run))
    }

    /// The account again after it was closed for another handle on it.
    fn reopened(&mut self) {
        if let Err(failure) = self.reopen() {
            self.context.output.err.line(format!("the account cannot be opened: {}", failure.what));
        }
    }
}

/// How long a process waits before it looks again.
const LOOK: Span = Span::from_millis(100);

impl Stage for Live<'_> {
    fn now(&self) -> Time {
        self.opened.as_ref().map_or_else(|| self.context.env.now(), |opened| opened.account.now())
    }

    fn wait(&mut self, until: Time) {
        let Some(opened) = &mut self.opened else {
            self.context.env.sleep(LOOK);
            return self.reopened();
        };
        let mut watching = Watching::over(opened.account.as_mut(), &self.alarms, &mut self.firing, &self.seen);
        let _ = crate::account::Account::next(&mut watching, until);
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
        match self.ends_what_was(conductor, run) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            // It is not known whether it began.
            Err(error) => {
                self.worst = Exit::Left;
                conductor.lost(self.now(), format!("the journal of {run} cannot be read: {error}"));
                return Ok(());
            }
        }
        if stop {
            return Err("it was stopped before it began".into());
        }
        let experiment = conductor.day().scenario(scenario).and_then(|it| it.spec.experiment.clone());
        let file = self.files.experiment(&experiment.ok_or("this scenario has no experiment")?.0);
        // Two handles on one sandbox would disown each other.
        self.opened = None;
        let (asked, _) = self.asked.named(run.clone());
        let prepared = match prepare::prepare(&file, &asked, self.pace, self.context) {
            Ok(prepared) => prepared,
            Err(failure) => {
                self.reopened();
                return Err(failure.what);
            }
        };
        let Prepared { plan, refused, refusals, account: mut opened, .. } = prepared;
        if refused.is_some() {
            self.opened = Some(opened);
            return Err(refusals.join("; "));
        }
        let (by, interrupts) = (self.context.env.who(), self.signals.interrupts.clone());
        let leave = || interrupts.get().is_some();
        let mut watching = Watching::over(opened.account.as_mut(), &self.alarms, &mut self.firing, &self.seen);
        let around = Surroundings {
            account: &mut watching,
            store: &mut self.runs,
            env: &self.context.env,
            interrupts: interrupts.clone(),
            live: opened.live,
        };
        let mut not_begun = None;
        let drive = |around: Surroundings<'_>, tell: &mut dyn FnMut(&crate::run::Recorded)| match Driver::begin(
            around,
            plan,
            by.clone(),
        ) {
            Ok(mut driver) => conductor.drive(&mut driver, &self.seen, &leave, tell),
            Err(error) => {
                not_begun = Some(error.to_string());
                Err(StoreError::Failed(error.to_string()))
            }
        };
        let ended = supervise(around, run, &by, drive, &mut |_| {});
        self.opened = Some(opened);
        match (ended, not_begun) {
            (_, Some(why)) => Err(why),
            (Err(error), None) => {
                self.worst = Exit::Left;
                conductor.lost(self.now(), run_command::lost(run, &error).what);
                Ok(())
            }
            (Ok(ended), None) => {
                let exit = run_command::conclude(&ended, self.context);
                self.worst = if exit == Exit::Left || exit == Exit::Bug { self.worst.max(exit) } else { self.worst };
                if ended.panic.is_some() {
                    // The conductor's part of the driver panicked with it: the supervisor rolled back.
                    conductor.ended(self.now(), &ended.ending, None);
                }
                report::write_all(run, &self.runs, self.context);
                Ok(())
            }
        }
    }
}
