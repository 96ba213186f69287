//! What the parts of a connection know of each other: its stream, its requests and its watch.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::{head::Refusal, patience::millis};

/// What happens on a connection. Of this connection alone: no core waits for another one.
#[derive(Debug)]
pub(super) struct Activity {
    /// When the server began; all its connections count from there.
    epoch: Instant,
    /// When something was last written, or the connection was opened.
    moved: AtomicU64,
    is_busy: AtomicBool,
    /// Whether a reply waits for its client to read.
    is_writing: AtomicBool,
    /// Whether it is time to see whether the client takes too long.
    is_due: AtomicBool,
    /// When it is so next.
    looks: AtomicU64,
    /// Somebody else needs the place.
    unwanted: Notify,
    refusal: OnceLock<Refusal>,
}

impl Activity {
    pub(super) fn new(epoch: Instant) -> Self {
        let now = millis(epoch.elapsed());
        Self {
            epoch,
            moved: now.into(),
            is_busy: false.into(),
            is_writing: false.into(),
            is_due: false.into(),
            looks: 0.into(),
            unwanted: Notify::new(),
            refusal: OnceLock::new(),
        }
    }

    pub(super) fn now(&self) -> u64 {
        millis(self.epoch.elapsed())
    }

    /// When the connection was last of use.
    pub(super) fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    pub(super) fn note_move(&self) {
        self.moved.store(self.now(), Ordering::Relaxed);
    }

    /// Whether a request is being answered.
    pub(super) fn is_busy(&self) -> bool {
        self.is_busy.load(Ordering::Relaxed)
    }

    /// Whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_busy() && !self.is_writing.load(Ordering::Relaxed)
    }

    pub(super) fn set_writing(&self, is_writing: bool) {
        self.is_writing.store(is_writing, Ordering::Relaxed);
    }

    pub(super) fn set_busy(&self, is_busy: bool) {
        self.is_busy.store(is_busy, Ordering::Relaxed);
    }

    /// Has the stream look at the clock when it is asked next.
    pub(super) fn make_due(&self) {
        self.is_due.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_due(&self) -> bool {
        self.is_due.load(Ordering::Relaxed)
    }

    /// The stream has looked at the clock, and wants to do so again.
    pub(super) fn look_again(&self, at: u64) {
        self.is_due.store(false, Ordering::Relaxed);
        self.looks.store(at, Ordering::Relaxed);
    }

    /// Completes when the stream wants to look at the clock; after `otherwise` where it has not
    /// looked when it was to.
    pub(super) async fn due(&self, otherwise: u64) {
        let at = if self.is_due() {
            self.now() + otherwise
        } else {
            self.looks.load(Ordering::Relaxed)
        };
        tokio::time::sleep_until(self.epoch + Duration::from_millis(at)).await;
    }

    /// Asks the connection to end as soon as no request is under way on it.
    pub(super) fn send_away(&self) {
        self.unwanted.notify_one();
    }

    pub(super) async fn sent_away(&self) {
        self.unwanted.notified().await;
    }

    /// Why the last request is refused, if it is.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.refusal.get().copied()
    }

    pub(super) fn refuse(&self, refusal: Refusal) {
        // It is the last one, so there is no other.
        let _ = self.refusal.set(refusal);
    }
}
