//! What ends a run early.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::observation::check_names;
use crate::{
    id::BodyId,
    physics::{draft::Draft, fault::Faults, roster::Body, world::World},
};

/// Something that may be so after a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// The simulated time has come, s.
    Time(f64),
    /// Two bodies touch, or overlap as or with a sensor.
    Contact(BodyId, BodyId),
    /// These bodies are at rest, or all that move.
    Asleep(Option<Vec<BodyId>>),
    /// A value of a body is greater than this.
    Above(BodyId, Measure, f64),
    /// A value of a body is less than this.
    Below(BodyId, Measure, f64),
}

/// A number that can be said of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Measure {
    /// m.
    #[serde(rename = "position.x", alias = "translation.x")]
    X,
    /// m.
    #[serde(rename = "position.y", alias = "translation.y")]
    Y,
    /// m.
    #[serde(rename = "position.z", alias = "translation.z")]
    Z,
    /// m/s.
    #[serde(rename = "velocity.x", alias = "linvel.x")]
    VelocityX,
    /// m/s.
    #[serde(rename = "velocity.y", alias = "linvel.y")]
    VelocityY,
    /// m/s.
    #[serde(rename = "velocity.z", alias = "linvel.z")]
    VelocityZ,
    /// m/s.
    #[serde(rename = "speed")]
    Speed,
    /// rad/s.
    #[serde(rename = "angular_velocity.x", alias = "angvel.x")]
    AngularVelocityX,
    /// rad/s.
    #[serde(rename = "angular_velocity.y", alias = "angvel.y")]
    AngularVelocityY,
    /// rad/s.
    #[serde(rename = "angular_velocity.z", alias = "angvel.z")]
    AngularVelocityZ,
    /// rad/s.
    #[serde(rename = "angular_speed")]
    AngularSpeed,
}

impl Condition {
    /// Its kind, as clients name it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Time(_) => "time",
            Self::Contact(..) => "contact",
            Self::Asleep(_) => "asleep",
            Self::Above(..) => "above",
            Self::Below(..) => "below",
        }
    }

    /// Notes everything that is wrong with it; `draft` knows the bodies there will be.
    pub(super) fn check(&self, draft: &Draft<'_>, faults: &mut Faults) {
        let body = |field: &str, id: &BodyId, faults: &mut Faults| {
            if !draft.has_known(id) {
                faults.add(field, "no such body");
            }
        };
        match self {
            Self::Time(time) => {
                if !time.is_finite() {
                    faults.add("time", "must be finite");
                }
            }
            Self::Contact(a, b) => {
                body("body_a", a, faults);
                body("body_b", b, faults);
                if a == b {
                    faults.add("body_b", "must be another body than body_a");
                }
            }
            Self::Asleep(bodies) => check_names(bodies.as_deref(), draft, faults),
            Self::Above(id, _, value) | Self::Below(id, _, value) => {
                body("body_id", id, faults);
                if !value.is_finite() {
                    faults.add("value", "must be finite");
                }
            }
        }
    }

    /// Whether it is so. What is said of a body that does not exist is not.
    pub(super) fn holds(&self, world: &World) -> bool {
        match self {
            Self::Time(time) => world.time() >= *time,
            Self::Contact(a, b) => match (world.body(a), world.body(b)) {
                (Some(a), Some(b)) => touch(world, a, b),
                _ => false,
            },
            Self::Asleep(None) => {
                let mut awake = world.engine.islands.active_bodies();
                !awake.any(|handle| world.engine.bodies[handle].is_dynamic())
            }
            Self::Asleep(Some(bodies)) => bodies.iter().all(|id| {
                let body = world.body(id);
                body.is_some_and(|body| world.engine.bodies[body.handle].is_sleeping())
            }),
            Self::Above(id, measure, value) => {
                let body = world.body(id);
                body.is_some_and(|body| measure.of(world, body) > *value)
            }
            Self::Below(id, measure, value) => {
                let body = world.body(id);
                body.is_some_and(|body| measure.of(world, body) < *value)
            }
        }
    }
}

impl Measure {
    fn of(self, world: &World, body: &Body) -> f64 {
        let body = &world.engine.bodies[body.handle];
        let (position, linvel, angvel) = (body.translation(), body.linvel(), body.angvel());
        f64::from(match self {
            Self::X => position.x,
            Self::Y => position.y,
            Self::Z => position.z,
            Self::VelocityX => linvel.x,
            Self::VelocityY => linvel.y,
            Self::VelocityZ => linvel.z,
            Self::Speed => linvel.length(),
            Self::AngularVelocityX => angvel.x,
            Self::AngularVelocityY => angvel.y,
            Self::AngularVelocityZ => angvel.z,
            Self::AngularSpeed => angvel.length(),
        })
    }
}

fn touch(world: &World, a: &Body, b: &Body) -> bool {
    let engine = &world.engine;
    let is_of_b = |collider| {
        let collider = engine.colliders.get(collider);
        collider.is_some_and(|collider| collider.parent() == Some(b.handle))
    };
    engine.bodies[a.handle].colliders().iter().any(|&collider| {
        let mut contacts = engine.narrow_phase.contact_pairs_with(collider);
        let mut overlaps = engine.narrow_phase.intersection_pairs_with(collider);
        contacts.any(|pair| {
            pair.has_any_active_contact() && (is_of_b(pair.collider1) || is_of_b(pair.collider2))
        }) || overlaps
            .any(|(one, other, overlapping)| overlapping && (is_of_b(one) || is_of_b(other)))
    })
}
