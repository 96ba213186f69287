//! Random controllers, and what is told to them on the way.

use serde_json::{Value, json};

use super::random::Random;

/// A controller for a body of this kind, and what it is.
pub(super) fn controller(
    random: &mut Random,
    id: &str,
    body: &str,
    body_kind: &str,
) -> (Value, &'static str) {
    let kind = if body_kind.starts_with("kinematic") {
        "character"
    } else {
        random.pick(&["vehicle", "pid"])
    };
    let mut controller = json!({"id": id, "type": kind, "body_id": body});
    if kind == "vehicle" {
        controller["wheels"] = random.some(5, wheel);
        random.may(&mut controller, 0.2, "up_axis", Random::axis);
        random.may(&mut controller, 0.2, "forward_axis", Random::axis);
        random.may(&mut controller, 0.3, "steered_wheels", |_| json!([0]));
    }
    settings(random, &mut controller, kind);
    (controller, kind)
}

/// What to change of a controller of this kind.
pub(super) fn patch(random: &mut Random, kind: &str) -> Value {
    let mut patch = json!({});
    if kind == "vehicle" {
        for (field, most) in [("engine_force", 1e12), ("brake", 1e12), ("steering", 3.1)] {
            random.may(&mut patch, 0.5, field, |random| {
                random.number([0.0, 1.0], [0.0, most])
            });
        }
    }
    settings(random, &mut patch, kind);
    patch
}

fn settings(random: &mut Random, object: &mut Value, kind: &str) {
    match kind {
        "character" => {
            random.may(object, 0.9, "velocity", |random| random.vector(3.0, 1e5));
            random.may(object, 0.2, "up", |random| random.vector(1.0, 1e5));
            random.may(object, 0.2, "offset", |random| {
                random.number([0.01, 0.1], [1e-4, 1e2])
            });
            random.may(object, 0.3, "autostep", |random| {
                json!({"max_height": random.number([0.0, 0.5], [0.0, 1e3]),
                       "min_width": random.number([0.0, 0.5], [0.0, 1e3])})
            });
            for angle in ["max_slope_climb_angle", "min_slope_slide_angle"] {
                random.may(object, 0.2, angle, |random| {
                    json!(random.between(0.0, 1.57))
                });
            }
            random.may(object, 0.3, "snap_to_ground", |random| {
                random.number([0.0, 0.5], [0.0, 1e3])
            });
            for flag in ["slide", "apply_gravity", "push_dynamic_bodies"] {
                random.may(object, 0.2, flag, |random| json!(random.chance(0.5)));
            }
            random.may(object, 0.1, "mass", |random| {
                random.number([1.0, 100.0], [1e-6, 1e9])
            });
        }
        "pid" => {
            random.may(object, 0.8, "target_position", |random| {
                random.vector(4.0, 1e6)
            });
            random.may(object, 0.3, "target_orientation", Random::orientation);
            for motion in ["target_velocity", "target_angular_velocity"] {
                random.may(object, 0.2, motion, |random| random.vector(3.0, 1e5));
            }
            for gain in ["kp", "ki", "kd", "angular_kp", "angular_ki", "angular_kd"] {
                random.may(object, 0.2, gain, |random| {
                    random.number([0.0, 10.0], [0.0, 1e6])
                });
            }
            random.may(object, 0.2, "axes", |random| {
                random.pick(&[json!(["x", "y"]), json!(["angular_z"]), json!([])])
            });
        }
        _ => {}
    }
}

fn wheel(random: &mut Random) -> Value {
    let mut wheel = json!({"position": random.vector(1.0, 1e5), "radius": random.length()});
    random.may(&mut wheel, 0.1, "direction", |random| {
        random.vector(1.0, 1e5)
    });
    random.may(&mut wheel, 0.1, "axle", |random| random.vector(1.0, 1e5));
    for field in ["suspension_rest_length", "max_travel"] {
        random.may(&mut wheel, 0.2, field, Random::length);
    }
    for field in [
        "stiffness",
        "compression",
        "damping",
        "friction_slip",
        "side_friction_stiffness",
    ] {
        random.may(&mut wheel, 0.2, field, |random| {
            random.number([0.0, 50.0], [0.0, 1e6])
        });
    }
    for field in ["max_suspension_force", "engine_force", "brake"] {
        random.may(&mut wheel, 0.2, field, |random| {
            random.number([0.0, 1e3], [0.0, 1e12])
        });
    }
    wheel
}
