//! What hyper gets to read: whole heads whose framing is beyond doubt, and their bodies. It follows
//! from request to request, so no head gets by that hides behind another one.

use super::{
    chunks::Chunks,
    head::{Framing, Head, MAX_HEAD_BYTES, Refusal},
};

/// The method of the request that hyper gets in place of one that is refused.
pub(super) const REFUSED: &str = "REFUSED";
/// That request: its answer has its turn after those to the requests before it, and is the last.
const STAND_IN: &[u8] = b"REFUSED / HTTP/1.1\r\nhost: -\r\nconnection: close\r\n\r\n";
/// A head of up to this many bytes is looked at whenever some more of it has come; a longer one
/// with each line, or who sends single bytes would have it read again for each of them.
const ALWAYS_READ: usize = 1024;

/// Where a connection stands between its requests, and what is kept back of them.
#[derive(Debug)]
pub(super) struct Gate {
    expects: Expects,
    /// The first `ready` bytes may be handed on; behind them is a head that is not whole.
    kept: Vec<u8>,
    ready: usize,
    requests: u64,
    refusal: Option<Refusal>,
}

/// What the next byte belongs to.
#[derive(Debug)]
enum Expects {
    Head,
    Sized(u64),
    Chunked(Chunks),
    /// Nothing that anybody will read: the request was refused, or its body is broken.
    Nothing,
}

