//! What is registered of a simulation, as clients see it.

use std::sync::{Arc, atomic::Ordering};

use indexmap::IndexMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::{handle::SimulationHandle, shared::Shared};
use crate::{
    id::{InstanceId, SimulationId},
    physics::WorldConfig,
};

/// A simulation's labels, in the order they were given.
pub type Labels = IndexMap<String, String>;

/// A simulation without its bodies.
#[derive(Debug, Serialize, ToSchema)]
pub struct SimulationRecord {
    /// Its name.
    #[schema(value_type = String)]
    pub sim_id: SimulationId,
    /// Gravity and time step as they are now.
    pub config: WorldConfig,
    /// The instance that has its world.
    #[schema(value_type = String)]
    pub owner: InstanceId,
    /// What it survives; `memory` ends with the process.
    pub durability: &'static str,
    /// Whether other instances can find it.
    pub registered: bool,
    /// What its world is doing.
    pub status: Status,
    /// Steps since the beginning.
    pub step: u64,
    /// Simulated seconds since the beginning.
    pub time: f64,
    /// How many bodies it has.
    pub bodies: usize,
    /// How many joints it has.
    pub joints: usize,
    /// As given.
    #[schema(value_type = std::collections::HashMap<String, String>)]
    pub labels: Arc<Labels>,
    /// How long it lives without being used.
    pub ttl_seconds: u64,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// RFC 3339, UTC; every access moves it.
    pub expires_at: String,
}

/// What a world is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It waits for commands.
    Active,
    /// It is being stepped.
    Stepping,
    /// It is idle and packed away until the next request.
    Frozen,
}

/// What the world of a simulation is doing.
pub(super) fn status_of(shared: &Shared) -> Status {
    if shared.is_stepping.load(Ordering::Relaxed) {
        Status::Stepping
    } else if shared.is_frozen.load(Ordering::Relaxed) {
        Status::Frozen
    } else {
        Status::Active
    }
}

impl SimulationRecord {
    pub(super) fn of(simulation: &SimulationHandle) -> Self {
        let shared = &simulation.shared;
        let services = &shared.services;
        let committed = *shared.committed();
        Self {
            sim_id: shared.id.clone(),
            config: committed.config,
            owner: services.instance_id.clone(),
            durability: services.durability,
            registered: shared.claim.confirmed_in() > 0,
            status: status_of(shared),
            step: committed.step,
            time: committed.time,
            bodies: committed.bodies,
            joints: committed.joints,
            labels: simulation.labels(),
            ttl_seconds: shared.ttl().as_secs(),
            created_at: services.clock.rfc3339(shared.created),
            expires_at: services.clock.rfc3339(shared.expires()),
        }
    }
}
