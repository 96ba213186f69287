//! Moving and changing bodies by PATCH.

use serde_json::json;

use crate::{
    harness::{ground, number, sphere, zero_gravity},
    physics::{
        World, all_close, angle_between, close, contacts, fixed_box, loose_box, orientation,
        position, spin, turned, velocity, with,
    },
};

#[tokio::test]
async fn a_patched_position_shows_at_once_and_holds() {
    let mut request = zero_gravity();
    request["bodies"] = json!([sphere("ball", 0.5, [0.0, 0.0, 0.0])]);
    let world = World::new(&request).await;

    world
        .patch(
            "ball",
            &json!({"position": [5.0, 6.0, 7.0], "orientation": turned([1.0, 0.0, 0.0], 1.0)}),
        )
        .await;
    let at_once = world.state().await;
    let later = world.step(100).await;

    all_close(position(&at_once, "ball"), [5.0, 6.0, 7.0], 1e-5, "at once");
    all_close(
        position(&later, "ball"),
        [5.0, 6.0, 7.0],
        1e-5,
        "after 1 s: a teleport is no velocity",
    );
    close(
        angle_between(orientation(&later, "ball"), turned([1.0, 0.0, 0.0], 1.0)),
        0.0,
        1e-3,
        "orientation",
    );
}

#[tokio::test]
async fn patched_velocities_are_taken_up() {
    let mut request = zero_gravity();
    request["bodies"] = json!([with(
        sphere("ball", 0.5, [0.0, 0.0, 0.0]),
        &json!({"velocity": [9.0, 9.0, 9.0]})
    )]);
    let world = World::new(&request).await;
    world.step(10).await;

    world.patch("ball", &json!({"velocity": [0.0, -1.0, 0.0], "angular_velocity": [0.0, 0.0, 2.0], "position": [0.0, 0.0, 0.0]})).await;
    let state = world.step(100).await;

    all_close(
        position(&state, "ball"),
        [0.0, -1.0, 0.0],
        1e-3,
        "after 1 s",
    );
    all_close(velocity(&state, "ball"), [0.0, -1.0, 0.0], 1e-5, "velocity");
    all_close(spin(&state, "ball"), [0.0, 0.0, 2.0], 1e-3, "spin");
}

#[tokio::test]
async fn a_patch_leaves_what_it_does_not_name() {
    let mut request = zero_gravity();
    request["bodies"] = json!([with(
        sphere("ball", 0.5, [1.0, 2.0, 3.0]),
        &json!({"velocity": [1.0, 0.0, 0.0], "angular_velocity": [0.0, 1.0, 0.0]})
    )]);
    let world = World::new(&request).await;

    world
        .patch("ball", &json!({"position": [0.0, 0.0, 0.0]}))
        .await;
    let state = world.state().await;

    all_close(velocity(&state, "ball"), [1.0, 0.0, 0.0], 1e-6, "velocity");
    all_close(spin(&state, "ball"), [0.0, 1.0, 0.0], 1e-6, "spin");
}

#[tokio::test]
async fn a_sleeping_body_falls_from_where_it_is_put() {
    let world = World::new(
        &json!({"dt": 0.01, "bodies": [ground("floor"), sphere("ball", 0.5, [0.0, 0.5, 0.0])]}),
    )
    .await;
    world.step(300).await;

    world
        .patch("ball", &json!({"position": [0.0, 10.0, 0.0]}))
        .await;
    let state = world.step(50).await;

    close(velocity(&state, "ball")[1], -4.905, 0.11, "after 0.5 s");
    assert!(contacts(&state, "ball").is_empty(), "{state}");
}

#[tokio::test]
async fn a_body_falls_when_its_support_is_moved_away() {
    let shelf = fixed_box("shelf", [4.0, 1.0, 4.0], [0.0, -0.5, 0.0]);
    let world = World::new(
        &json!({"dt": 0.01, "bodies": [shelf, loose_box("box", [1.0, 1.0, 1.0], [0.0, 0.5, 0.0])]}),
    )
    .await;
    world.step(300).await;

    world
        .patch("shelf", &json!({"position": [100.0, -0.5, 0.0]}))
        .await;
    let state = world.step(100).await;

    assert!(position(&state, "box")[1] < -3.0, "{state}");
}

