//! Rapier's bodies and colliders, made and changed.

use rapier3d::{
    math::{Pose, Vector},
    prelude::{
        self as rapier, PhysicsWorld, RigidBody, RigidBodyActivation, RigidBodyBuilder,
        RigidBodyHandle, RigidBodyType,
    },
};

use super::{BodyKind, BodyPatch, BodySpec, Inertia};
use crate::physics::{
    asset::Assets,
    config::Dimensions,
    vector::{Quat, Vec3},
};

/// The speed from which a body is taken for a bullet, m/s.
const BULLET_SPEED: f32 = 30.0;

impl BodySpec {
    /// Adds a body of a checked and normalised specification to the engine.
    pub(in crate::physics) fn insert(
        &self,
        sleeping: bool,
        dimensions: Dimensions,
        assets: &Assets,
        engine: &mut PhysicsWorld,
    ) -> (RigidBodyHandle, Inertia) {
        let body = self.rigid_body(dimensions).sleeping(sleeping);
        let handle = engine.insert_body(body);
        let inertia = self.insert_colliders(handle, assets, engine);
        (handle, inertia)
    }

    /// Gives a body the colliders of its checked specification instead of those that it has.
    pub(in crate::physics) fn replace_colliders(
        &self,
        handle: RigidBodyHandle,
        assets: &Assets,
        engine: &mut PhysicsWorld,
    ) -> Inertia {
        for collider in engine.bodies[handle].colliders().to_vec() {
            engine.remove_collider(collider);
        }
        self.insert_colliders(handle, assets, engine)
    }

    /// Spreads the mass of a body anew over the colliders that it has.
    pub(in crate::physics) fn spread_mass(
        &self,
        handle: RigidBodyHandle,
        engine: &mut PhysicsWorld,
    ) -> Inertia {
        let handles = engine.bodies[handle].colliders().to_vec();
        let volumes = volumes_of(handle, engine);
        let masses = self.spread(&self.colliders(), &volumes);
        for (&collider, mass) in handles.iter().zip(masses.colliders) {
            engine.colliders[collider].set_mass(mass);
        }
        let body = &mut engine.bodies[handle];
        if masses.own.is_some() || body.mass_properties().additional_local_mprops.is_some() {
            let own = masses.own.map_or_else(Default::default, Into::into);
            body.set_additional_mass_properties(own, false);
        }
        // A push before the next step must already see it.
        body.recompute_mass_properties_from_colliders(&engine.colliders);
        Inertia::of(&body.mass_properties().local_mprops, masses.total)
    }

    /// Brings what `patch` has changed of everything but its shapes and masses into a body. It has
    /// been taken into the specification.
    pub(in crate::physics) fn apply_patch(&self, patch: &BodyPatch, body: &mut RigidBody) {
        if patch.kind.is_some() || body.body_type() != self.kind.into() {
            body.set_body_type(self.kind.into(), true);
        }
        self.apply_pose(patch, body);
        if patch.linvel.is_some() || self.kind == BodyKind::Fixed {
            body.set_linvel(self.linvel.into(), true);
        }
        if patch.angvel.is_some() || self.kind == BodyKind::Fixed {
            body.set_angvel(self.angvel.into(), true);
        }
        match self.ccd {
            Some(ccd) => body.enable_ccd(ccd),
            None if patch.linvel.is_some() || self.kind == BodyKind::Fixed => {
                body.enable_ccd(is_bullet(self.linvel.into()));
            }
            None => {}
        }
        body.set_linear_damping(self.linear_damping);
        body.set_angular_damping(self.angular_damping);
        body.set_gravity_scale(self.gravity_scale.unwrap_or(1.0), true);
        body.set_dominance_group(self.dominance.unwrap_or(0));
        body.set_soft_ccd_prediction(self.soft_ccd_prediction.unwrap_or(0.0));
        body.set_additional_solver_iterations(self.solver_iterations());
        if patch.can_sleep.is_some() {
            *body.activation_mut() = if self.can_sleep {
                RigidBodyActivation::active()
            } else {
                RigidBodyActivation::cannot_sleep()
            };
        }
        if let Some(enabled) = patch.enabled {
            body.set_enabled(enabled);
        }
        // What drag left of the step before must not outlive the drag.
        body.reset_forces(false);
        body.reset_torques(false);
        if patch.sleeping == Some(true) {
            body.sleep();
        } else {
            body.wake_up(true);
        }
    }

    /// The axes along or about which it does not move.
    pub(in crate::physics) fn locked(&self, dimensions: Dimensions) -> rapier::LockedAxes {
        let of_world = match dimensions {
            Dimensions::Two => {
                rapier::LockedAxes::TRANSLATION_LOCKED_Z
                    | rapier::LockedAxes::ROTATION_LOCKED_X
                    | rapier::LockedAxes::ROTATION_LOCKED_Y
            }
            Dimensions::Three => rapier::LockedAxes::empty(),
        };
        of_world | self.locked_axes.unwrap_or_default().flags()
    }

