//! The schedules of a project: read from their files, with what they name, and checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::load::{CONFIG, ProjectFiles, Read, read, read_experiment, shown, yaml_files};
use crate::channel::{ChannelName, Level};
use crate::inputs::{self, About, Chosen, Given, given};
use crate::plan;
use crate::project::Project;
use crate::schedule::compile::{Problem, Rules};
use crate::schedule::gates::{Approval, Gate};
use crate::schedule::ical::{self, Calendar};
use crate::schedule::spec::{ScheduleFile, ScheduleSpec};
use crate::schedule::{Schedule, ScheduleName};
use crate::units::{Span, Time};
use crate::yaml::finding::{Code, Finding, Findings};
use crate::yaml::read::{FromNode, Loaded, closest};
use crate::yaml::shape::listed;
use crate::yaml::source::{Place, Source};

impl ProjectFiles {
    /// Every file of schedules, by name.
    pub fn schedule_files(&self) -> Vec<PathBuf> {
        yaml_files(&self.root.join(&self.project.schedules_in))
    }
}

/// Every schedule of a project, by name, as of a time. What is found does not depend on the time. A schedule with an error
/// is left out.
pub fn schedules(files: &ProjectFiles, now: Time) -> (Vec<Schedule>, Findings) {
    let mut reading = Reading::new(files, now);
    reading.config();
    for path in files.schedule_files() {
        reading.file(&path);
    }
    reading.end()
}

/// What is wrong in one file of schedules, beside those of `squall.yaml`.
pub fn one_file(path: &Path, files: &ProjectFiles) -> Findings {
    let mut reading = Reading::new(files, Time::EPOCH);
    reading.config();
    reading.file(path);
    reading.end().1
}

/// What a schedule's text and zone come to, in one word.
fn definition(text: &str, zone: &str) -> String {
    let hash = Sha256::digest(format!("{zone}\0{text}"));
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

struct Reading<'a> {
    files: &'a ProjectFiles,
    rules: Rules,
    experiments: Vec<String>,
    /// How long a run of each experiment takes at the longest; `None` where that cannot be read.
    lengths: BTreeMap<(String, Vec<Given>), Option<Span>>,
    calendars: BTreeMap<String, Option<Calendar>>,
    first: BTreeMap<ScheduleName, (Arc<Source>, Place)>,
    schedules: Vec<Schedule>,
    findings: Findings,
}

