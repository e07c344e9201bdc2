//! Numbers, times and texts as every format prints them: fixed decimals and fixed units, so that the same journal gives
//! the same bytes.

pub use crate::outside::{cut, one_line, printable};
use std::fmt::Write;

use crate::account::{Metric, Sample, Setting, Value};
use crate::judge::bound::Bound;
use crate::plan::{ChangeId, DuringFault, Plan, SignalPlan};
use crate::run::conclude;
use crate::run::event::{Phase, Settled, Stop};
use crate::run::state::State;
use crate::units::{Span, Time};

/// A measured value in its metric's unit: `12.40 %`, `1,204`, `842ms`, `4m10s`, `in ALARM`.
pub fn value(metric: Metric, value: f64) -> String {
    match metric {
        _ if !value.is_finite() => "no number".into(),
        Metric::FailedShare | Metric::SlowShare { .. } => format!("{:.2} %", value * 100.0),
        Metric::AlarmState => if value >= 0.5 { "in ALARM" } else { "OK" }.into(),
        Metric::OldestMessage => Span::from_secs_f64(value.round()).to_string(),
        Metric::Duration if value < 0.9995 => format!("{:.0}ms", value * 1e3),
        Metric::Duration => format!("{value:.2}s"),
        Metric::Value { .. } => trimmed(value),
        _ if value.fract() == 0.0 => count(value),
        _ => decimal(value, 1),
    }
}

/// A measured value beside a bound that it breaks: with as many more decimals as it takes to look different.
pub fn value_beside(metric: Metric, bound: Bound, measured: f64, breaks: bool) -> String {
    let plain = value(metric, measured);
    let Some(limit) = limit(bound) else { return plain };
    if !breaks || limit == measured || plain != value(metric, limit) {
        return plain;
    }
    let render = |number: f64, decimals: usize| match metric {
        Metric::FailedShare | Metric::SlowShare { .. } => format!("{:.decimals$} %", number * 100.0),
        Metric::Duration | Metric::OldestMessage => format!("{number:.decimals$}s"),
        _ => decimal(number, decimals),
    };
    let apart = (1..=9).find(|decimals| render(measured, *decimals) != render(limit, *decimals));
    apart.map_or(plain, |decimals| render(measured, decimals))
}

/// The lowest and the highest of some values: `0.00 % to 0.34 %`.
pub fn range(metric: Metric, low: f64, high: f64) -> String {
    let (low, high) = (value(metric, low), value(metric, high));
    match (metric, low == high) {
        (_, true) => low,
        (Metric::AlarmState, false) => "OK and in ALARM".into(),
        (_, false) => format!("{low} to {high}"),
    }
}

/// A sample: its value, and of how many requests it was taken.
pub fn sample(signal: &SignalPlan, sample: Sample, breaks: bool) -> String {
    match (finite(sample.value), sample.of) {
        (None, _) => "no data".into(),
        (Some(v), Some(of)) if signal.query.metric.is_share() => {
            format!("{} of {} calls", value_beside(signal.query.metric, signal.bound, v, breaks), whole(of))
        }
        (Some(v), _) => value_beside(signal.query.metric, signal.bound, v, breaks),
    }
}

/// A value that is a number; the journal cannot hold any other.
pub fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|v| v.is_finite())
}

/// What a metric's values are, in a word for programs.
pub fn unit(metric: Metric) -> &'static str {
    match metric {
        Metric::FailedShare | Metric::SlowShare { .. } => "share",
        Metric::OldestMessage | Metric::Duration => "seconds",
        Metric::AlarmState => "alarm",
        Metric::Value { .. } => "number",
        _ => "count",
    }
}

/// The number that a bound draws its line at, if it has one.
pub fn limit(bound: Bound) -> Option<f64> {
    match bound {
        Bound::AtMost(x) | Bound::AtLeast(x) | Bound::Below(x) | Bound::Above(x) => Some(x),
        Bound::FiresWithin(_)
        | Bound::StaysQuiet
        | Bound::TimesBaseline(_)
        | Bound::TimesControl(_)
        | Bound::Spends { .. }
        | Bound::KeepsComing
        | Bound::Watched => None,
    }
}

