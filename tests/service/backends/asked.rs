//! What registries are asked, and what they say.

use std::time::Duration;

use rapier_physics_service::{
    id::{InstanceId, Nonce, SimulationId, Tenant},
    registry::{
        Claim, Ending, FencingToken, Holding, Owner, Peer, Registration, Release, Renewal, Touch,
        Whereabouts,
    },
};

pub(crate) const SOON: Duration = Duration::from_secs(20);
/// A lease whose end can be waited for.
pub(crate) const BRIEF: Duration = Duration::from_millis(300);
/// A lease that lasts longer than any of these cases.
pub(crate) const LONG: Duration = Duration::from_secs(600);
pub(crate) const TTL: Duration = Duration::from_secs(60);

pub(crate) fn sim(id: &str) -> SimulationId {
    SimulationId::parse(id).expect("tests use legal ids")
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the registry takes tenants that may not be there"
)]
pub(crate) fn tenant(name: &str) -> Option<Tenant> {
    Some(Tenant::parse(name).expect("tests use legal names"))
}

/// A new life of this instance.
pub(crate) fn owner(instance: &str) -> Owner {
    Owner {
        instance: InstanceId::parse(instance).expect("tests use legal names"),
        nonce: Nonce::random(),
    }
}

pub(crate) fn peer(instance: &str, simulations: usize, room: usize) -> Peer {
    Peer {
        owner: owner(instance),
        url: "http://somewhere:1".into(),
        simulations,
        room,
    }
}

/// A claim that is yet to be heard.
pub(crate) fn registration(id: &str, whose: Option<&str>) -> Registration {
    Registration {
        id: sim(id),
        tenant: whose.and_then(tenant),
        token: FencingToken::pending(),
        expires_in: TTL,
        created: 1,
        journal: None,
        revision: 0,
        details: vec![("labels", "{}".to_owned())],
    }
}

pub(crate) fn touch(id: &str, token: &FencingToken) -> Touch {
    Touch {
        id: sim(id),
        tenant: None,
        token: token.clone(),
        expires_in: TTL,
        journal: None,
    }
}

pub(crate) fn release(id: &str, token: &FencingToken, ending: Ending) -> Release {
    Release {
        id: sim(id),
        tenant: None,
        token: token.clone(),
        journal: None,
        ending,
    }
}

pub(crate) fn owned(owner: &Owner, token: &FencingToken) -> Whereabouts {
    Whereabouts::Owned(held(owner, token))
}

pub(crate) fn held(owner: &Owner, token: &FencingToken) -> Holding {
    Holding {
        owner: Some(owner.clone()),
        token: token.clone(),
        tenant: None,
        is_journalled: false,
        fault: None,
    }
}

#[track_caller]
pub(crate) fn granted<E: std::fmt::Debug>(claim: Result<Claim, E>) -> FencingToken {
    match claim {
        Ok(Claim::Granted(token)) => token,
        other => panic!("not granted: {other:?}"),
    }
}

pub(crate) fn fence(token: &FencingToken) -> u64 {
    let fence = token.as_str().split(':').next();
    fence
        .and_then(|fence| fence.parse().ok())
        .expect("a token begins with its fence")
}

/// Who lives, in the order of their names.
#[track_caller]
pub(crate) fn living(renewal: Renewal) -> Vec<Owner> {
    match renewal {
        Renewal::Held(mut owners) => {
            owners.sort_by(|a, b| a.instance.cmp(&b.instance));
            owners
        }
        Renewal::Gone(_) => panic!("the lease is not held"),
    }
}
