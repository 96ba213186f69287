//! Every way to change a world, as data: what can be written down can be replayed.

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    asset::{AssetId, Assets},
    batch::{Batch, Report},
    body::{BodyPatch, BodySpec},
    config::WorldPatch,
    controller::{ControllerPatch, ControllerSpec},
    fault::{Faults, MAX_IMPULSE},
    import::Import,
    inverse_kinematics::{InverseKinematics, Reached},
    joint::{JointPatch, JointSpec},
    trajectory::Trajectory,
    vector::Vec3,
};
use crate::id::{BodyId, ControllerId, JointId};

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
    PatchJoint(JointId, Box<JointPatch>),
    /// Removes a joint.
    RemoveJoint(JointId),
    /// Adds what a description brings, all or none.
    Import(Box<Import>),
    /// Moves the joints of a multibody so that a link comes to where it is wanted.
    InverseKinematics(Box<InverseKinematics>),
    /// Adds one controller.
    AddController(Box<ControllerSpec>),
    /// Adds several controllers, all or none.
    AddControllers(Vec<ControllerSpec>),
    /// Changes a controller.
    PatchController(ControllerId, Box<ControllerPatch>),
    /// Removes a controller.
    RemoveController(ControllerId),
    /// Lets time pass.
    Step(Steps),
    /// Lets time pass and records a body.
    Record(BodyId, Recording),
    /// Several commands and a span of time.
    Batch(Arc<Batch>),
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
    /// N·s, world axes; this or the torque impulse, or both.
    pub impulse: Option<Vec3>,
    /// N·m·s, world axes.
    #[serde(default)]
    pub torque_impulse: Option<Vec3>,
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
    /// A description was imported.
    Imported(Box<Import>),
    /// A link of a multibody was moved.
    Reached(Box<Reached>),
    /// A controller was added.
    ControllerAdded(ControllerId),
    /// Controllers were added, in the order of the request.
    ControllersAdded(Vec<ControllerId>),
    /// A controller was changed.
    ControllerPatched(ControllerId),
    /// A recording is complete.
    Recorded(Box<Trajectory>),
    /// A batch is through.
    Reported(Box<Report>),
}

impl Impulse {
    /// Notes everything that is wrong with it but for where it acts.
    pub(super) fn check(&self, faults: &mut Faults) {
        if self.impulse.is_none() && self.torque_impulse.is_none() {
            faults.add("impulse", "is required, or torque_impulse");
        }
        let given = [
            ("impulse", self.impulse),
            ("torque_impulse", self.torque_impulse),
        ];
        for (field, value) in given {
            faults.check_vector(field, value.unwrap_or_default(), MAX_IMPULSE);
        }
    }
}

impl Command {
    /// How many steps it takes.
    pub fn steps(&self) -> u32 {
        match self {
            Self::Step(steps) => steps.count,
            Self::Record(_, recording) => recording.steps.count,
            Self::Batch(batch) => batch.step_count(),
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
            | Self::RemoveJoint(_)
            | Self::Import(_)
            | Self::InverseKinematics(_)
            | Self::AddController(_)
            | Self::AddControllers(_)
            | Self::PatchController(..)
            | Self::RemoveController(_) => 0,
        }
    }

    /// Whether it may take more than a moment although it takes no step.
    pub fn takes_long(&self) -> bool {
        if let Self::Batch(batch) = self {
            return batch.items.iter().any(|item| item.command.takes_long());
        }
        matches!(self, Self::InverseKinematics(request) if request.takes_long())
    }

    /// How many bodies it adds.
    pub fn new_bodies(&self) -> usize {
        if let Self::AddBodies(specs) = self {
            specs.len()
        } else if let Self::Import(import) = self {
            import.bodies.len()
        } else if let Self::Batch(batch) = self {
            let items = batch.items.iter();
            items.map(|item| item.command.new_bodies()).sum()
        } else {
            usize::from(matches!(self, Self::AddBody(_)))
        }
    }

    /// The assets that it names.
    pub fn assets(&self) -> BTreeSet<AssetId> {
        let mut named = BTreeSet::new();
        match self {
            Self::AddBody(spec) => spec.name_assets(&mut named),
            Self::AddBodies(specs) => specs.iter().for_each(|spec| spec.name_assets(&mut named)),
            Self::PatchBody(_, patch) => patch.name_assets(&mut named),
            Self::Import(import) => {
                for spec in &import.bodies {
                    spec.name_assets(&mut named);
                }
            }
            Self::Batch(batch) => {
                let of_items = batch.items.iter().map(|item| item.command.assets());
                named.extend(of_items.flatten());
            }
            Self::InverseKinematics(_)
            | Self::AddController(_)
            | Self::AddControllers(_)
            | Self::PatchController(..)
            | Self::RemoveController(_)
            | Self::Configure(_)
            | Self::RemoveBody(_)
            | Self::ApplyImpulse(..)
            | Self::SetForce(..)
            | Self::ClearForce(_)
            | Self::AddJoint(_)
            | Self::AddJoints(_)
            | Self::PatchJoint(..)
            | Self::RemoveJoint(_)
            | Self::Step(_)
            | Self::Record(..) => {}
            #[cfg(test)]
            Self::Panic(_) => {}
        }
        named
    }

