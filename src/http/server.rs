//! The accept loop: one task for each connection, within a limit.

use std::{
    convert::Infallible,
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{body::Body, extract::Request, response::Response};
use futures_util::stream::{FuturesUnordered, StreamExt};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};

use crate::{metrics::Metrics, shutdown::Shutdown};

/// How long a connection may be idle, or take to send the head of a request; at most twice as
/// long passes before it is closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How many headers a request may have.
const MAX_HEADERS: usize = 100;
/// How many bytes the head of a request may have.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// How long to wait before accepting again when the process has run out of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What answers the requests of a connection.
pub(super) trait Endpoint: Clone + Send + Sync + 'static {
    /// Answers one request, which came from `peer`.
    fn serve(
        self: Arc<Self>,
        request: Request,
        peer: IpAddr,
    ) -> impl Future<Output = Response> + Send;

    /// Where its connections are counted, if they are.
    fn counts_in(&self) -> Option<&Metrics> {
        None
    }
}

/// What happens on a connection.
#[derive(Default)]
struct Activity {
    requests: AtomicU64,
    is_busy: AtomicBool,
}

/// Why a connection that could go on is ended.
enum End {
    /// The process takes no new work.
    Drained,
    /// Nothing has happened on it for a while.
    Ceased,
}

/// Serves connections until the process drains, then waits for what they are doing.
pub(super) async fn serve(
    listener: TcpListener,
    endpoint: impl Endpoint,
    max_connections: usize,
    shutdown: Shutdown,
) {
    let places = Arc::new(Semaphore::new(max_connections));
    // Dropped with this future, it ends whatever is still going on.
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! { biased;
            () = shutdown.drained() => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, address, place)) => {
                let (endpoint, shutdown) = (endpoint.clone(), shutdown.clone());
                connections.spawn(async move {
                    serve_connection(stream, address, endpoint, shutdown).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await;
    let place = place.expect("the semaphore is never closed");
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer.ip().to_canonical(), place))
}

async fn serve_connection(
    stream: TcpStream,
    peer: IpAddr,
    endpoint: impl Endpoint,
    shutdown: Shutdown,
) {
    // One of its own for each connection: all of them counting references to the same would have
    // the cores wait for each other.
    let endpoint = Arc::new(endpoint);
    let _open = Open::count(Arc::clone(&endpoint));
    let activity = Arc::new(Activity::default());
    let observed = Arc::clone(&activity);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (endpoint, activity) = (Arc::clone(&endpoint), Arc::clone(&observed));
        async move {
            activity.is_busy.store(true, Ordering::Relaxed);
            let answered = endpoint.serve(request.map(Body::new), peer).await;
            activity.is_busy.store(false, Ordering::Relaxed);
            activity.requests.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Infallible>(answered)
        }
    });
    let connection = http1::Builder::new()
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // In a set of its own it is looked at when it is woken itself, and not with each request.
    let mut end = FuturesUnordered::from_iter([async {
        tokio::select! {
            () = shutdown.drained() => End::Drained,
            () = activity.ceased() => End::Ceased,
        }
    }]);
    let served = tokio::select! { biased;
        served = connection.as_mut() => served,
        Some(end) = end.next() => match end {
            End::Drained => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            End::Ceased => return,
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// An open connection, for as long as it is one.
struct Open<E: Endpoint>(Arc<E>);

impl<E: Endpoint> Open<E> {
    fn count(endpoint: Arc<E>) -> Self {
        if let Some(metrics) = endpoint.counts_in() {
            metrics.connections.inc();
        }
        Self(endpoint)
    }
}

impl<E: Endpoint> Drop for Open<E> {
    fn drop(&mut self) {
        if let Some(metrics) = self.0.counts_in() {
            metrics.connections.dec();
        }
    }
}

impl Activity {
    /// Completes when no request has been answered for a while, and none is being answered.
    ///
    /// Looks now and then, rather than setting a timer for each request.
    async fn ceased(&self) {
        let mut seen = None;
        loop {
            let requests = self.requests.load(Ordering::Relaxed);
            if seen.replace(requests) == Some(requests) && !self.is_busy.load(Ordering::Relaxed) {
                return;
            }
            tokio::time::sleep(HEAD_TIMEOUT).await;
        }
    }
}
