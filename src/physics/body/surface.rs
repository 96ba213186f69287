//! How bodies meet others, and along which axes they move.

use rapier3d::prelude as rapier;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ArrayBuilder, Schema},
    },
};

use crate::physics::vector::word;

/// How one coefficient is made of two. Of two rules the one that stands later here is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CombineRule {
    /// Half the sum.
    #[default]
    Average,
    /// The lesser.
    Min,
    /// The product.
    Multiply,
    /// The greater.
    Max,
    /// The sum, but no more than 1.
    ClampedSum,
    /// The root of the product.
    GeometricMean,
}

/// Two colliders meet if each is a member of a group that the other's filter has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Groups {
    /// The groups it is in, one bit each; all unless given.
    #[serde(default = "all")]
    #[schema(default = 4_294_967_295_u32)]
    pub memberships: u32,
    /// The groups it meets, one bit each; all unless given.
    #[serde(default = "all")]
    #[schema(default = 4_294_967_295_u32)]
    pub filter: u32,
}

/// One of the world's six ways to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LockedAxis {
    /// Along x.
    TranslationX,
    /// Along y.
    TranslationY,
    /// Along z.
    TranslationZ,
    /// About x.
    RotationX,
    /// About y.
    RotationY,
    /// About z.
    RotationZ,
}

/// Some of the six; on the wire a list of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockedAxes(rapier::LockedAxes);

/// All of them, as they are listed.
const AXES: [(LockedAxis, rapier::LockedAxes); 6] = [
    (
        LockedAxis::TranslationX,
        rapier::LockedAxes::TRANSLATION_LOCKED_X,
    ),
    (
        LockedAxis::TranslationY,
        rapier::LockedAxes::TRANSLATION_LOCKED_Y,
    ),
    (
        LockedAxis::TranslationZ,
        rapier::LockedAxes::TRANSLATION_LOCKED_Z,
    ),
    (LockedAxis::RotationX, rapier::LockedAxes::ROTATION_LOCKED_X),
    (LockedAxis::RotationY, rapier::LockedAxes::ROTATION_LOCKED_Y),
    (LockedAxis::RotationZ, rapier::LockedAxes::ROTATION_LOCKED_Z),
];

impl From<CombineRule> for rapier::CoefficientCombineRule {
    fn from(rule: CombineRule) -> Self {
        match rule {
            CombineRule::Average => Self::Average,
            CombineRule::Min => Self::Min,
            CombineRule::Multiply => Self::Multiply,
            CombineRule::Max => Self::Max,
            CombineRule::ClampedSum => Self::ClampedSum,
            CombineRule::GeometricMean => Self::GeometricMean,
        }
    }
}

impl Default for Groups {
    fn default() -> Self {
        Self {
            memberships: all(),
            filter: all(),
        }
    }
}

impl From<Groups> for rapier::InteractionGroups {
    fn from(groups: Groups) -> Self {
        Self::new(
            rapier::Group::from_bits_retain(groups.memberships),
            rapier::Group::from_bits_retain(groups.filter),
            rapier::InteractionTestMode::And,
        )
    }
}

impl Default for LockedAxes {
    fn default() -> Self {
        Self(rapier::LockedAxes::empty())
    }
}

impl LockedAxes {
    /// Rapier's own.
    pub(crate) fn flags(self) -> rapier::LockedAxes {
        self.0
    }

    /// Those that are locked, in their order.
    pub fn axes(self) -> impl Iterator<Item = LockedAxis> {
        let locked = AXES
            .into_iter()
            .filter(move |(_, flag)| self.0.contains(*flag));
        locked.map(|(axis, _)| axis)
    }
}

impl FromIterator<LockedAxis> for LockedAxes {
    fn from_iter<I: IntoIterator<Item = LockedAxis>>(axes: I) -> Self {
        let flag = |axis| AXES.into_iter().find(|(known, _)| *known == axis);
        let flags = axes.into_iter().filter_map(flag);
        Self(flags.map(|(_, flag)| flag).collect())
    }
}

impl Serialize for LockedAxes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.axes())
    }
}

impl<'de> Deserialize<'de> for LockedAxes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Word(#[serde(deserialize_with = "word")] LockedAxis);

        let words = Vec::<Word>::deserialize(deserializer)?;
        Ok(words.into_iter().map(|Word(axis)| axis).collect())
    }
}

impl PartialSchema for LockedAxes {
    fn schema() -> RefOr<Schema> {
        ArrayBuilder::new().items(LockedAxis::schema()).into()
    }
}

impl ToSchema for LockedAxes {}

fn all() -> u32 {
    u32::MAX
}
