//! What can be asked: the fields of each kind of query, and what is wrong with them.

use std::sync::Arc;

use rapier3d::{
    geometry::SharedShape,
    math::{Pose, Rotation, Vector},
    parry::bounding_volume::Aabb,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::filter::FilterSpec;
use crate::{
    id::BodyId,
    physics::{
        asset::NO_ASSETS,
        error::PhysicsError,
        fault::{Faults, MAX_DISTANCE},
        fields::{copy_fields, each_field, given_fields, with_fields},
        object::{present_object, present_objects},
        shape::{PartSpec, ShapeKind, ShapeSpec, bulk},
        vector::{Quat, Vec3, present, present_number, present_word, word},
    },
};

/// The farthest that is looked unless it is said how far, and at most, m.
const MAX_REACH: f32 = 1e7;

/// What a query is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueryKind {
    /// What a ray hits first, or all that it hits.
    Ray,
    /// What a shape meets that is moved along a line, and turned if `end_orientation` says so.
    ShapeCast,
    /// What is nearest to a point.
    Point,
    /// All that a shape overlaps, or that a point is in.
    Overlap,
    /// All whose bounding boxes meet a box; takes no look at shapes.
    Aabb,
    /// How far two bodies are apart.
    Distance,
}

with_fields! { [shape]
/// A query. Which fields it takes depends on its type.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuerySpec {
    /// What is asked.
    #[serde(rename = "type", deserialize_with = "word")]
    kind: QueryKind,
    /// Where a ray begins, m.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    origin: Option<Vec3>,
    /// Where a ray or a shape goes, of any length but 0.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    direction: Option<Vec3>,
    /// How far is looked, m; 1e7 unless given.
    #[serde(default, deserialize_with = "present_number")]
    #[schema(nullable = false, minimum = 0.0, maximum = 1e7)]
    max_distance: Option<f32>,
    /// Whether all hits are asked for, and not the nearest alone.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, default = false)]
    all: Option<bool>,
    /// Whether shapes are filled: a ray from inside one hits it at once, and a point inside one is
    /// its own nearest point.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, default = true)]
    solid: Option<bool>,
    /// The point of a `point` or an `overlap`, m.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    point: Option<Vec3>,
    /// Where a shape is, m.
    #[serde(default, alias = "translation", deserialize_with = "present")]
    #[schema(nullable = false)]
    position: Option<Vec3>,
    /// How a shape is turned.
    #[serde(default, alias = "rotation", deserialize_with = "present")]
    #[schema(nullable = false)]
    orientation: Option<Quat>,
    /// How a shape is turned at the end of its way: it turns evenly, the shorter way round. Needs
    /// `max_distance`, which may be 0.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    end_orientation: Option<Quat>,
    /// A convex solid as that of a body, a compound, a segment or a triangle.
    #[serde(default, deserialize_with = "present_word")]
    #[schema(nullable = false)]
    shape: Option<ShapeKind>,
    /// The shapes of a compound.
    #[serde(default, deserialize_with = "present_objects")]
    #[schema(nullable = false, value_type = Option<Vec<PartSpec>>)]
    shapes: Option<Arc<[PartSpec]>>,
    /// The least corner of a box, m.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    min: Option<Vec3>,
    /// The greatest corner of a box, m.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    max: Option<Vec3>,
    /// One of two bodies.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    body_a: Option<BodyId>,
    /// The other one.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    body_b: Option<BodyId>,
    /// What is looked at; everything but sensors unless given.
    #[serde(default, deserialize_with = "present_object")]
    #[schema(nullable = false)]
    filter: Option<FilterSpec>,
}
}

/// A query that was checked.
#[derive(Clone)]
pub struct Query {
    pub(super) ask: Ask,
    pub(super) filter: FilterSpec,
}

/// What is asked.
#[derive(Clone)]
pub(super) enum Ask {
    Ray(RayAsk),
    Cast(CastAsk),
    Point(PointAsk),
    Overlap(Placed),
    Inside(Vector),
    Aabb(Aabb),
    Distance(BodyId, BodyId),
}

#[derive(Clone, Copy)]
pub(super) struct RayAsk {
    pub(super) origin: Vector,
    /// Of length 1.
    pub(super) direction: Vector,
    pub(super) reach: f32,
    pub(super) all: bool,
    pub(super) solid: bool,
}

#[derive(Clone)]
pub(super) struct CastAsk {
    pub(super) placed: Placed,
    /// Of length 1.
    pub(super) direction: Vector,
    pub(super) reach: f32,
    pub(super) all: bool,
    /// How it is turned at the end, if it turns.
    pub(super) end: Option<Rotation>,
}

#[derive(Clone, Copy)]
pub(super) struct PointAsk {
    pub(super) point: Vector,
    pub(super) reach: f32,
    pub(super) all: bool,
    pub(super) solid: bool,
}

