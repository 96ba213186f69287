//! Whether the parts of a world that was read from bytes belong together.
//!
//! The engine follows its handles without looking: a joint of a body that does not exist has it ask
//! for gigabytes, which ends the process, and numbers it keeps decide how long a step takes.

use std::{cell::Cell, collections::HashSet};

use rapier3d::{
    dynamics::Multibody,
    geometry::{ColliderGraphIndex, ColliderHandle, InteractionGraph},
    prelude::{GenericJoint, JointEnabled, PhysicsWorld, RigidBodyHandle, ShapeType},
};

use super::{
    articulation::joint_above,
    body::ColliderSpec,
    fault::Faults,
    joint::JointSpec,
    limits::MAX_MULTIBODY_LINKS,
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
            body.spec
                .check(self.config.dimensions, &self.assets, &mut faults);
        }
        for joint in self.roster.joints.values() {
            joint.spec.check_settings(&mut faults);
        }
        faults.is_empty()
            && self.time().is_finite()
            && self.events.is_sound()
            && self.engine.gravity == self.config.gravity.into()
            && parameters_match(&self.engine)
            && bodies_match(&self.engine, &self.roster)
            && joints_match(&self.engine, &self.roster)
            && self.controllers_match()
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
    let bodies = [
        handles.len(),
        engine.bodies.len(),
        engine.bodies.iter().count(),
    ];
    let specified = roster.bodies.values();
    let specified: usize = specified.map(|body| body.spec.collider_count()).sum();
    let colliders = [engine.colliders.len(), engine.colliders.iter().count()];
    bodies == [roster.bodies.len(); 3]
        && colliders == [specified; 2]
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
    let force_is_finite = body.force.is_none_or(|held| {
        let point_is_finite = held.local_point.is_none_or(Vec3::is_finite);
        held.force.is_finite() && held.torque.is_finite() && point_is_finite
    });
    force_is_finite
        && found.body_type() == body.spec.kind.into()
        && found.additional_solver_iterations() == body.spec.solver_iterations()
        && body.inertia.is_finite()
        && colliders_match(engine, body, found.colliders())
}

/// The body's colliders are its own, in the order of its specification and of the same shapes.
fn colliders_match(engine: &PhysicsWorld, body: &Body, handles: &[ColliderHandle]) -> bool {
    let specified = body.spec.colliders();
    specified.len() == handles.len()
        && specified.iter().zip(handles).all(|(spec, &handle)| {
            engine.colliders.get(handle).is_some_and(|collider| {
                collider.parent() == Some(body.handle)
                    && shape_matches(spec, collider.shape().shape_type())
            })
        })
}

/// Every joint holds the bodies that it is said to hold, in the way it is said to.
fn joints_match(engine: &PhysicsWorld, roster: &Roster) -> bool {
    let handle_of = |id: &BodyId| roster.bodies.get(id).map(|body| body.handle);
    let matches = |joint: &Joint| {
        let ends = [&joint.spec.body_a, &joint.spec.body_b].map(handle_of);
        let [Some(a), Some(b)] = ends else {
            return false;
        };
        match joint.handle {
            Some(handle) => engine.impulse_joints.get(handle).is_some_and(|found| {
                let holds = found.data.is_enabled();
                let mut as_said = found.data;
                if holds != joint.spec.enabled {
                    as_said.enabled = JointEnabled::Enabled;
                }
                [found.body1(), found.body2()] == [a, b]
                    && holds == joint.holds_in(engine, &roster.bodies)
                    && is_as_said(&joint.spec, &as_said)
            }),
            None if joint.hangs() => hangs(engine, a, b, &joint.spec),
            None => joint.broken,
        }
    };
    let in_multibodies = roster.joints.values().filter(|joint| joint.hangs());
    let held = roster.joints.values().filter_map(|joint| joint.handle);
    let ends = engine.impulse_joints.joint_graph();
    engine.impulse_joints.len() == held.collect::<HashSet<_>>().len()
        && engine.multibody_joints.iter().count() == in_multibodies.count()
        && engine
            .multibody_joints
            .multibodies()
            .all(|multibody| multibody_matches(engine, multibody))
        && graph_is_complete(ends, |handle| engine.bodies.contains(handle))
        && roster.joints.iter().all(|(id, joint)| {
            let is_whole = !joint.broken || joint.handle.is_none();
            let is_impulse = joint.handle.is_none() || !joint.spec.multibody;
            *id == joint.spec.id
                && joint.spec.id.is_well_formed()
                && is_whole
                && is_impulse
                && matches(joint)
        })
}

