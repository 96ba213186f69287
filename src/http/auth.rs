//! Who may use the service, and whose what they create is.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, Method, header};
use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use super::{problem::Problem, problem_code::ProblemCode};
use crate::{
    config::{ApiKey, ApiKeys},
    id::Tenant,
};

/// Header: the key, for clients that cannot send `Authorization`.
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The keys that clients have. Cheap to clone.
#[derive(Clone)]
pub(super) struct Keys(Arc<[ApiKey]>);

impl Keys {
    pub(super) fn new(keys: &ApiKeys) -> Self {
        Self(keys.0.as_slice().into())
    }

    /// Whose key a request has. Nobody's if no keys are configured: then everybody may do
    /// everything.
    pub(super) fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Tenant>, Problem> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let refuse = |detail| Problem::new(ProblemCode::Unauthorized, detail);
        let key = given(headers).ok_or_else(|| {
            refuse("an API key is needed: Authorization: Bearer <key>, or X-API-Key: <key>")
        })?;
        let owner = self.owner(key);
        let owner = owner.ok_or_else(|| refuse("nobody has this API key"))?;
        Ok(Some(owner.clone()))
    }

    /// Whose key it is. It takes as long whoever's it is, and however much of it is right.
    fn owner(&self, key: &[u8]) -> Option<&Tenant> {
        let hash: [u8; 32] = Sha256::digest(key).into();
        let mut found = u64::MAX;
        for (index, known) in (0..).zip(self.0.iter()) {
            found.conditional_assign(&index, hash.ct_eq(&known.hash));
        }
        let known = self.0.get(usize::try_from(found).ok()?);
        known.map(|known| &known.tenant)
    }
}

/// Whether a request comes from an operator, who has the secret of the instances. It takes as long
/// however much of it is right.
pub(super) fn is_operator(headers: &HeaderMap, secret: &str) -> bool {
    let hash = |secret: &[u8]| -> [u8; 32] { Sha256::digest(secret).into() };
    bearer(headers).is_some_and(|given| hash(given).ct_eq(&hash(secret.as_bytes())).into())
}

/// Whether a request is answered without a key: those that see whether the service lives, and
/// browsers that ask what they may send.
pub(super) fn is_open_to_all(method: &Method, path: &str) -> bool {
    matches!(path, "/health" | "/ready") || *method == Method::OPTIONS
}

/// Whether a path is for operators alone.
pub(super) fn is_for_operators(path: &str) -> bool {
    path.starts_with("/admin/")
}

/// The key that a request has.
fn given(headers: &HeaderMap) -> Option<&[u8]> {
    let key = bearer(headers).or_else(|| Some(headers.get(X_API_KEY)?.as_bytes()))?;
    (!key.is_empty()).then_some(key)
}

/// The token in `Authorization`.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    let is_bearer = scheme.eq_ignore_ascii_case(b"bearer ");
    is_bearer.then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(list: &[(&str, &str)]) -> Keys {
        let keys = list.iter().map(|(tenant, key)| ApiKey {
            tenant: Tenant::parse(tenant).unwrap(),
            hash: Sha256::digest(key).into(),
        });
        Keys::new(&ApiKeys(keys.collect()))
    }

    fn asked(keys: &Keys, headers: &[(&str, &str)]) -> Result<Option<String>, &'static str> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, value.parse().unwrap());
        }
        let tenant = keys.authenticate(&map).map_err(|problem| problem.code())?;
        Ok(tenant.map(|tenant| tenant.to_string()))
    }

    #[test]
    fn without_keys_everybody_is_nobody() {
        let open = keys(&[]);
        assert_eq!(asked(&open, &[]), Ok(None));
        assert_eq!(asked(&open, &[("x-api-key", "whatever")]), Ok(None));
    }

    #[test]
    fn a_key_tells_whose_it_is() {
        let keys = keys(&[("alice", "a1"), ("bob", "b1"), ("alice", "a2")]);
        for (header, value, tenant) in [
            ("authorization", "Bearer a1", "alice"),
            ("authorization", "bearer a2", "alice"),
            ("authorization", "BEARER   b1 ", "bob"),
            ("x-api-key", "b1", "bob"),
        ] {
            let expected = Ok(Some(tenant.to_owned()));
            assert_eq!(asked(&keys, &[(header, value)]), expected, "{value}");
        }
        let other_scheme = [("authorization", "Basic eDp5"), ("x-api-key", "a1")];
        assert_eq!(asked(&keys, &other_scheme), Ok(Some("alice".to_owned())));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let keys = keys(&[("alice", "a1"), ("nobody", "")]);
        for headers in [
            &[] as &[_],
            &[("authorization", "a1")],
            &[("authorization", "Bearer")],
            &[("authorization", "Bearer ")],
            &[("authorization", "Bearer a1x")],
            &[("authorization", "Basic a1")],
            &[("x-api-key", "")],
            &[("x-api-key", "A1")],
            // Whoever names a wrong one is not asked for another.
            &[("authorization", "Bearer b1"), ("x-api-key", "a1")],
        ] {
            assert_eq!(asked(&keys, headers), Err("unauthorized"), "{headers:?}");
        }
    }
}
