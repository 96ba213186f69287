//! Simulations that nobody uses and that are nowhere but in their journals: what they take, and how fast they wake up.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::memory::settle;
use crate::{
    Outcome,
    client::Client,
    load::{Load, Until},
    options::Options,
    process::{Server, free_port},
    redis::Redis,
    report::{Figure, Goal},
    scenes::Scene,
    statistics::{milliseconds, percentile, real, sorted},
    wire,
};

const CONNECTIONS: usize = 16;
/// How many are woken up.
const WOKEN: u32 = 500;
/// Time for all to leave memory, for each thousand of them and at least.
const LEAVE_PER_THOUSAND: Duration = Duration::from_secs(5);
const LEAVE_AT_LEAST: Duration = Duration::from_secs(60);
const METHOD: &str = "plane-and-ball simulations, 20,000 unless BENCH_HIBERNATED says otherwise, created and stepped once \
    on one instance with journals, FREEZE_AFTER_SECONDS=1 and HIBERNATE_AFTER_SECONDS=1, until all have left memory. \
    Redis: used_memory above that of before, a simulation; MEMORY USAGE of the keys of one, and of the indices divided \
    by all. Instance: VmRSS above that of before, once settled. Before: after one simulation was created, stepped and \
    deleted. Waking: GET state of 500 of them, one after the other on one connection, and once more right after; KB are \
    thousands, MB millions of bytes";