impl<'a> Reading<'a> {
    fn new(files: &'a ProjectFiles, now: Time) -> Reading<'a> {
        let stem = |path: &PathBuf| path.file_stem().map(|name| name.to_string_lossy().into_owned());
        let mut reading = Reading {
            files,
            rules: Rules::new(&files.project.scheduling, &[], now),
            experiments: files.experiments().iter().filter_map(stem).collect(),
            lengths: BTreeMap::new(),
            calendars: BTreeMap::new(),
            first: BTreeMap::new(),
            schedules: Vec::new(),
            findings: Findings::default(),
        };
        if !files.project.scheduling.calendars.is_empty()
            && let (Some(project), _) = read::<Project>(&shown(&files.root.join(CONFIG)))
        {
            let named = reading.named_calendars(&files.project.scheduling.calendars, &project, "scheduling/calendars");
            reading.rules = Rules::new(&files.project.scheduling, &named, now);
        }
        reading
    }

    fn end(mut self) -> (Vec<Schedule>, Findings) {
        self.schedules.sort_by(|a, b| a.name.cmp(&b.name));
        self.findings.sort();
        (self.schedules, self.findings)
    }

    /// Those of `squall.yaml`.
    fn config(&mut self) {
        let config = self.files.root.join(CONFIG);
        if config.exists()
            && let (Some(project), _) = read::<Project>(&shown(&config))
        {
            self.channels(project.value.notifications.notify.iter(), &project, "notifications/notify");
            for (name, spec) in &project.value.schedules {
                self.schedule(name, spec, &project);
            }
        }
    }

    fn file(&mut self, path: &Path) {
        let (loaded, findings) = read::<ScheduleFile>(&shown(path));
        self.findings.append(findings);
        let Some(loaded) = loaded else { return };
        if loaded.value.schedules.is_empty() {
            let at = loaded.key_place("schedules");
            let finding = loaded.finding(Code::Empty, at, "there is no schedule");
            self.findings.push(finding.help("add one, or remove the file"));
        }
        for (name, spec) in &loaded.value.schedules {
            self.schedule(name, spec, &loaded);
        }
    }

    fn schedule<T: FromNode>(&mut self, name: &ScheduleName, spec: &ScheduleSpec, loaded: &Loaded<T>) {
        let path = format!("schedules/{name}");
        let here = loaded.key_place(&path);
        if let Some((source, at)) = self.first.get(name) {
            let position = source.position(at.start);
            let what = format!("there are two schedules called `{name}`");
            let help = format!("the other one is at {}:{}; rename one of them", source.file, position.line);
            self.findings.push(loaded.finding(Code::RepeatedSchedule, here, what).help(help));
            return;
        }
        self.first.insert(name.clone(), (loaded.source.clone(), here));
        let errors = self.findings.errors();
        let calendars = self.named_calendars(&spec.calendars, loaded, &format!("{path}/calendars"));
        let with = given(&spec.with);
        let length = self.length(&spec.experiment.0, &with, loaded, &path);
        let (mut schedule, problems) = self.rules.compile(name, spec, &calendars, length.unwrap_or(Span::ZERO));
        for Problem { code, path: below, what, help } in problems {
            let at = if below.is_empty() { here } else { loaded.place(&format!("{path}/{below}")) };
            self.findings.push(loaded.finding(code, at, what).help(help));
        }
        self.channels(spec.notify.iter().flatten(), loaded, &format!("{path}/notify"));
        self.gates(spec, loaded, &format!("{path}/gates"));
        let text = loaded.source.slice(loaded.place(&path));
        schedule.definition = definition(text, schedule.zone.name());
        if self.findings.errors() == errors && length.is_some() {
            self.schedules.push(schedule);
        }
    }

    /// Every command and webhook that is named must be there, and no gate may be closed for ever.
    fn gates<T: FromNode>(&mut self, spec: &ScheduleSpec, loaded: &Loaded<T>, path: &str) {
        let known = &self.files.project.gates;
        for (index, gate) in spec.gates.iter().enumerate() {
            let at = loaded.place(&format!("{path}/{index}/{}", gate.key()));
            let (kind, name, names): (_, _, Vec<&str>) = match gate {
                Gate::Command(name) if !known.commands.contains_key(name) => {
                    ("command", name, known.commands.keys().map(|name| name.0.as_str()).collect())
                }
                Gate::Webhook(name) if !known.webhooks.contains_key(name) => {
                    ("webhook", name, known.webhooks.keys().map(|name| name.0.as_str()).collect())
                }
                Gate::RunsAWeek(0) | Gate::Approval(Approval { approvers: 0, .. }) => {
                    let finding = loaded.finding(Code::Zero, at, "with 0, this gate means nothing");
                    self.findings.push(finding.help("write at least 1, or remove the gate"));
                    continue;
                }
                Gate::AlarmsQuiet(alarms) if alarms.is_empty() => {
                    let finding = loaded.finding(Code::Empty, at, "there is no alarm");
                    self.findings.push(finding.help("name one, or remove the gate"));
                    continue;
                }
                _ => continue,
            };
            let help = match closest(&name.0, names.iter().copied()) {
                Some(close) => format!("did you mean `{close}`?"),
                None => format!("add it under `gates: {kind}s:` in squall.yaml"),
            };
            let what = format!("there is no {kind} `{}`", name.0);
            self.findings.push(loaded.finding(Code::UnknownGate, at, what).help(help));
        }
    }

    /// Every channel that is named must be there.
    fn channels<'n, T: FromNode>(
        &mut self,
        named: impl Iterator<Item = (&'n ChannelName, &'n Level)>,
        loaded: &Loaded<T>,
        path: &str,
    ) {
        let known = &self.files.project.notifications.channels;
        for (name, _) in named.filter(|(name, _)| !known.contains_key(name)) {
            let names = || known.keys().map(|name| name.0.as_str());
            let help = match closest(&name.0, names()) {
                Some(close) => format!("did you mean `{close}`?"),
                None => "add it under `notifications: channels:` in squall.yaml".to_owned(),
            };
            let at = loaded.key_place(&format!("{path}/{}", name.0));
            self.findings
                .push(loaded.finding(Code::BadValue, at, format!("there is no channel `{}`", name.0)).help(help));
        }
    }

