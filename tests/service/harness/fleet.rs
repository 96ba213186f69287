//! Instances that share a registry.

use std::{
    ops::{Index, IndexMut},
    time::Duration,
};

use futures_util::future::join_all;

use crate::harness::{Client, Instance, RedisServer, eventually};

const SOON: Duration = Duration::from_secs(20);

/// Real binaries that are called `a`, `b`, `c` and so on; all gone when this is dropped.
pub(crate) struct Fleet {
    instances: Vec<Instance>,
    /// What each was started with.
    settings: Vec<Vec<(String, String)>>,
    /// How many names were given.
    named: usize,
}

impl Fleet {
    /// Starts `n` instances at once; `extra_env` is for all of them and wins over the rest.
    pub(crate) async fn start(n: usize, redis_url: &str, extra_env: &[(&str, &str)]) -> Self {
        Self::start_at(&vec![redis_url; n], extra_env).await
    }

    /// Starts an instance for each of these ways to the registry, which may lead through proxies.
    pub(crate) async fn start_at(redis_urls: &[&str], extra_env: &[(&str, &str)]) -> Self {
        let own = vec![Vec::new(); redis_urls.len()];
        Self::start_each(redis_urls, extra_env, &own).await
    }

    /// The same with settings of its own for each, which win over those of all.
    pub(crate) async fn start_each(
        redis_urls: &[&str],
        extra_env: &[(&str, &str)],
        own_env: &[Vec<(&str, &str)>],
    ) -> Self {
        let settings: Vec<_> = redis_urls
            .iter()
            .zip(own_env)
            .enumerate()
            .map(|(n, (url, own))| settings(&name(n), url, &[extra_env, own].concat()))
            .collect();
        let instances = join_all(settings.iter().map(|env| spawn(env))).await;
        Self {
            instances,
            named: settings.len(),
            settings,
        }
    }

    /// A client of each instance, in their order.
    pub(crate) fn clients(&self) -> Vec<Client> {
        self.instances.iter().map(Instance::client).collect()
    }

    /// Ends an instance as a crash would, if it still runs, and starts it again under its name.
    ///
    /// It listens elsewhere then, and old clients of it find nobody.
    pub(crate) async fn restart(&mut self, place: usize) -> Client {
        self.instances[place].kill();
        self.instances[place] = spawn(&self.settings[place]).await;
        self.instances[place].client()
    }

    /// Starts an instance in the place of another one, under a name that nobody has had before. The
    /// other one runs until it is dropped.
    pub(crate) async fn relieve(&mut self, place: usize) -> Instance {
        let new = name(self.named);
        self.named += 1;
        for (variable, value) in &mut self.settings[place] {
            if variable == "INSTANCE_ID" {
                value.clone_from(&new);
            }
        }
        let relief = spawn(&self.settings[place]).await;
        std::mem::replace(&mut self.instances[place], relief)
    }

    /// Ends an instance as a crash would, if it still runs, and starts another one in its place.
    pub(crate) async fn replace(&mut self, place: usize) -> Client {
        self.instances[place].kill();
        drop(self.relieve(place).await);
        self.instances[place].client()
    }
}

impl Index<usize> for Fleet {
    type Output = Instance;

    fn index(&self, place: usize) -> &Instance {
        &self.instances[place]
    }
}

impl IndexMut<usize> for Fleet {
    fn index_mut(&mut self, place: usize) -> &mut Instance {
        &mut self.instances[place]
    }
}

/// Waits until an instance has asked, since now, which others live: it knows those by then.
pub(crate) async fn until_roster_is_read(redis: &RedisServer, instance: &str) {
    let lease = format!("instance:{instance}");
    let mut last = redis.ttl_ms(&lease).await;
    // The first renewal may have been under way.
    for _ in 0..2 {
        eventually(SOON, "the lease is renewed", async || {
            let before = std::mem::replace(&mut last, redis.ttl_ms(&lease).await);
            if last > before { Ok(()) } else { Err(last) }
        })
        .await;
    }
}

/// `a` to `z`, then `a1` and so on.
fn name(n: usize) -> String {
    let letter = ('a'..='z').nth(n % 26).expect("there are 26 letters");
    match n / 26 {
        0 => letter.to_string(),
        round => format!("{letter}{round}"),
    }
}

fn settings(id: &str, redis_url: &str, extra_env: &[(&str, &str)]) -> Vec<(String, String)> {
    [
        ("STORAGE_BACKEND", "redis"),
        ("REDIS_URL", redis_url),
        ("DEFAULT_DURABILITY", "registry"),
        ("INSTANCE_ID", id),
        ("INTERNAL_PORT", "0"),
        ("METRICS_PORT", "0"),
    ]
    .iter()
    .chain(extra_env)
    .map(|&(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

async fn spawn(env: &[(String, String)]) -> Instance {
    let env: Vec<_> = env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    Instance::spawn(&env).await
}
