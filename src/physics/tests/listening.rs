//! Events of what changes while it touches.

use super::*;

fn told(world: &World) -> Vec<String> {
    let events = serde_json::to_value(world.view().events(0, 100)).unwrap();
    let events = events["events"].as_array().unwrap().clone();
    let kinds = events
        .iter()
        .map(|event| event["type"].as_str().unwrap().to_owned());
    kinds
        .filter(|kind| kind.contains("collision") || kind.contains("sensor"))
        .collect()
}

#[test]
fn what_began_as_a_collision_ends_as_one_whatever_its_bodies_become() {
    let mut world = world_of(&[
        add_body(&json!({"id": "wall", "kind": "static", "shape": "box", "size": [2, 2, 2]})),
        add_body(
            &json!({"id": "ball", "shape": "sphere", "radius": 0.5, "position": [0, 1.499, 0],
            "can_sleep": false}),
        ),
    ]);
    step(&mut world, 2);
    assert_eq!(told(&world), ["collision_started"]);
    apply(
        &mut world,
        &patch_body("ball", &json!({"shape": "box", "size": [1, 1.02, 1]})),
    );
    step(&mut world, 1);
    assert_eq!(
        told(&world),
        ["collision_started", "collision_ended", "collision_started"]
    );
    apply(&mut world, &patch_body("ball", &json!({"is_sensor": true})));
    step(&mut world, 1);
    assert_eq!(told(&world)[3..], ["collision_ended", "sensor_entered"]);
    apply(
        &mut world,
        &patch_body("ball", &json!({"is_sensor": false})),
    );
    step(&mut world, 1);
    assert_eq!(told(&world)[5..], ["sensor_left", "collision_started"]);
}
