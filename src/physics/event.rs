//! What happened in a world, in order: a numbered list of which the latest part is kept.

use std::{collections::VecDeque, sync::Arc};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{limits::EVENTS_KEPT, vector::Vec3};
use crate::id::{BodyId, JointId};

/// How many events are put away together: views of the world share them from then on.
const SEALED: u64 = 64;
/// How many of these parts are kept, beside the one that is not full yet.
const SEALED_KEPT: usize = EVENTS_KEPT / 64;

/// Something that happened in a world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its number, from 1 on without gaps.
    pub seq: u64,
    /// After how many steps since the beginning it was found.
    pub step: u64,
    /// Simulated time then, s.
    pub time: f64,
    /// What it was.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What may happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventKind {
    /// Two bodies have met.
    CollisionStarted(Pair),
    /// Two bodies have parted.
    CollisionEnded(Pair),
    /// A body has begun to overlap a sensor.
    SensorEntered(Pair),
    /// A body no longer overlaps a sensor.
    SensorLeft(Pair),
    /// Two bodies push each other harder than the `contact_force_threshold` of one of them.
    ContactForce(ContactForce),
    /// A body has come to rest.
    Asleep {
        /// The body.
        body_id: BodyId,
    },
    /// A body that was at rest moves again.
    Awake {
        /// The body.
        body_id: BodyId,
    },
    /// A joint was pulled harder than it can bear.
    JointBroken {
        /// The joint.
        joint_id: JointId,
    },
    /// The engine has disabled a body because its state went beyond all bounds.
    Quarantined {
        /// The body.
        body_id: BodyId,
    },
}

/// Two bodies, by the colliders that touch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Pair {
    /// The body whose id sorts first.
    pub body_a: BodyId,
    /// The other body.
    pub body_b: BodyId,
    /// Which of the colliders of A, where it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub collider_a: Option<u32>,
    /// Which of the colliders of B, where it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub collider_b: Option<u32>,
}

/// How hard two bodies push each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ContactForce {
    /// The body whose id sorts first.
    pub body_a: BodyId,
    /// The other body.
    pub body_b: BodyId,
    /// The sum of the magnitudes of all forces between the two colliders, N.
    pub force: f32,
    /// All these forces together, as they act on B, world axes, N.
    pub total_force: Vec3,
}

/// The latest events of a world, the oldest first. Cheap to clone: most of it is shared.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "WrittenLog", into = "WrittenLog")]
pub(super) struct EventLog {
    sealed: VecDeque<Arc<[Event]>>,
    latest: Vec<Event>,
    /// How many there have been.
    count: u64,
}

/// Some of the events of a world.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventPage<'a> {
    /// The oldest first.
    #[schema(value_type = Vec<Event>)]
    pub events: Vec<&'a Event>,
    /// What to ask for next.
    pub next_after: u64,
    /// Whether events after the one named are no longer kept.
    pub lost: bool,
}

/// A log as it is written down.
#[derive(Serialize, Deserialize)]
struct WrittenLog {
    count: u64,
    events: Vec<Event>,
}

impl EventLog {
    /// The events after the one with the number `after`, at most `limit` of them.
    pub(super) fn page(&self, after: u64, limit: usize) -> EventPage<'_> {
        let forgotten = self.count - self.iter().count() as u64;
        let later = self.iter().filter(|event| event.seq > after);
        let events: Vec<&Event> = later.take(limit).collect();
        let last = events.last().map(|event| event.seq);
        EventPage {
            next_after: last.unwrap_or_else(|| after.min(self.count)),
            lost: after < forgotten,
            events,
        }
    }

    /// Adds what was found after `step` steps at `time`.
    pub(super) fn push(&mut self, step: u64, time: f64, kind: EventKind) {
        self.count += 1;
        self.append(Event {
            seq: self.count,
            step,
            time,
            kind,
        });
    }

    /// Whether what was read from bytes could have been written here.
    pub(super) fn is_sound(&self) -> bool {
        let kept = self.iter().count() as u64;
        kept <= self.count
            && (self.count - kept + 1..)
                .zip(self.iter())
                .all(|(seq, event)| event.seq == seq && event.time.is_finite())
    }

    /// Where a part ends goes by the numbers alone, so that a log that was read from bytes forgets
    /// what it would have forgotten.
    fn append(&mut self, event: Event) {
        let is_last_of_part = event.seq.is_multiple_of(SEALED);
        self.latest.push(event);
        if is_last_of_part {
            self.sealed
                .push_back(std::mem::take(&mut self.latest).into());
        }
        if self.sealed.len() > SEALED_KEPT {
            self.sealed.pop_front();
        }
    }

    fn iter(&self) -> impl Iterator<Item = &Event> {
        let sealed = self.sealed.iter().flat_map(|sealed| sealed.iter());
        sealed.chain(&self.latest)
    }
}

impl From<WrittenLog> for EventLog {
    fn from(written: WrittenLog) -> Self {
        let mut log = Self {
            count: written.count,
            ..Self::default()
        };
        for event in written.events {
            log.append(event);
        }
        log
    }
}

impl From<EventLog> for WrittenLog {
    fn from(log: EventLog) -> Self {
        Self {
            count: log.count,
            events: log.iter().cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_kept_and_whoever_missed_some_is_told() {
        let mut log = EventLog::default();
        let page = log.page(0, 10);
        assert_eq!(
            (page.events.len(), page.next_after, page.lost),
            (0, 0, false)
        );
        for step in 1..=5000 {
            let body_id = BodyId::parse("a").unwrap();
            log.push(step, 0.5, EventKind::Asleep { body_id });
        }
        let kept = log.iter().count();
        assert!((EVENTS_KEPT..EVENTS_KEPT + 64).contains(&kept), "{kept}");

        let page = log.page(0, 10);
        assert_eq!((page.events[0].seq, page.lost), (5001 - kept as u64, true));
        assert_eq!(page.next_after, page.events[9].seq);
        let page = log.page(4998, 10);
        assert_eq!(
            (page.events.len(), page.next_after, page.lost),
            (2, 5000, false)
        );
        let page = log.page(9999, 10);
        assert_eq!(
            (page.events.len(), page.next_after, page.lost),
            (0, 5000, false)
        );

        let written = rmp_serde::to_vec_named(&log).unwrap();
        let mut read: EventLog = rmp_serde::from_slice(&written).unwrap();
        assert!(read.is_sound());
        for log in [&mut log, &mut read] {
            for step in 0..100 {
                let joint_id = JointId::parse("j").unwrap();
                log.push(step, 0.5, EventKind::JointBroken { joint_id });
            }
        }
        assert!(read.iter().eq(log.iter()));
    }
}
