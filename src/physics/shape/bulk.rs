//! How much room and work a shape takes, as its lists tell without a copy of any.

use super::{Cell, Heights, Indices, PartSpec, ShapeKind, decomposition::voxels_looked_at};
use crate::physics::{
    asset::{AssetId, Assets, mesh_weight},
    vector::Vec3,
};

/// The effort of a shape that may take long to make, whatever it is told.
const MUCH_EFFORT: usize = 10_000;

/// The lists of a shape.
#[derive(Clone, Copy)]
pub(in crate::physics) struct Bulk<'a> {
    pub(in crate::physics) kind: ShapeKind,
    pub(in crate::physics) asset: Option<&'a AssetId>,
    pub(in crate::physics) vertices: Option<&'a [Vec3]>,
    pub(in crate::physics) indices: Option<&'a Indices>,
    pub(in crate::physics) heights: Option<&'a Heights>,
    pub(in crate::physics) voxels: Option<&'a [Cell]>,
    pub(in crate::physics) resolution: Option<u32>,
    pub(in crate::physics) parts: &'a [PartSpec],
}

/// The lists of a specification of this kind of shape that holds the fields of one.
macro_rules! bulk {
    ($kind:expr, $spec:expr, $parts:expr) => {
        $crate::physics::shape::Bulk {
            kind: $kind,
            asset: $spec.asset.as_ref(),
            vertices: $spec.vertices.as_deref(),
            indices: $spec.indices.as_ref(),
            heights: $spec.heights.as_ref(),
            voxels: $spec.voxels.as_deref(),
            resolution: $spec.resolution,
            parts: $parts,
        }
    };
}

pub(in crate::physics) use bulk;

impl Bulk<'_> {
    /// How much it takes of what a simulation may hold, in vertices; nothing if it is simple.
    pub(in crate::physics) fn vertices(&self, assets: &Assets) -> usize {
        let of_asset = self.asset.and_then(|id| assets.mesh(id));
        let of_parts = self.parts.iter().map(|part| {
            let part = bulk!(part.shape, part, &[]);
            part.vertices(assets).max(1)
        });
        let triangles = self.indices.map_or(0, Indices::len);
        mesh_weight(self.vertices.map_or(0, <[_]>::len), triangles)
            + self.height_count()
            + self.voxels.map_or(0, <[_]>::len)
            + of_asset.map_or(0, |mesh| mesh.weight())
            + of_parts.sum::<usize>()
    }

    /// How much work it is to make, in what a simple shape takes.
    pub(in crate::physics) fn effort(&self) -> usize {
        if self.kind == ShapeKind::ConvexDecomposition || self.asset.is_some() {
            return MUCH_EFFORT;
        }
        let of_parts = self.parts.iter();
        let of_parts = of_parts.map(|part| bulk!(part.shape, part, &[]).effort());
        let listed = self.own_items();
        let per_item = if self.kind == ShapeKind::ConvexHull {
            5
        } else {
            20
        };
        1 + of_parts.sum::<usize>() + listed / per_item
    }

    /// How many voxels are looked at to take it apart; none unless it is a decomposition.
    pub(in crate::physics) fn decomposition_voxels(&self, assets: &Assets) -> usize {
        if self.kind != ShapeKind::ConvexDecomposition {
            return 0;
        }
        let listed = match self.indices {
            Some(Indices::Triangles(indices)) => {
                self.vertices.map(|vertices| (vertices, &**indices))
            }
            Some(Indices::Edges(_)) | None => None,
        };
        let uploaded = self.asset.and_then(|id| assets.mesh(id));
        let uploaded = uploaded.map(|mesh| (&*mesh.vertices, &*mesh.indices));
        uploaded.or(listed).map_or(0, |(vertices, indices)| {
            voxels_looked_at(vertices, indices, self.resolution)
        })
    }

    /// Whether it names any asset.
    pub(in crate::physics) fn is_made_of_assets(&self) -> bool {
        self.asset.is_some() || self.parts.iter().any(|part| part.asset.is_some())
    }

    /// How many items its lists have.
    pub(in crate::physics) fn items(&self) -> usize {
        let of_parts = self.parts.iter();
        let of_parts = of_parts.map(|part| 1 + bulk!(part.shape, part, &[]).own_items());
        self.own_items() + of_parts.sum::<usize>()
    }

    fn own_items(&self) -> usize {
        self.vertices.map_or(0, <[_]>::len)
            + self.indices.map_or(0, Indices::len)
            + self.height_count()
            + self.voxels.map_or(0, <[_]>::len)
    }

    fn height_count(&self) -> usize {
        let rows = self.heights.map(|Heights(rows)| rows.iter());
        rows.map_or(0, |rows| rows.map(Vec::len).sum())
    }
}
