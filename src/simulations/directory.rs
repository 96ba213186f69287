//! Which simulations are here, and how they come and go.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, OnceLock, RwLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{
    Services,
    committed::Committed,
    core::Core,
    error::SimulationError,
    handle::SimulationHandle,
    history::History,
    idempotency::IdempotencyKey,
    inbox::Inbox,
    record::Labels,
    reply::{Reply, json},
    shared::{Creation, Shared},
    task::SimulationTask,
};
use crate::{
    id::SimulationId,
    physics::{
        BodySpec, Command, Faults, JointSpec, PhysicsError, World, WorldConfig, check_bodies,
        check_joints,
    },
    registry::{Ending, Registry, RegistryError, Whereabouts},
    shutdown::spawn,
};

/// All simulations of this instance. Cheap to clone.
#[derive(Clone)]
pub struct Simulations {
    inner: Arc<Inner>,
}

/// What a new simulation is to be.
#[derive(Debug, Default)]
pub struct NewSimulation {
    /// Its name; a random one unless given.
    pub id: Option<SimulationId>,
    /// How it computes.
    pub config: WorldConfig,
    /// How long it lives without being used; the service's own time unless given.
    pub ttl: Option<Duration>,
    /// As the client likes.
    pub labels: Labels,
    /// Its first bodies.
    pub bodies: Vec<BodySpec>,
    /// Its first joints.
    pub joints: Vec<JointSpec>,
}

/// A position in the list of simulations: behind the simulation created then.
pub type ListKey = (u64, SimulationId);

struct Inner {
    services: Arc<Services>,
    registry: Arc<dyn Registry>,
    /// Simulations that are here or about to be.
    places_taken: AtomicUsize,
    /// The wall time given to the latest simulation: no two get the same.
    latest_created: AtomicU64,
    entries: RwLock<Entries>,
}

#[derive(Default)]
struct Entries {
    by_id: HashMap<SimulationId, SimulationHandle>,
    by_age: BTreeSet<ListKey>,
}

