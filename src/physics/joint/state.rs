//! Where a joint is and how it moves, as far as it leaves anything free.

use rapier3d::{
    math::{Pose, Vector},
    na::RealField,
};
use serde::{Serialize, Serializer, ser::SerializeMap};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{Object, ObjectBuilder, Schema, Type},
    },
};

use super::{
    axes::AxisName,
    spec::{JointKind, JointSpec},
};

/// A joint: what was asked for, and its present state.
#[derive(Debug, Serialize)]
pub struct JointView<'a> {
    #[serde(flatten)]
    pub(in crate::physics) spec: &'a JointSpec,
    #[serde(flatten)]
    pub(in crate::physics) state: JointState,
}

/// Where a joint is and how it moves.
#[derive(Debug, Default, Serialize)]
pub(in crate::physics) struct JointState {
    /// Of a revolute joint, rad, within ±π.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::physics) angle: Option<f32>,
    /// Of a prismatic joint, a rope or a spring, m.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::physics) distance: Option<f32>,
    /// How fast angle or distance grow, rad/s or m/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::physics) velocity: Option<f32>,
    /// Of a spherical or generic joint, rad or m on each axis that it leaves free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::physics) positions: Option<OnAxes>,
    /// How fast these grow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::physics) velocities: Option<OnAxes>,
    /// What it did in the last step, unless it is broken or of a multibody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::physics) impulse: Option<ImpulseView>,
    /// Whether it is broken, and holds nothing any more.
    pub(in crate::physics) broken: bool,
}

/// How hard a joint worked during the last step.
#[derive(Debug, Serialize)]
pub(in crate::physics) struct ImpulseView {
    /// N·s.
    pub(in crate::physics) linear: f32,
    /// N·m·s.
    pub(in crate::physics) angular: f32,
}

/// Numbers of some of the six axes.
#[derive(Debug)]
pub(in crate::physics) struct OnAxes(Vec<(AxisName, f32)>);

/// How the two frames of a joint stand and move in the world.
#[derive(Debug)]
pub(in crate::physics) struct FrameMotions {
    pub(in crate::physics) poses: [Pose; 2],
    /// Of the points where it holds the bodies.
    pub(in crate::physics) linvels: [Vector; 2],
    pub(in crate::physics) angvels: [Vector; 2],
}

impl FrameMotions {
    /// The state of a joint of this kind.
    pub(in crate::physics) fn state(&self, spec: &JointSpec) -> JointState {
        let [pose_a, pose_b] = self.poses;
        let between = pose_a.inverse() * pose_b;
        match spec.joint_type {
            JointKind::Fixed => JointState::default(),
            JointKind::Revolute => JointState {
                angle: Some(position_on(AxisName::Rx, &between)),
                velocity: Some(self.velocity_on(AxisName::Rx)),
                ..JointState::default()
            },
            JointKind::Prismatic => JointState {
                distance: Some(position_on(AxisName::X, &between)),
                velocity: Some(self.velocity_on(AxisName::X)),
                ..JointState::default()
            },
            JointKind::Rope | JointKind::Spring => {
                let apart = pose_b.translation - pose_a.translation;
                let towards = apart.normalize_or_zero();
                JointState {
                    distance: Some(apart.length()),
                    velocity: Some((self.linvels[1] - self.linvels[0]).dot(towards) + 0.0),
                    ..JointState::default()
                }
            }
            JointKind::Spherical | JointKind::Generic => {
                let on_axes = |number: &dyn Fn(AxisName) -> f32| {
                    let free = spec.free_axes().map(|axis| (axis, number(axis)));
                    Some(OnAxes(free.collect()))
                };
                JointState {
                    positions: on_axes(&|axis| position_on(axis, &between)),
                    velocities: on_axes(&|axis| self.velocity_on(axis)),
                    ..JointState::default()
                }
            }
        }
    }

    fn velocity_on(&self, axis: AxisName) -> f32 {
        let index = axis.index() % 3;
        let local = self.poses[0].rotation.inverse();
        let [a, b] = if axis.is_angular() {
            self.angvels
        } else {
            self.linvels
        };
        let mut velocity = b - a;
        if !axis.is_angular() {
            // Seen from the first body, which takes along what it turns.
            let apart = self.poses[1].translation - self.poses[0].translation;
            velocity -= self.angvels[0].cross(apart);
        }
        (local * velocity)[index] + 0.0
    }
}

/// How far two frames are apart on an axis of the first: m along it, or rad about it within ±π,
/// apart from what they are turned about the other axes.
pub(in crate::physics) fn position_on(axis: AxisName, between: &Pose) -> f32 {
    let index = axis.index() % 3;
    if !axis.is_angular() {
        return between.translation[index] + 0.0;
    }
    let turn = between.rotation;
    let sine = [turn.x, turn.y, turn.z][index];
    // A rotation and its negative are the same; this is the one by less than half a turn.
    let half = if turn.w < 0.0 {
        RealField::atan2(-sine, -turn.w)
    } else {
        RealField::atan2(sine, turn.w)
    };
    2.0 * half + 0.0
}

impl Serialize for OnAxes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (axis, number) in &self.0 {
            map.serialize_entry(axis.word(), number)?;
        }
        map.end()
    }
}

impl PartialSchema for JointView<'_> {
    /// The schema of what is asked for, with what is added to it.
    fn schema() -> RefOr<Schema> {
        let RefOr::T(Schema::Object(mut joint)) = JointSpec::schema() else {
            unreachable!("a specification is an object")
        };
        let number = || -> RefOr<Schema> { Object::with_type(Type::Number).into() };
        let on_axes = || -> RefOr<Schema> {
            let axes = AxisName::ALL.into_iter();
            axes.fold(ObjectBuilder::new(), |object, axis| {
                object.property(axis.word(), number())
            })
            .into()
        };
        let impulse = ObjectBuilder::new()
            .property("linear", number())
            .property("angular", number())
            .required("linear")
            .required("angular");
        joint.description = Some("A joint: what was asked for, and its present state.".to_owned());
        joint.additional_properties = None;
        for (name, schema) in [
            ("angle", number()),
            ("distance", number()),
            ("velocity", number()),
            ("positions", on_axes()),
            ("velocities", on_axes()),
            ("impulse", impulse.into()),
            ("broken", Object::with_type(Type::Boolean).into()),
        ] {
            joint.properties.insert(name.to_owned(), schema);
        }
        let required = [
            "anchor_a",
            "anchor_b",
            "axis",
            "multibody",
            "collide",
            "broken",
        ];
        joint.required.extend(required.map(str::to_owned));
        joint.into()
    }
}

impl ToSchema for JointView<'_> {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        JointSpec::schemas(schemas);
    }
}
