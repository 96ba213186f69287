//! Wheels of vehicles: what clients ask for.

use std::f32::consts::PI;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::spec::{ControllerPatch, ControllerSpec};
use crate::physics::{
    fault::{Faults, LENGTHS},
    shape::Axis,
    vector::{Vec3, number, present, present_number},
};

/// How many wheels a vehicle may have.
const MAX_WHEELS: usize = 16;
/// The farthest a wheel may be from its chassis, m.
const MAX_ARM: f64 = 1e5;
/// The greatest force, N.
const MAX_PUSH: f32 = 1e12;
/// The greatest stiffness, damping or grip.
const MAX_COEFFICIENT: f32 = 1e6;

/// A wheel: a ray from the chassis down to the ground, with a spring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WheelSpec {
    /// Where its suspension begins, in the chassis' frame, m.
    pub position: Vec3,
    /// Which way its suspension points, in the chassis' frame; down unless given.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub direction: Option<Vec3>,
    /// The axis it turns about, in the chassis' frame: it drives towards `up × axle`. To the right
    /// of what is ahead unless given.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub axle: Option<Vec3>,
    /// m.
    #[serde(deserialize_with = "number")]
    #[schema(minimum = 1e-4, maximum = 1e5)]
    pub radius: f32,
    /// The length of its spring when nothing weighs on it, m.
    #[serde(default = "default_rest_length", deserialize_with = "number")]
    #[schema(minimum = 0.0, maximum = 1e5, default = 0.3)]
    pub suspension_rest_length: f32,
    /// How stiff its spring is, N/m for each kg of the chassis.
    #[serde(default = "default_stiffness", deserialize_with = "number")]
    #[schema(minimum = 0.0, maximum = 1e6, default = 50.0)]
    pub stiffness: f32,
    /// How its spring resists being compressed, N·s/m for each kg of the chassis.
    #[serde(default = "default_compression", deserialize_with = "number")]
    #[schema(minimum = 0.0, maximum = 1e6, default = 4.0)]
    pub compression: f32,
    /// How its spring resists being released, N·s/m for each kg of the chassis.
    #[serde(default = "default_damping", deserialize_with = "number")]
    #[schema(minimum = 0.0, maximum = 1e6, default = 5.0)]
    pub damping: f32,
    /// How far its spring gives from its rest length, m.
    #[serde(default = "default_travel", deserialize_with = "number")]
    #[schema(minimum = 0.0, maximum = 1e5, default = 0.3)]
    pub max_travel: f32,
    /// Its grip: the greatest force on the ground for each N that weighs on it.
    #[serde(default = "default_slip", deserialize_with = "number")]
    #[schema(minimum = 0.0, maximum = 1e6, default = 10.5)]
    pub friction_slip: f32,
    /// How much of a sideways motion it takes away.
    #[serde(default = "one", deserialize_with = "number")]
    #[schema(minimum = 0.0, maximum = 1e6, default = 1.0)]
    pub side_friction_stiffness: f32,
    /// The greatest force of its spring, N.
    #[serde(default = "default_suspension_force", deserialize_with = "number")]
    #[schema(minimum = 0.0, maximum = 1e12, default = 1e5)]
    pub max_suspension_force: f32,
    /// rad; positive is left.
    #[serde(default, deserialize_with = "number")]
    #[schema(default = 0.0)]
    pub steering: f32,
    /// N, ahead.
    #[serde(default, deserialize_with = "number")]
    #[schema(default = 0.0)]
    pub engine_force: f32,
    /// The greatest braking force, N. It brakes only while its `engine_force` is 0.
    #[serde(default, deserialize_with = "number")]
    #[schema(minimum = 0.0, default = 0.0)]
    pub brake: f32,
}

/// What to change of a wheel. What is left out stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WheelPatch {
    /// rad; positive is left.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub steering: Option<f32>,
    /// N, ahead.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub engine_force: Option<f32>,
    /// The greatest braking force, N.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 0.0)]
    pub brake: Option<f32>,
    /// Its grip.
    #[serde(
        default,
        deserialize_with = "present_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, minimum = 0.0)]
    pub friction_slip: Option<f32>,
}

