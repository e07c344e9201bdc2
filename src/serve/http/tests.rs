//! The API through real connections, on a port of its own.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::*;
use crate::access::Permission;
use crate::access::token::{TokenRow, issue};
use crate::env::RealEnv;
use crate::run::event::{Event, Phase, Recorded};
use crate::schedule::compile::tests::compiled;
use crate::serve::http::metrics::Counted;
use crate::store::memory::MemoryStore;
use crate::store::occurrences::{Fate, OccurrenceKey, OccurrenceRow};
use crate::units::{Span, Time};

mod feeds;

/// The hash of the plan with the seed 7.
const SEVEN: &str = "000000000000-000000000000-000000000000-000000000000-000000000007";

/// A process that serves one schedule, and decides orders itself.
struct Stage {
    store: Mutex<MemoryStore>,
    schedules: Arc<Vec<Schedule>>,
    asked: Mutex<Vec<RunNow>>,
    /// It begins no run.
    refuses: Mutex<bool>,
    not_ready: Mutex<Option<String>>,
    counted: Counted,
}

impl Backend for Stage {
    fn store(&self) -> Result<Box<dyn ProjectStore + Send>, StoreError> {
        Ok(Box::new(self.store.lock().unwrap().another_process()))
    }

    fn schedules(&self) -> Arc<Vec<Schedule>> {
        Arc::clone(&self.schedules)
    }

    fn run_now(&self, asked: &RunNow) -> Result<RunId, Refusal> {
        if *self.refuses.lock().unwrap() {
            return Err(Refusal::new(409, "the gate is closed"));
        }
        self.asked.lock().unwrap().push(asked.clone());
        Ok(RunId("run-9".into()))
    }

    fn plan(&self, _: &ScheduleName, _: &[Given], seed: Option<u64>) -> Result<Json, Refusal> {
        let hash = if seed == Some(7) { SEVEN } else { "0" };
        Ok(json!({ "plan": {}, "hash": hash }))
    }

    fn not_ready(&self) -> Option<String> {
        self.not_ready.lock().unwrap().clone()
    }

    fn counted(&self) -> &Counted {
        &self.counted
    }
}

/// A server at work, with a token for each role.
struct Bench {
    stage: Arc<Stage>,
    address: SocketAddr,
    tokens: BTreeMap<Role, String>,
}

impl Bench {
    fn new() -> Bench {
        Bench::with(Doors { requests_a_minute: 100_000, ..Doors::default() }, Limits::default())
    }

    fn with(doors: Doors, limits: Limits) -> Bench {
        let mut store = MemoryStore::new();
        let mut tokens = BTreeMap::new();
        for role in Role::ALL {
            let (text, hash) = issue(&RealEnv);
            let (name, made_by) = (role.word().parse().unwrap(), "test".to_owned());
            let row = TokenRow { name, role, hash, made: Time::EPOCH, made_by, expires: None, revoked: None };
            store.put_token(&row).unwrap();
            tokens.insert(role, text);
        }
        let mut schedule =
            compiled("experiment: y\n    when: { cron: '0 9 * * *' }\n    gates: [{ approval: { approvers: 2 } }]\n");
        schedule.name = ScheduleName("daily".into());
        let stage = Arc::new(Stage {
            store: Mutex::new(store),
            schedules: Arc::new(vec![schedule]),
            asked: Mutex::default(),
            refuses: Mutex::default(),
            not_ready: Mutex::default(),
            counted: Counted::default(),
        });
        let backend: Arc<dyn Backend> = Arc::clone(&stage) as Arc<dyn Backend>;
        let any = "127.0.0.1:0".parse().unwrap();
        let listening = listen(any, backend, Arc::new(RealEnv), doors, limits, routes::all()).unwrap();
        Bench { stage, address: listening.address, tokens }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Sends bytes as they are, and reads the answer to its end. An empty answer has status 0.
    fn raw(&self, request: &[u8]) -> (u16, String) {
        let mut stream = self.connect();
        // The server may close before everything is sent.
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, answer)
    }

    fn head(&self, verb: &str, path: &str, token: Option<&str>, more: &str) -> String {
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        format!("{verb} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{token}{more}", self.address)
    }

