//! Quadratic drag.

use serde_json::{Value, json};

use crate::{
    harness::{number, sphere, triple},
    physics::{G, World, close, frames, length, near, turned, velocity, with},
};

/// k/m for a ball of 1 kg with the values of [`dragged`], 1/m.
const K: f64 = 0.01531;

/// A ball of 1 kg for which ½·ρ·Cd·A is [`K`].
fn dragged(id: &str) -> Value {
    with(
        sphere(id, 0.1, [0.0, 0.0, 0.0]),
        &json!({"drag_coefficient": 0.5, "drag_area": 2.0 * K / (1.225 * 0.5)}),
    )
}

fn flight(body: &Value) -> Value {
    json!({"gravity": [0, 0, 0], "dt": 0.01, "bodies": [body]})
}

#[tokio::test]
async fn a_body_slows_down_in_air_as_the_formula_says() {
    let ball = with(dragged("ball"), &json!({"velocity": [10.0, 0.0, 0.0]}));
    let world = World::new(&flight(&ball)).await;

    let after_1s = world.step(100).await;
    let after_4s = world.step(300).await;

    near(velocity(&after_1s, "ball")[0], 8.672, 0.005, "after 1 s");
    near(velocity(&after_4s, "ball")[0], 6.202, 0.005, "after 4 s");
}

#[tokio::test]
async fn mass_and_fluid_density_enter_as_the_formula_says() {
    let ball = with(
        sphere("ball", 0.1, [0.0, 0.0, 0.0]),
        &json!({
            "mass": 4.0, "velocity": [0.0, 0.0, -10.0],
            "drag_coefficient": 0.47, "drag_area": 0.002, "fluid_density": 1000.0,
        }),
    );
    let k = 0.5 * 1000.0 * 0.47 * 0.002 / 4.0;
    let world = World::new(&flight(&ball)).await;

    let state = world.step(100).await;

    near(
        velocity(&state, "ball")[2],
        -10.0 / (1.0 + 10.0 * k),
        0.005,
        "after 1 s",
    );
}

#[tokio::test]
async fn a_falling_body_reaches_its_terminal_speed() {
    let world = World::new(&json!({"dt": 0.01, "bodies": [dragged("ball")]})).await;

    let state = world.step(3000).await;

    near(
        velocity(&state, "ball")[1],
        -(G / K).sqrt(),
        0.005,
        "after 30 s",
    );
}

#[tokio::test]
async fn drag_never_turns_a_body_round() {
    for (mass, area, dt) in [(1.0, 1e5, 0.1), (1e-6, 1e5, 1.0), (1e-3, 10.0, 0.016)] {
        let ball = with(
            sphere("ball", 0.1, [0.0, 0.0, 0.0]),
            &json!({
                "mass": mass, "velocity": [300.0, -100.0, 50.0], "can_sleep": false,
                "drag_coefficient": 2.0, "drag_area": area, "fluid_density": 1000.0,
            }),
        );
        let world = World::new(&json!({"gravity": [0, 0, 0], "dt": dt, "bodies": [ball]})).await;

        let flight = world.record("ball", &json!({"steps": 50})).await;

        let mut last = f64::INFINITY;
        for frame in frames(&flight) {
            let v = triple(&frame["velocity"]);
            let along = v[0] * 300.0 - v[1] * 100.0 + v[2] * 50.0;
            assert!(
                along >= -1e-2,
                "mass {mass}, area {area}, dt {dt}: flies back at {v:?}"
            );
            assert!(
                length(v) <= last + 1e-3,
                "mass {mass}, area {area}, dt {dt}: speeds up to {v:?}"
            );
            last = length(v);
        }
    }
}

#[tokio::test]
async fn drag_weighs_the_body_axes_by_their_ratios() {
    let diagonal = 10.0 / 2.0_f64.sqrt();
    let quarter = turned([0.0, 0.0, 1.0], std::f64::consts::FRAC_PI_2);
    let level = turned([0.0, 0.0, 1.0], 0.0);
    for (what, throw, orientation, weight) in [
        ("along its x", [10.0, 0.0, 0.0], level, 4.0),
        ("along its y", [0.0, 10.0, 0.0], level, 1.0),
        ("along its z", [0.0, 0.0, 10.0], level, 0.25),
        ("between x and y", [diagonal, diagonal, 0.0], level, 2.5),
        (
            "turned, along the world's x",
            [10.0, 0.0, 0.0],
            quarter,
            1.0,
        ),
        (
            "turned, along the world's y",
            [0.0, 10.0, 0.0],
            quarter,
            4.0,
        ),
    ] {
        let ball = with(
            dragged("ball"),
            &json!({"velocity": throw, "orientation": orientation, "drag_axis_ratios": [4.0, 1.0, 0.25]}),
        );
        let world = World::new(&flight(&ball)).await;

        let v = velocity(&world.step(100).await, "ball");

        near(length(v), 10.0 / (1.0 + 10.0 * K * weight), 0.005, what);
        let along = (v[0] * throw[0] + v[1] * throw[1] + v[2] * throw[2]) / 10.0;
        close(
            along,
            length(v),
            1e-3,
            &format!("{what}: drag opposes the motion"),
        );
    }
}

#[tokio::test]
async fn drag_and_a_persistent_force_act_together() {
    let ball = dragged("ball");
    let world = World::new(&flight(&ball)).await;
    world
        .force("ball", &json!({"force": [4.0, 0.0, 0.0]}))
        .await;

    let state = world.step(4000).await;

    near(
        velocity(&state, "ball")[0],
        (4.0 / K).sqrt(),
        0.005,
        "terminal speed under 4 N",
    );
}

#[tokio::test]
async fn drag_needs_a_coefficient_and_an_area() {
    for members in [
        json!({}),
        json!({"fluid_density": 1.225}),
        json!({"drag_axis_ratios": [2.0, 1.0, 1.0]}),
    ] {
        let ball = with(
            with(
                sphere("ball", 0.1, [0.0, 0.0, 0.0]),
                &json!({"velocity": [10.0, 0.0, 0.0]}),
            ),
            &members,
        );
        let world = World::new(&flight(&ball)).await;

        let state = world.step(100).await;

        let v = number(&crate::harness::find_body(&state, "ball")["velocity"][0]);
        close(v, 10.0, 1e-5, &format!("with {members}"));
    }
}
