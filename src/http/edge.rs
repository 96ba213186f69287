//! The edge: what is done for every request before and after its handler.

use std::{panic::AssertUnwindSafe, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use headers_accept::Accept;
use mediatype::MediaType;
use percent_encoding::percent_decode_str;
use tower::{ServiceBuilder, ServiceExt};
use tower_http::{
    compression::{Compression, CompressionLayer, predicate::SizeAbove},
    cors::{AllowOrigin, Any, Cors, CorsLayer},
};

use super::{
    extract::{Named, bad_name, bad_path},
    observed::{IDEMPOTENCY_REPLAYED, SIM_INSTANCE, SIM_SEQ, SIM_STEP},
    problem::{Circumstances, Problem},
    problem_code::ProblemCode,
};
use crate::{config::Config, id::SimulationId, simulations::Simulations};

/// Replies of fewer bytes than this are not worth compressing.
const MIN_COMPRESSED: u64 = 1024;
/// The longest URI, in bytes.
const MAX_URI_LENGTH: usize = 8 * 1024;
/// The longest request id that is taken over, in bytes.
const MAX_REQUEST_ID_LENGTH: usize = 128;
/// Header: names a request in logs and problems.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const JSON: MediaType<'_> = mediatype::media_type!(APPLICATION / JSON);

/// Serves requests, and sees to what all of them have in common.
#[derive(Clone)]
pub(super) struct Edge {
    routes: Router,
    layered: Layered,
    simulations: Simulations,
    instance: HeaderValue,
}

/// The routes for clients that ask for more than an answer: pages of other origins, and whoever
/// takes compressed replies. Others are spared the way through the layers.
type Layered = Cors<Compression<Router, SizeAbove>>;

impl Edge {
    pub(super) fn new(routes: Router, simulations: Simulations, config: &Config) -> Self {
        let instance = simulations.services().instance_id.as_str();
        // As static as the process: references to it need no counting, on which cores would wait
        // for each other.
        let instance = HeaderValue::from_static(instance.to_owned().leak());
        let compression = CompressionLayer::new().compress_when(SizeAbove::new(MIN_COMPRESSED));
        let layers = ServiceBuilder::new().layer(cors(config)).layer(compression);
        Self {
            layered: layers.service(routes.clone()),
            routes,
            simulations,
            instance,
        }
    }

    /// Answers one request. Nothing that goes wrong below gets past here.
    pub(super) async fn serve(self: Arc<Self>, mut request: Request) -> Response {
        let uri = request.uri().clone();
        let request_id = request_id(request.headers());

        let named = self.named(uri.path()).await;
        if let Some(named) = &named {
            request.extensions_mut().insert(named.clone());
        }
        let mut response = if let Some(problem) = refusal(&request) {
            problem.into_response()
        } else {
            let handled = AssertUnwindSafe(self.answer(request));
            handled.catch_unwind().await.unwrap_or_else(|_| {
                let detail = "the service failed on this request";
                Problem::new(ProblemCode::Internal, detail).into_response()
            })
        };

        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            write_problem(&mut response, &problem, &uri, &request_id);
        }
        tracing::debug!(
            path = uri.path(),
            status = response.status().as_u16(),
            ?request_id,
            "answered"
        );
        let headers = response.headers_mut();
        if let Some(Named(Ok(simulation))) = &named
            && !headers.contains_key(SIM_SEQ)
        {
            let (seq, step) = simulation.progress();
            headers.insert(SIM_SEQ, seq.into());
            headers.insert(SIM_STEP, step.into());
        }
        headers.insert(SIM_INSTANCE, self.instance.clone());
        headers.insert(X_REQUEST_ID, request_id);
        response
    }

    async fn answer(&self, request: Request) -> Response {
        let headers = request.headers();
        let wants_layers = headers.contains_key(header::ACCEPT_ENCODING)
            || headers.contains_key(header::ORIGIN)
            || request.method() == Method::OPTIONS;
        let answered = if wants_layers {
            let layered = Box::pin(self.layered.clone().oneshot(request)).await;
            layered.map(|response| response.map(Body::new))
        } else {
            self.routes.clone().oneshot(request).await
        };
        answered.unwrap_or_else(|never| match never {})
    }

    /// The simulation that a path names, if it names one.
    async fn named(&self, path: &str) -> Option<Named> {
        let rest = path.strip_prefix("/simulations/")?;
        let segment = rest.split('/').next().unwrap_or_default();
        let Ok(id) = percent_decode_str(segment).decode_utf8() else {
            return Some(Named(Err(bad_path())));
        };
        let Ok(id) = SimulationId::parse(&id) else {
            return Some(Named(Err(bad_name("sim_id"))));
        };
        Some(Named(
            self.simulations
                .open(&id, None)
                .await
                .map_err(Problem::from),
        ))
    }
}

