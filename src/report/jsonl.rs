//! One JSON object a line for each event: what `--json` prints while a run goes on, and `squall log --json` afterwards.
//!
//! The event has the form in which the journal holds it, so that the two cannot come to differ.

use crate::format::journal::Line;
use crate::ids::RunId;
use crate::outside::escaped_json;
use crate::run::event::Recorded;
use crate::run::state::State;

/// An event of `run` as one line, without its line feed.
pub fn line(run: &RunId, recorded: &Recorded) -> String {
    // Serializing to memory fails only for maps whose keys are not strings, and events have none.
    let json = serde_json::to_string(&Line::of(run, recorded));
    escaped_json(&json.unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}")))
}

/// A whole journal, a line feed after each line; empty when it does not begin with the plan.
pub fn text(events: &[Recorded]) -> String {
    let first = events.first().and_then(|first| State::start(first.at, &first.event));
    let Some(state) = first else { return String::new() };
    events.iter().map(|recorded| line(&state.plan.run, recorded) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Sample, Window};
    use crate::format::{Convert, VERSION, journal};
    use crate::report::sample;
    use crate::run::event::{Event, Phase};
    use crate::units::Time;
    use proptest::prelude::*;

    #[test]
    fn every_event_is_one_line_of_json() {
        for (name, events) in sample::all() {
            let text = text(&events);
            assert_eq!(text.lines().count(), events.len(), "{name}");
            for (line, recorded) in text.lines().zip(&events) {
                let read: Line = serde_json::from_str(line).unwrap();
                assert_eq!(read.format, VERSION);
                assert_eq!(Convert::<Event>::convert(read.event), recorded.event, "{name}");
            }
        }
    }

    #[test]
    fn the_form_of_a_line_is_stable() {
        let events = sample::held();
        let lines: Vec<String> = events[1..20].iter().map(|e| line(&RunId("run-1".into()), e)).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    proptest! {
        /// A value that reads back one unit in the last place away would give other bytes than the live run did.
        #[test]
        fn a_measured_value_survives_the_journal(value in proptest::num::f64::NORMAL) {
            let window = Window { from: Time::EPOCH, to: Time::EPOCH };
            let sample = Sample { value: Some(value), of: None };
            let event = Event::Sampled { signal: 0, phase: Phase::Baseline, window, sample, breaks: false };
            let body = journal::body(&event).unwrap();
            let back = journal::read(&body).unwrap();
            prop_assert_eq!(journal::body(&back).unwrap(), body);
        }
    }
}
