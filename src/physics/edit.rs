//! The instant commands, applied once they are checked.

use std::sync::Arc;

use rapier3d::{math::Vector, prelude::RigidBody};

use super::{
    body::{BodyPatch, BodySpec, flat, flat_angular, is_bullet},
    command::{Command, Force, Impulse, Outcome},
    fault::MAX_SPEED,
    roster::{Body, HeldForce, Roster},
    world::World,
};
use crate::id::BodyId;

impl World {
    /// Applies a checked command that takes no time.
    pub(super) fn edit(&mut self, command: &Command) -> Outcome {
        if !is_push(command) {
            self.matter.take();
        }
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
                self.wake_vehicles();
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
                self.remove_joint(id);
                Outcome::Done
            }
            Command::Import(import) => {
                let others = self.roster.bodies.values().map(|body| &body.spec);
                for body in import.placed(others) {
                    self.add_body(&body);
                }
                for joint in &import.joints {
                    self.add_joint(joint);
                }
                Outcome::Imported(import.clone())
            }
            Command::InverseKinematics(request) => Outcome::Reached(Box::new(self.reach(request))),
            Command::AddController(spec) => Outcome::ControllerAdded(self.add_controller(spec)),
            Command::AddControllers(specs) => {
                let added = specs.iter().map(|spec| self.add_controller(spec));
                Outcome::ControllersAdded(added.collect())
            }
            Command::PatchController(id, patch) => {
                self.patch_controller(id, patch);
                Outcome::ControllerPatched(id.clone())
            }
            Command::RemoveController(id) => {
                self.remove_controller(id);
                Outcome::Done
            }
            Command::Step(_) | Command::Record(..) | Command::Batch(_) => Outcome::Done,
            #[cfg(test)]
            Command::Panic(_) => Outcome::Done,
        }
    }

    fn add_body(&mut self, spec: &BodySpec) -> BodyId {
        let dimensions = self.config.dimensions;
        let is_sleeping = spec.sleeping == Some(true);
        let spec = spec.clone().normalized(dimensions);
        let id = spec.id.clone();
        let (handle, inertia) =
            spec.insert(is_sleeping, dimensions, &self.assets, &mut self.engine);
        let body = Body {
            spec,
            handle,
            inertia,
            force: None,
            quarantined: false,
        };
        self.roster_mut().bodies.insert(id.clone(), body);
        id
    }

    fn patch_body(&mut self, id: &BodyId, patch: &BodyPatch) {
        let dimensions = self.config.dimensions;
        if patch.replaces_shapes() {
            self.note_parting(self.roster.bodies[id].handle);
        }
        let body = &mut Arc::make_mut(&mut self.roster).bodies[id];
        body.spec = body.spec.patched(patch).normalized(dimensions);
        let (spec, handle) = (&body.spec, body.handle);

        if patch.replaces_shapes() {
            body.inertia = spec.replace_colliders(handle, &self.assets, &mut self.engine);
        } else {
            let colliders = self.engine.bodies[handle].colliders().to_vec();
            if patch.changes_surface() {
                for (specified, &collider) in spec.colliders().iter().zip(&colliders) {
                    let collider = &mut self.engine.colliders[collider];
                    specified.surface(spec).apply(collider);
                }
            }
            if patch.changes_mass() {
                body.inertia = spec.spread_mass(handle, &mut self.engine);
            }
        }
        let rigid_body = &mut self.engine.bodies[handle];
        rigid_body.set_locked_axes(spec.locked(dimensions), true);
        spec.apply_patch(patch, rigid_body);
        if patch.replaces_shapes() && !rigid_body.is_enabled() {
            // The engine disables colliders when their body is, and not those that come later.
            rigid_body.set_enabled(true);
            rigid_body.set_enabled(false);
        }
        if patch.changes_contacts() {
            self.forget_contacts(handle);
        }
        if patch.enabled.is_some() {
            self.engage_joints_of(id);
        }
        self.align(handle);
    }

    fn remove_body(&mut self, id: &BodyId) {
        self.note_parting(self.roster.bodies[id].handle);
        let partners = self.partners_of(id);
        let roster = self.roster_mut();
        let body = roster.bodies.shift_remove(id);
        roster.joints.retain(|_, joint| !joint.spec.holds(id));
        let body = body.expect("the command was checked");
        self.remove_controllers_of(id, body.handle);
        self.engine.remove_body(body.handle);
        for (partner, hung) in partners {
            if hung {
                self.rehang(partner);
            } else {
                self.align(partner);
            }
        }
    }

    fn apply_impulse(&mut self, id: &BodyId, impulse: &Impulse) {
        let push: Vector = flat(impulse.impulse.unwrap_or_default(), self.config.dimensions).into();
        let handle = self.roster.bodies[id].handle;
        let centre = self.engine.bodies[handle].center_of_mass();
        let lever = impulse
            .point
            .map_or(Vector::ZERO, |point| Vector::from(point) - centre);
        let turn = impulse.torque_impulse.unwrap_or_default();
        let turn: Vector = flat_angular(turn, self.config.dimensions).into();
        if self.strike(handle, push, lever.cross(push) + turn) {
            return;
        }
        let body = &mut self.engine.bodies[handle];
        match impulse.point {
            Some(point) => body.apply_impulse_at_point(push, point.into(), true),
            None => body.apply_impulse(push, true),
        }
        body.apply_torque_impulse(turn, true);
        let linvel = body.linvel();
        limit_speed(body);
        if is_bullet(linvel) && self.roster.bodies[id].spec.ccd.is_none() {
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

    pub(super) fn roster_mut(&mut self) -> &mut Roster {
        Arc::make_mut(&mut self.roster)
    }
}

/// Whether a command leaves what bodies consist of as it is.
fn is_push(command: &Command) -> bool {
    matches!(
        command,
        Command::ApplyImpulse(..) | Command::SetForce(..) | Command::ClearForce(_)
    )
}

/// Slows a body down to what the engine can take: beyond, its own limit overflows and stops the
/// body.
pub(super) fn limit_speed(body: &mut RigidBody) {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the engine computes in f32"
    )]
    let fastest = MAX_SPEED as f32;
    let (linvel, angvel) = (body.linvel(), body.angvel());
    body.set_linvel(limited(linvel, fastest), true);
    body.set_angvel(limited(angvel, fastest), true);
}

pub(super) fn limited(velocity: Vector, fastest: f32) -> Vector {
    // The length of a velocity that is this great may overflow, that of its share does not.
    let share = velocity / fastest;
    if share.length_squared() > 1.0 {
        share.normalize() * fastest
    } else {
        velocity
    }
}
