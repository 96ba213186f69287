//! What is near, around or inside of something.

use rapier3d::{
    math::Vector,
    parry::{
        bounding_volume::{Aabb, BoundingVolume},
        query::{self, ClosestPoints},
    },
};

use super::{
    hit::{Found, direction},
    scene::{Scene, Seen, Sight, gap},
    spec::{Placed, PointAsk},
};

impl Sight<'_> {
    /// The pieces near a point, or the nearest of them, with the nearest point of each.
    pub(super) fn project(&self, ask: &PointAsk) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        for seen in self.near(ask.point, ask.reach) {
            let nearest = found.first().filter(|_| !ask.all);
            let reach = nearest.map_or(ask.reach, |found| found.distance);
            if seen
                .bounds
                .is_some_and(|bounds| gap(bounds, ask.point) > reach)
            {
                continue;
            }
            let shape = &seen.piece.shape;
            let projected = shape.project_point(seen.pose, ask.point, ask.solid);
            let hit = Found {
                point: Some(projected.point.into()),
                distance: projected.point.distance(ask.point),
                inside: Some(projected.is_inside),
                ..seen.found()
            };
            let is_nearer = hit.distance < reach || nearest.is_none() && hit.distance <= reach;
            if !hit.is_finite() || !is_nearer {
                continue;
            }
            if !ask.all {
                found.clear();
            }
            found.push(hit);
        }
        found
    }

    /// The pieces that a shape overlaps.
    pub(super) fn overlapping(&self, placed: &Placed) -> Vec<Found> {
        let (shape, pose) = (&placed.shape, &placed.pose());
        let around = shape.compute_aabb(pose);
        let near = self.candidates(|bounds| bounds.intersects(&around));
        let hits = near.iter().filter_map(|seen| {
            let other = &seen.piece.shape;
            let test = query::intersection_test(pose, &**shape, seen.pose, &**other);
            if !test.is_ok_and(|test| test.intersecting) {
                return None;
            }
            // Where and how deep is not known of every two shapes.
            let contact = query::contact(pose, &**shape, seen.pose, &**other, 0.0);
            let contact = contact.ok().flatten();
            let found = Found {
                point: contact.map(|contact| contact.point2.into()),
                normal: contact.and_then(|contact| direction(contact.normal2)),
                depth: contact.map(|contact| (-contact.dist).max(0.0)),
                ..seen.found()
            };
            Some(if found.is_finite() {
                found
            } else {
                seen.found()
            })
        });
        hits.collect()
    }

    /// The pieces that a point is in.
    pub(super) fn around(&self, point: Vector) -> Vec<Found> {
        let near = self.near(point, 0.0);
        let around = near
            .iter()
            .filter(|seen| seen.piece.shape.contains_point(seen.pose, point));
        let hits = around.map(|seen| Found {
            point: Some(point.into()),
            ..seen.found()
        });
        hits.collect()
    }

    /// The pieces whose boxes meet a box. Those without an end meet every box.
    pub(super) fn within(&self, asked: &Aabb) -> Vec<Found> {
        let near = self.candidates(|bounds| bounds.intersects(asked));
        near.iter().map(Seen::found).collect()
    }
}

impl Scene {
    /// How far two bodies are apart; nothing if that cannot be told of any of their pieces.
    pub(super) fn distance(&self, a: usize, b: usize) -> Option<Found> {
        let mut nearest: Option<Found> = None;
        for one in self.pieces_of(a) {
            for other in self.pieces_of(b) {
                let found = apart(&one, &other).filter(Found::is_finite);
                let is_nearer = found.is_some_and(|found| {
                    nearest.is_none_or(|nearest| {
                        let deeper = found.depth > nearest.depth;
                        found.distance < nearest.distance
                            || found.distance <= nearest.distance && deeper
                    })
                });
                if is_nearer {
                    nearest = found;
                }
            }
        }
        nearest
    }
}

/// How far two pieces are apart.
fn apart(one: &Seen<'_>, other: &Seen<'_>) -> Option<Found> {
    let (shape, other_shape) = (&*one.piece.shape, &*other.piece.shape);
    let points = query::closest_points(one.pose, shape, other.pose, other_shape, f32::MAX);
    if let Ok(ClosestPoints::WithinMargin(point, other_point)) = points {
        let between = other_point - point;
        let distance = between.length();
        if distance > 0.0 {
            return Some(Found {
                point_a: Some(point.into()),
                point_b: Some(other_point.into()),
                normal: direction(between / distance),
                distance,
                ..other.found()
            });
        }
    }
    let contact = query::contact(one.pose, shape, other.pose, other_shape, 0.0);
    match (points, contact.ok().flatten()) {
        (_, Some(contact)) => Some(Found {
            point_a: Some(contact.point1.into()),
            point_b: Some(contact.point2.into()),
            normal: direction(contact.normal1),
            depth: Some((-contact.dist).max(0.0)),
            ..other.found()
        }),
        (Ok(ClosestPoints::Intersecting | ClosestPoints::WithinMargin(..)), None) => {
            Some(other.found())
        }
        (Ok(ClosestPoints::Disjoint) | Err(_), None) => None,
    }
}

impl Seen<'_> {
    /// A hit of it about which nothing is known yet.
    pub(super) fn found(&self) -> Found {
        Found {
            body: self.piece.body,
            collider: self.piece.collider,
            ..Found::default()
        }
    }
}
