//! Replies about one simulation: JSON, and headers that say at which moment it was seen.

use std::io::Write;

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::simulations::{Head, Position, Reply, Services, SimulationHandle};

/// Header: how many commands the simulation had seen.
pub(super) const SIM_SEQ: HeaderName = HeaderName::from_static("sim-seq");
/// Header: how many steps it had taken.
pub(super) const SIM_STEP: HeaderName = HeaderName::from_static("sim-step");
/// Header: a hash of the state of its world, where replies carry one.
pub(super) const SIM_STATE_HASH: HeaderName = HeaderName::from_static("sim-state-hash");
/// Header: the instance that answered.
pub(super) const SIM_INSTANCE: HeaderName = HeaderName::from_static("sim-instance");
/// Header: this is the reply to an earlier request with the same key.
pub(super) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The most bytes an `ETag` takes: two quotes, two numbers and a dash.
const MAX_ETAG: usize = 2 + 20 + 1 + 16;

/// A reply with its status.
pub(super) struct Observed {
    status: StatusCode,
    location: Option<String>,
    reply: Reply,
}

impl Observed {
    /// 200.
    pub(super) fn ok(simulation: &SimulationHandle, reply: Reply) -> Self {
        Self::with_status(StatusCode::OK, None, reply, simulation.services())
    }

    /// 201, and where to find what was created.
    pub(super) fn created(services: &Services, reply: Reply, location: Option<String>) -> Self {
        Self::with_status(StatusCode::CREATED, location, reply, services)
    }

    /// 204.
    pub(super) fn done(simulation: &SimulationHandle, reply: Reply) -> Self {
        Self::with_status(StatusCode::NO_CONTENT, None, reply, simulation.services())
    }

    fn with_status(
        status: StatusCode,
        location: Option<String>,
        mut reply: Reply,
        services: &Services,
    ) -> Self {
        hide_state_hash(&mut reply.position, services);
        Self {
            status,
            location,
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
        write_position(headers, &self.reply.position);
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

/// Says where a simulation stands, or stood when it was seen.
pub(super) fn write_position(headers: &mut HeaderMap, position: &Position) {
    headers.insert(SIM_SEQ, position.head.seq.into());
    headers.insert(SIM_STEP, position.step.into());
    headers.insert(header::ETAG, etag(position.head));
    if let Some(hash) = position.state_hash {
        let hash = HeaderValue::try_from(format!("{hash:016x}"));
        headers.insert(SIM_STATE_HASH, hash.expect("digits are plain ASCII"));
    }
}

/// Leaves out the hash of a state where it is computed for the journal alone.
pub(super) fn hide_state_hash(position: &mut Position, services: &Services) {
    if !services.hashes_state {
        position.state_hash = None;
    }
}

/// Written on the stack: every reply about a simulation has one.
fn etag(Head { seq, chain }: Head) -> HeaderValue {
    let mut buffer = [0; MAX_ETAG];
    let mut rest = buffer.as_mut_slice();
    write!(rest, "\"{seq}-{chain:016x}\"").expect("there is room for the largest numbers");
    let left = rest.len();
    let tag = &buffer[..MAX_ETAG - left];
    HeaderValue::from_bytes(tag).expect("digits and quotes are plain ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_read_back_as_the_moment_it_was_written_for() {
        for (seq, chain) in [(0, 0), (7, 255), (u64::MAX, u64::MAX)] {
            let head = Head { seq, chain };
            let tag = etag(head);
            let text = tag.to_str().unwrap().trim_matches('"');
            assert_eq!(text, head.to_string());
            assert_eq!(Head::from_text(text), Some(head));
        }
    }
}
