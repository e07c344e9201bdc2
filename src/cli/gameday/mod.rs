//! `squall gameday`.

mod args;
mod checks;
mod invite;
mod lead;
mod rehearse;
mod show;
mod write;

use std::path::{Path, PathBuf};

use serde_json::json;

use self::args::{By, Check, Command, Rehearse, Report, Run, Status, Tell, Which};
#[cfg(feature = "serve")]
pub use self::invite::{PORT, link};
use self::lead::{Live, Terminal};
use super::accounts;
use super::output::Output;
use super::project::short;
use super::signals::Signals;
use super::{Context, Ended, Exit, Failure, check as check_command, run as run_command};
use crate::conductor::{Conductor, facilitator};
use crate::env::Env;
use crate::format::day::Line;
use crate::gameday::command::{Ask, Command as Asked, Placed};
use crate::gameday::day::{Day, Duty};
use crate::gameday::event::{Phase, Recorded};
use crate::gameday::role::{Actor, Person, Role};
use crate::gameday::runbook::Runbook;
use crate::gameday::step::{Input, step};
use crate::gameday::{card, line, msel, told};
use crate::ids::DayId;
use crate::report::day as record;
use crate::spec::load::ProjectFiles;
use crate::spec::runbooks;
use crate::store::days::Days as _;
use crate::store::sqlite::SqliteStore;
use crate::store::{Store as _, StoreError};
use crate::units::Span;
use crate::yaml::Source;

/// Lead a game day: check a runbook, rehearse it, run it, and read what came of it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  squall gameday rehearse runbooks/first-game-day.md
                                        the whole day on the sandbox, in a moment
  squall gameday run runbooks/first-game-day.md
                                        lead it from this terminal; type `help` for what can be typed
  squall gameday status                 how it stands
  squall gameday abort --reason 'customers see errors'
                                        roll everything back at once, from any terminal
  squall gameday report                 what came of it")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    match &args.command {
        Command::Check(args) => check(args, context),
        Command::New(args) => write::new(&args.file, &args.experiments, args.msel.as_deref(), context),
        Command::Rehearse(args) => rehearse_day(args, context),
        Command::Run(args) => run(args, context),
        Command::Status(args) => status(args, context),
        Command::Tell(args) => tell(args, context),
        Command::Note(args) => {
            let text = args.text.clone();
            ask(
                &args.by,
                args.correct.map_or(Asked::Note { text: text.clone() }, |note| Asked::Correct { note, text }),
                context,
            )
        }
        Command::Release(args) => ask(&args.by, Asked::Release { item: args.item.clone() }, context),
        Command::Abort(args) => ask(&args.by, Asked::Abort { why: args.reason.clone() }, context),
        Command::Invite(args) => invite::execute(args, context),
        Command::Card(args) => {
            let runbook = read(&args.file, context)?;
            context.output.out.text(card::cards(&runbook, args.role));
            Ok(Exit::Fine)
        }
        Command::Msel(args) => {
            let runbook = read(&args.file, context)?;
            context.output.out.text(msel::write(&runbook));
            Ok(Exit::Fine)
        }
        Command::Report(args) => report(args, context),
    }
}

fn check(args: &Check, context: &mut Context) -> Ended {
    let (files, mut findings) = ProjectFiles::open(&context.project.root);
    let mut checked = Vec::new();
    if let Some(files) = files {
        let (known, _) = accounts::known(&files);
        checked = if args.files.is_empty() { files.runbooks() } else { args.files.clone() };
        for path in &checked {
            findings.append(runbooks::runbook(path, &files, &known).1);
        }
    }
    if checked.is_empty() && findings.is_empty() {
        return Err(Failure::usage(
            "there is no runbook here",
            "write one: squall gameday new runbooks/NAME.md EXPERIMENT",
        ));
    }
    let exit = if findings.has_errors() { Exit::Findings } else { Exit::Fine };
    let out = &mut context.output.out;
    match context.json {
        true => out.json(&json!({ "findings": findings.to_json(), "files": checked })),
        false if findings.is_empty() => {
            out.line(format!("no findings in {} {}", checked.len(), if checked.len() == 1 { "file" } else { "files" }));
        }
        false => out.text(findings.render(check_command::style(out.colour()))),
    }
    Ok(exit)
}

