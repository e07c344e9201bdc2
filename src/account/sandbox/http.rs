//! HTTP front ends: a request invokes the function of its route and waits for it, but not for ever.
//!
//! The gateway itself adds no time here. A function that is throttled or fails makes a 5xx; one that takes longer than
//! the gateway waits makes a 504, and goes on all the same
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>: 30 s). Over the account's limit of
//! requests the gateway answers 429 itself.

use super::chain::Chain;
use super::event::Event;
use super::invocation::{Ending, Origin};
use super::limit::TokenBucket;
use super::metrics::{Datum, Minute, Minutes};
use super::model::Model;
use super::reasons::Why;
use super::sketch::Sketch;
use super::slab::{Key, Slab};
use super::work::Work;
use super::world::World;
use crate::account::ResourceKind;
use crate::units::{Span, Time};

/// A request that has no answer yet.
#[derive(Clone, Debug)]
struct Request {
    api: usize,
    began: Time,
    /// squall's load that it belongs to.
    load: Option<u32>,
}

/// What API Gateway publishes about an api for one minute, by the time of the request and when it has its answer.
#[derive(Clone, Debug, Default)]
pub(super) struct ApiMinute {
    work: Work,
    /// Those that were answered with a 4xx; only their number counts.
    refused: Work,
}

impl Minute for ApiMinute {
    fn datum(&self, metric: &str, now: Time) -> Option<Datum> {
        let ended = self.work.published(now);
        match metric {
            "Count" => Datum::ones(ended.count, ended.count),
            // One sample a request, 0 or 1: the average is the error rate.
            "4xx" | "4XXError" => Datum::ones(self.refused.published(now).count, ended.count),
            "5xx" | "5XXError" => Datum::ones(ended.failed, ended.count),
            "Latency" | "IntegrationLatency" => ended.millis(),
            _ => None,
        }
    }

    fn durations(&self, now: Time, to: &mut Sketch) {
        to.merge(&self.work.published(now).took);
    }
}

/// Every api, in the order of the model.
#[derive(Clone, Debug)]
pub(super) struct Http {
    pub apis: Vec<Minutes<ApiMinute>>,
    requests: Slab<Request>,
    /// What the account's APIs share.
    limit: TokenBucket,
}

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Fine,
    /// 4xx.
    Refused,
    /// 5xx.
    Failed,
}

impl Http {
    pub fn new(model: &Model, now: Time) -> Http {
        let limit = model.app.api_limit;
        Http {
            apis: vec![Minutes::default(); model.apis.len()],
            requests: Slab::default(),
            limit: TokenBucket::full(f64::from(limit.burst), f64::from(limit.per_second), now),
        }
    }

    /// Whether a request waits for its answer.
    pub fn waits(&self, key: Key) -> bool {
        self.requests.get(key).is_some()
    }
}

impl World {
    /// A request comes in.
    pub(super) fn request(&mut self, api: usize, function: usize, load: Option<u32>) {
        let now = self.now;
        let key = self.http.requests.insert(Request { api, began: now, load });
        if !self.http.limit.take(now) {
            self.because(ResourceKind::Api, api, Why::OverApiLimit);
            return self.answer_request(key, Answer::Refused);
        }
        match self.invoke(function, Origin::Request(key), Chain::default()) {
            // 503 Service Unavailable.
            Err(_) => {
                self.because(ResourceKind::Api, api, Why::IntegrationFailed);
                self.answer_request(key, Answer::Failed);
            }
            Ok(()) => {
                let timeout = self.model.apis[api].timeout;
                self.agenda.at(now + timeout, Event::GatewayGivesUp(key));
            }
        }
    }

    /// The function of a request has ended.
    pub(super) fn function_answered(&mut self, key: Key, ending: Ending) {
        let answer = match ending {
            Ending::Done => Answer::Fine,
            Ending::Status(code) if code < 400 => Answer::Fine,
            Ending::Status(code) if code < 500 => Answer::Refused,
            Ending::Status(_) | Ending::Failed | Ending::TimedOut => Answer::Failed,
        };
        if let Some(api) = self.http.requests.get(key).map(|request| request.api)
            && answer == Answer::Failed
        {
            self.because(ResourceKind::Api, api, Why::IntegrationFailed);
        }
        self.answer_request(key, answer);
    }

    /// The gateway has waited long enough: 504, if the request still waits.
    pub(super) fn gateway_gives_up(&mut self, key: Key) {
        let Some(api) = self.http.requests.get(key).map(|request| request.api) else { return };
        self.because(ResourceKind::Api, api, Why::GatewayTimedOut);
        self.answer_request(key, Answer::Failed);
    }

