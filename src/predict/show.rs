//! A prediction as text, for a terminal.

use super::outcome::Reached;
use super::prediction::{Band, Example, Prediction, SignalPrediction, Timing, Verdicts};
use super::share::{Counted, Spread};
use crate::account::Metric;
use crate::judge::verdict::VerdictKind;
use crate::numbers::percent;
use crate::report::sparkline::sparkline;
use crate::report::summary::signals::Point;
use crate::report::words;
use crate::run::event::Phase;
use crate::units::{Span, Time};

/// How wide a picture of a signal is.
const WIDTH: usize = 48;
/// From this share on something is said of "nearly every" run; below it, with its number.
const NEARLY_ALL: f64 = 0.995;

/// The whole prediction, a line each.
pub fn lines(prediction: &Prediction) -> Vec<String> {
    let mut lines = vec![format!("prediction: {}", words::one_line(&prediction.title)), how(prediction), String::new()];
    lines.extend(chances(prediction));
    lines.push(String::new());
    lines.push("Why:".into());
    lines.extend(why(prediction).iter().map(|line| format!("  {line}")));
    lines.push(String::new());
    lines.push("Hypotheses, in the runs as the files say:".into());
    lines.extend(prediction.judged().map(hypothesis));
    lines.push(String::new());
    lines.extend(pictures(prediction));
    lines.push(String::new());
    lines.push("Effects on the application, in 5, 50 and 95 of 100 runs:".into());
    lines.extend(figures(prediction).into_iter().map(|(what, said)| format!("  {what:<28}{said}")));
    lines.push(String::new());
    lines.push("How good the verdict will be:".into());
    lines.extend(quality(prediction).iter().map(|line| format!("  {line}")));
    if !prediction.left_out.is_empty() {
        lines.push(String::new());
        lines.push("Not modelled:".into());
        lines.extend(prediction.left_out.iter().map(|left| format!("  {left}")));
    }
    lines
}

/// What was run.
pub fn how(prediction: &Prediction) -> String {
    let runs = prediction.as_written.runs();
    let of = if prediction.is_partial() { format!(" of {} asked for", prediction.asked) } else { String::new() };
    let last = prediction.seed.wrapping_add(runs.saturating_sub(1) as u64);
    let twice = match &prediction.uncertain {
        Some(uncertain) => format!(", each once more with its figures varied by up to {}", uncertain.uncertainty),
        None => String::new(),
    };
    format!("{runs} runs{of} in virtual time, seeds {} to {last}{twice}", prediction.seed)
}

/// One line while it goes on: `57 of 200 runs: held 96 % (88 to 99 %)`.
pub fn progress(done: usize, runs: usize, held: Counted) -> String {
    format!("{done} of {runs} runs: held {held}")
}

fn chances(prediction: &Prediction) -> Vec<String> {
    let row = |name: &str, of: &dyn Fn(&Verdicts) -> Counted| {
        let written = of(&prediction.as_written).to_string();
        match &prediction.uncertain {
            Some(uncertain) => format!("  {name:<10}{written:<26}{}", of(&uncertain.verdicts)),
            None => format!("  {name:<10}{written}"),
        }
    };
    let head = match &prediction.uncertain {
        Some(uncertain) => {
            format!("            {:<26}figures varied by up to {}", "as the files say", uncertain.uncertainty)
        }
        None => "            as the files say".into(),
    };
    vec![head, row("held", &|v| v.held), row("broken", &|v| v.broken), row("unknown", &|v| v.unknown)]
}

/// The reasons in sentences: what runs out first, what breaks, and an example of each ending.
pub fn why(prediction: &Prediction) -> Vec<String> {
    let mut lines = Vec::new();
    match prediction.limits.first() {
        None => lines.push("No resource reaches a limit.".into()),
        Some((reached, first)) => {
            lines.push(format!("{}.", ran_out(reached, *first)));
            lines.extend(
                prediction
                    .limits
                    .iter()
                    .skip(1)
                    .take(3)
                    .map(|(reached, first)| format!("In {} of {} runs: {}.", first.hits, first.of, subject(reached))),
            );
        }
    }
    let mut broke: Vec<&SignalPrediction> = prediction.judged().filter(|s| s.verdicts.broken.hits > 0).collect();
    broke.sort_by_key(|signal| std::cmp::Reverse(signal.verdicts.broken.hits));
    for signal in broke {
        let when = signal.breaks_at.map_or(String::new(), |at| format!(", {} after the faults start", span(at, secs)));
        let count = signal.verdicts.broken;
        let title = words::quoted(&signal.planned.title);
        lines.push(format!("{title} breaks in {} of {} runs{when}.", count.hits, count.of));
    }
    for Example { kind, seed, reasons } in &prediction.examples {
        if *kind == VerdictKind::Held {
            continue;
        }
        let reasons = reasons.iter().map(|reason| words::one_line(reason)).collect::<Vec<_>>().join("; ");
        lines.push(format!("For example seed {seed} is {kind}: {}", words::cut(&reasons, 300)));
    }
    lines
}

