//! A world that was written down goes on as if nothing had happened: bit for bit, in this process
//! and in any other.

mod damage;
mod scenes;
mod shapes;
mod whole;

use std::{
    io::{Read, Seek},
    process::{Child, Command, ExitStatus},
    time::Duration,
};

use rapier_physics_service::{
    id::SimulationId,
    physics::{Snapshot, World},
};
use serde_json::{Value, json};

use crate::harness::eventually;
use scenes::{AFTERMATH, restored};

/// How long another process may take.
const LONGEST: Duration = Duration::from_secs(120);

/// How every scene ends. Another hash means that the engine, the way it is used, or a scene has
/// changed: worlds of this build and of the last one are no longer the same.
const ENDINGS: &[(&str, &str)] = &[
    ("a pile that is collapsing", "1f5288642ebfafb4"),
    ("a pile asleep that is hit", "ff7a11eaa6afa164"),
    ("a chain of joints with limits", "ae26aeef1b76c231"),
    ("weights on rails", "45049daf12f1be5d"),
    ("sensors that are crossed", "60a6d6699b4883e5"),
    ("darts in the air", "dd69283b98cec732"),
    ("a lift and a turntable", "7120c4ee1899bf65"),
    ("bodies that come and go", "68c41a5183f0d725"),
    ("a ball in the middle of a bounce", "fa40ea5d1ad25dc2"),
    ("edits that no step has seen", "82634c2c4d27f07a"),
    ("a pile in two dimensions", "20e129147a2ef79b"),
    ("forces that are held", "3741fb20c926d191"),
    ("bullets and thin walls", "32ff65f403a17f14"),
    ("gravity and time that change", "8d09238160b7b596"),
    ("random blows", "a4e52e28b346d6bc"),
    ("every shape and setting", "301ae8cc91072845"),
    ("controllers under way", "861197e76418ffd1"),
    ("joints of every type", "63beda2f5b4b12e9"),
    ("robots on a roof", "e66bb7d81850ed6f"),
    ("runs with a script", "5b00eba095f25c8e"),
    ("what goes beyond all bounds", "6be1e2b720d2905f"),
];

#[test]
fn a_restored_world_goes_on_bit_for_bit() {
    for scene in scenes::all() {
        let name = scene.name;
        let mut steady = scene.until_the_moment();
        let bytes = written(&steady);
        let mut once = restored(&bytes);
        let mut often = restored(&bytes);
        assert_eq!(written(&once), bytes, "{name}: restored and written again");

        for n in 1..=AFTERMATH {
            scene.go_on(&mut steady);
            scene.go_on(&mut once);
            scene.go_on(&mut often);
            let hash = steady.state_hash();
            assert_eq!(once.state_hash(), hash, "{name}: {n} steps later");
            assert_eq!(often.state_hash(), hash, "{name}: {n} steps later, often");
            if n % 37 == 0 {
                often = restored(&written(&often));
            }
        }

        let last = written(&steady);
        assert_eq!(written(&once), last, "{name}: at the end");
        assert_eq!(written(&often), last, "{name}: at the end, often");
    }
}

#[test]
fn what_is_asleep_is_asleep_and_what_bounces_bounces_when_it_is_written_down() {
    let scenes = scenes::all();
    let state = |name: &str| -> Value {
        let found = scenes.iter().find(|scene| scene.name == name);
        let world = found.expect("there is such a scene").until_the_moment();
        let sim = SimulationId::parse("scene").expect("the id is well-formed");
        serde_json::to_value(world.view().state(&sim)).expect("a state can be written")
    };
    let is_at_rest = |body: &Value| {
        body["velocity"] == json!([0.0, 0.0, 0.0])
            && body["angular_velocity"] == json!([0.0, 0.0, 0.0])
    };

    for asleep in ["a pile asleep that is hit", "edits that no step has seen"] {
        let bodies = state(asleep)["bodies"].clone();
        let bodies = bodies.as_array().expect("bodies are a list");
        let moving = bodies.iter().find(|body| !is_at_rest(body));
        assert_eq!(moving, None, "{asleep}");
    }
    let ball = state("a ball in the middle of a bounce")["bodies"][1].clone();
    assert_eq!(ball["contacts"], json!(["floor"]), "{ball}");
    assert!(!is_at_rest(&ball), "{ball}");
}

