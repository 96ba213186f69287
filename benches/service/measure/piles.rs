//! Piles of awake boxes, against raw Rapier on as many threads as cores.

use std::time::Duration;

use serde_json::json;

use super::{interleave, positions};
use crate::{
    Outcome,
    load::{Load, Until},
    options::Options,
    process::{Server, own_cpu_seconds},
    raw_rapier::RawWorlds,
    report::{Figure, Goal},
    scenes::{PILE, Scene},
    statistics::{per_second, real},
    wire,
};

const WORLDS: usize = 64;
const STEPS: u32 = 10;
/// The boxes have fallen onto each other by then.
const SETTLE: u32 = 120;
/// How many times as many rounds it takes as others: what both sides do is nearly the same, and a
/// round by itself is off by more than what is looked for.
const MORE_ROUNDS: usize = 3;
const METHOD: &str = "64 piles of 92 boxes that may not sleep, step{10} on one keep-alive connection each, closed loop, \
    every reply the full state; steps/s over those of raw Rapier (same features, scene, dt and parameters; as many \
    threads as cores, worlds in turn, 10 steps at a time); both settled 120 steps first, after which \
    all positions of both are compared; three times the rounds";

pub(crate) fn measure(options: &Options) -> Outcome<Vec<Figure>> {
    let scene = Scene::piles(1);
    let service = Server::service()?;
    let mut client = service.client()?;
    let paths: Vec<String> = (0..WORLDS)
        .map(|index| format!("/simulations/pile-{index}/step"))
        .collect();
    for (index, path) in paths.iter().enumerate() {
        client.post("/simulations", &scene.creation(&format!("pile-{index}")))?;
        client.post(path, &format!(r#"{{"steps":{SETTLE}}}"#))?;
    }
    let mut raw = RawWorlds::new(&scene, WORLDS);
    raw.step_all(SETTLE);
    let same_positions = positions(&client.get("/simulations/pile-0/state")?) == raw.positions();

    let body = format!(r#"{{"steps":{STEPS}}}"#);
    let scripts = paths
        .iter()
        .map(|path| vec![wire::request("POST", path, &body)])
        .collect();
    let mut load = Load::connect(service.address, scripts, options.generator_threads)?;
    load.run(Until::Elapsed(Duration::from_millis(500)))?;
    let slice = options.slice();
    let (mut ours_cpu, mut raw_cpu) = (Cpu::default(), Cpu::default());
    let threads = raw.threads();
    let rounds = interleave(
        options.rounds * MORE_ROUNDS,
        || {
            ours_cpu.of(
                || service.cpu_seconds(),
                || {
                    let run = load.run(Until::Elapsed(slice))?;
                    Ok((run.replies * u64::from(STEPS), run.elapsed))
                },
            )
        },
        || raw_cpu.of(own_cpu_seconds, || Ok(raw.step_for(STEPS, slice))),
    )?;

    let positions = if same_positions {
        "positions equal"
    } else {
        "positions DIFFER"
    };
    let (ours, theirs) = (rounds.service.median, rounds.baseline.median);
    Ok(vec![Figure {
        name: "64 piles of 92 boxes, step{10}",
        value: format!(
            "{ours:.0} steps/s, raw {theirs:.0} on {threads} threads; CPU {:.0} µs, raw {:.0} µs a step; {positions}",
            ours_cpu.per_step(),
            raw_cpu.per_step(),
        ),
        ratio: Some(rounds.ratio),
        goal: Some(Goal::at_least(">= 0.90", rounds.ratio.median, 0.90)),
        method: METHOD,
        numbers: json!({
            "steps_per_second": ours, "raw_steps_per_second": theirs, "raw_threads": threads,
            "cpu_microseconds_per_step": ours_cpu.per_step(), "raw_cpu_microseconds_per_step": raw_cpu.per_step(),
            "boxes_per_world": PILE, "positions_equal": same_positions,
        }),
    }])
}

/// What the steps of one side cost, over all its slices.
#[derive(Default)]
struct Cpu {
    seconds: f64,
    steps: f64,
}

impl Cpu {
    /// Runs a slice, answers its steps per second.
    fn of(
        &mut self,
        clock: impl Fn() -> Outcome<f64>,
        slice: impl FnOnce() -> Outcome<(u64, Duration)>,
    ) -> Outcome<f64> {
        let before = clock()?;
        let (steps, elapsed) = slice()?;
        self.seconds += clock()? - before;
        self.steps += real(steps);
        Ok(per_second(steps, elapsed))
    }

    fn per_step(&self) -> f64 {
        self.seconds * 1e6 / self.steps
    }
}
