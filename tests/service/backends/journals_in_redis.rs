//! What journals in Redis promise beyond that: nothing without an end, and nothing twice.

use std::time::Duration;

use futures_util::future::join_all;
use rapier_physics_service::{
    journal::{JournalError, Purpose, Verdict},
    registry::{Holding, Listed, Reasserted, Registration, Takeover, Touch, Touched},
};

use crate::{
    backends::{
        Backend,
        asked::{SOON, TTL, granted, held, owner, tenant, touch},
        journals::{Answer, Journalled, journalled, listed, send, settled},
    },
    harness::{Proxy, RedisServer, Topology, eventually_true},
};

/// How long an answer is waited for where there will be none.
const BRIEF_PATIENCE: Duration = Duration::from_millis(300);
/// More than goes into one message.
const LARGE: usize = 2_500_000;

#[tokio::test(flavor = "multi_thread")]
async fn no_key_of_a_simulation_is_ever_without_an_end() {
    let server = RedisServer::start().await;
    lives_and_ends(&Backend::in_redis(&server), async |keys| {
        let found = server.keys_of("{s}").await;
        assert_eq!(found, keys);
        for key in found {
            let left = server.ttl_ms(&key).await;
            let of_entry = server.ttl_ms("sim:{s}:meta").await;
            assert!(left > 0, "{key} has {left} ms");
            // Two questions are a moment apart.
            let is_outlived = of_entry > left + 1000;
            assert!(
                !is_outlived || key.contains("tombstone"),
                "{key}: {left}, {of_entry}"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_a_journal_survives_the_loss_of_all_scripts() {
    let server = RedisServer::start().await;
    lives_and_ends(&Backend::in_redis(&server), async |_| {
        server.ask::<()>(&["SCRIPT", "FLUSH"]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nodes_of_a_cluster_may_forget_all_scripts_and_each_key_has_an_end() {
    let topology = Topology::cluster().await;
    let store = topology.store();
    lives_and_ends(&Backend::on(&topology), async |keys| {
        for server in store.servers() {
            server.ask::<()>(&["SCRIPT", "FLUSH"]).await;
        }
        assert_eq!(store.keys_of("{s}").await, keys);
        for key in keys {
            assert!(store.ttl_ms(key).await > 0, "{key}");
        }
    })
    .await;
}

/// Goes through every transition of a journal; tells `after` each which keys there are then.
async fn lives_and_ends(at: &Backend, after: impl AsyncFn(&[&str])) {
    const META: &str = "sim:{s}:meta";
    const JOURNAL: &str = "sim:{s}:journal";
    const AT_0: &str = "sim:{s}:snapshot:0";
    const AT_1: &str = "sim:{s}:snapshot:1";
    const AT_2: &str = "sim:{s}:snapshot:2";
    let mut sim = Journalled::created(at, "s").await;
    after(&[META, AT_0]).await;
    sim.append("one").await;
    after(&[JOURNAL, META, AT_0]).await;
    let longer = Touch {
        journal: Some(sim.keys()),
        expires_in: TTL * 10,
        ..touch("s", &sim.token)
    };
    let touched = at.registry.touch(&[longer]).await.unwrap();
    assert_eq!(touched, [Touched::Kept(Some(sim.head))]);
    after(&[JOURNAL, META, AT_0]).await;
    let saved = sim.save(Purpose::Bound, b"bound").await.unwrap();
    assert_eq!(saved, Verdict::Kept);
    after(&[JOURNAL, META, AT_0, AT_1]).await;
    sim.append("two").await;
    after(&[JOURNAL, META, AT_0, AT_1]).await;
    let saved = sim.save(Purpose::Bound, &vec![2; LARGE]).await.unwrap();
    assert_eq!(saved, Verdict::Kept);
    after(&[JOURNAL, META, AT_1, AT_2]).await;
    let reasserted = sim.reassert().await;
    assert!(matches!(reasserted, Reasserted::Kept(..)), "{reasserted:?}");
    after(&[JOURNAL, META, AT_1, AT_2]).await;
    let seen = Some(sim.head);
    let repaired = sim.save(Purpose::Repair { seen }, b"repaired").await;
    assert_eq!(repaired.unwrap(), Verdict::Kept);
    after(&[META, AT_2]).await;
    sim.append("three").await;
    after(&[JOURNAL, META, AT_2]).await;
    assert_eq!(sim.let_go(None).await, Verdict::Kept);
    after(&[JOURNAL, META, AT_2]).await;
    let (mut sim, _) = sim.taken_over().await;
    after(&[JOURNAL, META, AT_2]).await;
    let rested = sim.save(Purpose::Rest, b"resting").await.unwrap();
    assert_eq!(rested, Verdict::Kept);
    after(&[META, "sim:{s}:snapshot:3"]).await;
    let (mut sim, _) = sim.taken_over().await;
    sim.append("four").await;
    after(&[JOURNAL, META, "sim:{s}:snapshot:3"]).await;
    assert_eq!(listed(at, None, 10).await.len(), 1);
    sim.release().await;
    after(&["tombstone:{s}"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gathered_for_a_snapshot_that_is_refused_is_soon_gone() {
    let server = RedisServer::start().await;
    let at = Backend::in_redis(&server);
    let old = Journalled::created(&at, "s").await;
    old.taken_over().await;

    let refused = at.journal.save(old.saving(Purpose::Bound, &vec![0; LARGE]));
    assert_eq!(refused.await.unwrap(), Verdict::Fenced);

    let keys = server.keys_of("staged").await;
    let [staged] = &keys[..] else {
        panic!("{keys:?}");
    };
    let left = server.ttl_ms(staged).await;
    assert!((1..=60_000).contains(&left), "{left} ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_on_their_way_through_a_crash_are_kept_once() {
    let mut server = RedisServer::with().append_only().start().await;
    let at = Backend::with_patience(&server.url(), None, BRIEF_PATIENCE);
    let mut simulations = several(&at).await;

    for round in 0..3 {
        let answers = send_to_all(&mut simulations, round);
        server.restart().await;
        all_are_kept(answers).await;
    }

    each_is_there_once(&simulations).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_on_their_way_to_a_redis_that_hangs_are_kept_once() {
    let server = RedisServer::start().await;
    let at = Backend::with_patience(&server.url(), None, BRIEF_PATIENCE);
    let mut simulations = several(&at).await;

    server.pause();
    let answers = send_to_all(&mut simulations, 0);
    eventually_true(
        SOON,
        "it is noticed",
        |it| !it,
        async || at.journal.is_reachable(),
    )
    .await;
    let more = send_to_all(&mut simulations, 1);
    server.resume();
    all_are_kept(answers).await;
    all_are_kept(more).await;

    assert!(at.journal.is_reachable());
    each_is_there_once(&simulations).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_on_their_way_over_a_link_that_breaks_are_kept_once() {
    let server = RedisServer::start().await;
    let mut proxy = Proxy::to(server.address()).await;
    let at = Backend::at(&server.url_through(&proxy), None);
    let mut simulations = several(&at).await;

    for round in 0..5 {
        let answers = send_to_all(&mut simulations, round);
        proxy.cut().await;
        proxy.heal().await;
        all_are_kept(answers).await;
    }

    each_is_there_once(&simulations).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_without_room_refuses_entries_and_keeps_nothing_of_them() {
    let server = RedisServer::with()
        .max_memory("100mb", "noeviction")
        .start()
        .await;
    let at = Backend::in_redis(&server);
    let mut sim = Journalled::created(&at, "s").await;
    sim.append("one").await;
    let before = sim.standing().await;
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]).await;

    let refused = settled(send(&at, sim.next("two"))).await;
    assert!(
        matches!(refused, Err(JournalError::Refused(_))),
        "{refused:?}"
    );
    for purpose in [Purpose::Bound, Purpose::Rest] {
        for size in [10, LARGE] {
            let save = sim.saving(purpose, &vec![1; size]);
            let refused = at.journal.save(save).await;
            assert!(
                matches!(refused, Err(JournalError::Refused(_))),
                "{refused:?}"
            );
        }
    }

    assert_eq!(sim.standing().await, before);
    assert_eq!(sim.texts().await, ["one"]);
    // It can be given up and taken over all the same.
    assert_eq!(sim.let_go(Some("no room")).await, Verdict::Kept);
    let (heir, _) = sim.taken_over().await;
    assert_eq!(heir.found().await.owner, Some(heir.me.clone()));
    server
        .ask::<()>(&["CONFIG", "SET", "maxmemory", "100mb"])
        .await;
    sim = heir;
    sim.append("two").await;
    assert_eq!(sim.texts().await, ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_several_simulations_wait_and_are_appended_by_one_script() {
    let server = RedisServer::start().await;
    let at = Backend::in_redis(&server);
    let mut simulations = several(&at).await;
    let before = calls_of(&server, "evalsha").await;

    server.pause();
    let answers: Vec<_> = simulations.iter_mut().map(|sim| sim.send("one")).collect();
    server.resume();
    all_are_kept(answers).await;

    // What comes first does not wait for the others.
    let calls = calls_of(&server, "evalsha").await - before;
    assert!((1..=2).contains(&calls), "{calls} calls");
    assert_eq!(calls_of(&server, "xadd").await, 2 * SIMULATIONS);
    each_is_there_once(&simulations).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_one_entry_does_not_touch_those_that_go_with_it() {
    let server = RedisServer::start().await;
    let at = Backend::in_redis(&server);
    let mut simulations = several(&at).await;
    // One of each kind, between others.
    let (replaced, ahead, unreadable, unwritable, damaged) = (3, 9, 15, 21, 25);
    let (heir, _) = simulations[replaced].taken_over().await;
    let here = simulations[ahead].head;
    simulations[ahead].head.seq += 1;
    let meta = format!("sim:{{{}}}:meta", simulations[unreadable].id);
    let journal = format!("sim:{{{}}}:journal", simulations[unwritable].id);
    let of_damaged = format!("sim:{{{}}}:meta", simulations[damaged].id);
    server.ask::<()>(&["SET", &meta, "no entry"]).await;
    server.ask::<()>(&["SET", &journal, "no stream"]).await;
    server
        .ask::<()>(&["HSET", &of_damaged, "token", "no token"])
        .await;

    server.pause();
    let answers: Vec<_> = simulations.iter_mut().map(|sim| sim.send("one")).collect();
    server.resume();

    for (n, answer) in answers.into_iter().enumerate() {
        let fate = settled(answer).await;
        if [unreadable, unwritable, damaged].contains(&n) {
            let why = if n == damaged { "compare" } else { "WRONGTYPE" };
            assert!(
                matches!(&fate, Err(JournalError::Refused(text)) if text.contains(why)),
                "{n}: {fate:?}"
            );
            continue;
        }
        let expected = match n {
            _ if n == replaced => Verdict::Fenced,
            _ if n == ahead => Verdict::Elsewhere(Some(here)),
            _ => Verdict::Kept,
        };
        assert_eq!(fate.unwrap(), expected, "{n}");
    }
    let untouched = simulations[unwritable].standing().await.unwrap();
    assert_eq!(untouched.head.seq, 1);
    assert_eq!(heir.texts().await, ["the first"]);
    let others = [replaced, ahead, unreadable, unwritable, damaged];
    let kept = (0..SIMULATIONS).filter(|n| !others.contains(n));
    let kept: Vec<_> = kept.map(|n| simulations[n].clone()).collect();
    each_is_there_once(&kept).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_without_room_refuses_all_entries_that_go_together_but_tells_who_is_replaced() {
    let server = RedisServer::with()
        .max_memory("100mb", "noeviction")
        .start()
        .await;
    let at = Backend::in_redis(&server);
    let mut simulations = several(&at).await;
    let replaced = 3;
    let (heir, _) = simulations[replaced].taken_over().await;
    let before: Vec<_> = simulations.iter().map(|sim| sim.head).collect();
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]).await;

    server.pause();
    let answers: Vec<_> = simulations.iter_mut().map(|sim| sim.send("one")).collect();
    server.resume();

    for (n, answer) in answers.into_iter().enumerate() {
        let fate = settled(answer).await;
        if n == replaced {
            assert_eq!(fate.unwrap(), Verdict::Fenced);
        } else {
            assert!(
                matches!(&fate, Err(JournalError::Refused(text)) if text.contains("OOM")),
                "{n}: {fate:?}"
            );
        }
    }
    for (sim, before) in simulations.iter().zip(before) {
        assert_eq!(sim.standing().await.unwrap().head, before);
        assert_eq!(sim.texts().await, ["the first"]);
    }
    assert_eq!(heir.standing().await.unwrap().token, heir.token);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_entries_and_small_ones_that_wait_together_are_kept() {
    let server = RedisServer::start().await;
    let at = Backend::in_redis(&server);
    let mut simulations = several(&at).await;
    let text = "x".repeat(LARGE);

    server.pause();
    let mut answers = Vec::new();
    for (n, sim) in simulations.iter_mut().enumerate() {
        answers.push(sim.send(if n % 3 == 0 { &text } else { "small" }));
    }
    server.resume();
    all_are_kept(answers).await;

    each_is_there_once(&simulations).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_have_vanished_are_noticed_with_the_next_one() {
    let server = RedisServer::start().await;
    let at = Backend::in_redis(&server);
    let mut sim = Journalled::created(&at, "s").await;
    sim.append("one").await;

    server.ask::<()>(&["DEL", "sim:{s}:journal"]).await;
    let told = settled(send(&at, sim.next("two"))).await;

    let here = Some(sim.head);
    assert_eq!(told.unwrap(), Verdict::Elsewhere(here));
    let repaired = sim.save(Purpose::Repair { seen: here }, b"image").await;
    assert_eq!(repaired.unwrap(), Verdict::Kept);
    sim.append("two").await;
    assert_eq!(sim.texts().await, ["two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_tells_a_redis_again_that_has_lost_everything() {
    let server = RedisServer::start().await;
    let at = Backend::in_redis(&server);
    let mut sim = Journalled::created(&at, "s").await;
    sim.append("one").await;

    server.flush_all().await;
    let told = settled(send(&at, sim.next("two"))).await;
    let touched = sim.touch().await;
    let reasserted = sim.reassert().await;

    assert_eq!(told.unwrap(), Verdict::Elsewhere(None));
    assert_eq!(touched, Touched::Missing);
    assert_eq!(reasserted, Reasserted::Kept(sim.token.clone(), None));
    let repaired = sim.save(Purpose::Repair { seen: None }, b"image").await;
    assert_eq!(repaired.unwrap(), Verdict::Kept);
    sim.append("two").await;
    assert_eq!(sim.standing().await.unwrap().head, sim.head);
    assert_eq!(listed(&at, None, 10).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_vanished_is_not_listed_and_leaves_the_list() {
    let server = RedisServer::start().await;
    let at = Backend::in_redis(&server);
    let me = owner("a");
    for n in 0..9u64 {
        let wanted = Registration {
            created: n,
            ..journalled(&format!("s{n}"))
        };
        granted(at.registry.claim(&me, &wanted, None).await);
    }
    for id in ["s0", "s3", "s4", "s5"] {
        let meta = format!("sim:{{{id}}}:meta");
        server.ask::<()>(&["DEL", &meta]).await;
    }
    // Another tenant's now, and created at another time.
    let meta = "sim:{s8}:meta";
    server.ask::<()>(&["HSET", meta, "tenant", "alice"]).await;
    server
        .ask::<()>(&["HSET", "sim:{s7}:meta", "created", "70"])
        .await;

    let page = listed(&at, Some((1, "s1")), 2).await;
    let all = listed(&at, None, 100).await;

    let names = |listed: &[Listed]| -> Vec<String> {
        listed.iter().map(|one| one.id.to_string()).collect()
    };
    assert_eq!(names(&page), ["s2", "s6"]);
    assert_eq!(names(&all), ["s1", "s2", "s6"]);
    let left: Vec<String> = server.ask(&["ZRANGE", "sims:journalled", "0", "-1"]).await;
    assert_eq!(left, ["s1", "s2", "s6"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_swept_leaves_the_list_of_its_tenant() {
    let server = RedisServer::start().await;
    let at = Backend::in_redis(&server);
    let me = owner("a");
    for whose in [None, tenant("alice")] {
        let name = whose.as_ref().map_or("anybodys", |_| "alices");
        let wanted = Registration {
            tenant: whose,
            ..journalled(name)
        };
        granted(at.registry.claim(&me, &wanted, None).await);
    }
    for member in ["anybodys", "alice/alices"] {
        server
            .ask::<()>(&["ZADD", "sims:expiry", "1000", member])
            .await;
    }

    assert_eq!(at.registry.sweep(10).await.unwrap(), 2);

    assert_eq!(server.keys_of("sims:").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_out_is_gone_with_all_that_belongs_to_it() {
    let server = RedisServer::start().await;
    let at = Backend::in_redis(&server);
    let mut sim = Journalled::created(&at, "s").await;
    sim.append("one").await;
    sim.save(Purpose::Bound, b"image").await.unwrap();
    let brief = Registration {
        expires_in: Duration::from_millis(200),
        ..sim.registration()
    };
    at.registry.reassert(&sim.me, &[brief]).await.unwrap();

    eventually_true(SOON, "all keys are gone", Vec::is_empty, async || {
        server.keys_of("{s}").await
    })
    .await;

    let over = Holding {
        is_journalled: true,
        ..held(&sim.me, &sim.token)
    };
    let taken = at.registry.take_over(&owner("b"), &sim.id, &over).await;
    assert_eq!(taken.unwrap(), Takeover::Changed);
}

/// How many simulations entries are sent to, and how many to each at a time.
const SIMULATIONS: usize = 30;
const ENTRIES: usize = 5;

async fn several(at: &Backend) -> Vec<Journalled> {
    let created = (0..SIMULATIONS).map(|n| async move {
        let id = format!("s{n}");
        let mut sim = Journalled::created(at, &id).await;
        sim.append("the first").await;
        sim
    });
    join_all(created).await
}

/// How often a command was called, by scripts or otherwise.
async fn calls_of(server: &RedisServer, command: &str) -> usize {
    let stats: String = server.ask(&["INFO", "commandstats"]).await;
    let name = format!("cmdstat_{command}:calls=");
    let mut calls = stats.lines().filter_map(|line| line.strip_prefix(&name));
    let calls = calls.next().and_then(|rest| rest.split(',').next());
    calls.map_or(0, |count| count.parse().unwrap())
}

fn send_to_all(simulations: &mut [Journalled], round: usize) -> Vec<Answer> {
    let mut answers = Vec::new();
    for n in 0..ENTRIES {
        for sim in &mut *simulations {
            answers.push(sim.send(&format!("{round}.{n}")));
        }
    }
    answers
}

async fn all_are_kept(answers: Vec<Answer>) {
    for answer in answers {
        assert_eq!(settled(answer).await.unwrap(), Verdict::Kept);
    }
}

async fn each_is_there_once(simulations: &[Journalled]) {
    for sim in simulations {
        let standing = sim.standing().await.unwrap();
        assert_eq!(standing.head, sim.head, "{}", sim.id);
        let texts = sim.texts().await;
        let mut distinct = texts.clone();
        distinct.dedup();
        assert_eq!(texts, distinct, "{}", sim.id);
        assert_eq!(texts.len() as u64, sim.head.seq, "{}", sim.id);
    }
}
