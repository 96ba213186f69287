//! Bodies whose state has gone beyond all bounds: they are left out, and nothing else is.

use std::{collections::HashSet, sync::Arc};

use rapier3d::{
    dynamics::{Multibody, MultibodyLink},
    math::{Pose, Vector},
    prelude::RigidBodyHandle,
};

use super::{body::BodyKind, event::EventKind, roster::Body, world::World};

/// The speed of a coordinate of a multibody from which on it has run away, m/s or rad/s: the engine
/// slows other bodies long before.
const RUNAWAY: f32 = 1e6;

impl World {
    /// Takes out of the world what has gone beyond all bounds in the last step, in which the
    /// engine has disabled these.
    pub(super) fn contain(&mut self, disabled: Vec<RigidBodyHandle>) {
        let runaways: Vec<_> = self.runaways().collect();
        if !runaways.is_empty() || !disabled.is_empty() {
            self.note_quarantine(disabled, runaways);
        }
    }

    /// The bases of multibodies that have run away. Where a contact pushes a link in a direction
    /// that its joints hardly leave free, the engine divides by next to nothing; let go on like
    /// this, it ends in numbers that are none, for what it touches too.
    fn runaways(&self) -> impl Iterator<Item = RigidBodyHandle> {
        let multibodies = self.engine.multibody_joints.multibodies();
        let runaways = multibodies.filter(|multibody| {
            let motion = multibody.generalized_velocity();
            // What is no number is not within bounds either.
            !motion.iter().all(|speed| speed.abs() <= RUNAWAY)
        });
        runaways.map(|multibody| multibody.root().rigid_body_handle())
    }

    /// Notes which bodies the engine has disabled in the last step, or would have to soon.
    ///
    /// All bodies of a multibody share what it moves by, and the engine would go on placing them
    /// by it: they are disabled together, and their joints break.
    fn note_quarantine(&mut self, disabled: Vec<RigidBodyHandle>, runaways: Vec<RigidBodyHandle>) {
        let mut found: HashSet<_> = disabled.into_iter().collect();
        let linked = self.links_of(found.iter().copied().chain(runaways));
        self.take_apart(&linked);
        found.extend(linked.iter().filter(|&&link| {
            let body = &self.engine.bodies[link];
            !body.is_enabled()
        }));
        let mut struck = Vec::new();
        for (id, body) in &mut Arc::make_mut(&mut self.roster).bodies {
            if !body.quarantined && found.contains(&body.handle) {
                body.quarantined = true;
                struck.push(id.clone());
            }
        }
        for body_id in struck {
            self.engage_joints_of(&body_id);
            self.note(EventKind::Quarantined { body_id });
        }
        self.break_joints_of(&linked);
        self.steady();
        // The engine does the rest in the next step, and keeps what is left to do to itself.
        self.settled = false;
        self.matter.take();
    }

    /// Has what moves whatever it meets go on as it was told to, whatever it has met.
    fn steady(&mut self) {
        for Body { handle, spec, .. } in self.roster.bodies.values() {
            let body = &mut self.engine.bodies[*handle];
            let is_told = matches!(spec.kind, BodyKind::Kinematic | BodyKind::KinematicPosition);
            if is_told && !(body.linvel().is_finite() && body.angvel().is_finite()) {
                body.set_linvel(spec.linvel.into(), false);
                body.set_angvel(spec.angvel.into(), false);
            }
        }
    }

    /// All bodies that are in one multibody with any of these.
    fn links_of(&self, found: impl Iterator<Item = RigidBodyHandle>) -> HashSet<RigidBodyHandle> {
        let joints = &self.engine.multibody_joints;
        let multibodies = found.filter_map(|body| {
            let link = joints.rigid_body_link(body)?;
            joints.get_multibody(link.multibody)
        });
        let links = multibodies.flat_map(Multibody::links);
        links.map(MultibodyLink::rigid_body_handle).collect()
    }

    /// Takes multibodies apart, and their bodies that can move out of the world, where they were
    /// last.
    fn take_apart(&mut self, links: &HashSet<RigidBodyHandle>) {
        for Body { handle, spec, .. } in self.roster.bodies.values() {
            if !links.contains(handle) {
                continue;
            }
            let joints = &mut self.engine.multibody_joints;
            joints.remove_multibody_articulations(*handle, true);
            let body = &mut self.engine.bodies[*handle];
            if !body.is_dynamic() {
                continue;
            }
            let last = *body.position();
            let place = if last.is_finite() {
                last
            } else {
                Pose::from_parts(spec.translation.into(), spec.rotation.into())
            };
            body.set_position(place, false);
            body.set_linvel(Vector::ZERO, false);
            body.set_angvel(Vector::ZERO, false);
            body.reset_forces(false);
            body.reset_torques(false);
            body.set_enabled(false);
        }
    }

    /// Has the joints break by which these bodies hung on each other.
    fn break_joints_of(&mut self, links: &HashSet<RigidBodyHandle>) {
        let roster = Arc::make_mut(&mut self.roster);
        let mut broken = Vec::new();
        for (id, joint) in &mut roster.joints {
            let handle = roster.bodies[&joint.spec.body_b].handle;
            if joint.hangs() && links.contains(&handle) {
                joint.broken = true;
                broken.push(id.clone());
            }
        }
        for joint_id in broken {
            self.note(EventKind::JointBroken { joint_id });
        }
    }
}
