//! What the figures were taken on.

use std::{fs, process::Command, thread, time::Instant};

use serde_json::{Value, json};

use crate::{
    Outcome,
    process::{family_cpu_seconds, machine_cpu_seconds},
};

/// The machine, the compiler and the commit.
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    memory: String,
    kernel: String,
    rustc: String,
    commit: String,
    load: String,
}

impl Machine {
    pub(crate) fn observe() -> Self {
        Self {
            cpu: field("/proc/cpuinfo", "model name"),
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory: field("/proc/meminfo", "MemTotal"),
            kernel: read("/proc/sys/kernel/osrelease"),
            rustc: output("rustc", &["--version"]),
            commit: commit(),
            load: read("/proc/loadavg")
                .split(' ')
                .take(3)
                .collect::<Vec<_>>()
                .join(" "),
        }
    }

    pub(crate) fn lines(&self) -> [String; 4] {
        [
            format!(
                "machine   {}, {} cores, {}",
                self.cpu, self.cores, self.memory
            ),
            format!("system    Linux {}, {}", self.kernel, self.rustc),
            format!("commit    {}", self.commit),
            format!("load      {} before the run", self.load),
        ]
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "cpu": self.cpu, "cores": self.cores, "memory": self.memory, "kernel": self.kernel,
            "rustc": self.rustc, "commit": self.commit, "load_before": self.load,
        })
    }
}

/// Watches how much of the machine other programs use meanwhile: with much of it no ratio can be trusted.
pub(crate) struct Others {
    since: Instant,
    machine: f64,
    family: f64,
}

impl Others {
    pub(crate) fn watch() -> Outcome<Self> {
        Ok(Self {
            since: Instant::now(),
            machine: machine_cpu_seconds()?,
            family: family_cpu_seconds()?,
        })
    }

    /// Cores that other programs kept busy on average, once the servers watched have ended.
    pub(crate) fn cores_used(&self) -> Outcome<f64> {
        let (machine, family) = (
            machine_cpu_seconds()? - self.machine,
            family_cpu_seconds()? - self.family,
        );
        Ok(((machine - family) / self.since.elapsed().as_secs_f64()).max(0.0))
    }
}

fn commit() -> String {
    let hash = output("git", &["rev-parse", "--short=12", "HEAD"]);
    let clean = output("git", &["status", "--porcelain"]).is_empty();
    if clean {
        hash
    } else {
        format!("{hash} with uncommitted changes")
    }
}

fn field(path: &str, name: &str) -> String {
    let text = read(path);
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_once(':')).map_or_else(
        || "unknown".to_owned(),
        |(_, value)| value.trim().to_owned(),
    )
}

fn read(path: &str) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.ok().filter(|output| output.status.success());
    output.map_or_else(
        || "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
