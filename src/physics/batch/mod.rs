//! Several commands and a span of time as one: a whole scripted run in one round trip.

mod check;
mod condition;
mod observation;
mod script;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(super) use self::script::Script;
pub use self::{
    condition::{Condition, Measure},
    observation::{Observation, Observe, ObservedBody},
    script::{ItemOutcome, Report, Stop},
};
use super::{
    command::{Command, Steps},
    error::PhysicsError,
    fault::Fault,
    limits::WorldLimits,
};

/// Commands, the steps they are spread over, when to stop early and what to record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Whether nothing is done unless all of it can be.
    pub atomic: bool,
    /// What to do.
    pub items: Vec<Item>,
    /// The span of time that what has an `at_step` is spread over.
    pub steps: Steps,
    /// What ends it early; the first that holds after a step does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub until: Vec<Condition>,
    /// What is recorded on the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observe: Option<Observe>,
    /// By which limits each command is judged, where it is not all or nothing: which of them are
    /// refused must not depend on who carries the batch out again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<WorldLimits>,
}

/// One command of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Before which of the steps it is due, counted from 0; before all of them, in the order
    /// given, unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_step: Option<u32>,
    /// What to do.
    pub command: Command,
}

impl Batch {
    /// How many steps it takes if nothing ends it early.
    pub fn step_count(&self) -> u32 {
        let of_items = self.items.iter().map(|item| item.command.steps());
        of_items.fold(self.steps.count, u32::saturating_add)
    }

    /// How much it adds to a world, and how much there is to do.
    pub fn weight(&self) -> usize {
        let of_items = self.items.iter().map(|item| item.command.added().max(1));
        of_items.sum()
    }

    /// The same without what does not change the world.
    pub(super) fn unobserved(&self) -> Self {
        Self {
            observe: None,
            ..self.clone()
        }
    }

    /// The items in the order in which they are due.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.items.len()).collect();
        order.sort_by_key(|&index| self.items[index].at_step);
        order
    }
}

impl From<Batch> for Command {
    fn from(batch: Batch) -> Self {
        Self::Batch(Arc::new(batch))
    }
}

/// What is wrong with the item at `index`, said of the batch as a whole: names that an item gives
/// stand in the batch, not in a path.
fn placed(index: usize, error: PhysicsError) -> PhysicsError {
    let place = format!("/commands/{index}");
    let missing = |field: &str, error: &PhysicsError| {
        PhysicsError::Invalid(vec![Fault {
            pointer: format!("{place}/{field}"),
            detail: error.to_string(),
        }])
    };
    match error {
        PhysicsError::Invalid(faults) => PhysicsError::Invalid(
            faults
                .into_iter()
                .map(|fault| Fault {
                    pointer: format!("{place}{}", fault.pointer),
                    ..fault
                })
                .collect(),
        ),
        error @ PhysicsError::BodyNotFound(_) => missing("body_id", &error),
        error @ PhysicsError::JointNotFound(_) => missing("joint_id", &error),
        error @ PhysicsError::ControllerNotFound(_) => missing("controller_id", &error),
        error @ (PhysicsError::LimitExceeded { .. }
        | PhysicsError::BodyExists(_)
        | PhysicsError::JointExists(_)
        | PhysicsError::ControllerExists(_)) => error,
    }
}