/// A bound in words: `at most 1 %`, `below 5,000`, `fires within 4m`.
pub fn bound(metric: Metric, bound: Bound) -> String {
    match bound {
        Bound::AtMost(x) => format!("at most {}", level(metric, x)),
        Bound::AtLeast(x) => format!("at least {}", level(metric, x)),
        Bound::Below(x) => format!("below {}", level(metric, x)),
        Bound::Above(x) => format!("above {}", level(metric, x)),
        Bound::FiresWithin(span) => format!("fires within {span}"),
        Bound::StaysQuiet => "stays quiet".into(),
        Bound::TimesBaseline(ratio) => format!("at most {ratio} x baseline"),
        Bound::TimesControl(ratio) => format!("at most {ratio} x its control"),
        Bound::Spends { part, objective } => format!("spends at most {part} of {objective}"),
        Bound::KeepsComing => "keeps arriving".into(),
        Bound::Watched => "observed only".into(),
    }
}

/// A value for an axis or a bound, with no more decimals than it needs: `1 %`, `0.5 %`, `5,000`, `2m`.
pub fn level(metric: Metric, x: f64) -> String {
    match metric {
        Metric::FailedShare | Metric::SlowShare { .. } => format!("{} %", trimmed(x * 100.0)),
        Metric::OldestMessage => Span::from_secs_f64(x).to_string(),
        Metric::Duration if x > 0.0 && x < 1.0 => format!("{}ms", trimmed(x * 1e3)),
        Metric::Duration => format!("{}s", trimmed(x)),
        _ => trimmed(x),
    }
}

/// What a hypothesis asks of a signal while the fault is in.
pub fn during(during: DuringFault) -> &'static str {
    match during {
        DuringFault::MustHold => "must hold during the fault",
        DuringFault::MayBreak => "may break during the fault, must recover",
    }
}

/// A phase's name.
pub fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Baseline => "baseline",
        Phase::Fault => "fault",
        Phase::Rollback => "undo",
        Phase::Recovery => "recovery",
    }
}

/// What of a counted value may be this run's own messages: `, up to 20 of them squall's own`, or nothing.
pub fn own(own: u32, value: Option<f64>) -> String {
    match value {
        Some(value) if own > 0 && value > 0.0 => {
            format!(", up to {} of them squall's own", whole(u64::from(own).min(value.ceil() as u64)))
        }
        _ => String::new(),
    }
}

/// What is expected of a signal in a phase: `expected at most 1 %`, `expected to fire within 4m`.
pub fn expected(metric: Metric, asked: Bound, at: Phase) -> String {
    match (asked, at) {
        (Bound::FiresWithin(span), Phase::Fault) => format!("expected to fire within {span}"),
        (Bound::FiresWithin(_) | Bound::StaysQuiet, _) => "expected to stay OK".into(),
        (Bound::Spends { part, objective }, _) => format!("expected to spend at most {part} of {objective}"),
        (Bound::KeepsComing, _) => "expected to keep coming".into(),
        (Bound::Watched, _) => "observed only".into(),
        _ => format!("expected {}", bound(metric, asked)),
    }
}

/// A setting's value on one line, with its unit; a long document only by its length, because reports show it elsewhere.
pub fn setting_value(setting: &Setting, value: &Value) -> String {
    let text = one_line(&setting.shown(value));
    match text.chars().count() {
        0..=100 => text,
        n => format!("a document of {} characters", whole(n as u64)),
    }
}

/// How a change of a setting ended, in a few words.
pub fn settled(setting: &Setting, how: &Settled) -> String {
    match how {
        Settled::Restored => "rolled back and verified".into(),
        Settled::AlreadyBefore => "already had the value from before".into(),
        Settled::Theirs { found } => {
            format!("changed by others to {}; left alone", setting_value(setting, found))
        }
        Settled::Contested { found, other } => {
            let [found, other] = [found, other].map(|value| setting_value(setting, value));
            format!("changed repeatedly by others, to {found} and to {other}; left alone")
        }
        Settled::Published { versions } => {
            format!("rolled back, but others published {} with it", one_line(&conclude::versions(versions)))
        }
        Settled::Deleted => "its resource was deleted by others".into(),
        Settled::ResourceGone => "the resource no longer exists".into(),
        Settled::Left { why } => format!("left as it is: {}", one_line(why)),
    }
}

