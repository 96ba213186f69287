//! Running instances of the service, inside this process or as a child of it.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    sync::OnceLock,
    time::Duration,
};

use rapier_physics_service::{App, Config, app::Listeners, simulations::Lull};
use tokio::net::TcpListener;

use crate::harness::{Client, process::Process};

const BINARY: &str = env!("CARGO_BIN_EXE_rapier-physics-service");
const START: Duration = Duration::from_secs(20);
/// What is started instead of the binary that was built for the tests.
static OTHER_PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// A server that answers on a port of its own and is gone when this is dropped.
pub(crate) struct Instance {
    address: SocketAddr,
    host: Host,
}

enum Host {
    InProcess(Option<App>),
    Spawned(Process),
}

/// How a program that refused to start said so.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The exit code.
    pub(crate) code: Option<i32>,
    /// Everything it printed.
    pub(crate) output: String,
}

impl Instance {
    /// Starts the service inside this process; `args` are command-line flags.
    pub(crate) async fn in_process(args: &[&str]) -> Self {
        show_logs_of_failing_tests();
        let args = ["rapier-physics-service", "--port", "0"].iter().chain(args);
        let config = Config::try_from_args(args).expect("tests use legal settings");
        let listeners = Listeners {
            public: TcpListener::bind(("127.0.0.1", 0))
                .await
                .expect("a free port exists"),
            internal: None,
            metrics: None,
        };
        let app = App::start(config, listeners, Lull::default())
            .expect("the service starts on a bound port");
        Self {
            address: app.address(),
            host: Host::InProcess(Some(app)),
        }
    }

    /// Starts the real binary, configured by environment variables.
    pub(crate) async fn spawn(env: &[(&str, &str)]) -> Self {
        Self::spawn_with(&[], env).await
    }

    /// Starts the real binary with flags and environment variables.
    pub(crate) async fn spawn_with(args: &[&str], env: &[(&str, &str)]) -> Self {
        let process = start(args, env);
        let log = process.log().clone();
        let found = tokio::task::spawn_blocking(move || log.wait_for(START, listening_on))
            .await
            .expect("waiting for a line does not panic");
        let Some(address) = found else {
            panic!("the instance never said where it listens");
        };
        Self {
            address: reachable(address),
            host: Host::Spawned(process),
        }
    }

    /// A new client of this instance.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// Where the instance listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops an instance inside this process the gentle way.
    pub(crate) async fn drain(mut self) {
        match &mut self.host {
            Host::InProcess(app) => {
                app.take()
                    .expect("an instance is drained once")
                    .drain()
                    .await;
            }
            Host::Spawned(_) => panic!("a child process is drained by a signal"),
        }
    }

    /// Sends a signal by name, such as `TERM`, to the child process.
    pub(crate) fn signal(&self, name: &str) {
        self.process().signal(name);
    }

    /// The id of the child process.
    pub(crate) fn pid(&self) -> u32 {
        self.process().id()
    }

    /// Stops the child process where it is, as a long pause would; it keeps its sockets.
    pub(crate) fn stop(&self) {
        self.process().stop();
    }

    /// Lets a stopped child process go on as if nothing had happened.
    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    /// Ends the child process at once, as a crash would.
    pub(crate) fn kill(&mut self) -> ExitStatus {
        self.process_mut().kill()
    }

    /// Waits until the child process has ended.
    pub(crate) async fn exit(&mut self, deadline: Duration) -> ExitStatus {
        self.process_mut().exit(deadline).await
    }

    /// Whether the child process has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        self.process_mut().ended().is_none()
    }

    /// What the child process has printed so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.process().log().lines()
    }

    fn process(&self) -> &Process {
        match &self.host {
            Host::Spawned(process) => process,
            Host::InProcess(_) => panic!("only a child process has an id and a log"),
        }
    }

    fn process_mut(&mut self) -> &mut Process {
        match &mut self.host {
            Host::Spawned(process) => process,
            Host::InProcess(_) => panic!("only a child process exits"),
        }
    }
}

/// The program that children of this process run.
pub(crate) fn program() -> &'static Path {
    OTHER_PROGRAM
        .get()
        .map_or(Path::new(BINARY), PathBuf::as_path)
}

/// Has children of this process run another program, once and before the first is started.
pub(crate) fn run_instead(program: PathBuf) {
    OTHER_PROGRAM
        .set(program)
        .expect("it is chosen once, before anything is started");
}

/// Starts the real binary with settings it must refuse, and waits for its end.
pub(crate) async fn refused_start(args: &[&str], env: &[(&str, &str)]) -> Refusal {
    let mut process = start(args, env);
    let status = process.exit(START).await;
    Refusal {
        code: status.code(),
        output: process.output(),
    }
}

fn start(args: &[&str], env: &[(&str, &str)]) -> Process {
    let mut command = Command::new(program());
    command
        .env_clear()
        .env("HOST", "127.0.0.1")
        .env("PORT", "0")
        .env("METRICS_PORT", "0")
        .envs(env.iter().copied())
        .args(args);
    Process::start("the instance", &mut command).expect("the binary was built")
}

fn listening_on(line: &str) -> Option<SocketAddr> {
    let plain = without_colours(line);
    let rest = plain.split("listening on ").nth(1)?;
    rest.split(|c: char| !(c.is_ascii_hexdigit() || "[]:.".contains(c)))
        .next()?
        .parse()
        .ok()
}

fn without_colours(line: &str) -> String {
    let mut plain = String::new();
    let mut skipping = false;
    for c in line.chars() {
        match c {
            '\u{1b}' => skipping = true,
            'm' if skipping => skipping = false,
            _ if skipping => {}
            _ => plain.push(c),
        }
    }
    plain
}

/// An address one can connect to: a wildcard becomes the loopback of its family.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    address
}

fn show_logs_of_failing_tests() {
    let _first_test_wins = tracing_subscriber::fmt()
        .with_test_writer()
        .with_ansi(false)
        .with_max_level(tracing::Level::INFO)
        .try_init();
}
