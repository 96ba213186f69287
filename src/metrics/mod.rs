//! What is counted, for Prometheus.
//!
//! What every request counts is counted apart by each worker of the runtime, and summed up when it
//! is asked for: cores that count in one place wait for each other.

mod histogram;
mod render;
mod requests;

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};

use self::{
    histogram::{Cells, TIMES},
    requests::Requests,
};
pub use self::{
    histogram::{Distribution, Histogram},
    render::{Seen, SeenStore},
    requests::{Asked, shows_status},
};

/// How many workers count apart. Where there are more, some share.
const SHARDS: usize = 64;

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    shards: [OnceLock<Box<Shard>>; SHARDS],
    /// Open connections of clients.
    pub connections: Gauge,
    /// Simulations that were created here.
    pub simulations_created: Counter,
    /// Simulations that came to their end here.
    pub simulations_ended: Endings,
    /// How long commands waited for the task of their simulation.
    pub queue_delay: Histogram,
    /// How long jobs waited for a thread of the compute pool.
    pub pool_delay: Histogram,
    /// What was refused as more was asked for than could be done.
    pub refusals: Refusals,
    /// Worlds that were packed away.
    pub freezes: Counter,
    /// Simulations that left memory and rest in their journals.
    pub departures: Counter,
    /// Simulations that were made again from their journals.
    pub recoveries: Counter,
    /// Worlds that were unpacked.
    pub thaws: Counter,
    /// Simulations that turned out to be owned by somebody else.
    pub ownership_conflicts: Counter,
    /// Leases that ended before they were renewed.
    pub lease_lapses: Counter,
    /// Simulations of dead owners that were forgotten.
    pub orphans_swept: Counter,
    /// How many simulations the registry was told of at a time.
    pub flush_size: Histogram,
    /// Requests that were passed on to another instance.
    pub forwards: Forwards,
    /// How long those took, there and back.
    pub forward_duration: Histogram,
    /// Requests that were handed back to the proxy they came from.
    pub replays: Counter,
}

/// Ends of simulations.
#[derive(Debug, Default)]
pub struct Endings {
    /// By a client.
    pub destroyed: Counter,
    /// Nobody used them for the length of their TTL.
    pub expired: Counter,
    /// Their worlds could not be kept.
    pub lost: Counter,
}

/// What was refused, by what there was too little of.
#[derive(Debug, Default)]
pub struct Refusals {
    /// The network side had more requests to answer than it could.
    pub requests: Counter,
    /// Commands waited too long for the compute pool.
    pub computing: Counter,
    /// A client had as many commands waiting as it may.
    pub waiting: Counter,
    /// The memory budget was used up.
    pub memory: Counter,
    /// The client's own deadline had passed.
    pub deadline: Counter,
}

/// What came of requests that were passed on.
#[derive(Debug, Default)]
pub struct Forwards {
    /// They were answered.
    pub answered: Counter,
    /// The other instance no longer had the simulation.
    pub stale: Counter,
    /// The other instance could not be reached; nothing was sent.
    pub unreachable: Counter,
    /// There was no answer; they may have been carried out.
    pub unknown: Counter,
}

/// What one worker counts. Never beside another's in one line of a core's cache.
#[derive(Debug)]
#[repr(align(128))]
struct Shard {
    requests: Requests,
    request_duration: Cells,
    steps: AtomicU64,
    chunk_duration: Cells,
}

impl Default for Shard {
    fn default() -> Self {
        Self {
            requests: Requests::default(),
            request_duration: Cells::new(),
            steps: AtomicU64::new(0),
            chunk_duration: Cells::new(),
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            shards: [const { OnceLock::new() }; SHARDS],
            connections: Gauge::default(),
            simulations_created: Counter::default(),
            simulations_ended: Endings::default(),
            queue_delay: Histogram::of_times(),
            pool_delay: Histogram::of_times(),
            refusals: Refusals::default(),
            freezes: Counter::default(),
            departures: Counter::default(),
            recoveries: Counter::default(),
            thaws: Counter::default(),
            ownership_conflicts: Counter::default(),
            lease_lapses: Counter::default(),
            orphans_swept: Counter::default(),
            flush_size: Histogram::of_sizes(),
            forwards: Forwards::default(),
            forward_duration: Histogram::of_times(),
            replays: Counter::default(),
        }
    }
}

impl Metrics {
    /// Counts a request that was answered.
    pub fn count_request(&self, asked: Asked, status: u16, took: Duration) {
        let shard = self.shard();
        shard.requests.count(asked, status);
        shard.request_duration.observe_time(took);
    }

    /// Counts some stepping that was done in one go.
    pub fn count_chunk(&self, steps: u32, took: Duration) {
        let shard = self.shard();
        if steps > 0 {
            shard.steps.fetch_add(steps.into(), Ordering::Relaxed);
        }
        shard.chunk_duration.observe_time(took);
    }

    /// Where this thread counts. All that are no workers share a place: they count rarely.
    fn shard(&self) -> &Shard {
        let index = tokio::runtime::worker_index().map_or(0, |worker| worker + 1);
        self.shards[index % SHARDS].get_or_init(Box::default)
    }

    fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.shards.iter().filter_map(|shard| Some(&**shard.get()?))
    }

    fn steps(&self) -> u64 {
        let counted = |shard: &Shard| shard.steps.load(Ordering::Relaxed);
        self.shards().map(counted).sum()
    }

    fn request_duration(&self) -> Distribution {
        let all = self.shards().map(|shard| &shard.request_duration);
        Distribution::of(&TIMES, all)
    }

    fn chunk_duration(&self) -> Distribution {
        let all = self.shards().map(|shard| &shard.chunk_duration);
        Distribution::of(&TIMES, all)
    }
}
