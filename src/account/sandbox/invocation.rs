//! An invocation: cold start, the wrapper's faults, the handler's own work, then its calls to others, one after another
//! and once for each message of a batch. It ends well, with an error, or at the function's time-out.

use super::event::Event;
use super::lambda::{Instance, Throttled};
use super::model::Target;
use super::slab::Key;
use super::world::World;
use super::wrapper::Instead;
use crate::units::{Span, Time};

/// Who invoked, and hears of the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Somebody outside who does not matter.
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
    /// The message of the batch, and the call, that comes next.
    message: u32,
    call: u32,
}

impl World {
    /// Begins an invocation in an instance.
    pub(super) fn begin(&mut self, function: usize, origin: Origin, mut instance: Instance, cold: bool) {
        let injected = self.inject(function, &mut instance);
        let spec = &self.model.functions[function].spec;
        let chance = &mut self.lambda.functions[function].chance;
        let init = if cold { chance.draw(&spec.cold_start) } else { Span::ZERO };
        let began = self.now + init;
        let (mut at, mut doing) = match injected.instead {
            Some(Instead::Status(code)) => (began + injected.delay, Doing::End(Ending::Status(code))),
            Some(Instead::Exception) => (began + injected.delay, Doing::End(Ending::Failed)),
            None => {
                let worked = began + injected.delay + chance.draw(&spec.duration);
                let failed = chance.happens(spec.errors);
                (worked, if failed { Doing::End(Ending::Failed) } else { Doing::Work })
            }
        };
        if at > began + spec.timeout {
            (at, doing) = (began + spec.timeout, Doing::End(Ending::TimedOut));
        }
        let invocation =
            Invocation { function, instance, origin, invoked: self.now, began, doing, message: 0, call: 0 };
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
        if invocation.call as usize >= of.calls.len() && !of.calls.is_empty() {
            invocation.call = 0;
            invocation.message += 1;
        }
        loop {
            match self.readable_message(key) {
                Readable::Raises => return self.end(key, Ending::Failed),
                Readable::NoMore => return self.end(key, Ending::Done),
                Readable::Next if !of.calls.is_empty() => break,
                // It calls nobody, but it reads every message.
                Readable::Next => {
                    let Some(invocation) = self.lambda.invocations.get_mut(key) else { return };
                    invocation.message += 1;
                }
            }
        }
        let Some(invocation) = self.lambda.invocations.get_mut(key) else { return };
        let call = &of.calls[invocation.call as usize];
        let chance = &mut self.lambda.functions[invocation.function].chance;
        let at = self.now + chance.draw(&call.duration);
        let deadline = invocation.began + of.spec.timeout;
        invocation.doing = if at > deadline { Doing::End(Ending::TimedOut) } else { Doing::Call };
        self.agenda.at(at.min(deadline), Event::Invocation(key));
    }

    /// Goes to the next message of the batch that the handler can read, from the one it is at.
    fn readable_message(&mut self, key: Key) -> Readable {
        let Some(invocation) = self.lambda.invocations.get_mut(key) else { return Readable::NoMore };
        match invocation.origin {
            Origin::Batch(batch) => {
                let discards = self.model.functions[invocation.function].spec.malformed;
                self.batches.next_readable(batch, &mut invocation.message, discards)
            }
            _ if invocation.message == 0 => Readable::Next,
            _ => Readable::NoMore,
        }
    }

    /// A handler's call reaches the service.
    fn call_reaches(&mut self, key: Key) {
        let model = self.model.clone();
        let Some(invocation) = self.lambda.invocations.get_mut(key) else { return };
        let (function, began) = (invocation.function, invocation.began);
        let of = &model.functions[function];
        let call = &of.calls[invocation.call as usize];
        let allowed = call.target == Target::External || self.allowed(of.role, call.action, &call.arn);
        let went_well = allowed
            && match call.target {
                Target::External => true,
                Target::Queue(queue) => {
                    self.enqueue(queue, false, None, None);
                    true
                }
                Target::Table(table) => self.write_item(table),
                Target::Topic(topic) => self.publish(topic),
                Target::FunctionAsync(function) => {
                    self.invoke_asynchronously(function);
                    true
                }
                Target::Function(function) => match self.invoke(function, Origin::Handler(key)) {
                    Err(Throttled) => false,
                    Ok(()) => {
                        if let Some(invocation) = self.lambda.invocations.get_mut(key) {
                            invocation.doing = Doing::Waiting;
                        }
                        self.agenda.at(began + of.spec.timeout, Event::Invocation(key));
                        return;
                    }
                },
            };
        self.called(key, went_well);
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
        if went_well || of.calls[invocation.call as usize].optional {
            invocation.call += 1;
        } else {
            let Origin::Batch(batch) = invocation.origin else { return self.end(key, Ending::Failed) };
            if !self.batches.fail_message(batch, invocation.message) {
                return self.end(key, Ending::Failed);
            }
            invocation.call = 0;
            invocation.message += 1;
        }
        self.call_next(key);
    }

    fn end(&mut self, key: Key, ending: Ending) {
        let Some(invocation) = self.lambda.invocations.remove(key) else { return };
        let Invocation { function, instance, origin, invoked, began, .. } = invocation;
        self.count_ended(function, invoked, self.now.since(began), ending.failed());
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
