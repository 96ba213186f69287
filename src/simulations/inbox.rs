//! What waits for a simulation's task: bounded, and small while nothing does.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::{Notify, oneshot};

use super::{
    committed::Seen, departure::Departure, error::SimulationError, task::Client, ticket::Ticket,
    work::Progress,
};
use crate::{clock::Moment, id::Payer, physics::Command};

/// How many clients may wait to be shown the state.
const MAX_SPECTATORS: usize = 1024;

/// Where somebody waits to be shown the state.
pub(super) type Spectator = oneshot::Sender<Result<Seen, SimulationError>>;

/// A command on its way to the task.
pub(super) struct CommandRequest {
    pub(super) command: Command,
    pub(super) client: Client,
    pub(super) payer: Payer,
    pub(super) ticket: Arc<Ticket>,
    pub(super) sent: Moment,
}

/// What a task is told.
pub(super) enum Message {
    /// Come to an end.
    Close,
    /// Look after deadlines and snapshots.
    Tend,
    /// Show the last committed state of a world that is not at home.
    Show(Spectator),
    /// Change the world.
    Command(Box<CommandRequest>),
    /// Finish what was begun.
    CarryOn(Client, Box<Progress>),
    /// Leave this instance, once nothing waits any more.
    Leave(Departure),
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
    /// Whether what is being carried out is to be put down half done.
    interrupt: AtomicBool,
    max_commands: usize,
}

#[derive(Default)]
struct Waiting {
    commands: VecDeque<Box<CommandRequest>>,
    spectators: VecDeque<Spectator>,
    /// At most one: a world has one command under way.
    begun: Option<(Client, Box<Progress>)>,
    tend: bool,
    close: bool,
    leave: Option<Departure>,
    is_closed: bool,
}

impl Inbox {
    /// An inbox that holds up to `max_commands` commands.
    pub(super) fn new(max_commands: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            arrived: Notify::new(),
            interrupt: AtomicBool::new(false),
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
            Message::Tend => waiting.tend = true,
            Message::Leave(departure) => waiting.leave = Some(departure),
            Message::CarryOn(client, progress) => waiting.begun = Some((client, progress)),
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

    /// Whether no command waits.
    pub(super) fn is_idle(&self) -> bool {
        let waiting = self.waiting();
        waiting.commands.is_empty() && waiting.begun.is_none()
    }

    /// Whether the task has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.waiting().is_closed
    }

    /// Has the task put down what it is carrying out.
    pub(super) fn interrupt(&self) {
        self.interrupt.store(true, Ordering::Release);
    }

    /// Has the task carry on with what comes.
    pub(super) fn resume(&self) {
        self.interrupt.store(false, Ordering::Release);
    }

    /// Whether the task is to put down what it is carrying out.
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupt.load(Ordering::Acquire) || self.waiting().close
    }

    /// The next message. Commands come last, in the order they were sent. Safe to drop while it
    /// waits: nothing is taken out before.
    pub(super) async fn next(&self) -> Message {
        loop {
            if let Some(message) = self.waiting().pop() {
                return message;
            }
            self.arrived.notified().await;
        }
    }

    /// Takes no more messages, and drops those that wait.
    pub(super) fn close(&self) {
        *self.waiting() = Waiting {
            is_closed: true,
            ..Waiting::default()
        };
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no holder of this lock panics")
    }
}

impl Waiting {
    fn pop(&mut self) -> Option<Message> {
        if std::mem::take(&mut self.close) {
            return Some(Message::Close);
        }
        if let Some((client, progress)) = self.begun.take() {
            return Some(Message::CarryOn(client, progress));
        }
        if std::mem::take(&mut self.tend) {
            return Some(Message::Tend);
        }
        if let Some(spectator) = self.spectators.pop_front() {
            return Some(Message::Show(spectator));
        }
        if let Some(command) = self.commands.pop_front() {
            return Some(Message::Command(command));
        }
        self.leave.take().map(Message::Leave)
    }
}
