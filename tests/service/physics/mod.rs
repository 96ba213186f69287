//! The physics a client observes, against what the textbook says.

mod bad_engine_input;
mod bounces;
mod breaking;
mod contact_places;
mod contacts;
mod drag;
mod driving;
mod dynamics;
mod events;
mod forces;
mod freedoms;
mod joints;
mod kinematics;
mod masses;
mod motion;
mod motors;
mod multibodies;
mod plane_worlds;
mod quarantine;
mod reaching;
mod resting;
mod runaways;
mod sensors;
mod shapes_refused;
mod surfaces;
mod teleports;
mod time;
mod walkers;

use serde_json::{Value, json};

use crate::harness::{Client, Instance, find_body, number, triple};

/// The acceleration of a falling body where gravity is the default one, m/s².
pub(super) const G: f64 = 9.81;

/// The longest call the default limits allow.
const STEPS_PER_CALL: u32 = 10_000;

/// One simulation on an instance of its own.
pub(super) struct World {
    pub(super) client: Client,
    pub(super) sim: String,
    _instance: Instance,
}

impl World {
    /// Creates the simulation described by `request`.
    pub(super) async fn new(request: &Value) -> Self {
        Self::with_flags(&[], request).await
    }

    /// Creates the simulation on an instance started with these flags.
    pub(super) async fn with_flags(flags: &[&str], request: &Value) -> Self {
        let instance = Instance::in_process(flags).await;
        let client = instance.client();
        let sim = client.simulation(request).await;
        Self {
            client,
            sim,
            _instance: instance,
        }
    }

    /// Another simulation on the same instance.
    pub(super) async fn again(&mut self, request: &Value) {
        self.client.destroy(&self.sim).await.expect_status(204);
        self.sim = self.client.simulation(request).await;
    }

    pub(super) async fn join(&self, joint: &Value) {
        self.client
            .add_joint(&self.sim, joint)
            .await
            .expect_status(201);
    }

    pub(super) async fn patch(&self, body: &str, patch: &Value) {
        self.client
            .patch_body(&self.sim, body, patch)
            .await
            .expect_status(200);
    }

    pub(super) async fn push(&self, body: &str, impulse: &Value) {
        self.client
            .impulse(&self.sim, body, impulse)
            .await
            .expect_status(204);
    }

    pub(super) async fn force(&self, body: &str, force: &Value) {
        self.client
            .set_force(&self.sim, body, force)
            .await
            .expect_status(204);
    }

    /// Steps and answers the state after it.
    pub(super) async fn step(&self, steps: u32) -> Value {
        let mut left = steps;
        loop {
            let now = left.min(STEPS_PER_CALL);
            left -= now;
            let reply = self.client.step(&self.sim, now).await.expect_status(200);
            if left == 0 {
                return reply.json();
            }
        }
    }

    /// Records `body`; `request` is that of the route.
    pub(super) async fn record(&self, body: &str, request: &Value) -> Value {
        self.client
            .trajectory(&self.sim, body, request)
            .await
            .expect_status(200)
            .json()
    }

    pub(super) async fn state(&self) -> Value {
        self.client.state(&self.sim).await.expect_status(200).json()
    }
}

/// How many steps of `dt` it takes for `seconds` to pass.
pub(super) fn steps_for(seconds: f64, dt: f64) -> u32 {
    (0..=STEPS_PER_CALL)
        .find(|&steps| f64::from(steps) * dt >= seconds)
        .expect("one call is long enough")
}

/// Where a body of a state is, m.
#[track_caller]
pub(super) fn position(state: &Value, body: &str) -> [f64; 3] {
    triple(&find_body(state, body)["position"])
}

/// How fast a body of a state is, m/s.
#[track_caller]
pub(super) fn velocity(state: &Value, body: &str) -> [f64; 3] {
    triple(&find_body(state, body)["velocity"])
}

/// How fast a body of a state turns, rad/s.
#[track_caller]
pub(super) fn spin(state: &Value, body: &str) -> [f64; 3] {
    triple(&find_body(state, body)["angular_velocity"])
}

/// The orientation of a body of a state, `[x, y, z, w]`.
#[track_caller]
pub(super) fn orientation(state: &Value, body: &str) -> [f64; 4] {
    quaternion(&find_body(state, body)["orientation"])
}

