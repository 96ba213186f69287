//! Inverse kinematics: a link comes to where it is wanted, or it is said how near.

use serde_json::{Value, json};

use crate::{
    harness::{number, sphere},
    physics::{World, all_close, close, near, orientation, position, rotate, with},
};

/// An arm of two parts of 1 m in the plane of x and y, bent a little.
fn arm(joint: &Value) -> Value {
    let hinge = |id: &str, a: &str, b: &str| {
        let hinge = json!({
            "id": id, "joint_type": "revolute", "axis": [0, 0, 1], "body_a": a, "body_b": b,
            "anchor_a": [if a == "base" { 0.0 } else { 0.5 }, 0, 0], "anchor_b": [-0.5, 0, 0],
            "multibody": true,
        });
        with(hinge, joint)
    };
    json!({
        "gravity": [0, 0, 0],
        "bodies": [
            with(sphere("base", 0.1, [0.0, 0.0, 0.0]), &json!({"kind": "static"})),
            sphere("upper", 0.1, [0.5, 0.0, 0.0]),
            sphere("lower", 0.1, [1.5, 0.0, 0.0]),
        ],
        "joints": [hinge("shoulder", "base", "upper"), hinge("elbow", "upper", "lower")],
    })
}

async fn reach(world: &World, request: &Value) -> Value {
    let request = with(
        json!({"body_id": "lower", "point": [0.5, 0, 0], "max_iterations": 500}),
        request,
    );
    let path = format!("/simulations/{}/inverse_kinematics", world.sim);
    let reply = world.client.post(path, &request).await;
    reply.expect_status(200).json()
}

async fn tip(world: &World) -> [f64; 3] {
    let state = world.state().await;
    let ahead = rotate(orientation(&state, "lower"), [0.5, 0.0, 0.0]);
    let centre = position(&state, "lower");
    [0, 1, 2].map(|axis| centre[axis] + ahead[axis])
}

#[tokio::test]
async fn an_arm_reaches_what_it_can_and_says_so_where_it_cannot() {
    let world = World::new(&arm(&json!({}))).await;

    for target in [[1.0, 1.0, 0.0], [-0.7, 0.9, 0.0], [0.3, -1.2, 0.0]] {
        let reached = reach(&world, &json!({"position": target})).await;
        assert_eq!(reached["converged"], json!(true), "{target:?}: {reached}");
        all_close(tip(&world).await, target, 2e-3, "the tip");
        let joints = reached["joints"].as_array().expect("a list");
        let ids: Vec<_> = joints.iter().map(|joint| &joint["joint_id"]).collect();
        assert_eq!(ids, ["shoulder", "elbow"]);
        for joint in joints {
            let id = joint["joint_id"].as_str().expect("a name");
            let shown = world.client.joint(&world.sim, id).await.json();
            near(
                number(&joint["positions"][0]),
                number(&shown["angle"]),
                1e-4,
                id,
            );
        }
    }

    let reached = reach(&world, &json!({"position": [3, 0, 0]})).await;
    assert_eq!(reached["converged"], json!(false), "{reached}");
    near(
        number(&reached["position_error"]),
        1.0,
        0.05,
        "what is missing",
    );
    let stays = world.step(50).await;
    close(
        position(&stays, "lower")[2],
        0.0,
        1e-4,
        "it stays in its plane",
    );
}

#[tokio::test]
async fn an_arm_turns_its_hand_and_keeps_its_limits() {
    let world = World::new(&arm(&json!({"limits": [-1, 1]}))).await;
    let (sin, cos) = 0.6_f64.sin_cos();
    let reached = reach(&world, &json!({"orientation": [0, 0, sin, cos]})).await;
    assert_eq!(reached["converged"], json!(true), "{reached}");
    let ahead = rotate(orientation(&world.state().await, "lower"), [1.0, 0.0, 0.0]);
    all_close(ahead, [1.2_f64.cos(), 1.2_f64.sin(), 0.0], 2e-3, "the hand");

    let reached = reach(&world, &json!({"position": [-1.5, 0.2, 0]})).await;
    assert_eq!(reached["converged"], json!(false), "{reached}");
    for joint in reached["joints"].as_array().expect("a list") {
        let angle = number(&joint["positions"][0]);
        assert!(angle.abs() < 1.001, "beyond its limits: {reached}");
    }

    let height = reach(&world, &json!({"position": [9, 0.8, 9], "axes": ["y"]})).await;
    assert_eq!(height["converged"], json!(true), "{height}");
    close(tip(&world).await[1], 0.8, 2e-3, "the height alone");
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused() {
    let world = World::new(&arm(&json!({}))).await;
    let path = format!("/simulations/{}/inverse_kinematics", world.sim);
    for (request, status, pointer) in [
        (json!({"body_id": "lower"}), 422, "/position"),
        (
            json!({"body_id": "base", "position": [1, 0, 0]}),
            422,
            "/body_id",
        ),
        (
            json!({"body_id": "lower", "position": [1e7, 0, 0]}),
            422,
            "/position",
        ),
        (
            json!({"body_id": "lower", "orientation": [1, 1, 0, 0]}),
            422,
            "/orientation",
        ),
        (
            json!({"body_id": "lower", "position": [1, 0, 0], "axes": ["rx"]}),
            422,
            "/axes/0",
        ),
        (
            json!({"body_id": "lower", "position": [1, 0, 0], "axes": ["x", "x"]}),
            422,
            "/axes/1",
        ),
        (
            json!({"body_id": "lower", "position": [1, 0, 0], "max_iterations": 0}),
            422,
            "/max_iterations",
        ),
        (
            json!({"body_id": "lower", "position": [1, 0, 0], "max_iterations": 1001}),
            422,
            "/max_iterations",
        ),
        (
            json!({"body_id": "lower", "position": [1, 0, 0], "damping": 0}),
            422,
            "/damping",
        ),
        (
            json!({"body_id": "lower", "position": [1, 0, 0], "tolerance_position": 0}),
            422,
            "/tolerance_position",
        ),
    ] {
        let reply = world.client.post(&path, &request).await;
        let problem = reply.expect_status(status).json();
        assert_eq!(
            problem["errors"][0]["pointer"], pointer,
            "{request}: {problem}"
        );
    }
    let unknown = json!({"body_id": "nobody", "position": [1, 0, 0]});
    world.client.post(&path, &unknown).await.expect_status(404);
}

#[tokio::test]
async fn all_commands_of_a_batch_together_may_not_improve_coordinates_without_end() {
    let world = World::new(&arm(&json!({}))).await;
    let path = format!("/simulations/{}/commands", world.sim);
    let reach = json!({"op": "inverse_kinematics", "body_id": "lower", "position": [9, 9, 9],
        "max_iterations": 1000});
    let ask = async |count| {
        let batch = json!({"commands": vec![&reach; count]});
        world.client.post(&path, &batch).await
    };
    ask(10).await.expect_status(200);
    let refused = ask(11).await.expect_problem(422, "limit_exceeded");
    assert_eq!(refused.body["limit"], "MAX_IK_ITERATIONS_PER_REQUEST");
    assert_eq!(refused.body["used"], 11_000);
}
