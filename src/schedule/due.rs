//! What is to be done now about a schedule: which occurrences have come since the last one that was dealt with.

use super::{Missed, Occurrence, Schedule, Why};
use crate::units::Time;

/// An occurrence that has come, and what is to be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub at: Time,
    pub what: Todo,
}

/// What is to be done about an occurrence that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Todo {
    /// Its time is now.
    Start,
    /// It was missed, and is made up for now.
    MakeUp,
    /// No run starts, by the schedule's own rules.
    Skip(Why),
    /// A later one has come before it could start.
    Superseded,
    /// squall was not running at its time.
    Missed,
    /// The same, and the schedule wants that to count as a failure.
    MissedFailed,
}

/// So many occurrences are dealt with at once at the most: of more, the last ones.
pub const MOST: usize = 1_000;

/// The occurrences after `last`, the last one that was dealt with, up to `now`; and how many older ones are left out because
/// there are more than [`MOST`].
pub fn due(schedule: &Schedule, last: Time, now: Time) -> (Vec<Due>, usize) {
    let mut come: std::collections::VecDeque<Occurrence> = std::collections::VecDeque::new();
    let mut left_out = 0;
    for occurrence in schedule.occurrences(last).take_while(|occurrence| occurrence.at <= now) {
        if come.len() == MOST {
            come.pop_front();
            left_out += 1;
        }
        come.push_back(occurrence);
    }
    let missed = |at: Time| now.since(at) > schedule.late_by_at_most;
    let newest =
        come.iter().filter(|occurrence| occurrence.skipped.is_none()).map(|occurrence| occurrence.at).next_back();
    // It starts now, later than listed: the hours may end sooner than that allows.
    let unless_closed = |todo: Todo| schedule.why_not(now, schedule.length).map_or(todo, Todo::Skip);
    let due = come.into_iter().map(|Occurrence { at, skipped }| {
        let what = match (skipped, schedule.missed) {
            (Some(why), _) => Todo::Skip(why),
            (None, _) if !missed(at) && Some(at) == newest => unless_closed(Todo::Start),
            (None, _) if !missed(at) => Todo::Superseded,
            (None, Missed::Skip) => Todo::Missed,
            (None, Missed::Fail) => Todo::MissedFailed,
            (None, Missed::RunOnce) if Some(at) != newest => Todo::Missed,
            (None, Missed::RunOnce) => unless_closed(Todo::MakeUp),
        };
        Due { at, what }
    });
    (due.collect(), left_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::compile::tests::compiled;
    use crate::units::Span;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn what(missed: Missed, hours: &str, now: &str) -> Vec<String> {
        let mut schedule = compiled(&format!("experiment: x\n    when: {{ cron: 0 9 * * * }}\n    hours: [{hours}]\n"));
        schedule.missed = missed;
        schedule.late_by_at_most = Span::from_mins(15);
        let (due, left_out) = due(&schedule, at("2027-03-01T09:00:00Z"), at(now));
        assert_eq!(left_out, 0);
        due.into_iter().map(|due| format!("{} {:?}", &due.at.to_string()[8..10], due.what)).collect()
    }

    #[test]
    fn what_has_come_is_dealt_with_by_policy_and_never_caught_up_silently() {
        use Missed::{Fail, RunOnce, Skip};
        assert_eq!(what(Skip, "daily", "2027-03-01T23:00:00Z"), Vec::<String>::new());
        assert_eq!(what(Skip, "daily", "2027-03-03T09:15:00Z"), ["02 Missed", "03 Start"]);
        assert_eq!(what(Skip, "daily", "2027-03-03T09:15:01Z"), ["02 Missed", "03 Missed"]);
        assert_eq!(what(Fail, "daily", "2027-03-03T10:00:00Z"), ["02 MissedFailed", "03 MissedFailed"]);
        assert_eq!(what(RunOnce, "daily", "2027-03-03T10:00:00Z"), ["02 Missed", "03 MakeUp"]);
        assert_eq!(what(RunOnce, "daily", "2027-03-03T09:10:00Z"), ["02 Missed", "03 Start"]);
        // Outside of the hours nothing is made up for.
        assert_eq!(what(RunOnce, "daily 09:00-12:00", "2027-03-02T12:30:00Z"), ["02 Skip(OutOfHours)"]);
        // A skipped one is no missed one.
        assert_eq!(what(Fail, "daily 10:00-18:00", "2027-03-02T12:30:00Z"), ["02 Skip(OutOfHours)"]);
    }

    #[test]
    fn a_long_time_away_is_bounded() {
        let schedule = compiled("experiment: x\n    when: { cron: '* * * * *' }\n");
        let (due, left_out) = due(&schedule, at("2027-03-01T00:00:00Z"), at("2027-03-08T00:00:00Z"));
        assert_eq!((due.len(), left_out), (MOST, 7 * 1_440 - MOST));
        assert_eq!(due.last().map(|due| due.at), Some(at("2027-03-08T00:00:00Z")));
    }
}
