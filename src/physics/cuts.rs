//! Shapes that were made of assets, cut out of what the engine wrote down and put back again.
//!
//! The engine writes every shape in full, though a large one can be made again of a mesh that is
//! kept elsewhere. What stands for it is a place and a checksum: nothing is put back that differs
//! from what was cut out.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use memchr::memmem;
use rapier3d::prelude::{ColliderHandle, PhysicsWorld, SharedShape};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::{asset::Assets, roster::Roster, shape::ShapeSpec};

/// Shapes of fewer bytes are left where they are.
const MIN_CUT: usize = 1024;
/// The most bytes of shapes that are put back: a few forged cuts may claim far more. No more than
/// that is taken out.
const MAX_PUT_BACK: usize = if cfg!(test) { 4 << 20 } else { 512 << 20 };

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

/// Takes shapes that were made of assets out of `written`, what `engine` has written down.
pub(super) fn take_out(
    written: &[u8],
    engine: &PhysicsWorld,
    roster: &Roster,
) -> (Vec<u8>, Vec<Cut>) {
    let mut cuts: Vec<Cut> = Vec::new();
    let mut known: BTreeMap<u128, usize> = BTreeMap::new();
    let (mut rest, mut end, mut taken) = (Vec::new(), 0, 0);
    // Each is looked for behind the one before: all of them together are one pass.
    for (handle, body, collider) in made_of_assets(engine, roster) {
        let bytes = bytes_of(engine.colliders[handle].shared_shape());
        if bytes.len() < MIN_CUT || taken + bytes.len() > MAX_PUT_BACK {
            continue;
        }
        let Some(ahead) = memmem::find(&written[end..], &bytes) else {
            continue;
        };
        // Of two side by side it could not be told afterwards which one was first.
        if ahead == 0 && end > 0 {
            continue;
        }
        rest.extend_from_slice(&written[end..end + ahead]);
        end += ahead + bytes.len();
        taken += bytes.len();
        let sum = xxh3_128(&bytes);
        let cut = *known.entry(sum).or_insert_with(|| {
            cuts.push(Cut {
                body,
                collider,
                sum,
                places: Vec::new(),
            });
            cuts.len() - 1
        });
        cuts[cut].places.push(rest.len());
    }
    rest.extend_from_slice(&written[end..]);
    (rest, cuts)
}

/// Puts all shapes back; nothing if one of them is not what it was.
pub(super) fn put_back(
    rest: &[u8],
    cuts: &[Cut],
    roster: &Roster,
    assets: &Assets,
) -> Option<Vec<u8>> {
    let (mut places, mut added) = (Vec::new(), 0_usize);
    for cut in cuts {
        let spec = &roster.bodies.get_index(cut.body)?.1.spec;
        let shape = spec.colliders().get(cut.collider)?.shape();
        if !has_all(&shape, assets) {
            return None;
        }
        let bytes = bytes_of(&shape.shared_shape(assets).0);
        added = added.checked_add(bytes.len().checked_mul(cut.places.len())?)?;
        if xxh3_128(&bytes) != cut.sum || added > MAX_PUT_BACK {
            return None;
        }
        let bytes = Arc::<[u8]>::from(bytes);
        places.extend(cut.places.iter().map(|&place| (place, bytes.clone())));
    }
    places.sort_unstable_by_key(|(place, _)| *place);
    let (mut whole, mut end) = (Vec::with_capacity(rest.len() + added), 0);
    for (place, bytes) in places {
        whole.extend_from_slice(rest.get(end..place)?);
        whole.extend_from_slice(&bytes);
        end = place;
    }
    whole.extend_from_slice(rest.get(end..)?);
    Some(whole)
}

