//! Bodies whose state goes beyond all bounds.

use serde_json::{Value, json};

use crate::{
    harness::{find_body, number, sphere, triple},
    physics::{World, close, velocity, with},
};

/// A world with one very light body and two ordinary ones.
async fn world() -> World {
    let feather = with(
        sphere("feather", 0.1, [0.0, 50.0, 0.0]),
        &json!({"mass": 1e-6}),
    );
    World::new(&json!({
        "dt": 0.01,
        "bodies": [sphere("before", 0.5, [10.0, 100.0, 0.0]), feather, sphere("after", 0.5, [-10.0, 100.0, 0.0])],
    }))
    .await
}

/// Fails when a number anywhere in the reply is missing.
#[track_caller]
fn no_null(reply: &Value) {
    let text = reply.to_string();
    assert!(!text.contains("null"), "{text}");
}

#[tokio::test]
async fn a_force_beyond_all_bounds_costs_only_the_body_it_acts_on() {
    let world = world().await;
    let before = world.step(10).await;

    world
        .force("feather", &json!({"force": [3e38, 0.0, 0.0]}))
        .await;
    let state = world.step(50).await;

    no_null(&state);
    assert_eq!(state["quarantined"], json!(["feather"]));
    let kept = triple(&find_body(&state, "feather")["position"]);
    let last = triple(&find_body(&before, "feather")["position"]);
    assert_eq!(json!(kept), json!(last), "its last finite position");
    for other in ["before", "after"] {
        close(
            velocity(&state, other)[1],
            -9.81 * 0.6,
            1e-2,
            &format!("{other} falls on"),
        );
    }
}

#[tokio::test]
async fn a_quarantined_body_stays_named_and_can_be_removed() {
    let world = world().await;
    world
        .force("feather", &json!({"force": [0.0, 3e38, 0.0]}))
        .await;
    world.step(1).await;

    let later = world.step(100).await;
    let read = world.state().await;
    let recorded = world.record("before", &json!({"steps": 5})).await;
    world
        .client
        .remove_body(&world.sim, "feather")
        .await
        .expect_status(204);
    let gone = world.step(1).await;

    for reply in [&later, &read, &recorded] {
        no_null(reply);
        assert_eq!(reply["quarantined"], json!(["feather"]), "{reply}");
    }
    assert!(
        gone["quarantined"].as_array().is_none_or(Vec::is_empty),
        "{gone}"
    );
}

#[tokio::test]
async fn a_healthy_world_names_no_quarantined_body() {
    let state = world().await.step(10).await;

    assert!(
        state["quarantined"].as_array().is_none_or(Vec::is_empty),
        "{state}"
    );
}

#[tokio::test]
async fn an_impulse_beyond_all_bounds_never_shows_an_infinite_velocity() {
    let world = world().await;

    for request in [
        json!({"impulse": [3e38, 0.0, 0.0]}),
        json!({"impulse": [3e38, 0.0, 0.0], "point": [0.0, 50.1, 0.0]}),
    ] {
        let pushed = world.client.impulse(&world.sim, "feather", &request).await;
        assert!([204, 422].contains(&pushed.status), "{}", pushed.text());
        let at_once = world.state().await;
        let described = world
            .client
            .body(&world.sim, "feather")
            .await
            .expect_status(200)
            .json();
        let later = world.step(1).await;

        for reply in [&at_once, &described, &later] {
            no_null(reply);
        }
        assert!(
            velocity(&at_once, "feather")
                .iter()
                .all(|v| v.abs() <= 1.01e5),
            "{at_once}"
        );
    }
}

#[tokio::test]
async fn a_huge_but_finite_impulse_leaves_a_body_at_the_speed_limit() {
    let ball = sphere("ball", 0.5, [0.0, 0.0, 0.0]);
    let world = World::new(&json!({"gravity": [0, 0, 0], "dt": 0.01, "bodies": [ball]})).await;

    let pushed = world
        .client
        .impulse(&world.sim, "ball", &json!({"impulse": [0.0, 1e30, 0.0]}))
        .await;
    let state = world.step(1).await;

    if pushed.status == 204 {
        let speed = number(&find_body(&state, "ball")["velocity"][1]);
        close(speed, 400.0, 1.0, "not lost on the way");
    } else {
        pushed.expect_problem(422, "invalid_value");
    }
}

#[tokio::test]
async fn whatever_makes_time_pass_names_the_body_it_cost() {
    let all = json!({"force": [3e38, 0.0, 0.0]});
    let one = json!({"op": "force", "body_id": "feather", "force": [3e38, 0, 0]});
    let steps = json!({"op": "step", "steps": 20});
    for (route, request) in [
        ("step", json!({"steps": 20})),
        ("bodies/before/trajectory", json!({"steps": 20})),
        ("commands", json!({"steps": 20})),
        ("commands", json!({"commands": [steps]})),
        (
            "commands",
            json!({"commands": [one, steps], "atomic": false}),
        ),
    ] {
        let world = world().await;
        if request["atomic"].is_null() {
            world.force("feather", &all).await;
        }

        let path = format!("/simulations/{}/{route}", world.sim);
        let reply = world.client.post(path, &request).await;

        let reply = reply.expect_status(200).json();
        no_null(&reply);
        assert_eq!(reply["quarantined"], json!(["feather"]), "{route}");
        let path = format!("/simulations/{}/events", world.sim);
        let told = world.client.get(path).await.expect_status(200).json();
        let told = told["events"].as_array().expect("a list").clone();
        let event = told.iter().find(|event| event["type"] == "quarantined");
        let event = event.unwrap_or_else(|| panic!("{route}: {told:?}"));
        assert_eq!(event["body_id"], "feather", "{route}");
        let bodies = world.client.bodies(&world.sim).await.json();
        assert_eq!(
            find_body(&bodies, "feather")["quarantined"],
            true,
            "{route}"
        );
    }
}

#[tokio::test]
async fn a_multibody_that_runs_away_comes_apart_and_is_told_of_in_numbers() {
    // The arm can only turn in the plane of the wall, and cannot get out of it.
    let post = json!({"id": "post", "kind": "static", "shape": "box", "size": [0.1, 0.1, 0.1],
                      "position": [0, 2, 0]});
    let arm = json!({"id": "arm", "shape": "box", "size": [0.1, 1, 0.1], "position": [0, 1.5, 0]});
    let wall = json!({"id": "wall", "kind": "static", "shape": "plane", "normal": [0, 0, 1]});
    let hinge = json!({"id": "hinge", "joint_type": "revolute", "body_a": "post", "body_b": "arm",
                       "anchor_b": [0, 0.5, 0], "axis": [0, 0, 1], "multibody": true});
    let world = World::new(&json!({"bodies": [wall, post, arm], "joints": [hinge]})).await;

    for _ in 0..4 {
        no_null(
            &world
                .record("arm", &json!({"steps": 200, "every": 20}))
                .await,
        );
    }
    let state = world.step(1).await;
    let path = format!("/simulations/{}/joints/hinge", world.sim);
    let joint = world.client.get(path).await.expect_status(200).json();

    no_null(&state);
    assert_eq!(joint["broken"], true, "{joint}");
    assert!(
        velocity(&state, "arm").iter().all(|v| v.abs() <= 400.1),
        "{state}"
    );
    let path = format!("/simulations/{}/joints/hinge", world.sim);
    world.client.delete(path).await.expect_status(204);
    no_null(&world.step(10).await);
}
