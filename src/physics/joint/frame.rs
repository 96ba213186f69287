//! Where a joint sits in a body.

use rapier3d::math::Pose;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::physics::{
    fault::Faults,
    vector::{Quat, Vec3},
};

/// The farthest an anchor may be from its body's origin, m.
pub(super) const MAX_ANCHOR: f64 = 1e5;

/// A joint's frame in a body's frame; its x axis is the joint's axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JointFrame {
    /// m.
    #[serde(rename = "position", alias = "translation", default)]
    pub translation: Vec3,
    /// Unit quaternion.
    #[serde(rename = "orientation", alias = "rotation", default)]
    pub rotation: Quat,
}

impl JointFrame {
    pub(super) fn check(&self, faults: &mut Faults) {
        faults.check_vector("position", self.translation, MAX_ANCHOR);
        faults.check_rotation("orientation", self.rotation);
    }

    pub(super) fn normalized(self) -> Self {
        Self {
            rotation: self.rotation.normalized(),
            ..self
        }
    }

    pub(super) fn pose(self) -> Pose {
        Pose::from_parts(self.translation.into(), self.rotation.into())
    }
}
