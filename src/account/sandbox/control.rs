//! The control plane: calls on their way, their fates, and what each call does when it reaches its service.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::app::{ACCOUNT_ID, arn};
use super::chain::Chain;
use super::event::{Event, MessageId, Ticket};
use super::limit::TokenBucket;
use super::message::{Body, New, Place};
use super::settings::{Named, refused};
use super::weather::{ATTEMPT_TIMEOUT, Fate, Outlook};
use super::world::World;
use crate::account::{
    Call, CallError, CallId, Handle, Identity, Lasts, Mac, MarkKey, Message, Outcome, Permitted, Received, RefusedBy,
    Reply, Resource, ResourceKind, SendOutcome,
};
use crate::units::{Span, Time};

/// Lambda's control plane takes so many calls a second, all its operations together
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const LAMBDA_CALLS_PER_SECOND: f64 = 15.0;
/// Systems Manager's default throughput of GetParameter, in calls a second.
const PARAMETER_CALLS_PER_SECOND: f64 = 40.0;
/// CloudWatch's DescribeAlarms, in calls a second
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html>).
const ALARM_CALLS_PER_SECOND: f64 = 9.0;
/// All messages of one send together: 1 MiB (Amazon SQS quotas).
const LARGEST_BATCH: usize = 1 << 20;

/// A call that has not reached its service yet.
#[derive(Clone, Debug)]
struct UnderWay {
    call: Call,
    arrives: Time,
    /// Counts every call of the world from 1; 0 for renewals, and for calls of callers that are gone.
    number: u64,
    /// How its answer travels; `None` when there is no one to get it.
    answer: Option<CallId>,
    /// An answer instead of the call.
    instead: Option<CallError>,
}

/// Calls between callers and services.
#[derive(Clone, Debug)]
pub(super) struct Control {
    under_way: BTreeMap<Ticket, UnderWay>,
    answering: BTreeMap<Ticket, (CallId, Outcome)>,
    /// Answers that the caller has not taken yet.
    pub answered: VecDeque<(CallId, Outcome)>,
    next_ticket: Ticket,
    calls_made: u64,
    lambda: TokenBucket,
    parameters: TokenBucket,
    alarms: TokenBucket,
}

impl Control {
    pub fn new(now: Time) -> Control {
        let full = |per_second| TokenBucket::full(per_second, per_second, now);
        Control {
            under_way: BTreeMap::new(),
            answering: BTreeMap::new(),
            answered: VecDeque::new(),
            next_ticket: 0,
            calls_made: 0,
            lambda: full(LAMBDA_CALLS_PER_SECOND),
            parameters: full(PARAMETER_CALLS_PER_SECOND),
            alarms: full(ALARM_CALLS_PER_SECOND),
        }
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        self.next_ticket
    }

    /// The service that takes the call says to slow down.
    fn throttles(&mut self, call: &Call, now: Time) -> bool {
        let setting = match call {
            Call::Read { setting } => Some(setting),
            Call::Write(write) => Some(&write.setting),
            _ => None,
        };
        let bucket = match (call, setting) {
            (_, Some(setting)) if setting.service() == "lambda" => &mut self.lambda,
            (_, Some(setting)) if setting.service() == "ssm" => &mut self.parameters,
            (Call::ListLocks { .. } | Call::Renew { .. } | Call::Lease { .. }, _) => &mut self.parameters,
            (Call::Describe { resource }, _) if resource.kind == ResourceKind::Function => &mut self.lambda,
            (Call::Describe { resource }, _) if resource.kind == ResourceKind::Parameter => &mut self.parameters,
            (Call::Measure { query, .. }, _) if query.resource.kind == ResourceKind::Alarm => &mut self.alarms,
            _ => return false,
        };
        !bucket.take(now)
    }
}

impl World {
    /// How many calls were submitted so far.
    pub fn calls_made(&self) -> u64 {
        self.control.calls_made
    }

    /// Decides what becomes of a call to come: 0 is the very next one.
    pub fn force_fate(&mut self, nth_from_now: u64, fate: Fate) {
        let number = self.control.calls_made + 1 + nth_from_now;
        self.sky.force(number, fate);
    }

    /// The caller is gone: its answers go nowhere. What its calls do, they still do.
    pub fn forget_caller(&mut self) {
        self.control.answered.clear();
        self.control.answering.clear();
        self.control.under_way.values_mut().for_each(|call| call.answer = None);
        self.loads.forget_caller();
    }

