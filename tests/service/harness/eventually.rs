//! Waiting for something to become true; replaces every sleep.

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

const PAUSE: Duration = Duration::from_millis(15);

/// Asks `probe` until it answers `Ok`; fails with the last `Err` when the deadline passes.
pub(crate) async fn eventually<T, V: Debug>(
    deadline: Duration,
    claim: &str,
    mut probe: impl AsyncFnMut() -> Result<T, V>,
) -> T {
    let started = Instant::now();
    loop {
        let last = match probe().await {
            Ok(value) => return value,
            Err(seen) => seen,
        };
        assert!(
            started.elapsed() < deadline,
            "not within {deadline:?}: {claim}; last seen: {last:?}"
        );
        tokio::time::sleep(PAUSE).await;
    }
}

/// Asks `probe` until the value it shows satisfies `holds`, and returns that value.
pub(crate) async fn eventually_true<V: Debug>(
    deadline: Duration,
    claim: &str,
    holds: impl Fn(&V) -> bool,
    mut probe: impl AsyncFnMut() -> V,
) -> V {
    eventually(deadline, claim, async || {
        let seen = probe().await;
        if holds(&seen) { Ok(seen) } else { Err(seen) }
    })
    .await
}
