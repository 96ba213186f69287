//! Joints in the engine: made, changed, broken and removed.

use std::sync::Arc;

use rapier3d::{
    math::{Pose, Vector},
    prelude::{JointEnabled, RigidBody, RigidBodyHandle},
};

use super::{
    articulation::joint_above,
    joint::{
        FrameMotions, ImpulseView, JointPatch, JointSpec, JointState, JointView, position_on,
        reaction,
    },
    roster::Joint,
    substeps::Substeps,
    view::View,
    world::World,
};
use crate::id::{BodyId, JointId};

/// What a joint did in the last step, N·s and N·m·s.
#[derive(Clone, Copy, Debug)]
pub(super) struct JointImpulse {
    pub(super) linear: f32,
    pub(super) angular: f32,
}

/// How a joint stands. The motion of its bodies is in the same view.
#[derive(Clone, Copy, Debug)]
pub(super) struct JointMotion {
    /// Where its bodies are among all.
    ends: [usize; 2],
    frames: Option<[Pose; 2]>,
    /// The centres of mass of its bodies.
    centres: [Vector; 2],
    impulse: Option<JointImpulse>,
}

impl View {
    pub(super) fn joint_at(&self, position: usize) -> JointView<'_> {
        let joint = &self.roster.joints[position];
        let JointMotion {
            ends,
            frames,
            centres,
            impulse,
        } = self.joints[position];
        let bodies = ends.map(|end| self.motions[end]);
        let state = frames.map_or_else(JointState::default, |frames| {
            let mut motion = FrameMotions {
                poses: frames,
                linvels: bodies.map(|body| body.linvel.into()),
                angvels: bodies.map(|body| body.angvel.into()),
            };
            for end in 0..2 {
                let pose =
                    Pose::from_parts(bodies[end].translation.into(), bodies[end].rotation.into());
                motion.poses[end] = pose * frames[end];
                let lever = motion.poses[end].translation - centres[end];
                motion.linvels[end] += motion.angvels[end].cross(lever);
            }
            motion.state(&joint.spec)
        });
        JointView {
            spec: &joint.spec,
            state: JointState {
                impulse: impulse
                    .map(|JointImpulse { linear, angular }| ImpulseView { linear, angular }),
                broken: joint.broken,
                ..state
            },
        }
    }
}

impl World {
    pub(super) fn add_joint(&mut self, spec: &JointSpec) -> JointId {
        let spec = spec.clone().normalized();
        let id = spec.id.clone();
        let [a, b] = [&spec.body_a, &spec.body_b].map(|id| self.roster.bodies[id].handle);
        let bodies = &self.engine.bodies;
        let mut joint = spec.generic_joint(bodies[a].position(), bodies[b].position());
        let is_whole = [a, b].iter().all(|&end| bodies[end].is_enabled());
        joint.set_enabled(spec.enabled && is_whole);
        // What is in quarantine hangs on nothing.
        let broken = spec.multibody && !is_whole;
        let handle = if spec.multibody {
            if !broken {
                self.hang(a, b, &joint, &spec);
            }
            None
        } else {
            Some(self.engine.insert_impulse_joint(a, b, joint))
        };
        if !spec.collide {
            self.forget_contacts(b);
        }
        let joint = Joint {
            spec,
            handle,
            broken,
        };
        self.roster_mut().joints.insert(id.clone(), joint);
        id
    }

    pub(super) fn patch_joint(&mut self, id: &JointId, patch: &JointPatch) {
        let joint = &mut Arc::make_mut(&mut self.roster).joints[id];
        joint.spec = joint.spec.patched(patch).normalized();
        let (handle, spec) = (joint.handle, joint.spec.clone());
        let [a, b] = [&spec.body_a, &spec.body_b].map(|id| self.roster.bodies[id].handle);
        if spec.multibody {
            self.retune(b, &spec);
        } else if let Some(handle) = handle {
            let engine_joint = self.engine.impulse_joints.get_mut(handle, true);
            let engine_joint = engine_joint.expect("joints of the roster are in the engine");
            spec.apply_settings(&mut engine_joint.data);
            self.engage(id);
        }
        // A static end wakes nobody.
        for body in [a, b] {
            self.engine.wake_up(body, true);
        }
        if !spec.collide {
            self.forget_contacts(b);
        }
    }

    /// Has the joints of a body hold as long as there is anything to hold.
    pub(super) fn engage_joints_of(&mut self, body: &BodyId) {
        let joints = self.roster.joints.iter();
        let held = joints.filter(|(_, joint)| joint.spec.holds(body));
        let held: Vec<_> = held.map(|(id, _)| id.clone()).collect();
        for id in held {
            self.engage(&id);
        }
    }

    /// Has a joint hold while it is to and both of its bodies are there: the engine itself looks
    /// only when one of them goes, not when the joint comes, and back for one of them alone.
    fn engage(&mut self, id: &JointId) {
        let joint = &self.roster.joints[id];
        let holds = joint.holds_in(&self.engine, &self.roster.bodies);
        let Some(handle) = joint.handle else {
            return;
        };
        let wanted = if holds {
            JointEnabled::Enabled
        } else {
            JointEnabled::Disabled
        };
        let joints = &mut self.engine.impulse_joints;
        if joints
            .get(handle)
            .is_some_and(|it| it.data.enabled != wanted)
            && let Some(joint) = joints.get_mut(handle, true)
        {
            joint.data.enabled = wanted;
        }
    }

