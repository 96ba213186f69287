//! Whoever has a simulation may end at any moment: another instance goes on with it, bit for bit.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{
    Answered, Client, Doors, Fleet, Instance, RedisServer, Reply, Request, eventually,
    eventually_true, scene, setting, sphere, story, zero_gravity,
};

const SOON: Duration = Duration::from_secs(30);
const INSTANCES: usize = 3;
/// How much longer than a lease a simulation may be without an owner.
const SLACK: Duration = Duration::from_secs(10);
/// How many requests each simulation is sent.
const LENGTH: usize = 24;
pub(crate) const WORKERS: usize = 6;
const READERS: usize = 6;

/// A simulation and what was answered about it, in the order in which it was asked.
pub(crate) struct Told {
    pub(crate) number: usize,
    pub(crate) id: String,
    pub(crate) owner: String,
    pub(crate) answers: Vec<(Request, Answered)>,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_simulation_of_a_killed_instance_goes_on_with_all_that_was_acknowledged() {
    let redis = RedisServer::start().await;
    let lease = setting("TAKEOVER_LEASE_MS", 1500);
    let simulations = setting("TAKEOVER_SIMULATIONS", 24);
    let mut fleet = journalled(&redis, INSTANCES, lease, &[]).await;
    let doors = Doors::of(&fleet);
    let alone = Instance::in_process(&[]).await;
    let mut gaps = Vec::new();

    for round in 0..setting("TAKEOVER_ROUNDS", 1) {
        let all = begin(&doors, &format!("round-{round}"), simulations).await;
        let victim = round % INSTANCES;
        let name = owner_of(&all, victim);

        let answered = Arc::new(AtomicUsize::new(0));
        let until = async |share: usize| {
            eventually_true(
                SOON * 4,
                "the clients are answered",
                |&count| count * 3 >= share * simulations * LENGTH,
                async || answered.load(Ordering::Acquire),
            )
            .await;
        };
        let mut tellers = JoinSet::new();
        for told in all {
            let (doors, answered) = (doors.clone(), Arc::clone(&answered));
            tellers.spawn(async move { tell(told, &doors, LENGTH, &answered).await });
        }
        until(1).await;
        fleet[victim].kill();
        until(2).await;
        doors.replace(victim, fleet.replace(victim).await);
        let all = tellers.join_all().await;

        for told in &all {
            expect_what_was_told(told, &doors, &alone.client()).await;
            if told.owner == name {
                gaps.extend(longest_gap(told));
            }
        }
        join_all(all.iter().map(|told| destroy(told, &doors, &alone))).await;
    }

    report("a simulation without an owner", &mut gaps);
    let longest = gaps.last().expect("somebody noticed");
    let lease = Duration::from_millis(lease as u64);
    assert!(*longest < lease + SLACK, "{longest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_hangs_for_longer_than_its_lease_answers_for_nothing_that_was_taken_over() {
    let redis = RedisServer::start().await;
    let fleet = journalled(&redis, 2, 600, &[]).await;
    let [a, b] = [fleet[0].client(), fleet[1].client()];
    let (only_a, only_b) = (Doors::of(&fleet), Doors::of(&fleet));
    only_a.set(vec![a.clone()]);
    only_b.set(vec![b.clone()]);

    for round in 0..setting("TAKEOVER_ROUNDS", 1) {
        let sim = format!("hung-{round}");
        // Names are not given for a moment after an instance had to take its lease anew.
        let creation = Request::post("/simulations", weightless(&sim), sim.clone());
        let created = creation.insist(&only_a, 0).await;
        created.reply.expect_status(201);
        let pushes = Pushes::on(&a, &sim);
        pushes.until_acknowledged(WORKERS * 5).await;

        fleet[0].stop();
        let stepped = json!({"steps": 3});
        let step = Request::post(format!("/simulations/{sim}/step"), stepped, "taken-over");
        let taken = step.insist(&only_b, 0).await.reply.expect_status(200);
        let mut readers = JoinSet::new();
        for _ in 0..READERS {
            let (asker, sim) = (a.clone(), sim.clone());
            readers.spawn(async move { asker.state(&sim).await });
        }
        // Whatever was on its way when the owner hung is sent again, and is applied once.
        let last = pushes.last();
        let mut repeated = Vec::new();
        for request in &last {
            let again = request.insist(&only_b, 0).await.reply;
            repeated.push(again.expect_status(204).header_number("sim-seq"));
        }
        let before = pushes.acknowledged();

        fleet[0].resume();
        let late = pushes.end().await;
        let mut reads = readers.join_all().await;
        eventually(
            SOON,
            "the old owner passes on what it is asked",
            async || {
                let reply = a.state(&sim).await;
                let is_answered = reply.status == 200;
                reads.push(reply);
                if is_answered {
                    Ok(())
                } else {
                    Err(reads.len())
                }
            },
        )
        .await;

        let seq_of = |reply: &Reply| reply.header_number("sim-seq");
        let taken = seq_of(&taken);
        for reply in &late[before..] {
            if reply.status != 204 {
                expect_not_by("a", reply);
                continue;
            }
            // It may have hung with an answer on its lips, which is no other than the heir's.
            let (seq, is_heirs) = (seq_of(reply), reply.header("sim-instance") == Some("b"));
            assert!(repeated.contains(&seq), "{seq} of {repeated:?}");
            assert!(is_heirs || seq < taken, "{seq} after {taken}");
        }
        for reply in &reads {
            expect_not_by("a", reply);
            if reply.status == 200 {
                assert!(seq_of(reply) >= taken, "{} after {taken}", seq_of(reply));
            }
        }
        let state = b.state(&sim).await.expect_status(200);
        let applied = state.json()["bodies"][0]["velocity"][0].clone();
        assert_eq!(applied, json!(speed_after(late.len())), "{}", state.text());
        assert_eq!(state.json()["step"], 3);
        b.destroy(&sim).await.expect_status(204);
    }
}

/// Clients that push a ball, each with one push at a time, until they are told to stop.
pub(crate) struct Pushes {
    workers: JoinSet<Vec<Reply>>,
    is_over: Arc<AtomicBool>,
    current: Vec<Arc<Mutex<Request>>>,
    acknowledged: Arc<AtomicUsize>,
}

impl Pushes {
    pub(crate) fn on(client: &Client, sim: &str) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let mut current = Vec::new();
        let mut workers = JoinSet::new();
        for worker in 0..WORKERS {
            let push = {
                let sim = sim.to_owned();
                move |n| push(&sim, format!("push-{worker}-{n}"))
            };
            let now = Arc::new(Mutex::new(push(0)));
            current.push(Arc::clone(&now));
            let (client, is_over) = (client.clone(), Arc::clone(&is_over));
            let acknowledged = Arc::clone(&acknowledged);
            workers.spawn(async move {
                let mut replies = Vec::new();
                for n in 1.. {
                    let request = now.lock().expect("no holder panics").clone();
                    let reply = request.send(&client).await.expect("it is only stopped");
                    let is_done = reply.status == 204;
                    if is_done {
                        acknowledged.fetch_add(1, Ordering::AcqRel);
                    }
                    replies.push(reply);
                    if is_over.load(Ordering::Acquire) || !is_done {
                        break;
                    }
                    *now.lock().expect("no holder panics") = push(n);
                }
                replies
            });
        }
        Self {
            workers,
            is_over,
            current,
            acknowledged,
        }
    }

    pub(crate) async fn until_acknowledged(&self, count: usize) {
        eventually_true(
            SOON,
            "the pushes are acknowledged",
            |&so_far| so_far >= count,
            async || self.acknowledged(),
        )
        .await;
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::Acquire)
    }

