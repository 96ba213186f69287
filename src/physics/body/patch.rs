//! What to change of a body.

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BodyKind, BodySpec, ColliderSpec};
use crate::physics::{
    asset::{AssetId, Assets},
    fields::{copy_fields, each_field, given_fields, take_fields, with_fields},
    shape::{Bulk, PartSpec, ShapeKind, bulk, name_assets},
    vector::{Quat, Vec3, present, present_number, present_word},
};

with_fields! { [shape surface dynamics]
    /// What to change of a body. What is left out stays as it is. A shape is replaced as a whole:
    /// `shape` with all of its fields, or `colliders`.
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    pub struct BodyPatch {
        /// Teleports the body, m.
        #[serde(
            rename = "position",
            alias = "translation",
            default,
            deserialize_with = "present",
            skip_serializing_if = "Option::is_none"
        )]
        #[schema(nullable = false)]
        pub translation: Option<Vec3>,
        /// Turns the body.
        #[serde(
            rename = "orientation",
            alias = "rotation",
            default,
            deserialize_with = "present",
            skip_serializing_if = "Option::is_none"
        )]
        #[schema(nullable = false)]
        pub rotation: Option<Quat>,
        /// m/s.
        #[serde(
            rename = "velocity",
            alias = "linvel",
            default,
            deserialize_with = "present",
            skip_serializing_if = "Option::is_none"
        )]
        #[schema(nullable = false)]
        pub linvel: Option<Vec3>,
        /// rad/s.
        #[serde(
            rename = "angular_velocity",
            alias = "angvel",
            default,
            deserialize_with = "present",
            skip_serializing_if = "Option::is_none"
        )]
        #[schema(nullable = false)]
        pub angvel: Option<Vec3>,
        /// How it moves from now on.
        #[serde(
            default,
            deserialize_with = "present_word",
            skip_serializing_if = "Option::is_none"
        )]
        #[schema(nullable = false)]
        pub kind: Option<BodyKind>,
        /// kg.
        #[serde(
            default,
            deserialize_with = "present_number",
            skip_serializing_if = "Option::is_none"
        )]
        #[schema(nullable = false, minimum = 1e-6, maximum = 1e9)]
        pub mass: Option<f32>,
        /// Bounciness.
        #[serde(
            default,
            deserialize_with = "present_number",
            skip_serializing_if = "Option::is_none"
        )]
        #[schema(nullable = false, minimum = 0.0, maximum = 1.0)]
        pub restitution: Option<f32>,
        /// Coulomb friction.
        #[serde(
            default,
            deserialize_with = "present_number",
            skip_serializing_if = "Option::is_none"
        )]
        #[schema(nullable = false, minimum = 0.0)]
        pub friction: Option<f32>,
        /// Whether it only reports overlaps.
        #[serde(
            default,
            deserialize_with = "present",
            skip_serializing_if = "Option::is_none"
        )]
        #[schema(nullable = false)]
        pub is_sensor: Option<bool>,
        /// 1/s.
        #[serde(
            default,
            deserialize_with = "present_number",
            skip_serializing_if = "Option::is_none"
        )]
        #[schema(nullable = false, minimum = 0.0)]
        pub linear_damping: Option<f32>,
        /// 1/s.
        #[serde(
            default,
            deserialize_with = "present_number",
            skip_serializing_if = "Option::is_none"
        )]
        #[schema(nullable = false, minimum = 0.0)]
        pub angular_damping: Option<f32>,
        /// Whether it may fall asleep at rest.
        #[serde(
            default,
            deserialize_with = "present",
            skip_serializing_if = "Option::is_none"
        )]
        #[schema(nullable = false)]
        pub can_sleep: Option<bool>,
        /// Cd.
        #[serde(
            default,
            deserialize_with = "present_number",
            skip_serializing_if = "Option::is_none"
        )]
        #[schema(nullable = false, minimum = 0.0)]
        pub drag_coefficient: Option<f32>,
        /// m².
        #[serde(
            default,
            deserialize_with = "present_number",
            skip_serializing_if = "Option::is_none"
        )]
        #[schema(nullable = false, minimum = 0.0)]
        pub drag_area: Option<f32>,
        /// How Cd weighs along the body's own axes.
        #[serde(
            default,
            deserialize_with = "present",
            skip_serializing_if = "Option::is_none"
        )]
        #[schema(nullable = false)]
        pub drag_axis_ratios: Option<Vec3>,
        /// kg/m³.
        #[serde(
            default,
            deserialize_with = "present_number",
            skip_serializing_if = "Option::is_none"
        )]
        #[schema(nullable = false, minimum = 0.0)]
        pub fluid_density: Option<f32>,
        /// Another shape, with its fields, instead of all that it had.
        #[serde(default, deserialize_with = "present_word", skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        pub shape: Option<ShapeKind>,
        /// The shapes of a compound.
        #[serde(default, deserialize_with = "crate::physics::object::present_objects", skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false, value_type = Option<Vec<PartSpec>>)]
        pub shapes: Option<Arc<[PartSpec]>>,
        /// Other colliders instead of all that it had.
        #[serde(default, deserialize_with = "crate::physics::object::present_objects", skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false, value_type = Option<Vec<ColliderSpec>>)]
        pub colliders: Option<Arc<[ColliderSpec]>>,
    }
}

