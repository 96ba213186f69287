//! Carrying out a command and writing it down at the same time.

use std::{
    sync::{Arc, TryLockError},
    time::Duration,
};

use super::{
    core::Core,
    inbox::Message,
    journalling::Pending,
    shared::Shared,
    step_pool::contained,
    task::{Client, answer},
    work::{NotBegun, Progress},
};
use crate::{
    journal::{Append, Journal, JournalError, Verdict},
    physics::{Command, EngineFault},
    shutdown::spawn,
};

/// A command that is left to the task.
pub(super) enum Rest {
    /// All of it: the world is not at home, or the command is too large.
    Unbegun(Command, Client),
    /// The engine failed on it, and the world is gone.
    Failed(Client, EngineFault),
}

/// Carries a small command out here and now, if the world is at home; its client is answered when
/// it is written down.
#[expect(clippy::result_large_err, reason = "what is left is moved on at once")]
pub(super) fn write_in_place(
    shared: &Arc<Shared>,
    journal: &Arc<dyn Journal>,
    core: &mut Core,
    command: Command,
    client: Client,
) -> Result<(), Rest> {
    if core.is_pending() {
        return Err(Rest::Unbegun(command, client));
    }
    let recalled = client.key.as_ref().and_then(|(key, _)| core.recall(key));
    if let Some(result) = recalled {
        answer(core, client, result, shared);
        return Ok(());
    }
    if let Err(unmet) = shared.check(client.precondition.as_ref()) {
        answer(core, client, Err(unmet), shared);
        return Ok(());
    }
    if let Err(refused) = core.admit(&command) {
        answer(core, client, Err(refused), shared);
        return Ok(());
    }
    let Some(world) = core.world.take() else {
        return Err(Rest::Unbegun(command, client));
    };
    if !core.is_small(&world, &command) {
        core.world = Some(world);
        return Err(Rest::Unbegun(command, client));
    }
    // Readers are shown the state before it until it is written down.
    core.look(&world);
    let services = &shared.services;
    let work = match shared.work(world, command).begin(services.clock) {
        Ok(work) => work,
        Err(NotBegun::Refused(world, refused)) => {
            core.world = Some(world);
            answer(core, client, Err(refused.into()), shared);
            return Ok(());
        }
        Err(NotBegun::Failed(fault)) => return Err(Rest::Failed(client, fault)),
    };
    let key = client.key.as_ref().map(|(key, _)| key);
    let append = core.entry_of(shared, work.command(), key);
    send(shared, journal, append.clone());
    // Its entry is on its way: it is small, and is not put off however long it takes after all.
    let outcome = match work.advance(Duration::MAX, services.clock, &services.metrics) {
        Progress::Done(done) => Ok(done),
        Progress::Failed(fault) => Err(fault),
        Progress::Unfinished(_) | Progress::Refused(..) => {
            unreachable!("what has begun is not refused, and there is time enough")
        }
    };
    if let Some(journalling) = &mut core.journalling {
        journalling.pending = Some(Pending {
            append,
            outcome,
            client,
            verdict: None,
        });
    }
    Ok(())
}

/// Sends an entry to the journal; what comes of it settles the command that is pending.
pub(super) fn send(shared: &Arc<Shared>, journal: &Arc<dyn Journal>, append: Append) {
    let of = Arc::clone(shared);
    journal.append(append, Box::new(move |verdict| settle_soon(of, verdict)));
}

/// Settles a command without keeping the journal: it has those of other simulations to tell of.
fn settle_soon(shared: Arc<Shared>, verdict: Result<Verdict, JournalError>) {
    let is_busy = matches!(shared.core.try_lock(), Err(TryLockError::WouldBlock));
    if is_busy {
        // It is still being carried out, or looked at.
        spawn(async move { settle(&shared, verdict) });
    } else if contained(|| settle(&shared, verdict)).is_err() {
        tracing::error!(sim_id = %shared.id, "a command could not be settled");
    }
}

/// Commits the command that is pending, or leaves it to the task.
fn settle(shared: &Arc<Shared>, verdict: Result<Verdict, JournalError>) {
    let mut core = shared.core();
    let Some(journalling) = &mut core.journalling else {
        return;
    };
    let Some(pending) = journalling.pending.take() else {
        return;
    };
    let wants_task = match (verdict, pending) {
        (
            Ok(Verdict::Kept),
            Pending {
                outcome: Ok(done),
                append,
                client,
                ..
            },
        ) => {
            let reply = core.commit(shared, *done, append.head());
            answer(&mut core, client, Ok(reply), shared);
            core.wants_snapshot(shared)
        }
        (verdict, pending) => {
            journalling.pending = Some(Pending {
                verdict: Some(verdict),
                ..pending
            });
            true
        }
    };
    drop(core);
    shared.settled.notify_one();
    if wants_task {
        // A closed task has nothing to look after.
        let _ = shared.inbox.send(Message::Tend);
    }
}
