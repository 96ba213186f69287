//! How much one simulation, or one request of it, may hold.

use serde::{Deserialize, Serialize};

use super::error::PhysicsError;

/// The limits inside one simulation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorldLimits {
    /// Bodies in a simulation.
    pub max_bodies: usize,
    /// Colliders in a simulation.
    pub max_colliders: usize,
    /// Joints in a simulation.
    pub max_joints: usize,
    /// Controllers in a simulation.
    pub max_controllers: usize,
    /// Steps in one request.
    pub max_steps: u32,
    /// Frames in one trajectory.
    pub max_frames: u32,
    /// Commands in one batch.
    pub max_commands: usize,
}

/// How much one request that changes nothing may ask for, and be told.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimits {
    /// Queries in one request.
    pub max_queries: usize,
    /// Hits of one query; what comes after is left out.
    pub max_hits: usize,
    /// Pairs of bodies in one list of contacts; what comes after is left out.
    pub max_contacts: usize,
}

/// Contact events in one trajectory; what comes after is counted, not kept.
pub const MAX_CONTACT_EVENTS: usize = 100_000;

/// Conditions that may end one batch.
pub const MAX_CONDITIONS: usize = 64;

/// Events that a simulation keeps, at least; older ones are forgotten.
pub const EVENTS_KEPT: usize = 1024;
/// Bodies in one multibody: what it costs grows with the square of their number.
pub const MAX_MULTIBODY_LINKS: usize = 64;
/// Colliders of one body.
pub(super) const MAX_COLLIDERS_PER_BODY: usize = 64;
/// Shapes of one compound.
pub(super) const MAX_SHAPES_PER_COMPOUND: usize = 64;
/// Vertices of one shape, heights of a heightfield, or half the triangles of a mesh.
pub const MAX_VERTICES_PER_SHAPE: usize = 100_000;
/// Vertices, half triangles, heights, voxels and parts of compounds of all shapes of a simulation.
pub(super) const MAX_VERTICES_PER_SIMULATION: usize = 1_000_000;
/// Points of a convex hull, or vertices or half the triangles of a convex decomposition.
pub(super) const MAX_HULL_POINTS: usize = 10_000;
/// Voxels that all convex decompositions of one request look at, which takes two or three seconds.
pub(super) const MAX_DECOMPOSITION_VOXELS_PER_REQUEST: usize = 8_000_000;
/// Voxels that all convex decompositions of a simulation look at; all of them may have to be made
/// again at once.
pub(super) const MAX_DECOMPOSITION_VOXELS_PER_SIMULATION: usize = 32_000_000;
/// How often all commands of one request together may improve coordinates, which takes a second or so for
/// the largest multibodies.
pub(super) const MAX_IK_ITERATIONS_PER_REQUEST: usize = 10_000;
/// Voxels of one shape.
pub(super) const MAX_VOXELS_PER_SHAPE: usize = 100_000;
/// Boxes into which the voxels of one shape are merged.
pub(super) const MAX_VOXEL_BOXES_PER_SHAPE: usize = 10_000;

/// The limits that no setting changes, by the names that refusals give them.
pub const FIXED_LIMITS: [(&str, usize); 12] = [
    ("MAX_CONDITIONS", MAX_CONDITIONS),
    ("MAX_MULTIBODY_LINKS", MAX_MULTIBODY_LINKS),
    ("MAX_COLLIDERS_PER_BODY", MAX_COLLIDERS_PER_BODY),
    ("MAX_SHAPES_PER_COMPOUND", MAX_SHAPES_PER_COMPOUND),
    ("MAX_VERTICES_PER_SHAPE", MAX_VERTICES_PER_SHAPE),
    ("MAX_VERTICES_PER_SIMULATION", MAX_VERTICES_PER_SIMULATION),
    ("MAX_HULL_POINTS", MAX_HULL_POINTS),
    (
        "MAX_DECOMPOSITION_VOXELS_PER_REQUEST",
        MAX_DECOMPOSITION_VOXELS_PER_REQUEST,
    ),
    (
        "MAX_DECOMPOSITION_VOXELS_PER_SIMULATION",
        MAX_DECOMPOSITION_VOXELS_PER_SIMULATION,
    ),
    (
        "MAX_IK_ITERATIONS_PER_REQUEST",
        MAX_IK_ITERATIONS_PER_REQUEST,
    ),
    ("MAX_VOXELS_PER_SHAPE", MAX_VOXELS_PER_SHAPE),
    ("MAX_VOXEL_BOXES_PER_SHAPE", MAX_VOXEL_BOXES_PER_SHAPE),
];

impl WorldLimits {
    /// None at all: for applying again what was accepted under the limits of then.
    pub const fn unlimited() -> Self {
        Self {
            max_bodies: usize::MAX,
            max_colliders: usize::MAX,
            max_joints: usize::MAX,
            max_controllers: usize::MAX,
            max_steps: u32::MAX,
            max_frames: u32::MAX,
            max_commands: usize::MAX,
        }
    }

    /// Refuses more bodies than there may be.
    pub fn check_bodies(&self, used: usize) -> Result<(), PhysicsError> {
        check("MAX_BODIES_PER_SIMULATION", self.max_bodies, used)
    }

    /// Refuses more colliders than there may be.
    pub fn check_colliders(&self, used: usize) -> Result<(), PhysicsError> {
        check("MAX_COLLIDERS_PER_SIMULATION", self.max_colliders, used)
    }

    /// Refuses more joints than there may be.
    pub fn check_joints(&self, used: usize) -> Result<(), PhysicsError> {
        check("MAX_JOINTS_PER_SIMULATION", self.max_joints, used)
    }

    pub(super) fn check_commands(&self, used: usize) -> Result<(), PhysicsError> {
        check("MAX_COMMANDS_PER_BATCH", self.max_commands, used)
    }

    /// Refuses more controllers than there may be.
    pub fn check_controllers(&self, used: usize) -> Result<(), PhysicsError> {
        check("MAX_CONTROLLERS_PER_SIMULATION", self.max_controllers, used)
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

impl Default for WorldLimits {
    /// Limits that were not known when these were written down did not hold.
    fn default() -> Self {
        Self::unlimited()
    }
}

/// Refuses more conditions than there may be.
pub(super) fn check_conditions(used: usize) -> Result<(), PhysicsError> {
    check("MAX_CONDITIONS", MAX_CONDITIONS, used)
}

impl ReadLimits {
    /// Refuses more queries than there may be.
    pub fn check_queries(&self, used: usize) -> Result<(), PhysicsError> {
        check("MAX_QUERIES_PER_REQUEST", self.max_queries, used)
    }
}

/// Refuses larger convex decompositions at once than there may be.
pub(super) fn check_decompositions(voxels: usize) -> Result<(), PhysicsError> {
    check(
        "MAX_DECOMPOSITION_VOXELS_PER_REQUEST",
        MAX_DECOMPOSITION_VOXELS_PER_REQUEST,
        voxels,
    )
}

/// Refuses to improve coordinates more often than they may be.
pub(super) fn check_ik_iterations(used: usize) -> Result<(), PhysicsError> {
    check(
        "MAX_IK_ITERATIONS_PER_REQUEST",
        MAX_IK_ITERATIONS_PER_REQUEST,
        used,
    )
}

/// Refuses more bodies in one multibody than there may be.
pub(super) fn check_links(used: usize) -> Result<(), PhysicsError> {
    check("MAX_MULTIBODY_LINKS", MAX_MULTIBODY_LINKS, used)
}

pub(super) fn check(limit: &'static str, maximum: usize, used: usize) -> Result<(), PhysicsError> {
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
