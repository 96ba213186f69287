//! The edge: what is done for every request before and after its handler.

use std::{
    convert::Infallible,
    future::ready,
    net::IpAddr,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use percent_encoding::percent_decode_str;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_http::{
    compression::{Compression, CompressionLayer, predicate::SizeAbove},
    cors::{Cors, CorsLayer},
};

use super::{
    accept::is_acceptable,
    admission::{Gate, LastAnswer},
    auth::{Keys, is_for_operators, is_open_to_all, is_operator},
    caller::{Asker, payer},
    client_address::ClientAddress,
    conditions::{is_fenced, is_turned_down, only_looks},
    cors::cors,
    extract::{Named, admit_body, bad_name, bad_path},
    forward::{Elsewhere, Junction, destroys},
    hop::{self, X_REQUEST_ID},
    observed::{SIM_INSTANCE, SIM_SEQ, hide_state_hash, write_position},
    problem::{Problem, write_problem},
    problem_code::ProblemCode,
    request_id,
    server::Endpoint,
};
use crate::{
    config::Config,
    id::{Payer, SimulationId},
    metrics::{Asked, Metrics},
    simulations::{Peer, SimulationError, SimulationHandle, Simulations},
};

/// Replies of fewer bytes than this are not worth compressing.
const MIN_COMPRESSED: u64 = 1024;
/// What `OPTIONS *` is answered with: every method that some route has.
const SERVED_METHODS: HeaderValue =
    HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
/// Header: `never` keeps a request from being passed on.
const SIM_FORWARD: HeaderName = HeaderName::from_static("sim-forward");
/// Header: which instance has the simulation.
const SIM_OWNER_HINT: HeaderName = HeaderName::from_static("sim-owner-hint");

/// Whom an edge faces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Clients.
    Public,
    /// Other instances, which have to prove that they are.
    Internal,
}

/// Serves requests, and sees to what all of them have in common.
#[derive(Clone)]
pub(super) struct Edge {
    side: Side,
    junction: Junction,
    layered: Layered,
    simulations: Simulations,
    instance: HeaderValue,
    keys: Keys,
    addresses: ClientAddress,
    cors: CorsLayer,
    gate: Arc<Gate>,
    /// The longest body that any route takes, in bytes.
    largest_body: u64,
    /// Every connection has an edge of its own.
    last_answer: LastAnswer,
}

/// What became of the simulation that a path names.
enum Found {
    /// It names none.
    Nothing,
    Here(SimulationHandle),
    Elsewhere(SimulationId, Arc<Peer>),
    Refused(Problem),
}

/// The way for clients that ask for more than an answer: pages of other origins, and whoever
/// takes compressed replies. Others are spared the way through the layers.
type Layered = Cors<Compression<Junction, SizeAbove>>;

impl Edge {
    pub(super) fn new(
        side: Side,
        junction: Junction,
        simulations: Simulations,
        gate: &Arc<Gate>,
        config: &Config,
    ) -> Self {
        let instance = simulations.services().instance_id.as_str();
        // As static as the process: references to it need no counting, on which cores would wait
        // for each other.
        let instance = HeaderValue::from_static(instance.to_owned().leak());
        let compression = CompressionLayer::new().compress_when(SizeAbove::new(MIN_COMPRESSED));
        let cors = cors(config);
        let layers = ServiceBuilder::new().layer(cors.clone()).layer(compression);
        Self {
            side,
            layered: layers.service(junction.clone()),
            junction,
            simulations,
            instance,
            keys: Keys::new(&config.api_keys),
            addresses: ClientAddress::new(config),
            cors,
            gate: Arc::clone(gate),
            largest_body: config.max_request_bytes.max(config.max_asset_bytes).into(),
            last_answer: LastAnswer::none(),
        }
    }

