//! What sharing a registry costs: the service with Redis against the service without, and requests that are forwarded.

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
const REGISTRY_METHOD: &str = "step{1} on 64 plane-and-ball simulations, one keep-alive connection each, closed loop; \
    requests/s of an instance with Redis on the same machine over those of one in memory mode; all simulations are \
    used all the time, so that each is written down once a second; connections to Redis are counted before and \
    after";
const FORWARD_METHOD: &str = "step{1} of a plane-and-ball simulation, one request after the other on one connection, \
    to the instance that has it and to another one in turn; p50 over all rounds";

pub(super) fn measure_registry(options: &Options) -> Outcome<Vec<Figure>> {
    let redis = Redis::start()?;
    let shared = Server::in_fleet(&redis, "bench")?;
    let alone = Server::service()?;
    let paths: Vec<String> = (0..CONNECTIONS)
        .map(|index| format!("/simulations/light-{index}/step"))
        .collect();
    for server in [&shared, &alone] {
        let mut client = server.client()?;
        for (index, path) in paths.iter().enumerate() {
            let creation = Scene::dropped_ball().creation(&format!("light-{index}"));
            client.post("/simulations", &creation)?;
            client.post(path, r#"{"steps":1000}"#)?;
        }
    }
    let mut ours = Side::connect(&shared, &paths, STEP, options)?;
    let mut theirs = Side::connect(&alone, &paths, STEP, options)?;
    ours.warm_up(WARM_UP)?;
    theirs.warm_up(WARM_UP)?;
    let connections_before = redis.connections()?;
    let slice = options.slice();
    let rounds = interleave(options.rounds, || ours.run(slice), || theirs.run(slice))?;
    let connections = redis.connections()?;

    let value = format!(
        "{:.0} requests/s, memory {:.0}; CPU {:.1} µs, memory {:.1} µs a request; {connections} connections to Redis, {connections_before} before",
        rounds.service.median,
        rounds.baseline.median,
        ours.cpu_per_request(),
        theirs.cpu_per_request(),
    );
    Ok(vec![Figure {
        name: "step{1} with Redis, 64 connections",
        value,
        ratio: Some(rounds.ratio),
        goal: Some(Goal::at_least(">= 0.95", rounds.ratio.median, 0.95)),
        method: REGISTRY_METHOD,
        numbers: json!({
            "requests_per_second": rounds.service.median, "memory_requests_per_second": rounds.baseline.median,
            "redis_connections": connections, "redis_connections_before": connections_before,
        }),
    }])
}

pub(super) fn measure_forward(options: &Options) -> Outcome<Vec<Figure>> {
    let redis = Redis::start()?;
    let owner = Server::in_fleet(&redis, "owner")?;
    let other = Server::in_fleet(&redis, "other")?;
    let mut direct = owner.client()?;
    let mut forwarded = other.client()?;
    direct.post("/simulations", &Scene::dropped_ball().creation("light"))?;
    direct.post("/simulations/light/step", r#"{"steps":1000}"#)?;

    let request = wire::request("POST", "/simulations/light/step", STEP);
    let slice = options.slice();
    let (mut here, mut elsewhere) = (Vec::new(), Vec::new());
    let rounds = interleave(
        options.rounds,
        || p50_of(&mut forwarded, &request, slice, &mut elsewhere),
        || p50_of(&mut direct, &request, slice, &mut here),
    )?;
    let [here, elsewhere] = [here, elsewhere].map(|latencies| percentile(&sorted(latencies), 50));
    Ok(vec![Figure {
        name: "forwarded step{1}, p50",
        value: format!("{elsewhere:.3} ms, at the owner {here:.3} ms"),
        ratio: Some(rounds.ratio),
        goal: Some(Goal::at_most("<= 2.5", rounds.ratio.median, 2.5)),
        method: FORWARD_METHOD,
        numbers: json!({"p50_ms": elsewhere, "owner_p50_ms": here}),
    }])
}
