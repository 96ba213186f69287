//! One instance: what it is made of, and how it answers, as its HTTP layer would.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use futures_util::future::{Either, select};
use rapier_physics_service::{
    assets::MemoryAssets,
    clock::Clock,
    id::{BodyId, InstanceId, SimulationId},
    memory::MemoryBudget,
    physics::{BodySpec, Command, ReadLimits, WorldConfig, WorldLimits},
    registry::{Owner, Peer},
    shutdown::{Shutdown, spawn},
    simulations::{
        AssetLibrary, Durability, FleetSettings, Head, IdempotencyKey, NewSimulation, Reply,
        Services, SimulationError, SimulationHandle, Simulations, StepPool, Terms,
    },
};
use serde_json::value::RawValue;
use tokio::time::{sleep, timeout};

use crate::{
    life::{Life, State},
    link::Link,
    network::{self, Failure},
    universe::{NAMES, Universe},
};

/// How long a lease lasts.
pub(crate) const LEASE: Duration = Duration::from_secs(6);
/// How long a client is kept waiting.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How much longer another instance is waited for.
const GRACE: Duration = Duration::from_secs(1);
/// How long a process that is told to stop may take.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);
/// How often to look whether an instance that has not answered yet still lives.
const LIVENESS_CHECK: Duration = Duration::from_millis(250);
/// How often a request is sent to another instance.
const ATTEMPTS: usize = 3;

/// One life of an instance.
pub(crate) struct Process {
    pub(crate) life: Arc<Life>,
    pub(crate) simulations: Simulations,
    shutdown: Shutdown,
}

/// What somebody asks of a simulation.
#[derive(Clone)]
pub(crate) enum Ask {
    Create,
    Give(Command),
    Look { is_fenced: bool },
    Label(u64),
    Labels,
    Destroy,
    Move,
}

/// A request.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) sim: usize,
    pub(crate) ask: Ask,
    pub(crate) key: Option<String>,
    pub(crate) witness: Option<Head>,
}

/// What an instance says.
#[derive(Debug)]
pub(crate) enum Said {
    Told(Result<Reply, SimulationError>),
    /// Somebody else was expected here.
    Misdirected,
}

impl Process {
    /// Starts an instance; nobody reaches it yet.
    pub(crate) async fn start(universe: &Arc<Universe>, host: usize) -> Arc<Self> {
        let life = Arc::new(Life::new(host));
        let services = services(universe, &life);
        // No renewal is sent at the very moment that a process begins.
        sleep(Duration::from_millis(2)).await;
        let link = Arc::new(Link::new(Arc::clone(universe), Arc::clone(&life)));
        let services = Services {
            journal: Some(Arc::clone(&link) as _),
            ..services
        };
        let settings = FleetSettings {
            advertised_url: NAMES[host].into(),
            secret: None,
            lease_ttl: LEASE,
            ttl_flush: Duration::from_secs(1),
            // What is forgotten this way is forgotten by Redis alone.
            sweep: Duration::from_secs(10_000_000),
            fails_closed: false,
        };
        let shutdown = Shutdown::default();
        let simulations = Simulations::in_fleet(services, link, settings, &shutdown);
        universe.note(NAMES[host], "starts", 0, 0);
        Arc::new(Self {
            life,
            simulations,
            shutdown,
        })
    }

    /// Ends at once, without a word.
    pub(crate) fn kill(&self) {
        self.life.set(State::Dead);
        self.shutdown.abort();
    }

    /// Ends as it should: everything is given up to the others first.
    pub(crate) async fn stop(&self) {
        self.simulations.drain();
        self.simulations.hand_over(SHUTDOWN_GRACE * 3 / 4).await;
        self.shutdown.drain(SHUTDOWN_GRACE / 4).await;
        self.simulations.close().await;
        self.kill();
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.life.state() == State::Dead
    }

