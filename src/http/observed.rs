//! Replies about one simulation: JSON, and headers that say at which moment it was seen.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::simulations::Reply;

/// Header: how many commands the simulation had seen.
pub(super) const SIM_SEQ: HeaderName = HeaderName::from_static("sim-seq");
/// Header: how many steps it had taken.
pub(super) const SIM_STEP: HeaderName = HeaderName::from_static("sim-step");
/// Header: the instance that answered.
pub(super) const SIM_INSTANCE: HeaderName = HeaderName::from_static("sim-instance");
/// Header: this is the reply to an earlier request with the same key.
pub(super) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A reply with its status.
pub(super) struct Observed {
    status: StatusCode,
    location: Option<String>,
    reply: Reply,
}

impl Observed {
    /// 200.
    pub(super) fn ok(reply: Reply) -> Self {
        Self {
            status: StatusCode::OK,
            location: None,
            reply,
        }
    }

    /// 201, and where to find what was created.
    pub(super) fn created(reply: Reply, location: Option<String>) -> Self {
        Self {
            status: StatusCode::CREATED,
            location,
            reply,
        }
    }

    /// 204.
    pub(super) fn done(reply: Reply) -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            location: None,
            reply,
        }
    }
}

impl IntoResponse for Observed {
    fn into_response(self) -> Response {
        let mut response = Response::new(self.reply.body.into());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if self.status != StatusCode::NO_CONTENT {
            let json = HeaderValue::from_static("application/json");
            headers.insert(header::CONTENT_TYPE, json);
        }
        headers.insert(SIM_SEQ, self.reply.seq.into());
        headers.insert(SIM_STEP, self.reply.step.into());
        if self.reply.is_replayed {
            headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        }
        if let Some(location) = self
            .location
            .and_then(|path| HeaderValue::try_from(path).ok())
        {
            headers.insert(header::LOCATION, location);
        }
        response
    }
}
