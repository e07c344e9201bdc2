//! iCalendar files (RFC 5545): their events are times at which no run may be at work.
//!
//! Invariant: what is not understood closes more, and never less. A rule that this reader does not know closes everything
//! from the event's start on; a zone that it does not know adds a day on both sides.

mod event;

use std::ops::Range;

pub use event::Event;
use event::{Line, Misread};

/// A calendar that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    pub events: Vec<Event>,
    /// What was not understood, and closes more than its author wanted.
    pub doubts: Vec<Doubt>,
}

/// Something in a calendar that was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Where, in bytes.
    pub at: Range<usize>,
    pub what: String,
}

/// Reads a calendar's text. Several calendars may follow one another.
///
/// # Errors
/// The text is no calendar, or ends in the middle of one: then it cannot be told when anything is open.
pub fn read(text: &str) -> Result<Calendar, Doubt> {
    let mut calendar = Calendar::default();
    let mut inside: Vec<String> = Vec::new();
    let mut event: Vec<Line> = Vec::new();
    let mut seen = false;
    for line in lines(text) {
        let doubt = |what: String| Doubt { at: line.at.clone(), what };
        let Some(line) = Line::read(&line) else {
            return Err(doubt("this is not a line of an iCalendar file".into()));
        };
        match line.name.as_str() {
            "BEGIN" => {
                let component = line.value.trim().to_ascii_uppercase();
                if inside.is_empty() && component != "VCALENDAR" {
                    return Err(doubt(format!("`{component}` is outside of a VCALENDAR")));
                }
                seen = true;
                inside.push(component);
            }
            "END" => {
                let component = line.value.trim().to_ascii_uppercase();
                if inside.pop().as_ref() != Some(&component) {
                    return Err(doubt(format!("`END:{component}` has no `BEGIN`")));
                }
                if component == "VEVENT" {
                    calendar.take(&std::mem::take(&mut event), line.at);
                }
            }
            _ if inside.is_empty() => return Err(doubt("this is not an iCalendar file".into())),
            // Alarms within an event have properties of the same names.
            _ if inside.last().is_some_and(|component| component == "VEVENT") => event.push(line),
            _ => {}
        }
    }
    let end = text.len();
    match (inside.pop(), seen) {
        (Some(open), _) => Err(Doubt { at: end..end, what: format!("the file ends before `END:{open}`") }),
        (None, false) => Err(Doubt { at: 0..0, what: "the file has no calendar".into() }),
        (None, true) => Ok(calendar),
    }
}

impl Calendar {
    fn take(&mut self, lines: &[Line], end: Range<usize>) {
        let at = lines.iter().find(|line| line.name == "DTSTART").map_or(end, |line| line.at.clone());
        match Event::read(lines) {
            Ok((event, misread)) => {
                self.events.extend(event);
                self.doubts.extend(misread.into_iter().map(|Misread { at, what }| Doubt { at, what }));
            }
            // Without a start everything is closed.
            Err(what) => {
                self.doubts.push(Doubt { at, what });
                self.events.push(Event::always());
            }
        }
    }
}

/// A line with the lines that continue it, and where it is.
struct Unfolded {
    text: String,
    at: Range<usize>,
}

/// Lines that begin with a blank continue the one before (RFC 5545, 3.1).
fn lines(text: &str) -> Vec<Unfolded> {
    let mut lines: Vec<Unfolded> = Vec::new();
    let mut start = 0;
    for whole in text.split_inclusive('\n') {
        let line = whole.trim_end_matches(['\n', '\r']);
        let at = start..start + line.len();
        start += whole.len();
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some(last)) => {
                last.text += rest;
                last.at.end = at.end;
            }
            _ if line.trim().is_empty() => {}
            _ => lines.push(Unfolded { text: line.trim_start_matches('\u{feff}').to_owned(), at }),
        }
    }
    lines
}

#[cfg(test)]
mod tests;
