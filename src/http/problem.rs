//! Errors as clients see them: `application/problem+json` (RFC 9457), always.

use std::{net::IpAddr, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use hyper::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::problem_code::ProblemCode;
use crate::{
    id::SimulationId,
    physics::{Fault, PhysicsError},
    simulations::{AssetError, SimulationError},
};

/// A problem on its way to the client. The edge writes it down, as it knows the request.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    code: ProblemCode,
    detail: String,
    errors: Vec<Fault>,
    limit: Option<Box<Limit>>,
    sim_id: Option<SimulationId>,
    seq: Option<u64>,
    retry_after: Option<Duration>,
}

/// A problem as it is written down.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// A link that ends in the code.
    #[serde(rename = "type")]
    kind: String,
    /// The code in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong with this request.
    detail: &'a str,
    /// The path of the request; not inside of a reply.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(required = false)]
    instance: &'a str,
    /// The code.
    error: ProblemCode,
    /// As `detail`.
    message: &'a str,
    /// The simulation that the path names.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sim_id: Option<&'a str>,
    /// Names the request in the logs; left out where the problem is a part of a reply.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(required = false)]
    request_id: &'a str,
    /// Every value that cannot be taken.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Option<Vec<FaultBody>>, nullable = false)]
    errors: &'a [Fault],
    /// The setting whose limit would be exceeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    limit: Option<&'static str>,
    /// Its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    maximum: Option<usize>,
    /// What the request would have brought it to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    used: Option<usize>,
    /// Under which number the command was applied, where its reply is no longer kept; the last command
    /// that is left, where others are lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    seq: Option<u64>,
    /// Whether the same request may succeed later; on every 5xx.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retryable: Option<bool>,
    /// `unknown` where a command may or may not have been applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    outcome: Option<&'static str>,
}

/// One value that cannot be taken.
#[derive(ToSchema)]
#[schema(as = Fault)]
#[expect(dead_code, reason = "describes what `Fault` is written as")]
pub(crate) struct FaultBody {
    /// Where it stands in the request's body, a JSON pointer.
    pointer: String,
    /// What is wrong with it.
    detail: String,
}

/// The limit that a request would exceed.
#[derive(Clone, Copy, Debug)]
struct Limit {
    name: &'static str,
    maximum: usize,
    used: usize,
}

/// What the edge knows of the request that met a problem.
#[derive(Default)]
pub(super) struct Circumstances<'a> {
    pub(super) path: &'a str,
    pub(super) sim_id: Option<&'a str>,
    pub(super) request_id: &'a str,
}

impl Problem {
    /// A problem with a detail for the client.
    pub(super) fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            limit: None,
            sim_id: None,
            seq: None,
            retry_after: None,
        }
    }

    /// A problem that may be gone a second later.
    pub(super) fn passing(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self {
            retry_after: Some(Duration::from_secs(1)),
            ..Self::new(code, detail)
        }
    }

    /// Values that cannot be taken.
    pub(super) fn invalid(errors: Vec<Fault>) -> Self {
        let detail = match errors.as_slice() {
            [fault] if fault.pointer.is_empty() => fault.detail.clone(),
            [fault] => format!("{}: {}", fault.pointer, fault.detail),
            faults => format!("{} values cannot be taken, see errors", faults.len()),
        };
        Self {
            errors,
            ..Self::new(ProblemCode::InvalidValue, detail)
        }
    }

    /// A field that is unknown.
    pub(super) fn unknown_field(fault: Fault) -> Self {
        Self {
            code: ProblemCode::UnknownField,
            ..Self::invalid(vec![fault])
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.code.describe().2
    }

    pub(super) fn code(&self) -> &'static str {
        self.code.describe().0
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The problem as it is written down for a request.
    pub(super) fn to_json(&self, circumstances: &Circumstances<'_>) -> Vec<u8> {
        self.to_text(circumstances).into_bytes()
    }

    fn to_text(&self, circumstances: &Circumstances<'_>) -> String {
        let (code, title, status) = self.code.describe();
        let sim_id = self.sim_id.as_ref().map(SimulationId::as_str);
        let body = ProblemBody {
            kind: format!("/problems/{code}"),
            title,
            status: status.as_u16(),
            detail: &self.detail,
            instance: circumstances.path,
            error: self.code,
            message: &self.detail,
            sim_id: sim_id.or(circumstances.sim_id),
            request_id: circumstances.request_id,
            errors: &self.errors,
            limit: self.limit.as_ref().map(|limit| limit.name),
            maximum: self.limit.as_ref().map(|limit| limit.maximum),
            used: self.limit.as_ref().map(|limit| limit.used),
            seq: self.seq,
            retryable: status.is_server_error().then(|| self.retry_after.is_some()),
            outcome: (self.code == ProblemCode::OutcomeUnknown).then_some("unknown"),
        };
        serde_json::to_string(&body).expect("problems have nothing that cannot be written")
    }

    /// The problem as a part of a reply about a simulation.
    pub(super) fn to_part(&self, path: &str, sim_id: &SimulationId) -> Vec<u8> {
        self.to_json(&Circumstances {
            path,
            sim_id: Some(sim_id.as_str()),
            request_id: "",
        })
    }

    pub(super) fn limit_exceeded(
        code: ProblemCode,
        name: &'static str,
        maximum: usize,
        used: usize,
    ) -> Self {
        let detail = format!("{name} is {maximum}, this would make {used}");
        Self {
            limit: Some(Box::new(Limit {
                name,
                maximum,
                used,
            })),
            ..Self::new(code, detail)
        }
    }
}

