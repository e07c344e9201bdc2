//! Everything that can happen in a world, as small values: indices and keys, never names.

use super::slab::Key;

/// Names something that is under way in the control plane.
pub(super) type Ticket = u32;
/// Names a message in every queue of one world; it keeps its number when it moves to a dead-letter queue.
pub(super) type MessageId = u32;

/// One thing that happens at one instant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// A call reaches the service and takes effect.
    CallArrives(Ticket),
    /// Its answer reaches the caller.
    CallAnswers(Ticket),
    /// Somebody else changes a setting.
    ThirdParty(u32),
    /// A written setting begins to work.
    Settles(Ticket),
    /// A change of a policy has reached the services.
    PolicyPropagates(Ticket),
    /// A received message that was not deleted becomes visible again; `receive` tells an old receive from the newest.
    Visible { queue: u32, message: MessageId, receive: u32 },
    /// A delayed message becomes visible.
    Due { queue: u32, message: MessageId },
    /// The oldest message of a queue has reached the end of its retention.
    Retention { queue: u32 },
    /// A request, invocation or message from outside.
    Arrival { source: u32 },
    /// What an invocation was doing is over, or its time is.
    Invocation(Key),
    /// An event of Lambda's internal queue is tried again.
    Asynchronous(Key),
    /// A throttled batch is tried again.
    Batch(Key),
    /// A batch window ends.
    WindowEnds { mapping: u32, window: u32 },
    /// A mapping looks whether it needs more pollers.
    Growth { mapping: u32 },
    /// Pollers that were denied try again.
    LookAgain { mapping: u32 },
    /// A gateway has waited long enough for a function.
    GatewayGivesUp(Key),
    /// One request of squall's load.
    LoadRequest { load: Ticket },
    /// An execution of the dead-man switch wakes.
    SwitchWakes { execution: u32 },
    /// It goes on with one of its resources.
    SwitchActs { execution: u32, resource: u32 },
    /// The time of a load is over, or that for its last answers.
    LoadEnds { load: Ticket },
    /// A minute of the clock ends: gauges are read, alarms are looked at.
    Minute,
}