    /// A request, its status, and the document of its answer.
    fn ask(&self, verb: &str, path: &str, token: Option<&str>, body: &str) -> (u16, Json) {
        let (status, answer) = self.raw(self.request(verb, path, token, body).as_bytes());
        let text = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, serde_json::from_str(text).unwrap_or(Json::String(text.to_owned())))
    }

    fn request(&self, verb: &str, path: &str, token: Option<&str>, body: &str) -> String {
        let head = self.head(verb, path, token, "Content-Type: application/json\r\n");
        format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())
    }

    fn as_(&self, role: Role, verb: &str, path: &str, body: &str) -> (u16, Json) {
        self.ask(verb, path, Some(&self.tokens[&role]), body)
    }

    /// Writes a run's events.
    fn run(&self, name: &str, events: &[Recorded]) {
        let mut store = self.stage.store.lock().unwrap();
        let run = RunId(name.into());
        let epoch = match store.events(&run).is_ok() {
            true => crate::store::Epoch(1),
            false => store.create(&run, "ana").unwrap(),
        };
        store.append(&run, epoch, events).unwrap();
    }
}

fn event(seq: u64) -> Recorded {
    Recorded { seq, at: Time::EPOCH, event: Event::Entered { phase: Phase::Fault } }
}

fn closed(seq: u64) -> Recorded {
    let verdict = crate::judge::verdict::Verdict::held();
    Recorded { seq, at: Time::EPOCH, event: Event::Closed { verdict, left: vec![] } }
}

/// A path of a route, and a body that it takes.
fn example(route: &Route) -> (String, &'static str) {
    let path = route.path.replace("{run}", "run-1").replace("{schedule}", "daily");
    const APPROVE: &str = concat!(
        r#"{"reason":"a test","seed":7,"plan":""#,
        "000000000000-000000000000-000000000000-000000000000-000000000007",
        r#""}"#
    );
    let body = match route.path.rsplit('/').next() {
        Some("plan") => "{}",
        Some("approve") => APPROVE,
        _ => r#"{"reason":"a test"}"#,
    };
    (path, body)
}

/// Who may do what, written down by hand: what the table says is compared with it.
const MAY: [(&str, &str); 18] = [
    ("GET /healthz", "anyone viewer operator approver admin"),
    ("GET /readyz", "anyone viewer operator approver admin"),
    ("GET /openapi.json", "anyone viewer operator approver admin"),
    ("GET /metrics", "viewer operator approver admin"),
    ("GET /api/v1/runs", "viewer operator approver admin"),
    ("GET /api/v1/runs/{run}", "viewer operator approver admin"),
    ("GET /api/v1/runs/{run}/events", "viewer operator approver admin"),
    ("GET /api/v1/schedules", "viewer operator approver admin"),
    ("GET /api/v1/schedules/{schedule}", "viewer operator approver admin"),
    ("GET /api/v1/occurrences", "viewer operator approver admin"),
    ("GET /api/v1/halt", "viewer operator approver admin"),
    ("GET /api/v1/audit", "admin"),
    ("POST /api/v1/runs/{run}/stop", "operator approver admin"),
    ("POST /api/v1/schedules/{schedule}/run", "operator admin"),
    ("POST /api/v1/schedules/{schedule}/plan", "operator approver admin"),
    ("POST /api/v1/schedules/{schedule}/approve", "approver admin"),
    ("POST /api/v1/halt", "operator approver admin"),
    ("POST /api/v1/halt/lift", "operator admin"),
];