    fn owner(&self) -> Owner {
        Owner {
            instance: self.simulations.services().instance_id.clone(),
            nonce: self.simulations.nonce().expect("it is in a fleet"),
        }
    }

    /// Answers a client, or another instance that expects somebody here.
    pub(crate) async fn answer(
        &self,
        universe: &Arc<Universe>,
        request: Request,
        expected: Option<Owner>,
    ) -> Said {
        let is_passed_on = expected.is_some();
        if expected.is_some_and(|expected| expected != self.owner()) {
            return Said::Misdirected;
        }
        if matches!(request.ask, Ask::Create) {
            return self.create(universe, request, is_passed_on).await;
        }
        match self.simulations.open(&name(request.sim), None).await {
            Ok(simulation) => Said::Told(self.act(&simulation, &request).await),
            Err(SimulationError::OwnedElsewhere { .. } | SimulationError::NotFound(_))
                if is_passed_on =>
            {
                Said::Misdirected
            }
            Err(SimulationError::OwnedElsewhere { peer, .. }) => {
                Said::Told(self.follow(universe, request, peer).await)
            }
            Err(error) => Said::Told(Err(error)),
        }
    }

    async fn create(&self, universe: &Arc<Universe>, request: Request, is_passed_on: bool) -> Said {
        let mut may_be_done = false;
        for is_last in [false, true] {
            let created = self
                .simulations
                .create(new(request.sim), key(&request))
                .await;
            let refused = match created {
                Ok((_, reply)) => return Said::Told(Ok(reply)),
                Err(refused) => refused,
            };
            let peer = if let SimulationError::OwnedElsewhere { peer, .. } = &refused {
                if is_passed_on {
                    return Said::Misdirected;
                }
                Some(Arc::clone(peer))
            } else if matches!(refused, SimulationError::Draining) {
                self.simulations.roomiest_peer().await
            } else {
                None
            };
            let Some(peer) = peer.filter(|_| !is_passed_on) else {
                return Said::Told(Err(refused));
            };
            let failure = match self.pass_on(universe, request.clone(), &peer).await {
                Ok(told) => return Said::Told(told),
                Err(failure) => failure,
            };
            may_be_done |= failure.may_be_done();
            if let SimulationError::OwnedElsewhere { id, .. } = &refused {
                self.simulations.forget(id, &peer);
            } else if !may_be_done && is_last {
                return Said::Told(Err(refused));
            }
            if is_last || !failure.may_be_repeated(true) {
                break;
            }
        }
        Said::Told(Err(given_up(request.sim, may_be_done)))
    }

    /// Answers a request about a simulation of another instance, or says why that cannot be done.
    async fn follow(
        &self,
        universe: &Arc<Universe>,
        request: Request,
        mut peer: Arc<Peer>,
    ) -> Result<Reply, SimulationError> {
        let (id, mut may_be_done) = (name(request.sim), false);
        let is_repeatable = request.key.is_some()
            || matches!(request.ask, Ask::Look { .. } | Ask::Labels | Ask::Destroy);
        for _ in 0..ATTEMPTS {
            let failure = match self.pass_on(universe, request.clone(), &peer).await {
                Ok(told) => {
                    if matches!(request.ask, Ask::Destroy) && told.is_ok() {
                        self.simulations.forget_place(&id);
                    }
                    return told;
                }
                Err(failure) => failure,
            };
            self.simulations.forget(&id, &peer);
            may_be_done |= failure.may_be_done() && !matches!(request.ask, Ask::Look { .. });
            if !failure.may_be_repeated(is_repeatable) {
                break;
            }
            match self.simulations.open(&id, None).await {
                Ok(simulation) => return self.act(&simulation, &request).await,
                Err(SimulationError::OwnedElsewhere { peer: next, .. }) => peer = next,
                Err(error) if !may_be_done => return Err(error),
                Err(_) => break,
            }
        }
        Err(given_up(request.sim, may_be_done))
    }

