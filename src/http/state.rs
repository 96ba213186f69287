//! What every handler can reach.

use std::{ops::Deref, sync::Arc};

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::{caller::Caller, forward::Forwarder};
use crate::{
    config::Config,
    imports::ImportLimits,
    simulations::{Peer, SimulationError, Simulations},
};

/// The state of the HTTP layer. Cheap to clone: handlers do so for every request, on all cores.
#[derive(Clone)]
pub(crate) struct AppState(Arc<Parts>);

/// What the state consists of.
pub(crate) struct Parts {
    pub(super) simulations: Simulations,
    pub(super) config: Arc<Config>,
    /// The way to the other instances, where there may be any.
    pub(super) forwarder: Option<Arc<Forwarder>>,
    /// How many histories may be made again at a time for those who want to see whether they can.
    pub(super) replays: Semaphore,
    /// The `OpenAPI` document as JSON.
    pub(super) openapi: Bytes,
}

impl AppState {
    pub(super) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Which other instance may create what is refused here, and the way to it.
    pub(super) async fn other_place(
        &self,
        refused: &SimulationError,
        caller: &Caller,
    ) -> Option<(&Forwarder, Arc<Peer>)> {
        let forwarder = self.forwarder.as_ref().filter(|_| caller.may_forward)?;
        if let SimulationError::OwnedElsewhere { peer, .. } = refused {
            return Some((forwarder, Arc::clone(peer)));
        }
        let has_no_room = matches!(
            refused,
            SimulationError::QuotaExceeded { .. } | SimulationError::Draining
        );
        if !has_no_room {
            return None;
        }
        let peer = self.simulations.roomiest_peer().await?;
        Some((forwarder, peer))
    }

    /// How large the body of a request may be.
    pub(super) fn max_request_bytes(&self) -> usize {
        self.config.max_request_bytes as usize
    }

    /// How much may be imported at once.
    pub(super) fn import_limits(&self) -> ImportLimits {
        ImportLimits {
            max_bytes: self.config.max_import_bytes as usize,
            max_bodies: self.config.max_bodies_per_simulation as usize,
        }
    }
}

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
