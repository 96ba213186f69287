//! Joints: adding, looking at, changing and removing them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::{
        extract::{JointName, Json, Keyed, Simulation, Unkeyed},
        json::{Object, OneOrMany},
        observed::Observed,
        problem::{Problem, ProblemBody},
    },
    physics::{Command, JointPatch, JointSpec, JointView},
};

/// One joint, or several that are added all or none.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes what `OneOrMany` reads")]
pub(crate) enum AddJointsRequest {
    /// One joint.
    One(Box<JointSpec>),
    /// Several joints.
    Many(Vec<JointSpec>),
}

/// The names of what was added; `joint_ids` where an array was sent.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes what `Outcome` is written as")]
pub(crate) enum JointsAdded {
    /// One joint was sent.
    One {
        /// Its name.
        joint_id: String,
    },
    /// An array was sent.
    Many {
        /// Their names, in the order sent.
        joint_ids: Vec<String>,
    },
}

/// All joints of a simulation.
#[derive(Serialize, ToSchema)]
pub(crate) struct JointList<'a> {
    /// In the order they were added.
    joints: Vec<JointView<'a>>,
}

/// Adds a joint, or several, all or none.
#[utoipa::path(
    post,
    path = "/simulations/{sim_id}/joints",
    tag = "joints",
    params(("sim_id" = String, Path, description = "The simulation")),
    request_body(content = AddJointsRequest, examples(
        ("a hinge" = (value = json!({"id": "hinge", "joint_type": "revolute", "body_a": "frame", "body_b": "door", "anchor_a": [0.5, 0.0, 0.0], "anchor_b": [-0.5, 0.0, 0.0], "axis": [0.0, 1.0, 0.0], "limits": [-1.5, 1.5]}))),
        ("two links of a chain" = (value = json!([
            {"id": "link-1", "joint_type": "spherical", "body_a": "hook", "body_b": "ball", "anchor_b": [0.0, 1.0, 0.0]},
            {"id": "link-2", "joint_type": "spherical", "body_a": "ball", "body_b": "weight", "anchor_b": [0.0, 1.0, 0.0]},
        ]))),
        ("a wheel that is driven" = (value = json!({"id": "axle", "joint_type": "revolute", "body_a": "cart", "body_b": "wheel", "axis": [0.0, 0.0, 1.0], "motor": {"target_velocity": 6.0, "damping": 10.0, "max_force": 40.0}}))),
        ("a rope that breaks" = (value = json!({"id": "rope", "joint_type": "rope", "body_a": "hook", "body_b": "weight", "length": 3.0, "break_force": 500.0}))),
        ("a spring" = (value = json!({"id": "spring", "joint_type": "spring", "body_a": "hook", "body_b": "weight", "rest_length": 2.5, "stiffness": 50.0, "damping": 0.5}))),
        ("a drawer that may tilt" = (value = json!({"id": "rail", "joint_type": "generic", "body_a": "chest", "body_b": "drawer", "axis": [0.0, 0.0, 1.0], "axes": {"x": {"limits": [0.0, 0.5]}, "ry": {"limits": [-0.05, 0.05], "motor": {"target_position": 0.0}}}}))),
        ("a link of a robot" = (value = json!({"id": "elbow", "joint_type": "revolute", "body_a": "upper", "body_b": "lower", "anchor_a": [0.5, 0.0, 0.0], "anchor_b": [-0.5, 0.0, 0.0], "axis": [0.0, 0.0, 1.0], "multibody": true, "armature": 0.01, "friction": 0.1}))),
    )),
    responses(
        (status = 201, description = "Added", body = JointsAdded, example = json!({"joint_id": "hinge"})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn add_joints(
    Simulation(simulation): Simulation,
    Keyed { body, terms }: Keyed<OneOrMany<JointSpec>>,
) -> Result<Observed, Problem> {
    let (command, location) = match body {
        OneOrMany::One(spec) => {
            let location = format!("/simulations/{}/joints/{}", simulation.id(), spec.id);
            (Command::AddJoint(spec), Some(location))
        }
        OneOrMany::Many(specs) => (Command::AddJoints(specs), None),
    };
    let reply = simulation.execute(command, terms).await?;
    Ok(Observed::created(simulation.services(), reply, location))
}

/// All joints.
#[utoipa::path(
    get,
    path = "/simulations/{sim_id}/joints",
    tag = "joints",
    params(("sim_id" = String, Path, description = "The simulation")),
    responses(
        (status = 200, description = "In the order they were added", body = JointList, example = json!({"joints": [{"id": "hinge", "joint_type": "revolute", "body_a": "frame", "body_b": "door", "anchor_a": [0.5, 0.0, 0.0], "anchor_b": [-0.5, 0.0, 0.0], "axis": [0.0, 1.0, 0.0], "limits": [-1.5, 1.5], "multibody": false, "collide": false, "angle": 0.35, "velocity": -0.1, "impulse": {"linear": 0.16, "angular": 0.02}, "broken": false}]})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_joints(Simulation(simulation): Simulation) -> Result<Observed, Problem> {
    let reply = simulation.joints().await?;
    Ok(Observed::ok(&simulation, reply))
}

/// One joint.
#[utoipa::path(
    get,
    path = "/simulations/{sim_id}/joints/{joint_id}",
    tag = "joints",
    params(
        ("sim_id" = String, Path, description = "The simulation"),
        ("joint_id" = String, Path, description = "The joint"),
    ),
    responses(
        (status = 200, description = "The joint", body = JointView, example = json!({"id": "hinge", "joint_type": "revolute", "body_a": "frame", "body_b": "door", "anchor_a": [0.5, 0.0, 0.0], "anchor_b": [-0.5, 0.0, 0.0], "axis": [0.0, 1.0, 0.0], "limits": [-1.5, 1.5], "multibody": false, "collide": false, "angle": 0.35, "velocity": -0.1, "impulse": {"linear": 0.16, "angular": 0.02}, "broken": false})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn show_joint(
    Simulation(simulation): Simulation,
    JointName(joint_id): JointName,
) -> Result<Observed, Problem> {
    let reply = simulation.joint(joint_id).await?;
    Ok(Observed::ok(&simulation, reply))
}

/// Changes a joint.
#[utoipa::path(
    patch,
    path = "/simulations/{sim_id}/joints/{joint_id}",
    tag = "joints",
    params(
        ("sim_id" = String, Path, description = "The simulation"),
        ("joint_id" = String, Path, description = "The joint"),
    ),
    request_body(content = JointPatch, example = json!({"limits": [-0.5, 0.5]})),
    responses(
        (status = 200, description = "The joint as it is now", body = JointView, example = json!({"id": "hinge", "joint_type": "revolute", "body_a": "frame", "body_b": "door", "anchor_a": [0.5, 0.0, 0.0], "anchor_b": [-0.5, 0.0, 0.0], "axis": [0.0, 1.0, 0.0], "limits": [-1.5, 1.5], "multibody": false, "collide": false, "angle": 0.35, "velocity": -0.1, "impulse": {"linear": 0.16, "angular": 0.02}, "broken": false})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn patch_joint(
    Simulation(simulation): Simulation,
    JointName(joint_id): JointName,
    Unkeyed(terms): Unkeyed,
    Json(Object(patch)): Json<Object<JointPatch>>,
) -> Result<Observed, Problem> {
    let command = Command::PatchJoint(joint_id, Box::new(patch));
    let reply = simulation.execute(command, terms).await?;
    Ok(Observed::ok(&simulation, reply))
}

/// Removes a joint.
#[utoipa::path(
    delete,
    path = "/simulations/{sim_id}/joints/{joint_id}",
    tag = "joints",
    params(
        ("sim_id" = String, Path, description = "The simulation"),
        ("joint_id" = String, Path, description = "The joint"),
    ),
    responses(
        (status = 204, description = "Removed"),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn remove_joint(
    Simulation(simulation): Simulation,
    JointName(joint_id): JointName,
    Unkeyed(terms): Unkeyed,
) -> Result<Observed, Problem> {
    let command = Command::RemoveJoint(joint_id);
    let reply = simulation.execute(command, terms).await?;
    Ok(Observed::done(&simulation, reply))
}
