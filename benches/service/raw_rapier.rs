//! The raw Rapier baseline: the same scenes in bare `PhysicsWorld`s, stepped by as many threads as cores.

use std::{
    thread,
    time::{Duration, Instant},
};

use rapier3d::prelude::*;

use crate::scenes::{Body, DT, HALF, Scene, Script};

/// Worlds stepped without any service around them.
pub(crate) struct RawWorlds {
    worlds: Vec<PhysicsWorld>,
    threads: usize,
}

impl RawWorlds {
    pub(crate) fn new(scene: &Scene, count: usize) -> Self {
        let worlds = (0..count).map(|_| build(scene)).collect();
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Self { worlds, threads }
    }

    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Steps every world this often.
    pub(crate) fn step_all(&mut self, steps: u32) {
        self.on_all_threads(|share| {
            for world in share.iter_mut() {
                step(world, steps);
            }
            0
        });
    }

    /// Steps the worlds in turn, `burst` steps at a time, for about that long; answers how many and the time.
    pub(crate) fn step_for(&mut self, burst: u32, duration: Duration) -> (u64, Duration) {
        let start = Instant::now();
        let steps = self.on_all_threads(|share| {
            let mut steps = 0;
            for index in (0..share.len()).cycle() {
                step(&mut share[index], burst);
                steps += u64::from(burst);
                if start.elapsed() >= duration {
                    break;
                }
            }
            steps
        });
        (steps, start.elapsed())
    }

    /// Position of every body of the first world, in order of insertion.
    pub(crate) fn positions(&self) -> Vec<[f32; 3]> {
        self.worlds.first().map(positions).unwrap_or_default()
    }

    fn on_all_threads(&mut self, work: impl Fn(&mut [PhysicsWorld]) -> u64 + Sync) -> u64 {
        let share = self.worlds.len().div_ceil(self.threads).max(1);
        thread::scope(|scope| {
            let running: Vec<_> = self
                .worlds
                .chunks_mut(share)
                .map(|worlds| scope.spawn(|| work(worlds)))
                .collect();
            running
                .into_iter()
                .map(|thread| thread.join().expect("a raw world does not panic"))
                .sum()
        })
    }
}

/// What came of a script.
pub(crate) struct Run {
    /// Rows of position and velocity.
    pub(crate) observations: Vec<[Vector; 2]>,
    /// Where all bodies are at the end.
    pub(crate) positions: Vec<[f32; 3]>,
}

/// Carries out a script on one thread, from nothing to its end.
pub(crate) fn run(script: &Script) -> Run {
    let mut world = build(&script.scene);
    let handles: Vec<_> = world.rigid_bodies().map(|(handle, _)| handle).collect();
    let mut observations = Vec::new();
    let mut pushes = script.impulses.iter().peekable();
    for at in 0..script.steps {
        while let Some(push) = pushes.next_if(|push| push.at_step == at) {
            let body = &mut world.bodies[handles[push.body]];
            body.apply_impulse(push.impulse.into(), true);
        }
        if at.is_multiple_of(script.every) {
            observations.extend(script.observed.iter().map(|&place| {
                let body = &world.bodies[handles[place]];
                [body.translation(), body.linvel()]
            }));
        }
        world.step();
    }
    Run {
        observations,
        positions: positions(&world),
    }
}

fn positions(world: &PhysicsWorld) -> Vec<[f32; 3]> {
    let bodies = world.rigid_bodies();
    let positions = bodies.map(|(_, body)| body.translation());
    positions.map(|at| [at.x, at.y, at.z]).collect()
}

fn step(world: &mut PhysicsWorld, steps: u32) {
    for _ in 0..steps {
        world.step();
    }
}

/// The parameters the service computes with; the measurement compares positions to see that they are.
fn parameters() -> IntegrationParameters {
    let mut parameters = IntegrationParameters {
        dt: DT,
        normalized_prediction_distance: 0.005,
        normalized_allowed_linear_error: 1e-4,
        normalized_contact_recycle_distance: 0.0048,
        ..IntegrationParameters::default()
    };
    parameters.static_contact_softness.natural_frequency = 120.0;
    parameters
}

/// The scene as the service builds it: mass 1 kg with inertia from the shape.
fn build(scene: &Scene) -> PhysicsWorld {
    let mut world = PhysicsWorld::new();
    world.integration_parameters = parameters();
    for body in &scene.bodies {
        let (body, collider) = match *body {
            Body::Plane => (
                RigidBodyBuilder::fixed(),
                ColliderBuilder::new(SharedShape::halfspace(Vector::Y)),
            ),
            Body::Ball { position, velocity } => {
                let body = RigidBodyBuilder::dynamic()
                    .translation(position.into())
                    .linvel(velocity.into());
                (body, ColliderBuilder::ball(HALF))
            }
            Body::Cube { position } => {
                let body = RigidBodyBuilder::dynamic()
                    .translation(position.into())
                    .can_sleep(false);
                (body, ColliderBuilder::cuboid(HALF, HALF, HALF))
            }
        };
        world.insert(body, collider.mass(1.0).friction(0.5).restitution(0.3));
    }
    world
}
