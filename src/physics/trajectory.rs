//! Recording a body and the contacts of its world over a span of time.

use rapier3d::{
    math::{Pose, Vector},
    prelude::PhysicsWorld,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    command::Recording,
    contact::{Touch, touches},
    limits::MAX_CONTACT_EVENTS,
    roster::{Positions, Roster},
    vector::{Quat, Vec3},
};
use crate::id::BodyId;

/// A bounce counts as unfinished while the bodies still approach with more than this share of
/// the speed they met with.
const STILL_APPROACHING: f32 = 0.05;

/// What a recording found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Trajectory {
    /// The body recorded.
    pub body_id: BodyId,
    /// The body before the steps 0, every, 2·every, …
    pub frames: Vec<Frame>,
    /// Simulated seconds of this call.
    pub total_time: f64,
    /// How many frames.
    pub num_frames: usize,
    /// The contacts of all bodies of the world during this call.
    pub contact_events: Vec<ContactEvent>,
    /// How many events were left out at the end because there were too many.
    #[serde(skip_serializing_if = "is_zero")]
    pub contact_events_omitted: usize,
    /// Bodies the engine has disabled because their state went beyond all bounds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<BodyId>,
}

/// A body at one moment.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Frame {
    /// Simulated time, s.
    pub time: f64,
    /// m.
    pub position: Vec3,
    /// Unit quaternion.
    pub orientation: Quat,
    /// m/s.
    pub velocity: Vec3,
    /// rad/s.
    pub angular_velocity: Vec3,
}

/// Two bodies meeting, touching or parting.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ContactEvent {
    /// Start of the step that found it, s.
    pub time: f64,
    /// The body whose id sorts first.
    pub body_a: BodyId,
    /// The other body.
    pub body_b: BodyId,
    /// The deepest point, world coordinates, m.
    pub contact_point: Vec3,
    /// World axes, from A to B.
    pub normal: Vec3,
    /// What the solver applied, N·s; 0 where a sensor is overlapped.
    pub impulse_magnitude: f32,
    /// A relative to B at the contact just before, m/s.
    pub relative_velocity: Vec3,
    /// Which of the three it is.
    pub event_type: ContactEventType,
}

/// The stages of a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContactEventType {
    /// The first step with an impulse.
    Started,
    /// Already touching when the recording began.
    Ongoing,
    /// No longer touching; point and normal are the last known.
    Ended,
}

/// Watches a world while it steps.
#[derive(Debug)]
pub(super) struct Recorder {
    body: u32,
    recording: Recording,
    dt: f64,
    steps_seen: u32,
    positions: Positions,
    before: Vec<Motion>,
    touching: Vec<Touch>,
    impacts: Vec<Impact>,
    frames: Vec<Frame>,
    events: Vec<ContactEvent>,
    omitted: usize,
}

/// How a body moved before a step.
#[derive(Clone, Copy, Debug)]
struct Motion {
    pose: Pose,
    linvel: Vector,
    angvel: Vector,
    center: Vector,
}

/// A collision whose impulse the solver may still be adding to.
#[derive(Debug)]
struct Impact {
    key: (u32, u32, bool),
    event: usize,
    approach: f32,
}

impl Recorder {
    pub(super) fn new(body: u32, recording: Recording, dt: f64, roster: &Roster) -> Self {
        Self {
            body,
            recording,
            dt,
            steps_seen: 0,
            positions: roster.positions(),
            before: Vec::new(),
            touching: Vec::new(),
            impacts: Vec::new(),
            frames: Vec::with_capacity(recording.frames() as usize),
            events: Vec::new(),
            omitted: 0,
        }
    }

    /// Notes how the bodies stand before a step at `time`.
    pub(super) fn before_step(&mut self, engine: &PhysicsWorld, roster: &Roster, time: f64) {
        self.observe_motion(engine, roster);
        if self.steps_seen == 0 {
            self.touching = self.touches(engine, roster);
            for touch in self.touching.clone() {
                self.note(roster, &touch, time, ContactEventType::Ongoing);
            }
        }
        if self.steps_seen.is_multiple_of(self.recording.every) {
            let body = &engine.bodies[roster.body_at(self.body).1.handle];
            self.frames.push(Frame {
                time,
                position: body.translation().into(),
                orientation: (*body.rotation()).into(),
                velocity: body.linvel().into(),
                angular_velocity: body.angvel().into(),
            });
        }
        self.steps_seen += 1;
    }

    /// Notes what a step that began at `time` did.
    pub(super) fn after_step(&mut self, engine: &PhysicsWorld, roster: &Roster, time: f64) {
        let now = self.touches(engine, roster);
        let was = std::mem::take(&mut self.touching);

        self.grow_impacts(&now);
        for touch in &now {
            if was.binary_search_by_key(&touch.key(), Touch::key).is_ok() {
                continue;
            }
            if touch.impulse > 0.0 || touch.is_sensor {
                let approach = self.approach(touch);
                self.impacts.push(Impact {
                    key: touch.key(),
                    event: self.events.len(),
                    approach,
                });
                self.note(roster, touch, time, ContactEventType::Started);
            }
        }
        for touch in &was {
            if now.binary_search_by_key(&touch.key(), Touch::key).is_err() {
                let parted = Touch {
                    impulse: 0.0,
                    ..*touch
                };
                self.note(roster, &parted, time, ContactEventType::Ended);
            }
        }
        // A pair that is only near has not begun to touch yet.
        self.touching = now
            .into_iter()
            .filter(|touch| {
                touch.impulse > 0.0
                    || touch.is_sensor
                    || was.binary_search_by_key(&touch.key(), Touch::key).is_ok()
            })
            .collect();
    }

