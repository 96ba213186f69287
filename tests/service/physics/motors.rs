//! What drives joints: to a place, to a speed, and no harder than it can.

use serde_json::{Value, json};

use crate::{
    harness::{number, sphere, zero_gravity},
    physics::{World, close, loose_box, near, with},
};

/// A base that stays, and a rod of 1 kg and 2 m that begins at it.
fn arm(joint: &Value) -> Value {
    let bodies = json!([
        with(
            sphere("base", 0.1, [0.0, 0.0, 0.0]),
            &json!({"kind": "static"})
        ),
        with(
            loose_box("rod", [2.0, 0.2, 0.2], [1.0, 0.0, 0.0]),
            &json!({"can_sleep": false})
        ),
    ]);
    let joint = with(
        json!({"id": "drive", "body_a": "base", "body_b": "rod"}),
        joint,
    );
    json!({"dt": 0.01, "bodies": bodies, "joints": [joint]})
}

fn hinge(members: &Value) -> Value {
    let hinge = json!({"joint_type": "revolute", "axis": [0, 0, 1], "anchor_b": [-1, 0, 0]});
    arm(&with(hinge, members))
}

fn slide(members: &Value) -> Value {
    let slide = json!({"joint_type": "prismatic", "axis": [0, 1, 0], "anchor_a": [1, 0, 0]});
    arm(&with(slide, members))
}

async fn drive(world: &World) -> Value {
    let joint = world.client.joint(&world.sim, "drive").await;
    joint.expect_status(200).json()
}

async fn patch(world: &World, patch: &Value) {
    let patched = world.client.patch_joint(&world.sim, "drive", patch).await;
    patched.expect_status(200);
}

#[tokio::test]
async fn a_motor_reaches_its_target_and_the_next_one_and_lets_go() {
    for multibody in [false, true] {
        for (scene, state) in [
            (hinge as fn(&Value) -> Value, "angle"),
            (slide as fn(&Value) -> Value, "distance"),
        ] {
            let members = json!({"multibody": multibody, "motor": {"target_position": 1.0}});
            let world = World::new(&with(scene(&members), &zero_gravity())).await;
            let what = format!("{state}, multibody: {multibody}");

            world.step(600).await;
            close(number(&drive(&world).await[state]), 1.0, 0.01, &what);

            patch(&world, &json!({"motor": {"target_position": -0.5}})).await;
            world.step(600).await;
            close(number(&drive(&world).await[state]), -0.5, 0.01, &what);

            patch(
                &world,
                &json!({"motor": {"target_velocity": 0.3, "damping": 20}}),
            )
            .await;
            world.step(100).await;
            near(number(&drive(&world).await["velocity"]), 0.3, 0.01, &what);

            patch(&world, &json!({"motor": null})).await;
            world.step(50).await;
            let shown = drive(&world).await;
            assert_eq!(shown.get("motor"), None, "{what}: {shown}");
            near(number(&shown["velocity"]), 0.3, 0.02, &what);
        }
    }
}

#[tokio::test]
async fn a_motor_holds_what_it_can_and_no_more() {
    let torque = 9.81;
    for multibody in [false, true] {
        for (share, holds) in [(1.1, true), (0.9, false)] {
            let motor = json!({
                "target_position": 0, "stiffness": 1e5, "damping": 1e4, "model": "force",
                "max_force": share * torque,
            });
            let world = World::new(&hinge(&json!({"motor": motor, "multibody": multibody}))).await;

            world.step(100).await;

            let angle = number(&drive(&world).await["angle"]);
            let what = format!("{share} of the torque, multibody: {multibody}: {angle}");
            assert_eq!(angle.abs() < 0.05, holds, "{what}");
        }
    }
}

#[tokio::test]
async fn a_spherical_joint_is_driven_about_each_of_its_axes() {
    let motors = json!({"ry": {"target_position": 0.4}});
    let joint = json!({"joint_type": "spherical", "axis": [1, 0, 0], "anchor_a": [1, 0, 0], "motors": motors});
    let world = World::new(&with(arm(&joint), &zero_gravity())).await;

    world.step(600).await;
    let turned = drive(&world).await;
    close(number(&turned["positions"]["ry"]), 0.4, 0.01, "about y");
    close(number(&turned["positions"]["rx"]), 0.0, 0.01, "about x");

    patch(
        &world,
        &json!({"motors": {"rz": {"target_velocity": 1, "damping": 30}}}),
    )
    .await;
    world.step(60).await;
    let spinning = drive(&world).await;
    near(
        number(&spinning["velocities"]["rz"]),
        1.0,
        0.02,
        "about z of the base",
    );
}

#[tokio::test]
async fn a_motor_is_shown_with_what_it_was_not_told() {
    for (motor, stiffness, damping) in [
        (json!({"target_velocity": 3}), 0.0, 1.0),
        (json!({"target_position": 1}), 100.0, 20.0),
        (json!({"target_position": 1, "stiffness": 25}), 25.0, 10.0),
        (json!({"target_position": 1, "damping": 7}), 100.0, 7.0),
        (json!({}), 0.0, 1.0),
    ] {
        let world = World::new(&hinge(&json!({"motor": motor}))).await;
        let shown = drive(&world).await["motor"].clone();
        assert_eq!(shown["stiffness"], json!(stiffness), "{shown}");
        assert_eq!(shown["damping"], json!(damping), "{shown}");
        assert_eq!(shown["model"], json!("acceleration"), "{shown}");
    }
}