    fn answer_request(&mut self, key: Key, answer: Answer) {
        let Some(request) = self.http.requests.remove(key) else { return };
        let (began, took) = (request.began, self.now.since(request.began));
        let minute = self.http.apis[request.api].at(began);
        minute.work.ended(began, self.now, answer == Answer::Failed, took);
        if answer == Answer::Refused {
            minute.refused.ended(began, self.now, false, Span::ZERO);
        }
        if let Some(load) = request.load {
            self.load_answered(load, answer == Answer::Fine);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::app::{Api, ApiKind, App, Arrivals, Duration, Traffic, TrafficTarget};
    use super::super::shop_like;
    use super::super::testing::{at, resource, world};
    use super::*;
    use crate::account::ResourceKind::Api as AnApi;
    use crate::account::{Metric, Reply, Value};
    use crate::units::Rate;

    /// An api before a function that takes exactly so long and calls nobody; one request a second.
    fn app(takes: Span, timeout: Span) -> App {
        let mut app = shop_like();
        app.mappings.clear();
        if let Some(worker) = app.functions.get_mut("payment-worker") {
            worker.duration = Duration::Constant(takes);
            worker.cold_start = Duration::Constant(Span::ZERO);
            worker.timeout = timeout;
            worker.calls.clear();
        }
        let routes = [("POST /orders".to_owned(), "payment-worker".to_owned())].into();
        let (kind, title) = (ApiKind::Http, "shop".to_owned());
        let api = Api { kind, title, stage: None, routes, timeout: Span::from_secs(30) };
        app.apis.insert("shop".into(), api);
        app.traffic = vec![Traffic {
            to: TrafficTarget::Api { api: "shop".into(), route: "POST /orders".into() },
            rate: Rate::per_sec(1.0).unwrap(),
            arrivals: Arrivals::Even,
            groups: Vec::new(),
        }];
        app
    }

    fn value(world: &World, metric: Metric, minutes: std::ops::Range<i64>) -> Option<f64> {
        world.value(metric, AnApi, "shop", minutes)
    }

    #[test]
    fn a_request_is_as_fast_as_its_function() {
        let mut world = world(&app(Span::from_millis(200), Span::from_secs(3)));
        world.run_until(at(600));
        assert_eq!(value(&world, Metric::Calls, 1..3), Some(120.0));
        assert_eq!(value(&world, Metric::FailedShare, 1..3), Some(0.0));
        let limit = Span::from_millis(220);
        assert_eq!(value(&world, Metric::SlowShare { limit }, 2..3), Some(0.0));
        let mean = value(&world, Metric::Duration, 2..3).unwrap();
        // Once a minute the wrapper reads its parameter, in 5 to 20 ms.
        assert!((0.2..0.201).contains(&mean), "{mean}");
    }

    #[test]
    fn a_throttled_function_makes_a_5xx() {
        let mut world = world(&app(Span::from_millis(200), Span::from_secs(3)));
        world.reserve("payment-worker", Value::Number(0));
        world.run_until(at(300));
        assert_eq!(value(&world, Metric::FailedShare, 1..2), Some(1.0));
        assert_eq!(value(&world, Metric::Calls, 1..2), Some(60.0));
    }

    #[test]
    fn the_gateway_gives_up_while_the_function_goes_on() {
        let mut world = world(&app(Span::from_secs(40), Span::from_secs(60)));
        world.run_until(at(600));
        assert_eq!(value(&world, Metric::FailedShare, 3..4), Some(1.0));
        assert_eq!(value(&world, Metric::Duration, 3..4), Some(30.0));
        let totals = world.function_totals("payment-worker").unwrap();
        assert_eq!(totals.errors, 0, "the function itself is fine");
        assert!(totals.ended > 500);
    }

    #[test]
    fn a_request_counts_when_it_was_made_and_is_published_when_it_is_answered() {
        let mut world = world(&app(Span::from_secs(40), Span::from_secs(60)));
        // Of the requests of seconds 1 to 59, those after second 30 are answered after the minute.
        world.run_until(at(60 + 90));
        assert_eq!(value(&world, Metric::Calls, 0..1), Some(30.0));
        world.run_until(at(60 + 30 + 100));
        assert_eq!(value(&world, Metric::Calls, 0..1), Some(59.0));
        assert_eq!(value(&world, Metric::Errors, 0..1), Some(59.0));
    }

    #[test]
    fn a_flag_in_the_parameter_slows_requests_once_the_wrapper_has_read_it() {
        let mut world = world(&app(Span::from_millis(200), Span::from_secs(9)));
        world.run_until(at(300));
        world.put("/shop/faults", r#"{"latency": {"enabled": true, "min_latency": 2000, "max_latency": 2000}}"#);
        world.run_until(at(600));
        world.put("/shop/faults", "{}");
        world.run_until(at(900));
        let slow = |minutes| value(&world, Metric::SlowShare { limit: Span::from_secs(2) }, minutes);
        assert_eq!(slow(2..5), Some(0.0));
        assert_eq!(slow(7..10), Some(1.0));
        assert_eq!(slow(12..13), Some(0.0));
    }

    #[test]
    fn a_wrapper_that_may_not_read_injects_nothing() {
        let mut app = app(Span::from_millis(200), Span::from_secs(9));
        app.parameters.insert("/shop/faults".into(), r#"{"exception": {"enabled": true}}"#.into());
        let mut faulty = world(&app);
        faulty.run_until(at(300));
        assert_eq!(value(&faulty, Metric::FailedShare, 1..2), Some(1.0));
        app.roles.get_mut("payment-worker-role").unwrap().inline.clear();
        let mut blind = world(&app);
        blind.run_until(at(300));
        assert_eq!(value(&blind, Metric::FailedShare, 1..2), Some(0.0));
    }

    #[test]
    fn a_load_is_answered_when_its_requests_are() {
        let mut world = world(&app(Span::from_millis(200), Span::from_secs(3)));
        let shop = resource(AnApi, "shop");
        let answer = world.load(shop.clone(), 20, Span::from_secs(2));
        assert_eq!(answer, Ok(Reply::Loaded { accepted: 20, failed: 0 }));
        world.reserve("payment-worker", Value::Number(0));
        let answer = world.load(shop, 20, Span::from_secs(2));
        assert_eq!(answer, Ok(Reply::Loaded { accepted: 0, failed: 20 }));
        let took = world.now.since(at(0)).secs_f64();
        assert!((4.0..4.2).contains(&took), "{took}");
    }
}
