//! Impulses and persistent forces.

use serde_json::json;

use crate::{
    harness::{ground, sphere, zero_gravity},
    physics::{World, all_close, close, loose_box, position, spin, velocity, with},
};

async fn floating(body: &serde_json::Value) -> World {
    let mut request = zero_gravity();
    request["bodies"] = json!([body]);
    World::new(&request).await
}

#[tokio::test]
async fn an_impulse_changes_the_velocity_by_its_share_of_the_mass() {
    let world = floating(&with(
        sphere("ball", 0.5, [0.0, 0.0, 0.0]),
        &json!({"mass": 2.0}),
    ))
    .await;

    world
        .push("ball", &json!({"impulse": [3.0, -1.0, 0.5]}))
        .await;
    let at_once = world.state().await;
    let later = world.step(100).await;

    all_close(
        velocity(&at_once, "ball"),
        [1.5, -0.5, 0.25],
        1e-6,
        "before any step",
    );
    all_close(
        velocity(&later, "ball"),
        [1.5, -0.5, 0.25],
        1e-5,
        "after 1 s",
    );
    all_close(
        position(&later, "ball"),
        [1.5, -0.5, 0.25],
        1e-3,
        "position after 1 s",
    );
    all_close(
        spin(&later, "ball"),
        [0.0, 0.0, 0.0],
        1e-6,
        "through the centre nothing spins",
    );
}

#[tokio::test]
async fn an_impulse_beside_the_centre_makes_a_body_spin() {
    // A solid ball of 2 kg and 0.5 m: I = 2/5·m·r² = 0.2 kg·m².
    let world = floating(&with(
        sphere("ball", 0.5, [1.0, 2.0, 3.0]),
        &json!({"mass": 2.0}),
    ))
    .await;

    world
        .push(
            "ball",
            &json!({"impulse": [0.0, 2.0, 0.0], "point": [1.5, 2.0, 3.0]}),
        )
        .await;
    let state = world.step(1).await;

    all_close(velocity(&state, "ball"), [0.0, 1.0, 0.0], 1e-4, "velocity");
    all_close(spin(&state, "ball"), [0.0, 0.0, 5.0], 1e-2, "spin");
}

#[tokio::test]
async fn the_inertia_of_a_box_is_that_of_its_shape() {
    // About y: m/12·(w² + d²) = 6/12·(4 + 1) = 2.5 kg·m².
    let world = floating(&with(
        loose_box("box", [2.0, 3.0, 1.0], [0.0, 0.0, 0.0]),
        &json!({"mass": 6.0}),
    ))
    .await;

    world
        .push(
            "box",
            &json!({"impulse": [0.0, 0.0, -5.0], "point": [1.0, 0.0, 0.0]}),
        )
        .await;
    let state = world.step(1).await;

    all_close(spin(&state, "box"), [0.0, 2.0, 0.0], 1e-2, "spin");
}

#[tokio::test]
async fn an_impulse_wakes_a_sleeping_body() {
    let world = World::new(
        &json!({"dt": 0.01, "bodies": [ground("floor"), sphere("ball", 0.5, [0.0, 0.5, 0.0])]}),
    )
    .await;
    world.step(300).await;

    world
        .push("ball", &json!({"impulse": [0.0, 5.0, 0.0]}))
        .await;
    let state = world.step(20).await;

    assert!(position(&state, "ball")[1] > 1.0, "{state}");
}

#[tokio::test]
async fn a_persistent_force_accelerates_until_it_is_taken_away() {
    let world = floating(&with(
        sphere("ball", 0.5, [0.0, 0.0, 0.0]),
        &json!({"mass": 2.0}),
    ))
    .await;

    world
        .force("ball", &json!({"force": [6.0, 0.0, -2.0]}))
        .await;
    let pushed = world.step(100).await;
    world
        .client
        .clear_force(&world.sim, "ball")
        .await
        .expect_status(204);
    let free = world.step(100).await;

    all_close(
        velocity(&pushed, "ball"),
        [3.0, 0.0, -1.0],
        1e-3,
        "F = m·a after 1 s",
    );
    all_close(
        position(&pushed, "ball"),
        [1.5, 0.0, -0.5],
        0.03,
        "within one step",
    );
    all_close(
        velocity(&free, "ball"),
        [3.0, 0.0, -1.0],
        1e-3,
        "nothing acts any more",
    );
}

