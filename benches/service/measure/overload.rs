//! More requests than can be answered: what gets through, what is refused, and how soon it is over.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    Outcome,
    load::{Load, Until},
    open_loop::{OpenLoop, Phase, Rest, Tally},
    options::Options,
    process::{Server, keep_to, own_cpu_seconds},
    report::{Figure, Goal},
    scenes::Scene,
    statistics::Spread,
    wire,
};

/// What is not counted at the beginning of each rate.
const WARM_UP: Duration = Duration::from_secs(1);
/// For how long it is watched at least how latencies come back to what they were.
const AFTERWARDS: Duration = Duration::from_secs(6);
/// How soon they are to do so, in seconds.
const RETURN: f64 = 5.0;
/// By how much the rate is raised from one try to the next while the peak is looked for, and how often.
const RAISED: (f64, usize) = (1.25, 12);
/// Connections of the client, each of which takes one request at a time, as those of clients do.
const CONNECTIONS: usize = 256;
/// How long a request waits for one of them before the client gives it up.
const PATIENCE: Duration = Duration::from_millis(25);
/// More than anything can send.
const BEYOND: f64 = 1e6;
const METHOD: &str = "the service on the first core alone, the generator on the second; open loop: requests fall due at a fixed rate \
    and count from when they were due, whenever they are sent; 256 connections, each of which takes one request at a time; what \
    finds none of them free for 25 ms is unsent, as with a client that bounds its connections: nobody carried it out, and nobody \
    refused it; what falls due in the first second of each rate is not \
    counted; the rate is raised by a quarter at a time, from half of what a closed loop over 8 connections gets through, until a \
    tenth or more is not accepted; then three rounds of half of that at which most got through, that, twice as much, five times \
    as much, and half of it again without a pause; the peak is the most that got through at any rate of a round, each ratio that \
    of a round, and latencies are those of all rounds; refused: 503 and 429; unanswered: not within 2 s of the end; \
    CPU: cores used while a rate lasts; the ceiling of the generator is what it gets through against a bare axum route that \
    answers as many bytes in the place of the service";

/// Worlds that are stepped.
const WORLDS: usize = 64;
/// How often each rate is asked for: machines are not as fast now as they were a minute ago.
const ROUNDS: usize = 3;

/// What is asked for.
struct Scenario {
    name: &'static str,
    scene: Scene,
    steps: u32,
}

/// The client, the service it asks too much of, and for how long.
struct Trial {
    service: Server,
    client: OpenLoop,
    counted: Duration,
    phases: Vec<Value>,
}

/// What became of each rate, one soon after the other.
struct Round {
    half: Tally,
    once: Tally,
    twice: Tally,
    five: Tally,
    /// Half of the rate again, right after five times as much.
    back: Tally,
}

impl Round {
    /// The most that got through.
    fn peak(&self) -> f64 {
        let tallies = [&self.once, &self.twice, &self.five];
        tallies.map(Tally::goodput).into_iter().fold(0.0, f64::max)
    }
}

/// Steps that cost less than asking for them.
pub(crate) fn measure_steps(options: &Options) -> Outcome<Vec<Figure>> {
    let scenario = Scenario {
        name: "tiny steps",
        scene: Scene::rolling_ball(),
        steps: 1,
    };
    overload(&scenario, options)
}

/// Steps that are dear.
pub(crate) fn measure_piles(options: &Options) -> Outcome<Vec<Figure>> {
    let scenario = Scenario {
        name: "piles",
        scene: Scene::piles(1),
        steps: 10,
    };
    overload(&scenario, options)
}

