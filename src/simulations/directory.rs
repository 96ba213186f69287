//! Which simulations are here, and how they come and go.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::sync::Semaphore;

use super::{
    Services,
    error::SimulationError,
    fleet::{Fleet, FleetSettings},
    handle::SimulationHandle,
    record::Labels,
    shared::Shared,
    terms::Precondition,
    transit::Transit,
};
use crate::{
    id::{Nonce, SimulationId, Tenant},
    registry::{Ending, Registry, Whereabouts},
    shutdown::Shutdown,
};

/// How often a simulation is looked for that is on its way from one place to another.
const MAX_ATTEMPTS: usize = 4;
/// How many simulations are made again at a time: each reads its journal while others compute.
const MAX_RECOVERIES: usize = 16;

/// All simulations of this instance. Cheap to clone.
#[derive(Clone)]
pub struct Simulations {
    pub(super) inner: Arc<Inner>,
}

/// A position in the list of simulations: behind the simulation created then.
pub type ListKey = (u64, SimulationId);

pub(super) struct Inner {
    pub(super) services: Arc<Services>,
    pub(super) registry: Arc<dyn Registry>,
    /// The other instances, if the registry is shared with any.
    pub(super) fleet: Option<Arc<Fleet>>,
    /// Simulations that are here or about to be.
    places_taken: AtomicUsize,
    pub(super) being_created: Mutex<HashSet<SimulationId>>,
    /// Simulations that are being made again, or that are leaving.
    pub(super) transit: Arc<Transit>,
    /// How many may be made again at a time.
    pub(super) recoveries: Semaphore,
    /// The wall time given to the latest simulation: no two get the same.
    latest_created: AtomicU64,
    /// Tells this process from an earlier one of the same name.
    pub(super) nonce: Nonce,
    entries: RwLock<Entries>,
}

#[derive(Default)]
struct Entries {
    by_id: HashMap<SimulationId, SimulationHandle>,
    by_age: BTreeSet<ListKey>,
}

impl Entries {
    /// In the order of their creation, so that what is done with all of them is reproducible.
    fn in_order(&self) -> impl Iterator<Item = &SimulationHandle> {
        let by_age = self.by_age.iter();
        by_age.filter_map(|(_, id)| self.by_id.get(id))
    }
}

