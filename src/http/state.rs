//! What every handler can reach.

use std::{ops::Deref, sync::Arc};

use bytes::Bytes;

use crate::{config::Config, simulations::Simulations};

/// The state of the HTTP layer. Cheap to clone: handlers do so for every request, on all cores.
#[derive(Clone)]
pub(crate) struct AppState(Arc<Parts>);

/// What the state consists of.
pub(crate) struct Parts {
    pub(super) simulations: Simulations,
    pub(super) config: Arc<Config>,
    /// The `OpenAPI` document as JSON.
    pub(super) openapi: Bytes,
}

impl AppState {
    pub(super) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
