//! The report as one HTML file: no network, no script, one inline style sheet for light, dark and print.

mod sections;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::sections::{prose, remedy};
use super::summary::Summary;
use super::summary::headline::Ending;
use super::words;
use crate::judge::verdict::VerdictKind;

/// The style sheet of every page.
const STYLE: &str = include_str!("style.css");

/// A page in one file. Nothing in it runs or is fetched, whatever is in the texts of an experiment.
pub fn page_of(title: &str, own_style: &str, main: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { (title) }
                style { (PreEscaped(STYLE)) (PreEscaped(own_style)) }
            }
            body { main { (main) } }
        }
    };
    words::printable(&page.into_string())
}

/// The whole page.
pub fn page(summary: &Summary) -> String {
    page_of(
        &format!("{}: {}", capital(summary.ending.word()), summary.title),
        "",
        &html! {
                (body(summary))
                footer {
                    "Written by squall " (summary.environment.squall) " from the journal of " (summary.run)
                    ", and from nothing else: the same journal gives the same bytes."
                }
        },
    )
}

/// The report without its frame, for another page.
pub fn body(summary: &Summary) -> Markup {
    html! { (head(summary)) (sections::all(summary)) }
}

fn head(summary: &Summary) -> Markup {
    let times = &summary.times;
    html! {
        header {
            p class="kicker" {
                (summary.run) " · " (words::instant(times.started)) " · " (summary.environment.by) " · on "
                (words::list(&summary.environment.accounts.iter().map(ToString::to_string).collect::<Vec<_>>()))
            }
            h1 { (summary.title) }
            (verdict(summary))
            @if summary.needs_attention() { (left(summary)) }
            (facts(summary))
        }
    }
}

fn verdict(summary: &Summary) -> Markup {
    html! {
        div class={ "verdict " (class(summary.ending)) } {
            span class="symbol" aria-hidden="true" { (symbol(summary.ending)) }
            div {
                p class="word" { (capital(summary.ending.word())) }
                @match summary.reasons.as_slice() {
                    [] | [_] => p { (prose(&summary.sentence)) },
                    reasons => ul { @for reason in reasons { li { (prose(reason)) } } },
                }
                p { (prose(&summary.undo_sentence)) }
            }
        }
    }
}

/// What is, or may be, in the account: above everything else, with what to do about it.
fn left(summary: &Summary) -> Markup {
    let attention = summary.attention();
    let unfinished = summary.ending == Ending::Unfinished;
    html! {
        section class="left" {
            h2 { @if unfinished { "In the account when the journal ends" } @else { "Left behind" } }
            ul {
                @for left in &attention {
                    li {
                        b { (left.resource) } ": " (prose(&left.what))
                        @if !unfinished { (remedy(&left.remedy)) }
                    }
                }
            }
            // One rollback is for all of it.
            @if unfinished { pre { "squall undo " (summary.run) } }
        }
    }
}

fn facts(summary: &Summary) -> Markup {
    let times = &summary.times;
    let offset = |at| summary.offset(at);
    html! {
        dl class="facts" {
            div {
                dt { "Took" }
                dd { (words::span(times.last.since(times.started))) small { "of at most " (summary.environment.longest) } }
            }
            @if let Some(first) = times.first_fault {
                div {
                    dt { "Fault in place" }
                    @match times.gone {
                        Some(gone) => dd { (words::span(gone.since(first))) small { (offset(first)) " to " (offset(gone)) } },
                        None => dd { "since " (offset(first)) small { "not confirmed" } },
                    }
                }
                div {
                    dt { "First effect seen" }
                    @match times.first_effect {
                        Some(effect) => dd { (words::span(effect.since(first))) small { "after the fault went in" } },
                        None => dd { "not seen" small { "without an effect the verdict cannot be held" } },
                    }
                }
            }
            @if let (Some(began), Some(verified)) = (times.undo_began, summary.undo.verified_at) {
                div {
                    dt { "Rolled back" }
                    dd { (summary.undo.settled) " of " (words::plural(summary.undo.made, "change", "changes"))
                        small { "begun " (offset(began)) ", verified " (offset(verified)) } }
                }
            }
            @if times.gone.is_some() {
                div {
                    dt { "Recovery" }
                    dd { (summary.recovery.found.short()) small { "of at most " (summary.recovery.within) } }
                }
            }
        }
    }
}

/// A finding as a small label, in a word and a sign besides its colour.
fn chip(kind: Option<VerdictKind>) -> Markup {
    let (class, sign) = match kind {
        Some(VerdictKind::Held) => ("held", "✓"),
        Some(VerdictKind::Broken) => ("broken", "✕"),
        Some(VerdictKind::Unknown) => ("unknown", "?"),
        None => return html! { span class="chip none" { "observed only" } },
    };
    html! { span class={ "chip " (class) } { span aria-hidden="true" { (sign) } " " @if let Some(kind) = kind { (kind) } } }
}

fn class(ending: Ending) -> &'static str {
    match ending {
        Ending::Held => "held",
        Ending::Broken => "broken",
        Ending::Unknown => "unknown",
        Ending::Unfinished => "unfinished",
    }
}

fn symbol(ending: Ending) -> &'static str {
    match ending {
        Ending::Held => "✓",
        Ending::Broken => "✕",
        Ending::Unknown => "?",
        Ending::Unfinished => "…",
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
