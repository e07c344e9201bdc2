//! Requests to the stack, counted by the minute, to compare with what CloudWatch says of the same minutes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use squall::env::{Env as _, RealEnv};
use squall::units::{Span, Time};

use crate::shop::{Ordered, Shop};

/// A minute by its beginning.
pub fn minute(time: Time) -> Time {
    time.window_start(Span::from_mins(1))
}

/// What the application saw in one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Minute {
    /// Invocations of the front that were answered.
    pub served: u32,
    /// Invocations of the front that got 429.
    pub refused: u32,
    /// Orders put into the queue.
    pub ordered: u32,
}

/// Does something while requests come, from `from` on. `each` is told of every order.
pub fn beside<T>(
    stack: &Shop<'_>,
    from: Time,
    each: impl FnMut(u32, Time) + Send,
    work: impl FnOnce() -> T,
) -> (T, BTreeMap<Time, Minute>) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let traffic = scope.spawn(|| drive(stack, from, &stop, each));
        // However the work ends, the traffic ends too.
        let stopping = Stopping(&stop);
        let done = work();
        drop(stopping);
        (done, traffic.join().unwrap())
    })
}

struct Stopping<'a>(&'a AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// One invocation of the front and one order a second, but none around the beginning of a minute, so that everybody counts
/// a request into the same one.
fn drive(stack: &Shop<'_>, from: Time, stop: &AtomicBool, mut each: impl FnMut(u32, Time)) -> BTreeMap<Time, Minute> {
    let mut minutes: BTreeMap<Time, Minute> = BTreeMap::new();
    let (mut order, mut crossed) = (0, BTreeSet::new());
    while !stop.load(Ordering::SeqCst) {
        let now = RealEnv.now();
        let within = now.since(minute(now));
        if now >= from && (Span::from_secs(5)..Span::from_secs(50)).contains(&within) {
            let counts = minutes.entry(minute(now)).or_default();
            let answer = ask(stack);
            match answer.http {
                200 => counts.served += 1,
                429 => counts.refused += 1,
                _ => panic!("{answer:?}"),
            }
            let account = stack.account;
            let send = account.sqs.send_message().queue_url(stack.physical("Orders")).message_body(order.to_string());
            account.wait(send.send()).unwrap();
            counts.ordered += 1;
            each(order, now);
            order += 1;
            // So slow that nobody knows into which minute these were counted: nothing is said of either.
            let after = minute(RealEnv.now());
            if after != minute(now) {
                crossed.extend([minute(now), after]);
            }
        }
        RealEnv.sleep(Span::from_secs(1));
    }
    minutes.retain(|minute, _| !crossed.contains(minute));
    minutes
}

/// Invokes the front; once more when the connection was too old to be used again.
fn ask(stack: &Shop<'_>) -> Ordered {
    let ask = || stack.invoke("Front", &serde_json::json!({}));
    let first = ask();
    if first.http == 0 { ask() } else { first }
}
