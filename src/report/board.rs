//! The board: of each hypothesis, when a run last proved it, and how far that can still be trusted.
//!
//! Confidence is 2^(-age / half-life) of the last run that held with it, and 0 since a later run broke it. It says nothing of the
//! application but how old the knowledge is; runs of verdict unknown change nothing (DESIGN rule 11).

use std::collections::BTreeMap;

use maud::{Markup, html};
use schemars::JsonSchema;
use serde::Serialize;

use super::html::page_of;
use super::words;
use crate::ids::RunId;
use crate::judge::verdict::VerdictKind;
use crate::location::Location;
use crate::schedule::list::Decided;
use crate::units::{Share, Span, Time};

/// After so long half of the confidence is left, unless it is said otherwise: a team that deploys daily has made some twenty
/// changes by then.
pub const HALF_LIFE: Span = Span::from_mins(30 * 1_440);

/// The version of what is printed for programs.
const VERSION: u32 = 1;

/// What a closed run found of the hypotheses that it judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub run: RunId,
    pub at: Time,
    pub accounts: Vec<Location>,
    /// Each hypothesis by its title. Held: the run as a whole held. Broken: one of its own signals broke.
    pub hypotheses: BTreeMap<String, VerdictKind>,
}

/// One hypothesis on the board.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub hypothesis: String,
    /// The last run that held with it.
    pub proven: Option<Seen>,
    /// The last run that broke it.
    pub broken: Option<Seen>,
    pub confidence: Share,
    /// How the last runs that showed something ended for it, the newest last; at most ten.
    pub trend: Vec<VerdictKind>,
}

/// So many runs show a trend.
const TREND: usize = 10;

/// A run that showed something.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub run: RunId,
    pub at: Time,
    pub accounts: Vec<Location>,
}

/// The board as of a time: the known hypotheses and those of runs, the least trusted first.
pub fn board(known: &[String], findings: &[Finding], now: Time, half_life: Span) -> Vec<Row> {
    let empty = |name: &String| {
        (
            name.clone(),
            Row {
                hypothesis: name.clone(),
                proven: None,
                broken: None,
                confidence: Share::default(),
                trend: Vec::new(),
            },
        )
    };
    let mut rows: BTreeMap<String, Row> = known.iter().map(empty).collect();
    let mut findings: Vec<&Finding> = findings.iter().collect();
    findings.sort_by_key(|finding| finding.at);
    for finding in findings {
        for (name, verdict) in &finding.hypotheses {
            let row = rows.entry(name.clone()).or_insert_with(|| empty(name).1);
            let last = match verdict {
                VerdictKind::Held => &mut row.proven,
                VerdictKind::Broken => &mut row.broken,
                VerdictKind::Unknown => continue,
            };
            row.trend.push(*verdict);
            if last.as_ref().is_none_or(|last| last.at <= finding.at) {
                let Finding { run, at, accounts, .. } = finding.clone();
                *last = Some(Seen { run, at, accounts });
            }
        }
    }
    let mut rows: Vec<Row> = rows.into_values().collect();
    for row in &mut rows {
        row.confidence = confidence(row, now, half_life);
        row.trend.drain(..row.trend.len().saturating_sub(TREND));
    }
    rows.sort_by(|a, b| {
        a.confidence.get().total_cmp(&b.confidence.get()).then_with(|| a.hypothesis.cmp(&b.hypothesis))
    });
    rows
}

fn confidence(row: &Row, now: Time, half_life: Span) -> Share {
    let Some(proven) = &row.proven else { return Share::default() };
    if row.broken.as_ref().is_some_and(|broken| broken.at >= proven.at) {
        return Share::default();
    }
    let age = now.since(proven.at).secs_f64() / half_life.secs_f64().max(1.0);
    Share::new((-age).exp2()).unwrap_or_default()
}

/// What `squall board --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Version of this form.
    pub format: u32,
    /// The time that ages count to.
    pub at: String,
    /// After so long half of the confidence is left.
    pub half_life_seconds: f64,
    /// The least trusted first.
    pub hypotheses: Vec<Entry>,
    /// Scheduled runs of the last seven days that wait at a gate or did not begin, with the reason: the last one of each schedule.
    pub not_begun: Vec<Decided>,
}

/// One hypothesis.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its title.
    pub hypothesis: String,
    /// From 0 to 1; 0 when it was never proven, or broken since.
    pub confidence: f64,
    pub proven: Option<Proof>,
    pub broken: Option<Proof>,
    /// `held` or `broken` of each of the last runs that showed something, the newest last; at most 10.
    pub trend: Vec<String>,
}

/// A run that showed something.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    pub run: String,
    /// When it began.
    pub at: String,
    /// Where it ran.
    pub accounts: Vec<String>,
}

/// The board for programs.
pub fn document(rows: &[Row], now: Time, half_life: Span, not_begun: Vec<Decided>) -> Document {
    let proof = |seen: &Option<Seen>| {
        seen.as_ref().map(|seen| Proof {
            run: seen.run.0.clone(),
            at: seen.at.to_string(),
            accounts: seen.accounts.iter().map(ToString::to_string).collect(),
        })
    };
    let entry = |row: &Row| Entry {
        hypothesis: row.hypothesis.clone(),
        confidence: row.confidence.get(),
        proven: proof(&row.proven),
        broken: proof(&row.broken),
        trend: row.trend.iter().map(ToString::to_string).collect(),
    };
    Document {
        format: VERSION,
        at: now.to_string(),
        half_life_seconds: half_life.secs_f64(),
        hypotheses: rows.iter().map(entry).collect(),
        not_begun,
    }
}

