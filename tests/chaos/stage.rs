//! Three instances, Redis with a replica, and a proxy on every way between them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures_util::future::join_all;

use crate::{
    harness::{Client, Fleet, Proxy, Ways, free_port},
    history::World,
    options::Plan,
    redis_pair::RedisPair,
    soak::spared,
};

pub(crate) const INSTANCES: usize = 3;
/// How long an instance may take to end that was told to.
const EXIT: Duration = Duration::from_secs(40);

/// Everything that can be broken.
pub(crate) struct Stage {
    pub(crate) fleet: Fleet,
    pub(crate) redis: RedisPair,
    /// From clients to each instance.
    pub(crate) doors: Vec<Proxy>,
    /// From the others to each instance.
    pub(crate) peers: Vec<Proxy>,
    /// From each instance to Redis.
    pub(crate) to_redis: Vec<Proxy>,
    /// Where each instance tells what it counts.
    pub(crate) metrics: Vec<u16>,
    /// Instances that no fault may end or stop.
    pub(crate) spared: BTreeSet<usize>,
    pub(crate) lease: Duration,
    /// How many processes were killed.
    pub(crate) kills: usize,
    /// What each instance has printed that was started again since.
    past_logs: BTreeMap<usize, Vec<String>>,
}

impl Stage {
    pub(crate) async fn set(plan: &Plan) -> Self {
        let redis = RedisPair::start().await;
        let ports: Vec<_> = (0..INSTANCES).map(|_| free_port()).collect();
        let to_redis = join_all(ports.iter().map(|_| Proxy::to(redis.primary.address()))).await;
        let peers = join_all(
            ports
                .iter()
                .map(|port| Proxy::to(([127, 0, 0, 1], *port).into())),
        )
        .await;
        let urls: Vec<_> = to_redis
            .iter()
            .map(|proxy| redis.primary.url_through(proxy))
            .collect();
        let urls: Vec<_> = urls.iter().map(String::as_str).collect();
        let metrics: Vec<_> = (0..INSTANCES).map(|_| free_port()).collect();
        let own: Vec<_> = ports
            .iter()
            .zip(&metrics)
            .zip(&peers)
            .map(|((port, metrics), peer)| {
                let url = format!("http://{}", peer.address());
                [port.to_string(), metrics.to_string(), url]
            })
            .collect();
        let own: Vec<_> = own
            .iter()
            .map(|[port, metrics, url]| {
                vec![
                    ("INTERNAL_PORT", port.as_str()),
                    ("METRICS_PORT", metrics.as_str()),
                    ("ADVERTISE_URL", url.as_str()),
                ]
            })
            .collect();
        let lease = plan.lease.as_millis().to_string();
        let redis_timeout = (plan.lease.as_millis() / 6).to_string();
        let shared = [
            ("DEFAULT_DURABILITY", "journal"),
            ("STATE_HASH", "true"),
            ("LEASE_TTL_MS", lease.as_str()),
            ("REDIS_TIMEOUT_MS", redis_timeout.as_str()),
            ("REQUEST_TIMEOUT_MS", "4000"),
            ("SHUTDOWN_GRACE_MS", "6000"),
            ("FREEZE_AFTER_SECONDS", "1"),
            // Where memory is watched they go to rest in the pauses, and not before: of what rests
            // nobody can tell Redis again.
            (
                "HIBERNATE_AFTER_SECONDS",
                if plan.is_soak { "8" } else { "300" },
            ),
            ("ASSET_TTL_SECONDS", "60"),
            ("COMPUTE_THREADS", "2"),
        ];
        let fleet = Fleet::start_each(&urls, &shared, &own).await;
        let doors = fleet
            .clients()
            .into_iter()
            .map(|client| Proxy::to(client.address()));
        let doors = join_all(doors).await;
        Self {
            fleet,
            redis,
            doors,
            peers,
            to_redis,
            metrics,
            spared: spared(plan),
            lease: plan.lease,
            kills: 0,
            past_logs: BTreeMap::new(),
        }
    }

    /// Those whom clients ask, whoever stands behind their doors.
    pub(crate) fn clients(&self) -> Vec<Client> {
        let doors = self.doors.iter();
        doors.map(|door| Client::new(door.address())).collect()
    }

    /// Ends an instance as a crash would; its ports refuse connections from then on.
    pub(crate) async fn kill(&mut self, place: usize) {
        self.fleet[place].kill();
        self.kills += 1;
        self.shut(place).await;
    }

    /// Tells an instance to stop, and waits until it has. Whether it did so in order.
    pub(crate) async fn stop(&mut self, place: usize) -> bool {
        self.fleet[place].signal("TERM");
        let ended = self.fleet[place].exit(EXIT).await;
        self.shut(place).await;
        ended.success()
    }

    /// Starts an instance that has ended again.
    pub(crate) async fn start(&mut self, place: usize) {
        let log = self.fleet[place].log();
        self.past_logs.entry(place).or_default().extend(log);
        let client = self.fleet.restart(place).await;
        self.doors[place].redirect(client.address());
        self.doors[place].heal().await;
        self.peers[place].heal().await;
    }

    /// Leads all instances to the server that is written to now.
    pub(crate) async fn follow_primary(&mut self) {
        let primary = self.redis.primary.address();
        for proxy in &mut self.to_redis {
            proxy.cut().await;
            proxy.redirect(primary);
            proxy.heal().await;
        }
    }

    /// Has every connection pass everything at once again.
    pub(crate) async fn heal_links(&mut self) {
        let Self {
            doors,
            peers,
            to_redis,
            redis,
            ..
        } = self;
        let link = &mut redis.link;
        for proxy in doors.iter_mut().chain(peers).chain(to_redis).chain([link]) {
            proxy.heal().await;
        }
    }

    /// Who owns each of these simulations, as Redis has it.
    pub(crate) async fn owners(&self, worlds: &[Arc<World>]) -> BTreeMap<String, Option<String>> {
        let mut owners = BTreeMap::new();
        for world in worlds {
            let entry = self.redis.primary.hash(&meta(&world.id)).await;
            let owner = entry.get("owner").and_then(|owner| owner.split(':').next());
            owners.insert(world.id.clone(), owner.map(str::to_owned));
        }
        owners
    }

    /// Instances that have ended by themselves.
    pub(crate) fn fallen(&mut self) -> BTreeSet<usize> {
        let places = 0..INSTANCES;
        places
            .filter(|&place| !self.fleet[place].is_running())
            .collect()
    }

    /// What everybody has printed, by name.
    pub(crate) fn logs(&self) -> BTreeMap<String, Vec<String>> {
        let mut logs = BTreeMap::from([("redis".to_owned(), self.redis.logs())]);
        for place in 0..INSTANCES {
            let mut log = self.past_logs.get(&place).cloned().unwrap_or_default();
            log.extend(self.fleet[place].log());
            logs.insert(name(place), log);
        }
        logs
    }

    async fn shut(&mut self, place: usize) {
        self.doors[place].cut().await;
        self.peers[place].cut().await;
    }
}

/// The key of a simulation's entry.
pub(crate) fn meta(id: &str) -> String {
    format!("sim:{{{id}}}:meta")
}

/// What an instance is called.
pub(crate) fn name(place: usize) -> String {
    ["a", "b", "c"][place].to_owned()
}

/// Some way in which a line may fail.
pub(crate) async fn harm(proxy: &mut Proxy, way: Option<Ways>) {
    match way {
        Some(ways) => proxy.swallow(ways),
        None => proxy.cut().await,
    }
}
