//! What flows along the edges: from the arrivals of a traffic file to how often each function is called, how many of its calls
//! fail, and how long they take.
//!
//! It is a calculation on averages, not the model: nothing in it waits, is throttled or runs out.

use std::collections::BTreeMap;

use crate::ids::ResourceKind;
use crate::judge::simulate::Stream;
use crate::judge::special::normal_quantile;
use crate::template::app::{App, Destination, Duration, Each, Function, Mapping, Outgoing, Traffic, TrafficTarget};
use crate::units::Span;
use crate::usual::{Use, Usual, UsualFunction};

/// Arrivals are followed through so many edges. A loop goes round as often as Lambda lets it
/// (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>: about 16 times).
const EDGES: usize = 16;
/// Durations that are drawn of each function.
const DRAWN: usize = 200;
/// Sums of durations are followed through so many functions that wait for one another.
const DEEP: usize = 4;

/// How much comes to each resource, a minute.
type Flow = BTreeMap<(ResourceKind, String), f64>;

/// What an application does without a fault.
pub fn usual(app: &App) -> Usual {
    let arrivals = flow(app);
    let function =
        |(name, function): (&String, &Function)| (name.clone(), usual_function(app, &arrivals, name, function));
    Usual {
        functions: app.functions.iter().map(function).collect(),
        arrivals: arrivals
            .iter()
            .filter(|((kind, _), _)| *kind != ResourceKind::Function)
            .map(|(k, v)| (k.clone(), *v))
            .collect(),
        ids: app.logical_ids.clone(),
    }
}

/// What comes to each resource: what comes from outside, and what others pass on.
fn flow(app: &App) -> Flow {
    let mut outside = Flow::new();
    for traffic in &app.traffic {
        for (key, rate) in entries(app, traffic) {
            *outside.entry(key).or_default() += rate;
        }
    }
    let (mut all, mut new) = (outside.clone(), outside);
    for _ in 0..EDGES {
        let mut next = Flow::new();
        for ((kind, name), rate) in &new {
            for (key, times) in passed_on(app, *kind, name) {
                *next.entry(key).or_default() += rate * times;
            }
        }
        if next.is_empty() {
            break;
        }
        next.iter().for_each(|(key, rate)| *all.entry(key.clone()).or_default() += rate);
        new = next;
    }
    all
}

/// What a line of the traffic file sends, a minute: to an api and to the function behind its route.
fn entries(app: &App, traffic: &Traffic) -> Vec<((ResourceKind, String), f64)> {
    let rate = traffic.rate.get() * 60.0;
    match &traffic.to {
        TrafficTarget::Function(name) => vec![((ResourceKind::Function, name.clone()), rate)],
        TrafficTarget::Queue(name) => vec![((ResourceKind::Queue, name.clone()), rate)],
        TrafficTarget::Api { api, route } => {
            let function = app.apis.get(api).and_then(|api| api.routes.get(route));
            let function = function.map(|name| ((ResourceKind::Function, name.clone()), rate));
            [((ResourceKind::Api, api.clone()), rate)].into_iter().chain(function).collect()
        }
    }
}

/// How often each thing that comes to a resource makes it pass something on, and to whom.
fn passed_on(app: &App, kind: ResourceKind, name: &str) -> Vec<((ResourceKind, String), f64)> {
    let to = |kind, name: &String, times| ((kind, name.clone()), times);
    match kind {
        ResourceKind::Queue => {
            let consumers: Vec<&Mapping> = app.mappings.values().filter(|m| m.queue == name && m.enabled).collect();
            let share = 1.0 / consumers.len().max(1) as f64;
            consumers.iter().map(|m| to(ResourceKind::Function, &m.function, share)).collect()
        }
        ResourceKind::Topic => {
            let Some(topic) = app.topics.get(name) else { return Vec::new() };
            let queues = topic.to_queues.iter().map(|queue| to(ResourceKind::Queue, queue, 1.0));
            queues.chain(topic.to_functions.iter().map(|f| to(ResourceKind::Function, f, 1.0))).collect()
        }
        ResourceKind::Function => {
            let calls = app.functions.get(name).map(|function| function.calls.as_slice()).unwrap_or_default();
            calls.iter().filter_map(|call| Some((called(&call.to)?, 1.0))).collect()
        }
        _ => Vec::new(),
    }
}

fn called(to: &Destination) -> Option<(ResourceKind, String)> {
    match to {
        Destination::Queue(name) => Some((ResourceKind::Queue, name.clone())),
        Destination::Topic(name) => Some((ResourceKind::Topic, name.clone())),
        Destination::Table(name) => Some((ResourceKind::Table, name.clone())),
        Destination::Function(name) | Destination::FunctionAsync(name) => Some((ResourceKind::Function, name.clone())),
        Destination::External(_) => None,
    }
}

fn usual_function(app: &App, flow: &Flow, name: &str, function: &Function) -> UsualFunction {
    let comes = |kind, name: &str| flow.get(&(kind, name.to_owned())).copied().unwrap_or_default();
    let mappings: Vec<&Mapping> = app.mappings.values().filter(|m| m.function == name && m.enabled).collect();
    let batch = mappings.iter().map(|m| batch(m, comes(ResourceKind::Queue, &m.queue))).fold(1.0, f64::max);
    // What comes to a function counts messages; those of a batch are one invocation.
    let calls = comes(ResourceKind::Function, name) / batch;
    let mut stream = Stream::numbered(0);
    let mut durations: Vec<Span> = (0..DRAWN)
        .map(|_| Span::from_secs_f64(takes(app, function, batch.round() as u32, DEEP, &mut stream)))
        .collect();
    durations.sort_unstable();
    let late = durations.iter().filter(|duration| **duration >= function.timeout).count() as f64 / DRAWN as f64;
    durations.iter_mut().for_each(|duration| *duration = (*duration).min(function.timeout));
    UsualFunction {
        calls,
        failed: 1.0 - (1.0 - failed(app, function, batch, DEEP)) * (1.0 - late),
        durations,
        timeout: function.timeout,
        role: function.role.clone(),
        uses: function.calls.iter().filter_map(|call| used(app, call)).collect(),
        consumes: mappings.iter().map(|mapping| mapping.queue.clone()).collect(),
    }
}

