//! By what right a simulation is here, and what the registry still has to hear of it.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use crate::{id::Tenant, registry::FencingToken};

/// A simulation's claim.
pub(super) struct Claim {
    /// Whose it is.
    pub(super) tenant: Option<Tenant>,
    token: Mutex<FencingToken>,
    /// In which life of the lease the registry last agreed; 0 if it is yet to agree.
    confirmed_in: AtomicU64,
    /// Whether it waits to be written down.
    pub(super) is_noted: AtomicBool,
    /// Whether what is written down of it, its expiry apart, is no longer so.
    pub(super) is_outdated: AtomicBool,
    has_ended: AtomicBool,
    has_left: AtomicBool,
    is_buried: AtomicBool,
}

impl Claim {
    /// A claim that the registry granted in a life of the lease, or has yet to hear of (0).
    pub(super) fn new(tenant: Option<Tenant>, token: FencingToken, life: u64) -> Self {
        Self {
            tenant,
            token: Mutex::new(token),
            confirmed_in: AtomicU64::new(life),
            is_noted: AtomicBool::new(false),
            is_outdated: AtomicBool::new(true),
            has_ended: AtomicBool::new(false),
            has_left: AtomicBool::new(false),
            is_buried: AtomicBool::new(false),
        }
    }

    pub(super) fn token(&self) -> FencingToken {
        self.token.lock().expect("no holder panics").clone()
    }

    /// In which life of the lease the registry last agreed.
    pub(super) fn confirmed_in(&self) -> u64 {
        self.confirmed_in.load(Ordering::Acquire)
    }

    /// Notes that the registry agrees.
    pub(super) fn confirm(&self, token: FencingToken, life: u64) {
        *self.token.lock().expect("no holder panics") = token;
        self.confirmed_in.store(life, Ordering::Release);
    }

    /// Notes that the simulation is no longer here: it must not be written down any more.
    pub(super) fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
    }

    /// Notes that the simulation is here after all; what the registry has heard meanwhile is not
    /// known, so that it is to agree once more.
    pub(super) fn resume(&self) {
        self.is_buried.store(false, Ordering::Release);
        self.confirmed_in.store(0, Ordering::Release);
        self.is_outdated.store(true, Ordering::Release);
        self.has_ended.store(false, Ordering::Release);
    }

    /// Notes that the simulation is to be no more: its journal is not to be written again.
    pub(super) fn bury(&self) {
        self.is_buried.store(true, Ordering::Release);
    }

    pub(super) fn is_buried(&self) -> bool {
        self.is_buried.load(Ordering::Acquire)
    }

    /// Notes that the simulation lives on elsewhere, or in its journal.
    pub(super) fn leave(&self) {
        self.has_left.store(true, Ordering::Release);
    }

    pub(super) fn has_left(&self) -> bool {
        self.has_left.load(Ordering::Acquire)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }
}
