//! Why a command cannot be applied.

use super::fault::{Fault, Faults};
use crate::id::{BodyId, ControllerId, JointId};

/// Why a world refuses a command. Nothing of a refused command has been applied.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PhysicsError {
    /// Some values cannot be taken; all of them are named.
    #[error("{} invalid value(s)", .0.len())]
    Invalid(Vec<Fault>),
    /// A limit inside one simulation or request.
    #[error("{limit} is {maximum}, this would make {used}")]
    LimitExceeded {
        /// The limit's name, as in the configuration.
        limit: &'static str,
        /// Its value.
        maximum: usize,
        /// What the command would have brought it to.
        used: usize,
    },
    /// The body that a command is about does not exist.
    #[error("no body {0}")]
    BodyNotFound(BodyId),
    /// The joint that a command is about does not exist.
    #[error("no joint {0}")]
    JointNotFound(JointId),
    /// The name of a body is taken.
    #[error("body {0} exists")]
    BodyExists(BodyId),
    /// The name of a joint is taken.
    #[error("joint {0} exists")]
    JointExists(JointId),
    /// The controller that a command is about does not exist.
    #[error("no controller {0}")]
    ControllerNotFound(ControllerId),
    /// The name of a controller is taken.
    #[error("controller {0} exists")]
    ControllerExists(ControllerId),
}

impl PhysicsError {
    /// The same of values that stand below `field` in the request.
    #[must_use]
    pub fn within(self, field: &str) -> Self {
        let Self::Invalid(faults) = self else {
            return self;
        };
        let below = |fault: Fault| Fault {
            pointer: format!("/{field}{}", fault.pointer),
            ..fault
        };
        Self::Invalid(faults.into_iter().map(below).collect())
    }
}

/// A panic inside the engine. The world it happened in must not be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the physics engine failed on this command")]
pub struct EngineFault;

impl Faults {
    /// Fails if anything is wrong.
    pub fn into_result(self) -> Result<(), PhysicsError> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(PhysicsError::Invalid(self.into_vec()))
        }
    }
}
