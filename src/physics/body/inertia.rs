//! Masses: given for a body as a whole, for its colliders, or by densities.

use rapier3d::prelude as rapier;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BodySpec, ColliderSpec};
use crate::physics::{
    fault::MASSES,
    vector::{Quat, Vec3, number},
};

/// The radius of the ball as which a body without solid shapes turns, m.
const SHAPELESS_RADIUS: f32 = 0.1;
/// kg, of a body of which no mass is given.
const DEFAULT_MASS: f32 = 1.0;
/// The least mass of a collider by its share, kg.
const LEAST_SHARE: f32 = 1e-12;

/// Mass and inertia of a body, given outright.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MassProperties {
    /// kg.
    #[serde(deserialize_with = "number")]
    #[schema(minimum = 1e-6, maximum = 1e9)]
    pub mass: f32,
    /// In the body's frame, m.
    #[serde(default)]
    pub center_of_mass: Vec3,
    /// The principal moments about the centre of mass, kg·m².
    pub inertia: Vec3,
    /// How the principal axes are turned in the body's frame.
    #[serde(default)]
    pub inertia_orientation: Quat,
}

/// What a body has in the end, in its frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::physics) struct Inertia {
    /// kg; what is given of a body that does not move by forces.
    pub(in crate::physics) mass: f32,
    pub(in crate::physics) center_of_mass: Vec3,
    /// The principal moments, kg·m².
    pub(in crate::physics) moments: Vec3,
    pub(in crate::physics) axes: Quat,
}

/// The masses of a body and its parts.
#[derive(Debug, PartialEq)]
pub(super) struct Masses {
    /// Of each collider, kg.
    pub(super) colliders: Vec<f32>,
    /// Of all, kg.
    pub(super) total: f32,
    /// What the body has of its own, not by its colliders.
    pub(super) own: Option<MassProperties>,
}

impl BodySpec {
    /// The masses of its colliders, which have these volumes (m³); or the field that is at fault.
    ///
    /// What is not solid has none, nor has what is disabled, nor a sensor unless there is nothing
    /// else.
    pub(super) fn masses(
        &self,
        colliders: &[ColliderSpec],
        volumes: &[f32],
    ) -> Result<Masses, (String, String)> {
        let none = || vec![0.0; colliders.len()];
        if let Some(properties) = self.mass_properties {
            return Ok(Masses {
                colliders: none(),
                total: properties.mass,
                own: Some(properties),
            });
        }
        let is_only_sensors = colliders.iter().all(|it| it.is_sensor(self));
        let counts = |(it, &volume): (&ColliderSpec, &f32)| {
            it.shape.is_solid()
                && volume > 0.0
                && it.is_enabled()
                && (is_only_sensors || !it.is_sensor(self))
        };
        let counted: Vec<bool> = colliders.iter().zip(volumes).map(counts).collect();
        if !counted.contains(&true) {
            return self.shapeless().map(|own| Masses {
                colliders: none(),
                total: own.mass,
                own: Some(own),
            });
        }
        let masses = self.shares(colliders, volumes, &counted)?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the engine computes in f32"
        )]
        let rounded = |mass: f64| mass as f32;
        let total = match (self.mass, self.density) {
            (Some(mass), None) => mass,
            _ => rounded(masses.iter().sum()),
        };
        Ok(Masses {
            colliders: masses.into_iter().map(rounded).collect(),
            total,
            own: None,
        })
    }

    /// The masses of the colliders of a checked specification as they were made, which have these
    /// volumes (m³).
    ///
    /// A decomposition was checked by the hull of its mesh, and its parts may overlap, so that they
    /// are more. Where they would weigh more than the whole body, its mass is spread evenly.
    pub(super) fn spread(&self, colliders: &[ColliderSpec], volumes: &[f32]) -> Masses {
        self.masses(colliders, volumes).unwrap_or_else(|_| {
            let total = self.mass.unwrap_or(DEFAULT_MASS);
            let all: f32 = volumes.iter().sum();
            let share = |&volume: &f32| total * (volume / all);
            Masses {
                colliders: volumes.iter().map(share).collect(),
                total,
                own: None,
            }
        })
    }

    /// Whether masses can be computed with; or the field that is at fault.
    pub(super) fn check_masses(&self, masses: &Masses) -> Result<(), (String, String)> {
        let total = masses.total;
        if !MASSES.contains(&total) {
            let (least, most) = MASSES.into_inner();
            let field = if self.density.is_some() {
                "density"
            } else {
                "mass"
            };
            let detail = format!("makes {total:e} kg: must be between {least:e} and {most:e}");
            return Err((field.to_owned(), detail));
        }
        let is_small = |&mass: &f32| mass > 0.0 && mass < LEAST_SHARE;
        if let Some(index) = masses.colliders.iter().position(is_small) {
            let detail = "is too small a part of the body to have a mass".to_owned();
            return Err((self.pointer(index, "shape"), detail));
        }
        Ok(())
    }

    /// The mass of each collider that counts, kg.
    fn shares(
        &self,
        colliders: &[ColliderSpec],
        volumes: &[f32],
        counted: &[bool],
    ) -> Result<Vec<f64>, (String, String)> {
        let own = |index: usize| {
            let it = &colliders[index];
            let by_density = it
                .density
                .map(|density| f64::from(density) * f64::from(volumes[index]));
            by_density.or(it.mass.map(f64::from))
        };
        let all = || (0..colliders.len()).filter(|&index| counted[index]);
        let given: f64 = all().filter_map(own).sum();
        let rest: f64 = all()
            .filter(|&index| own(index).is_none())
            .map(|index| f64::from(volumes[index]))
            .sum();
        let is_any_given = all().any(|index| own(index).is_some());
        let density = match (self.density, self.mass) {
            _ if rest == 0.0 && self.mass.is_none() => 0.0,
            (None, Some(_)) if rest == 0.0 => {
                let detail = "is already given by all of the colliders".to_owned();
                return Err(("mass".to_owned(), detail));
            }
            (Some(density), _) => f64::from(density),
            (None, None) if is_any_given => {
                let lacking = all().find(|&index| own(index).is_none()).unwrap_or(0);
                let detail = "is required, or density: other colliders give theirs, and the body \
                              gives none"
                    .to_owned();
                return Err((self.pointer(lacking, "mass"), detail));
            }
            (None, mass) => {
                let left = f64::from(mass.unwrap_or(DEFAULT_MASS)) - given;
                if left <= 0.0 {
                    let detail = format!("must be more than the {given} kg its colliders give");
                    return Err(("mass".to_owned(), detail));
                }
                left / rest
            }
        };
        let mass = |index: usize| match own(index) {
            _ if !counted[index] => 0.0,
            Some(mass) => mass,
            None => f64::from(volumes[index]) * density,
        };
        Ok((0..colliders.len()).map(mass).collect())
    }

    /// A body without solid shapes: all of its mass is in a ball.
    fn shapeless(&self) -> Result<MassProperties, (String, String)> {
        if self.density.is_some() {
            let detail = "needs a solid shape".to_owned();
            return Err(("density".to_owned(), detail));
        }
        let mass = self.mass.unwrap_or(DEFAULT_MASS);
        Ok(MassProperties {
            mass,
            center_of_mass: Vec3::ZERO,
            inertia: Vec3([0.4 * mass * SHAPELESS_RADIUS * SHAPELESS_RADIUS; 3]),
            inertia_orientation: Quat::IDENTITY,
        })
    }

    fn pointer(&self, collider: usize, field: &str) -> String {
        if self.colliders.is_some() {
            format!("colliders/{collider}/{field}")
        } else {
            field.to_owned()
        }
    }
}

