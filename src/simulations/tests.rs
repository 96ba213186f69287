//! What clients of a simulation can rely on whatever happens inside the engine.

use std::{
    pin::pin,
    sync::{Arc, mpsc},
    time::Duration,
};

use futures_util::FutureExt;
use serde_json::{Value, value::RawValue};

use super::{
    AssetLibrary, Durability, Job, Limits, Lull, NewSimulation, Services, SimulationError,
    SimulationHandle, Simulations, Status, StepPool,
};
use crate::{
    assets::MemoryAssets,
    clock::Clock,
    id::{BodyId, InstanceId},
    memory::MemoryBudget,
    physics::{Command, Impulse, ReadLimits, Steps, Vec3, WorldLimits},
    registry::MemoryRegistry,
};

fn simulations() -> Simulations {
    let limits = Limits {
        patience: Duration::from_secs(60),
        max_waiting: 10,
    };
    simulations_on(StepPool::start(2, limits, &Arc::default(), Lull::default()).unwrap())
}

fn simulations_on(pool: StepPool) -> Simulations {
    let clock = Clock::start();
    let store = Arc::new(MemoryAssets::new(clock, 10, 1 << 20));
    let assets = AssetLibrary::new(store, pool.clone(), clock, Duration::from_secs(3600));
    let services = Services {
        instance_id: InstanceId::random(),
        pool,
        assets: Arc::new(assets),
        clock,
        memory: Arc::new(MemoryBudget::new(0)),
        metrics: Arc::default(),
        durability: Durability::Memory,
        journal: None,
        fingerprint: "an engine".into(),
        hashes_state: false,
        limits: WorldLimits {
            max_bodies: 100,
            max_colliders: 100,
            max_joints: 100,
            max_controllers: 100,
            max_steps: 10_000,
            max_frames: 10_000,
            max_commands: 100,
        },
        describe: |error| RawValue::from_string(format!("\"{error}\"")).unwrap(),
        reads: ReadLimits {
            max_queries: 1000,
            max_hits: 1000,
            max_contacts: 1000,
        },
        max_simulations: 10,
        max_queue: 8,
        request_timeout: Duration::from_secs(60),
        default_ttl: Duration::from_secs(3600),
        freeze_after: Duration::from_secs(3600),
        hibernate_after: Duration::from_secs(3600),
        is_draining: std::sync::atomic::AtomicBool::new(false),
    };
    let registry = Arc::new(MemoryRegistry::new(clock));
    Simulations::alone(services, registry)
}

async fn pile(simulations: &Simulations) -> SimulationHandle {
    let bodies = serde_json::json!([
        {"id": "floor", "shape": "plane", "kind": "static"},
        {"id": "crate", "shape": "box", "size": [1, 1, 1], "position": [0, 2, 0]},
        {"id": "ball", "shape": "sphere", "radius": 0.4, "position": [0.1, 4, 0]},
    ]);
    let new = NewSimulation {
        bodies: serde_json::from_value(bodies).unwrap(),
        ..NewSimulation::default()
    };
    let (id, _) = simulations.create(new, None).await.unwrap();
    simulations.open(&id, None).await.unwrap()
}

async fn step(simulation: &SimulationHandle, count: u32) {
    let steps = Steps { count, dt: None };
    simulation
        .execute(Command::Step(steps), None)
        .await
        .unwrap();
}

async fn push(simulation: &SimulationHandle) {
    let impulse = Impulse {
        impulse: Some(Vec3([1.0, 3.0, 0.5])),
        torque_impulse: None,
        point: None,
    };
    let ball = BodyId::parse("ball").unwrap();
    let command = Command::ApplyImpulse(ball, impulse);
    simulation.execute(command, None).await.unwrap();
}

