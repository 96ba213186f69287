//! The load generator: a closed loop on each of many keep-alive connections, all of them on very few threads.

use std::{
    io::{self, Write},
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, net::TcpStream};

use crate::{
    Outcome,
    statistics::{per_second, real},
    wire::ReplyReader,
};

/// No reply for this long fails the measurement.
const STALL: Duration = Duration::from_secs(30);

/// When a run of the generator ends; requests on their way are always awaited and counted.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    /// Each connection repeats its requests until this much time has passed.
    Elapsed(Duration),
    /// Each connection sends each of its requests once.
    AllSentOnce,
}

/// What one run of the generator saw.
pub(crate) struct Run {
    pub(crate) replies: u64,
    pub(crate) body_bytes: u64,
    pub(crate) elapsed: Duration,
}

impl Run {
    pub(crate) fn replies_per_second(&self) -> f64 {
        per_second(self.replies, self.elapsed)
    }

    pub(crate) fn mean_body_bytes(&self) -> f64 {
        real(self.body_bytes) / real(self.replies.max(1))
    }
}

/// Connections to one server, dealt out to the generator's threads.
pub(crate) struct Load {
    groups: Vec<Group>,
}

impl Load {
    /// Opens one connection per script; a script is the requests that connection sends in turn.
    pub(crate) fn connect(
        address: SocketAddr,
        scripts: Vec<Vec<Vec<u8>>>,
        threads: usize,
    ) -> Outcome<Self> {
        let mut shares: Vec<Vec<_>> = (0..threads.max(1)).map(|_| Vec::new()).collect();
        let count = shares.len();
        for (index, script) in scripts.into_iter().enumerate() {
            shares[index % count].push(script);
        }
        let groups = shares
            .into_iter()
            .map(|share| Group::connect(address, share));
        Ok(Self {
            groups: groups.collect::<Outcome<_>>()?,
        })
    }

    /// Runs all connections and waits for the last reply.
    pub(crate) fn run(&mut self, until: Until) -> Outcome<Run> {
        let start = Instant::now();
        let (first, others) = self.groups.split_first_mut().ok_or("no connections")?;
        let runs: Vec<Outcome<(u64, u64)>> = thread::scope(|scope| {
            let running: Vec<_> = others
                .iter_mut()
                .map(|group| scope.spawn(|| group.run(until)))
                .collect();
            let mut runs = vec![first.run(until)];
            runs.extend(
                running
                    .into_iter()
                    .map(|thread| thread.join().expect("a generator thread does not panic")),
            );
            runs
        });
        let mut total = Run {
            replies: 0,
            body_bytes: 0,
            elapsed: start.elapsed(),
        };
        for run in runs {
            let (replies, body_bytes) = run?;
            total.replies += replies;
            total.body_bytes += body_bytes;
        }
        Ok(total)
    }
}

/// The connections one thread serves.
struct Group {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    /// Where the next reply is read into. It is still in the cache, which those of all connections
    /// would fill, and take from what is measured.
    buffer: Vec<u8>,
}

impl Group {
    fn connect(address: SocketAddr, scripts: Vec<Vec<Vec<u8>>>) -> Outcome<Self> {
        let poll = Poll::new()?;
        let events = Events::with_capacity(scripts.len().max(1));
        let mut connections = Vec::with_capacity(scripts.len());
        for (index, script) in scripts.into_iter().enumerate() {
            let stream = std::net::TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry()
                .register(&mut stream, Token(index), Interest::READABLE)?;
            connections.push(Connection {
                stream,
                script,
                next: 0,
                reader: ReplyReader::new(),
            });
        }
        Ok(Self {
            poll,
            events,
            connections,
            buffer: Vec::new(),
        })
    }

    fn run(&mut self, until: Until) -> Outcome<(u64, u64)> {
        let start = Instant::now();
        let may_send = |connection: &Connection| match until {
            Until::Elapsed(duration) => start.elapsed() < duration,
            Until::AllSentOnce => connection.next < connection.script.len(),
        };
        let (mut replies, mut body_bytes, mut in_flight) = (0_u64, 0_u64, 0_usize);
        for connection in &mut self.connections {
            connection.next = 0;
            if may_send(connection) {
                connection.send()?;
                in_flight += 1;
            }
        }
        while in_flight > 0 {
            self.poll.poll(&mut self.events, Some(STALL))?;
            if self.events.is_empty() {
                return Err("the server stopped answering".into());
            }
            for event in &self.events {
                let connection = &mut self.connections[event.token().0];
                connection.reader.trade(&mut self.buffer);
                if !connection.receive()? {
                    continue;
                }
                replies += 1;
                body_bytes += u64::try_from(connection.reader.body().len())?;
                connection.reader.clear();
                connection.reader.trade(&mut self.buffer);
                if may_send(connection) {
                    connection.send()?;
                } else {
                    in_flight -= 1;
                }
            }
        }
        Ok((replies, body_bytes))
    }
}

/// One keep-alive connection and what it sends.
struct Connection {
    stream: TcpStream,
    script: Vec<Vec<u8>>,
    next: usize,
    reader: ReplyReader,
}

impl Connection {
    fn send(&mut self) -> Outcome<()> {
        let mut rest = self.script[self.next % self.script.len()].as_slice();
        self.next += 1;
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::yield_now(),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// True when a whole 2xx reply is in the reader. Readiness is reported per edge, so it reads until
    /// the reply is whole or nothing is left; after a whole reply nothing can be left.
    fn receive(&mut self) -> Outcome<bool> {
        loop {
            match self.reader.read_from(&mut self.stream) {
                Ok(true) => break,
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        let status = self.reader.status();
        if (200..300).contains(&status) {
            return Ok(true);
        }
        Err(format!(
            "status {status}: {}",
            String::from_utf8_lossy(self.reader.body())
        )
        .into())
    }
}
