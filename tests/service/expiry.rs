//! How long simulations live where several instances share a registry, and what Redis keeps.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{
    Client, Fleet, RedisServer, Store, busy_world, eventually, eventually_true, steps_lasting,
    until_stepping, zero_gravity,
};

const SOON: Duration = Duration::from_secs(30);
/// How much later than promised something may happen on a machine that is busy with other tests.
const SLACK: Duration = Duration::from_secs(2);
const FLUSH_MS: i64 = 100;
const FLUSH: Duration = Duration::from_millis(100);
const LEASE: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn an_access_through_any_instance_is_in_redis_within_a_flush() {
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis).await;
    let [a, b] = both(&fleet);
    a.simulation(&lasting("s", 3)).await;

    for (n, client) in [&a, &a, &a, &b, &b, &b].into_iter().enumerate() {
        refresh(&redis, client, "s", n).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_redis_says_of_a_ttl_is_what_clients_are_told() {
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis).await;
    let [a, b] = both(&fleet);
    for (client, id, ttl) in [
        (&a, "short", 60),
        (&b, "long", 7200),
        (&a, "longest", 604_800),
    ] {
        client.simulation(&lasting(id, ttl)).await;

        let entry = eventually(SOON, "the entry is complete", async || {
            let entry = redis.hash(&meta(id)).await;
            if entry.contains_key("ttl_seconds") {
                Ok(entry)
            } else {
                Err(entry)
            }
        })
        .await;
        let seconds: i64 = redis.ask(&["TTL", &meta(id)]).await;
        let record = a.describe(id).await.expect_status(200).json();

        assert_eq!(entry["ttl_seconds"], ttl.to_string());
        assert_eq!(record["ttl_seconds"], ttl);
        assert!((ttl - 5..=ttl + 1).contains(&seconds), "{id}: {seconds}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shorter_ttl_is_in_redis_within_a_flush_whoever_was_asked_for_it() {
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis).await;
    let [a, b] = both(&fleet);
    for (client, id) in [(&a, "near"), (&b, "far")] {
        a.simulation(&lasting(id, 3600)).await;
        until_ttl(&redis, id, 3_500_000..3_600_200).await;

        let patch = json!({"ttl_seconds": 60, "labels": {"is": "shorter"}});
        client.patch_simulation(id, &patch).await.expect_status(200);
        let asked = Instant::now();
        until_ttl(&redis, id, 50_000..60_001 + FLUSH_MS).await;

        let took = asked.elapsed();
        assert!(took < FLUSH + SLACK, "{id}: {took:?}");
        let entry = redis.hash(&meta(id)).await;
        assert_eq!(entry["ttl_seconds"], "60");
        assert_eq!(entry["labels"], r#"{"is":"shorter"}"#);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_longer_ttl_is_in_redis_within_a_flush() {
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis).await;
    let [a, b] = both(&fleet);
    a.simulation(&lasting("s", 60)).await;

    b.patch_simulation("s", &json!({"ttl_seconds": 3600}))
        .await
        .expect_status(200);

    let left = until_ttl(&redis, "s", 3_500_000..i64::MAX).await;
    assert!(left <= 3_600_000 + FLUSH_MS, "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ttl_that_changes_behind_a_long_step_is_in_redis_within_a_flush_of_its_end() {
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis).await;
    let [a, _] = both(&fleet);
    let sim = busy_world(&a, 400, json!({"ttl_seconds": 3600})).await;
    let (steps, _) = steps_lasting(&a, &sim, Duration::from_secs(1)).await;
    let mut running = JoinSet::new();
    let (asker, id) = (a.clone(), sim.clone());
    running.spawn(async move { asker.step(&id, steps).await });
    until_stepping(&a, &sim).await;

    let patch = json!({"ttl_seconds": 60, "gravity": [0, 0, 0]});
    let patched = a.patch_simulation(&sim, &patch).await;
    patched.expect_status(200);

    until_ttl(&redis, &sim, 50_000..60_001 + FLUSH_MS).await;
    running
        .join_next()
        .await
        .unwrap()
        .unwrap()
        .expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_outlasts_the_ttl_keeps_the_entry_in_redis() {
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis).await;
    let [a, b] = both(&fleet);
    let sim = busy_world(&a, 400, json!({"ttl_seconds": 1})).await;
    let (steps, end) = steps_lasting(&a, &sim, Duration::from_secs(4)).await;
    let mut running = JoinSet::new();
    let (asker, id) = (a.clone(), sim.clone());
    running.spawn(async move {
        let asked = Instant::now();
        (asker.step(&id, steps).await, asked.elapsed())
    });

    // Only Redis is looked at: a question to an instance would be an access.
    let mut shortest = i64::MAX;
    let (stepped, took) = loop {
        if let Some(done) = running.try_join_next() {
            break done.unwrap();
        }
        shortest = shortest.min(redis.ttl_ms(&meta(&sim)).await);
    };

    assert!(took > Duration::from_millis(1500), "not long: {took:?}");
    assert_eq!(stepped.expect_status(200).json()["step"], end);
    assert!(shortest > 0, "{shortest}");
    b.state(&sim).await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_simulation_is_gone_from_memory_and_redis_and_everybody_says_so() {
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis).await;
    let [a, b] = both(&fleet);
    let ids: Vec<_> = (0..20).map(|n| format!("brief-{n}")).collect();
    b.simulation(&lasting("lasting", 600)).await;

    expire(&redis, &fleet.clients(), &ids).await;

    let noted: Vec<String> = redis.ask(&["ZRANGE", "sims:expiry", "0", "-1"]).await;
    assert_eq!(noted, ["lasting"]);
    let left = redis.ttl_ms("tombstone:{brief-0}").await;
    assert!((3_500_000..=3_600_000).contains(&left), "{left}");
    a.state("lasting").await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_lives_as_long_as_any_instance_is_asked_for_it() {
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis).await;
    let [a, b] = both(&fleet);
    a.simulation(&lasting("used", 1)).await;
    a.simulation(&lasting("left", 1)).await;
    let began = Instant::now();

    eventually(SOON, "three lifetimes pass", async || {
        b.keepalive("used").await.expect_status(200);
        let passed = began.elapsed();
        if passed > Duration::from_secs(3) {
            Ok(())
        } else {
            Err(passed)
        }
    })
    .await;

    until_count(&a, 1).await;
    for client in [&a, &b] {
        client.state("used").await.expect_status(200);
        let left = client.state("left").await;
        left.expect_problem(404, "simulation_expired");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_owner_leaves_nothing_behind_but_the_memory_of_an_end() {
    let redis = RedisServer::start().await;
    let mut fleet = fleet(&redis).await;
    let [a, b] = both(&fleet);
    let ids: Vec<_> = (0..10).map(|n| format!("orphan-{n}")).collect();
    for id in &ids {
        a.simulation(&lasting(id, 3)).await;
    }
    let created = Instant::now();

    fleet[0].kill();
    eventually_true(SOON, "its entries run out", Vec::is_empty, async || {
        redis.keys_of("orphan-").await
    })
    .await;
    let took = created.elapsed();

    let bound = Duration::from_secs(3) + FLUSH + SLACK;
    assert!(took < bound, "{took:?}");
    for id in &ids {
        let expired = b.state(id).await;
        expired.expect_problem(404, "simulation_expired");
    }
    let mut noted: Vec<String> = redis.ask(&["ZRANGE", "sims:expiry", "0", "-1"]).await;
    noted.sort();
    assert_eq!(noted, ids);
    until_keys(&redis, "instance:", &["instance:b"]).await;
    let again = b.create_simulation(&lasting("orphan-0", 600)).await;
    again.expect_status(201);
    b.state("orphan-0").await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_simulations_are_registered_again_soon_after_redis_forgot_everything() {
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis).await;
    let [a, b] = both(&fleet);
    let idle: Vec<_> = (0..25).map(|n| format!("idle-{n}")).collect();
    let used: Vec<_> = (0..5).map(|n| format!("used-{n}")).collect();
    for id in idle.iter().chain(&used) {
        a.simulation(&lasting(id, 600)).await;
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let mut load = JoinSet::new();
    for id in &used {
        load.spawn(use_until(Arc::clone(&is_over), a.clone(), id.clone()));
    }

    for _ in 0..3 {
        redis.flush_all().await;
        until_registered_again(&redis, used.iter().chain(&idle)).await;
    }
    is_over.store(true, Ordering::Release);
    let answered = load.join_all().await;

    assert!(
        answered.iter().all(|&answered| answered > 10),
        "{answered:?}"
    );
    for id in idle.iter().chain(&used) {
        // There may be doubt for a second: others are to register again first.
        eventually(SOON, "the owner is found again", async || {
            let reply = b.describe(id).await;
            if reply.status == 503 {
                Err(reply)
            } else {
                Ok(reply)
            }
        })
        .await
        .expect_status(200);
        let entry = redis.hash(&meta(id)).await;
        assert!(entry["owner"].starts_with("a:"), "{id}: {entry:?}");
        assert_eq!(entry["ttl_seconds"], "600");
        assert_eq!(entry["durability"], "registry");
    }
    for (n, id) in idle.iter().chain(&used).enumerate() {
        let client = if n % 2 == 0 { &b } else { &a };
        client.destroy(id).await.expect_status(204);
        let tombstone = format!("tombstone:{{{id}}}");
        until_keys(&redis, &format!("{{{id}}}"), &[&tombstone]).await;
    }
    until_count(&a, 0).await;
    let noted: usize = redis.ask(&["ZCARD", "sims:expiry"]).await;
    assert_eq!(noted, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_was_deleted_is_written_again_within_two_flushes_of_an_access() {
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis).await;
    let [a, b] = both(&fleet);
    a.simulation(&lasting("s", 600)).await;
    a.simulation(&lasting("other", 600)).await;
    let before = eventually(SOON, "the entry is complete", async || {
        let entry = redis.hash(&meta("s")).await;
        if entry.contains_key("config") {
            Ok(entry)
        } else {
            Err(entry)
        }
    })
    .await;

    for client in [&a, &b] {
        redis.ask::<()>(&["DEL", &meta("s")]).await;
        // Somebody else may not know where it is, but never says that it is gone for good.
        client.state("s").await;
        a.state("s").await.expect_status(200);
        let asked = Instant::now();
        let after = eventually(SOON, "the entry is back", async || {
            let entry = redis.hash(&meta("s")).await;
            if entry.is_empty() {
                Err(entry)
            } else {
                Ok(entry)
            }
        })
        .await;

        let took = asked.elapsed();
        assert!(took < FLUSH * 2 + SLACK, "{took:?}");
        for field in [
            "owner",
            "token",
            "config",
            "labels",
            "created_at",
            "ttl_seconds",
        ] {
            assert_eq!(after[field], before[field], "{field}");
        }
        let left = redis.ttl_ms(&meta("s")).await;
        assert!((590_000..=600_000 + FLUSH_MS).contains(&left), "{left}");
    }
    b.state("s").await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_destroyed_through_any_instance_leaves_a_tombstone_that_blocks_nobody() {
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis).await;
    let clients = both(&fleet);
    for (n, destroyer) in clients.iter().cycle().take(4).enumerate() {
        let [creator, other] = if n < 2 {
            [&clients[0], &clients[1]]
        } else {
            [&clients[1], &clients[0]]
        };
        creator.simulation(&lasting("s", 600)).await;
        other.state("s").await.expect_status(200);

        destroyer.destroy("s").await.expect_status(204);

        until_keys(&redis, "{s}", &["tombstone:{s}"]).await;
        let tombstone: String = redis.ask(&["GET", "tombstone:{s}"]).await;
        assert!(tombstone.starts_with("destroyed"), "{tombstone}");
        let noted: Option<f64> = redis.ask(&["ZSCORE", "sims:expiry", "s"]).await;
        assert_eq!(noted, None);
        until_count(creator, 0).await;
        for client in &clients {
            let gone = client.state("s").await;
            gone.expect_problem(404, "simulation_not_found");
        }
    }
}

/// Uses a simulation that is left to itself for three seconds, in one way or another; Redis is to
/// hear of it within a flush.
pub(crate) async fn refresh(redis: impl Into<Store<'_>>, client: &Client, sim: &str, way: usize) {
    let redis = redis.into();
    let before = until_ttl(redis, sim, 1..2400).await;
    let reply = match way % 3 {
        0 => client.keepalive(sim).await,
        1 => client.state(sim).await,
        _ => client.step(sim, 1).await,
    };
    let asked = Instant::now();
    reply.expect_status(200);

    let after = until_ttl(redis, sim, 2500..10_000).await;

    let took = asked.elapsed();
    assert!(took < FLUSH + SLACK, "{way}: {took:?}");
    assert!(after > before, "{way}: {after} after {before}");
    assert!(after <= 3000 + FLUSH_MS, "{way}: {after}");
}

/// Leaves simulations of the first of these instances, which has no others, to themselves until
/// nothing but tombstones is left.
pub(crate) async fn expire(redis: impl Into<Store<'_>>, clients: &[Client], ids: &[String]) {
    let redis = redis.into();
    let creations = ids.iter().map(async |id| {
        clients[0].simulation(&lasting(id, 1)).await;
    });
    join_all(creations).await;
    let created = Instant::now();
    let deadline = Duration::from_secs(1) + SLACK;

    until_count(&clients[0], 0).await;
    for id in ids {
        let tombstone = format!("tombstone:{{{id}}}");
        until_keys(redis, &format!("{{{id}}}"), &[&tombstone]).await;
    }
    let took = created.elapsed();

    assert!(took < deadline, "{took:?}");
    for id in ids {
        for client in clients {
            let expired = client.state(id).await;
            expired.expect_problem(404, "simulation_expired");
        }
    }
}

/// Waits for the entries of simulations that Redis has just forgotten.
pub(crate) async fn until_registered_again(
    redis: impl Into<Store<'_>>,
    ids: impl IntoIterator<Item = &String>,
) {
    let redis = redis.into();
    let forgot = Instant::now();
    for id in ids {
        eventually_true(
            SOON,
            "the entry is back",
            |&left| left > 0,
            async || redis.ttl_ms(&meta(id)).await,
        )
        .await;
    }
    let took = forgot.elapsed();
    assert!(took < FLUSH * 2 + LEASE / 3 + SLACK, "{took:?}");
}

/// Uses a simulation until it is over; how often, all without a fault.
async fn use_until(is_over: Arc<AtomicBool>, client: Client, sim: String) -> usize {
    let mut answered = 0;
    let mut step = 0;
    while !is_over.load(Ordering::Acquire) {
        step += 1;
        let stepped = client.step(&sim, 1).await.expect_status(200);
        assert_eq!(stepped.json()["step"], step);
        client.describe(&sim).await.expect_status(200);
        let patch = json!({"labels": {"step": step.to_string()}});
        let patched = client.patch_simulation(&sim, &patch).await;
        patched.expect_status(200);
        answered += 3;
    }
    answered
}

async fn fleet(redis: &RedisServer) -> Fleet {
    let lease = LEASE.as_millis().to_string();
    let flush = FLUSH_MS.to_string();
    let settings = [
        ("LEASE_TTL_MS", lease.as_str()),
        ("TTL_FLUSH_MS", flush.as_str()),
    ];
    let fleet = Fleet::start(2, &redis.url(), &settings).await;
    until_keys(redis, "instance:", &["instance:a", "instance:b"]).await;
    fleet
}

fn both(fleet: &Fleet) -> [Client; 2] {
    let clients = fleet.clients().try_into();
    clients.unwrap_or_else(|_| panic!("there are two instances"))
}

/// An empty world that lives for so many seconds without being used.
pub(crate) fn lasting(id: &str, ttl: i64) -> Value {
    let mut request = zero_gravity();
    request["id"] = json!(id);
    request["ttl_seconds"] = json!(ttl);
    request
}

/// Waits until the entry has about so many milliseconds left, and returns how many.
async fn until_ttl(redis: impl Into<Store<'_>>, sim: &str, expected: std::ops::Range<i64>) -> i64 {
    let redis = redis.into();
    eventually_true(
        SOON,
        "the entry has the time to live that it should have",
        |left| expected.contains(left),
        async || redis.ttl_ms(&meta(sim)).await,
    )
    .await
}

/// Waits until these are the only keys with this text in their names.
async fn until_keys(redis: impl Into<Store<'_>>, text: &str, expected: &[&str]) {
    let redis = redis.into();
    eventually_true(
        SOON,
        "the keys are those that should be there",
        |keys: &Vec<String>| keys == expected,
        async || redis.keys_of(text).await,
    )
    .await;
}

/// Waits until an instance has this many worlds.
async fn until_count(client: &Client, expected: usize) {
    eventually_true(
        SOON,
        "the instance has this many worlds",
        |count| *count == expected,
        async || client.health().await.expect_status(200).json()["simulations"].clone(),
    )
    .await;
}

fn meta(sim: &str) -> String {
    format!("sim:{{{sim}}}:meta")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_in_use_is_kept_in_redis_however_many_others_come_and_go() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(1, &redis.url(), &[("TTL_FLUSH_MS", "300")]).await;
    let client = fleet.clients().remove(0);
    let kept = json!({"id": "kept", "ttl_seconds": 2});
    client.create_simulation(&kept).await.expect_status(201);
    let key = "sim:{kept}:meta";

    // One comes more often than what was used is written down, for longer than the TTL.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4) {
        client
            .create_simulation(&json!({"ttl_seconds": 1}))
            .await
            .expect_status(201);
        client.get("/simulations/kept").await.expect_status(200);
        assert!(redis.ttl_ms(key).await > 0, "the entry ran out");
    }

    assert!(redis.hash(key).await.contains_key("created_at"));
}
