//! The task of one simulation: the only place that touches its world.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    pin, select,
    sync::mpsc,
    time::sleep_until,
};

use super::{
    directory::Simulations,
    error::SimulationError,
    handle::{CommandRequest, Committed, MAX_BODIES_IN_PLACE, Seen, SimulationHandle, Urgent},
    history::History,
    idempotency::IdempotencyTable,
    reply::Reply,
    step_pool::contained,
    work::{Done, Progress, Work},
};
use crate::{
    clock::Moment,
    physics::{Command, EngineFault, Run, Snapshot, View, World},
    registry::Ending,
};

/// Work that is expected to take no longer than this is done in place.
const IN_PLACE: Duration = Duration::from_micros(100);
/// How long a world stays on the compute pool before it is another one's turn.
const CHUNK: Duration = Duration::from_millis(4);
/// What one step is taken to cost for each body, as long as it was not measured.
const FIRST_GUESS_PER_BODY: Duration = Duration::from_micros(3);

/// Owns everything that one simulation needs.
pub(super) struct SimulationTask {
    simulation: SimulationHandle,
    simulations: Simulations,
    commands: mpsc::Receiver<Box<CommandRequest>>,
    urgent: mpsc::Receiver<Urgent>,
    /// Nowhere while the simulation is frozen: its history is enough.
    world: Option<Box<World>>,
    /// Nowhere while the world is being made again from it.
    history: Option<History>,
    view: Option<Arc<View>>,
    applied: Option<Box<IdempotencyTable>>,
    /// What one step costs, measured.
    step_cost: Option<Duration>,
    is_closing: bool,
}

impl SimulationTask {
    pub(super) fn new(
        simulation: SimulationHandle,
        simulations: Simulations,
        (commands, urgent): (mpsc::Receiver<Box<CommandRequest>>, mpsc::Receiver<Urgent>),
        (world, history): (Box<World>, History),
    ) -> Self {
        Self {
            simulation,
            simulations,
            commands,
            urgent,
            world: Some(world),
            history: Some(history),
            view: None,
            applied: None,
            step_cost: None,
            is_closing: false,
        }
    }

    /// Serves the simulation until it is destroyed, expires or is lost.
    pub(super) async fn run(mut self) {
        let timer = sleep_until(self.next_deadline());
        pin!(timer);
        while !self.is_closing {
            let was_frozen = self.world.is_none();
            let mut rearm = false;
            select! { biased;
                Some(urgent) = self.urgent.recv() => {
                    rearm = matches!(urgent, Urgent::Rearm);
                    self.answer(urgent).await;
                }
                Some(request) = self.commands.recv() => self.handle(*request).await,
                () = &mut timer => {
                    self.rest().await;
                    rearm = true;
                }
            }
            if rearm || was_frozen != self.world.is_none() {
                timer.as_mut().reset(self.next_deadline());
            }
        }
        self.commands.close();
        self.drop_world().await;
    }

    async fn answer(&mut self, urgent: Urgent) {
        match urgent {
            Urgent::Show(reply) => match self.thaw().await {
                Ok(()) => drop(reply.send(self.seen())),
                Err(EngineFault) => self.lose().await,
            },
            Urgent::Rearm => {}
            Urgent::Close => self.is_closing = true,
        }
    }

    async fn handle(&mut self, request: CommandRequest) {
        let CommandRequest {
            command,
            key,
            ticket,
            reply,
        } = request;
        // The client has gone, or has been told that this was not begun.
        if reply.is_closed() || !ticket.begin() {
            return;
        }
        let (key, _in_flight) = key.unzip();
        let recalled = key.as_ref().and_then(|key| self.applied.as_ref()?.recall(key));
        let result = match recalled {
            Some(recalled) => recalled,
            None => {
                let result = self.execute(command).await;
                if let (Some(key), Ok(reply)) = (key, &result) {
                    let now = self.now();
                    self.applied.get_or_insert_default().remember(key, reply, now);
                }
                result
            }
        };
        self.simulation.shared.touch(self.now());
        // Whoever asked may have stopped waiting; the command is applied all the same.
        drop(reply.send(result));
    }

