//! Three instances that share a registry: whichever is asked, the answer is the owner's.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinSet, time::MissedTickBehavior};

use crate::harness::{
    Client, Fleet, Instance, Proxy, RedisServer, Reply, eventually, eventually_true, free_port,
    ground, raw, sphere, until_roster_is_read, without,
};

const FAST: [(&str, &str); 2] = [("LEASE_TTL_MS", "1500"), ("TTL_FLUSH_MS", "100")];
/// Where no lease is waited for, Redis has as long to answer as it has in earnest.
const UNHURRIED: [(&str, &str); 1] = [("TTL_FLUSH_MS", "100")];
const SOON: Duration = Duration::from_secs(20);
const NAMES: [&str; 3] = ["a", "b", "c"];
const SIMULATIONS: usize = 200;
/// How often a worker asks, as long as it is answered in time.
const EVERY: Duration = Duration::from_millis(5);
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

#[tokio::test(flavor = "multi_thread")]
async fn every_route_of_a_simulation_answers_alike_through_every_instance() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(3, &redis.url(), &UNHURRIED).await;

    expect_every_route_to_answer_alike(&fleet.clients()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_given_round_robin_lead_where_they_lead_on_a_single_instance() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(3, &redis.url(), &UNHURRIED).await;
    let clients = fleet.clients();
    let single = Instance::spawn(&[]).await;
    let alone = single.client();
    let world = json!({"id": "same", "dt": 0.01, "bodies": [
        ground("floor"), sphere("ball", 0.5, [0.0, 5.0, 0.0]), sphere("partner", 0.5, [3.0, 5.0, 0.0])
    ], "controllers": [hold("partner")]});
    clients[1]
        .create_simulation(&world)
        .await
        .expect_status(201);
    alone.create_simulation(&world).await.expect_status(201);

    let mut turns = clients.iter().cycle();
    for round in 0..8 {
        for (method, path, body) in script() {
            if method == "DELETE"
                || path.ends_with("/joints")
                || path.ends_with("/bodies")
                || path.ends_with("/controllers")
            {
                // Once is enough for what takes and gives back names.
                if round > 0 {
                    continue;
                }
            }
            if path.is_empty() && method == "DELETE" {
                continue;
            }
            let turn = turns.next().expect("a cycle has no end");
            let theirs = exchange(turn, method, path, "same", body.as_ref()).await;
            let ours = exchange(&alone, method, path, "same", body.as_ref()).await;
            assert_eq!(
                theirs.status, ours.status,
                "{method} {path}: {}",
                theirs.body
            );
            assert_eq!(theirs.sim_headers(), ours.sim_headers(), "{method} {path}");
        }
        for client in &clients {
            let found = client.state("same").await.expect_status(200);
            let expected = alone.state("same").await.expect_status(200);
            assert_eq!(found.body, expected.body);
            let found = client.bodies("same").await.expect_status(200);
            let expected = alone.bodies("same").await.expect_status(200);
            assert_eq!(found.body, expected.body);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_simulations_are_used_listed_and_destroyed_from_everywhere() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(3, &redis.url(), &UNHURRIED).await;
    let clients = fleet.clients();
    let mut sims = Vec::new();
    for n in 0..SIMULATIONS {
        let parity = if n % 2 == 0 { "even" } else { "odd" };
        let request = json!({"labels": {"parity": parity, "owner": NAMES[n % 3]},
                             "bodies": [sphere("ball", 0.5, [0.0, 9.0, 0.0])]});
        sims.push(clients[n % 3].simulation(&request).await);
    }

    for (hop, client) in clients.iter().enumerate() {
        let steps = sims.iter().map(async |sim| client.step(sim, 1).await);
        for (n, reply) in join_all(steps).await.into_iter().enumerate() {
            let reply = reply.expect_status(200);
            assert_eq!(reply.json()["step"], hop + 1);
            assert_eq!(reply.header("sim-instance"), Some(NAMES[n % 3]));
        }
    }
    for client in &clients {
        assert_eq!(pages(client, "limit=7", 7).await, sims);
        assert_eq!(pages(client, "limit=1000", 1000).await, sims);
        let odd: Vec<_> = sims.iter().skip(1).step_by(2).cloned().collect();
        assert_eq!(pages(client, "limit=7&label=parity%3Dodd", 7).await, odd);
        let both = "limit=7&label=parity%3Deven&label=owner%3Dc";
        let some: Vec<_> = sims.iter().skip(2).step_by(6).cloned().collect();
        assert_eq!(pages(client, both, 7).await, some);
        assert!(pages(client, "label=parity%3Dnone", 100).await.is_empty());
    }
    assert_eq!(counts(&clients).await, [67, 67, 66]);

    for (n, sim) in sims.iter().enumerate() {
        clients[(n + 1) % 3].destroy(sim).await.expect_status(204);
    }
    assert_eq!(counts(&clients).await, [0, 0, 0]);
    for client in &clients {
        assert!(pages(client, "limit=7", 7).await.is_empty());
        for sim in sims.iter().step_by(20) {
            client
                .state(sim)
                .await
                .expect_problem(404, "simulation_not_found");
        }
    }
    let is_entry = |key: &String| key.starts_with("sim:");
    let left: Vec<_> = redis
        .keys_of("")
        .await
        .into_iter()
        .filter(is_entry)
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(redis.ask::<u32>(&["ZCARD", "sims:expiry"]).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_forbids_forwarding_is_told_that_another_instance_has_the_simulation() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(2, &redis.url(), &UNHURRIED).await;
    let [a, b] = [fleet[0].client(), fleet[1].client()];
    let sim = a.simulation(&json!({})).await;
    let ask = async |client: &Client, method: &str, rest: &str| {
        let call = client.call(method, format!("/simulations/{sim}{rest}"));
        call.json(&json!({"steps": 1}))
            .header("Sim-Forward", "never")
            .send()
            .await
    };

    for (method, rest) in [("POST", "/step"), ("GET", "/state"), ("DELETE", "")] {
        let reply = ask(&b, method, rest).await;
        let problem = reply.expect_problem(421, "owned_elsewhere");
        assert_eq!(problem.body["sim_id"], sim.as_str());
    }

    let here = ask(&a, "POST", "/step").await.expect_status(200);
    assert_eq!(here.json()["step"], 1);
    let through = b.step(&sim, 1).await.expect_status(200);
    assert_eq!(through.json()["step"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_and_chunked_bodies_pass_through_an_instance_that_does_not_own_the_simulation() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(2, &redis.url(), &UNHURRIED).await;
    let [a, b] = [fleet[0].client(), fleet[1].client()];
    let [whole, chunked] = [
        a.simulation(&json!({})).await,
        a.simulation(&json!({})).await,
    ];
    let bodies = (0..6000).map(|n| {
        let place = f64::from(n) * 3.0;
        json!({"id": format!("a-body-whose-name-is-as-long-as-names-may-be-so-that-it-weighs-{n:05}")[4..],
               "kind": "static", "shape": "sphere", "size": [0.5], "position": [place, 0.0, 0.0],
               "velocity": [0.0, 0.0, 0.0], "restitution": 0.25})
    });
    let bodies = Value::Array(bodies.collect()).to_string();
    assert!(bodies.len() > 1_000_000, "{}", bodies.len());

    let added = b
        .post_text(format!("/simulations/{whole}/bodies"), bodies.clone())
        .await;
    let added = added.expect_status(201).json();
    assert_eq!(added["body_ids"].as_array().map(Vec::len), Some(6000));
    let path = format!("/simulations/{chunked}/bodies");
    let added = raw(b.address(), in_chunks(&path, bodies.as_bytes(), 65_537)).await;
    assert_eq!(added.status, 201, "{}", added.head);
    let path = format!("/simulations/{chunked}/step");
    let stepped = raw(b.address(), in_chunks(&path, b"{\"steps\": 1}", 1)).await;
    assert_eq!(stepped.status, 200, "{}", stepped.head);

    for sim in [&whole, &chunked] {
        let through = b.bodies(sim).await.expect_status(200);
        assert!(through.body.len() > 1_000_000, "{}", through.body.len());
        assert_eq!(through.body, a.bodies(sim).await.body);
    }
    let huge = "x".repeat(5 << 20);
    let refused = b
        .post_text(format!("/simulations/{whole}/bodies"), huge)
        .await;
    refused.expect_problem(413, "body_too_large");
    b.state(&whole).await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_without_room_has_simulations_created_where_most_room_is() {
    let redis = RedisServer::start().await;
    let start = async |id, room| {
        let url = redis.url();
        let env = [
            ("STORAGE_BACKEND", "redis"),
            ("REDIS_URL", &url),
            ("INSTANCE_ID", id),
            ("INTERNAL_PORT", "0"),
            ("MAX_SIMULATIONS", room),
            ("DEFAULT_DURABILITY", "registry"),
        ];
        Instance::spawn(&[env.as_slice(), &FAST].concat()).await
    };
    let (a, b, c) = tokio::join!(start("a", "1"), start("b", "3"), start("c", "9"));
    let [a, b, c] = [a.client(), b.client(), c.client()];
    a.simulation(&json!({})).await;
    // Who lives is told with the lease.
    until_instances_are(&redis, 3).await;

    let placed = eventually(SOON, "the others are known", async || {
        let placed = a.create_simulation(&json!({"labels": {"n": "1"}})).await;
        if placed.status == 201 {
            Ok(placed)
        } else {
            Err(placed.text())
        }
    })
    .await;
    assert_eq!(placed.json()["owner"], "c", "{}", placed.text());
    assert_eq!(placed.header("sim-instance"), Some("c"));
    let location = placed.header("location").expect("it says where").to_owned();
    for client in [&a, &b, &c] {
        let found = client
            .get(location.as_str())
            .await
            .expect_status(200)
            .json();
        assert_eq!(found["labels"]["n"], "1");
    }

    let keyed = async || {
        let call = a
            .call("POST", "/simulations")
            .json(&json!({"labels": {"n": "2"}}));
        call.header("Idempotency-Key", "only-once")
            .send()
            .await
            .expect_status(201)
    };
    let [first, again] = [keyed().await, keyed().await];
    assert_eq!(first.body, again.body);
    assert_eq!(first.json()["owner"], "c", "{}", first.text());
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let named = a.create_simulation(&json!({"id": "named"})).await;
    assert_eq!(named.expect_status(201).json()["owner"], "c");
    let taken = a.create_simulation(&json!({"id": "named"})).await;
    taken.expect_problem(409, "simulation_exists");

    // Thirteen in all, four of which are there.
    let mut created = 4;
    eventually(SOON, "every place is taken", async || {
        let reply = a.create_simulation(&json!({})).await;
        match reply.status {
            201 => created += 1,
            _ => drop(reply.expect_problem(429, "quota_exceeded")),
        }
        if created == 13 { Ok(()) } else { Err(created) }
    })
    .await;
    assert_eq!(counts(&[a.clone(), b.clone(), c.clone()]).await, [1, 3, 9]);
    for client in [&a, &b, &c] {
        client
            .create_simulation(&json!({}))
            .await
            .expect_problem(429, "quota_exceeded");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forwarded_command_is_never_applied_twice_when_connections_break() {
    let redis = RedisServer::start().await;
    let port = free_port();
    let mut between = Proxy::to(SocketAddr::from(([127, 0, 0, 1], port))).await;
    let fleet = pair(
        &redis,
        port,
        &[("ADVERTISE_URL", &format!("http://{}", between.address()))],
    )
    .await;
    let [a, b] = [fleet[0].client(), fleet[1].client()];
    let sim = a.simulation(&json!({})).await;
    b.step(&sim, 0).await.expect_status(200);
    // There is always something on its way.
    between.delay(Duration::from_millis(5));

    let workers = Workers::start(&b, &sim, 6, false);
    for _ in 0..6 {
        workers.until_acknowledged(&a, 12).await;
        between.cut().await;
        between.heal().await;
        between.delay(Duration::from_millis(5));
    }
    let outcome = workers.end().await;
    between.heal().await;

    let steps = steps_of(&a, &sim).await;
    outcome.assert_explains(steps);
    assert!(
        outcome.unknown > 0,
        "nothing was cut off on its way: {outcome:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forwarded_command_is_never_applied_twice_when_the_owner_stands_still() {
    let redis = RedisServer::start().await;
    let fleet = pair(&redis, free_port(), &[("REQUEST_TIMEOUT_MS", "400")]).await;
    let [a, b] = [fleet[0].client(), fleet[1].client()];
    let sim = a.simulation(&json!({})).await;
    b.step(&sim, 0).await.expect_status(200);

    let workers = Workers::start(&b, &sim, 4, false);
    for _ in 0..2 {
        workers.until_acknowledged(&a, 8).await;
        fleet[0].stop();
        workers.until_refused(4).await;
        fleet[0].resume();
    }
    workers.until_acknowledged(&a, 8).await;
    let outcome = workers.end().await;

    let steps = steps_of(&a, &sim).await;
    outcome.assert_explains(steps);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forwarded_command_with_a_key_is_applied_once_however_often_it_is_sent() {
    let redis = RedisServer::start().await;
    let port = free_port();
    let mut between = Proxy::to(SocketAddr::from(([127, 0, 0, 1], port))).await;
    let fleet = pair(
        &redis,
        port,
        &[("ADVERTISE_URL", &format!("http://{}", between.address()))],
    )
    .await;
    let [a, b] = [fleet[0].client(), fleet[1].client()];
    let sim = a.simulation(&json!({})).await;
    b.step(&sim, 0).await.expect_status(200);
    between.delay(Duration::from_millis(5));

    let workers = Workers::start(&b, &sim, 6, true);
    for _ in 0..4 {
        workers.until_acknowledged(&a, 12).await;
        between.cut().await;
        between.heal().await;
        between.delay(Duration::from_millis(5));
    }
    let outcome = workers.end().await;

    // Every key was sent until it was answered.
    assert_eq!(
        steps_of(&a, &sim).await,
        outcome.acknowledged,
        "{outcome:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_was_out_of_reach_once_is_asked_again_while_redis_is_gone() {
    let mut redis = RedisServer::start().await;
    let port = free_port();
    let mut between = Proxy::to(SocketAddr::from(([127, 0, 0, 1], port))).await;
    let advertised = format!("http://{}", between.address());
    let fleet = pair(&redis, port, &[("ADVERTISE_URL", &advertised)]).await;
    let [a, b] = [fleet[0].client(), fleet[1].client()];
    let [one, other] = [
        a.simulation(&json!({})).await,
        a.simulation(&json!({})).await,
    ];
    b.step(&one, 1).await.expect_status(200);
    b.step(&other, 1).await.expect_status(200);
    until_roster_is_read(&redis, "b").await;

    redis.kill();
    eventually_true(
        SOON,
        "the outage is noticed",
        |state| state == "down",
        async || b.ready().await.json()["components"]["redis"].clone(),
    )
    .await;
    between.cut().await;
    let refused = b.step(&one, 1).await;
    refused.expect_problem(503, "owner_unreachable");

    between.heal().await;
    for sim in [&one, &other] {
        let reply = b.step(sim, 1).await.expect_status(200);
        assert_eq!(reply.json()["step"], 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_through_another_instance_end_when_the_owner_is_killed_and_none_comes_twice() {
    let redis = RedisServer::start().await;
    let mut fleet = pair(&redis, free_port(), &[]).await;
    let [a, b] = [fleet[0].client(), fleet[1].client()];
    let sim = a.simulation(&json!({})).await;
    b.step(&sim, 0).await.expect_status(200);
    let workers = Workers::start(&b, &sim, 4, false);
    workers.until_acknowledged(&a, 12).await;

    fleet[0].kill();
    workers.until_refused(4).await;
    let outcome = workers.end().await;

    let steps: BTreeSet<_> = outcome.steps.iter().collect();
    assert_eq!(steps.len(), outcome.steps.len(), "{outcome:?}");
    let last = outcome.steps.iter().max().copied().unwrap_or_default();
    outcome.assert_explains(last);
    eventually(SOON, "the simulation is given up", async || {
        let reply = b.state(&sim).await;
        if reply.status == 404 {
            Ok(())
        } else {
            Err(reply.text())
        }
    })
    .await;
    b.state(&sim).await.expect_problem(404, "simulation_lost");
}

/// Asks everything about a simulation of each of three instances, through each of them.
pub(crate) async fn expect_every_route_to_answer_alike(clients: &[Client]) {
    let script = script();
    assert_complete(&clients[0], &script).await;

    for (owner, name) in clients.iter().zip(NAMES) {
        let mut expected: Option<Vec<Exchange>> = None;
        for asked in clients {
            let world = json!({"id": name, "bodies": [
                ground("floor"), sphere("ball", 0.5, [0.0, 5.0, 0.0]), sphere("partner", 0.5, [3.0, 5.0, 0.0])
            ], "controllers": [hold("partner")]});
            owner.create_simulation(&world).await.expect_status(201);
            let mut said = Vec::new();
            for (method, path, body) in &script {
                said.push(exchange(asked, method, path, name, body.as_ref()).await);
                if *method == "GET" {
                    let head = exchange(asked, "HEAD", path, name, None).await;
                    let got = said.last().expect("it was just pushed");
                    assert_eq!((head.status, &head.headers), (got.status, &got.headers));
                    assert_eq!(head.body, "");
                }
            }
            let expected = expected.get_or_insert_with(|| said.clone());
            for (found, expected) in said.iter().zip(expected.iter()) {
                assert_eq!(found, expected, "at {}", asked.address());
            }
        }
    }
}

/// What was said, without what differs from one request to the next.
#[derive(Clone, Debug, PartialEq)]
struct Exchange {
    request: String,
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Exchange {
    fn sim_headers(&self) -> Vec<(String, String)> {
        let is_meant = |(name, _): &&(String, String)| name == "sim-seq" || name == "sim-step";
        self.headers.iter().filter(is_meant).cloned().collect()
    }
}

/// Asks for a path below that of a simulation, whose owner has the same name as the simulation.
async fn exchange(
    client: &Client,
    method: &str,
    path: &str,
    sim: &str,
    body: Option<&Value>,
) -> Exchange {
    let mut call = client.call(method, format!("/simulations/{sim}{path}"));
    if let Some(body) = body {
        call = call.json(body);
    }
    let reply = call.send().await;
    if NAMES.contains(&sim) {
        assert_eq!(reply.header("sim-instance"), Some(sim), "{}", reply.request);
    }
    Exchange {
        request: reply.request.clone(),
        status: reply.status,
        headers: lasting(&reply.headers),
        body: timeless(&reply),
    }
}

fn lasting(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &reqwest::header::HeaderValue| {
        String::from_utf8_lossy(value.as_bytes()).into_owned()
    };
    let mut lasting: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value)))
        .filter(|(name, _)| !["x-request-id", "date", "etag"].contains(&name.as_str()))
        .collect();
    lasting.sort();
    lasting
}

/// The body as it is, or without the times of day and the id of the request if it has any. What
/// tells one simulation from another of its name is all over a bundle.
fn timeless(reply: &Reply) -> String {
    const DIFFERENT: [&str; 3] = ["created_at", "expires_at", "request_id"];
    if reply.header("content-type") == Some("application/vnd.rapier-bundle") {
        return String::new();
    }
    let text = String::from_utf8(reply.body.clone()).expect("replies are text");
    if DIFFERENT.iter().any(|member| text.contains(member)) {
        return without(&reply.json(), &DIFFERENT).to_string();
    }
    text
}

/// What keeps a body about where it is.
fn hold(body: &str) -> Value {
    json!({"id": format!("hold-{body}"), "type": "pid", "body_id": body, "target_position": [3, 5, 0]})
}

/// Requests to a simulation with a floor, a ball and a partner: every route, and some refusals.
fn script() -> Vec<(&'static str, &'static str, Option<Value>)> {
    let hinge = json!({"id": "hinge", "joint_type": "revolute", "body_a": "ball", "body_b": "partner",
                       "anchor_a": [3, 0, 0], "limits": [-1, 1]});
    let crowd = json!([
        sphere("c1", 0.2, [9.0, 3.0, 0.0]),
        sphere("c2", 0.2, [12.0, 3.0, 0.0])
    ]);
    let pendulum = json!({"format": "mjcf", "position": [20, 3, 0], "content":
        "<mujoco><worldbody><body><geom type='box' size='1 1 1'/><joint/></body></worldbody></mujoco>"});
    vec![
        ("GET", "", None),
        (
            "PATCH",
            "",
            Some(json!({"gravity": [0, -1.62, 0], "labels": {"where": "moon"}})),
        ),
        ("POST", "/keepalive", None),
        (
            "POST",
            "/bodies",
            Some(sphere("extra", 0.3, [6.0, 2.0, 0.0])),
        ),
        ("POST", "/bodies", Some(crowd)),
        (
            "POST",
            "/bodies",
            Some(sphere("ball", 0.3, [6.0, 2.0, 0.0])),
        ),
        ("GET", "/bodies", None),
        ("GET", "/bodies/extra", None),
        ("GET", "/bodies/nobody", None),
        (
            "PATCH",
            "/bodies/extra",
            Some(json!({"velocity": [1, 0, 0]})),
        ),
        (
            "POST",
            "/bodies/ball/impulse",
            Some(json!({"impulse": [0, 2, 1]})),
        ),
        (
            "PUT",
            "/bodies/ball/force",
            Some(json!({"force": [0, 0, 3]})),
        ),
        ("POST", "/joints", Some(hinge)),
        ("GET", "/joints", None),
        ("GET", "/joints/hinge", None),
        (
            "PATCH",
            "/joints/hinge",
            Some(json!({"limits": [-0.5, 0.5]})),
        ),
        ("POST", "/imports", Some(pendulum)),
        (
            "POST",
            "/controllers",
            Some(json!({"id": "hover", "type": "pid", "body_id": "ball",
                        "target_position": [6, 4, 0], "ki": 1})),
        ),
        ("GET", "/controllers", None),
        ("GET", "/controllers/hover", None),
        (
            "PATCH",
            "/controllers/hover",
            Some(json!({"target_position": [6, 5, 0]})),
        ),
        (
            "POST",
            "/inverse_kinematics",
            Some(json!({"body_id": "ball", "position": [0, 1, 0]})),
        ),
        ("POST", "/step", Some(json!({"steps": 25}))),
        ("POST", "/step", Some(json!({"steps": -1}))),
        (
            "POST",
            "/commands",
            Some(
                json!({"steps": 5, "commands": [{"op": "step", "steps": 1}], "observe": {"every": 2}}),
            ),
        ),
        ("GET", "/state", None),
        ("GET", "/contacts", None),
        ("GET", "/energy", None),
        ("GET", "/energy?bodies=ball", None),
        ("GET", "/state?fields=position,speed&bodies=ball", None),
        (
            "POST",
            "/queries",
            Some(
                json!({"queries": [{"type": "point", "point": [0, 0, 0]}, {"type": "distance", "body_a": "ball", "body_b": "nobody"}]}),
            ),
        ),
        ("GET", "/bundle", None),
        ("GET", "/journal", None),
        ("GET", "/events", None),
        ("POST", "/verify", None),
        (
            "POST",
            "/bodies/ball/trajectory",
            Some(json!({"steps": 30, "every": 10})),
        ),
        ("DELETE", "/bodies/ball/force", None),
        ("POST", "/step", Some(json!({"steps": 10}))),
        ("DELETE", "/joints/hinge", None),
        ("DELETE", "/joints/hinge", None),
        ("DELETE", "/controllers/hover", None),
        ("DELETE", "/bodies/extra", None),
        ("GET", "/state", None),
        ("GET", "/bodies", None),
        ("DELETE", "", None),
    ]
}

/// Fails unless the script has every operation of a simulation that the service documents.
async fn assert_complete(client: &Client, script: &[(&str, &str, Option<Value>)]) {
    let document = client.get("/openapi.json").await.expect_status(200).json();
    let paths = document["paths"].as_object().expect("a document has paths");
    let mut missing = Vec::new();
    for (path, item) in paths {
        let Some(rest) = path.strip_prefix("/simulations/{sim_id}") else {
            continue;
        };
        for method in METHODS.iter().filter(|method| item.get(**method).is_some()) {
            let is_it = |(used, path, _): &(&str, &str, _)| {
                used.eq_ignore_ascii_case(method) && is_path(path, rest)
            };
            if !script.iter().any(is_it) {
                missing.push(format!("{method} {rest}"));
            }
        }
    }
    assert!(missing.is_empty(), "never asked for: {missing:?}");
}

fn is_path(path: &str, template: &str) -> bool {
    let (parts, places) = (path.split('/'), template.split('/'));
    parts.clone().count() == places.clone().count()
        && parts
            .zip(places)
            .all(|(part, place)| place.starts_with('{') || part == place)
}

/// A POST of JSON in chunks of this size.
fn in_chunks(path: &str, body: &[u8], size: usize) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    );
    let mut request = head.into_bytes();
    for chunk in body.chunks(size) {
        request.extend(format!("{:x}\r\n", chunk.len()).bytes());
        request.extend(chunk);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    request
}

/// The ids on all pages, in their order; no page is longer than `limit`.
async fn pages(client: &Client, query: &str, limit: usize) -> Vec<String> {
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client
            .list(&format!("{query}{cursor}"))
            .await
            .expect_status(200)
            .json();
        let listed = page["simulations"].as_array().expect("a page is a list");
        assert!(listed.len() <= limit, "{}", listed.len());
        ids.extend(
            listed
                .iter()
                .filter_map(|listed| listed["sim_id"].as_str().map(str::to_owned)),
        );
        let Some(next) = page["next_cursor"].as_str() else {
            return ids;
        };
        assert_eq!(listed.len(), limit, "only the last page is short");
        cursor = format!("&cursor={next}");
    }
}

/// How many simulations each instance has.
async fn counts(clients: &[Client]) -> Vec<u64> {
    let count = async |client: &Client| client.health().await.json()["simulations"].as_u64();
    let counts = join_all(clients.iter().map(count)).await;
    counts
        .into_iter()
        .map(|count| count.expect("a count is a number"))
        .collect()
}

async fn until_instances_are(redis: &RedisServer, count: usize) {
    eventually_true(
        SOON,
        "all instances are on the roster",
        |listed: &usize| *listed == count,
        async || redis.ask(&["ZCARD", "instances"]).await,
    )
    .await;
}

async fn steps_of(client: &Client, sim: &str) -> u64 {
    let state = client.state(sim).await.expect_status(200).json();
    state["step"].as_u64().expect("a state counts its steps")
}

/// `a`, whose internal port is this, and `b`.
async fn pair(redis: &RedisServer, port: u16, of_a: &[(&str, &str)]) -> [Instance; 2] {
    let (url, port) = (redis.url(), port.to_string());
    let common = [
        ("STORAGE_BACKEND", "redis"),
        ("REDIS_URL", &url),
        ("DEFAULT_DURABILITY", "registry"),
    ];
    let common = [common.as_slice(), &FAST].concat();
    let is_shared = |(name, _): &&(&str, &str)| *name != "ADVERTISE_URL";
    let shared: Vec<_> = of_a.iter().filter(is_shared).copied().collect();
    let a = [("INSTANCE_ID", "a"), ("INTERNAL_PORT", port.as_str())];
    let b = [("INSTANCE_ID", "b"), ("INTERNAL_PORT", "0")];
    let (a, b) = (
        [common.as_slice(), &a, of_a].concat(),
        [common.as_slice(), &b, &shared].concat(),
    );
    let (a, b) = tokio::join!(Instance::spawn(&a), Instance::spawn(&b));
    [a, b]
}

/// Clients that step one simulation by one, all at once.
struct Workers {
    tasks: JoinSet<Outcome>,
    over: watch::Sender<bool>,
    refused: Arc<AtomicUsize>,
    sim: String,
}

/// What became of their requests.
#[derive(Debug, Default)]
struct Outcome {
    acknowledged: u64,
    /// Answered with an error that leaves open whether they were applied.
    unknown: u64,
    /// Answered with another error.
    refused: u64,
    /// The steps that were answered.
    steps: Vec<u64>,
}

impl Outcome {
    /// Fails if more was applied than was asked for, or less than was answered.
    #[track_caller]
    fn assert_explains(&self, steps: u64) {
        let least = self.acknowledged;
        assert!(
            (least..=least + self.unknown).contains(&steps),
            "{steps} steps: {self:?}"
        );
    }
}

impl Workers {
    /// With keys, each request is sent until it is acknowledged.
    fn start(client: &Client, sim: &str, count: usize, keyed: bool) -> Self {
        let (over, _) = watch::channel(false);
        let refused = Arc::default();
        let mut tasks = JoinSet::new();
        for worker in 0..count {
            let client = Client::new(client.address());
            let (sim, over) = (sim.to_owned(), over.subscribe());
            let refused = Arc::clone(&refused);
            tasks.spawn(work(client, sim, worker, keyed, over, refused));
        }
        Self {
            tasks,
            over,
            refused,
            sim: sim.to_owned(),
        }
    }

    /// Waits until so many more steps have been taken.
    async fn until_acknowledged(&self, owner: &Client, more: u64) {
        let goal = steps_of(owner, &self.sim).await + more;
        eventually_true(
            SOON,
            "more steps are taken",
            |&now| now >= goal,
            async || steps_of(owner, &self.sim).await,
        )
        .await;
    }

    /// Waits until so many more requests have failed.
    async fn until_refused(&self, more: usize) {
        let now = || self.refused.load(Ordering::Acquire);
        let goal = now() + more;
        eventually_true(SOON, "requests fail", |&now| now >= goal, async || now()).await;
    }

    async fn end(mut self) -> Outcome {
        self.over.send_replace(true);
        let mut all = Outcome::default();
        while let Some(one) = self.tasks.join_next().await {
            let one = one.expect("every answer is one of those foreseen");
            all.acknowledged += one.acknowledged;
            all.unknown += one.unknown;
            all.refused += one.refused;
            all.steps.extend(one.steps);
        }
        all
    }
}

async fn work(
    client: Client,
    sim: String,
    worker: usize,
    keyed: bool,
    over: watch::Receiver<bool>,
    refused: Arc<AtomicUsize>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut key = 0;
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let path = format!("/simulations/{sim}/step");
        let mut call = client.call("POST", path).json(&json!({"steps": 1}));
        if keyed {
            call = call.header("Idempotency-Key", format!("{worker}-{key}"));
        }
        let reply = call.send().await;
        let is_over = *over.borrow();
        if reply.status == 200 {
            outcome.acknowledged += 1;
            outcome.steps.extend(reply.json()["step"].as_u64());
            key += 1;
        } else {
            refused.fetch_add(1, Ordering::AcqRel);
            let problem = reply.problem();
            match (reply.status, problem.code()) {
                (503, "outcome_unknown") => outcome.unknown += 1,
                (503, "owner_unreachable" | "overloaded" | "ownership_lost")
                | (404, "simulation_lost") => outcome.refused += 1,
                (409, "idempotency_key_in_flight") if keyed => {}
                _ => panic!("{}: {}", reply.status, reply.text()),
            }
        }
        if is_over && (reply.status == 200 || !keyed) {
            return outcome;
        }
    }
}