#[tokio::test]
async fn a_new_force_replaces_the_old_one() {
    let world = floating(&sphere("ball", 0.5, [0.0, 0.0, 0.0])).await;

    world
        .force("ball", &json!({"force": [6.0, 0.0, 0.0]}))
        .await;
    world
        .force("ball", &json!({"force": [0.0, 2.0, 0.0]}))
        .await;
    let state = world.step(100).await;

    all_close(
        velocity(&state, "ball"),
        [0.0, 2.0, 0.0],
        1e-3,
        "only the second one",
    );
}

#[tokio::test]
async fn a_torque_turns_a_body() {
    let world = floating(&with(
        sphere("ball", 0.5, [0.0, 0.0, 0.0]),
        &json!({"mass": 2.0}),
    ))
    .await;

    world
        .force("ball", &json!({"torque": [0.0, 0.1, 0.0]}))
        .await;
    let state = world.step(100).await;

    all_close(
        spin(&state, "ball"),
        [0.0, 0.5, 0.0],
        5e-3,
        "τ = I·α after 1 s",
    );
    all_close(
        velocity(&state, "ball"),
        [0.0, 0.0, 0.0],
        1e-6,
        "it stays in place",
    );
}

#[tokio::test]
async fn a_force_beside_the_centre_turns_a_body() {
    let world = floating(&with(
        sphere("ball", 0.5, [0.0, 0.0, 0.0]),
        &json!({"mass": 2.0}),
    ))
    .await;

    world
        .force(
            "ball",
            &json!({"force": [0.0, 0.2, 0.0], "point": [0.5, 0.0, 0.0]}),
        )
        .await;
    let state = world.step(10).await;

    all_close(
        velocity(&state, "ball"),
        [0.0, 0.01, 0.0],
        1e-4,
        "velocity after 0.1 s",
    );
    close(spin(&state, "ball")[2], 0.05, 1e-3, "spin after 0.1 s");
}

#[tokio::test]
async fn a_force_too_small_to_keep_a_body_awake_still_acts() {
    let world = floating(&sphere("ball", 0.5, [0.0, 0.0, 0.0])).await;
    world.step(200).await;

    world
        .force("ball", &json!({"force": [0.01, 0.0, 0.0]}))
        .await;
    let state = world.step(1000).await;

    close(
        velocity(&state, "ball")[0],
        0.1,
        1e-3,
        "0.01 N on 1 kg for 10 s",
    );
}

#[tokio::test]
async fn a_force_holds_a_body_against_gravity() {
    let world =
        World::new(&json!({"dt": 0.01, "bodies": [sphere("ball", 0.5, [0.0, 3.0, 0.0])]})).await;

    world
        .force("ball", &json!({"force": [0.0, 9.81, 0.0]}))
        .await;
    let state = world.step(500).await;

    all_close(position(&state, "ball"), [0.0, 3.0, 0.0], 1e-2, "after 5 s");
}

#[tokio::test]
async fn forces_outlast_the_call_they_are_given_before() {
    let (one, many) = (
        floating(&sphere("ball", 0.5, [0.0, 0.0, 0.0])).await,
        floating(&sphere("ball", 0.5, [0.0, 0.0, 0.0])).await,
    );
    one.force("ball", &json!({"force": [1.0, 2.0, 3.0]})).await;
    many.force("ball", &json!({"force": [1.0, 2.0, 3.0]})).await;

    let at_once = one.step(50).await;
    let mut bit_by_bit = many.step(0).await;
    for _ in 0..50 {
        bit_by_bit = many.step(1).await;
    }

    assert_eq!(at_once["bodies"], bit_by_bit["bodies"]);
}
