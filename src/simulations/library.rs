//! The meshes that simulations here are made of: each is fetched and read once, however many of
//! them use it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, Weak},
    time::Duration,
};

use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

use super::{error::SimulationError, step_pool::StepPool};
use crate::{
    assets::{AssetError, AssetFile, AssetStore, Format, UnreadableMesh, name_of, read},
    clock::{Clock, Moment},
    physics::{
        AssetId, Assets, Fault, MAX_VERTICES_PER_SHAPE, Mesh, MeshError, PhysicsError, Vec3,
    },
};

/// How much longer than its last user an asset is kept at least: a user whose owner is gone lives
/// on in Redis for a while, and whoever goes on with it has to find the asset.
const MARGIN: Duration = Duration::from_secs(120);

/// Uploaded meshes. Those that nobody uses are left to the store.
pub struct AssetLibrary {
    store: Arc<dyn AssetStore>,
    pool: StepPool,
    clock: Clock,
    ttl: Duration,
    loaded: Mutex<HashMap<AssetId, Loaded>>,
    /// Whose turn it is to load one.
    turns: Mutex<HashMap<AssetId, Weak<tokio::sync::Mutex<()>>>>,
}

/// An uploaded mesh.
#[derive(Debug, Serialize, ToSchema)]
pub struct AssetSummary {
    /// The hash of its file, by which shapes name it.
    #[schema(value_type = String, pattern = "^[0-9a-f]{64}$")]
    pub sha256: AssetId,
    /// `stl`, `obj`, `gltf`, `glb` or `json`.
    pub format: &'static str,
    /// The length of its file.
    pub bytes: usize,
    /// How many vertices it has.
    pub vertices: usize,
    /// How many triangles it has.
    pub triangles: usize,
    /// The box around it.
    pub bounds: Bounds,
}

/// A box along the axes.
#[derive(Debug, Serialize, ToSchema)]
pub struct Bounds {
    /// The corner with the least coordinates, m.
    pub min: Vec3,
    /// The corner with the greatest, m.
    pub max: Vec3,
}

/// A mesh that somebody uses, and its file, so that a store that has forgotten it can be told
/// again.
struct Loaded {
    file: AssetFile,
    mesh: Weak<Mesh>,
    /// Until when the store keeps it.
    until: Moment,
}

impl AssetLibrary {
    /// A library over a store. What nobody uses is kept for `ttl`.
    pub fn new(store: Arc<dyn AssetStore>, pool: StepPool, clock: Clock, ttl: Duration) -> Self {
        Self {
            store,
            pool,
            clock,
            ttl,
            loaded: Mutex::default(),
            turns: Mutex::default(),
        }
    }

    /// How long what nobody uses is kept.
    pub(super) fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Keeps a file, whose format is found out unless it is given; whether it is new.
    pub async fn upload(
        &self,
        id: &AssetId,
        format: Option<Format>,
        bytes: Bytes,
    ) -> Result<(AssetSummary, bool), SimulationError> {
        let named = id.clone();
        let read = self.pool.run(move || {
            if name_of(&bytes) != named {
                let detail = format!("the body has the SHA-256 {}", name_of(&bytes));
                return Err(invalid("/sha256", detail));
            }
            let format = format.unwrap_or_else(|| Format::of_bytes(&bytes));
            let mesh = read(format, &bytes).map_err(refused)?;
            Ok((AssetFile { format, bytes }, mesh))
        });
        let (file, mesh) = read.await??;
        let (min, max) = mesh.bounds();
        let summary = AssetSummary {
            sha256: id.clone(),
            format: file.format.name(),
            bytes: file.bytes.len(),
            vertices: mesh.vertices.len(),
            triangles: mesh.indices.len(),
            bounds: Bounds { min, max },
        };
        let format = file.format;
        let known = self.store.put(id, file, self.ttl).await?;
        if let Some(known) = known.filter(|known| *known != format) {
            // Bodies would be made of another mesh than the one that is described here.
            let (known, format) = (known.name(), format.name());
            let detail = format!("is kept as {known} since it was uploaded, and not as {format}");
            return Err(invalid("", detail));
        }
        Ok((summary, known.is_none()))
    }

    /// A file, as it was uploaded. To look at it is to use it.
    pub async fn file(&self, id: &AssetId) -> Result<AssetFile, SimulationError> {
        let at_hand = {
            let loaded = self.loaded();
            loaded.get(id).map(|loaded| loaded.file.clone())
        };
        let file = match at_hand {
            Some(file) => Some(file),
            None => self.store.get(id).await?,
        };
        let file = file.ok_or_else(|| SimulationError::AssetNotFound(id.clone()))?;
        self.store.keep(id, self.ttl).await?;
        Ok(file)
    }

