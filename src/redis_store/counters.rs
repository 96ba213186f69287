//! What was asked of Redis and how it went, in numbers.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::error::StoreError;

/// What was asked of Redis since the start, and how it went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreCounters {
    /// Round trips: commands, scripts, and batches of scripts.
    pub requests: u64,
    /// Those that Redis did not answer.
    pub failed: u64,
    /// Those that Redis answered with an error.
    pub refused: u64,
    /// What was not even asked, because Redis was taken for unreachable; not among the requests.
    pub unavailable: u64,
    /// How long all the requests took together, the way to a connection included.
    pub duration: Duration,
    /// Connections in the pool.
    pub pooled: u64,
}

#[derive(Default)]
pub(super) struct Counters {
    requests: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
    unavailable: AtomicU64,
    microseconds: AtomicU64,
}

impl Counters {
    /// Counts a request, or that there was none.
    pub(super) fn count(&self, duration: Duration, error: Option<&StoreError>) {
        let increment = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        match error {
            Some(StoreError::Unavailable) => {
                increment(&self.unavailable);
                return;
            }
            Some(StoreError::Failed(_)) => increment(&self.failed),
            Some(StoreError::Refused { .. }) => increment(&self.refused),
            None => 0,
        };
        increment(&self.requests);
        let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }

    pub(super) fn read(&self, pooled: usize) -> StoreCounters {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StoreCounters {
            requests: value(&self.requests),
            failed: value(&self.failed),
            refused: value(&self.refused),
            unavailable: value(&self.unavailable),
            duration: Duration::from_micros(value(&self.microseconds)),
            pooled: pooled as u64,
        }
    }
}
