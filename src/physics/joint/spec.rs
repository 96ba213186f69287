//! A joint as it is asked for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    axes::{AngularMotors, AxisFreedom, AxisName, AxisSettings, JointAxes, axis_names},
    frame::JointFrame,
    motor::Motor,
    patch::JointPatch,
};
use crate::{
    id::{BodyId, JointId},
    physics::{
        object::present_object,
        vector::{Vec3, number, present_number, present_numbers, word},
    },
};

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
    /// Everything, but the anchors never get farther apart than `length`.
    Rope,
    /// Everything, but the anchors are pulled to `rest_length` from each other.
    Spring,
    /// What `axes` says.
    Generic,
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
    /// The axis of the joint in the first body's frame, of any length but 0: the free one of a
    /// revolute or prismatic joint, the one that `twist_limits` are about and `cone_limit` is
    /// around, and x in `axes` and `motors`.
    #[serde(default = "up")]
    pub axis: Vec3,
    /// Its whole frame in the first body's frame, in place of `anchor_a` and `axis`, which is its
    /// x axis. With it or `frame_b`, angles and distances are 0 where the two frames coincide.
    #[serde(
        default,
        deserialize_with = "present_object",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub frame_a: Option<JointFrame>,
    /// Its whole frame in the second body's frame, in place of `anchor_b`; that of the body itself
    /// where only `frame_a` is given.
    #[serde(
        default,
        deserialize_with = "present_object",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub frame_b: Option<JointFrame>,
    /// `[min, max]` of a revolute (rad, within ±π of how the bodies stand when it is made) or
    /// prismatic joint (m).
    #[serde(
        default,
        deserialize_with = "present_numbers",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, value_type = Option<[f32]>, min_items = 2, max_items = 2)]
    pub limits: Option<Limits>,
    /// The farthest the axis of a spherical joint may lean in body b from where it points in body
    /// a, rad.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 1e-3, maximum = 3.1425)]
    pub cone_limit: Option<f32>,
    /// `[min, max]` of the rotation of a spherical joint about its axis, rad, within ±π.
    #[serde(
        default,
        deserialize_with = "present_numbers",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, value_type = Option<[f32]>, min_items = 2, max_items = 2)]
    pub twist_limits: Option<Limits>,
    /// The length of a rope, m.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 1e-4, maximum = 1e5)]
    pub length: Option<f32>,
    /// The length of a spring at which it does not pull, m.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 0.0, maximum = 1e5)]
    pub rest_length: Option<f32>,
    /// How hard a spring pulls, N/m.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 1e-6, maximum = 1e12)]
    pub stiffness: Option<f32>,
    /// How much a spring (N·s/m) or a joint of a multibody (N·m·s/rad or N·s/m) resists motion; 0
    /// unless given.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 0.0, maximum = 1e12)]
    pub damping: Option<f32>,
    /// What drives a revolute or prismatic joint.
    #[serde(
        default,
        deserialize_with = "present_object",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub motor: Option<Motor>,
    /// What drives a spherical joint.
    #[serde(
        default,
        deserialize_with = "present_object",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub motors: Option<AngularMotors>,
    /// What a generic joint makes of each axis of its frame.
    #[serde(
        default,
        deserialize_with = "present_object",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub axes: Option<JointAxes>,
    /// Axes of a generic joint whose limits and motors are about all of them together: two or three
    /// linear ones, for the distance, or two angular ones, for the angle to the third. What holds
    /// for all is said of the first of them.
    #[serde(
        default,
        deserialize_with = "axis_names",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schema(max_items = 5)]
    pub coupled_axes: Vec<AxisName>,
    /// Whether it is part of a multibody: its bodies are then exactly where its coordinates say,
    /// and cannot drift apart. Such joints must form trees, body b hanging on body a.
    #[serde(default)]
    pub multibody: bool,
    /// Inertia that the drive of a joint of a multibody adds to each free axis, kg·m² or kg.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 0.0, maximum = 1e9)]
    pub armature: Option<f32>,
    /// Dry friction on each free axis of a joint of a multibody, N·m or N.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 0.0, maximum = 1e12)]
    pub friction: Option<f32>,
    /// The force at which it breaks, N.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 1e-6, maximum = 1e15)]
    pub break_force: Option<f32>,
    /// The torque at which it breaks, N·m.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 1e-6, maximum = 1e15)]
    pub break_torque: Option<f32>,
    /// How hard it is; rigid unless given.
    #[serde(
        default,
        deserialize_with = "present_object",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub softness: Option<Softness>,
    /// Whether it holds anything at present.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    #[schema(default = true)]
    pub enabled: bool,
    /// Whether the two bodies may collide with each other.
    #[serde(default)]
    pub collide: bool,
}

/// How a joint gives way where it locks or limits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Softness {
    /// Hz.
    #[serde(deserialize_with = "number")]
    #[schema(minimum = 1e-2, maximum = 1e6)]
    pub natural_frequency: f32,
    /// 1 is critical.
    #[serde(default = "critical", deserialize_with = "number")]
    #[schema(minimum = 0.0, maximum = 1e3, default = 1.0)]
    pub damping_ratio: f32,
}

/// `[min, max]`. A list, because a surplus in serde's arrays looks like a fault of syntax.
pub type Limits = Vec<f32>;

impl JointSpec {
    /// A joint of which nothing else is given yet.
    pub fn new(id: JointId, joint_type: JointKind, [body_a, body_b]: [BodyId; 2]) -> Self {
        Self {
            id,
            joint_type,
            body_a,
            body_b,
            anchor_a: Vec3::ZERO,
            anchor_b: Vec3::ZERO,
            axis: up(),
            frame_a: None,
            frame_b: None,
            limits: None,
            cone_limit: None,
            twist_limits: None,
            length: None,
            rest_length: None,
            stiffness: None,
            damping: None,
            motor: None,
            motors: None,
            axes: None,
            coupled_axes: Vec::new(),
            multibody: false,
            armature: None,
            friction: None,
            break_force: None,
            break_torque: None,
            softness: None,
            enabled: true,
            collide: false,
        }
    }

