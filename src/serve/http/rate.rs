//! How many requests one address or one person may make: a bucket each, that fills again as time passes.

use std::collections::BTreeMap;

use crate::units::Span;

/// The buckets of everybody who asked lately.
pub struct Rate {
    a_minute: f64,
    buckets: BTreeMap<String, Bucket>,
}

struct Bucket {
    left: f64,
    at: Span,
}

/// More buckets are not kept, however many addresses ask.
const MOST: usize = 4_096;

impl Rate {
    /// So many a minute, and at once after a pause.
    pub fn new(a_minute: u32) -> Rate {
        Rate { a_minute: f64::from(a_minute), buckets: BTreeMap::new() }
    }

    /// Takes `cost` requests of a caller at a monotonic time. `false`: there are not so many left; nothing is taken then.
    pub fn take(&mut self, who: &str, cost: u32, now: Span) -> bool {
        let full = self.a_minute;
        if self.buckets.len() >= MOST && !self.buckets.contains_key(who) {
            self.buckets.retain(|_, bucket| filled(bucket, full, now) < full);
            if self.buckets.len() >= MOST {
                return false;
            }
        }
        let bucket = self.buckets.entry(who.to_owned()).or_insert(Bucket { left: full, at: now });
        (bucket.left, bucket.at) = (filled(bucket, full, now), now);
        let enough = bucket.left >= f64::from(cost);
        if enough {
            bucket.left -= f64::from(cost);
        }
        enough
    }

    /// Gives one request back, that was taken of the wrong bucket.
    pub fn give_back(&mut self, who: &str) {
        let full = self.a_minute;
        if let Some(bucket) = self.buckets.get_mut(who) {
            bucket.left = (bucket.left + 1.0).min(full);
        }
    }

    /// Takes what is left, up to `cost`: for what has been done already.
    pub fn charge(&mut self, who: &str, cost: u32, now: Span) {
        if !self.take(who, cost, now)
            && let Some(bucket) = self.buckets.get_mut(who)
        {
            bucket.left = 0.0;
        }
    }
}

fn filled(bucket: &Bucket, full: f64, now: Span) -> f64 {
    let passed = now.secs_f64() - bucket.at.secs_f64();
    (bucket.left + passed.max(0.0) * full / 60.0).min(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let mut rate = Rate::new(60);
        let at = Span::from_secs;
        assert!((0..60).all(|_| rate.take("a", 1, at(5))));
        assert!(!rate.take("a", 1, at(5)));
        assert!(rate.take("b", 60, at(5)));
        assert!(rate.take("a", 2, at(7)) && !rate.take("a", 1, at(7)));
        rate.charge("a", 30, at(17));
        assert!(!rate.take("a", 1, at(17)));
    }

    #[test]
    fn buckets_are_bounded_and_full_ones_make_room() {
        let mut rate = Rate::new(60);
        let taken = (0..MOST).filter(|n| rate.take(&n.to_string(), 1, Span::ZERO)).count();
        assert_eq!(taken, MOST);
        assert!(!rate.take("new", 1, Span::ZERO));
        assert!(rate.take("7", 1, Span::ZERO));
        assert!(rate.take("new", 1, Span::from_secs(3)));
        assert_eq!(rate.buckets.len(), 1);
    }
}
