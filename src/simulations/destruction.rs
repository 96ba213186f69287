//! How clients destroy simulations.

use tokio::sync::oneshot;

use super::{
    directory::Simulations, error::SimulationError, handle::SimulationHandle, shared::Shared,
    terms::Precondition,
};
use crate::{
    registry::{Ending, RegistryError},
    shutdown::spawn,
};

impl Simulations {
    /// Destroys a simulation, whatever it is doing, if it stands where it is required to.
    pub async fn destroy(
        &self,
        simulation: &SimulationHandle,
        required: Option<&Precondition>,
    ) -> Result<(), SimulationError> {
        let is_gone = if simulation.shared.journal().is_some() {
            self.destroy_written(simulation, required).await?
        } else {
            self.end(simulation, Ending::Destroyed, required).await
        };
        let id = simulation.id();
        if !is_gone {
            simulation.require(required)?;
            return Err(SimulationError::NotFound(id.clone()));
        }
        tracing::info!(sim_id = %id, "Destroyed simulation {id}");
        Ok(())
    }

    /// Destroys a simulation that is written down; false if it is not here, or does not stand where
    /// it is required to. It is gone when that is written down, too: whoever went on with it would
    /// find it as it was.
    async fn destroy_written(
        &self,
        simulation: &SimulationHandle,
        required: Option<&Precondition>,
    ) -> Result<bool, SimulationError> {
        let head = |shared: &Shared| shared.committed().head;
        let is_met = |shared: &Shared| required.is_none_or(|it| it.is_met_by(head(shared)));
        let Some(passage) = self.take_out(simulation, is_met) else {
            if self.wait_for_transit(simulation.id()).await? {
                // It has just left: whoever asks again finds it where it is now.
                return Err(SimulationError::OwnershipLost(simulation.id().clone()));
            }
            return Ok(false);
        };
        simulation.shared.claim.bury();
        let (sender, told) = oneshot::channel();
        let (simulations, simulation) = (self.clone(), simulation.clone());
        // Apart from the request, whose client may leave.
        spawn(async move {
            let release = simulation.to_release(Ending::Destroyed);
            let ends = [release];
            let released = simulations.inner.registry.release(&ends).await;
            if released.is_ok() {
                simulation.close();
                simulations.count_end(Ending::Destroyed);
                if let Some(fleet) = &simulations.inner.fleet {
                    let [release] = ends;
                    fleet.remember_end(release);
                    fleet.announce(simulation.id(), Ending::Destroyed.into());
                }
            } else {
                simulations.put_back(&simulation);
            }
            drop(passage);
            // Whoever waited may have gone.
            drop(sender.send(released));
        });
        match told.await {
            Ok(Ok(())) => Ok(true),
            Ok(Err(RegistryError::Unavailable)) => Err(RegistryError::Unavailable.into()),
            Ok(Err(RegistryError::Failed(_))) | Err(_) => Err(SimulationError::OutcomeUnknown),
        }
    }
}
