//! From what files say to schedules whose occurrences can be asked for, and what does not go together on the way.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::closed::{Closed, Closures, Stretch, horizon};
use super::draw;
use super::hours::{DayHours, Hours};
use super::ical::Calendar;
use super::moment::{Edge, Moment};
use super::rhythm::Rhythm;
use super::spec::{Blackout, ScheduleSpec, Scheduling, When, ZoneName};
use super::zone::{DAY, Zone, seconds, time};
use super::{Schedule, ScheduleName};
use crate::inputs::given;
use crate::units::{Span, Time};
use crate::yaml::Code;

/// Something in a file that does not go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub code: Code,
    /// Where, below the schedule or `scheduling`: `hours/1`. An empty one is the whole of it.
    pub path: String,
    pub what: String,
    pub help: String,
}

impl Problem {
    fn new(code: Code, path: impl Into<String>, what: impl Into<String>, help: impl Into<String>) -> Problem {
        Problem { code, path: path.into(), what: what.into(), help: help.into() }
    }
}

/// What holds for every schedule of a project, worked out for a time.
#[derive(Debug)]
pub struct Rules {
    zone: Arc<Zone>,
    zones: BTreeMap<String, Arc<Zone>>,
    hours: Hours,
    closed: Vec<Closed>,
    /// The same, for schedules without closed times of their own.
    closures: Arc<Closures>,
    from: Time,
    horizon: Time,
}

/// How far back closed times are worked out, for occurrences that were missed.
const BACK: i64 = 400 * DAY;

impl Rules {
    /// What `scheduling` says, with the calendars that it names.
    pub fn new(scheduling: &Scheduling, calendars: &[(String, Calendar)], now: Time) -> Rules {
        let (from, horizon) = (time(seconds(now) - BACK), horizon(now));
        let zone = zone_of(&scheduling.zone);
        let closed = closed_by(&scheduling.blackouts, calendars, &zone, from, horizon);
        Rules {
            zones: BTreeMap::from([(zone.name().to_owned(), zone.clone())]),
            zone,
            hours: Hours::of(&scheduling.hours),
            closures: Arc::new(Closures::of(closed.clone())),
            closed,
            from,
            horizon,
        }
    }

    fn zone(&mut self, name: &ZoneName) -> Arc<Zone> {
        self.zones.entry(name.0.clone()).or_insert_with(|| zone_of(name)).clone()
    }

    /// A schedule as it is worked with; its definition is for callers that have its text. `length` is how long a run of its
    /// experiment takes at the longest, with its rollback.
    pub fn compile(
        &mut self,
        name: &ScheduleName,
        spec: &ScheduleSpec,
        calendars: &[(String, Calendar)],
        length: Span,
    ) -> (Schedule, Vec<Problem>) {
        let zone = match &spec.zone {
            Some(name) => self.zone(name),
            None => self.zone.clone(),
        };
        let hours = spec.hours.as_ref().map_or_else(|| self.hours.clone(), |hours| Hours::of(hours));
        let closed = match spec.blackouts.is_empty() && calendars.is_empty() {
            true => self.closures.clone(),
            false => {
                let own = closed_by(&spec.blackouts, calendars, &zone, self.from, self.horizon);
                Arc::new(Closures::of([self.closed.clone(), own].concat()))
            }
        };
        // A second that has begun counts as a whole one.
        let starts = hours.starts(seconds(Time::EPOCH + length + Span::from_micros(999_999)));
        let instant = |moment: &Moment| moment.at(moment.year.unwrap_or(2026), &zone, Edge::Begin);
        let starting = spec.starting.as_ref().map(instant);
        let counted_from = starting
            .unwrap_or_else(|| Moment { year: Some(2026), month: 1, day: 1, time: None }.at(2026, &zone, Edge::Begin));
        let rhythm = match &spec.when {
            When::Cron(cron) => Rhythm::Cron(cron.cron.clone()),
            When::Every(gap) => Rhythm::Every { gap: *gap, starting: counted_from },
            When::Random(often) => Rhythm::Random { times: often.times, per: often.per },
            When::MeanGap(gap) => Rhythm::MeanGap { mean: gap.mean, least: gap.least, starting: counted_from },
            When::Once(moment) => Rhythm::Once(instant(moment)),
        };
        let schedule = Schedule {
            name: name.clone(),
            experiment: spec.experiment.0.clone(),
            with: given(&spec.with),
            gates: spec.gates.clone(),
            when_closed: spec.when_closed,
            retry_unknown: spec.retry_unknown,
            enabled: spec.enabled,
            zone,
            rhythm,
            seed: spec.seed,
            starting,
            length,
            hours,
            starts,
            closed,
            horizon: self.horizon,
            missed: spec.missed,
            late_by_at_most: spec.late_by_at_most,
            notify: spec.notify.clone(),
            definition: String::new(),
        };
        let mut problems = of_calendar(spec.hours.as_deref().unwrap_or_default(), &spec.blackouts);
        problems.extend(of_times(spec));
        problems.extend(of_starts(&schedule));
        (schedule, problems)
    }
}

