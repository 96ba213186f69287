//! Forgets what dead owners left behind.

use std::{sync::Arc, time::Duration};

use super::Fleet;
use crate::id::Nonce;

/// How many leftovers are forgotten at a time.
const BATCH: usize = 500;

/// Sweeps now and then, for as long as it is polled.
pub(super) async fn sweep(fleet: Arc<Fleet>) {
    loop {
        let promises = fleet.registry.promises().await;
        *fleet.promises.lock().expect("no holder panics") = promises;
        let pause = match fleet.registry.sweep(BATCH).await {
            Ok(swept) => {
                fleet.metrics.orphans_swept.inc_by(swept as u64);
                if swept == BATCH {
                    continue;
                }
                fleet.settings.sweep
            }
            Err(_) => super::RETRY,
        };
        tokio::time::sleep(jittered(pause)).await;
    }
}

/// Half as long to one and a half times as long, so that instances take turns.
fn jittered(pause: Duration) -> Duration {
    let nonce = Nonce::random();
    let share = nonce
        .as_str()
        .chars()
        .last()
        .and_then(|digit| digit.to_digit(16));
    pause / 2 + pause * share.unwrap_or_default() / 16
}
