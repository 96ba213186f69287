//! A client that asks for more than can be answered, without waiting for the answers, and one that does not.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use tokio::task::JoinSet;

use super::line::{Line, post};
use crate::harness::{Client, Instance, eventually, sphere};

const SOON: Duration = Duration::from_secs(90);
const FLOODER: [u8; 4] = [127, 0, 0, 2];
const CONNECTIONS: usize = 8;
/// Requests that are sent at once on each.
const BATCH: usize = 100;

/// What a flood has come to so far.
#[derive(Default)]
struct Flood {
    is_over: AtomicBool,
    refused: AtomicU64,
}

impl Flood {
    async fn until_refused(&self, times: u64) {
        let refused = || self.refused.load(Ordering::Relaxed);
        let target = refused() + times;
        eventually(SOON, "the flood is refused", async || {
            let refused = refused();
            (refused >= target).then_some(()).ok_or(refused)
        })
        .await;
    }
}

/// Steps a world over and over; how often it was said to be done.
async fn step_on(address: SocketAddr, sim: String, flood: Arc<Flood>) -> u64 {
    let mut line = Line::open_from(FLOODER, address).await;
    let batch = post(&format!("/simulations/{sim}/step"), r#"{"steps":1}"#).repeat(BATCH);
    let mut done = 0;
    while !flood.is_over.load(Ordering::Relaxed) {
        assert!(line.say(&batch).await, "the connection stays open");
        for _ in 0..BATCH {
            let answer = line.answer().await;
            if answer.status == 200 {
                done += 1;
                continue;
            }
            assert_eq!(answer.outcome(), (503, "overloaded".to_owned()));
            assert_eq!(answer.header("retry-after"), Some("1"));
            flood.refused.fetch_add(1, Ordering::Relaxed);
        }
    }
    done
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_without_waiting_is_refused_before_anything_is_done_and_nobody_else_is() {
    let instance = Instance::spawn_with(&["--max-queue-delay-ms", "1"], &[]).await;
    let address = instance.address();
    let light = instance.client();
    let mut worlds = Vec::new();
    for _ in 0..=CONNECTIONS {
        let body = sphere("ball", 0.5, [0.0, 5.0, 0.0]);
        worlds.push(light.simulation(&json!({"bodies": [body]})).await);
    }
    let theirs = worlds.pop().expect("a world for the light client");
    let flood = Arc::<Flood>::default();
    let mut flooding = JoinSet::new();
    for sim in &worlds {
        flooding.spawn(step_on(address, sim.clone(), Arc::clone(&flood)));
    }

    for step in 1..=20 {
        flood.until_refused(20).await;
        let reply = light.step(&theirs, 1).await.expect_status(200);
        assert_eq!(reply.json()["step"], step);
        light.health().await.expect_status(200);
    }
    flood.is_over.store(true, Ordering::Relaxed);
    let done: u64 = flooding.join_all().await.iter().sum();

    let mut steps = 0;
    for sim in &worlds {
        let record = light.describe(sim).await.json();
        steps += record["step"].as_u64().expect("a record counts steps");
    }
    assert_eq!(steps, done, "what was refused was not begun");
    // It is over as soon as nobody asks for too much.
    let flooder = Client::from(FLOODER.into(), address);
    flooder.step(&worlds[0], 1).await.expect_status(200);
}
