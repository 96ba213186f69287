//! Clients that take their time. Limits are short here; `docs/operations.md` has the usual ones.

use std::{iter::repeat_n, time::Duration};

use futures_util::future::join_all;
use serde_json::json;

use super::{
    line::{Answer, Line, get, post},
    probe::Probe,
};
use crate::harness::{Client, Instance, eventually_true, sphere};

const HEAD: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_millis(1500);
const STALL: Duration = Duration::from_secs(1);
const BODY: Duration = Duration::from_millis(2500);
/// How much later than it should something may happen on a busy machine.
const LATE: Duration = Duration::from_secs(30);
/// How much earlier: the service counts in milliseconds.
const EARLY: Duration = Duration::from_millis(5);
/// How many clients attack at once.
const CROWD: usize = 60;

const BIG: &str = "POST /simulations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
    Content-Length: 1000000\r\n\r\n";
const CHUNKED: &str = "POST /simulations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
    Transfer-Encoding: chunked\r\n\r\n";

async fn hurried() -> Instance {
    patient_for(STALL, BODY).await
}

async fn patient_for(stall: Duration, body: Duration) -> Instance {
    let [head, idle, stall, body] =
        [HEAD, IDLE, stall, body].map(|limit| limit.as_millis().to_string());
    Instance::spawn(&[
        ("HEAD_TIMEOUT_MS", &head),
        ("IDLE_TIMEOUT_MS", &idle),
        ("STALL_TIMEOUT_MS", &stall),
        ("BODY_TIMEOUT_MS", &body),
    ])
    .await
}

/// Many clients attack at once, all of which are answered with this, or with nothing for 0, and
/// then cut off, within these limits of time.
async fn attack(
    instance: &Instance,
    what: &str,
    expected: (u16, &str),
    within: (Duration, Duration),
    act: impl AsyncFn(&mut Line),
) {
    let probe = Probe::start(instance.address());
    let ends = join_all((0..CROWD).map(async |_| {
        let mut line = Line::open(instance.address()).await;
        act(&mut line).await;
        let answer: Answer = line.answer().await;
        let age = line.age();
        let rest = line.rest().await;
        (answer, age, rest)
    }))
    .await;
    for (answer, age, rest) in ends {
        let (status, code) = answer.outcome();
        assert_eq!((status, code.as_str()), expected, "{what}: {}", answer.head);
        assert!(rest.is_empty(), "{what}: {rest:?}");
        assert!(
            (within.0.saturating_sub(EARLY)..within.1 + LATE).contains(&age),
            "{what}: after {age:?}"
        );
    }
    probe.assert_calm(what);
}

const TOO_SLOW: (u16, &str) = (408, "request_timeout");
const NOTHING: (u16, &str) = (0, "");

