//! Bodies: what clients ask for, and how Rapier's rigid bodies are made of it.

mod admission;
mod check;
mod collider;
mod inertia;
mod patch;
mod rigid;
mod surface;

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    id::BodyId,
    physics::{
        asset::{AssetId, Assets},
        config::Dimensions,
        fields::{copy_fields, each_field, with_fields},
        shape::{Bulk, PartSpec, ShapeKind, ShapeSpec, bulk, name_assets},
        vector::{Quat, Vec3, number, present_number, present_word, word},
    },
};

pub use admission::check_bodies;
pub(super) use admission::collider_count;
pub use collider::ColliderSpec;
pub(super) use inertia::Inertia;
pub use inertia::MassProperties;
pub use patch::BodyPatch;
pub(super) use rigid::{flat, flat_angular, is_bullet, volumes_of};
pub use surface::{CombineRule, Groups, LockedAxes, LockedAxis};

/// How a body moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BodyKind {
    /// Never moves.
    #[serde(rename = "static", alias = "fixed")]
    Fixed,
    /// Moved by forces, contacts and joints.
    #[default]
    Dynamic,
    /// Moves with the velocity it is given, whatever it meets.
    #[serde(alias = "kinematic_velocity")]
    Kinematic,
    /// Moves within a step to the pose that a PATCH gives it, whatever it meets, and pushes as
    /// fast as it does.
    KinematicPosition,
}

with_fields! { [shape surface dynamics]
    /// A body to add.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    pub struct BodySpec {
        /// Its name, unique in the simulation.
        pub id: BodyId,
        /// How it moves. A plane is static whatever is asked for.
        #[serde(default, deserialize_with = "word")]
        pub kind: BodyKind,
        /// Its shape, with the fields that belong to it; or `colliders`.
        #[serde(default, deserialize_with = "present_word", skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        pub shape: Option<ShapeKind>,
        /// The shapes of a compound.
        #[serde(default, deserialize_with = "crate::physics::object::present_objects", skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false, value_type = Option<Vec<PartSpec>>)]
        pub shapes: Option<Arc<[PartSpec]>>,
        /// Several shapes instead of one; none at all for a body that meets nothing.
        #[serde(default, deserialize_with = "crate::physics::object::present_objects", skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false, value_type = Option<Vec<ColliderSpec>>, max_items = 64)]
        pub colliders: Option<Arc<[ColliderSpec]>>,
        /// kg, of the whole body, spread over its shapes at uniform density; 1 unless given.
        #[serde(default, deserialize_with = "present_number", skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false, minimum = 1e-6, maximum = 1e9, default = 1.0)]
        pub mass: Option<f32>,
        /// m, at most 1e6 from the origin.
        #[serde(rename = "position", alias = "translation", default)]
        pub translation: Vec3,
        /// Unit quaternion.
        #[serde(rename = "orientation", alias = "rotation", default)]
        pub rotation: Quat,
        /// m/s, at most 1e5; the engine slows what is faster than 400.
        #[serde(rename = "velocity", alias = "linvel", default)]
        pub linvel: Vec3,
        /// rad/s, at most 1e5.
        #[serde(rename = "angular_velocity", alias = "angvel", default)]
        pub angvel: Vec3,
        /// Bounciness; a pair takes the average of its two.
        #[serde(default = "default_restitution", deserialize_with = "number")]
        #[schema(minimum = 0.0, maximum = 1.0, default = 0.3)]
        pub restitution: f32,
        /// Coulomb friction; a pair takes the average of its two.
        #[serde(default = "default_friction", deserialize_with = "number")]
        #[schema(minimum = 0.0, default = 0.5)]
        pub friction: f32,
        /// Reports what it overlaps and pushes nothing.
        #[serde(default)]
        pub is_sensor: bool,
        /// 1/s.
        #[serde(default, deserialize_with = "number")]
        #[schema(minimum = 0.0, default = 0.0)]
        pub linear_damping: f32,
        /// 1/s.
        #[serde(default, deserialize_with = "number")]
        #[schema(minimum = 0.0, default = 0.0)]
        pub angular_damping: f32,
        /// Whether it may fall asleep at rest.
        #[serde(default = "yes")]
        #[schema(default = true)]
        pub can_sleep: bool,
        /// Cd; with `drag_area` it turns drag on: F = ½ρ·Cd·A·v².
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
        #[serde(default = "ones")]
        pub drag_axis_ratios: Vec3,
        /// kg/m³; air unless given.
        #[serde(default = "air", deserialize_with = "number")]
        #[schema(minimum = 0.0, default = 1.225)]
        pub fluid_density: f32,
    }
}

