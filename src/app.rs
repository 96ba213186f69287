//! The service as a whole: the only place that knows every part of it.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;

use crate::{
    clock::Clock,
    config::{Config, StorageBackend},
    http,
    physics::WorldLimits,
    registry::{MemoryRegistry, Registry},
    shutdown::Shutdown,
    simulations::{Services, Simulations, StepPool},
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
    /// Starts the service on `listener`.
    #[expect(
        clippy::unused_async,
        reason = "a registry may have to be reached first"
    )]
    pub async fn start(config: Config, listener: TcpListener) -> io::Result<Self> {
        let (clock, shutdown) = (Clock::start(), Shutdown::default());
        let registry: Arc<dyn Registry> = match config.storage_backend {
            StorageBackend::Memory => {
                tracing::info!("Initialized MemoryStorage backend (local development)");
                Arc::new(MemoryRegistry::new(clock))
            }
        };
        let simulations = Simulations::new(services(&config, clock)?, registry);
        let address = listener.local_addr()?;
        let config = Arc::new(config);
        shutdown.spawn(http::serve(
            listener,
            Arc::clone(&config),
            simulations.clone(),
            shutdown.clone(),
        ));
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
        let in_time = self.shutdown.drain(self.config.shutdown_grace()).await;
        self.simulations.close();
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

/// Listens where `config` says; on IPv4 alone where all addresses are asked for and there is no
/// IPv6.
pub fn bind(config: &Config) -> io::Result<TcpListener> {
    let address = SocketAddr::new(config.host, config.port);
    let bound = match listen(address) {
        Err(_) if config.host.is_ipv6() && config.host.is_unspecified() => listen(SocketAddr::new(
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            config.port,
        )),
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

fn services(config: &Config, clock: Clock) -> io::Result<Services> {
    Ok(Services {
        instance_id: config.instance_id(),
        pool: StepPool::start(config.compute_threads())?,
        clock,
        limits: WorldLimits {
            max_bodies: config.max_bodies_per_simulation as usize,
            max_joints: config.max_joints_per_simulation as usize,
            max_steps: config.max_steps_per_request,
            max_frames: config.max_frames_per_reply,
        },
        max_simulations: config.max_simulations as usize,
        max_queue: config.max_queue_per_simulation as usize,
        request_timeout: Duration::from_millis(config.request_timeout_ms),
        default_ttl: Duration::from_secs(config.storage_ttl_seconds),
        freeze_after: Duration::from_secs(config.freeze_after_seconds),
        is_draining: AtomicBool::new(false),
    })
}