fn overload(scenario: &Scenario, options: &Options) -> Outcome<Vec<Figure>> {
    keep_to(1, std::process::id())?;
    let service = Server::on_first_core(&[])?;
    let mut client = service.client()?;
    let body = format!(r#"{{"steps":{}}}"#, scenario.steps);
    let mut requests = Vec::new();
    for index in 0..WORLDS {
        client.post(
            "/simulations",
            &scenario.scene.creation(&format!("w{index}")),
        )?;
        let path = format!("/simulations/w{index}/step");
        client.post(&path, r#"{"steps":120}"#)?;
        requests.push(wire::request("POST", &path, &body));
    }
    let answer = client.exchange(&requests[0])?;
    let ceiling = ceiling(answer, requests.clone(), options.slice())?;
    let scripts = requests.iter().take(8).map(|it| vec![it.clone()]).collect();
    let closed = Load::connect(service.address, scripts, 1)?.run(Until::Elapsed(WARM_UP))?;
    let mut trial = Trial {
        client: client_of(&service, requests)?,
        service,
        counted: options.slice(),
        phases: Vec::new(),
    };
    let rate = trial.find_rate(closed.replies_per_second() / 2.0)?;
    let rounds: Vec<Round> = (0..ROUNDS)
        .map(|_| trial.round(rate))
        .collect::<Outcome<_>>()?;

    let unloaded = Tally::latencies(rounds.iter().flat_map(|it| &it.half.accepted))[1];
    let mut figures = judged(scenario.name, (2.0, |it| &it.twice), unloaded, &rounds);
    figures.extend(judged(
        scenario.name,
        (5.0, |it| &it.five),
        unloaded,
        &rounds,
    ));
    let over = rounds
        .iter()
        .map(|it| over_after(&it.back, 2.0 * unloaded + 1.0));
    let over = over.fold(0.0, f64::max);
    figures.push(figure(
        format!("{over:.1} s"),
        name_of(scenario.name, "back to normal after 5x"),
        Goal::at_most("<= 5 s", over, RETURN),
    ));
    for figure in &mut figures {
        figure.numbers = json!({
            "rate_per_second": rate, "phases": trial.phases, "unloaded_p99_ms": unloaded,
            "generator_ceiling_per_second": ceiling,
        });
    }
    Ok(figures)
}

fn client_of(service: &Server, requests: Vec<Vec<u8>>) -> Outcome<OpenLoop> {
    let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let manners = (PATIENCE, Rest::Awake);
    OpenLoop::connect(service.address, from, CONNECTIONS, manners, requests)
}

/// How much the generator gets through where nothing is done for a request.
fn ceiling(answer: &[u8], requests: Vec<Vec<u8>>, lasts: Duration) -> Outcome<f64> {
    let bare = Server::bare_route(answer)?;
    bare.keep_to(0)?;
    let phase = Phase {
        rate: BEYOND,
        lasts,
    };
    let tallies = client_of(&bare, requests)?.run(&[phase])?;
    Ok(tallies[0].goodput())
}

impl Trial {
    /// The rate at which most gets through.
    fn find_rate(&mut self, mut rate: f64) -> Outcome<f64> {
        let (mut best, mut most) = (rate, 0_f64);
        for _ in 0..RAISED.1 {
            let [tally] = self.at(rate, [(1.0, self.counted)])?;
            let goodput = tally.goodput();
            if goodput > most {
                (best, most) = (rate, goodput);
            }
            if goodput < 0.9 * rate {
                break;
            }
            rate *= RAISED.0;
        }
        self.phases.clear();
        Ok(best)
    }

    fn round(&mut self, rate: f64) -> Outcome<Round> {
        let counted = self.counted;
        let [half] = self.at(rate, [(0.5, counted)])?;
        let [once] = self.at(rate, [(1.0, counted)])?;
        let [twice] = self.at(rate, [(2.0, counted)])?;
        let afterwards = counted.max(AFTERWARDS);
        let [five, back] = self.at(rate, [(5.0, counted), (0.5, afterwards)])?;
        Ok(Round {
            half,
            once,
            twice,
            five,
            back,
        })
    }

    /// Asks for multiples of `rate`, one after the other.
    fn at<const N: usize>(
        &mut self,
        rate: f64,
        multiples: [(f64, Duration); N],
    ) -> Outcome<[Tally; N]> {
        let phases = multiples.map(|(factor, lasts)| Phase {
            rate: factor * rate,
            lasts,
        });
        let warm_up = Phase {
            lasts: WARM_UP,
            ..phases[0]
        };
        let phases = [&[warm_up], phases.as_slice()].concat();
        let (service, own) = (self.service.cpu_seconds()?, own_cpu_seconds()?);
        let begun = Instant::now();
        let mut tallies = self.client.run(&phases)?;
        let took = begun.elapsed().as_secs_f64();
        let cores = [
            (self.service.cpu_seconds()? - service) / took,
            (own_cpu_seconds()? - own) / took,
        ];
        tallies.remove(0);
        let counted = tallies.iter().zip(multiples);
        let rows = counted.map(|(tally, (factor, _))| row(factor, tally, cores));
        self.phases.extend(rows);
        let all = tallies.try_into();
        all.map_err(|_| "a tally is missing".into())
    }
}

/// After how many seconds nothing was late, refused or unsent any more.
fn over_after(back: &Tally, normal: f64) -> f64 {
    let late = back.accepted.iter();
    let mut late: Vec<f64> = late
        .filter(|(_, latency)| *latency > normal)
        .map(|(at, _)| *at)
        .collect();
    // One in a hundred is as late as that at any time.
    late.truncate(late.len().saturating_sub(back.accepted.len() / 100));
    let refused = back.refused.iter().map(|(at, _)| *at);
    let unsent = back.unsent.iter().copied();
    late.into_iter()
        .chain(refused)
        .chain(unsent)
        .fold(0.0, f64::max)
}

/// What becomes of so many times the rate, of which each round has a tally, and what it is to be judged by.
fn judged(
    scenario: &'static str,
    (factor, tally_of): (f64, fn(&Round) -> &Tally),
    unloaded: f64,
    rounds: &[Round],
) -> Vec<Figure> {
    let tallies = || rounds.iter().map(tally_of);
    let median = |count: fn(&Tally) -> f64| Spread::of(tallies().map(count)).median;
    let refused_each = median(|it| it.per_second(it.refused.len()));
    let unsent_each = median(|it| it.per_second(it.unsent.len()));
    let unanswered: u64 = tallies().map(|it| it.unanswered + it.failed).sum();
    let ratio = Spread::of(rounds.iter().map(|it| tally_of(it).goodput() / it.peak()));
    let peak = Spread::of(rounds.iter().map(Round::peak)).median;
    let accepted = Tally::latencies(tallies().flat_map(|it| &it.accepted))[1];
    let refused = Tally::latencies(tallies().flat_map(|it| &it.refused))[1];
    let refused = if refused.is_nan() { 0.0 } else { refused };
    let named = |what| name_of(scenario, &format!("{what} at {factor}x"));
    let mut goodput = figure(
        format!(
            "{:.0}/s of {peak:.0}/s, {refused_each:.0}/s refused, {unsent_each:.0}/s unsent, {unanswered} unanswered",
            median(Tally::goodput),
        ),
        named("goodput"),
        Goal::at_least(">= 90 % of the peak", ratio.median, 0.9),
    );
    goodput.ratio = Some(ratio);
    vec![
        goodput,
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

fn row(factor: f64, tally: &Tally, [service, generator]: [f64; 2]) -> Value {
    let accepted = Tally::latencies(&tally.accepted);
    let refused = Tally::latencies(&tally.refused);
    json!({
        "load": factor, "goodput_per_second": tally.goodput(), "accepted": tally.accepted.len(),
        "refused": tally.refused.len(), "unsent": tally.unsent.len(), "unanswered": tally.unanswered, "failed": tally.failed,
        "accepted_ms": {"p50": accepted[0], "p99": accepted[1], "max": accepted[2]},
        "refused_ms": {"p50": refused[0], "p99": refused[1], "max": refused[2]},
        "service_cores": service, "generator_cores": generator,
    })
}
