//! Joints: what ties bodies together, and what is refused.

use serde_json::{Value, json};

use crate::harness::{Client, Instance, find_body, ground, number, sphere, triple};

#[tokio::test(flavor = "multi_thread")]
async fn each_joint_leaves_only_its_own_freedom() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();

    for (joint, checks) in [
        (
            json!({"joint_type": "fixed", "anchor_a": [2, 0, 0]}),
            [true, true],
        ),
        (
            json!({"joint_type": "revolute", "axis": [0, 0, 9], "anchor_b": [-2, 0, 0]}),
            [false, true],
        ),
        (
            json!({"joint_type": "spherical", "anchor_b": [-2, 0, 0]}),
            [false, true],
        ),
        (
            json!({"joint_type": "prismatic", "axis": [0, -5, 0], "anchor_a": [2, 0, 0]}),
            [false, false],
        ),
    ] {
        let sim = hanging(&client, &joint).await;
        let state = client.step(&sim, 60).await.expect_status(200).json();
        let weight = find_body(&state, "weight");
        let [x, y, z] = triple(&weight["position"]);

        let [stays, keeps_distance] = checks;
        assert_eq!(y.abs() < 0.02, stays, "{joint}: {weight}");
        if keeps_distance {
            let distance = (x * x + y * y + z * z).sqrt();
            assert!((distance - 2.0).abs() < 0.02, "{joint}: {distance}");
        } else {
            assert!(
                (x - 2.0).abs() < 0.02 && z.abs() < 0.02,
                "{joint}: {weight}"
            );
            assert!(y < -1.0, "{joint}: {weight}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_stop_hinges_and_slides() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let hinge = json!({"joint_type": "revolute", "axis": [0, 0, 1], "anchor_b": [-2, 0, 0],
                       "limits": [-0.5, 0.5]});
    let slide = json!({"joint_type": "prismatic", "axis": [0, 1, 0], "anchor_a": [2, 0, 0],
                       "limits": [-0.75, 0.25]});

    let hinged = hanging(&client, &hinge).await;
    let swung = client.step(&hinged, 300).await.expect_status(200).json();
    let sliding = hanging(&client, &slide).await;
    let slid = client.step(&sliding, 300).await.expect_status(200).json();
    client
        .patch_joint(&sliding, "tie", &json!({"limits": [-1.5, 0.25]}))
        .await
        .expect_status(200);
    let slid_on = client.step(&sliding, 300).await.expect_status(200).json();

    let [x, y, _] = triple(&find_body(&swung, "weight")["position"]);
    assert!((y.atan2(x) + 0.5).abs() < 0.05, "angle {}", y.atan2(x));
    for (state, depth) in [(&slid, -0.75), (&slid_on, -1.5)] {
        let y = number(&find_body(state, "weight")["position"][1]);
        assert!((y - depth).abs() < 0.05, "{y}, not {depth}");
    }
    assert_eq!(
        client.joint(&sliding, "tie").await.json()["limits"],
        json!([-1.5, 0.25])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_joint_is_shown_as_it_was_asked_for_with_defaults_filled_in() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&pair()).await;
    client
        .add_joint(
            &sim,
            &json!({"id": "j", "joint_type": "revolute", "body_a": "a", "body_b": "b",
                    "axis": [0, 0, 2], "limits": [-1, 1]}),
        )
        .await
        .expect_status(201);

    let shown = client.joint(&sim, "j").await.expect_status(200).json();
    let listed = client.joints(&sim).await.expect_status(200).json();

    for (member, value) in [
        ("id", json!("j")),
        ("joint_type", json!("revolute")),
        ("body_a", json!("a")),
        ("body_b", json!("b")),
        ("anchor_a", json!([0.0, 0.0, 0.0])),
        ("anchor_b", json!([0.0, 0.0, 0.0])),
        ("axis", json!([0.0, 0.0, 1.0])),
        ("limits", json!([-1.0, 1.0])),
        ("collide", json!(false)),
    ] {
        assert_eq!(shown[member], value, "{member}: {shown}");
    }
    assert_eq!(listed, json!({"joints": [shown]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn faulty_joints_are_refused_with_their_pointers() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let mut world = pair();
    for id in ["wall", "floor"] {
        let body = json!({"id": id, "kind": "static", "shape": "plane"});
        world["bodies"].as_array_mut().unwrap().push(body);
    }
    let sim = client.simulation(&world).await;

    for (change, pointers) in [
        (json!({"body_b": "a"}), &["/body_b"][..]),
        (json!({"body_a": "nobody"}), &["/body_a"]),
        (
            json!({"body_a": "no", "body_b": "one"}),
            &["/body_a", "/body_b"],
        ),
        (json!({"joint_type": "elastic"}), &["/joint_type"]),
        (json!({"joint_type": null}), &["/joint_type"]),
        (json!({"axis": [0, 0, 0]}), &["/axis"]),
        (json!({"axis": [0, 1]}), &["/axis"]),
        (json!({"anchor_a": [1e7, 0, 0]}), &["/anchor_a"]),
        (json!({"limits": [1, -1]}), &["/limits"]),
        (json!({"limits": [1]}), &["/limits"]),
        (
            json!({"joint_type": "fixed", "limits": [-1, 1]}),
            &["/limits"],
        ),
        (
            json!({"joint_type": "spherical", "limits": [-1, 1]}),
            &["/limits"],
        ),
        (json!({"id": "a b"}), &["/id"]),
        (
            json!({"axis": [0, 0, 0], "anchor_b": [0, 1e300, 0]}),
            &["/axis", "/anchor_b"],
        ),
    ] {
        let reply = client.add_joint(&sim, &joint_with(&change)).await;
        assert_eq!(reply.status, 422, "{change}: {}", reply.text());
        let problem = reply.problem();
        assert_eq!(problem.code(), "invalid_value", "{change}");
        for place in pointers {
            assert!(
                problem
                    .pointers()
                    .iter()
                    .any(|found| found.starts_with(place)),
                "{change}: {}",
                problem.body
            );
        }
    }
    let both_static = client
        .add_joint(
            &sim,
            &joint_with(&json!({"body_a": "wall", "body_b": "floor"})),
        )
        .await
        .expect_problem(422, "invalid_value");
    client
        .add_joint(&sim, &joint_with(&json!({"spring": 1})))
        .await
        .expect_problem(422, "unknown_field")
        .expect_pointers(&["/spring"]);

    assert!(!both_static.pointers().is_empty(), "{}", both_static.body);
    assert_eq!(client.joints(&sim).await.json(), json!({"joints": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn faulty_settings_are_refused_with_their_pointers_when_made_and_when_changed() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&pair()).await;
    let sound = [
        json!({"id": "revolute", "joint_type": "revolute"}),
        json!({"id": "spherical", "joint_type": "spherical"}),
        json!({"id": "rope", "joint_type": "rope", "length": 3}),
        json!({"id": "spring", "joint_type": "spring", "rest_length": 3, "stiffness": 10}),
        json!({"id": "generic", "joint_type": "generic", "axes": {"x": "free", "y": "free", "rx": "free", "rz": "free"}, "coupled_axes": ["x", "y"]}),
    ];
    for joint in &sound {
        let joint = joint_with(joint);
        client.add_joint(&sim, &joint).await.expect_status(201);
    }

    for (kind, change, pointer) in [
        (
            "revolute",
            json!({"motor": {}, "limits": [-4, 0]}),
            "/limits/0",
        ),
        (
            "revolute",
            json!({"motor": {"target_position": 4}}),
            "/motor/target_position",
        ),
        (
            "revolute",
            json!({"motor": {"target_position": null}}),
            "/motor/target_position",
        ),
        (
            "revolute",
            json!({"motor": {"target_velocity": 1e6}}),
            "/motor/target_velocity",
        ),
        (
            "revolute",
            json!({"motor": {"stiffness": -1}}),
            "/motor/stiffness",
        ),
        (
            "revolute",
            json!({"motor": {"stiffness": 1e13}}),
            "/motor/stiffness",
        ),
        (
            "revolute",
            json!({"motor": {"damping": 1e300}}),
            "/motor/damping",
        ),
        (
            "revolute",
            json!({"motor": {"damping": 0}}),
            "/motor/damping",
        ),
        (
            "revolute",
            json!({"motor": {"max_force": -1}}),
            "/motor/max_force",
        ),
        (
            "revolute",
            json!({"motor": {"model": "magic"}}),
            "/motor/model",
        ),
        ("revolute", json!({"motor": {"power": 1}}), "/motor/power"),
        ("revolute", json!({"motors": {"rx": {}}}), "/motors"),
        ("revolute", json!({"length": 1}), "/length"),
        ("revolute", json!({"damping": 1}), "/damping"),
        ("revolute", json!({"armature": 1}), "/armature"),
        ("revolute", json!({"friction": 1}), "/friction"),
        ("revolute", json!({"break_force": 0}), "/break_force"),
        ("revolute", json!({"break_torque": 1e16}), "/break_torque"),
        ("revolute", json!({"break_torque": null}), "/break_torque"),
        (
            "revolute",
            json!({"softness": {"natural_frequency": 0}}),
            "/softness/natural_frequency",
        ),
        (
            "revolute",
            json!({"softness": {"natural_frequency": 5, "damping_ratio": -1}}),
            "/softness/damping_ratio",
        ),
        ("revolute", json!({"enabled": null}), "/enabled"),
        ("revolute", json!({"axes": {}}), "/axes"),
        ("spherical", json!({"cone_limit": 4}), "/cone_limit"),
        ("spherical", json!({"cone_limit": 0}), "/cone_limit"),
        (
            "spherical",
            json!({"twist_limits": [1, 0]}),
            "/twist_limits",
        ),
        ("spherical", json!({"motor": {}}), "/motor"),
        (
            "spherical",
            json!({"motors": {"rx": {"damping": -1}}}),
            "/motors/rx/damping",
        ),
        ("spherical", json!({"motors": {"x": {}}}), "/motors/x"),
        ("rope", json!({"length": 0}), "/length"),
        ("rope", json!({"cone_limit": 1}), "/cone_limit"),
        ("spring", json!({"stiffness": 0}), "/stiffness"),
        ("spring", json!({"rest_length": -1}), "/rest_length"),
        ("spring", json!({"damping": -1}), "/damping"),
        ("spring", json!({"twist_limits": [0, 1]}), "/twist_limits"),
        ("generic", json!({"axes": {"x": "loose"}}), "/axes/x"),
        ("generic", json!({"axes": {"x": null}}), "/axes/x"),
        ("generic", json!({"axes": {"w": "free"}}), "/axes/w"),
        (
            "generic",
            json!({"axes": {"x": {"limits": [-1, 1]}}}),
            "/axes/x/limits/0",
        ),
        (
            "generic",
            json!({"axes": {"y": {"limits": [0, 1]}}}),
            "/axes/y",
        ),
        (
            "generic",
            json!({"axes": {"rz": {"limits": [0, 4]}}}),
            "/axes/rz/limits/1",
        ),
        (
            "generic",
            json!({"axes": {"rx": {"motor": {"stiffness": -1}}}}),
            "/axes/rx/motor/stiffness",
        ),
    ] {
        let patched = client.patch_joint(&sim, kind, &change).await;
        let problem = patched.expect_status(422).problem();
        assert!(
            problem.pointers().contains(&pointer.to_owned()),
            "{change}: {}",
            problem.body
        );

        let like = sound
            .iter()
            .find(|joint| joint["id"] == kind)
            .expect("one of the sound ones");
        let mut made = joint_with(like);
        made["id"] = json!("other");
        for (name, value) in change.as_object().expect("an object") {
            if name == "axes" && made["axes"].is_object() {
                for (axis, freedom) in value.as_object().expect("an object") {
                    made["axes"][axis] = freedom.clone();
                }
            } else {
                made[name] = value.clone();
            }
        }
        let refused = client.add_joint(&sim, &made).await;
        let problem = refused.expect_status(422).problem();
        assert!(
            problem.pointers().contains(&pointer.to_owned()),
            "{change}: {}",
            problem.body
        );
    }
    for (kind, change, pointer) in [
        ("rope", json!({"length": null}), "/length"),
        ("generic", json!({"coupled_axes": ["x"]}), "/coupled_axes"),
        (
            "generic",
            json!({"coupled_axes": ["x", "z"]}),
            "/coupled_axes/1",
        ),
        (
            "generic",
            json!({"coupled_axes": ["x", "x"]}),
            "/coupled_axes/1",
        ),
        (
            "generic",
            json!({"coupled_axes": ["rx", "ry", "rz"]}),
            "/coupled_axes",
        ),
        (
            "generic",
            json!({"coupled_axes": [null]}),
            "/coupled_axes/0",
        ),
        (
            "revolute",
            json!({"frame_a": {}, "anchor_b": [1, 0, 0]}),
            "/anchor_b",
        ),
        (
            "revolute",
            json!({"frame_a": {"orientation": [0, 0, 0, 2]}}),
            "/frame_a/orientation",
        ),
        (
            "revolute",
            json!({"frame_b": {"position": [1e6, 0, 0]}}),
            "/frame_b/position",
        ),
        (
            "revolute",
            json!({"multibody": true, "break_force": 1}),
            "/break_force",
        ),
        ("rope", json!({"multibody": true}), "/multibody"),
    ] {
        let like = sound
            .iter()
            .find(|joint| joint["id"] == kind)
            .expect("one of the sound ones");
        let mut made = joint_with(like);
        made["id"] = json!("other");
        for (name, value) in change.as_object().expect("an object") {
            made[name] = value.clone();
        }
        let problem = client
            .add_joint(&sim, &made)
            .await
            .expect_status(422)
            .problem();
        assert!(
            problem.pointers().contains(&pointer.to_owned()),
            "{change}: {}",
            problem.body
        );
    }
    let locked = json!({"axes": {"rx": "locked"}});
    let problem = client
        .patch_joint(&sim, "generic", &locked)
        .await
        .expect_status(422)
        .problem();
    problem.expect_pointers(&["/axes/rx"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_an_object_is_never_a_list_of_its_values() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let bodies = [
        sphere("a", 0.5, [0.0; 3]),
        sphere("b", 0.5, [3.0, 0.0, 0.0]),
    ];
    let sim = client.simulation(&json!({"bodies": bodies})).await;
    let refused = async |path: &str, request: &Value, pointer: &str| {
        let path = format!("/simulations/{sim}/{path}");
        let reply = client.post(path, request).await;
        let problem = reply.expect_problem(422, "invalid_value");
        problem.expect_pointers(&[pointer]);
    };
    let pose = json!([[0, 0, 0], [0, 0, 0, 1]]);
    for (kind, field, list) in [
        ("revolute", "motor", json!([0, 1])),
        ("revolute", "softness", json!([30, 1])),
        ("revolute", "frame_a", pose.clone()),
        ("revolute", "frame_b", pose),
        ("spherical", "motors", json!([{}])),
        ("generic", "axes", json!(["free"])),
    ] {
        let mut joint = json!({"id": "j", "joint_type": kind, "body_a": "a", "body_b": "b"});
        joint[field] = list;
        refused("joints", &joint, &format!("/{field}")).await;
    }
    let axes = json!({"id": "j", "joint_type": "generic", "body_a": "a", "body_b": "b",
                      "axes": {"x": {"motor": [1]}}});
    refused("joints", &axes, "/axes/x/motor").await;
    refused("commands", &json!({"observe": [["a"]]}), "/observe").await;
    refused(
        "commands",
        &json!({"commands": [["step", 1]]}),
        "/commands/0",
    )
    .await;
    refused("commands", &json!({"commands": [7]}), "/commands/0").await;
    let import = json!({"format": "urdf", "content": "", "motors": [1]});
    refused("imports", &import, "/motors").await;

    let hinge = json!({"id": "j", "joint_type": "revolute", "body_a": "a", "body_b": "b",
                       "motor": {"target_velocity": 1}});
    client.add_joint(&sim, &hinge).await.expect_status(201);
    let patch = json!({"motor": [1]});
    let patched = client.patch_joint(&sim, "j", &patch).await;
    let patched = patched.expect_problem(422, "invalid_value");
    patched.expect_pointers(&["/motor"]);
    let off = client.patch_joint(&sim, "j", &json!({"motor": null})).await;
    assert!(off.expect_status(200).json()["motor"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_joints_is_taken_whole_or_not_at_all() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let mut world = pair();
    world["bodies"]
        .as_array_mut()
        .unwrap()
        .push(sphere("c", 0.5, [6.0, 0.0, 0.0]));
    let sim = client.simulation(&world).await;
    let first = joint_with(&json!({"id": "first"}));
    let second = joint_with(&json!({"id": "second", "body_a": "b", "body_b": "c"}));

    client
        .add_joint(&sim, &json!([first, second, first]))
        .await
        .expect_problem(422, "invalid_value")
        .expect_pointers(&["/2/id"]);
    client
        .add_joint(
            &sim,
            &json!([first, joint_with(&json!({"body_b": "nobody"}))]),
        )
        .await
        .expect_problem(422, "invalid_value")
        .expect_pointers(&["/1/body_b"]);
    assert_eq!(client.joints(&sim).await.json(), json!({"joints": []}));
    let added = client
        .add_joint(&sim, &json!([second, first]))
        .await
        .expect_status(201)
        .json();
    client
        .add_joint(&sim, &json!([joint_with(&json!({"id": "third"})), first]))
        .await
        .expect_problem(409, "joint_exists");

    assert_eq!(added, json!({"joint_ids": ["second", "first"]}));
    assert_eq!(
        client.joints(&sim).await.json()["joints"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_joint_lets_go() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = hanging(
        &client,
        &json!({"joint_type": "fixed", "anchor_a": [2, 0, 0]}),
    )
    .await;
    client.step(&sim, 30).await.expect_status(200);

    client.remove_joint(&sim, "tie").await.expect_status(204);
    client
        .remove_joint(&sim, "tie")
        .await
        .expect_problem(404, "joint_not_found");
    client
        .patch_joint(&sim, "tie", &json!({"limits": [0, 1]}))
        .await
        .expect_problem(404, "joint_not_found");
    let state = client.step(&sim, 60).await.expect_status(200).json();

    let y = number(&find_body(&state, "weight")["position"][1]);
    assert!(y < -1.5, "still held at {y}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_patch_of_a_joint_changes_nothing() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&pair()).await;
    let joint = joint_with(&json!({"joint_type": "revolute", "limits": [-1, 1]}));
    client.add_joint(&sim, &joint).await.expect_status(201);
    let before = client.joint(&sim, "j").await.json();

    for (patch, code, pointer) in [
        (json!({"limits": [2, -2]}), "invalid_value", "/limits"),
        (json!({"limits": null}), "invalid_value", "/limits"),
        (json!({"limits": [0, 1e300]}), "invalid_value", "/limits"),
        (json!({"body_a": "b"}), "unknown_field", "/body_a"),
    ] {
        let problem = client
            .patch_joint(&sim, "j", &patch)
            .await
            .expect_problem(422, code);
        assert!(
            problem
                .pointers()
                .iter()
                .any(|found| found.starts_with(pointer)),
            "{patch}: {}",
            problem.body
        );
    }

    assert_eq!(client.joint(&sim, "j").await.json(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn tied_bodies_collide_only_when_asked_to() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();

    for (collide, touching) in [(json!(false), false), (json!(true), true)] {
        let sim = client
            .simulation(&json!({
                "gravity": [0, 0, 0],
                "bodies": [sphere("a", 0.5, [0.0; 3]), sphere("b", 0.5, [0.8, 0.0, 0.0])],
                "joints": [{"id": "j", "joint_type": "prismatic", "body_a": "a", "body_b": "b",
                            "axis": [1, 0, 0], "collide": collide}],
            }))
            .await;
        let state = client.step(&sim, 3).await.expect_status(200).json();
        let contacts = state["bodies"][0]["contacts"].as_array().unwrap();
        assert_eq!(!contacts.is_empty(), touching, "collide {collide}: {state}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_closed_into_a_ring_stays_finite_and_together() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let names = ["a", "b", "c", "d"];
    let corners = [
        [0.0, 5.0, 0.0],
        [2.0, 5.0, 0.0],
        [2.0, 5.0, 2.0],
        [0.0, 5.0, 2.0],
    ];
    let mut bodies = vec![ground("floor")];
    let mut joints = Vec::new();
    for n in 0..4 {
        let next = (n + 1) % 4;
        bodies.push(sphere(names[n], 0.4, corners[n]));
        let half = [0, 1, 2].map(|axis| (corners[next][axis] - corners[n][axis]) / 2.0);
        joints.push(json!({"id": format!("j{n}"), "joint_type": "spherical",
                           "body_a": names[n], "body_b": names[next],
                           "anchor_a": half, "anchor_b": half.map(|x| -x)}));
    }
    let sim = client
        .simulation(&json!({"bodies": bodies, "joints": joints}))
        .await;

    let state = client.step(&sim, 500).await.expect_status(200).json();

    assert_eq!(state["quarantined"], Value::Null);
    for n in 0..4 {
        let here = triple(&find_body(&state, names[n])["position"]);
        let there = triple(&find_body(&state, names[(n + 1) % 4])["position"]);
        let apart: f64 = here
            .iter()
            .zip(there)
            .map(|(a, b)| (a - b).powi(2))
            .sum::<f64>()
            .sqrt();
        assert!(apart < 2.1, "{apart}");
    }
}

/// A fixed hook and a weight 2 m beside it, tied by this joint.
async fn hanging(client: &Client, joint: &Value) -> String {
    let mut joint = joint.clone();
    joint["id"] = json!("tie");
    joint["body_a"] = json!("hook");
    joint["body_b"] = json!("weight");
    client
        .simulation(&json!({
            "dt": 0.01,
            "bodies": [
                {"id": "hook", "kind": "static", "shape": "sphere", "size": [0.1]},
                sphere("weight", 0.25, [2.0, 0.0, 0.0]),
            ],
            "joints": [joint],
        }))
        .await
}

fn pair() -> Value {
    json!({"bodies": [sphere("a", 0.5, [0.0; 3]), sphere("b", 0.5, [3.0, 0.0, 0.0])]})
}

fn joint_with(change: &Value) -> Value {
    let mut joint = json!({"id": "j", "joint_type": "revolute", "body_a": "a", "body_b": "b"});
    for (member, value) in change.as_object().expect("a change is an object") {
        joint[member] = value.clone();
    }
    joint
}
