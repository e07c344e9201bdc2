//! Charts as inline SVG: a signal over the run, and the run's own timeline. Drawn by hand, because no library gives
//! shaded times, marks, titles for screen readers and colours by style sheet (docs/adr/0005-charts.md).
//!
//! Colours come from the page's style sheet by class, so that one picture serves light, dark and print. No meaning lies
//! in a colour alone: what breaks has another shape, and every mark its word.

mod evidence;

use maud::{Markup, html};

use super::axis::{TimeAxis, ValueAxis};
use super::summary::Summary;
use super::summary::faults::{Effect, StepStory};
use super::summary::signals::{Point, SignalStory, thinned};
use super::words;
use crate::account::Metric;
use crate::judge::bound::Bound;
use crate::numbers::coordinate as n;
use crate::run::event::Phase;
use crate::units::{Span, Time};

/// The size of a chart, in the units of its picture; the page scales it.
const WIDTH: f64 = 860.0;
const LEFT: f64 = 112.0;
const RIGHT: f64 = 762.0;

/// More windows than this lie closer than a reader's eye can part, and are drawn as the worst of each few.
const MOST_POINTS: usize = 400;

/// A vertical mark with its word.
struct Mark {
    at: Time,
    word: &'static str,
    class: &'static str,
}

/// The time axis that every chart of a run shares.
fn time_axis(summary: &Summary) -> TimeAxis {
    let ends = summary.signals.iter().filter_map(|signal| signal.windows.last()).map(|point| point.to);
    let to = ends.chain([summary.times.last, summary.times.started + Span::from_secs(1)]).max();
    TimeAxis { from: summary.times.started, to: to.unwrap_or(summary.times.last), left: LEFT, right: RIGHT }
}

/// One signal: its windows, its bound, and when the faults were in.
pub fn signal(summary: &Summary, signal: &SignalStory) -> Markup {
    let alarm = signal.metric == Metric::AlarmState;
    let time = time_axis(summary);
    // A signal that is nothing but zero needs no room to say so.
    let flat = signal.windows.iter().all(|point| point.value.is_none_or(|value| value == 0.0));
    let top = 34.0;
    let bottom = top
        + if alarm {
            30.0
        } else if flat {
            48.0
        } else {
            124.0
        };
    let foot = bottom + evidence::room(signal);
    let height = foot + 24.0;
    let id = format!("signal-{}", signal.number);
    html! {
        svg class="chart" viewBox={ "0 0 " (n(WIDTH)) " " (n(height)) } role="img" aria-labelledby={ (id) "-title " (id) "-desc" } xmlns="http://www.w3.org/2000/svg" {
            title id={ (id) "-title" } { (words::one_line(&signal.title)) }
            desc id={ (id) "-desc" } { (description(summary, signal)) }
            (faults_shaded(summary, &time, top, foot))
            (time_ticks(&time, top, foot))
            @if alarm {
                (alarm_strip(summary, signal, &time, top, bottom))
            } @else {
                (curve(summary, signal, &time, (top, bottom)))
                (evidence::strip(signal, &time, bottom))
            }
            (marks(&signal_marks(summary, signal), &time, top, foot))
        }
    }
}

/// The phases and the faults on the time axis: what was planned, and what was done.
pub fn timeline(summary: &Summary) -> Markup {
    let time = time_axis(summary);
    let row = 30.0;
    let (top, first) = (34.0, 34.0 + 34.0);
    let bottom = first + row * summary.steps.len() as f64 + 2.0;
    let height = bottom + 24.0;
    html! {
        svg class="chart" viewBox={ "0 0 " (n(WIDTH)) " " (n(height)) } role="img" aria-labelledby="timeline-title timeline-desc" xmlns="http://www.w3.org/2000/svg" {
            title id="timeline-title" { "Timeline of the run" }
            desc id="timeline-desc" { (timeline_description(summary)) }
            (time_ticks(&time, top, bottom))
            @for phase in &summary.times.phases {
                @let (x, width) = extent(&time, phase.from, phase.to);
                rect class={ "phase " (words::phase(phase.phase)) } x=(n(x)) y=(n(top + 4.0)) width=(n(width)) height="22" rx="3" {
                    title { (words::phase(phase.phase)) ", " (summary.offset(phase.from)) " to " (summary.offset(phase.to)) }
                }
                @if width > 64.0 {
                    text class="on-bar" x=(n(x + width / 2.0)) y=(n(top + 19.0)) text-anchor="middle" { (words::phase(phase.phase)) }
                }
            }
            text class="row" x=(n(LEFT - 8.0)) y=(n(top + 19.0)) text-anchor="end" { "phases" }
            @for (index, step) in summary.steps.iter().enumerate() {
                (step_row(summary, step, &time, first + row * index as f64))
            }
            (marks(&run_marks(summary), &time, top, bottom))
        }
    }
}

