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
        let bodies: Vec<Value> = self
            .bodies
            .iter()
            .enumerate()
            .map(|(index, body)| body.spec(index))
            .collect();
        json!({"id": sim_id, "bodies": bodies}).to_string()
    }

    fn plane_and_ball(position: [f32; 3], velocity: [f32; 3]) -> Self {
        Self {
            bodies: vec![Body::Plane, Body::Ball { position, velocity }],
        }
    }
}

impl Body {
    fn spec(self, index: usize) -> Value {
        let id = format!("b{index}");
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
