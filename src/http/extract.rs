//! What handlers take from a request; what cannot be taken is refused with a problem.

use std::{error::Error, io, time::Duration};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{FromRequest, FromRequestParts, RawPathParams, Request},
    http::{HeaderMap, HeaderName, Method, header, request::Parts},
};
use bytes::BytesMut;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::Xxh3;

use super::{
    conditions, json::parse, problem::Problem, problem_code::ProblemCode, state::AppState,
};
use crate::{
    id::{BodyId, ControllerId, ID_RULE, JointId, SimulationId},
    physics::Fault,
    simulations::{IdempotencyKey, Services, SimulationError, SimulationHandle, Terms},
};

/// Header: under which key a client may send a request again.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Bodies of more bytes than this are parsed on the compute pool.
const MAX_PARSED_IN_PLACE: usize = 64 * 1024;
/// Bodies of fewer bytes than this are read whether there is memory or not.
const MAX_UNCOUNTED: u64 = 64 * 1024;
/// What a byte of a larger one is taken to need: itself, and what is made of it.
const BYTES_PER_BYTE: u64 = 3;
/// How much of a body that is refused is taken in all the same, in bytes.
const MAX_DISCARDED: usize = 16 << 20;
/// For how long.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest idempotency key, in bytes.
const MAX_KEY_LENGTH: usize = 128;

/// The simulation that the path names, or why there is none. The edge looks it up, so that every
/// request that names one counts as an access.
#[derive(Clone)]
pub(super) struct Named(pub(super) Result<SimulationHandle, Problem>);

/// The simulation that the path names.
pub(super) struct Simulation(pub(super) SimulationHandle);

/// The name of a simulation in the path, for those who do not ask on its owner's behalf.
pub(super) struct SimulationName(pub(super) SimulationId);

/// The body that the path names.
pub(super) struct BodyName(pub(super) BodyId);

/// The joint that the path names.
pub(super) struct JointName(pub(super) JointId);

/// The controller that the path names.
pub(super) struct ControllerName(pub(super) ControllerId);

/// A JSON body.
pub(super) struct Json<T>(pub(super) T);

/// A JSON body and the terms of the command in it.
pub(super) struct Keyed<T> {
    pub(super) body: T,
    pub(super) terms: Terms,
}

/// The terms of a command that needs no key: to give it again changes nothing.
pub(super) struct Unkeyed(pub(super) Terms);

/// A keyed request as it was sent, as it may have to be passed on.
pub(super) struct Original {
    pub(super) key: Option<IdempotencyKey>,
    pub(super) head: Parts,
    pub(super) bytes: Bytes,
}

impl FromRequestParts<AppState> for Simulation {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let Some(Named(named)) = parts.extensions.remove() else {
            let detail = "the path names no simulation";
            return Err(Problem::new(ProblemCode::Internal, detail));
        };
        let simulation = named?;
        if let Some(seen) = conditions::witness(&parts.headers)? {
            state.simulations.recognise(&simulation, seen).await?;
        }
        if conditions::only_looks(&parts.method, parts.uri.path()) {
            conditions::check_consistency(&parts.headers)?;
        }
        Ok(Self(simulation))
    }
}

