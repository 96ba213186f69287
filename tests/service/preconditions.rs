//! Headers about the moment that a request is about: where the simulation stands, where it has to
//! stand, where its client has seen it, and whether it is still there.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Client, Fleet, Instance, RedisServer, Reply, ground, sphere};

const JOURNAL: &[(&str, &str)] = &[("DEFAULT_DURABILITY", "journal")];

fn scene() -> Value {
    json!({"bodies": [ground("floor"), sphere("ball", 0.5, [0.0, 3.0, 0.0]), sphere("other", 0.5, [4.0, 3.0, 0.0])]})
}

#[track_caller]
fn tag(reply: &Reply) -> String {
    let tag = reply.header("etag");
    let tag = tag.unwrap_or_else(|| panic!("{}: no ETag", reply.request));
    let (seq, chain) = tag.trim_matches('"').split_once('-').expect("two halves");
    assert_eq!(seq.parse(), Ok(reply.header_number("sim-seq")), "{tag}");
    assert_eq!(chain.len(), 16, "{tag}");
    tag.to_owned()
}

/// A multibody of one link.
fn pendulum() -> Value {
    json!({"format": "urdf", "content":
        "<robot name='r'><link name='world'/><link name='arm'><inertial><mass value='1'/>\
         <inertia ixx='1' iyy='1' izz='1' ixy='0' ixz='0' iyz='0'/></inertial></link>\
         <joint name='hinge' type='continuous'><parent link='world'/><child link='arm'/></joint></robot>"})
}

/// Every command there is, in an order in which each can be carried out.
fn commands(sim: &str) -> Vec<(&'static str, String, Option<Value>)> {
    let at = |rest: &str| format!("/simulations/{sim}{rest}");
    vec![
        (
            "POST",
            at("/bodies"),
            Some(sphere("new", 0.5, [9.0, 9.0, 0.0])),
        ),
        ("PATCH", at("/bodies/new"), Some(json!({"mass": 2}))),
        (
            "POST",
            at("/bodies/new/impulse"),
            Some(json!({"impulse": [1, 0, 0]})),
        ),
        (
            "PUT",
            at("/bodies/new/force"),
            Some(json!({"force": [1, 0, 0]})),
        ),
        ("DELETE", at("/bodies/new/force"), None),
        ("DELETE", at("/bodies/new"), None),
        (
            "POST",
            at("/joints"),
            Some(
                json!({"id": "j", "joint_type": "revolute", "body_a": "ball", "body_b": "other", "anchor_a": [4, 0, 0]}),
            ),
        ),
        ("PATCH", at("/joints/j"), Some(json!({"limits": [-1, 1]}))),
        ("DELETE", at("/joints/j"), None),
        ("POST", at("/step"), Some(json!({"steps": 2}))),
        (
            "POST",
            at("/bodies/ball/trajectory"),
            Some(json!({"steps": 3})),
        ),
        (
            "POST",
            at("/controllers"),
            Some(json!({"id": "c", "type": "pid", "body_id": "ball"})),
        ),
        ("PATCH", at("/controllers/c"), Some(json!({"kp": 2}))),
        ("DELETE", at("/controllers/c"), None),
        ("POST", at("/imports"), Some(pendulum())),
        (
            "POST",
            at("/inverse_kinematics"),
            Some(json!({"body_id": "arm", "position": [0, 1, 0]})),
        ),
        (
            "POST",
            at("/commands"),
            Some(json!({"steps": 1, "commands": [{"op": "remove_body", "body_id": "arm"}]})),
        ),
        ("PATCH", at(""), Some(json!({"gravity": [0, -1, 0]}))),
        ("PATCH", at(""), Some(json!({"labels": {"a": "b"}}))),
        ("DELETE", at(""), None),
    ]
}

async fn send(
    client: &Client,
    (method, path, body): &(&str, String, Option<Value>),
    required: &str,
) -> Reply {
    let call = client
        .call(method, path.as_str())
        .header("if-match", required);
    match body {
        Some(body) => call.json(body).send().await,
        None => call.send().await,
    }
}

