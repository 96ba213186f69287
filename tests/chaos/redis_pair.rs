//! A Redis that writes everything to its file, and another one that follows it.

use std::time::Duration;

use crate::harness::{Proxy, RedisServer, eventually};

const SOON: Duration = Duration::from_secs(60);

/// The servers, and the way between them.
pub(crate) struct RedisPair {
    /// The one that is written to.
    pub(crate) primary: RedisServer,
    replica: RedisServer,
    /// From the replica to the primary.
    pub(crate) link: Proxy,
    /// What servers printed that have been started again since.
    pub(crate) past_logs: Vec<String>,
}

impl RedisPair {
    pub(crate) async fn start() -> Self {
        let (primary, replica) = (server().await, server().await);
        let link = Proxy::to(primary.address()).await;
        let pair = Self {
            primary,
            replica,
            link,
            past_logs: Vec::new(),
        };
        pair.follow().await;
        pair.until_followed().await;
        pair
    }

    /// Ends the primary as a crash would and makes the replica the next one. What had not reached
    /// it is gone.
    pub(crate) async fn promote(&mut self) {
        self.keep_logs();
        self.primary.kill();
        self.replica.ask::<()>(&["REPLICAOF", "NO", "ONE"]).await;
        std::mem::swap(&mut self.primary, &mut self.replica);
    }

    /// Starts the former primary again, which follows the new one.
    pub(crate) async fn rejoin(&mut self) {
        self.replica.restart().await;
        self.link.cut().await;
        self.link.redirect(self.primary.address());
        self.link.heal().await;
        self.follow().await;
    }

    /// Ends the primary as a crash would and starts it again.
    pub(crate) async fn restart(&mut self) {
        self.keep_logs();
        self.primary.restart().await;
    }

    /// Waits until the replica has what the primary has.
    pub(crate) async fn until_followed(&self) {
        eventually(SOON, "the replica follows", async || {
            let info: Result<String, _> = self.replica.try_ask(&["INFO", "replication"]).await;
            match info {
                Ok(info) if info.contains("master_link_status:up") => Ok(()),
                other => Err(other),
            }
        })
        .await;
    }

    /// What both have printed.
    pub(crate) fn logs(&self) -> Vec<String> {
        [
            &self.past_logs[..],
            &self.primary.log(),
            &self.replica.log(),
        ]
        .concat()
    }

    async fn follow(&self) {
        let port = self.link.address().port().to_string();
        self.replica
            .ask::<()>(&["REPLICAOF", "127.0.0.1", &port])
            .await;
    }

    fn keep_logs(&mut self) {
        self.past_logs.extend(self.primary.log());
    }
}

async fn server() -> RedisServer {
    RedisServer::with()
        .append_only()
        .line("auto-aof-rewrite-percentage 0")
        .line("repl-timeout 10")
        .start()
        .await
}
