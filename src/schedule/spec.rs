//! The format of schedules: `schedules/*.yaml`, and `schedules:` and `scheduling:` in `squall.yaml`.

use std::collections::BTreeMap;

use super::cron::Cron;
use super::draw::Per;
use super::gates::{Gate, RetryUnknown, WhenClosed};
use super::hours::DayHours;
use super::moment::Moment;
use super::{Missed, ScheduleName};
use crate::channel::{ChannelName, Level};
use crate::inputs::{InputName, WithValue};
use crate::units::Span;
use crate::yaml::leaf::{ExperimentName, Version, name, name_leaf};
use crate::yaml::read::FromKey;
use crate::yaml::shape::{Leaf, Shape};
use crate::yaml::tree::Node;
use crate::yaml::{Code, FromNode, Reader};
use crate::{choice, record, words};

record! {
    /// Schedules by name, from `schedules/*.yaml`; `squall.yaml` may have some as well.
    pub struct ScheduleFile {
        /// The version of the format, and the first key.
        pub version: Version,
        /// The schedules, by names that no other file of the project gives to a schedule.
        pub schedules: BTreeMap<ScheduleName, ScheduleSpec>,
    }
}

record! {
    /// When an experiment runs by itself.
    pub struct ScheduleSpec {
        /// The experiment: `experiments/NAME.yaml`.
        pub experiment: ExperimentName,
        /// The values of the experiment's inputs, by name. An input that is not named has its default.
        pub with: BTreeMap<InputName, WithValue> = BTreeMap::new(),
        /// When it is due.
        pub when: When,
        /// The time zone of this schedule: its IANA name. The default is that of `scheduling`.
        pub zone: Option<ZoneName>,
        /// Nothing happens before it, and `every` and `mean_gap` count from it. `every` without it counts from the start
        /// of 2026 in the schedule's zone.
        pub starting: Option<Moment>,
        /// The hours of the week in which a run is allowed, instead of those of `scheduling`.
        pub hours: Option<Vec<DayHours>>,
        /// Times at which no run is allowed, in addition to those of `scheduling`.
        pub blackouts: BTreeMap<String, Blackout> = BTreeMap::new(),
        /// iCalendar files in addition to those of `scheduling`; no run is allowed during their events. Paths are
        /// relative to the project's folder.
        pub calendars: Vec<String> = Vec::new(),
        /// What to do about an occurrence at which `squall serve` was not running.
        pub missed: Missed = Missed::Skip,
        /// A start later than this counts as missed.
        pub late_by_at_most: Span = LATE,
        /// Whether it runs. A disabled schedule is still listed.
        pub enabled: bool = true,
        /// The seed of `random` and `mean_gap`, together with the schedule's name.
        pub seed: u32 = 0,
        /// Which channels it tells, each from which level on, in place of those of `notifications`.
        pub notify: Option<BTreeMap<ChannelName, Level>>,
        /// What must be so at the start of each run: all of them.
        pub gates: Vec<Gate> = Vec::new(),
        /// What becomes of a run before a closed gate: `skip`, `fail`, or `{ wait_at_most: 2h }`.
        pub when_closed: WhenClosed = WhenClosed::Skip,
        /// What is done about a run whose verdict is unknown.
        pub retry_unknown: RetryUnknown = RetryUnknown::Never,
        /// Why it runs at these times.
        pub because: Option<String>,
    }
}

/// A quarter of an hour.
const LATE: Span = Span::from_mins(15);

choice! {
    /// When a schedule is due.
    pub enum When {
        /// By a cron expression: minute, hour, day of the month, month, weekday.
        Cron(CronText) as "cron",
        /// At this interval.
        Every(Span) as "every",
        /// This many times a day or week, at random times within the hours.
        Random(Often) as "random",
        /// At random times whose gaps have this mean.
        MeanGap(MeanGap) as "mean_gap",
        /// Once, at this time.
        Once(Moment) as "once",
    }
}

record! {
    /// Random gaps: a minimum, then an exponential distribution.
    pub struct MeanGap or mean {
        /// The mean of the gaps between two runs, over many weeks.
        pub mean: Span,
        /// No gap is shorter.
        pub least: Span = Span::ZERO,
    }
}

record! {
    /// A time at which no run is allowed.
    pub struct Blackout {
        /// Its first day, or the time at which it begins. Without a year: every year.
        pub from: Moment,
        /// Its last day (included), or the time at which it ends.
        pub to: Moment,
    }
}

record! {
    /// What holds for every schedule.
    pub struct Scheduling {
        /// The time zone of schedules that name none, and of the blackouts and calendars here: an IANA name.
        pub zone: ZoneName = ZoneName("UTC".into()),
        /// The hours of the week in which runs are allowed. Without any, always.
        pub hours: Vec<DayHours> = Vec::new(),
        /// Times at which no run is allowed, by name.
        pub blackouts: BTreeMap<String, Blackout> = BTreeMap::new(),
        /// iCalendar files; no run is allowed during their events. Paths are relative to the project's folder.
        pub calendars: Vec<String> = Vec::new(),
        /// How many scheduled runs may be running at the same time.
        pub runs_at_a_time: u32 = 1,
        /// The most scheduled runs that may start within seven days.
        pub runs_a_week: Option<u32>,
        /// How long to wait after a scheduled run has ended before the next starts.
        pub rest: Span = Span::ZERO,
    }
}

