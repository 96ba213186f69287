//! One connection, from its first byte to its last.

use std::{convert::Infallible, future::poll_fn, net::IpAddr, sync::Arc, task::Poll};

use axum::body::Body;
use futures_util::stream::{FuturesUnordered, StreamExt};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{
    Endpoint, Patience,
    activity::Activity,
    gate::REFUSED,
    head::{MAX_HEAD_BYTES, MAX_HEADERS},
    insistence::Insistence,
    stream::Watched,
};
use crate::shutdown::Shutdown;

/// What a connection has to be told.
enum Sign {
    /// It is to end, after what is under way.
    Leave,
    /// It is time to see whether the client takes too long.
    Look,
}

pub(super) async fn serve(
    stream: TcpStream,
    peer: IpAddr,
    endpoint: impl Endpoint,
    (activity, patience): (Arc<Activity>, Patience),
    shutdown: Shutdown,
) {
    // One of its own for each connection: all of them counting references to the same would have
    // the cores wait for each other.
    let endpoint = Arc::new(endpoint);
    let _open = Open::count(Arc::clone(&endpoint));
    let stream = Watched::new(stream, Arc::clone(&activity), patience);
    let observed = Arc::clone(&activity);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (endpoint, activity) = (Arc::clone(&endpoint), Arc::clone(&observed));
        async move {
            if request.method().as_str() == REFUSED
                && let Some(refusal) = activity.refusal()
            {
                return Ok(endpoint.refuse(refusal.problem(), peer));
            }
            activity.set_busy(true);
            let answered = endpoint.serve(request.map(Body::new), peer).await;
            activity.set_busy(false);
            Ok::<_, Infallible>(answered)
        }
    });
    let connection = http1::Builder::new()
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let insistence = Insistence::new();
    // In a set of its own it is looked at when it is woken itself, and not with each request.
    let sign = |is_leaving| sign(&activity, &shutdown, patience.shortest(), is_leaving);
    let mut is_leaving = false;
    let mut signs = FuturesUnordered::from_iter([sign(is_leaving)]);
    let served = loop {
        tokio::select! { biased;
            served = poll_fn(|cx| insistence.poll(connection.as_mut(), cx)) => break served,
            Some(sign) = signs.next() => {
                if let Sign::Leave = sign {
                    is_leaving = true;
                    connection.as_mut().graceful_shutdown();
                }
                activity.make_due();
            }
        }
        // It has to look now: when to look again depends on what it sees.
        let looked = poll_fn(|cx| Poll::Ready(insistence.poll(connection.as_mut(), cx)));
        if let Poll::Ready(served) = looked.await {
            break served;
        }
        signs.push(sign(is_leaving));
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// The next thing that a connection has to be told. To leave it is told once.
async fn sign(activity: &Activity, shutdown: &Shutdown, otherwise: u64, is_leaving: bool) -> Sign {
    tokio::select! {
        () = shutdown.drained(), if !is_leaving => Sign::Leave,
        () = activity.sent_away(), if !is_leaving => Sign::Leave,
        () = activity.due(otherwise) => Sign::Look,
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
