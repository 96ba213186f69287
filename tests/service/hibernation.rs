//! Simulations that nobody uses rest in Redis, and go on as if nothing had happened.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    harness::{Doors, Fleet, Instance, RedisServer, Request, eventually, eventually_true, scene},
    restarts::{expect_repetition, list},
    takeover::{
        begin, expect_same_state, expect_what_was_told, journalled, push, speed_after, tell,
        weightless,
    },
};

const SOON: Duration = Duration::from_secs(30);
const LEASE_MS: usize = 1500;
/// As soon as it is allowed.
const TIRED: [(&str, &str); 3] = [
    ("FREEZE_AFTER_SECONDS", "1"),
    ("HIBERNATE_AFTER_SECONDS", "1"),
    ("SWEEP_SECONDS", "1"),
];

#[tokio::test(flavor = "multi_thread")]
async fn idle_simulations_leave_memory_are_still_listed_and_wake_up_through_any_instance() {
    let (redis, fleet) = tired(2).await;
    let doors = Doors::of(&fleet);
    let alone = Instance::in_process(&[]).await;
    let answered = std::sync::atomic::AtomicUsize::new(0);
    let all = begin(&doors, "idle", 6).await;
    let all = join_all(
        all.into_iter()
            .map(|told| tell(told, &doors, 12, &answered)),
    )
    .await;
    let listed = list(&doors.at(0)).await;

    for told in &all {
        until_it_rests(&redis, &told.id).await;
    }

    for client in doors.all() {
        let health = client.health().await.expect_status(200).json();
        assert_eq!(health["simulations"], 0, "{health}");
        assert_eq!(list(&client).await, listed);
    }
    let all = join_all(
        all.into_iter()
            .map(|told| tell(told, &doors, 12, &answered)),
    )
    .await;
    for told in &all {
        expect_what_was_told(told, &doors, &alone.client()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_that_rests_keeps_its_name_its_keys_and_what_it_answered() {
    let (redis, fleet) = tired(2).await;
    let doors = Doors::of(&fleet);
    let create = Request::post("/simulations", weightless("kept"), "creation");
    let created = create.insist(&doors, 0).await.reply.expect_status(201);
    let push = push("kept", "push".to_owned());
    let pushed = push.insist(&doors, 1).await.reply.expect_status(204);

    for (turn, client) in doors.all().iter().enumerate() {
        until_it_rests(&redis, "kept").await;
        let taken = client.create_simulation(&weightless("kept")).await;
        taken.expect_problem(409, "simulation_exists");
        expect_repetition(&create.insist(&doors, turn).await.reply, &created);
    }
    until_it_rests(&redis, "kept").await;
    expect_repetition(&push.insist(&doors, 1).await.reply, &pushed);
    let state = doors.at(0).state("kept").await.expect_status(200).json();
    assert_eq!(state["bodies"][0]["velocity"][0], speed_after(1), "{state}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_that_rests_expires_in_its_time_and_leaves_nothing_behind() {
    let (redis, fleet) = tired(2).await;
    let clients = fleet.clients();
    let mut world = weightless("brief");
    world["ttl_seconds"] = json!(4);
    clients[0].simulation(&world).await;

    until_it_rests(&redis, "brief").await;
    for key in redis.keys_of("{brief}").await {
        let left = redis.ttl_ms(&key).await;
        assert!((1..=4000).contains(&left), "{key}: {left}");
    }
    eventually_true(
        SOON,
        "the simulation has expired",
        Vec::is_empty,
        async || redis.keys_of("sim:{brief}").await,
    )
    .await;

    for (turn, client) in clients.iter().enumerate() {
        let state = Request::get("/simulations/brief/state");
        let expired = state.insist(&Doors::of(&fleet), turn).await.reply;
        expired.expect_problem(404, "simulation_expired");
        assert_eq!(list(client).await, Vec::<Value>::new());
    }
    assert_eq!(redis.keys_of("sim:{brief}").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_that_rests_is_destroyed_by_whoever_is_asked() {
    let (redis, fleet) = tired(2).await;
    let clients = fleet.clients();
    for (n, id) in ["near", "far"].into_iter().enumerate() {
        clients[0].simulation(&weightless(id)).await;
        clients[0].step(id, 2).await.expect_status(200);
        until_it_rests(&redis, id).await;

        clients[n].destroy(id).await.expect_status(204);

        for client in &clients {
            let gone = client.state(id).await;
            gone.expect_problem(404, "simulation_not_found");
            assert_eq!(list(client).await, Vec::<Value>::new());
        }
        assert_eq!(
            redis.keys_of(&format!("sim:{{{id}}}")).await,
            Vec::<String>::new()
        );
        let again = clients[1 - n].create_simulation(&weightless(id)).await;
        assert_eq!(again.expect_status(201).json()["step"], 0);
        clients[n].destroy(id).await.expect_status(204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_is_woken_once_however_many_ask_for_it() {
    const ASKERS: usize = 40;
    let (redis, fleet) = tired(2).await;
    let doors = Doors::of(&fleet);
    doors.at(0).simulation(&weightless("sought")).await;
    until_it_rests(&redis, "sought").await;
    let before = woken(&fleet, "sought");

    let requests: Vec<_> = (0..ASKERS)
        .map(|n| push("sought", format!("push-{n}")))
        .collect();
    let asked = requests.iter().enumerate();
    let replies = join_all(asked.map(|(n, request)| request.insist(&doors, n))).await;

    let mut seqs = BTreeSet::new();
    for answered in replies {
        let reply = answered.reply.expect_status(204);
        assert!(seqs.insert(reply.header_number("sim-seq")), "{reply:?}");
    }
    let times = eventually_true(
        SOON,
        "the log says who woke it",
        |&times| times > 0,
        async || woken(&fleet, "sought") - before,
    )
    .await;
    assert_eq!(times, 1);
    let state = doors.at(1).state("sought").await.expect_status(200).json();
    let velocity = &state["bodies"][0]["velocity"][0];
    assert_eq!(*velocity, json!(speed_after(ASKERS)), "{state}");
}

#[tokio::test(flavor = "multi_thread")]
async fn simulations_outlast_a_time_without_any_instance() {
    let (redis, mut fleet) = tired(2).await;
    let doors = Doors::of(&fleet);
    let alone = Instance::in_process(&[]).await;
    for (n, id) in ["rests", "works"].into_iter().enumerate() {
        for client in [&doors.at(n), &alone.client()] {
            client
                .create_simulation(&scene(n, id))
                .await
                .expect_status(201);
            client.step(id, 20).await.expect_status(200);
        }
    }
    until_it_rests(&redis, "rests").await;
    doors.at(0).step("works", 5).await.expect_status(200);
    alone.client().step("works", 5).await.expect_status(200);
    let listed = list(&doors.at(0)).await;
    assert_eq!(listed.len(), 2);

    for place in 0..2 {
        fleet[place].signal("TERM");
        let ended = fleet[place].exit(SOON).await;
        assert!(ended.success(), "{ended}");
    }
    for id in ["rests", "works"] {
        until_it_rests(&redis, id).await;
    }
    let clients = [fleet.replace(0).await, fleet.replace(1).await];
    doors.set(clients.to_vec());

    for client in &clients {
        assert_eq!(list(client).await, listed);
    }
    for id in ["works", "rests"] {
        expect_same_state(id, &doors, &alone.client()).await;
    }
}

/// Instances that put simulations to rest as soon as they may.
async fn tired(instances: usize) -> (RedisServer, Fleet) {
    let redis = RedisServer::start().await;
    let fleet = journalled(&redis, instances, LEASE_MS, &TIRED).await;
    (redis, fleet)
}

/// Waits until nobody has a simulation, and all there is of it is its entry and one snapshot.
async fn until_it_rests(redis: &RedisServer, id: &str) {
    eventually(SOON, "the simulation rests", async || {
        let entry = redis.hash(&format!("sim:{{{id}}}:meta")).await;
        let keys = redis.keys_of(&format!("sim:{{{id}}}")).await;
        let is_snapshot = |key: &&String| key.contains(":snapshot:");
        let snapshots = keys.iter().filter(is_snapshot).count();
        if entry.contains_key("token")
            && !entry.contains_key("owner")
            && snapshots == 1
            && keys.len() == 2
        {
            Ok(())
        } else {
            Err((entry, keys))
        }
    })
    .await;
}

/// How often instances of this fleet went on with a simulation.
fn woken(fleet: &Fleet, id: &str) -> usize {
    let line = format!("goes on with simulation {id}");
    let of = |place: usize| fleet[place].log().into_iter();
    of(0)
        .chain(of(1))
        .filter(|said| said.contains(&line))
        .count()
}