/// Unknown names were refused when the file was read.
fn zone_of(name: &ZoneName) -> Arc<Zone> {
    Arc::new(Zone::named(&name.0).unwrap_or_else(Zone::utc))
}

fn closed_by(
    blackouts: &BTreeMap<String, Blackout>,
    calendars: &[(String, Calendar)],
    zone: &Zone,
    from: Time,
    to: Time,
) -> Vec<Closed> {
    let mut closed = Vec::new();
    for (name, Blackout { from: begins, to: ends }) in blackouts {
        let stretch = Stretch { name: format!("blackout `{name}`").into(), from: *begins, to: *ends };
        closed.extend(stretch.closed(zone, from, to));
    }
    for (file, calendar) in calendars {
        for event in &calendar.events {
            let named = |closed: Closed| Closed { name: format!("`{}` of {file}", closed.name).into(), ..closed };
            closed.extend(event.closed(zone, from, to).into_iter().map(named));
        }
    }
    closed
}

/// What does not go together in hours and blackouts.
pub fn of_calendar(hours: &[DayHours], blackouts: &BTreeMap<String, Blackout>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, later) in hours.iter().enumerate() {
        if hours[..index].iter().any(|earlier| earlier.overlaps(later)) {
            let what = "these hours overlap with other entries";
            let help = "list each hour of the week once";
            problems.push(Problem::new(Code::OverlappingHours, format!("hours/{index}"), what, help));
        }
    }
    for (name, Blackout { from, to }) in blackouts {
        let path = format!("blackouts/{name}/to");
        if from.year.is_some() != to.year.is_some() {
            let what = format!("the blackout runs from `{from}` to `{to}`, of which only one has a year");
            problems.push(Problem::new(Code::BadValue, path, what, "give both a year, or neither for every year"));
        } else if let (Some(begins), Some(ends)) = (from.year, to.year) {
            let utc = Zone::utc();
            let (from_at, to_at) = (from.at(begins, &utc, Edge::Begin), to.at(ends, &utc, Edge::End));
            if to_at.since(from_at) >= YEAR {
                problems.push(always_closed(name, "lasts a year or longer"));
            }
            if to_at <= from_at {
                let what = format!("the blackout ends at `{to}`, before it begins at `{from}`");
                problems.push(Problem::new(Code::BadValue, path, what, "write an end that is later"));
            }
        } else if whole_year(from, to) {
            problems.push(always_closed(name, "lasts the whole year, every year"));
        }
    }
    problems
}

/// A year.
const YEAR: Span = Span::from_mins(365 * 1_440);

/// Whether a blackout of every year ends no earlier than it begins again.
fn whole_year(from: &Moment, to: &Moment) -> bool {
    let utc = Zone::utc();
    let begins = |year| from.at(year, &utc, Edge::Begin);
    let same_year = to.at(2027, &utc, Edge::End);
    let ends = if same_year > begins(2027) { same_year } else { to.at(2028, &utc, Edge::End) };
    ends >= begins(2028)
}

fn always_closed(name: &str, how: &str) -> Problem {
    let what = format!("the blackout `{name}` {how}: no run starts in it");
    let help = "write `enabled: false` to switch a schedule off, or a shorter blackout";
    Problem::new(Code::AlwaysClosed, format!("blackouts/{name}"), what, help)
}

