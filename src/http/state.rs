//! What every handler can reach.

use std::sync::Arc;

use bytes::Bytes;

use crate::{config::Config, simulations::Simulations};

/// The state of the HTTP layer. Cheap to clone.
#[derive(Clone)]
pub(crate) struct AppState {
    pub(super) simulations: Simulations,
    pub(super) config: Arc<Config>,
    /// The `OpenAPI` document as JSON.
    pub(super) openapi: Bytes,
}
