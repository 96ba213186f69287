//! The stream of a connection as hyper gets it: strict about what is read, and patient with its
//! client within limits.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::{
    activity::Activity,
    gate::{Gate, Stage},
    head::Refusal,
    patience::{Pace, Patience},
};

/// How much of a head that came in pieces is read at a time.
const PIECE: usize = 4096;
/// How much is taken in after the last reply, in bytes: a client that is still writing would
/// otherwise meet a closed connection instead of the reply.
const MAX_LINGERED: usize = 4 << 20;

/// A stream with a gate and a watch.
pub(super) struct Watched {
    inner: TcpStream,
    gate: Gate,
    activity: Arc<Activity>,
    patience: Patience,
    /// When the head that is not whole began.
    head_began: u64,
    /// The body of request number [`Self::body`], as it comes in.
    inward: Pace,
    body: u64,
    /// The reply, as it goes out.
    outward: Pace,
    is_given_up: bool,
    lingered: usize,
    is_shut: bool,
}

/// What a client gets that takes too long.
enum End {
    /// Nothing: it has asked for nothing.
    Close,
    /// A reply that says so.
    Refuse,
    /// The reply of whoever waits for the body.
    Fail,
    /// No more of the reply that it does not take.
    GiveUp,
}

impl Watched {
    pub(super) fn new(inner: TcpStream, activity: Arc<Activity>, patience: Patience) -> Self {
        activity.look_again(activity.now() + patience.shortest());
        Self {
            inner,
            gate: Gate::new(),
            activity,
            patience,
            head_began: 0,
            inward: Pace::default(),
            body: 0,
            outward: Pace::default(),
            is_given_up: false,
            lingered: 0,
            is_shut: false,
        }
    }