    /// Answers one request. Nothing that goes wrong below gets past here.
    async fn answer_one(&self, request: Request, address: IpAddr) -> Response {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let request_id = self.request_id(request.headers());
        let only_looks = only_looks(&method, uri.path());
        let is_fenced = only_looks && is_fenced(request.headers());

        let asker = match self.side {
            Side::Public => self.client(&request, address),
            Side::Internal if is_for_operators(request.uri().path()) => {
                self.operator(&request, address)
            }
            Side::Internal => self.peer(&request, address),
        };
        let client = asker.as_ref().map_or(address, |asker| asker.address);
        let (found, mut response) = match asker {
            Ok(asker) => self.look_up_and_answer(request, asker, &request_id).await,
            Err(problem) => (None, self.refuse(request, problem).await),
        };
        // A request that was on its way to another instance may have ended here after all.
        let moved = response.extensions_mut().remove::<Named>();
        let mut found = moved.and_then(|Named(named)| named.ok()).or(found);
        let is_refused = |simulation| !only_looks && is_turned_down(simulation, response.status());
        let is_fenced = is_fenced || found.as_ref().is_some_and(is_refused);
        if let Some(simulation) = &found
            // Who was told that nothing is known, or that nothing was done, is told no less.
            && !response.status().is_server_error()
            // What has just been destroyed is nobody's any longer.
            && !(response.status().is_success() && destroys(&method, uri.path(), simulation.id()))
            && let Err(error) = self.confirm(simulation, is_fenced).await
        {
            let is_done = response.status().is_success() && !only_looks;
            let error = if is_done {
                error.after_the_fact(simulation.durability())
            } else {
                error
            };
            response = Problem::from(error).into_response();
            found = None;
        }

        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            write_problem(&mut response, &problem, uri.path(), &request_id, client);
        }
        tracing::debug!(
            path = uri.path(),
            status = response.status().as_u16(),
            ?request_id,
            %client,
            "answered"
        );
        let headers = response.headers_mut();
        if let Some(simulation) = &found
            && !headers.contains_key(SIM_SEQ)
        {
            let mut position = simulation.position();
            hide_state_hash(&mut position, simulation.services());
            write_position(headers, &position);
        }
        // A reply that comes from another instance says so.
        headers
            .entry(SIM_INSTANCE)
            .or_insert_with(|| self.instance.clone());
        headers.insert(X_REQUEST_ID, request_id);
        response
    }

    /// Makes sure that a simulation is still this instance's to answer for; has the registry say so
    /// where the client wants that.
    async fn confirm(
        &self,
        simulation: &SimulationHandle,
        is_fenced: bool,
    ) -> Result<(), SimulationError> {
        self.simulations.confirm(simulation).await?;
        if is_fenced {
            Box::pin(self.simulations.ascertain(simulation)).await?;
        }
        Ok(())
    }

    /// Who a request comes from that another instance passes on; what it says otherwise is of no
    /// account without the proof that it is one.
    fn peer(&self, request: &Request, address: IpAddr) -> Result<Asker, Problem> {
        let secret = self.simulations.internal_secret();
        let hop = secret.and_then(|secret| hop::verify(request, &secret));
        let hop = hop.ok_or_else(|| {
            let detail = "this port is for other instances of the service";
            Problem::new(ProblemCode::Forbidden, detail)
        })?;
        let instance = self.simulations.services().instance_id.as_str();
        let nonce = self.simulations.nonce();
        if !nonce.is_some_and(|nonce| hop.expects(instance, nonce.as_str())) {
            let detail = "another life of this instance was expected";
            return Err(Problem::new(ProblemCode::OwnedElsewhere, detail));
        }
        Ok(Asker {
            tenant: hop.tenant,
            address: hop.client.unwrap_or(address),
            may_forward: false,
        })
    }

    /// Who a request comes from that an operator sends.
    fn operator(&self, request: &Request, address: IpAddr) -> Result<Asker, Problem> {
        let secret = self.simulations.internal_secret();
        if !secret.is_some_and(|secret| is_operator(request.headers(), &secret)) {
            let detail = "the secret of the instances is needed: Authorization: Bearer <secret>";
            return Err(Problem::new(ProblemCode::Unauthorized, detail));
        }
        Ok(Asker {
            tenant: None,
            address,
            may_forward: false,
        })
    }

    /// Answers a request; the simulation that it was about, if that is here.
    async fn look_up_and_answer(
        &self,
        mut request: Request,
        asker: Asker,
        request_id: &HeaderValue,
    ) -> (Option<SimulationHandle>, Response) {
        let found = if *request.method() == Method::OPTIONS {
            // What may be sent is asked without a key, and is the same for all simulations.
            Found::Nothing
        } else {
            let path = request.uri().path();
            self.named(path, &asker).await
        };
        if let Some(problem) = refusal(&request) {
            return (found.here(), self.refuse(request, problem).await);
        }
        let services = self.simulations.services();
        if let Err(full) = admit_body(request.body(), self.largest_body, services) {
            return (
                found.here(),
                self.refuse(request, Problem::from(full)).await,
            );
        }
        let extensions = request.extensions_mut();
        let mut here = None;
        match found {
            Found::Nothing => drop(extensions.insert(asker.called(request_id))),
            Found::Here(simulation) => {
                extensions.insert(Named(Ok(simulation.clone())));
                here = Some(simulation);
            }
            Found::Refused(problem) => drop(extensions.insert(Named(Err(problem)))),
            Found::Elsewhere(id, peer) if asker.may_forward => {
                let caller = asker.called(request_id);
                extensions.insert(Elsewhere { id, peer, caller });
            }
            Found::Elsewhere(id, peer) => return (None, misdirected(id, peer)),
        }
        if here.is_some()
            && !only_looks(request.method(), request.uri().path())
            && let Err(error) = self.simulations.check_writable()
        {
            return (here, Problem::from(error).into_response());
        }
        let handled = AssertUnwindSafe(self.answer(request));
        let response = handled.catch_unwind().await.unwrap_or_else(|_| {
            let detail = "the service failed on this request";
            Problem::new(ProblemCode::Internal, detail).into_response()
        });
        (here, response)
    }

    /// What a request is called in logs and problems.
    fn request_id(&self, headers: &HeaderMap) -> HeaderValue {
        let forwarder = self.junction.forwarder.as_ref();
        let fly = forwarder.and_then(|forwarder| forwarder.fly.as_ref());
        request_id::given(headers)
            .or_else(|| fly.and_then(|fly| fly.first_request_id(headers)))
            .unwrap_or_else(request_id::random)
    }

    /// Who a request of a client comes from. What it says of other instances is not listened to.
    fn client(&self, request: &Request, peer: IpAddr) -> Result<Asker, Problem> {
        let headers = request.headers();
        let tenant = match self.keys.authenticate(headers) {
            Ok(tenant) => tenant,
            Err(_) if is_open_to_all(request.method(), request.uri().path()) => None,
            Err(problem) => return Err(problem),
        };
        let address = self.addresses.of(peer, headers);
        if !self.gate.is_open() && self.is_turned_away(request, payer(tenant.as_ref(), address)) {
            self.simulations.services().metrics.refusals.requests.inc();
            let detail = "there are more requests than can be answered; nothing was done";
            return Err(Problem::passing(ProblemCode::Overloaded, detail));
        }
        let wish = headers.get(SIM_FORWARD);
        Ok(Asker {
            tenant,
            address,
            may_forward: wish.is_none_or(|wish| wish != "never"),
        })
    }

    /// Whether there are more requests than can be answered, and this is one too many. What tells
    /// whether the service is well is always answered.
    fn is_turned_away(&self, request: &Request, payer: Payer) -> bool {
        let (method, path) = (request.method(), request.uri().path());
        let is_light = only_looks(method, path) || path.ends_with("/keepalive");
        !is_open_to_all(method, path) && !self.gate.admits(payer, is_light)
    }

    /// Answers with a problem before any route is asked; in a way that pages of other origins may
    /// read it.
    async fn refuse(&self, request: Request, problem: impl IntoResponse) -> Response {
        let refusal = problem.into_response();
        if !request.headers().contains_key(header::ORIGIN) {
            return refusal;
        }
        let mut refusal = Some(refusal);
        let refuse =
            service_fn(|_: Request| ready(Ok::<_, Infallible>(refusal.take().unwrap_or_default())));
        let refused = self.cors.layer(refuse).oneshot(request).await;
        refused.unwrap_or_else(|never| match never {})
    }

    async fn answer(&self, request: Request) -> Response {
        if request.uri().path() == "*" {
            return (StatusCode::NO_CONTENT, [(header::ALLOW, SERVED_METHODS)]).into_response();
        }
        let headers = request.headers();
        let wants_layers = headers.contains_key(header::ACCEPT_ENCODING)
            || headers.contains_key(header::ORIGIN)
            || request.method() == Method::OPTIONS;
        if !wants_layers {
            return self.junction.clone().answer(request).await;
        }
        let layered = Box::pin(self.layered.clone().oneshot(request)).await;
        let answered = layered.map(|response| response.map(Body::new));
        answered.unwrap_or_else(|never| match never {})
    }

    /// The simulation that a path names, if it names one.
    async fn named(&self, path: &str, asker: &Asker) -> Found {
        let Some(rest) = path.strip_prefix("/simulations/") else {
            return Found::Nothing;
        };
        let segment = rest.split('/').next().unwrap_or_default();
        let Ok(id) = percent_decode_str(segment).decode_utf8() else {
            return Found::Refused(bad_path());
        };
        let Ok(id) = SimulationId::parse(&id) else {
            return Found::Refused(bad_name("sim_id"));
        };
        let tenant = asker.tenant.as_ref();
        match self.simulations.open(&id, tenant).await {
            Ok(simulation) => Found::Here(simulation.paid_by(payer(tenant, asker.address))),
            Err(SimulationError::OwnedElsewhere { id, peer }) => Found::Elsewhere(id, peer),
            // Whoever passed the request on may know less than the registry does now.
            Err(error @ SimulationError::NotFound(_)) if self.side == Side::Internal => {
                let detail = error.to_string();
                Found::Refused(Problem::new(ProblemCode::OwnedElsewhere, detail))
            }
            Err(error) => Found::Refused(error.into()),
        }
    }
}

