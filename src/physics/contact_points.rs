//! Where bodies touch, how deep, and how hard.

use rapier3d::{
    geometry::{ColliderHandle, ContactPair, SolverContact},
    math::{Pose, Vector},
    prelude::PhysicsWorld,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    contact::{parts, placed},
    roster::{Positions, Roster},
    vector::Vec3,
    view::View,
    world::World,
};
use crate::id::BodyId;

/// All pairs of bodies that touch.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactsView<'a> {
    /// In the order in which the first, then the second of each was added.
    contacts: Vec<ContactView<'a>>,
    /// There are more than are told.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

/// Two bodies that touch.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactView<'a> {
    /// The one whose name sorts first.
    #[schema(value_type = String)]
    body_a: &'a BodyId,
    /// The other one.
    #[schema(value_type = String)]
    body_b: &'a BodyId,
    /// From A to B where they touch deepest, world axes.
    normal: Vec3,
    /// Every point at which the solver holds them apart.
    points: &'a [ContactPoint],
}

/// A point at which two bodies touch.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct ContactPoint {
    /// World coordinates, m.
    position: Vec3,
    /// How far they overlap, m; negative where a gap is left.
    depth: f32,
    /// Along the normal, in the last step that computed it, N·s.
    impulse: f32,
}

/// Two bodies that touch, by position.
#[derive(Debug)]
pub(super) struct Touching {
    a: u32,
    b: u32,
    normal: Vec3,
    points: Vec<ContactPoint>,
}

struct Scan<'a> {
    engine: &'a PhysicsWorld,
    roster: &'a Roster,
    positions: Positions,
}

impl World {
    /// Adds to a view of this moment what takes a look at every contact.
    pub fn look_closely(&self, view: &View) {
        view.touching.get_or_init(|| {
            let scan = Scan {
                engine: &self.engine,
                roster: &self.roster,
                positions: self.roster.positions(),
            };
            scan.pairs()
        });
    }
}

impl View {
    /// Whether it was looked at closely.
    pub fn is_close(&self) -> bool {
        self.touching.get().is_some()
    }

    /// The first `most` pairs that touch, of the bodies that stand at these positions; nothing
    /// unless it was looked at closely.
    pub fn contacts(&self, positions: Option<&[usize]>, most: usize) -> Option<ContactsView<'_>> {
        let is_asked = |position: u32| {
            positions.is_none_or(|asked| asked.binary_search(&(position as usize)).is_ok())
        };
        let mut pairs = self.touching.get()?.iter();
        let mut asked = pairs
            .by_ref()
            .filter(|pair| is_asked(pair.a) || is_asked(pair.b));
        let contacts = asked.by_ref().take(most).map(|pair| ContactView {
            body_a: self.roster.body_at(pair.a).0,
            body_b: self.roster.body_at(pair.b).0,
            normal: pair.normal,
            points: &pair.points,
        });
        Some(ContactsView {
            contacts: contacts.collect(),
            truncated: asked.next().is_some(),
        })
    }
}

impl Scan<'_> {
    /// All pairs that touch, one for each two bodies.
    fn pairs(&self) -> Vec<Touching> {
        let active = self.engine.contact_pairs();
        let active = active.filter(|pair| pair.has_any_active_contact());
        let mut pairs: Vec<_> = active.filter_map(|pair| self.pair(pair)).collect();
        pairs.sort_by_key(|pair| (pair.a, pair.b));
        pairs.dedup_by(|more, pair| {
            let are_same = (more.a, more.b) == (pair.a, pair.b);
            if are_same {
                if more.depth() > pair.depth() {
                    pair.normal = more.normal;
                }
                pair.points.append(&mut more.points);
            }
            are_same
        });
        pairs
    }

    fn pair(&self, pair: &ContactPair) -> Option<Touching> {
        let (one, pose_one) = self.collider(pair.collider1)?;
        let (other, pose_other) = self.collider(pair.collider2)?;
        let (mut normal, mut deepest) = (Vector::Y, f32::NEG_INFINITY);
        let mut points = Vec::new();
        for manifold in pair.solver_manifolds() {
            let poses = parts(manifold, [pose_one, pose_other]);
            let solved = manifold.data.solver_contacts.iter();
            for index in solved.flat_map(SolverContact::contact_indices) {
                let Some(point) = manifold.points.get(index as usize) else {
                    continue;
                };
                let [near, far] = [
                    poses[0].transform_point(point.local_p1),
                    poses[1].transform_point(point.local_p2),
                ];
                let depth = (near - far).dot(manifold.data.normal);
                if depth > deepest {
                    (normal, deepest) = (manifold.data.normal, depth);
                }
                points.push(ContactPoint {
                    position: ((near + far) * 0.5).into(),
                    depth: depth + 0.0,
                    impulse: point.data.impulse + 0.0,
                });
            }
        }
        points.retain(ContactPoint::is_finite);
        if points.is_empty() {
            return None;
        }
        let in_order = self.roster.body_at(one).0 <= self.roster.body_at(other).0;
        let (a, b, normal) = if in_order {
            (one, other, normal)
        } else {
            (other, one, -normal)
        };
        Some(Touching {
            a,
            b,
            normal: normal.into(),
            points,
        })
    }

    /// The body of a collider, and the collider's pose now.
    fn collider(&self, handle: ColliderHandle) -> Option<(u32, Pose)> {
        let (body, in_body) = placed(self.engine, &self.positions, handle)?;
        let now = self.engine.bodies[self.roster.body_at(body).1.handle].position();
        Some((body, *now * in_body))
    }
}

impl Touching {
    fn depth(&self) -> f32 {
        let depths = self.points.iter().map(|point| point.depth);
        depths.fold(f32::NEG_INFINITY, f32::max)
    }
}

impl ContactPoint {
    fn is_finite(&self) -> bool {
        self.position.is_finite() && self.depth.is_finite() && self.impulse.is_finite()
    }
}
