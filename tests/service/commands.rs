//! Batches: several commands and a span of time in one request.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{
    Client, Instance, eventually_true, find_body, number, sphere, triple, without,
};

/// A floor, a ball above it and a crate beside it.
fn yard() -> Value {
    json!({"bodies": [
        {"id": "floor", "shape": "plane"},
        sphere("ball", 0.5, [0.0, 5.0, 0.0]),
        {"id": "crate", "shape": "box", "size": [1, 1, 1], "position": [4, 0.5, 0], "mass": 3},
    ]})
}

async fn batch(client: &Client, sim: &str, request: &Value) -> Value {
    let path = format!("/simulations/{sim}/commands");
    client.post(path, request).await.expect_status(200).json()
}

#[tokio::test]
async fn a_scripted_run_in_one_request_ends_where_the_same_requests_one_by_one_do() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let (one, many) = (
        client.simulation(&yard()).await,
        client.simulation(&yard()).await,
    );
    let stone = sphere("stone", 0.2, [0.1, 8.0, 0.0]);
    let joint = json!({"id": "rope", "joint_type": "spherical", "body_a": "crate", "body_b": "stone",
        "anchor_a": [0, 2, 0], "anchor_b": [-2, 0, 0]});

    let mut added = stone.clone();
    added["op"] = json!("add_body");
    let mut tied = joint.clone();
    tied["op"] = json!("add_joint");
    tied["at_step"] = json!(100);
    let report = batch(
        &client,
        &one,
        &json!({
            "steps": 200,
            "commands": [
                {"op": "impulse", "at_step": 100, "body_id": "stone", "impulse": [1, 0, 0.5]},
                added,
                {"op": "patch_body", "body_id": "ball", "restitution": 0.9},
                {"op": "step", "steps": 7, "dt": 0.003},
                {"op": "force", "at_step": 20, "body_id": "crate", "force": [30, 0, 0], "torque": [0, 5, 0]},
                tied,
                {"op": "clear_force", "at_step": 60, "body_id": "crate"},
                {"op": "patch_simulation", "at_step": 150, "gravity": [0, -3, 0], "dt": 0.01},
                {"op": "patch_joint", "at_step": 170, "joint_id": "rope", "collide": true},
                {"op": "remove_joint", "at_step": 180, "joint_id": "rope"},
                {"op": "remove_body", "at_step": 200, "body_id": "ball"},
            ],
        }),
    )
    .await;

    let path = |rest: &str| format!("/simulations/{many}/{rest}");
    client.add_body(&many, &stone).await.expect_status(201);
    let patch = json!({"restitution": 0.9});
    client
        .patch_body(&many, "ball", &patch)
        .await
        .expect_status(200);
    let span = json!({"steps": 7, "dt": 0.003});
    client.post(path("step"), &span).await.expect_status(200);
    client.step(&many, 20).await.expect_status(200);
    let force = json!({"force": [30, 0, 0], "torque": [0, 5, 0]});
    client
        .set_force(&many, "crate", &force)
        .await
        .expect_status(204);
    client.step(&many, 40).await.expect_status(200);
    client
        .delete(path("bodies/crate/force"))
        .await
        .expect_status(204);
    client.step(&many, 40).await.expect_status(200);
    let push = json!({"impulse": [1, 0, 0.5]});
    client
        .impulse(&many, "stone", &push)
        .await
        .expect_status(204);
    client.add_joint(&many, &joint).await.expect_status(201);
    client.step(&many, 50).await.expect_status(200);
    let moon = json!({"gravity": [0, -3, 0], "dt": 0.01});
    client
        .call("PATCH", path("")[..path("").len() - 1].to_owned())
        .json(&moon)
        .send()
        .await
        .expect_status(200);
    client.step(&many, 20).await.expect_status(200);
    let collide = json!({"collide": true});
    client
        .call("PATCH", path("joints/rope"))
        .json(&collide)
        .send()
        .await
        .expect_status(200);
    client.step(&many, 10).await.expect_status(200);
    client.delete(path("joints/rope")).await.expect_status(204);
    client.step(&many, 20).await.expect_status(200);
    client.delete(path("bodies/ball")).await.expect_status(204);

    let state = client.state(&many).await.json();
    assert_eq!(report["step"], 207);
    assert_eq!(
        without(&report, &["sim_id", "results"]).to_string(),
        without(&state, &["sim_id"]).to_string()
    );
    let results = report["results"].as_array().expect("a list");
    assert_eq!(results.len(), 11);
    assert_eq!(results[1], json!({"ok": {"body_id": "stone"}}));
    assert_eq!(results[3]["ok"]["step"], 7);
    assert_eq!(results[5], json!({"ok": {"joint_id": "rope"}}));
    assert_eq!(results[10], json!({"ok": {}}));
}

