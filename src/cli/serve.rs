//! `squall serve`.

mod gates;
#[cfg_attr(not(feature = "serve"), path = "serve/without_http.rs")]
mod http;
mod post;
mod scheduled;
mod systemd;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel};
use std::thread::JoinHandle;

use self::http::Http;
#[cfg(feature = "serve")]
pub use self::http::doors;
use self::post::{Delivery, Post};
use self::scheduled::{Job, News};
use self::systemd::Systemd;
use super::accounts::{self, Pace};
use super::prepare::Allowed;
use super::project::short;
use super::signals::Signals;
use super::{Context, Ended, Exit, Failure, run, schedule, undo};
use crate::channel::Notifications;
use crate::env::Env as _;
use crate::ids::{RunId, ScheduleName};
use crate::inputs::{Given, over};
use crate::project::serve::Listen;
use crate::schedule::Schedule;
use crate::serve::gate::Limits;
use crate::serve::{Start, Turns, settle_unbegun, starts};
use crate::spec::load::ProjectFiles;
use crate::store::occurrences::{Fate, OccurrenceKey, OccurrenceRow};
use crate::store::sqlite::SqliteStore;
use crate::store::{Store, StoreError};
use crate::units::Span;

/// Run scheduled experiments until stopped
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What a dead process left behind is rolled back first. Each occurrence is decided once, and recorded with its outcome: \
`squall schedule history`. On SIGTERM and Ctrl-C, and on SIGHUP at a terminal, it rolls back what is running, then ends. Without a \
terminal, SIGHUP reads the schedules again. `squall halt` stops runs and starts none. \
With --http it answers over HTTP as well: health, metrics, runs, schedules, the halt; access needs a token of `squall token`.

Examples:
  squall serve
  squall serve --http 7077
  squall serve --json | jq -r 'select(.fate == \"skipped\") | .detail'
  squall serve --open-production shop-eu")]
pub struct Args {
    #[command(flatten)]
    allowed: Allowed,
    /// How fast the sandbox's time passes in a run: `1x`, `60x` or `max` [default: 60x on a terminal, else max]
    #[arg(long, value_parser = accounts::pace)]
    pace: Option<Pace>,
    /// Answer over HTTP, at a port of loopback or at an address with its port; 0 takes a free one [default: `serve: listen` in
    /// squall.yaml]
    #[arg(long, value_name = "PORT|ADDRESS:PORT")]
    http: Option<Listen>,
}

/// A run that a person asks for over HTTP.
pub struct Order {
    schedule: ScheduleName,
    by: String,
    /// Although hours, a blackout or a calendar say no.
    anyway: bool,
    /// Values of inputs, in place of those of the schedule.
    with: Vec<Given>,
    /// Gets the run's name, or why none begins.
    reply: SyncSender<Result<RunId, String>>,
}

/// How often it looks whether something has come.
const LOOK: Span = Span::from_millis(50);

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let pace = args.pace.unwrap_or_else(|| run::default_pace(context));
    let mut store = context.project.store()?;
    let Some(_alone) = store.serve_alone()? else {
        return Err(Failure::refused("another `squall serve` is running in this project", "stop it first"));
    };
    // A terminal that closes ends what was started there; a service is asked to read its files again.
    let signals = match context.output.err.is_terminal() {
        true => Signals::listen(|| {}),
        false => Signals::listen_without_terminal(),
    };
    let signals = signals.map_err(|error| run::no_signals(&error))?;
    let rolled_back = roll_back(pace, &mut store, context)?;
    settle_unbegun(&mut store, context.env.now())?;
    let now = context.env.now();
    let (schedules, exit) = schedule::load(now, context)?;
    if exit != Exit::Fine {
        let next = "fix the errors above, then run `squall check`".to_owned();
        return Err(Failure { exit, what: "a schedule has errors".into(), next: Some(next) });
    }
    let project = ProjectFiles::open(&context.project.root).0.map(|files| files.project).unwrap_or_default();
    let limits = Limits::from(&project.scheduling);
    let schedules = Arc::new(schedules);
    let turns = Turns::new(schedules.to_vec(), limits, context.env.who(), &mut store, now)?;
    let (order, orders) = channel();
    let listen = args.http.or(project.serve.listen);
    let http = Http::begin(listen, &project.serve, Arc::clone(&schedules), &args.allowed, order, context)?;
    let delivery = deliver(&project.notifications, context)?;
    let next = turns.next().map_or_else(|| "nothing scheduled".to_owned(), |at| format!("next at {}", short(at)));
    context.output.err.line(format!("serving this project's schedules; {next}"));
    let (news, heard) = channel();
    let server = Server {
        schedules,
        turns,
        store,
        http,
        orders,
        post: Post::new(project.notifications),
        delivery: Some(delivery),
        systemd: Systemd::new(&context.env),
        // One that came while the files were read is answered by reading them again.
        reloads: 0,
        signals,
        allowed: args.allowed.clone(),
        pace,
        news,
        heard,
        at_work: Vec::new(),
        worst: rolled_back,
    };
    Ok(server.serve(context))
}

