//! Settings that are one of a few words.

use clap::ValueEnum;

/// Where simulations are registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StorageBackend {
    /// In the memory of this process.
    Memory,
    /// In Redis, with other instances.
    Redis,
}

/// What happens to changes while Redis cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RedisDegraded {
    /// They are made.
    Serve,
    /// They are refused.
    #[value(alias = "fail_closed")]
    FailClosed,
}

/// What simulations survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DefaultDurability {
    /// They are found from everywhere, and end with the process that has them.
    Registry,
    /// Every command that was acknowledged outlives that process.
    Journal,
}

/// How requests get to the owner of a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Routing {
    /// They are forwarded.
    Proxy,
    /// Fly's proxy is asked to send them again.
    FlyReplay,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line, for programs.
    Json,
}
