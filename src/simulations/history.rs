//! How a world came about: a snapshot and the commands since, from which it can be made again.
//!
//! A world is undone to before a command that the engine failed on, and an idle world is frozen,
//! by keeping only its history.

use std::time::Duration;

use super::step_pool::contained;
use crate::{
    clock::Clock,
    physics::{
        Assets, Command, EngineFault, PhysicsError, Run, Snapshot, Steps, World, WorldConfig,
        WorldLimits,
    },
};

/// How much stepping a replay may cost before a new snapshot is taken.
const REPLAY_BUDGET: Duration = Duration::from_millis(500);
/// How many commands a replay may take before a new snapshot is taken.
const MAX_COMMANDS: usize = 1024;

/// How many commands there may be since the last snapshot, which takes a step.
const MAX_CHANGES: usize = 16 * MAX_COMMANDS;

/// The past of one world.
#[derive(Clone)]
pub(super) struct History {
    config: WorldConfig,
    snapshot: Option<Snapshot>,
    commands: Vec<Command>,
    /// What all of these need.
    assets: Assets,
    replay_cost: Duration,
}

/// A world that is being made again from its history.
pub(super) struct Replay {
    clock: Clock,
    history: History,
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
            assets: Assets::default(),
            replay_cost: Duration::ZERO,
        }
    }

    /// The past of a world that was written down.
    pub(super) fn from_parts(
        config: WorldConfig,
        snapshot: Option<Snapshot>,
        commands: Vec<Command>,
        assets: Assets,
    ) -> Self {
        Self {
            config,
            snapshot,
            commands,
            assets,
            replay_cost: Duration::ZERO,
        }
    }

    /// All of it, to be written down.
    pub(super) fn parts(&self) -> (WorldConfig, Option<&Snapshot>, &[Command]) {
        (self.config, self.snapshot.as_ref(), &self.commands)
    }

    /// The assets that it takes to make the world again.
    pub(super) fn assets(&self) -> &Assets {
        &self.assets
    }

    /// Adds a command that was applied to `world` in `cost`.
    pub(super) fn push(&mut self, command: Command, cost: Duration, world: &World) {
        self.replay_cost += cost;
        if !command.assets().is_empty() {
            self.assets.extend(world.assets());
        }
        // What was recorded is no part of the world.
        let command = command.unobserved();
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

    /// Refuses a change to a world that was changed so often without a step that no snapshot could
    /// be taken.
    pub(super) fn admit(&self) -> Result<(), PhysicsError> {
        let used = self.commands.len();
        if used < MAX_CHANGES {
            return Ok(());
        }
        Err(PhysicsError::LimitExceeded {
            limit: "MAX_CHANGES_WITHOUT_STEP",
            maximum: MAX_CHANGES,
            used: used + 1,
        })
    }

    /// Whether a snapshot should replace what is kept.
    pub(super) fn is_long(&self) -> bool {
        self.replay_cost >= REPLAY_BUDGET || self.commands.len() >= MAX_COMMANDS
    }

    /// Begins anew with a snapshot of `world`, which must be settled.
    pub(super) fn rebase(&mut self, snapshot: Snapshot, world: &World) {
        self.snapshot = Some(snapshot);
        self.assets = world.assets_in_use();
        self.commands = Vec::new();
        self.replay_cost = Duration::ZERO;
    }

    /// Gives back the room that lists keep in reserve.
    pub(super) fn shrink(&mut self) {
        self.commands.shrink_to_fit();
    }

    /// Begins to make the world again.
    pub(super) fn replay(self, clock: Clock) -> Result<Replay, EngineFault> {
        let mut world = match &self.snapshot {
            None => World::new(self.config),
            Some(snapshot) => match snapshot.restore(&self.assets) {
                Ok(world) => world,
                Err(error) => {
                    tracing::error!(%error, "a snapshot in memory cannot be restored");
                    return Err(EngineFault);
                }
            },
        };
        world.provide(&self.assets);
        Ok(Replay {
            clock,
            history: self,
            world: Box::new(world),
            next: 0,
            run: None,
        })
    }
}

impl Replay {
    /// Goes on for about `budget`; whether the world is complete.
    pub(super) fn advance(&mut self, budget: Duration) -> Result<bool, EngineFault> {
        let begun = self.clock.stopwatch();
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
                let run = self.world.start(command, &WorldLimits::unlimited());
                self.run = Some(run.map_err(|_| EngineFault)?);
            }
        })?
    }

    /// The world that was made, and its history.
    pub(super) fn into_parts(self) -> (Box<World>, History) {
        (self.world, self.history)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::WorldPatch;

    #[test]
    fn changes_without_a_step_are_bounded_and_a_snapshot_makes_room() {
        let world = World::new(WorldConfig::default());
        let mut history = History::new(WorldConfig::default());
        for _ in 0..MAX_CHANGES {
            assert!(history.admit().is_ok());
            let change = Command::Configure(WorldPatch::default());
            history.push(change, Duration::ZERO, &world);
        }

        let refused = history.admit().unwrap_err();
        assert!(matches!(
            refused,
            PhysicsError::LimitExceeded { used, .. } if used == MAX_CHANGES + 1
        ));
        history.rebase(Snapshot::take(&world), &world);
        assert!(history.admit().is_ok());
    }
}
