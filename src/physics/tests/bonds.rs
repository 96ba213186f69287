//! Bodies that stay what holds on to them needs.

use super::*;

fn hinge(id: &str, a: &str, b: &str) -> Command {
    add_joint(
        &json!({"id": id, "joint_type": "revolute", "body_a": a, "body_b": b,
        "axis": [0, 0, 1], "anchor_a": [1, 0, 0], "multibody": true}),
    )
}

/// A base and two links.
fn arm() -> World {
    world_of(&[
        add_body(&ball("base", 0.0)),
        add_body(&ball("one", 1.0)),
        add_body(&ball("two", 2.0)),
        hinge("first", "base", "one"),
        hinge("second", "one", "two"),
    ])
}

#[test]
fn what_is_in_a_multibody_stays_dynamic_enabled_and_without_controllers() {
    let mut world = arm();
    let plane = json!({"shape": "plane", "normal": [0, 1, 0]});
    refused(&mut world, &patch_body("two", &plane), &["/shape"]);
    let planes = json!({"colliders": [plane]});
    refused(&mut world, &patch_body("one", &planes), &["/colliders"]);
    for (id, kind) in [
        ("one", "static"),
        ("base", "kinematic"),
        ("base", "kinematic_position"),
    ] {
        refused(
            &mut world,
            &patch_body(id, &json!({"kind": kind})),
            &["/kind"],
        );
    }
    for id in ["base", "one", "two"] {
        refused(
            &mut world,
            &patch_body(id, &json!({"enabled": false})),
            &["/enabled"],
        );
        for kind in ["pid", "vehicle"] {
            let wheels = json!([{"position": [0, 0, 0], "radius": 0.1}]);
            let mut controller = json!({"id": "c", "type": kind, "body_id": id});
            if kind == "vehicle" {
                controller["wheels"] = wheels;
            }
            refused(&mut world, &add_controller(&controller), &["/body_id"]);
        }
    }
    step(&mut world, 1);
    keeps(&world);
}

#[test]
fn a_multibody_takes_no_body_that_is_disabled_driven_or_kinematic() {
    let mut world = arm();
    for (id, field, value) in [
        ("off", "enabled", json!(false)),
        ("lift", "kind", json!("kinematic")),
        ("slide", "kind", json!("kinematic_position")),
    ] {
        let mut body = ball(id, 9.0);
        body[field] = value;
        apply(&mut world, &add_body(&body));
    }
    apply(&mut world, &add_body(&ball("driven", 9.0)));
    let pid = json!({"id": "pid", "type": "pid", "body_id": "driven"});
    apply(&mut world, &add_controller(&pid));
    for id in ["off", "lift", "slide", "driven"] {
        refused(&mut world, &hinge("third", "two", id), &["/body_b"]);
        let carried = json!({"id": "third", "joint_type": "revolute", "body_a": id,
            "body_b": "base", "multibody": true});
        refused(&mut world, &add_joint(&carried), &["/body_a"]);
        let list = Command::AddJoints(vec![read(&carried)]);
        refused(&mut world, &list, &["/0/body_a"]);
    }
}

#[test]
fn a_character_has_a_shape_to_walk_with() {
    let mut world = world_of(&[add_body(
        &json!({"id": "ghost", "kind": "kinematic", "colliders": []}),
    )]);
    let walk = add_controller(&json!({"id": "walk", "type": "character", "body_id": "ghost"}));
    refused(&mut world, &walk, &["/body_id"]);
    apply(
        &mut world,
        &patch_body("ghost", &json!({"shape": "sphere", "radius": 0.5})),
    );
    apply(&mut world, &walk);
    refused(
        &mut world,
        &patch_body("ghost", &json!({"colliders": []})),
        &["/colliders"],
    );
    refused(
        &mut world,
        &patch_body("ghost", &json!({"kind": "dynamic"})),
        &["/kind"],
    );
    step(&mut world, 1);
}
