//! Commands of this machine whose output is a number.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use crate::account::Window;
use crate::env::Env;
use crate::project::probe::CommandProbe;

/// What a command is told of the environment anyway.
const USUAL: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];
/// A number has fewer bytes.
const LONGEST_OUTPUT: u64 = 64 << 10;

/// The number in the last line that a command prints. It is killed, with all that it started, when its time is over and
/// when no caller waits for it any more.
pub async fn run(probe: &CommandProbe, window: Window, env: &dyn Env) -> Result<f64, String> {
    let [program, arguments @ ..] = probe.run.as_slice() else { return Err("there is no program".into()) };
    let variables = USUAL.into_iter().chain(probe.pass.iter().map(String::as_str));
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(variables.filter_map(|name| Some((name, env.var(name)?))))
        .env("SQUALL_FROM", window.from.to_string())
        .env("SQUALL_TO", window.to.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let mut group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
    let finished = async {
        let mut output = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(LONGEST_OUTPUT).read_to_end(&mut output).await?;
        }
        Ok::<_, std::io::Error>((child.wait().await?, output))
    };
    let (status, output) = match tokio::time::timeout(probe.timeout.to_std(), finished).await {
        Ok(finished) => finished.map_err(|error| format!("{program}: {error}"))?,
        Err(_) => return Err(format!("{program} did not end within {}", probe.timeout)),
    };
    group.0 = None;
    let text = String::from_utf8_lossy(&output);
    let last = text.lines().last().unwrap_or_default().trim();
    match (status.success(), last.parse::<f64>()) {
        (true, Ok(value)) if value.is_finite() => Ok(value),
        // What it printed may be secret, or long, and a journal keeps it.
        (true, _) => {
            let (bytes, lines) = (output.len(), text.lines().count());
            Err(format!("{program} printed {bytes} bytes in {lines} lines, and the last line is not a number"))
        }
        (false, _) => Err(format!("{program} ended with {status}")),
    }
}

/// A command and what it started, while it runs.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // It may have ended by itself meanwhile.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::RealEnv;
    use crate::units::{Span, Time};

    fn run(script: &str, timeout: Span) -> Result<f64, String> {
        let at = "2026-03-02T09:00:00Z".parse::<Time>().unwrap();
        let window = Window { from: at, to: at + Span::from_secs(60) };
        let run = ["sh", "-c", script].map(str::to_owned).to_vec();
        let probe = CommandProbe { run, pass: vec!["CARGO_PKG_NAME".into()], timeout };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(super::run(&probe, window, &RealEnv))
    }

    const LONG: Span = Span::from_secs(30);

    #[test]
    fn a_command_prints_a_number_and_is_told_its_window() {
        assert_eq!(run("echo counting; echo 41.5", LONG), Ok(41.5));
        assert_eq!(run("test $SQUALL_TO = 2026-03-02T09:01:00.000Z && echo -1", LONG), Ok(-1.0));
        let said = run("echo password=hunter2; echo many", LONG).unwrap_err();
        assert!(said.contains("22 bytes in 2 lines") && !said.contains("many") && !said.contains("hunter2"), "{said}");
        assert!(run("echo NaN", LONG).unwrap_err().contains("not a number"));
        assert!(run("echo 1; exit 3", LONG).unwrap_err().contains("exit status: 3"));
    }

    #[test]
    fn a_command_gets_what_it_is_passed_and_no_more_of_the_environment() {
        assert_eq!(run("env | grep -c '^CARGO'", LONG), Ok(1.0));
    }

    #[test]
    fn a_command_that_takes_too_long_is_killed_with_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let script = format!("sleep 1000 & echo $! > {0}.new; mv {0}.new {0}; wait", file.display());
        let mut waited = Span::from_millis(250);
        // A machine under load may not even have begun within the first time.
        while !file.exists() {
            assert!(run(&script, waited).unwrap_err().contains("did not end within"));
            waited = waited * 2;
        }
        let sleeper: i32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        let gone = |pid: i32| {
            // A killed process stays as a zombie until its parent waits for it.
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        };
        while !gone(sleeper) {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_command_that_never_stops_printing_is_no_danger() {
        assert!(run("yes", Span::from_secs(2)).is_err());
    }
}
