//! An answer, and what every answer of a kind must look like.

use reqwest::header::HeaderMap;
use serde_json::Value;

/// One answer together with the request it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// Method and path, for messages.
    pub(crate) request: String,
    /// The status code.
    pub(crate) status: u16,
    /// The header fields.
    pub(crate) headers: HeaderMap,
    /// The bytes of the body.
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// Fails with the whole answer unless it has this status.
    #[track_caller]
    pub(crate) fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.request, self.text());
        self
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{}: {error}: {}", self.request, self.text()),
        }
    }

    /// The body as text, shortened.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body)
            .chars()
            .take(2000)
            .collect()
    }

    /// A header field as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A header field that holds a number.
    #[track_caller]
    pub(crate) fn header_number(&self, name: &str) -> u64 {
        self.header(name)
            .and_then(|value| value.parse().ok())
            .unwrap_or_else(|| panic!("{}: no number in header {name}", self.request))
    }

    /// The problem document, checked for the members every problem has.
    #[track_caller]
    pub(crate) fn problem(&self) -> Problem {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{}: {} is not a problem: {}",
            self.request,
            self.status,
            self.text()
        );
        let problem = Problem {
            request: self.request.clone(),
            body: self.json(),
        };
        problem.check_members(self);
        problem
    }

    /// The problem document, which must have this status and code.
    #[track_caller]
    pub(crate) fn expect_problem(self, status: u16, code: &str) -> Problem {
        assert_eq!(self.status, status, "{}: {}", self.request, self.text());
        let problem = self.problem();
        assert_eq!(problem.code(), code, "{}: {}", self.request, self.text());
        problem
    }
}

/// A problem document (RFC 9457).
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    request: String,
    /// The document.
    pub(crate) body: Value,
}

impl Problem {
    /// The stable name of the problem.
    pub(crate) fn code(&self) -> &str {
        self.body["error"].as_str().unwrap_or("")
    }

    /// The pointers of all faults, in the order given.
    pub(crate) fn pointers(&self) -> Vec<String> {
        self.body["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|fault| fault["pointer"].as_str().map(str::to_owned))
            .collect()
    }

    /// Fails unless the faults are exactly at these places, whatever their order.
    #[track_caller]
    pub(crate) fn expect_pointers(&self, expected: &[&str]) -> &Self {
        let mut found = self.pointers();
        let mut expected: Vec<_> = expected.iter().map(|&p| p.to_owned()).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{}: {}", self.request, self.body);
        self
    }

    #[track_caller]
    fn check_members(&self, reply: &Reply) {
        let body = &self.body;
        let context = format!("{}: {body}", self.request);
        for member in [
            "type",
            "title",
            "detail",
            "instance",
            "error",
            "message",
            "request_id",
        ] {
            assert!(body[member].is_string(), "no text in `{member}`: {context}");
        }
        let code = self.code();
        assert!(
            body["type"].as_str().is_some_and(|t| t.ends_with(code)),
            "`type` does not end in the code: {context}"
        );
        assert_eq!(body["status"], reply.status, "{context}");
        assert_eq!(
            reply.header("x-request-id"),
            body["request_id"].as_str(),
            "{context}"
        );
        if reply.status >= 500 {
            assert!(body["retryable"].is_boolean(), "no `retryable`: {context}");
        }
        if reply.status == 429 || reply.status == 503 {
            let seconds = reply.header_number("retry-after");
            assert!((1..=3600).contains(&seconds), "{seconds}: {context}");
        }
        for fault in body["errors"].as_array().into_iter().flatten() {
            assert!(
                fault["pointer"]
                    .as_str()
                    .is_some_and(|p| p.is_empty() || p.starts_with('/')),
                "not a JSON pointer: {context}"
            );
            assert!(fault["detail"].is_string(), "no detail: {context}");
        }
    }
}
