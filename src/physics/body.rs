//! Bodies: what clients ask for, and how Rapier's rigid bodies are made of it.

use rapier3d::{
    math::{Pose, Vector},
    prelude::{ActiveCollisionTypes, ColliderBuilder, LockedAxes, RigidBodyBuilder, RigidBodyType},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    config::Dimensions,
    fault::{Faults, MASSES, MAX_DISTANCE, MAX_SPEED},
    shape::{self, ShapeKind},
    vector::{Quat, Vec3, number, present, present_number, present_numbers, present_word, word},
};
use crate::id::BodyId;

/// The speed from which a body is taken for a bullet, m/s.
const BULLET_SPEED: f32 = 30.0;

/// How a body moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BodyKind {
    /// Never moves.
    #[serde(rename = "static", alias = "fixed")]
    Fixed,
    /// Moved by forces, contacts and joints.
    #[default]
    Dynamic,
    /// Moves with the velocity it is given, whatever it meets.
    Kinematic,
}

/// A body to add.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BodySpec {
    /// Its name, unique in the simulation.
    pub id: BodyId,
    /// How it moves. A plane is static whatever is asked for.
    #[serde(default, deserialize_with = "word")]
    pub kind: BodyKind,
    /// Its shape.
    #[serde(deserialize_with = "word")]
    pub shape: ShapeKind,
    /// The size of the shape, m; see the shapes.
    #[serde(
        default,
        deserialize_with = "present_numbers",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, max_items = 3)]
    pub size: Option<Vec<f32>>,
    /// Half the extents of a box, m.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub half_extents: Option<Vec3>,
    /// Half the height of a cylinder or of the straight part of a capsule, m.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 1e-4, maximum = 1e5)]
    pub half_height: Option<f32>,
    /// The radius of a sphere, capsule or cylinder, m.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 1e-4, maximum = 1e5)]
    pub radius: Option<f32>,
    /// The normal of a plane, of any length but 0; `[0, 1, 0]` unless given.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub normal: Option<Vec3>,
    /// How far a plane lies from `position` along its normal, m; 0 unless given.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = -1e6, maximum = 1e6)]
    pub offset: Option<f32>,
    /// kg; the inertia follows from the shape at uniform density.
    #[serde(default = "one", deserialize_with = "number")]
    #[schema(minimum = 1e-6, maximum = 1e9, default = 1.0)]
    pub mass: f32,
    /// m, at most 1e6 from the origin.
    #[serde(rename = "position", alias = "translation", default)]
    pub translation: Vec3,
    /// Unit quaternion.
    #[serde(rename = "orientation", alias = "rotation", default)]
    pub rotation: Quat,
    /// m/s, at most 1e5; the engine slows what is faster than 400.
    #[serde(rename = "velocity", alias = "linvel", default)]
    pub linvel: Vec3,
    /// rad/s, at most 1e5.
    #[serde(rename = "angular_velocity", alias = "angvel", default)]
    pub angvel: Vec3,
    /// Bounciness; a pair takes the average of its two.
    #[serde(default = "default_restitution", deserialize_with = "number")]
    #[schema(minimum = 0.0, maximum = 1.0, default = 0.3)]
    pub restitution: f32,
    /// Coulomb friction; a pair takes the average of its two.
    #[serde(default = "default_friction", deserialize_with = "number")]
    #[schema(minimum = 0.0, default = 0.5)]
    pub friction: f32,
    /// Reports what it overlaps and pushes nothing.
    #[serde(default)]
    pub is_sensor: bool,
    /// 1/s.
    #[serde(default, deserialize_with = "number")]
    #[schema(minimum = 0.0, default = 0.0)]
    pub linear_damping: f32,
    /// 1/s.
    #[serde(default, deserialize_with = "number")]
    #[schema(minimum = 0.0, default = 0.0)]
    pub angular_damping: f32,
    /// Whether it may fall asleep at rest.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub can_sleep: bool,
    /// Cd; with `drag_area` it turns drag on: F = ½ρ·Cd·A·v².
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 0.0)]
    pub drag_coefficient: Option<f32>,
    /// m².
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 0.0)]
    pub drag_area: Option<f32>,
    /// How Cd weighs along the body's own axes.
    #[serde(default = "ones")]
    pub drag_axis_ratios: Vec3,
    /// kg/m³; air unless given.
    #[serde(default = "air", deserialize_with = "number")]
    #[schema(minimum = 0.0, default = 1.225)]
    pub fluid_density: f32,
}

