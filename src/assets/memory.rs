//! Files in the memory of this process.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;

use super::{AssetError, AssetFile, AssetStore, Format};
use crate::{
    clock::{Clock, Moment},
    physics::AssetId,
};

/// Files in memory, no more than there is room for.
pub struct MemoryAssets {
    clock: Clock,
    max_files: usize,
    max_bytes: usize,
    files: Mutex<HashMap<AssetId, Kept>>,
}

struct Kept {
    file: AssetFile,
    until: Moment,
}

impl MemoryAssets {
    /// None yet, and at most `max_files` of together `max_bytes`.
    pub fn new(clock: Clock, max_files: usize, max_bytes: usize) -> Self {
        Self {
            clock,
            max_files,
            max_bytes,
            files: Mutex::default(),
        }
    }

    /// Those whose time is not over.
    fn living(&self) -> MutexGuard<'_, HashMap<AssetId, Kept>> {
        let now = self.clock.now();
        let mut files = self.files.lock().expect("no holder of this lock panics");
        files.retain(|_, kept| kept.until > now);
        files
    }

    fn keep_on(&self, kept: &mut Kept, lifetime: Duration) {
        kept.until = kept.until.max(self.clock.now() + lifetime);
    }
}

#[async_trait]
impl AssetStore for MemoryAssets {
    async fn put(
        &self,
        id: &AssetId,
        file: AssetFile,
        lifetime: Duration,
    ) -> Result<Option<Format>, AssetError> {
        let mut files = self.living();
        if let Some(kept) = files.get_mut(id) {
            self.keep_on(kept, lifetime);
            return Ok(Some(kept.file.format));
        }
        let held: usize = files.values().map(|kept| kept.file.bytes.len()).sum();
        let limits = [
            ("MAX_ASSETS", self.max_files, files.len() + 1),
            (
                "MAX_ASSET_MEMORY_BYTES",
                self.max_bytes,
                held + file.bytes.len(),
            ),
        ];
        for (limit, maximum, used) in limits {
            if used > maximum {
                return Err(AssetError::Full {
                    limit,
                    maximum,
                    used,
                });
            }
        }
        let until = self.clock.now() + lifetime;
        files.insert(id.clone(), Kept { file, until });
        Ok(None)
    }

    async fn get(&self, id: &AssetId) -> Result<Option<AssetFile>, AssetError> {
        Ok(self.living().get(id).map(|kept| kept.file.clone()))
    }

    async fn keep(&self, id: &AssetId, lifetime: Duration) -> Result<Option<Format>, AssetError> {
        let mut files = self.living();
        Ok(files.get_mut(id).map(|kept| {
            self.keep_on(kept, lifetime);
            kept.file.format
        }))
    }
}
