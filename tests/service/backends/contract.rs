//! What every registry promises; each case begins with a registry that knows nothing.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;
use rapier_physics_service::{
    id::Nonce,
    registry::{
        Claim, Ending, Event, FencingToken, Happening, Holding, Owner, Peer, Reasserted,
        Registration, Registry, Release, Renewal, Touched, Whereabouts,
    },
};

use crate::{
    backends::asked::{
        BRIEF, LONG, SOON, fence, granted, held, living, owned, owner, peer, registration, release,
        sim, tenant, touch,
    },
    harness::{eventually, eventually_true},
};

pub(crate) async fn a_claim_is_granted_once_and_tells_others_who_holds_it(
    registry: Arc<dyn Registry>,
) {
    let (first, second) = (owner("a"), owner("b"));
    let wanted = registration("s", Some("alice"));

    let token = granted(registry.claim(&first, &wanted, None).await);
    let refused = registry
        .claim(&second, &registration("s", Some("alice")), None)
        .await;
    let again = registry.claim(&first, &wanted, None).await;
    let found = registry.find(&sim("s"), tenant("alice").as_ref()).await;

    let holding = Holding {
        owner: Some(first),
        token: token.clone(),
        tenant: tenant("alice"),
        is_journalled: false,
        fault: None,
    };
    assert_eq!(token.nonce(), wanted.token.nonce());
    assert!(fence(&token) > 0);
    assert_eq!(refused.unwrap(), Claim::Taken(holding.clone()));
    assert_eq!(again.unwrap(), Claim::Taken(holding.clone()));
    assert_eq!(found.unwrap(), Whereabouts::Owned(holding));
}

pub(crate) async fn a_claim_over_the_holding_that_was_seen_replaces_it_with_a_later_one(
    registry: Arc<dyn Registry>,
) {
    let first = owner("a");
    let token = granted(registry.claim(&first, &registration("s", None), None).await);
    let mut seen = held(&first, &token);

    for name in ["b", "c", "d", "e"] {
        let next = owner(name);
        let wanted = registration("s", None);
        let taken = granted(registry.claim(&next, &wanted, Some(&seen)).await);

        assert!(
            fence(&taken) > fence(&seen.token),
            "{taken:?} over {seen:?}"
        );
        assert_eq!(taken.nonce(), wanted.token.nonce());
        let found = registry.find(&sim("s"), None).await.unwrap();
        assert_eq!(found, owned(&next, &taken));
        seen = held(&next, &taken);
    }
}

pub(crate) async fn a_claim_over_a_stale_holding_is_refused_with_the_present_one(
    registry: Arc<dyn Registry>,
) {
    let (first, second, third) = (owner("a"), owner("b"), owner("c"));
    let stale = granted(registry.claim(&first, &registration("s", None), None).await);
    let stale = held(&first, &stale);
    let present = registry
        .claim(&second, &registration("s", None), Some(&stale))
        .await;
    let present = granted(present);

    for over in [
        stale,
        held(&second, &FencingToken::pending()),
        held(
            &second,
            &FencingToken::from_text(&format!("{}:x", fence(&present))),
        ),
        held(&first, &present),
    ] {
        let refused = registry
            .claim(&third, &registration("s", None), Some(&over))
            .await
            .unwrap();

        assert_eq!(
            refused,
            Claim::Taken(held(&second, &present)),
            "over {over:?}"
        );
    }
}

pub(crate) async fn an_owner_that_came_back_in_time_is_not_replaced(registry: Arc<dyn Registry>) {
    let (before, after, heir) = (owner("a"), owner("a"), owner("b"));
    let wanted = registration("s", None);
    let token = granted(registry.claim(&before, &wanted, None).await);
    let seen = held(&before, &token);
    let known = Registration {
        token: token.clone(),
        ..wanted
    };

    registry.reassert(&after, &[known]).await.unwrap();
    let refused = registry
        .claim(&heir, &registration("s", None), Some(&seen))
        .await
        .unwrap();

    assert_eq!(refused, Claim::Taken(held(&after, &token)));
    let touched = registry.touch(&[touch("s", &token)]).await.unwrap();
    assert_eq!(touched, [Touched::Kept(None)]);
}

