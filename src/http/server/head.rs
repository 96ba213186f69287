//! The head of a request, looked at before hyper sees it: where it ends, what follows it, and
//! whether its framing can be trusted.

use std::mem::MaybeUninit;

use httparse::{Error, Header, Request, Status};
use hyper::Uri;
use memchr::{memchr, memchr_iter};

use crate::http::{problem::Problem, problem_code::ProblemCode};

/// How many headers a request may have.
pub(super) const MAX_HEADERS: usize = 100;
/// How many bytes the head of a request may have.
pub(super) const MAX_HEAD_BYTES: usize = 64 * 1024;
/// The longest URI, in bytes.
const MAX_URI_LENGTH: usize = 8 * 1024;
/// By how much a request line may be longer than its URI before it has come to its end.
const MAX_AROUND_URI: usize = 64;

/// What some bytes are that should begin with the head of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// They do, and what follows the first `length` of them is this body.
    Whole { length: usize, body: Framing },
    /// It has not come to its end.
    Partial,
    /// Nobody can tell, or wants to, where a request with this head ends.
    Refused(Refusal),
}

/// How it is told where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// It has so many bytes; without any, there is none.
    Sized(u64),
    Chunked,
}

/// Why a connection is closed instead of reading on, in words for its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    code: ProblemCode,
    detail: &'static str,
}

impl Refusal {
    /// The head has taken too long.
    pub(super) const LATE: Self = Self {
        code: ProblemCode::RequestTimeout,
        detail: "the head of the request came too slowly",
    };

    const fn malformed(detail: &'static str) -> Self {
        let code = ProblemCode::MalformedRequest;
        Self { code, detail }
    }

    pub(super) fn problem(self) -> Problem {
        Problem::new(self.code, self.detail)
    }
}

impl Head {
    /// Looks at bytes that should begin with the head of a request.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; MAX_HEADERS];
        let mut request = Request::new(&mut []);
        match request.parse_with_uninit_headers(bytes, &mut headers) {
            Ok(Status::Complete(length)) if length > MAX_HEAD_BYTES => too_large(),
            Ok(Status::Complete(length)) => match framing(&request, &bytes[..length]) {
                Ok(body) => Self::Whole { length, body },
                Err(refusal) => Self::Refused(refusal),
            },
            Ok(Status::Partial) if has_endless_uri(bytes) => Self::Refused(URI_TOO_LONG),
            Ok(Status::Partial) if bytes.len() >= MAX_HEAD_BYTES => too_large(),
            Ok(Status::Partial) => Self::Partial,
            Err(Error::TooManyHeaders) => too_large(),
            Err(Error::Version) => Self::Refused(Refusal::malformed("this is not HTTP/1.1")),
            Err(
                Error::HeaderName
                | Error::HeaderValue
                | Error::NewLine
                | Error::Status
                | Error::Token,
            ) => Self::Refused(Refusal::malformed("the head of the request cannot be read")),
        }
    }
}

const URI_TOO_LONG: Refusal = Refusal {
    code: ProblemCode::UriTooLong,
    detail: "the URI must not be longer than 8192 bytes",
};

const fn too_large() -> Head {
    Head::Refused(Refusal {
        code: ProblemCode::HeadersTooLarge,
        detail: "a request may have 100 headers, and 65536 bytes before its body",
    })
}

/// Whether a request line is longer already than one may be.
fn has_endless_uri(bytes: &[u8]) -> bool {
    let longest = MAX_URI_LENGTH + MAX_AROUND_URI;
    bytes.len() > longest && memchr(b'\n', &bytes[..longest]).is_none()
}

/// How the body after this head is framed, unless there is a doubt about it.
fn framing(request: &Request<'_, '_>, head: &[u8]) -> Result<Framing, Refusal> {
    let refuse = |detail| Err(Refusal::malformed(detail));
    if memchr_iter(b'\n', head).any(|at| at == 0 || head[at - 1] != b'\r') {
        return refuse("lines must end in CR LF");
    }
    let is_1_0 = request.version == Some(0);
    let (mut host, mut length, mut is_chunked) = (None, None, false);
    for Header { name, value } in request.headers.iter() {
        let value = value.trim_ascii();
        if name.eq_ignore_ascii_case("host") {
            if host.replace(value).is_some() || !value.iter().all(|byte| is_of_host(*byte)) {
                return refuse("there must be one Host, the name of a host");
            }
        } else if name.eq_ignore_ascii_case("content-length") {
            let Some(parsed) = parse_length(value) else {
                return refuse("Content-Length must be a number of bytes");
            };
            if length.replace(parsed).is_some() {
                return refuse("there must be one Content-Length");
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if is_1_0 || is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return refuse("the one Transfer-Encoding that is read is chunked, in HTTP/1.1");
            }
            is_chunked = true;
        }
    }
    if host.is_none() && !is_1_0 {
        return refuse("there must be a Host");
    }
    check_line(request, host)?;
    match (length, is_chunked) {
        (Some(_), true) => refuse("Content-Length and Transfer-Encoding contradict each other"),
        (None, true) => Ok(Framing::Chunked),
        (length, false) => Ok(Framing::Sized(length.unwrap_or(0))),
    }
}

