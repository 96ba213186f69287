//! The open-loop generator: requests fall due at a fixed rate, whatever becomes of those before, and
//! count from when they were due.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, net::TcpStream};
use socket2::{Domain, Socket, Type};

use crate::{
    Outcome,
    statistics::{milliseconds, percentile, real, sorted},
    wire::parse_head,
};

/// What has not been sent this long after it was due is given up, as a client would.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long after the last request was due answers are waited for.
const GRACE: Duration = Duration::from_secs(2);

/// How requests fall due.
#[derive(Clone, Copy)]
pub(crate) struct Phase {
    /// Requests per second.
    pub(crate) rate: f64,
    /// What falls due in this time is sent and not counted.
    pub(crate) warm_up: Duration,
    /// What falls due in this time after it is.
    pub(crate) counted: Duration,
}

/// What became of the requests of a phase.
pub(crate) struct Tally {
    /// Milliseconds from when they were due, with that moment in seconds, of those that were carried out.
    pub(crate) accepted: Vec<(f64, f64)>,
    /// The same of those that were refused.
    pub(crate) refused: Vec<(f64, f64)>,
    /// How many were not answered, or not sent.
    pub(crate) unanswered: u64,
    /// How many were answered with anything else.
    pub(crate) failed: u64,
    counted: Duration,
}

impl Tally {
    /// Requests that were carried out per second.
    pub(crate) fn goodput(&self) -> f64 {
        real(self.accepted.len() as u64) / self.counted.as_secs_f64()
    }

    /// Percentiles of the latencies, in milliseconds: p50, p99 and the greatest.
    pub(crate) fn latencies(samples: &[(f64, f64)]) -> [f64; 3] {
        let sorted = sorted(samples.iter().map(|sample| sample.1));
        [50, 99, 100].map(|percent| percentile(&sorted, percent))
    }
}

/// Connections to one server and what is sent over them.
pub(crate) struct OpenLoop {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    /// Connections that may take a request, each as often as it may take one.
    free: VecDeque<usize>,
    requests: Vec<Vec<u8>>,
    next: usize,
}

struct Connection {
    stream: TcpStream,
    /// What is still to be written.
    out: Vec<u8>,
    written: usize,
    /// What was read and not understood yet.
    input: Vec<u8>,
    filled: usize,
    /// When the requests were due that are on their way.
    due: VecDeque<Instant>,
}

impl OpenLoop {
    /// Opens `count` connections from `from`, each of which takes up to `depth` requests at a time. The
    /// requests are sent in turn, over any of them.
    pub(crate) fn connect(
        address: SocketAddr,
        from: IpAddr,
        (count, depth): (usize, usize),
        requests: Vec<Vec<u8>>,
    ) -> Outcome<Self> {
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(count);
        for index in 0..count {
            let mut stream = connect_from(from, address)?;
            poll.registry().register(
                &mut stream,
                Token(index),
                Interest::READABLE | Interest::WRITABLE,
            )?;
            connections.push(Connection {
                stream,
                out: Vec::new(),
                written: 0,
                input: vec![0; 64 * 1024],
                filled: 0,
                due: VecDeque::new(),
            });
        }
        Ok(Self {
            poll,
            events: Events::with_capacity(count),
            connections,
            free: (0..depth).flat_map(|_| 0..count).collect(),
            requests,
            next: 0,
        })
    }

