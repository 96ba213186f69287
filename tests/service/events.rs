//! The events of a simulation: what happened, in order and numbered.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Client, Instance, eventually_true, number, sphere};

async fn events(client: &Client, sim: &str, query: &str) -> Value {
    let path = format!("/simulations/{sim}/events{query}");
    client.get(path).await.expect_status(200).json()
}

/// The kinds of events in which `body` takes part, in order.
fn kinds(page: &Value, body: &str) -> Vec<String> {
    let events = page["events"].as_array().expect("a list").iter();
    events
        .filter(|event| {
            ["body_a", "body_b", "body_id"]
                .iter()
                .any(|end| event[*end] == body)
        })
        .map(|event| event["type"].as_str().expect("a word").to_owned())
        .collect()
}

#[tokio::test]
async fn a_ball_that_bounces_rests_and_is_pushed_tells_so_in_order() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(&json!({"dt": 0.01, "bodies": [
            {"id": "floor", "shape": "plane", "restitution": 0},
            {"id": "crate", "shape": "box", "size": [1, 1, 1], "position": [0, 1.5, 0], "restitution": 0},
        ]}))
        .await;

    client.step(&sim, 300).await.expect_status(200);
    let fallen = events(&client, &sim, "").await;
    let push = json!({"impulse": [0, 6, 0]});
    client
        .impulse(&sim, "crate", &push)
        .await
        .expect_status(204);
    client.step(&sim, 20).await.expect_status(200);

    assert_eq!(kinds(&fallen, "crate"), ["collision_started", "asleep"]);
    let met = &fallen["events"][0];
    assert_eq!(
        (&met["body_a"], &met["body_b"]),
        (&json!("crate"), &json!("floor"))
    );
    // It falls 1 m, to within what the engine counts as touching.
    let expected = (2.0_f64 / 9.81).sqrt();
    assert!((number(&met["time"]) - expected).abs() < 0.02, "{met}");
    assert!(
        (number(&met["time"]) - number(&met["step"]) * 0.01).abs() < 1e-9,
        "{met}"
    );
    let after = events(&client, &sim, "?after=2").await;
    assert_eq!(kinds(&after, "crate"), ["awake", "collision_ended"]);
    assert_eq!(
        (&after["events"][0]["seq"], &after["next_after"]),
        (&json!(3), &json!(4))
    );
    assert_eq!(after["lost"], false);
    let page = events(&client, &sim, "?after=1&limit=2").await;
    assert_eq!(
        (
            page["events"].as_array().expect("a list").len(),
            &page["next_after"]
        ),
        (2, &json!(3))
    );
}

#[tokio::test]
async fn a_sensor_tells_who_enters_and_who_leaves_and_a_body_that_is_removed_parts() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(&json!({"gravity": [0, 0, 0], "bodies": [
            {"id": "gate", "shape": "box", "size": [1, 4, 4], "kind": "static", "is_sensor": true},
            {"id": "wall", "shape": "box", "size": [1, 4, 4], "kind": "static", "position": [20, 0, 0]},
            {"id": "runner", "shape": "sphere", "size": [0.5], "position": [-4, 0, 0], "velocity": [8, 0, 0]},
            {"id": "stays", "shape": "sphere", "size": [0.5], "position": [0, 1.5, 0], "can_sleep": false},
        ]}))
        .await;

    client.step(&sim, 100).await.expect_status(200);
    client
        .delete(format!("/simulations/{sim}/bodies/stays"))
        .await
        .expect_status(204);
    let page = events(&client, &sim, "").await;

    assert_eq!(kinds(&page, "runner"), ["sensor_entered", "sensor_left"]);
    assert_eq!(kinds(&page, "stays"), ["sensor_entered", "sensor_left"]);
    let times: Vec<f64> = page["events"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|event| event["body_b"] == "runner")
        .map(|event| number(&event["time"]))
        .collect();
    // From 3 m ahead of the gate until 1 m behind where it was entered, each to within two steps.
    assert!((times[0] - 3.0 / 8.0).abs() < 0.033, "{times:?}");
    assert!((times[1] - 5.0 / 8.0).abs() < 0.033, "{times:?}");
}

#[tokio::test]
async fn only_the_latest_events_are_kept_and_whoever_is_late_is_told() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let balls: Vec<Value> = (0..40)
        .map(|n| {
            let place = f64::from(n) * 2.0;
            let mut ball = sphere(&format!("ball-{n}"), 0.5, [place, 0.7, 0.0]);
            ball["restitution"] = json!(1.0);
            ball
        })
        .collect();
    let sim = client.simulation(&json!({"bodies": balls})).await;
    let floor = json!({"id": "floor", "shape": "plane", "restitution": 1.0});
    client.add_body(&sim, &floor).await.expect_status(201);
    client.step(&sim, 1500).await.expect_status(200);

    let page = events(&client, &sim, "?limit=10000").await;

    let kept = page["events"].as_array().expect("a list");
    assert!((1024..1024 + 64).contains(&kept.len()), "{}", kept.len());
    assert_eq!(page["lost"], true);
    let first = kept[0]["seq"].as_u64().expect("a number");
    for (seq, event) in (first..).zip(kept) {
        assert_eq!(event["seq"], seq);
    }
    let rest = events(&client, &sim, &format!("?after={}", first - 1)).await;
    assert_eq!(
        (&rest["lost"], &rest["events"][0]),
        (&json!(false), &kept[0])
    );
    let none = events(&client, &sim, "?after=99999999").await;
    assert_eq!(
        (&none["events"], &none["next_after"]),
        (&json!([]), &page["next_after"])
    );
}

#[tokio::test]
async fn events_go_on_where_they_were_when_a_world_is_frozen_in_between() {
    let instance = Instance::in_process(&["--freeze-after-seconds", "1"]).await;
    let client = instance.client();
    let scene = json!({"bodies": [
        {"id": "floor", "shape": "plane"},
        {"id": "crate", "shape": "box", "size": [1, 1, 1], "position": [0, 1.5, 0]},
    ]});
    let (frozen, twin) = (
        client.simulation(&scene).await,
        client.simulation(&scene).await,
    );
    for sim in [&frozen, &twin] {
        client.step(sim, 300).await.expect_status(200);
    }
    let before = events(&client, &twin, "").await;
    eventually_true(
        Duration::from_secs(20),
        "both are frozen",
        |list: &Value| {
            list["simulations"]
                .as_array()
                .is_some_and(|all| all.iter().all(|one| one["status"] == "frozen"))
        },
        async || client.list("limit=10").await.json(),
    )
    .await;

    assert_eq!(events(&client, &frozen, "").await, before);
    let push = json!({"impulse": [0, 6, 0]});
    client
        .impulse(&frozen, "crate", &push)
        .await
        .expect_status(204);
    client.step(&frozen, 20).await.expect_status(200);
    assert_eq!(
        kinds(&events(&client, &frozen, "?after=2").await, "crate"),
        ["awake", "collision_ended"]
    );
}

#[tokio::test]
async fn what_is_no_page_of_events_is_refused() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&json!({})).await;
    for (query, code) in [
        ("after=-1", "invalid_value"),
        ("limit=0", "invalid_value"),
        ("limit=10001", "invalid_value"),
        ("since=1", "unknown_field"),
    ] {
        let path = format!("/simulations/{sim}/events?{query}");
        client.get(path).await.expect_problem(422, code);
    }
}
