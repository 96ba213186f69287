//! The task of one simulation: sees to what cannot be done at once, and to its deadlines.

use std::sync::{Arc, MutexGuard, atomic::Ordering};

use tokio::{pin, select, sync::oneshot, time::sleep_until};

use super::{
    core::{Attempt, Core, Left},
    directory::Simulations,
    error::SimulationError,
    handle::SimulationHandle,
    idempotency::{IdempotencyKey, KeyInFlight},
    inbox::{CommandRequest, Message, Spectator},
    reply::Reply,
    shared::Shared,
    step_pool::CHUNK,
    terms::Precondition,
    work::{Progress, Work},
};
use crate::{
    clock::Moment,
    physics::{EngineFault, Snapshot},
    registry::Ending,
};

/// What a simulation's task is made of.
pub(super) struct SimulationTask {
    pub(super) simulation: SimulationHandle,
    pub(super) simulations: Simulations,
    /// Whether the deadlines are to be looked at again.
    rearm: bool,
    /// Until when it is not tried again to put the simulation to rest.
    pub(super) stays_until: Option<Moment>,
    pub(super) is_closing: bool,
}

/// Who sent a command.
pub(super) struct Client {
    pub(super) key: Option<(IdempotencyKey, KeyInFlight)>,
    pub(super) precondition: Option<Precondition>,
    pub(super) reply: oneshot::Sender<Result<Reply, SimulationError>>,
}

impl Client {
    /// A client, and where it waits for its reply.
    pub(super) fn new(
        key: Option<(IdempotencyKey, KeyInFlight)>,
        precondition: Option<Precondition>,
    ) -> (Self, oneshot::Receiver<Result<Reply, SimulationError>>) {
        let (reply, receiver) = oneshot::channel();
        let client = Self {
            key,
            precondition,
            reply,
        };
        (client, receiver)
    }
}

impl SimulationTask {
    pub(super) fn new(simulation: SimulationHandle, simulations: Simulations) -> Self {
        Self {
            simulation,
            simulations,
            rearm: false,
            stays_until: None,
            is_closing: false,
        }
    }

