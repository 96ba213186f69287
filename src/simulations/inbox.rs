//! What waits for a simulation's task: bounded, and small while nothing does.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
};

use tokio::sync::{Notify, oneshot};

use super::{
    error::SimulationError,
    handle::{Seen, Ticket},
    idempotency::{IdempotencyKey, KeyInFlight},
    reply::Reply,
};
use crate::physics::Command;

/// How many clients may wait to be shown the state.
const MAX_SPECTATORS: usize = 1024;

/// A command on its way to the task.
pub(super) struct CommandRequest {
    pub(super) command: Command,
    pub(super) key: Option<(IdempotencyKey, KeyInFlight)>,
    pub(super) ticket: std::sync::Arc<Ticket>,
    pub(super) reply: oneshot::Sender<Result<Reply, SimulationError>>,
}

/// What a task is told. All but commands are attended to even while the world is being stepped.
pub(super) enum Message {
    /// Come to an end.
    Close,
    /// Look at the deadlines again.
    Rearm,
    /// Show the last committed state.
    Show(oneshot::Sender<Seen>),
    /// Change the world.
    Command(Box<CommandRequest>),
}

/// Why a message was not taken.
pub(super) enum Refusal {
    /// As many wait already as the limit allows.
    Full {
        /// Its name.
        limit: &'static str,
        /// Its value.
        maximum: usize,
    },
    /// The task has ended.
    Closed,
}

/// The way from handles to the one task that reads.
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Notify,
    max_commands: usize,
}

#[derive(Default)]
struct Waiting {
    commands: VecDeque<Box<CommandRequest>>,
    spectators: VecDeque<oneshot::Sender<Seen>>,
    rearm: bool,
    close: bool,
    is_closed: bool,
}

impl Inbox {
    /// An inbox that holds up to `max_commands` commands.
    pub(super) fn new(max_commands: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            arrived: Notify::new(),
            max_commands,
        }
    }

    /// Puts a message in, or refuses it at once.
    pub(super) fn send(&self, message: Message) -> Result<(), Refusal> {
        let mut waiting = self.waiting();
        if waiting.is_closed {
            return Err(Refusal::Closed);
        }
        match message {
            Message::Close => waiting.close = true,
            Message::Rearm => waiting.rearm = true,
            Message::Show(spectator) => {
                if waiting.spectators.len() >= MAX_SPECTATORS {
                    return Err(Refusal::Full {
                        limit: "MAX_SPECTATORS",
                        maximum: MAX_SPECTATORS,
                    });
                }
                waiting.spectators.push_back(spectator);
            }
            Message::Command(request) => {
                if waiting.commands.len() >= self.max_commands {
                    return Err(Refusal::Full {
                        limit: "MAX_QUEUE_PER_SIMULATION",
                        maximum: self.max_commands,
                    });
                }
                waiting.commands.push_back(request);
            }
        }
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// The next message. Commands come last, in the order they were sent.
    pub(super) async fn next(&self) -> Message {
        self.next_of(Waiting::pop).await
    }

    /// The next message that is no command.
    pub(super) async fn next_urgent(&self) -> Message {
        self.next_of(Waiting::pop_urgent).await
    }

    /// Takes no more messages, and drops those that wait.
    pub(super) fn close(&self) {
        *self.waiting() = Waiting {
            is_closed: true,
            ..Waiting::default()
        };
    }

    /// Waits for what `pop` finds. Safe to drop while it waits: nothing is taken out before.
    async fn next_of(&self, pop: fn(&mut Waiting) -> Option<Message>) -> Message {
        loop {
            if let Some(message) = pop(&mut self.waiting()) {
                return message;
            }
            self.arrived.notified().await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no holder of this lock panics")
    }
}

impl Waiting {
    fn pop(&mut self) -> Option<Message> {
        let command = |waiting: &mut Self| waiting.commands.pop_front().map(Message::Command);
        self.pop_urgent().or_else(|| command(self))
    }

    fn pop_urgent(&mut self) -> Option<Message> {
        if std::mem::take(&mut self.close) {
            return Some(Message::Close);
        }
        if std::mem::take(&mut self.rearm) {
            return Some(Message::Rearm);
        }
        self.spectators.pop_front().map(Message::Show)
    }
}
