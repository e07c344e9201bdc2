//! What pages ask of this process, and the process that serves nothing else.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::Args;
use crate::access::invitation::Seat;
use crate::access::{Person, Role};
use crate::cli::gameday::{self, PORT};
use crate::cli::output::{Output, Pipe};
use crate::cli::project::Project;
use crate::cli::serve::doors;
use crate::cli::signals::Signals;
use crate::cli::{Context, Ended, Exit, Failure, board, run as run_command, schedule};
use crate::console::{Desk, routes};
use crate::env::{Env as _, RealEnv};
use crate::gameday::command::{Ask, Placed};
use crate::gameday::day::Day;
use crate::gameday::event::Phase;
use crate::gameday::role::Role as DayRole;
use crate::ids::{DayId, RunId, ScheduleName};
use crate::inputs::Given;
use crate::project::serve::Listen;
use crate::report::board::Row;
use crate::schedule::Schedule;
use crate::serve::http::metrics::Counted;
use crate::serve::http::{Backend, Limits, Refusal, RunNow, listen};
use crate::spec::load::ProjectFiles;
use crate::store::StoreError;
use crate::store::days::Days as _;
use crate::store::invitations::ProjectStore;
use crate::units::Span;

/// What pages ask: of a process of `squall console`, and of one of `squall serve`.
pub struct Counter(pub Project);

impl Counter {
    fn context(&self) -> Context {
        let output = || Pipe::plain(std::io::sink());
        Context {
            env: RealEnv,
            output: Output { out: output(), err: output() },
            project: self.0.clone(),
            named_project: None,
            account: None,
            json: true,
            quiet: true,
            strict: false,
        }
    }
}

fn refusal(failure: Failure) -> Refusal {
    Refusal { status: 409, what: failure.what, next: failure.next }
}

impl Desk for Counter {
    fn ask_day(&self, day: &DayId, ask: Ask) -> Result<Placed, Refusal> {
        let mut store = self.0.store()?;
        gameday::place(day, ask, &RealEnv, &mut store).map_err(refusal)
    }

    fn is_orphaned(&self, id: &DayId, day: &Day) -> Result<bool, Refusal> {
        Ok(gameday::is_orphaned(id, day, &self.0.store()?)?)
    }

    fn board(&self) -> Result<Vec<Row>, Refusal> {
        board::rows(&mut self.context()).map_err(refusal)
    }
}

/// A process that serves pages alone.
struct Alone {
    project: Project,
    counted: Counted,
}

fn no_schedules() -> Refusal {
    Refusal::new(409, "this process serves pages alone").next("squall serve")
}

impl Backend for Alone {
    fn store(&self) -> Result<Box<dyn ProjectStore + Send>, StoreError> {
        Ok(Box::new(self.project.store()?))
    }

    fn schedules(&self) -> Arc<Vec<Schedule>> {
        let mut context = Counter(self.project.clone()).context();
        let now = context.env.now();
        Arc::new(schedule::load(now, &mut context).map(|(schedules, _)| schedules).unwrap_or_default())
    }

    fn run_now(&self, _: &RunNow) -> Result<RunId, Refusal> {
        Err(no_schedules())
    }

    fn plan(&self, _: &ScheduleName, _: &[Given], _: Option<u64>) -> Result<Json, Refusal> {
        Err(no_schedules())
    }

    fn not_ready(&self) -> Option<String> {
        None
    }

    fn counted(&self) -> &Counted {
        &self.counted
    }
}

/// How often it looks whether it has to end.
const LOOK: Span = Span::from_millis(100);

/// `squall console`.
pub fn serve(args: &Args, context: &mut Context) -> Ended {
    let project = ProjectFiles::open(&context.project.root).0.map(|files| files.project).unwrap_or_default();
    let loopback = Listen(([127, 0, 0, 1], PORT).into());
    let Listen(address) = args.http.or(project.serve.listen).unwrap_or(loopback);
    let signals = Signals::listen(|| {}).map_err(|error| run_command::no_signals(&error))?;
    let backend = Arc::new(Alone { project: context.project.clone(), counted: Counted::default() });
    let pages = routes(Arc::new(Counter(context.project.clone())));
    let limits = Limits::default().within_open_files();
    let listening = listen(address, backend, Arc::new(context.env), doors(&project.serve), limits, pages);
    let listening = listening.map_err(|error| {
        Failure::refused(format!("{address} cannot be listened on: {error}"), "choose another with --http")
    })?;
    let base = match project.serve.hosts.first() {
        Some(host) => format!("https://{}", host.0),
        None => format!("http://{}", listening.address),
    };
    links(args, &base, context)?;
    if !listening.address.ip().is_loopback() {
        context
            .output
            .err
            .line("warning: links and sessions go over the network as they are; put a proxy with TLS before it");
    }
    context.output.err.line(format!("listening on http://{}; Ctrl-C ends it", listening.address));
    while signals.interrupts.get().is_none() {
        context.env.sleep(LOOK);
    }
    Ok(Exit::Fine)
}

/// Prints the links: for the project's pages, and for the facilitator of the newest day that is not closed.
fn links(args: &Args, base: &str, context: &mut Context) -> Result<(), Failure> {
    let mut store = context.project.store()?;
    let who: String = context.who().chars().filter(|c| c.is_ascii_alphanumeric() || "._@+-".contains(*c)).collect();
    let name = who.parse().or_else(|_| "console".parse()).map_err(|what| Failure::usage(what, "set SQUALL_WHO"))?;
    let seat = Seat::Console(Person { name, role: Role::Operator });
    print("console", &(base.to_owned() + &gameday::link(seat, args.expires, context, &mut store)?), context);
    for id in store.days()? {
        let day = Day::replay(&store.day_events(&id)?);
        let Ok(day) = day else { continue };
        let facilitator = day.people.iter().find(|(_, (role, _))| *role == DayRole::Facilitator);
        let Some(actor) = facilitator.and_then(|(person, _)| day.actor(person)) else { continue };
        if day.phase == Phase::Closed {
            continue;
        }
        let seat = Seat::Day { day: id.clone(), actor };
        print(
            &format!("facilitator of {id}"),
            &(base.to_owned() + &gameday::link(seat, args.expires, context, &mut store)?),
            context,
        );
        return Ok(());
    }
    Ok(())
}

fn print(what: &str, link: &str, context: &mut Context) {
    match context.json {
        true => context.output.out.json(&json!({ "for": what, "link": link })),
        false => context.output.out.line(format!("{what}: {link}")),
    }
}
