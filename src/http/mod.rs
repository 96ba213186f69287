//! HTTP: translation only. No rule about simulations lives here.

mod accept;
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
mod router;
mod routes;
mod server;
mod state;

use std::sync::Arc;

use tokio::{net::TcpListener, sync::Semaphore};

pub(crate) use self::problem::problem_of;
use self::{
    edge::{Edge, Side},
    forward::{Forwarder, Junction},
    metrics_server::MetricsPage,
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
    let edge = |side, routes, forwarder| {
        let junction = Junction { routes, forwarder };
        Edge::new(side, junction, simulations.clone(), &config)
    };
    let places = config.max_connections as usize;
    let public = server::serve(
        listener,
        edge(Side::Public, routes.clone(), forwarder),
        places,
        shutdown.clone(),
    );
    let internal = async {
        if let Some(internal) = internal {
            // Whoever is asked by another instance asks nobody else.
            let edge = edge(Side::Internal, router::internal(routes, state), None);
            server::serve(internal, edge, places, shutdown).await;
        }
    };
    tokio::join!(public, internal);
}

/// Shows what was counted until the process drains.
pub async fn serve_metrics(
    listener: TcpListener,
    simulations: Simulations,
    store: AskStore,
    shutdown: Shutdown,
) {
    let page = MetricsPage { simulations, store };
    server::serve(listener, page, MAX_READERS, shutdown).await;
}
