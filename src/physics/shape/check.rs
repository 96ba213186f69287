//! What is wrong with a shape.

use std::panic::catch_unwind;

use rapier3d::prelude::SharedShape;

use super::{
    Cell, PartSpec, ShapeSpec,
    build::{has_volume, make},
    decomposition::RESOLUTIONS,
    resolve::{Along, Shape, Triangles},
    voxels::blocks,
};
use crate::physics::{
    asset::{Assets, Mesh, mesh_weight},
    error::PhysicsError,
    fault::{Faults, LENGTHS, MAX_DISTANCE},
    limits::{
        MAX_HULL_POINTS, MAX_SHAPES_PER_COMPOUND, MAX_VERTICES_PER_SHAPE,
        MAX_VOXEL_BOXES_PER_SHAPE, MAX_VOXELS_PER_SHAPE, check,
    },
    vector::Vec3,
};

/// The farthest a point of a shape may be from its origin, m.
const MAX_REACH: f64 = 1e5;
/// How many faults of one list are named.
const MAX_NAMED: usize = 8;
/// The farthest a voxel may be from the origin of its grid, in voxels.
const FARTHEST_CELL: i32 = 1_000_000;

impl ShapeSpec {
    /// Refuses lists that are too long.
    pub fn check_limits(&self, assets: &Assets) -> Result<(), PhysicsError> {
        let Some(shape) = self.resolve(assets, &mut Faults::default()) else {
            return Ok(());
        };
        match shape {
            Shape::Triangle(vertices) | Shape::Polyline(vertices, None) => check(
                "MAX_VERTICES_PER_SHAPE",
                MAX_VERTICES_PER_SHAPE,
                vertices.len(),
            ),
            Shape::Polyline(vertices, Some(edges)) => {
                let used = vertices.len().max(edges.len());
                check("MAX_VERTICES_PER_SHAPE", MAX_VERTICES_PER_SHAPE, used)
            }
            Shape::ConvexHull(points) => check("MAX_HULL_POINTS", MAX_HULL_POINTS, points.len()),
            Shape::ConvexDecomposition(mesh) => {
                check("MAX_HULL_POINTS", MAX_HULL_POINTS, mesh.weight())
            }
            Shape::TriMesh(mesh) => check(
                "MAX_VERTICES_PER_SHAPE",
                MAX_VERTICES_PER_SHAPE,
                mesh.weight(),
            ),
            Shape::HeightField(rows, _) => {
                let used = rows.iter().map(Vec::len).sum();
                check("MAX_VERTICES_PER_SHAPE", MAX_VERTICES_PER_SHAPE, used)
            }
            Shape::Compound(parts) => {
                check(
                    "MAX_SHAPES_PER_COMPOUND",
                    MAX_SHAPES_PER_COMPOUND,
                    parts.len(),
                )?;
                parts
                    .iter()
                    .try_for_each(|part| part.shape().check_limits(assets))
            }
            Shape::Voxels(_, cells) => {
                check("MAX_VOXELS_PER_SHAPE", MAX_VOXELS_PER_SHAPE, cells.len())?;
                let used = blocks(cells).len();
                check("MAX_VOXEL_BOXES_PER_SHAPE", MAX_VOXEL_BOXES_PER_SHAPE, used)
            }
            Shape::Cuboid(_)
            | Shape::Ball(_)
            | Shape::Capsule(..)
            | Shape::Cylinder(_)
            | Shape::Cone(_)
            | Shape::Halfspace(..)
            | Shape::Segment(..) => Ok(()),
        }
    }

    /// Notes everything that is wrong with its fields and values.
    pub fn check(&self, assets: &Assets, faults: &mut Faults) {
        let Some(shape) = self.resolve(assets, faults) else {
            return;
        };
        if let Some(border) = self.border_radius {
            faults.check_range("border_radius", border, LENGTHS);
        }
        if let Some(size) = &self.size {
            check_lengths("size", size, faults);
        } else if let Some(mesh) = self.asset.as_ref().and_then(|id| assets.mesh(id)) {
            self.check_asset(mesh, faults);
        } else {
            self.check_shape(&shape, assets, faults);
        }
        let (coarsest, finest) = RESOLUTIONS.into_inner();
        check_between("resolution", self.resolution, coarsest, finest, faults);
        check_between("max_hulls", self.max_hulls, 1, 64, faults);
    }