    /// Applies one command: in place if it is small, else on the compute pool.
    async fn execute(&mut self, command: Command) -> Result<Reply, SimulationError> {
        if let Err(fault) = self.thaw().await {
            self.lose().await;
            return Err(fault.into());
        }
        let mut world = self.world.take().ok_or(EngineFault)?;
        let bodies_before = world.body_count();
        let limits = self.simulation.services.limits;
        let run = match contained(|| world.start(&command, &limits)) {
            Ok(Ok(run)) => run,
            Ok(Err(refused)) => {
                self.world = Some(world);
                return Err(refused.into());
            }
            Err(fault) => {
                // The engine failed half way through an edit; nobody may touch this world again.
                drop(contained(|| drop(world)));
                return Err(self.undo(fault).await);
            }
        };
        let steps = run.remaining();
        let is_small = self.is_small(&run, bodies_before.max(world.body_count()));
        let work = Work::new(world, run, self.simulation.id().clone());
        let progress = if is_small {
            work.advance(IN_PLACE * 10)
        } else {
            Progress::Unfinished(work)
        };
        let progress = match progress {
            Progress::Unfinished(work) => Box::pin(self.step_elsewhere(work)).await,
            Progress::Done(_) | Progress::Failed(_) => progress,
        };
        match progress {
            Progress::Done(done) => Ok(self.commit(command, *done, steps).await),
            // Only a simulation that is destroyed meanwhile leaves something unfinished.
            Progress::Unfinished(_) => {
                Err(SimulationError::NotFound(self.simulation.id().clone()))
            }
            Progress::Failed(fault) => Err(self.undo(fault).await),
        }
    }

    /// Brings the world back to before a command that the engine failed on.
    async fn undo(&mut self, fault: EngineFault) -> SimulationError {
        let sim_id = self.simulation.id();
        tracing::error!(%sim_id, "the engine failed on a command of {sim_id}, which is undone");
        self.view = None;
        if self.thaw().await.is_err() {
            self.lose().await;
        }
        fault.into()
    }

    /// Steps the world on the compute pool, a chunk at a time, while others are shown the last
    /// committed state. Stops early if the simulation is destroyed meanwhile.
    async fn step_elsewhere(&mut self, mut work: Work) -> Progress {
        let shared = Arc::clone(&self.simulation.shared);
        let pool = self.simulation.services.pool.clone();
        let seen = Seen {
            view: self.view.take().unwrap_or_else(|| work.view_before()),
            seq: shared.committed().seq,
        };
        shared.is_stepping.store(true, Ordering::Relaxed);
        let done = loop {
            let chunk = pool.run(move || work.advance(CHUNK));
            pin!(chunk);
            let progress = loop {
                select! { biased;
                    progress = &mut chunk => break progress,
                    Some(urgent) = self.urgent.recv() => match urgent {
                        Urgent::Show(reply) => drop(reply.send(seen.clone())),
                        Urgent::Rearm => {}
                        Urgent::Close => self.is_closing = true,
                    },
                }
            };
            shared.touch(self.now());
            match progress {
                Ok(Progress::Unfinished(rest)) if !self.is_closing => work = rest,
                Ok(other) => break other,
                Err(fault) => break Progress::Failed(fault),
            }
        };
        shared.is_stepping.store(false, Ordering::Relaxed);
        done
    }

    /// Makes what a command did the state that everybody sees.
    async fn commit(&mut self, command: Command, done: Done, steps: u32) -> Reply {
        let Done {
            world,
            view,
            body,
            cost,
            state,
        } = done;
        self.world = Some(world);
        self.view = view;
        if steps > 0 {
            let measured = cost / steps;
            let before = self.step_cost.unwrap_or(measured);
            self.step_cost = Some((before * 3 + measured) / 4);
        }
        if let Some(history) = &mut self.history {
            history.push(command, cost);
        }
        self.snapshot_if_due().await;

        let mut committed = self.simulation.shared.committed();
        let seq = committed.seq + 1;
        *committed = Committed { seq, ..state };
        Reply {
            body,
            seq,
            step: committed.step,
            is_replayed: false,
        }
    }

