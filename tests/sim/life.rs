//! Whether a process runs, hangs, or is no more.

use std::{future::pending, sync::Mutex};

use tokio::sync::Notify;

/// The life of one process.
pub(crate) struct Life {
    /// Where it lives.
    pub(crate) host: usize,
    state: Mutex<State>,
    /// Tells those who wait in the order they came, which a watch channel does not.
    changed: Notify,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Runs,
    /// Everything it would say or do waits.
    Hangs,
    Dead,
}

impl Life {
    pub(crate) fn new(host: usize) -> Self {
        Self {
            host,
            state: Mutex::new(State::Runs),
            changed: Notify::new(),
        }
    }

    pub(crate) fn state(&self) -> State {
        *self.state.lock().expect("one thread")
    }

    /// The dead stay so.
    pub(crate) fn set(&self, next: State) {
        if self.state() != State::Dead {
            *self.state.lock().expect("one thread") = next;
            self.changed.notify_waiters();
        }
    }

    /// Completes while the process runs: never, once it is dead.
    pub(crate) async fn goes_on(&self) {
        while self.state() != State::Runs {
            if self.state() == State::Dead {
                pending::<()>().await;
            }
            self.changed.notified().await;
        }
    }

    /// Completes when the process has ended.
    pub(crate) async fn ended(&self) {
        while self.state() != State::Dead {
            self.changed.notified().await;
        }
    }
}