    /// Those of some meshes that somebody here uses.
    pub(super) fn at_hand<'a>(&self, ids: impl IntoIterator<Item = &'a AssetId>) -> Assets {
        let loaded = self.loaded();
        let found = ids.into_iter().filter_map(|id| {
            let mesh = loaded.get(id)?.mesh.upgrade()?;
            Some((id.clone(), mesh))
        });
        found.collect()
    }

    /// Those of some meshes that there are, for a user that expires after `expires_in`: they are
    /// kept until then.
    pub(super) async fn fetch(
        &self,
        ids: &BTreeSet<AssetId>,
        expires_in: Duration,
    ) -> Result<Assets, AssetError> {
        let mut found = Assets::default();
        for id in ids.iter().filter(|id| id.is_well_formed()) {
            let Some(mesh) = self.load(id).await? else {
                continue;
            };
            self.ensure(id, expires_in).await;
            found.insert(id.clone(), mesh);
        }
        Ok(found)
    }

    async fn load(&self, id: &AssetId) -> Result<Option<Arc<Mesh>>, AssetError> {
        let turn = self.turn(id);
        let _turn = turn.lock().await;
        if let Some(mesh) = self.at_hand([id]).mesh(id) {
            return Ok(Some(Arc::clone(mesh)));
        }
        let Some(file) = self.store.get(id).await? else {
            return Ok(None);
        };
        let Some(mesh) = self.read(id, &file).await else {
            tracing::warn!(%id, "the store of assets has something else under the name of {id}");
            return Ok(None);
        };
        let mesh = Arc::new(mesh);
        self.admit(id, file, &mesh);
        Ok(Some(mesh))
    }

    /// The mesh in a file, if it is the one of this name.
    async fn read(&self, id: &AssetId, file: &AssetFile) -> Option<Mesh> {
        let (id, file) = (id.clone(), file.clone());
        let read = move || (name_of(&file.bytes) == id).then(|| read(file.format, &file.bytes));
        self.pool.run(read).await.ok()??.ok()
    }

    fn admit(&self, id: &AssetId, file: AssetFile, mesh: &Arc<Mesh>) {
        let mut loaded = self.loaded();
        loaded.retain(|_, loaded| loaded.mesh.strong_count() > 0);
        let one = Loaded {
            file,
            mesh: Arc::downgrade(mesh),
            until: self.clock.now(),
        };
        loaded.entry(id.clone()).or_insert(one);
    }

    /// Takes in a mesh that was carried here, for a user that expires after `expires_in`.
    pub(super) async fn take_in(
        &self,
        id: &AssetId,
        file: AssetFile,
        mesh: &Arc<Mesh>,
        expires_in: Duration,
    ) -> Result<(), AssetError> {
        let lifetime = self.lifetime(expires_in);
        self.store.put(id, file.clone(), lifetime).await?;
        self.admit(id, file, mesh);
        Ok(())
    }

    /// Has the store keep a mesh for a user that expires after `expires_in`, unless it will anyway.
    pub(super) async fn ensure(&self, id: &AssetId, expires_in: Duration) {
        if !self.is_kept(id, expires_in)
            && let Err(error) = self.keep(id, expires_in).await
        {
            // It is at hand all the same, and the next round tells the store again.
            tracing::debug!(%id, %error, "an asset could not be kept for longer");
        }
    }

    /// Has the store keep a mesh for a user that expires after `expires_in`.
    pub(super) async fn keep(&self, id: &AssetId, expires_in: Duration) -> Result<(), AssetError> {
        let lifetime = self.lifetime(expires_in);
        let until = self.clock.now() + lifetime;
        if self.store.keep(id, lifetime).await?.is_none() {
            let file = self.loaded().get(id).map(|loaded| loaded.file.clone());
            let Some(file) = file else { return Ok(()) };
            // The store has forgotten it.
            self.store.put(id, file, lifetime).await?;
        }
        if let Some(loaded) = self.loaded().get_mut(id) {
            loaded.until = loaded.until.max(until);
        }
        Ok(())
    }

    fn lifetime(&self, expires_in: Duration) -> Duration {
        self.ttl.max(expires_in + MARGIN)
    }

    /// Whether the store keeps it until the next round for a user that expires after `expires_in`.
    fn is_kept(&self, id: &AssetId, expires_in: Duration) -> bool {
        let needed = self.clock.now() + expires_in + MARGIN / 2;
        let loaded = self.loaded();
        loaded.get(id).is_some_and(|loaded| loaded.until >= needed)
    }

    /// The files of some meshes that are at hand.
    pub(super) fn files(&self, assets: &Assets) -> Vec<(AssetId, AssetFile)> {
        let loaded = self.loaded();
        let files = assets.ids().filter_map(|id| {
            let file = loaded.get(id)?.file.clone();
            Some((id.clone(), file))
        });
        files.collect()
    }

    fn turn(&self, id: &AssetId) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().expect("no holder of this lock panics");
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(id).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        turns.insert(id.clone(), Arc::downgrade(&turn));
        turn
    }

    fn loaded(&self) -> MutexGuard<'_, HashMap<AssetId, Loaded>> {
        self.loaded.lock().expect("no holder of this lock panics")
    }
}

/// Why a file that was sent is not taken.
fn refused(error: UnreadableMesh) -> SimulationError {
    match error {
        UnreadableMesh::Unfit(MeshError::TooLarge { used }) => {
            SimulationError::Physics(PhysicsError::LimitExceeded {
                limit: "MAX_VERTICES_PER_SHAPE",
                maximum: MAX_VERTICES_PER_SHAPE,
                used,
            })
        }
        error @ (UnreadableMesh::Malformed(_) | UnreadableMesh::Unfit(_)) => {
            invalid("", error.to_string())
        }
    }
}

fn invalid(pointer: &str, detail: String) -> SimulationError {
    SimulationError::Invalid(vec![Fault {
        pointer: pointer.to_owned(),
        detail,
    }])
}
