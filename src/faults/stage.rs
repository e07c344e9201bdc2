//! A small application on paper, for the faults' tests: each test changes one thing and asks for a plan.

use std::collections::BTreeMap;

use super::{Dependency, Described, FaultPlan, FaultSpec, OtherFault, PlannedChange, Refusal, Scene};
use crate::account::description::{
    Delivery, FunctionDescription, ParameterDescription, QueueDescription, RoleDescription,
};
use crate::account::{Description, Identity, Location, Resource, ResourceKind};
use crate::ids::{FaultName, RunId};
use crate::units::{Span, Time};
use crate::yaml::{Loaded, Source, Style, TargetName};

/// What a fault gets to see, to be changed before it is asked.
pub struct Stage {
    pub described: Described,
    pub targets: Vec<Resource>,
    pub mentioned: BTreeMap<TargetName, Vec<Resource>>,
    pub identity: Identity,
    pub needed: Vec<Dependency>,
    pub others: Vec<OtherFault>,
    pub lasts: Span,
}

/// A resource of the stage's account.
pub fn resource(kind: ResourceKind, name: &str) -> Resource {
    Resource::new(&Location::sandbox(), kind, name)
}

/// A function by its name.
pub fn function(name: &str) -> Resource {
    resource(ResourceKind::Function, name)
}

/// A queue by its name.
pub fn queue(name: &str) -> Resource {
    resource(ResourceKind::Queue, name)
}

/// A role by its name.
pub fn role(name: &str) -> Resource {
    resource(ResourceKind::Role, name)
}

/// The parameter that Worker's wrapper reads.
pub fn parameter() -> Resource {
    resource(ResourceKind::Parameter, "/shop/worker/faults")
}

/// The table that Worker writes to.
pub fn table() -> Resource {
    resource(ResourceKind::Table, "Payments")
}

