//! Values that are too large for one command: nobody else is served while one is carried out.

use std::time::Duration;

use deadpool_redis::redis::{Value, cmd};

use super::{Invocation, RedisStore, StoreError};

/// How much of a value is sent or read at a time, in bytes.
pub const PART: usize = 1 << 20;
/// For how long the parts of a value are kept that is not completed.
const STAGED_LIFETIME: Duration = Duration::from_secs(60);

impl RedisStore {
    /// Gathers the parts of a value under `key`, from where it is to be renamed.
    pub async fn stage(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        for (position, part) in value.chunks(PART).enumerate() {
            let call = Invocation {
                keys: vec![key.to_owned()],
                args: vec![
                    (position * PART).to_string().into(),
                    part.to_vec(),
                    STAGED_LIFETIME.as_millis().to_string().into(),
                ],
            };
            drop(self.invoke::<Value>(&self.0.stage, &call).await?);
        }
        Ok(())
    }

    /// A value, or nothing of it where there is none.
    pub async fn read_whole(&self, key: &str) -> Result<Vec<u8>, StoreError> {
        let mut value = Vec::new();
        loop {
            let mut read = cmd("GETRANGE");
            let begin = value.len();
            read.arg(key).arg(begin).arg(begin + PART - 1);
            let part: Vec<u8> = self.query(&read).await?;
            value.extend_from_slice(&part);
            if part.len() < PART {
                return Ok(value);
            }
        }
    }
}
