//! Makes connections, for the pool and beside it, to a server, a cluster, or the master that
//! sentinels name.

use std::time::Duration;

use deadpool::managed::{self, Metrics, RecycleResult};
use deadpool_redis::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, RedisError, RedisResult,
    TlsCertificates, TlsMode,
    aio::PubSub,
    cluster::{ClusterClient, ClusterClientBuilder},
    io::tcp::TcpSettings,
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};
use futures_util::{FutureExt, future::select_ok};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use tokio::sync::Mutex;

use super::{
    connection::{CONCURRENT, Connection, Link, PIPELINED},
    error::{BuildError, within},
    target::{RedisTarget, Topology},
};

/// A command in a cluster is tried again when a slot has moved or a node is gone, this often and
/// after so many milliseconds; the library's own pauses are longer than a request may take.
const CLUSTER_RETRIES: u32 = 5;
const CLUSTER_PAUSE_MS: (u64, u64) = (10, 200);

/// Makes connections. The managers of the library know neither certificates nor timeouts for
/// clusters and sentinels.
pub(super) struct Manager {
    way: Way,
    timeout: Duration,
    config: AsyncConnectionConfig,
}

enum Way {
    Server {
        client: Client,
        manager: deadpool_redis::Manager,
    },
    Cluster {
        client: ClusterClient,
        nodes: Vec<Client>,
    },
    /// One client for each sentinel: all are asked, and one that hangs delays nobody.
    Sentinels(Vec<Mutex<SentinelClient>>),
}

impl Manager {
    pub(super) fn new(
        target: &RedisTarget,
        timeout: Duration,
        ca_pem: Option<&[u8]>,
    ) -> Result<Self, BuildError> {
        let certificates = ca_pem.map(certificates).transpose()?;
        if certificates.is_some() && !target.is_tls() {
            return Err(BuildError::NoTls);
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(Some(timeout));
        let way = Way::new(&target.topology, timeout, &config, certificates.as_ref());
        let way =
            way.map_err(|error| BuildError::Client(target.without_secrets(error.to_string())))?;
        Ok(Self {
            way,
            timeout,
            config,
        })
    }

    /// How many calls of a script are made over one connection at a time.
    pub(super) fn batch_size(&self) -> usize {
        match self.way {
            Way::Cluster { .. } => CONCURRENT,
            Way::Server { .. } | Way::Sentinels(_) => PIPELINED,
        }
    }

    /// A connection that only takes subscriptions.
    pub(super) async fn subscriber(&self) -> RedisResult<PubSub> {
        let work = async {
            match &self.way {
                Way::Server { client, .. } => client.get_async_pubsub().await,
                // What is published reaches every node.
                Way::Cluster { nodes, .. } => {
                    let nodes = nodes.iter().map(|node| node.get_async_pubsub().boxed());
                    Ok(select_ok(nodes).await?.0)
                }
                Way::Sentinels(sentinels) => master(sentinels).await?.get_async_pubsub().await,
            }
        };
        within(self.timeout, work).await
    }

    async fn link(&self) -> RedisResult<Link> {
        Ok(match &self.way {
            Way::Server { manager, .. } => Link::Server(managed::Manager::create(manager).await?),
            Way::Cluster { client, .. } => Link::Cluster(client.get_async_connection().await?),
            Way::Sentinels(sentinels) => {
                let master = master(sentinels).await?;
                let config = &self.config;
                Link::Server(
                    master
                        .get_multiplexed_async_connection_with_config(config)
                        .await?,
                )
            }
        })
    }
}

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = RedisError;

    async fn create(&self) -> RedisResult<Connection> {
        let link = within(self.timeout, Box::pin(self.link())).await?;
        Ok(Connection::new(link, self.timeout))
    }

    async fn recycle(
        &self,
        connection: &mut Connection,
        metrics: &Metrics,
    ) -> RecycleResult<RedisError> {
        match (&self.way, connection.link()) {
            (Way::Server { manager, .. }, Link::Server(server)) => {
                manager.recycle(server, metrics).await
            }
            (_, Link::Server(server)) => Ok(deadpool_redis::redis::cmd("PING")
                .exec_async(server)
                .await?),
            // It replaces broken links by itself, and a PING goes to all nodes: one that is gone
            // would make every connection count as broken.
            (_, Link::Cluster(_)) => Ok(()),
        }
    }
}

