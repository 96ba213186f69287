//! The bytes of HTTP/1.1: requests built once, replies read with as little work as their framing allows.

use std::io::{self, Read};

/// Room for the head of a reply and any small body.
const INITIAL_BUFFER: usize = 16 * 1024;

/// The bytes of one keep-alive request with a JSON body.
pub(crate) fn request(method: &str, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
    if body.is_empty() && method != "POST" {
        return format!("{head}\r\n").into_bytes();
    }
    format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// Collects one reply after another from a connection.
pub(crate) struct ReplyReader {
    bytes: Vec<u8>,
    filled: usize,
    head: Option<Head>,
}

/// What the head of a reply says.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    pub(crate) status: u16,
    body_start: usize,
    pub(crate) body_end: usize,
}

impl ReplyReader {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            filled: 0,
            head: None,
        }
    }

    /// Takes another buffer for its own, as long as nothing is in it.
    pub(crate) fn trade(&mut self, buffer: &mut Vec<u8>) {
        if self.filled == 0 {
            std::mem::swap(&mut self.bytes, buffer);
        }
    }

    /// Reads once; true when the reply is complete.
    pub(crate) fn read_from(&mut self, stream: &mut impl Read) -> io::Result<bool> {
        if self.filled == self.bytes.len() {
            let room = (self.bytes.len() * 2).max(INITIAL_BUFFER);
            self.bytes.resize(room, 0);
        }
        let count = stream.read(&mut self.bytes[self.filled..])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.filled += count;
        if self.head.is_none() {
            self.head = parse_head(&self.bytes[..self.filled])?;
        }
        let Some(head) = self.head else {
            return Ok(false);
        };
        if head.body_end > self.bytes.len() {
            self.bytes.resize(head.body_end, 0);
        }
        if self.filled > head.body_end {
            return Err(io::Error::other("more bytes than the reply announced"));
        }
        Ok(self.filled == head.body_end)
    }

    /// Status of the reply just completed.
    pub(crate) fn status(&self) -> u16 {
        self.head.map_or(0, |head| head.status)
    }

    /// Body of the reply just completed.
    pub(crate) fn body(&self) -> &[u8] {
        self.head
            .map_or(&[], |head| &self.bytes[head.body_start..head.body_end])
    }

    /// Makes ready for the next reply.
    pub(crate) fn clear(&mut self) {
        self.filled = 0;
        self.head = None;
    }
}

/// The head, once all of it is there.
pub(crate) fn parse_head(bytes: &[u8]) -> io::Result<Option<Head>> {
    let mut start = 0;
    let mut content_length = None;
    while let Some(length) = bytes[start..].iter().position(|&byte| byte == b'\n') {
        let line = &bytes[start..start + length];
        start += length + 1;
        if line == b"\r" {
            return finish_head(bytes, start, content_length).map(Some);
        }
        if matches!(line.first(), Some(b'c' | b'C')) {
            content_length = content_length.or_else(|| parse_content_length(line));
        }
    }
    Ok(None)
}

fn finish_head(bytes: &[u8], body_start: usize, content_length: Option<usize>) -> io::Result<Head> {
    let status = bytes
        .get(9..12)
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| io::Error::other("no status line"))?;
    let body_length = match content_length {
        Some(length) => length,
        None if status == 204 => 0,
        None => return Err(io::Error::other("a reply without content-length")),
    };
    Ok(Head {
        status,
        body_start,
        body_end: body_start + body_length,
    })
}

fn parse_content_length(line: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length:";
    let (name, value) = line.split_at_checked(NAME.len())?;
    if !name.eq_ignore_ascii_case(NAME) {
        return None;
    }
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}
