//! Who touches whom, from the engine's own contacts.

use rapier3d::{
    geometry::{ColliderHandle, ContactManifold, ContactPair},
    math::{Pose, Vector},
    parry::query,
    prelude::{PhysicsWorld, RigidBodyHandle},
};

use super::roster::{Positions, Roster};

/// The least separation at which a pair that was pushed is taken to have parted, m.
const PARTED: f32 = 1e-3;

/// For each body, the bodies it has an active contact with or a sensor's overlap, by position.
#[derive(Debug)]
pub(super) struct ContactLists {
    /// Where the others of each body start, and where the last ones end.
    starts: Vec<usize>,
    /// Those of each body sorted.
    others: Vec<u32>,
}

/// The closest point of two bodies that touch or overlap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Touch {
    pub(super) a: u32,
    pub(super) b: u32,
    /// World coordinates, m.
    pub(super) point: Vector,
    /// World axes, from A to B.
    pub(super) normal: Vector,
    /// What the solver applied in the last step, N·s.
    pub(super) impulse: f32,
    /// The distance of the surfaces before the last step; negative where they overlap, m.
    pub(super) distance: f32,
    /// Whether one of the two is a sensor.
    pub(super) is_sensor: bool,
}

impl Touch {
    /// What tells it from others: bodies may touch and overlap a sensor of each other at once.
    pub(super) fn key(&self) -> (u32, u32, bool) {
        (self.a, self.b, self.is_sensor)
    }

    /// Takes in what else of the two bodies touches: the deepest point is that of both.
    fn join(&mut self, other: &Self) {
        let impulse = (self.normal * self.impulse + other.normal * other.impulse).length();
        // Each of them is a number, but their sum need not be.
        let impulse = impulse.min(f32::MAX);
        if other.distance < self.distance {
            *self = *other;
        }
        self.impulse = impulse;
    }

    /// Whether there is a place that can be told of.
    fn is_finite(&self) -> bool {
        self.distance.is_finite() && self.point.is_finite() && self.normal.is_finite()
    }
}

impl ContactLists {
    pub(super) fn of(engine: &PhysicsWorld, roster: &Roster) -> Self {
        let positions = roster.positions();
        let contacts = engine
            .contact_pairs()
            .filter(|pair| pair.has_any_active_contact())
            .map(|pair| (pair.collider1, pair.collider2));
        let overlaps = engine
            .narrow_phase
            .intersection_pairs()
            .filter(|&(_, _, intersecting)| intersecting)
            .map(|(one, other, _)| (one, other));
        let mut pairs = Vec::new();
        for (one, other) in contacts.chain(overlaps) {
            // Pairs of removed bodies stay in the graph until the next step.
            if let (Some(one), Some(other)) = (parent(engine, one), parent(engine, other)) {
                pairs.push((positions.of(one), positions.of(other)));
            }
        }
        Self::between(roster.bodies.len(), &pairs)
    }

    /// The lists of `count` bodies. Each is dealt its own first, so that only short lists are sorted.
    fn between(count: usize, pairs: &[(u32, u32)]) -> Self {
        let links = || pairs.iter().flat_map(|&(a, b)| [(a, b), (b, a)]);
        let mut ends = vec![0; count + 1];
        for (body, _) in links() {
            ends[body as usize + 1] += 1;
        }
        for body in 0..count {
            ends[body + 1] += ends[body];
        }
        let mut dealt = vec![0; 2 * pairs.len()];
        for (body, other) in links() {
            let end = &mut ends[body as usize];
            dealt[*end] = other;
            *end += 1;
        }

        let mut starts = Vec::with_capacity(count + 1);
        let mut others = Vec::with_capacity(dealt.len());
        let mut start = 0;
        for &end in &ends[..count] {
            starts.push(others.len());
            let own = &mut dealt[start..end];
            own.sort_unstable();
            // Bodies of several colliders may touch with more than one of them.
            others.extend(own.chunk_by(|a, b| a == b).map(|same| same[0]));
            start = end;
        }
        starts.push(others.len());
        Self { starts, others }
    }

    /// The bodies in contact with the one at `position`, in the order of the roster.
    pub(super) fn of_body(&self, position: usize) -> &[u32] {
        &self.others[self.starts[position]..self.starts[position + 1]]
    }
}

/// Every pair of bodies that the solver pushes apart or that is no farther apart than
/// [`PARTED`], and every overlap with a sensor, sorted by [`Touch::key`]. The body whose id sorts
/// first is A.
///
/// The engine finds contacts at the start of a step, so their geometry belongs to the poses that
/// `pose_before` answers.
pub(super) fn touches(
    engine: &PhysicsWorld,
    roster: &Roster,
    positions: &Positions,
    pose_before: impl Fn(u32) -> Pose,
) -> Vec<Touch> {
    let scan = Scan {
        engine,
        roster,
        positions,
        pose_before,
    };
    let contacts = engine.contact_pairs().filter_map(|pair| scan.contact(pair));
    let overlaps = engine
        .narrow_phase
        .intersection_pairs()
        .filter(|&(_, _, intersecting)| intersecting)
        .filter_map(|(one, other, _)| scan.overlap(one, other));
    let found = contacts.chain(overlaps);
    let mut touches: Vec<Touch> = found.filter(Touch::is_finite).collect();
    touches.sort_by_key(Touch::key);
    // Bodies of several colliders may touch with more than one of them.
    touches.dedup_by(|more, touch| {
        let are_same = more.key() == touch.key();
        if are_same {
            touch.join(more);
        }
        are_same
    });
    touches
}