    /// Starts a call: decides its fate and plans its arrival and its answer.
    pub(super) fn start_call(&mut self, id: CallId, call: Call) {
        // What a run does is the same with a lease and without one: renewals count for themselves.
        let number = match call {
            Call::Renew { .. } => 0,
            _ => {
                self.control.calls_made += 1;
                self.control.calls_made
            }
        };
        let outlook = self.sky.outlook(number);
        let latency = self.sky.latency(number);
        let arrives = self.now + Span::from_micros(latency.micros() / 2);
        let mut under_way = UnderWay { call, arrives, number, answer: Some(id), instead: None };
        if self.sky.weather.expired.is_some_and(|(from, to)| from <= self.now && self.now < to) {
            let message = "ExpiredTokenException: the security token included in the request is expired".into();
            under_way.instead = Some(CallError::Refused { by: RefusedBy::Permission, message });
            return self.send_call(arrives, under_way);
        }
        let lost = || CallError::Unknown(format!("timed out after {ATTEMPT_TIMEOUT}"));
        match outlook {
            Outlook::Fated(Fate::Normal) => self.send_call(arrives, under_way),
            Outlook::Throttled => {
                under_way.instead = Some(CallError::Throttled);
                self.send_call(arrives, under_way);
            }
            Outlook::Failed { happened } => {
                self.answer_at(self.now + latency, id, Err(CallError::Unknown("internal error of the service".into())));
                under_way.answer = None;
                if happened {
                    self.send_call(arrives, under_way);
                }
            }
            Outlook::Fated(fate) => {
                let gives_up = self.now + ATTEMPT_TIMEOUT;
                self.answer_at(gives_up, id, Err(lost()));
                under_way.answer = None;
                match fate {
                    Fate::LostReply => self.send_call(arrives, under_way),
                    Fate::LateBy(late) => self.send_call(gives_up + late, under_way),
                    Fate::LostBefore | Fate::Normal => {}
                }
            }
        }
    }

    fn send_call(&mut self, arrives: Time, call: UnderWay) {
        let ticket = self.control.ticket();
        self.control.under_way.insert(ticket, UnderWay { arrives, ..call });
        self.agenda.at(arrives, Event::CallArrives(ticket));
    }

    /// Calls that will change something when they arrive, and when that is.
    pub(super) fn changes_under_way(&self) -> Vec<(Time, Call)> {
        let changes = self.control.under_way.values().filter(|c| c.call.changes_something() && c.instead.is_none());
        changes.map(|c| (c.arrives, c.call.clone())).collect()
    }

    /// A call of a caller that is gone reaches its service at this time.
    pub(super) fn land_later(&mut self, arrives: Time, call: Call) {
        self.send_call(arrives, UnderWay { call, arrives, number: 0, answer: None, instead: None });
    }

    /// Plans an answer.
    pub(super) fn answer_at(&mut self, at: Time, id: CallId, outcome: Outcome) {
        let ticket = self.control.ticket();
        self.control.answering.insert(ticket, (id, outcome));
        self.agenda.at(at, Event::CallAnswers(ticket));
    }

    /// An answer reaches its caller, if there still is one.
    pub(super) fn call_answers(&mut self, ticket: Ticket) {
        self.control.answered.extend(self.control.answering.remove(&ticket));
    }

    /// A call reaches its service and takes effect.
    pub(super) fn call_arrives(&mut self, ticket: Ticket) {
        let Some(UnderWay { call, number, answer, instead, .. }) = self.control.under_way.remove(&ticket) else {
            return;
        };
        for party in self.sky.third_party_on(number) {
            self.third_party_acts(party);
        }
        let outcome = match (instead, call) {
            (Some(error), _) => Err(error),
            (None, call) if self.control.throttles(&call, self.now) => Err(CallError::Throttled),
            (None, Call::Load { target, requests, spread, marker }) => {
                match self.start_load(answer, &target, requests, spread, marker) {
                    Some(outcome) => outcome,
                    None => return,
                }
            }
            (None, call) => self.perform(call),
        };
        if let Some(id) = answer {
            let back = Span::from_micros(self.sky.latency(number).micros() / 2);
            self.answer_at(self.now + back, id, outcome);
        }
    }

