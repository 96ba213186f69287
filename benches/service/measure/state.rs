//! The state of a big simulation: how long it takes and how large it is, against a bare route that answers the same bytes.

use std::time::{Duration, Instant};

use serde_json::json;

use super::interleave;
use crate::{
    Outcome,
    client::Client,
    options::Options,
    process::Server,
    report::{Figure, Goal},
    scenes::Scene,
    statistics::{milliseconds, percentile, real, sorted},
    wire,
};

const METHOD: &str = "GET state of the simulation of 1,013 bodies, settled 120 steps, one uncompressed request after the \
    other on one connection, first byte sent to last byte received; ratio of times to a bare axum route that answers \
    the same bytes; KB are thousands of bytes";

pub(crate) fn measure(options: &Options) -> Outcome<Vec<Figure>> {
    let service = Server::service()?;
    let mut ours = service.client()?;
    ours.post("/simulations", &Scene::piles(11).creation("heavy"))?;
    ours.post("/simulations/heavy/step", r#"{"steps":120}"#)?;
    let body = ours.exchange(&request())?.to_vec();
    let bare = Server::bare_route(&body)?;
    let mut theirs = bare.client()?;

    let slice = options.slice() / 4;
    let rounds = interleave(
        options.rounds,
        || median_time(&mut ours, slice),
        || median_time(&mut theirs, slice),
    )?;
    let after_step = time_after_step(&mut ours)?;
    let kilobytes = real(u64::try_from(body.len())?) / 1e3;
    let (time, bare_time) = (rounds.service.median, rounds.baseline.median);
    Ok(vec![
        Figure {
            name: "GET state of 1,013 bodies, median",
            value: format!(
                "{time:.2} ms, bare {bare_time:.2} ms; right after a step {after_step:.2} ms"
            ),
            ratio: Some(rounds.ratio),
            goal: Some(Goal::at_most("<= 3 ms", time.max(after_step), 3.0)),
            method: METHOD,
            numbers: json!({"median_ms": time, "bare_median_ms": bare_time, "after_step_median_ms": after_step}),
        },
        Figure {
            name: "GET state of 1,013 bodies, size",
            value: format!("{kilobytes:.0} KB"),
            ratio: None,
            goal: Some(Goal::at_most("<= 300 KB", kilobytes, 300.0)),
            method: METHOD,
            numbers: json!({"body_bytes": body.len()}),
        },
    ])
}

fn request() -> Vec<u8> {
    wire::request("GET", "/simulations/heavy/state", "")
}

fn median_time(client: &mut Client, slice: Duration) -> Outcome<f64> {
    let (request, start) = (request(), Instant::now());
    let mut times = Vec::new();
    while start.elapsed() < slice {
        times.push(milliseconds(client.time(&request)?));
    }
    Ok(percentile(&sorted(times), 50))
}

/// The same with a step before each request, so that no earlier answer can be given again.
fn time_after_step(client: &mut Client) -> Outcome<f64> {
    let request = request();
    let mut times = Vec::new();
    for _ in 0..50 {
        client.post("/simulations/heavy/step", r#"{"steps":1}"#)?;
        times.push(milliseconds(client.time(&request)?));
    }
    Ok(percentile(&sorted(times), 50))
}
