//! Shapes that were made of assets, cut out of what the engine wrote down and put back again.
//!
//! The engine writes every shape in full, though a large one can be made again of a mesh that is
//! kept elsewhere. What stands for it is a place and a checksum: nothing is put back that differs
//! from what was cut out.

use std::{collections::BTreeSet, sync::Arc};

use memchr::memmem::Finder;
use rapier3d::prelude::{PhysicsWorld, SharedShape};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::{asset::Assets, roster::Roster, shape::ShapeSpec};

/// Shapes of fewer bytes are left where they are.
const MIN_CUT: usize = 1024;
/// The most bytes that shapes may take together when they are back: a few forged cuts may claim
/// far more.
const MAX_PUT_BACK: usize = 512 << 20;

/// A shape that is made again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Cut {
    /// Of which collider of which body it was, and of all others that are made alike.
    body: usize,
    collider: usize,
    /// The checksum of its bytes.
    sum: u128,
    /// Where it stood, in the bytes without any.
    places: Vec<usize>,
}

/// Takes all shapes that were made of assets out of `written`, what `engine` has written down.
pub(super) fn take_out(
    written: &[u8],
    engine: &PhysicsWorld,
    roster: &Roster,
) -> (Vec<u8>, Vec<Cut>) {
    let mut cuts = Vec::new();
    // Where it begins, its length, and whose it is.
    let mut found: Vec<(usize, usize, usize)> = Vec::new();
    for (body, collider) in made_of_assets(roster) {
        let handle = roster.body_at_index(body).handle;
        let collider_handle = engine.bodies[handle].colliders()[collider];
        let bytes = bytes_of(engine.colliders[collider_handle].shared_shape());
        if bytes.len() < MIN_CUT {
            continue;
        }
        let places = Finder::new(&bytes);
        let places = places.find_iter(written);
        found.extend(places.map(|place| (place, bytes.len(), cuts.len())));
        cuts.push(Cut {
            body,
            collider,
            sum: xxh3_128(&bytes),
            places: Vec::new(),
        });
    }
    found.sort_unstable();
    let (mut rest, mut end) = (Vec::new(), 0);
    for (place, length, cut) in found {
        // One that is part of another has gone with it; of two side by side it could not be told
        // afterwards which one was first.
        if place > end || end == 0 {
            rest.extend_from_slice(&written[end..place]);
            cuts[cut].places.push(rest.len());
            end = place + length;
        }
    }
    rest.extend_from_slice(&written[end..]);
    cuts.retain(|cut| !cut.places.is_empty());
    (rest, cuts)
}

/// Puts all shapes back; nothing if one of them is not what it was.
pub(super) fn put_back(
    rest: &[u8],
    cuts: &[Cut],
    roster: &Roster,
    assets: &Assets,
) -> Option<Vec<u8>> {
    let mut places = Vec::new();
    let mut length = rest.len();
    for cut in cuts {
        let spec = &roster.bodies.get_index(cut.body)?.1.spec;
        let shape = spec.colliders().get(cut.collider)?.shape();
        if !has_all(&shape, assets) {
            return None;
        }
        let bytes = bytes_of(&shape.shared_shape(assets).0);
        let added = bytes.len().checked_mul(cut.places.len())?;
        length = length.checked_add(added)?;
        if xxh3_128(&bytes) != cut.sum || length > MAX_PUT_BACK {
            return None;
        }
        let bytes = Arc::<[u8]>::from(bytes);
        places.extend(cut.places.iter().map(|&place| (place, bytes.clone())));
    }
    places.sort_unstable_by_key(|(place, _)| *place);
    let (mut whole, mut end) = (Vec::with_capacity(length), 0);
    for (place, bytes) in places {
        whole.extend_from_slice(rest.get(end..place)?);
        whole.extend_from_slice(&bytes);
        end = place;
    }
    whole.extend_from_slice(rest.get(end..)?);
    Some(whole)
}

/// The first collider of each shape that names an asset, by the places of body and collider.
fn made_of_assets(roster: &Roster) -> Vec<(usize, usize)> {
    let mut shapes: Vec<ShapeSpec> = Vec::new();
    let mut first = Vec::new();
    for (body, spec) in roster.bodies.values().map(|body| &body.spec).enumerate() {
        if !spec.is_made_of_assets() {
            continue;
        }
        for (collider, spec) in spec.colliders().iter().enumerate() {
            let shape = spec.shape();
            if shape.is_made_of_assets() && !shapes.contains(&shape) {
                shapes.push(shape);
                first.push((body, collider));
            }
        }
    }
    first
}

fn has_all(shape: &ShapeSpec, assets: &Assets) -> bool {
    let mut named = BTreeSet::new();
    shape.name_assets(&mut named);
    named.iter().all(|id| assets.mesh(id).is_some())
}

