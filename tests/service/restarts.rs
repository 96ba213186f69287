//! Instances are stopped and started, one after the other or all at once: nobody loses anything.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    harness::{
        Client, Doors, Instance, RedisServer, Reply, Request, busy_world, eventually,
        eventually_true, setting, steps_lasting, until_stepping, without,
    },
    takeover::{
        Told, begin, expect_same_state, expect_what_was_told, journalled, push, speed_after, tell,
        weightless,
    },
};

const SOON: Duration = Duration::from_secs(30);
const LEASE_MS: usize = 1500;
const SIMULATIONS: usize = 9;
const LENGTH: usize = 20;
/// What of a record depends on who has the simulation, and since when.
const PASSING: [&str; 3] = ["owner", "expires_at", "status"];
/// How long a client that is refused waits at most before it asks once more.
const MOST_PATIENT: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn all_simulations_go_on_after_all_instances_were_killed() {
    everything_survives(End::Crash).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_simulations_go_on_after_all_instances_were_stopped() {
    everything_survives(End::Stop).await;
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Crash,
    Stop,
}

async fn everything_survives(end: End) {
    let redis = RedisServer::start().await;
    let mut fleet = journalled(&redis, 3, LEASE_MS, &[]).await;
    let doors = Doors::of(&fleet);
    let alone = Instance::in_process(&[]).await;
    let mut all = Vec::new();
    for told in begin(&doors, "kept", SIMULATIONS).await {
        let path = format!("/simulations/{}", told.id);
        let patch = json!({"labels": {"kept": told.id, "by": "all"}, "ttl_seconds": 1234});
        let patched = doors.at(told.number).patch(path, &patch).await;
        patched.expect_status(200);
        all.push(tell(told, &doors, LENGTH, &AtomicUsize::new(0)).await);
    }
    let records = describe_all(&all, &doors).await;
    let listed = list(&doors.at(0)).await;
    assert_eq!(listed.len(), SIMULATIONS);

    for place in 0..3 {
        match end {
            End::Crash => drop(fleet[place].kill()),
            End::Stop => fleet[place].signal("TERM"),
        }
    }
    let mut clients = Vec::new();
    for place in 0..3 {
        if end == End::Stop {
            let ended = fleet[place].exit(SOON).await;
            assert!(ended.success(), "{ended}");
        }
        clients.push(fleet.replace(place).await);
    }
    doors.set(clients);

    let lasting = |rows: &[Value]| -> Vec<Value> {
        let rows = rows.iter();
        rows.map(|row| without(row, &["step", "time", "bodies", "joints"]))
            .collect()
    };
    for client in doors.all() {
        // How far a simulation got that nobody has put to rest is found out when it is asked for.
        assert_eq!(lasting(&list(&client).await), lasting(&listed));
    }
    assert_eq!(describe_all(&all, &doors).await, records);
    for client in doors.all() {
        assert_eq!(list(&client).await, listed);
    }
    for told in &all {
        for (n, (request, answered)) in told.answers.iter().enumerate() {
            if request.key.is_some() {
                let again = request.insist(&doors, n).await.reply;
                expect_repetition(&again, &answered.reply);
            }
        }
    }
    for told in all {
        let told = tell(told, &doors, LENGTH / 2, &AtomicUsize::new(0)).await;
        expect_what_was_told(&told, &doors, &alone.client()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_ask_twice_at_most_while_all_instances_are_replaced_one_by_one() {
    let redis = RedisServer::start().await;
    let mut fleet = journalled(&redis, 3, 6000, &[]).await;
    let doors = Doors::of(&fleet);
    let is_over = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicUsize::new(0));
    let mut askers = JoinSet::new();
    for n in 0..12 {
        let sim = format!("rolled-{n}");
        doors.at(n).simulation(&weightless(&sim)).await;
        let (doors, is_over) = (doors.clone(), Arc::clone(&is_over));
        askers.spawn(push_until(is_over, doors, sim, n, Arc::clone(&asked)));
    }

    for round in 0..setting("ROLLING_ROUNDS", 1) {
        for place in 0..3 {
            until_more(&asked, 60).await;
            let mut old = fleet.relieve(place).await;
            old.signal("TERM");
            // Those in front of a service stop sending requests when it says that it is not ready.
            eventually(SOON, "the old one is not ready", async || {
                match old.client().call("GET", "/ready").try_send().await {
                    Ok(reply) if reply.status == 200 => Err(reply.text()),
                    Ok(_) | Err(_) => Ok(()),
                }
            })
            .await;
            doors.replace(place, fleet[place].client());
            let ended = old.exit(SOON).await;
            assert!(ended.success(), "round {round}, {place}: {ended}");
        }
    }
    until_more(&asked, 60).await;
    is_over.store(true, Ordering::Release);

    while let Some(outcome) = askers.join_next().await {
        let Outcome {
            sim,
            pushes,
            refused_twice,
        } = outcome.expect("askers note what goes wrong");
        assert_eq!(refused_twice, Vec::<String>::new(), "{sim}");
        let state = doors.at(0).state(&sim).await.expect_status(200).json();
        let velocity = &state["bodies"][0]["velocity"][0];
        assert_eq!(*velocity, json!(speed_after(pushes)), "{state}");
    }
}

struct Outcome {
    sim: String,
    pushes: usize,
    /// What was said to requests that were not carried out when they were sent once more.
    refused_twice: Vec<String>,
}

/// Pushes a ball again and again, and asks once more where that is refused.
async fn push_until(
    is_over: Arc<AtomicBool>,
    doors: Doors,
    sim: String,
    first: usize,
    asked: Arc<AtomicUsize>,
) -> Outcome {
    let (mut pushes, mut refused_twice) = (0, Vec::new());
    while !is_over.load(Ordering::Acquire) {
        let request = push(&sim, format!("push-{pushes}"));
        let turn = first + pushes;
        let trouble = match request.send(&doors.at(turn)).await {
            Ok(reply) if reply.status == 204 => None,
            Ok(reply) => Some(expect_patience(&reply)),
            Err(error) => Some(format!("{error:?}")),
        };
        if let Some(trouble) = trouble {
            // As long as the service asks for, which is never longer.
            tokio::time::sleep(MOST_PATIENT).await;
            match request.send(&doors.at(turn + 1)).await {
                Ok(reply) if reply.status == 204 => {}
                other => {
                    refused_twice.push(format!("push {pushes}: {trouble}, then {other:?}"));
                    request.insist(&doors, turn).await.reply.expect_status(204);
                }
            }
        }
        pushes += 1;
        asked.fetch_add(1, Ordering::AcqRel);
    }
    Outcome {
        sim,
        pushes,
        refused_twice,
    }
}

/// What a refusal says, which asks for no more patience than a client has.
fn expect_patience(reply: &Reply) -> String {
    assert_eq!(reply.status, 503, "{}", reply.text());
    let seconds = Duration::from_secs(reply.header_number("retry-after"));
    assert!(seconds <= MOST_PATIENT, "{}: {seconds:?}", reply.text());
    reply.text()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_outlasts_its_instance_is_taken_once_and_to_its_end() {
    let redis = RedisServer::start().await;
    let mut fleet = journalled(&redis, 2, LEASE_MS, &[("SHUTDOWN_GRACE_MS", "800")]).await;
    let doors = Doors::of(&fleet);
    let alone = Instance::in_process(&[]).await;
    let a = doors.at(0);
    let sim = busy_world(&a, 150, json!({"id": "long"})).await;
    busy_world(&alone.client(), 150, json!({"id": "long"})).await;
    let (steps, end) = steps_lasting(&a, &sim, Duration::from_secs(4)).await;
    let path = format!("/simulations/{sim}/step");
    let request = Request::post(path, json!({"steps": steps}), "long");
    let mut running = JoinSet::new();
    let (first, asker) = (request.clone(), a.clone());
    running.spawn(async move { first.send(&asker).await });
    until_stepping(&a, &sim).await;

    fleet[0].signal("TERM");
    let ended = fleet[0].exit(SOON).await;
    let first = running.join_next().await.expect("it ends").expect("alone");
    doors.set(vec![doors.at(1)]);
    let again = request.insist(&doors, 0).await.reply.expect_status(200);

    assert!(ended.success(), "{ended}");
    let first = first.expect("whoever waits is answered");
    if first.status == 200 {
        assert_eq!(first.body, again.body);
    } else {
        assert_eq!(first.status, 503, "{}", first.text());
    }
    assert_eq!(again.json()["step"], end);
    let so_far = json!({"steps": end - steps});
    alone
        .client()
        .step_with(&sim, &so_far)
        .await
        .expect_status(200);
    request.send(&alone.client()).await.expect("it runs");
    expect_same_state(&sim, &doors, &alone.client()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_instance_goes_on_under_its_old_name_after_it_was_killed() {
    let redis = RedisServer::start().await;
    let mut fleet = journalled(&redis, 1, LEASE_MS, &[]).await;
    let doors = Doors::of(&fleet);
    let alone = Instance::in_process(&[]).await;
    let mut all = begin(&doors, "only", SIMULATIONS).await;

    for _ in 0..2 {
        let answered = AtomicUsize::new(0);
        let tellers = all
            .into_iter()
            .map(|told| tell(told, &doors, LENGTH, &answered));
        all = join_all(tellers).await;
        doors.set(vec![fleet.restart(0).await]);
    }

    for told in &all {
        expect_what_was_told(told, &doors, &alone.client()).await;
        let record = doors.at(0).describe(&told.id).await.expect_status(200);
        assert_eq!(record.json()["owner"], "a");
    }
}

/// Fails unless a reply is that to an earlier request with the same key.
#[track_caller]
pub(crate) fn expect_repetition(again: &Reply, first: &Reply) {
    let context = format!(
        "{}: {} instead of {}",
        again.request,
        again.text(),
        first.text()
    );
    assert_eq!(again.status, first.status, "{context}");
    assert_eq!(again.body, first.body, "{context}");
    assert_eq!(
        again.header("sim-seq"),
        first.header("sim-seq"),
        "{context}"
    );
    assert_eq!(
        again.header("idempotency-replayed"),
        Some("true"),
        "{context}"
    );
}

/// What lasts of the records of these simulations.
async fn describe_all(all: &[Told], doors: &Doors) -> Vec<Value> {
    let records = all.iter().map(async |told| {
        let request = Request::get(format!("/simulations/{}", told.id));
        let answered = request.insist(doors, told.number).await;
        without(&answered.reply.expect_status(200).json(), &PASSING)
    });
    join_all(records).await
}

/// What lasts of all that an instance lists.
pub(crate) async fn list(client: &Client) -> Vec<Value> {
    let page = client.list("limit=1000").await.expect_status(200).json();
    let listed = page["simulations"].as_array().expect("a page is a list");
    listed
        .iter()
        .map(|record| without(record, &PASSING))
        .collect()
}

async fn until_more(count: &AtomicUsize, more: usize) {
    let before = count.load(Ordering::Acquire);
    let claim = "clients are answered";
    let is_more = |&now: &usize| now >= before + more;
    eventually_true(SOON, claim, is_more, async || count.load(Ordering::Acquire)).await;
}
