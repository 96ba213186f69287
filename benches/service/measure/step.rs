//! Small steps over many connections, against a bare axum route that parses the same request and answers the same bytes.

use std::time::Duration;

use serde_json::json;

use super::interleave;
use crate::{
    Outcome,
    load::{Load, Until},
    options::Options,
    process::{Server, own_cpu_seconds},
    report::{Figure, Goal},
    scenes::Scene,
    wire,
};

pub(super) const CONNECTIONS: usize = 64;
pub(super) const STEP: &str = r#"{"steps":1}"#;
const WARM_UP: Duration = Duration::from_millis(500);
const METHOD: &str = "step{1} on 64 plane-and-ball simulations, one keep-alive connection each, closed loop; \
    requests/s of the service over those of a bare axum route (own process, same allocator and worker threads) that \
    parses the same request bytes and answers a body taken from the service; the generator shares the cores with \
    either side; CPU is that of the server process alone. At rest: the ball was dropped, has bounced and sleeps, so \
    that what is compared is the way of a request through the service. Rolling: it never sleeps, so that the service \
    also pays for a step of the engine";

pub(crate) fn measure(options: &Options) -> Outcome<Vec<Figure>> {
    Ok(vec![
        compare(
            options,
            "step{1}, 64 connections, at rest",
            &Scene::dropped_ball(),
        )?,
        compare(
            options,
            "step{1}, 64 connections, rolling",
            &Scene::rolling_ball(),
        )?,
    ])
}

fn compare(options: &Options, name: &'static str, scene: &Scene) -> Outcome<Figure> {
    let service = Server::service()?;
    let mut client = service.client()?;
    let paths: Vec<String> = (0..CONNECTIONS)
        .map(|index| format!("/simulations/light-{index}/step"))
        .collect();
    for (index, path) in paths.iter().enumerate() {
        client.post("/simulations", &scene.creation(&format!("light-{index}")))?;
        // After this the ball is where it stays, or its numbers have the length they keep.
        client.post(path, r#"{"steps":1000}"#)?;
    }
    let body = client
        .exchange(&wire::request("POST", &paths[0], STEP))?
        .to_vec();
    let bare = Server::bare_route(&body)?;

    let mut ours = Side::connect(&service, &paths, STEP, options)?;
    let mut theirs = Side::connect(&bare, &paths, STEP, options)?;
    for side in [&mut ours, &mut theirs] {
        side.warm_up(WARM_UP)?;
    }
    let slice = options.slice();
    let rounds = interleave(options.rounds, || ours.run(slice), || theirs.run(slice))?;

    let value = format!(
        "{:.0} requests/s, bare {:.0}; CPU {:.1} µs, bare {:.1} µs a request",
        rounds.service.median,
        rounds.baseline.median,
        ours.cpu_per_request(),
        theirs.cpu_per_request(),
    );
    Ok(Figure {
        name,
        value,
        ratio: Some(rounds.ratio),
        goal: Some(Goal::at_least(">= 0.75", rounds.ratio.median, 0.75)),
        method: METHOD,
        numbers: json!({
            "requests_per_second": rounds.service.median, "bare_requests_per_second": rounds.baseline.median,
            "cpu_microseconds_per_request": ours.cpu_per_request(),
            "bare_cpu_microseconds_per_request": theirs.cpu_per_request(),
            "body_bytes": ours.body_bytes, "bare_body_bytes": theirs.body_bytes,
            "generator_cores_used": ours.generator_cores(), "generator_cores_used_bare": theirs.generator_cores(),
        }),
    })
}

/// One server under load, with the sums of all its slices.
pub(super) struct Side<'a> {
    server: &'a Server,
    load: Load,
    requests: f64,
    cpu_seconds: f64,
    generator_cpu_seconds: f64,
    seconds: f64,
    body_bytes: f64,
}

impl<'a> Side<'a> {
    pub(super) fn connect(
        server: &'a Server,
        paths: &[String],
        body: &str,
        options: &Options,
    ) -> Outcome<Self> {
        let scripts = paths
            .iter()
            .map(|path| vec![wire::request("POST", path, body)])
            .collect();
        let load = Load::connect(server.address, scripts, options.generator_threads)?;
        let (requests, cpu_seconds, generator_cpu_seconds, seconds, body_bytes) =
            (0.0, 0.0, 0.0, 0.0, 0.0);
        Ok(Self {
            server,
            load,
            requests,
            cpu_seconds,
            generator_cpu_seconds,
            seconds,
            body_bytes,
        })
    }

    /// Runs a slice that does not count.
    pub(super) fn warm_up(&mut self, slice: Duration) -> Outcome<()> {
        self.load.run(Until::Elapsed(slice)).map(drop)
    }

    pub(super) fn run(&mut self, slice: Duration) -> Outcome<f64> {
        let before = (self.server.cpu_seconds()?, own_cpu_seconds()?);
        let run = self.load.run(Until::Elapsed(slice))?;
        self.cpu_seconds += self.server.cpu_seconds()? - before.0;
        self.generator_cpu_seconds += own_cpu_seconds()? - before.1;
        self.seconds += run.elapsed.as_secs_f64();
        self.requests += run.replies_per_second() * run.elapsed.as_secs_f64();
        self.body_bytes = run.mean_body_bytes();
        Ok(run.replies_per_second())
    }

    pub(super) fn cpu_per_request(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.requests
    }

    pub(super) fn requests(&self) -> f64 {
        self.requests
    }

    pub(super) fn cpu_seconds(&self) -> f64 {
        self.cpu_seconds
    }

    fn generator_cores(&self) -> f64 {
        self.generator_cpu_seconds / self.seconds
    }
}
