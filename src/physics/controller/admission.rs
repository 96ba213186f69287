//! Which controllers a world takes: what is checked against names and specifications.

use std::collections::HashSet;

use super::{ControllerKind, ControllerSpec};
use crate::{
    id::{BodyId, ControllerId},
    physics::{
        body::BodySpec, bonds::articulated, draft::Draft, error::PhysicsError, fault::Faults,
        joint::JointSpec, limits::WorldLimits,
    },
};

impl Draft<'_> {
    /// A controller, if there is one of that name.
    pub(in crate::physics) fn controller(&self, id: &ControllerId) -> Option<&ControllerSpec> {
        match self.controllers.get(id) {
            Some(noted) => noted.as_ref(),
            None => self.known_controllers.get(id).map(|it| &it.spec),
        }
    }

    pub(in crate::physics) fn known_controller(
        &self,
        id: &ControllerId,
    ) -> Result<&ControllerSpec, PhysicsError> {
        let found = self.controller(id);
        found.ok_or_else(|| PhysicsError::ControllerNotFound(id.clone()))
    }

    pub(in crate::physics) fn check_new_controllers(
        &self,
        specs: &[ControllerSpec],
        faults: Faults,
        limits: &WorldLimits,
    ) -> Result<(), PhysicsError> {
        limits.check_controllers(self.controller_count + specs.len())?;
        faults.into_result()?;
        match specs
            .iter()
            .find(|spec| self.controller(&spec.id).is_some())
        {
            Some(spec) => Err(PhysicsError::ControllerExists(spec.id.clone())),
            None => Ok(()),
        }
    }

    pub(in crate::physics) fn note_controllers(&mut self, specs: &[ControllerSpec]) {
        self.controller_count += specs.len();
        for spec in specs {
            let spec = spec.clone().normalized();
            self.controllers.insert(spec.id.clone(), Some(spec));
        }
    }

    pub(in crate::physics) fn note_removal_of_controllers(&mut self, body: &BodyId) {
        let held = self.controllers().filter(|it| it.body_id == *body);
        let held: Vec<_> = held.map(|it| it.id.clone()).collect();
        self.controller_count -= held.len();
        self.controllers
            .extend(held.into_iter().map(|id| (id, None)));
    }

    /// All controllers, in no order that anybody may see.
    pub(in crate::physics) fn controllers(&self) -> impl Iterator<Item = &ControllerSpec> {
        let noted = self.controllers.values().flatten();
        let untouched = self.known_controllers.iter();
        let untouched = untouched.filter(|(id, _)| !self.controllers.contains_key(*id));
        noted.chain(untouched.map(|(_, controller)| &controller.spec))
    }
}

/// Notes everything that is wrong with controllers that are to be added together to others, in a
/// world with these joints.
pub fn check_controllers<'a, 'b>(
    specs: &'a [ControllerSpec],
    others: impl Iterator<Item = &'a ControllerSpec>,
    joints: impl Iterator<Item = &'a JointSpec>,
    body_of: impl Fn(&BodyId) -> Option<&'b BodySpec>,
    faults: &mut Faults,
) {
    let (mut characters, articulated) = (characters(others), articulated(joints));
    let mut seen = HashSet::new();
    for (index, spec) in specs.iter().enumerate() {
        faults.within(index, |faults| {
            check_next(spec, &mut characters, &articulated, &body_of, faults);
            if !seen.insert(&spec.id) {
                faults.add("id", "stands twice in this request");
            }
        });
    }
}

/// Notes everything that is wrong with a controller that is to be added to others.
pub(in crate::physics) fn check_controller<'a, 'b>(
    spec: &'a ControllerSpec,
    others: impl Iterator<Item = &'a ControllerSpec>,
    joints: impl Iterator<Item = &'a JointSpec>,
    body_of: impl Fn(&BodyId) -> Option<&'b BodySpec>,
    faults: &mut Faults,
) {
    let (mut characters, articulated) = (characters(others), articulated(joints));
    check_next(spec, &mut characters, &articulated, body_of, faults);
}

/// Notes everything that is wrong with one more controller: two cannot walk one body.
fn check_next<'a, 'b>(
    spec: &'a ControllerSpec,
    characters: &mut HashSet<&'a BodyId>,
    articulated: &HashSet<&BodyId>,
    body_of: impl Fn(&BodyId) -> Option<&'b BodySpec>,
    faults: &mut Faults,
) {
    spec.check(body_of, faults);
    if articulated.contains(&spec.body_id) {
        faults.add("body_id", "is in a multibody, which no controller can move");
    }
    if spec.kind == ControllerKind::Character && !characters.insert(&spec.body_id) {
        faults.add("body_id", "is a character already");
    }
}

/// The bodies that are walked.
fn characters<'a>(specs: impl Iterator<Item = &'a ControllerSpec>) -> HashSet<&'a BodyId> {
    let walking = specs.filter(|spec| spec.kind == ControllerKind::Character);
    walking.map(|spec| &spec.body_id).collect()
}