/// Why a run stopped early, as a sentence without its full stop.
pub fn stop(plan: &Plan, why: &Stop) -> String {
    let signal = |number: usize| plan.signals.get(number).map_or_else(|| "a signal".into(), |s| s.title.clone());
    let change = |id: ChangeId| plan.changes.get(&id).map_or_else(|| "a setting".into(), |c| c.setting.describe());
    match why {
        Stop::Broken { signal: number } => format!("a hypothesis broke: {}", signal(*number)),
        Stop::Suspected { signal: number, .. } => {
            format!("{} seems to break, by provisional values", signal(*number))
        }
        Stop::Baseline { why } => format!("the baseline was not accepted: {}", one_line(why)),
        Stop::BeganBefore { why } => one_line(why),
        Stop::AbortCondition { title, value } => {
            format!("the abort condition `{}` was met at {}", one_line(title), plan.met_at(title, *value))
        }
        Stop::Blind { what, .. } => format!("{} could not be measured for 3m", one_line(what)),
        Stop::TooLong => "the run took longer than `longest` allows".into(),
        Stop::Signal { name } => format!("interrupted by {}", one_line(name)),
        Stop::Asked { by } => format!("stopped by {}", one_line(by)),
        Stop::Failed { change: number, why } => format!("{} could not be changed: {}", change(*number), one_line(why)),
        Stop::NotArmed { why } => format!("the dead-man switch could not be armed: {}", one_line(why)),
        Stop::Drifted { change: number, found } => {
            let value = plan.changes.get(number).map(|change| setting_value(&change.setting, found));
            format!("others changed {} to {}", change(*number), value.unwrap_or_else(|| found.to_string()))
        }
        Stop::Overslept { late_secs } => format!("squall was suspended: its timer came {late_secs} s late"),
        Stop::ClockJumped { by_secs } => format!("this machine's clock jumped by {by_secs} s"),
        Stop::ClockOff { by_secs } => conclude::clock_off(*by_secs),
        Stop::LeaseLost { .. } => "the lease on the run's locks could not be renewed".into(),
        Stop::Journal { why } => format!("the journal could not be written: {}", one_line(why)),
        Stop::NotEffective { step } => format!("fault {} showed no effect in time", step + 1),
        Stop::RollsBack { run } => format!("a later rollback of {run}"),
        Stop::Died => "the process running it ended unexpectedly".into(),
    }
}

