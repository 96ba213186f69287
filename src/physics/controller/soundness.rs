//! Whether controllers that were read from bytes belong to their world.

use rapier3d::{control::Wheel, math::Vector};

use super::{Controller, ControllerState, vehicle::Vehicle};
use crate::physics::{fault::Faults, world::World};

impl World {
    /// Whether every controller has a body it can move, and keeps what it could have come to.
    pub(in crate::physics) fn controllers_match(&self) -> bool {
        let mut faults = Faults::default();
        let body_of = |id: &_| self.roster.bodies.get(id).map(|body| &body.spec);
        for controller in self.controllers.values() {
            controller.spec.check(body_of, &mut faults);
        }
        faults.is_empty()
            && self
                .controllers
                .iter()
                .all(|(id, controller)| *id == controller.spec.id && self.matches(controller))
    }

    fn matches(&self, controller: &Controller) -> bool {
        let spec = &controller.spec;
        let Some(body) = self.roster.bodies.get(&spec.body_id) else {
            return false;
        };
        let fresh = Controller::new(spec, body.handle);
        if fresh.spec != *spec {
            return false;
        }
        match (&controller.state, &fresh.state) {
            (ControllerState::Character(character), ControllerState::Character(_)) => {
                let has_shape = body.spec.collider_count() > 0;
                let mut collisions = character.collisions.iter();
                has_shape
                    && character.falling.is_finite()
                    && character.effective_velocity.is_finite()
                    && collisions.all(|&body| self.engine.bodies.contains(body))
            }
            (ControllerState::Vehicle(vehicle), ControllerState::Vehicle(fresh)) => {
                vehicles_match(vehicle, fresh)
            }
            (ControllerState::Pid(pid), ControllerState::Pid(_)) => {
                pid.linear_integral.is_finite()
                    && pid.angular_integral.is_finite()
                    && pid.position_error.is_finite()
                    && pid.orientation_error.is_finite()
            }
            _ => false,
        }
    }
}

fn vehicles_match(vehicle: &Vehicle, fresh: &Vehicle) -> bool {
    let (vehicle, fresh) = (&vehicle.engine, &fresh.engine);
    vehicle.chassis == fresh.chassis
        && vehicle.index_up_axis == fresh.index_up_axis
        && vehicle.index_forward_axis == fresh.index_forward_axis
        && vehicle.current_vehicle_speed.is_finite()
        && vehicle.wheels().len() == fresh.wheels().len()
        && vehicle
            .wheels()
            .iter()
            .zip(fresh.wheels())
            .all(|(wheel, fresh)| {
                settings_of(wheel) == settings_of(fresh) && wheel.rotation.is_finite()
            })
}

fn settings_of(wheel: &Wheel) -> ([f32; 9], [f32; 12]) {
    let directions = [
        wheel.chassis_connection_point_cs,
        wheel.direction_cs,
        wheel.axle_cs,
    ];
    let mut places = [0.0; 9];
    for (place, value) in places
        .iter_mut()
        .zip(directions.iter().flat_map(Vector::to_array))
    {
        *place = value;
    }
    let numbers = [
        wheel.suspension_rest_length,
        wheel.max_suspension_travel,
        wheel.radius,
        wheel.suspension_stiffness,
        wheel.damping_compression,
        wheel.damping_relaxation,
        wheel.friction_slip,
        wheel.side_friction_stiffness,
        wheel.max_suspension_force,
        wheel.steering,
        wheel.engine_force,
        wheel.brake,
    ];
    (places, numbers)
}
