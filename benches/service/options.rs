//! The command line and environment of the benchmark.

use std::{path::PathBuf, time::Duration};

use clap::Parser;

/// Measures the service against raw Rapier and a bare axum route.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// Runs only the measurements whose name contains this: step, piles, script, latency, state, memory, registry,
    /// forward, journal, `journal_latency`, `journal_piles`, `journal_snapshots`, hibernated, door, context,
    /// `overload_steps`, `overload_piles`, tenants.
    pub(crate) filter: Option<String>,

    /// Runs only the measurement of exactly that name.
    #[arg(long)]
    exact: bool,

    /// Length of one round, both sides together.
    #[arg(long, env = "BENCH_SECONDS", default_value_t = 4.0)]
    pub(crate) seconds: f64,

    /// Number of interleaved rounds; the median of their ratios counts.
    #[arg(long, env = "BENCH_ROUNDS", default_value_t = 7)]
    pub(crate) rounds: usize,

    /// Threads of the load generator.
    #[arg(long, env = "BENCH_GENERATOR_THREADS", default_value_t = 1)]
    pub(crate) generator_threads: usize,

    /// Simulations that are put to rest.
    #[arg(long, env = "BENCH_HIBERNATED", default_value_t = 20_000)]
    pub(crate) hibernated: u32,

    /// Idle connections beside a light client.
    #[arg(long, env = "BENCH_IDLE", default_value_t = 10_000)]
    pub(crate) idle: usize,

    /// Slow clients beside it.
    #[arg(long, env = "BENCH_SLOW", default_value_t = 1_000)]
    pub(crate) slow: usize,

    /// Where the JSON report goes.
    #[arg(long, env = "BENCH_OUTPUT", default_value = "target/bench.json")]
    pub(crate) output: PathBuf,

    /// Runs as the bare axum route instead; the benchmark starts itself so.
    #[arg(long, hide = true)]
    pub(crate) bare_route: bool,

    /// Accepted because `cargo bench` passes it.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// Whether the measurement of this name was asked for.
    pub(crate) fn selects(&self, name: &str) -> bool {
        self.filter
            .as_deref()
            .is_none_or(|filter| name == filter || !self.exact && name.contains(filter))
    }

    /// Length of one side's slice of a round.
    pub(crate) fn slice(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.clamp(0.2, 60.0) / 2.0)
    }
}
