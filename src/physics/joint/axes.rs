//! The six ways in which one body can move against another, and what a joint makes of each.

use std::{f32::consts::PI, fmt};

use rapier3d::prelude::{JointAxesMask, JointAxis};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, IntoDeserializer, value::MapAccessDeserializer},
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, OneOfBuilder, Schema, Type},
    },
};

use super::{motor::Motor, spec::Limits};
use crate::physics::{
    fault::Faults,
    object::present_object,
    vector::{present, present_numbers, word},
};

/// How far beyond a half turn a limit may be written, for the sake of rounded values of π.
const HALF_TURN_SLACK: f32 = 1e-3;
/// The farthest a joint may let its bodies go, m.
const MAX_TRAVEL: f32 = 1e5;

/// One of the axes of a joint's frame: moving along it, or turning about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AxisName {
    /// Along x.
    X,
    /// Along y.
    Y,
    /// Along z.
    Z,
    /// About x.
    Rx,
    /// About y.
    Ry,
    /// About z.
    Rz,
}

/// What a joint makes of one axis: `"locked"`, `"free"`, or free with limits or a motor.
#[derive(Clone, Debug, PartialEq)]
pub enum AxisFreedom {
    /// No motion.
    Locked,
    /// Any motion.
    Free,
    /// Motion within limits, by a motor, or both.
    Settings(AxisSettings),
}

/// What holds and drives a free axis.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AxisSettings {
    /// `[min, max]`, m, or rad within ±π.
    #[serde(
        default,
        deserialize_with = "present_numbers",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, value_type = Option<[f32]>, min_items = 2, max_items = 2)]
    pub limits: Option<Limits>,
    /// What drives it.
    #[serde(
        default,
        deserialize_with = "present_object",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub motor: Option<Motor>,
}

/// What a generic joint makes of its axes; those that are not named are locked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JointAxes {
    /// Along x.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub x: Option<AxisFreedom>,
    /// Along y.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub y: Option<AxisFreedom>,
    /// Along z.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub z: Option<AxisFreedom>,
    /// About x.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub rx: Option<AxisFreedom>,
    /// About y.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub ry: Option<AxisFreedom>,
    /// About z.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub rz: Option<AxisFreedom>,
}

/// The motors of a spherical joint, each about one axis of the joint's frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AngularMotors {
    /// About x, which is the joint's `axis`.
    #[serde(
        default,
        deserialize_with = "present_object",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub rx: Option<Motor>,
    /// About y.
    #[serde(
        default,
        deserialize_with = "present_object",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub ry: Option<Motor>,
    /// About z.
    #[serde(
        default,
        deserialize_with = "present_object",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub rz: Option<Motor>,
}

impl AxisName {
    pub(crate) const ALL: [Self; 6] = [Self::X, Self::Y, Self::Z, Self::Rx, Self::Ry, Self::Rz];

    /// The word on the wire.
    pub(crate) fn word(self) -> &'static str {
        ["x", "y", "z", "rx", "ry", "rz"][self.index()]
    }

    /// Its place among the six.
    pub(crate) fn index(self) -> usize {
        self.axis() as usize
    }

    pub(crate) fn is_angular(self) -> bool {
        self.index() >= 3
    }

    /// How far a position along it may be, m or rad.
    pub(super) fn farthest(self) -> f32 {
        if self.is_angular() {
            PI + HALF_TURN_SLACK
        } else {
            MAX_TRAVEL
        }
    }

    pub(super) fn axis(self) -> JointAxis {
        match self {
            Self::X => JointAxis::LinX,
            Self::Y => JointAxis::LinY,
            Self::Z => JointAxis::LinZ,
            Self::Rx => JointAxis::AngX,
            Self::Ry => JointAxis::AngY,
            Self::Rz => JointAxis::AngZ,
        }
    }

    pub(crate) fn mask(self) -> JointAxesMask {
        self.axis().into()
    }
}

impl AxisSettings {
    pub(super) fn check(&self, axis: AxisName, faults: &mut Faults) {
        if let Some(limits) = &self.limits {
            check_limits("limits", limits, axis.farthest(), faults);
        }
        if let Some(motor) = &self.motor {
            faults.within("motor", |faults| motor.check(axis, faults));
        }
    }
}

impl JointAxes {
    /// What it makes of an axis.
    pub(crate) fn of(&self, axis: AxisName) -> &AxisFreedom {
        let named = match axis {
            AxisName::X => &self.x,
            AxisName::Y => &self.y,
            AxisName::Z => &self.z,
            AxisName::Rx => &self.rx,
            AxisName::Ry => &self.ry,
            AxisName::Rz => &self.rz,
        };
        named.as_ref().unwrap_or(&AxisFreedom::Locked)
    }

    /// The same with every axis that `patch` names as it says.
    #[must_use]
    pub(super) fn patched(&self, patch: &Self) -> Self {
        let either = |new: &Option<AxisFreedom>, old: &Option<AxisFreedom>| {
            new.as_ref().or(old.as_ref()).cloned()
        };
        Self {
            x: either(&patch.x, &self.x),
            y: either(&patch.y, &self.y),
            z: either(&patch.z, &self.z),
            rx: either(&patch.rx, &self.rx),
            ry: either(&patch.ry, &self.ry),
            rz: either(&patch.rz, &self.rz),
        }
    }
}

impl AngularMotors {
    pub(super) fn each(&self) -> [(AxisName, Option<Motor>); 3] {
        [
            (AxisName::Rx, self.rx),
            (AxisName::Ry, self.ry),
            (AxisName::Rz, self.rz),
        ]
    }
}

/// Notes everything that is wrong with `[min, max]` within ±`farthest`.
pub(super) fn check_limits(field: &str, limits: &[f32], farthest: f32, faults: &mut Faults) {
    let &[least, most] = limits else {
        faults.add(field, "must be [min, max]");
        return;
    };
    for (index, limit) in [least, most].into_iter().enumerate() {
        faults.check_range(&format!("{field}/{index}"), limit, -farthest..=farthest);
    }
    if least > most {
        faults.add(field, "must not be reversed");
    }
}

/// Deserialises a list of names of axes.
pub(crate) fn axis_names<'de, D>(deserializer: D) -> Result<Vec<AxisName>, D::Error>
where
    D: Deserializer<'de>,
{
    #[derive(Deserialize)]
    struct Word(#[serde(deserialize_with = "word")] AxisName);

    let words = Vec::<Word>::deserialize(deserializer)?;
    Ok(words.into_iter().map(|Word(name)| name).collect())
}

impl Serialize for AxisFreedom {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Locked => serializer.serialize_str("locked"),
            Self::Free => serializer.serialize_str("free"),
            Self::Settings(settings) => settings.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for AxisFreedom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Word {
            Locked,
            Free,
        }

        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = AxisFreedom;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("\"locked\", \"free\" or an object")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Word::deserialize(text.into_deserializer()).map(|word| match word {
                    Word::Locked => AxisFreedom::Locked,
                    Word::Free => AxisFreedom::Free,
                })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                AxisSettings::deserialize(MapAccessDeserializer::new(map))
                    .map(AxisFreedom::Settings)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl PartialSchema for AxisFreedom {
    fn schema() -> RefOr<Schema> {
        let words = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(["locked", "free"]));
        OneOfBuilder::new()
            .item(words)
            .item(AxisSettings::schema())
            .description(Some(
                "`locked`, `free`, or free within limits or with a motor.",
            ))
            .into()
    }
}

impl ToSchema for AxisFreedom {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Motor::name().into(), Motor::schema()));
        Motor::schemas(schemas);
    }
}
