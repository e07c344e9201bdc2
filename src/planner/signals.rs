//! What is watched and what is driven: hypotheses, guards' conditions and load, with their names resolved.

use super::Draft;
use super::target::subject;
use crate::account::{Description, Metric, Query, Resource, ResourceKind};
use crate::faults::Refusal;
use crate::guard::AccountRules;
use crate::judge::bound::Bound;
use crate::plan::{AbortCondition, LoadPlan, SignalPlan};
use crate::project::AccountSpec;
use crate::spec::experiment::{Judged, Load};
use crate::spec::sentence::{Sentence, Subject};
use crate::units::{Rate, Span};

/// How often a guard's condition is looked at: as often as there is something new to see.
const LOOK_AT_COUNTS: Span = Span::from_secs(10);
const LOOK_AT_METRICS: Span = Span::from_secs(60);
/// How often an alarm that is observed only is looked at.
const LOOK_AT_ALARMS: Span = Span::from_secs(60);

impl Draft<'_, '_> {
    /// Every hypothesis as signals, and every condition to stop at.
    pub(super) fn plan_signals(&mut self) {
        let experiment = self.experiment();
        let named = &self.request.files.hypotheses;
        let hypotheses = named.iter().map(|(name, file)| (name.clone(), file.value.clone())).collect();
        for (index, item) in experiment.hypotheses.iter().enumerate() {
            let judged = item.judged(&hypotheses);
            if judged.is_empty() {
                let refusal = Refusal::new("this hypothesis has no signal that can be judged", "add a signal");
                self.object(format!("hypotheses/{index}"), refusal);
            }
            for signal in judged {
                self.plan_signal(&format!("hypotheses/{index}"), &signal);
            }
        }
        self.plan_watched_alarms();
        for sentence in experiment.guards.stop_when.0.iter().map(|condition| &condition.0) {
            for query in self.queries("guards/stop_when", sentence) {
                let direct = query.metric.delay() == Span::ZERO;
                self.plan.stops.push(AbortCondition {
                    title: sentence.text.clone(),
                    query,
                    bound: sentence.bound,
                    every: if direct { LOOK_AT_COUNTS } else { LOOK_AT_METRICS },
                });
            }
        }
    }

    fn plan_signal(&mut self, path: &str, judged: &Judged) {
        let planned = |query: Query| SignalPlan {
            hypothesis: judged.hypothesis.clone(),
            title: judged.signal.text.clone(),
            settles: query.metric.delay(),
            query,
            bound: judged.signal.bound,
            every: judged.every,
            tolerating: judged.signal.tolerates(),
            must_catch: judged.must_catch,
            stop_at: judged.signal.stop_at,
            control: None,
            during_fault: judged.during_fault,
        };
        let queries = self.queries(path, &judged.signal);
        let unfit: Vec<Refusal> = queries.iter().filter_map(|query| self.unfit_window(query, judged.every)).collect();
        unfit.into_iter().for_each(|refusal| self.object(path, refusal));
        let signals: Vec<SignalPlan> = queries.into_iter().map(planned).collect();
        let control = judged.signal.control.as_ref().and_then(|control| self.plan_control(path, judged, control));
        self.plan.signals.extend(signals.into_iter().map(|signal| SignalPlan { control, ..signal }));
    }

    /// The signal that others are compared with, which no fault may touch.
    fn plan_control(&mut self, path: &str, judged: &Judged, control: &Subject) -> Option<usize> {
        match self.queries_of(path, judged.signal.metric, control).as_slice() {
            [query] => {
                let title = query.to_string();
                let watched = SignalPlan::watched("control", title, query.clone(), judged.every);
                Some(self.watched(watched))
            }
            [] => None,
            several => {
                let refusal = Refusal::new(
                    format!("`{}` is {} resources; a control is one resource", control.name, several.len()),
                    "name one resource with similar traffic that the faults do not touch",
                );
                self.object(path, refusal);
                None
            }
        }
    }

    /// The number of a signal that is observed only; one that is there already is watched once.
    fn watched(&mut self, signal: SignalPlan) -> usize {
        let alike = |other: &SignalPlan| {
            other.bound == Bound::Watched && other.query == signal.query && other.every == signal.every
        };
        self.plan.signals.iter().position(alike).unwrap_or_else(|| {
            self.plan.signals.push(signal);
            self.plan.signals.len() - 1
        })
    }

    /// The alarms that are watched beside those of the hypotheses.
    fn plan_watched_alarms(&mut self) {
        for (index, name) in self.experiment().watch.iter().enumerate() {
            let alarm = Subject { name: name.0.clone(), kind: None };
            for query in self.queries_of(&format!("watch/{index}"), Metric::AlarmState, &alarm) {
                if !self.plan.signals.iter().any(|signal| signal.query == query) {
                    let title = query.to_string();
                    self.plan.signals.push(SignalPlan::watched("watched", title, query, LOOK_AT_ALARMS));
                }
            }
        }
    }

