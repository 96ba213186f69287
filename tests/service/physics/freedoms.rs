//! What ropes, springs, cones and generic joints leave free, and where they stop it.

use std::f64::consts::TAU;

use serde_json::{Value, json};

use crate::{
    harness::{number, sphere, triple, zero_gravity},
    physics::{
        World, all_close, close, distance, frames, length, near, position, quaternion, rotate,
        steps_for, turned, with,
    },
};

/// A ball that can move against one that cannot, without gravity.
async fn floating(ball: &Value, joint: &Value) -> World {
    let bodies = json!([
        with(
            sphere("base", 0.1, [0.0, 0.0, 0.0]),
            &json!({"kind": "static"})
        ),
        with(
            sphere("ball", 0.1, [0.0, 0.0, 0.0]),
            &with(json!({"can_sleep": false}), ball)
        ),
    ]);
    let joint = with(
        json!({"id": "tie", "body_a": "base", "body_b": "ball", "axis": [1, 0, 0]}),
        joint,
    );
    let request = json!({"bodies": bodies, "joints": [joint], "dt": 0.005});
    World::new(&with(zero_gravity(), &request)).await
}

async fn tie(world: &World) -> Value {
    let joint = world.client.joint(&world.sim, "tie").await;
    joint.expect_status(200).json()
}

#[tokio::test]
async fn a_rope_is_never_longer_than_it_is_and_goes_slack() {
    let bodies = json!([
        with(
            sphere("hook", 0.1, [0.0, 5.0, 0.0]),
            &json!({"kind": "static"})
        ),
        sphere("bob", 0.1, [1.2, 5.5, 0.0]),
    ]);
    let rope =
        json!({"id": "rope", "joint_type": "rope", "body_a": "hook", "body_b": "bob", "length": 2});
    let world = World::new(&json!({"dt": 0.005, "bodies": bodies, "joints": [rope]})).await;

    let fall = world.record("bob", &json!({"steps": 1000})).await;

    let reaches: Vec<f64> = frames(&fall)
        .iter()
        .map(|frame| distance(triple(&frame["position"]), [0.0, 5.0, 0.0]))
        .collect();
    let longest = reaches.iter().copied().fold(0.0, f64::max);
    let shortest = reaches.iter().copied().fold(f64::MAX, f64::min);
    close(longest, 2.0, 0.02, "the rope when it is taut");
    assert!(shortest < 1.31, "it was slack at first: {shortest}");
    let shown = world.client.joint(&world.sim, "rope").await.json();
    near(
        number(&shown["distance"]),
        distance(position(&world.state().await, "bob"), [0.0, 5.0, 0.0]),
        1e-4,
        "the distance told",
    );

    let patch = json!({"length": 1});
    let patched = world.client.patch_joint(&world.sim, "rope", &patch).await;
    patched.expect_status(200);
    let after = world.step(2000).await;
    let reach = distance(position(&after, "bob"), [0.0, 5.0, 0.0]);
    assert!(reach < 1.02, "a shorter rope: {reach}");
}

#[tokio::test]
async fn a_spring_of_k_and_m_swings_in_two_pi_root_m_over_k() {
    let spring = json!({"joint_type": "spring", "rest_length": 1, "stiffness": 50});
    let world = floating(&json!({"mass": 2, "position": [1.1, 0, 0]}), &spring).await;

    let swing = world.record("ball", &json!({"steps": 2000})).await;

    let at: Vec<(f64, f64)> = frames(&swing)
        .iter()
        .map(|frame| (number(&frame["time"]), triple(&frame["position"])[0] - 1.0))
        .collect();
    let crossings: Vec<f64> = at
        .windows(2)
        .filter(|pair| pair[0].1 < 0.0 && pair[1].1 >= 0.0)
        .map(|pair| pair[0].0 + (pair[1].0 - pair[0].0) * pair[0].1 / (pair[0].1 - pair[1].1))
        .collect();
    let swings = f64::from(u32::try_from(crossings.len() - 1).expect("a few"));
    let period = (crossings[crossings.len() - 1] - crossings[0]) / swings;
    near(period, TAU * (2.0_f64 / 50.0).sqrt(), 0.01, "the period");
}

#[tokio::test]
async fn a_critically_damped_spring_comes_to_rest_without_swinging() {
    let spring = json!({"joint_type": "spring", "rest_length": 1, "stiffness": 50, "damping": 20});
    let world = floating(&json!({"mass": 2, "position": [1.4, 0, 0]}), &spring).await;

    let swing = world.record("ball", &json!({"steps": 1000})).await;

    for frame in frames(&swing) {
        let x = triple(&frame["position"])[0];
        assert!(x > 0.995, "beyond the rest length: {x}");
    }
    let joint = tie(&world).await;
    close(number(&joint["distance"]), 1.0, 1e-2, "at rest");
    close(number(&joint["velocity"]), 0.0, 1e-2, "at rest");
}