/// Reads a runbook, and prints what is wrong with it.
fn read(file: &Path, context: &mut Context) -> Result<Runbook, Failure> {
    let (files, mut findings) = ProjectFiles::open(&context.project.root);
    let runbook = files.and_then(|files| {
        let (known, _) = accounts::known(&files);
        let (runbook, found) = runbooks::runbook(file, &files, &known);
        findings.append(found);
        runbook
    });
    let err = &mut context.output.err;
    for finding in findings.iter() {
        err.text(finding.render(check_command::style(err.colour())) + "\n\n");
    }
    runbook.filter(|_| !findings.has_errors()).ok_or_else(|| Failure {
        exit: Exit::Findings,
        what: format!("{} cannot be used: {}", file.display(), findings.count()),
        next: Some("fix the errors above, then run `squall gameday check`".into()),
    })
}

fn rehearse_day(args: &Rehearse, context: &mut Context) -> Ended {
    let runbook = read(&args.file, context)?;
    let id = DayId("rehearsal".into());
    let mut lines = Vec::new();
    let rehearsed = rehearse::rehearse(&runbook, &id, args.responders, args.seed, context, &mut |recorded, day| {
        lines.push((Line::of(&id, recorded), printed(recorded, day)));
    })?;
    for (line, text) in lines {
        match (context.json, text) {
            (true, _) => context.output.out.json(&json!(line)),
            (false, Some(text)) => context.output.out.line(text),
            (false, None) => {}
        }
    }
    if let Some(file) = &args.record {
        let page = match file.extension().is_some_and(|ending| ending == "md") {
            true => record::markdown(&id, &rehearsed.day, &rehearsed.events, &[]),
            false => record::html(&id, &rehearsed.day, &rehearsed.events, &[]),
        };
        crate::private::write(file, &page).map_err(|error| {
            Failure::refused(format!("{}: {error}", file.display()), "look at the rights of the folder")
        })?;
        context.output.err.line(format!("the record is in {}", file.display()));
    }
    let mut problems = checks::problems(&rehearsed.day);
    problems.extend(rehearsed.refused.iter().map(|why| format!("the script could not go on: {why}")));
    problems.iter().for_each(|problem| context.output.err.line(format!("not as the runbook says: {problem}")));
    let left =
        rehearsed.day.scenarios.iter().any(|it| it.fault.ended.as_ref().is_some_and(|ended| !ended.left.is_empty()));
    Ok(match (left, problems.is_empty()) {
        (true, _) => Exit::Left,
        (false, false) => Exit::Unknown,
        (false, true) => Exit::Fine,
    })
}

/// An event as a line with its time.
fn printed(recorded: &Recorded, day: &Day) -> Option<String> {
    let since = recorded.at.since(day.opened).rounded();
    told::line(&recorded.event, day).map(|text| format!("+{:<8} {text}", since.to_string()))
}