    /// Sends requests as they fall due, and waits a while for the last answers.
    pub(crate) fn run(&mut self, phase: Phase) -> Outcome<Tally> {
        let start = Instant::now();
        let counts_from = start + phase.warm_up;
        let end = counts_from + phase.counted;
        let mut tally = Tally {
            accepted: Vec::new(),
            refused: Vec::new(),
            unanswered: 0,
            failed: 0,
            counted: phase.counted,
        };
        let mut waiting: VecDeque<Instant> = VecDeque::new();
        let mut fallen_due = 0_u64;
        loop {
            let now = Instant::now();
            let due = |count: u64| start + Duration::from_secs_f64(real(count) / phase.rate);
            while due(fallen_due) <= now && due(fallen_due) < end {
                waiting.push_back(due(fallen_due));
                fallen_due += 1;
            }
            while waiting.front().is_some_and(|due| *due + PATIENCE < now) {
                let due = waiting.pop_front();
                tally.unanswered += u64::from(due.is_some_and(|due| due >= counts_from));
            }
            self.send(&mut waiting)?;
            let on_the_way = || self.connections.iter().any(|it| !it.due.is_empty());
            if now >= end && (now >= end + GRACE || waiting.is_empty() && !on_the_way()) {
                break;
            }
            let pause = due(fallen_due).saturating_duration_since(Instant::now());
            let pause = if now >= end { GRACE } else { pause };
            self.poll
                .poll(&mut self.events, Some(pause.min(GRACE / 100)))?;
            for event in &self.events {
                let index = event.token().0;
                let connection = &mut self.connections[index];
                connection.flush()?;
                connection.receive(|due, status| {
                    self.free.push_back(index);
                    if due < counts_from {
                        return;
                    }
                    let at = due.duration_since(counts_from).as_secs_f64();
                    let sample = (at, milliseconds(due.elapsed()));
                    match status {
                        200..=299 => tally.accepted.push(sample),
                        429 | 503 => tally.refused.push(sample),
                        _ => tally.failed += 1,
                    }
                })?;
            }
        }
        let late = waiting.iter().filter(|due| **due >= counts_from);
        tally.unanswered += late.count() as u64;
        let open = self.connections.iter().flat_map(|it| &it.due);
        tally.unanswered += open.filter(|due| **due >= counts_from).count() as u64;
        self.settle()?;
        Ok(tally)
    }

    fn send(&mut self, waiting: &mut VecDeque<Instant>) -> Outcome<()> {
        let mut touched = Vec::new();
        while !waiting.is_empty()
            && let Some(index) = self.free.pop_front()
        {
            let connection = &mut self.connections[index];
            let due = waiting.pop_front().ok_or("something waits")?;
            connection.due.push_back(due);
            connection
                .out
                .extend_from_slice(&self.requests[self.next % self.requests.len()]);
            self.next += 1;
            touched.push(index);
        }
        touched.sort_unstable();
        touched.dedup();
        for index in touched {
            self.connections[index].flush()?;
        }
        Ok(())
    }

    /// Waits for what is still on its way, so that the next phase begins with nothing.
    fn settle(&mut self) -> Outcome<()> {
        let until = Instant::now() + Duration::from_secs(30);
        while self.connections.iter().any(|it| !it.due.is_empty()) {
            if Instant::now() > until {
                return Err("the server stopped answering".into());
            }
            self.poll.poll(&mut self.events, Some(GRACE / 100))?;
            for event in &self.events {
                let index = event.token().0;
                self.connections[index].flush()?;
                self.connections[index].receive(|_, _| self.free.push_back(index))?;
            }
        }
        Ok(())
    }
}

impl Connection {
    fn flush(&mut self) -> Outcome<()> {
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(())
    }

    /// Reads what there is, and tells of each answer when its request was due and its status.
    fn receive(&mut self, mut tell: impl FnMut(Instant, u16)) -> Outcome<()> {
        loop {
            if self.filled == self.input.len() {
                self.input.resize(self.input.len() * 2, 0);
            }
            match self.stream.read(&mut self.input[self.filled..]) {
                Ok(0) => return Err("the server closed a connection".into()),
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            let mut begin = 0;
            while let Some(head) = parse_head(&self.input[begin..self.filled])?
                && begin + head.body_end <= self.filled
            {
                begin += head.body_end;
                let due = self.due.pop_front().ok_or("an answer to nothing")?;
                tell(due, head.status);
            }
            self.input.copy_within(begin..self.filled, 0);
            self.filled -= begin;
        }
    }
}

/// A connection from one of the machine's own addresses: another client, as far as the server knows.
pub(crate) fn connect_from(from: IpAddr, address: SocketAddr) -> Outcome<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    socket.connect(&address.into())?;
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    Ok(TcpStream::from_std(socket.into()))
}
