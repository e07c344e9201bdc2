//! The outbox: messages on their way, and when each is tried again.

use crate::units::{Span, Time};

/// A message for one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Given by the store.
    pub number: i64,
    pub channel: String,
    /// One message of an id goes to a channel.
    pub id: String,
    /// The document.
    pub body: String,
    pub queued: Time,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next.
    pub due: Time,
}

/// How many messages there are that were not delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WaitingMail {
    pub waiting: u64,
    pub given_up: u64,
}

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    Delivered,
    /// It is tried again at that time.
    Again {
        at: Time,
        why: String,
    },
    GivenUp {
        why: String,
    },
}

/// A message that could not be delivered for so long is given up.
pub const GIVEN_UP_AFTER: Span = Span::from_mins(1_440);
/// The longest that is waited between two tries.
const LONGEST: Span = Span::from_mins(60);

/// After a try that failed: 2 s, 4 s, 8 s and so on up to an hour, spread by chance over the upper half of each.
pub fn after_failure(message: &Outgoing, why: String, now: Time, entropy: u64) -> Tried {
    if now.since(message.queued) >= GIVEN_UP_AFTER {
        return Tried::GivenUp { why };
    }
    let wait = LONGEST.secs_f64().min(2_f64.powi(i32::try_from(message.tries.min(30)).unwrap_or(30) + 1));
    #[expect(clippy::cast_precision_loss, reason = "any fraction will do")]
    let fraction = entropy as f64 / u64::MAX as f64;
    Tried::Again { at: now + Span::from_secs_f64(wait * (1.0 + fraction) / 2.0), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour_and_end_after_a_day() {
        let at = |secs: i64| Time::from_micros(secs * 1_000_000);
        let message = |tries| Outgoing {
            number: 1,
            channel: "ops".into(),
            id: "x".into(),
            body: String::new(),
            queued: at(0),
            tries,
            due: at(0),
        };
        let wait = |tries, entropy| match after_failure(&message(tries), "x".into(), at(100), entropy) {
            Tried::Again { at: next, .. } => next.since(at(100)).secs_f64(),
            other => panic!("{other:?}"),
        };
        assert_eq!([wait(0, 0), wait(0, u64::MAX), wait(1, 0), wait(5, u64::MAX)], [1.0, 2.0, 2.0, 64.0]);
        assert_eq!([wait(30, u64::MAX), wait(u32::MAX, 0)], [3600.0, 1800.0]);
        let ended = after_failure(&message(3), "x".into(), at(86_400), 0);
        assert_eq!(ended, Tried::GivenUp { why: "x".into() });
    }
}
