//! Moving a simulation from one instance to another, as operators do.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};

use crate::harness::{
    Client, Instance, RedisServer, Reply, busy_world, free_port, ground, sphere, steps_lasting,
    until_stepping,
};

const SECRET: &str = "a secret of the instances";

/// `a` and `b`, and the port of `a` that is for instances and operators.
async fn pair(redis: &RedisServer) -> ([Instance; 2], Client) {
    let (url, port) = (redis.url(), free_port());
    let text = port.to_string();
    let common = [
        ("STORAGE_BACKEND", "redis"),
        ("REDIS_URL", &url),
        ("DEFAULT_DURABILITY", "journal"),
        ("INTERNAL_SECRET", SECRET),
        ("METRICS_PORT", "0"),
    ];
    let of_a = [("INSTANCE_ID", "a"), ("INTERNAL_PORT", text.as_str())];
    let of_b = [("INSTANCE_ID", "b"), ("INTERNAL_PORT", "0")];
    let (a, b) = ([&common[..], &of_a].concat(), [&common[..], &of_b].concat());
    let (a, b) = tokio::join!(Instance::spawn(&a), Instance::spawn(&b));
    let internal = SocketAddr::from(([127, 0, 0, 1], port));
    ([a, b], Client::new(internal))
}

async fn order(client: &Client, sim: &str, instance: &str, secret: &str) -> Reply {
    let call = client.call("POST", format!("/admin/simulations/{sim}/move"));
    let call = call.header("authorization", format!("Bearer {secret}"));
    call.json(&json!({"instance": instance})).send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_moves_to_another_instance_as_it_is() {
    let redis = RedisServer::start().await;
    let ([a, b], internal) = pair(&redis).await;
    let (a, b) = (a.client(), b.client());
    let scene = json!({"bodies": [ground("floor"), sphere("ball", 0.5, [0.0, 3.0, 0.0])]});
    let sim = a.simulation(&scene).await;
    a.step(&sim, 25).await.expect_status(200);
    let before = a.state(&sim).await.expect_status(200);

    let moved = order(&internal, &sim, "b", SECRET).await.expect_status(200);
    assert_eq!(moved.json(), json!({"sim_id": sim, "owner": "b"}));
    assert_eq!(
        b.health().await.json()["simulations"],
        1,
        "it is there at once"
    );
    for client in [&a, &b] {
        let after = client.state(&sim).await.expect_status(200);
        assert_eq!(after.header("sim-instance"), Some("b"));
        assert_eq!(after.json(), before.json());
        assert_eq!(after.header("etag"), before.header("etag"));
    }
    a.step(&sim, 5).await.expect_status(200);
    let call = a.call("POST", format!("/simulations/{sim}/verify"));
    assert_eq!(call.send().await.expect_status(200).json()["ok"], true);

    let again = order(&internal, &sim, "b", SECRET).await;
    again.expect_problem(421, "owned_elsewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_under_way_is_finished_where_the_simulation_goes() {
    let redis = RedisServer::start().await;
    let ([a, b], internal) = pair(&redis).await;
    let (a, b) = (a.client(), b.client());
    let sim = busy_world(&a, 48, json!({})).await;
    let (steps, end) = steps_lasting(&a, &sim, Duration::from_secs(3)).await;
    let keyed = |client: &Client| {
        let call = client.call("POST", format!("/simulations/{sim}/step"));
        let call = call.header("idempotency-key", "long");
        call.json(&json!({"steps": steps})).send()
    };
    let (told, moved) = tokio::join!(keyed(&a), async {
        until_stepping(&a, &sim).await;
        order(&internal, &sim, "b", SECRET).await
    });
    moved.expect_status(200);
    told.expect_problem(503, "outcome_unknown");
    let finished = keyed(&b).await.expect_status(200);
    assert_eq!(finished.header("sim-instance"), Some("b"));
    assert_eq!(finished.json()["step"], end, "carried out once");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_whoever_has_the_secret_moves_simulations_and_only_on_the_internal_port() {
    let redis = RedisServer::start().await;
    let ([a, _b], internal) = pair(&redis).await;
    let a = a.client();
    let sim = a.simulation(&json!({})).await;

    for secret in ["", "wrong", &SECRET[1..], &SECRET.to_uppercase()] {
        let refused = order(&internal, &sim, "b", secret).await;
        refused.expect_problem(401, "unauthorized");
    }
    let bare = internal.call("POST", format!("/admin/simulations/{sim}/move"));
    let bare = bare.json(&json!({"instance": "b"})).send().await;
    bare.expect_problem(401, "unauthorized");
    let elsewhere = order(&a, &sim, "b", SECRET).await;
    elsewhere.expect_problem(404, "route_not_found");
    let call = internal.call("GET", format!("/simulations/{sim}"));
    let other = call
        .header("authorization", format!("Bearer {SECRET}"))
        .send()
        .await;
    other.expect_problem(403, "forbidden");
    assert_eq!(a.describe(&sim).await.header("sim-instance"), Some("a"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_moved_stays_where_it_is() {
    let redis = RedisServer::start().await;
    let ([a, _b], internal) = pair(&redis).await;
    let a = a.client();
    let sim = a.simulation(&json!({})).await;
    let registered = a.simulation(&json!({"durability": "registry"})).await;

    for instance in ["c", "", "a b"] {
        let refused = order(&internal, &sim, instance, SECRET).await;
        let problem = refused.expect_problem(422, "invalid_value");
        problem.expect_pointers(&["/instance"]);
    }
    let refused = order(&internal, &registered, "b", SECRET).await;
    refused.expect_problem(409, "not_journalled");
    let unknown = order(&internal, "nobody", "b", SECRET).await;
    unknown.expect_problem(404, "simulation_not_found");
    let home = order(&internal, &sim, "a", SECRET).await.expect_status(200);
    assert_eq!(home.json()["owner"], Value::from("a"));
    for sim in [&sim, &registered] {
        assert_eq!(a.describe(sim).await.header("sim-instance"), Some("a"));
    }
}
