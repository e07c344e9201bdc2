//! An invocation: cold start, the wrapper's faults, the handler's own work, then its calls to others, one after another:
//! first those once for each invocation, then those once for each message. It ends well, with an error, or at the
//! function's time-out.

use std::sync::Arc;

use super::app::{Loops, OnPayload};
use super::chain::Chain;
use super::event::Event;
use super::lambda::Instance;
use super::logs::Line;
use super::message::New;
use super::model::{CallModel, FunctionModel, Target};
use super::reasons::Why;
use super::slab::Key;
use super::world::World;
use super::wrapper::{Denied, Instead, Late, LateAct};
use crate::account::ResourceKind;
use crate::layer::terms;
use crate::units::{Span, Time};

/// A response that the layer holds until just before the time-out leaves so long for its way.
const BEFORE_DEADLINE: Span = Span::from_millis(terms::BEFORE_DEADLINE_MS as i64);

/// Who invoked, and hears of the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A caller outside of the model.
    Outside,
    /// squall's own load.
    Load(u32),
    /// A request to an api.
    Request(Key),
    /// A batch of an event source mapping.
    Batch(Key),
    /// An event of Lambda's internal queue.
    Asynchronous(Key),
    /// A handler that waits.
    Handler(Key),
}

/// How an invocation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Done,
    /// The wrapper answered in the handler's place.
    Status(u16),
    Failed,
    TimedOut,
}

impl Ending {
    /// Whether Lambda counts it as an error.
    pub fn failed(self) -> bool {
        matches!(self, Ending::Failed | Ending::TimedOut)
    }
}

/// What an invocation is doing until its next event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Work,
    Call,
    /// Waiting for a function that it invoked.
    Waiting,
    End(Ending),
}

/// An invocation under way.
#[derive(Clone, Debug)]
pub(super) struct Invocation {
    pub function: usize,
    pub instance: Instance,
    origin: Origin,
    invoked: Time,
    /// When the handler began, the cold start over.
    began: Time,
    doing: Doing,
    stage: Stage,
    /// The message of the batch, and the call of the stage, that comes next.
    message: u32,
    call: u32,
    /// What it was invoked by, when that is no batch.
    chain: Chain,
    /// Hosts that the wrapper lets it not reach.
    denied: Option<Arc<Denied>>,
    /// What squall's layer does to the handler's response.
    late: Option<Late>,
}

/// Which calls a handler is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Those once for each invocation.
    Once,
    /// Those once for each message.
    Messages,
}

impl Invocation {
    /// The call that it is at.
    fn call<'m>(&self, of: &'m FunctionModel) -> Option<&'m CallModel> {
        let calls = if self.stage == Stage::Once { &of.calls_once } else { &of.calls };
        calls.get(self.call as usize)
    }
}

impl World {
    /// Begins an invocation in an instance.
    pub(super) fn begin(&mut self, function: usize, origin: Origin, mut instance: Instance, cold: bool, chain: Chain) {
        let (injected, denied) = self.inject(function, &mut instance);
        let spec = &self.model.functions[function].spec;
        let chance = &mut self.lambda.functions[function].chance;
        let init = if cold { chance.draw(&spec.cold_start) } else { Span::ZERO };
        let began = self.now + init;
        let mut why = None;
        let (mut at, mut doing) = match injected.instead {
            Some(Instead::Status(code)) => (began + injected.delay, Doing::End(Ending::Status(code))),
            Some(Instead::Exception) => {
                why = Some(Why::FaultInjected);
                (began + injected.delay, Doing::End(Ending::Failed))
            }
            None => {
                let worked = began + injected.delay + chance.draw(&spec.duration);
                let failed = chance.happens(spec.errors);
                why = failed.then_some(Why::HandlerFailed);
                (worked, if failed { Doing::End(Ending::Failed) } else { Doing::Work })
            }
        };
        if at > began + spec.timeout {
            (at, doing, why) = (began + spec.timeout, Doing::End(Ending::TimedOut), None);
        }
        if let Some(why) = why {
            self.because(ResourceKind::Function, function, why);
        }
        let (stage, invoked) = (Stage::Once, self.now);
        let late = injected.late;
        let invocation = Invocation {
            function,
            instance,
            origin,
            invoked,
            began,
            doing,
            stage,
            message: 0,
            call: 0,
            chain,
            denied,
            late,
        };
        let key = self.lambda.invocations.insert(invocation);
        self.agenda.at(at, Event::Invocation(key));
    }

    /// What an invocation was doing is over.
    pub(super) fn invocation_goes_on(&mut self, key: Key) {
        let Some(invocation) = self.lambda.invocations.get(key) else { return };
        match invocation.doing {
            Doing::End(ending) => self.end(key, ending),
            Doing::Work => self.call_next(key),
            Doing::Call => self.call_reaches(key),
            // Only its time-out comes while it waits.
            Doing::Waiting => self.end(key, Ending::TimedOut),
        }
    }