fn run(args: &Run, context: &mut Context) -> Ended {
    let mut store = context.project.store()?;
    let (runbook, id, new) = match (&args.file, &args.day) {
        (Some(file), _) => {
            let id = args.day_id.clone().unwrap_or_else(|| DayId::fresh(context.env.now(), context.env.entropy()));
            (read(file, context)?, id, true)
        }
        (None, Some(id)) => (replayed(&store, id)?.1.runbook.as_ref().clone(), id.clone(), false),
        (None, None) => return Err(Failure::usage("no runbook is named", "squall gameday run runbooks/NAME.md")),
    };
    if new && store.days()?.contains(&id) {
        return Err(Failure::usage(
            format!("there is a day {id} already"),
            format!("go on with it: squall gameday run --day {id}"),
        ));
    }
    let Some(_alone) = store.lead_alone(&id)? else {
        return Err(Failure::refused(
            format!("another process leads {id}"),
            "ask it for what you want: squall gameday tell",
        ));
    };
    let people = people_of(args, &runbook, &store, &id, new)?;
    let found = checks::before(&runbook, &people, new, !args.without_rehearsal, context)?;
    let signals = Signals::listen(|| {}).map_err(|error| run_command::no_signals(&error))?;
    let by = typist(args.by.as_ref(), &people, context)?;
    let mut live = Live::open(&runbook, args.asked.clone(), args.pace, new, signals.clone(), context)?;
    if live.real() && !args.yes {
        run_command::confirm(live.context)?;
    }
    let at = crate::conductor::Stage::now(&live);
    let mut terminal = Terminal::listen(by);
    let json = live.context.json;
    let Output { mut out, mut err } = Output::standard();
    let mut say = |recorded: &Recorded, day: &Day| match (json, printed(recorded, day)) {
        (true, _) => out.json(&json!(Line::of(&id, recorded))),
        (false, Some(text)) => out.line(text),
        (false, None) => {}
    };
    terminal.answer_on(move |text| err.line(text));
    let led = match new {
        true => {
            let event = rehearse::opening(&runbook, people, &live.context.who(), false);
            Conductor::open(id.clone(), Recorded { seq: 1, at, event }, &mut store, &mut terminal, &mut say)
        }
        false => Conductor::resume(id.clone(), &mut store, &mut terminal, &mut say),
    };
    let mut conductor = led?;
    for world in found {
        conductor.world(at, world)?;
    }
    conductor.lead(&mut live, &|| signals.interrupts.get().is_some())?;
    let closed = conductor.day().phase == Phase::Closed;
    let worst = live.worst;
    drop(live);
    if closed {
        let written = write_record(&id, &store, context)?;
        context.output.err.line(format!("the record of {id} is in {}", written.display()));
    } else {
        context.output.err.line(format!("{id} is not over; go on with it: squall gameday run --day {id}"));
    }
    Ok(worst)
}

/// Who takes part: as the command line says, as the runbook says, or as the day was opened with.
fn people_of(args: &Run, runbook: &Runbook, store: &SqliteStore, id: &DayId, new: bool) -> Result<Vec<Actor>, Failure> {
    Ok(match (new, args.people.is_empty()) {
        (true, false) => args.people.clone(),
        (true, true) => runbook.people(),
        (false, _) => replayed(store, id)?
            .1
            .people
            .iter()
            .map(|(person, (role, agent))| Actor { person: person.clone(), role: *role, agent: *agent })
            .collect(),
    })
}

/// Who types at the terminal.
fn typist(by: Option<&Person>, people: &[Actor], context: &Context) -> Result<Actor, Failure> {
    let found = match by {
        Some(by) => people.iter().find(|actor| actor.person == *by),
        None => people.iter().find(|actor| actor.role == Role::Facilitator),
    };
    match (found, by) {
        (Some(actor), _) => Ok(actor.clone()),
        (None, Some(by)) => {
            Err(Failure::usage(format!("{by} is not part of this day"), format!("add --person '{by}=ROLE'")))
        }
        (None, None) => Ok(facilitator(&context.who())),
    }
}

fn replayed(store: &SqliteStore, id: &DayId) -> Result<(Vec<Recorded>, Day), Failure> {
    let events = store.day_events(id)?;
    let day = Day::replay(&events)
        .map_err(|why| Failure::refused(format!("{id} cannot be read: {why}"), "use the squall that wrote it"))?;
    Ok((events, day))
}

/// The day that is named: by its name or a part of it; else the newest.
fn pick(store: &SqliteStore, which: &Which) -> Result<DayId, Failure> {
    let days = store.days()?;
    let Some(name) = &which.day else {
        let none = || Failure::usage("there is no game day here yet", "squall gameday run runbooks/NAME.md");
        return days.into_iter().next().ok_or_else(none);
    };
    if let Some(day) = days.iter().find(|day| day.0 == *name) {
        return Ok(day.clone());
    }
    let alike: Vec<&DayId> = days.iter().filter(|day| day.0.contains(name.as_str())).collect();
    match alike.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(Failure::usage(format!("there is no game day `{name}`"), "squall gameday status --all")),
        several => {
            let names: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(Failure::usage(format!("`{name}` is ambiguous: {}", names.join(", ")), "name the whole day"))
        }
    }
}