async fn every_command_is_carried_out_where_it_belongs_only(client: &Client, other: &Client) {
    let sim = client.simulation(&scene()).await;
    let stale = tag(&client.describe(&sim).await);
    client.step(&sim, 1).await.expect_status(200);

    for command in commands(&sim) {
        let before = other.state(&sim).await;
        let present = tag(&before);
        for unmet in [
            &stale,
            &format!("W/{present}"),
            &present.replace('"', ""),
            "\"x\"",
        ] {
            let refused = send(other, &command, unmet).await;
            assert_eq!(tag(&refused), present, "{}", refused.request);
            refused.expect_problem(412, "precondition_failed");
        }
        let after = other.state(&sim).await;
        assert_eq!(
            (after.text(), tag(&after)),
            (before.text(), present.clone())
        );

        let met = format!("{stale}, {present}");
        let reply = send(other, &command, &met).await;
        assert!(reply.status < 300, "{}: {}", reply.request, reply.text());
    }
    other.state(&sim).await.expect_status(404);
    let again = client.simulation(&scene()).await;
    let any = client.call("POST", format!("/simulations/{again}/step"));
    let any = any.header("if-match", "*").json(&json!({"steps": 1}));
    any.send().await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_carried_out_only_where_its_client_requires_the_simulation_to_stand() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    every_command_is_carried_out_where_it_belongs_only(&client, &client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journalled_simulation_is_changed_from_everywhere_only_where_it_is_required_to_stand() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(2, &redis.url(), JOURNAL).await;
    let clients = fleet.clients();
    every_command_is_carried_out_where_it_belongs_only(&clients[0], &clients[1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_commands_that_require_the_same_moment_one_is_carried_out() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(2, &redis.url(), JOURNAL).await;
    let clients = fleet.clients();
    for durability in ["journal", "registry"] {
        let sim = json!({"durability": durability, "bodies": [sphere("ball", 0.5, [0.0; 3])]});
        let sim = clients[0].simulation(&sim).await;
        let present = tag(&clients[0].describe(&sim).await);

        let racing = (0..12).map(|n| {
            let step = clients[n % 2].call("POST", format!("/simulations/{sim}/step"));
            step.header("if-match", &present)
                .json(&json!({"steps": 1}))
                .send()
        });
        let mut replies = join_all(racing).await;
        replies.sort_by_key(|reply| reply.status);

        replies.remove(0).expect_status(200);
        for reply in replies {
            reply.expect_problem(412, "precondition_failed");
        }
        let step = clients[1].describe(&sim).await.json()["step"].clone();
        assert_eq!(step, 1, "{durability}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reply_about_a_simulation_says_where_it_stands() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let created = client
        .create_simulation(&json!({"id": "s"}))
        .await
        .expect_status(201);
    let first = tag(&created);

    for reply in [
        client.describe("s").await,
        client.state("s").await,
        client.bodies("s").await,
        client.keepalive("s").await,
        client
            .patch_simulation("s", &json!({"ttl_seconds": 60}))
            .await,
        client.get("/simulations/s/controllers").await,
        client.get("/simulations/s/controllers/nobody").await,
        client.get("/simulations/s/contacts").await,
        client.get("/simulations/s/energy").await,
        client.get("/simulations/s/events").await,
        client.get("/simulations/s/bundle").await,
        client
            .post("/simulations/s/queries", &json!({"queries": []}))
            .await,
        client
            .post("/simulations/s/commands", &json!({"steps": -1}))
            .await,
        client.body("s", "nobody").await,
        client.step_with("s", &json!({"steps": -1})).await,
        client
            .call("GET", "/simulations/s")
            .header("accept", "image/png")
            .send()
            .await,
    ] {
        assert_eq!(tag(&reply), first, "{}", reply.request);
    }
    let stepped = tag(&client.step("s", 1).await);
    assert_ne!(stepped, first);
    assert_eq!(tag(&client.state("s").await), stepped);

    let destroyed = client.destroy("s").await.expect_status(204);
    assert_eq!(tag(&destroyed), stepped);
    let again = client
        .create_simulation(&json!({"id": "s"}))
        .await
        .expect_status(201);
    assert_ne!(tag(&again), first, "another simulation of the same name");
    assert_eq!(client.health().await.header("etag"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_gets_its_first_answer_whatever_it_requires_now() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(2, &redis.url(), JOURNAL).await;
    let clients = fleet.clients();
    for durability in ["journal", "registry"] {
        let sim = clients[0]
            .simulation(&json!({"durability": durability}))
            .await;
        let present = tag(&clients[0].describe(&sim).await);
        let step = |client: &Client, required: &str| {
            let call = client.call("POST", format!("/simulations/{sim}/step"));
            let call = call
                .header("idempotency-key", "k")
                .header("if-match", required);
            call.json(&json!({"steps": 1})).send()
        };
        let first = step(&clients[0], &present).await.expect_status(200);
        clients[0].step(&sim, 5).await.expect_status(200);

        for required in [present.as_str(), "\"0-0000000000000001\"", "\"no tag\""] {
            let again = step(&clients[1], required).await.expect_status(200);
            assert_eq!(again.header("idempotency-replayed"), Some("true"));
            assert_eq!((again.text(), tag(&again)), (first.text(), tag(&first)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_seen_more_or_something_else_is_told_so() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(2, &redis.url(), JOURNAL).await;
    let in_memory = Instance::in_process(&[]).await;
    let [owner, other] = [fleet.clients()[0].clone(), fleet.clients()[1].clone()];
    let alone = in_memory.client();
    for (durability, at, from) in [
        ("journal", &owner, &other),
        ("registry", &owner, &other),
        ("memory", &alone, &alone),
    ] {
        let sim = at.simulation(&json!({"durability": durability})).await;
        let path = format!("/simulations/{sim}/step");
        let step = |witness: &str| {
            let call = from
                .call("POST", path.as_str())
                .header("sim-witness", witness);
            call.json(&json!({"steps": 1})).send()
        };
        let first = tag(&at.step(&sim, 1).await.expect_status(200));
        let seen = step(&first).await.expect_status(200);
        step(first.trim_matches('"')).await.expect_status(200);
        let present = tag(&from.describe(&sim).await);
        assert_eq!(seen.header_number("sim-seq"), 2);

        let (_, chain) = present.trim_matches('"').split_once('-').unwrap();
        let lost = step(&format!("\"9-{chain}\"")).await;
        assert_eq!(tag(&lost), present);
        let lost = lost.expect_problem(409, "history_lost");
        assert_eq!(lost.body["seq"], 3, "{durability}");
        let diverged = step("\"3-0123456789abcdef\"").await;
        diverged.expect_problem(409, "history_diverged");
        for malformed in ["", "x", "3", "W/\"3-0123456789abcdef\"", "3-01234567"] {
            step(malformed)
                .await
                .expect_problem(400, "malformed_request");
        }
        assert_eq!(tag(&at.describe(&sim).await), present, "nothing was done");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fenced_read_is_answered_only_while_the_registry_agrees() {
    let redis = RedisServer::start().await;
    let settings = [
        ("DEFAULT_DURABILITY", "journal"),
        ("LEASE_TTL_MS", "60000"),
        ("TTL_FLUSH_MS", "60000"),
        ("REDIS_TIMEOUT_MS", "200"),
    ];
    let fleet = Fleet::start(2, &redis.url(), &settings).await;
    let clients = fleet.clients();
    let in_memory = Instance::in_process(&[]).await;
    let fenced = async |client: &Client, sim: &str, wish: &str| {
        let call = client.call("GET", format!("/simulations/{sim}/state"));
        call.header("sim-consistency", wish).send().await
    };

    let alone = in_memory.client();
    let sim = alone.simulation(&json!({})).await;
    fenced(&alone, &sim, "fenced").await.expect_status(200);
    let strange = fenced(&alone, &sim, "eventual").await;
    strange.expect_problem(400, "malformed_request");

    let mut sims = Vec::new();
    for durability in ["journal", "registry"] {
        let sim = clients[0]
            .simulation(&json!({"durability": durability}))
            .await;
        for client in &clients {
            fenced(client, &sim, "fenced").await.expect_status(200);
            let strange = fenced(client, &sim, "eventual").await;
            strange.expect_problem(400, "malformed_request");
        }
        let entry = format!("sim:{{{sim}}}:meta");
        let token: String = redis.ask(&["HGET", &entry, "token"]).await;
        let _: i64 = redis
            .ask(&["HSET", &entry, "token", "9999999999999999:other"])
            .await;
        for client in &clients {
            let refused = fenced(client, &sim, "fenced").await;
            assert_eq!(refused.header("etag"), None, "{durability}");
            refused.expect_problem(503, "ownership_lost");
            client.state(&sim).await.expect_status(200);
        }
        let _: i64 = redis.ask(&["HSET", &entry, "token", &token]).await;
        fenced(&clients[1], &sim, "fenced").await.expect_status(200);
        sims.push(sim);
    }
    redis.pause();
    for sim in &sims {
        let refused = fenced(&clients[0], sim, "fenced").await;
        refused.expect_problem(503, "registry_unavailable");
    }
    redis.resume();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_was_replaced_refuses_no_command_because_of_how_its_world_is() {
    let redis = RedisServer::start().await;
    let settings = [
        ("DEFAULT_DURABILITY", "journal"),
        ("LEASE_TTL_MS", "60000"),
        ("TTL_FLUSH_MS", "60000"),
    ];
    let fleet = Fleet::start(1, &redis.url(), &settings).await;
    let client = &fleet.clients()[0];
    let old = sphere("old", 0.5, [0.0; 3]);
    let sim = client.simulation(&json!({"bodies": [old]})).await;
    let commands = [
        ("/bodies/new/impulse", json!({"impulse": [1, 0, 0]}), 404),
        ("/bodies", old, 409),
        (
            "/commands",
            json!({"commands": [{"op": "remove_body", "body_id": "new"}]}),
            422,
        ),
        ("/step", json!({"steps": 1}), 412),
    ];
    let give = async |(path, body, _): &(&str, Value, u16)| {
        let call = client.call("POST", format!("/simulations/{sim}{path}"));
        let call = if *path == "/step" {
            call.header("if-match", "\"7-0123456789abcdef\"")
        } else {
            call
        };
        call.json(body).send().await
    };
    for command in &commands {
        give(command).await.expect_status(command.2);
    }

    let entry = format!("sim:{{{sim}}}:meta");
    let _: i64 = redis
        .ask(&["HSET", &entry, "token", "9999999999999999:other"])
        .await;
    for command in &commands {
        give(command).await.expect_problem(503, "ownership_lost");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_carry_a_hash_of_the_state_where_that_is_asked_for() {
    let redis = RedisServer::start().await;
    let silent = Fleet::start(1, &redis.url(), JOURNAL).await;
    let alone = Instance::in_process(&["--state-hash", "true"]).await;
    let hash = |reply: &Reply| reply.header("sim-state-hash").map(str::to_owned);

    let mut seen = BTreeSet::new();
    let client = alone.client();
    for _ in 0..2 {
        let sim = client.simulation(&scene()).await;
        let stepped = hash(&client.step(&sim, 3).await.expect_status(200));
        for reply in [
            client.describe(&sim).await,
            client.state(&sim).await,
            client.body(&sim, "nobody").await,
        ] {
            assert_eq!(hash(&reply), stepped, "{}", reply.request);
        }
        let stepped = stepped.expect("a hash");
        assert!(
            stepped.len() == 16 && u64::from_str_radix(&stepped, 16).is_ok(),
            "{stepped}"
        );
        seen.insert(stepped);
        let moved = client
            .impulse(&sim, "ball", &json!({"impulse": [1, 0, 0]}))
            .await;
        assert!(!seen.contains(&hash(&moved.expect_status(204)).expect("a hash")));
    }
    assert_eq!(seen.len(), 1, "equal worlds have equal hashes");

    let client = &silent.clients()[0];
    let sim = client.simulation(&scene()).await;
    for reply in [client.step(&sim, 1).await, client.describe(&sim).await] {
        assert_eq!(hash(&reply), None, "{}", reply.request);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_may_read_where_a_simulation_stands() {
    let instance = Instance::in_process(&[]).await;
    let client = instance.client();
    let sim = client.simulation(&json!({})).await;

    let call = client.call("GET", format!("/simulations/{sim}"));
    let reply = call.header("origin", "https://example.org").send().await;

    let exposed = reply.header("access-control-expose-headers").unwrap_or("");
    for name in ["etag", "sim-seq", "sim-step", "sim-state-hash"] {
        assert!(
            exposed.split(',').any(|one| one == name),
            "{name} in {exposed}"
        );
    }
}
