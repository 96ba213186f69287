//! Simulations as files: taking one away, and having it go on elsewhere.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use tokio::time::timeout;

use super::simulations::merge_labels;
use crate::{
    http::{
        accept::BUNDLE,
        caller::Caller,
        extract::Simulation,
        problem::{Problem, ProblemBody},
        problem_code::ProblemCode,
        state::AppState,
    },
    id::{ID_RULE, SimulationId},
    physics::{Fault, Faults},
    simulations::{Labels, NewSimulation, SimulationError},
};

/// The simulation as one file: the oldest snapshot that is kept and every command since, or, where
/// nothing is written down, the simulation as it stands. `POST /simulations` has it go on.
#[utoipa::path(
    get,
    path = "/simulations/{sim_id}/bundle",
    tag = "history",
    params(("sim_id" = String, Path, description = "The simulation")),
    responses(
        (status = 200, description = "The bundle", body = Vec<u8>, content_type = "application/vnd.rapier-bundle"),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn show_bundle(
    State(state): State<AppState>,
    Simulation(simulation): Simulation,
) -> Result<Response, Problem> {
    let bundle = simulation.bundle(&state.simulations).await?;
    Ok(([(header::CONTENT_TYPE, BUNDLE)], bundle).into_response())
}

/// Whether a request brings a bundle.
pub(super) fn is_bundle(headers: &HeaderMap) -> bool {
    let given = headers.get(header::CONTENT_TYPE);
    given.is_some_and(|given| given.as_bytes().eq_ignore_ascii_case(BUNDLE.as_bytes()))
}

/// Takes a bundle that is not compressed any further.
pub(super) fn check_media_type(parts: &Parts) -> Result<(), Problem> {
    if parts.headers.contains_key(header::CONTENT_ENCODING) {
        let detail = "the body must not be compressed";
        return Err(Problem::new(ProblemCode::UnsupportedMediaType, detail));
    }
    Ok(())
}

/// The simulation that a bundle is to become.
pub(super) async fn unpack(
    bytes: Bytes,
    uri: &Uri,
    caller: &Caller,
    state: &AppState,
) -> Result<NewSimulation, Problem> {
    let id = parse_query(uri.query().unwrap_or_default())?;
    let unpacked = timeout(state.simulations.services().request_timeout, async {
        let _turn = state.replays.acquire().await;
        let seconds = [state.config.min_ttl_seconds, state.config.max_ttl_seconds];
        let [least, most] = seconds.map(Duration::from_secs);
        state.simulations.unpack(bytes, least..=most).await
    });
    let new = unpacked.await.map_err(|_| SimulationError::Overloaded)??;
    let mut faults = Faults::default();
    let carried = new
        .labels
        .into_iter()
        .map(|(name, value)| (name, Some(value)));
    let labels = merge_labels(&Labels::new(), carried.collect(), &mut faults);
    faults.into_result()?;
    Ok(NewSimulation {
        id,
        tenant: caller.tenant.clone(),
        payer: caller.payer(),
        labels: labels.unwrap_or_default(),
        ..new
    })
}

/// What the simulation is to be called.
fn parse_query(query: &str) -> Result<Option<SimulationId>, Problem> {
    let mut id = None;
    let mut faults = Faults::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name != "id" {
            return Err(Problem::unknown_field(Fault {
                pointer: String::new(),
                detail: "with a bundle there may be an id".to_owned(),
            }));
        }
        match SimulationId::parse(&value) {
            Ok(given) => id = Some(given),
            Err(_) => faults.add("id", ID_RULE),
        }
    }
    faults.into_result()?;
    Ok(id)
}
