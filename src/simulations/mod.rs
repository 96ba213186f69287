//! Live simulations: one task for each, everyone else holds a handle.

mod census;
mod claim;
mod committed;
mod core;
mod creation;
mod directory;
mod error;
mod fleet;
mod handle;
mod history;
mod idempotency;
mod inbox;
mod record;
mod reply;
mod shared;
mod step_pool;
mod task;
#[cfg(test)]
mod tests;
mod ticket;
mod work;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

pub use self::{
    census::Census,
    creation::NewSimulation,
    directory::{ListKey, Simulations},
    error::SimulationError,
    fleet::{FleetSettings, RegistryHealth},
    handle::SimulationHandle,
    idempotency::IdempotencyKey,
    record::{Labels, SimulationRecord, Status},
    reply::Reply,
    step_pool::StepPool,
};
pub use crate::registry::{Owner, Peer};
use crate::{clock::Clock, id::InstanceId, metrics::Metrics, physics::WorldLimits};

/// What every simulation of this instance is made with.
pub struct Services {
    /// The name of this instance.
    pub instance_id: InstanceId,
    /// Where worlds are stepped.
    pub pool: StepPool,
    /// What tells the time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What simulations survive: `memory` or `registry`.
    pub durability: &'static str,
    /// The limits inside one simulation.
    pub limits: WorldLimits,
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
    /// Whether this instance is about to stop.
    pub is_draining: AtomicBool,
}
