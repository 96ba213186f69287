//! The service itself: whether it lives, whether it is ready, and what its words mean.

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    config::StorageBackend,
    http::{extract::bad_path, problem::Problem, problem_code::ProblemCode, state::AppState},
    simulations::{Promises, RegistryHealth},
};

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
    /// Where simulations are registered: `memory` or `redis`.
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
    /// `ok`, `degraded` or `down`, as last heard; only with Redis.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    redis: Option<&'static str>,
    /// What Redis keeps, as far as it tells: what simulations that are written down there survive.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    redis_keeps: Option<RedisKeeps>,
    /// What is wrong with Redis while it is `degraded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    degraded: Option<String>,
}

/// What Redis keeps when its memory is full, when it loses power, and when another server takes
/// its place.
#[derive(Serialize, ToSchema)]
pub(crate) struct RedisKeeps {
    /// Its `maxmemory-policy`; all but `noeviction` throw away what is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    eviction: Option<String>,
    /// Whether it writes an append-only file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    appendonly: Option<bool>,
    /// When that reaches the disk: `always`, `everysec` or `no`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    appendfsync: Option<String>,
    /// How many replicas follow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    replicas: Option<u32>,
}

impl From<Promises> for RedisKeeps {
    fn from(promises: Promises) -> Self {
        Self {
            eviction: promises.eviction,
            appendonly: promises.appendonly,
            appendfsync: promises.appendfsync,
            replicas: promises.replicas,
        }
    }
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
        storage: match state.config.storage_backend {
            StorageBackend::Memory => "memory",
            StorageBackend::Redis => "redis",
        },
        simulations: state.simulations.count(),
        uptime_seconds: services.clock.uptime().as_secs(),
    };
    axum::Json(health).into_response()
}

/// Whether the instance takes work. Asks nobody else: Redis is as it was last heard.
#[utoipa::path(
    get,
    path = "/ready",
    tag = "service",
    responses(
        (status = 200, description = "It does", body = Readiness, example = json!({"ready": true, "draining": false, "components": {"physics": "ok", "redis": "ok"}})),
        (status = 503, description = "It does not", body = Readiness, example = json!({"ready": false, "draining": true, "components": {"physics": "ok"}})),
    ),
)]
pub(crate) async fn show_readiness(State(state): State<AppState>) -> Response {
    let draining = state.simulations.is_draining();
    let health = state.simulations.registry_health();
    let lacks_redis =
        state.config.ready_requires_redis && matches!(health, Some(RegistryHealth::Down));
    let ready = !draining && !lacks_redis;
    let readiness = Readiness {
        ready,
        draining,
        components: Components::new(health, state.simulations.promises()),
    };
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, axum::Json(readiness)).into_response()
}

impl Components {
    fn new(registry: Option<RegistryHealth>, promises: Option<Promises>) -> Self {
        let (redis, degraded) = match registry {
            None => (None, None),
            Some(RegistryHealth::Ok) => (Some("ok"), None),
            Some(RegistryHealth::Degraded(reason)) => (Some("degraded"), Some(reason)),
            Some(RegistryHealth::Down) => (Some("down"), None),
        };
        Self {
            physics: "ok",
            redis,
            redis_keeps: promises.map(Into::into),
            degraded,
        }
    }
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
        (status = 400, description = "The path is not UTF-8", body = crate::http::problem::ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such code", body = crate::http::problem::ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn explain_problem(
    code: Result<Path<String>, PathRejection>,
) -> Result<String, Problem> {
    let Path(code) = code.map_err(|_| bad_path())?;
    let known = ProblemCode::ALL.iter().map(|known| known.describe());
    for (name, title, status) in known {
        if name == code {
            return Ok(format!("{name} ({})\n{title}.\n", status.as_u16()));
        }
    }
    let detail = "there is no problem of this code";
    Err(Problem::new(ProblemCode::RouteNotFound, detail))
}