    /// Notes if nothing can be made of a shape in which [`Self::check`] found nothing wrong, by
    /// making it, but for a decomposition, which is judged by the hull of its mesh: it falls back
    /// to that. The answer has the volume that the shape has at most.
    pub fn check_solid(&self, assets: &Assets, faults: &mut Faults) -> Option<SharedShape> {
        let shape = self.resolve(assets, faults)?;
        if let Shape::Compound(parts) = shape {
            let before = faults.count();
            faults.within("shapes", |faults| {
                for (index, part) in parts.iter().enumerate() {
                    faults.within(index, |faults| {
                        part.shape().check_solid(assets, faults);
                    });
                }
            });
            if faults.count() > before {
                return None;
            }
        }
        let field = if self.asset.is_some() {
            "asset"
        } else if self.vertices.is_some() {
            "vertices"
        } else if self.shapes.is_some() {
            "shapes"
        } else {
            ""
        };
        // The engine asserts more than it says.
        let made = catch_unwind(|| {
            let shape = self.resolve(assets, &mut Faults::default())?;
            if let Shape::ConvexDecomposition(mesh) = shape {
                make(&Shape::ConvexHull(mesh.vertices), self, assets)
            } else {
                make(&shape, self, assets)
            }
        });
        let Ok(Some(made)) = made else {
            faults.add(
                field,
                "make no shape: they lie in one plane, or too close together",
            );
            return None;
        };
        if self.shape.is_solid() && !has_volume(&made) {
            faults.add(field, "is too thin or too small for a solid");
            return None;
        }
        Some(made)
    }

    /// What an asset is like was found out when it was read.
    fn check_asset(&self, mesh: &Mesh, faults: &mut Faults) {
        let solid = self.shape.is_solid();
        let least = if solid { 4 } else { 3 };
        if mesh.vertices.len() < least {
            faults.add("asset", format_args!("must have at least {least} vertices"));
        }
        if mesh.reach() > MAX_REACH {
            faults.add(
                "asset",
                format_args!("must lie within {MAX_REACH:e} m of its origin"),
            );
        }
        let (Vec3(min), Vec3(max)) = mesh.bounds();
        if solid
            && min
                .iter()
                .zip(max)
                .any(|(min, max)| max - min < *LENGTHS.start())
        {
            faults.add("asset", "must not lie in one plane");
        }
    }

    fn check_shape(&self, shape: &Shape<'_>, assets: &Assets, faults: &mut Faults) {
        match shape {
            Shape::Cuboid(half_extents) => check_lengths("half_extents", &half_extents.0, faults),
            Shape::Ball(radius) => check_lengths("radius", &[*radius], faults),
            Shape::Capsule(a, b, radius) => {
                match self.half_height {
                    Some(half_height) => check_lengths("half_height", &[half_height], faults),
                    None => check_ends(*a, *b, faults),
                }
                check_lengths("radius", &[*radius], faults);
            }
            Shape::Cylinder(Along {
                half_height,
                radius,
                ..
            })
            | Shape::Cone(Along {
                half_height,
                radius,
                ..
            }) => {
                check_lengths("half_height", &[*half_height], faults);
                check_lengths("radius", &[*radius], faults);
            }
            Shape::Halfspace(normal, offset) => {
                faults.check_direction("normal", *normal);
                #[expect(clippy::cast_possible_truncation, reason = "a round number")]
                let farthest = MAX_DISTANCE as f32;
                faults.check_range("offset", *offset, -farthest..=farthest);
            }
            Shape::Segment(a, b) => check_ends(*a, *b, faults),
            Shape::Triangle(vertices) => check_triangle(vertices, faults),
            Shape::Polyline(vertices, edges) => {
                check_points(vertices, 2, faults);
                if let Some(edges) = edges {
                    check_indices(edges, vertices.len(), faults);
                }
            }
            Shape::ConvexHull(points) => {
                check_solid_points(points, 4, faults);
            }
            Shape::ConvexDecomposition(mesh) => {
                check_solid_points(&mesh.vertices, 3, faults);
                check_indices(&mesh.indices, mesh.vertices.len(), faults);
            }
            Shape::TriMesh(mesh) => {
                check_mesh(mesh, faults);
                check_spread(&mesh.vertices, faults);
            }
            Shape::HeightField(rows, scale) => check_heights(rows, *scale, faults),
            Shape::Compound(parts) => check_parts(parts, assets, faults),
            Shape::Voxels(size, cells) => check_voxels(*size, cells, faults),
        }
    }
}

