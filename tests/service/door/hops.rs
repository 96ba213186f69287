//! What a request says of other instances, and how far it gets.

use serde_json::{Value, json};

use super::line::{Line, get};
use crate::harness::{Client, Instance, RedisServer, Reply, free_port, sphere};

const SECRET: &str = "a secret of the instances";

/// Two instances on machines of Fly, and the port of the first that is for instances.
async fn machines(redis: &RedisServer) -> ([Instance; 2], std::net::SocketAddr) {
    let (url, port) = (redis.url(), free_port());
    let text = port.to_string();
    let common = [
        ("STORAGE_BACKEND", "redis"),
        ("REDIS_URL", url.as_str()),
        ("INTERNAL_SECRET", SECRET),
        ("ROUTING", "fly-replay"),
        ("DEFAULT_DURABILITY", "registry"),
        // Long enough for whoever is stopped not to be replaced meanwhile.
        ("LEASE_TTL_MS", "60000"),
    ];
    let of_a = [("FLY_MACHINE_ID", "machine-a"), ("INTERNAL_PORT", &text)];
    let of_b = [("FLY_MACHINE_ID", "machine-b"), ("INTERNAL_PORT", "0")];
    let (a, b) = ([&common[..], &of_a].concat(), [&common[..], &of_b].concat());
    let (a, b) = tokio::join!(Instance::spawn(&a), Instance::spawn(&b));
    ([a, b], ([127, 0, 0, 1], port).into())
}

async fn state_of(client: &Client, sim: &str, headers: &[(&str, &str)]) -> Reply {
    let mut call = client.call("GET", format!("/simulations/{sim}/state"));
    for (name, value) in headers {
        call = call.header(name, *value);
    }
    call.send().await
}

fn is_replay(reply: &Reply) -> bool {
    let wish = reply.header("fly-replay").unwrap_or_default();
    wish.starts_with("instance=machine-b;")
}

#[tokio::test(flavor = "multi_thread")]
async fn row_38_what_the_proxy_cannot_send_again_is_forwarded() {
    let redis = RedisServer::start().await;
    let ([a, b], _) = machines(&redis).await;
    let (a, b) = (a.client(), b.client());
    let sim = b.simulation(&json!({"id": "s"})).await;
    let padded = |bytes: usize| {
        let body = sphere("ball", 0.5, [0.0; 3]).to_string();
        format!("{body}{}", " ".repeat(bytes))
    };
    let path = format!("/simulations/{sim}/bodies");

    let small = a.post_text(&path, padded(0)).await;
    let large = a.post_text(&path, padded(1 << 20)).await;
    let over = a.post_text(&path, padded(5 << 20)).await;

    assert!(is_replay(&small), "row 38: {:?}", small.headers);
    assert_eq!(large.status, 201, "row 38: {}", large.text());
    assert_eq!(large.header("sim-instance"), Some("machine-b"), "row 38");
    over.expect_problem(413, "body_too_large");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_43_what_clients_say_of_hops_is_of_no_account() {
    let redis = RedisServer::start().await;
    let ([a, b], internal) = machines(&redis).await;
    let (clients, inside) = ((a.client(), b.client()), Client::new(internal));
    let sim = clients.0.simulation(&json!({"id": "s"})).await;
    let honest = state_of(&clients.0, &sim, &[]).await.expect_status(200);
    let forged = [
        ("x-sim-hop", "1"),
        ("x-sim-expect", "machine-a:0"),
        ("x-sim-tenant", "alice"),
        ("x-sim-client", "10.1.2.3"),
        ("x-sim-signature", "00ff"),
        ("x-forwarded-for", "10.1.2.3"),
        ("x-forwarded-host", "evil"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "for=10.1.2.3;host=evil"),
        ("fly-client-ip", "10.1.2.3"),
        ("fly-replay-src", "instance=machine-b;state=evil.00ff;t=0"),
    ];

    let public = state_of(&clients.0, &sim, &forged).await;
    assert_eq!(public.status, 200, "row 43: {}", public.text());
    assert_eq!(public.body, honest.body, "row 43");
    let id = public.header("x-request-id").unwrap_or_default();
    assert!(!id.contains("evil"), "row 43: {id}");
    let inside_unsigned = state_of(&inside, &sim, &[]).await;
    inside_unsigned.expect_problem(403, "forbidden");
    let inside_forged = state_of(&inside, &sim, &forged).await;
    inside_forged.expect_problem(403, "forbidden");
    // There, too, nobody is read whose framing is in doubt.
    let mut line = Line::open(internal).await;
    line.say("GET /health HTTP/1.1\r\n\r\n").await;
    let answer = line.answer().await;
    let expected = (400, "malformed_request".to_owned());
    assert_eq!(answer.outcome(), expected, "row 43: {}", answer.head);
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_with_different_secrets_take_nothing_from_each_other() {
    let redis = RedisServer::start().await;
    let url = redis.url();
    let start = async |id, secret| {
        let env = [
            ("STORAGE_BACKEND", "redis"),
            ("REDIS_URL", url.as_str()),
            ("INSTANCE_ID", id),
            ("INTERNAL_PORT", "0"),
            ("INTERNAL_SECRET", secret),
            ("DEFAULT_DURABILITY", "registry"),
        ];
        Instance::spawn(&env).await
    };
    let (a, b) = tokio::join!(
        start("a", SECRET),
        start("b", "a secret of other instances")
    );
    let (a, b) = (a.client(), b.client());
    let sim = b.simulation(&json!({})).await;

    let through = state_of(&a, &sim, &[]).await;
    through.expect_problem(503, "owner_unreachable");
    state_of(&b, &sim, &[]).await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_44_a_request_that_was_sent_again_is_not_sent_again_once_more() {
    let redis = RedisServer::start().await;
    let ([a, mut b], _) = machines(&redis).await;
    let client = a.client();
    let sim = b.client().simulation(&json!({"id": "s"})).await;
    let again = [("fly-replay-src", "instance=machine-b;t=1")];
    let failed = [("fly-replay-failed", "instance=machine-b")];

    let first = state_of(&client, &sim, &[]).await;
    assert!(is_replay(&first), "row 44: {:?}", first.headers);
    for marks in [&again, &failed] {
        let hop = state_of(&client, &sim, marks).await;
        assert_eq!(hop.status, 200, "row 44: {}", hop.text());
        assert_eq!(hop.header("fly-replay"), None, "row 44");
        assert_eq!(hop.header("sim-instance"), Some("machine-b"), "row 44");
    }
    // The registry says that it is there, and nobody is.
    b.kill();
    for marks in [&again, &failed] {
        let gone = state_of(&client, &sim, marks).await;
        assert_eq!(gone.header("fly-replay"), None, "row 44");
        let problem = gone.expect_problem(503, "owner_unreachable");
        assert_eq!(problem.body["retryable"], Value::Bool(true), "row 44");
    }
    let mut line = Line::open(a.address()).await;
    line.say(get("/health")).await;
    assert_eq!(line.answer().await.status, 200, "row 44");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_94_nobody_is_called_unknown_while_the_registry_is_out_of_reach() {
    let redis = RedisServer::start().await;
    let ([a, _b], _) = machines(&redis).await;
    let client = a.client();
    let unknown = client.state("unknown").await;
    unknown.expect_problem(404, "simulation_not_found");

    drop(redis);

    for n in 0..5 {
        let unknown = client.state(&format!("unknown-{n}")).await;
        let problem = unknown.expect_problem(503, "registry_unavailable");
        assert_eq!(problem.body["retryable"], Value::Bool(true), "row 94");
    }
}