#[test]
fn every_route_lets_in_who_may_and_nobody_else() {
    let bench = Bench::new();
    bench.run("run-1", &[event(1), closed(2)]);
    let routes = routes::all();
    assert_eq!(routes.len(), MAY.len());
    for (route, (name, may)) in routes.iter().zip(MAY) {
        assert_eq!(format!("{} {}", route.verb.word(), route.path), name);
        let (path, body) = example(route);
        let verb = route.verb.word();
        let anyone = ("anyone", None);
        let known = Role::ALL.map(|role| (role.word(), Some(bench.tokens[&role].as_str())));
        for (who, token) in [anyone].into_iter().chain(known) {
            if path.ends_with("/lift") {
                bench.stage.store.lock().unwrap().set_halt(Some("test")).unwrap();
            }
            let (status, answer) = bench.ask(verb, &path, token, body);
            // The run has ended, so that stopping it comes too late.
            let done = if path.ends_with("/stop") { 409 } else { 200 };
            let expected = match (may.split(' ').any(|may| may == who), who) {
                (true, _) => done,
                (false, "anyone") => 401,
                (false, _) => 403,
            };
            assert_eq!(status, expected, "{name} as {who}: {answer}");
        }
        // A wrong token is wrong everywhere; so is another scheme.
        for token in ["squall_0", "", "a b"] {
            assert_eq!(bench.ask(verb, &path, Some(token), body).0, 401, "{name} with {token:?}");
        }
    }
}

#[test]
fn every_permission_is_used_here_or_by_the_console() {
    let used: std::collections::BTreeSet<Permission> = routes::all().iter().map(|route| route.permission).collect();
    let unused: Vec<_> = Permission::ALL.into_iter().filter(|permission| !used.contains(permission)).collect();
    // Those of game days are of pages, which the console has.
    assert_eq!(unused, [Permission::TakePart, Permission::Abort]);
}

#[test]
fn a_token_that_is_revoked_opens_nothing_from_then_on() {
    let bench = Bench::new();
    assert_eq!(bench.as_(Role::Viewer, "GET", "/api/v1/runs", "").0, 200);
    let mut store = bench.stage.store.lock().unwrap();
    let mut row = store.tokens().unwrap().into_iter().find(|row| row.role == Role::Viewer).unwrap();
    row.revoked = Some(Time::EPOCH);
    store.put_token(&row).unwrap();
    drop(store);
    let (status, answer) = bench.as_(Role::Viewer, "GET", "/healthz", "");
    assert_eq!((status, answer["next"].as_str()), (401, Some("squall token list")));
}

