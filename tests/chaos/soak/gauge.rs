//! How much a process holds: memory, descriptors, threads and tasks.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{client::Crowd, harness::Client, stage::Stage};

/// From one look to the next.
const PAUSE: Duration = Duration::from_secs(2);
/// From one look to the next while nobody asks, and how many there are once everything rests.
const BREATH: Duration = Duration::from_millis(500);
const LOOKS: usize = 8;
const SOON: Duration = Duration::from_secs(30);

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    /// Clients ask, and nothing is wrong.
    Load,
    /// Something is wrong, or changing.
    Fault,
    /// Nobody asks.
    Quiet,
}

/// One look at a process.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Sample {
    pub(crate) at_seconds: f64,
    pub(crate) phase: Phase,
    pub(crate) resident_kb: u64,
    pub(crate) anonymous_kb: u64,
    pub(crate) threads: u64,
    pub(crate) descriptors: u64,
    pub(crate) tasks: u64,
    pub(crate) connections: u64,
    pub(crate) simulations: u64,
}

/// A process that can be looked at.
pub(crate) struct Gauge {
    process: u32,
    metrics: Client,
}

/// Everything that was seen of a process.
pub(crate) struct Record {
    gauge: Gauge,
    begun: Instant,
    phase: Mutex<Phase>,
    samples: Mutex<Vec<Sample>>,
}

/// Looks at the process again and again until it is over.
pub(crate) async fn watch(crowd: Arc<Crowd>, record: Arc<Record>) {
    while !*crowd.over.borrow() {
        tokio::time::sleep(PAUSE).await;
        record.look().await;
    }
}

impl Sample {
    fn least(self, other: Self) -> Self {
        Self {
            at_seconds: self.at_seconds,
            phase: self.phase,
            resident_kb: self.resident_kb.min(other.resident_kb),
            anonymous_kb: self.anonymous_kb.min(other.anonymous_kb),
            threads: self.threads.min(other.threads),
            descriptors: self.descriptors.min(other.descriptors),
            tasks: self.tasks.min(other.tasks),
            connections: self.connections.min(other.connections),
            simulations: self.simulations.min(other.simulations),
        }
    }
}

impl Gauge {
    pub(crate) fn on(stage: &Stage, place: usize) -> Self {
        let metrics = SocketAddr::from((Ipv4Addr::LOCALHOST, stage.metrics[place]));
        Self {
            process: stage.fleet[place].pid(),
            metrics: Client::new(metrics),
        }
    }

    /// Nothing where the process does not tell, as while its clients have the processors.
    async fn read(&self, at: Duration, phase: Phase) -> Option<Sample> {
        let folder = format!("/proc/{}", self.process);
        let status = fs::read_to_string(format!("{folder}/status")).ok()?;
        let field = |name: &str| number_behind(&status, name);
        let descriptors = fs::read_dir(format!("{folder}/fd")).ok()?.count();
        let page = self.metrics.call("GET", "/metrics");
        // One connection for each look, so that none is counted twice or not at all.
        let page = page.header("connection", "close").try_send().await.ok()?;
        let page = String::from_utf8(page.body).ok()?;
        let metric = |name: &str| number_behind(&page, name);
        let simulations = ["active", "stepping", "frozen"].map(|state| {
            let sample = format!("rapier_simulations{{state=\"{state}\"}}");
            number_behind(&page, &sample)
        });
        Some(Sample {
            at_seconds: at.as_secs_f64(),
            phase,
            resident_kb: field("VmRSS:")?,
            anonymous_kb: field("RssAnon:")?,
            threads: field("Threads:")?,
            descriptors: u64::try_from(descriptors).ok()?,
            tasks: metric("rapier_tasks")?,
            connections: metric("rapier_http_connections")?,
            simulations: simulations.into_iter().sum::<Option<u64>>()?,
        })
    }
}

impl Record {
    pub(crate) fn of(gauge: Gauge) -> Self {
        Self {
            gauge,
            begun: Instant::now(),
            phase: Mutex::new(Phase::Load),
            samples: Mutex::default(),
        }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        *self.phase.lock().expect("no holder panics") = phase;
    }

    pub(crate) fn samples(&self) -> Vec<Sample> {
        self.samples.lock().expect("no holder panics").clone()
    }

    async fn look(&self) {
        let before = *self.phase.lock().expect("no holder panics");
        let seen = self.gauge.read(self.begun.elapsed(), before).await;
        let after = *self.phase.lock().expect("no holder panics");
        if let Some(sample) = seen
            && before == after
        {
            self.note(sample);
        }
    }

    /// Waits until no simulation is there, and notes the least of each that is held then; what was
    /// seen last if that does not come to be.
    pub(crate) async fn look_at_rest(&self) -> Result<(), Option<Sample>> {
        let begun = Instant::now();
        let mut looks = Vec::new();
        while looks.len() < LOOKS {
            let seen = self.gauge.read(self.begun.elapsed(), Phase::Quiet).await;
            match seen {
                Some(sample) if sample.simulations == 0 => looks.push(sample),
                other if begun.elapsed() > SOON => return Err(other),
                Some(_) | None => {}
            }
            tokio::time::sleep(BREATH).await;
        }
        let least = looks.into_iter().reduce(Sample::least);
        self.note(least.expect("there are some looks"));
        Ok(())
    }

    fn note(&self, sample: Sample) {
        self.samples.lock().expect("no holder panics").push(sample);
    }
}

/// The whole number that follows a name at the beginning of a line.
fn number_behind(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines();
    let rest = lines.find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}
