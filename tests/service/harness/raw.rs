//! Bytes on a socket, for what a well-behaved HTTP client refuses to send.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(10);

/// A response taken apart by hand.
#[derive(Debug)]
pub(crate) struct RawReply {
    /// The number in the status line; 0 when the server closed without one.
    pub(crate) status: u16,
    /// Status line and header fields.
    pub(crate) head: String,
    /// Everything after the head.
    pub(crate) body: Vec<u8>,
}

impl RawReply {
    /// The value of a header field, by lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The code of the problem document, or the reason why there is none.
    pub(crate) fn code(&self) -> String {
        if self.header("content-type") != Some("application/problem+json") {
            return format!("no problem document: {:?}", self.head);
        }
        serde_json::from_slice::<Value>(&self.body)
            .ok()
            .and_then(|body| body["error"].as_str().map(str::to_owned))
            .unwrap_or_else(|| format!("no error member: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// Writes `bytes`, closes the writing half when `finish` says so, and reads until the server closes.
///
/// The request should carry `Connection: close`; a server that keeps the line open is waited for.
pub(crate) async fn raw(address: SocketAddr, bytes: impl Into<Vec<u8>>) -> RawReply {
    let bytes = bytes.into();
    tokio::task::spawn_blocking(move || exchange(address, &bytes))
        .await
        .expect("the blocking exchange does not panic")
}

fn exchange(address: SocketAddr, bytes: &[u8]) -> RawReply {
    let mut stream = TcpStream::connect(address).expect("the server accepts connections");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a non-zero timeout is accepted");
    stream
        .set_write_timeout(Some(PATIENCE))
        .expect("a non-zero timeout is accepted");
    let mut received = Vec::new();
    // A server may refuse and close before it has read everything: what it said still counts.
    let _written = stream.write_all(bytes);
    let mut chunk = [0_u8; 8192];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => received.extend_from_slice(&chunk[..n]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
        if complete(&received) {
            break;
        }
    }
    let _closed = stream.shutdown(Shutdown::Both);
    parse(&received)
}

fn complete(received: &[u8]) -> bool {
    let reply = parse(received);
    reply
        .header("content-length")
        .and_then(|length| length.parse::<usize>().ok())
        .is_some_and(|length| reply.body.len() >= length)
}

fn parse(received: &[u8]) -> RawReply {
    let end = received
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map_or(received.len(), |at| at + 4);
    let head = String::from_utf8_lossy(&received[..end]).into_owned();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or(0);
    RawReply {
        status,
        head,
        body: received[end..].to_vec(),
    }
}
