//! Controllers: what moves a body towards what a client asks for, step after step.

mod admission;
mod character;
mod check;
mod drive;
mod pid;
mod soundness;
mod spec;
#[cfg(test)]
mod tests;
mod vehicle;
mod view;
mod wheel;

use rapier3d::prelude::RigidBodyHandle;
use serde::{Deserialize, Serialize};

pub(super) use self::{admission::check_controller, view::ControllerReading};
pub use self::{
    admission::check_controllers,
    spec::{Autostep, ControllerKind, ControllerPatch, ControllerSpec, PidAxis},
    view::ControllerView,
    wheel::{WheelPatch, WheelSpec},
};
use self::{character::Character, pid::Pid, vehicle::Vehicle};

/// A controller: what was asked for, and how far it has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Controller {
    /// Normalised: everything that its kind has is given.
    pub(super) spec: ControllerSpec,
    state: ControllerState,
}

/// What a controller keeps from step to step.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ControllerState {
    Character(Character),
    Vehicle(Vehicle),
    Pid(Pid),
}

impl Controller {
    /// A controller that has not driven yet, of a checked specification.
    pub(super) fn new(spec: &ControllerSpec, body: RigidBodyHandle) -> Self {
        let spec = spec.clone().normalized();
        let state = match spec.kind {
            ControllerKind::Character => ControllerState::Character(Character::default()),
            ControllerKind::Vehicle => ControllerState::Vehicle(Vehicle::new(&spec, body)),
            ControllerKind::Pid => ControllerState::Pid(Pid::default()),
        };
        Self { spec, state }
    }

    /// Changes what is asked for; what it has come to stays.
    pub(super) fn patch(&mut self, patch: &ControllerPatch) {
        self.spec = self.spec.patched(patch).normalized();
        if let ControllerState::Vehicle(vehicle) = &mut self.state {
            vehicle.apply_settings(&self.spec);
        }
    }

    /// Forgets a body that is about to be removed.
    pub(super) fn forget(&mut self, body: RigidBodyHandle) {
        if let ControllerState::Character(character) = &mut self.state {
            character.collisions.retain(|&handle| handle != body);
        }
    }
}
