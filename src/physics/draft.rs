//! Who would be in a world after some commands: what is enough to check the next one in full.
//!
//! Whether a command can be taken depends on names and specifications alone, never on where things
//! have moved to. So a whole list of commands is checked before the first of them changes anything.

use std::{cell::RefCell, collections::HashSet};

use indexmap::IndexMap;
use rapier3d::prelude::PhysicsWorld;

use super::{
    asset::Assets,
    body::{BodyKind, BodySpec, check_bodies, collider_count},
    command::{Command, Steps},
    config::{Dimensions, check_dt},
    controller::{Controller, ControllerSpec, check_controller, check_controllers},
    error::PhysicsError,
    fault::{Faults, MAX_DISTANCE},
    joint::{Forest, JointSpec},
    limits::WorldLimits,
    roster::Roster,
    vector::Vec3,
    world::World,
};
use crate::id::{BodyId, ControllerId, JointId};

/// A roster, and what some commands would make of it.
#[derive(Clone)]
pub(super) struct Draft<'a> {
    pub(super) engine: &'a PhysicsWorld,
    pub(super) roster: &'a Roster,
    pub(super) assets: &'a Assets,
    pub(super) dimensions: Dimensions,
    /// What differs from the roster; nothing where a body was removed.
    bodies: IndexMap<BodyId, Option<BodySpec>>,
    joints: IndexMap<JointId, Option<JointSpec>>,
    pub(super) controllers: IndexMap<ControllerId, Option<ControllerSpec>>,
    pub(super) known_controllers: &'a IndexMap<ControllerId, Controller>,
    /// The volumes of the colliders of bodies whose shapes were made for trial or looked at, m³.
    pub(super) volumes: RefCell<IndexMap<BodyId, Vec<f32>>>,
    body_count: usize,
    pub(super) collider_count: usize,
    joint_count: usize,
    pub(super) controller_count: usize,
}

impl World {
    /// Checks a command in full: what passes can be applied.
    pub(super) fn check(
        &self,
        command: &Command,
        limits: &WorldLimits,
    ) -> Result<(), PhysicsError> {
        Draft::of(self).check(command, limits)
    }
}

impl<'a> Draft<'a> {
    /// A world as it is.
    pub(super) fn of(world: &'a World) -> Self {
        Self {
            engine: &world.engine,
            roster: &world.roster,
            assets: &world.assets,
            dimensions: world.config.dimensions,
            bodies: IndexMap::new(),
            joints: IndexMap::new(),
            controllers: IndexMap::new(),
            known_controllers: &world.controllers,
            volumes: RefCell::default(),
            body_count: world.body_count(),
            collider_count: world.collider_count(),
            joint_count: world.joint_count(),
            controller_count: world.controller_count(),
        }
    }

