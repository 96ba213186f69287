//! How much room bodies take, and whether there is any left.
//!
//! It is asked for before anything else is looked at: values are looked at one by one, and a short
//! request can name many.

use super::{
    asset::Assets,
    body::{BodySpec, collider_count},
    draft::Draft,
    error::PhysicsError,
    limits::{
        MAX_DECOMPOSITION_VOXELS_PER_SIMULATION, MAX_VERTICES_PER_SIMULATION, WorldLimits, check,
        check_decompositions,
    },
};

impl Draft<'_> {
    /// Refuses bodies for which there is no room beside those there are.
    pub(super) fn check_room(
        &self,
        specs: &[BodySpec],
        limits: &WorldLimits,
    ) -> Result<(), PhysicsError> {
        limits.check_bodies(self.body_count() + specs.len())?;
        limits.check_colliders(self.collider_count + collider_count(specs))?;
        check_specs(specs, self.all_bodies(), self.assets)
    }

    /// Refuses shapes for which there is no room in the place of those that `body` has.
    pub(super) fn check_room_instead(
        &self,
        body: &BodySpec,
        spec: &BodySpec,
        limits: &WorldLimits,
    ) -> Result<(), PhysicsError> {
        let (old, new) = (body.collider_count(), spec.collider_count());
        if new > old {
            limits.check_colliders(self.collider_count - old + new)?;
        }
        let others = self.all_bodies().filter(|other| other.id != spec.id);
        check_specs(std::slice::from_ref(spec), others, self.assets)
    }
}

/// Refuses bodies for which there is no room in a world of their own.
pub fn check_room(
    specs: &[BodySpec],
    assets: &Assets,
    limits: &WorldLimits,
) -> Result<(), PhysicsError> {
    limits.check_bodies(specs.len())?;
    limits.check_colliders(collider_count(specs))?;
    check_specs(specs, std::iter::empty(), assets)
}

/// A world that is written down has each of its shapes in full, so that all of them are bounded
/// together.
fn check_specs<'a>(
    specs: &[BodySpec],
    others: impl Iterator<Item = &'a BodySpec> + Clone,
    assets: &Assets,
) -> Result<(), PhysicsError> {
    specs
        .iter()
        .try_for_each(|spec| spec.check_limits(assets))?;
    let voxels = |spec: &BodySpec| spec.decomposition_voxels(assets);
    let new = specs.iter().map(voxels).sum::<usize>();
    if new > 0 {
        check_decompositions(new)?;
        check(
            "MAX_DECOMPOSITION_VOXELS_PER_SIMULATION",
            MAX_DECOMPOSITION_VOXELS_PER_SIMULATION,
            new + others.clone().map(voxels).sum::<usize>(),
        )?;
    }
    let vertices = |spec: &BodySpec| spec.vertices(assets);
    let new: usize = specs.iter().map(vertices).sum();
    if new == 0 {
        return Ok(());
    }
    check(
        "MAX_VERTICES_PER_SIMULATION",
        MAX_VERTICES_PER_SIMULATION,
        new + others.map(vertices).sum::<usize>(),
    )
}
