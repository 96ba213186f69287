//! Shapes: what a client gives, and what Rapier makes of it.

mod build;
mod bulk;
mod check;
mod decomposition;
mod lists;
mod resolve;
mod voxels;

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::physics::{
    asset::AssetId,
    fields::{copy_fields, each_field, given_fields, with_fields},
    vector::{Quat, Vec3, word},
};

pub(super) use bulk::{Bulk, bulk};
pub use lists::{Cell, Heights, Indices};

/// The shape of a collider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShapeKind {
    /// `size` = full extents `[w, h, d]`, m (or `half_extents`).
    #[serde(rename = "box", alias = "cuboid")]
    Cuboid,
    /// `size` = `[radius]`, m (or `radius`).
    #[serde(rename = "sphere", alias = "ball")]
    #[default]
    Ball,
    /// Along `axis`; `size` = `[half_height, radius]`, m (or both by name). The half height is that
    /// of the straight part. Or from `point_a` to `point_b`, with `radius`.
    Capsule,
    /// Along `axis`; `size` = `[half_height, radius]`, m (or both by name).
    Cylinder,
    /// Along `axis`, its tip where that points; `size` = `[half_height, radius]`, m (or both by
    /// name).
    Cone,
    /// Infinite and always static: all that lies below `normal` at `offset`.
    #[serde(rename = "plane", alias = "halfspace")]
    Halfspace,
    /// From `point_a` to `point_b`. No solid: not for dynamic bodies.
    Segment,
    /// Between three `vertices`. No solid: not for dynamic bodies.
    Triangle,
    /// Segments between `vertices`. No solid: not for dynamic bodies.
    Polyline,
    /// The least convex solid that holds all `vertices`.
    ConvexHull,
    /// Convex solids that together come close to a closed mesh of `vertices` and `indices`.
    ConvexDecomposition,
    /// Triangles between `vertices`, as `indices` say. No solid: not for dynamic bodies, which need
    /// a convex decomposition.
    #[serde(rename = "mesh", alias = "trimesh")]
    TriMesh,
    /// A landscape of `heights` times `scale`. No solid: not for dynamic bodies.
    #[serde(rename = "heightfield")]
    HeightField,
    /// Several convex solids as one: `shapes`.
    Compound,
    /// Boxes of `voxel_size` in a grid: `voxels`.
    Voxels,
}

/// An axis of a shape's own frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Its x axis.
    X,
    /// Its y axis.
    #[default]
    Y,
    /// Its z axis.
    Z,
}

with_fields! { [shape]
    /// A shape alone.
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    pub struct ShapeSpec {
        /// What it is.
        #[serde(deserialize_with = "crate::physics::vector::word")]
        pub shape: ShapeKind,
        /// The shapes of a compound.
        #[serde(default, deserialize_with = "crate::physics::object::present_objects", skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false, value_type = Option<Vec<PartSpec>>)]
        pub shapes: Option<Arc<[PartSpec]>>,
    }
}

with_fields! { [shape]
    /// One of the shapes of a compound: a box, sphere, capsule, cylinder, cone or convex hull.
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    pub struct PartSpec {
        /// What it is.
        #[serde(deserialize_with = "word")]
        pub shape: ShapeKind,
        /// Where it stands in the compound, m.
        #[serde(rename = "position", alias = "translation", default)]
        pub translation: Vec3,
        /// How it is turned in the compound.
        #[serde(rename = "orientation", alias = "rotation", default)]
        pub rotation: Quat,
    }
}

impl ShapeKind {
    /// Whether it fills a space, as what moves by forces must.
    pub fn is_solid(self) -> bool {
        match self {
            Self::Cuboid
            | Self::Ball
            | Self::Capsule
            | Self::Cylinder
            | Self::Cone
            | Self::ConvexHull
            | Self::ConvexDecomposition
            | Self::Compound
            | Self::Voxels => true,
            Self::Halfspace
            | Self::Segment
            | Self::Triangle
            | Self::Polyline
            | Self::TriMesh
            | Self::HeightField => false,
        }
    }

    /// Whether it is one convex solid, as the parts of a compound must be.
    pub(super) fn is_convex_solid(self) -> bool {
        self.is_solid()
            && !matches!(
                self,
                Self::ConvexDecomposition | Self::Compound | Self::Voxels
            )
    }
}

impl ShapeSpec {
    /// A shape of which nothing is given yet.
    pub fn new(shape: ShapeKind) -> Self {
        Self {
            shape,
            ..Self::default()
        }
    }

    /// Notes the assets that it names.
    pub fn name_assets(&self, named: &mut BTreeSet<AssetId>) {
        name_assets(self.asset.as_ref(), self.shapes.as_deref(), named);
    }

    /// Its fields that are given, by name.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        let given = each_field!(shape, given_fields!(self));
        let shapes = ("shapes", self.shapes.is_some());
        let all = std::iter::once(shapes).chain(given);
        all.filter_map(|(field, is_given)| is_given.then_some(field))
    }
}

/// Notes the assets of a shape and of its parts.
pub(super) fn name_assets(
    asset: Option<&AssetId>,
    parts: Option<&[PartSpec]>,
    named: &mut BTreeSet<AssetId>,
) {
    let of_parts = parts.unwrap_or_default().iter();
    let of_parts = of_parts.filter_map(|part| part.asset.as_ref());
    named.extend(of_parts.chain(asset).cloned());
}

impl PartSpec {
    /// Its shape alone.
    pub fn shape(&self) -> ShapeSpec {
        let mut spec = ShapeSpec::new(self.shape);
        each_field!(shape, copy_fields!(self, spec));
        spec
    }
}
