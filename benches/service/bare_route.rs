//! The bare axum route the service is compared with: parses the same request, answers the same bytes, does nothing.

use std::{
    hint::black_box,
    io::{self, Read, Write},
    net::Ipv4Addr,
};

use axum::{
    Json, Router,
    extract::State,
    http::header,
    response::IntoResponse,
    routing::{get, post},
    serve::ListenerExt,
};
use bytes::Bytes;
use serde::Deserialize;
use tokio::{net::TcpListener, runtime::Runtime};

use crate::Outcome;

/// The fields of the service's own request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepRequest {
    steps: u32,
    dt: Option<f64>,
}

/// Answers the bytes read from standard input on both routes until it is killed; prints its port first.
pub(crate) fn serve() -> Outcome<()> {
    let mut body = Vec::new();
    io::stdin().read_to_end(&mut body)?;
    Runtime::new()?.block_on(async {
        let router = Router::new()
            .route("/simulations/{sim_id}/step", post(step))
            .route("/simulations/{sim_id}/state", get(state))
            .with_state(Bytes::from(body));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        writeln!(io::stdout(), "{}", listener.local_addr()?.port())?;
        let listener = listener.tap_io(|stream| {
            stream
                .set_nodelay(true)
                .expect("a fresh TCP stream takes TCP_NODELAY");
        });
        axum::serve(listener, router).await?;
        Ok(())
    })
}

async fn step(State(body): State<Bytes>, Json(request): Json<StepRequest>) -> impl IntoResponse {
    black_box((request.steps, request.dt));
    ([(header::CONTENT_TYPE, "application/json")], body)
}

async fn state(State(body): State<Bytes>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], body)
}
