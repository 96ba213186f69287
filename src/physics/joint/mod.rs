//! Joints: what clients ask for, and how Rapier's joints are made of it.

mod axes;
mod check;
mod engine;
mod forest;
mod frame;
mod motor;
mod patch;
mod reaction;
mod spec;
mod state;

pub(super) use axes::axis_names;
pub(super) use forest::Forest;
pub(super) use reaction::reaction;
pub(super) use state::{FrameMotions, ImpulseView, JointState, position_on};

pub use axes::{AngularMotors, AxisFreedom, AxisName, AxisSettings, JointAxes};
pub use frame::JointFrame;
pub use motor::{Motor, MotorForce};
pub use patch::JointPatch;
pub use spec::{JointKind, JointSpec, Limits, Softness};
pub use state::JointView;
