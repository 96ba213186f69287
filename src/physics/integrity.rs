//! Whether the parts of a world that was read from bytes belong together.
//!
//! The engine follows its handles without looking: a joint of a body that does not exist has it ask
//! for gigabytes, which ends the process, and numbers it keeps decide how long a step takes.

use std::{cell::Cell, collections::HashSet};

use rapier3d::{
    geometry::{ColliderGraphIndex, InteractionGraph},
    prelude::{PhysicsWorld, RigidBodyHandle, ShapeType},
};

use super::{
    fault::Faults,
    roster::{Body, Joint, Roster},
    shape::ShapeKind,
    vector::Vec3,
    world::{World, parameters},
};
use crate::id::BodyId;

impl World {
    /// Whether what is in it exists on both sides, its own and the engine's, with values that
    /// commands could have brought in. What the engine keeps for itself cannot be seen.
    pub(super) fn is_sound(&self) -> bool {
        let mut faults = Faults::default();
        self.config.check(&mut faults);
        for body in self.roster.bodies.values() {
            body.spec.check(self.config.dimensions, &mut faults);
        }
        for joint in self.roster.joints.values() {
            joint.spec.check_limits(&mut faults);
        }
        faults.is_empty()
            && self.time().is_finite()
            && self.engine.gravity == self.config.gravity.into()
            && parameters_match(&self.engine)
            && bodies_match(&self.engine, &self.roster)
            && joints_match(&self.engine, &self.roster)
            && contacts_match(&self.engine)
            && tree_matches(&self.engine)
    }
}

/// The time step alone differs from command to command.
fn parameters_match(engine: &PhysicsWorld) -> bool {
    let found = engine.integration_parameters;
    let mut expected = parameters();
    expected.dt = found.dt;
    found.dt.is_finite() && found == expected
}

/// Every body is in the engine once, and nothing else is.
fn bodies_match(engine: &PhysicsWorld, roster: &Roster) -> bool {
    let handles: HashSet<RigidBodyHandle> =
        roster.bodies.values().map(|body| body.handle).collect();
    let counts = [
        handles.len(),
        engine.bodies.len(),
        engine.colliders.len(),
        engine.bodies.iter().count(),
        engine.colliders.iter().count(),
    ];
    counts == [roster.bodies.len(); 5]
        && engine.soft_bodies.is_empty()
        && roster
            .bodies
            .iter()
            .all(|(id, body)| *id == body.spec.id && body_matches(engine, body))
}

fn body_matches(engine: &PhysicsWorld, body: &Body) -> bool {
    let Some(found) = engine.bodies.get(body.handle) else {
        return false;
    };
    let collider = match found.colliders() {
        &[handle] => engine.colliders.get(handle),
        _ => None,
    };
    let force_is_finite = body.force.is_none_or(|held| {
        let point_is_finite = held.local_point.is_none_or(Vec3::is_finite);
        held.force.is_finite() && held.torque.is_finite() && point_is_finite
    });
    force_is_finite
        && found.body_type() == body.spec.kind.into()
        && found.additional_solver_iterations() == 0
        && collider.is_some_and(|collider| {
            collider.parent() == Some(body.handle)
                && collider.shape().shape_type() == shape_type(body.spec.shape)
        })
}

/// Every joint holds the bodies that it is said to hold.
fn joints_match(engine: &PhysicsWorld, roster: &Roster) -> bool {
    let handle_of = |id: &BodyId| roster.bodies.get(id).map(|body| body.handle);
    let matches = |joint: &Joint| {
        let found = engine.impulse_joints.get(joint.handle);
        found.is_some_and(|found| {
            Some(found.body1()) == handle_of(&joint.spec.body_a)
                && Some(found.body2()) == handle_of(&joint.spec.body_b)
        })
    };
    let ends = engine.impulse_joints.joint_graph();
    engine.impulse_joints.len() == roster.joints.len()
        && engine.multibody_joints.multibodies().next().is_none()
        && graph_is_complete(ends, |handle| engine.bodies.contains(handle))
        && roster.joints.iter().all(|(id, joint)| {
            *id == joint.spec.id && joint.spec.id.is_well_formed() && matches(joint)
        })
}

/// Every contact and overlap is one of colliders that exist.
fn contacts_match(engine: &PhysicsWorld) -> bool {
    let exists = |handle| engine.colliders.contains(handle);
    let body_exists = |handle: Option<RigidBodyHandle>| {
        handle.is_none_or(|handle| engine.bodies.contains(handle))
    };
    let contacts = engine.narrow_phase.contact_graph();
    let overlaps = engine.narrow_phase.intersection_graph();
    graph_is_complete(contacts, exists)
        && graph_is_complete(overlaps, exists)
        && contacts.interactions().all(|pair| {
            let manifolds = pair.rigid().map(|contacts| &contacts.manifolds);
            exists(pair.collider1)
                && exists(pair.collider2)
                && manifolds.is_some_and(|manifolds| {
                    manifolds.iter().all(|manifold| {
                        body_exists(manifold.data.rigid_body1)
                            && body_exists(manifold.data.rigid_body2)
                    })
                })
        })
}

/// The tree in which the engine looks for pairs leads to colliders, and to none of them twice, as
/// it would if it led in circles.
fn tree_matches(engine: &PhysicsWorld) -> bool {
    let visits = Cell::new(0);
    let is_short = || visits.get() <= 2 * engine.colliders.len();
    let leaves = engine.query_pipeline().bvh.leaves(|_| {
        visits.set(visits.get() + 1);
        is_short()
    });
    let mut seen = HashSet::new();
    leaves.into_iter().all(|leaf| {
        let collider = engine.colliders.get_unknown_gen(leaf);
        collider.is_some() && seen.insert(leaf)
    }) && is_short()
}

/// Whether all that a graph links is in it and exists, and its lists of links lead to each of them
/// from both of its ends, as they would not if they led in circles.
fn graph_is_complete<N: Copy, E>(
    graph: &InteractionGraph<N, E>,
    exists: impl Fn(N) -> bool,
) -> bool {
    let graph = graph.raw_graph();
    let (nodes, links) = (graph.raw_nodes(), graph.raw_edges());
    let ends = 2 * links.len();
    let listed = (0..)
        .zip(nodes)
        .flat_map(|(index, _)| graph.edges(ColliderGraphIndex::new(index)));
    nodes.iter().all(|node| exists(node.weight))
        && links
            .iter()
            .all(|link| link.source().index().max(link.target().index()) < nodes.len())
        && listed.take(ends + 1).count() == ends
}

fn shape_type(shape: ShapeKind) -> ShapeType {
    match shape {
        ShapeKind::Cuboid => ShapeType::Cuboid,
        ShapeKind::Ball => ShapeType::Ball,
        ShapeKind::Capsule => ShapeType::Capsule,
        ShapeKind::Cylinder => ShapeType::Cylinder,
        ShapeKind::Halfspace => ShapeType::HalfSpace,
    }
}