impl Triangles<'_> {
    fn weight(&self) -> usize {
        mesh_weight(self.vertices.len(), self.indices.len())
    }
}

fn check_lengths(field: &str, lengths: &[f32], faults: &mut Faults) {
    let is_list = lengths.len() > 1 || field == "size";
    for (index, &length) in lengths.iter().enumerate() {
        if is_list {
            faults.check_range(&format!("{field}/{index}"), length, LENGTHS);
        } else {
            faults.check_range(field, length, LENGTHS);
        }
    }
}

fn check_between(field: &str, value: Option<u32>, least: u32, most: u32, faults: &mut Faults) {
    if value.is_some_and(|value| !(least..=most).contains(&value)) {
        faults.add(field, format_args!("must be between {least} and {most}"));
    }
}

fn check_ends(a: Vec3, b: Vec3, faults: &mut Faults) {
    let before = faults.count();
    faults.check_vector("point_a", a, MAX_REACH);
    faults.check_vector("point_b", b, MAX_REACH);
    if faults.count() == before && difference(a, b).length() < f64::from(*LENGTHS.start()) {
        faults.add("point_b", "must be 1e-4 m or more away from point_a");
    }
}

fn check_points(points: &[Vec3], least: usize, faults: &mut Faults) {
    if points.len() < least {
        faults.add("vertices", format_args!("must be at least {least}"));
    }
    let is_bad = |point: Vec3| !point.is_finite() || point.length() > MAX_REACH;
    let bad = (0..).zip(points).filter(|&(_, &point)| is_bad(point));
    for (index, _) in bad.take(MAX_NAMED) {
        faults.check_vector(&format!("vertices/{index}"), points[index], MAX_REACH);
    }
}

fn check_triangle(vertices: &[Vec3], faults: &mut Faults) {
    let &[a, b, c] = vertices else {
        faults.add("vertices", "must be 3");
        return;
    };
    let before = faults.count();
    check_points(vertices, 3, faults);
    if faults.count() > before {
        return;
    }
    let sides = [difference(a, b), difference(b, c), difference(c, a)];
    let longest = sides.map(Vec3::length).into_iter().fold(0.0, f64::max);
    let [Vec3([ux, uy, uz]), Vec3([vx, vy, vz]), _] = sides;
    let cross = [(uy, vz, uz, vy), (uz, vx, ux, vz), (ux, vy, uy, vx)];
    let doubled_area = cross
        .map(|(a, b, c, d)| f64::from(a) * f64::from(b) - f64::from(c) * f64::from(d))
        .map(|component| component * component)
        .iter()
        .sum::<f64>()
        .sqrt();
    let is_flat = longest == 0.0 || doubled_area / longest < f64::from(*LENGTHS.start());
    if is_flat {
        faults.add("vertices", "must not lie on one line");
    }
}

/// A solid is 1e-4 m or more in each direction, once its points are such at all.
fn check_solid_points(points: &[Vec3], least: usize, faults: &mut Faults) {
    let before = faults.count();
    check_points(points, least, faults);
    if faults.count() == before && (0..3).any(|axis| is_thin(points, axis)) {
        faults.add("vertices", "must not lie in one plane");
    }
}

