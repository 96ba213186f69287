//! How long clients may take.

use std::time::Duration;

use crate::config::Config;

/// How many bytes a second have to move while a client is waited for.
const MIN_RATE: u64 = 1024;
/// How long a connection of another instance may be idle, at least: longer than that keeps it.
const INSTANCES_IDLE: u64 = 30_000;

/// How long clients may take, in milliseconds each.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Patience {
    /// For the first byte of a connection, and for a head from its first byte on.
    pub(super) head: u64,
    /// Between a reply and the next request.
    pub(super) idle: u64,
    /// For a body.
    pub(super) body: u64,
    /// Until so much of a body or a reply has moved as moves at the lowest rate.
    pub(super) stall: u64,
}

/// How long a client was waited for in the middle of a body or a reply, and what for.
#[derive(Debug, Default)]
pub(super) struct Pace {
    waits_since: Option<u64>,
    /// Since as much had moved as has to.
    waited: u64,
    moved: u64,
    waited_in_all: u64,
}

impl Patience {
    pub(in crate::http) fn new(config: &Config) -> Self {
        Self {
            head: config.head_timeout_ms,
            idle: config.idle_timeout_ms,
            body: config.body_timeout_ms,
            stall: config.stall_timeout_ms,
        }
    }

    /// The same for other instances, which keep connections for a while.
    pub(in crate::http) fn with_instances(self) -> Self {
        let idle = self.idle.max(INSTANCES_IDLE);
        Self { idle, ..self }
    }

    /// A time in which none of them runs out that has not begun yet.
    pub(super) fn shortest(&self) -> u64 {
        self.head.min(self.idle).min(self.body).min(self.stall)
    }

    /// How many bytes have to move within [`Self::stall`].
    fn least(&self) -> u64 {
        (MIN_RATE * self.stall / 1000).max(1)
    }
}

impl Pace {
    /// The client is waited for.
    pub(super) fn wait(&mut self, now: impl FnOnce() -> u64) {
        self.waits_since.get_or_insert_with(now);
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.waits_since.is_some()
    }

    /// Some bytes have moved. Only the time counts in which they were waited for.
    pub(super) fn moved(&mut self, bytes: usize, patience: &Patience, now: impl FnOnce() -> u64) {
        if let Some(since) = self.waits_since.take() {
            let waited = now().saturating_sub(since);
            self.waited += waited;
            self.waited_in_all += waited;
        }
        self.moved += bytes as u64;
        if self.moved >= patience.least() {
            (self.moved, self.waited) = (0, 0);
        }
    }

    /// When this has taken too long, while it is waited for: because of its rate, or of `limit`,
    /// how long it may take in all.
    pub(super) fn deadline(&self, patience: &Patience, limit: u64) -> Option<u64> {
        let since = self.waits_since?;
        let left = patience.stall.saturating_sub(self.waited);
        Some(since + left.min(limit.saturating_sub(self.waited_in_all)))
    }
}

/// A moment as the connections of a server tell it: milliseconds since it began.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        head: 10_000,
        idle: 30_000,
        body: 30_000,
        stall: 15_000,
    };

    #[test]
    fn a_drip_runs_out_of_time_and_a_thin_stream_does_not() {
        let dripped = |bytes: usize| {
            let mut pace = Pace::default();
            let mut now = 0;
            loop {
                pace.wait(|| now);
                let deadline = pace.deadline(&PATIENCE, u64::MAX).unwrap();
                now += 1000;
                if deadline <= now || now > 600_000 {
                    return deadline;
                }
                pace.moved(bytes, &PATIENCE, || now);
            }
        };
        assert_eq!(dripped(1), 15_000);
        assert_eq!(dripped(1000), 15_000);
        assert!(dripped(1200) > 600_000);
    }

    #[test]
    fn time_in_which_nobody_waits_for_the_client_does_not_count() {
        let mut pace = Pace::default();
        pace.wait(|| 0);
        pace.moved(1, &PATIENCE, || 5_000);
        assert_eq!(pace.deadline(&PATIENCE, u64::MAX), None);
        pace.wait(|| 100_000);
        assert_eq!(pace.deadline(&PATIENCE, u64::MAX), Some(110_000));
        assert_eq!(pace.deadline(&PATIENCE, 7_000), Some(102_000));
    }
}
