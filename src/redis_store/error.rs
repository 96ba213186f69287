//! What can go wrong with Redis, and what follows for a connection and for the breaker.

use std::{io, time::Duration};

use deadpool::managed::PoolError;
use deadpool_redis::redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind};
use tokio::time;

use super::target::RedisTarget;

/// Why Redis did not do as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It has not answered lately; nothing was sent.
    #[error("Redis is taken for unreachable and was not asked")]
    Unavailable,
    /// It did not answer, or is not in a state to; whether it did as asked is unknown.
    #[error("Redis did not answer: {0}")]
    Failed(String),
    /// It answered with an error.
    #[error("Redis refused: {text}")]
    Refused {
        /// The first word of its answer, such as `OOM` or `READONLY`.
        code: Option<String>,
        /// What it said.
        text: String,
    },
}

/// Why there is no [`RedisStore`](super::RedisStore).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The file with certificates is of no use.
    #[error("the certificates for Redis are not usable: {0}")]
    Certificates(String),
    /// Certificates that would never be looked at.
    #[error("there are certificates for Redis, but its address is not one with TLS (rediss://)")]
    NoTls,
    /// The library refused the address.
    #[error("Redis cannot be addressed like this: {0}")]
    Client(String),
}

impl StoreError {
    pub(super) fn new(error: &RedisError, target: &RedisTarget) -> Self {
        let text = target.without_secrets(error.to_string());
        if is_outage(error) {
            return Self::Failed(text);
        }
        let code = error.code().map(str::to_owned);
        Self::Refused { code, text }
    }
}

/// Whether Redis, or the part of it that was asked, is not there.
pub(super) fn is_outage(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Io
            | ErrorKind::Parse
            | ErrorKind::MasterNameNotFoundBySentinel
            | ErrorKind::NoValidReplicasFoundBySentinel
            | ErrorKind::ClusterConnectionNotFound
            | ErrorKind::Server(
                ServerErrorKind::BusyLoading
                    | ServerErrorKind::ClusterDown
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::TryAgain
            )
    )
}

/// Whether the connection is not to be used again. One to a master that became a replica works,
/// but leads to the wrong server.
pub(super) fn spoils(error: &RedisError) -> bool {
    is_outage(error)
        || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
        || error.is_unrecoverable_error()
}

/// Does `work`, but not for longer than `timeout`.
pub(super) async fn within<T>(
    timeout: Duration,
    work: impl Future<Output = RedisResult<T>>,
) -> RedisResult<T> {
    let outcome = time::timeout(timeout, work).await;
    outcome.unwrap_or_else(|_| Err(timed_out("no answer in time")))
}

/// What went wrong with a pool, as if it had with a connection.
pub(super) fn of_pool(error: PoolError<RedisError>) -> RedisError {
    match error {
        PoolError::Backend(error) => error,
        PoolError::Timeout(_) => timed_out("no connection in time"),
        PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
            io::Error::other("no connection").into()
        }
    }
}

fn timed_out(text: &'static str) -> RedisError {
    io::Error::new(io::ErrorKind::TimedOut, text).into()
}
