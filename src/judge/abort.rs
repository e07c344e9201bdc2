//! Hard guard rails: so bad that nobody waits for evidence. They stop a run; they are no finding about it, because a
//! single bad window has no error rate (by Markov's inequality one window of badness x is evidence of x/m at the most).

use super::ask::{Ask, Reading};

/// `stop at 50 %`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AbortThreshold {
    /// The badness of one window from which on the run stops.
    pub at: f64,
    /// Fewer requests than this say nothing, where the number is known.
    pub of_at_least: u64,
}

impl AbortThreshold {
    /// The usual one: fewer than twenty requests are an accident, not an outage.
    pub fn at(share: f64) -> AbortThreshold {
        AbortThreshold { at: share, of_at_least: 20 }
    }

    /// Whether a window is beyond the rail.
    pub fn is_hit(&self, ask: &Ask, reading: &Reading) -> bool {
        let enough = !ask.is_share() || reading.of.is_none_or(|of| of >= self.of_at_least);
        enough && ask.badness(reading).is_some_and(|badness| badness.x >= self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Span, Time};

    #[test]
    fn a_rail_is_hit_by_many_requests_and_not_by_few() {
        let ask = Ask::ShareAtMost(0.01);
        let missing = Reading::missing(Time::EPOCH, Span::from_mins(1));
        let reading = |value, of| Reading { value: Some(value), of, ..missing };
        let rail = AbortThreshold::at(0.5);
        assert!(rail.is_hit(&ask, &reading(0.5, Some(20))));
        assert!(rail.is_hit(&ask, &reading(0.9, None)));
        assert!(!rail.is_hit(&ask, &reading(0.49, Some(1000))));
        assert!(!rail.is_hit(&ask, &reading(1.0, Some(19))));
        assert!(!rail.is_hit(&ask, &missing));
    }
}
