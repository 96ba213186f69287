//! One client with twenty heavy worlds beside twenty light ones, and beside one with a single heavy world.

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};

use serde_json::json;
use socket2::{Domain, Socket, Type};

use super::interleave;
use crate::{
    Outcome,
    open_loop::{OpenLoop, Phase, Rest, Tally},
    options::Options,
    process::{Server, keep_to},
    report::{Figure, Goal},
    scenes::Scene,
    statistics::real,
    wire::{self, ReplyReader},
};

const HEAVY: u8 = 20;
const LIGHT: u8 = 20;
/// Requests of all light clients together, per second.
const RATE: f64 = 400.0;
const WARM_UP: Duration = Duration::from_secs(1);
/// A light client sends one request after another, however late.
const MANNERS: (Duration, Rest) = (Duration::from_secs(2), Rest::Asleep);
const METHOD: &str = "the service on the first core alone, the generator on the second; 20 clients, each with an address of its own, \
    together give step{1} of plane-and-ball simulations 400 times a second, open loop; in turn alone and beside a client \
    with 20 worlds of 93 bodies, 92 of them boxes that may not sleep, each stepped {10} in a loop; \
    p99 of each round, of which the middle ones are shown";
const SHARES: &str = "two clients, one with 20 such worlds and one with one of them, each world stepped {10} in a loop; Jain's \
    index of the steps that both got: 1 where both got the same, 0.5 where one got all";

pub(crate) fn measure(options: &Options) -> Outcome<Vec<Figure>> {
    keep_to(1, std::process::id())?;
    let service = Server::on_first_core(&[])?;
    let mut client = service.client()?;
    for index in 0..=HEAVY {
        let scene = Scene::piles(1);
        client.post("/simulations", &scene.creation(&format!("heavy{index}")))?;
    }
    let mut requests = Vec::new();
    for index in 0..LIGHT {
        let scene = Scene::rolling_ball();
        client.post("/simulations", &scene.creation(&format!("light{index}")))?;
        let path = format!("/simulations/light{index}/step");
        requests.push(wire::request("POST", &path, r#"{"steps":1}"#));
    }
    let rate = RATE / f64::from(LIGHT);
    let lasts = options.slice().max(Duration::from_secs(2));
    let phases = [WARM_UP, lasts].map(|lasts| Phase { rate, lasts });
    let address = service.address;
    let light = || light_clients(address, &requests, phases);
    let all: Vec<u8> = (0..HEAVY).collect();
    let heavy = [(tenant(0), all.as_slice())];
    let (mut worst, mut heavy_requests) = (0_f64, 0);
    let rounds = interleave(
        options.rounds,
        || {
            let (beside, counts) = beside(address, &heavy, light)?;
            let [_, p99, max] = Tally::latencies(&beside);
            worst = worst.max(max);
            heavy_requests += counts[0];
            Ok(p99)
        },
        || Ok(Tally::latencies(&light()?)[1]),
    )?;
    let rest = || {
        thread::sleep(lasts);
        Ok(())
    };
    let ((), shares) = beside(address, &[heavy[0], (tenant(1), &[HEAVY])], rest)?;
    let shares: Vec<f64> = shares.iter().map(|count| real(*count)).collect();
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    let jain = sum * sum / (real(shares.len() as u64) * squares);
    let (beside_p99, alone_p99) = (rounds.service.median, rounds.baseline.median);
    Ok(vec![
        Figure {
            name: "20 light clients beside 20 heavy worlds, p99",
            value: format!("{beside_p99:.2} ms, alone {alone_p99:.2} ms"),
            ratio: Some(rounds.ratio),
            goal: Some(Goal::at_most("<= 2x alone", rounds.ratio.median, 2.0)),
            method: METHOD,
            numbers: json!({
                "p99_ms": beside_p99, "alone_p99_ms": alone_p99, "max_ms": worst, "heavy_requests": heavy_requests,
            }),
        },
        Figure {
            name: "share of the CPU, 20 worlds beside one",
            value: format!("{jain:.3}"),
            ratio: None,
            goal: Some(Goal::at_least(">= 0.95", jain, 0.95)),
            method: SHARES,
            numbers: json!({"requests": shares}),
        },
    ])
}

fn tenant(number: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 1, number + 1).into()
}

/// All light clients at once; when their requests were due, and their latencies.
fn light_clients(
    address: SocketAddr,
    requests: &[Vec<u8>],
    phases: [Phase; 2],
) -> Outcome<Vec<(f64, f64)>> {
    let clients = thread::scope(|scope| {
        let clients = requests.iter().zip(1_u8..).map(|(request, number)| {
            let from = Ipv4Addr::new(127, 0, 2, number).into();
            scope.spawn(move || {
                let requests = vec![request.clone()];
                let mut client = OpenLoop::connect(address, from, 1, MANNERS, requests)?;
                let mut tallies = client.run(&phases)?;
                tallies.pop().ok_or_else(|| "nothing was counted".into())
            })
        });
        let clients: Vec<_> = clients.collect();
        let clients = clients.into_iter();
        clients
            .map(|client| client.join().expect("a generator does not panic"))
            .collect::<Outcome<Vec<_>>>()
    })?;
    let is_amiss = |tally: &Tally| {
        let unknown = tally.unanswered + tally.failed;
        unknown > 0 || !tally.refused.is_empty() || !tally.unsent.is_empty()
    };
    if clients.iter().any(is_amiss) {
        return Err("a light client was refused, or not answered".into());
    }
    Ok(clients.into_iter().flat_map(|it| it.accepted).collect())
}

/// Has each client step its worlds in a loop while `measure` goes on; how many requests of each were
/// carried out.
fn beside<T>(
    address: SocketAddr,
    clients: &[(IpAddr, &[u8])],
    measure: impl FnOnce() -> Outcome<T>,
) -> Outcome<(T, Vec<u64>)> {
    let (stop, counts) = (
        AtomicBool::new(false),
        clients.iter().map(|_| AtomicU64::new(0)),
    );
    let counts: Vec<_> = counts.collect();
    thread::scope(|scope| {
        let mut loops = Vec::new();
        for ((from, worlds), count) in clients.iter().zip(&counts) {
            for world in *worlds {
                let (from, stop) = (*from, &stop);
                loops.push(scope.spawn(move || step_in_a_loop(address, from, *world, stop, count)));
            }
        }
        thread::sleep(WARM_UP);
        let before: Vec<_> = counts.iter().map(|it| it.load(Ordering::Relaxed)).collect();
        let measured = measure();
        let after = counts.iter().map(|it| it.load(Ordering::Relaxed));
        let done: Vec<_> = after
            .zip(before)
            .map(|(after, before)| after - before)
            .collect();
        stop.store(true, Ordering::Relaxed);
        for stepping in loops {
            stepping.join().expect("a heavy loop does not panic")?;
        }
        measured.map(|measured| (measured, done))
    })
}

fn step_in_a_loop(
    address: SocketAddr,
    from: IpAddr,
    world: u8,
    stop: &AtomicBool,
    count: &AtomicU64,
) -> Outcome<()> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    socket.connect(&address.into())?;
    let mut stream: TcpStream = socket.into();
    let path = format!("/simulations/heavy{world}/step");
    let request = wire::request("POST", &path, r#"{"steps":10}"#);
    let mut reader = ReplyReader::new();
    while !stop.load(Ordering::Relaxed) {
        reader.clear();
        stream.write_all(&request)?;
        while !reader.read_from(&mut (&mut stream as &mut dyn Read))? {}
        if reader.status() == 200 {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}