/// A shape somewhere.
#[derive(Clone)]
pub(super) struct Placed {
    pub(super) shape: SharedShape,
    /// Where it is asked with.
    pub(super) frame: Pose,
    /// How the shape stands there.
    pub(super) in_frame: Pose,
}

impl Placed {
    /// Where the shape is.
    pub(super) fn pose(&self) -> Pose {
        self.frame * self.in_frame
    }

    /// How far a point of it is from where it is asked with at most, however it is turned.
    pub(super) fn radius(&self) -> f32 {
        let sphere = self.shape.compute_local_bounding_sphere();
        let center = self.in_frame.transform_point(sphere.center);
        center.length() + sphere.radius
    }
}

impl QueryKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Ray,
        Self::ShapeCast,
        Self::Point,
        Self::Overlap,
        Self::Aabb,
        Self::Distance,
    ];

    /// Whether it takes a shape, and what that is like.
    pub fn takes_shape(self) -> bool {
        matches!(self, Self::ShapeCast | Self::Overlap)
    }

    /// The fields it needs, and those it takes beside them and those of its shape.
    pub fn fields(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Ray => (
                &["origin", "direction"],
                &["max_distance", "all", "solid", "filter"],
            ),
            Self::ShapeCast => (
                &["shape", "position", "direction"],
                &[
                    "orientation",
                    "end_orientation",
                    "max_distance",
                    "all",
                    "filter",
                ],
            ),
            Self::Point => (&["point"], &["max_distance", "all", "solid", "filter"]),
            Self::Overlap => (
                &[],
                &["point", "shape", "position", "orientation", "filter"],
            ),
            Self::Aabb => (&["min", "max"], &["filter"]),
            Self::Distance => (&["body_a", "body_b"], &[]),
        }
    }
}

impl QuerySpec {
    /// Refuses a shape to ask with that is of too many points or parts.
    pub fn check_limits(&self) -> Result<(), PhysicsError> {
        let asked_with = self.shape().filter(|it| can_be_asked_with(it.shape));
        asked_with.map_or(Ok(()), |shape| shape.check_limits(&NO_ASSETS))
    }

    /// How much work its shape is to make, in what a simple shape takes.
    pub fn effort(&self) -> usize {
        let asked_with = self.shape();
        asked_with.map_or(1, |shape| {
            let parts = shape.shapes.as_deref().unwrap_or_default();
            bulk!(shape.shape, shape, parts).effort()
        })
    }

    /// The query, or nothing where something was found to be wrong with it.
    pub fn checked(&self, faults: &mut Faults) -> Option<Query> {
        let before = faults.count();
        self.check_fields(faults);
        self.check_values(faults);
        (faults.count() == before).then(|| Query {
            ask: self.ask(),
            filter: self.filter.clone().unwrap_or_default(),
        })
    }

    fn given(&self) -> [(&'static str, bool); 15] {
        [
            ("origin", self.origin.is_some()),
            ("direction", self.direction.is_some()),
            ("max_distance", self.max_distance.is_some()),
            ("all", self.all.is_some()),
            ("solid", self.solid.is_some()),
            ("point", self.point.is_some()),
            ("position", self.position.is_some()),
            ("orientation", self.orientation.is_some()),
            ("end_orientation", self.end_orientation.is_some()),
            ("shape", self.shape.is_some()),
            ("min", self.min.is_some()),
            ("max", self.max.is_some()),
            ("body_a", self.body_a.is_some()),
            ("body_b", self.body_b.is_some()),
            ("filter", self.filter.is_some()),
        ]
    }

    /// The fields that say what a shape is like, those that are given.
    fn given_of_shape(&self) -> impl Iterator<Item = &'static str> {
        let given = each_field!(shape, given_fields!(self));
        let shapes = ("shapes", self.shapes.is_some());
        let all = std::iter::once(shapes).chain(given);
        all.filter_map(|(field, is_given)| is_given.then_some(field))
    }

    /// The shape that is asked with.
    fn shape(&self) -> Option<ShapeSpec> {
        let mut spec = ShapeSpec::new(self.shape?);
        spec.shapes.clone_from(&self.shapes);
        each_field!(shape, copy_fields!(self, spec));
        Some(spec)
    }

