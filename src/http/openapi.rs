//! The `OpenAPI` document: what the routes do not say of themselves.

use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Description,
        security::{
            ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
        },
    },
};

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
        (name = "controllers", description = "What moves bodies towards what is asked for: characters, vehicles, PID controllers"),
        (name = "forces", description = "What pushes bodies"),
        (name = "stepping", description = "Letting time pass"),
        (name = "observation", description = "What happened and how things stand, without touching them"),
        (name = "history", description = "What happened to a simulation, and whether it would happen again"),
        (name = "assets", description = "Meshes that are uploaded once and named by many shapes"),
        (name = "service", description = "The service itself"),
    ),
    components(schemas(ProblemBody, FaultBody)),
    modifiers(&Security),
)]
pub(super) struct Document;

/// How clients say who they are, where they have to.
struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut Description) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API key; needed if the service has any"))
            .build();
        let header = ApiKeyValue::with_description("X-API-Key", "An API key, like `bearer`");
        let schemes = [
            ("bearer", SecurityScheme::Http(bearer)),
            ("api_key", SecurityScheme::ApiKey(ApiKey::Header(header))),
        ];
        let components = document.components.get_or_insert_default();
        components.add_security_schemes_from_iter(schemes);
        // Any of them; the one without a name says that there need not be one.
        document.security = Some(vec![
            SecurityRequirement::default(),
            SecurityRequirement::new("bearer", [""; 0]),
            SecurityRequirement::new("api_key", [""; 0]),
        ]);
    }
}
