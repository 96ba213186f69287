//! What every registry promises, asked of the one in memory and of those in every kind of Redis.

#![expect(
    clippy::unwrap_used,
    reason = "each case is a test, called by one for each registry"
)]

mod asked;
mod assets;
mod contract;
mod journals;
mod journals_in_redis;

use std::{fs, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use deadpool_redis::redis::Value;
use futures_util::{FutureExt, future::LocalBoxFuture};
use rapier_physics_service::{
    assets::{AssetStore, MemoryAssets, RedisAssets},
    clock::Clock,
    journal::{Journal, MemoryJournal, RedisJournal},
    redis_store::{RedisOptions, RedisStore, RedisTarget},
    registry::{
        Ending, MemoryRegistry, Reasserted, RedisRegistry, Registration, Registry, Touch,
        Whereabouts,
    },
    shutdown::Shutdown,
};

use crate::{
    backends::asked::{
        BRIEF, SOON, TTL, fence, granted, held, owner, registration, release, sim, tenant, touch,
    },
    harness::{RedisServer, Store, Topology, eventually_true},
};

/// Asks it of a registry, and of the journals beside it, that know nothing.
type Case = fn(Backend) -> LocalBoxFuture<'static, ()>;

/// Makes two tests of each case, and a list of all of them for what takes long to start.
macro_rules! with_every_backend {
    ($($contract:ident: [$($case:ident),* $(,)?]),* $(,)?) => {
        mod in_memory {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    super::$contract::$case(super::Backend::in_memory().into()).await;
                }
            )*)*
        }

        mod in_redis {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    let server = super::RedisServer::start().await;
                    super::$contract::$case(super::Backend::in_redis(&server).into()).await;
                }
            )*)*
        }

        const CASES: &[(&str, Case)] = &[
            $($((stringify!($case), |backend| $contract::$case(backend.into()).boxed_local()),)*)*
        ];
    };
}