/// Begins to deliver notifications.
fn deliver(notifications: &Notifications, context: &Context) -> Result<Delivery, Failure> {
    let project = context.project.clone();
    let open = move || Ok(Box::new(project.store()?) as Box<dyn Store + Send>);
    Delivery::begin(notifications, open)
        .map_err(|error| Failure::refused(format!("notifications cannot be delivered: {error}"), "try again"))
}

/// Rolls back what dead processes left. For programs, standard output has decisions only: the journal tells the rollback.
fn roll_back(pace: Pace, store: &mut SqliteStore, context: &mut Context) -> Ended {
    let json = std::mem::take(&mut context.json);
    let out = json.then(|| context.output.out.take());
    let rolled_back = undo::dead(pace, store, context);
    context.json = json;
    if let Some(out) = out {
        context.output.out = out;
    }
    rolled_back
}

/// One process that serves schedules.
struct Server {
    schedules: Arc<Vec<Schedule>>,
    turns: Turns,
    store: SqliteStore,
    http: Http,
    orders: Receiver<Order>,
    post: Post,
    delivery: Option<Delivery>,
    systemd: Systemd,
    /// How often the files were read again.
    reloads: usize,
    signals: Signals,
    allowed: Allowed,
    pace: Pace,
    news: Sender<News>,
    heard: Receiver<News>,
    at_work: Vec<(RunId, JoinHandle<()>)>,
    worst: Exit,
}

impl Server {
    /// Until a signal comes and everything is rolled back. The exit code says whether something was left.
    fn serve(mut self, context: &mut Context) -> Exit {
        let mut trouble: Option<StoreError> = None;
        self.systemd.ready();
        while self.signals.interrupts.get().is_none() {
            let now = context.env.now();
            let mut fresh = || RunId::fresh(context.env.now(), context.env.entropy());
            match self.turns.turn(&mut self.store, now, &mut fresh) {
                Ok(decided) => {
                    trouble = None;
                    decided.iter().for_each(|row| tell(row, context));
                    decided.iter().for_each(|row| self.http.decided(row));
                    starts(&decided).into_iter().for_each(|start| self.start(start, None, false, context));
                    if !decided.is_empty() {
                        self.post.stir();
                    }
                    self.http.turned();
                }
                // What is at work goes on and is rolled back; nothing starts that cannot be recorded. Said once, not each time.
                Err(error) => {
                    if trouble.as_ref() != Some(&error) {
                        context.output.err.line(format!("nothing starts while the store cannot be used: {error}"));
                    }
                    trouble = Some(error);
                }
            }
            self.take_orders(context);
            self.hear(context);
            self.tell_channels(context);
            self.reload(context);
            self.systemd.alive(context.env.monotonic());
            context.env.sleep(LOOK);
        }
        self.http.stops();
        self.systemd.stopping();
        if let Some(signal) = self.signals.interrupts.get() {
            let runs = self.at_work.len();
            context.output.err.line(format!("{}: rolling back what is running ({runs}), then ending", signal.name()));
        }
        while !self.at_work.is_empty() {
            self.hear(context);
            self.systemd.alive(context.env.monotonic());
            context.env.sleep(LOOK);
        }
        self.hear(context);
        self.post.stir();
        self.tell_channels(context);
        if let Some(delivery) = self.delivery.take() {
            delivery.end();
        }
        match self.worst {
            Exit::Left => Exit::Left,
            _ => Exit::Fine,
        }
    }

