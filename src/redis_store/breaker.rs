//! Whether Redis is asked at all: while it does not answer, nobody waits for it.

use std::sync::atomic::{AtomicU32, Ordering};

/// After how many failures in a row Redis is taken for unreachable.
const LIMIT: u32 = 3;

/// Opens after failures in a row, and is closed from outside only.
#[derive(Default)]
pub(super) struct Breaker {
    failures: AtomicU32,
    /// How often it has been closed again.
    era: AtomicU32,
}

/// The leave to ask Redis. A failure counts only in the era that it began in: calls that hung
/// through an outage say nothing about the time after it.
#[derive(Clone, Copy)]
pub(super) struct Pass {
    era: u32,
}

impl Breaker {
    pub(super) fn is_open(&self) -> bool {
        self.failures.load(Ordering::Acquire) >= LIMIT
    }

    pub(super) fn admit(&self) -> Option<Pass> {
        let era = self.era.load(Ordering::Acquire);
        (!self.is_open()).then_some(Pass { era })
    }

    /// Redis has answered. If it is open by now, it stays so: the answer may be an old one.
    pub(super) fn succeed(&self) {
        let reset = |failures| (0 < failures && failures < LIMIT).then_some(0);
        let failures = &self.failures;
        // An error only says that there was nothing to reset.
        let _ = failures.fetch_update(Ordering::AcqRel, Ordering::Acquire, reset);
    }

    /// Redis has not answered. Whether this opens it.
    pub(super) fn fail(&self, pass: Pass) -> bool {
        pass.era == self.era.load(Ordering::Acquire)
            && self.failures.fetch_add(1, Ordering::AcqRel) + 1 == LIMIT
    }

    /// Opens at once. Whether this changes anything.
    pub(super) fn open(&self) -> bool {
        self.failures.fetch_max(LIMIT, Ordering::AcqRel) < LIMIT
    }

    /// Closes. Whether this changes anything.
    pub(super) fn close(&self) -> bool {
        if !self.is_open() {
            self.succeed();
            return false;
        }
        self.era.fetch_add(1, Ordering::AcqRel);
        self.failures.swap(0, Ordering::AcqRel) >= LIMIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_in_a_row_open_it() {
        let breaker = Breaker::default();
        let pass = breaker.admit().unwrap();
        assert!(!breaker.fail(pass));
        assert!(!breaker.fail(pass));
        breaker.succeed();
        assert!(!breaker.fail(pass));
        assert!(!breaker.fail(pass));
        assert!(!breaker.is_open());

        assert!(breaker.fail(pass), "the third says that it opens");
        assert!(breaker.is_open() && breaker.admit().is_none());
        assert!(!breaker.fail(pass), "the fourth does not");
    }

    #[test]
    fn only_closing_closes_it() {
        let breaker = Breaker::default();
        assert!(breaker.open());
        assert!(!breaker.open());
        breaker.succeed();
        assert!(breaker.is_open());

        assert!(breaker.close());
        assert!(!breaker.close());
        assert!(breaker.admit().is_some());
    }

    #[test]
    fn failures_of_an_outage_that_is_over_do_not_count() {
        let breaker = Breaker::default();
        let old = breaker.admit().unwrap();
        breaker.open();
        breaker.close();
        for _ in 0..LIMIT {
            assert!(!breaker.fail(old));
        }
        assert!(!breaker.is_open());

        let new = breaker.admit().unwrap();
        for _ in 0..LIMIT {
            breaker.fail(new);
        }
        assert!(breaker.is_open());
    }

    #[test]
    fn closing_what_is_closed_forgets_failures_and_keeps_the_era() {
        let breaker = Breaker::default();
        let pass = breaker.admit().unwrap();
        breaker.fail(pass);
        breaker.fail(pass);
        breaker.close();
        assert!(!breaker.fail(pass));
        assert!(!breaker.fail(pass));
        assert!(breaker.fail(pass));
    }
}