fn store_to_read(context: &Context) -> Result<SqliteStore, Failure> {
    let none = || Failure::usage("there is no game day here yet", "squall gameday run runbooks/NAME.md");
    context.project.store_to_read()?.ok_or_else(none)
}

fn status(args: &Status, context: &mut Context) -> Ended {
    let store = store_to_read(context)?;
    if args.all {
        for id in store.days()? {
            let (_, day) = replayed(&store, &id)?;
            let (phase, title) = (day.phase.word(), &day.runbook.front.title);
            match context.json {
                true => context
                    .output
                    .out
                    .json(&json!({ "day": id.0, "title": title, "phase": phase, "opened": day.opened })),
                false => context.output.out.line(format!("{id}  {}  {phase}  {title}", short(day.opened))),
            }
        }
        return Ok(Exit::Fine);
    }
    let id = pick(&store, &args.which)?;
    let day = replayed(&store, &id)?.1;
    let view = day.view(args.role);
    match context.json {
        true => context.output.out.json(&json!(view)),
        false => show::lines(&view).into_iter().for_each(|line| context.output.out.line(line)),
    }
    if is_orphaned(&id, &day, &store)? {
        return Err(Failure {
            exit: Exit::Left,
            what: format!("no process leads {id}, and a fault may be in place"),
            next: Some("roll back: squall undo; or go on with the day: squall gameday run --day".into()),
        });
    }
    Ok(Exit::Fine)
}

fn tell(args: &Tell, context: &mut Context) -> Ended {
    let store = store_to_read(context)?;
    let id = pick(&store, &args.by.which)?;
    let (_, day) = replayed(&store, &id)?;
    let (who, command) = line::parse(&args.words.join(" "), &day.questions())
        .map_err(|what| Failure::usage(what, "squall gameday tell --help"))?;
    let by = By { which: Which { day: Some(id.0) }, by: who.or_else(|| args.by.by.clone()) };
    ask(&by, command, context)
}

/// Leaves something to be asked of a day, or asks it where no process leads the day.
fn ask(by: &By, command: Asked, context: &mut Context) -> Ended {
    let mut store = context.project.store()?;
    let id = pick(&store, &by.which)?;
    let (_, day) = replayed(&store, &id)?;
    let by = match &by.by {
        Some(person) => lead::known(&day, person).map_err(|what| Failure::usage(what, "name one of them with --as"))?,
        None => {
            let people: Vec<Actor> = day.people.keys().filter_map(|person| day.actor(person)).collect();
            typist(None, &people, context)?
        }
    };
    let words = command.words();
    let mut exit = Exit::Fine;
    let out = match place(&id, Ask { by, command }, &context.env, &mut store)? {
        Placed::Asked => format!("asked: {words}"),
        Placed::Recorded => format!("recorded: {words}; no process leads {id} now"),
        Placed::RecordedWhileFaultInPlace => {
            exit = Exit::Left;
            format!("{words}: recorded, but no process leads {id}; roll back with: squall undo")
        }
    };
    match context.json {
        true => context.output.out.json(&json!({ "day": id.0, "asked": words, "said": out })),
        false => context.output.out.line(out),
    }
    Ok(exit)
}

/// Puts something that is asked before a day: the process that leads it takes it; where there is none, it is recorded here.
pub fn place(id: &DayId, ask: Ask, env: &dyn Env, store: &mut SqliteStore) -> Result<Placed, Failure> {
    let (events, day) = replayed(store, id)?;
    // An abort that is repeated is no mistake: a person wants to know that it happens.
    if let (Asked::Abort { .. }, Some(_), Some(_)) = (&ask.command, &day.aborted, store.lead_alone(id)?) {
        return Ok(if in_place(store, &day)? { Placed::RecordedWhileFaultInPlace } else { Placed::Recorded });
    }
    // What is impossible now is refused at once; what becomes so meanwhile is in the record.
    let at = day.last;
    let followed = step(&day, &id.0, at, Input::Asked(ask.by.clone(), ask.command.clone()))
        .map_err(|refusal| Failure::refused(refusal.what, refusal.next))?;
    let Some(_alone) = store.lead_alone(id)? else {
        store.ask_day(id, &ask)?;
        return Ok(Placed::Asked);
    };
    // The record gets it with this machine's time if that is later.
    let at = if env.now().since(at) < MOST_APART { at.max(env.now()) } else { at };
    let last = events.last().map_or(0, |event| event.seq);
    let numbered = (last + 1..).zip(followed).map(|(seq, event)| Recorded { seq, at, event });
    store.append_day(id, &numbered.collect::<Vec<_>>(), None)?;
    Ok(if in_place(store, &day)? { Placed::RecordedWhileFaultInPlace } else { Placed::Recorded })
}

