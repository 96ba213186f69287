//! The history of a simulation: reading it, and checking it.

use axum::{
    body::{Body, Bytes},
    extract::{RawQuery, State},
    http::header,
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::{
    clock::unix_micros_to_rfc3339,
    http::{
        accept::JSON_LINES,
        extract::Simulation,
        paging::Paging,
        problem::{Problem, ProblemBody},
        state::AppState,
    },
    id::SimulationId,
    simulations::{Chronicle, Entry, Event, Head, SimulationError},
};

/// What came of making a simulation again from its journal.
#[derive(Serialize, ToSchema)]
pub(crate) struct VerifyResponse {
    /// Whether every state came out as it was.
    ok: bool,
    /// The last command in the snapshot that it began with.
    checked_from: u64,
    /// The last command that was carried out again.
    checked_to: u64,
    /// The first entry that does not follow from those before it; `null` if all do.
    first_divergence: Option<u64>,
}

/// The first line of a journal.
#[derive(Serialize)]
struct Heading<'a> {
    sim_id: &'a SimulationId,
    from: Moment,
    head: Moment,
    snapshots: &'a [u64],
    engine: &'a str,
}

/// One line for each entry.
#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    at: String,
    chain: String,
    state_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
    #[serde(flatten)]
    event: &'a Event,
}

#[derive(Serialize)]
struct Moment {
    seq: u64,
    chain: String,
}

/// What happened, one JSON object a line. The first says whose journal it is, behind which entry
/// it begins (`from`), where the simulation stands (`head`), which snapshots there are and which
/// engine computes; each of the others is an entry.
#[utoipa::path(
    get,
    path = "/simulations/{sim_id}/journal",
    tag = "history",
    params(
        ("sim_id" = String, Path, description = "The simulation"),
        ("after" = Option<u64>, Query, description = "Only entries behind this one; all that are kept unless given"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 10_000, description = "How many; 1000 unless given"),
    ),
    responses(
        (status = 200, description = "The journal", body = String, content_type = "application/x-ndjson"),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn show_journal(
    Simulation(simulation): Simulation,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let Paging { after, limit } = Paging::parse(query.as_deref(), "the journal")?;
    let chronicle = simulation.chronicle(after, limit).await?;
    let heading = stream::iter([Ok(heading(&chronicle))]);
    let pages = stream::try_unfold(chronicle, async |mut chronicle| {
        let page = chronicle.next_page().await?;
        if page.is_empty() {
            return Ok(None);
        }
        let pool = chronicle.simulation().pool();
        let lines = pool.run(move || lines(&page)).await?;
        Ok::<_, SimulationError>(Some((lines, chronicle)))
    });
    let body = Body::from_stream(heading.chain(pages));
    Ok(([(header::CONTENT_TYPE, JSON_LINES)], body).into_response())
}

/// Makes the simulation again from the oldest snapshot of its journal and compares every state on
/// the way. Changes nothing, and needs no body.
#[utoipa::path(
    post,
    path = "/simulations/{sim_id}/verify",
    tag = "history",
    params(("sim_id" = String, Path, description = "The simulation")),
    responses(
        (status = 200, description = "What came of it", body = VerifyResponse, example = json!({"ok": true, "checked_from": 0, "checked_to": 100, "first_divergence": null})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn verify_simulation(
    State(state): State<AppState>,
    Simulation(simulation): Simulation,
) -> Result<axum::Json<VerifyResponse>, Problem> {
    let verified = timeout(simulation.services().request_timeout, async {
        let _turn = state.replays.acquire().await;
        state.simulations.verify(&simulation).await
    });
    let found = verified.await.map_err(|_| SimulationError::Overloaded)??;
    Ok(axum::Json(VerifyResponse {
        ok: found.first_divergence.is_none(),
        checked_from: found.checked_from,
        checked_to: found.checked_to,
        first_divergence: found.first_divergence,
    }))
}

fn heading(chronicle: &Chronicle) -> Bytes {
    let simulation = chronicle.simulation();
    let heading = Heading {
        sim_id: simulation.id(),
        from: chronicle.from.into(),
        head: chronicle.head.into(),
        snapshots: &chronicle.snapshots,
        engine: &simulation.services().fingerprint,
    };
    let mut text = Vec::new();
    write_line(&mut text, &heading);
    text.into()
}

fn lines(page: &[(Head, Entry)]) -> Bytes {
    let mut text = Vec::new();
    for (head, entry) in page {
        let line = Line {
            seq: head.seq,
            at: unix_micros_to_rfc3339(entry.at),
            chain: head.chain_text(),
            state_hash: format!("{:016x}", entry.state_hash),
            idempotency_key: entry.key.as_ref().map(|used| used.key.as_str()),
            event: &entry.event,
        };
        write_line(&mut text, &line);
    }
    text.into()
}

fn write_line(text: &mut Vec<u8>, line: &impl Serialize) {
    serde_json::to_writer(&mut *text, line).expect("entries have nothing that cannot be written");
    text.push(b'\n');
}

impl From<Head> for Moment {
    fn from(head: Head) -> Self {
        Self {
            seq: head.seq,
            chain: head.chain_text(),
        }
    }
}
