//! Asking the faults, and numbering what they would do.

use std::collections::{BTreeMap, BTreeSet};

use super::Draft;
use crate::account::{Identity, Location, Observed, Resource, Setting, Value};
use crate::faults::{Dependency, Fault, FaultPlan, OtherFault, PlannedChange, Refusal, Scene, all, listed};
use crate::ids::FaultName;
use crate::plan::{Change, ChangeId, Cleanup, Emission, LATENESS, Step};
use crate::units::Span;
use crate::yaml::TargetName;

/// One fault of the experiment with what it would do.
struct PlannedFault {
    index: usize,
    plans: Vec<FaultPlan>,
}

impl Draft<'_, '_> {
    /// Every fault's steps, locks and changes, in the order of the timeline.
    pub(super) fn plan_steps(&mut self) {
        let described = self.describe_for_faults();
        let mut order: Vec<usize> = (0..self.experiment().faults.len()).collect();
        order.sort_by_key(|index| self.experiment().faults.get(*index).map(|inject| inject.at));
        order.retain(|index| described.contains(index));
        // Twice: what the first answers say is what the others do. A fault says no in the second round alone, when it
        // knows all others.
        let mut first: Vec<PlannedFault> = Vec::new();
        for index in &order {
            if let Ok(plans) = self.ask(*index, &self.others(*index, &order, &first)) {
                first.push(PlannedFault { index: *index, plans });
            }
        }
        let mut asked = Vec::new();
        for index in order.clone() {
            match self.ask(index, &self.others(index, &order, &first)) {
                Ok(plans) => asked.push(PlannedFault { index, plans }),
                Err(refusals) => {
                    refusals.into_iter().for_each(|refusal| self.object(format!("faults/{index}/inject"), refusal));
                    self.name_the_holder(index);
                }
            }
        }
        for PlannedFault { index, plans } in asked {
            for plan in plans {
                self.add_step(index, plan);
            }
        }
    }

    /// What the faults but one do, in the order of the timeline.
    fn others(&self, index: usize, order: &[usize], known: &[PlannedFault]) -> Vec<OtherFault> {
        let this = order.iter().position(|at| *at == index);
        let mut others = Vec::new();
        for asked in known.iter().filter(|asked| asked.index != index) {
            let Some(inject) = self.experiment().faults.get(asked.index) else { continue };
            let from = self.faults_from() + inject.at;
            others.push(OtherFault {
                name: FaultName(inject.fault.key().to_owned()),
                is_earlier: order.iter().position(|at| *at == asked.index) < this,
                from,
                until: from + inject.lasts,
                changes: asked.plans.iter().flat_map(|plan| plan.changes.clone()).collect(),
                emissions: asked.plans.iter().filter_map(|plan| plan.emission.clone()).collect(),
            });
        }
        others
    }

    /// What a fault aims at may be so because another run made it so: then its lock is there, and says who.
    fn name_the_holder(&mut self, index: usize) {
        let Some(inject) = self.experiment().faults.get(index) else { return };
        let targets = self.taken(inject.fault.fault().target());
        let parameter = |target: &Resource| self.survey.described.function(target)?.fault_parameter().cloned();
        let parameters: Vec<Resource> = targets.iter().filter_map(parameter).collect();
        for resource in targets.into_iter().chain(parameters) {
            if let Ok(Observed { value: Value::Text(text), .. }) =
                self.survey.read(&Setting::Lock { resource: resource.clone() })
            {
                self.object("faults", super::locked(&resource, &text, self.request.rules));
            }
        }
    }

    /// Lets every fault look around; says which of them could.
    fn describe_for_faults(&mut self) -> BTreeSet<usize> {
        let mut described = BTreeSet::new();
        for (index, inject) in self.experiment().faults.iter().enumerate() {
            let fault = inject.fault.fault();
            let targets = self.taken(fault.target());
            let looked =
                self.survey.describe_all(|seen| targets.iter().flat_map(|target| fault.look(target, seen)).collect());
            match looked {
                Ok(()) => drop(described.insert(index)),
                Err(refusal) => self.object(format!("faults/{index}/inject"), refusal),
            }
        }
        described
    }

