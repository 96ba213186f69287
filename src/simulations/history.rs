//! How a world came about: a snapshot and the commands since, from which it can be made again.
//!
//! A world is undone to before a command that the engine failed on, and an idle world is frozen,
//! by keeping only its history.

use std::time::{Duration, Instant};

use super::step_pool::contained;
use crate::physics::{Command, EngineFault, Run, Snapshot, Steps, World, WorldConfig, WorldLimits};

/// How much stepping a replay may cost before a new snapshot is taken.
const REPLAY_BUDGET: Duration = Duration::from_millis(500);
/// How many commands a replay may take before a new snapshot is taken.
const MAX_COMMANDS: usize = 1024;

/// The past of one world.
pub(super) struct History {
    config: WorldConfig,
    snapshot: Option<Snapshot>,
    commands: Vec<Command>,
    replay_cost: Duration,
}

/// A world that is being made again from its history.
pub(super) struct Replay {
    history: History,
    limits: WorldLimits,
    world: Box<World>,
    next: usize,
    run: Option<Run>,
}

impl History {
    /// The past of a world that is empty yet.
    pub(super) fn new(config: WorldConfig) -> Self {
        Self {
            config,
            snapshot: None,
            commands: Vec::new(),
            replay_cost: Duration::ZERO,
        }
    }

    /// Adds a command that was applied in `cost`.
    pub(super) fn push(&mut self, command: Command, cost: Duration) {
        self.replay_cost += cost;
        // What was recorded is no part of the world.
        let command = if let Command::Record(_, recording) = command {
            Command::Step(recording.steps)
        } else {
            command
        };
        if let (Command::Step(more), Some(Command::Step(last))) =
            (&command, self.commands.last_mut())
            && let Some(count) = last.count.checked_add(more.count)
            && last.dt.map(f64::to_bits) == more.dt.map(f64::to_bits)
        {
            *last = Steps { count, ..*last };
            return;
        }
        self.commands.push(command);
    }

    /// Whether a snapshot of `world`, as it is now, should replace what is kept.
    pub(super) fn wants_snapshot(&self, world: &World) -> bool {
        let long = self.replay_cost >= REPLAY_BUDGET || self.commands.len() >= MAX_COMMANDS;
        long && world.is_settled()
    }

    /// Begins anew with a snapshot of `world`, which must be settled.
    pub(super) fn rebase(&mut self, snapshot: Snapshot) {
        self.snapshot = Some(snapshot);
        self.commands = Vec::new();
        self.replay_cost = Duration::ZERO;
    }

    /// Gives back the room that lists keep in reserve.
    pub(super) fn shrink(&mut self) {
        self.commands.shrink_to_fit();
    }

    /// Begins to make the world again.
    pub(super) fn replay(self, limits: WorldLimits) -> Result<Replay, EngineFault> {
        let world = match &self.snapshot {
            None => World::new(self.config),
            Some(snapshot) => match snapshot.restore() {
                Ok(world) => world,
                Err(error) => {
                    tracing::error!(%error, "a snapshot in memory cannot be restored");
                    return Err(EngineFault);
                }
            },
        };
        Ok(Replay {
            history: self,
            limits,
            world: Box::new(world),
            next: 0,
            run: None,
        })
    }
}

impl Replay {
    /// Goes on for about `budget`; whether the world is complete.
    pub(super) fn advance(&mut self, budget: Duration) -> Result<bool, EngineFault> {
        let begun = Instant::now();
        contained(|| {
            loop {
                while let Some(run) = self.run.as_mut().filter(|run| !run.is_done()) {
                    if begun.elapsed() >= budget {
                        return Ok(false);
                    }
                    self.world.advance(run);
                }
                self.run = None;
                let Some(command) = self.history.commands.get(self.next) else {
                    return Ok(true);
                };
                self.next += 1;
                let run = self.world.start(command, &unlimited_steps(self.limits));
                self.run = Some(run.map_err(|_| EngineFault)?);
            }
        })?
    }

    /// The world that was made, and its history.
    pub(super) fn into_parts(self) -> (Box<World>, History) {
        (self.world, self.history)
    }
}

/// Steps of several requests stand as one command in a history.
fn unlimited_steps(limits: WorldLimits) -> WorldLimits {
    WorldLimits {
        max_steps: u32::MAX,
        max_frames: u32::MAX,
        ..limits
    }
}
