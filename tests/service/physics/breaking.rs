//! Joints that break: above what they can hold, and not below.

use serde_json::{Value, json};

use crate::{
    harness::{number, sphere},
    physics::{G, World, close, loose_box, near, position, with},
};

/// A ball of 10 kg below a hook.
fn hanging(joint: &Value) -> Value {
    let bodies = json!([
        with(
            sphere("hook", 0.1, [0.0, 5.0, 0.0]),
            &json!({"kind": "static"})
        ),
        with(sphere("weight", 0.3, [0.0, 4.0, 0.0]), &json!({"mass": 10})),
    ]);
    let joint = with(
        json!({"id": "tie", "body_a": "hook", "body_b": "weight"}),
        joint,
    );
    json!({"dt": 0.01, "bodies": bodies, "joints": [joint]})
}

#[tokio::test]
async fn a_joint_breaks_above_its_threshold_and_holds_below_it() {
    let weight = 10.0 * G;
    for joint in [
        json!({"joint_type": "fixed", "anchor_a": [0, -1, 0]}),
        json!({"joint_type": "revolute", "axis": [0, 0, 1], "anchor_b": [0, 1, 0]}),
        json!({"joint_type": "spherical", "anchor_b": [0, 1, 0]}),
        json!({"joint_type": "rope", "length": 1}),
    ] {
        for (share, holds) in [(1.1, true), (0.9, false)] {
            let joint = with(joint.clone(), &json!({"break_force": share * weight}));
            let world = World::new(&hanging(&joint)).await;

            let after = world.step(200).await;

            let shown = world.client.joint(&world.sim, "tie").await.json();
            let what = format!("{share} of the weight: {shown}");
            assert_eq!(shown["broken"], json!(!holds), "{what}");
            let y = position(&after, "weight")[1];
            assert_eq!((y - 4.0).abs() < 0.05, holds, "{y}, {what}");
            if holds {
                let force = number(&shown["impulse"]["linear"]) / 0.01;
                near(force, weight, 0.02, &what);
            } else {
                assert_eq!(shown.get("impulse"), None, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_joint_bears_as_much_however_many_rounds_the_solver_takes() {
    let weight = 10.0 * G;
    let load = json!({"additional_solver_iterations": 4});
    // What asks for more rounds is the load, what lies on it, something far away, or something far
    // away beside a multibody.
    for asking in ["weight", "rider", "stranger", "neighbour"] {
        for (share, holds) in [(1.15, true), (0.85, false)] {
            let joint = json!({"joint_type": "fixed", "anchor_a": [0, -1, 0]});
            let mut scene = hanging(&joint);
            let rider = loose_box("rider", [0.2, 0.2, 0.2], [0.0, 4.4, 0.0]);
            let rider = with(rider, &json!({"mass": 1e-3, "restitution": 0}));
            let far = |id: &str, x: f64| {
                with(sphere(id, 0.3, [x, 4.0, 0.0]), &json!({"gravity_scale": 0}))
            };
            for body in [
                rider,
                far("stranger", 9.0),
                far("neighbour", 19.0),
                far("arm", 21.0),
            ] {
                scene["bodies"].as_array_mut().expect("a list").push(body);
            }
            for body in scene["bodies"].as_array_mut().expect("a list") {
                if body["id"] == asking {
                    *body = with(body.clone(), &load);
                }
            }
            scene["joints"][0]["break_force"] = json!(share * weight);
            if asking == "neighbour" {
                let elbow = json!({"id": "elbow", "joint_type": "revolute", "body_a": "neighbour",
                                   "body_b": "arm", "anchor_a": [2, 0, 0], "multibody": true});
                scene["joints"].as_array_mut().expect("a list").push(elbow);
            }
            let world = World::new(&scene).await;

            world.step(60).await;

            let shown = world.client.joint(&world.sim, "tie").await.json();
            let what = format!("{asking}, {share}: {shown}");
            assert_eq!(shown["broken"], json!(!holds), "{what}");
            if holds {
                near(
                    number(&shown["impulse"]["linear"]) / 0.01,
                    weight,
                    0.02,
                    &what,
                );
            }
        }
    }
}

#[tokio::test]
async fn a_beam_breaks_off_where_the_torque_is_too_great() {
    let torque = 10.0 * G;
    for (share, holds) in [(1.15, true), (0.85, false)] {
        let joint =
            json!({"joint_type": "fixed", "break_torque": share * torque, "anchor_b": [-1, 0, 0]});
        let mut scene = hanging(&joint);
        scene["bodies"][1]["position"] = json!([1, 5, 0]);
        let world = World::new(&scene).await;

        let after = world.step(200).await;

        let shown = world.client.joint(&world.sim, "tie").await.json();
        assert_eq!(shown["broken"], json!(!holds), "{share}: {shown}");
        let y = position(&after, "weight")[1];
        assert_eq!((y - 5.0).abs() < 0.05, holds, "{share}: {y}");
    }
}

#[tokio::test]
async fn a_broken_joint_stays_in_the_list_and_stays_broken() {
    let world = World::new(&hanging(
        &json!({"joint_type": "fixed", "anchor_a": [0, -1, 0], "break_force": 10}),
    ))
    .await;
    world.step(10).await;

    let patch = json!({"break_force": 1e6, "enabled": true});
    let patched = world.client.patch_joint(&world.sim, "tie", &patch).await;
    let shown = patched.expect_status(200).json();
    assert_eq!(shown["broken"], json!(true), "{shown}");
    let fallen = position(&world.step(100).await, "weight")[1];
    close(fallen, 4.0 - G * 1.1 * 1.1 / 2.0, 0.2, "it fell freely");

    let removed = world.client.remove_joint(&world.sim, "tie").await;
    removed.expect_status(204);
    let listed = world.client.joints(&world.sim).await.json();
    assert_eq!(listed, json!({"joints": []}));
}

#[tokio::test]
async fn a_threshold_can_be_lowered_until_it_breaks() {
    let world = World::new(&hanging(
        &json!({"joint_type": "fixed", "anchor_a": [0, -1, 0]}),
    ))
    .await;
    world.step(100).await;
    let patch = json!({"break_force": 50});
    let patched = world.client.patch_joint(&world.sim, "tie", &patch).await;
    assert_eq!(patched.expect_status(200).json()["broken"], json!(false));

    world.step(2).await;

    let shown = world.client.joint(&world.sim, "tie").await.json();
    assert_eq!(shown["broken"], json!(true), "{shown}");
}
