//! Whatever has a key is carried out once, however often it is sent and whoever ends meanwhile.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    harness::{Doors, RedisServer, Reply, Request, eventually_true, setting},
    restarts::list,
    takeover::{journalled, push, speed_after, weightless},
};

const SOON: Duration = Duration::from_secs(300);
const INSTANCES: usize = 3;
const LEASE_MS: usize = 1500;
const CLIENTS: usize = 8;
/// Every so many commands, an instance is killed and another one started in its place.
const BETWEEN_CRASHES: usize = 150;
/// One command in so many is a step, whose reply has a body.
const STEPS_AMONG: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_are_sent_three_times_are_carried_out_once_while_instances_are_killed() {
    let redis = RedisServer::start().await;
    let mut fleet = journalled(&redis, INSTANCES, LEASE_MS, &[]).await;
    let doors = Doors::of(&fleet);
    let count = setting("EXACTLY_ONCE_COMMANDS", 600);
    for place in 0..INSTANCES {
        doors.at(place).simulation(&weightless(&sim(place))).await;
    }
    let (next, answered) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (doors, next) = (doors.clone(), Arc::clone(&next));
        let answered = Arc::clone(&answered);
        clients.spawn(async move {
            let mut replies = Vec::new();
            loop {
                let n = next.fetch_add(1, Ordering::AcqRel);
                if n >= count {
                    return replies;
                }
                replies.push((n, three_times(&command(n), &doors, n).await));
                answered.fetch_add(1, Ordering::AcqRel);
            }
        });
    }

    for crash in 1..count.div_ceil(BETWEEN_CRASHES) {
        until(&answered, crash * BETWEEN_CRASHES).await;
        let place = crash % INSTANCES;
        fleet[place].kill();
        until(&answered, crash * BETWEEN_CRASHES + BETWEEN_CRASHES / 2).await;
        doors.replace(place, fleet.replace(place).await);
    }
    let replies: Vec<_> = clients.join_all().await.into_iter().flatten().collect();

    assert_eq!(replies.len(), count);
    let mut seqs: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
    for (n, reply) in &replies {
        let is_new = seqs
            .entry(n % INSTANCES)
            .or_default()
            .insert(reply.header_number("sim-seq"));
        assert!(is_new, "{n}: {reply:?}");
    }
    for place in 0..INSTANCES {
        let state = Request::get(format!("/simulations/{}/state", sim(place)));
        let state = state.insist(&doors, place).await.reply.expect_status(200);
        let of_it = (0..count).filter(|n| n % INSTANCES == place);
        let (steps, pushes): (Vec<_>, Vec<_>) = of_it.partition(|&n| is_step(n));
        let state = state.json();
        assert_eq!(state["step"], steps.len(), "{state}");
        let velocity = &state["bodies"][0]["velocity"][0];
        assert_eq!(*velocity, json!(speed_after(pushes.len())), "{state}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn creations_that_are_sent_three_times_make_one_simulation_while_instances_are_killed() {
    let redis = RedisServer::start().await;
    let mut fleet = journalled(&redis, INSTANCES, LEASE_MS, &[]).await;
    let doors = Doors::of(&fleet);
    let count = setting("EXACTLY_ONCE_COMMANDS", 600) / 10;
    let answered = Arc::<AtomicUsize>::default();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (doors, answered) = (doors.clone(), Arc::clone(&answered));
        clients.spawn(async move {
            let mut made = Vec::new();
            for n in (client..count).step_by(CLIENTS) {
                let mut world = weightless(&format!("named-{n}"));
                world["labels"] = json!({"n": n.to_string()});
                if n % 2 == 0 {
                    world.as_object_mut().expect("it is one").remove("id");
                }
                let creation = Request::post("/simulations", world, format!("creation-{n}"));
                made.push(three_times(&creation, &doors, n).await);
                answered.fetch_add(1, Ordering::AcqRel);
            }
            made
        });
    }

    for place in 0..2 {
        until(&answered, (place + 1) * count / 4).await;
        fleet[place].kill();
        until(&answered, (place + 2) * count / 4).await;
        doors.replace(place, fleet.replace(place).await);
    }
    let made: Vec<_> = clients.join_all().await.into_iter().flatten().collect();

    let ids = made.iter().map(|reply| {
        let record = reply.clone().expect_status(201).json();
        record["sim_id"].as_str().expect("it has a name").to_owned()
    });
    let ids: BTreeSet<String> = ids.collect();
    assert_eq!(ids.len(), count);
    for client in doors.all() {
        let listed = list(&client).await.into_iter();
        let listed: BTreeSet<String> = listed
            .filter_map(|record| record["sim_id"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(listed, ids);
    }
}

/// The reply to a request that is sent twice at the same time and once more when both are answered.
async fn three_times(request: &Request, doors: &Doors, turn: usize) -> Reply {
    let both = [request.insist(doors, turn), request.insist(doors, turn + 1)];
    let [one, other] = both;
    let (one, other) = tokio::join!(one, other);
    let last = request.insist(doors, turn + 2).await;
    let replies = [one.reply, other.reply, last.reply];
    let is_first = |reply: &&Reply| reply.header("idempotency-replayed").is_none();
    let context = format!("{request:?}: {replies:?}");
    assert!(replies.iter().filter(is_first).count() <= 1, "{context}");
    for reply in &replies {
        assert!((200..300).contains(&reply.status), "{context}");
        assert_eq!(reply.status, replies[0].status, "{context}");
        assert_eq!(reply.body, replies[0].body, "{context}");
        let seq = reply.header("sim-seq");
        assert_eq!(seq, replies[0].header("sim-seq"), "{context}");
    }
    let [first, ..] = replies;
    first
}

fn command(n: usize) -> Request {
    let (sim, key) = (sim(n % INSTANCES), format!("command-{n}"));
    if is_step(n) {
        let path = format!("/simulations/{sim}/step");
        return Request::post(path, json!({"steps": 1}), key);
    }
    push(&sim, key)
}

fn is_step(n: usize) -> bool {
    n % STEPS_AMONG == STEPS_AMONG - 1
}

fn sim(place: usize) -> String {
    format!("counted-{place}")
}

async fn until(count: &AtomicUsize, expected: usize) {
    eventually_true(
        SOON,
        "the clients are answered",
        |&so_far| so_far >= expected,
        async || count.load(Ordering::Acquire),
    )
    .await;
}
