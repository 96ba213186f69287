//! A light client beside thousands of connections that do nothing, or very little.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use socket2::{Domain, Socket, Type};

use super::{interleave, latency::light_steps};
use crate::{
    Outcome,
    client::Client,
    options::Options,
    process::Server,
    report::{Figure, Goal},
    scenes::Scene,
    statistics::{percentile, sorted},
    wire,
};

/// Connections from one address: fewer than there are ports for them.
const PER_SOURCE: usize = 10_000;
/// Each slow client says one byte this often.
const DRIP: Duration = Duration::from_secs(1);
/// What slow clients say the beginning of, in turn: a head that does not end, and a body.
const SLOW: [&str; 2] = [
    "GET /health HTTP/1.1\r\nX-Slow: ",
    "POST /simulations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n",
];
const METHOD: &str = "step{1} of a plane-and-ball simulation, one due every 5 ms on one connection (a request late \
    through its predecessor counts from when it was due), in turn on a service without other clients and on one with \
    idle keep-alive connections and slow clients, half of them in a head and half in a body at one byte a second, that \
    come again when they are cut off; default settings but for IDLE_TIMEOUT_MS, so that the idle ones stay; the ratio \
    is of the p99 of each round";

pub(crate) fn measure(options: &Options) -> Outcome<Vec<Figure>> {
    raise_file_limit()?;
    let hour = ("IDLE_TIMEOUT_MS", "3600000".to_owned());
    let (quiet, crowded) = (Server::service()?, Server::service_with(&[hour])?);
    let (mut alone, mut beside) = (light_client(&quiet)?, light_client(&crowded)?);
    let before = crowded.resident_kib()?;
    let idle = (0..options.idle).map(|n| idle_connection(crowded.address, n));
    let idle = idle.collect::<Outcome<Vec<_>>>()?;
    let resident = crowded.resident_kib()? - before;
    let mut slow = Vec::new();
    for n in 0..options.slow {
        slow.push(slow_connection(crowded.address, n)?);
    }

    let slice = options.slice();
    let mut cut_off = 0_u32;
    let rounds = interleave(
        options.rounds,
        || {
            let is_over = AtomicBool::new(false);
            thread::scope(|scope| {
                let dripping = scope.spawn(|| drip(&mut slow, crowded.address, &is_over));
                let measured = light_steps(&mut beside, slice);
                is_over.store(true, Ordering::Relaxed);
                cut_off += dripping.join().expect("dripping does not panic")?;
                measured.map(p99)
            })
        },
        || light_steps(&mut alone, slice).map(p99),
    )?;
    let stayed = idle.iter().filter(|stream| is_open(stream)).count();
    if stayed < idle.len() {
        return Err(format!("{stayed} of {} idle connections stayed", idle.len()).into());
    }
    let ratio = rounds.ratio.median;
    Ok(vec![Figure {
        name: "light step beside idle and slow connections, p99",
        value: format!(
            "{:.2} ms beside {} idle and {} slow, alone {:.2} ms",
            rounds.service.median,
            idle.len(),
            slow.len(),
            rounds.baseline.median
        ),
        ratio: Some(rounds.ratio),
        goal: Some(Goal::at_most("<= 2 x alone", ratio, 2.0)),
        method: METHOD,
        numbers: json!({
            "idle": idle.len(), "slow": slow.len(), "cut_off": cut_off, "idle_resident_kib": resident,
            "p99_ms": rounds.service.median, "alone_p99_ms": rounds.baseline.median, "ratio": ratio,
        }),
    }])
}

fn p99(latencies: Vec<f64>) -> f64 {
    percentile(&sorted(latencies), 99)
}

fn light_client(service: &Server) -> Outcome<Client> {
    let mut client = service.client()?;
    client.post("/simulations", &Scene::rolling_ball().creation("light"))?;
    Ok(client)
}

/// A connection that has been of use once.
fn idle_connection(address: SocketAddr, n: usize) -> Outcome<TcpStream> {
    let mut stream = connect(address, n)?;
    stream.write_all(&wire::request("GET", "/health", ""))?;
    let mut reply = wire::ReplyReader::new();
    while !reply.read_from(&mut stream)? {}
    stream.set_nonblocking(true)?;
    Ok(stream)
}

fn slow_connection(address: SocketAddr, n: usize) -> Outcome<TcpStream> {
    let mut stream = connect(address, n)?;
    stream.write_all(SLOW[n % SLOW.len()].as_bytes())?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// A connection from one of several addresses of this machine.
fn connect(address: SocketAddr, n: usize) -> Outcome<TcpStream> {
    let source = Ipv4Addr::new(127, 0, 1, 1 + u8::try_from(n / PER_SOURCE)?);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.connect(&address.into())?;
    Ok(socket.into())
}

/// Has every slow client say a byte a second, and come again when it is cut off. How often it was.
fn drip(slow: &mut [TcpStream], address: SocketAddr, is_over: &AtomicBool) -> Outcome<u32> {
    let mut cut_off = 0;
    while !is_over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let pause = DRIP / u32::try_from(slow.len().max(1))?;
        for (n, stream) in slow.iter_mut().enumerate() {
            if is_over.load(Ordering::Relaxed) {
                return Ok(cut_off);
            }
            if !is_open(stream) || stream.write_all(b" ").is_err() {
                *stream = slow_connection(address, n)?;
                cut_off += 1;
            }
            thread::sleep(pause);
        }
        thread::sleep(DRIP.saturating_sub(begun.elapsed()));
    }
    Ok(cut_off)
}

/// Whether nothing was said on a connection on which nobody asked for anything.
fn is_open(mut stream: &TcpStream) -> bool {
    let read = stream.read(&mut [0; 64]);
    read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

fn raise_file_limit() -> Outcome<()> {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current, ..limit })?)
}