/// The colliders whose shapes name assets, as they follow each other where the engine writes them
/// down; each with the place of its body, and its own among those of the body.
fn made_of_assets(engine: &PhysicsWorld, roster: &Roster) -> Vec<(ColliderHandle, usize, usize)> {
    let mut found = Vec::new();
    for (index, body) in roster.bodies.values().enumerate() {
        let handles = engine.bodies[body.handle].colliders();
        let shapes = body.spec.bulks().zip(handles).enumerate();
        let made = shapes.filter(|(_, (shape, _))| shape.is_made_of_assets());
        found.extend(made.map(|(collider, (_, &handle))| (handle, index, collider)));
    }
    found.sort_unstable_by_key(|(handle, ..)| handle.into_raw_parts());
    found
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

    /// Points all around a ball of radius 1.
    fn pebble() -> Mesh {
        let vertices = (0..100_u16).map(|n| {
            let height = 0.99 - f32::from(n) * 0.02;
            let (radius, angle) = ((1.0 - height * height).sqrt(), f32::from(n) * 2.4);
            [radius * angle.cos(), height, radius * angle.sin()]
        });
        Mesh::new(vertices.collect(), vec![[0, 1, 2]]).unwrap()
    }

    fn id(digit: &str) -> AssetId {
        AssetId::from(digit.repeat(64).as_str())
    }

    fn assets() -> Assets {
        let meshes = [
            (id("a"), landscape()),
            (id("b"), octahedron(0.5)),
            (id("c"), pebble()),
        ];
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

    /// A crowd of landscapes, of an asset or with all of their vertices.
    fn layers(count: u16, is_uploaded: bool) -> Value {
        let mesh = landscape();
        let layers = (0..count).map(|n| {
            let mut layer = json!({"id": format!("layer-{n}"), "kind": "static", "shape": "mesh",
                "position": [0, -9.0 * f32::from(n), 0]});
            if is_uploaded {
                layer["asset"] = json!(id("a"));
            } else {
                layer["vertices"] = json!(mesh.vertices);
                layer["indices"] = json!(mesh.indices);
            }
            layer
        });
        layers.collect()
    }

    #[test]
    fn what_is_written_can_be_read_however_many_meshes_there_are() {
        let both = |count| {
            let mut bodies = layers(count, false);
            let own = layers(1, true)[0].clone();
            bodies.as_array_mut().unwrap().push(own);
            bodies[usize::from(count)]["id"] = json!("uploaded");
            bodies
        };
        for (bodies, is_long) in [(layers(5, true), true), (both(4), true), (both(1), false)] {
            let mut original = world(bodies, 1);
            let whole = postcard::to_stdvec(&original.engine).unwrap().len();
            assert_eq!(whole > MAX_PUT_BACK, is_long, "{whole} bytes");
            let snapshot = Snapshot::take(&original);
            let mut restored = snapshot.restore(&original.assets_in_use()).unwrap();
            for world in [&mut original, &mut restored] {
                apply(world, &Command::Step(Steps { count: 9, dt: None }));
            }
            assert_eq!(restored.state_hash(), original.state_hash());
        }
    }

    #[test]
    fn shapes_that_differ_are_all_taken_out_in_the_order_of_the_engine() {
        let gems = (0..200_u16).map(|n| {
            let border = 0.01 + 0.001 * f32::from(n % 100);
            json!({"id": format!("gem-{n}"), "shape": "convex_hull", "asset": id("c"),
                "border_radius": border, "position": [f32::from(n) * 3.0, 0, 0]})
        });
        let mut original = world(gems.collect(), 1);
        // Handles are used again, so that bodies and colliders stand in different orders.
        for name in ["gem-3", "gem-150"] {
            let name = crate::id::BodyId::parse(name).unwrap();
            apply(&mut original, &Command::RemoveBody(name));
        }
        let late = json!([
            {"id": "late", "shape": "convex_decomposition", "asset": id("b"), "position": [0, 9, 0]},
            {"id": "later", "kind": "static", "shape": "mesh", "asset": id("a"), "position": [0, -99, 0]},
        ]);
        let late: Vec<BodySpec> = serde_json::from_value(late).unwrap();
        apply(&mut original, &Command::AddBodies(late));
        apply(&mut original, &Command::Step(Steps { count: 3, dt: None }));

        let written = postcard::to_stdvec(&original.engine).unwrap();
        let (rest, cuts) = take_out(&written, &original.engine, &original.roster);
        let places: usize = cuts.iter().map(|cut| cut.places.len()).sum();
        let shapes = made_of_assets(&original.engine, &original.roster);
        let long = shapes.iter().filter(|(handle, ..)| {
            bytes_of(original.engine.colliders[*handle].shared_shape()).len() >= MIN_CUT
        });
        assert_eq!(places, long.count());
        assert_eq!(places, 200);
        let whole = put_back(&rest, &cuts, &original.roster, &original.assets);
        assert!(whole.unwrap() == written);
    }
}
