//! What clients ask of controllers.

use std::f32::consts::{FRAC_PI_4, FRAC_PI_6};

use rapier3d::math::Vector;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{IntoDeserializer, value::Error as PlainError},
};
use utoipa::ToSchema;

use super::wheel::{self, WheelPatch, WheelSpec};
use crate::{
    id::{BodyId, ControllerId},
    physics::{
        body::{flat, flat_angular},
        config::Dimensions,
        object::{present_object, present_object_list},
        shape::Axis,
        vector::{Quat, Vec3, number, present, present_number, present_word, word},
    },
};

/// What a controller does with its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ControllerKind {
    /// Walks a kinematic body about: along walls, up slopes and steps, down to the ground.
    Character,
    /// Carries a dynamic chassis on wheels that are rays.
    Vehicle,
    /// Drives a dynamic body to a pose or a motion.
    Pid,
}

/// One way to move that a PID controller may act on, in world axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PidAxis {
    /// Along x.
    X,
    /// Along y.
    Y,
    /// Along z.
    Z,
    /// About x.
    AngularX,
    /// About y.
    AngularY,
    /// About z.
    AngularZ,
}

/// Which steps a character climbs by itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Autostep {
    /// The highest step, m; 0 turns stepping off.
    #[serde(deserialize_with = "number")]
    #[schema(minimum = 0.0, maximum = 1e3)]
    pub max_height: f32,
    /// How much free room there must be on the step, m.
    #[serde(deserialize_with = "number")]
    #[schema(minimum = 0.0, maximum = 1e3)]
    pub min_width: f32,
    /// Whether it steps onto dynamic bodies too.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub include_dynamic_bodies: bool,
}

macro_rules! controllers {
    ($($(#[$meta:meta])* $field:ident: $type:ty, $with:literal;)*) => {
        /// A controller to add. Which fields belong to it depends on its `type`.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct ControllerSpec {
            /// Its name, unique in the simulation.
            pub id: ControllerId,
            /// What it does.
            #[serde(rename = "type", deserialize_with = "word")]
            pub kind: ControllerKind,
            /// The body it moves: kinematic for a character, dynamic for the others.
            pub body_id: BodyId,
            /// Vehicle: its wheels, 1 to 16.
            #[serde(
                default,
                deserialize_with = "present_object_list",
                skip_serializing_if = "Option::is_none"
            )]
            #[schema(nullable = false, min_items = 1, max_items = 16)]
            pub wheels: Option<Vec<WheelSpec>>,
            $(
                $(#[$meta])*
                #[serde(
                    default,
                    deserialize_with = $with,
                    skip_serializing_if = "Option::is_none"
                )]
                pub $field: Option<$type>,
            )*
        }

        /// What to change of a controller. What is left out stays as it is.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct ControllerPatch {
            /// Vehicle: what to change of its wheels, from the first one on.
            #[serde(
                default,
                deserialize_with = "present_object_list",
                skip_serializing_if = "Option::is_none"
            )]
            #[schema(nullable = false, max_items = 16)]
            pub wheels: Option<Vec<WheelPatch>>,
            /// Vehicle: the force of each of its `drive_wheels`, N.
            #[serde(
                default,
                deserialize_with = "present_number",
                skip_serializing_if = "Option::is_none"
            )]
            #[schema(nullable = false)]
            pub engine_force: Option<f32>,
            /// Vehicle: the greatest braking force of each wheel, N.
            #[serde(
                default,
                deserialize_with = "present_number",
                skip_serializing_if = "Option::is_none"
            )]
            #[schema(nullable = false, minimum = 0.0)]
            pub brake: Option<f32>,
            /// Vehicle: the angle of each of its `steered_wheels`, rad; positive is left.
            #[serde(
                default,
                deserialize_with = "present_number",
                skip_serializing_if = "Option::is_none"
            )]
            #[schema(nullable = false)]
            pub steering: Option<f32>,
            $(
                $(#[$meta])*
                #[serde(
                    default,
                    deserialize_with = $with,
                    skip_serializing_if = "Option::is_none"
                )]
                pub $field: Option<$type>,
            )*
        }

        impl ControllerSpec {
            /// Which of the fields that depend on the kind are given.
            pub(super) fn given(&self) -> impl Iterator<Item = &'static str> {
                [
                    ("wheels", self.wheels.is_some()),
                    $((stringify!($field), self.$field.is_some()),)*
                ]
                .into_iter()
                .filter_map(|(field, is_given)| is_given.then_some(field))
            }

            fn with_fields_of(mut self, patch: &ControllerPatch) -> Self {
                $(if patch.$field.is_some() {
                    self.$field.clone_from(&patch.$field);
                })*
                self
            }
        }
    };
}

