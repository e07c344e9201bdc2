//! Clocks that may be wrong: how much of that is tolerated, and what happens then (DESIGN rule 23).
//!
//! A run has three clocks: this machine's wall clock, which can be set and goes on while the machine sleeps; its monotonic
//! clock, which never goes back and may stop during sleep; and the account's. Deadlines follow all of them.
//!
//! | what | tolerated | beyond that |
//! | --- | --- | --- |
//! | time between two ticks of a run | [`OVERSLEPT`] | the run stops, and rolls back |
//! | disagreement of wall and monotonic clock in one tick | [`CLOCK_JUMP`] | the run stops, and rolls back |
//! | the account's clock, before the run | [`OFF_ACCOUNT`] | the run is refused |
//! | the account's clock, during the run | [`OFF_ACCOUNT`] | the run stops, and rolls back |
//! | time since the store confirmed who owns the run | [`OWNED_FOR`] | a fault that waits is not sent; an inverse is |
//! | age of the signature of a request that changes something | [`SIGNED_FOR`] | the request is not sent |
//! | time from a fault's announcement to its queue | [`INJECT_AT_ONCE`] | the fault is not sent |
//! | time since the lease in the account was renewed, to its owner | [`RENEWED_WITHIN`] | the run stops, and rolls back |
//! | the same, to others | [`LEASE`] and [`LEASE_TOLERANCE`] | the owner is gone: others may roll back |

use crate::units::{Span, Time};

/// A process that did not run for longer than this has lost sight of its run.
pub const OVERSLEPT: Span = Span::from_secs(30);
/// By more than this the wall clock and the monotonic clock do not move apart in one tick, unless one was set or the machine
/// slept.
pub const CLOCK_JUMP: Span = Span::from_secs(5);
/// This machine's clock and the account's are no further apart. Beyond it what expires by the account's clock, and its windows,
/// are noticeably off.
pub const OFF_ACCOUNT: Span = Span::from_secs(5);
/// For so long the store's word counts that a run is still this process's.
pub const OWNED_FOR: Span = Span::from_secs(5);
/// A request that changes something is sent at the latest so long after it was signed, connecting included.
pub const SIGNED_FOR: Span = Span::from_secs(5);
/// A fault that cannot be queued so soon after its announcement became durable is not sent at all.
pub const INJECT_AT_ONCE: Span = Span::from_secs(5);

/// How often the owner of locks renews its lease on them.
pub const RENEW_EVERY: Span = Span::from_mins(1);
/// An owner that could not renew its lease for so long puts no fault in any more, and rolls back: well before others may.
pub const RENEWED_WITHIN: Span = Span::from_mins(2);
/// So long after its last renewal a lease is over.
pub const LEASE: Span = Span::from_mins(3);
/// Added to [`LEASE`] by others: the owner's clock and theirs may each be [`OFF_ACCOUNT`] off the account's.
pub const LEASE_TOLERANCE: Span = Span::from_secs(10);
/// A lease that is over is looked at once more after so long: the owner may just have removed the lock that carried it.
pub const LEASE_SEEN_AGAIN: Span = Span::from_secs(15);

/// What two clocks say that should agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The process did not run for so long.
    Overslept(Span),
    /// The wall clock moved by so many seconds more than the monotonic one; negative when it went back.
    Jumped { by_secs: i64 },
}

/// The two clocks of a machine, compared from tick to tick.
#[derive(Clone, Copy, Debug)]
pub struct Ticks {
    wall: Time,
    monotonic: Span,
}

impl Ticks {
    /// Compares from now on.
    pub fn from(wall: Time, monotonic: Span) -> Ticks {
        Ticks { wall, monotonic }
    }

    /// What was wrong between the last tick and this one.
    pub fn tick(&mut self, wall: Time, monotonic: Span) -> Option<Trouble> {
        let found = self.look(wall, monotonic);
        *self = Ticks { wall, monotonic };
        found
    }

