//! Resident memory of many idle simulations, and what is left of it once they are gone.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    Outcome,
    load::{Load, Run, Until},
    options::Options,
    process::Server,
    report::{Figure, Goal},
    scenes::Scene,
    wire,
};

const SIMULATIONS: usize = 10_000;
const CONNECTIONS: usize = 16;
/// Longer than an idle simulation takes to be frozen by default, and all of them one after the other.
const SETTLE_AT_LEAST: Duration = Duration::from_secs(8);
const SETTLE_AT_MOST: Duration = Duration::from_secs(60);
/// Settled is what has not changed by more than this for as long as that.
const STEADY_KIB: f64 = 512.0;
const STEADY_FOR: Duration = Duration::from_secs(4);
const METHOD: &str = "VmRSS of a fresh service after one simulation was created, stepped and deleted; then 10,000 \
    plane-and-ball simulations, each stepped {10}, left idle with default settings until the memory settles; then all \
    deleted, again until it settles (60 s at most); KB are thousands, MB millions of bytes";

pub(crate) fn measure(options: &Options) -> Outcome<Vec<Figure>> {
    let service = Server::service()?;
    let mut client = service.client()?;
    client.post("/simulations", &Scene::rolling_ball().creation("warm-up"))?;
    client.post("/simulations/warm-up/step", r#"{"steps":10}"#)?;
    client.delete("/simulations/warm-up")?;
    let start = service.resident_kib()?;

    let creation =
        |id: &str| wire::request("POST", "/simulations", &Scene::rolling_ball().creation(id));
    each(&service, options, creation)?;
    each(&service, options, |id| {
        wire::request(
            "POST",
            &format!("/simulations/{id}/step"),
            r#"{"steps":10}"#,
        )
    })?;
    let live = service.resident_kib()?;
    let idle = settle(&service, SETTLE_AT_LEAST)?;
    each(&service, options, |id| {
        wire::request("DELETE", &format!("/simulations/{id}"), "")
    })?;
    let deleted = settle(&service, Duration::ZERO)?;

    let per_simulation = |resident: f64| (resident - start) * 1.024 / 10_000.0;
    let megabytes = |kib: f64| kib * 1.024 / 1e3;
    let (apiece, left) = (per_simulation(idle.kib), megabytes(deleted.kib - start));
    Ok(vec![
        Figure {
            name: "idle plane-and-ball simulation",
            value: format!(
                "{apiece:.2} KB, right after stepping {:.1} KB; settled in {:.0} s",
                per_simulation(live),
                idle.after.as_secs_f64()
            ),
            ratio: None,
            goal: Some(Goal::at_most("<= 8 KB", apiece, 8.0)),
            method: METHOD,
            numbers: json!({"start_kib": start, "live_kib": live, "idle_kib": idle.kib, "kilobytes_each": apiece}),
        },
        Figure {
            name: "left after deleting 10,000",
            value: format!(
                "{left:.1} MB over the {:.1} MB at start, {:.0} s after",
                megabytes(start),
                deleted.after.as_secs_f64()
            ),
            ratio: None,
            goal: Some(Goal::at_most("<= 30 MB", left, 30.0)),
            method: METHOD,
            numbers: json!({"start_kib": start, "deleted_kib": deleted.kib, "megabytes_left": left}),
        },
    ])
}

/// Sends one request about each simulation.
fn each(service: &Server, options: &Options, request: impl Fn(&str) -> Vec<u8>) -> Outcome<Run> {
    let mut scripts = vec![Vec::new(); CONNECTIONS];
    for index in 0..SIMULATIONS {
        scripts[index % CONNECTIONS].push(request(&format!("idle-{index}")));
    }
    Load::connect(service.address, scripts, options.generator_threads)?.run(Until::AllSentOnce)
}

/// Memory that no longer changes, and since when.
pub(super) struct Settled {
    pub(super) kib: f64,
    pub(super) after: Duration,
}

pub(super) fn settle(service: &Server, at_least: Duration) -> Outcome<Settled> {
    let start = Instant::now();
    let mut steady = Settled {
        kib: service.resident_kib()?,
        after: Duration::ZERO,
    };
    loop {
        thread::sleep(Duration::from_millis(250));
        let (kib, elapsed) = (service.resident_kib()?, start.elapsed());
        if (kib - steady.kib).abs() > STEADY_KIB {
            steady = Settled {
                kib,
                after: elapsed,
            };
        }
        let rested = elapsed >= at_least && elapsed.saturating_sub(steady.after) >= STEADY_FOR;
        if rested || elapsed >= SETTLE_AT_MOST {
            return Ok(Settled {
                kib,
                after: steady.after,
            });
        }
    }
}