async fn bodies(simulation: &SimulationHandle) -> Value {
    let state = simulation.state().await.unwrap();
    let state: Value = serde_json::from_slice(&state.body).unwrap();
    state["bodies"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_the_engine_costs_that_command_and_nothing_else() {
    let simulations = simulations();
    let (hit, twin, bystander) = (
        pile(&simulations).await,
        pile(&simulations).await,
        pile(&simulations).await,
    );
    for simulation in [&hit, &twin] {
        step(simulation, 40).await;
        push(simulation).await;
    }

    // In the middle of a span that is stepped in place, and of one that goes to the pool.
    for steps in [3, 5000] {
        let failed = hit.execute(Command::Panic(steps), None).await;
        assert!(
            matches!(failed, Err(SimulationError::Engine(_))),
            "{failed:?}"
        );
        assert_eq!(bodies(&hit).await, bodies(&twin).await);
    }

    for simulation in [&hit, &twin] {
        step(simulation, 200).await;
    }
    assert_eq!(bodies(&hit).await, bodies(&twin).await);
    let progress = |simulation: &SimulationHandle| {
        let position = simulation.position();
        (position.head.seq, position.step)
    };
    assert_eq!(progress(&hit), progress(&twin));
    step(&bystander, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_world_is_undone_even_when_its_history_began_with_a_snapshot() {
    let simulations = simulations();
    let (hit, twin) = (pile(&simulations).await, pile(&simulations).await);
    for _ in 0..1100 {
        for simulation in [&hit, &twin] {
            push(simulation).await;
            step(simulation, 1).await;
        }
    }

    let failed = hit.execute(Command::Panic(2), None).await;

    assert!(matches!(failed, Err(SimulationError::Engine(_))));
    for simulation in [&hit, &twin] {
        step(simulation, 50).await;
    }
    assert_eq!(bodies(&hit).await, bodies(&twin).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_can_be_destroyed_while_it_is_being_stepped() {
    let simulations = simulations();
    let simulation = pile(&simulations).await;
    let stepping = simulation.clone();
    let long = Steps {
        count: 10_000,
        dt: None,
    };
    let run = async { stepping.execute(Command::Step(long), None).await };
    let destroy = async {
        while simulation.record().status != Status::Stepping && simulation.position().step == 0 {
            tokio::task::yield_now().await;
        }
        simulations.destroy(&simulation, None).await
    };

    let (_, destroyed) = tokio::join!(run, destroy);

    destroyed.unwrap();
    let gone = simulations.open(simulation.id(), None).await;
    assert!(matches!(gone, Err(SimulationError::NotFound(_))));
    assert_eq!(simulations.count(), 0);
}

#[tokio::test]
async fn whoever_asks_for_contacts_waits_for_a_brief_call_and_not_for_a_long_one() {
    let (jobs, held) = mpsc::channel::<Job>();
    let simulations = simulations_on(StepPool::of(move |job| jobs.send(job).unwrap()));
    // What steps cost is not known of a new simulation, and so not what they cost here.
    for (count, is_brief) in [(100, true), (1000, false)] {
        let simulation = carried_out(&held, pile(&simulations)).await;
        let mut stepping = pin!(step(&simulation, count));
        assert!(stepping.as_mut().now_or_never().is_none());
        while simulation.record().status != Status::Stepping {
            tokio::task::yield_now().await;
        }

        let mut asked = pin!(simulation.contacts(None));
        let at_once = asked.as_mut().now_or_never();
        assert_eq!(at_once.is_none(), is_brief, "{count} steps");
        carried_out(&held, stepping).await;

        let (told, expected) = match at_once {
            Some(told) => (told, 0),
            None => (asked.await, u64::from(count)),
        };
        assert_eq!(told.unwrap().position.step, expected);
    }
}

/// What comes of something while what it leaves to the pool is done here.
async fn carried_out<T>(held: &mpsc::Receiver<Job>, something: impl Future<Output = T>) -> T {
    let mut something = pin!(something);
    loop {
        if let Some(done) = something.as_mut().now_or_never() {
            return done;
        }
        for job in held.try_iter() {
            job();
        }
        tokio::task::yield_now().await;
    }
}