    /// Bounds what a replay would cost.
    async fn snapshot_if_due(&mut self) {
        let (Some(world), Some(history)) = (self.world.take(), self.history.as_mut()) else {
            return;
        };
        if !history.wants_snapshot(&world) {
            self.world = Some(world);
            return;
        }
        let pool = self.simulation.services.pool.clone();
        let taken = pool.run(move || {
            let snapshot = Snapshot::take(&world);
            (world, snapshot)
        });
        if let Ok((world, snapshot)) = taken.await {
            history.rebase(snapshot);
            self.world = Some(world);
        }
    }

    /// What the idle simulation does when a deadline passes: expires, or packs its world away.
    async fn rest(&mut self) {
        let now = self.now();
        let shared = &self.simulation.shared;
        if now >= shared.expires() {
            // Fails if somebody has used it in this very moment.
            if self.simulations.expire(&self.simulation).await {
                self.is_closing = true;
            }
        } else if now >= shared.last_access() + self.simulation.services.freeze_after {
            self.freeze().await;
        }
    }

    /// Keeps only the history of the world.
    async fn freeze(&mut self) {
        let (Some(world), Some(mut history)) = (self.world.take(), self.history.take()) else {
            return;
        };
        self.view = None;
        let pool = self.simulation.services.pool.clone();
        let frozen = pool.run(move || {
            if world.is_settled() {
                history.rebase(Snapshot::take(&world));
            }
            history.shrink();
            history
        });
        match frozen.await {
            Ok(history) => {
                self.history = Some(history);
                self.simulation.shared.is_frozen.store(true, Ordering::Relaxed);
            }
            Err(EngineFault) => self.lose().await,
        }
    }

    /// Makes the world again from its history, if it is not there.
    async fn thaw(&mut self) -> Result<(), EngineFault> {
        if self.world.is_some() {
            return Ok(());
        }
        Box::pin(self.replay()).await?;
        self.simulation.shared.is_frozen.store(false, Ordering::Relaxed);
        Ok(())
    }

    async fn replay(&mut self) -> Result<(), EngineFault> {
        let history = self.history.take().ok_or(EngineFault)?;
        let services = Arc::clone(&self.simulation.services);
        let limits = services.limits;
        let begun = services.pool.run(move || history.replay(limits)).await?;
        let mut replay = begun.map_err(|(_, fault)| fault)?;
        loop {
            let (rest, is_complete) = services
                .pool
                .run(move || {
                    let is_complete = replay.advance(CHUNK);
                    (replay, is_complete)
                })
                .await?;
            replay = rest;
            if is_complete? {
                break;
            }
        }
        let (world, history) = replay.into_parts();
        self.world = Some(world);
        self.history = Some(history);
        Ok(())
    }

    /// The world cannot be kept: the simulation ends, and its clients are told so.
    async fn lose(&mut self) {
        tracing::error!(sim_id = %self.simulation.id(), "the world could not be made again, the simulation is lost");
        self.simulations.end(&self.simulation, Ending::Lost).await;
        self.is_closing = true;
    }

    /// A great world takes a while to drop.
    async fn drop_world(&mut self) {
        let (world, history, view) = (self.world.take(), self.history.take(), self.view.take());
        let pool = self.simulation.services.pool.clone();
        drop(pool.run(move || drop((world, history, view))).await);
    }

    fn seen(&mut self) -> Seen {
        let world = self.world.as_ref().expect("the world was made before it is shown");
        let view = self.view.get_or_insert_with(|| Arc::new(world.view()));
        Seen {
            view: Arc::clone(view),
            seq: self.simulation.shared.committed().seq,
        }
    }

    fn is_small(&self, run: &Run, bodies: usize) -> bool {
        let count = u32::try_from(bodies).unwrap_or(u32::MAX);
        let per_step = self
            .step_cost
            .unwrap_or_else(|| FIRST_GUESS_PER_BODY.saturating_mul(count));
        bodies <= MAX_BODIES_IN_PLACE && per_step.saturating_mul(run.remaining()) <= IN_PLACE
    }

    fn next_deadline(&self) -> tokio::time::Instant {
        let shared = &self.simulation.shared;
        let services = &self.simulation.services;
        let freezes = shared.last_access() + services.freeze_after;
        let next = match self.world {
            Some(_) => freezes.min(shared.expires()),
            None => shared.expires(),
        };
        services.clock.instant(next).into()
    }

    fn now(&self) -> Moment {
        self.simulation.services.clock.now()
    }
}
