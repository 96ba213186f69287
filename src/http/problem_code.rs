//! The kinds of problems: their names on the wire, titles and statuses.

use hyper::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// The kinds of problems. Each has a paragraph in `docs/problems.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "docs/problems.md explains each of them")]
pub enum ProblemCode {
    MalformedJson,
    MalformedRequest,
    BadIdempotencyKey,
    SimulationNotFound,
    SimulationExpired,
    SimulationLost,
    BodyNotFound,
    JointNotFound,
    AssetNotFound,
    ControllerNotFound,
    RouteNotFound,
    MethodNotAllowed,
    NotAcceptable,
    RequestTimeout,
    BodyTooLarge,
    UriTooLong,
    HeadersTooLarge,
    UnsupportedMediaType,
    SimulationExists,
    BodyExists,
    JointExists,
    ControllerExists,
    IdempotencyKeyInFlight,
    ReplyNotKept,
    HistoryLost,
    HistoryDiverged,
    NotJournalled,
    PreconditionFailed,
    InvalidValue,
    UnknownField,
    LimitExceeded,
    IdempotencyKeyReused,
    SimulationBusy,
    QuotaExceeded,
    EngineFault,
    NondeterminismDetected,
    Internal,
    InstanceDraining,
    Overloaded,
    OutcomeUnknown,
    RegistryUnavailable,
    OwnedElsewhere,
    OwnerUnreachable,
    OwnershipLost,
    Unauthorized,
    Forbidden,
}

