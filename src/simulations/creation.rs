//! How a simulation comes into being: its name is claimed, its world is made, and it moves in.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Duration,
};

use super::{
    Services,
    claim::Claim,
    committed::Committed,
    core::Core,
    directory::Simulations,
    error::SimulationError,
    handle::SimulationHandle,
    history::History,
    idempotency::{IdempotencyKey, KeysInFlight},
    inbox::Inbox,
    record::Labels,
    reply::{Reply, json},
    shared::{Creation, Shared},
    task::SimulationTask,
};
use crate::{
    id::{SimulationId, Tenant},
    physics::{
        BodySpec, Command, Faults, JointSpec, PhysicsError, World, WorldConfig, check_bodies,
        check_joints,
    },
    registry::{Claim as Claimed, Ending, FencingToken, Happening, Owner, Registration, Release},
    shutdown::spawn,
};

/// What a new simulation is to be.
#[derive(Debug, Default)]
pub struct NewSimulation {
    /// Its name; a random one unless given.
    pub id: Option<SimulationId>,
    /// Whose it is.
    pub tenant: Option<Tenant>,
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

/// A name that is being given, so that it is not given twice at a time.
struct Reserved<'a> {
    names: &'a Mutex<HashSet<SimulationId>>,
    id: SimulationId,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        let mut names = self.names.lock().expect("no holder panics");
        names.remove(&self.id);
    }
}

impl Simulations {
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
            (None, Some(key)) => {
                let scope = new.tenant.as_ref().map_or("", Tenant::as_str);
                SimulationId::derived(scope, &key.key)
            }
            (None, None) => SimulationId::random(),
        };
        let Some(_reserved) = self.reserve(&id) else {
            return Err(match key {
                Some(_) => SimulationError::KeyInFlight,
                None => SimulationError::Exists(id),
            });
        };
        if let Some(known) = self.here(&id, new.tenant.as_ref()).await? {
            return known.created_by(key.as_ref()).map(|reply| (id, reply));
        }
        if self.has(&id) {
            // Somebody else's.
            return Err(SimulationError::Exists(id));
        }
        let place = match self.take_place() {
            Ok(place) => place,
            // A repeated request needs no place where its first one found one.
            Err(full) if key.is_some() => {
                let first = self.open(&id, new.tenant.as_ref()).await.err();
                return Err(first.filter(SimulationError::is_elsewhere).unwrap_or(full));
            }
            Err(full) => return Err(full),
        };
        let is_named_by_client = new.id.is_some() || key.is_some();
        let (tenant, ttl) = (new.tenant.clone(), new.ttl);
        let claimed = self
            .claim(&id, tenant.clone(), ttl, is_named_by_client)
            .await;
        let claim = match claimed {
            Ok(claim) => claim,
            Err(SimulationError::OwnedElsewhere { id, .. }) if key.is_none() => {
                return Err(SimulationError::Exists(id));
            }
            Err(error) => return Err(error),
        };
        let token = claim.token();
        let made = match self.make(&id, new, claim).await {
            Ok(made) => made,
            Err(error) => {
                self.unclaim(&id, tenant, token).await;
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
        self.insert(simulation.clone());
        // The place is given back when the simulation ends.
        std::mem::forget(place);
        spawn(task.run());
        self.services().metrics.simulations_created.inc();
        tracing::info!(sim_id = %id, "Created simulation {id}");
        if let Some(fleet) = &inner.fleet {
            // Writes down the rest, and whatever could not be written yet.
            fleet.note(&simulation);
            fleet.announce(&id, Happening::Created);
            if simulation.shared.claim.confirmed_in() > 0 {
                tracing::info!(sim_id = %id, "Redis metadata stored for {id}");
            }
        }
        // The process may have been stopped since the name was claimed, and the name be another's.
        self.confirm(&simulation)
            .await
            .map_err(SimulationError::after_the_fact)?;
        Ok((id, reply))
    }

    /// Reserves a name, unless a simulation of that name is being created.
    fn reserve(&self, id: &SimulationId) -> Option<Reserved<'_>> {
        let names = &self.inner.being_created;
        let is_new = names.lock().expect("no holder panics").insert(id.clone());
        is_new.then(|| Reserved {
            names,
            id: id.clone(),
        })
    }

    /// Claims a name for a new simulation.
    async fn claim(
        &self,
        id: &SimulationId,
        tenant: Option<Tenant>,
        ttl: Option<Duration>,
        is_named_by_client: bool,
    ) -> Result<Claim, SimulationError> {
        let registration = Registration {
            id: id.clone(),
            tenant: tenant.clone(),
            token: FencingToken::pending(),
            expires_in: ttl.unwrap_or(self.services().default_ttl),
            details: Vec::new(),
        };
        if let Some(fleet) = &self.inner.fleet {
            let (token, life) = fleet.claim(&registration, is_named_by_client).await?;
            return Ok(Claim::new(tenant, token, life));
        }
        let me = Owner {
            instance: self.services().instance_id.clone(),
            nonce: self.inner.nonce.clone(),
        };
        let registry = &self.inner.registry;
        let mut claimed = registry.claim(&me, &registration, None).await?;
        if let Claimed::Taken(left) = &claimed {
            // It is not here and there is nowhere else: a creation was given up half-way.
            claimed = registry.claim(&me, &registration, Some(left)).await?;
        }
        match claimed {
            Claimed::Granted(token) => Ok(Claim::new(tenant, token, 1)),
            Claimed::Taken(_) => Err(SimulationError::Exists(id.clone())),
        }
    }

    /// Gives a name back for which no world could be made.
    async fn unclaim(&self, id: &SimulationId, tenant: Option<Tenant>, token: FencingToken) {
        let release = Release {
            id: id.clone(),
            tenant,
            token,
            ending: Ending::Destroyed,
        };
        if let Err(error) = self.inner.registry.release(&[release]).await {
            tracing::warn!(sim_id = %id, %error, "a name could not be given back");
        }
    }

    /// Builds the world of a new simulation and all that belongs to it.
    async fn make(
        &self,
        id: &SimulationId,
        new: NewSimulation,
        claim: Claim,
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
            claim,
            inbox,
            core: Mutex::new(core),
            committed: Mutex::new(committed),
            labels: Mutex::new(Arc::new(labels)),
            ttl_micros: AtomicU64::new(0),
            last_access_micros: AtomicU64::new(created.as_micros()),
            is_stepping: AtomicBool::new(false),
            is_frozen: AtomicBool::new(false),
            keys_in_flight: KeysInFlight::default(),
            creation: OnceLock::new(),
        };
        shared.set_ttl(ttl);
        let simulation = SimulationHandle {
            shared: Arc::new(shared),
        };
        let task = SimulationTask::new(simulation.clone(), self.clone());
        Ok((simulation, task))
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
