//! The accept loop: one task for each connection, within limits of number and of time.

mod activity;
mod chunks;
mod connection;
mod crowd;
mod gate;
mod head;
mod insistence;
mod patience;
mod stream;

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use axum::{extract::Request, response::Response};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::Instant,
};

pub(super) use self::patience::Patience;
use self::{activity::Activity, crowd::Crowd};
use super::problem::{Circumstances, Problem};
use super::problem_code::ProblemCode;
use crate::{metrics::Metrics, shutdown::Shutdown};

/// How long to wait before accepting again when the process has run out of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a connection has to leave before another one is asked to: it does so as soon as it
/// runs, unless a request has come on it meanwhile.
const LEAVING: Duration = Duration::from_secs(1);

/// What answers the requests of a connection.
pub(super) trait Endpoint: Clone + Send + Sync + 'static {
    /// Answers one request, which came from `peer`.
    fn serve(
        self: Arc<Self>,
        request: Request,
        peer: IpAddr,
    ) -> impl Future<Output = Response> + Send;

    /// Answers a request that was not read, as its framing is in doubt.
    fn refuse(&self, refusal: Problem, peer: IpAddr) -> Response;

    /// Where its connections are counted, if they are.
    fn counts_in(&self) -> Option<&Metrics> {
        None
    }
}

/// Whom a server lets in, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Door {
    pub(super) max_connections: usize,
    /// Connections of one address; 0 for no limit.
    pub(super) max_per_peer: usize,
    pub(super) patience: Patience,
}

/// Serves connections until the process drains, then waits for what they are doing.
pub(super) async fn serve(
    listener: TcpListener,
    endpoint: impl Endpoint,
    door: Door,
    shutdown: Shutdown,
) {
    let epoch = Instant::now();
    let mut crowd = Crowd::new(door.max_connections, door.max_per_peer);
    // Dropped with this future, it ends whatever is still going on.
    let mut connections = JoinSet::new();
    let mut newcomer = None;
    loop {
        tokio::select! { biased;
            () = shutdown.drained() => break,
            Some(ended) = connections.join_next_with_id() => {
                crowd.leave(ended.map_or_else(|failed| failed.id(), |(id, ())| id));
            }
            accepted = accept(&listener), if newcomer.is_none() => newcomer = accepted,
            () = tokio::time::sleep(LEAVING), if newcomer.is_some() => {}
        }
        let Some((stream, peer)) = newcomer.take() else {
            continue;
        };
        if let Some(open) = crowd.too_many_of(peer) {
            turn_away(&stream, door.max_per_peer, open + 1);
        } else if crowd.is_full() {
            crowd.make_room();
            newcomer = Some((stream, peer));
        } else {
            let activity = Arc::new(Activity::new(epoch));
            let connection = connection::serve(
                stream,
                peer,
                endpoint.clone(),
                (Arc::clone(&activity), door.patience),
                shutdown.clone(),
            );
            crowd.enter(connections.spawn(connection).id(), peer, activity);
        }
    }
    drop((listener, newcomer));
    while connections.join_next().await.is_some() {}
}

/// The next connection; nothing if there is a shortage, a while later.
async fn accept(listener: &TcpListener) -> Option<(TcpStream, IpAddr)> {
    let accepted = async {
        let (stream, peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        io::Result::Ok((stream, peer.ip().to_canonical()))
    };
    match accepted.await {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// Tells a connection that its client has too many others. Nothing is read of it, so its client
/// may learn no more than that it is closed.
fn turn_away(stream: &TcpStream, maximum: usize, used: usize) {
    let code = ProblemCode::QuotaExceeded;
    let problem = Problem::limit_exceeded(code, "MAX_CONNECTIONS_PER_PEER", maximum, used);
    let body = problem.to_json(&Circumstances::default());
    let mut reply = format!(
        "HTTP/1.1 {}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\
         retry-after: 1\r\nconnection: close\r\n\r\n",
        problem.status(),
        body.len()
    )
    .into_bytes();
    reply.extend(body);
    drop(stream.try_write(&reply));
}
