//! What a simulation may be asked to survive, and what it is answered to survive.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Fleet, Instance, RedisServer, eventually, eventually_true};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn without_redis_a_simulation_lives_in_memory_whatever_is_asked_for() {
    let service = Instance::in_process(&[]).await;
    let client = service.client();

    for asked in ["memory", "registry", "journal"] {
        let created = client
            .create_simulation(&json!({"durability": asked}))
            .await;
        assert_eq!(
            created.expect_status(201).json()["durability"],
            "memory",
            "{asked}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_survives_what_it_is_asked_to_and_with_redis_not_nothing() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(1, &redis.url(), &[]).await;
    let client = &fleet.clients()[0];

    for asked in [json!({}), json!({"durability": "registry"})] {
        let created = client.create_simulation(&asked).await;
        assert_eq!(
            created.expect_status(201).json()["durability"],
            "registry",
            "{asked}"
        );
    }
    let journalled = client
        .create_simulation(&json!({"durability": "journal"}))
        .await;
    assert_eq!(
        journalled.expect_status(201).json()["durability"],
        "journal"
    );
    let refused = client
        .create_simulation(&json!({"durability": "memory"}))
        .await;
    let problem = refused.expect_status(422).json();
    assert_eq!(problem["error"], "invalid_value");
    assert_eq!(problem["errors"][0]["pointer"], "/durability");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_shows_what_its_redis_keeps() {
    for (redis, appendonly) in [
        (RedisServer::start().await, false),
        (RedisServer::with().append_only().start().await, true),
    ] {
        let fleet = Fleet::start(1, &redis.url(), &[]).await;
        let client = &fleet.clients()[0];

        let keeps = eventually(SOON, "Redis was asked", async || {
            let ready = client.ready().await.json();
            let keeps = ready["components"]["redis_keeps"].clone();
            if keeps.is_null() {
                Err(ready)
            } else {
                Ok(keeps)
            }
        })
        .await;

        assert_eq!(keeps["appendonly"], appendonly);
        assert_eq!(keeps["replicas"], 0);
        assert_eq!(keeps["eviction"], "noeviction");
        assert!(keeps["appendfsync"].is_string(), "{keeps}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_is_destroyed_when_its_journal_is_and_not_before() {
    let mut redis = RedisServer::with().append_only().start().await;
    let fleet = Fleet::start(1, &redis.url(), &[("DEFAULT_DURABILITY", "journal")]).await;
    let client = &fleet.clients()[0];
    let sim = client.simulation(&json!({})).await;
    client.step(&sim, 3).await.expect_status(200);

    redis.kill();
    let refused = client.destroy(&sim).await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    redis.restart().await;

    let kept = eventually(SOON, "it is there again", async || {
        let reply = client.state(&sim).await;
        if reply.status == 200 {
            Ok(reply)
        } else {
            Err(reply.text())
        }
    })
    .await;
    assert_eq!(kept.json()["step"], 3);
    eventually(SOON, "it is destroyed", async || {
        let reply = client.destroy(&sim).await;
        if reply.status == 204 {
            Ok(())
        } else {
            Err(reply.text())
        }
    })
    .await;
    client
        .state(&sim)
        .await
        .expect_problem(404, "simulation_not_found");
    assert_eq!(redis.keys_of(&sim).await, [format!("tombstone:{{{sim}}}")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_over_which_instances_ended_again_and_again_is_left_alone() {
    let redis = RedisServer::start().await;
    let journalled = [("DEFAULT_DURABILITY", "journal")];
    let mut fleet = Fleet::start(1, &redis.url(), &journalled).await;
    let sim = fleet.clients()[0].simulation(&json!({})).await;
    let meta = format!("sim:{{{sim}}}:meta");
    eventually_true(
        SOON,
        "it is written down",
        |noted: &bool| !noted,
        async || redis.hash(&meta).await.contains_key("attempts"),
    )
    .await;
    redis.ask::<i64>(&["HSET", &meta, "attempts", "4"]).await;

    let heir = fleet.restart(0).await;

    heir.state(&sim)
        .await
        .expect_problem(500, "nondeterminism_detected");
    heir.step(&sim, 1)
        .await
        .expect_problem(500, "nondeterminism_detected");
    // The instance goes on for others.
    let other = heir.simulation(&json!({})).await;
    heir.step(&other, 1).await.expect_status(200);
}
