//! The dead-man switch: a second actor in the account, with calls of its own and the course of the real one.
//!
//! It is always deployed and may touch everything. Its calls share no limit with squall's; weather of its own makes them fail.

use super::chance::Chance;
use super::event::Event;
use super::settings::refused;
use super::world::World;
use crate::account::switch::{Acted, Deployed, Deployment, Order, OrderedChange, SwitchState, in_input};
use crate::account::{Call, CallError, Observed, RefusedBy, Setting, Value, Write};
use crate::deadman::course::{Answer, How, Next, Seen, Task, Walk};
use crate::units::Span;

/// From one call of an execution to the next.
const STEP: Span = Span::from_millis(100);
/// A call of the switch that has no answer is given up after this.
const GIVES_UP: Span = Span::from_secs(10);

/// The executions of a world.
#[derive(Clone, Debug)]
pub(super) struct Switches {
    deployed: bool,
    executions: Vec<Execution>,
    chance: Chance,
}

/// One execution.
#[derive(Clone, Debug)]
struct Execution {
    order: Order,
    state: SwitchState,
    /// What it does about each resource, once it is awake.
    works: Vec<Work>,
}

#[derive(Clone, Debug)]
struct Work {
    walk: Walk,
    waits: bool,
    /// What the last look at a setting found.
    observed: Option<Observed>,
    told: bool,
}

impl Switches {
    pub fn new(seed: u64) -> Switches {
        Switches { deployed: true, executions: Vec::new(), chance: Chance::of(seed, "switch") }
    }

    /// What is deployed.
    pub fn deployment(&self) -> Deployment {
        match self.deployed {
            true => Deployment::Ready(Deployed { reach: None, reads_variables: true }),
            false => Deployment::Missing,
        }
    }

    /// What is to be kept. One that is at work begins again at its first look, which does no harm.
    pub fn stored(&self) -> Vec<(Order, SwitchState)> {
        self.executions.iter().map(|execution| (execution.order.clone(), execution.state.clone())).collect()
    }
}

impl World {
    /// The same world without a dead-man switch.
    #[must_use]
    pub fn without_switch(mut self) -> World {
        self.switches.deployed = false;
        self
    }

    /// Every execution of the dead-man switch by its name, and what became of it.
    pub fn switch_states(&self) -> Vec<(String, SwitchState)> {
        let executions = self.switches.executions.iter();
        executions.map(|execution| (execution.order.name.clone(), execution.state.clone())).collect()
    }

    pub(super) fn arm_switch(&mut self, order: Order) -> Result<(), CallError> {
        if !self.switches.deployed {
            return refused(RefusedBy::Invalid, "StateMachineDoesNotExist: there is no dead-man switch");
        }
        let named = self.switches.executions.iter().find(|execution| execution.order.name == order.name);
        match named {
            Some(one) if one.order == order && one.state == SwitchState::Armed => Ok(()),
            Some(_) => refused(RefusedBy::Invalid, format!("ExecutionAlreadyExists: {}", order.name)),
            None => {
                self.put_switch(order, SwitchState::Armed);
                Ok(())
            }
        }
    }

    /// Lets there be an execution.
    pub(super) fn put_switch(&mut self, order: Order, state: SwitchState) {
        let execution = u32::try_from(self.switches.executions.len()).unwrap_or(u32::MAX);
        if state == SwitchState::Armed {
            let wakes = order.until.max(self.now) + self.sky.weather.switch_late;
            self.agenda.at(wakes, Event::SwitchWakes { execution });
        }
        self.switches.executions.push(Execution { order, state, works: Vec::new() });
    }

    pub(super) fn disarm_switch(&mut self, name: &str) -> SwitchState {
        let Some(one) = self.switches.executions.iter_mut().find(|execution| execution.order.name == name) else {
            return SwitchState::Missing;
        };
        if one.state == SwitchState::Armed {
            one.state = SwitchState::Stopped;
        }
        one.state.clone()
    }

    pub(super) fn switch_wakes(&mut self, execution: u32) {
        let Some(one) = self.switches.executions.get_mut(execution as usize) else { return };
        if one.state != SwitchState::Armed {
            return;
        }
        let of = |walk| Work { walk, waits: false, observed: None, told: true };
        let walks = one.order.resources.iter().map(|ordered| Walk::new(ordered.changes.len(), ordered.unlocks));
        one.works = walks.map(of).collect();
        for resource in 0..u32::try_from(one.works.len()).unwrap_or(u32::MAX) {
            self.agenda.at(self.now + STEP, Event::SwitchActs { execution, resource });
        }
    }

