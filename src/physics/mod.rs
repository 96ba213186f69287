//! Worlds: pure, synchronous and deterministic. No clock, randomness, HTTP or storage in here.

mod body;
mod command;
mod config;
mod contact;
mod drag;
mod edit;
mod error;
mod fault;
mod joint;
mod limits;
mod roster;
mod shape;
mod snapshot;
mod state;
mod trajectory;
mod vector;
mod view;
mod world;

pub use body::{BodyKind, BodyPatch, BodySpec};
pub use command::{Command, Force, Impulse, Outcome, Recording, Steps};
pub use config::{Dimensions, Integrator, SimulatedTime, WorldConfig, WorldPatch};
pub use edit::{check_bodies, check_joints};
pub use error::{EngineFault, PhysicsError};
pub use fault::{Fault, Faults};
pub use joint::{JointKind, JointPatch, JointSpec, Limits};
pub use limits::{MAX_CONTACT_EVENTS, WorldLimits};
pub use shape::ShapeKind;
pub use snapshot::{Snapshot, SnapshotError};
pub use state::{BodyStateView, StateView};
pub use trajectory::{ContactEvent, ContactEventType, Frame, Trajectory};
pub use vector::{Quat, Vec3};
pub(crate) use vector::{present, present_word, word};
pub use view::{BodyView, View};
pub use world::{Run, World};
