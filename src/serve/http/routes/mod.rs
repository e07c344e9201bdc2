//! The table of routes of the API.

pub mod halt;
pub mod health;
pub mod runs;
pub mod schedules;

use super::metrics;
use super::route::{Parameter, Reply, Route, Speaks, Verb, any, schema};
use crate::access::Permission;
use crate::format::journal;
use crate::schedule::list;

const SINCE: Parameter = Parameter { name: "since", says: "From this time on; the default is 30 days ago." };
const AT: Parameter = Parameter { name: "at", says: "The time; the default is now." };
const LIMIT: Parameter = Parameter { name: "limit", says: "So many at the most, up to 1000; the default is 100." };
const BEFORE: Parameter = Parameter { name: "before", says: "Only runs that are older than this one." };

/// All of them.
pub fn all() -> Vec<Route> {
    [open(), looking(), acting()].into_iter().flatten().collect()
}

fn get(path: &'static str, permission: Permission, says: &'static str, reply: Reply, act: super::route::Act) -> Route {
    Route { verb: Verb::Get, path, permission, speaks: Speaks::Json, says, query: &[], body: None, reply, act }
}

fn open() -> Vec<Route> {
    let json = Reply::Json(schema::<health::Health>);
    vec![
        get("/healthz", Permission::Open, "Whether the process lives.", json, Box::new(health::healthz)),
        get("/readyz", Permission::Open, "Whether it is ready to start runs.", json, Box::new(health::readyz)),
        get(
            "/openapi.json",
            Permission::Open,
            "This description.",
            Reply::Json(any),
            Box::new(|app, _| Ok(super::Answer::Json(app.openapi.clone()))),
        ),
    ]
}

fn looking() -> Vec<Route> {
    vec![
        get(
            "/metrics",
            Permission::Look,
            "Metrics, as OpenMetrics.",
            Reply::Text(metrics::OPENMETRICS),
            Box::new(metrics::metrics),
        ),
        Route {
            query: &[LIMIT, BEFORE],
            ..get(
                "/api/v1/runs",
                Permission::Look,
                "The runs of the project, newest first.",
                Reply::Json(schema::<runs::Runs>),
                Box::new(runs::list),
            )
        },
        get("/api/v1/runs/{run}", Permission::Look, "One run.", Reply::Json(schema::<runs::Run>), Box::new(runs::one)),
        get(
            "/api/v1/runs/{run}/events",
            Permission::Look,
            "The events of a run as they come, as lines of `squall log --json`. Ids are the events' numbers.",
            Reply::Events(schema::<journal::Line>),
            Box::new(runs::events),
        ),
        get(
            "/api/v1/schedules",
            Permission::Look,
            "The schedules with their next occurrences.",
            Reply::Json(schema::<list::Document>),
            Box::new(schedules::list),
        ),
        Route {
            query: &[AT],
            ..get(
                "/api/v1/schedules/{schedule}",
                Permission::Look,
                "Why a schedule runs at a time, or why not.",
                Reply::Json(schema::<list::Explanation>),
                Box::new(schedules::explain),
            )
        },
        Route {
            query: &[SINCE],
            ..get(
                "/api/v1/occurrences",
                Permission::Look,
                "What became of occurrences.",
                Reply::Json(schema::<schedules::Occurrences>),
                Box::new(schedules::history),
            )
        },
        get(
            "/api/v1/halt",
            Permission::Look,
            "Whether everything is halted, and by whom.",
            Reply::Json(schema::<halt::Halt>),
            Box::new(halt::look),
        ),
        audit(),
    ]
}

fn audit() -> Route {
    let reply = Reply::Json(schema::<halt::Audit>);
    Route { query: &[SINCE], ..get("/api/v1/audit", Permission::Audit, "Who did what.", reply, Box::new(halt::audit)) }
}

fn acting() -> Vec<Route> {
    let post = |path, permission, says, body, reply, act| Route {
        verb: Verb::Post,
        path,
        permission,
        speaks: Speaks::Json,
        says,
        query: &[],
        body: Some(body),
        reply,
        act,
    };
    vec![
        post(
            "/api/v1/runs/{run}/stop",
            Permission::Stop,
            "Stop a run and roll it back.",
            schema::<halt::Why>,
            Reply::Json(schema::<runs::Stopping>),
            Box::new(runs::stop),
        ),
        post(
            "/api/v1/schedules/{schedule}/run",
            Permission::Run,
            "Run a schedule's experiment now, beside its rhythm.",
            schema::<schedules::RunNow>,
            Reply::Json(schema::<schedules::Started>),
            Box::new(schedules::run),
        ),
        post(
            "/api/v1/schedules/{schedule}/plan",
            Permission::Plan,
            "What a run of a schedule's experiment would do now. The account is read, and nothing is changed.",
            schema::<schedules::PlanNow>,
            Reply::Json(any),
            Box::new(schedules::plan),
        ),
        post(
            "/api/v1/schedules/{schedule}/approve",
            Permission::Approve,
            "Approve the plan of a schedule's next run. It counts for exactly this plan, for one run, and for a time.",
            schema::<schedules::Approve>,
            Reply::Json(schema::<schedules::Approvals>),
            Box::new(schedules::approve),
        ),
        post(
            "/api/v1/halt",
            Permission::Stop,
            "Halt: every run stops and rolls back, and none starts.",
            schema::<halt::Why>,
            Reply::Json(schema::<halt::Halt>),
            Box::new(halt::halt),
        ),
        post(
            "/api/v1/halt/lift",
            Permission::Lift,
            "Lift the halt.",
            schema::<halt::Why>,
            Reply::Json(schema::<halt::Halt>),
            Box::new(halt::lift),
        ),
    ]
}
