//! Rapier's shapes.

use rapier3d::{
    math::{Pose, Rotation, Vector},
    parry::{
        shape::{SharedShape, TriMesh},
        utils::Array2,
    },
};

use super::{
    Axis, Cell, ShapeSpec,
    decomposition::decomposition,
    resolve::{Along, Shape},
    voxels::{Block, blocks},
};
use crate::physics::{asset::Assets, fault::Faults, vector::Vec3};

impl ShapeSpec {
    /// Rapier's shape of a checked specification, and how it stands in the frame of its collider.
    pub fn shared_shape(&self, assets: &Assets) -> (SharedShape, Pose) {
        let resolved = self.resolve(assets, &mut Faults::default());
        let shape = resolved.expect("the specification was checked");
        let made = make(&shape, self, assets).expect("the specification was checked");
        (made, pose(&shape))
    }
}

/// Makes a shape, if one can be made of its points.
pub(super) fn make(shape: &Shape<'_>, spec: &ShapeSpec, assets: &Assets) -> Option<SharedShape> {
    let border = spec.border_radius;
    Some(match *shape {
        Shape::Cuboid(Vec3([x, y, z])) => match border {
            Some(border) => SharedShape::round_cuboid(x, y, z, border),
            None => SharedShape::cuboid(x, y, z),
        },
        Shape::Ball(radius) => SharedShape::ball(radius),
        Shape::Capsule(a, b, radius) => SharedShape::capsule(a.into(), b.into(), radius),
        Shape::Cylinder(Along {
            half_height,
            radius,
            ..
        }) => match border {
            Some(border) => SharedShape::round_cylinder(half_height, radius, border),
            None => SharedShape::cylinder(half_height, radius),
        },
        Shape::Cone(Along {
            half_height,
            radius,
            ..
        }) => match border {
            Some(border) => SharedShape::round_cone(half_height, radius, border),
            None => SharedShape::cone(half_height, radius),
        },
        Shape::Halfspace(normal, _) => SharedShape::halfspace(normal.normalized().into()),
        Shape::Segment(a, b) => SharedShape::segment(a.into(), b.into()),
        Shape::Triangle(vertices) => {
            let &[a, b, c] = vertices else { return None };
            let [a, b, c] = [a, b, c].map(Vector::from);
            match border {
                Some(border) => SharedShape::round_triangle(a, b, c, border),
                None => SharedShape::triangle(a, b, c),
            }
        }
        Shape::Polyline(vertices, edges) => {
            SharedShape::polyline(points(vertices), edges.map(<[_]>::to_vec))
        }
        Shape::ConvexHull(ref vertices) => hull(vertices, border)?,
        Shape::ConvexDecomposition(ref mesh) => decomposition(mesh, spec, border)?,
        Shape::TriMesh(ref mesh) => {
            if let Some(asset) = &spec.asset {
                return assets.mesh(asset)?.trimesh();
            }
            let mesh = TriMesh::new(points(&mesh.vertices), mesh.indices.to_vec());
            SharedShape::new(mesh.ok()?)
        }
        Shape::HeightField(rows, scale) => {
            let columns = rows.first()?.len();
            let heights = Array2::from_fn(rows.len(), columns, |row, column| rows[row][column]);
            SharedShape::heightfield(heights, scale.into())
        }
        Shape::Compound(parts) => {
            let parts = parts.iter().map(|part| {
                let spec = part.shape();
                let shape = spec.resolve(assets, &mut Faults::default())?;
                let pose_in_part = pose(&shape);
                let place =
                    Pose::from_parts(part.translation.into(), part.rotation.normalized().into());
                Some((place * pose_in_part, make(&shape, &spec, assets)?))
            });
            SharedShape::compound(parts.collect::<Option<Vec<_>>>()?)
        }
        Shape::Voxels(size, cells) => voxels(size, cells),
    })
}

/// How a shape stands in the frame of its collider.
fn pose(shape: &Shape<'_>) -> Pose {
    if let Shape::Halfspace(normal, offset) = *shape {
        let normal: Vector = normal.normalized().into();
        Pose::from_translation(normal * offset)
    } else if let Shape::Cylinder(Along { axis, .. }) | Shape::Cone(Along { axis, .. }) = *shape {
        Pose::from_rotation(axis.turn())
    } else {
        Pose::IDENTITY
    }
}

pub(super) fn hull(vertices: &[Vec3], border: Option<f32>) -> Option<SharedShape> {
    let vertices = points(vertices);
    match border {
        Some(border) => SharedShape::round_convex_hull(&vertices, border),
        None => SharedShape::convex_hull(&vertices),
    }
}

/// Whether the engine finds a volume and an inertia with which it can compute.
pub(super) fn has_volume(shape: &SharedShape) -> bool {
    let of_unit_density = shape.mass_properties(1.0);
    let inertia = of_unit_density.principal_inertia().to_array();
    let is_sane = |number: f32| number.is_finite() && number > 0.0;
    is_sane(of_unit_density.mass())
        && is_sane(of_unit_density.inv_mass)
        && inertia.into_iter().all(is_sane)
        && of_unit_density.local_com.is_finite()
        && of_unit_density.principal_inertia_local_frame.is_finite()
}

fn voxels(size: Vec3, cells: &[Cell]) -> SharedShape {
    let size: Vector = size.into();
    let boxes = blocks(cells).into_iter().map(|Block { least, beyond }| {
        let [least, beyond] = [least, beyond].map(|[x, y, z]| {
            #[expect(
                clippy::cast_precision_loss,
                reason = "cells are within 1e6 of the origin"
            )]
            let corner = Vector::new(x as f32, y as f32, z as f32);
            corner * size
        });
        let half = (beyond - least) * 0.5;
        let shape = SharedShape::cuboid(half.x, half.y, half.z);
        (Pose::from_translation((least + beyond) * 0.5), shape)
    });
    SharedShape::compound(boxes.collect())
}

pub(super) fn points(vertices: &[Vec3]) -> Vec<Vector> {
    vertices.iter().map(|&vertex| vertex.into()).collect()
}

impl Axis {
    /// What turns the y axis into this one.
    fn turn(self) -> Rotation {
        let eighth = std::f32::consts::FRAC_1_SQRT_2;
        match self {
            Self::X => Rotation::from_xyzw(0.0, 0.0, -eighth, eighth),
            Self::Y => Rotation::IDENTITY,
            Self::Z => Rotation::from_xyzw(eighth, 0.0, 0.0, eighth),
        }
    }
}
