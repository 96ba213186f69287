//! What the HTTP layer sees of the fleet.

use std::{sync::Arc, time::Duration};

use super::RegistryHealth;
use crate::{
    id::SimulationId,
    registry::{Peer, Promises, RegistryError},
    simulations::{SimulationError, Simulations},
};

impl Simulations {
    /// Whether there may be other instances.
    pub fn is_in_fleet(&self) -> bool {
        self.inner.fleet.is_some()
    }

    /// The other living instances.
    pub async fn peers(&self) -> Vec<Arc<Peer>> {
        match &self.inner.fleet {
            Some(fleet) => fleet.peers.all().await,
            None => Vec::new(),
        }
    }

    /// The other living instance that has most room for new simulations, if any has.
    pub async fn roomiest_peer(&self) -> Option<Arc<Peer>> {
        match &self.inner.fleet {
            Some(fleet) => fleet.peers.roomiest().await,
            None => None,
        }
    }

    /// Whether a peer held its lease when that was last looked at.
    pub fn is_living(&self, peer: &Peer) -> bool {
        let fleet = self.inner.fleet.as_ref();
        fleet.is_some_and(|fleet| fleet.peers.is_living(&peer.owner))
    }

    /// Forgets that `peer` has a simulation: it was not there, or could not be reached. While the
    /// registry cannot be asked, what is remembered is all there is, and is kept.
    pub fn forget(&self, id: &SimulationId, peer: &Peer) {
        if let Some(fleet) = &self.inner.fleet
            && fleet.lease.is_registry_reachable()
        {
            fleet.locations.forget(id);
            fleet.peers.doubt(&peer.owner);
        }
    }

    /// Notes that nobody listens where `peer` was reached: it is dead.
    pub fn note_death(&self, peer: &Peer) {
        if let Some(fleet) = &self.inner.fleet {
            fleet.peers.note_refusal(&peer.owner);
        }
    }

    /// Forgets where a simulation is that is there no more.
    pub fn forget_place(&self, id: &SimulationId) {
        if let Some(fleet) = &self.inner.fleet {
            fleet.locations.forget(id);
        }
    }

    /// The nonce of this instance's present lease, which callers that were sent here expect.
    pub fn nonce(&self) -> Option<crate::id::Nonce> {
        let fleet = self.inner.fleet.as_ref()?;
        Some(fleet.lease.owner().nonce)
    }

    /// What instances prove to each other who they are with, once it is agreed on.
    pub fn internal_secret(&self) -> Option<Arc<str>> {
        let fleet = self.inner.fleet.as_ref()?;
        fleet.secret()
    }

    /// How the registry does, where it is a service of its own.
    pub fn registry_health(&self) -> Option<RegistryHealth> {
        let fleet = self.inner.fleet.as_ref()?;
        Some(fleet.health())
    }

    /// Refuses what would change something while nothing may be changed.
    pub fn check_writable(&self) -> Result<(), SimulationError> {
        match &self.inner.fleet {
            Some(fleet) if !fleet.takes_writes() => Err(RegistryError::Unavailable.into()),
            Some(_) | None => Ok(()),
        }
    }

    /// How long ago the lease was last renewed.
    pub fn lease_age(&self) -> Option<Duration> {
        let fleet = self.inner.fleet.as_ref()?;
        Some(fleet.clock.now().since(fleet.lease.renewed()))
    }

    /// What the registry can promise, as it last said.
    pub fn promises(&self) -> Option<Promises> {
        self.inner.fleet.as_ref()?.promises()
    }

    /// Whether entries may vanish from the registry before their time.
    pub fn is_eviction_risk(&self) -> bool {
        let fleet = self.inner.fleet.as_ref();
        fleet.is_some_and(|fleet| fleet.eviction_risk().is_some())
    }
}