/// `function PaymentWorker, of concurrency`.
fn subject(reached: &Reached) -> String {
    format!("{} {}, of {}", reached.kind.word(), reached.name, reached.limit)
}

/// `The first to run out, in every run: function PaymentWorker, of concurrency, ...`.
pub fn ran_out(reached: &Reached, first: Counted) -> String {
    let how_often = match first.share() >= NEARLY_ALL {
        true => "in every run".to_owned(),
        false => format!("in {} of {} runs", first.hits, first.of),
    };
    let when = match reached.first {
        early if early < 0.0 => format!("{} before the faults start", secs(-early)),
        late => format!("{} after the faults start", secs(late)),
    };
    let times = words::plural(reached.times as usize, "time", "times");
    format!("The first to reach a limit, {how_often}: {}, {when} and {times} in such a run", subject(reached))
}

fn hypothesis(signal: &SignalPrediction) -> String {
    let Verdicts { held, broken, unknown } = signal.verdicts;
    let breaks = signal.breaks_at.map_or(String::new(), |at| format!("; breaks at {}", span(at, offset)));
    let rest = match (broken.hits, unknown.hits) {
        (0, 0) => String::new(),
        (_, 0) => format!("; broken {}", percent(broken.share())),
        (0, _) => format!("; unknown {}", percent(unknown.share())),
        _ => format!("; broken {}, unknown {}", percent(broken.share()), percent(unknown.share())),
    };
    format!("  held {held}{rest}{breaks}  {}", words::one_line(&signal.planned.title))
}

fn pictures(prediction: &Prediction) -> Vec<String> {
    let mut lines =
        vec!["Signals: the median of all runs, from baseline to recovery, and the most extreme window:".to_owned()];
    let widest = prediction.signals.iter().map(|signal| signal.planned.query.to_string().chars().count()).max();
    let name = widest.unwrap_or(0).min(44);
    for signal in &prediction.signals {
        let points: Vec<Point> = signal.bands.iter().map(|band| point(prediction, signal, band)).collect();
        let picture = sparkline(&points, signal.planned.bound, WIDTH);
        let title = words::cut(&signal.planned.query.to_string(), name);
        lines.push(format!("  {title:<name$}  {picture}  {}", extreme(signal)));
    }
    let faults = prediction.signals.iter().max_by_key(|signal| signal.bands.len());
    if let Some(signal) = faults {
        lines.push(format!("  {:<name$}  {}", "faults", fault_line(prediction, signal)));
    }
    lines
}

fn point(prediction: &Prediction, signal: &SignalPrediction, band: &Band) -> Point {
    let at = prediction.start + Span::from_mins(60 * 24) + Span::from_secs(i64::from(band.at));
    let value = band.values.map(|values| values.mid);
    let breaks = value.is_some_and(|value| !signal.planned.bound.holds(value));
    Point {
        phase: Phase::Fault,
        from: Time::max(at - signal.planned.every, Time::EPOCH),
        to: at,
        value,
        of: None,
        own: 0,
        breaks,
        odds: None,
    }
}

/// Where the faults are in, under the pictures.
fn fault_line(prediction: &Prediction, signal: &SignalPrediction) -> String {
    let until = prediction.faults_last.secs_f64();
    let in_there = |at: i32| f64::from(at) > 0.0 && f64::from(at) <= until + 1.0;
    let marks: Vec<bool> = signal.bands.iter().map(|band| in_there(band.at)).collect();
    let width = marks.len().min(WIDTH);
    let at = |place: usize| place * marks.len() / width.max(1);
    let mark =
        |place: usize| marks.get(at(place)..at(place + 1).max(at(place) + 1)).is_some_and(|some| some.contains(&true));
    (0..width).map(|place| if mark(place) { '▔' } else { ' ' }).collect::<String>().trim_end().to_owned()
}

