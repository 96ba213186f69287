//! The task of one simulation: the only place that touches its world.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{pin, select, sync::oneshot, time::sleep_until};

use super::{
    directory::Simulations,
    error::SimulationError,
    handle::{Committed, MAX_BODIES_IN_PLACE, Seen, SimulationHandle},
    history::History,
    idempotency::{IdempotencyKey, IdempotencyTable, KeyInFlight},
    inbox::{CommandRequest, Message},
    reply::Reply,
    work::{Done, Progress, Work},
};
use crate::{
    clock::Moment,
    physics::{Command, EngineFault, Snapshot, View, World},
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
    /// Nowhere while the simulation is frozen: its history is enough.
    world: Option<Box<World>>,
    /// Nowhere while the world is being made again from it.
    history: Option<History>,
    view: Option<Arc<View>>,
    applied: Option<Box<IdempotencyTable>>,
    /// What one step costs, measured.
    step_cost: Option<Duration>,
    /// Whether the deadlines are to be looked at again.
    rearm: bool,
    is_closing: bool,
}

/// Who sent a command.
struct Client {
    key: Option<(IdempotencyKey, KeyInFlight)>,
    reply: oneshot::Sender<Result<Reply, SimulationError>>,
}

/// What is left to do of a command.
struct Rest {
    client: Client,
    progress: Progress,
}

impl SimulationTask {
    pub(super) fn new(
        simulation: SimulationHandle,
        simulations: Simulations,
        (world, history): (Box<World>, History),
    ) -> Self {
        Self {
            simulation,
            simulations,
            world: Some(world),
            history: Some(history),
            view: None,
            applied: None,
            step_cost: None,
            rearm: false,
            is_closing: false,
        }
    }

