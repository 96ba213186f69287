//! A connection to a server or to all of a cluster, and what is asked over it.

use std::time::Duration;

use deadpool_redis::{
    cluster::ClusterConnection,
    redis::{
        Cmd, ErrorKind, FromRedisValue, Pipeline, RedisFuture, RedisResult, ServerErrorKind, Value,
        aio::{ConnectionLike, MultiplexedConnection},
    },
};
use futures_util::future::join_all;

use super::{
    error::{spoils, within},
    script::{Invocation, Script},
};

/// How many calls of a script share one round trip to a server.
pub(super) const PIPELINED: usize = 256;
/// How many calls of a script are under way at a time in a cluster.
pub(super) const CONCURRENT: usize = 64;

/// A connection on which each request has only so much time.
pub(super) struct Connection {
    link: Link,
    timeout: Duration,
}

#[derive(Clone)]
pub(super) enum Link {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    pub(super) fn new(link: Link, timeout: Duration) -> Self {
        Self { link, timeout }
    }

    pub(super) fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    pub(super) async fn query<T: FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        within(self.timeout, command.query_async(&mut self.link)).await
    }

    pub(super) async fn invoke<T: FromRedisValue>(
        &mut self,
        script: &Script,
        invocation: &Invocation,
    ) -> RedisResult<T> {
        within(self.timeout, self.link.invoke(script, invocation)).await
    }

    /// Calls `script` once for each of a batch. Fails if nothing at all came of it.
    pub(super) async fn invoke_all<T: FromRedisValue>(
        &mut self,
        script: &Script,
        batch: &[Invocation],
    ) -> RedisResult<Vec<RedisResult<T>>> {
        let replies: Vec<RedisResult<T>> = match &mut self.link {
            Link::Server(server) => {
                let commands = pipeline(script, batch);
                within(self.timeout, commands.query_async(server)).await?
            }
            // Keys of several slots do not share a pipeline. And one node that hangs must not
            // take the replies of the others with it.
            link @ Link::Cluster(_) => {
                join_all(batch.iter().map(|invocation| {
                    let mut link = link.clone();
                    let timeout = self.timeout;
                    async move { within(timeout, link.invoke(script, invocation)).await }
                }))
                .await
            }
        };
        let is_in_vain = |reply: &RedisResult<T>| reply.as_ref().is_err_and(spoils);
        match replies.first() {
            Some(Err(first)) if replies.iter().all(is_in_vain) => Err(first.clone()),
            _ => Ok(replies),
        }
    }
}

impl Link {
    async fn invoke<T: FromRedisValue>(
        &mut self,
        script: &Script,
        invocation: &Invocation,
    ) -> RedisResult<T> {
        match script.by_hash(invocation).query_async(self).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                script.by_text(invocation).query_async(self).await
            }
            outcome => outcome,
        }
    }
}

/// The first call brings the text along for the others.
fn pipeline(script: &Script, batch: &[Invocation]) -> Pipeline {
    let mut commands = Pipeline::with_capacity(batch.len());
    commands.ignore_errors();
    for (position, invocation) in batch.iter().enumerate() {
        commands.add_command(match position {
            0 => script.by_text(invocation),
            _ => script.by_hash(invocation),
        });
    }
    commands
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(server) => server.req_packed_command(command),
            Self::Cluster(cluster) => cluster.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(server) => server.req_packed_commands(commands, offset, count),
            Self::Cluster(cluster) => cluster.req_packed_commands(commands, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(server) => server.get_db(),
            Self::Cluster(cluster) => cluster.get_db(),
        }
    }
}