    /// How many more rounds the solver takes for it.
    pub(in crate::physics) fn solver_iterations(&self) -> usize {
        usize::from(self.additional_solver_iterations.unwrap_or(0))
    }

    fn apply_pose(&self, patch: &BodyPatch, body: &mut RigidBody) {
        let translation = patch.translation.map(|_| self.translation.into());
        let rotation = patch.rotation.map(|_| self.rotation.into());
        if self.kind == BodyKind::KinematicPosition {
            if let Some(translation) = translation {
                body.set_next_kinematic_translation(translation);
            }
            if let Some(rotation) = rotation {
                body.set_next_kinematic_rotation(rotation);
            }
            return;
        }
        if let Some(translation) = translation {
            body.set_translation(translation, true);
        }
        if let Some(rotation) = rotation {
            body.set_rotation(rotation, true);
        }
    }

    fn rigid_body(&self, dimensions: Dimensions) -> RigidBodyBuilder {
        let ccd = self.ccd.unwrap_or_else(|| is_bullet(self.linvel.into()));
        RigidBodyBuilder::new(self.kind.into())
            .pose(Pose::from_parts(
                self.translation.into(),
                self.rotation.into(),
            ))
            .linvel(self.linvel.into())
            .angvel(self.angvel.into())
            .linear_damping(self.linear_damping)
            .angular_damping(self.angular_damping)
            .can_sleep(self.can_sleep)
            .ccd_enabled(ccd)
            .locked_axes(self.locked(dimensions))
            .gravity_scale(self.gravity_scale.unwrap_or(1.0))
            .dominance_group(self.dominance.unwrap_or(0))
            .soft_ccd_prediction(self.soft_ccd_prediction.unwrap_or(0.0))
            .additional_solver_iterations(self.solver_iterations())
            .enabled(self.enabled.unwrap_or(true))
    }

    fn insert_colliders(
        &self,
        handle: RigidBodyHandle,
        assets: &Assets,
        engine: &mut PhysicsWorld,
    ) -> Inertia {
        for collider in self.colliders().iter() {
            let collider = collider.collider(self, assets);
            engine.insert_collider(collider, Some(handle));
        }
        self.spread_mass(handle, engine)
    }
}

impl From<BodyKind> for RigidBodyType {
    fn from(kind: BodyKind) -> Self {
        match kind {
            BodyKind::Fixed => Self::Fixed,
            BodyKind::Dynamic => Self::Dynamic,
            BodyKind::Kinematic => Self::KinematicVelocityBased,
            BodyKind::KinematicPosition => Self::KinematicPositionBased,
        }
    }
}

/// Whether a body that is sent off like this is swept along its path, so that it does not pass
/// through thin dynamic bodies. The engine sweeps all bodies against static ones anyway, and never
/// two swept ones against each other, which is why not every body is.
pub(in crate::physics) fn is_bullet(velocity: Vector) -> bool {
    velocity.length() >= BULLET_SPEED
}

/// A velocity, force or impulse without what leaves the plane of two dimensions.
pub(in crate::physics) fn flat(Vec3([x, y, z]): Vec3, dimensions: Dimensions) -> Vec3 {
    match dimensions {
        Dimensions::Two => Vec3([x, y, 0.0]),
        Dimensions::Three => Vec3([x, y, z]),
    }
}

/// An angular velocity or torque without what leaves the plane of two dimensions.
pub(in crate::physics) fn flat_angular(Vec3([x, y, z]): Vec3, dimensions: Dimensions) -> Vec3 {
    match dimensions {
        Dimensions::Two => Vec3([0.0, 0.0, z]),
        Dimensions::Three => Vec3([x, y, z]),
    }
}

pub(super) fn flat_rotation(rotation: Quat, dimensions: Dimensions) -> Quat {
    let Quat([_, _, z, w]) = rotation;
    match dimensions {
        Dimensions::Two => Quat([0.0, 0.0, z, w]).normalized(),
        Dimensions::Three => rotation.normalized(),
    }
}

/// The volumes of the colliders of a body, m³; 0 of what is no solid.
pub(in crate::physics) fn volumes_of(handle: RigidBodyHandle, engine: &PhysicsWorld) -> Vec<f32> {
    let colliders = engine.bodies[handle].colliders().iter();
    let shapes = colliders.map(|&collider| engine.colliders[collider].shape());
    shapes
        .map(|shape| shape.mass_properties(1.0).mass())
        .collect()
}
