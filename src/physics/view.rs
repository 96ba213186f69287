//! What can be seen of a world at one moment, after the world itself has moved on.

use std::sync::{Arc, OnceLock};

use rapier3d::math::Pose;
use serde::{Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ArrayBuilder, Object, Schema, Type},
    },
};

use super::{
    body::{BodyKind, BodySpec},
    config::WorldConfig,
    contact::ContactLists,
    contact_points::Touching,
    controller::ControllerReading,
    event::{EventLog, EventPage},
    joining::JointMotion,
    joint::JointView,
    matter::Matter,
    query::Scene,
    roster::Roster,
    vector::{Quat, Vec3},
};
use crate::id::{BodyId, JointId};

/// A world at one moment. Cheap to share; it does not change.
#[derive(Debug)]
pub struct View {
    pub(super) config: WorldConfig,
    pub(super) time: f64,
    pub(super) steps: u64,
    pub(super) roster: Arc<Roster>,
    pub(super) motions: Vec<Motion>,
    pub(super) joints: Vec<JointMotion>,
    pub(super) contacts: ContactLists,
    pub(super) events: Arc<EventLog>,
    pub(super) matter: Arc<Matter>,
    /// Made when it is first asked for.
    pub(super) scene: OnceLock<Scene>,
    /// Only where the world was looked at closely.
    pub(super) touching: OnceLock<Vec<Touching>>,
    pub(super) controllers: Vec<ControllerReading>,
}

/// How a body stands and moves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Motion {
    pub(super) translation: Vec3,
    pub(super) rotation: Quat,
    pub(super) linvel: Vec3,
    pub(super) angvel: Vec3,
    pub(super) sleeping: bool,
}

/// A body: its specification with the pose and motion it has now, and its contacts.
#[derive(Debug, Serialize)]
pub struct BodyView<'a> {
    #[serde(flatten)]
    spec: BodySpec,
    /// Its centre of mass, world coordinates, m; of a body that moves by forces, shown alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    center_of_mass: Option<Vec3>,
    /// Its principal moments of inertia, kg·m²; of a body that moves by forces, shown alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    inertia: Option<Vec3>,
    /// Whether it is at rest and costs nothing.
    sleeping: bool,
    /// The bodies it has an active contact with.
    contacts: Contacts<'a>,
    /// Whether the engine has disabled it because its state went beyond all bounds.
    #[serde(skip_serializing_if = "is_false")]
    quarantined: bool,
}

/// Names of bodies, written without collecting them first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contacts<'a> {
    roster: &'a Roster,
    others: &'a [u32],
}

impl View {
    /// The configuration with the gravity and time step in force.
    pub fn config(&self) -> &WorldConfig {
        &self.config
    }

    /// Simulated seconds since the beginning.
    pub fn time(&self) -> f64 {
        self.time
    }

    /// Steps since the beginning.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// How many bodies there are.
    pub fn body_count(&self) -> usize {
        self.roster.bodies.len()
    }

    /// How many items the lists have by which the shapes of its bodies are described.
    pub fn listed_items(&self) -> usize {
        let bodies = self.roster.bodies.values();
        let shapes = bodies.flat_map(|body| body.spec.bulks());
        shapes.map(|shape| shape.items()).sum()
    }

    /// How many triangles, points and parts the shapes of all bodies have.
    pub fn facet_count(&self) -> usize {
        self.matter.facets
    }

    /// How many joints there are.
    pub fn joint_count(&self) -> usize {
        self.roster.joints.len()
    }

    /// One body.
    pub fn body(&self, id: &BodyId) -> Option<BodyView<'_>> {
        let position = self.roster.bodies.get_index_of(id)?;
        let mut view = self.body_at(position);
        let body = &self.roster.bodies[position];
        if body.spec.kind == BodyKind::Dynamic {
            let Motion {
                translation,
                rotation,
                ..
            } = self.motions[position];
            let pose = Pose::from_parts(translation.into(), rotation.into());
            let center = pose.transform_point(body.inertia.center_of_mass.into());
            view.center_of_mass = Some(center.into());
            view.inertia = Some(body.inertia.moments);
        }
        Some(view)
    }

    /// All bodies, in the order they were added.
    pub fn bodies(&self) -> Vec<BodyView<'_>> {
        (0..self.body_count())
            .map(|position| self.body_at(position))
            .collect()
    }

    /// One joint.
    pub fn joint(&self, id: &JointId) -> Option<JointView<'_>> {
        let position = self.roster.joints.get_index_of(id)?;
        Some(self.joint_at(position))
    }

    /// All joints, in the order they were added.
    pub fn joints(&self) -> Vec<JointView<'_>> {
        (0..self.joint_count())
            .map(|position| self.joint_at(position))
            .collect()
    }

    /// The events after the one with the number `after`, at most `limit` of them.
    pub fn events(&self, after: u64, limit: usize) -> EventPage<'_> {
        self.events.page(after, limit)
    }

    fn body_at(&self, position: usize) -> BodyView<'_> {
        let body = &self.roster.bodies[position];
        let motion = self.motions[position];
        BodyView {
            spec: BodySpec {
                translation: motion.translation,
                rotation: motion.rotation,
                linvel: motion.linvel,
                angvel: motion.angvel,
                mass: Some(body.inertia.mass),
                ..body.spec.clone()
            },
            center_of_mass: None,
            inertia: None,
            sleeping: motion.sleeping,
            contacts: self.contacts_of(position),
            quarantined: body.quarantined,
        }
    }

    /// Where a body is.
    pub(super) fn pose_of(&self, position: usize) -> Pose {
        let motion = &self.motions[position];
        Pose::from_parts(motion.translation.into(), motion.rotation.into())
    }

    pub(super) fn contacts_of(&self, position: usize) -> Contacts<'_> {
        Contacts {
            roster: &self.roster,
            others: self.contacts.of_body(position),
        }
    }
}

impl<'a> Contacts<'a> {
    pub(super) fn names(self) -> impl Iterator<Item = &'a BodyId> {
        let Self { roster, others } = self;
        others.iter().map(|&other| roster.body_at(other).0)
    }
}

impl PartialSchema for BodyView<'_> {
    /// The schema of what is asked for, with what is added to it.
    fn schema() -> RefOr<Schema> {
        let RefOr::T(Schema::Object(mut body)) = BodySpec::schema() else {
            unreachable!("a specification is an object")
        };
        let flag = || Object::with_type(Type::Boolean);
        let names = ArrayBuilder::new().items(BodyId::schema());
        body.description = Some("A body: what was asked for, as it stands now.".to_owned());
        body.additional_properties = None;
        for vector in ["center_of_mass", "inertia"] {
            body.properties.insert(vector.to_owned(), Vec3::schema());
        }
        body.properties.insert("sleeping".to_owned(), flag().into());
        body.properties.insert("contacts".to_owned(), names.into());
        body.properties
            .insert("quarantined".to_owned(), flag().into());
        body.required
            .extend(["mass", "sleeping", "contacts"].map(str::to_owned));
        body.into()
    }
}

impl ToSchema for BodyView<'_> {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        BodySpec::schemas(schemas);
    }
}

impl Serialize for Contacts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(flag: &bool) -> bool {
    !flag
}
