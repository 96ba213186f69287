//! How controllers come into a world, drive it and leave it.

use rapier3d::prelude::RigidBodyHandle;

use super::{Controller, ControllerPatch, ControllerSpec, ControllerState};
use crate::{
    id::{BodyId, ControllerId},
    physics::world::World,
};

impl World {
    /// How many controllers there are.
    pub fn controller_count(&self) -> usize {
        self.controllers.len()
    }

    /// Has every controller act on its body for one step, in the order they were added.
    pub(in crate::physics) fn drive(&mut self, dt: f32) {
        let dimensions = self.config.dimensions;
        for Controller { spec, state } in self.controllers.values_mut() {
            let body = &self.roster.bodies[&spec.body_id];
            let handle = body.handle;
            if !self.engine.bodies[handle].is_enabled() {
                continue;
            }
            let engine = &mut self.engine;
            match state {
                ControllerState::Character(character) => {
                    let mass = spec.mass.or(body.spec.mass);
                    let mass = mass.unwrap_or_else(|| engine.bodies[handle].mass());
                    character.drive(spec, engine, handle, mass, dt, dimensions);
                }
                ControllerState::Vehicle(vehicle) => vehicle.drive(spec, engine, dt),
                ControllerState::Pid(pid) => pid.drive(spec, engine, handle, dt, dimensions),
            }
        }
    }

    pub(in crate::physics) fn add_controller(&mut self, spec: &ControllerSpec) -> ControllerId {
        let body = self.roster.bodies[&spec.body_id].handle;
        let controller = Controller::new(spec, body);
        self.controllers.insert(spec.id.clone(), controller);
        self.engine.wake_up(body, true);
        spec.id.clone()
    }

    pub(in crate::physics) fn patch_controller(
        &mut self,
        id: &ControllerId,
        patch: &ControllerPatch,
    ) {
        let controller = &mut self.controllers[id];
        controller.patch(patch);
        let body = self.roster.bodies[&controller.spec.body_id].handle;
        self.engine.wake_up(body, true);
    }

    pub(in crate::physics) fn remove_controller(&mut self, id: &ControllerId) {
        let removed = self.controllers.shift_remove(id);
        let removed = removed.expect("the command was checked");
        self.release(&removed);
    }

    /// Removes the controllers of a body that is about to be removed, and all others' memory of it.
    pub(in crate::physics) fn remove_controllers_of(&mut self, id: &BodyId, body: RigidBodyHandle) {
        self.controllers
            .retain(|_, controller| controller.spec.body_id != *id);
        for controller in self.controllers.values_mut() {
            controller.forget(body);
        }
    }

    /// Wakes the vehicles: what they stand on may have changed, and their rays wake nobody.
    pub(in crate::physics) fn wake_vehicles(&mut self) {
        for controller in self.controllers.values() {
            if let ControllerState::Vehicle(vehicle) = &controller.state {
                self.engine.wake_up(vehicle.engine.chassis, true);
            }
        }
    }

    /// A character without its controller stands still.
    fn release(&mut self, removed: &Controller) {
        if matches!(removed.state, ControllerState::Character(_)) {
            let body = self.roster.bodies[&removed.spec.body_id].handle;
            self.engine.bodies[body].set_linvel(rapier3d::math::Vector::ZERO, true);
        }
    }
}
