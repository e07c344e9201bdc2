//! Runtime clients that others wrote, behind the layer as it lies in `/opt`: what reaches the Runtime API is what reaches it without the
//! layer, byte for byte but for the address that they were given.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::script::Opt;

/// What a runtime gets, one after another. The rest of them are long, or ask for a failure or a stream.
fn events() -> Vec<String> {
    let long = format!(r#"{{"text": "{}"}}"#, "é".repeat(150_000));
    let own = [r#"{"text": "short"}"#, "{}", r#"{"fail": "no tax today"}"#, r#"{"stream": true}"#];
    own.into_iter().map(String::from).chain([long, r#"{"text": "last"}"#.into()]).collect()
}

/// A stand-in for the Runtime API, which keeps every request as it came.
struct Api {
    address: String,
    answered: Receiver<Vec<u8>>,
}

impl Api {
    fn new(events: Vec<String>) -> Api {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (send, answered) = channel();
        let left = Arc::new(Mutex::new(events.into_iter().enumerate().collect::<Vec<_>>()));
        left.lock().unwrap().reverse();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (send, left) = (send.clone(), left.clone());
                thread::spawn(move || serve(stream, &send, &left));
            }
        });
        Api { address, answered }
    }

    /// The runtime's answers, each with its head, in their order.
    fn answers(&self, count: usize) -> Vec<String> {
        let patience = Duration::from_secs(60);
        let next = |_| String::from_utf8(self.answered.recv_timeout(patience).unwrap()).unwrap();
        (0..count).map(next).collect()
    }
}

/// Serves a connection until it ends. After the last event the next one never comes.
fn serve(mut stream: TcpStream, send: &Sender<Vec<u8>>, left: &Mutex<Vec<(usize, String)>>) -> Option<()> {
    loop {
        let mut request = Vec::new();
        read_until(&mut stream, &mut request, |request| request.ends_with(b"\r\n\r\n"))?;
        let head = String::from_utf8_lossy(&request).to_ascii_lowercase();
        if head.starts_with("get") {
            let Some((number, event)) = left.lock().unwrap().pop() else { continue };
            let length = event.len();
            let reply = format!(
                "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id-{number}\r\nLambda-Runtime-Deadline-Ms: 1795852830000\r\n\
                 Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:111122223333:function:f\r\n\
                 Lambda-Runtime-Trace-Id: Root=1-0-0;Sampled=0\r\nContent-Type: application/json\r\n\
                 Content-Length: {length}\r\n\r\n{event}"
            );
            stream.write_all(reply.as_bytes()).ok()?;
            continue;
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
        let begins = request.len();
        match length {
            Some(length) => read_until(&mut stream, &mut request, |request| request.len() == begins + length)?,
            // Chunks, then trailers, then an empty line.
            None => read_until(&mut stream, &mut request, |request| {
                let last = request.windows(5).skip(begins - 2).any(|bytes| bytes == b"\r\n0\r\n");
                last && request.ends_with(b"\r\n\r\n")
            })?,
        }
        stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").ok()?;
        send.send(request).ok()?;
    }
}

fn read_until(stream: &mut TcpStream, into: &mut Vec<u8>, done: impl Fn(&[u8]) -> bool) -> Option<()> {
    while !done(into) {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        into.push(byte[0]);
    }
    Some(())
}

/// A process that is ended with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a client on these events without the layer and behind it, and gives what reached the Runtime API: the same.
#[track_caller]
fn the_same(name: &str, events: &[String], client: &str) -> Vec<String> {
    let answers = |wrapped: bool| {
        let api = Api::new(events.to_vec());
        let client = format!("exec {client}");
        let mut command = match wrapped {
            // Nothing listens at port 1: reading orders fails, as where SSM is unreachable.
            true => Opt::new(name).command(&api.address, &[("AWS_ENDPOINT_URL_SSM", "http://127.0.0.1:1")], &client),
            false => {
                let mut command = Command::new("sh");
                command.args(["-c", &client]).env("AWS_LAMBDA_RUNTIME_API", &api.address);
                command
            }
        };
        command.env("AWS_LAMBDA_FUNCTION_NAME", "f").env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128");
        command
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "g")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "s");
        let runtime = Ended(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let answers = api.answers(events.len());
        drop(runtime);
        // Behind the layer the client was given another address, and says so.
        let direct = |request: &String| request.to_ascii_lowercase().contains(&format!("host: {}\r\n", api.address));
        assert!(answers.iter().all(|request| direct(request) != wrapped), "{wrapped}: {answers:?}");
        answers.iter().map(|request| without_host(request)).collect::<Vec<_>>()
    };
    let (direct, wrapped) = (answers(false), answers(true));
    assert_eq!(wrapped, direct);
    direct
}

/// A request without the address that the client was given.
fn without_host(request: &str) -> String {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let lines = head.split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("host:"));
    // lambda_runtime writes the address into the request line as well.
    let lines = lines.map(|line| match line.split_once("http://127.0.0.1:") {
        Some((before, after)) => format!("{before}{}", after.split_once('/').map_or("", |(_, path)| path)),
        None => line.to_owned(),
    });
    format!("{}\r\n\r\n{body}", lines.collect::<Vec<_>>().join("\r\n"))
}

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn node_is_served_as_without_the_layer() {
    if Command::new("node").arg("--version").output().is_err() {
        println!("NOTE: node is not there: its runtime client was not run behind the layer");
        return;
    }
    let answers = the_same("node", &events(), &format!("node '{}'", source("tests/clients/runtime.mjs").display()));
    assert!(answers[2].contains("/id-2/error HTTP/1.1\r\n") && answers[2].contains("no tax today"), "{}", answers[2]);
    assert!(
        answers[3].contains("chunk 19;") && answers[3].contains("Lambda-Runtime-Function-Error-Body: aGFsZg=="),
        "{}",
        answers[3]
    );
    assert!(answers[4].len() > 300_000);
}

#[test]
fn rusts_lambda_runtime_is_served_as_without_the_layer() {
    // `cargo test` has built it; `cargo test --test all` has not.
    let build = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--quiet", "--example", "echo"])
        .current_dir(source(""))
        .status();
    assert!(build.unwrap().success());
    let folder = std::env::current_exe().unwrap().parent().unwrap().with_file_name("examples");
    let program = folder.join("echo");
    let events: Vec<String> = events().into_iter().filter(|event| !event.contains("stream")).collect();
    let answers = the_same("rust", &events, &format!("'{}'", program.display()));
    assert!(answers[2].contains("/id-2/error HTTP/1.1\r\n") && answers[2].contains("no tax today"), "{}", answers[2]);
    assert!(answers[0].contains(r#""text":"short""#), "{}", answers[0]);
}