/// When the faults of the stage go in.
pub fn start() -> Time {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

impl Stage {
    /// Function Worker takes from queue Orders, whose dead letters go to OrdersDead, and writes to table Payments as
    /// role WorkerRole; its wrapper reads a parameter that holds `{}`.
    pub fn shop(target: Resource) -> Stage {
        let described = [
            (
                function("Worker"),
                Description::Function(FunctionDescription {
                    arn: "arn:aws:lambda:eu-west-1:000000000000:function:Worker".into(),
                    key: None,
                    role: role("WorkerRole"),
                    log_group: "/aws/lambda/Worker".into(),
                    runtime: "nodejs22.x".into(),
                    timeout: Span::from_secs(20),
                    reserved: None,
                    account_unreserved: 1000,
                    unreserved_floor: 100,
                    delivery: Delivery::Parameter { parameter: parameter(), cache: Span::from_secs(60) },
                    aliases: Vec::new(),
                    consumes: vec![queue("Orders")],
                }),
            ),
            (queue("Orders"), a_queue("Orders", Some("OrdersDead"))),
            (queue("OrdersDead"), a_queue("OrdersDead", None)),
            (
                role("WorkerRole"),
                Description::Role(RoleDescription {
                    arn: "arn:aws:iam::000000000000:role/WorkerRole".into(),
                    used_by: vec![function("Worker")],
                    looked_in: Vec::new(),
                    not_looked_in: Vec::new(),
                    inline_size: 400,
                    service_linked: false,
                }),
            ),
            (
                parameter(),
                Description::Parameter(ParameterDescription {
                    arn: "arn:aws:ssm:eu-west-1:000000000000:parameter/shop/worker/faults".into(),
                    text: "{}".into(),
                    secure: false,
                    read_by: vec![function("Worker")],
                }),
            ),
            (table(), Description::Other { arn: "arn:aws:dynamodb:eu-west-1:000000000000:table/Payments".into() }),
        ];
        let mut stage = Stage {
            described: Described(described.into_iter().collect()),
            targets: vec![target],
            mentioned: BTreeMap::from([(TargetName("payments".into()), vec![table()])]),
            identity: Identity {
                account_id: "000000000000".into(),
                arn: "arn:aws:sts::000000000000:assumed-role/squall/ana".into(),
                roles: vec!["squall".into()],
                lasts: crate::account::Lasts::On,
                clock_is_off: None,
            },
            needed: Vec::new(),
            others: Vec::new(),
            lasts: Span::from_mins(10),
        };
        stage.queue("Orders").consumers = vec![function("Worker")];
        stage
    }

    /// The same, where Worker has squall's layer.
    pub fn with_layer() -> Stage {
        let mut shop = Stage::shop(function("Worker"));
        shop.function("Worker").delivery = Delivery::Layer { parameter: parameter() };
        shop.parameter().text = crate::layer::EMPTY.into();
        shop
    }

    /// What a function is described as, to be changed.
    pub fn function(&mut self, name: &str) -> &mut FunctionDescription {
        match self.described.0.get_mut(&function(name)) {
            Some(Description::Function(function)) => function,
            _ => panic!("no function {name}"),
        }
    }

    /// What a queue is described as, to be changed.
    pub fn queue(&mut self, name: &str) -> &mut QueueDescription {
        match self.described.0.get_mut(&queue(name)) {
            Some(Description::Queue(queue)) => queue,
            _ => panic!("no queue {name}"),
        }
    }

    /// What a role is described as, to be changed.
    pub fn role(&mut self, name: &str) -> &mut RoleDescription {
        match self.described.0.get_mut(&role(name)) {
            Some(Description::Role(role)) => role,
            _ => panic!("no role {name}"),
        }
    }

    /// What the parameter is described as, to be changed.
    pub fn parameter(&mut self) -> &mut ParameterDescription {
        match self.described.0.get_mut(&parameter()) {
            Some(Description::Parameter(parameter)) => parameter,
            _ => panic!("no parameter"),
        }
    }

    /// Another function like Worker.
    pub fn add_function(&mut self, name: &str) {
        let mut other = self.function("Worker").clone();
        other.consumes.clear();
        self.described.0.insert(function(name), Description::Function(other));
    }

    /// Another fault with these changes, in at the same time.
    pub fn beside(&mut self, is_earlier: bool, changes: Vec<PlannedChange>) {
        let (name, until) = (FaultName("other".into()), start() + self.lasts);
        self.others.push(OtherFault { name, is_earlier, from: start(), until, changes, emissions: Vec::new() });
    }

    /// What the fault would do, as the planner asks it: flaws first.
    pub fn plan(&self, yaml: &str) -> Result<Vec<FaultPlan>, Vec<Refusal>> {
        let spec = spec(yaml);
        if let Some(flaw) = spec.fault().flaws().into_iter().next() {
            return Err(vec![flaw.into()]);
        }
        let run = RunId("run-20260302-3f9k2m".into());
        spec.fault().plan(&Scene {
            run: &run,
            number: 1,
            from: start(),
            until: start() + self.lasts,
            late: crate::plan::LATENESS,
            targets: &self.targets,
            mentioned: &self.mentioned,
            described: &self.described,
            identity: &self.identity,
            needed: &self.needed,
            others: &self.others,
            seed: 7,
        })
    }

    /// The only thing that the fault would do.
    pub fn planned(&self, yaml: &str) -> FaultPlan {
        let mut plans = self.plan(yaml).unwrap();
        assert_eq!(plans.len(), 1);
        plans.remove(0)
    }

    /// Why it would not, and what to do: both say what is in `words`.
    pub fn refused(&self, yaml: &str, words: &[&str]) {
        let refusals = self.plan(yaml).expect_err("it is planned");
        let said: Vec<String> =
            refusals.iter().map(|refusal| format!("{} / {}", refusal.what, refusal.remedy)).collect();
        let text = said.join("; ");
        assert!(refusals.iter().all(|refusal| !refusal.remedy.is_empty()));
        for word in words {
            assert!(text.contains(word), "`{word}` is not in: {text}");
        }
    }
}

fn a_queue(name: &str, dead_letter: Option<&str>) -> Description {
    Description::Queue(QueueDescription {
        arn: format!("arn:aws:sqs:eu-west-1:000000000000:{name}"),
        key: None,
        fifo: false,
        visibility: Span::from_secs(30),
        retention: Span::from_mins(60 * 24 * 4),
        delay: Span::ZERO,
        dead_letter: dead_letter.map(queue),
        max_receive_count: dead_letter.map(|_| 5),
        consumers: Vec::new(),
        move_task_running: false,
    })
}

/// One entry of `inject`, as an experiment has it.
pub fn spec(yaml: &str) -> FaultSpec {
    let (loaded, findings) = Loaded::<FaultSpec>::read(&Source::new("fault.yaml", yaml));
    loaded.unwrap_or_else(|| panic!("{}", findings.render(Style::Plain))).value
}
