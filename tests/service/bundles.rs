//! Simulations as files: what is in them, and that they go on elsewhere bit for bit.

use std::{
    process::{Command, Output},
    time::Duration,
};

use serde_json::{Value, json};

use crate::harness::{
    Client, Fleet, Instance, RedisServer, Reply, eventually_true, ground, sphere, without,
};

const SOON: Duration = Duration::from_secs(30);
const BUNDLE: &str = "application/vnd.rapier-bundle";
const BINARY: &str = env!("CARGO_BIN_EXE_rapier-physics-service");
const JOURNAL: &[(&str, &str)] = &[("DEFAULT_DURABILITY", "journal"), ("STATE_HASH", "true")];

/// A world with a past of all kinds, not right after a step.
async fn played(client: &Client) -> String {
    let sim = client
        .simulation(&json!({
            "dt": 0.01, "ttl_seconds": 1234, "labels": {"course": "mechanics"},
            "bodies": [ground("floor"), sphere("ball", 0.5, [0.0, 2.0, 0.0]), sphere("bob", 0.2, [1.0, 2.0, 0.0])],
            "joints": [{"id": "rod", "joint_type": "spherical", "body_a": "ball", "body_b": "bob", "anchor_a": [1, 0, 0]}],
        }))
        .await;
    let keyed = client.call("POST", format!("/simulations/{sim}/step"));
    let keyed = keyed.header("idempotency-key", "original");
    keyed
        .json(&json!({"steps": 30}))
        .send()
        .await
        .expect_status(200);
    client
        .trajectory(&sim, "ball", &json!({"steps": 20, "dt": 0.02}))
        .await
        .expect_status(200);
    client
        .impulse(&sim, "bob", &json!({"impulse": [1, 2, 0.5]}))
        .await
        .expect_status(204);
    sim
}

async fn bundle(client: &Client, sim: &str) -> Vec<u8> {
    let call = client.call("GET", format!("/simulations/{sim}/bundle"));
    let reply = call
        .header("accept", BUNDLE)
        .send()
        .await
        .expect_status(200);
    assert_eq!(reply.header("content-type"), Some(BUNDLE));
    assert!(reply.header("etag").is_some());
    reply.body
}

async fn import(client: &Client, query: &str, bundle: &[u8]) -> Reply {
    let call = client.call("POST", format!("/simulations{query}"));
    call.header("content-type", BUNDLE)
        .bytes(bundle)
        .send()
        .await
}

fn without_names(state: &Value) -> Value {
    without(state, &["sim_id"])
}

