//! A batch under way: which command is due when, and what came of each.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Batch, Observation, placed};
use crate::physics::{
    command::{Command, Outcome, Steps},
    draft::Draft,
    error::PhysicsError,
    limits::WorldLimits,
    world::World,
};

/// What a batch brought about.
#[derive(Clone, Debug)]
pub struct Report {
    /// What came of each command, in the order given.
    pub results: Vec<ItemOutcome>,
    /// What ended it early.
    pub stopped_by: Option<Stop>,
    /// What was recorded, where it was asked for.
    pub observations: Option<Vec<Observation>>,
}

/// What came of one command of a batch.
#[derive(Clone, Debug)]
pub enum ItemOutcome {
    /// It was carried out.
    Done(Outcome),
    /// Time has passed: the steps and the simulated seconds since the beginning.
    Stepped(u64, f64),
    /// It was refused, and the batch goes on without it.
    Refused(PhysicsError),
    /// The batch ended before it was due.
    Skipped,
}

/// Which condition has ended a batch, and when.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Stop {
    /// Its place in the list.
    pub index: usize,
    /// What kind of condition it is.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Steps since the beginning.
    pub step: u64,
    /// Simulated seconds since the beginning.
    pub time: f64,
}

/// A batch under way.
pub(in crate::physics) struct Script {
    batch: Arc<Batch>,
    limits: WorldLimits,
    /// The items in the order in which they are due, and how many have been dealt with.
    order: Vec<usize>,
    dealt_with: usize,
    /// How many of the batch's own steps are behind, those under way included.
    scheduled: u32,
    /// The item whose steps are under way.
    stepping: Option<usize>,
    /// How many steps of any kind are taken.
    taken: u32,
    report: Report,
}

impl Script {
    pub(in crate::physics) fn new(batch: &Arc<Batch>, limits: &WorldLimits) -> Self {
        Self {
            order: batch.order(),
            limits: batch.limits.unwrap_or(*limits),
            dealt_with: 0,
            scheduled: 0,
            stepping: None,
            taken: 0,
            report: Report {
                results: vec![ItemOutcome::Skipped; batch.items.len()],
                stopped_by: None,
                observations: batch.observe.as_ref().map(|_| Vec::new()),
            },
            batch: Arc::clone(batch),
        }
    }

    /// Does all that is due until steps have to be taken, and tells which. Nothing is left to do
    /// once there are none.
    pub(in crate::physics) fn proceed(&mut self, world: &mut World) -> Option<Steps> {
        if let Some(index) = self.stepping.take() {
            self.report.results[index] = ItemOutcome::Stepped(world.steps(), world.time());
        }
        while self.report.stopped_by.is_none() {
            let next = self.order.get(self.dealt_with).copied();
            let due = next.map(|index| self.batch.items[index].at_step.unwrap_or(0));
            match (next, due) {
                (Some(index), Some(due)) if due <= self.scheduled => {
                    self.dealt_with += 1;
                    if let Some(steps) = self.deal_with(index, world) {
                        return Some(steps);
                    }
                }
                _ => {
                    let until = due.unwrap_or(self.batch.steps.count);
                    let count = until - self.scheduled;
                    self.scheduled = until;
                    if count > 0 {
                        let dt = self.batch.steps.dt;
                        return Some(Steps { count, dt });
                    }
                    if next.is_none() {
                        break;
                    }
                }
            }
        }
        None
    }

    /// Records, where it is the moment for it.
    pub(in crate::physics) fn before_step(&mut self, world: &World) {
        if let (Some(observe), Some(observations)) =
            (&self.batch.observe, &mut self.report.observations)
            && self.taken.is_multiple_of(observe.every)
        {
            observations.push(observe.observe(world));
        }
        self.taken += 1;
    }

    /// Whether a condition has come true that ends the batch.
    pub(in crate::physics) fn is_stopped(&mut self, world: &World) -> bool {
        let mut conditions = self.batch.until.iter();
        if let Some(index) = conditions.position(|condition| condition.holds(world)) {
            self.report.stopped_by = Some(Stop {
                index,
                kind: self.batch.until[index].kind(),
                step: world.steps(),
                time: world.time(),
            });
        }
        self.report.stopped_by.is_some()
    }

    pub(in crate::physics) fn finish(self) -> Report {
        self.report
    }

    /// Carries a command out, or tells which steps it takes.
    fn deal_with(&mut self, index: usize, world: &mut World) -> Option<Steps> {
        let command = &self.batch.items[index].command;
        if !self.batch.atomic
            && let Err(refused) = Draft::of(world).check(command, &self.limits)
        {
            self.report.results[index] = ItemOutcome::Refused(placed(index, refused));
            return None;
        }
        if let Command::Step(steps) = command {
            if steps.count > 0 {
                self.stepping = Some(index);
                return Some(*steps);
            }
            self.report.results[index] = ItemOutcome::Stepped(world.steps(), world.time());
        } else {
            let outcome = world.carry_out(command);
            self.report.results[index] = ItemOutcome::Done(outcome);
        }
        None
    }
}
