//! A Redis in its own process, killed when dropped, and what it tells of itself.

use std::{
    io::{self, Write},
    net::{Ipv4Addr, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    Outcome,
    process::{cpu_seconds, free_port},
};

/// Time it has to begin to answer.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A Redis that no other measurement uses.
pub(crate) struct Redis {
    child: Child,
    port: u16,
    /// What it writes goes with it.
    _folder: TempDir,
}

impl Redis {
    /// One that keeps nothing.
    pub(crate) fn start() -> Outcome<Self> {
        Self::with(&[])
    }

    /// One that writes down every change, and has it on the disk within a second.
    pub(crate) fn durable() -> Outcome<Self> {
        Self::with(&["--appendonly", "yes", "--appendfsync", "everysec"])
    }

    fn with(settings: &[&str]) -> Outcome<Self> {
        let (port, folder) = (free_port()?, tempfile::tempdir()?);
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--save", "", "--dir"])
            .arg(folder.path())
            .args(settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{error}: apt-get install redis-server"))?;
        let redis = Self {
            child,
            port,
            _folder: folder,
        };
        let start = Instant::now();
        while redis.ask("PING").is_err() {
            if start.elapsed() > START_LIMIT {
                return Err("redis-server does not answer".into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(redis)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// CPU seconds used so far, without the processes that rewrite its file.
    pub(crate) fn cpu_seconds(&self) -> Outcome<f64> {
        cpu_seconds(&self.child.id().to_string())
    }

    /// How many connections there are, without the one that asks.
    pub(crate) fn connections(&self) -> Outcome<u64> {
        Ok(self.info("connected_clients")? - 1)
    }

    /// A number of `INFO`.
    pub(crate) fn info(&self, name: &str) -> Outcome<u64> {
        let info = self.ask("INFO")?;
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let value = line.ok_or_else(|| format!("INFO has no {name}"))?;
        Ok(value.trim().parse()?)
    }

    /// How often a command was carried out so far, by clients and by scripts.
    pub(crate) fn calls(&self, command: &str) -> Outcome<u64> {
        let info = self.ask("INFO commandstats")?;
        let begin = format!("cmdstat_{command}:calls=");
        let line = info.lines().find_map(|line| line.strip_prefix(&begin));
        let calls = line.and_then(|line| line.split(',').next());
        // What was never carried out is not listed.
        Ok(calls.unwrap_or("0").parse()?)
    }

    /// The number that a command answers; nothing if there is none.
    pub(crate) fn number(&self, command: &str) -> Outcome<Option<u64>> {
        let reply = self.ask(command)?;
        let mut lines = reply.lines();
        let first = lines.next().unwrap_or_default();
        let number = match first.split_at_checked(1) {
            Some((":", number)) => number,
            Some(("$", "-1")) => return Ok(None),
            Some(("$", _)) => lines.next().unwrap_or_default(),
            _ => return Err(format!("{command} was answered {first}").into()),
        };
        Ok(Some(number.parse()?))
    }

    fn ask(&self, command: &str) -> Outcome<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        write!(stream, "{command}\r\nQUIT\r\n")?;
        Ok(io::read_to_string(stream)?)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Both fail only for a process that is gone already.
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}