#[tokio::test]
async fn an_atomic_batch_with_one_fault_changes_nothing_and_names_every_fault() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&yard()).await;
    let before = client.state(&sim).await;

    let request = json!({
        "steps": 10,
        "commands": [
            {"op": "impulse", "body_id": "ball", "impulse": [1, 0, 0]},
            {"op": "add_body", "id": "huge", "shape": "sphere", "size": [1e9]},
            {"op": "impulse", "body_id": "huge", "impulse": [1, 0, 0]},
            {"op": "remove_body", "at_step": 3, "body_id": "ball"},
            {"op": "patch_body", "at_step": 5, "body_id": "ball", "mass": 2},
            {"op": "step", "steps": 1, "dt": 99},
            {"op": "remove_joint", "at_step": 11, "joint_id": "none"},
        ],
        "until": [{"type": "contact", "body_a": "ball", "body_b": "nobody"}],
        "observe": {"bodies": ["ball", "nowhere"], "every": 0},
    });
    let path = format!("/simulations/{sim}/commands");
    let problem = client
        .post(path, &request)
        .await
        .expect_problem(422, "invalid_value");

    problem.expect_pointers(&[
        "/commands/6/at_step",
        "/commands/1/size/0",
        "/commands/5/dt",
        "/commands/4/body_id",
        "/commands/6/joint_id",
        "/until/0/body_b",
        "/observe/every",
        "/observe/bodies/1",
    ]);
    let after = client.state(&sim).await;
    assert_eq!(after.body, before.body);
    assert_eq!(after.headers["sim-seq"], before.headers["sim-seq"]);
    let exists = json!({"commands": [
        {"op": "step", "steps": 5},
        {"op": "add_body", "id": "ball", "shape": "plane"},
    ]});
    client
        .post(format!("/simulations/{sim}/commands"), &exists)
        .await
        .expect_problem(409, "body_exists");
    assert_eq!(client.state(&sim).await.body, before.body);
}

#[tokio::test]
async fn a_batch_that_is_not_atomic_tells_of_each_refusal_in_its_place_and_does_the_rest() {
    let flags = ["--max-bodies-per-simulation", "4"];
    let instance = Instance::in_process(&flags).await;
    let client = instance.client();
    let sim = client.simulation(&yard()).await;

    let report = batch(
        &client,
        &sim,
        &json!({
            "atomic": false,
            "commands": [
                {"op": "remove_body", "body_id": "nobody"},
                {"op": "add_body", "id": "a", "shape": "sphere", "size": [-1]},
                {"op": "add_body", "id": "b", "shape": "sphere", "size": [1], "position": [0, 20, 0]},
                {"op": "add_body", "id": "c", "shape": "sphere", "size": [1], "position": [0, 30, 0]},
                {"op": "add_body", "id": "ball", "shape": "sphere", "size": [1]},
                {"op": "step", "steps": 3},
            ],
        }),
    )
    .await;

    let results = report["results"].as_array().expect("a list");
    let codes: Vec<&str> = results
        .iter()
        .map(|result| result["error"]["error"].as_str().unwrap_or("ok"))
        .collect();
    assert_eq!(
        codes,
        [
            "invalid_value",
            "invalid_value",
            "ok",
            "limit_exceeded",
            "limit_exceeded",
            "ok"
        ]
    );
    assert_eq!(
        results[0]["error"]["errors"][0]["pointer"],
        "/commands/0/body_id"
    );
    assert_eq!(
        results[1]["error"]["errors"][0]["pointer"],
        "/commands/1/size/0"
    );
    assert_eq!(results[3]["error"]["limit"], "MAX_BODIES_PER_SIMULATION");
    assert_eq!(report["step"], 3);
    assert_eq!(report["bodies"].as_array().expect("a list").len(), 4);
}

