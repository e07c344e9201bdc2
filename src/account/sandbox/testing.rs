//! What the tests of the services share: short ways to build, run and measure a world.

use super::app::App;
use super::world::World;
use crate::account::{
    Account, Call, CallId, Location, Message, Metric, Outcome, Query, Reply, Resource, ResourceKind, RunMarker,
    Setting, Value, Window, Write, ask,
};
use crate::ids::RunId;
use crate::units::{Span, Time};

/// A resource of the sandbox.
pub fn resource(kind: ResourceKind, name: &str) -> Resource {
    Resource::new(&Location::sandbox(), kind, name)
}

/// Nine o'clock on a Monday, and so many seconds.
pub fn at(secs: i64) -> Time {
    Time::from_micros(1_772_442_000_000_000) + Span::from_secs(secs)
}

/// A world that starts at [`at`] zero.
pub fn world(app: &App) -> World {
    World::new(app, 1, at(0)).unwrap()
}

/// A marked message with this body.
pub fn message(number: u32, body: &str) -> Message {
    Message { marker: RunMarker { run: RunId("run-test".into()), number }, body: body.into(), group: None }
}

impl World {
    /// Measures over minutes counted from [`at`] zero, now.
    pub fn value(&self, metric: Metric, kind: ResourceKind, name: &str, minutes: std::ops::Range<i64>) -> Option<f64> {
        let window = Window { from: at(minutes.start * 60), to: at(minutes.end * 60) };
        match self.measure(&Query { metric, resource: resource(kind, name) }, window) {
            Ok(Reply::Sample(sample)) => sample.value,
            other => panic!("{other:?}"),
        }
    }

    /// Sends well-formed messages to a queue, ten at a time.
    pub fn send_to(&mut self, queue: &str, bodies: &[&str]) {
        let queue = resource(ResourceKind::Queue, queue);
        for (first, bodies) in (0..).step_by(10).zip(bodies.chunks(10)) {
            let messages = (first..).zip(bodies).map(|(number, body)| message(number, body)).collect();
            let sent = ask(self, Call::Send { queue: queue.clone(), messages });
            assert!(matches!(sent, Ok(Reply::Sent(_))), "{sent:?}");
        }
    }

    /// Writes reserved concurrency at once.
    pub fn reserve(&mut self, function: &str, value: Value) {
        let setting = Setting::ReservedConcurrency { function: resource(ResourceKind::Function, function) };
        self.set(&Write { setting, value, whole: None }).unwrap();
    }

    /// Writes the document of a parameter at once.
    pub fn put(&mut self, parameter: &str, document: &str) {
        let parameter = resource(ResourceKind::Parameter, parameter);
        let setting = Setting::FaultFlag { parameter, key: "any".into() };
        self.set(&Write { setting, value: Value::Unset, whole: Some(document.into()) }).unwrap();
    }

    /// Makes a load and waits for its answer.
    pub fn load(&mut self, target: Resource, requests: u32, spread: Span) -> Outcome {
        let marker = RunMarker { run: RunId("run-test".into()), number: 1 };
        self.submit(CallId(1), Call::Load { target, requests, spread, marker });
        self.next(self.now() + Span::from_secs(900)).unwrap().1
    }
}
