//! The published Python client, unmodified, against the real binary.

use std::{path::Path, process::Command};

use crate::harness::Instance;

const PYTHON: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/target/python-client/bin/python"
);
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/service/python");

#[tokio::test(flavor = "multi_thread")]
async fn its_provider_creates_steps_records_and_destroys() {
    run("provider.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_tools_simulate_bounces_and_pendulums() {
    run("tools.py").await;
}

async fn run(script: &str) {
    assert!(
        Path::new(PYTHON).exists(),
        "the Python client is not installed in {PYTHON}: run `make test`"
    );
    let instance = Instance::spawn(&[]).await;
    let url = format!("http://{}", instance.address());
    let script = Path::new(SCRIPTS).join(script);

    let output = tokio::task::spawn_blocking(move || {
        Command::new(PYTHON)
            .arg(script)
            .env("RAPIER_SERVICE_URL", url)
            .env("PHYSICS_PROVIDER", "rapier")
            .env("PHYSICS_SIMULATION_PROVIDER", "rapier")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("NO_PROXY", "127.0.0.1")
            .output()
            .expect("the interpreter starts")
    })
    .await
    .expect("waiting for a program does not panic");

    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