    /// What each of them waits for, and sends nothing after that.
    pub(crate) fn last(&self) -> Vec<Request> {
        self.is_over.store(true, Ordering::Release);
        let now = |now: &Arc<Mutex<Request>>| now.lock().expect("no holder panics").clone();
        self.current.iter().map(now).collect()
    }

    /// What was answered, the last answer of each at the end.
    pub(crate) async fn end(self) -> Vec<Reply> {
        let mut replies = self.workers.join_all().await;
        let last: Vec<_> = replies.iter_mut().filter_map(Vec::pop).collect();
        replies.into_iter().flatten().chain(last).collect()
    }
}

/// Instances that keep journals, with leases of this many milliseconds.
pub(crate) async fn journalled(
    redis: &RedisServer,
    instances: usize,
    lease_ms: usize,
    extra: &[(&str, &str)],
) -> Fleet {
    let lease = lease_ms.to_string();
    let env = [
        [
            ("DEFAULT_DURABILITY", "journal"),
            ("LEASE_TTL_MS", lease.as_str()),
            ("TTL_FLUSH_MS", "100"),
        ]
        .as_slice(),
        extra,
    ]
    .concat();
    let fleet = Fleet::start(instances, &redis.url(), &env).await;
    eventually_true(
        SOON,
        "every instance has its lease",
        |leases: &Vec<String>| leases.len() == instances,
        async || redis.keys_of("instance:").await,
    )
    .await;
    fleet
}

/// Creates simulations of all kinds, at one instance after the other.
pub(crate) async fn begin(doors: &Doors, name: &str, count: usize) -> Vec<Told> {
    let creations = (0..count).map(async |number| {
        let id = format!("{name}-{number}");
        let request = Request::post("/simulations", scene(number, &id), format!("new-{id}"));
        let answered = request.insist(doors, number).await;
        let record = answered.reply.clone().expect_status(201).json();
        assert_eq!(record["durability"], "journal", "{record}");
        let owner = record["owner"].as_str().expect("somebody has it");
        Told {
            number,
            id,
            owner: owner.to_owned(),
            answers: vec![(request, answered)],
        }
    });
    join_all(creations).await
}

