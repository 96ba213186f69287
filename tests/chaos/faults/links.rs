//! What is sent does not arrive, or late.

use std::time::Duration;

use rand::{RngExt, seq::IndexedRandom};

use super::{Scar, Target};
use crate::{
    harness::{Proxy, Ways},
    stage::harm,
};

/// The ways between two sides: each instance has its own.
#[derive(Clone, Copy)]
pub(super) enum Link {
    Doors,
    Peers,
    ToRedis,
}

/// Nothing passes, whether connections are refused or just lead nowhere.
pub(super) async fn cut(link: Link, target: &mut Target<'_>) -> Scar {
    let way = target.random.random_bool(0.5).then_some(Ways::Both);
    let place = target.pick();
    harm(&mut proxies(target, link)[place], way).await;
    Scar::Links
}

/// The same between Redis and what follows it.
pub(super) async fn cut_replica(target: &mut Target<'_>) -> Scar {
    let way = target.random.random_bool(0.5).then_some(Ways::Both);
    harm(&mut target.stage.redis.link, way).await;
    Scar::Links
}

pub(super) async fn cut_one_way(target: &mut Target<'_>) -> Scar {
    let place = target.pick();
    let link = *[Link::Doors, Link::Peers, Link::ToRedis]
        .choose(target.random)
        .expect("there are some");
    let ways = if target.random.random_bool(0.5) {
        Ways::Forth
    } else {
        Ways::Back
    };
    harm(&mut proxies(target, link)[place], Some(ways)).await;
    Scar::Links
}

pub(super) fn delay(target: &mut Target<'_>) -> Scar {
    for link in [Link::Doors, Link::Peers, Link::ToRedis] {
        for place in 0..proxies(target, link).len() {
            let late = Duration::from_millis(target.random.random_range(0..80));
            proxies(target, link)[place].delay(late);
        }
    }
    Scar::Links
}

fn proxies<'a>(target: &'a mut Target<'_>, link: Link) -> &'a mut [Proxy] {
    match link {
        Link::Doors => &mut target.stage.doors,
        Link::Peers => &mut target.stage.peers,
        Link::ToRedis => &mut target.stage.to_redis,
    }
}