impl FromRequestParts<AppState> for Unkeyed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let clock = &state.simulations.services().clock;
        Ok(Self(Terms {
            key: None,
            precondition: conditions::precondition(&parts.headers),
            deadline: conditions::deadline(&parts.headers, clock)?,
        }))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SimulationName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = path_parameter(parts, state, "sim_id").await?;
        SimulationId::parse(&text)
            .map(Self)
            .map_err(|_| bad_name("sim_id"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for BodyName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = path_parameter(parts, state, "body_id").await?;
        BodyId::parse(&text)
            .map(Self)
            .map_err(|_| bad_name("body_id"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for JointName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = path_parameter(parts, state, "joint_id").await?;
        JointId::parse(&text)
            .map(Self)
            .map_err(|_| bad_name("joint_id"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ControllerName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = path_parameter(parts, state, "controller_id").await?;
        ControllerId::parse(&text)
            .map(Self)
            .map_err(|_| bad_name("controller_id"))
    }
}

impl<T: DeserializeOwned + Send + 'static> FromRequest<AppState> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        check_media_type(&parts)?;
        let bytes = read(&parts.headers, body, state.max_request_bytes()).await?;
        parse_where_it_fits(bytes, state).await.map(Self)
    }
}

impl<T: DeserializeOwned + Send + 'static> FromRequest<AppState> for Keyed<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let clock = &state.simulations.services().clock;
        let deadline = conditions::deadline(request.headers(), clock)?;
        let Original { key, head, bytes } =
            Original::read(request, state, check_media_type).await?;
        let precondition = conditions::precondition(&head.headers);
        Ok(Self {
            body: parse_where_it_fits(bytes, state).await?,
            terms: Terms {
                key,
                precondition,
                deadline,
            },
        })
    }
}

impl Original {
    /// Reads a request whose media type passes `check`.
    pub(super) async fn read(
        request: Request,
        state: &AppState,
        check: impl FnOnce(&Parts) -> Result<(), Problem>,
    ) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let key = key_text(&head.headers)?;
        check(&head)?;
        let bytes = read(&head.headers, body, state.max_request_bytes()).await?;
        let key = key.map(|key| {
            let mut hash = Xxh3::new();
            hash.update(head.method.as_str().as_bytes());
            hash.update(head.uri.path().as_bytes());
            hash.update(&[0]);
            hash.update(&bytes);
            IdempotencyKey {
                key: key.into(),
                fingerprint: hash.digest128(),
            }
        });
        Ok(Self { key, head, bytes })
    }
}

/// The problem of a name in the path that is no id.
pub(super) fn bad_name(parameter: &str) -> Problem {
    Problem::invalid(vec![Fault {
        pointer: String::new(),
        detail: format!("{parameter} in the path {ID_RULE}"),
    }])
}

/// The problem of a path that is not UTF-8.
pub(super) fn bad_path() -> Problem {
    Problem::new(ProblemCode::MalformedRequest, "the path is not UTF-8")
}

async fn path_parameter<S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
    name: &str,
) -> Result<String, Problem> {
    let parameters = RawPathParams::from_request_parts(parts, state).await;
    let parameters = parameters.map_err(|_| bad_path())?;
    let found = parameters.iter().find(|(key, _)| *key == name);
    Ok(found.map(|(_, value)| value.to_owned()).unwrap_or_default())
}

/// The idempotency key, if the request has one.
fn key_text(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = keys.next() else {
        return Ok(None);
    };
    let bad = |detail| Err(Problem::new(ProblemCode::BadIdempotencyKey, detail));
    if keys.next().is_some() {
        return bad("there must be one Idempotency-Key");
    }
    let is_visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    match key.to_str() {
        Ok(text) if (1..=MAX_KEY_LENGTH).contains(&text.len()) && is_visible(text) => {
            Ok(Some(text))
        }
        _ => bad("an Idempotency-Key must be 1 to 128 visible ASCII characters"),
    }
}

/// Takes `application/json`, for PATCH also as a merge patch, in UTF-8 and not compressed.
pub(super) fn check_media_type(parts: &Parts) -> Result<(), Problem> {
    let headers = &parts.headers;
    let refuse = |detail| Err(Problem::new(ProblemCode::UnsupportedMediaType, detail));
    if headers.contains_key(header::CONTENT_ENCODING) {
        return refuse("the body must not be compressed");
    }
    let given = headers.get(header::CONTENT_TYPE);
    let Some(Ok(given)) = given.map(|value| value.to_str()) else {
        return refuse("the body must be application/json");
    };
    if given == "application/json" {
        return Ok(());
    }
    let mut pieces = given.split(';').map(str::trim);
    let essence = pieces.next().unwrap_or_default();
    let is_json = essence.eq_ignore_ascii_case("application/json")
        || parts.method == Method::PATCH
            && essence.eq_ignore_ascii_case("application/merge-patch+json");
    let is_utf8 = pieces.all(|parameter| {
        let charset = parameter.to_ascii_lowercase();
        !charset.starts_with("charset=") || matches!(&charset[8..], "utf-8" | "\"utf-8\"")
    });
    if is_json && is_utf8 {
        Ok(())
    } else {
        refuse("the body must be application/json in UTF-8")
    }
}