/// What is wrong with the first line, if anything.
fn check_line(request: &Request<'_, '_>, host: Option<&[u8]>) -> Result<(), Refusal> {
    let (method, target) = (
        request.method.unwrap_or_default(),
        request.path.unwrap_or_default(),
    );
    if matches!(method, "CONNECT" | "TRACE") {
        return Err(Refusal {
            code: ProblemCode::MethodNotAllowed,
            detail: "this method is not served",
        });
    }
    if target.len() > MAX_URI_LENGTH {
        return Err(URI_TOO_LONG);
    }
    let is_plain = target.starts_with('/') && target.bytes().all(is_of_plain_path);
    if !is_plain && Uri::try_from(target).is_err() {
        return Err(Refusal::malformed("the URI cannot be read"));
    }
    if target.starts_with('/') || (target == "*" && method == "OPTIONS") {
        return Ok(());
    }
    match named_host(target) {
        None => Err(Refusal::malformed("the URI must be a path")),
        Some(named) if host.is_none_or(|host| host.eq_ignore_ascii_case(named.as_bytes())) => {
            Ok(())
        }
        Some(_) => Err(Refusal::malformed(
            "the URI and Host must name the same host",
        )),
    }
}

/// The host in a whole URI.
fn named_host(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    let is_http = ["http", "https"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    let host = rest.split(['/', '?', '#']).next()?;
    (is_http && !host.is_empty()).then_some(host)
}

/// Digits only, and few enough to be a number everywhere.
fn parse_length(value: &[u8]) -> Option<u64> {
    let is_number = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    let text = str::from_utf8(value).ok().filter(|_| is_number)?;
    text.parse().ok()
}

fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'.' | b'-'
                | b':'
                | b'_'
                | b'~'
                | b'%'
                | b'['
                | b']'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b';'
                | b'='
        )
}

/// Whether a byte is read alike by everyone who reads URIs.
fn is_of_plain_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'/' | b'_' | b'-' | b'.' | b'~' | b'%' | b'?' | b'=' | b'&' | b',' | b':' | b'+'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body_of(lines: &str) -> Option<Framing> {
        match Head::read(format!("{lines}\r\n\r\n").as_bytes()) {
            Head::Whole { body, .. } => Some(body),
            Head::Refused(_) => None,
            Head::Partial => panic!("{lines:?} has an end"),
        }
    }

    #[test]
    fn a_head_tells_where_its_body_ends_or_is_refused() {
        let none = Some(Framing::Sized(0));
        for (lines, body) in [
            ("GET / HTTP/1.1\r\nHost: a", none),
            ("GET / HTTP/1.0", none),
            ("GET http://a:1/x HTTP/1.1\r\nhost: A:1", none),
            ("GET http://b/x HTTP/1.1\r\nhost: a", None),
            ("GET ftp://a/x HTTP/1.1\r\nhost: a", None),
            ("GET x HTTP/1.1\r\nhost: a", None),
            ("OPTIONS * HTTP/1.1\r\nhost: a", none),
            ("GET * HTTP/1.1\r\nhost: a", None),
            ("GET /`< HTTP/1.1\r\nhost: a", None),
            ("GET / HTTP/1.1", None),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a", None),
            ("GET / HTTP/1.1\r\nHost: a@b", None),
            ("GET / HTTP/1.1\nHost: a", None),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7",
                Some(Framing::Sized(7)),
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked",
                Some(Framing::Chunked),
            ),
            (
                "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked",
                None,
            ),
        ] {
            assert_eq!(body_of(lines), body, "{lines:?}");
        }
    }

    #[test]
    fn whatever_is_cut_short_is_partial_until_it_is_too_long() {
        let head = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n";
        for end in 0..head.len() {
            assert_eq!(Head::read(&head[..end]), Head::Partial, "{end}");
        }
        let line = [b"GET /".as_slice(), &vec![b'a'; 2 * MAX_URI_LENGTH]].concat();
        assert_eq!(Head::read(&line), Head::Refused(URI_TOO_LONG));
        let field = [
            b"GET / HTTP/1.1\r\na: ".as_slice(),
            &vec![b'a'; MAX_HEAD_BYTES],
        ]
        .concat();
        assert_eq!(Head::read(&field), too_large());
    }
}