#[tokio::test]
async fn a_condition_ends_a_run_after_the_first_step_for_which_it_holds() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let cases = [
        json!({"type": "time", "time": 0.5}),
        json!({"type": "contact", "body_a": "floor", "body_b": "ball"}),
        json!({"type": "below", "body_id": "ball", "field": "position.y", "value": 3.0}),
        json!({"type": "above", "body_id": "ball", "field": "speed", "value": 4.0}),
        json!({"type": "asleep", "bodies": ["crate"]}),
        json!({"type": "asleep"}),
    ];
    for condition in cases {
        let sim = client.simulation(&yard()).await;
        let twin = client.simulation(&yard()).await;
        let never = json!({"type": "time", "time": 1e6});
        let request = json!({
            "steps": 2000,
            "until": [never, condition],
            "commands": [{"op": "impulse", "at_step": 1999, "body_id": "crate", "impulse": [1, 0, 0]}],
        });

        let report = batch(&client, &sim, &request).await;

        let stop = &report["stopped_by"];
        assert_eq!(
            (&stop["index"], &stop["type"]),
            (&json!(1), &condition["type"])
        );
        assert_eq!(stop["step"], report["step"], "{condition}");
        assert_eq!(report["results"][0], json!({"skipped": true}));
        let end = report["step"].as_u64().expect("a number");
        assert!((2..1999).contains(&end), "{condition}: {end}");
        let before = client
            .step(&twin, u32::try_from(end - 1).expect("few"))
            .await
            .json();
        let holds_before = holds(&client, &twin, &condition, &before).await;
        let after = client.step(&twin, 1).await.json();
        assert!(!holds_before, "{condition} held a step earlier");
        assert!(
            holds(&client, &twin, &condition, &after).await,
            "{condition} does not hold"
        );
    }
}

#[tokio::test]
async fn a_run_ends_when_a_torque_has_turned_a_body_fast_enough() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    // A cube of 1 m and 1 kg resists by a sixth of a kg·m².
    let cube = json!({"id": "cube", "shape": "box", "size": [1, 1, 1], "mass": 1});
    for (field, sign) in [("angular_speed", -1.0), ("angular_velocity.y", 1.0)] {
        let scene = json!({"gravity": [0, 0, 0], "dt": 0.001, "bodies": [cube]});
        let sim = client.simulation(&scene).await;
        let request = json!({
            "steps": 2000,
            "commands": [{"op": "force", "body_id": "cube", "torque": [0, sign, 0]}],
            "until": [{"type": "above", "body_id": "cube", "field": field, "value": 3}],
        });

        let report = batch(&client, &sim, &request).await;

        let time = number(&report["stopped_by"]["time"]);
        assert!((time - 3.0 / 6.0).abs() < 3e-3, "{field}: {time}");
        let turning = triple(&report["bodies"][0]["angular_velocity"])[1];
        assert!((turning - 3.0 * sign).abs() < 0.02, "{field}: {turning}");
    }
}

/// The same condition, judged from what other routes show.
async fn holds(client: &Client, sim: &str, condition: &Value, state: &Value) -> bool {
    let value = condition["value"].as_f64().unwrap_or_default();
    match condition["type"].as_str().expect("a word") {
        "time" => number(&state["time"]) >= 0.5,
        "contact" => find_body(state, "ball")["contacts"] == json!(["floor"]),
        "below" => triple(&find_body(state, "ball")["position"])[1] < value,
        "above" => triple(&find_body(state, "ball")["velocity"])[1].abs() > value,
        _ => {
            let bodies = client
                .get(format!("/simulations/{sim}/bodies"))
                .await
                .json();
            let mut bodies = bodies["bodies"].as_array().expect("a list").iter();
            let wanted =
                |id: &Value| condition["bodies"].is_null() && *id != "floor" || *id == "crate";
            bodies.all(|body| !wanted(&body["id"]) || body["sleeping"] == true)
        }
    }
}

