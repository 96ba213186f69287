//! What is refused of commands before they are begun, and for how long their clients wait.

use std::sync::atomic::Ordering;

use super::{error::SimulationError, handle::SimulationHandle};
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

    /// Refuses a command to a simulation that is still busy with another, where commands of the
    /// same client wait for too long as it is.
    pub(super) fn press(&self) -> Result<(), SimulationError> {
        let is_busy =
            self.shared.is_stepping.load(Ordering::Relaxed) || !self.shared.inbox.is_idle();
        if is_busy { self.pool().press() } else { Ok(()) }
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
