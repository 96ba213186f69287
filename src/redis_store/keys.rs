//! What everything is called in Redis. The braces are literal: they put all keys of a simulation
//! into one slot of a cluster, so that a script may touch several of them.

use std::fmt::Display;

use crate::id::{InstanceId, Nonce, SimulationId, Tenant};

/// Who held a lease, and until when, in Redis' time.
pub const ROSTER: &str = "instances";
/// When simulations expire, in Redis' time.
pub const EXPIRIES: &str = "sims:expiry";
/// What instances prove to each other who they are with.
pub const SECRET: &str = "internal:secret";
/// Where instances tell each other what happened.
pub const EVENTS: &str = "sims:events";

/// The lease of an instance.
pub fn lease(instance: &InstanceId) -> String {
    format!("instance:{instance}")
}

/// The entry of a simulation.
pub fn meta(id: &SimulationId) -> String {
    format!("sim:{{{id}}}:meta")
}

/// How a simulation ended.
pub fn tombstone(id: &SimulationId) -> String {
    format!("tombstone:{{{id}}}")
}

/// What happened to a simulation: a stream whose ids are `<seq>-0`.
pub fn journal(id: &SimulationId) -> String {
    format!("sim:{{{id}}}:journal")
}

/// What a simulation was like after the entry of this number.
pub fn snapshot(id: &SimulationId, seq: u64) -> String {
    format!("sim:{{{id}}}:snapshot:{seq}")
}

/// The parts of a snapshot that is not there as a whole yet.
pub fn staged(id: &SimulationId, upload: &Nonce) -> String {
    format!("sim:{{{id}}}:staged:{upload}")
}

/// Which simulations of a tenant have journals, by the time of their creation.
pub fn journalled(tenant: Option<&Tenant>) -> String {
    tenant.map_or_else(
        || "sims:journalled".to_owned(),
        |tenant| format!("sims:journalled:{tenant}"),
    )
}

/// A file with a mesh, by the hash of its bytes.
pub fn asset(sha256: impl Display) -> String {
    format!("asset:{{{sha256}}}")
}

/// The parts of such a file that is not there as a whole yet.
pub fn staged_asset(sha256: impl Display, upload: &Nonce) -> String {
    format!("asset:{{{sha256}}}:staged:{upload}")
}