    fn taken(&self, name: &TargetName) -> Vec<Resource> {
        self.targets.get(name).map(|picked| picked.taken.clone()).unwrap_or_default()
    }

    /// Asks one fault for its plans: one scene for each account that its targets are in.
    fn ask(&self, index: usize, others: &[OtherFault]) -> Result<Vec<FaultPlan>, Vec<Refusal>> {
        let Some(inject) = self.experiment().faults.get(index) else { return Ok(Vec::new()) };
        let fault = inject.fault.fault();
        let targets = self.taken(fault.target());
        let mut against: Vec<Refusal> = fault.flaws().into_iter().map(Refusal::from).collect();
        against.extend(check_kinds(fault, &targets).err());
        against.extend(check_qualifiers(fault, &targets).err());
        if !against.is_empty() {
            return Err(against);
        }
        let mentioned: BTreeMap<TargetName, Vec<Resource>> =
            fault.mentions().into_iter().map(|name| (name.clone(), self.taken(name))).collect();
        let needed = self.needed(index);
        let from = self.faults_from() + inject.at;
        let locations: BTreeSet<&Location> = targets.iter().map(|target| &target.location).collect();
        let mut asked = Vec::new();
        for location in locations {
            let Some(identity) = self.identity(location) else { continue };
            let here: Vec<Resource> = targets.iter().filter(|target| target.location == *location).cloned().collect();
            asked.push(fault.plan(&Scene {
                run: &self.plan.run,
                number: index + 1,
                from,
                until: from + inject.lasts,
                late: LATENESS + self.plan.longer_baseline(),
                targets: &here,
                mentioned: &mentioned,
                described: &self.survey.described,
                identity,
                needed: &needed,
                others,
                seed: self.request.seed.wrapping_add(index as u64),
            }));
        }
        Ok(all(asked)?.concat())
    }

    /// Who squall is where a resource is; what is global is reached through any region of its account.
    fn identity(&self, location: &Location) -> Option<&Identity> {
        let identities = &self.survey.identities;
        let of_account = || identities.iter().find(|(known, _)| known.account == location.account);
        identities.get(location).or_else(|| of_account().map(|(_, identity)| identity))
    }

    /// What must stay permitted while a fault is in: what wrappers need, and what faults need that have begun by then
    /// and may not be over.
    fn needed(&self, index: usize) -> Vec<Dependency> {
        let mut needed: Vec<Dependency> =
            self.survey.described.0.keys().filter_map(|function| self.wrapper_need(function)).collect();
        let faults = &self.experiment().faults;
        let Some(this) = faults.get(index) else { return needed };
        for (_, other) in
            faults.iter().enumerate().filter(|(at, other)| *at != index && other.at < this.at + this.lasts)
        {
            let fault = other.fault.fault();
            for target in self.taken(fault.target()) {
                needed.extend(fault.needs(&target, &self.survey.described));
            }
        }
        needed
    }

    /// A wrapper that cannot read its flags keeps the last ones, or starts without them.
    fn wrapper_need(&self, resource: &Resource) -> Option<Dependency> {
        let function = self.survey.described.function(resource)?;
        let parameter = function.fault_parameter()?;
        Some(Dependency {
            role: function.role.clone(),
            action: "ssm:GetParameter".into(),
            arn: self.survey.arn(parameter).map(str::to_owned),
            why: format!("the fault wrapper of {} reads its flags, also when a fault ends", resource.name),
        })
    }

