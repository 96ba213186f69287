//! What a simulation may be asked to survive, and what it is answered to survive.

use serde_json::json;

use crate::harness::{Fleet, Instance, RedisServer};

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
async fn with_redis_a_simulation_is_registered_and_nothing_else_is_promised() {
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
    for asked in ["journal", "memory"] {
        let refused = client
            .create_simulation(&json!({"durability": asked}))
            .await;
        let problem = refused.expect_status(422).json();
        assert_eq!(problem["error"], "invalid_value", "{asked}");
        assert_eq!(problem["errors"][0]["pointer"], "/durability", "{asked}");
    }
}
