//! Worlds as a whole, where a request over HTTP would show no more.

mod batches;
mod bonds;
mod chores;
mod disabled;
mod keeping;
mod listening;
mod queries;
mod sharing;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    id::{BodyId, ControllerId, JointId},
    physics::{Command, NO_ASSETS, Outcome, PhysicsError, Snapshot, Steps, World, WorldLimits},
};

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

fn body_id(id: &str) -> BodyId {
    BodyId::parse(id).unwrap()
}

fn add_body(spec: &Value) -> Command {
    Command::AddBody(read(spec))
}

fn add_joint(spec: &Value) -> Command {
    Command::AddJoint(read(spec))
}

fn add_controller(spec: &Value) -> Command {
    Command::AddController(read(spec))
}

fn patch_body(id: &str, patch: &Value) -> Command {
    Command::PatchBody(body_id(id), read(patch))
}

fn push(id: &str, force: [f64; 3]) -> Command {
    let force = json!({"force": force, "torque": [0, 0, 0]});
    Command::SetForce(body_id(id), read(&force))
}

/// A world without gravity that has done these commands.
fn world_of(commands: &[Command]) -> World {
    let mut world = World::new(read(&json!({"gravity": [0, 0, 0]})));
    for command in commands {
        apply(&mut world, command);
    }
    world
}

#[track_caller]
fn apply(world: &mut World, command: &Command) -> Outcome {
    let applied = world.apply(command, &WorldLimits::unlimited());
    applied.unwrap_or_else(|refused| panic!("{command:?}: {refused:?}"))
}

/// Fails unless the command is refused for these fields.
#[track_caller]
fn refused(world: &mut World, command: &Command, pointers: &[&str]) {
    match world.apply(command, &WorldLimits::unlimited()) {
        Err(PhysicsError::Invalid(faults)) => {
            let found: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
            assert_eq!(found, pointers, "{command:?}: {faults:?}");
        }
        other => panic!("{command:?}: {:?}", other.err()),
    }
}

fn step(world: &mut World, count: u32) {
    apply(world, &Command::Step(Steps { count, dt: None }));
}

fn body(world: &World, id: &str) -> Value {
    let view = world.view();
    serde_json::to_value(view.body(&body_id(id)).unwrap()).unwrap()
}

fn place(world: &World, id: &str) -> [f64; 3] {
    let place = &body(world, id)["position"];
    [0, 1, 2].map(|axis| place[axis].as_f64().unwrap_or(f64::NAN))
}

/// Fails unless the world can be written down and read, and is the same then.
#[track_caller]
fn keeps(world: &World) {
    assert!(world.is_settled());
    let restored = Snapshot::take(world).restore(&NO_ASSETS).unwrap();
    assert_eq!(restored.state_hash(), world.state_hash());
}

/// Fails when a number is missing anywhere in what is seen of the world.
#[track_caller]
fn shows_numbers(world: &World) {
    let view = world.view();
    for text in [
        serde_json::to_string(&view.bodies()).unwrap(),
        serde_json::to_string(&view.joints()).unwrap(),
        serde_json::to_string(&view.controllers()).unwrap(),
    ] {
        assert!(!text.contains("null"), "{text}");
    }
}

fn ball(id: &str, x: f64) -> Value {
    json!({"id": id, "shape": "sphere", "radius": 0.5, "position": [x, 0, 0]})
}