pub(crate) async fn a_replaced_owner_can_neither_touch_nor_release_nor_reassert(
    registry: Arc<dyn Registry>,
) {
    let (first, second) = (owner("a"), owner("b"));
    let wanted = registration("s", None);
    let old = granted(registry.claim(&first, &wanted, None).await);
    let new = registry
        .claim(&second, &registration("s", None), Some(&held(&first, &old)))
        .await;
    let new = granted(new);

    let touched = registry.touch(&[touch("s", &old)]).await.unwrap();
    registry
        .release(&[release("s", &old, Ending::Destroyed)])
        .await
        .unwrap();
    let known = Registration {
        token: old.clone(),
        ..wanted.clone()
    };
    let reasserted = registry.reassert(&first, &[known, wanted]).await.unwrap();

    assert_eq!(touched, [Touched::Lost]);
    assert_eq!(reasserted, [Reasserted::Lost, Reasserted::Lost]);
    let found = registry.find(&sim("s"), None).await.unwrap();
    assert_eq!(found, owned(&second, &new));
    let touched = registry.touch(&[touch("s", &new)]).await.unwrap();
    assert_eq!(touched, [Touched::Kept(None)]);
}

pub(crate) async fn a_touch_of_something_unknown_or_ended_says_that_it_is_missing(
    registry: Arc<dyn Registry>,
) {
    let me = owner("a");
    let token = granted(registry.claim(&me, &registration("s", None), None).await);
    registry
        .release(&[release("s", &token, Ending::Destroyed)])
        .await
        .unwrap();

    let touched = registry
        .touch(&[touch("s", &token), touch("never", &token)])
        .await
        .unwrap();

    assert_eq!(touched, [Touched::Missing, Touched::Missing]);
    for id in ["s", "never"] {
        let found = registry.find(&sim(id), None).await.unwrap();
        assert!(!matches!(found, Whereabouts::Owned(_)), "{found:?}");
    }
}

pub(crate) async fn a_missing_entry_is_registered_again_under_the_same_token(
    registry: Arc<dyn Registry>,
) {
    let (me, wanted) = (owner("a"), registration("s", Some("alice")));
    let token = granted(registry.claim(&me, &wanted, None).await);
    let ended = Release {
        tenant: tenant("alice"),
        ..release("s", &token, Ending::Expired)
    };
    registry.release(&[ended]).await.unwrap();
    let known = Registration {
        token: token.clone(),
        ..wanted
    };
    let unheard_of = Registration {
        token: FencingToken::from_text("7:0123456789abcdef"),
        ..registration("t", None)
    };

    let reasserted = registry
        .reassert(&me, &[known, unheard_of.clone()])
        .await
        .unwrap();

    let kept = |token: &FencingToken| Reasserted::Kept(token.clone(), None);
    assert_eq!(reasserted, [kept(&token), kept(&unheard_of.token)]);
    let found = registry.find(&sim("s"), tenant("alice").as_ref()).await;
    let holding = Holding {
        owner: Some(me.clone()),
        token,
        tenant: tenant("alice"),
        is_journalled: false,
        fault: None,
    };
    assert_eq!(found.unwrap(), Whereabouts::Owned(holding));
    let found = registry.find(&sim("t"), None).await.unwrap();
    assert_eq!(found, owned(&me, &unheard_of.token));
}

pub(crate) async fn a_claim_whose_answer_was_never_heard_is_adopted_by_its_nonce(
    registry: Arc<dyn Registry>,
) {
    let (me, wanted) = (owner("a"), registration("s", None));
    let token = granted(registry.claim(&me, &wanted, None).await);
    assert_eq!(fence(&wanted.token), 0);

    let adopted = registry.reassert(&me, std::slice::from_ref(&wanted)).await;
    let touched = registry.touch(&[touch("s", &token)]).await;
    registry
        .release(&[release("s", &wanted.token, Ending::Destroyed)])
        .await
        .unwrap();

    assert_eq!(adopted.unwrap(), [Reasserted::Kept(token, None)]);
    assert_eq!(touched.unwrap(), [Touched::Kept(None)]);
    let found = registry.find(&sim("s"), None).await.unwrap();
    assert_eq!(found, Whereabouts::Ended(Ending::Destroyed));
}

pub(crate) async fn a_claim_that_was_never_heard_of_is_registered_with_a_fence(
    registry: Arc<dyn Registry>,
) {
    let (me, wanted) = (owner("a"), registration("s", None));

    let reasserted = registry.reassert(&me, std::slice::from_ref(&wanted)).await;

    let reasserted = reasserted.unwrap();
    let [Reasserted::Kept(token, None)] = &reasserted[..] else {
        panic!("{reasserted:?}");
    };
    assert!(fence(token) > 0);
    assert_eq!(token.nonce(), wanted.token.nonce());
    let found = registry.find(&sim("s"), None).await.unwrap();
    assert_eq!(found, owned(&me, token));
}

