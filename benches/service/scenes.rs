//! The scenes measured, described once for the service (JSON) and for raw Rapier.

use serde_json::{Value, json};

/// Half of a box's edge and radius of a ball.
pub(crate) const HALF: f32 = 0.5;
/// The service's default step.
pub(crate) const DT: f32 = 0.016;
/// Boxes of one pile.
pub(crate) const PILE: usize = 92;

/// One body of a scene; every surface has friction 0.5 and restitution 0.3, every dynamic body 1 kg.
#[derive(Clone, Copy)]
pub(crate) enum Body {
    /// Fixed ground through the origin.
    Plane,
    /// Ball that sleeps when it comes to rest.
    Ball {
        position: [f32; 3],
        velocity: [f32; 3],
    },
    /// Box that may not sleep.
    Cube { position: [f32; 3] },
}

/// What happens in a world, step by step.
pub(crate) struct Script {
    pub(crate) scene: Scene,
    pub(crate) steps: u32,
    pub(crate) impulses: Vec<Push>,
    /// Places of the bodies that are observed.
    pub(crate) observed: Vec<usize>,
    /// Before every how many steps they are.
    pub(crate) every: u32,
}

/// An impulse at its step.
pub(crate) struct Push {
    pub(crate) at_step: u32,
    pub(crate) body: usize,
    pub(crate) impulse: [f32; 3],
}

/// A world to measure, the plane first.
pub(crate) struct Scene {
    pub(crate) bodies: Vec<Body>,
}

impl Scene {
    /// A plane and a ball that rolls on it and so never sleeps.
    pub(crate) fn rolling_ball() -> Self {
        Self::plane_and_ball([0.0, HALF, 0.0], [0.5, 0.0, 0.25])
    }

    /// A plane and a ball that falls onto it, bounces, comes to rest and sleeps.
    pub(crate) fn dropped_ball() -> Self {
        Self::plane_and_ball([0.0, 2.0, 0.0], [0.0; 3])
    }

    /// Piles of 92 boxes side by side; eleven of them and the plane are 1,013 bodies.
    pub(crate) fn piles(count: u8) -> Self {
        let mut bodies = vec![Body::Plane];
        bodies.extend((0..count).flat_map(pile));
        Self { bodies }
    }

    /// Body of the request that creates this scene as a simulation of that id.
    pub(crate) fn creation(&self, sim_id: &str) -> String {
        json!({"id": sim_id, "bodies": self.specs()}).to_string()
    }

    /// Its bodies as requests describe them.
    pub(crate) fn specs(&self) -> Vec<Value> {
        let bodies = self.bodies.iter().enumerate();
        bodies.map(|(index, body)| body.spec(index)).collect()
    }

    /// Name of the body at that place.
    pub(crate) fn id(index: usize) -> String {
        format!("b{index}")
    }

    fn plane_and_ball(position: [f32; 3], velocity: [f32; 3]) -> Self {
        Self {
            bodies: vec![Body::Plane, Body::Ball { position, velocity }],
        }
    }
}

impl Script {
    /// A plane and 199 boxes that collapse, 50 of them pushed on the way, 20 observed.
    pub(crate) fn new() -> Self {
        let mut scene = Scene::piles(3);
        scene.bodies.truncate(200);
        let pushes = (0_u32..).step_by(12).zip((1..).step_by(3)).take(50);
        Self {
            impulses: pushes
                .map(|(at_step, body)| Push {
                    at_step,
                    body,
                    impulse: [0.5, 2.0, -0.25],
                })
                .collect(),
            observed: (1..200).step_by(10).collect(),
            scene,
            steps: 600,
            every: 4,
        }
    }
}

impl Body {
    fn spec(self, index: usize) -> Value {
        let id = Scene::id(index);
        match self {
            Self::Plane => json!({"id": id, "kind": "static", "shape": "plane"}),
            Self::Ball { position, velocity } => json!({
                "id": id, "kind": "dynamic", "shape": "sphere", "radius": HALF,
                "position": position, "velocity": velocity,
            }),
            Self::Cube { position } => json!({
                "id": id, "kind": "dynamic", "shape": "box", "size": [2.0 * HALF, 2.0 * HALF, 2.0 * HALF],
                "position": position, "can_sleep": false,
            }),
        }
    }
}

/// Layers of 4 × 4 boxes, every other one set off sideways, so that a box rests on two.
fn pile(index: u8) -> impl Iterator<Item = Body> {
    let row =
        |layer| (0_u8..4).flat_map(move |row| (0_u8..4).map(move |column| (layer, row, column)));
    (0_u8..6)
        .flat_map(row)
        .take(PILE)
        .map(move |(layer, row, column)| {
            let offset = 0.3 * f32::from(layer % 2);
            let x = 20.0 * f32::from(index) + 1.1 * f32::from(column) + offset;
            let y = HALF + 1.01 * f32::from(layer);
            let z = 1.1 * f32::from(row);
            Body::Cube {
                position: [x, y, z],
            }
        })
}
