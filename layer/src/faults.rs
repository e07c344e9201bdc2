//! Which faults hit which invocation: the orders that were read, and what was decided for invocations under way.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::{Clock, Now};
use crate::orders::document::{Answer, Document, Fault, Hang, Latency, Name, Order, Per, Response, When, With};
use crate::orders::draw::Draw;
use crate::orders::event;
use crate::orders::reading::Reading;
use crate::settings::Settings;
use crate::terms::{BEFORE_DEADLINE_MS, PAST_DEADLINE_MS};

/// After failures the orders are read less often, down to once in so many milliseconds.
const SLOWEST: i64 = 40_000;

/// Decisions that wait for their responses: as many as a Lambda Managed Instance may serve at a time. Beyond it none are made.
const MOST_PENDING: usize = 64;

/// What the faults of one function's environment are decided with.
pub struct Faults {
    /// The settings of the function.
    pub settings: Settings,
    clock: Box<dyn Clock>,
    log: Box<dyn Fn(&Value) + Send + Sync>,
    state: Mutex<State>,
    read: Condvar,
    ask: SyncSender<()>,
}

/// What was read, and when to read again.
#[derive(Default)]
struct State {
    reading: Option<Arc<Reading>>,
    /// A read is under way.
    reading_now: bool,
    /// When it was last asked for, by the monotonic clock.
    asked: Option<i64>,
    /// After so many milliseconds it may be asked for again.
    interval: i64,
    /// What was last said about the orders, so that only news is said.
    said: String,
    pending: BTreeMap<String, Vec<Injection>>,
}

/// A fault that was decided for an invocation.
#[derive(Clone, Debug, PartialEq)]
pub struct Injection {
    /// The run that ordered it.
    pub run: Name,
    /// The order.
    pub order: Name,
    /// The kind of the order's fault.
    pub kind: &'static str,
    /// Before or after the handler.
    pub when: When,
    /// What is done.
    pub act: Act,
}

/// What is done to an invocation.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// It waits so many milliseconds.
    Delay(u64),
    /// Its response waits: as decided, until so many milliseconds before the deadline, past it if that is negative; once the
    /// deadline is known, until this time in milliseconds since 1970.
    Hang(i64),
    /// It fails with a type and a message.
    Error(String, String),
    /// Its response is this body.
    Body(String),
    /// Its response is a status for API Gateway.
    Status(u16),
    /// Its response ends after so many bytes.
    Truncate(u64),
}

/// A response just before the deadline leaves so many milliseconds for its way; one past it comes so much later.
const MARGIN: i64 = BEFORE_DEADLINE_MS as i64;
const PAST: i64 = PAST_DEADLINE_MS as i64;

/// A document as it was fetched.
pub struct Fetched {
    /// The text of the parameter.
    pub text: String,
    /// The date of the reply, in milliseconds since 1970.
    pub dated: i64,
}

impl Faults {
    /// No orders yet. The receiver gets a word whenever they should be read; [`Faults::learn`] takes what came of it.
    pub fn new(
        settings: Settings,
        clock: impl Clock + 'static,
        log: impl Fn(&Value) + Send + Sync + 'static,
    ) -> (Arc<Faults>, Receiver<()>) {
        let (ask, asked) = sync_channel(1);
        let state = Mutex::new(State { interval: settings.interval, ..State::default() });
        let (clock, log) = (Box::new(clock), Box::new(log));
        (Arc::new(Faults { settings, clock, log, state, read: Condvar::new(), ask }), asked)
    }

    /// What the clocks say.
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A thread that panicked with the lock left nothing half done: each change of the state is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the orders read in the background, unless that was done a moment ago.
    pub fn refresh(&self) {
        let now = self.clock.now();
        let mut state = self.state();
        let due = state.asked.is_none_or(|asked| !(0..state.interval).contains(&(now.mono - asked)));
        if due && !state.reading_now {
            state.asked = Some(now.mono);
            state.reading_now = self.ask.try_send(()).is_ok();
        }
    }

    /// Takes what came of reading the parameter with a request that was sent at `sent`.
    pub fn learn(&self, sent: Now, fetched: Result<Fetched, String>) {
        let understood = fetched.and_then(|fetched| {
            let document = Document::read(&fetched.text).map_err(|why| format!("the orders count as none: {why}"))?;
            Ok(Reading::new(document, sent, fetched.dated).limited(&self.settings.limits))
        });
        let mut state = self.state();
        state.reading_now = false;
        let said = match &understood {
            Ok((reading, refused)) => {
                state.interval = self.settings.interval;
                summary(reading, refused)
            }
            Err(why) => {
                state.interval = (state.interval * 2).min(SLOWEST);
                json!({ "source": "squall-layer", "action": "problem", "problem": why })
            }
        };
        // What cannot be read counts as none, and so does what was read before it.
        state.reading = understood.ok().map(|(reading, _)| Arc::new(reading));
        let text = said.to_string();
        let news = state.said != text;
        state.said = text;
        drop(state);
        self.read.notify_all();
        if news {
            (self.log)(&said);
        }
    }

