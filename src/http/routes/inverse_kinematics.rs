//! Inverse kinematics: moving the joints of a multibody so that a link comes to where it is wanted.

use crate::{
    http::{
        extract::{Keyed, Simulation},
        json::Object,
        observed::Observed,
        problem::{Problem, ProblemBody},
    },
    physics::{Command, InverseKinematics, Reached},
};

/// Moves the joints of a multibody at once so that a link comes to where it is wanted, or as near as
/// it can.
#[utoipa::path(
    post,
    path = "/simulations/{sim_id}/inverse_kinematics",
    tag = "joints",
    params(("sim_id" = String, Path, description = "The simulation")),
    request_body(content = InverseKinematics, example = json!({"body_id": "partner", "position": [0.5, 1.2, 0.0], "point": [0.2, 0.0, 0.0], "max_iterations": 200})),
    responses(
        (status = 200, description = "How near it has come", body = Reached, example = json!({"converged": true, "position_error": 0.0004, "orientation_error": 0.0, "joints": [{"joint_id": "shoulder", "positions": [0.7]}, {"joint_id": "elbow", "positions": [-1.1]}]})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn reach(
    Simulation(simulation): Simulation,
    Keyed {
        body: Object(request),
        terms,
    }: Keyed<Object<InverseKinematics>>,
) -> Result<Observed, Problem> {
    let command = Command::InverseKinematics(Box::new(request));
    let reply = simulation.execute(command, terms).await?;
    Ok(Observed::ok(&simulation, reply))
}
