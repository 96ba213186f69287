//! A command being carried out on a world, in pieces that can be put off.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::{
    committed::Committed,
    reply::{ReplyWriter, outcome_body, shows_world},
    step_pool::{Turn, contained},
};
use crate::{
    clock::{Clock, Stopwatch},
    metrics::Metrics,
    physics::{Command, EngineFault, PhysicsError, Run, View, World, WorldLimits},
};

/// Commands that take no longer than this are carried out in the order they come.
const SHORT: Duration = Duration::from_millis(25);

/// A world and a command that is to be carried out on it.
pub(super) struct Work {
    world: Box<World>,
    command: Command,
    /// Nothing before the command is begun.
    run: Option<Run>,
    limits: WorldLimits,
    writer: ReplyWriter,
    is_hashed: bool,
    cost: Duration,
}

/// How far some work has come.
pub(super) enum Progress {
    /// There is more to do.
    Unfinished(Work),
    /// The command is carried out.
    Done(Box<Done>),
    /// The command is refused; nothing has changed.
    Refused(Box<World>, PhysicsError),
    /// The engine failed; the world is gone.
    Failed(EngineFault),
}

/// Why a command was not begun.
pub(super) enum NotBegun {
    /// It is refused; nothing has changed.
    Refused(Box<World>, PhysicsError),
    /// The engine failed; the world is gone.
    Failed(EngineFault),
}

/// What there is to tell of a command.
struct Conclusion {
    view: Option<Arc<View>>,
    body: Bytes,
}

/// What a command did.
pub(super) struct Done {
    pub(super) world: Box<World>,
    pub(super) command: Command,
    /// The world afterwards, if it had to be looked at.
    pub(super) view: Option<Arc<View>>,
    /// The body of the reply.
    pub(super) body: Bytes,
    /// How long it took.
    pub(super) cost: Duration,
    /// Where the simulation stands now; the head of its journal is not known here.
    pub(super) state: Committed,
}

impl Work {
    pub(super) fn new(
        world: Box<World>,
        command: Command,
        limits: WorldLimits,
        writer: ReplyWriter,
        is_hashed: bool,
    ) -> Self {
        Self {
            world,
            command,
            run: None,
            limits,
            writer,
            is_hashed,
            cost: Duration::ZERO,
        }
    }

    /// What is to be carried out.
    pub(super) fn command(&self) -> &Command {
        &self.command
    }

    /// When it is to go on: what takes long is not to keep back what has just come, and what is
    /// nearly done is not to wait for that.
    pub(super) fn turn(&self) -> Turn {
        if self.run.is_none() {
            Turn::Last
        } else if self.cost < SHORT {
            Turn::Next
        } else {
            Turn::Rest
        }
    }

    /// Checks the command in full, and does what is instant of it.
    pub(super) fn begin(mut self, clock: Clock) -> Result<Self, NotBegun> {
        let begun = clock.stopwatch();
        match contained(|| self.world.start(&self.command, &self.limits)) {
            Ok(Ok(run)) => {
                self.run = Some(run);
                self.cost += begun.elapsed();
                Ok(self)
            }
            Ok(Err(refused)) => Err(NotBegun::Refused(self.world, refused)),
            Err(fault) => {
                let _ = contained(|| drop(self));
                Err(NotBegun::Failed(fault))
            }
        }
    }

    /// Goes on for about `budget`.
    pub(super) fn advance(mut self, budget: Duration, clock: Clock, metrics: &Metrics) -> Progress {
        let begun = clock.stopwatch();
        let mut steps = 0;
        let advanced = contained(|| self.advance_until(&begun, budget, &mut steps));
        let took = begun.elapsed();
        self.cost += took;
        metrics.count_chunk(steps, took);
        match advanced {
            Ok(Ok(Some(conclusion))) => self.done(conclusion),
            Ok(Ok(None)) => Progress::Unfinished(self),
            Ok(Err(refused)) => Progress::Refused(self.world, refused),
            Err(fault) => {
                // What the engine left behind may not even be fit to be dropped.
                let _ = contained(|| drop(self));
                Progress::Failed(fault)
            }
        }
    }

    /// What there is to tell, once the command is carried out.
    fn advance_until(
        &mut self,
        begun: &Stopwatch,
        budget: Duration,
        steps: &mut u32,
    ) -> Result<Option<Conclusion>, PhysicsError> {
        let mut run = match self.run.take() {
            Some(run) => run,
            None => self.world.start(&self.command, &self.limits)?,
        };
        while !run.is_done() {
            self.world.advance(&mut run);
            *steps += 1;
            if !run.is_done() && begun.elapsed() >= budget {
                self.run = Some(run);
                return Ok(None);
            }
        }
        let outcome = self.world.finish(run);
        let view = shows_world(&outcome).then(|| Arc::new(self.world.view()));
        let body = outcome_body(&outcome, &self.writer, view.as_deref());
        Ok(Some(Conclusion { view, body }))
    }

    fn done(self, Conclusion { view, body }: Conclusion) -> Progress {
        Progress::Done(Box::new(Done {
            state: Committed::of(&self.world, self.is_hashed),
            world: self.world,
            command: self.command,
            view,
            body,
            cost: self.cost,
        }))
    }
}
