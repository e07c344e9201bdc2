//! Evidence that cannot appear, said beforehand: what the account measured in the last whole hour is what a fault's effect would have
//! to stand out from. One call of `GetMetricData` for each indicator, over one window.

use super::Draft;
use crate::account::{Location, Metric, Permitted, Query, Resource, Sample, Window};
use crate::faults::FaultSpec;
use crate::judge::effectiveness::ENOUGH;
use crate::judge::foresight::{Expected, Looked, a_minute};
use crate::numbers::{percent, tidy};
use crate::plan::{IndicatorTest, Permission, Purpose, Step};
use crate::project::AccountSpec;
use crate::units::Span;

/// What is looked back at: the last hour of the clock that is over, because CloudWatch keeps long periods by the clock.
const HOUR: Span = Span::from_mins(60);
/// What is published by then.
const PUBLISHED: Span = Span::from_mins(3);
const MINUTE: Span = Span::from_mins(1);
/// At most so many measurements are made; of the steps beyond them nothing is known beforehand.
const MOST: usize = 40;

/// What the past hour says of a share that a fault would raise.
enum Foreseen {
    Shown,
    NoCalls,
    /// Why it would not be told from what happens anyway.
    Hidden(String),
}

impl Draft<'_, '_> {
    /// Warns of each step whose evidence cannot appear. A model of an account has no past; what it does is known to `squall check`.
    pub(super) fn foresee_evidence(&mut self) {
        let has_past = |at: &Location| {
            let account = self.request.rules.account(at);
            account.is_some_and(|account| matches!(account.spec, AccountSpec::Aws(_)))
        };
        // What load adds is not known beforehand.
        if !self.plan.load.is_empty() || !self.plan.accounts.iter().all(has_past) {
            return;
        }
        let mut asked = 0;
        for (step, origin) in self.plan.steps.clone().iter().zip(self.origin.clone()) {
            asked += step.evidence.any.len() + step.hits.len();
            if asked > MOST {
                return;
            }
            match self.foresee(step, origin) {
                Ok(warning) => self.plan.warnings.extend(warning),
                Err(why) => self.plan.warnings.push(format!(
                    "whether {} can be seen to work is not known beforehand, because the last hour could not be measured: {why}",
                    step.fault
                )),
            }
        }
    }

    /// What the user should know of a step's evidence.
    fn foresee(&mut self, step: &Step, origin: usize) -> Result<Option<String>, String> {
        let fault = self.experiment().faults.get(origin).map(|inject| inject.fault.clone());
        let share = match &fault {
            Some(FaultSpec::Error(error)) => error.share.get(),
            Some(FaultSpec::Latency(latency)) => latency.share.get(),
            Some(FaultSpec::Hang(hang)) => hang.share.get(),
            _ => 1.0,
        };
        let mut hidden = Vec::new();
        let mut has_calls = false;
        for indicator in step.evidence.any.iter().filter(|indicator| indicator.test == IndicatorTest::Rises) {
            match self.foresee_share(&indicator.query, share, step)? {
                Foreseen::Shown => return self.foresee_cap(step, fault.as_ref()),
                Foreseen::NoCalls => {}
                Foreseen::Hidden(why) => {
                    has_calls = true;
                    hidden.push(why);
                }
            }
        }
        let has_shares = step.evidence.any.iter().any(|indicator| indicator.test == IndicatorTest::Rises);
        if !has_shares {
            return Ok(None);
        }
        if !has_calls {
            let named = step.hits.iter().map(|hit| hit.name.as_str()).collect::<Vec<_>>().join(", ");
            return Ok(Some(format!(
                "{named} had no call in the last whole hour: without one nothing shows that {} works, and the verdict is unknown",
                step.fault
            )));
        }
        let others = step.evidence.any.iter().any(|indicator| indicator.test == IndicatorTest::Appears);
        let rest = match (&step.evidence.logs, others) {
            (Some(search), _) => format!("only lines in the log of {} can show that it works", search.functions()),
            (None, true) => "only counts of which the baseline has none can show that it works".to_owned(),
            (None, false) => "nothing would show that it works, and the verdict is unknown".to_owned(),
        };
        Ok(Some(format!("{}: {}; {rest}", step.fault, hidden.join("; and "))))
    }

    fn foresee_share(&mut self, query: &Query, share: f64, step: &Step) -> Result<Foreseen, String> {
        let Sample { value: Some(before), of: Some(of) } = self.past_hour(query)? else { return Ok(Foreseen::NoCalls) };
        let calls = of as f64 / (HOUR.secs_f64() / 60.0);
        let expected = Expected { calls, before, after: before + share * (1.0 - before) };
        let minutes = |span: Span| usize::try_from(span.micros() / MINUTE.micros()).unwrap_or(0);
        let tests: usize = self.plan.steps.iter().map(|step| step.evidence.any.len()).sum();
        let baseline = minutes(self.plan.baseline + self.plan.baseline_settles());
        // The fault goes in within a minute.
        let looked = Looked { baseline, fault: minutes(step.lasts).saturating_sub(1).max(1), tests };
        // Of a baseline that is too short another warning tells.
        if baseline < ENOUGH || expected.is_shown(looked) {
            return Ok(Foreseen::Shown);
        }
        Ok(Foreseen::Hidden(format!(
            "in the last whole hour the {query} was {} of {} a minute, and with the fault it would be {}, which {} of it cannot show; {}",
            percent(before),
            a_minute(calls),
            percent(expected.after),
            step.lasts,
            expected.remedy(looked, None)
        )))
    }

    /// A cap on what runs at one time that the past hour did not reach.
    fn foresee_cap(&mut self, step: &Step, fault: Option<&FaultSpec>) -> Result<Option<String>, String> {
        let Some(FaultSpec::Throttle(throttle)) = fault else { return Ok(None) };
        let mut warning = None;
        for function in &step.hits {
            let query =
                Query { metric: Metric::Concurrency, resource: Resource { qualifier: None, ..function.clone() } };
            if let Some(most) = self.past_hour(&query)?.value
                && most <= f64::from(throttle.concurrency)
            {
                warning = Some(format!(
                    "at most {} of {} ran at one time in the last whole hour: a cap of {} would not have been reached, and nothing would show it",
                    tidy(most),
                    function.name,
                    throttle.concurrency
                ));
            }
        }
        Ok(warning)
    }

    fn past_hour(&mut self, query: &Query) -> Result<Sample, String> {
        let to = (self.survey.now() - PUBLISHED).window_start(HOUR);
        self.survey.measure(query, Window { from: to - HOUR, to })
    }

    /// Logs that may not be searched show nothing: the measurements are left.
    pub(super) fn warn_of_unsearchable_logs(&mut self) {
        let of_logs =
            |permission: &&Permission| permission.purpose == Purpose::Measure && permission.action == "logs:StartQuery";
        let needed: Vec<Permission> = self.plan.permissions.iter().filter(of_logs).cloned().collect();
        if needed.is_empty() {
            return;
        }
        let Ok(answers) = self.survey.permitted(&self.plan.accounts, &needed, false) else { return };
        for (permission, answer) in answers {
            if let Permitted::No(why) = answer {
                self.plan.warnings.push(format!(
                    "squall may not search {} ({}: {why}): what only its lines would show is not seen",
                    permission.resource, permission.action
                ));
            }
        }
    }
}