/// Who may use the service from a page.
fn cors(config: &Config) -> CorsLayer {
    let origins = match config.cors_allowed_origins.as_str() {
        "*" => AllowOrigin::any(),
        origins => AllowOrigin::list(
            origins
                .split(',')
                .filter_map(|origin| origin.trim().parse().ok()),
        ),
    };
    let methods = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ];
    let told = [
        SIM_SEQ,
        SIM_STEP,
        SIM_INSTANCE,
        IDEMPOTENCY_REPLAYED,
        X_REQUEST_ID,
        header::LOCATION,
        header::RETRY_AFTER,
    ];
    CorsLayer::new()
        .allow_origin(origins)
        .allow_headers(Any)
        .allow_methods(methods)
        .expose_headers(told)
}

/// What is wrong with a request whatever its route.
fn refusal(request: &Request) -> Option<Problem> {
    let path = request.uri().path();
    if request
        .uri()
        .path_and_query()
        .is_some_and(|uri| uri.as_str().len() > MAX_URI_LENGTH)
    {
        let detail = format!("the URI must not be longer than {MAX_URI_LENGTH} bytes");
        return Some(Problem::new(ProblemCode::UriTooLong, detail));
    }
    if *request.method() == Method::CONNECT {
        let detail = "this method is not served";
        return Some(Problem::new(ProblemCode::MethodNotAllowed, detail));
    }
    let is_page = path.starts_with("/docs") || path.starts_with("/problems/");
    if !is_page && !accepts_json(request.headers()) {
        let detail = "replies are application/json";
        return Some(Problem::new(ProblemCode::NotAcceptable, detail));
    }
    None
}

fn accepts_json(headers: &HeaderMap) -> bool {
    let Some(accept) = headers.get(header::ACCEPT) else {
        return true;
    };
    if matches!(accept.as_bytes(), b"*/*" | b"application/json") {
        return true;
    }
    let Ok(accept) = accept.to_str().unwrap_or_default().parse::<Accept>() else {
        // What cannot be understood does not forbid anything.
        return true;
    };
    accept.negotiate(&[JSON]).is_some()
}

fn request_id(headers: &HeaderMap) -> HeaderValue {
    let is_fit = |id: &&HeaderValue| {
        let bytes = id.as_bytes();
        (1..=MAX_REQUEST_ID_LENGTH).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
    };
    if let Some(given) = headers.get(X_REQUEST_ID).filter(is_fit) {
        return given.clone();
    }
    let mut buffer = uuid::Uuid::encode_buffer();
    let id = uuid::Uuid::new_v4()
        .as_hyphenated()
        .encode_lower(&mut buffer);
    HeaderValue::from_str(id).expect("a UUID is plain ASCII")
}

/// Replaces the body of `response` by the problem.
fn write_problem(response: &mut Response, problem: &Problem, uri: &Uri, request_id: &HeaderValue) {
    let path = uri.path();
    let sim_id = path
        .strip_prefix("/simulations/")
        .and_then(|rest| rest.split('/').next());
    let request_id = request_id.to_str().unwrap_or_default();
    let circumstances = Circumstances {
        path,
        sim_id: sim_id.filter(|id| crate::id::is_id(id)),
        request_id,
    };
    if problem.status().is_server_error() {
        tracing::warn!(
            path,
            request_id,
            code = problem.code(),
            "a request failed with {}",
            problem.code()
        );
    }
    *response.body_mut() = Body::from(problem.to_json(&circumstances));
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::CONTENT_ENCODING);
    let json = HeaderValue::from_static("application/problem+json");
    headers.insert(header::CONTENT_TYPE, json);
    if let Some(retry_after) = problem.retry_after() {
        headers.insert(header::RETRY_AFTER, retry_after.as_secs().max(1).into());
    }
}
