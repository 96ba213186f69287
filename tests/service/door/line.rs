//! A connection on which anything can be said, in any pieces.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

/// Longer than any limit of these tests, also on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(40);

/// A connection to the service.
pub(super) struct Line {
    stream: TcpStream,
    received: Vec<u8>,
    opened: Instant,
}

/// One answer; none at all has the status 0.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Line {
    pub(super) async fn open(address: SocketAddr) -> Self {
        let opened = Instant::now();
        let stream = TcpStream::connect(address).await;
        Self::of(stream.expect("it is accepted"), opened)
    }

    /// Opens a connection from another address of this machine.
    pub(super) async fn open_from(source: [u8; 4], address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        let (source, opened) = (SocketAddr::from((source, 0)), Instant::now());
        socket.bind(source).expect("an address of this machine");
        let stream = socket.connect(address).await;
        Self::of(stream.expect("it is accepted"), opened)
    }

    /// Opens a connection whose client takes in little at a time.
    pub(super) async fn open_narrow(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a small buffer");
        let opened = Instant::now();
        let stream = socket.connect(address).await;
        Self::of(stream.expect("it is accepted"), opened)
    }

    fn of(stream: TcpStream, opened: Instant) -> Self {
        stream.set_nodelay(true).expect("nothing is held back");
        Self {
            stream,
            received: Vec::new(),
            opened,
        }
    }

    /// Since when the connection has been there.
    pub(super) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// Says something; whether the other side still took it.
    pub(super) async fn say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let said = timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await;
        said.is_ok_and(|said| said.is_ok())
    }

    /// Says one byte after the other, with pauses, until an answer comes or the connection ends.
    pub(super) async fn drip(&mut self, bytes: impl IntoIterator<Item = u8>, pause: Duration) {
        for byte in bytes {
            if !self.say([byte]).await || self.take_in(pause).await != Some(0) {
                return;
            }
        }
    }

    /// Reads once, for so long at most: how many bytes there were, none at the end.
    async fn take_in(&mut self, within: Duration) -> Option<usize> {
        let mut chunk = vec![0; 16 * 1024];
        match timeout(within, self.stream.read(&mut chunk)).await {
            Err(_) => Some(0),
            Ok(Ok(0) | Err(_)) => None,
            Ok(Ok(count)) => {
                self.received.extend_from_slice(&chunk[..count]);
                Some(count)
            }
        }
    }

    /// The next answer. Fails if neither it nor the end of the connection comes.
    pub(super) async fn answer(&mut self) -> Answer {
        let begun = Instant::now();
        loop {
            if let Some((answer, length)) = Answer::first_of(&self.received) {
                self.received.drain(..length);
                return answer;
            }
            assert!(begun.elapsed() < PATIENCE, "neither an answer nor an end");
            if self.take_in(PATIENCE).await.is_none() {
                return Answer {
                    status: 0,
                    head: String::from_utf8_lossy(&self.received).into_owned(),
                    body: Vec::new(),
                };
            }
        }
    }

    /// Waits for the end of the connection; whatever is still said before that.
    pub(super) async fn rest(&mut self) -> Vec<u8> {
        let begun = Instant::now();
        while self.take_in(PATIENCE).await.is_some() {
            assert!(begun.elapsed() < PATIENCE, "the connection does not end");
        }
        std::mem::take(&mut self.received)
    }

    /// Whether the connection ends within this time, or something is said on it.
    pub(super) async fn is_over_soon(&mut self, within: Duration) -> bool {
        self.take_in(within).await != Some(0)
    }
}

impl Answer {
    /// The answer at the start of `received` and its length, if it is there as a whole.
    fn first_of(received: &[u8]) -> Option<(Self, usize)> {
        let end = received.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&received[..end]).into_owned();
        let mut answer = Self {
            status: head.split(' ').nth(1)?.parse().ok()?,
            head,
            body: Vec::new(),
        };
        let length: usize = match answer.header("content-length") {
            Some(length) => length.parse().ok()?,
            None => 0,
        };
        answer.body = received.get(end..end + length)?.to_vec();
        Some((answer, end + length))
    }

    /// The value of a header field, by lower-case name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The status, and the code of the problem document if it is one.
    pub(super) fn outcome(&self) -> (u16, String) {
        let is_problem = self.header("content-type") == Some("application/problem+json");
        let code = is_problem.then(|| self.json()["error"].as_str().map(str::to_owned));
        (self.status, code.flatten().unwrap_or_default())
    }
}

/// A request with a JSON body.
pub(super) fn post(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A request without a body.
pub(super) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}
