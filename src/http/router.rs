//! The route table, and the layers that all routes share.

use std::sync::Arc;

use axum::Router;
use hyper::Method;
use scalar_api_reference::axum as scalar;
use tower::ServiceBuilder;
use tower_http::{
    compression::{CompressionLayer, predicate::SizeAbove},
    cors::{AllowOrigin, Any, CorsLayer, ExposeHeaders},
};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    observed::{IDEMPOTENCY_REPLAYED, SIM_INSTANCE, SIM_SEQ, SIM_STEP},
    openapi::Document,
    problem::{Problem, ProblemCode},
    routes::{bodies, forces, joints, service, simulations, stepping},
    state::AppState,
};
use crate::config::Config;

/// Replies of fewer bytes than this are not worth compressing.
const MIN_COMPRESSED: u64 = 1024;

/// All routes of the service and the document that describes them.
pub(super) fn documented() -> (Router<AppState>, utoipa::openapi::OpenApi) {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(service::health))
        .routes(routes!(service::ready))
        .routes(routes!(service::openapi))
        .routes(routes!(service::problem))
        .routes(routes!(simulations::create, simulations::list))
        .routes(routes!(
            simulations::show,
            simulations::patch,
            simulations::destroy
        ))
        .routes(routes!(simulations::state))
        .routes(routes!(simulations::keepalive))
        .routes(routes!(stepping::step))
        .routes(routes!(stepping::trajectory))
        .routes(routes!(bodies::add, bodies::list))
        .routes(routes!(bodies::show, bodies::patch, bodies::remove))
        .routes(routes!(forces::impulse))
        .routes(routes!(forces::set_force, forces::clear_force))
        .routes(routes!(joints::add, joints::list))
        .routes(routes!(joints::show, joints::patch, joints::remove))
        .split_for_parts()
}

/// The routes with their layers.
pub(super) fn router(routes: Router<AppState>, state: AppState) -> Router {
    let cors = cors(&state.config);
    routes
        .fallback(async || Problem::new(ProblemCode::RouteNotFound, "no such route"))
        .method_not_allowed_fallback(async || {
            let detail = "the route does not know this method, see Allow";
            Problem::new(ProblemCode::MethodNotAllowed, detail)
        })
        .with_state(state)
        .merge(documentation())
        .layer(
            ServiceBuilder::new()
                .layer(cors)
                .layer(CompressionLayer::new().compress_when(SizeAbove::new(MIN_COMPRESSED))),
        )
}

/// A page that shows the document, complete without a network.
fn documentation() -> Router {
    let settings = serde_json::json!({
        "url": "/openapi.json",
        "withDefaultFonts": false,
        "telemetry": false,
    });
    scalar::router("/docs", &settings)
}

fn cors(config: &Arc<Config>) -> CorsLayer {
    let origins = match config.cors_allowed_origins.as_str() {
        "*" => AllowOrigin::any(),
        origins => AllowOrigin::list(
            origins
                .split(',')
                .filter_map(|origin| origin.trim().parse().ok()),
        ),
    };
    CorsLayer::new()
        .allow_origin(origins)
        .allow_headers(Any)
        .allow_methods([
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .expose_headers(ExposeHeaders::list(
            [
                SIM_SEQ,
                SIM_STEP,
                SIM_INSTANCE,
                IDEMPOTENCY_REPLAYED,
                "x-request-id",
                "location",
                "retry-after",
            ]
            .map(hyper::header::HeaderName::from_static),
        ))
}
