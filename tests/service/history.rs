//! What a simulation tells of its past, and whether that leads to where it stands.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{
    Client, Fleet, Instance, RedisServer, Reply, eventually_true, ground, sphere,
};

const SOON: Duration = Duration::from_secs(30);
const JOURNAL: (&str, &str) = ("DEFAULT_DURABILITY", "journal");

async fn journal(client: &Client, sim: &str, query: &str) -> Reply {
    client
        .get(format!("/simulations/{sim}/journal{query}"))
        .await
}

/// The first line, and those of the entries.
#[track_caller]
fn lines(reply: &Reply) -> (Value, Vec<Value>) {
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    let text = std::str::from_utf8(&reply.body).expect("JSON is UTF-8");
    assert!(text.ends_with('\n'));
    let mut lines = text
        .lines()
        .map(|line| serde_json::from_str(line).expect(line));
    (lines.next().expect("a first line"), lines.collect())
}

async fn verify(client: &Client, sim: &str) -> Value {
    let call = client.call("POST", format!("/simulations/{sim}/verify"));
    call.send().await.expect_status(200).json()
}

fn scene() -> Value {
    json!({"bodies": [ground("floor"), sphere("ball", 0.5, [0.0, 3.0, 0.0])]})
}

fn tag(reply: &Reply) -> String {
    reply
        .header("etag")
        .unwrap_or("")
        .trim_matches('"')
        .to_owned()
}

