//! The `OpenAPI` document: what the routes do not say of themselves.

use utoipa::OpenApi;

use super::problem::{FaultBody, ProblemBody};

/// The frame of the document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "rapier-physics-service",
        description = "Create, step, watch and destroy worlds of the Rapier physics engine. Units are SI; vectors are [x, y, z], quaternions [x, y, z, w].",
    ),
    tags(
        (name = "simulations", description = "Creating, finding, changing and destroying simulations"),
        (name = "bodies", description = "What is in a simulation"),
        (name = "joints", description = "What ties bodies together"),
        (name = "forces", description = "What pushes bodies"),
        (name = "stepping", description = "Letting time pass"),
        (name = "service", description = "The service itself"),
    ),
    components(schemas(ProblemBody, FaultBody)),
)]
pub(super) struct Document;
