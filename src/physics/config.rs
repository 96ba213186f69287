//! What a simulation is configured with, and the exact account of its time.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    fault::Faults,
    vector::{Vec3, present, word},
};

/// The shortest and the longest time step, s.
const TIME_STEPS: std::ops::RangeInclusive<f64> = 1e-5..=1.0;
/// The strongest gravity, m/s².
const MAX_GRAVITY: f64 = 1e5;

/// How a simulation computes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WorldConfig {
    /// m/s².
    #[schema(default = json!([0.0, -9.81, 0.0]))]
    pub gravity: Vec3,
    /// 2 locks the translation in z and the rotation about x and y.
    #[schema(value_type = u8, minimum = 2, maximum = 3, default = 3)]
    pub dimensions: Dimensions,
    /// The time step, s.
    #[schema(minimum = 1e-5, maximum = 1.0, default = 0.016)]
    pub dt: f64,
    /// Echoed; Rapier's own integrator runs whatever is asked for.
    #[serde(deserialize_with = "word")]
    pub integrator: Integrator,
}

/// In how many dimensions bodies move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Dimensions {
    /// In the plane of x and y.
    Two,
    /// In space.
    #[default]
    Three,
}

/// The integrators that clients of the predecessor name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Integrator {
    /// Explicit Euler.
    Euler,
    /// Verlet.
    #[default]
    Verlet,
    /// Runge-Kutta of the fourth order.
    Rk4,
}

/// What to change of a running world. What is left out stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorldPatch {
    /// m/s².
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub gravity: Option<Vec3>,
    /// The time step from now on, s.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 1e-5, maximum = 1.0)]
    pub dt: Option<f64>,
}

/// Simulated time: a sum of products rather than of steps, so that it does not drift.
///
/// Neighbouring steps of equal length count as one run; time = Σ (count × dt).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SimulatedTime {
    finished: f64,
    dt: f64,
    count: u64,
    steps: u64,
}

impl WorldConfig {
    /// Notes everything that is wrong with it.
    pub fn check(&self, faults: &mut Faults) {
        check_gravity(self.gravity, faults);
        check_dt(self.dt, faults);
    }
}

impl WorldPatch {
    /// Notes everything that is wrong with it.
    pub fn check(&self, faults: &mut Faults) {
        if let Some(gravity) = self.gravity {
            check_gravity(gravity, faults);
        }
        if let Some(dt) = self.dt {
            check_dt(dt, faults);
        }
    }
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self {
            gravity: Vec3([0.0, -9.81, 0.0]),
            dimensions: Dimensions::default(),
            dt: 0.016,
            integrator: Integrator::default(),
        }
    }
}

impl TryFrom<u8> for Dimensions {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        match number {
            2 => Ok(Self::Two),
            3 => Ok(Self::Three),
            _ => Err("dimensions must be 2 or 3"),
        }
    }
}

impl From<Dimensions> for u8 {
    fn from(dimensions: Dimensions) -> Self {
        match dimensions {
            Dimensions::Two => 2,
            Dimensions::Three => 3,
        }
    }
}

impl SimulatedTime {
    /// Counts one step of `dt` seconds.
    pub fn tick(&mut self, dt: f64) {
        if self.dt.to_bits() != dt.to_bits() {
            self.finished = self.time();
            self.dt = dt;
            self.count = 0;
        }
        self.count += 1;
        self.steps += 1;
    }

    /// Simulated seconds since the beginning.
    #[expect(clippy::cast_precision_loss, reason = "nobody takes 2^53 steps")]
    pub fn time(&self) -> f64 {
        self.finished + self.count as f64 * self.dt
    }

    /// Steps since the beginning.
    pub fn steps(&self) -> u64 {
        self.steps
    }
}

/// Notes a time step outside the range that the engine takes.
pub(super) fn check_dt(dt: f64, faults: &mut Faults) {
    if !TIME_STEPS.contains(&dt) {
        let (least, most) = TIME_STEPS.into_inner();
        faults.add("dt", format_args!("must be between {least:e} and {most}"));
    }
}

fn check_gravity(gravity: Vec3, faults: &mut Faults) {
    faults.check_vector("gravity", gravity, MAX_GRAVITY);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_the_sum_of_count_times_dt_over_runs_of_equal_dt() {
        let mut time = SimulatedTime::default();
        for _ in 0..20_000 {
            time.tick(0.001);
        }
        assert_eq!(time.time().to_bits(), 20.0f64.to_bits());
        time.tick(0.5);
        assert_eq!(time.time().to_bits(), 20.5f64.to_bits());
        assert_eq!(time.steps(), 20_001);
    }
}
