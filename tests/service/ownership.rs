//! One world for each simulation, whatever happens to the instances that might have it.

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
    Client, Fleet, RedisServer, Reply, Store, busy_world, eventually, eventually_true, sphere,
    steps_lasting, until_stepping, zero_gravity,
};

const SOON: Duration = Duration::from_secs(30);
const NAMES: [&str; 2] = ["a", "b"];
const IDS_PER_ROUND: usize = 10;
/// How many rounds are played unless the environment says otherwise.
const ROUNDS: usize = 10;
const CONNECTIONS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_wakes_up_never_answers_for_what_another_instance_has_claimed() {
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, 600).await;

    for round in 0..rounds() {
        play_a_round(&fleet, &redis, round, IDS_PER_ROUND).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_wakes_up_while_its_simulations_are_claimed_keeps_the_rest_alone() {
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, 600).await;
    let [a, b] = both(&fleet);
    let ids: Vec<_> = (0..60).map(|n| format!("contested-{n}")).collect();
    let creations = ids.iter().map(async |id| {
        a.simulation(&world(id, "first")).await;
    });
    join_all(creations).await;

    fleet[0].stop();
    claim(&b, &world(&ids[0], "second")).await;
    fleet[0].resume();
    let mut has_taken = vec![true];
    for id in &ids[1..] {
        let reply = b.create_simulation(&world(id, "second")).await;
        if reply.status == 201 {
            expect_world(&a, id, "second", "b").await;
            has_taken.push(true);
        } else {
            refusal(&reply, &["simulation_exists", "owner_unreachable"]);
            has_taken.push(false);
        }
    }

    for (id, is_taken) in ids.iter().zip(&has_taken) {
        let (world, owner) = if *is_taken {
            ("second", "b")
        } else {
            ("first", "a")
        };
        expect_world(&a, id, world, owner).await;
        expect_world(&b, id, world, owner).await;
    }
    let taken = has_taken.iter().filter(|&&is_taken| is_taken).count();
    until_count(&b, taken).await;
    until_count(&a, ids.len() - taken).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_its_owner_slept_through_is_not_answered_from_a_world_that_was_lost() {
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, 600).await;
    let [a, b] = both(&fleet);
    busy_world(&a, 400, world("s", "first")).await;
    let (steps, end) = steps_lasting(&a, "s", Duration::from_secs(2)).await;
    let mut running = JoinSet::new();
    for _ in 0..4 {
        let asker = a.clone();
        running.spawn(async move { asker.step("s", steps).await });
    }
    until_stepping(&a, "s").await;

    fleet[0].stop();
    claim(&b, &world("s", "second")).await;
    fleet[0].resume();

    for reply in running.join_all().await {
        refusal(&reply, &["ownership_lost", "outcome_unknown"]);
    }
    expect_world(&a, "s", "second", "b").await;
    let step = b.state("s").await.json()["step"].as_u64();
    assert!(step < Some(u64::from(end)), "{step:?} of {end}");
    until_empty(&a).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_was_slept_through_is_not_confirmed_when_the_name_was_given_again() {
    const TRIES: usize = 20;
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, 600).await;
    let [a, b] = both(&fleet);
    for n in 0..TRIES {
        let id = format!("s{n}");
        let mut large = world(&id, "first");
        let bodies = (0..4000).map(|n| sphere(&format!("b{n}"), 0.1, [f64::from(n), 0.0, 0.0]));
        large["bodies"] = bodies.collect();
        let mut running = JoinSet::new();
        let creator = a.clone();
        running.spawn(async move { creator.create_simulation(&large).await });
        eventually_true(
            SOON,
            "the name is claimed",
            |&left| left > 0,
            async || redis.ttl_ms(&meta(&id)).await,
        )
        .await;
        fleet[0].stop();
        let early = tokio::time::timeout(Duration::from_millis(100), running.join_next()).await;
        if early.is_ok() {
            fleet[0].resume();
            a.destroy(&id).await.expect_status(204);
            continue;
        }

        claim(&b, &world(&id, "second")).await;
        fleet[0].resume();
        let reply = running.join_next().await.unwrap().unwrap();

        refusal(&reply, &["ownership_lost"]);
        expect_world(&a, &id, "second", "b").await;
        until_empty(&a).await;
        return;
    }
    panic!("{TRIES} creations were too fast to be slept through");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_whose_lease_ended_goes_on_with_what_nobody_has_claimed() {
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, 800).await;
    let [a, b] = both(&fleet);
    a.simulation(&world("kept", "first")).await;
    let before = a.step("kept", 7).await.expect_status(200).json();
    let lease = redis.hash("instance:a").await;
    let entry = redis.hash(&meta("kept")).await;

    fleet[0].stop();
    until_lost(&b, "kept").await;
    fleet[0].resume();
    let after = a.state("kept").await.expect_status(200).json();

    assert_eq!(after, before);
    let later = redis.hash(&meta("kept")).await;
    assert_eq!(later["token"], entry["token"]);
    let nonce = redis.hash("instance:a").await["nonce"].clone();
    assert_ne!(nonce, lease["nonce"]);
    assert_eq!(later["owner"], format!("a:{nonce}"));
    let elsewhere = until_status(&b, "kept", 200).await;
    assert_eq!(elsewhere.header("sim-instance"), Some("a"));
    assert_eq!(elsewhere.json(), before);
    let stepped = b.step("kept", 1).await.expect_status(200).json();
    assert_eq!(stepped["step"], 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_restarts_does_not_answer_for_its_earlier_life() {
    let redis = RedisServer::start().await;
    let mut fleet = fleet(&redis, 800).await;
    let [a, b] = both(&fleet);
    a.simulation(&world("s", "first")).await;
    a.step("s", 3).await.expect_status(200);

    let a = fleet.restart(0).await;
    let answers = join_all([&a, &b].map(|client| until_lost(client, "s"))).await;

    for said in answers {
        for code in said {
            assert_eq!(code, "owner_unreachable");
        }
    }
    until_count(&a, 0).await;
    let again = a.create_simulation(&world("s", "second")).await;
    assert_eq!(again.expect_status(201).json()["step"], 0);
    expect_world(&b, "s", "second", "a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_owner_is_unreachable_then_its_simulations_are_lost_and_at_last_expired() {
    let redis = RedisServer::start().await;
    let mut fleet = fleet(&redis, 1000).await;
    let [a, b] = both(&fleet);
    let mut doomed = world("doomed", "first");
    doomed["ttl_seconds"] = json!(5);
    a.simulation(&doomed).await;
    b.state("doomed").await.expect_status(200);

    fleet[0].kill();
    let mut said: Vec<String> = Vec::new();
    eventually(SOON, "the simulation has expired", async || {
        let reply = b.state("doomed").await;
        let code = reply.problem().code().to_owned();
        if code == "owner_unreachable" {
            assert_eq!(reply.status, 503, "{}", reply.text());
        } else {
            assert_eq!(reply.status, 404, "{}", reply.text());
        }
        if said.last() != Some(&code) {
            said.push(code.clone());
        }
        if code == "simulation_expired" {
            Ok(())
        } else {
            Err(code)
        }
    })
    .await;

    assert_eq!(
        said,
        ["owner_unreachable", "simulation_lost", "simulation_expired"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_a_killed_owners_simulation_is_given_after_two_lease_times() {
    let redis = RedisServer::start().await;
    let mut fleet = fleet(&redis, 1000).await;
    let [a, b] = both(&fleet);
    a.simulation(&world("s", "first")).await;
    a.step("s", 3).await.expect_status(200);

    let killed = Instant::now();
    fleet[0].kill();
    claim(&b, &world("s", "second")).await;

    // It was last renewed up to a third of a lease time before its end.
    let waited = killed.elapsed();
    assert!(waited > Duration::from_millis(1500), "{waited:?}");
    expect_world(&b, "s", "second", "b").await;
    assert_eq!(b.state("s").await.json()["step"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_is_repeated_through_any_instance_and_a_name_is_given_once() {
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, 1000).await;
    let [a, b] = both(&fleet);
    let create = |client: &Client, key: &str, request: Value| {
        let call = client.call("POST", "/simulations").json(&request);
        call.header("idempotency-key", key).send()
    };
    let labels = json!({"labels": {"world": "first"}});

    let keyed = create(&a, "key-1", labels.clone()).await.expect_status(201);
    let repeated = create(&b, "key-1", labels).await.expect_status(201);
    let reused = create(&b, "key-1", json!({"labels": {"world": "second"}})).await;
    let named = create(&a, "key-2", world("s", "first")).await;
    let named_again = create(&b, "key-2", world("s", "first")).await;
    let taken = create(&b, "key-3", world("s", "second")).await;
    let taken_without_key = b.create_simulation(&world("s", "second")).await;

    assert_eq!(keyed.header("idempotency-replayed"), None);
    assert_eq!(repeated.header("idempotency-replayed"), Some("true"));
    assert_eq!(repeated.json(), keyed.json());
    assert_eq!(repeated.header("sim-instance"), Some("a"));
    reused.expect_problem(422, "idempotency_key_reused");
    assert_eq!(
        named.expect_status(201).json(),
        named_again.expect_status(201).json()
    );
    for taken in [taken, taken_without_key] {
        let problem = taken.expect_problem(409, "simulation_exists");
        assert_eq!(problem.body["sim_id"], "s");
    }
    until_count(&a, 2).await;
    until_count(&b, 0).await;
    expect_world(&b, "s", "first", "a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_creations_of_a_name_at_once_succeeds() {
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, 1000).await;
    let clients = both(&fleet);

    for round in 0..20 {
        let request = world(&format!("s{round}"), "first");
        let rivals = (0..8).map(|n| clients[n % 2].create_simulation(&request));

        let replies = join_all(rivals).await;

        let (created, refused): (Vec<_>, Vec<_>) =
            replies.into_iter().partition(|reply| reply.status == 201);
        assert_eq!(created.len(), 1, "{created:?} {refused:?}");
        for refused in refused {
            refused.expect_problem(409, "simulation_exists");
        }
    }
    let counts = join_all(clients.iter().map(count)).await;
    assert_eq!(counts.iter().sum::<usize>(), 20, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn simulations_of_an_owner_that_was_told_to_stop_are_lost_at_once() {
    let redis = RedisServer::start().await;
    let mut fleet = fleet(&redis, 60_000).await;
    let [a, b] = both(&fleet);
    for id in ["seen", "unseen", "again"] {
        a.simulation(&world(id, "first")).await;
    }
    b.state("seen").await.expect_status(200);

    fleet[0].signal("TERM");
    let ended = fleet[0].exit(SOON).await;

    assert!(ended.success(), "{ended}");
    for id in ["seen", "unseen"] {
        let lost = b.state(id).await;
        lost.expect_problem(404, "simulation_lost");
    }
    b.create_simulation(&world("again", "second"))
        .await
        .expect_status(201);
    expect_world(&b, "again", "second", "b").await;
}

/// Has one of two instances lose simulations to the other; both have none before and after.
pub(crate) async fn play_a_round(
    fleet: &Fleet,
    redis: impl Into<Store<'_>>,
    round: usize,
    count: usize,
) {
    let redis = redis.into();
    let (owner, heir) = (round % 2, (round + 1) % 2);
    let ids: Vec<_> = (0..count).map(|n| format!("round-{round}-{n}")).collect();

    lose_to_an_heir(fleet, owner, heir, &ids, async || {}).await;

    for id in &ids {
        let entry = redis.hash(&meta(id)).await;
        let of_heir = format!("{}:", NAMES[heir]);
        assert!(entry["owner"].starts_with(&of_heir), "{id}: {entry:?}");
    }
    // Through the one that lost them.
    let asker = fleet[owner].client();
    for destroyed in join_all(ids.iter().map(|id| asker.destroy(id))).await {
        destroyed.expect_status(204);
    }
    until_empty(&fleet[heir].client()).await;
}

/// Has `owner` sleep until `heir` has claimed all its simulations, and watches every word it says
/// when it wakes up. Something may happen when it has fallen asleep.
pub(crate) async fn lose_to_an_heir(
    fleet: &Fleet,
    owner: usize,
    heir: usize,
    ids: &[String],
    meanwhile: impl AsyncFnOnce(),
) {
    let (old, new) = (fleet[owner].client(), fleet[heir].client());
    let creations = ids.iter().map(async |id| {
        let created = old.create_simulation(&world(id, "first")).await;
        created.expect_status(201);
        old.step(id, 5).await.expect_status(200);
    });
    join_all(creations).await;

    fleet[owner].stop();
    meanwhile().await;
    let claims = ids
        .iter()
        .map(async |id| claim(&new, &world(id, "second")).await);
    join_all(claims).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let mut askers = JoinSet::new();
    // Nobody asks for the last ones: they are dropped all the same.
    let wanted = &ids[..ids.len() * 4 / 5];
    for n in 0..CONNECTIONS {
        let mut ids = wanted.to_vec();
        ids.rotate_left(n % wanted.len());
        let asker = fleet[owner].client();
        askers.spawn(ask_until(Arc::clone(&is_over), asker, ids, NAMES[heir]));
    }
    fleet[owner].resume();
    until_empty(&old).await;
    is_over.store(true, Ordering::Release);
    let asked: usize = askers.join_all().await.into_iter().sum();

    assert!(asked >= CONNECTIONS * wanted.len(), "{asked}");
    for id in ids {
        expect_world(&old, id, "second", NAMES[heir]).await;
        expect_world(&new, id, "second", NAMES[heir]).await;
    }
}

/// Asks everything about all of these until it is over, and once more; how often something was
/// answered.
async fn ask_until(
    is_over: Arc<AtomicBool>,
    asker: Client,
    ids: Vec<String>,
    owner: &'static str,
) -> usize {
    let mut answered = 0;
    loop {
        let is_last = is_over.load(Ordering::Acquire);
        for id in &ids {
            for reply in [
                asker.state(id).await,
                asker.describe(id).await,
                asker.step(id, 1).await,
                asker.bodies(id).await,
                asker.keepalive(id).await,
            ] {
                if reply.status == 503 {
                    refusal(
                        &reply,
                        &[
                            "owner_unreachable",
                            "ownership_lost",
                            "registry_unavailable",
                        ],
                    );
                    continue;
                }
                assert_eq!(reply.status, 200, "{}: {}", reply.request, reply.text());
                assert_eq!(
                    reply.header("sim-instance"),
                    Some(owner),
                    "{}: {}",
                    reply.request,
                    reply.text()
                );
                assert!(!reply.text().contains("first"), "{}", reply.text());
                answered += 1;
            }
            // The body is in the world that was given up alone.
            let push = json!({"impulse": [1, 0, 0]});
            let pushed = asker.impulse(id, "first", &push).await;
            refusal(
                &pushed,
                &[
                    "body_not_found",
                    "owner_unreachable",
                    "ownership_lost",
                    "registry_unavailable",
                ],
            );
            let named = asker.create_simulation(&world(id, "third")).await;
            refusal(
                &named,
                &[
                    "simulation_exists",
                    "owner_unreachable",
                    "registry_unavailable",
                ],
            );
        }
        if is_last {
            return answered;
        }
    }
}

/// Two instances whose leases last this many milliseconds.
async fn fleet(redis: &RedisServer, lease_ms: u32) -> Fleet {
    let lease = lease_ms.to_string();
    let settings = [("LEASE_TTL_MS", lease.as_str()), ("TTL_FLUSH_MS", "100")];
    let fleet = Fleet::start(2, &redis.url(), &settings).await;
    for name in NAMES {
        eventually(SOON, "every instance has its lease", async || {
            let lease = redis.hash(&format!("instance:{name}")).await;
            if lease.is_empty() { Err(lease) } else { Ok(()) }
        })
        .await;
    }
    fleet
}

fn both(fleet: &Fleet) -> [Client; 2] {
    let clients = fleet.clients().try_into();
    clients.unwrap_or_else(|_| panic!("there are two instances"))
}

/// A new simulation whose replies say which of several of its name it is.
pub(crate) fn world(id: &str, which: &str) -> Value {
    let mut request = zero_gravity();
    request["id"] = json!(id);
    request["labels"] = json!({"world": which});
    request["bodies"] = json!([sphere(which, 1.0, [0.0, 0.0, 0.0])]);
    request
}

/// Creates a simulation as soon as its name is given.
pub(crate) async fn claim(client: &Client, request: &Value) {
    eventually(SOON, "the name is given", async || {
        let reply = client.create_simulation(request).await;
        if reply.status == 201 {
            return Ok(());
        }
        // The owner may still hold its lease.
        Err(refusal(
            &reply,
            &[
                "owner_unreachable",
                "simulation_exists",
                "registry_unavailable",
            ],
        ))
    })
    .await;
}

/// The code of a refusal, which must be one of these.
#[track_caller]
fn refusal(reply: &Reply, codes: &[&str]) -> String {
    let code = reply.problem().code().to_owned();
    assert!(
        codes.contains(&code.as_str()),
        "{}: {} is none of {codes:?}",
        reply.request,
        reply.text()
    );
    code
}

/// Waits until a simulation is lost; what was said until then.
pub(crate) async fn until_lost(client: &Client, sim: &str) -> Vec<String> {
    let mut said = Vec::new();
    eventually(SOON, "the simulation is lost", async || {
        let reply = client.state(sim).await;
        if reply.status == 404 {
            refusal(&reply, &["simulation_lost"]);
            return Ok(());
        }
        let code = refusal(&reply, &["owner_unreachable"]);
        said.push(code.clone());
        Err(code)
    })
    .await;
    said
}

/// Waits until a question for the state is answered like this.
async fn until_status(client: &Client, sim: &str, status: u16) -> Reply {
    eventually_true(
        SOON,
        "the simulation is found",
        |reply: &Reply| reply.status == status,
        async || client.state(sim).await,
    )
    .await
}

/// Fails unless the simulation is this one, and this instance answers for it.
pub(crate) async fn expect_world(client: &Client, sim: &str, which: &str, owner: &str) {
    let record = eventually(SOON, "somebody answers", async || {
        let reply = client.describe(sim).await;
        if reply.status == 503 {
            return Err(reply);
        }
        Ok(reply)
    })
    .await
    .expect_status(200);
    let context = format!("{sim}: {}", record.text());
    assert_eq!(record.json()["labels"]["world"], which, "{context}");
    assert_eq!(record.json()["owner"], owner, "{context}");
    let state = client.state(sim).await.expect_status(200);
    assert_eq!(state.header("sim-instance"), Some(owner), "{context}");
    assert_eq!(state.json()["bodies"][0]["id"], which, "{}", state.text());
}

async fn count(client: &Client) -> usize {
    let health = client.health().await.expect_status(200).json();
    let count = health["simulations"].as_u64();
    usize::try_from(count.expect("a number of simulations")).expect("few")
}

async fn until_empty(client: &Client) {
    until_count(client, 0).await;
}

/// Waits until an instance has this many worlds.
async fn until_count(client: &Client, expected: usize) {
    eventually_true(
        SOON,
        "the worlds of others are dropped",
        |&count| count == expected,
        async || count(client).await,
    )
    .await;
}

fn meta(sim: &str) -> String {
    format!("sim:{{{sim}}}:meta")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a setting of the test, not of the service"
)]
fn rounds() -> usize {
    match std::env::var("OWNERSHIP_ROUNDS") {
        Ok(rounds) => rounds.parse().expect("OWNERSHIP_ROUNDS is a number"),
        Err(_) => ROUNDS,
    }
}
