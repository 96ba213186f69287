//! Requests whose head nobody should answer as if it were a good one.

use super::{
    line::{Line, get, post},
    probe::Probe,
};
use crate::harness::Instance;

/// Bytes, and what they are answered with before the connection is closed.
struct Case {
    row: u8,
    what: &'static str,
    bytes: Vec<u8>,
    expected: (u16, &'static str),
}

const MALFORMED: (u16, &str) = (400, "malformed_request");
const TOO_LONG: (u16, &str) = (414, "uri_too_long");
const TOO_LARGE: (u16, &str) = (431, "headers_too_large");
const NOT_ALLOWED: (u16, &str) = (405, "method_not_allowed");

fn case(
    row: u8,
    what: &'static str,
    bytes: impl Into<Vec<u8>>,
    expected: (u16, &'static str),
) -> Case {
    Case {
        row,
        what,
        bytes: bytes.into(),
        expected,
    }
}

/// How often each of them is tried: the probe is to have its turn between them.
const ROUNDS: usize = 5;

/// Each of them is refused with a problem document, and nothing that follows is read.
async fn check(attack: &str, cases: Vec<Case>) {
    let instance = Instance::spawn(&[("HEAD_TIMEOUT_MS", "3000")]).await;
    let probe = Probe::start(instance.address());
    let mut wrong = Vec::new();

    for case in (0..ROUNDS).flat_map(|_| &cases) {
        let mut line = Line::open(instance.address()).await;
        // Whoever reads another end into it would answer the second request.
        line.say([case.bytes.as_slice(), get("/health").as_bytes()].concat())
            .await;
        let answer = line.answer().await;
        let after = line.rest().await;
        let (status, code) = answer.outcome();
        let row = format!("row {}, {}", case.row, case.what);
        if (status, code.as_str()) != case.expected {
            wrong.push(format!(
                "{row}: {status} {code} and not {:?}: {}",
                case.expected, answer.head
            ));
        }
        if !after.is_empty() {
            wrong.push(format!("{row}: went on with {after:?}"));
        }
        if answer.header("connection") != Some("close") || answer.header("x-request-id").is_none() {
            wrong.push(format!("{row}: {}", answer.head));
        }
        if status == 405 && answer.header("allow").is_none() {
            wrong.push(format!("{row}: no Allow"));
        }
    }

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    probe.assert_calm(attack);
}

/// A POST whose head has these further lines, and this body.
fn with(lines: &str, body: &str) -> String {
    format!(
        "POST /simulations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{lines}\r\n\r\n{body}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_1_to_5_bodies_with_two_ends_or_none_are_refused() {
    let in_chunks = "2\r\n{}\r\n0\r\n\r\n";
    let one_zero = "POST /simulations HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut cases = vec![
        case(
            1,
            "length, then chunks",
            with("Content-Length: 2\r\nTransfer-Encoding: chunked", in_chunks),
            MALFORMED,
        ),
        case(
            1,
            "chunks, then length",
            with("Transfer-Encoding: chunked\r\nContent-Length: 2", in_chunks),
            MALFORMED,
        ),
        case(
            1,
            "chunks and length in other cases",
            with("TRANSFER-encoding: Chunked\r\ncontent-LENGTH: 2", in_chunks),
            MALFORMED,
        ),
        case(
            2,
            "two lengths",
            with("Content-Length: 2\r\nContent-Length: 3", "{} "),
            MALFORMED,
        ),
        case(
            2,
            "one length twice",
            with("Content-Length: 2\r\nContent-Length: 2", "{}"),
            MALFORMED,
        ),
        case(
            4,
            "chunks in HTTP/1.0",
            format!("{one_zero}{in_chunks}"),
            MALFORMED,
        ),
    ];
    for length in [
        "5, 5",
        "+5",
        "-1",
        "1e30",
        "",
        "0x2",
        "2 ",
        "9".repeat(30).as_str(),
    ] {
        let lines = format!("Content-Length: {length}\r\nAccept: */*");
        // A space after the number belongs to no value.
        if length != "2 " {
            cases.push(case(3, "no length", with(&lines, "{}"), MALFORMED));
        }
    }
    for encoding in [
        "xchunked",
        "identity",
        "chunked, identity",
        "\"chunked\"",
        "chunked,",
        "chunked\r\nTransfer-Encoding: chunked",
        "chunked\r\nTransfer-Encoding: identity",
    ] {
        let lines = format!("Transfer-Encoding: {encoding}");
        cases.push(case(
            4,
            "another encoding",
            with(&lines, in_chunks),
            MALFORMED,
        ));
    }
    for encoding in ["gzip, chunked", "gzip\r\nTransfer-Encoding: chunked"] {
        let lines = format!("Transfer-Encoding: {encoding}");
        cases.push(case(5, "gzip, chunked", with(&lines, in_chunks), MALFORMED));
    }
    check("rows 1 to 5", cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_11_to_17_heads_that_are_read_in_two_ways_are_refused() {
    let line = |field: &str| format!("GET /health HTTP/1.1\r\nHost: x\r\n{field}\r\n\r\n");
    check(
        "rows 11 to 17",
        vec![
            case(11, "no Host", "GET /health HTTP/1.1\r\n\r\n", MALFORMED),
            case(12, "two Hosts", line("Host: y"), MALFORMED),
            case(12, "one Host twice", line("Host: x"), MALFORMED),
            case(
                12,
                "two names in one Host",
                "GET /health HTTP/1.1\r\nHost: x, y\r\n\r\n",
                MALFORMED,
            ),
            case(
                13,
                "the URI of another host",
                "GET http://evil/health HTTP/1.1\r\nHost: x\r\n\r\n",
                MALFORMED,
            ),
            case(
                13,
                "a URI of another kind",
                "GET ftp://x/health HTTP/1.1\r\nHost: x\r\n\r\n",
                MALFORMED,
            ),
            case(
                13,
                "no path",
                "GET health HTTP/1.1\r\nHost: x\r\n\r\n",
                MALFORMED,
            ),
            case(
                14,
                "a space before the colon",
                line("Accept : */*"),
                MALFORMED,
            ),
            case(
                15,
                "a line that is folded",
                line("Accept: a\r\n b"),
                MALFORMED,
            ),
            case(
                16,
                "line feeds alone",
                "GET /health HTTP/1.1\nHost: x\n\n",
                MALFORMED,
            ),
            case(
                16,
                "one line feed alone",
                "GET /health HTTP/1.1\r\nHost: x\nAccept: */*\r\n\r\n",
                MALFORMED,
            ),
            case(17, "NUL in a value", line("Accept: a\0b"), MALFORMED),
            case(17, "CR in a value", line("Accept: a\rb"), MALFORMED),
            case(17, "NUL in a name", line("Acc\0ept: a"), MALFORMED),
            case(
                17,
                "CR in the URI",
                "GET /hea\rlth HTTP/1.1\r\nHost: x\r\n\r\n",
                MALFORMED,
            ),
            case(
                17,
                "< in the URI",
                "GET /<a> HTTP/1.1\r\nHost: x\r\n\r\n",
                MALFORMED,
            ),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_18_to_21_and_45_heads_that_are_too_large_are_refused() {
    let head = |fields: &str| format!("GET /health HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n");
    let fields = |count: usize| -> String {
        let lines: Vec<_> = (0..count).map(|n| format!("X-{n}: {n}")).collect();
        lines.join("\r\n")
    };
    let uri = |length: usize| {
        let path = format!("/{}", "a".repeat(length - 1));
        format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
    };
    check(
        "rows 18 to 21",
        vec![
            case(
                18,
                "101 headers",
                head(&fields(100)),
                (431, "headers_too_large"),
            ),
            case(18, "10,000 headers", head(&fields(10_000)), TOO_LARGE),
            case(
                19,
                "a value of 500 KB",
                head(&format!("X-Long: {}", "v".repeat(500_000))),
                TOO_LARGE,
            ),
            case(20, "a URI of 70 KB", uri(70_000), (414, "uri_too_long")),
            case(20, "a URI of 5 MB", uri(5_000_000), TOO_LONG),
            case(21, "a URI of 40 KB", uri(40_000), TOO_LONG),
            case(21, "a URI of 8 KB and a byte", uri(8193), TOO_LONG),
            case(
                45,
                "a token of 64 KB",
                head(&format!("Authorization: Bearer {}", "t".repeat(65_536))),
                TOO_LARGE,
            ),
        ],
    )
    .await;

    let instance = Instance::spawn(&[]).await;
    let mut line = Line::open(instance.address()).await;
    line.say(head(&fields(99))).await;
    assert_eq!(line.answer().await.status, 200, "row 18, 100 headers");
    line.say(uri(8192)).await;
    assert_eq!(line.answer().await.status, 404, "row 21, a URI of 8 KB");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_22_to_26_what_speaks_something_else_is_sent_away() {
    let hello = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(),
        &[0x5a; 500],
    ]
    .concat();
    // SETTINGS, then streams that are opened and reset, then a head that does not end.
    let mut rapid = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for stream in (1..20_000_u32).step_by(2) {
        rapid.extend([0, 0, 1, 1, 4]);
        rapid.extend(stream.to_be_bytes());
        rapid.extend([0x82, 0, 0, 4, 3, 0]);
        rapid.extend(stream.to_be_bytes());
        rapid.extend([0, 0, 0, 8]);
    }
    for _ in 0..1000 {
        rapid.extend([0, 0, 4, 9, 0, 0, 0, 0, 1, 0x40, 1, b'a', 0]);
    }
    check(
        "rows 22 to 26",
        vec![
            case(22, "a TLS hello", hello, MALFORMED),
            case(
                22,
                "random bytes",
                [0x80, 0xff, 0, 1, 2, 3, 0xc0],
                MALFORMED,
            ),
            case(
                23,
                "HTTP/9.9",
                "GET /health HTTP/9.9\r\nHost: x\r\n\r\n",
                MALFORMED,
            ),
            case(
                23,
                "HTTP/2.0 in words",
                "GET /health HTTP/2.0\r\nHost: x\r\n\r\n",
                MALFORMED,
            ),
            case(
                24,
                "the preface of HTTP/2 and junk",
                "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\njunk",
                MALFORMED,
            ),
            case(
                25,
                "rapid resets and endless heads of HTTP/2",
                rapid,
                MALFORMED,
            ),
            case(
                26,
                "CONNECT",
                "CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n",
                NOT_ALLOWED,
            ),
            case(
                26,
                "TRACE",
                "TRACE /health HTTP/1.1\r\nHost: x\r\n\r\n",
                NOT_ALLOWED,
            ),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_13_and_27_what_is_unusual_and_clear_is_answered_and_the_connection_stays() {
    let instance = Instance::spawn(&[]).await;
    let mut line = Line::open(instance.address()).await;

    for (row, what, bytes, status) in [
        (
            13,
            "the URI of the same host",
            "GET http://X:9000/health HTTP/1.1\r\nHost: x:9000\r\n\r\n".to_owned(),
            200,
        ),
        (
            27,
            "an unknown method",
            "FOO /health HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            405,
        ),
        (
            27,
            "the method that stands for what was refused",
            "REFUSED /health HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            405,
        ),
        (
            28,
            "a wrong method",
            "PUT /health HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".to_owned(),
            405,
        ),
        (
            28,
            "OPTIONS *",
            "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            204,
        ),
        (
            3,
            "a length with space around it",
            "POST /simulations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             Content-Length:   2  \r\n\r\n{}"
                .to_owned(),
            201,
        ),
        (
            4,
            "chunks in other letters",
            with("transfer-ENCODING: CHUNKED", "2\r\n{}\r\n0\r\n\r\n"),
            201,
        ),
        (
            0,
            "an empty line first",
            format!("\r\n{}", get("/health")),
            200,
        ),
        (0, "a plain request", post("/simulations", "{}"), 201),
        (
            0,
            "no Host in HTTP/1.0",
            "GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".to_owned(),
            200,
        ),
    ] {
        line.say(bytes).await;
        let answer = line.answer().await;
        assert_eq!(answer.status, status, "row {row}, {what}: {}", answer.head);
        assert_eq!(
            answer.header("allow").is_some(),
            [204, 405].contains(&status),
            "row {row}, {what}: {}",
            answer.head
        );
    }
}
