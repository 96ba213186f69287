//! The geoms of a model: what they weigh, and which of them collide.

use std::collections::HashMap;

use mjcf_rs::{
    Model, Pose,
    assets::Mesh,
    body::{Geom as Source, GeomType},
    glam::{DQuat, DVec3},
};

use super::Converter;
use crate::{
    imports::{
        check_limit,
        inertia::{Inertia, volume},
        notes::shortened,
        robot::{Geom, Link, Shape},
    },
    physics::PhysicsError,
};

/// How many points of meshes all geoms of a model may have together.
const MAX_IMPORT_POINTS: usize = 200_000;

/// What geoms collide as, and with.
#[derive(Clone, Copy, Default)]
pub(super) struct Affinity {
    contype: u32,
    conaffinity: u32,
}

/// The meshes of a model by their names.
pub(super) fn meshes_of(model: &Model) -> HashMap<&str, &Mesh> {
    let meshes = model.assets.meshes.iter();
    // Of several the first one is meant.
    let named = meshes
        .rev()
        .filter_map(|mesh| Some((mesh.name.as_deref()?, mesh)));
    named.collect()
}

/// Refuses more points than there is room for: every geom has its own.
pub(super) fn check_points(
    model: &Model,
    meshes: &HashMap<&str, &Mesh>,
) -> Result<(), PhysicsError> {
    let geoms = model.bodies.iter().flat_map(|entry| &entry.body.geoms);
    let points = geoms.filter_map(|geom| {
        let mesh = meshes.get(geom.mesh.as_deref()?)?;
        mesh.inline_vertices
            .as_ref()
            .map(|numbers| numbers.len() / 3)
    });
    check_limit("MAX_IMPORT_POINTS", MAX_IMPORT_POINTS, points.sum())
}

/// For each body, what the geoms of all others but the world collide as, and with.
pub(super) fn others(model: &Model) -> Vec<Affinity> {
    let own = model.bodies.iter().enumerate().map(|(index, entry)| {
        let geoms = entry.body.geoms.iter().filter(|_| index > 0);
        geoms.fold(Affinity::default(), |sum, geom| {
            sum.with(Affinity {
                contype: geom.contype,
                conaffinity: geom.conaffinity,
            })
        })
    });
    let own: Vec<_> = own.collect();
    let mut others = vec![Affinity::default(); own.len()];
    let mut before = Affinity::default();
    for (others, own) in others.iter_mut().zip(&own) {
        *others = before;
        before = before.with(*own);
    }
    let mut behind = Affinity::default();
    for (others, own) in others.iter_mut().zip(&own).rev() {
        *others = others.with(behind);
        behind = behind.with(*own);
    }
    others
}

impl Affinity {
    fn with(self, other: Self) -> Self {
        Self {
            contype: self.contype | other.contype,
            conaffinity: self.conaffinity | other.conaffinity,
        }
    }
}

impl Converter<'_> {
    /// Adds the geoms of a body that collide.
    pub(super) fn add_geoms(&mut self, index: usize, link: &mut Link) {
        let model = self.model;
        for source in &model.bodies[index].body.geoms {
            if source.contype == 0 && source.conaffinity == 0 {
                continue;
            }
            let Some((shape, pose)) = self.shape_of(source) else {
                let name = source.name.as_deref();
                let name = name.unwrap_or(&link.names[0]);
                let name = shortened(name, 64);
                self.notes
                    .ignore(format_args!("geom {name}: its shape is not known here"));
                continue;
            };
            link.geoms.push(Geom {
                shape,
                pose,
                friction: Some(source.friction[0]),
                meets_robot: self.meets_robot(source, index),
            });
        }
    }

    pub(super) fn inertia_of_geoms(&self, index: usize) -> Option<Inertia> {
        let geoms = self.model.bodies[index].body.geoms.iter();
        geoms
            .filter_map(|source| {
                let (shape, pose) = self.shape_of(source)?;
                let density = source.density.unwrap_or(self.density);
                let mass = match source.mass {
                    Some(mass) => mass,
                    None => volume(&shape)? * density,
                };
                Inertia::of(&shape, pose, mass)
            })
            .reduce(Inertia::plus)
            .filter(|inertia| inertia.mass > 0.0)
    }

    /// Whether a geom collides with what moves and is no part of the same body.
    fn meets_robot(&self, source: &Source, index: usize) -> bool {
        let others = self.others[index];
        source.contype & others.conaffinity != 0 || others.contype & source.conaffinity != 0
    }

    /// The shape of a geom and its pose in the body.
    fn shape_of(&self, source: &Source) -> Option<(Shape, Pose)> {
        let (size, pose) = extent(source);
        let [x, y, z] = size;
        let shape = match source.type_ {
            GeomType::Plane => Shape::Plane,
            GeomType::Sphere => Shape::Sphere { radius: x },
            GeomType::Capsule => Shape::Capsule {
                half_height: y,
                radius: x,
            },
            GeomType::Cylinder => Shape::Cylinder {
                half_height: y,
                radius: x,
            },
            GeomType::Box => Shape::Box {
                half_extents: DVec3::new(x, y, z),
            },
            GeomType::Ellipsoid => Shape::Ellipsoid {
                radii: DVec3::new(x, y, z),
            },
            GeomType::Mesh => self.mesh(source)?,
            GeomType::Hfield | GeomType::Sdf => return None,
        };
        Some((shape, pose))
    }

    fn mesh(&self, source: &Source) -> Option<Shape> {
        let mesh = *self.meshes.get(source.mesh.as_deref()?)?;
        if mesh.refpose != Pose::IDENTITY {
            return None;
        }
        let scale = DVec3::from_array(mesh.scale);
        if let Some(numbers) = &mesh.inline_vertices {
            let (points, _) = numbers.as_chunks::<3>();
            let points = points.iter();
            let points = points.map(|point| DVec3::from_array(*point) * scale);
            return Some(Shape::Hull {
                points: points.collect(),
            });
        }
        let file = mesh.file.clone()?;
        Some(Shape::Mesh { file, scale })
    }
}

/// The size and the pose of a geom, which may be given by its two ends.
fn extent(source: &Source) -> ([f64; 3], Pose) {
    let Some([ax, ay, az, bx, by, bz]) = source.fromto else {
        return (source.size, source.pose);
    };
    let (from, to) = (DVec3::new(ax, ay, az), DVec3::new(bx, by, bz));
    let along = to - from;
    let mut size = source.size;
    match source.type_ {
        GeomType::Capsule | GeomType::Cylinder => size[1] = along.length() / 2.0,
        // Of these the first number is the half width in both other directions.
        GeomType::Box | GeomType::Ellipsoid => size = [size[0], size[0], along.length() / 2.0],
        GeomType::Plane | GeomType::Hfield | GeomType::Sphere | GeomType::Mesh | GeomType::Sdf => {}
    }
    let turn = along.try_normalize();
    let turn = turn.map_or(DQuat::IDENTITY, |it| DQuat::from_rotation_arc(DVec3::Z, it));
    (size, Pose::from_parts((from + to) / 2.0, turn))
}
