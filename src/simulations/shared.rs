//! What a simulation's task and all its handles share.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    Services,
    claim::Claim,
    committed::Committed,
    core::Core,
    idempotency::{IdempotencyKey, KeysInFlight},
    inbox::Inbox,
    record::Labels,
    reply::Reply,
};
use crate::{clock::Moment, id::SimulationId};

/// One live simulation, from all sides.
pub(super) struct Shared {
    pub(super) services: Arc<Services>,
    pub(super) id: SimulationId,
    pub(super) created: Moment,
    /// Its place in lists; no two simulations of an instance have the same.
    pub(super) created_unix_micros: u64,
    pub(super) claim: Claim,
    pub(super) inbox: Inbox,
    pub(super) core: Mutex<Core>,
    pub(super) committed: Mutex<Committed>,
    pub(super) labels: Mutex<Arc<Labels>>,
    pub(super) ttl_micros: AtomicU64,
    pub(super) last_access_micros: AtomicU64,
    pub(super) is_stepping: AtomicBool,
    pub(super) is_frozen: AtomicBool,
    pub(super) keys_in_flight: KeysInFlight,
    /// How the simulation was created, if the client may ask again.
    pub(super) creation: OnceLock<Box<Creation>>,
}

/// The keyed request that created a simulation, and its reply.
pub(super) struct Creation {
    pub(super) key: IdempotencyKey,
    pub(super) reply: Reply,
}

impl Shared {
    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().expect("no holder of this lock panics")
    }

    pub(super) fn committed(&self) -> MutexGuard<'_, Committed> {
        self.committed
            .lock()
            .expect("no holder of this lock panics")
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
