//! Stepping: the clock, the state, and reading while a step runs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Instance, busy_world, eventually_true, sphere, without, zero_gravity};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn zero_steps_change_nothing_and_answer_the_state() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(&json!({"bodies": [sphere("ball", 0.5, [0.0, 9.0, 0.0])]}))
        .await;
    client.step(&sim, 3).await.expect_status(200);
    let before = client.state(&sim).await.json();

    let stepped = client.step(&sim, 0).await.expect_status(200).json();

    assert_eq!(stepped, before);
    assert_eq!(client.state(&sim).await.json(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_long_call_equals_many_short_ones_bit_for_bit() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let mut ends = Vec::new();

    for calls in [vec![300], vec![100, 200], vec![1; 300], vec![0, 299, 0, 1]] {
        let sim = busy_world(&client, 12, json!({})).await;
        for steps in calls {
            client.step(&sim, steps).await.expect_status(200);
        }
        let state = client.state(&sim).await.json();
        assert_eq!(state["step"], 300);
        ends.push(without(&state, &["sim_id"]).to_string());
    }

    for end in &ends[1..] {
        assert_eq!(end, &ends[0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn time_is_the_sum_over_runs_of_equal_dt() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&json!({"dt": 0.1})).await;
    let run = |count: u32, dt: f64| f64::from(count) * dt;

    for (request, time) in [
        (json!({"steps": 3}), run(3, 0.1)),
        (json!({"steps": 4, "dt": 0.1}), run(7, 0.1)),
        (
            json!({"steps": 10, "dt": 0.001}),
            run(7, 0.1) + run(10, 0.001),
        ),
        (json!({"steps": 0, "dt": 0.5}), run(7, 0.1) + run(10, 0.001)),
        (
            json!({"steps": 20, "dt": 0.001}),
            run(7, 0.1) + run(30, 0.001),
        ),
        (
            json!({"steps": 1}),
            run(7, 0.1) + run(30, 0.001) + run(1, 0.1),
        ),
    ] {
        let state = client
            .step_with(&sim, &request)
            .await
            .expect_status(200)
            .json();
        assert_eq!(state["time"], time, "{request}");
    }
    client
        .patch_simulation(&sim, &json!({"dt": 0.3}))
        .await
        .expect_status(200);
    let last = client.step(&sim, 2).await.expect_status(200).json();

    let expected = run(7, 0.1) + run(30, 0.001) + run(1, 0.1) + run(2, 0.3);
    assert_eq!(last["time"], expected);
    assert_eq!(last["step"], 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_and_dt_outside_their_range_move_nothing() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(&json!({"bodies": [sphere("ball", 0.5, [0.0, 9.0, 0.0])]}))
        .await;

    for (request, code) in [
        (json!({}), "invalid_value"),
        (json!({"steps": null}), "invalid_value"),
        (json!({"steps": "10"}), "invalid_value"),
        (json!({"steps": 1.5}), "invalid_value"),
        (json!({"steps": 10_001}), "limit_exceeded"),
        (json!({"steps": 1, "dt": 0}), "invalid_value"),
        (json!({"steps": 1, "dt": 1.0001}), "invalid_value"),
        (json!({"steps": 1, "dt": 0.000_009}), "invalid_value"),
        (json!({"steps": 1, "dt": null}), "invalid_value"),
        (json!({"steps": 1, "substeps": 4}), "unknown_field"),
    ] {
        let reply = client.step_with(&sim, &request).await;
        assert_eq!(reply.status, 422, "{request}: {}", reply.text());
        assert_eq!(reply.problem().code(), code, "{request}");
    }
    for request in [
        json!({"steps": 1, "dt": 1}),
        json!({"steps": 1, "dt": 1e-5}),
    ] {
        client.step_with(&sim, &request).await.expect_status(200);
    }

    assert_eq!(client.state(&sim).await.json()["step"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_read_during_a_step_answers_at_once_with_the_committed_world() {
    let instance = Instance::spawn(&[]).await;
    let client = instance.client();
    let sim = busy_world(&client, 300, json!({})).await;
    let committed = client.step(&sim, 1).await.expect_status(200).json();
    let mut long_step = JoinSet::new();
    let (asker, id) = (client.clone(), sim.clone());
    long_step.spawn(async move { asker.step(&id, 10_000).await });

    let mut seen = Vec::new();
    for _ in 0..10 {
        let asked = Instant::now();
        seen.push((
            client.state(&sim).await.expect_status(200).json(),
            asked.elapsed(),
        ));
        client.describe(&sim).await.expect_status(200);
        client.bodies(&sim).await.expect_status(200);
    }

    assert!(long_step.try_join_next().is_none(), "the step was not long");
    for (state, took) in seen {
        assert_eq!(state, committed);
        assert!(took < Duration::from_secs(1), "a read took {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_one_simulation_are_applied_in_turn() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&json!({"dt": 0.01})).await;
    let mut askers = JoinSet::new();

    for n in 1..=40_u32 {
        let (client, sim) = (client.clone(), sim.clone());
        askers.spawn(async move { client.step(&sim, n).await.expect_status(200) });
    }
    let replies = askers.join_all().await;

    let mut steps: Vec<_> = replies
        .iter()
        .map(|reply| {
            (
                reply.header_number("sim-seq"),
                reply.header_number("sim-step"),
            )
        })
        .collect();
    steps.sort_unstable();
    let seqs: Vec<_> = steps.iter().map(|(seq, _)| seq - steps[0].0).collect();
    assert_eq!(seqs, (0..40).collect::<Vec<_>>());
    assert!(
        steps.windows(2).all(|pair| pair[0].1 < pair[1].1),
        "{steps:?}"
    );
    let end = client.state(&sim).await.json();
    assert_eq!(end["step"], 820);
    assert_eq!(end["time"], 820.0 * 0.01);
}

#[tokio::test(flavor = "multi_thread")]
async fn small_requests_overtake_big_ones_of_other_simulations() {
    let instance = Instance::spawn(&[]).await;
    let client = instance.client();
    let mut heavies = JoinSet::new();
    for _ in 0..8 {
        let sim = busy_world(&client, 250, json!({})).await;
        let client = client.clone();
        heavies.spawn(async move { client.step(&sim, 10_000).await });
    }
    let light = busy_world(&client, 8, json!({})).await;
    let mut slowest = Duration::ZERO;

    for _ in 0..20 {
        let asked = Instant::now();
        client.step(&light, 10).await.expect_status(200);
        slowest = slowest.max(asked.elapsed());
    }

    assert!(heavies.try_join_next().is_none(), "a big step was not big");
    assert!(
        slowest < Duration::from_secs(2),
        "ten light steps took {slowest:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_committed_state_of_a_long_step_arrives() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = busy_world(&client, 20, json!({})).await;
    let mut long_step = JoinSet::new();
    let (asker, id) = (client.clone(), sim.clone());
    long_step.spawn(async move { asker.step(&id, 1000).await });

    let state = eventually_true(
        SOON,
        "the step is committed",
        |state: &Value| state["step"] == 1000,
        async || client.state(&sim).await.json(),
    )
    .await;
    let reply = long_step.join_next().await.unwrap().unwrap();

    assert_eq!(reply.expect_status(200).json(), state);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_state_is_compressed_when_the_client_asks() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = busy_world(&client, 200, json!({})).await;
    let path = format!("/simulations/{sim}/state");

    let plain = client.get(&path).await.expect_status(200);
    assert_eq!(plain.header("content-encoding"), None);
    for encoding in ["gzip", "br", "zstd"] {
        let packed = client
            .call("GET", &path)
            .header("accept-encoding", encoding)
            .send()
            .await
            .expect_status(200);
        assert_eq!(packed.header("content-encoding"), Some(encoding));
        assert!(packed.body.len() * 2 < plain.body.len(), "{encoding}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_never_null_even_where_the_engine_gives_up() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let mut runs = Vec::new();

    for _ in 0..2 {
        let sim = client.simulation(&zero_gravity()).await;
        let mut feather = sphere("feather", 0.5, [3.0, 4.0, 5.0]);
        feather["mass"] = json!(1e-6);
        client.add_body(&sim, &feather).await.expect_status(201);
        client
            .add_body(&sim, &sphere("stone", 0.5, [50.0, 0.0, 0.0]))
            .await
            .expect_status(201);
        client
            .set_force(&sim, "feather", &json!({"force": [3e38, 3e38, 0]}))
            .await
            .expect_status(204);
        let state = client.step(&sim, 5).await.expect_status(200);
        assert!(!state.text().contains("null"), "{}", state.text());
        runs.push(without(&state.json(), &["sim_id"]));
    }

    assert_eq!(runs[0]["quarantined"], json!(["feather"]));
    assert_eq!(runs[0]["bodies"][0]["position"], json!([3.0, 4.0, 5.0]));
    assert_eq!(runs[0]["bodies"][1]["position"], json!([50.0, 0.0, 0.0]));
    assert_eq!(runs[0], runs[1]);
}
