//! Sensors notice and do not push.

use serde_json::{Value, json};

use crate::{
    harness::{number, sphere, zero_gravity},
    physics::{World, contacts, events, fixed_box, position, velocity, with},
};

fn gate(members: &Value) -> Value {
    with(
        with(
            fixed_box("gate", [2.0, 2.0, 2.0], [0.0, 0.0, 0.0]),
            &json!({"is_sensor": true}),
        ),
        members,
    )
}

#[tokio::test]
async fn a_body_passes_a_sensor_undisturbed_and_both_list_the_overlap() {
    let ball = with(
        sphere("ball", 0.25, [-3.0, 0.0, 0.0]),
        &json!({"velocity": [2.0, 0.0, 0.0]}),
    );
    let world = World::new(&with(
        zero_gravity(),
        &json!({"bodies": [gate(&json!({})), ball]}),
    ))
    .await;

    let outside = world.step(50).await;
    let inside = world.step(100).await;
    let beyond = world.step(150).await;

    assert!(contacts(&outside, "ball").is_empty(), "{outside}");
    assert_eq!(contacts(&inside, "ball"), ["gate"]);
    assert_eq!(contacts(&inside, "gate"), ["ball"]);
    assert!(contacts(&beyond, "ball").is_empty(), "{beyond}");
    assert_eq!(json!(velocity(&beyond, "ball")), json!([2.0, 0.0, 0.0]));
}

#[tokio::test]
async fn overlaps_with_a_sensor_are_events_without_impulse() {
    let ball = with(
        sphere("ball", 0.25, [-3.0, 0.0, 0.0]),
        &json!({"velocity": [2.0, 0.0, 0.0]}),
    );
    let world = World::new(&with(
        zero_gravity(),
        &json!({"bodies": [gate(&json!({})), ball]}),
    ))
    .await;

    let flight = world.record("ball", &json!({"steps": 300})).await;

    let (started, ended) = (events(&flight, "started"), events(&flight, "ended"));
    assert_eq!(
        (started.len(), ended.len()),
        (1, 1),
        "{}",
        flight["contact_events"]
    );
    for event in started.iter().chain(&ended) {
        assert_eq!(
            (&event["body_a"], &event["body_b"]),
            (&json!("ball"), &json!("gate"))
        );
        assert!(number(&event["impulse_magnitude"]).abs() < 1e-9, "{event}");
    }
    // The ball reaches x = -1.25 after 0.875 s and leaves x = 1.25 after 2.125 s.
    crate::physics::close(number(&started[0]["time"]), 0.875, 0.031, "entered");
    crate::physics::close(number(&ended[0]["time"]), 2.125, 0.031, "left");
}

#[tokio::test]
async fn an_overlap_at_the_start_of_a_recording_is_ongoing() {
    let world = World::new(&with(
        zero_gravity(),
        &json!({"bodies": [gate(&json!({})), sphere("ball", 0.25, [0.0, 0.0, 0.0])]}),
    ))
    .await;
    world.step(5).await;

    let flight = world.record("ball", &json!({"steps": 5})).await;

    assert_eq!(
        events(&flight, "ongoing").len(),
        1,
        "{}",
        flight["contact_events"]
    );
    assert_eq!(flight["contact_events"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn sensors_notice_bodies_of_every_kind() {
    for kind in ["dynamic", "kinematic", "static"] {
        let visitor = with(
            sphere("visitor", 0.25, [0.5, 0.0, 0.0]),
            &json!({"kind": kind}),
        );
        let world = World::new(&with(
            zero_gravity(),
            &json!({"bodies": [gate(&json!({})), visitor]}),
        ))
        .await;

        let state = world.step(2).await;

        assert_eq!(contacts(&state, "gate"), ["visitor"], "a {kind} visitor");
    }
}

#[tokio::test]
async fn a_moving_sensor_falls_through_the_floor() {
    let probe = with(
        sphere("probe", 0.25, [0.0, 1.0, 0.0]),
        &json!({"is_sensor": true}),
    );
    let world = World::new(&json!({"dt": 0.01, "bodies": [fixed_box("floor", [10.0, 1.0, 10.0], [0.0, -0.5, 0.0]), probe]})).await;

    let inside = world.step(45).await;
    let state = world.step(100).await;

    assert_eq!(contacts(&inside, "floor"), ["probe"]);
    assert!(position(&state, "probe")[1] < -5.0, "{state}");
}
