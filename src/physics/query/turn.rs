//! A shape that turns while it moves along a line.

use rapier3d::{
    math::{Pose, Rotation, Vector},
    parry::query,
};

use super::{
    hit::{Found, direction},
    scene::Seen,
    spec::{CastAsk, Placed},
};

/// What is nearer than this is met, m.
const TOUCH: f32 = 1e-4;
/// How many pieces the way is cut into at most: what is grazed for less than one may be missed.
const MOST: f32 = 512.0;
/// How often the moment of a hit is narrowed down to half.
const HALVINGS: u32 = 20;

/// A shape on its way.
pub(super) struct Turn<'a> {
    placed: &'a Placed,
    way: Vector,
    end: Rotation,
    /// How far a point of the shape goes at most.
    longest: f32,
    length: f32,
}

impl<'a> Turn<'a> {
    /// The way of a shape that turns.
    pub(super) fn of(ask: &'a CastAsk) -> Option<Self> {
        let start = ask.placed.frame.rotation;
        let end = ask.end?;
        // The same rotation, reached the shorter way round.
        let end = if start.dot(end) < 0.0 { -end } else { end };
        let angle = start.angle_between(end);
        Some(Self {
            placed: &ask.placed,
            way: ask.direction * ask.reach,
            end,
            longest: ask.reach + angle * ask.placed.radius(),
            length: ask.reach,
        })
    }

    /// Where it meets a piece, no farther than `reach` along its way.
    ///
    /// It advances by what it is apart from the piece, which no point of it can overrun.
    pub(super) fn meet(&self, seen: &Seen<'_>, reach: f32) -> Option<Found> {
        let last = if self.length > 0.0 {
            (reach / self.length).min(1.0)
        } else {
            1.0
        };
        let (mut before, mut share) = (0.0, 0.0);
        loop {
            let gap = self.gap(share, seen);
            if gap <= TOUCH {
                break;
            }
            if share >= last {
                return None;
            }
            before = share;
            share += (gap / self.longest).max(1.0 / MOST);
            share = share.min(last);
        }
        for _ in 0..HALVINGS {
            let middle = (before + share) * 0.5;
            if self.gap(middle, seen) <= TOUCH {
                share = middle;
            } else {
                before = middle;
            }
        }
        Some(self.found(share, seen))
    }

    fn found(&self, share: f32, seen: &Seen<'_>) -> Found {
        let contact = query::contact(
            &self.pose(share),
            &*self.placed.shape,
            seen.pose,
            &*seen.piece.shape,
            10.0 * TOUCH,
        );
        let contact = contact.ok().flatten();
        Found {
            point: contact.map(|contact| contact.point2.into()),
            normal: contact.and_then(|contact| direction(contact.normal2)),
            distance: share * self.length,
            fraction: Some(share),
            ..seen.found()
        }
    }

    /// How far it is from a piece when it has gone this share of its way.
    fn gap(&self, share: f32, seen: &Seen<'_>) -> f32 {
        let (pose, shape) = (self.pose(share), &*self.placed.shape);
        let distance = query::distance(&pose, shape, seen.pose, &*seen.piece.shape);
        distance.map_or_else(
            |_| {
                // Of some shapes it is only known whether they meet.
                let meets = query::intersection_test(&pose, shape, seen.pose, &*seen.piece.shape);
                let meets = meets.is_ok_and(|test| test.intersecting);
                if meets { 0.0 } else { 2.0 * TOUCH }
            },
            |found| found.distance,
        )
    }

    fn pose(&self, share: f32) -> Pose {
        let start = &self.placed.frame;
        Pose::from_parts(
            start.translation + self.way * share,
            start.rotation.slerp(self.end, share).normalize(),
        ) * self.placed.in_frame
    }
}