#[tokio::test(flavor = "multi_thread")]
async fn row_29_who_says_nothing_is_not_listened_to_for_long() {
    let instance = hurried().await;
    attack(
        &instance,
        "row 29, silence",
        NOTHING,
        (HEAD, HEAD),
        async |_| {},
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn row_30_a_head_that_drips_is_refused_and_one_that_comes_in_pieces_is_not() {
    let instance = hurried().await;
    let endless = || {
        b"GET / HTTP/1.1\r\nX: "
            .iter()
            .copied()
            .chain(repeat_n(b'x', 10_000))
    };

    attack(
        &instance,
        "row 30, a drip",
        TOO_SLOW,
        (HEAD, HEAD),
        async |line| {
            line.drip(endless(), Duration::from_millis(40)).await;
        },
    )
    .await;
    attack(
        &instance,
        "row 30, half a head",
        TOO_SLOW,
        (HEAD, HEAD),
        async |line| {
            line.say("GET /health HTTP/1.1\r\nHost:").await;
        },
    )
    .await;
    // The next request has as long as the first one.
    let second = (HEAD, IDLE + HEAD);
    attack(
        &instance,
        "row 30, the second head",
        TOO_SLOW,
        second,
        async |line| {
            line.say(get("/health")).await;
            line.answer().await;
            line.say("G").await;
        },
    )
    .await;

    let mut line = Line::open(instance.address()).await;
    for piece in get("/health").as_bytes().chunks(7) {
        line.say(piece).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(line.answer().await.status, 200, "row 30, in pieces");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_30_an_idle_connection_is_closed_without_a_word_and_a_used_one_stays() {
    let instance = hurried().await;
    attack(
        &instance,
        "row 30, idle",
        NOTHING,
        (IDLE, IDLE),
        async |line| {
            line.say(get("/health")).await;
            assert_eq!(line.answer().await.status, 200);
        },
    )
    .await;

    let mut line = Line::open(instance.address()).await;
    while line.age() < 2 * IDLE {
        line.say(get("/health")).await;
        assert_eq!(line.answer().await.status, 200, "after {:?}", line.age());
        tokio::time::sleep(IDLE / 50).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_31_and_32_a_body_that_stalls_or_drips_is_refused() {
    let instance = hurried().await;
    let pause = Duration::from_millis(40);

    attack(
        &instance,
        "row 31, one byte",
        TOO_SLOW,
        (STALL, STALL),
        async |line| {
            line.say(BIG).await;
            line.say("{").await;
        },
    )
    .await;
    attack(
        &instance,
        "row 31, no byte",
        TOO_SLOW,
        (STALL, STALL),
        async |line| {
            line.say(BIG).await;
        },
    )
    .await;
    attack(
        &instance,
        "row 31, half a chunk",
        TOO_SLOW,
        (STALL, STALL),
        async |line| {
            line.say(CHUNKED).await;
            line.say("5\r\n{}").await;
        },
    )
    .await;
    attack(
        &instance,
        "row 31, after half of it",
        TOO_SLOW,
        (STALL, STALL),
        async |line| {
            line.say(BIG).await;
            line.say(" ".repeat(500_000)).await;
        },
    )
    .await;
    attack(
        &instance,
        "row 32, a drip",
        TOO_SLOW,
        (STALL, STALL),
        async |line| {
            line.say(BIG).await;
            line.drip(repeat_n(b' ', 10_000), pause).await;
        },
    )
    .await;
    attack(
        &instance,
        "row 32, chunks that drip",
        TOO_SLOW,
        (STALL, STALL),
        async |line| {
            line.say(CHUNKED).await;
            line.drip("1\r\n \r\n".repeat(10_000).bytes(), pause).await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn row_32_a_body_may_be_slow_and_may_not_go_on_for_ever() {
    let stall = 3 * STALL;
    let instance = patient_for(stall, 4 * stall).await;
    let mut line = Line::open(instance.address()).await;
    let body = format!("{{}}{}", " ".repeat(20_000));
    let (head, rest) = post("/simulations", &body)
        .split_once("\r\n\r\n")
        .map(|(head, rest)| (format!("{head}\r\n\r\n"), rest.to_owned()))
        .expect("a head and a body");
    line.say(head).await;
    // Longer than it may stall, and less than it may take.
    for piece in rest.as_bytes().chunks(2001) {
        line.say(piece).await;
        tokio::time::sleep(stall / 9).await;
    }
    assert_eq!(line.answer().await.status, 201, "row 32, a slow one");
    assert!(line.age() > stall, "row 32: {:?}", line.age());

    let instance = patient_for(2 * BODY, BODY).await;
    attack(
        &instance,
        "row 32, for ever",
        (408, "request_timeout"),
        (BODY, BODY),
        async |line| {
            line.say(BIG).await;
            for _ in 0..100 {
                if !line.say(" ".repeat(2000)).await || line.is_over_soon(BODY / 20).await {
                    return;
                }
            }
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn row_33_a_reply_that_nobody_reads_is_dropped() {
    let instance = hurried().await;
    let client = instance.client();
    let state = large_world(&client).await.len();
    let probe = Probe::start(instance.address());
    let sockets = || {
        let process = format!("/proc/{}/fd", instance.pid());
        let files = std::fs::read_dir(process).expect("the files of the process");
        let links = files.flatten().flat_map(|file| file.path().read_link());
        let sockets = links.filter(|link| link.to_string_lossy().starts_with("socket:"));
        sockets.count()
    };
    let (before, count) = (sockets(), async || sockets());

    let mut lines = Vec::new();
    for _ in 0..20 {
        let mut line = Line::open_narrow(instance.address()).await;
        // More than all buffers on the way have room for.
        line.say(get("/simulations/s/state").repeat(60)).await;
        lines.push(line);
    }
    // The client may have left since.
    let all = |open: &usize| *open + 1 >= before + lines.len();
    eventually_true(LATE, "all are connected", all, count).await;
    let none = |open: &usize| *open <= before;
    eventually_true(STALL + LATE, "all are cut off", none, count).await;

    for line in &mut lines {
        let said = line.rest().await.len();
        assert!(
            said < 60 * state,
            "row 33: all of it was sent, {said} bytes"
        );
    }
    probe.assert_calm("row 33");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_33_a_reply_that_is_read_slowly_comes_whole() {
    let stall = 3 * STALL;
    let instance = patient_for(stall, BODY).await;
    let state = large_world(&instance.client()).await;

    let mut line = Line::open_narrow(instance.address()).await;
    line.say(get("/simulations/s/state").repeat(24)).await;
    for n in 0..24 {
        tokio::time::sleep(stall / 20).await;
        let answer = line.answer().await;
        assert_eq!(answer.status, 200, "row 33, reply {n}");
        assert_eq!(answer.body, state, "row 33, reply {n}");
    }
    assert!(line.age() > stall, "row 33: {:?}", line.age());
}

/// Makes a simulation `s` of many bodies; its state as it is written.
async fn large_world(client: &Client) -> Vec<u8> {
    let body = |n: i32| {
        let id = format!("a-body-with-a-long-name-{n}");
        sphere(&id, 0.1, [f64::from(n), 0.0, 0.0])
    };
    let bodies: Vec<_> = (0..2000).map(body).collect();
    let world = json!({"id": "s", "bodies": bodies});
    let sim = client.simulation(&world).await;
    client.state(&sim).await.expect_status(200).body
}
