//! What a journal costs: simulations that outlive their instance against the same ones in memory mode.

use std::time::Duration;

use serde_json::json;

use super::{
    interleave, p50_of,
    step::{CONNECTIONS, STEP, Side},
};
use crate::{
    Outcome,
    options::Options,
    process::Server,
    redis::Redis,
    report::{Figure, Goal},
    scenes::Scene,
    statistics::{percentile, sorted},
    wire,
};

const WARM_UP: Duration = Duration::from_secs(2);
const STEPS_METHOD: &str = "step{1} on 64 plane-and-ball simulations at rest, one keep-alive connection each, closed \
    loop; requests/s of an instance whose simulations have journals over those of one in memory mode; Redis on the \
    same machine, appendonly yes, appendfsync everysec, save \"\"; generator and Redis share the cores with the service; \
    CPU is that of each server process alone, Redis' without the processes that rewrite its file";
const PILES_METHOD: &str =
    "the same with step{10} on 64 piles of 92 boxes that may not sleep, settled 120 steps first";
const LATENCY_METHOD: &str = "step{1} of a plane-and-ball simulation at rest, one request after the other on one \
    connection, with a journal and in memory mode in turn; percentiles over all rounds; Redis as above; ratio of the \
    p50 of each round";

/// What is stepped, and how.
pub(super) struct Workload {
    pub(super) scene: Scene,
    /// Steps after which the scene is as it stays.
    pub(super) settle: u32,
    /// Body of each request.
    pub(super) body: &'static str,
}

impl Workload {
    pub(super) fn balls() -> Self {
        Self {
            scene: Scene::dropped_ball(),
            settle: 1000,
            body: STEP,
        }
    }

    pub(super) fn piles() -> Self {
        Self {
            scene: Scene::piles(1),
            settle: 120,
            body: r#"{"steps":10}"#,
        }
    }

    /// Creates a simulation for each connection; answers where they are stepped.
    pub(super) fn create(&self, server: &Server) -> Outcome<Vec<String>> {
        let mut client = server.client()?;
        let mut paths = Vec::with_capacity(CONNECTIONS);
        for index in 0..CONNECTIONS {
            let path = format!("/simulations/{}/step", name(index));
            client.post("/simulations", &self.scene.creation(&name(index)))?;
            client.post(&path, &format!(r#"{{"steps":{}}}"#, self.settle))?;
            paths.push(path);
        }
        Ok(paths)
    }
}

/// The name of a simulation of a workload.
pub(super) fn name(index: usize) -> String {
    format!("kept-{index}")
}

pub(super) fn measure_steps(options: &Options) -> Outcome<Vec<Figure>> {
    let figure = compare(options, &Workload::balls())?;
    let ratio = figure.ratio.map_or(f64::NAN, |ratio| ratio.median);
    Ok(vec![Figure {
        name: "step{1} with a journal, 64 connections",
        goal: Some(Goal::at_least(">= 0.45", ratio, 0.45)),
        method: STEPS_METHOD,
        ..figure
    }])
}

pub(super) fn measure_piles(options: &Options) -> Outcome<Vec<Figure>> {
    let figure = compare(options, &Workload::piles())?;
    let ratio = figure.ratio.map_or(f64::NAN, |ratio| ratio.median);
    Ok(vec![Figure {
        name: "64 piles of 92 boxes with a journal, step{10}",
        goal: Some(Goal::at_least(">= 0.93", ratio, 0.93)),
        method: PILES_METHOD,
        ..figure
    }])
}

/// Requests per second with a journal over those without.
fn compare(options: &Options, workload: &Workload) -> Outcome<Figure> {
    let redis = Redis::durable()?;
    let journalled = Server::journalled(&redis, &[])?;
    let alone = Server::service()?;
    let connect = |server| {
        let paths = workload.create(server)?;
        let mut side = Side::connect(server, &paths, workload.body, options)?;
        side.warm_up(WARM_UP)?;
        Outcome::Ok(side)
    };
    let mut ours = connect(&journalled)?;
    let mut theirs = connect(&alone)?;
    let slice = options.slice();
    let mut redis_seconds = 0.0;
    let rounds = interleave(
        options.rounds,
        || {
            let before = redis.cpu_seconds()?;
            let rate = ours.run(slice)?;
            redis_seconds += redis.cpu_seconds()? - before;
            Ok(rate)
        },
        || theirs.run(slice),
    )?;

    let redis_cpu = redis_seconds * 1e6 / ours.requests();
    let (rate, memory_rate) = (rounds.service.median, rounds.baseline.median);
    let (cpu, memory_cpu) = (ours.cpu_per_request(), theirs.cpu_per_request());
    Ok(Figure {
        name: "",
        value: format!(
            "{rate:.0} requests/s, memory {memory_rate:.0}; CPU {cpu:.1} µs, memory {memory_cpu:.1} µs, \
             Redis {redis_cpu:.1} µs a request"
        ),
        ratio: Some(rounds.ratio),
        goal: None,
        method: "",
        numbers: json!({
            "requests_per_second": rate, "memory_requests_per_second": memory_rate,
            "cpu_microseconds_per_request": cpu, "memory_cpu_microseconds_per_request": memory_cpu,
            "redis_cpu_microseconds_per_request": redis_cpu,
        }),
    })
}

pub(super) fn measure_latency(options: &Options) -> Outcome<Vec<Figure>> {
    let redis = Redis::durable()?;
    let journalled = Server::journalled(&redis, &[])?;
    let alone = Server::service()?;
    let scene = Scene::dropped_ball().creation("light");
    let mut clients = [journalled.client()?, alone.client()?];
    for client in &mut clients {
        client.post("/simulations", &scene)?;
        client.post("/simulations/light/step", r#"{"steps":1000}"#)?;
    }
    let [ours, theirs] = &mut clients;
    let request = wire::request("POST", "/simulations/light/step", STEP);
    for client in [&mut *ours, &mut *theirs] {
        p50_of(client, &request, WARM_UP / 4, &mut Vec::new())?;
    }
    let slice = options.slice();
    let (mut kept, mut forgotten) = (Vec::new(), Vec::new());
    let rounds = interleave(
        options.rounds,
        || p50_of(ours, &request, slice, &mut kept),
        || p50_of(theirs, &request, slice, &mut forgotten),
    )?;
    let (kept, forgotten) = (sorted(kept), sorted(forgotten));
    let micros = |percent| percentile(&kept, percent) * 1e3;
    let (p50, p99) = (micros(50), micros(99));
    let memory_p50 = percentile(&forgotten, 50) * 1e3;
    let memory_p99 = percentile(&forgotten, 99) * 1e3;
    let (added_p50, added_p99) = (p50 - memory_p50, p99 - memory_p50);
    Ok(vec![Figure {
        name: "step{1} alone with a journal, added at p50",
        value: format!(
            "{added_p50:.0} µs: {p50:.0} µs, memory {memory_p50:.0} µs; p99 {p99:.0} µs, \
             {added_p99:.0} µs above the memory p50, memory p99 {memory_p99:.0} µs"
        ),
        ratio: Some(rounds.ratio),
        goal: Some(Goal::at_most("<= 150 µs", added_p50, 150.0)),
        method: LATENCY_METHOD,
        numbers: json!({
            "p50_microseconds": p50, "p99_microseconds": p99, "memory_p50_microseconds": memory_p50,
            "memory_p99_microseconds": memory_p99, "added_p50_microseconds": added_p50,
        }),
    }])
}
