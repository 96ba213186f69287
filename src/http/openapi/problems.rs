//! The problems that an operation may answer with.

use utoipa::openapi::{Components, ContentBuilder, Ref, RefOr, ResponseBuilder, path::Operation};

use super::{Route, headers};
use crate::http::problem_code::ProblemCode;

/// What routes write where they answer with problems.
const ANY: &str = "default";
/// The problems of every route.
const OF_ALL: [u16; 6] = [400, 406, 408, 414, 431, 500];

/// Defines a response for each status that problems have.
pub(super) fn define(components: &mut Components) {
    let statuses = ProblemCode::ALL
        .iter()
        .map(|code| code.describe().2.as_u16());
    for status in statuses {
        let response = ResponseBuilder::new().description(codes(status)).content(
            "application/problem+json",
            ContentBuilder::new()
                .schema(Some(Ref::from_schema_name("Problem")))
                .build(),
        );
        let response = headers::of_problem(status, response).build();
        components.responses.insert(name(status), response.into());
    }
}

/// Puts the problems that an operation can meet in the place of any.
pub(super) fn expect(route: &Route<'_>, operation: &mut Operation) {
    let answers_with_problems = operation.responses.responses.remove(ANY).is_some();
    let mut statuses = OF_ALL.to_vec();
    // What says nothing of keys needs one.
    if operation.security.is_none() {
        statuses.push(401);
    }
    if answers_with_problems {
        statuses.push(503);
        let takes_body = operation.request_body.is_some();
        let creates = route.path == "/simulations" && takes_body;
        if takes_body {
            statuses.extend([404, 413, 415]);
        }
        if takes_body || operation.parameters.is_some() {
            statuses.push(422);
        }
        if route.names_simulation() || creates {
            statuses.extend([404, 409, 421, 429]);
        }
        if route.commands() {
            statuses.push(412);
        }
        if route.path.starts_with("/assets/") {
            statuses.extend([404, 429]);
        }
    }
    for status in statuses {
        let problem = RefOr::Ref(Ref::from_response_name(name(status)));
        let responses = &mut operation.responses.responses;
        responses.entry(status.to_string()).or_insert(problem);
    }
}

fn name(status: u16) -> String {
    format!("Problem{status}")
}

/// Which problems have this status.
fn codes(status: u16) -> String {
    let described = ProblemCode::ALL.iter().map(|code| code.describe());
    let codes: Vec<_> = described
        .filter(|(.., of)| of.as_u16() == status)
        .map(|(code, title, _)| format!("`{code}`: {title}"))
        .collect();
    format!("{}.", codes.join(". "))
}
