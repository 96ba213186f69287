//! What makes one service of many instances: a lease for each, and a way from each to every
//! simulation.

mod entry;
mod finding;
mod lease;
mod lease_keeper;
mod locations;
mod peers;
mod registrar;
mod sweeper;
mod view;

use std::{
    sync::{Arc, Mutex, RwLock},
    time::Duration,
};

use tokio::sync::Notify;

use self::{
    lease::Lease, lease_keeper::LeaseKeeper, locations::Locations, peers::Peers,
    registrar::Registrar,
};
use super::{Durability, SimulationError, SimulationHandle, Simulations};
use crate::{
    clock::Clock,
    id::{InstanceId, Nonce, SimulationId},
    metrics::Metrics,
    registry::{Ending, Event, Happening, Owner, Promises, Registry, RegistryError, Release},
    shutdown::Shutdown,
};

/// How long after a failure the registry is asked again.
const RETRY: Duration = Duration::from_millis(150);
/// How long the registry is waited for at the end of the process.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How long whoever ends a simulation waits for the registry to hear of it.
const MAX_WAIT_FOR_END: Duration = Duration::from_secs(2);

/// How this instance takes part in a fleet.
pub struct FleetSettings {
    /// Where other instances reach this one.
    pub advertised_url: Arc<str>,
    /// What all instances share, unless they are to agree on it.
    pub secret: Option<Arc<str>>,
    /// How long a lease lasts.
    pub lease_ttl: Duration,
    /// How often the registry is told which simulations were used.
    pub ttl_flush: Duration,
    /// How often leftovers of dead owners are looked for.
    pub sweep: Duration,
    /// Whether nothing is changed while the registry cannot be reached.
    pub fails_closed: bool,
}

/// This instance among the others.
pub(super) struct Fleet {
    clock: Clock,
    registry: Arc<dyn Registry>,
    settings: FleetSettings,
    metrics: Arc<Metrics>,
    lease: Lease,
    peers: Peers,
    locations: Locations,
    registrar: Registrar,
    /// Has the lease renewed at once.
    nudge: Notify,
    /// Held while the lease is renewed; whether it has been given up for good.
    has_resigned: tokio::sync::Mutex<bool>,
    secret: RwLock<Option<Arc<str>>>,
    /// What the registry can promise, as it last said.
    promises: Mutex<Option<Promises>>,
    /// Why the registry did not take what it was last told.
    refusal: Mutex<Option<String>>,
}

/// How the registry does, as far as this instance knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryHealth {
    /// It answers and keeps what it is told.
    Ok,
    /// It answers, but something is wrong with it.
    Degraded(String),
    /// It does not answer.
    Down,
}

impl Fleet {
    pub(super) fn new(
        instance: InstanceId,
        clock: Clock,
        registry: Arc<dyn Registry>,
        metrics: Arc<Metrics>,
        settings: FleetSettings,
    ) -> Self {
        let owner = Owner {
            instance: instance.clone(),
            nonce: Nonce::random(),
        };
        Self {
            clock,
            peers: Peers::new(Arc::clone(&registry), instance),
            secret: RwLock::new(settings.secret.clone()),
            registry,
            lease: Lease::new(clock, owner, settings.lease_ttl),
            settings,
            metrics,
            locations: Locations::new(clock),
            registrar: Registrar::default(),
            nudge: Notify::new(),
            has_resigned: tokio::sync::Mutex::new(false),
            promises: Mutex::default(),
            refusal: Mutex::default(),
        }
    }

    /// Starts what goes on in the background until the process ends.
    pub(super) fn start(self: &Arc<Self>, simulations: &Simulations, shutdown: &Shutdown) {
        let keeper = LeaseKeeper::new(Arc::clone(self), simulations.clone());
        // Late renewals cost the simulations, whatever they were late through.
        shutdown.spawn_apart(keeper.run());
        shutdown.spawn_unawaited(Registrar::run(Arc::clone(self), simulations.clone()));
        shutdown.spawn_unawaited(sweeper::sweep(Arc::clone(self)));
        shutdown.spawn_unawaited(Arc::clone(self).listen());
    }

    /// Whether this instance may answer for a simulation that it has, without asking anybody.
    pub(super) fn covers(&self, simulation: &SimulationHandle) -> bool {
        let life = simulation.shared.claim.confirmed_in();
        if simulation.shared.durability == Durability::Journal {
            return self.lease.is_held(life);
        }
        // One that was created without the registry is confirmed by nobody; it has a name that
        // nobody else gives.
        self.lease
            .covers(if life == 0 { self.lease.life() } else { life })
    }

    /// Makes sure that this instance may answer for a simulation that it has.
    pub(super) async fn confirm(
        &self,
        simulations: &Simulations,
        simulation: &SimulationHandle,
    ) -> Result<(), SimulationError> {
        let waits = simulations.services().request_timeout;
        if tokio::time::timeout(waits, self.lease.settled())
            .await
            .is_err()
        {
            return Err(RegistryError::Unavailable.into());
        }
        let is_journalled = simulation.shared.durability == Durability::Journal;
        if is_journalled && !self.lease.is_registry_reachable() && !self.covers(simulation) {
            // Somebody else may go on with it by now.
            return Err(RegistryError::Unavailable.into());
        }
        // One that has ended in the meantime is not to be registered again.
        if !self.covers(simulation) && !simulation.shared.claim.has_ended() {
            self.reassert(simulations, &[simulation]).await?;
        }
        if simulation.shared.claim.has_ended() {
            return Err(SimulationError::OwnershipLost(simulation.id().clone()));
        }
        Ok(())
    }

