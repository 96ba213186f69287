//! How bodies move and are kept from moving.

use serde_json::{Value, json};

use crate::{
    harness::{sphere, zero_gravity},
    physics::{
        G, World, all_close, angle_between, close, contacts, fixed_box, loose_box, orientation,
        position, spin, turned, velocity, with,
    },
};

#[tokio::test]
async fn gravity_counts_by_its_scale() {
    let ball = |n: u32, scale: f64| {
        with(
            sphere(&format!("ball-{n}"), 0.5, [f64::from(n) * 3.0, 0.0, 0.0]),
            &json!({"gravity_scale": scale}),
        )
    };
    let scales = [0.0, 0.5, 1.0, -2.0];
    let bodies: Vec<Value> = (0..).zip(scales).map(|(n, scale)| ball(n, scale)).collect();
    let world = World::new(&json!({"dt": 0.01, "bodies": bodies})).await;

    let state = world.step(100).await;

    for (n, scale) in scales.into_iter().enumerate() {
        close(
            velocity(&state, &format!("ball-{n}"))[1],
            -G * scale,
            1e-3,
            "v = g·t",
        );
    }
    world.patch("ball-0", &json!({"gravity_scale": 1.0})).await;
    let state = world.step(100).await;
    close(velocity(&state, "ball-0")[1], -G, 1e-3, "from now on");
}

#[tokio::test]
async fn locked_axes_are_not_moved_along_or_turned_about() {
    let body = with(
        loose_box("box", [1.0, 1.0, 1.0], [0.0; 3]),
        &json!({"locked_axes": ["rotation_z", "translation_x", "translation_y", "rotation_x"]}),
    );
    let world = World::new(&json!({"bodies": [body]})).await;
    world
        .push(
            "box",
            &json!({"impulse": [3, 4, 5], "torque_impulse": [1, 2, 3]}),
        )
        .await;

    let state = world.step(50).await;

    all_close(velocity(&state, "box"), [0.0, 0.0, 5.0], 1e-5, "z is free");
    all_close(spin(&state, "box"), [0.0, 12.0, 0.0], 1e-3, "y is free");
    let shown = world
        .client
        .body(&world.sim, "box")
        .await
        .expect_status(200)
        .json();
    assert_eq!(
        shown["locked_axes"],
        json!(["translation_x", "translation_y", "rotation_x", "rotation_z"])
    );
    world
        .patch(
            "box",
            &json!({"locked_axes": [], "angular_velocity": [0, 0, 0]}),
        )
        .await;
    let state = world.step(100).await;
    assert!(velocity(&state, "box")[1] < -10.0, "it falls: {state}");
}

#[tokio::test]
async fn who_dominates_is_not_pushed() {
    let moving = with(
        loose_box("heavy", [1.0, 1.0, 1.0], [0.0; 3]),
        &json!({"mass": 100.0, "velocity": [2, 0, 0], "restitution": 0}),
    );
    let still = with(
        loose_box("still", [1.0, 1.0, 1.0], [2.0, 0.0, 0.0]),
        &json!({"dominance": 5, "restitution": 0}),
    );
    let world = World::new(&with(
        zero_gravity(),
        &json!({"dt": 0.01, "bodies": [moving, still]}),
    ))
    .await;

    let state = world.step(200).await;

    all_close(velocity(&state, "still"), [0.0; 3], 1e-6, "1 kg stands");
    assert!(
        velocity(&state, "heavy")[0].abs() < 0.3,
        "100 kg stop: {state}"
    );
    world
        .patch("heavy", &json!({"dominance": 7, "velocity": [2, 0, 0]}))
        .await;
    let state = world.step(200).await;
    all_close(
        velocity(&state, "heavy"),
        [2.0, 0.0, 0.0],
        1e-5,
        "now the other one",
    );
    assert!(position(&state, "still")[0] > 4.0, "{state}");
}

