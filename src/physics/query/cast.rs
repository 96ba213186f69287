//! What lies on a way: of a ray, or of a shape that moves along a line.

use rapier3d::{
    geometry::Ray,
    math::Vector,
    parry::{
        bounding_volume::Aabb,
        query::{self, RayCast, ShapeCastOptions},
    },
};

use super::{
    hit::{Found, direction},
    scene::{Seen, Sight},
    spec::{CastAsk, RayAsk},
    turn::Turn,
};

impl Sight<'_> {
    /// The pieces that a ray hits, or the nearest of them.
    pub(super) fn cast_ray(&self, ask: &RayAsk) -> Vec<Found> {
        let ray = Ray::new(ask.origin, ask.direction);
        let near = self.candidates(|bounds| bounds.intersects_local_ray(&ray, ask.reach));
        first_of(ask.all, ask.reach, &near, |seen, reach| {
            let shape = &seen.piece.shape;
            let hit = shape.cast_ray_and_get_normal(seen.pose, &ray, reach, ask.solid)?;
            let distance = hit.time_of_impact;
            Some(Found {
                point: Some(ray.point_at(distance).into()),
                normal: direction(hit.normal),
                distance,
                ..seen.found()
            })
        })
    }

    /// The pieces that a moving shape meets, or the nearest of them.
    pub(super) fn cast_shape(&self, ask: &CastAsk) -> Vec<Found> {
        let swept = swept(ask);
        let near = self.candidates(|bounds| {
            let grown = Aabb::new(bounds.mins - swept.half, bounds.maxs + swept.half);
            grown.intersects_local_ray(&swept.middle, ask.reach)
        });
        match Turn::of(ask) {
            Some(turn) => first_of(ask.all, ask.reach, &near, |seen, reach| {
                turn.meet(seen, reach)
            }),
            None => first_of(ask.all, ask.reach, &near, |seen, reach| {
                meet(ask, seen, reach)
            }),
        }
    }
}

/// The box around a shape, on its way.
struct Swept {
    middle: Ray,
    half: Vector,
}

fn swept(ask: &CastAsk) -> Swept {
    let (center, half) = if ask.end.is_some() {
        let radius = ask.placed.radius();
        (ask.placed.frame.translation, Vector::splat(radius))
    } else {
        let bounds = ask.placed.shape.compute_aabb(&ask.placed.pose());
        (bounds.center(), bounds.half_extents())
    };
    Swept {
        middle: Ray::new(center, ask.direction),
        half,
    }
}

/// Where a shape meets a piece that does not turn on its way.
fn meet(ask: &CastAsk, seen: &Seen<'_>, reach: f32) -> Option<Found> {
    let options = ShapeCastOptions {
        max_time_of_impact: reach,
        ..ShapeCastOptions::default()
    };
    let hit = query::cast_shapes(
        &ask.placed.pose(),
        ask.direction,
        &*ask.placed.shape,
        seen.pose,
        Vector::ZERO,
        &*seen.piece.shape,
        options,
    );
    let hit = hit.ok()??;
    Some(Found {
        point: Some(seen.pose.transform_point(hit.witness2).into()),
        normal: direction(seen.pose.rotation * hit.normal2),
        distance: hit.time_of_impact.max(0.0),
        ..seen.found()
    })
}

/// All hits, or the nearest alone; of what is equally near, what was added first.
fn first_of<'a>(
    all: bool,
    reach: f32,
    near: &[Seen<'a>],
    meet: impl Fn(&Seen<'a>, f32) -> Option<Found>,
) -> Vec<Found> {
    if all {
        let hits = near.iter().filter_map(|seen| meet(seen, reach));
        return hits.filter(Found::is_finite).collect();
    }
    let mut first: Option<Found> = None;
    for seen in near {
        let left = first.map_or(reach, |found| found.distance);
        let hit = meet(seen, left).filter(Found::is_finite);
        if hit.is_some_and(|hit| first.is_none() || hit.distance < left) {
            first = hit;
        }
    }
    first.into_iter().collect()
}
