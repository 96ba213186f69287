//! What is registered of a simulation, as clients see it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{durability::Durability, handle::SimulationHandle, shared::Shared};
use crate::{
    clock::unix_micros_to_rfc3339,
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
    /// The instance that has its world; `null` while it rests in its journal.
    #[schema(value_type = Option<String>)]
    pub owner: Option<InstanceId>,
    /// What it survives; `memory` ends with the process.
    pub durability: Durability,
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
    /// It is nowhere but in its journal, until the next request.
    Resting,
}

/// Where a simulation stood when it was last written down.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Stand {
    pub(super) step: u64,
    pub(super) time: f64,
    pub(super) bodies: usize,
    pub(super) joints: usize,
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
            owner: Some(services.instance_id.clone()),
            durability: shared.durability,
            registered: shared.claim.confirmed_in() > 0,
            status: status_of(shared),
            step: committed.step,
            time: committed.time,
            bodies: committed.bodies,
            joints: committed.joints,
            labels: simulation.labels(),
            ttl_seconds: shared.ttl().as_secs(),
            created_at: unix_micros_to_rfc3339(shared.created_unix_micros),
            expires_at: services.clock.rfc3339(shared.expires()),
        }
    }
}

/// A configuration as far as it is not the usual one: Redis keeps hashes of short values in much
/// less room.
fn differing(config: &WorldConfig) -> String {
    let object = |config: &WorldConfig| match serde_json::to_value(config) {
        Ok(serde_json::Value::Object(object)) => object,
        Ok(_) | Err(_) => serde_json::Map::new(),
    };
    let usual = object(&WorldConfig::default());
    let mut config = object(config);
    config.retain(|name, value| usual.get(name) != Some(value));
    serde_json::Value::Object(config).to_string()
}

/// What is written down of a simulation for whoever comes after its owner.
pub(super) fn details(
    created: u64,
    ttl: Duration,
    config: &WorldConfig,
    labels: &Labels,
    stand: Stand,
) -> Vec<(&'static str, String)> {
    let text = |json: serde_json::Result<String>| json.unwrap_or_default();
    vec![
        ("stand", text(serde_json::to_string(&stand))),
        ("created_at", unix_micros_to_rfc3339(created)),
        ("ttl_seconds", ttl.as_secs().to_string()),
        ("config", differing(config)),
        ("labels", text(serde_json::to_string(labels))),
    ]
}
