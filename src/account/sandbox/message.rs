//! Messages: what is in one as far as a consumer cares, where it comes from and where it is.

use std::sync::Arc;

use super::app::{OnPayload, OnPayloads, SMALL_MESSAGE};
use super::chain::Chain;
use crate::account::RunMarker;
use crate::payload::Payload;
use crate::units::Time;

/// What is in a message, as far as a consumer cares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Body {
    /// What the application itself sends.
    #[default]
    Ordinary,
    /// A payload of squall's library.
    Bad(Payload),
    /// An experiment's own body.
    Own,
}

impl Body {
    /// What a body that squall sends is: which list of its library it is from, and never whether it happens to parse.
    pub fn sent_by_squall(body: &str) -> Body {
        Payload::of(body).map_or(Body::Own, Body::Bad)
    }

    /// As a number, for the sandbox's file: 1 to 4 are the payloads in the order of their documentation.
    pub fn code(self) -> u8 {
        match self {
            Body::Ordinary => 0,
            Body::Bad(payload) => 1 + Payload::ALL.iter().take_while(|known| **known != payload).count() as u8,
            Body::Own => 1 + Payload::ALL.len() as u8,
        }
    }

    /// The body with a number.
    pub fn of_code(code: u8) -> Body {
        let payload = usize::from(code).checked_sub(1);
        payload.map_or(Body::Ordinary, |index| Payload::ALL.get(index).map_or(Body::Own, |known| Body::Bad(*known)))
    }

    /// What a handler does with it.
    pub fn taken(self, on: &OnPayloads) -> OnPayload {
        match self {
            Body::Ordinary => OnPayload::Handle,
            Body::Bad(Payload::Malformed) => on.malformed,
            Body::Bad(Payload::WrongSchema) => on.wrong_schema,
            Body::Bad(Payload::TooBig) => on.too_big,
            Body::Bad(Payload::Hostile) => on.hostile,
            Body::Own => on.own,
        }
    }
}

/// A message on its way into a queue.
#[derive(Clone, Debug)]
pub(super) struct New {
    pub body: Body,
    /// In bytes.
    pub size: u32,
    pub marker: Option<Arc<RunMarker>>,
    pub group: Option<Arc<str>>,
    pub chain: Chain,
}

impl Default for New {
    /// An ordinary small message of the application.
    fn default() -> New {
        let (body, size) = (Body::Ordinary, SMALL_MESSAGE);
        New { body, size, marker: None, group: None, chain: Chain::default() }
    }
}

impl New {
    /// Whether nothing tells it from any other message of the application.
    pub fn is_plain(&self) -> bool {
        let New { body, size, marker, group, chain } = self;
        let nothing = marker.is_none() && group.is_none() && *chain == Chain::default();
        *body == Body::Ordinary && *size == SMALL_MESSAGE && nothing
    }
}

/// A message, wherever it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Held {
    pub sent: Time,
    /// How often it was received.
    pub received: u32,
    pub body: Body,
    /// In bytes.
    pub size: u32,
    /// The invocations that it comes from.
    pub chain: Chain,
    pub marker: Option<Arc<RunMarker>>,
    /// The message group of a FIFO queue.
    pub group: Option<Arc<str>>,
    pub place: Place,
    /// Whether the sandbox's file knows of it.
    pub saved: bool,
}

impl Held {
    /// An ordinary small message without a lock or a group, never received.
    pub fn plain(sent: Time, place: Place) -> Held {
        let (body, size, chain) = (Body::Ordinary, SMALL_MESSAGE, Chain::default());
        Held { sent, received: 0, body, size, chain, marker: None, group: None, place, saved: false }
    }
}

/// Where in its queue a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Its turn among the visible ones.
    Visible(u64),
    /// Hidden until then; `turn` is the one it had, which a FIFO queue gives back to it.
    InFlight {
        until: Time,
        turn: u64,
    },
    Delayed(Time),
}