#[tokio::test]
async fn a_bullet_does_not_pass_through_a_thin_door_unless_it_is_told_to() {
    let mut world = World::new(&json!({})).await;
    for (ccd, is_stopped) in [
        (json!({"ccd": true}), true),
        (json!({"ccd": false}), false),
        (json!({}), true),
        (json!({"ccd": false, "soft_ccd_prediction": 10.0}), true),
    ] {
        let dart = with(
            with(
                sphere("dart", 0.05, [-2.0, 0.0, 0.0]),
                &json!({"velocity": [200, 0, 0], "mass": 0.01}),
            ),
            &ccd,
        );
        let door = with(
            loose_box("door", [0.02, 4.0, 4.0], [2.1, 0.0, 0.0]),
            &json!({"mass": 1000.0}),
        );
        world
            .again(&with(
                zero_gravity(),
                &json!({"dt": 0.016, "bodies": [dart, door]}),
            ))
            .await;
        let state = world.step(20).await;
        assert_eq!(
            position(&state, "dart")[0] < 2.2,
            is_stopped,
            "{ccd}: {state}"
        );
    }
}

#[tokio::test]
async fn a_body_moved_by_its_pose_is_there_in_one_step_and_pushes_what_stands_there() {
    let piston = with(
        fixed_box("piston", [1.0, 1.0, 1.0], [0.0; 3]),
        &json!({"kind": "kinematic_position", "restitution": 0, "velocity": [9, 9, 9]}),
    );
    let freight = with(
        loose_box("freight", [1.0, 1.0, 1.0], [1.05, 0.0, 0.0]),
        &json!({"restitution": 0}),
    );
    let world = World::new(&with(
        zero_gravity(),
        &json!({"dt": 0.01, "bodies": [piston, freight]}),
    ))
    .await;
    all_close(
        position(&world.step(10).await, "piston"),
        [0.0; 3],
        0.0,
        "it stays where it is",
    );

    let turn = turned([1.0, 0.0, 0.0], 0.01);
    for n in 1..=20 {
        let x = 0.02 * f64::from(n);
        let patch = json!({"position": [x, 0, 0], "orientation": turn});
        world.patch("piston", &patch).await;
        let state = world.state().await;
        close(
            position(&state, "piston")[0],
            x - 0.02,
            1e-6,
            "not before the step",
        );
        let state = world.step(1).await;
        close(position(&state, "piston")[0], x, 1e-6, "after one step");
        close(
            velocity(&state, "piston")[0],
            2.0,
            1e-3,
            "as fast as it must",
        );
        assert!(
            angle_between(orientation(&state, "piston"), turn) < 1e-4,
            "{state}"
        );
    }
    let state = world.step(1).await;
    all_close(velocity(&state, "piston"), [0.0; 3], 1e-4, "and stays");
    close(
        velocity(&state, "freight")[0],
        2.0,
        0.1,
        "the freight goes on",
    );
}

#[tokio::test]
async fn bodies_sleep_and_wake_as_told() {
    let ball = |id: &str, x: f64| with(sphere(id, 0.5, [x, 5.0, 0.0]), &json!({"sleeping": true}));
    let world = World::new(&json!({"bodies": [ball("one", 0.0), ball("other", 9.0)]})).await;
    let shown = async |id: &str| {
        world
            .client
            .body(&world.sim, id)
            .await
            .expect_status(200)
            .json()
    };

    let state = world.step(100).await;
    all_close(
        position(&state, "one"),
        [0.0, 5.0, 0.0],
        0.0,
        "it hangs in the air",
    );
    assert_eq!(shown("one").await["sleeping"], json!(true));
    world.patch("one", &json!({"sleeping": false})).await;
    let state = world.step(50).await;
    assert!(position(&state, "one")[1] < 4.0, "{state}");
    all_close(
        position(&state, "other"),
        [9.0, 5.0, 0.0],
        0.0,
        "the other sleeps on",
    );

    world.patch("one", &json!({"sleeping": true})).await;
    let before = world.state().await;
    let after = world.step(100).await;
    all_close(
        position(&after, "one"),
        position(&before, "one"),
        0.0,
        "asleep in mid-air",
    );
    all_close(velocity(&after, "one"), [0.0; 3], 0.0, "and still");
    world.push("one", &json!({"impulse": [1, 0, 0]})).await;
    let state = world.step(10).await;
    assert!(
        velocity(&state, "one")[1] < -1.0,
        "a push wakes it: {state}"
    );
}

