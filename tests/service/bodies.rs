//! Bodies: what can be asked for, what is shown, what moves them.

use serde_json::{Value, json};

use crate::harness::{
    Instance, find, find_body, ground, number, sphere, triple, without, zero_gravity,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_engines_words_build_the_same_world_as_the_predecessors() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let half_turn = [0.0, 0.6, 0.0, 0.8];
    let wire = json!([
        {"id": "floor", "kind": "static", "shape": "plane", "normal": [0, 3, 0], "offset": -1},
        {"id": "crate", "kind": "dynamic", "shape": "box", "size": [1, 2, 3], "position": [0, 4, 0],
         "orientation": half_turn, "velocity": [1, 0, 0], "angular_velocity": [0, 1, 0]},
        {"id": "ball", "shape": "sphere", "size": [0.7], "position": [0.3, 8, 0.1]},
        {"id": "pill", "shape": "capsule", "size": [0.6, 0.3], "position": [3, 3, 0]},
        {"id": "can", "shape": "cylinder", "size": [0.6, 0.3], "position": [-3, 3, 0]},
    ]);
    let engine = json!([
        {"id": "floor", "kind": "fixed", "shape": "halfspace", "normal": [0, 1, 0], "offset": -1},
        {"id": "crate", "shape": "cuboid", "half_extents": [0.5, 1, 1.5], "translation": [0, 4, 0],
         "rotation": half_turn, "linvel": [1, 0, 0], "angvel": [0, 1, 0]},
        {"id": "ball", "shape": "ball", "radius": 0.7, "translation": [0.3, 8, 0.1]},
        {"id": "pill", "shape": "capsule", "half_height": 0.6, "radius": 0.3, "translation": [3, 3, 0]},
        {"id": "can", "shape": "cylinder", "half_height": 0.6, "radius": 0.3, "translation": [-3, 3, 0]},
    ]);

    let mut states = Vec::new();
    let mut shown = Vec::new();
    for bodies in [&wire, &engine] {
        let sim = client.simulation(&json!({})).await;
        let added = client
            .add_body(&sim, bodies)
            .await
            .expect_status(201)
            .json();
        assert_eq!(
            added,
            json!({"body_ids": ["floor", "crate", "ball", "pill", "can"]})
        );
        let words: Vec<_> = client.bodies(&sim).await.expect_status(200).json()["bodies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|body| (body["kind"].clone(), body["shape"].clone()))
            .collect();
        shown.push(words);
        let state = client.step(&sim, 300).await.expect_status(200).json();
        states.push(state["bodies"].to_string());
    }

    assert_eq!(states[0], states[1]);
    assert_eq!(shown[0], shown[1]);
    assert_eq!(
        shown[0],
        [
            ("static", "plane"),
            ("dynamic", "box"),
            ("dynamic", "sphere"),
            ("dynamic", "capsule"),
            ("dynamic", "cylinder")
        ]
        .map(|(kind, shape)| (json!(kind), json!(shape)))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_shown_with_its_spec_and_its_state_flat() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&zero_gravity()).await;
    client
        .add_body(
            &sim,
            &json!({"id": "plain", "shape": "box", "size": [1, 2, 3], "velocity": [1, 0, 0]}),
        )
        .await
        .expect_status(201);
    client.step(&sim, 100).await.expect_status(200);

    let shown = client.body(&sim, "plain").await.expect_status(200).json();
    let listed = client.bodies(&sim).await.expect_status(200).json();
    let state = client.state(&sim).await.expect_status(200).json();

    for (member, value) in [
        ("id", json!("plain")),
        ("kind", json!("dynamic")),
        ("shape", json!("box")),
        ("size", json!([1.0, 2.0, 3.0])),
        ("mass", json!(1.0)),
        ("restitution", json!(0.3)),
        ("friction", json!(0.5)),
        ("is_sensor", json!(false)),
        ("linear_damping", json!(0.0)),
        ("angular_damping", json!(0.0)),
        ("can_sleep", json!(true)),
        ("velocity", json!([1.0, 0.0, 0.0])),
        ("orientation", json!([0.0, 0.0, 0.0, 1.0])),
        ("contacts", json!([])),
    ] {
        assert_eq!(shown[member], value, "{member}: {shown}");
    }
    let moving = find_body(&state, "plain");
    for member in moving.as_object().unwrap().keys() {
        assert_eq!(shown[member], moving[member], "{member}");
    }
    assert!((number(&shown["position"][0]) - 1.0).abs() < 1e-5);
    // Where its mass is stands only where a body is shown alone.
    let shown = without(&shown, &["center_of_mass", "inertia"]);
    assert_eq!(listed, json!({"bodies": [shown]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_bodies_is_taken_whole_or_not_at_all() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(&json!({"bodies": [sphere("taken", 0.5, [0.0; 3])]}))
        .await;
    let good = sphere("new", 0.5, [3.0, 0.0, 0.0]);

    let twice = client
        .add_body(
            &sim,
            &json!([good, sphere("other", 0.5, [5.0, 0.0, 0.0]), good]),
        )
        .await
        .expect_problem(422, "invalid_value");
    client
        .add_body(&sim, &json!([good, sphere("taken", 0.5, [5.0, 0.0, 0.0])]))
        .await
        .expect_problem(409, "body_exists");
    let faulty = client
        .add_body(
            &sim,
            &json!([good, {"id": "a", "shape": "sphere", "size": [1, 2], "mass": -1},
                    {"id": "b", "shape": "box", "size": [1, 0, 1], "friction": -0.1}]),
        )
        .await
        .expect_problem(422, "invalid_value");

    twice.expect_pointers(&["/2/id"]);
    let pointers = faulty.pointers();
    for place in ["/1/size", "/1/mass", "/2/size", "/2/friction"] {
        assert!(
            pointers.iter().any(|pointer| pointer.starts_with(place)),
            "{place}: {}",
            faulty.body
        );
    }
    assert!(!pointers.iter().any(|pointer| pointer.starts_with("/0")));
    let left = client.bodies(&sim).await.json();
    assert_eq!(left["bodies"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_bodies_can_be_added_one_by_one_and_are_shown_together() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&zero_gravity()).await;

    for n in 0..1000_u32 {
        let at = [f64::from(n % 100) * 2.0, f64::from(n / 100) * 2.0, 0.0];
        client
            .add_body(&sim, &sphere(&format!("b{n}"), 0.5, at))
            .await
            .expect_status(201);
    }
    let state = client.step(&sim, 1).await.expect_status(200).json();
    let record = client.describe(&sim).await.json();

    assert_eq!(state["bodies"].as_array().map(Vec::len), Some(1000));
    assert_eq!(state["bodies"][999]["id"], "b999");
    assert_eq!(record["bodies"], 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_value_faults_of_a_body_are_named_at_once() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&json!({})).await;

    for (body, pointers) in [
        (
            json!({"id": "x", "shape": "sphere", "size": [0], "mass": -1, "position": [1e7, 0, 0],
                   "velocity": [0, 2e5, 0], "angular_velocity": [0, 0, 2e5], "restitution": 1.5,
                   "friction": -1, "linear_damping": -1, "angular_damping": -1,
                   "orientation": [0, 0, 0, 2]}),
            vec![
                "/size",
                "/mass",
                "/position",
                "/velocity",
                "/angular_velocity",
                "/restitution",
                "/friction",
                "/linear_damping",
                "/angular_damping",
                "/orientation",
            ],
        ),
        (
            json!({"id": "x", "shape": "sphere", "size": [1], "drag_coefficient": -1,
                   "drag_area": -1, "drag_axis_ratios": [1, -1, 1], "fluid_density": -1}),
            vec![
                "/drag_coefficient",
                "/drag_area",
                "/drag_axis_ratios",
                "/fluid_density",
            ],
        ),
        (json!({"id": "x", "shape": "sphere"}), vec!["/size"]),
        (
            json!({"id": "x", "shape": "sphere", "size": []}),
            vec!["/size"],
        ),
        (
            json!({"id": "x", "shape": "box", "size": [1, 1]}),
            vec!["/size"],
        ),
        (
            json!({"id": "x", "shape": "capsule", "size": [1]}),
            vec!["/size"],
        ),
        (
            json!({"id": "x", "shape": "cylinder", "size": [1, 1, 1]}),
            vec!["/size"],
        ),
        (
            json!({"id": "x", "kind": "static", "shape": "plane", "mass": -1}),
            vec!["/mass"],
        ),
        (
            json!({"id": "x", "kind": "static", "shape": "sphere", "size": [1], "mass": 1e10}),
            vec!["/mass"],
        ),
        (
            json!({"id": "x", "kind": "static", "shape": "plane", "normal": [0, 0, 0]}),
            vec!["/normal"],
        ),
        (
            json!({"id": "", "shape": "sphere", "size": [1]}),
            vec!["/id"],
        ),
    ] {
        let reply = client.add_body(&sim, &body).await;
        assert_eq!(reply.status, 422, "{body}: {}", reply.text());
        let problem = reply.problem();
        assert_eq!(problem.code(), "invalid_value", "{body}");
        let found = problem.pointers();
        for place in &pointers {
            assert!(
                found.iter().any(|pointer| pointer.starts_with(place)),
                "{place} is not named: {}",
                problem.body
            );
        }
        for pointer in &found {
            assert!(
                pointers.iter().any(|place| pointer.starts_with(place)),
                "{pointer} is no fault: {}",
                problem.body
            );
        }
    }

    assert_eq!(client.bodies(&sim).await.json(), json!({"bodies": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn values_at_the_edge_of_their_range_are_taken() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&zero_gravity()).await;

    for (n, mut body) in [
        json!({"mass": 1e-6}),
        json!({"mass": 1e9}),
        json!({"size": [1e-4]}),
        json!({"position": [0, -1e6, 0]}),
        json!({"velocity": [0, 1e5, 0]}),
        json!({"restitution": 0, "friction": 0}),
        json!({"restitution": 1}),
        json!({"orientation": [0, 0, 0, 1.0009]}),
        json!({"kind": "kinematic", "velocity": [0, 1, 0]}),
    ]
    .into_iter()
    .enumerate()
    {
        body["id"] = json!(format!("b{n}"));
        body["shape"] = json!("sphere");
        if body["size"].is_null() {
            body["size"] = json!([0.5]);
        }
        let reply = client.add_body(&sim, &body).await;
        assert_eq!(reply.status, 201, "{body}: {}", reply.text());
    }
    let state = client.step(&sim, 2).await.expect_status(200);

    assert!(!state.text().contains("null"), "{}", state.text());
    assert_eq!(
        state.json()["bodies"][7]["orientation"],
        json!([0.0, 0.0, 0.0, 1.0])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plane_carries_a_ball_at_its_offset_along_the_normalised_normal() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(&json!({"bodies": [
            {"id": "table", "kind": "static", "shape": "plane", "normal": [0, 3, 0], "offset": 2,
             "position": [0, 1, 0]},
            sphere("ball", 0.5, [0.0, 4.0, 0.0]),
        ]}))
        .await;

    let state = client.step(&sim, 500).await.expect_status(200).json();

    let height = number(&find_body(&state, "ball")["position"][1]);
    assert!((height - 3.5).abs() < 0.01, "{height}");
}

#[tokio::test(flavor = "multi_thread")]
async fn patch_moves_and_changes_a_body_and_answers_the_new_one() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&zero_gravity()).await;
    client
        .add_body(&sim, &sphere("ball", 0.5, [0.0; 3]))
        .await
        .expect_status(201);
    let patch = json!({
        "position": [1, 2, 3], "orientation": [0, 0, 0.6, 0.8], "velocity": [4, 0, 0],
        "angular_velocity": [0, 5, 0], "restitution": 0.9, "friction": 0.1,
        "linear_damping": 0.0, "angular_damping": 0.25,
    });

    let patched = client
        .patch_body(&sim, "ball", &patch)
        .await
        .expect_status(200)
        .json();
    let read = client.body(&sim, "ball").await.expect_status(200).json();
    let moved = client.step(&sim, 100).await.expect_status(200).json();
    let stopped = client
        .patch_body(&sim, "ball", &json!({"kind": "static"}))
        .await
        .expect_status(200)
        .json();
    let later = client.step(&sim, 10).await.expect_status(200).json();

    assert_eq!(patched, read);
    for (member, value) in patch.as_object().unwrap() {
        let (found, wanted) = (&patched[member], value);
        match wanted.as_array() {
            None => assert_eq!(*found, number(wanted), "{member}"),
            Some(wanted) => {
                for (axis, wanted) in wanted.iter().enumerate() {
                    let off = number(&found[axis]) - number(wanted);
                    assert!(off.abs() < 1e-6, "{member}: {found}");
                }
            }
        }
    }
    let x = number(&moved["bodies"][0]["position"][0]);
    assert!((x - 5.0).abs() < 1e-3, "{x}");
    assert_eq!(stopped["kind"], "static");
    assert_eq!(
        later["bodies"][0]["position"],
        moved["bodies"][0]["position"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_patch_of_a_body_changes_nothing() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(&json!({"bodies": [sphere("ball", 0.5, [0.0; 3])]}))
        .await;
    let before = client.body(&sim, "ball").await.json();

    for (patch, code, pointer) in [
        (
            json!({"friction": 0.9, "position": [1e9, 0, 0]}),
            "invalid_value",
            "/position",
        ),
        (
            json!({"friction": 0.9, "mass": null}),
            "invalid_value",
            "/mass",
        ),
        (json!({"position": null}), "invalid_value", "/position"),
        (
            json!({"orientation": [0, 0, 0, 0]}),
            "invalid_value",
            "/orientation",
        ),
        (json!({"kind": "ghost"}), "invalid_value", "/kind"),
        (
            json!({"friction": 0.9, "colour": "red"}),
            "unknown_field",
            "/colour",
        ),
        (json!({"id": "other"}), "unknown_field", "/id"),
    ] {
        let reply = client.patch_body(&sim, "ball", &patch).await;
        assert_eq!(reply.status, 422, "{patch}: {}", reply.text());
        let problem = reply.problem();
        assert_eq!(problem.code(), code, "{patch}");
        assert!(
            problem
                .pointers()
                .iter()
                .any(|found| found.starts_with(pointer)),
            "{patch}: {}",
            problem.body
        );
    }

    assert_eq!(client.body(&sim, "ball").await.json(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_body_takes_its_joints_and_contacts_along() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(&json!({
            "bodies": [ground("floor"), sphere("a", 0.5, [0.0, 0.5, 0.0]),
                       sphere("b", 0.5, [1.5, 0.5, 0.0]), sphere("c", 0.5, [3.0, 0.5, 0.0]),
                       {"id": "zone", "kind": "static", "shape": "box", "size": [9, 1, 9],
                        "is_sensor": true}],
            "joints": [
                {"id": "ab", "joint_type": "fixed", "body_a": "a", "body_b": "b", "anchor_a": [1.5, 0, 0]},
                {"id": "bc", "joint_type": "fixed", "body_a": "b", "body_b": "c", "anchor_a": [1.5, 0, 0]},
            ],
        }))
        .await;
    let touching = client.step(&sim, 20).await.expect_status(200).json();

    client.remove_body(&sim, "a").await.expect_status(204);
    client
        .remove_body(&sim, "a")
        .await
        .expect_problem(404, "body_not_found");
    let joints = client.joints(&sim).await.expect_status(200).json();
    let right_after = client.state(&sim).await.expect_status(200).json();
    client.remove_body(&sim, "zone").await.expect_status(204);
    let later = client.step(&sim, 20).await.expect_status(200).json();

    assert_eq!(
        find_body(&touching, "a")["contacts"],
        json!(["floor", "zone"])
    );
    assert_eq!(joints["joints"].as_array().map(Vec::len), Some(1));
    find(&joints["joints"], "id", "bc");
    client
        .joint(&sim, "ab")
        .await
        .expect_problem(404, "joint_not_found");
    for state in [&right_after, &later] {
        for body in state["bodies"].as_array().unwrap() {
            for gone in body["contacts"].as_array().unwrap() {
                assert_ne!(gone, "a", "{body}");
            }
        }
    }
    assert_eq!(find_body(&later, "b")["contacts"], json!(["floor"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impulse_changes_momentum_at_once_and_spins_off_centre() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&zero_gravity()).await;
    for (id, x) in [("centred", 0.0), ("off-centre", 10.0)] {
        let mut ball = sphere(id, 0.5, [x, 0.0, 0.0]);
        ball["mass"] = json!(2);
        client.add_body(&sim, &ball).await.expect_status(201);
    }

    let reply = client
        .impulse(&sim, "centred", &json!({"impulse": [4, 0, 0]}))
        .await
        .expect_status(204);
    client
        .impulse(
            &sim,
            "off-centre",
            &json!({"impulse": [4, 0, 0], "point": [10, 0.5, 0]}),
        )
        .await
        .expect_status(204);
    let state = client.state(&sim).await.json();

    assert!(reply.body.is_empty());
    assert_eq!(
        find_body(&state, "centred")["velocity"],
        json!([2.0, 0.0, 0.0])
    );
    assert_eq!(
        find_body(&state, "centred")["angular_velocity"],
        json!([0.0, 0.0, 0.0])
    );
    assert_eq!(
        find_body(&state, "off-centre")["velocity"],
        json!([2.0, 0.0, 0.0])
    );
    // r × J = (0, 0.5, 0) × (4, 0, 0) = (0, 0, -2); a ball's inertia is 2/5·m·r² = 0.2.
    let spin = triple(&find_body(&state, "off-centre")["angular_velocity"]);
    assert!((spin[2] + 10.0).abs() < 1e-3, "{spin:?}");
    client
        .impulse(&sim, "nobody", &json!({"impulse": [1, 0, 0]}))
        .await
        .expect_problem(404, "body_not_found");
    client
        .impulse(&sim, "centred", &json!({"impulse": [1e300, 0, 0]}))
        .await
        .expect_problem(422, "invalid_value");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_force_holds_until_replaced_or_deleted() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&zero_gravity()).await;
    let mut ball = sphere("ball", 0.5, [0.0; 3]);
    ball["mass"] = json!(2);
    client.add_body(&sim, &ball).await.expect_status(201);
    let speed = |state: &Value| triple(&state["bodies"][0]["velocity"]);

    client
        .set_force(&sim, "ball", &json!({"force": [99, 0, 0]}))
        .await
        .expect_status(204);
    client
        .set_force(&sim, "ball", &json!({"force": [10, 0, 0]}))
        .await
        .expect_status(204);
    let pushed = client.step(&sim, 100).await.expect_status(200).json();
    client
        .set_force(&sim, "ball", &json!({"torque": [0, 0.2, 0]}))
        .await
        .expect_status(204);
    let twisted = client.step(&sim, 100).await.expect_status(200).json();
    client.clear_force(&sim, "ball").await.expect_status(204);
    client.clear_force(&sim, "ball").await.expect_status(204);
    let free = client.step(&sim, 100).await.expect_status(200).json();

    assert!((speed(&pushed)[0] - 5.0).abs() < 1e-3, "{pushed}");
    assert!((speed(&twisted)[0] - 5.0).abs() < 1e-3, "{twisted}");
    let spin = number(&twisted["bodies"][0]["angular_velocity"][1]);
    assert!((spin - 1.0).abs() < 1e-2, "{spin}");
    assert_eq!(
        free["bodies"][0]["velocity"],
        twisted["bodies"][0]["velocity"]
    );
    client
        .set_force(&sim, "nobody", &json!({"force": [1, 0, 0]}))
        .await
        .expect_problem(404, "body_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kinematic_body_moves_as_told_and_is_never_pushed() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(&json!({"dt": 0.01, "bodies": [
            {"id": "lift", "kind": "kinematic", "shape": "box", "size": [4, 1, 4], "velocity": [0, 1, 0]},
            sphere("ball", 0.5, [0.0, 1.0, 0.0]),
        ]}))
        .await;

    let risen = client.step(&sim, 100).await.expect_status(200).json();
    client
        .patch_body(
            &sim,
            "lift",
            &json!({"position": [0, 9, 0], "velocity": [0, 0, 0]}),
        )
        .await
        .expect_status(200);
    let moved = client.step(&sim, 1).await.expect_status(200).json();

    let lift = number(&find_body(&risen, "lift")["position"][1]);
    let ball = number(&find_body(&risen, "ball")["position"][1]);
    assert!((lift - 1.0).abs() < 1e-3, "{lift}");
    assert!((ball - lift - 1.0).abs() < 0.05, "{ball} on {lift}");
    assert!((number(&find_body(&moved, "lift")["position"][1]) - 9.0).abs() < 1e-5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sensor_is_seen_in_contacts_and_stops_nothing() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(&json!({"dt": 0.01, "gravity": [0, 0, 0], "bodies": [
            {"id": "gate", "kind": "static", "shape": "box", "size": [1, 4, 4], "is_sensor": true},
            {"id": "ball", "shape": "sphere", "size": [0.25], "position": [-2, 0, 0], "velocity": [4, 0, 0]},
        ]}))
        .await;

    let before = client.state(&sim).await.json();
    let inside = client.step(&sim, 50).await.expect_status(200).json();
    let beyond = client.step(&sim, 50).await.expect_status(200).json();

    for (state, gate, ball) in [
        (&before, json!([]), json!([])),
        (&inside, json!(["ball"]), json!(["gate"])),
        (&beyond, json!([]), json!([])),
    ] {
        assert_eq!(find_body(state, "gate")["contacts"], gate, "{state}");
        assert_eq!(find_body(state, "ball")["contacts"], ball, "{state}");
    }
    assert_eq!(
        find_body(&beyond, "ball")["velocity"],
        json!([4.0, 0.0, 0.0])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn in_two_dimensions_a_patch_is_flattened_too() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(&json!({"dimensions": 2, "gravity": [0, 0, 0],
                            "bodies": [sphere("ball", 0.5, [0.0, 0.0, 3.0])]}))
        .await;

    client
        .patch_body(
            &sim,
            "ball",
            &json!({"velocity": [1, 2, 3], "angular_velocity": [1, 2, 3]}),
        )
        .await
        .expect_status(200);
    client
        .patch_body(&sim, "ball", &json!({"orientation": [0.6, 0, 0, 0.8]}))
        .await
        .expect_problem(422, "invalid_value")
        .expect_pointers(&["/orientation"]);
    let shown = client.body(&sim, "ball").await.json();

    assert_eq!(shown["velocity"], json!([1.0, 2.0, 0.0]));
    assert_eq!(shown["angular_velocity"], json!([0.0, 0.0, 3.0]));
    assert_eq!(shown["position"], json!([0.0, 0.0, 3.0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn mass_on_a_static_body_is_checked_and_then_ignored() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let mut states = Vec::new();

    for mass in [1.0, 1e9] {
        let sim = client
            .simulation(&json!({"bodies": [
                {"id": "floor", "kind": "static", "shape": "plane", "mass": mass},
                {"id": "wall", "kind": "static", "shape": "box", "size": [1, 9, 9], "mass": mass},
                {"id": "ball", "shape": "sphere", "size": [0.5], "position": [3, 2, 0], "velocity": [-5, 0, 0]},
            ]}))
            .await;
        let state = client.step(&sim, 200).await.expect_status(200).json();
        states.push(without(&state, &["sim_id"]));
    }

    assert_eq!(states[0], states[1]);
}
