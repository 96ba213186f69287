//! A connection to a server or to all of a cluster, and what is asked over it.

use std::{slice, time::Duration};

use deadpool_redis::{
    cluster::ClusterConnection,
    redis::{
        Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisFuture, RedisResult,
        ServerErrorKind, Value,
        aio::{ConnectionLike, MultiplexedConnection},
        from_redis_value,
    },
};
use futures_util::future::join_all;

use super::{
    error::{spoils, within},
    script::{Given, Invocation, Part, Script},
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

    /// Calls `script` for all of its parts; twice where Redis had forgotten it. Fails if nothing at
    /// all came of it.
    pub(super) async fn invoke_parts<T: FromRedisValue, P: Part>(
        &mut self,
        script: &Script,
        parts: &[P],
    ) -> RedisResult<Vec<RedisResult<T>>> {
        let timeout = self.timeout;
        unless_in_vain(match &mut self.link {
            link @ Link::Server(_) => within(timeout, link.invoke_parts(script, parts)).await?,
            // One node that hangs must not take the replies of the others with it.
            link @ Link::Cluster(_) => {
                join_all(parts.iter().map(|part| {
                    let mut link = link.clone();
                    async move {
                        let call = link.invoke_parts(script, slice::from_ref(part));
                        within(timeout, call).await?.remove(0)
                    }
                }))
                .await
            }
        })
    }

    /// Calls `script` for each of a batch; twice where Redis had forgotten it. Fails if nothing at
    /// all came of it.
    pub(super) async fn invoke_all<T: FromRedisValue>(
        &mut self,
        script: &Script,
        batch: &[Invocation],
    ) -> RedisResult<Vec<RedisResult<T>>> {
        let replies: Vec<RedisResult<T>> = match &mut self.link {
            Link::Server(server) => {
                let by_hash = pipeline(batch, |_, call| script.by_hash(call));
                let replies: Vec<RedisResult<T>> =
                    within(self.timeout, by_hash.query_async(server)).await?;
                if replies.iter().any(is_forgotten) {
                    // The first call brings the text along for the others.
                    let by_text = pipeline(batch, |position, call| match position {
                        0 => script.by_text(call),
                        _ => script.by_hash(call),
                    });
                    within(self.timeout, by_text.query_async(server)).await?
                } else {
                    replies
                }
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
        unless_in_vain(replies)
    }
}

impl Link {
    async fn invoke<T: FromRedisValue>(
        &mut self,
        script: &Script,
        given: &(impl Given + ?Sized),
    ) -> RedisResult<T> {
        let outcome = self.ask(&script.by_hash(given)).await;
        if is_forgotten(&outcome) {
            return self.ask(&script.by_text(given)).await;
        }
        outcome
    }

    async fn invoke_parts<T: FromRedisValue, P: Part>(
        &mut self,
        script: &Script,
        parts: &[P],
    ) -> RedisResult<Vec<RedisResult<T>>> {
        let replies: Vec<_> = self.invoke(script, parts).await?;
        if replies.len() == parts.len() {
            Ok(replies)
        } else {
            let text = "a script answered for more or less than it was called for";
            Err((ErrorKind::UnexpectedReturnType, text).into())
        }
    }

    /// Sends one command. Unlike the library's way to, it leaves the errors within an answer to
    /// whoever asks.
    async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        from_redis_value::<RedisResult<T>>(self.req_packed_command(command).await?)?
    }
}

/// The replies, unless all of them say that nobody was there to do it.
fn unless_in_vain<T>(replies: Vec<RedisResult<T>>) -> RedisResult<Vec<RedisResult<T>>> {
    let is_in_vain = |reply: &RedisResult<T>| reply.as_ref().is_err_and(spoils);
    match replies.first() {
        Some(Err(first)) if replies.iter().all(is_in_vain) => Err(first.clone()),
        _ => Ok(replies),
    }
}

fn pipeline(batch: &[Invocation], command: impl Fn(usize, &Invocation) -> Cmd) -> Pipeline {
    let mut commands = Pipeline::with_capacity(batch.len());
    commands.ignore_errors();
    for (position, invocation) in batch.iter().enumerate() {
        commands.add_command(command(position, invocation));
    }
    commands
}

/// Whether Redis does not know a script by its hash.
fn is_forgotten<T>(reply: &RedisResult<T>) -> bool {
    let is_unknown =
        |error: &RedisError| error.kind() == ErrorKind::Server(ServerErrorKind::NoScript);
    reply.as_ref().is_err_and(is_unknown)
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
