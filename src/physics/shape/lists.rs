//! The long lists of shapes, shared by everybody who holds a copy of their specification.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ArrayBuilder, ObjectBuilder, Schema, Type},
    },
};

use crate::physics::vector::Number;

/// Which vertices belong together: two by two or three by three.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Indices {
    /// The ends of each segment.
    Edges(Arc<[[u32; 2]]>),
    /// The corners of each triangle.
    Triangles(Arc<[[u32; 3]]>),
}

/// Rows of heights.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Heights(pub Arc<[Vec<f32>]>);

/// Where a voxel stands in its grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Cell(pub [i32; 3]);

impl Indices {
    /// How many segments or triangles there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Edges(edges) => edges.len(),
            Self::Triangles(triangles) => triangles.len(),
        }
    }
}

impl<'de> Deserialize<'de> for Indices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(IndicesVisitor)
    }
}

impl<'de> Deserialize<'de> for Heights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows = Vec::<Vec<Number>>::deserialize(deserializer)?;
        let plain = |row: Vec<Number>| row.into_iter().map(|Number(height)| height).collect();
        Ok(Self(rows.into_iter().map(plain).collect()))
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Few { numbers, count } = deserializer.deserialize_seq(FewVisitor::default())?;
        if count == 3 {
            Ok(Self(numbers))
        } else {
            Err(de::Error::invalid_length(count, &"3 integers"))
        }
    }
}

/// Up to three numbers, and how many there were.
#[derive(Default)]
struct Few<T> {
    numbers: [T; 3],
    count: usize,
}

struct FewVisitor<T>(std::marker::PhantomData<T>);

struct IndicesVisitor;

impl<T> Default for FewVisitor<T> {
    fn default() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<'de, T: Deserialize<'de> + Default> de::Visitor<'de> for FewVisitor<T> {
    type Value = Few<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of integers")
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut few = Few::default();
        while let Some(number) = sequence.next_element()? {
            if let Some(slot) = few.numbers.get_mut(few.count) {
                *slot = number;
            }
            few.count += 1;
        }
        Ok(few)
    }
}

impl<'de> Deserialize<'de> for Few<u32> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FewVisitor::default())
    }
}

impl<'de> de::Visitor<'de> for IndicesVisitor {
    type Value = Indices;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of arrays of 2 or of 3 indices")
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let (mut edges, mut triangles) = (Vec::new(), Vec::new());
        while let Some(Few { numbers, count }) = sequence.next_element::<Few<u32>>()? {
            let [a, b, c] = numbers;
            match count {
                2 if triangles.is_empty() => edges.push([a, b]),
                3 if edges.is_empty() => triangles.push([a, b, c]),
                _ => return Err(de::Error::invalid_length(count, &self)),
            }
        }
        Ok(if edges.is_empty() {
            Indices::Triangles(triangles.into())
        } else {
            Indices::Edges(edges.into())
        })
    }
}

fn list_schema(item: impl Into<RefOr<Schema>>, description: &str) -> RefOr<Schema> {
    ArrayBuilder::new()
        .items(item.into())
        .description(Some(description))
        .into()
}

fn numbers_schema(kind: Type) -> ArrayBuilder {
    ArrayBuilder::new().items(ObjectBuilder::new().schema_type(kind))
}

impl PartialSchema for Indices {
    fn schema() -> RefOr<Schema> {
        let few = numbers_schema(Type::Integer)
            .min_items(Some(2))
            .max_items(Some(3));
        list_schema(
            few,
            "[a, b, c] for each triangle, or [a, b] for each segment",
        )
    }
}

impl ToSchema for Indices {}

impl PartialSchema for Heights {
    fn schema() -> RefOr<Schema> {
        list_schema(numbers_schema(Type::Number), "rows of heights")
    }
}

impl ToSchema for Heights {}

impl PartialSchema for Cell {
    fn schema() -> RefOr<Schema> {
        let cell = numbers_schema(Type::Integer)
            .min_items(Some(3))
            .max_items(Some(3));
        cell.description(Some("[i, j, k]")).into()
    }
}

impl ToSchema for Cell {}