/// The state of a hypothesis in a sentence.
fn sentence(row: &Row, now: Time) -> String {
    let seen = |seen: &Seen| {
        let accounts: Vec<String> = seen.accounts.iter().map(ToString::to_string).collect();
        format!("{} ago by {} on {}", age(now.since(seen.at)), seen.run, words::list(&accounts))
    };
    match (&row.proven, &row.broken) {
        (Some(proven), Some(broken)) if broken.at >= proven.at => {
            format!("broken {}; before that, proven {}", seen(broken), seen(proven))
        }
        (Some(proven), _) => format!("proven {}", seen(proven)),
        (None, Some(broken)) => format!("broken {}, and never proven", seen(broken)),
        (None, None) => "never proven".into(),
    }
}

/// In days from two on, before that in hours and minutes.
fn age(age: Span) -> String {
    match age.micros() / Span::from_mins(1_440).micros() {
        0 | 1 => words::span(Span::from_mins(age.micros() / 60_000_000)),
        days => format!("{days} days"),
    }
}

/// Its colour and its word: `held`, `broken` or `none`.
fn class(row: &Row) -> &'static str {
    match (&row.proven, &row.broken) {
        (Some(_), _) if row.confidence.get() > 0.0 => "held",
        (_, Some(_)) => "broken",
        _ => "none",
    }
}

/// The rule of confidence in a sentence.
pub fn rule(half_life: Span) -> String {
    format!(
        "Confidence is 100 % right after a run that held, half of that {} later, and 0 % after a run that broke the hypothesis.",
        age(half_life)
    )
}

/// The board for people.
pub fn text(rows: &[Row], now: Time) -> String {
    let line = |row: &Row| {
        let name = words::one_line(&row.hypothesis);
        let trend = match row.trend.len() {
            0 | 1 => String::new(),
            _ => format!("; the last runs, in order: {}", trend(row)),
        };
        format!("{:>4.0} %  {name}\n        {}{trend}\n", row.confidence.get() * 100.0, sentence(row, now))
    };
    rows.iter().map(line).collect()
}

/// `held, held, broken`.
fn trend(row: &Row) -> String {
    row.trend.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The board as a page.
pub fn page(rows: &[Row], now: Time, half_life: Span) -> String {
    page_of(
        "Board",
        "",
        &html! {
            header {
                p class="kicker" { "as of " (words::instant(now)) }
                h1 { "Confidence in each hypothesis" }
                p class="soft" { (rule(half_life)) }
            }
            section {
                div class="wide" { (table(rows, now)) }
            }
            footer { "Written by squall from the journals of this project's runs only." }
        },
    )
}

/// The rows, for a page.
pub fn table(rows: &[Row], now: Time) -> Markup {
    html! {
        table {
            thead { tr { th { "confidence" } th { "hypothesis" } th { "last seen" } th { "last runs, in order" } } }
            tbody {
                @for row in rows {
                    tr {
                        td {
                            span class=(format!("chip {}", class(row))) {
                                (format!("{:.0} %", row.confidence.get() * 100.0))
                            }
                        }
                        td { (row.hypothesis) }
                        td { (sentence(row, now)) }
                        td { (trend(row)) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(run: &str, days_ago: i64, hypotheses: &[(&str, VerdictKind)]) -> Finding {
        let hypotheses = hypotheses.iter().map(|(name, verdict)| ((*name).to_owned(), *verdict)).collect();
        let at = now() - Span::from_mins(days_ago * 1_440);
        Finding { run: RunId(run.into()), at, accounts: vec![Location::sandbox()], hypotheses }
    }

    fn now() -> Time {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    fn shown() -> Vec<Row> {
        use VerdictKind::{Broken, Held, Unknown};
        let findings = [
            finding("run-1", 90, &[("Orders arrive", Held), ("Payments are taken", Held)]),
            finding("run-2", 60, &[("Payments are taken", Broken)]),
            finding("run-3", 30, &[("Orders arrive", Held), ("Nothing is lost", Broken)]),
            finding("run-4", 1, &[("Orders arrive", Unknown), ("Payments are taken", Unknown)]),
            finding("run-5", 0, &[("Nothing is lost", Held)]),
        ];
        let known = ["Orders arrive".to_owned(), "Shoppers can <b>order</b>".to_owned()];
        board(&known, &findings, now(), HALF_LIFE)
    }

    #[test]
    fn confidence_decays_with_age_and_ends_with_a_break() {
        let rows = shown();
        let figures: Vec<(&str, f64)> =
            rows.iter().map(|row| (row.hypothesis.as_str(), row.confidence.get())).collect();
        assert_eq!(
            figures,
            [
                ("Payments are taken", 0.0),
                ("Shoppers can <b>order</b>", 0.0),
                ("Orders arrive", 0.5),
                ("Nothing is lost", 1.0)
            ]
        );
        assert_eq!(rows[0].trend, [VerdictKind::Held, VerdictKind::Broken]);
        insta::assert_snapshot!(text(&rows, now()));
    }

    #[test]
    fn the_page_has_every_row_and_none_of_their_markup() {
        let page = page(&shown(), now(), HALF_LIFE);
        assert!(page.contains("Shoppers can &lt;b&gt;order&lt;/b&gt;") && page.contains("50 %"));
        assert!(!page.contains("<b>order"));
    }

    #[test]
    fn a_time_ahead_of_the_clock_is_no_age() {
        let rows = board(&[], &[finding("run-1", -5, &[("Orders arrive", VerdictKind::Held)])], now(), HALF_LIFE);
        assert_eq!(rows[0].confidence.get(), 1.0);
    }
}