/// What cannot be worked with in a schedule's own times.
fn of_times(spec: &ScheduleSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut problem = |code, path: &str, what: String, help: &str| problems.push(Problem::new(code, path, what, help));
    if let Some(moment) = spec.starting.filter(|moment| moment.year.is_none()) {
        problem(Code::BadValue, "starting", format!("`{moment}` has no year"), "write for example `2026-12-24T09:00`");
    }
    match &spec.when {
        When::Once(moment) if moment.year.is_none() || moment.time.is_none() => {
            let what = format!("`{moment}` is not a date and time");
            problem(Code::BadValue, "when/once", what, "write date and time, such as `2026-12-24T09:00`");
        }
        When::Every(gap) if *gap < Span::from_mins(1) => {
            problem(Code::Zero, "when/every", format!("`{gap}` is shorter than a minute"), "write for example `6h`");
        }
        When::MeanGap(_) if spec.starting.is_none() => {
            let what = "`mean_gap` counts from `starting`, which is missing".to_owned();
            problem(Code::MissingKey, "", what, "add for example `starting: 2026-12-01`");
        }
        _ => {}
    }
    if spec.late_by_at_most < Span::from_mins(1) {
        let what = format!("`late_by_at_most` of {} would skip every start", spec.late_by_at_most);
        problem(Code::Zero, "late_by_at_most", what, "write at least `1m`");
    }
    problems
}

