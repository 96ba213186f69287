//! How a simulation comes into being: its name is claimed, its world is made, and it moves in.

use std::{
    collections::{HashMap, HashSet},
    iter,
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{
    Services,
    assembly::Parts,
    bundle::Origin,
    chronicle::first_chain,
    claim::Claim,
    committed::Committed,
    core::Core,
    directory::Simulations,
    durability::Durability,
    error::SimulationError,
    handle::SimulationHandle,
    history::History,
    idempotency::IdempotencyKey,
    journalling::Journalling,
    record::{Labels, Stand, details},
    reply::{Reply, json},
    shared::Creation,
    task::SimulationTask,
};
use crate::{
    id::{Payer, SimulationId, Tenant},
    journal::{JournalError, Purpose, Verdict},
    physics::{
        Assets, BodySpec, Command, ControllerSpec, Faults, JointSpec, PhysicsError, World,
        WorldConfig, check_bodies, check_controllers, check_joints,
    },
    registry::{
        Claim as Claimed, Ending, FencingToken, Happening, Head, JournalKeys, Owner, Registration,
        Release,
    },
    shutdown::spawn,
};

/// What a new simulation is to be.
#[derive(Debug, Default)]
pub struct NewSimulation {
    /// Its name; a random one unless given.
    pub id: Option<SimulationId>,
    /// Whose it is.
    pub tenant: Option<Tenant>,
    /// On whose account it is made.
    pub payer: Payer,
    /// How it computes.
    pub config: WorldConfig,
    /// How long it lives without being used; the service's own time unless given.
    pub ttl: Option<Duration>,
    /// What it is to survive; the service's own choice unless given.
    pub durability: Option<Durability>,
    /// As the client likes.
    pub labels: Labels,
    /// Its first bodies.
    pub bodies: Vec<BodySpec>,
    /// Its first joints.
    pub joints: Vec<JointSpec>,
    /// Its first controllers.
    pub controllers: Vec<ControllerSpec>,
    /// The assets that those are made of.
    pub assets: Assets,
    /// What it begins with instead, if it was made elsewhere.
    pub origin: Option<Origin>,
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

/// How often a name is asked for that turns out to be waiting for somebody to go on with it.
const MAX_ATTEMPTS: usize = 3;

impl Simulations {
    /// Creates a simulation; the reply is its record. A repeated request is answered as the
    /// first was.
    pub async fn create(
        &self,
        new: NewSimulation,
        key: Option<IdempotencyKey>,
    ) -> Result<(SimulationId, Reply), SimulationError> {
        if self.is_draining() {
            return Err(SimulationError::Draining);
        }
        let pool = self.services().pool.paid_by(new.payer);
        if !new.bodies.is_empty() {
            pool.admit()?;
        }
        // The simulation itself takes as much as a few.
        self.services().admit_bodies(new.bodies.len() + 2)?;
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
        for _ in 0..MAX_ATTEMPTS {
            self.wait_for_transit(&id).await?;
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
            let registration = self.register(&id, &new);
            let is_named_by_client = new.id.is_some() || key.is_some();
            let claim = match self.claim(&registration, is_named_by_client).await {
                Ok(claim) => claim,
                Err(SimulationError::OwnedElsewhere { id, .. }) if key.is_none() => {
                    return Err(SimulationError::Exists(id));
                }
                // It is here afterwards, unless there was nothing to go on with.
                Err(SimulationError::Ownerless(id, holding)) => {
                    drop(place);
                    match self.recover(&id, *holding).await {
                        Ok(()) | Err(SimulationError::Lost(_)) => continue,
                        Err(SimulationError::Unreplayable { .. }) => {
                            return Err(SimulationError::Exists(id));
                        }
                        Err(error) => return Err(error),
                    }
                }
                Err(error) => return Err(error),
            };
            let token = claim.token();
            let made = Box::pin(self.make(&id, new, claim, registration.created, key)).await;
            let (simulation, task, reply) = match made {
                Ok(made) => made,
                Err(error) => {
                    self.unclaim(registration, token).await;
                    return Err(error);
                }
            };
            self.insert(simulation.clone());
            // The place is given back when the simulation ends.
            std::mem::forget(place);
            spawn(task.run());
            self.tell_of(&simulation);
            // The process may have been stopped since the name was claimed, and the name be
            // another's.
            self.confirm(&simulation)
                .await
                .map_err(|error| error.after_the_fact(simulation.durability()))?;
            return Ok((id, reply));
        }
        Err(SimulationError::OwnerUnreachable(id))
    }

    fn tell_of(&self, simulation: &SimulationHandle) {
        let id = simulation.id();
        self.services().metrics.simulations_created.inc();
        tracing::info!(sim_id = %id, "Created simulation {id}");
        if let Some(fleet) = &self.inner.fleet {
            // Writes down the rest, and whatever could not be written yet.
            fleet.note(simulation);
            fleet.announce(id, Happening::Created);
            if simulation.shared.claim.confirmed_in() > 0 {
                tracing::info!(sim_id = %id, "Redis metadata stored for {id}");
            }
        }
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

    /// What is written down of a new simulation.
    fn register(&self, id: &SimulationId, new: &NewSimulation) -> Registration {
        let services = self.services();
        let created = self.created_unix_micros(services.unix_micros());
        let ttl = new.ttl.unwrap_or(services.default_ttl);
        let durability = services.durability_of(new.durability);
        Registration {
            id: id.clone(),
            tenant: new.tenant.clone(),
            token: FencingToken::pending(),
            expires_in: ttl,
            created,
            journal: (durability == Durability::Journal).then(JournalKeys::default),
            revision: 0,
            details: details(
                created,
                ttl,
                &new.config,
                &new.labels,
                Stand {
                    bodies: new.bodies.len(),
                    joints: new.joints.len(),
                    ..Stand::default()
                },
            ),
        }
    }

    /// Claims a name for a new simulation.
    async fn claim(
        &self,
        registration: &Registration,
        is_named_by_client: bool,
    ) -> Result<Claim, SimulationError> {
        let tenant = registration.tenant.clone();
        if let Some(fleet) = &self.inner.fleet {
            let (token, life) = fleet.claim(registration, is_named_by_client).await?;
            return Ok(Claim::new(tenant, token, life));
        }
        let me = Owner {
            instance: self.services().instance_id.clone(),
            nonce: self.inner.nonce.clone(),
        };
        let registry = &self.inner.registry;
        let mut claimed = registry.claim(&me, registration, None).await?;
        if let Claimed::Taken(left) = &claimed {
            // It is not here and there is nowhere else: a creation was given up half-way.
            claimed = registry.claim(&me, registration, Some(left)).await?;
        }
        match claimed {
            Claimed::Granted(token) => Ok(Claim::new(tenant, token, 1)),
            Claimed::Taken(_) => Err(SimulationError::Exists(registration.id.clone())),
        }
    }

    /// Gives a name back for which no world could be made.
    async fn unclaim(&self, registration: Registration, token: FencingToken) {
        let release = Release {
            id: registration.id,
            tenant: registration.tenant,
            token,
            journal: registration.journal,
            ending: Ending::Destroyed,
        };
        let id = release.id.clone();
        if let Err(error) = self.inner.registry.release(&[release]).await {
            tracing::warn!(sim_id = %id, %error, "a name could not be given back");
        }
    }

    /// Builds the world of a new simulation and all that belongs to it, and writes it down if it
    /// has a journal. The reply is what its client is told.
    async fn make(
        &self,
        id: &SimulationId,
        new: NewSimulation,
        claim: Claim,
        created: u64,
        key: Option<IdempotencyKey>,
    ) -> Result<(SimulationHandle, SimulationTask, Reply), SimulationError> {
        let services = Arc::clone(&self.inner.services);
        let parts = Parts {
            claim,
            durability: services.durability_of(new.durability),
            created,
            ttl: new.ttl.unwrap_or(services.default_ttl),
            labels: new.labels,
        };
        let config = new.config;
        let commands = [
            (!new.bodies.is_empty()).then_some(("bodies", Command::AddBodies(new.bodies))),
            (!new.joints.is_empty()).then_some(("joints", Command::AddJoints(new.joints))),
            (!new.controllers.is_empty())
                .then_some(("controllers", Command::AddControllers(new.controllers))),
        ];
        let commands: Vec<_> = commands.into_iter().flatten().collect();
        let origin = if let Some(origin) = new.origin {
            Ok(origin)
        } else if commands.is_empty() {
            populate(config, commands, &Assets::default(), &services)
        } else {
            let named = commands.iter().flat_map(|(_, it)| it.assets()).collect();
            let assets = services.assets.fetch(&named, parts.ttl).await?;
            let limits = Arc::clone(&services);
            let pool = services.pool.paid_by(new.payer);
            let build = move || populate(config, commands, &assets, &limits);
            pool.run(build).await?
        };
        let Origin {
            mut head,
            world,
            history,
        } = origin?;
        let is_journalled = parts.durability == Durability::Journal;
        // Where nothing is written down the chain tells a simulation from others of its name.
        if !is_journalled {
            head.chain = first_chain(id, created);
        }
        let committed = Committed {
            head,
            ..Committed::of(&world, services.hashes_state || is_journalled)
        };
        let journalling =
            is_journalled.then(|| Journalling::new(committed.head, Vec::new(), false));
        let core = Core::new(world, history, None, journalling);
        let (simulation, task) = self.assemble(id, parts, core, committed);
        let reply = Reply {
            body: json(&simulation.record()),
            position: committed.position(),
            is_replayed: false,
        };
        let shared = &simulation.shared;
        if let Some(key) = key {
            let creation = Creation {
                key,
                reply: reply.clone(),
                at: services.unix_micros(),
            };
            drop(shared.creation.set(Box::new(creation)));
        }
        if is_journalled {
            let image = shared.core().image(shared);
            if let Some(image) = image {
                match shared.keep(image, Purpose::Begin).await? {
                    Verdict::Kept => {}
                    Verdict::Fenced | Verdict::Elsewhere(_) => {
                        let text = "somebody else has claimed the name".to_owned();
                        return Err(JournalError::Refused(text).into());
                    }
                }
            }
            if let Some(journalling) = &mut shared.core().journalling {
                journalling.saved(head.seq);
            }
        }
        Ok((simulation, task, reply))
    }
}

impl Services {
    /// What a simulation survives whose client asks for `wanted`.
    fn durability_of(&self, wanted: Option<Durability>) -> Durability {
        match (self.durability, wanted) {
            (Durability::Memory, _) | (_, None) => self.durability,
            (Durability::Registry | Durability::Journal, Some(wanted)) => wanted,
        }
    }
}

impl NewSimulation {
    /// Notes everything that is wrong with its world.
    pub fn check(&self, faults: &mut Faults) {
        self.config.check(faults);
        faults.within("bodies", |faults| {
            check_bodies(&self.bodies, self.config.dimensions, &self.assets, faults);
        });
        let bodies: HashMap<_, _> = self.bodies.iter().map(|body| (&body.id, body)).collect();
        let body_of = |id: &_| bodies.get(id).copied();
        faults.within("joints", |faults| {
            let (others, dimensions) = (iter::empty(), self.config.dimensions);
            check_joints(&self.joints, others, dimensions, body_of, faults);
        });
        faults.within("controllers", |faults| {
            let joints = self.joints.iter();
            check_controllers(&self.controllers, iter::empty(), joints, body_of, faults);
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

/// A world with its first bodies, joints and controllers.
fn populate(
    config: WorldConfig,
    commands: Vec<(&str, Command)>,
    assets: &Assets,
    services: &Services,
) -> Result<Origin, PhysicsError> {
    let mut world = Box::new(World::new(config));
    world.provide(assets);
    let mut history = History::new(config);
    for (list, command) in commands {
        let applied = world.apply(&command, &services.limits);
        applied.map_err(|refused| refused.within(list))?;
        history.push(command, Duration::ZERO, &world);
    }
    Ok(Origin {
        head: Head::default(),
        world,
        history,
    })
}
