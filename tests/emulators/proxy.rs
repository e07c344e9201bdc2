//! A proxy before an emulator that does to calls what a network and a busy service do: replies are lost, writes arrive late,
//! calls are refused, throttled or fail. All of it by chance, from a seed, and bounded.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use crate::account::pause;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Normal,
    /// It is done, and the answer is lost.
    ReplyLost,
    /// The caller loses its connection at once, and so long after the call is done all the same.
    Late(Duration),
    /// It is answered with this status, and not done.
    Refused(u16),
    /// It is done, and answered with 500.
    FailedAfter,
}

/// How many calls had which fate.
#[derive(Debug, Default)]
pub struct Counts {
    pub calls: AtomicUsize,
    pub lost: AtomicUsize,
    pub late: AtomicUsize,
    pub refused: AtomicUsize,
    pub failed: AtomicUsize,
    /// Writes that are still to be done.
    pub under_way: AtomicUsize,
}

/// A proxy that runs until this program ends.
pub struct Proxy {
    /// Where it listens.
    pub url: String,
    pub counts: Arc<Counts>,
    rough: Arc<Mutex<bool>>,
    switches: Arc<Mutex<Switches>>,
}

/// The dead-man switches that were armed through a proxy.
#[derive(Debug, Default)]
struct Switches {
    /// They wake so long after they are armed, and not at the latest end of their run.
    after: Option<Duration>,
    /// When each wakes, by its run.
    wakes: BTreeMap<String, SystemTime>,
}

/// What a request is, as far as its fate depends on it.
struct Request {
    bytes: Vec<u8>,
    writes: bool,
}

impl Proxy {
    /// Listens in front of a server. `late` is the least and the most that a write is held back.
    pub fn before(server: &str, seed: u64, late: (Duration, Duration)) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (counts, rough) = (Arc::<Counts>::default(), Arc::new(Mutex::new(false)));
        let chance = Arc::new(Mutex::new(Pcg64::seed_from_u64(seed)));
        let server = server.trim_start_matches("http://").to_owned();
        let (told, is_rough) = (counts.clone(), rough.clone());
        let switches = Arc::<Mutex<Switches>>::default();
        let armed = switches.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, told, chance, is_rough) = (server.clone(), told.clone(), chance.clone(), is_rough.clone());
                let armed = armed.clone();
                // One that fails to be served is a lost reply to its caller, which is what this proxy is for.
                std::thread::spawn(move || {
                    let fate = |writes: bool| {
                        let rough = *is_rough.lock().unwrap();
                        if rough { drawn(&mut chance.lock().unwrap(), writes, late) } else { Fate::Normal }
                    };
                    let _ = serve(client, &server, &told, &armed, fate);
                });
            }
        });
        Proxy { url, counts, rough, switches }
    }

    /// From now on a dead-man switch wakes so long after it is armed: a run's latest end is half an hour away at the least.
    pub fn switches_wake_after(&self, after: Duration) {
        self.switches.lock().unwrap().after = Some(after);
    }

    /// When the switch of a run wakes, once it is armed.
    pub fn wakes(&self, run: &str) -> Option<SystemTime> {
        self.switches.lock().unwrap().wakes.get(run).copied()
    }

    /// From now on calls have other fates than the normal one, or none has any more.
    pub fn is_rough(&self, rough: bool) {
        *self.rough.lock().unwrap() = rough;
    }
}

