//! Which bodies a world takes: what is checked against names and specifications.

use std::collections::HashSet;

use super::BodySpec;
use crate::physics::{
    asset::Assets, config::Dimensions, draft::Draft, error::PhysicsError, fault::Faults,
};

impl Draft<'_> {
    /// Checks bodies, in which `faults` were found, against those there are.
    pub(in crate::physics) fn check_new_bodies(
        &self,
        specs: &[BodySpec],
        faults: Faults,
    ) -> Result<(), PhysicsError> {
        faults.into_result()?;
        match specs.iter().find(|spec| self.body(&spec.id).is_some()) {
            Some(spec) => Err(PhysicsError::BodyExists(spec.id.clone())),
            None => Ok(()),
        }
    }
}

/// Notes everything that is wrong with bodies that are to be added together.
pub fn check_bodies(
    specs: &[BodySpec],
    dimensions: Dimensions,
    assets: &Assets,
    faults: &mut Faults,
) {
    let mut seen = HashSet::new();
    for (index, spec) in specs.iter().enumerate() {
        faults.within(index, |faults| {
            spec.check(dimensions, assets, faults);
            if !seen.insert(&spec.id) {
                faults.add("id", "stands twice in this request");
            }
        });
    }
}

/// How many colliders some bodies have.
pub(in crate::physics) fn collider_count(specs: &[BodySpec]) -> usize {
    specs.iter().map(BodySpec::collider_count).sum()
}
