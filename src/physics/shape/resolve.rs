//! Which fields belong to which shape, and the shape they make.

use std::{borrow::Cow, collections::HashSet};

use super::{Axis, Cell, Indices, PartSpec, ShapeKind, ShapeSpec};
use crate::physics::{asset::Assets, fault::Faults, vector::Vec3};

/// A shape whose fields are the right ones; their values may be anything.
pub(super) enum Shape<'a> {
    Cuboid(Vec3),
    Ball(f32),
    /// Around the line between two points.
    Capsule(Vec3, Vec3, f32),
    Cylinder(Along),
    Cone(Along),
    Halfspace(Vec3, f32),
    Segment(Vec3, Vec3),
    Triangle(&'a [Vec3]),
    Polyline(&'a [Vec3], Option<&'a [[u32; 2]]>),
    ConvexHull(Cow<'a, [Vec3]>),
    ConvexDecomposition(Triangles<'a>),
    TriMesh(Triangles<'a>),
    HeightField(&'a [Vec<f32>], Vec3),
    Compound(&'a [PartSpec]),
    Voxels(Vec3, &'a [Cell]),
}

/// The measures of a shape that stands along an axis.
#[derive(Clone, Copy)]
pub(super) struct Along {
    pub(super) axis: Axis,
    pub(super) half_height: f32,
    pub(super) radius: f32,
}

/// A mesh, given or uploaded.
pub(super) struct Triangles<'a> {
    pub(super) vertices: Cow<'a, [Vec3]>,
    pub(super) indices: Cow<'a, [[u32; 3]]>,
}

/// Which fields a shape takes.
struct Rule {
    /// How many numbers `size` holds; it can stand for all that is needed.
    size: usize,
    needs: &'static [&'static str],
    allows: &'static [&'static str],
}

impl ShapeKind {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Cuboid,
        Self::Ball,
        Self::Capsule,
        Self::Cylinder,
        Self::Cone,
        Self::Halfspace,
        Self::Segment,
        Self::Triangle,
        Self::Polyline,
        Self::ConvexHull,
        Self::ConvexDecomposition,
        Self::TriMesh,
        Self::HeightField,
        Self::Compound,
        Self::Voxels,
    ];

    /// The fields that can describe it, in one way or another.
    pub fn fields(self) -> Vec<&'static str> {
        let plain = ShapeSpec::new(self);
        let by_points = ShapeSpec {
            point_a: Some(Vec3::ZERO),
            ..plain.clone()
        };
        let uploaded = ShapeSpec {
            asset: Some("".into()),
            ..plain.clone()
        };
        let mut fields = Vec::new();
        for Rule {
            size,
            needs,
            allows,
        } in [plain, by_points, uploaded].iter().map(ShapeSpec::rule)
        {
            let sizes = (size > 0).then_some("size");
            fields.extend(sizes.iter().chain(needs).chain(allows));
        }
        let mut seen = HashSet::new();
        fields.retain(|&field| seen.insert(field));
        fields
    }
}

impl ShapeSpec {
    /// Reads the shape from whichever fields hold it; notes those that are missing or do not
    /// belong.
    pub(super) fn resolve<'a>(
        &'a self,
        assets: &'a Assets,
        faults: &mut Faults,
    ) -> Option<Shape<'a>> {
        let before = faults.count();
        let Rule {
            size: count,
            needs,
            allows,
        } = self.rule();
        let given: Vec<&str> = self.given().filter(|&field| field != "size").collect();
        for &field in &given {
            if !needs.contains(&field) && !allows.contains(&field) {
                faults.add(field, "does not belong to this shape");
            } else if self.size.is_some() && needs.contains(&field) {
                faults.add(field, "is already given by size");
            }
        }
        for field in needs {
            match &self.size {
                None if given.contains(field) => {}
                None if count > 0 => faults.add(
                    "size",
                    format_args!("is required for this shape, or {field}"),
                ),
                _ if count == 0 && !given.contains(field) => {
                    faults.add(field, "is required for this shape");
                }
                _ => {}
            }
        }
        if let Some(size) = &self.size
            && size.len() != count
        {
            faults.add(
                "size",
                format_args!("must hold {count} numbers for this shape"),
            );
        }
        if faults.count() > before {
            return None;
        }
        self.read(assets, faults)
    }

    fn rule(&self) -> Rule {
        let rule = |size, needs, allows| Rule {
            size,
            needs,
            allows,
        };
        let is_between_points = self.point_a.is_some() || self.point_b.is_some();
        let is_uploaded = self.asset.is_some();
        match self.shape {
            ShapeKind::Cuboid => rule(3, &["half_extents"], &["border_radius"]),
            ShapeKind::Ball => rule(1, &["radius"], &[]),
            ShapeKind::Capsule if is_between_points => {
                rule(0, &["point_a", "point_b", "radius"], &[])
            }
            ShapeKind::Capsule => rule(2, &["half_height", "radius"], &["axis"]),
            ShapeKind::Cylinder | ShapeKind::Cone => {
                rule(2, &["half_height", "radius"], &["axis", "border_radius"])
            }
            ShapeKind::Halfspace => rule(0, &[], &["normal", "offset"]),
            ShapeKind::Segment => rule(0, &["point_a", "point_b"], &[]),
            ShapeKind::Polyline => rule(0, &["vertices"], &["indices"]),
            ShapeKind::ConvexHull if is_uploaded => rule(0, &["asset"], &["border_radius"]),
            ShapeKind::Triangle | ShapeKind::ConvexHull => {
                rule(0, &["vertices"], &["border_radius"])
            }
            ShapeKind::ConvexDecomposition if is_uploaded => {
                rule(0, &["asset"], &["border_radius", "resolution", "max_hulls"])
            }
            ShapeKind::ConvexDecomposition => rule(
                0,
                &["vertices", "indices"],
                &["border_radius", "resolution", "max_hulls"],
            ),
            ShapeKind::TriMesh if is_uploaded => rule(0, &["asset"], &[]),
            ShapeKind::TriMesh => rule(0, &["vertices", "indices"], &[]),
            ShapeKind::HeightField => rule(0, &["heights", "scale"], &[]),
            ShapeKind::Compound => rule(0, &["shapes"], &[]),
            ShapeKind::Voxels => rule(0, &["voxel_size", "voxels"], &[]),
        }
    }

    /// Reads a shape whose fields are known to be the right ones.
    fn read<'a>(&'a self, assets: &'a Assets, faults: &mut Faults) -> Option<Shape<'a>> {
        let size = |index: usize, named: Option<f32>| match &self.size {
            Some(size) => size[index],
            None => named.unwrap_or_default(),
        };
        let along = || Along {
            axis: self.axis.unwrap_or_default(),
            half_height: size(0, self.half_height),
            radius: size(1, self.radius),
        };
        let vertices = || self.vertices.as_deref().unwrap_or_default();
        let ends = || {
            let [a, b] = [self.point_a, self.point_b].map(Option::unwrap_or_default);
            (a, b)
        };
        Some(match self.shape {
            ShapeKind::Cuboid => Shape::Cuboid(match (&self.size, self.half_extents) {
                (Some(size), _) => Vec3([size[0] / 2.0, size[1] / 2.0, size[2] / 2.0]),
                (None, half_extents) => half_extents.unwrap_or_default(),
            }),
            ShapeKind::Ball => Shape::Ball(size(0, self.radius)),
            ShapeKind::Capsule if self.point_a.is_some() => {
                let (a, b) = ends();
                Shape::Capsule(a, b, self.radius.unwrap_or_default())
            }
            ShapeKind::Capsule => {
                let Along {
                    axis,
                    half_height,
                    radius,
                } = along();
                let end = |height| axis.vector(height);
                Shape::Capsule(end(-half_height), end(half_height), radius)
            }
            ShapeKind::Cylinder => Shape::Cylinder(along()),
            ShapeKind::Cone => Shape::Cone(along()),
            ShapeKind::Halfspace => Shape::Halfspace(
                self.normal.unwrap_or(Vec3([0.0, 1.0, 0.0])),
                self.offset.unwrap_or(0.0),
            ),
            ShapeKind::Segment => {
                let (a, b) = ends();
                Shape::Segment(a, b)
            }
            ShapeKind::Triangle => Shape::Triangle(vertices()),
            ShapeKind::Polyline => Shape::Polyline(vertices(), self.edges(faults)?),
            ShapeKind::ConvexHull if self.asset.is_none() => {
                Shape::ConvexHull(Cow::Borrowed(vertices()))
            }
            ShapeKind::ConvexHull => Shape::ConvexHull(self.mesh_of(assets, faults)?.vertices),
            ShapeKind::ConvexDecomposition => {
                Shape::ConvexDecomposition(self.mesh_of(assets, faults)?)
            }
            ShapeKind::TriMesh => Shape::TriMesh(self.mesh_of(assets, faults)?),
            ShapeKind::HeightField => Shape::HeightField(
                self.heights.as_ref().map_or(&[], |heights| &heights.0),
                self.scale.unwrap_or_default(),
            ),
            ShapeKind::Compound => Shape::Compound(self.shapes.as_deref().unwrap_or_default()),
            ShapeKind::Voxels => Shape::Voxels(
                self.voxel_size.unwrap_or_default(),
                self.voxels.as_deref().unwrap_or_default(),
            ),
        })
    }

    /// The mesh it is made of: its own, or one that was uploaded.
    fn mesh_of<'a>(&'a self, assets: &'a Assets, faults: &mut Faults) -> Option<Triangles<'a>> {
        if let Some(asset) = &self.asset {
            if let Some(fault) = assets.fault_of(asset) {
                faults.add("asset", fault);
            }
            let mesh = assets.mesh(asset)?;
            return Some(Triangles {
                vertices: Cow::Borrowed(&mesh.vertices),
                indices: Cow::Borrowed(&mesh.indices),
            });
        }
        let Some(Indices::Triangles(indices)) = &self.indices else {
            faults.add("indices", "must hold three indices for each triangle");
            return None;
        };
        Some(Triangles {
            vertices: Cow::Borrowed(self.vertices.as_deref().unwrap_or_default()),
            indices: Cow::Borrowed(indices),
        })
    }

    #[expect(clippy::option_option, reason = "nothing is wrong with giving none")]
    fn edges(&self, faults: &mut Faults) -> Option<Option<&[[u32; 2]]>> {
        match &self.indices {
            None => Some(None),
            Some(Indices::Edges(edges)) => Some(Some(edges)),
            Some(Indices::Triangles(_)) => {
                faults.add("indices", "must hold two indices for each segment");
                None
            }
        }
    }
}

impl Axis {
    /// So far along it.
    pub(in crate::physics) fn vector(self, length: f32) -> Vec3 {
        match self {
            Self::X => Vec3([length, 0.0, 0.0]),
            Self::Y => Vec3([0.0, length, 0.0]),
            Self::Z => Vec3([0.0, 0.0, length]),
        }
    }
}
