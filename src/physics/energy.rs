//! Energy, momentum and mass of what moves freely.

use rapier3d::math::Rotation;
use serde::Serialize;
use utoipa::ToSchema;

use super::{matter::Mass, view::View};
use crate::id::BodyId;

/// Energy and momentum of all dynamic bodies together.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnergyView<'a> {
    /// Of all dynamic bodies.
    #[serde(flatten)]
    all: Sums,
    /// Of those that were named, in the order they were added.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    bodies: Option<Vec<BodyEnergy<'a>>>,
}

/// Energy and momentum of one body.
#[derive(Debug, Serialize, ToSchema)]
pub struct BodyEnergy<'a> {
    /// Its name.
    #[schema(value_type = String)]
    id: &'a BodyId,
    #[serde(flatten)]
    its: Sums,
}

/// Sums over bodies.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
struct Sums {
    /// Of moving and turning, J.
    kinetic: f64,
    /// In the gravity in force, against the origin, J.
    potential: f64,
    /// Kinetic and potential, J.
    total: f64,
    /// kg·m/s.
    linear_momentum: [f64; 3],
    /// About the origin, kg·m²/s.
    angular_momentum: [f64; 3],
    /// World coordinates, m; left out where there is no mass.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    center_of_mass: Option<[f64; 3]>,
    /// kg.
    mass: f64,
}

impl View {
    /// Energy and momentum of all that is dynamic, and of each of the bodies that stand at these
    /// positions. The first of them that is not dynamic is answered instead.
    pub fn energy(&self, positions: Option<&[usize]>) -> Result<EnergyView<'_>, &BodyId> {
        let all = (0..self.body_count()).filter_map(|position| self.sums_of(position));
        let one = |&position: &usize| {
            let (id, _) = self
                .roster
                .bodies
                .get_index(position)
                .expect("positions are those of the view they were selected in");
            let its = self.sums_of(position).ok_or(id)?;
            Ok(BodyEnergy { id, its })
        };
        let bodies = positions.map(|positions| positions.iter().map(one).collect());
        Ok(EnergyView {
            all: all.fold(Sums::default(), Sums::and),
            bodies: bodies.transpose()?,
        })
    }

    fn sums_of(&self, position: usize) -> Option<Sums> {
        let Mass {
            kilograms: mass,
            center,
            inertia,
            axes,
            gravity_scale,
        } = self.matter.masses[position]?;
        let motion = &self.motions[position];
        let pose = self.pose_of(position);
        let center: rapier3d::math::Vector = pose.transform_point(center);
        let center = center.to_array().map(f64::from);
        let velocity = motion.linvel.0.map(f64::from);
        let spin = motion.angvel.0.map(f64::from);

        let axes = unit(pose.rotation * axes);
        let about_axes = rotated(conjugate(axes), spin);
        let spin_momentum = rotated(axes, [0, 1, 2].map(|at| inertia[at] * about_axes[at]));
        let momentum = velocity.map(|component| mass * component);
        let orbital = cross(center, momentum);
        let gravity = self.config.gravity.0.map(f64::from);

        let kinetic = 0.5 * (dot(momentum, velocity) + dot(spin_momentum, spin));
        let potential = -mass * gravity_scale * dot(gravity, center);
        Some(Sums {
            kinetic,
            potential,
            total: kinetic + potential,
            linear_momentum: momentum,
            angular_momentum: [0, 1, 2].map(|at| orbital[at] + spin_momentum[at]),
            center_of_mass: Some(center),
            mass,
        })
    }
}

impl Sums {
    /// Both together.
    fn and(self, other: Self) -> Self {
        let mass = self.mass + other.mass;
        let plus = |one: [f64; 3], other: [f64; 3]| [0, 1, 2].map(|at| one[at] + other[at]);
        let weighed = |sums: &Self| {
            let center = sums.center_of_mass.unwrap_or_default();
            center.map(|component| component * sums.mass)
        };
        let center = plus(weighed(&self), weighed(&other)).map(|component| component / mass);
        Self {
            kinetic: self.kinetic + other.kinetic,
            potential: self.potential + other.potential,
            total: self.total + other.total,
            linear_momentum: plus(self.linear_momentum, other.linear_momentum),
            angular_momentum: plus(self.angular_momentum, other.angular_momentum),
            center_of_mass: (mass > 0.0).then_some(center),
            mass,
        }
    }
}

/// A rotation in full precision, `[x, y, z, w]` of norm 1.
fn unit(rotation: Rotation) -> [f64; 4] {
    let parts = rotation.to_array().map(f64::from);
    let norm = parts.iter().map(|part| part * part).sum::<f64>().sqrt();
    parts.map(|part| part / norm)
}

fn conjugate([x, y, z, w]: [f64; 4]) -> [f64; 4] {
    [-x, -y, -z, w]
}

fn rotated([x, y, z, w]: [f64; 4], vector: [f64; 3]) -> [f64; 3] {
    let axis = [x, y, z];
    let across = cross(axis, vector).map(|component| 2.0 * component);
    let further = cross(axis, across);
    [0, 1, 2].map(|at| vector[at] + w * across[at] + further[at])
}

fn dot(one: [f64; 3], other: [f64; 3]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

fn cross([ax, ay, az]: [f64; 3], [bx, by, bz]: [f64; 3]) -> [f64; 3] {
    [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx]
}
