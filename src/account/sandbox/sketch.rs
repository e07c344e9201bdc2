//! A sketch of many durations in little memory: how many of them lie between two neighbouring numbers of three
//! significant digits.
//!
//! The buckets are decimal, where DDSketch (Masson, Rim and Lee, VLDB 2019, <https://arxiv.org/abs/1908.10693>) has
//! logarithmic ones: up to 1 ms one for each microsecond, above it one for each number of three significant digits, from
//! 1.00 to 9.99 ms, from 10.0 to 99.9 ms, and so on. A bucket is never wider than 1 % of what it holds. So
//!
//! - a **percentile** is off by 0.5 % at the most, and exact up to 1 ms;
//! - how many are **slower than a limit** is exact for every limit of up to three significant digits, which are those that
//!   people write (`800ms`, `1.25s`); one with more is rounded up to three;
//! - count, sum, least and greatest are exact.
//!
//! There are 7,400 buckets from 1 us to 71 minutes; only those that hold something take memory, eight bytes each, however
//! many durations they hold.

/// Durations, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sketch {
    /// Bucket and how many it holds, in the order of the buckets; none is empty.
    buckets: Vec<(u16, u32)>,
    count: u64,
    sum: u64,
    min: u32,
    max: u32,
}

/// Up to here, each number has a bucket of its own.
const SINGLE: u32 = 1000;
/// Buckets of a decade above that.
const PER_DECADE: u32 = 900;

/// The bucket of a number.
fn bucket(micros: u32) -> u16 {
    if micros <= SINGLE {
        return micros as u16;
    }
    // Three significant digits, rounded up: 101 to 1000.
    let decade = (micros - 1).ilog10() - 2;
    let digits = micros.div_ceil(10_u32.pow(decade));
    (SINGLE + (decade - 1) * PER_DECADE + (digits - 100)) as u16
}

/// The greatest number of a bucket, and how many numbers it has.
fn edge(bucket: u16) -> (u64, u64) {
    let bucket = u32::from(bucket);
    if bucket <= SINGLE {
        return (u64::from(bucket), 1);
    }
    let (above, nth) = ((bucket - SINGLE - 1) / PER_DECADE, (bucket - SINGLE - 1) % PER_DECADE);
    let width = 10_u64.pow(above + 1);
    (u64::from(nth + 101) * width, width)
}

impl Sketch {
    /// Adds one duration.
    pub fn add(&mut self, micros: u32) {
        self.add_to(bucket(micros), 1);
        self.min = if self.count == 0 { micros } else { self.min.min(micros) };
        self.max = self.max.max(micros);
        self.count += 1;
        self.sum += u64::from(micros);
    }

    fn add_to(&mut self, bucket: u16, number: u32) {
        match self.buckets.binary_search_by_key(&bucket, |(index, _)| *index) {
            Ok(at) => self.buckets[at].1 += number,
            Err(at) => self.buckets.insert(at, (bucket, number)),
        }
    }

