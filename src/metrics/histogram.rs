//! Histograms that are counted without a lock.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// The most buckets a histogram has, the one without a bound included.
const MAX_BUCKETS: usize = 20;

/// What values are sorted by, and how they are shown.
#[derive(Debug)]
pub(super) struct Scale {
    /// The upper bounds of all buckets but the last, which has none.
    bounds: &'static [u64],
    /// How many make one of the unit that is shown.
    per_unit: f64,
}

/// Nanoseconds, shown as seconds.
pub(super) const TIMES: Scale = Scale {
    bounds: &[
        25_000,
        50_000,
        100_000,
        250_000,
        500_000,
        1_000_000,
        2_500_000,
        5_000_000,
        10_000_000,
        25_000_000,
        50_000_000,
        100_000_000,
        250_000_000,
        500_000_000,
        1_000_000_000,
        2_500_000_000,
        5_000_000_000,
        10_000_000_000,
        25_000_000_000,
    ],
    per_unit: 1e9,
};

/// How many there are of something.
pub(super) const SIZES: Scale = Scale {
    bounds: &[1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000],
    per_unit: 1.0,
};

/// How often values were in which range.
#[derive(Debug)]
pub struct Histogram {
    scale: &'static Scale,
    cells: Cells,
}

impl Histogram {
    /// A histogram of times.
    pub fn of_times() -> Self {
        Self {
            scale: &TIMES,
            cells: Cells::new(),
        }
    }

    /// A histogram of counts.
    pub fn of_sizes() -> Self {
        Self {
            scale: &SIZES,
            cells: Cells::new(),
        }
    }

    /// Counts a time.
    pub fn observe_time(&self, time: Duration) {
        self.cells.observe_time(time);
    }

    /// Counts a count.
    pub fn observe_size(&self, size: usize) {
        self.cells.observe(&SIZES, size as u64);
    }

    /// What was counted so far.
    pub fn read(&self) -> Distribution {
        Distribution::of(self.scale, [&self.cells])
    }
}

/// What a histogram counts in.
#[derive(Debug)]
pub(super) struct Cells {
    buckets: [AtomicU64; MAX_BUCKETS],
    sum: AtomicU64,
}

impl Cells {
    pub(super) const fn new() -> Self {
        Self {
            buckets: [const { AtomicU64::new(0) }; MAX_BUCKETS],
            sum: AtomicU64::new(0),
        }
    }

    pub(super) fn observe_time(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.observe(&TIMES, nanos);
    }

    fn observe(&self, scale: &Scale, value: u64) {
        // Most are small: the first bounds decide.
        let fits = scale.bounds.iter().position(|bound| value <= *bound);
        let bucket = fits.unwrap_or(scale.bounds.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }
}

/// How values are spread.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// The upper bound of each bucket and how many values are in it; the last has none.
    pub(super) buckets: Vec<(f64, u64)>,
    /// All values together.
    pub(super) sum: f64,
}

impl Distribution {
    #[expect(
        clippy::cast_precision_loss,
        reason = "what is shown need not be exact to the nanosecond"
    )]
    pub(super) fn of<'a>(scale: &Scale, all: impl IntoIterator<Item = &'a Cells>) -> Self {
        let mut counts = [0; MAX_BUCKETS];
        let mut sum = 0;
        for cells in all {
            for (count, cell) in counts.iter_mut().zip(&cells.buckets) {
                *count += cell.load(Ordering::Relaxed);
            }
            sum += cells.sum.load(Ordering::Relaxed);
        }
        let bounds = scale.bounds.iter().map(|bound| *bound as f64);
        let bounds = bounds
            .map(|bound| bound / scale.per_unit)
            .chain([f64::INFINITY]);
        Self {
            buckets: bounds.zip(counts).collect(),
            sum: sum as f64 / scale.per_unit,
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scale_fits_and_rises() {
        for scale in [TIMES, SIZES] {
            assert!(scale.bounds.len() < MAX_BUCKETS);
            assert!(scale.bounds.is_sorted());
        }
    }

    #[test]
    fn a_value_is_counted_in_the_first_bucket_that_holds_it() {
        let sizes = Histogram::of_sizes();
        for size in [0, 1, 2, 3, 1_000_000] {
            sizes.observe_size(size);
        }

        let read = sizes.read();
        let held: Vec<u64> = read.buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!(held, [2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!((read.count(), read.sum), (5, 1_000_006.0));
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "the sum is of few and round numbers")]
    fn times_are_shown_in_seconds() {
        let times = Histogram::of_times();
        times.observe_time(Duration::from_micros(25));
        times.observe_time(Duration::from_secs(100));

        let read = times.read();
        assert_eq!(read.buckets[0], (0.000_025, 1));
        assert_eq!(read.buckets[19], (f64::INFINITY, 1));
        assert_eq!(read.sum, 100.000_025);
    }
}
