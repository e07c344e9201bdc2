//! What holds for every format: any journal renders, whole or cut, live or read back, and nothing in it is taken for
//! the report's own.

use proptest::prelude::*;

use super::summary::Summary;
use super::summary::headline::Ending;
use super::{Format, NoPlan, html, jsonl, line, render, sample};
use crate::format::journal;
use crate::run::event::Event;
use crate::run::state::State;
use crate::run::{Recorded, conclude};

/// Every form in which a run is told.
fn every_form(events: &[Recorded]) -> Vec<String> {
    let mut forms: Vec<String> = Format::ALL.iter().map(|format| render(*format, events).unwrap_or_default()).collect();
    forms.push(line::text(events));
    forms.push(jsonl::text(events));
    forms
}

fn through_the_journal(events: &[Recorded]) -> Vec<Recorded> {
    let reread = |recorded: &Recorded| {
        let event = journal::read(&journal::body(&recorded.event).unwrap()).unwrap();
        Recorded { event, ..*recorded }
    };
    events.iter().map(reread).collect()
}

/// The parts of a page between an opening and a closing text, both included.
fn parts<'a>(page: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    let starts = page.match_indices(open).map(|(at, _)| at);
    starts.map(|at| &page[at..at + page[at..].find(close).unwrap() + close.len()]).collect()
}

#[test]
fn a_journal_read_back_gives_the_same_bytes() {
    for (name, events) in sample::all() {
        for (live, replayed) in every_form(&events).iter().zip(every_form(&through_the_journal(&events))) {
            assert!(*live == replayed, "{name}");
        }
    }
}

#[test]
fn a_journal_without_a_plan_is_no_report() {
    assert_eq!(render(Format::Html, &[]), Err(NoPlan));
    assert_eq!(render(Format::Json, &sample::held()[1..]), Err(NoPlan));
}

#[test]
fn junit_and_charts_are_well_formed() {
    for (name, events) in sample::all() {
        let junit = render(Format::Junit, &events).unwrap();
        let junit = roxmltree::Document::parse(&junit).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(junit.descendants().any(|node| node.has_tag_name("testcase")), "{name}");
        let page = render(Format::Html, &events).unwrap();
        let charts = parts(&page, "<svg", "</svg>");
        assert_eq!(charts.len(), 6, "{name}: five signals and the timeline");
        for chart in charts {
            let chart = roxmltree::Document::parse(chart).unwrap_or_else(|error| panic!("{name}: {error}"));
            let said = |tag| chart.descendants().find(|node| node.has_tag_name(tag)).and_then(|node| node.text());
            let described = chart.root_element().attribute("aria-labelledby").is_some();
            assert!(
                described && said("title").is_some() && said("desc").is_some(),
                "{name}: for those who cannot see it"
            );
        }
    }
}

#[test]
fn nothing_from_a_file_becomes_markup() {
    let events = sample::hostile();
    let page = render(Format::Html, &events).unwrap();
    assert!(!page.contains("<script"), "no script, whoever wrote it");
    assert!(page.contains("&lt;script&gt;"));
    for attribute in ["onload", "href=", "src=", "http://", "https://"] {
        let page = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!page.contains(attribute), "nothing is fetched: {attribute}");
    }
    let markdown = render(Format::Markdown, &events).unwrap();
    for event in pulldown_cmark::Parser::new_ext(&markdown, pulldown_cmark::Options::all()) {
        use pulldown_cmark::{Event as Piece, Tag};
        match event {
            Piece::Html(html) | Piece::InlineHtml(html) => assert!(html.contains("details>"), "{html}"),
            Piece::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::Emphasis) => panic!("{event:?}"),
            Piece::Start(Tag::Heading { level, .. }) => assert!(level >= pulldown_cmark::HeadingLevel::H2),
            _ => {}
        }
    }
    for format in Format::ALL {
        let report = render(format, &events).unwrap();
        assert!(!report.contains(['\u{1b}', '\0']), "{format:?}");
    }
}

