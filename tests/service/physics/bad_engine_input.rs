//! What the engine panics, aborts or goes astray on: refused before it sees it, one by one and in
//! batches, and nobody else notices.

use serde_json::{Value, json};

use crate::{
    harness::sphere,
    physics::{G, World, close, position, with},
};

/// Numbers that no field takes, and how they are refused.
const NUMBERS: [(&str, u16); 8] = [
    ("NaN", 400),
    ("Infinity", 400),
    ("-Infinity", 400),
    ("1e400", 400),
    ("1e300", 422),
    ("1e39", 422),
    ("-1e39", 422),
    ("null", 422),
];

/// A command of a batch, which also has a route of its own; the text of its fields; the answer.
type Case = (&'static str, String, u16);

#[tokio::test]
async fn every_input_that_the_engine_cannot_take_is_refused_and_nobody_else_notices() {
    let world = World::new(&innocents()).await;
    let before = world.state().await;

    for (op, fields, status) in numbers().into_iter().chain(values()) {
        let told = format!("{op} {fields}");
        let (method, path, about) = route(op);
        let path = format!("/simulations/{}{path}", world.sim);
        let alone = send(&world, method, &path, format!("{{{fields}}}")).await;
        assert_eq!(alone.0, status, "{told}: {}", alone.1);
        if op == "queries" {
            continue;
        }
        for is_atomic in [true, false] {
            let batch = format!(
                r#"{{"atomic":{is_atomic},"commands":[{{"op":"{op}",{about}{fields}}}],"steps":0}}"#
            );
            let path = format!("/simulations/{}/commands", world.sim);
            let (found, text) = send(&world, "POST", &path, batch).await;
            // What stands at the right place and has the wrong value costs itself alone; each
            // command is read by itself, after all of it was found to be JSON.
            let is_read = found == 422 && fields.contains("1e400");
            let is_told = found == 200 && !is_atomic && text.contains(r#""status":422"#);
            assert!(
                found == status || is_told || is_read,
                "{told} in a batch: {found} {text}"
            );
        }
    }

    assert_eq!(world.state().await, before, "as if nothing had been asked");
    let state = world.step(100).await;
    assert!(state.get("quarantined").is_none(), "{state}");
    assert!(!state.to_string().contains("null"), "{state}");
    let fallen = 10.0 - G / 2.0;
    close(position(&state, "innocent")[1], fallen, 0.03, "it falls");
    let [a, b] = ["base", "link"].map(|id| position(&state, id));
    close((a[0] - b[0]).abs(), 1.0, 1e-4, "what hangs together does");
}

#[tokio::test]
async fn a_body_that_is_gone_takes_no_joint_and_no_push() {
    let world = World::new(&innocents()).await;
    world
        .client
        .remove_body(&world.sim, "guest")
        .await
        .expect_status(204);
    for multibody in [false, true] {
        for ends in [
            ["guest", "innocent"],
            ["innocent", "guest"],
            ["innocent", "nobody"],
        ] {
            let joint = json!({"id": "bad", "joint_type": "revolute", "body_a": ends[0], "body_b": ends[1],
                               "multibody": multibody});
            let reply = world.client.add_joint(&world.sim, &joint).await;
            reply.expect_problem(422, "invalid_value");
        }
    }
    // The joint that held it has gone with it, and what is named like it is another body.
    let joint = world.client.joint(&world.sim, "hinge").await;
    joint.expect_problem(404, "joint_not_found");
    let again = sphere("guest", 0.5, [0.0, 20.0, 0.0]);
    world
        .client
        .add_body(&world.sim, &again)
        .await
        .expect_status(201);
    let state = world.step(10).await;
    assert!(state.get("quarantined").is_none(), "{state}");
}

/// A ball that falls, a multibody that falls, and what is asked of in vain.
fn innocents() -> Value {
    let floating = |id: &str, x: f64| sphere(id, 0.2, [x, 30.0, 0.0]);
    json!({"dt": 0.01, "bodies": [
        sphere("innocent", 0.5, [10.0, 10.0, 0.0]), floating("base", -5.0), floating("link", -4.0),
        with(floating("guest", 3.0), &json!({"gravity_scale": 0})), with(floating("hook", 4.0), &json!({"kind": "static"})),
    ], "joints": [
        {"id": "weld", "joint_type": "fixed", "body_a": "base", "body_b": "link", "anchor_a": [1, 0, 0], "multibody": true},
        {"id": "hinge", "joint_type": "revolute", "body_a": "hook", "body_b": "guest", "anchor_b": [1, 0, 0], "axis": [0, 0, 1]},
    ]})
}

/// Method, path and what names the thing in a batch.
fn route(op: &str) -> (&'static str, &'static str, &'static str) {
    match op {
        "add_body" => ("POST", "/bodies", ""),
        "patch_body" => ("PATCH", "/bodies/guest", r#""body_id":"guest","#),
        "add_joint" => ("POST", "/joints", ""),
        "patch_joint" => ("PATCH", "/joints/hinge", r#""joint_id":"hinge","#),
        "add_controller" => ("POST", "/controllers", ""),
        "impulse" => ("POST", "/bodies/guest/impulse", r#""body_id":"guest","#),
        "force" => ("PUT", "/bodies/guest/force", r#""body_id":"guest","#),
        "step" => ("POST", "/step", ""),
        "patch_simulation" => ("PATCH", "", ""),
        "queries" => ("POST", "/queries", ""),
        _ => panic!("{op}"),
    }
}

async fn send(world: &World, method: &str, path: &str, body: String) -> (u16, String) {
    let call = world.client.call(method, path).bytes(body);
    let reply = call.header("content-type", "application/json").send().await;
    (reply.status, reply.text())
}

/// Every field that holds numbers, with every number that it cannot hold.
fn numbers() -> Vec<Case> {
    let fields = [
        ("add_body", r#""id":"bad","shape":"sphere","radius":#"#),
        ("add_body", r#""id":"bad","shape":"sphere","size":[#]"#),
        ("add_body", r#""id":"bad","shape":"box","size":[1,#,1]"#),
        (
            "add_body",
            r#""id":"bad","shape":"box","half_extents":[1,1,#]"#,
        ),
        (
            "add_body",
            r#""id":"bad","shape":"box","size":[1,1,1],"border_radius":#"#,
        ),
        (
            "add_body",
            r#""id":"bad","shape":"capsule","half_height":#,"radius":1"#,
        ),
        ("add_body", r#""id":"bad","shape":"cylinder","size":[1,#]"#),
        ("add_body", r#""id":"bad","shape":"cone","size":[#,1]"#),
        (
            "add_body",
            r#""id":"bad","kind":"static","shape":"segment","point_a":[0,0,0],"point_b":[1,#,0]"#,
        ),
        (
            "add_body",
            r#""id":"bad","kind":"static","shape":"mesh","vertices":[[0,0,0],[1,0,0],[0,#,1]],"indices":[[0,1,2]]"#,
        ),
        (
            "add_body",
            r#""id":"bad","shape":"convex_hull","vertices":[[0,0,0],[1,0,0],[0,1,0],[0,0,#]]"#,
        ),
        (
            "add_body",
            r#""id":"bad","kind":"static","shape":"heightfield","heights":[[0,#],[0,0]],"scale":[1,1,1]"#,
        ),
        (
            "add_body",
            r#""id":"bad","shape":"voxels","voxel_size":[1,#,1],"voxels":[[0,0,0]]"#,
        ),
        ("add_body", r#""id":"bad","shape":"plane","normal":[0,#,0]"#),
        (
            "add_body",
            r#""id":"bad","shape":"sphere","radius":1,"position":[#,0,0]"#,
        ),
        (
            "add_body",
            r#""id":"bad","shape":"sphere","radius":1,"orientation":[0,0,0,#]"#,
        ),
        (
            "add_body",
            r#""id":"bad","shape":"sphere","radius":1,"velocity":[0,#,0]"#,
        ),
        (
            "add_body",
            r#""id":"bad","shape":"sphere","radius":1,"angular_velocity":[0,0,#]"#,
        ),
        (
            "add_body",
            r#""id":"bad","shape":"sphere","radius":1,"density":#"#,
        ),
        (
            "add_body",
            r#""id":"bad","shape":"sphere","radius":1,"mass":#"#,
        ),
        (
            "add_body",
            r#""id":"bad","shape":"sphere","radius":1,"friction":#"#,
        ),
        (
            "add_body",
            r#""id":"bad","shape":"sphere","radius":1,"restitution":#"#,
        ),
        ("patch_body", r#""position":[0,0,#]"#),
        ("patch_body", r#""velocity":[#,0,0]"#),
        ("patch_body", r#""angular_velocity":[0,#,0]"#),
        ("patch_body", r#""friction":#"#),
        ("patch_body", r#""mass":#"#),
        (
            "add_joint",
            r#""id":"bad","joint_type":"revolute","body_a":"hook","body_b":"guest","anchor_a":[#,0,0]"#,
        ),
        (
            "add_joint",
            r#""id":"bad","joint_type":"revolute","body_a":"hook","body_b":"guest","multibody":true,"axis":[#,0,0]"#,
        ),
        (
            "add_joint",
            r#""id":"bad","joint_type":"spring","body_a":"hook","body_b":"guest","rest_length":1,"stiffness":#"#,
        ),
        ("patch_joint", r#""limits":[-1,#]"#),
        ("patch_joint", r#""motor":{"target_velocity":#}"#),
        ("impulse", r#""impulse":[#,0,0]"#),
        ("impulse", r#""impulse":[1,0,0],"point":[0,#,0]"#),
        ("force", r#""force":[0,#,0]"#),
        ("force", r#""torque":[0,0,#]"#),
        ("patch_simulation", r#""gravity":[0,#,0]"#),
        ("patch_simulation", r#""dt":#"#),
        ("step", r#""steps":1,"dt":#"#),
        ("queries", r#""queries":[{"type":"point","point":[0,#,0]}]"#),
    ];
    let all = fields.iter().flat_map(|(op, fields)| {
        let case = |(number, status): &(&str, u16)| (*op, fields.replace('#', number), *status);
        NUMBERS.iter().map(case).collect::<Vec<_>>()
    });
    all.collect()
}

/// What is made of numbers that are some, and still is nothing.
fn values() -> Vec<Case> {
    let shapes = [
        // Nothing, or indices beyond what there is.
        r#""kind":"static","shape":"mesh","vertices":[[0,0,0],[1,0,0],[0,0,1]],"indices":[[0,1,3]]"#,
        r#""kind":"static","shape":"mesh","vertices":[[0,0,0],[1,0,0],[0,0,1]],"indices":[]"#,
        r#""kind":"static","shape":"polyline","vertices":[[0,0,0],[1,0,0]],"indices":[[0,2]]"#,
        r#""kind":"static","shape":"polyline","vertices":[]"#,
        r#""shape":"convex_decomposition","vertices":[[0,0,0],[1,0,0],[0,1,0],[0,0,1]],"indices":[[0,1,4]]"#,
        r#""shape":"convex_decomposition","vertices":[],"indices":[]"#,
        r#""shape":"compound","shapes":[]"#,
        r#""shape":"compound","shapes":[{"shape":"compound","shapes":[{"shape":"sphere","radius":1}]}]"#,
        r#""shape":"voxels","voxel_size":[1,1,1],"voxels":[]"#,
        r#""kind":"static","shape":"heightfield","heights":[],"scale":[1,1,1]"#,
        r#""kind":"static","shape":"heightfield","heights":[[0,0]],"scale":[1,1,1]"#,
        r#""kind":"static","shape":"heightfield","heights":[[0],[0]],"scale":[1,1,1]"#,
        r#""kind":"static","shape":"heightfield","heights":[[0,0],[0]],"scale":[1,1,1]"#,
        r#""shape":"box","size":[1,1,1],"border_radius":-0.1"#,
        // Hulls of too little.
        r#""shape":"convex_hull","vertices":[]"#,
        r#""shape":"convex_hull","vertices":[[1,1,1]]"#,
        r#""shape":"convex_hull","vertices":[[0,0,0],[1,0,0],[0,1,0]]"#,
        r#""shape":"convex_hull","vertices":[[0,0,0],[1,1,1],[2,2,2],[3,3,3]]"#,
        r#""shape":"convex_hull","vertices":[[1,1,1],[1,1,1],[1,1,1],[1,1,1]]"#,
        r#""shape":"convex_hull","vertices":[[0,0,0],[1,0,0],[0,1,0],[1,1,0]]"#,
        r#""shape":"convex_hull","vertices":[[0,0,0],[1e30,0,0],[0,1e30,0],[0,0,1e30]]"#,
        // Too large for everybody, or nothing at all.
        r#""shape":"sphere","radius":1e30"#,
        r#""shape":"sphere","radius":0"#,
        r#""shape":"sphere","radius":-1"#,
        r#""shape":"box","size":[0,1,1]"#,
        r#""shape":"capsule","size":[0,0]"#,
        r#""shape":"cylinder","size":[1,0]"#,
        r#""shape":"cone","size":[0,1]"#,
        r#""kind":"static","shape":"segment","point_a":[1,1,1],"point_b":[1,1,1]"#,
        r#""kind":"static","shape":"triangle","vertices":[[0,0,0],[1,1,1],[2,2,2]]"#,
        r#""kind":"static","shape":"mesh","vertices":[[1,1,1],[1,1,1],[1,1,1]],"indices":[[0,1,2]]"#,
        // Masses, turns and motions.
        r#""shape":"sphere","radius":1,"mass":0"#,
        r#""shape":"sphere","radius":1,"mass":-1"#,
        r#""shape":"sphere","radius":1,"density":-1"#,
        r#""shape":"sphere","radius":1,"friction":-0.1"#,
        r#""shape":"sphere","radius":1,"restitution":-0.1"#,
        r#""shape":"sphere","radius":1,"orientation":[0,0,0,0]"#,
        r#""shape":"sphere","radius":1,"velocity":[1e20,0,0]"#,
        r#""shape":"sphere","radius":1,"velocity":[0,1e38,0]"#,
        r#""shape":"sphere","radius":1,"position":[1e30,0,0]"#,
        r#""shape":"sphere","radius":1,"additional_solver_iterations":1000"#,
        r#""shape":"sphere","radius":1,"length_unit":0"#,
    ];
    let joints = [
        r#""body_a":"nobody","body_b":"guest""#,
        r#""body_a":"guest","body_b":"guest""#,
        r#""body_a":"guest","body_b":"guest","multibody":true"#,
        r#""body_a":"link","body_b":"base","multibody":true"#,
        r#""body_a":"hook","body_b":"guest","axis":[0,0,0]"#,
        r#""body_a":"hook","body_b":"guest","limits":[1,-1]"#,
        r#""body_a":"hook","body_b":"guest","motor":{"stiffness":1e30}"#,
        r#""body_a":"hook","body_b":"guest","motor":{"stiffness":-1e30}"#,
    ];
    let others = [
        ("patch_body", r#""orientation":[0,0,0,0]"#),
        ("patch_body", r#""velocity":[1e30,0,0]"#),
        ("patch_joint", r#""limits":[1,-1]"#),
        ("impulse", r#""impulse":[1e38,0,0]"#),
        ("patch_simulation", r#""gravity":[0,-1e30,0]"#),
        ("patch_simulation", r#""dt":0"#),
        ("patch_simulation", r#""dt":-1"#),
        ("patch_simulation", r#""dt":1e-30"#),
        ("patch_simulation", r#""dt":1e6"#),
        ("patch_simulation", r#""num_solver_iterations":0"#),
        ("step", r#""steps":1,"dt":0"#),
        ("step", r#""steps":1,"dt":1e6"#),
        ("step", r#""steps":1000000000"#),
        (
            "queries",
            r#""queries":[{"type":"ray","origin":[0,0,0],"direction":[0,0,0]}]"#,
        ),
        (
            "queries",
            r#""queries":[{"type":"ray","origin":[1e30,0,0],"direction":[1,0,0]}]"#,
        ),
        (
            "add_controller",
            r#""id":"bad","type":"pid","body_id":"nobody","target_position":[0,0,0]"#,
        ),
    ];
    let shapes = shapes.map(|fields| ("add_body", format!(r#""id":"bad",{fields}"#)));
    let joints = joints.map(|fields| {
        let fields = format!(r#""id":"bad","joint_type":"revolute",{fields}"#);
        ("add_joint", fields)
    });
    let others = others.map(|(op, fields)| (op, fields.to_owned()));
    let all = shapes.into_iter().chain(joints).chain(others);
    all.map(|(op, fields)| (op, fields, 422)).collect()
}
