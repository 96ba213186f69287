//! The reply to a batch.

use bytes::Bytes;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;

use super::reply::{BODY_STATE_BYTES, STATE_BYTES};
use crate::{
    id::SimulationId,
    physics::{ItemOutcome, Observation, Outcome, PhysicsError, Report, Stop, View},
};

/// About how many bytes the rest of a report takes for each of its parts.
const PART_BYTES: usize = 256;

/// How a command that was refused is told of.
pub(super) type Describe = fn(&PhysicsError) -> Box<RawValue>;

/// What came of one command.
struct ItemReply<'a> {
    outcome: &'a ItemOutcome,
    describe: Describe,
}

/// What a command brought about, by the names of what it is about.
struct Names<'a>(&'a Outcome);

/// Writes down what a batch brought about, and the state it has led to.
pub(super) fn batch_body(
    report: &Report,
    view: &View,
    sim_id: &SimulationId,
    describe: Describe,
) -> Bytes {
    #[derive(Serialize)]
    struct Told<'a> {
        results: Vec<ItemReply<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        stopped_by: Option<Stop>,
        #[serde(skip_serializing_if = "Option::is_none")]
        observations: Option<&'a [Observation]>,
    }
    let results = report.results.iter();
    let told = Told {
        results: results
            .map(|outcome| ItemReply { outcome, describe })
            .collect(),
        stopped_by: report.stopped_by,
        observations: report.observations.as_deref(),
    };
    let parts = report.results.len() + report.observations.as_ref().map_or(0, Vec::len);
    let size = STATE_BYTES + view.body_count() * BODY_STATE_BYTES + parts * PART_BYTES;
    let mut text = Vec::with_capacity(size);
    serde_json::to_writer(&mut text, &told).expect("reports have nothing that cannot be written");
    let mut text = String::from_utf8(text).expect("JSON is text");
    // The members of the state stand beside what was told.
    text.pop();
    text.push(',');
    view.state(sim_id).write_members(&mut text);
    text.push('}');
    text.into()
}

impl Serialize for ItemReply<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Stepped {
            step: u64,
            time: f64,
        }
        let mut map = serializer.serialize_map(Some(1))?;
        match self.outcome {
            ItemOutcome::Done(Outcome::Reached(reached)) => map.serialize_entry("ok", reached)?,
            ItemOutcome::Done(outcome) => map.serialize_entry("ok", &Names(outcome))?,
            &ItemOutcome::Stepped(step, time) => {
                map.serialize_entry("ok", &Stepped { step, time })?;
            }
            ItemOutcome::Refused(error) => {
                map.serialize_entry("error", &(self.describe)(error))?;
            }
            ItemOutcome::Skipped => map.serialize_entry("skipped", &true)?,
        }
        map.end()
    }
}

impl Serialize for Names<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.0 {
            Outcome::BodyAdded(id) | Outcome::BodyPatched(id) => {
                map.serialize_entry("body_id", id)?;
            }
            Outcome::BodiesAdded(ids) => map.serialize_entry("body_ids", ids)?,
            Outcome::JointAdded(id) | Outcome::JointPatched(id) => {
                map.serialize_entry("joint_id", id)?;
            }
            Outcome::JointsAdded(ids) => map.serialize_entry("joint_ids", ids)?,
            Outcome::ControllerAdded(id) | Outcome::ControllerPatched(id) => {
                map.serialize_entry("controller_id", id)?;
            }
            Outcome::ControllersAdded(ids) => map.serialize_entry("controller_ids", ids)?,
            Outcome::Done
            | Outcome::Stepped
            | Outcome::Reached(_)
            | Outcome::Imported(_)
            | Outcome::Recorded(_)
            | Outcome::Reported(_) => {}
        }
        map.end()
    }
}
