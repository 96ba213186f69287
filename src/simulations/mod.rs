//! Live simulations: one task for each, everyone else holds a handle.

mod admission;
mod assembly;
mod asset_keeping;
mod baggage;
mod batch_reply;
mod bell;
mod bundle;
mod census;
mod chronicle;
mod claim;
mod committed;
mod congestion;
mod core;
mod creation;
mod departure;
mod destruction;
mod directory;
mod durability;
mod error;
mod fair_queue;
mod fleet;
mod handle;
mod history;
mod idempotency;
mod image;
mod inbox;
mod journalling;
mod keeping;
mod library;
mod lull;
mod moving;
mod observation;
mod querying;
mod record;
mod recovery;
mod replaying;
mod reply;
mod reregistering;
mod resting;
mod settling;
mod shared;
mod step_pool;
mod task;
mod terms;
#[cfg(test)]
mod tests;
mod ticket;
mod transit;
mod verification;
mod work;
mod writing;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use serde_json::value::RawValue;

use self::reply::ReplyWriter;

pub use self::{
    bundle::{BundleError, Origin, Stage, replay},
    census::Census,
    chronicle::Chronicle,
    committed::Position,
    creation::NewSimulation,
    directory::{ListKey, Simulations},
    durability::Durability,
    error::SimulationError,
    fair_queue::Limits,
    fleet::{FleetSettings, RegistryHealth},
    handle::SimulationHandle,
    idempotency::IdempotencyKey,
    library::{AssetLibrary, AssetSummary, Bounds},
    lull::Lull,
    record::{Labels, SimulationRecord, Status},
    reply::Reply,
    step_pool::{Job, StepPool},
    terms::{Precondition, Terms},
    verification::Verification,
};
pub use crate::{
    assets::{AssetError, Format as AssetFormat},
    journal::{Entry, Event},
    registry::{Head, Owner, Peer, Promises},
};
use crate::{
    clock::Clock,
    id::{InstanceId, SimulationId},
    journal::Journal,
    memory::MemoryBudget,
    metrics::Metrics,
    physics::{PhysicsError, ReadLimits, WorldLimits},
};

/// What a body is taken to need, in bytes, before that is seen: three times what it does at rest,
/// as contacts, replies and history come on top.
const BYTES_PER_BODY: u64 = 12 << 10;

/// What every simulation of this instance is made with.
pub struct Services {
    /// The name of this instance.
    pub instance_id: InstanceId,
    /// Where worlds are stepped.
    pub pool: StepPool,
    /// What tells the time.
    pub clock: Clock,
    /// How much memory there is for them.
    pub memory: Arc<MemoryBudget>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What simulations survive unless their clients say otherwise.
    pub durability: Durability,
    /// Where simulations are written down, if they can be.
    pub journal: Option<Arc<dyn Journal>>,
    /// What simulations are made of that was uploaded.
    pub assets: Arc<AssetLibrary>,
    /// The engine that computes here, as it is noted beside what it computed.
    pub fingerprint: Arc<str>,
    /// Whether the state of every world is hashed after every command, journalled or not.
    pub hashes_state: bool,
    /// The limits inside one simulation.
    pub limits: WorldLimits,
    /// How a command that was refused is told of inside of a reply.
    pub describe: fn(&PhysicsError) -> Box<RawValue>,
    /// The limits of what changes nothing.
    pub reads: ReadLimits,
    /// How many simulations this instance holds at most.
    pub max_simulations: usize,
    /// How many requests may wait for one simulation.
    pub max_queue: usize,
    /// How long a client is kept waiting.
    pub request_timeout: Duration,
    /// How long a simulation lives without being used, unless its client says otherwise.
    pub default_ttl: Duration,
    /// How long an idle world is kept ready.
    pub freeze_after: Duration,
    /// How long an idle simulation that is written down is kept in memory at all.
    pub hibernate_after: Duration,
    /// Whether this instance is about to stop.
    pub is_draining: AtomicBool,
}

impl Services {
    /// What writes replies about a simulation.
    fn writer(&self, sim_id: SimulationId) -> ReplyWriter {
        ReplyWriter {
            sim_id,
            describe: self.describe,
        }
    }

    /// Takes the memory that so many bodies need, if it is there.
    fn admit_bodies(&self, bodies: usize) -> Result<(), SimulationError> {
        self.admit_bytes(BYTES_PER_BODY * bodies as u64)
    }

    /// Takes so much memory, if it is there.
    pub(crate) fn admit_bytes(&self, bytes: u64) -> Result<(), SimulationError> {
        if self.memory.admit(bytes) {
            return Ok(());
        }
        self.metrics.refusals.memory.inc();
        Err(SimulationError::OutOfMemory)
    }

    /// µs since 1970.
    pub(crate) fn unix_micros(&self) -> u64 {
        self.clock.unix_micros(self.clock.now())
    }
}
