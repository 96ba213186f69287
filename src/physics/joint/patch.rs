//! What may be changed of a joint during its life.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::{
    axes::{AngularMotors, JointAxes},
    motor::Motor,
    spec::{JointSpec, Limits, Softness},
};
use crate::physics::{
    object::{Object, present_object},
    vector::{present, present_number, present_numbers},
};

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
    /// Of a spherical joint, rad.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 1e-3, maximum = 3.1425)]
    pub cone_limit: Option<f32>,
    /// `[min, max]` of a spherical joint, rad.
    #[serde(
        default,
        deserialize_with = "present_numbers",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, value_type = Option<[f32]>, min_items = 2, max_items = 2)]
    pub twist_limits: Option<Limits>,
    /// Of a rope, m.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 1e-4, maximum = 1e5)]
    pub length: Option<f32>,
    /// Of a spring, m.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 0.0, maximum = 1e5)]
    pub rest_length: Option<f32>,
    /// Of a spring, N/m.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 1e-6, maximum = 1e12)]
    pub stiffness: Option<f32>,
    /// Of a spring or a joint of a multibody.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 0.0, maximum = 1e12)]
    pub damping: Option<f32>,
    /// Another motor; null for none.
    #[serde(
        default,
        deserialize_with = "removable",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<Motor>)]
    pub motor: Option<Option<Motor>>,
    /// Other motors, all of them; null for none.
    #[serde(
        default,
        deserialize_with = "removable",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<AngularMotors>)]
    pub motors: Option<Option<AngularMotors>>,
    /// Of a generic joint: the axes to change. What is locked stays locked, what is free free.
    #[serde(
        default,
        deserialize_with = "present_object",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub axes: Option<JointAxes>,
    /// Of a joint of a multibody, kg·m² or kg.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 0.0, maximum = 1e9)]
    pub armature: Option<f32>,
    /// Of a joint of a multibody, N·m or N.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 0.0, maximum = 1e12)]
    pub friction: Option<f32>,
    /// N.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 1e-6, maximum = 1e15)]
    pub break_force: Option<f32>,
    /// N·m.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 1e-6, maximum = 1e15)]
    pub break_torque: Option<f32>,
    /// How hard it is.
    #[serde(
        default,
        deserialize_with = "present_object",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub softness: Option<Softness>,
    /// Whether it holds anything. What is broken stays broken.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub enabled: Option<bool>,
    /// Whether the two bodies may collide with each other.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub collide: Option<bool>,
}

impl JointPatch {
    /// The specification after it.
    pub(super) fn applied_to(&self, spec: &JointSpec) -> JointSpec {
        let axes = match (&spec.axes, &self.axes) {
            (Some(old), Some(new)) => Some(old.patched(new)),
            (old, new) => new.as_ref().or(old.as_ref()).cloned(),
        };
        JointSpec {
            limits: self.limits.clone().or_else(|| spec.limits.clone()),
            cone_limit: self.cone_limit.or(spec.cone_limit),
            twist_limits: self
                .twist_limits
                .clone()
                .or_else(|| spec.twist_limits.clone()),
            length: self.length.or(spec.length),
            rest_length: self.rest_length.or(spec.rest_length),
            stiffness: self.stiffness.or(spec.stiffness),
            damping: self.damping.or(spec.damping),
            motor: self.motor.unwrap_or(spec.motor),
            motors: self.motors.unwrap_or(spec.motors),
            axes,
            armature: self.armature.or(spec.armature),
            friction: self.friction.or(spec.friction),
            break_force: self.break_force.or(spec.break_force),
            break_torque: self.break_torque.or(spec.break_torque),
            softness: self.softness.or(spec.softness),
            enabled: self.enabled.unwrap_or(spec.enabled),
            collide: self.collide.unwrap_or(spec.collide),
            ..spec.clone()
        }
    }
}

/// Deserialises the object in an optional field that is present; `null` removes what there was.
#[expect(clippy::option_option, reason = "to remove is not to leave alone")]
fn removable<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let object = Option::<Object<T>>::deserialize(deserializer)?;
    Ok(Some(object.map(|Object(object)| object)))
}
