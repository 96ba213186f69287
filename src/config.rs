//! Every setting: its name in the environment, its unit, its default and its range.

mod api_keys;
mod choices;
mod limits;
mod redis;

use std::{ffi::OsString, net::IpAddr, path::PathBuf, thread, time::Duration};

use clap::{ArgAction, CommandFactory, Parser, Subcommand, error::ErrorKind, value_parser};
use ipnet::IpNet;

pub use self::{
    api_keys::{ApiKey, ApiKeys},
    choices::{DefaultDurability, LogFormat, RedisDegraded, Routing, StorageBackend},
};
use crate::id::InstanceId;

/// How long a secret has to be to be one.
const MIN_SECRET: usize = 16;

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

    /// Where Redis is: `redis://`, `rediss://` or `unix://`; `redis://host,host,host` for a cluster,
    /// `redis://name?sentinel=host:port,host:port` for Sentinel.
    #[arg(long, env, hide_env_values = true)]
    pub redis_url: Option<String>,

    /// Where Redis is, unless `REDIS_URL` says so.
    #[arg(long, env, hide_env_values = true)]
    pub upstash_redis_url: Option<String>,

    /// A file with the certificates of a private authority that Redis' certificate is signed by.
    #[arg(long, env)]
    pub redis_ca_file: Option<PathBuf>,

    /// How long Redis has for an answer, in milliseconds; never more than a fifth of the lease.
    #[arg(long, env, default_value_t = 1000, value_parser = value_parser!(u64).range(100..=60_000))]
    pub redis_timeout_ms: u64,

    /// Connections to Redis for requests; a few more are kept for what goes on in the background.
    #[arg(long, env, default_value_t = 8, value_parser = value_parser!(u32).range(1..=256))]
    pub redis_pool_size: u32,

    /// What happens to changes while Redis cannot be reached: serve goes on without it, fail-closed
    /// refuses them.
    #[arg(long, env, default_value = "serve")]
    pub redis_degraded: RedisDegraded,

    /// Whether /ready answers 503 while Redis cannot be reached.
    #[arg(long, env, default_value_t = false, action = ArgAction::Set)]
    pub ready_requires_redis: bool,

    /// What simulations survive unless their clients say otherwise.
    #[arg(long, env, default_value = "journal")]
    pub default_durability: DefaultDurability,

    /// How long an instance that is not heard of keeps its simulations, in milliseconds. The lease
    /// is renewed three times as often, and nothing is answered in its last quarter.
    #[arg(long, env, default_value_t = 6000, value_parser = value_parser!(u64).range(300..=600_000))]
    pub lease_ttl_ms: u64,

    /// How often Redis is told which simulations were used, in milliseconds.
    #[arg(long, env, default_value_t = 1000, value_parser = value_parser!(u64).range(50..=60_000))]
    pub ttl_flush_ms: u64,

    /// How often leftovers of instances that are gone are looked for, in seconds.
    #[arg(long, env, default_value_t = 60, value_parser = value_parser!(u64).range(1..=3600))]
    pub sweep_seconds: u64,

    /// Port for other instances to reach this one on; 0 takes a free one. Only with Redis.
    #[arg(long, env, default_value_t = 9001)]
    pub internal_port: u16,

    /// Where other instances reach the internal port, such as `http://10.0.0.7:9001`; unless given,
    /// the address that Fly set or the one that faces Redis.
    #[arg(long, env)]
    pub advertise_url: Option<String>,

    /// What instances prove to each other who they are with; they agree on one unless given.
    #[arg(long, env, hide_env_values = true)]
    pub internal_secret: Option<String>,

    /// The private address of the Fly machine, which Fly sets.
    #[arg(long, env, hide = true)]
    pub fly_private_ip: Option<String>,

    /// How requests get to the owner of a simulation: proxy forwards them, fly-replay has Fly's
    /// proxy send them again where it can.
    #[arg(long, env, default_value = "proxy")]
    pub routing: Routing,

    /// Who may use the service: a comma-separated list of name=hash, the hash being the SHA-256 of
    /// the key in hex. Everybody may unless given.
    #[arg(long, env, default_value = "", hide_env_values = true)]
    pub api_keys: ApiKeys,

    /// Port for Prometheus, which reads /metrics; 0 for none.
    #[arg(long, env, default_value_t = 9091)]
    pub metrics_port: u16,

    /// The header in which a trusted proxy says who its client is.
    #[arg(long, env)]
    pub client_ip_header: Option<String>,

    /// Proxies whose word on their client is taken: a comma-separated list of networks such as
    /// 10.0.0.0/8.
    #[arg(long, env, value_delimiter = ',')]
    pub trusted_proxies: Vec<IpNet>,

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

    /// After how many idle seconds a journalled simulation leaves memory altogether, until it is
    /// asked for again.
    #[arg(long, env, default_value_t = 300, value_parser = value_parser!(u64).range(1..=31_536_000))]
    pub hibernate_after_seconds: u64,

    /// Whether replies carry a hash of the world's state.
    #[arg(long, env, default_value_t = false, action = ArgAction::Set)]
    pub state_hash: bool,

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

    /// Colliders in one simulation.
    #[arg(long, env, default_value_t = 40_000, value_parser = value_parser!(u32).range(1..=10_000_000))]
    pub max_colliders_per_simulation: u32,

    /// Joints in one simulation.
    #[arg(long, env, default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_joints_per_simulation: u32,

    /// Controllers in one simulation.
    #[arg(long, env, default_value_t = 1_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_controllers_per_simulation: u32,

    /// Steps in one request.
    #[arg(long, env, default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=10_000_000))]
    pub max_steps_per_request: u32,

    /// Frames in one recorded trajectory, or observed in one batch, each body counting.
    #[arg(long, env, default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_frames_per_reply: u32,

    /// Commands in one batch.
    #[arg(long, env, default_value_t = 1000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_commands_per_batch: u32,

    /// Queries in one request.
    #[arg(long, env, default_value_t = 1000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_queries_per_request: u32,

    /// Hits of one query; what is farther away is left out.
    #[arg(long, env, default_value_t = 1000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_hits_per_query: u32,

    /// Pairs of bodies in one list of contacts; further ones are left out.
    #[arg(long, env, default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_contacts_per_reply: u32,

    /// How long commands may wait to be computed for a tenth of a second on end, in milliseconds,
    /// before further ones of the same client are refused.
    #[arg(long, env, default_value_t = 50, value_parser = value_parser!(u64).range(1..=3_600_000))]
    pub max_queue_delay_ms: u64,

    /// Commands of one client that wait to be computed.
    #[arg(long, env, default_value_t = 1024, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_waiting_per_client: u32,

    /// Memory that the process may hold before what needs more is refused, in bytes; 0 takes most
    /// of what the container or the machine has.
    #[arg(long, env, default_value_t = 0)]
    pub memory_budget_bytes: u64,

    /// Requests waiting for one simulation.
    #[arg(long, env, default_value_t = 64, value_parser = value_parser!(u32).range(1..=65_536))]
    pub max_queue_per_simulation: u32,

    /// Bytes in the body of one request.
    #[arg(long, env, default_value_t = 4 << 20, value_parser = value_parser!(u32).range(1024..=1 << 30))]
    pub max_request_bytes: u32,

    /// Bytes of one description of a robot.
    #[arg(long, env, default_value_t = 1 << 20, value_parser = value_parser!(u32).range(1024..=1 << 26))]
    pub max_import_bytes: u32,

    /// Bytes in one uploaded mesh.
    #[arg(long, env, default_value_t = 16 << 20, value_parser = value_parser!(u32).range(1024..=1 << 30))]
    pub max_asset_bytes: u32,

    /// Uploaded meshes that are kept in memory, where there is no Redis.
    #[arg(long, env, default_value_t = 1000, value_parser = value_parser!(u32).range(1..=10_000_000))]
    pub max_assets: u32,

    /// Bytes of uploaded meshes that are kept in memory, where there is no Redis.
    #[arg(long, env, default_value_t = 256 << 20, value_parser = value_parser!(u64).range(1024..=1 << 40))]
    pub max_asset_memory_bytes: u64,

    /// How long an uploaded mesh is kept that nobody uses, in seconds.
    #[arg(long, env, default_value_t = 86_400, value_parser = value_parser!(u64).range(1..=31_536_000))]
    pub asset_ttl_seconds: u64,

    /// Open connections; the one that was idle for the longest time is closed for a further one.
    #[arg(long, env, default_value_t = 20_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: u32,

    /// Open connections from one address, that of the socket, which may be a proxy's; 0 for no limit.
    #[arg(long, env, default_value_t = 0, value_parser = value_parser!(u32).range(0..=1_000_000))]
    pub max_connections_per_peer: u32,

    /// How long a connection may take to its first byte, and a request from there to the end of its
    /// head, in milliseconds.
    #[arg(long, env, default_value_t = 10_000, value_parser = value_parser!(u64).range(50..=600_000))]
    pub head_timeout_ms: u64,

    /// How long a connection may be idle between requests, in milliseconds.
    #[arg(long, env, default_value_t = 30_000, value_parser = value_parser!(u64).range(50..=3_600_000))]
    pub idle_timeout_ms: u64,

    /// How long the body of a request may be waited for, in milliseconds.
    #[arg(long, env, default_value_t = 30_000, value_parser = value_parser!(u64).range(50..=3_600_000))]
    pub body_timeout_ms: u64,

    /// How long a body, or a reply that is being read, may go on at less than 1 KiB a second, in
    /// milliseconds.
    #[arg(long, env, default_value_t = 15_000, value_parser = value_parser!(u64).range(50..=600_000))]
    pub stall_timeout_ms: u64,

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

    /// What to do instead of serving.
    #[command(subcommand)]
    pub task: Option<Task>,
}

