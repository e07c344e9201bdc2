//! What a terminal shows while a run goes on, below the lines that scroll by: how far it is, each signal with its
//! newest windows, and what is in the account now. A pure picture of the [`State`], which is folded from the events.

use super::line::{Tone, may_break_now};
use super::sparkline;
use super::summary::signals::Point;
use super::words;
use crate::plan::{Change, SignalPlan};
use crate::run::event::Phase;
use crate::run::state::{SignalState, State};
use crate::units::{Span, Time};

/// So many changes are named; of the others, only how many they are.
const MOST_CHANGES: usize = 5;
/// A sparkline is never shorter.
const LEAST_SPARK: usize = 8;

/// A phase's bar is never shorter.
const LEAST_CELLS: usize = 2;

/// One row, in pieces that differ in how much they ask for attention.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row(pub Vec<(Tone, String)>);

impl Row {
    /// The row without its tones.
    pub fn plain(&self) -> String {
        self.0.iter().map(|(_, text)| text.as_str()).collect()
    }

    fn new(tone: Tone, text: impl Into<String>) -> Row {
        Row(vec![(tone, text.into())])
    }

    /// Cut to a number of columns.
    fn cut(mut self, width: usize) -> Row {
        let mut room = width;
        for (_, text) in &mut self.0 {
            *text = fit(text, room);
            room -= columns(text);
        }
        self.0.retain(|(_, text)| !text.is_empty());
        self
    }
}

/// The rows of a run as it stands, none wider than `width` columns.
pub fn rows(state: &State, width: usize) -> Vec<Row> {
    let mut rows = vec![progress(state, width)];
    rows.extend(signals(state, width));
    rows.extend(in_the_account(state));
    if let Some((_, why)) = &state.stopping {
        rows.push(Row::new(Tone::Warning, format!("stopping: {}", words::stop(&state.plan, why))));
    }
    rows.into_iter().map(|row| row.cut(width)).collect()
}

/// `baseline ━━━━━ fault ━━━───── undo ── recovery ─────  +12:40`
fn progress(state: &State, width: usize) -> Row {
    let clock = words::offset(state.started, state.last);
    let phases = [Phase::Baseline, Phase::Fault, Phase::Rollback, Phase::Recovery];
    let lengths = phases.map(|phase| planned(state, phase));
    let labels: usize = phases.iter().map(|phase| words::phase(*phase).len() + 2).sum();
    // The rollback has no planned length; it gets the least.
    let room = width.saturating_sub(labels + clock.len() + 1 + LEAST_CELLS);
    let whole = lengths.iter().copied().sum::<Span>().secs_f64().max(1.0);
    let mut row = Row::default();
    for (phase, length) in phases.into_iter().zip(lengths) {
        let cells = ((length.secs_f64() / whole * room as f64).floor() as usize).max(LEAST_CELLS);
        let done = (part_done(state, phase, length) * cells as f64).floor() as usize;
        let now = current(state) == Some(phase);
        row.0.push((if now { Tone::Strong } else { Tone::Quiet }, format!("{} ", words::phase(phase))));
        row.0.push((if now { Tone::Strong } else { Tone::Plain }, "━".repeat(done.min(cells))));
        row.0.push((Tone::Quiet, format!("{} ", "─".repeat(cells.saturating_sub(done)))));
    }
    row.0.push((Tone::Plain, format!(" {clock}")));
    row
}

fn current(state: &State) -> Option<Phase> {
    state.entered.keys().next_back().copied()
}

/// How long a phase is planned to take, and how long it took once it is over.
fn planned(state: &State, phase: Phase) -> Span {
    let plan = &state.plan;
    match phase {
        Phase::Baseline => state.t0().map_or_else(
            || {
                let delays = plan.signals.iter().map(|signal| signal.query.metric.delay());
                state.baseline_until().since(state.started) + delays.max().unwrap_or(Span::ZERO)
            },
            |t0| t0.since(state.started),
        ),
        Phase::Fault => plan.steps.iter().map(|step| step.at + step.lasts).max().unwrap_or(Span::ZERO),
        Phase::Rollback => Span::ZERO,
        Phase::Recovery => plan.recovers_within,
    }
}

fn part_done(state: &State, phase: Phase, length: Span) -> f64 {
    let Some(entered) = state.entered.get(&phase) else { return 0.0 };
    if current(state) != Some(phase) || state.closed.is_some() {
        return 1.0;
    }
    if phase == Phase::Rollback {
        let made = || state.lives.values().filter(|life| life.intended.is_some());
        return made().filter(|life| life.settled.is_some()).count() as f64 / made().count().max(1) as f64;
    }
    (state.last.since(*entered).secs_f64() / length.secs_f64().max(1.0)).min(1.0)
}

/// What a signal's row holds.
struct Told {
    name: String,
    windows: Vec<Point>,
    value: String,
    expected: String,
    tone: Tone,
    mood: &'static str,
}

impl Told {
    fn of((plan, seen): (&SignalPlan, &SignalState)) -> Told {
        let value = seen.windows.last().map_or_else(String::new, |last| match words::finite(last.sample.value) {
            None => "no data".into(),
            Some(value) => words::value_beside(plan.query.metric, plan.bound, value, last.breaks),
        });
        let (tone, mood) = mood(plan, seen);
        Told {
            name: words::one_line(&plan.query.to_string()),
            windows: seen.windows.iter().map(Point::from).collect(),
            value,
            expected: words::bound(plan.query.metric, plan.bound),
            tone,
            mood,
        }
    }
}

