//! What systemd is told, when it started this process: ready, alive, stopping (sd_notify(3), `Type=notify`, `WatchdogSec=`). One
//! datagram each; nothing fails without a listener.

use std::os::unix::net::UnixDatagram;

use crate::env::Env;
use crate::units::Span;

/// The socket of systemd, if there is one.
pub struct Systemd {
    to: Option<(UnixDatagram, String)>,
    /// How often it wants to hear that the process lives.
    watchdog: Option<Span>,
    told: Span,
}

impl Systemd {
    /// From the environment: `NOTIFY_SOCKET` and `WATCHDOG_USEC`.
    pub fn new(env: &dyn Env) -> Systemd {
        let path = env.var("NOTIFY_SOCKET").filter(|path| path.starts_with(['/', '@']));
        let to = path.and_then(|path| Some((UnixDatagram::unbound().ok()?, path)));
        let micros = env.var("WATCHDOG_USEC").and_then(|micros| micros.parse().ok());
        // Half of what is allowed, as its manual advises.
        let watchdog = micros.filter(|micros: &i64| *micros > 0).map(|micros| Span::from_micros(micros / 2));
        Systemd { to, watchdog, told: Span::ZERO }
    }

    /// Schedules are served from now on.
    pub fn ready(&self) {
        self.say("READY=1\nSTATUS=serving schedules");
    }

    /// Nothing starts any more.
    pub fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=rolling back what is at work");
    }

    /// The loop has turned at this monotonic time. Called often; said as often as it is wanted.
    pub fn alive(&mut self, now: Span) {
        if self.watchdog.is_some_and(|every| now - self.told >= every) {
            self.told = now;
            self.say("WATCHDOG=1");
        }
    }

    fn say(&self, text: &str) {
        let Some((socket, path)) = &self.to else { return };
        // The process that started us may have stopped listening; that is no reason to stop.
        let _ = match path.strip_prefix('@') {
            Some(name) => to_abstract(socket, name, text),
            None => socket.send_to(text.as_bytes(), path),
        };
    }
}

/// To a socket without a file, which only Linux has.
#[cfg(target_os = "linux")]
fn to_abstract(socket: &UnixDatagram, name: &str, text: &str) -> std::io::Result<usize> {
    use std::os::linux::net::SocketAddrExt as _;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
    socket.send_to_addr(text.as_bytes(), &address)
}

#[cfg(not(target_os = "linux"))]
fn to_abstract(_: &UnixDatagram, _: &str, _: &str) -> std::io::Result<usize> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::{FixedEnv, RealEnv};
    use crate::units::Time;

    struct Set(Vec<(&'static str, String)>);

    impl Env for Set {
        fn now(&self) -> Time {
            RealEnv.now()
        }
        fn monotonic(&self) -> Span {
            RealEnv.monotonic()
        }
        fn sleep(&self, _: Span) {}
        fn entropy(&self) -> u64 {
            0
        }
        fn var(&self, name: &str) -> Option<String> {
            self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
        }
        fn who(&self) -> String {
            String::new()
        }
    }

    #[test]
    fn systemd_hears_that_it_is_ready_alive_and_stopping() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let env = Set(vec![("NOTIFY_SOCKET", path.display().to_string()), ("WATCHDOG_USEC", "2000000".into())]);
        let mut systemd = Systemd::new(&env);
        systemd.ready();
        for now in [500, 1_000, 1_500, 2_000] {
            systemd.alive(Span::from_millis(now));
        }
        systemd.stopping();
        let mut heard = Vec::new();
        let mut buffer = [0; 100];
        for _ in 0..4 {
            let length = socket.recv(&mut buffer).unwrap();
            heard.push(String::from_utf8_lossy(&buffer[..length]).lines().next().unwrap().to_owned());
        }
        assert_eq!(heard, ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]);
    }

    #[test]
    fn without_systemd_nothing_is_said_and_nothing_fails() {
        let mut systemd = Systemd::new(&FixedEnv::at(Time::EPOCH));
        systemd.ready();
        systemd.alive(Span::from_secs(99));
        let gone = Set(vec![("NOTIFY_SOCKET", "/nowhere/at/all".into()), ("WATCHDOG_USEC", "x".into())]);
        Systemd::new(&gone).stopping();
    }
}
