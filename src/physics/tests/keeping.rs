//! What can be written down can be read.

use super::*;

#[test]
fn directions_that_are_not_of_length_1_are_kept_with_their_controllers() {
    let mut world = world_of(&[
        add_body(&json!({"id": "walker", "kind": "kinematic", "shape": "sphere", "radius": 0.5})),
        add_body(&ball("ball", 5.0)),
        add_body(&ball("car", 10.0)),
        add_controller(
            &json!({"id": "walk", "type": "character", "body_id": "walker",
            "up": [0.6, 0.5, 0.2]}),
        ),
        add_controller(&json!({"id": "pid", "type": "pid", "body_id": "ball",
            "target_orientation": [0.127, -0.616, -0.218, -0.746]})),
        add_controller(&json!({"id": "drive", "type": "vehicle", "body_id": "car",
            "wheels": [{"position": [0, 0, 0], "radius": 0.1, "direction": [0.6, 0.5, 0.2],
                        "axle": [0.2, 0.6, 0.5]}]})),
    ]);
    step(&mut world, 1);
    keeps(&world);

    let before = directions(&world);
    for id in ["walk", "pid"] {
        let patch = if id == "walk" {
            json!({"velocity": [1, 0, 0]})
        } else {
            json!({"kp": 3})
        };
        let id = ControllerId::parse(id).unwrap();
        apply(&mut world, &Command::PatchController(id, read(&patch)));
    }
    assert_eq!(directions(&world), before);
    step(&mut world, 1);
    keeps(&world);
}

/// The directions of the controllers.
fn directions(world: &World) -> [Value; 2] {
    let view = world.view();
    let seen = serde_json::to_value(view.controllers()).unwrap();
    [seen[0]["up"].clone(), seen[1]["target_orientation"].clone()]
}

#[test]
fn a_body_torn_out_of_the_limits_of_its_joint_does_not_make_its_world_unreadable() {
    let mut world = world_of(&[
        add_body(&ball("a", 0.0)),
        add_body(
            &json!({"id": "b", "shape": "sphere", "radius": 0.5, "position": [2, 0, 0],
            "mass": 1e-6}),
        ),
        add_joint(
            &json!({"id": "hinge", "joint_type": "revolute", "body_a": "a", "body_b": "b",
            "axis": [0, 0, 1], "anchor_a": [1, 0, 0], "anchor_b": [-1, 0, 0],
            "limits": [-0.01, 0.01]}),
        ),
        push("b", [0.0, 3e38, 0.0]),
    ]);
    step(&mut world, 1);
    assert_eq!(body(&world, "b")["quarantined"], true);
    step(&mut world, 1);
    keeps(&world);
    shows_numbers(&world);
}
