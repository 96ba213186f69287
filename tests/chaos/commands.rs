//! What clients ask for: every kind of command, all of them good wherever the simulation stands.

use rand::{RngExt, rngs::StdRng};
use serde_json::{Value, json};

use crate::{
    harness::{Request, scene, sphere},
    history::World,
};

/// How many bodies one client keeps in one simulation.
const MAX_OWN: usize = 6;

/// One simulation in so many is expensive to step, so that snapshots are taken.
const HEAVY_AMONG: usize = 3;
const BOXES: u8 = 32;

/// What a client is about to do, and what it has in the simulation once that is done.
pub(crate) struct Errand {
    pub(crate) request: Request,
    pub(crate) adds: Option<String>,
    pub(crate) removes: Option<String>,
}

/// A new simulation.
pub(crate) fn creation(number: usize, id: &str) -> Request {
    let mut world = scene(number, id);
    if number.is_multiple_of(HEAVY_AMONG)
        && let Some(bodies) = world["bodies"].as_array_mut()
    {
        bodies.extend((0..BOXES).map(heavy_box));
    }
    Request::post("/simulations", world, format!("create-{id}"))
}

/// A box of a pile whose steps cost something, as it never sleeps.
fn heavy_box(n: u8) -> Value {
    let (layer, place) = (f64::from(n / 4), n % 4);
    let position = [
        8.0 + f64::from(place % 2) * 1.05,
        0.5 + layer * 1.05,
        f64::from(place / 2) * 1.05,
    ];
    json!({"id": format!("heavy-{n}"), "kind": "dynamic", "shape": "box", "size": [1, 1, 1],
           "position": position, "can_sleep": false})
}

/// A command that nobody else gives. `own` are the bodies that its client has in the simulation.
pub(crate) fn errand(random: &mut StdRng, world: &World, own: &[String], unique: &str) -> Errand {
    let post = |rest: &str, body: Value| {
        let request = Request::post(world.path(rest), body, unique);
        Errand {
            request,
            adds: None,
            removes: None,
        }
    };
    let mine = own.get(random.random_range(0..own.len().max(1)));
    let push = [small(random), 2.0 * small(random), small(random)];
    match (random.random_range(0..100), mine) {
        (0..22, _) => post("/bodies/ball/impulse", json!({"impulse": push})),
        (22..40, _) => post("/step", json!({"steps": random.random_range(1..9)})),
        (40..44, _) => post("/step", json!({"steps": 3, "dt": 0.004})),
        (44..50, _) => post("/step", json!({"steps": random.random_range(100..300)})),
        (50..57, _) => post(
            "/bodies/ball/trajectory",
            json!({"steps": random.random_range(2..20), "every": 2}),
        ),
        (57..63, Some(body)) => post(
            "/joints",
            json!({"id": format!("j-{unique}"), "joint_type": "spherical", "body_a": "ball", "body_b": body,
                   "anchor_a": [0.7, 0, 0], "anchor_b": [-0.7, 0, 0]}),
        ),
        (63..69, Some(body)) => post(
            "/controllers",
            json!({"id": format!("c-{unique}"), "type": "pid", "body_id": body,
                   "target_position": [push[0], 3.0, push[2]], "kp": 5}),
        ),
        (69..78, Some(body)) => Errand {
            removes: Some(body.clone()),
            ..post("/commands", removal(body, push))
        },
        (78..88, _) => post("/commands", script(random, push)),
        _ if own.len() < MAX_OWN => {
            let id = format!("b-{unique}");
            Errand {
                adds: Some(id.clone()),
                ..post("/bodies", body(random, &id))
            }
        }
        _ => post("/commands", weather(push)),
    }
}

/// A body, under a name that nobody else gives.
pub(crate) fn body(random: &mut StdRng, id: &str) -> Value {
    let position = [
        4.0 * small(random),
        3.0 + 2.0 * small(random),
        4.0 * small(random),
    ];
    sphere(id, 0.3, position)
}

/// A run with commands on the way, which may end early.
fn script(random: &mut StdRng, push: [f64; 3]) -> Value {
    let steps = random.random_range(5..40);
    json!({
        "steps": steps,
        "commands": [
            {"op": "impulse", "at_step": steps / 2, "body_id": "ball", "impulse": push},
            {"op": "force", "body_id": "ball", "force": push, "torque": [0, 0.1, 0]},
            {"op": "clear_force", "at_step": steps, "body_id": "ball"},
        ],
        "until": [{"type": "below", "body_id": "ball", "field": "position.y", "value": 0.6}],
        "observe": {"bodies": ["ball"], "fields": ["position", "speed"], "every": 5},
    })
}

fn removal(body: &str, push: [f64; 3]) -> Value {
    json!({"commands": [
        {"op": "patch_body", "body_id": "ball", "velocity": push},
        {"op": "remove_body", "body_id": body},
        {"op": "step", "steps": 2},
    ]})
}

fn weather(push: [f64; 3]) -> Value {
    json!({"commands": [
        {"op": "patch_simulation", "gravity": [push[0], -9.0, push[2]]},
        {"op": "patch_body", "body_id": "ball", "restitution": 0.5},
    ]})
}

/// A number between -1 and 1 that a short decimal writes.
fn small(random: &mut StdRng) -> f64 {
    f64::from(random.random_range(-100..=100)) / 100.0
}
