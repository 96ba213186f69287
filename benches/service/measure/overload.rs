//! More requests than can be answered: what gets through, what is refused, and how soon it is over.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    Outcome,
    load::{Load, Until},
    open_loop::{OpenLoop, Phase, Tally},
    options::Options,
    process::{Server, keep_to},
    report::{Figure, Goal},
    scenes::Scene,
    wire,
};

/// What is not counted at the beginning of each phase.
const WARM_UP: Duration = Duration::from_secs(1);
/// How soon latencies are to be what they were.
const RETURN: f64 = 5.0;
/// By how much the rate is raised from one try to the next while the peak is looked for, and how often.
const RAISED: (f64, usize) = (1.25, 12);
const METHOD: &str = "the service on the first core alone, the generator on the second; open loop: requests fall due at a fixed rate \
    and count from when they were due, whenever they are sent; what falls due in the first second of a phase is not \
    counted; the peak is the greatest rate of accepted requests while that of those due is raised by a quarter at a time, from \
    half of what a closed loop over 8 connections gets through, until a tenth or more is not accepted; \
    refused: 503 and 429; unanswered: not within 2 s";

/// What is asked for.
struct Scenario {
    name: &'static str,
    scene: Scene,
    worlds: usize,
    steps: u32,
    connections: usize,
    /// How many requests are on their way on one of those at most.
    depth: usize,
}

pub(crate) fn measure(options: &Options) -> Outcome<Vec<Figure>> {
    keep_to(1, std::process::id())?;
    let mut figures = Vec::new();
    for scenario in [
        Scenario {
            name: "tiny steps",
            scene: Scene::rolling_ball(),
            worlds: 64,
            steps: 1,
            connections: 64,
            depth: 16,
        },
        Scenario {
            name: "piles",
            scene: Scene::piles(1),
            worlds: 64,
            steps: 10,
            connections: 256,
            depth: 1,
        },
    ] {
        figures.extend(overload(&scenario, options)?);
    }
    Ok(figures)
}

fn overload(scenario: &Scenario, options: &Options) -> Outcome<Vec<Figure>> {
    let service = Server::on_first_core(&[])?;
    let mut client = service.client()?;
    let body = format!(r#"{{"steps":{}}}"#, scenario.steps);
    let mut requests = Vec::new();
    for index in 0..scenario.worlds {
        client.post(
            "/simulations",
            &scenario.scene.creation(&format!("w{index}")),
        )?;
        let path = format!("/simulations/w{index}/step");
        client.post(&path, r#"{"steps":120}"#)?;
        requests.push(wire::request("POST", &path, &body));
    }
    let scripts = requests.iter().take(8).map(|it| vec![it.clone()]).collect();
    let closed = Load::connect(service.address, scripts, 1)?.run(Until::Elapsed(WARM_UP))?;
    let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let shape = (scenario.connections, scenario.depth);
    let mut load = OpenLoop::connect(service.address, from, shape, requests)?;
    let counted = options.slice();
    let mut at = |rate| {
        load.run(Phase {
            rate,
            warm_up: WARM_UP,
            counted,
        })
    };
    let (mut peak, mut rate) = (0_f64, closed.replies_per_second() / 2.0);
    for _ in 0..RAISED.1 {
        let goodput = at(rate)?.goodput();
        peak = peak.max(goodput);
        if goodput < 0.9 * rate {
            break;
        }
        rate *= RAISED.0;
    }
    let half = at(peak / 2.0)?;
    let mut phases = vec![row(0.5, &half)];
    let unloaded = Tally::latencies(&half.accepted)[1];
    let mut figures = Vec::new();
    for factor in [1.0, 2.0, 5.0] {
        let tally = at(peak * factor)?;
        phases.push(row(factor, &tally));
        if factor > 1.0 {
            figures.extend(judged(scenario.name, factor, peak, unloaded, &tally));
        }
    }
    let back = load.run(Phase {
        rate: peak / 2.0,
        warm_up: Duration::ZERO,
        counted: counted.max(Duration::from_secs(6)),
    })?;
    phases.push(row(0.5, &back));
    let normal = 2.0 * unloaded + 1.0;
    let late = back
        .accepted
        .iter()
        .filter(|(_, latency)| *latency > normal);
    let refused = back.refused.iter().map(|(at, _)| *at);
    // One in a hundred is as late as that at any time.
    let mut late: Vec<f64> = late.map(|(at, _)| *at).collect();
    late.truncate(late.len().saturating_sub(back.accepted.len() / 100));
    let over = late.into_iter().chain(refused).fold(0.0, f64::max);
    figures.push(figure(
        format!("{over:.1} s"),
        name_of(scenario.name, "back to normal after 5x"),
        Goal::at_most("<= 5 s", over, RETURN),
    ));
    for figure in &mut figures {
        figure.numbers =
            json!({"peak_per_second": peak, "phases": phases, "unloaded_p99_ms": unloaded});
    }
    Ok(figures)
}

/// What a phase is to be judged by.
fn judged(
    scenario: &'static str,
    factor: f64,
    peak: f64,
    unloaded: f64,
    tally: &Tally,
) -> Vec<Figure> {
    let goodput = tally.goodput() / peak;
    let accepted = Tally::latencies(&tally.accepted)[1];
    let refused = Tally::latencies(&tally.refused)[1];
    let refused = if refused.is_nan() { 0.0 } else { refused };
    let named = |what| name_of(scenario, &format!("{what} at {factor}x"));
    let unanswered = tally.unanswered + tally.failed;
    vec![
        figure(
            format!(
                "{:.0}/s of {peak:.0}/s, {unanswered} unanswered",
                tally.goodput()
            ),
            named("goodput"),
            Goal::at_least(">= 90 % of the peak", goodput, 0.9),
        ),
        figure(
            format!("{accepted:.1} ms, unloaded {unloaded:.1} ms"),
            named("accepted p99"),
            Goal::at_most("<= 2x unloaded + 50 ms", accepted, 2.0 * unloaded + 50.0),
        ),
        figure(
            format!("{refused:.1} ms"),
            named("refused p99"),
            Goal::at_most("<= 10 ms", refused, 10.0),
        ),
    ]
}

/// Names live as long as the report.
fn name_of(scenario: &str, what: &str) -> &'static str {
    format!("{scenario}, {what}").leak()
}

fn figure(value: String, name: &'static str, goal: Goal) -> Figure {
    Figure {
        name,
        value,
        ratio: None,
        goal: Some(goal),
        method: METHOD,
        numbers: Value::Null,
    }
}

fn row(factor: f64, tally: &Tally) -> Value {
    let accepted = Tally::latencies(&tally.accepted);
    let refused = Tally::latencies(&tally.refused);
    json!({
        "load": factor, "goodput_per_second": tally.goodput(), "accepted": tally.accepted.len(),
        "refused": tally.refused.len(), "unanswered": tally.unanswered, "failed": tally.failed,
        "accepted_ms": {"p50": accepted[0], "p99": accepted[1], "max": accepted[2]},
        "refused_ms": {"p50": refused[0], "p99": refused[1], "max": refused[2]},
    })
}