/// The window whose middle is the furthest out: `2,704 (2,610 to 2,790) at +09:00`.
fn extreme(signal: &SignalPrediction) -> String {
    let metric = signal.planned.query.metric;
    let wants_more =
        matches!(signal.planned.bound, crate::judge::bound::Bound::AtLeast(_) | crate::judge::bound::Bound::Above(_));
    let with_values = signal.bands.iter().filter_map(|band| Some((band.at, band.values?)));
    let by_mid = |a: &(i32, Spread), b: &(i32, Spread)| a.1.mid.total_cmp(&b.1.mid).then(b.0.cmp(&a.0));
    let found = if wants_more { with_values.min_by(by_mid) } else { with_values.max_by(by_mid) };
    let Some((at, values)) = found else { return "no data".into() };
    let all = signal.bands.iter().filter_map(|band| band.values);
    let always = all.clone().all(|other| other.low == values.mid && other.high == values.mid);
    match metric {
        Metric::AlarmState if values.mid >= 0.5 => format!("in ALARM at {}", offset(f64::from(at))),
        Metric::AlarmState => "OK".into(),
        _ if always => format!("{} throughout", words::value(metric, values.mid)),
        _ => format!("{} at {}", span(values, |value| measured(metric, value)), offset(f64::from(at))),
    }
}

/// A value between two that were measured: counts are whole.
fn measured(metric: Metric, value: f64) -> String {
    let counts =
        !metric.is_share() && !matches!(metric, Metric::Duration | Metric::OldestMessage | Metric::Value { .. });
    words::value(metric, if counts { value.round() } else { value })
}

/// Times and damage: what, and how much.
pub fn figures(prediction: &Prediction) -> Vec<(&'static str, String)> {
    let timing = |timing: &Timing| match timing.secs {
        None => "in no run".to_owned(),
        Some(at) if timing.seen.share() >= NEARLY_ALL => three(at, secs),
        Some(at) => format!("{}, in {} of {} runs", three(at, secs), timing.seen.hits, timing.seen.of),
    };
    let count = |value: f64| words::whole(value.round().max(0.0) as u64);
    let (times, damage) = (&prediction.times, &prediction.damage);
    let mut figures = vec![("until the fault shows", timing(&times.effect))];
    if prediction
        .signals
        .iter()
        .any(|signal| matches!(signal.planned.bound, crate::judge::bound::Bound::FiresWithin(_)))
    {
        figures.push(("until an alarm fires", timing(&times.detected)));
    }
    if let Some((queue, peak)) = &damage.backlog {
        figures.push(("largest backlog", format!("{} messages, {queue}", three(*peak, count))));
        figures.push(("until it is drained", timing(&times.drained)));
    }
    figures.push(("until all is steady again", timing(&times.recovered)));
    figures.push(("messages dead-lettered", three(damage.dead_lettered, count)));
    figures.push(("messages lost", three(damage.lost, count)));
    if damage.requests.high > 0.0 {
        figures.push(("requests failed", format!("{} of {}", three(damage.failed, count), count(damage.requests.mid))));
    }
    figures
}

/// How often the run can be judged, and which figures decide.
pub fn quality(prediction: &Prediction) -> Vec<String> {
    let judged = prediction.as_written.judged();
    let mut lines = vec![format!("The run can be judged in {judged} of cases.")];
    let Some(uncertain) = &prediction.uncertain else { return lines };
    if uncertain.decide.is_empty() {
        lines.push(format!(
            "None of the application's {} figures decides the verdict; {} of them are defaults that were not measured.",
            uncertain.figures, uncertain.guessed
        ));
    }
    for influence in uncertain.decide.iter().take(5) {
        let guess = if influence.figure.guessed { ", a default that was not measured," } else { "" };
        let share = |counted: Counted| percent(counted.share());
        lines.push(format!(
            "The {}{guess} decides the verdict: held {} of the time when it is low, {} when it is high.",
            influence.figure.name,
            share(influence.lowest),
            share(influence.highest)
        ));
    }
    lines
}

/// `mid (low to high)`, or one of them where all are alike.
fn span(spread: Spread, shown: impl Fn(f64) -> String) -> String {
    let (low, mid, high) = (shown(spread.low), shown(spread.mid), shown(spread.high));
    if low == high { mid } else { format!("{mid} ({low} to {high})") }
}

/// `low, mid, high`, or one of them where all are alike.
fn three(spread: Spread, shown: impl Fn(f64) -> String) -> String {
    let (low, mid, high) = (shown(spread.low), shown(spread.mid), shown(spread.high));
    if low == high { mid } else { format!("{low}, {mid}, {high}") }
}

fn secs(secs: f64) -> String {
    words::span(Span::from_secs_f64(secs))
}

/// Seconds from when the faults go in: `+07:00`.
pub fn offset(secs: f64) -> String {
    let whole = secs.abs().round() as i64;
    format!("{}{:02}:{:02}", if secs < 0.0 { '-' } else { '+' }, whole / 60, whole % 60)
}