#[tokio::test]
async fn observations_are_the_frames_a_trajectory_would_hold() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let (sim, twin) = (
        client.simulation(&yard()).await,
        client.simulation(&yard()).await,
    );
    let fields = [
        "velocity",
        "position",
        "angular_velocity",
        "orientation",
        "speed",
        "contacts",
    ];

    let report = batch(
        &client,
        &sim,
        &json!({"steps": 101, "observe": {"bodies": ["crate", "ball"], "every": 4, "fields": fields}}),
    )
    .await;
    let recording = json!({"steps": 101, "every": 4});
    let trajectory = client.trajectory(&twin, "ball", &recording).await.json();

    let observations = report["observations"].as_array().expect("a list");
    let frames = trajectory["frames"].as_array().expect("a list");
    assert_eq!(observations.len(), 26);
    for (observation, frame) in observations.iter().zip(frames) {
        let ball = &observation["bodies"][1];
        assert_eq!(observation["time"], frame["time"]);
        for field in ["position", "orientation", "velocity", "angular_velocity"] {
            assert_eq!(ball[field], frame[field]);
        }
        assert_eq!(observation["bodies"][0]["id"], "crate");
        let speed = number(&ball["speed"]);
        assert!((speed - triple(&ball["velocity"])[1].abs()).abs() < 1e-3);
    }
    assert_eq!(observations[25]["bodies"][0]["contacts"], json!(["floor"]));

    let whole = batch(
        &client,
        &twin,
        &json!({"steps": 2, "observe": {"fields": ["sleeping"]}}),
    )
    .await;
    assert_eq!(
        whole["observations"][1]["bodies"],
        json!([{"id": "floor", "sleeping": false}, {"id": "ball", "sleeping": false}, {"id": "crate", "sleeping": true}])
    );
}

#[tokio::test]
async fn the_engines_words_ask_for_the_same_fields() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let asked = |fields: Value, height: &str, speed: &str| {
        json!({"steps": 500, "observe": {"bodies": ["ball"], "fields": fields, "every": 7},
               "until": [{"type": "above", "body_id": "ball", "field": speed, "value": 900},
                         {"type": "below", "body_id": "ball", "field": height, "value": 2}]})
    };
    let ours = asked(
        json!(["position", "orientation", "velocity", "angular_velocity"]),
        "position.y",
        "angular_velocity.z",
    );
    let engines = asked(
        json!(["translation", "rotation", "linvel", "angvel"]),
        "translation.y",
        "angvel.z",
    );
    let mut told = Vec::new();
    for (request, fields) in [(ours, "position,velocity"), (engines, "linvel,translation")] {
        let sim = client.simulation(&yard()).await;
        let report = batch(&client, &sim, &request).await;
        assert_eq!(report["stopped_by"]["type"], "below");
        let state = client.get(format!("/simulations/{sim}/state?fields={fields}"));
        let state = state.await.expect_status(200).json();
        assert!(state["bodies"][1]["velocity"].is_array(), "{state}");
        told.push([report, state].map(|it| without(&it, &["sim_id"])));
    }
    assert_eq!(told[0], told[1]);
}

#[tokio::test]
async fn what_is_too_much_for_one_batch_is_refused_with_the_limit_s_name() {
    let flags = [
        "--max-commands-per-batch",
        "3",
        "--max-frames-per-reply",
        "20",
    ];
    let instance = Instance::in_process(&flags).await;
    let client = instance.client();
    let sim = client.simulation(&yard()).await;
    let push = json!({"op": "impulse", "body_id": "ball", "impulse": [0, 1, 0]});
    let cases = [
        (
            json!({"commands": [push, push, push, push]}),
            "MAX_COMMANDS_PER_BATCH",
            4,
        ),
        (
            json!({"steps": 9999, "commands": [{"op": "step", "steps": 2}]}),
            "MAX_STEPS_PER_REQUEST",
            10_001,
        ),
        (
            json!({"steps": 11, "observe": {"bodies": ["ball", "crate"]}}),
            "MAX_FRAMES_PER_REPLY",
            22,
        ),
        (
            json!({"until": vec![json!({"type": "asleep"}); 65]}),
            "MAX_CONDITIONS",
            65,
        ),
    ];
    for (request, limit, used) in cases {
        let path = format!("/simulations/{sim}/commands");
        let problem = client
            .post(path, &request)
            .await
            .expect_problem(422, "limit_exceeded");
        assert_eq!(problem.body["limit"], limit);
        assert_eq!(problem.body["used"], used);
    }
    assert_eq!(client.state(&sim).await.json()["step"], 0);
}