impl BodyPatch {
    /// Whether it brings other shapes.
    pub(in crate::physics) fn replaces_shapes(&self) -> bool {
        self.colliders.is_some() || self.names_shape()
    }

    /// Whether it changes which mass the body has, or how it is spread.
    pub(in crate::physics) fn changes_mass(&self) -> bool {
        self.replaces_shapes()
            || self.mass.is_some()
            || self.density.is_some()
            || self.mass_properties.is_some()
            || self.is_sensor.is_some()
    }

    /// Whether it changes how the body's colliders meet others.
    pub(in crate::physics) fn changes_surface(&self) -> bool {
        let given = each_field!(surface, given_fields!(self));
        self.friction.is_some()
            || self.restitution.is_some()
            || self.is_sensor.is_some()
            || self.contact_force_threshold.is_some()
            || given.into_iter().any(|(_, is_given)| is_given)
    }

    /// Whether it changes who meets whom, which the engine would not notice of a pair at rest.
    pub(in crate::physics) fn changes_contacts(&self) -> bool {
        self.is_sensor.is_some()
            || self.collision_groups.is_some()
            || self.solver_groups.is_some()
            || self.contact_skin.is_some()
    }

    /// Notes the assets that its shapes name.
    pub fn name_assets(&self, named: &mut BTreeSet<AssetId>) {
        name_assets(self.asset.as_ref(), self.shapes.as_deref(), named);
        for collider in self.colliders.as_deref().unwrap_or_default() {
            name_assets(collider.asset.as_ref(), collider.shapes.as_deref(), named);
        }
    }

    /// How much work its shapes are to make, in what a simple shape takes.
    pub(in crate::physics) fn effort(&self) -> usize {
        self.bulks().map(|shape| shape.effort()).sum()
    }

    /// How many voxels are looked at to take apart those of its shapes that are convex
    /// decompositions.
    pub(in crate::physics) fn decomposition_voxels(&self, assets: &Assets) -> usize {
        let voxels = |shape: Bulk<'_>| shape.decomposition_voxels(assets);
        self.bulks().map(voxels).sum()
    }

    /// The lists of its shapes.
    fn bulks(&self) -> impl Iterator<Item = Bulk<'_>> {
        let parts = self.shapes.as_deref().unwrap_or_default();
        let flat = self.shape.map(|kind| bulk!(kind, self, parts));
        let listed = self.colliders.as_deref().unwrap_or_default().iter();
        flat.into_iter().chain(listed.map(ColliderSpec::bulk))
    }

    /// Whether any field of a shape is given.
    fn names_shape(&self) -> bool {
        let given = each_field!(shape, given_fields!(self));
        self.shape.is_some()
            || self.shapes.is_some()
            || given.into_iter().any(|(_, is_given)| is_given)
    }
}

impl BodySpec {
    /// This specification after `patch`.
    #[must_use]
    pub fn patched(&self, patch: &BodyPatch) -> Self {
        let mut spec = self.clone();
        macro_rules! take {
            ($($field:ident),*) => { $(if let Some(value) = patch.$field { spec.$field = value; })* };
        }
        take!(
            translation,
            rotation,
            linvel,
            angvel,
            kind,
            restitution,
            friction,
            is_sensor
        );
        take!(
            linear_damping,
            angular_damping,
            can_sleep,
            drag_axis_ratios,
            fluid_density
        );
        spec.drag_coefficient = patch.drag_coefficient.or(self.drag_coefficient);
        spec.drag_area = patch.drag_area.or(self.drag_area);
        if patch.mass.is_some() || patch.density.is_some() || patch.mass_properties.is_some() {
            // One of them replaces the others.
            spec.mass = patch.mass;
            spec.density = None;
            spec.mass_properties = None;
        }
        if patch.replaces_shapes() {
            spec.shape = patch.shape;
            spec.shapes.clone_from(&patch.shapes);
            spec.colliders.clone_from(&patch.colliders);
            each_field!(shape, copy_fields!(patch, spec));
        }
        each_field!(surface, take_fields!(patch, spec));
        each_field!(dynamics, take_fields!(patch, spec));
        spec.sleeping = patch.sleeping;
        spec
    }
}
