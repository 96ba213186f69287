//! What every handler can reach.

use std::{ops::Deref, sync::Arc};

use bytes::Bytes;

use super::forward::Forwarder;
use crate::{config::Config, simulations::Simulations};

/// The state of the HTTP layer. Cheap to clone: handlers do so for every request, on all cores.
#[derive(Clone)]
pub(crate) struct AppState(Arc<Parts>);

/// What the state consists of.
pub(crate) struct Parts {
    pub(super) simulations: Simulations,
    pub(super) config: Arc<Config>,
    /// The way to the other instances, where there may be any.
    pub(super) forwarder: Option<Arc<Forwarder>>,
    /// The `OpenAPI` document as JSON.
    pub(super) openapi: Bytes,
}

impl AppState {
    pub(super) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// How large the body of a request may be.
    pub(super) fn max_request_bytes(&self) -> usize {
        self.config.max_request_bytes as usize
    }
}

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
