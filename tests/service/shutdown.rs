//! Stopping: what runs is finished, nothing new begins, and it ends in time.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::{
    Client, Instance, Reply, busy_world, eventually, steps_lasting, until_stepping,
};

const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_finishes_the_step_that_runs_and_exits_cleanly() {
    finishes_what_runs("TERM").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigint_finishes_the_step_that_runs_and_exits_cleanly() {
    finishes_what_runs("INT").await;
}

async fn finishes_what_runs(signal: &str) {
    let mut instance = Instance::spawn(&[]).await;
    let client = instance.client();
    let sim = busy_world(&client, 400, json!({})).await;
    let (steps, end) = steps_lasting(&client, &sim, Duration::from_secs(3)).await;
    let mut running = in_flight(&client, &sim, steps).await;

    instance.signal(signal);
    let refused = eventually(SOON, "nothing new is begun", async || {
        match Client::new(instance.address())
            .call("POST", "/simulations")
            .json(&json!({}))
            .try_send()
            .await
        {
            Err(_) => Ok(None),
            Ok(reply) if reply.status == 503 => Ok(Some(reply)),
            Ok(reply) => Err(reply.status),
        }
    })
    .await;
    let finished = running
        .join_next()
        .await
        .expect("one step runs")
        .expect("its client does not panic");
    let exit = instance.exit(SOON).await;

    assert_eq!(finished.expect_status(200).json()["step"], end);
    if let Some(refused) = refused {
        refused.expect_problem(503, "instance_draining");
    }
    assert!(exit.success(), "{exit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_instance_stops_at_once() {
    let mut instance = Instance::spawn(&[]).await;
    let client = instance.client();
    client.simulation(&json!({})).await;
    let asked = Instant::now();

    instance.signal("TERM");
    let exit = instance.exit(SOON).await;

    assert!(exit.success(), "{exit}");
    assert!(
        asked.elapsed() < Duration::from_secs(3),
        "{:?}",
        asked.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_grace_period_bounds_the_stop() {
    let mut instance = Instance::spawn(&[("SHUTDOWN_GRACE_MS", "500")]).await;
    let client = instance.client();
    let sim = busy_world(&client, 600, json!({})).await;
    let mut running = in_flight(&client, &sim, 10_000).await;
    let asked = Instant::now();

    instance.signal("TERM");
    let exit = instance.exit(SOON).await;
    let took = asked.elapsed();

    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(exit.code().is_some(), "it was killed: {exit}");
    if let Ok(reply) = running.join_next().await.unwrap() {
        reply.expect_problem(503, "outcome_unknown");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_says_yes_until_the_instance_drains() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();

    let ready = client.ready().await.expect_status(200).json();
    let asked = Instant::now();
    instance.drain().await;
    let after = Client::new(client.address())
        .call("GET", "/ready")
        .try_send()
        .await;

    assert_eq!(ready["ready"], true);
    assert_eq!(ready["draining"], false);
    assert_eq!(ready["components"], json!({"physics": "ok"}));
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );
    if let Ok(reply) = after {
        let body = reply.expect_status(503).json();
        assert_eq!(
            (&body["ready"], &body["draining"]),
            (&json!(false), &json!(true))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_instance_says_so_to_connections_it_still_has() {
    let mut instance = Instance::spawn(&[]).await;
    let client = instance.client();
    let sim = busy_world(&client, 400, json!({})).await;
    let (steps, _) = steps_lasting(&client, &sim, Duration::from_secs(3)).await;
    let mut running = in_flight(&client, &sim, steps).await;

    instance.signal("TERM");
    let seen = eventually(SOON, "the drain shows", async || {
        match client.call("GET", "/ready").try_send().await {
            Ok(reply) if reply.status == 200 => Err(reply.text()),
            other => Ok(other.ok()),
        }
    })
    .await;

    if let Some(reply) = seen {
        assert_eq!(reply.status, 503);
        assert_eq!(reply.json()["draining"], true);
    }
    running
        .join_next()
        .await
        .unwrap()
        .unwrap()
        .expect_status(200);
    assert!(instance.exit(SOON).await.success());
}

/// Starts a long step on a connection of its own and returns when it runs.
async fn in_flight(client: &Client, sim: &str, steps: u32) -> JoinSet<Reply> {
    let mut running = JoinSet::new();
    let call = Client::new(client.address())
        .call("POST", format!("/simulations/{sim}/step"))
        .json(&json!({"steps": steps}));
    running.spawn(call.send());
    until_stepping(client, sim).await;
    running
}
