//! How much of the service's work is snapshots for journals: counted in Redis, and weighed here.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use rapier_physics_service::physics::{
    BodySpec, Command, Snapshot, Steps, World, WorldConfig, WorldLimits,
};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_128;

use super::{
    journal::{Workload, name},
    step::{CONNECTIONS, Side},
};
use crate::{
    Outcome,
    options::Options,
    process::{Server, own_cpu_seconds},
    redis::Redis,
    report::{Figure, Goal},
    statistics::real,
};

const WARM_UP: Duration = Duration::from_millis(500);
/// So long, if the rounds are shorter, that a simulation's turn to be written down comes.
const AT_LEAST: Duration = Duration::from_secs(20);
/// How long one snapshot is taken over and over, to know what it costs.
const WEIGHED_FOR: Duration = Duration::from_secs(1);
const METHOD: &str = "CPU of the snapshots kept in journals meanwhile over that of the service process, 64 simulations \
    as above, 20 s at least; their number is how often Redis trimmed a journal (XTRIM), and the CPU of one is that of \
    taking a snapshot of the same world in this process and packing it once more, as it is packed with what is kept \
    beside it; sending it is left out. In memory mode worlds are written down as often, and only not packed again. \
    Entries: the longest journal at the end, and how much memory Redis has in use for it";

pub(super) fn measure(options: &Options) -> Outcome<Vec<Figure>> {
    Ok(vec![
        share(
            options,
            "snapshots beside step{1} with a journal",
            &Workload::balls(),
        )?,
        share(
            options,
            "snapshots beside piles with a journal",
            &Workload::piles(),
        )?,
    ])
}

fn share(options: &Options, name: &'static str, workload: &Workload) -> Outcome<Figure> {
    let redis = Redis::durable()?;
    let service = Server::journalled(&redis, &[])?;
    let paths = workload.create(&service)?;
    let mut side = Side::connect(&service, &paths, workload.body, options)?;
    side.warm_up(WARM_UP)?;
    let before = redis.calls("xtrim")?;
    let duration = options.slice() * 2 * u32::try_from(options.rounds)?;
    side.run(duration.max(AT_LEAST))?;
    let count = redis.calls("xtrim")? - before;

    let apiece = cpu_of_one(&workload.world()?)?;
    let percent = 100.0 * real(count) * apiece / side.cpu_seconds();
    let kilobytes = mean_bytes(&redis)? / 1e3;
    let journal = Journal::longest(&redis)?;
    Ok(Figure {
        name,
        value: format!(
            "{percent:.2} % of the service's CPU: {count} of {kilobytes:.1} KB, {:.0} µs each; up to {} entries since, \
             {:.0} bytes each",
            apiece * 1e6,
            journal.entries,
            journal.bytes_per_entry(),
        ),
        ratio: None,
        goal: Some(Goal::at_most("<= 3 %", percent, 3.0)),
        method: METHOD,
        numbers: json!({
            "percent": percent, "snapshots": count, "cpu_microseconds_each": apiece * 1e6, "kilobytes_each": kilobytes,
            "service_cpu_seconds": side.cpu_seconds(), "requests": side.requests(),
            "longest_journal_entries": journal.entries, "longest_journal_bytes": journal.bytes,
        }),
    })
}

/// CPU seconds of one snapshot of that world.
fn cpu_of_one(world: &World) -> Outcome<f64> {
    let (before, start) = (own_cpu_seconds()?, Instant::now());
    let mut count = 0;
    while start.elapsed() < WEIGHED_FOR {
        let snapshot = Snapshot::take(world);
        let packed = lz4_flex::compress_prepend_size(snapshot.as_bytes());
        black_box(xxh3_128(&packed));
        count += 1;
    }
    Ok((own_cpu_seconds()? - before) / real(count))
}

/// How large the newest snapshots in Redis are, without those that simulations begin with; 0 if there are no others.
fn mean_bytes(redis: &Redis) -> Outcome<f64> {
    let (mut bytes, mut count) = (0, 0);
    for id in (0..CONNECTIONS).map(name) {
        let seq = redis.number(&format!("HGET sim:{{{id}}}:meta snapshot"))?;
        if let Some(seq) = seq.filter(|&seq| seq > 0) {
            let size = redis.number(&format!("STRLEN sim:{{{id}}}:snapshot:{seq}"))?;
            bytes += size.unwrap_or(0);
            count += 1;
        }
    }
    Ok(real(bytes) / real(count.max(1)))
}

/// The entries of one simulation in Redis.
struct Journal {
    entries: u64,
    bytes: u64,
}

impl Journal {
    fn longest(redis: &Redis) -> Outcome<Self> {
        let mut longest = Self {
            entries: 0,
            bytes: 0,
        };
        for id in (0..CONNECTIONS).map(name) {
            let key = format!("sim:{{{id}}}:journal");
            let entries = redis.number(&format!("XLEN {key}"))?.unwrap_or(0);
            if entries > longest.entries {
                let bytes = redis.number(&format!("MEMORY USAGE {key} SAMPLES 0"))?;
                let bytes = bytes.unwrap_or(0);
                longest = Self { entries, bytes };
            }
        }
        Ok(longest)
    }

    fn bytes_per_entry(&self) -> f64 {
        real(self.bytes) / real(self.entries.max(1))
    }
}

impl Workload {
    /// One of its simulations, without the service.
    fn world(&self) -> Outcome<World> {
        let mut creation: Value = serde_json::from_str(&self.scene.creation("weighed"))?;
        let bodies: Vec<BodySpec> = serde_json::from_value(creation["bodies"].take())?;
        let settle = Steps {
            count: self.settle,
            dt: None,
        };
        let mut world = World::new(WorldConfig::default());
        for command in [Command::AddBodies(bodies), Command::Step(settle)] {
            world.apply(&command, &WorldLimits::unlimited())?;
        }
        Ok(world)
    }
}