    /// Sends a request to another instance, once.
    async fn pass_on(
        &self,
        universe: &Arc<Universe>,
        request: Request,
        peer: &Peer,
    ) -> Result<Result<Reply, SimulationError>, Failure> {
        let to = NAMES.iter().position(|name| **name == *peer.url);
        let to = to.expect("instances are where they say");
        let expected = Some(peer.owner.clone());
        let sent = network::send(universe, Some(self.life.host), to, request, expected);
        let silence = self.silence(peer);
        let answered = match select(std::pin::pin!(sent), std::pin::pin!(silence)).await {
            Either::Left((answered, _)) => answered,
            Either::Right(((), _)) => Err(Failure::Silent),
        };
        match answered {
            Ok(Said::Told(told)) => Ok(told),
            Ok(Said::Misdirected) => Err(Failure::Misdirected),
            Err(failure) => {
                if failure == Failure::Refused {
                    self.simulations.note_death(peer);
                }
                Err(failure)
            }
        }
    }

    /// Completes when another instance has taken too long to answer, or lives no longer.
    async fn silence(&self, peer: &Peer) {
        let wait = async {
            while self.simulations.is_living(peer) {
                sleep(LIVENESS_CHECK).await;
            }
        };
        // Either is silence.
        drop(timeout(REQUEST_TIMEOUT + GRACE, wait).await);
    }

    /// Does what is asked of a simulation that is here.
    async fn act(
        &self,
        simulation: &SimulationHandle,
        request: &Request,
    ) -> Result<Reply, SimulationError> {
        let acted = self.try_act(simulation, request).await;
        let is_destroyed = acted.is_ok() && matches!(request.ask, Ask::Destroy | Ask::Move);
        let is_conclusive = match &acted {
            Ok(_) => !is_destroyed,
            Err(error) => !is_server_error(error),
        };
        if !is_conclusive {
            return acted;
        }
        let mut confirmed = self.simulations.confirm(simulation).await;
        if confirmed.is_ok() && matches!(request.ask, Ask::Look { is_fenced: true }) {
            confirmed = self.simulations.ascertain(simulation).await;
        }
        match confirmed {
            Ok(()) => acted,
            Err(error) if acted.is_ok() && !matches!(request.ask, Ask::Look { .. }) => {
                Err(error.after_the_fact(simulation.durability()))
            }
            Err(error) => Err(error),
        }
    }

    async fn try_act(
        &self,
        simulation: &SimulationHandle,
        request: &Request,
    ) -> Result<Reply, SimulationError> {
        if let Some(seen) = request.witness {
            self.simulations.recognise(simulation, seen).await?;
        }
        match &request.ask {
            Ask::Create => unreachable!("nothing is opened to create it"),
            Ask::Give(command) => {
                let terms = Terms {
                    key: key(request),
                    ..Terms::default()
                };
                return simulation.execute(command.clone(), terms).await;
            }
            Ask::Look { .. } => return simulation.body(ball()).await,
            Ask::Label(number) => {
                let labels = [("number".to_owned(), number.to_string())];
                let labels = Some(labels.into_iter().collect());
                self.simulations
                    .reregister(simulation, labels, None)
                    .await?;
            }
            Ask::Labels => {
                let labels = simulation.labels();
                let number = labels.get("number").cloned().unwrap_or_default();
                return Ok(Reply {
                    body: number.into(),
                    position: simulation.position(),
                    is_replayed: false,
                });
            }
            Ask::Destroy => self.simulations.destroy(simulation, None).await?,
            Ask::Move => self.simulations.part_with(simulation).await?,
        }
        Ok(Reply {
            body: bytes::Bytes::new(),
            position: simulation.position(),
            is_replayed: false,
        })
    }
}

/// The name of a simulation.
pub(crate) fn name(sim: usize) -> SimulationId {
    SimulationId::parse(&format!("s{sim}")).expect("it is an id")
}

