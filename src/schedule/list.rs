//! The list of coming occurrences, and why a time is one or not: in sentences, and for programs.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Occurrence, Schedule};
use crate::units::Time;

/// So many occurrences of each schedule are listed.
pub const LISTED: usize = 20;

/// The version of what is printed for programs.
pub const VERSION: u32 = 1;

/// What `squall schedule --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Version of this form.
    pub format: u32,
    /// The time that the list begins after.
    pub after: String,
    pub schedules: Vec<Listed>,
}

/// One schedule with its coming occurrences.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    pub name: String,
    /// The experiment: `experiments/NAME.yaml`.
    pub experiment: String,
    pub enabled: bool,
    /// The IANA name of its zone.
    pub zone: String,
    /// How long a run takes at the longest, with its rollback.
    pub needs_seconds: f64,
    /// What must be so at the start of a run, as written.
    pub gates: Vec<String>,
    /// The next 20, in order; fewer when there are no more within ten years.
    pub occurrences: Vec<Entry>,
}

/// One occurrence.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// In UTC.
    pub at: String,
    /// What the wall clock of the schedule's zone shows then.
    pub local: String,
    /// Whether a run starts then, if nothing unforeseen stands against it.
    pub kept: bool,
    /// Why none does.
    pub reason: Option<Reason>,
}

/// Why no run starts.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// `disabled`, `out_of_hours`, `closed`, `hours_end` or `closes_soon`.
    pub code: String,
    /// In a sentence.
    pub what: String,
}

/// A line of `squall schedule history --json` and `squall serve --json`: what became of an occurrence.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decided {
    /// Version of this form.
    pub format: u32,
    pub schedule: String,
    /// The time that it was scheduled for, or at which a person asked for it.
    pub at: String,
    /// Whether a person asked for it.
    pub by_hand: bool,
    /// When it was decided.
    pub decided: String,
    /// Who decided.
    pub by: String,
    /// `run`, `waits`, `skipped`, `missed` or `failed`.
    pub fate: String,
    /// The run's name, or the reason; of one that waits, both.
    pub detail: String,
}

/// The next occurrences of a schedule after an instant.
pub fn next(schedule: &Schedule, after: Time) -> Vec<Occurrence> {
    schedule.occurrences(after).take(LISTED).collect()
}

/// The list for programs.
pub fn document(schedules: &[Schedule], after: Time) -> Document {
    let schedules = schedules.iter().map(|schedule| Listed {
        name: schedule.name.0.clone(),
        experiment: schedule.experiment.clone(),
        enabled: schedule.enabled,
        zone: schedule.zone.name().to_owned(),
        needs_seconds: schedule.length.secs_f64(),
        gates: schedule.gates.iter().map(ToString::to_string).collect(),
        occurrences: next(schedule, after).into_iter().map(|occurrence| entry(schedule, occurrence)).collect(),
    });
    Document { format: VERSION, after: second(after), schedules: schedules.collect() }
}

fn entry(schedule: &Schedule, Occurrence { at, skipped }: Occurrence) -> Entry {
    Entry {
        at: second(at),
        local: schedule.zone.local(at).to_string(),
        kept: skipped.is_none(),
        reason: skipped.map(|why| Reason { code: why.code().into(), what: why.to_string() }),
    }
}

/// The list for people.
pub fn text(schedules: &[Schedule], after: Time) -> String {
    let mut text = String::new();
    for schedule in schedules {
        let off = if schedule.enabled { "" } else { ", switched off" };
        let _ = writeln!(
            text,
            "{}: {}{off}; {}; a run takes up to {} with its rollback",
            schedule.name,
            schedule.experiment,
            schedule.zone.name(),
            schedule.length
        );
        if !schedule.gates.is_empty() {
            let gates: Vec<String> = schedule.gates.iter().map(ToString::to_string).collect();
            let _ = writeln!(text, "  gates: {}", gates.join("; "));
        }
        let mut any = false;
        for Occurrence { at, skipped } in next(schedule, after) {
            any = true;
            let why = skipped.map_or_else(|| "runs".to_owned(), |why| format!("skipped: {why}"));
            let _ = writeln!(text, "  {}  {}  {why}", minute(&schedule.zone.local(at).to_string()), second(at));
        }
        if !any {
            text += "  no occurrence within ten years\n";
        }
        text += "\n";
    }
    text
}

/// What `squall schedule explain --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Explanation {
    /// Version of this form.
    pub format: u32,
    pub schedule: String,
    pub at: String,
    pub local: String,
    /// Whether the schedule comes round at this second.
    pub comes_round: bool,
    /// Whether a run starts then.
    pub runs: bool,
    /// Each rule with what it says.
    pub rules: Vec<RuleSays>,
    /// The next time at which it comes round.
    pub next: Option<Entry>,
}

/// What one rule says about a time.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSays {
    pub rule: String,
    pub allows: bool,
    pub why: String,
}

