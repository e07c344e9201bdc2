//! A breaking point as text, as a picture and as JSON.

use maud::{Markup, html};
use schemars::JsonSchema;
use serde::Serialize;

use super::margin::{Crossing, Map, Margin, Point};
use super::sequential::Side;
use super::written::Counted;
use crate::format::VERSION;
use crate::numbers::percent;
use crate::report::html::page_of;
use crate::report::words;

/// The length of a full bar.
const BAR: usize = 24;

/// What was found, a line each.
pub fn lines(title: &str, margin: &Margin) -> Vec<String> {
    let vary = &margin.vary;
    let shown = |value: f64| vary.shown(value);
    let level = margin.effort.level;
    let mut lines = vec![
        format!("margin: {}", words::one_line(title)),
        format!(
            "{} from {} to {}: {} runs in virtual time at {} values",
            vary.path,
            shown(vary.from),
            shown(vary.to),
            margin.runs(),
            margin.points.len()
        ),
        String::new(),
    ];
    lines.extend(sentences(margin).iter().map(|line| format!("  {line}")));
    lines.push(String::new());
    let width = margin.points.iter().map(|point| shown(point.values[0]).chars().count()).max().unwrap_or(0);
    for point in &margin.points {
        lines.push(format!("  {:>width$}  {}", shown(point.values[0]), row(point)));
    }
    lines.push(format!("  {:>width$}  {:.<at$}|", "", "", at = (level.get() * BAR as f64) as usize));
    if let Some(point) = margin.beyond() {
        lines.push(String::new());
        lines.push(format!("At {}:", shown(point.values[0])));
        lines.extend(point.why.iter().map(|why| format!("  {}", words::cut(&words::one_line(why), 300))));
    }
    lines
}

/// One line while it goes on.
pub fn progress(shown: &str, point: &Point) -> String {
    match &point.refused {
        Some(_) => format!("{shown}: cannot be planned"),
        None => format!("{shown}: held {}", point.verdicts.held),
    }
}

fn row(point: &Point) -> String {
    if let Some(why) = &point.refused {
        return format!("cannot be planned: {}", words::cut(&words::one_line(why), 100));
    }
    let held = point.verdicts.held;
    let full = (held.share() * BAR as f64).round() as usize;
    format!("{:<BAR$}  {held}, {} runs", "█".repeat(full), held.of)
}

/// The answer in sentences.
pub fn sentences(margin: &Margin) -> Vec<String> {
    let vary = &margin.vary;
    let level = margin.effort.level;
    let between = |crossing: &Crossing| {
        format!(
            "about {}, between {} and {}",
            vary.shown(crossing.about),
            vary.shown(crossing.from),
            vary.shown(crossing.to)
        )
    };
    let mut sentences = Vec::new();
    match margin.crossings.as_slice() {
        [] => sentences.push(nowhere(margin)),
        [only] if only.falls => sentences.push(format!("It holds in {level} of runs up to {}.", between(only))),
        [only] => sentences.push(format!("It holds in {level} of runs from {} on.", between(only))),
        several => {
            sentences.push("It is not monotone: more is not always worse.".into());
            sentences.extend(several.iter().map(|crossing| {
                let word = if crossing.falls { "stops holding" } else { "begins to hold" };
                format!("It {word} in {level} of runs at {}.", between(crossing))
            }));
        }
    }
    let refused = margin.points.iter().filter(|point| point.refused.is_some()).count();
    if refused > 0 {
        sentences.push(format!("At {} it cannot be planned.", words::plural(refused, "value", "values")));
    }
    let is_open = |point: &&Point| point.side == Side::Open && !point.seems_above && point.refused.is_none();
    let open = margin.points.iter().filter(is_open).count();
    if open > 0 {
        let values = words::plural(open, "value", "values");
        sentences.push(format!(
            "At {values}, {} runs do not show on which side it is; use more with --runs.",
            margin.effort.runs
        ));
    }
    let seems = margin.points.iter().filter(|point| point.seems_above).count();
    if seems > 0 {
        let values = words::plural(seems, "value", "values");
        sentences.push(format!("At {values}, away from a crossing, it held in all of the few runs made there."));
    }
    if margin.cut_short {
        sentences.push("The time limit was reached before the interval was as narrow as possible.".into());
    }
    sentences.push(
        "Only crossings between the values tried are seen; two closer than an eighth of the range may hide each other."
            .into(),
    );
    sentences
}

