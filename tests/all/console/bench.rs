//! A console at work in this process, on a day in memory, with a session for everybody.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall::access::invitation::{Invitation, Seat};
use squall::access::token::issue;
use squall::access::{Person, Role as ConsoleRole};
use squall::console::{Desk, routes};
use squall::env::{Env as _, RealEnv};
use squall::gameday::command::{Ask, Placed};
use squall::gameday::day::Day;
use squall::gameday::event::{Event, Recorded};
use squall::gameday::role::{Actor, Role};
use squall::gameday::runbook::Runbook;
use squall::gameday::step::{Input, step};
use squall::ids::{DayId, RunId, ScheduleName};
use squall::inputs::Given;
use squall::report::board::Row;
use squall::run;
use squall::schedule::Schedule;
use squall::serve::http::metrics::Counted;
use squall::serve::http::{Backend, Doors, Limits, Refusal, Route, RunNow, listen};
use squall::store::days::Days as _;
use squall::store::invitations::{Invitations as _, ProjectStore};
use squall::store::memory::MemoryStore;
use squall::store::{Store as _, StoreError};
use squall::units::{Span, Time};
use squall::yaml::Source;

/// The day of these tests.
pub const DAY: &str = "day-1";

pub fn id() -> DayId {
    DayId(DAY.into())
}

/// The first event of a day of the shipped first runbook, whose title is another one.
pub fn titled(title: &str) -> Vec<Recorded> {
    let text = include_str!("../../../runbooks/first-game-day.md");
    let quoted = serde_json::Value::from(title).to_string();
    let text = text.replace("title: Our first game day", &format!("title: {quoted}"));
    let (runbook, _) = Runbook::read(&Source::new("day.md", text.clone()));
    let people = runbook.unwrap().people();
    let event =
        Event::Opened { file: "day.md".into(), text, people, by: "Facilitator".parse().unwrap(), rehearsal: false };
    vec![Recorded { seq: 1, at: RealEnv.now(), event }]
}

/// The same with its own title.
pub fn day() -> Vec<Recorded> {
    titled("Our first game day")
}

/// Who may come.
#[derive(Debug, Clone)]
pub enum Who {
    Anyone,
    Forged,
    Member(#[expect(dead_code, reason = "it is printed")] Role),
    Expired,
    OtherDay,
    Console(ConsoleRole),
}

/// A process that serves pages of a store in memory, and records what is asked itself.
pub struct Stage {
    pub store: Mutex<MemoryStore>,
    counted: Counted,
    /// Whether a process leads the day.
    pub led: AtomicBool,
}

impl Stage {
    pub fn store(&self) -> MemoryStore {
        self.store.lock().unwrap().another_process()
    }

    /// Records what follows from an input.
    pub fn record(&self, id: &DayId, input: Input) -> Result<(), squall::gameday::step::Refusal> {
        let mut store = self.store();
        let day = Day::replay(&store.day_events(id).unwrap()).unwrap();
        let followed = step(&day, &id.0, day.last, input)?;
        let recorded = (day.seq + 1..).zip(followed).map(|(seq, event)| Recorded { seq, at: day.last, event });
        store.append_day(id, &recorded.collect::<Vec<_>>(), None).unwrap();
        Ok(())
    }
}

impl Desk for Stage {
    fn ask_day(&self, day: &DayId, ask: Ask) -> Result<Placed, Refusal> {
        let recorded = self.record(day, Input::Asked(ask.by, ask.command));
        let placed = if self.led.load(Ordering::SeqCst) { Placed::Recorded } else { Placed::RecordedWhileFaultInPlace };
        recorded.map(|()| placed).map_err(|refusal| Refusal::new(409, refusal.what))
    }

    fn is_orphaned(&self, _: &DayId, day: &Day) -> Result<bool, Refusal> {
        Ok(day.duty().is_some() && !self.led.load(Ordering::SeqCst))
    }

    fn board(&self) -> Result<Vec<Row>, Refusal> {
        Ok(Vec::new())
    }
}

impl Backend for Stage {
    fn store(&self) -> Result<Box<dyn ProjectStore + Send>, StoreError> {
        Ok(Box::new(Stage::store(self)))
    }

    fn schedules(&self) -> Arc<Vec<Schedule>> {
        Arc::default()
    }

    fn run_now(&self, _: &RunNow) -> Result<RunId, Refusal> {
        Err(Refusal::new(409, "not here"))
    }

    fn plan(&self, _: &ScheduleName, _: &[Given], _: Option<u64>) -> Result<serde_json::Value, Refusal> {
        Err(Refusal::new(409, "not here"))
    }

    fn not_ready(&self) -> Option<String> {
        None
    }

    fn counted(&self) -> &Counted {
        &self.counted
    }
}

/// The table of pages, to look at.
pub fn pages() -> Vec<Route> {
    routes(Arc::new(Stage { store: Mutex::default(), counted: Counted::default(), led: AtomicBool::new(true) }))
}

/// A console, and a browser without a window.
pub struct Bench {
    pub stage: Arc<Stage>,
    pub address: SocketAddr,
}

impl Bench {
    pub fn new(events: &[Recorded]) -> Bench {
        Bench::with(events, Doors { requests_a_minute: 1_000_000, ..Doors::default() })
    }

