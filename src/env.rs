//! Everything that comes from outside of the program: clock, entropy, environment, interrupts.
//!
//! Invariant: no other module reads a clock, a random device or the environment (`clippy.toml` bans it).

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::units::{Span, Time};

/// A request from outside to stop, in the order of the signals' usual meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    CtrlC,
    Terminate,
    HangUp,
}

impl Interrupt {
    /// The signal's name.
    pub fn name(self) -> &'static str {
        match self {
            Interrupt::CtrlC => "Ctrl-C",
            Interrupt::Terminate => "SIGTERM",
            Interrupt::HangUp => "SIGHUP",
        }
    }
}

/// The first interrupt that came, if any; set from the signal thread, read by the driver.
#[derive(Clone, Debug, Default)]
pub struct Interrupts(Arc<AtomicU8>);

impl Interrupts {
    /// None has come, and none comes by itself.
    pub fn none() -> Interrupts {
        Interrupts::default()
    }

    /// Reports an interrupt; the first one stays.
    pub fn raise(&self, interrupt: Interrupt) {
        let code = interrupt as u8 + 1;
        // Losing the race to an earlier interrupt is what is wanted.
        let _ = self.0.compare_exchange(0, code, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// The first interrupt that came.
    pub fn get(&self) -> Option<Interrupt> {
        match self.0.load(Ordering::SeqCst) {
            0 => None,
            1 => Some(Interrupt::CtrlC),
            2 => Some(Interrupt::Terminate),
            _ => Some(Interrupt::HangUp),
        }
    }
}

/// The outside world of one process.
pub trait Env: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Time;
    /// A clock that never goes back, for pacing; its zero means nothing.
    fn monotonic(&self) -> Span;
    /// Sleeps in real time.
    fn sleep(&self, span: Span);
    /// Sixty-four fresh random bits.
    fn entropy(&self) -> u64;
    /// An environment variable, when set and readable.
    fn var(&self, name: &str) -> Option<String>;
    /// Who and where: `ana@laptop`, for locks and journals; `SQUALL_WHO` where that says too little, as in a pipeline.
    fn who(&self) -> String;
    /// How many threads are worth starting for work that needs nothing but the processor.
    fn cores(&self) -> usize {
        1
    }
}

/// The real one.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealEnv;

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads them")]
impl Env for RealEnv {
    fn now(&self) -> Time {
        jiff::Timestamp::now().into()
    }

    fn monotonic(&self) -> Span {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        START.get_or_init(std::time::Instant::now).elapsed().into()
    }

    fn sleep(&self, span: Span) {
        std::thread::sleep(span.to_std());
    }

    fn entropy(&self) -> u64 {
        // uuid takes its bits from the operating system.
        uuid::Uuid::new_v4().as_u64_pair().0 ^ uuid::Uuid::new_v4().as_u64_pair().1
    }

    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn cores(&self) -> usize {
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
    }

    fn who(&self) -> String {
        if let Some(who) = self.var("SQUALL_WHO") {
            return who;
        }
        let user = self.var("USER").or_else(|| self.var("LOGNAME")).unwrap_or_else(|| "unknown".into());
        let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
        match host.trim() {
            "" => user,
            host => format!("{user}@{host}"),
        }
    }
}

/// A fixed one, for tests and predictions: the clock stops, entropy counts, nothing is set.
#[derive(Debug, Default)]
pub struct FixedEnv {
    /// What the clock says.
    pub now: Time,
    drawn: std::sync::atomic::AtomicU64,
}

impl FixedEnv {
    /// A world whose clock stands at `now`.
    pub fn at(now: Time) -> FixedEnv {
        FixedEnv { now, drawn: Default::default() }
    }
}

impl Env for FixedEnv {
    fn now(&self) -> Time {
        self.now
    }
    fn monotonic(&self) -> Span {
        Span::ZERO
    }
    fn sleep(&self, _: Span) {}
    fn entropy(&self) -> u64 {
        self.drawn.fetch_add(1, Ordering::SeqCst)
    }
    fn var(&self, _: &str) -> Option<String> {
        None
    }
    fn who(&self) -> String {
        "tester@here".into()
    }
}
