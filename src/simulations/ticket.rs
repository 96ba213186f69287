//! Settles between a task that begins a command and a client that stops waiting for it.

use std::sync::atomic::{AtomicU8, Ordering};

/// Begun or given up, whichever comes first.
#[derive(Default)]
pub(super) struct Ticket(AtomicU8);

const WAITING: u8 = 0;
const BEGUN: u8 = 1;
const ABANDONED: u8 = 2;

impl Ticket {
    /// Begins the command, unless its client has given it up.
    pub(super) fn begin(&self) -> bool {
        self.settle(BEGUN)
    }

    /// Gives the command up, unless it has begun.
    pub(super) fn abandon(&self) -> bool {
        self.settle(ABANDONED)
    }

    fn settle(&self, outcome: u8) -> bool {
        let order = Ordering::AcqRel;
        self.0
            .compare_exchange(WAITING, outcome, order, Ordering::Acquire)
            .is_ok()
    }
}
