//! Every kind of Redis that an address can lead to.

use std::path::PathBuf;

use crate::harness::{Certificates, RedisCluster, RedisServer, SentinelSet, Store};

const PASSWORD: &str = "s3cret-p@ss/word";

/// Redis as it is found where the service runs; all gone when this is dropped.
pub(crate) enum Topology {
    /// A server with a password and without dangerous commands, as providers have them.
    Hosted(RedisServer),
    /// A server that speaks TLS, with a certificate of a private authority.
    Tls(Certificates, RedisServer),
    /// Three masters that share the keys.
    Cluster(RedisCluster),
    /// A master with a replica, watched by three sentinels.
    Sentinels(SentinelSet),
}

impl Topology {
    pub(crate) async fn hosted() -> Self {
        let server = RedisServer::with()
            .password(PASSWORD)
            .renamed_commands(&["KEYS", "CONFIG", "FLUSHALL", "FLUSHDB"]);
        Self::Hosted(server.start().await)
    }

    pub(crate) async fn tls() -> Self {
        let certificates = Certificates::new();
        let server = RedisServer::with().password(PASSWORD).tls(&certificates);
        let server = server.start().await;
        Self::Tls(certificates, server)
    }

    pub(crate) async fn cluster() -> Self {
        Self::Cluster(RedisCluster::start().await)
    }

    pub(crate) async fn sentinels() -> Self {
        Self::Sentinels(SentinelSet::start().await)
    }

    /// Where clients find it, with the password they need.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Hosted(server) | Self::Tls(_, server) => server.url(),
            Self::Cluster(cluster) => cluster.url(),
            Self::Sentinels(set) => set.url(),
        }
    }

    /// What clients have to trust, if not what everybody does.
    pub(crate) fn ca_file(&self) -> Option<PathBuf> {
        match self {
            Self::Tls(certificates, _) => Some(certificates.ca_file()),
            Self::Hosted(_) | Self::Cluster(_) | Self::Sentinels(_) => None,
        }
    }

    /// Where the keys are now.
    pub(crate) fn store(&self) -> Store<'_> {
        match self {
            Self::Hosted(server) | Self::Tls(_, server) => Store::Server(server),
            Self::Cluster(cluster) => Store::Cluster(cluster),
            Self::Sentinels(set) => Store::Server(set.master()),
        }
    }
}