pub(crate) async fn a_reassertion_hands_the_entry_to_the_next_life_of_its_owner(
    registry: Arc<dyn Registry>,
) {
    let (before, after) = (owner("a"), owner("a"));
    let wanted = registration("s", None);
    let token = granted(registry.claim(&before, &wanted, None).await);

    let known = Registration {
        token: token.clone(),
        ..wanted
    };
    let reasserted = registry.reassert(&after, &[known]).await.unwrap();

    assert_eq!(reasserted, [Reasserted::Kept(token.clone(), None)]);
    let found = registry.find(&sim("s"), None).await.unwrap();
    assert_eq!(found, owned(&after, &token));
}

pub(crate) async fn a_release_leaves_a_tombstone_that_says_how_it_ended_and_blocks_nobody(
    registry: Arc<dyn Registry>,
) {
    let (me, other) = (owner("a"), owner("b"));
    let mut last = 0;
    for ending in [Ending::Destroyed, Ending::Expired, Ending::Lost] {
        let token = granted(registry.claim(&me, &registration("s", None), None).await);

        registry
            .release(&[release("s", &token, ending)])
            .await
            .unwrap();

        let found = registry.find(&sim("s"), None).await.unwrap();
        assert_eq!(found, Whereabouts::Ended(ending));
        assert!(fence(&token) > last, "{token:?} after {last}");
        last = fence(&token);
    }

    let token = granted(registry.claim(&other, &registration("s", None), None).await);

    let found = registry.find(&sim("s"), None).await.unwrap();
    assert_eq!(found, owned(&other, &token));
}

pub(crate) async fn a_simulation_is_found_by_its_own_tenant_alone(registry: Arc<dyn Registry>) {
    let me = owner("a");
    let alices = registration("alices", Some("alice"));
    granted(registry.claim(&me, &alices, None).await);
    granted(
        registry
            .claim(&me, &registration("anybodys", None), None)
            .await,
    );

    for (id, who, is_found) in [
        ("alices", Some("alice"), true),
        ("alices", Some("bob"), false),
        ("alices", None, false),
        ("anybodys", None, true),
        ("anybodys", Some("alice"), false),
        ("nobodys", None, false),
        ("nobodys", Some("alice"), false),
    ] {
        let who = who.and_then(tenant);
        let found = registry.find(&sim(id), who.as_ref()).await.unwrap();
        if is_found {
            assert!(matches!(found, Whereabouts::Owned(_)), "{id}: {found:?}");
        } else {
            assert_eq!(found, Whereabouts::Unknown, "{id} for {who:?}");
        }
    }
}

pub(crate) async fn a_tombstone_is_seen_by_its_own_tenant_alone(registry: Arc<dyn Registry>) {
    let me = owner("a");
    let alices = registration("s", Some("alice"));
    let token = granted(registry.claim(&me, &alices, None).await);

    let ended = Release {
        tenant: tenant("alice"),
        ..release("s", &token, Ending::Lost)
    };
    registry.release(&[ended]).await.unwrap();

    for (who, expected) in [
        (Some("alice"), Whereabouts::Ended(Ending::Lost)),
        (Some("bob"), Whereabouts::Unknown),
        (None, Whereabouts::Unknown),
    ] {
        let who = who.and_then(tenant);
        let found = registry.find(&sim("s"), who.as_ref()).await.unwrap();
        assert_eq!(found, expected, "for {who:?}");
    }
}

pub(crate) async fn a_name_taken_by_one_tenant_is_taken_for_all(registry: Arc<dyn Registry>) {
    let me = owner("a");
    let token = granted(
        registry
            .claim(&me, &registration("s", Some("alice")), None)
            .await,
    );

    let refused = registry
        .claim(&owner("b"), &registration("s", Some("bob")), None)
        .await
        .unwrap();

    let holding = Holding {
        owner: Some(me),
        token,
        tenant: tenant("alice"),
        is_journalled: false,
        fault: None,
    };
    assert_eq!(refused, Claim::Taken(holding));
}