#[test]
fn a_halt_and_its_lift_need_a_reason_and_are_audited() {
    let bench = Bench::new();
    for body in ["", "{}", r#"{"reason":""}"#, r#"{"reason":" \n"}"#, r#"{"reason":"x","by":"bo"}"#] {
        assert_eq!(bench.as_(Role::Operator, "POST", "/api/v1/halt", body).0, 400, "{body}");
    }
    assert_eq!(bench.as_(Role::Operator, "POST", "/api/v1/halt/lift", r#"{"reason":"x"}"#).0, 409);
    let (_, halt) = bench.as_(Role::Approver, "POST", "/api/v1/halt", r#"{"reason":"checkout\nfails"}"#);
    assert_eq!(halt, json!({ "halted_by": "approver: checkout fails", "live_runs": [] }));
    assert_eq!(bench.stage.store.lock().unwrap().halted().unwrap().as_deref(), Some("approver: checkout fails"));
    let (_, halt) = bench.as_(Role::Operator, "POST", "/api/v1/halt/lift", r#"{"reason":"cache"}"#);
    assert_eq!(halt["halted_by"], Json::Null);
    let run = r#"{"reason":"again","anyway":true,"with":{"concurrency":5,"lasts":"2m"}}"#;
    let (_, started) = bench.as_(Role::Operator, "POST", "/api/v1/schedules/daily/run", run);
    assert_eq!(started, json!({ "run": "run-9" }));
    let by = "operator".to_owned();
    let asked = RunNow {
        schedule: ScheduleName("daily".into()),
        by,
        anyway: true,
        with: vec!["concurrency=5".parse().unwrap(), "lasts=2m".parse().unwrap()],
    };
    assert_eq!(*bench.stage.asked.lock().unwrap(), [asked]);
    let (_, audit) = bench.as_(Role::Admin, "GET", "/api/v1/audit", "");
    let act = |act: &Json| format!("{} {} {}", act["by"], act["what"], act["detail"]).replace('"', "");
    let acts: Vec<String> = audit["acts"].as_array().unwrap().iter().map(act).collect();
    assert_eq!(
        acts,
        [
            "approver halt checkout fails",
            "operator lift cache",
            "operator run now daily, anyway, with concurrency=5, with lasts=2m: again"
        ]
    );
}

#[test]
fn an_approval_is_of_a_plan_as_it_is_now_and_by_a_person_once() {
    let bench = Bench::new();
    let approve = |role, plan: &str, seed: u64| {
        let body = json!({ "plan": plan, "seed": seed, "reason": "reviewed" }).to_string();
        bench.as_(role, "POST", "/api/v1/schedules/daily/approve", &body)
    };
    let other = SEVEN.replace('7', "8");
    assert_eq!(approve(Role::Approver, "3f9a", 7).0, 400);
    let (status, answer) = approve(Role::Approver, &other, 7);
    assert_eq!((status, answer["next"].as_str()), (409, Some("POST /api/v1/schedules/daily/plan")));
    assert_eq!(approve(Role::Approver, SEVEN, 8).0, 409);
    let daily = ScheduleName("daily".into());
    assert_eq!(bench.stage.store.lock().unwrap().approvals(&daily).unwrap(), []);
    for _ in 0..2 {
        let (_, answer) = approve(Role::Approver, SEVEN, 7);
        assert_eq!((&answer["approved_by"], &answer["approvers"]), (&json!(["approver"]), &json!(2)));
    }
    assert_eq!(approve(Role::Admin, SEVEN, 7).1["approved_by"], json!(["admin", "approver"]));
    let (_, audit) = bench.as_(Role::Admin, "GET", "/api/v1/audit", "");
    let approvals = audit["acts"].as_array().unwrap().iter().filter(|act| act["what"] == "approve").count();
    assert_eq!(approvals, 3);
}

#[test]
fn a_run_that_is_decided_is_there_before_its_journal() {
    let bench = Bench::new();
    let now = RealEnv.now();
    let key = OccurrenceKey { schedule: ScheduleName("daily".into()), at: now, by_hand: true };
    let row = OccurrenceRow { key, decided: now, by: "ana".into(), fate: Fate::Run(RunId("run-8".into())) };
    let look = || bench.as_(Role::Viewer, "GET", "/api/v1/runs/run-8", "");
    assert_eq!(look().0, 404);
    bench.stage.store.lock().unwrap().claim_occurrence(&row).unwrap();
    let (status, run) = look();
    assert_eq!((status, &run["started"], &run["closed"]), (200, &Json::Null, &json!(false)));
    let waits = Fate::Waits(RunId("run-8".into()), "`approval`: 0 of 2".into());
    bench.stage.store.lock().unwrap().settle_occurrence(&row.key, &waits).unwrap();
    assert_eq!(look().0, 200);
    // Who follows it is told its events once there are any, and that it is over when it never begins.
    bench.stage.store.lock().unwrap().settle_occurrence(&row.key, &Fate::Skipped("no".into())).unwrap();
    assert_eq!(look().0, 404);
    assert_eq!(bench.as_(Role::Viewer, "GET", "/api/v1/runs/run-8/events", "").0, 404);
}

#[test]
fn a_run_that_is_refused_is_in_the_audit_as_well() {
    let bench = Bench::new();
    *bench.stage.refuses.lock().unwrap() = true;
    let asked = bench.as_(Role::Operator, "POST", "/api/v1/schedules/daily/run", r#"{"reason":"again"}"#);
    assert_eq!(asked.0, 409);
    let (_, audit) = bench.as_(Role::Admin, "GET", "/api/v1/audit", "");
    let acts: Vec<String> =
        audit["acts"].as_array().unwrap().iter().map(|act| format!("{} {}", act["what"], act["detail"])).collect();
    assert_eq!(acts, [r#""run now" "daily: again""#, r#""run now refused" "daily: the gate is closed""#]);
}

#[test]
fn a_live_run_is_stopped_with_name_and_reason() {
    let bench = Bench::new();
    bench.run("run-1", &[event(1)]);
    let (status, answer) = bench.as_(Role::Approver, "POST", "/api/v1/runs/run-1/stop", r#"{"reason":"enough"}"#);
    assert_eq!((status, &answer["asked_by"]), (200, &json!("approver: enough")));
    let run = RunId("run-1".into());
    assert_eq!(bench.stage.store.lock().unwrap().stop_asked(&run).unwrap().as_deref(), Some("approver: enough"));
}

#[test]
fn requests_for_other_names_and_from_other_pages_are_refused() {
    let bench = Bench::new();
    let port = bench.address.port();
    let token = &bench.tokens[&Role::Admin];
    let auth = format!("Authorization: Bearer {token}\r\nConnection: close\r\n");
    for (host, more, expected) in [
        (format!("Host: localhost:{port}\r\n"), "", 200),
        (format!("Host: localhost:{port}\r\n"), "Origin: http://evil.example\r\n", 403),
        (format!("Host: localhost:{port}\r\n"), "Origin: null\r\n", 403),
        ("Host: evil.example\r\n".to_owned(), "", 403),
        (format!("Host: evil.example:{port}\r\n"), "", 403),
        (format!("Host: localhost:{port}\r\nHost: evil.example\r\n"), "", 403),
        (String::new(), "", 403),
    ] {
        for path in ["/healthz", "/api/v1/halt", "/nothing"] {
            let (status, answer) = bench.raw(format!("GET {path} HTTP/1.1\r\n{host}{auth}{more}\r\n").as_bytes());
            let expected = if expected == 200 && path == "/nothing" { 404 } else { expected };
            assert_eq!(status, expected, "{host}{more}{path}: {answer}");
        }
    }
    let absolute = format!("GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost:{port}\r\n{auth}\r\n");
    assert_eq!(bench.raw(absolute.as_bytes()).0, 403);
}

#[test]
fn a_write_that_is_no_json_is_refused_as_a_form_of_another_page_would_be() {
    let bench = Bench::new();
    let token = Some(bench.tokens[&Role::Admin].as_str());
    for kind in ["", "Content-Type: text/plain\r\n", "Content-Type: application/x-www-form-urlencoded\r\n"] {
        let head = bench.head("POST", "/api/v1/halt", token, kind);
        let (status, _) = bench.raw(format!("{head}Content-Length: 14\r\n\r\n{{\"reason\":\"x\"}}").as_bytes());
        assert_eq!(status, 415, "{kind}");
    }
    assert_eq!(bench.stage.store.lock().unwrap().halted().unwrap(), None);
}

#[test]
fn a_users_name_is_believed_of_a_listed_proxy_only() {
    let doors = |proxies: &[&str]| Doors {
        proxies: proxies.iter().map(|proxy| proxy.parse().unwrap()).collect(),
        user_header: "x-forwarded-user".into(),
        users: vec![("ana".parse().unwrap(), Role::Operator)],
        requests_a_minute: 100_000,
        ..Doors::default()
    };
    let asked = |bench: &Bench, verb: &str, path: &str, more: &str| {
        let head = bench.head(verb, path, None, &format!("Content-Type: application/json\r\n{more}"));
        bench.raw(format!("{head}Content-Length: 14\r\n\r\n{{\"reason\":\"x\"}}").as_bytes()).0
    };
    let (ana, bo) = ("X-Forwarded-User: ana\r\n", "X-Forwarded-User: bo\r\n");
    let stranger = Bench::with(doors(&["10.0.0.7"]), Limits::default());
    assert_eq!(asked(&stranger, "GET", "/api/v1/halt", ana), 401);
    let behind = Bench::with(doors(&["127.0.0.1"]), Limits::default());
    let origin = format!("{ana}Origin: http://{}\r\n", behind.address);
    assert_eq!(asked(&behind, "GET", "/api/v1/halt", ana), 200);
    assert_eq!(asked(&behind, "GET", "/api/v1/halt", bo), 403);
    assert_eq!(asked(&behind, "GET", "/api/v1/halt", &format!("{ana}{bo}")), 400);
    assert_eq!(asked(&behind, "GET", "/api/v1/audit", ana), 403);
    // The browser adds the name to what a form of another page sends: only our own pages may write.
    assert_eq!(asked(&behind, "POST", "/api/v1/halt", ana), 403);
    assert_eq!(asked(&behind, "POST", "/api/v1/halt", &origin), 200);
    // A token is not helped by a name.
    assert_eq!(asked(&behind, "GET", "/api/v1/halt", &format!("{ana}Authorization: Bearer squall_0\r\n")), 401);
}

#[test]
fn hostile_bodies_are_refused() {
    let bench = Bench::new();
    let deep = "[".repeat(10_000);
    let long = "x".repeat(20_000);
    let nested = format!(r#"{{"reason":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
    let turned = "{\"reason\":\"\u{202e}evil\"}";
    for body in [
        deep.as_str(),
        &nested,
        "null",
        "[]",
        "\u{0}",
        r#"{"reason":1}"#,
        r#"{"reason":"a","reason":"b"}"#,
        "{\"reason\":\"a\"}x",
    ] {
        let (status, answer) = bench.as_(Role::Admin, "POST", "/api/v1/halt", body);
        assert_eq!(status, 400, "{body:.40}: {answer}");
    }
    assert_eq!(bench.as_(Role::Admin, "POST", "/api/v1/halt", &format!("{{\"reason\":\"{long}\"}}")).0, 413);
    assert_eq!(bench.as_(Role::Admin, "POST", "/api/v1/halt", &format!("{{\"reason\":\"{:0>300}\"}}", "")).0, 400);
    let (_, halt) = bench.as_(Role::Admin, "POST", "/api/v1/halt", turned);
    assert!(!halt.to_string().contains('\u{202e}'), "{halt}");
}

#[test]
fn hostile_paths_and_parameters_are_refused() {
    let bench = Bench::new();
    for (path, expected) in [
        ("/api/v1/runs/..%2f..%2fetc%2fpasswd", 404),
        ("/api/v1/runs/%00", 404),
        ("/api/v1/runs/%ff", 400),
        ("/api/v1/runs/run-1'%20OR%20'1'='1", 404),
        ("/api/v1/schedules/%3Cscript%3E", 404),
        ("/api/v1/runs?limit=0", 400),
        ("/api/v1/runs?limit=1001", 400),
        ("/api/v1/runs?limit=-1", 400),
        ("/api/v1/runs?limit=1&limit=2", 400),
        ("/api/v1/runs?file=/etc/passwd", 400),
        ("/api/v1/runs?before=..", 400),
        ("/api/v1/runs?before=run-x", 404),
        ("/api/v1/occurrences?since=yesterday", 400),
        ("/api/v1/occurrences?since=-999999-01-01T00:00:00Z", 400),
        ("/api/v1/schedules/daily?at=9999-12-31T23:59:59Z", 400),
        ("/api/v1/schedules/daily?at=2090-12-31T23:59:59Z", 200),
        ("//api/v1/runs", 404),
        ("/api/v1/runs/", 404),
        ("/API/v1/runs", 404),
    ] {
        let (status, answer) = bench.as_(Role::Admin, "GET", path, "");
        assert_eq!(status, expected, "{path}: {answer}");
        assert!(!answer.to_string().contains("<script>"), "{answer}");
    }
    for verb in ["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "CONNECT"] {
        let (status, _) = bench.as_(Role::Admin, verb, "/api/v1/halt", "{}");
        assert!((400..500).contains(&status), "{verb}: {status}");
    }
}

#[test]
fn what_is_no_request_is_refused_and_the_server_goes_on() {
    let bench = Bench::new();
    let token = &bench.tokens[&Role::Admin];
    let host = bench.address;
    for raw in [
        "\r\n\r\n\r\n".to_owned(),
        "GET".to_owned(),
        format!("GET / HTTP/9.9\r\nHost: {host}\r\n\r\n"),
        format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nA: {}\r\n\r\n", "x".repeat(100_000)),
        format!(
            "POST /api/v1/halt HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n"
        ),
        format!(
            "POST /api/v1/halt HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Length: -1\r\n\r\n"
        ),
        format!(
            "GET /healthz HTTP/1.1\r\nHost: {host}\r\nLast-Event-ID: 1\r\nLast-Event-ID: 2\r\nConnection: close\r\n\r\n"
        ),
    ] {
        let (status, answer) = bench.raw(raw.as_bytes());
        assert!(status == 0 || (400..600).contains(&status), "{raw:.60}: {answer:.200}");
    }
    assert_eq!(bench.ask("GET", "/healthz", None, ""), (200, json!({ "status": "ok" })));
}

#[test]
fn an_answer_is_kept_by_no_cache_and_shown_in_no_frame() {
    let bench = Bench::new();
    let (_, answer) = bench.raw(bench.request("GET", "/healthz", None, "").as_bytes());
    for header in
        ["cache-control: no-store", "x-content-type-options: nosniff", "content-security-policy: default-src 'none'"]
    {
        assert!(answer.contains(header), "{answer}");
    }
    assert!(!answer.contains("access-control-allow"), "{answer}");
}

#[test]
fn whoever_asks_too_much_has_to_wait() {
    let bench = Bench::with(Doors { requests_a_minute: 20, ..Doors::default() }, Limits::default());
    let statuses: Vec<u16> = (0..30).map(|_| bench.ask("GET", "/healthz", None, "").0).collect();
    assert_eq!(statuses[..15], [200; 15]);
    assert_eq!(statuses.last(), Some(&429));
    // Guessing tokens is slower still.
    let bench = Bench::with(Doors { requests_a_minute: 60, ..Doors::default() }, Limits::default());
    let statuses: Vec<u16> = (0..6).map(|_| bench.ask("GET", "/healthz", Some("squall_1"), "").0).collect();
    assert_eq!((statuses[0], statuses.last()), (401, Some(&429)));
}

#[test]
fn readiness_says_no_without_a_reason_to_strangers() {
    let bench = Bench::new();
    assert_eq!(bench.ask("GET", "/readyz", None, "").0, 200);
    *bench.stage.not_ready.lock().unwrap() = Some("the disk of db-7 is full".into());
    let (status, answer) = bench.ask("GET", "/readyz", None, "");
    assert_eq!((status, &answer["error"]), (503, &json!("not ready")));
    assert_eq!(bench.ask("GET", "/healthz", None, "").0, 200);
}

#[test]
fn metrics_have_every_verdict_from_the_start_and_end_properly() {
    let bench = Bench::new();
    bench.stage.counted.decided(&Fate::Run(RunId("r".into())), Span::from_millis(30));
    bench.stage.counted.rolled_back(Span::from_secs(4));
    bench.run("run-1", &[event(1)]);
    let (status, text) = bench.as_(Role::Viewer, "GET", "/metrics", "");
    let text = text.as_str().unwrap().to_owned();
    assert_eq!(status, 200);
    for line in [
        r#"squall_runs{verdict="held"} 0"#,
        r#"squall_runs{verdict="broken"} 0"#,
        r#"squall_runs{verdict="none"} 1"#,
        "squall_runs_alive 1",
        r#"squall_run_term{run="run-1"} 1"#,
        "squall_left_over 0",
        "squall_halted 0",
        "squall_start_lateness_seconds_count 1",
        r#"squall_start_lateness_seconds_bucket{le="0.05"} 1"#,
        "squall_rollback_seconds_sum 4.0",
        r#"squall_occurrences_total{fate="run"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn the_description_has_every_route_and_nothing_else() {
    let bench = Bench::new();
    let (_, document) = bench.ask("GET", "/openapi.json", None, "");
    let mut described = Vec::new();
    for (path, verbs) in document["paths"].as_object().unwrap() {
        for (verb, operation) in verbs.as_object().unwrap() {
            described.push(format!("{} {path}", verb.to_uppercase()));
            assert!(!operation["summary"].as_str().unwrap().is_empty());
            let parts = path.matches('{').count();
            let of_path =
                operation["parameters"].as_array().unwrap().iter().filter(|known| known["in"] == "path").count();
            assert_eq!(parts, of_path, "{path}");
        }
    }
    let mut expected = MAY.map(|(route, _)| route.to_owned()).to_vec();
    described.sort();
    expected.sort();
    assert_eq!(described, expected);
    // Every reference leads somewhere.
    let text = document.to_string();
    for reference in text.split(r##""$ref":"#"##).skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
}
