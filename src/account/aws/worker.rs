//! The thread that makes the calls: each is a task, its answer goes back through a channel.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::awake::{Awake, BEAT};
use super::call::{RealTime, on_terms};
use super::session::{Connection, Session};
use super::{
    AccountConfig, Shared, alarms, find, fis, invalid, kms, lambda, load, logs, metrics, permitted, probes, queues,
    roles, settings, ssm, switch, unsupported, watched,
};
use crate::account::{
    Call, CallError, CallId, Description, Dispatch, Location, Metric, Outcome, Query, Reply, Resource, ResourceKind,
    Window,
};
use crate::env::Env;

type Answers = Sender<(CallId, Outcome)>;
type Submitted = (CallId, Call, Dispatch);

/// The thread, from the outside. It ends when this is dropped; calls that are under way are dropped with it, and commands
/// of probes killed.
pub struct Worker {
    /// None while it ends.
    calls: Option<UnboundedSender<Submitted>>,
    answers: Answers,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread. It builds no client before a call needs it. `http` stands for the network, if that is recorded.
    pub fn start(
        accounts: Vec<AccountConfig>,
        env: Arc<dyn Env>,
        shared: Arc<Shared>,
        answers: Answers,
        http: Option<SharedHttpClient>,
    ) -> Worker {
        let (calls, inbox) = unbounded_channel();
        let told = answers.clone();
        // Without a thread the inbox is gone, and each call is told so.
        let thread = std::thread::Builder::new().name("aws".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                runtime.block_on(serve(accounts, env, shared, http, inbox, told));
                // A look-up of a name may take long, and no caller waits for it any more.
                runtime.shutdown_background();
            }
        });
        Worker { calls: Some(calls), answers, thread: thread.ok() }
    }

    /// Starts a call.
    pub fn submit(&self, id: CallId, call: Call, dispatch: Dispatch) {
        let sent = self.calls.as_ref().is_some_and(|calls| calls.send((id, call, dispatch)).is_ok());
        if !sent {
            let outcome = unsupported("the thread that calls AWS could not be started; the call was never sent");
            // The caller is gone as well.
            let _ = self.answers.send((id, outcome));
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.calls = None;
        // A thread that panicked has nothing left to end.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn serve(
    accounts: Vec<AccountConfig>,
    env: Arc<dyn Env>,
    shared: Arc<Shared>,
    http: Option<SharedHttpClient>,
    mut inbox: UnboundedReceiver<Submitted>,
    answers: Answers,
) {
    let awake = Arc::new(Awake::new(env.clone()));
    let beats = awake.clone();
    tokio::spawn(async move {
        loop {
            beats.sleeps();
            tokio::time::sleep(BEAT.to_std()).await;
        }
    });
    let connect = |config: AccountConfig| {
        let sleeper = Arc::new(RealTime);
        Arc::new(Connection::new(config, env.clone(), &shared, awake.clone(), sleeper, http.clone()))
    };
    let connections = Connections::of(accounts.into_iter().map(connect));
    while let Some((id, call, dispatch)) = inbox.recv().await {
        let (connection, answers) = (connections.at(call.location()), answers.clone());
        tokio::spawn(async move {
            // A task of its own: a panic in it must be an answer too.
            let outcome = tokio::spawn(on_terms(dispatch, answer_in(connection, call))).await;
            let outcome =
                outcome.unwrap_or_else(|_| Err(CallError::Unknown("the call ended in a bug of squall".into())));
            let _ = answers.send((id, outcome));
        });
    }
}

/// The accounts that can be reached, by where they are.
#[derive(Default)]
pub struct Connections(BTreeMap<Location, Arc<Connection>>);

impl Connections {
    /// Each under its own location and its aliases.
    pub fn of(connections: impl Iterator<Item = Arc<Connection>>) -> Connections {
        let mut by_location = BTreeMap::new();
        for connection in connections {
            for location in connection.locations() {
                by_location.entry(location).or_insert_with(|| connection.clone());
            }
        }
        Connections(by_location)
    }

    /// The connection to a location. What is global is reached through any region of the account.
    pub fn at(&self, location: &Location) -> Option<Arc<Connection>> {
        let exact = self.0.get(location);
        let global = || {
            let of_account = self.0.iter().find(|(known, _)| known.account == location.account);
            of_account.filter(|(known, _)| known.global() == *location).map(|(_, connection)| connection)
        };
        exact.or_else(global).cloned()
    }
}

async fn answer_in(connection: Option<Arc<Connection>>, call: Call) -> Outcome {
    match connection {
        Some(connection) => answer(&connection, call).await,
        None => invalid(format!("no account of squall.yaml is {} ({})", call.location(), call.location().account)),
    }
}

/// Makes a call in an account.
pub async fn answer(connection: &Connection, call: Call) -> Outcome {
    let session = connection.session().await?;
    match call {
        Call::Identify { .. } => Ok(Reply::Identity(session.identity())),
        Call::Permitted { actions, prove, .. } => {
            permitted::permitted(session, &actions, prove).await.map(Reply::Permitted)
        }
        Call::Resolve { selector, .. } => find::resolve(session, &selector).await.map(Reply::Resources),
        Call::Describe { resource } => Ok(Reply::Description(Box::new(describe(session, &resource).await?))),
        Call::Read { setting } => settings::read(session, &setting).await.map(Reply::Observed),
        Call::Write(write) => settings::write(session, write).await.map(|()| Reply::Done),
        Call::Halted { .. } => fis::halted(session).await.map(Reply::Halted),
        Call::FindSwitch { location } => switch::find(session, &location).await.map(Reply::Deployment),
        Call::Arm(order) => switch::arm(session, &order).await.map(|()| Reply::Done),
        Call::Disarm { location, name } => switch::disarm(session, &location, &name).await.map(Reply::Switch),
        Call::ListLocks { location } => ssm::list_locks(session, &location).await.map(Reply::Locks),
        Call::Versions { setting, value, since } => {
            settings::versions(session, &setting, &value, since).await.map(Reply::Versions)
        }
        Call::Renew { resource, at } => ssm::renew(session, &resource, at).await.map(|()| Reply::Done),
        Call::Sign { key, text, .. } => kms::sign(session, &key, text).await.map(Reply::Mac),
        Call::Verify { key, text, mac, .. } => kms::verify(session, &key, text, mac).await.map(Reply::Genuine),
        Call::Lease { resource } => ssm::lease(session, &resource).await.map(Reply::Alive),
        Call::Send { queue, messages } => queues::send(session, &queue, messages).await.map(Reply::Sent),
        Call::Receive { queue, hide } => queues::receive(session, &queue, hide).await.map(Reply::Received),
        Call::DeleteMessage { queue, handle } => {
            queues::delete_message(session, &queue, &handle).await.map(|()| Reply::Done)
        }
        Call::ReleaseMessage { queue, handle } => {
            queues::release_message(session, &queue, &handle).await.map(|()| Reply::Done)
        }
        Call::Measure { query, window } => measure(session, &query, window).await,
        Call::SearchLogs { search, window } => logs::search(session, &search, window).await.map(Reply::Logged),
        Call::Load { target, requests, spread, marker } => load::load(session, &target, requests, spread, marker).await,
    }
}

/// What a resource is.
pub async fn describe(session: &Session, resource: &Resource) -> Result<Description, CallError> {
    Ok(match resource.kind {
        ResourceKind::Function => Description::Function(lambda::describe(session, resource).await?),
        ResourceKind::Queue => Description::Queue(queues::describe(session, resource).await?),
        ResourceKind::Role => Description::Role(roles::describe(session, resource).await?),
        ResourceKind::Parameter => Description::Parameter(ssm::describe(session, resource).await?),
        ResourceKind::Alarm => alarms::describe(session, resource).await?,
        ResourceKind::Probe => {
            let probe = probes::find(session, resource)?;
            let (settles, by_the_minute) = (probe.settles(), probe.by_the_minute());
            Description::Probe { name: resource.name.clone(), settles, by_the_minute }
        }
        ResourceKind::Table | ResourceKind::Topic | ResourceKind::Api => {
            Description::Other { arn: watched::describe(session, resource).await? }
        }
    })
}

async fn measure(session: &Session, query: &Query, window: Window) -> Outcome {
    let kind = query.resource.kind;
    if !query.metric.applies_to(kind) {
        return invalid(format!("there are no {query}: it is a {}", kind.word()));
    }
    let sample = match query.metric {
        Metric::Depth | Metric::InFlight | Metric::Delayed => queues::measure(session, query, window).await?,
        Metric::Value { .. } => probes::measure(session, &query.resource, window).await?,
        Metric::AlarmState => alarms::measure(session, &query.resource, window).await?,
        _ => metrics::measure(session, query, window).await?,
    };
    Ok(Reply::Sample(sample))
}