pub(crate) async fn a_lease_is_renewed_until_it_has_run_out(registry: Arc<dyn Registry>) {
    let me = peer("a", 3, 7);
    let before = registry.renew(&me, LONG).await.unwrap();
    registry.take_lease(&me, LONG, None).await.unwrap();

    let renewed = registry.renew(&me, LONG).await.unwrap();
    registry.renew(&me, BRIEF).await.unwrap();
    until_gone(&*registry, &me).await;
    let after = registry.renew(&me, LONG).await.unwrap();

    assert!(matches!(before, Renewal::Gone(_)), "{before:?}");
    assert_eq!(living(renewed), [me.owner]);
    assert!(matches!(after, Renewal::Gone(_)), "{after:?}");
}

pub(crate) async fn a_lease_is_not_renewed_by_another_nonce_or_after_another_took_it(
    registry: Arc<dyn Registry>,
) {
    let (first, second) = (peer("a", 0, 1), peer("a", 0, 2));
    registry.take_lease(&first, LONG, None).await.unwrap();

    let stranger = registry.renew(&second, LONG).await.unwrap();
    let first_held = registry.renew(&first, LONG).await.unwrap();
    registry
        .take_lease(&second, LONG, Some(&first.owner.nonce))
        .await
        .unwrap();
    let first_again = registry.renew(&first, LONG).await.unwrap();
    let second_held = registry.renew(&second, LONG).await.unwrap();

    assert!(matches!(stranger, Renewal::Gone(_)), "{stranger:?}");
    assert!(matches!(first_held, Renewal::Held(_)), "{first_held:?}");
    assert!(matches!(first_again, Renewal::Gone(_)), "{first_again:?}");
    assert!(living(second_held).contains(&second.owner));
    let shown = registry.peer(&second.owner.instance).await.unwrap();
    assert_eq!(shown, Some(second));
}

pub(crate) async fn a_lease_is_taken_only_over_what_was_seen(registry: Arc<dyn Registry>) {
    let [first, given_up, second] = [0, 1, 2].map(|room| peer("a", 0, room));
    let nonce = |peer: &Peer| Some(peer.owner.nonce.clone());
    let take = async |who: &Peer, over: Option<Nonce>| {
        let taken = registry.take_lease(who, LONG, over.as_ref()).await;
        taken.unwrap()
    };

    let over_nobody = take(&first, None).await;
    let early = take(&second, None).await;
    let seen = registry.renew(&second, LONG).await.unwrap();
    let over_the_first = take(&second, nonce(&first)).await;
    let late = take(&given_up, nonce(&first)).await;
    let later = take(&given_up, None).await;
    let again = take(&second, nonce(&first)).await;

    assert!(over_nobody && over_the_first, "nothing had changed");
    assert!(!early, "over somebody that was not seen");
    assert!(
        matches!(&seen, Renewal::Gone(holder) if *holder == nonce(&first)),
        "{seen:?}"
    );
    assert!(!late && !later, "an order that was given up");
    assert!(again, "the same order, whose answer was lost");
    let renewed = registry.renew(&second, LONG).await.unwrap();
    assert_eq!(living(renewed), std::slice::from_ref(&second.owner));
    let shown = registry.peer(&second.owner.instance).await.unwrap();
    assert_eq!(shown, Some(second));
}

pub(crate) async fn a_renewal_lists_those_who_live(registry: Arc<dyn Registry>) {
    let (first, second, brief) = (peer("a", 0, 1), peer("b", 0, 1), peer("c", 0, 1));
    for (who, lease) in [(&first, LONG), (&second, LONG), (&brief, BRIEF)] {
        registry.take_lease(who, LONG, None).await.unwrap();
        registry.renew(who, lease).await.unwrap();
    }

    let lasting = eventually_true(
        SOON,
        "those whose leases ended are left out",
        |owners: &Vec<Owner>| !owners.contains(&brief.owner),
        async || living(registry.renew(&first, LONG).await.unwrap()),
    )
    .await;

    assert_eq!(lasting, [first.owner, second.owner]);
}

pub(crate) async fn anybody_may_ask_who_lives(registry: Arc<dyn Registry>) {
    assert!(registry.living().await.unwrap().is_empty());
    let (lasting, brief, leaving) = (peer("a", 0, 1), peer("b", 0, 1), peer("c", 0, 1));
    for (who, lease) in [(&lasting, LONG), (&brief, BRIEF), (&leaving, LONG)] {
        registry.take_lease(who, LONG, None).await.unwrap();
        registry.renew(who, lease).await.unwrap();
    }

    registry.resign(&leaving.owner).await.unwrap();

    eventually_true(
        SOON,
        "those whose leases ended are left out",
        |owners: &Vec<Owner>| *owners == [lasting.owner.clone()],
        async || registry.living().await.unwrap(),
    )
    .await;
}

