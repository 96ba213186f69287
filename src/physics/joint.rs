//! Joints: what clients ask for, and how Rapier's joints are made of it.

use std::f32::consts::PI;

use rapier3d::{
    math::{Pose, Rotation},
    prelude::{GenericJoint, JointAxesMask, JointAxis},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    body::BodyKind,
    fault::Faults,
    vector::{Vec3, present, present_numbers, word},
};
use crate::id::{BodyId, JointId};

/// The farthest an anchor may be from its body's origin, m.
const MAX_ANCHOR: f64 = 1e5;
/// How far beyond a half turn a limit may be written, for the sake of rounded values of π.
const HALF_TURN_SLACK: f32 = 1e-3;

/// What a joint leaves free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JointKind {
    /// Nothing: the two bodies keep the relative orientation they have when it is made.
    Fixed,
    /// Rotation about `axis`.
    Revolute,
    /// All rotation.
    Spherical,
    /// Translation along `axis`.
    Prismatic,
}

/// A joint to add.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JointSpec {
    /// Its name, unique in the simulation.
    pub id: JointId,
    /// What it leaves free.
    #[serde(deserialize_with = "word")]
    pub joint_type: JointKind,
    /// The first body.
    pub body_a: BodyId,
    /// The second body; another than the first, and not static if the first is.
    pub body_b: BodyId,
    /// Where it holds the first body, in that body's frame, m.
    #[serde(default)]
    pub anchor_a: Vec3,
    /// Where it holds the second body, in that body's frame, m.
    #[serde(default)]
    pub anchor_b: Vec3,
    /// The free axis of a revolute or prismatic joint in the first body's frame, of any length
    /// but 0.
    #[serde(default = "up")]
    pub axis: Vec3,
    /// `[min, max]` of a revolute (rad, within ±π of how the bodies stand when it is made) or
    /// prismatic joint (m).
    #[serde(
        default,
        deserialize_with = "present_numbers",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, value_type = Option<[f32]>, min_items = 2, max_items = 2)]
    pub limits: Option<Limits>,
    /// Whether the two bodies may collide with each other.
    #[serde(default)]
    pub collide: bool,
}

/// What to change of a joint. What is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JointPatch {
    /// `[min, max]`, rad or m.
    #[serde(
        default,
        deserialize_with = "present_numbers",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, value_type = Option<[f32]>, min_items = 2, max_items = 2)]
    pub limits: Option<Limits>,
    /// Whether the two bodies may collide with each other.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub collide: Option<bool>,
}

/// `[min, max]`. A list, because a surplus in serde's arrays looks like a fault of syntax.
pub type Limits = Vec<f32>;

impl JointSpec {
    /// Notes everything that is wrong with it, where `kind_of` knows the bodies of its world.
    pub fn check(&self, kind_of: impl Fn(&BodyId) -> Option<BodyKind>, faults: &mut Faults) {
        faults.check_id("id", self.id.is_well_formed());
        let kinds = [("body_a", &self.body_a), ("body_b", &self.body_b)].map(|(field, id)| {
            let kind = kind_of(id);
            if kind.is_none() {
                faults.add(field, "no such body");
            }
            kind
        });
        if self.body_a == self.body_b {
            faults.add("body_b", "must be another body than body_a");
        } else if kinds == [Some(BodyKind::Fixed); 2] {
            faults.add("body_b", "must not be static, as body_a is");
        }
        faults.check_vector("anchor_a", self.anchor_a, MAX_ANCHOR);
        faults.check_vector("anchor_b", self.anchor_b, MAX_ANCHOR);
        faults.check_direction("axis", self.axis);
        self.check_limits(faults);
    }

    /// Notes everything that is wrong with its limits.
    pub(super) fn check_limits(&self, faults: &mut Faults) {
        let Some(limits) = &self.limits else {
            return;
        };
        let farthest = match self.joint_type {
            JointKind::Revolute => PI + HALF_TURN_SLACK,
            JointKind::Prismatic => 1e5,
            JointKind::Fixed | JointKind::Spherical => {
                faults.add("limits", "do not belong to a joint of this type");
                return;
            }
        };
        let &[least, most] = limits.as_slice() else {
            faults.add("limits", "must be [min, max]");
            return;
        };
        for (index, limit) in [least, most].into_iter().enumerate() {
            faults.check_range(&format!("limits/{index}"), limit, -farthest..=farthest);
        }
        if least > most {
            faults.add("limits", "must not be reversed");
        }
    }

    /// The same joint with every value in its one canonical form. It must have been checked.
    #[must_use]
    pub fn normalized(mut self) -> Self {
        self.axis = self.axis.normalized();
        self
    }

    /// This specification after `patch`.
    #[must_use]
    pub fn patched(&self, patch: &JointPatch) -> Self {
        Self {
            limits: patch.limits.clone().or_else(|| self.limits.clone()),
            collide: patch.collide.unwrap_or(self.collide),
            ..self.clone()
        }
    }

    /// Rapier's joint of a checked and normalised specification between bodies that stand as
    /// `pose_a` and `pose_b` do: their present relative orientation becomes its angle 0, so that
    /// nothing snaps.
    pub(super) fn generic_joint(&self, pose_a: &Pose, pose_b: &Pose) -> GenericJoint {
        let frame_a = GenericJoint::complete_ang_frame(self.axis.into());
        let a_in_b: Rotation = pose_b.rotation.inverse() * pose_a.rotation;
        let locked_axes = match self.joint_type {
            JointKind::Fixed => JointAxesMask::LOCKED_FIXED_AXES,
            JointKind::Revolute => JointAxesMask::LOCKED_REVOLUTE_AXES,
            JointKind::Spherical => JointAxesMask::LOCKED_SPHERICAL_AXES,
            JointKind::Prismatic => JointAxesMask::LOCKED_PRISMATIC_AXES,
        };
        let mut joint = GenericJoint::new(locked_axes);
        joint
            .set_local_frame1(Pose::from_parts(self.anchor_a.into(), frame_a))
            .set_local_frame2(Pose::from_parts(self.anchor_b.into(), a_in_b * frame_a));
        self.apply_settings(&mut joint);
        joint
    }

    /// Brings the settings that may change during a joint's life into Rapier's joint.
    pub(super) fn apply_settings(&self, joint: &mut GenericJoint) {
        joint.set_contacts_enabled(self.collide);
        if let Some(&[least, most]) = self.limits.as_deref() {
            match self.joint_type {
                JointKind::Revolute => {
                    joint.set_limits(JointAxis::AngX, [least.max(-PI), most.min(PI)]);
                }
                JointKind::Prismatic => {
                    joint.set_limits(JointAxis::LinX, [least, most]);
                }
                JointKind::Fixed | JointKind::Spherical => {}
            }
        }
    }
}

fn up() -> Vec3 {
    Vec3([0.0, 1.0, 0.0])
}