impl BodySpec {
    /// A body of which nothing is given yet; it needs a shape or colliders.
    pub fn new(id: BodyId) -> Self {
        Self {
            id,
            kind: BodyKind::default(),
            translation: Vec3::ZERO,
            rotation: Quat::IDENTITY,
            linvel: Vec3::ZERO,
            angvel: Vec3::ZERO,
            restitution: default_restitution(),
            friction: default_friction(),
            is_sensor: false,
            linear_damping: 0.0,
            angular_damping: 0.0,
            can_sleep: true,
            drag_axis_ratios: ones(),
            fluid_density: air(),
            drag_coefficient: None,
            drag_area: None,
            shape: None,
            shapes: None,
            colliders: None,
            mass: None,
            size: None,
            half_extents: None,
            half_height: None,
            radius: None,
            normal: None,
            offset: None,
            axis: None,
            point_a: None,
            point_b: None,
            border_radius: None,
            vertices: None,
            indices: None,
            heights: None,
            scale: None,
            voxel_size: None,
            voxels: None,
            asset: None,
            resolution: None,
            max_hulls: None,
            density: None,
            friction_combine_rule: None,
            restitution_combine_rule: None,
            collision_groups: None,
            solver_groups: None,
            contact_skin: None,
            mass_properties: None,
            gravity_scale: None,
            locked_axes: None,
            dominance: None,
            ccd: None,
            soft_ccd_prediction: None,
            enabled: None,
            sleeping: None,
            contact_force_threshold: None,
            additional_solver_iterations: None,
        }
    }

    /// How it will move: a body with a plane is static whatever is asked for.
    pub fn kind(&self) -> BodyKind {
        let is_plane = |shape| shape == ShapeKind::Halfspace;
        let mut colliders = self.colliders.iter().flat_map(|list| list.iter());
        if self.shape.is_some_and(is_plane) || colliders.any(|it| is_plane(it.shape)) {
            BodyKind::Fixed
        } else {
            self.kind
        }
    }

    /// How many colliders it has.
    pub fn collider_count(&self) -> usize {
        let listed = self.colliders.as_ref();
        listed.map_or(usize::from(self.shape.is_some()), |list| list.len())
    }

    /// Its colliders, in their order.
    pub fn colliders(&self) -> Arc<[ColliderSpec]> {
        match (&self.colliders, self.shape) {
            (Some(list), _) => Arc::clone(list),
            (None, Some(shape)) => {
                let mut spec = ShapeSpec {
                    shapes: self.shapes.clone(),
                    ..ShapeSpec::new(shape)
                };
                each_field!(shape, copy_fields!(self, spec));
                Arc::new([ColliderSpec::of(&spec)])
            }
            (None, None) => Arc::default(),
        }
    }

    /// Notes the assets that its shapes name.
    pub fn name_assets(&self, named: &mut BTreeSet<AssetId>) {
        name_assets(self.asset.as_ref(), self.shapes.as_deref(), named);
        for collider in self.colliders.as_deref().unwrap_or_default() {
            name_assets(collider.asset.as_ref(), collider.shapes.as_deref(), named);
        }
    }

    /// How much its shapes take of what a simulation may hold, in vertices.
    pub(in crate::physics) fn vertices(&self, assets: &Assets) -> usize {
        self.bulks().map(|shape| shape.vertices(assets)).sum()
    }

    /// How much work its shapes are to make, in what a simple shape takes.
    pub fn effort(&self) -> usize {
        self.bulks()
            .map(|shape| shape.effort())
            .sum::<usize>()
            .max(1)
    }

    /// How many voxels are looked at to take apart those of its shapes that are convex
    /// decompositions.
    pub(in crate::physics) fn decomposition_voxels(&self, assets: &Assets) -> usize {
        let voxels = |shape: Bulk<'_>| shape.decomposition_voxels(assets);
        self.bulks().map(voxels).sum()
    }

    /// The lists of its shapes.
    pub(in crate::physics) fn bulks(&self) -> impl Iterator<Item = Bulk<'_>> {
        let parts = self.shapes.as_deref().unwrap_or_default();
        let flat = self.shape.map(|kind| bulk!(kind, self, parts));
        let listed = self.colliders.as_deref().unwrap_or_default().iter();
        flat.into_iter().chain(listed.map(ColliderSpec::bulk))
    }

    /// The same body with every value in its one canonical form. It must have been checked.
    #[must_use]
    pub fn normalized(mut self, dimensions: Dimensions) -> Self {
        self.kind = self.kind();
        if matches!(self.kind, BodyKind::Fixed | BodyKind::KinematicPosition) {
            self.linvel = Vec3::ZERO;
            self.angvel = Vec3::ZERO;
        }
        self.rotation = rigid::flat_rotation(self.rotation, dimensions);
        self.linvel = flat(self.linvel, dimensions);
        self.angvel = flat_angular(self.angvel, dimensions);
        self.normal = self.normal.map(Vec3::normalized);
        // It is what the body does, and not what it is.
        self.sleeping = None;
        self
    }
}

fn default_restitution() -> f32 {
    0.3
}

fn default_friction() -> f32 {
    0.5
}

fn yes() -> bool {
    true
}

fn ones() -> Vec3 {
    Vec3([1.0; 3])
}

fn air() -> f32 {
    1.225
}
