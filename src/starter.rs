//! A first project for an application of your own. What its template says is read; what a template cannot say (how much traffic
//! comes, how long things take) is guessed, and every guess is marked as one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::ids::ResourceKind;
use crate::outside::one_line;
use crate::template::allows;
use crate::template::app::{App, Destination, Function, Mapping, Queue, TrafficTarget};
use crate::units::Span;

/// What a handler calls, as its role and its environment suggest: a key of the traffic file, and a name.
type Call<'a> = (&'static str, &'a str);

/// A guess for what comes from outside, in calls a second. Enough for verdicts within ten minutes.
const RATE: f64 = 2.0;
/// The same for what a schedule or a rule invokes.
const TIMED: f64 = 0.1;
/// How long a fault lasts, unless messages would be dead-lettered by then.
const FAULT: Span = Span::from_mins(9);
/// Shorter faults show too little of a share of requests.
const SHORTEST: Span = Span::from_mins(6);

/// `squall.yaml` for a template, whose path counts from the project's folder.
pub fn config(template: &str) -> String {
    format!(
        "version: 1\n\
         default_account: sandbox\n\
         accounts:\n\
         \x20 # A model of your application in virtual time: no credentials, and nothing real is touched.\n\
         \x20 sandbox:\n\
         \x20   sandbox: {{ template: {}, traffic: traffic.yaml }}\n\
         \x20 # Your account, once the experiment does what you expect in the sandbox (docs/aws.md):\n\
         \x20 # staging:\n\
         \x20 #   aws: {{ id: \"111122223333\", region: eu-west-1, stack: my-stack, twin: sandbox, writing: allowed }}\n",
        serde_json::Value::from(template)
    )
}

/// The traffic file of an application: where its traffic comes in, and what each handler calls as far as its role and its
/// environment tell.
pub fn traffic(app: &App, template: &str) -> String {
    let mut text = format!(
        "version: 1\n\
         # What {} does not say: how much traffic comes, how long things take, how often they fail.\n\
         # Every GUESS is one: replace it by what you measure. `squall predict` says which of them decide.\n\n",
        one_line(template)
    );
    let calls = calls(app);
    let entries = entries(app, &calls);
    text += match entries.is_empty() {
        true => "traffic: []                   # squall found nothing that traffic could go to\n",
        false => "traffic:\n",
    };
    entries.iter().for_each(|entry| text += &entry.written(app));
    if !app.functions.is_empty() {
        text += "\nfunctions:\n";
    }
    for name in app.functions.keys() {
        let _ = writeln!(
            text,
            "  {name}:\n    duration: {{ median: 50ms, p99: 300ms }}        # GUESS: its own work, without its calls"
        );
        let made = calls.get(name.as_str()).map(Vec::as_slice).unwrap_or_default();
        if !made.is_empty() {
            text += "    calls:                                        # from its role: check that it makes them, and in this order\n";
        }
        for (kind, to) in made {
            let _ = writeln!(text, "      - {{ {kind}: {to}, takes: {{ median: 10ms, p99: 60ms }} }}");
        }
    }
    text
}

/// A first experiment, with the name of its file: the consumer of the busiest queue is throttled; without a queue, the busiest
/// function. None where the application has no function.
pub fn experiment(app: &App) -> Option<(String, String)> {
    let rates = rates(app);
    let rate = |name: &str| rates.get(name).copied().unwrap_or_default();
    let consumed = app.mappings.values().filter(|mapping| mapping.enabled && app.queues.contains_key(&mapping.queue));
    // A queue that keeps its messages for the whole fault shows most; then the busiest.
    let keeps = |mapping: &&Mapping| {
        app.queues.get(&mapping.queue).is_some_and(|queue| queue.redrive.is_some() && safe(queue) >= SHORTEST)
    };
    let rank = |mapping: &&Mapping| (rate(&mapping.queue) > 0.0, keeps(mapping), rate(&mapping.queue));
    let busiest = consumed.max_by(|a, b| rank(a).partial_cmp(&rank(b)).unwrap_or(std::cmp::Ordering::Equal));
    if let Some(mapping) = busiest {
        return Some(consumer_throttled(app, mapping));
    }
    let function = app.functions.keys().max_by(|a, b| rate(a).total_cmp(&rate(b)))?;
    Some(function_throttled(app, function))
}

