//! A cluster of Redis servers.

use std::time::Duration;

use deadpool_redis::redis::{cluster::ClusterClientBuilder, cluster_async::ClusterConnection};
use futures_util::future::join_all;

use crate::harness::{RedisServer, eventually};

const START: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(20);
const NODES: u16 = 3;
const SLOTS: u16 = 16_384;

/// Three masters that share the slots evenly and have no replicas.
pub(crate) struct RedisCluster {
    /// The masters, in the order of their slots.
    pub(crate) nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts the nodes, makes them a cluster, and waits until each says that it is one.
    pub(crate) async fn start() -> Self {
        let nodes = join_all((0..NODES).map(|_| {
            RedisServer::with()
                .line("cluster-enabled yes")
                .line("cluster-node-timeout 3000")
                .start()
        }))
        .await;
        for (n, node) in (0..NODES).zip(&nodes) {
            let epoch = (n + 1).to_string();
            node.ask::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch])
                .await;
            let slots: Vec<_> = slots_of(n).map(|slot| slot.to_string()).collect();
            let mut command = vec!["CLUSTER", "ADDSLOTS"];
            command.extend(slots.iter().map(String::as_str));
            node.ask::<()>(&command).await;
        }
        for other in &nodes[1..] {
            let port = other.port().to_string();
            nodes[0]
                .ask::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port])
                .await;
        }
        let cluster = Self { nodes };
        cluster.until_complete().await;
        cluster
    }

    /// Where clients find it: every node, as the first may be down.
    pub(crate) fn url(&self) -> String {
        let addresses: Vec<_> = self.addresses().collect();
        format!("redis://{}", addresses.join(","))
    }

    /// A connection that finds the node of every key by itself.
    pub(crate) async fn connection(&self) -> ClusterConnection {
        ClusterClientBuilder::new(self.addresses().map(|address| format!("redis://{address}")))
            .connection_timeout(PATIENCE)
            .response_timeout(PATIENCE)
            .build()
            .expect("the addresses of nodes are legal")
            .get_async_connection()
            .await
            .expect("a complete cluster takes connections")
    }

    /// Every key, of whatever node, whose name has this id in it.
    pub(crate) async fn keys_of(&self, sim_id: &str) -> Vec<String> {
        let mut keys = join_all(self.nodes.iter().map(|node| node.keys_of(sim_id)))
            .await
            .concat();
        keys.sort();
        keys
    }

    /// Waits until every node knows all the others and serves its keys.
    pub(crate) async fn until_complete(&self) {
        for node in &self.nodes {
            eventually(START, "the node is part of a cluster", async || {
                let info: String = node.ask(&["CLUSTER", "INFO"]).await;
                let holds = |line: &str| info.lines().any(|l| l == line);
                if holds("cluster_state:ok") && holds("cluster_known_nodes:3") {
                    Ok(())
                } else {
                    Err(info)
                }
            })
            .await;
        }
    }

    fn addresses(&self) -> impl Iterator<Item = String> {
        self.nodes.iter().map(|node| node.address().to_string())
    }
}

fn slots_of(node: u16) -> std::ops::Range<u16> {
    let begin = |n: u32| u16::try_from(n * u32::from(SLOTS) / u32::from(NODES));
    let (first, end) = (begin(node.into()), begin(u32::from(node) + 1));
    first.expect("slots are small")..end.expect("slots are small")
}
