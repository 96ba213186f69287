//! One run from its beginning to the verdict.

use std::{sync::Arc, time::Duration};

use rapier_physics_service::shutdown::spawn;
use tokio::{runtime, sync::oneshot};

use crate::{
    client::Client,
    nemesis,
    universe::{HOSTS, Universe},
    verdict,
};

/// What came of a run.
pub(crate) struct Outcome {
    /// A hash of everything that happened, and how much that is.
    pub(crate) digest: (u64, u64),
    pub(crate) violations: Vec<String>,
    /// What happened, if it was to be kept.
    pub(crate) lines: Vec<String>,
    /// How long it lasted in there.
    pub(crate) lasted: Duration,
}

/// Runs a seed; keeps what happened if that is to be read.
pub(crate) fn run(seed: u64, is_kept: bool) -> Outcome {
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without a network can be made");
    let outcome = runtime.block_on(live(seed, is_kept));
    runtime.shutdown_background();
    outcome
}

async fn live(seed: u64, is_kept: bool) -> Outcome {
    let universe = Universe::new(seed, is_kept);
    let (until, clients, plan) = {
        let mut dice = universe.dice();
        let until = dice.millis(15_000..45_000);
        (until, 2 + dice.index(3), nemesis::plan(&mut dice, until))
    };
    for host in 0..HOSTS {
        nemesis::start(&universe, host).await;
    }
    nemesis::unleash(&universe, &plan);
    let mut running = Vec::new();
    for number in 0..clients {
        let (sender, ended) = oneshot::channel();
        let client = Client::new(&universe, number);
        spawn(async move {
            client.run(until).await;
            let _ = sender.send(());
        });
        running.push(ended);
    }
    tokio::time::sleep(until.saturating_sub(universe.elapsed())).await;
    nemesis::heal(&universe).await;
    for client in running {
        if client.await.is_err() {
            universe.accuse("a client has panicked".to_owned());
        }
    }
    verdict::reach(&universe).await;
    let (digest, lasted) = (universe.digest(), universe.elapsed());
    let (lines, violations) = universe.testimony();
    for host in 0..HOSTS {
        if let Some(process) = universe.host(host) {
            process.kill();
        }
        universe.set_host(host, None);
    }
    debug_assert!(
        Arc::strong_count(&universe) > 0,
        "it is dropped with the runtime"
    );
    Outcome {
        digest,
        violations,
        lines,
        lasted,
    }
}
