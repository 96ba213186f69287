//! Letting time pass.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    http::{
        extract::{BodyName, Keyed, Simulation},
        json::Object,
        observed::Observed,
        problem::{Problem, ProblemBody},
    },
    physics::{Command, Recording, StateView, Steps, Trajectory, present},
};

/// How far to step.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepRequest {
    /// How many steps; 0 shows the state.
    #[schema(maximum = 10_000)]
    steps: u32,
    /// Seconds each, for this call only; the simulation's own unless given.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, minimum = 1e-5, maximum = 1.0)]
    dt: Option<f64>,
}

/// What to record.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrajectoryRequest {
    /// How many steps.
    #[schema(maximum = 10_000)]
    steps: u32,
    /// Seconds each, for this call only; the simulation's own unless given.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, minimum = 1e-5, maximum = 1.0)]
    dt: Option<f64>,
    /// Every how many steps a frame is kept.
    #[serde(default = "one")]
    #[schema(minimum = 1, default = 1)]
    every: u32,
}

/// Lets time pass and answers the state.
#[utoipa::path(
    post,
    path = "/simulations/{sim_id}/step",
    tag = "stepping",
    params(("sim_id" = String, Path, description = "The simulation")),
    request_body(content = StepRequest, example = json!({"steps": 60, "dt": 0.016})),
    responses(
        (status = 200, description = "The state after the last step", body = StateView, example = json!({"sim_id": "demo", "time": 1.6, "step": 100, "bodies": [{"id": "ball", "position": [0.0, 0.5, 0.0], "orientation": [0.0, 0.0, 0.0, 1.0], "velocity": [0.0, 0.0, 0.0], "angular_velocity": [0.0, 0.0, 0.0], "contacts": ["floor"]}]})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn step(
    Simulation(simulation): Simulation,
    Keyed {
        body: Object(body),
        terms,
    }: Keyed<Object<StepRequest>>,
) -> Result<Observed, Problem> {
    let command = Command::Step(body.into());
    let reply = simulation.execute(command, terms).await?;
    Ok(Observed::ok(&simulation, reply))
}

/// Lets time pass and records a body, and the contacts of all bodies.
#[utoipa::path(
    post,
    path = "/simulations/{sim_id}/bodies/{body_id}/trajectory",
    tag = "stepping",
    params(
        ("sim_id" = String, Path, description = "The simulation"),
        ("body_id" = String, Path, description = "The body to record"),
    ),
    request_body(content = TrajectoryRequest, example = json!({"steps": 100, "dt": 0.01, "every": 2})),
    responses(
        (status = 200, description = "The recording", body = Trajectory, example = json!({
            "body_id": "ball",
            "frames": [{"time": 0.0, "position": [0.0, 0.6, 0.0], "orientation": [0.0, 0.0, 0.0, 1.0], "velocity": [0.0, -4.0, 0.0], "angular_velocity": [0.0, 0.0, 0.0]}],
            "total_time": 0.02,
            "num_frames": 1,
            "contact_events": [{"time": 0.01, "body_a": "ball", "body_b": "floor", "contact_point": [0.0, 0.0, 0.0], "normal": [0.0, -1.0, 0.0], "impulse_magnitude": 6.2, "relative_velocity": [0.0, -4.1, 0.0], "event_type": "started"}],
        })),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn record_trajectory(
    Simulation(simulation): Simulation,
    BodyName(body_id): BodyName,
    Keyed {
        body: Object(body),
        terms,
    }: Keyed<Object<TrajectoryRequest>>,
) -> Result<Observed, Problem> {
    let recording = Recording {
        steps: Steps {
            count: body.steps,
            dt: body.dt,
        },
        every: body.every,
    };
    let command = Command::Record(body_id, recording);
    let reply = simulation.execute(command, terms).await?;
    Ok(Observed::ok(&simulation, reply))
}

impl From<StepRequest> for Steps {
    fn from(request: StepRequest) -> Self {
        Self {
            count: request.steps,
            dt: request.dt,
        }
    }
}

fn one() -> u32 {
    1
}
