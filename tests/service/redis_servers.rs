//! The Redis servers that other tests stand on behave, and fail, as those tests need them to.

use std::time::Duration;

use deadpool_redis::redis::{AsyncCommands, Client, RedisError, cmd};

use crate::harness::{
    Certificates, Instance, Proxy, RedisCluster, RedisServer, SentinelSet, eventually_true,
};

const SOON: Duration = Duration::from_secs(30);
const LONG: Duration = Duration::from_secs(20);
/// How long to wait for an answer that must not come.
const BRIEFLY: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_appends_to_a_file_comes_back_with_its_keys_and_another_without() {
    let mut lasting = RedisServer::with().append_only().start().await;
    let mut forgetful = RedisServer::start().await;
    let ports = (lasting.port(), forgetful.port());
    for server in [&lasting, &forgetful] {
        server
            .ask::<()>(&["HSET", "sim:{a}", "owner", "b", "step", "7"])
            .await;
        server.ask::<()>(&["PEXPIRE", "sim:{a}", "600000"]).await;
        server.ask::<()>(&["SET", "sim:{b}", "1"]).await;
    }

    lasting.kill();
    lasting
        .ping(LONG)
        .await
        .expect_err("a dead server says nothing");
    lasting.restart().await;
    forgetful.restart().await;

    assert_eq!((lasting.port(), forgetful.port()), ports);
    assert_eq!(lasting.keys_of("{a}").await, ["sim:{a}"]);
    assert_eq!(lasting.keys_of("sim:").await, ["sim:{a}", "sim:{b}"]);
    assert_eq!(lasting.hash("sim:{a}").await["step"], "7");
    let left = lasting.ttl_ms("sim:{a}").await;
    assert!((1..=600_000).contains(&left), "{left}");
    assert_eq!(lasting.ttl_ms("sim:{b}").await, -1);
    assert!(forgetful.keys_of("").await.is_empty());

    lasting.flush_all().await;
    assert_eq!(lasting.ttl_ms("sim:{a}").await, -2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_server_answers_nothing_until_it_is_resumed() {
    let server = RedisServer::start().await;

    server.pause();
    let silence = server.ping(BRIEFLY).await;
    server.resume();

    assert_times_out(silence);
    server.ping(LONG).await.expect("a resumed server answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_has_the_password_the_limits_and_the_socket_it_was_given() {
    let server = RedisServer::with()
        .password("p@ss/w\"rd")
        .renamed_commands(&["KEYS", "CONFIG", "FLUSHALL", "FLUSHDB"])
        .max_memory("4mb", "allkeys-lru")
        .unix_socket()
        .start()
        .await;
    let through_tcp = Proxy::to(server.address()).await;
    let mut connection = server.connection().await;

    server
        .ping_through(&through_tcp, LONG)
        .await
        .expect("the password is in both addresses");
    let stranger = Client::open(format!("redis://{}", server.address()));
    let mut stranger = stranger
        .expect("the address is legal")
        .get_multiplexed_async_connection()
        .await
        .expect("a password is asked for later");
    let refused: Result<(), _> = stranger.ping().await;
    let refused = refused.expect_err("a password is needed");
    assert_eq!(refused.code(), Some("NOAUTH"), "{refused}");
    for gone in ["KEYS", "CONFIG", "FLUSHALL", "FLUSHDB"] {
        let answer: Result<(), RedisError> = cmd(gone).arg("*").query_async(&mut connection).await;
        let error = answer.expect_err("a command of no name is unknown");
        assert!(error.to_string().contains("unknown command"), "{error}");
    }
    for n in 0..64 {
        let ballast = "x".repeat(100_000);
        let () = connection
            .set(format!("ballast-{n}"), ballast)
            .await
            .expect("a cache takes what is new");
    }
    let kept = server.keys_of("ballast").await.len();
    assert!((1..64).contains(&kept), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_counts_the_clients_that_are_not_the_test() {
    let server = RedisServer::start().await;
    assert_eq!(server.client_count().await, 0);

    let client = Client::open(server.url()).expect("the url is legal");
    let connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("the server takes connections");
    assert_eq!(server.client_count().await, 1);

    drop(connection);
    eventually_true(
        SOON,
        "nobody is connected",
        |&count| count == 0,
        async || server.client_count().await,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_certificate_is_reached_only_by_those_who_trust_its_authority() {
    let certificates = Certificates::new();
    let server = RedisServer::with().tls(&certificates).start().await;
    assert!(server.url().starts_with("rediss://"), "{}", server.url());

    server.ping(LONG).await.expect("its authority is trusted");

    let stranger = Client::open(server.url()).expect("the url is legal");
    let refused = stranger.get_multiplexed_async_connection().await.map(drop);
    let refused = refused.expect_err("nobody else trusts this authority");
    assert!(
        format!("{refused:?}").contains("UnknownIssuer"),
        "{refused:?}"
    );
    let plain =
        Client::open(format!("redis://{}", server.address())).expect("the address is legal");
    plain
        .get_multiplexed_async_connection()
        .await
        .map(drop)
        .expect_err("the port speaks TLS alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_of_a_cluster_takes_its_share_of_the_keys() {
    let cluster = RedisCluster::start().await;
    assert_eq!(cluster.url().matches("127.0.0.1:").count(), 3);
    let mut connection = cluster.connection().await;

    for n in 0..60 {
        let () = connection
            .set(format!("key-{n}"), n)
            .await
            .expect("some node takes every key");
    }

    for node in &cluster.nodes {
        assert!(!node.keys_of("key-").await.is_empty());
    }
    assert_eq!(cluster.keys_of("key-").await.len(), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_name_the_replica_when_the_master_is_gone_or_told_to_step_down() {
    let mut set = SentinelSet::start().await;
    let first = set.master().port();
    set.master().ask::<()>(&["SET", "kept", "1"]).await;
    set.until_followed().await;

    set.switch_over().await;
    let second = set.wait_for_new_master().await.port();
    assert_ne!(first, second);
    set.until_followed().await;

    set.fail_over();
    let third = set.wait_for_new_master().await;
    assert_eq!(third.port(), first);
    assert_eq!(third.ask::<u32>(&["GET", "kept"]).await, 1);
    assert_eq!(set.url().matches("127.0.0.1:").count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_can_refuse_swallow_and_delay_and_be_healed() {
    let server = RedisServer::start().await;
    let mut proxy = Proxy::to(server.address()).await;
    server
        .ping_through(&proxy, LONG)
        .await
        .expect("a new proxy passes everything");
    let client = Client::open(server.url_through(&proxy));
    let mut connection = client
        .expect("the url is legal")
        .get_multiplexed_async_connection()
        .await
        .expect("a new proxy passes everything");

    proxy.cut().await;
    let refused = server.ping_through(&proxy, LONG).await;
    let refused = refused.expect_err("a cut proxy refuses");
    assert!(refused.is_connection_refusal(), "{refused:?}");
    let dropped: Result<(), _> = connection.ping().await;
    let dropped = dropped.expect_err("a cut proxy closes what was open");
    assert!(dropped.is_connection_dropped(), "{dropped:?}");

    proxy.heal().await;
    server
        .ping_through(&proxy, LONG)
        .await
        .expect("a healed proxy passes everything");

    proxy.blackhole();
    assert_times_out(server.ping_through(&proxy, BRIEFLY).await);
    proxy.delay(LONG);
    assert_times_out(server.ping_through(&proxy, BRIEFLY).await);

    proxy.delay(Duration::from_millis(1));
    server
        .ping_through(&proxy, LONG)
        .await
        .expect("what is a little late arrives");
    proxy.heal().await;
    server
        .ping_through(&proxy, LONG)
        .await
        .expect("a healed proxy passes everything");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_can_be_stopped_resumed_and_killed() {
    let mut instance = Instance::spawn(&[]).await;
    let client = instance.client();
    assert_ne!(instance.pid(), std::process::id());

    instance.stop();
    let silence = tokio::time::timeout(BRIEFLY, client.health()).await;
    instance.resume();
    assert!(silence.is_err(), "{silence:?}");
    client.health().await.expect_status(200);

    let ended = instance.kill();
    assert_eq!(ended.code(), None, "{ended}");
    let gone = client.call("GET", "/health").try_send().await;
    gone.expect_err("nobody listens any more");
}

#[track_caller]
fn assert_times_out(answer: Result<(), RedisError>) {
    let error = answer.expect_err("no answer was to be expected");
    assert!(error.is_timeout(), "{error:?}");
}
