//! What the task does when the journal has not simply taken an entry.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::sync::oneshot;

use super::{
    committed::Committed,
    error::SimulationError,
    journalling::{Pending, Seen},
    task::{Client, SimulationTask, answer},
    work::{NotBegun, Progress},
    writing::{Rest, write_in_place},
};
use crate::{
    journal::{Append, Event, Journal, JournalError, Purpose, Verdict},
    physics::{Command, EngineFault},
    registry::Head,
};

/// How long after a refusal the journal is asked again for what cannot be left undone.
const RETRY: Duration = Duration::from_millis(150);

impl SimulationTask {
    /// Keeps requests from beginning commands, waits until none is pending, and settles what was
    /// left to the task.
    pub(super) async fn settle(&mut self) {
        loop {
            let left = {
                let mut core = self.core();
                let Some(journalling) = &mut core.journalling else {
                    return;
                };
                journalling.is_attended = true;
                if journalling.pending.is_none() {
                    break;
                }
                journalling
                    .pending
                    .take_if(|pending| pending.verdict.is_some())
            };
            match left {
                Some(pending) => self.conclude(pending).await,
                None => self.simulation.shared.settled.notified().await,
            }
        }
        self.mend_journal().await;
    }

    /// Lets requests begin commands again.
    pub(super) fn leave_alone(&self) {
        if let Some(journalling) = &mut self.core().journalling {
            journalling.is_attended = false;
        }
    }

    /// Carries out a command and writes it down at the same time.
    pub(super) async fn write(
        &mut self,
        journal: &Arc<dyn Journal>,
        command: Command,
        client: Client,
    ) {
        let written = {
            let shared = &self.simulation.shared;
            write_in_place(shared, journal, &mut shared.core(), command, client)
        };
        let (command, client) = match written {
            // It settles by itself, or before the next command.
            Ok(()) => return,
            Err(Rest::Failed(client, fault)) => {
                return self.carry_on(client, Progress::Failed(fault)).await;
            }
            Err(Rest::Unbegun(command, client)) => (command, client),
        };
        if let Err(refused) = self.simulation.pool().admit() {
            let shared = &self.simulation.shared;
            return answer(&mut shared.core(), client, Err(refused), shared);
        }
        let Some(work) = self.core().hand_out(&self.simulation.shared, command) else {
            // A world that could not be made again is not there.
            return self.carry_on(client, Progress::Failed(EngineFault)).await;
        };
        let clock = self.simulation.shared.services.clock;
        let pool = self.simulation.pool();
        let work = match pool.run(move || work.begin(clock)).await {
            Ok(Ok(work)) => work,
            Ok(Err(NotBegun::Refused(world, refused))) => {
                return self
                    .carry_on(client, Progress::Refused(world, refused))
                    .await;
            }
            Ok(Err(NotBegun::Failed(fault))) | Err(fault) => {
                return self.carry_on(client, Progress::Failed(fault)).await;
            }
        };
        let key = client.key.as_ref().map(|(key, _)| key);
        let append = self
            .core()
            .entry_of(&self.simulation.shared, work.command(), key);
        let written = append_to(journal, append.clone());
        let outcome = match self.step_elsewhere(work).await {
            Progress::Done(done) => Ok(done),
            Progress::Failed(fault) => Err(fault),
            // Only a simulation that is destroyed or given up meanwhile leaves something
            // unfinished, and what has begun is never refused.
            Progress::Unfinished(_) | Progress::Refused(..) => {
                let transit = &self.simulations.inner.transit;
                let gone = if transit.contains(self.simulation.id()) {
                    // Whoever goes on with it carries the rest of it out.
                    SimulationError::OutcomeUnknown
                } else {
                    self.simulation.gone()
                };
                answer(&mut self.core(), client, Err(gone), &self.simulation.shared);
                return;
            }
        };
        self.touch();
        self.conclude(Pending {
            append,
            outcome,
            client,
            verdict: Some(written.await),
        })
        .await;
    }

    /// Commits a command whose entry is kept, or undoes it.
    async fn conclude(&mut self, pending: Pending) {
        let Pending {
            append,
            outcome,
            client,
            verdict,
        } = pending;
        let verdict = match verdict {
            Some(Ok(Verdict::Elsewhere(found))) => self.append_again(found, &append).await,
            Some(verdict) => verdict,
            None => return,
        };
        let id = self.simulation.id().clone();
        let result = match (verdict, outcome) {
            (Ok(Verdict::Kept), Ok(done)) => {
                let shared = &self.simulation.shared;
                Ok(shared.core().commit(shared, *done, append.head()))
            }
            (Ok(Verdict::Kept), Err(fault)) => {
                self.go_on_to(append.head());
                let undone = self.undo(fault).await;
                self.void(append.head().seq).await;
                Err(undone)
            }
            (Ok(Verdict::Fenced), _) => {
                self.lose_to_another();
                // It may have been heard at the first try, and whoever has it now carried it out.
                Err(SimulationError::OutcomeUnknown)
            }
            (Ok(Verdict::Elsewhere(_)), _) => {
                self.lose_to_another();
                Err(SimulationError::HistoryDiverged(id))
            }
            (Err(refused), _) => {
                self.thaw_or_lose().await;
                Err(refused.into())
            }
        };
        let shared = &self.simulation.shared;
        answer(&mut shared.core(), client, result, shared);
    }

