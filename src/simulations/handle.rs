//! The way to one live simulation: one method per question, answered by its task.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::sync::oneshot;

use super::{
    committed::{Position, Seen},
    core::{Attempt, Left, MAX_BODIES_IN_PLACE, MAX_LISTED_ITEMS_IN_PLACE},
    durability::Durability,
    error::SimulationError,
    idempotency::{IdempotencyKey, KeyInFlight},
    inbox::{CommandRequest, Message, Refusal},
    record::{Labels, SimulationRecord},
    reply::{Reply, json, state_body},
    shared::Shared,
    step_pool::StepPool,
    task::Client,
    terms::{Precondition, Terms},
    ticket::Ticket,
    work::Progress,
    writing::{Rest, write_in_place},
};
use crate::{
    clock::Moment,
    id::{BodyId, ControllerId, JointId, Payer, SimulationId},
    journal::{Journal, JournalError},
    physics::{Command, PhysicsError, View},
    registry::Head,
};

/// How often whoever waits for a command to be written down looks whether it can be at all.
const JOURNAL_CHECK: Duration = Duration::from_millis(500);

/// A live simulation. Cheap to clone.
#[derive(Clone)]
pub struct SimulationHandle {
    pub(super) shared: Arc<Shared>,
    /// On whose account it is used.
    pub(super) payer: Payer,
}

impl SimulationHandle {
    /// Its name.
    pub fn id(&self) -> &SimulationId {
        &self.shared.id
    }

    /// The same simulation, used on somebody's account.
    #[must_use]
    pub fn paid_by(mut self, payer: Payer) -> Self {
        self.payer = payer;
        self
    }

    /// Where something is computed for whoever uses it.
    pub fn pool(&self) -> StepPool {
        self.shared.services.pool.paid_by(self.payer)
    }

    /// What it survives.
    pub fn durability(&self) -> Durability {
        self.shared.durability
    }

    /// Where it stands.
    pub fn position(&self) -> Position {
        self.shared.committed().position()
    }

    /// Changes the world, or is told why not.
    pub async fn execute(
        &self,
        command: Command,
        terms: impl Into<Terms>,
    ) -> Result<Reply, SimulationError> {
        let Terms {
            key,
            precondition,
            deadline,
        } = terms.into();
        self.admit(&command, deadline)?;
        let _held = self.fetch_assets(&command).await?;
        let key = match key {
            Some(key) => {
                let in_flight = KeyInFlight::take(&self.shared, &key)?;
                Some((key, in_flight))
            }
            None => None,
        };
        if let Some(journal) = self.shared.journal() {
            let (client, receiver) = Client::new(key, precondition);
            return self
                .write(journal, command, client, receiver, deadline)
                .await;
        }
        let known = key.as_ref().map(|(key, _)| key);
        let left = match self.attempt(command, known, precondition.as_ref()) {
            Attempt::Answered(result) => return result,
            Attempt::Left(left) => left,
        };
        let (client, receiver) = Client::new(key, precondition);
        let ticket = Arc::new(Ticket::default());
        let message = match left {
            Left::Unbegun(command) => self.handed_on(command, client, &ticket)?,
            Left::Begun(progress) => {
                ticket.begin();
                Message::CarryOn(client, Box::new(progress))
            }
        };
        self.send(message)?;
        self.answer(receiver, &ticket, deadline).await
    }

    /// Changes the world of a simulation that is written down.
    async fn write(
        &self,
        journal: &Arc<dyn Journal>,
        command: Command,
        client: Client,
        receiver: oneshot::Receiver<Result<Reply, SimulationError>>,
        deadline: Option<Moment>,
    ) -> Result<Reply, SimulationError> {
        if !journal.is_reachable() {
            return Err(unreachable_journal().into());
        }
        let ticket = Arc::new(Ticket::default());
        if let Err(rest) = self.try_write(journal, command, client) {
            let message = match rest {
                Rest::Unbegun(command, client) => self.handed_on(command, client, &ticket)?,
                Rest::Failed(client, fault) => {
                    ticket.begin();
                    Message::CarryOn(client, Box::new(Progress::Failed(fault)))
                }
            };
            self.send(message)?;
        } else {
            ticket.begin();
        }
        self.answer_written(journal, receiver, &ticket, deadline)
            .await
    }

    /// A command that is left for the task, unless too much waits already.
    fn handed_on(
        &self,
        command: Command,
        client: Client,
        ticket: &Arc<Ticket>,
    ) -> Result<Message, SimulationError> {
        self.press(&command, &client)?;
        Ok(Message::Command(Box::new(CommandRequest {
            command,
            client,
            payer: self.payer,
            ticket: Arc::clone(ticket),
            sent: self.shared.services.clock.now(),
        })))
    }

