//! Questions about where bodies are.

use axum::extract::OriginalUri;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    http::{
        extract::{Json, Simulation},
        json::{Object, objects},
        observed::Observed,
        problem::{Problem, ProblemBody},
    },
    physics::{Answer, QuerySpec},
};

/// What is asked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueriesRequest {
    /// Each is answered by itself.
    #[serde(deserialize_with = "objects")]
    queries: Vec<QuerySpec>,
}

/// What was found.
#[derive(Serialize, ToSchema)]
pub(crate) struct QueriesResponse<'a> {
    /// In the order of the queries.
    results: Vec<QueryResult<'a>>,
}

/// What one query found, or why it has no answer.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes what the answers are written as")]
pub(crate) enum QueryResult<'a> {
    /// It was answered.
    Answered(Answer<'a>),
    /// It was not, as it names a body that does not exist, for example.
    Refused {
        /// Why not.
        error: ProblemBody<'a>,
    },
}

/// Answers queries about the last committed state. Changes nothing, and does not count as a
/// command: it needs no idempotency key.
#[utoipa::path(
    post,
    path = "/simulations/{sim_id}/queries",
    tag = "observation",
    params(("sim_id" = String, Path, description = "The simulation")),
    request_body(content = QueriesRequest, examples(
        ("what lies below" = (value = json!({"queries": [{"type": "ray", "origin": [0.0, 5.0, 0.0], "direction": [0.0, -1.0, 0.0], "max_distance": 100.0}]}))),
        ("several at once" = (value = json!({"queries": [
            {"type": "ray", "origin": [0.0, 5.0, 0.0], "direction": [0.0, -1.0, 0.0], "all": true, "filter": {"exclude": ["ball"], "sensors": true}},
            {"type": "shape_cast", "shape": "sphere", "radius": 0.25, "position": [0.0, 5.0, 0.0], "direction": [0.0, -1.0, 0.0], "max_distance": 100.0},
            {"type": "shape_cast", "shape": "box", "size": [2.0, 0.1, 0.1], "position": [0.0, 0.5, 0.0], "direction": [1.0, 0.0, 0.0], "max_distance": 0.0, "end_orientation": [0.0, 0.0, 0.6, 0.8]},
            {"type": "point", "point": [3.0, 1.0, 0.0], "max_distance": 10.0, "filter": {"kinds": ["dynamic"]}},
            {"type": "overlap", "shape": "box", "size": [2.0, 2.0, 2.0], "position": [0.0, 0.5, 0.0], "filter": {"groups": {"memberships": 1, "filter": 1}}},
            {"type": "overlap", "point": [0.0, 0.5, 0.0]},
            {"type": "aabb", "min": [-1.0, -1.0, -1.0], "max": [1.0, 1.0, 1.0]},
            {"type": "distance", "body_a": "ball", "body_b": "nobody"},
        ]}))),
    )),
    responses(
        (status = 200, description = "What was found", body = QueriesResponse, example = json!({"results": [{"hits": [{"body_id": "ball", "point": [0.0, 1.0, 0.0], "normal": [0.0, 1.0, 0.0], "distance": 4.0}]}]})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn answer_queries(
    Simulation(simulation): Simulation,
    OriginalUri(uri): OriginalUri,
    Json(Object(request)): Json<Object<QueriesRequest>>,
) -> Result<Observed, Problem> {
    let id = simulation.id().clone();
    let explain = move |refused| Problem::from(refused).to_part(uri.path(), &id);
    let reply = simulation.query(request.queries, explain).await?;
    Ok(Observed::ok(&simulation, reply))
}
