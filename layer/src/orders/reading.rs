//! What was read from the parameter, and whether it is still in force.
//!
//! The clocks of the environment may be wrong, so the end of an order is counted from the server's own time, which the reply
//! carries: from the moment the request was sent, by both clocks, so many milliseconds as the server was before `until`.

use super::document::{Document, Name, Order};
use crate::clock::Now;
use crate::settings::Limits;
use crate::terms::CURRENT_FOR_MS;

/// A document counts for so long after the request for it was sent, in milliseconds; it is read again every few seconds while
/// invocations come.
pub const CURRENT_FOR: i64 = CURRENT_FOR_MS as i64;

/// When the clocks have moved apart by more, in milliseconds, one of them jumped or stood still, and the document counts as none.
pub const APART: i64 = 500;

/// Servers date their replies by the second: on average the time is so much later, in milliseconds.
const HALF_A_SECOND: i64 = 500;

/// A document with the times of its reading.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    document: Document,
    /// When the request was sent.
    sent: Now,
    /// The server's time in its reply, in milliseconds since 1970.
    server: i64,
}

impl Reading {
    /// What a request that was sent at `sent` brought; `dated` is the date in the reply.
    pub fn new(document: Document, sent: Now, dated: i64) -> Reading {
        Reading { document, sent, server: dated.saturating_add(HALF_A_SECOND) }
    }

    /// Takes those orders out that the function's limits forbid, and says why.
    pub fn limited(mut self, limits: &Limits) -> (Reading, Vec<String>) {
        let mut refused = Vec::new();
        let ahead = |order: &Order| order.until.saturating_sub(self.server);
        self.document.0.retain(|id, order| match limits.refuse(order, ahead(order)) {
            Some(why) => {
                refused.push(format!("order {id} is refused: {why}"));
                false
            }
            None => true,
        });
        (self, refused)
    }

    /// Whether it is young enough, and the clocks agree how old it is.
    pub fn is_current(&self, now: Now) -> bool {
        let (wall, mono) = self.ages(now);
        (0..=CURRENT_FOR).contains(&mono) && wall.saturating_sub(mono).saturating_abs() <= APART
    }

    /// How long an order is still in force, in milliseconds; 0 when it is over, or when nothing here counts any more.
    pub fn left(&self, order: &Order, now: Now) -> i64 {
        if !self.is_current(now) {
            return 0;
        }
        let (wall, mono) = self.ages(now);
        order.until.saturating_sub(self.server).saturating_sub(wall.max(mono)).max(0)
    }

    /// The orders that are in force, by id.
    pub fn in_force(&self, now: Now) -> impl Iterator<Item = (&Name, &Order)> {
        self.document.0.iter().filter(move |(_, order)| self.left(order, now) > 0)
    }

    /// An order of a run.
    pub fn order(&self, run: &Name, id: &Name) -> Option<&Order> {
        self.document.0.get(id).filter(|order| order.run == *run)
    }

    /// All orders.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// AWS's time in milliseconds since 1970, by what its reply said.
    pub fn true_time(&self, now: Now) -> i64 {
        self.server.saturating_add(now.mono.saturating_sub(self.sent.mono))
    }

    /// How old it is by each clock: wall, monotonic.
    fn ages(&self, now: Now) -> (i64, i64) {
        (now.wall.saturating_sub(self.sent.wall), now.mono.saturating_sub(self.sent.mono))
    }
}
