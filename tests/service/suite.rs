//! What is proven at length on one plain server holds on every other kind of Redis as well.

use std::{ops::Range, time::Duration};

use futures_util::future::join_all;

use crate::{
    expiry::{expire, lasting, refresh, until_registered_again},
    fleet::expect_every_route_to_answer_alike,
    harness::{Client, Fleet, Store, Topology, eventually_true},
    ownership::{claim, expect_world, lose_to_an_heir, play_a_round, until_lost, world},
    topologies::{until_answered, until_redis_is},
};

const FAST: [(&str, &str); 3] = [
    ("LEASE_TTL_MS", "1500"),
    ("TTL_FLUSH_MS", "100"),
    ("REDIS_TIMEOUT_MS", "500"),
];
const SOON: Duration = Duration::from_secs(30);
const INSTANCES: usize = 3;
const IDS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_passes_on_a_server_with_a_password_and_without_dangerous_commands() {
    the_suite_passes_on(&Topology::hosted().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_passes_on_a_server_with_a_certificate_of_a_private_authority() {
    the_suite_passes_on(&Topology::tls().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_passes_on_a_cluster() {
    the_suite_passes_on(&Topology::cluster().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_passes_before_and_after_the_end_of_a_master_that_sentinels_replace() {
    let mut topology = Topology::sentinels().await;
    let fleet = start(&topology).await;
    let kept = keep(&fleet).await;
    live(&fleet, topology.store(), 0..1).await;

    if let Topology::Sentinels(set) = &mut topology {
        let slept = named("slept");
        // The master ends while an owner sleeps, and what that one had is claimed from the next.
        lose_to_an_heir(&fleet, 1, 0, &slept, async || {
            set.until_followed().await;
            set.fail_over();
        })
        .await;
        set.wait_for_new_master().await;
        for sim in &slept {
            fleet[1].client().destroy(sim).await.expect_status(204);
        }
    }

    let store = topology.store();
    for client in fleet.clients() {
        until_redis_is(&client, "ok").await;
    }
    for sim in &kept {
        store.until_it_knows(sim).await;
        for client in fleet.clients() {
            until_answered(&client, sim, 200).await;
        }
    }
    until_names_are_given(&fleet.clients()).await;
    live(&fleet, store, 1..2).await;
    end(fleet, store, &kept).await;
}

async fn the_suite_passes_on(topology: &Topology) {
    let fleet = start(topology).await;
    let kept = keep(&fleet).await;

    live(&fleet, topology.store(), 0..2).await;
    end(fleet, topology.store(), &kept).await;
}

async fn start(topology: &Topology) -> Fleet {
    let ca = topology.ca_file().map(|file| file.display().to_string());
    let trust = ca.as_deref().map(|ca| ("REDIS_CA_FILE", ca));
    let env: Vec<_> = FAST.into_iter().chain(trust).collect();
    let fleet = Fleet::start(INSTANCES, &topology.url(), &env).await;
    let store = topology.store();
    eventually_true(
        SOON,
        "every instance has its lease",
        |leases: &Vec<String>| leases.len() == INSTANCES,
        async || store.keys_of("instance:").await,
    )
    .await;
    fleet
}

/// Gives the last instance simulations that have taken three steps and outlast all that comes.
async fn keep(fleet: &Fleet) -> Vec<String> {
    let client = fleet[2].client();
    let ids = named("kept");
    let creations = ids.iter().map(async |id| {
        client.simulation(&world(id, "kept")).await;
        client.step(id, 3).await.expect_status(200);
    });
    join_all(creations).await;
    ids
}

/// Simulations of the first two instances are used from everywhere, run out, and are lost to
/// others while their owner sleeps.
async fn live(fleet: &Fleet, store: Store<'_>, rounds: Range<usize>) {
    let clients = fleet.clients();
    expect_every_route_to_answer_alike(&clients).await;

    clients[0].simulation(&lasting("used", 3)).await;
    for (way, client) in clients.iter().enumerate() {
        refresh(store, client, "used", way).await;
    }
    clients[1].destroy("used").await.expect_status(204);
    expire(store, &clients, &named("brief")).await;

    for round in rounds {
        play_a_round(fleet, store, round, IDS).await;
    }
}

/// The kept simulations survive that Redis forgets them, and are lost with their owner.
async fn end(mut fleet: Fleet, store: Store<'_>, kept: &[String]) {
    let clients = fleet.clients();
    store.forget_all().await;
    until_registered_again(store, kept).await;
    for sim in kept {
        for client in &clients {
            until_answered(client, sim, 200).await;
            expect_kept(client, sim).await;
        }
    }

    fleet[2].kill();
    for client in &clients[..2] {
        for sim in kept {
            until_lost(client, sim).await;
        }
    }
    claim(&clients[0], &world(&kept[0], "heir")).await;
    expect_world(&clients[1], &kept[0], "heir", "a").await;
}

/// Waits until no instance is in doubt any more about what others are yet to register again.
async fn until_names_are_given(clients: &[Client]) {
    for client in clients {
        claim(client, &world("given", "first")).await;
        client.destroy("given").await.expect_status(204);
    }
}

async fn expect_kept(client: &Client, sim: &str) {
    expect_world(client, sim, "kept", "c").await;
    let state = client.state(sim).await.expect_status(200).json();
    assert_eq!(state["step"], 3, "{sim}: {state}");
}

fn named(what: &str) -> Vec<String> {
    (0..IDS).map(|n| format!("{what}-{n}")).collect()
}
