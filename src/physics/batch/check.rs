//! Checking a batch in full before any of it is done.

use super::{Batch, placed};
use crate::physics::{
    command::Command,
    config::check_dt,
    draft::Draft,
    error::PhysicsError,
    fault::Faults,
    limits::{WorldLimits, check_conditions, check_decompositions, check_ik_iterations},
};

impl Batch {
    /// Fails for what makes it impossible as a whole, and, if it is atomic, for everything that is
    /// wrong with any of its commands. Whether a command of another one is refused later depends on
    /// the world and the batch alone.
    pub(in crate::physics) fn check(
        &self,
        mut draft: Draft<'_>,
        limits: &WorldLimits,
    ) -> Result<(), PhysicsError> {
        limits.check_commands(self.items.len())?;
        let commands = || self.items.iter().map(|item| &item.command);
        check_decompositions(
            commands()
                .map(|command| command.decomposition_voxels(draft.assets))
                .sum(),
        )?;
        check_ik_iterations(commands().map(Command::ik_iterations).sum())?;
        limits.check_steps(self.step_count())?;
        check_conditions(self.until.len())?;

        let mut faults = Faults::default();
        if let Some(dt) = self.steps.dt {
            check_dt(dt, &mut faults);
        }
        self.check_schedule(&mut faults);
        // What is missing on the way is a fault of its own, which is only told if nothing is wrong
        // with the values.
        let mut refused = None;
        // Who leaves before the end was observed until then.
        let mut most_bodies = draft.body_count();
        for index in self.order() {
            let command = &self.items[index].command;
            let is_known_well = match draft.check(command, limits) {
                Ok(()) => true,
                Err(error) if self.atomic => {
                    let error = placed(index, error);
                    if let PhysicsError::Invalid(found) = error {
                        faults.extend(found);
                        command.adds_names()
                    } else {
                        refused.get_or_insert(error);
                        false
                    }
                }
                Err(_) => {
                    self.check_assets(index, &draft, &mut faults);
                    false
                }
            };
            if is_known_well {
                draft.note(command);
                most_bodies = most_bodies.max(draft.body_count());
            }
        }
        for (index, condition) in self.until.iter().enumerate() {
            faults.within(format_args!("until/{index}"), |faults| {
                condition.check(&draft, faults);
            });
        }
        if let Some(observe) = &self.observe {
            faults.within("observe", |faults| observe.check(&draft, faults));
            limits.check_frames(observe.frames(self.step_count(), most_bodies))?;
        }
        faults.into_result()?;
        refused.map_or(Ok(()), Err)
    }

    /// Notes every asset that an item names and nobody knows, even where other faults would only
    /// have the item refused: whoever carries the batch out again may know more of them by then,
    /// or has to have them all.
    fn check_assets(&self, index: usize, draft: &Draft<'_>, faults: &mut Faults) {
        for id in self.items[index].command.assets() {
            if let Some(fault) = draft.assets.fault_of(&id) {
                faults.add(&format!("commands/{index}"), fault);
            }
        }
    }

    fn check_schedule(&self, faults: &mut Faults) {
        for (index, item) in self.items.iter().enumerate() {
            faults.within(format_args!("commands/{index}"), |faults| {
                if item
                    .at_step
                    .is_some_and(|at_step| at_step > self.steps.count)
                {
                    faults.add("at_step", "must not be greater than steps");
                }
                if !item.command.is_for_batches() {
                    faults.add("op", "cannot be part of a batch");
                }
            });
        }
    }
}
