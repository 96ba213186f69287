//! Checking a batch in full before any of it is done.

use super::{Batch, placed};
use crate::physics::{
    config::check_dt,
    draft::Draft,
    error::PhysicsError,
    fault::Faults,
    limits::{WorldLimits, check_conditions},
};

impl Batch {
    /// Fails for what makes it impossible as a whole, and, if it is atomic, for everything that is
    /// wrong with any of its commands.
    pub(in crate::physics) fn check(
        &self,
        mut draft: Draft<'_>,
        limits: &WorldLimits,
    ) -> Result<(), PhysicsError> {
        limits.check_commands(self.items.len())?;
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
                Err(_) => false,
            };
            if is_known_well {
                draft.note(command);
            }
        }
        for (index, condition) in self.until.iter().enumerate() {
            faults.within(format_args!("until/{index}"), |faults| {
                condition.check(&draft, faults);
            });
        }
        if let Some(observe) = &self.observe {
            faults.within("observe", |faults| observe.check(&draft, faults));
            limits.check_frames(observe.frames(self.step_count(), draft.body_count()))?;
        }
        faults.into_result()?;
        refused.map_or(Ok(()), Err)
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
