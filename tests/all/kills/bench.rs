//! A project in a folder of its own, and the binary at work in it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use squall::account::sandbox::{Opening, Pace, Sandbox, Weather, shop};
use squall::env::RealEnv;
use squall::units::Time;
use tempfile::TempDir;

/// The shipped experiments with one fault, one for each setting that any of them changes, and one for messages: the last
/// by name. `notifications-poisoned` keeps its queue from ever running empty, so that a message whose send was not answered
/// cannot be accounted for: it is left and named, which is right, and not what these tests are about.
pub fn experiments() -> Vec<String> {
    let mut kinds = BTreeSet::new();
    let mut chosen = Vec::new();
    for plan in crate::engine::shipped::plans(7).into_iter().rev() {
        let [step] = plan.steps.as_slice() else { continue };
        let settings = step.changes.iter().filter_map(|id| plan.changes.get(id)).map(|change| &change.setting);
        let variant = |setting| serde_json::to_value(setting).unwrap().as_object().unwrap().keys().next().cloned();
        let mut of_plan: BTreeSet<_> = settings.map(variant).collect();
        of_plan.extend(step.emission.is_some().then_some(None));
        if !of_plan.is_subset(&kinds) {
            kinds.extend(of_plan);
            chosen.push(Path::new(&plan.file).file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    chosen
}

/// Each run begins at the same instant with the same seed, so that runs differ by their end alone.
const PINNED: [&str; 6] = ["--seed", "7", "--start", "2026-03-02T09:00:00Z", "--run-id", "run-1"];

/// A project, as `squall init` and the shipped experiments make it.
pub struct Bench {
    pub folder: TempDir,
}

impl Bench {
    pub fn new() -> Bench {
        let bench = Bench { folder: TempDir::new().unwrap() };
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR"));
        for folder in ["experiments", "hypotheses", "sandbox/shop"] {
            let to = bench.folder.path().join(folder);
            std::fs::create_dir_all(&to).unwrap();
            for entry in std::fs::read_dir(shipped.join(folder)).unwrap() {
                let from = entry.unwrap().path();
                if from.is_file() {
                    std::fs::copy(&from, to.join(from.file_name().unwrap())).unwrap();
                }
            }
        }
        std::fs::copy(shipped.join("squall.yaml"), bench.folder.path().join("squall.yaml")).unwrap();
        bench
    }

    pub fn squall(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("SQUALL_WHO", "ana@laptop")
            .env_remove("SQUALL_LOG");
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn ended(&self, arguments: &[&str]) -> Output {
        self.squall(arguments).output().unwrap()
    }

    /// Writes a shipped experiment with another name, whose first fault stays in for 20 hours of its time; gives back its
    /// file's name. However slow the machine is, only the test ends such a fault.
    pub fn held(&self, experiment: &str) -> String {
        let folder = self.folder.path().join("experiments");
        let mut text = std::fs::read_to_string(folder.join(experiment)).unwrap();
        for (key, time) in [("    for: ", "20h"), ("  longest: ", "30h")] {
            let (before, rest) = text.split_once(key).unwrap();
            let (_, after) = rest.split_once('\n').unwrap();
            text = format!("{before}{key}{time}\n{after}");
        }
        let held = format!("held-{experiment}");
        std::fs::write(folder.join(&held), text).unwrap();
        held
    }

    /// Begins a pinned run whose fault stays in until the test ends it, and waits until it is in.
    pub fn begin_held(&self, experiment: &str) -> Running {
        let mut running = self.begin(&self.held(experiment), "300x");
        running.until_the_fault_is_in();
        running
    }

    /// The command line of a pinned run.
    pub fn run_arguments<'a>(experiment: &'a str, pace: &'a str) -> Vec<&'a str> {
        [&["run", experiment, "--json", "--pace", pace], PINNED.as_slice()].concat()
    }

    /// Begins a pinned run.
    pub fn begin(&self, experiment: &str, pace: &str) -> Running {
        let path = format!("experiments/{experiment}");
        let mut command = self.squall(&Bench::run_arguments(&path, pace));
        Running::new(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Everything in the sandbox that a run could have changed.
    pub fn picture(&self) -> BTreeMap<String, String> {
        let start: Time = "2026-03-02T09:00:00Z".parse().unwrap();
        let opening = Opening { seed: 7, start, identity: 7, pace: Pace::Max, weather: Weather::calm() };
        std::fs::create_dir_all(self.state()).unwrap();
        Sandbox::open(&self.state().join("sandbox.db"), &shop(), opening, Arc::new(RealEnv)).unwrap().picture()
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join(".squall")
    }

    /// The journal as `squall log --json` prints it.
    pub fn log(&self) -> Vec<Event> {
        let output = self.ended(&["log", "run-1", "--json"]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().lines().map(Event::read).collect()
    }

    /// `squall undo`, which must leave the account as it was before.
    pub fn undo_all(&self, before: &BTreeMap<String, String>) {
        let output = self.ended(&["undo", "--pace", "max"]);
        assert!(output.status.success(), "{}\n{output:?}", text(&output.stderr));
        assert_eq!(self.picture(), *before);
        let status = self.ended(&["status"]);
        assert!(status.status.success(), "{}", text(&status.stdout));
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An event as it is printed.
#[derive(Clone, Debug)]
pub struct Event {
    pub at: Time,
    /// Its name: `changing`.
    pub name: String,
    pub line: Json,
}

impl Event {
    pub fn read(line: &str) -> Event {
        let line: Json = serde_json::from_str(line).unwrap();
        let name = line["event"]["kind"].as_str().unwrap().to_owned();
        Event { at: line["at"].as_str().unwrap().parse().unwrap(), name, line }
    }
}

/// A run that goes on.
pub struct Running {
    pub child: Child,
    out: BufReader<ChildStdout>,
    pub err: Option<ChildStderr>,
}

impl Running {
    pub fn new(mut child: Child) -> Running {
        let out = BufReader::new(child.stdout.take().unwrap());
        let err = child.stderr.take();
        Running { child, out, err }
    }

    /// The next event; `None` when the output ends.
    pub fn next(&mut self) -> Option<Event> {
        let mut line = String::new();
        match self.out.read_line(&mut line) {
            // A line that a kill cut off is none.
            Ok(_) if line.ends_with('\n') => Some(Event::read(&line)),
            _ => None,
        }
    }

    /// Reads until an event of this name.
    pub fn until(&mut self, name: &str) -> Event {
        while let Some(event) = self.next() {
            if event.name == name {
                return event;
            }
        }
        panic!("the run ended before an event `{name}`");
    }

    /// Reads until the lock and the fault were written.
    pub fn until_the_fault_is_in(&mut self) {
        self.until("step_begins");
        let changed = self.until("changed");
        assert_eq!(changed.line["event"]["outcome"]["kind"], "applied");
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Kills it, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
    }

    /// Reads to the end.
    pub fn rest(&mut self) -> (Vec<Event>, ExitStatus) {
        let events = std::iter::from_fn(|| self.next()).collect();
        (events, self.child.wait().unwrap())
    }
}

/// Looks again and again until something is so. It fails only after ten minutes, which is far longer than anything here takes
/// on a slow machine.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if is_so() {
            return;
        }
        pause(std::time::Duration::from_millis(100));
    }
    panic!("not within ten minutes: {what}");
}

#[expect(clippy::disallowed_methods, reason = "the processes that are ended live in real time")]
pub fn pause(time: std::time::Duration) {
    std::thread::sleep(time);
}
