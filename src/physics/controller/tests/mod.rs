//! Controllers against geometry and what the textbook says.

mod characters;
mod keeping;
mod pids;
mod refusals;
mod vehicles;

use serde_json::{Value, json};

use crate::{
    id::{BodyId, ControllerId},
    physics::{Command, Steps, World, WorldConfig, WorldLimits},
};

const DT: f64 = 0.016;
const G: f64 = 9.81;

fn apply(world: &mut World, command: &Command) {
    world.apply(command, &WorldLimits::unlimited()).unwrap();
}

fn world(bodies: &Value, controllers: &Value) -> World {
    let mut world = World::new(WorldConfig::default());
    apply(&mut world, &Command::AddBodies(read(bodies)));
    // Controllers find what was there at the last step.
    step(&mut world, 1);
    apply(&mut world, &Command::AddControllers(read(controllers)));
    world
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

fn step(world: &mut World, count: u32) {
    apply(world, &Command::Step(Steps { count, dt: None }));
}

fn patch(world: &mut World, id: &str, patch: &Value) {
    let id = ControllerId::parse(id).unwrap();
    apply(world, &Command::PatchController(id, read(patch)));
}

fn seen(world: &World, id: &str) -> Value {
    let view = world.view();
    let id = ControllerId::parse(id).unwrap();
    serde_json::to_value(view.controller(&id).unwrap()).unwrap()
}

fn body(world: &World, id: &str) -> Value {
    let view = world.view();
    serde_json::to_value(view.body(&BodyId::parse(id).unwrap()).unwrap()).unwrap()
}

fn triple(value: &Value) -> [f64; 3] {
    [0, 1, 2].map(|index| value[index].as_f64().unwrap())
}

fn position(world: &World, id: &str) -> [f64; 3] {
    triple(&body(world, id)["position"])
}

#[track_caller]
fn close(found: f64, expected: f64, tolerance: f64) {
    assert!(
        (found - expected).abs() <= tolerance,
        "{found}, not {expected} within {tolerance}"
    );
}

fn floor() -> Value {
    json!({"id": "floor", "shape": "box", "size": [200, 2, 200], "position": [0, -1, 0], "kind": "static"})
}