#[tokio::test]
async fn a_cone_holds_the_axis_and_twist_limits_hold_the_turn() {
    let joint = json!({
        "joint_type": "spherical", "axis": [0, 1, 0], "cone_limit": 0.5, "twist_limits": [-0.3, 0.4],
    });
    let lean = |frame: &Value| {
        let axis = rotate(quaternion(&frame["orientation"]), [0.0, 1.0, 0.0]);
        axis[1].clamp(-1.0, 1.0).acos()
    };
    for spin in [[2.0, 0.0, 0.0], [0.0, 0.0, -1.5], [1.0, 0.0, 1.0]] {
        let world = floating(&json!({"angular_velocity": spin}), &joint).await;
        let path = world.record("ball", &json!({"steps": 600})).await;
        let farthest = frames(&path).iter().map(lean).fold(0.0, f64::max);
        close(farthest, 0.5, 0.03, &format!("spin {spin:?}"));
    }
    for (speed, limit) in [(2.0, 0.4), (-2.0, -0.3)] {
        let ball = json!({"angular_velocity": [0, speed, 0]});
        let world = floating(&ball, &joint).await;
        let path = world.record("ball", &json!({"steps": 600})).await;
        let farthest = frames(&path)
            .iter()
            .map(|frame| {
                let [_, y, _, w] = quaternion(&frame["orientation"]);
                2.0 * y.atan2(w)
            })
            .max_by(|one, other| one.abs().total_cmp(&other.abs()));
        close(
            farthest.expect("there are frames"),
            limit,
            0.03,
            "the twist",
        );
    }
}

#[tokio::test]
async fn a_generic_joint_holds_each_axis_as_it_is_told_to() {
    let joint = json!({
        "joint_type": "generic", "axes": {"x": {"limits": [-0.5, 0.25]}, "ry": "free", "z": "locked"},
    });
    let ball = json!({"velocity": [1, 1, 1], "angular_velocity": [1, 2, 1]});
    let world = floating(&ball, &joint).await;

    let path = world.record("ball", &json!({"steps": 400})).await;

    let mut farthest = 0.0_f64;
    for frame in frames(&path) {
        let [x, y, z] = triple(&frame["position"]);
        assert!((-0.51..0.26).contains(&x), "x is {x}");
        close(y, 0.0, 5e-3, "y");
        close(z, 0.0, 5e-3, "z");
        let up = rotate(quaternion(&frame["orientation"]), [0.0, 1.0, 0.0]);
        all_close(up, [0.0, 1.0, 0.0], 5e-3, "it turns about y alone");
        farthest = farthest.max(x);
    }
    close(farthest, 0.25, 0.01, "it came to its limit");
    let shown = tie(&world).await;
    let names = |field: &str| {
        let axes = shown[field].as_object().expect("an object");
        axes.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(names("positions"), ["ry", "x"], "{shown}");
    assert_eq!(names("velocities"), ["ry", "x"], "{shown}");
    close(
        number(&shown["velocities"]["ry"]),
        2.0,
        0.1,
        "it still turns",
    );
}

#[tokio::test]
async fn coupled_axes_share_one_limit() {
    let joint = json!({
        "joint_type": "generic", "axes": {"x": {"limits": [0, 1]}, "y": "free"},
        "coupled_axes": ["x", "y"],
    });
    let world = floating(&json!({"velocity": [1, 0.7, 0]}), &joint).await;

    let path = world.record("ball", &json!({"steps": 600})).await;

    let far = |frame: &Value| length(triple(&frame["position"]));
    let farthest = frames(&path).iter().map(far).fold(0.0, f64::max);
    close(farthest, 1.0, 0.02, "how far it gets from the middle");
}

#[tokio::test]
async fn explicit_frames_say_where_zero_is() {
    let tilted = turned([1.0, 0.0, 0.0], 0.5);
    let joint = json!({
        "joint_type": "revolute", "axis": [0, 1, 0], "frame_a": {}, "frame_b": {"orientation": tilted},
    });
    let world = floating(&json!({}), &joint).await;

    close(number(&tie(&world).await["angle"]), 0.5, 1e-5, "at first");
    let after = world.step(100).await;

    close(number(&tie(&world).await["angle"]), 0.5, 1e-3, "later");
    all_close(position(&after, "ball"), [0.0; 3], 1e-3, "it stays");
}

#[tokio::test]
async fn a_disabled_joint_holds_nothing_until_it_is_enabled() {
    let joint = json!({"joint_type": "fixed", "enabled": false});
    let world = floating(&json!({"velocity": [1, 0, 0]}), &joint).await;
    let free = world.step(steps_for(0.5, 0.005)).await;
    close(
        position(&free, "ball")[0],
        0.5,
        5e-3,
        "while it is disabled",
    );

    let patch = json!({"enabled": true});
    let patched = world.client.patch_joint(&world.sim, "tie", &patch).await;
    patched.expect_status(200);
    let held = world.step(400).await;

    all_close(
        position(&held, "ball"),
        [0.0; 3],
        0.01,
        "once it is enabled",
    );
}
