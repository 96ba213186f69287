//! The events of a simulation: what happened, in order and numbered.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Client, Instance, eventually_true, number, sphere, triple};

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
async fn a_contact_force_above_the_threshold_is_told_once_and_is_the_weight() {
    const MASS: f64 = 10.0;
    let weight = MASS * 9.81;
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    for (threshold, load) in [(0.9, 0.0), (1.1, 0.0), (1.1, 0.5)] {
        let crate_ = json!({"id": "crate", "shape": "box", "size": [1, 1, 1], "mass": MASS,
                            "position": [0, 0.5, 0], "can_sleep": false,
                            "contact_force_threshold": threshold * weight});
        let floor = json!({"id": "floor", "shape": "plane"});
        let scene = json!({"dt": 0.01, "bodies": [floor, crate_]});
        let sim = client.simulation(&scene).await;
        client.step(&sim, 100).await.expect_status(200);
        let push = json!({"force": [0, -load * weight, 0]});
        client
            .set_force(&sim, "crate", &push)
            .await
            .expect_status(204);

        client.step(&sim, 100).await.expect_status(200);

        let page = events(&client, &sim, "").await;
        let all = page["events"].as_array().expect("a list").iter();
        let told: Vec<_> = all
            .filter(|event| event["type"] == "contact_force")
            .collect();
        let force = weight * (1.0 + load);
        let is_above = force > threshold * weight;
        assert_eq!(told.len(), usize::from(is_above), "{threshold}: {page}");
        let Some(event) = told.first() else { continue };
        assert!(
            (number(&event["force"]) / force - 1.0).abs() < 0.01,
            "{event}"
        );
        let ends = (&event["body_a"], &event["body_b"]);
        assert_eq!(ends, (&json!("crate"), &json!("floor")));
        let on_floor = triple(&event["total_force"]);
        assert!((on_floor[1] / force + 1.0).abs() < 0.01, "{event}");
        assert!(on_floor[0].abs() + on_floor[2].abs() < 0.1, "{event}");
        assert_eq!(event["step"], if load > 0.0 { 101 } else { 1 });
    }
}

#[tokio::test]
async fn a_joint_that_breaks_in_a_batch_is_told_and_ends_it_by_what_it_lets_fall() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let mut weight = sphere("weight", 0.3, [0.0, 4.0, 0.0]);
    weight["mass"] = json!(10);
    let sim = client
        .simulation(&json!({"dt": 0.01, "bodies": [
            {"id": "hook", "shape": "sphere", "size": [0.1], "kind": "static", "position": [0, 5, 0]},
            weight,
        ], "joints": [{"id": "tie", "joint_type": "spherical", "body_a": "hook", "body_b": "weight",
                       "anchor_b": [0, 1, 0], "break_force": 150}]}))
        .await;
    let request = json!({
        "steps": 500,
        // Together with its weight that is more than it bears, from step 50 on.
        "commands": [{"op": "force", "at_step": 50, "body_id": "weight", "force": [0, -100, 0]},
                     {"op": "patch_joint", "at_step": 499, "joint_id": "tie", "break_force": 1}],
        "until": [{"type": "below", "body_id": "weight", "field": "position.y", "value": 3.0}],
    });

    let path = format!("/simulations/{sim}/commands");
    let report = client.post(path, &request).await.expect_status(200).json();

    let page = events(&client, &sim, "").await;
    let all = page["events"].as_array().expect("a list").iter();
    let broken: Vec<_> = all
        .filter(|event| event["type"] == "joint_broken")
        .collect();
    assert_eq!(broken.len(), 1, "{page}");
    assert_eq!(broken[0]["joint_id"], "tie");
    let step = broken[0]["step"].as_u64().expect("a number");
    assert!((50..=60).contains(&step), "{page}");
    let fall = f64::sqrt(2.0 * 1.0 / (9.81 + 10.0)) / 0.01;
    let end = number(&report["stopped_by"]["step"]);
    let lasted = end - number(&broken[0]["step"]);
    assert!((lasted - fall).abs() < 3.0, "{lasted}, not {fall}");
    assert_eq!(report["results"][1], json!({"skipped": true}));
    let joint = client.joint(&sim, "tie").await.expect_status(200).json();
    assert_eq!(joint["broken"], true, "{joint}");
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
