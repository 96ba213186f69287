//! Which engine computes. Only under an equal one may a world be computed again from its past.

use std::fmt;

use super::{
    command::{Command, Steps},
    config::WorldConfig,
    limits::WorldLimits,
    world::World,
};

/// The engine's version.
pub const RAPIER: &str = "0.36.1";
/// The version of the engine's geometry.
pub const PARRY: &str = "0.31.1";
/// Which of the engine's features change its results.
pub const FEATURES: &str = "enhanced-determinism";

/// How long the scene is watched, which has bounces, slides, a swing and a drop by then.
const STEPS: u32 = 120;

/// Bodies of every shape and kind that meet early and stay in motion, so that any other rounding
/// anywhere shows in the end.
const BODIES: &str = r#"[
    {"id": "floor", "shape": "plane", "friction": 0.6},
    {"id": "ramp", "kind": "static", "shape": "box", "size": [4, 0.2, 3], "position": [-1, 0.9, 0],
     "orientation": [0, 0, -0.258819, 0.9659258]},
    {"id": "paddle", "kind": "kinematic", "shape": "box", "size": [0.3, 1, 2], "position": [2.6, 0.5, 0],
     "angular_velocity": [0, 2, 0]},
    {"id": "gate", "shape": "box", "size": [1, 1, 1], "position": [1, 0.5, 0], "kind": "static",
     "is_sensor": true},
    {"id": "crate-1", "shape": "box", "size": [0.5, 0.5, 0.5], "position": [1.1, 0.3, 0.1]},
    {"id": "crate-2", "shape": "box", "size": [0.5, 0.4, 0.6], "position": [1.2, 0.9, 0.05], "mass": 0.7,
     "angular_velocity": [0, 1, 0.5]},
    {"id": "ball-1", "shape": "sphere", "radius": 0.3, "position": [-1.6, 2.4, 0.2], "restitution": 0.7},
    {"id": "ball-2", "shape": "sphere", "radius": 0.25, "position": [-4, 1.2, 0.1], "velocity": [9, 2, 0.3],
     "drag_coefficient": 0.47, "drag_area": 0.2},
    {"id": "pill", "shape": "capsule", "half_height": 0.3, "radius": 0.2, "position": [-0.8, 2.2, -0.3],
     "orientation": [0, 0, 0.7071068, 0.7071068]},
    {"id": "drum", "shape": "cylinder", "half_height": 0.3, "radius": 0.3, "position": [-0.2, 2.1, 0.5],
     "orientation": [0.7071068, 0, 0, 0.7071068], "angular_velocity": [0, 0, -3]},
    {"id": "arm", "shape": "box", "size": [1.2, 0.1, 0.1], "position": [0.6, 2.5, 0], "velocity": [0, -1, 0]},
    {"id": "fist", "shape": "sphere", "radius": 0.2, "position": [1.2, 2.5, 0], "mass": 2},
    {"id": "land", "kind": "static", "shape": "heightfield", "position": [0, 0.2, 4], "scale": [4, 1, 4],
     "heights": [[0, 0.3, 0.1], [0.2, 0, 0.2], [0.1, 0.4, 0]]},
    {"id": "slide", "kind": "static", "shape": "mesh", "position": [0, 0, -4], "indices": [[0, 1, 2], [0, 2, 3]],
     "vertices": [[-2, 1.1, -2], [-2, 0.6, 2], [2, 0.1, 2], [2, 0.5, -2]]},
    {"id": "hull", "shape": "convex_hull", "position": [0.1, 1, 4], "angular_velocity": [1, 2, 3],
     "vertices": [[-0.3, 0, 0], [0.4, 0, 0.1], [0, 0.5, 0], [0.1, 0.1, 0.6], [0.3, 0.3, 0.3]]},
    {"id": "jack", "shape": "voxels", "position": [-0.7, 1, 3.6], "voxel_size": [0.2, 0.2, 0.2], "density": 300,
     "voxels": [[0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1]]},
    {"id": "nut", "shape": "convex_decomposition", "position": [-1, 1.6, -4], "resolution": 16, "border_radius": 0.02,
     "vertices": [[0, 0, 0], [0.6, 0, 0], [0, 0.6, 0], [0, 0, 0.6]], "indices": [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]},
    {"id": "cone", "shape": "cone", "axis": "x", "size": [0.3, 0.25], "position": [-0.6, 1.7, -3.4]},
    {"id": "barbell", "position": [0.2, 1.5, -4.3], "friction_combine_rule": "geometric_mean", "colliders": [
     {"shape": "sphere", "radius": 0.2, "position": [-0.4, 0, 0]}, {"shape": "sphere", "radius": 0.25, "position": [0.4, 0, 0]},
     {"shape": "capsule", "axis": "x", "size": [0.4, 0.05]}]}
]"#;

const JOINTS: &str = r#"[
    {"id": "shoulder", "joint_type": "revolute", "body_a": "ramp", "body_b": "arm", "axis": [0, 0, 1],
     "anchor_a": [0.0656, 1.7856, 0], "anchor_b": [-0.6, 0, 0], "limits": [-1.5, 0.5]},
    {"id": "wrist", "joint_type": "spherical", "body_a": "arm", "body_b": "fist", "anchor_a": [0.6, 0, 0]}
]"#;

/// The engine's versions, and a digest of what it makes of a small scene: builds that compute
/// alike are equal, whoever built them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Watches the scene, for a few milliseconds.
    pub fn compute() -> Self {
        let golden = golden();
        Self(format!(
            "rapier {RAPIER}, parry {PARRY}, {FEATURES}, golden {golden:016x}"
        ))
    }

    /// One line for people and for comparing.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn golden() -> u64 {
    let mut world = World::new(WorldConfig::default());
    let commands = [
        Command::AddBodies(serde_json::from_str(BODIES).expect("the bodies are well-formed")),
        Command::AddJoints(serde_json::from_str(JOINTS).expect("the joints are well-formed")),
        Command::Step(Steps {
            count: STEPS,
            dt: None,
        }),
    ];
    for command in commands {
        world
            .apply(&command, &WorldLimits::unlimited())
            .expect("the scene is sound");
    }
    world.state_hash()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_computes_what_it_always_did() {
        let computed = Fingerprint::compute();
        assert_eq!(
            computed.as_str(),
            "rapier 0.36.1, parry 0.31.1, enhanced-determinism, golden 3e61f0993560d1fd",
            "the engine's results have changed, or how a state is hashed: worlds that are kept \
             cannot be computed again by this build. If that is meant, say so in the changelog and \
             put the new digest here"
        );
        assert_eq!(computed, Fingerprint::compute());
    }

    #[test]
    fn the_versions_are_those_that_are_built() {
        let lock = include_str!("../../Cargo.lock");
        for (name, version) in [("rapier3d", RAPIER), ("parry3d", PARRY)] {
            let locked = format!("name = \"{name}\"\nversion = \"{version}\"\n");
            assert!(lock.contains(&locked), "{name} is not {version}");
            let entry = format!("name = \"{name}\"\n");
            assert_eq!(lock.matches(&entry).count(), 1, "{name} is there twice");
        }
        let manifest = include_str!("../../Cargo.toml");
        let rapier = manifest.lines().find(|line| line.starts_with("rapier3d"));
        assert!(
            rapier.is_some_and(|line| line.contains(&format!("\"{FEATURES}\""))),
            "{rapier:?}"
        );
    }
}
