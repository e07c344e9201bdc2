//! Whether this process slept, or its clock was set: a closed laptop, SIGSTOP. What was about to be written then must not go
//! out any more, because another process may have taken the run over meanwhile.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::env::Env;
use crate::units::{Span, Time};

/// How often it is looked at.
pub const BEAT: Span = Span::from_secs(1);
/// A clock that moved by more than this between two looks means that the process slept.
const SLEPT: Span = Span::from_secs(5);

/// Notices sleeps.
pub struct Awake {
    env: Arc<dyn Env>,
    seen: Mutex<(Time, Span, u64)>,
}

impl Awake {
    /// Begins to look. [`Awake::sleeps`] must be asked every [`BEAT`] from now on.
    pub fn new(env: Arc<dyn Env>) -> Awake {
        let seen = Mutex::new((env.now(), env.monotonic(), 0));
        Awake { env, seen }
    }

    /// How many sleeps there were. The same answer twice: the process was awake between.
    pub fn sleeps(&self) -> u64 {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (wall, monotonic) = (self.env.now(), self.env.monotonic());
        let moved = (wall.micros() - seen.0.micros()).abs().max((monotonic - seen.1).micros());
        *seen = (wall, monotonic, seen.2 + u64::from(moved > SLEPT.micros()));
        seen.2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::FixedEnv;
    use std::sync::atomic::{AtomicI64, Ordering};

    #[derive(Default)]
    struct MovingEnv(AtomicI64);

    impl MovingEnv {
        fn pass(&self, span: Span) {
            self.0.fetch_add(span.micros(), Ordering::SeqCst);
        }
    }

    impl Env for MovingEnv {
        fn now(&self) -> Time {
            Time::from_micros(self.0.load(Ordering::SeqCst))
        }
        fn monotonic(&self) -> Span {
            Span::ZERO
        }
        fn sleep(&self, _: Span) {}
        fn entropy(&self) -> u64 {
            0
        }
        fn var(&self, name: &str) -> Option<String> {
            FixedEnv::default().var(name)
        }
        fn who(&self) -> String {
            String::new()
        }
    }

    #[test]
    fn a_jump_of_the_clock_is_a_sleep_and_a_beat_is_none() {
        let env = Arc::new(MovingEnv::default());
        let awake = Awake::new(env.clone());
        env.pass(BEAT);
        assert_eq!(awake.sleeps(), 0);
        env.pass(Span::from_secs(40));
        assert_eq!(awake.sleeps(), 1);
        env.pass(BEAT);
        assert_eq!(awake.sleeps(), 1);
    }
}
