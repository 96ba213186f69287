//! What is wrong with a body.

use super::{BodyKind, BodySpec, MassProperties};
use crate::physics::{
    asset::Assets,
    config::Dimensions,
    error::PhysicsError,
    fault::{Faults, LENGTHS, MASSES, MAX_DISTANCE, MAX_SPEED},
    fields::{each_field, given_fields},
    limits::{MAX_COLLIDERS_PER_BODY, check},
    shape::ShapeKind,
    vector::Quat,
};

/// Densities, kg/m³.
const DENSITIES: std::ops::RangeInclusive<f32> = 1e-6..=1e9;
/// Moments of inertia, kg·m².
const INERTIAS: std::ops::RangeInclusive<f32> = 1e-15..=1e20;
/// The greatest share of gravity.
const MAX_GRAVITY_SCALE: f32 = 1e3;
/// The most rounds that the solver takes for a body besides its own.
const MAX_SOLVER_ITERATIONS: u8 = 16;

impl BodySpec {
    /// Refuses lists that are too long.
    pub fn check_limits(&self, assets: &Assets) -> Result<(), PhysicsError> {
        let used = self.collider_count();
        check("MAX_COLLIDERS_PER_BODY", MAX_COLLIDERS_PER_BODY, used)?;
        let colliders = self.colliders();
        colliders
            .iter()
            .try_for_each(|it| it.shape().check_limits(assets))
    }

    /// Notes everything that is wrong with its fields and values in a world of `dimensions`, but
    /// for what only shows when its shapes are made; see [`Self::check_solids`].
    pub fn check(&self, dimensions: Dimensions, assets: &Assets, faults: &mut Faults) {
        faults.check_id("id", self.id.is_well_formed());
        self.check_shapes(assets, faults);
        self.check_settings(dimensions, faults);
    }

    /// The same of all but its name and the values of its shapes and colliders.
    pub(in crate::physics) fn check_settings(&self, dimensions: Dimensions, faults: &mut Faults) {
        self.check_solidities(faults);
        self.check_mass(faults);
        faults.check_vector("position", self.translation, MAX_DISTANCE);
        faults.check_rotation("orientation", self.rotation);
        if dimensions == Dimensions::Two && !is_about_z(self.rotation) {
            faults.add(
                "orientation",
                "must be about z in a simulation of 2 dimensions",
            );
        }
        faults.check_vector("velocity", self.linvel, MAX_SPEED);
        faults.check_vector("angular_velocity", self.angvel, MAX_SPEED);
        faults.check_range("restitution", self.restitution, 0.0..=1.0);
        faults.check_not_negative("friction", self.friction);
        faults.check_not_negative("linear_damping", self.linear_damping);
        faults.check_not_negative("angular_damping", self.angular_damping);
        if let Some(coefficient) = self.drag_coefficient {
            faults.check_not_negative("drag_coefficient", coefficient);
        }
        if let Some(area) = self.drag_area {
            faults.check_not_negative("drag_area", area);
        }
        for (index, &ratio) in self.drag_axis_ratios.0.iter().enumerate() {
            faults.check_not_negative(&format!("drag_axis_ratios/{index}"), ratio);
        }
        faults.check_not_negative("fluid_density", self.fluid_density);
        check_surface(self.density, self.contact_skin, faults);
        self.check_dynamics(faults);
    }

    /// Notes everything that is wrong with its shapes and colliders.
    pub(in crate::physics) fn check_shapes(&self, assets: &Assets, faults: &mut Faults) {
        let strays = || {
            let given = each_field!(shape, given_fields!(self)).into_iter();
            let shapes = ("shapes", self.shapes.is_some());
            let all = given.chain([shapes]);
            all.filter_map(|(field, is_given)| is_given.then_some(field))
        };
        match (self.shape, &self.colliders) {
            (Some(_), None) => {
                if let [flat] = &*self.colliders() {
                    flat.shape().check(assets, faults);
                }
            }
            (None, Some(colliders)) => {
                for field in strays() {
                    faults.add(field, "belongs to a shape or a collider");
                }
                for (index, collider) in colliders.iter().enumerate() {
                    faults.within(format_args!("colliders/{index}"), |faults| {
                        collider.check(assets, faults);
                    });
                }
            }
            (None, None) => {
                faults.add("shape", "is required, or colliders");
            }
            (Some(_), Some(_)) => {
                faults.add("colliders", "stand instead of shape: give one of the two");
            }
        }
    }

    fn check_solidities(&self, faults: &mut Faults) {
        if let Some(shape) = self.shape {
            self.check_solidity("kind", shape, self.is_sensor, faults);
            return;
        }
        for (index, collider) in self
            .colliders
            .iter()
            .flat_map(|list| list.iter().enumerate())
        {
            faults.within(format_args!("colliders/{index}"), |faults| {
                let is_sensor = collider.is_sensor(self);
                self.check_solidity("shape", collider.shape, is_sensor, faults);
            });
        }
    }