    /// Serves the simulation until it is destroyed, expires or is lost.
    ///
    /// What takes long is boxed: ten thousand idle simulations each hold the memory of this
    /// future.
    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.simulation.shared);
        let timer = sleep_until(self.next_deadline());
        pin!(timer);
        while !self.is_closing {
            let was_frozen = self.is_frozen();
            select! { biased;
                message = shared.inbox.next() => Box::pin(self.attend(message)).await,
                () = &mut timer => {
                    Box::pin(self.rest()).await;
                    self.rearm = true;
                }
            }
            self.leave_alone();
            if std::mem::take(&mut self.rearm) || was_frozen != self.is_frozen() {
                timer.as_mut().reset(self.next_deadline());
            }
        }
        shared.inbox.close();
        Box::pin(self.drop_world()).await;
    }

    async fn attend(&mut self, message: Message) {
        if !matches!(message, Message::Close) {
            // Nobody else is to find the world away.
            self.settle().await;
            if self.is_closing || self.simulation.shared.claim.has_left() {
                return;
            }
        }
        match message {
            Message::Close => self.is_closing = true,
            Message::Tend => {
                self.rearm = true;
                self.simulations.note(&self.simulation);
            }
            Message::Show(spectator) => self.show(spectator).await,
            Message::Command(request) => self.handle(*request).await,
            Message::CarryOn(client, progress) => self.carry_on(client, *progress).await,
            Message::Leave(departure) => self.leave(departure).await,
        }
        if !self.is_closing {
            self.snapshot_if_due().await;
        }
    }

    /// Shows the last committed state; whoever asks for a world that was put down is to ask again. A
    /// simulation that was lost answers nothing.
    async fn show(&mut self, spectator: Spectator) {
        if self.is_put_down() {
            let gone = SimulationError::OwnershipLost(self.simulation.id().clone());
            // Here and below: whoever waited may have gone.
            drop(spectator.send(Err(gone)));
            return;
        }
        self.thaw_or_lose().await;
        let seen = self.core().seen_closely(&self.simulation.shared);
        if let Some(seen) = seen {
            drop(spectator.send(Ok(seen)));
        }
    }

    async fn handle(&mut self, request: CommandRequest) {
        let CommandRequest {
            command,
            client,
            payer,
            ticket,
            sent,
        } = request;
        // The client has gone, or has been told that this was not begun.
        if client.reply.is_closed() || !ticket.begin() {
            return;
        }
        if self.is_put_down() {
            let gone = Err(SimulationError::OwnershipLost(self.simulation.id().clone()));
            return answer(&mut self.core(), client, gone, &self.simulation.shared);
        }
        let metrics = &self.simulation.shared.services.metrics;
        metrics.queue_delay.observe_time(self.now().since(sent));
        self.simulation.payer = payer;
        self.thaw_or_lose().await;
        if let Some(journal) = self.simulation.shared.journal().cloned() {
            return self.write(&journal, command, client).await;
        }
        let progress = {
            let shared = &self.simulation.shared;
            let mut core = shared.core();
            let recalled = client.key.as_ref().and_then(|(key, _)| core.recall(key));
            let unmet = || shared.check(client.precondition.as_ref()).err();
            let attempt = match recalled.or_else(|| unmet().map(Err)) {
                Some(answer) => Attempt::Answered(answer),
                None => core.attempt(shared, command),
            };
            match attempt {
                Attempt::Answered(result) => return answer(&mut core, client, result, shared),
                Attempt::Left(Left::Begun(progress)) => progress,
                Attempt::Left(Left::Unbegun(command)) => {
                    if let Err(refused) = self.simulation.pool().admit() {
                        return answer(&mut core, client, Err(refused), shared);
                    }
                    match core.hand_out(shared, command) {
                        Some(work) => Progress::Unfinished(work),
                        // A world that could not be made again is not there.
                        None => Progress::Failed(EngineFault),
                    }
                }
            }
        };
        self.carry_on(client, progress).await;
    }

    /// Carries on with what could not be finished at once.
    pub(super) async fn carry_on(&mut self, client: Client, progress: Progress) {
        let progress = if let Progress::Unfinished(work) = progress {
            self.step_elsewhere(work).await
        } else {
            progress
        };
        let result = match progress {
            Progress::Done(done) => {
                let shared = &self.simulation.shared;
                let mut core = shared.core();
                let head = shared.next_head();
                Ok(core.commit(shared, *done, head))
            }
            Progress::Refused(world, refused) => {
                self.core().world = Some(world);
                Err(refused.into())
            }
            // Only a simulation that is destroyed meanwhile leaves something unfinished.
            Progress::Unfinished(_) => Err(self.simulation.gone()),
            Progress::Failed(fault) => Err(self.undo(fault).await),
        };
        self.touch();
        let shared = &self.simulation.shared;
        answer(&mut shared.core(), client, result, shared);
    }

    /// Steps the world on the compute pool, a chunk at a time, while others are shown the last
    /// committed state. Stops early if the simulation is destroyed meanwhile.
    pub(super) async fn step_elsewhere(&mut self, mut work: Work) -> Progress {
        let shared = Arc::clone(&self.simulation.shared);
        let pool = self.simulation.pool();
        shared.is_stepping.store(true, Ordering::Relaxed);
        let progress = loop {
            let services = Arc::clone(&shared.services);
            let turn = work.turn();
            let work_on = move || work.advance(CHUNK, services.clock, &services.metrics);
            let chunk = pool.run_at(turn, work_on).await;
            self.touch();
            match chunk {
                Ok(Progress::Unfinished(rest)) if !shared.inbox.is_interrupted() => work = rest,
                Ok(other) => break other,
                Err(fault) => break Progress::Failed(fault),
            }
        };
        shared.is_stepping.store(false, Ordering::Relaxed);
        progress
    }

    /// Whether a command that is in the journal was put down half done: only whoever comes next
    /// carries it out.
    fn is_put_down(&self) -> bool {
        let shared = &self.simulation.shared;
        shared.journal().is_some() && shared.inbox.is_interrupted()
    }

    /// Brings the world back to before a command that the engine failed on.
    pub(super) async fn undo(&mut self, fault: EngineFault) -> SimulationError {
        let sim_id = self.simulation.id();
        tracing::error!(%sim_id, "the engine failed on a command of {sim_id}, which is undone");
        self.thaw_or_lose().await;
        fault.into()
    }

    /// Bounds what a replay would cost.
    async fn snapshot_if_due(&mut self) {
        let world = {
            let mut core = self.core();
            if !core.wants_snapshot(&self.simulation.shared) {
                return;
            }
            core.note_assets(&self.simulation.shared);
            core.world.take()
        };
        let Some(world) = world else { return };
        let pool = self.simulation.pool();
        let taken = pool.run(move || {
            let snapshot = Snapshot::take(&world);
            (world, snapshot)
        });
        if let Ok((world, snapshot)) = taken.await {
            let mut core = self.core();
            if let Some(history) = &mut core.history {
                history.rebase(snapshot, &world);
            }
            core.world = Some(world);
            drop(core);
            self.save();
        }
    }

    /// What the idle simulation does when a deadline passes: expires, or packs its world away.
    async fn rest(&mut self) {
        self.settle().await;
        if self.is_closing {
            return;
        }
        if self.now() >= self.simulation.shared.expires() {
            // Fails if somebody has used it in this very moment.
            let has_expired = self.simulations.expire(&self.simulation).await;
            self.is_closing |= has_expired || self.simulation.shared.claim.has_ended();
        } else if self.is_frozen() && self.now() >= self.hibernates() {
            self.hibernate().await;
        } else {
            self.freeze().await;
        }
    }

    /// Packs a world away that nobody has used for a while.
    async fn freeze(&mut self) {
        let shared = &self.simulation.shared;
        if self.now() >= shared.last_access() + shared.services.freeze_after {
            self.freeze_now().await;
        }
    }

    /// Keeps only the history of the world.
    pub(super) async fn freeze_now(&mut self) {
        let (world, mut history) = {
            let mut core = self.core();
            core.view = None;
            core.note_assets(&self.simulation.shared);
            match (core.world.take(), core.history.take()) {
                (Some(world), Some(history)) => (world, history),
                (_, history) => {
                    core.history = history;
                    return;
                }
            }
        };
        let pool = self.simulation.pool();
        let frozen = pool.run(move || {
            if world.is_settled() {
                history.rebase(Snapshot::take(&world), &world);
            }
            history.shrink();
            history
        });
        match frozen.await {
            Ok(history) => {
                let mut core = self.core();
                core.history = Some(history);
                if let Some(journalling) = &mut core.journalling {
                    journalling.shrink();
                }
                drop(core);
                let shared = &self.simulation.shared;
                shared.is_frozen.store(true, Ordering::Relaxed);
                shared.services.metrics.freezes.inc();
            }
            Err(EngineFault) => self.lose().await,
        }
    }

    /// Sees to it that the world is there.
    pub(super) async fn thaw_or_lose(&mut self) {
        let is_there = self.core().world.is_some();
        if is_there || self.is_closing {
            return;
        }
        if self.replay().await.is_err() {
            self.lose().await;
            return;
        }
        let shared = &self.simulation.shared;
        if shared.is_frozen.swap(false, Ordering::Relaxed) {
            shared.services.metrics.thaws.inc();
        }
    }

    /// Makes the world again from its history.
    async fn replay(&mut self) -> Result<(), EngineFault> {
        let history = {
            let mut core = self.core();
            core.view = None;
            core.history.take().ok_or(EngineFault)?
        };
        let clock = self.simulation.shared.services.clock;
        let pool = self.simulation.pool();
        let mut replay = pool.run(move || history.replay(clock)).await??;
        loop {
            let (rest, is_complete) = pool
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
        let mut core = self.core();
        core.world = Some(world);
        core.history = Some(history);
        Ok(())
    }

    /// The world cannot be kept: the simulation ends, and its clients are told so.
    pub(super) async fn lose(&mut self) {
        let sim_id = self.simulation.id();
        if let Some(journal) = self.simulation.shared.journal() {
            tracing::error!(%sim_id, "the world of {sim_id} could not be made again here, its journal is left to whoever is asked for it");
            let token = self.simulation.shared.claim.token();
            drop(journal.let_go(sim_id, &token, None).await);
            self.simulations.lose_to_another(&self.simulation);
            self.is_closing = true;
            return;
        }
        tracing::error!(%sim_id, "the world of {sim_id} could not be made again, it is lost");
        self.simulations
            .end(&self.simulation, Ending::Lost, None)
            .await;
        self.is_closing = true;
    }

    /// A great world takes a while to drop.
    async fn drop_world(&mut self) {
        let gone = {
            let mut core = self.core();
            // With whoever waits for what is pending: they hold what holds the core.
            let mut journalling = core.journalling.take();
            let pending = journalling.as_mut().and_then(|it| it.pending.take());
            if let Some(pending) = pending {
                let unknown = Err(SimulationError::OutcomeUnknown);
                answer(&mut core, pending.client, unknown, &self.simulation.shared);
            }
            let world = core.world.take();
            (world, core.history.take(), core.view.take(), journalling)
        };
        let pool = self.simulation.pool();
        let _ = pool.run(move || drop(gone)).await;
    }

    fn next_deadline(&self) -> tokio::time::Instant {
        let shared = &self.simulation.shared;
        let services = &shared.services;
        let next = if self.is_frozen() {
            shared.expires().min(self.hibernates())
        } else {
            let freezes = shared.last_access() + services.freeze_after;
            freezes.min(shared.expires())
        };
        services.clock.instant(next)
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.simulation.shared.is_frozen.load(Ordering::Relaxed)
    }

    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        self.simulation.shared.core()
    }

    /// Work that goes on counts as an access, in the registry, too.
    pub(super) fn touch(&self) {
        self.simulation.shared.touch(self.now());
        self.simulations.note(&self.simulation);
    }

    pub(super) fn now(&self) -> Moment {
        self.simulation.shared.services.clock.now()
    }
}

/// Answers a client, and remembers the answer if it may ask again.
pub(super) fn answer(
    core: &mut Core,
    client: Client,
    result: Result<Reply, SimulationError>,
    shared: &Shared,
) {
    let Client { key, reply, .. } = client;
    if let (Some((key, _in_flight)), Ok(done)) = (key, &result)
        && !done.is_replayed
    {
        core.remember(key, done, shared.services.unix_micros());
    }
    // Whoever asked may have stopped waiting; what is applied is applied all the same.
    drop(reply.send(result));
}
