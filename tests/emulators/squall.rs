//! The real binary at work in a project of its own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::account::{Account, REGION};

/// A folder with squall.yaml, experiments, hypotheses and a store.
pub struct Project {
    pub folder: TempDir,
    /// Who runs squall: an access key with its secret. At first the account's root.
    pub keys: (String, String),
}

impl Project {
    /// A project with one account, `emulated`, whose stack is the shop. What is written there may go without a dead man.
    pub fn new(account: &Account) -> Project {
        let folder = TempDir::new().unwrap();
        let yaml = format!(
            "version: 1\ndefault_account: emulated\naccounts:\n  emulated:\n    aws:\n      id: \"{}\"\n      region: {REGION}\n      \
             endpoint_url: {}\n      stack: {}\n      writing: allowed\n      dead_man: none\n",
            account.id,
            account.url,
            account.stack()
        );
        std::fs::write(folder.path().join("squall.yaml"), yaml).unwrap();
        for name in ["experiments", "hypotheses"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        Project { folder, keys: (account.id.clone(), "test".into()) }
    }

    /// Puts a file into the project, such as `experiments/x.yaml`; gives back its name.
    pub fn write(&self, file: &str, text: &str) -> String {
        std::fs::write(self.folder.path().join(file), text).unwrap();
        file.to_owned()
    }

    /// Changes `squall.yaml`.
    pub fn configure(&self, change: impl FnOnce(String) -> String) {
        let file = self.folder.path().join("squall.yaml");
        let yaml = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, change(yaml)).unwrap();
    }

    /// The command, with nothing of this machine's AWS configuration.
    pub fn squall(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("HOME", self.folder.path()).env("SQUALL_WHO", "ana@laptop");
        command.env("AWS_ACCESS_KEY_ID", &self.keys.0).env("AWS_SECRET_ACCESS_KEY", &self.keys.1);
        command.env("AWS_EC2_METADATA_DISABLED", "true").stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn ended(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.squall(arguments).output().unwrap())
    }

    /// Begins a run, or a rollback, that tells its events.
    pub fn begin(&self, arguments: &[&str]) -> Running {
        let arguments = [arguments, &["--json"]].concat();
        let mut child = self.squall(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Running { child, lines, told: Vec::new(), peak: 0 }
    }

    /// Begins a run of an experiment to which nobody has to say yes.
    pub fn run(&self, experiment: &str) -> Running {
        self.begin(&["run", experiment, "--yes", "--seed", "7"])
    }

    /// Where the journals lie.
    pub fn store(&self) -> PathBuf {
        self.folder.path().join(".squall")
    }
}

/// What came of a command.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    fn of(output: Output) -> Ended {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// It must have ended so.
    #[track_caller]
    pub fn expect(self, code: i32) -> Ended {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self
    }
}

/// An event as it is told.
#[derive(Clone, Debug)]
pub struct Event {
    /// `changed`.
    pub name: String,
    /// The event itself.
    pub what: Json,
    pub line: Json,
}

impl Event {
    fn read(line: &str) -> Event {
        let line: Json = serde_json::from_str(line).unwrap();
        let what = line["event"].clone();
        Event { name: what["kind"].as_str().unwrap().to_owned(), what, line }
    }
}

/// A process that tells its events, one a line.
pub struct Running {
    pub child: Child,
    lines: BufReader<ChildStdout>,
    /// All that was read so far.
    pub told: Vec<Event>,
    /// The most memory of its own that it had at an event so far, in KiB.
    pub peak: u64,
}

impl Running {
    /// The next event; none at the end.
    pub fn next(&mut self) -> Option<Event> {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        if line.is_empty() {
            return None;
        }
        let event = Event::read(&line);
        self.peak = self.peak.max(own_memory(self.child.id()));
        self.told.push(event.clone());
        Some(event)
    }

    /// Reads until an event of this name.
    #[track_caller]
    pub fn until(&mut self, name: &str) -> Event {
        self.until_one(name, |_| true)
    }

    /// Reads until an event of this name of which something is true.
    #[track_caller]
    pub fn until_one(&mut self, name: &str, which: impl Fn(&Json) -> bool) -> Event {
        self.until_event(name, |event| event.name == name && which(&event.what))
    }

    /// Reads until an event of which something is true; `name` says what it is.
    #[track_caller]
    pub fn until_event(&mut self, name: &str, which: impl Fn(&Event) -> bool) -> Event {
        while let Some(event) = self.next() {
            if which(&event) {
                return event;
            }
        }
        let mut err = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        panic!("it ended before an event `{name}`\n{}\n{err}", self.story());
    }

    /// Reads until every change of the plan is made, in whatever order the services answer.
    #[track_caller]
    pub fn until_all_is_changed(&mut self) {
        let planned = self.told[0].what["plan"]["changes"].as_array().unwrap().len();
        while self.told.iter().filter(|event| event.name == "changed").count() < planned {
            self.until("changed");
        }
    }

    /// How the run was closed: its verdict and what is left.
    #[track_caller]
    pub fn closed(&self) -> &Json {
        let last = self.told.last().unwrap();
        assert_eq!(last.name, "closed", "{}", self.story());
        &last.what
    }

    /// The verdict's reasons, in one text.
    #[track_caller]
    pub fn reasons(&self) -> String {
        self.closed()["verdict"]["reasons"].to_string()
    }

    /// The events so far, one a line.
    pub fn story(&self) -> String {
        self.told.iter().map(|event| format!("{}\n", event.line)).collect()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Ends the faults that are in, and reads until the first rollback begins.
    #[track_caller]
    pub fn end_the_faults(&mut self) {
        self.signal(Signal::TERM);
        self.until("restoring");
    }

    /// Sends it on its way home: what is in is out, and nobody waits for the end of the recovery.
    pub fn interrupt(&mut self) -> (ExitStatus, String) {
        self.signal(Signal::TERM);
        self.rest()
    }

    /// Kills it, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
    }

    /// Reads to the end; gives the exit status and what stands on standard error.
    pub fn rest(&mut self) -> (ExitStatus, String) {
        while self.next().is_some() {}
        let mut err = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap(), err)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that failed leaves nothing running. One that ended is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The memory that a process has made for itself now, in KiB; 0 when it is gone. Pages of the program's file do not count: an
/// unoptimised one has four times as many as one that is released.
fn own_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

/// A file that is shipped with squall.
pub fn shipped(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}
