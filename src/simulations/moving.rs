//! Moving a simulation to another instance because somebody wants it there.

use std::{sync::Arc, time::Duration};

use super::{directory::Simulations, error::SimulationError, handle::SimulationHandle};
use crate::{
    id::{InstanceId, SimulationId, Tenant},
    journal::JournalError,
    registry::{Peer, Whereabouts},
};

/// How long what runs has to end before it is put down half done.
const PATIENCE: Duration = Duration::from_millis(250);

impl Simulations {
    /// The simulation of this name that is here, whosever it is.
    pub fn resident(&self, id: &SimulationId) -> Option<SimulationHandle> {
        let mut resident = None;
        self.each(|simulation| {
            if simulation.id() == id {
                resident = Some(simulation.clone());
            }
        });
        resident
    }

    /// Whether there is a simulation of this name on any instance, or in its journal.
    pub async fn is_anywhere(&self, id: &SimulationId) -> Result<bool, SimulationError> {
        if let Some(journal) = &self.services().journal
            && journal.standing(id).await?.is_some()
        {
            return Ok(true);
        }
        let found = self.inner.registry.find(id, None).await?;
        Ok(matches!(found, Whereabouts::Owned(_)))
    }

    /// Another living instance.
    pub async fn peer(&self, instance: &InstanceId) -> Option<Arc<Peer>> {
        let mut peers = self.peers().await.into_iter();
        peers.find(|peer| peer.owner.instance == *instance)
    }

    /// Gives a simulation up to whoever is asked for it next.
    pub async fn part_with(&self, simulation: &SimulationHandle) -> Result<(), SimulationError> {
        simulation.require_journal()?;
        if self.give_up(simulation, PATIENCE).await {
            return Ok(());
        }
        let text = "the simulation could not be put to rest".to_owned();
        Err(JournalError::Unavailable(text).into())
    }
}

impl SimulationHandle {
    /// Whose it is.
    pub fn tenant(&self) -> Option<&Tenant> {
        self.shared.claim.tenant.as_ref()
    }

    /// Refuses to go on if it keeps no journal.
    pub fn require_journal(&self) -> Result<(), SimulationError> {
        match self.shared.journal() {
            Some(_) => Ok(()),
            None => Err(SimulationError::NotJournalled(self.id().clone())),
        }
    }
}
