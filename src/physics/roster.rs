//! The names of a world's bodies and joints, in the order they were added.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use rapier3d::prelude::{ImpulseJointHandle, PhysicsWorld, RigidBodyHandle};
use serde::{Deserialize, Serialize};

use super::{
    asset::AssetId,
    body::{BodySpec, Inertia},
    joint::JointSpec,
    vector::Vec3,
};
use crate::id::{BodyId, JointId};

/// Who is in a world.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Roster {
    pub(super) bodies: IndexMap<BodyId, Body>,
    pub(super) joints: IndexMap<JointId, Joint>,
}

/// A body: what was asked for, and where Rapier keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Body {
    pub(super) spec: BodySpec,
    pub(super) handle: RigidBodyHandle,
    pub(super) inertia: Inertia,
    /// What pushes it at every step.
    pub(super) force: Option<HeldForce>,
    /// Whether the engine has disabled it because its state went beyond all bounds.
    pub(super) quarantined: bool,
}

/// A push that lasts.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct HeldForce {
    pub(super) force: Vec3,
    pub(super) torque: Vec3,
    /// Where the force acts, in the body's frame.
    pub(super) local_point: Option<Vec3>,
}

/// A joint: what was asked for, and where Rapier keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Joint {
    pub(super) spec: JointSpec,
    /// Nothing where it is broken; a joint of a multibody is found by the body that hangs by it.
    pub(super) handle: Option<ImpulseJointHandle>,
    /// Whether it had to hold more than it can, or hung in a multibody that went beyond all bounds.
    #[serde(default)]
    pub(super) broken: bool,
}

impl Joint {
    /// Whether it is one of a multibody, by which its second body hangs.
    pub(super) fn hangs(&self) -> bool {
        self.spec.multibody && !self.broken
    }

    /// Whether it is to hold, and both of its bodies are there.
    pub(super) fn holds_in(&self, engine: &PhysicsWorld, bodies: &IndexMap<BodyId, Body>) -> bool {
        let mut ends = [&self.spec.body_a, &self.spec.body_b].into_iter();
        let is_there = |end: &BodyId| bodies.get(end).map(|body| body.handle);
        self.spec.enabled
            && ends.all(|end| is_there(end).is_some_and(|end| engine.bodies[end].is_enabled()))
    }
}

/// Where each of Rapier's bodies stands in the roster.
#[derive(Debug)]
pub(super) struct Positions(Vec<u32>);

impl Roster {
    /// The table for looking bodies up by Rapier's handles; good until a body comes or goes.
    pub(super) fn positions(&self) -> Positions {
        let mut table = Vec::with_capacity(self.bodies.len());
        for (position, body) in (0..).zip(self.bodies.values()) {
            let slot = body.handle.into_raw_parts().0 as usize;
            if table.len() <= slot {
                table.resize(slot + 1, u32::MAX);
            }
            table[slot] = position;
        }
        Positions(table)
    }

    /// The assets that bodies are made of.
    pub(super) fn assets(&self) -> BTreeSet<AssetId> {
        let mut named = BTreeSet::new();
        for body in self.bodies.values() {
            body.spec.name_assets(&mut named);
        }
        named
    }

    /// The body at `position`.
    pub(super) fn body_at(&self, position: u32) -> (&BodyId, &Body) {
        self.bodies
            .get_index(position as usize)
            .expect("positions are those of the roster they were made from")
    }
}

impl Positions {
    /// Where the body behind `handle` stands.
    pub(super) fn of(&self, handle: RigidBodyHandle) -> u32 {
        self.0[handle.into_raw_parts().0 as usize]
    }
}