    /// Adds all of another one: the same as if each of its durations had been added.
    pub fn merge(&mut self, other: &Sketch) {
        if other.count == 0 {
            return;
        }
        other.buckets.iter().for_each(|(bucket, number)| self.add_to(*bucket, *number));
        self.min = if self.count == 0 { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.count += other.count;
        self.sum += other.sum;
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum in microseconds.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The least and the greatest, in microseconds; `None` of no durations.
    pub fn range(&self) -> Option<(u32, u32)> {
        (self.count > 0).then_some((self.min, self.max))
    }

    /// How many are longer than a limit in microseconds, which is rounded up to three significant digits.
    pub fn longer_than(&self, limit: i64) -> u64 {
        let Ok(limit) = u64::try_from(limit) else { return self.count };
        // Of a bucket that the limit cuts, nothing counts: its greatest number is the limit rounded up.
        let longer = self.buckets.iter().filter(|(bucket, _)| {
            let (greatest, width) = edge(*bucket);
            greatest >= limit + width
        });
        longer.map(|(_, number)| u64::from(*number)).sum()
    }

    /// The percentile in microseconds by the nearest rank, 0.5 % off at the most; `None` of no durations.
    pub fn percentile(&self, percent: f64) -> Option<f64> {
        let (min, max) = self.range()?;
        let rank = (percent / 100.0 * self.count as f64).ceil().clamp(1.0, self.count as f64) as u64;
        let mut seen = 0;
        let found = self.buckets.iter().find(|(_, number)| {
            seen += u64::from(*number);
            seen >= rank
        });
        let (greatest, width) = edge(found?.0);
        let middle = greatest as f64 - (width - 1) as f64 / 2.0;
        Some(middle.clamp(f64::from(min), f64::from(max)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sketch(durations: &[u32]) -> Sketch {
        let mut sketch = Sketch::default();
        durations.iter().for_each(|micros| sketch.add(*micros));
        sketch
    }

    /// From microseconds to the longest that can be counted, each order of magnitude as often as another.
    fn duration() -> impl Strategy<Value = u32> {
        (0_u32..=32, any::<u32>()).prop_map(|(bits, number)| if bits == 0 { 0 } else { number >> (32 - bits) })
    }

    /// A limit of three significant digits.
    fn limit() -> impl Strategy<Value = u32> {
        (0_u32..=999, 0_u32..=6).prop_map(|(digits, decade)| digits * 10_u32.pow(decade))
    }

    #[test]
    fn buckets_follow_each_other_and_are_one_percent_wide_at_the_most() {
        let mut before = 0;
        for number in 1..=bucket(u32::MAX) {
            let (greatest, width) = edge(number);
            assert_eq!(greatest - width, before, "bucket {number}");
            assert!(width == 1 || (width * 100) as f64 <= before as f64, "bucket {number}");
            before = greatest;
        }
        assert!(before >= u64::from(u32::MAX));
    }

    #[test]
    fn an_hour_of_many_durations_takes_no_more_than_its_buckets() {
        let mut sketch = Sketch::default();
        for number in 0..1_000_000_u32 {
            sketch.add(5_000 + number % 95_000);
        }
        // 501 from 5.00 to 10.0 ms, and 900 up to 100 ms.
        assert_eq!(sketch.buckets.len(), 1_401);
        assert_eq!(sketch.count(), 1_000_000);
    }

    proptest! {
        #[test]
        fn a_number_lies_in_its_bucket(micros in duration()) {
            let (greatest, width) = edge(bucket(micros));
            prop_assert!(u64::from(micros) <= greatest && u64::from(micros) + width > greatest);
        }

        #[test]
        fn percentiles_are_half_a_percent_off_at_the_most(
            mut durations in prop::collection::vec(duration(), 1..300),
            percent in 0.0_f64..=100.0,
        ) {
            let found = sketch(&durations).percentile(percent).unwrap();
            durations.sort_unstable();
            let rank = (percent / 100.0 * durations.len() as f64).ceil() as usize;
            let exact = f64::from(durations[rank.clamp(1, durations.len()) - 1]);
            prop_assert!((found - exact).abs() <= exact * 0.005, "{found} for {exact}");
        }

        #[test]
        fn what_is_slower_than_a_limit_of_three_digits_is_counted_exactly(
            mut durations in prop::collection::vec(duration(), 0..300),
            limit in limit(),
        ) {
            // The edge itself, and its neighbours.
            durations.extend([limit, limit + 1, limit.saturating_sub(1)]);
            let exact = durations.iter().filter(|micros| **micros > limit).count() as u64;
            prop_assert_eq!(sketch(&durations).longer_than(i64::from(limit)), exact);
        }

        #[test]
        fn any_other_limit_is_rounded_up_to_three_digits(
            durations in prop::collection::vec(duration(), 0..300),
            limit in duration(),
        ) {
            let rounded = edge(bucket(limit)).0;
            prop_assert!(rounded as f64 <= f64::from(limit) * 1.01);
            let exact = durations.iter().filter(|micros| u64::from(**micros) > rounded).count() as u64;
            prop_assert_eq!(sketch(&durations).longer_than(i64::from(limit)), exact);
        }

        #[test]
        fn a_merge_is_the_sketch_of_all(
            one in prop::collection::vec(duration(), 0..100),
            two in prop::collection::vec(duration(), 0..100),
        ) {
            let mut merged = sketch(&one);
            merged.merge(&sketch(&two));
            let all: Vec<u32> = one.iter().chain(&two).copied().collect();
            prop_assert_eq!(&merged, &sketch(&all));
            prop_assert_eq!(merged.sum(), all.iter().map(|micros| u64::from(*micros)).sum::<u64>());
            prop_assert_eq!(merged.range(), all.iter().min().copied().zip(all.iter().max().copied()));
        }
    }
}
