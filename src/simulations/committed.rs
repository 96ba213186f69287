//! Where a simulation stands, and what is shown of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::record::Stand;
use crate::{
    physics::{View, World, WorldConfig},
    registry::Head,
};

/// Where a simulation stands, as far as commands are committed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Committed {
    pub(super) config: WorldConfig,
    pub(super) head: Head,
    pub(super) step: u64,
    pub(super) time: f64,
    pub(super) bodies: usize,
    pub(super) joints: usize,
    /// The hash of the world's state, where it is computed.
    pub(super) state_hash: Option<u64>,
}

/// A moment in the history of a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// How many commands it had seen, and a hash of them where they are written down.
    pub head: Head,
    /// How many steps it had taken.
    pub step: u64,
    /// The hash of its world's state, where it is computed.
    pub state_hash: Option<u64>,
}

/// The last committed state.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) view: Arc<View>,
    pub(super) position: Position,
}

impl Committed {
    /// Where a simulation with this world stands before its first command.
    pub(super) fn of(world: &World, is_hashed: bool) -> Self {
        Self {
            config: *world.config(),
            head: Head::default(),
            step: world.steps(),
            time: world.time(),
            bodies: world.body_count(),
            joints: world.joint_count(),
            state_hash: is_hashed.then(|| world.state_hash()),
        }
    }

    pub(super) fn stand(&self) -> Stand {
        Stand {
            step: self.step,
            time: self.time,
            bodies: self.bodies,
            joints: self.joints,
        }
    }

    pub(super) fn position(&self) -> Position {
        Position {
            head: self.head,
            step: self.step,
            state_hash: self.state_hash,
        }
    }
}
