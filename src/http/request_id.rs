//! What a request is called in logs and problems, by its client or by nobody.

use axum::http::{HeaderMap, HeaderValue};

use super::hop::X_REQUEST_ID;

/// The longest request id that is taken over, in bytes.
const MAX_REQUEST_ID_LENGTH: usize = 128;

/// The request's own name, if it has one that is fit for logs.
pub(super) fn given(headers: &HeaderMap) -> Option<HeaderValue> {
    let is_fit = |id: &&HeaderValue| {
        let bytes = id.as_bytes();
        (1..=MAX_REQUEST_ID_LENGTH).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
    };
    headers.get(X_REQUEST_ID).filter(is_fit).cloned()
}

pub(super) fn random() -> HeaderValue {
    let mut buffer = uuid::Uuid::encode_buffer();
    let id = uuid::Uuid::new_v4()
        .as_hyphenated()
        .encode_lower(&mut buffer);
    HeaderValue::from_str(id).expect("a UUID is plain ASCII")
}
