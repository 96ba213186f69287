//! Aerodynamic drag, quadratic in the speed.

use rapier3d::math::{Rotation, Vector};

use super::body::BodySpec;

/// How strongly a fluid brakes a body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Drag {
    /// ½ρ·Cd·A, kg/m.
    factor: f64,
    /// How Cd weighs along the body's axes.
    axis_ratios: [f64; 3],
}

impl Drag {
    /// The drag that `spec` asks for, if it gives both a coefficient and an area.
    pub(super) fn of(spec: &BodySpec) -> Option<Self> {
        let (coefficient, area) = (spec.drag_coefficient?, spec.drag_area?);
        Some(Self {
            factor: 0.5 * f64::from(spec.fluid_density) * f64::from(coefficient) * f64::from(area),
            axis_ratios: spec.drag_axis_ratios.0.map(f64::from),
        })
    }

    /// The constant force (N) that over `dt` seconds does what the drag would: it takes v to
    /// v / (1 + k·|v|·dt / m), the exact solution of m·v' = -k·v², and so never turns the
    /// motion round, however strong it is.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the engine computes in f32"
    )]
    pub(super) fn force(&self, velocity: Vector, rotation: Rotation, mass: f32, dt: f32) -> Vector {
        let local = (rotation.inverse() * velocity).to_array().map(f64::from);
        let squares = local.map(|component| component * component);
        let square: f64 = squares.iter().sum();
        if square == 0.0 {
            return Vector::ZERO;
        }
        let weight = squares
            .iter()
            .zip(self.axis_ratios)
            .map(|(component, ratio)| component * ratio)
            .sum::<f64>()
            / square;
        let (mass, dt) = (f64::from(mass), f64::from(dt));
        let braking = self.factor * weight * square.sqrt() * dt / mass;
        let share = braking / (1.0 + braking);
        velocity * (-(share * mass / dt) as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_strong_the_drag_it_never_turns_the_motion_round() {
        let velocity = Vector::new(3.0, -4.0, 0.0);
        for factor in [1e-9, 1.0, 1e30] {
            let drag = Drag {
                factor,
                axis_ratios: [1.0; 3],
            };
            let force = drag.force(velocity, Rotation::IDENTITY, 2.0, 0.1);
            let after = velocity + force * (0.1 / 2.0);
            assert!(after.dot(velocity) >= -1e-5, "{factor}: {after}");
        }
    }
}
