//! The processes measured: the service and the bare route, killed when dropped, with their memory and CPU time.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{Outcome, client::Client, redis::Redis, statistics::real};

/// Time a process has to begin to answer.
const START_LIMIT: Duration = Duration::from_secs(20);
/// The kernel counts CPU time for user programs in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// A server in its own process.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// The optimised service with its default settings, on a free port, without Redis.
    pub(crate) fn service() -> Outcome<Self> {
        Self::service_with(&[])
    }

    /// The same with some settings.
    pub(crate) fn service_with(settings: &[(&str, String)]) -> Outcome<Self> {
        let storage = ("STORAGE_BACKEND", "memory".to_owned());
        Self::start(&[&[storage], settings].concat())
    }

    /// The same as one instance of several, whose simulations end with it.
    pub(crate) fn in_fleet(redis: &Redis, instance: &str) -> Outcome<Self> {
        Self::with_redis(redis, instance, "registry", &[])
    }

    /// The same as an instance whose simulations have journals.
    pub(crate) fn journalled(redis: &Redis, settings: &[(&str, String)]) -> Outcome<Self> {
        Self::with_redis(redis, "bench", "journal", settings)
    }

    fn with_redis(
        redis: &Redis,
        instance: &str,
        durability: &str,
        settings: &[(&str, String)],
    ) -> Outcome<Self> {
        let shared = [
            ("STORAGE_BACKEND", "redis".to_owned()),
            ("REDIS_URL", redis.url()),
            ("DEFAULT_DURABILITY", durability.to_owned()),
            ("INSTANCE_ID", instance.to_owned()),
            ("INTERNAL_PORT", "0".to_owned()),
        ];
        Self::start(&[&shared, settings].concat())
    }

    /// The optimised service without Redis, on the first core of the machine alone.
    pub(crate) fn on_first_core(settings: &[(&str, String)]) -> Outcome<Self> {
        let memory = [("STORAGE_BACKEND", "memory".to_owned())];
        let mut pinned = Command::new("taskset");
        pinned.args(["-c", "0", env!("CARGO_BIN_EXE_rapier-physics-service")]);
        Self::start_as(pinned, &[&memory, settings].concat())
    }

    fn start(settings: &[(&str, String)]) -> Outcome<Self> {
        let program = Command::new(env!("CARGO_BIN_EXE_rapier-physics-service"));
        Self::start_as(program, settings)
    }

    fn start_as(mut program: Command, settings: &[(&str, String)]) -> Outcome<Self> {
        let port = free_port()?;
        let child = program
            .env("HOST", "127.0.0.1")
            .env("PORT", port.to_string())
            .env("METRICS_PORT", "0")
            .env_remove("REDIS_URL")
            .env_remove("UPSTASH_REDIS_URL")
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut server = Self {
            child,
            address: (Ipv4Addr::LOCALHOST, port).into(),
        };
        server.await_health()?;
        Ok(server)
    }

    /// This program as the bare route, answering that body.
    pub(crate) fn bare_route(body: &[u8]) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--bare-route")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        child
            .stdin
            .take()
            .expect("standard input is piped")
            .write_all(body)?;
        let mut port = String::new();
        BufReader::new(child.stdout.take().expect("standard output is piped"))
            .read_line(&mut port)?;
        let address = (Ipv4Addr::LOCALHOST, port.trim().parse()?).into();
        Ok(Self { child, address })
    }

    /// Keeps it to one core.
    pub(crate) fn keep_to(&self, core: usize) -> Outcome<()> {
        keep_to(core, self.child.id())
    }

    pub(crate) fn client(&self) -> Outcome<Client> {
        Client::connect(self.address)
    }

    /// Resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> Outcome<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .ok_or("no VmRSS line")?;
        Ok(line.trim_end_matches("kB").trim().parse()?)
    }

    /// CPU seconds used so far, by all threads.
    pub(crate) fn cpu_seconds(&self) -> Outcome<f64> {
        cpu_seconds(&self.child.id().to_string())
    }

    fn await_health(&mut self) -> Outcome<()> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the service ended with {status}").into());
            }
            match self.client().and_then(|mut client| client.get("/health")) {
                Ok(_) => return Ok(()),
                Err(failure) if start.elapsed() > START_LIMIT => return Err(failure),
                Err(_) => thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only for a process that is gone already.
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Keeps a process to one core, with all threads that it starts from now on.
pub(crate) fn keep_to(core: usize, process: u32) -> Outcome<()> {
    let (core, process) = (core.to_string(), process.to_string());
    let pinned = Command::new("taskset")
        .args(["-a", "-p", "-c", &core, &process])
        .stdout(Stdio::null())
        .status()?;
    if pinned.success() {
        Ok(())
    } else {
        Err("taskset has failed".into())
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> Outcome<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

/// CPU seconds this program used so far: the generator's share.
pub(crate) fn own_cpu_seconds() -> Outcome<f64> {
    cpu_seconds("self")
}

/// CPU seconds of this program and of the servers it has started and stopped.
pub(crate) fn family_cpu_seconds() -> Outcome<f64> {
    cpu_fields("self", 4)
}

/// CPU seconds of the whole machine, all cores together.
pub(crate) fn machine_cpu_seconds() -> Outcome<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let all = stat.lines().next().ok_or("no first line in stat")?;
    let counts: Vec<u64> = all
        .split_ascii_whitespace()
        .skip(1)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    // The fields are user, nice, system, idle, waiting for I/O, then other kinds of work up to the eighth.
    let busy = counts.iter().take(8).sum::<u64>() - counts.iter().skip(3).take(2).sum::<u64>();
    Ok(real(busy) / TICKS_PER_SECOND)
}

/// CPU seconds a process used so far, without its children.
pub(crate) fn cpu_seconds(process: &str) -> Outcome<f64> {
    cpu_fields(process, 2)
}

/// The sum of user and system time, and with four fields of those of ended children too.
fn cpu_fields(process: &str, count: usize) -> Outcome<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The second field is the program's name in brackets and may hold spaces; the times begin at field 14.
    let after_name = stat.rsplit_once(')').ok_or("no program name in stat")?.1;
    let ticks = after_name
        .split_ascii_whitespace()
        .skip(11)
        .take(count)
        .map(str::parse::<u64>);
    Ok(real(ticks.sum::<Result<u64, _>>()?) / TICKS_PER_SECOND)
}
