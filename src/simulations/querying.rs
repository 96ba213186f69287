//! Queries about one moment of a simulation, answered one after the other and in pieces.

use std::{
    sync::Arc,
    time::{Duration, Instant},
    vec,
};

use super::error::SimulationError;
use crate::physics::{Faults, PhysicsError, Query, QuerySpec, ReadLimits, View};

/// Hits in one reply, of all its queries; what comes after is left out.
const MAX_HITS_PER_REPLY: usize = 100_000;

/// Writes a query's refusal down.
pub trait Explain: Fn(PhysicsError) -> Vec<u8> + Send + 'static {}

impl<E: Fn(PhysicsError) -> Vec<u8> + Send + 'static> Explain for E {}

/// Queries that are being answered.
pub(super) struct QueryBatch<E> {
    view: Arc<View>,
    queries: vec::IntoIter<Query>,
    answered: usize,
    max_hits: usize,
    hits_left: usize,
    explain: E,
    text: Vec<u8>,
}

/// Checks all queries of a request.
pub(super) fn check(
    specs: &[QuerySpec],
    limits: &ReadLimits,
) -> Result<Vec<Query>, SimulationError> {
    limits.check_queries(specs.len())?;
    specs.iter().try_for_each(QuerySpec::check_limits)?;
    let mut faults = Faults::default();
    let mut queries = Vec::with_capacity(specs.len());
    faults.within("queries", |faults| {
        for (index, spec) in specs.iter().enumerate() {
            faults.within(index, |faults| queries.extend(spec.checked(faults)));
        }
    });
    faults.into_result()?;
    Ok(queries)
}

impl<E: Explain> QueryBatch<E> {
    pub(super) fn new(
        view: Arc<View>,
        queries: Vec<Query>,
        limits: &ReadLimits,
        explain: E,
    ) -> Self {
        Self {
            view,
            queries: queries.into_iter(),
            answered: 0,
            max_hits: limits.max_hits,
            hits_left: MAX_HITS_PER_REPLY,
            explain,
            text: br#"{"results":["#.to_vec(),
        }
    }

    /// Goes on for about `budget`; whether all is answered.
    pub(super) fn advance(&mut self, budget: Duration) -> bool {
        let begun = Instant::now();
        while let Some(query) = self.queries.next() {
            self.answer(&query);
            if begun.elapsed() >= budget {
                break;
            }
        }
        self.queries.len() == 0
    }

    /// The reply, once all is answered.
    pub(super) fn into_text(mut self) -> Vec<u8> {
        self.text.extend_from_slice(b"]}");
        self.text
    }

    fn answer(&mut self, query: &Query) {
        let index = self.answered;
        if index > 0 {
            self.text.push(b',');
        }
        self.answered += 1;
        let most = self.max_hits.min(self.hits_left);
        match self.view.answer(index, query, most) {
            Ok(answer) => {
                self.hits_left -= answer.count();
                serde_json::to_writer(&mut self.text, &answer)
                    .expect("hits have nothing that cannot be written");
            }
            Err(refused) => {
                self.text.extend_from_slice(br#"{"error":"#);
                self.text.extend((self.explain)(refused));
                self.text.push(b'}');
            }
        }
    }
}