    pub(super) fn finish(self, roster: &Roster) -> Trajectory {
        Trajectory {
            body_id: roster.body_at(self.body).0.clone(),
            num_frames: self.frames.len(),
            frames: self.frames,
            total_time: f64::from(self.recording.steps.count) * self.dt,
            contact_events: self.events,
            contact_events_omitted: self.omitted,
            quarantined: roster
                .bodies
                .iter()
                .filter(|(_, body)| body.quarantined)
                .map(|(id, _)| id.clone())
                .collect(),
        }
    }

    fn observe_motion(&mut self, engine: &PhysicsWorld, roster: &Roster) {
        self.before.clear();
        self.before.extend(roster.bodies.values().map(|body| {
            let body = &engine.bodies[body.handle];
            Motion {
                pose: *body.position(),
                linvel: body.linvel(),
                angvel: body.angvel(),
                center: body.center_of_mass(),
            }
        }));
    }

    fn touches(&self, engine: &PhysicsWorld, roster: &Roster) -> Vec<Touch> {
        touches(engine, roster, &self.positions, |body| {
            self.before[body as usize].pose
        })
    }

    /// The engine may stop a fall over several steps: what it adds while the bodies still
    /// approach belongs to the impulse of the same impact.
    fn grow_impacts(&mut self, now: &[Touch]) {
        let mut impacts = std::mem::take(&mut self.impacts);
        impacts.retain(|impact| {
            let found = now.binary_search_by_key(&impact.key, Touch::key);
            let Ok(index) = found else { return false };
            let touch = &now[index];
            // Judged by the velocities before this step, which are those after the one before.
            if self.approach(touch) <= STILL_APPROACHING * impact.approach {
                return false;
            }
            if let Some(event) = self.events.get_mut(impact.event) {
                let sum = event.impulse_magnitude + touch.impulse;
                event.impulse_magnitude = sum.min(f32::MAX);
            }
            true
        });
        self.impacts = impacts;
    }

    fn note(&mut self, roster: &Roster, touch: &Touch, time: f64, event_type: ContactEventType) {
        if self.events.len() >= MAX_CONTACT_EVENTS {
            self.omitted += 1;
            return;
        }
        let point = match event_type {
            ContactEventType::Started => self.point_of_impact(touch),
            ContactEventType::Ongoing | ContactEventType::Ended => touch.point,
        };
        // What the engine has just disabled may leave no number for how it met what it touched.
        let point = if point.is_finite() {
            point
        } else {
            touch.point
        };
        let velocity = self.relative_velocity(touch);
        let velocity = if velocity.is_finite() {
            velocity
        } else {
            Vector::ZERO
        };
        self.events.push(ContactEvent {
            time,
            body_a: roster.body_at(touch.a).0.clone(),
            body_b: roster.body_at(touch.b).0.clone(),
            contact_point: point.into(),
            normal: touch.normal.into(),
            impulse_magnitude: touch.impulse,
            relative_velocity: velocity.into(),
            event_type,
        });
    }

    /// Where the surfaces met: the engine sees them a little before or after, so the point is
    /// carried along with the bodies for the time that their distance takes.
    fn point_of_impact(&self, touch: &Touch) -> Vector {
        let approach = self.approach(touch);
        if approach <= 0.0 {
            return touch.point;
        }
        let [a, b] = [touch.a, touch.b].map(|body| self.before[body as usize].linvel);
        let total = a.length() + b.length();
        if total == 0.0 {
            return touch.point;
        }
        // The faster of the two carries the point; a plane at rest does not.
        let carried = (a * a.length() + b * b.length()) / total;
        let along = carried - touch.normal * carried.dot(touch.normal);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the engine computes in f32"
        )]
        let dt = self.dt as f32;
        let t = (touch.distance / approach).clamp(-dt, dt);
        // The point is half way between the surfaces: they meet where both have gone for t.
        let across = touch.normal * (0.5 * (a + b).dot(touch.normal));
        touch.point + (along + across) * t
    }

    /// How fast the surfaces approach each other, m/s.
    fn approach(&self, touch: &Touch) -> f32 {
        self.relative_velocity(touch).dot(touch.normal)
    }

    fn relative_velocity(&self, touch: &Touch) -> Vector {
        let [a, b] = [touch.a, touch.b].map(|body| {
            let motion = &self.before[body as usize];
            motion.linvel + motion.angvel.cross(touch.point - motion.center)
        });
        a - b
    }
}

impl Recording {
    /// How many frames it will hold.
    pub fn frames(&self) -> u32 {
        self.steps.count.div_ceil(self.every)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}
