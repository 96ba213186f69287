//! Controllers: adding, looking at, changing and removing them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::{
        extract::{ControllerName, Json, Keyed, Simulation, Unkeyed},
        json::{Object, OneOrMany},
        observed::Observed,
        problem::{Problem, ProblemBody},
    },
    physics::{Command, ControllerPatch, ControllerSpec, ControllerView},
};

/// One controller, or several that are added all or none.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes what `OneOrMany` reads")]
pub(crate) enum AddControllersRequest {
    /// One controller.
    One(Box<ControllerSpec>),
    /// Several controllers.
    Many(Vec<ControllerSpec>),
}

/// The names of what was added; `controller_ids` where an array was sent.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes what `Outcome` is written as")]
pub(crate) enum ControllersAdded {
    /// One controller was sent.
    One {
        /// Its name.
        controller_id: String,
    },
    /// An array was sent.
    Many {
        /// Their names, in the order sent.
        controller_ids: Vec<String>,
    },
}

/// All controllers of a simulation.
#[derive(Serialize, ToSchema)]
pub(crate) struct ControllerList {
    /// In the order they were added.
    #[schema(value_type = Vec<ControllerView>)]
    controllers: Vec<ControllerView<'static>>,
}

/// Adds a controller, or several, all or none.
///
/// A `character` walks a kinematic body, a `vehicle` carries a dynamic chassis on wheels, a `pid`
/// drives a dynamic body to a target. They act before every step, in the order they were added, and
/// find what has been in the world since the last step.
#[utoipa::path(
    post,
    path = "/simulations/{sim_id}/controllers",
    tag = "controllers",
    params(("sim_id" = String, Path, description = "The simulation")),
    request_body(content = AddControllersRequest, examples(
        ("a hovering body" = (value = json!({"id": "autopilot", "type": "pid", "body_id": "ball", "target_position": [0.0, 10.0, 0.0], "kp": 10.0, "ki": 5.0, "kd": 0.5}))),
        ("a character" = (value = json!({"id": "walk", "type": "character", "body_id": "walker", "velocity": [1.5, 0.0, 0.0], "autostep": {"max_height": 0.3, "min_width": 0.2}, "snap_to_ground": 0.2}))),
        ("a cart and its pilot" = (value = json!([
            {"id": "wheels", "type": "vehicle", "body_id": "ball", "wheels": [
                {"position": [1.0, 0.0, 0.6], "radius": 0.3}, {"position": [1.0, 0.0, -0.6], "radius": 0.3},
                {"position": [-1.0, 0.0, 0.6], "radius": 0.3}, {"position": [-1.0, 0.0, -0.6], "radius": 0.3}
            ], "drive_wheels": [2, 3], "steered_wheels": [0, 1]},
            {"id": "upright", "type": "pid", "body_id": "ball", "target_orientation": [0.0, 0.0, 0.0, 1.0], "axes": ["angular_x", "angular_z"]},
        ]))),
    )),
    responses(
        (status = 201, description = "Added", body = ControllersAdded, example = json!({"controller_id": "autopilot"})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn add_controllers(
    Simulation(simulation): Simulation,
    Keyed { body, terms }: Keyed<OneOrMany<ControllerSpec>>,
) -> Result<Observed, Problem> {
    let (command, location) = match body {
        OneOrMany::One(spec) => {
            let location = format!("/simulations/{}/controllers/{}", simulation.id(), spec.id);
            (Command::AddController(spec), Some(location))
        }
        OneOrMany::Many(specs) => (Command::AddControllers(specs), None),
    };
    let reply = simulation.execute(command, terms).await?;
    Ok(Observed::created(simulation.services(), reply, location))
}

/// All controllers.
#[utoipa::path(
    get,
    path = "/simulations/{sim_id}/controllers",
    tag = "controllers",
    params(("sim_id" = String, Path, description = "The simulation")),
    responses(
        (status = 200, description = "In the order they were added", body = ControllerList, example = json!({"controllers": [{"id": "autopilot", "type": "pid", "body_id": "ball", "target_position": [0.0, 10.0, 0.0], "kp": 10.0, "ki": 5.0, "kd": 0.5, "angular_kp": 60.0, "angular_ki": 0.0, "angular_kd": 0.8, "position_error": [0.0, 0.1, 0.0], "orientation_error": [0.0, 0.0, 0.0]}]})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_controllers(
    Simulation(simulation): Simulation,
) -> Result<Observed, Problem> {
    let reply = simulation.controllers().await?;
    Ok(Observed::ok(&simulation, reply))
}

/// One controller: what was asked for, and what came of it.
#[utoipa::path(
    get,
    path = "/simulations/{sim_id}/controllers/{controller_id}",
    tag = "controllers",
    params(
        ("sim_id" = String, Path, description = "The simulation"),
        ("controller_id" = String, Path, description = "The controller"),
    ),
    responses(
        (status = 200, description = "The controller", body = ControllerView, example = json!({"id": "walk", "type": "character", "body_id": "walker", "velocity": [1.5, 0.0, 0.0], "up": [0.0, 1.0, 0.0], "offset": 0.01, "slide": true, "max_slope_climb_angle": 0.785, "min_slope_slide_angle": 0.524, "snap_to_ground": 0.2, "apply_gravity": true, "push_dynamic_bodies": true, "grounded": true, "sliding_down_slope": false, "effective_velocity": [1.5, 0.0, 0.0], "collisions": ["ground"]})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn show_controller(
    Simulation(simulation): Simulation,
    ControllerName(controller_id): ControllerName,
) -> Result<Observed, Problem> {
    let reply = simulation.controller(controller_id).await?;
    Ok(Observed::ok(&simulation, reply))
}

/// Changes what is asked of a controller, from the next step on.
#[utoipa::path(
    patch,
    path = "/simulations/{sim_id}/controllers/{controller_id}",
    tag = "controllers",
    params(
        ("sim_id" = String, Path, description = "The simulation"),
        ("controller_id" = String, Path, description = "The controller"),
    ),
    request_body(content = ControllerPatch, example = json!({"target_position": [0.0, 5.0, 0.0]})),
    responses(
        (status = 200, description = "The controller as it is now", body = ControllerView, example = json!({"id": "autopilot", "type": "pid", "body_id": "ball", "target_position": [0.0, 5.0, 0.0], "kp": 10.0, "ki": 5.0, "kd": 0.5, "angular_kp": 60.0, "angular_ki": 0.0, "angular_kd": 0.8, "position_error": [0.0, 0.1, 0.0], "orientation_error": [0.0, 0.0, 0.0]})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn patch_controller(
    Simulation(simulation): Simulation,
    ControllerName(controller_id): ControllerName,
    Unkeyed(terms): Unkeyed,
    Json(Object(patch)): Json<Object<ControllerPatch>>,
) -> Result<Observed, Problem> {
    let command = Command::PatchController(controller_id, Box::new(patch));
    let reply = simulation.execute(command, terms).await?;
    Ok(Observed::ok(&simulation, reply))
}

/// Removes a controller. A character's body stands still from then on.
#[utoipa::path(
    delete,
    path = "/simulations/{sim_id}/controllers/{controller_id}",
    tag = "controllers",
    params(
        ("sim_id" = String, Path, description = "The simulation"),
        ("controller_id" = String, Path, description = "The controller"),
    ),
    responses(
        (status = 204, description = "Removed"),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn remove_controller(
    Simulation(simulation): Simulation,
    ControllerName(controller_id): ControllerName,
    Unkeyed(terms): Unkeyed,
) -> Result<Observed, Problem> {
    let command = Command::RemoveController(controller_id);
    let reply = simulation.execute(command, terms).await?;
    Ok(Observed::done(&simulation, reply))
}