with_every_backend!(contract: [
    a_claim_is_granted_once_and_tells_others_who_holds_it,
    a_claim_over_the_holding_that_was_seen_replaces_it_with_a_later_one,
    a_claim_over_a_stale_holding_is_refused_with_the_present_one,
    an_owner_that_came_back_in_time_is_not_replaced,
    a_replaced_owner_can_neither_touch_nor_release_nor_reassert,
    a_touch_of_something_unknown_or_ended_says_that_it_is_missing,
    a_missing_entry_is_registered_again_under_the_same_token,
    a_claim_whose_answer_was_never_heard_is_adopted_by_its_nonce,
    a_claim_that_was_never_heard_of_is_registered_with_a_fence,
    a_reassertion_hands_the_entry_to_the_next_life_of_its_owner,
    a_release_leaves_a_tombstone_that_says_how_it_ended_and_blocks_nobody,
    a_simulation_is_found_by_its_own_tenant_alone,
    a_tombstone_is_seen_by_its_own_tenant_alone,
    a_name_taken_by_one_tenant_is_taken_for_all,
    a_lease_is_renewed_until_it_has_run_out,
    a_lease_is_not_renewed_by_another_nonce_or_after_another_took_it,
    a_lease_is_taken_only_over_what_was_seen,
    a_renewal_lists_those_who_live,
    anybody_may_ask_who_lives,
    a_peer_is_shown_as_it_last_renewed_its_lease,
    the_silence_of_an_owner_begins_with_the_end_of_its_lease,
    an_instance_that_resigns_is_gone_at_once,
    the_first_proposal_of_a_secret_wins,
    what_is_announced_is_heard_in_order_by_all_who_listen,
    a_thousand_touches_are_answered_in_their_order,
    nothing_to_do_is_done,
    a_whole_life_passes,
], journals: [
    entries_are_kept_in_order_and_read_a_page_at_a_time,
    an_entry_behind_another_one_than_the_last_is_told_where_the_journal_stands,
    an_entry_that_is_sent_twice_is_kept_once,
    what_is_appended_without_waiting_is_settled_in_order,
    a_claim_whose_answer_was_never_heard_may_write,
    a_replaced_owner_can_write_nothing_more,
    what_is_not_registered_has_no_journal,
    a_snapshot_is_read_as_it_was_saved_however_large,
    a_snapshot_keeps_the_one_before_it_and_the_entries_behind_that_one,
    a_snapshot_that_is_late_or_early_is_not_taken,
    what_rests_is_taken_over_from_its_snapshot,
    what_is_let_go_is_taken_over_with_its_entries,
    a_fault_stays_with_what_was_let_go,
    a_takeover_needs_what_was_seen_and_keeps_what_was_written_down,
    a_journal_that_forgot_is_told_again,
    a_repair_needs_what_was_seen_and_is_refused_to_a_replaced_owner,
    an_earlier_claim_that_is_back_is_claimed_again_by_a_reassertion,
    what_was_destroyed_is_not_registered_again,
    what_was_destroyed_before_a_claim_had_only_the_same_name,
    a_registration_that_comes_late_does_not_undo_a_later_one,
    a_touch_and_a_reassertion_tell_where_the_journal_stands,
    a_claim_over_a_journal_begins_anew,
    a_release_takes_the_journal_with_it,
    journalled_simulations_are_listed_in_the_order_of_their_creation,
], assets: [
    a_file_is_read_as_it_was_put_however_large,
    a_file_is_new_once,
    a_file_is_there_until_its_time_is_over,
    what_was_never_put_is_not_there,
]);

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_password_and_without_dangerous_commands_keeps_every_promise() {
    every_promise_is_kept_on(&Topology::hosted().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_certificate_of_a_private_authority_keeps_every_promise() {
    every_promise_is_kept_on(&Topology::tls().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_keeps_every_promise() {
    every_promise_is_kept_on(&Topology::cluster().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_sentinels_watch_keeps_every_promise() {
    every_promise_is_kept_on(&Topology::sentinels().await).await;
}

/// Asks everything of one Redis, which forgets all of it in between; names what did not hold.
async fn every_promise_is_kept_on(topology: &Topology) {
    let store = topology.store();
    let mut broken = Vec::new();
    for (name, case) in CASES {
        store.forget_all().await;
        let asked = AssertUnwindSafe(case(Backend::on(topology)));
        let asked = asked.catch_unwind().await;
        if asked.is_err() {
            broken.push(*name);
        }
    }
    assert!(broken.is_empty(), "these did not hold: {broken:?}");

    store.forget_all().await;
    survives_the_loss_of_all_scripts(&*Backend::on(topology).registry, store).await;
    grows_fences_across_the_loss_of_everything(&*Backend::on(topology).registry, store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_transition_survives_the_loss_of_all_scripts() {
    let server = RedisServer::start().await;
    let registry = Backend::in_redis(&server).registry;

    survives_the_loss_of_all_scripts(&*registry, (&server).into()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_hosted_servers_lack_are_not_needed() {
    let server = RedisServer::with()
        .renamed_commands(&["KEYS", "CONFIG", "FLUSHALL", "FLUSHDB"])
        .start()
        .await;
    let registry = Backend::in_redis(&server).registry;

    contract::live(&*registry, async || {}).await;

    let promises = registry.promises().await.unwrap();
    assert_eq!(promises.eviction.as_deref(), Some("noeviction"));
    assert_eq!(promises.appendfsync, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn fences_grow_across_the_loss_of_everything() {
    let server = RedisServer::start().await;
    let registry = Backend::in_redis(&server).registry;

    grows_fences_across_the_loss_of_everything(&*registry, (&server).into()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_expire_in_redis_as_they_were_told_to() {
    let server = RedisServer::start().await;
    let registry = Backend::in_redis(&server).registry;
    let me = owner("a");
    let meta = "sim:{s}:meta";
    let wanted = registration("s", None);
    let token = granted(registry.claim(&me, &wanted, None).await);
    let near = |left: i64, told: i64| (told - 15_000..=told).contains(&left);

    let claimed = server.ttl_ms(meta).await;
    let longer = Touch {
        expires_in: TTL * 10,
        ..touch("s", &token)
    };
    registry.touch(&[longer]).await.unwrap();
    let touched = server.ttl_ms(meta).await;
    registry.touch(&[touch("s", &token)]).await.unwrap();
    let not_sooner = server.ttl_ms(meta).await;
    let known = Registration { token, ..wanted };
    registry.reassert(&me, &[known]).await.unwrap();
    let sooner = server.ttl_ms(meta).await;

    assert!(near(claimed, 60_000), "{claimed}");
    assert!(near(touched, 600_000), "{touched}");
    assert!(near(not_sooner, 600_000), "{not_sooner}");
    assert!(near(sooner, 60_000), "{sooner}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_was_left_to_end_is_taken_for_expired_when_its_time_is_over() {
    let server = RedisServer::start().await;
    let registry = Backend::in_redis(&server).registry;
    let me = owner("a");
    let brief = Registration {
        expires_in: BRIEF,
        ..registration("brief", Some("alice"))
    };
    granted(registry.claim(&me, &brief, None).await);
    granted(
        registry
            .claim(&me, &registration("mislaid", None), None)
            .await,
    );

    server.ask::<()>(&["DEL", "sim:{mislaid}:meta"]).await;
    let mislaid = registry.find(&sim("mislaid"), None).await.unwrap();
    eventually_true(
        SOON,
        "the entry has run out",
        |found| *found == Whereabouts::Overdue,
        async || {
            let alice = tenant("alice");
            let found = registry.find(&sim("brief"), alice.as_ref()).await;
            found.unwrap()
        },
    )
    .await;

    assert_eq!(mislaid, Whereabouts::Mislaid);
    for stranger in [None, tenant("bob")] {
        let found = registry.find(&sim("brief"), stranger.as_ref()).await;
        assert_eq!(found.unwrap(), Whereabouts::Unknown);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_owner_leaves_the_expiry_noted_by_the_next_one_alone() {
    let server = RedisServer::start().await;
    let registry = Backend::in_redis(&server).registry;
    let (first, second) = (owner("a"), owner("b"));
    let wanted = registration("s", None);
    let old = granted(registry.claim(&first, &wanted, None).await);
    let replacing = Registration {
        expires_in: TTL * 10,
        ..registration("s", None)
    };
    granted(
        registry
            .claim(&second, &replacing, Some(&held(&first, &old)))
            .await,
    );
    let noted = async || -> Option<f64> { server.ask(&["ZSCORE", "sims:expiry", "s"]).await };
    let before = noted().await;

    let known = Registration {
        token: old.clone(),
        ..wanted
    };
    registry.touch(&[touch("s", &old)]).await.unwrap();
    registry.reassert(&first, &[known]).await.unwrap();
    registry
        .release(&[release("s", &old, Ending::Lost)])
        .await
        .unwrap();

    assert!(before.is_some());
    assert_eq!(noted().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_long_ago_is_swept_a_batch_at_a_time() {
    let server = RedisServer::start().await;
    let registry = Backend::in_redis(&server).registry;
    granted(
        registry
            .claim(&owner("a"), &registration("lives", None), None)
            .await,
    );
    for n in 0..7 {
        let member = format!("old-{n}");
        server
            .ask::<Value>(&["ZADD", "sims:expiry", "1000", &member])
            .await;
    }

    let swept = [
        registry.sweep(5).await.unwrap(),
        registry.sweep(5).await.unwrap(),
        registry.sweep(5).await.unwrap(),
    ];

    assert_eq!(swept, [5, 2, 0]);
    let left: Vec<String> = server.ask(&["ZRANGE", "sims:expiry", "0", "-1"]).await;
    assert_eq!(left, ["lives"]);
}

async fn survives_the_loss_of_all_scripts(registry: &dyn Registry, store: Store<'_>) {
    contract::live(registry, async || {
        for server in store.servers() {
            server.ask::<()>(&["SCRIPT", "FLUSH"]).await;
        }
    })
    .await;
}

async fn grows_fences_across_the_loss_of_everything(registry: &dyn Registry, store: Store<'_>) {
    let me = owner("a");
    let mut last = 0;

    for _ in 0..5 {
        let wanted = registration("fenced", None);
        let token = granted(registry.claim(&me, &wanted, None).await);
        assert!(fence(&token) > last, "{token:?} after {last}");
        store.forget_all().await;
        let unheard = registry.reassert(&me, &[wanted]).await.unwrap();
        let [Reasserted::Kept(reasserted, None)] = &unheard[..] else {
            panic!("{unheard:?}");
        };
        assert!(fence(reasserted) > fence(&token), "{reasserted:?}");
        last = fence(reasserted);
        store.forget_all().await;
    }
}

/// A registry and the journals beside it.
#[derive(Clone)]
pub(crate) struct Backend {
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) assets: Arc<dyn AssetStore>,
}

impl Backend {
    fn in_memory() -> Self {
        let registry = Arc::new(MemoryRegistry::new(Clock::start()));
        Self {
            journal: Arc::new(MemoryJournal::new(Arc::clone(&registry))),
            registry,
            assets: Arc::new(MemoryAssets::new(Clock::start(), 100, 1 << 30)),
        }
    }

    fn in_redis(server: &RedisServer) -> Self {
        Self::at(&server.url(), None)
    }

    fn on(topology: &Topology) -> Self {
        let pem = |file| fs::read(file).expect("the certificates are there");
        Self::at(&topology.url(), topology.ca_file().map(pem))
    }

    fn at(url: &str, ca_pem: Option<Vec<u8>>) -> Self {
        Self::with_patience(url, ca_pem, Duration::from_secs(10))
    }

    /// A backend in Redis that waits only so long for an answer.
    fn with_patience(url: &str, ca_pem: Option<Vec<u8>>, timeout: Duration) -> Self {
        let target = RedisTarget::parse(url).expect("these are legal addresses");
        let options = RedisOptions {
            timeout,
            pool_size: 4,
            ca_pem,
        };
        let store = RedisStore::new(&target, options).expect("the certificates are legal");
        Self {
            journal: Arc::new(RedisJournal::new(store.clone(), &Shutdown::default())),
            registry: Arc::new(RedisRegistry::new(store.clone())),
            assets: Arc::new(RedisAssets::new(store)),
        }
    }
}

impl From<Backend> for Arc<dyn AssetStore> {
    fn from(backend: Backend) -> Self {
        backend.assets
    }
}

impl From<Backend> for Arc<dyn Registry> {
    fn from(backend: Backend) -> Self {
        backend.registry
    }
}