    /// Queues what is to be told. A store that cannot take it now is asked again: the run's own journal has it all.
    fn tell_channels(&mut self, context: &Context) {
        let (now, monotonic) = (context.env.now(), context.env.monotonic());
        let at_work = !self.at_work.is_empty();
        if let Err(error) = self.post.turn(&self.schedules, at_work, &mut self.store, now, monotonic) {
            tracing::warn!("notifications wait: {error}");
        }
    }

    /// Reads the schedules again when SIGHUP came. With an error in them, those from before go on.
    fn reload(&mut self, context: &mut Context) {
        let asked = self.signals.reloads();
        if asked == self.reloads {
            return;
        }
        self.reloads = asked;
        let now = context.env.now();
        let (project, findings) = ProjectFiles::open(&context.project.root);
        let loaded = schedule::load(now, context);
        let (Some(project), Ok((schedules, Exit::Fine)), false) = (project, loaded, findings.has_errors()) else {
            context.output.err.line("SIGHUP: a file has errors; the schedules from before go on");
            return;
        };
        let project = project.project;
        let limits = Limits::from(&project.scheduling);
        if let Err(error) = self.turns.reload(schedules.clone(), limits, &mut self.store, now) {
            context.output.err.line(format!("SIGHUP: the schedules from before go on: {error}"));
            return;
        }
        match deliver(&project.notifications, context) {
            Ok(delivery) => {
                // The one before ends by itself; a message that both take at the same moment has the same id.
                if let Some(before) = self.delivery.replace(delivery) {
                    before.stop();
                }
                self.post = Post::new(project.notifications);
            }
            Err(failure) => context.output.err.line(failure.what),
        }
        self.schedules = Arc::new(schedules);
        self.http.set_schedules(Arc::clone(&self.schedules));
        let next =
            self.turns.next().map_or_else(|| "nothing scheduled".to_owned(), |at| format!("next at {}", short(at)));
        context.output.err.line(format!("SIGHUP: read {} schedules again; {next}", self.schedules.len()));
    }

    /// Does what was asked for over HTTP.
    fn take_orders(&mut self, context: &mut Context) {
        while let Ok(order) = self.orders.try_recv() {
            let begun = self.run_now(&order, context);
            // Who asked may be gone; the run is in the store.
            let _ = order.reply.send(begun);
        }
    }

    /// Begins a run beside its schedule's rhythm, or says why not.
    fn run_now(&mut self, order: &Order, context: &mut Context) -> Result<RunId, String> {
        let now = context.env.now();
        let found = self.schedules.iter().find(|schedule| schedule.name == order.schedule);
        let schedule = found.ok_or_else(|| format!("there is no schedule {}", order.schedule))?.clone();
        if let Some(why) = schedule.why_not(now, schedule.length).filter(|_| !order.anyway) {
            return Err(format!("{why}; say so with `anyway`"));
        }
        if let Some(why) = self.turns.closed(&self.store, now).map_err(|error| error.to_string())? {
            return Err(why);
        }
        let run = RunId::fresh(now, context.env.entropy());
        let key = OccurrenceKey { schedule: schedule.name.clone(), at: now, by_hand: true };
        let row = OccurrenceRow { key, decided: now, by: order.by.clone(), fate: Fate::Run(run.clone()) };
        match self.store.claim_occurrence(&row) {
            Ok(true) => {}
            Ok(false) => return Err("it was asked for twice at the same time".into()),
            Err(error) => return Err(error.to_string()),
        }
        tell(&row, context);
        self.post.stir();
        self.start(Start { key: row.key, run: run.clone() }, Some(order), false, context);
        Ok(run)
    }

