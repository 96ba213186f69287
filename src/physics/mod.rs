//! Worlds: pure, synchronous and deterministic. No clock, randomness, HTTP or storage in here.

mod articulation;
mod asset;
mod batch;
mod body;
mod bonds;
mod command;
mod config;
mod contact;
mod contact_points;
mod controller;
mod cuts;
mod draft;
mod drag;
mod edit;
mod energy;
mod error;
mod event;
mod fault;
mod fields;
mod fingerprint;
mod import;
mod integrity;
mod inverse_kinematics;
mod joining;
mod joint;
mod limits;
mod listening;
mod matter;
mod object;
mod patching;
mod quarantine;
mod query;
mod room;
mod roster;
mod selection;
mod shape;
mod snapshot;
mod state;
mod state_hash;
mod substeps;
#[cfg(test)]
mod tests;
mod trajectory;
mod vector;
mod view;
mod workspace;
mod world;

pub use asset::{ASSET_RULE, AssetId, Assets, Mesh, MeshError, NO_ASSETS, check_counts};
pub use batch::{
    Batch, Condition, Item, ItemOutcome, Measure, Observation, Observe, ObservedBody, Report, Stop,
};
pub use body::{
    BodyKind, BodyPatch, BodySpec, ColliderSpec, CombineRule, Groups, LockedAxes, LockedAxis,
    MassProperties, check_bodies,
};
pub use command::{Command, Force, Impulse, Outcome, Recording, Steps};
pub use config::{Dimensions, Integrator, SimulatedTime, WorldConfig, WorldPatch};
pub use contact_points::{ContactPoint, ContactView, ContactsView};
pub use controller::{
    Autostep, ControllerKind, ControllerPatch, ControllerSpec, ControllerView, PidAxis, WheelPatch,
    WheelSpec, check_controllers,
};
pub use draft::check_joints;
pub use energy::{BodyEnergy, EnergyView};
pub use error::{EngineFault, PhysicsError};
pub use event::{ContactForce, Event, EventKind, EventPage, Pair};
pub use fault::{Fault, Faults};
pub use fingerprint::{FEATURES, Fingerprint, PARRY, RAPIER};
pub use import::Import;
pub use inverse_kinematics::{InverseKinematics, JointPositions, MAX_IK_ITERATIONS, Reached};
pub use joint::{
    AngularMotors, AxisFreedom, AxisName, AxisSettings, JointAxes, JointFrame, JointKind,
    JointPatch, JointSpec, JointView, Limits, Motor, MotorForce, Softness,
};
pub use limits::{
    EVENTS_KEPT, FIXED_LIMITS, MAX_CONDITIONS, MAX_CONTACT_EVENTS, MAX_MULTIBODY_LINKS,
    MAX_VERTICES_PER_SHAPE, ReadLimits, WorldLimits,
};
pub(crate) use object::{Object, present_object};
pub use query::{Answer, Hit, Query, QueryKind, QuerySpec};
pub use room::check_room;
pub use selection::{SelectedBody, SelectedState, StateField};
pub use shape::{Axis, Cell, Heights, Indices, PartSpec, ShapeKind, ShapeSpec};
pub use snapshot::{Snapshot, SnapshotError};
pub use state::{BodyStateView, StateView};
pub use trajectory::{ContactEvent, ContactEventType, Frame, Trajectory};
pub use vector::{Quat, Vec3};
pub(crate) use vector::{number, present, present_number, present_word, word};
pub use view::{BodyView, View};
pub use world::{Run, World};
