//! The wrapper script with the binary beside it, as in `/opt`.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::wires::End;

/// A folder like `/opt` in an environment with the layer.
pub struct Opt(PathBuf);

impl Opt {
    pub fn new(name: &str) -> Opt {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("squall-layer.d")).unwrap();
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("opt/squall-layer"), folder.join("squall-layer")).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_squall-layer"), folder.join("squall-layer.d/squall-layer")).unwrap();
        Opt(folder)
    }

    pub fn command(&self, api: &str, variables: &[(&str, &str)], runtime: &str) -> Command {
        let mut command = Command::new(self.0.join("squall-layer"));
        command.args(["sh", "-c", runtime, "the name", "an argument"]).env("AWS_LAMBDA_RUNTIME_API", api);
        command.envs([("SQUALL_FAULTS_PARAM", "/shop/faults")]).envs(variables.iter().copied()).stderr(Stdio::piped());
        command
    }

    fn run(&self, api: &str, variables: &[(&str, &str)]) -> Output {
        self.command(api, variables, r#"echo "$0,$1,$AWS_LAMBDA_RUNTIME_API"; exit 3"#).output().unwrap()
    }
}

/// Nothing of the layer is seen: the runtime has its arguments, the address that it would have, and its own exit code.
#[track_caller]
fn unchanged(output: &Output) {
    assert_eq!(String::from_utf8_lossy(&output.stdout), "the name,an argument,127.0.0.1:9001\n");
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn whatever_fails_the_runtime_runs() {
    let opt = Opt::new("fails");
    let run = |variables: &[(&str, &str)]| opt.run("127.0.0.1:9001", variables);
    unchanged(&run(&[("SQUALL_LAYER", "off")]));
    unchanged(&run(&[("SQUALL_FAULTS_PARAM", "")]));
    let wrong = run(&[("SQUALL_LAYER_PORT", "many")]);
    unchanged(&wrong);
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(said.contains("SQUALL_LAYER_PORT must be a number from 0 to 65535; the layer is off"), "{said}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    unchanged(&run(&[("SQUALL_LAYER_PORT", &taken.local_addr().unwrap().port().to_string())]));
    let binary = opt.0.join("squall-layer.d/squall-layer");
    // The binary of the other architecture, or half of it.
    fs::remove_file(&binary).unwrap();
    fs::write(&binary, b"\x7fELF").unwrap();
    unchanged(&run(&[]));
    fs::remove_file(&binary).unwrap();
    unchanged(&run(&[]));
}

#[test]
fn the_runtime_is_led_to_the_proxy_which_ends_with_it() {
    let opt = Opt::new("ends");
    let api = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command =
        opt.command(&api.local_addr().unwrap().to_string(), &[], r#"echo "$AWS_LAMBDA_RUNTIME_API"; read line"#);
    let mut runtime = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let address = line(runtime.stdout.as_mut().unwrap());
    let mut client = End::connect(address.parse().unwrap());
    let mut server = End::of(api.accept().unwrap().0);
    client.says("GET / HTTP/1.1\r\n\r\n");
    server.hears("GET / HTTP/1.1\r\n\r\n");
    // The runtime ends: so does the proxy, and its connections with it.
    runtime.stdin.take().unwrap().write_all(b"\n").unwrap();
    runtime.wait().unwrap();
    server.is_closed();
    client.is_closed();
}

#[test]
fn a_proxy_that_is_killed_is_replaced() {
    let opt = Opt::new("killed");
    let api = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command =
        opt.command(&api.local_addr().unwrap().to_string(), &[], r#"echo "$AWS_LAMBDA_RUNTIME_API"; read line"#);
    let mut runtime = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let address = line(runtime.stdout.as_mut().unwrap()).parse().unwrap();
    for _ in 0..2 {
        let mut client = End::connect(address);
        let mut server = End::of(api.accept().unwrap().0);
        client.says("GET / HTTP/1.1\r\n\r\n");
        server.hears("GET / HTTP/1.1\r\n\r\n");
        let proxy = process(&["serve", "pass"], runtime.id()).unwrap();
        assert!(Command::new("sh").args(["-c", &format!("kill -9 {proxy}")]).status().unwrap().success());
        client.is_closed();
    }
    let mut client = End::connect(address);
    let mut server = End::of(api.accept().unwrap().0);
    client.says("GET / HTTP/1.1\r\n\r\n");
    server.hears("GET / HTTP/1.1\r\n\r\n");
    drop(runtime.stdin.take());
    runtime.wait().unwrap();
    server.is_closed();
}

/// A line, read byte by byte: nothing behind it is taken.
pub fn line(from: &mut impl Read) -> String {
    let (mut line, mut byte) = (String::new(), [0]);
    loop {
        from.read_exact(&mut byte).unwrap();
        match byte[0] {
            b'\n' => return line,
            byte => line.push(char::from(byte)),
        }
    }
}

/// The process of the proxy for a runtime.
fn process(commands: &[&str], runtime: u32) -> Option<u32> {
    let processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    processes.into_iter().find(|id: &u32| {
        let line = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let words: Vec<_> = line.split('\0').collect();
        words.len() > 2 && commands.contains(&words[1]) && words[2] == runtime.to_string()
    })
}