fn bytes_of(shape: &SharedShape) -> Vec<u8> {
    postcard::to_stdvec(shape).expect("the engine has no unwritable values")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::physics::{
        AssetId, BodySpec, Command, Mesh, Snapshot, Steps, World, WorldConfig, WorldLimits,
    };

    /// So many squares along each side of a wavy landscape, two triangles each.
    const SQUARES: u16 = 100;

    fn landscape() -> Mesh {
        let side = SQUARES + 1;
        let vertices = (0..side * side).map(|n| {
            let (x, z) = (f32::from(n % side), f32::from(n / side));
            [
                x - 50.0,
                ((x / 7.0).sin() + (z / 5.0).cos()) * 0.3,
                z - 50.0,
            ]
        });
        let squares = (0..SQUARES * SQUARES).flat_map(|n| {
            let first = u32::from(n / SQUARES * side + n % SQUARES);
            let side = u32::from(side);
            [
                [first, first + side, first + 1],
                [first + 1, first + side, first + side + 1],
            ]
        });
        Mesh::new(vertices.collect(), squares.collect()).unwrap()
    }

    /// An octahedron of this radius.
    fn octahedron(r: f32) -> Mesh {
        let vertices = vec![
            [r, 0.0, 0.0],
            [-r, 0.0, 0.0],
            [0.0, r, 0.0],
            [0.0, -r, 0.0],
            [0.0, 0.0, r],
            [0.0, 0.0, -r],
        ];
        let faces = [
            [0, 2, 4],
            [2, 1, 4],
            [1, 3, 4],
            [3, 0, 4],
            [2, 0, 5],
            [1, 2, 5],
            [3, 1, 5],
            [0, 3, 5],
        ];
        Mesh::new(vertices, faces.to_vec()).unwrap()
    }

    fn id(digit: &str) -> AssetId {
        AssetId::from(digit.repeat(64).as_str())
    }

    fn assets() -> Assets {
        let meshes = [(id("a"), landscape()), (id("b"), octahedron(0.5))];
        let meshes = meshes.into_iter();
        meshes.map(|(id, mesh)| (id, Arc::new(mesh))).collect()
    }

    fn apply(world: &mut World, command: &Command) {
        world.apply(command, &WorldLimits::unlimited()).unwrap();
    }

    /// A world with these bodies after so many steps.
    fn world(bodies: Value, steps: u32) -> World {
        let mut world = World::new(WorldConfig::default());
        world.provide(&assets());
        let bodies: Vec<BodySpec> = serde_json::from_value(bodies).unwrap();
        apply(&mut world, &Command::AddBodies(bodies));
        let count = steps;
        apply(&mut world, &Command::Step(Steps { count, dt: None }));
        world
    }

    fn crowd(of_assets: bool) -> Value {
        let ball = json!({"id": "ball", "shape": "sphere", "radius": 0.4, "position": [0, 3, 0]});
        if !of_assets {
            return json!([ball]);
        }
        let (land, gem) = (id("a"), id("b"));
        json!([
            ball,
            {"id": "land", "kind": "static", "shape": "mesh", "asset": land},
            {"id": "again", "kind": "static", "shape": "mesh", "asset": land, "position": [0, -9, 0]},
            {"id": "gem", "shape": "convex_hull", "asset": gem, "position": [3, 2, 1]},
            {"id": "parts", "shape": "convex_decomposition", "asset": gem, "position": [-4, 2, 1]},
            {"id": "pair", "position": [8, 2, 1], "colliders": [
                {"shape": "sphere", "radius": 0.3},
                {"shape": "convex_hull", "asset": gem, "position": [0.6, 0, 0]},
            ]},
        ])
    }

    #[test]
    fn a_snapshot_holds_no_mesh_and_goes_on_bit_for_bit() {
        let mut original = world(crowd(true), 40);
        let snapshot = Snapshot::take(&original);
        let without = Snapshot::take(&world(crowd(false), 40));
        let (large, small) = (snapshot.as_bytes().len(), without.as_bytes().len());
        assert!(large < small + 20_000, "{large} instead of {small} bytes");
        let whole = postcard::to_stdvec(&original.engine).unwrap().len();
        assert!(whole > 1_000_000, "the engine writes {whole} bytes");

        let mut restored = snapshot.restore(&original.assets_in_use()).unwrap();
        for _ in 0..500 {
            for world in [&mut original, &mut restored] {
                apply(world, &Command::Step(Steps { count: 1, dt: None }));
            }
            assert_eq!(restored.state_hash(), original.state_hash());
        }
        let again = Snapshot::take(&restored);
        assert_eq!(again.as_bytes(), Snapshot::take(&original).as_bytes());
    }

    #[test]
    fn another_mesh_is_never_put_in_the_place_of_one() {
        let snapshot = Snapshot::take(&world(crowd(true), 40));
        let mut others = assets();
        assert!(snapshot.restore(&others).is_ok());
        let mut mesh = landscape();
        mesh.vertices[7].0[1] += 1e-6;
        others.insert(id("a"), Arc::new(mesh));
        assert!(snapshot.restore(&others).is_err());
        assert!(snapshot.restore(&Assets::default()).is_err());
    }

    #[test]
    fn bodies_of_one_mesh_share_its_shape() {
        let world = world(crowd(true), 1);
        let shape = |name: &str| {
            let name = crate::id::BodyId::parse(name).unwrap();
            let handle = world.roster.bodies[&name].handle;
            let collider = world.engine.bodies[handle].colliders()[0];
            Arc::clone(&world.engine.colliders[collider].shared_shape().0)
        };
        assert!(Arc::ptr_eq(&shape("land"), &shape("again")));
    }
}
