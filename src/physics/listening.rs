//! What the engine tells while it steps, put into the words of clients.

use std::{cell::RefCell, collections::HashSet, sync::Arc};

use rapier3d::{
    geometry::{
        ColliderHandle, CollisionEvent, CollisionEventFlags, ContactForceEvent, ContactPair,
    },
    prelude::{
        ColliderSet, EventHandler, PhysicsWorld, RigidBodyHandle, RigidBodySet, SoftBodySet,
        SoftBodyTearEvent,
    },
};

use super::{
    event::{ContactForce, EventKind, Pair},
    roster::{Positions, Roster},
    workspace,
    world::World,
};
use crate::id::BodyId;

/// Listens to the engine during one step.
#[derive(Default)]
struct Listener {
    heard: RefCell<Vec<Heard>>,
}

enum Heard {
    Collision(CollisionEvent),
    Force(ContactForceEvent),
}

/// Which bodies were at rest after the last step: the engine does not tell when one falls asleep.
#[derive(Debug, Default)]
pub(super) struct Sleepers {
    awake: Vec<RigidBodyHandle>,
    asleep: HashSet<RigidBodyHandle>,
}

impl World {
    /// Has the engine take a step and notes what it tells; answers the bodies that it has disabled.
    pub(super) fn step_listening(&mut self, is_shared: bool) -> Vec<RigidBodyHandle> {
        let listener = Listener::default();
        let disabled = workspace::step(&mut self.engine, is_shared, &listener);
        let heard = listener.heard.into_inner();
        if !heard.is_empty() {
            let positions = self.roster.positions();
            for heard in heard {
                if let Some(kind) = self.name(&positions, &heard) {
                    self.note(kind);
                }
            }
        }
        disabled
    }

    /// Notes who has fallen asleep or woken up in the last step; `is_edited` if something other
    /// than that step has changed the world.
    pub(super) fn note_sleep(&mut self, is_edited: bool) {
        let mut awake = self.engine.islands.active_bodies();
        let is_same = !is_edited
            && self
                .sleepers
                .awake
                .iter()
                .all(|one| awake.next() == Some(*one));
        if is_same && awake.next().is_none() {
            return;
        }
        drop(awake);
        let now = Sleepers::of(&self.engine, &self.roster);
        let before = std::mem::replace(&mut self.sleepers, now);
        let roster = Arc::clone(&self.roster);
        for (id, body) in &roster.bodies {
            let was_asleep = before.asleep.contains(&body.handle);
            let is_asleep = self.sleepers.asleep.contains(&body.handle);
            let body_id = id.clone();
            match (was_asleep, is_asleep) {
                (false, true) => self.note(EventKind::Asleep { body_id }),
                (true, false) if self.engine.bodies[body.handle].is_dynamic() => {
                    self.note(EventKind::Awake { body_id });
                }
                _ => {}
            }
        }
    }

    /// Notes that a body which is about to vanish parts from all it touches.
    pub(super) fn note_parting(&mut self, body: RigidBodyHandle) {
        let positions = self.roster.positions();
        let mut partings = Vec::new();
        for &collider in self.engine.bodies[body].colliders() {
            let contacts = self.engine.narrow_phase.contact_pairs_with(collider);
            let touching = contacts.filter(|pair| pair.has_any_active_contact());
            partings.extend(touching.map(|pair| ([pair.collider1, pair.collider2], false)));
            let overlaps = self.engine.narrow_phase.intersection_pairs_with(collider);
            let overlapping = overlaps.filter(|&(_, _, is_overlapping)| is_overlapping);
            partings.extend(overlapping.map(|(one, other, _)| ([one, other], true)));
        }
        for (colliders, is_overlap) in partings {
            if let Some(pair) = self.pair(&positions, colliders) {
                self.note(ended(pair, is_overlap));
            }
        }
    }

    /// Adds to the events of the world.
    pub(super) fn note(&mut self, kind: EventKind) {
        let (step, time) = (self.steps(), self.time());
        Arc::make_mut(&mut self.events).push(step, time, kind);
    }

