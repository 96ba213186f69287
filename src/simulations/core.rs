//! The heart of a simulation: its world and all that changes with it, without tasks or waiting.
//!
//! It is locked for what is done at once and never across a wait. Whoever finds the world at home
//! may apply a small command to it; everything else is left to the simulation's task.

use std::{sync::Arc, time::Duration};

use super::{
    committed::{Committed, Seen},
    error::SimulationError,
    history::History,
    idempotency::{IdempotencyKey, IdempotencyTable},
    reply::Reply,
    shared::Shared,
    work::{Done, Progress, Work},
};
use crate::{
    clock::Moment,
    physics::{Command, View, World, WorldLimits},
};

/// Work that is expected to take no longer than this is done in place.
const IN_PLACE: Duration = Duration::from_micros(100);
/// Worlds of more bodies than this are never worked on, shown or written down in place.
pub(super) const MAX_BODIES_IN_PLACE: usize = 150;
/// Work in place that takes longer than this after all is continued on the compute pool.
const IN_PLACE_AT_MOST: Duration = Duration::from_millis(1);
/// What one step is taken to cost for each body, as long as it was not measured.
const FIRST_GUESS_PER_BODY: Duration = Duration::from_micros(3);

/// A world, where it came from, and what was answered about it.
pub(super) struct Core {
    /// Nowhere while the simulation is frozen, or while it is worked on elsewhere.
    pub(super) world: Option<Box<World>>,
    /// Nowhere while the world is being made again from it.
    pub(super) history: Option<History>,
    /// The last committed state, if it was looked at; always there while the world is worked on
    /// elsewhere, so that it can be shown.
    pub(super) view: Option<Arc<View>>,
    applied: Option<Box<IdempotencyTable>>,
    /// What one step costs, measured.
    step_cost: Option<Duration>,
}

/// What came of trying to carry out a command at once.
pub(super) enum Attempt {
    /// It was carried out, or refused.
    Answered(Result<Reply, SimulationError>),
    /// There is something left for the task.
    Left(Left),
}

/// What is left of a command for the task.
pub(super) enum Left {
    /// All of it: the world is not at home, or the command is too large.
    Unbegun(Command),
    /// It was begun, and is to be carried on with elsewhere.
    Begun(Progress),
}

impl Core {
    pub(super) fn new(world: Box<World>, history: History) -> Self {
        Self {
            world: Some(world),
            history: Some(history),
            view: None,
            applied: None,
            step_cost: None,
        }
    }

    /// Carries out a command if it is small and the world is at home.
    pub(super) fn attempt(
        &mut self,
        shared: &Shared,
        command: Command,
        limits: WorldLimits,
    ) -> Attempt {
        let Some(world) = self.world.take() else {
            return Attempt::Left(Left::Unbegun(command));
        };
        if !self.is_small(&world, &command) {
            self.world = Some(world);
            return Attempt::Left(Left::Unbegun(command));
        }
        if command.steps() > 1 {
            // The work may have to go elsewhere half done, and nobody must see that.
            self.look(&world);
        }
        let work = Work::new(world, command, limits, shared.id.clone());
        match work.advance(IN_PLACE_AT_MOST, &shared.services.metrics) {
            Progress::Done(done) => Attempt::Answered(Ok(self.commit(shared, *done))),
            Progress::Refused(world, refused) => {
                self.world = Some(world);
                Attempt::Answered(Err(refused.into()))
            }
            progress @ (Progress::Unfinished(_) | Progress::Failed(_)) => {
                Attempt::Left(Left::Begun(progress))
            }
        }
    }

    /// Hands the world out, to be worked on elsewhere.
    pub(super) fn hand_out(
        &mut self,
        shared: &Shared,
        command: Command,
        limits: WorldLimits,
    ) -> Option<Work> {
        let world = self.world.take()?;
        self.look(&world);
        Some(Work::new(world, command, limits, shared.id.clone()))
    }

    /// Makes what a command did the state that everybody sees.
    pub(super) fn commit(&mut self, shared: &Shared, done: Done) -> Reply {
        let Done {
            world,
            command,
            view,
            body,
            cost,
            state,
        } = done;
        self.world = Some(world);
        self.view = view;
        if let Some(measured) = cost.checked_div(command.steps()) {
            let before = self.step_cost.unwrap_or(measured);
            self.step_cost = Some((before * 3 + measured) / 4);
        }
        if let Some(history) = &mut self.history {
            history.push(command, cost);
        }
        let mut committed = shared.committed();
        let seq = committed.seq + 1;
        *committed = Committed { seq, ..state };
        Reply {
            body,
            seq,
            step: committed.step,
            is_replayed: false,
        }
    }

    /// What was answered to the first request with this key.
    pub(super) fn recall(&self, key: &IdempotencyKey) -> Option<Result<Reply, SimulationError>> {
        self.applied.as_ref()?.recall(key)
    }

    /// Remembers what the first request with this key was answered.
    pub(super) fn remember(&mut self, key: IdempotencyKey, reply: &Reply, now: Moment) {
        let applied = self.applied.get_or_insert_default();
        applied.remember(key, reply, now);
    }

    /// The last committed state; nothing while the simulation is frozen.
    pub(super) fn seen(&mut self, shared: &Shared) -> Option<Seen> {
        if let Some(world) = self.world.take() {
            self.look(&world);
            self.world = Some(world);
        }
        Some(Seen {
            view: Arc::clone(self.view.as_ref()?),
            seq: shared.committed().seq,
        })
    }

    /// Whether what a replay would cost is to be bounded by a snapshot.
    pub(super) fn wants_snapshot(&self) -> bool {
        match (&self.world, &self.history) {
            (Some(world), Some(history)) => history.wants_snapshot(world),
            _ => false,
        }
    }

    fn look(&mut self, world: &World) {
        self.view.get_or_insert_with(|| Arc::new(world.view()));
    }

    fn is_small(&self, world: &World, command: &Command) -> bool {
        let bodies = world.body_count() + command.added();
        let count = u32::try_from(bodies).unwrap_or(u32::MAX);
        let per_step = self
            .step_cost
            .unwrap_or_else(|| FIRST_GUESS_PER_BODY.saturating_mul(count));
        bodies <= MAX_BODIES_IN_PLACE && per_step.saturating_mul(command.steps()) <= IN_PLACE
    }
}