controllers! {
    /// Character: where it wants to go until told otherwise, m/s.
    #[schema(nullable = false)]
    velocity: Vec3, "present";
    /// Character: which way is up, of any length but 0; `[0, 1, 0]` unless given.
    #[schema(nullable = false)]
    up: Vec3, "present";
    /// Character: the gap it keeps to what is around it, m; 0.01 unless given.
    #[schema(nullable = false, minimum = 1e-4, maximum = 100.0)]
    offset: f32, "present_number";
    /// Character: whether it slides along what it meets; true unless given.
    #[schema(nullable = false)]
    slide: bool, "present";
    /// Character: which steps it climbs by itself; none unless given.
    #[schema(nullable = false)]
    autostep: Autostep, "present_object";
    /// Character: the steepest slope it climbs, rad; π/4 unless given.
    #[schema(nullable = false, minimum = 0.0, maximum = 1.571)]
    max_slope_climb_angle: f32, "present_number";
    /// Character: the steepest slope it stands on without sliding down, rad; π/6 unless given.
    #[schema(nullable = false, minimum = 0.0, maximum = 1.571)]
    min_slope_slide_angle: f32, "present_number";
    /// Character: how far down it is pulled to keep to the ground, m; 0, not at all, unless given.
    #[schema(nullable = false, minimum = 0.0, maximum = 1e3)]
    snap_to_ground: f32, "present_number";
    /// Character: whether it falls where there is no ground; true unless given.
    #[schema(nullable = false)]
    apply_gravity: bool, "present";
    /// Character: whether it pushes the dynamic bodies it meets; true unless given.
    #[schema(nullable = false)]
    push_dynamic_bodies: bool, "present";
    /// Character: the mass it pushes with, kg; that of its body unless given.
    #[schema(nullable = false, minimum = 1e-6, maximum = 1e9)]
    mass: f32, "present_number";
    /// Vehicle: the axis of its chassis that points up; `y` unless given.
    #[schema(nullable = false)]
    up_axis: Axis, "present_word";
    /// Vehicle: the axis of its chassis that points ahead; `x` unless given.
    #[schema(nullable = false)]
    forward_axis: Axis, "present_word";
    /// Vehicle: the indices of the wheels that `engine_force` drives; all unless given.
    #[schema(nullable = false, max_items = 16)]
    drive_wheels: Vec<u32>, "present";
    /// Vehicle: the indices of the wheels that `steering` turns; none unless given.
    #[schema(nullable = false, max_items = 16)]
    steered_wheels: Vec<u32>, "present";
    /// PID: where the body is to be, m.
    #[schema(nullable = false)]
    target_position: Vec3, "present";
    /// PID: how the body is to be turned, a unit quaternion.
    #[schema(nullable = false)]
    target_orientation: Quat, "present";
    /// PID: how fast the body is to be, m/s; 0 unless given.
    #[schema(nullable = false)]
    target_velocity: Vec3, "present";
    /// PID: how fast the body is to turn, rad/s; 0 unless given.
    #[schema(nullable = false)]
    target_angular_velocity: Vec3, "present";
    /// PID: velocity added per step for each metre of error, 1/s; 60 unless given.
    #[schema(nullable = false, minimum = 0.0, maximum = 1e6)]
    kp: f32, "present_number";
    /// PID: velocity added per step for each metre·second of error, 1/s²; 0 unless given.
    #[schema(nullable = false, minimum = 0.0, maximum = 1e6)]
    ki: f32, "present_number";
    /// PID: the share of the error of the velocity taken away per step; 0.8 unless given.
    #[schema(nullable = false, minimum = 0.0, maximum = 1e6)]
    kd: f32, "present_number";
    /// PID: `kp` for the orientation, 1/s; 60 unless given.
    #[schema(nullable = false, minimum = 0.0, maximum = 1e6)]
    angular_kp: f32, "present_number";
    /// PID: `ki` for the orientation, 1/s²; 0 unless given.
    #[schema(nullable = false, minimum = 0.0, maximum = 1e6)]
    angular_ki: f32, "present_number";
    /// PID: `kd` for the orientation; 0.8 unless given.
    #[schema(nullable = false, minimum = 0.0, maximum = 1e6)]
    angular_kd: f32, "present_number";
    /// PID: the ways to move that it acts on; all for which it has a target unless given.
    #[schema(nullable = false, max_items = 6)]
    axes: Vec<PidAxis>, "present_words";
}

