//! The HTTP API of `squall serve`: one table of routes, behind one door.
//!
//! A route names a permission ([`crate::access::Permission`]); the door knows who asks and lets through who has it. Web pages are
//! routes of the same kind, in a table of their own (`console`): they speak HTML, and know their callers by a cookie as well.
//!
//! Invariant: a request gives names and typed values, never a file's content, a command or an experiment.

mod address;
mod connection;
mod door;
mod feed;
pub mod metrics;
mod openapi;
mod rate;
mod reply;
pub mod route;
pub mod routes;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

pub use self::address::Hosts;
pub use self::connection::{Limits, Listening, listen};
pub use self::door::COOKIE;
pub use self::feed::{Feed, Message};
pub use self::reply::{Answer, Refusal};
pub use self::route::{Asked, Caller, Route, Speaks, Verb};
use crate::access::invitation::{Invitation, of_session};
use crate::access::token::TokenHash;
use crate::access::{Act, Person, PersonName, Role};
use crate::env::Env;
use crate::ids::{RunId, ScheduleName};
use crate::inputs::Given;
use crate::schedule::Schedule;
use crate::store::invitations::ProjectStore;
use crate::store::{Store, StoreError};

/// What routes ask of the process that serves.
pub trait Backend: Send + Sync {
    /// A handle of its own on the store.
    fn store(&self) -> Result<Box<dyn ProjectStore + Send>, StoreError>;

    /// The schedules as they are served now, by name.
    fn schedules(&self) -> Arc<Vec<Schedule>>;

    /// Starts a schedule's experiment now, beside its rhythm. Returns when it is decided.
    fn run_now(&self, asked: &RunNow) -> Result<RunId, Refusal>;

    /// What a run of a schedule's experiment would do now: the document of `squall plan --json`.
    /// With a seed, the plan of that seed; else that of approvals that still count, or of any.
    fn plan(&self, schedule: &ScheduleName, with: &[Given], seed: Option<u64>) -> Result<serde_json::Value, Refusal>;

    /// Why it is not ready to start runs, if it is not.
    fn not_ready(&self) -> Option<String>;

    /// What the process has counted since it began.
    fn counted(&self) -> &metrics::Counted;
}

/// A run that a person asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunNow {
    pub schedule: ScheduleName,
    pub by: String,
    /// Although hours, a blackout or a calendar say no.
    pub anyway: bool,
    /// Values of inputs, in place of those of the schedule.
    pub with: Vec<Given>,
}

/// Who may come in, and how.
#[derive(Clone, Debug, Default)]
pub struct Doors {
    /// Names of this server beside those of loopback, as browsers and proxies call it.
    pub hosts: Vec<String>,
    /// The proxies whose word is taken for who asks.
    pub proxies: Vec<IpAddr>,
    /// The header in which they say it, in lower case.
    pub user_header: String,
    /// The users that they may name, with their roles. Others are strangers.
    pub users: Vec<(PersonName, Role)>,
    /// So many requests a minute of one address, or of one person.
    pub requests_a_minute: u32,
}

/// The server's own state, for every request.
pub struct App {
    pub backend: Arc<dyn Backend>,
    pub env: Arc<dyn Env>,
    /// Handles on the store that no request uses now.
    idle: Mutex<Vec<Box<dyn ProjectStore + Send>>>,
    doors: Doors,
    hosts: Hosts,
    rate: Mutex<rate::Rate>,
    feeds: Arc<tokio::sync::Semaphore>,
    /// The description of the API, made once.
    openapi: serde_json::Value,
}

/// Handles on the store that are kept open.
const KEPT: usize = 4;

impl App {
    fn new(
        backend: Arc<dyn Backend>,
        env: Arc<dyn Env>,
        doors: Doors,
        address: SocketAddr,
        feeds: usize,
        routes: &[Route],
    ) -> App {
        App {
            backend,
            env,
            idle: Mutex::default(),
            hosts: Hosts::new(address, &doors.hosts),
            rate: Mutex::new(rate::Rate::new(doors.requests_a_minute)),
            doors,
            feeds: Arc::new(tokio::sync::Semaphore::new(feeds)),
            openapi: openapi::document(routes),
        }
    }

    /// Works on the store.
    pub fn with_store<T>(&self, work: impl FnOnce(&mut dyn Store) -> Result<T, StoreError>) -> Result<T, Refusal> {
        self.with_project(|store| work(store))
    }

    /// Works on everything that the project keeps.
    pub fn with_project<T>(
        &self,
        work: impl FnOnce(&mut dyn ProjectStore) -> Result<T, StoreError>,
    ) -> Result<T, Refusal> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        let mut store = match kept {
            Some(store) => store,
            None => self.backend.store()?,
        };
        let worked = work(store.as_mut())?;
        // After an error the handle is not kept.
        let mut idle = idle();
        if idle.len() < KEPT {
            idle.push(store);
        }
        Ok(worked)
    }

    /// Notes what a person does, before it is done.
    pub fn note(&self, asked: &Asked, what: &str, detail: String) -> Result<(), Refusal> {
        let act = Act { at: self.env.now(), by: asked.by(), what: what.to_owned(), detail };
        self.with_store(|store| store.note(&act))
    }

    /// The person that a token names.
    fn person_of_token(&self, token: &str) -> Result<Option<Person>, Refusal> {
        let rows = self.with_store(|store| store.tokens())?;
        Ok(crate::access::token::person(&rows, token, self.env.now()))
    }

    /// A wrong secret was sent: it costs as a wrong token does.
    pub fn wrong_secret(&self, asked: &Asked) {
        if let Some(peer) = asked.peer {
            door::wrong(self, peer.0);
        }
    }

    /// The invitation whose session this is, unless it was revoked.
    pub fn invitation_of(&self, session: &TokenHash) -> Result<Option<Invitation>, Refusal> {
        let rows = self.with_project(|store| store.invitations())?;
        Ok(of_session(&rows, session).cloned())
    }
}

#[cfg(test)]
mod tests;