impl Default for Scheduling {
    fn default() -> Scheduling {
        Scheduling {
            zone: ZoneName("UTC".into()),
            hours: Vec::new(),
            blackouts: BTreeMap::new(),
            calendars: Vec::new(),
            runs_at_a_time: 1,
            runs_a_week: None,
            rest: Span::ZERO,
        }
    }
}

words! {
    /// What to do about an occurrence at which `squall serve` was not running.
    Missed {
        /// It is recorded as missed.
        Skip as "skip",
        /// The last missed one is run once, if a run fits.
        RunOnce as "run_once",
        /// It is recorded as failed.
        Fail as "fail",
    }
}

impl FromKey for ScheduleName {
    const LEAF: Leaf = name_leaf("a schedule name", &["nightly"]);

    fn from_key(text: &str) -> Result<Self, (String, String)> {
        name(text).map(|()| ScheduleName(text.to_owned()))
    }
}

/// The IANA name of a time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneName(pub String);

impl FromNode for ZoneName {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, &Self::shape())?;
        if super::zone::Zone::named(&text).is_some() {
            return Some(ZoneName(text.into_owned()));
        }
        let what = format!("there is no time zone `{text}`");
        reader.report(Code::UnknownZone, node.at, what, "write an IANA name such as `Europe/Berlin` or `UTC`");
        None
    }

    fn shape() -> Shape {
        Shape::Leaf(Leaf {
            name: "a time zone",
            json_type: "string",
            pattern: r"^[A-Za-z][A-Za-z0-9_+/-]*$",
            examples: &["Europe/Berlin", "UTC"],
        })
    }

    fn to_json(&self) -> serde_json::Value {
        self.0.as_str().into()
    }
}

/// A cron expression with its text.
#[derive(Clone, Debug, PartialEq)]
pub struct CronText {
    pub text: String,
    pub cron: Cron,
}

impl FromNode for CronText {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, &Self::shape())?;
        match text.parse() {
            Ok(cron) => Some(CronText { text: text.into_owned(), cron }),
            Err(wrong) => {
                let at = reader.part(node, wrong.at.0, wrong.at.1);
                reader.report(Code::BadValue, at, wrong.what, wrong.help);
                None
            }
        }
    }

    fn shape() -> Shape {
        Shape::Leaf(Leaf {
            name: "a cron expression",
            json_type: "string",
            pattern: r"^\s*\S+(\s+\S+){4}\s*$",
            examples: &["30 9 * * tue", "0 */4 * * *"],
        })
    }
}

/// Declares a leaf that is read by its `FromStr`, whose error says what is wrong.
macro_rules! leaf {
    ($type:ty, $help:literal, $leaf:expr) => {
        impl FromNode for $type {
            fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
                let text = reader.text(node, &Self::shape())?;
                text.parse::<$type>().map_err(|error| reader.report(Code::BadValue, node.at, error.0, $help)).ok()
            }

            fn shape() -> Shape {
                Shape::Leaf($leaf)
            }
        }
    };
}

leaf!(
    DayHours,
    "write for example `mon-fri 09:00-17:00`, `sat,sun 22:00-04:00` or `daily`",
    Leaf {
        name: "hours of the week",
        json_type: "string",
        pattern: r"^\s*\S+(\s+[0-2][0-9]:[0-5][0-9]\s*-\s*[0-2][0-9]:[0-5][0-9])?\s*$",
        examples: &["mon-fri 09:00-17:00", "daily"],
    }
);
leaf!(
    Moment,
    "write for example `2026-12-24`, `2026-12-24T18:00`, or `12-24` for every year",
    Leaf {
        name: "a date or a time",
        json_type: "string",
        pattern: r"^([0-9]{4}-)?[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2})?$",
        examples: &["2026-12-24", "2026-12-24T18:00", "12-24"],
    }
);

/// `3 times a week`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Often {
    pub times: u32,
    pub per: Per,
}

/// Why a text does not say how often.
pub struct NotOften(String);

impl std::str::FromStr for Often {
    type Err = NotOften;

    fn from_str(text: &str) -> Result<Often, NotOften> {
        let wrong = || NotOften(format!("`{text}` does not say how often"));
        let words: Vec<&str> = text.split_whitespace().collect();
        let (times, per) = match words.as_slice() {
            ["once", "a", per] => (1, per),
            ["twice", "a", per] => (2, per),
            [times, "times" | "time", "a", per] => (times.parse().map_err(|_| wrong())?, per),
            _ => return Err(wrong()),
        };
        let per = match *per {
            "day" => Per::Day,
            "week" => Per::Week,
            _ => return Err(wrong()),
        };
        (1..=1_000).contains(&times).then_some(Often { times, per }).ok_or_else(wrong)
    }
}

leaf!(
    Often,
    "write for example `3 times a week` or `once a day`",
    Leaf {
        name: "how often",
        json_type: "string",
        pattern: r"^\s*(once|twice|[0-9]+\s+times?)\s+a\s+(day|week)\s*$",
        examples: &["3 times a week", "once a day"],
    }
);