#[tokio::test]
async fn a_body_falls_when_its_support_is_removed() {
    let shelf = fixed_box("shelf", [4.0, 1.0, 4.0], [0.0, -0.5, 0.0]);
    let world = World::new(
        &json!({"dt": 0.01, "bodies": [shelf, loose_box("box", [1.0, 1.0, 1.0], [0.0, 0.5, 0.0])]}),
    )
    .await;
    world.step(300).await;

    world
        .client
        .remove_body(&world.sim, "shelf")
        .await
        .expect_status(204);
    let state = world.step(100).await;

    assert!(position(&state, "box")[1] < -3.0, "{state}");
    assert!(contacts(&state, "box").is_empty(), "{state}");
}

#[tokio::test]
async fn new_gravity_wakes_sleeping_bodies() {
    let world = World::new(
        &json!({"dt": 0.01, "bodies": [ground("floor"), sphere("ball", 0.5, [0.0, 0.5, 0.0])]}),
    )
    .await;
    world.step(300).await;

    world
        .client
        .patch_simulation(&world.sim, &json!({"gravity": [0.0, 2.0, 0.0]}))
        .await
        .expect_status(200);
    let state = world.step(100).await;

    close(velocity(&state, "ball")[1], 2.0, 0.05, "it falls upwards");
}

#[tokio::test]
async fn a_body_can_be_made_static_and_dynamic_again() {
    let world =
        World::new(&json!({"dt": 0.01, "bodies": [sphere("ball", 0.5, [0.0, 50.0, 0.0])]})).await;
    world.step(10).await;

    world.patch("ball", &json!({"kind": "static"})).await;
    let held = position(&world.step(1).await, "ball");
    let still = world.step(100).await;
    world.patch("ball", &json!({"kind": "dynamic"})).await;
    let falling = world.step(100).await;

    all_close(position(&still, "ball"), held, 1e-6, "a static body stays");
    assert!(position(&falling, "ball")[1] < held[1] - 4.0, "{falling}");
}

#[tokio::test]
async fn patched_material_counts_from_then_on() {
    let ball = with(
        sphere("ball", 0.5, [0.0, 0.5, 0.0]),
        &json!({"friction": 0.0, "velocity": [3.0, 0.0, 0.0], "can_sleep": false}),
    );
    let floor = with(ground("floor"), &json!({"friction": 0.0}));
    let world = World::new(&json!({"dt": 0.01, "bodies": [floor, ball]})).await;

    let sliding = world.step(100).await;
    world
        .patch("ball", &json!({"friction": 2.0, "restitution": 0.9}))
        .await;
    let rolling = world.step(100).await;

    close(
        velocity(&sliding, "ball")[0],
        3.0,
        1e-2,
        "without friction it slides on",
    );
    close(
        velocity(&rolling, "ball")[0],
        3.0 * 5.0 / 7.0,
        0.05,
        "with friction it rolls at 5/7 of its speed",
    );
    let described = world
        .client
        .body(&world.sim, "ball")
        .await
        .expect_status(200)
        .json();
    close(
        number(&described["friction"]),
        2.0,
        1e-6,
        "the new friction is shown",
    );
}

#[tokio::test]
async fn a_patched_mass_counts_from_then_on() {
    let mut request = zero_gravity();
    request["bodies"] = json!([sphere("ball", 0.5, [0.0, 0.0, 0.0])]);
    let world = World::new(&request).await;
    world.step(10).await;

    world.patch("ball", &json!({"mass": 4.0})).await;
    world
        .push("ball", &json!({"impulse": [4.0, 0.0, 0.0]}))
        .await;
    world
        .force(
            "ball",
            &json!({"force": [0.0, 8.0, 0.0], "torque": [0.0, 0.0, 0.2]}),
        )
        .await;
    let state = world.step(100).await;

    // I = 2/5·m·r² = 0.4 kg·m².
    all_close(velocity(&state, "ball"), [1.0, 2.0, 0.0], 1e-3, "after 1 s");
    all_close(spin(&state, "ball"), [0.0, 0.0, 0.5], 5e-3, "after 1 s");
}

