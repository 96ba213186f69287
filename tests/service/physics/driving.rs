//! Vehicles on ground that is not flat.

use serde_json::{Value, json};

use crate::{
    harness::{number, triple},
    physics::{G, World, close, fixed_box, frames, length, near, with},
};

/// How high the ground is, m: flat, then a slope from 10 m to 40 m, then flat again, 2 m higher.
fn height(x: f64) -> f64 {
    let share = ((x - 10.0) / 30.0).clamp(0.0, 1.0);
    2.0 * share * share * (3.0 - 2.0 * share)
}

/// The same from -60 m to 60 m, a height every 2 m.
fn hill() -> Value {
    let heights: Vec<f64> = (0..=60_i16)
        .map(|n| height(f64::from(n) * 2.0 - 60.0))
        .collect();
    json!({"id": "hill", "kind": "static", "shape": "heightfield", "heights": [heights, heights],
           "scale": [120, 1, 20]})
}

/// A car on its springs that rolls towards the hill at 10 m/s.
fn car() -> (Value, Value) {
    let chassis = json!({"id": "car", "shape": "box", "size": [4, 0.5, 2], "mass": 1000,
                         "position": [-20, 0.851, 0], "velocity": [10, 0, 0]});
    let wheel = |x: f64, z: f64| {
        json!({"position": [x, 0, z], "radius": 0.4, "suspension_rest_length": 0.5,
               "stiffness": 50, "compression": 6, "damping": 6})
    };
    let wheels = [
        wheel(1.25, -0.8),
        wheel(1.25, 0.8),
        wheel(-1.25, -0.8),
        wheel(-1.25, 0.8),
    ];
    let drive = json!({"id": "drive", "type": "vehicle", "body_id": "car", "wheels": wheels,
                       "steered_wheels": [0, 1]});
    (chassis, drive)
}

#[tokio::test]
async fn a_rolling_car_follows_a_heightfield_and_pays_for_the_height_with_its_speed() {
    let (chassis, drive) = car();
    let scene = json!({"bodies": [hill(), chassis], "controllers": [drive]});
    let world = World::new(&scene).await;

    let recorded = world
        .record("car", &json!({"steps": 500, "every": 10}))
        .await;

    let settled = &frames(&recorded)[2..];
    let first = triple(&settled[0]["position"]);
    for frame in settled {
        let [x, y, z] = triple(&frame["position"]);
        let speed = length(triple(&frame["velocity"]));
        close(y - height(x), 0.4 + 0.5 - G / 4.0 / 50.0, 0.03, "height");
        close(z, 0.0, 0.01, "nothing pushes it sideways");
        let left = 10.0 * 10.0 - 2.0 * G * (y - first[1]);
        near(speed, left.sqrt(), 0.005, "speed");
    }
    let last = triple(&settled.last().expect("frames")["position"]);
    assert!(first[0] < 0.0 && last[0] > 45.0, "{first:?} to {last:?}");
    let events = &recorded["contact_events"];
    assert_eq!(*events, json!([]), "only its wheels touch the ground");
    let path = format!("/simulations/{}/controllers/drive", world.sim);
    let shown = world.client.get(path).await.expect_status(200).json();
    let speed = length(triple(&frames(&recorded)[49]["velocity"]));
    near(number(&shown["speed"]), speed, 0.01, "its own speed");
}

#[tokio::test]
async fn a_wheel_that_reaches_no_ground_carries_nothing() {
    let (chassis, drive) = car();
    let ledge = fixed_box("ledge", [20.0, 1.0, 9.0], [-10.4, -0.5, 0.0]);
    let chassis = with(
        chassis,
        &json!({"position": [0, 0.851, 0], "velocity": [0, 0, 0]}),
    );
    let scene = json!({"bodies": [ledge, chassis], "controllers": [drive]});
    let world = World::new(&scene).await;
    world.step(2).await;

    let path = format!("/simulations/{}/controllers/drive", world.sim);
    let shown = world.client.get(path).await.expect_status(200).json();

    let wheels = shown["wheels"].as_array().expect("a list");
    let touching: Vec<_> = wheels.iter().map(|wheel| &wheel["in_contact"]).collect();
    assert_eq!(touching, [false, false, true, true], "{shown}");
    assert_eq!(wheels[0]["suspension_force"], 0.0, "{shown}");
}
