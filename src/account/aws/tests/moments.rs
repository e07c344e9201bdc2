//! Virtual time for whole runs over recorded services: it passes when everything waits, and then to the next moment that
//! somebody waits for. A call takes the time that its service takes.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use crate::account::aws::awake::Awake;
use crate::account::aws::call::{Sleeper, on_terms};
use crate::account::aws::session::Connection;
use crate::account::aws::worker::{self, Connections};
use crate::account::aws::{AccountConfig, Shared};
use crate::account::gateway::GatewayClock;
use crate::account::{Account, Call, CallId, Dispatch, Outcome};
use crate::env::Env;
use crate::units::{Span, Time};

/// The clock, and who waits for which moment of it.
#[derive(Debug, Default)]
pub struct Moments {
    micros: AtomicI64,
    waiting: Mutex<BTreeMap<i64, Vec<Waker>>>,
    crowd: Mutex<Crowd>,
    all_waited: Condvar,
}

/// Threads that share the clock: it goes on when all of them wait.
#[derive(Debug, Default)]
struct Crowd {
    members: usize,
    waiting: usize,
    /// The first moment that one of them waits for.
    until: Option<i64>,
    rounds: u64,
}

impl Moments {
    fn micros(&self) -> i64 {
        self.micros.load(Ordering::SeqCst)
    }

    /// Waits for a time to pass.
    pub async fn pass(self: Arc<Self>, span: Span) {
        let until = self.micros() + span.micros();
        std::future::poll_fn(|context| {
            if self.micros() >= until {
                return Poll::Ready(());
            }
            self.waiting.lock().unwrap().entry(until).or_default().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// So many threads share the clock from now on.
    pub fn shared_by(&self, members: usize) {
        self.crowd.lock().unwrap().members = members;
    }

    /// One of them does not look at it any more.
    pub fn leave(&self) {
        let mut crowd = self.crowd.lock().unwrap();
        crowd.members -= 1;
        self.go_on_if_all_wait(&mut crowd);
    }

    /// Goes on to the next moment, but not past one; wakes who waits for it.
    fn go_on(&self, until: i64) {
        let mut crowd = self.crowd.lock().unwrap();
        if crowd.members < 2 {
            return self.advance(until);
        }
        crowd.waiting += 1;
        crowd.until = Some(crowd.until.map_or(until, |known| known.min(until)));
        let round = crowd.rounds;
        self.go_on_if_all_wait(&mut crowd);
        while crowd.rounds == round {
            crowd = self.all_waited.wait(crowd).unwrap();
        }
    }

    fn go_on_if_all_wait(&self, crowd: &mut Crowd) {
        if crowd.waiting == crowd.members
            && let Some(until) = crowd.until.take()
        {
            self.advance(until);
            crowd.waiting = 0;
            crowd.rounds += 1;
            self.all_waited.notify_all();
        }
    }

    fn advance(&self, until: i64) {
        let mut waiting = self.waiting.lock().unwrap();
        let next = waiting.keys().next().copied().unwrap_or(i64::MAX).min(until);
        self.micros.fetch_max(next, Ordering::SeqCst);
        while let Some(entry) = waiting.first_entry().filter(|entry| *entry.key() <= next) {
            entry.remove().into_iter().for_each(Waker::wake);
        }
    }
}

const START: &str = "2026-03-02T09:00:00Z";

impl Env for Moments {
    fn now(&self) -> Time {
        START.parse::<Time>().unwrap() + self.monotonic()
    }
    fn monotonic(&self) -> Span {
        Span::from_micros(self.micros())
    }
    fn sleep(&self, span: Span) {
        self.go_on(self.micros() + span.micros());
    }
    fn entropy(&self) -> u64 {
        0
    }
    fn var(&self, _: &str) -> Option<String> {
        None
    }
    fn who(&self) -> String {
        "tester@here".into()
    }
}

impl Sleeper for Arc<Moments> {
    fn sleep(&self, span: Span) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.clone().pass(span))
    }
}

/// A call that is under way.
struct Task {
    id: CallId,
    work: Pin<Box<dyn Future<Output = Outcome>>>,
    woken: Arc<Woken>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Accounts over a service, in virtual time.
pub struct InMoments {
    pub clock: Arc<Moments>,
    connections: Connections,
    account_clock: GatewayClock,
    tasks: Vec<Task>,
    runtime: tokio::runtime::Runtime,
}

impl InMoments {
    /// Accounts that hear a service.
    pub fn new(
        accounts: impl IntoIterator<Item = AccountConfig>,
        clock: Arc<Moments>,
        shared: &Shared,
        service: &(impl aws_smithy_runtime_api::client::http::HttpClient + Clone + 'static),
    ) -> InMoments {
        use aws_smithy_runtime_api::shared::IntoShared as _;
        let awake = Arc::new(Awake::new(clock.clone()));
        let connect = |config: AccountConfig| {
            let http = Some(service.clone().into_shared());
            let sleeper = Arc::new(clock.clone());
            Arc::new(Connection::new(config, clock.clone(), shared, awake.clone(), sleeper, http))
        };
        let accounts: Vec<AccountConfig> = accounts.into_iter().collect();
        let env: Arc<dyn Env> = clock.clone();
        let account_clock = shared.clock(&accounts, &env);
        let connections = Connections::of(accounts.into_iter().map(connect));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        InMoments { clock, connections, account_clock, tasks: Vec::new(), runtime }
    }

    /// Lets everybody go on who can. The first answer, if there is one.
    fn go_round(&mut self) -> Option<(CallId, Outcome)> {
        // The SDK's own timers never come, for no time passes for them.
        let _inside = self.runtime.enter();
        for (index, task) in self.tasks.iter_mut().enumerate() {
            while task.woken.0.swap(false, Ordering::SeqCst) {
                let waker = Waker::from(task.woken.clone());
                if let Poll::Ready(outcome) = task.work.as_mut().poll(&mut Context::from_waker(&waker)) {
                    let task = self.tasks.remove(index);
                    return Some((task.id, outcome));
                }
            }
        }
        None
    }
}

impl Account for InMoments {
    fn now(&self) -> Time {
        self.account_clock.now()
    }

    fn clock_is_off(&self) -> Option<i64> {
        self.account_clock.is_off()
    }

    fn submit(&mut self, id: CallId, call: Call) {
        self.submit_with(id, call, Dispatch::default());
    }

    fn submit_with(&mut self, id: CallId, call: Call, dispatch: Dispatch) {
        let connection = self.connections.at(call.location()).unwrap();
        let work = Box::pin(on_terms(dispatch, async move { worker::answer(&connection, call).await }));
        self.tasks.push(Task { id, work, woken: Arc::new(Woken(AtomicBool::new(true))) });
    }

    fn next(&mut self, until: Time) -> Option<(CallId, Outcome)> {
        // By this machine's clock, and not so far that it would be no turn any more.
        let ahead = self.clock.now().micros() - self.now().micros();
        let start = START.parse::<Time>().unwrap().micros();
        let until = until.micros().saturating_add(ahead).saturating_sub(start).max(self.clock.micros());
        loop {
            if let Some(answer) = self.go_round() {
                return Some(answer);
            }
            // One that was passed over may have been woken by one that came later.
            if self.tasks.iter().any(|task| task.woken.0.load(Ordering::SeqCst)) {
                continue;
            }
            if self.clock.micros() >= until {
                return None;
            }
            self.clock.go_on(until);
        }
    }
}