async fn goes_on_bit_for_bit(from: &Client, to: &Client) {
    let sim = played(from).await;
    let file = bundle(from, &sim).await;

    let made = import(to, "", &file).await.expect_status(201);
    let record = made.json();
    let copy = record["sim_id"].as_str().expect("a name").to_owned();
    assert_ne!(copy, sim);
    assert_eq!(
        made.header("location"),
        Some(format!("/simulations/{copy}").as_str())
    );
    let original = from.describe(&sim).await;
    for member in [
        "config",
        "step",
        "time",
        "bodies",
        "joints",
        "labels",
        "ttl_seconds",
    ] {
        assert_eq!(record[member], original.json()[member], "{member}");
    }
    assert_eq!(
        made.header_number("sim-seq"),
        original.header_number("sim-seq")
    );
    for (theirs, ours) in [
        (from.bodies(&sim).await, to.bodies(&copy).await),
        (from.joints(&sim).await, to.joints(&copy).await),
        (from.step(&sim, 77).await, to.step(&copy, 77).await),
        (from.step(&sim, 5).await, to.step(&copy, 5).await),
    ] {
        assert_eq!(
            without_names(&ours.json()),
            without_names(&theirs.json()),
            "{}",
            ours.request
        );
        assert_eq!(ours.header("sim-step"), theirs.header("sim-step"));
        assert_eq!(
            ours.header("sim-state-hash"),
            theirs.header("sim-state-hash")
        );
    }
    let keyed = to.call("POST", format!("/simulations/{copy}/step"));
    let keyed = keyed.header("idempotency-key", "original");
    let fresh = keyed
        .json(&json!({"steps": 30}))
        .send()
        .await
        .expect_status(200);
    assert_eq!(
        fresh.header("idempotency-replayed"),
        None,
        "keys are not carried over"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_goes_on_elsewhere_bit_for_bit() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(2, &redis.url(), JOURNAL).await;
    let in_memory = Instance::in_process(&["--state-hash", "true"]).await;
    let (journalled, alone) = (fleet.clients(), in_memory.client());
    goes_on_bit_for_bit(&alone, &alone).await;
    goes_on_bit_for_bit(&journalled[0], &alone).await;
    goes_on_bit_for_bit(&alone, &journalled[0]).await;
    goes_on_bit_for_bit(&journalled[0], &journalled[1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_simulation_is_written_down_from_its_first_command_on() {
    let redis = RedisServer::start().await;
    let mut fleet = Fleet::start(1, &redis.url(), JOURNAL).await;
    let client = fleet.clients().remove(0);
    let sim = played(&client).await;
    let made = import(&client, "?id=copy", &bundle(&client, &sim).await).await;
    let begin = made.expect_status(201).header_number("sim-seq");
    let before = client.step("copy", 9).await.expect_status(200);

    let client = fleet.restart(0).await;
    eventually_true(
        SOON,
        "the instance goes on with it",
        |&status| status == 200,
        async || client.state("copy").await.status,
    )
    .await;
    assert_eq!(client.state("copy").await.json(), before.json());
    let call = client.call("POST", "/simulations/copy/verify");
    let found = call.send().await.expect_status(200).json();
    assert_eq!(
        (&found["ok"], &found["checked_from"]),
        (&json!(true), &json!(begin))
    );
    let again = bundle(&client, "copy").await;
    import(&client, "?id=copy-of-copy", &again)
        .await
        .expect_status(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_imported_under_a_name_and_under_a_key_like_any_creation() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = played(&client).await;
    let file = bundle(&client, &sim).await;

    import(&client, "?id=chosen", &file)
        .await
        .expect_status(201);
    let taken = import(&client, "?id=chosen", &file).await;
    taken.expect_problem(409, "simulation_exists");
    let bad = import(&client, "?id=a%20b", &file).await;
    bad.expect_problem(422, "invalid_value")
        .expect_pointers(&["/id"]);
    let strange = import(&client, "?name=x", &file).await;
    strange.expect_problem(422, "unknown_field");

    let keyed = || {
        let call = client
            .call("POST", "/simulations")
            .header("idempotency-key", "once");
        call.header("content-type", BUNDLE)
            .bytes(file.clone())
            .send()
    };
    let first = keyed().await.expect_status(201);
    let again = keyed().await.expect_status(201);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.text(), first.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_byte_of_a_bundle_is_trusted() {
    let instance = Instance::in_process(&["--max-request-bytes", "65536"]).await;
    let client = instance.client();
    let sim = played(&client).await;
    let file = bundle(&client, &sim).await;

    for place in (0..file.len()).step_by(file.len() / 60 + 1) {
        let mut damaged = file.clone();
        damaged[place] ^= 0x20;
        let refused = import(&client, "", &damaged).await;
        refused.expect_problem(422, "invalid_value");
    }
    for length in [0, 3, 4, 12, 21, 60, file.len() / 2, file.len() - 1] {
        let refused = import(&client, "", &file[..length]).await;
        refused.expect_problem(422, "invalid_value");
    }
    let too_large = import(&client, "", &vec![0; 65537]).await;
    too_large.expect_problem(413, "body_too_large");
    let crowded = Instance::in_process(&["--max-bodies-per-simulation", "2"]).await;
    let refused = import(&crowded.client(), "", &file).await;
    refused.expect_problem(422, "limit_exceeded");
    let listed = client.list("").await.json();
    assert_eq!(listed["simulations"].as_array().map(Vec::len), Some(1));
}

pub(crate) fn replay(file: &[u8], args: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder for a file");
    let path = folder.path().join("bundle");
    std::fs::write(&path, file).expect("the file is written");
    let mut command = Command::new(BINARY);
    // Settings that no server would start with.
    command
        .env("STORAGE_BACKEND", "redis")
        .env_remove("REDIS_URL");
    let output = command.arg("replay").arg(path).args(args).output();
    output.expect("the program runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_replayed_offline_with_every_state_on_the_way() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(1, &redis.url(), JOURNAL).await;
    let client = &fleet.clients()[0];
    let sim = played(client).await;
    let last = client.step(&sim, 3).await.expect_status(200);
    let file = bundle(client, &sim).await;
    let hash = last.header("sim-state-hash").expect("a hash");
    let state = last.json();
    let ending = format!(
        "seq={} step={} time={} state_hash={hash}\n",
        last.header_number("sim-seq"),
        state["step"],
        state["time"]
    );

    let told = replay(&file, &[]);
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    let text = String::from_utf8(told.stdout).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 5, "{text}");
    assert!(
        lines[0].starts_with("1 30 ") && lines[1].starts_with("2 50 "),
        "{text}"
    );
    assert_eq!(lines[3], format!("4 53 {hash}"));
    assert!(text.ends_with(&ending), "{text}");
    let quiet = replay(&file, &["--quiet"]);
    assert_eq!(String::from_utf8(quiet.stdout).unwrap(), ending);

    let none = replay(b"something else", &[]);
    assert_eq!(none.status.code(), Some(2), "{none:?}");
    let mut damaged = file.clone();
    damaged[30] ^= 1;
    assert_eq!(replay(&damaged, &[]).status.code(), Some(2));
}
