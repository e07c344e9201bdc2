//! The agenda of a world: what happens next, ordered by time and, at one time, by the order of planning.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::event::Event;
use crate::units::Time;

/// One thing that will happen. Sixteen bytes of event keep the heap's moves cheap.
#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Time,
    seq: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.seq == other.seq
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    /// The heap gives its greatest entry first, so the earliest one is the greatest.
    fn cmp(&self, other: &Entry) -> Ordering {
        (other.at, other.seq).cmp(&(self.at, self.seq))
    }
}

/// An agenda of so few entries is not worth a look at what is moot. It is small, so that the heap stays in the processor's
/// first cache: with 4,096 the heap took an eighth of a run's time.
const FEW: usize = 256;

/// Everything that will happen.
#[derive(Clone, Debug, Default)]
pub(super) struct Agenda {
    heap: BinaryHeap<Entry>,
    seq: u64,
    /// What was left when the moot ones were dropped last.
    left: usize,
}

impl Agenda {
    /// Plans an event.
    pub fn at(&mut self, at: Time, event: Event) {
        self.seq += 1;
        self.heap.push(Entry { at, seq: self.seq, event });
    }

    /// The next event, when it is due at `until` or before.
    pub fn pop_until(&mut self, until: Time) -> Option<(Time, Event)> {
        if self.heap.peek()?.at > until {
            return None;
        }
        self.heap.pop().map(|entry| (entry.at, entry.event))
    }

    /// How many events are planned, moot ones too.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether the agenda has doubled since its moot entries were dropped last. Most are moot: nearly every message is
    /// deleted before its visibility ends, and nearly every request is answered before its gateway gives up.
    pub fn has_doubled(&self) -> bool {
        self.heap.len() > 2 * self.left.max(FEW)
    }

    /// Drops the entries that would do nothing. The order of the others stays.
    pub fn drop_moot(&mut self, matters: impl Fn(Event) -> bool) {
        self.heap.retain(|entry| matters(entry.event));
        self.left = self.heap.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_what_is_moot_changes_no_order() {
        let mut agenda = Agenda::default();
        for number in 0..20_000_u32 {
            let at = Time::from_micros(i64::from(number * 7_919 % 1_000));
            agenda.at(at, Event::Arrival { source: number });
        }
        assert!(agenda.has_doubled());
        let even = |event: Event| matches!(event, Event::Arrival { source } if source % 2 == 0);
        let mut whole = agenda.clone();
        agenda.drop_moot(even);
        assert!(!agenda.has_doubled());
        let all = |agenda: &mut Agenda| {
            let events = std::iter::from_fn(|| agenda.pop_until(Time::NEVER));
            events.filter(|(_, event)| even(*event)).map(|(at, event)| format!("{at} {event:?}")).collect::<Vec<_>>()
        };
        let left = all(&mut agenda);
        assert_eq!(left.len(), 10_000);
        assert_eq!(left, all(&mut whole));
    }
}
