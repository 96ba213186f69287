//! Worlds of two dimensions.

use serde_json::{Value, json};

use crate::{
    harness::{sphere, triple, without},
    physics::{
        World, close, frames, loose_box, orientation, position, quaternion, spin, velocity, with,
    },
};

fn flat(bodies: &Value) -> Value {
    json!({"dimensions": 2, "dt": 0.01, "bodies": bodies})
}

#[tokio::test]
async fn out_of_plane_velocities_and_spins_are_set_to_zero() {
    let body = with(
        sphere("ball", 0.5, [0.0, 0.0, 0.75]),
        &json!({"velocity": [1.0, 2.0, 3.0], "angular_velocity": [4.0, 5.0, 6.0]}),
    );
    let world = World::new(&with(flat(&json!([body])), &json!({"gravity": [0, 0, 0]}))).await;

    let state = world.state().await;
    let later = world.step(100).await;

    assert_eq!(json!(velocity(&state, "ball")), json!([1.0, 2.0, 0.0]));
    assert_eq!(json!(spin(&state, "ball")), json!([0.0, 0.0, 6.0]));
    flat_ball(&later, 0.75);
    close(position(&later, "ball")[0], 1.0, 1e-3, "x goes on");
    close(position(&later, "ball")[1], 2.0, 1e-3, "y goes on");
}

#[track_caller]
fn flat_ball(state: &Value, z: f64) {
    let exact = |value: f64| json!(value);
    assert_eq!(exact(position(state, "ball")[2]), exact(z), "z stays");
    assert_eq!(
        exact(velocity(state, "ball")[2].abs()),
        exact(0.0),
        "no velocity along z"
    );
    let turn = spin(state, "ball");
    assert_eq!(
        [exact(turn[0].abs()), exact(turn[1].abs())],
        [exact(0.0), exact(0.0)],
        "turns about z only"
    );
    let orientation = orientation(state, "ball");
    close(
        orientation[0].hypot(orientation[1]),
        0.0,
        1e-6,
        "turned about z only",
    );
}

#[tokio::test]
async fn impulses_forces_and_patches_leave_the_plane_alone() {
    let world = World::new(&with(
        flat(&json!([sphere("ball", 0.5, [0.0, 0.0, 0.0])])),
        &json!({"gravity": [0, -1, 5]}),
    ))
    .await;

    world
        .push("ball", &json!({"impulse": [1.0, 1.0, 9.0]}))
        .await;
    flat_ball(&world.step(1).await, 0.0);
    world
        .push(
            "ball",
            &json!({"impulse": [0.0, 2.0, 3.0], "point": [0.5, 0.1, 0.4]}),
        )
        .await;
    flat_ball(&world.step(1).await, 0.0);
    world
        .force(
            "ball",
            &json!({"force": [1.0, 0.0, 7.0], "torque": [3.0, 2.0, 0.1]}),
        )
        .await;
    flat_ball(&world.step(50).await, 0.0);
    world
        .patch(
            "ball",
            &json!({"velocity": [1.0, 0.0, 8.0], "angular_velocity": [1.0, 2.0, 3.0]}),
        )
        .await;
    let state = world.step(10).await;
    flat_ball(&state, 0.0);

    assert!(spin(&state, "ball")[2] > 1.0, "{state}");
}

#[tokio::test]
async fn a_patched_z_is_kept() {
    let world = World::new(&with(
        flat(&json!([sphere("ball", 0.5, [0.0, 0.0, 0.5])])),
        &json!({"gravity": [0, 0, 0]}),
    ))
    .await;

    world
        .patch("ball", &json!({"position": [1.0, 2.0, 0.25]}))
        .await;

    flat_ball(&world.step(10).await, 0.25);
}

#[tokio::test]
async fn collisions_do_not_leave_the_plane() {
    let tilted =
        json!({"id": "floor", "kind": "static", "shape": "plane", "normal": [0.2, 1.0, 0.4]});
    let ball = with(
        sphere("ball", 0.5, [0.0, 4.0, 0.0]),
        &json!({"velocity": [2.0, 0.0, 0.0]}),
    );
    let plank = with(
        loose_box("plank", [3.0, 0.2, 1.0], [0.5, 2.0, 0.3]),
        &json!({"orientation": [0.0, 0.0, 0.382_683_4, 0.923_879_5]}),
    );
    let world = World::new(&flat(&json!([tilted, ball, plank]))).await;

    let flight = world.record("plank", &json!({"steps": 400})).await;
    let state = world.state().await;

    for frame in frames(&flight) {
        assert_eq!(
            json!(triple(&frame["position"])[2]),
            json!(triple(&frames(&flight)[0]["position"])[2])
        );
        let turned = quaternion(&frame["orientation"]);
        close(
            turned[0].hypot(turned[1]),
            0.0,
            1e-5,
            "the plank turns about z only",
        );
    }
    flat_ball(&state, 0.0);
}

#[tokio::test]
async fn a_body_turned_out_of_the_plane_is_refused() {
    let world = World::new(&flat(&json!([sphere("ball", 0.5, [0.0, 0.0, 0.0])]))).await;
    let tilted = [0.382_683_4, 0.0, 0.0, 0.923_879_5];

    let added = world
        .client
        .add_body(
            &world.sim,
            &with(
                sphere("other", 0.5, [3.0, 0.0, 0.0]),
                &json!({"orientation": tilted}),
            ),
        )
        .await;
    let patched = world
        .client
        .patch_body(&world.sim, "ball", &json!({"orientation": tilted}))
        .await;

    added
        .expect_problem(422, "invalid_value")
        .expect_pointers(&["/orientation"]);
    patched
        .expect_problem(422, "invalid_value")
        .expect_pointers(&["/orientation"]);
}

#[tokio::test]
async fn a_round_body_moves_in_the_plane_as_it_does_in_space() {
    let bodies = json!([sphere("ball", 0.5, [0.0, 10.0, 0.0])]);
    let flat = World::new(&flat(&bodies)).await;
    let deep = World::new(&without(
        &json!({"dt": 0.01, "bodies": bodies}),
        &["dimensions"],
    ))
    .await;

    let (in_plane, in_space) = (flat.step(100).await, deep.step(100).await);

    assert_eq!(
        json!(position(&in_plane, "ball")),
        json!(position(&in_space, "ball"))
    );
}