impl ControllerSpec {
    /// The same controller with every value in its one canonical form, and everything given that
    /// its kind has. It must have been checked.
    #[must_use]
    pub fn normalized(mut self) -> Self {
        match self.kind {
            ControllerKind::Character => {
                self.velocity.get_or_insert_default();
                self.up = Some(self.up.unwrap_or(Vec3([0.0, 1.0, 0.0])).normalized());
                self.offset.get_or_insert(0.01);
                self.slide.get_or_insert(true);
                self.max_slope_climb_angle.get_or_insert(FRAC_PI_4);
                self.min_slope_slide_angle.get_or_insert(FRAC_PI_6);
                self.snap_to_ground.get_or_insert_default();
                self.apply_gravity.get_or_insert(true);
                self.push_dynamic_bodies.get_or_insert(true);
            }
            ControllerKind::Vehicle => wheel::normalize(&mut self),
            ControllerKind::Pid => {
                self.target_orientation = self.target_orientation.map(Quat::normalized);
                self.kp.get_or_insert(60.0);
                self.ki.get_or_insert_default();
                self.kd.get_or_insert(0.8);
                self.angular_kp.get_or_insert(60.0);
                self.angular_ki.get_or_insert_default();
                self.angular_kd.get_or_insert(0.8);
            }
        }
        self
    }

    /// This specification after `patch`.
    #[must_use]
    pub fn patched(&self, patch: &ControllerPatch) -> Self {
        let mut spec = self.clone().with_fields_of(patch);
        wheel::patch(&mut spec, patch);
        spec
    }

    /// How it wants to go, in a world of `dimensions`.
    pub(super) fn wanted_velocity(&self, dimensions: Dimensions) -> Vector {
        flat(self.velocity.unwrap_or_default(), dimensions).into()
    }

    /// How its body is to move, and how it is to turn, in a world of `dimensions`.
    pub(super) fn target_motion(&self, dimensions: Dimensions) -> [Vector; 2] {
        [
            flat(self.target_velocity.unwrap_or_default(), dimensions).into(),
            flat_angular(self.target_angular_velocity.unwrap_or_default(), dimensions).into(),
        ]
    }
}

/// Deserialises a list of words where an optional field is present.
fn present_words<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let words = Vec::<String>::deserialize(deserializer)?;
    let parse = |word: String| {
        T::deserialize(IntoDeserializer::<PlainError>::into_deserializer(word))
            .map_err(serde::de::Error::custom)
    };
    words
        .into_iter()
        .map(parse)
        .collect::<Result<_, _>>()
        .map(Some)
}

fn yes() -> bool {
    true
}