fn step_row(summary: &Summary, step: &StepStory, time: &TimeAxis, y: f64) -> Markup {
    let t0 = summary.times.phases.iter().find(|phase| phase.phase == Phase::Fault).map(|phase| phase.from);
    let planned = t0.map(|t0| extent(time, t0 + step.planned_at, t0 + step.planned_at + step.planned_to_last));
    let done = step.began.map(|began| {
        let until = step.undone.unwrap_or(summary.times.last);
        (extent(time, began, until), began, until)
    });
    html! {
        text class="row" x=(n(LEFT - 8.0)) y=(n(y + 18.0)) text-anchor="end" { (words::cut(&step.fault.0, 17)) }
        @if let Some((x, width)) = planned {
            rect class="planned" x=(n(x)) y=(n(y + 3.0)) width=(n(width)) height="22" rx="3" { title { "planned" } }
        }
        @if let Some(((x, width), from, to)) = done {
            rect class="fault-bar" x=(n(x)) y=(n(y + 7.0)) width=(n(width)) height="14" rx="2" {
                title { (step.fault) ", " (summary.offset(from)) " to " (summary.offset(to)) }
            }
            @if step.undone.is_none() {
                text class="bound-word" x=(n((x + width + 7.0).min(RIGHT + 7.0))) y=(n(y + 18.0)) { "not rolled back" }
            }
        }
        @if let Some(since) = step.evidence.since {
            path class="effect-mark" d={ "M" (n(time.x(since))) " " (n(y + 8.0)) "l6 6l-6 6l-6 -6z" } {
                title { "effect since " (summary.offset(since)) }
            }
        }
    }
}

fn extent(time: &TimeAxis, from: Time, to: Time) -> (f64, f64) {
    let x = time.x(from);
    // Narrower than this it is not seen.
    (x, (time.x(to) - x).max(1.5))
}

/// Each step's time in the account; where two overlap the shade is deeper.
fn faults_shaded(summary: &Summary, time: &TimeAxis, top: f64, bottom: f64) -> Markup {
    let times = summary.steps.iter().filter_map(|step| Some((step.began?, step.undone.unwrap_or(summary.times.last))));
    html! {
        @for (from, to) in times {
            @let (x, width) = extent(time, from, to);
            rect class="fault-time" x=(n(x)) y=(n(top)) width=(n(width)) height=(n(bottom - top)) {}
        }
    }
}

fn time_ticks(time: &TimeAxis, top: f64, bottom: f64) -> Markup {
    let ticks = time.ticks();
    html! {
        line class="axis" x1=(n(LEFT)) y1=(n(bottom)) x2=(n(RIGHT)) y2=(n(bottom)) {}
        @for (at, label) in &ticks {
            @let x = time.x(*at);
            line class="grid" x1=(n(x)) y1=(n(top)) x2=(n(x)) y2=(n(bottom)) {}
            text class="tick" x=(n(x)) y=(n(bottom + 16.0)) text-anchor="middle" { (label) }
        }
    }
}

fn curve(summary: &Summary, signal: &SignalStory, time: &TimeAxis, (top, bottom): (f64, f64)) -> Markup {
    let limit = words::limit(signal.bound);
    let control = signal.control.and_then(|number| summary.signals.get(number - 1));
    let values = signal.windows.iter().chain(control.iter().flat_map(|c| &c.windows)).filter_map(|point| point.value);
    let axis = ValueAxis::over(signal.metric, values, limit, (top, bottom));
    let points = thinned(&signal.windows, signal.bound, MOST_POINTS);
    // A low picture has room for the ends of its axis only.
    let mut ticks = axis.ticks();
    if bottom - top < 60.0 {
        ticks = ticks.first().into_iter().chain(ticks.last()).cloned().collect();
    }
    html! {
        @for (value, label) in ticks {
            @let y = axis.y(value);
            line class="grid" x1=(n(LEFT)) y1=(n(y)) x2=(n(RIGHT)) y2=(n(y)) {}
            text class="tick" x=(n(LEFT - 8.0)) y=(n(y + 4.0)) text-anchor="end" { (label) }
        }
        (baseline_band(signal, &axis))
        @for point in points.iter().filter(|point| point.own > 0) {
            (own_bar(point, time, &axis))
        }
        @if let Some(limit) = limit {
            (bound_line(signal, &axis, limit))
        }
        @if let Some(control) = control {
            path class="control" d=(line_path(control, &thinned(&control.windows, control.bound, MOST_POINTS), time, &axis)) {}
        }
        path class="line" d=(line_path(signal, &points, time, &axis)) {}
        @for point in &points {
            @if let Some(value) = point.value {
                @if point.breaks {
                    path class="breaks" d={ "M" (n(time.x(moment(signal.metric, point)))) " " (n(axis.y(value) - 5.0)) "l5 5l-5 5l-5 -5z" } {
                        title { (tip(signal, point, time.from)) }
                    }
                } @else {
                    circle class="dot" cx=(n(time.x(moment(signal.metric, point)))) cy=(n(axis.y(value))) r="2" {
                        title { (tip(signal, point, time.from)) }
                    }
                }
            }
        }
        @if signal.windows.iter().all(|point| point.value.is_none()) {
            text class="empty" x=(n((LEFT + RIGHT) / 2.0)) y=(n((top + bottom) / 2.0)) text-anchor="middle" { "no data" }
        }
    }
}