    /// Notes an access.
    pub(super) fn note(&self, simulation: &SimulationHandle) {
        self.registrar.note(simulation);
    }

    /// What instances prove to each other who they are with, once it is agreed on.
    fn secret(&self) -> Option<Arc<str>> {
        self.secret.read().expect("no holder panics").clone()
    }

    fn health(&self) -> RegistryHealth {
        if !self.lease.is_registry_reachable() {
            return RegistryHealth::Down;
        }
        let refusal = self.refusal.lock().expect("no holder panics").clone();
        let risk = self.eviction_risk();
        refusal
            .or_else(|| self.registry.refusal())
            .or(risk)
            .map_or(RegistryHealth::Ok, RegistryHealth::Degraded)
    }

    /// Notes why the registry did not take what it was told, or that it took everything.
    fn note_refusal(&self, error: Option<&RegistryError>) {
        let text = error.map(ToString::to_string);
        let is_new = {
            let mut refusal = self.refusal.lock().expect("no holder panics");
            std::mem::replace(&mut *refusal, text).is_none()
        };
        if let Some(error) = error.filter(|_| is_new) {
            tracing::warn!(%error, "the registry does not take what it is told");
        }
    }

    fn promises(&self) -> Option<Promises> {
        self.promises.lock().expect("no holder panics").clone()
    }

    /// Why entries may vanish before their time, if they may.
    fn eviction_risk(&self) -> Option<String> {
        let promises = self.promises()?;
        let is_risk = promises.is_eviction_risk();
        let policy = promises.eviction.filter(|_| is_risk)?;
        Some(format!(
            "maxmemory-policy is {policy}: entries may vanish before their time"
        ))
    }

    fn takes_writes(&self) -> bool {
        // Before the first renewal nobody knows; a claim waits for it.
        !self.settings.fails_closed || self.lease.is_registry_reachable() || !self.lease.was_tried()
    }

    /// Has the lease keeper see whether the registry is there at all.
    fn trouble(&self, error: RegistryError) -> SimulationError {
        self.nudge.notify_one();
        error.into()
    }

    /// In which life of the lease this instance is.
    pub(super) fn life(&self) -> u64 {
        self.lease.life()
    }

    /// Gives up everything that is left, as the process ends.
    pub(super) async fn close(&self, left: &[SimulationHandle]) {
        // What is written down is left to whoever is asked for it.
        let releases: Vec<_> = left
            .iter()
            .filter(|simulation| simulation.shared.durability != Durability::Journal)
            .map(|simulation| simulation.to_release(Ending::Lost))
            .collect();
        let told = async {
            *self.has_resigned.lock().await = true;
            self.registrar.tell_ends(self).await?;
            self.registry.release(&releases).await?;
            self.registry.resign(&self.lease.owner()).await
        };
        if !matches!(tokio::time::timeout(LAST_WORDS, told).await, Ok(Ok(()))) {
            tracing::warn!("the registry could not be told that this instance stops");
        }
    }

    /// Has the registry told of the end of a simulation; completes when it was, or could not be.
    pub(super) async fn release(&self, simulation: &SimulationHandle, ending: Ending) {
        let told = self.registrar.release(simulation.to_release(ending));
        self.announce(simulation.id(), ending.into());
        // A sender that is dropped could not tell, and a slow registry is told all the same.
        let _ = tokio::time::timeout(MAX_WAIT_FOR_END, told).await;
    }

    /// Keeps in mind that the registry was told of an end, which it may forget.
    pub(super) fn remember_end(&self, release: Release) {
        self.registrar.remember(release);
    }

    /// Tells the other instances what happened.
    pub(super) fn announce(&self, id: &SimulationId, happening: Happening) {
        self.registrar.announce(Event {
            happening,
            id: id.clone(),
            instance: self.lease.owner().instance,
        });
    }

    /// Drops what is remembered of simulations as soon as others say that it is no longer so.
    async fn listen(self: Arc<Self>) {
        use futures_util::StreamExt;
        let mut has_listened = false;
        loop {
            if let Ok(mut events) = self.registry.listen().await {
                if std::mem::replace(&mut has_listened, true) {
                    // Another one may answer by now that knows less, and so soon that no renewal
                    // has failed.
                    self.look_again();
                }
                while let Some(event) = events.next().await {
                    if event.happening == Happening::Created {
                        self.locations.correct(&event.id, &event.instance);
                    } else {
                        self.locations.forget(&event.id);
                    }
                }
                // The link breaks first when Redis goes, before anybody has asked it for anything.
                self.look_again();
            }
            tokio::time::sleep(RETRY * 5).await;
        }
    }

    /// Has the registry taken for out of reach until the lease is renewed, at once.
    fn look_again(&self) {
        self.lease.lose_sight();
        self.nudge.notify_one();
    }

    async fn agree_on_secret(&self) -> Result<(), RegistryError> {
        if self.settings.secret.is_some() {
            return Ok(());
        }
        let proposal = self.secret().map_or_else(
            || format!("{}{}", Nonce::random(), Nonce::random()),
            |secret| secret.to_string(),
        );
        let agreed = self.registry.secret(&proposal).await?;
        *self.secret.write().expect("no holder panics") = Some(agreed.into());
        Ok(())
    }
}
