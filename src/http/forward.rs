//! The way to the instance that has a simulation. What may have been executed is never repeated,
//! unless repeating it changes nothing.

use std::{
    convert::Infallible,
    error::Error,
    io,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use futures_util::future::{BoxFuture, Either, select};
use http_body_util::{BodyExt, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::time::Instant;
use tower::{Service, ServiceExt};

use super::{
    caller::Caller,
    conditions::{REQUEST_TIMEOUT, SIM_CONSISTENCY, SIM_WITNESS},
    extract::{self, IDEMPOTENCY_KEY, Named},
    fly::Fly,
    hop,
    problem::Problem,
    problem_code::ProblemCode,
};
use crate::{
    config::Config,
    id::SimulationId,
    simulations::{Peer, SimulationError, SimulationHandle, Simulations},
};

/// How long connecting to another instance may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a connection is kept for the next request: less than the other side keeps it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often to look whether an instance that has not answered yet still lives.
const LIVENESS_CHECK: Duration = Duration::from_millis(250);
/// How much longer than a request may take its answer is waited for: the word of the instance
/// that carries it out is the better one.
const GRACE: Duration = Duration::from_secs(1);
/// How often a request is sent.
const ATTEMPTS: usize = 3;
/// Bodies up to this many bytes are read before they are sent, so that they can be sent again, and
/// so that they are sent in one piece with their head.
const MAX_KEPT: u64 = 64 * 1024;
/// How long another instance has to tell what it has.
const FETCH_TIMEOUT: Duration = Duration::from_secs(2);
/// How much it may tell, in bytes: more than a page of simulations with all their labels takes.
const MAX_FETCHED: usize = 64 << 20;
/// What the owner of a simulation reads of a request.
const PASSED_ON: [HeaderName; 9] = [
    header::ACCEPT,
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::IF_MATCH,
    IDEMPOTENCY_KEY,
    REQUEST_TIMEOUT,
    SIM_WITNESS,
    SIM_CONSISTENCY,
];
/// What is about one connection, and no part of a reply.
const OF_ONE_CONNECTION: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Sends requests to other instances.
pub(super) struct Forwarder {
    client: Client<HttpConnector, Body>,
    /// Sends requests again in our place, where it can.
    pub(super) fly: Option<Fly>,
    simulations: Simulations,
    max_request_bytes: usize,
    patience: Duration,
}

/// A request's simulation is on another instance.
#[derive(Clone)]
pub(super) struct Elsewhere {
    pub(super) id: SimulationId,
    pub(super) peer: Arc<Peer>,
    pub(super) caller: Caller,
}

/// Why there is no answer from another instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It could not be reached: nothing was executed.
    NotThere,
    /// It does not have what it was asked for: nothing was executed.
    Misdirected,
    /// The connection broke after the request was sent.
    Broken,
    /// It has not answered in time, or lives no longer.
    Silent,
}

/// The body of a request on its way to another instance.
enum Payload {
    Kept(Bytes),
    Streamed(Option<Body>),
}

/// Where requests go: to the routes here, or to the instance that has their simulation.
#[derive(Clone)]
pub(super) struct Junction {
    pub(super) routes: Router,
    /// Nothing where there are no other instances.
    pub(super) forwarder: Option<Arc<Forwarder>>,
}

impl Junction {
    pub(super) async fn answer(self, mut request: Request) -> Response {
        if let Some(forwarder) = self.forwarder
            && let Some(elsewhere) = request.extensions_mut().remove::<Elsewhere>()
        {
            let Elsewhere { peer, caller, .. } = &elsewhere;
            let fly = forwarder.fly.as_ref();
            let replay = fly.and_then(|fly| fly.replay(&request, peer, &caller.request_id));
            if let Some(replay) = replay {
                forwarder.simulations.services().metrics.replays.inc();
                return replay;
            }
            let followed = Box::pin(forwarder.follow(elsewhere, request, self.routes)).await;
            return followed.unwrap_or_else(Problem::into_response);
        }
        answer_here(self.routes, request).await
    }
}

impl Service<Request> for Junction {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let answered = self.clone().answer(request);
        Box::pin(async { Ok(answered.await) })
    }
}

