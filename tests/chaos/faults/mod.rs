//! What can go wrong, how long it lasts, and how it is put right again.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use rand::{RngExt, rngs::StdRng, seq::IteratorRandom};
use serde::{Deserialize, Serialize};

use self::links::Link;
use crate::{
    client::Crowd,
    stage::{INSTANCES, Stage},
};

mod forgetting;
mod instances;
mod links;
mod redis;

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fault {
    /// An instance is killed: its port refuses connections, or nothing answers any more.
    Kill,
    /// An instance is stopped for longer than its lease, and goes on.
    Hang,
    /// Every instance is told to stop and started again, one after the other.
    Roll,
    /// Redis is killed and started again.
    RedisRestart,
    /// Redis forgets its latest writes, while their owners live.
    TailCut,
    /// Redis has no entries of simulations any more, while their owners live.
    Eviction,
    /// Redis forgets everything, while the owners live.
    FlushAll,
    /// Redis dies, and what follows it takes its place.
    Failover,
    /// Redis forgets its latest writes, and an instance is killed.
    Amnesia,
    /// What takes the place of Redis lacks its latest writes, and an instance is killed.
    LaggingFailover,
    /// Redis has no room.
    FullMemory,
    /// Redis forgets all scripts.
    ScriptFlush,
    /// The newest snapshots of an instance's simulations are damaged, and it is killed.
    DamagedSnapshot,
    /// No client reaches an instance.
    CutClients,
    /// An instance does not reach Redis.
    CutRedis,
    /// No other instance reaches an instance.
    CutPeers,
    /// What follows Redis does not reach it.
    CutReplica,
    /// Something passes in one direction and nothing in the other.
    OneWay,
    /// Everything takes its time.
    Latency,
}

/// What is left to be put right.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scar {
    /// Nothing but connections.
    Links,
    /// An instance that has ended.
    Ended(usize),
    /// An instance that is stopped.
    Stopped(usize),
    /// Redis is down.
    RedisDown,
    /// The former primary is down.
    Demoted,
    /// Redis takes nothing in.
    Full,
}

/// Whom faults meet.
pub(crate) struct Target<'a> {
    pub(crate) stage: &'a mut Stage,
    pub(crate) crowd: &'a Arc<Crowd>,
    pub(crate) random: &'a mut StdRng,
    /// Instances that something has happened to already.
    pub(crate) hit: BTreeSet<usize>,
}

