//! Robots of others, brought in over HTTP: they weigh, hang, hold and stand as they should.

use std::{
    f64::consts::{FRAC_1_SQRT_2, PI},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    harness::{
        Client, Instance, RedisServer, Reply, eventually_true, find_body, ground, number, triple,
        without,
    },
    takeover::journalled,
};

const SPIRIT: &str = include_str!("robots/spirit40.urdf");
const IIWA: &str = include_str!("robots/iiwa.urdf");
const ANT: &str = include_str!("robots/ant.xml");
const HUMANOID: &str = include_str!("robots/humanoid.xml");

/// Turns what has z for up so that y is.
const UPRIGHT: [f64; 4] = [-FRAC_1_SQRT_2, 0.0, 0.0, FRAC_1_SQRT_2];

/// An arm that hangs from the world, of a mass that has nothing to do with its shape.
const PENDULUM: &str = r#"<robot name="pendulum"><link name="world"/>
    <link name="arm"><inertial><origin xyz="0 0 -0.4"/><mass value="2.5"/>
      <inertia ixx="0.3" iyy="0.2" izz="0.1" ixy="0" ixz="0" iyz="0"/></inertial>
      <collision><geometry><box size="0.1 0.1 0.1"/></geometry></collision></link>
    <joint name="hinge" type="continuous"><parent link="world"/><child link="arm"/><axis xyz="0 1 0"/></joint></robot>"#;

async fn import(client: &Client, sim: &str, request: &Value) -> Reply {
    client
        .post(format!("/simulations/{sim}/imports"), request)
        .await
}

async fn brought_in(client: &Client, sim: &str, request: &Value) -> Value {
    import(client, sim, request).await.expect_status(201).json()
}

