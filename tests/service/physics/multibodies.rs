//! Bodies in multibodies: they move like others, and their joints never give.

use serde_json::{Value, json};

use crate::{
    harness::{number, sphere, triple, zero_gravity},
    physics::{
        World, all_close, close, distance, frames, length, near, position, spin, velocity, with,
    },
};

/// Balls in a row of 1 m gaps to the right of a hook, each hinged to the one before.
fn chain(balls: u32, joint: &Value) -> Value {
    let mut bodies = vec![with(
        sphere("ball-0", 0.1, [0.0, 5.0, 0.0]),
        &json!({"kind": "static"}),
    )];
    let mut joints = Vec::new();
    for n in 1..=balls {
        bodies.push(with(
            sphere(&format!("ball-{n}"), 0.1, [f64::from(n), 5.0, 0.0]),
            &json!({"can_sleep": false}),
        ));
        joints.push(with(
            json!({
                "id": format!("joint-{n}"), "joint_type": "revolute", "axis": [0, 0, 1],
                "body_a": format!("ball-{}", n - 1), "body_b": format!("ball-{n}"),
                "anchor_b": [-1, 0, 0],
            }),
            joint,
        ));
    }
    json!({"dt": 0.005, "bodies": bodies, "joints": joints})
}

#[tokio::test]
async fn a_chain_swings_alike_with_and_without_a_multibody() {
    let mut paths = Vec::new();
    for multibody in [false, true] {
        let world = World::new(&chain(3, &json!({"multibody": multibody}))).await;
        let path = world.record("ball-3", &json!({"steps": 160})).await;
        paths.push(path);
        let state = world.state().await;
        for n in 1..=3 {
            let ends = [n - 1, n].map(|n| position(&state, &format!("ball-{n}")));
            let gap = distance(ends[0], ends[1]);
            close(gap, 1.0, if multibody { 1e-4 } else { 1e-2 }, "the gap");
        }
    }
    for (one, other) in frames(&paths[0]).iter().zip(frames(&paths[1])) {
        let [one, other] = [one, other].map(|frame| triple(&frame["position"]));
        close(distance(one, other), 0.0, 0.1, "how far they are apart");
    }
}

#[tokio::test]
async fn a_pendulum_in_a_multibody_keeps_its_period() {
    let mut scene = chain(
        1,
        &json!({"multibody": true, "anchor_b": [-0.2, 1.989_974_874, 0.0]}),
    );
    scene["bodies"][1]["position"] = json!([0.2, 5.0 - 1.989_974_874, 0.0]);
    let world = World::new(&scene).await;

    let swing = world.record("ball-1", &json!({"steps": 3000})).await;

    let at: Vec<(f64, f64)> = frames(&swing)
        .iter()
        .map(|frame| (number(&frame["time"]), triple(&frame["position"])[0]))
        .collect();
    let crossings: Vec<f64> = at
        .windows(2)
        .filter(|pair| pair[0].1 < 0.0 && pair[1].1 >= 0.0)
        .map(|pair| pair[0].0)
        .collect();
    let swings = f64::from(u32::try_from(crossings.len() - 1).expect("a few"));
    let period = (crossings[crossings.len() - 1] - crossings[0]) / swings;
    near(period, 2.837, 0.01, "the period");
}

#[tokio::test]
async fn a_floating_multibody_keeps_its_momentum_when_it_is_made_struck_and_cut() {
    let mut scene = chain(3, &json!({"multibody": true}));
    for n in 0..=3 {
        scene["bodies"][n]["kind"] = json!("dynamic");
        scene["bodies"][n]["velocity"] = json!([0, 1, 0]);
        scene["bodies"][n]["can_sleep"] = json!(false);
    }
    let world = World::new(&with(scene, &zero_gravity())).await;
    let momentum = |state: &Value| {
        let all = (0..=3).map(|n| velocity(state, &format!("ball-{n}")));
        all.fold([0.0; 3], |sum, v| [0, 1, 2].map(|axis| sum[axis] + v[axis]))
    };

    let made = world.step(10).await;
    all_close(momentum(&made), [0.0, 4.0, 0.0], 0.01, "made");

    world.push("ball-2", &json!({"impulse": [0, 2, 0]})).await;
    let struck = world.state().await;
    all_close(momentum(&struck), [0.0, 6.0, 0.0], 0.01, "struck");
    assert!(length(spin(&struck, "ball-2")) > 0.01, "{struck}");
    let later = world.step(20).await;
    all_close(momentum(&later), [0.0, 6.0, 0.0], 0.1, "a little later");

    let before = world.state().await;
    let removed = world.client.remove_joint(&world.sim, "joint-2").await;
    removed.expect_status(204);
    let cut = world.state().await;
    all_close(momentum(&cut), momentum(&before), 0.01, "cut");
    let apart = world.step(200).await;
    all_close(momentum(&apart), momentum(&before), 0.1, "in two");
    let gap = |a: &str, b: &str| distance(position(&apart, a), position(&apart, b));
    close(gap("ball-0", "ball-1"), 1.0, 1e-3, "what still holds");
    close(gap("ball-2", "ball-3"), 1.0, 1e-3, "what still holds");
}

