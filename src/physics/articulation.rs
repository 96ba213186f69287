//! Multibodies: bodies that hang on each other by joints the engine cannot violate, because it
//! computes in the coordinates that they leave free.
//!
//! The engine drives the bodies by these coordinates and forgets what else was done to them. What
//! commands do to a body is therefore brought into the coordinates here.

use rapier3d::{
    dynamics::{Multibody, RigidBodySet},
    math::{Pose, Rotation, Vector},
    na::{DVector, Vector6},
    prelude::{GenericJoint, JointAxesMask, MultibodyJointHandle, RigidBodyHandle},
};

use super::{
    fault::MAX_SPEED,
    joint::{AxisName, JointSpec, position_on},
    world::World,
};
use crate::id::BodyId;

impl World {
    /// Hangs a body on another one by a joint of a multibody. Its position and motion are kept as
    /// far as the joint lets them.
    pub(super) fn hang(
        &mut self,
        a: RigidBodyHandle,
        b: RigidBodyHandle,
        joint: &GenericJoint,
        spec: &JointSpec,
    ) {
        let bodies = &self.engine.bodies;
        let displacement = displacement(joint, bodies[a].position(), bodies[b].position());
        let inserted = self.engine.insert_multibody_joint(a, b, *joint);
        let handle = inserted.expect("the command was checked");
        if let Some((multibody, link)) = self.engine.multibody_joints.get_mut(handle)
            && let Some(link) = multibody.link_mut(link)
        {
            link.joint.apply_displacement(&displacement);
        }
        // Only then are the coordinates of a base that cannot move taken out.
        self.align(b);
        self.retune(b, spec);
        self.align(b);
    }

    /// Cuts the joint of a multibody by which `b` hangs on `a`. Both go on as they move.
    pub(super) fn unhang(&mut self, a: RigidBodyHandle, b: RigidBodyHandle) {
        self.engine.remove_multibody_joint(joint_above(b));
        self.align(a);
        self.rehang(b);
    }

    /// Puts the multibody of a base together anew, which hung on another body before: the engine
    /// leaves in what becomes a base where its centre was from the joint it hung by.
    pub(super) fn rehang(&mut self, base: RigidBodyHandle) {
        let mut links = Vec::new();
        self.with_multibody(base, |multibody, _, _| {
            links = multibody.links().copied().collect();
        });
        let joints = &mut self.engine.multibody_joints;
        joints.remove_multibody_articulations(base, true);
        for link in links.iter().skip(1) {
            let Some(parent) = link.parent_id().map(|parent| &links[parent]) else {
                continue;
            };
            let (a, b) = (parent.rigid_body_handle(), link.rigid_body_handle());
            let joints = self.roster.joints.values().filter(|joint| joint.hangs());
            let hung_by = joints
                .map(|joint| &joint.spec)
                .find(|spec| self.roster.bodies[&spec.body_b].handle == b);
            if let Some(spec) = hung_by.cloned() {
                self.hang(a, b, &link.joint.data, &spec);
            }
        }
    }

    /// Brings the settings of a joint of a multibody to the link that hangs by it.
    pub(super) fn retune(&mut self, b: RigidBodyHandle, spec: &JointSpec) {
        let joints = &mut self.engine.multibody_joints;
        let Some((multibody, link)) = joints.get_mut(joint_above(b)) else {
            return;
        };
        let Some(link) = multibody.link_mut(link) else {
            return;
        };
        spec.apply_settings(&mut link.joint.data);
        let (first, count) = (link.assembly_id(), link.joint.ndofs());
        let set = |values: &mut DVector<f32>, value: Option<f32>| {
            let value = value.unwrap_or_default();
            values.rows_mut(first, count).fill(value);
        };
        set(multibody.damping_mut(), spec.damping);
        set(multibody.armature_mut(), spec.armature);
        set(multibody.frictions_mut(), spec.friction);
    }

    /// Brings the pose of the base, and the motion of all bodies as far as the joints let them,
    /// into the coordinates of the multibody that a body is in, and has its bodies follow.
    pub(super) fn align(&mut self, body: RigidBodyHandle) {
        self.with_multibody(body, |multibody, _, bodies| {
            multibody.forward_kinematics(bodies, true);
            if multibody.root().joint.ndofs() > 0 {
                // The engine brakes free bases unless told otherwise.
                multibody.damping_mut().rows_mut(0, 6).fill(0.0);
            }
            adopt_motion(multibody, bodies);
            show_poses(multibody, bodies);
            show_motion(multibody, bodies);
        });
    }

    /// Strikes a body in a multibody at its centre of mass, which moves all of them. Answers
    /// whether it is in one.
    pub(super) fn strike(
        &mut self,
        body: RigidBodyHandle,
        impulse: Vector,
        torque: Vector,
    ) -> bool {
        self.with_multibody(body, |multibody, link, bodies| {
            if multibody.ndofs() == 0 {
                return;
            }
            // This is how the engine can be asked for its matrices as of now.
            multibody.dof_inverse_inertia(bodies);
            let wrench = Vector6::new(
                impulse.x, impulse.y, impulse.z, torque.x, torque.y, torque.z,
            );
            let mut change = multibody.body_jacobian(link).tr_mul(&wrench);
            let solved = multibody.inv_augmented_mass().solve_mut(&mut change);
            if solved && change.iter().all(|value| value.is_finite()) {
                let mut motion = multibody.generalized_velocity_mut();
                motion += &change * within_speed(change.amax());
                let share = within_speed(motion.amax());
                motion *= share;
            }
            show_motion(multibody, bodies);
        })
    }