    /// Checks a command in full against all that was noted before.
    pub(super) fn check(
        &self,
        command: &Command,
        limits: &WorldLimits,
    ) -> Result<(), PhysicsError> {
        let mut faults = Faults::default();
        match command {
            Command::Configure(patch) => patch.check(&mut faults),
            Command::AddBody(spec) => {
                let specs = std::slice::from_ref(&**spec);
                self.check_room(specs, limits)?;
                spec.check(self.dimensions, self.assets, &mut faults);
                self.check_new_bodies(specs, faults)?;
                faults = Faults::default();
                self.check_solids(spec, &mut faults);
            }
            Command::AddBodies(specs) => {
                self.check_room(specs, limits)?;
                check_bodies(specs, self.dimensions, self.assets, &mut faults);
                self.check_new_bodies(specs, faults)?;
                faults = Faults::default();
                self.check_all_solids(specs, &mut faults);
            }
            Command::PatchBody(id, patch) => return self.check_patch(id, patch, limits),
            Command::RemoveBody(id) | Command::ClearForce(id) => {
                self.known_body(id)?;
            }
            Command::ApplyImpulse(id, impulse) => {
                let body = self.known_body(id)?;
                impulse.check(&mut faults);
                check_push(body, impulse.point, "impulse", &mut faults);
            }
            Command::SetForce(id, force) => {
                let body = self.known_body(id)?;
                faults.check_vector("force", force.force, f64::MAX);
                faults.check_vector("torque", force.torque, f64::MAX);
                check_push(body, force.point, "force", &mut faults);
            }
            Command::AddJoint(spec) => {
                spec.check(self.dimensions, |id| self.body(id), &mut faults);
                if spec.needs_forest() {
                    Forest::of(self.joints()).add(spec, &mut faults);
                }
                let place = |_, field: &str| field.to_owned();
                self.check_undriven(std::slice::from_ref(spec), place, &mut faults);
                return self.check_new_joints(std::slice::from_ref(spec), faults, limits);
            }
            Command::AddJoints(specs) => {
                let body_of = |id: &BodyId| self.body(id);
                check_joints(specs, self.joints(), self.dimensions, body_of, &mut faults);
                let place = |index, field: &str| format!("{index}/{field}");
                self.check_undriven(specs, place, &mut faults);
                return self.check_new_joints(specs, faults, limits);
            }
            Command::PatchJoint(id, patch) => {
                // Its bodies may have become what a new joint would not be made between.
                self.known_joint(id)?.check_patch(patch, &mut faults);
            }
            Command::RemoveJoint(id) => {
                self.known_joint(id)?;
            }
            Command::Import(import) => return self.check_import(import, limits),
            Command::InverseKinematics(request) => {
                self.known_body(&request.body_id)?;
                request.check(&mut faults);
                let mut joints = self.joints().filter(|joint| joint.multibody);
                if !joints.any(|joint| joint.body_b == request.body_id) {
                    let detail = "does not hang in a multibody: no joint with \"multibody\": true \
                                  has it as body_b";
                    faults.add("body_id", detail);
                }
            }
            Command::AddController(spec) => {
                let body_of = |id: &BodyId| self.body(id);
                let (others, joints) = (self.controllers(), self.joints());
                check_controller(spec, others, joints, body_of, &mut faults);
                return self.check_new_controllers(std::slice::from_ref(spec), faults, limits);
            }
            Command::AddControllers(specs) => {
                let body_of = |id: &BodyId| self.body(id);
                let (others, joints) = (self.controllers(), self.joints());
                check_controllers(specs, others, joints, body_of, &mut faults);
                return self.check_new_controllers(specs, faults, limits);
            }
            Command::PatchController(id, patch) => {
                self.known_controller(id)?.check_patch(patch, &mut faults);
            }
            Command::RemoveController(id) => {
                self.known_controller(id)?;
            }
            Command::Step(steps) => return check_steps(*steps, faults, limits),
            Command::Record(id, recording) => {
                self.known_body(id)?;
                if recording.every == 0 {
                    faults.add("every", "must be at least 1");
                } else {
                    limits.check_frames(recording.frames())?;
                }
                return check_steps(recording.steps, faults, limits);
            }
            Command::Batch(batch) => return batch.check(self.clone(), limits),
            #[cfg(test)]
            Command::Panic(_) => {}
        }
        faults.into_result()
    }

    /// Takes note of what a checked command will do.
    pub(super) fn note(&mut self, command: &Command) {
        match command {
            Command::AddBody(spec) => self.note_bodies(std::slice::from_ref(spec)),
            Command::AddBodies(specs) => self.note_bodies(specs),
            Command::PatchBody(id, patch) => {
                let body = self.body(id).expect("the command was checked");
                let patched = body.patched(patch).normalized(self.dimensions);
                self.collider_count -= body.collider_count();
                self.collider_count += patched.collider_count();
                self.bodies.insert(id.clone(), Some(patched));
            }
            Command::RemoveBody(id) => self.note_removal(id),
            Command::AddJoint(spec) => self.note_joints(std::slice::from_ref(spec)),
            Command::AddJoints(specs) => self.note_joints(specs),
            Command::PatchJoint(id, patch) => {
                let joint = self.joint(id).expect("the command was checked");
                let patched = joint.patched(patch).normalized();
                self.joints.insert(id.clone(), Some(patched));
            }
            Command::RemoveJoint(id) => {
                self.joints.insert(id.clone(), None);
                self.joint_count -= 1;
            }
            Command::Import(import) => {
                self.note_bodies(&self.placed(import));
                self.note_joints(&import.joints);
            }
            Command::AddController(spec) => self.note_controllers(std::slice::from_ref(spec)),
            Command::AddControllers(specs) => self.note_controllers(specs),
            Command::PatchController(id, patch) => {
                let controller = self.controller(id).expect("the command was checked");
                let patched = controller.patched(patch).normalized();
                self.controllers.insert(id.clone(), Some(patched));
            }
            Command::RemoveController(id) => {
                self.controllers.insert(id.clone(), None);
                self.controller_count -= 1;
            }
            Command::Configure(_)
            | Command::ApplyImpulse(..)
            | Command::SetForce(..)
            | Command::ClearForce(_)
            | Command::InverseKinematics(_)
            | Command::Step(_)
            | Command::Record(..)
            | Command::Batch(_) => {}
            #[cfg(test)]
            Command::Panic(_) => {}
        }
    }

    /// A body, if there is one of that name.
    pub(super) fn body(&self, id: &BodyId) -> Option<&BodySpec> {
        match self.bodies.get(id) {
            Some(noted) => noted.as_ref(),
            None => self.roster.bodies.get(id).map(|body| &body.spec),
        }
    }

    /// How many bodies there are.
    pub(super) fn body_count(&self) -> usize {
        self.body_count
    }

    /// Whether there is a body of that name, or was one on the way.
    pub(super) fn has_known(&self, id: &BodyId) -> bool {
        self.bodies.contains_key(id) || self.roster.bodies.contains_key(id)
    }

