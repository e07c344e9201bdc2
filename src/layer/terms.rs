//! The layer's numbers that squall and its sandbox go by. The crate `layer/` has this very file as its module `terms`, so the two
//! cannot differ.

/// The kinds of faults that the layer knows, as documents and `SQUALL_LAYER_KINDS` write them.
pub const KINDS: [&str; 4] = ["latency", "error", "response", "hang"];

/// While invocations come, orders are read at most once in so many seconds, unless `SQUALL_LAYER_INTERVAL_S` says otherwise.
pub const INTERVAL_S: u32 = 5;

/// The longest that `SQUALL_LAYER_INTERVAL_S` may say.
pub const LONGEST_INTERVAL_S: u32 = 20;

/// The longest that an invocation may wait for orders, in milliseconds (`SQUALL_LAYER_WAIT_MS`).
pub const LONGEST_WAIT_MS: u32 = 10_000;

/// A document counts for so many milliseconds after the request for it was sent.
pub const CURRENT_FOR_MS: u32 = 30_000;

/// The longest delay that an order may ask for, in milliseconds: Lambda's longest time-out.
pub const LONGEST_DELAY_MS: u32 = 900_000;

/// An order may end so many minutes ahead, unless `SQUALL_LAYER_MAX_MINUTES` says otherwise.
pub const USUAL_MINUTES: u32 = 60;

/// The most that `SQUALL_LAYER_MAX_MINUTES` may say.
pub const MOST_MINUTES: u32 = 1_440;

/// A response that is held until just before the deadline leaves so many milliseconds for its way.
pub const BEFORE_DEADLINE_MS: u32 = 100;

/// One that is held past the deadline comes so many milliseconds later.
pub const PAST_DEADLINE_MS: u32 = 1_000;

/// The longest body of a response in place of the handler's, in bytes.
pub const LONGEST_BODY: usize = 4096;