/// How many messages an invocation has: what its window collects, and one without a window.
fn batch(mapping: &Mapping, a_minute: f64) -> f64 {
    (a_minute / 60.0 * mapping.batch_window.secs_f64()).clamp(1.0, f64::from(mapping.batch_size.max(1)))
}

/// The share of a function's invocations that fail by themselves or by what they call.
fn failed(app: &App, function: &Function, batch: f64, deep: usize) -> f64 {
    let hard = function.calls.iter().filter(|call| !call.optional);
    let fine = hard.map(|call| {
        let callee = match (&call.to, deep) {
            (_, 0) => None,
            (Destination::Function(name), _) => app.functions.get(name),
            _ => None,
        };
        let own = 1.0 - call.errors.get();
        let behind = callee.map_or(1.0, |callee| 1.0 - failed(app, callee, 1.0, deep - 1));
        (own * behind).powf(if call.each == Each::Message { batch } else { 1.0 })
    });
    1.0 - (1.0 - function.errors.get()) * fine.product::<f64>()
}

/// How long an invocation takes, in seconds: its own work, and what it waits for.
fn takes(app: &App, function: &Function, batch: u32, deep: usize, stream: &mut Stream) -> f64 {
    let mut secs = draw(&function.duration, stream);
    for call in &function.calls {
        let times = if call.each == Each::Message { batch } else { 1 };
        for _ in 0..times {
            secs += draw(&call.duration, stream);
            let callee = match &call.to {
                Destination::Function(name) if deep > 0 => app.functions.get(name),
                _ => None,
            };
            secs += callee.map_or(0.0, |callee| takes(app, callee, 1, deep - 1, stream).min(callee.timeout.secs_f64()));
        }
    }
    secs
}

/// A duration in seconds.
fn draw(duration: &Duration, stream: &mut Stream) -> f64 {
    let chance = stream.unit().clamp(1e-9, 1.0 - 1e-9);
    match duration {
        Duration::Constant(span) => span.secs_f64(),
        Duration::Exponential(mean) => -chance.ln() * mean.secs_f64(),
        Duration::Lognormal { median, sigma } => median.secs_f64() * (sigma * normal_quantile(chance)).exp(),
        Duration::Uniform { from, to } => from.secs_f64() + chance * (to.secs_f64() - from.secs_f64()),
    }
}

/// The permission that a call uses.
fn used(app: &App, call: &Outgoing) -> Option<Use> {
    let (kind, name) = called(&call.to)?;
    let action = match kind {
        ResourceKind::Queue => "sqs:SendMessage",
        ResourceKind::Topic => "sns:Publish",
        ResourceKind::Table => "dynamodb:PutItem",
        _ => "lambda:InvokeFunction",
    };
    Some(Use { action, arn: app.location.arn(kind, &name), optional: call.optional })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Metric;
    use crate::account::sandbox::{World, shop};
    use crate::units::{Share, Time};

    /// The calculation says what the model does: calls within four standard errors of a Poisson count over two hours, failures
    /// and slow calls likewise.
    #[test]
    fn the_calculation_agrees_with_the_model() {
        let mut app = shop();
        app.functions.get_mut("OrderFunction").unwrap().errors = Share::percent(4);
        let usual = usual(&app);
        let mut world = World::new(&app, 3, Time::EPOCH).unwrap();
        let minutes = 120.0;
        world.run_until(Time::EPOCH + Span::from_mins(120));
        for (name, function) in &usual.functions {
            let totals = world.function_totals(name).unwrap();
            let (wanted, seen) = (function.calls * minutes, totals.requests as f64);
            // Batches form by chance, so that a consumer is known less exactly.
            let close = if function.consumes.is_empty() { 4.0 * wanted.sqrt() } else { 0.35 * wanted };
            assert!((wanted - seen).abs() <= close, "{name}: {wanted} calls, and the model has {seen}");
        }
        let order = &usual.functions["OrderFunction"];
        let totals = world.function_totals("OrderFunction").unwrap();
        let (share, of) = (totals.errors as f64 / totals.ended as f64, totals.ended as f64);
        assert!((order.failed - share).abs() < 4.0 * (share / of).sqrt(), "{} {share}", order.failed);
        let mean: f64 = order.durations.iter().map(|d| d.secs_f64()).sum::<f64>() / order.durations.len() as f64;
        let seen = totals.sojourn_secs / totals.ended as f64;
        assert!((mean - seen).abs() < 0.3 * seen, "{mean} {seen}");
        assert_eq!(order.share(Metric::SlowShare { limit: Span::ZERO }), Some(1.0));
        assert_eq!(usual.calls(ResourceKind::Api, "ShopApi"), Some(300.0));
    }

    #[test]
    fn a_loop_ends() {
        let mut app = shop();
        let call =
            Outgoing::to(Destination::Function("OrderFunction".into()), Duration::Constant(Span::from_millis(1)));
        app.functions.get_mut("OrderFunction").unwrap().calls.push(call);
        let calls = usual(&app).functions["OrderFunction"].calls;
        assert!((calls - 300.0 * (EDGES as f64 + 1.0)).abs() < 1e-6, "{calls}");
    }
}
