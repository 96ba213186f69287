//! The instant commands: checking them in full, and applying what was checked.

use std::{collections::HashSet, sync::Arc};

use rapier3d::{
    math::Vector,
    prelude::{RigidBody, RigidBodyActivation, RigidBodyHandle},
};

use super::{
    body::{BodyKind, BodyPatch, BodySpec, flat, flat_angular, is_bullet},
    command::{Command, Force, Impulse, Outcome, Steps},
    config::{Dimensions, check_dt},
    error::PhysicsError,
    fault::{Faults, MAX_DISTANCE, MAX_IMPULSE, MAX_SPEED},
    joint::{JointPatch, JointSpec},
    limits::WorldLimits,
    roster::{Body, HeldForce, Joint, Roster},
    world::World,
};
use crate::id::{BodyId, JointId};

impl World {
    /// Checks a command in full: what passes can be applied.
    pub(super) fn check(
        &self,
        command: &Command,
        limits: &WorldLimits,
    ) -> Result<(), PhysicsError> {
        let mut faults = Faults::default();
        match command {
            Command::Configure(patch) => patch.check(&mut faults),
            Command::AddBody(spec) => {
                spec.check(self.config.dimensions, &mut faults);
                return self.check_new_bodies(std::slice::from_ref(spec), faults, limits);
            }
            Command::AddBodies(specs) => {
                check_bodies(specs, self.config.dimensions, &mut faults);
                return self.check_new_bodies(specs, faults, limits);
            }
            Command::PatchBody(id, patch) => {
                let spec = self.body(id)?.spec.patched(patch);
                spec.check(self.config.dimensions, &mut faults);
            }
            Command::RemoveBody(id) | Command::ClearForce(id) => {
                self.body(id)?;
            }
            Command::ApplyImpulse(id, impulse) => {
                faults.check_vector("impulse", impulse.impulse, MAX_IMPULSE);
                self.check_push(self.body(id)?, impulse.point, "impulse", &mut faults);
            }
            Command::SetForce(id, force) => {
                faults.check_vector("force", force.force, f64::MAX);
                faults.check_vector("torque", force.torque, f64::MAX);
                self.check_push(self.body(id)?, force.point, "force", &mut faults);
            }
            Command::AddJoint(spec) => {
                spec.check(|id| self.kind_of(id), &mut faults);
                return self.check_new_joints(std::slice::from_ref(spec), faults, limits);
            }
            Command::AddJoints(specs) => {
                check_joints(specs, |id| self.kind_of(id), &mut faults);
                return self.check_new_joints(specs, faults, limits);
            }
            Command::PatchJoint(id, patch) => {
                // Its bodies may have become what a new joint would not be made between.
                self.joint(id)?
                    .spec
                    .patched(patch)
                    .check_limits(&mut faults);
            }
            Command::RemoveJoint(id) => {
                self.joint(id)?;
            }
            Command::Step(steps) => return check_steps(*steps, faults, limits),
            Command::Record(id, recording) => {
                self.body(id)?;
                if recording.every == 0 {
                    faults.add("every", "must be at least 1");
                } else {
                    limits.check_frames(recording.frames())?;
                }
                return check_steps(recording.steps, faults, limits);
            }
            #[cfg(test)]
            Command::Panic(_) => {}
        }
        faults.into_result()
    }

    /// Applies a checked command that takes no time.
    pub(super) fn edit(&mut self, command: &Command) -> Outcome {
        match command {
            Command::Configure(patch) => {
                if let Some(gravity) = patch.gravity {
                    self.config.gravity = gravity;
                    self.engine.gravity = gravity.into();
                    self.engine.wake_up_all(true);
                }
                self.config.dt = patch.dt.unwrap_or(self.config.dt);
                Outcome::Done
            }
            Command::AddBody(spec) => Outcome::BodyAdded(self.add_body(spec)),
            Command::AddBodies(specs) => {
                Outcome::BodiesAdded(specs.iter().map(|spec| self.add_body(spec)).collect())
            }
            Command::PatchBody(id, patch) => {
                self.patch_body(id, patch);
                Outcome::BodyPatched(id.clone())
            }
            Command::RemoveBody(id) => {
                self.remove_body(id);
                Outcome::Done
            }
            Command::ApplyImpulse(id, impulse) => {
                self.apply_impulse(id, impulse);
                Outcome::Done
            }
            Command::SetForce(id, force) => {
                self.set_force(id, Some(force));
                Outcome::Done
            }
            Command::ClearForce(id) => {
                self.set_force(id, None);
                Outcome::Done
            }
            Command::AddJoint(spec) => Outcome::JointAdded(self.add_joint(spec)),
            Command::AddJoints(specs) => {
                Outcome::JointsAdded(specs.iter().map(|spec| self.add_joint(spec)).collect())
            }
            Command::PatchJoint(id, patch) => {
                self.patch_joint(id, patch);
                Outcome::JointPatched(id.clone())
            }
            Command::RemoveJoint(id) => {
                let removed = self.roster_mut().joints.shift_remove(id);
                let joint = removed.expect("the command was checked");
                self.engine.remove_impulse_joint(joint.handle);
                Outcome::Done
            }
            Command::Step(_) | Command::Record(..) => Outcome::Done,
            #[cfg(test)]
            Command::Panic(_) => Outcome::Done,
        }
    }