/// A place among the simulations, given back unless it is used.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Simulations {
    /// No simulations yet.
    pub fn new(services: Services, registry: Arc<dyn Registry>) -> Self {
        Self {
            inner: Arc::new(Inner {
                services: Arc::new(services),
                registry,
                places_taken: AtomicUsize::new(0),
                latest_created: AtomicU64::new(0),
                entries: RwLock::default(),
            }),
        }
    }

    /// What simulations are made with.
    pub fn services(&self) -> &Services {
        &self.inner.services
    }

    /// Creates a simulation; the reply is its record. A repeated request is answered as the
    /// first was.
    pub async fn create(
        &self,
        new: NewSimulation,
        key: Option<IdempotencyKey>,
    ) -> Result<(SimulationId, Reply), SimulationError> {
        let inner = &self.inner;
        if self.is_draining() {
            return Err(SimulationError::Draining);
        }
        let id = match (&new.id, &key) {
            (Some(id), _) => id.clone(),
            (None, Some(key)) => SimulationId::derived("", &key.key),
            (None, None) => SimulationId::random(),
        };
        if let Some(known) = self.live(&id) {
            return known.created_by(key.as_ref()).map(|reply| (id, reply));
        }
        let place = self.take_place()?;
        match inner.registry.claim(&id).await {
            Ok(()) => {}
            Err(RegistryError::Taken(id)) if key.is_some() && new.id.is_none() => {
                // Somebody else with the same key is just creating it, or has just done so.
                return match self.live(&id) {
                    Some(known) => known.created_by(key.as_ref()).map(|reply| (id, reply)),
                    None => Err(SimulationError::KeyInFlight),
                };
            }
            Err(RegistryError::Taken(id)) => return Err(SimulationError::Exists(id)),
        }
        let made = match self.make(&id, new).await {
            Ok(made) => made,
            Err(error) => {
                inner.registry.release(&id, Ending::Destroyed).await?;
                return Err(error);
            }
        };
        let (simulation, task) = made;
        let reply = Reply {
            body: json(&simulation.record()),
            seq: simulation.progress().0,
            step: 0,
            is_replayed: false,
        };
        if let Some(key) = key {
            let creation = Creation {
                key,
                reply: reply.clone(),
            };
            drop(simulation.shared.creation.set(Box::new(creation)));
        }
        self.insert(simulation);
        // The place is given back when the simulation ends.
        std::mem::forget(place);
        spawn(task.run());
        tracing::info!(sim_id = %id, "Created simulation {id}");
        Ok((id, reply))
    }

    /// The simulation of this name; the request that asks counts as an access.
    pub async fn open(&self, id: &SimulationId) -> Result<SimulationHandle, SimulationError> {
        if let Some(simulation) = self.live(id) {
            return Ok(simulation);
        }
        Err(match self.inner.registry.find(id).await? {
            Whereabouts::Ended(Ending::Expired) => SimulationError::Expired(id.clone()),
            Whereabouts::Ended(Ending::Lost) => SimulationError::Lost(id.clone()),
            Whereabouts::Ended(Ending::Destroyed) | Whereabouts::Owned | Whereabouts::Unknown => {
                SimulationError::NotFound(id.clone())
            }
        })
    }

    /// Destroys a simulation, whatever it is doing.
    pub async fn destroy(&self, simulation: &SimulationHandle) -> Result<(), SimulationError> {
        if !self.end(simulation, Ending::Destroyed).await {
            return Err(SimulationError::NotFound(simulation.id().clone()));
        }
        simulation.close();
        let id = simulation.id();
        tracing::info!(sim_id = %id, "Destroyed simulation {id}");
        Ok(())
    }

    /// Up to `limit` simulations behind `after` in the order of their creation, and the position
    /// of the last if there are more.
    pub fn list(
        &self,
        after: Option<&ListKey>,
        limit: usize,
        matches: impl Fn(&Labels) -> bool,
    ) -> (Vec<SimulationHandle>, Option<ListKey>) {
        use std::ops::Bound::{Excluded, Unbounded};
        let entries = self.inner.entries.read().expect("no holder panics");
        let from = after.map_or(Unbounded, |key| Excluded(key.clone()));
        let mut found = Vec::new();
        let mut last = None;
        for key in entries.by_age.range((from, Unbounded)) {
            let simulation = &entries.by_id[&key.1];
            if !matches(&simulation.labels()) {
                continue;
            }
            if found.len() == limit {
                return (found, last);
            }
            found.push(simulation.clone());
            last = Some(key.clone());
        }
        (found, None)
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
    pub fn close(&self) {
        let mut entries = self.inner.entries.write().expect("no holder panics");
        for simulation in std::mem::take(&mut *entries).by_id.values() {
            simulation.close();
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
        self.settle(simulation, Ending::Expired).await;
        let id = simulation.id();
        tracing::info!(sim_id = %id, "simulation {id} expired");
        true
    }

    /// Takes a simulation out of the directory; false if it was not in it.
    pub(super) async fn end(&self, simulation: &SimulationHandle, ending: Ending) -> bool {
        let removed = self.remove(simulation, |_| true);
        if removed {
            self.settle(simulation, ending).await;
        }
        removed
    }

    async fn settle(&self, simulation: &SimulationHandle, ending: Ending) {
        if let Err(error) = self.inner.registry.release(simulation.id(), ending).await {
            tracing::error!(sim_id = %simulation.id(), %error, "a simulation could not be released");
        }
        drop(Place(&self.inner.places_taken));
    }

    /// The simulation of this name if it is here, counting as an access. Touched under the same
    /// lock as it is removed under, so that none is used that has expired.
    fn live(&self, id: &SimulationId) -> Option<SimulationHandle> {
        let entries = self.inner.entries.read().expect("no holder panics");
        let simulation = entries.by_id.get(id)?;
        simulation.touch();
        Some(simulation.clone())
    }

    fn insert(&self, simulation: SimulationHandle) {
        let mut entries = self.inner.entries.write().expect("no holder panics");
        let id = simulation.id().clone();
        entries
            .by_age
            .insert((simulation.shared.created_unix_micros, id.clone()));
        entries.by_id.insert(id, simulation);
    }

    fn remove(&self, simulation: &SimulationHandle, agrees: impl Fn(&Shared) -> bool) -> bool {
        let mut entries = self.inner.entries.write().expect("no holder panics");
        let id = simulation.id();
        let is_same = |known: &SimulationHandle| Arc::ptr_eq(&known.shared, &simulation.shared);
        if !entries.by_id.get(id).is_some_and(is_same) || !agrees(&simulation.shared) {
            return false;
        }
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

    fn take_place(&self) -> Result<Place<'_>, SimulationError> {
        let maximum = self.services().max_simulations;
        let taken = &self.inner.places_taken;
        let place = Place(taken);
        if taken.fetch_add(1, Ordering::AcqRel) >= maximum {
            return Err(SimulationError::QuotaExceeded { maximum });
        }
        Ok(place)
    }

    /// Builds the world of a new simulation and all that belongs to it.
    async fn make(
        &self,
        id: &SimulationId,
        new: NewSimulation,
    ) -> Result<(SimulationHandle, SimulationTask), SimulationError> {
        let services = Arc::clone(&self.inner.services);
        let (ttl, labels) = (new.ttl.unwrap_or(services.default_ttl), new.labels);
        let (config, bodies, joints) = (new.config, new.bodies, new.joints);
        let populated = if bodies.is_empty() && joints.is_empty() {
            populate(config, bodies, joints, &services)
        } else {
            let limits = Arc::clone(&services);
            let build = move || populate(config, bodies, joints, &limits);
            services.pool.run(build).await?
        };
        let (world, history) = populated?;
        let committed = Committed::of(&world);
        let core = Core::new(world, history);

        let created = services.clock.now();
        let created_unix_micros = self.created_unix_micros(services.clock.unix_micros(created));
        let inbox = Inbox::new(services.max_queue);
        let shared = Shared {
            services,
            id: id.clone(),
            created,
            created_unix_micros,
            inbox,
            core: Mutex::new(core),
            committed: Mutex::new(committed),
            labels: Mutex::new(Arc::new(labels)),
            ttl_micros: AtomicU64::new(0),
            last_access_micros: AtomicU64::new(created.as_micros()),
            is_stepping: AtomicBool::new(false),
            is_frozen: AtomicBool::new(false),
            keys_in_flight: super::idempotency::KeysInFlight::default(),
            creation: OnceLock::new(),
        };
        shared.set_ttl(ttl);
        let simulation = SimulationHandle {
            shared: Arc::new(shared),
        };
        let task = SimulationTask::new(simulation.clone(), self.clone());
        Ok((simulation, task))
    }

    /// The wall time of a creation, made later by a microsecond where two would be equal.
    fn created_unix_micros(&self, now: u64) -> u64 {
        let latest = &self.inner.latest_created;
        let later = |before: u64| Some(now.max(before + 1));
        let before = latest.fetch_update(Ordering::AcqRel, Ordering::Acquire, later);
        now.max(before.unwrap_or_else(|before| before) + 1)
    }
}

impl NewSimulation {
    /// Notes everything that is wrong with its world.
    pub fn check(&self, faults: &mut Faults) {
        self.config.check(faults);
        faults.within("bodies", |faults| {
            check_bodies(&self.bodies, self.config.dimensions, faults);
        });
        let kinds: HashMap<_, _> = self
            .bodies
            .iter()
            .map(|body| (&body.id, body.kind()))
            .collect();
        faults.within("joints", |faults| {
            check_joints(&self.joints, |id| kinds.get(id).copied(), faults);
        });
    }
}

impl SimulationHandle {
    /// The reply to the request that created it, if `key` is that request's.
    fn created_by(&self, key: Option<&IdempotencyKey>) -> Result<Reply, SimulationError> {
        let taken = || SimulationError::Exists(self.id().clone());
        let key = key.ok_or_else(taken)?;
        let creation = self.shared.creation.get().ok_or_else(taken)?;
        if creation.key.key != key.key {
            return Err(taken());
        }
        if creation.key.fingerprint != key.fingerprint {
            return Err(SimulationError::KeyReused);
        }
        Ok(Reply {
            is_replayed: true,
            ..creation.reply.clone()
        })
    }
}

/// A world with its first bodies and joints.
fn populate(
    config: WorldConfig,
    bodies: Vec<BodySpec>,
    joints: Vec<JointSpec>,
    services: &Services,
) -> Result<(Box<World>, History), PhysicsError> {
    let mut world = Box::new(World::new(config));
    let mut history = History::new(config);
    let commands = [
        (!bodies.is_empty()).then_some(Command::AddBodies(bodies)),
        (!joints.is_empty()).then_some(Command::AddJoints(joints)),
    ];
    for command in commands.into_iter().flatten() {
        world.apply(&command, &services.limits)?;
        history.push(command, Duration::ZERO);
    }
    Ok((world, history))
}
