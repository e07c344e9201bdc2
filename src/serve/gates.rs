//! Gates of schedules, without IO of their own: what the store's history allows, and which plan was approved.

pub mod command;
#[cfg(feature = "serve")]
pub mod webhook;

use std::collections::{BTreeMap, BTreeSet};

use super::gate::WEEK;
use crate::account::target::SelectBy;
use crate::account::{Account, Location, Metric, Query, ResourceKind, Selector, Window};
use crate::ids::{RunId, ScheduleName};
use crate::plan::Plan;
use crate::planner::survey::Survey;
use crate::run::Recorded;
use crate::run::event::Event;
use crate::schedule::gates::Approval;
use crate::store::approvals::ApprovalRow;
use crate::store::{JournalKind, Store, StoreError};
use crate::units::{Span, Time};

/// The runs of the last seven days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Week {
    /// How many began.
    pub runs: u32,
    /// How long their faults lasted, all together.
    pub injected: Span,
}

impl Week {
    /// From the journals of the store, of whatever experiment, scheduled or by hand.
    ///
    /// # Errors
    /// A journal cannot be read: it is not known how much was injected.
    pub fn of(store: &dyn Store, now: Time) -> Result<Week, StoreError> {
        let mut week = Week::default();
        for row in store.runs()? {
            let recent = row.started.is_some_and(|started| started > now - WEEK);
            if recent && row.kind == JournalKind::Run {
                week.runs += 1;
                week.injected = week.injected + injected(&store.events(&row.run)?);
            }
        }
        Ok(week)
    }

    /// Why one run more is too many.
    pub fn too_many_runs(&self, most: u32) -> Option<String> {
        (self.runs >= most).then(|| format!("`runs_a_week: {most}`: {} began within seven days", self.runs))
    }

    /// Why the faults of a plan are too many.
    pub fn too_much_injected(&self, most: Span, plan: &Plan) -> Option<String> {
        let more: Span = plan.steps.iter().map(|step| step.lasts).fold(Span::ZERO, |sum, lasts| sum + lasts);
        (self.injected + more > most).then(|| {
            let before = self.injected;
            format!("`injected_a_week: {most}`: {before} of faults within seven days, and this run has {more} more")
        })
    }
}

/// For how long a run's faults were in: each change from its intent until it is settled, each step's messages while they are sent.
/// What overlaps counts for each, as it does in a plan.
fn injected(events: &[Recorded]) -> Span {
    let mut total = Span::ZERO;
    let mut begun: BTreeMap<u32, Time> = BTreeMap::new();
    let mut sent: BTreeMap<usize, (Time, Time)> = BTreeMap::new();
    let mut plan: Option<&Plan> = None;
    for Recorded { at, event, .. } in events {
        match event {
            Event::Started { plan: started, .. } => plan = Some(started),
            Event::Changing { change } => {
                let lock =
                    plan.and_then(|plan| plan.changes.get(change)).is_some_and(|change| change.setting.is_lock());
                if !lock {
                    begun.entry(change.0).or_insert(*at);
                }
            }
            Event::Settled { change, .. } => {
                if let Some(since) = begun.remove(&change.0) {
                    total = total + at.since(since);
                }
            }
            Event::Sending { step, .. } => drop(sent.entry(*step).or_insert((*at, *at))),
            Event::Sent { step, .. } => {
                if let Some((_, until)) = sent.get_mut(step) {
                    *until = *at;
                }
            }
            _ => {}
        }
    }
    // What was never settled lasts on; up to the last event is what is known.
    let last = events.last().map_or(Time::EPOCH, |last| last.at);
    let open = begun.values().map(|since| last.since(*since));
    let messages = sent.values().map(|(from, until)| until.since(*from));
    open.chain(messages).fold(total, |sum, span| sum + span)
}

/// A plan that people approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    /// Its hash.
    pub plan: String,
    /// The seed that gives it.
    pub seed: u64,
    /// Who approved it.
    pub by: BTreeSet<String>,
}