    fn add_body(&mut self, spec: &BodySpec) -> BodyId {
        let dimensions = self.config.dimensions;
        let spec = spec.clone().normalized(dimensions);
        let id = spec.id.clone();
        let (handle, _) = self
            .engine
            .insert(spec.rigid_body(dimensions), spec.collider());
        let body = Body {
            spec,
            handle,
            force: None,
            quarantined: false,
        };
        self.roster_mut().bodies.insert(id.clone(), body);
        id
    }

    fn patch_body(&mut self, id: &BodyId, patch: &BodyPatch) {
        let dimensions = self.config.dimensions;
        let body = &mut Arc::make_mut(&mut self.roster).bodies[id];
        body.spec = body.spec.patched(patch).normalized(dimensions);
        let (spec, handle) = (&body.spec, body.handle);

        let rigid_body = &mut self.engine.bodies[handle];
        if patch.kind.is_some() {
            rigid_body.set_body_type(spec.kind.into(), true);
        }
        if patch.translation.is_some() {
            rigid_body.set_translation(spec.translation.into(), true);
        }
        if patch.rotation.is_some() {
            rigid_body.set_rotation(spec.rotation.into(), true);
        }
        if patch.linvel.is_some() || spec.kind == BodyKind::Fixed {
            rigid_body.set_linvel(spec.linvel.into(), true);
            rigid_body.enable_ccd(is_bullet(spec.linvel.into()));
        }
        if patch.angvel.is_some() || spec.kind == BodyKind::Fixed {
            rigid_body.set_angvel(spec.angvel.into(), true);
        }
        rigid_body.set_linear_damping(spec.linear_damping);
        rigid_body.set_angular_damping(spec.angular_damping);
        if patch.can_sleep.is_some() {
            *rigid_body.activation_mut() = if spec.can_sleep {
                RigidBodyActivation::active()
            } else {
                RigidBodyActivation::cannot_sleep()
            };
        }
        // What drag left of the step before must not outlive the drag.
        rigid_body.reset_forces(false);
        rigid_body.reset_torques(false);
        rigid_body.wake_up(true);

        let collider = rigid_body.colliders()[0];
        let collider = &mut self.engine.colliders[collider];
        if patch.friction.is_some() {
            collider.set_friction(spec.friction);
        }
        if patch.restitution.is_some() {
            collider.set_restitution(spec.restitution);
        }
        if patch.is_sensor.is_some() {
            collider.set_sensor(spec.is_sensor);
            collider.set_active_collision_types(spec.collision_types());
        }
        if patch.mass.is_some() {
            collider.set_mass(spec.mass);
            // A push before the next step must already see it.
            let colliders = &self.engine.colliders;
            self.engine.bodies[handle].recompute_mass_properties_from_colliders(colliders);
        }
    }

    fn remove_body(&mut self, id: &BodyId) {
        let roster = self.roster_mut();
        let body = roster.bodies.shift_remove(id);
        roster
            .joints
            .retain(|_, joint| joint.spec.body_a != *id && joint.spec.body_b != *id);
        let body = body.expect("the command was checked");
        self.engine.remove_body(body.handle);
    }

