//! The console: web pages of game days and of a project's runs. They are made on the server, work without a script, and are kept
//! up to date by one small script of ours over server-sent events.
//!
//! Invariants: a page of a day is made of the view of its reader's role and of nothing else; what a page can do, the command
//! line can do; a `GET` changes nothing.

mod day;
mod facilitator;
mod join;
mod member;
mod parts;
mod project;
mod shell;
mod stream;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use self::parts::Projection;
use crate::access::Permission;
use crate::gameday::command::{Ask, Placed};
use crate::gameday::day::Day;
use crate::ids::DayId;
use crate::report::board;
use crate::serve::http::route::{Act, Parameter, Reply, Route, any};
use crate::serve::http::{Answer, App, Asked, Refusal, Speaks, Verb};
use crate::units::Span;

/// What pages ask of the process that serves them.
pub trait Desk: Send + Sync {
    /// Puts something that a member asks before the day, durably. It was looked at before: the day takes it as it is now.
    ///
    /// # Errors
    /// The store cannot be used, or no process leads the day and it cannot be recorded either.
    fn ask_day(&self, day: &DayId, ask: Ask) -> Result<Placed, Refusal>;

    /// Whether no process leads the day now although its fault may be in place.
    ///
    /// # Errors
    /// The store cannot be used.
    fn is_orphaned(&self, id: &DayId, day: &Day) -> Result<bool, Refusal>;

    /// The confidence board.
    ///
    /// # Errors
    /// The journals cannot be read.
    fn board(&self) -> Result<Vec<board::Row>, Refusal>;
}

/// The days as they are known here, and what each role sees of them.
pub struct Console {
    desk: Arc<dyn Desk>,
    days: Mutex<BTreeMap<DayId, Known>>,
}

/// The one console of a process.
type Shared = Arc<Console>;

struct Known {
    /// When its events were read last, by monotonic time.
    read: Span,
    projection: Arc<Mutex<Projection>>,
}

/// Streams read events again after so long: all of a day share what was read.
const SHARED: Span = Span::from_millis(50);
/// Pages and forms read the store.
const NOW: Span = Span::ZERO;

impl Console {
    /// Works on a day as it is in the store, or was not longer than `within` ago.
    fn with_day<T>(
        &self,
        app: &App,
        id: &DayId,
        within: Span,
        work: impl FnOnce(&mut Projection) -> T,
    ) -> Result<T, Refusal> {
        let now = app.env.monotonic();
        let known = || self.days.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known().get(id).map(|known| (known.read, Arc::clone(&known.projection)));
        if let Some((read, projection)) = &found
            && now - *read < within
        {
            return Ok(work(&mut projection.lock().unwrap_or_else(PoisonError::into_inner)));
        }
        // Why a record cannot be read may name what is hidden, so it is not told.
        let lost = |_| Refusal::new(503, "the record of this day cannot be read now").next("try again in a moment");
        let after =
            found.as_ref().map_or(0, |(_, projection)| projection.lock().unwrap_or_else(PoisonError::into_inner).seq());
        let events = app.with_project(|store| store.day_events_after(id, after)).map_err(lost)?;
        let projection = match found {
            Some((_, projection)) => projection,
            None => Arc::new(Mutex::new(Projection::new(id.clone()))),
        };
        let mut locked = projection.lock().unwrap_or_else(PoisonError::into_inner);
        locked.take(&events).map_err(|_| Refusal::new(503, "the record of this day cannot be read here"))?;
        known().insert(id.clone(), Known { read: now, projection: Arc::clone(&projection) });
        Ok(work(&mut locked))
    }
}

const AFTER: Parameter = Parameter { name: "after", says: "The number of the last change that is on the page." };

/// The table of pages.
pub fn routes(desk: Arc<dyn Desk>) -> Vec<Route> {
    let console = Arc::new(Console { desk, days: Mutex::default() });
    let with = |act: fn(&Shared, &App, &Asked) -> Result<Answer, Refusal>| {
        let console = Arc::clone(&console);
        Box::new(move |app: &App, asked: &Asked| act(&console, app, asked)) as Act
    };
    use Permission::{Abort, Lift, Look, Open, Stop, TakePart};
    use Verb::{Get, Post};
    let page = |verb, path, permission, says, act| Route {
        verb,
        path,
        permission,
        speaks: Speaks::Pages(shell::refused),
        says,
        query: &[],
        body: None,
        reply: Reply::Text(shell::HTML),
        act,
    };
    let stream = |path, permission, says, act| Route {
        query: &[AFTER],
        reply: Reply::Events(any),
        ..page(Get, path, permission, says, act)
    };
    vec![
        page(Get, "/", Open, "Where to go.", with(join::front)),
        page(Get, shell::STYLE_AT, Open, "The style of every page.", with(shell::style)),
        page(Get, shell::SCRIPT_AT, Open, "The script of every page.", with(shell::script)),
        page(Get, "/join/{link}", Open, "What a link is for, and a button.", with(join::look)),
        page(Post, "/join", Open, "Join with a link.", with(join::join)),
        page(Get, "/days/{day}", TakePart, "A day as its member sees it.", with(day::page)),
        stream("/days/{day}/stream", TakePart, "What changes on the member's page.", with(stream::day)),
        page(Post, "/days/{day}/do", TakePart, "Ask a day for something.", with(day::ask)),
        page(Post, "/days/{day}/abort", Abort, "Abort a day.", with(day::abort)),
        page(Get, "/console", Look, "Runs, days, schedules and the halt.", with(project::overview)),
        page(Get, "/console/runs/{run}", Look, "One run.", with(project::run)),
        stream("/console/runs/{run}/stream", Look, "What changes on a run's page.", with(stream::run)),
        page(Get, "/console/schedules", Look, "When schedules come round.", with(project::schedules)),
        page(Get, "/console/board", Look, "How far hypotheses can be trusted.", with(project::board)),
        page(Post, "/console/runs/{run}/stop", Stop, "Stop a run and roll it back.", with(project::stop)),
        page(Post, "/console/halt", Stop, "Halt everything.", with(project::halt)),
        page(Post, "/console/lift", Lift, "Lift the halt.", with(project::lift)),
    ]
}
