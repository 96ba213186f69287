//! The service against requests that a fuzzer makes up from its own document, allowed and forbidden.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::harness::{Call, Client, Fleet, RedisServer, ground, setting, sphere};

const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/fuzzer/bin");
const CONFIGURATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz");
/// Where the fuzzer leaves what it finds.
const FINDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/fuzz");
/// As many worlds as the fuzzer's hooks visit.
const WORLDS: usize = 8;

const KEY: &str = "the fuzzer's key";
const KEY_HASH: &str = "fuzzer=4b56e64297c0524e32ce4005f4a493f2fdf2ed57f4c2a1496afccc1783820821";
/// What no request may use up: the machine, and the worlds that later ones are to find.
const SETTINGS: [(&str, &str); 5] = [
    ("API_KEYS", KEY_HASH),
    ("DEFAULT_DURABILITY", "journal"),
    ("MIN_TTL_SECONDS", "3600"),
    ("MAX_STEPS_PER_REQUEST", "200"),
    ("MAX_BODIES_PER_SIMULATION", "200"),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_fuzzer_makes_up_is_answered_as_documented() {
    // The same requests each time: a test fails for what was changed.
    let phases = &["--phases", "examples,fuzzing,stateful", "--seed", "1"];
    let report = fuzz("short", phases, 20).await;

    assert!(cases(&report) >= 1000, "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: `make fuzz` runs it"]
async fn what_a_fuzzer_makes_up_for_long_is_answered_as_documented() {
    // Its own would be too long a number for the report.
    let seed = setting("FUZZ_SEED", rand::random::<u32>() as usize).to_string();
    let phases = ["--phases", "examples,coverage,fuzzing,stateful", "--seed"];
    let arguments = [phases.as_slice(), &[&seed]].concat();
    let report = fuzz("long", &arguments, setting("FUZZ_EXAMPLES", 60)).await;

    println!("{} cases, no failure, FUZZ_SEED={seed}", cases(&report));
    assert!(cases(&report) >= 10_000, "{report:#}");
}

/// Has the fuzzer ask for everything in the document, each operation `examples` times in each way;
/// what it reports, which has to be no failure.
async fn fuzz(name: &'static str, arguments: &[&str], examples: usize) -> Value {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(1, &redis.url(), &SETTINGS).await;
    let client = fleet[0].client();
    for n in 0..WORLDS {
        settle(&client, &format!("home-{n}")).await;
    }
    let place = Path::new(FINDINGS).join(name);
    fs::create_dir_all(&place).expect("target/ can be written to");
    let document = place.join("openapi.json");
    let published = keyed(client.call("GET", "/openapi.json")).send().await;
    fs::write(&document, published.expect_status(200).body).expect("target/ can be written to");
    let url = format!("http://{}", client.address());
    let arguments: Vec<_> = arguments.iter().map(|&it| it.to_owned()).collect();

    let found = tokio::task::spawn_blocking(move || {
        let valid = tool("openapi-spec-validator", &place)
            .arg(&document)
            .output();
        expect_success(&valid.expect("the validator is installed"));
        let report = place.join("report.json");
        let tried = tool("st", &place)
            .args([
                "--config-file",
                &format!("{CONFIGURATION}/schemathesis.toml"),
                "run",
            ])
            .arg(&document)
            .args(["--url", &url, "--no-color", "--workers", "2"])
            .args(["--max-examples", &examples.to_string()])
            .args(["--report", "json", "--report-json-path"])
            .arg(&report)
            .args(arguments)
            .env("FUZZ_KEY", KEY)
            .env("FUZZ_HOOKS", format!("{CONFIGURATION}/hooks.py"))
            .output();
        expect_success(&tried.expect("the fuzzer is installed"));
        let report = fs::read(&report).expect("the fuzzer writes a report");
        serde_json::from_slice::<Value>(&report).expect("the report is JSON")
    });
    let report = found.await.expect("waiting for a program does not panic");

    assert_eq!(report["failures"], json!([]));
    assert_eq!(report["errors"], json!([]));
    assert_eq!(
        report["operations"]["tested"],
        report["operations"]["total"]
    );
    report
}

/// Makes a world in which the names in the fuzzer's hooks stand for something.
async fn settle(client: &Client, sim: &str) {
    let at = |id, x: f64| sphere(id, 0.5, [x, 5.0, 0.0]);
    let world = json!({
        "id": sim,
        "bodies": [ground("floor"), at("ball", 0.0), at("partner", 3.0), at("crate", 9.0)],
        "joints": [{"id": "hinge", "joint_type": "revolute", "body_a": "ball", "body_b": "partner",
                    "anchor_a": [3, 0, 0], "limits": [-1, 1], "multibody": true}],
    });
    let pilot = json!({"id": "autopilot", "type": "pid", "body_id": "crate",
                       "target_position": [0, 9, 0]});
    for (path, body) in [
        ("/simulations".to_owned(), &world),
        (format!("/simulations/{sim}/controllers"), &pilot),
    ] {
        let made = keyed(client.call("POST", path)).json(body).send().await;
        made.expect_status(201);
    }
}

fn keyed(call: Call) -> Call {
    call.header("x-api-key", KEY)
}

fn tool(name: &str, place: &Path) -> Command {
    let program = PathBuf::from(TOOLS).join(name);
    assert!(
        program.exists(),
        "{} is not installed: run `make test`",
        program.display()
    );
    let mut command = Command::new(program);
    command
        .current_dir(place)
        .env("NO_PROXY", "127.0.0.1")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

#[track_caller]
fn expect_success(output: &Output) {
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn cases(report: &Value) -> u64 {
    report["test_cases"]["generated"].as_u64().unwrap_or(0)
}