impl Fault {
    pub(crate) const ALL: [Self; 19] = [
        Self::Kill,
        Self::Hang,
        Self::Roll,
        Self::RedisRestart,
        Self::TailCut,
        Self::Eviction,
        Self::FlushAll,
        Self::Failover,
        Self::Amnesia,
        Self::LaggingFailover,
        Self::FullMemory,
        Self::ScriptFlush,
        Self::DamagedSnapshot,
        Self::CutClients,
        Self::CutRedis,
        Self::CutPeers,
        Self::CutReplica,
        Self::OneWay,
        Self::Latency,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Hang => "hang",
            Self::Roll => "roll",
            Self::RedisRestart => "redis-restart",
            Self::TailCut => "tail-cut",
            Self::Eviction => "eviction",
            Self::FlushAll => "flush-all",
            Self::Failover => "failover",
            Self::Amnesia => "amnesia",
            Self::LaggingFailover => "lagging-failover",
            Self::FullMemory => "full-memory",
            Self::ScriptFlush => "script-flush",
            Self::DamagedSnapshot => "damaged-snapshot",
            Self::CutClients => "cut-clients",
            Self::CutRedis => "cut-redis",
            Self::CutPeers => "cut-peers",
            Self::CutReplica => "cut-replica",
            Self::OneWay => "one-way",
            Self::Latency => "latency",
        }
    }

    /// How many times as likely it is as others: nothing is as common as a process that ends.
    pub(crate) fn weight(self) -> usize {
        if self == Self::Kill { 3 } else { 1 }
    }

    /// Whether what was acknowledged may be lost by it: Redis forgets, and an owner is gone.
    pub(crate) fn may_lose(self) -> bool {
        matches!(self, Self::Amnesia | Self::LaggingFailover)
    }

    /// Whether the two may happen at the same time, and nothing may be lost by it.
    pub(crate) fn goes_with(self, other: Self) -> bool {
        let is_alone = |fault| {
            matches!(
                fault,
                Self::Amnesia | Self::LaggingFailover | Self::DamagedSnapshot
            )
        };
        if self == other || is_alone(self) || is_alone(other) {
            return false;
        }
        if self.forgets() || other.forgets() {
            // Whoever remembers has to be there, and to be asked.
            let harmless = |fault| matches!(fault, Self::CutClients | Self::Latency);
            return harmless(self) || harmless(other);
        }
        let both = [self, other];
        let among = |group: &[Self]| both.iter().all(|fault| group.contains(fault));
        let instances = [Self::Kill, Self::Hang, Self::Roll];
        let redis = [Self::RedisRestart, Self::FullMemory, Self::ScriptFlush];
        let has_roll = both.contains(&Self::Roll);
        !(among(&instances) && has_roll || among(&redis) || among(&LINKS))
    }

    /// How long it lasts before it is put right.
    pub(crate) fn lasts(self, lease: Duration, random: &mut StdRng) -> Duration {
        let share = random.random_range(0.1..1.0);
        match self {
            Self::Hang => lease + lease.mul_f64(0.5 * share),
            Self::Kill
            | Self::DamagedSnapshot
            | Self::CutClients
            | Self::CutRedis
            | Self::CutPeers
            | Self::OneWay => lease.mul_f64(1.5 * share),
            Self::RedisRestart | Self::CutReplica | Self::FullMemory | Self::Latency => {
                lease.mul_f64(share)
            }
            Self::Roll
            | Self::TailCut
            | Self::Eviction
            | Self::FlushAll
            | Self::Failover
            | Self::Amnesia
            | Self::LaggingFailover
            | Self::ScriptFlush => Duration::from_millis(300).mul_f64(share),
        }
    }

    pub(crate) async fn inflict(self, target: &mut Target<'_>) -> Scar {
        match self {
            Self::Kill => instances::kill(target).await,
            Self::Hang => instances::hang(target),
            Self::Roll => instances::roll(target).await,
            Self::RedisRestart => redis::stop(target),
            Self::FullMemory => redis::fill(target).await,
            Self::ScriptFlush => redis::flush_scripts(target).await,
            Self::DamagedSnapshot => redis::damage_snapshots(target).await,
            Self::TailCut => forgetting::cut_tail(target).await,
            Self::Eviction => forgetting::evict(target).await,
            Self::FlushAll => forgetting::flush_all(target).await,
            Self::Failover => forgetting::fail_over(target).await,
            Self::Amnesia => forgetting::forget_with_an_owner(target).await,
            Self::LaggingFailover => forgetting::fail_over_late(target).await,
            Self::CutClients => links::cut(Link::Doors, target).await,
            Self::CutPeers => links::cut(Link::Peers, target).await,
            Self::CutRedis => links::cut(Link::ToRedis, target).await,
            Self::CutReplica => links::cut_replica(target).await,
            Self::OneWay => links::cut_one_way(target).await,
            Self::Latency => links::delay(target),
        }
    }

    /// Whether Redis has an earlier state afterwards than the one it has confirmed.
    pub(crate) fn forgets(self) -> bool {
        matches!(
            self,
            Self::TailCut | Self::Eviction | Self::FlushAll | Self::Failover
        ) || self.may_lose()
    }

    /// Whether there may be somebody afterwards who cannot tell that Redis has forgotten something: it has
    /// kept every lease, or an instance starts that has not seen it before.
    pub(crate) fn is_unseen(self) -> bool {
        self == Self::Eviction || self.may_lose()
    }
}

const LINKS: [Fault; 6] = [
    Fault::CutClients,
    Fault::CutRedis,
    Fault::CutPeers,
    Fault::CutReplica,
    Fault::OneWay,
    Fault::Latency,
];

impl Scar {
    pub(crate) async fn heal(self, stage: &mut Stage) {
        match self {
            Self::Links => {}
            Self::Ended(place) => stage.start(place).await,
            Self::Stopped(place) => stage.fleet[place].resume(),
            Self::RedisDown => stage.redis.restart().await,
            Self::Demoted => stage.redis.rejoin().await,
            Self::Full => {
                let redis = &stage.redis.primary;
                redis.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]).await;
            }
        }
    }
}

impl Target<'_> {
    /// An instance that nothing has happened to yet, and whose process may end or stop.
    fn pick_process(&mut self) -> usize {
        let spared = self.stage.spared.clone();
        self.pick_but(&spared)
    }

    /// An instance that nothing has happened to yet.
    fn pick(&mut self) -> usize {
        self.pick_but(&BTreeSet::new())
    }

    fn pick_but(&mut self, spared: &BTreeSet<usize>) -> usize {
        let hit = &self.hit;
        let whole = (0..INSTANCES).filter(|it| !hit.contains(it) && !spared.contains(it));
        let place = whole.choose(self.random).expect("one is left alone");
        self.hit.insert(place);
        place
    }
}
