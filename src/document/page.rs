//! The document as one HTML page: no network, no script.

use maud::{Markup, html};

use super::{Document, Section};
use crate::graph::picture;
use crate::numbers::coordinate as n;
use crate::plan::Plan;
use crate::predict::margin_show::curve;
use crate::predict::page::{OWN_STYLE, sections as predicted};
use crate::report::html::page_of;
use crate::report::words;
use crate::units::Span;

/// The whole page.
pub fn page(document: &Document<'_>) -> String {
    let title = words::one_line(&document.plan.title);
    page_of(
        &format!("Plan: {title}"),
        OWN_STYLE,
        &html! {
            header {
                p class="kicker" { "Plan of " (document.plan.file) }
                h1 { (title) }
                p { (words::one_line(&document.plan.because)) }
                pre { (document.command()) }
            }
            @for section in document.sections() { (shown(document, &section)) }
            footer { "Nothing was touched. The hash covers everything the plan resolves to, not when it was made." }
        },
    )
}

fn shown(document: &Document<'_>, section: &Section) -> Markup {
    // The prediction has charts of its own.
    if let ("Will it hold?", Some(prediction)) = (section.title, &document.prediction) {
        return predicted(prediction);
    }
    html! {
        section {
            h2 { (section.title) }
            @if section.title == "Blast radius" && let (Some(graph), Some(radius)) = (&document.graph, document.radius()) {
                div class="wide" { (picture(graph, &radius)) }
            }
            @if section.title == "Where it breaks" && let Some(margin) = &document.margin { (curve(margin)) }
            @if section.title == "When" { (timeline(document.plan)) }
            ul { @for line in &section.lines { li { (line) } } }
        }
    }
}

/// Baseline, faults and recovery on one axis.
fn timeline(plan: &Plan) -> Markup {
    let (left, right, row) = (150.0, 780.0, 30.0);
    let whole = plan.length().secs_f64().max(1.0);
    let x = |at: Span| left + at.secs_f64() / whole * (right - left);
    let bottom = 34.0 + row * plan.steps.len() as f64;
    let bar = |class: &str, from: Span, to: Span, y: f64, word: &str| {
        let width = (x(to) - x(from)).max(1.5);
        html! {
            rect class=(class) x=(n(x(from))) y=(n(y)) width=(n(width)) height="22" rx="3" { title { (word) ", " (from) " to " (to) } }
            @if width > 64.0 { text class="on-bar" x=(n(x(from) + width / 2.0)) y=(n(y + 15.0)) text-anchor="middle" { (word) } }
        }
    };
    let (begin, end) = (plan.baseline, plan.baseline + plan.timeline());
    html! {
        svg class="chart" viewBox={ "0 0 860 " (n(bottom + 24.0)) } role="img" aria-label="Timeline of the plan" xmlns="http://www.w3.org/2000/svg" {
            (bar("phase baseline", Span::ZERO, begin, 2.0, "baseline"))
            (bar("phase fault", begin, end, 2.0, "faults"))
            (bar("phase recovery", end, plan.length(), 2.0, "recovery"))
            @for (number, step) in plan.steps.iter().enumerate() {
                @let y = 32.0 + row * number as f64;
                text class="row" x=(n(left - 8.0)) y=(n(y + 15.0)) text-anchor="end" { (words::cut(&step.fault.0, 20)) }
                (bar("fault-bar", begin + step.at, begin + step.ends(), y, &step.lasts.to_string()))
            }
            @for part in [0.0, 0.25, 0.5, 0.75, 1.0] {
                @let at = Span::from_secs_f64(whole * part);
                text class="tick" x=(n(x(at))) y=(n(bottom + 16.0)) text-anchor="middle" { (at.rounded()) }
            }
        }
    }
}
