//! Creating, describing, changing, listing and destroying simulations.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Instance, find, ground, seconds_of_day, sphere, without, zero_gravity};

/// Every member of the description of a simulation.
const MEMBERS: [&str; 14] = [
    "sim_id",
    "config",
    "owner",
    "durability",
    "registered",
    "status",
    "step",
    "time",
    "bodies",
    "joints",
    "labels",
    "ttl_seconds",
    "created_at",
    "expires_at",
];

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_object_gives_the_defaults_the_predecessor_had() {
    let instance = Instance::in_process(&["--instance-id", "alpha"]).await;
    let client = instance.client();

    let reply = client
        .create_simulation(&json!({}))
        .await
        .expect_status(201);

    let created = reply.json();
    let id = created["sim_id"].as_str().unwrap();
    assert_eq!(
        created["config"],
        json!({"gravity": [0.0, -9.81, 0.0], "dimensions": 3, "dt": 0.016, "integrator": "verlet"})
    );
    assert_eq!(
        uuid::Uuid::parse_str(id).map(|uuid| uuid.get_version_num()),
        Ok(4)
    );
    assert_eq!(
        reply.header("location"),
        Some(format!("/simulations/{id}").as_str())
    );
    for (member, value) in [
        ("owner", json!("alpha")),
        ("durability", json!("memory")),
        ("step", json!(0)),
        ("bodies", json!(0)),
        ("joints", json!(0)),
        ("labels", json!({})),
        ("ttl_seconds", json!(3600)),
    ] {
        assert_eq!(created[member], value, "{member}");
    }
    assert_eq!(created["time"], 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn create_get_patch_and_list_describe_a_simulation_alike() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let request = json!({
        "id": "orrery", "gravity": [0, 0, -1.62], "dimensions": 3, "dt": 0.02, "integrator": "rk4",
        "ttl_seconds": 120, "labels": {"team": "red", "run": "7"},
        "bodies": [ground("floor"), sphere("a", 0.5, [0.0, 1.0, 0.0]), sphere("b", 0.5, [2.0, 1.0, 0.0])],
        "joints": [{"id": "rod", "joint_type": "spherical", "body_a": "a", "body_b": "b",
                    "anchor_a": [2, 0, 0]}],
    });

    let created = client
        .create_simulation(&request)
        .await
        .expect_status(201)
        .json();
    let read = client.describe("orrery").await.expect_status(200).json();
    let patched = client
        .patch_simulation("orrery", &json!({}))
        .await
        .expect_status(200)
        .json();
    let list = client.list("").await.expect_status(200).json();
    let listed = find(&list["simulations"], "sim_id", "orrery");

    for (what, found) in [
        ("create", &created),
        ("get", &read),
        ("patch", &patched),
        ("list", listed),
    ] {
        let members: BTreeSet<_> = found
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(members, BTreeSet::from(MEMBERS), "{what}");
        assert_eq!(
            without(found, &["expires_at"]),
            without(&created, &["expires_at"]),
            "{what}"
        );
        assert_time_of_day(&found["created_at"]);
        assert_time_of_day(&found["expires_at"]);
    }
    assert_eq!(created["bodies"], 3);
    assert_eq!(created["joints"], 1);
    assert_eq!(created["ttl_seconds"], 120);
    assert_eq!(created["labels"], json!({"team": "red", "run": "7"}));
    assert_eq!(
        created["config"],
        json!({"gravity": [0.0, 0.0, -1.62], "dimensions": 3, "dt": 0.02, "integrator": "rk4"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_integrator_is_accepted_and_echoed_and_changes_nothing() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let mut ends = Vec::new();

    for integrator in ["euler", "verlet", "rk4"] {
        let request = json!({"integrator": integrator, "bodies": [
            ground("floor"), sphere("ball", 0.5, [0.0, 3.0, 0.0])
        ]});
        let created = client
            .create_simulation(&request)
            .await
            .expect_status(201)
            .json();
        assert_eq!(created["config"]["integrator"], integrator);
        let sim = created["sim_id"].as_str().unwrap();
        let state = client.step(sim, 100).await.expect_status(200).json();
        ends.push(state["bodies"].clone());
    }

    assert_eq!(ends[0], ends[1]);
    assert_eq!(ends[1], ends[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_create_leaves_nothing_and_names_every_fault() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let request = json!({
        "id": "broken", "dt": 0, "ttl_seconds": 0, "gravity": [0, 1e300, 0],
        "bodies": [ground("floor"), {"id": "x", "shape": "sphere", "size": [-1], "mass": 0}],
        "joints": [{"id": "j", "joint_type": "fixed", "body_a": "floor", "body_b": "nobody"}],
    });

    let problem = client
        .create_simulation(&request)
        .await
        .expect_problem(422, "invalid_value");

    let pointers = problem.pointers();
    for place in [
        "/dt",
        "/ttl_seconds",
        "/gravity",
        "/bodies/1/size",
        "/bodies/1/mass",
        "/joints/0/body_b",
    ] {
        assert!(
            pointers.iter().any(|pointer| pointer.starts_with(place)),
            "{place} is not named: {}",
            problem.body
        );
    }
    client
        .describe("broken")
        .await
        .expect_problem(404, "simulation_not_found");
    client
        .create_simulation(&json!({"id": "broken"}))
        .await
        .expect_status(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_taken_until_its_simulation_is_destroyed() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let request = json!({"id": "one"});
    client.create_simulation(&request).await.expect_status(201);

    let problem = client
        .create_simulation(&request)
        .await
        .expect_problem(409, "simulation_exists");
    client.destroy("one").await.expect_status(204);
    client
        .destroy("one")
        .await
        .expect_problem(404, "simulation_not_found");
    client.create_simulation(&request).await.expect_status(201);

    assert_eq!(problem.body["sim_id"], "one");
    assert_eq!(client.describe("one").await.json()["step"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn patch_changes_gravity_dt_lifetime_and_labels() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(
            &json!({"labels": {"a": "1", "b": "2"}, "bodies": [sphere("ball", 0.5, [0.0; 3])]}),
        )
        .await;
    let path = format!("/simulations/{sim}");

    let patched = client
        .call("PATCH", &path)
        .bytes(
            json!({"gravity": [0, 0, 0], "dt": 0.05, "ttl_seconds": 90,
                   "labels": {"a": null, "c": "3"}})
            .to_string(),
        )
        .header("content-type", "application/merge-patch+json")
        .send()
        .await
        .expect_status(200)
        .json();
    let stepped = client.step(&sim, 2).await.expect_status(200).json();

    assert_eq!(
        patched["config"],
        json!({"gravity": [0.0, 0.0, 0.0], "dimensions": 3, "dt": 0.05, "integrator": "verlet"})
    );
    assert_eq!(patched["ttl_seconds"], 90);
    assert_eq!(patched["labels"], json!({"b": "2", "c": "3"}));
    assert_eq!(stepped["time"], 0.1);
    assert_eq!(stepped["bodies"][0]["velocity"][1], 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_is_refused_as_a_whole() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&json!({"labels": {"a": "1"}})).await;
    let before = client.describe(&sim).await.json();

    for (patch, code, pointer) in [
        (
            json!({"dt": 0.1, "ttl_seconds": 0}),
            "invalid_value",
            "/ttl_seconds",
        ),
        (json!({"gravity": null}), "invalid_value", "/gravity"),
        (json!({"dt": null}), "invalid_value", "/dt"),
        (
            json!({"ttl_seconds": null}),
            "invalid_value",
            "/ttl_seconds",
        ),
        (json!({"labels": null}), "invalid_value", "/labels"),
        (json!({"labels": {"a": 1}}), "invalid_value", "/labels/a"),
        (
            json!({"ttl_seconds": 604_801}),
            "invalid_value",
            "/ttl_seconds",
        ),
        (json!({"dimensions": 2}), "unknown_field", "/dimensions"),
        (json!({"sim_id": "x"}), "unknown_field", "/sim_id"),
    ] {
        let reply = client.patch_simulation(&sim, &patch).await;
        assert_eq!(reply.status, 422, "{patch}: {}", reply.text());
        let problem = reply.problem();
        assert_eq!(problem.code(), code, "{patch}");
        assert_eq!(problem.pointers(), [pointer], "{patch}: {}", problem.body);
    }

    let after = client.describe(&sim).await.json();
    assert_eq!(
        without(&after, &["expires_at"]),
        without(&before, &["expires_at"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_pages_in_order_of_insertion_and_filters_by_label() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let mut all = Vec::new();
    for n in 0..23 {
        let id = format!("sim-{}", (n * 7) % 23);
        let colour = if n % 3 == 0 { "red" } else { "a=b c" };
        client
            .simulation(&json!({"id": id, "labels": {"colour": colour}}))
            .await;
        all.push((id, colour));
    }
    client.destroy(&all[4].0).await.expect_status(204);
    all.remove(4);

    for (query, wanted) in [
        ("limit=5", None),
        ("limit=1000", None),
        ("limit=4&label=colour%3Dred", Some("red")),
        ("limit=4&label=colour=red", Some("red")),
        ("limit=3&label=colour%3Da%3Db%20c", Some("a=b c")),
        ("limit=3&label=colour%3Dnone", Some("none")),
    ] {
        let limit: usize = query[6..].split('&').next().unwrap().parse().unwrap();
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let next: String = cursor.map(|c| format!("&cursor={c}")).unwrap_or_default();
            let page = client
                .list(&format!("{query}{next}"))
                .await
                .expect_status(200)
                .json();
            let simulations = page["simulations"].as_array().unwrap();
            assert!(simulations.len() <= limit, "{query}");
            seen.extend(
                simulations
                    .iter()
                    .map(|s| s["sim_id"].as_str().unwrap().to_owned()),
            );
            assert!(seen.len() <= all.len(), "{query}: the pages never end");
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        let expected: Vec<_> = all
            .iter()
            .filter(|(_, colour)| wanted.is_none_or(|wanted| wanted == *colour))
            .map(|(id, _)| id.clone())
            .collect();
        assert_eq!(seen, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keepalive_needs_no_body_and_answers_the_new_deadline() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&json!({"id": "long-lived"})).await;

    let bare = client.keepalive(&sim).await.expect_status(200).json();
    let with_body = client
        .post(format!("/simulations/{sim}/keepalive"), &json!({}))
        .await
        .expect_status(200)
        .json();

    for reply in [&bare, &with_body] {
        assert_eq!(reply["sim_id"], "long-lived");
        assert_time_of_day(&reply["expires_at"]);
        assert_eq!(reply.as_object().map(serde_json::Map::len), Some(2));
    }
    let moved = seconds_of_day(&with_body["expires_at"]) - seconds_of_day(&bare["expires_at"]);
    assert!(moved.rem_euclid(86_400.0) < 60.0, "{bare} then {with_body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn head_works_wherever_get_does() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(
            &json!({"bodies": [sphere("a", 0.5, [0.0; 3]), sphere("b", 0.5, [3.0, 0.0, 0.0])],
            "joints": [{"id": "j", "joint_type": "fixed", "body_a": "a", "body_b": "b"}]}),
        )
        .await;

    for path in [
        "/health".to_owned(),
        "/ready".to_owned(),
        "/openapi.json".to_owned(),
        "/docs".to_owned(),
        "/simulations".to_owned(),
        format!("/simulations/{sim}"),
        format!("/simulations/{sim}/state"),
        format!("/simulations/{sim}/bodies"),
        format!("/simulations/{sim}/bodies/a"),
        format!("/simulations/{sim}/joints"),
        format!("/simulations/{sim}/joints/j"),
    ] {
        let get = client.get(&path).await;
        let head = client.call("HEAD", &path).send().await;
        assert_eq!((get.status, head.status), (200, 200), "{path}");
        assert!(!get.body.is_empty(), "{path}");
        assert!(head.body.is_empty(), "{path}");
        assert_eq!(
            head.header("content-type"),
            get.header("content-type"),
            "{path}"
        );
    }
    let missing = client
        .call("HEAD", "/simulations/nobody/state")
        .send()
        .await;
    assert_eq!((missing.status, missing.body.len()), (404, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reply_about_a_simulation_says_where_it_stands() {
    let instance = Instance::in_process(&["--instance-id", "beacon"]).await;
    let client = instance.client();
    let created = client
        .create_simulation(&json!({"id": "s", "gravity": [0, 0, 0]}))
        .await
        .expect_status(201);

    let replies = [
        created,
        client
            .add_body("s", &sphere("a", 0.5, [0.0; 3]))
            .await
            .expect_status(201),
        client
            .add_body("s", &sphere("b", 0.5, [3.0, 0.0, 0.0]))
            .await
            .expect_status(201),
        client
            .add_joint(
                "s",
                &json!({"id": "j", "joint_type": "fixed", "body_a": "a", "body_b": "b"}),
            )
            .await
            .expect_status(201),
        client.step("s", 7).await.expect_status(200),
        client.state("s").await.expect_status(200),
        client
            .impulse("s", "a", &json!({"impulse": [1, 0, 0]}))
            .await
            .expect_status(204),
        client
            .patch_body("s", "a", &json!({"friction": 0.1}))
            .await
            .expect_status(200),
        client
            .trajectory("s", "a", &json!({"steps": 3}))
            .await
            .expect_status(200),
        client.bodies("s").await.expect_status(200),
        client.describe("s").await.expect_status(200),
        client
            .add_body("s", &sphere("a", 0.5, [0.0; 3]))
            .await
            .expect_status(409),
        client.body("s", "nobody").await.expect_status(404),
        client.remove_body("s", "b").await.expect_status(204),
    ];

    let mut last = 0;
    for reply in &replies {
        assert_eq!(
            reply.header("sim-instance"),
            Some("beacon"),
            "{}",
            reply.request
        );
        let seq = reply.header_number("sim-seq");
        assert!(seq >= last, "{}: {seq} after {last}", reply.request);
        last = seq;
    }
    let steps: Vec<_> = replies
        .iter()
        .map(|reply| reply.header_number("sim-step"))
        .collect();
    assert_eq!(steps, [0, 0, 0, 0, 7, 7, 7, 7, 10, 10, 10, 10, 10, 10]);
    let seqs: Vec<_> = replies
        .iter()
        .map(|reply| reply.header_number("sim-seq"))
        .collect();
    for changed in [1, 2, 3, 4, 6, 7, 8, 13] {
        assert_eq!(
            seqs[changed],
            seqs[changed - 1] + 1,
            "{}: {seqs:?}",
            replies[changed].request
        );
    }
    for read in [5, 9, 10, 11, 12] {
        assert_eq!(
            seqs[read],
            seqs[read - 1],
            "{}: {seqs:?}",
            replies[read].request
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_is_kept_or_given() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();

    let kept = client
        .call("GET", "/simulations/nobody")
        .header("x-request-id", "trace-me-17")
        .send()
        .await;
    let given = [client.health().await, client.health().await];

    assert_eq!(kept.header("x-request-id"), Some("trace-me-17"));
    assert_eq!(kept.problem().body["request_id"], "trace-me-17");
    let ids = given
        .each_ref()
        .map(|reply| reply.header("x-request-id").unwrap());
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_have_bounds() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();

    client
        .create_simulation(&json!({"labels": {"fits": "x".repeat(256)}}))
        .await
        .expect_status(201);
    client
        .create_simulation(&json!({"labels": {"long": "x".repeat(257)}}))
        .await
        .expect_problem(422, "invalid_value")
        .expect_pointers(&["/labels/long"]);
    client
        .create_simulation(&json!({"labels": {"odd": 7}}))
        .await
        .expect_problem(422, "invalid_value");
    client
        .create_simulation(&json!({"labels": {"none": null}}))
        .await
        .expect_problem(422, "invalid_value");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_world_given_whole_equals_one_built_piece_by_piece() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let bodies = [
        ground("floor"),
        sphere("a", 0.5, [0.0, 2.0, 0.0]),
        sphere("b", 0.5, [0.9, 3.0, 0.1]),
    ];
    let joint = json!({"id": "rod", "joint_type": "spherical", "body_a": "a", "body_b": "b",
                       "anchor_a": [0.9, 1.0, 0.1]});
    let whole = client
        .simulation(&json!({"bodies": bodies, "joints": [joint]}))
        .await;
    let pieces = client.simulation(&json!({})).await;
    for body in &bodies {
        client.add_body(&pieces, body).await.expect_status(201);
    }
    client.add_joint(&pieces, &joint).await.expect_status(201);
    let batches = client.simulation(&json!({})).await;
    client
        .add_body(&batches, &Value::from(bodies.to_vec()))
        .await
        .expect_status(201);
    client
        .add_joint(&batches, &json!([joint]))
        .await
        .expect_status(201);

    let mut ends = Vec::new();
    for sim in [&whole, &pieces, &batches] {
        let state = client.step(sim, 200).await.expect_status(200).json();
        ends.push(state["bodies"].to_string());
    }

    assert_eq!(ends[0], ends[1]);
    assert_eq!(ends[1], ends[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn simulations_in_one_process_do_not_touch_each_other() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let one = client.simulation(&zero_gravity()).await;
    let two = client.simulation(&zero_gravity()).await;
    for sim in [&one, &two] {
        client
            .add_body(sim, &sphere("same-name", 0.5, [0.0; 3]))
            .await
            .expect_status(201);
    }

    client
        .impulse(&one, "same-name", &json!({"impulse": [1, 0, 0]}))
        .await
        .expect_status(204);
    client.step(&one, 5).await.expect_status(200);
    client.destroy(&one).await.expect_status(204);
    let other = client.step(&two, 5).await.expect_status(200).json();

    assert_eq!(other["bodies"][0]["position"], json!([0.0, 0.0, 0.0]));
}

#[track_caller]
fn assert_time_of_day(value: &Value) {
    let text = value.as_str().unwrap_or("");
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert!(
        shape.starts_with("0000-00-00T00:00:00") && shape.ends_with('Z'),
        "not RFC 3339 in UTC: {value}"
    );
}
