//! Reports: projections of a run's events, and of nothing else. A live view and a replay of the journal give the same
//! bytes (DESIGN rule 14).
//!
//! - [`mod@line`] tells a run event by event, live and in `squall log`; [`jsonl`] does so for programs.
//! - [`summary`] folds a journal into all that a report says; each format of [`Format`] prints that value.
//! - [`live`] is what a terminal shows of the run's state while it goes on.
//!
//! To add a format: write its file with one function from [`Summary`] to text, and name it in [`Format`].

pub mod axis;
pub mod board;
pub mod chart;
pub mod compare;
pub mod day;
pub mod html;
pub mod json;
pub mod jsonl;
pub mod junit;
pub mod line;
pub mod live;
pub mod markdown;
pub mod reproduce;
#[cfg(test)]
pub(crate) mod sample;
pub mod sparkline;
pub mod summary;
#[cfg(test)]
mod tests;
pub mod transfer;
pub mod words;
pub mod written;

use crate::run::Recorded;
use summary::Summary;

/// The forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One page with charts, for people: no network, no script
    Html,
    /// For pull requests and job summaries
    Markdown,
    /// For whatever shows test results
    Junit,
    /// For programs; its form has a version
    Json,
}

/// There is nothing to report on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal does not begin with a plan: the run never started and changed nothing")]
pub struct NoPlan;

impl Format {
    /// Every format.
    pub const ALL: [Format; 4] = [Format::Html, Format::Markdown, Format::Junit, Format::Json];

    /// How a file in this format ends.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Html => "html",
            Format::Markdown => "md",
            Format::Junit => "xml",
            Format::Json => "json",
        }
    }
}

/// A journal, whole or cut at any event, as a report. The same events give the same bytes.
pub fn render(format: Format, events: &[Recorded]) -> Result<String, NoPlan> {
    let summary = Summary::of(events).ok_or(NoPlan)?;
    // Names from files and services may hold what neither XML nor a terminal takes; JSON escapes it.
    Ok(match format {
        Format::Html => html::page(&summary),
        Format::Markdown => words::printable(&markdown::document(&summary)),
        Format::Junit => words::printable(&junit::document(&summary)),
        Format::Json => json::document(&summary),
    })
}
