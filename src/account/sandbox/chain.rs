//! Chains of requests: which functions a message or an event has been through, and how often. By it Lambda finds loops
//! (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>).

use std::collections::BTreeMap;
use std::sync::Arc;

/// "Approximately 16 times": as many invocations of a function in one chain run, and the next one is stopped. Exactly 16
/// were counted (<https://github.com/boto/boto3/issues/3899>).
pub(super) const LOOP_ENDS_AFTER: u32 = 16;

/// How often each function was invoked in one chain. Only functions that can reach themselves are counted, so that an
/// application without loops pays nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chain(Option<Arc<BTreeMap<usize, u32>>>);

impl Chain {
    /// The chain with these counts, by function.
    pub fn of(times: BTreeMap<usize, u32>) -> Chain {
        Chain((!times.is_empty()).then(|| Arc::new(times)))
    }

    /// How often a function was invoked.
    pub fn times(&self, function: usize) -> u32 {
        self.0.as_ref().and_then(|times| times.get(&function)).copied().unwrap_or(0)
    }

    /// Whether Lambda stops the next invocation of a function.
    pub fn is_loop(&self, function: usize) -> bool {
        self.times(function) >= LOOP_ENDS_AFTER
    }

    /// The chain after one more invocation of a function.
    pub fn through(&self, function: usize) -> Chain {
        let mut times = self.0.as_deref().cloned().unwrap_or_default();
        *times.entry(function).or_default() += 1;
        Chain::of(times)
    }

    /// The chain after one more invocation, where invocations of the function are counted at all.
    pub fn through_if(self, counted: bool, function: usize) -> Chain {
        if counted { self.through(function) } else { self }
    }

    /// The longer of both chains for each function: what was made from two messages together.
    pub fn merged(&self, other: &Chain) -> Chain {
        let (Some(mine), Some(others)) = (&self.0, &other.0) else {
            return if self.0.is_some() { self.clone() } else { other.clone() };
        };
        let mut times = BTreeMap::clone(mine);
        for (function, count) in others.iter() {
            let longest = times.entry(*function).or_default();
            *longest = (*longest).max(*count);
        }
        Chain::of(times)
    }

    /// Every function with its count.
    pub fn iter(&self) -> impl Iterator<Item = (usize, u32)> {
        self.0.iter().flat_map(|times| times.iter().map(|(function, count)| (*function, *count)))
    }
}
