//! What drives a joint along one of its axes.

use rapier3d::prelude::{JointMotor, MotorModel};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::axes::AxisName;
use crate::physics::{
    fault::{Faults, MAX_IMPULSE, MAX_SPEED},
    vector::{number, present_number, word},
};

/// The stiffest or most damped a motor or a spring may be.
pub(super) const MAX_COEFFICIENT: f32 = 1e12;
/// Whatever is softer than this, without being 0, is noise to the engine.
pub(super) const MIN_COEFFICIENT: f32 = 1e-6;
/// How stiff a motor holds its target position unless told, 1/s².
const DEFAULT_STIFFNESS: f32 = 100.0;
/// How firmly a motor holds its target velocity unless told, 1/s.
const DEFAULT_DAMPING: f32 = 1.0;

/// What a motor's stiffness and damping are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MotorForce {
    /// Accelerations, whatever the masses: 1/s² and 1/s.
    #[default]
    #[serde(alias = "acceleration_based")]
    Acceleration,
    /// Forces: N/m and N·s/m, or N·m/rad and N·m·s/rad.
    #[serde(alias = "force_based")]
    Force,
}

/// A motor: it pulls with `stiffness` × (`target_position` − position) + `damping` ×
/// (`target_velocity` − velocity).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Motor {
    /// Where to, rad (within ±π) or m.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub target_position: Option<f32>,
    /// How fast, rad/s or m/s.
    #[serde(default, deserialize_with = "number")]
    #[schema(minimum = -1e5, maximum = 1e5, default = 0.0)]
    pub target_velocity: f32,
    /// How firmly it holds the position; 100 where there is a target position, otherwise 0.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 0.0, maximum = 1e12)]
    pub stiffness: Option<f32>,
    /// How firmly it holds the velocity; critical (2√stiffness) where there is a stiffness,
    /// otherwise 1.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 0.0, maximum = 1e12)]
    pub damping: Option<f32>,
    /// The most it can do, N or N·m; no limit unless given.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 0.0, maximum = 1e15)]
    pub max_force: Option<f32>,
    /// What stiffness and damping are about.
    #[serde(default, deserialize_with = "word")]
    pub model: MotorForce,
}

impl Motor {
    /// Notes everything that is wrong with a motor that drives this axis.
    pub(super) fn check(&self, axis: AxisName, faults: &mut Faults) {
        let farthest = axis.farthest();
        if let Some(position) = self.target_position {
            faults.check_range("target_position", position, -farthest..=farthest);
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the engine computes in f32"
        )]
        let (fastest, strongest) = (MAX_SPEED as f32, MAX_IMPULSE as f32);
        faults.check_range("target_velocity", self.target_velocity, -fastest..=fastest);
        if let Some(force) = self.max_force {
            faults.check_range("max_force", force, 0.0..=strongest);
        }
        let filled = self.normalized();
        let coefficients = [("stiffness", filled.stiffness), ("damping", filled.damping)];
        for (field, value) in coefficients {
            let value = value.unwrap_or_default();
            if value != 0.0 {
                faults.check_range(field, value, MIN_COEFFICIENT..=MAX_COEFFICIENT);
            }
        }
        // To the engine a motor of neither is one of infinite strength.
        if filled.stiffness == Some(0.0) && filled.damping == Some(0.0) {
            faults.add("damping", "must not be 0 where the stiffness is");
        }
    }

    /// The same motor with everything said.
    #[must_use]
    pub(super) fn normalized(self) -> Self {
        let stiffness = self.stiffness.unwrap_or(match self.target_position {
            Some(_) => DEFAULT_STIFFNESS,
            None => 0.0,
        });
        let critical = 2.0 * stiffness.sqrt();
        let damping = self.damping.unwrap_or(if critical > 0.0 {
            critical
        } else {
            DEFAULT_DAMPING
        });
        Self {
            stiffness: Some(stiffness),
            damping: Some(damping),
            ..self
        }
    }

    /// All that can be told of it.
    pub(super) fn numbers(self) -> [f32; 6] {
        let motor = self.joint_motor();
        [
            motor.target_pos,
            motor.target_vel,
            motor.stiffness,
            motor.damping,
            motor.max_force,
            f32::from(u8::from(self.model == MotorForce::Force)),
        ]
    }

    /// Rapier's motor of a checked one.
    pub(super) fn joint_motor(self) -> JointMotor {
        let filled = self.normalized();
        JointMotor {
            target_vel: self.target_velocity,
            target_pos: self.target_position.unwrap_or_default(),
            stiffness: filled.stiffness.unwrap_or_default(),
            damping: filled.damping.unwrap_or_default(),
            max_force: self.max_force.unwrap_or(f32::MAX),
            impulse: 0.0,
            model: match self.model {
                MotorForce::Acceleration => MotorModel::AccelerationBased,
                MotorForce::Force => MotorModel::ForceBased,
            },
        }
    }
}
