//! Bytes that are not what was written: refused, or at worst a world that fails by itself.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use rapier_physics_service::physics::{
    Command, Snapshot, SnapshotError, Steps, World, WorldLimits,
};
use xxhash_rust::xxh3::xxh3_64;

use super::{in_another_process, scenes, whole, written};

/// How many damaged snapshots there are of either kind.
const CASES: usize = 5_000;

/// How long the checksum before a snapshot is, in bytes.
const CHECKSUM: usize = 8;

#[test]
fn a_damaged_snapshot_is_always_refused() {
    let mut random = StdRng::seed_from_u64(1);
    let (snapshots, assets) = (snapshots(), whole::assets());
    for case in 0..CASES {
        let whole = &snapshots[case % snapshots.len()];
        let bytes = damaged(whole, &mut random);
        let refused = Snapshot::from_bytes(bytes).restore(&assets).err();
        assert!(
            matches!(refused, Some(SnapshotError::Damaged)),
            "case {case}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_damaged_snapshot_under_a_new_checksum_ends_no_process() {
    let test = "restoring::damage::what_is_restored_of_damage_can_be_stepped";
    let (status, told) = in_another_process(test).await;
    let last: Vec<&str> = told.lines().rev().take(40).collect();
    assert!(status.success(), "{status}, last lines first: {last:#?}");
}

#[test]
#[ignore = "whoever runs it may not survive it: another test does, in a process of its own"]
fn what_is_restored_of_damage_can_be_stepped() {
    let mut random = StdRng::seed_from_u64(2);
    let (snapshots, assets) = (snapshots(), whole::assets());
    let [mut restored, mut failed] = [0, 0];
    for case in 0..CASES {
        let whole = &snapshots[case % snapshots.len()];
        let packed = &whole[CHECKSUM..];
        let packed = if case % 4 == 0 {
            damaged(packed, &mut random)
        } else {
            let plain = lz4_flex::decompress_size_prepended(packed).expect("it was packed");
            lz4_flex::compress_prepend_size(&damaged(&plain, &mut random))
        };
        println!("case {case}");
        let bytes = [&xxh3_64(&packed).to_le_bytes()[..], &packed].concat();
        let Ok(mut world) = Snapshot::from_bytes(bytes).restore(&assets) else {
            continue;
        };
        restored += 1;
        failed += usize::from(!can_be_stepped(&mut world));
    }
    println!("{restored} restored, {failed} of them failed");
    assert!(restored > CASES / 20, "{restored} restored");
}

fn can_be_stepped(world: &mut World) -> bool {
    let steps = Command::Step(Steps { count: 3, dt: None });
    let stepped = || world.apply(&steps, &WorldLimits::unlimited());
    catch_unwind(AssertUnwindSafe(stepped)).is_ok()
}

fn snapshots() -> Vec<Vec<u8>> {
    let scenes = scenes::all();
    let worlds = scenes.iter().map(scenes::Scene::until_the_moment);
    worlds.map(|world| written(&world)).collect()
}

/// `bytes` with some bits flipped, cut short, made longer, or with two pieces in each other's place.
fn damaged(whole: &[u8], random: &mut impl Rng) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let length = bytes.len();
    match random.random_range(0..8) {
        0 => bytes.truncate(random.random_range(0..length)),
        1 => bytes.extend((0..random.random_range(1..64)).map(|_| random.random::<u8>())),
        2 => {
            let size = random.random_range(1..=32.min(length / 2));
            let one = random.random_range(0..=length - 2 * size);
            let other = random.random_range(one + size..=length - size);
            let piece = bytes[one..one + size].to_vec();
            bytes.copy_within(other..other + size, one);
            bytes[other..other + size].copy_from_slice(&piece);
        }
        _ => {
            for _ in 0..random.random_range(1..=3) {
                bytes[random.random_range(0..length)] ^= 1 << random.random_range(0..8);
            }
        }
    }
    // Pieces that were alike are no damage, nor are bits that were flipped twice.
    if bytes == whole {
        bytes.pop();
    }
    bytes
}
