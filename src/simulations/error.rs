//! Why a simulation did not do as asked.

use std::{sync::Arc, time::Duration};

use super::durability::Durability;
use crate::{
    assets::AssetError,
    id::SimulationId,
    journal::JournalError,
    physics::{AssetId, EngineFault, Fault, PhysicsError},
    registry::{Head, Holding, Peer, RegistryError},
};

/// Why a request about simulations was not carried out.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SimulationError {
    /// It never was, or it was destroyed.
    #[error("no simulation {0}")]
    NotFound(SimulationId),
    /// Nobody used it for the length of its TTL.
    #[error("simulation {0} has expired")]
    Expired(SimulationId),
    /// Its world could not be kept.
    #[error("simulation {0} is lost")]
    Lost(SimulationId),
    /// The name is taken.
    #[error("simulation {0} exists")]
    Exists(SimulationId),
    /// Some values of a new simulation, or of a change to one, cannot be taken.
    #[error("{} invalid value(s)", .0.len())]
    Invalid(Vec<Fault>),
    /// Too many requests wait for it; nothing was applied.
    #[error("simulation {id} has {maximum} requests waiting")]
    Busy {
        /// The simulation.
        id: SimulationId,
        /// The name of the limit.
        limit: &'static str,
        /// How many may wait.
        maximum: usize,
    },
    /// Another instance has it.
    #[error("simulation {id} is owned by instance {}", peer.owner.instance)]
    OwnedElsewhere {
        /// The simulation.
        id: SimulationId,
        /// Who has it.
        peer: Arc<Peer>,
    },
    /// Its owner does not renew its lease, and may yet come back.
    #[error("the owner of simulation {0} does not answer")]
    OwnerUnreachable(SimulationId),
    /// Another instance claimed it while this one was cut off; its world here is gone.
    #[error("this instance has lost simulation {0} to another one")]
    OwnershipLost(SimulationId),
    /// This instance holds as many simulations as it may.
    #[error("this instance holds {maximum} simulations, its maximum")]
    QuotaExceeded {
        /// How many it may hold.
        maximum: usize,
    },
    /// This instance is about to stop.
    #[error("this instance is draining")]
    Draining,
    /// The request waited too long, or would have to; it was not begun.
    #[error("the request waited too long and was not begun")]
    Overloaded,
    /// The client's own deadline passed before the request was begun.
    #[error("the deadline of the request passed before it was begun")]
    TooLate,
    /// As much of what its client asked for waits to be computed as may; nothing was applied.
    #[error("{maximum} requests of this client wait to be computed")]
    TooManyWaiting {
        /// How many may wait.
        maximum: usize,
    },
    /// The memory that this would take is not there; nothing was applied.
    #[error("this instance has no memory left for this")]
    OutOfMemory,
    /// The request is still being carried out; waiting for it has ended.
    #[error("the request is still being carried out")]
    OutcomeUnknown,
    /// A key was used for another request before.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The first request with this key is still being carried out.
    #[error("a request with this idempotency key is being carried out")]
    KeyInFlight,
    /// The command of this key was applied, but its reply is no longer kept.
    #[error("the command was applied as {seq}, its reply is no longer kept")]
    ReplyNotKept {
        /// The number under which it was applied.
        seq: u64,
    },
    /// The world refused the command.
    #[error(transparent)]
    Physics(#[from] PhysicsError),
    /// The engine failed on the command, which has been undone.
    #[error(transparent)]
    Engine(#[from] EngineFault),
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The journal did not take a command, which has not been carried out.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The simulation does not stand where the client requires it to.
    #[error("simulation {id} stands at {head}")]
    PreconditionFailed {
        /// The simulation.
        id: SimulationId,
        /// Where it stands.
        head: Head,
    },
    /// The client has seen more of the simulation than there is left of it.
    #[error("simulation {id} is known up to its command {seq} only, what came after is lost")]
    HistoryLost {
        /// The simulation.
        id: SimulationId,
        /// The last command that is left.
        seq: u64,
    },
    /// The client has seen another history of the simulation.
    #[error("simulation {0} has another history than the one that was seen")]
    HistoryDiverged(SimulationId),
    /// Its commands do not lead to where they led before; nobody goes on with it.
    #[error("simulation {id} could not be made again as it was: {reason}")]
    Unreplayable {
        /// The simulation.
        id: SimulationId,
        /// What was found.
        reason: String,
    },
    /// It keeps no journal.
    #[error("simulation {0} keeps no journal")]
    NotJournalled(SimulationId),
    /// There is no asset of this name, or no more.
    #[error("no asset {0}")]
    AssetNotFound(AssetId),
    /// The store of assets has not done as asked.
    #[error(transparent)]
    Assets(#[from] AssetError),
    /// Its owner is gone, and its journal waits for somebody to go on with it.
    #[error("simulation {0} has no owner")]
    Ownerless(SimulationId, Box<Holding>),
}

impl SimulationError {
    /// The same error, where it has come to light after the request was carried out: what is
    /// reported as not done would be done twice.
    #[must_use]
    pub fn after_the_fact(self, durability: Durability) -> Self {
        // What is written down may live on elsewhere, anything else is gone with its world.
        let is_written = durability == Durability::Journal;
        let is_unknown = matches!(self, Self::Registry(_) | Self::Journal(_))
            || is_written && matches!(self, Self::OwnershipLost(_));
        if is_unknown {
            return Self::OutcomeUnknown;
        }
        self
    }

    /// Whether another instance has the simulation.
    pub fn is_elsewhere(&self) -> bool {
        matches!(self, Self::OwnedElsewhere { .. })
    }

    /// After which time the same request may succeed.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { .. }
            | Self::QuotaExceeded { .. }
            | Self::OwnerUnreachable(_)
            | Self::OwnershipLost(_)
            | Self::Draining
            | Self::Overloaded
            | Self::TooLate
            | Self::TooManyWaiting { .. }
            | Self::OutOfMemory
            | Self::OutcomeUnknown
            | Self::Registry(_)
            | Self::Journal(_)
            | Self::Assets(_)
            | Self::Ownerless(..) => Some(Duration::from_secs(1)),
            Self::NotFound(_)
            | Self::Expired(_)
            | Self::Lost(_)
            | Self::Exists(_)
            | Self::OwnedElsewhere { .. }
            | Self::Invalid(_)
            | Self::KeyReused
            | Self::KeyInFlight
            | Self::ReplyNotKept { .. }
            | Self::Physics(_)
            | Self::Engine(_)
            | Self::PreconditionFailed { .. }
            | Self::HistoryLost { .. }
            | Self::HistoryDiverged(_)
            | Self::Unreplayable { .. }
            | Self::AssetNotFound(_)
            | Self::NotJournalled(_) => None,
        }
    }
}