/// What the program can do instead of serving. Settings do not matter for it.
#[derive(Clone, Debug, Subcommand)]
pub enum Task {
    /// Carries the commands of a bundle out again, and shows where each of them leads.
    Replay {
        /// The bundle.
        file: PathBuf,
        /// Only show where the last one leads.
        #[arg(long)]
        quiet: bool,
    },
}

impl Config {
    /// Reads the settings from `args` (the first is the program's name) and the environment.
    pub fn try_from_args<I, T>(args: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        let config = Self::try_parse_from(args)?;
        if config.task.is_none() {
            config.validate()?;
        }
        Ok(config)
    }

    /// Checks what one setting says against another.
    fn validate(&self) -> Result<(), clap::Error> {
        let refuse = |text: String| Err(Self::refusal(&text));
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
        if self.storage_backend == StorageBackend::Redis {
            self.redis_target().map_err(|text| Self::refusal(&text))?;
        }
        if self
            .internal_secret()
            .is_some_and(|secret| secret.len() < MIN_SECRET)
        {
            return refuse(format!(
                "INTERNAL_SECRET must have at least {MIN_SECRET} characters"
            ));
        }
        if let Some(id) = &self.instance_id
            && let Err(rule) = InstanceId::parse(id)
        {
            return refuse(format!("INSTANCE_ID {rule}"));
        }
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if let Some(name) = &self.client_ip_header
            && !name.chars().all(is_part)
        {
            return refuse(
                "CLIENT_IP_HEADER must be the name of a header, such as X-Forwarded-For".to_owned(),
            );
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

    fn refusal(text: &str) -> clap::Error {
        Self::command().error(ErrorKind::ValueValidation, text)
    }

    /// Where other instances reach this one, if that is said.
    pub fn advertise_url(&self) -> Option<&str> {
        given(self.advertise_url.as_ref())
    }

    /// What all instances share, if that is said.
    pub fn internal_secret(&self) -> Option<&str> {
        given(self.internal_secret.as_ref())
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

/// A setting that is there and not blank: some ways to start a program know no other way to leave a
/// variable out.
fn given(setting: Option<&String>) -> Option<&str> {
    let text = setting.map(String::as_str);
    text.filter(|text| !text.trim().is_empty())
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
        let text = refusal(&["--client-ip-header", "X-Real-IP:"]);
        assert!(text.contains("CLIENT_IP_HEADER"), "{text}");
        let text = refusal(&["--instance-id", "a b"]);
        assert!(text.contains("INSTANCE_ID"), "{text}");
    }

    #[test]
    fn a_secret_is_long_or_not_there_at_all() {
        let text = refusal(&["--internal-secret", "short"]);
        assert!(text.contains("INTERNAL_SECRET"), "{text}");

        let blank = Config::try_from_args(["service", "--internal-secret", " "]).unwrap();
        assert_eq!(blank.internal_secret(), None);
    }
}
