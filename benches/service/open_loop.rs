//! The open-loop generator: requests fall due at a given rate, whatever becomes of those before, and
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

/// How long after the last request was due answers are waited for.
const GRACE: Duration = Duration::from_secs(2);
/// How long the generator sleeps at most.
const NAP: Duration = Duration::from_millis(20);
/// How long a server may take to answer what is still on its way in the end.
const STALL: Duration = Duration::from_secs(30);

/// Requests that fall due at a rate.
#[derive(Clone, Copy)]
pub(crate) struct Phase {
    /// Requests per second.
    pub(crate) rate: f64,
    pub(crate) lasts: Duration,
}

/// What became of the requests of a phase.
#[derive(Default)]
pub(crate) struct Tally {
    /// Milliseconds from when they were due, with that moment in seconds, of those that were carried out.
    pub(crate) accepted: Vec<(f64, f64)>,
    /// The same of those that were refused.
    pub(crate) refused: Vec<(f64, f64)>,
    /// In which second those were due that were given up before they were sent, as no connection was free.
    pub(crate) unsent: Vec<f64>,
    /// How many were not answered.
    pub(crate) unanswered: u64,
    /// How many were answered with anything else.
    pub(crate) failed: u64,
    lasts: Duration,
}

impl Tally {
    /// Requests that were carried out per second.
    pub(crate) fn goodput(&self) -> f64 {
        self.per_second(self.accepted.len())
    }

    pub(crate) fn per_second(&self, count: usize) -> f64 {
        real(count as u64) / self.lasts.as_secs_f64()
    }

    /// Percentiles of the latencies, in milliseconds: p50, p99 and the greatest.
    pub(crate) fn latencies<'a>(samples: impl IntoIterator<Item = &'a (f64, f64)>) -> [f64; 3] {
        let sorted = sorted(samples.into_iter().map(|sample| sample.1));
        [50, 99, 100].map(|percent| percentile(&sorted, percent))
    }
}

/// A client of a server: connections to it, which take a request at a time each, and what is sent over them.
pub(crate) struct OpenLoop {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    /// Connections that wait for nothing.
    free: VecDeque<usize>,
    requests: Vec<Vec<u8>>,
    next: usize,
    patience: Duration,
    rest: Rest,
}

/// What a generator does while there is nothing to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// It sleeps, beside others on the same core.
    Asleep,
    /// It looks for answers all the time: no server has to wake it, which costs the server more than to answer.
    Awake,
}

struct Connection {
    stream: TcpStream,
    /// What is still to be written.
    out: Vec<u8>,
    written: usize,
    /// What was read and not understood yet.
    input: Vec<u8>,
    filled: usize,
    /// The request that is on its way.
    asked: Option<Due>,
}

/// A request that is to be sent, or is on its way.
#[derive(Clone, Copy)]
struct Due {
    at: Instant,
    /// The place of its phase.
    phase: usize,
}

/// The moments at which requests fall due, phase by phase.
struct Timetable<'a> {
    phases: &'a [Phase],
    begins: Vec<Instant>,
    next: Due,
    count: u64,
}

impl OpenLoop {
    /// Opens `count` connections from `from`, over which the requests are sent in turn. One that finds none of them
    /// free is given up after `patience`.
    pub(crate) fn connect(
        address: SocketAddr,
        from: IpAddr,
        count: usize,
        (patience, rest): (Duration, Rest),
        requests: Vec<Vec<u8>>,
    ) -> Outcome<Self> {
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(count);
        for index in 0..count {
            let mut stream = connect_from(from, address)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry()
                .register(&mut stream, Token(index), interest)?;
            connections.push(Connection {
                stream,
                out: Vec::new(),
                written: 0,
                input: vec![0; 64 * 1024],
                filled: 0,
                asked: None,
            });
        }
        Ok(Self {
            poll,
            events: Events::with_capacity(count),
            connections,
            free: (0..count).collect(),
            requests,
            next: 0,
            patience,
            rest,
        })
    }