#[tokio::test]
async fn a_multibody_follows_its_base_and_its_links_cannot_be_placed() {
    let world = World::new(&chain(3, &json!({"multibody": true}))).await;
    world.step(20).await;
    let before = world.state().await;

    world
        .patch("ball-0", &json!({"position": [10, 6, 0]}))
        .await;
    let moved = world.state().await;
    for n in 0..=3 {
        let ball = format!("ball-{n}");
        let [x, y, z] = position(&before, &ball);
        all_close(position(&moved, &ball), [x + 10.0, y + 1.0, z], 1e-3, &ball);
    }
    for patch in [
        json!({"position": [0, 0, 0]}),
        json!({"orientation": [0, 0, 0, 1]}),
        json!({"kind": "static"}),
    ] {
        let refused = world.client.patch_body(&world.sim, "ball-2", &patch).await;
        refused.expect_status(422);
    }
    let kinematic = json!({"kind": "kinematic"});
    let refused = world
        .client
        .patch_body(&world.sim, "ball-0", &kinematic)
        .await;
    refused.expect_status(422);

    world
        .patch(
            "ball-1",
            &json!({"velocity": [0, 0, 0], "angular_velocity": [0, 0, 0]}),
        )
        .await;
    let halted = world.state().await;
    all_close(velocity(&halted, "ball-1"), [0.0; 3], 1e-4, "halted");
}

#[tokio::test]
async fn what_is_taken_out_of_a_multibody_leaves_the_rest_whole() {
    let world = World::new(&chain(5, &json!({"multibody": true}))).await;
    world.step(20).await;

    let removed = world.client.remove_body(&world.sim, "ball-3").await;
    removed.expect_status(204);
    let after = world.step(300).await;

    let listed = world.client.joints(&world.sim).await.json();
    let ids: Vec<_> = listed["joints"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|joint| &joint["id"])
        .collect();
    assert_eq!(ids, ["joint-1", "joint-2", "joint-5"]);
    for (a, b) in [
        ("ball-0", "ball-1"),
        ("ball-1", "ball-2"),
        ("ball-4", "ball-5"),
    ] {
        close(
            distance(position(&after, a), position(&after, b)),
            1.0,
            1e-3,
            a,
        );
    }
    assert!(position(&after, "ball-5")[1] < 0.5, "it falls: {after}");
    assert!(position(&after, "ball-2")[1] > 2.5, "it hangs: {after}");
}

