//! An owner that others take for dead, and that is yet to hear that it is one no more.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Fleet, Proxy, RedisServer, eventually, free_port};

const SOON: Duration = Duration::from_secs(30);
/// Nobody looks whether it is still the owner, but for commands.
const INATTENTIVE: [(&str, &str); 2] =
    [("DEFAULT_DURABILITY", "journal"), ("TTL_FLUSH_MS", "60000")];

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_over_and_destroyed_is_not_brought_back_by_an_owner_that_was_out_of_reach() {
    let redis = RedisServer::start().await;
    let mut way = Proxy::to(redis.address()).await;
    let brief = [("DEFAULT_DURABILITY", "journal"), ("LEASE_TTL_MS", "900")];
    let urls = [redis.url_through(&way), redis.url()];
    let fleet = Fleet::start_at(&[&urls[0], &urls[1]], &brief).await;
    let [old, new] = [fleet[0].client(), fleet[1].client()];
    let sim = old.simulation(&json!({})).await;
    old.step(&sim, 3).await.expect_status(200);

    way.cut().await;
    eventually(SOON, "the other instance goes on with it", async || {
        let reply = new.step(&sim, 3).await;
        if reply.status == 200 {
            Ok(())
        } else {
            Err(reply)
        }
    })
    .await;
    new.destroy(&sim).await.expect_status(204);
    way.heal().await;

    eventually(SOON, "its first owner has heard of it", async || {
        let reply = old.state(&sim).await;
        match reply.status {
            404 => Ok(()),
            503 => Err(reply),
            other => panic!("{other}: {}", reply.text()),
        }
    })
    .await;
    let left = redis.keys_of(&sim).await;
    let is_tombstone = |key: &String| key.starts_with("tombstone:");
    assert!(left.iter().all(is_tombstone), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_seen_more_is_not_told_of_a_loss_by_an_owner_that_was_replaced() {
    let redis = RedisServer::start().await;
    let port = free_port();
    let mut way = Proxy::to(([127, 0, 0, 1], port).into()).await;
    let (port, url) = (port.to_string(), format!("http://{}", way.address()));
    let own = [
        vec![("INTERNAL_PORT", port.as_str()), ("ADVERTISE_URL", &url)],
        vec![],
    ];
    let address = redis.url();
    let fleet = Fleet::start_each(&[address.as_str(); 2], &INATTENTIVE, &own).await;
    let [old, new] = [fleet[0].client(), fleet[1].client()];
    let sim = old.simulation(&json!({})).await;
    old.step(&sim, 3).await.expect_status(200);

    way.cut().await;
    let taken_over = eventually(SOON, "the other instance goes on with it", async || {
        let reply = new.step(&sim, 3).await;
        if reply.status == 200 {
            Ok(reply)
        } else {
            Err(reply)
        }
    })
    .await;
    let seen = taken_over.header("etag").expect("a state has one");

    for (method, rest) in [("GET", "/state"), ("POST", "/step")] {
        let path = format!("/simulations/{sim}{rest}");
        let call = old.call(method, path).header("sim-witness", seen);
        let reply = match method {
            "POST" => call.json(&json!({"steps": 1})).send().await,
            _ => call.send().await,
        };
        reply.expect_problem(503, "ownership_lost");
    }
}
