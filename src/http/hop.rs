//! What one instance tells another about a request that it passes on, and the proof that it does.

use std::net::IpAddr;

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Uri},
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::caller::Caller;
use crate::{id::Tenant, simulations::Peer};

/// Header: names a request in logs and problems.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Header: how often the request was passed on; more than once is never done.
const X_SIM_HOP: HeaderName = HeaderName::from_static("x-sim-hop");
/// Header: who is expected to have the simulation, `<instance>:<nonce>`.
const X_SIM_EXPECT: HeaderName = HeaderName::from_static("x-sim-expect");
/// Header: on whose behalf the request is made.
const X_SIM_TENANT: HeaderName = HeaderName::from_static("x-sim-tenant");
/// Header: where it came from.
const X_SIM_CLIENT: HeaderName = HeaderName::from_static("x-sim-client");
/// Header: the proof, in hex.
const X_SIM_SIGNATURE: HeaderName = HeaderName::from_static("x-sim-signature");

/// What a signature vouches for beside method, path and query.
const SIGNED: [HeaderName; 5] = [
    X_SIM_HOP,
    X_SIM_EXPECT,
    X_SIM_TENANT,
    X_SIM_CLIENT,
    X_REQUEST_ID,
];

/// What a request that was passed on says of itself.
pub(super) struct Hop {
    pub(super) tenant: Option<Tenant>,
    pub(super) client: Option<IpAddr>,
    /// Who is expected to have the simulation.
    expected: HeaderValue,
}

impl Hop {
    /// Whether this life of this instance is the one that is expected.
    pub(super) fn expects(&self, instance: &str, nonce: &str) -> bool {
        let expected = self.expected.to_str().ok();
        expected.and_then(|expected| expected.split_once(':')) == Some((instance, nonce))
    }
}

/// Adds to `headers` what `peer` is to know, and the proof. Nothing of it may be there already.
pub(super) fn sign(
    headers: &mut HeaderMap,
    (method, uri): (&Method, &Uri),
    caller: &Caller,
    peer: &Peer,
    secret: &str,
) {
    let told = |text: &str| HeaderValue::from_str(text).expect("ids and addresses are plain ASCII");
    headers.insert(X_SIM_HOP, HeaderValue::from_static("1"));
    headers.insert(X_SIM_EXPECT, told(&peer.owner.to_string()));
    if let Some(tenant) = &caller.tenant {
        headers.insert(X_SIM_TENANT, told(tenant.as_str()));
    }
    headers.insert(X_SIM_CLIENT, told(&caller.address.to_string()));
    headers.insert(X_REQUEST_ID, caller.request_id.clone());
    let signature = digest(method, uri, headers, secret).finalize().into_bytes();
    headers.insert(X_SIM_SIGNATURE, told(&to_hex(&signature)));
}

/// What a request says of itself, if it comes from an instance that has the secret.
pub(super) fn verify(request: &Request, secret: &str) -> Option<Hop> {
    let headers = request.headers();
    let signature = from_hex(headers.get(X_SIM_SIGNATURE)?.as_bytes())?;
    let expected = digest(request.method(), request.uri(), headers, secret);
    // Compares in constant time.
    expected.verify_slice(&signature).ok()?;
    if headers.get(X_SIM_HOP)?.as_bytes() != b"1" {
        return None;
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let tenant = text(X_SIM_TENANT).map(Tenant::parse).transpose();
    Some(Hop {
        tenant: tenant.ok()?,
        client: text(X_SIM_CLIENT).and_then(|client| client.parse().ok()),
        expected: headers.get(X_SIM_EXPECT)?.clone(),
    })
}

fn digest(method: &Method, uri: &Uri, headers: &HeaderMap, secret: &str) -> Hmac<Sha256> {
    let mut digest = keyed(secret);
    digest.update(method.as_str().as_bytes());
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    // No header has a line break in it, so no two requests look alike.
    digest.update(b"\n");
    digest.update(target.as_bytes());
    for name in SIGNED {
        digest.update(b"\n");
        digest.update(headers.get(name).map_or(b"", HeaderValue::as_bytes));
    }
    digest
}

/// A digest that nobody makes who does not have the secret.
pub(super) fn keyed(secret: &str) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret.as_bytes()).expect("keys may be of any length")
}