/// What to change of a body. What is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BodyPatch {
    /// Teleports the body, m.
    #[serde(
        rename = "position",
        alias = "translation",
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub translation: Option<Vec3>,
    /// Turns the body.
    #[serde(
        rename = "orientation",
        alias = "rotation",
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub rotation: Option<Quat>,
    /// m/s.
    #[serde(
        rename = "velocity",
        alias = "linvel",
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub linvel: Option<Vec3>,
    /// rad/s.
    #[serde(
        rename = "angular_velocity",
        alias = "angvel",
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub angvel: Option<Vec3>,
    /// How it moves from now on.
    #[serde(
        default,
        deserialize_with = "present_word",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub kind: Option<BodyKind>,
    /// kg.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 1e-6, maximum = 1e9)]
    pub mass: Option<f32>,
    /// Bounciness.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 0.0, maximum = 1.0)]
    pub restitution: Option<f32>,
    /// Coulomb friction.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 0.0)]
    pub friction: Option<f32>,
    /// Whether it only reports overlaps.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub is_sensor: Option<bool>,
    /// 1/s.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 0.0)]
    pub linear_damping: Option<f32>,
    /// 1/s.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 0.0)]
    pub angular_damping: Option<f32>,
    /// Whether it may fall asleep at rest.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub can_sleep: Option<bool>,
    /// Cd.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 0.0)]
    pub drag_coefficient: Option<f32>,
    /// m².
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 0.0)]
    pub drag_area: Option<f32>,
    /// How Cd weighs along the body's own axes.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub drag_axis_ratios: Option<Vec3>,
    /// kg/m³.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 0.0)]
    pub fluid_density: Option<f32>,
}

impl BodySpec {
    /// Notes everything that is wrong with it in a world of `dimensions`.
    pub fn check(&self, dimensions: Dimensions, faults: &mut Faults) {
        faults.check_id("id", self.id.is_well_formed());
        shape::check(self, faults);
        faults.check_range("mass", self.mass, MASSES);
        faults.check_vector("position", self.translation, MAX_DISTANCE);
        faults.check_rotation("orientation", self.rotation);
        if dimensions == Dimensions::Two && !is_about_z(self.rotation) {
            faults.add(
                "orientation",
                "must be about z in a simulation of 2 dimensions",
            );
        }
        faults.check_vector("velocity", self.linvel, MAX_SPEED);
        faults.check_vector("angular_velocity", self.angvel, MAX_SPEED);
        faults.check_range("restitution", self.restitution, 0.0..=1.0);
        faults.check_not_negative("friction", self.friction);
        faults.check_not_negative("linear_damping", self.linear_damping);
        faults.check_not_negative("angular_damping", self.angular_damping);
        if let Some(coefficient) = self.drag_coefficient {
            faults.check_not_negative("drag_coefficient", coefficient);
        }
        if let Some(area) = self.drag_area {
            faults.check_not_negative("drag_area", area);
        }
        for (index, &ratio) in self.drag_axis_ratios.0.iter().enumerate() {
            faults.check_not_negative(&format!("drag_axis_ratios/{index}"), ratio);
        }
        faults.check_not_negative("fluid_density", self.fluid_density);
    }

    /// How it will move: a plane is static whatever is asked for.
    pub fn kind(&self) -> BodyKind {
        match self.shape {
            ShapeKind::Halfspace => BodyKind::Fixed,
            ShapeKind::Cuboid | ShapeKind::Ball | ShapeKind::Capsule | ShapeKind::Cylinder => {
                self.kind
            }
        }
    }

    /// The same body with every value in its one canonical form. It must have been checked.
    #[must_use]
    pub fn normalized(mut self, dimensions: Dimensions) -> Self {
        self.kind = self.kind();
        if self.kind == BodyKind::Fixed {
            self.linvel = Vec3::ZERO;
            self.angvel = Vec3::ZERO;
        }
        self.rotation = flat_rotation(self.rotation, dimensions);
        self.linvel = flat(self.linvel, dimensions);
        self.angvel = flat_angular(self.angvel, dimensions);
        self.normal = self.normal.map(Vec3::normalized);
        self
    }

