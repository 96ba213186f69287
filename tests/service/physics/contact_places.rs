//! Where bodies touch that are made of several parts, or of many triangles.

use std::f64::consts::FRAC_1_SQRT_2;

use serde_json::{Value, json};

use crate::{
    harness::{ground, sphere, triple},
    physics::{World, all_close, events, fixed_box, frames},
};

/// What a call that follows the fall of `body` tells of its first contact, and where the body was
/// before the step in which that was found.
async fn landing(world: &World, body: &str) -> (Value, [f64; 3]) {
    let recorded = world.record(body, &json!({"steps": 300})).await;
    let started = events(&recorded, "started");
    let first = started.first().expect("it lands");
    let before = frames(&recorded)
        .iter()
        .find(|frame| frame["time"] == first["time"])
        .expect("every step has a frame");
    ((*first).clone(), triple(&before["position"]))
}

/// A light part high up, and the one that lands first 2 m along the x of the body.
fn lopsided() -> Value {
    json!({"id": "thing", "shape": "compound", "orientation": [0, FRAC_1_SQRT_2, 0, FRAC_1_SQRT_2],
           "position": [3, 3, 1], "shapes": [
        {"shape": "sphere", "radius": 0.5, "position": [2, 0, 0]},
        {"shape": "box", "size": [0.5, 0.5, 0.5], "position": [-2, 1, 0]},
    ]})
}

#[tokio::test]
async fn a_compound_touches_where_its_part_is() {
    let pillars = json!({"id": "pillars", "kind": "static", "shape": "compound", "position": [0, -2, 0],
                         "shapes": [
        {"shape": "box", "size": [1, 2, 1], "position": [3, 1, -1]},
        {"shape": "box", "size": [1, 2, 1], "position": [-9, 1, 0]},
    ]});
    for below in [
        ground("floor"),
        fixed_box("floor", [50.0, 1.0, 50.0], [0.0, -0.5, 0.0]),
        pillars,
    ] {
        let scene = json!({"dt": 0.01, "bodies": [below, lopsided()]});
        let world = World::new(&scene).await;

        let (landed, _) = landing(&world, "thing").await;

        // Turned by a quarter about y, its x is the world's -z.
        let place = triple(&landed["contact_point"]);
        all_close(place, [3.0, 0.0, -1.0], 0.01, &below.to_string());
        let away = if landed["body_b"] == "thing" {
            1.0
        } else {
            -1.0
        };
        all_close(
            triple(&landed["normal"]),
            [0.0, away, 0.0],
            1e-3,
            &landed.to_string(),
        );
    }
}

#[tokio::test]
async fn a_ball_touches_a_slope_of_triangles_beside_its_lowest_point() {
    // It rises by one half: its normal is (-1, 2, 0) / √5.
    let field = json!({"id": "slope", "kind": "static", "shape": "heightfield", "position": [0, 0, 5],
                       "heights": [[-2, 0, 2], [-2, 0, 2]], "scale": [8, 1, 8]});
    let mesh = json!({"id": "slope", "kind": "static", "shape": "mesh", "position": [0, 0, 5],
                      "vertices": [[-4, -2, -4], [4, 2, -4], [4, 2, 4], [-4, -2, 4]],
                      "indices": [[0, 2, 1], [0, 3, 2]]});
    let radius = 0.5;
    let normal = [-1.0, 2.0, 0.0].map(|it: f64| it / 5.0_f64.sqrt());
    for slope in [field, mesh] {
        let ball = sphere("ball", radius, [1.0, 4.0, 6.0]);
        let scene = json!({"dt": 0.01, "bodies": [slope, ball]});
        let world = World::new(&scene).await;

        let (landed, before) = landing(&world, "ball").await;

        let lowest = 0.5 + radius * 5.0_f64.sqrt() / 2.0;
        let truth = [0, 1, 2].map(|axis| [1.0, lowest, 6.0][axis] - radius * normal[axis]);
        let found = triple(&landed["contact_point"]);
        all_close(
            found,
            truth,
            0.01,
            &format!("{slope}, found from {before:?}"),
        );
        all_close(
            triple(&landed["normal"]),
            normal.map(|it| -it),
            1e-3,
            "from the ball to the slope",
        );
    }
}

#[tokio::test]
async fn a_body_of_several_colliders_lands_once_and_where_it_is_deepest() {
    // Two feet, the one at x = 1 a little lower.
    let feet = json!({"id": "feet", "position": [0, 2, 0], "restitution": 0, "colliders": [
        {"shape": "sphere", "radius": 0.3, "position": [1, -0.002, 0], "restitution": 0},
        {"shape": "sphere", "radius": 0.3, "position": [-1, 0, 0], "restitution": 0},
        {"shape": "box", "size": [4, 0.1, 4], "is_sensor": true},
    ]});
    let mut floor = ground("floor");
    floor["restitution"] = json!(0);
    let world = World::new(&json!({"dt": 0.01, "bodies": [floor, feet]})).await;

    let recorded = world.record("feet", &json!({"steps": 100})).await;

    let started = events(&recorded, "started");
    let pushed: Vec<_> = started
        .iter()
        .filter(|event| event["impulse_magnitude"] != 0.0)
        .collect();
    assert_eq!(pushed.len(), 1, "{started:?}");
    let place = triple(&pushed[0]["contact_point"]);
    all_close(place, [1.0, 0.0, 0.0], 0.02, "the lower foot");
    assert!(events(&recorded, "ended").is_empty(), "{recorded}");
}
