//! Replies about one simulation, written where the work was done and not on the runtime.

use bytes::Bytes;
use serde::Serialize;

use super::committed::Position;
use crate::{
    id::{BodyId, JointId, SimulationId},
    physics::{Outcome, View},
};

/// About how many bytes a state takes without its bodies.
const STATE_BYTES: usize = 128;
/// About how many bytes the state of one body takes.
const BODY_STATE_BYTES: usize = 288;

/// A reply and the moment of the simulation it belongs to.
#[derive(Clone, Debug)]
pub struct Reply {
    /// JSON, or nothing.
    pub body: Bytes,
    /// When it was seen like this.
    pub position: Position,
    /// Whether this is the reply to an earlier request with the same idempotency key.
    pub is_replayed: bool,
}

/// Writes down what a command brought about; `view` is the world afterwards, where
/// [`shows_world`] asks for it.
pub(super) fn outcome_body(outcome: &Outcome, sim_id: &SimulationId, view: Option<&View>) -> Bytes {
    #[derive(Serialize)]
    struct BodyAdded<'a> {
        body_id: &'a BodyId,
    }
    #[derive(Serialize)]
    struct BodiesAdded<'a> {
        body_ids: &'a [BodyId],
    }
    #[derive(Serialize)]
    struct JointAdded<'a> {
        joint_id: &'a JointId,
    }
    #[derive(Serialize)]
    struct JointsAdded<'a> {
        joint_ids: &'a [JointId],
    }
    match (outcome, view) {
        (Outcome::Stepped, Some(view)) => state_body(view, sim_id),
        (Outcome::BodyPatched(id), Some(view)) => json(&view.body(id)),
        (Outcome::JointPatched(id), Some(view)) => json(&view.joint(id)),
        (Outcome::BodyAdded(body_id), _) => json(&BodyAdded { body_id }),
        (Outcome::BodiesAdded(body_ids), _) => json(&BodiesAdded { body_ids }),
        (Outcome::JointAdded(joint_id), _) => json(&JointAdded { joint_id }),
        (Outcome::JointsAdded(joint_ids), _) => json(&JointsAdded { joint_ids }),
        (Outcome::Recorded(trajectory), _) => json(trajectory),
        (Outcome::Done, _) | (_, None) => Bytes::new(),
    }
}

/// Whether writing the outcome down takes a view of the world.
pub(super) fn shows_world(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Stepped | Outcome::BodyPatched(_) | Outcome::JointPatched(_) => true,
        Outcome::Done
        | Outcome::BodyAdded(_)
        | Outcome::BodiesAdded(_)
        | Outcome::JointAdded(_)
        | Outcome::JointsAdded(_)
        | Outcome::Recorded(_) => false,
    }
}

/// Writes down the state of a world.
pub(super) fn state_body(view: &View, sim_id: &SimulationId) -> Bytes {
    let size = STATE_BYTES + view.body_count() * BODY_STATE_BYTES;
    let mut text = String::with_capacity(size);
    view.state(sim_id).write(&mut text);
    text.into()
}

pub(super) fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value)
        .expect("replies have text keys and nothing that cannot be written")
        .into()
}
