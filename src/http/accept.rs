//! Which types of replies a client takes.

use axum::http::{HeaderMap, header};
use headers_accept::Accept;
use mediatype::{MediaType, Name, names::APPLICATION};

/// The type of a journal: one JSON object a line.
pub(super) const JSON_LINES: &str = "application/x-ndjson";

/// The type of a simulation that can be carried elsewhere.
pub(super) const BUNDLE: &str = "application/vnd.rapier-bundle";

const JSON_TYPE: MediaType<'_> = application("json");
const JSON_LINES_TYPE: MediaType<'_> = application("x-ndjson");
const BUNDLE_TYPE: MediaType<'_> = application("vnd.rapier-bundle");

/// Whether a client takes what a path answers with. Problems are JSON everywhere.
pub(super) fn is_acceptable(headers: &HeaderMap, path: &str) -> bool {
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
    let of_path = match path.rsplit('/').next() {
        Some("journal") => JSON_LINES_TYPE,
        Some("bundle") => BUNDLE_TYPE,
        Some(_) | None => JSON_TYPE,
    };
    accept.negotiate(&[of_path, JSON_TYPE]).is_some()
}

const fn application(subtype: &str) -> MediaType<'_> {
    MediaType::new(APPLICATION, Name::new_unchecked(subtype))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_answers_with_its_own_type_and_problems() {
        let takes = |accept: &str, path| {
            let accept = (header::ACCEPT, accept.parse().unwrap());
            is_acceptable(&HeaderMap::from_iter([accept]), path)
        };
        let (journal, bundle) = ("/simulations/a/journal", "/simulations/a/bundle");
        assert!(takes(JSON_LINES, journal) && takes("text/html, application/json", journal));
        assert!(takes(BUNDLE, bundle) && takes("application/*", bundle));
        assert!(!takes(JSON_LINES, bundle) && !takes(BUNDLE, journal));
        assert!(!takes(JSON_LINES, "/simulations/a/state"));
        assert!(takes("text/html, */*;q=0.1", "/simulations/a/state"));
    }
}
