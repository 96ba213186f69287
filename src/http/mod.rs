//! HTTP: translation only. No rule about simulations lives here.

mod edge;
mod extract;
mod json;
mod observed;
mod openapi;
mod problem;
mod problem_code;
mod router;
mod routes;
mod server;
mod state;

use std::sync::Arc;

use tokio::net::TcpListener;

pub use self::problem_code::ProblemCode;
use self::{
    edge::Edge,
    state::{AppState, Parts},
};
use crate::{config::Config, shutdown::Shutdown, simulations::Simulations};

/// Serves the API until the process drains.
pub async fn serve(
    listener: TcpListener,
    config: Arc<Config>,
    simulations: Simulations,
    shutdown: Shutdown,
) {
    let (routes, document) = router::documented();
    let state = AppState::new(Parts {
        simulations: simulations.clone(),
        config: Arc::clone(&config),
        openapi: document
            .to_json()
            .expect("the document has nothing that cannot be written")
            .into(),
    });
    let routes = router::router(routes, state);
    let edge = Edge::new(routes, simulations, &config);
    server::serve(listener, edge, config.max_connections as usize, shutdown).await;
}