/// The body of a collider, and the collider's pose in it; nothing for what was removed since the
/// last step.
pub(super) fn placed(
    engine: &PhysicsWorld,
    positions: &Positions,
    handle: ColliderHandle,
) -> Option<(u32, Pose)> {
    let collider = engine.colliders.get(handle)?;
    let in_body = collider.position_wrt_parent();
    let pose = in_body.copied().unwrap_or(Pose::IDENTITY);
    Some((positions.of(collider.parent()?), pose))
}

/// What the points of a manifold are told in, of colliders that stand at `poses`: the parts of them
/// that touch, where they consist of several.
pub(super) fn parts(manifold: &ContactManifold, [one, other]: [Pose; 2]) -> [Pose; 2] {
    [
        manifold.subshape_pos1().map_or(one, |part| one * *part),
        manifold.subshape_pos2().map_or(other, |part| other * *part),
    ]
}

struct Scan<'a, P> {
    engine: &'a PhysicsWorld,
    roster: &'a Roster,
    positions: &'a Positions,
    pose_before: P,
}

impl<P: Fn(u32) -> Pose> Scan<'_, P> {
    fn contact(&self, pair: &ContactPair) -> Option<Touch> {
        if !pair.has_any_active_contact() {
            return None;
        }
        let impulse = pair.total_impulse().length();
        // What has run away is taken out of the world, what it pushed with is no number.
        let impulse = if impulse.is_finite() { impulse } else { 0.0 };
        let (manifold, contact) = pair.find_deepest_contact()?;
        if impulse == 0.0 && contact.dist > PARTED {
            return None;
        }
        let (one, pose_one) = self.collider(pair.collider1)?;
        let (other, pose_other) = self.collider(pair.collider2)?;
        let poses = parts(manifold, [pose_one, pose_other]);
        let points = [
            poses[0].transform_point(contact.local_p1),
            poses[1].transform_point(contact.local_p2),
        ];
        Some(self.touch(
            [one, other],
            (points[0] + points[1]) * 0.5,
            manifold.data.normal,
            (impulse, contact.dist, false),
        ))
    }

    fn overlap(&self, one: ColliderHandle, other: ColliderHandle) -> Option<Touch> {
        let bodies = [self.collider(one)?.0, self.collider(other)?.0];
        let shapes = [one, other].map(|handle| &self.engine.colliders[handle]);
        let poses = shapes.map(|collider| *collider.position());
        let found = query::contact(
            &poses[0],
            shapes[0].shape(),
            &poses[1],
            shapes[1].shape(),
            0.0,
        );
        let (point, normal, distance) = if let Ok(Some(contact)) = found {
            let middle = (contact.point1 + contact.point2) * 0.5;
            (middle, contact.normal1, contact.dist)
        } else {
            // Not every two shapes can be asked for their closest points.
            let [one, other] = poses.map(|pose| pose.translation);
            let between = (other - one).normalize_or(Vector::Y);
            ((one + other) * 0.5, between, 0.0)
        };
        Some(self.touch(bodies, point, normal, (0.0, distance, true)))
    }

    /// Brings the two bodies into the order of their ids.
    fn touch(
        &self,
        [one, other]: [u32; 2],
        point: Vector,
        normal: Vector,
        (impulse, distance, is_sensor): (f32, f32, bool),
    ) -> Touch {
        let in_order = self.roster.body_at(one).0 <= self.roster.body_at(other).0;
        let (a, b, normal) = if in_order {
            (one, other, normal)
        } else {
            (other, one, -normal)
        };
        Touch {
            a,
            b,
            point,
            normal,
            impulse,
            distance,
            is_sensor,
        }
    }

    /// The body of a collider, and the collider's pose before the last step.
    fn collider(&self, handle: ColliderHandle) -> Option<(u32, Pose)> {
        let (body, in_body) = placed(self.engine, self.positions, handle)?;
        Some((body, (self.pose_before)(body) * in_body))
    }
}

fn parent(engine: &PhysicsWorld, handle: ColliderHandle) -> Option<RigidBodyHandle> {
    engine.colliders.get(handle)?.parent()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_touches_a_body_is_listed_once_and_in_order() {
        let lists = ContactLists::between(4, &[(3, 0), (1, 0), (0, 3), (1, 3)]);

        let others: Vec<_> = (0..4).map(|position| lists.of_body(position)).collect();
        assert_eq!(others, [&[1, 3][..], &[0, 3], &[], &[0, 1]]);
    }
}