    /// Numbers what a fault would do, with a lock before the first change to each resource.
    fn add_step(&mut self, index: usize, plan: FaultPlan) {
        let Some(inject) = self.experiment().faults.get(index) else { return };
        let path = format!("faults/{index}/inject");
        let emission = plan.emission.map(|emission| self.numbered(emission));
        if let Some(emission) = &emission {
            self.lock(&emission.queue);
            if let Cleanup::Sweep { dead_letter, .. } = &emission.cleanup {
                self.lock(dead_letter);
            }
        }
        let mut changes = Vec::new();
        for planned in plan.changes {
            match self.survey.read(&planned.setting) {
                Ok(before) if planned.setting.same(&before.value, &planned.after) => {
                    let refusal = Refusal::new(
                        format!(
                            "the {} is already {}: nothing would change",
                            planned.setting,
                            planned.setting.shown(&planned.after)
                        ),
                        "choose another value, or find out who set it",
                    );
                    self.object(&path, refusal);
                    self.name_the_holder(index);
                }
                Ok(before) => {
                    self.lock(planned.setting.resource());
                    changes.push(self.number(change(planned, before)));
                }
                Err(refusal) => self.object(&path, refusal),
            }
        }
        self.plan.warnings.extend(plan.warnings);
        self.origin.push(index);
        self.plan.steps.push(Step {
            fault: FaultName(inject.fault.key().to_owned()),
            summary: plan.summary,
            hits: plan.hits,
            at: inject.at,
            lasts: inject.lasts,
            changes,
            emission,
            evidence: plan.evidence,
        });
    }

    /// Messages are numbered through the whole run.
    fn numbered(&self, emission: Emission) -> Emission {
        let sent: usize = self.plan.steps.iter().filter_map(|s| s.emission.as_ref()).map(|e| e.bodies.len()).sum();
        Emission { first: u32::try_from(sent + 1).unwrap_or(u32::MAX), ..emission }
    }

    fn number(&mut self, change: Change) -> ChangeId {
        let id = ChangeId(u32::try_from(self.plan.changes.len() + 1).unwrap_or(u32::MAX));
        self.plan.changes.insert(id, change);
        id
    }

    fn lock(&mut self, resource: &Resource) {
        let locked = Setting::Lock { resource: resource.clone() };
        if !self.plan.changes.values().any(|change| change.setting == locked) {
            // Its text is written when everything that it must hold has its number.
            self.number(Change {
                setting: locked,
                before: Value::Unset,
                after: Value::Unset,
                whole_before: None,
                expires: None,
                takes_effect_within: Span::ZERO,
                lasts_after: Span::ZERO,
            });
        }
    }
}

fn change(planned: PlannedChange, before: Observed) -> Change {
    Change {
        setting: planned.setting,
        before: before.value,
        after: planned.after,
        whole_before: before.whole,
        expires: planned.expires,
        takes_effect_within: planned.takes_effect_within,
        lasts_after: planned.lasts_after,
    }
}

/// A target of another kind than the fault acts on.
fn check_kinds(fault: &dyn Fault, targets: &[Resource]) -> Result<(), Refusal> {
    let page = fault.page();
    match targets.iter().find(|target| !page.kinds.contains(&target.kind)) {
        None => Ok(()),
        Some(other) => Err(Refusal::new(
            format!("{} acts on a {}, but target {} is {other}", page.name, kinds(fault), fault.target()),
            format!("choose a {} as its target", kinds(fault)),
        )),
    }
}

/// No fault acts on an alias or a version alone: what each of them changes is the whole function's.
fn check_qualifiers(fault: &dyn Fault, targets: &[Resource]) -> Result<(), Refusal> {
    match targets.iter().find(|target| target.qualifier.is_some()) {
        None => Ok(()),
        Some(qualified) => Err(Refusal::new(
            format!("{} acts on the whole function, but target {} is {qualified}", fault.page().name, fault.target()),
            format!("write `function: {}` to act on all of it; signals can stay on {qualified}", qualified.name),
        )),
    }
}

fn kinds(fault: &dyn Fault) -> String {
    listed(fault.page().kinds.iter().map(|kind| kind.word())).replace(" and ", " or a ")
}
