//! Colliders: the shapes of a body, each with what it does not take from the body.

use std::sync::Arc;

use rapier3d::{
    math::Pose,
    prelude::{ActiveCollisionTypes, ActiveEvents, Collider, ColliderBuilder},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BodySpec, check::check_surface};
use crate::physics::{
    asset::Assets,
    body::{CombineRule, Groups},
    fault::{Faults, MASSES, MAX_DISTANCE},
    fields::{copy_fields, each_field, with_fields},
    shape::{Bulk, PartSpec, ShapeKind, ShapeSpec, bulk},
    vector::{Quat, Vec3, present, present_number, word},
};

with_fields! { [shape surface]
    /// A collider of a body. What it leaves out of friction, bounciness, groups, skin and density
    /// it takes from the body.
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    pub struct ColliderSpec {
        /// Its shape.
        #[serde(deserialize_with = "word")]
        pub shape: ShapeKind,
        /// The shapes of a compound.
        #[serde(default, deserialize_with = "crate::physics::object::present_objects", skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false, value_type = Option<Vec<PartSpec>>)]
        pub shapes: Option<Arc<[PartSpec]>>,
        /// Where it stands in the body's frame, m.
        #[serde(rename = "position", alias = "translation", default)]
        pub translation: Vec3,
        /// How it is turned in the body's frame.
        #[serde(rename = "orientation", alias = "rotation", default)]
        pub rotation: Quat,
        /// kg; unless given, what is left of the body's by its share of the volume.
        #[serde(default, deserialize_with = "present_number", skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false, minimum = 1e-6, maximum = 1e9)]
        pub mass: Option<f32>,
        /// Bounciness.
        #[serde(default, deserialize_with = "present_number", skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false, minimum = 0.0, maximum = 1.0)]
        pub restitution: Option<f32>,
        /// Coulomb friction.
        #[serde(default, deserialize_with = "present_number", skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false, minimum = 0.0)]
        pub friction: Option<f32>,
        /// Whether it reports what it overlaps and pushes nothing.
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        pub is_sensor: Option<bool>,
        /// Whether it is there at all, and has a mass; true unless given.
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        pub enabled: Option<bool>,
    }
}

/// All of a collider but its shape, place and mass, taken together from it and its body.
#[derive(Clone, Copy, Debug)]
pub(in crate::physics) struct Surface {
    friction: f32,
    friction_rule: CombineRule,
    restitution: f32,
    restitution_rule: CombineRule,
    collision_groups: Groups,
    solver_groups: Groups,
    contact_skin: f32,
    contact_force_threshold: Option<f32>,
    is_sensor: bool,
    is_enabled: bool,
}

impl ColliderSpec {
    /// A collider of which nothing else is given yet.
    pub fn new(shape: ShapeKind) -> Self {
        Self::of(&ShapeSpec::new(shape))
    }

    /// A collider of this shape, at the origin of its body.
    pub fn of(shape: &ShapeSpec) -> Self {
        let mut spec = Self {
            shape: shape.shape,
            shapes: shape.shapes.clone(),
            ..Self::default()
        };
        each_field!(shape, copy_fields!(shape, spec));
        spec
    }

    /// Its shape alone.
    pub fn shape(&self) -> ShapeSpec {
        let mut spec = ShapeSpec {
            shapes: self.shapes.clone(),
            ..ShapeSpec::new(self.shape)
        };
        each_field!(shape, copy_fields!(self, spec));
        spec
    }

    /// The lists of its shape.
    pub(super) fn bulk(&self) -> Bulk<'_> {
        bulk!(self.shape, self, self.shapes.as_deref().unwrap_or_default())
    }

    /// Notes everything that is wrong with its fields and values.
    pub(super) fn check(&self, assets: &Assets, faults: &mut Faults) {
        self.shape().check(assets, faults);
        faults.check_vector("position", self.translation, MAX_DISTANCE);
        faults.check_rotation("orientation", self.rotation);
        if let Some(mass) = self.mass {
            faults.check_range("mass", mass, MASSES);
            if self.density.is_some() {
                faults.add("density", "stands instead of mass: give one of the two");
            }
        }
        if let Some(restitution) = self.restitution {
            faults.check_range("restitution", restitution, 0.0..=1.0);
        }
        if let Some(friction) = self.friction {
            faults.check_not_negative("friction", friction);
        }
        check_surface(self.density, self.contact_skin, faults);
    }

    /// Rapier's collider of a checked specification, without a mass.
    pub(super) fn collider(&self, body: &BodySpec, assets: &Assets) -> Collider {
        let (shape, in_collider) = self.shape().shared_shape(assets);
        let place = Pose::from_parts(self.translation.into(), self.rotation.normalized().into());
        let mut collider = ColliderBuilder::new(shape)
            .position(place * in_collider)
            .density(0.0)
            .build();
        self.surface(body).apply(&mut collider);
        collider
    }

    /// All but its shape, place and mass.
    pub(in crate::physics) fn surface(&self, body: &BodySpec) -> Surface {
        macro_rules! own {
            ($field:ident) => {
                self.$field.or(body.$field).unwrap_or_default()
            };
        }
        Surface {
            friction: self.friction.unwrap_or(body.friction),
            friction_rule: own!(friction_combine_rule),
            restitution: self.restitution.unwrap_or(body.restitution),
            restitution_rule: own!(restitution_combine_rule),
            collision_groups: own!(collision_groups),
            solver_groups: own!(solver_groups),
            contact_skin: own!(contact_skin),
            contact_force_threshold: body.contact_force_threshold,
            is_sensor: self.is_sensor(body),
            is_enabled: self.enabled.unwrap_or(true),
        }
    }

    pub(super) fn is_sensor(&self, body: &BodySpec) -> bool {
        self.is_sensor.unwrap_or(body.is_sensor)
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.enabled.unwrap_or(true)
    }
}

impl Surface {
    /// Brings it into Rapier's collider.
    pub(in crate::physics) fn apply(&self, collider: &mut Collider) {
        collider.set_friction(self.friction);
        collider.set_friction_combine_rule(self.friction_rule.into());
        collider.set_restitution(self.restitution);
        collider.set_restitution_combine_rule(self.restitution_rule.into());
        collider.set_collision_groups(self.collision_groups.into());
        collider.set_solver_groups(self.solver_groups.into());
        collider.set_contact_skin(self.contact_skin);
        collider.set_sensor(self.is_sensor);
        // A sensor sees bodies of every kind; others need only what can push them.
        let types = if self.is_sensor {
            ActiveCollisionTypes::all()
        } else {
            ActiveCollisionTypes::default()
        };
        if collider.active_collision_types() != types {
            collider.set_active_collision_types(types);
        }
        let mut events = ActiveEvents::COLLISION_EVENTS;
        events.set(
            ActiveEvents::CONTACT_FORCE_EVENTS,
            self.contact_force_threshold.is_some(),
        );
        collider.set_active_events(events);
        let threshold = self.contact_force_threshold.unwrap_or(0.0);
        collider.set_contact_force_event_threshold(threshold);
        collider.set_enabled(self.is_enabled);
    }
}
