//! A moment's rest after refusals: requests gather meanwhile, and whoever computes is interrupted
//! once for all of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// How long it is: much less than any request may wait, and time for what costs as much as dozens
/// of refusals.
const REST: Duration = Duration::from_millis(2);

/// Whether it is time to rest. Cheap to clone.
///
/// To refuse a request takes microseconds; to take the core from who computes, and the caches with
/// it, costs as much again. While too much is asked for this happens thousands of times a second.
#[derive(Clone, Debug, Default)]
pub struct Lull(Arc<AtomicBool>);

impl Lull {
    /// Somebody is refused.
    pub(super) fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Rests, if anybody was refused since the last time: for threads that answer requests, when
    /// they have nothing left to do.
    pub fn take(&self) {
        if self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed) {
            thread::sleep(REST);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn there_is_one_rest_for_all_refusals_before_it() {
        let lull = Lull::default();
        lull.note();
        lull.note();
        let begun = Instant::now();
        lull.take();
        assert!(begun.elapsed() >= REST);
        assert!(!lull.0.load(Ordering::Relaxed));
    }
}
