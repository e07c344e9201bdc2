//! `squall serve`, killed and stopped while a scheduled run has its fault in.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use squall::env::{Env as _, RealEnv};
use squall::spec::load::ProjectFiles;
use squall::spec::schedules::schedules;
use squall::store::Store as _;
use squall::store::sqlite::SqliteStore;
use squall::units::{Span, Time};

use super::bench::{Bench, text, until};

/// A project with a schedule for every minute, whose last occurrence has just come: it starts at once.
fn scheduled() -> Bench {
    let bench = Bench::new();
    let held = bench.held("payment-worker-throttled.yaml");
    let experiment = held.strip_suffix(".yaml").unwrap();
    let folder = bench.folder.path().join("schedules");
    std::fs::create_dir_all(&folder).unwrap();
    let schedule =
        format!("version: 1\nschedules:\n  often:\n    experiment: {experiment}\n    when: {{ cron: '* * * * *' }}\n");
    std::fs::write(folder.join("often.yaml"), schedule).unwrap();
    let now = RealEnv.now();
    let files = ProjectFiles::open(bench.folder.path()).0.unwrap();
    let (schedules, findings) = schedules(&files, now);
    assert!(findings.is_empty(), "{}", findings.count());
    let mut store = SqliteStore::open(&bench.state()).unwrap();
    store.counted_from(&schedules[0].name, &schedules[0].definition, now - Span::from_mins(3)).unwrap();
    bench
}

/// A server at work.
struct Server(Child);

/// A test that fails leaves none behind.
impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    fn begin(bench: &Bench) -> Server {
        Server::with(bench, &[])
    }

    fn with(bench: &Bench, more: &[&str]) -> Server {
        let mut command = bench.squall(&[&["serve", "--json", "--pace", "300x"], more].concat());
        Server(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Waits until the first run was decided, and gives its name.
    fn first_run(&mut self) -> String {
        let out = BufReader::new(self.0.stdout.as_mut().unwrap());
        for line in out.lines() {
            let line: Json = serde_json::from_str(&line.unwrap()).unwrap();
            if line["fate"] == "run" {
                return line["detail"].as_str().unwrap().to_owned();
            }
        }
        panic!("it ended before a run began");
    }

    /// Waits until it serves.
    fn until_it_serves(&mut self) {
        let err = BufReader::new(self.0.stderr.as_mut().unwrap());
        assert!(
            err.lines().any(|line| line.unwrap().starts_with("serving this project's schedules")),
            "it ended before it served"
        );
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap(), signal).unwrap();
    }
}

