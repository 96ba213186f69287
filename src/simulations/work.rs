//! A command being carried out on a world, in pieces that can be put off.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    handle::Committed,
    reply::{outcome_body, shows_world},
    step_pool::contained,
};
use crate::{
    id::SimulationId,
    physics::{EngineFault, Run, View, World},
};

/// A world with a command under way.
pub(super) struct Work {
    world: Box<World>,
    run: Run,
    id: SimulationId,
    cost: Duration,
}

/// How far some work has come.
pub(super) enum Progress {
    /// There is more to do.
    Unfinished(Work),
    /// The command is carried out.
    Done(Box<Done>),
    /// The engine failed; the world is gone.
    Failed(EngineFault),
}

/// What a command did.
pub(super) struct Done {
    pub(super) world: Box<World>,
    /// The world afterwards, if it had to be looked at.
    pub(super) view: Option<Arc<View>>,
    /// The body of the reply.
    pub(super) body: Bytes,
    /// How long it took.
    pub(super) cost: Duration,
    /// Where the simulation stands now; `seq` is not known here.
    pub(super) state: Committed,
}

impl Work {
    pub(super) fn new(world: Box<World>, run: Run, id: SimulationId) -> Self {
        Self {
            world,
            run,
            id,
            cost: Duration::ZERO,
        }
    }

    /// The world before the first piece of work.
    pub(super) fn view_before(&self) -> Arc<View> {
        Arc::new(self.world.view())
    }

    /// Goes on for about `budget`.
    pub(super) fn advance(mut self, budget: Duration) -> Progress {
        let begun = Instant::now();
        let stepped = contained(|| {
            while !self.run.is_done() {
                self.world.advance(&mut self.run);
                if begun.elapsed() >= budget {
                    break;
                }
            }
        });
        self.cost += begun.elapsed();
        if let Err(fault) = stepped {
            // What the engine left behind may not even be fit to be dropped.
            let _ = contained(|| drop(self));
            return Progress::Failed(fault);
        }
        if self.run.is_done() {
            Progress::Done(Box::new(self.conclude()))
        } else {
            Progress::Unfinished(self)
        }
    }

    fn conclude(self) -> Done {
        let Self {
            world,
            run,
            id,
            cost,
        } = self;
        let outcome = world.finish(run);
        let view = shows_world(&outcome).then(|| Arc::new(world.view()));
        Done {
            body: outcome_body(&outcome, &id, view.as_deref()),
            view,
            cost,
            state: Committed::of(&world),
            world,
        }
    }
}
