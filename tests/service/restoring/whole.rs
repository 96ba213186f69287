//! Worlds of robots, of scripted runs, and of what has gone beyond all bounds.

use std::{f64::consts::FRAC_1_SQRT_2, sync::Arc};

use rapier_physics_service::{
    imports::{ImportLimits, translate},
    physics::{
        AssetId, Assets, Batch, Command, Condition, Item, Measure, Mesh, Observe, StateField, Steps,
    },
};
use serde_json::{Value, json};

use super::scenes::{Scene, body_id, floor, joint_id, patch, patched, push, read, step};

const ARM: &str = include_str!("../robots/two_joint_arm.urdf");
const CART: &str = include_str!("../robots/cartpole.urdf");
const ANT: &str = include_str!("../robots/ant.xml");

/// Turns what has z for up so that y is.
const UPRIGHT: [f64; 4] = [-FRAC_1_SQRT_2, 0.0, 0.0, FRAC_1_SQRT_2];

/// The meshes that scenes are made of: a roof.
pub(super) fn assets() -> Assets {
    let vertices = vec![
        [-9.0, 0.0, -9.0],
        [9.0, 0.0, -9.0],
        [-9.0, 1.5, 0.0],
        [9.0, 1.5, 0.0],
        [-9.0, 0.0, 9.0],
        [9.0, 0.0, 9.0],
    ];
    let triangles = vec![[0, 2, 1], [1, 2, 3], [2, 4, 3], [3, 4, 5]];
    let roof = Mesh::new(vertices, triangles).expect("the mesh is sound");
    let mut assets = Assets::default();
    assets.insert(roof_id(), Arc::new(roof));
    assets
}

fn roof_id() -> AssetId {
    AssetId::of_hash([7; 32])
}

/// Robots of either format and of both kinds of joints, on a mesh of an asset.
pub(super) fn robots() -> Scene {
    let roof = json!({"id": "roof", "kind": "static", "shape": "mesh", "asset": roof_id(), "position": [0, -0.5, 0]});
    Scene {
        name: "robots on a roof",
        moment: 60,
        config: json!({"dt": 0.01}),
        bodies: vec![floor(), roof],
        joints: Vec::new(),
        script: |steps| match steps {
            1 => vec![
                import(
                    "mjcf",
                    ANT,
                    &json!({"prefix": "ant_", "position": [0, 1.5, 2]}),
                ),
                import(
                    "urdf",
                    ARM,
                    &json!({"prefix": "arm_", "position": [4, 3, 0], "fixed_base": true,
                    "motors": {"stiffness": 300.0, "damping": 20.0}}),
                ),
                import(
                    "urdf",
                    CART,
                    &json!({"prefix": "cart_", "position": [-4, 3, 0], "joints": "impulse"}),
                ),
            ],
            20 | 150 => vec![
                patched(
                    "arm_joint_1",
                    json!({"motor": {"target_position": 0.8, "stiffness": 300, "damping": 20}}),
                ),
                push("cart_cart", [0.5, 0.0, 0.0]),
            ],
            90 => vec![
                patched("arm_joint_2", json!({"motor": null})),
                push("ant_torso", [0.0, 1.0, 0.5]),
            ],
            300 => vec![Command::RemoveBody(body_id("roof"))],
            _ => Vec::new(),
        },
    }
}

fn import(format: &str, content: &str, more: &Value) -> Command {
    let mut request = json!({"format": format, "content": content, "orientation": UPRIGHT});
    for (field, value) in more.as_object().expect("it is an object") {
        request[field] = value.clone();
    }
    let limits = ImportLimits {
        max_bytes: 1 << 20,
        max_bodies: 100,
    };
    let import = translate(&read(request), limits).expect("the description is sound");
    Command::Import(Box::new(import))
}

