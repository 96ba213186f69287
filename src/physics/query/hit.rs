//! What a query found.

use rapier3d::math::Vector;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    id::BodyId,
    physics::{vector::Vec3, view::View},
};

/// What one query found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Answer<'a> {
    /// The nearest first, and what is equally near in the order it was added.
    hits: Vec<Hit<'a>>,
    /// There are more than are told.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

/// Something that a query found. What does not apply to the query, or is not defined where the hit
/// is, is left out.
#[derive(Debug, Serialize, ToSchema)]
pub struct Hit<'a> {
    /// The body.
    #[schema(value_type = String)]
    body_id: &'a BodyId,
    #[serde(flatten)]
    found: Found,
}

/// A hit of a body that is known by its position.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub(super) struct Found {
    #[serde(skip)]
    pub(super) body: usize,
    /// Which of the body's colliders, where it has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) collider: Option<usize>,
    /// On the surface that was hit, world coordinates, m.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) point: Option<Vec3>,
    /// Of the surface that was hit, outwards; for a distance from A to B. World axes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) normal: Option<Vec3>,
    /// How far away, or how far along the way, m.
    pub(super) distance: f32,
    /// The closest point of body A, m.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) point_a: Option<Vec3>,
    /// The closest point of body B, m.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) point_b: Option<Vec3>,
    /// How far the two overlap, m.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) depth: Option<f32>,
    /// Whether the point is inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) inside: Option<bool>,
    /// Which share of its way a shape had gone that turns.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) fraction: Option<f32>,
}

impl<'a> Answer<'a> {
    pub(super) fn new(view: &'a View, mut found: Vec<Found>, most: usize) -> Self {
        // A stable sort: what is equally near stays in order.
        found.sort_by(|one, other| one.distance.total_cmp(&other.distance));
        let truncated = found.len() > most;
        found.truncate(most);
        let hit = |found: Found| {
            let (body_id, _) = view
                .roster
                .bodies
                .get_index(found.body)
                .expect("pieces are those of the bodies of the view");
            Hit { body_id, found }
        };
        Self {
            hits: found.into_iter().map(hit).collect(),
            truncated,
        }
    }

    /// How many hits it tells of.
    pub fn count(&self) -> usize {
        self.hits.len()
    }
}

impl Found {
    /// Whether every number can be told.
    pub(super) fn is_finite(&self) -> bool {
        let vectors = [self.point, self.normal, self.point_a, self.point_b];
        let numbers = [Some(self.distance), self.depth, self.fraction];
        vectors.into_iter().flatten().all(Vec3::is_finite)
            && numbers.into_iter().flatten().all(f32::is_finite)
    }
}

/// A normal, where there is one: inside a shape there is none.
pub(super) fn direction(normal: Vector) -> Option<Vec3> {
    (normal.length_squared() > 0.5).then(|| normal.into())
}
