//! Which controllers a world takes: what is checked against names and specifications.

use std::collections::HashSet;

use super::{ControllerKind, ControllerSpec};
use crate::{
    id::{BodyId, ControllerId},
    physics::{
        body::BodySpec, draft::Draft, error::PhysicsError, fault::Faults, limits::WorldLimits,
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

    /// Notes everything that is wrong with a controller that is to be added with `others`.
    pub(in crate::physics) fn check_controller(
        &self,
        spec: &ControllerSpec,
        others: &[ControllerSpec],
        faults: &mut Faults,
    ) {
        spec.check(|id| self.kind_of(id), faults);
        let is_character = |it: &ControllerSpec| {
            it.kind == ControllerKind::Character && it.body_id == spec.body_id
        };
        if is_character(spec) && self.controllers().chain(others).any(is_character) {
            faults.add("body_id", "is a character already");
        }
    }

    /// Notes everything that is wrong with controllers that are to be added together.
    pub(in crate::physics) fn check_controllers(
        &self,
        specs: &[ControllerSpec],
        faults: &mut Faults,
    ) {
        let mut seen = HashSet::new();
        for (index, spec) in specs.iter().enumerate() {
            faults.within(index, |faults| {
                self.check_controller(spec, &specs[..index], faults);
                if !seen.insert(&spec.id) {
                    faults.add("id", "stands twice in this request");
                }
            });
        }
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

    /// Notes if a body is to become what one of its controllers cannot move.
    pub(in crate::physics) fn check_controlled(&self, body: &BodySpec, faults: &mut Faults) {
        let held = self
            .controllers()
            .find(|it| it.body_id == body.id && !it.kind.moves(body.kind()));
        if let Some(controller) = held {
            let wanted = controller.kind.body_kind();
            let id = &controller.id;
            faults.add(
                "kind",
                format_args!("must stay {wanted} for controller {id}"),
            );
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
    fn controllers(&self) -> impl Iterator<Item = &ControllerSpec> {
        let noted = self.controllers.values().flatten();
        let untouched = self.known_controllers.iter();
        let untouched = untouched.filter(|(id, _)| !self.controllers.contains_key(*id));
        noted.chain(untouched.map(|(_, controller)| &controller.spec))
    }
}