/// What is no solid is 1e-4 m or more in one direction at least.
fn check_spread(points: &[Vec3], faults: &mut Faults) {
    if (0..3).all(|axis| is_thin(points, axis)) && !points.is_empty() {
        faults.add("vertices", "must not all lie in one place");
    }
}

fn is_thin(points: &[Vec3], axis: usize) -> bool {
    let along = || points.iter().map(|point| point.0[axis]);
    let (least, most) = (
        along().fold(f32::MAX, f32::min),
        along().fold(f32::MIN, f32::max),
    );
    most - least < *LENGTHS.start()
}

fn check_indices<const N: usize>(indices: &[[u32; N]], vertices: usize, faults: &mut Faults) {
    if indices.is_empty() {
        faults.add("indices", "must not be empty");
    }
    let is_bad = |corners: &[u32; N]| corners.iter().any(|&corner| corner as usize >= vertices);
    let bad = (0usize..)
        .zip(indices)
        .filter(|(_, corners)| is_bad(corners));
    for (index, _) in bad.take(MAX_NAMED) {
        faults.add(
            &format!("indices/{index}"),
            format_args!("must be less than {vertices}, the number of vertices"),
        );
    }
}

fn check_mesh(mesh: &Triangles<'_>, faults: &mut Faults) {
    check_points(&mesh.vertices, 3, faults);
    check_indices(&mesh.indices, mesh.vertices.len(), faults);
}

fn check_heights(rows: &[Vec<f32>], scale: Vec3, faults: &mut Faults) {
    check_lengths("scale", &scale.0, faults);
    let columns = rows.first().map_or(0, Vec::len);
    if rows.len() < 2 || columns < 2 {
        faults.add("heights", "must have at least 2 rows and 2 columns");
    }
    let [_, scale_y, _] = scale.0;
    let is_bad = |row: &Vec<f32>| {
        let is_high = |height: &f32| f64::from(height * scale_y).abs() > MAX_REACH;
        row.len() != columns
            || row
                .iter()
                .any(|height| !height.is_finite() || is_high(height))
    };
    let bad = (0usize..).zip(rows).filter(|(_, row)| is_bad(row));
    for (index, row) in bad.take(MAX_NAMED) {
        let field = format!("heights/{index}");
        if row.len() == columns {
            faults.add(&field, "must be finite and, times the scale, within 1e5 m");
        } else {
            faults.add(&field, "must be as long as the first row");
        }
    }
}

fn check_parts(parts: &[PartSpec], assets: &Assets, faults: &mut Faults) {
    if parts.is_empty() {
        faults.add("shapes", "must not be empty");
    }
    faults.within("shapes", |faults| {
        for (index, part) in parts.iter().enumerate() {
            faults.within(index, |faults| {
                faults.check_vector("position", part.translation, MAX_REACH);
                faults.check_rotation("orientation", part.rotation);
                if part.shape.is_convex_solid() {
                    part.shape().check(assets, faults);
                } else {
                    faults.add("shape", "cannot be part of a compound");
                }
            });
        }
    });
}

fn check_voxels(size: Vec3, cells: &[Cell], faults: &mut Faults) {
    check_lengths("voxel_size", &size.0, faults);
    if cells.is_empty() {
        faults.add("voxels", "must not be empty");
    }
    let is_far = |Cell(cell): &Cell| {
        cell.iter().zip(size.0).any(|(&index, size)| {
            let reach = f64::from(index) * f64::from(size);
            !(-FARTHEST_CELL..=FARTHEST_CELL).contains(&index) || reach.abs() > MAX_REACH
        })
    };
    let far = (0usize..).zip(cells).filter(|(_, cell)| is_far(cell));
    for (index, _) in far.take(MAX_NAMED) {
        faults.add(
            &format!("voxels/{index}"),
            format_args!("must be within {FARTHEST_CELL} voxels and 1e5 m"),
        );
    }
}

fn difference(Vec3(a): Vec3, Vec3(b): Vec3) -> Vec3 {
    Vec3([a[0] - b[0], a[1] - b[1], a[2] - b[2]])
}
