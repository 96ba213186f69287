//! Everything that belongs to a simulation, put together.

use std::{
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Duration,
};

use tokio::sync::Notify;

use super::{
    Services, claim::Claim, committed::Committed, core::Core, directory::Simulations,
    durability::Durability, handle::SimulationHandle, idempotency::KeysInFlight, inbox::Inbox,
    record::Labels, shared::Shared, task::SimulationTask,
};
use crate::{
    id::{Payer, SimulationId, Tenant},
    registry::Inheritance,
};

/// What is known of a simulation apart from its world.
pub(super) struct Parts {
    pub(super) claim: Claim,
    pub(super) durability: Durability,
    /// µs since 1970.
    pub(super) created: u64,
    pub(super) ttl: Duration,
    pub(super) labels: Labels,
}

impl Parts {
    /// What the owner before has left of a simulation.
    pub(super) fn inherited(
        inheritance: &Inheritance,
        services: &Services,
        tenant: Option<Tenant>,
        life: u64,
    ) -> Self {
        let detail = |name: &str| {
            let found = inheritance.details.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str())
        };
        let number = |name| detail(name)?.parse().ok();
        let labels = detail("labels").and_then(|text| serde_json::from_str(text).ok());
        Self {
            claim: Claim::new(tenant, inheritance.token.clone(), life),
            durability: Durability::Journal,
            created: number("created").unwrap_or_else(|| services.unix_micros()),
            ttl: number("ttl_seconds").map_or(services.default_ttl, Duration::from_secs),
            labels: labels.unwrap_or_default(),
        }
    }
}

impl Simulations {
    /// Puts a simulation together; nobody finds it yet.
    pub(super) fn assemble(
        &self,
        id: &SimulationId,
        parts: Parts,
        core: Core,
        committed: Committed,
    ) -> (SimulationHandle, SimulationTask) {
        let services = Arc::clone(&self.inner.services);
        let now = services.clock.now();
        let shared = Shared {
            inbox: Inbox::new(services.max_queue),
            services,
            id: id.clone(),
            created_unix_micros: parts.created,
            claim: parts.claim,
            durability: parts.durability,
            core: Mutex::new(core),
            committed: Mutex::new(committed),
            labels: Mutex::new(Arc::new(parts.labels)),
            ttl_micros: AtomicU64::new(0),
            revision: AtomicU64::new(0),
            last_access_micros: AtomicU64::new(now.as_micros()),
            is_stepping: AtomicBool::new(false),
            is_frozen: AtomicBool::new(false),
            keys_in_flight: KeysInFlight::default(),
            creation: OnceLock::new(),
            settled: Notify::new(),
            is_journal_in_doubt: AtomicBool::new(false),
        };
        shared.set_ttl(parts.ttl);
        let simulation = SimulationHandle {
            shared: Arc::new(shared),
            payer: Payer::SERVICE,
        };
        let task = SimulationTask::new(simulation.clone(), self.clone());
        (simulation, task)
    }
}
