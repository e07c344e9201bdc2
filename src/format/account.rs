//! Resources, settings, values and measurements, as they are written.

use super::{Convert, Seconds, written};
use crate::account::{self, AccountIdentity, Region, ResourceKind, logs, setting, signal};
use crate::units::Time;

/// One thing in one region of one account.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// `aws:111122223333`, `aws:000000000000@localhost:4566` or `sandbox:5f3a9c0e12b4`; a nickname alone where squall 0.1.0
    /// wrote nothing else.
    pub account: AccountIdentity,
    /// Empty where only a nickname is known.
    pub region: Region,
    pub kind: ResourceKind,
    pub name: String,
    /// The alias or version of a function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qualifier: Option<String>,
}

impl Convert<account::Resource> for Resource {
    fn convert(self) -> account::Resource {
        let Resource { account, region, kind, name, qualifier } = self;
        account::Resource { location: account::Location { account, region }, kind, name, qualifier }
    }
}

impl Convert<Resource> for account::Resource {
    fn convert(self) -> Resource {
        let account::Resource { location: account::Location { account, region }, kind, name, qualifier } = self;
        Resource { account, region, kind, name, qualifier }
    }
}

/// The written form of all settings.
macro_rules! written_settings {
    ($($(#[$meta:meta])+ $variant:ident { $on:ident $(, $more:ident)* } in $service:ident),+ $(,)?) => {
        written! {
            /// One thing on one resource that can be read and written.
            pub enum Setting = setting::Setting {
                $($(#[$meta])+ $variant { $on: Resource $(, $more: String)* }),+
            }
        }
    };
}
setting::every_setting!(written_settings);

written! {
    /// A region of an account.
    pub struct Location = account::Location {
        account: AccountIdentity,
        region: Region,
    }

    /// What a setting holds.
    pub enum Value = setting::Value {
        /// The setting is not there.
        Unset,
        Number(value: u64),
        Text(value: String),
    }

    /// A kind of measurement.
    pub enum Metric = signal::Metric {
        Depth,
        InFlight,
        Delayed,
        OldestMessage,
        MessagesDone,
        Calls,
        Errors,
        FailedShare,
        SlowShare {
            #[serde(rename = "limit_seconds")]
            limit: Seconds,
        },
        Duration,
        UndoneShare,
        Throttles,
        Concurrency,
        EventsDropped,
        FaultsInjected { fault: Injected },
        Writes,
        AlarmState,
        Value {
            #[serde(rename = "settles_seconds")]
            settles: Seconds,
        },
    }

    /// A fault that a wrapper injects into an invocation.
    pub words Injected = logs::Injected {
        Latency,
        Error,
        Response,
        Hang,
    }

    /// A search of the logs of some functions.
    pub struct LogSearch = logs::LogSearch {
        at: Location,
        logs: Vec<FunctionLog>,
        trace: Trace,
    }

    /// The log of a function.
    pub struct FunctionLog = logs::FunctionLog {
        function: Resource,
        /// The name of its log group.
        group: String,
    }

    /// What a fault leaves in a log.
    pub enum Trace = logs::Trace {
        /// The wrapper says that it injects.
        Injected { fault: Injected },
        /// A service refused one of these actions because of an explicit deny.
        Denied { actions: Vec<String> },
    }

    /// A metric of a resource.
    pub struct Query = signal::Query {
        metric: Metric,
        resource: Resource,
    }

    /// From an instant until just before another.
    pub struct Window = signal::Window {
        from: Time,
        to: Time,
    }

    /// What a measurement of one window found.
    pub struct Sample = signal::Sample {
        /// `null` when there is no data, which is not zero.
        value: Option<f64>,
        /// Of how many requests a share or a mean was taken.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<u64>,
    }

    /// What refused a call.
    pub words RefusedBy = account::RefusedBy {
        Permission,
        LockExists,
        Invalid,
        Limit,
        Busy,
        Unsupported,
        NotSent,
    }

    /// Why a call did not succeed.
    pub enum CallError = account::CallError {
        Refused { by: RefusedBy, message: String },
        Throttled,
        Gone(resource: String),
        /// It may have happened, or may still.
        Unknown(why: String),
    }

    /// What became of one message of a send.
    pub enum SendOutcome = account::SendOutcome {
        Accepted,
        Refused(why: String),
    }
}
