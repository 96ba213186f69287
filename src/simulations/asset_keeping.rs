//! Uploaded meshes live for as long as the simulations that are made of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    directory::Simulations, error::SimulationError, handle::SimulationHandle, image::Image,
};
use crate::{
    assets::AssetError,
    id::SimulationId,
    journal::{Entry, Event},
    physics::{AssetId, Assets, BodySpec, Command, PhysicsError},
};

/// How often the store is told at least who still uses what; well within the margin by which an
/// asset outlives its users.
const PERIOD: Duration = Duration::from_secs(30);

/// How many assets one request may name.
const MAX_ASSETS_PER_REQUEST: usize = 256;

/// Why a simulation cannot be made again for want of an asset.
pub(super) enum MissingAsset {
    /// There is none of this name any more.
    Gone(AssetId),
    /// It cannot be found out now.
    Unknown(AssetError),
}

impl MissingAsset {
    /// What clients of a simulation are told that cannot be made again now.
    pub(super) fn refusal(self, id: &SimulationId) -> SimulationError {
        match self {
            Self::Gone(asset) => SimulationError::Unreplayable {
                id: id.clone(),
                reason: format!("asset {asset} is gone, which it is made of"),
            },
            Self::Unknown(error) => error.into(),
        }
    }
}

impl Simulations {
    /// Has the store keep what simulations here are made of, for as long as it is polled.
    pub async fn keep_assets(self) {
        let period = PERIOD.min(self.services().assets.ttl() / 2);
        loop {
            tokio::time::sleep(period).await;
            self.keep_assets_once().await;
        }
    }

    /// Tells the store of every asset in use, once, until when it is needed.
    async fn keep_assets_once(&self) {
        let services = self.services();
        let mut needed: BTreeMap<AssetId, Duration> = BTreeMap::new();
        for simulation in self.all() {
            let expires_in = simulation.time_left();
            for id in simulation.assets() {
                let longest = needed.entry(id).or_default();
                *longest = expires_in.max(*longest);
            }
        }
        for (id, expires_in) in needed {
            // One that cannot be kept is no reason to forget the others.
            if let Err(error) = services.assets.keep(&id, expires_in).await {
                tracing::debug!(%id, %error, "an asset could not be kept for longer");
            }
        }
    }

    /// The assets that bodies of a new simulation are made of; those that do not exist are left out.
    pub async fn fetch_assets(&self, bodies: &[BodySpec]) -> Result<Assets, SimulationError> {
        let mut ids = BTreeSet::new();
        for body in bodies {
            body.name_assets(&mut ids);
        }
        check_count(&ids)?;
        let services = self.services();
        Ok(services.assets.fetch(&ids, services.default_ttl).await?)
    }

    /// What it takes to make a simulation again from an image and the entries behind it.
    pub(super) async fn assets_of<'a>(
        &self,
        image: &Image,
        entries: impl IntoIterator<Item = &'a Entry>,
    ) -> Result<Assets, MissingAsset> {
        let services = self.services();
        let named = named_by(image, entries);
        let found = services.assets.fetch(&named, services.default_ttl).await;
        let found = found.map_err(MissingAsset::Unknown)?;
        match named.into_iter().find(|id| found.mesh(id).is_none()) {
            Some(gone) => Err(MissingAsset::Gone(gone)),
            None => Ok(found),
        }
    }

    /// Has the store keep what a simulation is made of until it expires.
    pub(super) async fn keep_assets_of(&self, simulation: &SimulationHandle) {
        let expires_in = simulation.time_left();
        for id in simulation.assets() {
            self.services().assets.ensure(&id, expires_in).await;
        }
    }
}

/// Refuses a request that would have to wait for too many assets.
fn check_count(ids: &BTreeSet<AssetId>) -> Result<(), PhysicsError> {
    if ids.len() <= MAX_ASSETS_PER_REQUEST {
        return Ok(());
    }
    Err(PhysicsError::LimitExceeded {
        limit: "MAX_ASSETS_PER_REQUEST",
        maximum: MAX_ASSETS_PER_REQUEST,
        used: ids.len(),
    })
}

/// The assets that an image and the entries behind it name.
fn named_by<'a>(image: &Image, entries: impl IntoIterator<Item = &'a Entry>) -> BTreeSet<AssetId> {
    let mut named = image.assets.clone();
    for entry in entries {
        if let Event::Command(command) = &entry.event {
            named.extend(command.assets());
        }
    }
    named
}

impl SimulationHandle {
    /// What it takes to make its world again, here or from its journal, as far as that can be
    /// seen now.
    fn assets(&self) -> BTreeSet<AssetId> {
        let mut core = self.shared.core();
        core.note_assets(&self.shared);
        let journalling = core.journalling.as_ref();
        let history = core.history.iter();
        let in_history = history.flat_map(|history| history.assets().ids().cloned());
        let in_journal = journalling.map(|journalling| journalling.assets());
        in_history.chain(in_journal.into_iter().flatten()).collect()
    }

    fn time_left(&self) -> Duration {
        let shared = &self.shared;
        shared.expires().since(shared.services.clock.now())
    }

    /// What a command is about to need, held for as long as the answer is kept. What does not exist
    /// is left out: the world says so.
    pub(super) async fn fetch_assets(&self, command: &Command) -> Result<Assets, SimulationError> {
        let ids = command.assets();
        if ids.is_empty() {
            return Ok(Assets::default());
        }
        check_count(&ids)?;
        let (services, ttl) = (&self.shared.services, self.shared.ttl());
        Ok(services.assets.fetch(&ids, ttl).await?)
    }
}
