//! Who owns which simulation, and what became of those that are gone.

mod memory;

use async_trait::async_trait;

pub use self::memory::MemoryRegistry;
use crate::id::SimulationId;

/// Where simulations are registered.
#[async_trait]
pub trait Registry: Send + Sync + 'static {
    /// Makes this instance the owner of a new simulation. A tombstone does not hinder it.
    async fn claim(&self, id: &SimulationId) -> Result<(), RegistryError>;

    /// Gives up a simulation that came to an end, and remembers how.
    async fn release(&self, id: &SimulationId, ending: Ending) -> Result<(), RegistryError>;

    /// What is known of a simulation that is not here.
    async fn find(&self, id: &SimulationId) -> Result<Whereabouts, RegistryError>;
}

/// How a simulation came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A client destroyed it.
    Destroyed,
    /// Nobody used it for the length of its TTL.
    Expired,
    /// Its world could not be kept.
    Lost,
}

/// What is known of a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// Nothing.
    Unknown,
    /// It is registered.
    Owned,
    /// It came to an end.
    Ended(Ending),
}

/// Why the registry did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The name is taken.
    #[error("simulation {0} is registered already")]
    Taken(SimulationId),
}