impl Way {
    fn new(
        topology: &Topology,
        timeout: Duration,
        config: &AsyncConnectionConfig,
        certificates: Option<&TlsCertificates>,
    ) -> RedisResult<Self> {
        match topology {
            Topology::Single(server) => {
                let server = complete(server, certificates)?;
                Ok(Self::Server {
                    client: Client::open(server.clone())?,
                    manager: deadpool_redis::Manager::new_with_config(server, config.clone())?,
                })
            }
            Topology::Cluster(nodes) => {
                let mut builder = ClusterClientBuilder::new(nodes.clone())
                    .connection_timeout(timeout)
                    .response_timeout(timeout)
                    .retries(CLUSTER_RETRIES)
                    .min_retry_wait(CLUSTER_PAUSE_MS.0)
                    .max_retry_wait(CLUSTER_PAUSE_MS.1)
                    .tcp_settings(tcp_settings());
                if let Some(certificates) = certificates {
                    builder = builder.certs(certificates.clone());
                }
                let nodes = nodes.iter();
                let nodes = nodes.map(|node| Client::open(complete(node, certificates)?));
                Ok(Self::Cluster {
                    client: builder.build()?,
                    nodes: nodes.collect::<RedisResult<_>>()?,
                })
            }
            Topology::Sentinel {
                name,
                master,
                sentinels,
            } => {
                let clients = sentinels.iter().map(|sentinel| {
                    sentinel_client(name, master, sentinel, certificates).map(Mutex::new)
                });
                Ok(Self::Sentinels(clients.collect::<RedisResult<_>>()?))
            }
        }
    }
}

/// The master, as named by the first sentinel that knows one which says the same of itself.
async fn master(sentinels: &[Mutex<SentinelClient>]) -> RedisResult<Client> {
    let lookups = sentinels
        .iter()
        .map(|sentinel| async { sentinel.lock().await.async_get_client().await }.boxed());
    Ok(select_ok(lookups).await?.0)
}

fn sentinel_client(
    name: &str,
    master: &ConnectionInfo,
    sentinel: &ConnectionInfo,
    certificates: Option<&TlsCertificates>,
) -> RedisResult<SentinelClient> {
    let addresses = [sentinel.addr().clone()];
    let mut builder = SentinelClientBuilder::new(addresses, name, SentinelServerType::Master)?
        .set_client_to_redis_db(master.redis_settings().db())
        .set_client_to_redis_tcp_settings(tcp_settings())
        .set_client_to_sentinel_tcp_settings(tcp_settings());
    if let ConnectionAddr::TcpTls { .. } = master.addr() {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
    }
    if let Some(username) = master.redis_settings().username() {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = master.redis_settings().password() {
        builder = builder.set_client_to_redis_password(password);
    }
    if let Some(username) = sentinel.redis_settings().username() {
        builder = builder.set_client_to_sentinel_username(username);
    }
    if let Some(password) = sentinel.redis_settings().password() {
        builder = builder.set_client_to_sentinel_password(password);
    }
    if let Some(certificates) = certificates {
        builder = builder
            .set_client_to_redis_certificates(certificates.clone())
            .set_client_to_sentinel_certificates(certificates.clone());
    }
    builder.build()
}

/// The settings that an address does not have.
fn complete(
    server: &ConnectionInfo,
    certificates: Option<&TlsCertificates>,
) -> RedisResult<ConnectionInfo> {
    let server = server.clone().set_tcp_settings(tcp_settings());
    Ok(match certificates {
        None => server,
        Some(certificates) => Client::build_with_tls(server, certificates.clone())?
            .get_connection_info()
            .clone(),
    })
}

/// Requests are small, and each is waited for.
fn tcp_settings() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

/// The library takes a file without any certificate for a list of none.
fn certificates(pem: &[u8]) -> Result<TlsCertificates, BuildError> {
    let refuse = |text: String| Err(BuildError::Certificates(text));
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Err(error) => refuse(error.to_string()),
        Ok(found) if found.is_empty() => refuse("there is no certificate in PEM".to_owned()),
        Ok(_) => Ok(TlsCertificates {
            client_tls: None,
            root_cert: Some(pem.to_vec()),
        }),
    }
}