    /// How long a run of an experiment takes at the longest, with its rollback. Its inputs get the schedule's values.
    fn length<T: FromNode>(&mut self, name: &str, with: &[Given], loaded: &Loaded<T>, schedule: &str) -> Option<Span> {
        let key = (name.to_owned(), with.to_vec());
        if let Some(Some(known)) = self.lengths.get(&key) {
            return Some(*known);
        }
        let path = &format!("{schedule}/experiment");
        let file = self.files.experiment(name);
        if !file.exists() {
            let names = || self.experiments.iter().map(String::as_str);
            let help = match closest(name, names()) {
                Some(close) => format!("did you mean `{close}`?"),
                None => format!("write {}; there are {}", file.display(), listed(names())),
            };
            let what = format!("there is no experiment `{name}`: {} does not exist", file.display());
            self.findings.push(loaded.finding(Code::UnknownExperiment, loaded.place(path), what).help(help));
            return None;
        }
        let Read { experiment, problems, findings, .. } = read_experiment(&file, Chosen::These(with));
        self.findings.append(findings);
        let wrong = !problems.is_empty();
        for inputs::Problem { code, about, what, help } in problems {
            let at = match about {
                About::Name(name) => loaded.key_place(&format!("{schedule}/with/{name}")),
                About::Value(name) => loaded.place(&format!("{schedule}/with/{name}")),
                About::Missing(_) => loaded.key_place(&format!("{schedule}/with")),
            };
            let at = if at == loaded.place(schedule) { loaded.key_place(schedule) } else { at };
            self.findings.push(loaded.finding(code, at, what).help(help));
        }
        let length = experiment.map(|experiment| plan::with_rollback(experiment.value.guards.longest, Span::ZERO));
        let length = length.filter(|_| !wrong);
        self.lengths.insert(key, length);
        length
    }

    /// The calendars that a list names. One that cannot be read is an error.
    fn named_calendars<T: FromNode>(
        &mut self,
        names: &[String],
        loaded: &Loaded<T>,
        path: &str,
    ) -> Vec<(String, Calendar)> {
        let mut found = Vec::new();
        for (index, name) in names.iter().enumerate() {
            if !self.calendars.contains_key(name) {
                let calendar = self.calendar(name, loaded, &format!("{path}/{index}"));
                self.calendars.insert(name.clone(), calendar);
            }
            if let Some(Some(calendar)) = self.calendars.get(name) {
                found.push((name.clone(), calendar.clone()));
            }
        }
        found
    }

    fn calendar<T: FromNode>(&mut self, name: &str, loaded: &Loaded<T>, path: &str) -> Option<Calendar> {
        let file = shown(&self.files.root.join(name));
        let source = match Source::open(&file) {
            Ok(source) => source,
            Err(finding) => {
                let what = format!("the calendar {} cannot be used: {}", file.display(), finding.what);
                let help = "name an iCalendar file of the project; until then no schedule that needs it runs";
                self.findings.push(loaded.finding(Code::BadCalendar, loaded.place(path), what).help(help));
                return None;
            }
        };
        match ical::read(&source.text) {
            Ok(calendar) => {
                for doubt in &calendar.doubts {
                    let at = Place::new(doubt.at.start, doubt.at.end);
                    let help = "write the event without it, or as several events";
                    self.findings.push(Finding::new(Code::CalendarRule, &source, at, doubt.what.as_str()).help(help));
                }
                Some(calendar)
            }
            Err(doubt) => {
                let at = Place::new(doubt.at.start, doubt.at.end);
                let help = "export the calendar again; until then no schedule that needs it runs";
                self.findings.push(Finding::new(Code::BadCalendar, &source, at, doubt.what).help(help));
                None
            }
        }
    }
}
