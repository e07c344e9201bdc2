//! Bounds without tolerance: `the dead-letter queue stays empty`. They are exact, and spend no alpha: one reading that
//! violates one is enough, once it is sure.

use serde::Serialize;

use super::ask::Reading;
use super::bound::Bound;

/// How far a single reading can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// A closed window's value is final.
    Final,
    /// A count that a distributed queue estimates: the next reading with data must say the same.
    NeedsConfirmation,
}

/// What became of an invariant. Numbers are those of readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Upheld {
    /// Every reading is there, and none violates it.
    Held,
    /// Violated at `at`, which was sure at `confirmed`.
    Violated { at: usize, confirmed: usize },
    /// One reading violates it and no other confirms that.
    Unconfirmed { at: usize },
    /// So many readings have no data; any of them might have shown a violation.
    Missing { windows: usize },
    /// There is no reading at all.
    NoData,
}

/// A value without squall's own share in it: messages that squall sent itself, and the application did not lose.
pub fn discounted(value: f64, own: f64) -> f64 {
    if value > 0.0 { (value - own).max(0.0) } else { value }
}

/// Examines the readings of an invariant, in order.
pub fn examine(bound: Bound, certainty: Certainty, readings: &[Reading]) -> Upheld {
    let mut suspect = None;
    let mut unconfirmed = None;
    let mut missing = 0;
    for (index, reading) in readings.iter().enumerate() {
        let Some(value) = reading.value else {
            missing += 1;
            continue;
        };
        if bound.holds(value) {
            suspect = None;
            continue;
        }
        if certainty == Certainty::Final {
            return Upheld::Violated { at: index, confirmed: index };
        }
        if let Some(at) = suspect {
            return Upheld::Violated { at, confirmed: index };
        }
        suspect = Some(index);
        unconfirmed.get_or_insert(index);
    }
    match unconfirmed {
        Some(at) => Upheld::Unconfirmed { at },
        None if readings.is_empty() => Upheld::NoData,
        None if missing > 0 => Upheld::Missing { windows: missing },
        None => Upheld::Held,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Span, Time};
    use proptest::prelude::*;

    fn readings(values: &[Option<f64>]) -> Vec<Reading> {
        let every = Span::from_mins(1);
        let from = |number: usize| Time::EPOCH + every * i64::try_from(number).unwrap();
        let reading =
            |(number, value): (usize, &Option<f64>)| Reading { value: *value, ..Reading::missing(from(number), every) };
        values.iter().enumerate().map(reading).collect()
    }

    #[test]
    fn one_sure_reading_is_enough() {
        let empty = Bound::AtMost(0.0);
        let (good, bad) = (Some(0.0), Some(1.0));
        for (values, fin, approximate) in [
            (vec![good, good], Upheld::Held, Upheld::Held),
            (vec![good, bad, good], Upheld::Violated { at: 1, confirmed: 1 }, Upheld::Unconfirmed { at: 1 }),
            (vec![bad, None, bad], Upheld::Violated { at: 0, confirmed: 0 }, Upheld::Violated { at: 0, confirmed: 2 }),
            (vec![good, None], Upheld::Missing { windows: 1 }, Upheld::Missing { windows: 1 }),
            (vec![None, bad], Upheld::Violated { at: 1, confirmed: 1 }, Upheld::Unconfirmed { at: 1 }),
            (vec![], Upheld::NoData, Upheld::NoData),
        ] {
            assert_eq!(examine(empty, Certainty::Final, &readings(&values)), fin, "{values:?}");
            assert_eq!(examine(empty, Certainty::NeedsConfirmation, &readings(&values)), approximate, "{values:?}");
        }
    }

    #[test]
    fn own_messages_do_not_count() {
        assert_eq!(discounted(5.0, 5.0), 0.0);
        assert_eq!(discounted(6.0, 5.0), 1.0);
        assert_eq!(discounted(3.0, 5.0), 0.0);
        assert_eq!(discounted(-1.0, 5.0), -1.0);
    }

    proptest! {
        #[test]
        fn nothing_that_comes_later_mends_a_violation(
            values in proptest::collection::vec(proptest::option::of(0..3_u8), 0..20),
            later in proptest::collection::vec(proptest::option::of(0..3_u8), 0..20),
        ) {
            let numbers = |values: &[Option<u8>]| readings(&values.iter().map(|v| v.map(f64::from)).collect::<Vec<_>>());
            for certainty in [Certainty::Final, Certainty::NeedsConfirmation] {
                let before = examine(Bound::AtMost(0.0), certainty, &numbers(&values));
                let after = examine(Bound::AtMost(0.0), certainty, &numbers(&[values.clone(), later.clone()].concat()));
                if matches!(before, Upheld::Violated { .. }) {
                    prop_assert_eq!(before, after);
                }
                if after == Upheld::Held {
                    prop_assert!(matches!(before, Upheld::Held | Upheld::NoData));
                }
            }
        }
    }
}