/// A verdict's reason for people: instants of the run's windows are told as offsets, like everything else in a report,
/// and signals are quoted as the sentences that they are.
pub fn reason(state: &State, reason: &str) -> String {
    let mut text = one_line(reason);
    for signal in &state.plan.signals {
        text = text.replace(&format!("`{}`", one_line(&signal.title)), &quoted(&signal.title));
    }
    let words = text.split(' ').map(|word| {
        // `2026-03-02T09:05:00.000Z`, with what may follow it.
        let (instant, rest) = word.split_at(word.find('Z').map_or(0, |end| end + 1));
        match instant.parse::<Time>() {
            Ok(at) => offset(state.started, at) + rest,
            Err(_) => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A reason as a sentence of its own.
pub fn sentence(reason: &str) -> String {
    // A fault's name is written small everywhere.
    if reason.split(' ').next().is_some_and(|word| word.contains('.') && !word.starts_with('“')) {
        return full_stop(reason);
    }
    let mut letters = reason.chars();
    full_stop(&letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect()))
}

/// The same text, with a full stop where it has none.
pub fn full_stop(text: &str) -> String {
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

/// A sentence in quotation marks.
pub fn quoted(text: &str) -> String {
    format!("“{}”", one_line(text))
}

/// Time since the start of a run: `+05:00`, minutes and seconds, however many minutes; `-00:10` before it.
pub fn offset(start: Time, at: Time) -> String {
    let (sign, span) = if at < start { ('-', start.since(at)) } else { ('+', at.since(start)) };
    let secs = span.micros() / 1_000_000;
    format!("{sign}{:02}:{:02}", secs / 60, secs % 60)
}

/// A window since the start of a run: `+07:00 to +08:00`.
pub fn window(start: Time, window: crate::account::Window) -> String {
    format!("{} to {}", offset(start, window.from), offset(start, window.to))
}

/// An instant for people: `2026-03-02 09:05:00 UTC`.
pub fn instant(time: Time) -> String {
    let text = time.to_string();
    match text.split_once('T') {
        Some((date, clock)) => format!("{date} {} UTC", clock.get(..8).unwrap_or(clock)),
        None => text,
    }
}

/// A length of time in whole seconds: `2m5s`.
pub fn span(span: Span) -> String {
    let rounded = span.rounded();
    if rounded == Span::ZERO && span > Span::ZERO { "under 1s".into() } else { rounded.to_string() }
}

/// How many of something: `1 change`, `2 changes`.
pub fn plural(n: usize, one: &str, many: &str) -> String {
    format!("{} {}", whole(n as u64), if n == 1 { one } else { many })
}

/// Words in a row: `a, b and c`.
pub fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// A whole number with its thousands parted: `12,345`.
pub fn whole(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number that has no fraction.
fn count(number: f64) -> String {
    decimal(number, 0)
}

fn decimal(number: f64, decimals: usize) -> String {
    if number.abs() >= 1e15 {
        return format!("{number:e}");
    }
    let text = format!("{:.decimals$}", number.abs());
    let (integer, fraction) = text.split_once('.').map_or((text.as_str(), None), |(i, f)| (i, Some(f)));
    let negative = number < 0.0 && text.contains(|c: char| c.is_ascii_digit() && c != '0');
    let mut out = String::from(if negative { "-" } else { "" });
    out += &integer.parse().map_or_else(|_| integer.to_owned(), whole);
    if let Some(fraction) = fraction {
        let _ = write!(out, ".{fraction}");
    }
    out
}

/// Up to six decimals, and none that is nought.
fn trimmed(number: f64) -> String {
    let text = decimal(number, 6);
    match text.contains('.') && !text.contains('e') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_have_their_unit_and_fixed_decimals() {
        for (metric, x, shown) in [
            (Metric::FailedShare, 0.124, "12.40 %"),
            (Metric::FailedShare, 0.0, "0.00 %"),
            (Metric::Depth, 1204.0, "1,204"),
            (Metric::Depth, 12.25, "12.2"),
            (Metric::Calls, 1_234_567.0, "1,234,567"),
            (Metric::Duration, 0.8421, "842ms"),
            (Metric::Duration, 0.9999, "1.00s"),
            (Metric::OldestMessage, 250.2, "4m10s"),
            (Metric::AlarmState, 1.0, "in ALARM"),
            (Metric::Errors, f64::NAN, "no number"),
            (Metric::Errors, -0.01, "0.0"),
        ] {
            assert_eq!(value(metric, x), shown, "{metric:?} {x}");
        }
    }

    #[test]
    fn a_broken_bound_never_looks_like_a_kept_one() {
        let share = |measured, breaks| value_beside(Metric::FailedShare, Bound::AtMost(0.01), measured, breaks);
        assert_eq!(share(0.010_004, true), "1.0004 %");
        assert_eq!(share(0.010_004, false), "1.00 %");
        assert_eq!(share(0.124, true), "12.40 %");
        // At the limit itself there is nothing to tell apart: `below 1 %` breaks at 1 %.
        assert_eq!(value_beside(Metric::FailedShare, Bound::Below(0.01), 0.01, true), "1.00 %");
        assert_eq!(value_beside(Metric::OldestMessage, Bound::AtMost(120.0), 120.4, true), "120.4s");
    }

    #[test]
    fn bounds_read_aloud() {
        assert_eq!(bound(Metric::FailedShare, Bound::AtMost(0.01)), "at most 1 %");
        assert_eq!(bound(Metric::FailedShare, Bound::Below(0.005)), "below 0.5 %");
        assert_eq!(bound(Metric::Depth, Bound::Above(5000.0)), "above 5,000");
        assert_eq!(bound(Metric::Duration, Bound::AtMost(0.8)), "at most 800ms");
        assert_eq!(bound(Metric::OldestMessage, Bound::AtMost(120.0)), "at most 2m");
        assert_eq!(bound(Metric::AlarmState, Bound::FiresWithin(Span::from_mins(4))), "fires within 4m");
    }

    #[test]
    fn times_are_told_from_the_start() {
        let start: Time = "2026-03-02T09:00:00Z".parse().unwrap();
        assert_eq!(offset(start, start + Span::from_secs(300)), "+05:00");
        assert_eq!(offset(start, start + Span::from_mins(125)), "+125:00");
        assert_eq!(offset(start, start - Span::from_secs(10)), "-00:10");
        assert_eq!(instant(start), "2026-03-02 09:00:00 UTC");
        assert_eq!(span(Span::from_millis(125_400)), "2m5s");
        assert_eq!(span(Span::from_millis(20)), "under 1s");
    }

    #[test]
    fn texts_from_outside_stay_texts() {
        assert_eq!(one_line("a\n  b\tc\u{1b}[31m"), "a b c\u{fffd}[31m");
        assert_eq!(printable("pay\u{202e}gpj.exe"), "pay\u{fffd}gpj.exe");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
        assert_eq!(list(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }

    proptest! {
        #[test]
        fn any_number_prints_on_one_line(x in proptest::num::f64::ANY) {
            for metric in [Metric::FailedShare, Metric::Depth, Metric::Duration, Metric::OldestMessage] {
                let text = value(metric, x);
                prop_assert!(!text.is_empty() && !text.contains('\n'));
                let _ = level(metric, x);
                let _ = value_beside(metric, Bound::AtMost(x / 2.0), x, true);
            }
        }

        #[test]
        fn a_cut_text_is_never_longer(text in ".{0,40}", most in 1_usize..30) {
            prop_assert!(cut(&text, most).chars().count() <= most);
        }
    }
}
