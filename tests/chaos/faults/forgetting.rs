//! Redis has an earlier state than the one it has confirmed: with its owners alive nothing is lost,
//! and with one of them gone what it alone has known.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;
use rand::RngExt;

use super::{Scar, Target};
use crate::{
    scribe::answered,
    stage::{meta, name},
};

const SOON: Duration = Duration::from_secs(10);

/// Forgets what was written in the last moments.
pub(super) async fn cut_tail(target: &mut Target<'_>) -> Scar {
    let written = target.stage.redis.primary.written();
    go_on(target).await;
    let redis = &mut target.stage.redis;
    redis.past_logs.extend(redis.primary.log());
    redis.primary.forget_since(written).await;
    Scar::Links
}

/// Half of the simulations have no entry any more.
pub(super) async fn evict(target: &mut Target<'_>) -> Scar {
    let worlds = target.crowd.history.living();
    let entries = worlds.iter().step_by(2).map(|world| meta(&world.id));
    let entries: Vec<_> = entries.collect();
    wake_all(target).await;
    target.stage.redis.primary.delete(&entries).await;
    Scar::Links
}

pub(super) async fn flush_all(target: &mut Target<'_>) -> Scar {
    wake_all(target).await;
    target.stage.redis.primary.flush_all().await;
    Scar::Links
}

pub(super) async fn fail_over(target: &mut Target<'_>) -> Scar {
    target.stage.redis.until_followed().await;
    target.stage.redis.promote().await;
    target.stage.follow_primary().await;
    Scar::Demoted
}

pub(super) async fn forget_with_an_owner(target: &mut Target<'_>) -> Scar {
    let written = target.stage.redis.primary.written();
    go_on(target).await;
    let place = lose_an_owner(target).await;
    let redis = &mut target.stage.redis;
    redis.past_logs.extend(redis.primary.log());
    redis.primary.forget_since(written).await;
    Scar::Ended(place)
}

pub(super) async fn fail_over_late(target: &mut Target<'_>) -> Scar {
    target.stage.redis.until_followed().await;
    target.stage.redis.link.cut().await;
    go_on(target).await;
    let place = lose_an_owner(target).await;
    target.stage.redis.promote().await;
    target.stage.follow_primary().await;
    target.stage.redis.rejoin().await;
    Scar::Ended(place)
}

/// Lets clients go on for a while.
async fn go_on(target: &mut Target<'_>) {
    let ms = target.random.random_range(200..1000);
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// Kills an instance, and notes whose latest commands nobody else knows.
async fn lose_an_owner(target: &mut Target<'_>) -> usize {
    let place = target.pick_process();
    let owners = target.stage.owners(&target.crowd.history.living()).await;
    note(target, &owners, &name(place));
    target.stage.kill(place).await;
    note(target, &owners, &name(place));
    place
}

/// Has somebody own each of them: what rests is in Redis alone.
async fn wake_all(target: &Target<'_>) {
    let worlds = target.crowd.history.living();
    join_all(worlds.iter().map(async |world| {
        // If nobody answers, that is found out afterwards.
        drop(answered(target.crowd, world, ("/state", &[]), SOON).await);
    }))
    .await;
}

/// Whoever's owner is not known to live may lose something: it rests, or has just been created.
fn note(target: &Target<'_>, owners: &BTreeMap<String, Option<String>>, victim: &str) {
    for world in target.crowd.history.living() {
        let owner = owners.get(&world.id).cloned().flatten();
        if owner.is_none_or(|owner| owner == victim) {
            world.notes().may_lose = true;
        }
    }
}