impl From<MassProperties> for rapier::MassProperties {
    fn from(properties: MassProperties) -> Self {
        Self::with_principal_inertia_frame(
            properties.center_of_mass.into(),
            properties.mass,
            properties.inertia.into(),
            properties.inertia_orientation.normalized().into(),
        )
    }
}

impl Inertia {
    /// What Rapier has computed, with the mass as it was given.
    pub(super) fn of(found: &rapier::MassProperties, mass: f32) -> Self {
        Self {
            mass,
            center_of_mass: found.local_com.into(),
            moments: found.principal_inertia().into(),
            axes: found.principal_inertia_local_frame.into(),
        }
    }

    /// Whether no number is infinite or NaN.
    pub(in crate::physics) fn is_finite(&self) -> bool {
        let numbers = self.axes.0.iter().chain(&self.center_of_mass.0);
        self.mass.is_finite()
            && self.moments.is_finite()
            && numbers.into_iter().all(|number| number.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_that_turn_out_heavier_than_their_body_share_its_mass() {
        let body: BodySpec =
            serde_json::from_value(json!({"id": "body", "mass": 1.01, "colliders": [
            {"shape": "sphere", "radius": 1, "density": 10}, {"shape": "sphere", "radius": 1}]}))
            .unwrap();
        let colliders = body.colliders();
        assert!(body.masses(&colliders, &[0.1, 0.1]).is_ok(), "as checked");
        assert!(body.masses(&colliders, &[0.2, 0.1]).is_err(), "as made");
        let spread = body.spread(&colliders, &[0.2, 0.1]);
        assert!((spread.total - 1.01).abs() < 1e-6);
        assert!((spread.colliders.iter().sum::<f32>() - 1.01).abs() < 1e-6);
        assert!((spread.colliders[0] - 2.0 * spread.colliders[1]).abs() < 1e-6);
    }
}
