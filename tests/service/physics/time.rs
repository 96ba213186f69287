//! The clock of a simulation.

use serde_json::json;

use crate::{
    harness::{number, sphere},
    physics::{G, World, close, velocity},
};

fn falling(dt: f64) -> serde_json::Value {
    json!({"dt": dt, "bodies": [sphere("ball", 0.5, [0.0, 0.0, 0.0])]})
}

#[tokio::test]
async fn twenty_thousand_steps_of_a_millisecond_are_twenty_seconds() {
    for calls in [
        vec![10_000, 10_000],
        vec![1, 9_999, 7_000, 3_000],
        vec![500; 40],
        vec![100; 200],
    ] {
        let world = World::new(&json!({"dt": 0.001})).await;

        for steps in &calls {
            world.step(*steps).await;
        }
        let state = world.state().await;

        assert_eq!(
            (&state["time"], &state["step"]),
            (&json!(20.0), &json!(20_000)),
            "{} calls",
            calls.len()
        );
    }
}

#[tokio::test]
async fn twenty_seconds_in_one_call_are_exact_too() {
    let world =
        World::with_flags(&["--max-steps-per-request", "20000"], &json!({"dt": 0.001})).await;

    let state = world
        .client
        .step(&world.sim, 20_000)
        .await
        .expect_status(200)
        .json();

    assert_eq!(
        (&state["time"], &state["step"]),
        (&json!(20.0), &json!(20_000))
    );
}

#[tokio::test]
async fn the_dt_of_a_call_does_not_last() {
    let world = World::new(&falling(0.01)).await;

    let with_own = world
        .client
        .step_with(&world.sim, &json!({"steps": 10, "dt": 0.1}))
        .await
        .expect_status(200)
        .json();
    let with_default = world.step(100).await;
    let described = world
        .client
        .describe(&world.sim)
        .await
        .expect_status(200)
        .json();

    close(number(&with_own["time"]), 1.0, 1e-12, "10 steps of 0.1 s");
    close(velocity(&with_own, "ball")[1], -G, 1e-3, "speed after 1 s");
    close(
        number(&with_default["time"]),
        2.0,
        1e-12,
        "and 100 of 0.01 s",
    );
    close(
        velocity(&with_default, "ball")[1],
        -2.0 * G,
        1e-2,
        "speed after 2 s",
    );
    assert_eq!(described["config"]["dt"], json!(0.01));
}

#[tokio::test]
async fn the_dt_of_a_recording_does_not_last() {
    let world = World::new(&falling(0.01)).await;

    let recorded = world
        .record("ball", &json!({"steps": 20, "dt": 0.05}))
        .await;
    let state = world.step(100).await;

    close(
        number(&recorded["total_time"]),
        1.0,
        1e-12,
        "steps × dt of this call",
    );
    close(number(&state["time"]), 2.0, 1e-12, "1 s of each");
}

#[tokio::test]
async fn a_patched_dt_lasts() {
    let world = World::new(&falling(0.01)).await;
    world.step(100).await;

    let patched = world
        .client
        .patch_simulation(&world.sim, &json!({"dt": 0.02}))
        .await
        .expect_status(200)
        .json();
    world.step(50).await;
    let state = world.step(50).await;

    assert_eq!(patched["config"]["dt"], json!(0.02));
    close(
        number(&state["time"]),
        3.0,
        1e-12,
        "1 s at 0.01 and 2 s at 0.02",
    );
    close(
        velocity(&state, "ball")[1],
        -3.0 * G,
        1e-2,
        "speed after 3 s",
    );
}

#[tokio::test]
async fn time_is_the_sum_of_steps_times_dt() {
    let world = World::new(&json!({"dt": 0.1})).await;

    for _ in 0..3 {
        world.step(1).await;
    }
    let state = world.step(7).await;

    assert_eq!(
        state["time"],
        json!(10.0 * 0.1),
        "ten calls of one tenth are one run"
    );

    let mixed = world
        .client
        .step_with(&world.sim, &json!({"steps": 3, "dt": 0.016}))
        .await
        .expect_status(200)
        .json();
    assert_eq!(mixed["time"], json!(10.0 * 0.1 + 3.0 * 0.016));
    assert_eq!(mixed["step"], json!(13));
}

#[tokio::test]
async fn no_steps_take_no_time() {
    let world = World::new(&falling(0.01)).await;
    world.step(5).await;

    let before = world.state().await;
    let after = world.step(0).await;

    assert_eq!(before, after);
}

#[tokio::test]
async fn one_call_of_many_steps_equals_many_calls_of_one() {
    let (at_once, bit_by_bit) = (
        World::new(&falling(0.016)).await,
        World::new(&falling(0.016)).await,
    );

    let one = at_once.step(120).await;
    for _ in 0..119 {
        bit_by_bit.step(1).await;
    }
    let many = bit_by_bit.step(1).await;

    assert_eq!(
        (&one["time"], &one["step"], &one["bodies"]),
        (&many["time"], &many["step"], &many["bodies"])
    );
}