    /// This specification after `patch`.
    #[must_use]
    pub fn patched(&self, patch: &BodyPatch) -> Self {
        let mut spec = self.clone();
        macro_rules! take {
            ($($field:ident),*) => { $(if let Some(value) = patch.$field { spec.$field = value; })* };
        }
        take!(
            translation,
            rotation,
            linvel,
            angvel,
            kind,
            mass,
            restitution,
            friction,
            is_sensor
        );
        take!(
            linear_damping,
            angular_damping,
            can_sleep,
            drag_axis_ratios,
            fluid_density
        );
        spec.drag_coefficient = patch.drag_coefficient.or(self.drag_coefficient);
        spec.drag_area = patch.drag_area.or(self.drag_area);
        spec
    }

    /// Rapier's body of a checked and normalised specification.
    pub(super) fn rigid_body(&self, dimensions: Dimensions) -> RigidBodyBuilder {
        let locked_axes = match dimensions {
            Dimensions::Two => {
                LockedAxes::TRANSLATION_LOCKED_Z
                    | LockedAxes::ROTATION_LOCKED_X
                    | LockedAxes::ROTATION_LOCKED_Y
            }
            Dimensions::Three => LockedAxes::empty(),
        };
        RigidBodyBuilder::new(self.kind.into())
            .pose(Pose::from_parts(
                self.translation.into(),
                self.rotation.into(),
            ))
            .linvel(self.linvel.into())
            .angvel(self.angvel.into())
            .linear_damping(self.linear_damping)
            .angular_damping(self.angular_damping)
            .can_sleep(self.can_sleep)
            .ccd_enabled(is_bullet(self.linvel.into()))
            .locked_axes(locked_axes)
    }

    /// Rapier's collider of a checked and normalised specification.
    pub(super) fn collider(&self) -> ColliderBuilder {
        shape::collider(self)
            .mass(self.mass)
            .friction(self.friction)
            .restitution(self.restitution)
            .sensor(self.is_sensor)
            .active_collision_types(self.collision_types())
    }

    /// A sensor sees bodies of every kind; others need only what can push them.
    pub(super) fn collision_types(&self) -> ActiveCollisionTypes {
        if self.is_sensor {
            ActiveCollisionTypes::all()
        } else {
            ActiveCollisionTypes::default()
        }
    }
}

impl From<BodyKind> for RigidBodyType {
    fn from(kind: BodyKind) -> Self {
        match kind {
            BodyKind::Fixed => Self::Fixed,
            BodyKind::Dynamic => Self::Dynamic,
            BodyKind::Kinematic => Self::KinematicVelocityBased,
        }
    }
}

/// Whether a body that is sent off like this is swept along its path, so that it does not pass
/// through thin dynamic bodies. The engine sweeps all bodies against static ones anyway, and never
/// two swept ones against each other, which is why not every body is.
pub(super) fn is_bullet(velocity: Vector) -> bool {
    velocity.length() >= BULLET_SPEED
}

/// A velocity, force or impulse without what leaves the plane of two dimensions.
pub(super) fn flat(Vec3([x, y, z]): Vec3, dimensions: Dimensions) -> Vec3 {
    match dimensions {
        Dimensions::Two => Vec3([x, y, 0.0]),
        Dimensions::Three => Vec3([x, y, z]),
    }
}

/// An angular velocity or torque without what leaves the plane of two dimensions.
pub(super) fn flat_angular(Vec3([x, y, z]): Vec3, dimensions: Dimensions) -> Vec3 {
    match dimensions {
        Dimensions::Two => Vec3([0.0, 0.0, z]),
        Dimensions::Three => Vec3([x, y, z]),
    }
}

fn flat_rotation(rotation: Quat, dimensions: Dimensions) -> Quat {
    let Quat([_, _, z, w]) = rotation;
    match dimensions {
        Dimensions::Two => Quat([0.0, 0.0, z, w]).normalized(),
        Dimensions::Three => rotation.normalized(),
    }
}

fn is_about_z(Quat([x, y, _, _]): Quat) -> bool {
    x.abs() <= 1e-3 && y.abs() <= 1e-3
}

fn one() -> f32 {
    1.0
}

fn default_restitution() -> f32 {
    0.3
}

fn default_friction() -> f32 {
    0.5
}

fn yes() -> bool {
    true
}

fn ones() -> Vec3 {
    Vec3([1.0; 3])
}

fn air() -> f32 {
    1.225
}