fn consumer_throttled(app: &App, mapping: &Mapping) -> (String, String) {
    let Mapping { queue: name, function, .. } = mapping;
    let mut text = format!(
        "version: 1\n\
         title: Messages wait, and none is lost, while {function} is throttled\n\
         because: >\n\
         \x20 Another function's burst, or a wrong deploy, can take this function's concurrency. The queue should hold the messages,\n\
         \x20 and the function should catch up afterwards.\n\n\
         targets:\n\
         \x20 consumer: {{ function: {function} }}\n\
         \x20 messages: {{ queue: {name} }}\n\n\
         hypotheses:\n"
    );
    text += &signals_of_apis(app, "");
    let redrive = app.queues.get(name).and_then(|queue| queue.redrive.as_ref().map(|redrive| (queue, redrive)));
    let mut lasts = FAULT;
    if let Some((queue, redrive)) = redrive {
        let _ = writeln!(text, "  - signal: depth of {} stays at 0", redrive.dead_letter);
        text += "    because: A message in the dead-letter queue has to be handled by hand.\n";
        lasts = lasts.min(safe(queue).max(SHORTEST));
        if safe(queue) < SHORTEST {
            let _ = writeln!(
                text,
                "    # Throttled, a message is received again every {}, and dead-lettered after {} receives: this is likely to break.",
                queue.visibility, redrive.max_receive_count
            );
        }
    }
    text += "  - signal: depth of messages is at most 100      # GUESS: what is usual\n    during_fault: may_break\n";
    text += &alarms_on(app, &[name.as_str()]);
    text += &timeline("consumer", lasts);
    (format!("experiments/{}-throttled.yaml", file_name(function)), text)
}

/// How long a consumer may be throttled, in whole minutes, before its messages are dead-lettered. A third of that time is left to
/// the rollback, and to receives that come early. Without a dead-letter queue: as long as the queue keeps them.
fn safe(queue: &Queue) -> Span {
    let receives = queue.redrive.as_ref().map_or(i64::MAX, |redrive| i64::from(redrive.max_receive_count));
    let dead_after = queue.visibility.micros().saturating_mul(receives).min(queue.retention.micros());
    Span::from_mins(dead_after / 3 * 2 / Span::from_mins(1).micros())
}

fn function_throttled(app: &App, function: &str) -> (String, String) {
    let mut text = format!(
        "version: 1\n\
         title: Requests work again soon after {function} was throttled\n\
         because: >\n\
         \x20 Another function's burst, or a wrong deploy, can take this function's concurrency. Its callers fail during that\n\
         \x20 time, and should work again as soon as it is over.\n\n\
         targets:\n\
         \x20 function: {{ function: {function} }}\n\n\
         hypotheses:\n"
    );
    let signals = signals_of_apis(app, "\n    during_fault: may_break");
    text += &signals;
    if signals.is_empty() {
        text += "  - signal: failed share of function is at most 1 %\n    during_fault: may_break\n";
    }
    text += &alarms_on(app, &[function]);
    text += &timeline("function", FAULT);
    (format!("experiments/{}-throttled.yaml", file_name(function)), text)
}

fn signals_of_apis(app: &App, more: &str) -> String {
    app.apis.keys().map(|api| format!("  - signal: failed share of {api} is at most 1 %{more}\n")).collect()
}

/// Alarms are a question that a person decides on: whether they must fire depends on figures that are guesses here.
fn alarms_on(app: &App, names: &[&str]) -> String {
    let mut text = String::new();
    for (alarm, definition) in &app.alarms {
        let on = |value: &String| names.contains(&value.as_str());
        if definition.metrics().iter().any(|metric| metric.dimensions.values().any(on)) {
            let _ = writeln!(
                text,
                "  # Would this alarm tell you? Remove the `#` to find out.\n  # - alarm: {{ name: {alarm}, fires_within: 5m }}"
            );
        }
    }
    text
}

fn timeline(target: &str, lasts: Span) -> String {
    format!(
        "\nbaseline: 6m\n\
         faults:\n\
         \x20 - inject: {{ lambda.throttle: {{ target: {target}, concurrency: 0 }} }}\n\
         \x20   at: 0m\n\
         \x20   for: {lasts}\n\
         recovers_within: 10m\n\n\
         guards:\n\
         \x20 longest: 60m\n"
    )
}

