//! Measures what the layer costs: the same exchanges against a stand-in for the Runtime API, with the proxy between and without.
//!
//!     cargo run --release --example overhead -- PATH/TO/squall-layer [PATH/TO/echo]
//!
//! With the second one, the example `echo`, also the throughput of a function with AWS's runtime client. Prints percentiles of a whole invocation (next and response), throughput, the time to start and the memory of both
//! processes. The binary is the one in the layer; the wrapper script is `opt/squall-layer` beside this crate.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a measurement that cannot go on should stop")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

const ROUNDS: usize = 20_000;

/// When the first bytes of streams arrived at the Runtime API.
static ARRIVED: Mutex<Vec<Instant>> = Mutex::new(Vec::new());

/// When responses had arrived whole.
static ANSWERED: Mutex<Vec<Instant>> = Mutex::new(Vec::new());

fn main() {
    let binary = std::env::args().nth(1).unwrap_or_else(|| "target/release/squall-layer".into());
    let api = api();
    let (mut runtime, stdout, proxy) = wrapped(&binary, &api, &[]);
    // SSM refuses connections at port 1, so nothing is in force; reading it is part of what is measured.
    for (name, address) in [("direct", &api), ("proxy", &proxy), ("direct", &api), ("proxy", &proxy)] {
        let mut times = invocations(address, 1_000, ROUNDS);
        times.sort();
        let at = |share: f64| times[(times.len() as f64 * share) as usize].as_secs_f64() * 1e3;
        println!("{name:8} 1 kB: p50 {:.3} ms, p99 {:.3} ms", at(0.5), at(0.99));
    }
    for (name, address) in [("direct", &api), ("proxy", &proxy), ("direct", &api), ("proxy", &proxy)] {
        let rounds = 40;
        let took: Duration = invocations(address, 6 << 20, rounds).iter().sum();
        println!("{name:8} 6 MB: {:.0} MB/s", 2.0 * 6.0 * rounds as f64 / took.as_secs_f64());
    }
    for (name, address) in [("direct", &api), ("proxy", &proxy), ("direct", &api), ("proxy", &proxy)] {
        let mut times = first_bytes(address, 2_000);
        times.sort();
        let at = |share: f64| times[(times.len() as f64 * share) as usize].as_secs_f64() * 1e3;
        println!("{name:8} first byte of a stream, one way: p50 {:.3} ms, p99 {:.3} ms", at(0.5), at(0.99));
    }
    if let Some(client) = std::env::args().nth(2) {
        for (name, address) in [("direct", &api), ("proxy", &proxy), ("direct", &api), ("proxy", &proxy)] {
            println!("{name:8} 6 MB, lambda_runtime: {:.1} ms an invocation", client_at(&client, address));
        }
    }
    println!("memory after it: {}", memory(runtime.id()));
    drop(stdout);
    end(&mut runtime);
    for (name, off) in [("with the layer", ""), ("SQUALL_LAYER=off", "off")] {
        let mut times: Vec<Duration> = (0..60).map(|_| start(&binary, &api, off)).collect();
        times.sort();
        println!(
            "start, {name}: p50 {:.2} ms, p90 {:.2} ms",
            times[30].as_secs_f64() * 1e3,
            times[54].as_secs_f64() * 1e3
        );
    }
}

/// A Runtime API that gives and takes bodies of the length that the path asks for.
fn api() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || serve(stream));
        }
    });
    address
}

fn serve(stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::with_capacity(64 << 10, stream.try_clone().ok()?);
    let mut stream = stream;
    let mut sizes = 1_000;
    loop {
        let (line, length) = head(&mut reader)?;
        if line.starts_with("GET") {
            sizes = line.split("size=").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok()).unwrap_or(sizes);
            if !line.contains("size=") {
                sizes = 6 << 20;
            }
            let mut reply = format!(
                "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 7\r\nLambda-Runtime-Deadline-Ms: 4102444800000\r\n\
                 Lambda-Runtime-Invoked-Function-Arn: arn\r\nContent-Length: {sizes}\r\n\r\n"
            )
            .into_bytes();
            // A text of JSON.
            reply.push(b'"');
            reply.resize(reply.len() + sizes - 2, b'x');
            reply.push(b'"');
            stream.write_all(&reply).ok()?;
        } else if line.contains("/stream") {
            skip(&mut reader, "4\r\nabcd\r\n".len())?;
            ARRIVED.lock().unwrap().push(Instant::now());
            skip(&mut reader, "0\r\n\r\n".len())?;
            stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").ok()?;
        } else {
            skip(&mut reader, length)?;
            stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").ok()?;
            ANSWERED.lock().unwrap().push(Instant::now());
        }
    }
}

/// Milliseconds of an invocation of a runtime client whose events and responses have 6 MB, the middle of 60.
fn client_at(client: &str, address: &str) -> f64 {
    ANSWERED.lock().unwrap().clear();
    let mut runtime = Command::new(client);
    runtime.env("AWS_LAMBDA_RUNTIME_API", address).env("AWS_LAMBDA_FUNCTION_NAME", "f");
    runtime.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128").env("AWS_LAMBDA_FUNCTION_VERSION", "1");
    runtime.env("AWS_LAMBDA_LOG_GROUP_NAME", "g").env("AWS_LAMBDA_LOG_STREAM_NAME", "s");
    let mut runtime = runtime.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while ANSWERED.lock().unwrap().len() < 70 {
        thread::sleep(Duration::from_millis(20));
    }
    runtime.kill().unwrap();
    runtime.wait().unwrap();
    let answered = ANSWERED.lock().unwrap();
    let mut times: Vec<Duration> = answered.windows(2).skip(9).map(|pair| pair[1] - pair[0]).collect();
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}