pub(crate) async fn a_peer_is_shown_as_it_last_renewed_its_lease(registry: Arc<dyn Registry>) {
    let first = peer("a", 1, 9);
    let later = Peer {
        simulations: 4,
        room: 0,
        url: "http://elsewhere:2".into(),
        ..first.clone()
    };
    registry.take_lease(&first, LONG, None).await.unwrap();

    let taken = registry.peer(&first.owner.instance).await.unwrap();
    registry.renew(&later, LONG).await.unwrap();
    let renewed = registry.peer(&first.owner.instance).await.unwrap();
    let unknown = registry.peer(&owner("b").instance).await.unwrap();

    assert_eq!(taken, Some(first));
    assert_eq!(renewed, Some(later));
    assert_eq!(unknown, None);
}

pub(crate) async fn the_silence_of_an_owner_begins_with_the_end_of_its_lease(
    registry: Arc<dyn Registry>,
) {
    let me = peer("a", 0, 1);
    registry.take_lease(&me, LONG, None).await.unwrap();
    registry.renew(&me, LONG).await.unwrap();

    let living = registry.silence(&me.owner).await.unwrap();
    registry.renew(&me, BRIEF).await.unwrap();
    let silent = eventually(SOON, "silence grows", async || {
        match registry.silence(&me.owner).await.unwrap() {
            Some(silence) if silence > BRIEF / 2 => Ok(silence),
            other => Err(other),
        }
    })
    .await;
    let stranger = registry.silence(&owner("b")).await.unwrap();

    assert_eq!(living, Some(Duration::ZERO));
    assert!(silent < SOON, "{silent:?}");
    assert_eq!(stranger, None);
    assert_eq!(registry.peer(&me.owner.instance).await.unwrap(), None);
}

pub(crate) async fn an_instance_that_resigns_is_gone_at_once(registry: Arc<dyn Registry>) {
    let (leaving, staying) = (peer("a", 0, 1), peer("b", 0, 1));
    for who in [&leaving, &staying] {
        registry.take_lease(who, LONG, None).await.unwrap();
        registry.renew(who, LONG).await.unwrap();
    }

    registry.resign(&owner("b")).await.unwrap();
    registry.resign(&leaving.owner).await.unwrap();

    assert_eq!(registry.peer(&leaving.owner.instance).await.unwrap(), None);
    let renewed = registry.renew(&leaving, LONG).await.unwrap();
    assert!(matches!(renewed, Renewal::Gone(_)), "{renewed:?}");
    let left = living(registry.renew(&staying, LONG).await.unwrap());
    assert_eq!(left, [staying.owner]);
}

pub(crate) async fn the_first_proposal_of_a_secret_wins(registry: Arc<dyn Registry>) {
    let first = registry.secret("first").await.unwrap();
    let second = registry.secret("second").await.unwrap();

    assert_eq!((first.as_str(), second.as_str()), ("first", "first"));
}

pub(crate) async fn what_is_announced_is_heard_in_order_by_all_who_listen(
    registry: Arc<dyn Registry>,
) {
    let events: Vec<_> = [
        Happening::Created,
        Happening::Lost,
        Happening::Expired,
        Happening::Destroyed,
    ]
    .into_iter()
    .map(|happening| Event {
        happening,
        id: sim("s"),
        instance: owner("a").instance,
    })
    .collect();
    let one = registry.listen().await.unwrap();
    let other = registry.listen().await.unwrap();

    registry.announce(&events).await.unwrap();

    for listener in [one, other] {
        let heard = listener.take(events.len()).collect::<Vec<_>>();
        let heard = tokio::time::timeout(SOON, heard).await;
        assert_eq!(heard.expect("announcements arrive"), events);
    }
}

pub(crate) async fn a_thousand_touches_are_answered_in_their_order(registry: Arc<dyn Registry>) {
    let (me, count) = (owner("a"), 1000);
    let wanted: Vec<_> = (0..count)
        .map(|n| registration(&format!("s{n}"), None))
        .collect();
    let kept = registry.reassert(&me, &wanted).await.unwrap();
    let mut touches: Vec<_> = wanted
        .iter()
        .zip(&kept)
        .map(|(registration, kept)| match kept {
            Reasserted::Kept(token, _) => touch(registration.id.as_str(), token),
            Reasserted::Lost => panic!("nobody else has {}", registration.id),
        })
        .collect();
    touches[500].token = FencingToken::pending();
    touches[700].id = sim("nowhere");

    let touched = registry.touch(&touches).await.unwrap();

    assert_eq!(touched.len(), count);
    for (n, touched) in touched.into_iter().enumerate() {
        let expected = match n {
            500 => Touched::Lost,
            700 => Touched::Missing,
            _ => Touched::Kept(None),
        };
        assert_eq!(touched, expected, "number {n}");
    }
}