    /// Runs a schedule's experiment once more, because the verdict was unknown; or records why not.
    fn run_again(&mut self, name: &ScheduleName, of: &RunId, context: &mut Context) {
        let now = context.env.now();
        let Some(schedule) = self.schedules.iter().find(|schedule| schedule.name == *name).cloned() else { return };
        let closed = match schedule.why_not(now, schedule.length) {
            Some(why) => Ok(Some(why.to_string())),
            None => self.turns.closed(&self.store, now),
        };
        let run = RunId::fresh(now, context.env.entropy());
        let fate = match closed {
            Ok(None) => Fate::Run(run.clone()),
            Ok(Some(why)) => Fate::Skipped(format!("{of} was unknown, and is not run again: {why}")),
            Err(error) => Fate::Failed(error.to_string()),
        };
        let starts = fate.run().is_some();
        let key = OccurrenceKey { schedule: name.clone(), at: now, by_hand: true };
        let row = OccurrenceRow { key, decided: now, by: format!("squall, because {of} was unknown"), fate };
        match self.store.claim_occurrence(&row) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                return context.output.err.line(format!("{of} cannot be run again: {error}"));
            }
        }
        tell(&row, context);
        self.post.stir();
        if starts {
            self.start(Start { key: row.key, run }, None, true, context);
        }
    }

    /// Starts a run in a thread of its own; `order`: a person asked for it.
    fn start(&mut self, start: Start, order: Option<&Order>, again: bool, context: &mut Context) {
        let found = self.schedules.iter().find(|schedule| schedule.name == start.key.schedule);
        let Some(schedule) = found.cloned() else { return };
        let with = over(&schedule.with, order.map_or(&[], |order| &order.with));
        let job = Job {
            run: start.run.clone(),
            schedule: Schedule { enabled: true, with, ..schedule },
            project: context.project.clone(),
            allowed: self.allowed.clone(),
            pace: self.pace,
            anyway: order.is_some_and(|order| order.anyway),
            asked_by: order.map(|order| order.by.clone()),
            again,
            interrupts: self.signals.interrupts.clone(),
            news: self.news.clone(),
        };
        let key = start.key.clone();
        let name = format!("run {}", start.run);
        match std::thread::Builder::new().name(name).spawn(move || scheduled::perform(&job, &key)) {
            Ok(thread) => self.at_work.push((start.run, thread)),
            Err(error) => self.not_started(start, &error.to_string(), context),
        }
    }

    /// Records that a run which was decided cannot begin, so that the next one does not wait for it.
    fn not_started(&mut self, start: Start, why: &str, context: &mut Context) {
        let fate = Fate::Failed(format!("its thread cannot be started: {why}"));
        if let Err(error) = self.store.settle_occurrence(&start.key, &fate) {
            context.output.err.line(format!("why {} did not begin cannot be recorded: {error}", start.run));
        }
        self.turns.never_begins(start.run);
        self.post.stir();
        tell(&OccurrenceRow { key: start.key, decided: context.env.now(), by: context.who(), fate }, context);
    }

    /// Prints what runs say, and takes note of those that have ended.
    fn hear(&mut self, context: &mut Context) {
        let mut again = Vec::new();
        while let Ok(news) = self.heard.try_recv() {
            match news {
                News::Line(line) if !context.json => context.output.out.line(line),
                News::Line(_) => {}
                News::Waits(row) => {
                    self.post.stir();
                    tell(&row, context);
                }
                News::Again { schedule, of } => again.push((schedule, of)),
                News::Settled(row) => {
                    self.post.stir();
                    tell(&row, context);
                }
                News::RolledBack(took) => self.http.rolled_back(took),
                News::Ended(exit) => {
                    self.worst = if exit == Exit::Left { exit } else { self.worst };
                    self.turns.ended(context.env.now());
                    self.post.stir();
                }
            }
        }
        if self.signals.interrupts.get().is_none() {
            again.iter().for_each(|(schedule, of)| self.run_again(schedule, of, context));
        }
        let (ended, going): (Vec<_>, Vec<_>) = self.at_work.drain(..).partition(|(_, thread)| thread.is_finished());
        self.at_work = going;
        for (run, thread) in ended {
            // The driver's panics are caught below; this is one of what is around it.
            if thread.join().is_err() {
                self.worst = Exit::Left;
                context
                    .output
                    .err
                    .line(format!("bug: {run} panicked; run `squall undo {run}`, and please report this"));
            }
        }
    }
}

/// Prints what became of an occurrence.
fn tell(row: &OccurrenceRow, context: &mut Context) {
    let out = &mut context.output.out;
    match context.json {
        true => out.json(&schedule::as_json(row)),
        false => out.line(schedule::as_line(row)),
    }
}