    /// Notes in the journal that the command of this number counts as never given, so that nobody
    /// carries it out again.
    async fn void(&mut self, seq: u64) {
        let Some(journal) = self.simulation.shared.journal().cloned() else {
            return;
        };
        while !self.is_closing && !self.simulation.shared.inbox.is_interrupted() {
            let shared = &self.simulation.shared;
            let append = shared.core().append_of(shared, Event::Voided(seq), None);
            let verdict = match append_to(&journal, append.clone()).await {
                Ok(Verdict::Elsewhere(found)) => self.append_again(found, &append).await,
                verdict => verdict,
            };
            match verdict {
                Ok(Verdict::Kept) => return self.go_on_to(append.head()),
                Ok(Verdict::Fenced | Verdict::Elsewhere(_)) => self.lose_to_another(),
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
    }

    /// Tells the journal what it forgot, and appends the entry once more.
    async fn append_again(
        &mut self,
        found: Option<Head>,
        append: &Append,
    ) -> Result<Verdict, JournalError> {
        match self.repair(found).await? {
            Verdict::Kept => {}
            refused @ (Verdict::Fenced | Verdict::Elsewhere(_)) => return Ok(refused),
        }
        let Some(journal) = self.simulation.shared.journal() else {
            return Ok(Verdict::Fenced);
        };
        let again = Append {
            token: self.simulation.shared.claim.token(),
            is_first: true,
            ..append.clone()
        };
        append_to(journal, again).await
    }

    /// Sees to it that the journal has everything that was committed, after it may have forgotten
    /// something.
    async fn mend_journal(&mut self) {
        let shared = Arc::clone(&self.simulation.shared);
        let Some(journal) = shared.journal() else {
            return;
        };
        if !shared.is_journal_in_doubt.swap(false, Ordering::AcqRel) {
            return;
        }
        let mended = match journal.standing(&shared.id).await {
            Ok(standing) => {
                let found = standing.map(|standing| standing.head);
                // No command is written down meanwhile.
                if found == Some(shared.committed().head) {
                    return;
                }
                self.repair(found).await
            }
            Err(error) => Err(error),
        };
        match mended {
            Ok(Verdict::Kept) => {}
            Ok(Verdict::Fenced | Verdict::Elsewhere(_)) => self.lose_to_another(),
            // The next flush finds it out again.
            Err(error) => {
                tracing::debug!(sim_id = %shared.id, %error, "a journal could not be mended");
            }
        }
    }

    /// Tells the journal, which was found at `found`, everything that was committed; refused where
    /// that is not a part of it. It may stand where it should and have lost its entries.
    pub(super) async fn repair(&mut self, found: Option<Head>) -> Result<Verdict, JournalError> {
        let shared = Arc::clone(&self.simulation.shared);
        let image = {
            let core = shared.core();
            let head = shared.committed().head;
            let journalling = core.journalling.as_ref();
            // What was written under this token, or under one before it, and is not known to differ
            // is a part of what is known here.
            let extends = |found| journalling.is_some_and(|it| it.place(head, found) == Seen::Past);
            match core.image(&shared) {
                Some(image) if found.is_none_or(extends) => image,
                Some(_) | None => return Ok(Verdict::Elsewhere(found)),
            }
        };
        if shared.claim.is_buried() {
            return Ok(Verdict::Fenced);
        }
        if found.is_none() {
            // Its entry in the registry is gone, too.
            let written = self.simulations.write_down(&self.simulation).await;
            written.map_err(|error| JournalError::Unavailable(error.to_string()))?;
        }
        let head = image.head;
        let verdict = shared.keep(image, Purpose::Repair { seen: found }).await?;
        if verdict == Verdict::Kept {
            tracing::warn!(sim_id = %shared.id, ?found, "the journal had forgotten something and was told again");
            if let Some(journalling) = &mut shared.core().journalling {
                journalling.snapshots = vec![head.seq];
                journalling.is_first = true;
            }
        }
        Ok(verdict)
    }

    /// Notes an entry that changed nothing in the world.
    fn go_on_to(&self, head: Head) {
        let shared = &self.simulation.shared;
        let mut core = shared.core();
        let committed = *shared.committed();
        core.go_on(shared, Committed { head, ..committed });
    }

    fn lose_to_another(&mut self) {
        self.simulations.lose_to_another(&self.simulation);
        self.is_closing = true;
    }
}

/// Appends an entry and waits for what comes of it.
pub(super) fn append_to(
    journal: &Arc<dyn Journal>,
    append: Append,
) -> impl Future<Output = Result<Verdict, JournalError>> + use<> {
    let (sender, receiver) = oneshot::channel();
    journal.append(
        append,
        Box::new(move |verdict| {
            // Whoever waits may have been given up.
            drop(sender.send(verdict));
        }),
    );
    async {
        let gone = |_| JournalError::Unavailable("it is being closed".to_owned());
        receiver.await.map_err(gone)?
    }
}
