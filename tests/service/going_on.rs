//! Worlds with controllers, events and all are put away or taken over in the middle of it, and go on
//! bit for bit.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    harness::{Client, Instance, RedisServer, eventually_true, number, sphere, without},
    takeover::journalled,
};

const SOON: Duration = Duration::from_secs(30);
const ID: &str = "playground";

#[tokio::test(flavor = "multi_thread")]
async fn a_world_that_is_frozen_drives_walks_and_tells_on_as_if_it_had_not_been() {
    let flags = ["--state-hash", "true", "--freeze-after-seconds", "1"];
    let (tired, awake) = tokio::join!(
        Instance::in_process(&flags),
        Instance::in_process(&["--state-hash", "true"])
    );
    let (tired, awake) = (tired.client(), awake.client());
    for client in [&tired, &awake] {
        begin(client).await;
    }
    until_frozen(&tired).await;
    let before = events(&tired, "").await;
    assert_eq!(before, events(&awake, "").await);
    until_frozen(&tired).await;

    expect_to_go_on_alike(&tired, &awake, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_world_that_is_taken_over_drives_walks_and_tells_on_where_it_was() {
    let redis = RedisServer::start().await;
    let mut fleet = journalled(&redis, 2, 1500, &[("STATE_HASH", "true")]).await;
    let alone = Instance::in_process(&["--state-hash", "true"]).await;
    let (clients, alone) = (fleet.clients(), alone.client());
    for client in [&clients[0], &alone] {
        begin(client).await;
    }
    let before = events(&clients[0], "").await;
    fleet[0].kill();
    let heir = &clients[1];
    eventually_true(
        SOON,
        "the other instance answers",
        |status| *status == 200,
        async || heir.state(ID).await.status,
    )
    .await;

    expect_to_go_on_alike(heir, &alone, &before).await;
    let verified = heir
        .post(format!("/simulations/{ID}/verify"), &json!({}))
        .await;
    assert_eq!(verified.expect_status(200).json()["ok"], true);
}

/// A hill with a walker, a car, a ball that hovers, a ball that bounces and one on a weak string.
fn playground() -> Value {
    let heights: Vec<f64> = (0..=40_u8).map(|n| (f64::from(n) * 0.4).sin()).collect();
    let hill = json!({"id": "hill", "kind": "static", "shape": "heightfield", "restitution": 0.9,
                      "heights": [heights, heights], "scale": [80, 0.7, 40]});
    let walker = json!({"id": "walker", "kind": "kinematic", "shape": "capsule", "size": [0.6, 0.3],
                        "position": [0, 2, 8]});
    let chassis = json!({"id": "car", "shape": "box", "size": [4, 0.5, 2], "mass": 1000,
                         "position": [-20, 2, 0]});
    let mut bouncer = sphere("bouncer", 0.4, [10.0, 5.0, -9.0]);
    bouncer["restitution"] = json!(0.9);
    let bodies = json!([
        hill, walker, chassis, bouncer,
        sphere("drone", 0.2, [0.0, 3.0, -12.0]),
        {"id": "hook", "kind": "static", "shape": "sphere", "size": [0.1], "position": [0, 9, 15]},
        sphere("lamp", 0.3, [0.0, 7.0, 15.0]),
    ]);
    let wheel = |x: f64, z: f64| json!({"position": [x, 0, z], "radius": 0.4, "suspension_rest_length": 0.5, "stiffness": 50});
    let wheels = [
        wheel(1.25, -0.8),
        wheel(1.25, 0.8),
        wheel(-1.25, -0.8),
        wheel(-1.25, 0.8),
    ];
    let controllers = json!([
        {"id": "walk", "type": "character", "body_id": "walker", "velocity": [1, 0, 0.3], "snap_to_ground": 0.3},
        {"id": "drive", "type": "vehicle", "body_id": "car", "wheels": wheels, "steered_wheels": [0, 1]},
        {"id": "hover", "type": "pid", "body_id": "drone", "target_position": [1, 4, -12], "kp": 5, "ki": 1},
    ]);
    let string = json!({"id": "string", "joint_type": "spherical", "body_a": "hook", "body_b": "lamp",
                        "anchor_b": [0, 2, 0], "break_force": 30});
    json!({"id": ID, "bodies": bodies, "joints": [string], "controllers": controllers})
}

async fn begin(client: &Client) {
    client.simulation(&playground()).await;
    client.step(ID, 40).await.expect_status(200);
    control(
        client,
        "drive",
        &json!({"engine_force": 600, "steering": 0.1}),
    )
    .await;
    client.step(ID, 60).await.expect_status(200);
}

/// The rest of the story, and everything that can be seen after it.
async fn end(client: &Client) -> Vec<String> {
    let mut told = Vec::new();
    let mut tell = async |path: &str| {
        let reply = client.get(format!("/simulations/{ID}/{path}")).await;
        told.push(without(&reply.expect_status(200).json(), &["sim_id"]).to_string());
    };
    for path in ["controllers", "bodies", "joints", "contacts"] {
        tell(path).await;
    }
    let walk = json!({"velocity": [0, 0, -2]});
    control(client, "walk", &walk).await;
    let pull = json!({"force": [0, -50, 1]});
    client.set_force(ID, "lamp", &pull).await.expect_status(204);
    let stepped = client.step(ID, 200).await.expect_status(200);
    for path in ["controllers", "bodies", "joints", "contacts", "events"] {
        tell(path).await;
    }
    let hash = stepped.header("sim-state-hash").expect("it is asked for");
    told.push(hash.to_owned());
    told
}

async fn expect_to_go_on_alike(client: &Client, steady: &Client, before: &Value) {
    let moved: Vec<_> = before["events"].as_array().expect("a list").clone();
    assert!(!moved.is_empty(), "something has happened: {before}");
    let (told, truth) = (end(client).await, end(steady).await);
    for (told, truth) in told.iter().zip(&truth) {
        assert_eq!(told, truth);
    }

    let after = events(client, "").await;
    let all = after["events"].as_array().expect("a list");
    assert_eq!(all[..moved.len()], moved, "what was told stays told");
    for (seq, event) in (1..).zip(all) {
        assert_eq!(event["seq"], seq, "{after}");
    }
    let new = events(client, &format!("?after={}", moved.len())).await;
    let new = new["events"].as_array().expect("a list");
    assert_eq!(new[..], all[moved.len()..]);
    let has = |kind: &str| new.iter().any(|event| event["type"] == kind);
    assert!(has("joint_broken") && has("collision_started"), "{after}");
    assert!(number(&new[0]["step"]) >= 100.0, "{after}");
}

async fn control(client: &Client, controller: &str, patch: &Value) {
    let path = format!("/simulations/{ID}/controllers/{controller}");
    client.patch(path, patch).await.expect_status(200);
}

async fn events(client: &Client, query: &str) -> Value {
    let path = format!("/simulations/{ID}/events{query}");
    client.get(path).await.expect_status(200).json()
}

async fn until_frozen(client: &Client) {
    eventually_true(
        SOON,
        "the world is frozen",
        |list: &Value| list["simulations"][0]["status"] == "frozen",
        async || client.list("limit=10").await.json(),
    )
    .await;
}