    /// Starts the handler's next call, or ends it when there is none.
    fn call_next(&mut self, key: Key) {
        let model = self.model.clone();
        let Some(invocation) = self.lambda.invocations.get_mut(key) else { return };
        let of = &model.functions[invocation.function];
        if invocation.stage == Stage::Once && invocation.call as usize >= of.calls_once.len() {
            (invocation.stage, invocation.call) = (Stage::Messages, 0);
        }
        if invocation.stage == Stage::Messages {
            if invocation.call as usize >= of.calls.len() && !of.calls.is_empty() {
                invocation.call = 0;
                invocation.message += 1;
            }
            loop {
                match self.readable_message(key) {
                    Readable::Raises => return self.end(key, Ending::Failed),
                    Readable::NoMore => return self.end(key, Ending::Done),
                    Readable::Next if !of.calls.is_empty() => break,
                    // It calls nothing, but it reads every message.
                    Readable::Next => {
                        let Some(invocation) = self.lambda.invocations.get_mut(key) else { return };
                        invocation.message += 1;
                    }
                }
            }
        }
        let Some(invocation) = self.lambda.invocations.get_mut(key) else { return };
        let Some(call) = invocation.call(of) else { return };
        let chance = &mut self.lambda.functions[invocation.function].chance;
        let at = self.now + chance.draw(&call.duration);
        let deadline = invocation.began + of.spec.timeout;
        invocation.doing = if at > deadline { Doing::End(Ending::TimedOut) } else { Doing::Call };
        self.agenda.at(at.min(deadline), Event::Invocation(key));
    }

    /// Goes to the next message of the batch that the handler can read, from the one it is at.
    fn readable_message(&mut self, key: Key) -> Readable {
        let Some(invocation) = self.lambda.invocations.get_mut(key) else { return Readable::NoMore };
        let function = invocation.function;
        let (mut failed, mut discarded) = (0, 0);
        let readable = match invocation.origin {
            Origin::Batch(batch) => {
                let on = &self.model.functions[function].spec.payloads;
                self.batches.next_readable(batch, &mut invocation.message, on, |taken| match taken {
                    OnPayload::Fail => failed += 1,
                    OnPayload::Discard => discarded += 1,
                    OnPayload::Handle => {}
                })
            }
            _ if invocation.message == 0 => Readable::Next,
            _ => Readable::NoMore,
        };
        self.because_of(ResourceKind::Function, function, Why::BadMessage, failed);
        self.because_of(ResourceKind::Function, function, Why::BadMessageDiscarded, discarded);
        readable
    }

    /// A handler's call reaches the service.
    fn call_reaches(&mut self, key: Key) {
        let model = self.model.clone();
        let Some(invocation) = self.lambda.invocations.get(key) else { return };
        let (function, began) = (invocation.function, invocation.began);
        let of = &model.functions[function];
        let Some(call) = invocation.call(of) else { return };
        let denied = invocation.denied.as_ref().is_some_and(|denied| denied.matches(&call.host));
        let chain = self.chain_of(key, of);
        if denied {
            self.because(ResourceKind::Function, function, Why::FaultInjected);
        }
        let went_well = !denied
            && self.goes_out(function, call)
            && match call.target {
                Target::Function(callee) => match self.invoke(callee, Origin::Handler(key), chain) {
                    Err(_) => {
                        self.because(ResourceKind::Function, function, Why::CallThrottled);
                        false
                    }
                    Ok(()) => {
                        if let Some(invocation) = self.lambda.invocations.get_mut(key) {
                            invocation.doing = Doing::Waiting;
                        }
                        return self.agenda.at(began + of.spec.timeout, Event::Invocation(key));
                    }
                },
                _ => self.hand_over(function, call, chain),
            };
        self.called(key, went_well);
    }

    /// The chain of requests that a call of an invocation belongs to.
    fn chain_of(&self, key: Key, of: &FunctionModel) -> Chain {
        let Some(invocation) = self.lambda.invocations.get(key).filter(|_| of.in_loop) else { return Chain::default() };
        // Without the trace, what is sent begins a chain of its own.
        if of.spec.loops == Loops::NotSeen {
            return Chain::default();
        }
        let message = (invocation.stage == Stage::Messages).then_some(invocation.message);
        let came = match invocation.origin {
            Origin::Batch(batch) => self.batches.chain(batch, message),
            _ => invocation.chain.clone(),
        };
        came.through(invocation.function)
    }

    /// Whether a call of a function reaches its service: the role allows it, it does not fail by itself, and it is not larger
    /// than the service takes.
    fn goes_out(&mut self, function: usize, call: &CallModel) -> bool {
        let role = self.model.functions[function].role;
        let why = if call.target != Target::External && !self.allowed(role, call.action, &call.arn) {
            Why::NotAllowed(call.action)
        } else if call.size > call.target.largest() {
            Why::TooLarge
        } else if self.lambda.functions[function].chance.happens(call.errors) {
            Why::CallFailed
        } else {
            return true;
        };
        self.because(ResourceKind::Function, function, why);
        false
    }