    /// The bodies to which a body is tied by joints of a multibody, and whether they hang on it.
    pub(super) fn partners_of(&self, id: &BodyId) -> Vec<(RigidBodyHandle, bool)> {
        let joints = self.roster.joints.values().filter(|joint| joint.hangs());
        let tied = joints
            .map(|joint| &joint.spec)
            .filter(|spec| spec.holds(id));
        let partners = tied.map(|spec| {
            let hangs = spec.body_a == *id;
            let partner = if hangs { &spec.body_b } else { &spec.body_a };
            (self.roster.bodies[partner].handle, hangs)
        });
        partners.collect()
    }

    /// Does something to the multibody that a body is in and to the link that it is there; answers
    /// whether it is in one.
    pub(super) fn with_multibody(
        &mut self,
        body: RigidBodyHandle,
        act: impl FnOnce(&mut Multibody, usize, &mut RigidBodySet),
    ) -> bool {
        let joints = &mut self.engine.multibody_joints;
        let Some(&link) = joints.rigid_body_link(body) else {
            return false;
        };
        let Some(multibody) = joints.get_multibody_mut(link.multibody) else {
            return false;
        };
        act(multibody, link.id, &mut self.engine.bodies);
        self.engine.wake_up(body, true);
        true
    }
}

/// The joint of a multibody by which a body hangs; the engine names it after the body.
pub(super) fn joint_above(body: RigidBodyHandle) -> MultibodyJointHandle {
    let (index, generation) = body.into_raw_parts();
    MultibodyJointHandle::from_raw_parts(index, generation)
}

/// Has the bodies stand where the coordinates of their multibody say.
pub(super) fn show_poses(multibody: &Multibody, bodies: &mut RigidBodySet) {
    for link in multibody.links().skip(1) {
        let body = &mut bodies[link.rigid_body_handle()];
        if body.position() != link.local_to_world() {
            body.set_position(*link.local_to_world(), true);
        }
    }
}

/// Has the bodies move as the coordinates of their multibody do.
pub(super) fn show_motion(multibody: &Multibody, bodies: &mut RigidBodySet) {
    let motion: DVector<f32> = multibody.generalized_velocity().into_owned();
    for (index, link) in multibody.links().enumerate() {
        let body = &mut bodies[link.rigid_body_handle()];
        if !body.is_dynamic() {
            continue;
        }
        let moved = multibody.body_jacobian(index) * &motion;
        body.set_linvel(Vector::new(moved[0], moved[1], moved[2]), false);
        body.set_angvel(Vector::new(moved[3], moved[4], moved[5]), false);
    }
}

/// Takes the motion of its bodies, as far as the joints let them, into a multibody's coordinates.
fn adopt_motion(multibody: &mut Multibody, bodies: &RigidBodySet) {
    let links: Vec<_> = multibody.links().copied().collect();
    for link in &links {
        let body = &bodies[link.rigid_body_handle()];
        let joint = &link.joint.data;
        let anchor = link
            .local_to_world()
            .transform_point(joint.local_frame2.translation);
        let (mut linear, mut angular) = (body.velocity_at_point(anchor), body.angvel());
        let mut axes = joint.local_frame1.rotation;
        if let Some(parent) = link.parent_id() {
            let parent = &links[parent];
            let holder = &bodies[parent.rigid_body_handle()];
            linear -= holder.velocity_at_point(anchor);
            angular -= holder.angvel();
            axes = parent.local_to_world().rotation * axes;
        }
        let local = axes.inverse();
        let (linear, angular) = ((local * linear).to_array(), (local * angular).to_array());
        let mut motion = multibody.generalized_velocity_mut();
        let free = AxisName::ALL
            .into_iter()
            .filter(|axis| is_free(joint, *axis));
        for (axis, row) in free.zip(link.assembly_id()..) {
            let index = axis.index();
            motion[row] = if axis.is_angular() {
                angular[index - 3]
            } else {
                linear[index]
            };
        }
    }
}

/// The share of a motion that is as fast as this which is no faster than anybody may ask for.
fn within_speed(fastest: f32) -> f32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the engine computes in f32"
    )]
    let most = MAX_SPEED as f32;
    if fastest > most { most / fastest } else { 1.0 }
}

fn is_free(joint: &GenericJoint, axis: AxisName) -> bool {
    !joint.locked_axes.contains(axis.mask())
}

/// How far from its zero a joint is between bodies that stand like this, in its coordinates.
fn displacement(joint: &GenericJoint, pose_a: &Pose, pose_b: &Pose) -> Vec<f32> {
    let between = (*pose_a * joint.local_frame1).inverse() * (*pose_b * joint.local_frame2);
    let angular = JointAxesMask::ANG_AXES.difference(joint.locked_axes);
    let turn: Rotation = between.rotation;
    let about_all = turn.to_scaled_axis().to_array();
    let free = AxisName::ALL
        .into_iter()
        .filter(|axis| is_free(joint, *axis));
    free.map(|axis| {
        if angular == JointAxesMask::ANG_AXES && axis.is_angular() {
            about_all[axis.index() - 3]
        } else {
            position_on(axis, &between)
        }
    })
    .collect()
}
