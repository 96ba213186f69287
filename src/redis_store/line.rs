//! A connection for one caller that sends much.

use std::time::Instant;

use deadpool::managed::Manager as _;
use deadpool_redis::redis::{FromRedisValue, RedisResult};

use super::{
    RedisStore, StoreError,
    connection::Connection,
    error::spoils,
    script::{Part, Script},
};

/// A connection past the pool, which asks each time whether a connection still works. It is made
/// when it is needed, and again when it breaks.
///
/// It is used while Redis is taken for unreachable as well: the first answer ends that.
pub struct Line {
    store: RedisStore,
    connection: Option<Connection>,
}

impl Line {
    pub(super) fn new(store: RedisStore) -> Self {
        Self {
            store,
            connection: None,
        }
    }

    /// Calls a script that answers with an array, one item for each of its parts: once for all of
    /// them, but in a cluster, where they need not be in one place, once for each. The results are
    /// in the order of `parts`, one for each; a part may have been carried out where its result is
    /// a failure, and may be carried out twice.
    pub async fn invoke_parts<T: FromRedisValue, P: Part>(
        &mut self,
        script: &Script,
        parts: &[P],
    ) -> Vec<Result<T, StoreError>> {
        let begun = Instant::now();
        let pass = self.store.0.breaker.admit();
        let outcome = self.attempt(script, parts).await;
        let outcome = outcome.map_err(|error| self.store.describe(&error));
        self.store.learn(pass, begun.elapsed(), &outcome);
        match outcome {
            Ok(replies) => replies
                .into_iter()
                .map(|reply| reply.map_err(|error| self.store.describe(&error)))
                .collect(),
            Err(error) => parts.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    async fn attempt<T: FromRedisValue, P: Part>(
        &mut self,
        script: &Script,
        parts: &[P],
    ) -> RedisResult<Vec<RedisResult<T>>> {
        // Taken out, so that it is not used again if this is given up half-way.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.store.0.pool.manager().create().await?,
        };
        let outcome = connection.invoke_parts(script, parts).await;
        if !outcome.as_ref().is_err_and(spoils) {
            self.connection = Some(connection);
        }
        outcome
    }
}
