//! Shapes: the sizes a client gives, and what Rapier makes of them.

use rapier3d::prelude::{ColliderBuilder, SharedShape};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    body::BodySpec,
    fault::{Faults, LENGTHS, MAX_DISTANCE},
    vector::Vec3,
};

/// The shape of a body's collider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShapeKind {
    /// `size` = full extents `[w, h, d]`, m (or `half_extents`).
    #[serde(rename = "box", alias = "cuboid")]
    Cuboid,
    /// `size` = `[radius]`, m (or `radius`).
    #[serde(rename = "sphere", alias = "ball")]
    Ball,
    /// Along y; `size` = `[half_height, radius]`, m (or both by name). The half height is that of
    /// the straight part.
    Capsule,
    /// Along y; `size` = `[half_height, radius]`, m (or both by name).
    Cylinder,
    /// Infinite and always static: all that lies below `normal` at `offset`.
    #[serde(rename = "plane", alias = "halfspace")]
    Halfspace,
}

/// A shape with its size, m.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    Cuboid { half_extents: Vec3 },
    Ball { radius: f32 },
    Capsule { half_height: f32, radius: f32 },
    Cylinder { half_height: f32, radius: f32 },
    Halfspace { normal: Vec3, offset: f32 },
}

/// Notes everything that is wrong with the size of `spec`.
pub(super) fn check(spec: &BodySpec, faults: &mut Faults) {
    let Some(shape) = resolve(spec, faults) else {
        return;
    };
    let mut lengths = |field: &str, values: &[f32]| {
        for (index, &value) in values.iter().enumerate() {
            let place = match (&spec.size, values.len()) {
                (None, 1) => field.to_owned(),
                (None, _) => format!("{field}/{index}"),
                (Some(_), _) => format!("size/{index}"),
            };
            faults.check_range(&place, value, LENGTHS);
        }
    };
    match (&spec.size, shape) {
        (Some(size), _) => lengths("size", size),
        (None, Shape::Cuboid { half_extents }) => lengths("half_extents", &half_extents.0),
        (None, Shape::Ball { radius }) => lengths("radius", &[radius]),
        (
            None,
            Shape::Capsule {
                half_height,
                radius,
            }
            | Shape::Cylinder {
                half_height,
                radius,
            },
        ) => {
            lengths("half_height", &[half_height]);
            lengths("radius", &[radius]);
        }
        (None, Shape::Halfspace { normal, offset }) => {
            faults.check_direction("normal", normal);
            #[expect(clippy::cast_possible_truncation, reason = "a round number")]
            let farthest = MAX_DISTANCE as f32;
            faults.check_range("offset", offset, -farthest..=farthest);
        }
    }
}

/// The collider of a checked specification, without material and mass.
pub(super) fn collider(spec: &BodySpec) -> ColliderBuilder {
    match resolve(spec, &mut Faults::default()).expect("the specification was checked") {
        Shape::Cuboid {
            half_extents: Vec3([x, y, z]),
        } => ColliderBuilder::cuboid(x, y, z),
        Shape::Ball { radius } => ColliderBuilder::ball(radius),
        Shape::Capsule {
            half_height,
            radius,
        } => ColliderBuilder::capsule_y(half_height, radius),
        Shape::Cylinder {
            half_height,
            radius,
        } => ColliderBuilder::cylinder(half_height, radius),
        Shape::Halfspace { normal, offset } => {
            let normal = normal.normalized().into();
            ColliderBuilder::new(SharedShape::halfspace(normal)).translation(normal * offset)
        }
    }
}

/// Reads the size from whichever fields hold it; notes those that are missing or do not belong.
fn resolve(spec: &BodySpec, faults: &mut Faults) -> Option<Shape> {
    let before = faults.count();
    let named = [
        ("half_extents", spec.half_extents.is_some()),
        ("half_height", spec.half_height.is_some()),
        ("radius", spec.radius.is_some()),
        ("normal", spec.normal.is_some()),
        ("offset", spec.offset.is_some()),
    ];
    let (count, needs, allows): (usize, &[&str], &[&str]) = match spec.shape {
        ShapeKind::Cuboid => (3, &["half_extents"], &[]),
        ShapeKind::Ball => (1, &["radius"], &[]),
        ShapeKind::Capsule | ShapeKind::Cylinder => (2, &["half_height", "radius"], &[]),
        ShapeKind::Halfspace => (0, &[], &["normal", "offset"]),
    };
    for (field, given) in named {
        let belongs = needs.contains(&field) || allows.contains(&field);
        match &spec.size {
            _ if given && !belongs => faults.add(field, "does not belong to this shape"),
            Some(_) if given && needs.contains(&field) => {
                faults.add(field, "is already given by size");
            }
            None if !given && needs.contains(&field) => {
                faults.add(
                    "size",
                    format_args!("is required for this shape, or {field}"),
                );
            }
            _ => {}
        }
    }
    if let Some(size) = &spec.size
        && size.len() != count
    {
        faults.add(
            "size",
            format_args!("must hold {count} numbers for this shape"),
        );
    }
    (faults.count() == before).then(|| read(spec))
}

/// Reads the size of a specification whose fields are known to be the right ones.
fn read(spec: &BodySpec) -> Shape {
    let size = |index: usize, named: Option<f32>| match &spec.size {
        Some(size) => size[index],
        None => named.unwrap_or_default(),
    };
    match spec.shape {
        ShapeKind::Cuboid => Shape::Cuboid {
            half_extents: match (&spec.size, spec.half_extents) {
                (Some(size), _) => Vec3([size[0] / 2.0, size[1] / 2.0, size[2] / 2.0]),
                (None, half_extents) => half_extents.unwrap_or_default(),
            },
        },
        ShapeKind::Ball => Shape::Ball {
            radius: size(0, spec.radius),
        },
        ShapeKind::Capsule => Shape::Capsule {
            half_height: size(0, spec.half_height),
            radius: size(1, spec.radius),
        },
        ShapeKind::Cylinder => Shape::Cylinder {
            half_height: size(0, spec.half_height),
            radius: size(1, spec.radius),
        },
        ShapeKind::Halfspace => Shape::Halfspace {
            normal: spec.normal.unwrap_or(Vec3([0.0, 1.0, 0.0])),
            offset: spec.offset.unwrap_or(0.0),
        },
    }
}