/// The approvals of a schedule, without those of people whose token was revoked since.
///
/// # Errors
/// The store cannot be read.
pub fn approvals(store: &dyn Store, schedule: &ScheduleName) -> Result<Vec<ApprovalRow>, StoreError> {
    let tokens = store.tokens()?;
    let revoked = |by: &str| tokens.iter().any(|token| token.name.to_string() == by && token.revoked.is_some());
    Ok(store.approvals(schedule)?.into_iter().filter(|row| !revoked(&row.by)).collect())
}

/// The plan with the most approvals that still count, the newest of several; a person counts once.
pub fn approved(rows: &[ApprovalRow], rule: &Approval, asked_by: Option<&str>, now: Time) -> Option<Approved> {
    let mut plans: BTreeMap<(&str, u64), (BTreeSet<String>, Time)> = BTreeMap::new();
    for row in rows.iter().filter(|row| counts(row, rule, asked_by, now)) {
        let (by, newest) = plans.entry((&row.plan, row.seed)).or_insert((BTreeSet::new(), row.at));
        by.insert(row.by.clone());
        *newest = (*newest).max(row.at);
    }
    let best = plans.into_iter().max_by_key(|(_, (by, newest))| (by.len(), *newest))?;
    let ((plan, seed), (by, _)) = best;
    Some(Approved { plan: plan.to_owned(), seed, by })
}

/// The seed of the newest approval that still counts: the next person is shown the same plan.
pub fn open_seed(rows: &[ApprovalRow], rule: &Approval, now: Time) -> Option<u64> {
    rows.iter().filter(|row| counts(row, rule, None, now)).max_by_key(|row| row.at).map(|row| row.seed)
}

fn counts(row: &ApprovalRow, rule: &Approval, asked_by: Option<&str>, now: Time) -> bool {
    let own = rule.approvers >= 2 && asked_by == Some(row.by.as_str());
    row.used.is_none() && !own && now < row.at + rule.expires
}

/// Why approvals are too few, if they are.
pub fn too_few(approved: Option<&Approved>, rule: &Approval) -> Option<String> {
    let have = approved.map_or(0, |approved| approved.by.len());
    (have < rule.approvers as usize).then(|| {
        let names = approved.map(|approved| approved.by.iter().cloned().collect::<Vec<_>>().join(", "));
        let names = names.map_or_else(String::new, |names| format!(" ({names})"));
        format!("`approval`: {have} of {} approvals{names}; run `squall approve`", rule.approvers)
    })
}

/// Why an alarm is not quiet, if it is not: in ALARM, without data, warming up, disabled, muted, or not there.
pub fn loud(account: &mut dyn Account, location: &Location, name: &str) -> Option<String> {
    let mut survey = Survey::of(account);
    let selector = Selector { kind: ResourceKind::Alarm, by: SelectBy::Name(name.to_owned()) };
    let alarm = match survey.resolve(location, &selector) {
        Ok(found) => found.into_iter().next(),
        Err(refusal) => return Some(refusal.what),
    };
    let Some(resource) = alarm else { return Some(format!("`alarms_quiet`: there is no alarm {name}")) };
    let to = survey.now();
    let window = Window { from: to - Span::from_secs(60), to };
    match survey.measure(&Query { metric: Metric::AlarmState, resource }, window) {
        Err(why) => Some(format!("`alarms_quiet`: {name}: {why}")),
        Ok(sample) => match sample.value {
            Some(0.0) => None,
            Some(_) => Some(format!("`alarms_quiet`: {name} is in ALARM")),
            None => Some(format!("`alarms_quiet`: {name} has too little data, or is warming up")),
        },
    }
}

/// What a gate outside of squall is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub schedule: String,
    pub experiment: String,
    pub run: RunId,
    /// The hash of the plan.
    pub plan: String,
}

#[cfg(test)]
mod tests;