/// Why a schedule never starts as it says.
fn of_starts(schedule: &Schedule) -> Vec<Problem> {
    let never = |path: &str, what: String, help: String| vec![Problem::new(Code::NeverStarts, path, what, help)];
    let needs = schedule.length;
    if schedule.starts.is_empty() {
        let what = format!(
            "a run of `{}` takes up to {needs} with its rollback, longer than any of the hours",
            schedule.experiment
        );
        return never(
            "experiment",
            what,
            "write longer `hours`, or a shorter `guards: longest` in the experiment".into(),
        );
    }
    match &schedule.rhythm {
        Rhythm::Random { times, per: draw::Per::Week } => {
            let apart = needs.micros() / 1_000_000 + 1;
            let fitting = draw::fitting(*times, apart, &schedule.starts);
            if fitting < *times {
                let what = format!("{times} runs a week of up to {needs} do not fit into the hours; {fitting} do");
                return never("when/random", what, "run it less often, or write longer `hours`".into());
            }
            Vec::new()
        }
        Rhythm::MeanGap { mean, least, .. } => {
            let open = draw::open_share(&schedule.starts);
            let shortest = least.secs_f64() / open;
            if mean.secs_f64() <= shortest {
                let what = format!(
                    "runs can begin in {:.0} % of the week, so gaps of at least {least} have a mean above {}",
                    open * 100.0,
                    Span::from_secs_f64(shortest).rounded()
                );
                return never(
                    "when/mean_gap",
                    what,
                    "write a longer mean, a shorter `least`, or longer `hours`".into(),
                );
            }
            Vec::new()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::schedule::Why;
    use crate::schedule::spec::ScheduleFile;
    use crate::yaml::{Loaded, Source, Style};

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    /// A schedule `x` of half an hour's length, as of 2027-03-01, by what is below its name.
    pub fn compiled(text: &str) -> Schedule {
        with_problems(text).0
    }

    fn with_problems(text: &str) -> (Schedule, Vec<Problem>) {
        let text = format!("version: 1\nschedules:\n  x:\n    {text}");
        let (loaded, findings) = Loaded::<ScheduleFile>::read(&Source::new("x.yaml", text));
        let file = loaded.unwrap_or_else(|| panic!("{}", findings.render(Style::Plain))).value;
        let (name, spec) = file.schedules.first_key_value().unwrap();
        let mut rules = Rules::new(&Scheduling::default(), &[], at("2027-03-01T00:00:00Z"));
        rules.compile(name, spec, &[], Span::from_mins(30))
    }

    fn listed(schedule: &Schedule, after: &str, times: usize) -> Vec<String> {
        let line = |occurrence: crate::schedule::Occurrence| {
            let why = occurrence.skipped.map_or_else(|| "kept".to_owned(), |why| why.to_string());
            format!("{} {why}", &occurrence.at.to_string()[5..16])
        };
        schedule.occurrences(at(after)).take(times).map(line).collect()
    }

    #[test]
    fn a_run_must_fit_before_the_next_closing() {
        let schedule = compiled(
            "experiment: y\n    when: { cron: '0,29,30,45 16 * * *' }\n    zone: Europe/Berlin\n    \
             hours: [mon-fri 09:00-17:00]\n    blackouts: { audit: { from: 2027-03-02, to: 2027-03-02 } }\n",
        );
        assert_eq!(
            listed(&schedule, "2027-03-01T12:00:00Z", 5),
            [
                "03-01T15:00 kept",
                "03-01T15:29 kept",
                "03-01T15:30 kept",
                "03-01T15:45 a run takes up to 30m with its rollback, but the hours end at 2027-03-01T16:00:00.000Z",
                "03-02T15:00 closed by blackout `audit` until 2027-03-02T23:00:00.000Z",
            ]
        );
        assert!(matches!(schedule.why_not(at("2027-03-06T10:00:00Z"), Span::ZERO), Some(Why::OutOfHours)));
        let late = schedule.why_not(at("2027-03-01T22:59:00Z"), Span::from_mins(1));
        assert!(matches!(late, Some(Why::OutOfHours)));
        let late = schedule.why_not(at("2027-03-01T22:59:00Z"), Span::from_mins(2));
        assert!(matches!(late, Some(Why::ClosesSoon { .. })));
    }

    #[test]
    fn a_schedule_that_is_off_is_listed_and_skipped() {
        let schedule = compiled("experiment: y\n    when: { every: 1d }\n    enabled: false\n");
        assert_eq!(listed(&schedule, "2027-03-01T12:00:00Z", 1), ["03-02T00:00 the schedule is switched off"]);
    }

    #[test]
    fn nothing_comes_before_the_start() {
        let schedule = compiled("experiment: y\n    when: { cron: 0 9 * * * }\n    starting: 2027-03-05T09:00\n");
        assert_eq!(listed(&schedule, "2027-03-01T12:00:00Z", 1), ["03-05T09:00 kept"]);
        let once = compiled("experiment: y\n    when: { once: 2027-03-05T09:00 }\n    zone: Asia/Kolkata\n");
        assert_eq!(listed(&once, "2027-03-01T12:00:00Z", 2), ["03-05T03:30 kept"]);
    }

    #[test]
    fn random_runs_are_within_the_hours_where_they_fit_and_do_not_depend_on_when_they_are_asked_for() {
        let schedule = compiled(
            "experiment: y\n    when: { random: 3 times a week }\n    hours: [mon-fri 09:00-17:00]\n    zone: Europe/Berlin\n",
        );
        let all: Vec<_> = schedule.occurrences(at("2027-03-01T00:00:00Z")).take(60).collect();
        assert!(all.iter().all(|occurrence| occurrence.skipped.is_none()));
        for (index, occurrence) in all.iter().enumerate().take(50) {
            assert_eq!(schedule.ticks(occurrence.at).next(), Some(all[index + 1].at));
        }
        let weeks = all[59].at.since(all[0].at).secs_f64() / 604_800.0;
        assert!((18.0..21.0).contains(&weeks), "{weeks}");
    }

    #[test]
    fn what_does_not_go_together_is_said() {
        let problems = |text: &str| -> Vec<String> {
            with_problems(text).1.into_iter().map(|problem| format!("{} {}", problem.code.id(), problem.path)).collect()
        };
        for (text, found) in [
            ("when: { every: 10s }", "zero when/every"),
            ("when: { mean_gap: 5d }", "missing-key "),
            ("when: { once: 2027-03-05 }", "bad-value when/once"),
            ("when: { every: 1h }\n    hours: [daily 09:00-09:20]", "never-starts experiment"),
            ("when: { random: 400 times a week }", "never-starts when/random"),
            (
                "when: { mean_gap: { mean: 5d, least: 2d } }\n    starting: 2027-01-01\n    hours: [sun]",
                "never-starts when/mean_gap",
            ),
            ("when: { every: 1h }\n    hours: [mon 09:00-17:00, mon-fri 16:00-18:00]", "overlapping-hours hours/1"),
            (
                "when: { every: 1h }\n    blackouts: { a: { from: 2027-01-02, to: 2027-01-01 } }",
                "bad-value blackouts/a/to",
            ),
            ("when: { every: 1h }\n    blackouts: { a: { from: 2027-01-02, to: 01-03 } }", "bad-value blackouts/a/to"),
            ("when: { every: 1h }\n    late_by_at_most: 1s", "zero late_by_at_most"),
        ] {
            assert_eq!(problems(&format!("experiment: y\n    {text}\n")), [found], "{text}");
        }
    }
}