/// A quaternion `[x, y, z, w]`.
#[track_caller]
pub(super) fn quaternion(value: &Value) -> [f64; 4] {
    assert_eq!(value.as_array().map(Vec::len), Some(4), "{value}");
    [0, 1, 2, 3].map(|at| number(&value[at]))
}

/// The names a body of a state is in contact with.
#[track_caller]
pub(super) fn contacts(state: &Value, body: &str) -> Vec<String> {
    let listed = find_body(state, body)["contacts"]
        .as_array()
        .unwrap_or_else(|| panic!("no list of contacts of {body} in {state}"));
    listed
        .iter()
        .map(|name| {
            name.as_str()
                .unwrap_or_else(|| panic!("a contact of {body} is no name: {name}"))
                .to_owned()
        })
        .collect()
}

/// The frames of a trajectory.
#[track_caller]
pub(super) fn frames(trajectory: &Value) -> &[Value] {
    trajectory["frames"]
        .as_array()
        .unwrap_or_else(|| panic!("no frames in {trajectory}"))
}

/// The contact events of a trajectory that are of this type.
#[track_caller]
pub(super) fn events<'a>(trajectory: &'a Value, event_type: &str) -> Vec<&'a Value> {
    let all = trajectory["contact_events"]
        .as_array()
        .unwrap_or_else(|| panic!("no contact events in {trajectory}"));
    all.iter()
        .filter(|event| event["event_type"] == event_type)
        .collect()
}

/// Fails unless the two differ by at most `tolerance`.
#[track_caller]
pub(super) fn close(actual: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (actual - expected).abs() <= tolerance,
        "{what}: {actual} is not within {tolerance} of {expected}"
    );
}

/// Fails unless every component is within `tolerance`.
#[track_caller]
pub(super) fn all_close(actual: [f64; 3], expected: [f64; 3], tolerance: f64, what: &str) {
    for axis in 0..3 {
        assert!(
            (actual[axis] - expected[axis]).abs() <= tolerance,
            "{what}: {actual:?} is not within {tolerance} of {expected:?}"
        );
    }
}

/// Fails unless `actual` is within this share of `expected`.
#[track_caller]
pub(super) fn near(actual: f64, expected: f64, share: f64, what: &str) {
    close(actual, expected, expected.abs() * share, what);
}

pub(super) fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    length(difference(a, b))
}

pub(super) fn difference(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(super) fn length(v: [f64; 3]) -> f64 {
    v.iter()
        .map(|component| component * component)
        .sum::<f64>()
        .sqrt()
}

/// A unit quaternion that turns by `angle` about the unit vector `axis`.
pub(super) fn turned(axis: [f64; 3], angle: f64) -> [f64; 4] {
    let (sin, cos) = (angle * 0.5).sin_cos();
    [axis[0] * sin, axis[1] * sin, axis[2] * sin, cos]
}

/// The rotation `a` after the rotation `b`.
pub(super) fn compose(a: [f64; 4], b: [f64; 4]) -> [f64; 4] {
    let [ax, ay, az, aw] = a;
    let [bx, by, bz, bw] = b;
    [
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    ]
}

/// The rotation that undoes `q`.
pub(super) fn inverse(q: [f64; 4]) -> [f64; 4] {
    [-q[0], -q[1], -q[2], q[3]]
}

/// `v` turned by `q`.
pub(super) fn rotate(q: [f64; 4], v: [f64; 3]) -> [f64; 3] {
    let turned = compose(compose(q, [v[0], v[1], v[2], 0.0]), inverse(q));
    [turned[0], turned[1], turned[2]]
}

/// The angle between two orientations, rad.
pub(super) fn angle_between(one: [f64; 4], other: [f64; 4]) -> f64 {
    let turn = compose(inverse(one), other);
    2.0 * length([turn[0], turn[1], turn[2]]).atan2(turn[3].abs())
}

/// A wall-like box that never moves.
pub(super) fn fixed_box(id: &str, size: [f64; 3], position: [f64; 3]) -> Value {
    json!({"id": id, "kind": "static", "shape": "box", "size": size, "position": position})
}

/// A dynamic box.
pub(super) fn loose_box(id: &str, size: [f64; 3], position: [f64; 3]) -> Value {
    json!({"id": id, "kind": "dynamic", "shape": "box", "size": size, "position": position})
}

/// `body` with these members added or replaced.
pub(super) fn with(mut body: Value, members: &Value) -> Value {
    for (name, value) in members.as_object().expect("members are an object") {
        body[name] = value.clone();
    }
    body
}