/// Where the signal was in the baseline, across the whole picture.
fn baseline_band(signal: &SignalStory, axis: &ValueAxis) -> Markup {
    let baseline = signal.phases.iter().find(|story| story.phase == Phase::Baseline);
    let range = baseline.and_then(|story| Some((story.lowest?, story.highest?)));
    html! {
        @if let Some((low, high)) = range {
            @let (top, bottom) = (axis.y(high), axis.y(low));
            rect class="baseline-band" x=(n(LEFT)) y=(n(top)) width=(n(RIGHT - LEFT)) height=(n((bottom - top).max(1.5))) {
                title { "baseline: " (words::range(signal.metric, low, high)) }
            }
        }
    }
}

/// The part of a window's count that may be this run's own.
fn own_bar(point: &Point, time: &TimeAxis, axis: &ValueAxis) -> Markup {
    let height = point.value.unwrap_or(0.0).min(f64::from(point.own)).max(0.0);
    let (x, width) = extent(time, point.from, point.to);
    let y = axis.y(height);
    html! {
        @if height > 0.0 {
            rect class="own" x=(n(x)) y=(n(y)) width=(n(width)) height=(n(axis.y(0.0) - y)) { title { "messages of this run" } }
        }
    }
}

fn bound_line(signal: &SignalStory, axis: &ValueAxis, limit: f64) -> Markup {
    let inside = axis.holds(limit);
    let y = if inside { axis.y(limit) } else { axis.top };
    html! {
        @if inside {
            line class="bound" x1=(n(LEFT)) y1=(n(y)) x2=(n(RIGHT)) y2=(n(y)) {}
        }
        text class="bound-word" x=(n(RIGHT + 7.0)) y=(n(y + 4.0)) {
            // A limit above the picture is pointed at.
            @if !inside { "↑ " }
            (signal.expected)
        }
    }
}

/// The curve, broken where a window has no data or is missing.
fn line_path(signal: &SignalStory, points: &[Point], time: &TimeAxis, axis: &ValueAxis) -> String {
    let mut path = String::new();
    let mut last: Option<&Point> = None;
    // Of thinned windows the next one need not begin where the last one ends.
    let thin = points.len() < signal.windows.len();
    for point in points {
        if let Some(value) = point.value {
            let joins = last.is_some_and(|last| last.value.is_some() && (thin || last.to >= point.from));
            let (x, y) = (time.x(moment(signal.metric, point)), axis.y(value));
            path += &format!("{}{} {}", if joins { 'L' } else { 'M' }, n(x), n(y));
        }
        last = Some(point);
    }
    path
}

/// Where on the time axis a window's value belongs: at its end when it is a reading, else in its middle.
fn moment(metric: Metric, point: &Point) -> Time {
    match metric.delay() == Span::ZERO {
        true => point.to,
        false => point.from + Span::from_micros(point.to.since(point.from).micros() / 2),
    }
}

fn alarm_strip(summary: &Summary, signal: &SignalStory, time: &TimeAxis, top: f64, bottom: f64) -> Markup {
    html! {
        text class="tick" x=(n(LEFT - 8.0)) y=(n((top + bottom) / 2.0 + 4.0)) text-anchor="end" { "state" }
        @for (state, from, to) in states(signal, summary.times.last) {
            @let (x, width) = extent(time, from, to);
            @let word = match state { None => "no data", Some(true) => "ALARM", Some(false) => "OK" };
            @let class = match state { None => "unknown", Some(true) => "alarm", Some(false) => "ok" };
            rect class="state under" x=(n(x)) y=(n(top + 5.0)) width=(n(width)) height=(n(bottom - top - 10.0)) {}
            rect class={ "state " (class) } x=(n(x)) y=(n(top + 5.0)) width=(n(width)) height=(n(bottom - top - 10.0)) {
                title { (word) ", " (words::offset(time.from, from)) " to " (words::offset(time.from, to)) }
            }
            @if width > 44.0 {
                text class="on-bar" x=(n(x + width / 2.0)) y=(n((top + bottom) / 2.0 + 4.0)) text-anchor="middle" { (word) }
            }
        }
    }
}