impl Switches {
    /// Moves the time at which a switch wakes, where the request arms one.
    #[expect(clippy::disallowed_methods, reason = "emulators live in real time")]
    fn armed(&mut self, request: &mut Request) {
        let (Some(after), text) = (self.after, String::from_utf8_lossy(&request.bytes).into_owned()) else { return };
        let value = |key: &str| {
            let (_, from) = text.split_once(&format!("\\\"{key}\\\":\\\""))?;
            from.split_once("\\\"").map(|(value, _)| value.to_owned())
        };
        if !text.contains("AWSStepFunctions.StartExecution") {
            return;
        }
        let (Some(run), Some(latest)) = (value("run"), value("until")) else { return };
        // To the second, as the switch takes it.
        let wakes = SystemTime::now() + after;
        let seconds = wakes.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let sooner = jiff::Timestamp::from_second(seconds.cast_signed()).unwrap().to_string();
        assert_eq!(sooner.len(), latest.len());
        request.bytes = text.replace(&latest, &sooner).into_bytes();
        self.wakes.insert(run, SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    }
}

/// One call in eight has another fate.
fn drawn(chance: &mut Pcg64, writes: bool, late: (Duration, Duration)) -> Fate {
    match chance.random_range(0..80) {
        0..3 => Fate::ReplyLost,
        3 => Fate::Refused(403),
        4 | 5 => Fate::Refused(429),
        6 | 7 => Fate::Refused(500),
        8 if writes => Fate::FailedAfter,
        // Writes are few, so more of them are late.
        9..14 if writes => {
            let (least, most) = (late.0.as_millis() as u64, late.1.as_millis() as u64);
            Fate::Late(Duration::from_millis(chance.random_range(least..=most)))
        }
        _ => Fate::Normal,
    }
}

/// Takes one request, for a connection is closed after it.
fn serve(
    mut client: TcpStream,
    server: &str,
    counts: &Counts,
    switches: &Mutex<Switches>,
    fate: impl Fn(bool) -> Fate,
) -> std::io::Result<()> {
    let Some(mut request) = read(&client)? else { return Ok(()) };
    switches.lock().unwrap().armed(&mut request);
    counts.calls.fetch_add(1, Ordering::SeqCst);
    counts.under_way.fetch_add(1, Ordering::SeqCst);
    let done = meets(fate(request.writes), &mut client, &request, server, counts);
    counts.under_way.fetch_sub(1, Ordering::SeqCst);
    done
}

fn meets(fate: Fate, client: &mut TcpStream, request: &Request, server: &str, counts: &Counts) -> std::io::Result<()> {
    match fate {
        Fate::Normal => client.write_all(&forward(&request.bytes, server)?),
        Fate::ReplyLost => {
            counts.lost.fetch_add(1, Ordering::SeqCst);
            forward(&request.bytes, server)?;
            client.shutdown(Shutdown::Both)
        }
        Fate::Late(after) => {
            counts.late.fetch_add(1, Ordering::SeqCst);
            // It arrives, whether the client still listens or not.
            let _ = client.shutdown(Shutdown::Both);
            pause(after);
            forward(&request.bytes, server).map(drop)
        }
        Fate::Refused(status) => {
            counts.refused.fetch_add(1, Ordering::SeqCst);
            client.write_all(refusal(status).as_bytes())
        }
        Fate::FailedAfter => {
            counts.failed.fetch_add(1, Ordering::SeqCst);
            forward(&request.bytes, server)?;
            client.write_all(refusal(500).as_bytes())
        }
    }
}

/// An error that every protocol of AWS understands by its status.
fn refusal(status: u16) -> String {
    let (code, reason) = match status {
        403 => ("AccessDeniedException", "Forbidden"),
        429 => ("TooManyRequestsException", "Too Many Requests"),
        _ => ("InternalFailure", "Internal Server Error"),
    };
    let body = format!("{{\"__type\":\"{code}\",\"message\":\"by chance\"}}");
    format!(
        "HTTP/1.1 {status} {reason}\r\nx-amzn-errortype: {code}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    )
}

/// A request, whose answer ends with its connection. `None`: the client left.
fn read(client: &TcpStream) -> std::io::Result<Option<Request>> {
    let mut reader = BufReader::new(client);
    let (mut head, mut length, mut target) = (String::new(), 0, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line == "\r\n" {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if lower.starts_with("x-amz-target:") {
            target.clone_from(&line);
        }
        // One request a connection, so that each is decided about alone.
        if !lower.starts_with("connection:") {
            head += &line;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let text = String::from_utf8_lossy(&body).into_owned();
    let lambda = head.contains(" /20") && !head.starts_with("GET");
    let names = ["PutParameter", "DeleteParameter", "SetQueueAttributes", "PutRolePolicy", "DeleteRolePolicy"];
    let writes = lambda || names.iter().any(|name| target.contains(name) || text.contains(&format!("Action={name}&")));
    let bytes = [head.as_bytes(), b"Connection: close\r\n\r\n", &body].concat();
    Ok(Some(Request { bytes, writes }))
}

fn forward(request: &[u8], server: &str) -> std::io::Result<Vec<u8>> {
    let mut upstream = TcpStream::connect(server)?;
    upstream.write_all(request)?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer)?;
    // The server's clock goes at another speed than that of the runs.
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(0);
    if let Some(date) = answer[..head].windows(7).position(|part| part.eq_ignore_ascii_case(b"\r\ndate:")) {
        answer[date + 2] = b'x';
    }
    Ok(answer)
}