/// Sends a simulation the next requests of its story, each until it is answered, through one
/// instance after the other.
pub(crate) async fn tell(
    mut told: Told,
    doors: &Doors,
    length: usize,
    answered: &AtomicUsize,
) -> Told {
    let past = told.answers.len() - 1;
    let story = story(told.number, &told.id, past + length);
    for (turn, request) in story.into_iter().enumerate().skip(past) {
        let answer = request.insist(doors, told.number + turn).await;
        let reply = &answer.reply;
        assert!(
            (200..300).contains(&reply.status),
            "{request:?}: {} after {:?}",
            reply.text(),
            answer.troubles
        );
        answered.fetch_add(1, Ordering::AcqRel);
        told.answers.push((request, answer));
    }
    told
}

/// Fails unless a simulation is, whoever is asked, what exactly the requests that were answered
/// lead to elsewhere, and what was answered is what is answered there.
pub(crate) async fn expect_what_was_told(told: &Told, doors: &Doors, alone: &Client) {
    let id = &told.id;
    let mut seqs = Vec::new();
    for (n, (request, answered)) in told.answers.iter().enumerate() {
        let reply = &answered.reply;
        seqs.push(reply.header_number("sim-seq"));
        let expected = request.send(alone).await.expect("it runs");
        // Those do not say what time it is, nor who has it.
        let is_timeless = n > 0 && request.path.matches('/').count() > 2;
        assert_eq!(reply.status, expected.status, "{id}: {request:?}");
        if is_timeless {
            let texts = [reply.text(), expected.text()];
            assert_eq!(reply.body, expected.body, "{id}: {request:?}: {texts:?}");
        }
    }
    let is_rising = seqs.windows(2).all(|pair| pair[0] < pair[1]);
    assert!(is_rising, "{id}: {seqs:?}");
    expect_same_state(id, doors, alone).await;
}

/// Fails unless every instance answers the state that a single instance has.
pub(crate) async fn expect_same_state(id: &str, doors: &Doors, alone: &Client) {
    let expected = alone.state(id).await.expect_status(200);
    for turn in 0..doors.all().len() {
        let request = Request::get(format!("/simulations/{id}/state"));
        let found = request.insist(doors, turn).await.reply.expect_status(200);
        let texts = [found.text(), expected.text()];
        assert_eq!(found.body, expected.body, "{id}: {texts:?}");
    }
}

/// Who has the simulations that were created at this place.
fn owner_of(all: &[Told], place: usize) -> String {
    all[place].owner.clone()
}

/// For how long a simulation was not there, if anybody noticed.
fn longest_gap(told: &Told) -> Option<Duration> {
    let gaps = told.answers.iter().filter_map(|(_, answered)| {
        let refused: Instant = answered.refused?;
        Some(answered.at.duration_since(refused))
    });
    gaps.max()
}

async fn destroy(told: &Told, doors: &Doors, alone: &Instance) {
    let path = format!("/simulations/{}", told.id);
    let request = Request::new("DELETE", path, None);
    let answered = request.insist(doors, told.number).await;
    answered.reply.expect_status(204);
    alone.client().destroy(&told.id).await.expect_status(204);
}

#[expect(
    clippy::print_stdout,
    reason = "what a long run measures is read by people"
)]
fn report(what: &str, durations: &mut [Duration]) {
    durations.sort();
    let at = |percent: usize| durations.get(durations.len().saturating_sub(1) * percent / 100);
    println!(
        "{what}: {} times, p50 {:?}, p99 {:?}, max {:?}",
        durations.len(),
        at(50),
        at(99),
        at(100)
    );
}

/// Fails where this instance has answered for a simulation instead of refusing or asking others.
#[track_caller]
fn expect_not_by(instance: &str, reply: &Reply) {
    if reply.status >= 400 {
        let code = reply.problem().code().to_owned();
        assert_eq!(reply.status, 503, "{code}: {}", reply.text());
    } else {
        assert_ne!(reply.header("sim-instance"), Some(instance), "{reply:?}");
    }
}

/// What a push adds to the speed of a ball. Few enough of its multiples are needed that all are
/// exact, in decimals too, and less than what the engine takes for too fast.
const PUSH: f64 = 0.125;

/// A world where nothing falls, and a ball in it whose speed counts the pushes.
pub(crate) fn weightless(id: &str) -> Value {
    let mut world = zero_gravity();
    world["id"] = json!(id);
    world["bodies"] = json!([sphere("ball", 0.5, [0.0; 3])]);
    world
}

/// One push of the ball, to be counted once.
pub(crate) fn push(sim: &str, key: String) -> Request {
    let path = format!("/simulations/{sim}/bodies/ball/impulse");
    Request::post(path, json!({"impulse": [PUSH, 0, 0]}), key)
}

/// How fast a ball is after so many pushes.
pub(crate) fn speed_after(pushes: usize) -> f64 {
    f64::from(u32::try_from(pushes).expect("few")) * PUSH
}
