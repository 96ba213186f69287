//! Bodies nothing touches.

use serde_json::json;

use crate::{
    harness::{number, sphere, triple, zero_gravity},
    physics::{G, World, all_close, close, frames, length, position, velocity, with},
};

#[tokio::test]
async fn a_falling_body_follows_the_parabola_within_one_step() {
    for dt in [0.016, 0.01, 0.001] {
        let world =
            World::new(&json!({"dt": dt, "bodies": [sphere("ball", 0.5, [0.0, 500.0, 0.0])]}))
                .await;

        let flight = world.record("ball", &json!({"steps": 2000})).await;

        for frame in frames(&flight) {
            let t = number(&frame["time"]);
            let height = 500.0 - 0.5 * G * t * t;
            let one_step = G * t * dt + 1e-3;
            close(
                triple(&frame["position"])[1],
                height,
                one_step,
                &format!("height after {t} s at dt {dt}"),
            );
            close(
                triple(&frame["velocity"])[1],
                -G * t,
                2e-3 * (1.0 + G * t),
                "speed",
            );
        }
    }
}

#[tokio::test]
async fn a_projectile_follows_its_trajectory_within_one_step() {
    let (start, throw, dt) = ([1.0, 200.0, -3.0], [12.0, 9.0, -4.0], 0.01);
    let ball = with(sphere("ball", 0.1, start), &json!({"velocity": throw}));
    let world = World::new(&json!({"dt": dt, "bodies": [ball]})).await;

    let flight = world.record("ball", &json!({"steps": 500})).await;

    for frame in frames(&flight) {
        let t = number(&frame["time"]);
        let at = [0, 1, 2].map(|axis| start[axis] + throw[axis] * t);
        let at = [at[0], at[1] - 0.5 * G * t * t, at[2]];
        let now = [throw[0], throw[1] - G * t, throw[2]];
        let reply = triple(&frame["position"]);
        all_close(reply, at, length(now) * dt + 1e-3, &format!("after {t} s"));
        close(reply[0], at[0], 2e-3, "nothing acts along x");
        close(reply[2], at[2], 2e-3, "nothing acts along z");
    }
}

#[tokio::test]
async fn gravity_acts_in_the_direction_it_is_given() {
    let world = World::new(&json!({
        "gravity": [3.0, -1.0, 2.0], "dt": 0.01, "bodies": [sphere("ball", 0.5, [0.0, 0.0, 0.0])],
    }))
    .await;

    let state = world.step(100).await;

    all_close(
        velocity(&state, "ball"),
        [3.0, -1.0, 2.0],
        1e-4,
        "velocity after 1 s",
    );
    all_close(
        position(&state, "ball"),
        [1.5, -0.5, 1.0],
        0.02,
        "position after 1 s",
    );
}

#[tokio::test]
async fn without_gravity_bodies_keep_their_velocity_and_their_spin() {
    let ball = with(
        sphere("ball", 0.5, [0.0, 0.0, 0.0]),
        &json!({"velocity": [1.0, -2.0, 0.5], "angular_velocity": [0.0, 3.0, 0.0]}),
    );
    let mut request = zero_gravity();
    request["bodies"] = json!([ball]);
    let world = World::new(&request).await;

    let state = world.step(1000).await;

    all_close(
        velocity(&state, "ball"),
        [1.0, -2.0, 0.5],
        1e-5,
        "velocity after 10 s",
    );
    all_close(
        position(&state, "ball"),
        [10.0, -20.0, 5.0],
        1e-2,
        "position after 10 s",
    );
    all_close(
        crate::physics::spin(&state, "ball"),
        [0.0, 3.0, 0.0],
        1e-2,
        "spin after 10 s",
    );
}

#[tokio::test]
async fn damping_slows_a_body_down_exponentially() {
    let ball = with(
        sphere("ball", 0.5, [0.0, 0.0, 0.0]),
        &json!({"velocity": [8.0, 0.0, 0.0], "angular_velocity": [0.0, 0.0, 8.0], "linear_damping": 0.5, "angular_damping": 1.0}),
    );
    let mut request = zero_gravity();
    request["bodies"] = json!([ball]);
    let world = World::new(&request).await;

    let state = world.step(200).await;

    close(
        velocity(&state, "ball")[0],
        8.0 * (-1.0_f64).exp(),
        0.02,
        "velocity after 2 s",
    );
    close(
        crate::physics::spin(&state, "ball")[2],
        8.0 * (-2.0_f64).exp(),
        0.02,
        "spin after 2 s",
    );
}

#[tokio::test]
async fn mass_does_not_change_how_a_body_falls() {
    let heavy = with(
        sphere("heavy", 0.5, [0.0, 100.0, 0.0]),
        &json!({"mass": 1e6}),
    );
    let light = with(
        sphere("light", 0.5, [5.0, 100.0, 0.0]),
        &json!({"mass": 1e-3}),
    );
    let world = World::new(&json!({"dt": 0.01, "bodies": [heavy, light]})).await;

    let state = world.step(100).await;

    close(velocity(&state, "heavy")[1], -G, 1e-3, "the heavy one");
    close(velocity(&state, "light")[1], -G, 1e-3, "the light one");
}