async fn set_target(client: &Client, sim: &str, joint: &str, position: f64) {
    let motor = json!({"target_position": position, "stiffness": 1000.0, "damping": 30.0,
                       "model": "force"});
    client
        .patch_joint(sim, joint, &json!({"motor": motor}))
        .await
        .expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_arm_swings_in_two_pi_root_of_its_inertia_over_its_torque() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let lean = 0.1;
    for joints in ["multibody", "impulse"] {
        let gravity = [-9.81 * f64::sin(lean), 0.0, -9.81 * f64::cos(lean)];
        let sim = client
            .simulation(&json!({"gravity": gravity, "dt": 0.002}))
            .await;
        brought_in(
            &client,
            &sim,
            &json!({"format": "urdf", "content": PENDULUM, "joints": joints}),
        )
        .await;

        let recorded = client
            .trajectory(&sim, "arm", &json!({"steps": 4000}))
            .await
            .expect_status(200)
            .json();
        let swings: Vec<f64> = recorded["frames"]
            .as_array()
            .unwrap()
            .windows(2)
            .filter(|pair| {
                let [before, after] = [0, 1].map(|at| number(&pair[at]["angular_velocity"][1]));
                before < 0.0 && after >= 0.0
            })
            .map(|pair| number(&pair[1]["time"]))
            .collect();

        let turns = f64::from(u32::try_from(swings.len() - 1).unwrap());
        let period = (swings.last().unwrap() - swings[0]) / turns;
        let inertia = 0.2 + 2.5 * 0.4 * 0.4;
        // The second term is what a swing of this size takes longer.
        let truth = 2.0 * PI * f64::sqrt(inertia / (2.5 * 9.81 * 0.4)) * (1.0 + lean * lean / 16.0);
        assert!(
            (period / truth - 1.0).abs() < 0.005,
            "{joints}: {period}, not {truth}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_arm_holds_the_angle_it_is_told_against_its_weight() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&json!({"dt": 0.002})).await;
    let arm = brought_in(
        &client,
        &sim,
        &json!({"format": "urdf", "content": IIWA, "orientation": UPRIGHT,
                "motors": {"stiffness": 5000.0, "damping": 300.0, "model": "force"}}),
    )
    .await;
    assert_eq!(arm["root"], "lbr_iiwa_link_0");
    assert_eq!(arm["joints"].as_object().unwrap().len(), 7);

    set_target(&client, &sim, "lbr_iiwa_joint_2", 0.8).await;
    let state = client.step(&sim, 5000).await.expect_status(200).json();

    let joint = client.joint(&sim, "lbr_iiwa_joint_2").await.json();
    let angle = number(&joint["angle"]);
    // It gives way by what its weight asks of it: some 40 N·m.
    assert!((angle - 0.84).abs() < 0.02, "{angle}");
    // All that is above the second joint is one straight line from there.
    let [x, y, z] = triple(&find_body(&state, "lbr_iiwa_link_7")["position"]);
    let (reach, height) = (x.hypot(z), y - 0.36);
    assert!((reach.hypot(height) - 0.9).abs() < 0.02, "{reach} {height}");
    assert!(
        (reach.atan2(height) - angle).abs() < 0.03,
        "{reach} {height}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quadruped_stands_up_when_it_is_told_and_stays_up() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(
            &json!({"dt": 0.002, "bodies": [{"id": "floor", "shape": "plane", "friction": 1.0}]}),
        )
        .await;
    let robot = brought_in(
        &client,
        &sim,
        &json!({"format": "urdf", "content": SPIRIT, "prefix": "dog_", "position": [0, 0.06, 0],
                "orientation": UPRIGHT, "motors": {"stiffness": 1000.0, "damping": 30.0, "model": "force"}}),
    )
    .await;
    assert_eq!(robot["links"].as_object().unwrap().len(), 17);
    assert_eq!(robot["root"], "dog_body");

    let bend = 0.8;
    for part in 1..=40 {
        for leg in 0..4 {
            for (joint, angle) in [(2 * leg, bend), (2 * leg + 1, 2.0 * bend)] {
                let id = robot["joints"][joint.to_string()].as_str().unwrap();
                set_target(&client, &sim, id, angle * f64::from(part) / 40.0).await;
            }
        }
        client.step(&sim, 25).await.expect_status(200);
    }
    let mut heights = Vec::new();
    for _ in 0..5 {
        let state = client.step(&sim, 1000).await.expect_status(200).json();
        heights.push(number(&find_body(&state, "dog_body")["position"][1]));
    }

    // Two shanks of 206 mm and a toe of 20 mm.
    let standing = 2.0 * 0.206 * f64::sin(bend) + 0.02;
    for height in &heights {
        assert!(
            (height - standing).abs() < 0.01,
            "{heights:?}, not {standing}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn walkers_fall_on_their_own_floor_and_lie_still() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    for content in [ANT, HUMANOID] {
        let sim = client.simulation(&json!({})).await;
        let robot = brought_in(
            &client,
            &sim,
            &json!({"format": "mjcf", "content": content, "orientation": UPRIGHT}),
        )
        .await;
        assert_eq!(robot["root"], "torso");
        let state = client.step(&sim, 1200).await.expect_status(200).json();
        assert!(state.get("quarantined").is_none(), "{state}");
        for id in robot["body_ids"].as_array().unwrap() {
            let body = find_body(&state, id.as_str().unwrap());
            let [x, y, z] = triple(&body["position"]);
            assert!(x.hypot(z) < 5.0 && (-0.1..1.5).contains(&y), "{body}");
            assert!(
                triple(&body["velocity"]).iter().all(|it| it.abs() < 0.5),
                "{body}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_description_comes_in_twice_under_two_prefixes_and_never_half() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&json!({})).await;
    let twin = |prefix: &str| json!({"format": "urdf", "content": PENDULUM, "prefix": prefix});

    let first = brought_in(&client, &sim, &twin("a_")).await;
    let second = brought_in(&client, &sim, &twin("b_")).await;
    import(&client, &sim, &twin("b_"))
        .await
        .expect_problem(409, "body_exists");

    assert_eq!(
        first,
        json!({"links": {"world": "a_world", "arm": "a_arm"}, "joints": {"hinge": "a_hinge"},
               "body_ids": ["a_world", "a_arm"], "joint_ids": ["a_hinge"], "root": "a_world",
               "ignored": []})
    );
    assert_eq!(second["links"]["arm"], "b_arm");
    let bodies = client.bodies(&sim).await.json();
    let ids: Vec<_> = bodies["bodies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|body| body["id"].clone())
        .collect();
    assert_eq!(ids, ["a_world", "a_arm", "b_world", "b_arm"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_sent_again_is_answered_again_and_not_made_again() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&json!({})).await;
    let send = async || {
        let call = client.call("POST", format!("/simulations/{sim}/imports"));
        let call = call.header("idempotency-key", "once");
        let request = json!({"format": "mjcf", "content": ANT});
        call.json(&request).send().await.expect_status(201)
    };

    let [first, again] = [send().await, send().await];

    assert_eq!(first.text(), again.text());
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let counted = client.describe(&sim).await.json();
    assert_eq!(counted["bodies"], 14);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_imported_is_refused_with_its_place_and_brings_nothing() {
    let instance = Instance::in_process(&["--max-import-bytes", "20000"]).await;
    let client = instance.client();
    let sim = client.simulation(&json!({})).await;
    let laughs = "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]><robot>&b;</robot>";
    let light = PENDULUM.replace("2.5", "1e-7");
    let urdf = |content: &str| json!({"format": "urdf", "content": content});
    let with = |field: &str, value: Value| {
        let mut request = urdf(PENDULUM);
        request[field] = value;
        request
    };
    for (request, pointer, told) in [
        (
            json!({"format": "sdf", "content": "<sdf/>"}),
            "/format",
            "urdf",
        ),
        (json!({"format": "urdf"}), "/content", "missing"),
        (
            urdf("<robot><include file='/etc/passwd'/></robot>"),
            "/content",
            "line 1, <include>",
        ),
        (urdf(laughs), "/content", "entities"),
        (urdf("<robot\n"), "/content", "XML"),
        (
            urdf(&PENDULUM.replace("2.5", "nan")),
            "/content",
            "line 2, <mass> of link \"arm\"",
        ),
        (
            urdf(&PENDULUM.replace("2.5", "-2.5")),
            "/content",
            "negative",
        ),
        (urdf(&light), "/content", "body arm: mass_properties/mass"),
        (
            urdf(&PENDULUM.replace("</robot>", "<link name='arm'/></robot>")),
            "/content",
            "twice",
        ),
        (with("prefix", json!("a b")), "/prefix", "characters"),
        (with("scale", json!(0)), "/scale", "between"),
        (
            with("orientation", json!([0, 0, 0, 0])),
            "/orientation",
            "unit",
        ),
        (
            with("motors", json!({"stiffness": -1})),
            "/motors/stiffness",
            "between",
        ),
        (
            with("assets", json!({"a.stl": "x"})),
            "/assets/a.stl",
            "no such file",
        ),
        (with("fixed_base", json!(null)), "/fixed_base", "null"),
        (with("position", json!([0, 1e7, 0])), "/position", "longer"),
    ] {
        let refused = import(&client, &sim, &request).await;
        let problem = refused.expect_problem(422, "invalid_value");
        problem.expect_pointers(&[pointer]);
        let detail = problem.body["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains(told), "{request}: {detail}");
    }
    import(&client, &sim, &with("warp", json!(9)))
        .await
        .expect_problem(422, "unknown_field");
    let long = urdf(&format!("{PENDULUM}{}", " ".repeat(20_000)));
    let refused = import(&client, &sim, &long).await;
    let problem = refused.expect_problem(422, "limit_exceeded");
    assert_eq!(problem.body["limit"], "MAX_IMPORT_BYTES");
    assert_eq!(problem.body["maximum"], 20_000);

    assert_eq!(client.bodies(&sim).await.json(), json!({"bodies": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_with_more_links_than_fit_is_refused() {
    let instance = Instance::in_process(&["--max-bodies-per-simulation", "12"]).await;
    let client = instance.client();
    let sim = client.simulation(&json!({})).await;
    let request = json!({"format": "urdf", "content": SPIRIT});
    let refused = import(&client, &sim, &request).await;
    let problem = refused.expect_problem(422, "limit_exceeded");
    assert_eq!(problem.body["limit"], "MAX_BODIES_PER_SIMULATION");
    assert_eq!(problem.body["used"], 17);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_damage_to_a_description_is_the_fault_of_the_service() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let mut random = StdRng::seed_from_u64(7);
    for n in 0..200 {
        let (format, content) = [("urdf", SPIRIT), ("mjcf", HUMANOID)][n % 2];
        let mut bytes = content.as_bytes().to_vec();
        for _ in 0..random.random_range(1..5) {
            let at = random.random_range(0..bytes.len());
            let length = random.random_range(0..40.min(bytes.len() - at));
            bytes.drain(at..at + length);
        }
        let content = String::from_utf8_lossy(&bytes).into_owned();
        let sim = client.simulation(&json!({})).await;
        let request = json!({"format": format, "content": content});
        let reply = import(&client, &sim, &request).await;
        assert!(
            matches!(reply.status, 201 | 422),
            "{content}\n{}",
            reply.text()
        );
        client.step(&sim, 3).await.expect_status(200);
        client.destroy(&sim).await.expect_status(204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_instance_goes_on_with_a_robot_as_if_nothing_had_happened() {
    let redis = RedisServer::start().await;
    let mut fleet = journalled(&redis, 2, 1500, &[]).await;
    let alone = Instance::in_process(&[]).await;
    let request = json!({"format": "mjcf", "content": HUMANOID, "orientation": UPRIGHT,
                         "motors": {"stiffness": 100.0}});
    let clients = fleet.clients();
    let mut ends = Vec::new();
    for client in [&clients[0], &alone.client()] {
        let sim = client.simulation(&json!({"id": "walker"})).await;
        brought_in(client, &sim, &request).await;
        client.step(&sim, 100).await.expect_status(200);
    }
    fleet[0].kill();
    let other = &clients[1];
    eventually_true(
        Duration::from_secs(30),
        "the other instance answers",
        |status| *status == 200,
        async || other.state("walker").await.status,
    )
    .await;
    for client in [other, &alone.client()] {
        client.step("walker", 500).await.expect_status(200);
        let state = client.state("walker").await.expect_status(200).json();
        ends.push(without(&state, &["sim_id"]).to_string());
    }
    assert_eq!(ends[0], ends[1]);
    let told = other.post("/simulations/walker/verify", &json!({})).await;
    assert_eq!(told.expect_status(200).json()["ok"], true);
}

/// A box with a corner at the origin, in the binary form of STL.
fn stl([x, y, z]: [f32; 3]) -> Vec<u8> {
    let corner =
        |n: u8| [(1, x), (2, y), (4, z)].map(|(bit, l)| if n & bit == 0 { 0.0 } else { l });
    let sides: [[u8; 4]; 6] = [
        [0, 2, 3, 1],
        [4, 5, 7, 6],
        [0, 1, 5, 4],
        [2, 6, 7, 3],
        [0, 4, 6, 2],
        [1, 3, 7, 5],
    ];
    let triangles = sides.map(|[a, b, c, d]| [[a, b, c], [a, c, d]]);
    let mut bytes = vec![0; 80];
    bytes.extend(12_u32.to_le_bytes());
    for triangle in triangles.as_flattened() {
        bytes.extend([0; 12]);
        let numbers = triangle.iter().flat_map(|&n| corner(n));
        bytes.extend(numbers.flat_map(f32::to_le_bytes));
        bytes.extend([0; 2]);
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_made_of_an_uploaded_mesh_weighs_and_stands_as_the_mesh_does() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let file = stl([0.4, 0.6, 0.2]);
    let digits = Sha256::digest(&file);
    let digits = digits.iter().map(|byte| format!("{byte:02x}"));
    let asset = digits.collect::<Vec<_>>().concat();
    let put = client.call("PUT", format!("/assets/{asset}"));
    let put = put.header("content-type", "model/stl").bytes(file);
    put.send().await.expect_status(201);
    let crate_of = |more: &str| {
        json!({"format": "urdf", "orientation": UPRIGHT, "position": [0, 0.5, 0],
               "assets": {"package://depot/crate.stl": asset}, "density": 500, "content": format!(
            "<robot name='depot'><link name='crate'>{more}<collision><geometry>\
             <mesh filename='package://depot/crate.stl'/></geometry></collision></link></robot>")})
    };
    let volume = 0.4 * 0.6 * 0.2;
    let stated = "<inertial><origin xyz='0.2 0.3 0.1'/><mass value='7'/>\
                  <inertia ixx='1' iyy='1' izz='1' ixy='0' ixz='0' iyz='0'/></inertial>";
    for (more, mass) in [("", 500.0 * volume), (stated, 7.0)] {
        let sim = client
            .simulation(&json!({"bodies": [ground("floor")]}))
            .await;
        let imported = brought_in(&client, &sim, &crate_of(more)).await;
        assert_eq!(imported["ignored"], json!([]));

        let state = client.step(&sim, 200).await.expect_status(200).json();

        // Its lowest side is that at the origin of the file.
        let place = triple(&find_body(&state, "crate")["position"]);
        assert!(place.iter().all(|it| it.abs() < 5e-3), "{place:?}");
        let body = client.body(&sim, "crate").await.expect_status(200).json();
        assert!((number(&body["mass"]) / mass - 1.0).abs() < 1e-4, "{body}");
        let center = triple(&body["center_of_mass"]);
        // What is z in the file is y, and y is -z.
        for (found, truth) in center.into_iter().zip([0.2, 0.1, -0.3]) {
            assert!((found - truth).abs() < 5e-3, "{center:?}");
        }
        let ray = |origin: [f64; 3], direction: [i32; 3]| {
            json!({"type": "ray", "origin": origin, "direction": direction, "max_distance": 9,
                   "filter": {"exclude": ["floor"]}})
        };
        let queries = json!({"queries": [
            ray([0.2, 5.0, -0.3], [0, -1, 0]),
            ray([5.0, 0.1, -0.3], [-1, 0, 0]),
            ray([0.2, 0.1, -5.0], [0, 0, 1]),
        ]});
        let path = format!("/simulations/{sim}/queries");
        let found = client.post(path, &queries).await.expect_status(200).json();
        for (at, truth) in [5.0 - 0.2, 5.0 - 0.4, 5.0 - 0.6].into_iter().enumerate() {
            let distance = number(&found["results"][at]["hits"][0]["distance"]);
            assert!((distance - truth).abs() < 5e-3, "{found}");
        }
    }
}
