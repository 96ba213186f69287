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

    /// Whether the same is to be sent again: Redis was not in a state to do it, and will be.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unavailable | Self::Failed(_) => true,
            Self::Refused { code, .. } => {
                matches!(code.as_deref(), Some("READONLY" | "BUSY" | "NOSCRIPT"))
            }
        }
    }

    /// Whether a script was stopped at the first thing it would have written: nothing of it was
    /// done, by this call or one before it.
    pub fn is_before_writing(&self) -> bool {
        let code = match self {
            Self::Refused { code, .. } => code.as_deref(),
            Self::Unavailable | Self::Failed(_) => None,
        };
        matches!(code, Some("OOM" | "NOREPLICAS" | "MISCONF"))
    }
}

/// Whether Redis, or the part of it that was asked, is not there. In a cluster, a redirection that
/// is left over leads to a node that is gone.
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
                    | ServerErrorKind::Moved
                    | ServerErrorKind::Ask
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

#[cfg(test)]
mod tests {
    use deadpool_redis::redis::parse_redis_value;

    use super::*;

    fn answered(line: &str) -> RedisError {
        let reply = parse_redis_value(format!("-{line}\r\n").as_bytes());
        reply.unwrap().extract_error().unwrap_err()
    }

    #[test]
    fn answers_that_mean_an_outage_are_told_from_refusals() {
        let target = RedisTarget::parse("redis://:s3cret@h").unwrap();
        for line in [
            "LOADING Redis is loading the dataset in memory",
            "CLUSTERDOWN The cluster is down",
            "MASTERDOWN Link with MASTER is down",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "MOVED 1 127.0.0.1:7000",
        ] {
            let error = answered(line);
            assert!(
                matches!(StoreError::new(&error, &target), StoreError::Failed(_)),
                "{line}"
            );
            assert!(spoils(&error), "{line}");
        }
        for (line, is_spoilt) in [
            (
                "OOM command not allowed when used memory > 'maxmemory'.",
                false,
            ),
            ("NOREPLICAS Not enough good replicas to write.", false),
            (
                "READONLY You can't write against a read only replica.",
                true,
            ),
            ("ERR max requests limit exceeded.", false),
        ] {
            let error = answered(line);
            let word = line.split(' ').next().map(str::to_owned);
            let StoreError::Refused { code, .. } = StoreError::new(&error, &target) else {
                panic!("{line}");
            };
            assert_eq!(code, word);
            assert_eq!(spoils(&error), is_spoilt, "{line}");
        }
    }

    #[test]
    fn what_redis_says_of_a_password_is_not_repeated() {
        let target = RedisTarget::parse("redis://:s3cret@h").unwrap();
        let error = answered("ERR unknown command 'AUTH', with args beginning with: 's3cret'");
        let text = StoreError::new(&error, &target).to_string();
        assert!(!text.contains("s3cret") && text.contains("****"), "{text}");
    }
}