fn nowhere(margin: &Margin) -> String {
    let level = margin.effort.level;
    let decided = |side: Side| margin.points.iter().any(|point| point.side == side);
    match (decided(Side::Above), decided(Side::Below)) {
        (true, false) => format!("It holds in {level} of runs over the whole range: widen it."),
        (false, true) => format!("It holds in {level} of runs nowhere in this range: widen it."),
        _ => format!("Nowhere in this range is it clear whether it holds in {level} of runs."),
    }
}

/// A map: one sign a point.
pub fn map_lines(title: &str, map: &Map) -> Vec<String> {
    let sign = |point: &Point| match (&point.refused, point.side) {
        (Some(_), _) => "-",
        (None, Side::Above) => "✓",
        (None, Side::Below) => "✕",
        (None, Side::Open) => "?",
    };
    let across: Vec<String> = map
        .rows
        .iter()
        .max_by_key(|row| row.len())
        .into_iter()
        .flatten()
        .map(|point| map.across.shown(point.values[0]))
        .collect();
    let width = across.iter().map(|text| text.chars().count()).max().unwrap_or(1).max(5) + 2;
    let name =
        map.rows.iter().flatten().map(|point| map.down.shown(point.values[1]).chars().count()).max().unwrap_or(0);
    let mut lines = vec![
        format!("margin: {}", words::one_line(title)),
        format!("across: {}, down: {}", map.across.path, map.down.path),
        String::new(),
    ];
    let cells = |cells: Vec<String>| cells.iter().map(|cell| format!("{cell:>width$}")).collect::<String>();
    lines.push(format!("  {:name$}{}", "", cells(across)));
    for row in &map.rows {
        let Some(first) = row.first() else { continue };
        let shown = row.iter().map(|point| match &point.refused {
            Some(_) => sign(point).to_owned(),
            None => format!("{} {}", bare(point), sign(point)),
        });
        lines.push(format!("  {:>name$}{}", map.down.shown(first.values[1]), cells(shown.collect())));
    }
    lines.push(String::new());
    lines.push(format!(
        "  how often in 100 runs it holds; ✓ surely more than {0}, ✕ surely less than {0}, ? unclear, \
                       - cannot be planned",
        map.effort.level
    ));
    lines
}

fn bare(point: &Point) -> String {
    format!("{:.0}", point.verdicts.held.share() * 100.0)
}

/// The curve on a page of its own.
pub fn page(title: &str, margin: &Margin) -> String {
    let vary = &margin.vary;
    page_of(
        &format!("Margin: {}", words::one_line(title)),
        "",
        &html! {
            header { p class="kicker" { (vary.path) " from " (vary.shown(vary.from)) " to " (vary.shown(vary.to)) } h1 { (words::one_line(title)) } }
            section { @for line in sentences(margin) { p { (line) } } (curve(margin)) }
            @if let Some(point) = margin.beyond() {
                section { h2 { "At " (vary.shown(point.values[0])) } ul { @for why in &point.why { li { (words::one_line(why)) } } } }
            }
        },
    )
}

