//! Vectors and quaternions as they stand on the wire: plain arrays of finite numbers.

use std::fmt;

use rapier3d::math::{Rotation, Vector};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, IntoDeserializer},
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ArrayBuilder, ObjectBuilder, Schema, Type},
    },
};

/// `[x, y, z]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Vec3(pub [f32; 3]);

/// A rotation as a unit quaternion `[x, y, z, w]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quat(pub [f32; 4]);

impl Vec3 {
    /// `[0, 0, 0]`.
    pub const ZERO: Self = Self([0.0; 3]);

    /// The Euclidean length, without overflow.
    pub fn length(self) -> f64 {
        self.0
            .iter()
            .map(|&component| f64::from(component).powi(2))
            .sum::<f64>()
            .sqrt()
    }

    /// The vector of length 1 in this direction, which it is itself if it is that long but for
    /// rounding: what was normalised once must never move again. The length must not be 0.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the engine computes in f32"
    )]
    #[must_use]
    pub fn normalized(self) -> Self {
        let length = self.length();
        if is_unit(length) {
            return self;
        }
        Self(
            self.0
                .map(|component| (f64::from(component) / length) as f32),
        )
    }

    /// Whether no component is infinite or NaN.
    pub fn is_finite(self) -> bool {
        self.0.iter().all(|component| component.is_finite())
    }
}

impl Quat {
    /// No rotation.
    pub const IDENTITY: Self = Self([0.0, 0.0, 0.0, 1.0]);

    /// The Euclidean norm, without overflow.
    pub fn norm(self) -> f64 {
        self.0
            .iter()
            .map(|&component| f64::from(component).powi(2))
            .sum::<f64>()
            .sqrt()
    }

    /// The quaternion of norm 1 in this direction, which it is itself if it has that norm but for
    /// rounding. The norm must not be 0.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the engine computes in f32"
    )]
    #[must_use]
    pub fn normalized(self) -> Self {
        let norm = self.norm();
        if is_unit(norm) {
            return self;
        }
        Self(self.0.map(|component| (f64::from(component) / norm) as f32))
    }
}

impl Default for Quat {
    fn default() -> Self {
        Self::IDENTITY
    }
}

impl From<Vec3> for Vector {
    fn from(Vec3([x, y, z]): Vec3) -> Self {
        Self::new(x, y, z)
    }
}

impl From<Vector> for Vec3 {
    fn from(vector: Vector) -> Self {
        Self(vector.to_array().map(canonical))
    }
}

impl From<Quat> for Rotation {
    fn from(Quat([x, y, z, w]): Quat) -> Self {
        Self::from_xyzw(x, y, z, w)
    }
}

impl From<Rotation> for Quat {
    fn from(rotation: Rotation) -> Self {
        Self([rotation.x, rotation.y, rotation.z, rotation.w].map(canonical))
    }
}

impl<'de> Deserialize<'de> for Vec3 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Numbers::<3>).map(Self)
    }
}

impl<'de> Deserialize<'de> for Quat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Numbers::<4>).map(Self)
    }
}

/// Reads exactly `N` numbers. serde's own arrays leave a surplus unread, which then looks like
/// a fault of syntax.
struct Numbers<const N: usize>;

impl<'de, const N: usize> de::Visitor<'de> for Numbers<N> {
    type Value = [f32; N];

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "an array of {N} numbers")
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut numbers = [0.0; N];
        let mut count = 0;
        while let Some(Number(number)) = sequence.next_element()? {
            if let Some(slot) = numbers.get_mut(count) {
                *slot = number;
            }
            count += 1;
        }
        if count == N {
            Ok(numbers)
        } else {
            Err(de::Error::invalid_length(count, &self))
        }
    }
}

/// A number as it is taken in. It is read in full and then rounded, so that one that is too great
/// becomes an infinity, which is found and named together with all other faults; negative zero
/// becomes zero, so that equal values are equal bytes.
pub(crate) struct Number(pub(crate) f32);

impl<'de> Deserialize<'de> for Number {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the engine computes in f32"
    )]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(|number| Self(canonical(number as f32)))
    }
}

/// Deserialises a number.
pub(crate) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    Number::deserialize(deserializer).map(|Number(number)| number)
}

/// Deserialises a number where an optional field is present.
pub(crate) fn present_number<'de, D>(deserializer: D) -> Result<Option<f32>, D::Error>
where
    D: Deserializer<'de>,
{
    number(deserializer).map(Some)
}

/// Deserialises a list of numbers where an optional field is present.
pub(crate) fn present_numbers<'de, D>(deserializer: D) -> Result<Option<Vec<f32>>, D::Error>
where
    D: Deserializer<'de>,
{
    let numbers = Vec::<Number>::deserialize(deserializer)?;
    Ok(Some(
        numbers.into_iter().map(|Number(number)| number).collect(),
    ))
}

/// Whether this is the length of what was normalised: no component is rounded by a greater share.
fn is_unit(length: f64) -> bool {
    (length - 1.0).abs() <= f64::from(f32::EPSILON) / 2.0
}

/// Negative zero is written as zero.
fn canonical(number: f32) -> f32 {
    number + 0.0
}

/// Deserialises the value of an optional field that is present; `null` is refused.
pub(crate) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// Deserialises one of several words. serde would also take `{"word": null}`.
pub(crate) fn word<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let text = String::deserialize(deserializer)?;
    T::deserialize(text.into_deserializer())
}

/// Deserialises one of several words where an optional field is present.
pub(crate) fn present_word<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    word(deserializer).map(Some)
}

fn numbers_schema(count: usize, description: &str) -> RefOr<Schema> {
    ArrayBuilder::new()
        .items(ObjectBuilder::new().schema_type(Type::Number))
        .min_items(Some(count))
        .max_items(Some(count))
        .description(Some(description))
        .into()
}

impl PartialSchema for Vec3 {
    fn schema() -> RefOr<Schema> {
        numbers_schema(3, "[x, y, z]")
    }
}

impl ToSchema for Vec3 {}

impl PartialSchema for Quat {
    fn schema() -> RefOr<Schema> {
        numbers_schema(4, "unit quaternion [x, y, z, w]")
    }
}

impl ToSchema for Quat {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_of_a_wrong_length_is_a_fault_of_the_value_not_of_the_syntax() {
        for text in ["[1,2]", "[1,2,3,4]", "[]"] {
            let error = serde_json::from_str::<Vec3>(text).unwrap_err();
            assert!(error.is_data(), "{text}: {error}");
        }
    }

    #[test]
    fn what_was_normalised_once_never_moves_again() {
        let mut seed = 1_u32;
        let mut number = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from_bits(0x3f80_0000 | seed >> 9) - 1.5
        };
        for _ in 0..100_000 {
            let quat = Quat([number(), number(), number(), number()]).normalized();
            assert_eq!(quat.normalized(), quat);
            assert!((quat.norm() - 1.0).abs() <= 1e-7, "{quat:?}");
            let vector = Vec3([number(), number(), number()]).normalized();
            assert_eq!(vector.normalized(), vector);
        }
    }

    #[test]
    fn negative_zero_is_read_as_zero() {
        let Vec3(numbers) = serde_json::from_str("[-0.0, 1, -2.5]").unwrap();
        assert_eq!(
            numbers.map(f32::to_bits),
            [0.0f32, 1.0, -2.5].map(f32::to_bits)
        );
    }
}