    /// Whether one of its ends is at a body.
    pub(in crate::physics) fn holds(&self, body: &BodyId) -> bool {
        self.body_a == *body || self.body_b == *body
    }

    /// Whether it can break.
    pub(in crate::physics) fn is_breakable(&self) -> bool {
        self.break_force.is_some() || self.break_torque.is_some()
    }

    /// The same joint with every value in its one canonical form. It must have been checked.
    #[must_use]
    pub fn normalized(mut self) -> Self {
        self.axis = self.axis.normalized();
        self.frame_a = self.frame_a.map(JointFrame::normalized);
        self.frame_b = self.frame_b.map(JointFrame::normalized);
        self.motor = self.motor.map(Motor::normalized);
        if let Some(motors) = &mut self.motors {
            for motor in [&mut motors.rx, &mut motors.ry, &mut motors.rz] {
                *motor = motor.map(Motor::normalized);
            }
        }
        if let Some(JointAxes {
            x,
            y,
            z,
            rx,
            ry,
            rz,
        }) = &mut self.axes
        {
            for freedom in [x, y, z, rx, ry, rz].into_iter().flatten() {
                if let AxisFreedom::Settings(settings) = freedom {
                    settings.motor = settings.motor.map(Motor::normalized);
                }
            }
        }
        self
    }

    /// This specification after `patch`.
    #[must_use]
    pub fn patched(&self, patch: &JointPatch) -> Self {
        patch.applied_to(self)
    }

    /// What it makes of one axis of its frame, apart from what its kind couples.
    pub(in crate::physics) fn freedom(&self, axis: AxisName) -> AxisFreedom {
        let settings = |limits: &Option<Limits>, motor: Option<Motor>| {
            AxisFreedom::Settings(AxisSettings {
                limits: limits.clone(),
                motor,
            })
        };
        match (self.joint_type, axis) {
            (JointKind::Revolute, AxisName::Rx) | (JointKind::Prismatic, AxisName::X) => {
                settings(&self.limits, self.motor)
            }
            (JointKind::Spherical, AxisName::Rx) => {
                settings(&self.twist_limits, self.motors.and_then(|all| all.rx))
            }
            (JointKind::Spherical, AxisName::Ry) => {
                settings(&None, self.motors.and_then(|all| all.ry))
            }
            (JointKind::Spherical, AxisName::Rz) => {
                settings(&None, self.motors.and_then(|all| all.rz))
            }
            (JointKind::Rope | JointKind::Spring, _) => AxisFreedom::Free,
            (JointKind::Generic, _) => match &self.axes {
                Some(axes) => axes.of(axis).clone(),
                None => AxisFreedom::Locked,
            },
            (
                JointKind::Fixed
                | JointKind::Revolute
                | JointKind::Prismatic
                | JointKind::Spherical,
                _,
            ) => AxisFreedom::Locked,
        }
    }

    /// The axes of its frame that it does not lock.
    pub(in crate::physics) fn free_axes(&self) -> impl Iterator<Item = AxisName> {
        AxisName::ALL
            .into_iter()
            .filter(|&axis| self.freedom(axis) != AxisFreedom::Locked)
    }

    /// All numbers that may change during its life but `limits`, each after the place it has among
    /// those that there can be.
    pub(in crate::physics) fn settings(&self) -> Vec<f32> {
        let of_motor = |motor: Option<Motor>| {
            let motor = motor.map(Motor::numbers);
            motor.map_or([None; 6], |numbers| numbers.map(Some))
        };
        let of_limits = |limits: &Option<Limits>| {
            let limits = limits.as_deref().unwrap_or_default();
            [limits.first().copied(), limits.get(1).copied()]
        };
        let mut all = vec![
            self.cone_limit,
            self.length,
            self.rest_length,
            self.stiffness,
            self.damping,
            self.armature,
            self.friction,
            self.break_force,
            self.break_torque,
            self.softness.map(|softness| softness.natural_frequency),
            self.softness.map(|softness| softness.damping_ratio),
        ];
        all.extend(of_limits(&self.twist_limits));
        all.extend(of_motor(self.motor));
        for axis in AxisName::ALL {
            if let AxisFreedom::Settings(settings) = self.freedom(axis)
                && matches!(self.joint_type, JointKind::Spherical | JointKind::Generic)
            {
                all.extend(of_limits(&settings.limits));
                all.extend(of_motor(settings.motor));
            }
        }
        let places = (0_u16..).map(f32::from);
        let given = places
            .zip(all)
            .filter_map(|(place, number)| Some([place, number?]));
        given.flatten().collect()
    }

    /// Whether it can be added to some joints and not to others.
    pub(in crate::physics) fn needs_forest(&self) -> bool {
        self.multibody || self.is_coupled()
    }

    /// Whether it limits or drives several axes as one, which no multibody can.
    pub(in crate::physics) fn is_coupled(&self) -> bool {
        match self.joint_type {
            JointKind::Rope | JointKind::Spring => true,
            JointKind::Spherical => self.cone_limit.is_some(),
            JointKind::Generic => !self.coupled_axes.is_empty(),
            JointKind::Fixed | JointKind::Revolute | JointKind::Prismatic => false,
        }
    }
}

fn up() -> Vec3 {
    Vec3([0.0, 1.0, 0.0])
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_true(value: &bool) -> bool {
    *value
}

fn critical() -> f32 {
    1.0
}
