//! Labels and TTLs that clients change.

use std::time::Duration;

use super::{
    directory::Simulations, error::SimulationError, handle::SimulationHandle, record::Labels,
};
use crate::registry::RegistryError;

impl Simulations {
    /// Gives a simulation other labels or another TTL. What outlives its owner is written down
    /// before this ends, and not at all while somebody may be yet to say that they have gone on with it:
    /// unlike commands, labels do not tell whose are later.
    pub async fn reregister(
        &self,
        simulation: &SimulationHandle,
        labels: Option<Labels>,
        ttl: Option<Duration>,
    ) -> Result<(), SimulationError> {
        let is_changed = labels.is_some() || ttl.is_some();
        let is_journalled = simulation.shared.journal().is_some();
        let fleet = self.inner.fleet.as_ref();
        if is_changed && is_journalled && fleet.is_some_and(|fleet| fleet.is_in_doubt()) {
            return Err(RegistryError::Unavailable.into());
        }
        simulation.reregister(labels, ttl);
        if ttl.is_some() {
            self.keep_assets_of(simulation).await;
        }
        if is_changed && is_journalled {
            self.write_down(simulation)
                .await
                .map_err(|error| error.after_the_fact(simulation.durability()))?;
            if simulation.shared.claim.has_left() {
                // It may have left before this was written.
                return Err(SimulationError::OutcomeUnknown);
            }
        }
        Ok(())
    }

    /// Has the registry told of a simulation at once.
    pub(super) async fn write_down(
        &self,
        simulation: &SimulationHandle,
    ) -> Result<(), SimulationError> {
        if let Some(fleet) = &self.inner.fleet {
            fleet.reassert(self, &[simulation]).await?;
        }
        Ok(())
    }
}
