//! What is refused of commands before they are begun, and for how long their clients wait.

use std::sync::atomic::Ordering;

use super::{error::SimulationError, handle::SimulationHandle, task::Client};
use crate::{clock::Moment, physics::Command};

impl SimulationHandle {
    /// Refuses a command that comes too late, or for which there is no memory.
    pub(super) fn admit(
        &self,
        command: &Command,
        deadline: Option<Moment>,
    ) -> Result<(), SimulationError> {
        let services = &self.shared.services;
        if deadline.is_some_and(|deadline| services.clock.now() >= deadline) {
            return Err(self.too_late());
        }
        match command.new_bodies() {
            0 => Ok(()),
            bodies => services.admit_bodies(bodies),
        }
    }

    /// Refuses a command that is left for the task, where commands of the same client wait for too
    /// long as it is: one to a simulation that is still busy with another, and one that would have
    /// to wait with them.
    pub(super) fn press(&self, command: &Command, client: &Client) -> Result<(), SimulationError> {
        let is_busy =
            self.shared.is_stepping.load(Ordering::Relaxed) || !self.shared.inbox.is_idle();
        if is_busy {
            self.pool().press()
        } else if client.key.is_none() && self.is_to_be_computed(command) {
            self.pool().admit()
        } else {
            // The task knows whether it was answered before, and whether it can be done at once.
            Ok(())
        }
    }

    /// Whether a command is certain to take long. The task would see so, too, but dearly.
    fn is_to_be_computed(&self, command: &Command) -> bool {
        let Ok(core) = self.shared.core.try_lock() else {
            return false;
        };
        let world = core.world.as_ref();
        world.is_some_and(|world| !core.is_small(world, command))
    }

    fn too_late(&self) -> SimulationError {
        self.shared.services.metrics.refusals.deadline.inc();
        SimulationError::TooLate
    }

    /// Until when a client waits; and what it is told if its command was not begun by then.
    pub(super) fn patience(&self, deadline: Option<Moment>) -> Moment {
        let services = &self.shared.services;
        let until = services.clock.now() + services.request_timeout;
        deadline.map_or(until, |deadline| deadline.min(until))
    }

    /// What a client is told whose command was not begun when it stopped waiting.
    pub(super) fn not_begun(&self, deadline: Option<Moment>) -> SimulationError {
        let now = self.shared.services.clock.now();
        if deadline.is_some_and(|deadline| now >= deadline) {
            self.too_late()
        } else {
            SimulationError::Overloaded
        }
    }
}
