//! The measurements, one file each, and how two sides take turns.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{
    Outcome,
    client::Client,
    options::Options,
    report::Figure,
    statistics::{Spread, milliseconds, percentile, sorted},
};

mod context;
mod door;
mod fleet;
mod hibernated;
mod journal;
mod journal_snapshots;
mod latency;
mod memory;
mod overload;
mod piles;
mod script;
mod state;
mod step;
mod tenants;

/// Takes its figures from a server it starts itself.
pub(crate) type Measurement = fn(&Options) -> Outcome<Vec<Figure>>;

/// Every measurement by the name it is selected with, in the order of the report.
pub(crate) const ALL: [(&str, Measurement); 18] = [
    ("step", step::measure),
    ("piles", piles::measure),
    ("script", script::measure),
    ("latency", latency::measure),
    ("state", state::measure),
    ("memory", memory::measure),
    ("registry", fleet::measure_registry),
    ("forward", fleet::measure_forward),
    ("journal", journal::measure_steps),
    ("journal_latency", journal::measure_latency),
    ("journal_piles", journal::measure_piles),
    ("journal_snapshots", journal_snapshots::measure),
    ("hibernated", hibernated::measure),
    ("door", door::measure),
    ("context", context::measure),
    ("overload_steps", overload::measure_steps),
    ("overload_piles", overload::measure_piles),
    ("tenants", tenants::measure),
];

/// What both sides gave in each round.
struct Rounds {
    service: Spread,
    baseline: Spread,
    /// Service over baseline, formed within each round.
    ratio: Spread,
}

/// Lets both sides take turns, the order reversed every round, so that neither gains from drift.
fn interleave(
    rounds: usize,
    mut service: impl FnMut() -> Outcome<f64>,
    mut baseline: impl FnMut() -> Outcome<f64>,
) -> Outcome<Rounds> {
    let mut pairs = Vec::with_capacity(rounds);
    for round in 0..rounds.max(1) {
        let pair = if round % 2 == 0 {
            let ours = service()?;
            (ours, baseline()?)
        } else {
            let theirs = baseline()?;
            (service()?, theirs)
        };
        pairs.push(pair);
    }
    Ok(Rounds {
        service: Spread::of(pairs.iter().map(|pair| pair.0)),
        baseline: Spread::of(pairs.iter().map(|pair| pair.1)),
        ratio: Spread::of(pairs.iter().map(|pair| pair.0 / pair.1)),
    })
}

/// The median latency, in milliseconds, of a request that is sent over and over for one slice, whose samples are added
/// to `latencies`.
fn p50_of(
    client: &mut Client,
    request: &[u8],
    slice: Duration,
    latencies: &mut Vec<f64>,
) -> Outcome<f64> {
    let begun = latencies.len();
    let start = Instant::now();
    while start.elapsed() < slice {
        latencies.push(milliseconds(client.time(request)?));
    }
    let measured = sorted(latencies[begun..].iter().copied());
    Ok(percentile(&measured, 50))
}

/// Positions of a state, rounded to what the engine computes in.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the engine's numbers are f32"
)]
fn positions(state: &Value) -> Vec<[f32; 3]> {
    let bodies = state["bodies"].as_array().into_iter().flatten();
    bodies
        .map(|body| {
            [0, 1, 2].map(|axis| body["position"][axis].as_f64().unwrap_or(f64::NAN) as f32)
        })
        .collect()
}
