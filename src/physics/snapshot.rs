//! A world as bytes, from which it continues bit for bit.

use std::{
    borrow::Cow,
    panic::catch_unwind,
    sync::{Arc, OnceLock},
};

use indexmap::IndexMap;
use rapier3d::prelude::PhysicsWorld;
use serde::{Deserialize, Serialize};

use super::{
    asset::Assets,
    config::{SimulatedTime, WorldConfig},
    controller::Controller,
    cuts::{Cut, put_back, take_out},
    event::EventLog,
    listening::Sleepers,
    roster::Roster,
    workspace,
    world::World,
};
use crate::id::ControllerId;

/// The layout of the bytes; another number is another layout.
const FORMAT: u32 = 2;

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
    events: EventLog,
    /// What is not in what the engine has written down.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cuts: Vec<Cut>,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    controllers: IndexMap<ControllerId, Controller>,
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
            events,
            sleepers: _,
            assets: _,
            controllers,
            settled: _,
            matter: _,
            chores: _,
        } = world;
        let engine_bytes =
            postcard::to_stdvec(engine).expect("the engine has no unwritable values");
        let (engine_bytes, cuts) = take_out(&engine_bytes, engine, roster);
        let rest = Rest {
            config: *config,
            time: *time,
            roster: Roster::clone(roster),
            events: EventLog::clone(events),
            cuts,
            controllers: controllers.clone(),
        };
        let rest = rmp_serde::to_vec_named(&rest).expect("the types have no unwritable values");
        let mut plain = FORMAT.to_le_bytes().to_vec();
        plain.extend((rest.len() as u64).to_le_bytes());
        plain.extend(rest);
        plain.extend(engine_bytes);
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

    /// The world that was written down, given the assets that it is made of. Bytes that are no such thing never panic.
    pub fn restore(&self, assets: &Assets) -> Result<World, SnapshotError> {
        // The engine asserts what it counts on when it is merely looked through.
        catch_unwind(|| self.read(assets)).unwrap_or(Err(SnapshotError::Damaged))
    }

    fn read(&self, assets: &Assets) -> Result<World, SnapshotError> {
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
            events,
            cuts,
            controllers,
        } = rmp_serde::from_slice(rest).map_err(|_| SnapshotError::Damaged)?;
        let engine = if cuts.is_empty() {
            Cow::Borrowed(engine)
        } else {
            let whole = put_back(engine, &cuts, &roster, assets);
            Cow::Owned(whole.ok_or(SnapshotError::Damaged)?)
        };
        let mut engine: PhysicsWorld =
            postcard::from_bytes(&engine).map_err(|_| SnapshotError::Damaged)?;
        engine.physics_pipeline = workspace::uncounted();
        let mut world = World {
            engine,
            config,
            time,
            roster: Arc::new(roster),
            events: Arc::new(events),
            sleepers: Sleepers::default(),
            assets: assets.clone(),
            controllers,
            settled: true,
            matter: OnceLock::new(),
            chores: OnceLock::new(),
        };
        if !world.is_sound() {
            return Err(SnapshotError::Damaged);
        }
        world.sleepers = Sleepers::of(&world.engine, &world.roster);
        Ok(world)
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
