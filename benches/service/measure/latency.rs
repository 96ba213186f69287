//! A light simulation's step while a heavy one keeps a core busy, against the same step alone.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    Outcome,
    client::Client,
    options::Options,
    process::Server,
    report::{Figure, Goal},
    scenes::Scene,
    statistics::{milliseconds, percentile, sorted},
    wire,
};

const HEAVY_STEPS: u32 = 200;
/// One light request falls due this often.
const PERIOD: Duration = Duration::from_millis(5);
/// The heavy request is under way by then.
const HEAD_START: Duration = Duration::from_millis(100);
const METHOD: &str = "step{1} of a plane-and-ball simulation, one due every 5 ms on one connection (a request late \
    through its predecessor counts from when it was due), in turn alone and beside a simulation of 1,013 bodies, 1,012 \
    of them boxes that may not sleep, stepped {200} in a loop; percentiles over all rounds";

pub(crate) fn measure(options: &Options) -> Outcome<Vec<Figure>> {
    let service = Server::service()?;
    let mut light = service.client()?;
    let mut heavy = service.client()?;
    light.post("/simulations", &Scene::rolling_ball().creation("light"))?;
    heavy.post("/simulations", &Scene::piles(11).creation("heavy"))?;
    heavy.post("/simulations/heavy/step", r#"{"steps":120}"#)?;

    let slice = options.slice();
    let (mut alone, mut beside, mut heavy_requests) = (Vec::new(), Vec::new(), 0_u32);
    for _ in 0..options.rounds {
        alone.extend(light_steps(&mut light, slice)?);
        let stop = AtomicBool::new(false);
        heavy_requests += thread::scope(|scope| {
            let looping = scope.spawn(|| heavy_loop(&mut heavy, &stop));
            thread::sleep(HEAD_START);
            let measured = light_steps(&mut light, slice);
            stop.store(true, Ordering::Relaxed);
            let requests = looping.join().expect("the heavy loop does not panic");
            beside.extend(measured?);
            requests
        })?;
    }
    let (alone, beside) = (sorted(alone), sorted(beside));
    let [p50, p99, worst] = [50, 99, 100].map(|percent| percentile(&beside, percent));
    let [alone_p50, alone_p99] = [50, 99].map(|percent| percentile(&alone, percent));
    let numbers = json!({
        "samples": beside.len(), "p50_ms": p50, "p99_ms": p99, "max_ms": worst,
        "alone_p50_ms": alone_p50, "alone_p99_ms": alone_p99, "heavy_requests": heavy_requests,
    });
    let figure = |name, value: f64, goal, other: f64| Figure {
        name,
        value: format!("{value:.2} ms, alone {other:.2} ms"),
        ratio: None,
        goal: Some(goal),
        method: METHOD,
        numbers: numbers.clone(),
    };
    Ok(vec![
        figure(
            "light step beside 1,013 bodies, p50",
            p50,
            Goal::at_most("<= 3 ms", p50, 3.0),
            alone_p50,
        ),
        figure(
            "light step beside 1,013 bodies, p99",
            p99,
            Goal::at_most("<= 15 ms", p99, 15.0),
            alone_p99,
        ),
    ])
}

pub(super) fn light_steps(client: &mut Client, duration: Duration) -> Outcome<Vec<f64>> {
    let request = wire::request("POST", "/simulations/light/step", r#"{"steps":1}"#);
    let start = Instant::now();
    let mut due = start;
    let mut latencies = Vec::new();
    while due.duration_since(start) < duration {
        // Oversleeping is this program's fault and does not count; coming late because of the last reply does.
        let wait = due.saturating_duration_since(Instant::now());
        thread::sleep(wait);
        let sent = if wait.is_zero() { due } else { Instant::now() };
        client.exchange(&request)?;
        latencies.push(milliseconds(sent.elapsed()));
        due += PERIOD;
    }
    Ok(latencies)
}

fn heavy_loop(client: &mut Client, stop: &AtomicBool) -> Outcome<u32> {
    let request = wire::request(
        "POST",
        "/simulations/heavy/step",
        &format!(r#"{{"steps":{HEAVY_STEPS}}}"#),
    );
    let mut requests = 0;
    while !stop.load(Ordering::Relaxed) {
        client.exchange(&request)?;
        requests += 1;
    }
    Ok(requests)
}
