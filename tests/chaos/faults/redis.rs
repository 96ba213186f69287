//! Redis is down, full, or not as it was, and remembers what it has confirmed.

use deadpool_redis::redis::{RedisResult, pipe};

use super::{Scar, Target};
use crate::{
    harness::RedisServer,
    stage::{meta, name},
};

pub(super) fn stop(target: &mut Target<'_>) -> Scar {
    target.stage.redis.primary.kill();
    Scar::RedisDown
}

pub(super) async fn fill(target: &mut Target<'_>) -> Scar {
    let redis = &target.stage.redis.primary;
    redis.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]).await;
    Scar::Full
}

pub(super) async fn flush_scripts(target: &mut Target<'_>) -> Scar {
    let redis = &target.stage.redis.primary;
    redis.ask::<()>(&["SCRIPT", "FLUSH"]).await;
    Scar::Links
}

/// Damages the newest snapshots of one instance where there is an older one, once for each
/// simulation: the next one finds the damaged one behind it.
pub(super) async fn damage_snapshots(target: &mut Target<'_>) -> Scar {
    let place = target.pick_process();
    let redis = &target.stage.redis.primary;
    for world in target.crowd.history.living() {
        let entry = redis.hash(&meta(&world.id)).await;
        let is_owned = entry
            .get("owner")
            .is_some_and(|owner| owner.split(':').next() == Some(name(place).as_str()));
        let (Some(newest), true) = (entry.get("snapshot"), is_owned) else {
            continue;
        };
        if world.notes().is_damaged || !entry.contains_key("previous") {
            continue;
        }
        world.notes().is_damaged = true;
        damage(redis, &format!("sim:{{{}}}:snapshot:{newest}", world.id)).await;
    }
    target.stage.kill(place).await;
    Scar::Ended(place)
}

async fn damage(redis: &RedisServer, key: &str) {
    let mut bytes: Vec<u8> = redis.ask(&["GET", key]).await;
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 0x10;
        let mut write = pipe();
        // Only where it still is.
        write
            .cmd("SET")
            .arg(key)
            .arg(bytes)
            .arg("XX")
            .arg("KEEPTTL");
        let written: RedisResult<()> = write.exec_async(&mut redis.connection().await).await;
        written.expect("Redis takes it");
    }
}
