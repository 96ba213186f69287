//! One blocking keep-alive connection, for single requests and for latency.

use std::{
    io::Write,
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    Outcome,
    wire::{self, ReplyReader},
};

/// Longer than any request here may take.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// A connection that has at most one request on its way.
pub(crate) struct Client {
    stream: TcpStream,
    reader: ReplyReader,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        Ok(Self {
            stream,
            reader: ReplyReader::new(),
        })
    }

    /// Sends one request and waits for its 2xx reply.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> Outcome<&[u8]> {
        self.reader.clear();
        self.stream.write_all(request)?;
        while !self.reader.read_from(&mut self.stream)? {}
        let status = self.reader.status();
        if !(200..300).contains(&status) {
            let body = String::from_utf8_lossy(self.reader.body());
            return Err(format!("status {status}: {body}").into());
        }
        Ok(self.reader.body())
    }

    /// Time from the first byte sent to the last byte received.
    pub(crate) fn time(&mut self, request: &[u8]) -> Outcome<Duration> {
        let start = Instant::now();
        self.exchange(request)?;
        Ok(start.elapsed())
    }

    pub(crate) fn get(&mut self, path: &str) -> Outcome<Value> {
        Ok(serde_json::from_slice(
            self.exchange(&wire::request("GET", path, ""))?,
        )?)
    }

    pub(crate) fn post(&mut self, path: &str, body: &str) -> Outcome<Value> {
        Ok(serde_json::from_slice(
            self.exchange(&wire::request("POST", path, body))?,
        )?)
    }

    pub(crate) fn delete(&mut self, path: &str) -> Outcome<()> {
        self.exchange(&wire::request("DELETE", path, ""))
            .map(|_| ())
    }
}