pub(super) fn to_hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    let digits = bytes.iter().map(|byte| [byte >> 4, byte & 15]);
    digits.flatten().map(digit).collect()
}

pub(super) fn from_hex(hex: &[u8]) -> Option<Vec<u8>> {
    let value = |digit: u8| char::from(digit).to_digit(16);
    let (pairs, []) = hex.as_chunks::<2>() else {
        return None;
    };
    let bytes = pairs.iter().map(|[high, low]| {
        let byte = value(*high)? << 4 | value(*low)?;
        u8::try_from(byte).ok()
    });
    bytes.collect()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use axum::body::Body;
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::{
        id::{InstanceId, Nonce},
        simulations::Owner,
    };

    const SECRET: &str = "secret";

    fn signed() -> Request {
        let owner = Owner {
            instance: InstanceId::parse("b").unwrap(),
            nonce: Nonce::parse("0123").unwrap(),
        };
        let peer = Peer {
            owner,
            url: "http://b".into(),
            simulations: 0,
            room: 0,
        };
        let caller = Caller {
            tenant: Some(Tenant::parse("alice").unwrap()),
            address: Ipv4Addr::LOCALHOST.into(),
            request_id: HeaderValue::from_static("r"),
            may_forward: true,
        };
        let mut request = axum::http::Request::post("/simulations/x/step?a=b")
            .body(Body::empty())
            .unwrap();
        let line = (request.method().clone(), request.uri().clone());
        let headers = request.headers_mut();
        sign(headers, (&line.0, &line.1), &caller, &peer, SECRET);
        request
    }

    #[test]
    fn what_is_signed_is_taken() {
        let hop = verify(&signed(), SECRET).unwrap();
        assert_eq!(hop.tenant, Tenant::parse("alice").ok());
        assert_eq!(hop.client, Some(Ipv4Addr::LOCALHOST.into()));
        assert!(hop.expects("b", "0123"));
        assert!(!hop.expects("b", "0124"));
        assert!(!hop.expects("a", "0123"));
    }

    #[test]
    fn what_was_changed_is_not() {
        assert!(verify(&signed(), "another").is_none());
        for name in SIGNED.into_iter().chain([X_SIM_SIGNATURE]) {
            let mut request = signed();
            let other = HeaderValue::from_static("7");
            request.headers_mut().insert(name.clone(), other);
            assert!(verify(&request, SECRET).is_none(), "{name} changed");
            request.headers_mut().remove(&name);
            assert!(verify(&request, SECRET).is_none(), "{name} removed");
        }
        let mut request = signed();
        *request.method_mut() = Method::DELETE;
        assert!(verify(&request, SECRET).is_none());
        let mut request = signed();
        *request.uri_mut() = Uri::from_static("/simulations/x/step?a=c");
        assert!(verify(&request, SECRET).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nobody_passes_for_an_instance_without_the_secret(
            told in vec((0..SIGNED.len(), header()), 0..8),
            signature in prop_oneof![header(), "[0-9a-fA-F]{64}".prop_map(|hex| HeaderValue::from_str(&hex).unwrap())],
            is_taken in any::<bool>(),
        ) {
            let mut request = if is_taken { signed() } else { Request::new(Body::empty()) };
            let before = request.headers().clone();
            for (name, value) in told {
                request.headers_mut().insert(SIGNED[name].clone(), value);
            }
            if !is_taken {
                request.headers_mut().insert(X_SIM_SIGNATURE, signature);
            }
            let is_as_signed = is_taken && *request.headers() == before;
            prop_assert_eq!(verify(&request, SECRET).is_some(), is_as_signed);
        }
    }

    fn header() -> impl Strategy<Value = HeaderValue> {
        let byte = prop_oneof![b' '..=b'~', 0x80..=0xff_u8];
        vec(byte, 0..80).prop_map(|bytes| HeaderValue::from_bytes(&bytes).unwrap())
    }

    #[test]
    fn hex_that_is_none_is_refused() {
        assert_eq!(
            from_hex(to_hex(&[0, 15, 255]).as_bytes()),
            Some(vec![0, 15, 255])
        );
        for bad in ["0", "0g", "+1", "é"] {
            assert_eq!(from_hex(bad.as_bytes()), None, "{bad}");
        }
    }
}