/// What a handler calls: what its role allows and, where that leaves several of a kind, what its environment names.
fn calls(app: &App) -> BTreeMap<&str, Vec<Call<'_>>> {
    let mut dead_letters: BTreeSet<&str> = app
        .queues
        .values()
        .filter_map(|queue| queue.redrive.as_ref())
        .map(|redrive| redrive.dead_letter.as_str())
        .collect();
    dead_letters.extend(
        app.functions.values().filter_map(|function| function.asynchronous.dead_letter.as_ref()).filter_map(|to| {
            match to {
                Destination::Queue(name) => Some(name.as_str()),
                _ => None,
            }
        }),
    );
    let mut found = BTreeMap::new();
    for (name, function) in &app.functions {
        let consumed: BTreeSet<&str> = app
            .mappings
            .values()
            .filter(|mapping| mapping.function == *name)
            .map(|mapping| mapping.queue.as_str())
            .collect();
        let queues = app
            .queues
            .keys()
            .map(String::as_str)
            .filter(|queue| !dead_letters.contains(queue) && !consumed.contains(queue));
        let others = app.functions.keys().map(String::as_str).filter(|other| other != name);
        let kinds: [(&'static str, ResourceKind, &[&str], Vec<&str>); 4] = [
            ("table", ResourceKind::Table, &["dynamodb:PutItem", "dynamodb:UpdateItem"], names(&app.tables)),
            ("queue", ResourceKind::Queue, &["sqs:SendMessage"], queues.collect()),
            ("topic", ResourceKind::Topic, &["sns:Publish"], names(&app.topics)),
            ("function", ResourceKind::Function, &["lambda:InvokeFunction"], others.collect()),
        ];
        let mut calls = Vec::new();
        for (key, kind, actions, of_kind) in kinds {
            calls.extend(allowed(app, function, kind, actions, &of_kind).into_iter().map(|name| (key, name)));
        }
        found.insert(name.as_str(), calls);
    }
    found
}

fn names<T>(of: &BTreeMap<String, T>) -> Vec<&str> {
    of.keys().map(String::as_str).collect()
}

/// Those of some resources that a function may use, narrowed to those that its environment names where it names any.
fn allowed<'a>(
    app: &App,
    function: &Function,
    kind: ResourceKind,
    actions: &[&str],
    names: &[&'a str],
) -> Vec<&'a str> {
    let Some(role) = app.roles.get(&function.role) else { return Vec::new() };
    let may = |name: &&&str| actions.iter().any(|action| allows(role, action, &app.location.arn(kind, name)));
    let allowed: Vec<&str> = names.iter().filter(may).copied().collect();
    let named = |name: &&&str| {
        let forms = [(**name).to_owned(), app.location.arn(kind, name), app.location.queue_url(name)];
        function.environment.values().any(|value| forms.contains(value))
    };
    let of_environment: Vec<&str> = allowed.iter().filter(named).copied().collect();
    match (of_environment.is_empty(), allowed.len()) {
        (true, 0 | 1) => allowed,
        // A role that may use everything says nothing about what the handler uses.
        (true, _) if role.unknown.is_some() || allowed.len() == names.len() => Vec::new(),
        (true, _) => allowed,
        (false, _) => of_environment,
    }
}

/// A place at which traffic comes in.
struct Entry {
    to: TrafficTarget,
    /// Calls a second.
    rate: f64,
    /// Why it is one, where that is not plain.
    remark: String,
}

impl Entry {
    fn new(to: TrafficTarget, rate: f64, remark: impl Into<String>) -> Entry {
        Entry { to, rate, remark: remark.into() }
    }

    /// As an entry of `traffic:`.
    fn written(&self, app: &App) -> String {
        let to = match &self.to {
            TrafficTarget::Api { api, route } => format!("{{ api: {api}, route: \"{route}\" }}"),
            TrafficTarget::Function(name) => format!("{{ function: {name} }}"),
            TrafficTarget::Queue(name) => format!("{{ queue: {name} }}"),
        };
        let rate = if self.rate < 1.0 { format!("{}/min", self.rate * 60.0) } else { format!("{}/s", self.rate) };
        let mut text = format!("  - to: {to}\n    rate: {rate:<20}# GUESS{}\n", self.remark);
        let fifo = |name: &String| app.queues.get(name).is_some_and(|queue| queue.fifo);
        if matches!(&self.to, TrafficTarget::Queue(name) if fifo(name)) {
            text += "    groups: 10                # GUESS: message groups\n";
        }
        text
    }
}

