//! Token buckets: how services limit a rate.

use crate::units::Time;

/// A bucket that refills continuously up to its capacity.
#[derive(Clone, Debug)]
pub(super) struct TokenBucket {
    tokens: f64,
    capacity: f64,
    per_second: f64,
    at: Time,
}

impl TokenBucket {
    /// A full one.
    pub fn full(capacity: f64, per_second: f64, now: Time) -> TokenBucket {
        TokenBucket { tokens: capacity, capacity, per_second, at: now }
    }

    /// Takes one token, if there is one.
    pub fn take(&mut self, now: Time) -> bool {
        let refilled = self.tokens + now.since(self.at).secs_f64() * self.per_second;
        self.tokens = refilled.min(self.capacity);
        self.at = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Span;

    #[test]
    fn a_bucket_gives_what_it_holds_and_then_its_rate() {
        let mut bucket = TokenBucket::full(3.0, 2.0, Time::EPOCH);
        let taken = (0..5).filter(|_| bucket.take(Time::EPOCH)).count();
        assert_eq!(taken, 3);
        let later = Time::EPOCH + Span::from_secs(1);
        assert_eq!((0..5).filter(|_| bucket.take(later)).count(), 2);
        // It never holds more than its capacity.
        let much_later = later + Span::from_secs(1000);
        assert_eq!((0..5).filter(|_| bucket.take(much_later)).count(), 3);
    }
}