    /// Notes fields that are missing, or belong to other queries.
    fn check_fields(&self, faults: &mut Faults) {
        let (needs, allows) = self.kind.fields();
        for (field, is_given) in self.given() {
            if is_given && !needs.contains(&field) && !allows.contains(&field) {
                faults.add(field, "does not belong to this type of query");
            }
            if !is_given && needs.contains(&field) {
                faults.add(field, "is required for this type of query");
            }
        }
        if self.shape.is_none() || !self.kind.takes_shape() {
            for field in self.given_of_shape() {
                faults.add(field, "is that of a shape");
            }
        }
        if self.kind == QueryKind::Overlap {
            match (self.point, self.shape, self.position) {
                (None, None, _) => faults.add("shape", "is required for an overlap, or point"),
                (None, Some(_), None) => faults.add("position", "is required beside shape"),
                (Some(_), Some(_), _) => faults.add("point", "stands instead of a shape"),
                (Some(_), None, Some(_)) => faults.add("position", "is that of a shape"),
                (Some(_), None, None) | (None, Some(_), Some(_)) => {}
            }
        }
        if self.end_orientation.is_some() && self.max_distance.is_none() {
            faults.add("max_distance", "is required beside end_orientation");
        }
    }

    fn check_values(&self, faults: &mut Faults) {
        let places = [
            ("origin", self.origin),
            ("point", self.point),
            ("position", self.position),
            ("min", self.min),
            ("max", self.max),
        ];
        for (field, place) in places {
            if let Some(place) = place {
                faults.check_vector(field, place, MAX_DISTANCE);
            }
        }
        if let Some(direction) = self.direction {
            faults.check_direction("direction", direction);
        }
        if let Some(reach) = self.max_distance {
            faults.check_range("max_distance", reach, 0.0..=MAX_REACH);
        }
        for (field, turn) in [
            ("orientation", self.orientation),
            ("end_orientation", self.end_orientation),
        ] {
            if let Some(turn) = turn {
                faults.check_rotation(field, turn);
            }
        }
        if let (Some(Vec3(min)), Some(Vec3(max))) = (self.min, self.max)
            && min.iter().zip(max).any(|(&min, max)| min > max)
        {
            faults.add("max", "must not be less than min");
        }
        for (field, body) in [("body_a", &self.body_a), ("body_b", &self.body_b)] {
            if let Some(body) = body {
                faults.check_id(field, body.is_well_formed());
            }
        }
        if self.body_a.is_some() && self.body_a == self.body_b {
            faults.add("body_b", "must be another body than body_a");
        }
        if let Some(filter) = &self.filter {
            faults.within("filter", |faults| filter.check(faults));
        }
        match self.shape() {
            Some(shape) if !can_be_asked_with(shape.shape) => faults.add(
                "shape",
                "must be a convex solid, a compound, a segment or a triangle",
            ),
            Some(shape) if self.kind.takes_shape() => {
                let before = faults.count();
                shape.check(&NO_ASSETS, faults);
                if faults.count() == before {
                    shape.check_solid(&NO_ASSETS, faults);
                }
            }
            Some(_) | None => {}
        }
    }

    /// What is asked, of fields that were checked.
    fn ask(&self) -> Ask {
        let vector = |field: Option<Vec3>| Vector::from(field.unwrap_or_default());
        let direction = || self.direction.map(Vec3::normalized).unwrap_or_default();
        let reach = self.max_distance.unwrap_or(MAX_REACH);
        let all = self.all.unwrap_or(false);
        let solid = self.solid.unwrap_or(true);
        match self.kind {
            QueryKind::Ray => Ask::Ray(RayAsk {
                origin: vector(self.origin),
                direction: direction().into(),
                reach,
                all,
                solid,
            }),
            QueryKind::ShapeCast => Ask::Cast(CastAsk {
                placed: self.placed(),
                direction: direction().into(),
                reach,
                all,
                end: self.end_orientation.map(|end| end.normalized().into()),
            }),
            QueryKind::Point => Ask::Point(PointAsk {
                point: vector(self.point),
                reach,
                all,
                solid,
            }),
            QueryKind::Overlap if self.shape.is_none() => Ask::Inside(vector(self.point)),
            QueryKind::Overlap => Ask::Overlap(self.placed()),
            QueryKind::Aabb => Ask::Aabb(Aabb::new(vector(self.min), vector(self.max))),
            QueryKind::Distance => {
                let (a, b) = (self.body_a.clone(), self.body_b.clone());
                let known = "the fields were checked";
                Ask::Distance(a.expect(known), b.expect(known))
            }
        }
    }

    /// The shape that is asked with, where it is.
    fn placed(&self) -> Placed {
        let spec = self.shape().expect("the fields were checked");
        let (shape, in_frame) = spec.shared_shape(&NO_ASSETS);
        let frame = Pose::from_parts(
            self.position.unwrap_or_default().into(),
            self.orientation.unwrap_or_default().normalized().into(),
        );
        Placed {
            shape,
            frame,
            in_frame,
        }
    }
}

/// Whether a shape is simple enough to be asked with thousands of times a second.
fn can_be_asked_with(shape: ShapeKind) -> bool {
    let is_thin = matches!(shape, ShapeKind::Segment | ShapeKind::Triangle);
    shape.is_convex_solid() || shape == ShapeKind::Compound || is_thin
}
