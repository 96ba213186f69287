//! What a request says of the moment it is about: where the simulation has to stand, and where its
//! client has seen it.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};

use super::{problem::Problem, problem_code::ProblemCode};
use crate::{
    clock::{Clock, Moment},
    simulations::{Durability, Head, Precondition, SimulationHandle},
};

/// Header: the `ETag` that a client has seen last.
pub(super) const SIM_WITNESS: HeaderName = HeaderName::from_static("sim-witness");
/// Header: how sure a reader wants to be that nobody else has the simulation by now.
pub(super) const SIM_CONSISTENCY: HeaderName = HeaderName::from_static("sim-consistency");
/// Header: for how many seconds the client waits. What has not begun by then is not carried out.
pub(super) const REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("request-timeout");
/// The longest time that a client may say it waits, in seconds.
const MAX_TIMEOUT: f64 = 86_400.0;
/// The one wish for consistency that there is.
const FENCED: &str = "fenced";

/// Whether a request only looks, whatever its method says.
pub(super) fn only_looks(method: &Method, path: &str) -> bool {
    method.is_safe() || *method == Method::POST && path.ends_with("/queries")
}

/// Where the simulation has to stand for a command to be carried out; anywhere unless there is an
/// `If-Match`. What is no strong `ETag` of ours is never where it stands.
pub(super) fn precondition(headers: &HeaderMap) -> Option<Precondition> {
    let given = headers.get(header::IF_MATCH)?;
    if given == "*" {
        return None;
    }
    let lines = headers.get_all(header::IF_MATCH).iter();
    let tags = lines.flat_map(|line| line.to_str().unwrap_or_default().split(','));
    let quoted = tags.filter_map(|tag| tag.trim().strip_prefix('"')?.strip_suffix('"'));
    Some(Precondition(quoted.filter_map(Head::from_text).collect()))
}

/// Until when a command has to have begun, if its client says so.
pub(super) fn deadline(headers: &HeaderMap, clock: &Clock) -> Result<Option<Moment>, Problem> {
    let Some(given) = headers.get(REQUEST_TIMEOUT) else {
        return Ok(None);
    };
    let seconds = given.to_str().ok().and_then(|text| text.parse().ok());
    let seconds = seconds.filter(|seconds| (0.0..=MAX_TIMEOUT).contains(seconds));
    let seconds = seconds.ok_or_else(|| {
        let detail = format!("Request-Timeout must be a number of seconds from 0 to {MAX_TIMEOUT}");
        Problem::new(ProblemCode::MalformedRequest, detail)
    })?;
    Ok(Some(clock.now() + Duration::from_secs_f64(seconds)))
}

/// Where a client has seen the simulation.
pub(super) fn witness(headers: &HeaderMap) -> Result<Option<Head>, Problem> {
    let Some(given) = headers.get(SIM_WITNESS) else {
        return Ok(None);
    };
    let text = given.to_str().unwrap_or_default();
    let quoted = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    let seen = Head::from_text(quoted.unwrap_or(text)).ok_or_else(|| {
        let detail = "Sim-Witness must be the ETag of a reply about a simulation";
        Problem::new(ProblemCode::MalformedRequest, detail)
    });
    seen.map(Some)
}

/// Whether a reader wants it made sure that nobody else has the simulation by now.
pub(super) fn is_fenced(headers: &HeaderMap) -> bool {
    headers
        .get(SIM_CONSISTENCY)
        .is_some_and(|wish| wish == FENCED)
}

/// Refuses a wish of a reader that is not known.
pub(super) fn check_consistency(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(SIM_CONSISTENCY) {
        Some(wish) if wish != FENCED => {
            let detail = "Sim-Consistency must be fenced";
            Err(Problem::new(ProblemCode::MalformedRequest, detail))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether a command was refused because of how a simulation is by now that others may go on with: an owner that has
/// been replaced, and has not noticed, would speak of how it was.
pub(super) fn is_turned_down(simulation: &SimulationHandle, status: StatusCode) -> bool {
    simulation.durability() == Durability::Journal
        && matches!(
            status,
            StatusCode::NOT_FOUND
                | StatusCode::CONFLICT
                | StatusCode::PRECONDITION_FAILED
                | StatusCode::UNPROCESSABLE_ENTITY
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Head = Head { seq: 7, chain: 255 };
    const TAG: &str = "\"7-00000000000000ff\"";

    fn asked(name: &HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_precondition_is_met_by_a_strong_tag_and_by_nothing_else() {
        let is_met = |values: &[&str]| {
            let required = precondition(&asked(&header::IF_MATCH, values));
            required.is_none_or(|required| required.is_met_by(HEAD))
        };
        let weak = format!("W/{TAG}");
        let list = format!("\"other\", {TAG}");
        for met in [&[][..], &["*"], &[TAG], &[&list], &["\"other\"", TAG]] {
            assert!(is_met(met), "{met:?}");
        }
        for unmet in [
            &[""][..],
            &[&weak],
            &["7-00000000000000ff"],
            &["\"8-00000000000000ff\""],
            &["\"7-00000000000000fe\""],
            &["\"*\""],
            &["*, *"],
            &["\"7-ff\""],
        ] {
            assert!(!is_met(unmet), "{unmet:?}");
        }
    }

    #[test]
    fn a_deadline_is_so_many_seconds_from_now_or_refused() {
        let clock = Clock::start();
        let told = |value: &str| {
            let before = clock.now();
            let deadline = deadline(&asked(&REQUEST_TIMEOUT, &[value]), &clock);
            deadline.map(|at| at.map(|at| at.since(before)))
        };
        let half = told("0.5").unwrap().unwrap();
        assert!(half >= Duration::from_millis(500) && half < Duration::from_secs(60));
        assert!(deadline(&HeaderMap::new(), &clock).unwrap().is_none());
        for bad in ["", "-1", "soon", "NaN", "inf", "86401", "1s"] {
            let refused = told(bad).map_err(|problem| problem.code());
            assert_eq!(refused, Err("malformed_request"), "{bad}");
        }
    }

    #[test]
    fn a_witness_is_taken_with_and_without_quotes_and_refused_if_it_is_none() {
        let seen = |value: &str| witness(&asked(&SIM_WITNESS, &[value])).map_err(|p| p.code());
        assert_eq!(seen(TAG), Ok(Some(HEAD)));
        assert_eq!(seen("7-00000000000000ff"), Ok(Some(HEAD)));
        assert!(matches!(witness(&HeaderMap::new()), Ok(None)));
        for bad in ["", "\"", "7", "7-ff", "W/\"7-00000000000000ff\"", "*"] {
            assert_eq!(seen(bad), Err("malformed_request"), "{bad}");
        }
    }
}
