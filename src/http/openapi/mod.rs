//! The `OpenAPI` document: what the routes do not say of themselves.

mod headers;
mod links;
mod parameters;
mod problems;

use utoipa::{
    OpenApi,
    openapi::{
        OpenApi as Description, PathItem, RefOr,
        path::{HttpMethod, Operation},
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
)]
pub(super) struct Document;

/// What the path and the method of an operation say about it.
struct Route<'a> {
    path: &'a str,
    method: HttpMethod,
}

/// Adds to the operations what is true of many of them alike.
pub(super) fn complete(document: &mut Description, needs_key: bool) {
    secure(document, needs_key);
    let components = document.components.get_or_insert_default();
    problems::define(components);
    headers::define(components);
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let route = Route { path, method };
            parameters::narrow(operation);
            if route.method == HttpMethod::Patch {
                take_merge_patches(operation);
            }
            headers::ask(&route, operation);
            problems::expect(&route, operation);
            headers::announce(&route, operation);
        }
    }
    links::add(&mut document.paths.paths);
}

impl Route<'_> {
    fn names_simulation(&self) -> bool {
        self.path.starts_with("/simulations/{sim_id}")
    }

    /// Whether it leaves the simulation that it names as it is.
    fn only_looks(&self) -> bool {
        self.method == HttpMethod::Get
            || ["/queries", "/verify", "/keepalive"]
                .iter()
                .any(|end| self.path.ends_with(end))
    }

    /// Whether it changes a simulation that exists.
    fn commands(&self) -> bool {
        self.names_simulation() && !self.only_looks()
    }
}

/// The operations of a path.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    let all = [
        (HttpMethod::Get, item.get.as_mut()),
        (HttpMethod::Put, item.put.as_mut()),
        (HttpMethod::Post, item.post.as_mut()),
        (HttpMethod::Delete, item.delete.as_mut()),
        (HttpMethod::Patch, item.patch.as_mut()),
    ];
    let there = |(method, operation): (_, Option<_>)| Some((method, operation?));
    all.into_iter().filter_map(there)
}

/// What may be sent as JSON to change something may be called a merge patch.
fn take_merge_patches(operation: &mut Operation) {
    if let Some(RefOr::T(body)) = &mut operation.request_body
        && let Some(json) = body.content.get("application/json").cloned()
    {
        let kind = "application/merge-patch+json";
        body.content.insert(kind.to_owned(), json);
    }
}

/// Says how clients say who they are, and whether they have to.
fn secure(document: &mut Description, needs_key: bool) {
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
    let nobody = (!needs_key).then(SecurityRequirement::default);
    let keys = ["bearer", "api_key"].map(|name| SecurityRequirement::new(name, [""; 0]));
    document.security = Some(nobody.into_iter().chain(keys).collect());
    for path in ["/health", "/ready"] {
        let item = document.paths.paths.get_mut(path);
        if let Some(operation) = item.and_then(|item| item.get.as_mut()) {
            operation.security = Some(vec![SecurityRequirement::default()]);
        }
    }
}
