//! PID controllers: dynamic bodies that are driven to a pose or a motion.

use rapier3d::{
    control::{PdController, PidController},
    math::{Pose, Vector},
    prelude::{AxesMask, PhysicsWorld, RigidBody, RigidBodyHandle, RigidBodyVelocity},
};
use serde::{Deserialize, Serialize};

use super::spec::{ControllerSpec, PidAxis};
use crate::physics::{config::Dimensions, edit::limit_speed, vector::Vec3};

/// A body that comes nearer to its target by less in a step (m or rad) is at rest and may sleep.
const PROGRESS: f32 = 1e-5;

/// What a PID controller keeps from step to step.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Pid {
    pub(super) linear_integral: Vec3,
    pub(super) angular_integral: Vec3,
    /// How far the body was from its target before the last step, m.
    pub(super) position_error: Vec3,
    /// How far the body was turned from its target, as an axis times an angle, rad.
    pub(super) orientation_error: Vec3,
}

impl Pid {
    /// Corrects the velocity of its body for one step. A body at rest is left asleep.
    pub(super) fn drive(
        &mut self,
        spec: &ControllerSpec,
        engine: &mut PhysicsWorld,
        body: RigidBodyHandle,
        dt: f32,
        dimensions: Dimensions,
    ) {
        let body = &mut engine.bodies[body];
        if body.is_sleeping() {
            return;
        }
        let before = [self.position_error, self.orientation_error];
        let axes = axes_of(spec, dimensions);
        let [linvel, angvel] = spec.target_motion(dimensions);
        let mut controller = controller(spec, axes);
        controller.lin_integral = self.linear_integral.into();
        controller.ang_integral = self.angular_integral.into();
        let motion = RigidBodyVelocity { linvel, angvel };
        let correction = controller.rigid_body_correction(dt, body, target(spec, body), motion);
        let [linear, angular] = masks(axes);
        self.linear_integral = (controller.lin_integral * linear).into();
        self.angular_integral = (controller.ang_integral * angular).into();
        self.note_errors(spec, body, [linear, angular]);

        let is_underway = [self.position_error, self.orientation_error]
            .into_iter()
            .zip(before)
            .any(|(now, before)| (Vector::from(now) - Vector::from(before)).length() > PROGRESS);
        let (linvel, angvel) = (body.linvel(), body.angvel());
        body.set_linvel(linvel + correction.linvel, false);
        body.set_angvel(angvel + correction.angvel, false);
        limit_speed(body);
        if is_underway {
            body.wake_up(true);
        }
    }

    fn note_errors(&mut self, spec: &ControllerSpec, body: &RigidBody, masks: [Vector; 2]) {
        let target = target(spec, body);
        let turn = target.rotation * body.rotation().inverse();
        self.position_error = ((target.translation - body.translation()) * masks[0]).into();
        self.orientation_error = (turn.to_scaled_axis() * masks[1]).into();
    }
}

fn controller(spec: &ControllerSpec, axes: AxesMask) -> PidController {
    let gain = |gain: Option<f32>| Vector::splat(gain.unwrap_or_default());
    PidController {
        pd: PdController {
            lin_kp: gain(spec.kp),
            lin_kd: gain(spec.kd),
            ang_kp: gain(spec.angular_kp),
            ang_kd: gain(spec.angular_kd),
            axes,
        },
        lin_ki: gain(spec.ki),
        ang_ki: gain(spec.angular_ki),
        ..PidController::default()
    }
}

/// The pose the body is to have: its own where there is no target.
fn target(spec: &ControllerSpec, body: &RigidBody) -> Pose {
    let orientation = spec.target_orientation.map(Into::into);
    let position = spec.target_position.map(Into::into);
    Pose::from_parts(
        position.unwrap_or(body.translation()),
        orientation.unwrap_or(*body.rotation()),
    )
}

/// What it acts on: what is asked for, as far as there is a target and the world has it.
fn axes_of(spec: &ControllerSpec, dimensions: Dimensions) -> AxesMask {
    let asked = match &spec.axes {
        None => AxesMask::all(),
        Some(axes) => axes.iter().map(|&axis| axis.into()).collect(),
    };
    let mut targets = AxesMask::empty();
    if spec.target_position.is_some() || spec.target_velocity.is_some() {
        targets |= AxesMask::LIN_X | AxesMask::LIN_Y | AxesMask::LIN_Z;
    }
    if spec.target_orientation.is_some() || spec.target_angular_velocity.is_some() {
        targets |= AxesMask::ANG_X | AxesMask::ANG_Y | AxesMask::ANG_Z;
    }
    let free = match dimensions {
        Dimensions::Two => AxesMask::LIN_X | AxesMask::LIN_Y | AxesMask::ANG_Z,
        Dimensions::Three => AxesMask::all(),
    };
    asked & targets & free
}

fn masks(axes: AxesMask) -> [Vector; 2] {
    let bit = |axis| if axes.contains(axis) { 1.0 } else { 0.0 };
    [
        [AxesMask::LIN_X, AxesMask::LIN_Y, AxesMask::LIN_Z],
        [AxesMask::ANG_X, AxesMask::ANG_Y, AxesMask::ANG_Z],
    ]
    .map(|axes| Vector::from_array(axes.map(bit)))
}

impl From<PidAxis> for AxesMask {
    fn from(axis: PidAxis) -> Self {
        match axis {
            PidAxis::X => Self::LIN_X,
            PidAxis::Y => Self::LIN_Y,
            PidAxis::Z => Self::LIN_Z,
            PidAxis::AngularX => Self::ANG_X,
            PidAxis::AngularY => Self::ANG_Y,
            PidAxis::AngularZ => Self::ANG_Z,
        }
    }
}
