//! How the proxy comes to life and ends: three commands of the binary, of which the wrapper script calls the first.
//!
//! `start` binds the port, hands it to `guard` and prints the address; so connections wait in the kernel from before the
//! runtime begins, and there is nothing to wait for. `guard` runs `serve`, and again without faults if it dies. Both end with
//! the runtime. None of them is an extension of Lambda's: an extension that exits takes the environment with it.

use std::io::{self, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio, exit};
use std::sync::Arc;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open, setsid};

use crate::clock::System;
use crate::faults::Faults;
use crate::proxy::Proxy;
use crate::report;
use crate::settings::{Off, Settings};
use crate::ssm::Ssm;

/// So often a proxy that died is replaced.
const REPLACED: usize = 5;

/// Starts the proxy for the runtime with a process id, and prints its address; prints nothing where there is nothing to do.
pub fn start(runtime: &str, settings: Result<Settings, Off>) -> io::Result<()> {
    let settings = match settings {
        Ok(settings) => settings,
        Err(Off::Silent) => return Ok(()),
        Err(Off::Wrong(problem)) => {
            report::problem(&format!("{problem}; the layer is off"));
            return Ok(());
        }
    };
    let listener = TcpListener::bind(("127.0.0.1", settings.port))?;
    let address = listener.local_addr()?;
    run("guard", runtime, listener.into(), Stdio::null())?;
    writeln!(io::stdout(), "{address}")
}

fn run(command: &str, runtime: &str, listener: OwnedFd, stdout: Stdio) -> io::Result<Child> {
    let program = std::env::current_exe()?;
    Command::new(program).args([command, runtime]).stdin(Stdio::from(listener)).stdout(stdout).spawn()
}

/// The listener that the caller has put on standard input.
fn inherited() -> io::Result<OwnedFd> {
    io::stdin().as_fd().try_clone_to_owned()
}

/// Keeps a proxy running until the runtime ends. A proxy that dies is replaced by one without faults.
pub fn guard(runtime: &str) -> io::Result<()> {
    // A signal to the group of the runtime is not for the proxy.
    let _ = setsid();
    let listener = inherited()?;
    let mut command = "serve";
    for _ in 0..REPLACED {
        if run(command, runtime, listener.try_clone()?, Stdio::null())?.wait()?.success() {
            return Ok(());
        }
        command = "pass";
        report::problem("the proxy ended unexpectedly; another one passes everything through");
    }
    Ok(())
}

/// Serves until the runtime ends.
pub fn serve(runtime: &str, settings: Settings, with_faults: bool) -> io::Result<()> {
    let runtime = runtime.to_owned();
    thread::Builder::new().stack_size(64 << 10).spawn(move || {
        if await_end(&runtime).is_ok() {
            exit(0);
        }
    })?;
    let listener = TcpListener::from(inherited()?);
    let proxy = match with_faults {
        true => Proxy::with(reader(settings)?),
        false => Proxy::new(settings.upstream),
    };
    Err(Arc::new(proxy).serve(&listener))
}

/// Reads orders in the background, now and whenever invocations come.
fn reader(settings: Settings) -> io::Result<Arc<Faults>> {
    let ssm = Ssm::new(&settings, |name| std::env::var(name).ok());
    let (faults, asked) = Faults::new(settings, System::new(), report::line);
    let learns = faults.clone();
    thread::Builder::new().stack_size(256 << 10).spawn(move || {
        for () in asked {
            let sent = learns.now();
            let fetched = ssm.as_ref().map_err(Clone::clone).and_then(|ssm| ssm.fetch(sent.wall));
            learns.learn(sent, fetched);
        }
    })?;
    faults.refresh();
    Ok(faults)
}

/// Waits until a process has ended. Fails at once where the kernel cannot say; then the environment's end is the proxy's.
fn await_end(process: &str) -> io::Result<()> {
    let id = process.parse().ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    let process = match pidfd_open(id, PidfdFlags::empty()) {
        Ok(process) => process,
        Err(rustix::io::Errno::SRCH) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    loop {
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], None) {
            Err(rustix::io::Errno::INTR) => (),
            other => return other.map(|_| ()).map_err(io::Error::from),
        }
    }
}