    pub fn with(events: &[Recorded], doors: Doors) -> Bench {
        let mut store = MemoryStore::new();
        store.append_day(&id(), events, None).unwrap();
        store.append_day(&DayId("day-2".into()), &day(), None).unwrap();
        let run = RunId("run-1".into());
        let epoch = store.create(&run, "ana").unwrap();
        let verdict = squall::judge::verdict::Verdict::held();
        let closed = run::event::Event::Closed { verdict, left: vec![] };
        store.append(&run, epoch, &[run::event::Recorded { seq: 1, at: Time::EPOCH, event: closed }]).unwrap();
        let stage =
            Arc::new(Stage { store: Mutex::new(store), counted: Counted::default(), led: AtomicBool::new(true) });
        let mut table = routes(Arc::clone(&stage) as Arc<dyn Desk>);
        table.extend(squall::serve::http::routes::all());
        let backend = Arc::clone(&stage) as Arc<dyn Backend>;
        let any = "127.0.0.1:0".parse().unwrap();
        let listening = listen(any, backend, Arc::new(RealEnv), doors, Limits::default(), table).unwrap();
        Bench { stage, address: listening.address }
    }

    pub fn store(&self) -> MemoryStore {
        self.stage.store()
    }

    /// Keeps an invitation, and gives the secrets of its link and of its session.
    fn seat(&self, seat: Seat, expires: Span, joined: bool) -> (String, String) {
        let (link, link_hash) = issue(&RealEnv);
        let (session, hash) = issue(&RealEnv);
        let made = RealEnv.now();
        let session_of = joined.then_some((hash, made));
        let made_by = "test".into();
        let row = Invitation {
            seat,
            link: link_hash,
            made,
            made_by,
            expires: made + expires,
            revoked: None,
            session: session_of,
        };
        self.store().invite(&row).unwrap();
        (link, session)
    }

    fn of_day(day: &str, role: Role, name: &str) -> Seat {
        Seat::Day { day: DayId(day.into()), actor: Actor { person: name.parse().unwrap(), role, agent: false } }
    }

    pub fn invite(&self, role: Role, name: &str, expires: Span) -> String {
        self.seat(Bench::of_day(DAY, role, name), expires, false).0
    }

    /// The session of a member with this role.
    pub fn member(&self, role: Role) -> String {
        let name = match role {
            Role::Responder => "First responder",
            Role::Facilitator => "Facilitator",
            Role::Scribe => "Scribe",
            Role::Observer => "Olga",
            Role::SafetyMonitor => "Max",
        };
        self.seat(Bench::of_day(DAY, role, name), Span::from_mins(60), true).1
    }

    pub fn expired(&self) -> String {
        self.seat(Bench::of_day(DAY, Role::SafetyMonitor, "Max"), Span::ZERO, true).1
    }

    pub fn console(&self, role: ConsoleRole) -> String {
        let person = Person { name: role.word().parse().unwrap(), role };
        self.seat(Seat::Console(person), Span::from_mins(60), true).1
    }

    /// Everybody who may come, with their cookie.
    pub fn everybody(&self) -> Vec<(Who, String)> {
        let mut all = vec![(Who::Anyone, String::new()), (Who::Forged, format!("squall_{}", "0".repeat(64)))];
        all.extend(Role::ALL.map(|role| (Who::Member(role), self.member(role))));
        all.push((Who::Expired, self.expired()));
        all.push((
            Who::OtherDay,
            self.seat(Bench::of_day("day-2", Role::Facilitator, "Fay"), Span::from_mins(60), true).1,
        ));
        all.extend(ConsoleRole::ALL.map(|role| (Who::Console(role), self.console(role))));
        all
    }

    pub fn get(&self, path: &str, cookie: &str) -> (u16, String) {
        self.raw("GET", path, cookie, "", "")
    }

    /// As a form of one of our pages sends it.
    pub fn post(&self, path: &str, cookie: &str, form: &str) -> (u16, String) {
        let headers = format!("Content-Type: application/x-www-form-urlencoded\r\nOrigin: http://{}\r\n", self.address);
        self.raw("POST", path, cookie, &headers, form)
    }

    pub fn hosted(&self, host: &str, path: &str, cookie: &str) -> (u16, String) {
        self.send(&format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nCookie: squall={cookie}\r\n\r\n"
        ))
    }

    /// The status, and the whole answer. A stream is read to its first words.
    pub fn raw(&self, verb: &str, path: &str, cookie: &str, headers: &str, form: &str) -> (u16, String) {
        let cookie = if cookie.is_empty() { String::new() } else { format!("Cookie: squall={cookie}\r\n") };
        let length = if verb == "POST" { format!("Content-Length: {}\r\n", form.len()) } else { String::new() };
        let host = self.address;
        self.send(&format!(
            "{verb} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{cookie}{headers}{length}\r\n{form}"
        ))
    }

    fn send(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let (mut answer, mut chunk) = (Vec::new(), [0; 65_536]);
        loop {
            let read = stream.read(&mut chunk).unwrap_or(0);
            answer.extend_from_slice(&chunk[..read]);
            let text = String::from_utf8_lossy(&answer);
            let streams =
                text.contains("text/event-stream") && (text.contains("event: parts") || text.contains("event: end"));
            if read == 0 || streams {
                break;
            }
        }
        let answer = String::from_utf8(answer).unwrap();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, answer)
    }
}

/// What comes after the headers.
pub fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}
