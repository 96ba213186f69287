//! How long simulations live, and the sleep they do not notice.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{
    Client, Instance, busy_world, eventually, eventually_true, find, ground, number,
    seconds_of_day, sphere, steps_lasting, until_stepping, without,
};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_expires_after_its_own_ttl_and_leaves_a_tombstone() {
    let instance = Instance::in_process(&["--storage-ttl-seconds", "1"]).await;
    let client = instance.client();
    let brief = client
        .create_simulation(&json!({"id": "brief"}))
        .await
        .json();
    client
        .simulation(&json!({"id": "lasting", "ttl_seconds": 600}))
        .await;

    until_alone(&client, "lasting").await;

    assert_eq!(brief["ttl_seconds"], 1);
    for reply in [
        client.state("brief").await,
        client.describe("brief").await,
        client.step("brief", 1).await,
        client.keepalive("brief").await,
        client.destroy("brief").await,
    ] {
        let problem = reply.expect_problem(404, "simulation_expired");
        assert_eq!(problem.body["sim_id"], "brief");
    }
    client.state("lasting").await.expect_status(200);
    client
        .create_simulation(&json!({"id": "brief"}))
        .await
        .expect_status(201);
    client.destroy("brief").await.expect_status(204);
    client
        .state("brief")
        .await
        .expect_problem(404, "simulation_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_that_names_a_simulation_keeps_it_alive_refused_ones_too() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    for id in [
        "read",
        "refused",
        "missing-body",
        "kept",
        "head",
        "malformed",
    ] {
        client
            .simulation(&json!({"id": id, "ttl_seconds": 2}))
            .await;
    }
    client
        .simulation(&json!({"id": "left", "ttl_seconds": 2}))
        .await;
    let started = Instant::now();

    eventually(SOON, "three lifetimes pass", async || {
        client.state("read").await.expect_status(200);
        client
            .step_with("refused", &json!({"steps": -1}))
            .await
            .expect_status(422);
        client
            .body("missing-body", "nobody")
            .await
            .expect_problem(404, "body_not_found");
        client.keepalive("kept").await.expect_status(200);
        client
            .call("HEAD", "/simulations/head/state")
            .send()
            .await
            .expect_status(200);
        client
            .post_text("/simulations/malformed/step", "{")
            .await
            .expect_problem(400, "malformed_json");
        let passed = started.elapsed();
        if passed > Duration::from_secs(6) {
            Ok(())
        } else {
            Err(passed)
        }
    })
    .await;

    for id in [
        "read",
        "refused",
        "missing-body",
        "kept",
        "head",
        "malformed",
    ] {
        client.state(id).await.expect_status(200);
    }
    client
        .state("left")
        .await
        .expect_problem(404, "simulation_expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn being_listed_is_not_an_access() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    client
        .simulation(&json!({"id": "seen", "ttl_seconds": 2}))
        .await;
    let first = client.list("").await.json()["simulations"][0]["expires_at"].clone();
    let second = client.list("").await.json()["simulations"][0]["expires_at"].clone();

    eventually_true(
        SOON,
        "the list is empty",
        |list: &Value| list["simulations"] == json!([]),
        async || client.list("").await.json(),
    )
    .await;

    assert_eq!(first, second);
    client
        .state("seen")
        .await
        .expect_problem(404, "simulation_expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_moves_the_deadline_that_is_shown() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let created = client
        .create_simulation(&json!({"id": "s", "ttl_seconds": 3600}))
        .await
        .json();
    let deadline = |record: &Value| seconds_of_day(&record["expires_at"]);

    let moved = eventually(SOON, "the deadline moves", async || {
        let record = client.describe("s").await.json();
        if (deadline(&record) - deadline(&created)).rem_euclid(86_400.0) > 0.0 {
            Ok(record)
        } else {
            Err(record)
        }
    })
    .await;
    let patched = client
        .patch_simulation("s", &json!({"ttl_seconds": 60}))
        .await
        .expect_status(200)
        .json();

    let lifetime = |record: &Value, since: &Value| {
        let span = seconds_of_day(&record["expires_at"]) - seconds_of_day(since);
        span.rem_euclid(86_400.0)
    };
    assert!(
        (lifetime(&created, &created["created_at"]) - 3600.0).abs() < 1.5,
        "{created}"
    );
    assert!(
        (3600.0..3660.0).contains(&lifetime(&moved, &created["created_at"])),
        "{moved}"
    );
    assert!(
        (60.0..120.0).contains(&lifetime(&patched, &created["created_at"])),
        "{patched}"
    );
    assert_eq!(patched["ttl_seconds"], 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shorter_ttl_takes_effect_at_once() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    client
        .simulation(&json!({"id": "s", "ttl_seconds": 3600}))
        .await;

    client
        .patch_simulation("s", &json!({"ttl_seconds": 1}))
        .await
        .expect_status(200);

    eventually_true(
        SOON,
        "nothing is left",
        |count: &Value| *count == 0,
        async || client.health().await.json()["simulations"].clone(),
    )
    .await;
    client
        .state("s")
        .await
        .expect_problem(404, "simulation_expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ttl_outside_the_limits_is_refused() {
    let instance = Instance::in_process(&[
        "--min-ttl-seconds",
        "5",
        "--max-ttl-seconds",
        "10",
        "--storage-ttl-seconds",
        "7",
    ])
    .await;
    let client = instance.client();

    for (ttl, legal) in [
        (json!(4), false),
        (json!(5), true),
        (json!(10), true),
        (json!(11), false),
        (json!(0), false),
        (json!(-1), false),
        (json!(7.5), false),
        (json!("7"), false),
    ] {
        let reply = client.create_simulation(&json!({"ttl_seconds": ttl})).await;
        if legal {
            assert_eq!(reply.expect_status(201).json()["ttl_seconds"], ttl);
        } else {
            reply
                .expect_problem(422, "invalid_value")
                .expect_pointers(&["/ttl_seconds"]);
        }
    }
    let default = client.create_simulation(&json!({})).await.json();
    assert_eq!(default["ttl_seconds"], 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_outlasts_the_ttl_counts_as_access() {
    let instance = Instance::spawn(&[]).await;
    let client = instance.client();
    let sim = busy_world(&client, 400, json!({"ttl_seconds": 1})).await;
    let (steps, end) = steps_lasting(&client, &sim, Duration::from_secs(4)).await;
    let mut running = JoinSet::new();
    let (asker, id) = (client.clone(), sim.clone());
    running.spawn(async move {
        let asked = Instant::now();
        (asker.step(&id, steps).await, asked.elapsed())
    });

    let (reply, took) = running.join_next().await.unwrap().unwrap();

    assert!(
        took > Duration::from_millis(1500),
        "the step was not long: {took:?}"
    );
    reply.expect_status(200);
    assert_eq!(
        client.state(&sim).await.expect_status(200).json()["step"],
        end
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn destroying_a_simulation_while_it_is_stepped_works() {
    let instance = Instance::spawn(&[]).await;
    let client = instance.client();
    let sim = busy_world(&client, 400, json!({"id": "doomed"})).await;
    let mut running = JoinSet::new();
    let (asker, id) = (client.clone(), sim.clone());
    running.spawn(async move { asker.step(&id, 10_000).await });
    until_stepping(&client, &sim).await;

    let destroyed = client.destroy(&sim).await;
    let after = client.state(&sim).await;
    let again = client.create_simulation(&json!({"id": "doomed"})).await;
    let stepped = running.join_next().await.unwrap().unwrap();

    assert_eq!(destroyed.status, 204, "{}", destroyed.text());
    after.expect_problem(404, "simulation_not_found");
    assert_eq!(again.expect_status(201).json()["step"], 0);
    assert!(
        [200, 404, 503].contains(&stepped.status),
        "{}",
        stepped.text()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_world_goes_on_bit_for_bit() {
    let sleepy = Instance::in_process(&["--freeze-after-seconds", "1"]).await;
    let awake = Instance::in_process(&["--freeze-after-seconds", "3600"]).await;
    let (sleeper, control) = (sleepy.client(), awake.client());
    let pile: Vec<_> = (0..12_i32)
        .map(|n| {
            json!({"id": format!("box-{n}"), "shape": "box", "size": [1, 1, 1],
                   "position": [f64::from(n % 3) * 0.9, 0.6 + f64::from(n) * 1.1, 0],
                   "velocity": [0.1, 0, 0.3]})
        })
        .chain([
            ground("floor"),
            sphere("ball", 0.5, [6.0, 4.0, 0.0]),
            json!({"id": "kite", "shape": "box", "size": [1, 0.1, 1], "position": [12, 9, 0],
                   "angular_velocity": [1, 2, 3], "drag_coefficient": 1.0, "drag_area": 1.0,
                   "drag_axis_ratios": [0.1, 1, 0.1]}),
            json!({"id": "zone", "kind": "static", "shape": "box", "size": [40, 2, 40],
                   "is_sensor": true}),
        ])
        .collect();
    let request = json!({"id": "s", "dt": 0.012, "bodies": pile});
    let post = |path: &str, body: Value| ("POST", format!("/simulations/s/{path}"), body);
    let patch = |path: &str, body: Value| ("PATCH", format!("/simulations/s{path}"), body);

    // The world sleeps before each group: right after steps, and with edits pending.
    let groups = [
        vec![post("step", json!({"steps": 60}))],
        vec![post("step", json!({"steps": 1, "dt": 0.005}))],
        vec![
            post(
                "bodies/box-3/impulse",
                json!({"impulse": [0, 3, 1], "point": [0, 4, 0]}),
            ),
            (
                "PUT",
                "/simulations/s/bodies/ball/force".to_owned(),
                json!({"force": [1, 2, 3]}),
            ),
            patch(
                "/bodies/box-5",
                json!({"position": [0.2, 9, 0.1], "friction": 0.05}),
            ),
            post("bodies", sphere("late", 0.4, [0.3, 12.0, 0.2])),
        ],
        vec![
            (
                "DELETE",
                "/simulations/s/bodies/box-0".to_owned(),
                Value::Null,
            ),
            post(
                "joints",
                json!({"id": "rod", "joint_type": "spherical", "body_a": "ball", "body_b": "kite",
                       "anchor_a": [2, 0, 0], "anchor_b": [-2, 0, 0]}),
            ),
            patch("", json!({"gravity": [0, -3, 1]})),
        ],
        vec![post(
            "bodies/ball/trajectory",
            json!({"steps": 80, "every": 3}),
        )],
        vec![
            (
                "DELETE",
                "/simulations/s/bodies/ball/force".to_owned(),
                Value::Null,
            ),
            post("step", json!({"steps": 200})),
            post("bodies/late/trajectory", json!({"steps": 40})),
        ],
    ];
    for client in [&sleeper, &control] {
        client.create_simulation(&request).await.expect_status(201);
    }

    for (n, group) in groups.into_iter().enumerate() {
        until_frozen(&sleeper, "s").await;
        for (method, path, body) in group {
            let mut replies = Vec::new();
            for client in [&sleeper, &control] {
                let mut call = client.call(method, &path);
                if !body.is_null() {
                    call = call.json(&body);
                }
                let reply = call.send().await;
                assert!(
                    (200..300).contains(&reply.status),
                    "{path}: {}",
                    reply.text()
                );
                let seq = reply.header_number("sim-seq");
                let step = reply.header_number("sim-step");
                replies.push((reply.body, seq, step));
            }
            if method != "PATCH" || path != "/simulations/s" {
                assert_eq!(replies[0], replies[1], "group {n}, {method} {path}");
            }
        }
        until_frozen(&sleeper, "s").await;
        for path in ["/state", "/bodies", "/joints"] {
            let path = format!("/simulations/s{path}");
            let replies = [sleeper.get(&path).await, control.get(&path).await];
            assert_eq!(replies[0].text(), replies[1].text(), "group {n}, {path}");
            assert_eq!(replies[0].body, replies[1].body, "group {n}, {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_and_lists_of_a_frozen_world_answer_as_before() {
    let instance = Instance::in_process(&["--freeze-after-seconds", "1"]).await;
    let client = instance.client();
    client
        .simulation(&json!({"id": "s", "labels": {"a": "1"}, "bodies": [
            ground("floor"), sphere("ball", 0.5, [0.0, 3.0, 0.0])]}))
        .await;
    client.step("s", 80).await.expect_status(200);
    let before = [
        client.state("s").await.json(),
        client.bodies("s").await.json(),
    ];
    let record = client.describe("s").await.json();

    until_frozen(&client, "s").await;
    let listed = client.list("label=a=1").await.expect_status(200).json();
    let health = client.health().await.json();
    let state = client.state("s").await.expect_status(200).json();
    until_frozen(&client, "s").await;
    let bodies = client.bodies("s").await.expect_status(200).json();

    assert_eq!([state, bodies], before);
    assert_eq!(health["simulations"], 1);
    let fleeting = &["status", "expires_at"];
    assert_eq!(
        without(&listed["simulations"][0], fleeting),
        without(&record, fleeting)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn idempotency_keys_survive_the_sleep() {
    let instance = Instance::in_process(&["--freeze-after-seconds", "1"]).await;
    let client = instance.client();
    client
        .simulation(&json!({"id": "s", "bodies": [sphere("ball", 0.5, [0.0, 9.0, 0.0])]}))
        .await;
    let step = |steps: u32| {
        client
            .call("POST", "/simulations/s/step")
            .json(&json!({"steps": steps}))
            .header("idempotency-key", "before-the-sleep")
    };
    let first = step(5).send().await.expect_status(200);

    until_frozen(&client, "s").await;
    let again = step(5).send().await.expect_status(200);
    let other = step(6).send().await;

    assert_eq!(again.body, first.body);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    other.expect_problem(422, "idempotency_key_reused");
    assert_eq!(client.state("s").await.json()["step"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_world_expires_like_any_other() {
    let instance = Instance::in_process(&["--freeze-after-seconds", "1"]).await;
    let client = instance.client();
    client
        .simulation(&json!({"id": "lasting", "ttl_seconds": 600}))
        .await;
    client
        .simulation(&json!({"id": "s", "ttl_seconds": 4}))
        .await;

    until_frozen(&client, "s").await;
    until_alone(&client, "lasting").await;

    client
        .state("s")
        .await
        .expect_problem(404, "simulation_expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_wake_a_frozen_world_once() {
    let instance = Instance::in_process(&["--freeze-after-seconds", "1"]).await;
    let client = instance.client();
    client
        .simulation(
            &json!({"id": "s", "dt": 0.01, "gravity": [0, 0, 0], "bodies": [
            {"id": "ball", "shape": "sphere", "size": [0.5], "velocity": [1, 0, 0]}]}),
        )
        .await;
    client.step("s", 10).await.expect_status(200);
    until_frozen(&client, "s").await;
    let mut askers = JoinSet::new();

    for n in 0..40_u32 {
        let client = client.clone();
        askers.spawn(async move {
            if n % 2 == 0 {
                client.step("s", 1).await
            } else {
                client.state("s").await
            }
        });
    }
    for reply in askers.join_all().await {
        reply.expect_status(200);
    }

    let state = client.state("s").await.json();
    assert_eq!(state["step"], 30);
    let x = number(&state["bodies"][0]["position"][0]);
    assert!((x - 0.3).abs() < 1e-5, "{x}");
}

/// Waits, without touching it, until the simulation is frozen.
async fn until_frozen(client: &Client, sim: &str) {
    eventually_true(
        SOON,
        "the simulation is frozen",
        |status| status == "frozen",
        async || {
            let list = client.list("").await.json();
            find(&list["simulations"], "sim_id", sim)["status"].clone()
        },
    )
    .await;
}

/// Waits, without touching any, until this is the only simulation.
async fn until_alone(client: &Client, sim: &str) {
    eventually_true(
        SOON,
        "the others are gone",
        |ids: &Vec<Value>| *ids == [json!(sim)],
        async || {
            client.list("").await.json()["simulations"]
                .as_array()
                .map(|all| all.iter().map(|one| one["sim_id"].clone()).collect())
                .unwrap_or_default()
        },
    )
    .await;
}