#[tokio::test]
async fn multibodies_are_trees_of_dynamic_bodies_and_not_too_large() {
    let world = World::new(&chain(3, &json!({"multibody": true}))).await;
    for body in [
        json!({"id": "free", "shape": "sphere", "radius": 0.1, "position": [0, 9, 0]}),
        json!({"id": "wall", "shape": "sphere", "radius": 0.1, "kind": "static"}),
        json!({"id": "lift", "shape": "sphere", "radius": 0.1, "kind": "kinematic"}),
    ] {
        world
            .client
            .add_body(&world.sim, &body)
            .await
            .expect_status(201);
    }
    for (joint, pointer) in [
        (
            json!({"body_a": "ball-3", "body_b": "ball-1"}),
            "/multibody",
        ),
        (json!({"body_a": "free", "body_b": "ball-2"}), "/multibody"),
        (json!({"body_a": "free", "body_b": "wall"}), "/body_b"),
        (json!({"body_a": "lift", "body_b": "free"}), "/body_a"),
        (
            json!({"body_a": "ball-3", "body_b": "free", "break_force": 1}),
            "/break_force",
        ),
        (
            json!({"body_a": "ball-3", "body_b": "free", "enabled": false}),
            "/enabled",
        ),
        (
            json!({"body_a": "ball-3", "body_b": "free", "joint_type": "rope", "length": 1}),
            "/body_a",
        ),
        (
            json!({"body_a": "ball-3", "body_b": "free", "joint_type": "generic", "axes": {"rx": "free", "ry": "free"}}),
            "/multibody",
        ),
        (
            json!({"body_a": "ball-3", "body_b": "free", "joint_type": "spherical", "twist_limits": [0, 1]}),
            "/multibody",
        ),
        (
            json!({"multibody": false, "body_a": "free", "body_b": "ball-3", "joint_type": "rope", "length": 1}),
            "/body_b",
        ),
    ] {
        let base = json!({"id": "more", "joint_type": "revolute", "multibody": true});
        let reply = world
            .client
            .add_joint(&world.sim, &with(base, &joint))
            .await;
        let problem = reply.expect_status(422).json();
        let pointers: Vec<_> = problem["errors"]
            .as_array()
            .expect("errors")
            .iter()
            .map(|fault| &fault["pointer"])
            .collect();
        assert!(pointers.contains(&&json!(pointer)), "{joint}: {problem}");
    }

    let scene = chain(64, &json!({"multibody": true}));
    let refused = world.client.create_simulation(&scene).await;
    let problem = refused.expect_status(422).json();
    assert_eq!(problem["error"], "limit_exceeded", "{problem}");
    assert!(
        problem.to_string().contains("MAX_MULTIBODY_LINKS"),
        "{problem}"
    );
}

#[tokio::test]
async fn bodies_are_drawn_onto_a_joint_of_a_multibody_at_once() {
    let mut scene = chain(1, &json!({"multibody": true}));
    scene["bodies"][1]["position"] = json!([1.5, 5.2, 0.3]);
    let world = World::new(&scene).await;
    let state = world.state().await;
    all_close(position(&state, "ball-1"), [1.0, 5.0, 0.0], 1e-4, "at once");
}

#[tokio::test]
async fn a_limit_stops_a_link_and_friction_holds_it() {
    let limited = json!({"multibody": true, "limits": [-0.5, 0.5]});
    let world = World::new(&chain(1, &limited)).await;
    world.step(400).await;
    let joint = world.client.joint(&world.sim, "joint-1").await.json();
    close(number(&joint["angle"]), -0.5, 0.02, "at its limit");

    for (friction, holds) in [(12.0, true), (8.0, false)] {
        let rubbing = json!({"multibody": true, "friction": friction});
        let world = World::new(&chain(1, &rubbing)).await;
        world.step(200).await;
        let joint = world.client.joint(&world.sim, "joint-1").await.json();
        let angle = number(&joint["angle"]);
        assert_eq!(angle.abs() < 0.05, holds, "{friction}: {angle}");
    }
}

#[tokio::test]
async fn no_body_of_a_multibody_can_be_disabled() {
    let ball = |id: &str, x: f64| sphere(id, 0.5, [x, 5.0, 0.0]);
    let joint = |id: &str, b: &str| {
        json!({"id": id, "joint_type": "revolute", "body_a": "a", "body_b": b, "anchor_a": [3, 0, 0],
               "multibody": true})
    };
    let off = with(ball("off", 9.0), &json!({"enabled": false}));
    let world = World::new(&json!({
        "bodies": [ball("a", 0.0), ball("b", 3.0), off], "joints": [joint("hinge", "b")],
    }))
    .await;

    for id in ["a", "b"] {
        let path = format!("/simulations/{}/bodies/{id}", world.sim);
        let disabled = world.client.patch(path, &json!({"enabled": false})).await;
        disabled.expect_problem(422, "invalid_value");
    }
    let path = format!("/simulations/{}/joints", world.sim);
    let hung = world.client.post(path, &joint("second", "off")).await;
    hung.expect_problem(422, "invalid_value");
    world.step(10).await;
}
