//! Every setting: its name in the environment, its unit, its default and its range.

use std::{ffi::OsString, net::IpAddr, thread, time::Duration};

use clap::{CommandFactory, Parser, ValueEnum, error::ErrorKind, value_parser};

use crate::id::InstanceId;

/// The settings of the service, from flags or the environment. A setting is an environment
/// variable, or the flag of the same name in lower case with dashes.
#[derive(Clone, Debug, Parser)]
#[command(version, about, long_about = None)]
pub struct Config {
    /// Address to listen on; :: takes IPv4 too, and falls back to 0.0.0.0 where there is no IPv6.
    #[arg(long, env, default_value = "::")]
    pub host: IpAddr,

    /// Port to listen on; 0 takes a free one.
    #[arg(long, env, default_value_t = 9000)]
    pub port: u16,

    /// Where simulations are registered.
    #[arg(long, env, default_value = "memory")]
    pub storage_backend: StorageBackend,

    /// How long a simulation lives without being used, in seconds.
    #[arg(long, env, default_value_t = 3600, value_parser = value_parser!(u64).range(1..=31_536_000))]
    pub storage_ttl_seconds: u64,

    /// The shortest TTL a client may ask for, in seconds.
    #[arg(long, env, default_value_t = 1, value_parser = value_parser!(u64).range(1..=31_536_000))]
    pub min_ttl_seconds: u64,

    /// The longest TTL a client may ask for, in seconds.
    #[arg(long, env, default_value_t = 604_800, value_parser = value_parser!(u64).range(1..=31_536_000))]
    pub max_ttl_seconds: u64,

    /// The name of this instance, of the form of an id; that of the Fly machine or a random one
    /// unless given.
    #[arg(long, env)]
    pub instance_id: Option<String>,

    /// The name of the Fly machine, which Fly sets.
    #[arg(long, env, hide = true)]
    pub fly_machine_id: Option<String>,

    /// After how many idle seconds a world is packed away in memory.
    #[arg(long, env, default_value_t = 5, value_parser = value_parser!(u64).range(1..=86_400))]
    pub freeze_after_seconds: u64,

    /// How long a client is kept waiting for a command, in milliseconds; the command goes on.
    #[arg(long, env, default_value_t = 25_000, value_parser = value_parser!(u64).range(10..=3_600_000))]
    pub request_timeout_ms: u64,

    /// How long requests may go on after a signal to stop, in milliseconds.
    #[arg(long, env, default_value_t = 20_000, value_parser = value_parser!(u64).range(0..=300_000))]
    pub shutdown_grace_ms: u64,

    /// Simulations on this instance.
    #[arg(long, env, default_value_t = 100_000, value_parser = value_parser!(u32).range(1..=10_000_000))]
    pub max_simulations: u32,

    /// Bodies in one simulation.
    #[arg(long, env, default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_bodies_per_simulation: u32,

    /// Joints in one simulation.
    #[arg(long, env, default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_joints_per_simulation: u32,

    /// Steps in one request.
    #[arg(long, env, default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=10_000_000))]
    pub max_steps_per_request: u32,

    /// Frames in one recorded trajectory.
    #[arg(long, env, default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_frames_per_reply: u32,

    /// Requests waiting for one simulation.
    #[arg(long, env, default_value_t = 64, value_parser = value_parser!(u32).range(1..=65_536))]
    pub max_queue_per_simulation: u32,

    /// Bytes in the body of one request.
    #[arg(long, env, default_value_t = 4 << 20, value_parser = value_parser!(u32).range(1024..=1 << 30))]
    pub max_request_bytes: u32,

    /// Open connections; further ones wait to be accepted.
    #[arg(long, env, default_value_t = 20_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: u32,

    /// Threads that step worlds; 0 takes as many as there are cores.
    #[arg(long, env, default_value_t = 0, value_parser = value_parser!(u32).range(0..=1024))]
    pub compute_threads: u32,

