//! Turns requests away before anything is done for them, while there are more than can be answered:
//! those of whoever asks the most.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
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
/// How many times what commands may wait everything has to be late before anybody is turned away:
/// whoever waits for each answer may do so on thousands of connections.
const ENTRY: u32 = 2;
/// What part of that time things may be late where requests come without waiting for answers, or
/// are turned away: whoever is, is to hear of it at once.
const TARGET: u32 = 10;
/// A request that comes this soon after the answer before it was there already.
const AT_ONCE: Duration = Duration::from_micros(20);
/// Nobody is turned away who asks less often than this many times a second: what is late then is so
/// for another reason.
const LEAST: u128 = 1000;

/// How many requests of each account are answered.
#[derive(Debug)]
pub(super) struct Gate {
    /// How many in a window.
    quota: AtomicU32,
    /// How many there were in this one.
    counts: Box<[AtomicU32]>,
    /// Whether any came without waiting for the answer before it.
    is_pressed: AtomicBool,
    patience: Duration,
}

/// When a connection was answered last; a copy is for another connection.
#[derive(Debug)]
pub(super) struct LastAnswer {
    opened: Instant,
    /// ns since then.
    answered: AtomicU64,
}

/// What was found since the last look.
#[derive(Clone, Copy, Debug)]
struct Look {
    /// How late things are.
    delay: Duration,
    /// Whether requests came without waiting for answers.
    is_pressed: bool,
    /// How many requests whoever sent the most has sent.
    busiest: u32,
    /// How long it has been.
    window: Duration,
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
            is_pressed: AtomicBool::new(false),
            patience,
        })
    }

    /// Notes a request that came without waiting for the answer before it.
    pub(super) fn press(&self) {
        // Cores that write in one place wait for each other.
        if !self.is_pressed.load(Ordering::Relaxed) {
            self.is_pressed.store(true, Ordering::Relaxed);
        }
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
        let (mut delay, mut looked) = (Duration::ZERO, Instant::now());
        loop {
            tokio::time::sleep(if self.is_open() { LOOK } else { WINDOW }).await;
            let sent = Instant::now();
            pass_byte(&mut here, &mut there).await?;
            let now = Instant::now();
            delay = (delay + (now - sent)) / 2;
            // While everybody is let in, nobody is counted.
            let counted: &[AtomicU32] = if self.is_open() { &[] } else { &self.counts };
            let counts = counted.iter().map(|it| it.swap(0, Ordering::Relaxed));
            let look = Look {
                delay,
                is_pressed: self.is_pressed.swap(false, Ordering::Relaxed),
                busiest: counts.max().unwrap_or(0),
                window: now - std::mem::replace(&mut looked, now),
            };
            pilot.steer(look, self.patience);
            let quota = pilot.quota.unwrap_or(OPEN);
            self.quota.store(quota, Ordering::Relaxed);
        }
    }
}

impl Pilot {
    /// Lets more in, or less, after what was found.
    fn steer(&mut self, look: Look, patience: Duration) {
        let Look { delay, busiest, .. } = look;
        let Some(quota) = self.quota else {
            let is_late = delay > patience * ENTRY || look.is_pressed && delay > patience / TARGET;
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
            let least = look.window.as_millis() * LEAST / 1000;
            let least = u32::try_from(least).unwrap_or(u32::MAX).max(1);
            self.quota = Some((most - most / 8).max(least));
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

impl LastAnswer {
    pub(super) fn none() -> Self {
        Self {
            opened: Instant::now(),
            answered: AtomicU64::new(0),
        }
    }

    /// Whether a request that begins at `now` was there before the last one was answered.
    pub(super) fn was_awaited(&self, now: Instant) -> bool {
        let answered = Duration::from_nanos(self.answered.load(Ordering::Relaxed));
        now.saturating_duration_since(self.opened) > answered + AT_ONCE
    }

    /// Notes an answer.
    pub(super) fn note(&self, now: Instant) {
        let since = now.saturating_duration_since(self.opened).as_nanos();
        let since = u64::try_from(since).unwrap_or(u64::MAX);
        self.answered.store(since, Ordering::Relaxed);
    }
}

impl Clone for LastAnswer {
    fn clone(&self) -> Self {
        Self::none()
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

    fn look(delay: Duration, busiest: u32) -> Look {
        Look {
            delay,
            is_pressed: false,
            busiest,
            window: WINDOW,
        }
    }

    #[test]
    fn only_what_is_late_for_a_while_closes_the_gate_and_what_is_not_opens_it_again() {
        let mut pilot = Pilot::default();
        for delay in [LATE, LATE, LATE, LATE, FINE, LATE, LATE, LATE, LATE] {
            pilot.steer(look(delay, 0), PATIENCE);
            assert_eq!(pilot.quota, None);
        }
        pilot.steer(look(LATE, 0), PATIENCE);
        pilot.steer(look(LATE, 800), PATIENCE);
        assert_eq!(pilot.quota, Some(700), "of whoever asks the most");
        pilot.steer(look(FINE, 800), PATIENCE);
        assert!(pilot.quota > Some(700), "there is room for more");
        for _ in 0..CALM_WINDOWS {
            pilot.steer(look(FINE, 100), PATIENCE);
        }
        assert_eq!(pilot.quota, None, "nobody asks for too much");
    }

    #[test]
    fn a_little_is_answered_however_late_everything_is() {
        let mut pilot = Pilot::default();
        for _ in 0..1000 {
            pilot.steer(look(LATE, 800), PATIENCE);
        }
        assert_eq!(pilot.quota, Some(10), "a thousand a second");
        let slow = Look {
            window: Duration::from_secs(1),
            ..look(LATE, 800)
        };
        pilot.steer(slow, PATIENCE);
        assert_eq!(pilot.quota, Some(1000));
    }

    #[test]
    fn less_has_to_be_late_where_nobody_waits_for_answers() {
        let late = Duration::from_millis(8);
        let pressed = Look {
            is_pressed: true,
            ..look(late, 0)
        };
        let (mut waiting, mut pressing) = (Pilot::default(), Pilot::default());
        for _ in 0..LATE_LOOKS {
            waiting.steer(look(late, 0), PATIENCE);
            pressing.steer(pressed, PATIENCE);
        }
        assert_eq!(waiting.quota, None);
        assert!(pressing.quota.is_some());
    }

    #[test]
    fn a_request_that_was_there_before_the_answer_is_told_from_one_that_came_after() {
        let last = LastAnswer::none();
        let answered = last.opened + Duration::from_millis(3);
        last.note(answered);
        assert!(!last.was_awaited(answered + AT_ONCE / 2));
        assert!(last.was_awaited(answered + AT_ONCE * 2));
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