/// What every rule of a schedule says about a time.
pub fn explain(schedule: &Schedule, at: Time) -> Explanation {
    let before = Time::from_micros(at.micros() - 1);
    let comes_round = schedule.ticks(before).next() == Some(at);
    let (zone, needs) = (&schedule.zone, schedule.length);
    let rule = |rule: &str, why_not: Option<String>, otherwise: String| RuleSays {
        rule: rule.into(),
        allows: why_not.is_none(),
        why: why_not.unwrap_or(otherwise),
    };
    let hours = match schedule.hours.closes(at, zone) {
        Some(Time::NEVER) => "none, so always open".to_owned(),
        Some(closes) => format!("a run takes up to {needs} with its rollback, but the hours end at {}", second(closes)),
        None => String::new(),
    };
    let closed = match schedule.closed.at_or_after(at) {
        None => "none ahead".to_owned(),
        Some(next) => {
            format!("a run takes up to {needs}, but the next one, {}, begins at {}", next.name, second(next.from))
        }
    };
    let off = (!schedule.enabled).then(|| "`enabled: false`".to_owned());
    let not_now = (!comes_round).then(|| "not at this time".to_owned());
    let rules = vec![
        rule("when", not_now, "due at this time".into()),
        rule("enabled", off, "the schedule is switched on".into()),
        rule("hours", schedule.out_of_hours(at, needs).map(|why| why.to_string()), hours),
        rule("blackouts and calendars", schedule.closed_at(at, needs).map(|why| why.to_string()), closed),
    ];
    Explanation {
        format: VERSION,
        schedule: schedule.name.0.clone(),
        at: second(at),
        local: zone.local(at).to_string(),
        comes_round,
        runs: rules.iter().all(|rule| rule.allows),
        rules,
        next: schedule.occurrences(at).next().map(|occurrence| entry(schedule, occurrence)),
    }
}

impl Explanation {
    /// For people.
    pub fn text(&self, zone: &str) -> String {
        let verdict = if self.runs { "a run starts" } else { "no run starts" };
        let mut text = format!("{} at {} ({} in {zone}): {verdict}\n", self.schedule, self.at, minute(&self.local));
        for RuleSays { rule, allows, why } in &self.rules {
            let _ = writeln!(text, "  {} {rule}: {why}", if *allows { "yes" } else { "no " });
        }
        match &self.next {
            Some(Entry { at, local, reason, .. }) => {
                let why =
                    reason.as_ref().map_or_else(|| "runs".to_owned(), |reason| format!("skipped: {}", reason.what));
                let _ = writeln!(text, "next: {}  {at}  {why}", minute(local));
            }
            None => text += "next: no occurrence within ten years\n",
        }
        text
    }
}

/// `2026-03-02 09:00`, with seconds only where there are any.
fn minute(local: &str) -> String {
    local.strip_suffix(":00").unwrap_or(local).replace('T', " ")
}

/// An instant to the second: `2026-03-02T09:00:00Z`.
pub fn second(at: Time) -> String {
    let text = at.to_string();
    text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::compile::tests::compiled;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn weekly() -> Schedule {
        compiled(
            "experiment: y\n    when: { cron: '0,45 10-12/2 * * tue' }\n    zone: Europe/Berlin\n    hours: [mon-fri 09:00-13:00]\n    \
             blackouts: { audit: { from: 2027-03-08, to: 2027-03-09T11:00 } }\n",
        )
    }

    #[test]
    fn the_list_has_what_runs_and_what_is_skipped_with_its_reason() {
        let once = compiled("experiment: y\n    when: { once: 2020-01-01T09:00 }\n    enabled: false\n");
        insta::assert_snapshot!(text(&[weekly(), once], at("2027-03-01T00:00:00Z")));
    }

    #[test]
    fn programs_get_the_same() {
        let document = document(&[weekly()], at("2027-03-01T00:00:00Z"));
        let occurrences = &document.schedules[0].occurrences;
        assert_eq!(occurrences.len(), LISTED);
        let kept = occurrences.iter().filter(|entry| entry.kept).count();
        let codes: std::collections::BTreeSet<_> =
            occurrences.iter().filter_map(|entry| entry.reason.as_ref()).map(|reason| reason.code.as_str()).collect();
        assert_eq!((kept, codes.into_iter().collect::<Vec<_>>()), (13, vec!["closed", "hours_end"]));
        assert_eq!(
            (occurrences[0].at.as_str(), occurrences[0].local.as_str()),
            ("2027-03-02T09:00:00Z", "2027-03-02T10:00:00")
        );
    }

    #[test]
    fn a_time_is_explained_rule_by_rule() {
        let schedule = weekly();
        let explained = |time: &str| explain(&schedule, at(time)).text(schedule.zone.name());
        let times = ["2027-03-02T11:45:00Z", "2027-03-09T09:00:00Z", "2027-03-06T09:00:01Z"].map(explained);
        insta::assert_snapshot!(times.join("\n"));
    }
}
