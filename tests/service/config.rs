//! Settings: bad ones stop the program, good ones are listed alike in code and documents.

use std::{collections::BTreeSet, process::Command};

use serde_json::{Value, json};

use crate::harness::{Client, Instance, refused_start};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const BINARY: &str = env!("CARGO_BIN_EXE_rapier-physics-service");

#[tokio::test(flavor = "multi_thread")]
async fn bad_values_stop_the_program_naming_the_variable_and_what_it_takes() {
    for (variable, value, hints) in [
        ("PORT", "70000", &["65535"][..]),
        ("PORT", "http", &[]),
        ("PORT", "-1", &[]),
        ("HOST", "not a host", &[]),
        ("STORAGE_BACKEND", "postgres", &["memory"]),
        ("STORAGE_TTL_SECONDS", "0", &["1"]),
        ("STORAGE_TTL_SECONDS", "soon", &[]),
        ("STORAGE_TTL_SECONDS", "604801", &["604800"]),
        ("MIN_TTL_SECONDS", "0", &["1"]),
        ("MAX_TTL_SECONDS", "-5", &[]),
        ("FREEZE_AFTER_SECONDS", "-1", &[]),
        ("FREEZE_AFTER_SECONDS", "5s", &[]),
        ("REQUEST_TIMEOUT_MS", "0", &["1"]),
        ("SHUTDOWN_GRACE_MS", "x", &[]),
        ("MAX_SIMULATIONS", "-1", &[]),
        ("MAX_SIMULATIONS", "1e5", &[]),
        ("MAX_BODIES_PER_SIMULATION", "0", &["1"]),
        ("MAX_COLLIDERS_PER_SIMULATION", "0", &["1"]),
        ("MAX_JOINTS_PER_SIMULATION", "many", &[]),
        ("MAX_CONTROLLERS_PER_SIMULATION", "0", &["1"]),
        ("MAX_STEPS_PER_REQUEST", "0", &["1"]),
        ("MAX_FRAMES_PER_REPLY", "0", &["1"]),
        ("MAX_QUEUE_PER_SIMULATION", "0", &["1"]),
        ("MAX_REQUEST_BYTES", "0", &["1"]),
        ("MAX_REQUEST_BYTES", "4MiB", &[]),
        ("INSTANCE_ID", "a b", &["A-Z"]),
        ("INSTANCE_ID", "x:y", &[]),
        ("LOG_FORMAT", "xml", &["text", "json"]),
        ("RUST_LOG", "info,[[=", &[]),
    ] {
        let refusal = refused_start(&[], &[(variable, value)]).await;

        let output = &refusal.output;
        assert!(
            refusal.code.is_some_and(|code| code != 0),
            "{variable}={value}: {refusal:?}"
        );
        assert!(
            output.contains(variable),
            "{variable}={value} is not named: {output}"
        );
        for hint in hints {
            assert!(
                output.contains(hint),
                "{variable}={value}: no {hint} in: {output}"
            );
        }
        assert!(
            !output.contains("listening on"),
            "{variable}={value}: {output}"
        );
        assert!(!output.contains("panicked"), "{variable}={value}: {output}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_contradict_each_other_stop_the_program() {
    for (env, named) in [
        (
            &[("MIN_TTL_SECONDS", "100"), ("MAX_TTL_SECONDS", "50")][..],
            "MIN_TTL_SECONDS",
        ),
        (
            &[("MAX_TTL_SECONDS", "60"), ("STORAGE_TTL_SECONDS", "3600")],
            "STORAGE_TTL_SECONDS",
        ),
    ] {
        let refusal = refused_start(&[], env).await;

        assert!(
            refusal.code.is_some_and(|code| code != 0),
            "{env:?}: {refusal:?}"
        );
        assert!(
            refusal.output.contains(named),
            "{env:?}: {}",
            refusal.output
        );
        assert!(!refusal.output.contains("listening on"), "{env:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_win_over_variables_and_unknown_flags_are_refused() {
    let instance = Instance::spawn_with(
        &["--instance-id", "from-flag", "--max-simulations", "1"],
        &[("INSTANCE_ID", "from-env"), ("MAX_SIMULATIONS", "9")],
    )
    .await;
    let client = instance.client();
    client.simulation(&json!({})).await;

    assert_eq!(client.health().await.json()["instance"], "from-flag");
    client
        .create_simulation(&json!({}))
        .await
        .expect_problem(429, "quota_exceeded");
    let refusal = refused_start(&["--no-such-flag"], &[]).await;
    assert!(refusal.code.is_some_and(|code| code != 0));
    assert!(
        refusal.output.contains("--no-such-flag"),
        "{}",
        refusal.output
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_an_error_and_not_a_hang() {
    let instance = Instance::spawn(&[]).await;
    let port = instance.address().port().to_string();

    let refusal = refused_start(&[], &[("PORT", &port)]).await;

    assert!(refusal.code.is_some_and(|code| code != 0), "{refusal:?}");
    assert!(!refusal.output.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_machine_id_of_fly_names_the_instance() {
    let named = Instance::spawn(&[("FLY_MACHINE_ID", "e784079b449483")]).await;
    let random = [Instance::spawn(&[]).await, Instance::spawn(&[]).await];

    assert_eq!(
        named.client().health().await.json()["instance"],
        "e784079b449483"
    );
    let mut ids = Vec::new();
    for instance in &random {
        ids.push(instance.client().health().await.json()["instance"].clone());
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_host_answers_on_ipv4_too() {
    let instance = Instance::spawn(&[("HOST", "::")]).await;
    let port = instance.address().port();

    let v4 = Client::new(([127, 0, 0, 1], port).into());
    v4.health().await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn json_logs_are_json_and_say_what_readers_of_the_guide_look_for() {
    let instance = Instance::spawn(&[("LOG_FORMAT", "json")]).await;
    let client = instance.client();
    let sim = client.simulation(&json!({"id": "logged"})).await;
    client.destroy(&sim).await.expect_status(204);

    let wanted = [
        "Initialized MemoryStorage backend (local development)",
        "Created simulation logged",
        "Destroyed simulation logged",
    ];
    let log = crate::harness::eventually_true(
        std::time::Duration::from_secs(10),
        "all three lines are there",
        |log: &Vec<String>| {
            wanted
                .iter()
                .all(|text| log.iter().any(|line| line.contains(text)))
        },
        async || instance.log(),
    )
    .await;
    for line in log {
        assert!(
            serde_json::from_str::<Value>(&line).is_ok_and(|line| line.is_object()),
            "not JSON: {line}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn origins_are_open_by_default_and_can_be_listed() {
    let open = Instance::in_process(&[]).await;
    let listed = Instance::in_process(&[
        "--cors-allowed-origins",
        "https://a.example,https://b.example",
    ])
    .await;
    let from = |instance: &Instance, origin: &'static str| {
        instance
            .client()
            .call("GET", "/health")
            .header("origin", origin)
    };

    let anyone = from(&open, "https://x.example").send().await;
    let friend = from(&listed, "https://b.example").send().await;
    let stranger = from(&listed, "https://x.example").send().await;
    let preflight = open
        .client()
        .call("OPTIONS", "/simulations")
        .header("origin", "https://x.example")
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "content-type,idempotency-key",
        )
        .send()
        .await;

    let allowed = "access-control-allow-origin";
    assert_eq!(anyone.header(allowed), Some("*"));
    assert_eq!(friend.header(allowed), Some("https://b.example"));
    assert_eq!(stranger.header(allowed), None);
    assert_eq!(stranger.status, 200);
    assert!(
        (200..300).contains(&preflight.status),
        "{}",
        preflight.status
    );
    assert_eq!(preflight.header(allowed), Some("*"));
    let exposed = anyone
        .header("access-control-expose-headers")
        .unwrap_or("")
        .to_lowercase();
    assert!(exposed == "*" || exposed.contains("sim-seq"), "{exposed}");
}

#[test]
fn help_example_and_manual_list_the_same_variables() {
    let help = help();
    let in_help: BTreeSet<_> = help
        .split("[env: ")
        .skip(1)
        .filter_map(|rest| rest.split(['=', ']']).next())
        .map(str::to_owned)
        .collect();
    let example = read(".env.example");
    let in_example: BTreeSet<_> = example
        .lines()
        .filter_map(|line| line.trim_start_matches(['#', ' ']).split_once('='))
        .map(|(name, _)| name.trim().to_owned())
        .filter(|name| is_variable(name))
        .collect();
    let manual = read("docs/operations.md");
    let in_manual: BTreeSet<_> = manual
        .lines()
        .filter(|line| line.starts_with("| `"))
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(|cell| {
            cell.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter(|name| is_variable(name))
        .collect();

    assert!(in_help.contains("PORT"), "{help}");
    assert_eq!(in_help, in_example, "--help and .env.example differ");
    assert_eq!(in_help, in_manual, "--help and docs/operations.md differ");
}

#[test]
fn help_shows_the_defaults_other_programs_rely_on() {
    let help = help();

    for (variable, default) in [
        ("PORT", "9000"),
        ("HOST", "::"),
        ("STORAGE_BACKEND", "memory"),
        ("STORAGE_TTL_SECONDS", "3600"),
        ("MIN_TTL_SECONDS", "1"),
        ("MAX_TTL_SECONDS", "604800"),
        ("FREEZE_AFTER_SECONDS", "5"),
        ("REQUEST_TIMEOUT_MS", "25000"),
        ("SHUTDOWN_GRACE_MS", "20000"),
        ("MAX_SIMULATIONS", "100000"),
        ("MAX_BODIES_PER_SIMULATION", "10000"),
        ("MAX_COLLIDERS_PER_SIMULATION", "40000"),
        ("MAX_JOINTS_PER_SIMULATION", "10000"),
        ("MAX_CONTROLLERS_PER_SIMULATION", "1000"),
        ("MAX_STEPS_PER_REQUEST", "10000"),
        ("MAX_FRAMES_PER_REPLY", "10000"),
        ("MAX_COMMANDS_PER_BATCH", "1000"),
        ("MAX_QUEUE_PER_SIMULATION", "64"),
        ("MAX_REQUEST_BYTES", "4194304"),
        ("CORS_ALLOWED_ORIGINS", "*"),
        ("LOG_FORMAT", "text"),
        ("RUST_LOG", "info"),
    ] {
        let entry = help
            .split(&format!("[env: {variable}="))
            .nth(1)
            .unwrap_or_else(|| panic!("{variable} is not in --help"));
        let shown = entry
            .split("[env: ")
            .next()
            .and_then(|entry| entry.split("[default: ").nth(1))
            .and_then(|rest| rest.split(']').next())
            .unwrap_or_else(|| panic!("{variable} shows no default"));
        assert_eq!(shown, default, "{variable}");
    }
}

fn help() -> String {
    let output = Command::new(BINARY)
        .arg("--help")
        .env_clear()
        .output()
        .expect("the binary was built");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("help is text")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{ROOT}/{path}"))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}