    /// Origins whose pages may use the service: * or a comma-separated list.
    #[arg(long, env, default_value = "*")]
    pub cors_allowed_origins: String,

    /// What is logged, in the syntax of tracing-subscriber's filters.
    #[arg(long, env, default_value = "info")]
    pub rust_log: String,

    /// How log lines are written.
    #[arg(long, env, default_value = "text")]
    pub log_format: LogFormat,
}

/// Where simulations are registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StorageBackend {
    /// In the memory of this process.
    Memory,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line, for programs.
    Json,
}

impl Config {
    /// Reads the settings from `args` (the first is the program's name) and the environment.
    pub fn try_from_args<I, T>(args: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        let config = Self::try_parse_from(args)?;
        config.validate()?;
        Ok(config)
    }

    /// Checks what one setting says against another.
    fn validate(&self) -> Result<(), clap::Error> {
        let refuse = |text: String| Err(Self::command().error(ErrorKind::ValueValidation, text));
        let ttls = self.min_ttl_seconds..=self.max_ttl_seconds;
        if ttls.is_empty() {
            return refuse(format!(
                "MIN_TTL_SECONDS ({}) must not be greater than MAX_TTL_SECONDS ({})",
                self.min_ttl_seconds, self.max_ttl_seconds
            ));
        }
        if !ttls.contains(&self.storage_ttl_seconds) {
            return refuse(format!(
                "STORAGE_TTL_SECONDS ({}) must be between MIN_TTL_SECONDS ({}) and MAX_TTL_SECONDS ({})",
                self.storage_ttl_seconds, self.min_ttl_seconds, self.max_ttl_seconds
            ));
        }
        if let Some(id) = &self.instance_id
            && let Err(rule) = InstanceId::parse(id)
        {
            return refuse(format!("INSTANCE_ID {rule}"));
        }
        if let Err(error) = self.rust_log.parse::<tracing_subscriber::EnvFilter>() {
            return refuse(format!("RUST_LOG is no filter: {error}"));
        }
        let origins = self.cors_allowed_origins.split(',').map(str::trim);
        for origin in origins.filter(|origin| *origin != "*") {
            if !origin.starts_with("http://") && !origin.starts_with("https://") {
                return refuse("CORS_ALLOWED_ORIGINS must be * or a comma-separated list of origins such as https://example.org".to_owned());
            }
        }
        Ok(())
    }

    /// The name of this instance.
    pub fn instance_id(&self) -> InstanceId {
        let given = self.instance_id.as_ref().or(self.fly_machine_id.as_ref());
        given
            .and_then(|id| InstanceId::parse(id).ok())
            .unwrap_or_else(InstanceId::random)
    }

    /// How many threads step worlds.
    pub fn compute_threads(&self) -> usize {
        match self.compute_threads {
            0 => thread::available_parallelism().map_or(1, usize::from),
            threads => threads as usize,
        }
    }

    /// How long requests may go on after a signal to stop.
    pub fn shutdown_grace(&self) -> Duration {
        Duration::from_millis(self.shutdown_grace_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(args: &[&str]) -> String {
        let args = ["service"].iter().chain(args);
        Config::try_from_args(args).unwrap_err().to_string()
    }

    #[test]
    fn a_bad_value_is_refused_with_its_name_and_range() {
        let text = refusal(&["--port", "70000"]);
        assert!(text.contains("PORT") && text.contains("65535"), "{text}");
        let text = refusal(&["--max-simulations", "0"]);
        assert!(
            text.contains("MAX_SIMULATIONS") && text.contains("1..=10000000"),
            "{text}"
        );
        let text = refusal(&["--storage-ttl-seconds", "700000"]);
        assert!(
            text.contains("STORAGE_TTL_SECONDS") && text.contains("604800"),
            "{text}"
        );
        let text = refusal(&["--instance-id", "a b"]);
        assert!(text.contains("INSTANCE_ID"), "{text}");
    }
}