/// Whole runs in one command: edits on the way, ends that come early, and what is seen of it.
pub(super) fn scripted() -> Scene {
    let balls = (0..6).map(|n| {
        json!({"id": format!("ball-{n}"), "shape": "sphere", "radius": 0.3, "restitution": 0.8, "contact_force_threshold": 5,
               "position": [0.7 * f64::from(n), 2.0 + 0.4 * f64::from(n), 0.05 * f64::from(n)]})
    });
    Scene {
        name: "runs with a script",
        moment: 40,
        config: json!({"dt": 0.01}),
        bodies: [floor()].into_iter().chain(balls).collect(),
        joints: Vec::new(),
        script: |steps| match steps {
            10 => vec![run(7, Vec::new())],
            // The moment lies between this run and the next.
            50 => vec![run(
                30,
                vec![Condition::Above(body_id("ball-0"), Measure::Y, 50.0)],
            )],
            100 | 150 | 400 => vec![run(
                25,
                vec![Condition::Contact(body_id("floor"), body_id("ball-1"))],
            )],
            _ => Vec::new(),
        },
    }
}

fn run(count: u32, until: Vec<Condition>) -> Command {
    let at = |at_step: u32, command: Command| Item {
        at_step: Some(at_step),
        command,
    };
    let batch = Batch {
        atomic: false,
        items: vec![
            at(3, push("ball-1", [0.0, 3.0, 0.2])),
            at(6, patch("ball-2", &json!({"velocity": [1, 2, 0]}))),
            // It may be there already, and is refused then.
            at(
                5,
                super::scenes::add(
                    &json!({"id": "late", "shape": "box", "size": [0.4, 0.4, 0.4], "position": [1, 5, 0]}),
                ),
            ),
            Item {
                at_step: None,
                command: patch("ball-3", &json!({"angular_velocity": [0, 9, 0]})),
            },
            Item {
                at_step: None,
                command: step(2),
            },
        ],
        steps: Steps { count, dt: None },
        until,
        observe: Some(Observe {
            bodies: None,
            fields: vec![StateField::Position, StateField::Contacts],
            every: 4,
        }),
        limits: None,
    };
    batch.into()
}

/// A body and a multibody that go beyond all bounds, one before the moment, one after; joints of
/// bodies that are not there at present.
pub(super) fn beyond() -> Scene {
    let mut bodies = vec![floor()];
    let mut joints = Vec::new();
    for n in 0..12 {
        let (x, y) = (f64::from(n % 4), 3.0 + 2.0 * f64::from(n / 4));
        bodies.push(json!({"id": format!("part-{n}"), "shape": "box", "size": [0.5, 0.4, 0.4], "position": [x, y, 0], "mass": 0.1}));
        if n % 4 > 0 {
            joints.push(json!({"id": format!("joint-{n}"), "joint_type": "spherical", "body_a": format!("part-{}", n - 1),
                "body_b": format!("part-{n}"), "anchor_a": [0.5, 0, 0], "anchor_b": [-0.5, 0, 0], "multibody": n < 8}));
        }
    }
    bodies.push(json!({"id": "belt", "kind": "kinematic", "shape": "box", "size": [3, 0.2, 1], "position": [1, 1, 0], "velocity": [0.1, 0, 0]}));
    Scene {
        name: "what goes beyond all bounds",
        moment: 60,
        config: json!({"dt": 0.01}),
        bodies,
        joints,
        script: |steps| match steps {
            20 => vec![hurl("part-1", 1e12)],
            30 => vec![
                hurl("part-8", 3e38),
                patch("part-10", &json!({"enabled": false})),
            ],
            100 => vec![hurl("part-6", 1e12)],
            150 => vec![patch("part-10", &json!({"enabled": true}))],
            200 => vec![
                Command::RemoveJoint(joint_id("joint-1")),
                patch("part-1", &json!({"enabled": true, "position": [0, 8, 0]})),
            ],
            250 => vec![Command::RemoveBody(body_id("part-2"))],
            _ => Vec::new(),
        },
    }
}

fn hurl(body: &str, force: f64) -> Command {
    let force = read(json!({"force": [force, 0.0, 0.0], "torque": [0.0, 0.0, 0.0], "point": null}));
    Command::SetForce(body_id(body), force)
}