    pub(super) fn remove_joint(&mut self, id: &JointId) {
        let removed = self.roster_mut().joints.shift_remove(id);
        let joint = removed.expect("the command was checked");
        if let Some(handle) = joint.handle {
            self.engine.remove_impulse_joint(handle);
        } else if joint.hangs() {
            let [a, b] = [&joint.spec.body_a, &joint.spec.body_b];
            self.unhang(self.roster.bodies[a].handle, self.roster.bodies[b].handle);
        }
    }

    /// Whether any joint could break in the steps to come.
    pub(super) fn has_breakable_joints(&self) -> bool {
        let mut joints = self.roster.joints.values();
        joints.any(|joint| joint.handle.is_some() && joint.spec.is_breakable())
    }

    /// Takes the joints out of the engine that had to hold more in the step of `dt` than they can,
    /// and answers which.
    pub(super) fn break_overloaded_joints(&mut self, dt: f32) -> Vec<JointId> {
        let substeps = Substeps::of(&self.engine);
        let is_overloaded = |joint: &Joint| {
            let impulse = self.impulse_of(joint, &substeps);
            let Some(JointImpulse { linear, angular }) = impulse else {
                return false;
            };
            let is_beyond =
                |limit: Option<f32>, impulse: f32| limit.is_some_and(|most| impulse > most * dt);
            is_beyond(joint.spec.break_force, linear) || is_beyond(joint.spec.break_torque, angular)
        };
        let joints = self.roster.joints.iter();
        let breakable = joints.filter(|(_, joint)| joint.spec.is_breakable());
        let broken: Vec<_> = breakable
            .filter(|(_, joint)| is_overloaded(joint))
            .map(|(id, _)| id.clone())
            .collect();
        for id in &broken {
            let joint = &mut Arc::make_mut(&mut self.roster).joints[id];
            joint.broken = true;
            if let Some(handle) = joint.handle.take() {
                self.engine.remove_impulse_joint(handle);
            }
        }
        // The engine keeps removals outside of what it serialises until the next step.
        self.settled &= broken.is_empty();
        broken
    }

    /// What a joint did in the last step, if the engine can tell.
    fn impulse_of(&self, joint: &Joint, substeps: &Substeps) -> Option<JointImpulse> {
        let engine_joint = self.engine.impulse_joints.get(joint.handle?)?;
        let ends = [engine_joint.body1(), engine_joint.body2()];
        // The engine keeps what it did in the last of a step's equal parts.
        #[expect(clippy::cast_precision_loss, reason = "these are a few")]
        let parts = substeps.between(ends) as f32;
        let bodies = ends.map(|end| &self.engine.bodies[end]);
        let [linear, angular] = reaction(engine_joint, bodies).map(|impulse| impulse * parts);
        Some(JointImpulse { linear, angular })
    }

    /// How all joints stand, in the order they were added.
    pub(super) fn joint_motions(&self) -> Vec<JointMotion> {
        if self.roster.joints.is_empty() {
            return Vec::new();
        }
        let substeps = Substeps::of(&self.engine);
        let joints = self.roster.joints.values();
        joints
            .map(|joint| self.joint_motion(joint, &substeps))
            .collect()
    }

    fn joint_motion(&self, joint: &Joint, substeps: &Substeps) -> JointMotion {
        let [a, b] =
            [&joint.spec.body_a, &joint.spec.body_b].map(|id| self.roster.bodies.get_index_of(id));
        let ends = [a, b].map(|position| position.expect("joints hold bodies of the roster"));
        let bodies = ends.map(|position| &self.engine.bodies[self.roster.bodies[position].handle]);
        JointMotion {
            ends,
            frames: self.frames_of(joint),
            centres: bodies.map(RigidBody::center_of_mass),
            impulse: self.impulse_of(joint, substeps),
        }
    }

    /// Where a joint is on each axis that it leaves free.
    pub(super) fn positions_of(&self, joint: &Joint) -> Vec<f32> {
        let Some(frames) = self.frames_of(joint) else {
            return Vec::new();
        };
        let ends = [&joint.spec.body_a, &joint.spec.body_b].map(|id| self.roster.bodies[id].handle);
        let [pose_a, pose_b] =
            [0, 1].map(|end| *self.engine.bodies[ends[end]].position() * frames[end]);
        let between = pose_a.inverse() * pose_b;
        let free = joint.spec.free_axes();
        free.map(|axis| position_on(axis, &between)).collect()
    }

    /// The frames of a joint in its bodies; a broken one has none any more.
    fn frames_of(&self, joint: &Joint) -> Option<[Pose; 2]> {
        let data = if let Some(handle) = joint.handle {
            &self.engine.impulse_joints.get(handle)?.data
        } else if joint.hangs() {
            let b = self.roster.bodies[&joint.spec.body_b].handle;
            let (multibody, link) = self.engine.multibody_joints.get(joint_above(b))?;
            &multibody.link(link)?.joint.data
        } else {
            return None;
        };
        Some([data.local_frame1, data.local_frame2])
    }

    /// Has the engine look anew at what a body touches: while a pair hardly moves it recycles
    /// their contacts, and would not notice that a joint now forbids them.
    pub(super) fn forget_contacts(&mut self, body: RigidBodyHandle) {
        for &collider in self.engine.bodies[body].colliders() {
            let collider = &mut self.engine.colliders[collider];
            let shape = collider.shared_shape().clone();
            collider.set_shape(shape);
        }
    }
}
