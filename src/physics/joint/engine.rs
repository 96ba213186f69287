//! How Rapier's joints are made of specifications.

use std::f32::consts::PI;

use rapier3d::{
    dynamics::SpringCoefficients,
    math::{Pose, Rotation},
    prelude::{GenericJoint, JointAxesMask, JointMotor, MotorModel},
};

use super::{
    axes::{AxisFreedom, AxisName},
    frame::JointFrame,
    spec::{JointKind, JointSpec},
};

impl JointSpec {
    /// Rapier's joint of a checked and normalised specification between bodies that stand as
    /// `pose_a` and `pose_b` do: unless it has frames of its own, their present relative
    /// orientation becomes its angle 0, so that nothing snaps.
    pub(in crate::physics) fn generic_joint(&self, pose_a: &Pose, pose_b: &Pose) -> GenericJoint {
        let mut joint = GenericJoint::new(self.locked_axes());
        let [frame_a, frame_b] = match (self.frame_a, self.frame_b) {
            (None, None) => {
                let frame_a = GenericJoint::complete_ang_frame(self.axis.into());
                let a_in_b: Rotation = pose_b.rotation.inverse() * pose_a.rotation;
                [
                    Pose::from_parts(self.anchor_a.into(), frame_a),
                    Pose::from_parts(self.anchor_b.into(), a_in_b * frame_a),
                ]
            }
            frames => {
                let (frame_a, frame_b) = frames;
                [frame_a, frame_b].map(|frame| JointFrame::pose(frame.unwrap_or_default()))
            }
        };
        joint.set_local_frame1(frame_a).set_local_frame2(frame_b);
        self.apply_settings(&mut joint);
        joint
    }

    /// Brings the settings that may change during a joint's life into Rapier's joint.
    pub(in crate::physics) fn apply_settings(&self, joint: &mut GenericJoint) {
        joint.set_contacts_enabled(self.collide);
        joint.set_enabled(self.enabled);
        joint.softness = match self.softness {
            Some(softness) => SpringCoefficients {
                natural_frequency: softness.natural_frequency,
                damping_ratio: softness.damping_ratio,
            },
            None => SpringCoefficients::joint_defaults(),
        };
        joint.limit_axes = JointAxesMask::empty();
        joint.motor_axes = JointAxesMask::empty();
        joint.coupled_axes = JointAxesMask::empty();
        for axis in AxisName::ALL {
            if let AxisFreedom::Settings(settings) = self.freedom(axis) {
                if let Some(&[least, most]) = settings.limits.as_deref() {
                    set_limits(joint, axis, least, most);
                }
                if let Some(motor) = settings.motor {
                    set_motor(joint, axis, motor.joint_motor());
                }
            }
        }
        self.apply_coupling(joint);
    }

    fn apply_coupling(&self, joint: &mut GenericJoint) {
        match self.joint_type {
            JointKind::Rope => {
                joint.coupled_axes = JointAxesMask::LIN_AXES;
                set_limits(joint, AxisName::X, 0.0, self.length.unwrap_or_default());
            }
            JointKind::Spring => {
                joint.coupled_axes = JointAxesMask::LIN_AXES;
                let motor = JointMotor {
                    target_pos: self.rest_length.unwrap_or_default(),
                    stiffness: self.stiffness.unwrap_or_default(),
                    damping: self.damping.unwrap_or_default(),
                    model: MotorModel::ForceBased,
                    ..JointMotor::default()
                };
                set_motor(joint, AxisName::X, motor);
            }
            JointKind::Spherical => {
                if let Some(angle) = self.cone_limit {
                    joint.coupled_axes = JointAxesMask::ANG_Y | JointAxesMask::ANG_Z;
                    set_limits(joint, AxisName::Ry, BELOW_ANY_ANGLE, angle);
                }
            }
            JointKind::Generic => {
                let coupled = self.coupled_axes.iter();
                joint.coupled_axes =
                    coupled.fold(JointAxesMask::empty(), |all, axis| all | axis.mask());
                for axis in [AxisName::Rx, AxisName::Ry] {
                    if self.coupled_axes.contains(&axis) {
                        joint.limits[axis.index()].min = BELOW_ANY_ANGLE;
                    }
                }
            }
            JointKind::Fixed | JointKind::Revolute | JointKind::Prismatic => {}
        }
    }
}

/// The angle between two axes is never negative. With a lower limit of 0 the engine would hold two
/// that coincide.
const BELOW_ANY_ANGLE: f32 = -1.0;

fn set_limits(joint: &mut GenericJoint, axis: AxisName, least: f32, most: f32) {
    let [least, most] = if axis.is_angular() {
        [least.max(-PI), most.min(PI)]
    } else {
        [least, most]
    };
    joint.set_limits(axis.axis(), [least, most]);
}

fn set_motor(joint: &mut GenericJoint, axis: AxisName, motor: JointMotor) {
    let impulse = joint.motors[axis.index()].impulse;
    joint.motor_axes |= axis.mask();
    joint.motors[axis.index()] = JointMotor { impulse, ..motor };
}
