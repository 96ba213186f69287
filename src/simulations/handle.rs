//! The way to one live simulation: one method per question, answered by its task.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::sync::oneshot;

use super::{
    committed::Seen,
    core::{Attempt, Left, MAX_BODIES_IN_PLACE},
    error::SimulationError,
    idempotency::{IdempotencyKey, KeyInFlight},
    inbox::{CommandRequest, Message, Refusal},
    record::{Labels, SimulationRecord},
    reply::{Reply, json, state_body},
    shared::Shared,
    task::Client,
    ticket::Ticket,
};
use crate::{
    id::{BodyId, JointId, SimulationId},
    physics::{Command, PhysicsError, View},
};

/// A live simulation. Cheap to clone.
#[derive(Clone)]
pub struct SimulationHandle {
    pub(super) shared: Arc<Shared>,
}

impl SimulationHandle {
    /// Its name.
    pub fn id(&self) -> &SimulationId {
        &self.shared.id
    }

    /// How many commands it has seen, and how many steps it has taken.
    pub fn progress(&self) -> (u64, u64) {
        let committed = self.shared.committed();
        (committed.seq, committed.step)
    }

    /// Changes the world, or is told why not.
    pub async fn execute(
        &self,
        command: Command,
        key: Option<IdempotencyKey>,
    ) -> Result<Reply, SimulationError> {
        let key = match key {
            Some(key) => {
                let in_flight = KeyInFlight::take(&self.shared, &key)?;
                Some((key, in_flight))
            }
            None => None,
        };
        let left = match self.attempt(command, key.as_ref().map(|(key, _)| key)) {
            Attempt::Answered(result) => return result,
            Attempt::Left(left) => left,
        };
        let ticket = Arc::new(Ticket::default());
        let (reply, receiver) = oneshot::channel();
        let client = Client { key, reply };
        let message = match left {
            Left::Unbegun(command) => Message::Command(Box::new(CommandRequest {
                command,
                client,
                ticket: Arc::clone(&ticket),
                sent: self.shared.services.clock.now(),
            })),
            Left::Begun(progress) => {
                ticket.begin();
                Message::CarryOn(client, Box::new(progress))
            }
        };
        self.send(message)?;
        let answered = tokio::time::timeout(self.shared.services.request_timeout, receiver).await;
        match answered {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(self.gone()),
            Err(_) if ticket.abandon() => Err(SimulationError::Overloaded),
            Err(_) => Err(SimulationError::OutcomeUnknown),
        }
    }

    /// Carries a small command out here and now, if nobody else is at it and nobody waits.
    fn attempt(&self, command: Command, key: Option<&IdempotencyKey>) -> Attempt {
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
        let attempt = core.attempt(shared, command, self.shared.services.limits);
        if let (Some(key), Attempt::Answered(Ok(reply))) = (key, &attempt) {
            core.remember(key.clone(), reply, self.shared.services.clock.now());
        }
        if core.wants_snapshot() {
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
            Some(joint) => Ok(json(joint)),
            None => Err(PhysicsError::JointNotFound(id).into()),
        })
        .await
    }

    /// What is registered of it, and where it stands. Never waits.
    pub fn record(&self) -> SimulationRecord {
        SimulationRecord::of(self)
    }

    /// Gives it other labels or another TTL.
    pub fn reregister(&self, labels: Option<Labels>, ttl: Option<Duration>) {
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

    pub(super) fn close(&self) {
        // A closed task is what is asked for.
        let _ = self.shared.inbox.send(Message::Close);
    }

    async fn ask(
        &self,
        question: impl FnOnce(&View) -> Result<bytes::Bytes, SimulationError> + Send + 'static,
    ) -> Result<Reply, SimulationError> {
        let Seen { view, seq } = self.view().await?;
        let step = view.steps();
        let body = if view.body_count() > MAX_BODIES_IN_PLACE {
            self.shared
                .services
                .pool
                .run(move || question(&view))
                .await??
        } else {
            question(&view)?
        };
        Ok(Reply {
            body,
            seq,
            step,
            is_replayed: false,
        })
    }

    async fn view(&self) -> Result<Seen, SimulationError> {
        // A world that is being stepped elsewhere has left a view behind, a frozen one has not.
        let seen = self.shared.core().seen(&self.shared);
        if let Some(seen) = seen {
            return Ok(seen);
        }
        let (sender, receiver) = oneshot::channel();
        self.send(Message::Show(sender))?;
        match tokio::time::timeout(self.shared.services.request_timeout, receiver).await {
            Ok(shown) => shown.map_err(|_| self.gone()),
            Err(_) => Err(SimulationError::Overloaded),
        }
    }

    fn send(&self, message: Message) -> Result<(), SimulationError> {
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

    /// The task has ended while a request was on its way: the simulation is gone, or the process
    /// is about to be.
    pub(super) fn gone(&self) -> SimulationError {
        if self.shared.services.is_draining.load(Ordering::Acquire) {
            return SimulationError::OutcomeUnknown;
        }
        SimulationError::NotFound(self.id().clone())
    }
}

impl fmt::Debug for SimulationHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("SimulationHandle")
            .field(self.id())
            .finish()
    }
}
