//! Figures without a goal that help to read the others.

use serde_json::json;

use crate::{
    Outcome,
    load::{Load, Until},
    options::Options,
    process::Server,
    report::Figure,
    scenes::Scene,
    statistics::{milliseconds, percentile, sorted},
    wire,
};

const CONNECTIONS: usize = 64;
const CREATED_EACH: usize = 250;
const LATENCY_SAMPLES: usize = 2_000;
const METHOD: &str = "one pass each, no baseline: GET /health and creation of plane-and-ball simulations in one request \
    over 64 keep-alive connections, closed loop; step{1} of one such simulation, one request after the other on one \
    connection, nothing else running";

pub(crate) fn measure(options: &Options) -> Outcome<Vec<Figure>> {
    let service = Server::service()?;
    let health = vec![vec![wire::request("GET", "/health", "")]; CONNECTIONS];
    let mut health = Load::connect(service.address, health, options.generator_threads)?;
    let health = health
        .run(Until::Elapsed(options.slice()))?
        .replies_per_second();

    let creation = |connection: usize| {
        let ids = (0..CREATED_EACH).map(move |index| format!("made-{connection}-{index}"));
        ids.map(|id| wire::request("POST", "/simulations", &Scene::rolling_ball().creation(&id)))
            .collect()
    };
    let creations = (0..CONNECTIONS).map(creation).collect();
    let mut creations = Load::connect(service.address, creations, options.generator_threads)?;
    let creations = creations.run(Until::AllSentOnce)?.replies_per_second();

    let mut client = service.client()?;
    let step = wire::request("POST", "/simulations/made-0-0/step", r#"{"steps":1}"#);
    let latencies: Outcome<Vec<f64>> = (0..LATENCY_SAMPLES)
        .map(|_| client.time(&step).map(milliseconds))
        .collect();
    let latencies = sorted(latencies?);
    let [p50, p99] = [50, 99].map(|percent| percentile(&latencies, percent));

    let figure = |name, value, numbers| Figure {
        name,
        value,
        ratio: None,
        goal: None,
        method: METHOD,
        numbers,
    };
    Ok(vec![
        figure(
            "GET /health",
            format!("{health:.0} requests/s"),
            json!({"requests_per_second": health}),
        ),
        figure(
            "create",
            format!("{creations:.0} requests/s"),
            json!({"requests_per_second": creations}),
        ),
        figure(
            "step{1} alone",
            format!("p50 {:.0} µs, p99 {:.0} µs", p50 * 1e3, p99 * 1e3),
            json!({"p50_ms": p50, "p99_ms": p99}),
        ),
    ])
}
