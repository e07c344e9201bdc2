//! How a call is made: in its turn, with a time-out, reads again after a failure that passes, writes once.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::awake::{Awake, BEAT};
use super::failure::{Failure, Operation};
use super::limit::{Family, Limits};
use crate::env::Env;
use crate::units::Span;

/// A connection that is not there after this never comes.
pub const CONNECT_TIMEOUT: Span = Span::from_secs(3);
/// An attempt without an answer for so long is given up; a write's outcome is unknown then.
pub const ATTEMPT_TIMEOUT: Span = Span::from_secs(10);
/// How often a read is tried.
const READS: u32 = 4;
/// Before the second try of a read; doubled for each further one. Half of it is drawn by lot.
const BACK_OFF: Span = Span::from_millis(400);

/// What is common to all calls in one account.
pub struct Caller {
    pub env: Arc<dyn Env>,
    pub limits: Limits,
    pub awake: Arc<Awake>,
    pub sleeper: Arc<dyn Sleeper>,
}

/// How time passes: by itself, or, with recorded replies, because somebody waits.
pub trait Sleeper: Send + Sync {
    /// Waits.
    fn sleep(&self, span: Span) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// Time as it passes for everybody.
pub struct RealTime;

impl Sleeper for RealTime {
    fn sleep(&self, span: Span) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(span.to_std()))
    }
}

impl Caller {
    /// Waits; whether the process slept meanwhile is looked at all along.
    pub async fn sleep(&self, span: Span) {
        let mut left = span;
        while left > Span::ZERO {
            let step = left.min(BEAT);
            self.sleeper.sleep(step).await;
            self.awake.sleeps();
            left = left - step;
        }
    }

    async fn turn(&self, family: Family) {
        let wait = self.limits.take(family);
        if wait > Span::ZERO {
            self.sleep(wait).await;
        }
    }

    /// Makes a call that changes nothing, again and again while its failure may pass.
    pub async fn read<T, E, F>(&self, operation: &Operation, call: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let mut tries = 1;
        loop {
            self.turn(operation.family).await;
            let failure = match call().await {
                Ok(reply) => return Ok(reply),
                Err(error) => self.failed(operation, error),
            };
            if !failure.is_passing() || tries == READS {
                return Err(failure);
            }
            let back_off = BACK_OFF * (1 << (tries - 1));
            let lot = self.env.entropy() as f64 / u64::MAX as f64;
            self.sleep(Span::from_secs_f64(back_off.secs_f64() * (0.5 + lot / 2.0))).await;
            tries += 1;
        }
    }

    /// Makes a call that changes something, once. It does not go out when the process slept while it waited for its
    /// turn: that counts as throttled, so that the engine looks again before it decides.
    pub async fn write<T, E, F>(&self, operation: &Operation, call: F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let sleeps = self.awake.sleeps();
        self.turn(operation.family).await;
        if self.awake.sleeps() != sleeps {
            return Err(Failure::overslept());
        }
        call.await.map_err(|error| self.failed(operation, error))
    }

    fn failed<E>(&self, operation: &Operation, error: SdkError<E, HttpResponse>) -> Failure
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let failure = Failure::of(error);
        if failure.is_throttle() {
            self.limits.throttled(operation.family);
        }
        failure
    }
}

/// Runs futures side by side, in one task.
pub async fn side_by_side<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none()
                && let std::task::Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *output = Some(ready);
            }
        }
        match outputs.iter().all(Option::is_some) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}