/// Whether the run of a day's scenario may have its fault in place: it began, and has no end.
fn in_place(store: &SqliteStore, day: &Day) -> Result<bool, StoreError> {
    let Some(Duty::Run { run, .. } | Duty::Stop { run, .. }) = day.duty() else { return Ok(false) };
    Ok(store.runs()?.iter().any(|row| row.run == run && row.started.is_some() && !row.is_closed()))
}

/// Whether no process leads a day whose fault may be in place.
pub fn is_orphaned(id: &DayId, day: &Day, store: &SqliteStore) -> Result<bool, StoreError> {
    Ok(in_place(store, day)? && store.lead_alone(id)?.is_some())
}

/// A sandbox's clock may be far from this machine's; then the record's own time goes on.
const MOST_APART: Span = Span::from_mins(60 * 24);

fn report(args: &Report, context: &mut Context) -> Ended {
    let store = store_to_read(context)?;
    let id = pick(&store, &args.which)?;
    if context.json {
        for recorded in store.day_events(&id)? {
            context.output.out.json(&json!(Line::of(&id, &recorded)));
        }
        return Ok(Exit::Fine);
    }
    let file = write_record(&id, &store, context)?;
    context.output.out.line(file.display().to_string());
    if args.schedules {
        write_schedules(&id, &store, context)?;
    }
    Ok(Exit::Fine)
}

fn write_schedules(id: &DayId, store: &SqliteStore, context: &mut Context) -> Result<(), Failure> {
    let (_, day) = replayed(store, id)?;
    let Some(text) = record::schedules(id, &day) else {
        let next = "squall gameday tell action OWNER scenario=1 retest=DATE TEXT";
        return Err(Failure::refused("no action has a date for its test, and a scenario with an experiment", next));
    };
    let folder =
        ProjectFiles::open(&context.project.root).0.map(|files| files.project.schedules_in).unwrap_or_default();
    let file = context.project.path(folder).join(format!("{id}.yaml"));
    let cannot = |error: std::io::Error| {
        Failure::refused(format!("{}: {error}", file.display()), "look at the rights of the folder")
    };
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(cannot)?;
    }
    std::fs::write(&file, text).map_err(cannot)?;
    context.output.out.line(file.display().to_string());
    Ok(())
}

/// Writes the record beside the reports of runs, and gives the HTML file.
fn write_record(id: &DayId, store: &SqliteStore, context: &mut Context) -> Result<PathBuf, Failure> {
    let (events, day) = replayed(store, id)?;
    let mut earlier = Vec::new();
    for other in store.days()?.into_iter().filter(|other| other != id) {
        let (_, other_day) = replayed(store, &other)?;
        if other_day.runbook.front.title == day.runbook.front.title && other_day.opened < day.opened {
            earlier.push((other, other_day));
        }
    }
    let folder = ProjectFiles::open(&context.project.root).0.map(|files| files.project.reports).unwrap_or_default();
    let folder = context.project.path(folder);
    let written = |file: &Path, text: &str| {
        let cannot = |error: std::io::Error| {
            Failure::refused(format!("{}: {error}", file.display()), "look at the rights of the folder")
        };
        crate::private::folder(&folder).map_err(cannot)?;
        crate::private::write(file, text).map_err(cannot)
    };
    let page = folder.join(format!("{id}.html"));
    written(&page, &record::html(id, &day, &events, &earlier))?;
    written(&folder.join(format!("{id}.md")), &record::markdown(id, &day, &events, &earlier))?;
    Ok(page)
}

/// A runbook from a text that squall wrote.
fn parsed(text: &str) -> bool {
    Runbook::read(&Source::new("new.md", text)).0.is_some()
}
