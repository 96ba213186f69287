//! What a simulation's task and all its handles share.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use super::{
    Services,
    claim::Claim,
    committed::Committed,
    core::Core,
    durability::Durability,
    error::SimulationError,
    idempotency::{IdempotencyKey, KeysInFlight, Remembered},
    inbox::Inbox,
    record::Labels,
    reply::Reply,
    terms::Precondition,
    work::Work,
};
use crate::{
    clock::Moment,
    id::SimulationId,
    journal::Journal,
    physics::{Command, World},
    registry::Head,
};

/// One live simulation, from all sides.
pub(super) struct Shared {
    pub(super) services: Arc<Services>,
    pub(super) id: SimulationId,
    /// µs since 1970. Its place in lists; no two simulations of an instance have the same.
    pub(super) created_unix_micros: u64,
    pub(super) claim: Claim,
    pub(super) durability: Durability,
    pub(super) inbox: Inbox,
    pub(super) core: Mutex<Core>,
    pub(super) committed: Mutex<Committed>,
    pub(super) labels: Mutex<Arc<Labels>>,
    pub(super) ttl_micros: AtomicU64,
    /// How often it was written down in the registry.
    pub(super) revision: AtomicU64,
    pub(super) last_access_micros: AtomicU64,
    pub(super) is_stepping: AtomicBool,
    pub(super) is_frozen: AtomicBool,
    pub(super) keys_in_flight: KeysInFlight,
    /// How the simulation was created, if the client may ask again.
    pub(super) creation: OnceLock<Box<Creation>>,
    /// Told when a command that was pending is committed, or left to the task.
    pub(super) settled: Notify,
    /// Whether the journal may have forgotten something.
    pub(super) is_journal_in_doubt: AtomicBool,
}

/// The keyed request that created a simulation, and its reply.
pub(super) struct Creation {
    pub(super) key: IdempotencyKey,
    pub(super) reply: Reply,
    /// µs since 1970.
    pub(super) at: u64,
}

impl Creation {
    /// The creation that was written down.
    pub(super) fn of(remembered: Remembered) -> Self {
        let at = remembered.at();
        let (key, reply) = remembered.into_parts();
        Self { key, reply, at }
    }

    /// The creation, to be written down.
    pub(super) fn remembered(&self) -> Remembered {
        Remembered::new(&self.key, &self.reply, self.at)
    }
}

impl Shared {
    /// The journal, if the simulation is written down.
    pub(super) fn journal(&self) -> Option<&Arc<dyn Journal>> {
        let is_journalled = self.durability == Durability::Journal;
        self.services.journal.as_ref().filter(|_| is_journalled)
    }

    /// A world and a command that is to be carried out on it.
    pub(super) fn work(&self, mut world: Box<World>, command: Command) -> Work {
        let named = command.assets();
        if !named.is_empty() {
            // Whoever waits for the answer holds them.
            world.provide(&self.services.assets.at_hand(&named));
        }
        let is_hashed = self.services.hashes_state || self.durability == Durability::Journal;
        Work::new(
            world,
            command,
            self.services.limits,
            self.services.writer(self.id.clone()),
            is_hashed,
        )
    }

    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().expect("no holder of this lock panics")
    }

    pub(super) fn committed(&self) -> MutexGuard<'_, Committed> {
        self.committed
            .lock()
            .expect("no holder of this lock panics")
    }

    /// Whether the simulation stands where the client of a command requires it to.
    pub(super) fn check(&self, precondition: Option<&Precondition>) -> Result<(), SimulationError> {
        let Some(required) = precondition else {
            return Ok(());
        };
        let head = self.committed().head;
        if required.is_met_by(head) {
            return Ok(());
        }
        let id = self.id.clone();
        Err(SimulationError::PreconditionFailed { id, head })
    }

    /// The head behind a command that is not written down.
    pub(super) fn next_head(&self) -> Head {
        let now = self.committed().head;
        Head {
            seq: now.seq + 1,
            ..now
        }
    }

    pub(super) fn touch(&self, now: Moment) {
        self.last_access_micros
            .store(now.as_micros(), Ordering::Relaxed);
    }

    pub(super) fn set_ttl(&self, ttl: Duration) {
        let micros = u64::try_from(ttl.as_micros()).unwrap_or(u64::MAX);
        self.ttl_micros.store(micros, Ordering::Relaxed);
    }

    pub(super) fn ttl(&self) -> Duration {
        Duration::from_micros(self.ttl_micros.load(Ordering::Relaxed))
    }

    pub(super) fn last_access(&self) -> Moment {
        Moment::from_micros(self.last_access_micros.load(Ordering::Relaxed))
    }

    /// When it expires, unless somebody uses it before.
    pub(super) fn expires(&self) -> Moment {
        self.last_access() + self.ttl()
    }
}
