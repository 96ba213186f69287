//! What a query looks at.

use std::collections::HashSet;

use rapier3d::geometry::InteractionGroups;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    id::BodyId,
    physics::{
        body::{BodyKind, Groups},
        error::PhysicsError,
        fault::Faults,
        matter::Piece,
        object::present_object,
        vector::present,
        view::View,
    },
};

/// What a query looks at.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FilterSpec {
    /// Only what would meet a body of these groups.
    #[serde(default, deserialize_with = "present_object")]
    #[schema(nullable = false)]
    groups: Option<Groups>,
    /// Not these bodies.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    exclude: Option<Vec<BodyId>>,
    /// Only these bodies.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    bodies: Option<Vec<BodyId>>,
    /// Only bodies of these kinds.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    kinds: Option<Vec<BodyKind>>,
    /// Sensors too.
    #[serde(default)]
    sensors: bool,
}

/// A filter on the bodies of one view.
pub(super) struct Filter {
    groups: Option<InteractionGroups>,
    /// The kind of each body, where only some kinds are looked at.
    kinds: Option<Vec<BodyKind>>,
    exclude: HashSet<usize>,
    only: Option<HashSet<usize>>,
    sensors: bool,
}

impl FilterSpec {
    pub(super) fn check(&self, faults: &mut Faults) {
        for (field, bodies) in [("exclude", &self.exclude), ("bodies", &self.bodies)] {
            for (index, body) in bodies.iter().flatten().enumerate() {
                faults.check_id(&format!("{field}/{index}"), body.is_well_formed());
            }
        }
    }
}

impl Filter {
    /// The filter among the bodies of `view`.
    pub(super) fn of(spec: &FilterSpec, view: &View) -> Result<Self, PhysicsError> {
        let find = |id: &BodyId| {
            let found = view.roster.bodies.get_index_of(id);
            found.ok_or_else(|| PhysicsError::BodyNotFound(id.clone()))
        };
        let only = spec.bodies.as_ref();
        let only = only.map(|bodies| bodies.iter().map(find).collect());
        Ok(Self {
            groups: spec.groups.map(Into::into),
            kinds: spec.kinds.clone(),
            exclude: spec
                .exclude
                .iter()
                .flatten()
                .map(find)
                .collect::<Result<_, _>>()?,
            only: only.transpose()?,
            sensors: spec.sensors,
        })
    }

    /// Whether this piece is looked at.
    pub(super) fn admits(&self, piece: &Piece, kind: BodyKind) -> bool {
        (self.sensors || !piece.is_sensor)
            && !self.exclude.contains(&piece.body)
            && self
                .only
                .as_ref()
                .is_none_or(|only| only.contains(&piece.body))
            && self
                .kinds
                .as_ref()
                .is_none_or(|kinds| is_among(kind, kinds))
            && self.groups.is_none_or(|groups| groups.test(piece.groups))
    }
}

/// Whether a body is of one of these kinds. What moves to where it is told is kinematic, too.
fn is_among(kind: BodyKind, kinds: &[BodyKind]) -> bool {
    kinds.contains(&kind)
        || kind == BodyKind::KinematicPosition && kinds.contains(&BodyKind::Kinematic)
}