    /// Sends the requests of phase after phase as they fall due, and waits a while for the last answers.
    pub(crate) fn run(&mut self, phases: &[Phase]) -> Outcome<Vec<Tally>> {
        let mut tallies: Vec<Tally> = phases
            .iter()
            .map(|phase| Tally {
                lasts: phase.lasts,
                ..Tally::default()
            })
            .collect();
        let mut timetable = Timetable::begin(phases, Instant::now());
        let mut waiting: VecDeque<Due> = VecDeque::new();
        loop {
            let now = Instant::now();
            while let Some(due) = timetable.pop(now) {
                waiting.push_back(due);
            }
            while let Some(due) = waiting.front().copied()
                && due.at + self.patience < now
            {
                waiting.pop_front();
                tallies[due.phase].unsent.push(timetable.second(due));
            }
            self.send(&mut waiting)?;
            let end = timetable.end();
            let is_done = waiting.is_empty() && self.free.len() == self.connections.len();
            if now >= end && (is_done || now >= end + GRACE) {
                break;
            }
            let pause = match self.rest {
                Rest::Asleep => timetable.pause().min(NAP),
                Rest::Awake => Duration::ZERO,
            };
            self.receive(pause, |due, status| {
                let sample = (timetable.second(due), milliseconds(due.at.elapsed()));
                let tally = &mut tallies[due.phase];
                match status {
                    200..=299 => tally.accepted.push(sample),
                    429 | 503 => tally.refused.push(sample),
                    _ => tally.failed += 1,
                }
            })?;
        }
        for due in waiting {
            tallies[due.phase].unsent.push(timetable.second(due));
        }
        for due in self.connections.iter().filter_map(|it| it.asked) {
            tallies[due.phase].unanswered += 1;
        }
        self.settle()?;
        Ok(tallies)
    }

    fn send(&mut self, waiting: &mut VecDeque<Due>) -> Outcome<()> {
        while !waiting.is_empty()
            && let Some(index) = self.free.pop_front()
        {
            let connection = &mut self.connections[index];
            connection.asked = waiting.pop_front();
            let request = &self.requests[self.next % self.requests.len()];
            connection.out.extend_from_slice(request);
            connection.flush()?;
            self.next += 1;
        }
        Ok(())
    }

    /// Reads what comes within `pause`, and tells of each answer which request it is to and its status.
    fn receive(&mut self, pause: Duration, mut tell: impl FnMut(Due, u16)) -> Outcome<()> {
        self.poll.poll(&mut self.events, Some(pause))?;
        for event in &self.events {
            let index = event.token().0;
            let connection = &mut self.connections[index];
            connection.flush()?;
            if let Some((due, status)) = connection.receive()? {
                self.free.push_back(index);
                tell(due, status);
            }
        }
        Ok(())
    }

    /// Waits for what is still on its way, so that the next run begins with nothing.
    fn settle(&mut self) -> Outcome<()> {
        let until = Instant::now() + STALL;
        while self.free.len() < self.connections.len() {
            if Instant::now() > until {
                return Err("the server stopped answering".into());
            }
            self.receive(NAP, |_, _| ())?;
        }
        Ok(())
    }
}

impl<'a> Timetable<'a> {
    fn begin(phases: &'a [Phase], at: Instant) -> Self {
        let mut begins = vec![at];
        for phase in phases {
            begins.push(begins[begins.len() - 1] + phase.lasts);
        }
        Self {
            phases,
            begins,
            next: Due { at, phase: 0 },
            count: 0,
        }
    }

    fn end(&self) -> Instant {
        self.begins[self.phases.len()]
    }

    /// The next request, if it is due by now.
    fn pop(&mut self, now: Instant) -> Option<Due> {
        let due = self.next;
        let phase = self.phases.get(due.phase)?;
        if due.at > now {
            return None;
        }
        self.count += 1;
        let since = Duration::from_secs_f64(real(self.count) / phase.rate);
        self.next.at = self.begins[due.phase] + since;
        if since >= phase.lasts {
            self.next.phase += 1;
            self.next.at = self.begins[self.next.phase];
            self.count = 0;
        }
        Some(due)
    }

    /// How long it is until the next request is due.
    fn pause(&self) -> Duration {
        if self.next.phase < self.phases.len() {
            self.next.at.saturating_duration_since(Instant::now())
        } else {
            NAP
        }
    }

    /// When in its phase a request was due, in seconds.
    fn second(&self, due: Due) -> f64 {
        (due.at - self.begins[due.phase]).as_secs_f64()
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

    /// Reads what there is: the request that is answered by now, and the status of the answer.
    fn receive(&mut self) -> Outcome<Option<(Due, u16)>> {
        loop {
            if self.filled == self.input.len() {
                self.input.resize(self.input.len() * 2, 0);
            }
            let room = self.input.len() - self.filled;
            let count = match self.stream.read(&mut self.input[self.filled..]) {
                Ok(0) => return Err("the server closed a connection".into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            self.filled += count;
            if let Some(head) = parse_head(&self.input[..self.filled])?
                && head.body_end <= self.filled
            {
                if head.body_end < self.filled {
                    return Err("more than one answer".into());
                }
                self.filled = 0;
                let due = self.asked.take().ok_or("an answer to nothing")?;
                return Ok(Some((due, head.status)));
            }
            // There was no more: when more comes, that is told.
            if count < room {
                return Ok(None);
            }
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
