//! How a simulation leaves this instance and stays alive in its journal.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use tokio::sync::oneshot;

use super::{
    directory::Simulations, error::SimulationError, handle::SimulationHandle, inbox::Message,
    shared::Shared, task::SimulationTask, transit::Passage,
};
use crate::{
    clock::Moment,
    journal::{JournalError, Purpose, Verdict},
};

/// How long after a failure an idle simulation is tried to be put to rest again.
const RETRY: Duration = Duration::from_secs(5);

/// How many simulations leave at a time when all do.
const AT_A_TIME: usize = 16;

/// A simulation's leave to go; it is in the directory no longer.
pub(super) struct Departure {
    pub(super) passage: Passage,
    pub(super) told: Option<oneshot::Sender<bool>>,
}

impl Simulations {
    /// Gives every simulation that is written down up to whoever is asked for it next, within
    /// `grace`. The small ones go first: most clients wait for one of those.
    pub async fn hand_over(&self, grace: Duration) {
        let mut leaving: Vec<_> = self
            .all()
            .into_iter()
            .filter(|simulation| simulation.shared.journal().is_some())
            .collect();
        leaving.sort_by_key(|simulation| simulation.shared.committed().bodies);
        let gone = stream::iter(leaving).for_each_concurrent(AT_A_TIME, async |simulation| {
            self.give_up(&simulation, grace / 2).await;
        });
        // What is left is in its journal all the same.
        let _ = tokio::time::timeout(grace, gone).await;
    }

    /// Gives a simulation up to whoever is asked for it next; false if it stays. What waits for it
    /// is carried out before; what runs is put down half done after `patience`.
    pub async fn give_up(&self, simulation: &SimulationHandle, patience: Duration) -> bool {
        let Some(passage) = self.take_out(simulation, |_| true) else {
            return false;
        };
        let (sender, told) = oneshot::channel();
        let departure = Departure {
            passage,
            told: Some(sender),
        };
        if simulation.send(Message::Leave(departure)).is_err() {
            return false;
        }
        tokio::pin!(told);
        if let Ok(gone) = tokio::time::timeout(patience, &mut told).await {
            return gone.unwrap_or(false);
        }
        simulation.shared.inbox.interrupt();
        told.await.unwrap_or(false)
    }

    /// Takes a simulation out of the directory that is to leave; nothing if it was not in it, or
    /// is on its way already.
    pub(super) fn take_out(
        &self,
        simulation: &SimulationHandle,
        agrees: impl Fn(&Shared) -> bool,
    ) -> Option<Passage> {
        let passage = self.inner.transit.enter(simulation.id())?;
        self.remove(simulation, agrees).then_some(passage)
    }

    /// Puts a simulation back that could not leave.
    pub(super) fn put_back(&self, simulation: &SimulationHandle) {
        if simulation.shared.inbox.is_closed() {
            // Its task has found out meanwhile that it is somebody else's.
            self.note_departure(simulation);
            return;
        }
        simulation.shared.claim.resume();
        simulation.shared.inbox.resume();
        self.insert(simulation.clone());
        self.note(simulation);
    }

    /// Notes that a simulation has left.
    pub(super) fn note_departure(&self, simulation: &SimulationHandle) {
        self.free_place();
        self.services().metrics.departures.inc();
        let id = simulation.id();
        tracing::debug!(sim_id = %id, "simulation {id} rests in its journal");
    }
}

impl SimulationTask {
    /// When an idle simulation is to leave memory altogether.
    pub(super) fn hibernates(&self) -> Moment {
        let shared = &self.simulation.shared;
        if shared.journal().is_none() {
            return shared.expires();
        }
        let due = shared.last_access() + shared.services.hibernate_after;
        self.stays_until.map_or(due, |until| until.max(due))
    }

    /// Puts the idle simulation to rest in its journal.
    pub(super) async fn hibernate(&mut self) {
        let now = self.now();
        let is_idle =
            |shared: &Shared| shared.last_access() + shared.services.hibernate_after <= now;
        // Fails if somebody has used it in this very moment.
        if let Some(passage) = self.simulations.take_out(&self.simulation, is_idle) {
            self.leave(Departure {
                passage,
                told: None,
            })
            .await;
        }
    }

    /// Leaves this instance.
    pub(super) async fn leave(&mut self, departure: Departure) {
        let Departure { passage, told } = departure;
        let shared = Arc::clone(&self.simulation.shared);
        // A world that was put down half done is nowhere: its entry is in the journal, and is
        // carried out by whoever comes next.
        let is_whole = self.pack().await;
        let verdict = self.keep_at_rest(is_whole).await;
        let verdict = match verdict {
            // The journal has forgotten something: what is here is all there is of it.
            Ok(Verdict::Elsewhere(found)) if is_whole => match self.repair(found).await {
                Ok(Verdict::Kept) => self.keep_at_rest(is_whole).await,
                refused => refused,
            },
            verdict => verdict,
        };
        let has_left = match verdict {
            // It rests, or is somebody else's already.
            Ok(Verdict::Kept | Verdict::Fenced | Verdict::Elsewhere(_)) => {
                shared.claim.leave();
                self.simulations.note_departure(&self.simulation);
                true
            }
            Err(_) if self.is_closing => {
                self.simulations.note_departure(&self.simulation);
                true
            }
            Err(error) => {
                tracing::debug!(sim_id = %shared.id, %error, "a simulation could not be put to rest");
                self.stays_until = Some(self.now() + RETRY);
                self.simulations.put_back(&self.simulation);
                false
            }
        };
        self.is_closing |= has_left;
        drop(passage);
        if let Some(told) = told {
            // Whoever waits may have been given up.
            let _ = told.send(has_left);
        }
    }

    /// Has the journal keep the simulation as it is; or only gives it up, where the world is
    /// nowhere.
    async fn keep_at_rest(&self, is_whole: bool) -> Result<Verdict, JournalError> {
        let shared = &self.simulation.shared;
        let image = shared.core().image(shared).filter(|_| is_whole);
        match (image, shared.journal()) {
            (Some(image), _) => {
                // For lists; whoever wakes it up finds the truth in the snapshot.
                drop(self.simulations.write_down(&self.simulation).await);
                self.simulations.keep_assets_of(&self.simulation).await;
                shared.keep(image, Purpose::Rest).await
            }
            (None, Some(journal)) => {
                journal
                    .let_go(&shared.id, &shared.claim.token(), None)
                    .await
            }
            (None, None) => Ok(Verdict::Fenced),
        }
    }

    /// Keeps only the history of the world; false if the world is nowhere, half way through a
    /// command.
    async fn pack(&mut self) -> bool {
        self.settle().await;
        if !self.is_frozen() {
            self.freeze_now().await;
        }
        self.is_frozen()
    }
}

impl SimulationHandle {
    /// Why the task of a simulation answers no more.
    pub(super) fn gone(&self) -> SimulationError {
        let shared = &self.shared;
        if shared.claim.has_left() {
            // Nothing was begun: whoever asks again finds it where it is now.
            return SimulationError::OwnershipLost(self.id().clone());
        }
        // The task has ended while a request was on its way: the simulation is gone, or the process
        // is about to be.
        if shared.services.is_draining.load(Ordering::Acquire) {
            return SimulationError::OutcomeUnknown;
        }
        SimulationError::NotFound(self.id().clone())
    }
}
