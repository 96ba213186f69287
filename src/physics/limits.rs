//! How much one simulation, or one request of it, may hold.

use super::error::PhysicsError;

/// The limits inside one simulation.
#[derive(Clone, Copy, Debug)]
pub struct WorldLimits {
    /// Bodies in a simulation.
    pub max_bodies: usize,
    /// Joints in a simulation.
    pub max_joints: usize,
    /// Steps in one request.
    pub max_steps: u32,
    /// Frames in one trajectory.
    pub max_frames: u32,
}

/// Contact events in one trajectory; what comes after is counted, not kept.
pub const MAX_CONTACT_EVENTS: usize = 100_000;

impl WorldLimits {
    /// None at all: for applying again what was accepted under the limits of then.
    pub const fn unlimited() -> Self {
        Self {
            max_bodies: usize::MAX,
            max_joints: usize::MAX,
            max_steps: u32::MAX,
            max_frames: u32::MAX,
        }
    }

    /// Refuses more bodies than there may be.
    pub fn check_bodies(&self, used: usize) -> Result<(), PhysicsError> {
        check("MAX_BODIES_PER_SIMULATION", self.max_bodies, used)
    }

    /// Refuses more joints than there may be.
    pub fn check_joints(&self, used: usize) -> Result<(), PhysicsError> {
        check("MAX_JOINTS_PER_SIMULATION", self.max_joints, used)
    }

    pub(super) fn check_steps(&self, used: u32) -> Result<(), PhysicsError> {
        check(
            "MAX_STEPS_PER_REQUEST",
            self.max_steps as usize,
            used as usize,
        )
    }

    pub(super) fn check_frames(&self, used: u32) -> Result<(), PhysicsError> {
        check(
            "MAX_FRAMES_PER_REPLY",
            self.max_frames as usize,
            used as usize,
        )
    }
}

fn check(limit: &'static str, maximum: usize, used: usize) -> Result<(), PhysicsError> {
    if used <= maximum {
        Ok(())
    } else {
        Err(PhysicsError::LimitExceeded {
            limit,
            maximum,
            used,
        })
    }
}
