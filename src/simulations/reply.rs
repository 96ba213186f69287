//! Replies about one simulation, written where the work was done and not on the runtime.

use bytes::Bytes;
use indexmap::IndexMap;
use serde::Serialize;

use super::{
    batch_reply::{Describe, batch_body},
    committed::Position,
};
use crate::{
    id::{BodyId, ControllerId, JointId, SimulationId},
    physics::{Import, Outcome, View},
};

/// About how many bytes a state takes without its bodies.
pub(super) const STATE_BYTES: usize = 128;
/// About how many bytes the state of one body takes.
pub(super) const BODY_STATE_BYTES: usize = 288;

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

/// Writes replies about one simulation.
#[derive(Clone)]
pub(super) struct ReplyWriter {
    pub(super) sim_id: SimulationId,
    /// How a command that was refused is told of.
    pub(super) describe: Describe,
}

/// What an import has added.
#[derive(Serialize)]
struct Imported<'a> {
    links: &'a IndexMap<String, BodyId>,
    joints: &'a IndexMap<String, JointId>,
    body_ids: Vec<&'a BodyId>,
    joint_ids: Vec<&'a JointId>,
    root: Option<&'a BodyId>,
    ignored: &'a [String],
}

impl<'a> Imported<'a> {
    fn of(import: &'a Import) -> Self {
        Self {
            links: &import.links,
            joints: &import.names,
            body_ids: import.bodies.iter().map(|body| &body.id).collect(),
            joint_ids: import.joints.iter().map(|joint| &joint.id).collect(),
            root: import.root.as_ref(),
            ignored: &import.ignored,
        }
    }
}

/// Writes down what a command brought about; `view` is the world afterwards, where
/// [`shows_world`] asks for it.
pub(super) fn outcome_body(
    outcome: &Outcome,
    ReplyWriter { sim_id, describe }: &ReplyWriter,
    view: Option<&View>,
) -> Bytes {
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
    #[derive(Serialize)]
    struct ControllerAdded<'a> {
        controller_id: &'a ControllerId,
    }
    #[derive(Serialize)]
    struct ControllersAdded<'a> {
        controller_ids: &'a [ControllerId],
    }
    match (outcome, view) {
        (Outcome::Stepped, Some(view)) => state_body(view, sim_id),
        (Outcome::BodyPatched(id), Some(view)) => json(&view.body(id)),
        (Outcome::JointPatched(id), Some(view)) => json(&view.joint(id)),
        (Outcome::BodyAdded(body_id), _) => json(&BodyAdded { body_id }),
        (Outcome::BodiesAdded(body_ids), _) => json(&BodiesAdded { body_ids }),
        (Outcome::JointAdded(joint_id), _) => json(&JointAdded { joint_id }),
        (Outcome::JointsAdded(joint_ids), _) => json(&JointsAdded { joint_ids }),
        (Outcome::Imported(import), _) => json(&Imported::of(import)),
        (Outcome::Reached(reached), _) => json(reached),
        (Outcome::ControllerPatched(id), Some(view)) => json(&view.controller(id)),
        (Outcome::ControllerAdded(controller_id), _) => json(&ControllerAdded { controller_id }),
        (Outcome::ControllersAdded(controller_ids), _) => {
            json(&ControllersAdded { controller_ids })
        }
        (Outcome::Recorded(trajectory), _) => json(trajectory),
        (Outcome::Reported(report), Some(view)) => batch_body(report, view, sim_id, *describe),
        (Outcome::Done, _) | (_, None) => Bytes::new(),
    }
}

/// Whether writing the outcome down takes a view of the world.
pub(super) fn shows_world(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Stepped
        | Outcome::BodyPatched(_)
        | Outcome::JointPatched(_)
        | Outcome::ControllerPatched(_)
        | Outcome::Reported(_) => true,
        Outcome::Done
        | Outcome::BodyAdded(_)
        | Outcome::BodiesAdded(_)
        | Outcome::JointAdded(_)
        | Outcome::JointsAdded(_)
        | Outcome::Imported(_)
        | Outcome::Reached(_)
        | Outcome::ControllerAdded(_)
        | Outcome::ControllersAdded(_)
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
