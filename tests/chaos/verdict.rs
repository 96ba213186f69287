//! What an answer means to whoever has asked.

use std::{fmt, time::Instant};

use serde_json::Value;

use crate::{harness::Reply, history::World};

/// What to do about an answer.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It was carried out, or seen.
    Done,
    /// It was carried out, and its reply is not kept; under this number.
    DoneBefore(u64),
    /// It may be sent again a little later.
    Again(String),
    /// The simulation stands elsewhere than required.
    Unmet,
    /// Something that was seen is gone.
    Lost(String),
    /// There is no such simulation, and may be none.
    Gone,
    /// What it is about is gone together with what was lost.
    Baseless,
    /// Nothing that may be answered.
    Odd(String),
}

/// What may be answered to a request that nothing is wrong with, and will not be for ever.
const PASSING: [(u16, &str); 8] = [
    (409, "idempotency_key_in_flight"),
    (429, "simulation_busy"),
    (503, "instance_draining"),
    (503, "outcome_unknown"),
    (503, "overloaded"),
    (503, "owner_unreachable"),
    (503, "ownership_lost"),
    (503, "registry_unavailable"),
];

impl Verdict {
    /// The verdict on the answer to a request about `world` that was a good one.
    pub(crate) fn on(reply: &Reply, world: &World) -> Self {
        if (200..300).contains(&reply.status) {
            return Self::Done;
        }
        let problem: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let code = problem["error"].as_str().unwrap_or_default();
        let status = reply.status;
        if PASSING.contains(&(status, code)) {
            return Self::Again(code.to_owned());
        }
        let (may_lose, may_be_gone, is_unknown) = {
            let notes = world.notes();
            let until = notes.unknown_until;
            let is_unknown = until.is_some_and(|until| Instant::now() < until);
            let may_be_gone = notes.is_being_deleted || notes.may_lose;
            let may_lose = notes.may_lose || notes.may_return;
            (may_lose, may_be_gone, is_unknown)
        };
        match (status, code) {
            (409, "reply_not_kept") => match problem["seq"].as_u64() {
                Some(seq) => Self::DoneBefore(seq),
                None => Self::odd(reply),
            },
            (412, "precondition_failed") => Self::Unmet,
            (409, "history_lost" | "history_diverged") => Self::Lost(code.to_owned()),
            (404, "simulation_not_found" | "simulation_lost") if may_be_gone => Self::Gone,
            (404, "simulation_not_found") if is_unknown => Self::Again(code.to_owned()),
            (404, "body_not_found") | (409, "body_exists") | (422, "invalid_value") if may_lose => {
                Self::Baseless
            }
            _ => Self::odd(reply),
        }
    }

    /// An answer that nobody should get.
    fn odd(reply: &Reply) -> Self {
        Self::Odd(format!(
            "{} is answered by {}: {}",
            reply.request,
            reply.status,
            reply.text()
        ))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Odd(text) => f.write_str(text),
            Self::Lost(code) => write!(f, "it is said to be lost: {code}"),
            Self::Unmet => f.write_str("a condition that was not given is not met"),
            Self::Done | Self::DoneBefore(_) | Self::Again(_) | Self::Gone | Self::Baseless => {
                write!(f, "{self:?}")
            }
        }
    }
}
