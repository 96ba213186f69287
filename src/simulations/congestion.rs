//! Whether too much waits: where jobs have waited too long for a while, further ones are refused.

use std::time::{Duration, Instant};

/// For how long jobs have to wait too long before any is refused, and to wait for little before none
/// is any more: bursts pass, and so do pauses.
const INTERVAL: Duration = Duration::from_millis(100);
/// What part of the time that jobs may wait they are to wait for at most once too much was asked
/// for: what is on its way to be refused, and what comes in between, make it more.
const TARGET: u32 = 2;
/// What part of it is so little that it is over.
const LITTLE: u32 = 4;

/// How what one payer asks for gets through.
#[derive(Debug, Default)]
pub(super) struct Congestion {
    /// Since when every job has waited too long; or for so little, while it is congested.
    doubted_since: Option<Instant>,
    /// When more was asked of a simulation than it had done yet.
    pressed_at: Option<Instant>,
    is_congested: bool,
    last_begun: Option<Instant>,
    /// How long it takes from one job to the next, while any waits.
    pace: Duration,
}

impl Congestion {
    /// Notes that more is asked of a simulation than it has done yet. Whoever waits for each answer
    /// never does so, and however many worlds they have, what waits does not grow.
    pub(super) fn press(&mut self, now: Instant) {
        self.pressed_at = Some(now);
    }

    /// Notes a job that begins, after it has waited since `since`.
    pub(super) fn begin(&mut self, since: Instant, now: Instant, patience: Duration) {
        if let Some(last) = self.last_begun.replace(now)
            && since <= last
        {
            let taken = now - last;
            self.pace = if self.pace.is_zero() {
                taken
            } else {
                (self.pace * 7 + taken) / 8
            };
        }
        let waited = now - since;
        let is_doubted = if self.is_congested {
            waited <= patience / LITTLE
        } else {
            waited > patience
        };
        if !is_doubted {
            self.doubted_since = None;
            return;
        }
        let doubted_since = *self.doubted_since.get_or_insert(now);
        let is_pressed = self.pressed_at.is_some_and(|at| at + INTERVAL >= now);
        if doubted_since + INTERVAL <= now && (self.is_congested || is_pressed) {
            self.is_congested = !self.is_congested;
            self.doubted_since = None;
        }
    }

    /// Whether jobs have waited for too long.
    pub(super) fn is_congested(&self) -> bool {
        self.is_congested
    }

    /// Whether a job that finds so many before it, and one that is being done, will be done well in
    /// time; or nobody has waited too long so far.
    pub(super) fn admits(&self, waiting: usize, patience: Duration) -> bool {
        let count = u32::try_from(waiting).unwrap_or(u32::MAX);
        !self.is_congested
            || waiting == 0
            || self.pace.saturating_mul(count.saturating_add(2)) <= patience / TARGET
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(50);

    /// `count` jobs, each begun 10 ms after the one before it and after it has waited for `waited`.
    fn pass(congestion: &mut Congestion, from: Instant, count: u32, waited: u64) -> Instant {
        let mut now = from;
        for _ in 0..count {
            now += Duration::from_millis(10);
            let since = now.checked_sub(Duration::from_millis(waited)).unwrap();
            congestion.begin(since, now, PATIENCE);
        }
        now
    }

    #[test]
    fn a_burst_passes_and_what_lasts_is_refused_until_it_is_over() {
        let start = Instant::now() + Duration::from_secs(10);
        let mut congestion = Congestion::default();
        congestion.press(start);

        let now = pass(&mut congestion, start, 9, 60);
        assert!(congestion.admits(100, PATIENCE), "a burst");
        congestion.press(now);
        let now = pass(&mut congestion, now, 3, 60);
        assert!(!congestion.admits(100, PATIENCE), "what lasts");
        assert!(congestion.admits(0, PATIENCE), "what is done in time");
        assert!(!congestion.admits(1, PATIENCE), "and no more");
        let now = pass(&mut congestion, now, 50, 13);
        assert!(!congestion.admits(100, PATIENCE), "it is not over yet");
        let now = pass(&mut congestion, now, 9, 5);
        let now = pass(&mut congestion, now, 1, 13);
        let now = pass(&mut congestion, now, 9, 5);
        assert!(!congestion.admits(100, PATIENCE), "a pause");
        pass(&mut congestion, now, 2, 5);
        assert!(congestion.admits(100, PATIENCE), "it is over");
    }

    #[test]
    fn whoever_waits_for_each_answer_is_never_refused() {
        let start = Instant::now() + Duration::from_secs(10);
        let mut congestion = Congestion::default();

        pass(&mut congestion, start, 1000, 500);

        assert!(congestion.admits(1000, PATIENCE));
    }
}
