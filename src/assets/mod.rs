//! Files with meshes, kept by the hash of their bytes: uploaded once, used by any simulation.

mod formats;
mod memory;
mod redis;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest, Sha256};

pub use self::{
    formats::{Format, UnreadableMesh, read},
    memory::MemoryAssets,
    redis::RedisAssets,
};
use crate::physics::AssetId;

/// Where the files are.
#[async_trait]
pub trait AssetStore: Send + Sync + 'static {
    /// Keeps a file from now on for `lifetime` at least. Where it is there already it stays, and
    /// the answer is the format in which it was put.
    async fn put(
        &self,
        id: &AssetId,
        file: AssetFile,
        lifetime: Duration,
    ) -> Result<Option<Format>, AssetError>;

    /// A file, as it was put.
    async fn get(&self, id: &AssetId) -> Result<Option<AssetFile>, AssetError>;

    /// Keeps a file that is there from now on for `lifetime` at least; its format, if it is there.
    async fn keep(&self, id: &AssetId, lifetime: Duration) -> Result<Option<Format>, AssetError>;
}

/// A file with a mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetFile {
    /// How it is to be read.
    pub format: Format,
    /// All of it.
    pub bytes: Bytes,
}

/// Why a file was not kept or found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssetError {
    /// There is no room for it.
    #[error("{limit} is {maximum}, this would make {used}")]
    Full {
        /// The limit.
        limit: &'static str,
        /// Its value.
        maximum: usize,
        /// What the file would have brought it to.
        used: usize,
    },
    /// The store cannot be reached, or has not done as asked.
    #[error("the store of assets does not answer: {0}")]
    Unavailable(String),
}

/// The name of a file.
pub fn name_of(bytes: &[u8]) -> AssetId {
    AssetId::of_hash(Sha256::digest(bytes).into())
}
