//! Bodies that come to rest, slide or stay.

use std::f64::consts::PI;

use serde_json::json;

use crate::{
    harness::{ground, sphere},
    physics::{
        G, World, angle_between, close, contacts, difference, distance, fixed_box, length,
        loose_box, near, orientation, position, turned, velocity, with,
    },
};

const SLOPE: f64 = PI / 6.0;

#[tokio::test]
async fn a_plane_of_any_normal_length_carries_a_ball_at_its_offset() {
    let plane = json!({"id": "plane", "kind": "static", "shape": "plane", "normal": [0.0, 3.0, 0.0], "offset": 2.0});
    let world =
        World::new(&json!({"dt": 0.01, "bodies": [plane, sphere("ball", 0.5, [0.0, 4.0, 0.0])]}))
            .await;

    let state = world.step(600).await;

    close(position(&state, "ball")[1], 2.5, 5e-3, "height of the ball");
    assert_eq!(contacts(&state, "ball"), ["plane"]);
}

#[tokio::test]
async fn the_offset_of_a_plane_is_added_to_its_position() {
    let plane = json!({"id": "plane", "kind": "static", "shape": "plane", "offset": 1.0, "position": [7.0, 2.0, 0.0]});
    let world =
        World::new(&json!({"dt": 0.01, "bodies": [plane, sphere("ball", 0.5, [0.0, 4.5, 0.0])]}))
            .await;

    let state = world.step(600).await;

    close(position(&state, "ball")[1], 3.5, 5e-3, "height of the ball");
}

#[tokio::test]
async fn an_upright_cylinder_rests_on_its_base() {
    let cylinder = json!({"id": "drum", "kind": "dynamic", "shape": "cylinder", "size": [0.6, 0.8], "position": [0.0, 1.0, 0.0]});
    let world = World::new(&json!({"dt": 0.01, "bodies": [ground("floor"), cylinder]})).await;

    let state = world.step(600).await;

    close(position(&state, "drum")[1], 0.6, 5e-3, "half its height");
    close(
        angle_between(orientation(&state, "drum"), [0.0, 0.0, 0.0, 1.0]),
        0.0,
        0.02,
        "upright",
    );
}

#[tokio::test]
async fn a_lying_capsule_rests_on_its_side() {
    let capsule = json!({
        "id": "pill", "kind": "dynamic", "shape": "capsule", "size": [1.0, 0.25], "position": [0.0, 1.0, 0.0],
        "orientation": turned([0.0, 0.0, 1.0], PI / 2.0), "angular_damping": 1.0,
    });
    let world = World::new(&json!({"dt": 0.01, "bodies": [ground("floor"), capsule]})).await;

    let state = world.step(800).await;

    close(position(&state, "pill")[1], 0.25, 5e-3, "its radius");
}

#[tokio::test]
async fn an_upright_capsule_reaches_half_its_height_plus_its_radius() {
    let capsule = json!({"id": "pill", "kind": "dynamic", "shape": "capsule", "size": [1.0, 0.25], "position": [0.0, 1.25, 0.0]});
    let world = World::new(&json!({"dt": 0.01, "bodies": [ground("floor"), capsule]})).await;

    let state = world.step(20).await;

    close(position(&state, "pill")[1], 1.25, 2e-3, "still upright");
    assert_eq!(contacts(&state, "pill"), ["floor"]);
}

#[tokio::test]
async fn the_size_of_a_box_is_its_full_extent() {
    let world = World::new(&json!({
        "dt": 0.01,
        "bodies": [ground("floor"), loose_box("slab", [4.0, 1.0, 2.0], [0.0, 1.0, 0.0]), sphere("ball", 0.5, [0.0, 2.5, 0.0])],
    }))
    .await;

    let state = world.step(600).await;

    close(position(&state, "slab")[1], 0.5, 5e-3, "half its height");
    close(
        position(&state, "ball")[1],
        1.5,
        1e-2,
        "the ball lies on it",
    );
}

