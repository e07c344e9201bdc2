//! A prediction as one HTML page with charts: no network, no script.

use maud::{Markup, html};

use super::prediction::{Prediction, SignalPrediction, Verdicts};
use super::share::Counted;
use super::show;
use crate::numbers::coordinate as n;
use crate::report::axis::{TimeAxis, ValueAxis};
use crate::report::html::page_of;
use crate::report::words;
use crate::units::{Span, Time};

const WIDTH: f64 = 860.0;
const LEFT: f64 = 112.0;
const RIGHT: f64 = 762.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 150.0;

/// What the style sheet of reports has not.
pub const OWN_STYLE: &str = "\
.chart .band { fill: var(--line); fill-opacity: .2; }
.meter { display: flex; height: 1.6rem; border-radius: 6px; overflow: hidden; margin: .3rem 0 1rem; }
.meter .held { background: var(--held); } .meter .broken { background: var(--broken); } .meter .unknown { background: var(--unknown); }";

/// The whole page.
pub fn page(prediction: &Prediction) -> String {
    let title = words::one_line(&prediction.title);
    page_of(
        &format!("Prediction: {title}"),
        OWN_STYLE,
        &html! {
            header {
                p class="kicker" { (show::how(prediction)) }
                h1 { (title) }
            }
            (sections(prediction))
            footer { "Predicted by squall on a model of the application. Nothing was touched. The same seeds give the same page." }
        },
    )
}

/// The sections of a prediction, for a page of its own or for that of a plan.
pub fn sections(prediction: &Prediction) -> Markup {
    html! {
        section {
            h2 { "Will it hold?" }
            (verdicts("As the files say", &prediction.as_written))
            @if let Some(uncertain) = &prediction.uncertain {
                (verdicts(&format!("With figures varied by up to {}", uncertain.uncertainty), &uncertain.verdicts))
            }
        }
        section {
            h2 { "Why" }
            ul { @for line in show::why(prediction) { li { (line) } } }
        }
        section {
            h2 { "Signals" }
            p class="soft" { "The line is the median of all runs, the band holds 90 of 100. Time counts from the \
                    start of the faults." }
            @for (number, signal) in prediction.signals.iter().enumerate() { (figure(prediction, number, signal)) }
        }
        section {
            h2 { "Effects on the application" }
            p class="soft" { "In 5, 50 and 95 of 100 runs." }
            table class="figures" { tbody {
                @for (what, said) in show::figures(prediction) { tr { th { (what) } td { (said) } } }
            } }
        }
        section {
            h2 { "How good the verdict will be" }
            ul { @for line in show::quality(prediction) { li { (line) } } }
        }
        @if !prediction.left_out.is_empty() {
            section {
                h2 { "Not modelled" }
                ul { @for left in &prediction.left_out { li { (left) } } }
            }
        }
    }
}

fn verdicts(title: &str, verdicts: &Verdicts) -> Markup {
    let part = |counted: Counted| format!("width: {:.1}%", counted.share() * 100.0);
    let of = [("held", verdicts.held), ("broken", verdicts.broken), ("unknown", verdicts.unknown)];
    html! {
        h3 { (title) }
        div class="meter" aria-hidden="true" {
            @for (class, counted) in of { span class=(class) style=(part(counted)) {} }
        }
        dl class="facts" {
            @for (word, counted) in of { div { dt { (word) } dd { (counted) small { (counted.hits) " of " (counted.of) " runs" } } } }
        }
    }
}

fn figure(prediction: &Prediction, number: usize, signal: &SignalPrediction) -> Markup {
    html! {
        figure {
            figcaption {
                h3 { (words::one_line(&signal.planned.title)) }
                span class="soft" { "held " (signal.verdicts.held) }
            }
            (chart(prediction, number, signal))
        }
    }
}

