//! Labels and TTLs that clients change.

use std::time::Duration;

use super::{
    directory::Simulations, error::SimulationError, handle::SimulationHandle, record::Labels,
};

impl Simulations {
    /// Gives a simulation other labels or another TTL. What outlives its owner is written down
    /// before this ends.
    pub async fn reregister(
        &self,
        simulation: &SimulationHandle,
        labels: Option<Labels>,
        ttl: Option<Duration>,
    ) -> Result<(), SimulationError> {
        let is_changed = labels.is_some() || ttl.is_some();
        simulation.reregister(labels, ttl);
        if ttl.is_some() {
            self.keep_assets_of(simulation).await;
        }
        if is_changed && simulation.shared.journal().is_some() {
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
