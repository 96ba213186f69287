//! Redis goes away and comes back: what an instance has goes on, and the rest is told apart.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::harness::{
    Client, Fleet, Instance, Load, Proxy, RedisServer, Reply, eventually, eventually_true,
    refused_start, until_roster_is_read,
};

/// A hung Redis is noticed soon, and a lease runs out while a test watches.
const FAST: [(&str, &str); 4] = [
    ("LEASE_TTL_MS", "1500"),
    ("TTL_FLUSH_MS", "100"),
    ("REDIS_TIMEOUT_MS", REDIS_TIMEOUT_MS),
    ("REQUEST_TIMEOUT_MS", "5000"),
];
const REDIS_TIMEOUT_MS: &str = "250";
/// No answer may take longer, whatever happens to Redis.
const DEADLINE: Duration = Duration::from_secs(5);
/// What a request that waits for Redis takes at least; those for owned simulations do not wait.
const REDIS_TIMEOUT: Duration = Duration::from_millis(250);
const SOON: Duration = Duration::from_secs(20);
/// A second and the pause between two attempts, with room for a machine that does other things.
const RECOVERY: Duration = Duration::from_secs(3);
const CLIENTS: usize = 8;
/// How many answers of each client make a phase: with the pauses between them, two seconds.
const ANSWERS: usize = 100;
const PASSWORD: &str = "s3cret-p@ss/word";

#[derive(Clone, Copy)]
enum Outage {
    /// The server ends, and forgets everything.
    Crash,
    /// The server stops where it is.
    Hang,
    /// The connections are closed, and new ones refused.
    Cut,
}