    /// Sends what a call of a function sends. `false`: the service refuses it.
    fn hand_over(&mut self, function: usize, call: &CallModel, chain: Chain) -> bool {
        let group = self.lambda.functions[function].chance.one_of(&call.groups).cloned();
        match call.target {
            Target::External | Target::Function(_) => true,
            Target::Queue(queue) => self.send_message(queue, New { size: call.size, group, chain, ..New::default() }),
            Target::Table(table) => {
                let written = self.write_item(table);
                if !written {
                    self.because(ResourceKind::Function, function, Why::CallThrottled);
                }
                written
            }
            Target::Topic(topic) => self.publish(topic, call.size, &chain),
            Target::FunctionAsync(function) => self.invoke_asynchronously(function, chain),
        }
    }

    /// Delivers an event, or the record of one, to a destination of its function. What may go wrong is counted there.
    pub(super) fn deliver_to(&mut self, function: usize, to: &CallModel, chain: Chain) -> bool {
        // Neither dead-letter queues nor destinations may be FIFO
        // (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>).
        let fifo = matches!(to.target, Target::Queue(queue) if self.model.queues[queue].spec.fifo);
        !fifo && self.goes_out(function, to) && self.hand_over(function, to, chain)
    }

    /// The function that a handler waits for has ended.
    pub(super) fn child_ended(&mut self, key: Key, ending: Ending) {
        if self.lambda.invocations.get(key).is_some_and(|invocation| invocation.doing == Doing::Waiting) {
            self.called(key, !ending.failed());
        }
    }

    /// A handler's call has its answer.
    fn called(&mut self, key: Key, went_well: bool) {
        let Some(invocation) = self.lambda.invocations.get_mut(key) else { return };
        let of = &self.model.functions[invocation.function];
        if went_well || invocation.call(of).is_some_and(|call| call.optional) {
            invocation.call += 1;
        } else {
            // What is called once for all messages fails all of them.
            let (Origin::Batch(batch), Stage::Messages) = (invocation.origin, invocation.stage) else {
                return self.fail_at_call(key);
            };
            if !self.batches.fail_message(batch, invocation.message) {
                return self.fail_at_call(key);
            }
            invocation.call = 0;
            invocation.message += 1;
        }
        self.call_next(key);
    }

    /// A call that the handler cannot do without failed, and ends its invocation; the log says why.
    fn fail_at_call(&mut self, key: Key) {
        let model = self.model.clone();
        let Some(invocation) = self.lambda.invocations.get(key) else { return };
        let function = invocation.function;
        let of = &model.functions[function];
        if let Some(call) = invocation.call(of)
            && call.target != Target::External
            && self.is_denied(of.role, call.action, &call.arn)
        {
            self.log(function, Line::Denied(call.action));
        }
        self.end(key, Ending::Failed);
    }

    /// What becomes of the end of a handler: squall's layer may answer something else, or hold the response, and then it ends
    /// later, which is `None`.
    fn let_out(&mut self, key: Key, ending: Ending) -> Option<Ending> {
        let (now, model) = (self.now, self.model.clone());
        let invocation = self.lambda.invocations.get_mut(key);
        let late = invocation.and_then(|it| it.late.take().map(|late| (late, it)));
        let Some((Late { until, act }, invocation)) = late.filter(|(late, _)| now < late.until) else {
            return Some(ending);
        };
        let deadline = invocation.began + model.functions[invocation.function].spec.timeout;
        let (at, held) = match act {
            // A function that fails by itself has no response to replace.
            LateAct::Answer(_) if ending != Ending::Done => return Some(ending),
            LateAct::Answer(status) => (now, Ending::Status(status)),
            LateAct::HoldBefore => (deadline - BEFORE_DEADLINE, ending),
            LateAct::HoldPast => (deadline, Ending::TimedOut),
        };
        // It is let go when its order ends.
        let (at, held) = if until < at { (until, ending) } else { (at, held) };
        if ending == Ending::TimedOut {
            return Some(ending);
        }
        let function = invocation.function;
        invocation.doing = Doing::End(held);
        self.lambda.functions[function].minutes.at(now).injected(act.fault());
        if at <= now {
            return Some(held);
        }
        self.agenda.at(at, Event::Invocation(key));
        None
    }

    fn end(&mut self, key: Key, ending: Ending) {
        let Some(ending) = self.let_out(key, ending) else { return };
        let Some(invocation) = self.lambda.invocations.remove(key) else { return };
        let Invocation { function, instance, origin, invoked, began, .. } = invocation;
        self.count_ended(function, invoked, self.now.since(began), ending.failed());
        if ending == Ending::TimedOut {
            self.because(ResourceKind::Function, function, Why::TimedOut);
        }
        // After a time-out Lambda resets the environment.
        self.lambda.release(function, instance, ending != Ending::TimedOut, self.now);
        match origin {
            Origin::Outside => {}
            Origin::Load(ticket) => self.load_answered(ticket, !ending.failed()),
            Origin::Request(request) => self.function_answered(request, ending),
            Origin::Batch(batch) => self.batch_ended(batch, ending),
            Origin::Asynchronous(event) => self.asynchronous_ended(event, ending),
            Origin::Handler(handler) => self.child_ended(handler, ending),
        }
    }
}

/// Whether there is a message for the handler to go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readable {
    Next,
    NoMore,
    /// The handler cannot read it, and fails as a whole.
    Raises,
}
