//! Where a simulation stands, and what is shown of it.

use std::sync::Arc;

use crate::physics::{View, World, WorldConfig};

/// Where a simulation stands, as far as commands are committed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Committed {
    pub(super) config: WorldConfig,
    pub(super) seq: u64,
    pub(super) step: u64,
    pub(super) time: f64,
    pub(super) bodies: usize,
    pub(super) joints: usize,
}

/// The last committed state.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) view: Arc<View>,
    pub(super) seq: u64,
}

impl Committed {
    /// Where a simulation with this world stands before its first command.
    pub(super) fn of(world: &World) -> Self {
        Self {
            config: *world.config(),
            seq: 0,
            step: world.steps(),
            time: world.time(),
            bodies: world.body_count(),
            joints: world.joint_count(),
        }
    }
}
