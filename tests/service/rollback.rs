//! Redis goes, forgets, or is damaged: nothing is lost while an owner lives, and what is lost
//! otherwise is said, never made up.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use deadpool_redis::redis::{RedisResult, pipe};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    harness::{
        Client, Doors, Fleet, Instance, RedisServer, Reply, Request, eventually, eventually_true,
    },
    takeover::{
        Pushes, Told, WORKERS, begin, expect_same_state, expect_what_was_told, journalled, push,
        speed_after, tell, weightless,
    },
};

const SOON: Duration = Duration::from_secs(30);
const LEASE_MS: usize = 6000;
/// How long a command may take that nobody can write down, once that is known.
const AT_ONCE: Duration = Duration::from_secs(1);

/// How an owner finds out that Redis has forgotten something.
#[derive(Clone, Copy)]
enum Notice {
    /// It has something to write down.
    Command,
    /// It notes that the simulation was used.
    Flush,
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_writes_down_again_what_redis_has_forgotten_when_the_next_command_comes() {
    forgotten_while_the_owner_lives(Notice::Command).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_writes_down_again_what_redis_has_forgotten_when_a_simulation_is_looked_at() {
    forgotten_while_the_owner_lives(Notice::Flush).await;
}

async fn forgotten_while_the_owner_lives(notice: Notice) {
    let (mut redis, mut fleet) = durable(2).await;
    let doors = Doors::of(&fleet);
    let alone = Instance::in_process(&[]).await;
    let mut told = begin(&doors, "kept", 1).await.remove(0);
    told = go_on(told, &doors, 6).await;

    let written = redis.written();
    told = go_on(told, &doors, 9).await;
    redis.forget_since(written).await;
    assert_ne!(seq_in(&redis, &told.id).await, last_seq(&told));
    match notice {
        Notice::Command => told = go_on(told, &doors, 4).await,
        Notice::Flush => {
            let state = Request::get(format!("/simulations/{}/state", told.id));
            state.insist(&doors, 0).await.reply.expect_status(200);
        }
    }

    until_redis_has(&redis, &told).await;
    expect_what_was_told(&told, &doors, &alone.client()).await;
    let record = doors.at(0).describe(&told.id).await.expect_status(200);
    assert_eq!(record.json()["owner"], "a");
    fleet[0].kill();
    doors.set(vec![doors.at(1)]);
    expect_same_state(&told.id, &doors, &alone.client()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_go_on_while_redis_forgets_lose_nothing() {
    const PUSHES: usize = 150;
    let (mut redis, mut fleet) = durable(2).await;
    let doors = Doors::of(&fleet);
    doors.at(0).simulation(&weightless("s")).await;
    let answered = Arc::<AtomicUsize>::default();
    let mut clients = JoinSet::new();
    for client in 0..WORKERS {
        let (doors, answered) = (doors.clone(), Arc::clone(&answered));
        clients.spawn(async move {
            for n in 0..PUSHES {
                let request = push("s", format!("push-{client}-{n}"));
                let done = request.insist(&doors, client + n).await;
                done.reply.expect_status(204);
                answered.fetch_add(1, Ordering::AcqRel);
            }
        });
    }

    let until = async |share: usize| {
        let claim = "the clients are answered";
        let is_so_far = |&count: &usize| count * 5 >= PUSHES * WORKERS * share;
        eventually_true(SOON, claim, is_so_far, async || {
            answered.load(Ordering::Acquire)
        })
        .await
    };
    for share in [0, 2] {
        until(share).await;
        let written = redis.written();
        until(share + 1).await;
        redis.forget_since(written).await;
    }
    while let Some(client) = clients.join_next().await {
        client.expect("every push is answered");
    }

    for place in [0, 1] {
        let state = Request::get("/simulations/s/state");
        let state = state
            .insist(&doors, 0)
            .await
            .reply
            .expect_status(200)
            .json();
        let velocity = &state["bodies"][0]["velocity"][0];
        assert_eq!(*velocity, json!(speed_after(PUSHES * WORKERS)), "{state}");
        if place == 0 {
            fleet[0].kill();
            doors.set(vec![doors.at(1)]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_writes_everything_down_again_when_redis_has_forgotten_everything() {
    let (redis, mut fleet) = durable(2).await;
    let doors = Doors::of(&fleet);
    let alone = Instance::in_process(&[]).await;
    let mut all = Vec::new();
    for told in begin(&doors, "kept", 6).await {
        all.push(go_on(told, &doors, 10).await);
    }

    redis.flush_all().await;
    for told in &all {
        until_redis_has(&redis, told).await;
    }
    fleet[0].kill();
    doors.set(vec![doors.at(1)]);

    for told in all {
        let told = go_on(told, &doors, 5).await;
        expect_what_was_told(&told, &doors, &alone.client()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_told_what_is_lost_with_the_memory_of_redis_and_that_of_the_owner() {
    let (mut redis, mut fleet) = durable(2).await;
    let doors = Doors::of(&fleet);
    let alone = Instance::in_process(&[]).await;
    let mut told = begin(&doors, "kept", 1).await.remove(0);
    told = go_on(told, &doors, 6).await;
    expect_what_was_told(&told, &doors, &alone.client()).await;
    let (seen_early, early) = (witness(&doors, &told.id).await, last_seq(&told));

    let written = redis.written();
    let id = told.id.clone();
    go_on(told, &doors, 9).await;
    let seen = witness(&doors, &id).await;
    doors.at(0).simulation(&weightless("new")).await;
    fleet[0].kill();
    redis.forget_since(written).await;
    doors.set(vec![doors.at(1)]);

    expect_same_state(&id, &doors, &alone.client()).await;
    let b = doors.at(0);
    for (method, path) in [("GET", "/state"), ("POST", "/step")] {
        // As long as somebody may be there who knows more, nobody is told of a loss.
        let refused = eventually(SOON, "it is settled what is lost", async || {
            let call = b.call(method, format!("/simulations/{id}{path}"));
            let call = call.header("sim-witness", &seen);
            let reply = call.json(&json!({"steps": 1})).send().await;
            if reply.status == 503 {
                return Err(reply
                    .expect_problem(503, "registry_unavailable")
                    .code()
                    .to_owned());
            }
            Ok(reply)
        })
        .await;
        let problem = refused.expect_problem(409, "history_lost");
        let left = problem.body["seq"].as_u64().expect("it says what is left");
        assert!(left >= early, "{left} of {early}");
    }
    expect_same_state(&id, &doors, &alone.client()).await;
    let read = b.call("GET", format!("/simulations/{id}/state"));
    let read = read.header("sim-witness", seen_early).send().await;
    read.expect_status(200);
    let gone = b.state("new").await;
    gone.expect_problem(404, "simulation_not_found");
    for client in [&b, &alone.client()] {
        client.step(&id, 3).await.expect_status(200);
    }
    expect_same_state(&id, &doors, &alone.client()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_commands_are_refused_at_once_and_reads_until_the_lease_is_over() {
    let mut redis = RedisServer::with().append_only().start().await;
    let env = [("REQUEST_TIMEOUT_MS", "1000")];
    let fleet = journalled(&redis, 2, LEASE_MS, &env).await;
    let doors = Doors::of(&fleet);
    let a = doors.at(0);
    a.simulation(&weightless("s")).await;
    let pushes = Pushes::on(&a, "s");
    pushes.until_acknowledged(WORKERS * 5).await;

    redis.kill();
    let killed = Instant::now();
    let last = pushes.last();
    let mut unknown = 0;
    eventually(SOON, "it is known that Redis is gone", async || {
        let code = a.step("s", 1).await.expect_status(503).problem();
        if code.code() == "registry_unavailable" {
            return Ok(());
        }
        unknown += 1;
        Err(code)
    })
    .await;
    for _ in 0..5 {
        let asked = Instant::now();
        let refused = a.step("s", 1).await;
        let took = asked.elapsed();
        refused.expect_problem(503, "registry_unavailable");
        assert!(took < AT_ONCE, "{took:?}");
    }
    a.state("s").await.expect_status(200);
    let lease = Duration::from_millis(LEASE_MS as u64);
    let refused = eventually(lease, "reads are refused, too", async || {
        let reply = a.state("s").await;
        if reply.status == 200 {
            Err(reply.status)
        } else {
            Ok(reply)
        }
    })
    .await;
    let after = killed.elapsed();
    refused.expect_problem(503, "registry_unavailable");
    // The lease was renewed up to a third of its time before, and counts for three quarters of it.
    assert!(after > lease * 2 / 5, "{after:?}");
    let replies = pushes.end().await;

    redis.restart().await;
    let state = expect_each_push_once(&doors, "s", &replies, &last).await;
    let steps = state["step"].as_u64().expect("steps are counted");
    assert!(
        steps <= unknown,
        "{steps} of {unknown}: what is refused is not carried out"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_redis_may_have_heard_of_is_never_said_to_be_refused() {
    let redis = RedisServer::start().await;
    let env = [("REQUEST_TIMEOUT_MS", "2000"), ("REDIS_TIMEOUT_MS", "100")];
    let fleet = journalled(&redis, 2, 900, &env).await;
    let doors = Doors::of(&fleet);
    doors.at(0).simulation(&weightless("s")).await;
    let pushes = Pushes::on(&doors.at(0), "s");
    pushes.until_acknowledged(WORKERS * 5).await;

    redis.pause();
    let last = pushes.last();
    // They are answered when the lease of their owner is long over.
    let replies = pushes.end().await;
    redis.resume();

    expect_each_push_once(&doors, "s", &replies, &last).await;
}

/// Sends the last pushes of all clients again. Fails unless each push counts once in the end, and
/// none had counted before that was refused when it was first sent. The state afterwards.
async fn expect_each_push_once(
    doors: &Doors,
    sim: &str,
    replies: &[Reply],
    last: &[Request],
) -> Value {
    let may_count =
        |reply: &&Reply| reply.status == 204 || reply.problem().code() == "outcome_unknown";
    let at_most = replies.iter().filter(may_count).count();
    let mut counted = replies.len() - last.len();
    for request in last {
        let done = request.insist(doors, 0).await.reply.expect_status(204);
        counted += usize::from(done.header("idempotency-replayed").is_some());
    }
    let said: Vec<_> = replies[replies.len() - last.len()..]
        .iter()
        .map(Reply::text)
        .collect();
    assert!(counted <= at_most, "{counted} of {at_most}: {said:?}");
    let state = Request::get(format!("/simulations/{sim}/state"));
    let state = state.insist(doors, 1).await.reply.expect_status(200).json();
    let velocity = &state["bodies"][0]["velocity"][0];
    assert_eq!(*velocity, json!(speed_after(replies.len())), "{state}");
    state
}

/// What may happen to what Redis keeps.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Flipped,
    CutShort,
    Gone,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_goes_on_from_the_snapshot_before_one_that_is_damaged() {
    for damage in [Damage::Flipped, Damage::CutShort, Damage::Gone] {
        let (redis, mut fleet) = durable(2).await;
        let doors = Doors::of(&fleet);
        let alone = Instance::in_process(&[]).await;
        let told = with_two_snapshots(&redis, &doors).await;
        fleet[0].kill();
        let [newest, _] = snapshots(&redis, &told.id).await;

        harm(&redis, &newest, damage).await;
        doors.set(vec![doors.at(1)]);

        let told = go_on(told, &doors, 3).await;
        expect_what_was_told(&told, &doors, &alone.client()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_is_told_from_the_first_snapshot_that_is_not_damaged() {
    for damage in [Damage::Flipped, Damage::CutShort] {
        let (redis, fleet) = durable(1).await;
        let doors = Doors::of(&fleet);
        let told = with_two_snapshots(&redis, &doors).await;
        let [newest, oldest] = snapshots(&redis, &told.id).await;

        harm(&redis, &oldest, damage).await;
        let path = format!("/simulations/{}/journal", told.id);
        let journal = doors.at(0).get(path).await.expect_status(200).text();

        let heading = journal.lines().next().expect("a first line");
        let heading: Value = serde_json::from_str(heading).expect(heading);
        let from = heading["from"]["seq"].as_u64().expect("a number");
        assert!(newest.ends_with(&format!(":{from}")), "{heading}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_whose_snapshots_are_all_damaged_is_refused_by_everybody() {
    for damage in [Damage::Flipped, Damage::CutShort] {
        let (redis, mut fleet) = durable(3).await;
        let doors = Doors::of(&fleet);
        let told = with_two_snapshots(&redis, &doors).await;
        fleet[0].kill();

        for key in snapshots(&redis, &told.id).await {
            harm(&redis, &key, damage).await;
        }

        expect_refused_by_all(&mut fleet, &told.id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_whose_journal_is_damaged_is_refused_by_everybody() {
    for damage in [Damage::Flipped, Damage::CutShort, Damage::Gone] {
        for place in [Place::Middle, Place::End] {
            let (redis, mut fleet) = durable(3).await;
            let doors = Doors::of(&fleet);
            let told = begin(&doors, "kept", 1).await.remove(0);
            let told = go_on(told, &doors, 9).await;
            fleet[0].kill();

            harm_entry(&redis, &told.id, place, damage).await;

            expect_refused_by_all(&mut fleet, &told.id).await;
        }
    }
}

/// Instances with a Redis that forgets nothing by itself.
async fn durable(instances: usize) -> (RedisServer, Fleet) {
    let redis = RedisServer::with().append_only().start().await;
    let fleet = journalled(&redis, instances, LEASE_MS, &[]).await;
    (redis, fleet)
}

async fn go_on(told: Told, doors: &Doors, length: usize) -> Told {
    tell(told, doors, length, &AtomicUsize::new(0)).await
}

fn last_seq(told: &Told) -> u64 {
    let (_, answered) = told.answers.last().expect("it was created");
    answered.reply.header_number("sim-seq")
}

/// How far Redis knows a simulation.
async fn seq_in(redis: &RedisServer, id: &str) -> u64 {
    let entry = redis.hash(&meta(id)).await;
    let seq = entry.get("seq").and_then(|seq| seq.parse().ok());
    seq.unwrap_or_default()
}

/// Waits until Redis knows a simulation as far as its clients do.
async fn until_redis_has(redis: &RedisServer, told: &Told) {
    let expected = last_seq(told);
    eventually_true(
        SOON,
        "Redis has been told everything",
        |&seq| seq >= expected,
        async || seq_in(redis, &told.id).await,
    )
    .await;
}

/// What a client can show to prove how far it has seen a simulation.
async fn witness(doors: &Doors, id: &str) -> String {
    let reply = doors.at(0).state(id).await.expect_status(200);
    let witness = reply.header("etag");
    witness.expect("a state has a version").to_owned()
}

/// A simulation with commands behind its second snapshot.
async fn with_two_snapshots(redis: &RedisServer, doors: &Doors) -> Told {
    let mut told = begin(doors, "kept", 1).await.remove(0);
    eventually(SOON, "there is a second snapshot", async || {
        let entry = redis.hash(&meta(&told.id)).await;
        if entry.contains_key("previous") {
            Ok(())
        } else {
            let before = std::mem::replace(&mut told, nothing());
            told = go_on(before, doors, 20).await;
            Err(entry)
        }
    })
    .await;
    let [newest, _] = snapshots(redis, &told.id).await;
    let told = go_on(told, doors, 7).await;
    assert_eq!(snapshots(redis, &told.id).await[0], newest, "it is too new");
    told
}

fn nothing() -> Told {
    Told {
        number: 0,
        id: String::new(),
        owner: String::new(),
        answers: Vec::new(),
    }
}

/// The keys of both snapshots, the newest first.
async fn snapshots(redis: &RedisServer, id: &str) -> [String; 2] {
    let entry = redis.hash(&meta(id)).await;
    ["snapshot", "previous"].map(|which| format!("sim:{{{id}}}:snapshot:{}", entry[which]))
}

async fn harm(redis: &RedisServer, key: &str, damage: Damage) {
    let mut bytes: Vec<u8> = redis.ask(&["GET", key]).await;
    assert!(bytes.len() > 100, "{key} has {} bytes", bytes.len());
    match damage {
        Damage::Flipped => flip(&mut bytes),
        Damage::CutShort => bytes.truncate(bytes.len() / 2),
        Damage::Gone => return redis.delete(&[key.to_owned()]).await,
    }
    let mut write = pipe();
    write.cmd("SET").arg(key).arg(bytes).arg("KEEPTTL");
    let written: RedisResult<()> = write.exec_async(&mut redis.connection().await).await;
    written.expect("Redis takes it");
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Middle,
    End,
}

/// Writes a journal anew, but for one entry that is not as it was.
async fn harm_entry(redis: &RedisServer, id: &str, place: Place, damage: Damage) {
    let key = format!("sim:{{{id}}}:journal");
    let mut entries: Vec<(String, BTreeMap<String, Vec<u8>>)> =
        redis.ask(&["XRANGE", &key, "-", "+"]).await;
    let at = match place {
        Place::Middle => entries.len() / 2,
        Place::End => entries.len() - 1,
    };
    let entry = entries[at].1.get_mut("e").expect("it holds an entry");
    match damage {
        Damage::Flipped => flip(entry),
        Damage::CutShort => entry.truncate(entry.len() / 2),
        Damage::Gone => drop(entries.remove(at)),
    }
    let left = redis.ttl_ms(&key).await;
    let mut write = pipe();
    write.atomic().cmd("DEL").arg(&key);
    for (id, fields) in entries {
        write.cmd("XADD").arg(&key).arg(id);
        for (name, value) in fields {
            write.arg(name).arg(value);
        }
    }
    write.cmd("PEXPIRE").arg(&key).arg(left);
    let written: RedisResult<()> = write.exec_async(&mut redis.connection().await).await;
    written.expect("Redis takes it");
}

fn flip(bytes: &mut [u8]) {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
}

/// Fails unless everybody who is asked for a simulation says that it cannot be made again, those
/// that start later too.
async fn expect_refused_by_all(fleet: &mut Fleet, id: &str) {
    let new = fleet.replace(0).await;
    let clients = [fleet[1].client(), fleet[2].client(), new];
    for client in clients.iter().chain(&clients) {
        let path = format!("/simulations/{id}");
        for (method, rest) in [("GET", "/state"), ("POST", "/step"), ("GET", "")] {
            let refused = until_decided(client, method, &format!("{path}{rest}")).await;
            refused.expect_problem(500, "nondeterminism_detected");
        }
    }
}

/// Asks until the answer is not only one for the moment.
async fn until_decided(client: &Client, method: &str, path: &str) -> Reply {
    eventually(SOON, "it is known what became of it", async || {
        let call = client.call(method, path);
        let reply = match method {
            "POST" => call.json(&json!({"steps": 1})).send().await,
            _ => call.send().await,
        };
        if reply.status == 503 {
            Err(reply)
        } else {
            Ok(reply)
        }
    })
    .await
}

fn meta(id: &str) -> String {
    format!("sim:{{{id}}}:meta")
}