    fn perform(&mut self, call: Call) -> Outcome {
        match call {
            Call::Identify { .. } => Ok(Reply::Identity(identity())),
            Call::Permitted { actions, .. } => Ok(Reply::Permitted(vec![Permitted::Yes; actions.len()])),
            Call::Resolve { selector, .. } => self.resolve(&selector).map(Reply::Resources),
            Call::Describe { resource } => Ok(Reply::Description(Box::new(self.describe(&resource)?))),
            Call::Read { setting } => {
                let true_one = self.setting(&setting)?;
                Ok(Reply::Observed(self.sky.stale(&setting, self.now).unwrap_or(true_one)))
            }
            Call::Write(write) => self.set(&write).map(|()| Reply::Done),
            // Versions of a sandbox's functions hold nothing that a fault changes.
            Call::Versions { .. } => Ok(Reply::Versions(Vec::new())),
            // A sandbox has no operator.
            Call::Halted { .. } => Ok(Reply::Halted(None)),
            Call::FindSwitch { .. } => Ok(Reply::Deployment(self.switches.deployment())),
            Call::Arm(order) => self.arm_switch(order).map(|()| Reply::Done),
            Call::Disarm { name, .. } => Ok(Reply::Switch(self.disarm_switch(&name))),
            Call::ListLocks { .. } => {
                let on = |(kind, name): &Named| Resource::new(&self.location, *kind, name.as_str());
                let locks = self.settings.locks.iter().map(|(named, text)| (on(named), text.to_string()));
                Ok(Reply::Locks(locks.collect()))
            }
            Call::Renew { resource, at } => self.renew(&resource, at).map(|()| Reply::Done),
            Call::Lease { resource } => self.lease(&resource).map(Reply::Alive),
            Call::Sign { key, text, .. } => Ok(Reply::Mac(self.mac(&key, &text))),
            Call::Verify { key, text, mac, .. } => Ok(Reply::Genuine(self.mac(&key, &text) == mac)),
            Call::Send { queue, messages } => self.send(&queue, messages),
            Call::Receive { queue, hide } => self.receive_for_caller(&queue, hide),
            Call::DeleteMessage { queue, handle } => {
                let index = self.index_of(&queue)?;
                if let Some((id, receive)) = parse_handle(&handle) {
                    self.delete_message(index, id, receive);
                    return Ok(Reply::Done);
                }
                refused(RefusedBy::Invalid, "ReceiptHandleIsInvalid")
            }
            Call::ReleaseMessage { queue, handle } => {
                let index = self.index_of(&queue)?;
                if let Some((id, receive)) = parse_handle(&handle) {
                    self.visible_again(index, id, receive);
                    return Ok(Reply::Done);
                }
                refused(RefusedBy::Invalid, "ReceiptHandleIsInvalid")
            }
            Call::Measure { query, window } => self.measure(&query, window),
            Call::SearchLogs { search, window } => self.search_logs(&search, window),
            // It is answered when it is over.
            Call::Load { .. } => refused(RefusedBy::Unsupported, "a load has no answer of its own"),
        }
    }

    /// A sandbox has no keys. It makes codes from its id, which everything in it names: they show what squall does with
    /// signatures, and do not keep out a person who can write into its file.
    fn mac(&self, key: &MarkKey, text: &str) -> Mac {
        Mac::of(format!("{} {key}", self.location.account).as_bytes(), text)
    }

    fn send(&mut self, queue: &Resource, messages: Vec<Message>) -> Outcome {
        let index = self.index_of(queue)?;
        let fifo = self.model.queues[index].spec.fifo;
        if messages.is_empty() || messages.len() > 10 {
            return refused(RefusedBy::Invalid, "a batch holds 1 to 10 messages");
        }
        let largest = self.model.queues[index].spec.largest as usize;
        if messages.iter().map(|message| message.body.len()).sum::<usize>() > LARGEST_BATCH {
            return refused(RefusedBy::Invalid, "BatchRequestTooLong: a batch holds at most 1 MiB");
        }
        let mut outcomes = Vec::new();
        for message in messages {
            outcomes.push(match (&message.group, fifo) {
                (None, true) => SendOutcome::Refused("MissingParameter: a FIFO queue needs a message group".into()),
                (Some(_), false) => SendOutcome::Refused("InvalidParameterValue: no FIFO queue".into()),
                _ if message.body.is_empty() || message.body.len() > largest => {
                    SendOutcome::Refused(format!("InvalidParameterValue: 1 to {largest} bytes"))
                }
                _ => {
                    let (body, size) = (Body::sent_by_squall(&message.body), message.body.len() as u32);
                    let group = message.group.as_deref().map(Arc::from);
                    let marker = Some(Arc::new(message.marker));
                    self.enqueue(index, New { body, size, marker, group, chain: Chain::default() });
                    SendOutcome::Accepted
                }
            });
        }
        Ok(Reply::Sent(outcomes))
    }

    fn receive_for_caller(&mut self, queue: &Resource, hide: Span) -> Outcome {
        let index = self.index_of(queue)?;
        let ids = self.receive(index, 10, hide);
        let held = &self.queues.queues[index].messages;
        let received = ids.into_iter().filter_map(|id| {
            let message = held.get(&id)?;
            debug_assert!(matches!(message.place, Place::InFlight { .. }));
            let handle = Handle(format!("{id}:{}", message.received));
            Some(Received { handle, id: format!("message-{id}"), marker: message.marker.as_deref().cloned() })
        });
        Ok(Reply::Received(received.collect()))
    }
}

fn identity() -> Identity {
    let (account_id, arn) = (ACCOUNT_ID.into(), arn(ResourceKind::Role, "squall"));
    Identity { account_id, arn, roles: vec!["squall".into()], lasts: Lasts::On, clock_is_off: None }
}

fn parse_handle(handle: &Handle) -> Option<(MessageId, u32)> {
    let (id, receive) = handle.0.split_once(':')?;
    Some((id.parse().ok()?, receive.parse().ok()?))
}
