//! Meshes that are taken apart into convex solids.

use std::{collections::BTreeSet, ops::RangeInclusive, panic::catch_unwind};

use rapier3d::{
    math::{Pose, Vector},
    parry::{
        shape::SharedShape,
        transformation::{
            try_convex_hull,
            vhacd::{VHACD, VHACDParameters},
        },
    },
};

use super::{
    ShapeSpec,
    build::{has_volume, hull, points},
    resolve::Triangles,
};
use crate::physics::vector::Vec3;

/// How finely a decomposition can look at a mesh, in voxels along its longest side.
pub(super) const RESOLUTIONS: RangeInclusive<u32> = 8..=64;
/// How finely it does unless it is told.
const RESOLUTION: u32 = 32;
/// Parts that fill less of the hull than this are taken for no decomposition at all.
const LEAST_FILL: f32 = 1e-3;
/// How many parts a decomposition has at most unless it is told.
const MAX_HULLS: u32 = 16;
/// How much longer it takes to halve what some voxels fill than to look at each of them, measured.
const HALVING_PASSES: f64 = 4.0;
/// How many parts the engine takes a mesh apart into at least, if it does at all.
const LEAST_PARTS: u32 = 4;

/// The corners and the triangles of a convex solid.
type Solid = (Vec<Vector>, Vec<[u32; 3]>);

/// Convex parts of a mesh; its hull where the engine finds none that come to anything.
pub(super) fn decomposition(
    mesh: &Triangles<'_>,
    spec: &ShapeSpec,
    border: Option<f32>,
) -> Option<SharedShape> {
    let most = spec.max_hulls.unwrap_or(MAX_HULLS);
    let resolution = spec.resolution.unwrap_or(RESOLUTION);
    let hull = hull(&mesh.vertices, border)?;
    if most == 1 {
        return Some(hull);
    }
    // It asserts what few meshes of accident or malice keep to.
    let parts = catch_unwind(|| {
        let parts = at_most(most as usize, solids(mesh, resolution, most));
        let parts = parts.into_iter().filter_map(|(vertices, indices)| {
            let part = match border {
                Some(border) => SharedShape::round_convex_mesh(vertices, &indices, border),
                None => SharedShape::convex_mesh(vertices, &indices),
            };
            part.map(|part| (Pose::IDENTITY, part))
        });
        parts
            .filter(|(_, part)| has_volume(part))
            .collect::<Vec<_>>()
    });
    match parts {
        Ok(parts)
            if parts.iter().map(|(_, part)| volume_of(part)).sum::<f32>()
                >= LEAST_FILL * volume_of(&hull) =>
        {
            Some(SharedShape::compound(parts))
        }
        Ok(_) | Err(_) => Some(hull),
    }
}

/// How many voxels the engine looks at: for each triangle all in the box around it, to find those
/// that it passes through, and then all that there may be, to halve what they fill.
pub(super) fn voxels_looked_at(
    vertices: &[Vec3],
    indices: &[[u32; 3]],
    resolution: Option<u32>,
) -> usize {
    let (coarsest, finest) = RESOLUTIONS.into_inner();
    let resolution = resolution.unwrap_or(RESOLUTION).clamp(coarsest, finest);
    let resolution = f64::from(resolution);
    let along = |axis: usize| {
        let all = vertices.iter().map(move |vertex| vertex.0[axis]);
        let (least, most) = (
            all.clone().fold(f32::MAX, f32::min),
            all.fold(f32::MIN, f32::max),
        );
        (f64::from(least), f64::from(most))
    };
    let bounds = [0, 1, 2].map(along);
    let longest = bounds
        .iter()
        .map(|(least, most)| most - least)
        .fold(0.0, f64::max);
    let voxel = longest / (resolution - 1.0);
    let count = |triangle: &[u32; 3]| {
        let corners = triangle.map(|corner| vertices.get(corner as usize));
        let extent = |axis: usize| {
            let all = corners
                .iter()
                .flatten()
                .map(|vertex| f64::from(vertex.0[axis]));
            let (least, most) = (
                all.clone().fold(f64::MAX, f64::min),
                all.fold(f64::MIN, f64::max),
            );
            // It is in one more than its extent has, and the engine looks at one more on each side.
            ((most - least) / voxel + 3.0).clamp(1.0, resolution)
        };
        extent(0) * extent(1) * extent(2)
    };
    let passed: f64 = distinct(indices).iter().map(count).sum();
    let looked_at = passed + HALVING_PASSES * resolution.powi(3);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what is no number or too large is refused all the same"
    )]
    let looked_at = looked_at as usize;
    looked_at
}

/// The convex solids that the engine takes a mesh apart into. It halves what is not convex enough,
/// and once more often than it takes for as many parts as it is asked for; it never joins any.
fn solids(mesh: &Triangles<'_>, resolution: u32, most: u32) -> Vec<Solid> {
    let halvings = most.max(LEAST_PARTS).ilog2();
    let parameters = VHACDParameters {
        resolution,
        max_convex_hulls: 1 << (halvings - 1),
        ..VHACDParameters::default()
    };
    let (vertices, indices) = (points(&mesh.vertices), distinct(&mesh.indices));
    let decomposed = VHACD::decompose(&parameters, &vertices, &indices, true);
    decomposed.compute_exact_convex_hulls(&vertices, &indices)
}