/// Notes everything that is wrong with the wheels and axes of a vehicle.
pub(super) fn check(spec: &ControllerSpec, faults: &mut Faults) {
    let wheels = spec.wheels.as_deref().unwrap_or_default();
    if !(1..=MAX_WHEELS).contains(&wheels.len()) {
        faults.add("wheels", format_args!("must be 1 to {MAX_WHEELS} wheels"));
        return;
    }
    if spec.up() == spec.forward() {
        faults.add("forward_axis", "must be another axis than up_axis");
    }
    for (index, wheel) in wheels.iter().enumerate() {
        faults.within(format_args!("wheels/{index}"), |faults| wheel.check(faults));
    }
    let lists = [
        ("drive_wheels", &spec.drive_wheels),
        ("steered_wheels", &spec.steered_wheels),
    ];
    for (field, list) in lists {
        let list = list.as_deref().unwrap_or_default();
        for (place, &index) in list.iter().enumerate() {
            if index as usize >= wheels.len() {
                faults.add(&format!("{field}/{place}"), "no such wheel");
            } else if list[..place].contains(&index) {
                faults.add(&format!("{field}/{place}"), "stands twice in this list");
            }
        }
    }
}

/// Notes what is wrong with how `patch` would change the wheels of `spec`.
pub(super) fn check_patch(spec: &ControllerSpec, patch: &ControllerPatch, faults: &mut Faults) {
    let given = [
        ("wheels", patch.wheels.is_some()),
        ("engine_force", patch.engine_force.is_some()),
        ("brake", patch.brake.is_some()),
        ("steering", patch.steering.is_some()),
    ];
    let Some(wheels) = &spec.wheels else {
        for (field, is_given) in given {
            if is_given {
                faults.add(field, "does not belong to a controller of this type");
            }
        }
        return;
    };
    let count = patch.wheels.as_ref().map_or(0, Vec::len);
    if count > wheels.len() {
        faults.add("wheels", "must not be more wheels than there are");
    }
    let steered = patch
        .steered_wheels
        .as_ref()
        .or(spec.steered_wheels.as_ref());
    if patch.steering.is_some() && steered.is_none_or(Vec::is_empty) {
        faults.add("steering", "there are no steered_wheels");
    }
    // Named as they were sent, not as the wheels that they lead to.
    let shorthands = WheelPatch {
        steering: patch.steering,
        engine_force: patch.engine_force,
        brake: patch.brake,
        friction_slip: None,
    };
    shorthands.check(faults);
}

/// Changes the wheels of `spec`: first all, then each as it is asked for itself.
pub(super) fn patch(spec: &mut ControllerSpec, patch: &ControllerPatch) {
    let Some(wheels) = &mut spec.wheels else {
        return;
    };
    let listed = |list: &Option<Vec<u32>>, otherwise: bool, index: usize| match list {
        Some(list) => list.iter().any(|&listed| listed as usize == index),
        None => otherwise,
    };
    for (index, wheel) in wheels.iter_mut().enumerate() {
        let of_all = WheelPatch {
            engine_force: patch
                .engine_force
                .filter(|_| listed(&spec.drive_wheels, true, index)),
            steering: patch
                .steering
                .filter(|_| listed(&spec.steered_wheels, false, index)),
            brake: patch.brake,
            friction_slip: None,
        };
        wheel.patch(&of_all);
        if let Some(own) = patch.wheels.as_ref().and_then(|wheels| wheels.get(index)) {
            wheel.patch(own);
        }
    }
}