    /// A fault on a control would make it no measure of anything.
    pub(super) fn refuse_touched_controls(&mut self) {
        let hits = self.plan.hits();
        let compared = self.plan.signals.iter().filter_map(|signal| Some((signal, signal.control?)));
        let touched: Vec<Refusal> = compared
            .filter_map(|(signal, control)| {
                let control = &self.plan.signals.get(control)?.query.resource;
                hits.contains(control).then(|| {
                    Refusal::new(
                        format!("{control} is hit by the faults itself, so `{}` has no valid comparison", signal.title),
                        "name a resource that no fault of this experiment affects",
                    )
                })
            })
            .collect();
        touched.into_iter().for_each(|refusal| self.object("hypotheses", refusal));
    }

    /// What a sentence measures: one query for each resource that its subject means.
    fn queries(&mut self, path: &str, sentence: &Sentence) -> Vec<Query> {
        self.queries_of(path, sentence.metric, &sentence.subject)
    }

    fn queries_of(&mut self, path: &str, metric: Metric, of: &Subject) -> Vec<Query> {
        let account = &self.request.files.account;
        let found = self
            .location(account)
            .and_then(|location| subject(of, metric, &self.targets, (account, &location), &mut self.survey));
        match found {
            Ok(resources) => resources.into_iter().filter_map(|resource| self.query(path, metric, resource)).collect(),
            Err(refusal) => {
                self.object(path, refusal);
                Vec::new()
            }
        }
    }

    /// A probe's account says when its values are final.
    fn query(&mut self, path: &str, metric: Metric, resource: Resource) -> Option<Query> {
        let Metric::Value { .. } = metric else { return Some(Query { metric, resource }) };
        if let Err(refusal) = self.survey.describe(&resource) {
            self.object(path, refusal);
            return None;
        }
        match self.survey.described.get(&resource) {
            Some(Description::Probe { settles, .. }) => {
                Some(Query { metric: Metric::Value { settles: *settles }, resource })
            }
            _ => {
                let refusal = Refusal::new(
                    format!("account {} has no {resource}", self.request.rules.nickname(&resource.location)),
                    "define it under `probes` of the account in squall.yaml",
                );
                self.object(path, refusal);
                None
            }
        }
    }

    /// Of the other metrics `squall check` tells.
    fn unfit_window(&self, query: &Query, every: Span) -> Option<Refusal> {
        let Some(Description::Probe { by_the_minute: true, .. }) = self.survey.described.get(&query.resource) else {
            return None;
        };
        (every.micros() % Span::from_mins(1).micros() != 0).then(|| {
            Refusal::new(
                format!("`{query}` has one value for each whole minute, not for windows of {every}"),
                "write `every: 1m`, `2m` or `5m`",
            )
        })
    }

    /// The requests that squall makes itself.
    pub(super) fn plan_load(&mut self) {
        for (index, load) in self.experiment().load.iter().enumerate() {
            let taken = self.targets.get(&load.to).map(|picked| picked.taken.clone()).unwrap_or_default();
            for target in taken {
                if !matches!(target.kind, ResourceKind::Api | ResourceKind::Function | ResourceKind::Queue) {
                    let refusal = Refusal::new(
                        format!("squall cannot send load to a {}", target.kind.word()),
                        "send load to an API, a function or a queue",
                    );
                    self.object(format!("load/{index}/to"), refusal);
                    continue;
                }
                let (from, to) = load.rate.bounds();
                self.plan.load.push(LoadPlan { target, from, to, at_most: load.at_most });
            }
            let warnings = self.doubts_about(load);
            self.plan.warnings.extend(warnings);
        }
    }

    /// A phase without requests is never judged as held.
    fn doubts_about(&self, load: &Load) -> Vec<String> {
        let (from, to) = load.rate.bounds();
        let length = self.plan.length() + self.experiment().faults_end();
        let mut doubts = Vec::new();
        if from == Rate::default() || to == Rate::default() {
            doubts.push(format!(
                "the load on {} begins or ends at zero: a phase without requests makes the verdict unknown",
                load.to
            ));
        }
        let wanted = (from.get() + to.get()) / 2.0 * length.secs_f64();
        if wanted > f64::from(load.at_most) {
            doubts.push(format!(
                "the load on {} stops after {} requests, and the run would take {wanted:.0}: a phase without requests makes \
                 the verdict unknown",
                load.to, load.at_most
            ));
        }
        let target = self.targets.get(&load.to).and_then(|picked| picked.taken.first());
        let rules = target.and_then(|target| self.request.rules.account(&target.location));
        if target.is_some_and(|target| target.kind == ResourceKind::Api)
            && matches!(rules, Some(AccountRules { spec: AccountSpec::Aws(_), .. }))
        {
            doubts.push(format!(
                "the load on {} requests `GET /` of the api: without such a route it gets 404 and reaches no function",
                load.to
            ));
        }
        if target.is_some_and(|target| target.kind == ResourceKind::Queue) {
            doubts.push(format!("the load's messages to {} are left to the application: nothing sweeps them", load.to));
        }
        doubts
    }
}