/// Joins solids that lie best together until there are few enough.
fn at_most(most: usize, mut solids: Vec<Solid>) -> Vec<Solid> {
    while solids.len() > most {
        let pairs = (1..solids.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
        let joined = pairs.filter_map(|(a, b)| {
            let both = [&solids[a].0[..], &solids[b].0].concat();
            let joined = try_convex_hull(&both).ok()?;
            let added = volume(&joined) - volume(&solids[a]) - volume(&solids[b]);
            Some((added, a, b, joined))
        });
        let best = joined.min_by(|(one, ..), (other, ..)| one.total_cmp(other));
        let Some((_, a, b, joined)) = best else {
            solids.clear();
            break;
        };
        solids.remove(b);
        solids[a] = joined;
    }
    solids
}

fn volume((vertices, indices): &Solid) -> f32 {
    let shape = SharedShape::convex_mesh(vertices.clone(), indices);
    shape.map_or(0.0, |shape| volume_of(&shape))
}

fn volume_of(shape: &SharedShape) -> f32 {
    shape.mass_properties(1.0).mass()
}

/// The triangles without those that have the same corners as another one before.
fn distinct(triangles: &[[u32; 3]]) -> Vec<[u32; 3]> {
    let mut seen = BTreeSet::new();
    let is_new = |triangle: &&[u32; 3]| {
        let mut corners = **triangle;
        corners.sort_unstable();
        seen.insert(corners)
    };
    triangles.iter().filter(is_new).copied().collect()
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use serde_json::json;

    use super::*;
    use crate::physics::{
        NO_ASSETS, error::PhysicsError, limits::check_decompositions, shape::bulk,
    };

    /// A ring of so many sections.
    fn ring(sections: u16) -> (Vec<[f32; 3]>, Vec<[u16; 3]>) {
        let corners = 8;
        let vertices = (0..sections * corners).map(|n| {
            let around = f32::from(n / corners) / f32::from(sections) * TAU;
            let across = f32::from(n % corners) / f32::from(corners) * TAU;
            let radius = 1.0 + 0.3 * across.cos();
            [
                radius * around.cos(),
                0.3 * across.sin(),
                radius * around.sin(),
            ]
        });
        let at = |section: u16, corner: u16| section % sections * corners + corner % corners;
        let triangles = (0..sections * corners).flat_map(|n| {
            let (section, corner) = (n / corners, n % corners);
            let next = at(section, corner + 1);
            let across = at(section + 1, corner);
            [
                [at(section, corner), next, across],
                [across, next, at(section + 1, corner + 1)],
            ]
        });
        (vertices.collect(), triangles.collect())
    }

    fn spec(vertices: &[[f32; 3]], indices: &[[u16; 3]], resolution: u32) -> ShapeSpec {
        let spec = json!({"shape": "convex_decomposition", "vertices": vertices,
            "indices": indices, "resolution": resolution});
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn there_are_never_more_hulls_than_asked_for_and_the_ring_is_filled_by_all_of_them() {
        let (vertices, indices) = ring(16);
        let mut fewest = f32::MAX;
        for most in [1, 2, 3, 4, 7, 8, 16] {
            let mut ring = spec(&vertices, &indices, 16);
            ring.max_hulls = Some(most);
            let (shape, _) = ring.shared_shape(&NO_ASSETS);
            let parts = shape.as_compound().map_or(1, |parts| parts.shapes().len());
            assert!(parts <= most as usize, "{parts} instead of {most}");
            assert!(parts > most as usize / 4, "{parts} instead of {most}");
            // The more parts there are, the closer they come.
            let volume = shape.mass_properties(1.0).mass();
            assert!(volume < 1.05 * fewest, "{volume} m³ of {parts} parts");
            fewest = volume.min(fewest);
        }
        // 2π² · 1 · 0.3² of a torus.
        assert!((1.5..2.2).contains(&fewest), "{fewest} m³");
    }

    #[test]
    fn equal_triangles_are_looked_at_once_and_too_many_large_ones_are_refused() {
        let (vertices, indices) = ring(16);
        let many: Vec<_> = (0..40)
            .flat_map(|turn| {
                indices.iter().map(move |it| {
                    let mut corners = *it;
                    corners.rotate_left(turn % 3);
                    corners
                })
            })
            .collect();
        let (one, all) = (spec(&vertices, &indices, 64), spec(&vertices, &many, 64));
        let looked_at =
            |spec: &ShapeSpec| bulk!(spec.shape, spec, &[]).decomposition_voxels(&NO_ASSETS);
        assert_eq!(looked_at(&one), looked_at(&all));
        assert!(check_decompositions(looked_at(&all)).is_ok());
        let shapes = [one, all].map(|spec| spec.shared_shape(&NO_ASSETS).0);
        let [one, all] = shapes.map(|shape| {
            let parts = shape.as_compound().unwrap().shapes().iter();
            let parts = parts.map(|(_, part)| (part.compute_local_aabb(), volume_of(part)));
            parts.collect::<Vec<_>>()
        });
        assert!(one.len() > 4);
        assert_eq!(one, all);

        // From each side of the ring to the other.
        let across: Vec<_> = (0..60_u16)
            .flat_map(|n| (24..42).map(move |m| [n, n + 64, (n + m) % 128]))
            .collect();
        let [fine, coarse] = [64, 16].map(|resolution| {
            let voxels = looked_at(&spec(&vertices, &across, resolution));
            check_decompositions(voxels)
        });
        let too_many =
            matches!(fine, Err(PhysicsError::LimitExceeded { used, .. }) if used > 8_000_000);
        assert!(too_many, "{fine:?}");
        assert!(coarse.is_ok());
    }
}