#[test]
fn junit_passes_only_what_held() {
    for (name, events) in sample::all() {
        let summary = Summary::of(&events).unwrap();
        let junit = render(Format::Junit, &events).unwrap();
        let junit = roxmltree::Document::parse(&junit).unwrap();
        let bad = junit.descendants().filter(|n| n.has_tag_name("failure") || n.has_tag_name("error")).count();
        assert_eq!(bad == 0, summary.ending == Ending::Held && !summary.needs_attention(), "{name}");
        let suites = junit.root_element();
        let count = |name: &str| suites.attribute(name).unwrap().parse::<usize>().unwrap();
        assert_eq!(count("failures") + count("errors"), bad, "{name}");
        let cases = junit.descendants().filter(|node| node.has_tag_name("testcase")).count();
        assert_eq!(count("tests"), cases, "{name}");
    }
}

#[test]
fn the_samples_end_as_the_machine_would_end_them() {
    for (name, events) in [("held", sample::held()), ("broken", sample::broken()), ("never", sample::never_began())] {
        let state = State::replay(events.iter().map(|recorded| (recorded.at, &recorded.event))).unwrap();
        assert_eq!(conclude::verdict(&state).kind, state.closed.as_ref().unwrap().kind, "{name}");
    }
}

/// A run that is over waits for nothing any more, though its journal never said that a fault had no effect.
#[test]
fn a_run_that_is_over_has_nothing_to_be_seen_yet() {
    let shown = |recorded: &Recorded| matches!(recorded.event, Event::Effective { .. });
    let over: Vec<Recorded> = sample::held().into_iter().filter(|recorded| !shown(recorded)).collect();
    let going = &over[..over.len() - 1];
    for format in [Format::Html, Format::Markdown] {
        assert!(!render(format, &over).unwrap().contains("not seen yet"), "{format:?}");
        assert!(render(format, going).unwrap().contains("not seen yet"), "{format:?}");
    }
}

#[test]
fn the_page_is_as_before() {
    let page = render(Format::Html, &sample::held()).unwrap();
    let style = parts(&page, "<style>", "</style>")[0].to_owned();
    // One element a line, so that a change can be read.
    insta::assert_snapshot!(page.replace(&style, "<style>..</style>").replace("><", ">\n<"));
    assert!(!html::page(&Summary::of(&sample::held()).unwrap()).contains('\u{fffd}'));
}

#[test]
fn markdown_is_as_before() {
    insta::assert_snapshot!("markdown_held", render(Format::Markdown, &sample::held()).unwrap());
    insta::assert_snapshot!("markdown_left_behind", render(Format::Markdown, &sample::left_behind()).unwrap());
}

#[test]
fn junit_is_as_before() {
    insta::assert_snapshot!("junit_broken", render(Format::Junit, &sample::broken()).unwrap());
    insta::assert_snapshot!("junit_died", render(Format::Junit, &sample::died()).unwrap());
}

#[test]
fn json_is_as_before() {
    let json = render(Format::Json, &sample::never_began()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["format"], crate::format::VERSION);
    insta::assert_snapshot!("json_never_began", json);
}

/// A journal whose events came in another order, or twice, or not at all: data from outside.
fn disordered() -> impl Strategy<Value = Vec<Recorded>> {
    let all: Vec<Recorded> = sample::all().into_iter().flat_map(|(_, events)| events).collect();
    let loads = |recorded: &Recorded| matches!(recorded.event, Event::Loaded { .. });
    let others: Vec<Recorded> = all.iter().filter(|recorded| !loads(recorded)).cloned().collect();
    let first = all[0].clone();
    proptest::collection::vec(proptest::sample::select(others), 0..60).prop_map(move |mut events| {
        events.insert(0, first.clone());
        events
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64 * crate::effort::effort()))]

    #[test]
    fn any_prefix_renders_in_every_format(which in 0_usize..6, part in 0.0..1.0_f64) {
        let (_, events) = sample::all().swap_remove(which);
        let cut = (events.len() as f64 * part) as usize;
        let forms = every_form(&events[..cut]);
        prop_assert!(cut == 0 || forms.iter().all(|form| !form.is_empty()));
    }

    #[test]
    fn a_damaged_journal_renders_too(events in disordered()) {
        for format in Format::ALL {
            prop_assert!(render(format, &events).is_ok());
        }
        let junit = render(Format::Junit, &events).unwrap_or_default();
        prop_assert!(roxmltree::Document::parse(&junit).is_ok());
    }
}
