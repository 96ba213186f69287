//! Moments for reckoning, and the one place that reads the wall clock, for showing.

use std::{
    cell::Cell,
    num::NonZero,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};
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

/// A clock that goes on while the machine is suspended: a lease runs out whether its holder is
/// awake or not.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// A moment of this process's life. Moments of two processes are never compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

/// Tells moments, and what wall time they had.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    source: Source,
    started_at: OffsetDateTime,
}

/// Where the time comes from.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// From the machine, since this long after it was started.
    Machine(Duration),
    /// From the runtime, since then, which may make time stand still and jump.
    Runtime {
        started: tokio::time::Instant,
        /// What one look at a stopwatch takes.
        tick: Duration,
    },
}

/// Measures what a computation takes.
pub struct Stopwatch(Measure);

enum Measure {
    Since(Instant),
    /// So many looks, of which each takes this long.
    Looks(Cell<u32>, Duration),
}

impl Clock {
    /// A clock that starts now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    pub fn start() -> Self {
        Self {
            source: Source::Machine(since_boot()),
            started_at: std::time::SystemTime::now().into(),
        }
    }

    /// A clock that starts `lead` after 1970 and follows the timers of the runtime, where those are
    /// on a time of their own. No time passes while something is computed, so each look at a
    /// stopwatch counts as a `tick`: what is done depends on nothing but the timers.
    pub fn of_runtime(lead: Duration, tick: Duration) -> Self {
        let started = tokio::time::Instant::now();
        Self {
            source: Source::Runtime { started, tick },
            started_at: OffsetDateTime::UNIX_EPOCH + lead,
        }
    }

    /// The present moment.
    pub fn now(&self) -> Moment {
        Moment(micros(self.uptime()))
    }

    /// How long the clock has run.
    pub fn uptime(&self) -> Duration {
        match self.source {
            Source::Machine(started) => since_boot().saturating_sub(started),
            Source::Runtime { started, .. } => started.elapsed(),
        }
    }

    /// The moment as the runtime's timers take it.
    pub fn instant(&self, moment: Moment) -> tokio::time::Instant {
        tokio::time::Instant::now() + moment.since(self.now())
    }

    /// A stopwatch that starts now.
    pub fn stopwatch(&self) -> Stopwatch {
        Stopwatch(match self.source {
            Source::Machine(_) => Measure::Since(Instant::now()),
            Source::Runtime { tick, .. } => Measure::Looks(Cell::default(), tick),
        })
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

/// Microseconds from 1970 as RFC 3339, UTC, to the millisecond.
pub fn unix_micros_to_rfc3339(micros: u64) -> String {
    // What another process wrote down may be any number.
    let wall = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000);
    wall.unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .format(&Iso8601::<MILLISECONDS>)
        .unwrap_or_default()
}

impl Stopwatch {
    /// How long it has run.
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Measure::Since(started) => started.elapsed(),
            Measure::Looks(looks, tick) => {
                looks.update(|looks| looks.saturating_add(1));
                tick.saturating_mul(looks.get())
            }
        }
    }
}

impl Moment {
    /// The moment as a plain number, for atomics.
    pub fn as_micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier` it is; nothing if it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
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

/// How long the present thread has computed.
pub fn thread_time() -> Duration {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (u64::try_from(spent.tv_sec), u32::try_from(spent.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
}

fn since_boot() -> Duration {
    let now = clock_gettime(CLOCK);
    let (seconds, nanos) = (u64::try_from(now.tv_sec), u32::try_from(now.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
