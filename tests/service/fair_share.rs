//! One client that asks for far too much, and others that do not.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::{Client, Instance, busy_world, eventually};

const SOON: Duration = Duration::from_secs(90);
const FLOODER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const WORLDS: usize = 6;
const ASKERS_PER_WORLD: usize = 8;

/// A client that steps worlds without waiting for the answers before.
struct Flood {
    worlds: Vec<String>,
    stop: Arc<AtomicBool>,
    refused: Arc<AtomicU64>,
    askers: JoinSet<u64>,
}

impl Flood {
    async fn of(client: &Client) -> Self {
        let mut worlds = Vec::new();
        for _ in 0..WORLDS {
            worlds.push(busy_world(client, 300, json!({})).await);
        }
        let (stop, refused) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let mut askers = JoinSet::new();
        for sim in &worlds {
            for _ in 0..ASKERS_PER_WORLD {
                let (client, sim) = (client.clone(), sim.clone());
                let (stop, refused) = (Arc::clone(&stop), Arc::clone(&refused));
                askers.spawn(async move {
                    let mut applied = 0;
                    while !stop.load(Ordering::Relaxed) {
                        let reply = client.step(&sim, 1).await;
                        if reply.status == 200 {
                            applied += 1;
                        } else {
                            assert_eq!(reply.header("retry-after"), Some("1"));
                            let problem = reply.expect_problem(503, "overloaded");
                            assert_eq!(problem.body["retryable"], true);
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    applied
                });
            }
        }
        Self {
            worlds,
            stop,
            refused,
            askers,
        }
    }

    async fn until_refused(&self, times: u64) {
        let target = self.refused.load(Ordering::Relaxed) + times;
        eventually(SOON, "the flood is refused", async || {
            let refused = self.refused.load(Ordering::Relaxed);
            if refused >= target {
                Ok(())
            } else {
                Err(refused)
            }
        })
        .await;
    }

    /// Ends it; how many steps were said to be taken.
    async fn end(self) -> (Vec<String>, u64) {
        self.stop.store(true, Ordering::Relaxed);
        let applied = self.askers.join_all().await;
        (self.worlds, applied.iter().sum())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_too_much_is_refused_and_nobody_else_is() {
    let args = ["--compute-threads", "1", "--max-queue-delay-ms", "1"];
    let instance = Instance::spawn_with(&args, &[]).await;
    let flooder = Client::from(FLOODER, instance.address());
    let light = instance.client();
    // Too large to be stepped in place: it waits for the one thread as the others do.
    let theirs = busy_world(&light, 160, json!({})).await;
    let flood = Flood::of(&flooder).await;
    flood.until_refused(20).await;

    for step in 1..=30 {
        let reply = light.step(&theirs, 1).await.expect_status(200);
        assert_eq!(reply.json()["step"], step);
        light.state(&flood.worlds[0]).await.expect_status(200);
        light.health().await.expect_status(200);
    }
    let (worlds, applied) = flood.end().await;

    let mut steps = 0;
    for sim in worlds {
        let record = light.describe(&sim).await.json();
        steps += record["step"].as_u64().expect("a record counts steps");
    }
    assert_eq!(steps, applied, "what was refused was not applied");
    // It is over as soon as nobody asks for too much.
    flooder.step(&theirs, 1).await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_each_answer_is_never_refused_however_many_worlds_there_are() {
    let args = ["--compute-threads", "1", "--max-queue-delay-ms", "1"];
    let instance = Instance::spawn_with(&args, &[]).await;
    let client = instance.client();
    let mut askers = JoinSet::new();
    for _ in 0..12 {
        let client = client.clone();
        askers.spawn(async move {
            let sim = busy_world(&client, 200, json!({})).await;
            for step in 1..=10 {
                let reply = client.step(&sim, 1).await.expect_status(200);
                assert_eq!(reply.json()["step"], step);
            }
        });
    }
    askers.join_all().await;
}