    /// Reads once, and hands on what may be.
    fn receive(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        if !self.gate.is_open() {
            return self.receive_piece(cx);
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        let came = &buf.filled()[before..];
        let count = came.len();
        let passed = self.gate.pass(came);
        buf.set_filled(before + passed);
        if self.gate.stage() == Stage::Head {
            self.head_began = self.activity.now();
        }
        Poll::Ready(Ok(count))
    }

    /// Reads more of a head that is kept back.
    fn receive_piece(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut piece = [0; PIECE];
        let mut piece = ReadBuf::new(&mut piece);
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut piece))?;
        let had_ended = self.gate.requests();
        self.gate.keep(piece.filled());
        if self.gate.stage() == Stage::Head && self.gate.requests() > had_ended {
            self.head_began = self.activity.now();
        }
        Poll::Ready(Ok(piece.filled().len()))
    }

    /// Tells that the last request is refused, if it is so by now.
    fn tell_refusal(&self) {
        if let Some(refusal) = self.gate.refusal() {
            self.activity.refuse(refusal);
        }
    }

    /// Some bytes of a body have come.
    fn note_progress(&mut self, count: usize) {
        if self.inward.is_waiting() {
            let (activity, patience) = (&self.activity, &self.patience);
            self.inward.moved(count, patience, || activity.now());
        }
    }

    /// Nothing has come that was waited for.
    fn await_more(&mut self) {
        if self.gate.stage() == Stage::Body {
            if self.body != self.gate.requests() {
                self.body = self.gate.requests();
                self.inward = Pace::default();
            }
            let activity = &self.activity;
            self.inward.wait(|| activity.now());
        }
    }

    /// Looks at the clock if it is time to: what becomes of a client that takes too long.
    fn look(&mut self) -> Option<End> {
        if !self.activity.is_due() {
            return None;
        }
        let now = self.activity.now();
        let latest = now + self.patience.shortest();
        let Some((deadline, end)) = self.deadline() else {
            self.activity.look_again(latest);
            return None;
        };
        if deadline > now {
            self.activity.look_again(deadline.min(latest));
            return None;
        }
        self.activity.look_again(latest);
        Some(end)
    }

    /// Until when what is waited for has to come.
    fn deadline(&self) -> Option<(u64, End)> {
        let patience = &self.patience;
        if let Some(deadline) = self.outward.deadline(patience, u64::MAX) {
            return Some((deadline, End::GiveUp));
        }
        match self.gate.stage() {
            Stage::Between if self.activity.is_busy() => None,
            Stage::Between => {
                let wait = match self.gate.requests() {
                    0 => patience.head,
                    _ => patience.idle,
                };
                Some((self.activity.moved() + wait, End::Close))
            }
            Stage::Head => Some((self.head_began + patience.head, End::Refuse)),
            Stage::Body => {
                let deadline = self.inward.deadline(patience, patience.body)?;
                Some((deadline, End::Fail))
            }
            Stage::Over => None,
        }
    }

    /// What comes of a try to write: bytes that have gone out, or a wait for the client.
    fn note_written(
        &mut self,
        written: Poll<io::Result<usize>>,
        offered: usize,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(count)) => {
                self.activity.note_move();
                if count == offered {
                    self.outward = Pace::default();
                    self.activity.set_writing(false);
                } else {
                    let (activity, patience) = (&self.activity, &self.patience);
                    self.outward.moved(count, patience, || activity.now());
                }
                Poll::Ready(Ok(count))
            }
            Poll::Pending => {
                let activity = &self.activity;
                self.outward.wait(|| activity.now());
                activity.set_writing(true);
                if !self.is_given_up && !matches!(self.look(), Some(End::GiveUp)) {
                    return Poll::Pending;
                }
                Poll::Ready(Err(self.give_up()))
            }
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }

    /// Drops what the client does not take, also what the system has of it.
    fn give_up(&mut self) -> io::Error {
        self.is_given_up = true;
        drop(self.inner.set_zero_linger());
        io::Error::new(io::ErrorKind::TimedOut, "the reply is not read")
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.gate.has_ready() {
                this.tell_refusal();
                buf.put_slice(&this.gate.hand_on(buf.remaining()));
                return Poll::Ready(Ok(()));
            }
            if this.gate.is_broken() {
                return Poll::Ready(Err(not_chunked()));
            }
            let before = buf.filled().len();
            match this.receive(cx, buf) {
                Poll::Ready(received) => {
                    let count = received?;
                    this.note_progress(count);
                    if count == 0 || buf.filled().len() > before {
                        return Poll::Ready(Ok(()));
                    }
                }
                Poll::Pending => {
                    this.await_more();
                    match this.look() {
                        None => return Poll::Pending,
                        Some(End::Close) => return Poll::Ready(Ok(())),
                        Some(End::Refuse) => this.gate.refuse(Refusal::LATE),
                        Some(End::Fail) => return Poll::Ready(Err(too_slow())),
                        Some(End::GiveUp) => return Poll::Ready(Err(this.give_up())),
                    }
                }
            }
        }
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write(cx, buf);
        this.note_written(written, buf.len())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write_vectored(cx, bufs);
        this.note_written(written, bufs.iter().map(|buf| buf.len()).sum())
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    /// Ends the reply, and takes in for a while what the client goes on to write.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.is_shut {
            ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
            this.is_shut = true;
            let now = this.activity.now();
            this.activity.look_again(now + this.patience.shortest());
        }
        if matches!(this.gate.stage(), Stage::Between | Stage::Head) {
            return Poll::Ready(Ok(()));
        }
        let mut scrap = [0; PIECE];
        while this.lingered < MAX_LINGERED && !this.activity.is_due() {
            let mut scrap = ReadBuf::new(&mut scrap);
            match Pin::new(&mut this.inner).poll_read(cx, &mut scrap) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !scrap.filled().is_empty() => {
                    this.lingered += scrap.filled().len();
                }
                Poll::Ready(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

fn not_chunked() -> io::Error {
    let text = "the body is not chunked as it should be";
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the body comes too slowly")
}