/// A command that was refused, as it is told of inside of a reply: what belongs to the request as a
/// whole is left out.
pub(crate) fn problem_of(error: &PhysicsError) -> Box<RawValue> {
    let problem = Problem::from(error.clone());
    RawValue::from_string(problem.to_text(&Circumstances::default()))
        .expect("problems are written as JSON")
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        if self.code == ProblemCode::Unauthorized {
            let scheme = HeaderValue::from_static("Bearer");
            let headers = response.headers_mut();
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<SimulationError> for Problem {
    fn from(error: SimulationError) -> Self {
        use ProblemCode as Code;
        use SimulationError as Error;
        let retry_after = error.retry_after();
        let said = |code| Self::new(code, error.to_string());
        let problem = match error {
            Error::NotFound(_) => said(Code::SimulationNotFound),
            Error::Expired(_) => said(Code::SimulationExpired),
            Error::Lost(_) => said(Code::SimulationLost),
            Error::Exists(ref id) => Self {
                sim_id: Some(id.clone()),
                ..said(Code::SimulationExists)
            },
            Error::Invalid(faults) => Self::invalid(faults),
            Error::Busy { limit, maximum, .. } => {
                Self::limit_exceeded(Code::SimulationBusy, limit, maximum, maximum + 1)
            }
            Error::QuotaExceeded { maximum } => {
                Self::limit_exceeded(Code::QuotaExceeded, "MAX_SIMULATIONS", maximum, maximum + 1)
            }
            Error::OwnedElsewhere { ref id, .. } => Self {
                sim_id: Some(id.clone()),
                ..said(Code::OwnedElsewhere)
            },
            Error::OwnershipLost(_) => said(Code::OwnershipLost),
            Error::Draining => said(Code::InstanceDraining),
            Error::Overloaded | Error::TooLate | Error::OutOfMemory => said(Code::Overloaded),
            Error::TooManyWaiting { maximum } => Self::limit_exceeded(
                Code::QuotaExceeded,
                "MAX_WAITING_PER_CLIENT",
                maximum,
                maximum + 1,
            ),
            Error::OutcomeUnknown => said(Code::OutcomeUnknown),
            Error::KeyReused => said(Code::IdempotencyKeyReused),
            Error::KeyInFlight => said(Code::IdempotencyKeyInFlight),
            Error::ReplyNotKept { seq } => Self {
                seq: Some(seq),
                ..said(Code::ReplyNotKept)
            },
            Error::Engine(_) => Self::new(
                Code::EngineFault,
                "the physics engine failed on this command; the command is undone",
            ),
            // What exactly went wrong there is for the log.
            Error::Registry(ref error) => {
                tracing::debug!(%error, "the registry did not do as asked");
                let detail = "the registry of simulations does not answer as it should";
                Self::new(Code::RegistryUnavailable, detail)
            }
            Error::Journal(ref error) => {
                tracing::debug!(%error, "the journal did not take a command");
                let detail = "the journal does not answer as it should; nothing was applied";
                Self::new(Code::RegistryUnavailable, detail)
            }
            Error::PreconditionFailed { .. } => said(Code::PreconditionFailed),
            Error::HistoryLost { seq, .. } => Self {
                seq: Some(seq),
                ..said(Code::HistoryLost)
            },
            Error::HistoryDiverged(_) => said(Code::HistoryDiverged),
            Error::Unreplayable { .. } => said(Code::NondeterminismDetected),
            Error::NotJournalled(_) => said(Code::NotJournalled),
            Error::OwnerUnreachable(_) | Error::Ownerless(..) => said(Code::OwnerUnreachable),
            Error::AssetNotFound(_) => said(Code::AssetNotFound),
            Error::Assets(AssetError::Full {
                limit,
                maximum,
                used,
            }) => Self::limit_exceeded(Code::QuotaExceeded, limit, maximum, used),
            Error::Assets(ref error @ AssetError::Unavailable(_)) => {
                tracing::debug!(%error, "the store of assets did not do as asked");
                let detail =
                    "the store of assets does not answer as it should; nothing was applied";
                Self::new(Code::RegistryUnavailable, detail)
            }
            Error::Physics(refused) => refused.into(),
        };
        Self {
            retry_after,
            ..problem
        }
    }
}

impl From<PhysicsError> for Problem {
    fn from(error: PhysicsError) -> Self {
        let said = |code| Self::new(code, error.to_string());
        match error {
            PhysicsError::Invalid(faults) => Self::invalid(faults),
            PhysicsError::LimitExceeded {
                limit,
                maximum,
                used,
            } => Self::limit_exceeded(ProblemCode::LimitExceeded, limit, maximum, used),
            PhysicsError::BodyNotFound(_) => said(ProblemCode::BodyNotFound),
            PhysicsError::JointNotFound(_) => said(ProblemCode::JointNotFound),
            PhysicsError::BodyExists(_) => said(ProblemCode::BodyExists),
            PhysicsError::JointExists(_) => said(ProblemCode::JointExists),
            PhysicsError::ControllerNotFound(_) => said(ProblemCode::ControllerNotFound),
            PhysicsError::ControllerExists(_) => said(ProblemCode::ControllerExists),
        }
    }
}

/// Replaces the body of `response` by the problem.
pub(super) fn write_problem(
    response: &mut Response,
    problem: &Problem,
    path: &str,
    request_id: &HeaderValue,
    client: IpAddr,
) {
    let sim_id = path
        .strip_prefix("/simulations/")
        .and_then(|rest| rest.split('/').next());
    let request_id = request_id.to_str().unwrap_or_default();
    let circumstances = Circumstances {
        path,
        sim_id: sim_id.filter(|id| crate::id::is_id(id)),
        request_id,
    };
    // What is refused is counted: a line for each would cost more than the refusal.
    if problem.status().is_server_error() && problem.code() != "overloaded" {
        tracing::warn!(
            path,
            request_id,
            code = problem.code(),
            %client,
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
    if problem.status() == StatusCode::REQUEST_TIMEOUT {
        // Nobody knows where the next request would begin.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(retry_after) = problem.retry_after() {
        headers.insert(header::RETRY_AFTER, retry_after.as_secs().max(1).into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::EngineFault;

    #[test]
    fn every_code_is_its_variant_in_snake_case() {
        for &code in ProblemCode::ALL {
            let written = serde_json::to_value(code).unwrap();
            assert_eq!(written, code.describe().0);
        }
    }

    #[test]
    fn an_engine_fault_is_a_500_that_says_it_is_undone_and_not_to_be_retried() {
        let problem = Problem::from(SimulationError::Engine(EngineFault));
        let circumstances = Circumstances {
            path: "/simulations/a/step",
            sim_id: Some("a"),
            request_id: "r",
        };
        let body: serde_json::Value =
            serde_json::from_slice(&problem.to_json(&circumstances)).unwrap();
        assert_eq!(body["error"], "engine_fault");
        assert_eq!(body["status"], 500);
        assert_eq!(body["retryable"], false);
        assert_eq!(body["type"], "/problems/engine_fault");
    }
}