fn seqs(entries: &[Value]) -> Vec<u64> {
    let seqs = entries.iter().map(|entry| entry["seq"].as_u64());
    seqs.map(|seq| seq.expect("every entry has a number"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_tells_every_command_in_order_and_ends_where_the_simulation_stands() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(2, &redis.url(), &[JOURNAL]).await;
    let [owner, other] = [fleet.clients()[0].clone(), fleet.clients()[1].clone()];
    let sim = owner.simulation(&scene()).await;
    let mut tags = vec![tag(&owner.describe(&sim).await)];
    let keyed = other.call("POST", format!("/simulations/{sim}/step"));
    let keyed = keyed
        .header("idempotency-key", "k-1")
        .json(&json!({"steps": 3, "dt": 0.01}));
    for reply in [
        keyed.send().await,
        owner
            .impulse(&sim, "ball", &json!({"impulse": [1, 2, 3]}))
            .await,
        other.patch_body(&sim, "ball", &json!({"mass": 2})).await,
        other
            .patch_simulation(&sim, &json!({"gravity": [0, -1, 0]}))
            .await,
        owner.trajectory(&sim, "ball", &json!({"steps": 2})).await,
        owner.remove_body(&sim, "ball").await,
    ] {
        assert!(reply.status < 300, "{}: {}", reply.request, reply.text());
        tags.push(tag(&reply));
    }
    owner
        .step_with(&sim, &json!({"steps": -1}))
        .await
        .expect_status(422);

    let reply = journal(&other, &sim, "").await;
    assert_eq!(tag(&reply), tags[6]);
    let (heading, entries) = lines(&reply);
    let moment = |tag: &str| {
        let (seq, chain) = tag.split_once('-').unwrap();
        json!({"seq": seq.parse::<u64>().unwrap(), "chain": chain})
    };
    assert_eq!(heading["sim_id"], sim.as_str());
    assert_eq!(heading["from"], moment(&tags[0]));
    assert_eq!(heading["head"], moment(&tags[6]));
    assert_eq!(heading["snapshots"], json!([0]));
    assert!(
        heading["engine"]
            .as_str()
            .is_some_and(|text| text.contains("rapier"))
    );

    for (entry, tag) in entries.iter().zip(&tags[1..]) {
        let told = json!({"seq": entry["seq"], "chain": entry["chain"]});
        assert_eq!(told, moment(tag));
        assert_eq!(entry["state_hash"].as_str().map(str::len), Some(16));
        assert!(entry["at"].as_str().is_some_and(|at| at.ends_with('Z')));
    }
    let commands: Vec<_> = entries.iter().map(|entry| &entry["command"]).collect();
    assert_eq!(commands.len(), 6);
    assert_eq!(*commands[0], json!({"step": {"count": 3, "dt": 0.01}}));
    assert_eq!(commands[1]["apply_impulse"][0], "ball");
    assert_eq!(commands[2]["patch_body"][1]["mass"], 2.0);
    assert_eq!(commands[3]["configure"]["gravity"], json!([0.0, -1.0, 0.0]));
    let recorded = json!(["ball", {"steps": {"count": 2, "dt": null}, "every": 1}]);
    assert_eq!(commands[4]["record"], recorded);
    assert_eq!(*commands[5], json!({"remove_body": "ball"}));
    let keys: Vec<_> = entries
        .iter()
        .map(|entry| entry.get("idempotency_key"))
        .collect();
    assert_eq!(keys[0], Some(&json!("k-1")));
    assert!(keys[1..].iter().all(Option::is_none), "{keys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_is_read_from_anywhere_and_as_far_as_wanted() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(1, &redis.url(), &[JOURNAL]).await;
    let client = &fleet.clients()[0];
    let sim = client.simulation(&json!({})).await;
    for _ in 0..300 {
        client.step(&sim, 1).await.expect_status(200);
    }
    let all = lines(&journal(client, &sim, "").await).1;
    assert_eq!(seqs(&all), (1..=300).collect::<Vec<_>>());
    for (query, expected) in [
        ("?limit=200", 1..=200),
        ("?after=7&limit=1", 8..=8),
        ("?limit=10000&after=290", 291..=300),
    ] {
        let (heading, entries) = lines(&journal(client, &sim, query).await);
        assert_eq!(heading["from"]["seq"], *expected.start() - 1, "{query}");
        let before = usize::try_from(*expected.start()).unwrap() - 1;
        assert_eq!(entries[..], all[before..before + entries.len()], "{query}");
        assert_eq!(seqs(&entries), expected.collect::<Vec<_>>(), "{query}");
    }
    for after in [300, 301, u64::MAX] {
        let (heading, entries) = lines(&journal(client, &sim, &format!("?after={after}")).await);
        assert_eq!(heading["from"], heading["head"], "{after}");
        assert!(entries.is_empty(), "{after}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_refused() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(1, &redis.url(), &[JOURNAL]).await;
    let client = &fleet.clients()[0];
    let sim = client.simulation(&json!({})).await;
    for (query, pointer) in [
        ("?limit=0", "/limit"),
        ("?limit=10001", "/limit"),
        ("?limit=", "/limit"),
        ("?after=-1", "/after"),
        ("?after=x", "/after"),
    ] {
        let refused = journal(client, &sim, query).await;
        let problem = refused.expect_problem(422, "invalid_value");
        problem.expect_pointers(&[pointer]);
    }
    let strange = journal(client, &sim, "?before=1").await;
    strange.expect_problem(422, "unknown_field");
    for (accept, status) in [
        ("application/x-ndjson", 200),
        ("application/json", 200),
        ("text/html, */*;q=0.1", 200),
        ("image/png", 406),
    ] {
        let call = client.call("GET", format!("/simulations/{sim}/journal"));
        let reply = call.header("accept", accept).send().await;
        assert_eq!(reply.status, status, "{accept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_journalled_has_a_history() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(2, &redis.url(), &[]).await;
    let in_memory = Instance::in_process(&[]).await;
    let alone = in_memory.client();
    let clients = fleet.clients();
    for (at, from) in [(&alone, &alone), (&clients[0], &clients[1])] {
        let sim = at.simulation(&json!({"durability": "registry"})).await;
        let told = journal(from, &sim, "").await;
        told.expect_problem(409, "not_journalled");
        let call = from.call("POST", format!("/simulations/{sim}/verify"));
        let checked = call.send().await;
        checked.expect_problem(409, "not_journalled");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_that_is_made_again_comes_out_the_same_also_after_a_takeover() {
    let redis = RedisServer::start().await;
    let mut fleet = Fleet::start(2, &redis.url(), &[JOURNAL]).await;
    let clients = fleet.clients();
    let sim = clients[0].simulation(&scene()).await;
    clients[0].step(&sim, 50).await.expect_status(200);
    let moved = clients[0]
        .impulse(&sim, "ball", &json!({"impulse": [3, 0, 1]}))
        .await;
    moved.expect_status(204);
    let before = tag(&clients[0].step(&sim, 40).await);

    let found = verify(&clients[1], &sim).await;
    let expected =
        json!({"ok": true, "checked_from": 0, "checked_to": 3, "first_divergence": null});
    assert_eq!(found, expected);
    let empty = clients[1]
        .post(format!("/simulations/{sim}/verify"), &json!({}))
        .await;
    assert_eq!(
        tag(&empty.expect_status(200)),
        before,
        "nothing has changed"
    );

    fleet[0].kill();
    eventually_true(
        SOON,
        "the other instance goes on with it",
        |&status| status == 200,
        async || clients[1].step(&sim, 1).await.status,
    )
    .await;
    let entries = lines(&journal(&clients[1], &sim, "").await).1;
    assert_eq!(entries[3]["takeover"], "b");
    let found = verify(&clients[1], &sim).await;
    assert_eq!(
        (&found["ok"], &found["checked_to"]),
        (&json!(true), &json!(5))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_begins_behind_the_oldest_snapshot_that_is_kept() {
    let redis = RedisServer::start().await;
    let settings = [
        JOURNAL,
        ("FREEZE_AFTER_SECONDS", "1"),
        ("HIBERNATE_AFTER_SECONDS", "1"),
    ];
    let fleet = Fleet::start(1, &redis.url(), &settings).await;
    let client = &fleet.clients()[0];
    let sim = client.simulation(&scene()).await;
    client.step(&sim, 5).await.expect_status(200);
    let rested = tag(&client.step(&sim, 5).await);
    let entry = format!("sim:{{{sim}}}:meta");
    eventually_true(
        SOON,
        "the simulation rests in its journal",
        |&is_owned| is_owned == 0,
        async || redis.ask::<i64>(&["HEXISTS", &entry, "owner"]).await,
    )
    .await;
    client.step(&sim, 5).await.expect_status(200);

    let (heading, entries) = lines(&journal(client, &sim, "?after=1").await);
    let from = &heading["from"];
    let from = format!("{}-{}", from["seq"], from["chain"].as_str().unwrap());
    assert_eq!(from, rested);
    assert_eq!(seqs(&entries), [3]);
    let found = verify(client, &sim).await;
    let expected =
        json!({"ok": true, "checked_from": 2, "checked_to": 3, "first_divergence": null});
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_to_a_journal_is_found_where_it_is() {
    let redis = RedisServer::start().await;
    let fleet = Fleet::start(1, &redis.url(), &[JOURNAL]).await;
    let client = &fleet.clients()[0];
    let damaged = async |damage: &[&str]| {
        let sim = client.simulation(&scene()).await;
        for _ in 0..5 {
            client.step(&sim, 2).await.expect_status(200);
        }
        let damage: Vec<_> = damage
            .iter()
            .map(|word| word.replace("SIM", &sim))
            .collect();
        let words: Vec<_> = damage.iter().map(String::as_str).collect();
        let _: i64 = redis.ask(&words).await;
        (verify(client, &sim).await, sim)
    };

    let (found, sim) = damaged(&["XDEL", "sim:{SIM}:journal", "3-0"]).await;
    let expected = json!({"ok": false, "checked_from": 0, "checked_to": 5, "first_divergence": 3});
    assert_eq!(found, expected);
    let told = journal(client, &sim, "").await;
    told.expect_problem(500, "nondeterminism_detected");
    client.step(&sim, 1).await.expect_status(200);

    let (found, _) = damaged(&["SETRANGE", "sim:{SIM}:snapshot:0", "40", "damage"]).await;
    assert_eq!(found["first_divergence"], 0, "{found}");
    let (found, _) = damaged(&["DEL", "sim:{SIM}:snapshot:0"]).await;
    assert_eq!(found["first_divergence"], 0, "{found}");
}