    /// What was heard, in the words of clients; nothing if one of the colliders has gone.
    fn name(&self, positions: &Positions, heard: &Heard) -> Option<EventKind> {
        match *heard {
            Heard::Collision(CollisionEvent::Started(one, other, flags)) => {
                let pair = self.pair(positions, [one, other])?;
                Some(if flags.contains(CollisionEventFlags::SENSOR) {
                    EventKind::SensorEntered(pair)
                } else {
                    EventKind::CollisionStarted(pair)
                })
            }
            Heard::Collision(CollisionEvent::Stopped(one, other, flags)) => {
                let pair = self.pair(positions, [one, other])?;
                // What its colliders are by now says nothing of what has ended.
                Some(ended(pair, flags.contains(CollisionEventFlags::SENSOR)))
            }
            Heard::Force(ref event) => {
                let colliders = [event.collider1, event.collider2];
                let pair = self.pair(positions, colliders)?;
                let first = self.body_of(positions, event.collider1)?.0;
                let on_b = if pair.body_a == *first {
                    event.total_force
                } else {
                    -event.total_force
                };
                let is_finite = event.total_force_magnitude.is_finite() && on_b.is_finite();
                is_finite.then(|| {
                    EventKind::ContactForce(ContactForce {
                        body_a: pair.body_a,
                        body_b: pair.body_b,
                        force: event.total_force_magnitude,
                        total_force: on_b.into(),
                    })
                })
            }
        }
    }

    /// The bodies of two colliders in the order of their ids.
    fn pair(&self, positions: &Positions, [one, other]: [ColliderHandle; 2]) -> Option<Pair> {
        let mut ends = [
            self.body_of(positions, one)?,
            self.body_of(positions, other)?,
        ];
        ends.sort();
        let [(body_a, collider_a), (body_b, collider_b)] = ends;
        Some(Pair {
            body_a: body_a.clone(),
            body_b: body_b.clone(),
            collider_a,
            collider_b,
        })
    }

    /// The body of a collider, and which of its colliders it is where there are several.
    fn body_of(
        &self,
        positions: &Positions,
        handle: ColliderHandle,
    ) -> Option<(&BodyId, Option<u32>)> {
        let body = self.engine.colliders.get(handle)?.parent()?;
        let colliders = self.engine.bodies[body].colliders();
        let index = match colliders {
            [_] => None,
            several => (0..)
                .zip(several)
                .find(|(_, other)| **other == handle)
                .map(|(index, _)| index),
        };
        Some((self.roster.body_at(positions.of(body)).0, index))
    }
}

impl Sleepers {
    /// How things stand right after a step.
    pub(super) fn of(engine: &PhysicsWorld, roster: &Roster) -> Self {
        let handles = roster.bodies.values().map(|body| body.handle);
        let is_asleep = |handle: &RigidBodyHandle| {
            let body = &engine.bodies[*handle];
            body.is_dynamic() && body.is_sleeping()
        };
        Self {
            awake: engine.islands.active_bodies().collect(),
            asleep: handles.filter(is_asleep).collect(),
        }
    }
}

fn ended(pair: Pair, is_overlap: bool) -> EventKind {
    if is_overlap {
        EventKind::SensorLeft(pair)
    } else {
        EventKind::CollisionEnded(pair)
    }
}

impl EventHandler for Listener {
    fn handle_collision_event(
        &self,
        _: &RigidBodySet,
        _: &ColliderSet,
        event: CollisionEvent,
        _: Option<&ContactPair>,
    ) {
        self.heard.borrow_mut().push(Heard::Collision(event));
    }

    fn handle_contact_force_event(
        &self,
        dt: f32,
        _: &RigidBodySet,
        _: &ColliderSet,
        pair: &ContactPair,
        force: f32,
    ) {
        let event = ContactForceEvent::from_contact_pair(dt, pair, force);
        // While the force stays up there is nothing new to tell.
        if event.started {
            self.heard.borrow_mut().push(Heard::Force(event));
        }
    }

    fn handle_soft_body_tear_event(&self, _: &SoftBodySet, _: &SoftBodyTearEvent) {}
}
