//! The turns of calls that share one limit: evenly spaced, and a rollback's call before any other that waits.

use std::collections::BTreeSet;

use super::Lane;
use crate::units::Span;

/// How long nothing goes out after the service asked to slow down.
pub const PAUSE: Span = Span::from_secs(1);

/// The moments at which calls may go out (the generic cell rate algorithm), and who waits for one.
#[derive(Clone, Debug)]
pub struct Turns {
    interval: i64,
    /// How far back an unused moment may still be used.
    window: i64,
    next: i64,
    waiting: BTreeSet<Ticket>,
    tickets: u64,
}

/// A place in the queue. Tickets are ordered as their calls go out: by lane, then first come, first served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    lane: Lane,
    number: u64,
}

/// Whether a call may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Now; the ticket is used.
    Now,
    /// Not before so long, and later when a rollback's call comes in between: ask again then.
    In(Span),
}

impl Turns {
    /// Nothing was used yet of a limit of so many calls a second, `burst` of them at once after a pause.
    pub fn of(per_second: f64, burst: u32) -> Turns {
        let interval = Span::from_secs_f64(1.0 / per_second).micros();
        let window = interval * i64::from(burst.saturating_sub(1));
        Turns { interval, window, next: i64::MIN, waiting: BTreeSet::new(), tickets: 0 }
    }

    /// Queues a call.
    pub fn join(&mut self, lane: Lane) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket { lane, number: self.tickets };
        self.waiting.insert(ticket);
        ticket
    }

    /// Takes a call out of the queue that does not go out any more. The others move up.
    pub fn leave(&mut self, ticket: Ticket) {
        self.waiting.remove(&ticket);
    }

    /// Whether it is a call's turn; `now` is monotonic time.
    pub fn ask(&mut self, ticket: Ticket, now: Span) -> Turn {
        let before = i64::try_from(self.waiting.range(..ticket).count()).unwrap_or(i64::MAX);
        let free = self.next.max(now.micros() - self.window);
        let own = free.saturating_add(before.saturating_mul(self.interval));
        if own > now.micros() {
            return Turn::In(Span::from_micros(own - now.micros()));
        }
        self.leave(ticket);
        self.next = free + self.interval;
        Turn::Now
    }

    /// The service throttled a call: others use the same limit. Everything after waits a while.
    pub fn pause(&mut self, now: Span) {
        self.next = self.next.max(now.micros() + PAUSE.micros());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::gateway::Family;

    fn turns(family: Family) -> Turns {
        let (per_second, burst) = family.pace();
        Turns::of(per_second, burst)
    }

    /// Lets everybody go who waits; when each went.
    fn drain(turns: &mut Turns, mut now: Span) -> Vec<(Lane, Span)> {
        let mut gone = Vec::new();
        while let Some(first) = turns.waiting.first().copied() {
            match turns.ask(first, now) {
                Turn::Now => gone.push((first.lane, now)),
                Turn::In(wait) => now = now + wait,
            }
        }
        gone
    }

    #[test]
    fn three_hundred_calls_take_what_the_limit_allows_and_not_more() {
        let (mut turns, now) = (turns(Family::Lambda), Span::from_secs(1000));
        for _ in 0..300 {
            turns.join(Lane::Ordinary);
        }
        let last = drain(&mut turns, now).last().unwrap().1 - now;
        let ideal = 300.0 / 15.0;
        assert!((ideal * 0.98..=ideal).contains(&last.secs_f64()), "{last}");
    }

    #[test]
    fn an_unused_limit_allows_a_burst_and_no_more_than_that() {
        let (mut turns, now) = (turns(Family::Alarms), Span::from_secs(50));
        let tickets: Vec<_> = (0..5).map(|_| turns.join(Lane::Ordinary)).collect();
        let asked: Vec<_> = tickets.iter().map(|ticket| turns.ask(*ticket, now)).collect();
        let wait = |millis: i64| Turn::In(Span::from_micros(millis * 111_111));
        assert_eq!(asked, [Turn::Now, Turn::Now, Turn::Now, wait(1), wait(2)]);
        // Two of the moments came meanwhile; the burst does not come back at once.
        let later = now + Span::from_millis(223);
        assert_eq!([turns.ask(tickets[3], later), turns.ask(tickets[4], later)], [Turn::Now, Turn::Now]);
        let next = turns.join(Lane::Ordinary);
        assert!(matches!(turns.ask(next, later), Turn::In(wait) if wait > Span::from_millis(100)));
    }

    #[test]
    fn a_rollback_goes_before_everything_that_waits() {
        let (mut turns, now) = (turns(Family::Lambda), Span::from_secs(9));
        for _ in 0..300 {
            turns.join(Lane::Ordinary);
        }
        let first = turns.join(Lane::Rollback);
        let second = turns.join(Lane::Rollback);
        assert_eq!((turns.ask(first, now), turns.ask(second, now)), (Turn::Now, Turn::Now));
        let third = turns.join(Lane::Rollback);
        assert!(matches!(turns.ask(third, now), Turn::In(wait) if wait < Span::from_millis(70)));
        assert_eq!(drain(&mut turns, now).first().map(|(lane, _)| *lane), Some(Lane::Rollback));
    }

    #[test]
    fn who_leaves_makes_room() {
        let (mut turns, now) = (turns(Family::SsmWrite), Span::from_secs(9));
        let tickets: Vec<_> = (0..40).map(|_| turns.join(Lane::Ordinary)).collect();
        let last = tickets[39];
        assert!(matches!(turns.ask(last, now), Turn::In(wait) if wait > Span::from_secs(9)));
        tickets[..39].iter().for_each(|ticket| turns.leave(*ticket));
        assert_eq!(turns.ask(last, now), Turn::Now);
    }

    #[test]
    fn a_throttled_family_pauses() {
        let (mut turns, now) = (turns(Family::GetFunction), Span::from_secs(50));
        turns.pause(now);
        let (first, second) = (turns.join(Lane::Rollback), turns.join(Lane::Rollback));
        assert_eq!(turns.ask(first, now), Turn::In(PAUSE));
        assert!(matches!(turns.ask(second, now), Turn::In(wait) if wait > PAUSE));
    }
}
