//! An owner of many simulations ends while clients ask for all of them: each answers again, soon.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use serde_json::json;

use crate::harness::{
    Client, Doors, Fleet, Proxy, RedisServer, Request, free_port, scene, setting,
};

const INSTANCES: usize = 3;
/// The one that ends, which is called `a`.
const OWNER: usize = 0;
/// How much longer than a lease it may take until all of them answer.
const SLACK: Duration = Duration::from_secs(10);
/// How long one answer may take, which is more than a request is let wait.
const GLANCE: Duration = Duration::from_secs(10);
/// How long after a refusal the next instance is asked.
const PAUSE: Duration = Duration::from_millis(100);
/// Every refusal that passes, and that nothing else is answered but.
const PASSING: [&str; 7] = [
    "idempotency_key_in_flight",
    "instance_draining",
    "outcome_unknown",
    "overloaded",
    "owner_unreachable",
    "ownership_lost",
    "registry_unavailable",
];

/// What becomes of the address of an owner that has ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Address {
    /// It refuses connections: the process is gone.
    Refuses,
    /// It takes what is sent and answers nothing: the host is gone.
    IsSilent,
}

#[tokio::test(flavor = "multi_thread")]
async fn all_simulations_of_a_killed_owner_answer_soon_after_the_end_of_its_lease() {
    storm(Address::Refuses).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_simulations_of_an_owner_whose_host_is_gone_answer_soon_after_the_end_of_its_lease() {
    storm(Address::IsSilent).await;
}

async fn storm(address: Address) {
    let simulations = setting("STORM_SIMULATIONS", 40);
    let clients = setting("STORM_CLIENTS", 16);
    let lease = setting("STORM_LEASE_MS", 1500);
    let redis = RedisServer::start().await;
    let port = free_port();
    let mut between = Proxy::to(([127, 0, 0, 1], port).into()).await;
    let mut fleet = fleet(&redis, lease, port, &between).await;
    let doors = fleet.clients();
    let lease = Duration::from_millis(lease as u64);

    let worlds: Vec<_> = (0..simulations).map(|n| format!("storm-{n}")).collect();
    let begun = stream::iter(worlds.iter().enumerate());
    let owner = Doors::of(&fleet);
    owner.set(vec![doors[OWNER].clone()]);
    let begun = begun.map(|(n, id)| begin(&owner, n, id));
    begun.buffer_unordered(clients).collect::<()>().await;

    if address == Address::IsSilent {
        between.blackhole();
    }
    let ended = Instant::now();
    fleet[OWNER].kill();
    if address == Address::Refuses {
        between.cut().await;
    }
    let others = &doors[OWNER + 1..];
    let asked = stream::iter(worlds.iter().enumerate());
    let asked = asked.map(|(n, id)| until_it_goes_on(others, n, id));
    let asked = asked.map(async |asked| (asked.await, ended.elapsed()));
    let answered: Vec<_> = asked.buffer_unordered(clients).collect().await;

    let mut times: Vec<_> = answered.iter().map(|(_, after)| *after).collect();
    times.sort();
    let mut refusals: BTreeMap<&str, usize> = BTreeMap::new();
    for code in answered.iter().flat_map(|(codes, _)| codes) {
        *refusals.entry(code).or_default() += 1;
    }
    let title = format!("{simulations} simulations whose owner {address:?}, a lease of {lease:?}");
    report(&title, &times, &refusals);
    let undocumented: Vec<_> = refusals
        .keys()
        .filter(|code| !PASSING.contains(code))
        .collect();
    assert!(undocumented.is_empty(), "{refusals:?}");
    let last = times.last().expect("there are some");
    assert!(*last < lease + SLACK, "{last:?}");
    if address == Address::IsSilent {
        assert!(times[0] > lease / 3, "nobody could know: {:?}", times[0]);
    }
}

/// Instances that keep journals; the others find the owner at `between`.
async fn fleet(redis: &RedisServer, lease_ms: usize, port: u16, between: &Proxy) -> Fleet {
    let (lease, port) = (lease_ms.to_string(), port.to_string());
    let url = format!("http://{}", between.address());
    let shared = [
        ("DEFAULT_DURABILITY", "journal"),
        ("LEASE_TTL_MS", lease.as_str()),
        ("REQUEST_TIMEOUT_MS", "5000"),
    ];
    let redis = redis.url();
    let mut own = vec![Vec::new(); INSTANCES];
    own[OWNER] = vec![
        ("INTERNAL_PORT", port.as_str()),
        ("ADVERTISE_URL", url.as_str()),
    ];
    Fleet::start_each(&[redis.as_str(); INSTANCES], &shared, &own).await
}

/// Creates a simulation with something to replay.
async fn begin(owner: &Doors, n: usize, id: &str) {
    let at = |rest: &str| format!("/simulations/{id}{rest}");
    let post = |path: String, body, key: &str| Request::post(path, body, format!("{key}-{id}"));
    let push = json!({"impulse": [0.5, 1, 0]});
    let story = [
        post("/simulations".to_owned(), scene(n, id), "new"),
        post(at("/bodies/ball/impulse"), push.clone(), "push"),
        post(at("/step"), json!({"steps": 5}), "first"),
        post(at("/bodies/ball/impulse"), push, "again"),
        post(at("/step"), json!({"steps": 3}), "second"),
    ];
    for request in story {
        let reply = request.insist(owner, 0).await.reply;
        assert!((200..300).contains(&reply.status), "{id}: {}", reply.text());
        assert_eq!(reply.header("sim-instance"), Some("a"), "{id}");
    }
}

/// Steps a simulation once, through one instance after the other until it is done; what was
/// answered before. It goes on where it was.
async fn until_it_goes_on(doors: &[Client], n: usize, id: &str) -> Vec<String> {
    let path = format!("/simulations/{id}/step");
    let step = Request::post(path, json!({"steps": 1}), format!("after-{id}"));
    let mut refusals = Vec::new();
    loop {
        let door = &doors[(n + refusals.len()) % doors.len()];
        let refusal = match tokio::time::timeout(GLANCE, step.send(door)).await {
            Ok(Ok(reply)) if reply.status == 200 => {
                assert_eq!(reply.json()["step"], 9, "{id}: {}", reply.text());
                return refusals;
            }
            Ok(Ok(reply)) => {
                assert!(matches!(reply.status, 409 | 503), "{id}: {}", reply.text());
                reply.problem().code().to_owned()
            }
            Ok(Err(error)) => format!("a broken connection: {error}"),
            Err(_) => "no answer in time".to_owned(),
        };
        refusals.push(refusal);
        assert!(refusals.len() < 1000, "{id}: {refusals:?}");
        tokio::time::sleep(PAUSE).await;
    }
}

#[expect(
    clippy::print_stdout,
    reason = "what a long run measures is read by people"
)]
fn report(what: &str, times: &[Duration], refusals: &BTreeMap<&str, usize>) {
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64();
    println!(
        "{what}: they answered from {:.2} s on, p10 {:.2} s, p50 {:.2} s, p99 {:.2} s, max {:.2} s after its end; refused before: {refusals:?}",
        at(0),
        at(10),
        at(50),
        at(99),
        at(100)
    );
}
