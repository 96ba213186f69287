//! A Redis master with a replica, and the sentinels that choose which is which.

use std::time::Duration;

use deadpool_redis::redis::RedisResult;
use futures_util::future::join_all;

use crate::harness::{RedisServer, eventually};

const START: Duration = Duration::from_secs(60);
const FAIL_OVER: Duration = Duration::from_secs(60);
/// What the sentinels call the master.
const NAME: &str = "mymaster";

/// Two servers with the same data and three sentinels.
pub(crate) struct SentinelSet {
    /// The servers that hold data; the first one begins as the master.
    pub(crate) servers: Vec<RedisServer>,
    /// The sentinels.
    pub(crate) sentinels: Vec<RedisServer>,
    master: usize,
}

impl SentinelSet {
    /// Starts all five and waits until every sentinel knows the others and the replica.
    pub(crate) async fn start() -> Self {
        let master = RedisServer::start().await;
        let port = master.port();
        let replica = RedisServer::with().line(format!("replicaof 127.0.0.1 {port}"));
        let replica = replica.start().await;
        let sentinels = join_all((0..3).map(|_| watcher(port))).await;
        let set = Self {
            servers: vec![master, replica],
            sentinels,
            master: 0,
        };
        set.until_followed().await;
        set.until_agreed().await;
        set
    }

    /// Where clients find it: the name to ask for, and whom to ask.
    pub(crate) fn url(&self) -> String {
        let sentinels: Vec<_> = self
            .sentinels
            .iter()
            .map(|sentinel| sentinel.address().to_string())
            .collect();
        format!("redis://{NAME}?sentinel={}", sentinels.join(","))
    }

    /// The server that was the master when last looked at.
    pub(crate) fn master(&self) -> &RedisServer {
        &self.servers[self.master]
    }

    /// Kills the master, for the sentinels to notice.
    pub(crate) fn fail_over(&mut self) {
        self.servers[self.master].kill();
    }

    /// Makes a sentinel swap master and replica, both of which go on running.
    ///
    /// Sentinels that have not seen the last change through would undo this one.
    pub(crate) async fn switch_over(&self) {
        self.until_agreed().await;
        eventually(START, "a sentinel begins to switch over", async || {
            self.sentinels[0]
                .try_ask::<()>(&["SENTINEL", "FAILOVER", NAME])
                .await
        })
        .await;
    }

    /// Waits until every sentinel names a master other than before, and that one agrees.
    pub(crate) async fn wait_for_new_master(&mut self) -> &RedisServer {
        let before = self.master().port();
        let master = eventually(FAIL_OVER, "there is a new master", async || {
            let named = self.named_ports().await;
            let port = named[0];
            if port == before || named.iter().any(|&other| other != port) {
                return Err(format!("after {before}, the sentinels name {named:?}"));
            }
            let place = self
                .servers
                .iter()
                .position(|server| server.port() == port)
                .expect("sentinels name a server that they watch");
            let role = said(&self.servers[place], "role:").await?;
            if role != "master" {
                return Err(format!("the new master is {role}"));
            }
            Ok(place)
        })
        .await;
        self.master = master;
        self.master()
    }

    /// Waits until the other server follows the master and has what that one has now.
    ///
    /// A master answers before its replica has heard of a change, and it may end in between.
    pub(crate) async fn until_followed(&self) {
        let (master, other) = (self.master(), &self.servers[1 - self.master]);
        let offset = async |server| {
            let offset = said(server, "master_repl_offset:").await?;
            offset.parse::<u64>().map_err(|error| error.to_string())
        };
        let all = eventually(START, "the master counts", async || offset(master).await).await;
        eventually(START, "the other server follows", async || {
            let link = said(other, "master_link_status:").await?;
            let has = offset(other).await?;
            if link == "up" && has >= all {
                Ok(())
            } else {
                Err(format!("{link}, at {has} of {all}"))
            }
        })
        .await;
    }

    async fn named_ports(&self) -> Vec<u16> {
        let ask = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME];
        join_all(self.sentinels.iter().map(async |sentinel| {
            let (_host, port): (String, u16) = sentinel.ask(&ask).await;
            port
        }))
        .await
    }

    /// Waits until every sentinel has seen the others, the master and its replica in their parts.
    async fn until_agreed(&self) {
        for sentinel in &self.sentinels {
            eventually(START, "the sentinel knows the others", async || {
                let master: Vec<(String, String)> = sentinel
                    .try_ask(&["SENTINEL", "MASTER", NAME])
                    .await
                    .map_err(|error| error.to_string())?;
                let replicas: Vec<Vec<(String, String)>> = sentinel
                    .try_ask(&["SENTINEL", "SLAVES", NAME])
                    .await
                    .map_err(|error| error.to_string())?;
                let settled = holds(&master, "flags", "master")
                    && holds(&master, "num-other-sentinels", "2")
                    && replicas.len() == 1
                    && holds(&replicas[0], "flags", "slave")
                    && holds(&replicas[0], "role-reported", "slave")
                    && holds(&replicas[0], "master-link-status", "ok");
                if settled {
                    Ok(())
                } else {
                    Err(format!("{master:?}, {replicas:?}"))
                }
            })
            .await;
        }
    }
}

fn holds(state: &[(String, String)], name: &str, value: &str) -> bool {
    state.iter().any(|(n, v)| n == name && v == value)
}

/// What the server says under this name about its part in replication.
///
/// A change of roles closes the connections of a server, so that there may be no answer.
async fn said(server: &RedisServer, name: &str) -> Result<String, String> {
    let info: RedisResult<String> = server.try_ask(&["INFO", "replication"]).await;
    let info = info.map_err(|error| error.to_string())?;
    let value = info.lines().find_map(|line| line.strip_prefix(name));
    value.map(str::to_owned).ok_or(info)
}

/// A sentinel that soon takes silence for an end.
async fn watcher(master: u16) -> RedisServer {
    let sentinel = RedisServer::with()
        .sentinel()
        .line(format!("sentinel monitor {NAME} 127.0.0.1 {master} 2"))
        .line(format!("sentinel down-after-milliseconds {NAME} 1500"))
        .line(format!("sentinel failover-timeout {NAME} 2000"))
        .start()
        .await;
    // Seconds pass by default between one look and the next, and a sentinel that was kept from
    // working for two of them trusts nothing for half a minute. Redis before 7 cannot be told.
    let _told = sentinel
        .try_ask::<()>(&[
            "SENTINEL",
            "DEBUG",
            "INFO-PERIOD",
            "500",
            "PUBLISH-PERIOD",
            "500",
            "PING-PERIOD",
            "200",
            "ASK-PERIOD",
            "200",
            "TILT-TRIGGER",
            "60000",
        ])
        .await;
    sentinel
}