impl Forwarder {
    pub(super) fn new(simulations: Simulations, config: &Config) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        connector.set_keepalive(Some(IDLE_TIMEOUT));
        Self {
            client: Client::builder(TokioExecutor::new())
                .pool_idle_timeout(IDLE_TIMEOUT)
                .pool_timer(TokioTimer::new())
                .build(connector),
            fly: Fly::new(simulations.clone(), config),
            simulations,
            max_request_bytes: config.max_request_bytes as usize,
            patience: Duration::from_millis(config.request_timeout_ms) + GRACE,
        }
    }

    /// Answers a request about a simulation of another instance, or says why that cannot be done.
    async fn follow(
        &self,
        elsewhere: Elsewhere,
        request: Request,
        routes: Router,
    ) -> Result<Response, Problem> {
        let Elsewhere { id, peer, caller } = elsewhere;
        let (head, body) = request.into_parts();
        let mut payload = Payload::of(&head, body, self.max_request_bytes).await?;
        let (mut peer, mut may_be_done) = (peer, false);
        for _ in 0..ATTEMPTS {
            let Some(body) = payload.take() else { break };
            let failure = match self.send(&peer, &head, &caller, body).await {
                Ok(response) => {
                    if destroys(&head.method, head.uri.path(), &id)
                        && response.status().is_success()
                    {
                        self.simulations.forget_place(&id);
                    }
                    return Ok(response);
                }
                Err(failure) => failure,
            };
            self.simulations.forget(&id, &peer);
            may_be_done |= failure.may_be_done(&head.method);
            if !failure.may_be_repeated(&head) {
                break;
            }
            let opened = self.simulations.open(&id, caller.tenant.as_ref()).await;
            match (opened, payload.take()) {
                (Ok(simulation), Some(body)) => {
                    return Ok(serve_here(simulation, head, body, routes).await);
                }
                (Err(SimulationError::OwnedElsewhere { peer: next, .. }), _) => peer = next,
                (Err(error), _) if !may_be_done => return Err(error.into()),
                (Ok(_) | Err(_), _) => break,
            }
        }
        Err(given_up(may_be_done))
    }

    /// Sends a request to another instance, once.
    pub(super) async fn send(
        &self,
        peer: &Peer,
        head: &Parts,
        caller: &Caller,
        body: Body,
    ) -> Result<Response, Failure> {
        let begun = Instant::now();
        let sent = self.send_uncounted(peer, head, caller, body).await;
        let metrics = &self.simulations.services().metrics;
        metrics.forward_duration.observe_time(begun.elapsed());
        let forwards = &metrics.forwards;
        let outcome = match &sent {
            Ok(_) => &forwards.answered,
            Err(Failure::Misdirected) => &forwards.stale,
            Err(Failure::NotThere) => &forwards.unreachable,
            Err(Failure::Broken | Failure::Silent) => &forwards.unknown,
        };
        outcome.inc();
        sent
    }

    async fn send_uncounted(
        &self,
        peer: &Peer,
        head: &Parts,
        caller: &Caller,
        body: Body,
    ) -> Result<Response, Failure> {
        let Some(onward) = self.onward(peer, head, caller, body) else {
            return Err(Failure::NotThere);
        };
        let answered = pin!(self.exchange(onward, peer));
        let silence = pin!(self.silence(peer, self.patience));
        let mut response = match select(answered, silence).await {
            Either::Left((answered, _)) => answered?,
            Either::Right(((), _)) => return Err(Failure::Silent),
        };
        match response.status() {
            StatusCode::MISDIRECTED_REQUEST => return Err(Failure::Misdirected),
            StatusCode::FORBIDDEN => {
                tracing::warn!(instance = %peer.owner.instance, "another instance has another secret");
                return Err(Failure::NotThere);
            }
            _ => {}
        }
        for name in OF_ONE_CONNECTION {
            response.headers_mut().remove(name);
        }
        Ok(response)
    }

    /// Sends a request and awaits its answer: all of it if it is small, so that it is passed on in
    /// one piece.
    async fn exchange(&self, onward: Request, peer: &Peer) -> Result<Response, Failure> {
        let note = |error: &dyn std::fmt::Display| {
            tracing::debug!(%error, instance = %peer.owner.instance, "a request was not answered by another instance");
        };
        let answered = self.client.request(onward).await.map_err(|error| {
            note(&error);
            if is_refused(&error) {
                self.simulations.note_death(peer);
            }
            if error.is_connect() {
                Failure::NotThere
            } else {
                Failure::Broken
            }
        });
        let (head, body) = answered?.into_parts();
        let size = body.size_hint().exact();
        if size.is_none_or(|size| size > MAX_KEPT) {
            return Ok(Response::from_parts(head, Body::new(body)));
        }
        let whole = body.collect().await.map_err(|error| {
            note(&error);
            Failure::Broken
        });
        Ok(Response::from_parts(head, Body::from(whole?.to_bytes())))
    }

    /// What another instance answers when it is asked for something, if it does.
    pub(super) async fn fetch(&self, peer: &Peer, target: Uri, caller: &Caller) -> Option<Bytes> {
        let mut head = Request::new(()).into_parts().0;
        head.uri = target;
        let fetched = async {
            let sent = self.send(peer, &head, caller, Body::empty()).await;
            let response = sent.ok().filter(|sent| sent.status().is_success())?;
            let whole = Limited::new(response.into_body(), MAX_FETCHED).collect();
            Some(whole.await.ok()?.to_bytes())
        };
        tokio::time::timeout(FETCH_TIMEOUT, fetched).await.ok()?
    }

    /// The request as another instance gets it; nothing if there is no way to say it yet.
    fn onward(&self, peer: &Peer, head: &Parts, caller: &Caller, body: Body) -> Option<Request> {
        let secret = self.simulations.internal_secret()?;
        let target = head.uri.path_and_query().map_or("/", |uri| uri.as_str());
        let uri: Uri = format!("{}{target}", peer.url).parse().ok()?;
        let mut headers = HeaderMap::with_capacity(2 * PASSED_ON.len());
        for name in &PASSED_ON {
            for value in head.headers.get_all(name) {
                headers.append(name, value.clone());
            }
        }
        hop::sign(
            &mut headers,
            (&head.method, &head.uri),
            caller,
            peer,
            &secret,
        );
        let mut onward = Request::new(body);
        *onward.method_mut() = head.method.clone();
        *onward.uri_mut() = uri;
        *onward.headers_mut() = headers;
        Some(onward)
    }

    /// Completes when another instance has taken too long to answer, or lives no longer.
    async fn silence(&self, peer: &Peer, patience: Duration) {
        let until = Instant::now() + patience;
        loop {
            tokio::time::sleep_until(until.min(Instant::now() + LIVENESS_CHECK)).await;
            if Instant::now() >= until || !self.simulations.is_living(peer) {
                return;
            }
        }
    }
}

