//! Turns requests away before anything is done for them, while there are more than can be answered:
//! those of whoever asks the most.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::net::UnixStream;

use crate::id::Payer;

/// How often to look how late things are done, while nobody is turned away.
const LOOK: Duration = Duration::from_millis(20);
/// The same while somebody is; requests are counted for as long.
const WINDOW: Duration = Duration::from_millis(10);
/// How many looks in a row have to find things late before anybody is turned away.
const LATE_LOOKS: u32 = 5;
/// After how many windows in which nobody was turned away nobody is counted any more.
const CALM_WINDOWS: u32 = 100;
/// How many accounts are counted apart; where there are more, some share.
const ACCOUNTS: usize = 1024;
/// So many requests of one account are answered in a window: all of them.
const OPEN: u32 = u32::MAX;
/// A delay in which nothing has gone wrong; more is as much as twice what a client may be kept
/// waiting, as whoever waits for each answer may have thousands of connections.
const ENTRY: u32 = 2;
/// What part of that time things may be late while requests are turned away: whoever is, is to hear
/// of it at once.
const TARGET: u32 = 10;

/// How many requests of each account are answered.
#[derive(Debug)]
pub(super) struct Gate {
    /// How many in a window.
    quota: AtomicU32,
    /// How many there were in this one.
    counts: Box<[AtomicU32]>,
    patience: Duration,
}

/// How the quota comes about.
#[derive(Debug, Default)]
struct Pilot {
    late: u32,
    calm: u32,
    quota: Option<u32>,
}

impl Gate {
    /// A gate that is open for as long as nothing is late by much more than `patience`.
    pub(super) fn new(patience: Duration) -> Arc<Self> {
        Arc::new(Self {
            quota: AtomicU32::new(OPEN),
            counts: (0..ACCOUNTS).map(|_| AtomicU32::new(0)).collect(),
            patience,
        })
    }

    /// Whether everybody is let in.
    pub(super) fn is_open(&self) -> bool {
        self.quota.load(Ordering::Relaxed) == OPEN
    }

    /// Counts a request; whether it is let in. Those that only look are turned away last.
    pub(super) fn admits(&self, payer: Payer, only_looks: bool) -> bool {
        let quota = self.quota.load(Ordering::Relaxed);
        let account = usize::try_from(payer.as_u64() % ACCOUNTS as u64).unwrap_or(0);
        let count = self.counts[account].fetch_add(1, Ordering::Relaxed);
        let most = if only_looks {
            quota.saturating_mul(2)
        } else {
            quota
        };
        count < most
    }

    /// Sees to it that requests are answered in time, for as long as it is polled.
    pub(super) async fn watch(self: Arc<Self>) -> io::Result<()> {
        // A byte that is sent to oneself is met as late as a request would be.
        let (mut here, mut there) = UnixStream::pair()?;
        let mut pilot = Pilot::default();
        let mut delay = Duration::ZERO;
        loop {
            tokio::time::sleep(if self.is_open() { LOOK } else { WINDOW }).await;
            let sent = Instant::now();
            pass_byte(&mut here, &mut there).await?;
            delay = (delay + sent.elapsed()) / 2;
            let busiest = self.counts.iter().map(|it| it.swap(0, Ordering::Relaxed));
            let busiest = busiest.max().unwrap_or(0);
            pilot.steer(delay, self.patience, busiest);
            let quota = pilot.quota.unwrap_or(OPEN);
            self.quota.store(quota, Ordering::Relaxed);
        }
    }
}

impl Pilot {
    /// Looks again: things are late by `delay`, and somebody has sent `busiest` requests since.
    fn steer(&mut self, delay: Duration, patience: Duration, busiest: u32) {
        let Some(quota) = self.quota else {
            let is_late = delay > patience * ENTRY;
            self.late = if is_late { self.late + 1 } else { 0 };
            if self.late >= LATE_LOOKS {
                self.calm = 0;
                // Nobody has been counted so far.
                self.quota = Some(OPEN - 1);
            }
            return;
        };
        if delay > patience / TARGET {
            self.calm = 0;
            let most = quota.min(busiest);
            self.quota = Some((most - most / 8).max(1));
        } else if busiest > quota {
            self.calm = 0;
            self.quota = Some(quota.saturating_add(1 + quota / 32));
        } else {
            self.calm += 1;
            if self.calm >= CALM_WINDOWS {
                *self = Self::default();
            }
        }
    }
}

async fn pass_byte(from: &mut UnixStream, to: &mut UnixStream) -> io::Result<()> {
    from.writable().await?;
    from.try_write(&[0])?;
    loop {
        to.readable().await?;
        match to.try_read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => return read.map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(50);
    const LATE: Duration = Duration::from_millis(150);
    const FINE: Duration = Duration::from_millis(1);

    #[test]
    fn only_what_is_late_for_a_while_closes_the_gate_and_what_is_not_opens_it_again() {
        let mut pilot = Pilot::default();
        for delay in [LATE, LATE, LATE, LATE, FINE, LATE, LATE, LATE, LATE] {
            pilot.steer(delay, PATIENCE, 0);
            assert_eq!(pilot.quota, None);
        }
        pilot.steer(LATE, PATIENCE, 0);
        pilot.steer(LATE, PATIENCE, 800);
        assert_eq!(pilot.quota, Some(700), "of whoever asks the most");
        pilot.steer(FINE, PATIENCE, 800);
        assert!(pilot.quota > Some(700), "there is room for more");
        for _ in 0..CALM_WINDOWS {
            pilot.steer(FINE, PATIENCE, 100);
        }
        assert_eq!(pilot.quota, None, "nobody asks for too much");
    }

    #[test]
    fn whoever_asks_for_little_is_never_turned_away() {
        let gate = Gate::new(PATIENCE);
        gate.quota.store(3, Ordering::Relaxed);
        let (heavy, light) = (Payer::named(b"heavy"), Payer::named(b"light"));

        let admitted = (0..100).filter(|_| gate.admits(heavy, false)).count();

        assert_eq!(admitted, 3);
        assert!((0..3).all(|_| gate.admits(light, false)));
        assert!(!gate.admits(light, false));
        assert!(gate.admits(light, true), "looking goes last");
    }

    #[tokio::test]
    async fn where_nothing_is_late_the_gate_stays_open() {
        let gate = Gate::new(Duration::from_secs(60));
        let watching = gate.clone().watch();
        assert!(tokio::time::timeout(LOOK * 10, watching).await.is_err());
        assert!(gate.is_open());
    }
}
