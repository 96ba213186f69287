//! The service as a whole: the only place that knows every part of it.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;

use crate::{
    assets::{AssetStore, MemoryAssets, RedisAssets},
    clock::Clock,
    config::{Config, DefaultDurability, RedisDegraded, StorageBackend},
    http::{self, AskStore, problem_of},
    journal::RedisJournal,
    memory::MemoryBudget,
    metrics::{Metrics, SeenStore},
    physics::{Fingerprint, ReadLimits, WorldLimits},
    redis_store::{RedisOptions, RedisStore, RedisTarget},
    registry::{MemoryRegistry, RedisRegistry},
    shutdown::Shutdown,
    simulations::{
        AssetLibrary, Durability, FleetSettings, Limits, Lull, Services, Simulations, StepPool,
    },
};

/// How long those whose requests are cut off have to be told so.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// A running service.
pub struct App {
    address: SocketAddr,
    config: Arc<Config>,
    simulations: Simulations,
    shutdown: Shutdown,
}

impl App {
    /// Starts the service on `listeners`, and on a runtime whose threads take `lull` when they have
    /// nothing to do.
    pub fn start(config: Config, listeners: Listeners, lull: Lull) -> io::Result<Self> {
        let (clock, shutdown) = (Clock::start(), Shutdown::with_thread_apart()?);
        if config.api_keys.0.is_empty() {
            tracing::warn!("API_KEYS is empty: everybody may use the service");
        }
        let mut store = None;
        let metrics = Arc::new(Metrics::default());
        let threads = config.compute_threads();
        let pool = StepPool::start(threads, waiting(&config), &metrics, lull)?;
        let common = (pool, metrics);
        let simulations = match (config.storage_backend, &listeners.internal) {
            (StorageBackend::Redis, Some(internal)) => {
                let target = config.redis_target().map_err(io::Error::other)?;
                let settings = fleet_settings(&config, &target, internal.local_addr()?);
                let redis = store.insert(redis_store(&config)?).clone();
                let assets = Arc::new(RedisAssets::new(redis.clone()));
                let mut services = services(&config, clock, common, assets);
                services.journal = Some(Arc::new(RedisJournal::new(redis.clone(), &shutdown)));
                let registry = Arc::new(RedisRegistry::new(redis));
                tracing::info!(
                    "Initialized RedisStorage backend ({target}, TTL {} s, reached by the other instances on {})",
                    config.storage_ttl_seconds,
                    settings.advertised_url,
                );
                Simulations::in_fleet(services, registry, settings, &shutdown)
            }
            (StorageBackend::Redis | StorageBackend::Memory, _) => {
                tracing::info!("Initialized MemoryStorage backend (local development)");
                let assets = Arc::new(memory_assets(&config, clock));
                let services = services(&config, clock, common, assets);
                Simulations::alone(services, Arc::new(MemoryRegistry::new(clock)))
            }
        };
        shutdown.spawn_unawaited(simulations.clone().keep_assets());
        let memory = Arc::clone(&simulations.services().memory);
        shutdown.spawn_unawaited(async move { memory.watch().await });
        let Listeners {
            public: listener,
            internal,
            metrics,
        } = listeners;
        let address = listener.local_addr()?;
        let config = Arc::new(config);
        shutdown.spawn(http::serve(
            listener,
            internal,
            Arc::clone(&config),
            simulations.clone(),
            shutdown.clone(),
        ));
        if let Some(listener) = metrics {
            let ask: AskStore = Arc::new(move || store.as_ref().map(seen));
            tracing::info!("metrics are on {}", listener.local_addr()?);
            let (simulations, shutdown_of) = (simulations.clone(), shutdown.clone());
            let config = Arc::clone(&config);
            shutdown.spawn(http::serve_metrics(
                listener,
                simulations,
                ask,
                config,
                shutdown_of,
            ));
        }
        tracing::info!(
            instance_id = %simulations.services().instance_id,
            "rapier-physics-service {} listening on {address}",
            env!("CARGO_PKG_VERSION"),
        );
        Ok(Self {
            address,
            config,
            simulations,
            shutdown,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no new work, finishes what runs within the grace period, and stops. Whether all of
    /// it was finished.
    pub async fn drain(self) -> bool {
        self.simulations.drain();
        let begun = Instant::now();
        let grace = self.config.shutdown_grace();
        // Requests go on meanwhile: those for simulations that have left follow them.
        self.simulations.hand_over(grace * 3 / 4).await;
        let left = grace.saturating_sub(begun.elapsed());
        let in_time = self.shutdown.drain(left).await;
        self.simulations.close().await;
        if !in_time {
            // Whoever still waits is told that the outcome is unknown.
            self.shutdown.drain(LAST_WORDS).await;
        }
        self.shutdown.abort();
        if in_time {
            tracing::info!("all requests are finished");
        } else {
            tracing::warn!("some requests were cut off at the end of the grace period");
        }
        in_time
    }
}

/// Where the service is reached.
pub struct Listeners {
    /// By clients.
    pub public: TcpListener,
    /// By other instances, where there may be any.
    pub internal: Option<TcpListener>,
    /// By Prometheus.
    pub metrics: Option<TcpListener>,
}

/// Listens where `config` says; on IPv4 alone where all addresses are asked for and there is no
/// IPv6.
pub fn bind(config: &Config) -> io::Result<Listeners> {
    let in_fleet = config.storage_backend == StorageBackend::Redis;
    if in_fleet {
        // Certificates that cannot be used are told of before any port is taken.
        drop(redis_store(config)?);
    }
    let has_metrics = config.metrics_port > 0;
    Ok(Listeners {
        public: bind_port(config.host, config.port)?,
        internal: in_fleet
            .then(|| bind_port(config.host, config.internal_port))
            .transpose()?,
        metrics: has_metrics
            .then(|| bind_port(config.host, config.metrics_port))
            .transpose()?,
    })
}

fn bind_port(host: IpAddr, port: u16) -> io::Result<TcpListener> {
    let address = SocketAddr::new(host, port);
    let bound = match listen(address) {
        Err(_) if host.is_ipv6() && host.is_unspecified() => {
            listen(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port))
        }
        bound => bound,
    };
    bound.map_err(|error| io::Error::new(error.kind(), format!("{address} is not free: {error}")))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn memory_assets(config: &Config, clock: Clock) -> MemoryAssets {
    let max_bytes = usize::try_from(config.max_asset_memory_bytes).unwrap_or(usize::MAX);
    MemoryAssets::new(clock, config.max_assets as usize, max_bytes)
}

fn waiting(config: &Config) -> Limits {
    Limits {
        patience: Duration::from_millis(config.max_queue_delay_ms),
        max_waiting: config.max_waiting_per_client as usize,
    }
}

fn services(
    config: &Config,
    clock: Clock,
    (pool, metrics): (StepPool, Arc<Metrics>),
    assets: Arc<dyn AssetStore>,
) -> Services {
    let asset_ttl = Duration::from_secs(config.asset_ttl_seconds);
    Services {
        instance_id: config.instance_id(),
        assets: Arc::new(AssetLibrary::new(assets, pool.clone(), clock, asset_ttl)),
        pool,
        clock,
        memory: Arc::new(MemoryBudget::new(config.memory_budget_bytes)),
        metrics,
        durability: match (config.storage_backend, config.default_durability) {
            (StorageBackend::Memory, _) => Durability::Memory,
            (StorageBackend::Redis, DefaultDurability::Registry) => Durability::Registry,
            (StorageBackend::Redis, DefaultDurability::Journal) => Durability::Journal,
        },
        journal: None,
        fingerprint: Fingerprint::compute().to_string().into(),
        hashes_state: config.state_hash,
        limits: WorldLimits {
            max_bodies: config.max_bodies_per_simulation as usize,
            max_colliders: config.max_colliders_per_simulation as usize,
            max_joints: config.max_joints_per_simulation as usize,
            max_controllers: config.max_controllers_per_simulation as usize,
            max_steps: config.max_steps_per_request,
            max_frames: config.max_frames_per_reply,
            max_commands: config.max_commands_per_batch as usize,
        },
        reads: ReadLimits {
            max_queries: config.max_queries_per_request as usize,
            max_hits: config.max_hits_per_query as usize,
            max_contacts: config.max_contacts_per_reply as usize,
        },
        max_simulations: config.max_simulations as usize,
        describe: problem_of,
        max_queue: config.max_queue_per_simulation as usize,
        request_timeout: Duration::from_millis(config.request_timeout_ms),
        default_ttl: Duration::from_secs(config.storage_ttl_seconds),
        freeze_after: Duration::from_secs(config.freeze_after_seconds),
        hibernate_after: Duration::from_secs(config.hibernate_after_seconds),
        is_draining: AtomicBool::new(false),
    }
}

/// How Redis does.
fn seen(store: &RedisStore) -> SeenStore {
    let counters = store.counters();
    SeenStore {
        answered: counters
            .requests
            .saturating_sub(counters.failed + counters.refused),
        failed: counters.failed,
        refused: counters.refused,
        skipped: counters.unavailable,
        durations: counters.durations,
        is_breaker_open: store.is_open(),
    }
}

fn redis_store(config: &Config) -> io::Result<RedisStore> {
    let target = config.redis_target().map_err(io::Error::other)?;
    // An answerable time must outlast the waits for a Redis that hangs (a connection that breaks,
    // a new one, its answer), or nothing would be answered meanwhile.
    let timeout = config.redis_timeout_ms.min(config.lease_ttl_ms / 5);
    let options = RedisOptions {
        timeout: Duration::from_millis(timeout),
        pool_size: config.redis_pool_size as usize,
        ca_pem: config.redis_ca_pem()?,
    };
    RedisStore::new(&target, options).map_err(io::Error::other)
}

fn fleet_settings(config: &Config, target: &RedisTarget, internal: SocketAddr) -> FleetSettings {
    let advertised = config.advertise_url().map(str::to_owned).or_else(|| {
        let ip: IpAddr = config.fly_private_ip.as_ref()?.parse().ok()?;
        Some(format!("http://{}", SocketAddr::new(ip, internal.port())))
    });
    let advertised = match advertised {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None if internal.ip().is_unspecified() => {
            let ip = address_facing(target).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
            format!("http://{}", SocketAddr::new(ip, internal.port()))
        }
        None => format!("http://{internal}"),
    };
    FleetSettings {
        advertised_url: advertised.into(),
        secret: config.internal_secret().map(Into::into),
        lease_ttl: Duration::from_millis(config.lease_ttl_ms),
        ttl_flush: Duration::from_millis(config.ttl_flush_ms),
        sweep: Duration::from_secs(config.sweep_seconds),
        fails_closed: config.redis_degraded == RedisDegraded::FailClosed,
    }
}

/// The local address that faces Redis: the others are likely to reach this instance there, too.
/// Nothing is sent.
fn address_facing(target: &RedisTarget) -> Option<IpAddr> {
    let redis = target.address_hint()?;
    let wildcard: IpAddr = "::".parse().ok()?;
    let sockets = [wildcard, Ipv4Addr::UNSPECIFIED.into()];
    sockets.into_iter().find_map(|local| {
        let socket = UdpSocket::bind((local, 0)).ok()?;
        socket.connect((redis.0.as_str(), redis.1)).ok()?;
        let ip = socket.local_addr().ok()?.ip();
        Some(ip.to_canonical())
    })
}
