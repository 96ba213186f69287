//! HTTP: translation only. No rule about simulations lives here.

mod accept;
mod admission;
mod auth;
mod caller;
mod client_address;
mod conditions;
mod cors;
mod edge;
mod extract;
mod fly;
mod forward;
mod hop;
mod item;
mod json;
mod metrics_server;
mod observed;
mod openapi;
mod paging;
mod problem;
mod problem_code;
mod request_id;
mod router;
mod routes;
mod server;
mod state;

use std::{sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::Semaphore};

pub(crate) use self::problem::problem_of;
use self::{
    admission::Gate,
    edge::{Edge, Side},
    forward::{Forwarder, Junction},
    metrics_server::MetricsPage,
    server::{Door, Patience},
    state::{AppState, Parts},
};
pub use self::{metrics_server::AskStore, problem_code::ProblemCode};
use crate::{config::Config, shutdown::Shutdown, simulations::Simulations};

/// How many connections there may be for what was counted.
const MAX_READERS: usize = 16;

/// How many histories are made again at a time for those who want to see whether they can.
const MAX_REPLAYS: usize = 2;

/// Serves the API to clients, and to other instances where there may be any, until the process
/// drains.
pub async fn serve(
    listener: TcpListener,
    internal: Option<TcpListener>,
    config: Arc<Config>,
    simulations: Simulations,
    shutdown: Shutdown,
) {
    let (routes, document) = router::documented(!config.api_keys.0.is_empty());
    let forwarder = simulations
        .is_in_fleet()
        .then(|| Arc::new(Forwarder::new(simulations.clone(), &config)));
    let state = AppState::new(Parts {
        simulations: simulations.clone(),
        config: Arc::clone(&config),
        forwarder: forwarder.clone(),
        replays: Semaphore::new(MAX_REPLAYS),
        openapi: document
            .to_json()
            .expect("the document has nothing that cannot be written")
            .into(),
    });
    let routes = router::router(routes, state.clone());
    let gate = Gate::new(Duration::from_millis(config.max_queue_delay_ms));
    let watched = Arc::clone(&gate).watch();
    shutdown.spawn_unawaited(async {
        if let Err(error) = watched.await {
            tracing::error!(%error, "nobody looks how late requests are answered");
        }
    });
    let edge = |side, routes, forwarder| {
        let junction = Junction { routes, forwarder };
        Edge::new(side, junction, simulations.clone(), &gate, &config)
    };
    let door = Door {
        max_connections: config.max_connections as usize,
        max_per_peer: config.max_connections_per_peer as usize,
        patience: Patience::new(&config),
    };
    let public = server::serve(
        listener,
        edge(Side::Public, routes.clone(), forwarder),
        door,
        shutdown.clone(),
    );
    let internal = async {
        if let Some(internal) = internal {
            // Whoever is asked by another instance asks nobody else.
            let edge = edge(Side::Internal, router::internal(routes, state), None);
            let door = Door {
                // They are few, and have many connections each.
                max_per_peer: 0,
                patience: door.patience.with_instances(),
                ..door
            };
            server::serve(internal, edge, door, shutdown).await;
        }
    };
    tokio::join!(public, internal);
}

/// Shows what was counted until the process drains.
pub async fn serve_metrics(
    listener: TcpListener,
    simulations: Simulations,
    store: AskStore,
    config: Arc<Config>,
    shutdown: Shutdown,
) {
    let page = MetricsPage { simulations, store };
    let door = Door {
        max_connections: MAX_READERS,
        max_per_peer: 0,
        patience: Patience::new(&config),
    };
    server::serve(listener, page, door, shutdown).await;
}
