//! Pushing bodies.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    http::{
        extract::{BodyName, Json, Keyed, Simulation, Unkeyed},
        json::Object,
        observed::Observed,
        problem::{Problem, ProblemBody},
    },
    physics::{Command, Force, Impulse, Vec3, present},
};

/// A push at once.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImpulseRequest {
    /// N·s, world axes; this or the torque impulse, or both.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    impulse: Option<Vec3>,
    /// N·m·s, world axes.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    torque_impulse: Option<Vec3>,
    /// Where it acts, world coordinates, m; the centre of mass unless given.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    point: Option<Vec3>,
}

/// A push that lasts.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForceRequest {
    /// N, world axes.
    #[serde(default)]
    force: Vec3,
    /// N·m, world axes.
    #[serde(default)]
    torque: Vec3,
    /// Where the force acts, world coordinates, m; it stays on that spot of the body. The centre
    /// of mass unless given.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    point: Option<Vec3>,
}

/// Pushes a dynamic body once.
#[utoipa::path(
    post,
    path = "/simulations/{sim_id}/bodies/{body_id}/impulse",
    tag = "forces",
    params(
        ("sim_id" = String, Path, description = "The simulation"),
        ("body_id" = String, Path, description = "The body"),
    ),
    request_body(content = ImpulseRequest, examples(
        ("a kick" = (value = json!({"impulse": [0.0, 5.0, 0.0]}))),
        ("a twist" = (value = json!({"torque_impulse": [0.0, 0.5, 0.0]}))),
    )),
    responses(
        (status = 204, description = "Pushed"),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn apply_impulse(
    Simulation(simulation): Simulation,
    BodyName(body_id): BodyName,
    Keyed {
        body: Object(body),
        terms,
    }: Keyed<Object<ImpulseRequest>>,
) -> Result<Observed, Problem> {
    let command = Command::ApplyImpulse(body_id, body.into());
    let reply = simulation.execute(command, terms).await?;
    Ok(Observed::done(&simulation, reply))
}

/// Pushes a dynamic body from now on; replaces what pushed it before.
#[utoipa::path(
    put,
    path = "/simulations/{sim_id}/bodies/{body_id}/force",
    tag = "forces",
    params(
        ("sim_id" = String, Path, description = "The simulation"),
        ("body_id" = String, Path, description = "The body"),
    ),
    request_body(content = ForceRequest, example = json!({"force": [0.0, 20.0, 0.0], "torque": [0.0, 0.0, 1.0]})),
    responses(
        (status = 204, description = "Pushed from now on"),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn set_force(
    Simulation(simulation): Simulation,
    BodyName(body_id): BodyName,
    Unkeyed(terms): Unkeyed,
    Json(Object(request)): Json<Object<ForceRequest>>,
) -> Result<Observed, Problem> {
    let command = Command::SetForce(body_id, request.into());
    let reply = simulation.execute(command, terms).await?;
    Ok(Observed::done(&simulation, reply))
}

/// Stops pushing a body.
#[utoipa::path(
    delete,
    path = "/simulations/{sim_id}/bodies/{body_id}/force",
    tag = "forces",
    params(
        ("sim_id" = String, Path, description = "The simulation"),
        ("body_id" = String, Path, description = "The body"),
    ),
    responses(
        (status = 204, description = "No longer pushed"),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn clear_force(
    Simulation(simulation): Simulation,
    BodyName(body_id): BodyName,
    Unkeyed(terms): Unkeyed,
) -> Result<Observed, Problem> {
    let command = Command::ClearForce(body_id);
    let reply = simulation.execute(command, terms).await?;
    Ok(Observed::done(&simulation, reply))
}

impl From<ImpulseRequest> for Impulse {
    fn from(request: ImpulseRequest) -> Self {
        Self {
            impulse: request.impulse,
            torque_impulse: request.torque_impulse,
            point: request.point,
        }
    }
}

impl From<ForceRequest> for Force {
    fn from(request: ForceRequest) -> Self {
        Self {
            force: request.force,
            torque: request.torque,
            point: request.point,
        }
    }
}