/// Refuses a large body for which there is no memory, unless it is refused as too large anyway.
pub(super) fn admit_body(
    body: &Body,
    largest: u64,
    services: &Services,
) -> Result<(), SimulationError> {
    // Whoever does not say how much comes gets little, until it is there.
    let length = body.size_hint().exact().unwrap_or(MAX_UNCOUNTED);
    if length < MAX_UNCOUNTED || length > largest {
        return Ok(());
    }
    services.admit_bytes(length * BYTES_PER_BYTE)
}

/// Reads a body, within its limits of size and time.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    maximum: usize,
) -> Result<Bytes, Problem> {
    read_within(headers, body, ("MAX_REQUEST_BYTES", maximum)).await
}

/// Reads a body that has a limit of its own, by the name of that.
pub(super) async fn read_within(
    headers: &HeaderMap,
    body: Body,
    (limit, maximum): (&'static str, usize),
) -> Result<Bytes, Problem> {
    let too_large = |used| Problem::limit_exceeded(ProblemCode::BodyTooLarge, limit, maximum, used);
    let announced = headers.get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let mut body = body;
    if let Some(length) = announced.filter(|length| *length > maximum as u64) {
        if !headers.contains_key(header::EXPECT) {
            discard(&mut body).await;
        }
        return Err(too_large(usize::try_from(length).unwrap_or(usize::MAX)));
    }
    let mut whole = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // Trailers are of no meaning here.
        let Ok(data) = frame.map_err(|error| incomplete(&error))?.into_data() else {
            continue;
        };
        if whole.len() + joined.len() + data.len() > maximum {
            discard(&mut body).await;
            return Err(too_large(maximum + 1));
        }
        if whole.is_empty() && joined.is_empty() {
            whole = data;
            continue;
        }
        // In one piece, however small those are that it comes in.
        if joined.is_empty() {
            joined.reserve(whole.len() + data.len());
            joined.extend_from_slice(&std::mem::take(&mut whole));
        }
        joined.extend_from_slice(&data);
    }
    Ok(if joined.is_empty() {
        whole
    } else {
        joined.freeze()
    })
}

/// The problem of a body that does not come to its end.
fn incomplete(error: &axum::Error) -> Problem {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|io| io.kind() == io::ErrorKind::TimedOut) {
            let detail = "the body came too slowly";
            return Problem::new(ProblemCode::RequestTimeout, detail);
        }
        cause = error.source();
    }
    let detail = "the body ended before it was complete, or its chunks are broken";
    Problem::new(ProblemCode::MalformedRequest, detail)
}

/// Takes in some of a body that is refused: a client that is still writing would otherwise meet a
/// closed connection instead of the answer.
async fn discard(body: &mut Body) {
    let mut left = MAX_DISCARDED;
    let drain = async {
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(DISCARD_TIMEOUT, drain).await;
}

pub(super) async fn parse_where_it_fits<T>(bytes: Bytes, state: &AppState) -> Result<T, Problem>
where
    T: DeserializeOwned + Send + 'static,
{
    let services = state.simulations.services();
    where_it_fits(bytes.len(), services, move || parse(&bytes)).await
}

/// Has so many bytes read where that holds nobody up.
pub(super) async fn where_it_fits<T>(
    length: usize,
    services: &Services,
    read: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem>
where
    T: Send + 'static,
{
    if length <= MAX_PARSED_IN_PLACE {
        return read();
    }
    services.pool.run_brief(read).await.unwrap_or_else(|_| {
        Err(Problem::new(
            ProblemCode::Internal,
            "the body could not be read",
        ))
    })
}