/// The one body of every simulation.
pub(crate) fn ball() -> BodyId {
    BodyId::parse("ball").expect("it is an id")
}

/// What every simulation begins with.
pub(crate) fn bodies() -> Vec<BodySpec> {
    let bodies = serde_json::json!([
        {"id": "ball", "shape": "sphere", "radius": 0.5, "position": [0, 5, 0]},
    ]);
    serde_json::from_value(bodies).expect("it is a body")
}

fn new(sim: usize) -> NewSimulation {
    NewSimulation {
        id: Some(name(sim)),
        config: WorldConfig::default(),
        bodies: bodies(),
        ..NewSimulation::default()
    }
}

fn key(request: &Request) -> Option<IdempotencyKey> {
    request.key.as_ref().map(|key| IdempotencyKey {
        key: key.as_str().into(),
        fingerprint: 1,
    })
}

/// Whether whoever was told so was told that nothing is known, or that nothing was done.
fn is_server_error(error: &SimulationError) -> bool {
    use SimulationError as E;
    matches!(
        error,
        E::OwnerUnreachable(_)
            | E::OwnershipLost(_)
            | E::Draining
            | E::Overloaded
            | E::OutcomeUnknown
            | E::Engine(_)
            | E::Registry(_)
            | E::Journal(_)
            | E::Unreplayable { .. }
            | E::Ownerless(..)
    )
}

fn given_up(sim: usize, may_be_done: bool) -> SimulationError {
    if may_be_done {
        SimulationError::OutcomeUnknown
    } else {
        SimulationError::OwnerUnreachable(name(sim))
    }
}

fn services(universe: &Arc<Universe>, life: &Arc<Life>) -> Services {
    let (skew, tick, freezes, hibernates) = {
        let mut dice = universe.dice();
        // From worlds that cost nothing to those of which one step takes nearly a turn on the pool.
        let ticks = [0, 60, 1000, 3000];
        let tick = ticks[dice.index(ticks.len())];
        let skew = dice.millis(0..4000);
        let freezes = dice.millis(1000..15_000);
        (skew, tick, freezes, freezes + dice.millis(500..30_000))
    };
    let lead = Duration::from_secs(1_700_000_000) + universe.elapsed() + skew;
    let clock = Clock::of_runtime(lead, Duration::from_micros(tick));
    let pool = {
        let (universe, life) = (Arc::clone(universe), Arc::clone(life));
        StepPool::of(move |job| {
            let (universe, life) = (Arc::clone(&universe), Arc::clone(&life));
            spawn(async move {
                sleep(universe.computing()).await;
                life.goes_on().await;
                job();
            });
        })
    };
    let store = Arc::new(MemoryAssets::new(clock, 1, 1));
    let assets = AssetLibrary::new(store, pool.clone(), clock, Duration::from_secs(3600));
    Services {
        instance_id: InstanceId::parse(NAMES[life.host]).expect("it is an id"),
        pool,
        clock,
        memory: Arc::new(MemoryBudget::new(0)),
        metrics: Arc::default(),
        durability: Durability::Journal,
        journal: None,
        assets: Arc::new(assets),
        fingerprint: "an engine".into(),
        hashes_state: true,
        limits: WorldLimits {
            max_bodies: 100,
            max_colliders: 100,
            max_joints: 100,
            max_controllers: 100,
            max_steps: 10_000,
            max_frames: 100,
            max_commands: 100,
        },
        describe: |error| RawValue::from_string(format!("\"{error}\"")).expect("plain words"),
        reads: ReadLimits {
            max_queries: 10,
            max_hits: 10,
            max_contacts: 10,
        },
        max_simulations: 100,
        max_queue: 16,
        request_timeout: REQUEST_TIMEOUT,
        default_ttl: Duration::from_secs(36_000),
        freeze_after: freezes,
        hibernate_after: hibernates,
        is_draining: AtomicBool::new(false),
    }
}
