//! Bodies and joints that come together: a robot or a scene, all or none.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{
    body::{BodySpec, Groups, check_bodies},
    draft::{Draft, check_joints},
    error::PhysicsError,
    fault::Faults,
    joint::JointSpec,
    limits::WorldLimits,
};
use crate::id::{BodyId, JointId};

/// What a description brings, and what it calls that.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Import {
    /// The bodies, in the order they are added.
    pub bodies: Vec<BodySpec>,
    /// The joints between them.
    pub joints: Vec<JointSpec>,
    /// The body that each link of the description has become.
    pub links: IndexMap<String, BodyId>,
    /// The joint that each joint of the description has become.
    pub names: IndexMap<String, JointId>,
    /// The body that the others hang on.
    pub root: Option<BodyId>,
    /// What of the description was not carried over.
    pub ignored: Vec<String>,
}

impl Import {
    /// The groups of colliders that are not to meet each other: one group that is not in its own
    /// filter. Which one it is in a world depends on those that are taken there.
    pub const APART: Groups = group(31);

    /// Its bodies in a world that has these: what is apart is in a group that nobody else is in
    /// alone, as long as there is one left.
    pub(super) fn placed<'a>(&self, others: impl Iterator<Item = &'a BodySpec>) -> Vec<BodySpec> {
        let mut taken = 0;
        for body in others {
            for collider in body.colliders().iter() {
                let groups = collider.collision_groups.or(body.collision_groups);
                let memberships = groups.unwrap_or_default().memberships;
                if memberships.is_power_of_two() {
                    taken |= memberships;
                }
            }
        }
        let own = (1..=31).rev().map(group);
        let mut own = own.filter(|it: &Groups| taken & it.memberships == 0);
        let own = own.next().unwrap_or(Self::APART);
        self.bodies.iter().map(|body| moved(body, own)).collect()
    }

    /// Says of faults of its bodies and joints which they are about; its client never saw where
    /// they stand.
    pub(super) fn about(&self, found: Faults) -> Faults {
        let mut faults = Faults::default();
        for fault in found.into_vec() {
            let mut parts = fault.pointer.splitn(4, '/').skip(1);
            let list = parts.next().unwrap_or_default();
            let index = parts.next().and_then(|index| index.parse::<usize>().ok());
            let field = parts.next().unwrap_or_default();
            let name = index.and_then(|index| match list {
                "bodies" => Some(format!("body {}", self.bodies.get(index)?.id)),
                _ => Some(format!("joint {}", self.joints.get(index)?.id)),
            });
            let name = name.unwrap_or_default();
            faults.add("content", format_args!("{name}: {field} {}", fault.detail));
        }
        faults
    }
}

impl Draft<'_> {
    /// The bodies of an import as they would be here.
    pub(super) fn placed(&self, import: &Import) -> Vec<BodySpec> {
        import.placed(self.all_bodies())
    }

    /// Checks bodies, and joints that are only between these.
    pub(super) fn check_import(
        &self,
        import: &Import,
        limits: &WorldLimits,
    ) -> Result<(), PhysicsError> {
        self.check_room(&import.bodies, limits)?;
        let mut faults = Faults::default();
        faults.within("bodies", |faults| {
            check_bodies(&import.bodies, self.dimensions, self.assets, faults);
        });
        self.check_new_bodies(&import.bodies, import.about(faults))?;
        let mut faults = Faults::default();
        faults.within("bodies", |faults| {
            self.check_all_solids(&import.bodies, faults);
        });
        let bodies = import.bodies.iter();
        let bodies: IndexMap<_, _> = bodies.map(|body| (&body.id, body)).collect();
        let body_of = |id: &BodyId| bodies.get(id).copied();
        faults.within("joints", |faults| {
            let others = self.joints();
            check_joints(&import.joints, others, self.dimensions, body_of, faults);
        });
        import.about(faults).into_result()?;
        self.check_new_joints(&import.joints, Faults::default(), limits)
    }
}

/// The groups of members of one group that do not meet each other.
const fn group(bit: u32) -> Groups {
    Groups {
        memberships: 1 << bit,
        filter: !(1 << bit),
    }
}

fn moved(body: &BodySpec, own: Groups) -> BodySpec {
    let mut body = body.clone();
    let colliders = body.colliders.iter().flat_map(|list| list.iter());
    let colliders = colliders.cloned().map(|mut collider| {
        if collider.collision_groups == Some(Import::APART) {
            collider.collision_groups = Some(own);
        }
        collider
    });
    body.colliders = Some(colliders.collect());
    body
}