#[tokio::test]
async fn a_box_slides_down_a_slope_when_friction_is_below_its_tangent() {
    for friction in [0.0, 0.3, 0.5] {
        let world = slope(friction, friction).await;

        let before = world.step(100).await;
        let after = world.step(100).await;

        let gained = length(velocity(&after, "box")) - length(velocity(&before, "box"));
        let expected = G * (SLOPE.sin() - friction * SLOPE.cos());
        near(
            gained,
            expected,
            0.02,
            &format!("acceleration at friction {friction}"),
        );
    }
}

#[tokio::test]
async fn a_box_stays_on_a_slope_when_friction_is_above_its_tangent() {
    for friction in [0.6, 0.7, 1.0] {
        let world = slope(friction, friction).await;

        let start = position(&world.state().await, "box");
        let state = world.step(500).await;

        close(
            distance(position(&state, "box"), start),
            0.0,
            5e-3,
            &format!("way at friction {friction}"),
        );
        close(length(velocity(&state, "box")), 0.0, 1e-3, "speed");
    }
}

#[tokio::test]
async fn two_frictions_are_averaged() {
    let holds = slope(0.9, 0.3).await;
    let slides = slope(0.7, 0.3).await;

    let still = holds.step(300).await;
    let before = slides.step(100).await;
    let after = slides.step(100).await;

    close(
        length(velocity(&still, "box")),
        0.0,
        1e-3,
        "0.9 and 0.3 hold",
    );
    let gained = length(velocity(&after, "box")) - length(velocity(&before, "box"));
    near(
        gained,
        G * (SLOPE.sin() - 0.5 * SLOPE.cos()),
        0.02,
        "0.7 and 0.3 are 0.5",
    );
}

/// A box lying on a slope of 30°.
async fn slope(of_slope: f64, of_box: f64) -> World {
    let tilt = turned([0.0, 0.0, 1.0], -SLOPE);
    let up = [SLOPE.sin(), SLOPE.cos(), 0.0];
    let floor = json!({"id": "slope", "kind": "static", "shape": "plane", "normal": up, "friction": of_slope, "restitution": 0.0});
    let lying = with(
        loose_box("box", [1.0, 1.0, 1.0], up.map(|component| component * 0.5)),
        &json!({"orientation": tilt, "friction": of_box, "restitution": 0.0}),
    );
    World::new(&json!({"dt": 0.01, "bodies": [floor, lying]})).await
}

#[tokio::test]
async fn a_tower_of_ten_boxes_stands() {
    for dt in [0.016, 0.005] {
        let mut bodies = vec![ground("floor")];
        for n in 0_u8..10 {
            bodies.push(loose_box(
                &format!("box-{n}"),
                [1.0, 1.0, 1.0],
                [0.0, 0.5 + f64::from(n), 0.0],
            ));
        }
        let world = World::new(&json!({"dt": dt, "bodies": bodies})).await;

        let settled = world.step(1000).await;
        let later = world.step(1000).await;

        let top = position(&later, "box-9");
        close(top[1], 9.5, 0.05, "height of the top");
        close(top[0].hypot(top[2]), 0.0, 0.05, "lean of the top");
        assert_eq!(
            settled["bodies"], later["bodies"],
            "asleep, nothing moves any more"
        );
    }
}

#[tokio::test]
async fn a_box_pulled_less_than_friction_allows_stays() {
    let world = World::new(&json!({
        "dt": 0.01,
        "bodies": [fixed_box("floor", [40.0, 1.0, 40.0], [0.0, -0.5, 0.0]), loose_box("box", [1.0, 1.0, 1.0], [0.0, 0.5, 0.0])],
    }))
    .await;
    let start = position(&world.step(50).await, "box");

    world
        .force("box", &json!({"force": [0.45 * G, 0.0, 0.0]}))
        .await;
    let pulled = world.step(200).await;
    world
        .force("box", &json!({"force": [0.7 * G, 0.0, 0.0]}))
        .await;
    let dragged = world.step(100).await;

    let creep = difference(position(&pulled, "box"), start);
    close(length(creep), 0.0, 5e-3, "0.45 of its weight");
    near(
        velocity(&dragged, "box")[0],
        0.2 * G,
        0.03,
        "0.7 of its weight, after 1 s",
    );
}