impl Found {
    fn here(self) -> Option<SimulationHandle> {
        match self {
            Self::Here(simulation) => Some(simulation),
            Self::Nothing | Self::Elsewhere(..) | Self::Refused(_) => None,
        }
    }
}

/// The refusal to answer for a simulation that another instance has.
fn misdirected(id: SimulationId, peer: Arc<Peer>) -> Response {
    let hint = HeaderValue::from_str(peer.owner.instance.as_str()).expect("ids are plain ASCII");
    let error = SimulationError::OwnedElsewhere { id, peer };
    let mut response = Problem::from(error).into_response();
    response.headers_mut().insert(SIM_OWNER_HINT, hint);
    response
}

impl Endpoint for Edge {
    async fn serve(self: Arc<Self>, request: Request, peer: IpAddr) -> Response {
        let begun = Instant::now();
        let asked = Asked::new(request.method().as_str(), request.uri().path());
        if !self.last_answer.was_awaited(begun) {
            self.gate.press();
        }
        let response = self.answer_one(request, peer).await;
        let took = begun.elapsed();
        self.last_answer.note(begun + took);
        // What another instance passes on has been counted there.
        if self.side == Side::Public {
            let status = response.status().as_u16();
            let metrics = &self.simulations.services().metrics;
            metrics.count_request(asked, status, took);
        }
        response
    }

