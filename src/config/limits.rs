//! The limits among the settings, by their names.

use super::Config;

impl Config {
    /// Every setting that bounds what clients may ask for.
    pub fn limits(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("MIN_TTL_SECONDS", self.min_ttl_seconds),
            ("MAX_TTL_SECONDS", self.max_ttl_seconds),
            ("MAX_SIMULATIONS", self.max_simulations.into()),
            (
                "MAX_BODIES_PER_SIMULATION",
                self.max_bodies_per_simulation.into(),
            ),
            (
                "MAX_COLLIDERS_PER_SIMULATION",
                self.max_colliders_per_simulation.into(),
            ),
            (
                "MAX_JOINTS_PER_SIMULATION",
                self.max_joints_per_simulation.into(),
            ),
            (
                "MAX_CONTROLLERS_PER_SIMULATION",
                self.max_controllers_per_simulation.into(),
            ),
            ("MAX_STEPS_PER_REQUEST", self.max_steps_per_request.into()),
            ("MAX_FRAMES_PER_REPLY", self.max_frames_per_reply.into()),
            ("MAX_COMMANDS_PER_BATCH", self.max_commands_per_batch.into()),
            (
                "MAX_QUERIES_PER_REQUEST",
                self.max_queries_per_request.into(),
            ),
            ("MAX_HITS_PER_QUERY", self.max_hits_per_query.into()),
            ("MAX_CONTACTS_PER_REPLY", self.max_contacts_per_reply.into()),
            ("MAX_QUEUE_DELAY_MS", self.max_queue_delay_ms),
            ("MAX_WAITING_PER_CLIENT", self.max_waiting_per_client.into()),
            (
                "MAX_QUEUE_PER_SIMULATION",
                self.max_queue_per_simulation.into(),
            ),
            ("MAX_REQUEST_BYTES", self.max_request_bytes.into()),
            ("MAX_IMPORT_BYTES", self.max_import_bytes.into()),
            ("MAX_ASSET_BYTES", self.max_asset_bytes.into()),
            ("MAX_ASSETS", self.max_assets.into()),
            ("MAX_ASSET_MEMORY_BYTES", self.max_asset_memory_bytes),
            ("MAX_CONNECTIONS", self.max_connections.into()),
            (
                "MAX_CONNECTIONS_PER_PEER",
                self.max_connections_per_peer.into(),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_setting_that_is_a_limit_is_listed_with_its_value() {
        let config = Config::try_from_args(["service", "--max-hits-per-query", "7"]).unwrap();
        let mut listed = config.limits();
        assert!(listed.contains(&("MAX_HITS_PER_QUERY", 7)));

        let command = Config::command();
        let names = command.get_arguments().filter_map(|argument| {
            let name = argument.get_env()?.to_str()?;
            let is_limit = name.starts_with("MAX_") || name.starts_with("MIN_");
            is_limit.then(|| name.to_owned())
        });
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        listed.sort_unstable();
        let listed: Vec<_> = listed.iter().map(|(name, _)| *name).collect();
        assert_eq!(listed, names);
    }
}