/// Where traffic comes in: routes, what triggers that are not modelled invoke, and whatever nothing in the template leads to.
fn entries(app: &App, calls: &BTreeMap<&str, Vec<Call<'_>>>) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut reached: BTreeSet<(&str, &str)> = calls.values().flatten().copied().collect();
    for (api, definition) in &app.apis {
        for (route, function) in &definition.routes {
            entries.push(Entry::new(TrafficTarget::Api { api: api.clone(), route: route.clone() }, RATE, ""));
            reached.insert(("function", function));
        }
    }
    for topic in app.topics.values() {
        reached.extend(topic.to_queues.iter().map(|queue| ("queue", queue.as_str())));
        reached.extend(topic.to_functions.iter().map(|function| ("function", function.as_str())));
    }
    for mapping in app.mappings.values() {
        reached.insert(("function", &mapping.function));
        if reached.insert(("queue", &mapping.queue)) {
            let to = TrafficTarget::Queue(mapping.queue.clone());
            entries.push(Entry::new(to, RATE, ": nothing in the template sends to it"));
        }
    }
    for trigger in app.triggers.values() {
        if reached.insert(("function", &trigger.function)) {
            let timed = trigger.kind.contains("Rule") || trigger.kind.contains("Schedule");
            let rate = if timed { TIMED } else { RATE };
            let remark = format!(": invoked by {}", trigger.kind);
            entries.push(Entry::new(TrafficTarget::Function(trigger.function.clone()), rate, remark));
        }
    }
    for function in app.functions.keys() {
        if reached.insert(("function", function)) {
            let to = TrafficTarget::Function(function.clone());
            entries.push(Entry::new(to, RATE, ": nothing in the template invokes it"));
        }
    }
    entries
}

/// Calls a second of each function and messages a second of each queue, as the traffic file of [`traffic`] has them.
fn rates(app: &App) -> BTreeMap<&str, f64> {
    let calls = calls(app);
    let mut coming: BTreeMap<&str, f64> = BTreeMap::new();
    for entry in entries(app, &calls) {
        let name = match &entry.to {
            TrafficTarget::Api { api, route } => app.apis.get(api).and_then(|api| api.routes.get(route)),
            TrafficTarget::Function(name) => app.functions.get_key_value(name).map(|(name, _)| name),
            TrafficTarget::Queue(name) => app.queues.get_key_value(name).map(|(name, _)| name),
        };
        name.into_iter().for_each(|name| *coming.entry(name).or_default() += entry.rate);
    }
    let mut rates = coming.clone();
    // As many rounds as a path can be long; a loop ends with them.
    for _ in 0..app.functions.len() + app.queues.len() {
        let mut next = coming.clone();
        for (from, calls) in &calls {
            let rate = rates.get(from).copied().unwrap_or_default();
            for (kind, to) in calls {
                let topic = app.topics.get(*to).filter(|_| *kind == "topic");
                let fed = topic.map_or(vec![*to], |topic| {
                    topic.to_queues.iter().chain(&topic.to_functions).map(String::as_str).collect()
                });
                fed.into_iter().for_each(|to| *next.entry(to).or_default() += rate);
            }
        }
        for mapping in app.mappings.values() {
            *next.entry(&mapping.function).or_default() +=
                rates.get(mapping.queue.as_str()).copied().unwrap_or_default();
        }
        rates = next;
    }
    rates
}

/// `PaymentWorker` -> `payment-worker`.
fn file_name(name: &str) -> String {
    let mut file = String::new();
    for c in name.chars() {
        let new_word = c.is_ascii_uppercase() && file.chars().next_back().is_some_and(|last| last.is_ascii_lowercase());
        if (new_word || !c.is_ascii_alphanumeric()) && !file.is_empty() && !file.ends_with('-') {
            file.push('-');
        }
        if c.is_ascii_alphanumeric() {
            file.push(c.to_ascii_lowercase());
        }
    }
    file.trim_end_matches('-').to_owned()
}
