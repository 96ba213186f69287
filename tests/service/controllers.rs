//! Controllers: what moves bodies, as clients add, watch, change and remove it.

use serde_json::{Value, json};

use crate::harness::{Client, Instance, Reply, find_body, ground, number, sphere, triple};

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_is_added_read_changed_and_removed() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&playground()).await;

    let added = add(&client, &sim, &walk()).await.expect_status(201);
    assert_eq!(added.json(), json!({"controller_id": "walk"}));
    let location = format!("/simulations/{sim}/controllers/walk");
    assert_eq!(added.header("location"), Some(location.as_str()));
    let state = client.step(&sim, 125).await.expect_status(200).json();
    let [x, y, _] = triple(&find_body(&state, "walker")["position"]);
    assert!((x - 2.0).abs() < 0.05 && (y - 0.9).abs() < 0.02, "{state}");

    let seen = client.get(&location).await.expect_status(200).json();
    assert_eq!(seen["type"], "character");
    assert_eq!(seen["up"], json!([0.0, 1.0, 0.0]), "defaults are filled in");
    assert_eq!(seen["grounded"], true);
    assert_eq!(seen["collisions"], json!(["floor"]));
    assert!((number(&seen["effective_velocity"][0]) - 1.0).abs() < 0.01);
    let all = client
        .get(format!("/simulations/{sim}/controllers"))
        .await
        .expect_status(200);
    assert_eq!(all.json(), json!({"controllers": [seen]}));

    let patched = client
        .patch(&location, &json!({"velocity": [0, 0, -2]}))
        .await
        .expect_status(200)
        .json();
    assert_eq!(patched["velocity"], json!([0.0, 0.0, -2.0]));
    let state = client.step(&sim, 125).await.expect_status(200).json();
    let [_, _, z] = triple(&find_body(&state, "walker")["position"]);
    assert!((z + 4.0).abs() < 0.1, "{state}");

    client.delete(&location).await.expect_status(204);
    let again = client.delete(&location).await;
    again.expect_problem(404, "controller_not_found");
    let unknown = client.patch(&location, &json!({})).await;
    unknown.expect_problem(404, "controller_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn controllers_are_taken_whole_or_not_at_all() {
    let instance = Instance::in_process(&["--max-controllers-per-simulation", "2"]).await;
    let client = instance.client();
    let sim = client.simulation(&playground()).await;
    let list = || async {
        let all = client.get(format!("/simulations/{sim}/controllers")).await;
        all.json()["controllers"].as_array().unwrap().len()
    };

    let batch = json!([walk(), hover("hover"), hover("hover")]);
    let limit = add(&client, &sim, &batch)
        .await
        .expect_problem(422, "limit_exceeded");
    assert_eq!(limit.body["limit"], "MAX_CONTROLLERS_PER_SIMULATION");
    let twice = add(&client, &sim, &json!([hover("hover"), hover("hover")])).await;
    let twice = twice.expect_problem(422, "invalid_value");
    twice.expect_pointers(&["/1/id"]);
    assert_eq!(list().await, 0);

    let both = add(&client, &sim, &json!([walk(), hover("hover")])).await;
    let both = both.expect_status(201).json();
    assert_eq!(both, json!({"controller_ids": ["walk", "hover"]}));
    client
        .delete(format!("/simulations/{sim}/controllers/walk"))
        .await
        .expect_status(204);
    let taken = add(&client, &sim, &hover("hover")).await;
    taken.expect_problem(409, "controller_exists");

    client.remove_body(&sim, "ball").await.expect_status(204);
    assert_eq!(list().await, 0, "controllers go with their body");
}

