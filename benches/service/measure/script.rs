//! A whole scripted run in one request, against the same work done by raw Rapier.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{interleave, positions};
use crate::{
    Outcome,
    client::Client,
    options::Options,
    process::Server,
    raw_rapier,
    report::{Figure, Goal},
    scenes::{Scene, Script},
    wire,
};

const METHOD: &str = "one request each on a new simulation: 199 boxes that may not sleep and a plane are added, 600 steps, \
    50 impulses at their steps, 20 bodies observed before every 4th step (3,000 rows of position and velocity), the \
    whole JSON reply read; milliseconds over those of raw Rapier on one thread for the same: world built, impulses, \
    steps, rows kept in memory; final positions of both are compared";

pub(crate) fn measure(options: &Options) -> Outcome<Vec<Figure>> {
    let script = Script::new();
    let service = Server::service()?;
    let mut client = service.client()?;
    let request = wire::request("POST", "/simulations/script/commands", &batch(&script));

    let (_, reply) = run(&mut client, &request)?;
    let reply: Value = serde_json::from_slice(&reply)?;
    let moments = reply["observations"].as_array();
    let rows = |moment: &Value| moment["bodies"].as_array().map_or(0, Vec::len);
    let rows: usize = moments.into_iter().flatten().map(rows).sum();
    let raw = raw_rapier::run(&script);
    let same = rows == raw.observations.len() && positions(&reply) == raw.positions;
    let slice = options.slice();
    let rounds = interleave(
        options.rounds,
        || mean_milliseconds(slice, || Ok(run(&mut client, &request)?.0)),
        || {
            mean_milliseconds(slice, || {
                let start = Instant::now();
                std::hint::black_box(raw_rapier::run(&script));
                Ok(start.elapsed())
            })
        },
    )?;

    let same = if same { "equal" } else { "DIFFER" };
    let (ours, theirs) = (rounds.service.median, rounds.baseline.median);
    Ok(vec![Figure {
        name: "one request: 200 bodies, 50 commands, 600 steps",
        value: format!("{ours:.1} ms, raw {theirs:.1} ms; {rows} rows; rows and positions {same}"),
        ratio: Some(rounds.ratio),
        goal: Some(Goal::at_most("<= 1.10", rounds.ratio.median, 1.10)),
        method: METHOD,
        numbers: json!({"milliseconds": ours, "raw_milliseconds": theirs, "rows_and_positions": same}),
    }])
}

/// Carries the request out on a new simulation; only the request itself is timed.
fn run(client: &mut Client, request: &[u8]) -> Outcome<(Duration, Vec<u8>)> {
    client.post("/simulations", r#"{"id":"script"}"#)?;
    let start = Instant::now();
    let reply = client.exchange(request)?;
    let elapsed = start.elapsed();
    let reply = reply.to_vec();
    client.delete("/simulations/script")?;
    Ok((elapsed, reply))
}

/// The mean of as many runs as fit into a slice, in milliseconds.
fn mean_milliseconds(slice: Duration, mut run: impl FnMut() -> Outcome<Duration>) -> Outcome<f64> {
    let start = Instant::now();
    let (mut sum, mut count) = (Duration::ZERO, 0_u32);
    while count == 0 || start.elapsed() < slice {
        sum += run()?;
        count += 1;
    }
    Ok(sum.as_secs_f64() * 1e3 / f64::from(count))
}

/// The script as one batch.
fn batch(script: &Script) -> String {
    let mut commands = script.scene.specs();
    for body in &mut commands {
        body["op"] = json!("add_body");
    }
    commands.extend(script.impulses.iter().map(|push| {
        json!({
            "op": "impulse", "at_step": push.at_step, "body_id": Scene::id(push.body),
            "impulse": push.impulse,
        })
    }));
    let observed: Vec<String> = script
        .observed
        .iter()
        .map(|&body| Scene::id(body))
        .collect();
    json!({
        "commands": commands,
        "steps": script.steps,
        "observe": {"bodies": observed, "fields": ["position", "velocity"], "every": script.every},
    })
    .to_string()
}