/// Waits until the lock and the fault of a run were written.
fn until_the_fault_is_in(bench: &Bench, run: &str) {
    until("the fault is in", || {
        let log = text(&bench.ended(&["log", run, "--json"]).stdout);
        log.lines().filter(|line| line.contains(r#""kind":"changed""#)).count() >= 2
    });
}

fn history(bench: &Bench) -> Vec<Json> {
    let output = bench.ended(&["schedule", "history", "--json"]);
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_a_killed_server_left_is_rolled_back_before_anything_starts() {
    let bench = scheduled();
    let before = bench.picture();
    let mut server = Server::begin(&bench);
    let run = server.first_run();
    until_the_fault_is_in(&bench, &run);
    server.signal(Signal::KILL);
    server.0.wait().unwrap();
    assert_ne!(bench.picture(), before);
    // Nothing new starts, so that only the rollback changes anything.
    assert!(bench.ended(&["halt"]).status.success());
    let mut server = Server::begin(&bench);
    server.until_it_serves();
    assert_eq!(bench.picture(), before);
    server.signal(Signal::TERM);
    assert!(server.0.wait().unwrap().success());
    let log = text(&bench.ended(&["log", &run, "--json"]).stdout);
    assert!(log.lines().last().unwrap().contains(r#""kind":"closed""#), "{log}");
    let runs: Vec<Json> = history(&bench).into_iter().filter(|row| row["fate"] == "run").collect();
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!(runs[0]["detail"], run);
}

#[test]
fn a_server_that_is_stopped_rolls_back_and_then_ends() {
    let bench = scheduled();
    let before = bench.picture();
    let mut server = Server::begin(&bench);
    let run = server.first_run();
    until_the_fault_is_in(&bench, &run);
    // There is one server of a project.
    let other = bench.ended(&["serve"]);
    assert_eq!(other.status.code(), Some(3), "{}", text(&other.stderr));
    server.signal(Signal::TERM);
    assert!(server.0.wait().unwrap().success());
    assert_eq!(bench.picture(), before);
    // What came while it ran: the same occurrence was never decided twice, and each has a time of its own.
    let rows = history(&bench);
    let times: std::collections::BTreeSet<Time> =
        rows.iter().map(|row| row["at"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(times.len(), rows.len());
    assert!(rows.iter().any(|row| row["detail"] == run.as_str()));
}

#[test]
fn a_schedule_is_run_now_beside_its_rhythm() {
    let bench = scheduled();
    std::fs::write(
        bench.folder.path().join("schedules/often.yaml"),
        "version: 1\nschedules:\n  often:\n    experiment: payment-worker-throttled\n    when: { once: 2020-01-01T09:00 }\n    \
         blackouts: { always: { from: 2020-01-01, to: 2090-01-01 } }\n",
    )
    .unwrap();
    let closed = bench.ended(&["schedule", "run", "often", "--pace", "max"]);
    assert_eq!(closed.status.code(), Some(3), "{}", text(&closed.stderr));
    assert!(text(&closed.stderr).contains("blackout `always`"), "{}", text(&closed.stderr));
    assert!(bench.ended(&["halt"]).status.success());
    let halted = bench.ended(&["schedule", "run", "often", "--anyway", "--pace", "max"]);
    assert!(text(&halted.stderr).contains("halted by ana@laptop"), "{}", text(&halted.stderr));
    assert!(bench.ended(&["halt", "--lift"]).status.success());
    let run = ["schedule", "run", "often", "--anyway", "--pace", "max", "--run-id", "run-1", "--seed", "7"];
    let ran = bench.ended(&run);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let rows = history(&bench);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!((&rows[0]["by_hand"], &rows[0]["detail"]), (&Json::from(true), &Json::from("run-1")));
}

/// The API of a real server: a run is refused while another is at work, followed to its end, and what was done is noted.
#[cfg(feature = "serve")]
#[test]
fn a_run_is_followed_over_http_to_its_end() {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    let bench = scheduled();
    let mut server = Server::with(&bench, &["--http", "0"]);
    let mut err = BufReader::new(server.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let address = err.find_map(|line| line.strip_prefix("listening on http://").map(str::to_owned)).unwrap();
    let created = bench.ended(&["token", "create", "ops", "--role", "operator"]);
    let token = text(&created.stdout).trim().to_owned();
    let ask = |verb: &str, path: &str, body: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        let head = format!(
            "{verb} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n"
        );
        let more = format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all((head + &more).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let run = server.first_run();
    until_the_fault_is_in(&bench, &run);
    assert!(ask("GET", "/readyz", "").starts_with("HTTP/1.1 200"));
    // Its setting is taken.
    let plan = ask("POST", "/api/v1/schedules/often/plan", "{}");
    assert!(plan.starts_with("HTTP/1.1 409") && plan.contains(&format!("is locked by {run}")), "{plan}");
    let busy = ask("POST", "/api/v1/schedules/often/run", r#"{"reason":"to see it"}"#);
    assert!(busy.starts_with("HTTP/1.1 409") && busy.contains("is running"), "{busy}");
    let feed = ask("GET", &format!("/api/v1/runs/{run}/events"), "");
    let ids: Vec<u64> = feed.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect();
    assert_eq!(ids, (0..ids.len() as u64).collect::<Vec<_>>());
    assert!(feed.contains(r#""kind":"closed""#) && feed.contains("event: end"), "{feed:.400}");
    // Nothing is changed any more once everything is halted, and then it can be planned.
    assert!(ask("POST", "/api/v1/halt", r#"{"reason":"to plan"}"#).starts_with("HTTP/1.1 200"));
    until("it can be planned", || {
        let plan = ask("POST", "/api/v1/schedules/often/plan", "{}");
        plan.starts_with("HTTP/1.1 200") && plan.contains(r#""changes":"#) && plan.contains("halted by ops: to plan")
    });
    let metrics = ask("GET", "/metrics", "");
    assert!(metrics.contains("squall_start_lateness_seconds_count"), "{metrics}");
    server.signal(Signal::TERM);
    assert!(server.0.wait().unwrap().success());
    let audit = text(&bench.ended(&["token", "audit"]).stdout);
    assert!(audit.contains("token create  ops, operator") && audit.contains("run now  often: to see it"), "{audit}");
}

/// Messages go out from the store: a receiver that fails is asked again, and what a killed server did not tell is told by the next.
/// Each message has one id, so that a receiver can tell one that came twice.
#[cfg(feature = "serve")]
#[test]
fn notifications_survive_a_failing_receiver_and_a_killed_server() {
    use std::collections::BTreeSet;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::{Arc, Mutex};

    let bench = scheduled();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (came, taken) = (Arc::new(Mutex::new(BTreeSet::new())), Arc::new(Mutex::new(BTreeSet::new())));
    let (told, kept) = (Arc::clone(&came), Arc::clone(&taken));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut request, mut buffer) = (stream.unwrap(), String::new(), [0; 4096]);
            while !request.ends_with('}') {
                let length = stream.read(&mut buffer).unwrap();
                request += &String::from_utf8_lossy(&buffer[..length]);
            }
            let message: Json = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
            let id = message["id"].as_str().unwrap().to_owned();
            // The first time it is not taken.
            let status = if told.lock().unwrap().insert(id.clone()) { "503 Busy" } else { "204 No Content" };
            if status.starts_with('2') {
                kept.lock().unwrap().insert(format!("{}: {}", message["kind"], message["run"]).replace('"', ""));
            }
            let _ = stream
                .write_all(format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").as_bytes());
        }
    });
    let config = bench.folder.path().join("squall.yaml");
    let notifications = "\nnotifications:\n  channels: { hook: { webhook: { url_from_env: HOOK_URL, key_from_env: HOOK_KEY } } }\n  \
                         notify: { hook: info }\n  addresses: [127.0.0.1]\n";
    std::fs::write(&config, std::fs::read_to_string(&config).unwrap() + notifications).unwrap();
    let serve = || {
        let mut command = bench.squall(&["serve", "--json", "--pace", "300x"]);
        command.env("HOOK_URL", &url).env("HOOK_KEY", "key").stdout(Stdio::piped()).stderr(Stdio::piped());
        Server(command.spawn().unwrap())
    };
    let mut server = serve();
    let run = server.first_run();
    until_the_fault_is_in(&bench, &run);
    server.signal(Signal::KILL);
    server.0.wait().unwrap();
    assert!(bench.ended(&["halt"]).status.success());
    let mut server = serve();
    server.until_it_serves();
    for kind in ["start", "end", "rolled_back"] {
        until("the message is taken", || taken.lock().unwrap().contains(&format!("{kind}: {run}")));
    }
    server.signal(Signal::TERM);
    assert!(server.0.wait().unwrap().success());
}

#[test]
fn a_server_reads_its_schedules_again_when_it_is_told_to() {
    let bench = scheduled();
    // Nothing is to run here.
    assert!(bench.ended(&["halt"]).status.success());
    let mut server = Server::begin(&bench);
    let mut err = BufReader::new(server.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut hear = |words: &str| assert!(err.any(|line| line.contains(words)), "{words}");
    hear("serving this project's schedules");
    let file = bench.folder.path().join("schedules/more.yaml");
    let more =
        "version: 1\nschedules:\n  more:\n    experiment: payment-worker-throttled\n    when: { cron: 0 9 * * * }\n";
    std::fs::write(&file, more).unwrap();
    server.signal(Signal::HUP);
    hear("read 2 schedules again");
    std::fs::write(&file, "version: 1\nschedules: 7\n").unwrap();
    server.signal(Signal::HUP);
    hear("the schedules from before go on");
    server.signal(Signal::TERM);
    assert!(server.0.wait().unwrap().success());
}