/// Stretches of one alarm state. A window's state was read at its end and is known to last until then at the next.
fn states(signal: &SignalStory, last: Time) -> Vec<(Option<bool>, Time, Time)> {
    let mut states: Vec<(Option<bool>, Time, Time)> = Vec::new();
    for point in &signal.windows {
        let state = point.value.map(|value| value >= 0.5);
        match states.last_mut() {
            Some((known, _, to)) if *known == state && *to >= point.from => *to = point.to,
            Some((_, _, to)) => {
                *to = (*to).max(point.to);
                states.push((state, point.to, point.to));
            }
            None => states.push((state, point.to, point.to)),
        }
    }
    if let Some((_, _, to)) = states.last_mut() {
        *to = (*to).max(last.min(*to + signal.every));
    }
    states
}

fn run_marks(summary: &Summary) -> Vec<Mark> {
    let times = &summary.times;
    let mark = |at: Option<Time>, word, class| at.map(|at| Mark { at, word, class });
    [
        mark(times.first_fault, "fault", "in"),
        mark(times.first_effect, "effect", "effect"),
        mark(times.undo_began, "undo", "undo"),
        mark(times.gone, "gone", "gone"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn signal_marks(summary: &Summary, signal: &SignalStory) -> Vec<Mark> {
    let mut marks = run_marks(summary);
    if let Some(at) = signal.judgement.broken_at.or(signal.broken.map(|window| window.to)) {
        marks.push(Mark { at, word: "broken", class: "broken" });
    }
    if let (Bound::FiresWithin(span), Some(effect)) = (signal.bound, summary.times.first_effect) {
        marks.push(Mark { at: effect + span, word: "latest", class: "latest" });
    }
    marks.sort_by_key(|mark| mark.at);
    marks
}

/// Marks with their words above the plot, in two rows so that near ones can be read; those at one place share a word.
fn marks(marks: &[Mark], time: &TimeAxis, top: f64, bottom: f64) -> Markup {
    let mut groups: Vec<(f64, String)> = Vec::new();
    for mark in marks {
        let x = time.x(mark.at);
        match groups.last_mut() {
            Some((last, word)) if x - *last < 14.0 => *word += &format!(", {}", mark.word),
            _ => groups.push((x, mark.word.to_owned())),
        }
    }
    let mut ends = [f64::MIN; 2];
    let mut rows: Vec<usize> = Vec::new();
    for (x, word) in &groups {
        let half = word.chars().count() as f64 * 3.2 + 4.0;
        let row = usize::from(x - half <= ends[0]);
        ends[row] = x + half;
        rows.push(row);
    }
    html! {
        @for mark in marks {
            @let x = time.x(mark.at);
            line class={ "mark " (mark.class) } x1=(n(x)) y1=(n(top - 3.0)) x2=(n(x)) y2=(n(bottom)) {
                title { (mark.word) " " (words::offset(time.from, mark.at)) }
            }
        }
        @for ((x, word), row) in groups.iter().zip(rows) {
            text class="mark-word" x=(n(*x)) y=(n(26.0 - 14.0 * row as f64)) text-anchor="middle" { (word) }
        }
    }
}

fn tip(signal: &SignalStory, point: &Point, start: Time) -> String {
    let of = point.of.map_or_else(String::new, |of| format!(" of {}", words::whole(of)));
    format!(
        "{} to {}: {}{of}{}{}",
        words::offset(start, point.from),
        words::offset(start, point.to),
        signal.shown(point),
        words::own(point.own, point.value),
        if point.breaks { ", breaks the bound" } else { "" }
    )
}

/// The chart in words, for those who do not see it.
fn description(summary: &Summary, signal: &SignalStory) -> String {
    let with_data = signal.windows.iter().filter(|point| point.value.is_some()).count();
    let breaking = signal.windows.iter().filter(|point| point.breaks).count();
    let worst = signal.worst().map_or_else(String::new, |point| {
        format!(" The worst is {} at {}.", signal.shown(&point), summary.offset(point.from))
    });
    format!(
        "{}, {}. {} with data, {} of them outside the bound.{worst}",
        words::one_line(&signal.query),
        signal.expected,
        words::plural(with_data, "window", "windows"),
        words::whole(breaking as u64),
    )
}

fn timeline_description(summary: &Summary) -> String {
    let steps = summary.steps.iter().map(|step| {
        let effect = match step.evidence.found {
            Effect::Seen => "effect seen",
            Effect::NotSeen => "no effect seen",
            Effect::Waiting => "effect not seen yet",
            Effect::NotTried => "never started",
        };
        let at = |time: Option<Time>| time.map_or_else(|| "not".into(), |time| summary.offset(time));
        format!("{}: injected {}, rolled back {}, {effect}.", step.fault, at(step.began), at(step.undone))
    });
    steps.collect::<Vec<_>>().join(" ")
}
