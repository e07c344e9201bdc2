//! The sandbox for the command line: a world in a file of its own, at a pace.
//!
//! Every call that changes something is durable before its answer is out, in a transaction of its own, never in the
//! journal's. Another process may have the same file open: before each call the newest generation counts, and a process
//! that was overtaken in the middle of a call answers it with "unknown", as a service would that went away.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;

use super::app::App;
use super::file::{File, SandboxError, Written};
use super::paced::{Pace, Pacer, SLICE};
use super::weather::Weather;
use super::world::World;
use crate::account::{Account, Call, CallError, CallId, Location, Outcome, Reason, RefusedBy};
use crate::env::Env;
use crate::private;
use crate::units::{Span, Time};

/// So much virtual time is run before the real clock is looked at, when time passes as fast as it goes.
const STRETCH: Span = Span::from_mins(5);
/// How far the clock is promised ahead, so that not every look at it writes to the file. A process that dies without a
/// word has not gone further.
const PROMISE: Span = Span::from_secs(10);

/// How a sandbox is opened.
#[derive(Clone, Debug)]
pub struct Opening {
    /// For a file that is new: the seed, and where the clock starts.
    pub seed: u64,
    pub start: Time,
    /// For a file that has none: what its id is made from.
    pub identity: u64,
    pub pace: Pace,
    pub weather: Weather,
}

impl Opening {
    /// The same seed and start give the same journal, and a journal names its sandbox: where both are given, a new
    /// sandbox's id follows from them.
    #[must_use]
    pub fn named_by(self, given: Option<(u64, Time)>) -> Opening {
        match given {
            None => self,
            // The multiplier of a linear congruential generator with good spread (Knuth, MMIX).
            Some((seed, start)) => {
                let identity = (seed ^ start.micros().cast_unsigned()).wrapping_mul(6_364_136_223_846_793_005);
                Opening { identity: identity >> 16, ..self }
            }
        }
    }
}

/// What has to be in the file before an answer goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Nothing,
    /// Enough to survive the process.
    Written,
    /// Enough to survive the machine.
    Durable,
}

/// A world in a file.
pub struct Sandbox {
    app: App,
    opening: Opening,
    env: Arc<dyn Env>,
    file: File,
    /// Held shared as long as this one is open, so that its past is not forgotten under it.
    _in_use: std::fs::File,
    location: Location,
    /// Other locations that mean this sandbox: nicknames in what squall 0.1.0 wrote.
    aliases: BTreeSet<Location>,
    world: World,
    generation: i64,
    /// How far the clock was promised.
    promised: Time,
    pacer: Pacer,
    /// Calls of this caller without an answer, and what to keep before it goes out.
    open: BTreeMap<CallId, Keep>,
    /// Answers that do not come from the world.
    answers: VecDeque<(CallId, Outcome)>,
    /// The file lacks something that was changed.
    unkept: bool,
}

impl Sandbox {
    /// Opens the sandbox in the file at `path`, or begins a new one there.
    ///
    /// # Errors
    /// The file cannot be used, or the application cannot be modelled.
    pub fn open(path: &Path, app: &App, opening: Opening, env: Arc<dyn Env>) -> Result<Sandbox, SandboxError> {
        let in_use = in_use(path)?;
        in_use.lock_shared().map_err(|error| SandboxError::Failed(error.to_string()))?;
        let mut file = File::open(path, &fresh_id(opening.identity))?;
        let location = Location::of_sandbox(file.id()?);
        let fresh = World::new(app, opening.seed, opening.start)?.at_location(location.clone());
        let fresh = fresh.with_weather(opening.weather.clone());
        let pacer = Pacer::new(opening.pace, fresh.now(), &*env);
        let is_new = file.read()?.is_none();
        if is_new {
            file.begin(opening.seed, &fresh.stored())?;
        }
        let mut sandbox = Sandbox {
            app: app.clone(),
            promised: fresh.now(),
            opening,
            env,
            file,
            _in_use: in_use,
            location,
            aliases: BTreeSet::new(),
            world: fresh,
            generation: 1,
            pacer,
            open: BTreeMap::new(),
            answers: VecDeque::new(),
            unkept: false,
        };
        sandbox.world.messages_saved();
        // Another process may have begun it just before.
        if !is_new || sandbox.file.newest()?.0 != 1 {
            sandbox.reload(Time::EPOCH)?;
        }
        Ok(sandbox)
    }

    /// The id in a sandbox's file; `None` when there is no file, or when it has none, such as one of squall 0.1.0.
    pub fn id_in(path: &Path) -> Option<String> {
        File::id_in(path)
    }

