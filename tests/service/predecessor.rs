//! The eight routes clients already use, and the faults of the old service that must not come back.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{
    Instance, busy_world, eventually_true, find_body, ground, number, sphere, triple, zero_gravity,
};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn the_eight_routes_answer_with_the_names_and_types_clients_read() {
    let instance = Instance::in_process(&["--instance-id", "first"]).await;
    let client = instance.client();

    let health = client.health().await.expect_status(200).json();
    let created = client
        .create_simulation(&json!({
            "gravity": [0.0, -9.81, 0.0], "dimensions": 3, "dt": 0.016, "integrator": "verlet"
        }))
        .await
        .expect_status(201);
    let sim = created.json()["sim_id"].as_str().unwrap().to_owned();
    let floor = json!({
        "id": "floor", "kind": "static", "shape": "plane", "normal": [0.0, 1.0, 0.0],
        "offset": 0.0, "mass": 1.0, "is_sensor": false, "fluid_density": 1.225,
        "position": [0.0, 0.0, 0.0], "orientation": [0.0, 0.0, 0.0, 1.0],
        "velocity": [0.0, 0.0, 0.0], "angular_velocity": [0.0, 0.0, 0.0],
        "restitution": 0.3, "friction": 0.5,
    });
    let added = client.add_body(&sim, &floor).await.expect_status(201);
    for (id, x) in [("left", -1.0), ("right", 1.0)] {
        client
            .add_body(&sim, &sphere(id, 0.5, [x, 0.5, 0.0]))
            .await
            .expect_status(201);
    }
    let joined = client
        .add_joint(
            &sim,
            &json!({"id": "rod", "joint_type": "fixed", "body_a": "left", "body_b": "right",
                    "anchor_a": [1, 0, 0], "anchor_b": [-1, 0, 0]}),
        )
        .await
        .expect_status(201);
    let stepped = client.step(&sim, 10).await.expect_status(200).json();
    let state = client.state(&sim).await.expect_status(200).json();
    let flight = client
        .trajectory(&sim, "left", &json!({"steps": 5}))
        .await
        .expect_status(200)
        .json();
    client.destroy(&sim).await.expect_status(204);

    assert_eq!(health["status"], "healthy");
    assert_eq!(health["service"], "rapier-physics-service");
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(health["instance"], "first");
    assert_eq!(health["storage"], "memory");
    assert_eq!(health["simulations"], 0);
    assert!(health["uptime_seconds"].is_number(), "{health}");
    assert_eq!(
        created.json()["config"],
        json!({"gravity": [0.0, -9.81, 0.0], "dimensions": 3, "dt": 0.016, "integrator": "verlet"})
    );
    assert_eq!(
        created.header("location"),
        Some(format!("/simulations/{sim}").as_str())
    );
    assert_eq!(added.json()["body_id"], "floor");
    assert_eq!(joined.json()["joint_id"], "rod");
    assert_eq!(stepped, state);
    assert_eq!(state["sim_id"], sim.as_str());
    assert_eq!(state["step"], 10);
    assert_eq!(state["time"], 0.16);
    let left = find_body(&state, "left");
    assert_eq!(
        keys(left),
        BTreeSet::from([
            "id",
            "position",
            "orientation",
            "velocity",
            "angular_velocity",
            "contacts"
        ])
    );
    assert_eq!(left["contacts"], json!(["floor"]));
    assert_eq!(left["orientation"].as_array().map(Vec::len), Some(4));
    assert_eq!(
        keys(&flight),
        BTreeSet::from([
            "body_id",
            "frames",
            "total_time",
            "num_frames",
            "contact_events"
        ])
    );
    assert_eq!(flight["body_id"], "left");
    assert_eq!(flight["num_frames"], 5);
    assert_eq!(flight["total_time"], 0.08);
    assert_eq!(
        keys(&flight["frames"][0]),
        BTreeSet::from([
            "time",
            "position",
            "orientation",
            "velocity",
            "angular_velocity"
        ])
    );
    client
        .destroy(&sim)
        .await
        .expect_problem(404, "simulation_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_01_a_long_step_blocks_nobody_else() {
    let instance = Instance::spawn(&[]).await;
    let client = instance.client();
    let heavy = busy_world(&client, 400, json!({})).await;
    let light = client.simulation(&json!({})).await;
    client
        .add_body(&light, &sphere("ball", 0.5, [0.0, 9.0, 0.0]))
        .await
        .expect_status(201);
    let mut long_step = JoinSet::new();
    let asker = client.clone();
    long_step.spawn(async move { asker.step(&heavy, 10_000).await });

    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let asked = Instant::now();
        client.step(&light, 1).await.expect_status(200);
        client.state(&light).await.expect_status(200);
        client.health().await.expect_status(200);
        client.simulation(&json!({})).await;
        slowest = slowest.max(asked.elapsed());
    }

    assert!(
        long_step.try_join_next().is_none(),
        "the long step was not long"
    );
    assert!(
        slowest < Duration::from_secs(1),
        "four small requests took {slowest:?} beside a long step"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_02_abandoned_simulations_leave_memory() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    for _ in 0..20 {
        client
            .simulation(&json!({"ttl_seconds": 1, "bodies": [ground("floor")]}))
            .await;
    }
    let kept = client.simulation(&json!({"ttl_seconds": 3600})).await;

    eventually_true(
        SOON,
        "only the living simulation is left",
        |count| *count == 1,
        async || client.health().await.json()["simulations"].clone(),
    )
    .await;

    client.state(&kept).await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_03_an_id_this_instance_never_saw_is_an_honest_404() {
    let first = Instance::in_process(&["--instance-id", "first"]).await;
    let second = Instance::in_process(&["--instance-id", "second"]).await;

    let created = first.client().create_simulation(&json!({})).await;
    let sim = created.json()["sim_id"].as_str().unwrap().to_owned();

    assert_eq!(created.json()["owner"], "first");
    assert_eq!(created.json()["durability"], "memory");
    assert_eq!(created.header("sim-instance"), Some("first"));
    let problem = second
        .client()
        .state(&sim)
        .await
        .expect_problem(404, "simulation_not_found");
    assert_eq!(problem.body["sim_id"], sim.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_04_memory_mode_says_that_worlds_die_with_the_process() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&json!({})).await;

    let asked_for_more = client
        .create_simulation(&json!({"durability": "journal"}))
        .await
        .expect_status(201)
        .json();
    let described = client.describe(&sim).await.expect_status(200).json();
    let health = client.health().await.json();

    assert_eq!(asked_for_more["durability"], "memory");
    assert_eq!(described["durability"], "memory");
    assert_eq!(health["storage"], "memory");
}

#[test]
fn fault_05_fly_never_stops_a_machine_with_live_worlds() {
    let fly = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fly.toml"))
        .expect("fly.toml is part of the repository");

    let settings: Vec<_> = fly
        .lines()
        .filter(|line| line.trim_start().starts_with("auto_stop_machines"))
        .map(|line| line.split_whitespace().collect::<String>())
        .collect();

    assert_eq!(settings, [r#"auto_stop_machines="off""#]);
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_06_drag_is_applied_afresh_in_every_step() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&zero_gravity()).await;
    let mut ball = sphere("ball", 0.1, [0.0, 0.0, 0.0]);
    ball["velocity"] = json!([10, 0, 0]);
    ball["drag_coefficient"] = json!(0.5);
    ball["drag_area"] = json!(0.05);
    client.add_body(&sim, &ball).await.expect_status(201);

    let flight = client
        .trajectory(&sim, "ball", &json!({"steps": 401, "every": 100}))
        .await
        .expect_status(200)
        .json();

    let k = 0.5 * 1.225 * 0.5 * 0.05;
    for frame in flight["frames"].as_array().unwrap() {
        let (time, speed) = (number(&frame["time"]), number(&frame["velocity"][0]));
        let exact = 10.0 / (1.0 + 10.0 * k * time);
        assert!(
            (speed / exact - 1.0).abs() < 0.005,
            "{speed} m/s after {time} s, exactly {exact}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_07_contacts_name_only_what_touches_this_body() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(&json!({"bodies": [
            ground("floor"),
            sphere("left", 0.5, [-5.0, 0.5, 0.0]),
            sphere("right", 0.5, [5.0, 0.5, 0.0]),
            sphere("bird", 0.5, [0.0, 50.0, 0.0]),
            {"id": "shelf", "kind": "static", "shape": "box", "size": [2, 1, 2], "position": [20, 3, 0]},
            sphere("vase", 0.5, [20.0, 4.0, 0.0]),
        ]}))
        .await;

    let state = client.step(&sim, 30).await.expect_status(200).json();

    for (body, contacts) in [
        ("floor", json!(["left", "right"])),
        ("left", json!(["floor"])),
        ("right", json!(["floor"])),
        ("bird", json!([])),
        ("shelf", json!(["vase"])),
        ("vase", json!(["shelf"])),
    ] {
        assert_eq!(find_body(&state, body)["contacts"], contacts, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_08_contact_events_carry_the_solvers_point_normal_and_impulse() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let mut ball = sphere("ball", 0.5, [4.0, 2.0, -2.0]);
    ball["mass"] = json!(3);
    let sim = client
        .simulation(&json!({"dt": 0.005, "bodies": [ground("floor"), ball]}))
        .await;

    let flight = client
        .trajectory(&sim, "ball", &json!({"steps": 120}))
        .await
        .expect_status(200)
        .json();

    let landing = &flight["contact_events"][0];
    assert_eq!(landing["event_type"], "started");
    assert_eq!(
        (&landing["body_a"], &landing["body_b"]),
        (&json!("ball"), &json!("floor"))
    );
    let point = triple(&landing["contact_point"]);
    for (axis, (found, exact)) in point.iter().zip([4.0, 0.0, -2.0]).enumerate() {
        assert!((found - exact).abs() < 0.03, "axis {axis}: {point:?}");
    }
    let normal = triple(&landing["normal"]);
    assert!((normal[1] + 1.0).abs() < 1e-3, "not towards B: {normal:?}");
    let frames = flight["frames"].as_array().unwrap();
    let at = frames
        .iter()
        .position(|frame| frame["time"] == landing["time"])
        .expect("the event names the start of a step");
    let falling = number(&frames[at]["velocity"][1]);
    let rising = number(&frames[at + 1]["velocity"][1]);
    let exact = 3.0 * (rising - falling + 9.81 * 0.005);
    let impulse = number(&landing["impulse_magnitude"]);
    assert!(
        (impulse / exact - 1.0).abs() < 0.05,
        "{impulse} N·s, but momentum changed by {exact}"
    );
    let approach = triple(&landing["relative_velocity"]);
    assert!((approach[1] - falling).abs() < 0.1, "{approach:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_09_contacts_made_under_step_never_leak_into_a_later_trajectory() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(&json!({"bodies": [ground("floor"), sphere("ball", 0.5, [0.0, 2.0, 0.0])]}))
        .await;
    client.step(&sim, 200).await.expect_status(200);
    client
        .patch_body(
            &sim,
            "ball",
            &json!({"position": [0, 50, 0], "velocity": [0, 0, 0]}),
        )
        .await
        .expect_status(200);
    client.step(&sim, 2).await.expect_status(200);

    let flight = client
        .trajectory(&sim, "ball", &json!({"steps": 20}))
        .await
        .expect_status(200)
        .json();

    assert_eq!(flight["contact_events"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_10_nonsense_is_refused_and_leaves_no_trace() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(
            &json!({"bodies": [sphere("a", 0.5, [0.0; 3]), sphere("b", 0.5, [3.0, 0.0, 0.0])]}),
        )
        .await;
    let before = client.state(&sim).await.json();
    let bodies = format!("/simulations/{sim}/bodies");
    let joints = format!("/simulations/{sim}/joints");

    for (what, path, text, status, code, pointer) in [
        (
            "an unknown kind",
            &bodies,
            r#"{"id":"c","kind":"ghost","shape":"sphere","size":[1]}"#,
            422,
            "invalid_value",
            "/kind",
        ),
        (
            "an unknown shape",
            &bodies,
            r#"{"id":"c","shape":"blob","size":[1]}"#,
            422,
            "invalid_value",
            "/shape",
        ),
        (
            "a taken id",
            &bodies,
            r#"{"id":"a","shape":"sphere","size":[1]}"#,
            409,
            "body_exists",
            "",
        ),
        (
            "a zero axis",
            &joints,
            r#"{"id":"j","joint_type":"revolute","body_a":"a","body_b":"b","axis":[0,0,0]}"#,
            422,
            "invalid_value",
            "/axis",
        ),
        (
            "a zero normal",
            &bodies,
            r#"{"id":"c","kind":"static","shape":"plane","normal":[0,0,0]}"#,
            422,
            "invalid_value",
            "/normal",
        ),
        (
            "NaN",
            &bodies,
            r#"{"id":"c","shape":"sphere","size":[1],"position":[NaN,0,0]}"#,
            400,
            "malformed_json",
            "",
        ),
        (
            "an infinity after rounding",
            &bodies,
            r#"{"id":"c","shape":"sphere","size":[1],"position":[1e300,0,0]}"#,
            422,
            "invalid_value",
            "/position",
        ),
    ] {
        let reply = client.post_text(path, text).await;
        assert_eq!(reply.status, status, "{what}: {}", reply.text());
        let problem = reply.problem();
        assert_eq!(problem.code(), code, "{what}");
        assert!(
            pointer.is_empty() || problem.pointers().iter().any(|p| p.starts_with(pointer)),
            "{what}: {}",
            problem.body
        );
    }

    assert_eq!(client.state(&sim).await.json(), before);
    assert_eq!(client.joints(&sim).await.json(), json!({"joints": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_11_a_trajectory_of_a_missing_body_moves_nothing() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(&json!({"bodies": [sphere("ball", 0.5, [0.0, 9.0, 0.0])]}))
        .await;
    let before = client.state(&sim).await.json();

    client
        .trajectory(&sim, "nobody", &json!({"steps": 10}))
        .await
        .expect_problem(404, "body_not_found");

    assert_eq!(client.state(&sim).await.json(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_12_the_dt_of_a_call_ends_with_the_call_and_time_never_drifts() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&json!({"dt": 0.01})).await;

    let calls = [
        client
            .step_with(&sim, &json!({"steps": 1, "dt": 0.1}))
            .await,
        client.step(&sim, 1).await,
    ];
    let config = client.describe(&sim).await.json()["config"].clone();
    let long = client.simulation(&json!({"dt": 0.001})).await;
    client.step(&long, 10_000).await.expect_status(200);
    let end = client.step(&long, 10_000).await.expect_status(200).json();

    let times = calls.map(|call| call.json()["time"].clone());
    assert_eq!(times, [json!(0.1), json!(0.1 + 0.01)]);
    assert_eq!(config["dt"], 0.01);
    assert_eq!(end["time"], 20.0);
    assert_eq!(end["step"], 20_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_13_replies_keep_the_order_of_insertion() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&zero_gravity()).await;
    let mut names: Vec<String> = (0..60_u32)
        .map(|n| format!("body-{}", (n * 37) % 60))
        .collect();
    for (x, name) in (0_i32..).zip(&names) {
        client
            .add_body(&sim, &sphere(name, 0.5, [f64::from(x) * 3.0, 0.0, 0.0]))
            .await
            .expect_status(201);
    }
    for (n, pair) in names.windows(2).enumerate() {
        client
            .add_joint(
                &sim,
                &json!({"id": format!("joint-{}", (n * 31) % 59), "joint_type": "spherical",
                        "body_a": pair[0], "body_b": pair[1], "anchor_a": [3, 0, 0]}),
            )
            .await
            .expect_status(201);
    }
    let gone = names.remove(20);
    client.remove_body(&sim, &gone).await.expect_status(204);
    client
        .add_body(&sim, &sphere(&gone, 0.5, [0.0, 90.0, 0.0]))
        .await
        .expect_status(201);
    names.push(gone);

    let state = client.step(&sim, 3).await.expect_status(200).json();
    let bodies = client.bodies(&sim).await.expect_status(200).json();
    let joints = client.joints(&sim).await.expect_status(200).json();

    assert_eq!(column(&state["bodies"], "id"), names);
    assert_eq!(column(&bodies["bodies"], "id"), names);
    let expected: Vec<_> = (0..59)
        .filter(|n| ![19, 20].contains(n))
        .map(|n| format!("joint-{}", (n * 31) % 59))
        .collect();
    assert_eq!(column(&joints["joints"], "id"), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_14_no_log_line_shows_the_password_of_redis() {
    let instance = Instance::spawn(&[
        ("REDIS_URL", "redis://default:open-sesame@127.0.0.1:1/0"),
        (
            "UPSTASH_REDIS_URL",
            "rediss://default:open-sesame@127.0.0.1:1",
        ),
        ("RUST_LOG", "trace"),
    ])
    .await;
    let client = instance.client();

    let sim = client.simulation(&json!({})).await;
    client.state(&sim).await.expect_status(200);

    let log = instance.log();
    assert!(log.len() > 1, "nothing was logged");
    for line in log {
        assert!(!line.contains("sesame"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_15_there_are_a_list_limits_a_graceful_stop_and_errors_with_a_body() {
    let mut instance = Instance::spawn(&[("MAX_SIMULATIONS", "1")]).await;
    let client = instance.client();
    let sim = client.simulation(&json!({})).await;

    let list = client.list("").await.expect_status(200).json();
    let refused = client
        .create_simulation(&json!({}))
        .await
        .expect_problem(429, "quota_exceeded");
    let unknown = client.state("nobody").await.problem();
    instance.signal("TERM");
    let exit = instance.exit(SOON).await;

    assert_eq!(column(&list["simulations"], "sim_id"), [sim]);
    assert_eq!(list["next_cursor"], Value::Null);
    assert_eq!(refused.body["maximum"], 1);
    assert!(
        unknown.body["detail"]
            .as_str()
            .is_some_and(|d| !d.is_empty())
    );
    assert!(exit.success(), "{exit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_16_two_dimensions_stay_in_the_plane() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client
        .simulation(&json!({"dimensions": 2, "bodies": [
            ground("floor"),
            {"id": "slab", "shape": "box", "size": [1, 1, 1], "position": [0, 3, 7],
             "velocity": [2, 0, 5], "angular_velocity": [3, 4, 5]},
            sphere("ball", 0.5, [0.4, 5.0, 7.2]),
        ]}))
        .await;
    let start = client.state(&sim).await.json();
    client
        .impulse(
            &sim,
            "slab",
            &json!({"impulse": [0, 1, 9], "point": [0.5, 3.5, 7.5]}),
        )
        .await
        .expect_status(204);

    let flight = client
        .trajectory(&sim, "slab", &json!({"steps": 200}))
        .await
        .expect_status(200)
        .json();
    let end = client.state(&sim).await.json();

    assert_eq!(
        find_body(&start, "slab")["velocity"],
        json!([2.0, 0.0, 0.0])
    );
    assert_eq!(
        find_body(&start, "slab")["angular_velocity"],
        json!([0.0, 0.0, 5.0])
    );
    for frame in flight["frames"].as_array().unwrap() {
        assert_eq!(frame["position"][2], 7.0, "{frame}");
        assert_eq!(frame["velocity"][2], 0.0, "{frame}");
        for axis in 0..2 {
            assert_eq!(frame["orientation"][axis], 0.0, "{frame}");
            assert_eq!(frame["angular_velocity"][axis], 0.0, "{frame}");
        }
    }
    let ball_z = number(&find_body(&end, "ball")["position"][2]);
    assert!((ball_z - 7.2).abs() < 1e-6, "{ball_z}");
    let tilted = json!({"id": "tilted", "shape": "sphere", "size": [0.5],
                        "orientation": [0.6, 0, 0, 0.8]});
    client
        .add_body(&sim, &tilted)
        .await
        .expect_problem(422, "invalid_value")
        .expect_pointers(&["/orientation"]);
}

fn keys(object: &Value) -> BTreeSet<&str> {
    object
        .as_object()
        .expect("replies are objects")
        .keys()
        .map(String::as_str)
        .collect()
}

fn column(list: &Value, key: &str) -> Vec<String> {
    list.as_array()
        .expect("lists are arrays")
        .iter()
        .map(|item| item[key].as_str().expect("names are text").to_owned())
        .collect()
}
