//! What happened in a simulation.

use axum::extract::RawQuery;

use crate::{
    http::{
        extract::Simulation,
        observed::Observed,
        paging::Paging,
        problem::{Problem, ProblemBody},
    },
    physics::EventPage,
};

/// What happened: who met and parted, fell asleep and woke up, which joints broke. The latest 1024
/// events or a few more are kept.
#[utoipa::path(
    get,
    path = "/simulations/{sim_id}/events",
    tag = "observation",
    params(
        ("sim_id" = String, Path, description = "The simulation"),
        ("after" = Option<u64>, Query, description = "Only events behind this one; all that are kept unless given"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 10_000, description = "How many; 1000 unless given"),
    ),
    responses(
        (status = 200, description = "The oldest first", body = EventPage, example = json!({
            "events": [{"seq": 1, "step": 31, "time": 0.496, "type": "collision_started", "body_a": "ball", "body_b": "floor"}],
            "next_after": 1,
            "lost": false,
        })),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_events(
    Simulation(simulation): Simulation,
    RawQuery(query): RawQuery,
) -> Result<Observed, Problem> {
    let Paging { after, limit } = Paging::parse(query.as_deref(), "the list of events")?;
    let reply = simulation.events(after, limit).await?;
    Ok(Observed::ok(&simulation, reply))
}