/// Whether a joint of the engine has the settings of its specification.
fn is_as_said(spec: &JointSpec, found: &GenericJoint) -> bool {
    let mut found = *found;
    // What it did in the last step is no setting, and may be anything where a body was torn off.
    for limits in &mut found.limits {
        limits.impulse = 0.0;
    }
    for motor in &mut found.motors {
        motor.impulse = 0.0;
    }
    let mut expected = found;
    expected.locked_axes = spec.locked_axes();
    spec.apply_settings(&mut expected);
    expected == found
}

/// Whether one body hangs on another one by a joint of this specification.
fn hangs(engine: &PhysicsWorld, a: RigidBodyHandle, b: RigidBodyHandle, spec: &JointSpec) -> bool {
    let found = engine.multibody_joints.joint_between(a, b);
    found.is_some_and(|(handle, _, link)| {
        handle == joint_above(b)
            && link.rigid_body_handle() == b
            && is_as_said(spec, &link.joint.data)
    })
}

/// Whether a multibody is a tree of bodies that exist, with as many coordinates as they have.
fn multibody_matches(engine: &PhysicsWorld, multibody: &Multibody) -> bool {
    let coordinates = multibody.ndofs();
    let columns = [
        multibody.damping().len(),
        multibody.armature().len(),
        multibody.frictions().len(),
    ];
    let mut first = 0;
    multibody.num_links() <= MAX_MULTIBODY_LINKS
        && multibody.couplings().is_empty()
        && columns.iter().all(|&length| length >= coordinates)
        && multibody.links().enumerate().all(|(index, link)| {
            let body = engine.bodies.get(link.rigid_body_handle());
            let linked = engine
                .multibody_joints
                .rigid_body_link(link.rigid_body_handle());
            let is_placed = link.link_id() == index && link.assembly_id() == first;
            first += link.joint.ndofs();
            is_placed
                && linked.is_some_and(|linked| linked.id == index)
                && !link.joint.kinematic
                && link.parent_id().is_none_or(|parent| parent < index)
                && body.is_some_and(|body| body.is_enabled() && (index == 0 || body.is_dynamic()))
        })
        && first == coordinates
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

fn shape_matches(spec: &ColliderSpec, found: ShapeType) -> bool {
    let is_round = spec.border_radius.is_some();
    let either = |sharp, round| found == if is_round { round } else { sharp };
    match spec.shape {
        ShapeKind::Cuboid => either(ShapeType::Cuboid, ShapeType::RoundCuboid),
        ShapeKind::Ball => found == ShapeType::Ball,
        ShapeKind::Capsule => found == ShapeType::Capsule,
        ShapeKind::Cylinder => either(ShapeType::Cylinder, ShapeType::RoundCylinder),
        ShapeKind::Cone => either(ShapeType::Cone, ShapeType::RoundCone),
        ShapeKind::Halfspace => found == ShapeType::HalfSpace,
        ShapeKind::Segment => found == ShapeType::Segment,
        ShapeKind::Triangle => either(ShapeType::Triangle, ShapeType::RoundTriangle),
        ShapeKind::Polyline => found == ShapeType::Polyline,
        ShapeKind::ConvexHull => either(
            ShapeType::ConvexPolyhedron,
            ShapeType::RoundConvexPolyhedron,
        ),
        // It falls back to the hull of its mesh.
        ShapeKind::ConvexDecomposition => {
            found == ShapeType::Compound
                || either(
                    ShapeType::ConvexPolyhedron,
                    ShapeType::RoundConvexPolyhedron,
                )
        }
        ShapeKind::TriMesh => found == ShapeType::TriMesh,
        ShapeKind::HeightField => found == ShapeType::HeightField,
        ShapeKind::Compound | ShapeKind::Voxels => found == ShapeType::Compound,
    }
}
