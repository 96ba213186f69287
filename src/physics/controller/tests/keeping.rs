//! Worlds with controllers, written down and restored.

use serde_json::json;

use super::{
    characters::{character, walker},
    pids::{ball, pid},
    vehicles::car,
    *,
};
use crate::physics::{NO_ASSETS, Snapshot, Vec3, controller::ControllerState};

/// A walker, a car and a hovering ball in one world.
pub(super) fn everything() -> World {
    let (chassis, drive) = car();
    let mut controllers = drive.as_array().unwrap().clone();
    controllers.extend(character(&json!({"velocity": [0.7, 0, 0.2], "autostep": {"max_height": 0.3, "min_width": 0.1}, "snap_to_ground": 0.1})).as_array().unwrap().clone());
    controllers.extend(pid(&json!({"target_position": [3, 4, 3], "target_orientation": [0, 1, 0, 0], "kp": 3, "ki": 1, "angular_kp": 2, "angular_ki": 1})).as_array().unwrap().clone());
    let crates = (0..5).map(|n| json!({"id": format!("crate-{n}"), "shape": "box", "size": [0.6, 0.6, 0.6], "position": [5, 0.3 + 0.6 * f64::from(n), 7]}));
    let mut bodies = vec![floor(), chassis, walker([3.0, 0.0, 6.0]), ball()[0].clone()];
    bodies.extend(crates);
    let mut world = world(&json!(bodies), &json!(controllers));
    patch(
        &mut world,
        "drive",
        &json!({"engine_force": 200, "steering": 0.3, "wheels": [{}, {}, {"brake": 1}]}),
    );
    step(&mut world, 100);
    world
}

#[test]
fn a_restored_world_goes_on_as_if_it_had_never_been_written_down() {
    let mut world = everything();
    let mut restored = Snapshot::take(&world).restore(&NO_ASSETS).unwrap();
    for round in 0..10 {
        assert_eq!(world.state_hash(), restored.state_hash(), "{round}");
        for world in [&mut world, &mut restored] {
            let speed = 0.1 * f64::from(round);
            patch(world, "walk", &json!({"velocity": [-speed, 0, speed]}));
            step(world, 50);
        }
    }
    assert_eq!(
        Snapshot::take(&world).as_bytes(),
        Snapshot::take(&restored).as_bytes()
    );
    assert_eq!(seen(&world, "drive"), seen(&restored, "drive"));
}

#[test]
fn what_controllers_keep_is_part_of_the_hash() {
    let world = everything();
    let mut other = Snapshot::take(&world).restore(&NO_ASSETS).unwrap();
    assert_eq!(world.state_hash(), other.state_hash());
    let id = ControllerId::parse("walk").unwrap();
    let ControllerState::Character(walk) = &mut other.controllers[&id].state else {
        panic!("it is a character");
    };
    walk.falling = Vec3([0.0, -0.5, 0.0]);
    assert_ne!(world.state_hash(), other.state_hash());
}

#[test]
fn a_world_whose_controllers_do_not_fit_it_is_not_restored() {
    type Spoil = fn(&mut World);
    let id = |name: &str| ControllerId::parse(name).unwrap();
    let spoils: [Spoil; 3] = [
        |world| {
            let pid = ControllerId::parse("pid").unwrap();
            world.controllers[&pid].spec.body_id = BodyId::parse("floor").unwrap();
        },
        |world| {
            let drive = ControllerId::parse("drive").unwrap();
            let ControllerState::Vehicle(vehicle) = &mut world.controllers[&drive].state else {
                panic!("it is a vehicle");
            };
            vehicle.engine.wheels_mut()[0].radius = -1.0;
        },
        |world| {
            let (drive, pid) = ["drive", "pid"]
                .map(|name| ControllerId::parse(name).unwrap())
                .into();
            let state = world.controllers[&pid].state.clone();
            world.controllers[&drive].state = state;
        },
    ];
    assert!(everything().controllers.contains_key(&id("pid")));
    for (index, spoil) in spoils.into_iter().enumerate() {
        let mut world = everything();
        spoil(&mut world);
        assert!(
            Snapshot::take(&world).restore(&NO_ASSETS).is_err(),
            "{index}"
        );
    }
}

#[test]
fn removing_a_body_removes_its_controllers_and_removing_a_controller_lets_its_body_be() {
    let mut world = everything();
    apply(
        &mut world,
        &Command::RemoveBody(BodyId::parse("car").unwrap()),
    );
    assert_eq!(world.controller_count(), 2);
    step(&mut world, 10);
    apply(
        &mut world,
        &Command::RemoveController(ControllerId::parse("walk").unwrap()),
    );
    let before = body(&world, "walker")["position"].clone();
    step(&mut world, 50);
    assert_eq!(body(&world, "walker")["position"], before);
    apply(
        &mut world,
        &Command::RemoveController(ControllerId::parse("pid").unwrap()),
    );
    step(&mut world, 100);
    assert!(position(&world, "ball")[1] < 2.0);
    assert!(Snapshot::take(&world).restore(&NO_ASSETS).is_ok());
}
