//! Bodies that move as they are told.

use serde_json::{Value, json};

use crate::{
    harness::{sphere, zero_gravity},
    physics::{World, all_close, close, contacts, loose_box, position, spin, velocity, with},
};

fn platform(members: &Value) -> Value {
    let body = json!({
        "id": "platform", "kind": "kinematic", "shape": "box", "size": [4.0, 0.5, 4.0],
        "position": [0.0, 1.0, 0.0], "friction": 0.8,
    });
    with(body, members)
}

#[tokio::test]
async fn a_kinematic_body_moves_with_the_velocity_it_is_given() {
    let moving =
        platform(&json!({"velocity": [1.0, 0.5, -2.0], "angular_velocity": [0.0, 0.25, 0.0]}));
    let world = World::new(&json!({"dt": 0.01, "bodies": [moving]})).await;

    let state = world.step(200).await;

    all_close(
        position(&state, "platform"),
        [2.0, 2.0, -4.0],
        1e-3,
        "gravity does not act on it",
    );
    all_close(
        velocity(&state, "platform"),
        [1.0, 0.5, -2.0],
        1e-6,
        "velocity",
    );
    all_close(spin(&state, "platform"), [0.0, 0.25, 0.0], 1e-6, "spin");
}

#[tokio::test]
async fn a_kinematic_body_carries_what_stands_on_it() {
    let bodies = json!([
        platform(&json!({"velocity": [0.5, 0.0, 0.0]})),
        with(
            loose_box("box", [0.5, 0.5, 0.5], [0.0, 1.5, 0.0]),
            &json!({"friction": 0.8})
        )
    ]);
    let world = World::new(&json!({"dt": 0.01, "bodies": bodies})).await;

    let state = world.step(400).await;

    all_close(
        velocity(&state, "box"),
        [0.5, 0.0, 0.0],
        1e-2,
        "the box rides",
    );
    let (box_at, platform_at) = (position(&state, "box"), position(&state, "platform"));
    close(platform_at[0], 2.0, 1e-3, "the platform");
    close(
        box_at[0],
        platform_at[0],
        0.05,
        "the box is above the platform",
    );
    close(box_at[1], 1.5, 1e-2, "the box stays on the platform");
    assert_eq!(contacts(&state, "box"), ["platform"]);
}

#[tokio::test]
async fn a_lift_lifts() {
    let bodies = json!([
        platform(&json!({"velocity": [0.0, 0.7, 0.0]})),
        loose_box("box", [0.5, 0.5, 0.5], [0.0, 1.5, 0.0])
    ]);
    let world = World::new(&json!({"dt": 0.01, "bodies": bodies})).await;

    let state = world.step(300).await;

    close(
        position(&state, "box")[1],
        1.5 + 2.1,
        2e-2,
        "height of the box",
    );
}

#[tokio::test]
async fn nothing_pushes_a_kinematic_body() {
    let ball = with(
        sphere("ball", 0.5, [-3.0, 1.0, 0.0]),
        &json!({"mass": 1000.0, "velocity": [20.0, 0.0, 0.0]}),
    );
    let mut request = zero_gravity();
    request["bodies"] = json!([platform(&json!({})), ball]);
    let world = World::new(&request).await;

    let state = world.step(200).await;

    all_close(
        position(&state, "platform"),
        [0.0, 1.0, 0.0],
        1e-6,
        "the platform",
    );
    assert!(
        velocity(&state, "ball")[0] < 0.0,
        "the ball bounces off: {state}"
    );
}

#[tokio::test]
async fn a_kinematic_body_is_moved_and_redirected_by_patches() {
    let world = World::new(&json!({"dt": 0.01, "bodies": [platform(&json!({}))]})).await;
    world.step(200).await;

    world
        .patch(
            "platform",
            &json!({"position": [0.0, 5.0, 0.0], "velocity": [2.0, 0.0, 0.0]}),
        )
        .await;
    let moved = world.step(100).await;
    world
        .patch("platform", &json!({"velocity": [0.0, 0.0, 0.0]}))
        .await;
    let stopped = world.step(100).await;

    all_close(
        position(&moved, "platform"),
        [2.0, 5.0, 0.0],
        1e-3,
        "after the first patch",
    );
    all_close(
        position(&stopped, "platform"),
        [2.0, 5.0, 0.0],
        1e-3,
        "after the second",
    );
}

#[tokio::test]
async fn a_kinematic_body_that_starts_again_takes_its_load_along() {
    let bodies = json!([
        platform(&json!({})),
        with(
            loose_box("box", [0.5, 0.5, 0.5], [0.0, 1.5, 0.0]),
            &json!({"friction": 0.8})
        )
    ]);
    let world = World::new(&json!({"dt": 0.01, "bodies": bodies})).await;
    world.step(300).await;

    world
        .patch("platform", &json!({"velocity": [0.5, 0.0, 0.0]}))
        .await;
    let state = world.step(200).await;

    close(
        position(&state, "box")[0],
        1.0,
        0.05,
        "the sleeping box woke and rode along",
    );
}
