//! What holds on to a body, and what the body has to be for that: asked of the body as it would
//! be, whether it or what holds on to it is about to come or to change.

use std::collections::HashSet;

use super::{
    body::{BodyKind, BodyPatch, BodySpec},
    controller::{ControllerKind, ControllerSpec},
    draft::Draft,
    fault::Faults,
    joint::JointSpec,
};
use crate::id::BodyId;

/// Something that holds on to a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bond {
    /// It hangs on another body by a joint of a multibody.
    Hangs,
    /// Another body hangs on it by a joint of a multibody.
    Carries,
    /// A controller of this kind moves it.
    Driven(ControllerKind),
}

impl Bond {
    /// What keeps a body from having it: the field that is at fault, and why.
    pub(super) fn objection(self, body: &BodySpec) -> Option<(&'static str, &'static str)> {
        let kind = body.kind();
        let is_kinematic = matches!(kind, BodyKind::Kinematic | BodyKind::KinematicPosition);
        match self {
            Self::Hangs if kind != BodyKind::Dynamic => {
                Some(("kind", "must be dynamic to hang in a multibody"))
            }
            Self::Carries if is_kinematic => {
                Some(("kind", "must not be kinematic to hold a multibody"))
            }
            Self::Hangs | Self::Carries if body.enabled == Some(false) => {
                Some(("enabled", "must be true in a multibody"))
            }
            Self::Driven(controller) if !controller.moves(kind) => Some(match controller {
                ControllerKind::Character => ("kind", "must be kinematic for its controller"),
                ControllerKind::Vehicle | ControllerKind::Pid => {
                    ("kind", "must be dynamic for its controller")
                }
            }),
            Self::Driven(ControllerKind::Character) if body.collider_count() == 0 => {
                Some(("colliders", "must be there for a character to walk with"))
            }
            Self::Hangs | Self::Carries | Self::Driven(_) => None,
        }
    }
}

impl Draft<'_> {
    /// Notes what a patch must not make of a body with what holds on to it. The engine asserts
    /// that what hangs in a multibody is dynamic, counts on all of it taking part, and places it
    /// itself.
    pub(super) fn check_bonds(
        &self,
        [old, new]: [&BodySpec; 2],
        patch: &BodyPatch,
        faults: &mut Faults,
    ) {
        let is_place = patch.translation.is_some() || patch.rotation.is_some();
        let facts = |body: &BodySpec| (body.kind(), body.enabled, body.collider_count() == 0);
        if !is_place && facts(old) == facts(new) {
            return;
        }
        let bonds = self.bonds_of(&old.id);
        let objections = bonds.iter().filter_map(|bond| bond.objection(new));
        let mut seen = HashSet::new();
        for (field, detail) in objections.filter(|&(field, _)| seen.insert(field)) {
            let field = match field {
                // It is a plane that makes a body static of which nothing else is asked.
                "kind" if patch.kind.is_none() && patch.colliders.is_some() => "colliders",
                "kind" if patch.kind.is_none() => "shape",
                field => field,
            };
            faults.add(field, detail);
        }
        if bonds.contains(&Bond::Hangs) {
            for (field, is_given) in [
                ("position", patch.translation.is_some()),
                ("orientation", patch.rotation.is_some()),
            ] {
                if is_given {
                    let detail =
                        "cannot be set: the body hangs in a multibody, whose joints place it";
                    faults.add(field, detail);
                }
            }
        }
    }

    /// Notes which ends of new joints of multibodies a controller moves; `place` is where a joint
    /// stands in its request.
    pub(super) fn check_undriven(
        &self,
        joints: &[JointSpec],
        place: impl Fn(usize, &str) -> String,
        faults: &mut Faults,
    ) {
        if !joints.iter().any(|joint| joint.multibody) {
            return;
        }
        let driven: HashSet<_> = self.controllers().map(|it| &it.body_id).collect();
        for (index, joint) in joints.iter().enumerate().filter(|(_, it)| it.multibody) {
            for (field, body) in [("body_a", &joint.body_a), ("body_b", &joint.body_b)] {
                if driven.contains(body) {
                    let detail = "has a controller, which cannot move what is in a multibody";
                    faults.add(&place(index, field), detail);
                }
            }
        }
    }

    fn bonds_of(&self, id: &BodyId) -> Vec<Bond> {
        let joints = self.joints().filter(|joint| joint.multibody);
        let of_joints = joints.flat_map(|joint| {
            [(&joint.body_b, Bond::Hangs), (&joint.body_a, Bond::Carries)].into_iter()
        });
        let of_joints = of_joints.filter(|&(body, _)| body == id);
        let held = |it: &&ControllerSpec| it.body_id == *id;
        let of_controllers = self.controllers().filter(held);
        let of_joints = of_joints.map(|(_, bond)| bond);
        of_joints
            .chain(of_controllers.map(|it| Bond::Driven(it.kind)))
            .collect()
    }
}

/// The bodies that some joints have in multibodies, which no controller can move: the engine drives
/// them by their coordinates.
pub(super) fn articulated<'a>(joints: impl Iterator<Item = &'a JointSpec>) -> HashSet<&'a BodyId> {
    let links = joints.filter(|joint| joint.multibody);
    links
        .flat_map(|joint| [&joint.body_a, &joint.body_b])
        .collect()
}