    /// The same for a command that is written down: nobody is kept waiting for a journal that is
    /// not there.
    async fn answer_written(
        &self,
        journal: &Arc<dyn Journal>,
        mut receiver: oneshot::Receiver<Result<Reply, SimulationError>>,
        ticket: &Ticket,
        deadline: Option<Moment>,
    ) -> Result<Reply, SimulationError> {
        let services = &self.shared.services;
        let until = self.patience(deadline);
        let mut is_missing = false;
        loop {
            let patience = until.since(services.clock.now()).min(JOURNAL_CHECK);
            if let Ok(answered) = tokio::time::timeout(patience, &mut receiver).await {
                return answered.unwrap_or_else(|_| Err(self.gone()));
            }
            if services.clock.now() >= until {
                return Err(if ticket.abandon() {
                    self.not_begun(deadline)
                } else {
                    SimulationError::OutcomeUnknown
                });
            }
            let was_missing = std::mem::replace(&mut is_missing, !journal.is_reachable());
            if is_missing && ticket.abandon() {
                return Err(unreachable_journal().into());
            }
            if is_missing && was_missing {
                return Err(SimulationError::OutcomeUnknown);
            }
        }
    }

    /// Carries a small command out here and now, if nobody else is at it and nobody waits.
    #[expect(clippy::result_large_err, reason = "what is left is moved on at once")]
    fn try_write(
        &self,
        journal: &Arc<dyn Journal>,
        command: Command,
        client: Client,
    ) -> Result<(), Rest> {
        let shared = &self.shared;
        if command.steps() > 1 || !shared.inbox.is_idle() {
            return Err(Rest::Unbegun(command, client));
        }
        match shared.core.try_lock() {
            Ok(mut core) if !core.is_attended() => {
                write_in_place(shared, journal, &mut core, command, client)
            }
            Ok(_) | Err(_) => Err(Rest::Unbegun(command, client)),
        }
    }

    /// What became of a command, once that is known.
    async fn answer(
        &self,
        receiver: oneshot::Receiver<Result<Reply, SimulationError>>,
        ticket: &Ticket,
        deadline: Option<Moment>,
    ) -> Result<Reply, SimulationError> {
        let patience = match deadline {
            None => self.shared.services.request_timeout,
            Some(_) => self
                .patience(deadline)
                .since(self.shared.services.clock.now()),
        };
        let answered = tokio::time::timeout(patience, receiver).await;
        match answered {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(self.gone()),
            Err(_) if ticket.abandon() => Err(self.not_begun(deadline)),
            Err(_) => Err(SimulationError::OutcomeUnknown),
        }
    }

    /// Carries a small command out here and now, if nobody else is at it and nobody waits.
    fn attempt(
        &self,
        command: Command,
        key: Option<&IdempotencyKey>,
        precondition: Option<&Precondition>,
    ) -> Attempt {
        let shared = &self.shared;
        // More than one step might have to be put off half done, and only the task may put off: it
        // would take a world that is on its way to it for frozen, and make it a second time.
        if command.steps() > 1 || !shared.inbox.is_idle() {
            return Attempt::Left(Left::Unbegun(command));
        }
        let Ok(mut core) = shared.core.try_lock() else {
            return Attempt::Left(Left::Unbegun(command));
        };
        if let Some(recalled) = key.and_then(|key| core.recall(key)) {
            return Attempt::Answered(recalled);
        }
        if let Err(unmet) = shared.check(precondition) {
            return Attempt::Answered(Err(unmet));
        }
        let attempt = core.attempt(shared, command);
        if let (Some(key), Attempt::Answered(Ok(reply))) = (key, &attempt) {
            core.remember(key.clone(), reply, shared.services.unix_micros());
        }
        if core.wants_snapshot(shared) {
            // A closed task has nothing to look after.
            let _ = shared.inbox.send(Message::Tend);
        }
        attempt
    }

    /// The state.
    pub async fn state(&self) -> Result<Reply, SimulationError> {
        let id = self.id().clone();
        self.ask(move |view| Ok(state_body(view, &id))).await
    }

    /// All bodies.
    pub async fn bodies(&self) -> Result<Reply, SimulationError> {
        #[derive(serde::Serialize)]
        struct Bodies<T> {
            bodies: T,
        }
        self.ask(|view| {
            Ok(json(&Bodies {
                bodies: view.bodies(),
            }))
        })
        .await
    }

    /// One body.
    pub async fn body(&self, id: BodyId) -> Result<Reply, SimulationError> {
        self.ask(move |view| match view.body(&id) {
            Some(body) => Ok(json(&body)),
            None => Err(PhysicsError::BodyNotFound(id).into()),
        })
        .await
    }

    /// All joints.
    pub async fn joints(&self) -> Result<Reply, SimulationError> {
        #[derive(serde::Serialize)]
        struct Joints<T> {
            joints: T,
        }
        self.ask(|view| {
            Ok(json(&Joints {
                joints: view.joints(),
            }))
        })
        .await
    }

    /// One joint.
    pub async fn joint(&self, id: JointId) -> Result<Reply, SimulationError> {
        self.ask(move |view| match view.joint(&id) {
            Some(joint) => Ok(json(&joint)),
            None => Err(PhysicsError::JointNotFound(id).into()),
        })
        .await
    }

    /// What happened after the event with the number `after`, at most `limit` events.
    pub async fn events(&self, after: u64, limit: usize) -> Result<Reply, SimulationError> {
        self.ask(move |view| Ok(json(&view.events(after, limit))))
            .await
    }

