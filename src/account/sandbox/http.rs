//! HTTP front ends: a request invokes the function of its route and waits for it, but not for ever.
//!
//! The gateway itself adds no time here. A function that is throttled or fails makes a 5xx; one that takes longer than
//! the gateway waits makes a 504, and goes on all the same
//! (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html: 30 s).

use super::event::Event;
use super::invocation::{Ending, Origin};
use super::lambda::millis;
use super::metrics::{Datum, Minute, Minutes};
use super::slab::{Key, Slab};
use super::world::World;
use crate::units::Time;

/// A request that has no answer yet.
#[derive(Clone, Debug)]
struct Request {
    api: usize,
    began: Time,
    /// squall's load that it belongs to.
    load: Option<u32>,
}

/// What API Gateway publishes about an api for one minute, by the time of the answer.
#[derive(Clone, Debug, Default)]
pub(super) struct ApiMinute {
    count: u32,
    failed: u32,
    durations: Vec<u32>,
}

impl Minute for ApiMinute {
    fn datum(&self, metric: &str) -> Option<Datum> {
        match metric {
            "Count" => Some(Datum::of(f64::from(self.count))),
            "5xx" | "5XXError" => Some(Datum::of(f64::from(self.failed))),
            "Latency" | "IntegrationLatency" => millis(&self.durations),
            _ => None,
        }
    }

    fn durations(&self) -> &[u32] {
        &self.durations
    }
}

/// Every api, in the order of the model.
#[derive(Clone, Debug, Default)]
pub(super) struct Http {
    pub apis: Vec<Minutes<ApiMinute>>,
    requests: Slab<Request>,
}

impl Http {
    pub fn new(number: usize) -> Http {
        Http { apis: vec![Minutes::default(); number], requests: Slab::default() }
    }
}

impl World {
    /// A request comes in.
    pub(super) fn request(&mut self, api: usize, function: usize, load: Option<u32>) {
        let key = self.http.requests.insert(Request { api, began: self.now, load });
        match self.invoke(function, Origin::Request(key)) {
            // 503 Service Unavailable.
            Err(super::lambda::Throttled) => self.answer_request(key, false),
            Ok(()) => {
                let timeout = self.model.apis[api].timeout;
                self.agenda.at(self.now + timeout, Event::GatewayGivesUp(key));
            }
        }
    }

    /// The function of a request has ended.
    pub(super) fn function_answered(&mut self, key: Key, ending: Ending) {
        let fine = match ending {
            Ending::Done => true,
            Ending::Status(code) => code < 500,
            Ending::Failed | Ending::TimedOut => false,
        };
        self.answer_request(key, fine);
    }

    /// The gateway has waited long enough: 504, if the request still waits.
    pub(super) fn gateway_gives_up(&mut self, key: Key) {
        self.answer_request(key, false);
    }

    fn answer_request(&mut self, key: Key, fine: bool) {
        let Some(request) = self.http.requests.remove(key) else { return };
        let minute = self.http.apis[request.api].at(self.now);
        minute.count += 1;
        minute.failed += u32::from(!fine);
        minute.durations.push(u32::try_from(self.now.since(request.began).micros()).unwrap_or(u32::MAX));
        if let Some(load) = request.load {
            self.load_answered(load, fine);
        }
    }
}
