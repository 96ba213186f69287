//! Medians, percentiles and rates.

use std::time::Duration;

/// Middle and extremes of the rounds.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let sorted = sorted(values);
        let median = percentile(&sorted, 50);
        Self {
            median,
            min: percentile(&sorted, 0),
            max: percentile(&sorted, 100),
        }
    }
}

/// Ascending copy.
pub(crate) fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The value at or below which that share of the sorted values lies; the lower middle for a median of an even number.
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted
        .get((last * percent).div_ceil(100).min(last))
        .copied()
        .unwrap_or(f64::NAN)
}

/// Counts per second.
pub(crate) fn per_second(count: u64, elapsed: Duration) -> f64 {
    real(count) / elapsed.as_secs_f64()
}

/// A count as a real number.
#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^53")]
pub(crate) fn real(count: u64) -> f64 {
    count as f64
}

/// Milliseconds as a real number.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