/// What a connection is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The next request.
    Between,
    /// The rest of a head.
    Head,
    /// More of a body.
    Body,
    /// Nothing.
    Over,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self {
            expects: Expects::Head,
            kept: Vec::new(),
            ready: 0,
            requests: 0,
            refusal: None,
        }
    }

    pub(super) fn stage(&self) -> Stage {
        match self.expects {
            Expects::Head if self.kept.len() == self.ready => Stage::Between,
            Expects::Head => Stage::Head,
            Expects::Sized(_) | Expects::Chunked(_) => Stage::Body,
            Expects::Nothing => Stage::Over,
        }
    }

    /// How many requests have begun.
    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    /// Why the last request was refused, if it was.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    /// Whether nothing is kept back.
    pub(super) fn is_open(&self) -> bool {
        self.kept.is_empty()
    }

    /// Looks at bytes that have come while nothing was kept back. How many of them may be handed on
    /// at once; the others are kept.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> usize {
        if let Expects::Nothing = self.expects {
            return 0;
        }
        let passed = self.follow(bytes);
        match self.expects {
            Expects::Nothing => self.stand_in(),
            Expects::Head | Expects::Sized(_) | Expects::Chunked(_) => {
                self.kept.extend_from_slice(&bytes[passed..]);
            }
        }
        passed
    }

    /// Takes more of a head that was kept back.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
        let length = self.kept.len();
        let is_worth_reading =
            length <= ALWAYS_READ || length >= MAX_HEAD_BYTES || bytes.contains(&b'\n');
        if !is_worth_reading {
            return;
        }
        let kept = std::mem::take(&mut self.kept);
        self.ready = self.follow(&kept);
        self.kept = kept;
        if let Expects::Nothing = self.expects {
            self.kept.truncate(self.ready);
            self.stand_in();
        }
    }

    /// Hands on as many bytes as there is room for.
    pub(super) fn hand_on(&mut self, room: usize) -> Vec<u8> {
        let count = room.min(self.ready);
        self.ready -= count;
        let handed = self.kept.drain(..count).collect();
        if self.kept.is_empty() {
            // Few connections ever need it again.
            self.kept = Vec::new();
        }
        handed
    }

    /// Refuses to read on.
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.refusal = Some(refusal);
        self.expects = Expects::Nothing;
        self.kept.truncate(self.ready);
        self.stand_in();
    }

    pub(super) fn has_ready(&self) -> bool {
        self.ready > 0
    }

    /// Whether the last request has a body that nobody can read to its end.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self.expects, Expects::Nothing) && self.refusal.is_none()
    }

    /// Puts a request that is always answered in the place of one that is refused.
    fn stand_in(&mut self) {
        if self.refusal.is_some() {
            self.kept.extend_from_slice(STAND_IN);
            self.ready = self.kept.len();
        }
    }

    /// Goes through bytes from head to body to head. How many there are before a head that is not
    /// whole, or that is refused, or what is broken of a body.
    fn follow(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            match &mut self.expects {
                Expects::Head => match Head::read(rest) {
                    Head::Partial => break,
                    Head::Refused(refusal) => {
                        self.refusal = Some(refusal);
                        self.expects = Expects::Nothing;
                        break;
                    }
                    Head::Whole { length, body } => {
                        at += length;
                        self.requests += 1;
                        self.expects = match body {
                            Framing::Sized(0) => Expects::Head,
                            Framing::Sized(size) => Expects::Sized(size),
                            Framing::Chunked => Expects::Chunked(Chunks::new()),
                        };
                    }
                },
                Expects::Sized(left) => {
                    let taken = (*left).min(rest.len() as u64);
                    at += usize::try_from(taken).unwrap_or(rest.len());
                    *left -= taken;
                    if *left == 0 {
                        self.expects = Expects::Head;
                    }
                }
                Expects::Chunked(chunks) => {
                    let Ok((passed, is_end)) = chunks.pass(rest) else {
                        self.expects = Expects::Nothing;
                        break;
                    };
                    at += passed;
                    if is_end {
                        self.expects = Expects::Head;
                    }
                }
                Expects::Nothing => break,
            }
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What hyper gets of bytes that come in these pieces.
    fn handed_on<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
        let (mut gate, mut handed) = (Gate::new(), Vec::new());
        for piece in pieces {
            if gate.is_open() {
                let passed = gate.pass(piece);
                handed.extend_from_slice(&piece[..passed]);
            } else {
                gate.keep(piece);
            }
            while gate.has_ready() {
                handed.extend(gate.hand_on(7));
            }
        }
        handed
    }

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const SIZED: &[u8] =
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16\r\n\r\nGET / HTTP/1.1\r\n";
    const CHUNKED: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
        10\r\nGET / HTTP/1.1\r\n\r\n0\r\n\r\n";
    const NO_HOST: &[u8] = b"GET / HTTP/1.1\r\nAccept: */*\r\n\r\n";

    #[test]
    fn whatever_the_pieces_requests_pass_as_they_are_until_one_is_refused() {
        let good = [GET, SIZED, CHUNKED, SIZED, GET].concat();
        let whole = [&good, NO_HOST, GET].concat();
        let expected = [&good, STAND_IN].concat();

        for size in 1..=whole.len() {
            assert!(
                handed_on(whole.chunks(size)) == expected,
                "pieces of {size}"
            );
        }
    }

    #[test]
    fn a_head_that_is_not_whole_is_kept_back() {
        for end in 1..GET.len() {
            let mut gate = Gate::new();
            assert_eq!(gate.pass(&GET[..end]), 0);
            assert_eq!(gate.stage(), Stage::Head, "{end}");
            gate.keep(&GET[end..]);
            assert_eq!((gate.stage(), gate.requests()), (Stage::Between, 1));
            assert_eq!(gate.hand_on(99), GET);
            assert!(gate.is_open());
        }
    }

    #[test]
    fn nothing_follows_a_body_whose_chunks_are_broken() {
        let mut gate = Gate::new();
        let broken = [&CHUNKED[..CHUNKED.len() - 2], b"\n", GET].concat();
        let head = gate.pass(&broken);
        assert!(broken[..head].ends_with(b"chunked\r\n\r\n"), "{head}");
        assert!(gate.is_broken() && gate.is_open());
        assert_eq!(gate.stage(), Stage::Over);
        assert_eq!(gate.pass(GET), 0);
    }
}
