//! The evidence against a bound, under the signal that it is about: odds on a logarithmic axis, the line at which the bound is
//! broken, and the window that decided.

use maud::{Markup, html};

use super::{LEFT, RIGHT, n};
use crate::numbers::thousands;
use crate::report::axis::TimeAxis;
use crate::report::summary::signals::{Point, SignalStory};
use crate::report::words;

/// The height of the picture of evidence, and the room above it.
const HEIGHT: f64 = 52.0;
const GAP: f64 = 20.0;

/// How much room the evidence of a signal takes under its curve: none where it is not judged by evidence.
pub(super) fn room(signal: &SignalStory) -> f64 {
    if is_drawn(signal) { GAP + HEIGHT } else { 0.0 }
}

fn is_drawn(signal: &SignalStory) -> bool {
    signal.judgement.odds.is_some() && signal.windows.iter().any(|point| point.odds.is_some())
}

/// Odds below one say nothing against the bound, and lie on the floor; those far above the line need no more room.
struct OddsAxis {
    decides_at: f64,
    top: f64,
    bottom: f64,
}

impl OddsAxis {
    fn y(&self, odds: f64) -> f64 {
        let highest = (self.decides_at * 10.0).max(10.0).ln();
        self.bottom - (odds.max(1.0).ln() / highest).clamp(0.0, 1.0) * (self.bottom - self.top)
    }
}

/// The picture, right under a curve that ends at `above`.
pub(super) fn strip(signal: &SignalStory, time: &TimeAxis, above: f64) -> Markup {
    let Some(odds) = signal.judgement.odds.filter(|_| is_drawn(signal)) else { return html! {} };
    let axis = OddsAxis { decides_at: odds.decides_at, top: above + GAP, bottom: above + GAP + HEIGHT };
    let points = || signal.windows.iter().filter(|point| point.odds.is_some());
    let line = axis.y(odds.decides_at);
    html! {
        text class="row" x=(n(LEFT - 8.0)) y=(n(axis.top + 10.0)) text-anchor="end" { "evidence" }
        text class="tick" x=(n(LEFT - 8.0)) y=(n(axis.bottom + 1.0)) text-anchor="end" { "none" }
        line class="bound" x1=(n(LEFT)) y1=(n(line)) x2=(n(RIGHT)) y2=(n(line)) {}
        text class="bound-word" x=(n(RIGHT + 7.0)) y=(n(line + 4.0)) { "1 in " (thousands(odds.decides_at)) }
        path class="evidence" d=(path(points(), time, &axis)) {}
        @for point in points() {
            @if let Some(against) = point.odds {
                @let decided = signal.judgement.broken_at == Some(point.to);
                @if decided {
                    path class="breaks" d={ "M" (n(time.x(point.to))) " " (n(axis.y(against) - 5.0)) "l5 5l-5 5l-5 -5z" } { title { (tip(point, against, time)) ", broken" } }
                } @else {
                    circle class="dot" cx=(n(time.x(point.to))) cy=(n(axis.y(against))) r="1.6" { title { (tip(point, against, time)) } }
                }
            }
        }
    }
}

fn path<'a>(points: impl Iterator<Item = &'a Point>, time: &TimeAxis, axis: &OddsAxis) -> String {
    let step = |(place, point): (usize, &Point)| {
        let (x, y) = (time.x(point.to), axis.y(point.odds.unwrap_or(1.0)));
        format!("{}{} {}", if place == 0 { 'M' } else { 'L' }, n(x), n(y))
    };
    points.enumerate().map(step).collect()
}

fn tip(point: &Point, odds: f64, time: &TimeAxis) -> String {
    let when = words::offset(time.from, point.to);
    match odds < 2.0 {
        true => format!("at {when} no evidence against the bound"),
        false => format!("at {when} fewer than 1 run in {} would look as bad", thousands(odds)),
    }
}
