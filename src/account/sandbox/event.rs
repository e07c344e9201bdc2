//! Everything that can happen in a world, as small values: indices, never names.

/// Names a call of the control plane while it is under way.
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
    /// A received message that was not deleted becomes visible again; `receive` tells an old receive from the newest.
    Visible { queue: u32, message: MessageId, receive: u32 },
    /// A delayed message becomes visible.
    Due { queue: u32, message: MessageId },
    /// The oldest message of a queue has reached the end of its retention.
    Retention { queue: u32 },
}
