//! API keys: who is let in, and that nobody sees what is somebody else's.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Call, Client, Instance, Reply, sphere};

const ALICE: &str = "alice's key";
const ALICE_NEXT: &str = "alice's next key";
const BOB: &str = "bob's key";

fn hash(key: &str) -> String {
    use std::fmt::Write;
    let mut hex = String::new();
    for byte in Sha256::digest(key) {
        write!(hex, "{byte:02x}").expect("a text takes whatever is written to it");
    }
    hex
}

fn settings() -> String {
    let keys = [("alice", ALICE), ("alice", ALICE_NEXT), ("bob", BOB)];
    keys.map(|(name, key)| format!("{name}={}", hash(key)))
        .join(",")
}

async fn guarded() -> Instance {
    Instance::in_process(&["--api-keys", &settings()]).await
}

/// Asks in the name of whoever has `key`.
struct As<'a>(&'a Client, &'a str);

impl As<'_> {
    fn call(&self, method: &str, path: &str) -> Call {
        let call = self.0.call(method, path);
        call.header("authorization", format!("Bearer {}", self.1))
    }

    async fn get(&self, path: &str) -> Reply {
        self.call("GET", path).send().await
    }

    async fn post(&self, path: &str, body: &Value) -> Reply {
        self.call("POST", path).json(body).send().await
    }

    async fn create(&self, request: &Value) -> String {
        let created = self.post("/simulations", request).await.expect_status(201);
        let id = &created.json()["sim_id"];
        id.as_str().expect("a simulation has an id").to_owned()
    }

    async fn listed(&self) -> Vec<String> {
        let page = self.get("/simulations").await.expect_status(200).json();
        let simulations = page["simulations"].as_array().expect("a page is a list");
        let ids = simulations.iter().map(|found| found["sim_id"].as_str());
        ids.map(|id| id.expect("a simulation has an id").to_owned())
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_nothing_but_the_service_itself_answers() {
    let instance = guarded().await;
    let client = instance.client();
    let id = As(&client, ALICE).create(&json!({})).await;
    let paths = [
        "/simulations".to_owned(),
        format!("/simulations/{id}"),
        format!("/simulations/{id}/state"),
        "/simulations/absent".to_owned(),
        "/openapi.json".to_owned(),
        "/docs".to_owned(),
        "/problems/unauthorized".to_owned(),
        "/nowhere".to_owned(),
    ];
    for path in &paths {
        let wrong = client
            .call("GET", path)
            .header("x-api-key", "a wrong one")
            .send();
        for reply in [client.get(path).await, wrong.await] {
            assert_eq!(reply.header("www-authenticate"), Some("Bearer"), "{path}");
            assert_eq!(reply.header("sim-seq"), None, "{path}");
            let text = reply.text();
            assert!(!text.contains("a wrong one"), "{text}");
            reply.expect_problem(401, "unauthorized");
        }
    }
    client.health().await.expect_status(200);
    client.ready().await.expect_status(200);
    let with_wrong_key = client.call("GET", "/health").header("x-api-key", "x");
    with_wrong_key.send().await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_taken_from_either_header() {
    let instance = guarded().await;
    let client = instance.client();
    for (header, value) in [
        ("authorization", format!("Bearer {BOB}")),
        ("authorization", format!("bearer {BOB}")),
        ("x-api-key", BOB.to_owned()),
    ] {
        let call = client.call("GET", "/simulations").header(header, value);
        call.send().await.expect_status(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_may_ask_what_they_may_send_and_read_why_they_may_not() {
    let instance = guarded().await;
    let client = instance.client();
    let id = As(&client, ALICE).create(&json!({})).await;

    let preflight = client
        .call("OPTIONS", format!("/simulations/{id}"))
        .header("origin", "https://example.org")
        .header("access-control-request-method", "DELETE")
        .header("access-control-request-headers", "authorization")
        .send()
        .await
        .expect_status(200);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    assert_eq!(preflight.header("sim-seq"), None, "nobody asked with a key");

    let refused = client
        .call("GET", "/simulations")
        .header("origin", "https://example.org")
        .send()
        .await;
    assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
    refused.expect_problem(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_and_touches_only_their_own() {
    let instance = guarded().await;
    let client = instance.client();
    let (alice, bob) = (As(&client, ALICE), As(&client, BOB));
    let hers = alice
        .create(&json!({"id": "hers", "bodies": [sphere("ball", 0.5, [0.0, 5.0, 0.0])]}))
        .await;
    let his = bob.create(&json!({})).await;

    assert_eq!(alice.listed().await, std::slice::from_ref(&hers));
    assert_eq!(bob.listed().await, [his]);

    for (method, rest, body) in [
        ("GET", "", None),
        ("GET", "/state", None),
        ("GET", "/bodies/ball", None),
        ("PATCH", "", Some(json!({"labels": {"owner": "bob"}}))),
        ("POST", "/step", Some(json!({"steps": 1}))),
        ("POST", "/keepalive", None),
        ("DELETE", "/bodies/ball", None),
        ("DELETE", "", None),
    ] {
        let ask = async |id: &str| {
            let call = bob.call(method, &format!("/simulations/{id}{rest}"));
            let call = match &body {
                Some(body) => call.json(body),
                None => call,
            };
            call.send().await
        };
        let (foreign, absent) = (ask(&hers).await, ask("none").await);
        assert_eq!(
            without_names(&foreign, &hers),
            without_names(&absent, "none"),
            "{method} {rest}"
        );
        foreign.expect_problem(404, "simulation_not_found");
    }

    let path = format!("/simulations/{hers}");
    let untouched = alice.get(&path).await.expect_status(200).json();
    assert_eq!(
        (&untouched["step"], &untouched["labels"]),
        (&json!(0), &json!({}))
    );
    alice.call("DELETE", &path).send().await.expect_status(204);
    alice
        .get(&path)
        .await
        .expect_problem(404, "simulation_not_found");
}

/// Status, headers and body of a reply, but for what names the request and the simulation.
fn without_names(reply: &Reply, id: &str) -> (u16, Vec<String>, String) {
    let mut names: Vec<_> = reply.headers.keys().map(ToString::to_string).collect();
    names.sort();
    let mut body = reply.json();
    body["request_id"] = Value::Null;
    (reply.status, names, body.to_string().replace(id, "<id>"))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_replaces_the_other_of_the_same_name() {
    let instance = guarded().await;
    let client = instance.client();
    let id = As(&client, ALICE).create(&json!({})).await;

    let next = As(&client, ALICE_NEXT);
    next.get(&format!("/simulations/{id}"))
        .await
        .expect_status(200);
    assert_eq!(next.listed().await, [id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_is_one_for_each_tenant() {
    let instance = guarded().await;
    let client = instance.client();
    let create = async |key: &str| {
        let call = As(&client, key).call("POST", "/simulations");
        let call = call.header("idempotency-key", "once").json(&json!({}));
        call.send().await.expect_status(201)
    };
    let id = |reply: &Reply| reply.json()["sim_id"].as_str().unwrap().to_owned();

    let (first, other, again) = (
        create(ALICE).await,
        create(BOB).await,
        create(ALICE_NEXT).await,
    );

    assert_ne!(id(&first), id(&other));
    assert_eq!(other.header("idempotency-replayed"), None);
    assert_eq!(id(&first), id(&again));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let path = format!("/simulations/{}", id(&first));
    let foreign = As(&client, BOB).get(&path).await;
    foreign.expect_problem(404, "simulation_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_never_logged_and_their_absence_is() {
    let quiet = Instance::spawn(&[("API_KEYS", &settings()), ("RUST_LOG", "trace")]).await;
    let client = quiet.client();
    As(&client, ALICE).create(&json!({})).await;
    let wrong = client
        .call("GET", "/simulations")
        .header("x-api-key", "wrong-key");
    wrong.send().await.expect_problem(401, "unauthorized");
    let log = quiet.log().join("\n");
    for secret in [ALICE, "wrong-key", &hash(ALICE), "everybody may use"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }

    let open = Instance::spawn(&[]).await;
    let warned = "API_KEYS is empty: everybody may use the service";
    let warnings = open
        .log()
        .iter()
        .filter(|line| line.contains(warned))
        .count();
    assert_eq!(warnings, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_somebody_elses_is_taken_and_stays_theirs() {
    let instance = guarded().await;
    let client = instance.client();
    let (alice, bob) = (As(&client, ALICE), As(&client, BOB));
    alice
        .create(&json!({"id": "ours", "bodies": [sphere("ball", 0.5, [0.0, 5.0, 0.0])]}))
        .await;

    let refused = bob.post("/simulations", &json!({"id": "ours"})).await;

    assert_eq!(
        refused.expect_status(409).json()["error"],
        "simulation_exists"
    );
    let bodies = alice
        .get("/simulations/ours/bodies")
        .await
        .expect_status(200)
        .json();
    assert_eq!(bodies["bodies"][0]["id"], "ball");
    assert_eq!(alice.listed().await, ["ours"]);
    assert!(bob.listed().await.is_empty());
}