    /// What moves by forces must be solid where it meets others: it has a mass, and there is an
    /// inside to be pushed out of.
    fn check_solidity(&self, field: &str, shape: ShapeKind, is_sensor: bool, faults: &mut Faults) {
        if self.kind() != BodyKind::Dynamic || shape.is_solid() || is_sensor {
            return;
        }
        let instead = if shape == ShapeKind::TriMesh {
            "use a convex decomposition"
        } else if matches!(shape, ShapeKind::Segment | ShapeKind::Polyline) {
            "use capsules"
        } else {
            "use a solid shape"
        };
        faults.add(
            field,
            format_args!("is nothing for a dynamic body to be made of: {instead}"),
        );
    }

    fn check_mass(&self, faults: &mut Faults) {
        if let Some(mass) = self.mass {
            faults.check_range("mass", mass, MASSES);
        }
        if self.mass.is_some() && self.density.is_some() {
            faults.add("density", "stands instead of mass: give one of the two");
        }
        let Some(properties) = &self.mass_properties else {
            return;
        };
        if self.mass.is_some() || self.density.is_some() {
            faults.add(
                "mass_properties",
                "stand instead of mass and density: give one of them",
            );
        }
        faults.within("mass_properties", |faults| properties.check(faults));
    }

    fn check_dynamics(&self, faults: &mut Faults) {
        if let Some(scale) = self.gravity_scale {
            let range = -MAX_GRAVITY_SCALE..=MAX_GRAVITY_SCALE;
            faults.check_range("gravity_scale", scale, range);
        }
        if self.dominance == Some(i8::MIN) {
            faults.add("dominance", "must be between -127 and 127");
        }
        if let Some(prediction) = self.soft_ccd_prediction {
            faults.check_range("soft_ccd_prediction", prediction, 0.0..=*LENGTHS.end());
        }
        if let Some(threshold) = self.contact_force_threshold {
            faults.check_not_negative("contact_force_threshold", threshold);
        }
        let iterations = self.additional_solver_iterations.unwrap_or(0);
        if iterations > MAX_SOLVER_ITERATIONS {
            faults.add(
                "additional_solver_iterations",
                format_args!("must be at most {MAX_SOLVER_ITERATIONS}"),
            );
        }
        if self.sleeping == Some(true) && (self.kind() != BodyKind::Dynamic || !self.can_sleep) {
            faults.add("sleeping", "only dynamic bodies that can sleep do");
        }
    }

    /// Notes what only shows when the shapes of a body are made in which [`Self::check`] found
    /// nothing wrong. The answer are the volumes of its colliders, m³, unless something is.
    pub fn check_solids(&self, assets: &Assets, faults: &mut Faults) -> Option<Vec<f32>> {
        let before = faults.count();
        let colliders = self.colliders();
        let mut volumes = Vec::with_capacity(colliders.len());
        for (index, collider) in colliders.iter().enumerate() {
            let mut make = |faults: &mut Faults| {
                let made = collider.shape().check_solid(assets, faults);
                volumes.push(made.map_or(0.0, |made| made.mass_properties(1.0).mass()));
            };
            if self.colliders.is_some() {
                faults.within(format_args!("colliders/{index}"), make);
            } else {
                make(faults);
            }
        }
        if faults.count() == before {
            self.check_spread(&volumes, faults);
        }
        (faults.count() == before).then_some(volumes)
    }

    /// Notes what is wrong with its mass, once that is spread over colliders of these volumes.
    pub(in crate::physics) fn check_spread(&self, volumes: &[f32], faults: &mut Faults) {
        let masses = self.masses(&self.colliders(), volumes);
        if let Err((field, detail)) = masses.and_then(|masses| self.check_masses(&masses)) {
            faults.add(&field, detail);
        }
    }
}

impl MassProperties {
    fn check(&self, faults: &mut Faults) {
        faults.check_range("mass", self.mass, MASSES);
        faults.check_vector("center_of_mass", self.center_of_mass, MAX_REACH);
        for (index, &moment) in self.inertia.0.iter().enumerate() {
            faults.check_range(&format!("inertia/{index}"), moment, INERTIAS);
        }
        faults.check_rotation("inertia_orientation", self.inertia_orientation);
    }
}

/// The farthest a centre of mass may be from the origin of its body, m.
const MAX_REACH: f64 = 1e5;

/// Notes what is wrong with what bodies and colliders share.
pub(super) fn check_surface(density: Option<f32>, contact_skin: Option<f32>, faults: &mut Faults) {
    if let Some(density) = density {
        faults.check_range("density", density, DENSITIES);
    }
    if let Some(skin) = contact_skin {
        faults.check_range("contact_skin", skin, 0.0..=*LENGTHS.end());
    }
}

fn is_about_z(Quat([x, y, _, _]): Quat) -> bool {
    x.abs() <= 1e-3 && y.abs() <= 1e-3
}