#[test]
fn joints_break_bodies_go_beyond_all_bounds_and_forces_are_told_of_before_and_after_the_moment() {
    let told = |name: &str, kind: &str| -> [usize; 2] {
        let scenes = scenes::all();
        let found = scenes.iter().find(|scene| scene.name == name);
        let scene = found.expect("there is such a scene");
        let count = |world: &World| {
            let view = world.view();
            let page = serde_json::to_value(view.events(0, usize::MAX)).expect("it can be written");
            let events = page["events"].as_array().into_iter().flatten();
            events.filter(|event| event["type"] == kind).count()
        };
        let mut world = scene.until_the_moment();
        let before = count(&world);
        for _ in 0..250 {
            scene.go_on(&mut world);
        }
        [before, count(&world)]
    };
    for (name, kind) in [
        ("joints of every type", "joint_broken"),
        ("what goes beyond all bounds", "joint_broken"),
        ("what goes beyond all bounds", "quarantined"),
        ("runs with a script", "contact_force"),
        ("sensors that are crossed", "sensor_entered"),
    ] {
        let [before, after] = told(name, kind);
        assert!(
            0 < before && before < after,
            "{name}, {kind}: {before}, {after}"
        );
    }
}

#[test]
fn every_scene_ends_as_it_always_did() {
    let told = endings();
    // Whoever started this process for it compares it with what it finds itself.
    println!("{told}");
    let expected: String = ENDINGS.iter().map(|(name, hash)| row(name, hash)).collect();
    assert_eq!(told, expected, "left is how the scenes end now:\n{told}");
}

#[tokio::test]
async fn every_scene_ends_the_same_in_another_process() {
    let test = "restoring::every_scene_ends_as_it_always_did";
    let (_, other) = in_another_process(test).await;
    let told = endings();
    assert!(
        other.contains(&told),
        "not here:\n{told}\nbut there:\n{other}"
    );
}

/// Runs one test of this program, ignored or not; how it ended and what it printed.
async fn in_another_process(test: &str) -> (ExitStatus, String) {
    let mut output = tempfile::tempfile().expect("a file can be made");
    let print_to = || output.try_clone().expect("a file can be shared");
    let program = std::env::current_exe().expect("this program is a file");
    let child = Command::new(program)
        .args([test, "--exact", "--include-ignored", "--nocapture"])
        .env("RUST_BACKTRACE", "0")
        .stdout(print_to())
        .stderr(print_to())
        .spawn();
    let mut child = Reaped(child.expect("the program can be run again"));
    let status = eventually(LONGEST, "the other process ends", async || {
        let ended = child.0.try_wait().expect("a child can be waited for");
        ended.ok_or("it still runs")
    })
    .await;
    let mut told = String::new();
    output.rewind().expect("a file can be read again");
    output.read_to_string(&mut told).expect("it is text");
    (status, told)
}

/// A process that does not outlive the test.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// The rows of [`ENDINGS`] as they are now.
fn endings() -> String {
    let scenes = scenes::all();
    let ending = |scene: &scenes::Scene| {
        let mut world = scene.until_the_moment();
        for _ in 0..AFTERMATH {
            scene.go_on(&mut world);
        }
        row(scene.name, &format!("{:016x}", world.state_hash()))
    };
    scenes.iter().map(ending).collect()
}

fn row(name: &str, hash: &str) -> String {
    format!("    ({name:?}, {hash:?}),\n")
}

fn written(world: &World) -> Vec<u8> {
    Snapshot::take(world).as_bytes().to_vec()
}