    /// Serves the simulation until it is destroyed, expires or is lost.
    ///
    /// What is not done at once is boxed: ten thousand idle simulations each hold the memory of
    /// this future.
    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.simulation.shared);
        let timer = sleep_until(self.next_deadline());
        pin!(timer);
        while !self.is_closing {
            let was_frozen = self.world.is_none();
            select! { biased;
                message = shared.inbox.next() => {
                    if was_frozen && matches!(message, Message::Show(_) | Message::Command(_)) {
                        Box::pin(self.thaw_or_lose()).await;
                    }
                    match message {
                        Message::Close => self.is_closing = true,
                        Message::Rearm => self.rearm = true,
                        Message::Show(reply) => self.show(reply),
                        Message::Command(request) => {
                            if let Some(rest) = self.carry_out(*request) {
                                Box::pin(self.carry_on(rest)).await;
                            }
                            if self.wants_snapshot() {
                                Box::pin(self.take_snapshot()).await;
                            }
                        }
                    }
                }
                () = &mut timer => {
                    Box::pin(self.rest()).await;
                    self.rearm = true;
                }
            }
            if std::mem::take(&mut self.rearm) || was_frozen != self.world.is_none() {
                timer.as_mut().reset(self.next_deadline());
            }
        }
        shared.inbox.close();
        Box::pin(self.drop_world()).await;
    }

    /// Shows the last committed state, if there is one: a simulation that was lost answers
    /// nothing.
    fn show(&mut self, reply: oneshot::Sender<Seen>) {
        if let Some(seen) = self.seen() {
            drop(reply.send(seen));
        }
    }

    /// Begins a command, and finishes it in place if it is small. What is left is to be carried
    /// on with.
    fn carry_out(&mut self, request: CommandRequest) -> Option<Rest> {
        let CommandRequest {
            command,
            key,
            ticket,
            reply,
        } = request;
        // The client has gone, or has been told that this was not begun.
        if reply.is_closed() || !ticket.begin() {
            return None;
        }
        let client = Client { key, reply };
        if let Some(recalled) = self.recall(&client) {
            self.answer(client, recalled);
            return None;
        }
        let Some(world) = self.world.take() else {
            self.answer(client, Err(EngineFault.into()));
            return None;
        };
        let is_small = self.is_small(&world, &command);
        if !(is_small && command.steps() <= 1) {
            // The work may have to go elsewhere half done, and nobody must see that.
            self.view.get_or_insert_with(|| Arc::new(world.view()));
        }
        let (limits, id) = (self.simulation.services.limits, self.simulation.id());
        let work = Work::new(world, command, limits, id.clone());
        let progress = if is_small {
            work.advance(IN_PLACE * 10)
        } else {
            Progress::Unfinished(work)
        };
        let result = match progress {
            Progress::Done(done) => Ok(self.commit(*done)),
            Progress::Refused(world, refused) => {
                self.world = Some(world);
                Err(refused.into())
            }
            Progress::Unfinished(_) | Progress::Failed(_) => {
                return Some(Rest { client, progress });
            }
        };
        self.answer(client, result);
        None
    }

    /// Carries on with what could not be finished in place.
    async fn carry_on(&mut self, Rest { client, progress }: Rest) {
        let progress = match progress {
            Progress::Unfinished(work) => self.step_elsewhere(work).await,
            Progress::Done(_) | Progress::Refused(..) | Progress::Failed(_) => progress,
        };
        let result = match progress {
            Progress::Done(done) => Ok(self.commit(*done)),
            Progress::Refused(world, refused) => {
                self.world = Some(world);
                Err(refused.into())
            }
            // Only a simulation that is destroyed meanwhile leaves something unfinished.
            Progress::Unfinished(_) => Err(self.simulation.gone()),
            Progress::Failed(fault) => Err(self.undo(fault).await),
        };
        self.answer(client, result);
    }

    /// What was answered to the first request with the client's key.
    fn recall(&self, client: &Client) -> Option<Result<Reply, SimulationError>> {
        let (key, _) = client.key.as_ref()?;
        self.applied.as_ref()?.recall(key)
    }

    /// Answers a client, and remembers the answer if it may ask again.
    fn answer(&mut self, client: Client, result: Result<Reply, SimulationError>) {
        let now = self.now();
        self.simulation.shared.touch(now);
        if let (Some((key, _)), Ok(reply)) = (client.key, &result)
            && !reply.is_replayed
        {
            let applied = self.applied.get_or_insert_default();
            applied.remember(key, reply, now);
        }
        // Whoever asked may have stopped waiting; what is applied is applied all the same.
        drop(client.reply.send(result));
    }

    /// Brings the world back to before a command that the engine failed on.
    async fn undo(&mut self, fault: EngineFault) -> SimulationError {
        let sim_id = self.simulation.id();
        tracing::error!(%sim_id, "the engine failed on a command of {sim_id}, which is undone");
        self.view = None;
        self.thaw_or_lose().await;
        fault.into()
    }

    /// Steps the world on the compute pool, a chunk at a time, while others are shown the last
    /// committed state. Stops early if the simulation is destroyed meanwhile.
    async fn step_elsewhere(&mut self, mut work: Work) -> Progress {
        let shared = Arc::clone(&self.simulation.shared);
        let pool = self.simulation.services.pool.clone();
        let seen = Seen {
            view: self.view.take().expect("looked at before the work began"),
            seq: shared.committed().seq,
        };
        shared.is_stepping.store(true, Ordering::Relaxed);
        let progress = loop {
            let chunk = pool.run(move || work.advance(CHUNK));
            pin!(chunk);
            let progress = loop {
                select! { biased;
                    progress = &mut chunk => break progress,
                    message = shared.inbox.next_urgent() => match message {
                        Message::Show(reply) => drop(reply.send(seen.clone())),
                        Message::Close => self.is_closing = true,
                        Message::Rearm => self.rearm = true,
                        Message::Command(_) => unreachable!("a command is not urgent"),
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
        progress
    }

    /// Makes what a command did the state that everybody sees.
    fn commit(&mut self, done: Done) -> Reply {
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

    /// Whether what a replay would cost is to be bounded by a snapshot.
    fn wants_snapshot(&self) -> bool {
        match (&self.world, &self.history) {
            (Some(world), Some(history)) => history.wants_snapshot(world),
            _ => false,
        }
    }

    async fn take_snapshot(&mut self) {
        let (Some(world), Some(history)) = (self.world.take(), self.history.as_mut()) else {
            return;
        };
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
                self.simulation
                    .shared
                    .is_frozen
                    .store(true, Ordering::Relaxed);
            }
            Err(EngineFault) => self.lose().await,
        }
    }

    async fn thaw_or_lose(&mut self) {
        if self.thaw().await.is_err() {
            self.lose().await;
        }
    }

    /// Makes the world again from its history, if it is not there.
    async fn thaw(&mut self) -> Result<(), EngineFault> {
        if self.world.is_some() {
            return Ok(());
        }
        self.replay().await?;
        self.simulation
            .shared
            .is_frozen
            .store(false, Ordering::Relaxed);
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
        let _ = pool.run(move || drop((world, history, view))).await;
    }

    fn seen(&mut self) -> Option<Seen> {
        let world = self.world.as_ref()?;
        let view = self.view.get_or_insert_with(|| Arc::new(world.view()));
        Some(Seen {
            view: Arc::clone(view),
            seq: self.simulation.shared.committed().seq,
        })
    }

    fn is_small(&self, world: &World, command: &Command) -> bool {
        let bodies = world.body_count() + command.added();
        let count = u32::try_from(bodies).unwrap_or(u32::MAX);
        let per_step = self
            .step_cost
            .unwrap_or_else(|| FIRST_GUESS_PER_BODY.saturating_mul(count));
        bodies <= MAX_BODIES_IN_PLACE && per_step.saturating_mul(command.steps()) <= IN_PLACE
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