    /// How much it adds, in simple bodies, joints and controllers: a body counts for more that takes longer to
    /// be made.
    pub fn added(&self) -> usize {
        match self {
            Self::AddBody(spec) => spec.effort(),
            Self::AddBodies(specs) => specs.iter().map(BodySpec::effort).sum(),
            Self::PatchBody(_, patch) => patch.effort(),
            Self::AddJoint(_) => 1,
            Self::AddJoints(specs) => specs.len(),
            Self::Batch(batch) => batch.weight(),
            Self::Import(import) => {
                let bodies = import.bodies.iter().map(BodySpec::effort);
                bodies.sum::<usize>() + import.joints.len()
            }
            Self::AddController(_) => 1,
            Self::AddControllers(specs) => specs.len(),
            Self::Configure(_)
            | Self::RemoveBody(_)
            | Self::ApplyImpulse(..)
            | Self::SetForce(..)
            | Self::ClearForce(_)
            | Self::PatchJoint(..)
            | Self::RemoveJoint(_)
            | Self::InverseKinematics(_)
            | Self::PatchController(..)
            | Self::RemoveController(_)
            | Self::Step(_)
            | Self::Record(..) => 0,
            #[cfg(test)]
            Self::Panic(_) => 0,
        }
    }

    /// How many voxels its convex decompositions look at, if it may be part of a batch.
    pub(super) fn decomposition_voxels(&self, assets: &Assets) -> usize {
        let voxels = |spec: &BodySpec| spec.decomposition_voxels(assets);
        if let Self::AddBody(spec) = self {
            voxels(spec)
        } else if let Self::AddBodies(specs) = self {
            specs.iter().map(voxels).sum()
        } else if let Self::PatchBody(_, patch) = self {
            patch.decomposition_voxels(assets)
        } else {
            0
        }
    }

    /// How often it improves coordinates at most.
    pub(super) fn ik_iterations(&self) -> usize {
        if let Self::InverseKinematics(request) = self {
            request.max_iterations as usize
        } else {
            0
        }
    }

    /// The same without what does not change a world.
    #[must_use]
    pub fn unobserved(self) -> Self {
        if let Self::Record(_, recording) = self {
            return Self::Step(recording.steps);
        }
        if let Self::Batch(batch) = &self
            && batch.observe.is_some()
        {
            return batch.unobserved().into();
        }
        self
    }

    /// Whether it may be part of a batch.
    pub(super) fn is_for_batches(&self) -> bool {
        !matches!(self, Self::Batch(_) | Self::Record(..) | Self::Import(_))
    }

    /// Whether later commands may name what it adds.
    pub(super) fn adds_names(&self) -> bool {
        matches!(
            self,
            Self::AddBody(_)
                | Self::AddBodies(_)
                | Self::AddJoint(_)
                | Self::AddJoints(_)
                | Self::AddController(_)
                | Self::AddControllers(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_to_make_counts_for_more_than_many_simple_bodies() {
        let added = |shape: &str| {
            let body = format!(r#"{{"id":"body",{shape}}}"#);
            Command::AddBody(serde_json::from_str(&body).unwrap()).added()
        };
        let points = vec![[0.0; 3]; 5000];
        let points = serde_json::to_string(&points).unwrap();
        assert_eq!(added(r#""shape":"sphere","radius":1"#), 1);
        assert_eq!(added(r#""colliders":[]"#), 1);
        let heavy = [
            format!(r#""shape":"convex_hull","vertices":{points}"#),
            format!(r#""colliders":[{{"shape":"mesh","vertices":{points},"indices":[]}}]"#),
            r#""shape":"convex_decomposition","vertices":[],"indices":[]"#.to_owned(),
            format!(
                r#""kind":"static","shape":"mesh","vertices":[],"indices":{}"#,
                serde_json::to_string(&vec![[0, 1, 2]; 5000]).unwrap()
            ),
        ];
        for shape in heavy {
            assert!(added(&shape) > 150, "{shape}");
        }
    }

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