#[tokio::test]
async fn a_disabled_body_takes_part_in_nothing() {
    let bodies = json!([
        {"id": "floor", "shape": "plane"},
        with(loose_box("ghost", [1.0, 1.0, 1.0], [0.0, 2.0, 0.0]), &json!({"enabled": false,
            "drag_coefficient": 1.0, "drag_area": 1.0})),
        sphere("ball", 0.25, [0.0, 4.0, 0.0]),
    ]);
    let world = World::new(&json!({"bodies": bodies})).await;
    world.force("ghost", &json!({"force": [5, 0, 0]})).await;

    let state = world.step(300).await;

    all_close(position(&state, "ghost"), [0.0, 2.0, 0.0], 0.0, "it hangs");
    close(
        position(&state, "ball")[1],
        0.25,
        0.05,
        "the ball falls through",
    );
    world.patch("ghost", &json!({"enabled": true})).await;
    let state = world.step(60).await;
    assert!(
        velocity(&state, "ghost")[0] > 1.0,
        "the force is felt: {state}"
    );
    world.patch("ghost", &json!({"enabled": false})).await;
    let before = position(&world.state().await, "ghost");
    let after = position(&world.step(60).await, "ghost");
    all_close(after, before, 0.0, "it stays");
    assert!(contacts(&world.state().await, "ghost").is_empty());
}

#[tokio::test]
async fn more_rounds_of_the_solver_hold_a_heavy_load_better() {
    let mut world = World::new(&json!({})).await;
    let mut sunk = Vec::new();
    for rounds in [0, 16] {
        let mut bodies = vec![json!({"id": "floor", "shape": "plane"})];
        bodies.extend((0..6).map(|n| {
            let mass = 4f64.powi(n);
            with(
                loose_box(
                    &format!("box-{n}"),
                    [1.0, 1.0, 1.0],
                    [0.0, 0.5 + f64::from(n), 0.0],
                ),
                &json!({"mass": mass, "restitution": 0, "additional_solver_iterations": rounds}),
            )
        }));
        world.again(&json!({"bodies": bodies})).await;
        let state = world.step(40).await;
        sunk.push(5.5 - position(&state, "box-5")[1]);
    }
    assert!(sunk[1] < sunk[0] * 0.9, "{sunk:?}");
}

#[tokio::test]
async fn another_shape_replaces_the_one_that_a_body_had() {
    let bodies = json!([{"id": "floor", "shape": "plane"}, with(sphere("ball", 0.5, [0.0, 0.5, 0.0]), &json!({"restitution": 0}))]);
    let world = World::new(&json!({"dt": 0.01, "bodies": bodies})).await;
    world.step(50).await;
    for (patch, height) in [
        (json!({"shape": "box", "half_extents": [1, 1, 1]}), 1.0),
        (
            json!({"colliders": [{"shape": "sphere", "radius": 0.25, "position": [0, -0.25, 0]}]}),
            0.5,
        ),
        (json!({"shape": "sphere", "size": [0.75]}), 0.75),
    ] {
        world
            .patch(
                "ball",
                &with(
                    patch.clone(),
                    &json!({"position": [0, 2, 0], "velocity": [0, 0, 0]}),
                ),
            )
            .await;
        let state = world.step(200).await;
        close(
            position(&state, "ball")[1],
            height,
            5e-3,
            &patch.to_string(),
        );
        let shown = world
            .client
            .body(&world.sim, "ball")
            .await
            .expect_status(200)
            .json();
        for (field, value) in patch.as_object().unwrap() {
            if field != "colliders" && field != "size" && field != "half_extents" {
                assert_eq!(&shown[field], value, "{shown}");
            }
        }
        assert_eq!(
            shown.get("colliders").is_some(),
            patch.get("colliders").is_some(),
            "{shown}"
        );
    }
    world.patch("ball", &json!({"colliders": []})).await;
    let state = world.step(100).await;
    assert!(
        position(&state, "ball")[1] < -1.0,
        "nothing holds it: {state}"
    );
    let part = world
        .client
        .patch_body(&world.sim, "ball", &json!({"radius": 2}))
        .await;
    part.expect_problem(422, "invalid_value")
        .expect_pointers(&["/shape"]);
}
