//! How many connections there may be, and who has to go.

use std::time::Duration;

use futures_util::future::join_all;

use super::{
    line::{Line, get, post},
    probe::Probe,
};
use crate::harness::{Instance, busy_world, eventually_true, steps_lasting, until_stepping};

const SOON: Duration = Duration::from_secs(30);

/// Asks for something on each of these connections; how many were answered.
async fn ask_on(lines: &mut [Line]) -> usize {
    let asked = lines.iter_mut().map(async |line| {
        line.say(get("/health")).await;
        line.answer().await.status == 200
    });
    let answered = join_all(asked).await;
    answered.into_iter().filter(|answered| *answered).count()
}

async fn open_many(instance: &Instance, count: usize) -> Vec<Line> {
    join_all((0..count).map(|_| Line::open(instance.address()))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn row_34_the_connection_that_was_idle_longest_makes_room_for_a_new_one() {
    let instance = Instance::spawn(&[("MAX_CONNECTIONS", "20")]).await;
    let mut first = open_many(&instance, 10).await;
    assert_eq!(ask_on(&mut first).await, 10);
    let mut second = open_many(&instance, 10).await;
    assert_eq!(ask_on(&mut second).await, 10);
    // Now the second ones have been idle for longer.
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(ask_on(&mut first).await, 10);

    let mut third = Vec::new();
    for n in 0..10 {
        let mut line = Line::open(instance.address()).await;
        line.say(get("/health")).await;
        assert_eq!(line.answer().await.status, 200, "row 34, newcomer {n}");
        third.push(line);
    }

    assert_eq!(ask_on(&mut first).await, 10, "row 34: those that were used");
    for mut line in second {
        assert!(
            line.rest().await.is_empty(),
            "row 34: closed without a word"
        );
    }
    assert_eq!(ask_on(&mut third).await, 10, "row 34: the new ones");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_34_heads_that_do_not_end_make_room_and_requests_under_way_do_not() {
    let instance = Instance::spawn(&[("MAX_CONNECTIONS", "10")]).await;
    let client = instance.client();
    let sim = busy_world(&client, 200, serde_json::json!({})).await;
    let (steps, end) = steps_lasting(&client, &sim, Duration::from_secs(3)).await;
    drop(client);
    let mut busy = Line::open(instance.address()).await;
    let step = format!("/simulations/{sim}/step");
    busy.say(post(&step, &format!(r#"{{"steps": {steps}}}"#)))
        .await;
    let client = instance.client();
    until_stepping(&client, &sim).await;
    drop(client);

    let mut lines = open_many(&instance, 9).await;
    for line in &mut lines {
        line.say("GET /health HTTP/1.1\r\nHos").await;
    }
    let mut more = Vec::new();
    for n in 0..20 {
        let mut line = Line::open(instance.address()).await;
        line.say(get("/health")).await;
        assert_eq!(line.answer().await.status, 200, "row 34, newcomer {n}");
        more.push(line);
    }
    let stepped = busy.answer().await;

    assert_eq!(stepped.status, 200, "row 34: {}", stepped.head);
    assert_eq!(stepped.json()["step"], end, "row 34");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_34_thousands_of_idle_connections_keep_nobody_out() {
    let instance = Instance::spawn(&[("MAX_CONNECTIONS", "500")]).await;
    let probe = Probe::start(instance.address());
    let mut idle = Vec::new();

    for round in 0..20 {
        // Whoever is accepted may be sent away right after.
        idle.extend(open_many(&instance, 150).await);
        let mut line = Line::open(instance.address()).await;
        line.say(get("/health")).await;
        assert_eq!(line.answer().await.status, 200, "row 34, round {round}");
    }

    let sockets = || {
        let files = std::fs::read_dir(format!("/proc/{}/fd", instance.pid()));
        files.map_or(0, Iterator::count)
    };
    eventually_true(
        SOON,
        "no more connections than allowed",
        |files: &usize| *files < 600,
        async || sockets(),
    )
    .await;
    probe.assert_calm("row 34");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_34_one_address_may_have_so_many_connections_and_others_as_many() {
    let instance = Instance::spawn(&[("MAX_CONNECTIONS_PER_PEER", "5")]).await;
    let address = instance.address();
    let one = [127, 0, 0, 2];
    let mut lines = join_all((0..5).map(|_| Line::open_from(one, address))).await;
    assert_eq!(ask_on(&mut lines).await, 5, "row 34: as many as allowed");

    for n in 0..3 {
        let mut excess = Line::open_from(one, address).await;
        let answer = excess.answer().await;
        let expected = (429, "quota_exceeded".to_owned());
        assert_eq!(answer.outcome(), expected, "row 34, {n}: {}", answer.head);
        let problem = answer.json();
        assert_eq!(problem["limit"], "MAX_CONNECTIONS_PER_PEER", "{problem}");
        assert_eq!(
            (&problem["maximum"], &problem["used"]),
            (&5.into(), &6.into())
        );
        assert_eq!(answer.header("retry-after"), Some("1"), "row 34");
        assert!(excess.rest().await.is_empty(), "row 34: closed");
    }
    let mut others = join_all((0..5).map(|_| Line::open_from([127, 0, 0, 3], address))).await;

    assert_eq!(ask_on(&mut others).await, 5, "row 34: another address");
    assert_eq!(ask_on(&mut lines).await, 5, "row 34: those before");
    lines.pop();
    eventually_true(
        SOON,
        "the place is free again",
        |status: &u16| *status == 200,
        async || {
            let mut line = Line::open_from(one, address).await;
            line.say(get("/health")).await;
            line.answer().await.status
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_opens_as_many_files_as_it_may_and_says_how_many() {
    let instance = Instance::spawn(&[("MAX_CONNECTIONS", "1000000")]).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", instance.pid()));
    let limits = limits.expect("the limits of the process");
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let numbers: Vec<_> = line
        .unwrap_or_default()
        .split_whitespace()
        .skip(3)
        .collect();

    assert_eq!(numbers[0], numbers[1], "the soft limit is the hard one");
    let log = instance.log().join("\n");
    let told = format!("{} files may be open", numbers[0]);
    assert!(log.contains(&told), "{log}");
    let is_too_few = numbers[0].parse().is_ok_and(|files: u64| files < 1_000_000);
    assert_eq!(
        log.contains("MAX_CONNECTIONS is 1000000, but"),
        is_too_few,
        "{log}"
    );
}