pub(crate) async fn nothing_to_do_is_done(registry: Arc<dyn Registry>) {
    let me = owner("a");

    assert!(registry.reassert(&me, &[]).await.unwrap().is_empty());
    assert!(registry.touch(&[]).await.unwrap().is_empty());
    registry.release(&[]).await.unwrap();
    registry.announce(&[]).await.unwrap();
    assert_eq!(registry.sweep(10).await.unwrap(), 0);
}

pub(crate) async fn a_whole_life_passes(registry: Arc<dyn Registry>) {
    live(&*registry, async || {}).await;
}

/// Goes through every transition there is, with `before` before each.
pub(crate) async fn live(registry: &dyn Registry, before: impl AsyncFn()) {
    let (me, heir) = (peer("a", 1, 2), peer("b", 3, 4));
    let wanted = registration("s", Some("alice"));

    before().await;
    registry.take_lease(&me, LONG, None).await.unwrap();
    before().await;
    let renewed = registry.renew(&me, LONG).await.unwrap();
    assert_eq!(living(renewed), std::slice::from_ref(&me.owner));
    before().await;
    assert_eq!(registry.secret("secret").await.unwrap(), "secret");
    before().await;
    let token = granted(registry.claim(&me.owner, &wanted, None).await);
    before().await;
    let refused = registry.claim(&heir.owner, &wanted, None).await.unwrap();
    assert!(matches!(refused, Claim::Taken(_)), "{refused:?}");
    before().await;
    let touched = registry.touch(&[touch("s", &token)]).await.unwrap();
    assert_eq!(touched, [Touched::Kept(None)]);
    before().await;
    let found = registry.find(&wanted.id, wanted.tenant.as_ref()).await;
    assert!(matches!(found.unwrap(), Whereabouts::Owned(_)));
    before().await;
    let known = Registration { token, ..wanted };
    let reasserted = registry
        .reassert(&me.owner, std::slice::from_ref(&known))
        .await;
    let Registration { token, tenant, .. } = known;
    assert_eq!(reasserted.unwrap(), [Reasserted::Kept(token.clone(), None)]);
    before().await;
    assert_eq!(
        registry.silence(&me.owner).await.unwrap(),
        Some(Duration::ZERO)
    );
    before().await;
    let shown = registry.peer(&me.owner.instance).await.unwrap();
    assert_eq!(shown.as_ref(), Some(&me));
    before().await;
    registry.resign(&me.owner).await.unwrap();
    before().await;
    let wanted = Registration {
        tenant: tenant.clone(),
        ..registration("s", None)
    };
    let seen = Holding {
        tenant: tenant.clone(),
        ..held(&me.owner, &token)
    };
    let taken = registry.claim(&heir.owner, &wanted, Some(&seen)).await;
    let token = granted(taken);
    before().await;
    let ended = Release {
        tenant: tenant.clone(),
        ..release("s", &token, Ending::Destroyed)
    };
    registry.release(&[ended]).await.unwrap();
    before().await;
    let found = registry.find(&wanted.id, tenant.as_ref()).await.unwrap();
    assert_eq!(found, Whereabouts::Ended(Ending::Destroyed));
    before().await;
    let found = registry.find(&sim("other"), None).await.unwrap();
    assert_eq!(found, Whereabouts::Unknown);
    before().await;
    assert_eq!(registry.sweep(10).await.unwrap(), 0);
    before().await;
    let mut heard = registry.listen().await.unwrap();
    let event = Event {
        happening: Happening::Created,
        id: sim("s"),
        instance: me.owner.instance,
    };
    registry
        .announce(std::slice::from_ref(&event))
        .await
        .unwrap();
    let next = tokio::time::timeout(SOON, heard.next()).await;
    assert_eq!(next.expect("announcements arrive"), Some(event));
}

/// Waits until the lease of an instance is over.
async fn until_gone(registry: &dyn Registry, peer: &Peer) {
    eventually_true(SOON, "the lease is over", Option::is_none, async || {
        let shown = registry.peer(&peer.owner.instance).await;
        shown.expect("the registry answers")
    })
    .await;
}