impl Failure {
    /// Whether a request of this method may have changed something before it failed.
    pub(super) fn may_be_done(self, method: &Method) -> bool {
        matches!(self, Self::Broken | Self::Silent) && !method.is_safe()
    }

    /// Whether the same request may be sent again.
    pub(super) fn may_be_repeated(self, head: &Parts) -> bool {
        let has_key = head.method == Method::POST && head.headers.contains_key(IDEMPOTENCY_KEY);
        match self {
            Self::NotThere | Self::Misdirected => true,
            Self::Broken => head.method.is_idempotent() || has_key,
            Self::Silent => false,
        }
    }
}

impl Payload {
    /// The body of a request, read as a whole if it is small.
    async fn of(head: &Parts, body: Body, maximum: usize) -> Result<Self, Problem> {
        // One that is too large is refused before anybody else has to do with it.
        let is_refused = |size| size > maximum as u64;
        let size = body.size_hint().exact();
        if size.is_some_and(|size| size <= MAX_KEPT || is_refused(size)) {
            let whole = extract::read(&head.headers, body, maximum).await?;
            return Ok(Self::Kept(whole));
        }
        Ok(Self::Streamed(Some(body)))
    }

    /// The body to send; nothing if it is spent.
    fn take(&mut self) -> Option<Body> {
        match self {
            Self::Kept(whole) => Some(Body::from(whole.clone())),
            Self::Streamed(body) => body.take(),
        }
    }
}

/// Whether nobody listens where the connection was to lead: the process is gone.
fn is_refused(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|io| io.kind() == io::ErrorKind::ConnectionRefused) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Answers a request about a simulation that has turned out to be here.
async fn serve_here(
    simulation: SimulationHandle,
    mut head: Parts,
    body: Body,
    routes: Router,
) -> Response {
    let named = Named(Ok(simulation));
    head.extensions.insert(named.clone());
    let mut response = answer_here(routes, Request::from_parts(head, body)).await;
    response.extensions_mut().insert(named);
    response
}

async fn answer_here(routes: Router, request: Request) -> Response {
    let answered = routes.oneshot(request).await;
    answered.unwrap_or_else(|never| match never {})
}

/// Whether a request is to destroy the simulation.
pub(super) fn destroys(method: &Method, path: &str, id: &SimulationId) -> bool {
    *method == Method::DELETE && path.strip_prefix("/simulations/") == Some(id.as_str())
}

/// What a client is told in the end.
pub(super) fn given_up(may_be_done: bool) -> Problem {
    if may_be_done {
        let detail = "the instance that has the simulation has not answered; the request may have been carried out";
        return Problem::passing(ProblemCode::OutcomeUnknown, detail);
    }
    let detail = "the instance that has the simulation cannot be reached; nothing was changed";
    Problem::passing(ProblemCode::OwnerUnreachable, detail)
}