fn head(reader: &mut impl BufRead) -> Option<(String, usize)> {
    let (mut first, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            return Some((first, length));
        }
        if first.is_empty() {
            first = line;
        }
    }
}

fn skip(reader: &mut impl Read, length: usize) -> Option<()> {
    let copied = std::io::copy(&mut reader.take(length as u64), &mut std::io::sink()).ok()?;
    (copied == length as u64).then_some(())
}

/// How long each of some invocations took, with events and responses of a size in bytes.
fn invocations(address: &str, size: usize, rounds: usize) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::with_capacity(64 << 10, stream.try_clone().unwrap());
    let next = format!("GET /2018-06-01/runtime/invocation/next?size={size} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes();
    let mut response =
        format!("POST /2018-06-01/runtime/invocation/7/response HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n")
            .into_bytes();
    response.resize(response.len() + size, b'x');
    let mut times = Vec::new();
    for round in 0..rounds + rounds / 10 {
        let begun = Instant::now();
        for call in [&next, &response] {
            stream.write_all(call).unwrap();
            let (_, length) = head(&mut reader).unwrap();
            skip(&mut reader, length).unwrap();
        }
        if round >= rounds / 10 {
            times.push(begun.elapsed());
        }
    }
    times
}

/// How long the first chunk of each of some streamed responses took to the Runtime API, after its head had been sent.
fn first_bytes(address: &str, rounds: usize) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut sent = Vec::new();
    ARRIVED.lock().unwrap().clear();
    for _ in 0..rounds {
        stream.write_all(b"POST /stream HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        sent.push(Instant::now());
        stream.write_all(b"4\r\nabcd\r\n").unwrap();
        stream.write_all(b"0\r\n\r\n").unwrap();
        head(&mut reader).unwrap();
    }
    let arrived = ARRIVED.lock().unwrap();
    sent.iter().zip(arrived.iter()).map(|(sent, arrived)| arrived.duration_since(*sent)).collect()
}

/// A runtime in the wrapper script, which says its address of the Runtime API and waits.
fn wrapped(binary: &str, api: &str, variables: &[(&str, &str)]) -> (Child, BufReader<ChildStdout>, String) {
    let opt = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/overhead");
    std::fs::create_dir_all(opt.join("squall-layer.d")).unwrap();
    let _ = std::fs::remove_file(opt.join("squall-layer.d/squall-layer"));
    std::fs::copy(binary, opt.join("squall-layer.d/squall-layer")).unwrap();
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("opt/squall-layer"), opt.join("squall-layer")).unwrap();
    let mut command = Command::new(opt.join("squall-layer"));
    command.args(["sh", "-c", r#"echo "$AWS_LAMBDA_RUNTIME_API"; read line"#]);
    command.env("AWS_LAMBDA_RUNTIME_API", api).env("SQUALL_FAULTS_PARAM", "/faults").env("AWS_REGION", "eu-west-1");
    command
        .env("AWS_ACCESS_KEY_ID", "A")
        .env("AWS_SECRET_ACCESS_KEY", "s")
        .env("AWS_ENDPOINT_URL_SSM", "https://127.0.0.1:1");
    command.envs(variables.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut runtime = command.spawn().unwrap();
    let mut stdout = BufReader::new(runtime.stdout.take().unwrap());
    let mut address = String::new();
    stdout.read_line(&mut address).unwrap();
    (runtime, stdout, address.trim().to_owned())
}

fn end(runtime: &mut Child) {
    drop(runtime.stdin.take());
    runtime.wait().unwrap();
}

/// From the start of the wrapper script to the runtime's first answer through its address of the Runtime API.
fn start(binary: &str, api: &str, off: &str) -> Duration {
    let begun = Instant::now();
    let (mut runtime, _stdout, address) = wrapped(binary, api, &[("SQUALL_LAYER", off)]);
    invocations(&address, 100, 1);
    let took = begun.elapsed();
    end(&mut runtime);
    took
}

/// Resident memory and its peak, of the processes of the layer for a runtime.
fn memory(runtime: u32) -> String {
    let mut said = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap() {
        let folder = entry.unwrap().path();
        let line = std::fs::read_to_string(folder.join("cmdline")).unwrap_or_default();
        let words: Vec<_> = line.split('\0').collect();
        if words.len() > 2 && words[0].ends_with("squall-layer") && words[2] == runtime.to_string() {
            let status = std::fs::read_to_string(folder.join("status")).unwrap_or_default();
            let of = |key: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
                line.split_whitespace().collect::<Vec<_>>().join(" ")
            };
            said.push(format!("{} {} (peak {})", words[1], of("VmRSS:"), of("VmHWM:")));
        }
    }
    said.join(", ")
}