#[tokio::test]
async fn drag_can_be_patched_on_and_off() {
    let ball = with(
        sphere("ball", 0.1, [0.0, 0.0, 0.0]),
        &json!({"velocity": [10.0, 0.0, 0.0]}),
    );
    let mut request = zero_gravity();
    request["bodies"] = json!([ball]);
    let world = World::new(&request).await;
    world.step(100).await;

    // ½·ρ·Cd·A = 0.5·1.2·0.5·0.1 = 0.03 kg/m.
    let drag = json!({"drag_coefficient": 0.5, "drag_area": 0.1, "fluid_density": 1.2});
    world.patch("ball", &drag).await;
    let slowed = velocity(&world.step(100).await, "ball")[0];
    world.patch("ball", &json!({"fluid_density": 0.0})).await;
    let free = velocity(&world.step(100).await, "ball")[0];

    close(slowed, 10.0 / 1.3, 0.04, "1 s in the fluid");
    close(free, slowed, 1e-4, "1 s without it");
}

#[tokio::test]
async fn a_push_right_after_a_teleport_acts_where_the_body_is_now() {
    let mut request = zero_gravity();
    request["bodies"] = json!([loose_box("box", [2.0, 1.0, 1.0], [0.0, 0.0, 0.0])]);
    let world = World::new(&request).await;
    world.step(10).await;

    let quarter = turned([0.0, 0.0, 1.0], std::f64::consts::FRAC_PI_2);
    world
        .patch(
            "box",
            &json!({"position": [10.0, 0.0, 0.0], "orientation": quarter}),
        )
        .await;
    world
        .push(
            "box",
            &json!({"impulse": [0.0, 0.0, -1.0], "point": [10.5, 0.0, 0.0]}),
        )
        .await;
    let state = world.step(1).await;

    // It stands upright now: about the world's y, its long axis, I = m/12·(1 + 1) = 1/6 kg·m².
    all_close(velocity(&state, "box"), [0.0, 0.0, -1.0], 1e-4, "velocity");
    all_close(spin(&state, "box"), [0.0, 3.0, 0.0], 0.02, "spin");
}

#[tokio::test]
async fn a_push_right_after_a_body_became_dynamic_moves_it() {
    for kind in ["static", "kinematic"] {
        let mut request = zero_gravity();
        request["bodies"] = json!([with(
            sphere("ball", 0.5, [0.0, 0.0, 0.0]),
            &json!({"kind": kind, "mass": 2.0})
        )]);
        let world = World::new(&request).await;
        world.step(10).await;

        world.patch("ball", &json!({"kind": "dynamic"})).await;
        world
            .push(
                "ball",
                &json!({"impulse": [0.0, 2.0, 0.0], "point": [0.5, 0.0, 0.0]}),
            )
            .await;
        let state = world.step(1).await;

        all_close(velocity(&state, "ball"), [0.0, 1.0, 0.0], 1e-4, kind);
        all_close(spin(&state, "ball"), [0.0, 0.0, 5.0], 0.02, kind);
    }
}

#[tokio::test]
async fn a_body_that_becomes_kinematic_keeps_its_velocity_and_obeys_nothing_else() {
    let ball = with(
        sphere("ball", 0.5, [0.0, 50.0, 0.0]),
        &json!({"velocity": [1.0, 0.0, 0.0]}),
    );
    let world = World::new(&json!({"dt": 0.01, "bodies": [ball]})).await;

    world
        .patch(
            "ball",
            &json!({"kind": "kinematic", "velocity": [0.0, 1.0, 0.0]}),
        )
        .await;
    let state = world.step(100).await;

    all_close(
        position(&state, "ball"),
        [0.0, 51.0, 0.0],
        1e-3,
        "after 1 s",
    );
}

#[tokio::test]
async fn a_patched_kind_changes_what_the_body_collides_with_at_once() {
    let bodies = json!([
        fixed_box("floor", [10.0, 1.0, 10.0], [0.0, -0.5, 0.0]),
        with(
            loose_box("box", [1.0, 1.0, 1.0], [0.0, 0.5, 0.0]),
            &json!({"kind": "static"})
        ),
    ]);
    let world = World::new(&json!({"dt": 0.01, "bodies": bodies})).await;
    world.step(10).await;

    world.patch("box", &json!({"kind": "dynamic"})).await;
    let state = world.step(200).await;

    close(
        position(&state, "box")[1],
        0.5,
        5e-3,
        "it lies on the floor",
    );
    assert_eq!(contacts(&state, "box"), ["floor"]);
}
