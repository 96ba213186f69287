//! Moments for reckoning, and the one place that reads the wall clock, for showing.

use std::{
    num::NonZero,
    time::{Duration, Instant},
};

use time::{
    OffsetDateTime,
    format_description::well_known::{
        Iso8601,
        iso8601::{Config, EncodedConfig, TimePrecision},
    },
};

/// Seconds with three decimals, always: such times can be compared as texts.
const MILLISECONDS: EncodedConfig = Config::DEFAULT
    .set_time_precision(TimePrecision::Second {
        decimal_digits: NonZero::new(3),
    })
    .encode();

/// A moment of this process's life. Moments of two processes are never compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

/// Tells moments, and what wall time they had.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    started_at: OffsetDateTime,
}

impl Clock {
    /// A clock that starts now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
            started_at: std::time::SystemTime::now().into(),
        }
    }

    /// The present moment.
    pub fn now(&self) -> Moment {
        Moment(micros(self.started.elapsed()))
    }

    /// How long the clock has run.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// The moment as the runtime's timers take it.
    pub fn instant(&self, moment: Moment) -> Instant {
        self.started + Duration::from_micros(moment.0)
    }

    /// Microseconds from 1970 to the moment.
    pub fn unix_micros(&self, moment: Moment) -> u64 {
        let start = self.started_at.unix_timestamp_nanos() / 1000;
        u64::try_from(start).unwrap_or(0).saturating_add(moment.0)
    }

    /// The moment in RFC 3339, UTC, to the millisecond.
    pub fn rfc3339(&self, moment: Moment) -> String {
        let wall = self.started_at + Duration::from_micros(moment.0);
        wall.format(&Iso8601::<MILLISECONDS>)
            .expect("years are within four digits as long as TTLs are limited")
    }
}

impl Moment {
    /// The moment as a plain number, for atomics.
    pub fn as_micros(self) -> u64 {
        self.0
    }

    /// The moment behind a plain number.
    pub fn from_micros(micros: u64) -> Self {
        Self(micros)
    }
}

impl std::ops::Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
