//! A world as bytes, from which it continues bit for bit.

use std::{panic::catch_unwind, sync::Arc};

use rapier3d::prelude::PhysicsWorld;
use serde::{Deserialize, Serialize};

use super::{
    config::{SimulatedTime, WorldConfig},
    roster::Roster,
    world::World,
};

/// The layout of the bytes; another number is another layout.
const FORMAT: u32 = 1;

/// How much longer than its packed bytes a block can be at most: what claims to be longer is none,
/// and no room is made for it.
const MAX_RATIO: usize = 255;

/// A settled world as compressed bytes under a checksum.
///
/// The checksum tells damage, not forgery: the engine goes by indices of its own that nobody else
/// can see, so bytes are only to be restored from where nobody but this service writes.
#[derive(Clone)]
pub struct Snapshot(Box<[u8]>);

/// Bytes that hold no world.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The bytes are not those that were written.
    #[error("the snapshot is damaged")]
    Damaged,
    /// The bytes are of another layout.
    #[error("the snapshot has another format")]
    OtherFormat,
}

/// All of a world but the engine. It is written with names, so that it can hold what is optional.
#[derive(Serialize, Deserialize)]
struct Rest {
    config: WorldConfig,
    time: SimulatedTime,
    roster: Roster,
}

impl Snapshot {
    /// Writes a world down, right after a step. Edits that are pending would be lost.
    pub fn take(world: &World) -> Self {
        debug_assert!(world.is_settled(), "pending edits would be lost");
        let World {
            engine,
            config,
            time,
            roster,
            settled: _,
        } = world;
        let rest = Rest {
            config: *config,
            time: *time,
            roster: Roster::clone(roster),
        };
        let rest = rmp_serde::to_vec_named(&rest).expect("the types have no unwritable values");
        let mut plain = FORMAT.to_le_bytes().to_vec();
        plain.extend((rest.len() as u64).to_le_bytes());
        plain.extend(rest);
        let plain =
            postcard::to_extend(engine, plain).expect("the engine has no unwritable values");
        let packed = lz4_flex::compress_prepend_size(&plain);

        let mut bytes = checksum(&packed).to_vec();
        bytes.extend(packed);
        Self(bytes.into())
    }

    /// The bytes, as part of something larger.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A snapshot of bytes that may be anything; [`Snapshot::restore`] finds out.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }

    /// How many bytes it takes unpacked, as `bytes` that may be anything say themselves.
    pub fn unpacked_len(bytes: &[u8]) -> usize {
        let packed = bytes.get(size_of::<u64>()..).unwrap_or_default();
        lz4_flex::block::uncompressed_size(packed).map_or(0, |(size, _)| size)
    }

    /// The world that was written down. Bytes that are no such thing never panic.
    pub fn restore(&self) -> Result<World, SnapshotError> {
        // The engine asserts what it counts on when it is merely looked through.
        catch_unwind(|| self.read()).unwrap_or(Err(SnapshotError::Damaged))
    }

    fn read(&self) -> Result<World, SnapshotError> {
        let (sum, packed) = self.0.split_first_chunk().ok_or(SnapshotError::Damaged)?;
        if *sum != checksum(packed) {
            return Err(SnapshotError::Damaged);
        }
        let plain = unpack(packed).ok_or(SnapshotError::Damaged)?;
        let (format, plain) = plain.split_first_chunk().ok_or(SnapshotError::Damaged)?;
        if u32::from_le_bytes(*format) != FORMAT {
            return Err(SnapshotError::OtherFormat);
        }
        let (length, plain) = plain.split_first_chunk().ok_or(SnapshotError::Damaged)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (rest, engine) = plain
            .split_at_checked(length)
            .ok_or(SnapshotError::Damaged)?;
        let Rest {
            config,
            time,
            roster,
        } = rmp_serde::from_slice(rest).map_err(|_| SnapshotError::Damaged)?;
        let engine: PhysicsWorld =
            postcard::from_bytes(engine).map_err(|_| SnapshotError::Damaged)?;
        let world = World {
            engine,
            config,
            time,
            roster: Arc::new(roster),
            settled: true,
        };
        if world.is_sound() {
            Ok(world)
        } else {
            Err(SnapshotError::Damaged)
        }
    }
}

fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let (size, block) = lz4_flex::block::uncompressed_size(packed).ok()?;
    if size > block.len().saturating_mul(MAX_RATIO) {
        return None;
    }
    lz4_flex::decompress(block, size).ok()
}

fn checksum(bytes: &[u8]) -> [u8; 8] {
    xxhash_rust::xxh3::xxh3_64(bytes).to_le_bytes()
}