#[tokio::test]
async fn a_fault_of_form_is_named_where_it_stands() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&yard()).await;
    let ball = json!({"op": "add_body", "id": "x", "shape": "sphere", "size": [1]});
    let with = |name: &str, value: Value| {
        let mut item = ball.clone();
        item[name] = value;
        json!({"commands": [ball, item]})
    };
    let cases = [
        (
            json!({"commands": [{"op": "explode"}]}),
            "invalid_value",
            "/commands/0/op",
        ),
        (json!({"commands": [{}]}), "invalid_value", "/commands/0/op"),
        (json!({"commands": [3]}), "invalid_value", "/commands/0"),
        (
            with("colour", json!("red")),
            "unknown_field",
            "/commands/1/colour",
        ),
        (
            with("position", json!([1, 2])),
            "invalid_value",
            "/commands/1/position",
        ),
        (
            with("at_step", json!(-1)),
            "invalid_value",
            "/commands/1/at_step",
        ),
        (
            with("body_id", json!("x")),
            "unknown_field",
            "/commands/1/body_id",
        ),
        (
            json!({"commands": [{"op": "impulse", "impulse": [1, 0, 0]}]}),
            "invalid_value",
            "/commands/0/body_id",
        ),
        (
            json!({"until": [{"type": "above", "body_id": "ball", "value": 1, "time": 2}]}),
            "invalid_value",
            "/until/0/time",
        ),
        (
            json!({"observe": {"fields": ["colour"]}}),
            "invalid_value",
            "/observe/fields/0",
        ),
        (
            json!({"until": [{"type": "asleep", "x": 1}]}),
            "unknown_field",
            "/until/0/x",
        ),
    ];
    for (request, code, pointer) in cases {
        let path = format!("/simulations/{sim}/commands");
        let problem = client.post(path, &request).await.expect_problem(422, code);
        assert!(
            problem.pointers().iter().any(|found| found == pointer),
            "{request}: {:?}",
            problem.pointers()
        );
    }
}

#[tokio::test]
async fn a_batch_is_carried_out_again_as_it_was_wherever_the_world_is_made_again() {
    let flags = [
        "--state-hash",
        "true",
        "--freeze-after-seconds",
        "1",
        "--max-bodies-per-simulation",
        "4",
    ];
    let instance = Instance::in_process(&flags).await;
    let client = instance.client();
    let sim = client.simulation(&yard()).await;
    let request = json!({
        "atomic": false,
        "steps": 50,
        "until": [{"type": "below", "body_id": "ball", "field": "position.y", "value": 4.0}],
        "observe": {"every": 10},
        "commands": [
            {"op": "add_body", "at_step": 10, "id": "b", "shape": "sphere", "size": [1], "position": [0, 20, 0]},
            {"op": "add_body", "at_step": 11, "id": "c", "shape": "sphere", "size": [1], "position": [0, 30, 0]},
            {"op": "add_body", "at_step": 49, "id": "d", "shape": "sphere", "size": [1]},
        ],
    });
    batch(&client, &sim, &request).await;
    // A change that no snapshot can hold has the whole history carried out again.
    let push = json!({"impulse": [1, 0, 0]});
    client.impulse(&sim, "ball", &push).await.expect_status(204);
    let before = client.state(&sim).await;
    eventually_true(
        Duration::from_secs(20),
        "the idle world is frozen",
        |status: &Value| status == "frozen",
        async || client.list("limit=10").await.json()["simulations"][0]["status"].clone(),
    )
    .await;

    let after = client.state(&sim).await;

    assert_eq!(after.body, before.body);
    assert_eq!(
        after.headers["sim-state-hash"],
        before.headers["sim-state-hash"]
    );
}

#[tokio::test]
async fn a_batch_of_many_bytes_is_read_and_shown_as_a_small_one_is() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&json!({})).await;
    let path = format!("/simulations/{sim}/commands");
    let rows = vec![vec![0.125; 150]; 150];
    let field = json!({"op": "add_body", "id": "field", "kind": "static", "shape": "heightfield",
        "heights": rows, "scale": [9, 1, 9]});
    assert!(field.to_string().len() > 100_000);
    let ball =
        |radius: f64| json!({"op": "add_body", "id": "ball", "shape": "sphere", "radius": radius});

    let refused = client
        .post(&path, &json!({"commands": [field, ball(-1.0)]}))
        .await
        .expect_problem(422, "invalid_value");
    assert_eq!(refused.body["errors"][0]["pointer"], "/commands/1/radius");
    let misread = json!({"commands": [ball(1.0), field, {"op": "nothing"}]});
    let misread = client.post(&path, &misread).await;
    let misread = misread.expect_problem(422, "invalid_value");
    assert_eq!(misread.body["errors"][0]["pointer"], "/commands/2/op");
    batch(&client, &sim, &json!({"commands": [field, ball(1.0)]})).await;
    let shown = client
        .get(format!("/simulations/{sim}/bodies"))
        .await
        .json();
    assert_eq!(find_body(&shown, "field")["heights"], json!(rows));
    assert_eq!(find_body(&shown, "ball")["radius"], 1.0);
}