    fn refuse(&self, refusal: Problem, peer: IpAddr) -> Response {
        let request_id = request_id::random();
        let mut response = refusal.clone().into_response();
        response.extensions_mut().remove::<Problem>();
        write_problem(&mut response, &refusal, "", &request_id, peer);
        let headers = response.headers_mut();
        if refusal.status() == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, SERVED_METHODS);
        }
        headers.insert(SIM_INSTANCE, self.instance.clone());
        headers.insert(X_REQUEST_ID, request_id);
        if self.side == Side::Public {
            let (asked, status) = (Asked::new("", ""), response.status().as_u16());
            let metrics = &self.simulations.services().metrics;
            metrics.count_request(asked, status, Duration::ZERO);
        }
        response
    }

    fn counts_in(&self) -> Option<&Metrics> {
        Some(&self.simulations.services().metrics)
    }
}

/// What is wrong with a request whatever its route.
fn refusal(request: &Request) -> Option<Problem> {
    let path = request.uri().path();
    // What these answer with is theirs to say.
    let has_own_types = ["/docs", "/problems/", "/assets/"]
        .iter()
        .any(|prefix| path.starts_with(prefix));
    if !has_own_types && !is_acceptable(request.headers(), path) {
        let detail = "replies are application/json";
        return Some(Problem::new(ProblemCode::NotAcceptable, detail));
    }
    None
}
