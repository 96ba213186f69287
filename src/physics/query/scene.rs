//! All that can be met at one moment, found quickly by where it is.

use std::{fmt, sync::Arc};

use rapier3d::{
    math::{Pose, Real, Vector},
    parry::{
        bounding_volume::{Aabb, BoundingVolume},
        partitioning::{Bvh, BvhBuildStrategy},
    },
};

use super::filter::Filter;
use crate::physics::{
    body::BodyKind,
    matter::{Matter, Piece},
    view::View,
};

/// Boxes are this much larger than what is in them, so that rounding hides nothing, m.
const MARGIN: Real = 1e-3;
/// And by this share of how far they are from the origin.
const RELATIVE_MARGIN: Real = 1e-6;

/// The pieces of all bodies where they are.
pub(in crate::physics) struct Scene {
    matter: Arc<Matter>,
    /// Of each piece, in the world.
    poses: Vec<Pose>,
    /// Of the body of each piece.
    kinds: Vec<BodyKind>,
    /// Pieces with an end, in order.
    bounded: Vec<usize>,
    /// Around each of them.
    boxes: Vec<Aabb>,
    tree: Bvh,
    /// Pieces without an end: planes.
    unbounded: Vec<usize>,
}

/// What a filter leaves of a scene.
pub(super) struct Sight<'a> {
    pub(super) scene: &'a Scene,
    pub(super) filter: Filter,
}

/// A piece where it is.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) piece: &'a Piece,
    pub(super) pose: &'a Pose,
    /// Around it, if it has an end.
    pub(super) bounds: Option<&'a Aabb>,
}

impl Scene {
    pub(super) fn of(view: &View) -> Self {
        let matter = Arc::clone(&view.matter);
        let mut scene = Self {
            poses: Vec::with_capacity(matter.pieces.len()),
            kinds: Vec::with_capacity(matter.pieces.len()),
            bounded: Vec::new(),
            boxes: Vec::new(),
            tree: Bvh::new(),
            unbounded: Vec::new(),
            matter: Arc::clone(&matter),
        };
        for (index, piece) in matter.pieces.iter().enumerate() {
            let pose = view.pose_of(piece.body) * piece.pose;
            scene.poses.push(pose);
            scene.kinds.push(view.roster.bodies[piece.body].spec.kind());
            if piece.shape.as_halfspace().is_some() {
                scene.unbounded.push(index);
            } else {
                let bounds = piece.shape.compute_aabb(&pose);
                let farthest = bounds.mins.abs().max(bounds.maxs.abs()).max_element();
                let margin = MARGIN + RELATIVE_MARGIN * farthest;
                scene.bounded.push(index);
                scene.boxes.push(bounds.loosened(margin));
            }
        }
        scene.tree = Bvh::from_leaves(BvhBuildStrategy::Binned, &scene.boxes);
        scene
    }

    /// The pieces of one body.
    pub(super) fn pieces_of(&self, body: usize) -> impl Iterator<Item = Seen<'_>> {
        let pieces = &self.matter.pieces;
        let first = pieces.partition_point(|piece| piece.body < body);
        let count = pieces[first..].partition_point(|piece| piece.body == body);
        (first..first + count).map(|index| self.seen(index, None))
    }

    fn seen(&self, index: usize, bounds: Option<usize>) -> Seen<'_> {
        Seen {
            piece: &self.matter.pieces[index],
            pose: &self.poses[index],
            bounds: bounds.map(|leaf| &self.boxes[leaf]),
        }
    }
}

impl Sight<'_> {
    /// What may be meant, in the order it was added: pieces whose boxes pass `is_near`.
    pub(super) fn candidates(&self, is_near: impl Fn(&Aabb) -> bool) -> Vec<Seen<'_>> {
        let scene = self.scene;
        let leaves = scene.tree.leaves(|node| is_near(&node.aabb()));
        let leaves = leaves.map(|leaf| leaf as usize);
        let mut found: Vec<_> = leaves
            .map(|leaf| (scene.bounded[leaf], Some(leaf)))
            .collect();
        found.extend(scene.unbounded.iter().map(|&index| (index, None)));
        found.retain(|&(index, _)| {
            let piece = &scene.matter.pieces[index];
            self.filter.admits(piece, scene.kinds[index])
        });
        found.sort_unstable();
        let seen = |(index, bounds)| scene.seen(index, bounds);
        found.into_iter().map(seen).collect()
    }

    /// What may be within `reach` of a point.
    pub(super) fn near(&self, point: Vector, reach: Real) -> Vec<Seen<'_>> {
        self.candidates(|bounds| gap(bounds, point) <= reach)
    }
}

/// How far a point is from a box, 0 inside.
pub(super) fn gap(bounds: &Aabb, point: Vector) -> Real {
    point.distance(point.clamp(bounds.mins, bounds.maxs))
}

impl fmt::Debug for Scene {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Scene")
            .field("matter", &self.matter)
            .finish_non_exhaustive()
    }
}
