//! The messages of a queue that wait and that nobody received yet.
//!
//! They are nothing but a number: one that is well-formed, unlocked and of no group differs from the next one only by
//! when it was sent. So a backlog takes a block for each second of arrivals, however many arrive in it. A message gets an
//! id and a place of its own when it is received.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::units::{Span, Time};

/// Messages sent within so long of each other are taken to be sent together: SQS tells the age of a message in seconds.
const TOGETHER: Span = Span::from_secs(1);

/// Messages that were sent one after another, with nothing else in the queue between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Block {
    /// When the first of them was sent.
    sent: Time,
    /// The turn of the first; those of the others follow.
    turn: u64,
    number: u32,
}

/// The backlog of a queue, in the order of turns and of sending.
#[derive(Clone, Debug, Default)]
pub(super) struct Backlog {
    blocks: VecDeque<Block>,
    len: usize,
}

impl Backlog {
    /// One that was kept.
    pub fn of(blocks: &[Block]) -> Backlog {
        Backlog {
            blocks: blocks.iter().copied().collect(),
            len: blocks.iter().map(|block| block.number as usize).sum(),
        }
    }

    /// How many messages wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Its blocks, to be kept.
    pub fn blocks(&self) -> Vec<Block> {
        self.blocks.iter().copied().collect()
    }

    /// A message comes, with the newest turn of its queue.
    pub fn push(&mut self, turn: u64, now: Time) {
        self.len += 1;
        match self.blocks.back_mut() {
            Some(last) if now.since(last.sent) < TOGETHER && turn == last.turn + u64::from(last.number) => {
                last.number += 1;
            }
            _ => self.blocks.push_back(Block { sent: now, turn, number: 1 }),
        }
    }

    /// The turn of the first message.
    pub fn first_turn(&self) -> Option<u64> {
        self.blocks.front().map(|block| block.turn)
    }

    /// The turn of the last message.
    pub fn last_turn(&self) -> Option<u64> {
        self.blocks.back().map(|block| block.turn + u64::from(block.number) - 1)
    }

    /// When the oldest message was sent.
    pub fn oldest(&self) -> Option<Time> {
        self.blocks.front().map(|block| block.sent)
    }

    /// Takes the first message out: its turn, and when it was sent.
    pub fn take_first(&mut self) -> Option<(u64, Time)> {
        let block = self.blocks.front_mut()?;
        let first = (block.turn, block.sent);
        block.turn += 1;
        block.number -= 1;
        if block.number == 0 {
            self.blocks.pop_front();
        }
        self.len -= 1;
        Some(first)
    }

    /// Drops what was sent until then.
    pub fn drop_sent_until(&mut self, until: Time) {
        while let Some(block) = self.blocks.front()
            && block.sent <= until
        {
            self.len -= block.number as usize;
            self.blocks.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Time {
        Time::from_micros(millis * 1_000)
    }

    #[test]
    fn a_backlog_takes_a_block_a_second_and_gives_its_messages_in_their_order() {
        let mut backlog = Backlog::default();
        for number in 0..50_000_i64 {
            backlog.push(number as u64 + 1, at(number / 5));
        }
        assert_eq!((backlog.len(), backlog.blocks.len()), (50_000, 10));
        let mut copy = Backlog::of(&backlog.blocks());
        for number in 0..50_000_i64 {
            let (turn, sent) = copy.take_first().unwrap();
            assert_eq!(turn, number as u64 + 1);
            let really = at(number / 5);
            assert!(sent <= really && really.since(sent) < TOGETHER, "{sent} {really}");
        }
        assert_eq!((copy.len(), copy.take_first()), (0, None));
    }

    #[test]
    fn a_turn_of_another_message_parts_two_blocks() {
        let mut backlog = Backlog::default();
        [1, 2, 4].into_iter().for_each(|turn| backlog.push(turn, at(0)));
        assert_eq!(backlog.blocks.len(), 2);
        assert_eq!(backlog.last_turn(), Some(4));
        let turns = std::iter::from_fn(|| backlog.take_first()).map(|(turn, _)| turn);
        assert_eq!(turns.collect::<Vec<_>>(), [1, 2, 4]);
    }

    #[test]
    fn what_is_too_old_goes() {
        let mut backlog = Backlog::default();
        (0..5).for_each(|second| backlog.push(second as u64, at(second * 1_000)));
        backlog.drop_sent_until(at(2_000));
        assert_eq!((backlog.len(), backlog.oldest(), backlog.first_turn()), (2, Some(at(3_000)), Some(3)));
    }
}
