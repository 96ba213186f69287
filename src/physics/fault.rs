//! What is wrong with a request's values: every fault with the place it was found at.

use std::{fmt, ops::RangeInclusive};

use serde::Serialize;

use super::vector::{Quat, Vec3};
use crate::id::ID_RULE;

/// Lengths, m.
pub(crate) const LENGTHS: RangeInclusive<f32> = 1e-4..=1e5;
/// Masses, kg.
pub(crate) const MASSES: RangeInclusive<f32> = 1e-6..=1e9;
/// The farthest a position may be from the origin, m.
pub(crate) const MAX_DISTANCE: f64 = 1e6;
/// The greatest speed, m/s or rad/s.
pub(crate) const MAX_SPEED: f64 = 1e5;
/// The greatest impulse, N·s or N·m·s: even the lightest body keeps a finite velocity.
pub(crate) const MAX_IMPULSE: f64 = 1e15;

/// One value that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Where it stands in the request's body, a JSON pointer.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

/// Collects all faults of a request, so that one reply names them all.
#[derive(Debug, Default)]
pub struct Faults {
    found: Vec<Fault>,
    place: String,
}

impl Faults {
    /// Notes a fault of `field`; an empty `field` means the value under examination itself.
    pub fn add(&mut self, field: &str, detail: impl fmt::Display) {
        let separator = if field.is_empty() { "" } else { "/" };
        self.found.push(Fault {
            pointer: format!("{}{separator}{field}", self.place),
            detail: detail.to_string(),
        });
    }

    /// Examines what stands below `field`.
    pub fn within(&mut self, field: impl fmt::Display, examine: impl FnOnce(&mut Self)) {
        let outer = self.place.len();
        self.place = format!("{}/{field}", self.place);
        examine(self);
        self.place.truncate(outer);
    }

    /// Notes what was found elsewhere, where it was found.
    pub(super) fn extend(&mut self, found: Vec<Fault>) {
        self.found.extend(found);
    }

    /// All faults, in the order they were found.
    pub fn into_vec(self) -> Vec<Fault> {
        self.found
    }

    /// How many were found.
    pub fn count(&self) -> usize {
        self.found.len()
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(crate) fn check_id(&mut self, field: &str, is_well_formed: bool) {
        if !is_well_formed {
            self.add(field, ID_RULE);
        }
    }

    pub(crate) fn check_range(&mut self, field: &str, value: f32, range: RangeInclusive<f32>) {
        if !range.contains(&value) {
            let (least, most) = range.into_inner();
            self.add(
                field,
                format_args!("must be between {least:e} and {most:e}"),
            );
        }
    }

    pub(crate) fn check_not_negative(&mut self, field: &str, value: f32) {
        if !(value.is_finite() && value >= 0.0) {
            self.add(field, "must be a finite number of at least 0");
        }
    }

    pub(crate) fn check_vector(&mut self, field: &str, value: Vec3, longest: f64) {
        if !value.is_finite() || value.length() > longest {
            self.add(
                field,
                format_args!("must be finite and no longer than {longest:e}"),
            );
        }
    }

    /// A place in the world.
    pub(crate) fn check_position(&mut self, field: &str, value: Vec3) {
        self.check_vector(field, value, MAX_DISTANCE);
    }

    /// A direction of any length, which will be normalised.
    pub(crate) fn check_direction(&mut self, field: &str, value: Vec3) {
        if !value.is_finite() || value.length() < 1e-6 {
            self.add(field, "must be finite and not of length 0");
        }
    }

    pub(crate) fn check_rotation(&mut self, field: &str, value: Quat) {
        // A norm that is no number is far from 1 too.
        let is_unit = (value.norm() - 1.0).abs() <= 1e-3;
        if !is_unit {
            self.add(field, "must be a unit quaternion [x, y, z, w]");
        }
    }
}
