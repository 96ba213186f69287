//! The contacts a state lists.

use serde_json::json;

use crate::{
    harness::{ground, sphere, zero_gravity},
    physics::{World, contacts, fixed_box, loose_box, with},
};

#[tokio::test]
async fn each_body_lists_only_its_own_contacts() {
    let bodies = json!([
        fixed_box("left-table", [2.0, 1.0, 2.0], [-5.0, 0.5, 0.0]),
        fixed_box("right-table", [2.0, 1.0, 2.0], [5.0, 0.5, 0.0]),
        loose_box("left", [1.0, 1.0, 1.0], [-5.0, 1.5, 0.0]),
        loose_box("right", [1.0, 1.0, 1.0], [5.0, 1.5, 0.0]),
        loose_box("on-right", [0.5, 0.5, 0.5], [5.0, 2.25, 0.0]),
        sphere("flying", 0.5, [0.0, 1000.0, 0.0]),
    ]);
    let world = World::new(&json!({"dt": 0.01, "bodies": bodies})).await;

    let state = world.step(100).await;

    assert_eq!(contacts(&state, "left-table"), ["left"]);
    assert_eq!(contacts(&state, "right-table"), ["right"]);
    assert_eq!(contacts(&state, "left"), ["left-table"]);
    assert_eq!(contacts(&state, "right"), ["right-table", "on-right"]);
    assert_eq!(contacts(&state, "on-right"), ["right"]);
    assert!(contacts(&state, "flying").is_empty());
}

#[tokio::test]
async fn contacts_of_sleeping_bodies_stay_listed() {
    let world = World::new(&json!({"dt": 0.01, "bodies": [ground("floor"), loose_box("box", [1.0, 1.0, 1.0], [0.0, 0.5, 0.0])]})).await;

    let state = world.step(1000).await;

    assert_eq!(contacts(&state, "box"), ["floor"]);
    assert_eq!(contacts(&state, "floor"), ["box"]);
}

#[tokio::test]
async fn contacts_end_when_bodies_part() {
    let world = World::new(
        &json!({"dt": 0.01, "bodies": [ground("floor"), sphere("ball", 0.5, [0.0, 0.5, 0.0])]}),
    )
    .await;
    let resting = world.step(100).await;

    world
        .push("ball", &json!({"impulse": [0.0, 8.0, 0.0]}))
        .await;
    let flying = world.step(20).await;
    let back = world.step(400).await;

    assert_eq!(contacts(&resting, "ball"), ["floor"]);
    assert!(contacts(&flying, "ball").is_empty(), "{flying}");
    assert_eq!(contacts(&back, "ball"), ["floor"]);
}

#[tokio::test]
async fn bodies_near_each_other_are_not_in_contact() {
    let bodies = json!([
        sphere("one", 0.5, [0.0, 0.0, 0.0]),
        sphere("other", 0.5, [1.1, 0.0, 0.0]),
        sphere("touching", 0.5, [-0.99, 0.0, 0.0])
    ]);
    let world = World::new(&with(zero_gravity(), &json!({"bodies": bodies}))).await;

    let state = world.step(1).await;

    assert_eq!(contacts(&state, "one"), ["touching"]);
    assert!(contacts(&state, "other").is_empty());
}

#[tokio::test]
async fn a_removed_body_leaves_no_contacts() {
    let world = World::new(
        &json!({"dt": 0.01, "bodies": [ground("floor"), sphere("ball", 0.5, [0.0, 0.5, 0.0])]}),
    )
    .await;
    world.step(100).await;

    world
        .client
        .remove_body(&world.sim, "ball")
        .await
        .expect_status(204);
    let at_once = world.state().await;
    let later = world.step(1).await;

    assert!(contacts(&at_once, "floor").is_empty(), "{at_once}");
    assert!(contacts(&later, "floor").is_empty(), "{later}");
}