/// Fills in what a checked vehicle leaves open.
pub(super) fn normalize(spec: &mut ControllerSpec) {
    let (up, forward) = (spec.up(), spec.forward());
    spec.up_axis = Some(up);
    spec.forward_axis = Some(forward);
    let down = Vec3(up.vector(1.0).0.map(|component| 0.0 - component));
    let axle = right(up.vector(1.0).0, forward.vector(1.0).0);
    for wheel in spec.wheels.iter_mut().flatten() {
        wheel.direction = Some(wheel.direction.unwrap_or(down).normalized());
        wheel.axle = Some(wheel.axle.unwrap_or(axle).normalized());
    }
}

impl ControllerSpec {
    /// The axis of a vehicle's chassis that points up.
    pub(super) fn up(&self) -> Axis {
        self.up_axis.unwrap_or(Axis::Y)
    }

    /// The axis of a vehicle's chassis that points ahead.
    pub(super) fn forward(&self) -> Axis {
        self.forward_axis.unwrap_or(Axis::X)
    }
}

impl Axis {
    /// Its place in a vector.
    pub(super) fn index(self) -> usize {
        match self {
            Self::X => 0,
            Self::Y => 1,
            Self::Z => 2,
        }
    }
}

impl WheelSpec {
    fn check(&self, faults: &mut Faults) {
        faults.check_vector("position", self.position, MAX_ARM);
        for (field, direction) in [("direction", self.direction), ("axle", self.axle)] {
            if let Some(direction) = direction {
                faults.check_direction(field, direction);
            }
        }
        faults.check_range("radius", self.radius, LENGTHS);
        let lengths = 0.0..=*LENGTHS.end();
        let coefficients = 0.0..=MAX_COEFFICIENT;
        let pushes = 0.0..=MAX_PUSH;
        let ranges = [
            (
                "suspension_rest_length",
                self.suspension_rest_length,
                lengths.clone(),
            ),
            ("max_travel", self.max_travel, lengths),
            ("stiffness", self.stiffness, coefficients.clone()),
            ("compression", self.compression, coefficients.clone()),
            ("damping", self.damping, coefficients.clone()),
            (
                "side_friction_stiffness",
                self.side_friction_stiffness,
                coefficients,
            ),
            ("max_suspension_force", self.max_suspension_force, pushes),
        ];
        for (field, value, range) in ranges {
            faults.check_range(field, value, range);
        }
        let controls = WheelPatch {
            steering: Some(self.steering),
            engine_force: Some(self.engine_force),
            brake: Some(self.brake),
            friction_slip: Some(self.friction_slip),
        };
        controls.check(faults);
    }

    fn patch(&mut self, patch: &WheelPatch) {
        self.steering = patch.steering.unwrap_or(self.steering);
        self.engine_force = patch.engine_force.unwrap_or(self.engine_force);
        self.brake = patch.brake.unwrap_or(self.brake);
        self.friction_slip = patch.friction_slip.unwrap_or(self.friction_slip);
    }
}

impl WheelPatch {
    fn check(&self, faults: &mut Faults) {
        let ranges = [
            ("steering", self.steering, -PI..=PI),
            ("engine_force", self.engine_force, -MAX_PUSH..=MAX_PUSH),
            ("brake", self.brake, 0.0..=MAX_PUSH),
            ("friction_slip", self.friction_slip, 0.0..=MAX_COEFFICIENT),
        ];
        for (field, value, range) in ranges {
            if let Some(value) = value {
                faults.check_range(field, value, range);
            }
        }
    }
}

/// The axle about which a wheel rolls ahead: `up` times it is `forward`.
fn right(up: [f32; 3], forward: [f32; 3]) -> Vec3 {
    let [fx, fy, fz] = forward;
    let [ux, uy, uz] = up;
    Vec3([fy * uz - fz * uy, fz * ux - fx * uz, fx * uy - fy * ux])
}

fn default_rest_length() -> f32 {
    0.3
}

fn default_stiffness() -> f32 {
    50.0
}

fn default_compression() -> f32 {
    4.0
}

fn default_damping() -> f32 {
    5.0
}

fn default_travel() -> f32 {
    0.3
}

fn default_slip() -> f32 {
    10.5
}

fn one() -> f32 {
    1.0
}

fn default_suspension_force() -> f32 {
    1e5
}
