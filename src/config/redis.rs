//! Where Redis is, and by whom its certificate is signed.

use std::{fs, io};

use super::{Config, given};
use crate::redis_store::RedisTarget;

impl Config {
    /// Where Redis is, or what is wrong with what is said about it.
    pub fn redis_target(&self) -> Result<RedisTarget, String> {
        let (name, url) = match (
            given(self.redis_url.as_ref()),
            given(self.upstash_redis_url.as_ref()),
        ) {
            (Some(url), _) => ("REDIS_URL", url),
            (None, Some(url)) => ("UPSTASH_REDIS_URL", url),
            (None, None) => {
                return Err(
                    "STORAGE_BACKEND=redis needs REDIS_URL, such as redis://:password@host:6379"
                        .to_owned(),
                );
            }
        };
        RedisTarget::parse(url).map_err(|error| format!("{name}: {error}"))
    }

    /// The certificates of the private authority that Redis' certificate is signed by.
    pub fn redis_ca_pem(&self) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = &self.redis_ca_file else {
            return Ok(None);
        };
        let read = fs::read(file);
        let named = |error: io::Error| {
            io::Error::new(
                error.kind(),
                format!("REDIS_CA_FILE {}: {error}", file.display()),
            )
        };
        read.map(Some).map_err(named)
    }
}
