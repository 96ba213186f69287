//! Bodies: adding, looking at, changing and removing them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::{
        extract::{BodyName, Json, Keyed, Simulation, Unkeyed},
        json::{Object, OneOrMany},
        observed::Observed,
        problem::{Problem, ProblemBody},
    },
    physics::{BodyPatch, BodySpec, BodyView, Command},
};

/// One body, or several that are added all or none.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes what `OneOrMany` reads")]
pub(crate) enum AddBodiesRequest {
    /// One body.
    One(Box<BodySpec>),
    /// Several bodies.
    Many(Vec<BodySpec>),
}

/// The names of what was added; `body_ids` where an array was sent.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes what `Outcome` is written as")]
pub(crate) enum BodiesAdded {
    /// One body was sent.
    One {
        /// Its name.
        body_id: String,
    },
    /// An array was sent.
    Many {
        /// Their names, in the order sent.
        body_ids: Vec<String>,
    },
}

/// All bodies of a simulation.
#[derive(Serialize, ToSchema)]
pub(crate) struct BodyList<'a> {
    /// In the order they were added.
    bodies: Vec<BodyView<'a>>,
}

/// Adds a body, or several, all or none.
#[utoipa::path(
    post,
    path = "/simulations/{sim_id}/bodies",
    tag = "bodies",
    params(("sim_id" = String, Path, description = "The simulation")),
    request_body(content = AddBodiesRequest, examples(
        ("a ball" = (value = json!({"id": "ball", "shape": "sphere", "size": [0.5], "position": [0.0, 5.0, 0.0], "restitution": 0.8}))),
        ("a floor and a crate" = (value = json!([
            {"id": "floor", "shape": "plane", "kind": "static"},
            {"id": "crate", "shape": "box", "size": [1.0, 1.0, 1.0], "position": [0.0, 0.5, 0.0], "mass": 20.0},
        ]))),
        ("a hammer of two colliders" = (value = json!({"id": "hammer", "position": [3.0, 2.0, 0.0], "density": 700.0, "colliders": [
            {"shape": "cylinder", "half_height": 0.3, "radius": 0.02, "friction": 0.9},
            {"shape": "box", "size": [0.2, 0.08, 0.08], "position": [0.0, 0.3, 0.0], "density": 7800.0},
        ]}))),
        ("a landscape" = (value = json!({"id": "land", "kind": "static", "shape": "heightfield", "scale": [20.0, 1.0, 20.0],
            "heights": [[0.0, 0.2, 0.0], [0.1, 0.5, 0.1], [0.0, 0.3, 0.0]]}))),
        ("a stone" = (value = json!({"id": "stone", "shape": "convex_hull", "density": 2600.0, "position": [-3.0, 2.0, 0.0],
            "vertices": [[0.0, 0.0, 0.0], [0.5, 0.0, 0.0], [0.0, 0.4, 0.0], [0.0, 0.0, 0.3], [0.3, 0.3, 0.3]],
            "collision_groups": {"memberships": 2, "filter": 4_294_967_295_u32}}))),
        ("a lift" = (value = json!({"id": "lift", "kind": "kinematic_position", "shape": "box", "size": [2.0, 0.1, 2.0], "position": [6.0, 0.0, 0.0]}))),
    )),
    responses(
        (status = 201, description = "Added", body = BodiesAdded, example = json!({"body_id": "ball"})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn add_bodies(
    Simulation(simulation): Simulation,
    Keyed { body, terms }: Keyed<OneOrMany<BodySpec>>,
) -> Result<Observed, Problem> {
    let (command, location) = match body {
        OneOrMany::One(spec) => {
            let location = format!("/simulations/{}/bodies/{}", simulation.id(), spec.id);
            (Command::AddBody(spec), Some(location))
        }
        OneOrMany::Many(specs) => (Command::AddBodies(specs), None),
    };
    let reply = simulation.execute(command, terms).await?;
    Ok(Observed::created(simulation.services(), reply, location))
}

/// All bodies: what was asked for, and how they stand now.
#[utoipa::path(
    get,
    path = "/simulations/{sim_id}/bodies",
    tag = "bodies",
    params(("sim_id" = String, Path, description = "The simulation")),
    responses(
        (status = 200, description = "In the order they were added", body = BodyList, example = json!({"bodies": [{"id": "ball", "kind": "dynamic", "shape": "sphere", "radius": 0.5, "mass": 1.0, "position": [0.0, 0.5, 0.0], "orientation": [0.0, 0.0, 0.0, 1.0], "velocity": [0.0, 0.0, 0.0], "angular_velocity": [0.0, 0.0, 0.0], "restitution": 0.3, "friction": 0.5, "is_sensor": false, "linear_damping": 0.0, "angular_damping": 0.0, "can_sleep": true, "drag_axis_ratios": [1.0, 1.0, 1.0], "fluid_density": 1.225, "sleeping": false, "contacts": ["floor"]}]})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_bodies(Simulation(simulation): Simulation) -> Result<Observed, Problem> {
    let reply = simulation.bodies().await?;
    Ok(Observed::ok(&simulation, reply))
}

/// One body: what was asked for, and how it stands now.
#[utoipa::path(
    get,
    path = "/simulations/{sim_id}/bodies/{body_id}",
    tag = "bodies",
    params(
        ("sim_id" = String, Path, description = "The simulation"),
        ("body_id" = String, Path, description = "The body"),
    ),
    responses(
        (status = 200, description = "The body", body = BodyView, example = json!({"id": "ball", "kind": "dynamic", "shape": "sphere", "radius": 0.5, "mass": 1.0, "position": [0.0, 0.5, 0.0], "orientation": [0.0, 0.0, 0.0, 1.0], "velocity": [0.0, 0.0, 0.0], "angular_velocity": [0.0, 0.0, 0.0], "restitution": 0.3, "friction": 0.5, "is_sensor": false, "linear_damping": 0.0, "angular_damping": 0.0, "can_sleep": true, "drag_axis_ratios": [1.0, 1.0, 1.0], "fluid_density": 1.225, "center_of_mass": [0.0, 0.5, 0.0], "inertia": [0.1, 0.1, 0.1], "sleeping": false, "contacts": ["floor"]})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn show_body(
    Simulation(simulation): Simulation,
    BodyName(body_id): BodyName,
) -> Result<Observed, Problem> {
    let reply = simulation.body(body_id).await?;
    Ok(Observed::ok(&simulation, reply))
}

/// Changes a body.
#[utoipa::path(
    patch,
    path = "/simulations/{sim_id}/bodies/{body_id}",
    tag = "bodies",
    params(
        ("sim_id" = String, Path, description = "The simulation"),
        ("body_id" = String, Path, description = "The body"),
    ),
    request_body(content = BodyPatch, examples(
        ("put elsewhere" = (value = json!({"position": [0.0, 3.0, 0.0], "velocity": [0.0, 0.0, 0.0]}))),
        ("given another shape" = (value = json!({"shape": "capsule", "half_height": 0.4, "radius": 0.2, "density": 500.0}))),
        ("kept upright" = (value = json!({"locked_axes": ["rotation_x", "rotation_z"], "gravity_scale": 0.5}))),
        ("put to sleep" = (value = json!({"sleeping": true}))),
    )),
    responses(
        (status = 200, description = "The body as it is now", body = BodyView, example = json!({"id": "ball", "kind": "dynamic", "shape": "sphere", "radius": 0.5, "mass": 1.0, "position": [0.0, 0.5, 0.0], "orientation": [0.0, 0.0, 0.0, 1.0], "velocity": [0.0, 0.0, 0.0], "angular_velocity": [0.0, 0.0, 0.0], "restitution": 0.3, "friction": 0.5, "is_sensor": false, "linear_damping": 0.0, "angular_damping": 0.0, "can_sleep": true, "drag_axis_ratios": [1.0, 1.0, 1.0], "fluid_density": 1.225, "center_of_mass": [0.0, 0.5, 0.0], "inertia": [0.1, 0.1, 0.1], "sleeping": false, "contacts": ["floor"]})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn patch_body(
    Simulation(simulation): Simulation,
    BodyName(body_id): BodyName,
    Unkeyed(terms): Unkeyed,
    Json(Object(patch)): Json<Object<Box<BodyPatch>>>,
) -> Result<Observed, Problem> {
    let command = Command::PatchBody(body_id, patch);
    let reply = simulation.execute(command, terms).await?;
    Ok(Observed::ok(&simulation, reply))
}

/// Removes a body, and its joints with it.
#[utoipa::path(
    delete,
    path = "/simulations/{sim_id}/bodies/{body_id}",
    tag = "bodies",
    params(
        ("sim_id" = String, Path, description = "The simulation"),
        ("body_id" = String, Path, description = "The body"),
    ),
    responses(
        (status = 204, description = "Removed"),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn remove_body(
    Simulation(simulation): Simulation,
    BodyName(body_id): BodyName,
    Unkeyed(terms): Unkeyed,
) -> Result<Observed, Problem> {
    let command = Command::RemoveBody(body_id);
    let reply = simulation.execute(command, terms).await?;
    Ok(Observed::done(&simulation, reply))
}
