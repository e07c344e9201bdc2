//! What the tests of faults share: clocks that stand until they are set, and documents of orders.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use squall_layer::clock::{Clock, Now};
use squall_layer::faults::{Faults, Fetched};
use squall_layer::proxy::Proxy;
use squall_layer::settings::Settings;

use crate::wires::Stage;

/// 2026-11-28T08:00:00Z.
pub const EIGHT: i64 = 1_795_852_800_000;

/// Clocks that the test sets.
#[derive(Clone)]
pub struct Clocks(pub Arc<Mutex<Now>>);

impl Clocks {
    pub fn new() -> Clocks {
        Clocks(Arc::new(Mutex::new(Now { wall: EIGHT, mono: 1_000 })))
    }

    pub fn pass(&self, millis: i64) {
        let mut now = self.0.lock().unwrap();
        now.wall += millis;
        now.mono += millis;
    }
}

impl Clock for Clocks {
    fn now(&self) -> Now {
        *self.0.lock().unwrap()
    }
}

/// One order `o` of the run `r`, until nine o'clock.
pub fn document(fault: &str, more: &str) -> String {
    format!(r#"{{"version": 1, "o": {{"run": "r", "until": "2026-11-28T09:00:00Z"{more}, "fault": {fault}}}}}"#)
}

/// The settings of a function with these variables.
pub fn settings(upstream: &str, variables: &[(&str, &str)]) -> Settings {
    let own = [
        ("AWS_LAMBDA_RUNTIME_API", upstream),
        ("SQUALL_FAULTS_PARAM", "/faults"),
        ("AWS_LAMBDA_FUNCTION_NAME", "worker"),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_nodejs24.x"),
    ];
    let find = |name: &str| variables.iter().chain(&own).find(|(known, _)| *known == name);
    Settings::read(|name| find(name).map(|(_, value)| (*value).to_owned())).unwrap()
}

/// A proxy that has read a document, before a Runtime API.
pub struct Injecting {
    pub stage: Stage,
    pub clocks: Clocks,
    pub faults: Arc<Faults>,
    log: Receiver<Value>,
}

impl Injecting {
    pub fn new(text: &str, variables: &[(&str, &str)]) -> Injecting {
        let (clocks, (said, log)) = (Clocks::new(), channel());
        let mut made = None;
        let stage = Stage::new(|upstream| {
            let say = Mutex::new(said);
            let write = move |line: &Value| drop(say.lock().unwrap().send(line.clone()));
            let faults = Faults::new(settings(&upstream, variables), clocks.clone(), write).0;
            made = Some(faults.clone());
            Proxy::with(faults)
        });
        let injecting = Injecting { stage, clocks, faults: made.unwrap(), log };
        injecting.reads(text);
        injecting.said();
        injecting
    }

    /// The parameter was read now.
    pub fn reads(&self, text: &str) {
        let now = self.clocks.now();
        self.faults.learn(now, Ok(Fetched { text: text.into(), dated: now.wall }));
    }

    /// The next line of the log.
    #[track_caller]
    pub fn said(&self) -> Value {
        self.log.recv_timeout(std::time::Duration::from_secs(20)).unwrap()
    }

    pub fn is_silent(&self) -> bool {
        self.log.try_recv().is_err()
    }
}