    /// One call, or the begin or end of a wait.
    pub(super) fn switch_acts(&mut self, execution: u32, resource: u32) {
        let Some(one) = self.switches.executions.get(execution as usize) else { return };
        let Some(mut work) = one.works.get(resource as usize).cloned() else { return };
        if one.state != SwitchState::Armed {
            return;
        }
        if std::mem::take(&mut work.waits) {
            work.walk.waited();
        }
        let next = match work.walk.next_call() {
            Next::Over => None,
            Next::Wait(span) => {
                work.waits = true;
                Some(span)
            }
            Next::Call(task, number) => {
                let answer = self.switch_calls(execution, resource, task, number, &mut work);
                work.walk.answered(answer);
                Some(STEP)
            }
        };
        if let Some(one) = self.switches.executions.get_mut(execution as usize) {
            one.works[resource as usize] = work;
            match next {
                Some(span) => self.agenda.at(self.now + span, Event::SwitchActs { execution, resource }),
                None => one.conclude(),
            }
        }
    }

    fn switch_calls(&mut self, execution: u32, resource: u32, task: Task, number: usize, work: &mut Work) -> Answer {
        let order = &self.switches.executions[execution as usize].order;
        let ordered = &order.resources[resource as usize];
        let lock = Setting::Lock { resource: ordered.resource.clone() };
        let change = ordered.changes.get(number).cloned();
        let (run, unlocked) = (order.run.0.clone(), Write { setting: lock.clone(), value: Value::Unset, whole: None });
        let fails = self.switches.chance.happens(self.sky.weather.switch_failing);
        match (task, change) {
            (Task::ReadLock | Task::Read | Task::Notify, _) if fails => {
                work.told &= task != Task::Notify;
                Answer::Failed
            }
            (Task::ReadLock, _) => match self.switch_looks(&lock) {
                Ok(Observed { value: Value::Text(text), .. }) => {
                    let said: Option<serde_json::Value> = serde_json::from_str(&text).ok();
                    let ours = said.is_some_and(|said| said["run"] == run.as_str());
                    Answer::Done(if ours { Seen::OurLock } else { Seen::OtherLock })
                }
                Ok(_) | Err(CallError::Gone(_)) => Answer::Gone,
                Err(_) => Answer::Failed,
            },
            (Task::Read, Some(change)) => match self.switch_looks(&change.setting) {
                Ok(observed) => {
                    let seen = seen(&change, &observed.value);
                    work.observed = Some(observed);
                    Answer::Done(seen)
                }
                Err(CallError::Gone(_)) => Answer::Gone,
                Err(_) => Answer::Failed,
            },
            (Task::Write, Some(change)) => {
                let observed = work.observed.take().unwrap_or_else(|| Observed::plain(Value::Unset));
                let whole = change.whole_before.as_deref();
                match Write::over(&change.setting, &observed, &change.before, whole) {
                    Ok(write) => self.switch_writes(write, fails),
                    Err(_) => Answer::Failed,
                }
            }
            (Task::Unlock, _) => self.switch_writes(unlocked, fails),
            (Task::Notify, _) => Answer::Done(Seen::Nothing),
            (Task::Read | Task::Write, None) => Answer::Failed,
        }
    }

    fn switch_looks(&mut self, setting: &Setting) -> Result<Observed, CallError> {
        let true_one = self.setting(setting)?;
        Ok(self.sky.stale(setting, self.now).unwrap_or(true_one))
    }

    /// A write that fails did not happen, happened all the same, or happens late.
    fn switch_writes(&mut self, write: Write, fails: bool) -> Answer {
        let fate = if fails { self.switches.chance.unit() * 3.0 } else { 3.0 };
        if fate < 1.0 {
            return Answer::Failed;
        }
        if fate < 2.0 {
            let late = self.switches.chance.between(Span::ZERO, self.sky.weather.late_up_to.min(GIVES_UP));
            self.land_later(self.now + late, Call::Write(write));
            return Answer::Failed;
        }
        match (self.set(&write), fails) {
            (Ok(()), false) => Answer::Done(Seen::Nothing),
            (Err(CallError::Gone(_)), false) => Answer::Gone,
            _ => Answer::Failed,
        }
    }
}

fn seen(change: &OrderedChange, value: &Value) -> Seen {
    if change.setting.same(value, &change.before) {
        return Seen::Before;
    }
    if change.setting.same(value, &change.after) { Seen::After } else { Seen::Other }
}