/// A place among the simulations, given back unless it is used.
pub(super) struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Simulations {
    /// No simulations yet, on the only instance there is.
    pub fn alone(services: Services, registry: Arc<dyn Registry>) -> Self {
        Self::new(services, registry, None)
    }

    /// No simulations yet, on one instance of several that share a registry.
    pub fn in_fleet(
        services: Services,
        registry: Arc<dyn Registry>,
        settings: FleetSettings,
        shutdown: &Shutdown,
    ) -> Self {
        let fleet = Arc::new(Fleet::new(
            services.instance_id.clone(),
            services.clock,
            Arc::clone(&registry),
            Arc::clone(&services.metrics),
            settings,
        ));
        let simulations = Self::new(services, registry, Some(Arc::clone(&fleet)));
        fleet.start(&simulations, shutdown);
        simulations
    }

    fn new(services: Services, registry: Arc<dyn Registry>, fleet: Option<Arc<Fleet>>) -> Self {
        Self {
            inner: Arc::new(Inner {
                services: Arc::new(services),
                registry,
                fleet,
                places_taken: AtomicUsize::new(0),
                being_created: Mutex::default(),
                transit: Arc::default(),
                recoveries: Semaphore::new(MAX_RECOVERIES),
                latest_created: AtomicU64::new(0),
                nonce: Nonce::random(),
                entries: RwLock::default(),
            }),
        }
    }

    /// What simulations are made with.
    pub fn services(&self) -> &Services {
        &self.inner.services
    }

    /// The simulation of this name, if `tenant` may use it; the request that asks counts as an
    /// access.
    pub async fn open(
        &self,
        id: &SimulationId,
        tenant: Option<&Tenant>,
    ) -> Result<SimulationHandle, SimulationError> {
        if let Some(simulation) = self.here(id, tenant).await? {
            return Ok(simulation);
        }
        if self.inner.fleet.is_some() {
            // Boxed: every connection would otherwise hold the memory of the way to Redis.
            return Box::pin(self.find(id, tenant)).await;
        }
        Err(match self.inner.registry.find(id, tenant).await? {
            Whereabouts::Ended(Ending::Expired) | Whereabouts::Overdue => {
                SimulationError::Expired(id.clone())
            }
            Whereabouts::Ended(Ending::Lost) => SimulationError::Lost(id.clone()),
            Whereabouts::Ended(Ending::Destroyed)
            | Whereabouts::Mislaid
            | Whereabouts::Owned(_)
            | Whereabouts::Unknown => SimulationError::NotFound(id.clone()),
        })
    }

    /// Finds a simulation that is not here, and goes on with it here if nobody has it.
    async fn find(
        &self,
        id: &SimulationId,
        tenant: Option<&Tenant>,
    ) -> Result<SimulationHandle, SimulationError> {
        for _ in 0..MAX_ATTEMPTS {
            self.wait_for_transit(id).await?;
            if let Some(simulation) = self.here(id, tenant).await? {
                return Ok(simulation);
            }
            let Some(fleet) = &self.inner.fleet else {
                break;
            };
            let located = fleet.locate(self, id, tenant).await;
            let SimulationError::Ownerless(id, holding) = located else {
                return Err(located);
            };
            if self.is_draining() {
                return Err(fleet.pass_on(id).await);
            }
            self.recover(&id, *holding).await?;
        }
        Err(SimulationError::OwnerUnreachable(id.clone()))
    }

    /// Waits until a simulation has arrived or left that is on its way.
    pub(super) async fn wait_for_transit(
        &self,
        id: &SimulationId,
    ) -> Result<bool, SimulationError> {
        let waits = self.services().request_timeout;
        let arrived = tokio::time::timeout(waits, self.inner.transit.wait(id)).await;
        arrived.map_err(|_| SimulationError::OwnerUnreachable(id.clone()))
    }

    /// Makes sure, right before a reply about a simulation is written, that it is still this
    /// instance's to give: the process may have been stopped for longer than its lease.
    pub async fn confirm(&self, simulation: &SimulationHandle) -> Result<(), SimulationError> {
        match &self.inner.fleet {
            Some(_) if simulation.shared.claim.has_left() => {
                Err(SimulationError::OwnershipLost(simulation.id().clone()))
            }
            Some(fleet) if !fleet.covers(simulation) => {
                Box::pin(fleet.confirm(self, simulation)).await
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The simulation of this name if it is here and may be answered for.
    pub(super) async fn here(
        &self,
        id: &SimulationId,
        tenant: Option<&Tenant>,
    ) -> Result<Option<SimulationHandle>, SimulationError> {
        let Some(simulation) = self.live(id, tenant) else {
            return Ok(None);
        };
        match self.confirm(&simulation).await {
            Ok(()) => Ok(Some(simulation)),
            // Somebody else has it now.
            Err(SimulationError::OwnershipLost(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Up to `limit` simulations of `tenant` behind `after` in the order of their creation, with
    /// their positions, and whether there are more.
    pub fn list(
        &self,
        tenant: Option<&Tenant>,
        after: Option<&ListKey>,
        limit: usize,
        matches: impl Fn(&Labels) -> bool,
    ) -> (Vec<(ListKey, SimulationHandle)>, bool) {
        use std::ops::Bound::{Excluded, Unbounded};
        let entries = self.inner.entries.read().expect("no holder panics");
        let from = after.map_or(Unbounded, |key| Excluded(key.clone()));
        let mut found = Vec::new();
        for key in entries.by_age.range((from, Unbounded)) {
            let Some(simulation) = entries.by_id.get(&key.1) else {
                continue;
            };
            let is_theirs = simulation.shared.claim.tenant.as_ref() == tenant;
            // What another instance may have claimed meanwhile is left to that instance to show.
            let is_ours = || {
                self.inner
                    .fleet
                    .as_ref()
                    .is_none_or(|fleet| fleet.covers(simulation))
            };
            if !is_theirs || !matches(&simulation.labels()) || !is_ours() {
                continue;
            }
            if found.len() == limit {
                return (found, true);
            }
            found.push((key.clone(), simulation.clone()));
        }
        (found, false)
    }

    /// All simulations that are here.
    pub(super) fn all(&self) -> Vec<SimulationHandle> {
        let entries = self.inner.entries.read().expect("no holder panics");
        entries.in_order().cloned().collect()
    }

    /// Looks at all simulations that are here. None comes or goes meanwhile.
    pub(super) fn each(&self, look: impl FnMut(&SimulationHandle)) {
        let entries = self.inner.entries.read().expect("no holder panics");
        entries.in_order().for_each(look);
    }

    /// How many simulations are here.
    pub fn count(&self) -> usize {
        self.inner.places_taken.load(Ordering::Acquire)
    }

    /// Creates no more simulations.
    pub fn drain(&self) {
        self.services().is_draining.store(true, Ordering::Release);
    }

    /// Ends all simulations, as the process does.
    pub async fn close(&self) {
        let entries = {
            let mut entries = self.inner.entries.write().expect("no holder panics");
            std::mem::take(&mut *entries)
        };
        let left: Vec<_> = entries.in_order().cloned().collect();
        for simulation in &left {
            simulation.shared.claim.end();
            simulation.close();
        }
        if let Some(fleet) = &self.inner.fleet {
            fleet.close(&left).await;
        }
    }

    /// Whether this instance is about to stop.
    pub fn is_draining(&self) -> bool {
        self.services().is_draining.load(Ordering::Acquire)
    }

    /// Ends a simulation that nobody has used for its TTL; false if somebody has, after all.
    pub(super) async fn expire(&self, simulation: &SimulationHandle) -> bool {
        let is_over = |shared: &Shared| shared.expires() <= self.services().clock.now();
        if !self.remove(simulation, is_over) {
            return false;
        }
        simulation.shared.claim.bury();
        self.settle(simulation, Ending::Expired).await;
        let id = simulation.id();
        tracing::info!(sim_id = %id, "simulation {id} expired");
        true
    }

    /// Drops a simulation that another instance has claimed while this one was cut off.
    pub(super) fn lose_to_another(&self, simulation: &SimulationHandle) {
        // Nothing more is done here: whoever waits finds it where it is now.
        simulation.shared.claim.leave();
        simulation.close();
        if !self.remove(simulation, |_| true) {
            return;
        }
        self.free_place();
        self.services().metrics.ownership_conflicts.inc();
        let id = simulation.id();
        tracing::warn!(sim_id = %id, "simulation {id} is owned by another instance now, its world here is dropped");
    }

    /// Takes a simulation out of the directory; false if it was not in it, or does not stand where
    /// it is required to.
    pub(super) async fn end(
        &self,
        simulation: &SimulationHandle,
        ending: Ending,
        required: Option<&Precondition>,
    ) -> bool {
        let head = |shared: &Shared| shared.committed().head;
        let is_met = |shared: &Shared| required.is_none_or(|it| it.is_met_by(head(shared)));
        let removed = self.remove(simulation, is_met);
        if removed {
            simulation.shared.claim.bury();
            // Before anything is waited for: whoever asks for the end may leave at any time.
            simulation.close();
            self.settle(simulation, ending).await;
        }
        removed
    }

    pub(super) fn count_end(&self, ending: Ending) {
        self.free_place();
        let ended = &self.services().metrics.simulations_ended;
        match ending {
            Ending::Destroyed => &ended.destroyed,
            Ending::Expired => &ended.expired,
            Ending::Lost => &ended.lost,
        }
        .inc();
    }

    async fn settle(&self, simulation: &SimulationHandle, ending: Ending) {
        self.count_end(ending);
        if let Some(fleet) = &self.inner.fleet {
            fleet.release(simulation, ending).await;
            return;
        }
        let release = simulation.to_release(ending);
        if let Err(error) = self.inner.registry.release(&[release]).await {
            tracing::error!(sim_id = %simulation.id(), %error, "a simulation could not be released");
        }
    }

    /// The simulation of this name if it is here, counting as an access. Touched under the same
    /// lock as it is removed under, so that none is used that has expired.
    pub(super) fn live(
        &self,
        id: &SimulationId,
        tenant: Option<&Tenant>,
    ) -> Option<SimulationHandle> {
        let entries = self.inner.entries.read().expect("no holder panics");
        let simulation = entries.by_id.get(id)?;
        if simulation.shared.claim.tenant.as_ref() != tenant {
            return None;
        }
        simulation.touch();
        self.note(simulation);
        Some(simulation.clone())
    }

    /// Has the registry told of a simulation what is new.
    pub(super) fn note(&self, simulation: &SimulationHandle) {
        if let Some(fleet) = &self.inner.fleet {
            fleet.note(simulation);
        }
    }

    /// Whether a simulation of this name is here or about to be, whosever it is.
    pub(super) fn has_name(&self, id: &SimulationId) -> bool {
        self.is_being_created(id) || self.has(id) || self.inner.transit.contains(id)
    }

    /// Whether a simulation of this name is being created here.
    pub(super) fn is_being_created(&self, id: &SimulationId) -> bool {
        let being_created = self.inner.being_created.lock().expect("no holder panics");
        being_created.contains(id)
    }

    /// Whether a simulation of this name is here, whosever it is.
    pub(super) fn has(&self, id: &SimulationId) -> bool {
        let entries = self.inner.entries.read().expect("no holder panics");
        entries.by_id.contains_key(id)
    }

    /// Gives back the place of a simulation that is here no more.
    pub(super) fn free_place(&self) {
        drop(Place(&self.inner.places_taken));
    }

    pub(super) fn insert(&self, simulation: SimulationHandle) {
        let mut entries = self.inner.entries.write().expect("no holder panics");
        let id = simulation.id().clone();
        entries
            .by_age
            .insert((simulation.shared.created_unix_micros, id.clone()));
        entries.by_id.insert(id, simulation);
    }

    pub(super) fn remove(
        &self,
        simulation: &SimulationHandle,
        agrees: impl Fn(&Shared) -> bool,
    ) -> bool {
        let mut entries = self.inner.entries.write().expect("no holder panics");
        let id = simulation.id();
        let is_same = |known: &SimulationHandle| Arc::ptr_eq(&known.shared, &simulation.shared);
        if !entries.by_id.get(id).is_some_and(is_same) || !agrees(&simulation.shared) {
            return false;
        }
        simulation.shared.claim.end();
        entries.by_id.remove(id);
        entries
            .by_age
            .remove(&(simulation.shared.created_unix_micros, id.clone()));
        if entries.by_id.len() * 4 < entries.by_id.capacity() {
            let few = entries.by_id.len() * 2;
            entries.by_id.shrink_to(few);
        }
        true
    }

    pub(super) fn take_place(&self) -> Result<Place<'_>, SimulationError> {
        let maximum = self.services().max_simulations;
        let taken = &self.inner.places_taken;
        let place = Place(taken);
        if taken.fetch_add(1, Ordering::AcqRel) >= maximum {
            return Err(SimulationError::QuotaExceeded { maximum });
        }
        Ok(place)
    }

    /// The wall time of a creation, made later by a microsecond where two would be equal.
    pub(super) fn created_unix_micros(&self, now: u64) -> u64 {
        let latest = &self.inner.latest_created;
        let later = |before: u64| Some(now.max(before + 1));
        let before = latest.fetch_update(Ordering::AcqRel, Ordering::Acquire, later);
        now.max(before.unwrap_or_else(|before| before) + 1)
    }
}