#[tokio::test(flavor = "multi_thread")]
async fn faulty_controllers_are_refused_with_their_pointers() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&playground()).await;
    add(&client, &sim, &walk()).await.expect_status(201);

    for (faulty, code, pointers) in [
        (
            json!({"id": "c", "type": "pid", "body_id": "walker", "kp": -1, "wheels": []}),
            "invalid_value",
            &["/body_id", "/wheels", "/kp"][..],
        ),
        (
            json!({"id": "c", "type": "character", "body_id": "walker"}),
            "invalid_value",
            &["/body_id"],
        ),
        (
            json!({"id": "c", "type": "ghost", "body_id": "ball"}),
            "invalid_value",
            &["/type"],
        ),
        (
            json!({"id": "c", "type": "vehicle", "body_id": "ball", "wheels": [{"position": [0, 0, 0], "radius": 1, "spokes": 3}]}),
            "unknown_field",
            &["/wheels/0/spokes"],
        ),
        (
            json!({"id": "c", "type": "vehicle", "body_id": "ball", "wheels": [[[0, 0, 0], 1]]}),
            "invalid_value",
            &["/wheels/0"],
        ),
        (
            json!({"id": "c", "type": "pid", "body_id": "ball", "kp": null}),
            "invalid_value",
            &["/kp"],
        ),
        (
            json!({"id": "c", "type": "pid", "body_id": "ball", "axes": ["w"]}),
            "invalid_value",
            &["/axes"],
        ),
        (
            json!({"id": "c", "type": "pid", "body_id": "ball", "target_position": [1e300, 0, 0], "ki": 1e300}),
            "invalid_value",
            &["/target_position", "/ki"],
        ),
    ] {
        let refused = add(&client, &sim, &faulty).await;
        let refused = refused.expect_problem(422, code);
        refused.expect_pointers(pointers);
    }

    let dynamic = json!({"kind": "dynamic"});
    let kind = client.patch_body(&sim, "walker", &dynamic).await;
    let kind = kind.expect_problem(422, "invalid_value");
    kind.expect_pointers(&["/kind"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_drive_alike_to_the_last_bit() {
    let (one, other) = tokio::join!(Instance::spawn(&[]), Instance::spawn(&[]));
    let mut told = Vec::new();
    for instance in [&one, &other] {
        let client = instance.client();
        let mut request = playground();
        request["id"] = json!("twin");
        let sim = client.simulation(&request).await;
        let batch = json!([walk(), hover("hover"), cart()]);
        add(&client, &sim, &batch).await.expect_status(201);
        let mut answers = Vec::new();
        for round in 0..6 {
            let force = json!({"engine_force": 10 * round, "steering": 0.1});
            let drive = format!("/simulations/{sim}/controllers/drive");
            client.patch(drive, &force).await.expect_status(200);
            answers.push(client.step(&sim, 40).await.expect_status(200).text());
        }
        let all = client.get(format!("/simulations/{sim}/controllers")).await;
        answers.push(all.expect_status(200).text());
        told.push(answers);
    }
    assert_eq!(told[0], told[1]);
    let moved = told[0].iter().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(moved.len(), told[0].len(), "something moves all the time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scene_given_whole_with_its_controllers_equals_one_built_piece_by_piece() {
    let instance = Instance::in_process(&["--state-hash", "true"]).await;
    let client = instance.client();
    let controllers = json!([walk(), hover("hover"), cart()]);
    let mut scene = playground();
    scene["controllers"] = controllers.clone();
    let whole = client.simulation(&scene).await;
    let pieces = client.simulation(&playground()).await;
    let added = add(&client, &pieces, &controllers).await;
    added.expect_status(201);

    let mut ends = Vec::new();
    for sim in [&whole, &pieces] {
        let reply = client.step(sim, 100).await.expect_status(200);
        let hash = reply.header("sim-state-hash").expect("it is asked for");
        let all = client.get(format!("/simulations/{sim}/controllers")).await;
        let walker = triple(&find_body(&reply.json(), "walker")["position"]);
        assert!(walker[0] > 1.0, "{walker:?}");
        ends.push((hash.to_owned(), all.expect_status(200).text()));
    }
    assert_eq!(ends[0], ends[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scene_with_faulty_controllers_is_refused_with_all_that_is_wrong() {
    let instance = Instance::in_process(&["--max-controllers-per-simulation", "2"]).await;
    let client = instance.client();
    let mut scene = playground();
    scene["id"] = json!("refused");
    scene["joints"] =
        json!([{"id": "j", "joint_type": "fixed", "body_a": "ball", "body_b": "nobody"}]);
    let faulty = json!({"id": "walk", "type": "pid", "body_id": "floor", "kp": -1});
    scene["controllers"] = json!([walk(), walk(), faulty]);

    let refused = client.create_simulation(&scene).await;
    refused
        .expect_problem(422, "invalid_value")
        .expect_pointers(&[
            "/joints/0/body_b",
            "/controllers/1/body_id",
            "/controllers/1/id",
            "/controllers/2/id",
            "/controllers/2/body_id",
            "/controllers/2/kp",
        ]);
    scene["joints"] = json!([]);
    scene["controllers"] = json!([walk(), hover("one"), hover("two")]);
    let refused = client.create_simulation(&scene).await;
    let refused = refused.expect_problem(422, "limit_exceeded");
    assert_eq!(refused.body["limit"], "MAX_CONTROLLERS_PER_SIMULATION");
    assert_eq!(
        (&refused.body["maximum"], &refused.body["used"]),
        (&json!(2), &json!(3))
    );
    let gone = client.describe("refused").await;
    gone.expect_problem(404, "simulation_not_found");
}

/// A floor, a walker whose feet are on it, a ball and a cart.
fn playground() -> Value {
    let walker = json!({"id": "walker", "kind": "kinematic", "shape": "capsule", "size": [0.6, 0.3],
                        "position": [0, 0.91, 0]});
    let cart = json!({"id": "cart", "shape": "box", "size": [2, 0.3, 1], "position": [0, 0.7, 9],
                      "mass": 100});
    json!({"bodies": [ground("floor"), walker, sphere("ball", 0.2, [0.0, 3.0, 3.0]), cart]})
}

fn walk() -> Value {
    json!({"id": "walk", "type": "character", "body_id": "walker", "velocity": [1, 0, 0]})
}

fn hover(id: &str) -> Value {
    json!({"id": id, "type": "pid", "body_id": "ball", "target_position": [1, 4, 3], "kp": 5, "ki": 1})
}

fn cart() -> Value {
    let wheel = |x: f64, z: f64| json!({"position": [x, 0, z], "radius": 0.3});
    json!({"id": "drive", "type": "vehicle", "body_id": "cart", "steered_wheels": [0, 1],
           "wheels": [wheel(0.8, -0.4), wheel(0.8, 0.4), wheel(-0.8, -0.4), wheel(-0.8, 0.4)]})
}

async fn add(client: &Client, sim: &str, request: &Value) -> Reply {
    let path = format!("/simulations/{sim}/controllers");
    client.post(path, request).await
}