    /// A joint, if there is one of that name.
    pub(super) fn joint(&self, id: &JointId) -> Option<&JointSpec> {
        match self.joints.get(id) {
            Some(noted) => noted.as_ref(),
            None => self.roster.joints.get(id).map(|joint| &joint.spec),
        }
    }

    /// All joints, in no order that anybody may see.
    pub(super) fn joints(&self) -> impl Iterator<Item = &JointSpec> {
        let noted = self.joints.values().flatten();
        let untouched = self.roster.joints.iter();
        let untouched = untouched.filter(|(id, _)| !self.joints.contains_key(*id));
        noted.chain(untouched.map(|(_, joint)| &joint.spec))
    }

    fn note_bodies(&mut self, specs: &[BodySpec]) {
        self.body_count += specs.len();
        self.collider_count += collider_count(specs);
        for spec in specs {
            let spec = spec.clone().normalized(self.dimensions);
            self.bodies.insert(spec.id.clone(), Some(spec));
        }
    }

    fn note_joints(&mut self, specs: &[JointSpec]) {
        self.joint_count += specs.len();
        for spec in specs {
            let spec = spec.clone().normalized();
            self.joints.insert(spec.id.clone(), Some(spec));
        }
    }

    fn note_removal(&mut self, id: &BodyId) {
        let held = self.joints().filter(|joint| joint.holds(id));
        let joints: Vec<_> = held.map(|joint| joint.id.clone()).collect();
        self.joint_count -= joints.len();
        self.joints
            .extend(joints.into_iter().map(|joint| (joint, None)));
        self.note_removal_of_controllers(id);
        let body = self.body(id).expect("the command was checked");
        self.collider_count -= body.collider_count();
        self.volumes.get_mut().shift_remove(id);
        self.bodies.insert(id.clone(), None);
        self.body_count -= 1;
    }

    /// All bodies, in no order that anybody may see.
    pub(super) fn all_bodies(&self) -> impl Iterator<Item = &BodySpec> + Clone {
        let noted = self.bodies.values().flatten();
        let untouched = self.roster.bodies.iter();
        let untouched = untouched.filter(|(id, _)| !self.bodies.contains_key(*id));
        noted.chain(untouched.map(|(_, body)| &body.spec))
    }

    pub(super) fn check_new_joints(
        &self,
        specs: &[JointSpec],
        faults: Faults,
        limits: &WorldLimits,
    ) -> Result<(), PhysicsError> {
        limits.check_joints(self.joint_count + specs.len())?;
        faults.into_result()?;
        if specs.iter().any(|spec| spec.multibody) {
            Forest::of(self.joints().chain(specs)).check_size()?;
        }
        match specs.iter().find(|spec| self.joint(&spec.id).is_some()) {
            Some(spec) => Err(PhysicsError::JointExists(spec.id.clone())),
            None => Ok(()),
        }
    }

    pub(super) fn known_body(&self, id: &BodyId) -> Result<&BodySpec, PhysicsError> {
        let found = self.body(id);
        found.ok_or_else(|| PhysicsError::BodyNotFound(id.clone()))
    }

    fn known_joint(&self, id: &JointId) -> Result<&JointSpec, PhysicsError> {
        let found = self.joint(id);
        found.ok_or_else(|| PhysicsError::JointNotFound(id.clone()))
    }
}

/// Notes everything that is wrong with joints that are to be added together to others.
pub fn check_joints<'a, 'b>(
    specs: &'a [JointSpec],
    others: impl Iterator<Item = &'a JointSpec>,
    dimensions: Dimensions,
    body_of: impl Fn(&BodyId) -> Option<&'b BodySpec>,
    faults: &mut Faults,
) {
    let mut seen = HashSet::new();
    let needs_forest = specs.iter().any(JointSpec::needs_forest);
    let mut forest = needs_forest.then(|| Forest::of(others));
    for (index, spec) in specs.iter().enumerate() {
        faults.within(index, |faults| {
            spec.check(dimensions, &body_of, faults);
            if let Some(forest) = &mut forest {
                forest.add(spec, faults);
            }
            if !seen.insert(&spec.id) {
                faults.add("id", "stands twice in this request");
            }
        });
    }
}

fn check_push(body: &BodySpec, point: Option<Vec3>, field: &str, faults: &mut Faults) {
    if let Some(point) = point {
        faults.check_vector("point", point, MAX_DISTANCE);
    }
    if body.kind() != BodyKind::Dynamic {
        faults.add(field, "only dynamic bodies can be pushed");
    }
}

fn check_steps(steps: Steps, mut faults: Faults, limits: &WorldLimits) -> Result<(), PhysicsError> {
    limits.check_steps(steps.count)?;
    if let Some(dt) = steps.dt {
        check_dt(dt, &mut faults);
    }
    faults.into_result()
}
