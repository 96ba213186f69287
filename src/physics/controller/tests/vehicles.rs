//! Vehicles on their springs, under way and in a curve.

use serde_json::{Value, json};

use super::*;

const CAR_MASS: f64 = 1000.0;

/// A chassis of 2 m × 4 m that looks along x, on four wheels.
pub(super) fn car() -> (Value, Value) {
    let chassis = json!({"id": "car", "shape": "box", "size": [4, 0.5, 2], "position": [0, 0.9, 0],
                         "mass": CAR_MASS, "can_sleep": true});
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
    (chassis, json!([drive]))
}

fn settled_car() -> World {
    let (chassis, drive) = car();
    let mut world = world(&json!([floor(), chassis]), &drive);
    step(&mut world, 300);
    world
}

#[test]
fn a_vehicle_settles_where_its_springs_carry_its_weight() {
    let world = settled_car();
    let view = seen(&world, "drive");
    for wheel in view["wheels"].as_array().unwrap() {
        assert_eq!(wheel["in_contact"], true, "{view}");
        close(
            wheel["suspension_force"].as_f64().unwrap(),
            CAR_MASS * G / 4.0,
            25.0,
        );
        let compressed = 0.5 - wheel["suspension_length"].as_f64().unwrap();
        // The dampers take what the engine's four substeps leave of a fall of one step.
        close(compressed, (G / 4.0 - 6.0 * 0.375 * G * DT) / 50.0, 1e-3);
    }
    close(position(&world, "car")[1], 0.4 + 0.5 - G / 4.0 / 50.0, 1e-2);
    assert_eq!(body(&world, "car")["sleeping"], true);
}

#[test]
fn a_vehicle_accelerates_by_its_force_over_its_mass_keeps_its_speed_and_brakes_to_a_stop() {
    let mut world = settled_car();
    patch(&mut world, "drive", &json!({"engine_force": 500}));
    let seconds = 125.0 * DT;
    step(&mut world, 125);
    let speed = seen(&world, "drive")["speed"].as_f64().unwrap();
    let expected = 4.0 * 500.0 / CAR_MASS * seconds;
    close(speed, expected, 0.05 * expected);
    assert!(position(&world, "car")[0] > 1.0);

    patch(&mut world, "drive", &json!({"engine_force": 0}));
    step(&mut world, 100);
    close(
        seen(&world, "drive")["speed"].as_f64().unwrap(),
        speed,
        0.05 * speed,
    );

    patch(&mut world, "drive", &json!({"brake": 1000}));
    step(&mut world, 250);
    close(seen(&world, "drive")["speed"].as_f64().unwrap(), 0.0, 0.02);
}

#[test]
fn a_steered_vehicle_goes_round_in_a_circle_of_its_wheelbase_over_the_tangent() {
    let mut world = settled_car();
    let steering = 0.2f64;
    patch(
        &mut world,
        "drive",
        &json!({"engine_force": 300, "steering": steering}),
    );
    step(&mut world, 100);
    patch(&mut world, "drive", &json!({"engine_force": 0}));
    step(&mut world, 100);
    let now = body(&world, "car");
    let velocity = triple(&now["velocity"]);
    let turn = triple(&now["angular_velocity"])[1];
    let radius = velocity[0].hypot(velocity[2]) / turn;
    let expected = 2.5 / steering.tan();
    assert!(turn > 0.0, "left is positive: {turn}");
    close(radius, expected, 0.15 * expected);
}

#[test]
fn a_vehicle_that_sleeps_falls_when_its_ground_is_taken_away() {
    let mut world = settled_car();
    apply(
        &mut world,
        &Command::RemoveBody(BodyId::parse("floor").unwrap()),
    );
    step(&mut world, 100);
    assert!(position(&world, "car")[1] < -1.0);
}
