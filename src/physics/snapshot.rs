//! A world as bytes, from which it continues bit for bit.

use std::sync::Arc;

use rapier3d::prelude::PhysicsWorld;
use serde::{Deserialize, Serialize};

use super::{
    config::{SimulatedTime, WorldConfig},
    roster::Roster,
    world::World,
};

/// The layout of the bytes; another number is another layout.
const FORMAT: u32 = 1;

/// A settled world as compressed bytes under a checksum.
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

    /// The world that was written down.
    pub fn restore(&self) -> Result<World, SnapshotError> {
        let (sum, packed) = self.0.split_first_chunk().ok_or(SnapshotError::Damaged)?;
        if *sum != checksum(packed) {
            return Err(SnapshotError::Damaged);
        }
        let plain =
            lz4_flex::decompress_size_prepended(packed).map_err(|_| SnapshotError::Damaged)?;
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
        Ok(World {
            engine,
            config,
            time,
            roster: Arc::new(roster),
            settled: true,
        })
    }
}

fn checksum(bytes: &[u8]) -> [u8; 8] {
    xxhash_rust::xxh3::xxh3_64(bytes).to_le_bytes()
}
