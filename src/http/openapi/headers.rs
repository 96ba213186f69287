//! The headers of requests and replies.

use utoipa::openapi::{
    Components, Header, HeaderBuilder, ObjectBuilder, Ref, RefOr, ResponseBuilder, Type,
    path::{HttpMethod, Operation, ParameterBuilder, ParameterIn},
};

use super::Route;

/// The number of the last command, and the end of the chain of all of them.
const TAG: &str = r#"^"[0-9]{1,19}-[0-9a-f]{16}"$"#;

/// Defines every header, once.
pub(super) fn define(components: &mut Components) {
    for (name, pattern, description) in [
        ("X-Request-Id", "", "Names the request in the logs."),
        ("Sim-Instance", "", "The instance that answered."),
        (
            "Sim-Seq",
            "^[0-9]+$",
            "How many commands the simulation had seen.",
        ),
        ("Sim-Step", "^[0-9]+$", "How many steps it had taken."),
        (
            "Sim-State-Hash",
            "^[0-9a-f]{16}$",
            "A hash of the state of its world, where the service computes one.",
        ),
        (
            "Idempotency-Replayed",
            "^true$",
            "This is the reply to an earlier request with the same key.",
        ),
        (
            "Location",
            "^/simulations/",
            "Where to find what was created, if that was one thing.",
        ),
        (
            "Retry-After",
            "^[0-9]+$",
            "After how many seconds the same request may succeed, if it may.",
        ),
        ("WWW-Authenticate", "", "How to say who one is."),
    ] {
        let header = header(pattern, description);
        components.headers.insert(name.to_owned(), header.into());
    }
    let tag = header(TAG, "Where the simulation stood.");
    components.headers.insert("ETag".to_owned(), tag.into());
    for (name, pattern, description) in [
        (
            "Idempotency-Key",
            "^[!-~]{1,128}$",
            "The request is carried out once, however often it is sent with this key.",
        ),
        (
            "If-Match",
            "",
            "The `ETag` of where the simulation has to stand, or `*`.",
        ),
        (
            "Sim-Witness",
            TAG,
            "The last `ETag` that the client has seen of the simulation.",
        ),
        (
            "Sim-Consistency",
            "^fenced$",
            "`fenced`: the registry is asked whether nobody else has the simulation by now.",
        ),
        (
            "Request-Timeout",
            "^[0-9]{1,4}(\\.[0-9]{1,9})?$",
            "For how many seconds the client waits: what has not begun by then is not carried out.",
        ),
        ("Sim-Forward", "", "`never`: no other instance is asked."),
    ] {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .description(Some(description))
            .schema(Some(text(pattern)))
            .build();
        components
            .parameters
            .insert(name.to_owned(), parameter.into());
    }
}

/// Adds the headers that an operation listens to.
pub(super) fn ask(route: &Route<'_>, operation: &mut Operation) {
    let creates = route.path == "/simulations" && route.method == HttpMethod::Post;
    let mut names = Vec::new();
    if creates || route.commands() && route.method == HttpMethod::Post {
        names.push("Idempotency-Key");
    }
    if route.commands() {
        names.extend(["If-Match", "Request-Timeout"]);
    }
    if route.names_simulation() {
        names.extend(["Sim-Witness", "Sim-Forward"]);
        if route.method == HttpMethod::Get || route.path.ends_with("/queries") {
            names.push("Sim-Consistency");
        }
    }
    if !names.is_empty() {
        let place = |name| Ref::new(format!("#/components/parameters/{name}"));
        let parameters = names.into_iter().map(|name| RefOr::Ref(place(name)));
        operation
            .parameters
            .get_or_insert_default()
            .extend(parameters);
    }
}

/// Adds the headers of replies that are no problems.
pub(super) fn announce(route: &Route<'_>, operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else {
            continue;
        };
        let mut names = vec!["X-Request-Id", "Sim-Instance"];
        if route.names_simulation() {
            names.extend(["Sim-Seq", "Sim-Step", "ETag", "Sim-State-Hash"]);
            if route.commands() && route.method == HttpMethod::Post {
                names.push("Idempotency-Replayed");
            }
        }
        if status == "201" && route.path.starts_with("/simulations") {
            names.push("Location");
        }
        for name in names {
            response.headers.insert(name.to_owned(), reference(name));
        }
    }
}

/// Adds the headers of a problem.
pub(super) fn of_problem(status: u16, response: ResponseBuilder) -> ResponseBuilder {
    let own = match status {
        401 => Some("WWW-Authenticate"),
        429 | 503 => Some("Retry-After"),
        _ => None,
    };
    let names = ["X-Request-Id", "Sim-Instance"].into_iter().chain(own);
    names.fold(response, |response, name| {
        response.header_ref(name, Ref::new(location(name)))
    })
}

fn reference(name: &str) -> RefOr<Header> {
    RefOr::Ref(Ref::new(location(name)))
}

fn location(name: &str) -> String {
    format!("#/components/headers/{name}")
}

fn header(pattern: &str, description: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(text(pattern)))
        .description(Some(description))
        .build()
}

fn text(pattern: &str) -> ObjectBuilder {
    let pattern = (!pattern.is_empty()).then_some(pattern);
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(pattern)
}
