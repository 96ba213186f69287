//! Which pages of other origins may use the service, and what they may read of replies.

use axum::http::{Method, header};
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

use super::{
    hop::X_REQUEST_ID,
    observed::{IDEMPOTENCY_REPLAYED, SIM_INSTANCE, SIM_SEQ, SIM_STATE_HASH, SIM_STEP},
};
use crate::config::Config;

/// Who may use the service from a page.
pub(super) fn cors(config: &Config) -> CorsLayer {
    let origins = match config.cors_allowed_origins.as_str() {
        "*" => AllowOrigin::any(),
        origins => AllowOrigin::list(
            origins
                .split(',')
                .filter_map(|origin| origin.trim().parse().ok()),
        ),
    };
    let methods = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ];
    let told = [
        SIM_SEQ,
        SIM_STEP,
        SIM_STATE_HASH,
        SIM_INSTANCE,
        header::ETAG,
        IDEMPOTENCY_REPLAYED,
        X_REQUEST_ID,
        header::LOCATION,
        header::RETRY_AFTER,
    ];
    CorsLayer::new()
        .allow_origin(origins)
        .allow_headers(Any)
        .allow_methods(methods)
        .expose_headers(told)
}
