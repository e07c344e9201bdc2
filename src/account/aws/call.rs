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
use crate::account::Region;
use crate::account::gateway::{Dispatch, Gateway, NotSent, Turn};
use crate::clock::SIGNED_FOR;
use crate::env::Env;
use crate::units::{Span, Time};

/// A connection that is not there after this never comes.
pub const CONNECT_TIMEOUT: Span = Span::from_secs(3);
/// An attempt without an answer for so long is given up; a write's outcome is unknown then.
pub const ATTEMPT_TIMEOUT: Span = Span::from_secs(10);
/// How often a read is tried.
const READS: u32 = 4;
/// Before the second try of a read; doubled for each further one. Half of it is drawn by lot.
const BACK_OFF: Span = Span::from_millis(400);

tokio::task_local! {
    /// How the call that this task works on is to be sent.
    static DISPATCH: Dispatch;
    /// What this task is about to send changes something.
    static SENDING: Sending;
}

/// When a call that changes something was found to be still wanted, by both clocks; it is signed and sent right after.
#[derive(Clone, Copy, Debug)]
struct Sending {
    wall: Time,
    monotonic: Span,
}

impl Sending {
    fn now(env: &dyn Env) -> Sending {
        Sending { wall: env.now(), monotonic: env.monotonic() }
    }

    /// How long ago that was, by the clock that moved more.
    fn age(self, env: &dyn Env) -> Span {
        let wall = Span::from_micros((env.now().micros() - self.wall.micros()).abs());
        wall.max(env.monotonic() - self.monotonic)
    }
}

/// Sends what changes something.
pub async fn sending<F: Future>(env: &dyn Env, call: F) -> F::Output {
    SENDING.scope(Sending::now(env), call).await
}

/// Works on a call that is to be sent so.
pub async fn on_terms<F: Future>(dispatch: Dispatch, work: F) -> F::Output {
    DISPATCH.scope(dispatch, work).await
}

fn dispatch() -> Dispatch {
    DISPATCH.try_with(Clone::clone).unwrap_or_default()
}

/// Whether the request that this task is about to send may go out: always, unless it changes something. Then its signature, which
/// is younger than its [`Sending`], must be fresh when it is sent, connecting included.
pub fn may_still_go(gateway: &Gateway, env: &dyn Env) -> Result<(), NotSent> {
    let Ok(sending) = SENDING.try_with(|sending| *sending) else { return Ok(()) };
    let age = sending.age(env);
    if age > SIGNED_FOR - CONNECT_TIMEOUT {
        return Err(NotSent::Stale { age });
    }
    dispatch().may_go(gateway.now(), env.monotonic())
}

/// What is common to all calls in one account and region.
pub struct Caller {
    pub env: Arc<dyn Env>,
    pub gateway: Arc<Gateway>,
    pub region: Region,
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

    /// Waits for a call's turn, as long as it may go out.
    async fn turn(&self, operation: &Operation, may_go: impl Fn() -> Result<(), Failure>) -> Result<(), Failure> {
        let place = self.gateway.queue(operation.family, &self.region, dispatch().lane);
        loop {
            may_go()?;
            match place.ask() {
                Turn::Now => return Ok(()),
                // At each beat it looks whether it may still go out, and whether others left the queue.
                Turn::In(wait) => self.sleep(wait.min(BEAT)).await,
            }
        }
    }

    /// Makes a call that changes nothing, again and again while its failure may pass.
    pub async fn read<T, E, F>(&self, operation: &Operation, call: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let (mut tries, mut refused) = (1, false);
        loop {
            self.turn(operation, || Ok(())).await?;
            let failure = match call().await {
                Ok(reply) => return Ok(reply),
                Err(error) => self.failed(operation, error),
            };
            // A policy that was just written is not known everywhere at once.
            let again = failure.is_passing() || failure.is_refusal() && !std::mem::replace(&mut refused, true);
            if !again || tries == READS {
                return Err(failure);
            }
            let back_off = BACK_OFF * (1 << (tries - 1));
            let lot = self.env.entropy() as f64 / u64::MAX as f64;
            self.sleep(Span::from_secs_f64(back_off.secs_f64() * (0.5 + lot / 2.0))).await;
            tries += 1;
        }
    }

    /// Makes a call that changes something, once, if it may still go out when its turn comes. When the process slept
    /// meanwhile, that counts as throttled, so that the engine looks again before it decides.
    pub async fn write<T, E, F>(&self, operation: &Operation, call: F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let (sleeps, dispatch) = (self.awake.sleeps(), dispatch());
        let may_go = || {
            if self.awake.sleeps() != sleeps {
                return Err(Failure::overslept());
            }
            dispatch.may_go(self.gateway.now(), self.env.monotonic()).map_err(Failure::not_sent)
        };
        self.turn(operation, may_go).await?;
        sending(&*self.env, call).await.map_err(|error| self.failed(operation, error))
    }

    fn failed<E>(&self, operation: &Operation, error: SdkError<E, HttpResponse>) -> Failure
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let failure = Failure::of(error);
        if failure.is_throttle() {
            self.gateway.throttled(operation.family, &self.region);
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