/// One row a signal: name, newest windows, last value, what is expected, how it stands.
fn signals(state: &State, width: usize) -> Vec<Row> {
    let told: Vec<Told> = state.plan.signals.iter().zip(&state.signals).map(Told::of).collect();
    let widest = |column: fn(&Told) -> &str| told.iter().map(|told| columns(column(told))).max().unwrap_or(0);
    let values = widest(|told| &told.value);
    let expectations = widest(|told| &told.expected);
    // Two columns between each two.
    let rest = values + expectations + widest(|told| told.mood) + 8;
    let names = widest(|told| &told.name).min(width.saturating_sub(rest + LEAST_SPARK)).max(8);
    let sparks = width.saturating_sub(rest + names).max(LEAST_SPARK);
    let row = |(told, plan): (&Told, &SignalPlan)| {
        let spark = sparkline::newest(&told.windows, plan.bound, sparks);
        Row(vec![
            (Tone::Plain, pad(&fit(&told.name, names), names)),
            (Tone::Quiet, format!("  {}", " ".repeat(sparks - spark.chars().count()))),
            (told.tone, spark),
            (Tone::Strong, format!("  {}{}", " ".repeat(values - columns(&told.value)), told.value)),
            (Tone::Quiet, format!("  {}", pad(&told.expected, expectations))),
            (told.tone, format!("  {}", told.mood)),
        ])
    };
    told.iter().zip(&state.plan.signals).map(row).collect()
}

fn mood(plan: &SignalPlan, seen: &SignalState) -> (Tone, &'static str) {
    match (seen.broken, seen.windows.last()) {
        _ if !plan.is_judged() => (Tone::Quiet, "watched"),
        (Some(_), _) => (Tone::Bad, "broken"),
        (None, None) => (Tone::Quiet, "not yet"),
        (None, Some(last)) if words::finite(last.sample.value).is_none() => (Tone::Warning, "no data"),
        (None, Some(last)) if last.breaks && may_break_now(plan, last.phase) => match last.phase {
            Phase::Recovery => (Tone::Warning, "recovers"),
            _ => (Tone::Warning, "may break"),
        },
        (None, Some(last)) if last.breaks => (Tone::Bad, "breaks"),
        (None, Some(_)) => (Tone::Good, "steady"),
    }
}

/// What the run has changed and not put back yet; its own locks go without saying.
fn in_the_account(state: &State) -> Vec<Row> {
    let open: Vec<(&Change, Option<Time>)> = state
        .outstanding()
        .filter_map(|id| Some((state.plan.changes.get(&id)?, state.lives.get(&id)?.intended)))
        .filter(|(change, _)| !change.setting.is_lock())
        .collect();
    let mut rows: Vec<Row> = open
        .iter()
        .take(MOST_CHANGES)
        .map(|(change, since)| {
            let since = since.map_or_else(String::new, |at| format!(", since {}", words::offset(state.started, at)));
            let shown = |value| words::setting_value(&change.setting, value);
            let (before, after) = (shown(&change.before), shown(&change.after));
            let text = words::one_line(&format!("{}: {before} -> {after}{since}", change.setting));
            Row(vec![(Tone::Warning, "changed now: ".into()), (Tone::Plain, text)])
        })
        .collect();
    if open.len() > MOST_CHANGES {
        let more = words::plural(open.len() - MOST_CHANGES, "more change", "more changes");
        rows.push(Row::new(Tone::Warning, format!("changed now: {more}")));
    }
    rows
}

/// How many columns of a terminal a text takes: two for the wide characters of East Asian scripts and for pictures.
fn columns(text: &str) -> usize {
    text.chars().map(|c| 1 + usize::from(is_wide(c))).sum()
}

fn is_wide(c: char) -> bool {
    matches!(u32::from(c),
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f
        | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd)
}

fn fit(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut room = width.saturating_sub(1);
    for c in text.chars() {
        let needs = 1 + usize::from(is_wide(c));
        if needs > room {
            break;
        }
        room -= needs;
        out.push(c);
    }
    if width > 0 { out + "…" } else { out }
}

fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use crate::run::Recorded;
    use proptest::prelude::*;

    fn view(events: &[Recorded], width: usize) -> Option<Vec<Row>> {
        let state = State::replay(events.iter().map(|recorded| (recorded.at, &recorded.event)))?;
        Some(rows(&state, width))
    }

    fn picture(events: &[Recorded], until: &str) -> String {
        let start = events[0].at;
        let cut = events.iter().take_while(|recorded| words::offset(start, recorded.at).as_str() <= until).count();
        let rows = view(&events[..cut], 110).unwrap();
        rows.iter().map(|row| row.plain() + "\n").collect()
    }

    #[test]
    fn a_run_seen_at_some_moments() {
        let moments = ["+02:00", "+08:30", "+13:30", "+17:02", "+20:30", "+29:00"];
        let pictures: Vec<String> =
            moments.iter().map(|at| format!("{at}\n{}", picture(&sample::held(), at))).collect();
        insta::assert_snapshot!(pictures.join("\n"));
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(columns("a注文"), 5);
        assert_eq!(fit("注文注文", 5), "注文…");
        assert_eq!(fit("注文注文", 4), "注…");
        assert_eq!(fit("abc", 3), "abc");
        assert_eq!(fit("abc", 0), "");
    }

    proptest! {
        #[test]
        fn no_row_is_wider_than_asked(which in 0_usize..6, part in 0.0..=1.0_f64, width in 0_usize..240) {
            let (_, events) = sample::all().swap_remove(which);
            let cut = (events.len() as f64 * part) as usize;
            for row in view(&events[..cut], width).unwrap_or_default() {
                let text = row.plain();
                prop_assert!(columns(&text) <= width, "{text:?}");
                prop_assert!(!text.contains(char::is_control), "{text:?}");
            }
        }
    }
}