    /// What is wrong since the last tick, in the middle of one.
    pub fn look(&self, wall: Time, monotonic: Span) -> Option<Trouble> {
        let (by_wall, by_monotonic) = (wall.since(self.wall), monotonic - self.monotonic);
        let apart = (wall.micros() - self.wall.micros()) - (monotonic.micros() - self.monotonic.micros());
        // Either clock alone shows that the process stood still; a machine that slept shows it by the wall clock.
        if by_wall.max(by_monotonic) > OVERSLEPT {
            return Some(Trouble::Overslept(by_wall.max(by_monotonic)));
        }
        (apart.abs() > CLOCK_JUMP.micros()).then_some(Trouble::Jumped { by_secs: apart / 1_000_000 })
    }
}

/// The account's clock as it is read on this machine. It follows the wall clock, corrected by what the account's answers say,
/// and the monotonic clock where that goes back: so it never goes back itself, and never stops for longer than
/// [`CLOCK_JUMP`].
#[derive(Clone, Copy, Debug, Default)]
pub struct AccountClock {
    last: Option<(Time, Span)>,
}

impl AccountClock {
    /// What it shows. `wall` is the wall clock, corrected.
    pub fn at(&mut self, wall: Time, monotonic: Span) -> Time {
        let now = self.last.map_or(wall, |(last, then)| {
            let elapsed = last + (monotonic - then);
            match elapsed.since(wall) {
                // A better correction came, or the clock is slewed: it waits until it is caught up with.
                lag if lag <= CLOCK_JUMP => wall.max(last),
                _ => elapsed,
            }
        });
        self.last = Some((now, monotonic));
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: Time = Time::from_micros(1_700_000_000_000_000);

    fn moved(wall_secs: i64, monotonic_secs: i64) -> Option<Trouble> {
        let mut ticks = Ticks::from(WALL, Span::from_secs(100));
        ticks.tick(Time::from_micros(WALL.micros() + wall_secs * 1_000_000), Span::from_secs(100 + monotonic_secs))
    }

    #[test]
    fn each_clock_shows_what_the_other_does_not() {
        assert_eq!(moved(1, 1), None);
        assert_eq!(moved(30, 30), None);
        // Stopped and woken: both go on. A closed laptop: the monotonic one stops.
        assert_eq!(moved(31, 31), Some(Trouble::Overslept(Span::from_secs(31))));
        assert_eq!(moved(40, 0), Some(Trouble::Overslept(Span::from_secs(40))));
        // The wall clock was set back while the process was stopped.
        assert_eq!(moved(-1200, 31), Some(Trouble::Overslept(Span::from_secs(31))));
        assert_eq!(moved(6, 0), Some(Trouble::Jumped { by_secs: 6 }));
        assert_eq!(moved(-1200, 1), Some(Trouble::Jumped { by_secs: -1201 }));
        assert_eq!(moved(-4, 1), None);
    }

    #[test]
    fn an_accounts_clock_goes_on_when_the_wall_clock_goes_back() {
        let mut clock = AccountClock::default();
        let wall = |secs: i64| Time::from_micros(WALL.micros() + secs * 1_000_000);
        assert_eq!(clock.at(wall(0), Span::from_secs(10)), wall(0));
        assert_eq!(clock.at(wall(1), Span::from_secs(11)), wall(1));
        // Twenty minutes back: what was to happen in a minute still happens in a minute.
        assert_eq!(clock.at(wall(-1199), Span::from_secs(12)), wall(2));
        assert_eq!(clock.at(wall(-1139), Span::from_secs(72)), wall(62));
        // Forward, as after a sleep: at once.
        assert_eq!(clock.at(wall(4000), Span::from_secs(73)), wall(4000));
        // Three seconds less, for the account's answers say so: caught up with after three seconds.
        assert_eq!(clock.at(wall(3998), Span::from_secs(74)), wall(4000));
        assert_eq!(clock.at(wall(4001), Span::from_secs(77)), wall(4001));
    }
}