#[tokio::test(flavor = "multi_thread")]
async fn owned_simulations_go_on_while_redis_is_gone_and_are_registered_again_when_it_is_back_empty()
 {
    survives(Outage::Crash).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn owned_simulations_go_on_while_redis_hangs_for_longer_than_a_lease_lasts() {
    survives(Outage::Hang).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn owned_simulations_go_on_while_the_way_to_redis_is_cut() {
    survives(Outage::Cut).await;
}

async fn survives(outage: Outage) {
    let mut redis = RedisServer::start().await;
    let mut ways = [
        Proxy::to(redis.address()).await,
        Proxy::to(redis.address()).await,
    ];
    let urls = ways.each_ref().map(|way| redis.url_through(way));
    let fleet = Fleet::start_at(&urls.each_ref().map(String::as_str), &FAST).await;
    let [a, b] = [fleet[0].client(), fleet[1].client()];
    let [seen, unseen, doomed] = [
        a.simulation(&json!({})).await,
        a.simulation(&json!({})).await,
        a.simulation(&json!({})).await,
    ];
    b.step(&seen, 1).await.expect_status(200);
    b.step(&doomed, 1).await.expect_status(200);
    let load = Load::on(&a, CLIENTS).await;
    load.until_answered(ANSWERS / 2).await;
    let before = load.since(Instant::now().checked_sub(SOON).expect("clocks are old"));

    let begin = Instant::now();
    match outage {
        Outage::Crash => redis.kill(),
        Outage::Hang => redis.pause(),
        Outage::Cut => {
            for way in &mut ways {
                way.cut().await;
            }
        }
    }
    let mut late = Vec::new();
    for client in [&a, &b] {
        until_redis_is(client, "down").await;
        late.push(created_unregistered(client).await);
        refused_for_the_registry(client.state("nobody").await);
        refused_for_the_registry(client.create_simulation(&json!({"id": "chosen"})).await);
        client.ready().await.expect_status(200);
    }
    // Who has them was known before.
    b.destroy(&doomed).await.expect_status(204);
    b.step(&seen, 1).await.expect_status(200);
    refused_for_the_registry(b.state(&unseen).await);
    refused_for_the_registry(b.state(&late[0]).await);
    load.until_answered(ANSWERS).await;
    b.state(&seen).await.expect_status(200);
    let during = load.since(begin);

    match outage {
        Outage::Crash => redis.restart().await,
        Outage::Hang => redis.resume(),
        Outage::Cut => {
            for way in &mut ways {
                way.heal().await;
            }
        }
    }
    let back = Instant::now();
    let left = || RECOVERY.saturating_sub(back.elapsed());
    for client in [&a, &b] {
        eventually_true(
            left(),
            "Redis is found",
            |state| state == "ok",
            async || redis_state(client).await,
        )
        .await;
    }
    for (owner, other, sim) in [(&a, &b, &late[0]), (&b, &a, &late[1])] {
        until_registered(owner, sim, left()).await;
        until_answered(other, sim, 200, left()).await;
    }
    for sim in load.simulations.iter().chain([&seen, &unseen]) {
        until_known(&redis, sim, left()).await;
        until_answered(&b, sim, 200, left()).await;
    }
    until_answered(&a, "nobody", 404, left()).await;
    until_answered(&b, "nobody", 404, left()).await;
    until_answered(&b, &doomed, 404, left()).await;
    load.until_answered(ANSWERS / 2).await;
    let since = load.since(begin);
    load.end(&a).await;
    let chosen = json!({"id": "chosen"});
    b.create_simulation(&chosen).await.expect_status(201);
    let state = b.state(&seen).await.expect_status(200).json();
    assert_eq!(state["step"], 2);

    for percent in [50, 99] {
        let (was, is) = (before.percentile(percent), during.percentile(percent));
        let most = (was * 2).max(REDIS_TIMEOUT / 5);
        assert!(is <= most, "{percent} %: {was:?} before, {is:?} during");
    }
    let slowest = since.percentile(100);
    assert!(slowest < DEADLINE, "{slowest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_change_something_is_refused_where_an_outage_is_to_close_the_service() {
    let redis = RedisServer::start().await;
    let mut way = Proxy::to(redis.address()).await;
    let env = [FAST.as_slice(), &[("REDIS_DEGRADED", "fail-closed")]].concat();
    let fleet = Fleet::start_at(&[&redis.url_through(&way)], &env).await;
    let client = fleet[0].client();
    let world = json!({"id": "kept", "bodies": [{"id": "ball", "shape": "sphere", "size": [1]}]});
    client.create_simulation(&world).await.expect_status(201);
    client.step("kept", 3).await.expect_status(200);
    let before = client.state("kept").await.body;

    way.cut().await;
    until_redis_is(&client, "down").await;

    for refused in [
        client.create_simulation(&json!({})).await,
        client.step("kept", 1).await,
        client.patch_simulation("kept", &json!({"dt": 0.1})).await,
        client
            .impulse("kept", "ball", &json!({"impulse": [1, 0, 0]}))
            .await,
        client
            .set_force("kept", "ball", &json!({"force": [1, 0, 0]}))
            .await,
        client.remove_body("kept", "ball").await,
        client.destroy("kept").await,
    ] {
        refused_for_the_registry(refused);
    }
    assert_eq!(client.state("kept").await.expect_status(200).body, before);
    client.describe("kept").await.expect_status(200);
    client.bodies("kept").await.expect_status(200);
    client.list("").await.expect_status(200);

    way.heal().await;
    eventually(RECOVERY, "changes are made again", async || {
        let reply = client.step("kept", 1).await;
        if reply.status == 200 {
            Ok(())
        } else {
            Err(reply.text())
        }
    })
    .await;
    let state = client.state("kept").await.json();
    assert_eq!(state["step"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_starts_without_redis_and_registers_all_it_has_when_that_is_there() {
    let mut redis = RedisServer::start().await;
    let url = redis.url();
    redis.kill();

    let fleet = Fleet::start(2, &url, &FAST).await;
    let [a, b] = [fleet[0].client(), fleet[1].client()];
    until_redis_is(&a, "down").await;
    a.ready().await.expect_status(200);
    let early = created_unregistered(&a).await;
    a.step(&early, 2).await.expect_status(200);
    refused_for_the_registry(a.state("nobody").await);

    redis.restart().await;
    until_registered(&a, &early, RECOVERY).await;
    until_redis_is(&a, "ok").await;
    until_answered(&b, &early, 200, RECOVERY).await;
    assert_eq!(b.state(&early).await.json()["step"], 3);
    until_known(&redis, &early, RECOVERY).await;
    until_answered(&a, "nobody", 404, RECOVERY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_instance_loses_in_a_restart_during_an_outage_is_called_lost_when_that_is_over() {
    let redis = RedisServer::start().await;
    let mut ways = [
        Proxy::to(redis.address()).await,
        Proxy::to(redis.address()).await,
    ];
    let urls = ways.each_ref().map(|way| redis.url_through(way));
    let mut fleet = Fleet::start_at(&urls.each_ref().map(String::as_str), &FAST).await;
    let b = fleet[1].client();
    let sim = fleet[0].client().simulation(&json!({})).await;
    b.step(&sim, 1).await.expect_status(200);

    until_roster_is_read(&redis, "b").await;
    for way in &mut ways {
        way.cut().await;
    }
    until_redis_is(&b, "down").await;
    let a = fleet.restart(0).await;
    let unreachable = b.state(&sim).await;
    unreachable.expect_problem(503, "owner_unreachable");
    refused_for_the_registry(a.state(&sim).await);
    let new = created_unregistered(&a).await;

    for way in &mut ways {
        way.heal().await;
    }
    for client in [&a, &b] {
        let reply = eventually(SOON, "the old one is given up", async || {
            let reply = client.state(&sim).await;
            if reply.status == 404 {
                Ok(reply)
            } else {
                Err(reply.text())
            }
        })
        .await;
        reply.expect_problem(404, "simulation_lost");
        until_answered(client, &new, 200, RECOVERY).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_needs_redis_is_ready_only_while_it_is_there() {
    let mut redis = RedisServer::start().await;
    let env = [FAST.as_slice(), &[("READY_REQUIRES_REDIS", "true")]].concat();
    let fleet = Fleet::start(1, &redis.url(), &env).await;
    let client = fleet[0].client();
    until_redis_is(&client, "ok").await;
    client.ready().await.expect_status(200);

    redis.kill();
    until_redis_is(&client, "down").await;
    let ready = client.ready().await.expect_status(503).json();
    assert_eq!(ready["ready"], false, "{ready}");
    assert_eq!(ready["draining"], false, "{ready}");
    client.health().await.expect_status(200);

    redis.restart().await;
    until_redis_is(&client, "ok").await;
    client.ready().await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_in_no_log_no_error_and_no_word_about_readiness() {
    let mut redis = RedisServer::with().password(PASSWORD).start().await;
    let env = [FAST.as_slice(), &[("RUST_LOG", "debug")]].concat();
    let wrong = redis.url().replace("s3cret", "wr0ng");
    assert_ne!(wrong, redis.url());
    let fleet = Fleet::start_at(&[&redis.url(), &wrong], &env).await;
    let [right, wrong] = [fleet[0].client(), fleet[1].client()];
    let mut replies = Vec::new();

    until_redis_is(&right, "ok").await;
    let sim = right.simulation(&json!({})).await;
    until_known(&redis, &sim, SOON).await;
    until_redis_is(&wrong, "down").await;
    let stray = created_unregistered(&wrong).await;
    redis.kill();
    until_redis_is(&right, "down").await;
    for client in [&right, &wrong] {
        for reply in [
            client.ready().await,
            client.health().await,
            client.state("nobody").await,
            client.create_simulation(&json!({"id": "chosen"})).await,
        ] {
            replies.push(reply.text());
        }
    }
    redis.restart().await;
    until_redis_is(&right, "ok").await;

    assert!(stray.len() > 1);
    for word in ["s3cret", "wr0ng", "ss/word", "ss%2Fword"] {
        for reply in &replies {
            assert!(!reply.contains(word), "{reply}");
        }
        for place in [0, 1] {
            for line in fleet[place].log() {
                assert!(!line.contains(word), "{line}");
            }
        }
    }
    let says_why = |line: &String| line.contains("WARN") && line.contains("authentication failed");
    assert!(fleet[1].log().iter().any(says_why), "{:?}", fleet[1].log());
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_cannot_be_used_stop_the_program_before_it_takes_a_port() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port exists");
    let port = taken
        .local_addr()
        .expect("a bound port has one")
        .port()
        .to_string();

    for (variables, named, hints) in [
        (&[][..], "REDIS_URL", &["STORAGE_BACKEND", "redis://"][..]),
        (&[("REDIS_URL", "")], "REDIS_URL", &["redis://"]),
        (&[("REDIS_URL", "s3cret")], "REDIS_URL", &["rediss://"]),
        (
            &[("REDIS_URL", "amqp://u:s3cret@h")],
            "REDIS_URL",
            &["redis://"],
        ),
        (
            &[("REDIS_URL", "redis://u:s3cret@h:port")],
            "REDIS_URL",
            &["redis://"],
        ),
        (
            &[("REDIS_URL", "https://u:s3cret@eu1-x-1.upstash.io")],
            "REDIS_URL",
            &["REST", "rediss://"],
        ),
        (
            &[("UPSTASH_REDIS_URL", "https://u:s3cret@eu1-x-1.upstash.io")],
            "UPSTASH_REDIS_URL",
            &["REST", "rediss://"],
        ),
    ] {
        let fixed = [
            ("STORAGE_BACKEND", "redis"),
            ("PORT", &port),
            ("INTERNAL_PORT", "0"),
        ];
        let refusal = refused_start(&[], &[fixed.as_slice(), variables].concat()).await;

        let output = &refusal.output;
        assert_eq!(refusal.code, Some(2), "{variables:?}: {output}");
        for text in hints.iter().chain([&named]) {
            assert!(
                output.contains(text),
                "{variables:?}: no {text} in: {output}"
            );
        }
        for text in ["s3cret", "not free", "listening on", "panicked"] {
            assert!(!output.contains(text), "{variables:?}: {text} in: {output}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_upstash_counts_where_there_is_no_other() {
    let (redis, other) = (RedisServer::start().await, RedisServer::start().await);
    let (url, elsewhere) = (redis.url(), other.url());

    for (n, variables) in [
        &[("UPSTASH_REDIS_URL", url.as_str())][..],
        &[("UPSTASH_REDIS_URL", &url), ("REDIS_URL", "")],
        &[("UPSTASH_REDIS_URL", &elsewhere), ("REDIS_URL", &url)],
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("x-{n}");
        let env = [
            ("STORAGE_BACKEND", "redis"),
            ("INTERNAL_PORT", "0"),
            ("DEFAULT_DURABILITY", "registry"),
            ("INSTANCE_ID", &id),
        ];
        let instance = Instance::spawn(&[env.as_slice(), variables].concat()).await;
        let client = instance.client();
        until_redis_is(&client, "ok").await;
        let sim = client.simulation(&json!({})).await;

        until_known(&redis, &sim, SOON).await;
        assert!(other.keys_of("").await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_evicts_keys_is_complained_of_until_it_is_told_not_to() {
    let redis = RedisServer::with()
        .max_memory("64mb", "allkeys-lru")
        .start()
        .await;
    let env = [FAST.as_slice(), &[("SWEEP_SECONDS", "1")]].concat();
    let fleet = Fleet::start(1, &redis.url(), &env).await;
    let client = fleet[0].client();

    let ready = eventually(SOON, "the policy is complained of", async || {
        let ready = client.ready().await;
        let complaint = ready.json()["components"]["degraded"].clone();
        if complaint.to_string().contains("allkeys-lru") {
            Ok(ready)
        } else {
            Err(ready.text())
        }
    })
    .await;

    ready.clone().expect_status(200);
    assert!(ready.text().contains("degraded"), "{}", ready.text());
    let config = ["CONFIG", "SET", "maxmemory-policy", "noeviction"];
    redis.ask::<()>(&config).await;
    until_redis_is(&client, "ok").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_without_room_registers_nothing_new_and_keeps_leases_and_simulations() {
    let redis = RedisServer::with()
        .max_memory("64mb", "noeviction")
        .start()
        .await;
    let env = [FAST.as_slice(), &[("LEASE_TTL_MS", "600")]].concat();
    let fleet = Fleet::start(2, &redis.url(), &env).await;
    let [a, b] = [fleet[0].client(), fleet[1].client()];
    let load = Load::on(&a, 4).await;
    let seen = load.simulations[0].clone();
    load.until_answered(10).await;
    let lives = async || {
        let lease = |hash: std::collections::BTreeMap<String, String>| hash["nonce"].clone();
        [
            lease(redis.hash("instance:a").await),
            lease(redis.hash("instance:b").await),
        ]
    };
    let before = lives().await;
    let room = async |size| redis.ask::<()>(&["CONFIG", "SET", "maxmemory", size]).await;

    room("1").await;
    let full = redis.try_ask::<()>(&["SET", "any", "thing"]).await;
    let full = full.expect_err("there is no room");
    assert_eq!(full.code(), Some("OOM"), "{full}");
    let late = created_unregistered(&a).await;
    refused_for_the_registry(a.create_simulation(&json!({"id": "chosen"})).await);
    a.step(&late, 1).await.expect_status(200);
    // Several times as long as a lease lasts.
    load.until_answered(ANSWERS).await;
    b.state(&seen).await.expect_status(200);
    b.state(&load.simulations[1]).await.expect_status(200);
    let unknown = b.state("nobody").await;
    assert!([404, 503].contains(&unknown.status), "{}", unknown.text());
    until_redis_is(&a, "degraded").await;
    let ready = a.ready().await.expect_status(200);
    assert!(ready.text().contains("maxmemory"), "{}", ready.text());
    assert_eq!(lives().await, before);

    room("64mb").await;
    until_registered(&a, &late, RECOVERY).await;
    until_answered(&b, &late, 200, RECOVERY).await;
    let chosen = json!({"id": "chosen"});
    a.create_simulation(&chosen).await.expect_status(201);
    until_redis_is(&a, "ok").await;
    load.end(&a).await;
    assert_eq!(lives().await, before);
}

/// What `/ready` says of Redis.
async fn redis_state(client: &Client) -> Value {
    client.ready().await.json()["components"]["redis"].clone()
}

async fn until_redis_is(client: &Client, state: &str) {
    let claim = format!("Redis is {state}");
    eventually_true(
        SOON,
        &claim,
        |now| now == state,
        async || redis_state(client).await,
    )
    .await;
}

/// Creates a simulation that the registry does not hear of, and that works all the same.
async fn created_unregistered(client: &Client) -> String {
    let created = client.create_simulation(&json!({})).await;
    let created = created.expect_status(201).json();
    assert_eq!(created["registered"], false, "{created}");
    let sim = created["sim_id"].as_str().expect("it has an id").to_owned();
    client.step(&sim, 1).await.expect_status(200);
    sim
}

#[track_caller]
fn refused_for_the_registry(reply: Reply) {
    reply.expect_problem(503, "registry_unavailable");
}

async fn until_registered(owner: &Client, sim: &str, deadline: Duration) {
    eventually_true(
        deadline,
        "the simulation is registered",
        |record: &Value| record["registered"] == true,
        async || owner.describe(sim).await.json(),
    )
    .await;
}

async fn until_known(redis: &RedisServer, sim: &str, deadline: Duration) {
    let entry = format!("sim:{{{sim}}}:meta");
    eventually_true(
        deadline,
        "Redis knows the simulation",
        |keys: &Vec<String>| keys.contains(&entry),
        async || redis.keys_of(sim).await,
    )
    .await;
}

async fn until_answered(client: &Client, sim: &str, status: u16, deadline: Duration) {
    eventually_true(
        deadline,
        "the answer is the right one",
        |(now, _): &(u16, String)| *now == status,
        async || {
            let reply = client.state(sim).await;
            (reply.status, reply.text())
        },
    )
    .await;
}
