//! Every way to change a world, as data: what can be written down can be replayed.

use serde::{Deserialize, Serialize};

use super::{
    body::{BodyPatch, BodySpec},
    config::WorldPatch,
    joint::{JointPatch, JointSpec},
    trajectory::Trajectory,
    vector::Vec3,
};
use crate::id::{BodyId, JointId};

/// One change of a world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Changes gravity or the time step.
    Configure(WorldPatch),
    /// Adds one body.
    AddBody(Box<BodySpec>),
    /// Adds several bodies, all or none.
    AddBodies(Vec<BodySpec>),
    /// Changes a body.
    PatchBody(BodyId, Box<BodyPatch>),
    /// Removes a body, and its joints with it.
    RemoveBody(BodyId),
    /// Pushes a body once.
    ApplyImpulse(BodyId, Impulse),
    /// Pushes a body until told otherwise; replaces what pushed it before.
    SetForce(BodyId, Force),
    /// Stops pushing a body.
    ClearForce(BodyId),
    /// Adds one joint.
    AddJoint(Box<JointSpec>),
    /// Adds several joints, all or none.
    AddJoints(Vec<JointSpec>),
    /// Changes a joint.
    PatchJoint(JointId, JointPatch),
    /// Removes a joint.
    RemoveJoint(JointId),
    /// Lets time pass.
    Step(Steps),
    /// Lets time pass and records a body.
    Record(BodyId, Recording),
    /// Panics inside the engine after some steps, for tests of what contains it.
    #[cfg(test)]
    Panic(u32),
}

/// A span of simulated time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Steps {
    /// How many steps.
    pub count: u32,
    /// Seconds each, for this command only; the simulation's unless given.
    pub dt: Option<f64>,
}

/// A span of simulated time that is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// The span.
    pub steps: Steps,
    /// Every how many steps a frame is kept.
    pub every: u32,
}

/// A push at once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Impulse {
    /// N·s, world axes.
    pub impulse: Vec3,
    /// Where it acts, world coordinates; the centre of mass unless given.
    pub point: Option<Vec3>,
}

/// A push that lasts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Force {
    /// N, world axes.
    pub force: Vec3,
    /// N·m, world axes.
    pub torque: Vec3,
    /// Where the force acts, world coordinates at the time it is set; it stays on that spot of
    /// the body. The centre of mass unless given.
    pub point: Option<Vec3>,
}

/// What a command brought about.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Nothing to tell.
    Done,
    /// The time is another now.
    Stepped,
    /// A body was added.
    BodyAdded(BodyId),
    /// Bodies were added, in the order of the request.
    BodiesAdded(Vec<BodyId>),
    /// A body was changed.
    BodyPatched(BodyId),
    /// A joint was added.
    JointAdded(JointId),
    /// Joints were added, in the order of the request.
    JointsAdded(Vec<JointId>),
    /// A joint was changed.
    JointPatched(JointId),
    /// A recording is complete.
    Recorded(Box<Trajectory>),
}

impl Command {
    /// How many steps it takes.
    pub fn steps(&self) -> u32 {
        match self {
            Self::Step(steps) => steps.count,
            Self::Record(_, recording) => recording.steps.count,
            #[cfg(test)]
            Self::Panic(count) => *count,
            Self::Configure(_)
            | Self::AddBody(_)
            | Self::AddBodies(_)
            | Self::PatchBody(..)
            | Self::RemoveBody(_)
            | Self::ApplyImpulse(..)
            | Self::SetForce(..)
            | Self::ClearForce(_)
            | Self::AddJoint(_)
            | Self::AddJoints(_)
            | Self::PatchJoint(..)
            | Self::RemoveJoint(_) => 0,
        }
    }

    /// How many bodies and joints it adds.
    pub fn added(&self) -> usize {
        match self {
            Self::AddBody(_) | Self::AddJoint(_) => 1,
            Self::AddBodies(specs) => specs.len(),
            Self::AddJoints(specs) => specs.len(),
            Self::Configure(_)
            | Self::PatchBody(..)
            | Self::RemoveBody(_)
            | Self::ApplyImpulse(..)
            | Self::SetForce(..)
            | Self::ClearForce(_)
            | Self::PatchJoint(..)
            | Self::RemoveJoint(_)
            | Self::Step(_)
            | Self::Record(..) => 0,
            #[cfg(test)]
            Self::Panic(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_survives_being_written_down() {
        let body = r#"{"id":"ball","shape":"sphere","radius":0.1,"velocity":[0.1,-3e8,1e-30]}"#;
        let joint =
            r#"{"id":"j","joint_type":"revolute","body_a":"a","body_b":"b","limits":[-1,1]}"#;
        let id = || BodyId::parse("ball").unwrap();
        let commands = [
            Command::AddBodies(vec![serde_json::from_str(body).unwrap()]),
            Command::AddJoint(serde_json::from_str(joint).unwrap()),
            Command::PatchBody(id(), serde_json::from_str(r#"{"mass":0.3}"#).unwrap()),
            Command::Record(
                id(),
                Recording {
                    steps: Steps {
                        count: 3,
                        dt: Some(0.1),
                    },
                    every: 2,
                },
            ),
        ];
        for command in commands {
            let written = rmp_serde::to_vec_named(&command).unwrap();
            assert_eq!(rmp_serde::from_slice::<Command>(&written).unwrap(), command);
        }
    }
}