    fn apply_impulse(&mut self, id: &BodyId, impulse: &Impulse) {
        let push: Vector = flat(impulse.impulse, self.config.dimensions).into();
        let body = &mut self.engine.bodies[self.roster.bodies[id].handle];
        match impulse.point {
            Some(point) => body.apply_impulse_at_point(push, point.into(), true),
            None => body.apply_impulse(push, true),
        }
        // Beyond this the engine's own speed limit overflows and stops the body.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the engine computes in f32"
        )]
        let fastest = MAX_SPEED as f32;
        let (linvel, angvel) = (body.linvel(), body.angvel());
        body.set_linvel(limited(linvel, fastest), true);
        body.set_angvel(limited(angvel, fastest), true);
        if is_bullet(linvel) {
            body.enable_ccd(true);
        }
    }

    fn set_force(&mut self, id: &BodyId, force: Option<&Force>) {
        let dimensions = self.config.dimensions;
        let body = &mut Arc::make_mut(&mut self.roster).bodies[id];
        let rigid_body = &mut self.engine.bodies[body.handle];
        rigid_body.reset_forces(true);
        rigid_body.reset_torques(true);
        rigid_body.wake_up(true);
        body.force = force.map(|force| HeldForce {
            force: flat(force.force, dimensions),
            torque: flat_angular(force.torque, dimensions),
            local_point: force.point.map(|point| {
                rigid_body
                    .position()
                    .inverse_transform_point(point.into())
                    .into()
            }),
        });
    }

    fn add_joint(&mut self, spec: &JointSpec) -> JointId {
        let spec = spec.clone().normalized();
        let id = spec.id.clone();
        let [a, b] = [&spec.body_a, &spec.body_b].map(|id| self.roster.bodies[id].handle);
        let bodies = &self.engine.bodies;
        let joint = spec.generic_joint(bodies[a].position(), bodies[b].position());
        let handle = self.engine.insert_impulse_joint(a, b, joint);
        if !spec.collide {
            self.forget_contacts(b);
        }
        self.roster_mut()
            .joints
            .insert(id.clone(), Joint { spec, handle });
        id
    }

    fn patch_joint(&mut self, id: &JointId, patch: &JointPatch) {
        let joint = &mut Arc::make_mut(&mut self.roster).joints[id];
        joint.spec = joint.spec.patched(patch).normalized();
        let engine_joint = self.engine.impulse_joints.get_mut(joint.handle, true);
        let engine_joint = engine_joint.expect("joints of the roster are in the engine");
        joint.spec.apply_settings(&mut engine_joint.data);
        let (body_b, collide) = (engine_joint.body2(), joint.spec.collide);
        if !collide {
            self.forget_contacts(body_b);
        }
    }

    /// Has the engine look anew at what a body touches: while a pair hardly moves it recycles
    /// their contacts, and would not notice that a joint now forbids them.
    fn forget_contacts(&mut self, body: RigidBodyHandle) {
        for &collider in self.engine.bodies[body].colliders() {
            let collider = &mut self.engine.colliders[collider];
            let shape = collider.shared_shape().clone();
            collider.set_shape(shape);
        }
    }

    fn check_new_bodies(
        &self,
        specs: &[BodySpec],
        faults: Faults,
        limits: &WorldLimits,
    ) -> Result<(), PhysicsError> {
        limits.check_bodies(self.roster.bodies.len() + specs.len())?;
        faults.into_result()?;
        let taken = |spec: &&BodySpec| self.roster.bodies.contains_key(&spec.id);
        match specs.iter().find(taken) {
            Some(spec) => Err(PhysicsError::BodyExists(spec.id.clone())),
            None => Ok(()),
        }
    }

    fn check_new_joints(
        &self,
        specs: &[JointSpec],
        faults: Faults,
        limits: &WorldLimits,
    ) -> Result<(), PhysicsError> {
        limits.check_joints(self.roster.joints.len() + specs.len())?;
        faults.into_result()?;
        let taken = |spec: &&JointSpec| self.roster.joints.contains_key(&spec.id);
        match specs.iter().find(taken) {
            Some(spec) => Err(PhysicsError::JointExists(spec.id.clone())),
            None => Ok(()),
        }
    }

    fn check_push(
        &self,
        body: &Body,
        point: Option<super::vector::Vec3>,
        field: &str,
        faults: &mut Faults,
    ) {
        if let Some(point) = point {
            faults.check_vector("point", point, MAX_DISTANCE);
        }
        if !RigidBody::is_dynamic(&self.engine.bodies[body.handle]) {
            faults.add(field, "only dynamic bodies can be pushed");
        }
    }

    fn body(&self, id: &BodyId) -> Result<&Body, PhysicsError> {
        let found = self.roster.bodies.get(id);
        found.ok_or_else(|| PhysicsError::BodyNotFound(id.clone()))
    }

    fn joint(&self, id: &JointId) -> Result<&Joint, PhysicsError> {
        let found = self.roster.joints.get(id);
        found.ok_or_else(|| PhysicsError::JointNotFound(id.clone()))
    }

    fn kind_of(&self, id: &BodyId) -> Option<BodyKind> {
        Some(self.roster.bodies.get(id)?.spec.kind)
    }

    fn roster_mut(&mut self) -> &mut Roster {
        Arc::make_mut(&mut self.roster)
    }
}

/// Notes everything that is wrong with bodies that are to be added together.
pub fn check_bodies(specs: &[BodySpec], dimensions: Dimensions, faults: &mut Faults) {
    let mut seen = HashSet::new();
    for (index, spec) in specs.iter().enumerate() {
        faults.within(index, |faults| {
            spec.check(dimensions, faults);
            if !seen.insert(&spec.id) {
                faults.add("id", "stands twice in this request");
            }
        });
    }
}

/// Notes everything that is wrong with joints that are to be added together.
pub fn check_joints(
    specs: &[JointSpec],
    kind_of: impl Fn(&BodyId) -> Option<BodyKind>,
    faults: &mut Faults,
) {
    let mut seen = HashSet::new();
    for (index, spec) in specs.iter().enumerate() {
        faults.within(index, |faults| {
            spec.check(&kind_of, faults);
            if !seen.insert(&spec.id) {
                faults.add("id", "stands twice in this request");
            }
        });
    }
}

fn check_steps(steps: Steps, mut faults: Faults, limits: &WorldLimits) -> Result<(), PhysicsError> {
    limits.check_steps(steps.count)?;
    if let Some(dt) = steps.dt {
        check_dt(dt, &mut faults);
    }
    faults.into_result()
}

fn limited(velocity: Vector, fastest: f32) -> Vector {
    // The length of a velocity that is this great may overflow, that of its share does not.
    let share = velocity / fastest;
    if share.length_squared() > 1.0 {
        share.normalize() * fastest
    } else {
        velocity
    }
}
