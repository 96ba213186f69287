//! Idempotency keys: a repeated command is answered again and applied once.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{
    Client, Instance, Reply, busy_world, sphere, steps_lasting, until_stepping, zero_gravity,
};

/// Sends a POST with a key.
async fn keyed(client: &Client, path: &str, body: &Value, key: &str) -> Reply {
    client
        .call("POST", path)
        .json(body)
        .header("idempotency-key", key)
        .send()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_changing_post_repeats_its_first_reply_byte_for_byte() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(&json!({"gravity": [0, 0, 0], "dt": 0.01, "bodies": [
            sphere("a", 0.5, [0.0; 3]), sphere("b", 0.5, [3.0, 0.0, 0.0])]}))
        .await;
    let at = |rest: &str| format!("/simulations/{sim}/{rest}");
    let joint = json!({"id": "j", "joint_type": "spherical", "body_a": "a", "body_b": "b",
                       "anchor_a": [3, 0, 0]});
    let arm = json!({"format": "mjcf", "position": [0, 9, 0], "content":
        "<mujoco><worldbody><geom type='sphere' size='0.1'/><body name='arm'><joint/>\
         <geom type='box' size='1 1 1'/></body></worldbody></mujoco>"});

    for (n, (path, body, status)) in [
        (at("step"), json!({"steps": 3}), 200),
        (at("bodies"), sphere("c", 0.5, [9.0, 0.0, 0.0]), 201),
        (
            at("bodies"),
            json!([sphere("d", 0.5, [20.0, 0.0, 0.0])]),
            201,
        ),
        (at("joints"), joint, 201),
        (at("bodies/a/impulse"), json!({"impulse": [1, 0, 0]}), 204),
        (at("bodies/a/trajectory"), json!({"steps": 2}), 200),
        (
            at("controllers"),
            json!({"id": "hold", "type": "pid", "body_id": "a"}),
            201,
        ),
        (at("imports"), arm, 201),
        (
            at("inverse_kinematics"),
            json!({"body_id": "arm", "position": [0, 1, 0]}),
            200,
        ),
        (
            at("commands"),
            json!({"steps": 3, "commands": [{"op": "impulse", "body_id": "b", "impulse": [0, 1, 0]}]}),
            200,
        ),
        (
            "/simulations".to_owned(),
            json!({"gravity": [0, 0, 0]}),
            201,
        ),
        ("/simulations".to_owned(), json!({"id": "chosen"}), 201),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("key-{n}");
        let first = keyed(&client, &path, &body, &key)
            .await
            .expect_status(status);
        let before = client.state(&sim).await.json();
        let count = client.health().await.json()["simulations"].clone();

        let again = keyed(&client, &path, &body, &key)
            .await
            .expect_status(status);

        assert_eq!(first.header("idempotency-replayed"), None, "{path}");
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{path}");
        assert_eq!(again.body, first.body, "{path}");
        assert_eq!(again.header("location"), first.header("location"), "{path}");
        assert_eq!(
            client.state(&sim).await.json(),
            before,
            "{path} was applied twice"
        );
        assert_eq!(client.health().await.json()["simulations"], count, "{path}");
    }

    let end = client.state(&sim).await.json();
    assert_eq!(end["step"], 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotent_create_derives_the_id_from_the_key() {
    let instance = Instance::in_process(&[]).await;
    let other = Instance::in_process(&[]).await;
    let request = json!({"dt": 0.02});

    let here = keyed(&instance.client(), "/simulations", &request, "order-66").await;
    let there = keyed(&other.client(), "/simulations", &request, "order-66").await;
    let another = keyed(&instance.client(), "/simulations", &request, "order-67").await;

    let ids = [here, there, another].map(|reply| {
        let created = reply.expect_status(201).json();
        uuid::Uuid::parse_str(created["sim_id"].as_str().unwrap()).unwrap()
    });
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
    assert_eq!(ids[0].get_version_num(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_belongs_to_one_request_of_one_simulation() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let one = client.simulation(&zero_gravity()).await;
    let two = client.simulation(&zero_gravity()).await;
    let step = |sim: &str| format!("/simulations/{sim}/step");
    keyed(&client, &step(&one), &json!({"steps": 1}), "k")
        .await
        .expect_status(200);

    keyed(&client, &step(&one), &json!({"steps": 2}), "k")
        .await
        .expect_problem(422, "idempotency_key_reused");
    let body = sphere("a", 0.5, [0.0; 3]);
    keyed(&client, &format!("/simulations/{one}/bodies"), &body, "k")
        .await
        .expect_problem(422, "idempotency_key_reused");
    let elsewhere = keyed(&client, &step(&two), &json!({"steps": 2}), "k")
        .await
        .expect_status(200);
    keyed(&client, "/simulations", &json!({"dt": 0.1}), "k")
        .await
        .expect_status(201);
    keyed(&client, "/simulations", &json!({"dt": 0.2}), "k")
        .await
        .expect_problem(422, "idempotency_key_reused");

    assert_eq!(elsewhere.header("idempotency-replayed"), None);
    assert_eq!(client.state(&one).await.json()["step"], 1);
    assert_eq!(client.state(&two).await.json()["step"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_command_still_runs_is_in_flight_and_then_answers() {
    let instance = Instance::spawn(&[]).await;
    let client = instance.client();
    let sim = busy_world(&client, 200, json!({})).await;
    let (steps, end) = steps_lasting(&client, &sim, Duration::from_secs(3)).await;
    let path = format!("/simulations/{sim}/step");
    let request = json!({"steps": steps});
    let mut running = JoinSet::new();
    {
        let (client, path, request) = (client.clone(), path.clone(), request.clone());
        running.spawn(async move { keyed(&client, &path, &request, "slow").await });
    }

    until_stepping(&client, &sim).await;

    let in_flight = keyed(&client, &path, &request, "slow").await;
    let other = keyed(&client, &path, &json!({"steps": 0}), "slow").await;
    assert!(running.try_join_next().is_none(), "the step was not long");
    let first = running.join_next().await.unwrap().unwrap();
    let again = keyed(&client, &path, &request, "slow")
        .await
        .expect_status(200);

    in_flight.expect_problem(409, "idempotency_key_in_flight");
    assert!([409, 422].contains(&other.status), "{}", other.text());
    assert_eq!(first.expect_status(200).body, again.body);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(client.state(&sim).await.json()["step"], end);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_no_longer_in_flight_once_its_reply_has_arrived() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&zero_gravity()).await;
    let path = format!("/simulations/{sim}/step");
    let mut askers = JoinSet::new();

    for n in 0..8 {
        let (client, path) = (client.clone(), path.clone());
        askers.spawn(async move {
            for k in 0..40 {
                let key = format!("key-{n}-{k}");
                let first = keyed(&client, &path, &json!({"steps": 1}), &key).await;
                let again = keyed(&client, &path, &json!({"steps": 1}), &key).await;
                let other = keyed(&client, &path, &json!({"steps": 2}), &key).await;
                assert_eq!(first.status, 200, "{key}: {}", first.text());
                assert_eq!(again.status, 200, "{key}: {}", again.text());
                assert_eq!(again.body, first.body, "{key}");
                other.expect_problem(422, "idempotency_key_reused");
            }
        });
    }
    askers.join_all().await;

    assert_eq!(client.state(&sim).await.json()["step"], 320);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_replies_are_forgotten_but_never_applied_again() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = busy_world(&client, 120, json!({"id": "wordy"})).await;
    let path = format!("/simulations/{sim}/step");
    let mut seqs = Vec::new();
    for n in 0..8 {
        let reply = keyed(&client, &path, &json!({"steps": 1}), &format!("k{n}"))
            .await
            .expect_status(200);
        assert!(
            reply.body.len() > 10_000,
            "the replies are too small to be forgotten"
        );
        seqs.push(reply.header_number("sim-seq"));
    }

    let oldest = keyed(&client, &path, &json!({"steps": 1}), "k0")
        .await
        .expect_problem(409, "reply_not_kept");
    let newest = keyed(&client, &path, &json!({"steps": 1}), "k7")
        .await
        .expect_status(200);

    assert_eq!(oldest.body["seq"], seqs[0]);
    assert_eq!(newest.header("idempotency-replayed"), Some("true"));
    assert_eq!(client.state(&sim).await.json()["step"], 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_with_one_key_apply_a_command_once() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(&json!({"gravity": [0, 0, 0], "bodies": [sphere("ball", 0.5, [0.0; 3])]}))
        .await;
    let path = format!("/simulations/{sim}/bodies/ball/impulse");
    let mut askers = JoinSet::new();

    for _ in 0..30 {
        let (client, path) = (client.clone(), path.clone());
        askers.spawn(
            async move { keyed(&client, &path, &json!({"impulse": [1, 0, 0]}), "once").await },
        );
    }
    let replies = askers.join_all().await;

    for reply in &replies {
        assert!([204, 409].contains(&reply.status), "{}", reply.text());
    }
    let first_hand = replies
        .iter()
        .filter(|reply| reply.status == 204 && reply.header("idempotency-replayed").is_none());
    assert_eq!(first_hand.count(), 1);
    let state = client.state(&sim).await.json();
    assert_eq!(state["bodies"][0]["velocity"][0], 1.0);
}
