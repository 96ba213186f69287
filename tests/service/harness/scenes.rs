//! Small worlds of different kinds, and what is done in them: the same for the same number.

use serde_json::{Value, json};

use crate::harness::{Request, ground, sphere};

const KINDS: usize = 6;

/// What simulation number `n` is created from. Each has a ball that can be pushed.
pub(crate) fn scene(n: usize, id: &str) -> Value {
    let ball = |position| sphere("ball", 0.5, position);
    let mut scene = json!({"id": id, "dt": 0.01});
    let mut bodies = vec![ground("floor"), ball([0.0, 4.0, 0.0])];
    match n % KINDS {
        0 => scene["labels"] = json!({"scene": "a ball falls", "n": n.to_string()}),
        1 => bodies.extend((0..6_u8).map(|layer| {
            json!({"id": format!("box-{layer}"), "kind": "dynamic", "shape": "box", "size": [1, 1, 1],
                   "position": [0.1 * f64::from(layer), 0.5 + 1.02 * f64::from(layer), 3], "friction": 0.7})
        })),
        2 => {
            bodies.extend((1..4_u8).map(|link| {
                sphere(&format!("link-{link}"), 0.3, [f64::from(link) * 0.8, 4.0, 0.0])
            }));
            bodies.push(json!({"id": "hook", "kind": "static", "shape": "sphere", "size": [0.1], "position": [0, 6, 0]}));
        }
        3 => {
            scene["gravity"] = json!([0, -1.5, 0]);
            bodies[1]["drag_coefficient"] = json!(0.5);
            bodies[1]["drag_area"] = json!(0.2);
            bodies[1]["drag_axis_ratios"] = json!([1, 2, 1]);
            bodies[1]["velocity"] = json!([6, 2, 1]);
        }
        4 => {
            bodies.push(json!({"id": "lift", "kind": "kinematic", "shape": "box", "size": [4, 0.5, 4],
                               "position": [0, 1, 0], "velocity": [0, 0.5, 0.2]}));
            bodies.push(json!({"id": "rider", "kind": "dynamic", "shape": "box", "size": [0.8, 0.8, 0.8],
                               "position": [0.5, 2, 0.5]}));
        }
        _ => bodies.push(json!({"id": "roller", "kind": "dynamic", "shape": "cylinder", "size": [0.4, 0.3],
                                "position": [2, 2, 0], "angular_velocity": [3, 0, 1], "restitution": 0.8})),
    }
    scene["bodies"] = Value::Array(bodies);
    scene
}

/// The first `length` requests to simulation number `n`. All of them are carried out, whatever was
/// carried out before, and each may be sent again and again before the next one.
pub(crate) fn story(n: usize, id: &str, length: usize) -> Vec<Request> {
    (0..length).map(|turn| chapter(n, id, turn)).collect()
}

fn chapter(n: usize, id: &str, turn: usize) -> Request {
    let at = |rest: &str| format!("/simulations/{id}{rest}");
    let key = format!("{id}-{turn}");
    let some = |most: usize| u32::try_from((turn * 7 + n * 3) % most).expect("it is small");
    let push = f64::from(some(5)) - 2.0;
    match (turn + n) % 10 {
        0 | 5 => Request::post(at("/step"), json!({"steps": 1 + some(6)}), key),
        1 => Request::post(at("/step"), json!({"steps": 2, "dt": 0.005}), key),
        2 => Request::post(
            at("/bodies/ball/impulse"),
            json!({"impulse": [push, 2, 0.3]}),
            key,
        ),
        3 => {
            let record = json!({"steps": 3 + some(9), "every": 2});
            Request::post(at("/bodies/ball/trajectory"), record, key)
        }
        4 => {
            let place = [push * 1.5, 3.0 + f64::from(some(4)), -2.0];
            let body = sphere(&format!("late-{turn}"), 0.3, place);
            Request::post(at("/bodies"), body, key)
        }
        6 => change(n, id, turn, push),
        7 => Request::post(
            at("/bodies/ball/impulse"),
            json!({"impulse": [0, 1, push], "point": [0.1, 4, 0]}),
            key,
        ),
        8 => Request::new(
            "PUT",
            at("/bodies/ball/force"),
            Some(json!({"force": [push, 0, 1], "torque": [0, 0.2, 0]})),
        ),
        _ => Request::new("DELETE", at("/bodies/ball/force"), None),
    }
}

/// What is done in worlds of one kind only.
fn change(n: usize, id: &str, turn: usize, push: f64) -> Request {
    let at = |rest: &str| format!("/simulations/{id}{rest}");
    let patch = |rest: &str, body| Request::new("PATCH", at(rest), Some(body));
    match n % KINDS {
        1 => patch(
            "/bodies/box-5",
            json!({"angular_velocity": [push, 1, 0], "friction": 0.2}),
        ),
        2 => {
            let kind = ["spherical", "revolute", "fixed"][turn % 3];
            let joint = json!({"id": format!("joint-{turn}"), "joint_type": kind, "body_a": "ball",
                               "body_b": format!("link-{}", 1 + turn % 3), "anchor_a": [0.4, 0, 0], "anchor_b": [-0.4, 0, 0]});
            Request::post(at("/joints"), joint, format!("{id}-{turn}"))
        }
        3 => patch("", json!({"gravity": [0, -2.0 + push, 0]})),
        4 => patch("/bodies/lift", json!({"velocity": [push, 0.3, 0]})),
        _ => patch(
            "/bodies/ball",
            json!({"velocity": [push, 1, -1], "restitution": 0.6}),
        ),
    }
}
