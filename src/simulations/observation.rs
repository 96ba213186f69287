//! Looking at a simulation without touching it: parts of its state, sums over it, queries about it.

use std::time::Duration;

use super::{
    committed::Seen,
    core::MAX_BODIES_IN_PLACE,
    error::SimulationError,
    handle::SimulationHandle,
    querying::{Explain, QueryBatch, check},
    reply::{Reply, json},
    step_pool::{CHUNK, contained},
};
use crate::{
    id::BodyId,
    physics::{Fault, PhysicsError, QuerySpec, StateField, View},
};

/// How many queries are answered in place, where the world is small enough.
const MAX_QUERIES_IN_PLACE: usize = 16;
/// How much work the shapes that they ask with may be, in what a simple one takes.
const MAX_EFFORT_IN_PLACE: usize = 150;
/// How many triangles and points there may be to be met.
const MAX_FACETS_IN_PLACE: usize = 10_000;
/// What takes longer in place after all is continued on the compute pool.
const IN_PLACE_AT_MOST: Duration = Duration::from_millis(1);

impl SimulationHandle {
    /// Some fields, sorted, of some bodies, or of all of them.
    pub async fn selected_state(
        &self,
        bodies: Option<Vec<BodyId>>,
        fields: Vec<StateField>,
    ) -> Result<Reply, SimulationError> {
        let id = self.id().clone();
        self.ask(move |view| {
            let positions = select(view, bodies.as_deref())?;
            Ok(json(&view.selected_state(&id, &positions, &fields)))
        })
        .await
    }

    /// Energy and momentum of all that moves freely, and of each of some bodies.
    pub async fn energy(&self, bodies: Option<Vec<BodyId>>) -> Result<Reply, SimulationError> {
        self.ask(move |view| {
            let positions = match &bodies {
                Some(_) => Some(select(view, bodies.as_deref())?),
                None => None,
            };
            let energy = view.energy(positions.as_deref()).map_err(|body| {
                let detail = format!("{body} is not dynamic");
                unfit("/bodies", detail)
            })?;
            Ok(json(&energy))
        })
        .await
    }

    /// Who touches whom, of some bodies or of all.
    pub async fn contacts(&self, bodies: Option<Vec<BodyId>>) -> Result<Reply, SimulationError> {
        let most = self.services().reads.max_contacts;
        let seen = self.view_closely().await?;
        self.ask_of(seen, move |view| {
            let positions = match &bodies {
                Some(_) => Some(select(view, bodies.as_deref())?),
                None => None,
            };
            let contacts = view.contacts(positions.as_deref(), most);
            Ok(json(&contacts.expect("the view was looked at closely")))
        })
        .await
    }

    /// Answers queries about the last committed state; `explain` writes down why one of them has
    /// no answer.
    pub async fn query(
        &self,
        specs: Vec<QuerySpec>,
        explain: impl Explain,
    ) -> Result<Reply, SimulationError> {
        let services = self.services();
        let limits = services.reads;
        let is_short = specs.len() <= MAX_QUERIES_IN_PLACE
            && specs.iter().map(QuerySpec::effort).sum::<usize>() <= MAX_EFFORT_IN_PLACE;
        let queries = if is_short {
            check(&specs, &limits)?
        } else {
            self.pool().run(move || check(&specs, &limits)).await??
        };
        let Seen { view, position } = self.view().await?;
        let is_small = is_short
            && view.body_count() <= MAX_BODIES_IN_PLACE
            && view.facet_count() <= MAX_FACETS_IN_PLACE;
        let mut batch = QueryBatch::new(view, queries, &limits, explain);
        let mut is_done = is_small && contained(|| batch.advance(IN_PLACE_AT_MOST))?;
        let until = services.clock.now() + services.request_timeout;
        while !is_done {
            if services.clock.now() >= until {
                return Err(SimulationError::Overloaded);
            }
            let work = move || {
                let is_done = batch.advance(CHUNK);
                (batch, is_done)
            };
            (batch, is_done) = self.pool().run(work).await?;
        }
        Ok(Reply {
            body: batch.into_text().into(),
            position,
            is_replayed: false,
        })
    }
}

/// Where the bodies stand that were asked for.
fn select(view: &View, bodies: Option<&[BodyId]>) -> Result<Vec<usize>, SimulationError> {
    let selected = view.select(bodies);
    selected.map_err(|unknown| unfit("/bodies", format!("there is no body {unknown}")))
}

fn unfit(pointer: &str, detail: String) -> SimulationError {
    let pointer = pointer.to_owned();
    PhysicsError::Invalid(vec![Fault { pointer, detail }]).into()
}
