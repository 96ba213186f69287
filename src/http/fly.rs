//! Fly's proxy, which can be asked to send a request again to the machine that is meant.

use axum::{
    body::{Body, HttpBody},
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue},
    response::Response,
};
use hmac::Mac;

use super::hop::{from_hex, keyed, to_hex};
use crate::{
    config::{Config, Routing},
    id::is_id,
    simulations::{Peer, Simulations},
};

/// Header of a reply: to which machine the request is to be sent again.
const FLY_REPLAY: HeaderName = HeaderName::from_static("fly-replay");
/// Header of a request: it was sent again, and what was said when that was asked for.
const FLY_REPLAY_SRC: HeaderName = HeaderName::from_static("fly-replay-src");
/// Header of a request: it could not be sent to the machine that was asked for.
const FLY_REPLAY_FAILED: HeaderName = HeaderName::from_static("fly-replay-failed");
/// How many bytes of a body the proxy keeps, so that it can send them again.
const MAX_REPLAYED: u64 = 512 * 1024;
/// What the signature of a state begins with, so that it is good for nothing else.
const PURPOSE: &[u8] = b"fly-replay\n";

/// The proxy in front of this instance, if it is to send requests again.
#[derive(Clone)]
pub(super) struct Fly {
    simulations: Simulations,
}

impl Fly {
    /// Nothing unless instances are named as their machines are: the proxy knows no other names.
    pub(super) fn new(simulations: Simulations, config: &Config) -> Option<Self> {
        let machine = config.fly_machine_id.as_deref()?;
        let is_named_so = simulations.services().instance_id.as_str() == machine;
        (config.routing == Routing::FlyReplay && is_named_so).then_some(Self { simulations })
    }

    /// The reply that has a request sent to `peer`; nothing if the request has to be forwarded.
    /// None is sent again twice.
    pub(super) fn replay(
        &self,
        request: &Request,
        peer: &Peer,
        request_id: &HeaderValue,
    ) -> Option<Response> {
        let headers = request.headers();
        let was_sent_again =
            headers.contains_key(FLY_REPLAY_SRC) || headers.contains_key(FLY_REPLAY_FAILED);
        let size = request.body().size_hint().exact();
        if was_sent_again || size.is_none_or(|size| size > MAX_REPLAYED) {
            return None;
        }
        let wish = format!(
            "instance={};state={};timeout=2s;fallback=force_self",
            peer.owner.instance,
            self.state(request_id)?
        );
        let mut response = Response::new(Body::empty());
        let wish = HeaderValue::try_from(wish).ok()?;
        response.headers_mut().insert(FLY_REPLAY, wish);
        Some(response)
    }

    /// What a request was called by the instance that had it sent again.
    pub(super) fn first_request_id(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let source = headers.get(FLY_REPLAY_SRC)?.to_str().ok()?;
        let mut parts = source.split(';').map(str::trim);
        let (id, signature) = parts
            .find_map(|part| part.strip_prefix("state="))?
            .split_once('.')?;
        let signature = from_hex(signature.as_bytes())?;
        let mut digest = keyed(&self.simulations.internal_secret()?);
        digest.update(PURPOSE);
        digest.update(id.as_bytes());
        digest.verify_slice(&signature).ok()?;
        HeaderValue::from_str(id).ok().filter(|_| is_id(id))
    }

    /// The id of a request with the proof that an instance has given it. One that is not of a
    /// plain form came from the client, and comes again.
    fn state(&self, request_id: &HeaderValue) -> Option<String> {
        let given = request_id.to_str().ok().filter(|id| is_id(id));
        let id = given.unwrap_or("given");
        let mut digest = keyed(&self.simulations.internal_secret()?);
        digest.update(PURPOSE);
        digest.update(id.as_bytes());
        let signature = to_hex(&digest.finalize().into_bytes());
        Some(format!("{id}.{signature}"))
    }
}
