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
    image::Image,
    journalling::Journalling,
    reply::Reply,
    shared::Shared,
    work::{Done, Progress, Work},
};
use crate::{
    journal::{Append, Entry, Event},
    physics::{Command, View, World},
    registry::Head,
};

/// Work that is expected to take no longer than this is done in place.
const IN_PLACE: Duration = Duration::from_micros(100);
/// Worlds of more bodies than this are never worked on, shown or written down in place.
pub(super) const MAX_BODIES_IN_PLACE: usize = 150;
/// Shapes that are described by more items than this are never written down in place.
pub(super) const MAX_LISTED_ITEMS_IN_PLACE: usize = 2_000;
/// Work in place that takes longer than this after all is continued on the compute pool.
const IN_PLACE_AT_MOST: Duration = Duration::from_millis(1);
/// A world that is expected to be away for no longer than this is waited for.
const BRIEF: Duration = Duration::from_millis(4);
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
    /// Nothing unless the simulation has a journal.
    pub(super) journalling: Option<Box<Journalling>>,
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
    pub(super) fn new(
        world: Box<World>,
        history: History,
        applied: Option<IdempotencyTable>,
        journalling: Option<Journalling>,
    ) -> Self {
        Self {
            world: Some(world),
            history: Some(history),
            view: None,
            applied: applied.map(Box::new),
            journalling: journalling.map(Box::new),
            step_cost: None,
        }
    }

    /// Carries out a command if it is small and the world is at home. Only where nothing is written
    /// down.
    pub(super) fn attempt(&mut self, shared: &Shared, command: Command) -> Attempt {
        if let Err(refused) = self.admit(&command) {
            return Attempt::Answered(Err(refused));
        }
        let Some(world) = self.world.take() else {
            return Attempt::Left(Left::Unbegun(command));
        };
        if !self.is_small(&world, &command) {
            self.world = Some(world);
            return Attempt::Left(Left::Unbegun(command));
        }
        let head = shared.next_head();
        if command.steps() > 1 {
            // The work may have to go elsewhere half done, and nobody must see that.
            self.look(&world);
        }
        let work = shared.work(world, command);
        let services = &shared.services;
        match work.advance(IN_PLACE_AT_MOST, services.clock, &services.metrics) {
            Progress::Done(done) => Attempt::Answered(Ok(self.commit(shared, *done, head))),
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
    pub(super) fn hand_out(&mut self, shared: &Shared, command: Command) -> Option<Work> {
        let world = self.world.take()?;
        if self.is_brief(&world, &command) {
            self.look(&world);
        } else {
            // It may be away for long, and its contacts are asked for meanwhile.
            self.look_closely(&world);
        }
        Some(shared.work(world, command))
    }

    /// The entry of a command that has begun, as the next one of the journal.
    pub(super) fn entry_of(
        &self,
        shared: &Shared,
        command: &Command,
        key: Option<&IdempotencyKey>,
    ) -> Append {
        self.append_of(shared, Event::Command(command), key)
    }

    /// What happened, as the next entry of the journal.
    pub(super) fn append_of(
        &self,
        shared: &Shared,
        event: Event<&Command>,
        key: Option<&IdempotencyKey>,
    ) -> Append {
        let committed = *shared.committed();
        let entry = Entry {
            at: shared.services.unix_micros(),
            state_hash: committed.state_hash.unwrap_or_default(),
            key: key.map(IdempotencyKey::used),
            event,
        };
        let entry = entry.encode();
        Append {
            id: shared.id.clone(),
            token: shared.claim.token(),
            after: committed.head,
            chain: committed.head.followed_by(&entry).chain,
            entry: entry.into(),
            is_first: self.journalling.as_ref().is_some_and(|it| it.is_first),
        }
    }

    /// Everything that the simulation is made of, as far as it is committed.
    pub(super) fn image(&self, shared: &Shared) -> Option<Image> {
        let creation = shared.creation.get().map(|creation| creation.remembered());
        let position = shared.committed().position();
        let history = self.history.as_ref()?;
        Some(Image::new(
            position,
            history,
            self.applied.as_deref(),
            creation,
        ))
    }

    /// Makes what a command did the state that everybody sees.
    pub(super) fn commit(&mut self, shared: &Shared, done: Done, head: Head) -> Reply {
        let Done {
            world,
            command,
            view,
            body,
            cost,
            state,
        } = done;
        self.view = view;
        if let Some(measured) = cost.checked_div(command.steps()) {
            let before = self.step_cost.unwrap_or(measured);
            self.step_cost = Some((before * 3 + measured) / 4);
        }
        if let Some(history) = &mut self.history {
            history.push(command, cost, &world);
        }
        self.world = Some(world);
        let committed = Committed { head, ..state };
        self.go_on(shared, committed);
        Reply {
            body,
            position: committed.position(),
            is_replayed: false,
        }
    }

    /// Makes `committed` where the simulation stands.
    pub(super) fn go_on(&mut self, shared: &Shared, committed: Committed) {
        if let Some(journalling) = &mut self.journalling {
            journalling.advance(committed.head);
        }
        *shared.committed() = committed;
    }

    /// Notes what it takes to make the world again, before less will do.
    pub(super) fn note_assets(&mut self, shared: &Shared) {
        if let (Some(journalling), Some(history)) = (&mut self.journalling, &self.history) {
            journalling.note_assets(shared.committed().head, history.assets());
        }
    }

    /// Whether a command is carried out that is not committed yet.
    pub(super) fn is_pending(&self) -> bool {
        let journalling = self.journalling.as_ref();
        journalling.is_some_and(|it| it.pending.is_some())
    }

    /// Whether the task alone may begin a command.
    pub(super) fn is_attended(&self) -> bool {
        let journalling = self.journalling.as_ref();
        journalling.is_some_and(|it| it.is_attended)
    }

    /// Refuses what would let the past of the world grow without a bound: only a step makes it fit
    /// for a snapshot.
    pub(super) fn admit(&self, command: &Command) -> Result<(), SimulationError> {
        match &self.history {
            Some(history) if command.steps() == 0 => history.admit().map_err(Into::into),
            Some(_) | None => Ok(()),
        }
    }

    /// What was answered to the first request with this key.
    pub(super) fn recall(&self, key: &IdempotencyKey) -> Option<Result<Reply, SimulationError>> {
        self.applied.as_ref()?.recall(key)
    }

    /// Remembers what the first request with this key was answered.
    pub(super) fn remember(&mut self, key: IdempotencyKey, reply: &Reply, at: u64) {
        let applied = self.applied.get_or_insert_default();
        applied.remember(key, reply, at);
    }

    /// The last committed state; nothing while the simulation is frozen.
    pub(super) fn seen(&mut self, shared: &Shared) -> Option<Seen> {
        if let Some(world) = self.world.take() {
            self.look(&world);
            self.world = Some(world);
        }
        Some(Seen {
            view: Arc::clone(self.view.as_ref()?),
            position: shared.committed().position(),
        })
    }

    /// The same with every contact; nothing, too, while the world is away for a moment.
    pub(super) fn seen_closely(&mut self, shared: &Shared) -> Option<Seen> {
        if let Some(world) = self.world.take() {
            self.look_closely(&world);
            self.world = Some(world);
        }
        let view = self.view.as_ref().filter(|view| view.is_close())?;
        Some(Seen {
            view: Arc::clone(view),
            position: shared.committed().position(),
        })
    }

    /// Whether what a replay would cost is to be bounded by a snapshot.
    pub(super) fn wants_snapshot(&self, shared: &Shared) -> bool {
        let (Some(world), Some(history)) = (&self.world, &self.history) else {
            return false;
        };
        let journalling = self.journalling.as_ref();
        let is_long = journalling.is_some_and(|it| it.is_long(shared.committed().head));
        (is_long || history.is_long()) && world.is_settled()
    }

    pub(super) fn look(&mut self, world: &World) {
        self.view.get_or_insert_with(|| Arc::new(world.view()));
    }

    fn look_closely(&mut self, world: &World) {
        let view = self.view.get_or_insert_with(|| Arc::new(world.view()));
        world.look_closely(view);
    }

    pub(super) fn is_small(&self, world: &World, command: &Command) -> bool {
        let bodies = world.body_count() + world.effort(command);
        !command.takes_long()
            && bodies <= MAX_BODIES_IN_PLACE
            && self.cost_of_steps(bodies, command) <= IN_PLACE
    }

    /// Whether whoever asks for contacts meanwhile may wait for the end.
    fn is_brief(&self, world: &World, command: &Command) -> bool {
        command.steps() <= 1 || self.cost_of_steps(world.body_count(), command) <= BRIEF
    }

    /// What the steps of a command are expected to take in a world of so many bodies.
    fn cost_of_steps(&self, bodies: usize, command: &Command) -> Duration {
        let count = u32::try_from(bodies).unwrap_or(u32::MAX);
        let per_step = self
            .step_cost
            .unwrap_or_else(|| FIRST_GUESS_PER_BODY.saturating_mul(count));
        per_step.saturating_mul(command.steps())
    }
}
