//! What operators do to single simulations, on the port for instances.

use std::time::Duration;

use axum::{extract::State, http::Uri};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::{
    http::{
        caller::Caller,
        extract::{Json, SimulationName},
        json::Object,
        problem::Problem,
        problem_code::ProblemCode,
        state::AppState,
    },
    id::{InstanceId, SimulationId},
    physics::Fault,
    simulations::SimulationError,
};

/// Where simulations are moved.
pub(in crate::http) const MOVE_PATH: &str = "/admin/simulations/{sim_id}/move";
/// How long after a failure an instance is asked again to take a simulation in.
const PAUSE: Duration = Duration::from_millis(100);

/// Where a simulation is to go.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MoveRequest {
    instance: String,
}

/// Where a simulation is.
#[derive(Serialize)]
pub(crate) struct MoveResponse {
    sim_id: SimulationId,
    owner: InstanceId,
}

/// Moves a simulation that is here to another instance, which has it in memory afterwards.
pub(crate) async fn move_simulation(
    State(state): State<AppState>,
    SimulationName(sim_id): SimulationName,
    caller: Caller,
    Json(Object(request)): Json<Object<MoveRequest>>,
) -> Result<axum::Json<MoveResponse>, Problem> {
    let simulations = &state.simulations;
    let Some(simulation) = simulations.resident(&sim_id) else {
        return Err(not_here(&state, sim_id).await);
    };
    simulation.require_journal()?;
    let owner = InstanceId::parse(&request.instance).map_err(|_| unknown())?;
    let moved = || {
        axum::Json(MoveResponse {
            sim_id: sim_id.clone(),
            owner: owner.clone(),
        })
    };
    if owner == simulations.services().instance_id {
        return Ok(moved());
    }
    let peer = simulations.peer(&owner).await.ok_or_else(unknown)?;
    let forwarder = state.forwarder.as_ref().ok_or_else(unknown)?;
    let caller = Caller {
        tenant: simulation.tenant().cloned(),
        ..caller
    };
    let target = Uri::try_from(format!("/simulations/{sim_id}"));
    let target = target.map_err(|_| Problem::new(ProblemCode::Internal, "no path to it"))?;
    // To go on with what is half done may take the other instance a while.
    let until = Instant::now() + simulations.services().request_timeout;
    while Instant::now() < until && simulations.is_living(&peer) {
        // Another client may have had it come back meanwhile.
        if let Some(simulation) = simulations.resident(&sim_id) {
            simulations.part_with(&simulation).await?;
        }
        // Whoever is asked for it has it.
        let asked = forwarder.fetch(&peer, target.clone(), &caller).await;
        if asked.is_some() {
            return Ok(moved());
        }
        sleep(PAUSE).await;
    }
    let detail = "the other instance has not taken the simulation in yet";
    Err(Problem::passing(ProblemCode::OwnerUnreachable, detail))
}

/// Why a simulation that is not here cannot be moved.
async fn not_here(state: &AppState, sim_id: SimulationId) -> Problem {
    match state.simulations.is_anywhere(&sim_id).await {
        Ok(true) => {
            let detail = "this instance does not have the simulation";
            Problem::new(ProblemCode::OwnedElsewhere, detail)
        }
        Ok(false) => SimulationError::NotFound(sim_id).into(),
        Err(error) => error.into(),
    }
}

/// The problem of an instance that nothing can be moved to.
fn unknown() -> Problem {
    Problem::invalid(vec![Fault {
        pointer: "/instance".to_owned(),
        detail: "must be the name of a living instance".to_owned(),
    }])
}
