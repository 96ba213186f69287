//! Redis has forgotten the end of a journal, and its owner is yet to hear of it.

use std::time::{Duration, Instant};

use deadpool_redis::redis::{RedisResult, pipe};
use serde_json::json;

use crate::harness::{
    Client, Fleet, RedisServer, Reply, eventually, eventually_true, ground, sphere,
};

const SOON: Duration = Duration::from_secs(30);
const TTL_MS: usize = 3_600_000;
/// Nobody looks whether Redis has forgotten anything, but for commands.
const INATTENTIVE: [(&str, &str); 2] =
    [("DEFAULT_DURABILITY", "journal"), ("TTL_FLUSH_MS", "60000")];

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_without_its_end_is_not_taken_for_a_damaged_one() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(2, &redis.url(), &INATTENTIVE).await;
    let [owner, other] = [fleet[0].client(), fleet[1].client()];
    let world = json!({"bodies": [ground("floor"), sphere("ball", 0.5, [0.0, 3.0, 0.0])]});
    let sim = owner.simulation(&world).await;
    for _ in 0..4 {
        owner.step(&sim, 3).await.expect_status(200);
    }
    let before = keys(&redis, &sim).await;
    for _ in 0..4 {
        owner.step(&sim, 3).await.expect_status(200);
    }

    restore(&redis, before).await;
    for client in [&owner, &other] {
        for rest in ["/journal", "/journal?after=6", "/bundle"] {
            let early = client.get(format!("/simulations/{sim}{rest}")).await;
            early.expect_problem(503, "registry_unavailable");
        }
        let early = verify(client, &sim).await;
        early.expect_problem(503, "registry_unavailable");
    }

    let state = owner.step(&sim, 3).await.expect_status(200).json();
    assert_eq!(state["step"], 27, "nothing is forgotten");
    eventually_true(
        SOON,
        "the journal is told again",
        |&status| status == 200,
        async || {
            other
                .get(format!("/simulations/{sim}/journal"))
                .await
                .status
        },
    )
    .await;
    let verified = verify(&other, &sim).await.expect_status(200).json();
    assert_eq!(verified["ok"], true, "{verified}");
    assert_eq!(verified["checked_to"], 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_that_was_destroyed_does_not_come_back_when_redis_forgets_its_end() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(2, &redis.url(), &INATTENTIVE).await;
    let clients = fleet.clients();
    for asked in &clients {
        let sim = clients[0].simulation(&json!({})).await;
        clients[0].step(&sim, 3).await.expect_status(200);
        let before = keys(&redis, &sim).await;
        clients[0].destroy(&sim).await.expect_status(204);

        let tombstone = format!("tombstone:{{{sim}}}");
        redis.delete(&[tombstone]).await;
        restore(&redis, before).await;
        eventually(SOON, "it is not there", async || {
            let reply = asked.step(&sim, 1).await;
            match reply.status {
                404 => Ok(reply.expect_problem(404, "simulation_not_found")),
                503 => Err(reply.text()),
                other => panic!("{other}: {}", reply.text()),
            }
        })
        .await;

        let is_told = |keys: &Vec<String>| keys.iter().all(|key| key.starts_with("tombstone:"));
        let claim = "Redis is told once more";
        eventually_true(SOON, claim, is_told, async || redis.keys_of(&sim).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_whose_creation_redis_has_forgotten_is_found_though_nobody_asks_its_owner() {
    let mut redis = RedisServer::with().append_only().start().await;
    let fleet = Fleet::start(2, &redis.url(), &INATTENTIVE).await;
    let [owner, other] = [fleet[0].client(), fleet[1].client()];
    for client in [&owner, &other] {
        client.simulation(&json!({})).await;
    }

    let written = redis.written();
    let sim = owner.simulation(&json!({})).await;
    redis.forget_since(written).await;

    until_found(&other, &sim).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_finds_that_redis_forgot_calls_nothing_unknown_for_a_lease() {
    let redis = RedisServer::start().await;
    let lease = Duration::from_millis(2400);
    let brief = [&INATTENTIVE[..], &[("LEASE_TTL_MS", "2400")]].concat();
    let fleet = Fleet::start(2, &redis.url(), &brief).await;
    let [owner, other] = [fleet[0].client(), fleet[1].client()];
    let sim = owner.simulation(&json!({})).await;
    owner.step(&sim, 3).await.expect_status(200);

    redis.flush_all().await;
    let forgot = Instant::now();
    for _ in 0..3 {
        let name = json!({"id": sim, "durability": "registry"});
        let refused = other.create_simulation(&name).await;
        assert!([409, 503].contains(&refused.status), "{}", refused.text());
    }
    until_found(&other, &sim).await;
    eventually(SOON, "names are given again", async || {
        let reply = other.create_simulation(&json!({"id": "new"})).await;
        match reply.status {
            201 => Ok(()),
            503 => Err(reply.text()),
            unexpected => panic!("{unexpected}: {}", reply.text()),
        }
    })
    .await;
    assert!(forgot.elapsed() >= lease, "{:?}", forgot.elapsed());
    let unknown = other.state("unknown").await;
    unknown.expect_problem(404, "simulation_not_found");
    assert_eq!(owner.state(&sim).await.expect_status(200).json()["step"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_and_a_ttl_that_redis_has_forgotten_are_told_again_though_every_renewal_is_answered()
{
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(1, &redis.url(), &INATTENTIVE).await;
    let owner = fleet[0].client();
    let sim = owner.simulation(&json!({"ttl_seconds": 3600})).await;
    owner.step(&sim, 1).await.expect_status(200);
    let before = keys(&redis, &sim).await;
    let patch = json!({"labels": {"is": "new"}, "ttl_seconds": 7200});
    owner.patch_simulation(&sim, &patch).await;
    let meta = format!("sim:{{{sim}}}:meta");
    let told = async || {
        let entry = redis.hash(&meta).await;
        (entry["labels"].clone(), entry["ttl_seconds"].clone())
    };
    let is_new = |(labels, ttl): &(String, String)| labels == r#"{"is":"new"}"# && ttl == "7200";
    eventually_true(SOON, "it is told", is_new, told).await;

    // A replica takes its place that says it is the same server, and has not received the latest.
    restore(&redis, before).await;
    assert!(!is_new(&told().await));
    redis
        .ask::<u64>(&["CLIENT", "KILL", "TYPE", "pubsub"])
        .await;

    eventually_true(SOON, "it is told again", is_new, told).await;
    let left = redis.ttl_ms(&meta).await;
    assert!(left > 7_000_000, "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_taken_for_dead_while_redis_has_forgotten_every_lease() {
    let redis = RedisServer::start().await;
    let rarely = [&INATTENTIVE[..], &[("LEASE_TTL_MS", "30000")]].concat();
    let fleet = Fleet::start(2, &redis.url(), &rarely).await;
    let [owner, other] = [fleet[0].client(), fleet[1].client()];
    let sim = owner.simulation(&json!({})).await;
    owner.step(&sim, 3).await.expect_status(200);

    // What its owner writes first once it has found out.
    let mut forgotten = redis.keys_of("").await;
    forgotten.retain(|key| !key.ends_with(":meta"));
    redis.delete(&forgotten).await;

    let state = eventually(SOON, "its owner answers again", async || {
        let reply = other.state(&sim).await;
        match reply.status {
            200 => Ok(reply.json()),
            503 => Err(reply.text()),
            other => panic!("{other}: {}", reply.text()),
        }
    });
    assert_eq!(state.await["step"], 3);
}

/// Waits until an instance knows where a simulation is that Redis forgot; it never calls it unknown.
async fn until_found(client: &Client, sim: &str) {
    eventually(SOON, "it is found", async || {
        let reply = client.state(sim).await;
        match reply.status {
            200 => Ok(()),
            503 => Err(reply.text()),
            unexpected => panic!("{unexpected}: {}", reply.text()),
        }
    })
    .await;
}

async fn verify(client: &Client, sim: &str) -> Reply {
    let path = format!("/simulations/{sim}/verify");
    client.call("POST", path).send().await
}

/// All that Redis has of a simulation.
async fn keys(redis: &RedisServer, sim: &str) -> Vec<(String, Vec<u8>)> {
    let mut keys = Vec::new();
    for key in redis.keys_of(sim).await {
        if key.starts_with("sim:") {
            let value = redis.ask(&["DUMP", &key]).await;
            keys.push((key, value));
        }
    }
    assert!(keys.len() >= 3, "{keys:?}");
    keys
}

/// Has Redis know again what it knew before, and nothing else.
async fn restore(redis: &RedisServer, keys: Vec<(String, Vec<u8>)>) {
    let mut write = pipe();
    write.atomic();
    for (key, value) in keys {
        let restore = write.cmd("RESTORE").arg(key).arg(TTL_MS);
        restore.arg(value).arg("REPLACE");
    }
    let written: RedisResult<()> = write.exec_async(&mut redis.connection().await).await;
    written.expect("Redis takes it");
}
