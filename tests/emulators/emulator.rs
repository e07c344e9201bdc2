//! Emulators: servers that are started once for this program and end with it.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use crate::account::{FIRST_ACCOUNT, until};

/// A server that stands in for AWS.
pub struct Emulator {
    /// Where it listens: `http://127.0.0.1:41234`.
    pub url: String,
    /// The account that everybody is in, whatever the access key says. None: twelve digits are an account's key.
    pub only_account: Option<&'static str>,
    /// What it runs in; an end of its standard input ends it.
    _keeper: Option<Child>,
}

/// Where `setup.sh` puts things: `target/emulators`.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("emulators")
}

/// MiniStack: settings, and functions that run; IAM is enforced. Never believe its AWS/Lambda metrics.
pub fn ministack() -> &'static Emulator {
    static MINISTACK: OnceLock<Emulator> = OnceLock::new();
    MINISTACK.get_or_init(|| {
        let program = folder().join("ministack/bin/ministack");
        assert!(program.exists() && folder().join("node_modules").exists(), "run tests/emulators/setup.sh first");
        Emulator::start("ministack", |command, port, own| {
            // Code is unpacked below `own`, from where Node finds target/emulators/node_modules.
            let port = port.to_string();
            let state = own.join("state");
            command.arg(&program).envs([
                ("GATEWAY_PORT", port.as_str()),
                ("BIND_HOST", "127.0.0.1"),
                ("MINISTACK_HOST", "127.0.0.1"),
                ("MINISTACK_REGION", "us-east-1"),
                ("AUTH", "true"),
                ("AWS_ACCESS_KEY_ID", "test"),
                ("AWS_SECRET_ACCESS_KEY", "test"),
                // Both would listen on all interfaces.
                ("IOT_MTLS_ENABLED", "0"),
                ("SFTP_ENABLED", "0"),
                ("LAMBDA_ASYNC_RETRY_BASE_SECONDS", "1"),
                ("LOG_LEVEL", "INFO"),
            ]);
            command.env("STATE_DIR", &state).env("S3_DATA_DIR", own.join("s3")).env("TMPDIR", own);
        })
    })
}

/// moto: settings only. It runs no code and asks for no permission.
pub fn moto() -> &'static Emulator {
    static MOTO: OnceLock<Emulator> = OnceLock::new();
    MOTO.get_or_init(|| {
        let program = folder().join("moto/bin/moto_server");
        assert!(program.exists(), "run tests/emulators/setup.sh first");
        let started = Emulator::start("moto", |command, port, _| {
            command.arg(&program).args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        });
        Emulator { only_account: Some("123456789012"), ..started }
    })
}

/// LocalEmu: functions that run, layers, true metrics, alarms on a timer; IAM is enforced. Needs root and Python 3.13.
pub fn localemu() -> &'static Emulator {
    static LOCALEMU: OnceLock<Emulator> = OnceLock::new();
    LOCALEMU.get_or_init(|| {
        let python = folder().join("localemu/bin/python");
        assert!(python.exists(), "run tests/emulators/setup.sh localemu first");
        Emulator::start("localemu", |command, port, own| {
            let launch = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulators/localemu/server/launch.py");
            command.arg(&python).arg("-B").arg(launch);
            let roots: Vec<String> = (0..200).map(|number| (FIRST_ACCOUNT + number).to_string()).collect();
            command.env("GATEWAY_LISTEN", format!("127.0.0.1:{port}")).env("ROOT_ACCESS_KEYS", roots.join(","));
            command.envs([
                ("IAM_ENFORCEMENT", "1"),
                ("LAMBDA_RETRY_BASE_DELAY", "1"),
                // Queues publish their counts so often, in seconds.
                ("SQS_CLOUDWATCH_METRICS_REPORT_INTERVAL", "5"),
                ("SKIP_SSL_CERT_DOWNLOAD", "1"),
            ]);
            // Or else it thinks that some machines are its own container, and writes to /var/lib.
            command.env("OVERRIDE_IN_DOCKER", "0").env("FILESYSTEM_ROOT", own.join("root")).env("TMPDIR", own);
        })
    })
}

impl Emulator {
    /// One that another process started and ends.
    pub fn at(url: &str) -> Emulator {
        Emulator { url: url.to_owned(), only_account: None, _keeper: None }
    }

    /// Starts a server on a free port and waits until it listens. `program` adds the command and its environment, given
    /// the port and a folder that is removed at the end. Its output lies in `target/emulators/NAME.log`.
    pub fn start(name: &str, program: impl FnOnce(&mut Command, u16, &Path)) -> Emulator {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let own = folder().join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&own).unwrap();
        let log = File::create(folder().join(format!("{name}.log"))).unwrap();
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulators/keep.sh"));
        command.arg(&own).current_dir(&own);
        program(&mut command, port, &own);
        command.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log);
        let keeper = command.spawn().unwrap();
        until(&format!("{name} listens; see target/emulators/{name}.log"), || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Emulator { url: format!("http://127.0.0.1:{port}"), only_account: None, _keeper: Some(keeper) }
    }
}