    /// The orders that count now. Waits for a read that is under way if the function wants that.
    fn current(&self) -> Option<Arc<Reading>> {
        let mut state = self.state();
        let is_current =
            |state: &State| state.reading.as_ref().is_some_and(|reading| reading.is_current(self.clock.now()));
        if !is_current(&state) && state.reading_now && self.settings.wait_for_first > 0 {
            let limit = Duration::from_millis(self.settings.wait_for_first);
            let waited = self.read.wait_timeout_while(state, limit, |state| state.reading_now);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if !is_current(&state) {
            return None;
        }
        state.reading.clone()
    }

    /// The orders in force for an invocation that has just come, if there are any.
    pub fn arrived(&self) -> Option<Arc<Reading>> {
        self.refresh();
        let reading = self.current()?;
        let any = reading.in_force(self.clock.now()).next().is_some();
        any.then_some(reading)
    }

    /// How long an order is still in force, in milliseconds, by what is known now.
    pub fn left(&self, injection: &Injection) -> i64 {
        let reading = self.state().reading.clone();
        let Some(reading) = reading else { return 0 };
        reading.order(&injection.run, &injection.order).map_or(0, |order| reading.left(order, self.clock.now()))
    }

    /// What hits the invocation with a request id. `event` is `None` if it was not looked at or was too long for that.
    pub fn decide(&self, reading: &Reading, request: &str, event: Option<&[u8]>) -> Vec<Injection> {
        let mut injections = Vec::new();
        let (mut delays, mut ends) = (self.settings.limits.delay, false);
        for (id, order) in reading.in_force(self.clock.now()) {
            let Some(mut injection) = decided(id, order, request, event) else { continue };
            match &mut injection.act {
                Act::Delay(delay) => {
                    *delay = (*delay).min(delays);
                    delays -= *delay;
                }
                // One invocation has one end.
                _ if ends => continue,
                _ => ends = true,
            }
            injections.push(injection);
        }
        injections
    }

    /// Keeps what is done after the handler until its response comes.
    pub fn keep(&self, request: &str, injections: Vec<Injection>) {
        let mut state = self.state();
        if !injections.is_empty() && state.pending.len() < MOST_PENDING {
            state.pending.insert(request.to_owned(), injections);
        }
    }

    /// What is done to the response of a request.
    pub fn kept(&self, request: &str) -> Vec<Injection> {
        self.state().pending.remove(request).unwrap_or_default()
    }

    /// Milliseconds until a deadline, by AWS's time as far as it is known.
    pub fn until(&self, deadline: i64) -> i64 {
        let now = self.clock.now();
        let reading = self.state().reading.clone();
        deadline - reading.map_or(now.wall, |reading| reading.true_time(now))
    }

    /// Writes the line of an injected fault.
    pub fn report(&self, request: &str, injection: &Injection) {
        let now = self.clock.now();
        (self.log)(&crate::report::injected(&self.settings.function.name, now.wall, request, injection));
    }
}

/// What an order does to a request, if it hits it.
fn decided(id: &Name, order: &Order, request: &str, event: Option<&[u8]>) -> Option<Injection> {
    let mut draw = Draw::new(order.seed, &order.run, id, request);
    if draw.number() >= order.share {
        return None;
    }
    if order.needs_event() {
        let event = event?;
        if !order.conditions.iter().all(|condition| event::holds(event, condition)) {
            return None;
        }
    }
    let (when, act) = match &order.fault {
        Fault::Latency(Latency { when, delay, per }) => {
            let times = match per {
                Per::Invocation => 1,
                Per::Record => event::records(event.unwrap_or_default()),
            };
            let delay = (0..times).fold(0_u64, |sum, _| sum.saturating_add(draw.delay(*delay)));
            (*when, Act::Delay(delay))
        }
        Fault::Error(failed) => (failed.when, Act::Error(failed.kind.to_string(), failed.message.clone())),
        Fault::Response(Response { when, with }) => {
            let act = match with {
                With::Body(body) => Act::Body(body.clone()),
                With::Status(status) => Act::Status(*status),
                With::Truncated(bytes) => Act::Truncate(*bytes),
            };
            (*when, act)
        }
        Fault::Hang(Hang { answer: Answer::BeforeDeadline }) => (When::After, Act::Hang(MARGIN)),
        Fault::Hang(Hang { answer: Answer::PastDeadline }) => (When::After, Act::Hang(-PAST)),
    };
    Some(Injection { run: order.run.clone(), order: id.clone(), kind: order.fault.kind(), when, act })
}

/// What the log says of orders that were read.
fn summary(reading: &Reading, refused: &[String]) -> Value {
    let order = |(id, order): (&Name, &Order)| json!({ "order": id.as_str(), "run": order.run.as_str(), "fault": order.fault.kind(), "until": crate::date::amz(order.until) });
    let orders: Vec<Value> = reading.document().0.iter().map(order).collect();
    json!({ "source": "squall-layer", "action": "orders", "orders": orders, "refused": refused })
}