/// The probability of holding over the range, each point with its interval.
pub fn curve(margin: &Margin) -> Markup {
    let (left, right, top, bottom) = (64.0, 780.0, 20.0, 220.0);
    let x = |part: f64| left + part * (right - left);
    let y = |share: f64| bottom - share * (bottom - top);
    let level = margin.effort.level.get();
    let points = || margin.points.iter().filter(|point| point.refused.is_none());
    let line = points()
        .map(|point| format!("{:.1} {:.1}", x(point.part), y(point.verdicts.held.share())))
        .collect::<Vec<_>>()
        .join("L");
    html! {
        svg class="chart" viewBox="0 0 860 250" role="img" aria-label="How often it holds" xmlns="http://www.w3.org/2000/svg" {
            @for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
                line class="grid" x1=(left) y1=(y(share)) x2=(right) y2=(y(share)) {}
                text class="tick" x=(left - 8.0) y=(y(share) + 4.0) text-anchor="end" { (percent(share)) }
            }
            line class="bound" x1=(left) y1=(y(level)) x2=(right) y2=(y(level)) {}
            text class="bound-word" x=(right + 7.0) y=(y(level) + 4.0) { (percent(level)) }
            @for part in [0.0, 0.25, 0.5, 0.75, 1.0] {
                text class="tick" x=(format!("{:.1}", x(part))) y=(bottom + 18.0) text-anchor="middle" { (margin.vary.shown(margin.vary.at(part))) }
            }
            @if !line.is_empty() { path class="line" d={ "M" (line) } {} }
            @for point in points() {
                @let (low, high) = point.verdicts.held.interval();
                line class="mark" x1=(format!("{:.1}", x(point.part))) y1=(format!("{:.1}", y(low))) x2=(format!("{:.1}", x(point.part))) y2=(format!("{:.1}", y(high))) {}
                circle class="dot" cx=(format!("{:.1}", x(point.part))) cy=(format!("{:.1}", y(point.verdicts.held.share()))) r="3" {
                    title { (margin.vary.shown(point.values[0])) ": held " (point.verdicts.held) }
                }
            }
        }
    }
}

/// What `squall margin --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Version of this form.
    pub format: u32,
    pub title: String,
    /// What is varied; two of them give a map.
    pub varied: Vec<Varied>,
    /// The probability that is asked for.
    pub level: f64,
    pub seed: u64,
    pub points: Vec<WrittenPoint>,
    /// Where the probability crosses the level; of a map none.
    pub crossings: Vec<WrittenCrossing>,
    /// The answer in sentences.
    pub found: Vec<String>,
}

/// One thing that varies.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Varied {
    pub path: String,
    pub from: String,
    pub to: String,
}

/// How often it holds at some values.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenPoint {
    /// One for each thing that varies.
    pub values: Vec<String>,
    pub held: Counted,
    pub broken: Counted,
    pub unknown: Counted,
    /// `above` or `below` the level for sure; `seems-above` where it held in all of a few runs; or `open`.
    pub side: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    pub why: Vec<String>,
}

/// Between two values it begins or stops to hold.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenCrossing {
    pub from: String,
    pub to: String,
    pub about: String,
    pub falls: bool,
}

impl Document {
    /// A breaking point, as it is printed.
    pub fn of(title: &str, margin: &Margin) -> Document {
        let vary = &margin.vary;
        let crossing = |crossing: &Crossing| WrittenCrossing {
            from: vary.shown(crossing.from),
            to: vary.shown(crossing.to),
            about: vary.shown(crossing.about),
            falls: crossing.falls,
        };
        Document {
            format: VERSION,
            title: title.to_owned(),
            varied: vec![varied(vary)],
            level: margin.effort.level.get(),
            seed: margin.effort.seed,
            points: margin.points.iter().map(|point| written(&[vary], point)).collect(),
            crossings: margin.crossings.iter().map(crossing).collect(),
            found: sentences(margin),
        }
    }

    /// A map, as it is printed.
    pub fn of_map(title: &str, map: &Map) -> Document {
        Document {
            format: VERSION,
            title: title.to_owned(),
            varied: vec![varied(&map.across), varied(&map.down)],
            level: map.effort.level.get(),
            seed: map.effort.seed,
            points: map.rows.iter().flatten().map(|point| written(&[&map.across, &map.down], point)).collect(),
            crossings: Vec::new(),
            found: Vec::new(),
        }
    }
}

fn varied(vary: &super::vary::Vary) -> Varied {
    Varied { path: vary.path.clone(), from: vary.shown(vary.from), to: vary.shown(vary.to) }
}

fn written(varied: &[&super::vary::Vary], point: &Point) -> WrittenPoint {
    let side = match point.side {
        Side::Above => "above",
        Side::Below => "below",
        Side::Open if point.seems_above => "seems-above",
        Side::Open => "open",
    };
    WrittenPoint {
        values: varied.iter().zip(&point.values).map(|(vary, value)| vary.shown(*value)).collect(),
        held: point.verdicts.held.into(),
        broken: point.verdicts.broken.into(),
        unknown: point.verdicts.unknown.into(),
        side: side.to_owned(),
        refused: point.refused.clone(),
        why: point.why.clone(),
    }
}