    /// All controllers.
    pub async fn controllers(&self) -> Result<Reply, SimulationError> {
        #[derive(serde::Serialize)]
        struct Controllers<T> {
            controllers: T,
        }
        self.ask(|view| {
            Ok(json(&Controllers {
                controllers: view.controllers(),
            }))
        })
        .await
    }

    /// One controller.
    pub async fn controller(&self, id: ControllerId) -> Result<Reply, SimulationError> {
        self.ask(move |view| match view.controller(&id) {
            Some(controller) => Ok(json(&controller)),
            None => Err(PhysicsError::ControllerNotFound(id).into()),
        })
        .await
    }

    /// What is registered of it, and where it stands. Never waits.
    pub fn record(&self) -> SimulationRecord {
        SimulationRecord::of(self)
    }

    /// Gives it other labels or another TTL.
    pub(super) fn reregister(&self, labels: Option<Labels>, ttl: Option<Duration>) {
        if let Some(labels) = labels {
            *self.shared.labels.lock().expect("no holder panics") = Arc::new(labels);
        }
        if let Some(ttl) = ttl {
            self.shared.set_ttl(ttl);
        }
        self.shared.claim.is_outdated.store(true, Ordering::Release);
        // A closed task has no deadlines left, and nothing to tell the registry.
        let _ = self.shared.inbox.send(Message::Tend);
    }

    /// Its labels.
    pub fn labels(&self) -> Arc<Labels> {
        Arc::clone(&self.shared.labels.lock().expect("no holder panics"))
    }

    /// Counts a request as an access.
    pub fn touch(&self) {
        self.shared.touch(self.shared.services.clock.now());
    }

    /// Has the task look after the journal unless that was found where the simulation has been since it
    /// was asked; it stood at `before` then.
    pub(super) fn compare_journal(&self, before: Head, found: Option<Head>) {
        let now = self.position().head;
        let is_elsewhere = found.is_none_or(|found| {
            let is_between = (before.seq..=now.seq).contains(&found.seq);
            !is_between || found.seq == before.seq && found != before
        });
        if self.shared.journal().is_some() && is_elsewhere {
            let doubt = &self.shared.is_journal_in_doubt;
            doubt.store(true, Ordering::Release);
            // A closed task has nothing to look after.
            let _ = self.shared.inbox.send(Message::Tend);
        }
    }

    pub(super) fn close(&self) {
        // A closed task is what is asked for.
        let _ = self.shared.inbox.send(Message::Close);
    }

    pub(super) async fn ask(
        &self,
        question: impl FnOnce(&View) -> Result<bytes::Bytes, SimulationError> + Send + 'static,
    ) -> Result<Reply, SimulationError> {
        let seen = self.view().await?;
        self.ask_of(seen, question).await
    }

    /// Answers a question about what was seen.
    pub(super) async fn ask_of(
        &self,
        Seen { view, position }: Seen,
        question: impl FnOnce(&View) -> Result<bytes::Bytes, SimulationError> + Send + 'static,
    ) -> Result<Reply, SimulationError> {
        let is_long = view.body_count() > MAX_BODIES_IN_PLACE
            || view.listed_items() > MAX_LISTED_ITEMS_IN_PLACE;
        let body = if is_long {
            self.pool().run_brief(move || question(&view)).await??
        } else {
            question(&view)?
        };
        Ok(Reply {
            body,
            position,
            is_replayed: false,
        })
    }

    pub(super) async fn view(&self) -> Result<Seen, SimulationError> {
        // A world that is being stepped elsewhere has left a view behind, a frozen one has not.
        let seen = self.shared.core().seen(&self.shared);
        match seen {
            Some(seen) => Ok(seen),
            None => self.shown().await,
        }
    }

    /// The last committed state with every contact.
    pub(super) async fn view_closely(&self) -> Result<Seen, SimulationError> {
        let seen = self.shared.core().seen_closely(&self.shared);
        match seen {
            Some(seen) => Ok(seen),
            None => self.shown().await,
        }
    }

    /// What the task shows: the last committed state, looked at closely.
    async fn shown(&self) -> Result<Seen, SimulationError> {
        let (sender, receiver) = oneshot::channel();
        self.send(Message::Show(sender))?;
        match tokio::time::timeout(self.shared.services.request_timeout, receiver).await {
            Ok(shown) => shown.unwrap_or_else(|_| Err(self.gone())),
            Err(_) => Err(SimulationError::Overloaded),
        }
    }

    pub(super) fn send(&self, message: Message) -> Result<(), SimulationError> {
        let sent = self.shared.inbox.send(message);
        sent.map_err(|refusal| match refusal {
            Refusal::Full { limit, maximum } => SimulationError::Busy {
                id: self.id().clone(),
                limit,
                maximum,
            },
            Refusal::Closed => self.gone(),
        })
    }
}

fn unreachable_journal() -> JournalError {
    JournalError::Unavailable("it has not answered lately".to_owned())
}

impl fmt::Debug for SimulationHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("SimulationHandle")
            .field(self.id())
            .finish()
    }
}
