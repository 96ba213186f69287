//! Characters among bodies of other groups, and those that have nothing to walk with.

use serde_json::json;

use crate::{
    harness::{sphere, zero_gravity},
    physics::{World, close, position, with},
};

#[tokio::test]
async fn a_character_meets_only_what_its_groups_meet() {
    let walker = with(
        sphere("walker", 0.5, [0.0, 0.0, 0.0]),
        &json!({"kind": "kinematic", "collision_groups": {"memberships": 1, "filter": 1}}),
    );
    let ball = |id: &str, x: f64, groups: u32| {
        let groups = json!({"collision_groups": {"memberships": groups, "filter": groups}});
        with(sphere(id, 0.5, [x, 0.0, 0.0]), &groups)
    };
    let bodies = json!([walker, ball("stranger", 2.0, 2), ball("fellow", 4.0, 1)]);
    let scene = with(json!({"dt": 0.01, "bodies": bodies}), &zero_gravity());
    let world = World::new(&scene).await;
    let walk =
        json!({"id": "walk", "type": "character", "body_id": "walker", "velocity": [2, 0, 0]});
    let path = format!("/simulations/{}/controllers", world.sim);
    world.client.post(path, &walk).await.expect_status(201);

    let state = world.step(300).await;

    close(position(&state, "stranger")[0], 2.0, 1e-6, "walked through");
    assert!(position(&state, "fellow")[0] > 4.1, "pushed: {state}");
}

#[tokio::test]
async fn what_has_no_collider_is_no_character() {
    let frame = json!({"id": "frame", "kind": "kinematic", "colliders": []});
    let walker = with(
        sphere("walker", 0.5, [0.0, 5.0, 0.0]),
        &json!({"kind": "kinematic"}),
    );
    let world = World::new(&json!({"bodies": [frame, walker]})).await;
    let path = format!("/simulations/{}/controllers", world.sim);
    let walk = |body: &str| json!({"id": "walk", "type": "character", "body_id": body});

    let refused = world.client.post(path.clone(), &walk("frame")).await;
    refused
        .expect_problem(422, "invalid_value")
        .expect_pointers(&["/body_id"]);
    let taken = world.client.post(path, &walk("walker")).await;
    taken.expect_status(201);
    let bare = json!({"colliders": []});
    let refused = world.client.patch_body(&world.sim, "walker", &bare).await;
    refused
        .expect_problem(422, "invalid_value")
        .expect_pointers(&["/colliders"]);
    world.step(10).await;
}
