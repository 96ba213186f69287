//! What is refused before it is begun: commands that come too late, and more than may wait.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::{
    Client, Instance, Reply, busy_world, eventually, sphere, steps_lasting, until_stepping,
};

const SOON: Duration = Duration::from_secs(90);

async fn step_within(client: &Client, sim: &str, steps: u32, seconds: &str) -> Reply {
    let call = client.call("POST", format!("/simulations/{sim}/step"));
    call.json(&json!({"steps": steps}))
        .header("request-timeout", seconds)
        .send()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_comes_after_its_deadline_is_not_applied() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(&json!({"bodies": [sphere("ball", 0.5, [0.0, 5.0, 0.0])]}))
        .await;

    let late = step_within(&client, &sim, 1, "0").await;
    assert_eq!(late.header("retry-after"), Some("1"));
    let problem = late.expect_problem(503, "overloaded");
    assert_eq!(problem.body["retryable"], true);
    let removal = client.call("DELETE", format!("/simulations/{sim}/bodies/ball"));
    let removal = removal.header("request-timeout", "0.0").send().await;
    removal.expect_problem(503, "overloaded");
    for bad in ["soon", "-1", "1e9", "NaN", ""] {
        let refused = step_within(&client, &sim, 1, bad).await;
        refused.expect_problem(400, "malformed_request");
    }

    let in_time = step_within(&client, &sim, 1, "30.5").await;
    let state = in_time.expect_status(200).json();
    assert_eq!(state["step"], 1, "only the one in time was applied");
    assert_eq!(state["bodies"][0]["id"], "ball");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_deadline_passes_while_it_waits_is_never_applied() {
    let instance = Instance::spawn(&[]).await;
    let client = instance.client();
    let sim = busy_world(&client, 200, json!({})).await;
    let (steps, end) = steps_lasting(&client, &sim, Duration::from_secs(3)).await;
    let mut long_step = JoinSet::new();
    let (asker, id) = (client.clone(), sim.clone());
    long_step.spawn(async move { asker.step(&id, steps).await });
    until_stepping(&client, &sim).await;

    let dropped = step_within(&client, &sim, 7, "0.2").await;
    assert!(long_step.try_join_next().is_none(), "the step was not long");
    let long = long_step.join_next().await.unwrap().unwrap();
    let next = step_within(&client, &sim, 1, "60").await;

    dropped.expect_problem(503, "overloaded");
    assert_eq!(long.expect_status(200).json()["step"], end);
    assert_eq!(next.expect_status(200).json()["step"], end + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_passes_once_a_command_has_begun_leaves_it_to_end() {
    let instance = Instance::spawn(&[]).await;
    let client = instance.client();
    let sim = busy_world(&client, 200, json!({})).await;
    let (steps, end) = steps_lasting(&client, &sim, Duration::from_secs(3)).await;

    let begun = step_within(&client, &sim, steps, "0.5").await;

    begun.expect_problem(503, "outcome_unknown");
    eventually(SOON, "the command comes to its end", async || {
        let step = client.describe(&sim).await.json()["step"].clone();
        if step == end { Ok(()) } else { Err(step) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_commands_of_a_client_wait_as_may_and_no_more() {
    let args = ["--compute-threads", "1", "--max-waiting-per-client", "2"];
    let instance = Instance::spawn_with(&args, &[]).await;
    let client = instance.client();
    let mut worlds = Vec::new();
    for _ in 0..12 {
        worlds.push(busy_world(&client, 200, json!({})).await);
    }
    let mut done = vec![0; worlds.len()];
    let begun = Instant::now();
    let refused = loop {
        let mut askers = JoinSet::new();
        for (place, sim) in worlds.iter().enumerate() {
            let (client, sim) = (client.clone(), sim.clone());
            askers.spawn(async move { (place, client.step(&sim, 1).await) });
        }
        let mut refused = None;
        for (place, reply) in askers.join_all().await {
            match reply.status {
                200 => done[place] += 1,
                _ => refused = Some(reply),
            }
        }
        if let Some(refused) = refused {
            break refused;
        }
        assert!(begun.elapsed() < SOON, "nobody was ever refused");
    };

    assert_eq!(refused.header("retry-after"), Some("1"));
    let problem = refused.expect_problem(429, "quota_exceeded");
    assert_eq!(problem.body["limit"], "MAX_WAITING_PER_CLIENT");
    assert_eq!(problem.body["maximum"], 2);
    for (sim, steps) in worlds.iter().zip(done) {
        let record = client.describe(sim).await.json();
        assert_eq!(record["step"], steps, "what was refused was applied");
    }
}
