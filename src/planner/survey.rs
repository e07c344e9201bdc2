//! Looking at an account before anything is planned. Nothing here changes anything.

use std::collections::{BTreeMap, BTreeSet};

use crate::account::target::SelectBy;
use crate::account::{
    Account, Action, Call, CallError, Deployment, Description, Identity, Location, Mac, MarkKey, Observed, Outcome,
    Permitted, Query, RefusedBy, Reply, Resource, Sample, Selector, Setting, Window, ask,
};
use crate::faults::{Described, Refusal};
use crate::plan::Permission;
use crate::units::Span;

/// How often a look is tried when the service throttles it or does not answer: with the pauses, for about
/// two minutes.
const TRIES: u32 = 8;

/// What was seen of the accounts so far.
pub struct Survey<'a> {
    account: &'a mut dyn Account,
    pub described: Described,
    pub identities: BTreeMap<Location, Identity>,
    /// How resources were looked up.
    pub resolved: Vec<(Location, Selector)>,
    /// What was looked for by name, and whether it is there.
    pub named: BTreeMap<Resource, bool>,
    absent: BTreeSet<Resource>,
}

impl<'a> Survey<'a> {
    /// Nothing seen yet.
    pub fn of(account: &'a mut dyn Account) -> Survey<'a> {
        Survey {
            account,
            described: Described::default(),
            identities: BTreeMap::new(),
            resolved: Vec::new(),
            named: BTreeMap::new(),
            absent: BTreeSet::new(),
        }
    }

    /// The account's clock.
    pub fn now(&self) -> crate::units::Time {
        self.account.now()
    }

    /// Makes a call that changes nothing; again, with pauses, when there was no answer.
    fn look(&mut self, call: &Call) -> Outcome {
        let mut pause = Span::from_secs(1);
        for _ in 1..TRIES {
            match ask(self.account, call.clone()) {
                Err(CallError::Throttled | CallError::Unknown(_)) => self.wait(pause),
                outcome => return outcome,
            }
            pause = (pause * 2).min(Span::from_secs(30));
        }
        ask(self.account, call.clone())
    }

    fn wait(&mut self, pause: Span) {
        let until = self.account.now() + pause;
        while self.account.now() < until {
            // Nothing of ours is in flight, so what comes belongs to no call.
            let _ = self.account.next(until);
        }
    }

    /// Who squall is in an account; asked once.
    pub fn identify(&mut self, location: &Location) -> Result<(), Refusal> {
        if self.identities.contains_key(location) {
            return Ok(());
        }
        match self.look(&Call::Identify { location: location.clone() }) {
            Ok(Reply::Identity(identity)) => {
                self.identities.insert(location.clone(), identity);
                Ok(())
            }
            other => Err(Refusal::new(
                format!("account {location} does not tell the caller's identity: {}", said(other)),
                "check the account's profile, role and region in squall.yaml",
            )),
        }
    }

    /// Whether an operator of the account stopped every experiment in it. Asked once: an account without a lever must not hold
    /// up a plan.
    pub fn halted(&mut self, location: &Location) -> Result<Option<String>, String> {
        match ask(self.account, Call::Halted { location: location.clone() }) {
            Ok(Reply::Halted(why)) => Ok(why),
            other => Err(said(other)),
        }
    }

    /// The code of a text under a key of the account.
    pub fn sign(&mut self, location: &Location, key: &MarkKey, text: String) -> Result<Mac, String> {
        match self.look(&Call::Sign { location: location.clone(), key: key.clone(), text }) {
            Ok(Reply::Mac(mac)) => Ok(mac),
            other => Err(said(other)),
        }
    }

    /// What is deployed of the dead-man switch.
    pub fn switch(&mut self, location: &Location) -> Result<Deployment, String> {
        match self.look(&Call::FindSwitch { location: location.clone() }) {
            Ok(Reply::Deployment(deployment)) => Ok(deployment),
            other => Err(said(other)),
        }
    }

    /// Whether permissions are given, each asked in the account of its ARN; one without an account in the first.
    pub fn permitted(
        &mut self,
        accounts: &[Location],
        needed: &[Permission],
        prove: bool,
    ) -> Result<Vec<(Permission, Permitted)>, Refusal> {
        let mut answers = Vec::new();
        for (index, location) in accounts.iter().enumerate() {
            let here = needed.iter().filter(|needed| asked_in(accounts, &needed.resource) == index);
            let here: Vec<Permission> = here.cloned().collect();
            let action = |of: &Permission| Action { action: of.action.clone(), resource: of.resource.clone() };
            let actions = here.iter().map(action).collect();
            match self.look(&Call::Permitted { location: location.clone(), actions, prove }) {
                Ok(Reply::Permitted(permitted)) => answers.extend(here.into_iter().zip(permitted)),
                other => return Err(unseen("what squall is permitted to do", other)),
            }
        }
        Ok(answers)
    }

    /// Measures a signal over one closed window.
    ///
    /// # Errors
    /// Why it could not be measured.
    pub fn measure(&mut self, query: &Query, window: Window) -> Result<Sample, String> {
        match self.look(&Call::Measure { query: query.clone(), window }) {
            Ok(Reply::Sample(sample)) => Ok(sample),
            other => Err(said(other)),
        }
    }

    /// Why a signal cannot be measured, where its account says that it never can be.
    pub fn unmeasurable(&mut self, query: &Query) -> Option<String> {
        let now = self.now();
        let window = Window { from: now - Span::from_secs(60), to: now };
        match self.look(&Call::Measure { query: query.clone(), window }) {
            Err(CallError::Refused { by: RefusedBy::Unsupported, message }) => Some(message),
            _ => None,
        }
    }

    /// What a selector means, by name.
    pub fn resolve(&mut self, location: &Location, selector: &Selector) -> Result<Vec<Resource>, Refusal> {
        self.resolved.push((location.clone(), selector.clone()));
        match self.look(&Call::Resolve { location: location.clone(), selector: selector.clone() }) {
            Ok(Reply::Resources(resources)) => {
                if let SelectBy::Name(name) = &selector.by {
                    self.named.extend(resources.iter().map(|found| (found.clone(), true)));
                    if resources.is_empty() && !name.starts_with("arn:") {
                        self.named.insert(Resource::new(location, selector.kind, name), false);
                    }
                }
                Ok(resources)
            }
            Err(CallError::Refused { by: RefusedBy::Unsupported, message }) => {
                Err(Refusal::new(message, "name something that exists in the account, or use another account"))
            }
            other => Err(Refusal::new(
                format!("{selector} cannot be looked up: {}", said(other)),
                "check that squall may list it, and that the account's region is correct",
            )),
        }
    }

    /// Describes a resource, once. One that is not there stays unseen; the fault that needs it says so.
    pub fn describe(&mut self, resource: &Resource) -> Result<(), Refusal> {
        if self.described.get(resource).is_some() || self.absent.contains(resource) {
            return Ok(());
        }
        match self.look(&Call::Describe { resource: resource.clone() }) {
            Ok(Reply::Description(description)) => {
                self.described.0.insert(resource.clone(), *description);
            }
            Err(CallError::Gone(_)) => {
                self.absent.insert(resource.clone());
            }
            other => return Err(unseen(&format!("{resource}"), other)),
        }
        Ok(())
    }

    /// Describes what `more` asks for, until it asks for nothing new.
    pub fn describe_all(&mut self, more: impl Fn(&Described) -> Vec<Resource>) -> Result<(), Refusal> {
        loop {
            let known = self.described.0.len() + self.absent.len();
            for resource in more(&self.described) {
                self.describe(&resource)?;
            }
            if self.described.0.len() + self.absent.len() == known {
                return Ok(());
            }
        }
    }

    /// What a setting is now.
    pub fn read(&mut self, setting: &Setting) -> Result<Observed, Refusal> {
        match self.look(&Call::Read { setting: setting.clone() }) {
            Ok(Reply::Observed(observed)) => Ok(observed),
            other => Err(unseen(&setting.describe(), other)),
        }
    }

    /// A resource's ARN.
    pub fn arn(&self, resource: &Resource) -> Option<&str> {
        self.described.get(resource).map(Description::arn)
    }
}

/// Which account is asked about an ARN: the one in its account and region, else one in its account, else the first.
fn asked_in(accounts: &[Location], arn: &str) -> usize {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let (region, id) = (parts.get(3).copied().unwrap_or(""), parts.get(4).copied().unwrap_or(""));
    let exact = accounts.iter().position(|at| at.account.number() == id && at.region.as_str() == region);
    exact.or_else(|| accounts.iter().position(|at| at.account.number() == id)).unwrap_or(0)
}

fn unseen(what: &str, outcome: Outcome) -> Refusal {
    Refusal::new(
        format!("{what} cannot be read: {}", said(outcome)),
        "squall changes only what it can read first; check that squall may read it",
    )
}

fn said(outcome: Outcome) -> String {
    outcome.err().map_or_else(|| "a wrong kind of answer".into(), |error| error.to_string())
}
