//! On which terms a client gives a command.

use super::idempotency::IdempotencyKey;
use crate::{clock::Moment, registry::Head};

/// On which terms a command is given.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Under which key it may be given again.
    pub key: Option<IdempotencyKey>,
    /// Where the simulation has to stand; anywhere unless given.
    pub precondition: Option<Precondition>,
    /// Until when it has to have begun; whenever its turn comes unless given.
    pub deadline: Option<Moment>,
}

/// Where a simulation has to stand for a command to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Precondition(pub Vec<Head>);

impl Precondition {
    /// Whether a simulation at `head` may be changed.
    pub fn is_met_by(&self, head: Head) -> bool {
        self.0.contains(&head)
    }
}

impl From<Option<IdempotencyKey>> for Terms {
    fn from(key: Option<IdempotencyKey>) -> Self {
        Self {
            key,
            ..Self::default()
        }
    }
}
