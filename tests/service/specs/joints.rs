//! Random joints: every type, driven, limited, coupled, and those of multibodies.

use serde_json::{Value, json};

use super::random::Random;

const KINDS: [&str; 7] = [
    "fixed",
    "revolute",
    "spherical",
    "prismatic",
    "rope",
    "spring",
    "generic",
];

/// A joint to add, and what it is.
pub(super) fn joint(random: &mut Random, id: &str, bodies: [&str; 2]) -> (Value, &'static str) {
    let kind = random.pick(&KINDS);
    let mut joint = json!({"id": id, "joint_type": kind, "body_a": bodies[0], "body_b": bodies[1]});
    if random.chance(0.15) {
        for frame in ["frame_a", "frame_b"] {
            random.may(&mut joint, 0.7, frame, |random| {
                json!({"position": random.vector(1.0, 1e5), "orientation": random.orientation()})
            });
        }
    } else {
        joint["anchor_a"] = random.vector(1.0, 1e5);
        joint["anchor_b"] = random.vector(1.0, 1e5);
        joint["axis"] = random.vector(1.0, 1e5);
    }
    settings(random, &mut joint, kind);
    match kind {
        "rope" => joint["length"] = random.length(),
        "spring" => {
            joint["rest_length"] = random.length();
            joint["stiffness"] = coefficient(random);
        }
        "generic" => {
            joint["axes"] = axes(random);
            random.may(&mut joint, 0.2, "coupled_axes", |random| {
                random.pick(&[json!(["x", "y"]), json!(["rx", "ry"]), json!(["x"])])
            });
        }
        _ if random.chance(0.4) => {
            joint["multibody"] = json!(true);
            for own in ["armature", "friction", "damping"] {
                random.may(&mut joint, 0.1, own, |random| {
                    random.number([0.0, 1.0], [0.0, 1e9])
                });
            }
        }
        _ => {}
    }
    (joint, kind)
}

/// What to change of a joint of this type.
pub(super) fn patch(random: &mut Random, kind: &str) -> Value {
    let mut patch = json!({});
    settings(random, &mut patch, kind);
    match kind {
        "rope" => patch["length"] = random.length(),
        "spring" => patch["stiffness"] = coefficient(random),
        "generic" => patch["axes"] = axes(random),
        _ => {}
    }
    patch
}

fn settings(random: &mut Random, joint: &mut Value, kind: &str) {
    match kind {
        "revolute" | "prismatic" => {
            let farthest = if kind == "revolute" { 3.1 } else { 1e5 };
            random.may(joint, 0.4, "limits", |random| random.limits(farthest));
            random.may(joint, 0.4, "motor", |random| motor(random, farthest));
        }
        "spherical" => {
            random.may(joint, 0.3, "cone_limit", |random| {
                random.number([0.1, 1.5], [1e-3, 3.1])
            });
            random.may(joint, 0.3, "twist_limits", |random| random.limits(3.1));
            random.may(
                joint,
                0.3,
                "motors",
                |random| json!({"rx": motor(random, 3.1), "rz": motor(random, 3.1)}),
            );
        }
        "spring" => random.may(joint, 0.5, "damping", coefficient),
        _ => {}
    }
    for strength in ["break_force", "break_torque"] {
        random.may(joint, 0.1, strength, |random| {
            random.number([1.0, 1e3], [1e-6, 1e15])
        });
    }
    random.may(joint, 0.1, "softness", |random| {
        json!({"natural_frequency": random.number([1.0, 60.0], [1e-2, 1e6]),
               "damping_ratio": random.number([0.0, 2.0], [0.0, 1e3])})
    });
    random.may(joint, 0.1, "enabled", |random| json!(random.chance(0.5)));
    random.may(joint, 0.3, "collide", |random| json!(random.chance(0.5)));
}

fn motor(random: &mut Random, farthest: f64) -> Value {
    let mut motor = json!({});
    random.may(&mut motor, 0.5, "target_position", |random| {
        random.number([-1.0, 1.0], [-farthest, farthest])
    });
    random.may(&mut motor, 0.5, "target_velocity", |random| {
        random.number([-3.0, 3.0], [-1e5, 1e5])
    });
    random.may(&mut motor, 0.4, "stiffness", coefficient);
    random.may(&mut motor, 0.4, "damping", coefficient);
    random.may(&mut motor, 0.3, "max_force", |random| {
        random.number([0.0, 100.0], [0.0, 1e15])
    });
    random.may(&mut motor, 0.3, "model", |random| {
        json!(random.pick(&["force", "acceleration"]))
    });
    motor
}

fn axes(random: &mut Random) -> Value {
    let mut axes = json!({});
    for axis in ["x", "y", "z", "rx", "ry", "rz"] {
        let farthest = if axis.len() == 1 { 1e5 } else { 3.1 };
        random.may(&mut axes, 0.5, axis, |random| match random.below(3) {
            0 => json!("free"),
            1 => json!({"limits": random.limits(farthest)}),
            _ => json!({"motor": motor(random, farthest)}),
        });
    }
    axes
}

fn coefficient(random: &mut Random) -> Value {
    random.number([1.0, 500.0], [1e-6, 1e12])
}
