//! The actuators of a model: servos become motors, and what torques allow becomes their limit.

use mjcf_rs::extras::{Actuator, ActuatorKind};

use super::Converter;
use crate::imports::{
    notes::shortened,
    robot::{Drive, Freedom},
};

/// What a position servo is given that states no gain.
const DEFAULT_GAIN: f64 = 1.0;

/// The gains of a servo, for the joint itself.
struct Gains {
    stiffness: f64,
    damping: f64,
}

impl Converter<'_> {
    /// Gives joints the drives that the file's actuators are.
    pub(super) fn bind_actuators(&mut self) {
        let model = self.model;
        for actuator in &model.actuators {
            let name = actuator.joint.as_deref();
            let moved = name.and_then(|name| {
                let mut joints = self.robot.joints.iter_mut();
                joints.find(|joint| joint.is_named && joint.name == name)
            });
            let Some(joint) = moved else {
                let name = actuator.name.as_deref().or(name).unwrap_or_default();
                let name = shortened(name, 64);
                self.notes
                    .ignore(format_args!("actuator {name}: it moves no joint"));
                continue;
            };
            if !matches!(joint.freedom, Freedom::Revolute | Freedom::Prismatic) {
                let name = shortened(&joint.name, 64);
                self.notes
                    .ignore(format_args!("actuator of joint {name}: it has no one axis"));
                continue;
            }
            joint.is_actuated = true;
            let gear = actuator.gear[0];
            if let Some(gains) = gains(actuator) {
                if joint.drive.stiffness > 0.0 {
                    let name = shortened(&joint.name, 64);
                    self.notes
                        .ignore(format_args!("joint {name}: its spring, as it has a servo"));
                }
                joint.drive = Drive {
                    stiffness: gains.stiffness * gear * gear,
                    damping: gains.damping * gear * gear + joint.drive.damping,
                    target: 0.0,
                    is_servo: true,
                    ..joint.drive
                };
            }
            joint.drive.max_force = strength(actuator).map(|force| force * gear.abs());
        }
        if model.actuators.is_empty() {
            for joint in &mut self.robot.joints {
                joint.is_actuated = matches!(joint.freedom, Freedom::Revolute | Freedom::Prismatic);
            }
        }
    }
}

/// The gains of an actuator that is a servo.
fn gains(actuator: &Actuator) -> Option<Gains> {
    let parameter = |list: &[f64], index: usize| list.get(index).copied().unwrap_or(0.0);
    match actuator.kind {
        ActuatorKind::Position => Some(Gains {
            stiffness: actuator.kp.unwrap_or(DEFAULT_GAIN),
            damping: actuator.kv.unwrap_or(0.0),
        }),
        ActuatorKind::Velocity => Some(Gains {
            stiffness: 0.0,
            damping: actuator.kv.unwrap_or(DEFAULT_GAIN),
        }),
        ActuatorKind::General if actuator.bias_type.as_deref() == Some("affine") => Some(Gains {
            stiffness: -parameter(&actuator.biasprm, 1),
            damping: -parameter(&actuator.biasprm, 2),
        }),
        ActuatorKind::General
        | ActuatorKind::Motor
        | ActuatorKind::IntVelocity
        | ActuatorKind::Damper
        | ActuatorKind::Other => None,
    }
    .filter(|gains| gains.stiffness >= 0.0 && gains.damping >= 0.0)
}

/// The most that an actuator can do before its gear.
fn strength(actuator: &Actuator) -> Option<f64> {
    let greatest = |[least, most]: [f64; 2]| least.abs().max(most.abs());
    let force = actuator.force_range.map(greatest);
    // What a plain motor is told is its torque.
    let control = actuator.ctrl_range.map(greatest);
    let control = control.filter(|_| actuator.kind == ActuatorKind::Motor);
    let strength = match (force, control) {
        (Some(force), Some(control)) => Some(force.min(control)),
        (force, control) => force.or(control),
    };
    strength.filter(|it| *it > 0.0)
}
