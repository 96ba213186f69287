//! Files in Redis: each is one value, which begins with the letter of its format.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{AssetError, AssetFile, AssetStore, Format};
use crate::{
    id::Nonce,
    physics::AssetId,
    redis_store::{Invocation, RedisStore, Script, StoreError, keys},
};

/// Files in Redis.
pub struct RedisAssets {
    store: RedisStore,
    commit: Script,
    keep: Script,
}

impl RedisAssets {
    /// A store that may not be reachable yet.
    pub fn new(store: RedisStore) -> Self {
        Self {
            store,
            commit: Script::new(include_str!("scripts/commit.lua")),
            keep: Script::new(include_str!("scripts/keep.lua")),
        }
    }
}

#[async_trait]
impl AssetStore for RedisAssets {
    async fn put(
        &self,
        id: &AssetId,
        file: AssetFile,
        lifetime: Duration,
    ) -> Result<Option<Format>, AssetError> {
        let known = self.keep(id, lifetime).await?;
        if known.is_some() {
            return Ok(known);
        }
        let mut value = vec![file.format.letter()];
        value.extend_from_slice(&file.bytes);
        let staged = keys::staged_asset(id, &Nonce::random());
        self.store.stage(&staged, &value).await?;
        let call = Invocation {
            keys: vec![keys::asset(id), staged],
            args: vec![value.len().to_string().into(), millis(lifetime)],
        };
        let answer: String = self.store.invoke(&self.commit, &call).await?;
        match answer.as_str() {
            "new" => Ok(None),
            known if known.len() == 1 => Ok(format_of(known.as_bytes())),
            _ => {
                let text = "parts of the file have vanished".to_owned();
                Err(AssetError::Unavailable(text))
            }
        }
    }

    async fn get(&self, id: &AssetId) -> Result<Option<AssetFile>, AssetError> {
        let value = Bytes::from(self.store.read_whole(&keys::asset(id)).await?);
        Ok(format_of(&value).map(|format| AssetFile {
            format,
            bytes: value.slice(1..),
        }))
    }

    async fn keep(&self, id: &AssetId, lifetime: Duration) -> Result<Option<Format>, AssetError> {
        let call = Invocation {
            keys: vec![keys::asset(id)],
            args: vec![millis(lifetime)],
        };
        let letter: String = self.store.invoke(&self.keep, &call).await?;
        Ok(format_of(letter.as_bytes()))
    }
}

impl From<StoreError> for AssetError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// The format that a value begins with, if it is one.
fn format_of(value: &[u8]) -> Option<Format> {
    value.first().copied().and_then(Format::of_letter)
}

fn millis(duration: Duration) -> Vec<u8> {
    duration.as_millis().to_string().into()
}
