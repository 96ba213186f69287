//! The service itself: whether it lives, whether it is ready, and what its words mean.

use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{problem::Problem, problem_code::ProblemCode, state::AppState};

/// Whether the process lives.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health<'a> {
    /// `healthy`.
    status: &'static str,
    /// `rapier-physics-service`.
    service: &'static str,
    /// The version of the service.
    version: &'static str,
    /// The name of this instance.
    instance: &'a str,
    /// Where simulations are registered.
    storage: &'static str,
    /// How many simulations are here.
    simulations: usize,
    /// How long the process has run.
    uptime_seconds: u64,
}

/// Whether the instance takes work.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// Whether it does.
    ready: bool,
    /// Whether it is about to stop.
    draining: bool,
    /// Its parts.
    components: Components,
}

/// The state of the parts of an instance.
#[derive(Serialize, ToSchema)]
pub(crate) struct Components {
    /// `ok`.
    physics: &'static str,
}

/// Whether the process lives. Asks nobody else.
#[utoipa::path(
    get,
    path = "/health",
    tag = "service",
    responses((status = 200, description = "It lives", body = Health, example = json!({"status": "healthy", "service": "rapier-physics-service", "version": "0.1.0", "instance": "e286de6c", "storage": "memory", "simulations": 3, "uptime_seconds": 120}))),
)]
pub(crate) async fn show_health(State(state): State<AppState>) -> Response {
    let services = state.simulations.services();
    let health = Health {
        status: "healthy",
        service: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        instance: services.instance_id.as_str(),
        storage: "memory",
        simulations: state.simulations.count(),
        uptime_seconds: services.clock.uptime().as_secs(),
    };
    axum::Json(health).into_response()
}

/// Whether the instance takes work.
#[utoipa::path(
    get,
    path = "/ready",
    tag = "service",
    responses(
        (status = 200, description = "It does", body = Readiness, example = json!({"ready": true, "draining": false, "components": {"physics": "ok"}})),
        (status = 503, description = "It does not", body = Readiness, example = json!({"ready": false, "draining": true, "components": {"physics": "ok"}})),
    ),
)]
pub(crate) async fn show_readiness(State(state): State<AppState>) -> Response {
    let draining = state.simulations.is_draining();
    let readiness = Readiness {
        ready: !draining,
        draining,
        components: Components { physics: "ok" },
    };
    let status = if draining {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    (status, axum::Json(readiness)).into_response()
}

/// This document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "service",
    responses((status = 200, description = "An OpenAPI 3.1 document", body = Object)),
)]
pub(crate) async fn show_openapi(State(state): State<AppState>) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, state.openapi.clone()).into_response()
}

/// What a problem's code means: where the links of problems lead.
#[utoipa::path(
    get,
    path = "/problems/{code}",
    tag = "service",
    params(("code" = String, Path, description = "The code of a problem", example = "invalid_value")),
    responses(
        (status = 200, description = "Its status and title", body = String, content_type = "text/plain"),
        (status = 404, description = "No such code", body = crate::http::problem::ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn explain_problem(Path(code): Path<String>) -> Result<String, Problem> {
    let known = ProblemCode::ALL.iter().map(|known| known.describe());
    for (name, title, status) in known {
        if name == code {
            return Ok(format!("{name} ({})\n{title}.\n", status.as_u16()));
        }
    }
    let detail = "there is no problem of this code";
    Err(Problem::new(ProblemCode::RouteNotFound, detail))
}
