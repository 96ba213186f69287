//! Who asks, and what may be done for them.

use std::{convert::Infallible, net::IpAddr};

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, request::Parts},
};

use crate::id::{Payer, Tenant};

/// Who a request comes from, as every request finds out.
pub(super) struct Asker {
    /// On whose behalf it asks.
    pub(super) tenant: Option<Tenant>,
    /// Where it asks from.
    pub(super) address: IpAddr,
    /// Whether another instance may answer.
    pub(super) may_forward: bool,
}

/// Who a request comes from, for those that are not about a simulation that is here.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// On whose behalf it asks.
    pub(super) tenant: Option<Tenant>,
    /// Where it asks from.
    pub(super) address: IpAddr,
    /// What its request is called in the logs of every instance that has to do with it.
    pub(super) request_id: HeaderValue,
    /// Whether another instance may answer.
    pub(super) may_forward: bool,
}

/// On whose account a request is: its tenant's, or its client's. Whoever has an address of the sixth
/// version has many.
pub(super) fn payer(tenant: Option<&Tenant>, address: IpAddr) -> Payer {
    match (tenant, address) {
        (Some(tenant), _) => Payer::named(tenant.as_str().as_bytes()),
        (None, IpAddr::V4(address)) => Payer::named(&address.octets()),
        (None, IpAddr::V6(address)) => Payer::named(&address.octets()[..8]),
    }
}

impl Caller {
    /// On whose account it asks.
    pub(super) fn payer(&self) -> Payer {
        payer(self.tenant.as_ref(), self.address)
    }
}

impl Asker {
    /// The same, with what the request is called.
    pub(super) fn called(self, request_id: &HeaderValue) -> Caller {
        Caller {
            tenant: self.tenant,
            address: self.address,
            request_id: request_id.clone(),
            may_forward: self.may_forward,
        }
    }
}

/// Who asks; the edge has found it out. Nobody asks about a simulation in this way: the edge has
/// looked it up for its caller.
impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let caller = parts.extensions.remove();
        Ok(caller.expect("the edge says who asks wherever no simulation is named"))
    }
}
