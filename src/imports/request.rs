//! What a client asks for with a description.

use indexmap::IndexMap;
use mjcf_rs::glam::DVec3;
use serde::Deserialize;
use utoipa::ToSchema;

use super::robot::Shape;
use crate::physics::{
    Faults, MotorForce, Quat, Vec3, number, present, present_number, present_object, present_word,
    word,
};

/// The longest prefix of names, in bytes.
const MAX_PREFIX: usize = 32;
/// How many files may be mapped to assets.
const MAX_IMPORT_ASSETS: usize = 1000;

/// The description of a robot or a scene, and how it is to be taken.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportRequest {
    /// What the description is written in.
    #[serde(deserialize_with = "word")]
    pub format: ImportFormat,
    /// The description itself, XML.
    pub content: String,
    /// What the names of its bodies and joints begin with, up to 32 of the characters of an id.
    #[serde(default)]
    pub prefix: String,
    /// Where its origin stands, m.
    #[serde(alias = "translation", default)]
    pub position: Vec3,
    /// How it is turned. Both formats take z for up; [-0.70711, 0, 0, 0.70711] makes it y.
    #[serde(alias = "rotation", default)]
    pub orientation: Quat,
    /// How many times as long everything is made; masses stay.
    #[serde(default = "one", deserialize_with = "number")]
    #[schema(minimum = 1e-3, maximum = 1e3, default = 1.0)]
    pub scale: f32,
    /// Whether the link that all others hang on is static; unless given, it is where the
    /// description has it so.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub fixed_base: Option<bool>,
    /// How joints are made; unless given, as multibodies where these do not get too large.
    #[serde(default, deserialize_with = "present_word")]
    #[schema(nullable = false)]
    pub joints: Option<Coordinates>,
    /// Motors that hold every joint that is meant to be moved and has no gains of its own in the
    /// description; none unless given.
    #[serde(default, deserialize_with = "present_object")]
    #[schema(nullable = false)]
    pub motors: Option<MotorDefaults>,
    /// Whether its links collide with each other, those apart that a joint ties.
    #[serde(default)]
    pub collide_self: bool,
    /// The uploaded meshes, by the names of their files as the description has them.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, String>)]
    pub assets: IndexMap<String, String>,
    /// The density of links of which the description states no mass, kg/m³.
    #[serde(default, deserialize_with = "present_number")]
    #[schema(nullable = false, minimum = 1e-3, maximum = 1e6)]
    pub density: Option<f32>,
}

/// What a description is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportFormat {
    /// The Unified Robot Description Format of ROS.
    Urdf,
    /// The models of `MuJoCo`.
    Mjcf,
}

/// How joints are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Coordinates {
    /// In reduced coordinates: links cannot drift apart.
    Multibody,
    /// By impulses between free bodies.
    Impulse,
}

/// A motor for every joint.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MotorDefaults {
    /// How firmly it holds its joint where it stands.
    #[serde(deserialize_with = "number")]
    #[schema(minimum = 1e-6, maximum = 1e12)]
    pub stiffness: f32,
    /// How much it resists motion; critical unless given.
    #[serde(default, deserialize_with = "present_number")]
    #[schema(nullable = false, minimum = 0.0, maximum = 1e12)]
    pub damping: Option<f32>,
    /// The most it can do, N or N·m; what the description says of its joint unless given.
    #[serde(default, deserialize_with = "present_number")]
    #[schema(nullable = false, minimum = 0.0, maximum = 1e15)]
    pub max_force: Option<f32>,
    /// What stiffness and damping are about.
    #[serde(default, deserialize_with = "word")]
    pub model: MotorForce,
}

impl ImportRequest {
    /// Whether a shape is one of its assets, in the size that the asset has.
    pub(super) fn brings(&self, shape: &Shape) -> bool {
        let Shape::Mesh { file, scale } = shape else {
            return false;
        };
        let is_as_large = (*scale * f64::from(self.scale) - DVec3::ONE).length() < 1e-6;
        is_as_large && self.assets.contains_key(file)
    }

    /// Notes everything that is wrong with it but for its content.
    pub(super) fn check(&self, faults: &mut Faults) {
        let is_plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-');
        if self.prefix.len() > MAX_PREFIX || !self.prefix.bytes().all(is_plain) {
            faults.add(
                "prefix",
                "must be up to 32 of the characters A-Z, a-z, 0-9, _ and -",
            );
        }
        faults.check_position("position", self.position);
        faults.check_rotation("orientation", self.orientation);
        faults.check_range("scale", self.scale, 1e-3..=1e3);
        if let Some(density) = self.density {
            faults.check_range("density", density, 1e-3..=1e6);
        }
        if let Some(motors) = &self.motors {
            faults.within("motors", |faults| {
                faults.check_range("stiffness", motors.stiffness, 1e-6..=1e12);
                if let Some(damping) = motors.damping {
                    faults.check_range("damping", damping, 0.0..=1e12);
                }
                if let Some(force) = motors.max_force {
                    faults.check_range("max_force", force, 0.0..=1e15);
                }
            });
        }
        if self.assets.len() > MAX_IMPORT_ASSETS {
            faults.add(
                "assets",
                format_args!("must not be more than {MAX_IMPORT_ASSETS}"),
            );
        }
    }
}

fn one() -> f32 {
    1.0
}
