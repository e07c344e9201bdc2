//! The account: where settings are read and written, messages sent and signals measured.
//!
//! There are two: AWS and the sandbox. The core knows this contract alone. It is a port of *calls* and *replies*: a call is submitted and
//! never blocks, its reply arrives later, side by side with others, so that the sandbox can run in virtual time, a
//! test can lose a reply, and the driver stays a plain loop.

#[cfg(feature = "aws")]
pub mod aws;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod description;
pub mod gateway;
pub mod kind;
pub mod logs;
pub mod message;
pub mod modelled;
pub mod permission;
pub mod reason;
pub mod sandbox;
pub mod setting;
pub mod signal;
pub mod switch;
pub mod target;
pub mod watching;

use serde::{Deserialize, Serialize};

pub use crate::location::{AccountId, AccountIdentity, Location, Region};
pub use crate::mac::{Mac, MarkKey};
use crate::units::{Span, Time};
pub use description::{Description, Identity};
pub use gateway::{Dispatch, Lane, Owner};
pub use logs::{FunctionLog, Injected, LogSearch, LoggedMinute, Trace};
pub use message::{Handle, Message, Received, RunMarker, SendOutcome};
pub use modelled::Modelled;
pub use permission::{Action, Lasts, Permitted};
pub use reason::{Limit, Reason, Why};
pub use setting::{Observed, Setting, Value, Write};
pub use signal::{Metric, Query, Sample, Window};
pub use switch::{Deployment, Order, SwitchState};
pub use target::{Resource, ResourceKind, Selector};

/// Names one call of a driver, so that its reply finds its way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallId(pub u64);

/// One call to an account. Only `Write`, `Renew`, `Send`, `DeleteMessage`, `ReleaseMessage`, `Load`,
/// `Arm` and `Disarm` change anything there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Who is calling, and through which roles. Reply: [`Reply::Identity`].
    Identify { location: Location },
    /// Whether squall may do these things there. With `prove`, what a simulation cannot tell is tried by writing the value
    /// that is there already; without, only what changes nothing at all is tried. Reply: [`Reply::Permitted`], in order.
    Permitted { location: Location, actions: Vec<Action>, prove: bool },
    /// The resources that a selector means, ordered by name. Reply: [`Reply::Resources`]; none is an empty list.
    Resolve { location: Location, selector: Selector },
    /// What a resource is. Reply: [`Reply::Description`]; absent: [`CallError::Gone`].
    Describe { resource: Resource },
    /// Reads a setting. Reply: [`Reply::Observed`]; the resource is absent: [`CallError::Gone`].
    Read { setting: Setting },
    /// Writes a setting. Reply: [`Reply::Done`].
    /// A lock is written create-only: one that exists already is [`CallError::Refused`] with [`RefusedBy::LockExists`].
    Write(Write),
    /// Every lock in one region of an account, squall's of any run. Reply: [`Reply::Locks`], the resource and the lock's text.
    #[serde(rename = "list_marks")]
    ListLocks { location: Location },
    /// Says on the lock of a resource that its owner was alive at this time. Reply: [`Reply::Done`]; no lock is there, and none is
    /// made: [`CallError::Gone`].
    Renew { resource: Resource, at: Time },
    /// When the owner of a resource's lock last showed that it was alive. Reply: [`Reply::Alive`]; no lock is there:
    /// [`CallError::Gone`].
    Lease { resource: Resource },
    /// The code of a text under a key of the account. Reply: [`Reply::Mac`].
    Sign { location: Location, key: MarkKey, text: String },
    /// Whether a code is that of a text under a key of the account. Reply: [`Reply::Genuine`].
    Verify { location: Location, key: MarkKey, text: String, mac: Mac },
    /// The published versions of a setting's resource that hold this value of it and were made since then. What no version can hold
    /// is in none. Reply: [`Reply::Versions`].
    Versions { setting: Setting, value: Value, since: Time },
    /// Whether an operator of the account has stopped every experiment in it. Reply: [`Reply::Halted`].
    Halted { location: Location },
    /// What is deployed of the dead-man switch there. Reply: [`Reply::Deployment`].
    FindSwitch { location: Location },
    /// Arms an execution of the dead-man switch. One that is armed already under this name, with the same order, is the same one.
    /// Reply: [`Reply::Done`].
    Arm(Order),
    /// Stops an execution of the dead-man switch, if it is not over, and says what became of it. Reply: [`Reply::Switch`].
    Disarm { location: Location, name: String },
    /// Sends up to ten messages that carry the run's marker. Reply: [`Reply::Sent`], one outcome a message.
    Send { queue: Resource, messages: Vec<Message> },
    /// Receives up to ten messages, hidden from others for `hide`. Only ever called on a dead-letter queue.
    /// Reply: [`Reply::Received`].
    Receive { queue: Resource, hide: Span },
    /// Deletes one received message. Reply: [`Reply::Done`].
    DeleteMessage { queue: Resource, handle: Handle },
    /// Makes one received message visible again at once. Reply: [`Reply::Done`].
    ReleaseMessage { queue: Resource, handle: Handle },
    /// Measures a signal over one closed window. Reply: [`Reply::Sample`].
    Measure { query: Query, window: Window },
    /// Searches functions' logs once, over whole minutes. Reply: [`Reply::Logged`].
    SearchLogs { search: LogSearch, window: Window },
    /// Sends `requests` requests, invocations or messages, evenly over `spread`. Reply: [`Reply::Loaded`].
    Load { target: Resource, requests: u32, spread: Span, marker: RunMarker },
}

