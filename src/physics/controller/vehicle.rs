//! Vehicles: dynamic bodies on wheels that are rays.

use rapier3d::{
    control::{DynamicRayCastVehicleController, Wheel, WheelTuning},
    math::Vector,
    prelude::{Collider, PhysicsWorld, QueryFilter, RigidBodyHandle},
};
use serde::{Deserialize, Serialize};

use super::{character::groups_of, spec::ControllerSpec, wheel::WheelSpec};
use crate::physics::edit::limit_speed;

/// What a vehicle keeps from step to step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Vehicle {
    pub(super) engine: DynamicRayCastVehicleController,
}

impl Vehicle {
    /// A vehicle of a normalised specification.
    pub(super) fn new(spec: &ControllerSpec, chassis: RigidBodyHandle) -> Self {
        let mut engine = DynamicRayCastVehicleController::new(chassis);
        for wheel in spec.wheels.iter().flatten() {
            engine.add_wheel(
                wheel.position.into(),
                wheel.direction.unwrap_or_default().into(),
                wheel.axle.unwrap_or_default().into(),
                wheel.suspension_rest_length,
                wheel.radius,
                &WheelTuning::default(),
            );
        }
        let mut vehicle = Self { engine };
        vehicle.apply_settings(spec);
        vehicle
    }

    /// Brings what may be asked of it into the engine.
    pub(super) fn apply_settings(&mut self, spec: &ControllerSpec) {
        self.engine.index_up_axis = spec.up().index();
        self.engine.index_forward_axis = spec.forward().index();
        let asked = spec.wheels.iter().flatten();
        for (wheel, asked) in self.engine.wheels_mut().iter_mut().zip(asked) {
            apply_settings(wheel, asked);
        }
    }

    /// Pushes its chassis for one step: springs, engine, brakes and grip.
    pub(super) fn drive(&mut self, spec: &ControllerSpec, engine: &mut PhysicsWorld, dt: f32) {
        let chassis = self.engine.chassis;
        let is_driven = self.engine.wheels().iter().any(|it| it.engine_force != 0.0);
        if is_driven || self.is_disturbed(engine) {
            engine.wake_up(chassis, true);
        } else if engine.bodies[chassis].is_sleeping() {
            return;
        }
        let filter = QueryFilter::default()
            .exclude_rigid_body(chassis)
            .exclude_sensors()
            .groups(groups_of(engine, chassis));
        let queries = engine.broad_phase.as_query_pipeline_mut(
            engine.narrow_phase.query_dispatcher(),
            &mut engine.bodies,
            &mut engine.colliders,
            filter,
        );
        self.engine.update_vehicle(dt, queries);
        self.brake(spec, engine, dt);
        limit_speed(&mut engine.bodies[chassis]);
    }

    /// Slows the wheels that roll over the ground. The engine's own brakes reckon with the mass of
    /// the ground even where it cannot be moved.
    fn brake(&mut self, spec: &ControllerSpec, engine: &mut PhysicsWorld, dt: f32) {
        let touching = |wheel: &&Wheel| wheel.raycast_info().is_in_contact;
        let count = self.engine.wheels().iter().filter(touching).count();
        #[expect(clippy::cast_precision_loss, reason = "there are few wheels")]
        let share = 1.0 / count.max(1) as f32;
        let handle = self.engine.chassis;
        let asked = spec.wheels.iter().flatten();
        for (wheel, asked) in self.engine.wheels_mut().iter_mut().zip(asked) {
            let ray = *wheel.raycast_info();
            if asked.brake == 0.0 || asked.engine_force != 0.0 || !ray.is_in_contact {
                continue;
            }
            let ground = ray
                .ground_object
                .and_then(|it| engine.colliders.get(it)?.parent());
            let ground_speed = ground.map_or(Vector::ZERO, |ground| {
                engine.bodies[ground].velocity_at_point(ray.contact_point_ws)
            });
            let chassis = &mut engine.bodies[handle];
            let ahead = ray
                .contact_normal_ws
                .cross(wheel.axle())
                .normalize_or_zero();
            let rolling = chassis.velocity_at_point(ray.contact_point_ws) - ground_speed;
            let grip = wheel.wheel_suspension_force * wheel.friction_slip;
            let most = asked.brake.min(grip) * dt;
            let impulse = (-ahead.dot(rolling) * chassis.mass() * share).clamp(-most, most);
            chassis.apply_impulse_at_point(ahead * impulse, ray.contact_point_ws, false);
            wheel.forward_impulse = impulse;
        }
    }

    /// How fast it goes ahead, m/s.
    pub(super) fn speed(&self, engine: &PhysicsWorld) -> f32 {
        let chassis = &engine.bodies[self.engine.chassis];
        let mut ahead = [0.0; 3];
        ahead[self.engine.index_forward_axis] = 1.0;
        (*chassis.rotation() * Vector::from_array(ahead)).dot(chassis.linvel())
    }

    /// Whether it sleeps on something that is gone or moves: rays wake nobody.
    fn is_disturbed(&self, engine: &PhysicsWorld) -> bool {
        let stays = |wheel: &Wheel| {
            let Some(ground) = wheel.raycast_info().ground_object else {
                return true;
            };
            let owner = engine.colliders.get(ground).and_then(Collider::parent);
            owner
                .and_then(|it| engine.bodies.get(it))
                .is_some_and(|it| {
                    it.is_enabled() && (it.is_sleeping() || it.linvel() == Vector::ZERO)
                })
        };
        engine.bodies[self.engine.chassis].is_sleeping() && !self.engine.wheels().iter().all(stays)
    }
}

fn apply_settings(wheel: &mut Wheel, asked: &WheelSpec) {
    wheel.chassis_connection_point_cs = asked.position.into();
    wheel.direction_cs = asked.direction.unwrap_or_default().into();
    wheel.axle_cs = asked.axle.unwrap_or_default().into();
    wheel.suspension_rest_length = asked.suspension_rest_length;
    wheel.max_suspension_travel = asked.max_travel;
    wheel.radius = asked.radius;
    wheel.suspension_stiffness = asked.stiffness;
    wheel.damping_compression = asked.compression;
    wheel.damping_relaxation = asked.damping;
    wheel.friction_slip = asked.friction_slip;
    wheel.side_friction_stiffness = asked.side_friction_stiffness;
    wheel.max_suspension_force = asked.max_suspension_force;
    wheel.steering = asked.steering;
    wheel.engine_force = asked.engine_force;
}
