//! Bodies whose end is hard to find, and requests that come before they are asked for.

use serde_json::Value;

use super::{
    line::{Line, get, post},
    probe::Probe,
};
use crate::harness::Instance;

const CHUNKED: &str = "POST /simulations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
    Transfer-Encoding: chunked\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn rows_6_to_8_chunks_of_no_clear_size_end_the_connection() {
    let instance = Instance::spawn(&[]).await;
    let probe = Probe::start(instance.address());
    let extension = format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "e".repeat(20_000));

    for (row, what, body) in [
        (6, "ZZ", "ZZ\r\n{}\r\n0\r\n\r\n"),
        (6, "no size", "\r\n{}\r\n0\r\n\r\n"),
        (6, "a sign", "+2\r\n{}\r\n0\r\n\r\n"),
        (6, "0x", "0x2\r\n{}\r\n0\r\n\r\n"),
        (6, "more than was said", "2\r\n{}}\r\n0\r\n\r\n"),
        (6, "line feeds alone", "2\n{}\n0\n\n"),
        (
            6,
            "a line feed in an extension",
            "2;a\nb\r\n{}\r\n0\r\n\r\n",
        ),
        (7, "17 digits", "10000000000000002\r\n{}\r\n0\r\n\r\n"),
        (7, "16 digits", "fffffffffffffffe\r\n{}\r\n0\r\n\r\n"),
        (8, "an extension of 20 KB", &extension),
    ] {
        for is_in_pieces in [false, true] {
            let mut line = Line::open(instance.address()).await;
            let context = format!("row {row}, {what}, in pieces: {is_in_pieces}");
            if is_in_pieces {
                line.say(CHUNKED).await;
                line.say(body).await;
                line.say(get("/health")).await;
            } else {
                line.say(format!("{CHUNKED}{body}{}", get("/health"))).await;
            }
            let answer = line.answer().await;
            let expected = (400, "malformed_request".to_owned());
            assert_eq!(answer.outcome(), expected, "{context}: {}", answer.head);
            assert!(line.rest().await.is_empty(), "{context}: it went on");
        }
    }

    let mut line = Line::open(instance.address()).await;
    line.say(get("/health")).await;
    let health: Value = line.answer().await.json();
    assert_eq!(health["simulations"], 0, "rows 6 to 8");
    probe.assert_calm("rows 6 to 8");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_9_a_million_chunks_of_one_byte_are_bounded_by_size() {
    let instance = Instance::spawn(&[("MAX_REQUEST_BYTES", "262144")]).await;
    let probe = Probe::start(instance.address());
    let mut line = Line::open(instance.address()).await;

    line.say(CHUNKED).await;
    for _ in 0..1000 {
        if !line.say("1\r\n \r\n".repeat(1000)).await {
            break;
        }
    }
    let answer = line.answer().await;

    let expected = (413, "body_too_large".to_owned());
    assert_eq!(answer.outcome(), expected, "row 9: {}", answer.head);
    probe.assert_calm("row 9");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_9_as_many_chunks_as_are_allowed_are_one_body() {
    let instance = Instance::spawn(&[]).await;
    let probe = Probe::start(instance.address());
    let mut line = Line::open(instance.address()).await;

    line.say(CHUNKED).await;
    for _ in 0..200 {
        line.say("1\r\n \r\n".repeat(1000)).await;
    }
    line.say(format!("2\r\n{{}}\r\n0\r\n\r\n{}", get("/health")))
        .await;

    let created = line.answer().await;
    assert_eq!(created.status, 201, "row 9: {}", created.head);
    assert_eq!(line.answer().await.status, 200, "row 9: the next request");
    probe.assert_calm("row 9, allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_10_what_trails_a_body_is_of_no_account() {
    let instance = Instance::spawn(&[]).await;
    let mut line = Line::open(instance.address()).await;

    let trailers = "Content-Length: 99\r\nHost: evil\r\nTransfer-Encoding: chunked\r\n\
        Authorization: Bearer x\r\nIdempotency-Key: k\r\nX-Request-Id: forged\r\n";
    line.say(format!(
        "{}2\r\n{{}}\r\n0\r\n{trailers}\r\n{}",
        CHUNKED.replace("Host: x", "Host: x\r\nTE: trailers\r\nX-Request-Id: mine"),
        get("/health")
    ))
    .await;
    let created = line.answer().await;
    let health = line.answer().await;

    assert_eq!(created.status, 201, "row 10: {}", created.head);
    assert_eq!(created.header("x-request-id"), Some("mine"), "row 10");
    assert_eq!(health.status, 200, "row 10: {}", health.head);
    assert_eq!(health.json()["simulations"], 1, "row 10");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_10_endless_trailers_end_the_connection() {
    let instance = Instance::spawn(&[]).await;
    let mut line = Line::open(instance.address()).await;

    line.say(format!("{CHUNKED}2\r\n{{}}\r\n0\r\n")).await;
    line.say("X-Trailer: on and on\r\n".repeat(10_000)).await;
    let answer = line.answer().await;

    let expected = (400, "malformed_request".to_owned());
    assert_eq!(answer.outcome(), expected, "row 10: {}", answer.head);
    assert!(line.rest().await.is_empty(), "row 10");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_35_a_thousand_requests_at_once_are_answered_in_their_order() {
    let instance = Instance::spawn(&[]).await;
    let probe = Probe::start(instance.address());
    let mut line = Line::open(instance.address()).await;
    let named = |n: usize, request: String| {
        request.replacen("Host: x", &format!("Host: x\r\nX-Request-Id: r{n}"), 1)
    };

    let mut requests = String::new();
    for n in 0..1000 {
        requests += &match n % 4 {
            0 => named(n, post("/simulations", &format!(r#"{{"id": "s{n}"}}"#))),
            1 => named(n, get(&format!("/simulations/s{}/state", n - 1))),
            2 => named(
                n,
                format!("{CHUNKED}2\r\n{{}}\r\n0\r\n\r\n")
                    .replace("/simulations ", &format!("/simulations/s{}/step ", n - 2)),
            ),
            _ => named(n, get("/nowhere")),
        };
    }
    line.say(requests).await;

    for n in 0..1000 {
        let answer = line.answer().await;
        let expected = [201, 200, 422, 404][n % 4];
        assert_eq!(
            answer.status, expected,
            "row 35, request {n}: {}",
            answer.head
        );
        let id = format!("r{n}");
        assert_eq!(answer.header("x-request-id"), Some(id.as_str()), "row 35");
    }
    probe.assert_calm("row 35");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_35_what_follows_a_refused_request_is_not_answered_and_what_precedes_it_is() {
    let instance = Instance::spawn(&[]).await;
    let mut line = Line::open(instance.address()).await;

    let requests = [
        get("/health"),
        post("/simulations", r#"{"id": "before"}"#),
        "GET /health HTTP/1.1\r\n\r\n".to_owned(),
        post("/simulations", r#"{"id": "after"}"#),
    ];
    line.say(requests.concat()).await;
    let statuses = [
        line.answer().await.status,
        line.answer().await.status,
        line.answer().await.status,
    ];

    assert_eq!(statuses, [200, 201, 400], "row 35");
    assert!(line.rest().await.is_empty(), "row 35");
    let mut line = Line::open(instance.address()).await;
    line.say(get("/simulations/after")).await;
    assert_eq!(line.answer().await.status, 404, "row 35");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_36_who_asks_whether_to_send_ten_gigabytes_is_told_not_to() {
    let instance = Instance::spawn(&[]).await;
    let probe = Probe::start(instance.address());

    for length in ["10000000000", "4194305"] {
        let mut line = Line::open(instance.address()).await;
        line.say(format!(
            "POST /simulations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        ))
        .await;
        let answer = line.answer().await;
        let expected = (413, "body_too_large".to_owned());
        assert_eq!(answer.outcome(), expected, "row 36: {}", answer.head);
        assert!(line.rest().await.is_empty(), "row 36: closed");
        assert!(line.age().as_secs() < 5, "row 36: {:?}", line.age());
    }

    let mut line = Line::open(instance.address()).await;
    line.say(
        "POST /simulations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Expect: 100-continue\r\nContent-Length: 2\r\n\r\n",
    )
    .await;
    assert_eq!(line.answer().await.status, 100, "row 36: a body that fits");
    line.say("{}").await;
    assert_eq!(line.answer().await.status, 201, "row 36: a body that fits");
    probe.assert_calm("row 36");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_37_who_writes_on_meets_the_refusal_and_no_closed_connection() {
    let instance = Instance::spawn(&[("MAX_REQUEST_BYTES", "65536")]).await;
    let probe = Probe::start(instance.address());
    let head = "POST /simulations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";

    for (what, head, body) in [
        (
            "one byte more",
            format!("{head}Content-Length: 65537\r\n\r\n"),
            " ".repeat(65_537),
        ),
        (
            "5 MiB",
            format!("{head}Content-Length: 5242880\r\n\r\n"),
            " ".repeat(5 << 20),
        ),
        (
            "10 GB, some of it",
            format!("{head}Content-Length: 10000000000\r\n\r\n"),
            " ".repeat(5 << 20),
        ),
    ] {
        let mut line = Line::open(instance.address()).await;
        line.say(head).await;
        line.say(body).await;
        let answer = line.answer().await;
        let expected = (413, "body_too_large".to_owned());
        assert_eq!(
            answer.outcome(),
            expected,
            "row 37, {what}: {}",
            answer.head
        );
    }
    probe.assert_calm("row 37");
}