pub(crate) fn measure(options: &Options) -> Outcome<Vec<Figure>> {
    let redis = Redis::durable()?;
    let metrics_port = free_port()?;
    let service = Server::journalled(
        &redis,
        &[
            ("FREEZE_AFTER_SECONDS", "1".to_owned()),
            ("HIBERNATE_AFTER_SECONDS", "1".to_owned()),
            ("METRICS_PORT", metrics_port.to_string()),
        ],
    )?;
    let mut client = service.client()?;
    client.post("/simulations", &Scene::rolling_ball().creation("warm-up"))?;
    client.post("/simulations/warm-up/step", r#"{"steps":1}"#)?;
    client.delete("/simulations/warm-up")?;
    let (start_kib, start_bytes) = (service.resident_kib()?, redis.info("used_memory")?);

    let count = options.hibernated.max(1);
    let mut scripts = vec![Vec::new(); CONNECTIONS];
    for (index, script) in (0..count).zip((0..CONNECTIONS).cycle()) {
        let creation = Scene::rolling_ball().creation(&name(index));
        let path = format!("/simulations/{}/step", name(index));
        let script: &mut Vec<_> = &mut scripts[script];
        script.push(wire::request("POST", "/simulations", &creation));
        script.push(wire::request("POST", &path, r#"{"steps":1}"#));
    }
    let mut load = Load::connect(service.address, scripts, options.generator_threads)?;
    let creating = load.run(Until::AllSentOnce)?.elapsed;
    // What the generator holds open is no part of a simulation.
    drop(load);
    let leaving = wait_until_gone(metrics_port, count)?;

    let used = redis.info("used_memory")?.saturating_sub(start_bytes);
    let in_redis = InRedis::of(&redis, count, used)?;
    let rested_kib = settle(&service, Duration::ZERO)?.kib;
    let megabytes = (rested_kib - start_kib) * 1.024 / 1e3;
    let kilobytes_each = megabytes * 1e3 / f64::from(count);
    let (asleep, awake) = wake(&service, count)?;
    let [p50, p99] = [50, 99].map(|percent| percentile(&asleep, percent));
    let awake_p50 = percentile(&awake, 50);
    let megabytes_of = |kib: f64| kib * 1.024 / 1e3;
    Ok(vec![
        Figure {
            name: "simulation at rest, in Redis",
            value: format!("{} of {count}", in_redis.words()),
            ratio: None,
            goal: Some(Goal::at_most("<= 3 KB", in_redis.each / 1e3, 3.0)),
            method: METHOD,
            numbers: json!({
                "simulations": count, "bytes_each": in_redis.each, "meta_bytes": in_redis.meta,
                "snapshot_bytes": in_redis.snapshot, "index_bytes_each": in_redis.indices,
                "seconds_to_create": creating.as_secs_f64(), "seconds_to_leave": leaving.as_secs_f64(),
            }),
        },
        Figure {
            name: "simulation at rest, in the instance",
            value: format!(
                "{kilobytes_each:.2} KB each, {megabytes:.1} MB for {count} over the {:.1} MB at start; gone {:.0} s after \
                 the last step",
                megabytes_of(start_kib),
                leaving.as_secs_f64(),
            ),
            ratio: None,
            goal: Some(Goal::at_most("<= 1 KB", kilobytes_each, 1.0)),
            method: METHOD,
            numbers: json!({"simulations": count, "start_kib": start_kib, "rested_kib": rested_kib}),
        },
        Figure {
            name: "waking a simulation, p50",
            value: format!("{p50:.2} ms, p99 {p99:.2} ms, awake {awake_p50:.2} ms"),
            ratio: None,
            goal: None,
            method: METHOD,
            numbers: json!({"p50_ms": p50, "p99_ms": p99, "awake_p50_ms": awake_p50}),
        },
    ])
}

fn name(index: u32) -> String {
    format!("rests-{index}")
}

/// Waits until that many simulations have left memory and none is there; answers how long it took.
fn wait_until_gone(metrics_port: u16, count: u32) -> Outcome<Duration> {
    let mut client = Client::connect(([127, 0, 0, 1], metrics_port).into())?;
    let page = wire::request("GET", "/metrics", "");
    let limit = (LEAVE_PER_THOUSAND * count.div_ceil(1000)).max(LEAVE_AT_LEAST);
    let start = Instant::now();
    loop {
        let page = String::from_utf8_lossy(client.exchange(&page)?).into_owned();
        let left = sum(&page, "rapier_departures_total");
        let here = sum(&page, "rapier_simulations{");
        if left >= f64::from(count) && here == 0.0 {
            return Ok(start.elapsed());
        }
        if start.elapsed() > limit {
            return Err(format!("{here} simulations are still there, {left} have left").into());
        }
        thread::sleep(Duration::from_millis(250));
    }
}

/// The sum of all values on a page of metrics whose lines begin so.
fn sum(page: &str, begin: &str) -> f64 {
    page.lines()
        .filter(|line| line.starts_with(begin))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// The latencies, in milliseconds, of the first request for simulations that rest, and of the second.
fn wake(service: &Server, count: u32) -> Outcome<(Vec<f64>, Vec<f64>)> {
    // Not the one from the beginning: the service has closed a connection that was idle for so long.
    let mut client = service.client()?;
    let (mut asleep, mut awake) = (Vec::new(), Vec::new());
    let woken = count.min(WOKEN);
    for index in (0..woken).map(|index| index * (count / woken)) {
        let request = wire::request("GET", &format!("/simulations/{}/state", name(index)), "");
        asleep.push(milliseconds(client.time(&request)?));
        awake.push(milliseconds(client.time(&request)?));
    }
    Ok((sorted(asleep), sorted(awake)))
}

/// Bytes of one simulation at rest in Redis.
struct InRedis {
    each: f64,
    meta: f64,
    snapshot: f64,
    indices: f64,
}

impl InRedis {
    fn of(redis: &Redis, count: u32, used: u64) -> Outcome<Self> {
        let usage = |key: &str| {
            let bytes = redis.number(&format!("MEMORY USAGE {key} SAMPLES 0"))?;
            Outcome::Ok(real(bytes.ok_or_else(|| format!("{key} is not there"))?))
        };
        let one = format!("sim:{{{}}}", name(count / 2));
        let seq = redis.number(&format!("HGET {one}:meta snapshot"))?;
        let seq = seq.ok_or("a simulation at rest without a snapshot")?;
        let indices = usage("sims:expiry")? + usage("sims:journalled")?;
        Ok(Self {
            each: real(used) / f64::from(count),
            meta: usage(&format!("{one}:meta"))?,
            snapshot: usage(&format!("{one}:snapshot:{seq}"))?,
            indices: indices / f64::from(count),
        })
    }

    fn words(&self) -> String {
        let [each, meta, snapshot, indices] =
            [self.each, self.meta, self.snapshot, self.indices].map(|bytes| bytes / 1e3);
        let tables = each - meta - snapshot - indices;
        format!(
            "{each:.2} KB: entry {meta:.2}, snapshot {snapshot:.2}, indices {indices:.2}, Redis' tables of keys {tables:.2}; each"
        )
    }
}