    /// Which sandbox this is.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Forgets everything that happened in the sandbox of this file: the next one to open it begins a new one with the same id.
    /// `false`: it is open, and nothing was forgotten.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn forget(path: &Path) -> Result<bool, SandboxError> {
        let in_use = in_use(path)?;
        match in_use.try_lock() {
            // Each sandbox has an id already, so that this one is not taken.
            Ok(()) => File::open(path, "")?.forget().map(|()| true),
            Err(std::fs::TryLockError::WouldBlock) => Ok(false),
            Err(std::fs::TryLockError::Error(error)) => Err(SandboxError::Failed(error.to_string())),
        }
    }

    /// What is asked of these locations is asked of this sandbox, too.
    #[must_use]
    pub fn with_aliases(self, aliases: BTreeSet<Location>) -> Sandbox {
        Sandbox { aliases, ..self }
    }

    /// Everything that a run could have changed: [`World::picture`].
    pub fn picture(&self) -> BTreeMap<String, String> {
        self.world.picture()
    }

    /// Takes up the newest generation, at an instant that no process has passed yet, and not before `now`.
    fn reload(&mut self, now: Time) -> Result<(), SandboxError> {
        let Some(newest) = self.file.read()? else {
            return Err(SandboxError::Failed("its state is missing".into()));
        };
        // A new stretch of chance for each generation; the same one would bring the same arrivals again.
        let seed = newest.seed.wrapping_add(newest.number as u64);
        let reasons = std::mem::take(&mut self.world.reasons);
        let logs = std::mem::take(&mut self.world.logs);
        self.world = World::restored(&self.app, &self.location, seed, &newest.stored, newest.messages)?
            .with_weather(self.opening.weather.clone());
        (self.world.reasons, self.world.logs) = (reasons, logs);
        self.generation = newest.number;
        let reached = newest.reached.max(now);
        self.world.run_until(reached);
        self.promised = newest.reached;
        self.pacer = Pacer::new(self.opening.pace, reached, &*self.env);
        for id in std::mem::take(&mut self.open).into_keys() {
            let overtaken = CallError::Unknown("another process changed the sandbox at the same time".into());
            self.answers.push_back((id, Err(overtaken)));
        }
        Ok(())
    }

    /// Takes up what another process has written, if one has.
    fn catch_up(&mut self) -> Result<(), SandboxError> {
        match self.file.newest()?.0 == self.generation {
            true => Ok(()),
            false => self.reload(self.world.now()),
        }
    }

    /// Writes a generation. `false`: another process was faster, and its world is ours now.
    fn keep(&mut self, durably: bool) -> Result<bool, SandboxError> {
        let changes = self.world.changed_messages();
        match self.file.write(self.generation, durably, &self.world.stored(), changes)? {
            Written::Yes => {
                self.generation += 1;
                self.world.messages_saved();
                Ok(true)
            }
            Written::Overtaken => {
                self.reload(self.world.now())?;
                Ok(false)
            }
        }
    }

    /// An answer of the world goes out once what it tells is kept.
    ///
    /// While the file does not take what was changed, as on a full disk, a reading is no answer either: it would tell of a world
    /// that is gone with this process.
    fn hand_out(&mut self, id: CallId, outcome: Outcome) -> (CallId, Outcome) {
        let lost = |why: String| (id, Err(CallError::Unknown(why)));
        let keep = match self.open.remove(&id) {
            None | Some(Keep::Nothing) if !self.unkept => return (id, outcome),
            None | Some(Keep::Nothing | Keep::Durable) => true,
            Some(Keep::Written) => false,
        };
        let kept = self.keep(keep);
        self.unkept = kept.is_err();
        match kept {
            Ok(true) => (id, outcome),
            Ok(false) => lost("another process changed the sandbox at the same time".into()),
            Err(error) => lost(error.to_string()),
        }
    }

    /// Lets the world run to `limit` at the most. How far it came is promised before the caller sees it. A promise that
    /// the file does not take is no reason to stop the clock: then time may go back when this process dies.
    fn run_to(&mut self, limit: Time) -> Option<(CallId, Outcome)> {
        let answer = self.world.next(limit);
        if self.world.now() > self.promised {
            self.promised = self.world.now() + PROMISE;
            let _ = self.file.promise(self.promised);
        }
        answer
    }
}

/// The file beside a sandbox's whose lock says that it is open. The operating system frees it when a process ends.
fn in_use(path: &Path) -> Result<std::fs::File, SandboxError> {
    private::file(&path.with_extension("open")).map_err(|error| SandboxError::Failed(error.to_string()))
}

/// Twelve hexadecimal digits.
fn fresh_id(entropy: u64) -> String {
    format!("{:012x}", entropy & 0xffff_ffff_ffff)
}

impl Account for Sandbox {
    fn now(&self) -> Time {
        self.world.now()
    }

    fn reasons(&self) -> Vec<Reason> {
        Account::reasons(&self.world)
    }

    fn submit(&mut self, id: CallId, call: Call) {
        let asked = call.location();
        if *asked != self.location && !self.aliases.contains(asked) {
            let message = format!("{} is not this sandbox, which is {}", asked.account, self.location.account);
            self.answers.push_back((id, Err(CallError::Refused { by: RefusedBy::Invalid, message })));
            return;
        }
        if let Err(error) = self.catch_up() {
            self.answers.push_back((id, Err(CallError::Unknown(error.to_string()))));
            return;
        }
        let keep = match &call {
            Call::Receive { .. } => Keep::Written,
            call if call.changes_something() => Keep::Durable,
            _ => Keep::Nothing,
        };
        self.open.insert(id, keep);
        self.world.submit(id, call);
    }

    fn next(&mut self, until: Time) -> Option<(CallId, Outcome)> {
        let began = self.env.monotonic();
        loop {
            if let Some(answer) = self.answers.pop_front() {
                return Some(answer);
            }
            let limit = until.min(self.pacer.due(&*self.env)).min(self.world.now() + STRETCH);
            if let Some((id, outcome)) = self.run_to(limit) {
                return Some(self.hand_out(id, outcome));
            }
            if self.world.now() >= until || self.env.monotonic() - began >= SLICE {
                return None;
            }
            if self.opening.pace != Pace::Max {
                self.pacer.nap(until, &*self.env);
            }
        }
    }
}

#[cfg(test)]
mod tests;