impl ProblemCode {
    /// Every code.
    pub const ALL: &'static [Self] = &[
        Self::MalformedJson,
        Self::MalformedRequest,
        Self::BadIdempotencyKey,
        Self::SimulationNotFound,
        Self::SimulationExpired,
        Self::SimulationLost,
        Self::BodyNotFound,
        Self::JointNotFound,
        Self::AssetNotFound,
        Self::ControllerNotFound,
        Self::RouteNotFound,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::RequestTimeout,
        Self::BodyTooLarge,
        Self::UriTooLong,
        Self::HeadersTooLarge,
        Self::UnsupportedMediaType,
        Self::SimulationExists,
        Self::BodyExists,
        Self::JointExists,
        Self::ControllerExists,
        Self::IdempotencyKeyInFlight,
        Self::ReplyNotKept,
        Self::HistoryLost,
        Self::HistoryDiverged,
        Self::NotJournalled,
        Self::PreconditionFailed,
        Self::InvalidValue,
        Self::UnknownField,
        Self::LimitExceeded,
        Self::IdempotencyKeyReused,
        Self::SimulationBusy,
        Self::QuotaExceeded,
        Self::EngineFault,
        Self::NondeterminismDetected,
        Self::Internal,
        Self::InstanceDraining,
        Self::Overloaded,
        Self::OutcomeUnknown,
        Self::RegistryUnavailable,
        Self::OwnedElsewhere,
        Self::OwnerUnreachable,
        Self::OwnershipLost,
        Self::Unauthorized,
        Self::Forbidden,
    ];

    /// The code as it stands on the wire, its title and its status.
    pub const fn describe(self) -> (&'static str, &'static str, StatusCode) {
        use StatusCode as S;
        match self {
            Self::MalformedJson => ("malformed_json", "The body is not JSON", S::BAD_REQUEST),
            Self::MalformedRequest => (
                "malformed_request",
                "The request cannot be read",
                S::BAD_REQUEST,
            ),
            Self::BadIdempotencyKey => (
                "bad_idempotency_key",
                "The idempotency key is malformed",
                S::BAD_REQUEST,
            ),
            Self::SimulationNotFound => {
                ("simulation_not_found", "No such simulation", S::NOT_FOUND)
            }
            Self::SimulationExpired => (
                "simulation_expired",
                "The simulation has expired",
                S::NOT_FOUND,
            ),
            Self::SimulationLost => ("simulation_lost", "The simulation is lost", S::NOT_FOUND),
            Self::BodyNotFound => ("body_not_found", "No such body", S::NOT_FOUND),
            Self::JointNotFound => ("joint_not_found", "No such joint", S::NOT_FOUND),
            Self::AssetNotFound => ("asset_not_found", "No such asset", S::NOT_FOUND),
            Self::ControllerNotFound => {
                ("controller_not_found", "No such controller", S::NOT_FOUND)
            }
            Self::RouteNotFound => ("route_not_found", "No such route", S::NOT_FOUND),
            Self::MethodNotAllowed => (
                "method_not_allowed",
                "The route does not know this method",
                S::METHOD_NOT_ALLOWED,
            ),
            Self::NotAcceptable => (
                "not_acceptable",
                "The reply cannot have an accepted type",
                S::NOT_ACCEPTABLE,
            ),
            Self::RequestTimeout => (
                "request_timeout",
                "The request came too slowly",
                S::REQUEST_TIMEOUT,
            ),
            Self::BodyTooLarge => (
                "body_too_large",
                "The body is too large",
                S::PAYLOAD_TOO_LARGE,
            ),
            Self::UriTooLong => ("uri_too_long", "The URI is too long", S::URI_TOO_LONG),
            Self::HeadersTooLarge => (
                "headers_too_large",
                "The headers are too large",
                S::REQUEST_HEADER_FIELDS_TOO_LARGE,
            ),
            Self::UnsupportedMediaType => (
                "unsupported_media_type",
                "The body has another type than expected",
                S::UNSUPPORTED_MEDIA_TYPE,
            ),
            Self::SimulationExists => ("simulation_exists", "The simulation exists", S::CONFLICT),
            Self::BodyExists => ("body_exists", "The body exists", S::CONFLICT),
            Self::JointExists => ("joint_exists", "The joint exists", S::CONFLICT),
            Self::ControllerExists => ("controller_exists", "The controller exists", S::CONFLICT),
            Self::IdempotencyKeyInFlight => (
                "idempotency_key_in_flight",
                "A request with this idempotency key is under way",
                S::CONFLICT,
            ),
            Self::ReplyNotKept => (
                "reply_not_kept",
                "The command was applied, its reply is no longer kept",
                S::CONFLICT,
            ),
            Self::HistoryLost => (
                "history_lost",
                "The simulation is known less far than the client has seen it",
                S::CONFLICT,
            ),
            Self::HistoryDiverged => (
                "history_diverged",
                "The simulation has another history than the client has seen",
                S::CONFLICT,
            ),
            Self::NotJournalled => (
                "not_journalled",
                "The simulation keeps no journal",
                S::CONFLICT,
            ),
            Self::PreconditionFailed => (
                "precondition_failed",
                "The simulation does not stand where it is required to",
                S::PRECONDITION_FAILED,
            ),
            Self::InvalidValue => (
                "invalid_value",
                "Some values cannot be taken",
                S::UNPROCESSABLE_ENTITY,
            ),
            Self::UnknownField => (
                "unknown_field",
                "A field is unknown",
                S::UNPROCESSABLE_ENTITY,
            ),
            Self::LimitExceeded => (
                "limit_exceeded",
                "A limit would be exceeded",
                S::UNPROCESSABLE_ENTITY,
            ),
            Self::IdempotencyKeyReused => (
                "idempotency_key_reused",
                "The idempotency key was used for another request",
                S::UNPROCESSABLE_ENTITY,
            ),
            Self::SimulationBusy => (
                "simulation_busy",
                "Too many requests wait for the simulation",
                S::TOO_MANY_REQUESTS,
            ),
            Self::QuotaExceeded => (
                "quota_exceeded",
                "There is no room for more here",
                S::TOO_MANY_REQUESTS,
            ),
            Self::EngineFault => (
                "engine_fault",
                "The physics engine failed on the command",
                S::INTERNAL_SERVER_ERROR,
            ),
            Self::NondeterminismDetected => (
                "nondeterminism_detected",
                "The simulation could not be made again as it was",
                S::INTERNAL_SERVER_ERROR,
            ),
            Self::Internal => ("internal", "The service failed", S::INTERNAL_SERVER_ERROR),
            Self::InstanceDraining => (
                "instance_draining",
                "The instance is about to stop",
                S::SERVICE_UNAVAILABLE,
            ),
            Self::Overloaded => (
                "overloaded",
                "The service is overloaded",
                S::SERVICE_UNAVAILABLE,
            ),
            Self::OutcomeUnknown => (
                "outcome_unknown",
                "The command is still being carried out",
                S::SERVICE_UNAVAILABLE,
            ),
            Self::RegistryUnavailable => (
                "registry_unavailable",
                "The registry cannot be reached",
                S::SERVICE_UNAVAILABLE,
            ),
            Self::OwnedElsewhere => (
                "owned_elsewhere",
                "Another instance has the simulation",
                S::MISDIRECTED_REQUEST,
            ),
            Self::OwnerUnreachable => (
                "owner_unreachable",
                "The instance that has the simulation cannot be reached",
                S::SERVICE_UNAVAILABLE,
            ),
            Self::OwnershipLost => (
                "ownership_lost",
                "The simulation was claimed by another instance",
                S::SERVICE_UNAVAILABLE,
            ),
            Self::Unauthorized => (
                "unauthorized",
                "The request has no valid API key",
                S::UNAUTHORIZED,
            ),
            Self::Forbidden => ("forbidden", "The port is for other instances", S::FORBIDDEN),
        }
    }
}
