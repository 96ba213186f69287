//! What bodies consist of: shapes and masses as the engine has them, which edits alone change.

use std::{fmt, sync::Arc};

use rapier3d::{
    geometry::{InteractionGroups, Shape, SharedShape},
    math::{Pose, Rotation, Vector},
    prelude::{PhysicsWorld, RigidBody},
};

use super::{
    roster::{Body, Roster},
    world::World,
};

/// The shapes and masses of all bodies, without where they are.
pub(super) struct Matter {
    /// In the order of the bodies, and of the colliders of each.
    pub(super) pieces: Vec<Piece>,
    /// How many triangles, points and parts its shapes have.
    pub(super) facets: usize,
    /// One for each body; nothing where a body has no mass that moves.
    pub(super) masses: Vec<Option<Mass>>,
}

/// A collider of a body that takes part.
pub(super) struct Piece {
    /// Where its body stands in the roster.
    pub(super) body: usize,
    /// Which of several colliders of its body it is.
    pub(super) collider: Option<usize>,
    pub(super) shape: SharedShape,
    /// In the body's frame.
    pub(super) pose: Pose,
    pub(super) groups: InteractionGroups,
    pub(super) is_sensor: bool,
}

/// How a dynamic body resists.
#[derive(Clone, Copy)]
pub(super) struct Mass {
    pub(super) kilograms: f64,
    /// The centre of mass, in the body's frame.
    pub(super) center: Vector,
    /// Principal moments, kg·m².
    pub(super) inertia: [f64; 3],
    /// The principal axes, in the body's frame.
    pub(super) axes: Rotation,
    /// How much of gravity the body feels.
    pub(super) gravity_scale: f64,
}

impl World {
    /// What bodies consist of now; made anew only after something was edited.
    pub(super) fn matter(&self) -> Arc<Matter> {
        let made = || Arc::new(Matter::of(&self.engine, &self.roster));
        Arc::clone(self.matter.get_or_init(made))
    }
}

impl Matter {
    fn of(engine: &PhysicsWorld, roster: &Roster) -> Self {
        let mut matter = Self {
            pieces: Vec::with_capacity(engine.colliders.len()),
            facets: 0,
            masses: Vec::with_capacity(roster.bodies.len()),
        };
        for (position, body) in roster.bodies.values().enumerate() {
            let rigid_body = &engine.bodies[body.handle];
            matter.masses.push(Mass::of(rigid_body, body));
            matter.add_pieces(engine, position, rigid_body, body);
        }
        matter
    }

    fn add_pieces(
        &mut self,
        engine: &PhysicsWorld,
        position: usize,
        rigid_body: &RigidBody,
        body: &Body,
    ) {
        if !takes_part(rigid_body, body) {
            return;
        }
        let has_several = rigid_body.colliders().len() > 1;
        for (index, &handle) in rigid_body.colliders().iter().enumerate() {
            let collider = &engine.colliders[handle];
            if !collider.is_enabled() {
                continue;
            }
            self.facets += facets(collider.shape());
            self.pieces.push(Piece {
                body: position,
                collider: has_several.then_some(index),
                shape: collider.shared_shape().clone(),
                pose: collider
                    .position_wrt_parent()
                    .copied()
                    .unwrap_or(Pose::IDENTITY),
                groups: collider.collision_groups(),
                is_sensor: collider.is_sensor(),
            });
        }
    }
}

impl Mass {
    fn of(rigid_body: &RigidBody, body: &Body) -> Option<Self> {
        if !rigid_body.is_dynamic() || !takes_part(rigid_body, body) {
            return None;
        }
        let known = &rigid_body.mass_properties().local_mprops;
        let inverse = |number: f32| match number {
            0.0 => 0.0,
            number => 1.0 / f64::from(number),
        };
        Some(Self {
            kilograms: inverse(known.inv_mass),
            center: known.local_com,
            inertia: known.inv_principal_inertia.to_array().map(inverse),
            axes: known.principal_inertia_local_frame,
            gravity_scale: rigid_body.gravity_scale().into(),
        })
    }
}

/// How many triangles, points or parts a shape has that is looked through one by one.
fn facets(shape: &dyn Shape) -> usize {
    if let Some(mesh) = shape.as_trimesh() {
        mesh.indices().len()
    } else if let Some(field) = shape.as_heightfield() {
        2 * field.nrows() * field.ncols()
    } else if let Some(line) = shape.as_polyline() {
        line.num_segments()
    } else if let Some(hull) = shape.as_convex_polyhedron() {
        hull.points().len()
    } else if let Some(hull) = shape.as_round_convex_polyhedron() {
        hull.inner_shape.points().len()
    } else if let Some(parts) = shape.as_compound() {
        parts.shapes().iter().map(|(_, part)| facets(&**part)).sum()
    } else {
        1
    }
}

/// Whether a body is there for others at all.
fn takes_part(rigid_body: &RigidBody, body: &Body) -> bool {
    rigid_body.is_enabled() && !body.quarantined
}

impl fmt::Debug for Matter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Matter")
            .field("pieces", &self.pieces.len())
            .field("facets", &self.facets)
            .field("bodies", &self.masses.len())
            .finish()
    }
}
