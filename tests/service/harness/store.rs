//! What a Redis of any kind holds.

use std::{collections::BTreeMap, time::Duration};

use deadpool_redis::redis::{FromRedisValue, RedisResult, cmd};

use crate::harness::{RedisCluster, RedisServer, eventually_true};

const SOON: Duration = Duration::from_secs(20);

/// Where the keys are.
#[derive(Clone, Copy)]
pub(crate) enum Store<'a> {
    /// All on this server.
    Server(&'a RedisServer),
    /// On one of these nodes each.
    Cluster(&'a RedisCluster),
}

impl<'a> From<&'a RedisServer> for Store<'a> {
    fn from(server: &'a RedisServer) -> Self {
        Self::Server(server)
    }
}

impl<'a> Store<'a> {
    /// The servers that hold keys.
    pub(crate) fn servers(self) -> &'a [RedisServer] {
        match self {
            Self::Server(server) => std::slice::from_ref(server),
            Self::Cluster(cluster) => &cluster.nodes,
        }
    }

    /// The answer to a command about a key, from whoever has that key.
    pub(crate) async fn ask<T: FromRedisValue>(self, command: &[&str]) -> T {
        let cluster = match self {
            Self::Server(server) => return server.ask(command).await,
            Self::Cluster(cluster) => cluster,
        };
        let (name, args) = command.split_first().expect("a command has a name");
        let answer: RedisResult<T> = cmd(name)
            .arg(args)
            .query_async(&mut cluster.connection().await)
            .await;
        match answer {
            Ok(answer) => answer,
            Err(error) => panic!("{command:?}: {error}"),
        }
    }

    /// Every key whose name has this text in it, in order.
    pub(crate) async fn keys_of(self, text: &str) -> Vec<String> {
        match self {
            Self::Server(server) => server.keys_of(text).await,
            Self::Cluster(cluster) => cluster.keys_of(text).await,
        }
    }

    /// How long a key has left, in Redis' own words: -1 is for ever, -2 is not there.
    pub(crate) async fn ttl_ms(self, key: &str) -> i64 {
        self.ask(&["PTTL", key]).await
    }

    /// The fields of a hash; what is not text is shown as far as it can be.
    pub(crate) async fn hash(self, key: &str) -> BTreeMap<String, String> {
        let fields: BTreeMap<String, Vec<u8>> = self.ask(&["HGETALL", key]).await;
        fields
            .into_iter()
            .map(|(field, value)| (field, String::from_utf8_lossy(&value).into_owned()))
            .collect()
    }

    /// Deletes every key by its name: not every server has a command for all of them.
    pub(crate) async fn forget_all(self) {
        // Leases go last: who misses its own registers everything again, which is to stay then.
        for of_leases in [false, true] {
            for server in self.servers() {
                let mut keys = server.keys_of("").await;
                keys.retain(|key| key.starts_with("instance:") == of_leases);
                server.delete(&keys).await;
            }
        }
    }

    /// Waits until there is an entry for this simulation.
    pub(crate) async fn until_it_knows(self, sim: &str) {
        let entry = format!("sim:{{{sim}}}:meta");
        eventually_true(
            SOON,
            "Redis knows the simulation",
            |&left| left > 0,
            async || self.ttl_ms(&entry).await,
        )
        .await;
    }
}
