//! What was asked of Redis and how it went, in numbers.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::error::StoreError;
use crate::metrics::{Distribution, Histogram};

/// What was asked of Redis since the start, and how it went.
#[derive(Clone, Debug)]
pub struct StoreCounters {
    /// Round trips: commands, scripts, and batches of scripts.
    pub requests: u64,
    /// Those that Redis did not answer.
    pub failed: u64,
    /// Those that Redis answered with an error.
    pub refused: u64,
    /// What was not even asked, because Redis was taken for unreachable; not among the requests.
    pub unavailable: u64,
    /// How long the requests took, the way to a connection included.
    pub durations: Distribution,
}

pub(super) struct Counters {
    requests: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
    unavailable: AtomicU64,
    durations: Histogram,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            requests: AtomicU64::default(),
            failed: AtomicU64::default(),
            refused: AtomicU64::default(),
            unavailable: AtomicU64::default(),
            durations: Histogram::of_times(),
        }
    }
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
        self.durations.observe_time(duration);
    }

    pub(super) fn read(&self) -> StoreCounters {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StoreCounters {
            requests: value(&self.requests),
            failed: value(&self.failed),
            refused: value(&self.refused),
            unavailable: value(&self.unavailable),
            durations: self.durations.read(),
        }
    }
}