impl Execution {
    /// It is over when the work on each resource is.
    fn conclude(&mut self) {
        let all = |work: &mut Work| work.walk.next_call() == Next::Over;
        if !self.works.iter_mut().all(all) {
            return;
        }
        let acted = |(ordered, work): (&crate::account::switch::OrderedResource, &Work)| Acted {
            resource: in_input(&ordered.resource),
            ends: work.walk.ends().iter().map(|how| how.word().to_owned()).collect(),
        };
        let acted: Vec<Acted> = self.order.resources.iter().zip(&self.works).map(acted).collect();
        let failed = self.works.iter().any(|work| !work.told || work.walk.ends().contains(&How::Failed));
        self.state = match failed {
            true => SwitchState::Failed(serde_json::to_string(&acted).unwrap_or_default()),
            false => SwitchState::Acted(acted),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::super::shop_like;
    use super::super::testing::{at, resource};
    use super::*;
    use crate::account::switch::OrderedResource;
    use crate::account::{Location, Reply, ResourceKind, ask};
    use crate::ids::RunId;

    fn reserved() -> Setting {
        Setting::ReservedConcurrency { function: resource(ResourceKind::Function, "payment-worker") }
    }

    fn order(until: i64) -> Order {
        let change =
            OrderedChange { setting: reserved(), before: Value::Unset, after: Value::Number(0), whole_before: None };
        Order {
            location: Location::sandbox(),
            name: "run-1.1".into(),
            run: RunId("run-1".into()),
            until: at(until),
            resources: vec![OrderedResource {
                resource: reserved().resource().clone(),
                unlocks: true,
                changes: vec![change],
            }],
        }
    }

    fn write(world: &mut World, setting: Setting, value: Value) {
        world.set(&Write { setting, value, whole: None }).unwrap();
    }

    /// A world in which the run has throttled a function under this run's lock, and its machine died.
    fn abandoned(run: &str) -> World {
        let mut world = World::new(&shop_like(), 1, at(0)).unwrap();
        let lock = Setting::Lock { resource: reserved().resource().clone() };
        write(&mut world, lock, Value::Text(format!(r#"{{"run":"{run}"}}"#)));
        write(&mut world, reserved(), Value::Number(0));
        assert_eq!(ask(&mut world, Call::Arm(order(600))), Ok(Reply::Done));
        world
    }

    fn ends(world: &World) -> Vec<String> {
        match &world.switch_states()[0].1 {
            SwitchState::Acted(acted) => acted[0].ends.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn it_wakes_at_its_time_and_puts_everything_back() {
        let before = World::new(&shop_like(), 1, at(0)).unwrap().picture();
        let mut world = abandoned("run-1");
        let changed = world.picture();
        world.run_until(at(599));
        assert_eq!(world.picture(), changed, "it acted early");
        world.run_until(at(700));
        assert_eq!(world.picture(), before);
        assert_eq!(ends(&world), ["restored"]);
    }

    #[test]
    fn it_leaves_alone_what_is_not_the_runs() {
        let mut world = abandoned("run-1");
        write(&mut world, reserved(), Value::Number(3));
        let changed = world.picture();
        world.run_until(at(700));
        assert_eq!((world.picture(), ends(&world)), (changed, vec!["theirs".to_owned()]));
        // Another run's fault that looks like ours.
        let mut world = abandoned("run-2");
        let changed = world.picture();
        world.run_until(at(700));
        assert_eq!((world.picture(), ends(&world)), (changed, vec!["other_run".to_owned()]));
    }

    #[test]
    fn it_is_armed_once_under_a_name_and_can_be_stopped() {
        let mut world = abandoned("run-1");
        assert_eq!(ask(&mut world, Call::Arm(order(600))), Ok(Reply::Done), "the same order is the same execution");
        assert!(matches!(ask(&mut world, Call::Arm(order(900))), Err(CallError::Refused { .. })));
        let stop = |name: &str| Call::Disarm { location: Location::sandbox(), name: name.into() };
        assert_eq!(ask(&mut world, stop("run-1.1")), Ok(Reply::Switch(SwitchState::Stopped)));
        assert_eq!(ask(&mut world, stop("run-2.1")), Ok(Reply::Switch(SwitchState::Missing)));
        let changed = world.picture();
        world.run_until(at(700));
        assert_eq!(world.picture(), changed);
        let mut without = World::new(&shop_like(), 1, at(0)).unwrap().without_switch();
        assert!(matches!(ask(&mut without, Call::Arm(order(600))), Err(CallError::Refused { .. })));
    }
}