/// The band of a signal over time, with its bound and the time of the faults.
pub fn chart(prediction: &Prediction, number: usize, signal: &SignalPrediction) -> Markup {
    let metric = signal.planned.query.metric;
    let limit = words::limit(signal.planned.bound);
    let day = Time::EPOCH + Span::from_mins(60 * 24);
    let at = |secs: f64| Time::from_micros(day.micros() + (secs * 1e6) as i64);
    let (first, last) = match (signal.bands.first(), signal.bands.last()) {
        (Some(first), Some(last)) => (f64::from(first.at), f64::from(last.at)),
        _ => return html! { p class="soft" { "no data" } },
    };
    let time = TimeAxis { from: at(first), to: at(last), left: LEFT, right: RIGHT };
    let x = |secs: f64| time.x(at(secs));
    let values = signal.bands.iter().filter_map(|band| band.values).flat_map(|values| [values.low, values.high]);
    let axis = ValueAxis::over(metric, values.collect::<Vec<_>>().into_iter(), limit, (TOP, BOTTOM));
    let id = format!("predicted-{number}");
    let fault = (x(0.0), x(prediction.faults_last.secs_f64()));
    html! {
        svg class="chart" viewBox={ "0 0 " (n(WIDTH)) " " (n(BOTTOM + 24.0)) } role="img" aria-labelledby={ (id) } xmlns="http://www.w3.org/2000/svg" {
            title id=(id) { (words::one_line(&signal.planned.title)) ": " (words::cut(&described(signal), 200)) }
            rect class="fault-time" x=(n(fault.0)) y=(n(TOP)) width=(n((fault.1 - fault.0).max(1.5))) height=(n(BOTTOM - TOP)) {}
            @for (value, label) in axis.ticks() {
                line class="grid" x1=(n(LEFT)) y1=(n(axis.y(value))) x2=(n(RIGHT)) y2=(n(axis.y(value))) {}
                text class="tick" x=(n(LEFT - 8.0)) y=(n(axis.y(value) + 4.0)) text-anchor="end" { (label) }
            }
            @for secs in ticks(first, last) {
                text class="tick" x=(n(x(secs))) y=(n(BOTTOM + 16.0)) text-anchor="middle" { (show::offset(secs)) }
            }
            line class="axis" x1=(n(LEFT)) y1=(n(BOTTOM)) x2=(n(RIGHT)) y2=(n(BOTTOM)) {}
            @if let Some(limit) = limit.filter(|limit| axis.holds(*limit)) {
                line class="bound" x1=(n(LEFT)) y1=(n(axis.y(limit))) x2=(n(RIGHT)) y2=(n(axis.y(limit))) {}
                text class="bound-word" x=(n(RIGHT + 7.0)) y=(n(axis.y(limit) + 4.0)) { (words::bound(metric, signal.planned.bound)) }
            }
            path class="band" d=(band(signal, &x, &axis)) {}
            path class="line" d=(middle(signal, &x, &axis)) {}
        }
    }
}

fn described(signal: &SignalPrediction) -> String {
    let highest = signal
        .bands
        .iter()
        .filter_map(|band| Some((band.at, band.values?)))
        .max_by(|a, b| a.1.high.total_cmp(&b.1.high));
    highest.map_or("no data".into(), |(at, values)| {
        format!("highest {} at {}", words::value(signal.planned.query.metric, values.high), show::offset(f64::from(at)))
    })
}

/// Round times between two, at most nine.
fn ticks(first: f64, last: f64) -> Vec<f64> {
    const STEPS: [f64; 9] = [60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0];
    let step = STEPS.into_iter().find(|step| (last - first) / step <= 8.0).unwrap_or(28_800.0);
    let from = (first / step).ceil() as i64;
    (from..=(last / step).floor() as i64).map(|tick| tick as f64 * step).collect()
}

/// Up along the high values and back along the low ones; windows without a value part it.
fn band(signal: &SignalPrediction, x: &dyn Fn(f64) -> f64, axis: &ValueAxis) -> String {
    let mut path = String::new();
    for stretch in signal.bands.split(|band| band.values.is_none()) {
        let at = |low: bool| {
            let place = move |band: &super::prediction::Band| {
                let values = band.values?;
                let value = if low { values.low } else { values.high };
                Some(format!("{} {}", n(x(f64::from(band.at))), n(axis.y(value))))
            };
            stretch.iter().filter_map(place).collect::<Vec<_>>()
        };
        let (up, mut down) = (at(false), at(true));
        down.reverse();
        if !up.is_empty() {
            path += &format!("M{}L{}Z", up.join("L"), down.join("L"));
        }
    }
    path
}

fn middle(signal: &SignalPrediction, x: &dyn Fn(f64) -> f64, axis: &ValueAxis) -> String {
    let mut path = String::new();
    for stretch in signal.bands.split(|band| band.values.is_none()) {
        let points = stretch
            .iter()
            .filter_map(|band| Some(format!("{} {}", n(x(f64::from(band.at))), n(axis.y(band.values?.mid)))));
        let points: Vec<String> = points.collect();
        if !points.is_empty() {
            path += &format!("M{}", points.join("L"));
        }
    }
    path
}