impl Call {
    /// Where the call is made.
    pub fn location(&self) -> &Location {
        match self {
            Call::SearchLogs { search, .. } => search.location(),
            Call::Identify { location }
            | Call::Permitted { location, .. }
            | Call::Resolve { location, .. }
            | Call::Halted { location }
            | Call::FindSwitch { location }
            | Call::Disarm { location, .. }
            | Call::Sign { location, .. }
            | Call::Verify { location, .. }
            | Call::ListLocks { location } => location,
            Call::Arm(order) => &order.location,
            Call::Describe { resource } | Call::Renew { resource, .. } | Call::Lease { resource } => &resource.location,
            Call::Read { setting } | Call::Versions { setting, .. } => setting.location(),
            Call::Write(write) => write.setting.location(),
            Call::Send { queue, .. }
            | Call::Receive { queue, .. }
            | Call::DeleteMessage { queue, .. }
            | Call::ReleaseMessage { queue, .. } => &queue.location,
            Call::Measure { query, .. } => &query.resource.location,
            Call::Load { target, .. } => &target.location,
        }
    }

    /// Whether it may not go out any more once the run's faults end. Load goes on while the run recovers.
    pub fn ends_with_the_faults(&self) -> bool {
        self.changes_something() && !matches!(self, Call::Load { .. })
    }

    /// Whether the call may change the account. Such a call is never repeated without a look at what happened.
    pub fn changes_something(&self) -> bool {
        matches!(
            self,
            Call::Write(_)
                | Call::Renew { .. }
                | Call::Send { .. }
                | Call::DeleteMessage { .. }
                | Call::ReleaseMessage { .. }
                | Call::Arm(_)
                | Call::Disarm { .. }
                | Call::Load { .. }
        )
    }
}

/// What a call that succeeded answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Identity(Identity),
    Permitted(Vec<Permitted>),
    Resources(Vec<Resource>),
    Description(Box<Description>),
    Observed(Observed),
    Done,
    Locks(Vec<(Resource, String)>),
    /// The later of when the lock was made and when it was last renewed.
    Alive(Time),
    Mac(Mac),
    Genuine(bool),
    /// Their names, in the service's order.
    Versions(Vec<String>),
    /// Who or what stopped experiments, if anything did.
    Halted(Option<String>),
    Deployment(Deployment),
    Switch(SwitchState),
    Sent(Vec<SendOutcome>),
    Received(Vec<Received>),
    Sample(Sample),
    /// The minutes in which there are lines, in order.
    Logged(Vec<LoggedMinute>),
    Loaded {
        accepted: u32,
        failed: u32,
    },
}

/// Why a call did not succeed, sorted by what is known of its effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum CallError {
    /// The service said no and changed nothing; asking again gives the same answer.
    #[error("{message}")]
    Refused { by: RefusedBy, message: String },
    /// The service asked to slow down and changed nothing.
    #[error("the service throttled the call")]
    Throttled,
    /// The resource is not there; nothing was changed.
    #[error("{0} does not exist")]
    Gone(String),
    /// No answer, or an answer that does not tell: the call may have happened, or may still.
    #[error("no answer: {0}")]
    Unknown(String),
}

/// What stood against a refused call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedBy {
    /// A permission is missing.
    Permission,
    /// Another run's lock stands on the resource; the message is its text.
    #[serde(rename = "mark_exists")]
    LockExists,
    /// The value is not acceptable to the service.
    Invalid,
    /// A limit of the account would be broken, such as unreserved concurrency under its floor.
    Limit,
    /// The resource is busy with another update.
    Busy,
    /// This build or account kind cannot do it.
    Unsupported,
    /// It never left this process: its run stopped, its time was over, or another process owns the run.
    NotSent,
}

/// What came of a call.
pub type Outcome = Result<Reply, CallError>;

/// Where changes are read and written and signals measured. One value stands for all accounts of a configuration that
/// share a kind; each call names its location, or a resource that does.
pub trait Account {
    /// The account's clock: AWS's by the wall clock, the sandbox's virtual.
    fn now(&self) -> Time;

    /// Starts a call. Returns at once; its reply comes out of [`Account::next`] under the same id.
    fn submit(&mut self, id: CallId, call: Call);

    /// The same for a call that may have to wait for its turn: how it is sent, and when it is not sent any more. An account
    /// that sends every call at once does not need to know.
    fn submit_with(&mut self, id: CallId, call: Call, dispatch: Dispatch) {
        drop(dispatch);
        self.submit(id, call);
    }

    /// By how many seconds this machine's clock is ahead of the account's at the least, negative when it is behind; `None`
    /// where nothing tells, or where the account has no clock of its own.
    fn clock_is_off(&self) -> Option<i64> {
        None
    }

    /// Waits for the next reply, but not past `until` and not longer than a tenth of a second of real time, so that the
    /// caller can look at its signals. `None`: the time came, or the tenth of a second passed; [`Account::now`] tells.
    fn next(&mut self, until: Time) -> Option<(CallId, Outcome)>;

    /// What the account knows of why calls failed and messages died in it, those that happened most first. Only a model
    /// knows any.
    fn reasons(&self) -> Vec<Reason> {
        Vec::new()
    }
}

/// Makes one call and waits for its answer, for a caller that has nothing else to do.
/// No call takes longer than its own time-outs, so this ends.
pub fn ask(account: &mut dyn Account, call: Call) -> Outcome {
    // Outside of the ids that a driver counts up from zero.
    let id = CallId(u64::MAX);
    account.submit(id, call);
    loop {
        let until = account.now() + Span::from_secs(3600);
        match account.next(until) {
            Some((answered, outcome)) if answered == id => return outcome,
            _ => {}
        }
    }
}
